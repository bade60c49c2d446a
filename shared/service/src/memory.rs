//! The ports in memory: state, not mocks. For tests of everything above the store; the contract suites hold these
//! and the DynamoDB ones to the same behaviour.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "support of tests: a broken assumption must end the test"
)]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use otpost_domain::apikey::ApiKey;
use otpost_domain::audit::{Actor, AuditEntry};
use otpost_domain::contact::{DisplayName, EmailAddress};
use otpost_domain::enrolment::{Enrolment, EnrolmentState};
use otpost_domain::ids::{BearerHash, KeyId, MessageId, Serial, TenantId, UserId};
use otpost_domain::message::{Channel, Gateway, Message};
use otpost_domain::otp::{Algorithm, Code, Digits, OtpParameters, totp};
use otpost_domain::sealing::{self, Binding, DataKey};
use otpost_domain::secret::Seed;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::Token;
use otpost_domain::verification::{Acceptance, AuthRow, LiveToken, Refusal};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::content::PushContent;
use crate::ports::{
    Activation, AuthWrite, Clock, DeliveryQueue, EnrolmentStore, Entropy, Fault, KeyStore, MessageRef,
    MessageStore, Page, PageRequest, PortError, PortResult, Ports, Provisioning, Push, RecordKind, Sealer,
    Standing, TenantStore, TokenStore, UserStore, VerificationStore, WrappedKey, Write,
};

/// All ports in memory.
#[derive(Debug, Default)]
pub struct MemoryPorts {
    store: MemoryStore,
    queue: MemoryQueue,
    sealer: MemorySealer,
    clock: ManualClock,
    entropy: CountingEntropy,
}

impl MemoryPorts {
    /// Empty ports at a fixed time.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The audited actions so far, in order.
    #[must_use]
    pub fn actions(&self) -> Vec<&'static str> {
        self.store.lock().audit.iter().map(|entry| entry.action.as_str()).collect()
    }

    /// Makes a tenant whose name is its id with a capital.
    pub async fn with_tenant(&self, id: &str) {
        let mut name = id.to_owned();
        if let Some(first) = name.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let caller = Caller { actor: Actor::Platform, ..operator(id) };
        let name = DisplayName::try_from(name.as_str()).expect("a name");
        let _made_before = crate::admin::create_tenant(self, &caller, name).await;
        self.store.lock().audit.clear();
    }
}

impl Ports for MemoryPorts {
    type Store = MemoryStore;
    type Queue = MemoryQueue;
    type Sealer = MemorySealer;
    type Clock = ManualClock;
    type Entropy = CountingEntropy;

    fn store(&self) -> &MemoryStore {
        &self.store
    }
    fn queue(&self) -> &MemoryQueue {
        &self.queue
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
}

/// A clock that moves when told; its clones tell the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::from_seconds(1_800_000_000))))
    }
}

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().expect("not poisoned");
        *now = now.plus(by);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("not poisoned")
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
    /// For a sender.
    Hand(Gateway, MessageRef, u8, Duration),
}

/// Queues as one list.
#[derive(Debug, Default)]
pub struct MemoryQueue {
    entries: Mutex<VecDeque<Queued>>,
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

impl DeliveryQueue for MemoryQueue {
    async fn deliver(&self, message: &MessageRef) -> PortResult<()> {
        self.put(Queued::Deliver(message.clone()))
    }

