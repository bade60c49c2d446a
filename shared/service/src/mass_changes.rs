//! Changes of many users at once, which wait for an operator.

use otpost_domain::audit::{Action, Reason};
use otpost_domain::job::{Job, JobKind};
use otpost_domain::provisioning::hourly_limit;

use crate::caller::Caller;
use crate::jobs;
use crate::policies::of_everyone;
use crate::ports::{
    Clock as _, Fault, MassChangeStore as _, MassChanges, PortError, PortResult, Ports, Write,
};

/// What was counted, and against which limit.
#[derive(Debug)]
pub struct Watched {
    /// What was counted.
    pub counted: MassChanges,
    /// How many users may change in one hour; nothing when there is no limit.
    pub limit: Option<u64>,
}

/// Shows how many users have changed by themselves in this hour, and how many wait.
///
/// # Errors
/// When a port fails.
pub async fn watched(ports: &impl Ports, caller: &Caller) -> PortResult<Watched> {
    let settings = of_everyone(ports, &caller.tenant).await?;
    let hour = ports.clock().now().hours();
    let seen = ports.store().mass_changes(&caller.tenant).await?;
    // What was counted in an hour that is over says nothing of this one.
    let counted =
        if seen.hour == hour { seen } else { MassChanges { hour, pushes: 0, revocations: 0, ..seen } };
    let limit = hourly_limit(&settings, counted.users);
    Ok(Watched { counted, limit: (limit < u64::MAX).then_some(limit) })
}

/// Lets all changes that wait go on now, however many: a job goes through all users.
///
/// # Errors
/// When a port fails.
pub async fn release(ports: &impl Ports, caller: &Caller, reason: Option<Reason>) -> Result<Job, PortError> {
    let job = jobs::new(ports, caller, JobKind::Release);
    let mut journal = caller.journal(ports, Action::MassChangeReleased);
    journal.audit.reason = reason;
    match ports.store().let_go(&caller.tenant, &job, &journal).await? {
        Write::Done => Ok(jobs::begin(ports, job).await),
        Write::Stale => Err(PortError::new(Fault::Unavailable, "others release at the same time")),
    }
}
