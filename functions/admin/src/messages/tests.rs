//! The log of messages and the suppression list over HTTP.

use lambda_http::{Body, http::StatusCode};
use otpost_domain::apikey::Role;
use otpost_domain::message::{Because, Channel, News, Verdict};
use otpost_edge::auth::KeyRing;
use otpost_service::memory::MemoryPorts;
use otpost_service::ports::{Clock as _, MessageRef, MessageStore as _, Ports as _, Write};
use otpost_service::sample::{SamplePlatformKey, hand, key, message, sample_world, suppression};
use serde_json::{Map, Value, json};

async fn call(ports: &MemoryPorts, role: Role, method: &str, path: &str) -> (StatusCode, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let bearer = format!("Bearer {}", key(role).1.expose());
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs: Map<String, Value> = pairs.map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
        "headers": { "authorization": bearer }, "queryStringParameters": pairs,
        "requestContext": {
            "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
            "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
        },
        "isBase64Encoded": false,
    });
    let request = lambda_http::request::from_str(&event.to_string()).unwrap();
    let response = crate::handle(ports, &KeyRing::new(SamplePlatformKey), request).await;
    let body = match response.body() {
        Body::Text(text) => serde_json::from_str(text).unwrap(),
        _ => Value::Null,
    };
    (response.status(), body)
}

async fn listed(ports: &MemoryPorts, query: &str) -> Vec<String> {
    let (status, body) = call(ports, Role::Helpdesk, "GET", &format!("/v1/messages{query}")).await;
    assert_eq!(status, StatusCode::OK, "{query}: {body}");
    let user = |message: &Value| message["user"].as_str().unwrap().to_owned();
    body["messages"].as_array().unwrap().iter().map(user).collect()
}

#[tokio::test]
async fn messages_are_listed_by_what_is_wanted_of_them() {
    let ports = sample_world().await;
    hand(&ports).await;
    assert_eq!(listed(&ports, "").await, ["jane", "joe"]);
    assert_eq!(listed(&ports, "?user=joe").await, ["joe"]);
    assert_eq!(listed(&ports, "?status=queued").await, ["jane"]);
    assert_eq!(listed(&ports, "?gateway=deployment&status=sending").await, ["joe"]);
    assert_eq!(listed(&ports, "?from=2027-01-15T07:59:59Z&channel=email").await.len(), 2);
    for nobody in ["?channel=sms", "?gateway=texts", "?to=2027-01-15T08:00:00Z", "?user=joe&status=failed"] {
        assert_eq!(listed(&ports, nobody).await, Vec::<String>::new(), "{nobody}");
    }
    let page = |query: &str| format!("/v1/messages?limit=1{query}");
    let (_, first) = call(&ports, Role::Operator, "GET", &page("&channel=email")).await;
    let next = first["next"].as_str().unwrap();
    let (_, second) =
        call(&ports, Role::Operator, "GET", &page(&format!("&channel=email&cursor={next}"))).await;
    assert_eq!(
        (&first["messages"][0]["user"], &second["messages"][0]["user"]),
        (&json!("jane"), &json!("joe"))
    );
    let (crossed, _) = call(&ports, Role::Operator, "GET", &page(&format!("&cursor={next}"))).await;
    assert_eq!(crossed, StatusCode::BAD_REQUEST, "a cursor belongs to its filter");
}

#[tokio::test]
async fn a_filter_that_does_not_read_is_told() {
    let ports = sample_world().await;
    for (query, field, told) in [
        ("?user=", "user", "must be 1 to 128"),
        ("?status=sent&status=failed", "status", "must be given once"),
        ("?user=a&limit=1&user=a", "user", "must be given once"),
        ("?status=lost", "status", "must be one of: queued, sending"),
        ("?channel=pigeon", "channel", "must be one of: email, sms"),
        ("?gateway=Te_xts", "gateway", "must be"),
        ("?from=yesterday", "from", "RFC 3339"),
        ("?to=2027-01-15", "to", "RFC 3339"),
        ("?from=2027-01-15T08:00:00Z&to=2027-01-15T08:00:00Z", "to", "later than from"),
        ("?limit=0", "limit", "1 to 100"),
    ] {
        let (status, body) = call(&ports, Role::Operator, "GET", &format!("/v1/messages{query}")).await;
        assert_eq!((status, &body["field"]), (StatusCode::BAD_REQUEST, &json!(field)), "{query}: {body}");
        assert!(body["detail"].as_str().unwrap().contains(told), "{query}: {body}");
    }
    let (status, body) = call(&ports, Role::Operator, "GET", "/v1/messages?usr=joe").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a misspelt filter is not left out: {body}");
}

