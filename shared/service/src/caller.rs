//! On whose behalf a use case runs.

use otpost_domain::audit::{Action, Actor, AuditEntry};
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{AuditId, GatewayId, TenantId};
use otpost_domain::time::{ClockOffset, Timestamp};

use crate::ports::{Clock, Entropy, Journal, Ports};

/// The tenant in which something happens and who makes it happen.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
    /// By what clock codes are judged.
    pub clock: ClockOffset,
}

impl Caller {
    /// Somebody in a tenant, by the true clock.
    #[must_use]
    pub const fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor, clock: ClockOffset::NONE }
    }

    /// When something happens to a code.
    pub fn now(&self, ports: &impl Ports) -> Timestamp {
        ports.clock().now().by(self.clock)
    }

    /// The journal of a change by this caller, to be completed with what it concerns.
    pub fn journal(&self, ports: &impl Ports, action: Action) -> Journal {
        Journal::from(AuditEntry { tenant: Some(self.tenant.clone()), ..entry(ports, &self.actor, action) })
    }
}

/// On whose behalf gateways are kept: a tenant's, or the platform's.
#[derive(Clone, Debug)]
pub struct Keeper {
    /// Whose gateways they are.
    pub owner: Owner,
    /// Who.
    pub actor: Actor,
}

impl Keeper {
    /// What is to be told of a change of a gateway.
    pub(crate) fn audit(&self, ports: &impl Ports, action: Action, gateway: &GatewayId) -> AuditEntry {
        AuditEntry {
            tenant: self.owner.tenant().cloned(),
            gateway: Some(gateway.clone()),
            ..entry(ports, &self.actor, action)
        }
    }
}

fn entry(ports: &impl Ports, actor: &Actor, action: Action) -> AuditEntry {
    let at = ports.clock().now();
    AuditEntry {
        id: AuditId::new(at, ports.entropy().array()),
        tenant: None,
        at,
        actor: actor.clone(),
        action,
        user: None,
        serial: None,
        key: None,
        message: None,
        policy: None,
        gateway: None,
        template: None,
        address: None,
        operator: None,
        reason: None,
        detail: None,
    }
}
