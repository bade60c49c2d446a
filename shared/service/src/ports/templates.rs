//! Templates and the look of tenants' mails.

use std::future::Future;

use otpost_domain::ids::TenantId;
use otpost_domain::template::{Brand, TemplateHead, TemplateName, TemplateVersion};

use super::{Journal, Page, PageRequest, PortResult, Write};

/// Templates, every version of which stays for a while, and what their mails look like.
pub trait TemplateStore: Send + Sync {
    /// A tenant's templates by name, removed ones too.
    fn template_heads(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<TemplateHead>>> + Send;
    /// All of a tenant's templates, by name: almost always one page.
    fn all_template_heads(
        &self,
        tenant: &TenantId,
    ) -> impl Future<Output = PortResult<Vec<TemplateHead>>> + Send {
        async move {
            let mut all = Vec::new();
            let mut request = PageRequest { limit: 500, after: None };
            loop {
                let page = self.template_heads(tenant, &request).await?;
                all.extend(page.items);
                request.after = page.next;
                if request.after.is_none() {
                    return Ok(all);
                }
            }
        }
    }
    /// What is known of one template without its texts.
    fn template_head(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
    ) -> impl Future<Output = PortResult<Option<TemplateHead>>> + Send;
    /// One version of a template.
    fn template_version(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> impl Future<Output = PortResult<Option<TemplateVersion>>> + Send;
    /// The versions of a template, the latest first.
    fn template_versions(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<TemplateVersion>>> + Send;
    /// Adds a version, which becomes the latest, and forgets the one that is [`MOST_VERSIONS`] older; stale when the
    /// version before is not the latest.
    ///
    /// [`MOST_VERSIONS`]: otpost_domain::template::MOST_VERSIONS
    fn save_template(
        &self,
        tenant: &TenantId,
        version: &TemplateVersion,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// What a tenant's mails look like, if an operator has said it.
    fn brand(&self, tenant: &TenantId) -> impl Future<Output = PortResult<Option<Brand>>> + Send;
    /// Writes it in version 1, or replaces the version before; stale when another is there.
    fn save_brand(
        &self,
        tenant: &TenantId,
        brand: &Brand,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}
