//! The journey of a challenge over HTTP.

use std::time::Duration;

use otpost_service::memory::sent_code;
use otpost_service::ports::Ports as _;
use otpost_service::sample::sample_world;
use serde_json::json;

use crate::testing::{App, wrong};

#[tokio::test]
async fn a_code_is_sent_and_accepted_once() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let asked = json!({ "user": "jane", "purpose": "sign_in" });
    let told = app.start(asked).await;
    assert_eq!(told.status, 202);
    assert_eq!(
        told.members(),
        [
            "channel",
            "digits",
            "expires_at",
            "expires_in_seconds",
            "id",
            "purpose",
            "recipient",
            "resend_at",
            "resend_in_seconds"
        ]
    );
    let expected = json!({
        "purpose": "sign_in", "digits": 6, "channel": "email",
        "expires_at": "2027-01-15T08:05:00Z", "expires_in_seconds": 300,
        "resend_at": "2027-01-15T08:00:30Z", "resend_in_seconds": 30,
    });
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&told.body[member], value, "{member}");
    }
    let code = sent_code(&ports, &app.queued()).await.unwrap();
    assert_eq!(code.len(), 6);
    let id = told.text("id").to_owned();
    assert!(id.len() <= otpost_domain::challenge::MOST_OF_ID, "{}", id.len());

    assert_eq!(
        app.check(&id, json!({ "code": wrong(&code), "purpose": "sign_in" })).await.problem(),
        (422, "invalid-code")
    );
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let right = json!({ "code": spaced, "purpose": "sign_in", "remember_source": true });
    let accepted = app.check(&id, right.clone()).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    assert_eq!(
        (accepted.text("result"), accepted.text("user"), &accepted.body["authenticates"]),
        ("accepted", "jane", &json!(false)),
        "by e-mail it does not authenticate"
    );
    assert!(accepted.text("source").starts_with("dev_"));
    assert!(accepted.body.get("address").is_none());
    assert_eq!(app.get(&id).await.text("standing"), "accepted");
    assert_eq!(app.check(&id, right).await.problem(), (422, "invalid-code"), "once only");
    let over = app.resend(&id, None).await;
    assert_eq!(over.problem(), (409, "not-allowed-now"));
    assert!(over.text("detail").contains("Start a new challenge"), "{}", over.body);
}

#[tokio::test]
async fn a_repeated_check_has_the_same_outcome_and_counts_once() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    let path = format!("/v1/challenges/{id}/check");
    let body = json!({ "code": code, "purpose": "sign_in" });
    for _ in 0..2 {
        assert_eq!(app.send("POST", &path, Some(&body), Some("check-1")).await.status, 200);
    }
    let other = app.send("POST", &path, Some(&body), Some("check-2")).await;
    assert_eq!(other.problem(), (422, "invalid-code"), "another request");
}

#[tokio::test]
async fn a_code_for_something_else_is_wrong() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    let for_reset = app.check(&id, json!({ "code": code, "purpose": "password_reset" })).await;
    assert_eq!(for_reset.problem(), (422, "invalid-code"));

    let order = json!({ "user": "jane", "purpose": "transaction", "transaction": "EUR 250 to Ada" });
    let (id, code) = app.started(order).await;
    let typed = |transaction| json!({ "code": code, "purpose": "transaction", "transaction": transaction });
    assert_eq!(app.check(&id, typed("EUR 9999 to Eve")).await.problem(), (422, "invalid-code"));
    assert_eq!(app.check(&id, typed("EUR 250 to Ada")).await.status, 200);
}

#[tokio::test]
async fn after_too_many_wrong_codes_another_must_be_asked_for() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    for _ in 0..5 {
        let told = app.check(&id, json!({ "code": wrong(&code), "purpose": "sign_in" })).await;
        assert_eq!(told.problem(), (422, "invalid-code"));
    }
    let told = app.check(&id, json!({ "code": code, "purpose": "sign_in" })).await;
    assert_eq!(told.problem(), (429, "too-many-attempts"));
    assert_eq!(told.retry_after(), None, "waiting does not help");
    assert!(told.text("detail").contains("start a new challenge"), "{}", told.body);
    assert_eq!(app.get(&id).await.text("standing"), "exhausted");
}

#[tokio::test]
async fn a_bare_address_is_proven() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let order = json!({ "address": { "email": "june@example.org" }, "purpose": "enrolment" });
    let (id, code) = app.started(order).await;
    let accepted = app.check(&id, json!({ "code": code, "purpose": "enrolment" })).await;
    assert_eq!(accepted.body["address"], json!({ "email": "june@example.org" }));
    assert!(accepted.body.get("user").is_none() && accepted.body.get("source").is_none());
}

