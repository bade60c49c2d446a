//! The user's browser on the enrolment pages: it keeps cookies and sends the form's hidden fields.

use std::collections::BTreeMap;

use anyhow::Result;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};

use crate::{page, proxy};

/// A browser with one page open.
#[derive(Debug)]
pub struct Browser {
    client: reqwest::Client,
    url: String,
    cookies: BTreeMap<String, String>,
    html: String,
}

impl Browser {
    /// A browser that will open `url`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { client: proxy::client(), url: url.to_owned(), cookies: BTreeMap::new(), html: String::new() }
    }

    /// Opens the page.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn open(&mut self) -> Result<StatusCode> {
        let request = self.client.get(&self.url);
        self.take(request).await
    }

    /// Sends the page's form: its hidden fields, and what the user `typed`.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn submit(&mut self, typed: &[(&str, &str)]) -> Result<StatusCode> {
        let mut fields = page::hidden_fields(&self.html);
        fields.extend(typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let request = self.client.post(&self.url).form(&fields);
        self.take(request).await
    }

    /// The page on the screen.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Names of the cookies it holds.
    pub fn cookie_names(&self) -> impl Iterator<Item = &str> {
        self.cookies.keys().map(String::as_str)
    }

    async fn take(&mut self, request: reqwest::RequestBuilder) -> Result<StatusCode> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let response = request.send().await?;
        for cookie in response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        let status = response.status();
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
        let text = response.text().await?;
        self.html = if is_page { text } else { String::new() };
        Ok(status)
    }
}
