//! By what account with a provider a message goes: its gateway's, or the deployment's own.

use std::sync::Arc;

use otpost_domain::gateway::{Credentials, EmailToSms, Gateway, Mailbox, Reach, Settings};
use otpost_domain::message::{GatewayName, Message, Sender};
use otpost_domain::outcome::{Outcome, Report};

use super::refused;
use crate::ports::{Configuration as _, CredentialReader as _, PortResult, Ports};
use crate::provider::Provider;

/// A gateway that can be sent by, and what carries its mails if it has none of its own.
pub(super) struct Account {
    /// The gateway; none for the deployment's own account.
    pub(super) gateway: Option<Gateway>,
    /// The settings that the provider is given.
    settings: Settings,
    credentials: Option<Arc<Credentials>>,
    /// Credentials of the gateway itself, where another one carries its mails.
    pin: Option<Arc<Credentials>>,
}

impl Account {
    pub(super) const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_deref()
    }

    /// All credentials that are known of it.
    pub(super) fn all_credentials(&self) -> impl Iterator<Item = &Credentials> {
        self.credentials.iter().chain(&self.pin).map(AsRef::as_ref)
    }

    /// How a text becomes a mail, if it is to be one, and the PIN for that.
    pub(super) fn texts_by_mail(&self) -> Option<(&EmailToSms, Option<&Credentials>)> {
        match &self.gateway.as_ref()?.configuration.settings {
            Settings::EmailToSms(texts) => Some((texts, self.pin.as_deref())),
            _ => None,
        }
    }

    /// From whom mails come.
    pub(super) fn from(&self) -> Option<&Mailbox> {
        match &self.settings {
            Settings::Ses(ses) => Some(&ses.from),
            Settings::Smtp(smtp) => Some(&smtp.from),
            Settings::Twilio(_) | Settings::GovukNotify(_) | Settings::EmailToSms(_) => None,
        }
    }
}

/// Why nothing can be sent by a gateway: an operator has to mend it.
#[derive(Clone, Copy)]
enum Bad {
    /// Its credentials are not where it says.
    Gone,
    /// Anything else.
    Other(&'static str),
}

impl From<Bad> for Report {
    fn from(bad: Bad) -> Self {
        let why = match bad {
            Bad::Gone => "the gateway's credentials are gone",
            Bad::Other(why) => why,
        };
        refused(Outcome::ConfigurationBad, why)
    }
}

/// The account that the message's last hop names, as it is now; or why nothing can be sent by it.
pub(super) async fn account(
    ports: &impl Ports,
    provider: &impl Provider,
    message: &Message,
) -> PortResult<Result<Account, Report>> {
    let found = as_known(ports, provider, message).await?;
    let owner = message.last_hop().and_then(|hop| hop.via.gateway.as_ref()).map(|name| &name.owner);
    // Others may have taken their place within the last minute.
    let found = match (found, owner) {
        (Err(Bad::Gone), Some(owner)) => {
            ports.configuration().forget_gateways(owner);
            as_known(ports, provider, message).await?
        }
        (found, _) => found,
    };
    Ok(found.map_err(Report::from))
}

async fn as_known(
    ports: &impl Ports,
    provider: &impl Provider,
    message: &Message,
) -> PortResult<Result<Account, Bad>> {
    let Some(via) = message.last_hop().map(|hop| &hop.via) else {
        return Ok(Err(Bad::Other("the message has no hop")));
    };
    let Some(name) = &via.gateway else {
        let own = provider.own().map(|settings| Account {
            gateway: None,
            settings: settings.clone(),
            credentials: None,
            pin: None,
        });
        return Ok(own.ok_or(Bad::Other("the deployment has no account of its own with this provider")));
    };
    let reach = as_new_as(ports, message, name).await?;
    let Some(gateway) = reach.of_owner(&name.owner, &name.id) else {
        return Ok(Err(Bad::Other("the gateway is gone, or does not serve the tenant any more")));
    };
    if !gateway.configuration.enabled && !message.test {
        return Ok(Err(Bad::Other("the gateway is not enabled")));
    }
    let carrier = if gateway.carrier().is_some() {
        match reach.carrier_of(gateway) {
            Some(carrier) if carrier.configuration.enabled || message.test => Some(carrier),
            Some(_) => return Ok(Err(Bad::Other("the gateway that carries its mails is not enabled"))),
            None => return Ok(Err(Bad::Other("nothing carries the gateway's mails"))),
        }
    } else {
        None
    };
    let talks = carrier.unwrap_or(gateway);
    if Sender::of(talks.kind()) != Sender::of(provider.kind()) {
        return Ok(Err(Bad::Other(
            "the gateway was changed to another kind while the message was under way",
        )));
    }
    let own = match held(ports, gateway).await? {
        Ok(own) => own,
        Err(bad) => return Ok(Err(bad)),
    };
    let (credentials, pin) = match carrier {
        None => (own, None),
        Some(carrier) => match held(ports, carrier).await? {
            Ok(credentials) => (credentials, own),
            Err(bad) => return Ok(Err(bad)),
        },
    };
    let settings = talks.configuration.settings.clone();
    Ok(Ok(Account { gateway: Some(gateway.clone()), settings, credentials, pin }))
}

/// The gateways within the tenant's reach. They are read again where the named one is of another version than the hop has
/// seen: one that was deleted and made anew counts from 1.
async fn as_new_as(ports: &impl Ports, message: &Message, name: &GatewayName) -> PortResult<Reach> {
    let reach = ports.configuration().gateways(&message.tenant).await?;
    let known = reach.of_owner(&name.owner, &name.id).map_or(0, |gateway| reach.version_of(gateway));
    if known == name.version {
        return Ok(reach);
    }
    ports.configuration().forget_gateways(&name.owner);
    ports.configuration().gateways(&message.tenant).await
}

/// A gateway's credentials, if it needs or has any; or why it has none.
async fn held(ports: &impl Ports, gateway: &Gateway) -> PortResult<Result<Option<Arc<Credentials>>, Bad>> {
    if gateway.lacks_credentials() {
        return Ok(Err(Bad::Other("the gateway's credentials are not given, or void")));
    }
    let Some(state) = gateway.usable_credentials() else { return Ok(Ok(None)) };
    let read = ports.credentials().read_credentials(gateway.kind(), &state.reference).await?;
    Ok(read.map(Some).ok_or(Bad::Gone))
}
