use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_service::memory::MemoryPorts;
use otpost_service::sample::{SamplePlatformKey, key, sample_world};
use serde_json::{Value as Json, json};

use super::{JSON, MOST_OF_DOCUMENT, YAML};

fn request(method: &str, query: &str, role: Role, media: &str, body: &str) -> Request {
    let headers =
        json!({ "authorization": format!("Bearer {}", key(role).1.expose()), "content-type": media });
    let mut parameters = serde_json::Map::new();
    parameters.extend(query.split_once('=').map(|(name, value)| (name.to_owned(), json!(value))));
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/v1/configuration", "rawQueryString": query,
        "headers": headers, "queryStringParameters": parameters,
        "requestContext": {
            "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
            "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
            "http": {
                "method": method, "path": "/v1/configuration", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1",
                "userAgent": "x",
            },
        },
        "body": body, "isBase64Encoded": false,
    });
    lambda_http::request::from_str(&event.to_string()).unwrap()
}

async fn answered(ports: &MemoryPorts, request: Request) -> Response<Body> {
    crate::handle(ports, &KeyRing::new(SamplePlatformKey), request).await
}

fn text(response: &Response<Body>) -> &str {
    match response.body() {
        Body::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

async fn post(ports: &MemoryPorts, query: &str, media: &str, body: &str) -> (u16, Json) {
    let response = answered(ports, request("POST", query, Role::Admin, media, body)).await;
    (response.status().as_u16(), serde_json::from_str(text(&response)).unwrap())
}

async fn exported(ports: &MemoryPorts) -> String {
    let response = answered(ports, request("GET", "", Role::Operator, "", "")).await;
    assert_eq!(response.status(), 200);
    text(&response).to_owned()
}

/// The answer to a sample event, in the sample world, and that world.
async fn sample(file: &str) -> (MemoryPorts, u16, Json) {
    let ports = sample_world().await;
    let event = std::fs::read_to_string(format!("{}/../../events/admin/{file}", env!("CARGO_MANIFEST_DIR")));
    let response = answered(&ports, lambda_http::request::from_str(&event.unwrap()).unwrap()).await;
    let body = serde_json::from_str(text(&response)).unwrap();
    (ports, response.status().as_u16(), body)
}

#[tokio::test]
async fn what_is_taken_out_can_be_brought_back() {
    let ports = sample_world().await;
    let response = answered(&ports, request("GET", "", Role::Operator, "", "")).await;
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/yaml; charset=utf-8");
    assert_eq!(headers["content-disposition"], "attachment; filename=\"otpost-acme.yaml\"");
    assert_eq!(headers["cache-control"], "no-store");
    let yaml = text(&response);
    assert!(yaml.starts_with("# The configuration of an Otpost tenant. Secrets are not in it"), "{yaml}");
    assert!(
        yaml.contains("\nformat: otpost-configuration/1\npolicies:\n  staff:\n    applies_to:\n"),
        "{yaml}"
    );
    assert!(yaml.contains("mail:\n    name: Mail\n    kind: smtp\n"), "{yaml}");
    for secret in ["sample-password", "sample-pin", "credentials:"] {
        assert!(!yaml.contains(secret), "{secret} in {yaml}");
    }
    let before = ports.rows();
    let (status, report) = post(&ports, "", "application/yaml; charset=utf-8", yaml).await;
    assert_eq!((status, &report["complete"], &report["dry_run"]), (200, &json!(true), &json!(false)));
    let counts = json!({ "created": 0, "changed": 0, "unchanged": 4, "kept": 0, "failed": 0 });
    assert_eq!(report["counts"], counts);
    assert_eq!(ports.rows(), before);
}

#[tokio::test]
async fn an_import_is_told_thing_by_thing() {
    let (dry_ports, _, dry) = sample("import-configuration-dry.json").await;
    let (ports, status, mut report) = sample("import-configuration.json").await;
    assert_eq!((status, &report["dry_run"], &dry["dry_run"]), (200, &json!(false), &json!(true)));
    report["dry_run"] = json!(true);
    assert_eq!(report, dry, "a dry run tells what the import does");
    let expected = json!({
        "dry_run": true,
        "complete": true,
        "counts": { "created": 2, "changed": 2, "unchanged": 0, "kept": 2, "failed": 0 },
        "items": [
            {
                "pointer": "/gateways/mail", "outcome": "changed", "credentials": "voided", "needs_credentials": true,
                "voided_pins": ["texts"],
                "changes": [
                    { "pointer": "/gateways/mail/settings/host", "now": "mail.example.org", "then": "mail.example.net" },
                ],
            },
            {
                "pointer": "/policies/staff", "outcome": "changed",
                "changes": [{ "pointer": "/policies/staff/settings/window_steps", "now": 2, "then": 1 }],
            },
            { "pointer": "/brand", "outcome": "created" },
            { "pointer": "/templates/push_token.de.staff", "outcome": "created" },
            { "pointer": "/gateways/texts", "outcome": "kept" },
            { "pointer": "/templates/mobile_code.en", "outcome": "kept" },
        ],
    });
    assert_eq!(report, expected);
    assert!(!exported(&dry_ports).await.contains("templates:\n  push_token"));
    let yaml = exported(&ports).await;
    assert!(
        yaml.contains("text: |\n        Hallo [[DISPLAYNAME]],\n\n        hier ist Ihr Link: [[LINK]]\n"),
        "{yaml}"
    );
    let changed = yaml.replace("hier ist", "hier kommt\n        und ist");
    let (_, report) = post(&ports, "dry_run=true", YAML, &changed).await;
    let change = &report["items"][5]["changes"][0];
    assert_eq!(change["pointer"], "/templates/push_token.de.staff/email/text");
    assert_eq!(change["lines"], json!({ "removed": 1, "added": 2, "first": 3 }));
}

#[tokio::test]
async fn all_that_is_wrong_is_told_where_it_is() {
    let (_, status, problem) = sample("import-wrong-configuration.json").await;
    assert_eq!((status, &problem["type"]), (400, &json!("urn:otpost:problem:invalid-request")));
    let errors = problem["errors"].as_array().unwrap();
    let at = |pointer: &str| errors.iter().find(|error| error["pointer"] == pointer);
    for pointer in [
        "/policies/Staff",
        "/gateways/mail/credentials",
        "/gateways/mail/settings/host",
        "/templates/push_token.de.board",
    ] {
        assert!(at(pointer).is_some(), "{pointer} in {problem}");
    }
    let in_text = errors.iter().filter(|error| error["pointer"] == "/templates/mobile_code.en/sms/text");
    let lines: Vec<_> = in_text.map(|error| (&error["line"], &error["column"])).collect();
    assert!(lines.contains(&(&json!(2), &json!(1))), "{problem}");

    let (_, _, problem) = sample("import-not-yaml.json").await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.starts_with("The body does not read as YAML: line "), "{detail}");
    let ports = sample_world().await;
    for (media, body, expected, told) in [
        (YAML, "format: otpost-configuration/2\n", 400, "/format must be otpost-configuration/1."),
        (YAML, "", 400, "The document must be an object, not null."),
        (YAML, "format: otpost-configuration/1\nusers: {}\n", 400, "/users is not known here."),
        (JSON, "{\"format\": \"otpost-configuration/1\"", 400, "The body does not read: EOF"),
        (
            "text/plain",
            "format: x",
            415,
            "Send the body as Content-Type: application/yaml or application/json.",
        ),
    ] {
        let (status, problem) = post(&ports, "", media, body).await;
        let detail = problem["detail"].as_str().unwrap();
        assert!(status == expected && detail.starts_with(told), "{status} {problem}");
    }
    let (status, problem) = post(&ports, "dry_run=yes", YAML, "").await;
    assert_eq!((status, &problem["field"]), (400, &json!("dry_run")));
}

#[tokio::test]
async fn a_document_may_be_large_but_not_larger() {
    let ports = sample_world().await;
    let filled = |length: usize| {
        let start = "format: otpost-configuration/1\n#";
        format!("{start}{}", "x".repeat(length - start.len()))
    };
    assert_eq!(post(&ports, "", YAML, &filled(MOST_OF_DOCUMENT)).await.0, 200);
    for media in [YAML, JSON] {
        let (status, problem) = post(&ports, "", media, &filled(MOST_OF_DOCUMENT + 1)).await;
        let detail = format!("The body has {} bytes; at most 4194304 are taken.", MOST_OF_DOCUMENT + 1);
        assert_eq!((status, &problem["detail"]), (413, &json!(detail)));
    }
}

#[tokio::test]
async fn operators_read_and_admins_write() {
    let ports = sample_world().await;
    for (method, role, expected) in [
        ("GET", Role::Operator, 200),
        ("GET", Role::Admin, 200),
        ("GET", Role::Helpdesk, 403),
        ("POST", Role::Operator, 403),
        ("POST", Role::Admin, 200),
    ] {
        let body = "format: otpost-configuration/1";
        let response = answered(&ports, request(method, "", role, YAML, body)).await;
        assert_eq!(response.status(), expected, "{method} {}", role.as_str());
    }
}

#[tokio::test]
async fn a_document_of_too_many_things_is_refused_before_it_is_built() {
    let ports = sample_world().await;
    let json = format!("{{\"policies\":[{}0]}}", "{\"a\":0},".repeat(60_000));
    let (status, told) = post(&ports, "", "application/json", &json).await;
    assert_eq!((status, told["type"].as_str()), (413, Some("urn:otpost:problem:too-large")), "{told}");
    let yaml = format!("policies: [{}0]", "0,".repeat(60_000));
    let (status, told) = post(&ports, "", YAML, &yaml).await;
    assert_eq!(status, 400, "{told}");
    assert!(
        told["detail"].as_str().is_some_and(|detail| detail.contains("more than 50000 things")),
        "{told}"
    );
    let text = json!({ "templates": { "enrolled.en": { "sms": { "text": ",[{".repeat(300) } } } });
    assert_eq!(super::nodes(&text.to_string()), 4, "marks in texts are none");
}

#[tokio::test]
async fn a_slip_of_the_pen_is_no_import() {
    let ports = sample_world().await;
    let before = ports.rows();
    for query in ["dryrun=true", "Dry_Run=true", "dry_run=true&x=1"] {
        let (status, told) = post(&ports, query, YAML, "format: otpost-configuration/1\nbrand: {}\n").await;
        assert_eq!(status, 400, "{query}: {told}");
    }
    assert_eq!(ports.rows(), before);
}
