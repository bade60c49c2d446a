//! The gateways within a tenant's reach, and which of them an id names.

use std::sync::Arc;

use super::{Gateway, Kind};
use crate::ids::{GatewayId, TenantId};
use crate::message::Channel;
use crate::policy::{Advice, Settings};

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

    /// Why nothing can be sent on `channel` by the gateway that an id names.
    #[must_use]
    pub fn troubles(&self, id: &GatewayId, channel: Channel) -> Vec<String> {
        let Some(gateway) = self.find(id) else {
            return vec![format!("There is no gateway {id} that the tenant may use: it is passed over.")];
        };
        let kind = gateway.kind();
        let owned = if gateway.owner.tenant().is_some() { &self.own } else { &self.platforms };
        let carrier =
            gateway.carrier().is_none() || gateway.carrier_among(owned).is_some_and(Gateway::is_ready);
        let of_kind = || format!("it is of the kind {}", kind.as_str());
        [
            (
                kind.channel() != channel,
                format!("{} and does not serve the channel {}", of_kind(), channel.as_str()),
            ),
            (!gateway.configuration.enabled, "it is not enabled".to_owned()),
            (gateway.lacks_credentials(), "its credentials are not given, or void".to_owned()),
            (!carrier, "the gateway that is to carry its mails is not there, or not ready".to_owned()),
            (!kind.has_sender(), format!("{}, for which there is no sender yet", of_kind())),
        ]
        .into_iter()
        .filter_map(|(wrong, why)| wrong.then(|| format!("The gateway {id} is passed over: {why}.")))
        .collect()
    }
}

impl Gateway {
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
            Some(carrier) if !Kind::has_sender(carrier.kind()) => {
                Some("The gateway that carries the mails is of a kind for which there is no sender yet.")
            }
            Some(_) => None,
        }
    }
}
