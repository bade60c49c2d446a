//! Ports that fail, or take the process with them, at a chosen call: to find out what a crash leaves behind.

#![expect(clippy::missing_panics_doc, reason = "support of tests")]

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use otpost_domain::apikey::ApiKey;
use otpost_domain::circuit::{Health, HealthChange, HealthKey};
use otpost_domain::directory::{Directory, Mark, SyncRun};
use otpost_domain::enrolment::Enrolment;
use otpost_domain::gateway::{Credentials, Kind, Owner, Reach, Settings};
use otpost_domain::ids::{BearerHash, DirectoryId, KeyId, PolicyId, Serial, TenantId, UserId};
use otpost_domain::job::{Job, Stepped};
use otpost_domain::message::{Message, News, Sender, Verdict};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_domain::policy::Policy;
use otpost_domain::provisioning::MassChange;
use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_domain::template::{Brand, BrandDocument, TemplateHead, TemplateName, TemplateVersion};
use otpost_domain::tenant::{Keeper, Listed, Tenant, Tombstone, User};
use otpost_domain::time::{Day, Timestamp};
use otpost_domain::token::{SealedSeed, Token};
use otpost_domain::verification::{Acceptance, Refusal};
use zeroize::Zeroizing;

use crate::ports::{
    Activation, Again, AnswerStore, Asked, AuthWrite, ChallengeStore, Circumstances, Clock as _, CodeRead,
    Configuration, Counted, CredentialReader, CredentialStore, DeadLetter, DeadLetters, DeliveryQueue,
    DirectoryStore, Due, EnrolmentStore, ErasureStore, Fault, GatewayChange, GatewaySecret, GatewayStore,
    HEALTH_LIFE, Heard, HelpdeskStore, JobQueue, JobRef, JobStore, Journal, KeyStore, MarkChange,
    MassChangeStore, MassChanges, MessageRef, MessageStore, NewCode, NonceStore, Owned, Page, PageRequest,
    PasswordText, PolicyStore, PortError, PortResult, Ports, Provisioning, Push, RecordKind, Reserved, Saved,
    Sealer, Share, ShareLeft, Slot, Standing, Subject, SuppressionStore, TemplateStore, TenantStore,
    TokenStore, UserChange, UserStore, VerificationStore, WrappedKey, Write,
};
use crate::provider::{Order, Provider};
use crate::tallies::Tallies;
use otpost_domain::challenge::{Addressee, Challenge, Generation, Guess, Guessed, Place};
use otpost_domain::template::CodePurpose;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// It does nothing and fails.
    FailsBefore,
    /// It is carried out, but its answer is lost.
    FailsAfter,
    /// The process ends before it.
    DiesBefore,
    /// The process ends after it was carried out.
    DiesAfter,
}

impl Mishap {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::FailsBefore, Self::FailsAfter, Self::DiesBefore, Self::DiesAfter];
}

/// What befalls external calls, one after the other.
pub trait Fate: fmt::Debug + Send + Sync {
    /// What befalls the next call, of this name.
    fn next(&self, call: &'static str) -> Option<Mishap>;

    /// Tells that a call was carried out, whatever becomes of its answer.
    fn carried(&self, _call: &'static str) {}

    /// What passes before the next call, so that others have their turn.
    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        None
    }
}

/// One mishap, at one call.
#[derive(Debug)]
struct Once {
    at: usize,
    mishap: Mishap,
    calls: AtomicUsize,
}

impl Fate for Once {
    fn next(&self, _: &'static str) -> Option<Mishap> {
        let now = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        (now == self.at).then_some(self.mishap)
    }
}

/// At which external call what happens.
#[derive(Debug)]
pub struct Plan {
    fate: Box<dyn Fate>,
    fired: AtomicBool,
    died: tokio::sync::Notify,
    names: Mutex<Vec<&'static str>>,
}

impl Plan {
    /// `mishap` at external call number `at`, counted from 1.
    #[must_use]
    pub fn new(at: usize, mishap: Mishap) -> Arc<Self> {
        Self::under(Once { at, mishap, calls: AtomicUsize::new(0) })
    }

