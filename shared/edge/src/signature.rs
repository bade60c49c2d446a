//! Requests that a device has signed: HTTP Message Signatures (RFC 9421) with Ed25519, over the method, the path and the
//! body's digest (RFC 9530).
//!
//! ```text
//! Content-Digest: sha-256=:…:
//! Signature-Input: device=("@method" "@path" "content-digest");created=1800000000;nonce="…";keyid="…"
//! Signature: device=:…:
//! ```
//! `keyid` is the public key itself, base64url; what it may do is for the use case to say. `created` may be five minutes
//! off, and a nonce is taken once, so that a request cannot be played again.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use data_encoding::BASE64URL_NOPAD;
use otpost_domain::device::DeviceKey;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{Clock as _, Entropy as _, NonceStore as _, Ports, Write};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, Parser};

use crate::http::Call;
use crate::problem::{Problem, ProblemType};

/// How far `created` may be from our clock.
pub const SKEW: Duration = Duration::from_mins(5);
/// What must be signed.
const COMPONENTS: [&str; 3] = ["@method", "@path", "content-digest"];
/// The longest header that is read.
const LONGEST: usize = 1024;

/// The parts of a request that its signature speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The method.
    pub method: &'a str,
    /// The path, as sent.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The header `Content-Digest`.
    pub content_digest: Option<&'a str>,
    /// The header `Signature-Input`.
    pub signature_input: Option<&'a str>,
    /// The header `Signature`.
    pub signature: Option<&'a str>,
}

/// Who signed, with which nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The device's key.
    pub key: DeviceKey,
    /// When the signature was made.
    pub created: Timestamp,
    /// What makes it the only one.
    pub nonce: String,
}

/// Checks the signature of a request and takes its nonce.
///
/// # Errors
/// When the signature is missing or not good, too old, or was used before.
pub async fn signer(ports: &impl Ports, call: &Call) -> Result<DeviceKey, Problem> {
    let header = |name: &str| call.request.headers().get(name).and_then(|value| value.to_str().ok());
    let presented = Signed {
        method: call.request.method().as_str(),
        path: lambda_http::RequestExt::raw_http_path(&call.request),
        body: call.body()?,
        content_digest: header("content-digest"),
        signature_input: header("signature-input"),
        signature: header("signature"),
    };
    let signer = check(&presented, ports.clock().now())
        .map_err(|fault| Problem::new(ProblemType::InvalidSignature, fault))?;
    let until = signer.created.plus(SKEW * 2);
    let holder = BASE64URL_NOPAD.encode(&ports.entropy().array::<12>());
    match ports.store().take_nonce(&signer.key.thumbprint(), &signer.nonce, &holder, until).await? {
        Write::Done => Ok(signer.key),
        Write::Stale => {
            let detail = "The signature's nonce was used before. Sign each request with a new one.";
            Err(Problem::new(ProblemType::InvalidSignature, detail))
        }
    }
}

