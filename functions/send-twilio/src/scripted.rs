//! A server that answers by a script, and an order to send to it.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use otpost_domain::contact::PhoneNumber;
use otpost_domain::gateway::{
    AccountSid, Credentials, MessagingServiceSid, Settings, TextSender, Twilio, TwilioLogin,
};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::Report;
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingText, Provider as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::TwilioProvider;

pub(crate) const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(crate) const SERVICE: &str = "MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(crate) const KEY: &str = "SKcccccccccccccccccccccccccccccccc";
pub(crate) const TOKEN: &str = "token-0123456789abcdef";
pub(crate) const NUMBER: &str = "+447700900123";
pub(crate) const FROM: &str = "+15005550006";
pub(crate) const TEXT: &str = "Your code is 314159";
pub(crate) const SID: &str = "SMdddddddddddddddddddddddddddddddd";

/// A server of 127.0.0.1 that reads requests and gives each the same answer. It ends with its value.
pub(crate) struct Server {
    pub(crate) base: String,
    requests: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

/// What a server does once it has written its answer.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    Closes,
    Waits,
    /// Goes on with a body that never ends.
    GoesOn,
}

impl Server {
    pub(crate) async fn answering(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (requests, answer) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(Mutex::new(answer.into())));
        let (seen, given) = (Arc::clone(&requests), Arc::clone(&answer));
        let task = tokio::spawn(async move {
            let mut waiting = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = request(&mut stream).await;
                seen.lock().unwrap().push(request);
                // Who has gone already needs no answer.
                let answer = given.lock().unwrap().clone();
                let _ = stream.write_all(&answer).await;
                match then {
                    Then::Closes => drop(stream),
                    Then::Waits => waiting.push(stream),
                    // Until the other side has enough.
                    Then::GoesOn => while stream.write_all(&[b' '; 8192]).await.is_ok() {},
                }
            }
        });
        Self { base, requests, answer, task }
    }

    /// Answers with this status and body.
    pub(crate) async fn of(status: u16, body: &str) -> Self {
        Self::answering(answer(status, &[], body), Then::Closes).await
    }

    /// Gives this answer from now on.
    pub(crate) fn say(&self, answer: impl Into<Vec<u8>>) {
        *self.answer.lock().unwrap() = answer.into();
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn answer(status: u16, headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().flat_map(|header| [header, "\r\n"]).collect();
    format!("HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

async fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return text;
            }
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a whole request");
    }
}

/// What an order is made of; tests change what they look at.
pub(crate) struct Given {
    pub(crate) settings: Settings,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) letter: Letter,
    pub(crate) life: Duration,
    pub(crate) receipts: Option<String>,
    pub(crate) deadline: Duration,
    message: MessageRef,
}

impl Given {
    pub(crate) fn new() -> Self {
        let id = MessageId::new(Timestamp::from_seconds(1_800_000_000), [7; 10]);
        Self {
            settings: Settings::Twilio(twilio()),
            credentials: Some(Credentials::Twilio(TwilioLogin::AuthToken(SecretText::new(TOKEN)))),
            letter: text(NUMBER, TEXT),
            life: Duration::from_mins(5),
            receipts: None,
            deadline: Duration::from_secs(20),
            message: MessageRef { tenant: TenantId::try_from("acme").unwrap(), id },
        }
    }

    pub(crate) fn order(&self) -> Order<'_> {
        Order {
            message: &self.message,
            hop: 1,
            settings: &self.settings,
            credentials: self.credentials.as_ref(),
            letter: &self.letter,
            life: self.life,
            receipts: self.receipts.as_deref(),
            deadline: self.deadline,
            followed: true,
            test: false,
        }
    }

    pub(crate) async fn send(&self, server: &Server) -> Report {
        TwilioProvider::new(&server.base).unwrap().send(&self.order()).await
    }
}

pub(crate) fn twilio() -> Twilio {
    Twilio {
        account_sid: AccountSid::try_from(ACCOUNT).unwrap(),
        from: Some(TextSender::try_from(FROM).unwrap()),
        messaging_service_sid: None,
    }
}

pub(crate) fn by_service() -> Settings {
    let service = Some(MessagingServiceSid::try_from(SERVICE).unwrap());
    Settings::Twilio(Twilio { from: None, messaging_service_sid: service, ..twilio() })
}

pub(crate) fn text(to: &str, text: &str) -> Letter {
    let to = PhoneNumber::try_from(to).unwrap();
    Letter::Text(OutgoingText { to, text: SecretText::new(text), code: None })
}
