//! Who may ask: JSON Web Tokens (RFC 7519) of the keys that are known here.

use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::Kind;
use super::form::is_uuid;
use super::refusal::Refusal;

/// How many seconds a token may be away from our clock, either way.
const DRIFT: u64 = 30;
const UUID: usize = 36;

/// The service that a request's `Authorization` speaks for, and with what kind of key; `now` in seconds of the Unix epoch.
/// All services that are `known` have keys of the same secrets.
pub(super) fn open(
    authorization: Option<&str>,
    now: u64,
    known: impl Fn(&str) -> bool,
) -> Result<(String, Kind), Refusal> {
    let authorization = authorization
        .filter(|value| !value.is_empty())
        .ok_or_else(|| Refusal::auth(401, "Unauthorized: authentication token must be provided"))?;
    let token = authorization
        .split_at_checked(7)
        .and_then(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer ").then_some(token))
        .ok_or_else(|| Refusal::auth(401, "Unauthorized: authentication bearer scheme must be used"))?;
    let unreadable = || Refusal::auth(403, "Invalid token: make sure your API token matches the example");
    let token = Token::read(token).ok_or_else(unreadable)?;
    let issuer = token.claims.get("iss").and_then(Value::as_str);
    let issuer = issuer.ok_or_else(|| Refusal::auth(403, "Invalid token: iss field not provided"))?;
    if !is_uuid(issuer) {
        return Err(Refusal::auth(403, "Invalid token: service id is not the right data type"));
    }
    if !known(issuer) {
        return Err(Refusal::auth(403, "Invalid token: service not found"));
    }
    let unknown = || Refusal::auth(403, "Invalid token: API key not found");
    let key = keys().find(|key| token.is_signed_by(key.secret)).ok_or_else(unknown)?;
    // A token without a time is told of in the same words.
    let since = token.claims.get("iat").and_then(Value::as_u64).ok_or_else(unknown)?;
    let expired = token.claims.get("exp").is_some_and(|exp| exp.as_u64().is_none_or(|exp| exp <= now));
    if token.claims.get("aud").is_some() || expired {
        return Err(unknown());
    }
    if since.abs_diff(now) > DRIFT {
        return Err(Refusal::auth(403, "Error: Your system clock must be accurate to within 30 seconds"));
    }
    if key.kind == Kind::Revoked {
        return Err(Refusal::auth(403, "Invalid token: API key revoked"));
    }
    Ok((issuer.to_owned(), key.kind))
}

struct Key {
    secret: &'static str,
    kind: Kind,
}

/// The keys' secrets, which are their ends.
fn keys() -> impl Iterator<Item = Key> {
    Kind::ALL.iter().filter_map(|(text, kind)| {
        let (_, secret) = text.split_at_checked(text.len().checked_sub(UUID)?)?;
        Some(Key { secret, kind: *kind })
    })
}

struct Token<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    claims: Value,
}

impl<'a> Token<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).ok()?).ok()
        };
        // Another algorithm, `none` above all, is no signature of ours.
        (json(header)?.get("alg")? == "HS256").then_some(())?;
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?;
        Some(Self { signed, signature, claims: json(claims)? })
    }

    /// By the secret's text, not by the bytes that it is the UUID of.
    fn is_signed_by(&self, secret: &str) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, self.signed.as_bytes(), &self.signature).is_ok()
    }
}
