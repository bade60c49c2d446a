//! A new enrolment link of a token, and the message that carries it.

use std::time::Duration;

use otpost_domain::audit::AuditEntry;
use otpost_domain::authorization::{Authorization, AuthorizationCode, AuthorizationMode};
use otpost_domain::enrolment::Enrolment;
use otpost_domain::ids::{BearerHash, Serial};
use otpost_domain::message::{Channel, Message};
use otpost_domain::policy::Settings;
use otpost_domain::template::TemplateKind;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{IllegalTransition, Token};
use zeroize::Zeroizing;

use crate::content::Content;
use crate::outgoing::{self, Draft};
use crate::policies::Holds;
use crate::ports::{
    Clock as _, DeliveryQueue as _, Entropy as _, MessageRef, PortError, Ports, RecordKind, Sealer as _,
};

/// Why no link was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The token is past its enrolment.
    #[error(transparent)]
    NotEnrollable(#[from] IllegalTransition),
    /// The user has no address for the channel.
    #[error("the user has no address for {}", .0.as_str())]
    NoAddress(Channel),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// To whom a link goes, and what holds for them.
#[derive(Clone, Copy)]
pub(crate) struct Recipient<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) user: &'a User,
    pub(crate) holds: &'a Holds,
}

/// A link on its way.
pub(crate) struct Sending {
    /// The token, enrolling with the link.
    pub(crate) token: Token,
    /// The link.
    pub(crate) enrolment: Enrolment,
    /// The message that carries it.
    pub(crate) message: Message,
    /// The authorization code, where it is not in the message.
    pub(crate) authorization: Option<AuthorizationCode>,
    mode: AuthorizationMode,
}

impl Sending {
    /// Tells of it in an audit entry.
    pub(crate) fn told(&self, entry: &mut AuditEntry) {
        entry.user = Some(self.token.user.clone());
        entry.serial = Some(self.token.serial.clone());
        entry.message = Some(self.message.id.clone());
        entry.detail = match self.mode {
            AuthorizationMode::OtherChannelOrOperator => None,
            AuthorizationMode::SameMessage => Some("authorization code in the same message"),
            AuthorizationMode::None => Some("no authorization code"),
        };
    }
}

/// On which channel a message goes, and on which one it goes once no route of that is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) channel: Channel,
    pub(crate) fallback: Option<Channel>,
}

impl By {
    /// That one and no other.
    pub(crate) const fn only(channel: Channel) -> Self {
        Self { channel, fallback: None }
    }

    /// That one as policy has chosen it, and the next that policy names, if it lets messages fall back.
    pub(crate) fn policy(settings: &Settings, user: &User, channel: Channel, kind: TemplateKind) -> Self {
        let later = settings.channels.all().iter().skip_while(|named| **named != channel).skip(1);
        let next = later.copied().find(|next| is_reachable(settings, user, *next, kind));
        Self { channel, fallback: next.filter(|_| settings.channel_fallback) }
    }
}

/// Makes a new link of `token`, whose authorization code travels by `mode`, and its message on channels.
pub(crate) async fn sending(
    ports: &impl Ports,
    token: Token,
    to: &Recipient<'_>,
    by: By,
    mode: AuthorizationMode,
) -> Result<Sending, LinkError> {
    let now = ports.clock().now();
    let code = ports.entropy().bearer_code();
    let authorization = new_authorization(ports, mode);
    let token = token.pushed(code.hash(), now)?;
    let enrolment = Enrolment::new(
        code.hash(),
        token.tenant.clone(),
        token.user.clone(),
        token.serial.clone(),
        now,
        to.holds.settings.link_life(),
        kept(ports, &token, &code.hash(), authorization.as_ref()).await?,
    );
    let told = authorization.as_ref().filter(|_| mode == AuthorizationMode::SameMessage);
    let link = Link {
        url: format!("{}/e/{}", ports.public_url()?, code.expose()),
        authorization: told.map(|code| code.for_people().expose().to_owned()),
        made_at: now,
        expires_at: enrolment.expires_at,
    };
    let message = outgoing(ports, to, &token.serial, by, link).await?;
    // It travels by no second message yet, so whoever pushes passes the code on.
    let authorization = authorization.filter(|_| mode == AuthorizationMode::OtherChannelOrOperator);
    Ok(Sending { token, enrolment, message, authorization, mode })
}

