//! Templates as they lie in the table: a short head by which one is chosen, and each version with its texts as JSON.

use otpost_domain::document::Value;
use otpost_domain::ids::TenantId;
use otpost_domain::template::{
    Brand, BrandDocument, Shape, TemplateDocument, TemplateHead, TemplateName, TemplateVersion,
};
use otpost_domain::time::Timestamp;
use otpost_service::document::{json_of, value_of};
use otpost_service::ports::{PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::bad;
use crate::dynamodb::keys;

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct TemplateHeadRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    template: String,
    ver: u64,
    /// Whether its e-mail form shows the authorization code; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_code: Option<bool>,
    /// The same of its SMS form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sms_code: Option<bool>,
    bytes: u64,
    created: u64,
    updated: u64,
}

impl TemplateHeadRow {
    pub(in crate::dynamodb) fn of(tenant: &TenantId, head: &TemplateHead) -> Self {
        Self {
            pk: keys::tenant(tenant),
            sk: keys::template(&head.name),
            template: head.name.to_string(),
            ver: head.version,
            email_code: code(head.email),
            sms_code: code(head.sms),
            bytes: head.bytes,
            created: head.created_at.millis(),
            updated: head.updated_at.millis(),
        }
    }
}

impl TryFrom<TemplateHeadRow> for TemplateHead {
    type Error = PortError;

    fn try_from(row: TemplateHeadRow) -> PortResult<Self> {
        Ok(Self {
            name: TemplateName::try_from(row.template.as_str()).map_err(bad("template"))?,
            version: row.ver,
            email: shape(row.email_code),
            sms: shape(row.sms_code),
            bytes: row.bytes,
            created_at: Timestamp::from_millis(row.created),
            updated_at: Timestamp::from_millis(row.updated),
        })
    }
}

const fn code(shape: Shape) -> Option<bool> {
    match shape {
        Shape::Missing => None,
        Shape::WithoutCode => Some(false),
        Shape::WithCode => Some(true),
    }
}

const fn shape(code: Option<bool>) -> Shape {
    match code {
        None => Shape::Missing,
        Some(false) => Shape::WithoutCode,
        Some(true) => Shape::WithCode,
    }
}

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct TemplateVersionRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    template: String,
    ver: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repeats: Option<u64>,
    by: String,
    at: u64,
    created: u64,
}

impl TemplateVersionRow {
    pub(in crate::dynamodb) fn of(tenant: &TenantId, version: &TemplateVersion) -> Self {
        Self {
            pk: keys::template_versions(tenant, &version.name),
            sk: keys::template_version(version.version),
            template: version.name.to_string(),
            ver: version.version,
            document: version.document.as_ref().map(|document| json_of(&document.write()).to_string()),
            repeats: version.repeats,
            by: version.saved_by.clone(),
            at: version.saved_at.millis(),
            created: version.created_at.millis(),
        }
    }
}

impl TryFrom<TemplateVersionRow> for TemplateVersion {
    type Error = PortError;

    fn try_from(row: TemplateVersionRow) -> PortResult<Self> {
        let document = row.document.as_deref().map(parsed).transpose()?;
        let document = document.as_ref().map(TemplateDocument::checked_before).transpose();
        Ok(Self {
            name: TemplateName::try_from(row.template.as_str()).map_err(bad("template"))?,
            version: row.ver,
            document: document.map_err(bad("template"))?,
            repeats: row.repeats,
            saved_by: row.by,
            saved_at: Timestamp::from_millis(row.at),
            created_at: Timestamp::from_millis(row.created),
        })
    }
}

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct BrandRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    document: String,
    ver: u64,
    updated: u64,
}

impl BrandRow {
    pub(in crate::dynamodb) fn of(tenant: &TenantId, brand: &Brand) -> Self {
        Self {
            pk: keys::tenant(tenant),
            sk: keys::BRAND.to_owned(),
            document: json_of(&brand.document.write()).to_string(),
            ver: brand.version,
            updated: brand.updated_at.millis(),
        }
    }
}

impl TryFrom<BrandRow> for Brand {
    type Error = PortError;

    fn try_from(row: BrandRow) -> PortResult<Self> {
        let document = BrandDocument::checked_before(&parsed(&row.document)?);
        Ok(Self { document, version: row.ver, updated_at: Timestamp::from_millis(row.updated) })
    }
}

fn parsed(document: &str) -> PortResult<Value> {
    serde_json::from_str(document).map(|json| value_of(&json)).map_err(bad("document"))
}
