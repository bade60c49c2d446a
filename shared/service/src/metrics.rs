//! What is counted and timed of messages on their way, for operators' graphs and alarms.
//!
//! Each call makes one event of the target [`TARGET`]; `otpost-edge` writes it where CloudWatch reads it, and nowhere
//! else. Only names of gateways, countries and numbers fit into one: nothing of a person.

use std::time::Duration;

use otpost_domain::circuit::HealthKey;
use otpost_domain::gateway::Country;
use otpost_domain::message::Via;

/// The target of the events.
pub const TARGET: &str = "otpost::metric";

/// What stands for a gateway or a country where there is none.
const NONE: &str = "none";

/// A number that operators watch. docs/metrics.md says more of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// A provider took a hop.
    Accepted,
    /// A provider took a hop, and will tell what becomes of it. Counted besides `Accepted`.
    Awaited,
    /// A provider did not take a hop, for whatever reason.
    Refused,
    /// A provider told that a hop arrived.
    Delivered,
    /// A provider told that a hop did not arrive.
    Undelivered,
    /// From a provider's taking a hop to its telling what became of it.
    TimeToReceipt,
    /// A message went on to another gateway or channel. Counted for the gateway that it left.
    Failovers,
    /// A provider took a hop, and told nothing in its route's time.
    Silent,
    /// A gateway was found not to work: messages pass it over.
    CircuitOpened,
    /// A gateway works again.
    CircuitClosed,
    /// A message passed a gateway over that does not work.
    PassedOver,
    /// A message came to its end, and no route took it.
    Failed,
    /// A message's time ran out before any provider took it.
    Expired,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Accepted,
        Self::Awaited,
        Self::Refused,
        Self::Delivered,
        Self::Undelivered,
        Self::TimeToReceipt,
        Self::Failovers,
        Self::Silent,
        Self::CircuitOpened,
        Self::CircuitClosed,
        Self::PassedOver,
        Self::Failed,
        Self::Expired,
    ];

    /// Its name in CloudWatch.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::Awaited => "Awaited",
            Self::Refused => "Refused",
            Self::Delivered => "Delivered",
            Self::Undelivered => "Undelivered",
            Self::TimeToReceipt => "TimeToReceipt",
            Self::Failovers => "Failovers",
            Self::Silent => "Silent",
            Self::CircuitOpened => "CircuitOpened",
            Self::CircuitClosed => "CircuitClosed",
            Self::PassedOver => "PassedOver",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
        }
    }

    /// Its unit in CloudWatch.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::TimeToReceipt => "Milliseconds",
            _ => "Count",
        }
    }
}

/// The gateway that a number is of, in whichever version, as it is named in CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// As text: `deployment`, or owner and gateway with a slash between; `none` for no gateway.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Via> for Label {
    fn from(via: &Via) -> Self {
        Self(
            via.gateway.as_ref().map_or_else(
                || via.shown().to_owned(),
                |named| format!("{}/{}", named.owner.as_str(), named.id),
            ),
        )
    }
}

impl From<Option<&Via>> for Label {
    fn from(via: Option<&Via>) -> Self {
        via.map_or_else(|| Self(NONE.to_owned()), Self::from)
    }
}

impl From<&HealthKey> for Label {
    fn from(key: &HealthKey) -> Self {
        let mut parts = key.name().split('/');
        Self(match (parts.next(), parts.next()) {
            (Some("own"), Some(id)) => format!("{}/{id}", key.tenant),
            (Some(owner), Some(id)) => format!("{owner}/{id}"),
            _ => key.name().to_owned(),
        })
    }
}

/// Counts one.
pub fn count(metric: Metric, gateway: impl Into<Label>, country: Option<Country>) {
    emit(metric, 1, &gateway.into(), country);
}

/// Times one.
pub fn time(metric: Metric, gateway: impl Into<Label>, country: Option<Country>, took: Duration) {
    emit(metric, u64::try_from(took.as_millis()).unwrap_or(u64::MAX), &gateway.into(), country);
}

fn emit(metric: Metric, value: u64, gateway: &Label, country: Option<Country>) {
    tracing::info!(
        target: TARGET,
        metric = metric.as_str(),
        unit = metric.unit(),
        value,
        gateway = gateway.as_str(),
        country = country.map_or(NONE, Country::as_str),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::gateway::Owner;
    use otpost_domain::ids::{GatewayId, TenantId};
    use otpost_domain::message::{GatewayName, Sender};

    #[test]
    fn a_label_names_owner_and_gateway_and_no_version() {
        let via = |owner| Via {
            gateway: Some(GatewayName { owner, id: GatewayId::try_from("texts").unwrap(), version: 7 }),
            sender: Sender::Twilio,
        };
        let acme = via(Owner::Tenant(TenantId::try_from("acme").unwrap()));
        let platforms = via(Owner::Platform);
        for (via, name) in [(acme, "acme/texts"), (platforms, "platform/texts"), (Via::OWN, "deployment")] {
            assert_eq!(Label::from(&via).as_str(), name);
            assert_eq!(
                Label::from(&HealthKey::of(&TenantId::try_from("acme").unwrap(), &via)).as_str(),
                name
            );
        }
        assert_eq!(Label::from(None).as_str(), "none");
    }

    #[test]
    fn names_are_told_apart() {
        let names: std::collections::BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.as_str()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
    }
}
