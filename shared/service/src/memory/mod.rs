//! The ports in memory: state, not mocks. For tests of everything above the store; the contract suites hold these
//! and the DynamoDB ones to the same behaviour.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "support of tests: a broken assumption must end the test"
)]

mod challenges;
mod configuration;
mod directories;
mod erasure;
mod gateways;
mod helpdesk;
mod jobs;
mod messages;
mod provider;
mod templates;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use otpost_domain::apikey::ApiKey;
use otpost_domain::audit::{Actor, AuditEntry};
use otpost_domain::authorization::{AuthorizationCode, AuthorizationMode};
use otpost_domain::challenge::Challenge;
use otpost_domain::circuit::{Health, HealthKey};
use otpost_domain::contact::{DisplayName, EmailAddress};
use otpost_domain::directory::{Directory, Mark};
use otpost_domain::enrolment::{Enrolment, EnrolmentState};
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{
    BearerHash, DirectoryId, JobId, KeyId, MessageId, PolicyId, Serial, TenantId, UserId,
};
use otpost_domain::job::Job;
use otpost_domain::message::{Channel, Message, Sender, Verdict};
use otpost_domain::otp::{Algorithm, Code, Digits, Kind, OtpParameters, hotp, totp};
use otpost_domain::policy::Policy;
use otpost_domain::sealing::{self, Binding, DataKey};
use otpost_domain::secret::Seed;
use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_domain::template::{Brand, TemplateVersion};
use otpost_domain::tenant::{GroupName, Listed, Tenant, Tombstone, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{SealedSeed, Token, TokenState};
use otpost_domain::verification::{Acceptance, AuthRow, LiveToken, Refusal};
use zeroize::Zeroizing;

pub use provider::{Asked, ScriptedProvider};

use crate::caller::Caller;
use crate::content::Content;
use crate::once::Once;
use crate::ports::{
    ANSWER_LIFE, Activation, AnswerContent, AnswerStore, AuthWrite, Clock, DeadLetter, DeadLetters,
    DeliveryQueue, EnrolmentStore, Entropy, Fault, GatewaySecret, JobRef, Journal, KeyStore, MarkChange,
    MassChanges, MessageRef, MessageStore, NonceStore, Owned, Page, PageRequest, PortError, PortResult,
    Ports, Provisioning, Push, RecordKind, Reserved, SLOT_LEASE, Sealer, Slot, Standing, Subject,
    TenantStore, TokenStore, UserChange, UserStore, VerificationStore, WrappedKey, Write,
};
use crate::tallies::Tallies;

/// All ports in memory.
#[derive(Debug)]
pub struct MemoryPorts {
    store: MemoryStore,
    queue: MemoryQueue,
    sealer: MemorySealer,
    clock: ManualClock,
    entropy: CountingEntropy,
    tallies: Tallies,
}

impl Default for MemoryPorts {
    fn default() -> Self {
        let store = MemoryStore::default();
        Self {
            sealer: MemorySealer { store: store.clone(), nonces: CountingEntropy::default() },
            store,
            queue: MemoryQueue::default(),
            clock: ManualClock::default(),
            entropy: CountingEntropy::default(),
            tallies: Tallies::default(),
        }
    }
}

impl MemoryPorts {
    /// Empty ports at a fixed time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The last audit entry so far.
    #[must_use]
    pub fn last_audited(&self) -> Option<AuditEntry> {
        self.store.lock().audit.last().cloned()
    }

    /// All audit entries so far, in order.
    #[must_use]
    pub fn audited(&self) -> Vec<AuditEntry> {
        self.store.lock().audit.clone()
    }

    /// The audited actions so far, in order.
    #[must_use]
    pub fn actions(&self) -> Vec<&'static str> {
        self.store.lock().audit.iter().map(|entry| entry.action.as_str()).collect()
    }

    /// All that has happened, without random ids and times: two worlds of one shape are in the same state.
    #[must_use]
    pub fn shape(&self) -> String {
        let state = self.store.lock();
        let mut lines = Vec::new();
        lines.extend(state.tenants.values().map(|tenant| {
            let keys = state.data_keys.get(&tenant.id).map_or(0, BTreeMap::len);
            format!("tenant {} key {} of {keys}", tenant.id, tenant.key_version)
        }));
        lines.extend(
            state.tombstones.values().map(|tombstone| {
                format!("tombstone {} erased {}", tombstone.id, tombstone.erased_at.is_some())
            }),
        );
        lines.extend(state.keys.values().map(|key| {
            let (revoked, ends) = (key.revoked_at.is_some(), key.expires_at.is_some());
            format!("key {} revoked {revoked} ends {ends}", key.role.as_str())
        }));
        lines.extend(state.users.values().map(|user| {
            let name = user.display_name.as_ref().map_or("", DisplayName::as_str);
            let groups: Vec<_> = user.groups.iter().map(GroupName::as_str).collect();
            format!("user {} {name} active {} in {groups:?}", user.id, user.active)
        }));
        lines.extend(
            state.policies.values().map(|policy| format!("policy {} version {}", policy.id, policy.version)),
        );
        lines.extend(state.gateway_lines());
        lines.extend(state.templates.values().map(|version| {
            format!(
                "template {} version {} there {}",
                version.name,
                version.version,
                version.document.is_some()
            )
        }));
        lines.extend(state.brands.values().map(|brand| format!("look version {}", brand.version)));
        lines.extend(state.tokens.values().map(|token| {
            let push = token.device.as_ref().map(|device| device.now.push.as_str());
            format!("token of {} {} {push:?}", token.user, token.state.as_str())
        }));
        let row = |auth: &AuthRow| {
            let live: Vec<_> = auth.live.iter().map(|live| (live.last_step, live.suspended)).collect();
            let (known, strangers) = (auth.known_failures, auth.stranger_failures);
            let policies: Vec<_> = auth.policies.iter().map(PolicyId::as_str).collect();
            format!(
                "{live:?} failures {known} {strangers} sources {} policies {policies:?}",
                auth.sources.len()
            )
        };
        lines.extend(state.auth.iter().map(|((_, user), auth)| format!("auth {user} {}", row(auth))));
        lines.extend(state.decoys.values().map(|auth| format!("decoy {}", row(auth))));
        lines.extend(state.enrolments.values().map(|enrolment| {
            let wrong: Vec<_> = enrolment.sessions.iter().map(|session| session.wrong_codes).collect();
            let state = match enrolment.state {
                EnrolmentState::Open => "open",
                EnrolmentState::Used { .. } => "used",
                EnrolmentState::Superseded { .. } => "superseded",
            };
            format!("link of {} {state} sessions {wrong:?}", enrolment.user)
        }));
        lines.extend(state.messages.values().map(|message| {
            let sealed = message.content.is_some();
            let user = message.user.as_ref().map_or("an address", UserId::as_str);
            format!("message to {user} {} content {sealed}", message.status.as_str())
        }));
        lines.extend(
            state.jobs.values().map(|job| format!("job {} {}", job.kind.as_str(), job.state.as_str())),
        );
        lines.extend(state.audit.iter().map(|entry| format!("audit {}", entry.action.as_str())));
        lines.sort();
        lines.join("\n")
    }

    /// Makes a tenant whose name is its id with a capital.
    pub async fn with_tenant(&self, id: &str) {
        let mut name = id.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let caller = Caller { actor: Actor::Platform, ..operator(id) };
        let name = DisplayName::try_from(name.as_str()).expect("a name");
        let _made_before = crate::admin::create_tenant(self, &caller, name, Once::not_kept()).await;
        self.store.lock().audit.clear();
    }
}

