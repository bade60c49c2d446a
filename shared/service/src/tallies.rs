//! What this process has seen of gateways.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use otpost_domain::circuit::{HealthKey, Tally};
use otpost_domain::time::Timestamp;

/// How many gateways are remembered.
const MOST: usize = 512;

/// A tally for each gateway. It is lost with the process, and no other process knows of it: a function runs in few of
/// them, and what follows from a tally is kept.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<HashMap<HealthKey, Tally>>);

impl Tallies {
    /// A message went well by a gateway.
    pub fn good(&self, gateway: &HealthKey, now: Timestamp) {
        self.of(gateway, |tally| tally.good(now));
    }

    /// A message that was handed to a gateway at `handed_at` came to nothing; whether its circuit is to be opened.
    #[must_use]
    pub fn bad(&self, gateway: &HealthKey, weight: u32, handed_at: Timestamp, now: Timestamp) -> bool {
        self.of(gateway, |tally| tally.trips(weight, handed_at, now))
    }

    fn of<T>(&self, gateway: &HealthKey, count: impl FnOnce(&mut Tally) -> T) -> T {
        let mut tallies = self.lock();
        if tallies.len() >= MOST && !tallies.contains_key(gateway) {
            let any = tallies.keys().next().cloned();
            any.and_then(|any| tallies.remove(&any));
        }
        count(tallies.entry(gateway.clone()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HealthKey, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
