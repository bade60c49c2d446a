//! `deliver`: gets messages on their way, and every minute looks for those left behind.
//!
//! - Trigger: queue `deliveries`; a schedule every minute; operators, to redrive dead letters.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DELIVERIES_QUEUE_URL`, and the queues of the senders:
//!   `OTPOST_SES_QUEUE_URL`, `OTPOST_SMTP_QUEUE_URL`, `OTPOST_TWILIO_QUEUE_URL`, `OTPOST_GOVUK_NOTIFY_QUEUE_URL`;
//!   `OTPOST_DEAD_LETTER_QUEUE_URLS`, with commas between them; `OTPOST_METRICS_NAMESPACE`, if numbers are to be written.
//! - Permissions: reads users, tokens, policies and gateways in table `core`, reads and updates messages in table `flow`,
//!   keeps gateways' health there, sends to its own queue and those of the senders, and empties their dead letters.
//! - Sample events: `events/deliver/`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    CORE_TABLE, Config, DEAD_LETTER_QUEUE_URLS, DELIVERIES_QUEUE_URL, FLOW_TABLE, GOVUK_NOTIFY_QUEUE_URL,
    SENDER_QUEUES, SES_QUEUE_URL, SMTP_QUEUE_URL, TWILIO_QUEUE_URL,
};
use otpost_edge::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let needed = [CORE_TABLE, FLOW_TABLE, DELIVERIES_QUEUE_URL, DEAD_LETTER_QUEUE_URLS];
    let config = Config::from_env(&[needed.as_slice(), SENDER_QUEUES.as_slice()].concat())?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        sender_queues: SenderQueues {
            ses: config.get(SES_QUEUE_URL),
            smtp: config.get(SMTP_QUEUE_URL),
            twilio: config.get(TWILIO_QUEUE_URL),
            govuk_notify: config.get(GOVUK_NOTIFY_QUEUE_URL),
        },
        dead_letter_queues: config.text(DEAD_LETTER_QUEUE_URLS).split(',').map(str::to_owned).collect(),
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let handle = async |event: LambdaEvent<_>| otpost_deliver::handle(&ports, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
