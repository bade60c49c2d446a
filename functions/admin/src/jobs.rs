//! Long work that goes on by itself.

use otpost_domain::ids::JobId;
use otpost_domain::job::{Job, JobState};
use otpost_edge::http::{Answer, Call, json};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::jobs;
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ROUTES;

const MISSING: &str = "There is no job of this id.";

/// A job and how far it is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Job")]
pub(crate) struct JobView {
    /// Its id.
    job: String,
    /// What it does: `restamp_users`, or `erase_tenant`.
    kind: &'static str,
    /// running or done.
    state: &'static str,
    /// Which round: it goes through everything a second time for what has changed meanwhile.
    round: u8,
    /// What was looked at so far.
    seen: u64,
    /// What was changed so far.
    changed: u64,
    /// When it began (RFC 3339).
    created_at: String,
    /// When its last step was done (RFC 3339).
    updated_at: String,
    /// When its next step is due (RFC 3339), while there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_step_at: Option<String>,
}

/// A page of jobs.
#[derive(JsonSchema, Serialize)]
struct Jobs {
    /// The jobs of the last 30 days, newest first.
    jobs: Vec<JobView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Job> for JobView {
    fn from(job: &Job) -> Self {
        Self {
            job: job.id.to_string(),
            kind: job.kind.as_str(),
            state: job.state.as_str(),
            round: job.round,
            seen: job.seen,
            changed: job.changed,
            created_at: job.created_at.rfc3339(),
            updated_at: job.updated_at.rfc3339(),
            next_step_at: (job.state == JobState::Running).then(|| job.not_before.rfc3339()),
        }
    }
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let id: JobId = call.named("job", MISSING)?;
    let job = jobs::job(ports, &call.caller()?, &id).await?;
    let job = job.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &JobView::from(&job))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = jobs::jobs(ports, &call.caller()?, &list.requested(call)?).await?;
    let jobs = page.items.iter().map(JobView::from).collect();
    json(200, &Jobs { jobs, next: list.cursor(page.next.as_ref()) })
}

pub(crate) fn describe(document: &mut Document) {
    let listed = document.named(&ROUTES, "listJobs").paged();
    listed.answers::<Jobs>(200, "A page of jobs.").fails(&[ProblemType::InvalidRequest]);
    let got = document.named(&ROUTES, "getJob").answers::<JobView>(200, "The job.");
    got.fails(&[ProblemType::NotFound]);
}
