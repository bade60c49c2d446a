//! The end of a tenant: its deletion, and the erasure of its rows.

use std::future::Future;

use otpost_domain::ids::TenantId;
use otpost_domain::job::{Job, Stepped};
use otpost_domain::tenant::Tombstone;

use super::{JobRef, Journal, PortResult, Write};

/// Deletions of tenants. The job that erases a tenant's rows is itself one of them; what is told of it is kept in the
/// tombstone, which every write of the job writes too.
pub trait ErasureStore: Send + Sync {
    /// Deletes the tenant of `job` with its data keys, so that nothing of it can be opened again, leaves its tombstone,
    /// and records the job. Stale when there is no such tenant, or no more.
    fn delete_tenant(&self, job: &Job, journal: &Journal) -> impl Future<Output = PortResult<Write>> + Send;
    /// What is left of a deleted tenant.
    fn tombstone(&self, id: &TenantId) -> impl Future<Output = PortResult<Option<Tombstone>>> + Send;
    /// Looks at some rows behind `after`, whosever they are, and deletes those of the job's tenant, but not the job
    /// itself. A row that was written behind the place where it looks is not found. May be done twice.
    fn erase(&self, job: &JobRef, after: Option<&str>) -> impl Future<Output = PortResult<Stepped>> + Send;
    /// Replaces the version before `job.version`, and tells of it in the tombstone.
    fn save_erasure(&self, job: &Job) -> impl Future<Output = PortResult<Write>> + Send;
    /// Deletes the version before `job.version`, which is done, as the last row of its tenant. The tombstone tells of
    /// it, and goes away by itself once the id is free.
    fn end_erasure(&self, job: &Job, journal: &Journal) -> impl Future<Output = PortResult<Write>> + Send;
}
