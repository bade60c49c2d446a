//! The gateways within a tenant's reach, and which of them an id names.

use std::sync::Arc;
use std::time::Duration;

use super::{Country, Gateway, Kind, Owner, Part};
use crate::circuit::Circuit;
use crate::ids::{GatewayId, TenantId};
use crate::message::{Channel, GatewayName, Routes, Sender, Via, Way};
use crate::policy::{Advice, Route, Settings};

/// The gateways that a tenant's policies may name: its own, and those of the platform that serve it.
///
/// Where both have a gateway of one id, the tenant's own is meant.
#[derive(Clone, Debug)]
pub struct Reach {
    tenant: TenantId,
    own: Arc<[Gateway]>,
    platforms: Arc<[Gateway]>,
}

impl Reach {
    /// The reach of `tenant`, whose own gateways are `own`; `platforms` are all of the platform's.
    #[must_use]
    pub const fn new(tenant: TenantId, own: Arc<[Gateway]>, platforms: Arc<[Gateway]>) -> Self {
        Self { tenant, own, platforms }
    }

    /// The tenant's own.
    #[must_use]
    pub fn own(&self) -> &[Gateway] {
        &self.own
    }

    /// Those of the platform that serve the tenant.
    pub fn lent(&self) -> impl Iterator<Item = &Gateway> {
        self.platforms.iter().filter(|gateway| gateway.serves(&self.tenant))
    }

    /// The gateway that an id names.
    #[must_use]
    pub fn find(&self, id: &GatewayId) -> Option<&Gateway> {
        self.own.iter().chain(self.lent()).find(|gateway| gateway.id == *id)
    }

    /// Whether a gateway of the platform is out of reach because the tenant has one of the same id.
    #[must_use]
    pub fn hides(&self, lent: &Gateway) -> bool {
        lent.owner.tenant().is_none() && self.own.iter().any(|own| own.id == lent.id)
    }

    /// Warns of what the settings of a user name and nothing can be sent by.
    #[must_use]
    pub fn advice(&self, settings: &Settings) -> Vec<Advice> {
        let mut all = Vec::new();
        let chosen =
            settings.mobile_code_gateway.0.iter().map(|id| ("mobile_code_gateway", id, Channel::Sms));
        let mails =
            settings.email_routes.all().iter().map(|route| ("email_routes", &route.gateway, Channel::Email));
        let texts =
            settings.sms_routes.all().iter().map(|route| ("sms_routes", &route.gateway, Channel::Sms));
        for (setting, id, channel) in chosen.chain(mails).chain(texts) {
            all.extend(self.troubles(id, channel).into_iter().map(|told| Advice { setting, told }));
        }
        all
    }

    /// The gateway of this id that this owner has, if it is within reach.
    #[must_use]
    pub fn of_owner(&self, owner: &Owner, id: &GatewayId) -> Option<&Gateway> {
        match owner {
            Owner::Tenant(tenant) if *tenant == self.tenant => {
                self.own.iter().find(|gateway| gateway.id == *id)
            }
            Owner::Tenant(_) => None,
            Owner::Platform => self.lent().find(|gateway| gateway.id == *id),
        }
    }

    /// The gateway that carries the mails of `texts`, if that turns mails into texts and has one.
    #[must_use]
    pub fn carrier_of(&self, texts: &Gateway) -> Option<&Gateway> {
        texts.carrier_among(self.owned_with(texts))
    }

    /// The version of a gateway and of what carries its mails, together: it grows when one of them is changed.
    #[must_use]
    pub fn version_of(&self, gateway: &Gateway) -> u64 {
        gateway.version.saturating_add(self.carrier_of(gateway).map_or(0, |carrier| carrier.version))
    }

    /// By what a message goes that takes `gateway`; none where nothing carries its mails.
    #[must_use]
    pub fn via(&self, gateway: &Gateway) -> Option<Via> {
        let talks = if gateway.carrier().is_some() { self.carrier_of(gateway)? } else { gateway };
        let name = GatewayName {
            owner: gateway.owner.clone(),
            id: gateway.id.clone(),
            version: self.version_of(gateway),
        };
        Some(Via { gateway: Some(name), sender: Sender::of(talks.kind())? })
    }

