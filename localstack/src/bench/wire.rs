//! The wire between a measured function and AWS: how long each request took, what it asked, and what it used.
//!
//! DynamoDB, KMS and Secrets Manager are the emulator's. Queues and SES end here, so that nothing but the measured
//! functions takes part: what would be queued or mailed is kept for the next step.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Map, Value, json};

use super::units::{self, Item, Tables, Units};
use crate::aws::Aws;
use crate::counts::operation;
use crate::host::Watch;
use crate::proxy::{Serving, client, serve};

/// What the SDK sends is far below this.
const LARGEST: usize = 40 << 20;

/// A request that a function made.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its operation, without the API's version: `DynamoDB Query`, `KMS Decrypt`, `SQS SendMessage`, `SES SendEmail`.
    pub operation: String,
    /// From its arrival here until its answer left.
    pub took: Duration,
    /// DynamoDB's units, if these were counted.
    pub units: Units,
    /// What was to be queued, or mailed.
    pub payload: Option<String>,
    /// The emulator's answer, if it was one of success.
    pub answer: Option<Bytes>,
}

/// The wire.
#[derive(Debug)]
pub struct Wire {
    /// Where functions send their AWS calls.
    pub url: String,
    shared: Arc<Shared>,
    _serving: Serving,
}

#[derive(Debug)]
struct Shared {
    aws: Aws,
    emulator: String,
    client: reqwest::Client,
    tables: Tables,
    counting: AtomicBool,
    asked: Mutex<Vec<Asked>>,
    remembered: Mutex<VecDeque<(String, Bytes)>>,
}

impl Wire {
    /// Serves in front of `emulator`, whose tables are `tables`.
    ///
    /// # Errors
    /// The listener cannot be used, or there are no such tables.
    pub async fn start(listener: TcpListener, emulator: &str, tables: &[&str]) -> Result<Self> {
        let url = crate::ports::url(listener.local_addr()?.port());
        let aws = Aws::at(emulator);
        let mut known = Tables::default();
        for table in tables {
            let described = aws
                .call("dynamodb", "DynamoDB_20120810.DescribeTable", &json!({ "TableName": table }))
                .await?;
            known.learn(table, &described);
        }
        let shared = Arc::new(Shared {
            aws,
            emulator: emulator.to_owned(),
            client: client(),
            tables: known,
            counting: AtomicBool::new(false),
            asked: Mutex::default(),
            remembered: Mutex::default(),
        });
        let serving_shared = Arc::clone(&shared);
        let serving = serve(listener, move |request: Request| {
            let shared = Arc::clone(&serving_shared);
            async move {
                let answered = shared.answer(request).await;
                answered.unwrap_or_else(|error| {
                    (StatusCode::BAD_GATEWAY, format!("the wire is broken: {error:#}\n")).into_response()
                })
            }
        })?;
        Ok(Self { url, shared, _serving: serving })
    }

    /// Whether units are counted from now on. That takes a look at each written item before and after, so what is
    /// counted is not timed.
    pub fn count_units(&self, yes: bool) {
        self.shared.counting.store(yes, Ordering::Relaxed);
    }

    /// Gives the answers of an earlier call again, in their order, to requests of the same operations; the emulator is
    /// not asked. Requests of other operations still go to it.
    pub fn remember(&self, earlier: &[Asked]) {
        let answers =
            earlier.iter().filter_map(|asked| Some((asked.operation.clone(), asked.answer.clone()?)));
        *self.shared.remembered.lock().unwrap_or_else(PoisonError::into_inner) = answers.collect();
    }

