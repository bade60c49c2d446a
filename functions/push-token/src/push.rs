//! Pushing a token to its user.

use otpost_domain::apikey::Role;
use otpost_domain::authorization::AuthorizationMode;
use otpost_domain::ids::Serial;
use otpost_domain::message::Channel;
use otpost_edge::auth::Authenticated;
use otpost_edge::http::{Answer, Call, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::push::{Order, Pushed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

/// How to push.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PushOrder {
    /// By which channel, and no other: email or sms. By policy unless given, with the next channel behind it where policy
    /// says `channel_fallback`.
    channel: Option<String>,
    /// How the authorization code gets to the user, without which the link enrols nothing.
    /// By policy unless given. `other_channel_or_operator`: another way than the link. Otpost does not send it by a second
    /// channel yet, so it stands in this answer, to be passed on. `same_message`: in the message with the link. `none`: the link alone enrols. Only
    /// operators and admins may choose the last two.
    authorization: Option<String>,
}

/// A message on its way.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Pushed")]
struct PushedView {
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
    /// The authorization code, to be given to the user another way than the link: by telephone or in person.
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_code: Option<String>,
}

impl From<&Pushed> for PushedView {
    fn from(pushed: &Pushed) -> Self {
        let message = &pushed.message;
        Self {
            message: message.id.to_string(),
            serial: message.serial.as_ref().map(Serial::to_string).unwrap_or_default(),
            status: message.status.as_str().to_owned(),
            recipient: message.recipient.clone(),
            expires_at: message.expires_at.rfc3339(),
            authorization_code: pushed
                .authorization
                .as_ref()
                .map(|code| code.for_people().expose().to_owned()),
        }
    }
}

pub(crate) async fn push(ports: &impl Ports, call: &Call) -> Answer {
    let order: PushOrder = call.json()?;
    let channel = match order.channel.as_deref().map(Channel::parse) {
        None => None,
        Some(channel) => Some(channel.ok_or_else(|| Problem::field("channel", "must be email or sms"))?),
    };
    let serial: Serial = call.named("serial", "There is no token of this serial.")?;
    let authorization = match order.authorization.as_deref().map(AuthorizationMode::parse) {
        None => None,
        Some(mode) => Some(mode.ok_or_else(|| {
            Problem::field("authorization", "must be other_channel_or_operator, same_message or none")
        })?),
    };
    if authorization.is_some_and(|mode| mode != AuthorizationMode::default()) && !may_weaken(call)? {
        let detail = "Only operators and admins may choose how the authorization code travels.";
        return Err(Problem::new(ProblemType::Forbidden, detail));
    }
    let caller = call.caller()?;
    let order = Order { serial, channel, authorization };
    let told = |pushed: &Pushed| reply(202, None, &PushedView::from(pushed));
    once(ports, call, &caller.tenant, &told, async |once| {
        otpost_service::push::push(ports, &caller, &order, once).await
    })
    .await
}

fn may_weaken(call: &Call) -> Result<bool, Problem> {
    Ok(match call.authenticated()? {
        Authenticated::Tenant(key) => matches!(key.role, Role::Operator | Role::Admin),
        Authenticated::Platform => false,
    })
}

pub(crate) fn describe(document: &mut Document) {
    let pushed = document.named(&ROUTES, "pushToken").takes::<PushOrder>().idempotent();
    pushed.answers::<PushedView>(202, "The message is on record and will be delivered.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::Busy,
    ]);
}
