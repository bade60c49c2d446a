//! Who may call what, and that tenants stay apart.

use libtest_mimic::Trial;
use otpost_domain::apikey::Role;
use otpost_edge::route::Access;
use otpost_tests::openapi;
use otpost_tests::tenant::{Tenant, expect, expect_problem, text};
use reqwest::Method;
use serde_json::json;

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("api::every_route_with_every_role", every_route_with_every_role),
        shared("api::another_tenants_keys_find_nothing", another_tenants_keys_find_nothing),
        shared(
            "api::keys_are_listed_without_secrets_and_revoked",
            keys_are_listed_without_secrets_and_revoked,
        ),
        shared("api::keys_expire_and_are_rotated", keys_expire_and_are_rotated),
        shared("api::users_are_changed_and_deleted", users_are_changed_and_deleted),
        shared("api::tenants_are_listed_in_pages", tenants_are_listed_in_pages),
    ]
}

/// The matrix in the routes' own table, walked over the deployed API: a role that is named gets past the door, one
/// that is not is turned away as forbidden. Behind the door a key may lack its mark.
async fn every_route_with_every_role() {
    let tenant = Tenant::new().await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    for (_, route) in openapi::routes() {
        let Access::Roles(allowed) = route.access else {
            continue;
        };
        let path = route
            .path
            .replace("{user}", "nobody")
            .replace("{serial}", "OTP000000000000")
            .replace("{tenant}", "nobody")
            .replace("{key}", "nobody")
            .replace("{policy}", "nobody")
            .replace("{gateway}", "nobody")
            .replace("{template}", "nobody")
            .replace("{version}", "nobody")
            .replace("{job}", "nobody")
            .replace("{directory}", "nobody")
            .replace("{suppression}", "nobody")
            .replace("{message}", "nobody");
        let method = Method::from_bytes(route.method.as_bytes()).expect("a method");
        let roles = [(Role::Platform, platform.as_str())];
        let roles = roles.into_iter().chain(Role::OF_TENANTS.map(|role| (role, tenant.key(role.as_str()))));
        for (role, key) in roles {
            let body = json!({});
            let body = (method != Method::GET && method != Method::DELETE).then_some(&body);
            let answer = tenant.api.send(method.clone(), &path, key, body).await.expect("an answer");
            let told = format!("{} {} as {}: {}", route.method, route.path, role.as_str(), answer.body);
            assert_ne!(answer.status, 401, "{told}");
            let turned_away = answer.body["type"] == "urn:otpost:problem:forbidden";
            assert_eq!(turned_away, !allowed.contains(&role), "{told}");
            assert!(!turned_away || answer.status == 403, "{told}");
            assert!(answer.status.as_u16() < 500, "{told}");
        }
    }
}

async fn another_tenants_keys_find_nothing() {
    let (mine, other) = (Tenant::new().await, Tenant::new().await);
    let serial = mine.provisioned("jane").await;
    let message = mine.pushed(&serial).await;
    for path in [
        "/v1/users/jane".to_owned(),
        "/v1/users/jane/tokens".to_owned(),
        format!("/v1/tokens/{serial}"),
        format!("/v1/messages/{message}"),
    ] {
        expect(&mine.get(&path).await, 200);
        expect_problem(&other.get(&path).await, 404, "not-found");
    }
    for list in ["/v1/messages?user=jane", "/v1/messages?from=2020-01-01T00:00:00Z"] {
        assert_eq!(other.every("messages", list).await, Vec::<serde_json::Value>::new(), "{list}");
    }
    let status = format!("/v1/messages/{message}/status");
    expect(&mine.api.get(&status, &mine.marked_key().await).await.expect("an answer"), 200);
    let theirs = other.api.get(&status, &other.marked_key().await).await.expect("an answer");
    expect_problem(&theirs, 404, "not-found");
    let push = other.post(&format!("/v1/tokens/{serial}/push"), &json!({ "channel": "email" })).await;
    expect_problem(&push, 404, "not-found");
    let keys = mine.api.get("/v1/keys", mine.key("admin")).await.expect("an answer");
    let key = text(&keys.body["keys"][0], "key_id");
    let path = format!("/v1/keys/{key}");
    let revoke = other.api.send(Method::DELETE, &path, other.key("admin"), None).await.expect("an answer");
    expect_problem(&revoke, 404, "not-found");
    let order = json!({ "tenant": mine.id, "role": "admin", "name": "theirs" });
    let make = other.api.post("/v1/keys", other.key("admin"), &order).await.expect("an answer");
    expect_problem(&make, 403, "forbidden");
}

