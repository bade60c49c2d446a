//! Users, as the API keeps them. What policy asks for when they change comes with the change: see `automatic`.

use std::collections::BTreeSet;

use otpost_domain::audit::Action;
use otpost_domain::confirmation::Provenance;
use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::ids::UserId;
use otpost_domain::tenant::{GroupName, User};

use crate::automatic::{Draft, Gate, settle};
use crate::caller::Caller;
use crate::once::Once;
use crate::ports::{
    ChallengeStore as _, Clock as _, MarkChange, Page, PageRequest, PortError, PortResult, Ports,
    TokenStore as _, UserStore as _, Write,
};

/// What is known of a user besides their id.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// How mails address them.
    pub display_name: Option<DisplayName>,
    /// Where mails go.
    pub email: Option<EmailAddress>,
    /// Where texts go.
    pub phone: Option<PhoneNumber>,
    /// The language of their messages; by policy unless given.
    pub locale: Option<Locale>,
    /// The groups that they are in.
    pub groups: BTreeSet<GroupName>,
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
    pub locale: Option<Option<Locale>>,
    /// The groups that they are in, all of them.
    pub groups: Option<BTreeSet<GroupName>>,
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
    /// The user is not in the version that the caller has seen.
    #[error("the user has changed since they were read")]
    Changed,
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
    once: Once<'_, User>,
) -> Result<User, UserError> {
    let now = ports.clock().now();
    let Profile { display_name, email, phone, locale, groups } = profile;
    let user = User {
        tenant: caller.tenant.clone(),
        id,
        display_name,
        email,
        phone,
        email_since: Provenance::default(),
        phone_since: Provenance::default(),
        locale,
        groups,
        active: true,
        automatic: None,
        departed_at: None,
        directory: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let draft = Draft { user, was: None, action: Action::UserCreated, mark: None };
    settle(ports, caller, draft, &mut Gate::default(), once).await?.ok_or(UserError::Exists)
}

/// Looks a user up.
///
/// # Errors
/// When the tenant has no such user, or a port fails.
pub async fn user(ports: &impl Ports, caller: &Caller, id: &UserId) -> Result<User, UserError> {
    ports.store().user(&caller.tenant, id).await?.ok_or(UserError::NoSuchUser)
}

/// Lists the users of the caller's tenant whose ids begin with `start`, by id.
///
/// # Errors
/// When a port fails.
pub async fn users(
    ports: &impl Ports,
    caller: &Caller,
    start: &str,
    page: &PageRequest,
) -> PortResult<Page<User>> {
    ports.store().users(&caller.tenant, start, page).await
}

/// Changes a user, if they are still in the version `seen` where one is given.
///
/// # Errors
/// When the tenant has no such user, they have changed, others change them at the same time, or a port fails.
pub async fn change_user(
    ports: &impl Ports,
    caller: &Caller,
    id: &UserId,
    change: Change,
    seen: Option<u64>,
) -> Result<User, UserError> {
    let mut gate = Gate::default();
    for _ in 0..3 {
        let mut user = user(ports, caller, id).await?;
        if seen.is_some_and(|seen| seen != user.version) {
            return Err(UserError::Changed);
        }
        let was = user.clone();
        let Change { display_name, email, phone, locale, groups, active } = change.clone();
        user.display_name = display_name.unwrap_or(user.display_name);
        user.email = email.unwrap_or(user.email);
        user.phone = phone.unwrap_or(user.phone);
        user.locale = locale.unwrap_or(user.locale);
        user.groups = groups.unwrap_or(user.groups);
        user.active = active.unwrap_or(user.active);
        // Whoever switches a user on again has decided that they are not gone.
        user.departed_at = user.departed_at.filter(|_| !user.active);
        user.updated_at = ports.clock().now();
        user.version += 1;
        let draft = Draft { user, was: Some(was), action: Action::UserChanged, mark: None };
        if let Some(user) = settle(ports, caller, draft, &mut gate, Once::not_kept()).await? {
            return Ok(user);
        }
    }
    Err(UserError::Busy)
}

/// Deletes a user with all their tokens, if they are still in the version `seen` where one is given; links on their
/// way die with them.
///
/// # Errors
/// When the tenant has no such user, they have changed, others change them at the same time, or a port fails. Asked
/// again, it goes on where it stopped.
pub async fn delete_user(
    ports: &impl Ports,
    caller: &Caller,
    id: &UserId,
    seen: Option<u64>,
) -> Result<(), UserError> {
    delete_marked(ports, caller, id, seen, None).await
}

/// The same, remembering with it that a directory has told so.
pub(crate) async fn delete_marked(
    ports: &impl Ports,
    caller: &Caller,
    id: &UserId,
    seen: Option<u64>,
    mark: Option<&MarkChange>,
) -> Result<(), UserError> {
    for _ in 0..3 {
        let user = user(ports, caller, id).await?;
        if seen.is_some_and(|seen| seen != user.version) {
            return Err(UserError::Changed);
        }
        // Those that live first: one that is revoked after this makes the deletion stale, one before is found below.
        let tokens = ports.store().tokens(&caller.tenant, id).await?;
        forget_revoked(ports, caller, id).await?;
        let mut journal = caller.journal(ports, Action::UserDeleted);
        journal.audit.user = Some(id.clone());
        if ports.store().delete_user(&user, &tokens, mark, &journal).await? == Write::Done {
            ports.store().end_challenges(&caller.tenant, id).await?;
            return Ok(());
        }
    }
    Err(UserError::Busy)
}

/// One transaction has room for so many revoked tokens and their pointers.
const FORGOTTEN_AT_ONCE: usize = 40;
/// More takes too long for one request; the next goes on.
const FORGETTINGS: usize = 25;

async fn forget_revoked(ports: &impl Ports, caller: &Caller, id: &UserId) -> Result<(), UserError> {
    let request = PageRequest { limit: FORGOTTEN_AT_ONCE, after: None };
    for _ in 0..FORGETTINGS {
        let page = ports.store().revoked_tokens(&caller.tenant, id, &request).await?;
        if page.items.is_empty() {
            return Ok(());
        }
        let mut journal = caller.journal(ports, Action::TokensForgotten);
        journal.audit.user = Some(id.clone());
        // Overtaken by the same deletion elsewhere: the next look tells what is left.
        let _ = ports.store().forget_revoked(&page.items, &journal).await?;
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
        ports.with_tenant("acme").await;
        let caller = operator("acme");
        let made = create_user(&ports, &caller, jane(), Profile::default(), Once::not_kept()).await.unwrap();
        assert_eq!((made.active, made.version), (true, 1));
        let again = create_user(&ports, &caller, jane(), Profile::default(), Once::not_kept()).await;
        assert!(matches!(again, Err(UserError::Exists)));

        let email = EmailAddress::try_from("jane@example.org").unwrap();
        let change = Change { email: Some(Some(email.clone())), active: Some(false), ..Change::default() };
        let changed = change_user(&ports, &caller, &jane(), change, None).await.unwrap();
        assert_eq!((changed.email, changed.active, changed.version), (Some(email), false, 2));
        let cleared = Change { email: Some(None), ..Change::default() };
        assert_eq!(change_user(&ports, &caller, &jane(), cleared, None).await.unwrap().email, None);

        delete_user(&ports, &caller, &jane(), None).await.unwrap();
        let gone = delete_user(&ports, &caller, &jane(), None).await;
        assert!(matches!(gone, Err(UserError::NoSuchUser)));
        assert_eq!(ports.actions(), ["user.created", "user.changed", "user.changed", "user.deleted"]);
    }

    #[tokio::test]
    async fn the_owner_of_an_old_address_is_told() {
        use crate::ports::MessageStore as _;
        use otpost_domain::confirmation::SILENCE;
        use otpost_domain::template::TemplateKind;
        let ports = MemoryPorts::new();
        ports.with_tenant("acme").await;
        let caller = operator("acme");
        let email = |text: &str| EmailAddress::try_from(text).unwrap();
        let profile = Profile { email: Some(email("jane@example.org")), ..Profile::default() };
        create_user(&ports, &caller, jane(), profile, Once::not_kept()).await.unwrap();
        let change = Change { email: Some(Some(email("other@example.com"))), ..Change::default() };
        let changed = change_user(&ports, &caller, &jane(), change, None).await.unwrap();
        assert!(!changed.email_since.is_confirmed(ports.clock().now()));
        assert!(changed.email_since.is_confirmed(ports.clock().now().plus(SILENCE)));
        let page = PageRequest { limit: 9, after: None };
        let written = ports.store().messages_of(&caller.tenant, &jane(), &page).await.unwrap().items;
        assert_eq!(written.len(), 1);
        assert_eq!(
            (written[0].purpose, written[0].recipient.as_str()),
            (TemplateKind::ChangedAddress, "j***@e***.org")
        );
        let renamed = Change { display_name: Some(None), ..Change::default() };
        let same = change_user(&ports, &caller, &jane(), renamed, None).await.unwrap();
        assert_eq!(same.email_since, changed.email_since, "another change confirms nothing");
        assert_eq!(ports.store().messages_of(&caller.tenant, &jane(), &page).await.unwrap().items.len(), 1);
    }

    #[tokio::test]
    async fn another_tenants_user_is_not_there() {
        let ports = MemoryPorts::new();
        create_user(&ports, &operator("acme"), jane(), Profile::default(), Once::not_kept()).await.unwrap();
        assert!(matches!(user(&ports, &operator("other"), &jane()).await, Err(UserError::NoSuchUser)));
    }
}
