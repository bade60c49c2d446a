//! The measured operations, in the order in which a person meets them: a user, a token, its message and its mail, the
//! enrolment, and codes of five kinds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::events;
use super::ledger::{Call, Found};
use super::operation::Operation;
use super::runtime::{Environment, Running};
use super::wire::{Asked, Wire};
use crate::authenticator::Authenticator;
use crate::build::FUNCTIONS;
use crate::demo::Keys;
use crate::device::Device;
use crate::host::{self, Watch};

/// The code of the next step is right for longer than this. A slow machine does fewer rounds.
const CODE_LIFE: Duration = Duration::from_secs(25);

/// What a call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To see a new process's first call.
    First,
    /// To fill what functions keep in memory; not looked at.
    Warm,
    /// To be timed.
    Timed,
    /// To count request units.
    Counted,
    /// To be timed with remembered answers.
    Steady,
}

/// Functions, the wire between them and AWS, and the people who use them.
#[derive(Debug)]
pub struct Scene {
    wire: Wire,
    keys: Keys,
    binaries: BTreeMap<&'static str, PathBuf>,
    environments: BTreeMap<&'static str, Environment>,
    running: BTreeMap<&'static str, Running>,
    logs: PathBuf,
    purpose: Purpose,
    /// What the latest call asked for.
    asked: Vec<Asked>,
    found: Found,
}

/// A user with an active token.
#[derive(Debug)]
struct Enrolled {
    user: String,
    app: Authenticator,
    /// When the code was made that activated the token.
    used_at: u64,
}

impl Enrolled {
    /// A code that was not used before, and is right now.
    fn fresh_code(&self) -> String {
        self.app.code_at(host::unix_time().max(self.used_at + self.app.period()))
    }

    /// A code that none of the steps around now has.
    fn wrong_code(&self) -> String {
        let around = (0..=20_u64).map(|step| host::unix_time() + step * self.app.period());
        let near: Vec<String> =
            around.map(|time| self.app.code_at(time.saturating_sub(10 * self.app.period()))).collect();
        let mut candidates = (0..100).map(|number| format!("{number:06}"));
        candidates.find(|code| !near.contains(code)).unwrap_or_default()
    }
}

impl Scene {
    /// A scene without people. Each function is `binaries`' program under the environment that it was deployed with;
    /// their logs go below `folder`.
    #[must_use]
    pub fn new(
        wire: Wire,
        keys: Keys,
        binaries: BTreeMap<&'static str, PathBuf>,
        deployed: &BTreeMap<&'static str, Environment>,
        folder: &Path,
    ) -> Self {
        let url = &wire.url;
        let with_wire = |(name, environment): (&&'static str, &Environment)| {
            let mut environment = environment.clone();
            environment.insert("AWS_ENDPOINT_URL".to_owned(), url.clone());
            (*name, environment)
        };
        Self {
            environments: deployed.iter().map(with_wire).collect(),
            wire,
            keys,
            binaries,
            running: BTreeMap::new(),
            logs: folder.to_owned(),
            purpose: Purpose::Warm,
            asked: Vec::new(),
            found: Found::default(),
        }
    }

    /// Plays: `first` people meet new processes at every step, `timed` people warm ones, `counted` people are there
    /// to count units. Up to five times `timed` codes of each kind are given to `verify` alone.
    ///
    /// # Errors
    /// A function fails, or answers what it should not.
    pub async fn play(mut self, first: usize, timed: usize, counted: usize) -> Result<Found> {
        self.purpose = Purpose::First;
        self.people("first", first).await?;
        for name in FUNCTIONS {
            self.restart(name).await?;
        }
        self.purpose = Purpose::Warm;
        self.people("warm", 3).await?;
        self.purpose = Purpose::Timed;
        self.people("timed", timed).await?;
        for (name, running) in &self.running {
            self.found.memory.insert(name, running.peak_memory()?);
        }
        self.steady(5 * timed).await?;
        self.purpose = Purpose::Counted;
        self.wire.count_units(true);
        self.people("counted", counted).await?;
        for running in std::mem::take(&mut self.running).into_values() {
            running.stop().await?;
        }
        Ok(self.found)
    }

