//! Serving an HTTP API's events.

use std::future::Future;
use std::task::{Context, Poll};

use lambda_http::lambda_runtime::{Diagnostic, service_fn};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Error, LambdaEvent, Request, Response, Service};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

/// What a URI cannot hold as it is (RFC 3986). The percent sign stays: what is encoded already is left alone.
const ILLEGAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Serves `handler` until Lambda ends the process.
///
/// # Errors
/// When the Runtime API is not there.
pub async fn serve<S>(handler: S) -> Result<(), Error>
where
    S: Service<Request, Response = Response<Body>, Error = Error>,
    S::Future: Send,
{
    lambda_http::lambda_runtime::run(Tidy(Adapter::from(handler))).await
}

/// Serves `handler` and, with events that are no requests, `consumer`, until Lambda ends the process.
///
/// # Errors
/// When the Runtime API is not there.
pub async fn serve_with<H, C, F, G>(handler: H, consumer: C) -> Result<(), Error>
where
    H: Fn(Request) -> F + Clone,
    C: Fn(Value) -> G,
    F: Future<Output = Result<Response<Body>, Error>> + Send,
    G: Future<Output = Result<Value, Diagnostic>>,
{
    let serving = service_fn(|event: LambdaEvent<Value>| {
        let (handler, consumer) = (handler.clone(), &consumer);
        async move {
            let LambdaEvent { payload, context, .. } = event;
            if payload.get("requestContext").is_none() {
                return consumer(payload).await;
            }
            let request =
                serde_json::from_value(payload).map_err(|_| failed("UnknownEvent", "no request"))?;
            let mut adapter = Tidy(Adapter::from(lambda_http::service_fn(handler)));
            let answer = adapter.call(LambdaEvent::new(request, context)).await;
            let answer = answer.map_err(|error| failed("Unanswered", &error.to_string()))?;
            serde_json::to_value(answer).map_err(|error| failed("Unwritable", &error.to_string()))
        }
    });
    lambda_http::lambda_runtime::run(serving).await
}

fn failed(kind: &str, message: &str) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: message.to_owned() }
}

/// Scanners send query strings that are no part of a URI, and API Gateway may hand them on as they are. The adapter below
/// cannot read these: they are encoded first, so that such a request gets a proper answer too.
#[derive(Clone, Debug)]
struct Tidy<S>(S);

impl<S: Service<LambdaEvent<LambdaRequest>>> Service<LambdaEvent<LambdaRequest>> for Tidy<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut event: LambdaEvent<LambdaRequest>) -> S::Future {
        tidied(&mut event.payload);
        self.0.call(event)
    }
}

fn tidied(request: &mut LambdaRequest) {
    if let LambdaRequest::ApiGatewayV2(request) = request {
        for text in [&mut request.raw_path, &mut request.raw_query_string].into_iter().flatten() {
            *text = utf8_percent_encode(text, ILLEGAL).to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::RequestExt as _;

    fn request(query: &str, path: &str) -> Request {
        let event = serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query,
            "headers": { "host": "x.example.org" },
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
                "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            },
            "isBase64Encoded": false,
        });
        let mut event: LambdaRequest = serde_json::from_value(event).unwrap();
        tidied(&mut event);
        event.into()
    }

    #[test]
    fn what_no_uri_can_hold_is_read_all_the_same() {
        for query in ["user=a<b", "user=\"a\"", "user=a b", "a=\u{1}\u{7f}", "ä=ö|{}^`\\", "user=%3C%"] {
            let request = request(query, "/v1/messages");
            assert_eq!(request.raw_http_path(), "/v1/messages", "{query}");
        }
        let kept = request("user=a%40b&limit=2", "/v1/users/a%40b");
        assert_eq!(kept.query_string_parameters_ref().and_then(|all| all.first("user")), Some("a@b"));
        assert_eq!(request("", "/e/<script>").uri().path(), "/e/%3Cscript%3E");
    }
}
