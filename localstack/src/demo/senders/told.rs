//! What a test of a gateway told.

use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::NEXT;

/// What became of a test.
#[derive(Debug)]
pub(super) struct Told {
    outcome: String,
    reason: Option<String>,
    said: Vec<String>,
    milliseconds: Option<u64>,
    /// The message, while nothing became of it yet.
    pub(super) pending: Option<String>,
}

impl Told {
    /// Of the answer to a test.
    pub(super) fn of_test(test: &Value) -> Result<Self> {
        let mut told = Self::read(test, "outcome")?;
        told.milliseconds = test.get("milliseconds").and_then(Value::as_u64);
        if told.outcome == "pending" {
            told.pending = Some(text(test, "message").context("a test that is sent is a message")?);
        }
        Ok(told)
    }

    /// Of its message; none while nothing became of it.
    pub(super) fn of_message(message: &Value) -> Result<Option<Self>> {
        let hops = message.get("hops").and_then(Value::as_array).context("the message has no hops")?;
        let told = hops.last().map(|hop| Self::read(hop, "state")).transpose()?;
        Ok(told.filter(|told| !["handed", "claimed"].contains(&told.outcome.as_str())))
    }

    fn read(json: &Value, outcome: &str) -> Result<Self> {
        let said = json.get("said").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            outcome: text(json, outcome).context("a test has an outcome")?,
            reason: text(json, "reason"),
            said: said.filter_map(Value::as_str).map(str::to_owned).collect(),
            milliseconds: None,
            pending: None,
        })
    }

    /// Of a message that its provider took: in one line.
    pub(super) fn accepted(self) -> Result<String> {
        if self.outcome == "accepted" {
            let said = self.said.last().map(|line| format!(": {line}")).unwrap_or_default();
            Ok(format!("{}{said}", self.took()))
        } else {
            bail!("{self}")
        }
    }

    /// Of a message that must end as `outcome`, and of which nothing may repeat `secret`: all that was told.
    pub(super) fn ended(self, outcome: &str, secret: &str) -> Result<((), String)> {
        ensure!(self.outcome == outcome, "not {outcome}, but {self}");
        ensure!(!self.said.is_empty(), "what the provider said is missing: {self}");
        let repeated = self.said.iter().chain(&self.reason).any(|line| line.contains(secret));
        ensure!(!repeated, "what was told repeats what it must not");
        Ok(((), self.to_string()))
    }

    fn took(&self) -> String {
        let time = self.milliseconds.map(|time| format!(" after {time} ms")).unwrap_or_default();
        format!("{}{time}", self.outcome)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.took())?;
        self.reason.iter().try_for_each(|reason| write!(f, ": {reason}"))?;
        self.said.iter().try_for_each(|line| write!(f, "{NEXT}said: {line}"))
    }
}

fn text(json: &Value, name: &str) -> Option<String> {
    json.get(name)?.as_str().map(str::to_owned)
}
