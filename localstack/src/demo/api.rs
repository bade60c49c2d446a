//! A client of Otpost's API.

use anyhow::{Context as _, Result, bail};
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::proxy;

/// The API at one base URL.
#[derive(Clone, Debug)]
pub struct Api {
    base: String,
    client: reqwest::Client,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON body, or another one as text; null when there is none.
    pub body: Value,
    /// The headers.
    pub headers: HeaderMap,
}

impl Api {
    /// The API at `base`.
    #[must_use]
    pub fn at(base: &str) -> Self {
        Self { base: base.to_owned(), client: proxy::client() }
    }

    /// Sends a request with an API key.
    ///
    /// # Errors
    /// The API does not answer, or not in JSON.
    pub async fn send(&self, method: Method, path: &str, key: &str, body: Option<&Value>) -> Result<Answer> {
        self.send_with(method, path, &[("authorization", &format!("Bearer {key}"))], body).await
    }

    /// Sends a request with headers of its own.
    ///
    /// # Errors
    /// The API does not answer, or its JSON does not read.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let media = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let body = match text.as_str() {
            "" => Value::Null,
            json => match serde_json::from_str(json) {
                Ok(body) => body,
                Err(error) if media.contains("json") => return Err(error).context(text),
                Err(_) => Value::String(text),
            },
        };
        Ok(Answer { status, body, headers })
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, key, Some(body)).await
    }

    /// Reads.
    ///
    /// # Errors
    /// As [`Api::send`].
    pub async fn get(&self, path: &str, key: &str) -> Result<Answer> {
        self.send(Method::GET, path, key, None).await
    }
}

impl Answer {
    /// The answer itself if its status is `status`.
    ///
    /// # Errors
    /// It is another: the problem's words are part of the error.
    pub fn expect(self, status: u16) -> Result<Self> {
        if self.status.as_u16() == status {
            Ok(self)
        } else {
            bail!("expected {status}, got {}", self.problem())
        }
    }

    /// A text of the body.
    ///
    /// # Errors
    /// The body has none of that name.
    pub fn text(&self, field: &str) -> Result<&str> {
        self.body.get(field).and_then(Value::as_str).with_context(|| format!("the answer has no {field}"))
    }

    /// The last part of the problem's type, such as `invalid-code`; nothing if the body is no problem.
    #[must_use]
    pub fn problem_kind(&self) -> Option<&str> {
        self.body.get("type").and_then(Value::as_str).and_then(|kind| kind.rsplit(['/', ':']).next())
    }

    /// Status, and the problem's type and words if the body is one.
    #[must_use]
    pub fn problem(&self) -> String {
        let field = |name: &str| self.body.get(name).and_then(Value::as_str);
        let words = [self.problem_kind(), field("title"), field("detail")].into_iter().flatten();
        std::iter::once(self.status.as_str()).chain(words).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn problems_are_told_in_one_line() {
        let body = json!({"type": "urn:otpost:problem:invalid-code", "title": "The code is not valid", "status": 422});
        let answer = Answer { status: StatusCode::UNPROCESSABLE_ENTITY, body, headers: HeaderMap::new() };
        assert_eq!(answer.problem(), "422, invalid-code, The code is not valid");
        let error = answer.expect(200).unwrap_err().to_string();
        assert_eq!(error, "expected 200, got 422, invalid-code, The code is not valid");
    }

    #[test]
    fn fields_are_read_by_name() {
        let answer = Answer {
            status: StatusCode::OK,
            body: json!({"serial": "OTP1", "n": 1}),
            headers: HeaderMap::new(),
        };
        assert_eq!(answer.text("serial").unwrap(), "OTP1");
        assert!(answer.text("n").is_err());
    }
}