    /// What `fate` says, at each call.
    #[must_use]
    pub fn under(fate: impl Fate + 'static) -> Arc<Self> {
        Arc::new(Self {
            fate: Box::new(fate),
            fired: AtomicBool::new(false),
            died: tokio::sync::Notify::new(),
            names: Mutex::default(),
        })
    }

    /// Whether anything has befallen a call.
    #[must_use]
    pub fn fired(&self) -> bool {
        self.fired.load(Ordering::SeqCst)
    }

    /// The names of the calls so far.
    #[must_use]
    #[expect(clippy::expect_used, reason = "support of tests")]
    pub fn names(&self) -> Vec<&'static str> {
        self.names.lock().expect("not poisoned").clone()
    }

    /// Runs `work` to its end, or until the process dies: then nothing of it goes on.
    pub async fn until_death<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.died.notified() => None,
        }
    }

    #[expect(clippy::expect_used, reason = "support of tests")]
    fn strikes(&self, name: &'static str) -> Option<Mishap> {
        self.names.lock().expect("not poisoned").push(name);
        let struck = self.fate.next(name);
        if struck.is_some() {
            self.fired.store(true, Ordering::SeqCst);
        }
        struck
    }

    async fn die<T>(&self) -> T {
        self.died.notify_one();
        std::future::pending().await
    }

    async fn through<T>(
        &self,
        name: &'static str,
        call: impl Future<Output = PortResult<T>>,
    ) -> PortResult<T> {
        let lost = || PortError::new(Fault::Unavailable, "the plan has struck");
        if let Some(pause) = self.fate.pause() {
            pause.await;
        }
        let struck = self.strikes(name);
        match struck {
            Some(Mishap::FailsBefore) => return Err(lost()),
            Some(Mishap::DiesBefore) => return self.die().await,
            None | Some(Mishap::FailsAfter | Mishap::DiesAfter) => {}
        }
        let answer = call.await;
        self.fate.carried(name);
        match struck {
            Some(Mishap::FailsAfter) => Err(lost()),
            Some(Mishap::DiesAfter) => self.die().await,
            _ => answer,
        }
    }
}

/// What a process remembers from one event to the next: what it has seen of gateways, and what it has read of their
/// health.
#[derive(Debug, Default)]
pub struct Process {
    tallies: Tallies,
    health: Mutex<BTreeMap<HealthKey, (Timestamp, Option<Health>)>>,
}

impl Process {
    #[expect(clippy::expect_used, reason = "support of tests")]
    fn lock(&self) -> MutexGuard<'_, BTreeMap<HealthKey, (Timestamp, Option<Health>)>> {
        self.health.lock().expect("not poisoned")
    }

    /// What it knows of gateways, if it knows of all of them.
    fn known(&self, gateways: &[HealthKey], now: Timestamp) -> Option<Vec<Option<Health>>> {
        let health = self.lock();
        let known = |gateway| health.get(gateway).filter(|(at, _)| now < at.plus(HEALTH_LIFE));
        gateways.iter().map(|gateway| known(gateway).map(|(_, health)| *health)).collect()
    }
}

/// Ports under a plan. Clock and entropy are no external calls.
#[derive(Debug)]
pub struct Faulty<'a, P> {
    parts: Parts<'a, P>,
}

/// The store, the queue and the sealer of ports under a plan.
#[derive(Debug)]
pub struct Parts<'a, P> {
    ports: &'a P,
    plan: Arc<Plan>,
    process: Option<&'a Process>,
}

impl<'a, P: Ports> Faulty<'a, P> {
    /// `ports` under `plan`.
    #[must_use]
    pub fn new(ports: &'a P, plan: &Arc<Plan>) -> Self {
        Self { parts: Parts { ports, plan: Arc::clone(plan), process: None } }
    }

    /// The same in a process that remembers.
    #[must_use]
    pub fn within(self, process: &'a Process) -> Self {
        Self { parts: Parts { process: Some(process), ..self.parts } }
    }
}

