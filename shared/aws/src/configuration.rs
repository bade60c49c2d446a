//! The configuration by which a function works: read at most once a minute per tenant.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otpost_domain::gateway::{Gateway, Owner, Reach};
use otpost_domain::ids::TenantId;
use otpost_domain::policy::Policy;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    CONFIGURATION_LIFE, Clock, Configuration, GatewayStore as _, PolicyStore as _, PortResult,
};

use crate::dynamodb::DynamoStore;

/// Of how many tenants the configuration stays in memory.
const MAX_TENANTS: usize = 256;

/// What was read lately.
#[derive(Debug)]
pub struct CachedConfiguration<C> {
    store: DynamoStore,
    clock: C,
    policies: Lately<TenantId, Policy>,
    gateways: Lately<Owner, Gateway>,
}

/// Lists that were read lately, by whose they are.
#[derive(Debug)]
struct Lately<K, T>(Mutex<HashMap<K, Held<T>>>);

#[derive(Debug)]
struct Held<T> {
    all: Arc<[T]>,
    until: Timestamp,
}

impl<K: Clone + Eq + Hash, T> Lately<K, T> {
    fn held(&self, whose: &K, now: Timestamp) -> Option<Arc<[T]>> {
        let held = self.lock();
        held.get(whose).filter(|held| now < held.until).map(|held| Arc::clone(&held.all))
    }

    fn hold(&self, whose: &K, all: Vec<T>, until: Timestamp) -> Arc<[T]> {
        let all: Arc<[T]> = all.into();
        let mut held = self.lock();
        if held.len() >= MAX_TENANTS && !held.contains_key(whose) {
            let oldest = held.iter().min_by_key(|(_, held)| held.until).map(|(whose, _)| whose.clone());
            oldest.and_then(|whose| held.remove(&whose));
        }
        held.insert(whose.clone(), Held { all: Arc::clone(&all), until });
        all
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Held<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> CachedConfiguration<C> {
    pub(crate) fn new(store: DynamoStore, clock: C) -> Self {
        Self { store, clock, policies: Lately(Mutex::default()), gateways: Lately(Mutex::default()) }
    }

    async fn gateways_of(&self, owner: &Owner) -> PortResult<Arc<[Gateway]>> {
        let now = self.clock.now();
        if let Some(held) = self.gateways.held(owner, now) {
            return Ok(held);
        }
        let read = self.store.owned(owner).await?;
        Ok(self.gateways.hold(owner, read.gateways, now.plus(CONFIGURATION_LIFE)))
    }
}

impl<C: Clock> Configuration for CachedConfiguration<C> {
    async fn policies(&self, tenant: &TenantId) -> PortResult<Arc<[Policy]>> {
        // It is as old as its request: what comes while that is under way may not be in it.
        let now = self.clock.now();
        if let Some(held) = self.policies.held(tenant, now) {
            return Ok(held);
        }
        let policies = self.store.all_policies(tenant).await?;
        Ok(self.policies.hold(tenant, policies, now.plus(CONFIGURATION_LIFE)))
    }

    /// Apart from the policies: what checks a code reads no gateways.
    async fn gateways(&self, tenant: &TenantId) -> PortResult<Reach> {
        let own = self.gateways_of(&Owner::Tenant(tenant.clone())).await?;
        Ok(Reach::new(tenant.clone(), own, self.gateways_of(&Owner::Platform).await?))
    }

    fn forget(&self, tenant: &TenantId) {
        self.policies.lock().remove(tenant);
    }

    fn forget_gateways(&self, owner: &Owner) {
        self.gateways.lock().remove(owner);
    }
}
