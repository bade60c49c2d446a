//! The LocalStack-compatible emulator as a child process.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::guard::{Guarded, Launch, Output};
use crate::host::{self, Watch};
use crate::layout::Layout;
use crate::ports;

/// The region of every local run.
pub const REGION: &str = "eu-west-2";
/// The account of every local run.
pub const ACCOUNT: &str = "000000000000";

/// A running child process that answers on a port.
#[derive(Debug)]
pub struct Server {
    process: Guarded,
    /// Where it answers.
    pub url: String,
}

impl Server {
    /// Starts `launch(port)` and waits until `<url><ready>` answers; a port taken meanwhile is replaced.
    ///
    /// # Errors
    /// The process ends at once, three times over, or does not answer within a minute.
    pub(crate) async fn start(
        wish: Option<u16>,
        ready: &str,
        launch: impl Fn(u16) -> Launch,
    ) -> Result<Self> {
        let mut complaints = String::new();
        for attempt in 0..3 {
            let port = ports::pick(wish.filter(|_| attempt == 0))?;
            let mut server = Self { process: launch(port).start()?, url: ports::url(port) };
            match server.ready(ready).await? {
                None => return Ok(server),
                Some(complaint) => complaints = complaint,
            }
        }
        bail!(complaints)
    }

    /// Waits for an answer. Gives the complaint of a process that ended instead.
    async fn ready(&mut self, path: &str) -> Result<Option<String>> {
        let client = crate::proxy::client();
        let watch = Watch::start();
        while watch.elapsed() < Duration::from_mins(1) {
            if let Some(complaint) = self.process.ended() {
                return Ok(Some(complaint));
            }
            let answer =
                client.get(format!("{}{path}", self.url)).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|response| response.status().is_success()) {
                return Ok(None);
            }
            host::pause(Duration::from_millis(100)).await;
        }
        bail!("{} does not answer", self.url)
    }

    /// Why the process ended, if it did.
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

/// Starts the emulator with its state below `folder`. Functions will send their AWS calls to `endpoint`.
///
/// # Errors
/// It does not start.
pub async fn start(layout: &Layout, folder: &Path, endpoint: &str) -> Result<Server> {
    let (home, scratch) = (folder.join("home"), folder.join("tmp"));
    std::fs::create_dir_all(&home)?;
    std::fs::create_dir_all(&scratch)?;
    Server::start(None, "/_localstack/health", |port| {
        // The emulator hands its whole environment to every function: nothing of ours may be in it.
        Launch::new(layout.venv_program("ministack"), Output::Log(folder.join("logs/emulator.log")))
            .env_clear()
            .env("PATH", host::variable("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("TMPDIR", &scratch)
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_REGION", REGION)
            .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("NO_PROXY", "127.0.0.1,localhost")
            .current_dir(folder)
    })
    .await
}