    async fn hand(&self, gateway: Gateway, message: &MessageRef, hop: u8, delay: Duration) -> PortResult<()> {
        self.put(Queued::Hand(gateway, message.clone(), hop, delay))
    }
}

/// The real sealing under a fixed key.
#[derive(Debug, Default)]
pub struct MemorySealer {
    nonces: CountingEntropy,
}

impl MemorySealer {
    fn key() -> DataKey {
        DataKey::new([42; 32])
    }
}

impl Sealer for MemorySealer {
    async fn new_tenant_key(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        Ok(WrappedKey(tenant.as_str().as_bytes().to_vec()))
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        Ok(sealing::seal(&Self::key(), 1, &binding, self.nonces.array(), secret))
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        sealing::open(&Self::key(), &binding, sealed).map_err(|error| PortError::new(Fault::Corrupt, error))
    }
}

type UserKey = (TenantId, UserId);

#[derive(Debug, Default)]
struct State {
    tenants: BTreeMap<TenantId, Tenant>,
    keys: BTreeMap<KeyId, ApiKey>,
    users: BTreeMap<UserKey, User>,
    auth: BTreeMap<UserKey, AuthRow>,
    decoys: BTreeMap<UserKey, AuthRow>,
    tokens: BTreeMap<(TenantId, Serial), Token>,
    enrolments: BTreeMap<BearerHash, Enrolment>,
    messages: BTreeMap<(TenantId, MessageId), Message>,
    audit: Vec<AuditEntry>,
}

/// State behind one lock.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }
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
    async fn create_tenant(&self, tenant: &Tenant, _: &WrappedKey, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        if state.tenants.contains_key(&tenant.id) {
            return Ok(Write::Stale);
        }
        state.tenants.insert(tenant.id.clone(), tenant.clone());
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }

    async fn tenant(&self, id: &TenantId) -> PortResult<Option<Tenant>> {
        Ok(self.lock().tenants.get(id).cloned())
    }

    async fn tenants(&self, request: &PageRequest) -> PortResult<Page<Tenant>> {
        let state = self.lock();
        Ok(page(state.tenants.iter().map(|(id, tenant)| (id.to_string(), tenant.clone())).collect(), request))
    }
}

impl KeyStore for MemoryStore {
    async fn create_key(&self, key: &ApiKey, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        if state.keys.contains_key(&key.id) {
            return Ok(Write::Stale);
        }
        state.keys.insert(key.id.clone(), key.clone());
        state.audit.push(audit.clone());
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

    async fn revoke_key(&self, id: &KeyId, at: Timestamp, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        match state.keys.get_mut(id) {
            Some(key) if key.revoked_at.is_none() => key.revoked_at = Some(at),
            _ => return Ok(Write::Stale),
        }
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }
}

impl UserStore for MemoryStore {
    async fn create_user(&self, user: &User, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (user.tenant.clone(), user.id.clone());
        if state.users.contains_key(&key) {
            return Ok(Write::Stale);
        }
        state.decoys.remove(&key);
        state.auth.insert(key.clone(), AuthRow::of_new_user(user.active));
        state.users.insert(key, user.clone());
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }

    async fn user(&self, tenant: &TenantId, id: &UserId) -> PortResult<Option<User>> {
        Ok(self.lock().users.get(&(tenant.clone(), id.clone())).cloned())
    }

    async fn update_user(&self, user: &User, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (user.tenant.clone(), user.id.clone());
        match state.users.get_mut(&key) {
            Some(stored) if stored.version + 1 == user.version => *stored = user.clone(),
            _ => return Ok(Write::Stale),
        }
        if let Some(auth) = state.auth.get_mut(&key) {
            auth.active = user.active;
        }
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }

    async fn delete_user(&self, user: &User, tokens: &[Token], audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
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
        for token in tokens {
            state.tokens.remove(&(token.tenant.clone(), token.serial.clone()));
        }
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }
}

impl TokenStore for MemoryStore {
    async fn provision(&self, token: &Token, seen: u64, audit: &AuditEntry) -> PortResult<Provisioning> {
        let mut state = self.lock();
        let key = (token.tenant.clone(), token.serial.clone());
        let exists = state.tokens.contains_key(&key);
        match state.users.get_mut(&(token.tenant.clone(), token.user.clone())) {
            Some(user) if user.version == seen && !exists => user.version += 1,
            Some(user) if user.version == seen => return Ok(Provisioning::SerialTaken),
            _ => return Ok(Provisioning::Stale),
        }
        state.tokens.insert(key, token.clone());
        state.audit.push(audit.clone());
        Ok(Provisioning::Done)
    }

