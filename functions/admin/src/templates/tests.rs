//! Templates over HTTP: what operators see of faults, previews and versions.

use lambda_http::http::StatusCode;
use lambda_http::{Body, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_service::memory::MemoryPorts;
use otpost_service::sample::{SamplePlatformKey, key, sample_world};
use serde_json::{Map, Value, json};

async fn call(
    ports: &MemoryPorts,
    method: &str,
    path: &str,
    body: Option<Value>,
    seen: Option<&str>,
) -> Response<Body> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let bearer = format!("Bearer {}", key(Role::Admin).1.expose());
    let mut headers = json!({ "authorization": bearer, "content-type": "application/json" });
    if let Some(seen) = seen {
        headers["if-match"] = json!(seen);
    }
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
        "queryStringParameters": pairs,
        "requestContext": {
            "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
            "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
        },
        "body": body.map(|body| body.to_string()).unwrap_or_default(), "isBase64Encoded": false,
    });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    crate::handle(ports, &KeyRing::new(SamplePlatformKey), request).await
}

fn text(response: &Response<Body>) -> &str {
    match response.body() {
        Body::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn body(response: &Response<Body>) -> Value {
    serde_json::from_str(text(response)).unwrap()
}

#[tokio::test]
async fn all_faults_are_told_with_pointer_line_and_column() {
    let ports = sample_world().await;
    let wrong = json!({
        "email": { "subject": "Code: %code%", "text": "Hello\n[[QRCODE]]", "html": "<p>\n<script>x</script></p>" },
        "sms": { "text": "Hello [[FOO]]" },
    });
    let response = call(&ports, "PUT", "/v1/templates/email_otp.en", Some(wrong), None).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body = body(&response);
    let told: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let place = (error["line"].as_u64(), error["column"].as_u64());
            (error["pointer"].as_str().unwrap().to_owned(), place)
        })
        .collect();
    let at = |pointer: &str, line, column| (pointer.to_owned(), (Some(line), Some(column)));
    assert_eq!(
        told,
        [
            at("/email/subject", 1, 7),
            at("/email/text", 1, 1),
            at("/email/text", 2, 1),
            at("/email/html", 1, 1),
            at("/email/html", 2, 1),
            at("/sms/text", 1, 1),
            at("/sms/text", 1, 7),
        ],
        "{body:#}"
    );
    assert_eq!(body["detail"], "7 things in the document are wrong; see errors.");
}

#[tokio::test]
async fn an_answer_tells_how_large_the_text_message_is() {
    let ports = sample_world().await;
    let document = json!({ "sms": { "text": "Bitte eingeben: „%code%“" } });
    let response = call(&ports, "PUT", "/v1/templates/email_otp.de", Some(document), None).await;
    assert_eq!(response.status(), StatusCode::CREATED, "{:?}", response.body());
    let body = body(&response);
    let forced = json!({ "character": "„", "code_point": "U+201E", "line": 1, "column": 17 });
    let expected =
        json!({ "encoding": "ucs_2", "characters": 24, "units": 24, "parts": 1, "forced_by": forced });
    assert_eq!(body["sms_size"], expected);
    assert_eq!((body["version"].as_u64(), body["demands"].as_str()), (Some(1), Some("[[CODE]]")));
    assert_eq!(response.headers()["etag"], "\"1\"");
    assert!(body["senders"].as_array().is_some_and(|senders| !senders.is_empty()), "{body:#}");
}

