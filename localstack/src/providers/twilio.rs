//! A stand-in for Twilio's `Messages` resource.
//!
//! It refuses what Twilio refuses, with Twilio's codes, and lets the rest arrive on the [phone](crate::phone). Some numbers
//! mean trouble. Those of Twilio's own test credentials:
//!
//! | number | as `To` | as `From` |
//! |---|---|---|
//! | `+15005550001` | 21211, not valid | 21212, not valid |
//! | `+15005550002` | 21612, no way to it | |
//! | `+15005550003` | 21408, country not open | |
//! | `+15005550004` | 21610, opted out | |
//! | `+15005550007` | | 21606, not the account's |
//! | `+15005550008` | | 21611, queue full |
//! | `+15005550009` | 21614, no texts | |
//!
//! And some of ours, all as `To`:
//!
//! | number | what happens |
//! |---|---|
//! | `+15005550401` | 401 with 20003, whatever the credentials |
//! | `+15005550408` | the text arrives, and no answer ever does |
//! | `+15005550429` | 429 with 20429 and `Retry-After: 2` |
//! | `+15005550450` | 400 with 30450: blocked as part of a fraud |
//! | `+15005550500` | 500 with a page of HTML |
//! | `+15005550503` | 503 with 20503 |
//! | `+15005559457` | 400 with 21614, in the form of RFC 9457 |
//! | `+15005553038` | 429 with 63038: the day's limit |
//!
//! Whoever gives a `StatusCallback` of this machine is told what becomes of the text, by POSTs of forms that are signed as
//! Twilio signs them: `sent` first, then `delivered`. Some numbers mean another [fate](Fate), and
//! [what was decided](crate::providers::receipts) goes before them:
//!
//! | number, as `To` | what happens | what is told |
//! |---|---|---|
//! | `+15005550602` | the text arrives late | `sent`, and late `delivered` |
//! | `+15005550603` | it does not arrive | `sent`, then `undelivered` with 30005 |
//! | `+15005550607` | it does not arrive | nothing |
//! | `+15005550608` | it arrives | everything twice |
//! | `+15005550609` | it arrives | `delivered`, then `sent` |
//!
//! Twilio asks receipts' addresses to be public; here those of this machine are taken too, and nobody else is called. What
//! Twilio answers to a body that is no form is not known; here it is 415.

use std::future::pending;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use data_encoding::BASE64;

use crate::host;
use crate::phone::{Phone, Text};
use crate::proxy::{Serving, serve};

mod answer;
mod form;
mod status;
#[cfg(test)]
mod tests;

use super::receipts::{CONTROL, Fate, Pace, Receipts, Told};
use answer::{Fault, Shape};
use form::{Message, sid};
use status::Note;
pub use status::signature;

/// Twilio takes less.
const LARGEST_BODY: usize = 1 << 20;

/// A running stand-in.
#[derive(Debug)]
pub struct Twilio {
    /// Where the API is: what a sender is told in place of Twilio's own address.
    pub url: String,
    taken: Log,
    receipts: Receipts,
    _serving: Serving,
}

impl Drop for Twilio {
    fn drop(&mut self) {
        self.receipts.end();
    }
}

/// An account that the stand-in knows.
#[derive(Clone)]
pub struct Account {
    /// Its SID.
    pub sid: String,
    /// Its auth token.
    pub auth_token: String,
    /// Its API keys: SID and secret of each.
    pub keys: Vec<(String, String)>,
}

/// A text that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The id that it was given.
    pub sid: String,
    /// The account.
    pub account: String,
    /// To whom it went.
    pub to: String,
    /// How long it might have waited, in seconds.
    pub validity: u32,
    /// Where receipts are to go.
    pub status_callback: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<Taken>>>);

impl Twilio {
    /// Serves on `listener`. Texts go to `phone`. Where `accounts` is empty, every login of the right form is good.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn start(listener: TcpListener, phone: Phone, accounts: Vec<Account>) -> Result<Self> {
        Self::paced(listener, phone, accounts, Pace::default())
    }

    /// The same, telling at another pace.
    ///
    /// # Errors
    /// As above.
    pub fn paced(listener: TcpListener, phone: Phone, accounts: Vec<Account>, pace: Pace) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let (taken, receipts) = (Log::default(), Receipts::new(pace));
        let desk =
            Desk { phone, accounts: accounts.into(), taken: taken.clone(), receipts: receipts.clone() };
        let serving = serve(listener, move |request| {
            let desk = desk.clone();
            async move { desk.answer(request).await }
        })?;
        Ok(Self { url, taken, receipts, _serving: serving })
    }

    /// What was taken so far, oldest first.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was told of it so far.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.receipts.teller.told()
    }
}

#[derive(Clone)]
struct Desk {
    phone: Phone,
    accounts: Arc<[Account]>,
    taken: Log,
    receipts: Receipts,
}

/// Who asks, and with what receipts for them are signed.
struct Login {
    account: String,
    auth_token: String,
}

impl Desk {
    async fn answer(&self, request: Request) -> Response {
        match self.asked(request).await {
            Ok(Some(response)) => response,
            // The client gives up first.
            Ok(None) => pending().await,
            Err(fault) => fault.response(),
        }
    }

