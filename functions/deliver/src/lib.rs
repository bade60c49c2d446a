//! Gets messages on their way: from the queue one by one, and by a sweep every minute. Brings dead letters back when an
//! operator asks for it.

use lambda_runtime::Diagnostic;
use otpost_domain::ids::{MessageId, TenantId};
use otpost_edge::batch::{self, Processed};
use otpost_edge::telemetry::chain;
use otpost_service::deliver::{deliver, sweep};
use otpost_service::ports::{MessageRef, Ports};
use otpost_service::redrive::{Redriven, redrive};
use serde::Deserialize;
use serde_json::{Value, json};

/// A body on the queue `deliveries`.
#[derive(Deserialize)]
struct Due {
    tenant: String,
    message: String,
}

/// Handles a batch of the queue, the schedule's `{"otpost": "sweep"}`, or an operator's `{"otpost": "redrive"}`.
///
/// # Errors
/// When the event is none of these, or a sweep or a redrive ended early.
pub async fn handle(ports: &impl Ports, event: Value) -> Result<Value, Diagnostic> {
    if let Some(found) = batch::swept(&event, || sweep(ports)).await? {
        return Ok(found);
    }
    if event.get("otpost").and_then(Value::as_str) == Some("redrive") {
        return redriven(ports).await;
    }
    batch::answer(event, async |due: Due| look_after(ports, &due).await).await
}

async fn redriven(ports: &impl Ports) -> Result<Value, Diagnostic> {
    match redrive(ports).await {
        Ok(Redriven { redriven, skipped, left, more }) => {
            Ok(json!({ "redriven": redriven, "skipped": skipped, "left": left, "more": more }))
        }
        Err(error) => {
            let error_message = chain(&error);
            tracing::error!(error = error_message, "dead letters were not redriven to their end");
            Err(Diagnostic { error_type: "RedriveEndedEarly".to_owned(), error_message })
        }
    }
}

async fn look_after(ports: &impl Ports, due: &Due) -> Processed {
    let (Ok(tenant), Ok(id)) =
        (TenantId::try_from(due.tenant.as_str()), MessageId::try_from(due.message.as_str()))
    else {
        tracing::error!("a body without a tenant's and a message's id");
        return Processed::Again;
    };
    match deliver(ports, &MessageRef { tenant, id }).await {
        Ok(_) => Processed::Done,
        Err(error) => {
            tracing::error!(message.id = due.message, error = chain(&error), "not delivered yet");
            Processed::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_service::memory::Queued;
    use otpost_service::sample::{events, sample_world};

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        let expected = [
            ("batch.json", json!({ "batchItemFailures": [] }), 1),
            (
                "batch-with-bad-bodies.json",
                json!({ "batchItemFailures": [
                { "itemIdentifier": "2e1424d4-f796-459a-8184-9c92662be6da" },
                { "itemIdentifier": "6a204bd8-9a42-4f1c-8a9e-1f7a1c6d2b11" },
            ] }),
                1,
            ),
            ("redrive.json", json!({ "redriven": 0, "skipped": 0, "left": 1, "more": false }), 0),
            ("sweep.json", json!({ "found": 0 }), 0),
        ];
        for (file, text) in
            events("deliver", &["batch.json", "batch-with-bad-bodies.json", "redrive.json", "sweep.json"])
        {
            let ports = sample_world().await;
            ports.queue().take();
            ports.queue().bury(0, None);
            let answer = handle(&ports, serde_json::from_str(&text).unwrap()).await.unwrap();
            let (_, wanted, handed) = expected.iter().find(|(name, ..)| *name == file).unwrap();
            assert_eq!(&answer, wanted, "{file}");
            let queued = ports.queue().take();
            assert_eq!(queued.len(), *handed, "{file}");
            assert!(queued.iter().all(|entry| matches!(entry, Queued::Hand(..))), "{file}");
        }
    }

    #[tokio::test]
    async fn an_unknown_event_is_an_error() {
        let ports = sample_world().await;
        let error = handle(&ports, json!({ "detail-type": "else" })).await.unwrap_err();
        assert_eq!(error.error_type, "UnknownEvent");
    }
}
