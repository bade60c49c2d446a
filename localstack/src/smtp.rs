//! A server of mail that stands in for a company's own: it takes mail over SMTP with STARTTLS and a password, and what
//! it takes is in the mail viewer.
//!
//! `localstack/smtp/gateway.py` speaks SMTP, and posts each mail to an intake of ours.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::certificates::{Certificates, Identity};
use crate::guard::{Guarded, Launch, Output};
use crate::host::{self, Watch};
use crate::layout::Layout;
use crate::ports;
use crate::proxy::Serving;
use crate::third_party::ThirdParty;

mod intake;
#[cfg(test)]
mod tests;

/// The user that may send.
pub const USER: &str = "mailer";
/// How long a start may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often a start is tried when another program takes its port.
const TRIES: usize = 3;

/// The password of [`USER`]: made at random for each world.
#[derive(Clone, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    fn random() -> Result<Self> {
        let mut bytes = [0; 15];
        aws_lc_rs::rand::fill(&mut bytes).ok().context("no randomness for a password")?;
        Ok(Self(data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()))
    }

    /// The password itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The running server.
#[derive(Debug)]
pub struct Smtp {
    process: Guarded,
    _intake: Serving,
    /// Host and port; TLS begins by STARTTLS (RFC 3207).
    pub address: String,
    /// The certificate of the authority that signed the server's own: a file in PEM.
    pub authority: PathBuf,
    /// The password of [`USER`].
    pub password: Password,
}

impl Smtp {
    /// Starts it, on `wish` if that port is free. Its certificates and log lie below `folder`. Mails go to the viewer at
    /// `viewer`, and `third_party` sees them.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(
        layout: &Layout,
        folder: &Path,
        wish: Option<u16>,
        viewer: &str,
        third_party: ThirdParty,
    ) -> Result<Self> {
        let (intake, serving) = intake::start(ports::listen(None)?, viewer, third_party)?;
        let certificates = folder.join("certificates");
        let identity = Certificates::make(&certificates)?.good;
        let password = Password::random()?;
        let script = layout.root().join("localstack/smtp/gateway.py");
        let launch = |port: u16| {
            let log = Output::Log(folder.join("logs/smtp.log"));
            let Identity { certificate, key } = &identity;
            Launch::new(layout.venv_program("python"), log)
                .env_clear()
                .env("PATH", host::variable("PATH").unwrap_or_default())
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("GATEWAY_PORT", port.to_string())
                .env("GATEWAY_CERTIFICATE", certificate)
                .env("GATEWAY_KEY", key)
                .env("GATEWAY_USER", USER)
                .env("GATEWAY_PASSWORD", password.expose())
                .env("GATEWAY_INTAKE", &intake)
                .args([&script])
                .current_dir(folder)
        };
        let mut complaints = String::new();
        for attempt in 0..TRIES {
            let port = ports::pick(wish.filter(|_| attempt == 0))?;
            let mut process = launch(port).start()?;
            match ready(&mut process, port).await? {
                None => {
                    let (address, authority) =
                        (format!("127.0.0.1:{port}"), certificates.join("authority.pem"));
                    return Ok(Self { process, _intake: serving, address, authority, password });
                }
                Some(complaint) => complaints = complaint,
            }
        }
        bail!(complaints)
    }

    /// Why it ended by itself, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.process.ended()
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

/// Waits for its greeting. Gives the complaint of a process that ended instead.
async fn ready(process: &mut Guarded, port: u16) -> Result<Option<String>> {
    let watch = Watch::start();
    while watch.elapsed() < PATIENCE {
        if let Some(complaint) = process.ended() {
            return Ok(Some(complaint));
        }
        if greets(port).await {
            return Ok(None);
        }
        host::pause(Duration::from_millis(50)).await;
    }
    bail!("the SMTP gateway does not answer on port {port}")
}

async fn greets(port: u16) -> bool {
    let greeting = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let mut code = [0; 4];
        stream.read_exact(&mut code).await.ok().filter(|_| code == *b"220 ")
    };
    matches!(tokio::time::timeout(Duration::from_secs(2), greeting).await, Ok(Some(_)))
}
