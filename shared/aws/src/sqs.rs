//! The queues. A body holds ids and nothing else.
//!
//! What goes to `deliver` and the senders says whose it is: SQS then lets no tenant's bulk hold up the others' messages.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    SendMessageBatchRequestEntry,
};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::message::{Sender, Verdict};
use otpost_service::ports::{
    DeadLetter, DeadLetters, DeliveryQueue, Fault, JobQueue, JobRef, MessageRef, PortError, PortResult,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::fault::{corrupt, not_given, sorted};

/// The longest delay that SQS knows.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How many messages SQS takes or gives at once.
const LARGEST_BATCH: usize = 10;

/// How long a dead letter is hidden that somebody looks at; longer than a function runs. In seconds.
const HIDDEN: i32 = 60;
/// How long SQS looks for dead letters: then it looks everywhere, and is back before the client gives up. In seconds.
const LOOKS: i32 = 1;

/// URLs of the senders' queues.
#[derive(Clone, Debug, Default)]
pub struct SenderQueues {
    /// Of `send-ses`.
    pub ses: Option<String>,
    /// Of `send-smtp`.
    pub smtp: Option<String>,
    /// Of `send-twilio`.
    pub twilio: Option<String>,
    /// Of `send-govuk-notify`.
    pub govuk_notify: Option<String>,
}

impl SenderQueues {
    const fn of(&self, sender: Sender) -> Option<&String> {
        match sender {
            Sender::Ses => self.ses.as_ref(),
            Sender::Smtp => self.smtp.as_ref(),
            Sender::Twilio => self.twilio.as_ref(),
            Sender::GovukNotify => self.govuk_notify.as_ref(),
        }
    }
}

/// `deliveries`, `jobs`, `receipts`, and the senders' queues.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    deliveries: Option<String>,
    jobs: Option<String>,
    receipts: Option<String>,
    senders: SenderQueues,
    dead_letters: Vec<String>,
}

impl SqsQueue {
    pub(crate) fn new(
        config: &SdkConfig,
        deliveries: Option<String>,
        jobs: Option<String>,
        receipts: Option<String>,
        senders: SenderQueues,
        dead_letters: Vec<String>,
    ) -> Self {
        Self { client: Client::new(config), deliveries, jobs, receipts, senders, dead_letters }
    }

    /// The queue in which letters of one source lie; nothing for no letters.
    fn queue_of(&self, letters: &[DeadLetter]) -> PortResult<Option<&String>> {
        let Some(first) = letters.first() else { return Ok(None) };
        self.dead_letters.get(first.source).map(Some).ok_or_else(|| not_given("dead-letter queue"))
    }

    async fn put(
        &self,
        url: Option<&String>,
        body: &Value,
        delay: Duration,
        group: Option<&TenantId>,
    ) -> PortResult<()> {
        let url = url.ok_or_else(|| not_given("queue"))?;
        // Whole seconds, rounded up: nothing comes before its time.
        let seconds = delay.min(LONGEST_DELAY).as_millis().div_ceil(1000);
        let delay = i32::try_from(seconds).unwrap_or_default();
        self.client
            .send_message()
            .queue_url(url)
            .message_body(body.to_string())
            .delay_seconds(delay)
            .set_message_group_id(group.map(TenantId::to_string))
            .send()
            .await
            .map_err(|error| sorted("SendMessage", &error))?;
        Ok(())
    }
}

fn due(message: &MessageRef) -> Value {
    json!({ "tenant": message.tenant.as_str(), "message": message.id.as_str() })
}

/// The message that a body names, as [`due`] and the bodies of hops do.
fn named(body: &str) -> Option<MessageRef> {
    #[derive(Deserialize)]
    struct Named {
        tenant: String,
        message: String,
    }
    let Named { tenant, message } = serde_json::from_str(body).ok()?;
    Some(MessageRef {
        tenant: TenantId::try_from(tenant.as_str()).ok()?,
        id: MessageId::try_from(message.as_str()).ok()?,
    })
}

/// An error when part of a batch was not done.
fn all_went(operation: &str, failed: &[BatchResultErrorEntry]) -> PortResult<()> {
    match failed.first() {
        None => Ok(()),
        Some(first) => Err(PortError::new(Fault::Unavailable, format!("{operation}: {}", first.code()))),
    }
}

impl JobQueue for SqsQueue {
    async fn work(&self, job: &JobRef, delay: Duration) -> PortResult<()> {
        let body = json!({ "tenant": job.tenant.as_str(), "job": job.id.as_str() });
        self.put(self.jobs.as_ref(), &body, delay, None).await
    }
}

impl DeliveryQueue for SqsQueue {
    async fn deliver(&self, message: &MessageRef, delay: Duration) -> PortResult<()> {
        self.put(self.deliveries.as_ref(), &due(message), delay, Some(&message.tenant)).await
    }

    async fn tell(
        &self,
        message: &MessageRef,
        hop: u16,
        verdict: Verdict,
        delay: Duration,
    ) -> PortResult<()> {
        let (tenant, id) = (message.tenant.as_str(), message.id.as_str());
        let body = json!({ "tenant": tenant, "message": id, "hop": hop, "verdict": verdict.as_str() });
        self.put(self.receipts.as_ref(), &body, delay, None).await
    }

