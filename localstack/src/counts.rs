//! How often which function asked for which AWS operation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::host::Watch;

/// Requests by function and operation: how many, and since when. The function is empty when the request does not name one.
type ByFunction = BTreeMap<(String, String), (u64, Watch)>;

/// Counters shared between the tap and who reads them.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<ByFunction>>);

impl Counts {
    /// One more request of `operation` by `function`.
    pub fn add(&self, function: String, operation: String) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.entry((function, operation)).or_insert_with(|| (0, Watch::start())).0 += 1;
    }

    /// The counts so far by operation.
    #[must_use]
    pub fn read(&self) -> BTreeMap<String, u64> {
        by_operation(&self.0.lock().unwrap_or_else(PoisonError::into_inner), |_| true)
    }

    /// The counts so far of one function.
    #[must_use]
    pub fn read_of(&self, function: &str) -> BTreeMap<String, u64> {
        by_operation(&self.0.lock().unwrap_or_else(PoisonError::into_inner), |caller| caller == function)
    }

    /// The time since a function first asked for an operation; nothing if it has not yet.
    #[must_use]
    pub fn first(&self, function: &str, operation: &str) -> Option<Watch> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&(function.to_owned(), operation.to_owned())).map(|(_, first)| *first)
    }

    /// Starts again from nothing, and gives what was counted.
    pub fn reset(&self) -> BTreeMap<String, u64> {
        by_operation(&std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)), |_| true)
    }
}

fn by_operation(counts: &ByFunction, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for ((_, operation), (count, _)) in counts.iter().filter(|((function, _), _)| wanted(function)) {
        *sums.entry(operation.clone()).or_insert(0) += count;
    }
    sums
}

/// The name under which a request is counted: its `X-Amz-Target`, such as `DynamoDB_20120810.Query`, or for
/// services that have none its method and path, such as `POST /v2/email/outbound-emails`.
#[must_use]
pub fn operation(target: Option<&str>, method: &str, path: &str) -> String {
    target.map_or_else(|| format!("{method} {path}"), str::to_owned)
}

/// The function behind an SDK's user agent: deployments give each function the application id
/// `otpost-<binary>`, which SDKs send as `app/otpost-<binary>`. Empty when there is none.
#[must_use]
pub fn function(user_agent: &str) -> String {
    let name = user_agent.split_whitespace().find_map(|word| word.strip_prefix("app/otpost-"));
    name.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_by_their_target_or_their_path() {
        assert_eq!(operation(Some("TrentService.Decrypt"), "POST", "/"), "TrentService.Decrypt");
        assert_eq!(operation(None, "POST", "/v2/email/outbound-emails"), "POST /v2/email/outbound-emails");
    }

    #[test]
    fn functions_are_known_by_their_application_id() {
        assert_eq!(
            function("aws-sdk-rust/1.3.9 os/linux lang/rust/1.95.0 app/otpost-push-token"),
            "push-token"
        );
        assert_eq!(function("aws-sdk-rust/1.3.9 os/linux lang/rust/1.95.0 app/other"), "");
        assert_eq!(function(""), "");
    }

    #[test]
    fn counts_add_up_and_start_again() {
        let counts = Counts::default();
        let elsewhere = counts.clone();
        for (function, operation) in [("verify", "a"), ("verify", "b"), ("deliver", "a")] {
            elsewhere.add(function.to_owned(), operation.to_owned());
        }
        assert_eq!(counts.read(), BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)]));
        assert_eq!(counts.read_of("deliver"), BTreeMap::from([("a".to_owned(), 1)]));
        assert!(counts.first("deliver", "a").is_some() && counts.first("deliver", "b").is_none());
        assert_eq!(counts.reset().len(), 2);
        assert!(counts.read().is_empty());
    }
}
