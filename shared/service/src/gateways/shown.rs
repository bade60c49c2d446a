//! Gateways as they are shown.

use std::sync::Arc;

use otpost_domain::gateway::{Advice, Gateway, Owner, Reach};
use otpost_domain::ids::GatewayId;

use super::GatewayError;
use crate::caller::Keeper;
use crate::ports::{GatewayStore as _, Page, PageRequest, PortResult, Ports};

/// A gateway, and what follows from it and the others of its owner.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The gateway.
    pub gateway: Gateway,
    /// Whether it can send.
    pub ready: bool,
    /// What is weak, cannot work, or has no effect.
    pub advice: Vec<Advice>,
    /// Whether it is out of the tenant's reach, because that has one of the same id.
    pub hidden: bool,
}

impl Shown {
    /// `gateway` among those of its owner.
    pub(super) fn of(gateway: Gateway, owned: &[Gateway]) -> Self {
        let mut advice = gateway.advice();
        let told = gateway.carrier_trouble(owned);
        advice.extend(told.map(|told| Advice { pointer: "/settings/via", told }));
        Self { ready: gateway.is_ready_among(owned), gateway, advice, hidden: false }
    }
}

/// Looks a gateway up: one of the keeper's own, or for a tenant one of the platform that serves it.
///
/// # Errors
/// When there is none, or a port fails.
pub async fn gateway(ports: &impl Ports, keeper: &Keeper, id: &GatewayId) -> Result<Shown, GatewayError> {
    let all = all(ports, keeper).await?;
    all.into_iter().find(|shown| shown.gateway.id == *id).ok_or(GatewayError::NoSuchGateway)
}

/// Lists the keeper's gateways by id, and for a tenant then those of the platform that serve it.
///
/// # Errors
/// When a port fails.
pub async fn gateways(ports: &impl Ports, keeper: &Keeper, request: &PageRequest) -> PortResult<Page<Shown>> {
    let place = |shown: &Shown| {
        // Own ones first: `0` sorts before `1`.
        let lent = u8::from(shown.gateway.owner != keeper.owner);
        format!("{lent}#{}", shown.gateway.id)
    };
    let all = all(ports, keeper).await?;
    let rest =
        all.into_iter().filter(|shown| request.after.as_ref().is_none_or(|after| place(shown) > *after));
    let mut items: Vec<_> = rest.take(request.limit.saturating_add(1)).collect();
    let more = items.len() > request.limit;
    items.truncate(request.limit);
    let next = items.last().filter(|_| more).map(place);
    Ok(Page { items, next })
}

/// Few enough to be read at once: an owner has a limited number.
async fn all(ports: &impl Ports, keeper: &Keeper) -> PortResult<Vec<Shown>> {
    let own = ports.store().owned(&keeper.owner).await?.gateways;
    let mut all: Vec<_> = own.iter().map(|gateway| Shown::of(gateway.clone(), &own)).collect();
    if let Owner::Tenant(tenant) = &keeper.owner {
        let platforms: Arc<[Gateway]> = ports.store().owned(&Owner::Platform).await?.gateways.into();
        let reach = Reach::new(tenant.clone(), own.into(), Arc::clone(&platforms));
        let lent = reach
            .lent()
            .map(|lent| Shown { hidden: reach.hides(lent), ..Shown::of(lent.clone(), &platforms) });
        all.extend(lent);
    }
    Ok(all)
}
