//! Templates.

use otpost_domain::ids::TenantId;
use otpost_domain::template::{Brand, MOST_VERSIONS, TemplateHead, TemplateName, TemplateVersion};
use otpost_service::ports::{Journal, Page, PageRequest, PortResult, TemplateStore, Write};

use super::rows::{BrandRow, TemplateHeadRow, TemplateVersionRow};
use super::transaction::{Transaction, absent, replaces};
use super::{DynamoStore, Order, keys, read};

impl TemplateStore for DynamoStore {
    async fn template_heads(
        &self,
        tenant: &TenantId,
        request: &PageRequest,
    ) -> PortResult<Page<TemplateHead>> {
        read::<TemplateHeadRow, _>(self.page(keys::tenant(tenant), keys::TEMPLATE, request).await?)
    }

    async fn template_head(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
    ) -> PortResult<Option<TemplateHead>> {
        let row: Option<TemplateHeadRow> =
            self.get(self.core()?, keys::tenant(tenant), &keys::template(name)).await?;
        row.map(TemplateHead::try_from).transpose()
    }

    async fn template_version(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<TemplateVersion>> {
        let pk = keys::template_versions(tenant, name);
        let row: Option<TemplateVersionRow> =
            self.get(self.core()?, pk, &keys::template_version(version)).await?;
        row.map(TemplateVersion::try_from).transpose()
    }

    async fn template_versions(
        &self,
        tenant: &TenantId,
        name: &TemplateName,
        request: &PageRequest,
    ) -> PortResult<Page<TemplateVersion>> {
        let pk = keys::template_versions(tenant, name);
        let rows = self.page_in(Order::Backward, pk, keys::TEMPLATE_VERSION, request).await?;
        read::<TemplateVersionRow, _>(rows)
    }

    async fn save_template(
        &self,
        tenant: &TenantId,
        version: &TemplateVersion,
        journal: &Journal,
    ) -> PortResult<Write> {
        let condition = if version.version == 1 { absent() } else { replaces(version.version) };
        let head = TemplateHeadRow::of(tenant, &version.head());
        let row = TemplateVersionRow::of(tenant, version);
        let mut saved =
            Transaction::default().put(self.core()?, &head, condition)?.put(self.core()?, &row, absent())?;
        if let Some(oldest) = version.version.checked_sub(MOST_VERSIONS) {
            let sk = keys::template_version(oldest);
            let key = (keys::template_versions(tenant, &version.name), sk.as_str());
            saved = saved.delete(self.core()?, key, None)?;
        }
        Ok(saved.commit(self, journal).await?.into())
    }

    async fn brand(&self, tenant: &TenantId) -> PortResult<Option<Brand>> {
        let row: Option<BrandRow> = self.get(self.core()?, keys::tenant(tenant), keys::BRAND).await?;
        row.map(Brand::try_from).transpose()
    }

    async fn save_brand(&self, tenant: &TenantId, brand: &Brand, journal: &Journal) -> PortResult<Write> {
        let condition = if brand.version == 1 { absent() } else { replaces(brand.version) };
        let saved = Transaction::default().put(self.core()?, &BrandRow::of(tenant, brand), condition)?;
        Ok(saved.commit(self, journal).await?.into())
    }
}
