//! API keys, for the platform's operator and a tenant's admins.

use otpost_domain::apikey::{ApiKey, Role};
use otpost_domain::contact::DisplayName;
use otpost_domain::ids::KeyId;
use otpost_domain::time::Timestamp;
use otpost_edge::auth::Authenticated;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::idempotency::{once, reply};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::admin::{self, CreateKeyError};
use otpost_service::ports::{KeyStore as _, Ports, TenantStore as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

/// A key to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// Whose key it will be; only with the platform key.
    tenant: Option<String>,
    /// What it may do: app, helpdesk, operator, admin or directory.
    role: String,
    /// What it is for, 1 to 128 characters.
    name: String,
}

/// A new key with its secret.
#[derive(JsonSchema, Serialize)]
struct CreatedKey {
    #[serde(flatten)]
    key: KeyView,
    /// The whole key, to be sent as `Authorization: Bearer …`. It is shown this once.
    secret: String,
}

/// A key without its secret.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Key")]
struct KeyView {
    /// Its public part.
    key_id: String,
    /// Whose key it is.
    tenant: String,
    /// What it may do.
    role: String,
    /// What it is for.
    name: String,
    /// When it was made (RFC 3339).
    created_at: String,
    /// When it was revoked (RFC 3339), if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
}

/// A page of keys.
#[derive(JsonSchema, Serialize)]
struct Keys {
    /// The keys, by id.
    keys: Vec<KeyView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&ApiKey> for KeyView {
    fn from(key: &ApiKey) -> Self {
        Self {
            key_id: key.id.to_string(),
            tenant: key.tenant().to_string(),
            role: key.role.as_str().to_owned(),
            name: key.name.as_str().to_owned(),
            created_at: key.created_at.rfc3339(),
            revoked_at: key.revoked_at.map(Timestamp::rfc3339),
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewKey = call.json()?;
    let role = Role::of_tenant(&new.role)
        .ok_or_else(|| Problem::field("role", "must be app, helpdesk, operator, admin or directory"))?;
    let name: DisplayName = field("name", &new.name)?;
    let caller = call.caller_in(new.tenant.as_deref())?;
    if ports.store().tenant(&caller.tenant).await?.is_none_or(|tenant| tenant.deleted_at.is_some()) {
        return Err(CreateKeyError::NoSuchTenant.into());
    }
    let told = |made: &admin::CreatedKey| {
        let secret = made.text.expose().to_owned();
        reply(201, None, &CreatedKey { key: KeyView::from(&made.key), secret })
    };
    once(ports, call, &caller.tenant, &told, async |once| {
        admin::create_key(ports, &caller, role, name.clone(), once).await
    })
    .await
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let caller = call.caller_in(call.query("tenant").as_deref())?;
    let list = Listing::of(call, caller.tenant.as_str())?;
    let page = ports.store().keys(&caller.tenant, &list.requested(call)?).await?;
    let keys = page.items.iter().map(KeyView::from).collect();
    json(200, &Keys { keys, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn revoke(ports: &impl Ports, call: &Call) -> Answer {
    let id: KeyId = call.named("key", "There is no key of this id.")?;
    let caller = match call.authenticated()? {
        Authenticated::Platform => call.caller_in(Some(id.tenant().as_str()))?,
        Authenticated::Tenant(_) => call.caller()?,
    };
    let revoked = admin::revoke_key(ports, &caller, &caller.tenant, &id).await?;
    json(200, &KeyView::from(&revoked))
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createKey").takes::<NewKey>().idempotent();
    made.answers::<CreatedKey>(201, "The new key with its secret.")
        .fails(&[ProblemType::NotFound, ProblemType::Busy]);
    let listed = document
        .named(&ROUTES, "listKeys")
        .query("tenant", false, "Whose keys; only with the platform key.")
        .paged();
    listed.answers::<Keys>(200, "A page of keys.").fails(&[ProblemType::InvalidRequest]);
    document
        .named(&ROUTES, "revokeKey")
        .answers::<KeyView>(200, "The revoked key.")
        .fails(&[ProblemType::NotFound]);
}
