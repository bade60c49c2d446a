//! What stand-ins tell of the texts that they took: when, of what, and what was answered.
//!
//! Both stand-ins are told in the same way what is to become of texts, at `/local/receipts` of their own address:
//!
//! | request | what it does |
//! |---|---|
//! | `PUT {"fate": "silent"}` | so it goes with all texts |
//! | `PUT {"fate": "silent", "sender": "AC…"}` | so with those of an account of Twilio's, or of a service of Notify's |
//! | `PUT {"fate": "silent", "to": "+447700900123"}` | so with those to a number; this goes before the others |
//! | `PUT {"fate": null, …}` | forgets what was said of them |
//! | `GET` | what was told so far, and what was answered to it |
//!
//! Nobody but this machine is ever told: a call-back to another host than 127.0.0.1 is left out.

use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use reqwest::{RequestBuilder, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::proxy;

/// Where a stand-in is told what is to become of texts.
pub const CONTROL: &str = "/local/receipts";

/// What becomes of a text that was taken.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It arrives, and a receipt says so.
    Delivered,
    /// The same, only that both come late.
    Late,
    /// It does not arrive, and a receipt says so.
    Undelivered,
    /// It does not arrive, and there is no receipt.
    Silent,
    /// It arrives, and each receipt comes twice.
    Twice,
    /// It arrives, and what happened first is told last.
    OutOfOrder,
}

impl Fate {
    /// Whether the text arrives in time.
    pub(super) const fn arrives(self) -> bool {
        matches!(self, Self::Delivered | Self::Twice | Self::OutOfOrder)
    }
}

/// How fast things go.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// From one receipt to the next.
    pub step: Duration,
    /// How late what is late comes.
    pub late: Duration,
    /// From a receipt that was not taken to the next try.
    pub again: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            step: Duration::from_millis(300),
            late: Duration::from_secs(12),
            again: Duration::from_secs(2),
        }
    }
}

/// A receipt that was sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Told {
    /// The stand-in's id of the text.
    pub id: String,
    /// What was told of it, in the provider's word.
    pub status: String,
    /// The status of the answer; none where there was no answer.
    pub answered: Option<u16>,
}

/// Says what becomes of the texts of a stand-in.
///
/// # Errors
/// The stand-in at `url` does not answer, or refuses.
pub async fn decide(url: &str, fate: Option<Fate>, sender: Option<&str>) -> anyhow::Result<()> {
    let body = json!({ "fate": fate, "sender": sender });
    proxy::client().put(format!("{url}{CONTROL}")).json(&body).send().await?.error_for_status()?;
    Ok(())
}

/// One rule of what becomes of texts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    fate: Option<Fate>,
    #[serde(default)]
    sender: Option<String>,
    #[serde(default)]
    to: Option<String>,
}

impl Rule {
    fn is_about_the_same(&self, other: &Self) -> bool {
        (&self.sender, &self.to) == (&other.sender, &other.to)
    }

    /// How closely it fits a text, if it does: who is nearer to the recipient goes first.
    fn fits(&self, sender: &str, to: &str) -> Option<u8> {
        let fits = |wanted: &Option<String>, own| wanted.as_deref().is_none_or(|wanted| wanted == own);
        let weight = u8::from(self.to.is_some()) * 2 + u8::from(self.sender.is_some());
        (fits(&self.sender, sender) && fits(&self.to, to)).then_some(weight)
    }
}

