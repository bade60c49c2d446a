//! The few AWS calls that the tool itself makes of the emulator.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::emulator::REGION;
use crate::proxy;

/// A client for the emulator's AWS APIs.
#[derive(Clone, Debug)]
pub struct Aws {
    emulator: String,
    client: reqwest::Client,
}

/// What a function answered to a direct call.
#[derive(Clone, Debug)]
pub struct Invoked {
    /// The kind of error, when the function failed.
    pub error: Option<String>,
    /// Its answer, or the error's description.
    pub payload: Value,
}

impl Aws {
    /// A client for the emulator at `url`.
    #[must_use]
    pub fn at(url: &str) -> Self {
        Self { emulator: url.to_owned(), client: proxy::client() }
    }

    /// Calls an operation of a service that speaks AWS's JSON protocol, for instance `secretsmanager` with
    /// `secretsmanager.GetSecretValue`, or `dynamodb` with `DynamoDB_20120810.Scan`.
    ///
    /// # Errors
    /// The emulator refuses: its answer is part of the error.
    pub async fn call(&self, service: &str, target: &str, body: &Value) -> Result<Value> {
        let request = self.client.post(&self.emulator).header("x-amz-target", target).json(body);
        let request = request.header("content-type", "application/x-amz-json-1.0");
        let response = request.header("authorization", authorization(service)).send().await?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{target}: {status} {text}");
        }
        if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
    }

    /// The text of a secret.
    ///
    /// # Errors
    /// There is none of that name or ARN.
    pub async fn secret(&self, id: &str) -> Result<String> {
        let answer =
            self.call("secretsmanager", "secretsmanager.GetSecretValue", &json!({ "SecretId": id })).await?;
        let text = answer.get("SecretString").and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("the secret {id} has no text"))
    }

    /// The names of all functions.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn functions(&self) -> Result<Vec<String>> {
        let request = self.client.get(format!("{}/2015-03-31/functions?MaxItems=1000", self.emulator));
        let response = request.header("authorization", authorization("lambda")).send().await?;
        let answer: Value = response.error_for_status()?.json().await?;
        let functions = answer.get("Functions").and_then(Value::as_array).context("no list of functions")?;
        let name = |function: &Value| function.get("FunctionName").and_then(Value::as_str).map(str::to_owned);
        Ok(functions.iter().filter_map(name).collect())
    }

    /// The environment variables that the deployment gave a function.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn environment(&self, function: &str) -> Result<BTreeMap<String, String>> {
        let request =
            self.client.get(format!("{}/2015-03-31/functions/{function}/configuration", self.emulator));
        let response = request.header("authorization", authorization("lambda")).send().await?;
        let answer: Value = response.error_for_status()?.json().await?;
        let variables = answer.pointer("/Environment/Variables").cloned().unwrap_or_else(|| json!({}));
        serde_json::from_value(variables).with_context(|| format!("the environment of {function} is odd"))
    }

    /// Calls a function and waits for its answer.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Invoked> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.emulator);
        let request = self.client.post(url).header("authorization", authorization("lambda")).json(payload);
        let response = request.send().await?;
        let status = response.status();
        let error = response.headers().get("x-amz-function-error").and_then(|value| value.to_str().ok());
        let error = error.map(str::to_owned);
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{function} cannot be called: {status} {text}");
        }
        Ok(Invoked {
            error,
            payload: if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? },
        })
    }
}

/// The emulator reads region and service from the header, and checks no signature.
fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}
