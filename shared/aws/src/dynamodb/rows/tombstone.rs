//! What is left of deleted tenants, as it lies in the list of tenants.

use otpost_domain::ids::{JobId, TenantId};
use otpost_domain::tenant::{Listed, Tenant, Tombstone};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::{TenantRow, bad};
use crate::dynamodb::keys;

/// A row of the list of tenants.
#[derive(Deserialize)]
#[serde(untagged)]
pub(in crate::dynamodb) enum ListedRow {
    Deleted(TombstoneRow),
    Tenant(TenantRow),
}

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct TombstoneRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    id: String,
    deleted: u64,
    job: String,
    round: u8,
    seen: u64,
    gone: u64,
    updated: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    erased: Option<u64>,
    /// Set with the end of the erasure, in seconds: the id is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
}

impl From<&Tombstone> for TombstoneRow {
    fn from(left: &Tombstone) -> Self {
        Self {
            pk: keys::TENANTS.to_owned(),
            sk: left.id.to_string(),
            id: left.id.to_string(),
            deleted: left.deleted_at.millis(),
            job: left.job.to_string(),
            round: left.round,
            seen: left.rows_seen,
            gone: left.rows_deleted,
            updated: left.updated_at.millis(),
            erased: left.erased_at.map(Timestamp::millis),
            ttl: left.free_at().map(Timestamp::seconds),
        }
    }
}

impl TryFrom<TombstoneRow> for Tombstone {
    type Error = PortError;

    fn try_from(row: TombstoneRow) -> PortResult<Self> {
        Ok(Self {
            id: TenantId::try_from(row.id.as_str()).map_err(bad("tenant"))?,
            deleted_at: Timestamp::from_millis(row.deleted),
            job: JobId::try_from(row.job.as_str()).map_err(bad("job"))?,
            round: row.round,
            rows_seen: row.seen,
            rows_deleted: row.gone,
            updated_at: Timestamp::from_millis(row.updated),
            erased_at: row.erased.map(Timestamp::from_millis),
        })
    }
}

impl TryFrom<ListedRow> for Listed {
    type Error = PortError;

    fn try_from(row: ListedRow) -> PortResult<Self> {
        match row {
            ListedRow::Deleted(row) => Tombstone::try_from(row).map(Self::Deleted),
            ListedRow::Tenant(row) => Tenant::try_from(row).map(Self::Tenant),
        }
    }
}
