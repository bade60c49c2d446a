//! A test: a message to an address that an operator gives, by a gateway that they choose, to see it arrive and to read
//! what the provider says. It goes through the real queue and the real sender function.

use std::time::Duration;

use otpost_domain::audit::AuditEntry;
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::ids::MessageId;
use otpost_domain::message::{
    Because, Channel, Hop, HopState, Message, MessageStatus, ROUTE_TIME, SealedContent, Via,
};
use otpost_domain::template::{Chosen, Sample, TemplateKind};
use otpost_domain::time::Timestamp;

use crate::caller::Caller;
use crate::content::Content;
use crate::once::Once;
use crate::ports::{
    Clock as _, DeliveryQueue as _, Entropy as _, Fault, MessageRef, MessageStore as _, PortError,
    PortResult, Ports, RecordKind, Sealer as _, Write,
};

/// How long a test is worth sending.
const LIFE: Duration = Duration::from_mins(10);
/// How often it is looked for what became of it.
const LOOK: Duration = Duration::from_millis(200);

/// Where a test goes.
#[derive(Clone, Debug)]
pub enum Address {
    /// To a mailbox.
    Email(EmailAddress),
    /// To a telephone.
    Sms(PhoneNumber),
}

impl Address {
    /// The channel that leads there.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
        }
    }

    fn told(&self) -> (&str, String) {
        match self {
            Self::Email(address) => (address.expose(), address.masked()),
            Self::Sms(number) => (number.expose(), number.masked()),
        }
    }
}

/// What a test says, to whom, and by what.
pub(crate) struct Test<'a> {
    pub(crate) to: &'a Address,
    pub(crate) via: Via,
    pub(crate) kind: TemplateKind,
    /// Whose texts it has.
    pub(crate) chosen: &'a Chosen,
    /// What their wildcards stand for.
    pub(crate) sample: &'a Sample,
    /// A text in their place.
    pub(crate) own_text: Option<String>,
    /// A code in the place of the made-up one.
    pub(crate) code: Option<String>,
}

/// Writes a test down and hands it to its sender. Its one hop is there from the beginning: nobody has to choose a way.
pub(crate) async fn post(
    ports: &impl Ports,
    caller: &Caller,
    test: Test<'_>,
    audit: AuditEntry,
    once: Once<'_, Message>,
) -> PortResult<Message> {
    let sender = test.via.sender;
    let message = made(ports, caller, test).await?;
    let audit = AuditEntry { message: Some(message.id.clone()), ..audit };
    let journal = once.record(ports, &message, audit.into()).await?;
    if ports.store().add_message(&message, &journal).await? == Write::Stale {
        // Its id is new: only the slot of a repeated request can be gone.
        return Err(PortError::new(Fault::Unavailable, "a later try holds the slot"));
    }
    let handed = ports.queue().hand(sender, &MessageRef::from(&message), 1, Duration::ZERO).await;
    if let Err(error) = handed {
        tracing::warn!(message.id = %message.id, error = error.chain(), "not queued; the sweep will find it");
    }
    Ok(message)
}

async fn made(ports: &impl Ports, caller: &Caller, test: Test<'_>) -> PortResult<Message> {
    let now = ports.clock().now();
    let id = MessageId::new(now, ports.entropy().array());
    let (to, recipient) = test.to.told();
    let values = test.sample.values();
    let mut content = Content::with_texts(test.chosen);
    to.clone_into(&mut content.to);
    for (into, from) in [
        (&mut content.link, values.link),
        (&mut content.code, test.code.as_deref().unwrap_or(values.code)),
        (&mut content.password, values.password),
        (&mut content.expires, values.expires),
        (&mut content.purpose, values.purpose),
        (&mut content.time, values.time),
        (&mut content.username, values.username),
        (&mut content.display_name, values.display_name),
        (&mut content.tenant_name, values.tenant),
    ] {
        from.clone_into(into);
    }
    content.authz_code = values.authz_code.map(str::to_owned);
    content.own_text = test.own_text;
    let kind = RecordKind::MessageContent;
    let sealed = ports.sealer().seal(&caller.tenant, kind, id.as_str(), &content.encode()?).await?;
    Ok(Message {
        id,
        tenant: caller.tenant.clone(),
        user: None,
        serial: None,
        purpose: test.kind,
        test: true,
        simulated: false,
        channel: test.to.channel(),
        recipient,
        country: None,
        fallback: None,
        address: None,
        suppressed: None,
        content: Some(SealedContent(sealed)),
        created_at: now,
        expires_at: now.plus(LIFE),
        status: MessageStatus::Sending,
        reason: None,
        overtaken: None,
        hops: vec![Hop {
            number: 1,
            via: test.via,
            channel: test.to.channel(),
            because: Because::First,
            passed: Vec::new(),
            probe: None,
            limit: None,
            then: None,
            tells: false,
            handed_at: now,
            state: HopState::Handed,
            said: Vec::new(),
            news: None,
        }],
        due_at: Some(now.plus(ROUTE_TIME)),
        version: 1,
    })
}

/// The message once it has come to its end, or as it is at `until`.
pub(crate) async fn awaited(ports: &impl Ports, message: Message, until: Timestamp) -> Message {
    let reference = MessageRef::from(&message);
    let mut message = message;
    while message.is_open() && ports.clock().now() < until {
        ports.clock().pause(LOOK).await;
        // It is on its way, whatever becomes of one look.
        match ports.store().message(&reference).await {
            Ok(found) => message = found.unwrap_or(message),
            Err(error) => tracing::warn!(message.id = %message.id, error = error.chain(), "not looked at"),
        }
    }
    message
}
