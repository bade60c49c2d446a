//! Gateways' health, and the suppression list, as rows.

use otpost_domain::circuit::{HEALTH_RETENTION, Health, HealthKey};
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::suppression::{Cause, Suppression};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::{bad, keys, known};

/// A gateway that does not work; one that does has no row.
#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct HealthRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tripped: u64,
    turn: u32,
    ttl: u64,
}

impl HealthRow {
    pub(in crate::dynamodb) fn tripped(gateway: &HealthKey, at: Timestamp) -> Self {
        Self {
            pk: keys::health(gateway),
            sk: keys::HEALTH.to_owned(),
            tripped: at.millis(),
            turn: 0,
            ttl: at.plus(HEALTH_RETENTION).seconds(),
        }
    }

    pub(in crate::dynamodb) fn pk(&self) -> &str {
        &self.pk
    }
}

impl From<&HealthRow> for Health {
    fn from(row: &HealthRow) -> Self {
        Self { tripped_at: Timestamp::from_millis(row.tripped), turn: row.turn }
    }
}

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct SuppressionRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tenant: String,
    address: String,
    cause: String,
    why: String,
    message: String,
    at: u64,
}

impl From<&Suppression> for SuppressionRow {
    fn from(suppression: &Suppression) -> Self {
        Self {
            pk: keys::tenant(&suppression.tenant),
            sk: keys::suppression(&suppression.key()),
            tenant: suppression.tenant.to_string(),
            address: suppression.address.expose().to_owned(),
            cause: suppression.cause.as_str().to_owned(),
            why: suppression.why.clone(),
            message: suppression.message.to_string(),
            at: suppression.at.millis(),
        }
    }
}

impl TryFrom<SuppressionRow> for Suppression {
    type Error = PortError;

    fn try_from(row: SuppressionRow) -> PortResult<Self> {
        Ok(Self {
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            address: EmailAddress::try_from(row.address.as_str()).map_err(bad("address"))?,
            cause: known("cause", Cause::parse(&row.cause))?,
            why: row.why,
            message: MessageId::try_from(row.message.as_str()).map_err(bad("message"))?,
            at: Timestamp::from_millis(row.at),
        })
    }
}
