//! How GOV.UK Notify is told who asks: a JSON Web Token (RFC 7519), signed with HMAC and SHA-256 (RFC 7518
//! section 3.2).

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use otpost_domain::gateway::NotifyKey;
use otpost_domain::secret::SecretText;
use sha2::Sha256;

const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// A token of this key, issued at `at`, in seconds of the Unix epoch. Notify takes it for 30 seconds before and after
/// that, so each request has one of its own.
///
/// Its claims are the two that Notify wants and no more: any audience, or an expiry that has passed, is refused. The key
/// of the signature is the secret's text as it stands, hyphens included, not the bytes that it is the UUID of.
///
/// None if no HMAC can be made of the secret, which RFC 2104 section 3 rules out.
#[must_use]
pub fn signed(key: &NotifyKey, at: u64) -> Option<SecretText> {
    // A service's id is a UUID: nothing in it needs an escape in JSON.
    let claims = format!(r#"{{"iss":"{}","iat":{at}}}"#, key.service_id());
    let signed = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(HEADER.as_bytes()),
        BASE64URL_NOPAD.encode(claims.as_bytes())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key.secret().as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    let signature = BASE64URL_NOPAD.encode(&mac.finalize().into_bytes());
    Some(SecretText::new(format!("{signed}.{signature}")))
}
