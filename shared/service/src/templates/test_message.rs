//! A template's message sent to an address that an operator gives, to see it arrive.

use std::time::Duration;

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::ids::{GatewayId, MessageId};
use otpost_domain::message::{Channel, Gateway, Message, MessageStatus, PICK_UP, SealedContent};
use otpost_domain::template::{Chosen, Sample, TemplateDocument, TemplateName, may_send_from};

use super::{Found, TemplateError, sample, template};
use crate::caller::Caller;
use crate::content::Content;
use crate::link::enqueue;
use crate::once::Once;
use crate::ports::{
    Clock as _, Configuration as _, Entropy as _, Fault, MessageStore as _, PortError, Ports, RecordKind,
    Sealer as _, Write,
};

/// How long a test is worth sending.
const LIFE: Duration = Duration::from_mins(10);

/// Where a test goes.
#[derive(Clone, Debug)]
pub enum Address {
    /// To a mailbox.
    Email(EmailAddress),
    /// To a telephone.
    Sms(PhoneNumber),
}

impl Address {
    const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Sms(_) => Channel::Sms,
        }
    }
}

/// What to send as a test, and how.
#[derive(Clone, Debug)]
pub struct TestOrder {
    /// The template.
    pub name: TemplateName,
    /// To whom.
    pub to: Address,
    /// From which gateway's address; the deployment's own unless given, which carries it in either case.
    pub gateway: Option<GatewayId>,
}

/// Why no test was sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// The template is not there.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template has no form for the channel.
    #[error("the template has no form for {}", .0.as_str())]
    NoForm(Channel),
    /// Nothing can be sent by the gateway.
    #[error("{0}")]
    Gateway(String),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Sends a template's message with made-up values to an address. The link in it is dead.
///
/// # Errors
/// When there is no such template, it has no form for the channel, the gateway cannot send, or a port fails.
pub async fn send_test(
    ports: &impl Ports,
    caller: &Caller,
    order: &TestOrder,
    once: Once<'_, Message>,
) -> Result<Message, TestError> {
    let channel = order.to.channel();
    let found = template(ports, caller, &order.name).await?;
    if !has_form(found.document(), channel) {
        return Err(TestError::NoForm(channel));
    }
    let from = sender(ports, caller, order, found.document()).await?;
    let sample = sample(ports, caller, &order.name).await?;
    let message = made(ports, caller, order, (&found.chosen(), from.as_ref()), &sample).await?;
    let audit = AuditEntry {
        template: Some(order.name.clone()),
        message: Some(message.id.clone()),
        gateway: order.gateway.clone(),
        ..caller.journal(ports, Action::TemplateTested).audit
    };
    let journal = once.record(ports, &message, audit.into()).await?;
    match ports.store().add_message(&message, &journal).await? {
        Write::Done => {
            enqueue(ports, &message).await;
            Ok(message)
        }
        // Its id is new: only the slot of a repeated request can be gone.
        Write::Stale => Err(PortError::new(Fault::Unavailable, "a later try holds the slot").into()),
    }
}

impl Found {
    /// Its texts.
    #[must_use]
    pub fn document(&self) -> Option<&TemplateDocument> {
        match self {
            Self::Own(version) => version.document.as_ref(),
            Self::BuiltIn(_, document) => Some(document),
        }
    }

    fn chosen(&self) -> Chosen {
        match self {
            Self::Own(version) => Chosen::Own { name: version.name.clone(), version: version.version },
            Self::BuiltIn(name, _) => Chosen::built_in(&name.locale),
        }
    }
}

fn has_form(document: Option<&TemplateDocument>, channel: Channel) -> bool {
    document.is_some_and(|document| match channel {
        Channel::Email => document.email.is_some(),
        Channel::Sms => document.sms.is_some(),
    })
}

/// From which address the gateway that the order names sends, if it can: the template's where it may, else its own. None
/// for the deployment itself, which has one address.
async fn sender(
    ports: &impl Ports,
    caller: &Caller,
    order: &TestOrder,
    document: Option<&TemplateDocument>,
) -> Result<Option<EmailAddress>, TestError> {
    let channel = order.to.channel();
    let Some(id) = &order.gateway else {
        let none = || TestError::Gateway(format!("No gateway is configured for {}.", channel.as_str()));
        return if Gateway::routes(channel).is_empty() { Err(none()) } else { Ok(None) };
    };
    let reach = ports.configuration().gateways(&caller.tenant).await?;
    if let Some(trouble) = reach.troubles(id, channel).into_iter().next() {
        return Err(TestError::Gateway(trouble));
    }
    let gateway = reach.find(id);
    let wanted = document.and_then(|document| document.email.as_ref()?.from().address.as_ref());
    let wanted = wanted.filter(|address| gateway.is_some_and(|gateway| may_send_from(gateway, address)));
    Ok(wanted.or_else(|| gateway?.sender_address()).cloned())
}

async fn made(
    ports: &impl Ports,
    caller: &Caller,
    order: &TestOrder,
    (chosen, from): (&Chosen, Option<&EmailAddress>),
    sample: &Sample,
) -> Result<Message, PortError> {
    let now = ports.clock().now();
    let id = MessageId::new(now, ports.entropy().array());
    let (to, recipient) = match &order.to {
        Address::Email(address) => (address.expose().to_owned(), address.masked()),
        Address::Sms(number) => (number.expose().to_owned(), number.masked()),
    };
    let values = sample.values();
    let mut content = Content::with_texts(chosen);
    content.to = to;
    content.from = from.map(|address| address.expose().to_owned());
    for (into, from) in [
        (&mut content.link, values.link),
        (&mut content.code, values.code),
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
    let kind = RecordKind::MessageContent;
    let sealed = ports.sealer().seal(&caller.tenant, kind, id.as_str(), &content.encode()?).await?;
    Ok(Message {
        id,
        tenant: caller.tenant.clone(),
        user: None,
        serial: None,
        purpose: order.name.kind,
        channel: order.to.channel(),
        recipient,
        content: Some(SealedContent(sealed)),
        created_at: now,
        expires_at: now.plus(LIFE),
        status: MessageStatus::Queued,
        reason: None,
        hops: Vec::new(),
        due_at: Some(now.plus(PICK_UP)),
        version: 1,
    })
}
