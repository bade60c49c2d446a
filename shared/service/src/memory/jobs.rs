//! Jobs in memory.

use std::time::Duration;

use otpost_domain::ids::TenantId;
use otpost_domain::job::Job;
use otpost_domain::time::Timestamp;

use super::{MemoryQueue, MemoryStore, Queued, State, page};
use crate::ports::{JobQueue, JobRef, JobStore, Page, PageRequest, PortResult, Write};

impl State {
    /// Records a job with the change that calls for it.
    pub(super) fn begin(&mut self, job: Option<&Job>) {
        if let Some(job) = job {
            self.jobs.insert((job.tenant.clone(), job.id.clone()), job.clone());
        }
    }
}

impl JobStore for MemoryStore {
    async fn job(&self, job: &JobRef) -> PortResult<Option<Job>> {
        Ok(self.lock().jobs.get(&(job.tenant.clone(), job.id.clone())).cloned())
    }

    async fn jobs(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Job>> {
        let state = self.lock();
        let own = state.jobs.values().rev().filter(|job| &job.tenant == tenant);
        Ok(page(own.map(|job| (job.id.to_string(), job.clone())).collect(), request))
    }

    async fn save_job(&self, job: &Job) -> PortResult<Write> {
        match self.lock().jobs.get_mut(&(job.tenant.clone(), job.id.clone())) {
            Some(stored) if stored.version + 1 == job.version => *stored = job.clone(),
            _ => return Ok(Write::Stale),
        }
        Ok(Write::Done)
    }

    async fn jobs_due(&self, now: Timestamp, limit: usize) -> PortResult<Vec<JobRef>> {
        let state = self.lock();
        let mut due: Vec<_> =
            state.jobs.values().filter(|job| job.due_at.is_some_and(|due| due <= now)).collect();
        due.sort_by_key(|job| (job.due_at, &job.id));
        Ok(due.into_iter().take(limit).map(JobRef::from).collect())
    }
}

impl JobQueue for MemoryQueue {
    async fn work(&self, job: &JobRef, delay: Duration) -> PortResult<()> {
        self.put(Queued::Work(job.clone(), delay))
    }
}
