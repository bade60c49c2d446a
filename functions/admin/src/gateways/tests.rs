use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_domain::gateway::{Kind, Part};
use otpost_edge::auth::KeyRing;
use otpost_service::memory::MemoryPorts;
use otpost_service::sample::{self, SamplePlatformKey, sample_world};
use proptest::prelude::*;
use serde_json::{Value, json};

fn request(method: &str, path: &str, key: &str, etag: Option<&str>, body: &str) -> Request {
    let mut headers = json!({ "authorization": format!("Bearer {key}"), "content-type": "application/json" });
    if let Some(etag) = etag {
        headers["if-match"] = json!(etag);
    }
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
        "requestContext": {
            "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
            "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
        },
        "body": body, "isBase64Encoded": false,
    });
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

fn admin() -> String {
    sample::key(Role::Admin).1.expose().to_owned()
}

fn platform() -> String {
    format!("otp_platform_{}", "a".repeat(48))
}

async fn answer(ports: &MemoryPorts, request: Request) -> (u16, Value) {
    let response: Response<Body> = crate::handle(ports, &KeyRing::new(SamplePlatformKey), request).await;
    let body = match response.body() {
        Body::Text(text) => serde_json::from_str(text).unwrap(),
        _ => Value::Null,
    };
    (response.status().as_u16(), body)
}

async fn put(
    ports: &MemoryPorts,
    key: &str,
    gateway: &str,
    etag: Option<&str>,
    body: &Value,
) -> (u16, Value) {
    let path = format!("/v1/gateways/{gateway}");
    answer(ports, request("PUT", &path, key, etag, &body.to_string())).await
}

async fn get(ports: &MemoryPorts, key: &str, path: &str) -> (u16, Value) {
    answer(ports, request("GET", path, key, None, "")).await
}

#[tokio::test]
async fn credentials_are_told_by_their_parts() {
    let ports = sample_world().await;
    let (status, shown) = get(&ports, &admin(), "/v1/gateways/mail").await;
    assert_eq!(status, 200);
    let credentials = &shown["credentials"];
    assert_eq!((&credentials["set"], &credentials["parts"]), (&json!(true), &json!(["user", "password"])));
    assert_eq!(credentials["set_at"], "2027-01-15T08:00:00Z");
    assert_eq!((&shown["ready"], &shown["owner"]), (&json!(true), &json!("tenant")));
    assert!(!shown.to_string().contains("sample-password") && shown.get("tenants").is_none());
    let settings = json!({ "host": "mail.example.net", "port": 587, "authentication": "plain", "from": { "address": "a@example.org" } });
    let moved = json!({ "name": "Mail", "kind": "smtp", "settings": settings });
    let (status, looked_over) =
        answer(&ports, request("POST", "/v1/gateways/mail/validate", &admin(), None, &moved.to_string()))
            .await;
    assert_eq!((status, &looked_over["credentials"]), (200, &json!("voided")));
    assert_eq!((&looked_over["voided_pins"], &looked_over["new"]), (&json!(["texts"]), &json!(false)));
    let (status, kept) = put(&ports, &admin(), "mail", Some("\"1\""), &moved).await;
    assert_eq!((status, &kept["credentials_were"], &kept["ready"]), (200, &json!("voided"), &json!(false)));
    assert_eq!(kept["credentials"], json!({ "set": false, "parts": [] }));
    assert_eq!(kept["warnings"][0]["pointer"], "/credentials");
    assert!(ports.secrets().is_empty());
}

#[tokio::test]
async fn what_the_platform_lends_is_shown_without_its_settings() {
    let ports = sample_world().await;
    let (_, lent) = get(&ports, &admin(), "/v1/gateways/ses").await;
    let told = json!({ "gateway": "ses", "owner": "platform", "name": "Mail of the platform", "kind": "ses", "enabled": true, "hidden": false });
    assert_eq!(lent, told);
    let (_, listed) = get(&ports, &admin(), "/v1/gateways").await;
    assert_eq!(listed["gateways"].as_array().unwrap().len(), 3);
    assert_eq!(listed["gateways"][2], told);
    let (_, own) = get(&ports, &platform(), "/v1/gateways").await;
    assert_eq!(own["gateways"].as_array().unwrap().len(), 1);
    assert_eq!(own["gateways"][0]["tenants"], json!({ "named": ["acme"] }));
    for path in ["/v1/gateways/mail", "/v1/gateways/texts"] {
        assert_eq!(get(&ports, &platform(), path).await.0, 404, "a tenant's are not the platform's");
    }
    let (status, taken) = put(&ports, &admin(), "ses", None, &json!({
        "name": "x", "kind": "smtp", "settings": { "host": "x.example", "port": 465, "from": { "address": "a@x.example" } },
    }))
    .await;
    assert_eq!((status, &taken["type"]), (409, &json!("urn:otpost:problem:already-exists")));
}

#[tokio::test]
async fn every_fault_is_told_and_nothing_that_was_written() {
    let ports = sample_world().await;
    let wrong = json!({
        "name": "", "kind": "smtp", "tenants": { "all": true }, "countries": ["GB"],
        "settings": { "host": "not a host", "port": 0, "authentication": "plain", "colour": "red" },
        "credentials": { "user": "somebody", "password": "topsecret\u{7}" },
    });
    let (status, told) = put(&ports, &admin(), "new", None, &wrong).await;
    assert_eq!(status, 400);
    let pointers: Vec<_> =
        told["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    for pointer in [
        "/name",
        "/tenants",
        "/countries",
        "/settings/host",
        "/settings/port",
        "/settings/from",
        "/settings/colour",
        "/credentials/password",
    ] {
        assert!(pointers.contains(&pointer), "{pointer}: {pointers:?}");
    }
    assert!(!told.to_string().contains("topsecret") && !told.to_string().contains("somebody"));
    assert_eq!(put(&ports, &admin(), "Bad%20Id", None, &wrong).await.1["field"], "gateway");
}

