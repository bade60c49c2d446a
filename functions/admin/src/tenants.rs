//! Tenants, for the platform's operator.

use otpost_domain::contact::DisplayName;
use otpost_domain::ids::TenantId;
use otpost_domain::job::JobState;
use otpost_domain::tenant::{Listed, Tenant, Tombstone};
use otpost_domain::time::{ClockOffset, Timestamp};
use otpost_edge::http::{Answer, Call, field, json, no_content, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::{admin, erasure};
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
    /// Whether it is for tests only: codes that are sent to its users can be read through the API. It never changes.
    #[serde(default)]
    test: bool,
    /// By how many seconds the clock runs ahead, or behind where it is negative, by which its codes are judged: at most 366 days
    /// either way. For test tenants only. It never changes.
    #[serde(default)]
    clock_offset_seconds: i64,
}

/// A tenant, or what is left of a deleted one: its id, `deleted_at` and `erasure`.
#[derive(Default, JsonSchema, Serialize)]
#[schemars(rename = "Tenant")]
struct TenantView {
    /// Its id.
    tenant: String,
    /// The name that its users see.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether it is for tests only: codes that are sent to its users can be read through the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<bool>,
    /// By how many seconds the clock runs ahead by which its codes are judged, if it was made with such a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_seconds: Option<i32>,
    /// When it was made (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    /// Which of its data keys new secrets are sealed under: 1 for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_key_version: Option<u8>,
    /// When it was deleted (RFC 3339), if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<String>,
    /// How far the erasure of its rows is, if it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    erasure: Option<ErasureView>,
}

/// How far the erasure of a deleted tenant is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Erasure")]
struct ErasureView {
    /// running or done.
    state: &'static str,
    /// Which round, of two: the second finds what was written while the first went on.
    round: u8,
    /// The rows of all tenants that were looked at so far.
    rows_seen: u64,
    /// The tenant's rows that were deleted so far. What a step deletes that is cut short is not counted.
    rows_deleted: u64,
    /// When its last step was done (RFC 3339).
    updated_at: String,
    /// When the last row was gone (RFC 3339), if it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<String>,
    /// From when on the id may be given again and nothing tells of the tenant (RFC 3339), once the erasure is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_free_at: Option<String>,
}

/// A page of tenants.
#[derive(JsonSchema, Serialize)]
struct Tenants {
    /// The tenants, and what is left of deleted ones, by id.
    tenants: Vec<TenantView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Tenant> for TenantView {
    fn from(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.id.to_string(),
            name: Some(tenant.name.as_str().to_owned()),
            test: tenant.test.then_some(true),
            clock_offset_seconds: Some(tenant.clock.seconds()).filter(|seconds| *seconds != 0),
            created_at: Some(tenant.created_at.rfc3339()),
            data_key_version: Some(tenant.key_version),
            ..Self::default()
        }
    }
}

impl From<&Tombstone> for TenantView {
    fn from(left: &Tombstone) -> Self {
        let state = if left.erased_at.is_some() { JobState::Done } else { JobState::Running };
        let erasure = ErasureView {
            state: state.as_str(),
            round: left.round,
            rows_seen: left.rows_seen,
            rows_deleted: left.rows_deleted,
            updated_at: left.updated_at.rfc3339(),
            erased_at: left.erased_at.map(Timestamp::rfc3339),
            id_free_at: left.free_at().map(Timestamp::rfc3339),
        };
        Self {
            tenant: left.id.to_string(),
            deleted_at: Some(left.deleted_at.rfc3339()),
            erasure: Some(erasure),
            ..Self::default()
        }
    }
}

impl From<&Listed> for TenantView {
    fn from(listed: &Listed) -> Self {
        match listed {
            Listed::Tenant(tenant) => tenant.into(),
            Listed::Deleted(left) => left.into(),
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewTenant = call.json()?;
    let _: TenantId = field("tenant", &new.tenant)?;
    let name: DisplayName = field("name", &new.name)?;
    let clock = ClockOffset::try_from(new.clock_offset_seconds)
        .map_err(|fault| Problem::field("clock_offset_seconds", fault))?;
    if clock != ClockOffset::NONE && !new.test {
        return Err(Problem::field("clock_offset_seconds", "is for test tenants only"));
    }
    let caller = call.caller_in(Some(&new.tenant))?;
    let told = |tenant: &Tenant| reply(201, None, &TenantView::from(tenant));
    once(ports, call, &caller.tenant, &told, async |once| {
        let new = admin::NewTenant { name: name.clone(), test: new.test, clock };
        admin::create_tenant(ports, &caller, new, once).await
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
    erasure::delete_tenant(ports, &call.caller_in(Some(id.as_str()))?).await?;
    Ok(no_content())
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = admin::tenants(ports, &list.requested(call)?).await?;
    let tenants = page.items.iter().map(TenantView::from).collect();
    json(200, &Tenants { tenants, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let id: TenantId = call.named("tenant", MISSING)?;
    let tenant = admin::tenant(ports, &id).await?;
    let tenant = tenant.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
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
    let deleted = document.named(&ROUTES, "deleteTenant");
    let deleted = deleted.answers_nothing(204, "The tenant is gone, and its rows go.");
    deleted.fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::ids::JobId;
    use otpost_domain::job::{Job, JobKind, Stepped};

    #[test]
    fn a_deleted_tenant_is_its_id_and_its_erasure() {
        let now = Timestamp::from_seconds(1_800_000_000);
        let tenant = TenantId::try_from("acme").unwrap();
        let job = Job::new(JobId::new(now, [1; 10]), tenant, JobKind::Erase, now);
        let job = job.stepped(Stepped { seen: 9, changed: 4, next: None }, now);
        let shown = |job: &Job| serde_json::to_value(TenantView::from(&Tombstone::from(job))).unwrap();
        let running = serde_json::json!({
            "tenant": "acme", "deleted_at": "2027-01-15T08:00:00Z",
            "erasure": {
                "state": "running", "round": 2, "rows_seen": 9, "rows_deleted": 4,
                "updated_at": "2027-01-15T08:00:00Z",
            },
        });
        assert_eq!(shown(&job), running);
        let done = shown(&job.stepped(Stepped::default(), now));
        assert_eq!(done["erasure"]["state"], "done");
        assert_eq!(done["erasure"]["erased_at"], "2027-01-15T08:00:00Z");
        assert_eq!(done["erasure"]["id_free_at"], "2027-02-14T08:00:00Z");
    }
}
