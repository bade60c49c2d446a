//! In-process reverse proxies, and the front one that gives the API a base URL of its own.
//!
//! The emulator serves an HTTP API under a path prefix. Behind the front proxy the paths are the real ones,
//! as behind a custom domain, so links, cookies and form actions are the same as in production.

use std::future::Future;
use std::net::TcpListener;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use tokio::task::JoinHandle;

/// Headers that belong to one connection (RFC 9110 section 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A server task that ends when it is let go.
#[derive(Debug)]
pub struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Serves every request of `listener` with `answer`.
///
/// # Errors
/// The listener cannot be used.
pub fn serve<F, A>(listener: TcpListener, answer: F) -> Result<Serving>
where
    F: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response> + Send + 'static,
{
    let listener = tokio::net::TcpListener::from_std(listener)?.tap_io(|stream| {
        // Only a matter of speed.
        let _ = stream.set_nodelay(true);
    });
    let app = axum::Router::new().fallback(answer);
    Ok(Serving(tokio::spawn(async move {
        // Ends only with the task.
        let _ = axum::serve(listener, app).await;
    })))
}

/// A client for local servers: no proxies, no redirects, no kept connections that the other side may just be
/// closing.
#[must_use]
pub fn client() -> reqwest::Client {
    let built = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .connect_timeout(Duration::from_secs(10))
        .build();
    // Building fails only without a working TLS back end, which local addresses never need.
    built.unwrap_or_default()
}

/// Sends `request` to `url` and streams both bodies. `keep_host` hands the caller's `Host` on.
pub async fn forward(client: &reqwest::Client, request: Request, url: &str, keep_host: bool) -> Response {
    let (parts, body) = request.into_parts();
    let mut headers = end_to_end(&parts.headers);
    if !keep_host {
        headers.remove(header::HOST);
    }
    let mut outgoing = client.request(parts.method, url).headers(headers);
    if !body.is_end_stream() {
        outgoing = outgoing.body(reqwest::Body::wrap_stream(body.into_data_stream()));
    }
    match outgoing.send().await {
        Ok(response) => answer(response),
        Err(error) => {
            let mut chain = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                chain = format!("{chain}: {cause}");
                source = cause.source();
            }
            (StatusCode::BAD_GATEWAY, format!("the local system does not answer: {chain}\n")).into_response()
        }
    }
}

fn answer(response: reqwest::Response) -> Response {
    let (mut parts, body) = axum::http::Response::from(response).into_parts();
    parts.headers = end_to_end(&parts.headers);
    Response::from_parts(parts, Body::new(body))
}

/// The headers that a proxy hands on, repeated ones included.
fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let kept =
        headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str()) && !named.contains(name));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The proxy in front of the API.
#[derive(Debug)]
pub struct Front {
    /// The API's base URL.
    pub url: String,
    prefix: Arc<OnceLock<String>>,
    _serving: Serving,
}

impl Front {
    /// Serves on `listener`; answers 503 until [`Front::open`].
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(listener: TcpListener) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let prefix = Arc::new(OnceLock::<String>::new());
        let (shared, client) = (Arc::clone(&prefix), client());
        let serving = serve(listener, move |request: Request| {
            let target = shared.get().map(|prefix| target(prefix, request.uri()));
            let client = client.clone();
            async move {
                match target {
                    Some(url) => forward(&client, request, &url, true).await,
                    None => (StatusCode::SERVICE_UNAVAILABLE, "Otpost is not deployed yet\n").into_response(),
                }
            }
        })?;
        Ok(Self { url, prefix, _serving: serving })
    }

    /// Sends requests to the API `api` of the emulator from now on.
    pub fn open(&self, emulator: &str, api: &str) {
        self.prefix.get_or_init(|| format!("{emulator}/_aws/execute-api/{api}/$default"));
    }
}

/// The API's own address of a request: path and query are handed on as they are.
fn target(prefix: &str, uri: &Uri) -> String {
    format!("{prefix}{}", uri.path_and_query().map_or("/", |path| path.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_mapped_unchanged() {
        let mapped =
            |uri: &str| target("http://127.0.0.1:1/_aws/execute-api/abc/$default", &uri.parse().unwrap());
        let base = "http://127.0.0.1:1/_aws/execute-api/abc/$default";
        assert_eq!(mapped("/v1/users/jane"), format!("{base}/v1/users/jane"));
        assert_eq!(mapped("/e/a%2Fb?x=1&x=%20"), format!("{base}/e/a%2Fb?x=1&x=%20"));
        assert_eq!(mapped("/"), format!("{base}/"));
        assert_eq!(mapped("http://127.0.0.1:8400/v1/keys"), format!("{base}/v1/keys"));
    }

    #[test]
    fn connection_headers_stay_behind_and_repeated_ones_go_on() {
        let mut headers = HeaderMap::new();
        headers.append("connection", "close, x-hop".parse().unwrap());
        headers.append("x-hop", "1".parse().unwrap());
        headers.append("transfer-encoding", "chunked".parse().unwrap());
        headers.append("set-cookie", "a=1".parse().unwrap());
        headers.append("set-cookie", "b=2".parse().unwrap());
        let kept = end_to_end(&headers);
        assert_eq!(kept.len(), 2);
        assert_eq!(kept.get_all("set-cookie").iter().count(), 2);
    }

    #[tokio::test]
    async fn the_front_keeps_method_head_cookies_and_bodies() {
        let upstream = crate::ports::listen(None).unwrap();
        let emulator = crate::ports::url(upstream.local_addr().unwrap().port());
        let _upstream = serve(upstream, |request: Request| async move {
            let seen = format!("{} {}", request.method(), request.uri());
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let answer = format!("{seen} {}", String::from_utf8_lossy(&body));
            ([("set-cookie", "a=1"), ("x-seen", "yes")], answer).into_response()
        })
        .unwrap();
        let front = Front::start(crate::ports::listen(None).unwrap()).unwrap();
        let early = client().get(format!("{}/v1/x", front.url)).send().await.unwrap();
        assert_eq!(early.status(), StatusCode::SERVICE_UNAVAILABLE);

        front.open(&emulator, "abc");
        let posted = client()
            .post(format!("{}/e/code?q=1", front.url))
            .form(&[("action", "start")])
            .send()
            .await
            .unwrap();
        assert_eq!(posted.headers()["set-cookie"], "a=1");
        assert_eq!(
            posted.text().await.unwrap(),
            "POST /_aws/execute-api/abc/$default/e/code?q=1 action=start"
        );

        let head = client().head(format!("{}/e/code", front.url)).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert!(head.headers().contains_key("x-seen"));
        assert_eq!(head.text().await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_dead_upstream_is_a_bad_gateway() {
        let front = Front::start(crate::ports::listen(None).unwrap()).unwrap();
        let nobody = crate::ports::pick(None).unwrap();
        front.open(&crate::ports::url(nobody), "abc");
        let response = client().get(format!("{}/v1/x", front.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
    }
}
