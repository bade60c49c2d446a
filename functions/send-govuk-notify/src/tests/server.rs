//! A server that says what a test told it to, and keeps what it was asked.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{NOTIFY_ID, TEMPLATE};

/// What is said to one request.
#[derive(Clone)]
pub(super) enum Reply {
    /// An answer with these headers.
    Say(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// As much of an answer, and then the end of the connection.
    Cut(Vec<u8>),
    /// Nothing, and the connection stays.
    Silence,
    /// The same, so much later.
    Late(Duration, Box<Reply>),
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, &body.to_string())
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::Say(status, vec![("Content-Type", "application/json".to_owned())], body.as_bytes().to_vec())
    }

    /// As the API tells an error.
    pub(super) fn error(status: u16, error: &str, message: &str) -> Self {
        Self::json(
            status,
            &json!({ "errors": [{ "error": error, "message": message }], "status_code": status }),
        )
    }

    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Say(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Say(status, headers, body)
            }
            other => other,
        }
    }

    /// A text that was taken.
    pub(super) fn taken() -> Self {
        Self::json(
            201,
            &json!({
                "id": NOTIFY_ID,
                "reference": "acme/msg_06h03olgfrvrsonu93d19h37h0/1",
                "content": { "body": "Otpost: your code is 482913", "from_number": "GOVUK" },
                "uri": format!("https://api.example.org/v2/notifications/{NOTIFY_ID}"),
                "template": { "id": TEMPLATE, "version": 3, "uri": "https://api.example.org/t" },
                "scheduled_for": null,
            }),
        )
    }

    /// A template of the kind, with these places.
    pub(super) fn template(kind: &str, body: &str, keys: &[&str]) -> Self {
        let keys: serde_json::Map<String, Value> =
            keys.iter().map(|key| ((*key).to_owned(), json!({ "required": true }))).collect();
        Self::json(
            200,
            &json!({
                "id": TEMPLATE, "name": "One-time password", "type": kind, "version": 3,
                "created_at": "2026-11-22T02:55:22.187854Z", "updated_at": null,
                "created_by": "someone@example.org", "subject": null, "letter_contact_block": null,
                "body": body, "personalisation": keys,
            }),
        )
    }

    /// What is found under a reference.
    pub(super) fn found(rows: &[(&str, Option<&str>)]) -> Self {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(id, reference)| {
                json!({
                    "id": id, "reference": reference, "type": "sms", "status": "sending",
                    "phone_number": "+447700900123", "body": "Otpost: your code is 482913",
                })
            })
            .collect();
        Self::json(200, &json!({ "notifications": rows, "links": { "current": "https://api.example.org" } }))
    }
}

/// One request.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// What is said to each kind of request, in turn; then what a good server says.
#[derive(Clone, Default)]
pub(super) struct Script {
    pub(super) template: VecDeque<Reply>,
    pub(super) send: VecDeque<Reply>,
    pub(super) look: VecDeque<Reply>,
    pub(super) root: VecDeque<Reply>,
}

impl Script {
    pub(super) fn send(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { send: replies.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn template(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { template: replies.into_iter().collect(), ..Self::default() }
    }

    pub(super) fn look(mut self, reply: Reply) -> Self {
        self.look.push_back(reply);
        self
    }

    pub(super) fn root(mut self, reply: Reply) -> Self {
        self.root.push_back(reply);
        self
    }

    fn next(&mut self, seen: &Seen) -> Reply {
        let good = || Reply::template("sms", "((message))", &["message"]);
        match (seen.method.as_str(), seen.path.split('?').next().unwrap()) {
            ("POST", "/v2/notifications/sms") => self.send.pop_front().unwrap_or_else(Reply::taken),
            ("GET", "/v2/notifications") => self.look.pop_front().unwrap_or_else(|| Reply::found(&[])),
            ("GET", "/") => self.root.pop_front().unwrap_or_else(|| Reply::text(404, "{}")),
            ("GET", path) if path == format!("/v2/template/{TEMPLATE}") => {
                self.template.pop_front().unwrap_or_else(good)
            }
            other => panic!("nobody asks for {other:?}"),
        }
    }
}

pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, script) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(script)));
        let kept = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(request) = read(&mut stream).await else { continue };
                let mut reply = script.lock().unwrap().next(&request);
                kept.lock().unwrap().push(request);
                while let Reply::Late(by, then) = reply {
                    let _ = tokio::time::timeout(by, std::future::pending::<()>()).await;
                    reply = *then;
                }
                match reply {
                    Reply::Silence | Reply::Late(..) => silent.push(stream),
                    Reply::Cut(bytes) => stream.write_all(&bytes).await.unwrap(),
                    Reply::Say(status, headers, body) => {
                        let mut head =
                            format!("HTTP/1.1 {status} Said\r\nContent-Length: {}\r\n", body.len());
                        for (name, value) in headers {
                            write!(head, "{name}: {value}\r\n").unwrap();
                        }
                        // Who has read enough of a long answer hangs up.
                        let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await;
                        let _ = stream.write_all(&body).await;
                    }
                }
            }
        });
        Self { url, seen, task }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// What was asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        let short = |seen: &Seen| {
            let path = seen.path.split('?').next().unwrap();
            format!("{} {}", seen.method, path.replace(TEMPLATE, "…"))
        };
        self.seen().iter().map(short).collect()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, path) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let headers: Vec<(String, String)> = lines
        .map(|line| line.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let seen = Seen { method, path, headers, body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { body, ..seen })
}
