//! Messages by each kind of gateway through the deployed functions, to counterparts that answer as providers do.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use otpost_local::phone::Text;
use otpost_local::providers::govuk_notify::LIVE_KEY;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, expect_problem, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{alone, shared};

const TWILIO_TOKEN: &str = "not-a-token-of-any-account-at-all";
const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared(
            "senders::each_kind_of_gateway_is_saved_and_tested_in_one_call",
            each_kind_is_saved_and_tested,
        ),
        shared("senders::a_test_tells_what_the_provider_says_without_secrets", a_test_tells_the_truth),
        shared("senders::a_changed_gateway_is_tested_as_it_is_now", a_changed_gateway_is_tested_as_it_is_now),
        shared("senders::what_cannot_be_tested_is_told", what_cannot_be_tested_is_told),
        shared("senders::a_link_goes_by_text_where_policy_says_so", a_link_goes_by_text),
        shared("senders::a_refused_route_is_left_for_the_next", a_refused_route_is_left_for_the_next),
        shared(
            "senders::a_template_is_tested_by_the_gateway_that_is_named",
            a_template_is_tested_by_its_gateway,
        ),
        shared("senders::tests_are_kept_apart_by_tenant", tests_are_kept_apart),
        alone("senders::each_senders_hop_is_two_requests", each_senders_hop_is_two_requests),
    ]
}

fn with(mut document: Value, pointer: &str, value: Value) -> Value {
    *document.pointer_mut(pointer).expect("a member") = value;
    document
}

async fn admin(tenant: &Tenant, method: Method, path: &str, body: &Value) -> otpost_local::demo::Answer {
    tenant.api.send(method, path, tenant.key("admin"), Some(body)).await.expect("an answer")
}

fn smtp(tenant: &Tenant) -> Value {
    let endpoints = tenant.world.endpoints();
    let (host, port) = endpoints.smtp.split_once(':').expect("host and port");
    let authority = std::fs::read_to_string(&endpoints.smtp_authority).expect("a certificate");
    remember(endpoints.smtp_password.expose());
    json!({
        "name": "Our server", "kind": "smtp",
        "settings": {
            "host": host, "port": port.parse::<u16>().expect("a port"), "authentication": "plain",
            "ca_certificate": authority, "from": { "name": "Acme sign-in", "address": "otp@acme.example" },
        },
        "credentials": { "user": otpost_local::smtp::USER, "password": endpoints.smtp_password.expose() },
    })
}

fn twilio() -> Value {
    remember(TWILIO_TOKEN);
    json!({
        "name": "Twilio", "kind": "twilio",
        "settings": { "account_sid": "AC00112233445566778899aabbccddeeff", "from": "+15005550006" },
        "credentials": { "auth_token": TWILIO_TOKEN },
    })
}

fn notify() -> Value {
    json!({
        "name": "Notify", "kind": "govuk_notify",
        "settings": { "template_id": TEMPLATE }, "credentials": { "api_key": LIVE_KEY },
    })
}

fn by_mail(via: &str) -> Value {
    let address = format!("{{number}}@{}", otpost_local::third_party::DOMAIN);
    json!({
        "name": "Texts by mail", "kind": "email_to_sms",
        "settings": { "via": via, "address": address, "max_characters": 1000 },
    })
}

/// A number of a tenant's own, out of those for stories.
fn number(tenant: &Tenant, last: u32) -> String {
    let of: u32 = tenant.id.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or_default();
    let number = format!("+4477009{:05}", (of * 10 + last) % 100_000);
    remember(&number);
    remember(number.trim_start_matches('+'));
    number
}

/// The texts that came to a number, once there is one.
async fn texts_to(tenant: &Tenant, number: &str) -> Vec<Text> {
    for _ in 0..300 {
        let own: Vec<_> = tenant.world.texts().into_iter().filter(|text| text.to == number).collect();
        if !own.is_empty() {
            return own;
        }
        pause(100).await;
    }
    panic!("no text came");
}

/// Saves a gateway with a test; what became of it.
async fn saved(tenant: &Tenant, id: &str, document: &Value, test: Value) -> Value {
    let mut document = document.clone();
    document["test"] = test;
    let saved = admin(tenant, Method::PUT, &format!("/v1/gateways/{id}"), &document).await;
    expect(&saved, 201);
    assert_eq!(saved.body["gateway"], id);
    saved.body["test"].clone()
}

async fn tested(tenant: &Tenant, id: &str, test: &Value) -> Value {
    let tested = admin(tenant, Method::POST, &format!("/v1/gateways/{id}/test"), test).await;
    expect(&tested, 200);
    tested.body
}