    /// Takes a request: its answer, unless there is none.
    async fn asked(&self, request: Request) -> Result<Option<Response>, Fault> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        if path == CONTROL {
            let body = axum::body::to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
            return Ok(Some(self.receipts.control(&parts.method, &body)));
        }
        let account = path.strip_prefix("/2010-04-01/Accounts/").and_then(|rest| rest.split_once('/'));
        let Some((account, "Messages.json")) = account else {
            return Err(Fault::new(404, 20404, "The requested resource was not found"));
        };
        let login = self.login(&parts.headers, account).ok_or(UNKNOWN_LOGIN)?;
        if login.account != account || sid(account, "AC").is_none() {
            return Err(Fault::new(404, 20404, "The requested resource was not found"));
        }
        if parts.method != Method::POST {
            return Err(Fault::new(405, 20004, "Method not allowed"));
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Fault { status: 415, message: "A form is expected", ..Fault::default() });
        }
        let body = axum::body::to_bytes(body, LARGEST_BODY).await;
        let message = Message::read(&body.map_err(|_| Fault { status: 413, ..Fault::default() })?)?;
        match TROUBLE.iter().find(|(number, _)| *number == message.to) {
            Some((_, Some(fault))) => Err(*fault),
            trouble => Ok(Some(self.take(login, message)).filter(|_| trouble.is_none())),
        }
    }

    /// Whose login it is (RFC 7617 section 2).
    fn login(&self, headers: &HeaderMap, path: &str) -> Option<Login> {
        let login = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
        let login = String::from_utf8(BASE64.decode(login.as_bytes()).ok()?).ok()?;
        let (user, password) = login.split_once(':')?;
        if self.accounts.is_empty() {
            let good = (16..=128).contains(&password.len()) && password.bytes().all(|b| b.is_ascii_graphic());
            let (account, auth_token) = match sid(user, "AC") {
                Some(account) => (account, password),
                None => (sid(user, "SK").and(Some(path))?, AUTH_TOKEN),
            };
            let login = Login { account: account.to_owned(), auth_token: auth_token.to_owned() };
            return good.then_some(login);
        }
        let with_key = |account: &Account| account.keys.iter().any(|key| key.0 == user && key.1 == password);
        let known =
            |account: &&Account| (account.sid == user && account.auth_token == password) || with_key(account);
        let found = self.accounts.iter().find(known)?;
        Some(Login { account: found.sid.clone(), auth_token: found.auth_token.clone() })
    }

    fn take(&self, login: Login, message: Message) -> Response {
        let mut random = [0; 16];
        // Ids that repeat would only be seen as such.
        let _ = aws_lc_rs::rand::fill(&mut random);
        let id = format!("SM{}", data_encoding::HEXLOWER.encode(&random));
        let at = host::unix_time();
        let created = answer::created(&id, &login.account, &message, at);
        let taken = Taken {
            sid: id.clone(),
            account: login.account.clone(),
            to: message.to.clone(),
            validity: message.validity,
            status_callback: message.status_callback.clone(),
        };
        self.taken.0.lock().unwrap_or_else(PoisonError::into_inner).push(taken);
        let fate = self.receipts.decided(&login.account, &message.to);
        let fate = fate.or_else(|| status::fate_of(&message.to)).unwrap_or(Fate::Delivered);
        let note = Note::of(&id, login, &message);
        let from = message.from.or(message.service).unwrap_or_default();
        let text = Text { to: message.to, from, body: message.body, by: "twilio", at };
        if fate.arrives() {
            self.phone.receive(text.clone());
        }
        let late = (fate == Fate::Late).then(|| (self.phone.clone(), text));
        self.receipts.later(status::follow(
            self.receipts.teller.clone(),
            self.receipts.pace,
            fate,
            note,
            late,
        ));
        created
    }
}

/// What signs receipts of an account that asked with an API key, where every login is good: its auth token was never seen.
pub const AUTH_TOKEN: &str = "auth-token-of-accounts-with-keys";

const UNKNOWN_LOGIN: Fault = Fault::new(401, 20003, "Authenticate");

/// Numbers that a well-formed request may go to in vain. None: the text arrives, the answer does not.
const TROUBLE: &[(&str, Option<Fault>)] = &[
    ("+15005550001", Some(Fault::new(400, 21211, "Invalid 'To' Phone Number"))),
    ("+15005550002", Some(Fault::new(400, 21612, "The number cannot be reached from this sender"))),
    ("+15005550003", Some(Fault::new(400, 21408, "The region is not enabled"))),
    ("+15005550004", Some(Fault::new(400, 21610, "The recipient has unsubscribed"))),
    ("+15005550009", Some(Fault::new(400, 21614, "The number is not a mobile number"))),
    ("+15005550401", Some(UNKNOWN_LOGIN)),
    ("+15005550408", None),
    ("+15005550429", Some(Fault { after: Some("2"), ..Fault::new(429, 20429, "Too Many Requests") })),
    ("+15005550450", Some(Fault::new(400, 30450, "Message delivery blocked"))),
    ("+15005550500", Some(Fault { shape: Shape::Html, ..Fault::new(500, 20500, "Internal Server Error") })),
    ("+15005550503", Some(Fault::new(503, 20503, "Service Unavailable"))),
    (
        "+15005559457",
        Some(Fault { shape: Shape::Problem, ..Fault::new(400, 21614, "The number is not a mobile number") }),
    ),
    ("+15005553038", Some(Fault::new(429, 63038, "The account has exceeded the daily messages limit"))),
];