/// Checks everything but whether the nonce is new.
///
/// # Errors
/// What is wrong, for whoever writes the app.
pub fn check(presented: &Signed<'_>, now: Timestamp) -> Result<Signer, &'static str> {
    const DIGEST: &str = "Content-Digest must be the sha-256 of the body (RFC 9530).";
    const INPUT: &str = "Signature-Input must have one signature (RFC 9421).";
    const SIGNATURE: &str = "Signature must have the bytes of the signature that Signature-Input describes.";

    let digests = dictionary(presented.content_digest).ok_or(DIGEST)?;
    let given = digests.get("sha-256").and_then(bytes).ok_or(DIGEST)?;
    if given != digest(&SHA256, presented.body).as_ref() {
        return Err(DIGEST);
    }

    let inputs = dictionary(presented.signature_input).ok_or(INPUT)?;
    let (Some((label, ListEntry::InnerList(input))), 1) = (inputs.first(), inputs.len()) else {
        return Err(INPUT);
    };
    let signer = described(input, now)?;
    let signatures = dictionary(presented.signature).ok_or(SIGNATURE)?;
    let signature = signatures.get(label).and_then(bytes).ok_or(SIGNATURE)?;

    // The parameters' line repeats what was sent, without the label.
    let line = presented.signature_input.and_then(|text| text.split_once('=')).ok_or(INPUT)?.1.trim();
    let mut base: Vec<String> = components(input)
        .map(|component| {
            let value = match component {
                "@method" => presented.method,
                "@path" => presented.path,
                _ => presented.content_digest.unwrap_or_default().trim(),
            };
            format!("\"{component}\": {value}")
        })
        .collect();
    base.push(format!("\"@signature-params\": {line}"));
    UnparsedPublicKey::new(&ED25519, signer.key.bytes())
        .verify(base.join("\n").as_bytes(), signature)
        .map_err(|_| "The signature does not fit the request and the key.")?;
    Ok(signer)
}

/// What the signature's input says of it.
fn described(input: &InnerList, now: Timestamp) -> Result<Signer, &'static str> {
    let named = components(input).collect::<Vec<_>>();
    let plain = input.items.iter().all(|item| item.params.is_empty());
    if !plain || named.len() != COMPONENTS.len() || !COMPONENTS.iter().all(|wanted| named.contains(wanted)) {
        return Err(
            "The signature must cover \"@method\", \"@path\" and \"content-digest\", and nothing else.",
        );
    }
    let text = |name: &str| match input.params.get(name) {
        Some(BareItem::String(text)) => Some(text.as_str()),
        _ => None,
    };
    if !matches!((input.params.get("alg"), text("alg")), (None, _) | (_, Some("ed25519"))) {
        return Err("The signature's alg must be ed25519, or be left out.");
    }
    let key = text("keyid").and_then(|key| DeviceKey::try_from(key).ok());
    let key = key.ok_or("The signature's keyid must be the device's Ed25519 public key as base64url.")?;
    let nonce = text("nonce").filter(|nonce| {
        (16..=64).contains(&nonce.len())
            && nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_+/=".contains(&b))
    });
    let nonce = nonce.ok_or("The signature's nonce must be 16 to 64 characters of base64.")?.to_owned();
    let created = match input.params.get("created") {
        Some(BareItem::Integer(seconds)) => u64::try_from(i64::from(*seconds)).ok(),
        _ => None,
    };
    let created =
        created.map(Timestamp::from_seconds).ok_or("The signature's created must be a Unix time.")?;
    if now > created.plus(SKEW) || created > now.plus(SKEW) {
        return Err("The signature's created is more than five minutes from our clock.");
    }
    let expired = match input.params.get("expires") {
        None => false,
        Some(BareItem::Integer(seconds)) => {
            u64::try_from(i64::from(*seconds)).map_or(true, |end| now > Timestamp::from_seconds(end))
        }
        Some(_) => true,
    };
    if expired {
        return Err("The signature's expires has passed.");
    }
    Ok(Signer { key, created, nonce })
}

fn components(input: &InnerList) -> impl Iterator<Item = &str> {
    input.items.iter().map(|item| match &item.bare_item {
        BareItem::String(name) => name.as_str(),
        _ => "",
    })
}

fn dictionary(header: Option<&str>) -> Option<Dictionary> {
    header.filter(|text| text.len() <= LONGEST).and_then(|text| Parser::new(text).parse().ok())
}