#[tokio::test]
async fn a_message_shows_its_way() {
    let ports = sample_world().await;
    hand(&ports).await;
    let now = ports.clock().now();
    let reference = MessageRef { tenant: suppression().tenant, id: message() };
    let mut changed = ports.store().message(&reference).await.unwrap().unwrap();
    let hop = changed.hops.last_mut().unwrap();
    hop.because = Because::BadNews;
    hop.passed = vec!["texts".to_owned()];
    hop.probe = Some(hop.handed_at);
    hop.limit = Some(now);
    hop.then = Some(Channel::Sms);
    hop.said = vec!["C: DATA".to_owned()];
    hop.news = Some(News { verdict: Verdict::Undelivered, why: "550 5.1.1".to_owned(), at: now });
    changed.version += 1;
    assert_eq!(ports.store().save_message(&changed).await.unwrap(), Write::Done);
    let (_, shown) = call(&ports, Role::Helpdesk, "GET", &format!("/v1/messages/{}", message())).await;
    let at = now.rfc3339();
    let hop = &shown["hops"][0];
    for (name, value) in [
        ("channel", json!("email")),
        ("because", json!("bad_news")),
        ("passed", json!(["texts"])),
        ("probe", json!(true)),
        ("next_route_at", json!(at)),
        ("next_route_channel", json!("sms")),
        ("news", json!({ "verdict": "undelivered", "why": "550 5.1.1", "at": at })),
    ] {
        assert_eq!(hop[name], value, "{name}");
    }
    let story = shown["story"].as_array().unwrap();
    assert!(story.len() > 1 && story.iter().all(|line| line["at"].is_string()), "{shown}");
    assert!(story[0]["text"].as_str().unwrap().starts_with("Written: push_token"), "{shown}");
    let (_, list) = call(&ports, Role::Helpdesk, "GET", "/v1/messages?user=joe").await;
    let listed = &list["messages"][0];
    assert_eq!((listed.get("story"), listed["hops"][0].get("said")), (None, None), "short in lists");
    assert_eq!(listed["hops"][0]["news"], hop["news"]);
}

#[tokio::test]
async fn addresses_are_listed_and_cleared() {
    let ports = sample_world().await;
    let key = suppression().key();
    let path = format!("/v1/suppressions/{}", key.as_str());
    let (_, list) = call(&ports, Role::Helpdesk, "GET", "/v1/suppressions").await;
    assert_eq!(
        list,
        json!({ "suppressions": [{
            "suppression": key.as_str(), "address": "gone@example.org", "cause": "hard_bounce",
            "why": "550 5.1.1: no such mailbox", "message": message().as_str(), "at": "2027-01-15T08:00:00Z",
        }] })
    );
    assert_eq!(call(&ports, Role::Helpdesk, "DELETE", &path).await.0, StatusCode::FORBIDDEN);
    assert_eq!(call(&ports, Role::Operator, "DELETE", &path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ports.actions().pop(), Some("suppression.cleared"));
    for path in [path.as_str(), "/v1/suppressions/nonsense"] {
        assert_eq!(call(&ports, Role::Operator, "DELETE", path).await.0, StatusCode::NOT_FOUND);
    }
    let (_, list) = call(&ports, Role::Operator, "GET", "/v1/suppressions").await;
    assert_eq!(list, json!({ "suppressions": [] }));
}
