//! Tenants, and the users in them.

use std::collections::BTreeSet;

use crate::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use crate::directory::ExternalId;
use crate::ids::{DirectoryId, TenantId, UserId};
use crate::plain::plain;
use crate::provisioning::Automatic;
use crate::time::Timestamp;

/// An organisation whose users, keys and messages stand apart from all others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id, never changed.
    pub id: TenantId,
    /// The name that its users see in mails, pages and authenticator apps.
    pub name: DisplayName,
    /// When it was made.
    pub created_at: Timestamp,
    /// Which of its data keys new secrets are sealed under, from 1 up.
    pub key_version: u8,
    /// When it was deleted, its data keys with it; its id is not given again.
    pub deleted_at: Option<Timestamp>,
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
