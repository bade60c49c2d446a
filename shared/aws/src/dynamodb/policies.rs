//! Policies.

use otpost_domain::ids::{PolicyId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::policy::Policy;
use otpost_service::ports::{Journal, Page, PageRequest, PolicyStore, PortResult, Write};

use super::rows::PolicyRow;
use super::transaction::{Transaction, absent, replaces, unchanged};
use super::{DynamoStore, keys, read};

impl PolicyStore for DynamoStore {
    async fn policies(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Policy>> {
        read::<PolicyRow, _>(self.page(keys::tenant(tenant), keys::POLICY, request).await?)
    }

    async fn policy(&self, tenant: &TenantId, id: &PolicyId) -> PortResult<Option<Policy>> {
        let row: Option<PolicyRow> = self.get(self.core()?, keys::tenant(tenant), &keys::policy(id)).await?;
        row.map(Policy::try_from).transpose()
    }

    async fn save_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let condition = if policy.version == 1 { absent() } else { replaces(policy.version) };
        let saved = Transaction::default().put(self.core()?, &PolicyRow::of(tenant, policy), condition)?;
        Ok(saved.begin(self, job)?.commit(self, journal).await?.into())
    }

    async fn delete_policy(
        &self,
        tenant: &TenantId,
        policy: &Policy,
        job: Option<&Job>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let sk = keys::policy(&policy.id);
        let key = (keys::tenant(tenant), sk.as_str());
        let deleted = Transaction::default().delete(self.core()?, key, Some(unchanged(policy.version)))?;
        Ok(deleted.begin(self, job)?.commit(self, journal).await?.into())
    }
}