impl<'a, P: Ports> Ports for Faulty<'a, P> {
    type Store = Parts<'a, P>;
    type Configuration = Parts<'a, P>;
    type Queue = Parts<'a, P>;
    type Credentials = Parts<'a, P>;
    type Sealer = Parts<'a, P>;
    type Clock = P::Clock;
    type Entropy = P::Entropy;

    fn store(&self) -> &Self::Store {
        &self.parts
    }
    fn configuration(&self) -> &Self::Configuration {
        &self.parts
    }
    fn queue(&self) -> &Self::Queue {
        &self.parts
    }
    fn credentials(&self) -> &Self::Credentials {
        &self.parts
    }
    fn sealer(&self) -> &Self::Sealer {
        &self.parts
    }
    fn clock(&self) -> &P::Clock {
        self.parts.ports.clock()
    }
    fn entropy(&self) -> &P::Entropy {
        self.parts.ports.entropy()
    }
    fn tallies(&self) -> &Tallies {
        self.parts.process.map_or_else(|| self.parts.ports.tallies(), |process| &process.tallies)
    }
    fn public_url(&self) -> PortResult<&str> {
        self.parts.ports.public_url()
    }
}

macro_rules! under_plan {
    ($port:ident, $name:ident { $(fn $method:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)* }) => {
        impl<P: Ports> $port for Parts<'_, P> {
            $(async fn $method(&self, $($argument: $kind),*) -> PortResult<$answer> {
                let call = self.ports.$name().$method($($argument),*);
                self.plan.through(stringify!($method), call).await
            })*
        }
    };
}

under_plan!(TenantStore, store {
    fn create_tenant(tenant: &Tenant, key: &WrappedKey, journal: &Journal) -> Write;
    fn add_tenant_key(tenant: &TenantId, version: u8, key: &WrappedKey, journal: &Journal) -> Write;
    fn tenant(id: &TenantId) -> Option<Tenant>;
    fn tenants(page: &PageRequest) -> Page<Listed>;
});

under_plan!(ErasureStore, store {
    fn delete_tenant(job: &Job, journal: &Journal) -> Write;
    fn tombstone(id: &TenantId) -> Option<Tombstone>;
    fn erase(job: &JobRef, after: Option<&str>) -> Stepped;
    fn save_erasure(job: &Job) -> Write;
    fn end_erasure(job: &Job, journal: &Journal) -> Write;
});

under_plan!(KeyStore, store {
    fn create_key(key: &ApiKey, journal: &Journal) -> Write;
    fn replace_key(key: &ApiKey, old: &ApiKey, seen: &ApiKey, journal: &Journal) -> Write;
    fn key(id: &KeyId) -> Option<ApiKey>;
    fn keys(tenant: &TenantId, page: &PageRequest) -> Page<ApiKey>;
    fn revoke_key(id: &KeyId, at: Timestamp, journal: &Journal) -> Write;
});

