//! SQS batches: each body parsed alone, each outcome told alone. Who works them off may be asked to sweep too.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use futures_util::future::{FutureExt as _, join_all};
use lambda_runtime::Diagnostic;
use otpost_service::ports::PortResult;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What became of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processed {
    /// Done; it goes from the queue.
    Done,
    /// The queue is to bring it again.
    Again,
}

/// A batch as it arrives. Bodies stay text, so that a bad one spoils nobody else's.
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
}

/// The batch does not read: nothing of it can be told apart.
#[derive(Debug, thiserror::Error)]
#[error("the event is not an SQS batch")]
pub struct NotABatch;

/// Answers a batch of a queue, whose bodies are worked off by `work`.
///
/// # Errors
/// When the event is no batch.
pub async fn answer<B, F>(event: Value, work: impl FnMut(B) -> F) -> Result<Value, Diagnostic>
where
    B: DeserializeOwned,
    F: Future<Output = Processed>,
{
    let batch = Batch::parse(event).map_err(|error| failed("UnknownEvent", &error.to_string()))?;
    let response = batch.work_off(work).await;
    serde_json::to_value(response).map_err(|error| failed("Unwritable", &error.to_string()))
}

/// Answers the schedule's `{"otpost": "sweep"}` with how many `sweep` has found; nothing for any other event.
///
/// # Errors
/// When the sweep ended early.
pub async fn swept<S>(event: &Value, sweep: impl FnOnce() -> S) -> Result<Option<Value>, Diagnostic>
where
    S: Future<Output = PortResult<usize>>,
{
    if event.get("otpost").and_then(Value::as_str) != Some("sweep") {
        return Ok(None);
    }
    let found = sweep().await.map_err(|error| failed("SweepEndedEarly", &error.chain()))?;
    tracing::info!(sweep.found = found, "swept");
    Ok(Some(json!({ "found": found })))
}

fn failed(kind: &str, message: &str) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: message.to_owned() }
}

impl Batch {
    /// Reads an event.
    ///
    /// # Errors
    /// When it is no SQS batch, or a record has no id: then the whole batch must come again.
    pub fn parse(event: Value) -> Result<Self, NotABatch> {
        let batch: Self = serde_json::from_value(event).map_err(|_| NotABatch)?;
        let named = batch.records.iter().all(|record| !record.message_id.is_empty());
        named.then_some(batch).ok_or(NotABatch)
    }

    /// Works the bodies off side by side: they wait for the network, not for each other. One that does not read goes to
    /// the dead-letter queue in the end, where an operator finds it; its body is not logged.
    pub async fn work_off<B, F>(self, mut work: impl FnMut(B) -> F) -> SqsBatchResponse
    where
        B: DeserializeOwned,
        F: Future<Output = Processed>,
    {
        let started = self.records.into_iter().map(|record| {
            let working = match serde_json::from_str(&record.body) {
                Ok(body) => Some(work(body)),
                Err(error) => {
                    tracing::error!(
                        sqs.message_id = record.message_id,
                        error = ?error.classify(),
                        "a body does not read"
                    );
                    None
                }
            };
            async move {
                let processed = match working {
                    // One that panics spoils nobody else's either.
                    Some(working) => AssertUnwindSafe(working).catch_unwind().await.unwrap_or_else(|_| {
                        tracing::error!(sqs.message_id = record.message_id, "a body's work panicked");
                        Processed::Again
                    }),
                    None => Processed::Again,
                };
                (processed == Processed::Again).then_some(record.message_id)
            }
        });
        let mut response = SqsBatchResponse::default();
        for failed in join_all(started.collect::<Vec<_>>()).await.into_iter().flatten() {
            response.add_failure(failed);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        n: u32,
    }

    #[tokio::test]
    async fn a_bad_body_spoils_nobody_elses() {
        let event = json!({ "Records": [
            { "messageId": "a", "body": "{\"n\":1}", "eventSource": "aws:sqs" },
            { "messageId": "b", "body": "not json" },
            { "messageId": "c", "body": "{\"n\":2}" },
            { "messageId": "d", "body": "{\"n\":3}" },
        ]});
        let seen = std::sync::Mutex::new(Vec::new());
        let batch = Batch::parse(event).unwrap();
        let response = batch
            .work_off(|body: Body| {
                seen.lock().unwrap().push(body.n);
                async move { if body.n == 2 { Processed::Again } else { Processed::Done } }
            })
            .await;
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
        let failed: Vec<_> =
            response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
        assert_eq!(failed, ["b", "c"]);
    }

    #[test]
    fn a_record_without_an_id_fails_the_batch() {
        let empty = json!({ "Records": [{ "messageId": "", "body": "{}" }] });
        assert!(Batch::parse(empty).is_err());
        assert!(Batch::parse(json!({ "otpost": "sweep" })).is_err());
    }
}
