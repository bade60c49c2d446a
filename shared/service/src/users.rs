//! Users, as the API keeps them. (A directory will use the same.)

use otpost_domain::audit::Action;
use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::ids::UserId;
use otpost_domain::tenant::User;

use crate::caller::Caller;
use crate::ports::{Clock as _, PortError, Ports, TokenStore as _, UserStore as _, Write};

/// What is known of a user besides their id.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// How mails address them.
    pub display_name: Option<DisplayName>,
    /// Where mails go.
    pub email: Option<EmailAddress>,
    /// Where texts go.
    pub phone: Option<PhoneNumber>,
    /// The language of their messages.
    pub locale: Locale,
}

/// A change: what is `None` stays, what is `Some(None)` goes.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// How mails address them.
    pub display_name: Option<Option<DisplayName>>,
    /// Where mails go.
    pub email: Option<Option<EmailAddress>>,
    /// Where texts go.
    pub phone: Option<Option<PhoneNumber>>,
    /// The language of their messages.
    pub locale: Option<Locale>,
    /// Whether their codes are accepted.
    pub active: Option<bool>,
}

/// Why a user was not made, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The id is taken.
    #[error("there is a user of this id")]
    Exists,
    /// The tenant has no such user.
    #[error("there is no user of this id")]
    NoSuchUser,
    /// Others change the same user at the same time; nothing was changed.
    #[error("the user was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Makes an active user.
///
/// # Errors
/// When the id is taken, or a port fails.
pub async fn create_user(
    ports: &impl Ports,
    caller: &Caller,
    id: UserId,
    profile: Profile,
) -> Result<User, UserError> {
    let now = ports.clock().now();
    let Profile { display_name, email, phone, locale } = profile;
    let user = User {
        tenant: caller.tenant.clone(),
        id,
        display_name,
        email,
        phone,
        locale,
        active: true,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let mut audit = caller.audit(ports, Action::UserCreated);
    audit.user = Some(user.id.clone());
    match ports.store().create_user(&user, &audit).await? {
        Write::Done => Ok(user),
        Write::Stale => Err(UserError::Exists),
    }
}

/// Looks a user up.
///
/// # Errors
/// When the tenant has no such user, or a port fails.
pub async fn user(ports: &impl Ports, caller: &Caller, id: &UserId) -> Result<User, UserError> {
    ports.store().user(&caller.tenant, id).await?.ok_or(UserError::NoSuchUser)
}

/// Changes a user.
///
/// # Errors
/// When the tenant has no such user, others change it at the same time, or a port fails.
pub async fn change_user(
    ports: &impl Ports,
    caller: &Caller,
    id: &UserId,
    change: Change,
) -> Result<User, UserError> {
    for _ in 0..3 {
        let mut user = user(ports, caller, id).await?;
        let Change { display_name, email, phone, locale, active } = change.clone();
        user.display_name = display_name.unwrap_or(user.display_name);
        user.email = email.unwrap_or(user.email);
        user.phone = phone.unwrap_or(user.phone);
        user.locale = locale.unwrap_or(user.locale);
        user.active = active.unwrap_or(user.active);
        user.updated_at = ports.clock().now();
        user.version += 1;
        let mut audit = caller.audit(ports, Action::UserChanged);
        audit.user = Some(user.id.clone());
        if ports.store().update_user(&user, &audit).await? == Write::Done {
            return Ok(user);
        }
    }
    Err(UserError::Busy)
}

/// Deletes a user with all their tokens; links on their way die with them.
///
/// # Errors
/// When the tenant has no such user, others change it at the same time, or a port fails.
pub async fn delete_user(ports: &impl Ports, caller: &Caller, id: &UserId) -> Result<(), UserError> {
    for _ in 0..3 {
        let user = user(ports, caller, id).await?;
        let tokens = ports.store().tokens(&caller.tenant, id).await?;
        let mut audit = caller.audit(ports, Action::UserDeleted);
        audit.user = Some(id.clone());
        if ports.store().delete_user(&user, &tokens, &audit).await? == Write::Done {
            return Ok(());
        }
    }
    Err(UserError::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, operator};

    fn jane() -> UserId {
        UserId::try_from("jane").unwrap()
    }

    #[tokio::test]
    async fn a_user_is_made_changed_and_deleted() {
        let ports = MemoryPorts::new();
        let caller = operator("acme");
        let made = create_user(&ports, &caller, jane(), Profile::default()).await.unwrap();
        assert_eq!((made.active, made.version), (true, 1));
        let again = create_user(&ports, &caller, jane(), Profile::default()).await;
        assert!(matches!(again, Err(UserError::Exists)));

        let email = EmailAddress::try_from("jane@example.org").unwrap();
        let change = Change { email: Some(Some(email.clone())), active: Some(false), ..Change::default() };
        let changed = change_user(&ports, &caller, &jane(), change).await.unwrap();
        assert_eq!((changed.email, changed.active, changed.version), (Some(email), false, 2));
        let cleared = Change { email: Some(None), ..Change::default() };
        assert_eq!(change_user(&ports, &caller, &jane(), cleared).await.unwrap().email, None);

        delete_user(&ports, &caller, &jane()).await.unwrap();
        let gone = delete_user(&ports, &caller, &jane()).await;
        assert!(matches!(gone, Err(UserError::NoSuchUser)));
        assert_eq!(ports.actions(), ["user.created", "user.changed", "user.changed", "user.deleted"]);
    }

    #[tokio::test]
    async fn another_tenants_user_is_not_there() {
        let ports = MemoryPorts::new();
        create_user(&ports, &operator("acme"), jane(), Profile::default()).await.unwrap();
        assert!(matches!(user(&ports, &operator("other"), &jane()).await, Err(UserError::NoSuchUser)));
    }
}