/// The receipts of one stand-in. Every clone is the same.
#[derive(Clone, Debug)]
pub(super) struct Receipts {
    pub(super) pace: Pace,
    pub(super) teller: Teller,
    rules: Arc<Mutex<Vec<Rule>>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Receipts {
    pub(super) fn new(pace: Pace) -> Self {
        let teller = Teller { client: proxy::client(), told: Arc::default() };
        Self { pace, teller, rules: Arc::default(), tasks: Arc::default() }
    }

    /// What was decided of a text of `sender` to the number `to`, if anything was.
    pub(super) fn decided(&self, sender: &str, to: &str) -> Option<Fate> {
        let rules = locked(&self.rules);
        let fitting = rules.iter().filter_map(|rule| Some((rule.fits(sender, to)?, rule.fate?)));
        fitting.max_by_key(|(weight, _)| *weight).map(|(_, fate)| fate)
    }

    /// Does something beside the answer. It ends with the stand-in.
    pub(super) fn later(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = locked(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    /// Answers a request to [`CONTROL`].
    pub(super) fn control(&self, method: &Method, body: &[u8]) -> Response {
        match *method {
            Method::GET => answer(StatusCode::OK, &json!({ "told": self.teller.told() })),
            Method::PUT => match serde_json::from_slice::<Rule>(body) {
                Ok(rule) => {
                    let mut rules = locked(&self.rules);
                    rules.retain(|kept| !kept.is_about_the_same(&rule));
                    rules.extend(rule.fate.is_some().then_some(rule));
                    StatusCode::NO_CONTENT.into_response()
                }
                Err(error) => answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
            },
            _ => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, PUT")]).into_response(),
        }
    }

    /// Ends all that is still to be told.
    pub(super) fn end(&self) {
        locked(&self.tasks).abort_all();
    }
}

/// Who tells.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    pub(super) client: reqwest::Client,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Teller {
    /// Sends a receipt, and gives the status of the answer.
    pub(super) async fn tell(&self, id: &str, status: &str, request: RequestBuilder) -> Option<u16> {
        let answered = request.send().await.ok().map(|answer| answer.status().as_u16());
        locked(&self.told).push(Told { id: id.to_owned(), status: status.to_owned(), answered });
        answered
    }

    /// What was told so far.
    pub(super) fn told(&self) -> Vec<Told> {
        locked(&self.told).clone()
    }
}

/// Whether a URL is one of this machine: no stand-in ever calls anybody else.
pub(super) fn is_local(url: &str) -> bool {
    let local = Ipv4Addr::LOCALHOST.to_string();
    Url::parse(url).is_ok_and(|url| url.scheme() == "http" && url.host_str() == Some(&local))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::TcpListener;

    use axum::extract::Request;
    use axum::http::HeaderMap;

    use super::*;
    use crate::host;
    use crate::ports;

    /// What somebody is told who answers one status after the other, and the last one for ever.
    #[derive(Clone)]
    pub(in crate::providers) struct Ear {
        pub(in crate::providers) url: String,
        heard: Arc<Mutex<Vec<(HeaderMap, String)>>>,
        _serving: Arc<proxy::Serving>,
    }

    impl Ear {
        pub(in crate::providers) fn answering(statuses: &[u16]) -> Self {
            let listener: TcpListener = ports::listen(None).unwrap();
            let url = format!("{}/told?a=1&b=2", ports::url(listener.local_addr().unwrap().port()));
            let heard: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
            let (kept, statuses) = (Arc::clone(&heard), statuses.to_vec());
            let serving = proxy::serve(listener, move |request: Request| {
                let (kept, statuses) = (Arc::clone(&kept), statuses.clone());
                async move {
                    let (parts, body) = request.into_parts();
                    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                    let mut kept = kept.lock().unwrap();
                    let status = statuses[kept.len().min(statuses.len() - 1)];
                    kept.push((parts.headers, String::from_utf8(body.to_vec()).unwrap()));
                    StatusCode::from_u16(status).unwrap().into_response()
                }
            });
            Self { url, heard, _serving: Arc::new(serving.unwrap()) }
        }

        /// Headers and bodies, once there are as many.
        pub(in crate::providers) async fn heard(&self, count: usize) -> Vec<(HeaderMap, String)> {
            for _ in 0..200 {
                let heard = self.heard.lock().unwrap().clone();
                if heard.len() >= count {
                    return heard;
                }
                host::pause(Duration::from_millis(10)).await;
            }
            panic!("only {} of {count}", self.heard.lock().unwrap().len());
        }

        /// What was heard when nothing more is to come.
        pub(in crate::providers) async fn in_the_end(&self) -> usize {
            host::pause(Duration::from_millis(300)).await;
            self.heard.lock().unwrap().len()
        }
    }

    pub(in crate::providers) const QUICK: Pace = Pace {
        step: Duration::from_millis(20),
        late: Duration::from_millis(600),
        again: Duration::from_millis(20),
    };

    #[test]
    fn only_this_machine_is_told() {
        assert!(is_local("http://127.0.0.1:8400/receipts/twilio/acme"));
        for url in [
            "https://127.0.0.1/",
            "http://127.0.0.2/",
            "http://localhost/",
            "http://127.0.0.1.example.org/",
            "http://127.0.0.1@example.org/",
            "https://otp.example.org/receipts",
            "nonsense",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }

    #[tokio::test]
    async fn the_nearest_rule_decides() {
        let receipts = Receipts::new(QUICK);
        let put = |body: Value| receipts.control(&Method::PUT, body.to_string().as_bytes()).status();
        assert_eq!(receipts.decided("AC1", "+44"), None);
        assert_eq!(put(json!({ "fate": "late" })), StatusCode::NO_CONTENT);
        assert_eq!(put(json!({ "fate": "twice", "to": "+44" })), StatusCode::NO_CONTENT);
        assert_eq!(put(json!({ "fate": "silent", "sender": "AC1" })), StatusCode::NO_CONTENT);
        let decided = |sender, to| receipts.decided(sender, to);
        assert_eq!(decided("AC2", "+41"), Some(Fate::Late));
        assert_eq!(decided("AC1", "+41"), Some(Fate::Silent));
        assert_eq!(decided("AC1", "+44"), Some(Fate::Twice));
        assert_eq!(put(json!({ "fate": "undelivered", "to": "+44" })), StatusCode::NO_CONTENT);
        assert_eq!(decided("AC2", "+44"), Some(Fate::Undelivered), "the newer one");
        assert_eq!(put(json!({ "fate": null, "to": "+44" })), StatusCode::NO_CONTENT);
        assert_eq!(decided("AC1", "+44"), Some(Fate::Silent));
        for odd in [json!({ "fate": "lost" }), json!({ "fate": "late", "number": "+44" }), json!([])] {
            assert_eq!(put(odd), StatusCode::BAD_REQUEST);
        }
        assert_eq!(receipts.control(&Method::DELETE, b"").status(), StatusCode::METHOD_NOT_ALLOWED);
    }
}
