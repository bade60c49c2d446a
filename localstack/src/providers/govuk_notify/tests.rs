use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::*;
use crate::ports;
use crate::proxy::client;

const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";

struct Room {
    notify: GovukNotify,
    phone: Phone,
}

impl Room {
    fn new() -> Self {
        let phone = Phone::default();
        Self { notify: GovukNotify::start(ports::listen(None).unwrap(), phone.clone()).unwrap(), phone }
    }

    async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let request = client().request(method, format!("{}{path}", self.notify.url));
        let request = request.header("authorization", token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn send(&self, body: Value) -> (u16, Value) {
        self.ask(Method::POST, "/v2/notifications/sms", &token(LIVE_KEY, &claims(0)), Some(body)).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, &token(LIVE_KEY, &claims(0)), None).await
    }

    /// What one text says on the phone.
    async fn shown(&self, text: &str) -> String {
        let (status, answer) = self.send(request(&json!({ "message": text }))).await;
        assert_eq!(status, 201, "{answer}");
        self.phone.texts().pop().unwrap().body
    }
}

fn request(personalisation: &Value) -> Value {
    json!({ "phone_number": "+447700900123", "template_id": TEMPLATE, "personalisation": personalisation })
}

fn to(number: &str) -> Value {
    json!({ "phone_number": number, "template_id": TEMPLATE, "personalisation": { "message": "Hello" } })
}

/// Claims of a token that was made so many seconds ago.
fn claims(ago: i64) -> Value {
    json!({ "iss": SERVICE, "iat": host::unix_time().checked_add_signed(-ago).unwrap() })
}

/// Claims of a token of this moment.
pub(super) fn claims_of(service: &str) -> Value {
    json!({ "iss": service, "iat": host::unix_time() })
}

