//! Policies as they lie in the table: the operator's document as JSON, and its history.

use otpost_domain::ids::{PolicyId, TenantId};
use otpost_domain::policy::{Policy, PolicyDocument};
use otpost_domain::time::Timestamp;
use otpost_service::document::{json_of, value_of};
use otpost_service::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::bad;
use crate::dynamodb::keys;

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct PolicyRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    policy: String,
    document: String,
    ver: u64,
    created: u64,
    updated: u64,
}

impl PolicyRow {
    pub(in crate::dynamodb) fn of(tenant: &TenantId, policy: &Policy) -> Self {
        Self {
            pk: keys::tenant(tenant),
            sk: keys::policy(&policy.id),
            policy: policy.id.to_string(),
            document: json_of(&policy.document().write()).to_string(),
            ver: policy.version,
            created: policy.created_at.millis(),
            updated: policy.updated_at.millis(),
        }
    }
}

impl TryFrom<PolicyRow> for Policy {
    type Error = PortError;

    fn try_from(row: PolicyRow) -> PortResult<Self> {
        let json = serde_json::from_str(&row.document).map_err(bad("policy"))?;
        let document = PolicyDocument::read(&value_of(&json)).map_err(bad("policy"))?;
        let id = PolicyId::try_from(row.policy.as_str()).map_err(bad("policy"))?;
        let policy = Self::new(id, document, Timestamp::from_millis(row.created));
        Ok(Self { version: row.ver, updated_at: Timestamp::from_millis(row.updated), ..policy })
    }
}
