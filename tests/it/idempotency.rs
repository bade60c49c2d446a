//! Requests that are made again: the same answer, and nothing done twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use libtest_mimic::Trial;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("idempotency::every_post_that_makes_or_sends", every_post_that_makes_or_sends),
        shared("idempotency::a_key_is_for_one_request", a_key_is_for_one_request),
        shared("idempotency::twenty_at_once_make_one", twenty_at_once_make_one),
        shared("idempotency::a_verification_is_answered_again", a_verification_is_answered_again),
        shared("idempotency::changes_need_the_version_that_was_read", changes_need_the_version_that_was_read),
        shared("idempotency::a_cursor_belongs_to_its_list", a_cursor_belongs_to_its_list),
    ]
}

async fn every_post_that_makes_or_sends() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("joe").await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let made = format!("{}-b", tenant.id);
    let address = tenant.address("jane");
    let order = json!({ "channel": "email" });
    let requests: [(&str, String, Value); 5] = [
        ("platform", "/v1/tenants".into(), json!({ "tenant": made, "name": "B" })),
        ("admin", "/v1/keys".into(), json!({ "role": "app", "name": "shop" })),
        ("operator", "/v1/users".into(), json!({ "user": "jane", "email": address })),
        ("operator", "/v1/users/jane/tokens".into(), json!({})),
        ("operator", format!("/v1/tokens/{serial}/push"), order),
    ];
    for (number, (role, path, body)) in requests.iter().enumerate() {
        let key = if *role == "platform" { platform.as_str() } else { tenant.key(role) };
        let bearer = format!("Bearer {key}");
        let send = async |key: &str| {
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
            tenant.api.send_with(Method::POST, path, &headers, Some(body)).await.expect("an answer")
        };
        let first = send("\"one try\"").await;
        expect_problem(&first, 400, "invalid-request");
        let first = send(&format!("\"try-{number}\"")).await;
        assert!(first.status.is_success(), "{path}: {}", first.body);
        assert_eq!(header(&first, "idempotency-replayed"), "");
        let again = send(&format!("try-{number}")).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}: quoted or not");
        assert_eq!(header(&again, "idempotency-replayed"), "true");
        assert_eq!(header(&again, "etag"), header(&first, "etag"));
    }
    assert_eq!(tenant.get("/v1/users/jane/tokens").await.body["tokens"].as_array().expect("a list").len(), 1);
    assert_eq!(
        tenant.get("/v1/messages?user=joe").await.body["messages"].as_array().expect("a list").len(),
        1
    );
    assert_eq!(tenant.mails("joe", 1).await.len(), 1);
}

async fn a_key_is_for_one_request() {
    let tenant = Tenant::new().await;
    let make = async |user: &str| {
        let body = json!({ "user": user });
        tenant.send_with(Method::POST, "/v1/users", &[("idempotency-key", "k1")], Some(&body)).await
    };
    expect(&make("jane").await, 201);
    expect_problem(&make("joe").await, 422, "idempotency-key-reused");
    expect_problem(&tenant.get("/v1/users/joe").await, 404, "not-found");
    // What failed changed nothing and is looked at anew.
    let order = json!({ "user": "jane" });
    let taken = || tenant.send_with(Method::POST, "/v1/users", &[("idempotency-key", "k2")], Some(&order));
    expect_problem(&taken().await, 409, "already-exists");
    let path = "/v1/users/jane";
    let gone = tenant.send_with(Method::DELETE, path, &[], None).await;
    expect(&gone, 204);
    expect(&taken().await, 201);
    // Another caller's key of the same name is another key.
    let other = Tenant::new().await;
    let joe = json!({ "user": "joe" });
    let theirs = other.send_with(Method::POST, "/v1/users", &[("idempotency-key", "k1")], Some(&joe));
    expect(&theirs.await, 201);
}

