//! Pushing a token to its user.

use otpost_domain::ids::Serial;
use otpost_domain::message::Channel;
use otpost_edge::http::{Answer, Call, json};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

/// How to push.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PushOrder {
    /// By which channel: email or sms.
    channel: String,
}

/// A message on its way.
#[derive(JsonSchema, Serialize)]
struct Pushed {
    /// The message's id, to follow it with `GET /v1/messages/{message}`.
    message: String,
    /// The token.
    serial: String,
    /// `queued`.
    status: String,
    /// The recipient, masked.
    recipient: String,
    /// When the link dies (RFC 3339).
    expires_at: String,
}

pub(crate) async fn push(ports: &impl Ports, call: &Call, public_url: &str) -> Answer {
    let order: PushOrder = call.json()?;
    let channel =
        Channel::parse(&order.channel).ok_or_else(|| Problem::field("channel", "must be email or sms"))?;
    let serial: Serial = call.named("serial", "There is no token of this serial.")?;
    let message = otpost_service::push::push(ports, &call.caller()?, &serial, channel, public_url).await?;
    let pushed = Pushed {
        message: message.id.to_string(),
        serial: serial.to_string(),
        status: message.status.as_str().to_owned(),
        recipient: message.recipient,
        expires_at: message.expires_at.rfc3339(),
    };
    json(202, &pushed)
}

pub(crate) fn describe(document: &mut Document) {
    let [.., push] = &ROUTES;
    let pushed = document.operation(push).takes::<PushOrder>();
    pushed.answers::<Pushed>(202, "The message is on record and will be delivered.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::Busy,
    ]);
}
