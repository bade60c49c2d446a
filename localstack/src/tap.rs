//! The wire tap between the functions and the emulator: it counts requests and changes nothing.
//!
//! Functions know only the tap's address. `SendEmail` goes on to the mail viewer, because the emulator's own
//! SES drops the inline QR code; everything else goes on to the emulator. The [third party](crate::third_party) sees the
//! mails that the viewer took, and mails to Amazon's mailbox simulator have [the events](crate::ses) that they have there.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::Value;

use crate::aws::Aws;
use crate::counts::{Counts, function, operation};
use crate::host;
use crate::proxy::{Serving, client, forward, serve};
use crate::ses::{self, SesMail};
use crate::third_party::ThirdParty;

/// SES's `SendEmail`.
pub(crate) const SEND_EMAIL: &str = "/v2/email/outbound-emails";
/// SES takes 40 MB.
pub(crate) const LARGEST_MAIL: usize = 40 << 20;

/// A running tap.
#[derive(Debug)]
pub struct Tap {
    /// Where functions send their AWS calls.
    pub url: String,
    counts: Counts,
    mails: RawMails,
    taken: TakenMails,
    upstream: Arc<OnceLock<Upstream>>,
    _serving: Serving,
}

#[derive(Clone, Debug)]
struct Upstream {
    emulator: String,
    viewer: String,
}

impl Upstream {
    fn of(&self, path: &str) -> &str {
        if path == SEND_EMAIL { &self.viewer } else { &self.emulator }
    }
}

impl Tap {
    /// Serves on `listener`; answers 503 until [`Tap::open`].
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(listener: TcpListener, third_party: ThirdParty) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let (counts, upstream) = (Counts::default(), Arc::new(OnceLock::<Upstream>::new()));
        let (counted, shared, client) = (counts.clone(), Arc::clone(&upstream), client());
        let (mails, taken) = (RawMails::default(), TakenMails::default());
        let (kept, known) = (mails.clone(), taken.clone());
        let serving = serve(listener, move |request: Request| {
            count(&counted, &request);
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let upstream = shared.get().cloned();
            let url =
                upstream.as_ref().map(|upstream| format!("{}{path}", upstream.of(request.uri().path())));
            let client = client.clone();
            let (kept, known, third_party) = (kept.clone(), known.clone(), third_party.clone());
            async move {
                let (Some(url), Some(upstream)) = (url, upstream) else {
                    return StatusCode::SERVICE_UNAVAILABLE.into_response();
                };
                // The signature covers the host, and queue URLs are made from it.
                if request.uri().path() != SEND_EMAIL {
                    return forward(&client, request, &url, true).await;
                }
                let (request, call, mail) = kept.keep(request).await;
                let response = forward(&client, request, &url, true).await;
                if !response.status().is_success() {
                    return response;
                }
                if let Some(mail) = mail {
                    third_party.read(&mail);
                }
                let (response, mail) = known.keep(&call, response).await;
                if let Some(mail) = mail {
                    tokio::spawn(simulate(upstream.emulator, mail));
                }
                response
            }
        })?;
        Ok(Self { url, counts, mails, taken, upstream, _serving: serving })
    }

    /// Hands requests on from now on.
    pub fn open(&self, emulator: &str, viewer: &str) {
        self.upstream.get_or_init(|| Upstream { emulator: emulator.to_owned(), viewer: viewer.to_owned() });
    }

    /// The MIME of every mail that went by, oldest first.
    #[must_use]
    pub fn raw_mails(&self) -> Vec<Vec<u8>> {
        self.mails.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest mail of a message that was taken, if there is one.
    #[must_use]
    pub fn mail_of(&self, message: &str) -> Option<SesMail> {
        let taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.iter().rev().find(|mail| mail.is_of(message)).cloned()
    }

    /// The counters.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The MIME of the mails that went by, as it stood in the requests.
#[derive(Clone, Debug, Default)]
struct RawMails(Arc<Mutex<Vec<Vec<u8>>>>);

impl RawMails {
    /// Keeps the mail of a `SendEmail` request; gives the request back, what it asks for, and the mail if there is one.
    async fn keep(&self, request: Request) -> (Request, Value, Option<Vec<u8>>) {
        let (parts, body) = request.into_parts();
        let bytes = axum::body::to_bytes(body, LARGEST_MAIL).await.unwrap_or_default();
        let call: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let data = call.pointer("/Content/Raw/Data").and_then(Value::as_str);
        let raw = data.and_then(|data| BASE64.decode(data.as_bytes()).ok());
        if let Some(raw) = &raw {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(raw.clone());
        }
        (Request::from_parts(parts, bytes.into()), call, raw)
    }
}

/// The mails that were taken, as far as events tell of them.
#[derive(Clone, Debug, Default)]
struct TakenMails(Arc<Mutex<Vec<SesMail>>>);

impl TakenMails {
    /// Keeps what was asked for; gives the answer back, and the mail.
    async fn keep(&self, call: &Value, response: Response) -> (Response, Option<SesMail>) {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, LARGEST_MAIL).await.unwrap_or_default();
        let mail = SesMail::of(call, &serde_json::from_slice(&bytes).unwrap_or_default());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(mail.clone());
        (Response::from_parts(parts, bytes.into()), mail)
    }
}

