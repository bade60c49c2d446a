//! What the use cases need of the world, by role. `otpost-aws` implements these on AWS, `memory` for tests; the
//! suites in `contract` say what both must keep.
//!
//! Every change takes the [`Journal`] that tells of it and writes both in one atomic step, or neither. A change of
//! something versioned is refused as [`Write::Stale`] when the stored version is not the one that it replaces, so a
//! use case reads, decides, writes, and begins again when it was overtaken.

mod challenges;
mod configuration;
mod directories;
mod erasure;
mod gateways;
mod helpdesk;
mod jobs;
mod messages;
mod templates;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use otpost_domain::apikey::{ApiKey, SecretHash};
use otpost_domain::audit::AuditEntry;
use otpost_domain::directory::Mark;
use otpost_domain::enrolment::Enrolment;
use otpost_domain::ids::{BearerCode, BearerHash, KeyId, PolicyId, Serial, TenantId, UserId};
use otpost_domain::message::{Channel, Message};
use otpost_domain::tenant::{Keeper, Listed, Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{SealedSeed, Token};
use otpost_domain::verification::{Acceptance, AuthRow, Refusal};
use zeroize::Zeroizing;

pub use challenges::{Again, Asked, ChallengeStore, NewCode};
pub use configuration::{CONFIGURATION_LIFE, Configuration, PolicyStore};
pub use directories::{Counted, DirectoryStore, MassChangeStore, MassChanges};
pub use erasure::ErasureStore;
pub use gateways::{
    CREDENTIALS_LIFE, CredentialReader, CredentialStore, GatewayChange, GatewaySecret, GatewayStore, Owned,
};
pub use helpdesk::{CodeRead, HelpdeskStore, PasswordText, Share, ShareLeft};
pub use jobs::{JobQueue, JobRef, JobStore};
pub use messages::{
    Circumstances, DeadLetter, DeadLetters, DeliveryQueue, Due, HEALTH_LIFE, Heard, MessageRef, MessageStore,
    Saved, SuppressionStore,
};
pub use templates::TemplateStore;

use crate::tallies::Tallies;

/// The ports together, as a function's `main` composes them.
pub trait Ports: Send + Sync {
    /// All state.
    type Store: Store;
    /// What operators have configured.
    type Configuration: Configuration;
    /// The way to `deliver`, to the senders, and to what works off jobs; and what could not be worked off.
    type Queue: DeliveryQueue + JobQueue + DeadLetters;
    /// Where gateways' credentials lie.
    type Credentials: CredentialStore + CredentialReader;
    /// What seals and opens secrets.
    type Sealer: Sealer;
    /// The time.
    type Clock: Clock;
    /// Randomness.
    type Entropy: Entropy;

    /// All state.
    fn store(&self) -> &Self::Store;
    /// What operators have configured.
    fn configuration(&self) -> &Self::Configuration;
    /// The way to `deliver`, to the senders, and to what works off jobs.
    fn queue(&self) -> &Self::Queue;
    /// Where gateways' credentials lie.
    fn credentials(&self) -> &Self::Credentials;
    /// What seals and opens secrets.
    fn sealer(&self) -> &Self::Sealer;
    /// The time.
    fn clock(&self) -> &Self::Clock;
    /// Randomness.
    fn entropy(&self) -> &Self::Entropy;
    /// What this process has seen of gateways.
    fn tallies(&self) -> &Tallies;
    /// What links begin with; no slash at its end.
    ///
    /// # Errors
    /// When this function was not given it.
    fn public_url(&self) -> PortResult<&str>;
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Lets some time pass.
    fn pause(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Gives random bytes, fit for secrets.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// An array of random bytes.
    fn array<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A new bearer code.
    fn bearer_code(&self) -> BearerCode {
        let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(self.array());
        BearerCode::new(&bytes)
    }
}

/// Why a port did not do its work. Says nothing of what was asked: the source is logged once, at the border.
#[derive(Debug)]
pub struct PortError {
    /// What kind of trouble.
    pub kind: Fault,
    source: Box<dyn Error + Send + Sync>,
}

/// Kinds of trouble with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Asked too much at once; later is better.
    Throttled,
    /// Not reachable, or in trouble itself; later may be better.
    Unavailable,
    /// Not allowed or not there: the deployment is wrong.
    Misconfigured,
    /// What is stored cannot be read or opened.
    Corrupt,
    /// The tenant was deleted, and its keys with it.
    Gone,
}

impl Fault {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::Unavailable => true,
            Self::Misconfigured | Self::Corrupt | Self::Gone => false,
        }
    }
}