#[tokio::test]
async fn keys_that_are_not_marked_learn_nothing_of_where_a_code_went() {
    let ports = sample_world().await;
    let (unmarked, marked) = (App::unmarked(&ports), App::marked(&ports));
    let truly = "j***@e***.org";
    let order = json!({ "user": "jane", "purpose": "sign_in" });
    let blind = unmarked.start(order.clone()).await;
    assert_ne!(blind.text("recipient"), truly);
    let told = marked.start(order).await;
    assert_eq!(told.text("recipient"), truly, "the same code, which is on its way");
    assert_eq!(ports.queue().take().len(), 1, "sent once");

    ports.clock().advance(Duration::from_secs(7));
    let id = told.text("id");
    let standing = unmarked.get(id).await;
    assert_eq!(
        standing.body,
        json!({
            "standing": "open", "purpose": "sign_in",
            "expires_at": "2027-01-15T08:05:00Z", "expires_in_seconds": 293,
            "resend_at": "2027-01-15T08:00:30Z", "resend_in_seconds": 23,
        })
    );
    let standing = marked.get(id).await;
    assert_eq!(
        standing.body["message"],
        json!({
            "status": "on_its_way", "text": "On its way by e-mail.", "channel": "email", "recipient": truly,
            "seconds_since": 7, "advice": "wait",
        })
    );
}

#[tokio::test]
async fn what_is_told_of_nobody_looks_like_what_is_told_of_somebody() {
    for marked in [false, true] {
        let ports = sample_world().await;
        let app = if marked { App::marked(&ports) } else { App::unmarked(&ports) };
        let mut told = Vec::new();
        for user in ["jane", "nobody"] {
            let started = app.start(json!({ "user": user, "purpose": "sign_in" })).await;
            let id = started.text("id").to_owned();
            let mut answers = vec![started, app.get(&id).await, app.resend(&id, None).await];
            ports.clock().advance(Duration::from_secs(30));
            answers.push(app.resend(&id, Some(json!({}))).await);
            for _ in 0..6 {
                answers.push(app.check(&id, json!({ "code": "0000000000", "purpose": "sign_in" })).await);
            }
            answers.push(app.cancel(&id).await);
            answers.push(app.resend(&id, None).await);
            told.push(answers);
        }
        let statuses: Vec<_> = told[0].iter().map(|one| one.status).collect();
        assert_eq!(statuses, [202, 200, 429, 202, 422, 422, 422, 422, 422, 429, 204, 409]);
        for (somebody, nobody) in told[0].iter().zip(&told[1]) {
            assert_eq!((somebody.status, &somebody.headers), (nobody.status, &nobody.headers));
            if somebody.body.is_null() {
                assert!(nobody.body.is_null());
                continue;
            }
            assert_eq!(somebody.members(), nobody.members());
            if somebody.status >= 400 {
                assert_eq!(somebody.body, nobody.body);
            }
            for counted in ["digits", "expires_in_seconds", "resend_in_seconds", "channel", "standing"] {
                assert_eq!(somebody.body[counted], nobody.body[counted], "{counted}");
            }
        }
        let (somebody, nobody) = (&told[0][1].body["message"], &told[1][1].body["message"]);
        assert_eq!(somebody.is_object(), marked);
        assert_eq!((&somebody["text"], &somebody["status"]), (&nobody["text"], &nobody["status"]));
    }
}

#[tokio::test]
async fn a_code_is_sent_again_after_its_time_and_not_for_ever() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    let early = app.resend(&id, None).await;
    assert_eq!((early.problem(), early.retry_after()), ((429, "too-soon"), Some("30")));
    assert!(early.text("detail").contains("a moment ago"), "{}", early.body);
    for again in 0..3 {
        ports.clock().advance(Duration::from_secs(30));
        let path = format!("/v1/challenges/{id}/resend");
        let key = format!("again-{again}");
        for _ in 0..2 {
            let told = app.send("POST", &path, Some(&json!({ "channel": "email" })), Some(&key)).await;
            assert_eq!((told.status, &told.body["resend_in_seconds"]), (202, &json!(30)));
        }
        assert_eq!(sent_code(&ports, &app.queued()).await.as_ref(), Some(&code), "the same, and once");
    }
    ports.clock().advance(Duration::from_secs(30));
    let often = app.resend(&id, None).await;
    assert_eq!((often.problem(), often.retry_after()), ((429, "too-soon"), Some("180")));
    assert!(often.text("detail").contains("as often as policy allows"), "{}", often.body);
    assert_eq!(app.check(&id, json!({ "code": code, "purpose": "sign_in" })).await.status, 200);
}

#[tokio::test]
async fn wrong_codes_in_a_row_make_the_next_start_wait() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let order = json!({ "user": "jane", "purpose": "sign_in" });
    for _ in 0..2 {
        ports.clock().advance(Duration::from_secs(30));
        let (id, code) = app.started(order.clone()).await;
        for _ in 0..5 {
            app.check(&id, json!({ "code": wrong(&code), "purpose": "sign_in" })).await;
        }
    }
    ports.clock().advance(Duration::from_secs(20));
    let told = app.start(order).await;
    assert_eq!((told.problem(), told.retry_after()), ((429, "too-many-attempts"), Some("10")));
}