/// Tells what the mailbox simulator does with a mail to it. Whoever waits for it sees that a failure told nothing.
async fn simulate(emulator: String, mail: SesMail) {
    let aws = Aws::at(&emulator);
    for news in mail.simulated() {
        // The sender has its answer first, as a rule: SES is not as fast as this.
        host::pause(BETWEEN_EVENTS).await;
        if let Err(error) = ses::tell(&aws, &mail.event(*news)).await {
            eprintln!("Amazon SES's events tell nothing: {error:#}");
        }
    }
}

/// How long SES takes from one event of a mail to the next.
const BETWEEN_EVENTS: Duration = Duration::from_millis(300);

fn count(counts: &Counts, request: &Request) {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let agent = header("x-amz-user-agent").or_else(|| header("user-agent")).unwrap_or_default();
    let operation = operation(header("x-amz-target"), request.method().as_str(), request.uri().path());
    counts.add(function(agent), operation);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::phone::Phone;

    fn named(name: &'static str) -> (String, Serving) {
        let listener = crate::ports::listen(None).unwrap();
        let url = crate::ports::url(listener.local_addr().unwrap().port());
        let serving = serve(listener, move |request: Request| async move {
            let body = axum::body::to_bytes(request.into_body(), 1 << 24).await.unwrap();
            format!("{name} {}", body.len()).into_response()
        });
        (url, serving.unwrap())
    }

    #[tokio::test]
    async fn the_tap_counts_at_the_same_time_and_routes_mail_to_the_viewer() {
        let (emulator, _emulator) = named("emulator");
        let (viewer, _viewer) = named("viewer");
        let phone = Phone::default();
        let tap = Tap::start(crate::ports::listen(None).unwrap(), ThirdParty::new(phone.clone())).unwrap();
        tap.open(&emulator, &viewer);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let call = client()
                .post(&tap.url)
                .header("x-amz-target", "DynamoDB_20120810.Query")
                .body(vec![b'x'; 100_000]);
            calls.spawn(async move { call.send().await.unwrap().text().await.unwrap() });
        }
        while let Some(answer) = calls.join_next().await {
            assert_eq!(answer.unwrap(), "emulator 100000");
        }
        let mail = client().post(format!("{}{SEND_EMAIL}", tap.url)).body("{}").send().await.unwrap();
        assert_eq!(mail.text().await.unwrap(), "viewer 2");

        let counts = tap.counts().reset();
        assert_eq!(counts.get("DynamoDB_20120810.Query"), Some(&40));
        assert_eq!(counts.get("POST /v2/email/outbound-emails"), Some(&1));
        assert!(tap.counts().read().is_empty());
        assert_eq!(phone.texts(), []);
    }

    #[tokio::test]
    async fn the_third_party_sees_the_mails_that_the_viewer_took() {
        let mime = b"From: a@example.org\r\nTo: 447700900123@sms.example.net\r\n\r\nhello\r\n";
        let call = format!(r#"{{"Content":{{"Raw":{{"Data":"{}"}}}}}}"#, BASE64.encode(mime));
        let (viewer, _viewer) = named("viewer");
        let nobody = crate::ports::url(crate::ports::pick(None).unwrap());
        for (viewer, texts) in [(&viewer, 1), (&nobody, 0)] {
            let phone = Phone::default();
            let tap =
                Tap::start(crate::ports::listen(None).unwrap(), ThirdParty::new(phone.clone())).unwrap();
            tap.open(&nobody, viewer);
            client().post(format!("{}{SEND_EMAIL}", tap.url)).body(call.clone()).send().await.unwrap();
            assert_eq!((phone.texts().len(), tap.raw_mails()), (texts, vec![mime.to_vec()]));
        }
    }
}