impl PortError {
    /// An error of `kind`, caused by `source`.
    pub fn new(kind: Fault, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind, source: source.into() }
    }

    /// The error and its source on one line, for the log.
    #[must_use]
    pub fn chain(&self) -> String {
        format!("{self}: {}", self.source)
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Fault::Throttled => "a service that Otpost needs is throttling",
            Fault::Unavailable => "a service that Otpost needs is not available",
            Fault::Misconfigured => "a service that Otpost needs refused the call",
            Fault::Corrupt => "a stored record cannot be read",
            Fault::Gone => "the tenant was deleted",
        })
    }
}

impl Error for PortError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a stale write wrote nothing"]
pub enum Write {
    /// Written, with its audit entry.
    Done,
    /// Something else was written before: nothing was changed.
    Stale,
}

/// What is written in the same atomic step as a change: the audit entry that tells of it, and the answer that a
/// repeated request will get.
#[derive(Clone, Debug)]
pub struct Journal {
    /// Who did what, when.
    pub audit: AuditEntry,
    /// What else came with it.
    pub also: Vec<AuditEntry>,
    /// The answer, when the request asked for it to be kept. The step is refused as stale when the request's slot is
    /// somebody else's by now.
    pub answer: Option<KeptAnswer>,
}

impl From<AuditEntry> for Journal {
    fn from(audit: AuditEntry) -> Self {
        Self { audit, also: Vec::new(), answer: None }
    }
}

/// How long an answer is kept for repeated requests, from the beginning of the try that made it.
pub const ANSWER_LIFE: Duration = Duration::from_hours(24);
/// How long a request has its slot to itself; longer than a function may run.
pub const SLOT_LEASE: Duration = Duration::from_secs(15);

/// Where the answer to one request is kept (`Idempotency-Key`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The tenant in which the request acts.
    pub tenant: TenantId,
    /// Digest of who asks and of their key.
    pub id: BearerHash,
    /// Digest of the request: the same key with another request is a mistake.
    pub request: BearerHash,
    /// Who holds the slot: other for every try.
    pub holder: String,
    /// When this try began.
    pub at: Timestamp,
}

/// An answer on its way into its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Where.
    pub slot: Slot,
    /// What.
    pub content: AnswerContent,
}

/// An answer as it lies in storage.
#[derive(Clone, PartialEq, Eq)]
pub enum AnswerContent {
    /// Sealed under the tenant's key.
    Sealed(Vec<u8>),
    /// In clear: it tells nothing secret, and its tenant has no key yet.
    Clear(Vec<u8>),
}

impl fmt::Debug for AnswerContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sealed(_) => "Sealed(…)",
            Self::Clear(_) => "Clear(…)",
        })
    }
}

/// What was found in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "only who holds the slot may go on"]
pub enum Reserved {
    /// It is the holder's, until the lease ends.
    Held,
    /// An earlier try is still at it.
    Running {
        /// How long its lease lasts.
        until: Timestamp,
    },
    /// An earlier try has made this answer.
    Answered(AnswerContent),
    /// The key was used for another request.
    OtherRequest,
}

/// Slots for answers.
pub trait AnswerStore: Send + Sync {
    /// Takes the slot for its holder, if it is free or its last holder's lease is over; one request.
    fn reserve(&self, slot: &Slot) -> impl Future<Output = PortResult<Reserved>> + Send;
    /// Frees the slot again, if it is still the holder's: nothing was done.
    fn release(&self, slot: &Slot) -> impl Future<Output = PortResult<()>> + Send;
}

/// Signatures' nonces.
pub trait NonceStore: Send + Sync {
    /// Takes a nonce of a device for `holder`, who is another for every request; stale when somebody else has taken
    /// it. Forgotten after `until`.
    fn take_nonce(
        &self,
        device: &BearerHash,
        nonce: &str,
        holder: &str,
        until: Timestamp,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// At most so many items, 1 to 100.
    pub limit: usize,
    /// The last key of the page before.
    pub after: Option<String>,
}

/// Part of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins, when there is one.
    pub next: Option<String>,
}

/// All state.
pub trait Store:
    TenantStore
    + ErasureStore
    + KeyStore
    + PolicyStore
    + GatewayStore
    + TemplateStore
    + UserStore
    + TokenStore
    + EnrolmentStore
    + VerificationStore
    + MessageStore
    + AnswerStore
    + NonceStore
    + JobStore
    + DirectoryStore
    + MassChangeStore
    + SuppressionStore
    + ChallengeStore
    + HelpdeskStore
{
}

