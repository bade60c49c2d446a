//! Tenants and API keys.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::apikey::ApiKey;
use otpost_domain::ids::{KeyId, TenantId};
use otpost_domain::tenant::{Listed, Tenant};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    Journal, KeyStore, Page, PageRequest, PortResult, TenantStore, WrappedKey, Write,
};

use super::rows::{KeyRow, ListedRow, TenantKeys, TenantRow};
use super::transaction::{Transaction, absent};
use super::{DynamoStore, keys, number, read};

impl DynamoStore {
    /// The wrapped data keys of a tenant; one request.
    pub(crate) async fn tenant_keys(&self, tenant: &TenantId) -> PortResult<Option<TenantKeys>> {
        let row: Option<TenantRow> = self.get(self.core()?, keys::tenant(tenant), keys::META).await?;
        row.map(TenantRow::keys).transpose()
    }
}

impl TenantStore for DynamoStore {
    async fn create_tenant(&self, tenant: &Tenant, key: &WrappedKey, journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        // What is left of a deleted tenant may lie there a while after its time.
        let free = "attribute_not_exists(PK) OR #ttl <= :now";
        let now = number(tenant.created_at.seconds());
        let made = Transaction::default().put(core, &TenantRow::meta(tenant, key), absent())?.put_named(
            core,
            &TenantRow::listed(tenant),
            (free, vec![(":now", now)]),
            &[("#ttl", "ttl")],
        )?;
        Ok(made.commit(self, journal).await?.into())
    }

    async fn add_tenant_key(
        &self,
        id: &TenantId,
        version: u8,
        key: &WrappedKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        const ROTATES: &str = "key_ver = :before";
        let core = self.core()?;
        let versions = || vec![(":version", number(version)), (":before", number(version.saturating_sub(1)))];
        let mut with_key = versions();
        with_key.push((":key", AttributeValue::B(Blob::new(key.0.clone()))));
        let added = Transaction::default()
            .update(
                core,
                (keys::tenant(id), keys::META),
                "SET key_ver = :version, data_keys.#version = :key",
                ROTATES,
                &[("#version", &version.to_string())],
                with_key,
            )?
            .update(
                core,
                (keys::TENANTS.to_owned(), id.as_str()),
                "SET key_ver = :version",
                ROTATES,
                &[],
                versions(),
            )?;
        Ok(added.commit(self, journal).await?.into())
    }

    async fn tenant(&self, id: &TenantId) -> PortResult<Option<Tenant>> {
        let row: Option<TenantRow> = self.get(self.core()?, keys::tenant(id), keys::META).await?;
        row.map(Tenant::try_from).transpose()
    }

    async fn tenants(&self, request: &PageRequest) -> PortResult<Page<Listed>> {
        read::<ListedRow, _>(self.page(keys::TENANTS.to_owned(), "", request).await?)
    }
}

impl KeyStore for DynamoStore {
    async fn create_key(&self, key: &ApiKey, journal: &Journal) -> PortResult<Write> {
        let made = Transaction::default().put(self.core()?, &KeyRow::from(key), absent())?;
        Ok(made.commit(self, journal).await?.into())
    }

    async fn replace_key(
        &self,
        key: &ApiKey,
        old: &ApiKey,
        seen: &ApiKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        let core = self.core()?;
        let sk = format!("{}{}", keys::KEY, old.id);
        let end = old.expires_at.map_or(0, Timestamp::millis);
        let mut values = vec![(":end", number(end))];
        let as_seen = match seen.expires_at {
            Some(before) => {
                values.push((":before", number(before.millis())));
                "expires = :before"
            }
            None => "attribute_not_exists(expires)",
        };
        let replaced = Transaction::default().put(core, &KeyRow::from(key), absent())?.update(
            core,
            (keys::tenant(&old.tenant()), &sk),
            "SET expires = :end",
            &format!("attribute_exists(PK) AND attribute_not_exists(revoked) AND {as_seen}"),
            &[],
            values,
        )?;
        Ok(replaced.commit(self, journal).await?.into())
    }

    async fn key(&self, id: &KeyId) -> PortResult<Option<ApiKey>> {
        let sk = format!("{}{id}", keys::KEY);
        let row: Option<KeyRow> = self.get(self.core()?, keys::tenant(&id.tenant()), &sk).await?;
        row.map(ApiKey::try_from).transpose()
    }

    async fn keys(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<ApiKey>> {
        read::<KeyRow, _>(self.page(keys::tenant(tenant), keys::KEY, request).await?)
    }

    async fn revoke_key(&self, id: &KeyId, at: Timestamp, journal: &Journal) -> PortResult<Write> {
        let sk = format!("{}{id}", keys::KEY);
        let revoked = Transaction::default().update(
            self.core()?,
            (keys::tenant(&id.tenant()), &sk),
            "SET revoked = :at",
            "attribute_exists(PK) AND attribute_not_exists(revoked)",
            &[],
            vec![(":at", number(at.millis()))],
        )?;
        Ok(revoked.commit(self, journal).await?.into())
    }
}
