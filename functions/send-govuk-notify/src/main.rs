//! `send-govuk-notify`: sends texts by GOV.UK Notify.
//!
//! - Trigger: queue `send-govuk-notify`.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_CREDENTIALS_PREFIX`,
//!   `OTPOST_DELIVERIES_QUEUE_URL`, `OTPOST_GOVUK_NOTIFY_QUEUE_URL`, `OTPOST_GOVUK_NOTIFY_URL`.
//! - Permissions: updates messages in table `flow`, reads gateways, templates and tenants' data keys and opens these,
//!   reads gateways' credentials, sends to both queues.
//! - Sample events: `events/send-govuk-notify/`.

#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE,
    GOVUK_NOTIFY_QUEUE_URL, GOVUK_NOTIFY_URL, RECEIPTS_QUEUE_URL,
};
use otpost_edge::sender::{self, NEEDED};
use otpost_edge::telemetry;
use otpost_send_govuk_notify::NotifyProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let needed = [GOVUK_NOTIFY_QUEUE_URL, GOVUK_NOTIFY_URL];
    let config = Config::from_env(&[NEEDED.as_slice(), needed.as_slice()].concat())?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        receipts_queue: config.get(RECEIPTS_QUEUE_URL),
        sender_queues: SenderQueues {
            govuk_notify: config.get(GOVUK_NOTIFY_QUEUE_URL),
            ..SenderQueues::default()
        },
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let provider = NotifyProvider::new(&config.text(GOVUK_NOTIFY_URL), SystemClock)?;
    let handle = async |event: LambdaEvent<_>| sender::handle(&ports, &provider, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