    /// What was asked since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    async fn answer(&self, request: Request) -> Result<Response> {
        let watch = Watch::start();
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST).await?;
        let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
        let operation = short(&operation(target, parts.method.as_str(), parts.uri.path()));
        let mut asked =
            Asked { operation, took: Duration::ZERO, units: Units::default(), payload: None, answer: None };
        let response = if let Some(answer) = self.remembered(&asked.operation) {
            json_answer(answer)
        } else if asked.operation == "SQS SendMessage" {
            let call: Value = serde_json::from_slice(&body)?;
            asked.payload = call.get("MessageBody").and_then(Value::as_str).map(str::to_owned);
            json_answer(r#"{"MessageId":"bench"}"#.into())
        } else if asked.operation == "SES SendEmail" {
            asked.payload = mail(&body);
            json_answer(r#"{"MessageId":"bench"}"#.into())
        } else {
            self.forward(parts, body, &mut asked).await?
        };
        asked.took = watch.elapsed();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        Ok(response)
    }

    /// The next remembered answer, if it is one to `operation`.
    fn remembered(&self, operation: &str) -> Option<Bytes> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.front().filter(|(of, _)| of == operation)?;
        remembered.pop_front().map(|(_, answer)| answer)
    }

    /// The emulator's answer. What the request used, if that is counted, goes into `asked`.
    async fn forward(&self, parts: Parts, body: Bytes, asked: &mut Asked) -> Result<Response> {
        let name = asked.operation.strip_prefix("DynamoDB ").unwrap_or_default();
        let name = if self.counting.load(Ordering::Relaxed) { name } else { "" };
        let call = if name.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        let before = self.written(name, &call).await?;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let url = format!("{}{path}", self.emulator);
        let answer = self.client.request(parts.method, url).headers(parts.headers).body(body).send().await?;
        let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
        let answer = answer.bytes().await?;
        asked.units = self.units(name, &call, &answer, before).await?;
        asked.answer = status.is_success().then(|| answer.clone());
        let mut response = (status, answer).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert("content-type", kind);
        }
        Ok(response)
    }

    /// The items that a call is about to write, as they are now.
    async fn written(&self, name: &str, call: &Value) -> Result<Vec<Written>> {
        let mut found = Vec::new();
        for (table, key) in writes(name, call) {
            let item = self.item(&table, &key).await?;
            found.push(Written { table, key, item });
        }
        Ok(found)
    }

    async fn item(&self, table: &str, key: &Item) -> Result<Option<Item>> {
        let body = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
        let answer = self.aws.call("dynamodb", "DynamoDB_20120810.GetItem", &body).await?;
        Ok(answer.get("Item").and_then(Value::as_object).cloned())
    }

    async fn units(&self, name: &str, call: &Value, answer: &Bytes, before: Vec<Written>) -> Result<Units> {
        let transaction = name == "TransactWriteItems";
        let mut units = Units::default();
        for Written { table, key, item } in before {
            let after = self.item(&table, &key).await?;
            units.write += self.tables.write(&table, item.as_ref(), after.as_ref(), transaction);
        }
        if matches!(name, "GetItem" | "Query" | "BatchGetItem") {
            let answer: Value = serde_json::from_slice(answer).context("the emulator's answer is odd")?;
            units.read += reading(name, call, &answer);
        }
        Ok(units)
    }
}

/// An item that a call writes.
#[derive(Debug)]
struct Written {
    table: String,
    key: Item,
    item: Option<Item>,
}

/// `DynamoDB Query` for `DynamoDB_20120810.Query`.
fn short(operation: &str) -> String {
    match operation.split_once('.') {
        _ if operation == "POST /v2/email/outbound-emails" => "SES SendEmail".to_owned(),
        Some((service, name)) => {
            let service = service.split('_').next().unwrap_or(service);
            let service = match service {
                "AmazonSQS" => "SQS",
                "TrentService" => "KMS",
                "secretsmanager" => "SecretsManager",
                other => other,
            };
            format!("{service} {name}")
        }
        None => operation.to_owned(),
    }
}

/// The table and key of each item that a call writes or checks.
fn writes(name: &str, call: &Value) -> Vec<(String, Item)> {
    let one = |call: &Value| {
        let table = call.get("TableName")?.as_str()?.to_owned();
        let key = call.get("Item").or_else(|| call.get("Key"))?.as_object()?;
        let key = ["PK", "SK"].iter().map(|name| Some(((*name).to_owned(), key.get(*name)?.clone())));
        Some((table, key.collect::<Option<Map<_, _>>>()?))
    };
    let is_write = matches!(name, "PutItem" | "UpdateItem" | "DeleteItem");
    let parts = call.get("TransactItems").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let parts = parts.iter().filter_map(|part| one(part.as_object()?.values().next()?));
    parts.chain(one(call).filter(|_| is_write)).collect()
}