    /// The ways that gateways offer on `channel` which are named in this order, and why others of them do not. A text goes
    /// only by those that serve the `country` of its number, where the number tells.
    pub fn routes<'g>(
        &self,
        named: impl IntoIterator<Item = &'g Route>,
        channel: Channel,
        country: Option<Country>,
    ) -> Routes {
        let mut routes = Routes::default();
        for route in named {
            let id = &route.gateway;
            let found = self.find(id);
            if let (Some(gateway), Some(country)) = (found, country)
                && !gateway.may_send_to(country)
            {
                routes.unfit.push(format!("the gateway {id} may not send texts to {}", country.as_str()));
                continue;
            }
            let troubles = self.troubles(id, channel);
            let found = found.filter(|_| troubles.is_empty());
            match found.and_then(|gateway| Some((gateway, self.via(gateway)?))) {
                Some((gateway, via)) => routes.usable.push(Way {
                    via,
                    channel,
                    wait: Duration::from_secs(route.wait_seconds.get().into()),
                    tells: gateway.tells(),
                    circuit: Circuit::Closed,
                }),
                None => routes.passed_over.extend(troubles.into_iter().next()),
            }
        }
        routes
    }

    /// All gateways of the owner of one of them.
    fn owned_with(&self, gateway: &Gateway) -> &[Gateway] {
        if gateway.owner.tenant().is_some() { &self.own } else { &self.platforms }
    }

    /// Why nothing can be sent on `channel` by the gateway that an id names.
    #[must_use]
    pub fn troubles(&self, id: &GatewayId, channel: Channel) -> Vec<String> {
        let Some(gateway) = self.find(id) else {
            return vec![format!("There is no gateway {id} that the tenant may use: it is passed over.")];
        };
        let kind = gateway.kind();
        let carrier = gateway.carrier().is_none() || self.carrier_of(gateway).is_some_and(Gateway::is_ready);
        let of_kind = || format!("it is of the kind {}", kind.as_str());
        [
            (
                kind.channel() != channel,
                format!("{} and does not serve the channel {}", of_kind(), channel.as_str()),
            ),
            (!gateway.configuration.enabled, "it is not enabled".to_owned()),
            (gateway.lacks_credentials(), "its credentials are not given, or void".to_owned()),
            (!carrier, "the gateway that is to carry its mails is not there, or not ready".to_owned()),
        ]
        .into_iter()
        .filter_map(|(wrong, why)| wrong.then(|| format!("The gateway {id} is passed over: {why}.")))
        .collect()
    }
}

impl Gateway {
    /// Whether its provider tells what becomes of a message: Twilio and GOV.UK Notify only to who can check that it is
    /// they, and a server of mail, or a third party behind one, never.
    #[must_use]
    pub fn tells(&self) -> bool {
        let has = |part| self.usable_credentials().is_some_and(|held| held.parts.contains(&part));
        match self.kind() {
            // Whether anybody hears of a configuration set of its own is not known.
            Kind::Ses => match &self.configuration.settings {
                super::Settings::Ses(ses) => ses.configuration_set.is_none(),
                _ => false,
            },
            Kind::Twilio => has(Part::AuthToken),
            Kind::GovukNotify => has(Part::CallbackToken),
            Kind::Smtp | Kind::EmailToSms => false,
        }
    }

    /// What is wrong with the gateway that is to carry its mails, as a sentence. `owned` are the gateways of its owner.
    #[must_use]
    pub fn carrier_trouble(&self, owned: &[Self]) -> Option<&'static str> {
        self.carrier()?;
        match self.carrier_among(owned) {
            None => Some("There is no gateway of this id and of the same owner that sends mail."),
            Some(carrier) if !carrier.configuration.enabled => {
                Some("The gateway that carries the mails is not enabled.")
            }
            Some(carrier) if carrier.lacks_credentials() => {
                Some("The gateway that carries the mails lacks its credentials.")
            }
            Some(_) => None,
        }
    }
}
