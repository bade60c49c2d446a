//! The ports of `otpost-service` on AWS.
//!
//! [`AwsPorts`] composes them: [`dynamodb`] keeps the state, [`sqs`] carries ids, [`sealer`] keeps secrets under
//! tenants' data keys that [`kms`] wraps. [`secrets`] reads the deployment's own key, and keeps gateways' credentials.
//!
//! Clients are made once, by a function's `main`; an emulator enters through the SDK's standard endpoint variable and
//! in no other way.

mod configuration;
pub mod dynamodb;
mod fault;
pub mod kms;
mod lately;
pub mod sealer;
pub mod secrets;
pub mod sqs;
mod trust;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use otpost_service::ports::{Clock, Entropy, PortResult, Ports};
use otpost_service::tallies::Tallies;

pub use crate::configuration::CachedConfiguration;
use crate::dynamodb::DynamoStore;
use crate::fault::not_given;
use crate::kms::KmsKeyWrapper;
use crate::sealer::{EnvelopeSealer, KeyWrapper};
use crate::secrets::SecretCredentials;
use crate::sqs::{SenderQueues, SqsQueue};

/// Names of what the deployment made; each function is given what it needs.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Table `core`.
    pub core_table: Option<String>,
    /// Table `flow`.
    pub flow_table: Option<String>,
    /// What the names of gateways' credentials begin with.
    pub credentials_prefix: Option<String>,
    /// The KMS key under which gateways' credentials lie.
    pub storage_key: Option<String>,
    /// The KMS key that wraps tenants' data keys.
    pub data_key: Option<String>,
    /// URL of the queue `deliveries`.
    pub deliveries_queue: Option<String>,
    /// URL of the queue `jobs`.
    pub jobs_queue: Option<String>,
    /// URLs of the senders' queues.
    pub sender_queues: SenderQueues,
    /// URL of the queue `receipts`.
    pub receipts_queue: Option<String>,
    /// URLs of the dead-letter queues of `deliveries` and of the senders' queues.
    pub dead_letter_queues: Vec<String>,
    /// What links begin with; no slash at its end.
    pub public_url: Option<String>,
}

/// All ports on AWS.
#[derive(Debug)]
pub struct AwsPorts<C, E, W = KmsKeyWrapper> {
    store: DynamoStore,
    configuration: CachedConfiguration<C>,
    queue: SqsQueue,
    credentials: SecretCredentials<C>,
    sealer: EnvelopeSealer<W, C, E>,
    clock: C,
    entropy: E,
    tallies: Tallies,
    public_url: Option<String>,
}

/// Loads credentials and region, with timeouts that fit inside a function's own. All clients made of it share one HTTP
/// client, which trusts Amazon's roots.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_millis(1500))
        .operation_timeout(Duration::from_secs(4))
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(trust::http_client())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .load()
        .await
}

impl<C: Clock + Clone, E: Entropy + Clone> AwsPorts<C, E> {
    /// The ports of a deployed function.
    #[must_use]
    pub fn new(config: &SdkConfig, resources: Resources, clock: C, entropy: E) -> Self {
        let wrapper = KmsKeyWrapper::new(config, resources.data_key.clone());
        Self::with_key_wrapper(config, resources, clock, entropy, wrapper)
    }
}

impl<C: Clock + Clone, E: Entropy + Clone, W: KeyWrapper> AwsPorts<C, E, W> {
    /// The same with another way to wrap data keys.
    #[must_use]
    pub fn with_key_wrapper(
        config: &SdkConfig,
        resources: Resources,
        clock: C,
        entropy: E,
        wrapper: W,
    ) -> Self {
        let store = DynamoStore::new(config, resources.core_table, resources.flow_table);
        Self {
            configuration: CachedConfiguration::new(store.clone(), clock.clone()),
            queue: SqsQueue::new(
                config,
                resources.deliveries_queue,
                resources.jobs_queue,
                resources.receipts_queue,
                resources.sender_queues,
                resources.dead_letter_queues,
            ),
            credentials: SecretCredentials::new(
                config,
                resources.credentials_prefix,
                resources.storage_key,
                clock.clone(),
            ),
            sealer: EnvelopeSealer::new(store.clone(), wrapper, clock.clone(), entropy.clone()),
            store,
            clock,
            entropy,
            tallies: Tallies::default(),
            public_url: resources.public_url,
        }
    }
}

impl<C: Clock, E: Entropy, W: KeyWrapper> Ports for AwsPorts<C, E, W> {
    type Store = DynamoStore;
    type Configuration = CachedConfiguration<C>;
    type Queue = SqsQueue;
    type Credentials = SecretCredentials<C>;
    type Sealer = EnvelopeSealer<W, C, E>;
    type Clock = C;
    type Entropy = E;

    fn store(&self) -> &Self::Store {
        &self.store
    }
    fn configuration(&self) -> &Self::Configuration {
        &self.configuration
    }
    fn queue(&self) -> &Self::Queue {
        &self.queue
    }
    fn credentials(&self) -> &Self::Credentials {
        &self.credentials
    }
    fn sealer(&self) -> &Self::Sealer {
        &self.sealer
    }
    fn clock(&self) -> &C {
        &self.clock
    }
    fn entropy(&self) -> &E {
        &self.entropy
    }
    fn tallies(&self) -> &Tallies {
        &self.tallies
    }
    fn public_url(&self) -> PortResult<&str> {
        self.public_url.as_deref().ok_or_else(|| not_given("public URL"))
    }
}
