//! `send-smtp`: sends mails over SMTP by the servers that gateways name.
//!
//! - Trigger: queue `send-smtp`.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_CREDENTIALS_PREFIX`,
//!   `OTPOST_DELIVERIES_QUEUE_URL`, `OTPOST_SMTP_QUEUE_URL`, `OTPOST_ALLOWED_NETWORKS`,
//!   `OTPOST_EHLO_NAME`.
//! - Permissions: updates messages in table `flow`, reads gateways, templates and tenants' data keys and opens these,
//!   reads gateways' credentials, sends to both queues.
//! - Sample events: `events/send-smtp/`.

#![recursion_limit = "256"]

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_domain::gateway::DomainName;
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    ALLOWED_NETWORKS, CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, EHLO_NAME,
    FLOW_TABLE, RECEIPTS_QUEUE_URL, SMTP_QUEUE_URL,
};
use otpost_edge::sender::{self, NEEDED};
use otpost_edge::telemetry;
use otpost_outbound::guard::Networks;
use otpost_send_smtp::SmtpProvider;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let needed = [SMTP_QUEUE_URL, ALLOWED_NETWORKS, EHLO_NAME];
    let config = Config::from_env(&[NEEDED.as_slice(), needed.as_slice()].concat())?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        receipts_queue: config.get(RECEIPTS_QUEUE_URL),
        sender_queues: SenderQueues { smtp: config.get(SMTP_QUEUE_URL), ..SenderQueues::default() },
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let name = DomainName::try_from(config.text(EHLO_NAME).as_str())?;
    let allowed = config.get(ALLOWED_NETWORKS).filter(|networks| networks != "none").unwrap_or_default();
    let provider = SmtpProvider::new(name, Networks::parse(&allowed)?)?;
    let handle = async |event: LambdaEvent<_>| sender::handle(&ports, &provider, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
