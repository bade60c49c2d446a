//! The configuration by which a function works: read at most once a minute per tenant.

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::circuit::{Health, HealthKey};
use otpost_domain::gateway::{Gateway, Owner, Reach};
use otpost_domain::ids::TenantId;
use otpost_domain::policy::Policy;
use otpost_domain::template::{BrandDocument, TemplateHead, TemplateName, TemplateVersion};
use otpost_service::ports::{
    CONFIGURATION_LIFE, Clock, Configuration, GatewayStore as _, HEALTH_LIFE, MessageStore as _,
    PolicyStore as _, PortResult, TemplateStore as _,
};

use crate::dynamodb::DynamoStore;
use crate::lately::Lately;

/// Of how many tenants the configuration stays in memory.
const MAX_TENANTS: usize = 256;

/// Of how many gateways the health stays in memory.
const MAX_GATEWAYS: usize = 512;

/// How many versions of templates stay in memory: a few tenants' in a few languages.
const MAX_TEMPLATES: usize = 64;

/// How long a version of a template stays in memory: it never changes.
const VERSION_LIFE: Duration = Duration::from_hours(24);

/// What was read lately.
#[derive(Debug)]
pub struct CachedConfiguration<C> {
    store: DynamoStore,
    clock: C,
    policies: Lately<TenantId, Arc<[Policy]>>,
    gateways: Lately<Owner, Arc<[Gateway]>>,
    templates: Lately<TenantId, Arc<[TemplateHead]>>,
    versions: Lately<(TenantId, TemplateName, u64), Arc<TemplateVersion>>,
    looks: Lately<TenantId, Arc<BrandDocument>>,
    health: Lately<HealthKey, Option<Health>>,
}

impl<C: Clock> CachedConfiguration<C> {
    pub(crate) fn new(store: DynamoStore, clock: C) -> Self {
        Self {
            store,
            clock,
            policies: Lately::new(MAX_TENANTS, CONFIGURATION_LIFE),
            gateways: Lately::new(MAX_TENANTS, CONFIGURATION_LIFE),
            templates: Lately::new(MAX_TENANTS, CONFIGURATION_LIFE),
            versions: Lately::new(MAX_TEMPLATES, VERSION_LIFE),
            looks: Lately::new(MAX_TENANTS, CONFIGURATION_LIFE),
            health: Lately::new(MAX_GATEWAYS, HEALTH_LIFE),
        }
    }

    async fn gateways_of(&self, owner: &Owner) -> PortResult<Arc<[Gateway]>> {
        let read = async { Ok(self.store.owned(owner).await?.gateways.into()) };
        self.gateways.or_read(owner, self.clock.now(), read).await
    }
}

impl<C: Clock> Configuration for CachedConfiguration<C> {
    async fn policies(&self, tenant: &TenantId) -> PortResult<Arc<[Policy]>> {
        let read = async { Ok(self.store.all_policies(tenant).await?.into()) };
        self.policies.or_read(tenant, self.clock.now(), read).await
    }

    /// Apart from the policies: what checks a code reads no gateways.
    async fn gateways(&self, tenant: &TenantId) -> PortResult<Reach> {
        let own = self.gateways_of(&Owner::Tenant(tenant.clone())).await?;
        Ok(Reach::new(tenant.clone(), own, self.gateways_of(&Owner::Platform).await?))
    }

    async fn templates(&self, tenant: &TenantId) -> PortResult<Arc<[TemplateHead]>> {
        let read = async { Ok(self.store.all_template_heads(tenant).await?.into()) };
        self.templates.or_read(tenant, self.clock.now(), read).await
    }

    async fn template(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<Arc<TemplateVersion>>> {
        let whose = (tenant.clone(), name.clone(), version);
        // It never changes: that it was read more than a minute ago is no reason to read it again.
        if let Some(held) = self.versions.held(&whose) {
            return Ok(Some(held));
        }
        let read = self.store.template_version(tenant, name, version).await?.map(Arc::new);
        Ok(read.map(|read| self.versions.hold(&whose, read, self.clock.now())))
    }

    async fn look(&self, tenant: &TenantId) -> PortResult<Arc<BrandDocument>> {
        let read = async {
            Ok(Arc::new(self.store.brand(tenant).await?.map(|brand| brand.document).unwrap_or_default()))
        };
        self.looks.or_read(tenant, self.clock.now(), read).await
    }

    fn forget_policies(&self, tenant: &TenantId) {
        self.policies.forget(tenant);
    }

    async fn health(&self, gateways: &[HealthKey]) -> PortResult<Vec<Option<Health>>> {
        let now = self.clock.now();
        let unknown: Vec<HealthKey> =
            gateways.iter().filter(|gateway| self.health.fresh(gateway, now).is_none()).cloned().collect();
        if !unknown.is_empty() {
            let read = self.store.health_of(&unknown).await?;
            for (gateway, health) in unknown.iter().zip(read) {
                self.health.hold(gateway, health, now);
            }
        }
        Ok(gateways.iter().map(|gateway| self.health.held(gateway).flatten()).collect())
    }

    fn forget_health(&self, gateways: &[HealthKey]) {
        for gateway in gateways {
            self.health.forget(gateway);
        }
    }

    fn forget_templates(&self, tenant: &TenantId) {
        self.templates.forget(tenant);
        self.looks.forget(tenant);
    }

    fn forget_gateways(&self, owner: &Owner) {
        self.gateways.forget(owner);
    }
}
