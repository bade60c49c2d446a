//! Twilio's answers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use otpost_domain::template::measure;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::form::Message;

/// How an error is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Shape {
    /// Twilio's own JSON.
    #[default]
    Classic,
    /// The newer JSON of RFC 9457.
    Problem,
    /// What a server in between says.
    Html,
}

/// A refusal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fault {
    pub(super) status: u16,
    /// None where Twilio's code is not known.
    pub(super) code: Option<u32>,
    pub(super) message: &'static str,
    /// How long the client is to wait, in seconds.
    pub(super) after: Option<&'static str>,
    pub(super) shape: Shape,
}

impl Fault {
    pub(super) const fn new(status: u16, code: u32, message: &'static str) -> Self {
        Self { status, code: Some(code), message, after: None, shape: Shape::Classic }
    }

    pub(super) fn response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let Self { code, message, .. } = self;
        let about = code.map(|code| format!("https://www.twilio.com/docs/errors/{code}"));
        let mut response = match self.shape {
            Shape::Classic => written(
                status,
                &json!({ "code": code, "message": message, "more_info": about, "status": self.status }),
            ),
            Shape::Problem => written(
                status,
                &json!({ "type": about, "title": message, "status": self.status, "code": code, "detail": message }),
            ),
            Shape::Html => {
                (status, axum::response::Html(format!("<html><h1>{message}</h1></html>"))).into_response()
            }
        };
        let headers = response.headers_mut();
        if let Some(after) = self.after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(after));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"Twilio API\""));
        }
        response
    }
}

/// The resource that a message became.
pub(super) fn created(sid: &str, account: &str, message: &Message, at: u64) -> Response {
    let date = i64::try_from(at).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let date = date.and_then(|date| date.format(&Rfc2822).ok());
    let uri = format!("/2010-04-01/Accounts/{account}/Messages/{sid}");
    let service = message.service.is_some();
    // A service has not chosen its sender yet, so the parts are not counted either.
    let parts = if service { 0 } else { measure(&message.body).parts };
    let resource: Value = json!({
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": message.body,
        "date_created": date,
        "date_sent": null,
        "date_updated": date,
        "direction": "outbound-api",
        "error_code": null,
        "error_message": null,
        "from": message.from,
        "messaging_service_sid": message.service,
        "num_media": "0",
        "num_segments": parts.to_string(),
        "price": null,
        "price_unit": "USD",
        "sid": sid,
        "status": if service { "accepted" } else { "queued" },
        "subresource_uris": { "media": format!("{uri}/Media.json") },
        "to": message.to,
        "uri": format!("{uri}.json"),
    });
    written(StatusCode::CREATED, &resource)
}

fn written(status: StatusCode, json: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json;charset=utf-8")], json.to_string()).into_response()
}
