//! The queues. A body holds ids and nothing else.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use otpost_domain::message::Sender;
use otpost_service::ports::{DeliveryQueue, Fault, JobQueue, JobRef, MessageRef, PortError, PortResult};
use serde_json::{Value, json};

use crate::fault::{corrupt, not_given, sorted};

/// The longest delay that SQS knows.
const LONGEST_DELAY: Duration = Duration::from_mins(15);

/// How many messages SQS takes at once.
const LARGEST_BATCH: usize = 10;

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

/// `deliveries`, `jobs`, and the senders' queues.
#[derive(Clone, Debug)]
pub struct SqsQueue {
    client: Client,
    deliveries: Option<String>,
    jobs: Option<String>,
    senders: SenderQueues,
}

impl SqsQueue {
    pub(crate) fn new(
        config: &SdkConfig,
        deliveries: Option<String>,
        jobs: Option<String>,
        senders: SenderQueues,
    ) -> Self {
        Self { client: Client::new(config), deliveries, jobs, senders }
    }

    async fn put(&self, url: Option<&String>, body: &Value, delay: Duration) -> PortResult<()> {
        let url = url.ok_or_else(|| not_given("queue"))?;
        // Whole seconds, rounded up: nothing comes before its time.
        let seconds = delay.min(LONGEST_DELAY).as_millis().div_ceil(1000);
        let delay = i32::try_from(seconds).unwrap_or_default();
        self.client
            .send_message()
            .queue_url(url)
            .message_body(body.to_string())
            .delay_seconds(delay)
            .send()
            .await
            .map_err(|error| sorted("SendMessage", &error))?;
        Ok(())
    }
}

fn due(message: &MessageRef) -> Value {
    json!({ "tenant": message.tenant.as_str(), "message": message.id.as_str() })
}

impl JobQueue for SqsQueue {
    async fn work(&self, job: &JobRef, delay: Duration) -> PortResult<()> {
        let body = json!({ "tenant": job.tenant.as_str(), "job": job.id.as_str() });
        self.put(self.jobs.as_ref(), &body, delay).await
    }
}

impl DeliveryQueue for SqsQueue {
    async fn deliver(&self, message: &MessageRef) -> PortResult<()> {
        self.put(self.deliveries.as_ref(), &due(message), Duration::ZERO).await
    }

    async fn deliver_all(&self, messages: &[MessageRef]) -> PortResult<()> {
        let url = self.deliveries.as_ref().ok_or_else(|| not_given("queue"))?;
        for batch in messages.chunks(LARGEST_BATCH) {
            let entries = batch.iter().enumerate().map(|(place, message)| {
                let entry = SendMessageBatchRequestEntry::builder();
                entry.id(place.to_string()).message_body(due(message).to_string()).build().map_err(corrupt)
            });
            let entries = entries.collect::<PortResult<Vec<_>>>()?;
            let sent = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send();
            let sent = sent.await.map_err(|error| sorted("SendMessageBatch", &error))?;
            if let Some(first) = sent.failed().first() {
                return Err(PortError::new(
                    Fault::Unavailable,
                    format!("SendMessageBatch: {}", first.code()),
                ));
            }
        }
        Ok(())
    }

    async fn hand(&self, sender: Sender, message: &MessageRef, hop: u16, delay: Duration) -> PortResult<()> {
        let body = json!({ "tenant": message.tenant.as_str(), "message": message.id.as_str(), "hop": hop });
        self.put(self.senders.of(sender), &body, delay).await
    }
}
