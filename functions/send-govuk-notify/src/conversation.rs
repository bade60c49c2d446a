//! Requests to GOV.UK Notify for one order: each signed anew, all of them before one point in time.

use std::time::Duration;

use otpost_domain::gateway::NotifyKey;
use otpost_outbound::http::{Answer, Http, NoAnswer};
use otpost_service::ports::Clock;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, DATE};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::outcome::{Class, verdict};
use crate::token::signed;
use crate::wire::faults;

/// By how many seconds the clocks have to differ before ours is held to be the cause of a refusal. Notify allows 30, and
/// an answer is a moment old when it is read.
const APART: i64 = 20;

/// What is asked.
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// JSON.
    pub(crate) body: Option<Zeroizing<Vec<u8>>>,
}

impl Question {
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }

    pub(crate) fn post(path: &str, body: Zeroizing<Vec<u8>>) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body: Some(body) }
    }
}

pub(crate) struct Conversation<'a, C> {
    http: &'a Http,
    clock: &'a C,
    key: &'a NotifyKey,
    until: Instant,
    /// Seconds that Notify's clock is ahead of ours, once it has refused ours.
    ahead: i64,
    corrected: bool,
}

impl<'a, C: Clock> Conversation<'a, C> {
    /// Begins one that may take so long.
    pub(crate) fn begin(http: &'a Http, clock: &'a C, key: &'a NotifyKey, most: Duration) -> Self {
        Self { http, clock, key, until: later(Instant::now(), most), ahead: 0, corrected: false }
    }

    /// Gives it more time than it had at its beginning.
    pub(crate) fn extend(&mut self, by: Duration) {
        self.until = later(self.until, by);
    }

    pub(crate) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// Asks. If Notify does not take the time of our token, and its own is more than 20 seconds away from ours, it is
    /// asked once more with a token of its time: it has done nothing so far. That happens once in a conversation.
    pub(crate) async fn ask(&mut self, question: &Question) -> Result<Answer, NoAnswer> {
        let answer = self.once(question).await?;
        let refused =
            answer.status == 403 && verdict(answer.status, &faults(&answer.body)).class == Class::Clock;
        if !refused || self.corrected {
            return Ok(answer);
        }
        self.corrected = true;
        match self.difference().await {
            Some(ahead) if ahead.abs() > APART => {
                self.ahead = ahead;
                self.once(question).await
            }
            _ => Ok(answer),
        }
    }

    async fn once(&self, question: &Question) -> Result<Answer, NoAnswer> {
        let at = self.now().saturating_add(self.ahead);
        let token = u64::try_from(at).ok().and_then(|at| signed(self.key, at));
        let token = token.ok_or(NoAnswer::NotSent("no token can be signed"))?;
        let mut request =
            self.http.request(question.method.clone(), &question.path).bearer_auth(token.expose());
        if let Some(body) = &question.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        self.http.ask(request, self.left()).await
    }

    /// How many seconds Notify's clock is ahead of ours, by the date of an answer (RFC 9110 section 6.6.1). Any answer
    /// has one, so nobody says who asks.
    async fn difference(&self) -> Option<i64> {
        let request = self.http.request(Method::GET, "/").send();
        let answer = tokio::time::timeout(self.left(), request).await.ok()?.ok()?;
        let date = answer.headers().get(DATE)?.to_str().ok()?;
        let theirs = OffsetDateTime::parse(date, &Rfc2822).ok()?;
        Some(theirs.unix_timestamp().saturating_sub(self.now()))
    }

    fn now(&self) -> i64 {
        i64::try_from(self.clock.now().seconds()).unwrap_or(i64::MAX)
    }
}

fn later(from: Instant, by: Duration) -> Instant {
    from.checked_add(by).unwrap_or(from)
}
