//! What operators configure.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use otpost_domain::circuit::{Health, HealthKey};
use otpost_domain::gateway::{Owner, Reach};
use otpost_domain::ids::{PolicyId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::policy::Policy;
use otpost_domain::template::{BrandDocument, TemplateHead, TemplateName, TemplateVersion};

use super::{Journal, Page, PageRequest, PortResult, Write};

/// How long a function works by what it has read of the configuration: a change takes effect within it.
pub const CONFIGURATION_LIFE: Duration = Duration::from_mins(1);

/// Policies, as operators read and write them.
pub trait PolicyStore: Send + Sync {
    /// A tenant's policies, by id.
    fn policies(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Policy>>> + Send;
    /// All of a tenant's policies, by id: almost always one page.
    fn all_policies(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Vec<Policy>>> + Send {
        async move {
            let mut all = Vec::new();
            let mut request = PageRequest { limit: 100, after: None };
            loop {
                let page = self.policies(tenant, &request).await?;
                all.extend(page.items);
                request.after = page.next;
                if request.after.is_none() {
                    return Ok(all);
                }
            }
        }
    }
    /// One policy.
    fn policy(
        &self,
        tenant: &TenantId,
        id: &PolicyId,
    ) -> impl Future<Output = PortResult<Option<Policy>>> + Send;
    /// Makes a policy of version 1, or replaces the version before, and records the job that it calls for; stale when
    /// another is there.
    fn save_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Deletes this version of a policy, and records the job that it calls for; stale when another is there.
    fn delete_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// The configuration by which a function works: what it has read of it within [`CONFIGURATION_LIFE`]. Costs no request
/// while that lasts.
pub trait Configuration: Send + Sync {
    /// A tenant's policies, by id.
    fn policies(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Arc<[Policy]>>> + Send;
    /// The gateways that a tenant's policies may name.
    fn gateways(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Reach>> + Send;
    /// What is known of a tenant's templates without their texts.
    fn templates(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Arc<[TemplateHead]>>> + Send;
    /// One version of a template. It never changes, so it may be as old as the function.
    fn template(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> impl Future<Output = PortResult<Option<Arc<TemplateVersion>>>> + Send;
    /// What a tenant's mails look like.
    fn look(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Arc<BrandDocument>>> + Send;
    /// The health of gateways, in this order, none for those that work; at most [`HEALTH_LIFE`](super::HEALTH_LIFE) old.
    fn health(&self, gateways: &[HealthKey]) -> impl Future<Output = PortResult<Vec<Option<Health>>>> + Send;
    /// Forgets what was read of gateways' health, because it is not so any more.
    fn forget_health(&self, gateways: &[HealthKey]);
    /// Forgets the templates and the look that were read of a tenant, because they have just been changed here.
    fn forget_templates(&self, tenant: &TenantId);
    /// Forgets the policies that were read of a tenant, because they have just been changed here.
    fn forget_policies(&self, tenant: &TenantId);
    /// Forgets the gateways that were read of an owner, because they have just been changed here.
    fn forget_gateways(&self, owner: &Owner);
}
