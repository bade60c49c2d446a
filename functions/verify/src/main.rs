//! `verify`: checks codes of tokens, sends codes and checks these, tells who waits for a message how far it is, and repairs
//! tokens whose right codes are refused.
//!
//! - Trigger: HTTP API.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_DELIVERIES_QUEUE_URL`.
//! - Permissions: reads table `core`, updates its auth rows, seals seeds anew, adds audit entries, keeps answers in table
//!   `flow`, reads and writes challenges and messages there, opens data keys, sends to the queue `deliveries`.
//! - Sample events: `events/verify/`.

use lambda_http::service_fn;
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_edge::config::{CORE_TABLE, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE};
use otpost_edge::serve::serve;
use otpost_edge::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init();
    let config = Config::from_env(&[CORE_TABLE, FLOW_TABLE, DATA_KEY, DELIVERIES_QUEUE_URL])?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let keys = KeyRing::new(NoPlatformKey);
    let handle =
        async |request| Ok::<_, lambda_http::Error>(otpost_verify::handle(&ports, &keys, request).await);
    serve(service_fn(handle)).await
}