async fn keys_are_listed_without_secrets_and_revoked() {
    let tenant = Tenant::new().await;
    let admin = tenant.key("admin");
    let made = tenant
        .api
        .post("/v1/keys", admin, &json!({ "role": "app", "name": "shop" }))
        .await
        .expect("an answer");
    expect(&made, 201);
    let (id, secret) = (text(&made.body, "key_id"), text(&made.body, "secret"));
    let mut listed = Vec::new();
    let mut path = "/v1/keys?limit=4".to_owned();
    loop {
        let page = tenant.api.get(&path, admin).await.expect("an answer");
        expect(&page, 200);
        assert!(!page.body.to_string().contains("secret") && !page.body.to_string().contains("otp_"));
        listed.extend(page.body["keys"].as_array().expect("a list").iter().map(|key| text(key, "key_id")));
        let Some(next) = page.body.get("next").and_then(|next| next.as_str()) else {
            break;
        };
        path = format!("/v1/keys?limit=4&cursor={next}");
    }
    assert_eq!(listed.len(), 6);
    assert!(listed.contains(&id) && listed.is_sorted());
    let path = format!("/v1/keys/{id}");
    let revoked = tenant.api.send(Method::DELETE, &path, admin, None).await.expect("an answer");
    expect(&revoked, 200);
    assert!(revoked.body.get("revoked_at").is_some());
    // This key was never used before, so no function trusts it yet.
    let body = json!({ "user": "jane", "code": "123456" });
    let refused = tenant.api.post("/v1/verify", &secret, &body).await.expect("an answer");
    expect_problem(&refused, 401, "unauthorized");
}

async fn keys_expire_and_are_rotated() {
    let tenant = Tenant::new().await;
    let admin = tenant.key("admin");
    let order_key =
        async |order: serde_json::Value| tenant.api.post("/v1/keys", admin, &order).await.expect("an answer");
    let made = order_key(json!({ "role": "app", "name": "shop", "after_first_factor": true, "expires_at": "2030-01-01T00:00:00Z" })).await;
    expect(&made, 201);
    assert_eq!(
        (&made.body["after_first_factor"], &made.body["expires_at"]),
        (&json!(true), &json!("2030-01-01T00:00:00Z"))
    );
    for (order, field) in [
        (json!({ "role": "app", "name": "x", "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "role": "app", "name": "x", "expires_at": "2199-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "role": "app", "name": "x", "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "role": "admin", "name": "x", "after_first_factor": true }), "after_first_factor"),
    ] {
        let refused = order_key(order).await;
        expect_problem(&refused, 400, "invalid-request");
        assert_eq!(refused.body["field"], field);
    }
    let path = format!("/v1/keys/{}/rotate", text(&made.body, "key_id"));
    let rotate = async |overlap: u64| {
        tenant.api.post(&path, admin, &json!({ "overlap_seconds": overlap })).await.expect("an answer")
    };
    expect_problem(&rotate(700_000).await, 400, "invalid-request");
    let second = rotate(0).await;
    expect(&second, 201);
    assert_eq!((&second.body["name"], &second.body["after_first_factor"]), (&json!("shop"), &json!(true)));
    expect_problem(&rotate(0).await, 409, "not-allowed-now");
    let check = json!({ "user": "jane", "code": "123456" });
    let old = tenant.api.post("/v1/verify", &text(&made.body, "secret"), &check).await.expect("an answer");
    expect_problem(&old, 401, "unauthorized");
    let new = tenant.api.post("/v1/verify", &text(&second.body, "secret"), &check).await.expect("an answer");
    expect_problem(&new, 422, "invalid-code");
    let other = Tenant::new().await;
    let theirs = other.api.post(&path, other.key("admin"), &json!({})).await.expect("an answer");
    expect_problem(&theirs, 404, "not-found");
}

async fn users_are_changed_and_deleted() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let operator = tenant.key("operator");
    let path = "/v1/users/jane";
    let off = json!({ "active": false, "display_name": null });
    let changed = tenant.api.send(Method::PATCH, path, operator, Some(&off)).await.expect("an answer");
    expect(&changed, 200);
    assert_eq!((&changed.body["active"], changed.body.get("display_name")), (&json!(false), None));
    expect_problem(&tenant.verify("jane", &enrolled.app.next_code()).await, 422, "invalid-code");
    let on = json!({ "active": true });
    expect(&tenant.api.send(Method::PATCH, path, operator, Some(&on)).await.expect("an answer"), 200);
    expect(&tenant.verify("jane", &enrolled.app.next_code()).await, 200);
    let gone = tenant.api.send(Method::DELETE, path, operator, None).await.expect("an answer");
    expect(&gone, 204);
    expect_problem(&tenant.get(path).await, 404, "not-found");
    expect_problem(&tenant.get(&format!("/v1/tokens/{}", enrolled.serial)).await, 404, "not-found");
    expect_problem(&tenant.verify("jane", &enrolled.app.next_code()).await, 422, "invalid-code");
}

async fn tenants_are_listed_in_pages() {
    let tenant = Tenant::new().await;
    let other = Tenant::new().await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let mut seen = Vec::new();
    let mut path = "/v1/tenants?limit=1".to_owned();
    loop {
        let page = tenant.api.get(&path, &platform).await.expect("an answer");
        expect(&page, 200);
        let tenants = page.body["tenants"].as_array().expect("a list");
        assert_eq!(tenants.len(), 1);
        seen.extend(tenants.iter().map(|tenant| text(tenant, "tenant")));
        let Some(next) = page.body.get("next").and_then(|next| next.as_str()) else {
            break;
        };
        path = format!("/v1/tenants?limit=1&cursor={next}");
    }
    assert!(seen.is_sorted() && seen.contains(&tenant.id) && seen.contains(&other.id), "{seen:?}");
}
