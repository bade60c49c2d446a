//! Works off long jobs: from the queue step by step, and by a sweep every minute.

use lambda_runtime::Diagnostic;
use otpost_domain::ids::{JobId, TenantId};
use otpost_edge::batch::{self, Processed};
use otpost_edge::telemetry::chain;
use otpost_service::jobs::{sweep, work};
use otpost_service::ports::{JobRef, Ports};
use serde::Deserialize;
use serde_json::Value;

/// A body on the queue `jobs`.
#[derive(Deserialize)]
struct Due {
    tenant: String,
    job: String,
}

/// Handles a batch of the queue, or the schedule's `{"otpost": "sweep"}`.
///
/// # Errors
/// When the event is neither, or a sweep ended early.
pub async fn handle(ports: &impl Ports, event: Value) -> Result<Value, Diagnostic> {
    if let Some(found) = batch::swept(&event, || sweep(ports)).await? {
        return Ok(found);
    }
    batch::answer(event, async |due: Due| step(ports, &due).await).await
}

async fn step(ports: &impl Ports, due: &Due) -> Processed {
    let (Ok(tenant), Ok(id)) = (TenantId::try_from(due.tenant.as_str()), JobId::try_from(due.job.as_str()))
    else {
        tracing::error!("a body without a tenant's and a job's id");
        return Processed::Again;
    };
    match work(ports, &JobRef { tenant, id }).await {
        Ok(()) => Processed::Done,
        Err(error) => {
            tracing::error!(job.id = due.job, error = chain(&error), "its step was not done");
            Processed::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_service::memory::Queued;
    use otpost_service::sample::{events, job, sample_world};
    use serde_json::json;

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        let files = ["batch.json", "batch-of-gone-job.json", "batch-with-bad-bodies.json", "sweep.json"];
        for (file, text) in events("jobs", &files) {
            let ports = sample_world().await;
            ports.queue().take();
            let answer = handle(&ports, serde_json::from_str(&text).unwrap()).await.unwrap();
            let (wanted, queued) = match file.as_str() {
                "batch.json" => (json!({ "batchItemFailures": [] }), 1),
                "batch-of-gone-job.json" => (json!({ "batchItemFailures": [] }), 0),
                "sweep.json" => (json!({ "found": 0 }), 0),
                _ => {
                    let failure = json!({ "itemIdentifier": "6a204bd8-9a42-4f1c-8a9e-1f7a1c6d2b11" });
                    (json!({ "batchItemFailures": [failure] }), 0)
                }
            };
            assert_eq!(answer, wanted, "{file}");
            let found = ports.queue().take();
            assert_eq!(found.len(), queued, "{file}");
            assert!(
                found.iter().all(|entry| matches!(entry, Queued::Work(due, _) if due.id == job())),
                "{file}"
            );
        }
    }

    #[tokio::test]
    async fn an_unknown_event_is_an_error() {
        let ports = sample_world().await;
        let error = handle(&ports, json!({ "detail-type": "else" })).await.unwrap_err();
        assert_eq!(error.error_type, "UnknownEvent");
    }
}
