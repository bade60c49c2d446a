//! Works off long jobs in steps. Whatever fails or dies in between, the queue or the sweep brings the job again, and it
//! goes on where the last step has written that it stopped.

use std::time::Duration;

use otpost_domain::ids::JobId;
use otpost_domain::job::{Job, JobKind};

use crate::caller::Caller;
use crate::ports::{
    Clock as _, Entropy as _, Fault, JobQueue as _, JobRef, JobStore as _, Page, PageRequest, PortError,
    PortResult, Ports, Write,
};
use crate::{erasure, policies};

/// How long a step goes on to begin something new.
pub const STEP: Duration = Duration::from_secs(5);
/// The same for the first step, which is done while the caller waits.
pub const FIRST_STEP: Duration = Duration::from_secs(1);
/// How many jobs one sweep finds.
const SWEPT: usize = 100;

/// A new job of the caller's tenant, to be written with the change that calls for it.
pub(crate) fn new(ports: &impl Ports, caller: &Caller, kind: JobKind) -> Job {
    let now = ports.clock().now();
    Job::new(JobId::new(now, ports.entropy().array()), caller.tenant.clone(), kind, now)
}

/// Does a job's first step while the caller waits, and leaves the rest to the queue. The job is on record: what fails
/// here is done later.
pub(crate) async fn begin(ports: &impl Ports, job: Job) -> Job {
    let reference = JobRef::from(&job);
    let stepped = step(ports, job.clone(), FIRST_STEP).await.unwrap_or_else(|error| {
        tracing::warn!(job.id = %reference.id, error = error.chain(), "its first step failed");
        job
    });
    leave(ports, &stepped).await;
    stepped
}

/// Leaves a job that is on record to the queue.
pub(crate) async fn leave(ports: &impl Ports, job: &Job) {
    if let Some(wait) = job.wait(ports.clock().now())
        && let Err(error) = ports.queue().work(&JobRef::from(job), wait).await
    {
        tracing::warn!(job.id = %job.id, error = error.chain(), "not queued; the sweep will find it");
    }
}

/// Does a job's next step, and queues the one after it.
///
/// # Errors
/// When a port fails.
pub async fn work(ports: &impl Ports, reference: &JobRef) -> PortResult<()> {
    let Some(job) = ports.store().job(reference).await? else {
        return Ok(());
    };
    let job = match job.wait(ports.clock().now()) {
        None => return Ok(()),
        Some(Duration::ZERO) => step(ports, job, STEP).await?,
        Some(_) => job,
    };
    tracing::info!(
        job.id = %job.id,
        job.kind = job.kind.as_str(),
        job.state = job.state.as_str(),
        job.seen = job.seen,
        job.changed = job.changed,
        "job stepped"
    );
    match job.wait(ports.clock().now()) {
        Some(wait) => ports.queue().work(reference, wait).await,
        None => Ok(()),
    }
}

/// Queues jobs that no queue carries any more; how many.
///
/// # Errors
/// When a port fails.
pub async fn sweep(ports: &impl Ports) -> PortResult<usize> {
    let due = ports.store().jobs_due(ports.clock().now(), SWEPT).await?;
    for job in &due {
        ports.queue().work(job, Duration::ZERO).await?;
    }
    Ok(due.len())
}

async fn step(ports: &impl Ports, job: Job, time: Duration) -> PortResult<Job> {
    let until = ports.clock().now().plus(time);
    let stepped = match job.kind {
        JobKind::Restamp | JobKind::Release => policies::apply_to_users(ports, &job, until).await?,
        JobKind::Erase => erasure::erase_tenant(ports, &job, until).await?,
    };
    let stepped = job.stepped(stepped, ports.clock().now());
    let saved = match stepped.kind {
        JobKind::Restamp | JobKind::Release => ports.store().save_job(&stepped).await?,
        JobKind::Erase => erasure::save(ports, &stepped).await?,
    };
    match saved {
        Write::Done => Ok(stepped),
        // Somebody else has done a step meanwhile, and goes on.
        Write::Stale => Err(PortError::new(Fault::Unavailable, "another step was faster")),
    }
}

/// Looks a job up.
///
/// # Errors
/// When a port fails.
pub async fn job(ports: &impl Ports, caller: &Caller, id: &JobId) -> PortResult<Option<Job>> {
    ports.store().job(&JobRef { tenant: caller.tenant.clone(), id: id.clone() }).await
}

/// Lists the jobs of the caller's tenant, newest first.
///
/// # Errors
/// When a port fails.
pub async fn jobs(ports: &impl Ports, caller: &Caller, page: &PageRequest) -> PortResult<Page<Job>> {
    ports.store().jobs(&caller.tenant, page).await
}