    /// Gives `verify` a code of each kind, and then the same again `count` times with the answers that the tables gave
    /// to the first. So the state is real, the emulator sleeps, and nothing but the function itself can differ.
    async fn steady(&mut self, count: usize) -> Result<()> {
        self.purpose = Purpose::Warm;
        let person = self.enrol("steady").await?;
        self.create_user("steady-bare").await?;
        let (fresh, wrong) = (person.fresh_code(), person.wrong_code());
        let mut kinds = Vec::new();
        for kind in Operation::VERIFY {
            let (user, code, status) = match kind {
                Operation::Right => ("steady", &fresh, 200),
                Operation::Replay => ("steady", &fresh, 422),
                Operation::Unknown => ("steady-nobody", &wrong, 422),
                Operation::NoToken => ("steady-bare", &wrong, 422),
                _ => ("steady", &wrong, 422),
            };
            let body = json!({ "user": user, "code": code });
            let event = events::http("POST", "/v1/verify", Some(&self.keys.app), &body);
            self.http(kind, &event, status).await?;
            kinds.push((kind, event, status, self.asked.clone()));
        }
        self.purpose = Purpose::Steady;
        let watch = Watch::start();
        for number in 0..count {
            if watch.elapsed() > CODE_LIFE {
                break;
            }
            for (kind, event, status, asked) in kinds.iter().cycle().skip(number % 5).take(5) {
                self.wire.remember(asked);
                self.http(*kind, event, *status).await?;
            }
        }
        self.wire.remember(&[]);
        Ok(())
    }

    /// Enrols people, then checks their codes. The kinds of codes take turns, in an order that rotates: whatever a
    /// call leaves behind in processor and emulator meets all kinds alike.
    async fn people(&mut self, prefix: &str, count: usize) -> Result<()> {
        let mut people = Vec::with_capacity(count);
        for number in 0..count {
            people.push(self.enrol(&format!("{prefix}-{number}")).await?);
            self.create_user(&format!("{prefix}-bare-{number}")).await?;
        }
        let mut burnt: Option<(&Enrolled, String)> = None;
        for (number, person) in people.iter().enumerate() {
            let fresh = person.fresh_code();
            let kinds = Operation::VERIFY.iter().cycle().skip(number % 5).take(5);
            for kind in kinds.copied() {
                // What needs a person with a used code takes the one before.
                let (user, code, status) = match (kind, &burnt) {
                    (Operation::Right, _) => (person.user.clone(), fresh.clone(), 200),
                    (Operation::Unknown, _) => {
                        (format!("{prefix}-nobody-{number}"), person.wrong_code(), 422)
                    }
                    (Operation::NoToken, _) => (format!("{prefix}-bare-{number}"), person.wrong_code(), 422),
                    (Operation::Replay, Some((before, code))) => (before.user.clone(), code.clone(), 422),
                    (_, Some((before, _))) => (before.user.clone(), before.wrong_code(), 422),
                    (_, None) => continue,
                };
                let body = json!({ "user": user, "code": code });
                let event = events::http("POST", "/v1/verify", Some(&self.keys.app), &body);
                self.http(kind, &event, status).await?;
            }
            burnt = Some((person, fresh));
        }
        Ok(())
    }

    async fn create_user(&mut self, user: &str) -> Result<()> {
        let body = json!({
            "user": user, "display_name": "Jane Doe", "email": format!("{user}@example.org"), "locale": "en"
        });
        let event = events::http("POST", "/v1/users", Some(&self.keys.operator), &body);
        self.http(Operation::CreateUser, &event, 201).await.map(drop)
    }

    async fn enrol(&mut self, user: &str) -> Result<Enrolled> {
        let operator = self.keys.operator.clone();
        self.create_user(user).await?;
        let path = format!("/v1/users/{user}/tokens");
        let event = events::http("POST", &path, Some(&operator), &json!({}));
        let (token, _) = self.http(Operation::Provision, &event, 201).await?;
        let path = format!("/v1/tokens/{}/push", text(&token, "serial")?);
        let event = events::http(
            "POST",
            &path,
            Some(&operator),
            &json!({ "channel": "email", "authorization": "none" }),
        );
        let (pushed, queued) = self.http(Operation::Push, &event, 202).await?;
        let handed = self.queue(Operation::Deliver, &queued).await?;
        let mail = self.queue(Operation::Send, &handed).await?;
        let path = format!("/v1/messages/{}", text(&pushed, "message")?);
        let event = events::http("GET", &path, Some(&operator), &Value::Null);
        let (message, _) = self.http(Operation::ReadMessage, &event, 200).await?;
        ensure!(text(&message, "status")? == "sent", "the message is {message}");
        let path = format!("/v1/activations/{}", self.link_code(&mail)?);
        let device = json!({ "os": "ios", "type": "phone", "push": { "capable": true, "permitted": true } });
        let start = json!({ "device": device });
        let (session, _) = self.http(Operation::Start, &Self::signed(&path, &start)?, 201).await?;
        let app = Authenticator::scan(text(&session, "otpauth_uri")?)?;
        let used_at = host::unix_time();
        let body = json!({ "code": app.code_at(used_at) });
        self.http(Operation::Activate, &Self::signed(&path, &body)?, 200).await?;
        Ok(Enrolled { user: user.to_owned(), app, used_at })
    }