async fn twenty_at_once_make_one() {
    let tenant = Arc::new(Tenant::new().await);
    expect(&tenant.post("/v1/users", &json!({ "user": "jane" })).await, 201);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let tenant = Arc::clone(&tenant);
        racing.spawn(async move {
            let headers = [("idempotency-key", "the-same")];
            let path = "/v1/users/jane/tokens";
            let answer = tenant.send_with(Method::POST, path, &headers, Some(&json!({}))).await;
            if answer.status == 409 {
                assert!(
                    ["request-running", "busy"].iter().any(|slug| text(&answer.body, "type").ends_with(slug))
                );
                assert!(!header(&answer, "retry-after").is_empty(), "{}", answer.body);
                return None;
            }
            expect(&answer, 201);
            Some(text(&answer.body, "serial"))
        });
    }
    let serials: BTreeSet<String> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(serials.len(), 1, "{serials:?}");
    assert_eq!(tenant.get("/v1/users/jane/tokens").await.body["tokens"].as_array().expect("a list").len(), 1);
}

async fn a_verification_is_answered_again() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let body = json!({ "user": "jane", "code": enrolled.app.next_code(), "remember_source": true });
    let bearer = format!("Bearer {}", tenant.key("app"));
    let send = async |key: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        tenant.api.send_with(Method::POST, "/v1/verify", &headers, Some(&body)).await.expect("an answer")
    };
    let first = send("a").await;
    expect(&first, 200);
    let again = send("a").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body), "device id and all");
    expect_problem(&send("b").await, 422, "invalid-code");
}

async fn changes_need_the_version_that_was_read() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let user = tenant.get("/v1/users/jane").await;
    let etag = header(&user, "etag").to_owned();
    let rename = |name: &str| json!({ "display_name": name });
    let change = async |etag: &str, name: &str| {
        tenant.send_with(Method::PATCH, "/v1/users/jane", &[("if-match", etag)], Some(&rename(name))).await
    };
    let changed = change(&etag, "First").await;
    expect(&changed, 200);
    expect_problem(&change(&etag, "Second").await, 412, "precondition-failed");
    expect(&change(header(&changed, "etag"), "Third").await, 200);
    expect(&change("*", "Fourth").await, 200);
    expect_problem(&change("seven", "Fifth").await, 400, "invalid-request");
    assert_eq!(tenant.get("/v1/users/jane").await.body["display_name"], "Fourth");
    let gone = tenant.send_with(Method::DELETE, "/v1/users/jane", &[("if-match", &etag)], None).await;
    expect_problem(&gone, 412, "precondition-failed");

    let path = format!("/v1/tokens/{}", enrolled.serial);
    let etag = header(&tenant.get(&path).await, "etag").to_owned();
    let stop = async |etag: &str| {
        let path = format!("{path}/suspend");
        tenant.send_with(Method::POST, &path, &[("if-match", etag)], Some(&json!({}))).await
    };
    expect_problem(&stop("\"1\"").await, 412, "precondition-failed");
    expect(&stop(&etag).await, 200);
}

async fn a_cursor_belongs_to_its_list() {
    let tenant = Tenant::new().await;
    let serials = [tenant.provisioned("jane").await, tenant.provisioned("joe").await];
    for serial in &serials {
        for _ in 0..2 {
            tenant.pushed(serial).await;
        }
    }
    let page = tenant.get("/v1/messages?user=jane&limit=1").await;
    let next = text(&page.body, "next");
    expect(&tenant.get(&format!("/v1/messages?user=jane&limit=1&cursor={next}")).await, 200);
    let crossed = tenant.get(&format!("/v1/messages?user=joe&limit=1&cursor={next}")).await;
    expect_problem(&crossed, 400, "invalid-request");
    assert_eq!(crossed.body["field"], "cursor");
    let other = Tenant::new().await;
    expect_problem(
        &other.get(&format!("/v1/messages?user=jane&cursor={next}")).await,
        400,
        "invalid-request",
    );
    let admin = tenant.key("admin");
    let keys = tenant.api.get(&format!("/v1/keys?cursor={next}"), admin).await.expect("an answer");
    expect_problem(&keys, 400, "invalid-request");
    for empty in ["", "AAAA"] {
        let refused = tenant.get(&format!("/v1/messages?user=jane&cursor={empty}")).await;
        expect_problem(&refused, 400, "invalid-request");
    }
}