impl<S> Store for S where
    S: TenantStore
        + ErasureStore
        + KeyStore
        + PolicyStore
        + GatewayStore
        + TemplateStore
        + UserStore
        + TokenStore
        + EnrolmentStore
        + VerificationStore
        + MessageStore
        + AnswerStore
        + NonceStore
        + JobStore
        + DirectoryStore
        + MassChangeStore
        + SuppressionStore
        + ChallengeStore
        + HelpdeskStore
{
}

/// A tenant's data key, wrapped by the key service; the bytes mean something to the [`Sealer`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey(pub Vec<u8>);

/// Tenants.
pub trait TenantStore: Send + Sync {
    /// Makes a tenant with its wrapped data key; stale when the id is taken, by a tenant or by what is left of one.
    fn create_tenant(
        &self,
        tenant: &Tenant,
        key: &WrappedKey,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Gives a tenant its next data key, version `version`; stale when the version before is not the current one.
    fn add_tenant_key(
        &self,
        tenant: &TenantId,
        version: u8,
        key: &WrappedKey,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// One tenant, unless it was deleted.
    fn tenant(&self, id: &TenantId) -> impl Future<Output = PortResult<Option<Tenant>>> + Send;
    /// All tenants, and what is left of deleted ones, by id.
    fn tenants(&self, page: &PageRequest) -> impl Future<Output = PortResult<Page<Listed>>> + Send;
}

/// API keys.
pub trait KeyStore: Send + Sync {
    /// Makes a key; stale when its id is taken.
    fn create_key(&self, key: &ApiKey, journal: &Journal) -> impl Future<Output = PortResult<Write>> + Send;
    /// One key, revoked ones too.
    fn key(&self, id: &KeyId) -> impl Future<Output = PortResult<Option<ApiKey>>> + Send;
    /// A tenant's keys, by id.
    fn keys(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<ApiKey>>> + Send;
    /// Makes a key in the place of `old`, which ends when it says; stale when the new id is taken, or the old key has been
    /// revoked or given another end since `seen` was read.
    fn replace_key(
        &self,
        key: &ApiKey,
        old: &ApiKey,
        seen: &ApiKey,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Revokes a key; stale when there is none or it was revoked before.
    fn revoke_key(
        &self,
        id: &KeyId,
        at: Timestamp,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// The deployment's own key.
pub trait PlatformKey: Send + Sync {
    /// The hash of its secret; `None` where this function does not take it.
    fn secret_hash(&self) -> impl Future<Output = PortResult<Option<SecretHash>>> + Send;
}

/// A token that is made for a user, or one of theirs whose first link is sent.
#[derive(Debug)]
pub struct TokenChange {
    /// The token.
    pub token: Token,
    /// Whether it is new.
    pub is_new: bool,
    /// Its link and the message that carries it.
    pub sent: Option<(Enrolment, Message)>,
}

/// What is remembered of a person of a directory.
#[derive(Clone, Debug)]
pub struct MarkChange {
    /// Who.
    pub keeper: Keeper,
    /// Of version 1 to be made, else to replace the version before.
    pub mark: Mark,
    /// When it may be forgotten, if the person is gone.
    pub until: Option<Timestamp>,
}

/// A user's new state, with what follows from it.
#[derive(Debug)]
pub struct UserChange<'a> {
    /// The user: of version 1 to be made, else to replace the version before.
    pub user: &'a User,
    /// The policies that their auth row is to name.
    pub stamp: &'a [PolicyId],
    /// A token that is made for them, or whose first link is sent.
    pub token: Option<&'a TokenChange>,
    /// Their tokens that end.
    pub revoked: &'a [Token],
    /// What the owners of their old addresses are told.
    pub notices: &'a [Message],
    /// What is remembered of what their directory has told.
    pub mark: Option<&'a MarkChange>,
    /// What is written with it.
    pub journal: &'a Journal,
}

/// Users.
pub trait UserStore: Send + Sync {
    /// Makes a user and their auth row (a decoy makes room), or changes both, with what follows; stale when the id is
    /// taken, or the user, a token or the mark has changed.
    fn save_user(&self, change: &UserChange<'_>) -> impl Future<Output = PortResult<Write>> + Send;
    /// Notes that a code which went to an address of theirs came back; stale when that address is no longer one to be
    /// confirmed.
    fn confirm_address(
        &self,
        tenant: &TenantId,
        user: &UserId,
        channel: Channel,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// A tenant's users whose ids begin with `start`, by id. One who was made or deleted a moment ago may be missed, or
    /// still listed.
    fn users(
        &self,
        tenant: &TenantId,
        start: &str,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<User>>> + Send;
    /// Makes a user's auth row name these policies; stale when it does already, or there is no such user. One request.
    fn restamp(
        &self,
        tenant: &TenantId,
        user: &UserId,
        stamp: &[PolicyId],
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// One user.
    fn user(&self, tenant: &TenantId, id: &UserId) -> impl Future<Output = PortResult<Option<User>>> + Send;
    /// Deletes this version of a user, their auth row, and these tokens with their serials' pointers; stale when
    /// the user or one of the tokens has changed. Revoked tokens go before: see [`TokenStore::forget_revoked`].
    fn delete_user(
        &self,
        user: &User,
        tokens: &[Token],
        mark: Option<&MarkChange>,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// What became of a provisioning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only Done wrote anything"]
pub enum Provisioning {
    /// Written.
    Done,
    /// The serial is another token's.
    SerialTaken,
    /// The user is gone, or in another version.
    Stale,
}

/// A push: the token's new state, its new link, the message that carries it.
#[derive(Debug)]
pub struct Push<'a> {
    /// The token, enrolling with the new link.
    pub token: &'a Token,
    /// The new link.
    pub enrolment: &'a Enrolment,
    /// The link that it supersedes.
    pub superseded: Option<&'a BearerHash>,
    /// The message, to be delivered.
    pub message: &'a Message,
    /// What is written with it.
    pub journal: &'a Journal,
}

/// An activation: the token's new state and the used link.
#[derive(Debug)]
pub struct Activation<'a> {
    /// The token, active.
    pub token: &'a Token,
    /// The link, used.
    pub enrolment: &'a Enrolment,
    /// The step or counter of the first code: the replay floor from the start.
    pub step: u64,
    /// The drift that the first code showed.
    pub drift: i32,
    /// What is written with it.
    pub journal: &'a Journal,
}

/// Tokens.
pub trait TokenStore: Send + Sync {
    /// Adds a new token to this version of its user, and moves that version on: of all who saw the same tokens, one
    /// adds or deletes.
    fn provision(
        &self,
        token: &Token,
        user_version: u64,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Provisioning>> + Send;
    /// One token by its serial.
    fn token(
        &self,
        tenant: &TenantId,
        serial: &Serial,
    ) -> impl Future<Output = PortResult<Option<Token>>> + Send;
    /// A user's tokens that are not revoked, by serial.
    fn tokens(&self, tenant: &TenantId, user: &UserId)
    -> impl Future<Output = PortResult<Vec<Token>>> + Send;
    /// A user's revoked tokens, by serial.
    fn revoked_tokens(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Token>>> + Send;
    /// Deletes revoked tokens of one user with their serials' pointers, at most 40.
    fn forget_revoked(
        &self,
        tokens: &[Token],
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Writes a token that was suspended, resumed, revoked, or whose device has told something new. What decides
    /// verifications follows in the same step: suspension stops it there and keeps its replay floor, revocation takes
    /// it away. Stale when the token has changed.
    fn change_token(
        &self,
        token: &Token,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Puts the same seed, sealed under a newer key, in the place of `old`; stale when that is not there any more.
    fn reseal(
        &self,
        token: &Token,
        old: &SealedSeed,
        new: &SealedSeed,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Writes a push in one step; stale when the token has changed.
    fn push(&self, push: &Push<'_>) -> impl Future<Output = PortResult<Write>> + Send;
    /// Writes an activation in one step; stale when the token, the link or the user has changed.
    fn activate(&self, activation: &Activation<'_>) -> impl Future<Output = PortResult<Write>> + Send;
}

/// Enrolments.
pub trait EnrolmentStore: Send + Sync {
    /// One enrolment by its link's hash.
    fn enrolment(&self, link: &BearerHash) -> impl Future<Output = PortResult<Option<Enrolment>>> + Send;
    /// Replaces the version before `enrolment.version`.
    fn save_enrolment(
        &self,
        enrolment: &Enrolment,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// What is known of a user when a code comes in.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// The row that decides; an empty one for a user who does not exist.
    pub auth: AuthRow,
    /// Whether the user exists. A decoy's row stands in for one who does not.
    pub is_user: bool,
    /// Their tokens that are not revoked.
    pub tokens: Vec<Token>,
}

/// What became of the one write of a verification.
#[derive(Clone, Debug)]
#[must_use = "only Done wrote anything"]
pub enum AuthWrite {
    /// Written.
    Done,
    /// The row has moved on, to this; nothing was written.
    Moved(AuthRow),
}

/// Whose row decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A user, or somebody who might be one.
    User(UserId),
    /// A serial that is no token's: only ever a decoy.
    NoToken(Serial),
}

/// Verifications: one read, one conditional write (fixed budget).
pub trait VerificationStore: Send + Sync {
    /// Whose token a serial is; one request.
    fn owner(
        &self,
        tenant: &TenantId,
        serial: &Serial,
    ) -> impl Future<Output = PortResult<Option<UserId>>> + Send;
    /// Reads all that decides, strongly consistent, in one request; the same request for a user who does not exist.
    fn standing(
        &self,
        tenant: &TenantId,
        subject: &Subject,
    ) -> impl Future<Output = PortResult<Standing>> + Send;
    /// Accepts a code, as [`Acceptance`] says. Done, too, when this very acceptance was written before.
    fn accept(
        &self,
        tenant: &TenantId,
        user: &UserId,
        acceptance: &Acceptance,
    ) -> impl Future<Output = PortResult<AuthWrite>> + Send;
    /// The same for a resynchronisation, with its audit entry.
    fn resync(
        &self,
        tenant: &TenantId,
        user: &UserId,
        acceptance: &Acceptance,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Counts a failure, as [`Refusal`] says; on a decoy row, which goes away by itself, when `is_user` is false.
    /// Done, too, when this very refusal was counted before.
    fn refuse(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        refusal: &Refusal,
        is_user: bool,
    ) -> impl Future<Output = PortResult<AuthWrite>> + Send;
    /// Forgets a user's failures; stale when there is no such user.
    fn unlock(
        &self,
        tenant: &TenantId,
        user: &UserId,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// What a sealed record is; part of what it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// A token's seed; the record is its serial.
    TokenSeed,
    /// An enrolment session's seed; the record is the session's hash.
    SessionSeed,
    /// A message's content; the record is its id.
    MessageContent,
    /// The hash of an enrolment's authorization code; the record is the link's hash.
    AuthorizationCode,
    /// The device id that a verification issued; the record is the request.
    IssuedSource,
    /// A kept answer; the record is its slot.
    Answer,
    /// What a challenge's id says; the record is `challenge`.
    ChallengeId,
    /// What it takes to write a challenge's message again; the record is `challenge`.
    ChallengeOrder,
    /// What makes a device known to challenges; the record is the user.
    KnownDevice,
    /// What stands for a recipient where there is none; the record is the name that was given.
    Decoy,
    /// The key of a URL at which a provider tells of a hop; the record is the message's id and the hop's number.
    ReceiptKey,
}

impl RecordKind {
    /// As it enters the associated data.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenSeed => "token-seed",
            Self::SessionSeed => "session-seed",
            Self::MessageContent => "message-content",
            Self::AuthorizationCode => "authorization-code",
            Self::IssuedSource => "issued-source",
            Self::Answer => "answer",
            Self::ChallengeId => "challenge-id",
            Self::ChallengeOrder => "challenge-order",
            Self::KnownDevice => "known-device",
            Self::Decoy => "decoy",
            Self::ReceiptKey => "receipt-key",
        }
    }
}

/// Seals secrets under a tenant's key, bound to tenant, record and kind: elsewhere they do not open.
pub trait Sealer: Send + Sync {
    /// A new data key for a tenant, wrapped.
    fn new_tenant_key(&self, tenant: &TenantId) -> impl Future<Output = PortResult<WrappedKey>> + Send;
    /// Forgets what it holds of a tenant's keys, because they have changed.
    fn forget(&self, tenant: &TenantId);
    /// Whether `sealed` was sealed under the tenant's current key.
    fn is_current(&self, tenant: &TenantId, sealed: &[u8]) -> impl Future<Output = PortResult<bool>> + Send;
    /// Does the work of [`Sealer::open`] for nothing, so that the answer for a user without a token takes as long.
    fn burn(&self, tenant: &TenantId) -> impl Future<Output = PortResult<()>> + Send;
    /// Seals `secret` under the tenant's current key.
    fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> impl Future<Output = PortResult<Vec<u8>>> + Send;
    /// 32 bytes that follow from the record under the tenant's first key, and tell nothing of it: the same each time.
    fn derive(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
    ) -> impl Future<Output = PortResult<[u8; 32]>> + Send;
    /// Opens what [`Sealer::seal`] made for the same tenant, kind and record; corrupt otherwise.
    fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> impl Future<Output = PortResult<Zeroizing<Vec<u8>>>> + Send;
}
