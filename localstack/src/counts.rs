//! How often which AWS operation was asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counters by operation, shared between the tap and who reads them.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<BTreeMap<String, u64>>>);

impl Counts {
    /// One more request of `operation`.
    pub fn add(&self, operation: String) {
        *self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(operation)
            .or_insert(0) += 1;
    }

    /// The counts so far.
    #[must_use]
    pub fn read(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts again from nothing, and gives what was counted.
    pub fn reset(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name under which a request is counted: its `X-Amz-Target`, such as `DynamoDB_20120810.Query`, or for
/// services that have none its method and path, such as `POST /v2/email/outbound-emails`.
#[must_use]
pub fn operation(target: Option<&str>, method: &str, path: &str) -> String {
    target.map_or_else(|| format!("{method} {path}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_by_their_target_or_their_path() {
        assert_eq!(
            operation(Some("TrentService.Decrypt"), "POST", "/"),
            "TrentService.Decrypt"
        );
        assert_eq!(
            operation(None, "POST", "/v2/email/outbound-emails"),
            "POST /v2/email/outbound-emails"
        );
    }

    #[test]
    fn counts_add_up_and_start_again() {
        let counts = Counts::default();
        let elsewhere = counts.clone();
        for name in ["a", "b", "a"] {
            elsewhere.add(name.to_owned());
        }
        assert_eq!(
            counts.read(),
            BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)])
        );
        assert_eq!(counts.reset().len(), 2);
        assert!(counts.read().is_empty());
    }
}
