//! What directories tell, over the deployed bus, rule, queue and function.

use libtest_mimic::Trial;
use otpost_local::directory::{ACCOUNT, Directory, Telling};
use otpost_tests::tenant::{Tenant, expect, expect_problem, pause};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("directory::people_come_and_go_by_themselves", people_come_and_go_by_themselves),
        shared("directory::order_and_repetition_do_not_count", order_and_repetition_do_not_count),
        shared("directory::a_foreign_event_changes_nothing", a_foreign_event_changes_nothing),
        shared("directory::too_many_at_once_wait_for_a_release", too_many_at_once_wait_for_a_release),
    ]
}

async fn registered(tenant: &Tenant) -> Directory {
    let endpoints = tenant.world.endpoints();
    let bus = endpoints.outputs.get("DirectoryBusName").expect("the bus");
    let directory = Directory::new(&endpoints.emulator, bus, &tenant.id);
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let source =
        json!({ "tenant": tenant.id, "account": ACCOUNT, "source": directory.source, "kind": "contract" });
    let made = tenant.api.post("/v1/directories", &platform, &source).await.expect("an answer");
    expect(&made, 201);
    expect_problem(
        &tenant.api.post("/v1/directories", &platform, &source).await.expect("an answer"),
        409,
        "already-exists",
    );
    directory
}

async fn policy(tenant: &Tenant, id: &str, body: &Value) {
    let path = format!("/v1/policies/{id}");
    let put = tenant.api.send(Method::PUT, &path, tenant.key("admin"), Some(body)).await.expect("an answer");
    expect(&put, 201);
}

async fn provisioning(tenant: &Tenant) {
    let settings =
        json!({ "provision_tokens": true, "provision_clients": true, "authorization_code": "none" });
    policy(tenant, "staff", &json!({ "applies_to": { "groups": ["Staff"] }, "settings": settings })).await;
}

/// Waits for a user to be so.
async fn until(tenant: &Tenant, user: &str, so: impl Fn(u16, &Value) -> bool) -> Value {
    let path = format!("/v1/users/{user}");
    for _ in 0..120 {
        let answer = tenant.get(&path).await;
        if so(answer.status.as_u16(), &answer.body) {
            return answer.body;
        }
        pause(250).await;
    }
    panic!("{user} never came to be so: {}", tenant.get(&path).await.body);
}

async fn tokens(tenant: &Tenant, user: &str) -> Vec<String> {
    let answer = tenant.get(&format!("/v1/users/{user}/tokens")).await;
    expect(&answer, 200);
    let tokens = answer.body["tokens"].as_array().expect("a list");
    tokens.iter().map(|token| token["state"].as_str().expect("a state").to_owned()).collect()
}

async fn people_come_and_go_by_themselves() {
    let tenant = Tenant::new().await;
    let directory = registered(&tenant).await;
    provisioning(&tenant).await;
    let jane = |version, groups: &[&str]| Telling::person(&tenant.id, "jane", version, true, groups);
    directory.tell(&[jane(1, &["Staff"])]).await.expect("told");
    let user = until(&tenant, "jane", |status, _| status == 200).await;
    assert_eq!(user["groups"], json!(["Staff"]));
    assert_eq!(tokens(&tenant, "jane").await, ["enrolling"]);
    let link = tenant.link("jane", 1).await;
    assert!(link.contains("/e/"), "{link}");
    directory.tell(&[jane(2, &[])]).await.expect("told");
    until(&tenant, "jane", |_, user| user.get("groups").is_none()).await;
    assert!(tokens(&tenant, "jane").await.is_empty());
    directory.tell(&[jane(3, &["Staff"])]).await.expect("told");
    until(&tenant, "jane", |_, user| user.get("groups").is_some()).await;
    assert_eq!(tokens(&tenant, "jane").await, ["enrolling"]);
    let second = tenant.link("jane", 2).await;
    assert_ne!(second, link);
    directory.tell(&[Telling::disabled("jane", 4)]).await.expect("told");
    until(&tenant, "jane", |_, user| user["active"] == false).await;
    assert!(tokens(&tenant, "jane").await.is_empty());
    directory.tell(&[Telling::deleted("jane", 5)]).await.expect("told");
    until(&tenant, "jane", |status, _| status == 404).await;
}

