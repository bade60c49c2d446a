//! Ports that fail, or take the process with them, at a chosen call: to find out what a crash leaves behind.

#![expect(clippy::missing_panics_doc, reason = "support of tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use otpost_domain::apikey::ApiKey;
use otpost_domain::directory::{Directory, Mark, SyncRun};
use otpost_domain::enrolment::Enrolment;
use otpost_domain::gateway::{Credentials, Kind, Owner, Reach, Settings};
use otpost_domain::ids::{BearerHash, DirectoryId, KeyId, PolicyId, Serial, TenantId, UserId};
use otpost_domain::job::{Job, Stepped};
use otpost_domain::message::{Message, Sender};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_domain::policy::Policy;
use otpost_domain::provisioning::MassChange;
use otpost_domain::template::{Brand, BrandDocument, TemplateHead, TemplateName, TemplateVersion};
use otpost_domain::tenant::{Keeper, Listed, Tenant, Tombstone, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{SealedSeed, Token};
use otpost_domain::verification::{Acceptance, Refusal};
use zeroize::Zeroizing;

use crate::ports::{
    Activation, AnswerStore, AuthWrite, Configuration, Counted, CredentialReader, CredentialStore,
    DeliveryQueue, DirectoryStore, Due, EnrolmentStore, ErasureStore, Fault, GatewayChange, GatewaySecret,
    GatewayStore, JobQueue, JobRef, JobStore, Journal, KeyStore, MarkChange, MassChangeStore, MassChanges,
    MessageRef, MessageStore, NonceStore, Owned, Page, PageRequest, PolicyStore, PortError, PortResult,
    Ports, Provisioning, Push, RecordKind, Reserved, Sealer, Slot, Standing, Subject, TemplateStore,
    TenantStore, TokenStore, UserChange, UserStore, VerificationStore, WrappedKey, Write,
};
use crate::provider::{Order, Provider};

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

/// At which external call what happens.
#[derive(Debug)]
pub struct Plan {
    at: usize,
    mishap: Mishap,
    calls: AtomicUsize,
    fired: AtomicBool,
    died: tokio::sync::Notify,
    names: std::sync::Mutex<Vec<&'static str>>,
}

impl Plan {
    /// `mishap` at external call number `at`, counted from 1.
    #[must_use]
    pub fn new(at: usize, mishap: Mishap) -> Arc<Self> {
        Arc::new(Self {
            at,
            mishap,
            calls: AtomicUsize::new(0),
            fired: AtomicBool::new(false),
            died: tokio::sync::Notify::new(),
            names: std::sync::Mutex::default(),
        })
    }

    /// Whether the chosen call was ever made.
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
        let now = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        (now == self.at).then(|| {
            self.fired.store(true, Ordering::SeqCst);
            self.mishap
        })
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
        match self.strikes(name) {
            None => call.await,
            Some(Mishap::FailsBefore) => Err(lost()),
            Some(Mishap::FailsAfter) => {
                let _lost = call.await;
                Err(lost())
            }
            Some(Mishap::DiesBefore) => self.die().await,
            Some(Mishap::DiesAfter) => {
                let _lost = call.await;
                self.die().await
            }
        }
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
}

impl<'a, P: Ports> Faulty<'a, P> {
    /// `ports` under `plan`.
    #[must_use]
    pub fn new(ports: &'a P, plan: &Arc<Plan>) -> Self {
        Self { parts: Parts { ports, plan: Arc::clone(plan) } }
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
    fn claim(message: &MessageRef, number: u16, claimant: &str, now: Timestamp) -> Option<Message>;
    fn save_message(message: &Message) -> Write;
    fn due(shard: u8, now: Timestamp, limit: usize, after: Option<&Due>) -> Vec<Due>;
    fn put_aside(message: &MessageRef) -> ();
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

under_plan!(DeliveryQueue, queue {
    fn deliver(message: &MessageRef) -> ();
    fn deliver_all(messages: &[MessageRef]) -> ();
    fn hand(sender: Sender, message: &MessageRef, hop: u16, delay: Duration) -> ();
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