    /// A request that the app's device has signed.
    fn signed(path: &str, body: &Value) -> Result<Value> {
        let device = Device::new(1)?;
        let headers = device.sign(&Method::POST, path, body, host::unix_time()).headers();
        Ok(events::with_headers(events::http("POST", path, None, body), headers))
    }

    /// The code of the link in a mail.
    fn link_code(&self, mail: &str) -> Result<String> {
        let base =
            self.environments.get("push-token").and_then(|variables| variables.get("OTPOST_PUBLIC_URL"));
        let base = format!("{}/e/", base.context("push-token has no public URL")?);
        let rest = mail.split(&base).nth(1).with_context(|| format!("no link in the mail: {mail}"))?;
        let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        Ok(rest.chars().take_while(|c| is_code(*c)).collect())
    }

    /// An HTTP call: the body of its answer, and what it queued.
    async fn http(&mut self, operation: Operation, event: &Value, status: u16) -> Result<(Value, String)> {
        let (answer, payload) = self.call(operation, event).await?;
        let got = answer.get("statusCode").and_then(Value::as_u64).unwrap_or_default();
        ensure!(got == u64::from(status), "{}: expected {status}, got {answer}", operation.name());
        let body = answer.get("body").and_then(Value::as_str).unwrap_or("null");
        Ok((serde_json::from_str(body)?, payload))
    }

    /// A call by a queue: what it put on the next one, or mailed.
    async fn queue(&mut self, operation: Operation, body: &str) -> Result<String> {
        let (answer, payload) = self.call(operation, &events::queue(body)).await?;
        let failures = answer.get("batchItemFailures").and_then(Value::as_array).map_or(0, Vec::len);
        ensure!(failures == 0 && !payload.is_empty(), "{}: {answer}", operation.name());
        Ok(payload)
    }

    async fn call(&mut self, operation: Operation, event: &Value) -> Result<(Value, String)> {
        let name = operation.function();
        if self.purpose == Purpose::First {
            self.restart(name).await?;
        }
        let Some(running) = self.running.get_mut(name) else { bail!("{name} does not run") };
        let _ = self.wire.take();
        let called = running.call(event).await.with_context(|| operation.name())?;
        let asked = self.wire.take();
        let payload = asked.iter().rev().find_map(|asked| asked.payload.clone()).unwrap_or_default();
        self.asked.clone_from(&asked);
        let call = Call::new(&called, asked);
        let ledger = match self.purpose {
            Purpose::First => &mut self.found.first,
            Purpose::Warm => return Ok((called.answer, payload)),
            Purpose::Timed => &mut self.found.timed,
            Purpose::Counted => &mut self.found.counted,
            Purpose::Steady => &mut self.found.steady,
        };
        ledger.add(operation, call);
        Ok((called.answer, payload))
    }

    async fn restart(&mut self, name: &'static str) -> Result<()> {
        if let Some(running) = self.running.remove(name) {
            running.stop().await?;
        }
        let binary = self.binaries.get(name).with_context(|| format!("no binary {name}"))?;
        let environment = self.environments.get(name).with_context(|| format!("no environment of {name}"))?;
        let log = self.logs.join(format!("{name}.log"));
        let running = Running::start(name, binary, environment, &log).await?;
        self.running.insert(name, running);
        Ok(())
    }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("the answer has no {field}: {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_codes_are_wrong_and_fresh_ones_are_not_burnt() {
        let uri = "otpauth://totp/Demo:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo";
        let used_at = host::unix_time();
        let person = Enrolled { user: "jane".to_owned(), app: Authenticator::scan(uri).unwrap(), used_at };
        assert_ne!(person.fresh_code(), person.app.code_at(used_at));
        assert_ne!(person.wrong_code(), person.app.code());
    }
}