    async fn deliver_all(&self, messages: &[MessageRef]) -> PortResult<()> {
        let url = self.deliveries.as_ref().ok_or_else(|| not_given("queue"))?;
        for batch in messages.chunks(LARGEST_BATCH) {
            let entries = batch.iter().enumerate().map(|(place, message)| {
                let entry = SendMessageBatchRequestEntry::builder().message_group_id(message.tenant.as_str());
                entry.id(place.to_string()).message_body(due(message).to_string()).build().map_err(corrupt)
            });
            let entries = entries.collect::<PortResult<Vec<_>>>()?;
            let sent = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send();
            let sent = sent.await.map_err(|error| sorted("SendMessageBatch", &error))?;
            all_went("SendMessageBatch", sent.failed())?;
        }
        Ok(())
    }

    async fn hand(&self, sender: Sender, message: &MessageRef, hop: u16, delay: Duration) -> PortResult<()> {
        let body = json!({ "tenant": message.tenant.as_str(), "message": message.id.as_str(), "hop": hop });
        self.put(self.senders.of(sender), &body, delay, Some(&message.tenant)).await
    }
}

impl DeadLetters for SqsQueue {
    async fn letters(&self, source: usize) -> PortResult<Option<Vec<DeadLetter>>> {
        let Some(url) = self.dead_letters.get(source) else { return Ok(None) };
        let sent = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(i32::try_from(LARGEST_BATCH).unwrap_or(1))
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(LOOKS)
            .send();
        let received = sent.await.map_err(|error| sorted("ReceiveMessage", &error))?;
        let letters = received.messages.unwrap_or_default().into_iter().filter_map(|letter| {
            let handle = letter.receipt_handle?;
            Some(DeadLetter { message: letter.body.as_deref().and_then(named), source, handle })
        });
        Ok(Some(letters.collect()))
    }

