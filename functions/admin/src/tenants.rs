//! Tenants, for the platform's operator.

use otpost_domain::contact::DisplayName;
use otpost_domain::ids::TenantId;
use otpost_domain::tenant::Tenant;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::openapi::Document;
use otpost_edge::paging;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::admin;
use otpost_service::ports::{Ports, TenantStore as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

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
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewTenant = call.json()?;
    let _: TenantId = field("tenant", &new.tenant)?;
    let name: DisplayName = field("name", &new.name)?;
    let tenant = admin::create_tenant(ports, &call.caller_in(Some(&new.tenant))?, name).await?;
    json(201, &TenantView::from(&tenant))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let page = ports.store().tenants(&paging::requested(call)?).await?;
    let tenants = page.items.iter().map(TenantView::from).collect();
    json(200, &Tenants { tenants, next: paging::cursor(page.next.as_ref()) })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    const MISSING: &str = "There is no tenant of this id.";
    let id: TenantId = call.named("tenant", MISSING)?;
    let found = ports.store().tenant(&id).await?;
    let tenant = found.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &TenantView::from(&tenant))
}

pub(crate) fn describe(document: &mut Document) {
    let [create, list, get, ..] = &ROUTES;
    let made = document.operation(create).takes::<NewTenant>();
    made.answers::<TenantView>(201, "The new tenant.").fails(&[ProblemType::AlreadyExists]);
    let listed = document.operation(list).paged();
    listed.answers::<Tenants>(200, "A page of tenants.").fails(&[ProblemType::InvalidRequest]);
    document.operation(get).answers::<TenantView>(200, "The tenant.").fails(&[ProblemType::NotFound]);
}
