//! What directories tell of people, event by event.

use otpost_domain::directory::Directory;
use otpost_domain::ids::DirectoryId;
use otpost_edge::batch::Processed;
use otpost_edge::directory::{Envelope, Reading, read};
use otpost_edge::telemetry::chain;
use otpost_service::directories::{DirectoryError, FollowError, completed, directory, follow};
use otpost_service::ports::Ports;
use serde_json::Value;

/// Follows an event of EventBridge. One that cannot be followed comes again, and ends among the dead letters, where an
/// alarm tells of it: an event that came too early is followed then, a wrong or a foreign one is looked at by somebody.
pub(crate) async fn told(ports: &impl Ports, event: &Value) -> Processed {
    let envelope = match Envelope::of(event) {
        Ok(envelope) => envelope,
        Err(refused) => {
            tracing::error!(faults = %refused.faults(), "an event does not read");
            return Processed::Again;
        }
    };
    let id = DirectoryId::of(&envelope.account, &envelope.source);
    let directory = match directory(ports, &id).await {
        Ok(directory) => directory,
        Err(DirectoryError::Port(error)) => {
            tracing::error!(event.id = envelope.id, error = chain(&error), "not followed yet");
            return Processed::Again;
        }
        Err(_) => {
            tracing::error!(
                event.id = envelope.id,
                event.account = envelope.account,
                "an event of an account and source that nobody has registered"
            );
            return Processed::Again;
        }
    };
    let claimed = envelope.claimed_tenant();
    if claimed.is_some_and(|claimed| claimed != directory.tenant.as_str()) {
        tracing::error!(event.id = envelope.id, directory.id = %id, "an event names another tenant than its source's");
        return Processed::Again;
    }
    match read(&envelope, directory.kind) {
        Ok(reading) => followed(ports, &directory, &envelope.id, reading).await,
        Err(refused) => {
            let faults = refused.faults();
            tracing::error!(event.id = envelope.id, directory.id = %id, faults = %faults, "an event is refused");
            Processed::Again
        }
    }
}

async fn followed(ports: &impl Ports, directory: &Directory, event: &str, reading: Reading) -> Processed {
    let result = match reading {
        Reading::Change(change) => {
            follow(ports, directory, &change).await.map(|followed| format!("{followed:?}"))
        }
        Reading::SyncCompleted(run) => {
            let completed = completed(ports, directory, &run).await;
            completed.map(|()| "SyncCompleted".to_owned()).map_err(FollowError::from)
        }
        Reading::Nothing { reason } => Ok(format!("Nothing: {reason}")),
    };
    match result {
        Ok(followed) => {
            tracing::info!(event.id = event, directory.id = %directory.id, "told: {followed}");
            Processed::Done
        }
        Err(error) => {
            let error = chain(&error);
            tracing::error!(event.id = event, directory.id = %directory.id, error, "not followed yet");
            Processed::Again
        }
    }
}
