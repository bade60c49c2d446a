//! A message as it is shown.

use otpost_domain::ids::{Serial, UserId};
use otpost_domain::message::{Channel, GatewayName, Hop, HopState, Line, Message};
use otpost_domain::time::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A message and its way so far.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Message")]
pub(super) struct MessageView {
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
    /// The country of the recipient's number, two letters, where the number tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// How it travels once no route of its first channel is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback: Option<FallbackView>,
    /// queued, sending, sent, delivered, undelivered, failed, expired or cancelled.
    status: String,
    /// Why it ended badly, or what it is held for.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Its last hops, in order: each one request to one provider.
    hops: Vec<HopView>,
    /// What happened to it, in the order of time, as sentences. Not in lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    story: Vec<LineView>,
    /// When it was made (RFC 3339).
    created_at: String,
    /// When it is no longer worth sending (RFC 3339).
    expires_at: String,
}

/// Another channel for a message.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Fallback")]
struct FallbackView {
    /// email or sms.
    channel: &'static str,
    /// The recipient on it, masked.
    recipient: String,
}

/// One thing that happened to a message.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "StoryLine")]
struct LineView {
    /// When (RFC 3339).
    at: String,
    /// What, as a sentence. Its wording may change.
    text: String,
}

/// What a provider told of a hop that it took.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "News")]
struct NewsView {
    /// delayed, undelivered or delivered.
    verdict: &'static str,
    /// Why, where it has not arrived: words of Otpost's and codes of the provider's.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// When Otpost heard of it (RFC 3339).
    at: String,
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
    /// On which channel: email or sms.
    channel: &'static str,
    /// Why it was taken: `first`, `again`, `refused`, `busy`, `doubt`, `no_news`, `bad_news`, `not_taken` or `held`.
    because: &'static str,
    /// Gateways that would have come before and were passed over because they do not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed: Vec<String>,
    /// Whether it tries a gateway that did not work.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    probe: bool,
    /// `handed`, `claimed` or `accepted`; or how it ended: `retry`, `recipient_bad`, `content_bad`, `configuration_bad`,
    /// `quota_gone`, `unknown` or `not_taken`.
    state: &'static str,
    /// When its sender was asked, or is to be (RFC 3339).
    handed_at: String,
    /// When the next route is taken, if there is no good news by then (RFC 3339); left out where no other route is left.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_route_at: Option<String>,
    /// On which channel the next route is: email or sms; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_route_channel: Option<&'static str>,
    /// What the provider told of it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    news: Option<NewsView>,
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
pub(super) struct Messages {
    /// The messages, newest first.
    pub(super) messages: Vec<MessageView>,
    /// The cursor of the next page, if there may be one. A page may be short, or empty, and have one all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
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
            country: message.country.map(|country| country.as_str().to_owned()),
            fallback: message.fallback.as_ref().map(|fallback| FallbackView {
                channel: fallback.channel.as_str(),
                recipient: fallback.recipient.clone(),
            }),
            status: message.status.as_str().to_owned(),
            reason: message.reason.clone(),
            hops: message.hops.iter().map(HopView::from).collect(),
            story: Vec::new(),
            created_at: message.created_at.rfc3339(),
            expires_at: message.expires_at.rfc3339(),
        }
    }
}

impl MessageView {
    /// Without what providers said: a page of that would be too long.
    pub(super) fn in_list(message: &Message) -> Self {
        let mut view = Self::from(message);
        view.hops.iter_mut().for_each(|hop| hop.said.clear());
        view
    }

    /// With all that is known of it.
    pub(super) fn alone(message: &Message) -> Self {
        let line = |line: Line| LineView { at: line.at.rfc3339(), text: line.text };
        Self { story: message.story().into_iter().map(line).collect(), ..Self::from(message) }
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
            channel: hop.channel.as_str(),
            because: hop.because.as_str(),
            passed: hop.passed.clone(),
            probe: hop.probe.is_some(),
            state: hop.state.as_str(),
            // What is lent speaks of its owner: of hosts and accounts that are no tenant's business.
            said: if named.is_some_and(lent) { Vec::new() } else { hop.said.clone() },
            handed_at: hop.handed_at.rfc3339(),
            next_route_at: hop.limit.map(Timestamp::rfc3339),
            next_route_channel: hop.then.map(Channel::as_str),
            news: hop.news.as_ref().map(|news| NewsView {
                verdict: news.verdict.as_str(),
                why: (!news.why.is_empty()).then(|| news.why.clone()),
                at: news.at.rfc3339(),
            }),
            provider_id,
            reason: hop.reason().map(str::to_owned),
            ended_at: ended.map(Timestamp::rfc3339),
        }
    }
}
