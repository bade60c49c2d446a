//! What was read a short while ago, so that it need not be read again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otpost_domain::time::Timestamp;
use otpost_service::ports::PortResult;

/// Values that were read lately, by whose they are.
#[derive(Debug)]
pub(crate) struct Lately<K, V> {
    most: usize,
    life: Duration,
    held: Mutex<HashMap<K, Held<V>>>,
}

#[derive(Debug)]
struct Held<V> {
    value: V,
    until: Timestamp,
}

impl<K: Clone + Eq + Hash, V: Clone> Lately<K, V> {
    /// Holds at most `most` values, each for `life`.
    pub(crate) fn new(most: usize, life: Duration) -> Self {
        Self { most, life, held: Mutex::default() }
    }

    /// What is held for `whose`, or else what `read` brings. It is as old as its request: what comes while that is under
    /// way may not be in it.
    pub(crate) async fn or_read(
        &self,
        whose: &K,
        now: Timestamp,
        read: impl Future<Output = PortResult<V>>,
    ) -> PortResult<V> {
        match self.fresh(whose, now) {
            Some(value) => Ok(value),
            None => Ok(self.hold(whose, read.await?, now)),
        }
    }

    /// What is held for `whose` and is not over.
    pub(crate) fn fresh(&self, whose: &K, now: Timestamp) -> Option<V> {
        self.lock().get(whose).filter(|held| now < held.until).map(|held| held.value.clone())
    }

    /// What is held for `whose`, however old.
    pub(crate) fn held(&self, whose: &K) -> Option<V> {
        self.lock().get(whose).map(|held| held.value.clone())
    }

    /// Holds a value that was read at `now`.
    pub(crate) fn hold(&self, whose: &K, value: V, now: Timestamp) -> V {
        let until = now.plus(self.life);
        let mut held = self.lock();
        // What is over is not kept: it may be a password.
        held.retain(|_, held| now < held.until);
        if held.len() >= self.most && !held.contains_key(whose) {
            let oldest = held.iter().min_by_key(|(_, held)| held.until).map(|(whose, _)| whose.clone());
            oldest.and_then(|whose| held.remove(&whose));
        }
        held.insert(whose.clone(), Held { value: value.clone(), until });
        value
    }

    /// Forgets what is held for `whose`.
    pub(crate) fn forget(&self, whose: &K) {
        self.lock().remove(whose);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Held<V>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