    async fn token(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<Token>> {
        Ok(self.lock().tokens.get(&(tenant.clone(), serial.clone())).cloned())
    }

    async fn tokens(&self, tenant: &TenantId, user: &UserId) -> PortResult<Vec<Token>> {
        let state = self.lock();
        Ok(state.tokens.values().filter(|t| &t.tenant == tenant && &t.user == user).cloned().collect())
    }

    async fn push(&self, push: &Push<'_>) -> PortResult<Write> {
        let mut state = self.lock();
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
        state.audit.push(push.audit.clone());
        Ok(Write::Done)
    }

    async fn activate(&self, activation: &Activation<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        let Activation { token, enrolment, step, drift, audit } = *activation;
        let token_key = (token.tenant.clone(), token.serial.clone());
        let user_key = (token.tenant.clone(), token.user.clone());
        let current = state.tokens.get(&token_key).is_some_and(|stored| stored.version + 1 == token.version)
            && state.enrolments.get(&enrolment.link).is_some_and(|old| old.version + 1 == enrolment.version);
        let Some(auth) = state.auth.get_mut(&user_key).filter(|_| current) else {
            return Ok(Write::Stale);
        };
        auth.live.push(LiveToken { serial: token.serial.clone(), last_step: Some(step), drift });
        state.tokens.insert(token_key, token.clone());
        state.enrolments.insert(enrolment.link.clone(), enrolment.clone());
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }
}

impl EnrolmentStore for MemoryStore {
    async fn enrolment(&self, link: &BearerHash) -> PortResult<Option<Enrolment>> {
        Ok(self.lock().enrolments.get(link).cloned())
    }

    async fn save_enrolment(&self, enrolment: &Enrolment, audit: &AuditEntry) -> PortResult<Write> {
        let mut state = self.lock();
        match state.enrolments.get_mut(&enrolment.link) {
            Some(stored) if stored.version + 1 == enrolment.version => *stored = enrolment.clone(),
            _ => return Ok(Write::Stale),
        }
        state.audit.push(audit.clone());
        Ok(Write::Done)
    }
}

impl VerificationStore for MemoryStore {
    async fn standing(&self, tenant: &TenantId, user: &UserId) -> PortResult<Standing> {
        let state = self.lock();
        let key = (tenant.clone(), user.clone());
        let Some(auth) = state.auth.get(&key) else {
            let auth = state.decoys.get(&key).cloned().unwrap_or_default();
            return Ok(Standing { auth, is_user: false, tokens: Vec::new() });
        };
        let tokens =
            state.tokens.values().filter(|t| &t.tenant == tenant && &t.user == user).cloned().collect();
        Ok(Standing { auth: auth.clone(), is_user: true, tokens })
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

    async fn refuse(
        &self,
        tenant: &TenantId,
        user: &UserId,
        refusal: &Refusal,
        is_user: bool,
    ) -> PortResult<AuthWrite> {
        let mut state = self.lock();
        let key = (tenant.clone(), user.clone());
        let auth = if is_user {
            state.auth.get_mut(&key)
        } else if let Some(real) = state.auth.get(&key) {
            return Ok(AuthWrite::Moved(real.clone()));
        } else {
            Some(state.decoys.entry(key).or_default())
        };
        match auth {
            Some(auth) if auth.refuses(refusal) => {
                *auth = auth.clone().refused(refusal);
                Ok(AuthWrite::Done)
            }
            other => Ok(AuthWrite::Moved(other.cloned().unwrap_or_default())),
        }
    }
}

impl MessageStore for MemoryStore {
    async fn message(&self, message: &MessageRef) -> PortResult<Option<Message>> {
        Ok(self.lock().messages.get(&(message.tenant.clone(), message.id.clone())).cloned())
    }

    async fn messages_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        let state = self.lock();
        let own = state.messages.values().rev().filter(|m| &m.tenant == tenant && &m.user == user);
        Ok(page(own.map(|message| (message.id.to_string(), message.clone())).collect(), request))
    }

    async fn claim(&self, message: &MessageRef, number: u8, now: Timestamp) -> PortResult<Option<Message>> {
        let mut state = self.lock();
        let stored = state.messages.get_mut(&(message.tenant.clone(), message.id.clone()));
        let Some(stored) = stored else { return Ok(None) };
        let claimed = stored.clone().claimed(number, now);
        if let Some(claimed) = &claimed {
            stored.clone_from(claimed);
        }
        Ok(claimed)
    }

