//! `receipts`: takes what providers tell of messages that they have taken.
//!
//! - Trigger: HTTP API; a rule for Amazon SES's events on the default bus; queue `receipts`.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_CREDENTIALS_PREFIX`,
//!   `OTPOST_DELIVERIES_QUEUE_URL`, `OTPOST_PUBLIC_URL`.
//! - Permissions: updates messages in table `flow`, adds to the suppression list in table `core`, reads gateways and
//!   tenants' data keys and opens these, reads gateways' credentials, sends to the queue `deliveries`.
//! - Sample events: `events/receipts/`.

#![recursion_limit = "256"]

use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE, PUBLIC_URL,
};
use otpost_edge::serve::serve_with;
use otpost_edge::telemetry;
use otpost_receipts::seldom::Seldom;
use otpost_receipts::{handle, told};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let needed = [CORE_TABLE, FLOW_TABLE, DATA_KEY, CREDENTIALS_PREFIX, DELIVERIES_QUEUE_URL, PUBLIC_URL];
    let config = Config::from_env(&needed)?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        public_url: config.get(PUBLIC_URL),
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let keys = KeyRing::new(NoPlatformKey);
    let again = Seldom::default();
    let handle = async |request| Ok::<_, lambda_http::Error>(handle(&ports, &keys, &again, request).await);
    let told = async |event| told(&ports, event).await;
    serve_with(handle, told).await
}
