//! The helpdesk: what its store must do.

use std::future::Future;

use otpost_domain::challenge::{Generation, Guess, Guessed, Place};
use otpost_domain::helpdesk::Operator;
use otpost_domain::ids::TenantId;
use otpost_domain::message::Message;
use otpost_domain::time::Timestamp;

use super::{Journal, PortResult, Write};

/// What is counted when the helpdesk sends something.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// The tenant.
    pub tenant: &'a TenantId,
    /// Whose key it is, as the audit log names it.
    pub key: &'a str,
    /// Who acts. Spelt otherwise in upper and lower case, it is the same.
    pub operator: &'a Operator,
    /// The hour, counted from 1970.
    pub hour: u64,
    /// What the one who acts may send in it.
    pub most: u32,
    /// What all may who share the key.
    pub most_of_key: u32,
}

/// Whether a share was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only Counted may send"]
pub enum ShareLeft {
    /// It was, and is counted.
    Counted,
    /// The one who acts has sent all they may. Nothing is counted.
    Operators,
    /// All together have who share the key. Nothing is counted.
    Keys,
}

/// What became of a code that was read back rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only Accepted was written"]
pub enum CodeRead {
    /// It was accepted, now or when the same request came before.
    Accepted {
        /// When.
        at: Timestamp,
    },
    /// It was used, has expired, or gave way to another.
    Refused,
    /// It has taken all the guesses that it takes.
    Exhausted,
}

impl From<Guessed> for CodeRead {
    fn from(guessed: Guessed) -> Self {
        match guessed {
            Guessed::Accepted { at, .. } => Self::Accepted { at },
            Guessed::Wrong | Guessed::Over => Self::Refused,
            Guessed::Exhausted => Self::Exhausted,
        }
    }
}

/// A new password's text.
#[derive(Debug)]
pub struct PasswordText<'a> {
    /// Where the code lies that was read back.
    pub place: &'a Place,
    /// Which one it was.
    pub generation: Generation,
    /// The message.
    pub message: &'a Message,
    /// What is written with it.
    pub journal: &'a Journal,
}

/// What the helpdesk sends.
pub trait HelpdeskStore: Send + Sync {
    /// Counts what is about to be sent, unless one of the limits is reached. One request.
    fn count_share(&self, share: &Share<'_>) -> impl Future<Output = PortResult<ShareLeft>> + Send;
    /// Counts a guess that is right, as [`super::ChallengeStore::guess`] does, and writes its journal where it is accepted, not
    /// where it was before; all or nothing. One request, and another where it is not accepted.
    fn read_back(
        &self,
        tenant: &TenantId,
        place: &Place,
        guess: &Guess,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<CodeRead>> + Send;
    /// Writes a password's message, and that the code was spent on it; all or nothing, in one request. Stale when that code
    /// was not read back, gave way to another, or was spent before.
    fn send_password(
        &self,
        tenant: &TenantId,
        text: &PasswordText<'_>,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}
