//! Mail addresses that are written to no more: shown, and cleared.

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::suppression::{AddressKey, Suppression};

use crate::caller::Caller;
use crate::ports::{Page, PageRequest, PortError, PortResult, Ports, SuppressionStore as _, Write};

/// Why an address was not cleared.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// It is not on the list.
    #[error("there is no address of this key on the list")]
    NoSuchAddress,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A tenant's list, in the order of the keys.
///
/// # Errors
/// When a port fails.
pub async fn suppressions(
    ports: &impl Ports,
    caller: &Caller,
    page: &PageRequest,
) -> PortResult<Page<Suppression>> {
    ports.store().suppressions(&caller.tenant, page).await
}

/// Takes an address off the list: mails go to it again.
///
/// # Errors
/// When it is not on the list, or a port fails.
pub async fn clear(ports: &impl Ports, caller: &Caller, key: &AddressKey) -> Result<(), SuppressionError> {
    let mut journal = caller.journal(ports, Action::SuppressionCleared);
    journal.audit = AuditEntry { address: Some(key.clone()), ..journal.audit };
    match ports.store().clear_suppression(&caller.tenant, key, &journal).await? {
        Write::Done => Ok(()),
        Write::Stale => Err(SuppressionError::NoSuchAddress),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Delivered, deliver};
    use crate::memory::{MemoryPorts, operator, pushed};
    use crate::ports::{Clock as _, MessageStore as _};
    use otpost_domain::contact::EmailAddress;
    use otpost_domain::message::{Message, MessageStatus};
    use otpost_domain::suppression::Cause;

    #[tokio::test]
    async fn mails_go_to_a_cleared_address_again() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        let caller = operator("acme");
        let message = ports.store().message(&reference).await.unwrap().unwrap();
        let suppression = Suppression {
            tenant: caller.tenant.clone(),
            address: EmailAddress::try_from("jane@example.org").unwrap(),
            cause: Cause::HardBounce,
            why: "550 5.1.1".to_owned(),
            message: reference.id.clone(),
            at: ports.clock().now(),
        };
        let key = suppression.key();
        assert_eq!(message.address, Some(key.clone()));
        assert!(matches!(clear(&ports, &caller, &key).await, Err(SuppressionError::NoSuchAddress)));
        assert_eq!(ports.store().suppress(&suppression).await.unwrap(), Write::Done);
        let first = PageRequest { limit: 9, after: None };
        assert_eq!(suppressions(&ports, &caller, &first).await.unwrap().items, [suppression]);

        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Closed);
        let failed = ports.store().message(&reference).await.unwrap().unwrap();
        assert_eq!(failed.status, MessageStatus::Failed);
        let why = failed.reason.unwrap();
        assert!(why.contains("suppression list") && why.contains("550 5.1.1"), "{why}");

        clear(&ports, &caller, &key).await.unwrap();
        let told = ports.last_audited().unwrap();
        assert_eq!(
            (told.action, told.address, told.actor),
            (Action::SuppressionCleared, Some(key), caller.actor)
        );
        let again = Message { version: failed.version + 1, ..message };
        assert_eq!(ports.store().save_message(&again).await.unwrap(), Write::Done);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    }
}
