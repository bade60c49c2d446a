//! Templates in memory.

use otpost_domain::ids::TenantId;
use otpost_domain::template::{Brand, MOST_VERSIONS, TemplateHead, TemplateName, TemplateVersion};

use super::{MemoryStore, State, page};
use crate::ports::{Journal, Page, PageRequest, PortResult, TemplateStore, Write};

impl State {
    /// The versions of a template, the latest last.
    fn versions<'s>(
        &'s self,
        tenant: &TenantId,
        name: &TemplateName,
    ) -> impl DoubleEndedIterator<Item = &'s TemplateVersion> {
        let key = |version| (tenant.clone(), name.to_string(), version);
        self.templates.range(key(0)..=key(u64::MAX)).map(|(_, version)| version)
    }
}

impl MemoryStore {
    pub(super) fn heads(&self, tenant: &TenantId) -> Vec<TemplateHead> {
        let state = self.lock();
        let own = state.templates.iter().filter(|((of, _, _), _)| of == tenant);
        let mut heads: Vec<TemplateHead> = Vec::new();
        for (_, version) in own {
            heads.retain(|head| head.name != version.name);
            heads.push(version.head());
        }
        heads
    }
}

impl TemplateStore for MemoryStore {
    async fn template_heads(
        &self,
        tenant: &TenantId,
        request: &PageRequest,
    ) -> PortResult<Page<TemplateHead>> {
        let heads = self.heads(tenant).into_iter();
        Ok(page(heads.map(|head| (head.name.to_string(), head)).collect(), request))
    }

    async fn template_head(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
    ) -> PortResult<Option<TemplateHead>> {
        Ok(self.lock().versions(tenant, name).next_back().map(TemplateVersion::head))
    }

    async fn template_version(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<TemplateVersion>> {
        Ok(self.lock().templates.get(&(tenant.clone(), name.to_string(), version)).cloned())
    }

    async fn template_versions(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        request: &PageRequest,
    ) -> PortResult<Page<TemplateVersion>> {
        let state = self.lock();
        let versions = state.versions(tenant, name).rev();
        let keyed = versions.map(|version| (format!("{:010}", u64::MAX - version.version), version.clone()));
        Ok(page(keyed.collect(), request))
    }

    async fn save_template(
        &self,
        tenant: &TenantId,
        version: &TemplateVersion,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        let latest = state.versions(tenant, &version.name).next_back().map_or(0, |latest| latest.version);
        if !state.admits(journal) || latest + 1 != version.version {
            return Ok(Write::Stale);
        }
        let key = |version| (tenant.clone(), version);
        let (tenant, number) = key(version.version);
        state.templates.insert((tenant.clone(), version.name.to_string(), number), version.clone());
        if let Some(oldest) = number.checked_sub(MOST_VERSIONS) {
            state.templates.remove(&(tenant, version.name.to_string(), oldest));
        }
        state.write(journal);
        Ok(Write::Done)
    }

    async fn brand(&self, tenant: &TenantId) -> PortResult<Option<Brand>> {
        Ok(self.lock().brands.get(tenant).cloned())
    }

    async fn save_brand(&self, tenant: &TenantId, brand: &Brand, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        let stored = state.brands.get(tenant).map_or(0, |stored| stored.version);
        if !state.admits(journal) || stored + 1 != brand.version {
            return Ok(Write::Stale);
        }
        state.brands.insert(tenant.clone(), brand.clone());
        state.write(journal);
        Ok(Write::Done)
    }
}
