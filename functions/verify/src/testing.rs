//! A caller of the routes, for tests.

use lambda_http::http::HeaderMap;
use lambda_http::{Body, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_service::memory::{MemoryPorts, Queued, sent_code};
use otpost_service::ports::{MessageRef, Ports as _};
use otpost_service::sample::{key, marked_key};
use serde_json::{Value, json};

/// An answer, taken apart.
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = match body {
            Body::Text(text) => serde_json::from_str(&text).unwrap(),
            _ => Value::Null,
        };
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) fn text(&self, member: &str) -> &str {
        self.body[member].as_str().unwrap_or_else(|| panic!("{member} in {}", self.body))
    }

    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status, self.text("type").rsplit(':').next().unwrap())
    }

    pub(crate) fn members(&self) -> Vec<&str> {
        self.body.as_object().unwrap().keys().map(String::as_str).collect()
    }

    pub(crate) fn retry_after(&self) -> Option<&str> {
        self.headers.get("retry-after").map(|value| value.to_str().unwrap())
    }
}

/// An application with its key.
pub(crate) struct App<'a> {
    pub(crate) ports: &'a MemoryPorts,
    pub(crate) ring: KeyRing<NoPlatformKey>,
    pub(crate) key: String,
}

impl<'a> App<'a> {
    pub(crate) fn unmarked(ports: &'a MemoryPorts) -> Self {
        Self::with(ports, key(Role::App).1.expose())
    }

    pub(crate) fn marked(ports: &'a MemoryPorts) -> Self {
        Self::with(ports, marked_key().1.expose())
    }

    pub(crate) fn with(ports: &'a MemoryPorts, key: &str) -> Self {
        Self { ports, ring: KeyRing::new(NoPlatformKey), key: key.to_owned() }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        once: Option<&str>,
    ) -> Told {
        let mut headers = json!({ "authorization": format!("Bearer {}", self.key) });
        if body.is_some() {
            headers["content-type"] = json!("application/json");
        }
        if let Some(once) = once {
            headers["idempotency-key"] = json!(once);
        }
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parameters: serde_json::Map<_, _> =
            query.split_once('=').into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": headers, "queryStringParameters": parameters,
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
                "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            },
            "body": body.map(Value::to_string),
            "isBase64Encoded": false,
        });
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        Told::of(crate::handle(self.ports, &self.ring, request).await)
    }

    pub(crate) async fn start(&self, body: Value) -> Told {
        self.send("POST", "/v1/challenges", Some(&body), None).await
    }

    /// Starts a challenge of a user's: its id and its code.
    pub(crate) async fn started(&self, body: Value) -> (String, String) {
        self.ports.queue().take();
        let told = self.start(body).await;
        assert_eq!(told.status, 202, "{}", told.body);
        let code = sent_code(self.ports, &self.queued()).await.unwrap();
        (told.text("id").to_owned(), code)
    }

    /// The one message that was put on the queue.
    pub(crate) fn queued(&self) -> MessageRef {
        let queued = self.ports.queue().take();
        let [Queued::Deliver(message)] = queued.as_slice() else { panic!("one message: {queued:?}") };
        message.clone()
    }

    pub(crate) async fn check(&self, id: &str, body: Value) -> Told {
        self.send("POST", &format!("/v1/challenges/{id}/check"), Some(&body), None).await
    }

    pub(crate) async fn resend(&self, id: &str, body: Option<Value>) -> Told {
        self.send("POST", &format!("/v1/challenges/{id}/resend"), body.as_ref(), None).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Told {
        self.send("POST", &format!("/v1/challenges/{id}/cancel"), None, None).await
    }

    pub(crate) async fn get(&self, id: &str) -> Told {
        self.send("GET", &format!("/v1/challenges/{id}?locale=en"), None, None).await
    }
}

pub(crate) fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect()
}
