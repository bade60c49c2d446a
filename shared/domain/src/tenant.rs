//! Tenants, and the users in them.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::confirmation::Provenance;
use crate::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use crate::directory::ExternalId;
use crate::ids::{DirectoryId, JobId, TenantId, UserId};
use crate::job::{Job, JobState};
use crate::plain::plain;
use crate::provisioning::Automatic;
use crate::time::{ClockOffset, Timestamp};

/// An organisation whose users, keys and messages stand apart from all others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, never changed.
    pub id: TenantId,
    /// The name that its users see in mails, pages and authenticator apps.
    pub name: DisplayName,
    /// Whether it is for tests: codes that are sent to its users can be read through the API. Said when it is made, and never
    /// changed.
    pub test: bool,
    /// By what clock its codes are judged; the true one unless it is for tests. Said when it is made, and never changed.
    pub clock: ClockOffset,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which of its data keys new secrets are sealed under, from 1 up.
    pub key_version: u8,
}

/// How long the id of a deleted tenant stays taken once the last of it is erased: longer than a queue keeps a body that
/// names it.
pub const ID_RETENTION: Duration = Duration::from_hours(30 * 24);

/// What is left of a deleted tenant: its id, and how far the erasure of its rows is. Nothing that it was called, and
/// nothing of its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its id.
    pub id: TenantId,
    /// When it was deleted, its data keys with it.
    pub deleted_at: Timestamp,
    /// The job that erases its rows.
    pub job: JobId,
    /// Which round of it.
    pub round: u8,
    /// The rows of all tenants that were looked at so far.
    pub rows_seen: u64,
    /// The tenant's rows that were deleted so far.
    pub rows_deleted: u64,
    /// When the job's last step was done.
    pub updated_at: Timestamp,
    /// When the last of it was gone.
    pub erased_at: Option<Timestamp>,
}

impl From<&Job> for Tombstone {
    /// Of a tenant that `job` erases. The job was made by the deletion.
    fn from(job: &Job) -> Self {
        Self {
            id: job.tenant.clone(),
            deleted_at: job.created_at,
            job: job.id.clone(),
            round: job.round,
            rows_seen: job.seen,
            rows_deleted: job.changed,
            updated_at: job.updated_at,
            erased_at: (job.state == JobState::Done).then_some(job.updated_at),
        }
    }
}

impl Tombstone {
    /// From when on the id may be given again; not known before the last of the tenant is erased.
    #[must_use]
    pub fn free_at(&self) -> Option<Timestamp> {
        self.erased_at.map(|erased| erased.plus(ID_RETENTION))
    }

    /// Whether the id may be given again, and nothing tells of the tenant any more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.free_at().is_some_and(|free| free <= now)
    }
}

/// What the list of tenants has under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// A tenant.
    Tenant(Tenant),
    /// What is left of one.
    Deleted(Tombstone),
}

impl Listed {
    /// The id.
    #[must_use]
    pub const fn id(&self) -> &TenantId {
        match self {
            Self::Tenant(tenant) => &tenant.id,
            Self::Deleted(tombstone) => &tombstone.id,
        }
    }
}

/// Groups that one user may be in.
pub const MOST_GROUPS: usize = 200;

/// A group of the company's directory, by its name: 1 to 128 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(String);

/// What was given is no group's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 characters without control characters")]
pub struct InvalidGroupName;

impl GroupName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for GroupName {
    type Error = InvalidGroupName;

    fn try_from(text: &str) -> Result<Self, InvalidGroupName> {
        plain(text, 128).map(Self).ok_or(InvalidGroupName)
    }
}

/// The directory that keeps a user, and what it calls them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    /// The directory.
    pub directory: DirectoryId,
    /// Its id of the person.
    pub external_id: ExternalId,
}

/// A person who has, or is to have, tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The tenant they belong to.
    pub tenant: TenantId,
    /// The name under which the application knows them.
    pub id: UserId,
    /// How mails address them; their id where none is known.
    pub display_name: Option<DisplayName>,
    /// Where mails go.
    pub email: Option<EmailAddress>,
    /// Where texts go.
    pub phone: Option<PhoneNumber>,
    /// How the mail address came to them.
    pub email_since: Provenance,
    /// How the number came to them.
    pub phone_since: Provenance,
    /// The language of their messages; by policy where none is known.
    pub locale: Option<Locale>,
    /// The groups that they are in; policies may cover these.
    pub groups: BTreeSet<GroupName>,
    /// An inactive user's codes are refused like wrong ones.
    pub active: bool,
    /// That policy has given them a token by itself, while it covers them.
    pub automatic: Option<Automatic>,
    /// When their directory has told that they are gone, while their deletion waits for an operator's release.
    pub departed_at: Option<Timestamp>,
    /// Who keeps them, if it is a directory.
    pub directory: Option<Keeper>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// The name to address them by.
    #[must_use]
    pub fn name(&self) -> &str {
        self.display_name.as_ref().map_or(self.id.as_str(), DisplayName::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobKind, Stepped};

    #[test]
    fn an_id_is_free_a_month_after_the_last_of_its_tenant_is_gone() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let tenant = TenantId::try_from("acme").unwrap();
        let job = Job::new(JobId::new(now, [1; 10]), tenant, JobKind::Erase, now);
        let later = now.plus(Duration::from_hours(1));
        let job = job.stepped(Stepped { seen: 9, changed: 4, next: None }, later);
        let tombstone = Tombstone::from(&job);
        assert_eq!((tombstone.deleted_at, tombstone.updated_at, tombstone.round), (now, later, 2));
        assert_eq!((tombstone.rows_seen, tombstone.rows_deleted), (9, 4));
        assert_eq!((tombstone.erased_at, tombstone.free_at()), (None, None));
        assert!(!tombstone.is_over(now.plus(ID_RETENTION * 9)), "while rows are left, the id is taken");
        let tombstone = Tombstone::from(&job.stepped(Stepped::default(), later));
        assert_eq!(tombstone.erased_at, Some(later));
        assert!(!tombstone.is_over(now.plus(ID_RETENTION)));
        assert!(tombstone.is_over(later.plus(ID_RETENTION)));
    }
}