async fn order_and_repetition_do_not_count() {
    let tenant = Tenant::new().await;
    let directory = registered(&tenant).await;
    provisioning(&tenant).await;
    let mut told = Vec::new();
    for name in ["a", "b", "c"] {
        for version in [3, 1, 2, 3, 1] {
            let groups: &[&str] = if version == 3 { &["Staff"] } else { &[] };
            told.push(Telling::person(&tenant.id, name, version, version != 2, groups));
        }
    }
    directory.tell(&told).await.expect("told");
    for name in ["a", "b", "c"] {
        until(&tenant, name, |_, user| user["groups"] == json!(["Staff"])).await;
    }
    directory.tell(&told).await.expect("told");
    directory.tell(&[Telling::person(&tenant.id, "last", 1, true, &[])]).await.expect("told");
    until(&tenant, "last", |status, _| status == 200).await;
    pause(2_000).await;
    for name in ["a", "b", "c"] {
        let user = until(&tenant, name, |status, _| status == 200).await;
        assert_eq!((&user["groups"], &user["active"]), (&json!(["Staff"]), &json!(true)));
        assert_eq!(tokens(&tenant, name).await, ["enrolling"]);
        let sent = tenant.get(&format!("/v1/messages?user={name}")).await;
        assert_eq!(sent.body["messages"].as_array().map(Vec::len), Some(1), "{}", sent.body);
    }
}

/// Neither a source that nobody has registered, nor one that names another tenant than its own.
async fn a_foreign_event_changes_nothing() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let directory = registered(&tenant).await;
    let foreign = directory.clone().posing_as("otpost.directory.nobody");
    foreign.tell(&[Telling::person(&tenant.id, "mallory", 1, true, &[])]).await.expect("told");
    let endpoints = other.world.endpoints();
    let bus = endpoints.outputs.get("DirectoryBusName").expect("the bus");
    // The other tenant's name in the event, this tenant's source.
    let posing = Directory::new(&endpoints.emulator, bus, &other.id).posing_as(&directory.source);
    posing.tell(&[Telling::person(&other.id, "mallory", 2, true, &[])]).await.expect("told");
    directory.tell(&[Telling::person(&tenant.id, "jane", 3, true, &[])]).await.expect("told");
    until(&tenant, "jane", |status, _| status == 200).await;
    pause(2_000).await;
    for tenant in [&tenant, &other] {
        expect_problem(&tenant.get("/v1/users/mallory").await, 404, "not-found");
    }
    let log = tenant.world.function_log("push-token").await.expect("a log");
    for said in ["that nobody has registered", "names another tenant"] {
        assert!(log.iter().any(|line| line.text.contains(said)), "the log does not say: {said}");
    }
}

async fn too_many_at_once_wait_for_a_release() {
    let tenant = Tenant::new().await;
    let directory = registered(&tenant).await;
    let limits = json!({ "hourly_share_percent": 1, "hourly_always": 2 });
    policy(&tenant, "limits", &json!({ "applies_to": { "everyone": true }, "settings": limits })).await;
    provisioning(&tenant).await;
    let names = ["u0", "u1", "u2", "u3", "u4", "u5"];
    for name in names {
        directory.tell(&[Telling::person(&tenant.id, name, 1, true, &["Staff"])]).await.expect("told");
    }
    let mut served = 0;
    for name in names {
        until(&tenant, name, |status, _| status == 200).await;
        served += tokens(&tenant, name).await.len();
    }
    assert_eq!(served, 2, "two in an hour");
    let watched = tenant.get("/v1/mass-changes").await;
    expect(&watched, 200);
    assert_eq!(
        (&watched.body["limit"], &watched.body["held_pushes"]),
        (&json!(2), &json!(4)),
        "{}",
        watched.body
    );
    let released = tenant.post("/v1/mass-changes/release", &json!({ "reason": "the first sync" })).await;
    expect(&released, 202);
    assert_eq!(released.body["kind"], "release_mass_change");
    for name in names {
        assert_eq!(tokens(&tenant, name).await, ["enrolling"], "{name}: {}", released.body);
    }
    assert_eq!(tenant.get("/v1/mass-changes").await.body["held_pushes"], 0);
}
