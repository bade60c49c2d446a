//! The helpdesk's journey over HTTP.

use otpost_domain::apikey::Role;
use otpost_service::memory::sent_code;
use otpost_service::ports::Ports as _;
use otpost_service::sample::{key, sample_world};
use serde_json::{Value, json};

use crate::testing::{App, wrong};

fn by(desk: &str, mut body: Value) -> Value {
    body["operator"] = json!(desk);
    body["reason"] = json!("ticket 4711");
    body
}

#[tokio::test]
async fn a_caller_reads_a_code_back() {
    let ports = sample_world().await;
    let desk = App::with(&ports, key(Role::Helpdesk).1.expose());
    let order = by("m.miller", json!({ "user": "jane" }));
    let told = desk.send("POST", "/v1/helpdesk/codes", Some(&order), Some("call-1")).await;
    assert_eq!(told.status, 202, "{}", told.body);
    assert_eq!((told.text("recipient"), told.text("channel")), ("j***@e***.org", "email"));
    let again = desk.send("POST", "/v1/helpdesk/codes", Some(&order), Some("call-1")).await;
    assert_eq!((again.status, &again.body), (202, &told.body));
    let code = sent_code(&ports, &desk.queued()).await.unwrap();
    let id = told.text("id").to_owned();

    let check = format!("/v1/helpdesk/codes/{id}/check");
    let answer = by("m.miller", json!({ "code": wrong(&code) }));
    assert_eq!(desk.send("POST", &check, Some(&answer), None).await.problem(), (422, "invalid-code"));
    let answer = by("m.miller", json!({ "code": code }));
    let accepted = desk.send("POST", &check, Some(&answer), None).await;
    let expected = json!({ "result": "accepted", "user": "jane", "password_until": "2027-01-15T08:10:00Z" });
    assert_eq!((accepted.status, accepted.body), (200, expected));

    // Jane has no telephone in the sample world.
    let password = by("m.miller", json!({ "password": "Correct-Horse-7" }));
    let path = format!("/v1/helpdesk/codes/{id}/password");
    let told = desk.send("POST", &path, Some(&password), None).await;
    assert_eq!(told.problem(), (409, "not-allowed-now"));
    assert_eq!(told.text("detail"), "No password was sent: the user has no telephone number.");
}

#[tokio::test]
async fn what_is_wrong_with_an_order_is_said_and_its_password_is_not() {
    let ports = sample_world().await;
    let desk = App::with(&ports, key(Role::Helpdesk).1.expose());
    let codes = "/v1/helpdesk/codes";
    let path = "/v1/helpdesk/codes/chl_abcd/password";
    for (path, body, field) in [
        (codes, json!({ "user": "jane", "operator": "m.miller", "reason": "" }), "reason"),
        (codes, json!({ "user": "jane", "operator": "m\nm", "reason": "x" }), "operator"),
        (codes, json!({ "user": "no such id", "operator": "m", "reason": "x" }), "user"),
        (codes, by("m", json!({ "user": "jane", "channel": "fax" })), "channel"),
        (path, by("m", json!({ "password": "secret7" })), "password"),
        (path, by("m", json!({ "password": "https://secret.example" })), "password"),
        (path, by("m", json!({ "password": format!("secret{}", "x".repeat(59)) })), "password"),
        ("/v1/helpdesk/codes/chl_abcd/check", by("m", json!({ "code": "12345" })), "code"),
    ] {
        let told = desk.send("POST", path, Some(&body), None).await;
        assert_eq!(
            (told.problem(), &told.body["field"]),
            ((400, "invalid-request"), &json!(field)),
            "{body}"
        );
        assert!(!told.body.to_string().contains("secret"), "{}", told.body);
    }
    for body in [
        json!({ "password": 77_665_544, "operator": "m", "reason": "x" }),
        json!({ "password": ["secret-77665544"], "operator": "m", "reason": "x" }),
        json!({ "operator": { "password": "secret-77665544" }, "reason": "x" }),
        json!({ "password": "Fine-Word-1", "operator": "m" }),
    ] {
        let told = desk.send("POST", path, Some(&body), None).await;
        assert_eq!(told.problem(), (400, "invalid-request"), "{body}");
        let text = told.body.to_string();
        assert!(!text.contains("77665544") && !text.contains("Fine-Word"), "{text}");
    }
    let fine = by("m", json!({ "password": "Fine-Word-1" }));
    assert_eq!(desk.send("POST", path, Some(&fine), None).await.problem(), (404, "not-found"));
}

#[tokio::test]
async fn only_the_helpdesk_may() {
    let ports = sample_world().await;
    let order = by("m", json!({ "user": "jane" }));
    for role in Role::OF_TENANTS {
        let app = App::with(&ports, key(role).1.expose());
        let told = app.send("POST", "/v1/helpdesk/codes", Some(&order), None).await;
        assert_eq!(told.status, if role == Role::Helpdesk { 202 } else { 403 }, "{role:?}");
    }
    // And no application asks for the helpdesk's codes.
    let app = App::unmarked(&ports);
    let told = app.start(json!({ "user": "jane", "purpose": "helpdesk" })).await;
    assert_eq!((told.problem(), &told.body["field"]), ((400, "invalid-request"), &json!("purpose")));
    assert!(ports.queue().take().len() <= 1);
}
