//! A page that shows the texts that arrived: what a telephone of each number would show. And the same as JSON.
//!
//! `/` is the page, which looks for new texts every two seconds. `/texts?limit=&after=` are pages of the texts, oldest
//! first: `after` is the number of the last text that was seen, `next` in the answer what to give as `after` then.

use std::fmt::Write as _;
use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use axum::extract::Request;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use otpost_domain::time::Timestamp;
use sha2::{Digest as _, Sha256};

pub use crate::phone::Shown;
use crate::phone::{Page, Phone};
use crate::proxy::{Serving, client, serve};

#[cfg(test)]
mod tests;

const STYLE: &str = include_str!("phone_view/view.css");
const SCRIPT: &str = include_str!("phone_view/view.js");
/// Texts on the page: the latest.
const LATEST: usize = 200;
/// Texts in a page of JSON unless asked otherwise, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// The running view.
#[derive(Debug)]
pub struct PhoneView {
    /// Where it is.
    pub url: String,
    _serving: Serving,
}

impl PhoneView {
    /// Serves what arrives on `phone` on `listener`.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(listener: TcpListener, phone: Phone) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let policy = content_policy();
        let serving = serve(listener, move |request: Request| {
            let answer = answer(&phone, &policy, request.method(), request.uri());
            async move { answer }
        })?;
        Ok(Self { url, _serving: serving })
    }
}

/// All texts that the view at `url` shows, behind the one of number `after`, oldest first.
///
/// # Errors
/// It does not answer.
pub async fn fetch(url: &str, after: usize) -> Result<Vec<Shown>> {
    ensure!(!url.is_empty(), "the running system is of an older build and has no phone: start it again");
    let (client, mut texts, mut next) = (client(), Vec::new(), Some(after));
    while let Some(after) = next {
        let asked = client.get(format!("{url}/texts?limit={MOST}&after={after}")).send().await;
        let page = asked.context("the phone view does not answer")?.error_for_status()?;
        let page: Page = page.json().await.context("the phone view's texts are odd")?;
        texts.extend(page.texts);
        next = page.next;
    }
    Ok(texts)
}

fn answer(phone: &Phone, policy: &str, method: &Method, uri: &Uri) -> Response {
    if ![Method::GET, Method::HEAD].contains(method) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let common = [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    match uri.path() {
        "/" => {
            let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
            (common, kind, page(&phone.page(0, usize::MAX))).into_response()
        }
        "/texts" => match asked(uri.query().unwrap_or_default()) {
            Some((after, limit)) => {
                let kind = [(header::CONTENT_TYPE, "application/json")];
                let body = serde_json::to_string(&phone.page(after, limit)).unwrap_or_default();
                (common, kind, body).into_response()
            }
            None => (StatusCode::BAD_REQUEST, common, "limit and after are numbers\n").into_response(),
        },
        _ => (StatusCode::NOT_FOUND, common, "there is / and /texts\n").into_response(),
    }
}

/// `after` and `limit` of a query.
fn asked(query: &str) -> Option<(usize, usize)> {
    let (mut after, mut limit) = (0, USUAL);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "after" => after = value.parse().ok()?,
            "limit" => limit = value.parse::<usize>().ok()?.min(MOST),
            _ => {}
        }
    }
    Some((after, limit))
}

/// Nothing but the page's own style and script, by their digests (Content Security Policy Level 3 section 2.3.1), and its
/// own address.
fn content_policy() -> String {
    let digest = |text: &str| format!("'sha256-{}'", BASE64.encode(&Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        digest(STYLE),
        digest(SCRIPT)
    )
}

/// The page with all texts, those of a number together.
fn page(all: &Page) -> String {
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Phone – Otpost</title>\n<style>{STYLE}</style>\n\
         <noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>\n</head>\n\
         <body data-count=\"{}\">\n<header><h1>Phone</h1><p>{}</p></header>\n<main>\n",
        all.count,
        summary(all.count)
    );
    for (number, texts) in conversations(&all.texts) {
        let _ = write!(
            html,
            "<section><h2>{} <span>{}</span></h2>\n<ol>\n",
            escaped(number),
            counted(texts.len())
        );
        for text in texts {
            bubble(&mut html, text);
        }
        html.push_str("</ol></section>\n");
    }
    if all.count == 0 {
        html.push_str("<p class=\"none\">No text has arrived yet. Gateways for texts bring them here.</p>\n");
    }
    let _ = write!(html, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    html
}

fn summary(count: usize) -> String {
    let latest = if count > LATEST { format!(", the latest {LATEST} of them here") } else { String::new() };
    format!("What telephones would show. {} so far{latest}.", counted(count))
}

fn counted(count: usize) -> String {
    if count == 1 { "1 text".to_owned() } else { format!("{count} texts") }
}

/// The latest texts by number: what came last is first.
fn conversations(texts: &[Shown]) -> Vec<(&str, Vec<&Shown>)> {
    let mut all: Vec<(&str, Vec<&Shown>)> = Vec::new();
    for text in texts.iter().rev().take(LATEST) {
        match all.iter_mut().find(|(number, _)| *number == text.to) {
            Some((_, own)) => own.push(text),
            None => all.push((&text.to, vec![text])),
        }
    }
    all
}

fn bubble(html: &mut String, text: &Shown) {
    let at = Timestamp::from_seconds(text.at).rfc3339();
    let clock = at.split_once('T').map_or(at.as_str(), |(_, clock)| clock.trim_end_matches('Z'));
    let _ = writeln!(
        html,
        "<li><p>{}</p><small>from {} · <b class=\"{}\">{}</b> · <time datetime=\"{at}\">{clock} UTC</time></small></li>",
        escaped(&text.body),
        escaped(&text.from),
        escaped(&text.by),
        escaped(carrier(&text.by))
    );
}

/// A stand-in's name for people.
fn carrier(by: &str) -> &str {
    match by {
        "twilio" => "Twilio",
        "govuk_notify" => "GOV.UK Notify",
        "email_to_sms" => "mail to text",
        other => other,
    }
}

/// As HTML shows it, in text and in attributes. What is no character to be shown, or turns the direction of writing, is
/// shown as a sign that something stands there.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
