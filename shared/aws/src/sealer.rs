//! Envelope sealing: a data key per tenant, wrapped at rest, in memory for five minutes at most.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otpost_domain::ids::TenantId;
use otpost_domain::sealing::{self, Binding, DataKey, OpenError};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{Clock, Entropy, Fault, PortError, PortResult, RecordKind, Sealer, WrappedKey};
use zeroize::Zeroizing;

use crate::dynamodb::{DynamoStore, TenantKeys};

/// How long an opened data key stays in memory; also how long a deleted one may still work.
pub const KEY_LIFE: Duration = Duration::from_mins(5);
/// Of how many tenants keys stay in memory.
pub const MAX_TENANTS: usize = 256;
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
    tenants: Mutex<HashMap<TenantId, Held>>,
}

/// What is held of a tenant: its wrapped keys, and those that were needed, opened. The opened ones are wiped when they
/// are dropped.
#[derive(Clone, Debug)]
struct Held {
    keys: TenantKeys,
    opened: HashMap<u8, Arc<DataKey>>,
    until: Timestamp,
}

/// Which key is wanted.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Current,
    Version(u8),
}

impl<W: KeyWrapper, C: Clock, E: Entropy> EnvelopeSealer<W, C, E> {
    pub(crate) fn new(store: DynamoStore, wrapper: W, clock: C, entropy: E) -> Self {
        Self { store, wrapper, clock, entropy, tenants: Mutex::default() }
    }

    /// A key and its version. Nothing is fetched and nobody is asked while what is held will do.
    async fn key(&self, tenant: &TenantId, wanted: Wanted) -> PortResult<(u8, Arc<DataKey>)> {
        let held = match self.held(tenant) {
            Some(held) if !matches!(wanted, Wanted::Version(v) if !held.keys.wrapped.contains_key(&v)) => {
                held
            }
            // Nothing is held, or a key of a version that is newer than what is held.
            _ => self.fetched(tenant).await?,
        };
        let version = match wanted {
            Wanted::Current => held.keys.current,
            Wanted::Version(version) => version,
        };
        if let Some(key) = held.opened.get(&version) {
            return Ok((version, Arc::clone(key)));
        }
        let wrapped = held.keys.wrapped.get(&version).ok_or_else(no_key)?;
        let key = Arc::new(self.wrapper.unwrap(tenant, wrapped).await?);
        if let Some(held) = self.lock().get_mut(tenant) {
            held.opened.insert(version, Arc::clone(&key));
        }
        Ok((version, key))
    }

    async fn current(&self, tenant: &TenantId) -> PortResult<u8> {
        match self.held(tenant) {
            Some(held) => Ok(held.keys.current),
            None => Ok(self.fetched(tenant).await?.keys.current),
        }
    }

    async fn fetched(&self, tenant: &TenantId) -> PortResult<Held> {
        let Some(keys) = self.store.tenant_keys(tenant).await? else {
            self.forget(tenant);
            return Err(PortError::new(Fault::Gone, "the tenant has no data keys"));
        };
        let until = self.clock.now().plus(KEY_LIFE);
        let mut tenants = self.lock();
        if tenants.len() >= MAX_TENANTS && !tenants.contains_key(tenant) {
            let oldest = tenants.iter().min_by_key(|(_, held)| held.until).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| tenants.remove(&tenant));
        }
        let held = Held { keys, opened: HashMap::new(), until };
        tenants.insert(tenant.clone(), held.clone());
        Ok(held)
    }

    fn held(&self, tenant: &TenantId) -> Option<Held> {
        let now = self.clock.now();
        let mut tenants = self.lock();
        tenants.retain(|_, held| now < held.until);
        tenants.get(tenant).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Held>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_key() -> PortError {
    PortError::new(Fault::Corrupt, "the tenant has no such data key")
}

fn corrupt(error: OpenError) -> PortError {
    PortError::new(Fault::Corrupt, error)
}

impl<W: KeyWrapper, C: Clock, E: Entropy> Sealer for EnvelopeSealer<W, C, E> {
    async fn new_tenant_key(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        self.wrapper.generate(tenant).await
    }

    fn forget(&self, tenant: &TenantId) {
        self.lock().remove(tenant);
    }

    async fn is_current(&self, tenant: &TenantId, sealed: &[u8]) -> PortResult<bool> {
        let version = sealing::key_version_of(sealed).map_err(corrupt)?;
        Ok(version == self.current(tenant).await?)
    }

    async fn burn(&self, tenant: &TenantId) -> PortResult<()> {
        let (_, key) = self.key(tenant, Wanted::Current).await?;
        sealing::burn(&key);
        Ok(())
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        let (version, key) = self.key(tenant, Wanted::Current).await?;
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        Ok(sealing::seal(&key, version, &binding, self.entropy.array(), secret))
    }

    async fn derive(&self, tenant: &TenantId, kind: RecordKind, record: &str) -> PortResult<[u8; 32]> {
        let (_, key) = self.key(tenant, Wanted::Version(1)).await?;
        Ok(sealing::derive(&key, &Binding { tenant: tenant.as_str(), record, kind: kind.as_str() }))
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        let version = sealing::key_version_of(sealed).map_err(corrupt)?;
        let (_, key) = self.key(tenant, Wanted::Version(version)).await?;
        let binding = Binding { tenant: tenant.as_str(), record, kind: kind.as_str() };
        sealing::open(&key, &binding, sealed).map_err(corrupt)
    }
}