#[tokio::test]
async fn routes_that_lead_nowhere_are_explained() {
    let ports = sample_world().await;
    let policy = json!({
        "applies_to": { "everyone": true },
        "settings": {
            "email_routes": [{ "gateway": "ses" }, { "gateway": "mail" }, { "gateway": "none" }],
            "sms_routes": [{ "gateway": "ses" }, { "gateway": "texts" }],
        },
    });
    let body = json!({ "user": "jane", "document": policy }).to_string();
    let previewed = answer(&ports, request("POST", "/v1/policies/all/preview", &admin(), None, &body)).await;
    let warned = |body: &Value| -> Vec<(String, String)> {
        let text = |warning: &Value, name: &str| warning[name].as_str().unwrap().to_owned();
        let all = body["warnings"].as_array().unwrap().iter();
        all.map(|warning| (text(warning, "setting"), text(warning, "detail")))
            .filter(|(_, detail)| detail.contains("passed over"))
            .collect()
    };
    let told = warned(&previewed.1);
    let of = |setting: &str| told.iter().filter(|(of, _)| of == setting).count();
    assert_eq!((of("email_routes"), of("sms_routes")), (1, 1), "{told:?}");
    assert_eq!(
        answer(&ports, request("PUT", "/v1/policies/all", &admin(), None, &policy.to_string())).await.0,
        201
    );
    let explained = get(&ports, &admin(), "/v1/users/jane/explain").await;
    assert_eq!(warned(&explained.1), told);
}

/// A document near a good one: its members taken away, or something else in their place.
fn documents() -> impl Strategy<Value = Value> {
    let odd = prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        "[{}a-z@.]{0,20}".prop_map(Value::from),
        Just(json!([{ "all": true }, ["named"], 1e300])),
    ];
    let place = 0..64usize;
    (0..Kind::ALL.len(), proptest::collection::vec((place, odd), 0..4)).prop_map(|(kind, changes)| {
        let mut document = good(Kind::ALL[kind]);
        for (place, value) in changes {
            let object = match place % 3 {
                0 => &mut document,
                1 => &mut document["settings"],
                _ => &mut document["credentials"],
            };
            if let Some(members) = object.as_object_mut() {
                let name = members.keys().nth(place % members.len().max(1)).cloned();
                members.insert(name.unwrap_or_else(|| "more".to_owned()), value);
            }
            if !document.is_object() {
                break;
            }
        }
        document
    })
}

fn good(kind: Kind) -> Value {
    let from = json!({ "address": "a@example.org" });
    let settings = match kind {
        Kind::Ses => {
            json!({ "from": from, "reply_to": "b@example.org", "configuration_set": "x", "tenant_name": "x" })
        }
        Kind::Smtp => {
            json!({ "host": "x.example", "port": 587, "tls": "starttls", "authentication": "plain", "from": from })
        }
        Kind::Twilio => json!({ "account_sid": format!("AC{}", "0".repeat(32)), "from": "+447700900123" }),
        Kind::GovukNotify => {
            json!({ "template_id": "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11", "placeholder": "code" })
        }
        Kind::EmailToSms => {
            json!({ "via": "mail", "address": "{number}@x.example", "subject": "{pin}", "max_characters": 70 })
        }
    };
    let part = |part: &Part| {
        let text = match part {
            Part::ApiKeySid => format!("SK{}", "0".repeat(32)),
            Part::ApiKey => format!("x-{0}-{0}", "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11"),
            _ => "abcdefghijklmnop".to_owned(),
        };
        (part.as_str().to_owned(), Value::from(text))
    };
    let credentials: serde_json::Map<_, _> = Part::of(kind).iter().map(part).collect();
    let mut document = json!({ "name": "x", "kind": kind.as_str(), "settings": settings });
    if kind == Kind::Ses {
        document["tenants"] = json!({ "all": true });
    } else {
        document["credentials"] = Value::Object(credentials);
    }
    document
}

#[tokio::test]
async fn every_good_document_is_taken() {
    let ports = sample_world().await;
    for kind in Kind::ALL.iter().copied() {
        let key = if kind == Kind::Ses { platform() } else { admin() };
        let (status, kept) =
            put(&ports, &key, &format!("new-{}", kind.as_str().replace('_', "-")), None, &good(kind)).await;
        assert_eq!(status, 201, "{kept}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_document_ends_in_a_failure(
        document in documents(),
        gateway in "(mail|texts|new|ses|[ -~]{0,8})",
        etag in prop_oneof![Just(None), Just(Some("*".to_owned())), "\\PC{0,6}".prop_map(Some)],
        owner in any::<bool>(),
        raw in proptest::option::of("\\PC{0,60}"),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let ports = sample_world().await;
            let key = if owner { admin() } else { platform() };
            let body = raw.unwrap_or_else(|| document.to_string());
            let gateway = gateway.replace(['/', '%', '?', '#'], "x");
            let etag = etag.filter(|etag| etag.bytes().all(|b| (0x20..0x7f).contains(&b)));
            for (method, path) in [("POST", format!("/v1/gateways/{gateway}/validate")), ("PUT", format!("/v1/gateways/{gateway}"))] {
                let (status, told) = answer(&ports, request(method, &path, &key, etag.as_deref(), &body)).await;
                assert!(status < 500, "{told}");
                assert!(!told.to_string().contains("abcdefghijklmnop"), "{told}");
            }
            assert!(!ports.shape().contains("LOST"));
        });
    }
}
