//! Tenants and API keys.

use otpost_domain::apikey::ApiKey;
use otpost_domain::audit::AuditEntry;
use otpost_domain::ids::{KeyId, TenantId};
use otpost_domain::tenant::Tenant;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{KeyStore, Page, PageRequest, PortResult, TenantStore, WrappedKey, Write};

use super::rows::{KeyRow, TenantRow};
use super::transaction::{Transaction, absent};
use super::{DynamoStore, keys, number};

impl DynamoStore {
    /// The wrapped data key of a tenant; one request.
    pub(crate) async fn wrapped_key(&self, tenant: &TenantId) -> PortResult<Option<WrappedKey>> {
        let row: Option<TenantRow> = self.get(self.core()?, keys::tenant(tenant), keys::META).await?;
        Ok(row.and_then(TenantRow::key))
    }
}

/// A page of rows as a page of values.
fn read<R, T: TryFrom<R, Error = otpost_service::ports::PortError>>(page: Page<R>) -> PortResult<Page<T>> {
    let items = page.items.into_iter().map(T::try_from).collect::<PortResult<_>>()?;
    Ok(Page { items, next: page.next })
}

impl TenantStore for DynamoStore {
    async fn create_tenant(
        &self,
        tenant: &Tenant,
        key: &WrappedKey,
        audit: &AuditEntry,
    ) -> PortResult<Write> {
        let core = self.core()?;
        let made = Transaction::default().put(core, &TenantRow::meta(tenant, key), absent())?.put(
            core,
            &TenantRow::listed(tenant),
            absent(),
        )?;
        Ok(made.commit(self, audit).await?.into())
    }

    async fn tenant(&self, id: &TenantId) -> PortResult<Option<Tenant>> {
        let row: Option<TenantRow> = self.get(self.core()?, keys::tenant(id), keys::META).await?;
        row.map(Tenant::try_from).transpose()
    }

    async fn tenants(&self, request: &PageRequest) -> PortResult<Page<Tenant>> {
        read::<TenantRow, _>(self.page(keys::TENANTS.to_owned(), "", request).await?)
    }
}

impl KeyStore for DynamoStore {
    async fn create_key(&self, key: &ApiKey, audit: &AuditEntry) -> PortResult<Write> {
        let made = Transaction::default().put(self.core()?, &KeyRow::from(key), absent())?;
        Ok(made.commit(self, audit).await?.into())
    }

    async fn key(&self, id: &KeyId) -> PortResult<Option<ApiKey>> {
        let sk = format!("{}{id}", keys::KEY);
        let row: Option<KeyRow> = self.get(self.core()?, keys::tenant(&id.tenant()), &sk).await?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn keys(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<ApiKey>> {
        read::<KeyRow, _>(self.page(keys::tenant(tenant), keys::KEY, request).await?)
    }

    async fn revoke_key(&self, id: &KeyId, at: Timestamp, audit: &AuditEntry) -> PortResult<Write> {
        let sk = format!("{}{id}", keys::KEY);
        let revoked = Transaction::default().update(
            self.core()?,
            (keys::tenant(&id.tenant()), &sk),
            "SET revoked = :at",
            "attribute_exists(PK) AND attribute_not_exists(revoked)",
            &[],
            vec![(":at", number(at.millis()))],
        )?;
        Ok(revoked.commit(self, audit).await?.into())
    }
}
