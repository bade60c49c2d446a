//! Bad input through the deployed API: each a specific problem document, or the one uniform answer where telling
//! would help an attacker.

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_tests::tenant::{Tenant, expect, expect_problem, text};
use otpost_tests::world::world;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("problems::a_list_is_no_object", a_list_is_no_object),
        shared("problems::odd_query_strings_are_answered", odd_query_strings_are_answered),
        shared("problems::bad_bodies", bad_bodies),
        shared("problems::bad_fields", bad_fields),
        shared("problems::bad_keys", bad_keys),
        shared("problems::codes_of_any_form", codes_of_any_form),
        shared("problems::things_that_are_not_there", things_that_are_not_there),
        shared("problems::what_is_told_of_users_is_the_same", what_is_told_of_users_is_the_same),
        shared("problems::states_that_do_not_allow_it", states_that_do_not_allow_it),
    ]
}

async fn raw(tenant: &Tenant, path: &str, kind: &str, body: String) -> Answer {
    let url = format!("{}{path}", tenant.world.api_base());
    let request = reqwest::Client::new().post(url).header(CONTENT_TYPE, kind).body(body);
    let request = request.header(AUTHORIZATION, format!("Bearer {}", tenant.key("operator")));
    let response = request.send().await.expect("an answer");
    let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
    assert_eq!(kind, "application/problem+json");
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.json().await.expect("JSON") }
}

async fn bad_bodies() {
    let tenant = Tenant::new().await;
    let json = "application/json";
    let malformed = raw(&tenant, "/v1/users", json, "{\"user\": ".to_owned()).await;
    expect_problem(&malformed, 400, "invalid-request");
    assert!(text(&malformed.body, "detail").contains("line 1"), "{}", malformed.body);
    expect_problem(&raw(&tenant, "/v1/users", json, String::new()).await, 400, "invalid-request");
    expect_problem(&raw(&tenant, "/v1/users", json, "[]".to_owned()).await, 400, "invalid-request");
    let other = raw(&tenant, "/v1/users", "text/plain", "{\"user\":\"jane\"}".to_owned()).await;
    expect_problem(&other, 415, "unsupported-media-type");
    let long = format!("{{\"user\":\"{}\"}}", "a".repeat(20_000));
    expect_problem(&raw(&tenant, "/v1/users", json, long).await, 413, "too-large");
    let types = raw(&tenant, "/v1/users", json, "{\"user\": 5}".to_owned()).await;
    expect_problem(&types, 400, "invalid-request");
    assert!(text(&types.body, "detail").contains("expected a string"), "{}", types.body);
    let unknown = raw(&tenant, "/v1/users", json, "{\"user\":\"jane\",\"emial\":\"x\"}".to_owned()).await;
    assert!(text(&unknown.body, "detail").contains("emial"), "a misspelt field is told: {}", unknown.body);
}

async fn bad_fields() {
    let tenant = Tenant::new().await;
    let cases = [
        ("/v1/users", json!({ "user": "jane doe" }), "user"),
        ("/v1/users", json!({ "user": "jane", "email": "jane@localhost" }), "email"),
        ("/v1/users", json!({ "user": "jane", "email": "a@x.org\r\nBcc: b@x.org" }), "email"),
        ("/v1/users", json!({ "user": "jane", "phone": "07700900123" }), "phone"),
        ("/v1/users", json!({ "user": "jane", "locale": "english please" }), "locale"),
        ("/v1/users", json!({ "user": "jane", "display_name": "a\nb" }), "display_name"),
        ("/v1/users/jane/tokens", json!({ "kind": "yubikey" }), "kind"),
        ("/v1/users/jane/tokens", json!({ "digits": 9 }), "digits"),
        ("/v1/users/jane/tokens", json!({ "period": 10 }), "period"),
        ("/v1/users/jane/tokens", json!({ "kind": "hotp", "period": 30 }), "period"),
        ("/v1/users/jane/tokens", json!({ "algorithm": "MD5" }), "algorithm"),
        ("/v1/tokens/OTP000000000000/push", json!({ "channel": "pigeon" }), "channel"),
    ];
    for (path, body, field) in cases {
        let answer = tenant.post(path, &body).await;
        expect_problem(&answer, 400, "invalid-request");
        assert_eq!(text(&answer.body, "field"), field, "{}", answer.body);
    }
    for (query, field) in [
        ("user=", "user"),
        ("user=jane&limit=0", "limit"),
        ("user=jane&limit=101", "limit"),
        ("user=jane&cursor=%21", "cursor"),
        ("cursor=eA", "cursor"),
        ("status=lost", "status"),
        ("channel=pigeon", "channel"),
        ("gateway=No%20Such", "gateway"),
        ("from=yesterday", "from"),
        ("to=2027-01-15T09:00:00+01:00", "to"),
        ("from=2027-01-15T09:00:00Z&to=2027-01-15T09:00:00%2B01:00", "to"),
    ] {
        let answer = tenant.get(&format!("/v1/messages?{query}")).await;
        expect_problem(&answer, 400, "invalid-request");
        assert_eq!(text(&answer.body, "field"), field, "{}", answer.body);
    }
    expect_problem(&tenant.get("/v1/messages?usr=jane").await, 400, "invalid-request");
    let platform = tenant.world.platform_key().await.expect("the platform key");
    for (body, field) in [
        (json!({ "tenant": "Acme", "name": "Acme" }), "tenant"),
        (json!({ "tenant": "platform", "name": "Acme" }), "tenant"),
        (json!({ "tenant": "acme", "name": "" }), "name"),
    ] {
        let answer = tenant.api.post("/v1/tenants", &platform, &body).await.expect("an answer");
        expect_problem(&answer, 400, "invalid-request");
        assert_eq!(text(&answer.body, "field"), field);
    }
}

