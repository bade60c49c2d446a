//! `send-ses`: sends mails by Amazon SES.
//!
//! - Trigger: queue `send-ses`.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_CREDENTIALS_PREFIX`,
//!   `OTPOST_DELIVERIES_QUEUE_URL`, `OTPOST_SES_QUEUE_URL`, `OTPOST_SES_SENDER`, `OTPOST_SES_CONFIGURATION_SET`.
//! - Permissions: updates messages in table `flow`, reads gateways, templates and tenants' data keys and opens these,
//!   reads gateways' credentials (a PIN may have to stand in a mail), sends mail from the configured address and from
//!   `sesIdentities`, sends to both queues.
//! - Sample events: `events/send-ses/`.

#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE, RECEIPTS_QUEUE_URL,
    SES_CONFIGURATION_SET, SES_QUEUE_URL, SES_SENDER,
};
use otpost_edge::sender::{self, NEEDED};
use otpost_edge::telemetry;
use otpost_send_ses::SesProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let needed = [SES_QUEUE_URL, SES_SENDER, SES_CONFIGURATION_SET];
    let config = Config::from_env(&[NEEDED.as_slice(), needed.as_slice()].concat())?;
    let sdk = sdk_config().await;
    let provider = SesProvider::new(&sdk, &config.text(SES_SENDER), &config.text(SES_CONFIGURATION_SET))?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        receipts_queue: config.get(RECEIPTS_QUEUE_URL),
        sender_queues: SenderQueues { ses: config.get(SES_QUEUE_URL), ..SenderQueues::default() },
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk, resources, SystemClock, OsEntropy);
    let handle = async |event: LambdaEvent<_>| sender::handle(&ports, &provider, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
