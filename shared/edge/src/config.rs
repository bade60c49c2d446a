//! A function's configuration: names that the deployment gives it in its environment.
//!
//! The names stand here and in `infra/lib/otp-function.ts`; a test of the infrastructure compares the two.

use std::collections::BTreeMap;

/// Table `core`.
pub const CORE_TABLE: &str = "OTPOST_CORE_TABLE";
/// Table `flow`.
pub const FLOW_TABLE: &str = "OTPOST_FLOW_TABLE";
/// ARN of the KMS key that encrypts what lies in storage; gateways' credentials are made under it.
pub const STORAGE_KEY: &str = "OTPOST_STORAGE_KEY";
/// What the names of gateways' credentials in Secrets Manager begin with; a slash at its end.
pub const CREDENTIALS_PREFIX: &str = "OTPOST_CREDENTIALS_PREFIX";
/// ARN of the KMS key that wraps tenants' data keys.
pub const DATA_KEY: &str = "OTPOST_DATA_KEY";
/// URL of the queue `deliveries`.
pub const DELIVERIES_QUEUE_URL: &str = "OTPOST_DELIVERIES_QUEUE_URL";
/// URL of the queue `jobs`.
pub const JOBS_QUEUE_URL: &str = "OTPOST_JOBS_QUEUE_URL";
/// URL of the queue `receipts`.
pub const RECEIPTS_QUEUE_URL: &str = "OTPOST_RECEIPTS_QUEUE_URL";
/// URL of the queue of `send-ses`.
pub const SES_QUEUE_URL: &str = "OTPOST_SES_QUEUE_URL";
/// URL of the queue of `send-smtp`.
pub const SMTP_QUEUE_URL: &str = "OTPOST_SMTP_QUEUE_URL";
/// URL of the queue of `send-twilio`.
pub const TWILIO_QUEUE_URL: &str = "OTPOST_TWILIO_QUEUE_URL";
/// URL of the queue of `send-govuk-notify`.
pub const GOVUK_NOTIFY_QUEUE_URL: &str = "OTPOST_GOVUK_NOTIFY_QUEUE_URL";
/// The queues of all senders.
pub const SENDER_QUEUES: [&str; 4] =
    [SES_QUEUE_URL, SMTP_QUEUE_URL, TWILIO_QUEUE_URL, GOVUK_NOTIFY_QUEUE_URL];
/// URLs of the dead-letter queues of `deliveries` and of all senders' queues, commas between them.
pub const DEAD_LETTER_QUEUE_URLS: &str = "OTPOST_DEAD_LETTER_QUEUE_URLS";
/// Base URL of Twilio's API.
pub const TWILIO_URL: &str = "OTPOST_TWILIO_URL";
/// Base URL of GOV.UK Notify's API.
pub const GOVUK_NOTIFY_URL: &str = "OTPOST_GOVUK_NOTIFY_URL";
/// The name by which the SMTP sender greets servers, where a gateway gives none.
pub const EHLO_NAME: &str = "OTPOST_EHLO_NAME";
/// Networks, as comma-separated CIDR blocks, that gateways' hosts may be in though they are not public; `none` for none.
pub const ALLOWED_NETWORKS: &str = "OTPOST_ALLOWED_NETWORKS";
/// Under which namespace CloudWatch keeps the numbers of messages. Without it none are written.
pub const METRICS_NAMESPACE: &str = "OTPOST_METRICS_NAMESPACE";
/// What enrolment links begin with; no slash at its end.
pub const PUBLIC_URL: &str = "OTPOST_PUBLIC_URL";
/// Secrets Manager id of the platform key's secret.
pub const PLATFORM_KEY_SECRET: &str = "OTPOST_PLATFORM_KEY_SECRET";
/// From address of the built-in SES gateway, e.g. `Otpost <otp@example.org>`.
pub const SES_SENDER: &str = "OTPOST_SES_SENDER";
/// SES configuration set of the built-in gateway.
pub const SES_CONFIGURATION_SET: &str = "OTPOST_SES_CONFIGURATION_SET";

/// The variables that a function needs, all there.
#[derive(Clone, Debug)]
pub struct Config(BTreeMap<&'static str, String>);

/// What is missing, all of it at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not set in the environment: {}", .0.join(", "))]
pub struct Missing(pub Vec<&'static str>);

impl Config {
    /// Reads `needed` from the process's environment.
    ///
    /// # Errors
    /// Names every variable that is missing or empty.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_env(needed: &[&'static str]) -> Result<Self, Missing> {
        Self::look_up(needed, |name| std::env::var(name).ok())
    }

    /// Reads `needed` through `look_up`.
    ///
    /// # Errors
    /// Names every variable that is missing or empty.
    pub fn look_up(
        needed: &[&'static str],
        look_up: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Missing> {
        let found: BTreeMap<_, _> = needed
            .iter()
            .filter_map(|name| look_up(name).filter(|value| !value.is_empty()).map(|value| (*name, value)))
            .collect();
        let missing: Vec<_> = needed.iter().copied().filter(|name| !found.contains_key(name)).collect();
        if missing.is_empty() { Ok(Self(found)) } else { Err(Missing(missing)) }
    }

    /// A variable's value, if it was among those needed.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// A variable that was among those needed; empty otherwise.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let look_up = |name: &str| match name {
            CORE_TABLE => Some("core".to_owned()),
            DATA_KEY => Some(String::new()),
            _ => None,
        };
        let missing = Config::look_up(&[CORE_TABLE, FLOW_TABLE, DATA_KEY], look_up).unwrap_err();
        assert_eq!(missing.to_string(), "not set in the environment: OTPOST_FLOW_TABLE, OTPOST_DATA_KEY");
        let config = Config::look_up(&[CORE_TABLE], look_up).unwrap();
        assert_eq!(config.text(CORE_TABLE), "core");
        assert_eq!(config.get(FLOW_TABLE), None);
    }
}