impl Ports for MemoryPorts {
    type Store = MemoryStore;
    type Configuration = MemoryStore;
    type Queue = MemoryQueue;
    type Credentials = MemoryStore;
    type Sealer = MemorySealer;
    type Clock = ManualClock;
    type Entropy = CountingEntropy;

    fn store(&self) -> &MemoryStore {
        &self.store
    }
    fn configuration(&self) -> &MemoryStore {
        &self.store
    }
    fn queue(&self) -> &MemoryQueue {
        &self.queue
    }
    fn credentials(&self) -> &MemoryStore {
        &self.store
    }
    fn sealer(&self) -> &MemorySealer {
        &self.sealer
    }
    fn clock(&self) -> &ManualClock {
        &self.clock
    }
    fn entropy(&self) -> &CountingEntropy {
        &self.entropy
    }
    fn tallies(&self) -> &Tallies {
        &self.tallies
    }
    fn public_url(&self) -> PortResult<&str> {
        Ok("https://otp.example.org")
    }
}

/// A clock that moves when told; its clones tell the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Moment>>);

#[derive(Debug)]
struct Moment {
    now: Timestamp,
    /// What passes each time it is asked.
    pace: Duration,
}

impl Default for ManualClock {
    fn default() -> Self {
        let now = Timestamp::from_seconds(1_800_000_000);
        Self(Arc::new(Mutex::new(Moment { now, pace: Duration::ZERO })))
    }
}

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut moment = self.0.lock().expect("not poisoned");
        moment.now = moment.now.plus(by);
    }

    /// Lets so much time pass from now on each time that somebody asks for it.
    pub fn runs(&self, pace: Duration) {
        self.0.lock().expect("not poisoned").pace = pace;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        let mut moment = self.0.lock().expect("not poisoned");
        let now = moment.now;
        moment.now = now.plus(moment.pace);
        now
    }

    /// Time passes at once; others have their turn.
    async fn pause(&self, time: Duration) {
        self.advance(time);
        tokio::task::yield_now().await;
    }
}

/// Bytes that differ from call to call and are the same in every run.
#[derive(Clone, Debug, Default)]
pub struct CountingEntropy(Arc<Mutex<u64>>);

impl Entropy for CountingEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut count = self.0.lock().expect("not poisoned");
        for byte in bytes {
            // A linear congruential step: no strength, but no repetition either.
            *count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = count.to_be_bytes()[0];
        }
    }
}

/// What was put on a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queued {
    /// For `deliver`.
    Deliver(MessageRef),
    /// For `deliver`, later.
    Wake(MessageRef, Duration),
    /// For `receipts`.
    Tell(MessageRef, u16, Verdict, Duration),
    /// For what works off jobs.
    Work(JobRef, Duration),
    /// For a sender.
    Hand(Sender, MessageRef, u16, Duration),
}

/// Queues as one list, and the dead letters of two of them.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    entries: Mutex<VecDeque<Queued>>,
    dead: Mutex<Vec<Dead>>,
    failing: Mutex<bool>,
}