    async fn discard(&self, letters: &[DeadLetter]) -> PortResult<()> {
        let Some(url) = self.queue_of(letters)? else { return Ok(()) };
        for batch in letters.chunks(LARGEST_BATCH) {
            let entries = batch.iter().enumerate().map(|(place, letter)| {
                let entry = DeleteMessageBatchRequestEntry::builder();
                entry.id(place.to_string()).receipt_handle(&letter.handle).build().map_err(corrupt)
            });
            let entries = entries.collect::<PortResult<Vec<_>>>()?;
            let sent = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries)).send();
            let sent = sent.await.map_err(|error| sorted("DeleteMessageBatch", &error))?;
            all_went("DeleteMessageBatch", sent.failed())?;
        }
        Ok(())
    }

    async fn put_back(&self, letters: &[DeadLetter]) -> PortResult<()> {
        let Some(url) = self.queue_of(letters)? else { return Ok(()) };
        for batch in letters.chunks(LARGEST_BATCH) {
            let entries = batch.iter().enumerate().map(|(place, letter)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().visibility_timeout(0);
                entry.id(place.to_string()).receipt_handle(&letter.handle).build().map_err(corrupt)
            });
            let entries = entries.collect::<PortResult<Vec<_>>>()?;
            let change = self.client.change_message_visibility_batch().queue_url(url);
            let sent = change.set_entries(Some(entries)).send();
            let sent = sent.await.map_err(|error| sorted("ChangeMessageVisibilityBatch", &error))?;
            all_went("ChangeMessageVisibilityBatch", sent.failed())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region};
    use axum::Router;
    use axum::extract::{Request, State};
    use axum::response::{IntoResponse as _, Response};

    use super::*;

    /// Requests by their operations, and what a server that speaks like SQS says to them.
    #[derive(Clone, Default)]
    struct Sqs {
        asked: Arc<Mutex<Vec<(String, Value)>>>,
        says: Value,
    }

    async fn answer(State(sqs): State<Sqs>, request: Request) -> Response {
        let target = request.headers()["x-amz-target"].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        sqs.asked.lock().unwrap().push((target, serde_json::from_slice(&body).unwrap()));
        ([("content-type", "application/x-amz-json-1.0")], sqs.says.to_string()).into_response()
    }

    /// What is asked of a server that says `says`.
    async fn asked<T>(says: Value, act: impl AsyncFnOnce(SqsQueue) -> T) -> (T, Vec<(String, Value)>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let sqs = Sqs { says, ..Sqs::default() };
        let app = Router::new().fallback(answer).with_state(sqs.clone());
        let server = tokio::spawn(async move { axum::serve(listener, app).await });
        let keys = aws_credential_types::Credentials::for_tests();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-west-2"))
            .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys))
            .http_client(crate::trust::http_client())
            .endpoint_url(endpoint)
            .build();
        let url = |name: &str| Some(format!("https://sqs.example/{name}"));
        let senders = SenderQueues { twilio: url("send-twilio"), ..SenderQueues::default() };
        let dead = vec!["https://sqs.example/dead".to_owned()];
        let queue = SqsQueue::new(&config, url("deliveries"), url("jobs"), url("receipts"), senders, dead);
        let told = act(queue).await;
        server.abort();
        (told, std::mem::take(&mut *sqs.asked.lock().unwrap()))
    }

    fn message() -> MessageRef {
        let id = MessageId::try_from("msg_06h03olgfrvrsonu93d19h37h0").unwrap();
        MessageRef { tenant: TenantId::try_from("acme").unwrap(), id }
    }

    fn letter(handle: &str) -> DeadLetter {
        DeadLetter { message: Some(message()), source: 0, handle: handle.to_owned() }
    }

    #[tokio::test]
    async fn what_goes_to_deliver_and_the_senders_says_whose_it_is() {
        let sent = json!({ "MessageId": "1", "Successful": [], "Failed": [] });
        let (told, asked) = asked(sent, async |queue: SqsQueue| {
            let wait = Duration::from_millis(1500);
            queue.deliver(&message(), Duration::ZERO).await?;
            queue.hand(Sender::Twilio, &message(), 2, wait).await?;
            queue.deliver_all(&vec![message(); 11]).await
        })
        .await;
        told.unwrap();
        let [deliver, hand, first, second] = asked.as_slice() else { panic!("{asked:?}") };
        let url = |name: &str| format!("https://sqs.example/{name}");
        let body = r#"{"message":"msg_06h03olgfrvrsonu93d19h37h0","tenant":"acme"}"#;
        assert_eq!(deliver.0, "AmazonSQS.SendMessage");
        let wanted = json!({
            "QueueUrl": url("deliveries"), "MessageBody": body, "DelaySeconds": 0, "MessageGroupId": "acme",
        });
        assert_eq!(deliver.1, wanted);
        assert_eq!(
            (&hand.1["QueueUrl"], &hand.1["DelaySeconds"], &hand.1["MessageGroupId"]),
            (&json!(url("send-twilio")), &json!(2), &json!("acme"))
        );
        for (batch, size) in [(first, 10), (second, 1)] {
            assert_eq!(batch.0, "AmazonSQS.SendMessageBatch");
            let entries = batch.1["Entries"].as_array().unwrap();
            assert_eq!(entries.len(), size);
            assert!(entries.iter().all(|entry| entry["MessageGroupId"] == "acme"));
        }
    }

    #[tokio::test]
    async fn letters_name_their_messages_where_they_read() {
        let whole = r#"{"tenant":"acme","message":"msg_06h03olgfrvrsonu93d19h37h0","hop":3}"#;
        let says = json!({ "Messages": [
            { "ReceiptHandle": "a", "Body": whole },
            { "ReceiptHandle": "b", "Body": "{}" },
            { "ReceiptHandle": "c", "Body": whole.replace("acme", "no tenant") },
        ]});
        let (told, asked) =
            asked(says, async |queue: SqsQueue| (queue.letters(0).await, queue.letters(1).await)).await;
        let letters = told.0.unwrap().unwrap();
        let unread = |handle: &str| DeadLetter { message: None, ..letter(handle) };
        assert_eq!(letters, [letter("a"), unread("b"), unread("c")]);
        assert_eq!(told.1.unwrap(), None, "there is no second queue");
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].0, "AmazonSQS.ReceiveMessage");
        assert_eq!(asked[0].1["VisibilityTimeout"], 60);
    }

    #[tokio::test]
    async fn letters_go_and_come_back_ten_at_a_time() {
        let many: Vec<_> = (0..11).map(|number: u8| letter(&number.to_string())).collect();
        let done = json!({ "Successful": [], "Failed": [] });
        let (told, asked) = asked(done, async |queue: SqsQueue| {
            queue.discard(&many).await?;
            queue.put_back(&many[..1]).await?;
            queue.discard(&[]).await
        })
        .await;
        told.unwrap();
        let operations: Vec<_> = asked.iter().map(|(operation, _)| operation.as_str()).collect();
        let discarded = "AmazonSQS.DeleteMessageBatch";
        assert_eq!(operations, [discarded, discarded, "AmazonSQS.ChangeMessageVisibilityBatch"]);
        let wanted = json!([{ "Id": "0", "ReceiptHandle": "10" }]);
        assert_eq!(
            (&asked[1].1["QueueUrl"], &asked[1].1["Entries"]),
            (&json!("https://sqs.example/dead"), &wanted)
        );
        assert_eq!(
            asked[2].1["Entries"],
            json!([{ "Id": "0", "ReceiptHandle": "0", "VisibilityTimeout": 0 }])
        );
    }

    #[tokio::test]
    async fn a_batch_that_did_not_go_in_whole_is_an_error() {
        let says = json!({ "Successful": [], "Failed": [
            { "Id": "0", "SenderFault": false, "Code": "InternalError" },
        ]});
        let (told, _) = asked(says, async |queue: SqsQueue| queue.discard(&[letter("a")]).await).await;
        assert_eq!(told.unwrap_err().kind, Fault::Unavailable);
    }
}