async fn each_kind_is_saved_and_tested() {
    let tenant = Tenant::new().await;
    let to = tenant.address("ops");
    let sent =
        saved(&tenant, "mail", &smtp(&tenant), json!({ "email": to, "text": "By our own server" })).await;
    assert_eq!(sent["outcome"], "accepted", "{sent}");
    assert!(sent["milliseconds"].as_u64().is_some_and(|took| took < 10_000), "{sent}");
    let said = sent["said"].to_string();
    assert!(said.contains("STARTTLS") && said.contains("250"), "{said}");
    let mail = tenant.mails("ops", 1).await.remove(0);
    assert!(mail.text.contains("By our own server") && mail.from.contains("otp@acme.example"), "{mail:?}");

    for (last, id, document, by) in [
        (0, "twilio", twilio(), "twilio"),
        (1, "notify", notify(), "govuk_notify"),
        (2, "texts", by_mail("mail"), "email_to_sms"),
    ] {
        let to = number(&tenant, last);
        let sent = saved(&tenant, id, &document, json!({ "phone": to, "text": format!("By {id}") })).await;
        assert_eq!(sent["outcome"], "accepted", "{id}: {sent}");
        let arrived = texts_to(&tenant, &to).await;
        assert!(arrived[0].body.contains(&format!("By {id}")) && arrived[0].by == by, "{arrived:?}");
        assert!(!sent.to_string().contains(&to[3..]), "{sent}");
    }

    // Amazon SES is the platform's to lend.
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let ses = format!("ses-{}", tenant.id);
    let document = json!({
        "name": "SES", "kind": "ses", "tenants": { "named": [tenant.id] },
        "settings": { "from": { "address": "otp@acme.example" }, "configuration_set": "otpost", "tenant_name": "acme" },
        "test": { "email": tenant.address("ses"), "tenant": tenant.id },
    });
    let path = format!("/v1/gateways/{ses}");
    let kept = tenant.api.send(Method::PUT, &path, &platform, Some(&document)).await.expect("an answer");
    expect(&kept, 201);
    assert_eq!(kept.body["test"]["outcome"], "accepted", "{}", kept.body);
    let mail = tenant.mails("ses", 1).await.remove(0);
    assert!(mail.subject.contains("test message") && mail.from.contains("otp@acme.example"), "{mail:?}");
}

async fn a_test_tells_the_truth() {
    let tenant = Tenant::new().await;
    let wrong = with(smtp(&tenant), "/credentials/password", json!("hunter2-is-wrong"));
    let told = saved(&tenant, "mail", &wrong, json!({ "email": tenant.address("ops") })).await;
    assert_eq!(told["outcome"], "configuration_bad", "{told}");
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("535")), "{told}");
    assert!(told["said"].to_string().contains("535") && !told.to_string().contains("hunter2"), "{told}");

    let unknown_ca = with(smtp(&tenant), "/settings/ca_certificate", Value::Null);
    let told = saved(&tenant, "untrusted", &unknown_ca, json!({ "email": tenant.address("ops") })).await;
    assert_eq!(told["outcome"], "configuration_bad", "{told}");

    let bad = "+15005550001";
    let told = saved(&tenant, "twilio", &twilio(), json!({ "phone": bad })).await;
    assert_eq!(told["outcome"], "recipient_bad", "{told}");
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("21211")), "{told}");
    assert!(!told.to_string().contains("5550001"), "{told}");

    let revoked = otpost_local::providers::govuk_notify::REVOKED_KEY;
    let told = saved(
        &tenant,
        "notify",
        &with(notify(), "/credentials/api_key", json!(revoked)),
        json!({ "phone": number(&tenant, 1) }),
    )
    .await;
    assert_eq!(told["outcome"], "configuration_bad", "{told}");
    assert!(told["said"].to_string().contains("403"), "{told}");

    let metadata = with(smtp(&tenant), "/settings/host", json!("169.254.169.254"));
    let told = saved(&tenant, "inside", &metadata, json!({ "email": tenant.address("ops") })).await;
    assert_eq!(told["outcome"], "configuration_bad", "{told}");
    assert!(told["reason"].as_str().is_some_and(|why| why.contains("allowedNetworks")), "{told}");
}