impl MemoryQueue {
    /// Takes all that was queued.
    pub fn take(&self) -> Vec<Queued> {
        self.entries.lock().expect("not poisoned").drain(..).collect()
    }

    /// Makes every later call fail, or work again.
    pub fn fail(&self, failing: bool) {
        *self.failing.lock().expect("not poisoned") = failing;
    }

    fn put(&self, entry: Queued) -> PortResult<()> {
        if *self.failing.lock().expect("not poisoned") {
            return Err(PortError::new(Fault::Unavailable, "the queue was told to fail"));
        }
        self.entries.lock().expect("not poisoned").push_back(entry);
        Ok(())
    }
}

#[derive(Debug)]
struct Dead {
    letter: DeadLetter,
    hidden: bool,
}

/// How many queues have dead letters.
const DEAD: usize = 2;
/// How many letters come at once.
const LETTERS: usize = 10;

impl MemoryQueue {
    /// Puts a letter among the dead ones of a queue, 0 or 1; with no message, one that does not read.
    pub fn bury(&self, source: usize, message: Option<MessageRef>) {
        let mut dead = self.dead.lock().expect("not poisoned");
        let last = dead.last().and_then(|dead| dead.letter.handle.parse::<usize>().ok());
        let handle = last.map_or(0, |last| last + 1).to_string();
        dead.push(Dead { letter: DeadLetter { message, source, handle }, hidden: false });
    }

    /// Shows letters again that somebody has looked at and neither discarded nor put back.
    pub fn time_passes(&self) {
        self.dead.lock().expect("not poisoned").iter_mut().for_each(|dead| dead.hidden = false);
    }

    /// The dead letters that others can see.
    pub fn buried(&self) -> Vec<DeadLetter> {
        let dead = self.dead.lock().expect("not poisoned");
        dead.iter().filter(|dead| !dead.hidden).map(|dead| dead.letter.clone()).collect()
    }
}

impl DeadLetters for MemoryQueue {
    async fn letters(&self, source: usize) -> PortResult<Option<Vec<DeadLetter>>> {
        if source >= DEAD {
            return Ok(None);
        }
        let mut dead = self.dead.lock().expect("not poisoned");
        let seen = dead.iter_mut().filter(|dead| dead.letter.source == source && !dead.hidden);
        let letters = seen.take(LETTERS).map(|dead| {
            dead.hidden = true;
            dead.letter.clone()
        });
        Ok(Some(letters.collect()))
    }

    async fn discard(&self, letters: &[DeadLetter]) -> PortResult<()> {
        self.dead.lock().expect("not poisoned").retain(|dead| !letters.contains(&dead.letter));
        Ok(())
    }

    async fn put_back(&self, letters: &[DeadLetter]) -> PortResult<()> {
        let mut dead = self.dead.lock().expect("not poisoned");
        dead.iter_mut().filter(|dead| letters.contains(&dead.letter)).for_each(|dead| dead.hidden = false);
        Ok(())
    }
}

impl DeliveryQueue for MemoryQueue {
    async fn deliver(&self, message: &MessageRef, delay: Duration) -> PortResult<()> {
        self.put(match delay {
            Duration::ZERO => Queued::Deliver(message.clone()),
            delay => Queued::Wake(message.clone(), delay),
        })
    }

    async fn tell(
        &self,
        message: &MessageRef,
        hop: u16,
        verdict: Verdict,
        delay: Duration,
    ) -> PortResult<()> {
        self.put(Queued::Tell(message.clone(), hop, verdict, delay))
    }

    async fn deliver_all(&self, messages: &[MessageRef]) -> PortResult<()> {
        messages.iter().try_for_each(|message| self.put(Queued::Deliver(message.clone())))
    }

    async fn hand(&self, sender: Sender, message: &MessageRef, hop: u16, delay: Duration) -> PortResult<()> {
        self.put(Queued::Hand(sender, message.clone(), hop, delay))
    }
}

/// The real sealing under tenants' keys, which lie in the store unwrapped.
#[derive(Debug, Default)]
pub struct MemorySealer {
    store: MemoryStore,
    nonces: CountingEntropy,
}

impl MemorySealer {
    fn key(&self, tenant: &TenantId, version: Option<u8>) -> PortResult<(u8, DataKey)> {
        let state = self.store.lock();
        let missing = || PortError::new(Fault::Corrupt, "the tenant has no data key");
        let gone = || PortError::new(Fault::Gone, "the tenant has no data keys");
        let keys = state.data_keys.get(tenant).ok_or_else(gone)?;
        let version = version.or_else(|| keys.keys().next_back().copied()).ok_or_else(missing)?;
        let key = keys.get(&version).ok_or_else(missing)?;
        let key =
            DataKey::try_from(key.0.as_slice()).map_err(|error| PortError::new(Fault::Corrupt, error))?;
        Ok((version, key))
    }
}

impl Sealer for MemorySealer {
    async fn new_tenant_key(&self, _: &TenantId) -> PortResult<WrappedKey> {
        Ok(WrappedKey(self.nonces.array::<32>().to_vec()))
    }

    fn forget(&self, _: &TenantId) {}

    async fn is_current(&self, tenant: &TenantId, sealed: &[u8]) -> PortResult<bool> {
        let version =
            sealing::key_version_of(sealed).map_err(|error| PortError::new(Fault::Corrupt, error))?;
        Ok(version == self.key(tenant, None)?.0)
    }

