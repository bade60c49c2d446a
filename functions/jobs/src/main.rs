//! `jobs`: does long work in steps, and every minute looks for jobs left behind.
//!
//! - Trigger: queue `jobs`; a schedule every minute.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_DATA_KEY`, `OTPOST_DELIVERIES_QUEUE_URL`,
//!   `OTPOST_JOBS_QUEUE_URL`, `OTPOST_PUBLIC_URL`, `OTPOST_CREDENTIALS_PREFIX`.
//! - Permissions: reads and writes users and tokens in table `core`, jobs, links and messages in table `flow`, opens data
//!   keys, looks through both tables and deletes a deleted tenant's rows and its gateways' secrets,
//!   sends to its own queue and to `deliveries`.
//! - Sample events: `events/jobs/`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{
    CORE_TABLE, CREDENTIALS_PREFIX, Config, DATA_KEY, DELIVERIES_QUEUE_URL, FLOW_TABLE, JOBS_QUEUE_URL,
    PUBLIC_URL,
};
use otpost_edge::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let config = Config::from_env(&[
        CORE_TABLE,
        FLOW_TABLE,
        DATA_KEY,
        DELIVERIES_QUEUE_URL,
        JOBS_QUEUE_URL,
        PUBLIC_URL,
        CREDENTIALS_PREFIX,
    ])?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        data_key: config.get(DATA_KEY),
        deliveries_queue: config.get(DELIVERIES_QUEUE_URL),
        jobs_queue: config.get(JOBS_QUEUE_URL),
        public_url: config.get(PUBLIC_URL),
        credentials_prefix: config.get(CREDENTIALS_PREFIX),
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let handle = async |event: LambdaEvent<_>| otpost_jobs::handle(&ports, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
