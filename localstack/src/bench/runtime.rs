//! A function under the Lambda Runtime API: started, asked, and looked at.
//!
//! The function is the `bootstrap` of its release package as it would run on Lambda. It is started directly, without
//! the guard's shell, because its start is what is measured. It cannot outlive us all the same: its connection to the
//! Runtime API is the line. When that closes, the runtime ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::usage;
use crate::emulator::REGION;
use crate::host::{self, Watch};
use crate::proxy::{Serving, serve};

/// Lambda's own limit of an answer.
const LARGEST: usize = 6 << 20;
/// How long anything may take; far more than a function's own timeout.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a function has asked for its next event it still goes to sleep.
const SETTLE: Duration = Duration::from_millis(1);

/// The environment that a deployment gives a function.
pub type Environment = BTreeMap<String, String>;

/// A running function that waits for an event.
#[derive(Debug)]
pub struct Running {
    child: Child,
    process: u32,
    /// From before its process was made until it asked for its first event.
    pub init: Duration,
    watch: Watch,
    events: UnboundedSender<String>,
    heard: UnboundedReceiver<Heard>,
    log: std::path::PathBuf,
    _serving: Serving,
}

/// What a call came to.
#[derive(Clone, Debug)]
pub struct Called {
    /// From handing the event out until the answer was there.
    pub wall: Duration,
    /// CPU time of the function, until it slept again.
    pub cpu: Duration,
    /// Bytes that it logged.
    pub logged: u64,
    /// What it answered.
    pub answer: Value,
}

/// What a function says to the Runtime API.
#[derive(Debug)]
enum Heard {
    /// It wants an event.
    Next(Duration),
    /// It has answered.
    Answer(Duration, Bytes),
    /// It has failed.
    Failure(Bytes),
}

impl Running {
    /// Starts the function `name` from `binary`, and waits until it wants its first event. Its output goes to `log`.
    ///
    /// # Errors
    /// It ends, fails, or does not ask within half a minute.
    pub async fn start(name: &str, binary: &Path, environment: &Environment, log: &Path) -> Result<Self> {
        let watch = Watch::start();
        let listener = crate::ports::listen(None)?;
        let address = listener.local_addr()?;
        let (events, waiting) = unbounded_channel();
        let (said, heard) = unbounded_channel();
        let serving = serve_runtime_api(listener, watch, waiting, said)?;
        let output = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "bench")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "bench")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .env("AWS_LAMBDA_LOG_LEVEL", "INFO")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let began = watch.elapsed();
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let process = child.id().context("it ended at once")?;
        let log = log.to_owned();
        let mut running =
            Self { child, process, init: Duration::ZERO, watch, events, heard, log, _serving: serving };
        let ready = running.next().await.with_context(|| format!("{name} does not start"))?;
        running.init = ready.saturating_sub(began);
        Ok(running)
    }

    /// Gives the function an event and waits for its answer, and until it sleeps again.
    ///
    /// # Errors
    /// It fails, or takes longer than half a minute.
    pub async fn call(&mut self, event: &Value) -> Result<Called> {
        let (event, logged) = (event.to_string(), self.logged());
        let cpu = usage::cpu(self.process)?;
        let began = self.watch.elapsed();
        self.events.send(event).context("the Runtime API is gone")?;
        let (answered, answer) = match self.hear().await? {
            Heard::Answer(at, answer) => (at, answer),
            Heard::Next(_) => bail!("a second event is wanted before the first is answered"),
            Heard::Failure(text) => bail!("it failed: {}", String::from_utf8_lossy(&text)),
        };
        self.next().await?;
        host::pause(SETTLE).await;
        Ok(Called {
            wall: answered.saturating_sub(began),
            cpu: usage::cpu(self.process)?.saturating_sub(cpu),
            logged: self.logged().saturating_sub(logged),
            answer: serde_json::from_slice(&answer).context("the answer is no JSON")?,
        })
    }

    /// The most memory that it ever had resident, in kB.
    ///
    /// # Errors
    /// It has ended.
    pub fn peak_memory(&self) -> Result<u64> {
        usage::peak_memory(self.process)
    }

    /// Ends it, and waits until it is gone.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("the function does not end")
    }

    /// When it wanted its next event.
    async fn next(&mut self) -> Result<Duration> {
        match self.hear().await? {
            Heard::Next(at) => Ok(at),
            Heard::Answer(..) => bail!("an answer to no event"),
            Heard::Failure(text) => bail!("it failed: {}", String::from_utf8_lossy(&text)),
        }
    }

    async fn hear(&mut self) -> Result<Heard> {
        let heard = tokio::select! {
            heard = self.heard.recv() => heard.context("the Runtime API is gone")?,
            status = self.child.wait() => bail!("it ended with {}: {}", status?, self.last_words()),
            () = host::pause(PATIENCE) => bail!("nothing heard for {} s", PATIENCE.as_secs()),
        };
        Ok(heard)
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().last().unwrap_or("it said nothing").to_owned()
    }

    fn logged(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }
}

/// Serves `/2018-06-01/runtime`: events come from `waiting`, and what the function says goes to `said`.
fn serve_runtime_api(
    listener: std::net::TcpListener,
    watch: Watch,
    waiting: UnboundedReceiver<String>,
    said: UnboundedSender<Heard>,
) -> Result<Serving> {
    let waiting = Arc::new(Mutex::new(waiting));
    let number = Arc::new(StdMutex::new(0_u32));
    serve(listener, move |request: Request| {
        let at = watch.elapsed();
        let (waiting, said, number) = (Arc::clone(&waiting), said.clone(), Arc::clone(&number));
        async move {
            let path = request.uri().path().to_owned();
            if path.ends_with("/invocation/next") {
                let _ = said.send(Heard::Next(at));
                let Some(event) = waiting.lock().await.recv().await else {
                    return StatusCode::GONE.into_response();
                };
                let mut number = number.lock().unwrap_or_else(PoisonError::into_inner);
                *number += 1;
                return hand_out(*number, event);
            }
            let body = to_bytes(request.into_body(), LARGEST).await.unwrap_or_default();
            let heard = if path.ends_with("/response") {
                // The answer is complete only now.
                Heard::Answer(watch.elapsed(), body)
            } else {
                Heard::Failure(body)
            };
            let _ = said.send(heard);
            StatusCode::ACCEPTED.into_response()
        }
    })
}

fn hand_out(number: u32, event: String) -> Response {
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let deadline = ((host::unix_time() + 60) * 1000).to_string();
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", id),
        ("lambda-runtime-deadline-ms", deadline),
        (
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:{REGION}:000000000000:function:bench"),
        ),
        ("lambda-runtime-trace-id", "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned()),
    ];
    (headers, event).into_response()
}