#[tokio::test]
async fn a_challenge_that_was_given_up_accepts_nothing() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    for _ in 0..2 {
        assert_eq!(app.cancel(&id).await.status, 204);
    }
    assert_eq!(app.get(&id).await.text("standing"), "over");
    let told = app.check(&id, json!({ "code": code, "purpose": "sign_in" })).await;
    assert_eq!(told.problem(), (422, "invalid-code"));
}

#[tokio::test]
async fn ids_that_were_never_issued_and_texts_that_are_none_are_not_found() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let never = otpost_service::sample::challenge_in_events();
    let check = json!({ "code": "123456", "purpose": "sign_in" });
    let mut told = Vec::new();
    let long = format!("chl_{}", "a".repeat(2000));
    for id in [never.as_str(), "nonsense", "chl_", "chl_%20", long.as_str()] {
        told.extend([
            app.get(id).await,
            app.check(id, check.clone()).await,
            app.resend(id, None).await,
            app.cancel(id).await,
        ]);
    }
    for one in &told {
        assert_eq!(one.problem(), (404, "not-found"));
        assert_eq!(one.body, told[0].body);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_by_its_field() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let address = json!({ "email": "june@example.org" });
    for (body, field) in [
        (json!({ "purpose": "sign_in" }), "user"),
        (json!({ "user": "", "purpose": "sign_in" }), "user"),
        (json!({ "user": "jane", "address": address, "purpose": "enrolment" }), "address"),
        (json!({ "address": {}, "purpose": "enrolment" }), "address"),
        (
            json!({ "address": { "email": "a@b.org", "phone": "+447700900123" }, "purpose": "enrolment" }),
            "address",
        ),
        (json!({ "address": { "email": "nowhere" }, "purpose": "enrolment" }), "email"),
        (json!({ "address": { "phone": "0" }, "purpose": "enrolment" }), "phone"),
        (json!({ "address": address, "purpose": "sign_in" }), "purpose"),
        (json!({ "address": address, "purpose": "enrolment", "channel": "sms" }), "channel"),
        (json!({ "user": "jane", "purpose": "fun" }), "purpose"),
        (json!({ "user": "jane", "purpose": "sign_in", "channel": "post" }), "channel"),
        (json!({ "user": "jane", "purpose": "transaction" }), "transaction"),
        (json!({ "user": "jane", "purpose": "transaction", "transaction": "a\nb" }), "transaction"),
        (json!({ "user": "jane", "purpose": "sign_in", "transaction": "EUR 1" }), "transaction"),
    ] {
        let told = app.start(body.clone()).await;
        assert_eq!(
            (told.problem(), &told.body["field"]),
            ((400, "invalid-request"), &json!(field)),
            "{body}"
        );
    }
    for body in
        [json!({ "user": "jane" }), json!({ "user": "jane", "purpose": "sign_in", "extra": 1 }), json!([])]
    {
        assert_eq!(app.start(body).await.problem(), (400, "invalid-request"));
    }

    let (id, code) = app.started(json!({ "user": "jane", "purpose": "sign_in" })).await;
    for (body, field) in [
        (json!({ "code": "12345", "purpose": "sign_in" }), "code"),
        (json!({ "code": "12345a", "purpose": "sign_in" }), "code"),
        (json!({ "code": code, "purpose": "fun" }), "purpose"),
        (json!({ "code": code, "purpose": "transaction" }), "transaction"),
        (json!({ "code": code, "purpose": "sign_in", "transaction": "EUR 1" }), "transaction"),
    ] {
        for _ in 0..3 {
            let told = app.check(&id, body.clone()).await;
            assert_eq!(
                (told.problem(), &told.body["field"]),
                ((400, "invalid-request"), &json!(field)),
                "{body}"
            );
            assert!(!told.body.to_string().contains(&code));
        }
    }
    assert_eq!(app.check(&id, json!({ "code": code })).await.problem(), (400, "invalid-request"));
    let told = app.resend(&id, Some(json!({ "channel": "post" }))).await;
    assert_eq!(&told.body["field"], "channel");
    let told = app.send("GET", &format!("/v1/challenges/{id}?locale=no_language"), None, None).await;
    assert_eq!(&told.body["field"], "locale");
    assert_eq!(
        app.check(&id, json!({ "code": code, "purpose": "sign_in" })).await.status,
        200,
        "nothing counted"
    );
}

#[tokio::test]
async fn a_started_challenge_is_told_again_and_sent_once() {
    let ports = sample_world().await;
    let app = App::unmarked(&ports);
    let body = json!({ "user": "jane", "purpose": "sign_in" });
    let first = app.send("POST", "/v1/challenges", Some(&body), Some("start-1")).await;
    let again = app.send("POST", "/v1/challenges", Some(&body), Some("start-1")).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(again.headers["idempotency-replayed"], "true");
    assert_eq!(ports.queue().take().len(), 1);
    let other = json!({ "user": "joe", "purpose": "sign_in" });
    let told = app.send("POST", "/v1/challenges", Some(&other), Some("start-1")).await;
    assert_eq!(told.problem(), (422, "idempotency-key-reused"));
}
