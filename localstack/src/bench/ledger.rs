//! What was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use super::operation::Operation;
use super::runtime::Called;
use super::wire::Asked;

/// A measured call.
#[derive(Clone, Debug)]
pub struct Call {
    /// From event to answer.
    pub wall: Duration,
    /// The part of it that was not spent waiting for AWS.
    pub own: Duration,
    /// CPU time of the function.
    pub cpu: Duration,
    /// Bytes that it logged.
    pub logged: u64,
    /// What it asked of AWS.
    pub asked: Vec<Asked>,
}

impl Call {
    /// A call that asked for `asked`.
    #[must_use]
    pub fn new(called: &Called, asked: Vec<Asked>) -> Self {
        let waited: Duration = asked.iter().map(|asked| asked.took).sum();
        let own = called.wall.saturating_sub(waited);
        Self { wall: called.wall, own, cpu: called.cpu, logged: called.logged, asked }
    }
}

/// The calls of each operation.
#[derive(Clone, Debug, Default)]
pub struct Ledger(BTreeMap<Operation, Vec<Call>>);

impl Ledger {
    /// Writes a call down.
    pub fn add(&mut self, operation: Operation, call: Call) {
        self.0.entry(operation).or_default().push(call);
    }

    /// The calls of `operation`, in the order in which they were made.
    #[must_use]
    pub fn of(&self, operation: Operation) -> &[Call] {
        self.0.get(&operation).map(Vec::as_slice).unwrap_or_default()
    }
}

impl FromIterator<(Operation, Vec<Call>)> for Ledger {
    fn from_iter<I: IntoIterator<Item = (Operation, Vec<Call>)>>(calls: I) -> Self {
        Self(calls.into_iter().collect())
    }
}

/// What a scene found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// First calls of new processes.
    pub first: Ledger,
    /// Calls of warm processes.
    pub timed: Ledger,
    /// Calls whose units were counted.
    pub counted: Ledger,
    /// Calls of `verify` to which remembered answers were given.
    pub steady: Ledger,
    /// The most memory that each function ever had, in kB.
    pub memory: BTreeMap<&'static str, u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn waiting_for_aws_is_not_the_functions_own_time() {
        let millis = Duration::from_millis;
        let asked = |took| Asked {
            operation: String::new(),
            took,
            units: crate::bench::units::Units::default(),
            payload: None,
            answer: None,
        };
        let called = Called { wall: millis(10), cpu: millis(1), logged: 5, answer: Value::Null };
        assert_eq!(Call::new(&called, vec![asked(millis(3)), asked(millis(4))]).own, millis(3));
        assert_eq!(Call::new(&called, vec![asked(millis(30))]).own, Duration::ZERO, "requests may overlap");
    }
}
