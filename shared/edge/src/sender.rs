//! The queue of a sender: each body names one hop of one message.

use lambda_runtime::Diagnostic;
use otpost_domain::ids::{MessageId, TenantId};
use otpost_service::ports::{MessageRef, Ports};
use otpost_service::provider::Provider;
use otpost_service::send::send;
use serde::Deserialize;
use serde_json::Value;

use crate::batch::{self, Processed};
use crate::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE, RECEIPTS_QUEUE_URL,
};
use crate::telemetry::chain;

/// What every sender needs of the environment, beside its own queue.
pub const NEEDED: [&str; 6] =
    [CORE_TABLE, FLOW_TABLE, DATA_KEY, CREDENTIALS_PREFIX, DELIVERIES_QUEUE_URL, RECEIPTS_QUEUE_URL];

/// A body on a sender's queue.
#[derive(Deserialize)]
struct Handed {
    tenant: String,
    message: String,
    hop: u16,
}

/// Handles a batch of a sender's queue.
///
/// # Errors
/// When the event is no batch.
pub async fn handle(ports: &impl Ports, provider: &impl Provider, event: Value) -> Result<Value, Diagnostic> {
    batch::answer(event, async |handed: Handed| one(ports, provider, &handed).await).await
}

async fn one(ports: &impl Ports, provider: &impl Provider, handed: &Handed) -> Processed {
    let (Ok(tenant), Ok(id)) =
        (TenantId::try_from(handed.tenant.as_str()), MessageId::try_from(handed.message.as_str()))
    else {
        tracing::error!("a body without a tenant's and a message's id");
        return Processed::Again;
    };
    match send(ports, provider, &MessageRef { tenant, id }, handed.hop).await {
        Ok(_) => Processed::Done,
        Err(error) => {
            tracing::error!(message.id = handed.message, error = chain(&error), "not sent yet");
            Processed::Again
        }
    }
}
