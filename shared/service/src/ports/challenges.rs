//! Challenges: what their stores must do.

use std::future::Future;

use otpost_domain::challenge::{Addressee, Challenge, Generation, Guess, Guessed, Place, SourceClass};
use otpost_domain::ids::{BearerHash, TenantId, UserId};
use otpost_domain::message::Message;
use otpost_domain::template::CodePurpose;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;

use super::{Journal, KeptAnswer, PortResult, Write};

/// What is known when somebody asks for a code.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The tenant, unless it was deleted.
    pub tenant: Option<Tenant>,
    /// The user, if it is one.
    pub user: Option<User>,
    /// The devices that the user's verifications have made known.
    pub sources: Vec<BearerHash>,
    /// The challenge of known sources.
    pub known: Option<Challenge>,
    /// The challenge of strangers.
    pub strangers: Option<Challenge>,
}

impl Asked {
    /// The challenge of a class of sources.
    #[must_use]
    pub const fn at(&self, source: SourceClass) -> Option<&Challenge> {
        match source {
            SourceClass::Known => self.known.as_ref(),
            SourceClass::Stranger => self.strangers.as_ref(),
        }
    }
}

/// A code that takes the place of the one before it.
#[derive(Debug)]
pub struct NewCode<'a> {
    /// As it is to be. Its failures are not written: where the code before was used they begin at zero, else they go on.
    pub challenge: &'a Challenge,
    /// The one before, as it was read. Stale when another has taken its place since, it was sent again since, or it has been
    /// used where it was not.
    pub replaces: Option<&'a Challenge>,
    /// The message that carries it.
    pub message: &'a Message,
    /// What is written into the audit log with it, where it is audited.
    pub journal: Option<&'a Journal>,
    /// The answer to be kept.
    pub answer: Option<&'a KeptAnswer>,
}

/// A code that is sent once more.
#[derive(Debug)]
pub struct Again<'a> {
    /// As it was read. Stale when it was sent again since, was used, has taken all its guesses, or gave way to another.
    pub seen: &'a Challenge,
    /// As it is to be. Guesses and failures are not written.
    pub after: &'a Challenge,
    /// The message that carries it; none where nothing is sent, and only the answer is kept.
    pub message: Option<&'a Message>,
    /// What is written into the audit log with it, where it is audited.
    pub journal: Option<&'a Journal>,
    /// The answer to be kept.
    pub answer: Option<&'a KeptAnswer>,
    /// When.
    pub at: Timestamp,
}

/// Challenges: a row for each place; see [`otpost_domain::challenge`].
pub trait ChallengeStore: Send + Sync {
    /// Reads all that decides about a code that is asked for, as it is now, in one request: the same for users who do not
    /// exist.
    fn asked(
        &self,
        tenant: &TenantId,
        addressee: &Addressee,
        purpose: CodePurpose,
    ) -> impl Future<Output = PortResult<Asked>> + Send;
    /// The challenge that lies at a place.
    fn challenge(
        &self,
        tenant: &TenantId,
        place: &Place,
    ) -> impl Future<Output = PortResult<Option<Challenge>>> + Send;
    /// Writes a new code with its message; all or nothing, in one request.
    fn new_code(
        &self,
        tenant: &TenantId,
        code: &NewCode<'_>,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Writes that a code is sent again, with its message; all or nothing, in one request.
    fn send_code_again(
        &self,
        tenant: &TenantId,
        again: &Again<'_>,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Counts a guess as [`Challenge::judge`] says, in one request.
    fn guess(
        &self,
        tenant: &TenantId,
        place: &Place,
        guess: &Guess,
    ) -> impl Future<Output = PortResult<Guessed>> + Send;
    /// Ends a code: no guess is accepted from now on. One that was used, or is over, stays as it is. Stale when it was
    /// another, or there is none. One request.
    fn end_challenge(
        &self,
        tenant: &TenantId,
        place: &Place,
        generation: Generation,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Ends all codes of a user, by whatever clock they are judged: they expired in 1970.
    fn end_challenges(&self, tenant: &TenantId, user: &UserId)
    -> impl Future<Output = PortResult<()>> + Send;
    /// Forgets a user's wrong codes, in all places.
    fn forget_wrong_codes(
        &self,
        tenant: &TenantId,
        user: &UserId,
    ) -> impl Future<Output = PortResult<()>> + Send;
}
