//! The log of messages: where each is, and why one did not arrive.

use otpost_domain::ids::{MessageId, Serial, UserId};
use otpost_domain::message::{GatewayName, Hop, HopState, Message};
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::{MessageRef, MessageStore as _, Ports};
use schemars::JsonSchema;
use serde::Serialize;

use crate::ROUTES;

/// A message and its way so far.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Message")]
struct MessageView {
    /// Its id.
    message: String,
    /// The user whom it is for; none for a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// The token that it tells of.
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    /// What it is for: a kind of template, such as `push_token`.
    purpose: String,
    /// Whether it is a test.
    test: bool,
    /// How it travels: email or sms.
    channel: String,
    /// The recipient, masked.
    recipient: String,
    /// queued, sending, sent, delivered, undelivered, failed, expired or cancelled.
    status: String,
    /// Why it ended badly, or what it is held for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Its last hops, in order: each one request to one provider.
    hops: Vec<HopView>,
    /// When it was made (RFC 3339).
    created_at: String,
    /// When it is no longer worth sending (RFC 3339).
    expires_at: String,
}

/// One request to one gateway's provider.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Hop")]
struct HopView {
    /// 1 for the first.
    number: u16,
    /// The gateway; left out for the deployment's own Amazon SES.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// Whose the gateway is: `tenant` or `platform`.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'static str>,
    /// The sender function that talks to the provider: `ses`, `smtp`, `twilio` or `govuk_notify`.
    sender: &'static str,
    /// `handed`, `claimed` or `accepted`; or how it ended: `retry`, `recipient_bad`, `content_bad`, `configuration_bad`,
    /// `quota_gone` or `unknown`.
    state: &'static str,
    /// When its sender was asked, or is to be (RFC 3339).
    handed_at: String,
    /// The provider's id of the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    /// Why it ended without being accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What the provider said, line by line, without secrets, codes and addresses. Not of a gateway that the platform
    /// lends, and not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
    /// When it ended (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
}

/// A page of messages.
#[derive(JsonSchema, Serialize)]
struct Messages {
    /// The messages, newest first.
    messages: Vec<MessageView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Message> for MessageView {
    fn from(message: &Message) -> Self {
        Self {
            message: message.id.to_string(),
            user: message.user.as_ref().map(UserId::to_string),
            serial: message.serial.as_ref().map(Serial::to_string),
            purpose: message.purpose.as_str().to_owned(),
            test: message.test,
            channel: message.channel.as_str().to_owned(),
            recipient: message.recipient.clone(),
            status: message.status.as_str().to_owned(),
            reason: message.reason.clone(),
            hops: message.hops.iter().map(HopView::from).collect(),
            created_at: message.created_at.rfc3339(),
            expires_at: message.expires_at.rfc3339(),
        }
    }
}

impl MessageView {
    /// Without what providers said: a page of that would be too long.
    fn in_list(mut self) -> Self {
        self.hops.iter_mut().for_each(|hop| hop.said.clear());
        self
    }
}

impl From<&Hop> for HopView {
    fn from(hop: &Hop) -> Self {
        let (provider_id, ended) = match &hop.state {
            HopState::Handed | HopState::Claimed { .. } => (None, None),
            HopState::Accepted { provider_id, at } => (Some(provider_id.clone()), Some(*at)),
            HopState::Ended { at, .. } => (None, Some(*at)),
        };
        let named = hop.via.gateway.as_ref();
        let lent = |named: &GatewayName| named.owner.tenant().is_none();
        Self {
            number: hop.number,
            gateway: named.map(|named| named.id.to_string()),
            owner: named.map(|named| if lent(named) { "platform" } else { "tenant" }),
            sender: hop.via.sender.as_str(),
            state: hop.state.as_str(),
            // What is lent speaks of its owner: of hosts and accounts that are no tenant's business.
            said: if named.is_some_and(lent) { Vec::new() } else { hop.said.clone() },
            handed_at: hop.handed_at.rfc3339(),
            provider_id,
            reason: hop.reason().map(str::to_owned),
            ended_at: ended.map(Timestamp::rfc3339),
        }
    }
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let user = call.query("user").ok_or_else(|| Problem::field("user", "must be given: ?user=…"))?;
    let user: UserId = field("user", &user)?;
    let list = Listing::of(call, user.as_str())?;
    let request = list.requested(call)?;
    if request.after.as_deref().is_some_and(|after| MessageId::try_from(after).is_err()) {
        return Err(Problem::field("cursor", "must be the next of the page before, unchanged"));
    }
    let page = ports.store().messages_of(&call.caller()?.tenant, &user, &request).await?;
    let messages = page.items.iter().map(|message| MessageView::from(message).in_list()).collect();
    json(200, &Messages { messages, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    const MISSING: &str = "There is no message of this id.";
    let reference = MessageRef { tenant: call.caller()?.tenant, id: call.named("message", MISSING)? };
    let found = ports.store().message(&reference).await?;
    let message = found.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &MessageView::from(&message))
}

pub(crate) fn describe(document: &mut Document) {
    let listed = document.named(&ROUTES, "listMessages").query("user", true, "Whose messages.").paged();
    listed.answers::<Messages>(200, "A page of messages.").fails(&[ProblemType::InvalidRequest]);
    document
        .named(&ROUTES, "getMessage")
        .answers::<MessageView>(200, "The message.")
        .fails(&[ProblemType::NotFound]);
}