#[tokio::test]
async fn a_preview_is_shown_as_json_page_and_text_and_in_the_dark() {
    let ports = sample_world().await;
    let preview = async |order: Value| {
        call(&ports, "POST", "/v1/templates/push_token.en/preview", Some(order), None).await
    };
    let shown = body(&preview(json!({ "display_name": "<b>Jo</b>" })).await);
    assert_eq!(shown["email"]["subject"], "Set up your security codes for Acme");
    let html = shown["email"]["html"].as_str().unwrap();
    assert!(
        html.contains("src=\"data:image/png;base64,")
            && html.contains("&lt;b&gt;Jo")
            && !html.contains("cid:")
    );
    assert!(shown["email"]["text"].as_str().unwrap().contains("/e/AAAAAAAA"));
    assert!(shown["sms"]["text"].as_str().unwrap().starts_with("Acme"));
    let page = preview(json!({ "as": "html" })).await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert!(
        page.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("sandbox; default-src 'none'")
    );
    assert!(text(&page).starts_with("<!DOCTYPE html>") && text(&page).contains("@media (max-width: 0)"));
    let dark = preview(json!({ "as": "html", "scheme": "dark" })).await;
    assert!(text(&dark).contains("@media (min-width: 0)") && !text(&dark).contains("prefers-color-scheme"));
    assert!(text(&dark).contains("content=\"dark\""));
    let plain = preview(json!({ "as": "text", "authorization_code": false })).await;
    assert!(text(&plain).starts_with("From: Acme\nSubject: Set up") && !text(&plain).contains("K7TM"));
    let wrong = preview(json!({ "as": "pdf" })).await;
    assert_eq!(wrong.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_draft_is_previewed_and_not_kept() {
    let ports = sample_world().await;
    let path = "/v1/templates/enrolled.fr";
    let preview = format!("{path}/preview");
    let draft = json!({ "document": { "sms": { "text": "C'est fait: [[TENANT]]" } } });
    let shown = call(&ports, "POST", &preview, Some(draft), None).await;
    assert_eq!(body(&shown)["sms"]["text"], "C'est fait: Acme");
    let wrong = json!({ "document": { "sms": { "text": "[[CODE]]" } } });
    let refused = call(&ports, "POST", &preview, Some(wrong), None).await;
    assert_eq!(body(&refused)["errors"][0]["pointer"], "/document/sms/text");
    assert_eq!(call(&ports, "GET", path, None, None).await.status(), StatusCode::NOT_FOUND);
    let none = call(&ports, "POST", &preview, Some(json!({})), None).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND, "there is nothing to be shown");
    let page = json!({ "as": "html", "document": { "sms": { "text": "x" } } });
    let refused = call(&ports, "POST", &preview, Some(page), None).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn versions_are_shown_and_brought_back() {
    let ports = sample_world().await;
    let path = "/v1/templates/mobile_code.en";
    let shown = call(&ports, "GET", path, None, None).await;
    assert_eq!(body(&shown)["sms"]["text"], "Your code, which you need once: %code%");
    assert_eq!(shown.headers()["etag"], "\"2\"");
    let back = json!({ "version": 1 });
    let lost = call(&ports, "POST", &format!("{path}/rollback"), Some(back.clone()), Some("\"1\"")).await;
    assert_eq!(lost.status(), StatusCode::PRECONDITION_FAILED);
    let done = call(&ports, "POST", &format!("{path}/rollback"), Some(back), Some("\"2\"")).await;
    assert_eq!(body(&done)["repeats"], 1);
    let page = body(&call(&ports, "GET", &format!("{path}/versions?limit=2"), None, None).await);
    let numbers: Vec<_> = page["versions"].as_array().unwrap().iter().map(|v| v["version"].clone()).collect();
    assert_eq!(numbers, [3, 2]);
    let rest = format!("{path}/versions?limit=2&cursor={}", page["next"].as_str().unwrap());
    let rest = body(&call(&ports, "GET", &rest, None, None).await);
    assert_eq!(rest["versions"][0]["version"], 1, "{rest}");
    for missing in ["/versions/9", "/versions/x", "/versions/-1"] {
        let response = call(&ports, "GET", &format!("{path}{missing}"), None, None).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{missing}");
    }
}

#[tokio::test]
async fn bad_names_and_bodies_are_told_apart() {
    let ports = sample_world().await;
    let put = async |name: &str, body: Value| {
        call(&ports, "PUT", &format!("/v1/templates/{name}"), Some(body), None).await
    };
    let unknown = put("welcome.en", json!({})).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    assert!(body(&unknown)["detail"].as_str().unwrap().starts_with("template must be a kind of template"));
    let policy = put("enrolled.en.nobody", json!({ "sms": { "text": "x" } })).await;
    assert_eq!(
        body(&policy)["detail"],
        "template is for the policy nobody, and there is none. Make the policy first."
    );
    let large = json!({ "sms": { "text": "x".repeat(600 * 1024) } });
    assert_eq!(put("enrolled.en", large).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let nothing = put("enrolled.en", json!({})).await;
    assert_eq!(body(&nothing)["errors"][0]["detail"], "must have an email form, an sms form, or both");
}

#[tokio::test]
async fn a_look_is_kept_and_a_bad_one_refused() {
    let ports = sample_world().await;
    let wrong = json!({ "colour": "red", "logo": "iVBORw0KGgo=", "font": "x" });
    let refused = body(&call(&ports, "PUT", "/v1/brand", Some(wrong), None).await);
    let pointers: Vec<_> =
        refused["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(pointers, ["/colour", "/logo", "/font"]);
    let made = call(&ports, "PUT", "/v1/brand", Some(json!({ "colour": "#FFEE00" })), None).await;
    assert_eq!((made.status(), body(&made)["on_colour"].as_str()), (StatusCode::CREATED, Some("#000000")));
    let unseen = call(&ports, "PUT", "/v1/brand", Some(json!({})), None).await;
    assert_eq!(unseen.status(), StatusCode::PRECONDITION_REQUIRED);
    let reset = call(&ports, "PUT", "/v1/brand", Some(json!({})), Some("\"1\"")).await;
    assert_eq!((reset.status(), body(&reset)["colour"].as_str()), (StatusCode::OK, Some("#1a56c4")));
}

#[tokio::test]
async fn a_test_names_an_address_or_a_number() {
    let ports = sample_world().await;
    let path = "/v1/templates/push_token.en/test";
    for wrong in
        [json!({}), json!({ "email": "a@example.org", "phone": "+447700900123" }), json!({ "email": "a" })]
    {
        let response = call(&ports, "POST", path, Some(wrong), None).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    let sent = call(&ports, "POST", path, Some(json!({ "email": "ops@example.org" })), None).await;
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    let id = body(&sent)["message"].as_str().unwrap().to_owned();
    let shown = body(&call(&ports, "GET", &format!("/v1/messages/{id}"), None, None).await);
    assert_eq!((shown["purpose"].as_str(), shown.get("user")), (Some("push_token"), None));
}
