//! Envelope sealing: a data key per tenant, wrapped at rest, in memory for five minutes at most.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use otpost_domain::ids::TenantId;
use otpost_domain::sealing::{self, Binding, DataKey};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{Clock, Entropy, Fault, PortError, PortResult, RecordKind, Sealer, WrappedKey};
use zeroize::Zeroizing;

use crate::dynamodb::DynamoStore;

/// How long an opened data key stays in memory; also how long a deleted one may still work.
pub const KEY_LIFE: Duration = Duration::from_mins(5);
/// How many tenants' keys stay in memory.
pub const MAX_KEYS: usize = 256;
/// The version that new records carry.
const KEY_VERSION: u8 = 1;

/// Makes and opens wrapped data keys.
pub trait KeyWrapper: Send + Sync {
    /// A new data key, wrapped for `tenant`.
    fn generate(&self, tenant: &TenantId) -> impl Future<Output = PortResult<WrappedKey>> + Send;
    /// Opens a data key of `tenant`.
    fn unwrap(
        &self,
        tenant: &TenantId,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = PortResult<DataKey>> + Send;
}

/// Seals under tenants' data keys.
#[derive(Debug)]
pub struct EnvelopeSealer<W, C, E> {
    store: DynamoStore,
    wrapper: W,
    clock: C,
    entropy: E,
    keys: Mutex<HashMap<TenantId, Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    key: Arc<DataKey>,
    until: Timestamp,
}

impl<W: KeyWrapper, C: Clock, E: Entropy> EnvelopeSealer<W, C, E> {
    pub(crate) fn new(store: DynamoStore, wrapper: W, clock: C, entropy: E) -> Self {
        Self { store, wrapper, clock, entropy, keys: Mutex::default() }
    }

    async fn key(&self, tenant: &TenantId) -> PortResult<Arc<DataKey>> {
        let now = self.clock.now();
        if let Some(held) = self.held(tenant, now) {
            return Ok(held);
        }
        let wrapped = self.store.wrapped_key(tenant).await?;
        let wrapped = wrapped.ok_or_else(|| PortError::new(Fault::Corrupt, "the tenant has no data key"))?;
        let key = Arc::new(self.wrapper.unwrap(tenant, &wrapped).await?);
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            let oldest = keys.iter().min_by_key(|(_, held)| held.until).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| keys.remove(&tenant));
        }
        keys.insert(tenant.clone(), Held { key: Arc::clone(&key), until: now.plus(KEY_LIFE) });
        Ok(key)
    }

    fn held(&self, tenant: &TenantId, now: Timestamp) -> Option<Arc<DataKey>> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|_, held| now < held.until);
        keys.get(tenant).map(|held| Arc::clone(&held.key))
    }
}

impl<W: KeyWrapper, C: Clock, E: Entropy> Sealer for EnvelopeSealer<W, C, E> {
    async fn new_tenant_key(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        self.wrapper.generate(tenant).await
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        let key = self.key(tenant).await?;
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        Ok(sealing::seal(&key, KEY_VERSION, &binding, self.entropy.array(), secret))
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        let key = self.key(tenant).await?;
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        sealing::open(&key, &binding, sealed).map_err(|error| PortError::new(Fault::Corrupt, error))
    }
}