    async fn save_message(&self, message: &Message) -> PortResult<Write> {
        let mut state = self.lock();
        match state.messages.get_mut(&(message.tenant.clone(), message.id.clone())) {
            Some(stored) if stored.version + 1 == message.version => *stored = message.clone(),
            _ => return Ok(Write::Stale),
        }
        Ok(Write::Done)
    }

    async fn due(&self, shard: u8, now: Timestamp, limit: usize) -> PortResult<Vec<MessageRef>> {
        let state = self.lock();
        let due =
            state.messages.values().filter(|m| m.id.shard() == shard && m.due_at.is_some_and(|at| at <= now));
        Ok(due.take(limit).map(MessageRef::from).collect())
    }
}

/// An operator of a tenant.
#[must_use]
pub fn operator(tenant: &str) -> Caller {
    let tenant = TenantId::try_from(tenant).expect("a tenant's id");
    let actor = Actor::Key(KeyId::new(&tenant, [1; 8]));
    Caller { tenant, actor }
}

/// Tenant `acme`, user `jane`, a token of hers, and its link pushed by e-mail: the message.
pub async fn pushed<P: Ports>(ports: &P) -> MessageRef {
    let caller = operator("acme");
    let jane = UserId::try_from("jane").expect("a user's id");
    let platform = Caller { actor: Actor::Platform, ..caller.clone() };
    let name = DisplayName::try_from("Acme").expect("a name");
    crate::admin::create_tenant(ports, &platform, name).await.expect("a tenant");
    let email = EmailAddress::try_from("jane@example.org").ok();
    let profile = crate::users::Profile { email, ..Default::default() };
    crate::users::create_user(ports, &caller, jane.clone(), profile).await.expect("a user");
    let parameters = OtpParameters::default();
    let token = crate::provision::provision(ports, &caller, &jane, parameters).await.expect("a token");
    let url = "https://otp.example.org";
    let message =
        crate::push::push(ports, &caller, &token.serial, Channel::Email, url).await.expect("a push");
    MessageRef::from(&message)
}

/// The code in a message's link, as its recipient reads it.
pub async fn link_of<P: Ports>(ports: &P, reference: &MessageRef) -> String {
    let message = ports.store().message(reference).await.expect("a store").expect("a message");
    let sealed = message.content.expect("content, as it was not sent yet");
    let kind = RecordKind::MessageContent;
    let opened =
        ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await.expect("opens");
    let content = PushContent::decode(&opened).expect("content");
    content.link.rsplit_once('/').map(|(_, code)| code.to_owned()).expect("a link")
}

/// An authenticator app that holds one seed.
#[derive(Debug)]
pub struct App {
    /// The token in it.
    pub serial: Serial,
    parameters: OtpParameters,
    seed: Seed,
}

impl App {
    /// Scans what an enrolment shows.
    #[must_use]
    pub fn scans(started: &crate::enroll::Started) -> Self {
        let bytes = BASE32_NOPAD.decode(started.secret.as_bytes()).expect("Base32");
        let seed = Seed::new(bytes).expect("a seed");
        Self { serial: started.serial.clone(), parameters: started.parameters, seed }
    }

    /// The code that it shows at `at`.
    #[must_use]
    pub fn code(&self, at: Timestamp) -> String {
        let period = self.parameters.kind.period().expect("a time-based token");
        totp::code(&self.seed, totp::step(at.seconds(), period), &self.parameters).expose().to_owned()
    }
}

/// `jane` of `acme` with an active token, and her app.
pub async fn enrolled<P: Ports>(ports: &P) -> App {
    let reference = pushed(ports).await;
    let link = link_of(ports, &reference).await;
    let started = crate::enroll::start(ports, &link, None).await.expect("a session");
    let app = App::scans(&started);
    let code = app.code(ports.clock().now());
    crate::enroll::activate(ports, &link, &started.session, &code).await.expect("an activation");
    app
}

/// Parameters of every kind that a store must keep.
#[must_use]
pub fn all_parameters() -> Vec<OtpParameters> {
    let mut all = vec![OtpParameters { kind: otpost_domain::otp::Kind::Hotp, ..OtpParameters::default() }];
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
