//! On whose behalf a use case runs.

use otpost_domain::audit::{Action, Actor, AuditEntry};
use otpost_domain::ids::{AuditId, TenantId};

use crate::ports::{Clock, Entropy, Journal, Ports};

/// The tenant in which something happens and who makes it happen.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
}

impl Caller {
    /// The journal of a change by this caller, to be completed with what it concerns.
    pub fn journal(&self, ports: &impl Ports, action: Action) -> Journal {
        let at = ports.clock().now();
        Journal::from(AuditEntry {
            id: AuditId::new(at, ports.entropy().array()),
            tenant: self.tenant.clone(),
            at,
            actor: self.actor.clone(),
            action,
            user: None,
            serial: None,
            key: None,
            message: None,
            policy: None,
            reason: None,
            detail: None,
        })
    }
}
