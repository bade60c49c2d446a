//! Long work, done in steps: each goes on where the last has written that it stopped, and may be done twice.

use std::time::Duration;

use crate::ids::{JobId, TenantId};
use crate::named::named;
use crate::time::Timestamp;

/// How long a job may stay without a step before the sweep looks after it.
pub const JOB_PICK_UP: Duration = Duration::from_mins(2);
/// How long a second round waits after the first: longer than a function works by what it has read of the
/// configuration, and than a list lags behind.
pub const SECOND_ROUND: Duration = Duration::from_secs(90);
/// The same after the first round of an erasure: longer than anything of a tenant stays in a function's memory (its API
/// keys a minute, its data keys five) and the function then runs.
pub const SECOND_ERASURE: Duration = Duration::from_mins(6);
/// How long a job stays in the list, from its last step.
pub const JOB_RETENTION: Duration = Duration::from_hours(30 * 24);

named! {
    /// What a job does.
    pub enum JobKind {
        /// Writes into every user's auth row which policies cover them, and does what these ask for.
        Restamp = "restamp_users",
        /// Does for every user what policy asks and was held back.
        Release = "release_mass_change",
        /// Deletes every row of a deleted tenant.
        Erase = "erase_tenant",
    }
}

impl JobKind {
    /// How often it goes through everything: a second time for what has changed meanwhile.
    #[must_use]
    pub const fn rounds(self) -> u8 {
        match self {
            Self::Restamp | Self::Erase => 2,
            Self::Release => 1,
        }
    }

    /// How long the next round waits.
    #[must_use]
    pub const fn pause(self) -> Duration {
        match self {
            Self::Restamp | Self::Release => SECOND_ROUND,
            Self::Erase => SECOND_ERASURE,
        }
    }
}

named! {
    /// Where a job is.
    pub enum JobState {
        /// Steps are left to do.
        Running = "running",
        /// All is done.
        Done = "done",
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// In whose tenant.
    pub tenant: TenantId,
    /// What it does.
    pub kind: JobKind,
    /// Where it is.
    pub state: JobState,
    /// Which round, from 1.
    pub round: u8,
    /// Behind what the next step begins; from the start if nothing.
    pub after: Option<String>,
    /// What was looked at so far.
    pub seen: u64,
    /// What was changed so far.
    pub changed: u64,
    /// The next step is not done before.
    pub not_before: Timestamp,
    /// When the sweep looks after it; never when it is done.
    pub due_at: Option<Timestamp>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its last step was done.
    pub updated_at: Timestamp,
    /// Counts steps; a write names the version that it replaces.
    pub version: u64,
}

/// What one step has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stepped {
    /// What it has looked at.
    pub seen: u64,
    /// What it has changed.
    pub changed: u64,
    /// Behind what the next step begins; nothing when the round is over.
    pub next: Option<String>,
}

impl Job {
    /// A job that has not begun.
    #[must_use]
    pub fn new(id: JobId, tenant: TenantId, kind: JobKind, now: Timestamp) -> Self {
        Self {
            id,
            tenant,
            kind,
            state: JobState::Running,
            round: 1,
            after: None,
            seen: 0,
            changed: 0,
            not_before: now,
            due_at: Some(now.plus(JOB_PICK_UP)),
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// The job after a step.
    #[must_use]
    pub fn stepped(self, step: Stepped, now: Timestamp) -> Self {
        let Stepped { seen, changed, next } = step;
        let counted = Self {
            seen: self.seen + seen,
            changed: self.changed + changed,
            updated_at: now,
            version: self.version + 1,
            ..self
        };
        match next {
            Some(after) => {
                Self { after: Some(after), not_before: now, due_at: Some(now.plus(JOB_PICK_UP)), ..counted }
            }
            None if counted.round < counted.kind.rounds() => {
                let not_before = now.plus(counted.kind.pause());
                let due_at = Some(not_before.plus(JOB_PICK_UP));
                Self { after: None, round: counted.round + 1, not_before, due_at, ..counted }
            }
            None => Self { after: None, state: JobState::Done, due_at: None, ..counted },
        }
    }

    /// How long to wait before the next step; `None` when there is none.
    #[must_use]
    pub fn wait(&self, now: Timestamp) -> Option<Duration> {
        (self.state == JobState::Running).then(|| now.until(self.not_before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_goes_through_everything_twice() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let tenant = TenantId::try_from("acme").unwrap();
        let job = Job::new(JobId::new(now, [1; 10]), tenant, JobKind::Restamp, now);
        let job = job.stepped(Stepped { seen: 2, changed: 1, next: Some("joe".to_owned()) }, now);
        assert_eq!((job.after.as_deref(), job.wait(now)), (Some("joe"), Some(Duration::ZERO)));
        let job = job.stepped(Stepped { seen: 1, changed: 1, next: None }, now);
        assert_eq!((job.round, job.after.as_deref(), job.wait(now)), (2, None, Some(SECOND_ROUND)));
        assert!(job.due_at.is_some());
        let job = job.stepped(Stepped { seen: 3, changed: 0, next: None }, now.plus(SECOND_ROUND));
        assert_eq!((job.state, job.due_at, job.wait(now)), (JobState::Done, None, None));
        assert_eq!((job.seen, job.changed, job.version), (6, 2, 4));
    }

    #[test]
    fn an_erasure_waits_until_no_function_remembers_the_tenant() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let tenant = TenantId::try_from("acme").unwrap();
        let job = Job::new(JobId::new(now, [1; 10]), tenant, JobKind::Erase, now);
        let job = job.stepped(Stepped::default(), now);
        assert_eq!((job.round, job.wait(now)), (2, Some(Duration::from_mins(6))));
        assert!(job.due_at > Some(job.not_before), "the queue is asked first");
        assert_eq!(job.stepped(Stepped::default(), now.plus(SECOND_ERASURE)).state, JobState::Done);
    }
}
