//! What a million operations cost by the price list in `localstack/prices.json`.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::units::Units;

/// List prices in US dollars.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// What to think of the list.
    pub note: String,
    /// Where they hold.
    pub region: String,
    /// When they were typed in.
    pub as_of: String,
    http_api_million: f64,
    lambda_million: f64,
    lambda_gb_second: f64,
    dynamodb_write_million: f64,
    dynamodb_read_million: f64,
    sqs_million: f64,
    kms_million: f64,
    ses_thousand: f64,
    logs_gb: f64,
    xray_million: f64,
    /// What stands in for what is not measured.
    pub assumed: Assumed,
}

/// What stands in for what this machine cannot tell.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assumed {
    /// What these are.
    pub note: String,
    /// The way to a service and back inside a region.
    pub milliseconds_per_aws_request: f64,
    /// Lambda's own log lines of a call.
    pub platform_log_bytes: f64,
    /// The part of calls that X-Ray samples.
    pub xray_sampled: f64,
    /// Receiving and deleting, where nothing shares a batch.
    pub sqs_calls_per_message_taken: f64,
}

/// What one operation uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// Whether it comes through the HTTP API; else from a queue.
    pub http: bool,
    /// The function's memory in MB, which its time is multiplied by.
    pub memory: f64,
    /// Milliseconds in the function without waiting for AWS.
    pub milliseconds: f64,
    /// Requests to AWS services that it waits for.
    pub requests: f64,
    /// DynamoDB's request units.
    pub units: Units,
    /// Messages put on queues.
    pub queued: f64,
    /// KMS requests.
    pub kms: f64,
    /// Mails.
    pub mails: f64,
    /// Bytes that the function logs.
    pub log_bytes: f64,
}

/// Dollars for a million operations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bill {
    /// HTTP API.
    pub api: f64,
    /// Lambda, requests and duration.
    pub lambda: f64,
    /// DynamoDB's request units.
    pub dynamodb: f64,
    /// SQS and KMS.
    pub queues_and_keys: f64,
    /// SES.
    pub mail: f64,
    /// Logs and traces.
    pub logs: f64,
}

impl Bill {
    /// All of it.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.api + self.lambda + self.dynamodb + self.queues_and_keys + self.mail + self.logs
    }
}

impl Prices {
    /// Reads the list at `path`.
    ///
    /// # Errors
    /// It is not there, or lacks a price.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is odd", path.display()))
    }

    /// The bill for a million times `usage`.
    #[must_use]
    pub fn bill(&self, usage: &Usage) -> Bill {
        let assumed = &self.assumed;
        let seconds =
            (usage.milliseconds + usage.requests * assumed.milliseconds_per_aws_request).ceil() / 1e3;
        let taken = if usage.http { 0.0 } else { assumed.sqs_calls_per_message_taken };
        Bill {
            api: if usage.http { self.http_api_million } else { 0.0 },
            lambda: self.lambda_million + seconds * usage.memory / 1024.0 * self.lambda_gb_second * 1e6,
            dynamodb: usage.units.write * self.dynamodb_write_million
                + usage.units.read * self.dynamodb_read_million,
            queues_and_keys: (usage.queued + taken) * self.sqs_million + usage.kms * self.kms_million,
            mail: usage.mails * self.ses_thousand * 1e3,
            logs: (usage.log_bytes + assumed.platform_log_bytes) / 1e9 * self.logs_gb * 1e6
                + assumed.xray_sampled * self.xray_million,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Prices {
        Prices::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("prices.json")).unwrap()
    }

    fn near(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} and {right}");
    }

    #[test]
    fn the_list_is_read_and_says_when_and_where() {
        let prices = list();
        assert!(
            prices.note.contains("to be checked") && !prices.region.is_empty() && !prices.as_of.is_empty()
        );
    }

    #[test]
    fn an_http_operation_is_billed_line_by_line() {
        let prices = list();
        let usage = Usage {
            http: true,
            memory: 256.0,
            milliseconds: 1.2,
            requests: 2.0,
            units: Units { read: 1.0, write: 1.0 },
            log_bytes: 300.0,
            ..Usage::default()
        };
        let bill = prices.bill(&usage);
        near(bill.api, 1.0);
        // 1.2 + 2 × 4 ms, billed as 10 ms of a quarter of a gigabyte.
        near(bill.lambda, 0.2 + 0.01 * 0.25 * 13.3334);
        near(bill.dynamodb, 0.75);
        near(bill.queues_and_keys, 0.0);
        near(bill.mail, 0.0);
        near(bill.logs, 0.0005 * 1e3 + 0.25);
        near(bill.sum(), bill.api + bill.lambda + bill.dynamodb + bill.logs);
    }

    #[test]
    fn what_a_queue_brings_is_taken_from_it() {
        let prices = list();
        let bill = prices.bill(&Usage { queued: 1.0, kms: 1.0, mails: 1.0, ..Usage::default() });
        near(bill.api, 0.0);
        near(bill.queues_and_keys, 3.0 * 0.4 + 3.0);
        near(bill.mail, 100.0);
    }
}
