//! What the person who waits for a message is told.

use otpost_domain::contact::Locale;
use otpost_domain::ids::MessageId;
use otpost_domain::message::Waiting;
use otpost_edge::auth::Authenticated;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::{Clock as _, MessageRef, MessageStore as _, Ports};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ROUTES;

/// Where a message is, for the person who waits for it. No gateway is named, and no provider.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "MessageStatus")]
pub(crate) struct StatusView {
    /// `on_its_way`, `sent`, `delivered`, `trying_next` (one way did not bring it in time, it takes another),
    /// `delayed` (nothing is under way just now), `not_delivered` or `ended` (it is no longer good).
    status: &'static str,
    /// The same for the person, in short sentences, with what they may do.
    text: String,
    /// By which channel it was sent, or is being sent: email or sms.
    channel: &'static str,
    /// The recipient on that channel, masked.
    recipient: String,
    /// How long it has been there, in seconds.
    seconds_since: u64,
    /// The next try, if one is certain unless there is good news before.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<NextView>,
    /// What the person may do: wait, look, `ask_again` or `ask_helpdesk`.
    advice: &'static str,
}

/// The next try.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "NextTry")]
struct NextView {
    /// By which channel, where that is certain: email or sms.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    /// In how many seconds.
    in_seconds: u64,
}

impl StatusView {
    pub(crate) fn new(waiting: Waiting, locale: &Locale) -> Self {
        Self {
            status: waiting.state.as_str(),
            text: waiting.told(locale),
            channel: waiting.channel.as_str(),
            seconds_since: waiting.since.as_secs(),
            next: waiting.next.map(|next| NextView {
                channel: next.channel.map(otpost_domain::message::Channel::as_str),
                in_seconds: next.after.as_secs(),
            }),
            advice: waiting.advice.as_str(),
            recipient: waiting.recipient,
        }
    }
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    const MISSING: &str = "There is no message of this id.";
    // Before anything is looked at: whoever has shown nothing yet is not to learn what was sent where.
    if !matches!(call.authenticated()?, Authenticated::Tenant(key) if key.after_first_factor) {
        return Err(Problem::new(
            ProblemType::FirstFactorRequired,
            "This is for keys that are marked after_first_factor, whose callers ask only for people who have shown a \
             first factor.",
        ));
    }
    let id: MessageId = call.named("message", MISSING)?;
    let locale = call.query("locale").map(|tag| field::<Locale, _>("locale", &tag)).transpose()?;
    let reference = MessageRef { tenant: call.caller()?.tenant, id };
    let found = ports.store().message(&reference).await?;
    let message = found.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &StatusView::new(message.waiting(ports.clock().now()), &locale.unwrap_or_default()))
}

pub(crate) fn describe(document: &mut Document) {
    let asked = document.named(&ROUTES, "getMessageStatus").query(
        "locale",
        false,
        "The language of the text (BCP 47): German for de and its kin, English for every other and without it.",
    );
    asked.answers::<StatusView>(200, "Where the message is.").fails(&[
        ProblemType::InvalidRequest,
        ProblemType::FirstFactorRequired,
        ProblemType::NotFound,
    ]);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lambda_http::{Body, http::StatusCode};
    use otpost_domain::apikey::Role;
    use otpost_edge::auth::{KeyRing, NoPlatformKey};
    use otpost_service::memory::MemoryPorts;
    use otpost_service::sample::{hand, key, marked_key, message, sample_world};
    use serde_json::{Value, json};

    use super::*;

    async fn asked(
        ports: &MemoryPorts,
        key: &str,
        message: &str,
        locale: Option<&str>,
    ) -> (StatusCode, Value) {
        let path = format!("/v1/messages/{message}/status");
        let query = locale.map_or_else(|| json!({}), |locale| json!({ "locale": locale }));
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path,
            "rawQueryString": locale.map(|locale| format!("locale={locale}")).unwrap_or_default(),
            "headers": { "authorization": format!("Bearer {key}") }, "queryStringParameters": query,
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
                "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            },
            "isBase64Encoded": false,
        });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        let response = crate::handle(ports, &KeyRing::new(NoPlatformKey), request).await;
        let Body::Text(text) = response.body() else { panic!("a document") };
        (response.status(), serde_json::from_str(text).unwrap())
    }

    #[tokio::test]
    async fn who_waits_is_told_how_far_it_is() {
        let ports = sample_world().await;
        hand(&ports).await;
        ports.clock().advance(Duration::from_secs(7));
        let (_, key) = marked_key();
        let (status, told) = asked(&ports, key.expose(), message().as_str(), None).await;
        assert_eq!(
            (status, told),
            (
                StatusCode::OK,
                json!({
                    "status": "on_its_way", "text": "On its way by e-mail.", "channel": "email",
                    "recipient": "j***@e***.org", "seconds_since": 7, "advice": "wait",
                })
            )
        );
        let (_, german) = asked(&ports, key.expose(), message().as_str(), Some("de-AT")).await;
        assert_eq!(german["text"], "Unterwegs per E-Mail.");
    }

    #[tokio::test]
    async fn a_key_without_the_mark_learns_nothing_of_messages() {
        let ports = sample_world().await;
        let (_, key) = key(Role::App);
        let mut told = Vec::new();
        for id in [message().as_str(), "msg_06hhgn2g000000000000000000", "nonsense"] {
            told.push(asked(&ports, key.expose(), id, Some("no_language")).await);
        }
        assert_eq!(told[0].0, StatusCode::FORBIDDEN);
        assert_eq!(told[0].1["type"], "urn:otpost:problem:first-factor-required");
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
    }
}
