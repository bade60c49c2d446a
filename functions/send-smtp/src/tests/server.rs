//! A server that follows a script, for one connection.

use std::net::Ipv4Addr;
use std::sync::Arc;

use otpost_local::certificates::Identity;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a server does.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Says these bytes.
    Say(String),
    /// Hears a line that begins so.
    Hear(&'static str),
    /// Hears a mail with its final dot.
    HearMail,
    /// Goes on in TLS.
    Tls(Identity),
    /// Says these bytes again and again, until nobody listens.
    Repeat(Vec<u8>),
    /// Says nothing more, until the other side goes.
    Hang,
    /// Does not even read any more.
    Stall,
}

pub(super) use Step::{Hang, Hear, HearMail, Repeat, Stall, Tls};

pub(super) fn say(line: &str) -> Step {
    Step::Say(format!("{line}\r\n"))
}

/// Greeting and EHLO, with these offers.
pub(super) fn hello(offers: &[&str]) -> Vec<Step> {
    let mut steps = vec![say("220 mail.example.org ESMTP")];
    steps.extend(offered(offers));
    steps
}

/// EHLO alone.
pub(super) fn offered(offers: &[&str]) -> Vec<Step> {
    let mut lines = vec!["mail.example.org"];
    lines.extend(offers);
    let last = lines.len() - 1;
    let lines = lines.iter().enumerate();
    let lines = lines.map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }));
    vec![Hear("EHLO "), say(&lines.collect::<Vec<_>>().join("\r\n"))]
}

/// From MAIL to the mail's end; what is said then follows.
pub(super) fn taking() -> Vec<Step> {
    vec![
        Hear("MAIL FROM:<otp@mail.example.org>"),
        say("250 2.1.0 ok"),
        Hear("RCPT TO:<jane@example.org>"),
        say("250 2.1.5 ok"),
        Hear("DATA"),
        say("354 go on"),
        HearMail,
    ]
}

/// Several scripts, one after the other.
pub(super) fn all(parts: impl IntoIterator<Item = Vec<Step>>) -> Vec<Step> {
    parts.into_iter().flatten().collect()
}

/// A server under its script. It gives what it has heard.
pub(super) struct Server {
    pub(super) port: u16,
    heard: JoinHandle<Vec<String>>,
}

impl Server {
    pub(super) fn start(steps: Vec<Step>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Little, so that a server that does not read stops the other side soon.
        socket.set_recv_buffer_size(64 << 10).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(1).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            follow(stream, steps).await
        });
        Self { port, heard }
    }

    /// What it has heard by the end of its script.
    pub(super) async fn heard(mut self) -> Vec<String> {
        tokio::time::timeout(super::PATIENCE, &mut self.heard).await.expect("the script ends").unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.heard.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn follow(stream: impl Stream + 'static, steps: Vec<Step>) -> Vec<String> {
    let (mut stream, mut heard): (Box<dyn Stream>, _) = (Box::new(stream), Vec::new());
    for step in steps {
        match step {
            Step::Say(bytes) => {
                // The other side may be gone by right.
                let _ = stream.write_all(bytes.as_bytes()).await;
                let _ = stream.flush().await;
            }
            Hear(beginning) => {
                let line = line(&mut stream).await;
                assert!(line.starts_with(beginning), "{line:?} instead of {beginning:?}");
                heard.push(line);
            }
            HearMail => loop {
                let line = line(&mut stream).await;
                heard.push(line.clone());
                if line == "." {
                    break;
                }
            },
            Tls(identity) => match acceptor(&identity).accept(stream).await {
                Ok(secured) => stream = Box::new(secured),
                Err(_) => return heard,
            },
            Repeat(bytes) => while stream.write_all(&bytes).await.is_ok() {},
            Stall => std::future::pending().await,
            Hang => while stream.read(&mut [0; 256]).await.is_ok_and(|read| read > 0) {},
        }
    }
    heard
}

/// A line without its end; empty when the other side has gone.
async fn line(stream: &mut Box<dyn Stream>) -> String {
    let mut bytes = Vec::new();
    while let Ok(byte) = stream.read_u8().await {
        bytes.push(byte);
        if bytes.ends_with(b"\r\n") {
            bytes.truncate(bytes.len() - 2);
            break;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let chain =
        CertificateDer::pem_file_iter(&identity.certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap()))
}