pub(super) fn token(key: &str, claims: &Value) -> String {
    signed(&key[key.len() - 36..], r#"{"typ":"JWT","alg":"HS256"}"#, claims)
}

fn signed(secret: &str, header: &str, claims: &Value) -> String {
    let text = format!(
        "{}.{}",
        BASE64URL_NOPAD.encode(header.as_bytes()),
        BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, text.as_bytes());
    format!("Bearer {text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
}

/// Types and messages of an answer's errors.
fn errors(answer: &Value) -> Vec<String> {
    let text = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
    let errors = answer["errors"].as_array().unwrap().iter();
    errors.map(|error| format!("{} {}", text(error, "error"), text(error, "message"))).collect()
}

#[tokio::test]
async fn a_text_is_taken_arrives_and_is_found() {
    let room = Room::new();
    let mut body = request(&json!({ "message": "Your code is 482913" }));
    body["reference"] = json!("msg_1 & more");
    let (status, answer) = room.send(body).await;
    assert_eq!(status, 201);
    let id = answer["id"].as_str().unwrap().to_owned();
    assert!(form::is_uuid(&id));
    assert_eq!(answer["reference"], "msg_1 & more");
    assert_eq!(answer["content"], json!({ "body": "Your code is 482913", "from_number": "GOVUK" }));
    assert_eq!(answer["template"]["id"], TEMPLATE);
    assert_eq!(answer["scheduled_for"], Value::Null);

    let texts = room.phone.texts();
    assert_eq!(texts.len(), 1);
    assert_eq!((texts[0].to.as_str(), texts[0].by), ("+447700900123", "govuk_notify"));
    assert_eq!((texts[0].from.as_str(), texts[0].body.as_str()), ("GOVUK", "Otpost: Your code is 482913"));

    let (_, list) = room.get("/v2/notifications?template_type=sms&reference=msg_1%20%26%20more").await;
    assert_eq!(list["notifications"].as_array().unwrap().len(), 1);
    let row = &list["notifications"][0];
    assert_eq!(
        (&row["id"], &row["status"], &row["reference"]),
        (&answer["id"], &json!("delivered"), &answer["reference"])
    );
    assert_eq!(room.get(&format!("/v2/notifications/{id}")).await, (200, row.clone()));
    for none in ["reference=msg_1", "template_type=email"] {
        let (_, list) = room.get(&format!("/v2/notifications?{none}")).await;
        assert_eq!(list["notifications"], json!([]), "{none}");
    }
    let (_, second) = room.send(to("+447700900123")).await;
    assert_ne!(second["id"], answer["id"]);
}

#[tokio::test]
async fn only_a_token_of_a_known_key_and_of_this_minute_is_let_in() {
    let room = Room::new();
    let header = r#"{"typ":"JWT","alg":"HS256"}"#;
    let secret = &LIVE_KEY[LIVE_KEY.len() - 36..];
    let bytes =
        String::from_utf8_lossy(&data_encoding::HEXLOWER.decode(secret.replace('-', "").as_bytes()).unwrap())
            .into_owned();
    let with = |name: &str, value: Value| {
        let mut claims = claims(0);
        claims[name] = value;
        token(LIVE_KEY, &claims)
    };
    let unknown = "AuthError Invalid token: API key not found";
    let clock = "AuthError Error: Your system clock must be accurate to within 30 seconds";
    for (authorization, status, error) in [
        (String::new(), 401, "AuthError Unauthorized: authentication token must be provided"),
        ("Basic abc".to_owned(), 401, "AuthError Unauthorized: authentication bearer scheme must be used"),
        (
            "Bearer abc".to_owned(),
            403,
            "AuthError Invalid token: make sure your API token matches the example",
        ),
        (token(LIVE_KEY, &claims(40)), 403, clock),
        (token(LIVE_KEY, &claims(-40)), 403, clock),
        (signed(&bytes, header, &claims(0)), 403, unknown),
        (signed(SERVICE, header, &claims(0)), 403, unknown),
        (
            signed(secret, r#"{"typ":"JWT","alg":"none"}"#, &claims(0)),
            403,
            "AuthError Invalid token: make sure your API token matches the example",
        ),
        (with("exp", json!(1)), 403, unknown),
        (with("aud", json!("notify")), 403, unknown),
        (token(LIVE_KEY, &json!({ "iss": SERVICE })), 403, unknown),
        (with("iss", json!("me")), 403, "AuthError Invalid token: service id is not the right data type"),
        (with("iss", json!(TEMPLATE)), 403, "AuthError Invalid token: service not found"),
        (with("iss", json!(7)), 403, "AuthError Invalid token: iss field not provided"),
        (token(REVOKED_KEY, &claims(0)), 403, "AuthError Invalid token: API key revoked"),
    ] {
        for (method, path) in [(Method::POST, "/v2/notifications/sms"), (Method::GET, "/v2/notifications")] {
            let (told, answer) = room.ask(method, path, &authorization, None).await;
            assert_eq!((told, errors(&answer)), (status, vec![error.to_owned()]), "{authorization}");
            assert_eq!(answer["status_code"], status);
        }
    }
    for (key, ago) in [(LIVE_KEY, 25), (LIVE_KEY, -25), (TEST_KEY, 0), (TEAM_KEY, 0)] {
        let found = room.ask(Method::GET, "/v2/notifications", &token(key, &claims(ago)), None).await;
        assert_eq!(found.0, 200);
    }
    assert_eq!(room.phone.texts(), []);
}

#[tokio::test]
async fn the_form_of_a_request_is_strict_and_all_faults_are_told() {
    let room = Room::new();
    let long = "x".repeat(1_001);
    for (member, value, error) in [
        ("to", json!("x"), "Additional properties are not allowed (to was unexpected)"),
        ("template_id", json!("7"), "template_id is not a valid UUID"),
        ("template_id", json!(7), "template_id is not a valid UUID"),
        ("sms_sender_id", json!("GOVUK"), "sms_sender_id is not a valid UUID"),
        ("personalisation", json!("x"), "personalisation \"x\" is not of type object"),
        ("reference", json!(long), "reference is too long"),
        ("reference", json!(7), "reference 7 is not of type string"),
        ("phone_number", json!(7), "phone_number 7 is not of type string"),
    ] {
        let mut body = to("+447700900123");
        body[member] = value;
        let (status, answer) = room.send(body).await;
        assert_eq!((status, errors(&answer)), (400, vec![format!("ValidationError {error}")]));
    }
    let (_, answer) = room.send(json!({ "a": 1, "b": 2, "reference": 3 })).await;
    assert_eq!(
        errors(&answer),
        [
            "ValidationError phone_number is a required property",
            "ValidationError template_id is a required property",
            "ValidationError Additional properties are not allowed (a, b were unexpected)",
            "ValidationError reference 3 is not of type string",
        ]
    );
    let (_, answer) = room.send(json!([1])).await;
    assert_eq!(errors(&answer), ["ValidationError [1] is not of type object"]);
    let path = format!("{}/v2/notifications/sms", room.notify.url);
    let broken = client().post(path).header("authorization", token(LIVE_KEY, &claims(0))).body("{");
    let answer = broken.send().await.unwrap().json().await.unwrap();
    assert_eq!(errors(&answer), ["BadRequestError Invalid JSON supplied in POST data"]);
    let mut body = to("+447700900123");
    body["scheduled_for"] = Value::Null;
    body["sms_sender_id"] = json!(TEMPLATE);
    assert_eq!(room.send(body.clone()).await.0, 201);
    body["sms_sender_id"] = json!(SENDER_MISSING);
    assert!(errors(&room.send(body).await.1)[0].starts_with("BadRequestError sms_sender_id"));
}

#[tokio::test]
async fn numbers_are_looked_at_as_notify_does() {
    let room = Room::new();
    for (number, reached) in [
        ("07700900123", "+447700900123"),
        ("+44 (0)7700 900-123", "+447700900123"),
        ("00447700900123", "+447700900123"),
        ("447700900123", "+447700900123"),
        ("+4915112345678", "+4915112345678"),
        ("+15005550006", "+15005550006"),
    ] {
        assert_eq!(room.send(to(number)).await.0, 201, "{number}");
        assert_eq!(room.phone.texts().pop().unwrap().to, reached);
    }
    for (number, error) in [
        ("+4477009", "ValidationError phone_number Not enough digits"),
        ("077009001234", "ValidationError phone_number Too many digits"),
        ("+44770090012a", "ValidationError phone_number Must not contain letters or symbols"),
        ("", "ValidationError phone_number Not enough digits"),
        ("+448000000000", "ValidationError phone_number Not a UK mobile number"),
        ("+0123456789", "ValidationError phone_number Not a valid country prefix"),
        ("+4912", "ValidationError phone_number Not enough digits"),
        ("+4912345678901234", "ValidationError phone_number Too many digits"),
        ("+442079460000", "InvalidPhoneError Not a UK mobile number"),
        ("01632960000", "InvalidPhoneError Not a UK mobile number"),
    ] {
        let (status, answer) = room.send(to(number)).await;
        assert_eq!((status, errors(&answer)), (400, vec![error.to_owned()]), "{number}");
    }
}

#[tokio::test]
async fn values_go_into_texts_by_notifys_rules() {
    let room = Room::new();
    for (text, shown) in [
        ("  Hello \n", "Otpost: Hello"),
        ("“Hello” – it’s…", "Otpost: \"Hello\" - it's..."),
        ("ž Ł ä é", "Otpost: z L ä é"),
        ("go 😀 漢", "Otpost: go ? ?"),
        ("a\tb\u{a0}c\u{200b}d", "Otpost: a b cd"),
        ("ŵ Ŷ", "Otpost: ŵ Ŷ"),
        ("((message)) {€}", "Otpost: ((message)) {€}"),
    ] {
        assert_eq!(room.shown(text).await, shown);
    }
    assert_eq!(room.shown(&"x".repeat(918)).await.len(), 918 + "Otpost: ".len());
    let mut code = request(&json!({ "C_o-d e": " 482913 ", "unused": [1] }));
    code["template_id"] = json!(TEMPLATE_CODE);
    assert_eq!(room.send(code).await.0, 201);
    let shown = room.phone.texts().pop().unwrap().body;
    assert_eq!(shown, "Otpost: Your code is 482913. Do not give it to anybody.");
}

#[tokio::test]
async fn texts_that_no_template_makes_are_refused() {
    let room = Room::new();
    let count = "Text messages cannot be longer than 918 characters. Your message is";
    for (template, values, error) in [
        (TEMPLATE, json!({}), "Missing personalisation: message".to_owned()),
        (TEMPLATE, json!({ "message": null }), "Missing personalisation: message".to_owned()),
        (TEMPLATE_CODE, json!({ "message": "x" }), "Missing personalisation: code".to_owned()),
        (TEMPLATE, json!({ "message": " \u{200b} " }), "Your message is empty.".to_owned()),
        (TEMPLATE, json!({ "message": "x".repeat(919) }), format!("{count} 919 characters")),
        (TEMPLATE, json!({ "message": "…".repeat(307) }), format!("{count} 921 characters")),
        (
            TEMPLATE_EMAIL,
            json!({ "message": "x" }),
            "email template is not suitable for sms notification".to_owned(),
        ),
        (TEMPLATE_DELETED, json!({ "message": "x" }), "Template has been deleted".to_owned()),
        (TEMPLATE_MISSING, json!({ "message": "x" }), "Template not found".to_owned()),
    ] {
        let mut body = request(&values);
        body["template_id"] = json!(template);
        let (status, answer) = room.send(body).await;
        assert_eq!((status, errors(&answer)), (400, vec![format!("BadRequestError {error}")]));
    }
    assert_eq!(room.phone.texts(), []);
}

#[tokio::test]
async fn templates_are_shown() {
    let room = Room::new();
    for (id, kind, key) in [
        (TEMPLATE, "sms", "message"),
        (TEMPLATE_CODE, "sms", "code"),
        (TEMPLATE_EMAIL, "email", "message"),
        (TEMPLATE_DELETED, "sms", "message"),
    ] {
        let (status, template) = room.get(&format!("/v2/template/{id}")).await;
        assert_eq!((status, &template["type"], &template["id"]), (200, &json!(kind), &json!(id)));
        assert_eq!(template["personalisation"], json!({ key: { "required": true } }));
        assert!(template["body"].as_str().unwrap().contains(&format!("(({key}))")));
    }
    let (status, answer) = room.get(&format!("/v2/template/{TEMPLATE_MISSING}")).await;
    assert_eq!((status, errors(&answer)), (404, vec!["NoResultFound No result found".to_owned()]));
    let (status, answer) = room.get("/v2/template/7").await;
    assert_eq!((status, errors(&answer)), (400, vec!["ValidationError id is not a valid UUID".to_owned()]));
    let (status, _) = room.get(&format!("/v2/notifications/{TEMPLATE}")).await;
    assert_eq!(status, 404);
    let (status, answer) = room.get("/v3/elsewhere").await;
    assert_eq!((status, &answer["result"], answer.get("errors")), (404, &json!("error"), None));
}

#[tokio::test]
async fn smoke_numbers_are_validated_and_forgotten() {
    let room = Room::new();
    for number in ["07700900000", "+447700900111", "07700900222"] {
        let mut body = to(number);
        body["reference"] = json!("smoke");
        assert_eq!(room.send(body).await.0, 201);
    }
    assert_eq!(room.phone.texts(), []);
    assert_eq!(room.get("/v2/notifications?reference=smoke").await.1["notifications"], json!([]));
}

#[tokio::test]
async fn a_test_key_rehearses_and_a_teams_key_reaches_nobody() {
    let room = Room::new();
    for (number, status) in [
        ("07700900002", "permanent-failure"),
        ("+447700900003", "temporary-failure"),
        ("07700900123", "delivered"),
    ] {
        let mut body = to(number);
        body["reference"] = json!(number);
        let test = token(TEST_KEY, &claims(0));
        let sent = room.ask(Method::POST, "/v2/notifications/sms", &test, Some(body)).await;
        assert_eq!(sent.0, 201);
        let (_, row) = room.get(&format!("/v2/notifications/{}", sent.1["id"].as_str().unwrap())).await;
        assert_eq!((&row["status"], &row["phone_number"]), (&json!(status), &json!(number)));
    }
    let team = token(TEAM_KEY, &claims(0));
    let (status, answer) =
        room.ask(Method::POST, "/v2/notifications/sms", &team, Some(to("07700900123"))).await;
    assert_eq!((status, answer["errors"][0]["error"].as_str()), (400, Some("BadRequestError")));
    assert_eq!(room.phone.texts(), []);
}
