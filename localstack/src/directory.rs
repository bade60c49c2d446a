//! A company's directory: it puts events of Otpost's contract onto the bus.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::aws::Aws;
use crate::host;

/// The account of everything on the emulator.
pub const ACCOUNT: &str = "000000000000";
/// How many events EventBridge takes at once.
const AT_ONCE: usize = 10;

/// A directory of one tenant.
#[derive(Clone, Debug)]
pub struct Directory {
    aws: Aws,
    bus: String,
    tenant: String,
    /// The `source` of its events.
    pub source: String,
}

/// An event to be put.
#[derive(Clone, Debug)]
pub struct Telling {
    detail_type: &'static str,
    version: u64,
    data: Value,
}

impl Telling {
    /// The person is like this; their address is their name's, in the domain of `tenant`.
    #[must_use]
    pub fn person(tenant: &str, name: &str, version: u64, active: bool, groups: &[&str]) -> Self {
        let data = json!({
            "externalId": format!("id-of-{name}"),
            "userName": name,
            "active": active,
            "displayName": format!("{name} of {tenant}"),
            "emails": [{ "value": format!("{name}@{tenant}.example.org"), "primary": true }],
            "groups": groups,
        });
        Self { detail_type: "directory.user.upserted.v1", version, data }
    }

    /// The person must not get in.
    #[must_use]
    pub fn disabled(name: &str, version: u64) -> Self {
        let data = json!({ "externalId": format!("id-of-{name}") });
        Self { detail_type: "directory.user.disabled.v1", version, data }
    }

    /// The person is gone.
    #[must_use]
    pub fn deleted(name: &str, version: u64) -> Self {
        let data = json!({ "externalId": format!("id-of-{name}") });
        Self { detail_type: "directory.user.deleted.v1", version, data }
    }
}

impl Directory {
    /// A directory of `tenant` that puts its events onto `bus`.
    #[must_use]
    pub fn new(emulator: &str, bus: &str, tenant: &str) -> Self {
        let source = format!("otpost.directory.{tenant}");
        Self { aws: Aws::at(emulator), bus: bus.to_owned(), tenant: tenant.to_owned(), source }
    }

    /// The same directory, posing as another source.
    #[must_use]
    pub fn posing_as(self, source: &str) -> Self {
        Self { source: source.to_owned(), ..self }
    }

    /// Puts events onto the bus, ten to a call.
    ///
    /// # Errors
    /// The bus does not take them all.
    pub async fn tell(&self, tellings: &[Telling]) -> Result<()> {
        for some in tellings.chunks(AT_ONCE) {
            let entries: Vec<Value> = some.iter().map(|telling| self.entry(telling)).collect();
            let answer =
                self.aws.call("events", "AWSEvents.PutEvents", &json!({ "Entries": entries })).await?;
            let failed = answer.get("FailedEntryCount").and_then(Value::as_u64);
            ensure!(failed == Some(0), "the bus does not take all events: {answer}");
        }
        Ok(())
    }

    fn entry(&self, telling: &Telling) -> Value {
        let metadata = json!({
            "eventId": format!("{}-{}", self.tenant, telling.version),
            "tenantId": self.tenant,
            "occurredAt": "2027-01-15T08:00:00Z",
            "source": "ldap",
            "version": telling.version,
            "correlationId": host::unix_time().to_string(),
        });
        let detail = json!({ "metadata": metadata, "data": telling.data });
        json!({
            "EventBusName": self.bus,
            "Source": self.source,
            "DetailType": telling.detail_type,
            "Detail": detail.to_string(),
        })
    }
}
