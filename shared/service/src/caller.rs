//! On whose behalf a use case runs.

use otpost_domain::audit::{Action, Actor, AuditEntry};
use otpost_domain::ids::{AuditId, TenantId};

use crate::ports::{Clock, Entropy, Ports};

/// The tenant in which something happens and who makes it happen.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: TenantId,
    /// Who.
    pub actor: Actor,
}

impl Caller {
    /// An audit entry of this caller's, to be completed with what it concerns.
    pub fn audit(&self, ports: &impl Ports, action: Action) -> AuditEntry {
        let at = ports.clock().now();
        AuditEntry {
            id: AuditId::new(at, ports.entropy().array()),
            tenant: self.tenant.clone(),
            at,
            actor: self.actor.clone(),
            action,
            user: None,
            serial: None,
            key: None,
            message: None,
        }
    }
}
