//! Audit entries. One lies in the same write as each change that it tells of.
//!
//! A verification's entry is the user's row itself: it holds when and with which token the last code was accepted,
//! and when the last one was refused, so that accepting a code stays one write.

use crate::ids::{AuditId, KeyId, MessageId, Serial, TenantId, UserId};
use crate::time::Timestamp;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The deployment's own key.
    Platform,
    /// A tenant's key.
    Key(KeyId),
    /// Whoever holds the enrolment link.
    LinkHolder,
    /// Otpost itself.
    System,
}

impl Actor {
    /// As stored and shown.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Platform => "platform".to_owned(),
            Self::Key(id) => format!("key:{id}"),
            Self::LinkHolder => "link".to_owned(),
            Self::System => "system".to_owned(),
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tenant was made.
    TenantCreated,
    /// A key was made.
    KeyCreated,
    /// A key was revoked.
    KeyRevoked,
    /// A user was made.
    UserCreated,
    /// A user was changed.
    UserChanged,
    /// A user was deleted, with their tokens.
    UserDeleted,
    /// A token was provisioned.
    TokenProvisioned,
    /// A token's link was sent.
    TokenPushed,
    /// Somebody pressed the link's button: a session with a seed of its own was opened.
    EnrolmentStarted,
    /// A session gave a wrong first code.
    EnrolmentCodeRefused,
    /// The first right code activated a token.
    TokenActivated,
}

impl Action {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantCreated => "tenant.created",
            Self::KeyCreated => "key.created",
            Self::KeyRevoked => "key.revoked",
            Self::UserCreated => "user.created",
            Self::UserChanged => "user.changed",
            Self::UserDeleted => "user.deleted",
            Self::TokenProvisioned => "token.provisioned",
            Self::TokenPushed => "token.pushed",
            Self::EnrolmentStarted => "enrolment.started",
            Self::EnrolmentCodeRefused => "enrolment.code_refused",
            Self::TokenActivated => "token.activated",
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id, which sorts by time.
    pub id: AuditId,
    /// The tenant in which it happened.
    pub tenant: TenantId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The user whom it concerns.
    pub user: Option<UserId>,
    /// The token that it concerns.
    pub serial: Option<Serial>,
    /// The key that it concerns.
    pub key: Option<KeyId>,
    /// The message that it concerns.
    pub message: Option<MessageId>,
}
