//! What operators and the helpdesk do with tokens, and what it does to their codes.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::Browser;
use otpost_tests::tenant::{Enrolled, Tenant, expect, expect_problem, scanned, text};
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("lifecycle::suspended_resumed_revoked", suspended_resumed_revoked),
        shared("lifecycle::an_unlock_lets_the_owner_in", an_unlock_lets_the_owner_in),
        shared("lifecycle::a_counter_runs_away_and_is_found", a_counter_runs_away_and_is_found),
        shared(
            "lifecycle::strangers_cannot_lock_out_a_known_device",
            strangers_cannot_lock_out_a_known_device,
        ),
        shared("lifecycle::fifty_guesses_with_the_right_one", fifty_guesses_with_the_right_one),
        shared("lifecycle::a_code_is_checked_by_serial", a_code_is_checked_by_serial),
    ]
}

async fn change(tenant: &Tenant, serial: &str, verb: &str, body: &Value) -> otpost_local::demo::Answer {
    tenant.post(&format!("/v1/tokens/{serial}/{verb}"), body).await
}

async fn suspended_resumed_revoked() {
    let tenant = Tenant::new().await;
    let Enrolled { serial, app, .. } = tenant.enrolled("jane").await;
    let why = json!({ "reason": "lost, perhaps" });
    let early = change(&tenant, &serial, "resume", &why).await;
    expect_problem(&early, 409, "not-allowed-now");
    let stopped = change(&tenant, &serial, "suspend", &why).await;
    expect(&stopped, 200);
    assert_eq!(stopped.body["state"], "suspended");
    assert!(stopped.body["stopped_at"].is_string() && stopped.body["activated_at"].is_string());
    expect_problem(&tenant.verify("jane", &app.next_code()).await, 422, "invalid-code");
    expect(&change(&tenant, &serial, "resume", &why).await, 200);
    let code = app.next_code();
    expect(&tenant.verify("jane", &code).await, 200);
    expect_problem(&tenant.verify("jane", &code).await, 422, "invalid-code");
    expect(&change(&tenant, &serial, "revoke", &why).await, 200);
    expect_problem(&change(&tenant, &serial, "revoke", &why).await, 409, "not-allowed-now");
    expect_problem(&tenant.verify("jane", &app.code_in(60)).await, 422, "invalid-code");
    let push = change(&tenant, &serial, "push", &json!({ "channel": "email" })).await;
    expect_problem(&push, 409, "not-allowed-now");
    let none = tenant.get("/v1/users/jane/tokens").await;
    assert_eq!(none.body, json!({ "tokens": [] }));
    let revoked = tenant.get("/v1/users/jane/tokens?revoked=true").await;
    assert_eq!(text(&revoked.body["tokens"][0], "serial"), serial);
    assert_eq!(tenant.get(&format!("/v1/tokens/{serial}")).await.body["state"], "revoked");
    let bad = change(&tenant, &serial, "suspend", &json!({ "reason": "two\nlines" })).await;
    expect_problem(&bad, 400, "invalid-request");

    // A link on its way dies with its token.
    let (serial, link) = tenant.invited("joe").await;
    expect(&change(&tenant, &serial, "revoke", &json!({})).await, 200);
    let mut browser = Browser::at(&link);
    assert_eq!(browser.open().await.expect("the page"), 410);
    assert!(browser.html().contains("withdrawn"), "{}", browser.html());
    let audit = tenant.audit().await;
    let reasons: Vec<_> = audit.iter().filter_map(|entry| entry["reason"]["S"].as_str()).collect();
    assert_eq!(reasons, ["lost, perhaps"; 3]);
    assert!(
        audit
            .iter()
            .any(|entry| entry["action"]["S"] == "token.suspended" && entry["actor"]["S"].is_string())
    );
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

async fn an_unlock_lets_the_owner_in() {
    let tenant = Tenant::new().await;
    let Enrolled { serial, app, .. } = tenant.enrolled("jane").await;
    let wrong = other_than(&app.next_code());
    for _ in 0..10 {
        expect_problem(&tenant.verify("jane", wrong).await, 422, "invalid-code");
    }
    expect_problem(&tenant.verify("jane", &app.next_code()).await, 429, "too-many-attempts");
    expect(&change(&tenant, &serial, "unlock", &json!({ "reason": "called back" })).await, 204);
    expect(&tenant.verify("jane", &app.next_code()).await, 200);
    let nobody = change(&tenant, "OTP000000000000", "unlock", &json!({})).await;
    expect_problem(&nobody, 404, "not-found");
}

async fn a_counter_runs_away_and_is_found() {
    let tenant = Tenant::new().await;
    expect(&tenant.post("/v1/users", &json!({ "user": "jane", "email": tenant.address("jane") })).await, 201);
    let token = tenant.post("/v1/users/jane/tokens", &json!({ "kind": "hotp" })).await;
    let serial = text(&token.body, "serial");
    tenant.pushed(&serial).await;
    let mut browser = Browser::at(&tenant.link("jane", 1).await);
    browser.open().await.expect("the page");
    browser.submit(&[]).await.expect("the page");
    let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
    assert_eq!(browser.submit(&[("code", &app.code_of(0))]).await.expect("the page"), 200);
    expect(&tenant.verify("jane", &app.code_of(10)).await, 200);
    expect_problem(&tenant.verify("jane", &app.code_of(9)).await, 422, "invalid-code");
    expect_problem(&tenant.verify("jane", &app.code_of(400)).await, 422, "invalid-code");
    let found = |first: u64| json!({ "codes": [app.code_of(first), app.code_of(first + 1)] });
    expect_problem(&change(&tenant, &serial, "resync", &found(3)).await, 422, "invalid-code");
    let one = json!({ "codes": [app.code_of(400)] });
    expect_problem(&change(&tenant, &serial, "resync", &one).await, 400, "invalid-request");
    expect(&change(&tenant, &serial, "resync", &found(400)).await, 200);
    expect_problem(&change(&tenant, &serial, "resync", &found(400)).await, 422, "invalid-code");
    expect(&tenant.verify("jane", &app.code_of(402)).await, 200);
}

async fn strangers_cannot_lock_out_a_known_device() {
    let tenant = Tenant::new().await;
    let Enrolled { app, .. } = tenant.enrolled("jane").await;
    let wrong = other_than(&app.next_code());
    let body = json!({ "user": "jane", "code": app.code_in(0), "remember_source": true });
    // The first code is burnt by the activation: only a later one is right.
    let burnt = tenant.api.post("/v1/verify", tenant.key("app"), &body).await.expect("an answer");
    expect_problem(&burnt, 422, "invalid-code");
    let body = json!({ "user": "jane", "code": app.next_code(), "remember_source": true });
    let known = tenant.api.post("/v1/verify", tenant.key("app"), &body).await.expect("an answer");
    expect(&known, 200);
    for _ in 0..12 {
        tenant.verify("jane", wrong).await;
    }
    expect_problem(&tenant.verify("jane", wrong).await, 429, "too-many-attempts");
    let from = json!({ "user": "jane", "code": wrong, "source": text(&known.body, "source") });
    let looked_at = tenant.api.post("/v1/verify", tenant.key("app"), &from).await.expect("an answer");
    expect_problem(&looked_at, 422, "invalid-code");
}

/// Fifty at once, the right one among them: no more than ten are looked at.
async fn fifty_guesses_with_the_right_one() {
    let tenant = std::sync::Arc::new(Tenant::new().await);
    let Enrolled { app, .. } = tenant.enrolled("jane").await;
    let right = app.next_code();
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..50 {
        let (tenant, right) = (std::sync::Arc::clone(&tenant), right.clone());
        let code = if n == 25 { right } else { other_than(&right).to_owned() };
        racing.spawn(async move { tenant.verify("jane", &code).await.status.as_u16() });
    }
    let answers = racing.join_all().await;
    let count = |status: u16| answers.iter().filter(|answer| **answer == status).count();
    assert!(count(200) <= 1, "{answers:?}");
    // A success begins the strangers' budget anew.
    assert!(count(422) <= 10 * (1 + count(200)), "{answers:?}");
    assert_eq!(count(200) + count(422) + count(429) + count(409), 50, "{answers:?}");
}

async fn a_code_is_checked_by_serial() {
    let tenant = Tenant::new().await;
    let Enrolled { serial, app, .. } = tenant.enrolled("jane").await;
    let check =
        async |body: Value| tenant.api.post("/v1/verify", tenant.key("app"), &body).await.expect("an answer");
    let code = app.next_code();
    for (serial, code, status) in [
        (serial.as_str(), other_than(&code), 422),
        ("OTP000000000000", code.as_str(), 422),
        (serial.as_str(), code.as_str(), 200),
    ] {
        expect(&check(json!({ "serial": serial, "code": code })).await, status);
    }
    let both = check(json!({ "serial": serial, "user": "jane", "code": code })).await;
    expect_problem(&both, 400, "invalid-request");
    expect_problem(&check(json!({ "code": code })).await, 400, "invalid-request");
}
