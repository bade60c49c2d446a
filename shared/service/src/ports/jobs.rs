//! Long work.

use std::future::Future;
use std::time::Duration;

use otpost_domain::ids::{JobId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::time::Timestamp;

use super::{Page, PageRequest, PortResult, Write};

/// The two ids of a job: all that ever lies in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRef {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its id.
    pub id: JobId,
}

impl From<&Job> for JobRef {
    fn from(job: &Job) -> Self {
        Self { tenant: job.tenant.clone(), id: job.id.clone() }
    }
}

/// Jobs. One is written with the change that calls for it (see [`super::PolicyStore::save_policy`]); whatever becomes
/// of the queue, [`JobStore::jobs_due`] finds it until it is done.
pub trait JobStore: Send + Sync {
    /// One job.
    fn job(&self, job: &JobRef) -> impl Future<Output = PortResult<Option<Job>>> + Send;
    /// A tenant's jobs, newest first.
    fn jobs(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Job>>> + Send;
    /// Replaces the version before `job.version`.
    fn save_job(&self, job: &Job) -> impl Future<Output = PortResult<Write>> + Send;
    /// Jobs whose time to be looked after has come, at most `limit`, longest due first.
    fn jobs_due(&self, now: Timestamp, limit: usize) -> impl Future<Output = PortResult<Vec<JobRef>>> + Send;
}

/// The way to what works off jobs. At least once, in no order; ids only.
pub trait JobQueue: Send + Sync {
    /// Asks for a job's next step, after `delay` (at most 15 minutes).
    fn work(&self, job: &JobRef, delay: Duration) -> impl Future<Output = PortResult<()>> + Send;
}
