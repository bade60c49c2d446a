//! Gateways as they lie in the table: the operator's document as JSON without its credentials, where these lie, and its
//! history.

use otpost_domain::gateway::{CredentialState, Destination, Gateway, GatewayDocument, Owner, Part};
use otpost_domain::ids::GatewayId;
use otpost_domain::time::Timestamp;
use otpost_service::document::{json_of, value_of};
use otpost_service::ports::{GatewaySecret, PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::{bad, known};
use crate::dynamodb::keys;

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct GatewayRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    gateway: String,
    /// A tenant, or `platform`.
    owner: String,
    document: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credentials: Option<HeldItem>,
    ver: u64,
    created: u64,
    updated: u64,
}

/// Where credentials lie, and what may be known of them.
#[derive(Deserialize, Serialize)]
struct HeldItem {
    reference: String,
    set: u64,
    parts: Vec<String>,
    /// For whom they were given, as a hash.
    destination: String,
}

impl From<&Gateway> for GatewayRow {
    fn from(gateway: &Gateway) -> Self {
        Self {
            pk: keys::owner(&gateway.owner),
            sk: keys::gateway(&gateway.id),
            gateway: gateway.id.to_string(),
            owner: gateway.owner.as_str().to_owned(),
            document: json_of(&gateway.configuration.write()).to_string(),
            credentials: gateway.credentials.as_ref().map(HeldItem::from),
            ver: gateway.version,
            created: gateway.created_at.millis(),
            updated: gateway.updated_at.millis(),
        }
    }
}

impl From<&CredentialState> for HeldItem {
    fn from(held: &CredentialState) -> Self {
        Self {
            reference: held.reference.clone(),
            set: held.set_at.millis(),
            parts: held.parts.iter().map(|part| part.as_str().to_owned()).collect(),
            destination: held.destination.as_str().to_owned(),
        }
    }
}

impl TryFrom<GatewayRow> for Gateway {
    type Error = PortError;

    fn try_from(row: GatewayRow) -> PortResult<Self> {
        let owner = Owner::stored(&row.owner).map_err(bad("gateway"))?;
        let json = serde_json::from_str(&row.document).map_err(bad("gateway"))?;
        let document = GatewayDocument::read(&value_of(&json), &owner).map_err(bad("gateway"))?;
        let id = GatewayId::try_from(row.gateway.as_str()).map_err(bad("gateway"))?;
        let (gateway, _) = Self::new(id, owner, document, Timestamp::from_millis(row.created));
        Ok(Self {
            credentials: row.credentials.map(CredentialState::try_from).transpose()?,
            version: row.ver,
            updated_at: Timestamp::from_millis(row.updated),
            ..gateway
        })
    }
}

impl TryFrom<HeldItem> for CredentialState {
    type Error = PortError;

    fn try_from(held: HeldItem) -> PortResult<Self> {
        let parts = held.parts.iter().map(|part| known("part of credentials", Part::parse(part)));
        Ok(Self {
            reference: held.reference,
            set_at: Timestamp::from_millis(held.set),
            parts: parts.collect::<PortResult<_>>()?,
            destination: Destination::stored(&held.destination),
        })
    }
}

/// A secret on record.
#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct SecretRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    owner: String,
    gateway: String,
    random: String,
    at: u64,
}

impl From<&GatewaySecret> for SecretRow {
    fn from(secret: &GatewaySecret) -> Self {
        Self {
            pk: keys::owner(&secret.owner),
            sk: keys::secret(secret),
            owner: secret.owner.as_str().to_owned(),
            gateway: secret.gateway.to_string(),
            random: secret.random.clone(),
            at: secret.at.millis(),
        }
    }
}

impl TryFrom<SecretRow> for GatewaySecret {
    type Error = PortError;

    fn try_from(row: SecretRow) -> PortResult<Self> {
        Ok(Self {
            owner: Owner::stored(&row.owner).map_err(bad("secret"))?,
            gateway: GatewayId::try_from(row.gateway.as_str()).map_err(bad("secret"))?,
            random: row.random,
            at: Timestamp::from_millis(row.at),
        })
    }
}