/// The first channel that policy names, that has a gateway, and by which the user can be reached; else the first that
/// it names, which then says what is wrong.
pub(crate) fn usual(settings: &Settings, user: &User) -> By {
    let kind = TemplateKind::PushToken;
    let channel = reachable(settings, user, kind).or(settings.channels.all().first().copied());
    By::policy(settings, user, channel.unwrap_or(Channel::Email), kind)
}

/// The first channel that policy names, that has a gateway for messages of a kind, and by which the user can be reached.
pub(crate) fn reachable(settings: &Settings, user: &User, kind: TemplateKind) -> Option<Channel> {
    settings.channels.all().iter().copied().find(|channel| is_reachable(settings, user, *channel, kind))
}

fn is_reachable(settings: &Settings, user: &User, channel: Channel, kind: TemplateKind) -> bool {
    let reached = match channel {
        Channel::Email => user.email.is_some(),
        Channel::Sms => user.phone.is_some(),
    };
    reached && has_route(settings, channel, kind)
}

/// Whether messages of a kind have a way to go on `channel`. For mails there is always the deployment's own.
pub(crate) fn has_route(settings: &Settings, channel: Channel, kind: TemplateKind) -> bool {
    match channel {
        Channel::Email => true,
        Channel::Sms => !settings.texts_by(kind).is_empty(),
    }
}

/// The record is the outbox: when the queue fails, the sweep finds the message, so the caller has his success.
pub(crate) async fn enqueue(ports: &impl Ports, message: &Message) {
    if let Err(error) = ports.queue().deliver(&MessageRef::from(message), Duration::ZERO).await {
        tracing::warn!(message.id = %message.id, error = error.chain(), "not queued; the sweep will find it");
    }
}

fn new_authorization(ports: &impl Ports, mode: AuthorizationMode) -> Option<AuthorizationCode> {
    let random: Zeroizing<[u8; 5]> = Zeroizing::new(ports.entropy().array());
    (mode != AuthorizationMode::None).then(|| AuthorizationCode::new(&random))
}

/// What the enrolment keeps of its authorization code.
async fn kept(
    ports: &impl Ports,
    token: &Token,
    link: &BearerHash,
    code: Option<&AuthorizationCode>,
) -> Result<Option<Authorization>, PortError> {
    let Some(code) = code else { return Ok(None) };
    let hash = code.hash();
    let kind = RecordKind::AuthorizationCode;
    let sealed_hash = ports.sealer().seal(&token.tenant, kind, link.as_str(), hash.as_slice()).await?;
    Ok(Some(Authorization { sealed_hash, wrong_codes: 0 }))
}

/// A link as its message tells of it.
struct Link {
    url: String,
    authorization: Option<String>,
    made_at: Timestamp,
    expires_at: Timestamp,
}

async fn outgoing(
    ports: &impl Ports,
    to: &Recipient<'_>,
    serial: &Serial,
    by: By,
    link: Link,
) -> Result<Message, LinkError> {
    let Recipient { tenant, user, holds } = *to;
    let draft = Draft {
        tenant,
        holds,
        user: Some(&user.id),
        name: user.name(),
        serial: Some(serial),
        purpose: TemplateKind::PushToken,
        to: user.contact(by.channel).ok_or(LinkError::NoAddress(by.channel))?,
        fallback: by.fallback.and_then(|channel| user.contact(channel)),
        with_code: link.authorization.is_some(),
        made_at: link.made_at,
        expires_at: link.expires_at,
    };
    let filled = |content: &mut Content| {
        content.link = link.url;
        content.authz_code = link.authorization;
    };
    Ok(outgoing::message(ports, draft, filled).await?)
}
