//! A stand-in for GOV.UK Notify: it is asked, refuses and answers as Notify's API for texts does, and what it takes
//! arrives on the [phone](crate::phone).
//!
//! What decides here and not over there:
//!
//! - Any UUID is a template `((message))`, except [`TEMPLATE_CODE`], [`TEMPLATE_EMAIL`], [`TEMPLATE_DELETED`] and
//!   [`TEMPLATE_MISSING`]. Any UUID is a sender of texts, except [`SENDER_MISSING`].
//! - The service's name, [`PREFIX`], stands in front of each text, and texts abroad are allowed.
//! - A text is delivered at once, unless another [fate](Fate) was [decided](crate::providers::receipts) for it. No
//!   number means one by itself; with a test key those of Notify do.
//! - A service calls back where [`GovukNotify::call_back`] or a `PUT` of `{"url", "token"}` at `/local/services/{service}`
//!   says: it POSTs a receipt as Notify does, and again after a while when it is not taken because of a network, 429 or 5xx.
//!   Notify does so every five minutes; here it is every [two seconds](Pace).
//! - A service that was named so is there. Its keys are those of the first one with its own id: [`key_of`].
//! - Nothing is limited: neither requests in a minute nor texts in a day.

mod door;
mod form;
mod numbers;
mod receipt;
mod refusal;
mod render;
mod store;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::receipts::{CONTROL, Fate, Pace, Receipts, Told};
use crate::host;
use crate::phone::{Phone, Text};
use crate::proxy::{Serving, client, serve};
use form::{Form, is_uuid};
use numbers::Number;
use receipt::Plan;
use refusal::Refusal;
use render::{PREFIX_SEPARATOR, Template};
use store::{Row, Store, uuid};

/// The service that is always there.
pub const SERVICE: &str = "6b1f0c52-3f0e-4d6b-9a57-2f1d8c3e4b5a";
/// A live key: its texts arrive.
pub const LIVE_KEY: &str =
    "otpost-local-6b1f0c52-3f0e-4d6b-9a57-2f1d8c3e4b5a-0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a";
/// A test key of the same service: its texts are kept and never arrive.
pub const TEST_KEY: &str =
    "otpost-test-6b1f0c52-3f0e-4d6b-9a57-2f1d8c3e4b5a-1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d";
/// A key of the same service for its team alone, in which nobody is.
pub const TEAM_KEY: &str =
    "otpost-team-6b1f0c52-3f0e-4d6b-9a57-2f1d8c3e4b5a-2b3c4d5e-6f7a-4b8c-9d0e-1f2a3b4c5d6e";
/// A key of the same service that was revoked.
pub const REVOKED_KEY: &str =
    "otpost-gone-6b1f0c52-3f0e-4d6b-9a57-2f1d8c3e4b5a-3c4d5e6f-7a8b-4c9d-8e0f-2a3b4c5d6e7f";

/// A template with a place for the code, `((code))`.
pub const TEMPLATE_CODE: &str = "c0de0000-0000-4000-8000-000000000001";
/// A template of mails.
pub const TEMPLATE_EMAIL: &str = "e3a11000-0000-4000-8000-000000000002";
/// A template that was deleted: it can be looked at, and nothing goes by it.
pub const TEMPLATE_DELETED: &str = "de1e7ed0-0000-4000-8000-000000000003";
/// No template.
pub const TEMPLATE_MISSING: &str = "00000000-0000-4000-8000-000000000004";
/// No sender of texts.
pub const SENDER_MISSING: &str = "00000000-0000-4000-8000-000000000005";
/// The name of the service.
pub const PREFIX: &str = "Otpost";

/// From whom texts come.
const FROM: &str = "GOVUK";
const BY: &str = "govuk_notify";
/// A request of a text is much smaller.
const LARGEST: usize = 1 << 20;

/// Whose requests are taken, and what becomes of their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Live,
    Test,
    Team,
    Revoked,
}

impl Kind {
    const ALL: &[(&str, Self)] = &[
        (LIVE_KEY, Self::Live),
        (TEST_KEY, Self::Test),
        (TEAM_KEY, Self::Team),
        (REVOKED_KEY, Self::Revoked),
    ];
}

/// The live key of another service.
#[must_use]
pub fn key_of(service: &str) -> String {
    LIVE_KEY.replace(SERVICE, service)
}

/// Where a service calls back, and what it bears then.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallBack {
    /// The URL; only one of this machine is ever called.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

