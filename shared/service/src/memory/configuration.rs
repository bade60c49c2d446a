//! What operators configure, in memory.

use std::sync::Arc;

use otpost_domain::circuit::{Health, HealthKey};
use otpost_domain::gateway::{Gateway, Owner, Reach};
use otpost_domain::ids::{PolicyId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::policy::Policy;
use otpost_domain::template::{BrandDocument, TemplateHead, TemplateName, TemplateVersion};

use super::{MemoryStore, page};
use crate::ports::{
    Configuration, Journal, MessageStore as _, Owned, Page, PageRequest, PolicyStore, PortResult,
    TemplateStore, Write,
};

impl PolicyStore for MemoryStore {
    async fn policies(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Policy>> {
        let state = self.lock();
        let own = state.policies.iter().filter(|((of, _), _)| of == tenant);
        Ok(page(own.map(|((_, id), policy)| (id.to_string(), policy.clone())).collect(), request))
    }

    async fn policy(&self, tenant: &TenantId, id: &PolicyId) -> PortResult<Option<Policy>> {
        Ok(self.lock().policies.get(&(tenant.clone(), id.clone())).cloned())
    }

    async fn save_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (tenant.clone(), policy.id.clone());
        let stored = state.policies.get(&key).map_or(0, |stored| stored.version);
        if !state.admits(journal) || stored + 1 != policy.version {
            return Ok(Write::Stale);
        }
        state.policies.insert(key, policy.clone());
        state.begin(job);
        state.write(journal);
        Ok(Write::Done)
    }

    async fn delete_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (tenant.clone(), policy.id.clone());
        if !state.admits(journal)
            || state.policies.get(&key).map(|stored| stored.version) != Some(policy.version)
        {
            return Ok(Write::Stale);
        }
        state.policies.remove(&key);
        state.begin(job);
        state.write(journal);
        Ok(Write::Done)
    }
}

impl MemoryStore {
    /// Until it is forgotten, what is configured of the owner's gateways is what was stored once.
    pub fn gateways_were_read(&self, owner: &Owner, then: Owned) {
        self.lock().gateways_read.insert(owner.clone(), then);
    }
}

/// What is stored, unless [`MemoryStore::gateways_were_read`] before.
impl Configuration for MemoryStore {
    async fn policies(&self, tenant: &TenantId) -> PortResult<Arc<[Policy]>> {
        let state = self.lock();
        let own = state.policies.iter().filter(|((of, _), _)| of == tenant);
        Ok(own.map(|(_, policy)| policy.clone()).collect())
    }

    async fn gateways(&self, tenant: &TenantId) -> PortResult<Reach> {
        let state = self.lock();
        let of = |owner: &Owner| -> Arc<[Gateway]> {
            let read = state.gateways_read.get(owner).or_else(|| state.gateways.get(owner));
            read.map(|owned| owned.gateways.clone()).unwrap_or_default().into()
        };
        Ok(Reach::new(tenant.clone(), of(&Owner::Tenant(tenant.clone())), of(&Owner::Platform)))
    }

    async fn templates(&self, tenant: &TenantId) -> PortResult<Arc<[TemplateHead]>> {
        Ok(self.heads(tenant).into())
    }

    async fn template(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<Arc<TemplateVersion>>> {
        Ok(self.template_version(tenant, name, version).await?.map(Arc::new))
    }

    async fn look(&self, tenant: &TenantId) -> PortResult<Arc<BrandDocument>> {
        let brand = self.brand(tenant).await?;
        Ok(Arc::new(brand.map(|brand| brand.document).unwrap_or_default()))
    }

    async fn health(&self, gateways: &[HealthKey]) -> PortResult<Vec<Option<Health>>> {
        self.health_of(gateways).await
    }

    fn forget_health(&self, _: &[HealthKey]) {}
    fn forget_templates(&self, _: &TenantId) {}
    fn forget_policies(&self, _: &TenantId) {}
    fn forget_gateways(&self, owner: &Owner) {
        self.lock().gateways_read.remove(owner);
    }
}