under_plan!(UserStore, store {
    fn save_user(change: &UserChange<'_>) -> Write;
    fn users(tenant: &TenantId, start: &str, page: &PageRequest) -> Page<User>;
    fn confirm_address(tenant: &TenantId, user: &UserId, channel: otpost_domain::message::Channel, journal: &Journal) -> Write;
    fn restamp(tenant: &TenantId, user: &UserId, stamp: &[PolicyId]) -> Write;
    fn user(tenant: &TenantId, id: &UserId) -> Option<User>;
    fn delete_user(user: &User, tokens: &[Token], mark: Option<&MarkChange>, journal: &Journal) -> Write;
});

under_plan!(PolicyStore, store {
    fn policies(tenant: &TenantId, page: &PageRequest) -> Page<Policy>;
    fn policy(tenant: &TenantId, id: &PolicyId) -> Option<Policy>;
    fn save_policy(tenant: &TenantId, policy: &Policy, job: Option<&Job>, journal: &Journal) -> Write;
    fn delete_policy(tenant: &TenantId, policy: &Policy, job: Option<&Job>, journal: &Journal) -> Write;
});

under_plan!(TemplateStore, store {
    fn template_heads(tenant: &TenantId, page: &PageRequest) -> Page<TemplateHead>;
    fn template_head(tenant: &TenantId, name: &TemplateName) -> Option<TemplateHead>;
    fn template_version(tenant: &TenantId, name: &TemplateName, version: u64) -> Option<TemplateVersion>;
    fn template_versions(tenant: &TenantId, name: &TemplateName, page: &PageRequest) -> Page<TemplateVersion>;
    fn save_template(tenant: &TenantId, version: &TemplateVersion, journal: &Journal) -> Write;
    fn brand(tenant: &TenantId) -> Option<Brand>;
    fn save_brand(tenant: &TenantId, brand: &Brand, journal: &Journal) -> Write;
});

under_plan!(GatewayStore, store {
    fn owned(owner: &Owner) -> Owned;
    fn change_gateways(change: &GatewayChange<'_>) -> Write;
    fn note_secret(secret: &GatewaySecret) -> ();
    fn noted_secrets(owner: &Owner) -> Vec<GatewaySecret>;
    fn forget_secret(secret: &GatewaySecret) -> ();
});

under_plan!(CredentialStore, credentials {
    fn put_credentials(reference: &str, credentials: &Credentials) -> ();
    fn remove_credentials(reference: &str) -> ();
});

under_plan!(CredentialReader, credentials {
    fn read_credentials(kind: Kind, reference: &str) -> Option<Arc<Credentials>>;
});

under_plan!(TokenStore, store {
    fn provision(token: &Token, user_version: u64, journal: &Journal) -> Provisioning;
    fn token(tenant: &TenantId, serial: &Serial) -> Option<Token>;
    fn tokens(tenant: &TenantId, user: &UserId) -> Vec<Token>;
    fn revoked_tokens(tenant: &TenantId, user: &UserId, page: &PageRequest) -> Page<Token>;
    fn forget_revoked(tokens: &[Token], journal: &Journal) -> Write;
    fn change_token(token: &Token, journal: &Journal) -> Write;
    fn reseal(token: &Token, old: &SealedSeed, new: &SealedSeed) -> Write;
    fn push(push: &Push<'_>) -> Write;
    fn activate(activation: &Activation<'_>) -> Write;
});

under_plan!(EnrolmentStore, store {
    fn enrolment(link: &BearerHash) -> Option<Enrolment>;
    fn save_enrolment(enrolment: &Enrolment, journal: &Journal) -> Write;
});

under_plan!(VerificationStore, store {
    fn owner(tenant: &TenantId, serial: &Serial) -> Option<UserId>;
    fn standing(tenant: &TenantId, subject: &Subject) -> Standing;
    fn accept(tenant: &TenantId, user: &UserId, acceptance: &Acceptance) -> AuthWrite;
    fn resync(tenant: &TenantId, user: &UserId, acceptance: &Acceptance, journal: &Journal) -> Write;
    fn refuse(tenant: &TenantId, subject: &Subject, refusal: &Refusal, is_user: bool) -> AuthWrite;
    fn unlock(tenant: &TenantId, user: &UserId, journal: &Journal) -> Write;
});

under_plan!(MessageStore, store {
    fn add_message(message: &Message, journal: &Journal) -> Write;
    fn message(message: &MessageRef) -> Option<Message>;
    fn messages_of(tenant: &TenantId, user: &UserId, page: &PageRequest) -> Page<Message>;
    fn messages_on(tenant: &TenantId, day: Day, page: &PageRequest) -> Page<Message>;
    fn claim(message: &MessageRef, number: u16, claimant: &str, now: Timestamp) -> Option<Message>;
    fn save_message(message: &Message) -> Write;
    fn withdraw(message: &MessageRef, overtaken: otpost_domain::message::Overtaken) -> Write;
    fn circumstances(message: &Message) -> Circumstances;
    fn save_message_and_health(message: &Message, changes: &[HealthChange]) -> Saved;
    fn hear(message: &MessageRef, number: u16, news: &News, suppression: Option<&Suppression>) -> Heard;
    fn change_health(changes: &[HealthChange]) -> Write;
    fn health_of(gateways: &[HealthKey]) -> Vec<Option<Health>>;
    fn due(shard: u8, now: Timestamp, limit: usize, after: Option<&Due>) -> Vec<Due>;
    fn put_aside(message: &MessageRef) -> ();
});

under_plan!(ChallengeStore, store {
    fn asked(tenant: &TenantId, addressee: &Addressee, purpose: CodePurpose) -> Asked;
    fn challenge(tenant: &TenantId, place: &Place) -> Option<Challenge>;
    fn new_code(tenant: &TenantId, code: &NewCode<'_>) -> Write;
    fn send_code_again(tenant: &TenantId, again: &Again<'_>) -> Write;
    fn guess(tenant: &TenantId, place: &Place, guess: &Guess) -> Guessed;
    fn end_challenge(tenant: &TenantId, place: &Place, generation: Generation, at: Timestamp) -> Write;
    fn end_challenges(tenant: &TenantId, user: &UserId) -> ();
    fn forget_wrong_codes(tenant: &TenantId, user: &UserId) -> ();
});

under_plan!(HelpdeskStore, store {
    fn count_share(share: &Share<'_>) -> ShareLeft;
    fn read_back(tenant: &TenantId, place: &Place, guess: &Guess, journal: &Journal) -> CodeRead;
    fn send_password(tenant: &TenantId, text: &PasswordText<'_>) -> Write;
});

under_plan!(AnswerStore, store {
    fn reserve(slot: &Slot) -> Reserved;
    fn release(slot: &Slot) -> ();
});

under_plan!(NonceStore, store {
    fn take_nonce(device: &BearerHash, nonce: &str, holder: &str, until: Timestamp) -> Write;
});

under_plan!(JobStore, store {
    fn job(job: &JobRef) -> Option<Job>;
    fn jobs(tenant: &TenantId, page: &PageRequest) -> Page<Job>;
    fn save_job(job: &Job) -> Write;
    fn jobs_due(now: Timestamp, limit: usize) -> Vec<JobRef>;
});

under_plan!(DirectoryStore, store {
    fn create_directory(directory: &Directory, journal: &Journal) -> Write;
    fn directory(id: &DirectoryId) -> Option<Directory>;
    fn directories(page: &PageRequest) -> Page<Directory>;
    fn delete_directory(directory: &Directory, journal: &Journal) -> Write;
    fn save_run(id: &DirectoryId, run: &SyncRun) -> Write;
    fn mark(tenant: &TenantId, keeper: &Keeper) -> Option<Mark>;
    fn save_mark(tenant: &TenantId, mark: &MarkChange) -> Write;
});

under_plan!(MassChangeStore, store {
    fn mass_changes(tenant: &TenantId) -> MassChanges;
    fn count_users(tenant: &TenantId, most: u64) -> u64;
    fn begin_hour(tenant: &TenantId, hour: u64, users: u64) -> ();
    fn count(tenant: &TenantId, kind: MassChange, limit: u64, at: Timestamp) -> Counted;
    fn let_go(tenant: &TenantId, job: &Job, journal: &Journal) -> Write;
});

under_plan!(JobQueue, queue {
    fn work(job: &JobRef, delay: Duration) -> ();
});

under_plan!(SuppressionStore, store {
    fn suppress(suppression: &Suppression) -> Write;
    fn suppressions(tenant: &TenantId, page: &PageRequest) -> Page<Suppression>;
    fn clear_suppression(tenant: &TenantId, key: &AddressKey, journal: &Journal) -> Write;
});
under_plan!(DeliveryQueue, queue {
    fn deliver(message: &MessageRef, delay: Duration) -> ();
    fn tell(message: &MessageRef, hop: u16, verdict: Verdict, delay: Duration) -> ();
    fn deliver_all(messages: &[MessageRef]) -> ();
    fn hand(sender: Sender, message: &MessageRef, hop: u16, delay: Duration) -> ();
});

under_plan!(DeadLetters, queue {
    fn letters(source: usize) -> Option<Vec<DeadLetter>>;
    fn discard(letters: &[DeadLetter]) -> ();
    fn put_back(letters: &[DeadLetter]) -> ();
});

impl<P: Ports> Configuration for Parts<'_, P> {
    async fn policies(&self, tenant: &TenantId) -> PortResult<Arc<[Policy]>> {
        self.plan.through("configuration", self.ports.configuration().policies(tenant)).await
    }

    fn forget_policies(&self, tenant: &TenantId) {
        self.ports.configuration().forget_policies(tenant);
    }

    async fn gateways(&self, tenant: &TenantId) -> PortResult<Reach> {
        self.plan.through("gateways", self.ports.configuration().gateways(tenant)).await
    }

    async fn templates(&self, tenant: &TenantId) -> PortResult<Arc<[TemplateHead]>> {
        self.plan.through("templates", self.ports.configuration().templates(tenant)).await
    }

    async fn template(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<Arc<TemplateVersion>>> {
        self.plan.through("template", self.ports.configuration().template(tenant, name, version)).await
    }

    async fn look(&self, tenant: &TenantId) -> PortResult<Arc<BrandDocument>> {
        self.plan.through("look", self.ports.configuration().look(tenant)).await
    }

    async fn health(&self, gateways: &[HealthKey]) -> PortResult<Vec<Option<Health>>> {
        let now = self.ports.clock().now();
        if let Some(known) = self.process.and_then(|process| process.known(gateways, now)) {
            return Ok(known);
        }
        let read = self.plan.through("health", self.ports.configuration().health(gateways)).await?;
        if let Some(process) = self.process {
            let read = gateways.iter().cloned().zip(read.iter().map(|health| (now, *health)));
            process.lock().extend(read);
        }
        Ok(read)
    }

    fn forget_health(&self, gateways: &[HealthKey]) {
        self.ports.configuration().forget_health(gateways);
        if let Some(process) = self.process {
            process.lock().retain(|gateway, _| !gateways.contains(gateway));
        }
    }

    fn forget_templates(&self, tenant: &TenantId) {
        self.ports.configuration().forget_templates(tenant);
    }

    fn forget_gateways(&self, owner: &Owner) {
        self.ports.configuration().forget_gateways(owner);
    }
}

impl<P: Ports> Sealer for Parts<'_, P> {
    async fn new_tenant_key(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        self.plan.through("new_tenant_key", self.ports.sealer().new_tenant_key(tenant)).await
    }

    fn forget(&self, tenant: &TenantId) {
        self.ports.sealer().forget(tenant);
    }

    async fn is_current(&self, tenant: &TenantId, sealed: &[u8]) -> PortResult<bool> {
        self.plan.through("is_current", self.ports.sealer().is_current(tenant, sealed)).await
    }

    async fn burn(&self, tenant: &TenantId) -> PortResult<()> {
        self.plan.through("burn", self.ports.sealer().burn(tenant)).await
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        self.plan.through("seal", self.ports.sealer().seal(tenant, kind, record, secret)).await
    }

    async fn derive(&self, tenant: &TenantId, kind: RecordKind, record: &str) -> PortResult<[u8; 32]> {
        self.plan.through("derive", self.ports.sealer().derive(tenant, kind, record)).await
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        self.plan.through("open", self.ports.sealer().open(tenant, kind, record, sealed)).await
    }
}

/// A provider under a plan: of a lost answer nobody knows what became of its request.
#[derive(Debug)]
pub struct FaultyProvider<'a, E> {
    provider: &'a E,
    plan: Arc<Plan>,
}

impl<'a, E: Provider> FaultyProvider<'a, E> {
    /// `provider` under `plan`.
    #[must_use]
    pub fn new(provider: &'a E, plan: &Arc<Plan>) -> Self {
        Self { provider, plan: Arc::clone(plan) }
    }
}

impl<E: Provider> Provider for FaultyProvider<'_, E> {
    async fn send(&self, order: &Order<'_>) -> Report {
        let call = async { Ok(self.provider.send(order).await) };
        let lost = |error: PortError| Report::of(Outcome::Unknown, error.to_string(), Said::default());
        self.plan.through("provider", call).await.unwrap_or_else(lost)
    }

    fn own(&self) -> Option<&Settings> {
        self.provider.own()
    }

    fn kind(&self) -> Kind {
        self.provider.kind()
    }
}