fn bytes(entry: &ListEntry) -> Option<&[u8]> {
    match entry {
        ListEntry::Item(item) => match &item.bare_item {
            BareItem::ByteSequence(bytes) => Some(bytes),
            _ => None,
        },
        ListEntry::InnerList(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use data_encoding::BASE64;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const BODY: &[u8] = b"{\"os\":\"ios\"}";

    struct Headers {
        digest: String,
        input: String,
        signature: String,
    }

    fn pair() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn keyid() -> String {
        BASE64URL_NOPAD.encode(pair().public_key().as_ref())
    }

    fn usual() -> String {
        let keyid = keyid();
        format!(
            "(\"@method\" \"@path\" \"content-digest\");created=1800000000;nonce=\"0123456789abcdef\";keyid=\"{keyid}\""
        )
    }

    fn sign(parameters: &str, components: &[&str]) -> Headers {
        let digest = format!("sha-256=:{}:", BASE64.encode(digest(&SHA256, BODY).as_ref()));
        let mut base: Vec<String> = components
            .iter()
            .map(|component| {
                let value = match *component {
                    "@method" => "POST",
                    "@path" => "/v1/activations/x",
                    _ => digest.as_str(),
                };
                format!("\"{component}\": {value}")
            })
            .collect();
        base.push(format!("\"@signature-params\": {parameters}"));
        let signature =
            format!("device=:{}:", BASE64.encode(pair().sign(base.join("\n").as_bytes()).as_ref()));
        Headers { digest, input: format!("device={parameters}"), signature }
    }

    fn signed(headers: &Headers) -> Signed<'_> {
        Signed {
            method: "POST",
            path: "/v1/activations/x",
            body: BODY,
            content_digest: Some(&headers.digest),
            signature_input: Some(&headers.input),
            signature: Some(&headers.signature),
        }
    }

    #[test]
    fn a_good_signature_names_its_key() {
        let headers = sign(&usual(), &COMPONENTS);
        let signer = check(&signed(&headers), NOW).unwrap();
        assert_eq!(signer.key, DeviceKey::try_from(keyid().as_str()).unwrap());
        assert_eq!((signer.nonce.as_str(), signer.created), ("0123456789abcdef", NOW));
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let headers = sign(&usual(), &COMPONENTS);
        let good = signed(&headers);
        let moved = headers.input.replace("1800000000", "1800000001");
        for changed in [
            Signed { method: "PATCH", ..good },
            Signed { path: "/v1/activations/y", ..good },
            Signed { body: b"{}", ..good },
            Signed { content_digest: None, ..good },
            Signed { content_digest: Some("sha-256=:AAAA:"), ..good },
            Signed { signature_input: None, ..good },
            Signed { signature_input: Some(&moved), ..good },
            Signed { signature: None, ..good },
            Signed { signature: Some("device=:AAAA:"), ..good },
            Signed { signature: Some("other=:AAAA:"), ..good },
        ] {
            assert!(check(&changed, NOW).is_err(), "{changed:?}");
        }
        for late in [SKEW + Duration::from_secs(1), Duration::from_hours(1)] {
            assert!(check(&good, NOW.plus(late)).unwrap_err().contains("five minutes"));
        }
        assert!(check(&good, NOW.plus(SKEW)).is_ok());
    }

    #[test]
    fn what_is_signed_must_be_enough() {
        let keyid = keyid();
        let parameters = format!(";created=1800000000;nonce=\"0123456789abcdef\";keyid=\"{keyid}\"");
        let few = sign(&format!("(\"@method\"){parameters}"), &["@method"]);
        assert!(check(&signed(&few), NOW).unwrap_err().contains("must cover"));
        for bad in [
            usual().replace(";created=1800000000", ""),
            usual().replace("0123456789abcdef", "short"),
            usual().replace(&keyid, "short"),
            format!("{};alg=\"rsa-v1_5-sha256\"", usual()),
            usual().replace("\"@path\"", "\"@path\";req"),
        ] {
            let headers = sign(&bad, &COMPONENTS);
            assert!(check(&signed(&headers), NOW).is_err(), "{bad}");
        }
        for (expires, good) in [(1_800_000_000_u64, true), (1_799_999_999, false)] {
            let headers = sign(&format!("{};expires={expires}", usual()), &COMPONENTS);
            assert_eq!(check(&signed(&headers), NOW).is_ok(), good, "{expires}");
        }
        let named = sign(&format!("{};alg=\"ed25519\"", usual()), &COMPONENTS);
        assert!(check(&signed(&named), NOW).is_ok());
    }
}
