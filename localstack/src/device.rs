//! A device of a user's with an app of its own: it signs its requests (RFC 9421).

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use reqwest::Method;
use serde_json::Value;

use crate::demo::{Answer, Api};
use crate::host::unix_time;

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
    /// # Errors
    /// Never: every 32 bytes are a seed.
    pub fn new(number: u8) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]);
        Ok(Self { pair: pair.map_err(|_| anyhow!("32 bytes are not taken for a seed"))? })
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
    /// # Errors
    /// The API does not answer, or not in JSON.
    pub async fn send(&self, api: &Api, method: Method, path: &str, body: &Value) -> Result<Answer> {
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
    /// # Errors
    /// The API does not answer, or not in JSON.
    pub async fn send(&self, api: &Api, method: Method, path: &str, body: &Value) -> Result<Answer> {
        let headers = [
            ("content-digest", self.digest.as_str()),
            ("signature-input", self.input.as_str()),
            ("signature", self.signature.as_str()),
        ];
        api.send_with(method, path, &headers, Some(body)).await
    }
}