/// What a reading call used, by what it answered.
fn reading(name: &str, call: &Value, answer: &Value) -> f64 {
    let consistent = |call: &Value| call.get("ConsistentRead").and_then(Value::as_bool).unwrap_or_default();
    let size = |item: &Value| item.as_object().map(units::size).unwrap_or_default();
    match name {
        "GetItem" => units::read(answer.get("Item").map(size).unwrap_or_default(), consistent(call)),
        "Query" => {
            let items = answer.get("Items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            units::read(items.iter().map(size).sum(), consistent(call))
        }
        // Each item on its own; a missing one as a small one.
        _ => {
            let tables = call.get("RequestItems").and_then(Value::as_object).into_iter().flatten();
            let table = |(table, wanted): (&String, &Value)| {
                let keys = wanted.get("Keys").and_then(Value::as_array).map_or(0, Vec::len);
                let found = answer.pointer(&format!("/Responses/{table}")).and_then(Value::as_array);
                let found = found.map(Vec::as_slice).unwrap_or_default();
                let missing = keys.saturating_sub(found.len());
                let sizes = found.iter().map(size).chain(std::iter::repeat_n(0, missing));
                sizes.map(|size| units::read(size, consistent(wanted))).sum::<f64>()
            };
            tables.map(table).sum()
        }
    }
}

fn json_answer(body: Bytes) -> Response {
    ([("content-type", "application/x-amz-json-1.0")], body).into_response()
}

/// The MIME of a `SendEmail` call, with the soft line ends of quoted-printable taken out (RFC 2045 section 6.7).
fn mail(body: &[u8]) -> Option<String> {
    let call: Value = serde_json::from_slice(body).ok()?;
    let raw = BASE64.decode(call.pointer("/Content/Raw/Data")?.as_str()?.as_bytes()).ok()?;
    Some(String::from_utf8_lossy(&raw).replace("=\r\n", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_short_names() {
        assert_eq!(short("DynamoDB_20120810.Query"), "DynamoDB Query");
        assert_eq!(short("AmazonSQS.SendMessage"), "SQS SendMessage");
        assert_eq!(short("TrentService.Decrypt"), "KMS Decrypt");
        assert_eq!(short("secretsmanager.GetSecretValue"), "SecretsManager GetSecretValue");
        assert_eq!(short("POST /v2/email/outbound-emails"), "SES SendEmail");
        assert_eq!(short("GET /x"), "GET /x");
    }

    #[test]
    fn every_written_item_is_found() {
        let key = json!({ "PK": { "S": "a" }, "SK": { "S": "b" } });
        let put = json!({ "TableName": "t", "Item": { "PK": { "S": "a" }, "SK": { "S": "b" }, "x": { "S": "c" } } });
        let update = json!({ "TableName": "t", "Key": key, "UpdateExpression": "SET x = :x" });
        let wanted = vec![("t".to_owned(), key.as_object().unwrap().clone())];
        assert_eq!(writes("PutItem", &put), wanted);
        assert_eq!(writes("UpdateItem", &update), wanted);
        let both = json!({ "TransactItems": [{ "Put": put }, { "ConditionCheck": { "TableName": "t", "Key": key } }] });
        assert_eq!(writes("TransactWriteItems", &both), [wanted.clone(), wanted].concat());
        assert_eq!(writes("DeleteItem", &json!({ "TableName": "t", "Key": key })).len(), 1);
        assert_eq!(writes("GetItem", &json!({ "TableName": "t", "Key": key, "ConsistentRead": true })), []);
    }

    #[test]
    fn reads_are_counted_by_what_was_found() {
        let row = json!({ "PK": { "S": "a".repeat(3000) } });
        let call = json!({ "TableName": "t", "ConsistentRead": true });
        let same = |left: f64, right: f64| assert_eq!(left.to_bits(), right.to_bits(), "{left} and {right}");
        same(reading("Query", &call, &json!({ "Items": [row, row] })), 2.0);
        same(reading("Query", &json!({}), &json!({ "Items": [] })), 0.5);
        same(reading("GetItem", &call, &json!({ "Item": row })), 1.0);
        let batch = json!({ "RequestItems": { "t": { "Keys": [{}, {}, {}] } } });
        same(reading("BatchGetItem", &batch, &json!({ "Responses": { "t": [row, row] } })), 1.5);
    }

    #[test]
    fn mails_lose_their_soft_line_ends() {
        let raw = BASE64.encode(b"Link: http://x/e/ab=\r\ncd\r\n");
        let body = json!({ "Content": { "Raw": { "Data": raw } } }).to_string();
        assert_eq!(mail(body.as_bytes()).unwrap(), "Link: http://x/e/abcd\r\n");
    }
}
