//! A change of a gateway, with what it means for others of the same owner.

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::gateway::Gateway;
use otpost_domain::ids::GatewayId;
use otpost_domain::time::Timestamp;

use super::Effect;
use crate::caller::Keeper;
use crate::ports::{
    Configuration as _, GatewayChange, GatewayStore as _, Journal, Owned, PortResult, Ports, Write,
};

/// The gateways whose PIN goes where this one's mails go, without it, if that is another place than before.
pub(super) fn voided(owned: &Owned, id: &GatewayId, next: Option<&Gateway>, now: Timestamp) -> Vec<Gateway> {
    let destination = owned.find(id).map(Gateway::destination);
    if destination.is_some() && destination == next.map(Gateway::destination) {
        return Vec::new();
    }
    let carried = owned.gateways.iter().filter(|other| other.carrier() == Some(id) && other.id != *id);
    carried.filter(|other| other.credentials.is_some()).map(|other| other.without_credentials(now)).collect()
}

/// A change to be written.
pub(super) struct Step<'a> {
    pub(super) saved: Option<&'a Gateway>,
    pub(super) deleted: Option<&'a Gateway>,
    pub(super) voided: &'a [Gateway],
    pub(super) told: AuditEntry,
}

/// Writes a change; stale when any of the owner's gateways has changed since they were read.
pub(super) async fn write(
    ports: &impl Ports,
    keeper: &Keeper,
    owned: &Owned,
    step: Step<'_>,
) -> PortResult<Write> {
    let voided = step.voided.iter().map(|gateway| AuditEntry {
        detail: Effect::Voided.audited(),
        ..keeper.audit(ports, Action::GatewayChanged, &gateway.id)
    });
    let journal = Journal { also: voided.collect(), ..Journal::from(step.told) };
    let change = GatewayChange {
        owner: &keeper.owner,
        seen: owned.changes,
        saved: step.saved.into_iter().chain(step.voided).collect(),
        deleted: step.deleted,
        journal: &journal,
    };
    let written = ports.store().change_gateways(&change).await;
    ports.configuration().forget_gateways(&keeper.owner);
    written
}

pub(super) fn former(current: Option<&Gateway>) -> impl Iterator<Item = String> {
    current.and_then(|current| current.credentials.as_ref()).map(|held| held.reference.clone()).into_iter()
}

/// The secrets of gateways whose PIN was voided.
pub(super) fn gone(owned: &Owned, voided: &[Gateway]) -> Vec<String> {
    voided.iter().flat_map(|gateway| former(owned.find(&gateway.id))).collect()
}

/// The owner's gateways once the change is written.
pub(super) fn after(before: Vec<Gateway>, next: &Gateway, voided: &[Gateway]) -> Vec<Gateway> {
    let changed =
        |gateway: &Gateway| gateway.id == next.id || voided.iter().any(|other| other.id == gateway.id);
    let mut all: Vec<_> = before.into_iter().filter(|gateway| !changed(gateway)).collect();
    all.extend(voided.iter().cloned());
    all.push(next.clone());
    all
}
