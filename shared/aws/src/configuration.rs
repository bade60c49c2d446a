//! The configuration by which a function works: read at most once a minute per tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use otpost_domain::ids::TenantId;
use otpost_domain::policy::Policy;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    CONFIGURATION_LIFE, Clock, Configuration, PageRequest, PolicyStore as _, PortResult,
};

use crate::dynamodb::DynamoStore;

/// Of how many tenants the configuration stays in memory.
const MAX_TENANTS: usize = 256;
/// More policies than a tenant may have: one page holds them all.
const ALL: usize = 100;

/// What was read lately.
#[derive(Debug)]
pub struct CachedConfiguration<C> {
    store: DynamoStore,
    clock: C,
    tenants: Mutex<HashMap<TenantId, Held>>,
}

#[derive(Debug)]
struct Held {
    policies: Arc<[Policy]>,
    until: Timestamp,
}

impl<C: Clock> CachedConfiguration<C> {
    pub(crate) fn new(store: DynamoStore, clock: C) -> Self {
        Self { store, clock, tenants: Mutex::default() }
    }

    fn held(&self, tenant: &TenantId) -> Option<Arc<[Policy]>> {
        let now = self.clock.now();
        let tenants = self.lock();
        tenants.get(tenant).filter(|held| now < held.until).map(|held| Arc::clone(&held.policies))
    }

    fn hold(&self, tenant: &TenantId, policies: &Arc<[Policy]>, until: Timestamp) {
        let mut tenants = self.lock();
        if tenants.len() >= MAX_TENANTS && !tenants.contains_key(tenant) {
            let oldest = tenants.iter().min_by_key(|(_, held)| held.until).map(|(tenant, _)| tenant.clone());
            oldest.and_then(|tenant| tenants.remove(&tenant));
        }
        tenants.insert(tenant.clone(), Held { policies: Arc::clone(policies), until });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Held>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> Configuration for CachedConfiguration<C> {
    async fn policies(&self, tenant: &TenantId) -> PortResult<Arc<[Policy]>> {
        if let Some(held) = self.held(tenant) {
            return Ok(held);
        }
        // It is as old as its request: what comes while that is under way may not be in it.
        let until = self.clock.now().plus(CONFIGURATION_LIFE);
        let page = PageRequest { limit: ALL, after: None };
        let policies: Arc<[Policy]> = self.store.policies(tenant, &page).await?.items.into();
        self.hold(tenant, &policies, until);
        Ok(policies)
    }

    fn forget(&self, tenant: &TenantId) {
        self.lock().remove(tenant);
    }
}