impl std::fmt::Debug for CallBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallBack(…)")
    }
}

/// A running stand-in.
#[derive(Debug)]
pub struct GovukNotify {
    /// Its base URL.
    pub url: String,
    services: Services,
    receipts: Receipts,
    _serving: Serving,
}

impl Drop for GovukNotify {
    fn drop(&mut self) {
        self.receipts.end();
    }
}

/// The services that are known, and where each calls back.
#[derive(Clone, Debug, Default)]
struct Services(Arc<Mutex<BTreeMap<String, CallBack>>>);

impl Services {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, CallBack>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, service: &str) -> bool {
        service == SERVICE || self.lock().contains_key(service)
    }

    fn call_back(&self, service: &str) -> Option<CallBack> {
        self.lock().get(service).cloned()
    }
}

impl GovukNotify {
    /// Serves on `listener`; texts arrive on `phone`.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(listener: TcpListener, phone: Phone) -> Result<Self> {
        Self::paced(listener, phone, Pace::default())
    }

    /// The same, telling at another pace.
    ///
    /// # Errors
    /// As above.
    pub fn paced(listener: TcpListener, phone: Phone, pace: Pace) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let (services, receipts) = (Services::default(), Receipts::new(pace));
        let desk =
            Desk { phone, store: Store::default(), services: services.clone(), receipts: receipts.clone() };
        let desk = Arc::new(desk);
        let serving = serve(listener, move |request: Request| {
            let desk = Arc::clone(&desk);
            async move { desk.answer(request).await.unwrap_or_else(Refusal::into_response) }
        })?;
        Ok(Self { url, services, receipts, _serving: serving })
    }

    /// Makes a service known, or says anew where it calls back.
    pub fn call_back(&self, service: &str, call_back: CallBack) {
        self.services.lock().insert(service.to_owned(), call_back);
    }

    /// What was told so far.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.receipts.teller.told()
    }
}

/// Says where a service of the stand-in at `url` calls back. One that is not there yet is made.
///
/// # Errors
/// The stand-in does not answer, or refuses.
pub async fn register(url: &str, service: &str, call_back: &CallBack) -> Result<()> {
    let body = json!({ "url": call_back.url, "token": call_back.token });
    let request = client().put(format!("{url}{SERVICES}{service}")).json(&body);
    request.send().await?.error_for_status()?;
    Ok(())
}

/// Where a service is told where to call back.
const SERVICES: &str = "/local/services/";

struct Desk {
    phone: Phone,
    store: Store,
    services: Services,
    receipts: Receipts,
}

/// Who asks.
struct Caller {
    service: String,
    kind: Kind,
    /// Under which name it reached us, for the links in answers.
    host: String,
}