    async fn burn(&self, tenant: &TenantId) -> PortResult<()> {
        sealing::burn(&self.key(tenant, None)?.1);
        Ok(())
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        let (version, key) = self.key(tenant, None)?;
        Ok(sealing::seal(&key, version, &binding, self.nonces.array(), secret))
    }

    async fn derive(&self, tenant: &TenantId, kind: RecordKind, record: &str) -> PortResult<[u8; 32]> {
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        Ok(sealing::derive(&self.key(tenant, Some(1))?.1, &binding))
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        let corrupt = |error| PortError::new(Fault::Corrupt, error);
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        let version = sealing::key_version_of(sealed).map_err(corrupt)?;
        sealing::open(&self.key(tenant, Some(version))?.1, &binding, sealed).map_err(corrupt)
    }
}

type UserKey = (TenantId, UserId);

#[derive(Debug, Default)]
struct State {
    tenants: BTreeMap<TenantId, Tenant>,
    tombstones: BTreeMap<TenantId, Tombstone>,
    keys: BTreeMap<KeyId, ApiKey>,
    policies: BTreeMap<(TenantId, PolicyId), Policy>,
    templates: BTreeMap<(TenantId, String, u64), TemplateVersion>,
    brands: BTreeMap<TenantId, Brand>,
    gateways: BTreeMap<Owner, Owned>,
    gateways_read: BTreeMap<Owner, Owned>,
    noted: BTreeMap<String, GatewaySecret>,
    secrets: BTreeMap<String, BTreeMap<&'static str, String>>,
    users: BTreeMap<UserKey, User>,
    data_keys: BTreeMap<TenantId, BTreeMap<u8, WrappedKey>>,
    auth: BTreeMap<UserKey, AuthRow>,
    decoys: BTreeMap<(TenantId, Subject), AuthRow>,
    tokens: BTreeMap<(TenantId, Serial), Token>,
    enrolments: BTreeMap<BearerHash, Enrolment>,
    messages: BTreeMap<(TenantId, MessageId), Message>,
    health: BTreeMap<HealthKey, Health>,
    challenges: BTreeMap<challenges::Key, Challenge>,
    shares: helpdesk::Shares,
    suppressions: BTreeMap<(TenantId, AddressKey), Suppression>,
    /// Who has claimed which hop.
    claims: BTreeSet<((TenantId, MessageId), u16, String)>,
    answers: BTreeMap<(TenantId, BearerHash), (Slot, Option<AnswerContent>)>,
    jobs: BTreeMap<(TenantId, JobId), Job>,
    directories: BTreeMap<DirectoryId, Directory>,
    marks: BTreeMap<(TenantId, DirectoryId, String), Mark>,
    mass_changes: BTreeMap<TenantId, MassChanges>,
    nonces: BTreeMap<(BearerHash, String), (String, Timestamp)>,
    audit: Vec<AuditEntry>,
}

impl State {
    /// Whether the journal may be written: its slot, if it has one, is still its holder's.
    fn admits(&self, journal: &Journal) -> bool {
        journal.answer.as_ref().is_none_or(|answer| {
            let key = (answer.slot.tenant.clone(), answer.slot.id.clone());
            let held = self.answers.get(&key);
            held.is_some_and(|(slot, kept)| slot.holder == answer.slot.holder && kept.is_none())
        })
    }

    fn tokens_of(&self, tenant: &TenantId, user: &UserId) -> impl Iterator<Item = &Token> {
        self.tokens.values().filter(move |token| &token.tenant == tenant && &token.user == user)
    }

    fn write(&mut self, journal: &Journal) {
        self.audit.push(journal.audit.clone());
        self.audit.extend(journal.also.iter().cloned());
        if let Some(answer) = &journal.answer {
            let key = (answer.slot.tenant.clone(), answer.slot.id.clone());
            self.answers.insert(key, (answer.slot.clone(), Some(answer.content.clone())));
        }
    }
}

/// State behind one lock; its clones are the same store.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }
}

fn is_revoked(token: &Token) -> bool {
    matches!(token.state, TokenState::Revoked { .. })
}

fn page<T: Clone>(sorted: Vec<(String, T)>, request: &PageRequest) -> Page<T> {
    let rest =
        sorted.into_iter().skip_while(|(key, _)| request.after.as_ref().is_some_and(|after| key != after));
    let mut rest = rest.skip(usize::from(request.after.is_some())).peekable();
    let mut items = Vec::new();
    let mut last = None;
    while items.len() < request.limit {
        let Some((key, item)) = rest.next() else { break };
        items.push(item);
        last = Some(key);
    }
    let next = if rest.peek().is_some() { last } else { None };
    Page { items, next }
}

