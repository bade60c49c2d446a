//! Tenants, for the platform's operator.

use otpost_domain::contact::DisplayName;
use otpost_domain::ids::TenantId;
use otpost_domain::tenant::Tenant;
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, json, no_content, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::admin;
use otpost_service::ports::{Ports, TenantStore as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

const MISSING: &str = "There is no tenant of this id.";

/// A tenant to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// Its id: 3 to 40 lower-case letters, digits or inner hyphens. Never changes.
    tenant: String,
    /// The name that its users see, 1 to 128 characters.
    name: String,
}

/// A tenant.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Tenant")]
struct TenantView {
    /// Its id.
    tenant: String,
    /// The name that its users see.
    name: String,
    /// When it was made (RFC 3339).
    created_at: String,
    /// Which of its data keys new secrets are sealed under: 1 for the first.
    data_key_version: u8,
    /// When it was deleted (RFC 3339), if it was. Its id is not given again.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
}

/// A page of tenants.
#[derive(JsonSchema, Serialize)]
struct Tenants {
    /// The tenants, by id.
    tenants: Vec<TenantView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.id.to_string(),
            name: tenant.name.as_str().to_owned(),
            created_at: tenant.created_at.rfc3339(),
            data_key_version: tenant.key_version,
            deleted_at: tenant.deleted_at.map(Timestamp::rfc3339),
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewTenant = call.json()?;
    let _: TenantId = field("tenant", &new.tenant)?;
    let name: DisplayName = field("name", &new.name)?;
    let caller = call.caller_in(Some(&new.tenant))?;
    let told = |tenant: &Tenant| reply(201, None, &TenantView::from(tenant));
    once(ports, call, &caller.tenant, &told, async |once| {
        admin::create_tenant(ports, &caller, name.clone(), once).await
    })
    .await
}

pub(crate) async fn rotate(ports: &impl Ports, call: &Call) -> Answer {
    let id: TenantId = call.named("tenant", MISSING)?;
    let caller = call.caller_in(Some(id.as_str()))?;
    let told = |tenant: &Tenant| reply(200, None, &TenantView::from(tenant));
    once(ports, call, &id, &told, async |once| admin::rotate_data_key(ports, &caller, once).await).await
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    let id: TenantId = call.named("tenant", MISSING)?;
    admin::delete_tenant(ports, &call.caller_in(Some(id.as_str()))?).await?;
    Ok(no_content())
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = ports.store().tenants(&list.requested(call)?).await?;
    let tenants = page.items.iter().map(TenantView::from).collect();
    json(200, &Tenants { tenants, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let id: TenantId = call.named("tenant", MISSING)?;
    let found = ports.store().tenant(&id).await?;
    let tenant = found.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &TenantView::from(&tenant))
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createTenant").takes::<NewTenant>().idempotent();
    made.answers::<TenantView>(201, "The new tenant.").fails(&[ProblemType::AlreadyExists]);
    let listed = document.named(&ROUTES, "listTenants").paged();
    listed.answers::<Tenants>(200, "A page of tenants.").fails(&[ProblemType::InvalidRequest]);
    document
        .named(&ROUTES, "getTenant")
        .answers::<TenantView>(200, "The tenant.")
        .fails(&[ProblemType::NotFound]);
    let rotated = document.named(&ROUTES, "rotateDataKey").idempotent();
    let rotated = rotated.answers::<TenantView>(200, "The tenant with its new key's version.");
    rotated.fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow, ProblemType::Busy]);
    let deleted = document.named(&ROUTES, "deleteTenant").answers_nothing(204, "The tenant is gone.");
    deleted.fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow]);
}
