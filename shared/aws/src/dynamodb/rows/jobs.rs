//! Jobs as they lie in the table.

use otpost_domain::ids::{JobId, TenantId};
use otpost_domain::job::{JOB_RETENTION, Job, JobKind, JobState};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{JobRef, PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::{bad, known};
use crate::dynamodb::keys;

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct JobRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// The tenant's jobs, as the key of the index that lists messages too.
    user_key: String,
    id: String,
    tenant: String,
    kind: String,
    st: String,
    round: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    seen: u64,
    changed: u64,
    not_before: u64,
    /// Present while steps are left to do: puts it into the sweep's index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    created: u64,
    updated: u64,
    ttl: u64,
    ver: u64,
}

impl From<&Job> for JobRow {
    fn from(job: &Job) -> Self {
        Self {
            pk: keys::job(&JobRef::from(job)),
            sk: keys::JOB.to_owned(),
            user_key: keys::jobs(&job.tenant),
            id: job.id.to_string(),
            tenant: job.tenant.to_string(),
            kind: job.kind.as_str().to_owned(),
            st: job.state.as_str().to_owned(),
            round: job.round,
            after: job.after.clone(),
            seen: job.seen,
            changed: job.changed,
            not_before: job.not_before.millis(),
            open_shard: job.due_at.map(|_| keys::JOBS.to_owned()),
            due_at: job.due_at.map(Timestamp::millis),
            created: job.created_at.millis(),
            updated: job.updated_at.millis(),
            ttl: job.updated_at.plus(JOB_RETENTION).seconds(),
            ver: job.version,
        }
    }
}

impl TryFrom<JobRow> for Job {
    type Error = PortError;

    fn try_from(row: JobRow) -> PortResult<Self> {
        Ok(Self {
            id: JobId::try_from(row.id.as_str()).map_err(bad("job"))?,
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            kind: known("kind of job", JobKind::parse(&row.kind))?,
            state: known("state of job", JobState::parse(&row.st))?,
            round: row.round,
            after: row.after,
            seen: row.seen,
            changed: row.changed,
            not_before: Timestamp::from_millis(row.not_before),
            due_at: row.due_at.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.created),
            updated_at: Timestamp::from_millis(row.updated),
            version: row.ver,
        })
    }
}
