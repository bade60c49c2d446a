//! Events as Lambda gives them to functions.

use serde_json::{Value, json};

use crate::host;

/// An HTTP API's event (payload format 2.0).
#[must_use]
pub fn http(method: &str, path: &str, key: Option<&str>, body: &Value) -> Value {
    let mut headers = json!({
        "host": "otp.example.org",
        "user-agent": "bench",
        "x-forwarded-for": "192.0.2.1",
        "x-forwarded-proto": "https",
        "content-type": "application/json",
    });
    if let (Some(key), Some(headers)) = (key, headers.as_object_mut()) {
        headers.insert("authorization".to_owned(), format!("Bearer {key}").into());
    }
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "bench",
            "domainName": "otp.example.org",
            "domainPrefix": "otp",
            "stage": "$default",
            "requestId": "bench",
            "routeKey": format!("{method} {path}"),
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": host::unix_time() * 1000,
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "bench",
            },
        },
        "body": if body.is_null() { Value::Null } else { body.to_string().into() },
        "isBase64Encoded": false,
    })
}

/// An HTTP API's event with more headers.
#[must_use]
pub fn with_headers(mut event: Value, more: Vec<(String, String)>) -> Value {
    if let Some(headers) = event.get_mut("headers").and_then(Value::as_object_mut) {
        headers.extend(more.into_iter().map(|(name, value)| (name, value.into())));
    }
    event
}

/// A queue's event with one message.
#[must_use]
pub fn queue(body: &str) -> Value {
    json!({ "Records": [{
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": "bench",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1800000000000",
            "SenderId": "bench",
            "ApproximateFirstReceiveTimestamp": "1800000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-2:000000000000:bench",
        "awsRegion": "eu-west-2",
    }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_texts_and_keys_are_headers() {
        let event = http("POST", "/v1/verify", Some("otp_x"), &json!({ "a": 1 }));
        assert_eq!(event["body"], r#"{"a":1}"#);
        assert_eq!(event["headers"]["authorization"], "Bearer otp_x");
        let bare = http("GET", "/v1/x", None, &Value::Null);
        assert!(bare["body"].is_null() && bare["headers"].get("authorization").is_none());
        assert_eq!(queue("{}")["Records"][0]["body"], "{}");
    }
}
