//! `send-twilio`: sends texts by accounts with Twilio.
//!
//! - Trigger: queue `send-twilio`.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_CREDENTIALS_PREFIX`,
//!   `OTPOST_DELIVERIES_QUEUE_URL`, `OTPOST_TWILIO_QUEUE_URL`, `OTPOST_TWILIO_URL`, `OTPOST_PUBLIC_URL`.
//! - Permissions: updates messages in table `flow`, reads gateways, templates and tenants' data keys and opens these,
//!   reads gateways' credentials, sends to both queues.
//! - Sample events: `events/send-twilio/`.

#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE, PUBLIC_URL,
    RECEIPTS_QUEUE_URL, TWILIO_QUEUE_URL, TWILIO_URL,
};
use otpost_edge::sender::{self, NEEDED};
use otpost_edge::telemetry;
use otpost_send_twilio::TwilioProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let needed = [TWILIO_QUEUE_URL, TWILIO_URL, PUBLIC_URL];
    let config = Config::from_env(&[NEEDED.as_slice(), needed.as_slice()].concat())?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        receipts_queue: config.get(RECEIPTS_QUEUE_URL),
        public_url: config.get(PUBLIC_URL),
        sender_queues: SenderQueues { twilio: config.get(TWILIO_QUEUE_URL), ..SenderQueues::default() },
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let provider = TwilioProvider::new(&config.text(TWILIO_URL))?;
    let handle = async |event: LambdaEvent<_>| sender::handle(&ports, &provider, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