impl TenantStore for MemoryStore {
    async fn create_tenant(&self, tenant: &Tenant, key: &WrappedKey, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        let left = state.tombstones.get(&tenant.id).is_some_and(|left| !left.is_over(tenant.created_at));
        if !state.admits(journal) || state.tenants.contains_key(&tenant.id) || left {
            return Ok(Write::Stale);
        }
        state.tombstones.remove(&tenant.id);
        state.tenants.insert(tenant.id.clone(), tenant.clone());
        state.data_keys.entry(tenant.id.clone()).or_default().insert(1, key.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn add_tenant_key(
        &self,
        id: &TenantId,
        version: u8,
        key: &WrappedKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        match state.tenants.get_mut(id) {
            Some(tenant) if tenant.key_version.checked_add(1) == Some(version) => {
                tenant.key_version = version;
            }
            _ => return Ok(Write::Stale),
        }
        state.data_keys.entry(id.clone()).or_default().insert(version, key.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn tenant(&self, id: &TenantId) -> PortResult<Option<Tenant>> {
        Ok(self.lock().tenants.get(id).cloned())
    }

    async fn tenants(&self, request: &PageRequest) -> PortResult<Page<Listed>> {
        let state = self.lock();
        let live = state.tenants.iter().map(|(id, tenant)| (id.to_string(), Listed::Tenant(tenant.clone())));
        let left = state.tombstones.iter().map(|(id, left)| (id.to_string(), Listed::Deleted(left.clone())));
        let mut all: Vec<_> = live.chain(left).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(page(all, request))
    }
}

impl KeyStore for MemoryStore {
    async fn create_key(&self, key: &ApiKey, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        if state.keys.contains_key(&key.id) {
            return Ok(Write::Stale);
        }
        state.keys.insert(key.id.clone(), key.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn replace_key(
        &self,
        key: &ApiKey,
        old: &ApiKey,
        seen: &ApiKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || state.keys.contains_key(&key.id) || state.keys.get(&old.id) != Some(seen)
        {
            return Ok(Write::Stale);
        }
        state.keys.insert(old.id.clone(), old.clone());
        state.keys.insert(key.id.clone(), key.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn key(&self, id: &KeyId) -> PortResult<Option<ApiKey>> {
        Ok(self.lock().keys.get(id).cloned())
    }

    async fn keys(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<ApiKey>> {
        let state = self.lock();
        let own = state.keys.iter().filter(|(id, _)| &id.tenant() == tenant);
        Ok(page(own.map(|(id, key)| (id.to_string(), key.clone())).collect(), request))
    }

    async fn revoke_key(&self, id: &KeyId, at: Timestamp, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        match state.keys.get_mut(id) {
            Some(key) if key.revoked_at.is_none() => key.revoked_at = Some(at),
            _ => return Ok(Write::Stale),
        }
        state.write(journal);
        Ok(Write::Done)
    }
}

impl UserStore for MemoryStore {
    async fn save_user(&self, change: &UserChange<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        let user = change.user;
        let key = (user.tenant.clone(), user.id.clone());
        let stored = state.users.get(&key).map_or(0, |stored| stored.version);
        if !(state.admits(change.journal) && stored + 1 == user.version && state.allows(change)) {
            return Ok(Write::Stale);
        }
        state.follow(change);
        state.decoys.remove(&(user.tenant.clone(), Subject::User(user.id.clone())));
        let auth = state.auth.entry(key.clone()).or_default();
        auth.active = user.active;
        auth.policies = change.stamp.to_vec();
        auth.live.retain(|live| change.revoked.iter().all(|token| token.serial != live.serial));
        state.users.insert(key, user.clone());
        for notice in change.notices {
            state.messages.insert((notice.tenant.clone(), notice.id.clone()), notice.clone());
        }
        state.write(change.journal);
        Ok(Write::Done)
    }

    async fn confirm_address(
        &self,
        tenant: &TenantId,
        user: &UserId,
        channel: Channel,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        let Some(user) = state.users.get_mut(&(tenant.clone(), user.clone())) else {
            return Ok(Write::Stale);
        };
        let since = match channel {
            Channel::Email => &mut user.email_since,
            Channel::Sms => &mut user.phone_since,
        };
        if since.changed_at.is_none() || since.confirmed_at.is_some() {
            return Ok(Write::Stale);
        }
        since.confirmed_at = Some(journal.audit.at);
        user.version += 1;
        user.updated_at = journal.audit.at;
        state.write(journal);
        Ok(Write::Done)
    }

    async fn users(&self, tenant: &TenantId, start: &str, request: &PageRequest) -> PortResult<Page<User>> {
        let state = self.lock();
        let own = state.users.values().filter(|u| &u.tenant == tenant && u.id.as_str().starts_with(start));
        Ok(page(own.map(|user| (user.id.to_string(), user.clone())).collect(), request))
    }

    async fn restamp(&self, tenant: &TenantId, user: &UserId, stamp: &[PolicyId]) -> PortResult<Write> {
        match self.lock().auth.get_mut(&(tenant.clone(), user.clone())) {
            Some(auth) if auth.policies != stamp => auth.policies = stamp.to_vec(),
            _ => return Ok(Write::Stale),
        }
        Ok(Write::Done)
    }

    async fn user(&self, tenant: &TenantId, id: &UserId) -> PortResult<Option<User>> {
        Ok(self.lock().users.get(&(tenant.clone(), id.clone())).cloned())
    }

    async fn delete_user(
        &self,
        user: &User,
        tokens: &[Token],
        mark: Option<&MarkChange>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || mark.is_some_and(|mark| !state.replaces(&user.tenant, mark)) {
            return Ok(Write::Stale);
        }
        let key = (user.tenant.clone(), user.id.clone());
        let same_user = state.users.get(&key).is_some_and(|stored| stored.version == user.version);
        let same_tokens = tokens.iter().all(|token| {
            let stored = state.tokens.get(&(token.tenant.clone(), token.serial.clone()));
            stored.is_some_and(|stored| stored.version == token.version)
        });
        if !(same_user && same_tokens) {
            return Ok(Write::Stale);
        }
        state.users.remove(&key);
        state.auth.remove(&key);
        state.remember(&user.tenant, mark);
        for token in tokens {
            state.tokens.remove(&(token.tenant.clone(), token.serial.clone()));
        }
        state.write(journal);
        Ok(Write::Done)
    }
}

impl TokenStore for MemoryStore {
    async fn provision(&self, token: &Token, seen: u64, journal: &Journal) -> PortResult<Provisioning> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Provisioning::Stale);
        }
        let key = (token.tenant.clone(), token.serial.clone());
        let exists = state.tokens.contains_key(&key);
        match state.users.get_mut(&(token.tenant.clone(), token.user.clone())) {
            Some(user) if user.version == seen && !exists => user.version += 1,
            Some(user) if user.version == seen => return Ok(Provisioning::SerialTaken),
            _ => return Ok(Provisioning::Stale),
        }
        state.tokens.insert(key, token.clone());
        state.write(journal);
        Ok(Provisioning::Done)
    }

    async fn token(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<Token>> {
        Ok(self.lock().tokens.get(&(tenant.clone(), serial.clone())).cloned())
    }

    async fn tokens(&self, tenant: &TenantId, user: &UserId) -> PortResult<Vec<Token>> {
        let state = self.lock();
        Ok(state.tokens_of(tenant, user).filter(|token| !is_revoked(token)).cloned().collect())
    }

    async fn revoked_tokens(
        &self,
        tenant: &TenantId,
        user: &UserId,
        request: &PageRequest,
    ) -> PortResult<Page<Token>> {
        let state = self.lock();
        let own = state.tokens_of(tenant, user).filter(|token| is_revoked(token));
        Ok(page(own.map(|token| (token.serial.to_string(), token.clone())).collect(), request))
    }

    async fn forget_revoked(&self, tokens: &[Token], journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        let key = |token: &Token| (token.tenant.clone(), token.serial.clone());
        let there = tokens.iter().all(|token| state.tokens.get(&key(token)).is_some_and(is_revoked));
        if !(there && state.admits(journal)) {
            return Ok(Write::Stale);
        }
        for token in tokens {
            state.tokens.remove(&key(token));
        }
        state.write(journal);
        Ok(Write::Done)
    }

    async fn change_token(&self, token: &Token, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (token.tenant.clone(), token.serial.clone());
        let current = state.tokens.get(&key).is_some_and(|stored| stored.version + 1 == token.version);
        if !(current && state.admits(journal)) {
            return Ok(Write::Stale);
        }
        if let Some(auth) = state.auth.get_mut(&(token.tenant.clone(), token.user.clone())) {
            for live in auth.live.iter_mut().filter(|live| live.serial == token.serial) {
                live.suspended = matches!(token.state, TokenState::Suspended { .. });
            }
            auth.live.retain(|live| live.serial != token.serial || !is_revoked(token));
        }
        state.tokens.insert(key, token.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn reseal(&self, token: &Token, old: &SealedSeed, new: &SealedSeed) -> PortResult<Write> {
        let mut state = self.lock();
        let stored = state.tokens.get_mut(&(token.tenant.clone(), token.serial.clone()));
        match stored.map(|stored| &mut stored.state) {
            Some(TokenState::Active { seed, .. } | TokenState::Suspended { seed, .. }) if seed == old => {
                seed.clone_from(new);
                Ok(Write::Done)
            }
            _ => Ok(Write::Stale),
        }
    }

    async fn push(&self, push: &Push<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(push.journal) {
            return Ok(Write::Stale);
        }
        let key = (push.token.tenant.clone(), push.token.serial.clone());
        match state.tokens.get_mut(&key) {
            Some(stored) if stored.version + 1 == push.token.version => *stored = push.token.clone(),
            _ => return Ok(Write::Stale),
        }
        if let Some(old) = push.superseded.and_then(|link| state.enrolments.get_mut(link)) {
            old.state = EnrolmentState::Superseded { at: push.enrolment.created_at };
            old.sessions.clear();
            old.version += 1;
        }
        state.enrolments.insert(push.enrolment.link.clone(), push.enrolment.clone());
        let message = push.message;
        state.messages.insert((message.tenant.clone(), message.id.clone()), message.clone());
        state.write(push.journal);
        Ok(Write::Done)
    }

    async fn activate(&self, activation: &Activation<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        let Activation { token, enrolment, step, drift, journal } = *activation;
        let token_key = (token.tenant.clone(), token.serial.clone());
        let user_key = (token.tenant.clone(), token.user.clone());
        let current = state.tokens.get(&token_key).is_some_and(|stored| stored.version + 1 == token.version)
            && state.enrolments.get(&enrolment.link).is_some_and(|old| old.version + 1 == enrolment.version);
        let Some(auth) = state.auth.get_mut(&user_key).filter(|auth| current && auth.active) else {
            return Ok(Write::Stale);
        };
        auth.live.push(LiveToken::activated(token.serial.clone(), step, drift));
        state.tokens.insert(token_key, token.clone());
        state.enrolments.insert(enrolment.link.clone(), enrolment.clone());
        state.write(journal);
        Ok(Write::Done)
    }
}

impl EnrolmentStore for MemoryStore {
    async fn enrolment(&self, link: &BearerHash) -> PortResult<Option<Enrolment>> {
        Ok(self.lock().enrolments.get(link).cloned())
    }

    async fn save_enrolment(&self, enrolment: &Enrolment, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        match state.enrolments.get_mut(&enrolment.link) {
            Some(stored) if stored.version + 1 == enrolment.version => *stored = enrolment.clone(),
            _ => return Ok(Write::Stale),
        }
        state.write(journal);
        Ok(Write::Done)
    }
}

impl VerificationStore for MemoryStore {
    async fn owner(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<UserId>> {
        let state = self.lock();
        Ok(state.tokens.get(&(tenant.clone(), serial.clone())).map(|token| token.user.clone()))
    }

    async fn standing(&self, tenant: &TenantId, subject: &Subject) -> PortResult<Standing> {
        let state = self.lock();
        if let Subject::User(user) = subject
            && let Some(auth) = state.auth.get(&(tenant.clone(), user.clone()))
        {
            let tokens = state.tokens_of(tenant, user).filter(|token| !is_revoked(token)).cloned().collect();
            return Ok(Standing { auth: auth.clone(), is_user: true, tokens });
        }
        let auth = state.decoys.get(&(tenant.clone(), subject.clone())).cloned().unwrap_or_default();
        Ok(Standing { auth, is_user: false, tokens: Vec::new() })
    }

    async fn accept(
        &self,
        tenant: &TenantId,
        user: &UserId,
        acceptance: &Acceptance,
    ) -> PortResult<AuthWrite> {
        let mut state = self.lock();
        match state.auth.get_mut(&(tenant.clone(), user.clone())) {
            Some(auth) if auth.accepts(acceptance) => {
                *auth = auth.clone().accepted(acceptance);
                Ok(AuthWrite::Done)
            }
            other => Ok(AuthWrite::Moved(other.cloned().unwrap_or_default())),
        }
    }

    async fn resync(
        &self,
        tenant: &TenantId,
        user: &UserId,
        acceptance: &Acceptance,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        match state.auth.get_mut(&(tenant.clone(), user.clone())) {
            Some(auth) if auth.accepts(acceptance) => *auth = auth.clone().accepted(acceptance),
            _ => return Ok(Write::Stale),
        }
        state.write(journal);
        Ok(Write::Done)
    }

    async fn refuse(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        refusal: &Refusal,
        is_user: bool,
    ) -> PortResult<AuthWrite> {
        let mut state = self.lock();
        let user = match subject {
            Subject::User(user) => Some((tenant.clone(), user.clone())),
            Subject::NoToken(_) => None,
        };
        let real = user.as_ref().and_then(|key| state.auth.get(key)).cloned();
        let auth = match (is_user, user, real) {
            (true, Some(key), _) => state.auth.get_mut(&key),
            (false, _, Some(real)) => return Ok(AuthWrite::Moved(real)),
            _ => Some(state.decoys.entry((tenant.clone(), subject.clone())).or_default()),
        };
        match auth {
            Some(auth) if auth.last_refused.as_ref() == Some(&refusal.id) => Ok(AuthWrite::Done),
            Some(auth) if auth.refuses(refusal) => {
                *auth = auth.clone().refused(refusal);
                Ok(AuthWrite::Done)
            }
            other => Ok(AuthWrite::Moved(other.cloned().unwrap_or_default())),
        }
    }

    async fn unlock(&self, tenant: &TenantId, user: &UserId, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        match state.auth.get_mut(&(tenant.clone(), user.clone())) {
            Some(auth) => *auth = auth.clone().unlocked(),
            None => return Ok(Write::Stale),
        }
        state.write(journal);
        Ok(Write::Done)
    }
}

impl AnswerStore for MemoryStore {
    async fn reserve(&self, slot: &Slot) -> PortResult<Reserved> {
        let mut state = self.lock();
        let key = (slot.tenant.clone(), slot.id.clone());
        if let Some((earlier, kept)) = state.answers.get(&key)
            && slot.at < earlier.at.plus(ANSWER_LIFE)
        {
            if earlier.request != slot.request {
                return Ok(Reserved::OtherRequest);
            }
            if let Some(content) = kept {
                return Ok(Reserved::Answered(content.clone()));
            }
            let until = earlier.at.plus(SLOT_LEASE);
            if slot.at < until && earlier.holder != slot.holder {
                return Ok(Reserved::Running { until });
            }
        }
        state.answers.insert(key, (slot.clone(), None));
        Ok(Reserved::Held)
    }

    async fn release(&self, slot: &Slot) -> PortResult<()> {
        let mut state = self.lock();
        let key = (slot.tenant.clone(), slot.id.clone());
        if state.answers.get(&key).is_some_and(|(held, kept)| held.holder == slot.holder && kept.is_none()) {
            state.answers.remove(&key);
        }
        Ok(())
    }
}

impl NonceStore for MemoryStore {
    async fn take_nonce(
        &self,
        device: &BearerHash,
        nonce: &str,
        holder: &str,
        until: Timestamp,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        let taken = state.nonces.entry((device.clone(), nonce.to_owned()));
        let (by, _) = taken.or_insert_with(|| (holder.to_owned(), until));
        Ok(if by == holder { Write::Done } else { Write::Stale })
    }
}

/// An operator of a tenant.
#[must_use]
pub fn operator(tenant: &str) -> Caller {
    let tenant = TenantId::try_from(tenant).expect("a tenant's id");
    let actor = Actor::Key(KeyId::new(&tenant, [1; 8]));
    Caller::new(tenant, actor)
}

/// Tenant `acme`, user `jane`, a token of hers, and its link pushed by e-mail, without an authorization code: the
/// message.
pub async fn pushed<P: Ports>(ports: &P) -> MessageRef {
    pushed_as(ports, OtpParameters::default(), AuthorizationMode::None).await.0
}

/// The same with a token of these parameters and an authorization code of this mode.
pub async fn pushed_as<P: Ports>(
    ports: &P,
    parameters: OtpParameters,
    authorization: AuthorizationMode,
) -> (MessageRef, Option<AuthorizationCode>) {
    let caller = operator("acme");
    let jane = UserId::try_from("jane").expect("a user's id");
    let platform = Caller { actor: Actor::Platform, ..caller.clone() };
    let name = DisplayName::try_from("Acme").expect("a name");
    crate::admin::create_tenant(ports, &platform, name, Once::not_kept()).await.expect("a tenant");
    let email = EmailAddress::try_from("jane@example.org").ok();
    let profile = crate::users::Profile { email, ..Default::default() };
    crate::users::create_user(ports, &caller, jane.clone(), profile, Once::not_kept()).await.expect("a user");
    let token = crate::provision::provision(ports, &caller, &jane, parameters, Once::not_kept()).await;
    let serial = token.expect("a token").serial;
    let order =
        crate::push::Order { serial, channel: Some(Channel::Email), authorization: Some(authorization) };
    let pushed = crate::push::push(ports, &caller, &order, Once::not_kept()).await.expect("a push");
    (MessageRef::from(&pushed.message), pushed.authorization)
}

/// The code in a message's link, as its recipient reads it.
pub async fn link_of<P: Ports>(ports: &P, reference: &MessageRef) -> String {
    let message = ports.store().message(reference).await.expect("a store").expect("a message");
    let sealed = message.content.expect("content, as it was not sent yet");
    let kind = RecordKind::MessageContent;
    let opened =
        ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await.expect("opens");
    let content = Content::decode(&opened).expect("content");
    content.link.rsplit_once('/').map(|(_, code)| code.to_owned()).expect("a link")
}

/// The code in a message that was not sent yet, as its recipient reads it; `None` when it goes to nobody.
pub async fn sent_code<P: Ports>(ports: &P, reference: &MessageRef) -> Option<String> {
    let message = ports.store().message(reference).await.expect("a store").expect("a message");
    let sealed = message.content?;
    let kind = RecordKind::MessageContent;
    let opened =
        ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await.expect("opens");
    Some(Content::decode(&opened).expect("content").code.clone())
}

/// An authenticator app that holds one seed.
#[derive(Debug)]
pub struct App {
    /// The token in it.
    pub serial: Serial,
    parameters: OtpParameters,
    seed: Seed,
    counter: Mutex<u64>,
}

impl App {
    /// Scans what an enrolment shows.
    #[must_use]
    pub fn scans(started: &crate::enroll::Started) -> Self {
        let bytes = BASE32_NOPAD.decode(started.secret.expose().as_bytes()).expect("Base32");
        let seed = Seed::new(bytes).expect("a seed");
        Self {
            serial: started.serial.clone(),
            parameters: started.parameters,
            seed,
            counter: Mutex::default(),
        }
    }

    /// The code that it shows at `at`; a counter-based token shows the next one each time.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> String {
        let step = match self.parameters.kind {
            Kind::Totp(period) => totp::step(at.seconds(), period),
            Kind::Hotp => {
                let mut counter = self.counter.lock().expect("not poisoned");
                *counter += 1;
                *counter - 1
            }
        };
        hotp::code(&self.seed, step, self.parameters.algorithm, self.parameters.digits).expose().to_owned()
    }

    /// Presses a counter-based token's button `times` times, unseen.
    pub fn skip(&self, times: u64) {
        *self.counter.lock().expect("not poisoned") += times;
    }
}

/// `jane` of `acme` with an active token, and her app.
pub async fn enrolled<P: Ports>(ports: &P) -> App {
    enrolled_as(ports, OtpParameters::default()).await
}

/// The same with a token of these parameters.
pub async fn enrolled_as<P: Ports>(ports: &P, parameters: OtpParameters) -> App {
    let (reference, _) = pushed_as(ports, parameters, AuthorizationMode::None).await;
    let link = link_of(ports, &reference).await;
    let started = crate::enroll::start(ports, &link, None, None).await.expect("a session");
    let app = App::scans(&started);
    let code = app.code(ports.clock().now());
    crate::enroll::activate(ports, &link, &session(&started), &code).await.expect("an activation");
    app
}

/// The id of a browser's session.
#[must_use]
pub fn session(started: &crate::enroll::Started) -> BearerHash {
    started.session.as_ref().expect("a browser's session").hash()
}

/// Parameters of every kind that a store must keep.
#[must_use]
pub fn all_parameters() -> Vec<OtpParameters> {
    let mut all = vec![OtpParameters { kind: Kind::Hotp, ..OtpParameters::default() }];
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        for digits in [Digits::Six, Digits::Seven, Digits::Eight] {
            all.push(OtpParameters { algorithm, digits, ..OtpParameters::default() });
        }
    }
    all
}

/// A code that is not `right`.
#[must_use]
pub fn wrong_code(right: &str) -> Code {
    Code::parse(if right == "000000" { "000001" } else { "000000" }).expect("a code")
}
