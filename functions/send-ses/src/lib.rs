//! Sends mails by Amazon SES.

mod mime;
mod ses;

use lambda_runtime::Diagnostic;
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::message::Gateway;
use otpost_edge::batch::{self, Processed};
use otpost_edge::telemetry::chain;
use otpost_service::ports::{MessageRef, Ports};
use otpost_service::send::{EmailProvider, send_email};
use serde::Deserialize;
use serde_json::Value;

pub use mime::{BadSender, Sender, compose};
pub use ses::SesProvider;

/// A body on the queue `send-ses`.
#[derive(Deserialize)]
struct Handed {
    tenant: String,
    message: String,
    hop: u8,
}

/// Handles a batch of the queue.
///
/// # Errors
/// When the event is no batch.
pub async fn handle(
    ports: &impl Ports,
    provider: &impl EmailProvider,
    event: Value,
) -> Result<Value, Diagnostic> {
    batch::answer(event, async |handed: Handed| send(ports, provider, &handed).await).await
}

async fn send(ports: &impl Ports, provider: &impl EmailProvider, handed: &Handed) -> Processed {
    let (Ok(tenant), Ok(id)) =
        (TenantId::try_from(handed.tenant.as_str()), MessageId::try_from(handed.message.as_str()))
    else {
        tracing::error!("a body without a tenant's and a message's id");
        return Processed::Again;
    };
    match send_email(ports, provider, Gateway::Ses, &MessageRef { tenant, id }, handed.hop).await {
        Ok(_) => Processed::Done,
        Err(error) => {
            tracing::error!(message.id = handed.message, error = chain(&error), "not sent yet");
            Processed::Again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::message::Outcome;
    use otpost_service::sample::{events, hand, sample_world};
    use otpost_service::send::OutgoingEmail;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl EmailProvider for Counting {
        async fn send(&self, _: &OutgoingEmail) -> Outcome {
            self.0.fetch_add(1, Ordering::Relaxed);
            Outcome::Accepted { provider_id: "ses-1".to_owned() }
        }
    }

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        for (file, text) in events("send-ses", &["batch.json"]) {
            let ports = sample_world().await;
            hand(&ports).await;
            let provider = Counting::default();
            let sent: Value = serde_json::from_str(&text).unwrap();
            for _ in 0..2 {
                let answer = handle(&ports, &provider, sent.clone()).await.unwrap();
                assert_eq!(answer, json!({ "batchItemFailures": [] }), "{file}");
            }
            assert_eq!(provider.0.load(Ordering::Relaxed), 1, "a second delivery sends nothing");
        }
    }
}