impl Desk {
    async fn answer(&self, request: Request) -> Result<Response, Refusal> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path.starts_with("/local/") {
            let body = to_bytes(body, LARGEST).await.unwrap_or_default();
            return self.control(&parts.method, path, &body);
        }
        let known = ["/v2/notifications", "/v2/template/"].iter().any(|start| path.starts_with(start));
        if !known {
            return Err(Refusal::no_route());
        }
        let head = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let (service, kind) =
            door::open(head(header::AUTHORIZATION), host::unix_time(), |id| self.services.knows(id))?;
        let host = format!("http://{}", head(header::HOST).unwrap_or_default());
        let caller = Caller { service, kind, host };
        let last = path.rsplit('/').next().unwrap_or_default();
        match (&parts.method, path) {
            (&Method::POST, "/v2/notifications/sms") => {
                let body = to_bytes(body, LARGEST).await.unwrap_or_default();
                self.take(&caller, &body)
            }
            (&Method::POST, "/v2/notifications/email" | "/v2/notifications/letter") => {
                Err(Refusal::bad_request("Service is not allowed to send this"))
            }
            (&Method::GET, "/v2/notifications") => Ok(self.list(&caller, &parts.uri)),
            (&Method::GET, _) if path == format!("/v2/notifications/{last}") => {
                id(last, "notification_id")?;
                let row = self.store.find(|row| row.service == caller.service && row.id == last);
                row.map(|row| json(200, &row.told(&caller.host))).ok_or_else(Refusal::no_result)
            }
            (&Method::GET, _) if path == format!("/v2/template/{last}") => {
                id(last, "id")?;
                let template = Template::of(last).ok_or_else(Refusal::no_result)?;
                Ok(json(200, &template.told()))
            }
            _ => Err(Refusal::no_route()),
        }
    }

    /// Takes what only this stand-in can be told.
    fn control(&self, method: &Method, path: &str, body: &[u8]) -> Result<Response, Refusal> {
        match path.strip_prefix(SERVICES) {
            Some(service) if *method == Method::PUT && is_uuid(service) => {
                let invalid = |_| Refusal::bad_request("a service calls back to a url with a token");
                let call_back = serde_json::from_slice(body).map_err(invalid)?;
                self.services.lock().insert(service.to_ascii_lowercase(), call_back);
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            None if path == CONTROL => Ok(self.receipts.control(method, body)),
            _ => Err(Refusal::no_route()),
        }
    }

    fn take(&self, caller: &Caller, body: &[u8]) -> Result<Response, Refusal> {
        let form = Form::read(body)?;
        let template =
            Template::of(&form.template_id).ok_or_else(|| Refusal::bad_request("Template not found"))?;
        let body = template.fill(&form.personalisation)?;
        if form.sms_sender_id.as_deref() == Some(SENDER_MISSING) {
            let message = format!(
                "sms_sender_id {SENDER_MISSING} does not exist in database for service id {}",
                caller.service
            );
            return Err(Refusal::bad_request(&message));
        }
        if caller.kind == Kind::Team {
            return Err(Refusal::bad_request(
                "Can\u{2019}t send to this recipient using a team-only API key",
            ));
        }
        let number = Number::read(&form.phone_number)?;
        let plan = if caller.kind == Kind::Test {
            Plan::rehearsed(number.rehearsed())
        } else {
            let fate = self.receipts.decided(&caller.service, &number.international());
            Plan::of(fate.unwrap_or(Fate::Delivered))
        };
        let row = Row {
            id: uuid(),
            service: caller.service.clone(),
            reference: form.reference,
            number: form.phone_number,
            template: template.id,
            body,
            status: plan.status,
            at: host::unix_time(),
        };
        let answer = json(201, &taken(&row, &caller.host));
        if !number.is_smoke() {
            let text = (caller.kind == Kind::Live).then(|| Text {
                to: number.international(),
                from: FROM.to_owned(),
                body: format!("{PREFIX}{PREFIX_SEPARATOR}{}", row.body),
                by: BY,
                at: row.at,
            });
            self.store.keep(row.clone());
            self.follow(row, &plan, text);
        }
        Ok(answer)
    }

    /// Lets a text arrive, and tells what becomes of it.
    fn follow(&self, row: Row, plan: &Plan, text: Option<Text>) {
        let late = match text {
            Some(text) if plan.late => Some(text),
            Some(text) if plan.arrives => {
                self.phone.receive(text);
                None
            }
            _ => None,
        };
        let call_back = self.services.call_back(&row.service);
        let news =
            receipt::News { row, late, call_back, store: self.store.clone(), phone: self.phone.clone() };
        let (teller, pace) = (self.receipts.teller.clone(), self.receipts.pace);
        self.receipts.later(news.follow(teller, pace, plan.tells));
    }

    fn list(&self, caller: &Caller, uri: &Uri) -> Response {
        let current = format!("{}{uri}", caller.host);
        let wanted = |name: &str| -> Option<String> {
            let url = reqwest::Url::parse(&current).ok()?;
            url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
        };
        let (reference, kind) = (wanted("reference"), wanted("template_type"));
        let rows = self.store.all(|row| {
            row.service == caller.service
                && reference.as_ref().is_none_or(|reference| row.reference.as_ref() == Some(reference))
                && kind.as_ref().is_none_or(|kind| kind == "sms")
        });
        let rows: Vec<Value> = rows.iter().map(|row| row.told(&caller.host)).collect();
        json(200, &json!({ "notifications": rows, "links": { "current": current } }))
    }
}

fn id(text: &str, name: &str) -> Result<(), Refusal> {
    if is_uuid(text) { Ok(()) } else { Err(Refusal::invalid(&[format!("{name} is not a valid UUID")])) }
}

fn taken(row: &Row, host: &str) -> Value {
    json!({
        "id": row.id,
        "reference": row.reference,
        "content": { "body": row.body, "from_number": FROM },
        "uri": format!("{host}/v2/notifications/{}", row.id),
        "template": row.template(host),
        "scheduled_for": null,
    })
}

fn json(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

#[cfg(test)]
mod tests;