async fn bad_keys() {
    let tenant = Tenant::new().await;
    let body = json!({ "user": "jane", "code": "123456" });
    let url = format!("{}/v1/verify", tenant.world.api_base());
    let missing = reqwest::Client::new().post(&url).json(&body).send().await.expect("an answer");
    assert_eq!(missing.headers()["www-authenticate"], "Bearer realm=\"otpost\"");
    assert_eq!(missing.status(), 401);
    let app = tenant.key("app");
    let (head, _) = app.rsplit_once('_').expect("a key");
    let id = head.split('_').nth(1).expect("an id");
    let forged_id = otpost_domain::ids::KeyId::try_from(id).expect("an id");
    let (forged, _) = otpost_domain::apikey::mint(&forged_id, &[1; 32]);
    let unknown_id = otpost_domain::ids::KeyId::new(&forged_id.tenant(), [1; 8]);
    let (unknown, _) = otpost_domain::apikey::mint(&unknown_id, &[1; 32]);
    let mut told = Vec::new();
    for key in ["nonsense", head, &app.to_uppercase(), forged.expose(), unknown.expose()] {
        let answer = tenant.api.post("/v1/verify", key, &body).await.expect("an answer");
        expect_problem(&answer, 401, "unauthorized");
        told.push(text(&answer.body, "detail"));
    }
    assert_eq!(told[3], told[4], "a wrong secret and an unknown key are told alike");
    assert!(told[0].contains("otp_<key id>_<secret>_<checksum>"), "{}", told[0]);
    let wrong_role = tenant.api.post("/v1/verify", tenant.key("operator"), &body).await.expect("an answer");
    expect_problem(&wrong_role, 403, "forbidden");
    let platform = tenant.world.platform_key().await.expect("the platform key");
    expect_problem(
        &tenant.api.post("/v1/verify", &platform, &body).await.expect("an answer"),
        403,
        "forbidden",
    );
    let wrong = format!("otp_platform_{}", "a".repeat(48));
    let new = json!({ "tenant": "acme", "name": "Acme" });
    expect_problem(
        &tenant.api.post("/v1/tenants", &wrong, &new).await.expect("an answer"),
        401,
        "unauthorized",
    );
}

async fn codes_of_any_form() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    for code in ["", "12345", "123456789", "12345a", "١٢٣٤٥٦", "１２３４５６", "-123456", "1e5000"]
    {
        let answer = tenant.verify("jane", code).await;
        expect_problem(&answer, 400, "invalid-request");
        assert_eq!(text(&answer.body, "field"), "code", "{code}");
    }
    let right = enrolled.app.next_code();
    let (head, tail) = right.split_at(3);
    expect(&tenant.verify("jane", &format!(" {head} {tail}\u{a0}")).await, 200);
}

async fn things_that_are_not_there() {
    let tenant = Tenant::new().await;
    for path in [
        "/v1/users/nobody",
        "/v1/users/nobody/tokens",
        "/v1/users/not%20a%20name",
        "/v1/tokens/OTP000000000000",
        "/v1/tokens/%00",
        "/v1/messages/msg_00000000000000000000000000",
        "/v1/messages/nonsense",
    ] {
        expect_problem(&tenant.get(path).await, 404, "not-found");
    }
    for key in ["nonsense", "QpEhKJTwlWfMokNIbSIcbfM_DcvJkW0warsc5xNoT_U"] {
        let path = format!("/v1/suppressions/{key}");
        let operator = tenant.key("operator");
        let answer = tenant.api.send(reqwest::Method::DELETE, &path, operator, None).await;
        expect_problem(&answer.expect("an answer"), 404, "not-found");
    }
    expect_problem(&tenant.post("/v1/users/nobody/tokens", &json!({})).await, 404, "not-found");
    let push = tenant.post("/v1/tokens/OTP000000000000/push", &json!({ "channel": "email" })).await;
    expect_problem(&push, 404, "not-found");
}

