//! One HTTPS request to a provider: under one deadline, without redirects, its answer read to a limit.

use std::time::Duration;

use reqwest::header::{RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use zeroize::Zeroizing;

use crate::trust::{client, well_known};

pub use reqwest::Method;

/// The longest that a connection may take to come about; then it is known that nothing left.
const CONNECT: Duration = Duration::from_secs(3);
/// How much of an answer is read: those of providers have some kilobytes.
const MOST: usize = 64 * 1024;
/// What a provider sees of who asks.
const AGENT: &str = concat!("otpost/", env!("CARGO_PKG_VERSION"));

/// A client for one provider.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    base: String,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum BadBase {
    /// The base is no URL that may be asked.
    #[error("{0} must be an https URL, or an http URL of 127.0.0.1, without a path, query or user")]
    Url(&'static str),
    /// TLS does not work here.
    #[error("no TLS client can be made")]
    Tls(#[source] reqwest::Error),
    /// The cryptography cannot do TLS.
    #[error("TLS does not work here")]
    Trust(#[source] rustls::Error),
}

/// What a provider answered.
pub struct Answer {
    /// The status (RFC 9110 section 15).
    pub status: u16,
    /// How long it wants to be left alone, if it said so in seconds (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
    /// The beginning of its body, as far as it is read. It may echo a text with a code.
    pub body: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// No connection came about, so nothing left. The text says why, in words of ours.
    NotSent(&'static str),
    /// It left, and the answer did not come in time, or broke off: the provider may have done what was asked.
    Lost(&'static str),
}

impl Http {
    /// A client for `base`, such as `https://api.example.org`. `name` is the setting that has it.
    ///
    /// Connections are not kept: a function that was frozen finds them dead, and then nobody knows whether a request
    /// had left.
    ///
    /// # Errors
    /// When `base` is no such URL, or TLS does not work.
    pub fn new(name: &'static str, base: &str) -> Result<Self, BadBase> {
        let url = reqwest::Url::parse(base).map_err(|_| BadBase::Url(name))?;
        let private =
            url.scheme() == "https" || (url.scheme() == "http" && url.host_str() == Some("127.0.0.1"));
        let alone = url.username().is_empty() && url.password().is_none() && url.path() == "/";
        if !private || !alone || url.query().is_some() || url.fragment().is_some() {
            return Err(BadBase::Url(name));
        }
        let client = Client::builder()
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .tls_backend_preconfigured(client(well_known()).map_err(BadBase::Trust)?)
            .build()
            .map_err(BadBase::Tls)?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// A request to `path`, which begins with a slash.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).header(USER_AGENT, AGENT)
    }

    /// Sends `request`; the answer is there within `deadline`, or is given up. An answer whose head is there in time
    /// counts, with as much of its body as has come by then.
    ///
    /// # Errors
    /// [`NoAnswer`]: whether it had left by then.
    pub async fn ask(&self, request: RequestBuilder, deadline: Duration) -> Result<Answer, NoAnswer> {
        let mut answer = None;
        let asked = async {
            let response = request.send().await.map_err(|error| fate(&error))?;
            let body = &mut answer.insert(Answer::of(&response)).body;
            read(response, body).await;
            Ok(())
        };
        let asked = tokio::time::timeout(deadline, asked).await.unwrap_or(Ok(()));
        asked.and(answer.ok_or(NoAnswer::Lost("no answer in time")))
    }
}

fn fate(error: &reqwest::Error) -> NoAnswer {
    if error.is_builder() {
        NoAnswer::NotSent("the request cannot be written")
    } else if error.is_connect() {
        NoAnswer::NotSent("no connection")
    } else {
        NoAnswer::Lost("the connection broke off")
    }
}

impl Answer {
    /// The head of a response, with room for a body: one that grew would leave copies of itself in memory.
    fn of(response: &Response) -> Self {
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Self {
            status: response.status().as_u16(),
            retry_after: after.map(Duration::from_secs),
            body: Zeroizing::new(Vec::with_capacity(MOST)),
        }
    }
}

/// Reads a body to the limit. The status has said what became of the request: a body that breaks off only says less about
/// why.
async fn read(mut response: Response, body: &mut Vec<u8>) {
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MOST.saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if room <= chunk.len() {
            break;
        }
    }
}

#[cfg(test)]
mod tests;