async fn a_changed_gateway_is_tested_as_it_is_now() {
    let tenant = Tenant::new().await;
    let to = json!({ "phone": number(&tenant, 2) });
    assert_eq!(saved(&tenant, "twilio", &twilio(), to.clone()).await["outcome"], "accepted");
    let mut moved = with(twilio(), "/settings/from", json!("+15005550001"));
    moved["credentials"] = Value::Null;
    moved["test"] = to.clone();
    let headers =
        [("authorization", format!("Bearer {}", tenant.key("admin"))), ("if-match", "*".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let path = "/v1/gateways/twilio";
    let changed = tenant.api.send_with(Method::PUT, path, &headers, Some(&moved)).await.expect("an answer");
    expect(&changed, 200);
    assert_eq!(changed.body["test"]["outcome"], "configuration_bad", "{}", changed.body);
    assert!(
        changed.body["test"]["reason"].as_str().is_some_and(|why| why.contains("21212")),
        "{}",
        changed.body
    );
}

async fn what_cannot_be_tested_is_told() {
    let tenant = Tenant::new().await;
    let path = "/v1/gateways/twilio/test";
    expect_problem(
        &admin(&tenant, Method::POST, path, &json!({ "phone": number(&tenant, 3) })).await,
        404,
        "not-found",
    );
    let bare = with(twilio(), "/credentials", Value::Null);
    let told = saved(&tenant, "twilio", &bare, json!({ "phone": number(&tenant, 3) })).await;
    assert_eq!(told["outcome"], "not_sent", "{told}");
    for (body, status, slug) in [
        (json!({}), 400, "invalid-request"),
        (json!({ "email": "a@example.org", "phone": "+447700900123" }), 400, "invalid-request"),
        (json!({ "email": "a@example.org" }), 400, "invalid-request"),
        (json!({ "phone": "07700900123" }), 400, "invalid-request"),
        (json!({ "phone": "+447700900123", "text": "" }), 400, "invalid-request"),
        (json!({ "phone": "+447700900123", "code": "x" }), 400, "invalid-request"),
        (json!({ "phone": "+447700900123", "tenant": tenant.id }), 400, "invalid-request"),
        (json!({ "phone": "+447700900123", "unknown": 1 }), 400, "invalid-request"),
        (json!({ "phone": "+447700900123" }), 409, "not-allowed-now"),
    ] {
        expect_problem(&admin(&tenant, Method::POST, path, &body).await, status, slug);
    }
    let app = tenant.api.post(path, tenant.key("app"), &json!({ "phone": "+447700900123" })).await;
    expect_problem(&app.expect("an answer"), 403, "forbidden");
    let mut wrong = twilio();
    wrong["test"] = json!({ "number": "+447700900123" });
    expect_problem(&admin(&tenant, Method::PUT, "/v1/gateways/other", &wrong).await, 400, "invalid-request");
    expect_problem(&tenant.get("/v1/gateways/other").await, 404, "not-found");
}

/// Jane with a telephone, and a policy of these settings; her token's serial.
async fn jane_texts(tenant: &Tenant, phone: &str, settings: Value) -> String {
    let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
    expect(&admin(tenant, Method::PUT, "/v1/policies/texts", &policy).await, 201);
    let user = json!({ "user": "jane", "phone": phone });
    expect(&tenant.post("/v1/users", &user).await, 201);
    let token = tenant.post("/v1/users/jane/tokens", &json!({})).await;
    expect(&token, 201);
    text(&token.body, "serial")
}

async fn closed(tenant: &Tenant, message: &str) -> Value {
    for _ in 0..300 {
        let shown = tenant.get(&format!("/v1/messages/{message}")).await;
        expect(&shown, 200);
        if !["queued", "sending"].contains(&shown.body["status"].as_str().expect("a status")) {
            return shown.body;
        }
        pause(100).await;
    }
    panic!("the message stays open");
}

async fn pushed(tenant: &Tenant, serial: &str) -> String {
    let order = json!({ "channel": "sms", "authorization": "none" });
    let pushed = tenant.post(&format!("/v1/tokens/{serial}/push"), &order).await;
    expect(&pushed, 202);
    text(&pushed.body, "message")
}

async fn a_link_goes_by_text() {
    let tenant = Tenant::new().await;
    let phone = number(&tenant, 4);
    expect(&admin(&tenant, Method::PUT, "/v1/gateways/twilio", &twilio()).await, 201);
    let routes = json!({ "channels": ["sms"], "sms_routes": [{ "gateway": "twilio" }] });
    let serial = jane_texts(&tenant, &phone, routes).await;
    let message = closed(&tenant, &pushed(&tenant, &serial).await).await;
    // Twilio tells very soon that it has arrived.
    assert!([json!("sent"), json!("delivered")].contains(&message["status"]), "{message}");
    assert_eq!(message["channel"], "sms");
    let hop = &message["hops"][0];
    assert_eq!(
        (&hop["gateway"], &hop["sender"], &hop["state"]),
        (&json!("twilio"), &json!("twilio"), &json!("accepted"))
    );
    let texts = texts_to(&tenant, &phone).await;
    let base = tenant.world.api_base();
    let link = texts[0].body.split_whitespace().find(|word| word.starts_with(base)).expect("a link");
    link.rsplit('/').take(1).for_each(remember);
    let page = reqwest::get(link).await.expect("a page");
    assert_eq!(page.status(), 200);
    // What the provider was told besides: the life of the link as long as Twilio keeps a text, and where to call back.
    let taken = tenant.world.twilio().taken();
    let own = taken.iter().find(|taken| taken.to == phone).expect("taken");
    assert_eq!(own.validity, 36_000);
    let url = own.status_callback.as_deref().expect("a URL");
    let start = format!("{base}/receipts/twilio/{}/{}/1/", tenant.id, text(&message, "message"));
    assert!(url.starts_with(&start), "{url}");
}

async fn a_refused_route_is_left_for_the_next() {
    let tenant = Tenant::new().await;
    let phone = number(&tenant, 5);
    let bad = with(twilio(), "/settings/from", json!("+15005550001"));
    expect(&admin(&tenant, Method::PUT, "/v1/gateways/first", &bad).await, 201);
    expect(&admin(&tenant, Method::PUT, "/v1/gateways/second", &notify()).await, 201);
    let routes = json!({
        "channels": ["sms"],
        "sms_routes": [{ "gateway": "first" }, { "gateway": "nowhere" }, { "gateway": "second" }],
    });
    let serial = jane_texts(&tenant, &phone, routes).await;
    let message = closed(&tenant, &pushed(&tenant, &serial).await).await;
    assert_eq!(message["status"], "sent", "{message}");
    let ways: Vec<_> = message["hops"]
        .as_array()
        .expect("hops")
        .iter()
        .map(|hop| (&hop["gateway"], &hop["state"]))
        .collect();
    assert_eq!(
        ways,
        [(&json!("first"), &json!("configuration_bad")), (&json!("second"), &json!("accepted"))],
        "{message}"
    );
    assert!(message["hops"][0]["reason"].as_str().is_some_and(|why| why.contains("21212")), "{message}");
    assert_eq!(texts_to(&tenant, &phone).await.len(), 1);
}

async fn a_template_is_tested_by_its_gateway() {
    let tenant = Tenant::new().await;
    let phone = number(&tenant, 6);
    expect(&admin(&tenant, Method::PUT, "/v1/gateways/notify", &notify()).await, 201);
    let order = json!({ "phone": phone, "gateway": "notify" });
    let tested = tenant.post("/v1/templates/mobile_code.de/test", &order).await;
    expect(&tested, 202);
    let message = closed(&tenant, &text(&tested.body, "message")).await;
    assert_eq!((&message["status"], &message["test"]), (&json!("sent"), &json!(true)), "{message}");
    let arrived = texts_to(&tenant, &phone).await;
    assert!(arrived[0].body.contains("Code") && arrived[0].by == "govuk_notify", "{arrived:?}");
}

async fn tests_are_kept_apart() {
    let (mine, other) = (Tenant::new().await, Tenant::new().await);
    let told = saved(&mine, "twilio", &twilio(), json!({ "phone": number(&mine, 7) })).await;
    let message = text(&told, "message");
    expect(&mine.get(&format!("/v1/messages/{message}")).await, 200);
    expect_problem(&other.get(&format!("/v1/messages/{message}")).await, 404, "not-found");
    let order = json!({ "phone": number(&other, 7) });
    expect_problem(&admin(&other, Method::POST, "/v1/gateways/twilio/test", &order).await, 404, "not-found");
    // The same key gives the same answer, and sends nothing twice.
    let to = number(&mine, 8);
    let key = [("idempotency-key", "once-and-for-all")];
    let order = json!({ "phone": to });
    let path = "/v1/gateways/twilio/test";
    let first = mine.send_with(Method::POST, path, &key, Some(&order)).await;
    expect(&first, 200);
    let again = mine.send_with(Method::POST, path, &key, Some(&order)).await;
    expect(&again, 200);
    assert_eq!(first.body["message"], again.body["message"]);
    assert_eq!(texts_to(&mine, &to).await.len(), 1);
}

/// Claim and outcome, whatever the provider: gateways, credentials and texts are in memory.
async fn each_senders_hop_is_two_requests() {
    let tenant = Tenant::new().await;
    let phone = number(&tenant, 9);
    let cases = [
        ("mail", smtp(&tenant), json!({ "email": tenant.address("ops") }), "send-smtp"),
        ("twilio", twilio(), json!({ "phone": phone }), "send-twilio"),
        ("notify", notify(), json!({ "phone": phone }), "send-govuk-notify"),
    ];
    for (id, document, test, function) in cases {
        assert_eq!(saved(&tenant, id, &document, test.clone()).await["outcome"], "accepted");
        tenant.world.reset_wire_counts();
        assert_eq!(tested(&tenant, id, &test).await["outcome"], "accepted");
        let hop = BTreeMap::from([
            ("DynamoDB_20120810.UpdateItem".to_owned(), 1),
            ("DynamoDB_20120810.PutItem".to_owned(), 1),
        ]);
        assert_eq!(tenant.world.wire_counts_of(function), hop, "{function}");
    }
}