/// Wrong code, replayed code, user without a token, unknown user: the same status, type, words and headers.
async fn what_is_told_of_users_is_the_same() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    tenant.provisioned("joe").await;
    let wrong = if enrolled.app.next_code() == "000000" { "000001" } else { "000000" };
    let mut told: Vec<Value> = Vec::new();
    for (user, code) in
        [("jane", wrong), ("jane", enrolled.first_code.as_str()), ("joe", wrong), ("nobody", wrong)]
    {
        let mut answer = tenant.verify(user, code).await;
        expect_problem(&answer, 422, "invalid-code");
        answer.body.as_object_mut().expect("an object").remove("instance");
        told.push(answer.body);
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
}

async fn states_that_do_not_allow_it() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let push = |channel: &'static str| json!({ "channel": channel });
    let path = format!("/v1/tokens/{}/push", enrolled.serial);
    let active = tenant.post(&path, &push("email")).await;
    expect_problem(&active, 409, "not-allowed-now");
    assert!(text(&active.body, "detail").contains("active"), "{}", active.body);
    expect_problem(&tenant.post(&path, &push("sms")).await, 409, "not-allowed-now");
    expect_problem(&tenant.post("/v1/users", &json!({ "user": "JANE" })).await, 409, "already-exists");
    expect(&tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
    let token = tenant.post("/v1/users/bare/tokens", &json!({})).await;
    let path = format!("/v1/tokens/{}/push", text(&token.body, "serial"));
    let bare = tenant.post(&path, &push("email")).await;
    expect_problem(&bare, 409, "not-allowed-now");
    assert!(text(&bare.body, "detail").contains("no address"), "{}", bare.body);
    for _ in 0..9 {
        expect(&tenant.post("/v1/users/bare/tokens", &json!({})).await, 201);
    }
    expect_problem(&tenant.post("/v1/users/bare/tokens", &json!({})).await, 409, "not-allowed-now");
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let again = json!({ "tenant": tenant.id, "name": "Again" });
    expect_problem(
        &tenant.api.post("/v1/tenants", &platform, &again).await.expect("an answer"),
        409,
        "already-exists",
    );
    let nobody = json!({ "tenant": "nobody-here", "role": "app", "name": "x" });
    expect_problem(
        &tenant.api.post("/v1/keys", &platform, &nobody).await.expect("an answer"),
        404,
        "not-found",
    );
}

/// What scanners send, as API Gateway may hand it on.
async fn odd_query_strings_are_answered() {
    let world = world().await;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/admin/list-messages.json");
    let mut event: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("an event")).expect("JSON");
    for query in ["user=a<b", "user=\"x\"&limit= 1", "<script>alert(1)</script>", "a=\u{1}"] {
        event["rawQueryString"] = json!(query);
        let answer = world.invoke("admin", &event).await.expect("the function");
        assert_eq!(answer.error, None, "{query}: {}", answer.payload);
        assert_eq!(answer.payload["statusCode"], 401, "{query}: {}", answer.payload);
    }
}

/// The order of our fields is nobody's business.
async fn a_list_is_no_object() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let nothing = json!([null, null, null, null, null]);
    let operator = tenant.key("operator");
    let patched = tenant.api.send(reqwest::Method::PATCH, "/v1/users/jane", operator, Some(&nothing)).await;
    expect_problem(&patched.expect("an answer"), 400, "invalid-request");
    for (path, body) in [
        ("/v1/users".to_owned(), json!(["joe", null, null, null, null])),
        ("/v1/users/jane/tokens".to_owned(), json!([])),
        (format!("/v1/tokens/{serial}/push"), json!(["email", null])),
        (format!("/v1/tokens/{serial}/revoke"), json!(["why"])),
    ] {
        expect_problem(&tenant.post(&path, &body).await, 400, "invalid-request");
    }
    let kept = tenant.get("/v1/users/jane").await;
    assert_eq!(kept.body["display_name"], "Jane <b>Doe</b>");
    let device = otpost_local::device::Device::new(1).expect("a key");
    for body in [
        json!({ "device": ["ios", null, "phone", null, null, [true, true]] }),
        json!({ "device": { "os": "ios", "type": "phone", "push": [true, true] } }),
    ] {
        let refused = device.send(&tenant.api, reqwest::Method::POST, "/v1/activations/x", &body).await;
        expect_problem(&refused.expect("an answer"), 400, "invalid-request");
    }
}
