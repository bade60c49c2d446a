//! The end of a tenant. It is deleted in one write, its data keys with it; a job then erases its rows, wherever they
//! lie, and itself as the last.

use otpost_domain::audit::{Action, Actor};
use otpost_domain::ids::TenantId;
use otpost_domain::job::{Job, JobKind, JobState, Stepped};
use otpost_domain::tenant::Tombstone;
use otpost_domain::time::Timestamp;

use crate::admin::{TenantError, live_tenant};
use crate::caller::Caller;
use crate::gateways;
use crate::jobs;
use crate::ports::{
    Clock as _, Configuration as _, ErasureStore as _, JobRef, PortResult, Ports, Sealer as _, Write,
};

/// Deletes the caller's tenant with its data keys: nothing that was sealed for it opens again. Its rows go with the job
/// that is recorded here. Other functions may hold a data key for another five minutes.
///
/// # Errors
/// When there is no such tenant any more, or a port fails.
pub async fn delete_tenant(ports: &impl Ports, caller: &Caller) -> Result<(), TenantError> {
    let tenant = live_tenant(ports, caller).await?;
    let job = jobs::new(ports, caller, JobKind::Erase);
    let journal = caller.journal(ports, Action::TenantDeleted);
    match ports.store().delete_tenant(&job, &journal).await? {
        Write::Done => {
            ports.sealer().forget(&tenant.id);
            ports.configuration().forget_policies(&tenant.id);
            ports.configuration().forget_templates(&tenant.id);
            // Not a step of it: who deletes may not look through all tenants' rows.
            jobs::leave(ports, &job).await;
            Ok(())
        }
        Write::Stale => Err(TenantError::Deleted),
    }
}

/// What is left of a deleted tenant, until its id is free.
///
/// # Errors
/// When a port fails.
pub async fn tombstone(ports: &impl Ports, id: &TenantId) -> PortResult<Option<Tombstone>> {
    let found = ports.store().tombstone(id).await?;
    let now = ports.clock().now();
    // The store takes its time to remove what is over.
    Ok(found.filter(|tombstone| !tombstone.is_over(now)))
}

/// Deletes what is the tenant's, page by page until the time is over.
pub(crate) async fn erase_tenant(ports: &impl Ports, job: &Job, until: Timestamp) -> PortResult<Stepped> {
    if job.after.is_none() {
        // Before the rows that name them.
        gateways::remove_credentials(ports, &job.tenant).await?;
    }
    let reference = JobRef::from(job);
    let mut done = Stepped { next: job.after.clone(), ..Stepped::default() };
    loop {
        let page = match ports.store().erase(&reference, done.next.as_deref()).await {
            Ok(page) => page,
            // What was done is written down, so that a store under load is not asked for it all again.
            Err(error) if done.seen > 0 => {
                tracing::warn!(job.id = %job.id, error = error.chain(), "its step ends early");
                return Ok(done);
            }
            Err(error) => return Err(error),
        };
        done.seen += page.seen;
        done.changed += page.changed;
        done.next = page.next;
        if done.next.is_none() || ports.clock().now() >= until {
            return Ok(done);
        }
    }
}

/// Writes a step of the job down; after its last one, the job goes too.
pub(crate) async fn save(ports: &impl Ports, job: &Job) -> PortResult<Write> {
    if job.state == JobState::Running {
        return ports.store().save_erasure(job).await;
    }
    let system = Caller::new(job.tenant.clone(), Actor::System);
    ports.store().end_erasure(job, &system.journal(ports, Action::TenantErased)).await
}

#[cfg(test)]
mod tests;
