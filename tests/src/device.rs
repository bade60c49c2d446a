//! A device of a user's with an app of its own: it signs its requests (RFC 9421).

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use otpost_local::demo::{Answer, Api};
use otpost_local::host::unix_time;
use reqwest::Method;
use serde_json::Value;

static NONCES: AtomicUsize = AtomicUsize::new(0);

/// A device with its key.
#[derive(Debug)]
pub struct Device {
    pair: Ed25519KeyPair,
}

/// The headers of a signed request.
#[derive(Clone, Debug)]
pub struct Signed {
    digest: String,
    input: String,
    signature: String,
}

impl Device {
    /// A device whose key is made of `number`.
    ///
    /// # Panics
    /// Never: every 32 bytes are a seed.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).expect("a key") }
    }

    /// Signs a request at `created` with a nonce of its own.
    #[must_use]
    pub fn sign(&self, method: &Method, path: &str, body: &Value, created: u64) -> Signed {
        let nonce = format!("{:016}{created}", NONCES.fetch_add(1, Ordering::Relaxed));
        let keyid = BASE64URL_NOPAD.encode(self.pair.public_key().as_ref());
        let hash = BASE64.encode(digest(&SHA256, body.to_string().as_bytes()).as_ref());
        let digest = format!("sha-256=:{hash}:");
        let parameters = format!(
            "(\"@method\" \"@path\" \"content-digest\");created={created};nonce=\"{nonce}\";keyid=\"{keyid}\""
        );
        let base = format!(
            "\"@method\": {method}\n\"@path\": {path}\n\"content-digest\": {digest}\n\"@signature-params\": {parameters}"
        );
        let signature = format!("app=:{}:", BASE64.encode(self.pair.sign(base.as_bytes()).as_ref()));
        Signed { digest, input: format!("app={parameters}"), signature }
    }

    /// Signs and sends.
    ///
    /// # Panics
    /// When the API does not answer.
    pub async fn send(&self, api: &Api, method: Method, path: &str, body: &Value) -> Answer {
        let signed = self.sign(&method, path, body, unix_time());
        signed.send(api, method, path, body).await
    }
}

impl Signed {
    /// The three headers.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        [("content-digest", &self.digest), ("signature-input", &self.input), ("signature", &self.signature)]
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .into()
    }

    /// Sends a request with this signature, whether it fits or not.
    ///
    /// # Panics
    /// When the API does not answer.
    pub async fn send(&self, api: &Api, method: Method, path: &str, body: &Value) -> Answer {
        let headers = [
            ("content-digest", self.digest.as_str()),
            ("signature-input", self.input.as_str()),
            ("signature", self.signature.as_str()),
        ];
        api.send_with(method, path, &headers, Some(body)).await.expect("an answer")
    }
}
