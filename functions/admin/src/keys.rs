//! API keys, for the platform's operator and a tenant's admins.

use std::time::Duration;

use otpost_domain::apikey::{ApiKey, LONGEST_LIFE, LONGEST_OVERLAP, Role};
use otpost_domain::contact::DisplayName;
use otpost_domain::ids::KeyId;
use otpost_domain::time::Timestamp;
use otpost_edge::auth::Authenticated;
use otpost_edge::http::{Answer, Call, field, json, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::admin;
use otpost_service::caller::Caller;
use otpost_service::once::Reply;
use otpost_service::ports::{Clock as _, KeyStore as _, PortResult, Ports};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

const MISSING: &str = "There is no key of this id.";

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
    /// When it ends by itself (RFC 3339), at most ten years ahead; left out, it lives until it is revoked.
    expires_at: Option<String>,
    /// Whether its caller asks only for people who have shown a first factor already, such as a password. Only an app's
    /// key may be marked so; only such a key will be told what helps a person who waits for a code.
    #[serde(default)]
    after_first_factor: bool,
}

/// How a key is replaced.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// For how many seconds the old key still works: 0 to 604800 (a week); 86400 (a day) unless given.
    overlap_seconds: Option<u64>,
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
    /// When it ends, or has ended, by itself (RFC 3339), if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// Whether its caller asks only for people who have shown a first factor.
    after_first_factor: bool,
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
            expires_at: key.expires_at.map(Timestamp::rfc3339),
            after_first_factor: key.after_first_factor,
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewKey = call.json()?;
    let role = Role::of_tenant(&new.role)
        .ok_or_else(|| Problem::field("role", "must be app, helpdesk, operator, admin or directory"))?;
    let name: DisplayName = field("name", &new.name)?;
    let now = ports.clock().now();
    let expires_at = match new.expires_at.as_deref() {
        None => None,
        Some(text) => {
            let end = Timestamp::parse_rfc3339(text);
            let end = end.filter(|end| now < *end && *end <= now.plus(LONGEST_LIFE));
            let told = "must be an RFC 3339 time in the future, at most ten years ahead";
            Some(end.ok_or_else(|| Problem::field("expires_at", told))?)
        }
    };
    if new.after_first_factor && role != Role::App {
        return Err(Problem::field("after_first_factor", "is for keys of the role app only"));
    }
    let key = admin::NewKey { role, name, expires_at, after_first_factor: new.after_first_factor };
    let caller = call.caller_in(new.tenant.as_deref())?;
    once(ports, call, &caller.tenant, &shown, async |once| {
        admin::create_key(ports, &caller, &key, once).await
    })
    .await
}

fn shown(made: &admin::CreatedKey) -> PortResult<Reply> {
    let secret = made.text.expose().to_owned();
    reply(201, None, &CreatedKey { key: KeyView::from(&made.key), secret })
}

pub(crate) async fn rotate(ports: &impl Ports, call: &Call) -> Answer {
    let id: KeyId = call.named("key", MISSING)?;
    let rotation: Rotation = call.json()?;
    let overlap = Duration::from_secs(rotation.overlap_seconds.unwrap_or(86_400));
    if overlap > LONGEST_OVERLAP {
        return Err(Problem::field("overlap_seconds", "must be 0 to 604800, which is a week"));
    }
    let caller = in_tenant_of(call, &id)?;
    once(ports, call, &caller.tenant, &shown, async |once| {
        admin::rotate_key(ports, &caller, &id, overlap, once).await
    })
    .await
}

/// On whose behalf a key is changed: the platform's in the key's tenant, a tenant's in its own.
fn in_tenant_of(call: &Call, id: &KeyId) -> Result<Caller, Problem> {
    match call.authenticated()? {
        Authenticated::Platform => call.caller_in(Some(id.tenant().as_str())),
        Authenticated::Tenant(_) => call.caller(),
    }
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let caller = call.caller_in(call.query("tenant").as_deref())?;
    let list = Listing::of(call, caller.tenant.as_str())?;
    let page = ports.store().keys(&caller.tenant, &list.requested(call)?).await?;
    let keys = page.items.iter().map(KeyView::from).collect();
    json(200, &Keys { keys, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn revoke(ports: &impl Ports, call: &Call) -> Answer {
    let id: KeyId = call.named("key", MISSING)?;
    let caller = in_tenant_of(call, &id)?;
    let revoked = admin::revoke_key(ports, &caller, &caller.tenant, &id).await?;
    json(200, &KeyView::from(&revoked))
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createKey").takes::<NewKey>().idempotent();
    made.answers::<CreatedKey>(201, "The new key with its secret.")
        .fails(&[ProblemType::NotFound, ProblemType::Busy]);
    let rotated = document.named(&ROUTES, "rotateKey").takes::<Rotation>().idempotent();
    rotated.answers::<CreatedKey>(201, "The key in its place, with its secret.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::Busy,
    ]);
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
