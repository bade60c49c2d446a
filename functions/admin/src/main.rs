//! `admin`: tenants, API keys, policies, gateways, jobs, and the log of messages.
//!
//! - Trigger: HTTP API.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_DELIVERIES_QUEUE_URL`,
//!   `OTPOST_JOBS_QUEUE_URL`, `OTPOST_PUBLIC_URL`, `OTPOST_PLATFORM_KEY_SECRET`, `OTPOST_STORAGE_KEY`,
//!   `OTPOST_CREDENTIALS_PREFIX`, and the queues of the senders: `OTPOST_SES_QUEUE_URL`, `OTPOST_SMTP_QUEUE_URL`,
//!   `OTPOST_TWILIO_QUEUE_URL`, `OTPOST_GOVUK_NOTIFY_QUEUE_URL`.
//! - Permissions: reads and writes both tables, makes and opens data keys, sends to the queues `jobs` and
//!   `deliveries`, and tests to those of the senders, reads the platform key's secret, makes and deletes the secrets of gateways, which it cannot read.
//! - Sample events: `events/admin/`.

use lambda_http::service_fn;
use otpost_aws::secrets::PlatformSecret;
use otpost_aws::sqs::SenderQueues;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::auth::KeyRing;
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE,
    GOVUK_NOTIFY_QUEUE_URL, JOBS_QUEUE_URL, PLATFORM_KEY_SECRET, PUBLIC_URL, SENDER_QUEUES, SES_QUEUE_URL,
    SMTP_QUEUE_URL, STORAGE_KEY, TWILIO_QUEUE_URL,
};
use otpost_edge::serve::serve;
use otpost_edge::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let needed = [
        CORE_TABLE,
        FLOW_TABLE,
        DATA_KEY,
        DELIVERIES_QUEUE_URL,
        JOBS_QUEUE_URL,
        PUBLIC_URL,
        PLATFORM_KEY_SECRET,
        STORAGE_KEY,
        CREDENTIALS_PREFIX,
    ];
    let config = Config::from_env(&[needed.as_slice(), SENDER_QUEUES.as_slice()].concat())?;
    let sdk = sdk_config().await;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        jobs_queue: config.get(JOBS_QUEUE_URL),
        public_url: config.get(PUBLIC_URL),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        storage_key: config.get(STORAGE_KEY),
        sender_queues: SenderQueues {
            ses: config.get(SES_QUEUE_URL),
            smtp: config.get(SMTP_QUEUE_URL),
            twilio: config.get(TWILIO_QUEUE_URL),
            govuk_notify: config.get(GOVUK_NOTIFY_QUEUE_URL),
        },
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk, resources, SystemClock, OsEntropy);
    let keys = KeyRing::new(PlatformSecret::new(&sdk, config.text(PLATFORM_KEY_SECRET)));
    let handle =
        async |request| Ok::<_, lambda_http::Error>(otpost_admin::handle(&ports, &keys, request).await);
    serve(service_fn(handle)).await
}
