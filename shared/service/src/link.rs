//! A new enrolment link of a token, and the message that carries it.

use std::time::Duration;

use otpost_domain::audit::AuditEntry;
use otpost_domain::authorization::{Authorization, AuthorizationCode, AuthorizationMode};
use otpost_domain::enrolment::Enrolment;
use otpost_domain::ids::{BearerHash, MessageId, Serial};
use otpost_domain::message::{Channel, Fallback, Message, MessageStatus, PICK_UP, SealedContent};
use otpost_domain::numbering::countries_of;
use otpost_domain::policy::Settings;
use otpost_domain::simulator::is_kept;
use otpost_domain::suppression::AddressKey;
use otpost_domain::template::TemplateKind;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{IllegalTransition, Token};
use zeroize::Zeroizing;

use crate::content::{Content, Fallen};
use crate::policies::Holds;
use crate::ports::{
    Clock as _, DeliveryQueue as _, Entropy as _, MessageRef, PortError, Ports, RecordKind, Sealer as _,
};
use crate::texts::chosen;

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
    pub(crate) fn policy(settings: &Settings, user: &User, channel: Channel) -> Self {
        let later = settings.channels.all().iter().skip_while(|named| **named != channel).skip(1);
        let next = later.copied().find(|next| is_reachable(settings, user, *next));
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
    let channel = reachable(settings, user).or(settings.channels.all().first().copied());
    By::policy(settings, user, channel.unwrap_or(Channel::Email))
}

/// The first channel that policy names, that has a gateway, and by which the user can be reached.
pub(crate) fn reachable(settings: &Settings, user: &User) -> Option<Channel> {
    settings.channels.all().iter().copied().find(|channel| is_reachable(settings, user, *channel))
}

fn is_reachable(settings: &Settings, user: &User, channel: Channel) -> bool {
    let reached = match channel {
        Channel::Email => user.email.is_some(),
        Channel::Sms => user.phone.is_some(),
    };
    reached && has_route(settings, channel)
}

/// Whether messages on `channel` have a way to go. For mails there is always the deployment's own.
pub(crate) fn has_route(settings: &Settings, channel: Channel) -> bool {
    match channel {
        Channel::Email => true,
        Channel::Sms => !settings.sms_routes.all().is_empty(),
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

/// Where a user is reached on a channel, in the clear and masked.
fn address_of(user: &User, channel: Channel) -> Option<(String, String)> {
    match channel {
        Channel::Email => user.email.as_ref().map(|email| (email.expose().to_owned(), email.masked())),
        Channel::Sms => user.phone.as_ref().map(|phone| (phone.expose().to_owned(), phone.masked())),
    }
}

async fn outgoing(
    ports: &impl Ports,
    to: &Recipient<'_>,
    serial: &Serial,
    by: By,
    link: Link,
) -> Result<Message, LinkError> {
    let Link { url, authorization, made_at, expires_at } = link;
    let Recipient { tenant, user, holds } = *to;
    let purpose = TemplateKind::PushToken;
    let channel = by.channel;
    let reader = || holds.reader(authorization.is_some());
    let texts = chosen(ports, &tenant.id, purpose, channel, reader()).await?;
    let (to, recipient) = address_of(user, channel).ok_or(LinkError::NoAddress(channel))?;
    let simulated = is_kept(&to);
    let mut falls_back = None;
    if let Some(fallback) = by.fallback
        && let Some((to, masked)) = address_of(user, fallback)
    {
        let texts = chosen(ports, &tenant.id, purpose, fallback, reader()).await?;
        falls_back = Some((Fallback { channel: fallback, recipient: masked }, Fallen::new(to, &texts)));
    }
    let (fallback, fallen) = falls_back.unzip();
    let goes = |wanted| channel == wanted || by.fallback == Some(wanted);
    let email = user.email.as_ref().filter(|_| goes(Channel::Email));
    let address = email.map(|email| AddressKey::of(&tenant.id, email));
    let number = user.phone.as_ref().filter(|_| goes(Channel::Sms));
    // A number that may be of several countries tells none.
    let country = number.and_then(|number| match countries_of(number).as_slice() {
        [one] => Some(*one),
        _ => None,
    });
    let id = MessageId::new(made_at, ports.entropy().array());
    let mut content = Content::with_texts(&texts);
    content.to = to;
    content.fallen = fallen;
    content.link = url;
    content.username = user.id.to_string();
    user.name().clone_into(&mut content.display_name);
    tenant.name.as_str().clone_into(&mut content.tenant_name);
    content.expires = expires_at.for_people(texts.locale());
    content.authz_code = authorization;
    let sealed =
        ports.sealer().seal(&tenant.id, RecordKind::MessageContent, id.as_str(), &content.encode()?).await?;
    Ok(Message {
        id,
        tenant: tenant.id.clone(),
        user: Some(user.id.clone()),
        serial: Some(serial.clone()),
        purpose,
        test: false,
        simulated,
        channel,
        recipient,
        country,
        fallback,
        address,
        content: Some(SealedContent(sealed)),
        created_at: made_at,
        expires_at,
        status: MessageStatus::Queued,
        reason: None,
        hops: Vec::new(),
        due_at: Some(made_at.plus(PICK_UP)),
        version: 1,
    })
}
