//! `jobs`: does long work in steps, and every minute looks for jobs left behind.
//!
//! - Trigger: queue `jobs`; a schedule every minute.
//! - Environment: `OTPOST_CORE_TABLE`, `OTPOST_FLOW_TABLE`, `OTPOST_JOBS_QUEUE_URL`.
//! - Permissions: reads policies and users and updates auth rows in table `core`, reads and updates jobs in table `flow`,
//!   looks through both tables and deletes a deleted tenant's rows, writes what is left of it and its last audit entry,
//!   sends to its own queue.
//! - Sample events: `events/jobs/`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use otpost_aws::{AwsPorts, Resources, sdk_config};
use otpost_edge::ambient::{OsEntropy, SystemClock};
use otpost_edge::config::{CORE_TABLE, Config, FLOW_TABLE, JOBS_QUEUE_URL};
use otpost_edge::telemetry;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let config = Config::from_env(&[CORE_TABLE, FLOW_TABLE, JOBS_QUEUE_URL])?;
    let resources = Resources {
        core_table: config.get(CORE_TABLE),
        flow_table: config.get(FLOW_TABLE),
        jobs_queue: config.get(JOBS_QUEUE_URL),
        ..Resources::default()
    };
    let ports = AwsPorts::new(&sdk_config().await, resources, SystemClock, OsEntropy);
    let handle = async |event: LambdaEvent<_>| otpost_jobs::handle(&ports, event.payload).await;
    lambda_runtime::run(service_fn(handle)).await
}
