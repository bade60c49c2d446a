//! A template's message sent to an address that an operator gives, to see it arrive.

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::ids::GatewayId;
use otpost_domain::message::{Channel, Message, Via};
use otpost_domain::template::{Chosen, TemplateDocument, TemplateName};

use super::{Found, TemplateError, sample, template};
use crate::caller::Caller;
use crate::once::Once;
use crate::ports::{Configuration as _, PortError, Ports};
use crate::test_send::{Address, Test, post};

/// What to send as a test, and how.
#[derive(Clone, Debug)]
pub struct TestOrder {
    /// The template.
    pub name: TemplateName,
    /// To whom.
    pub to: Address,
    /// By which gateway; a mail goes by the deployment's own Amazon SES unless given.
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
    let via = way(ports, caller, order).await?;
    let sample = sample(ports, caller, &order.name).await?;
    let test = Test {
        to: &order.to,
        via,
        kind: order.name.kind,
        chosen: &found.chosen(),
        sample: &sample,
        own_text: None,
        code: None,
    };
    let audit = AuditEntry {
        template: Some(order.name.clone()),
        gateway: order.gateway.clone(),
        ..caller.journal(ports, Action::TemplateTested).audit
    };
    Ok(post(ports, caller, test, audit, once).await?)
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

/// The way that the order names, if anything can be sent by it.
async fn way(ports: &impl Ports, caller: &Caller, order: &TestOrder) -> Result<Via, TestError> {
    let channel = order.to.channel();
    let Some(id) = &order.gateway else {
        let none = || TestError::Gateway("A text needs a gateway: name one.".to_owned());
        return if channel == Channel::Email { Ok(Via::OWN) } else { Err(none()) };
    };
    let reach = ports.configuration().gateways(&caller.tenant).await?;
    let trouble = reach.troubles(id, channel).into_iter().next();
    let via = reach.find(id).filter(|_| trouble.is_none()).and_then(|gateway| reach.via(gateway));
    let trouble =
        || TestError::Gateway(trouble.unwrap_or_else(|| format!("Nothing is sent by the gateway {id}.")));
    via.ok_or_else(trouble)
}
