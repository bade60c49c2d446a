//! What is done once in a while at most.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use otpost_domain::time::Timestamp;

/// How long it is until the next time.
const APART: Duration = Duration::from_secs(10);

/// When it was done last in this process.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Option<Timestamp>>);

impl Seldom {
    /// Whether it may be done now: then it is taken to be done.
    pub(crate) fn admits(&self, now: Timestamp) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = last.is_none_or(|last| last.plus(APART) <= now);
        if admitted {
            *last = Some(now);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_done_every_ten_seconds_at_most() {
        let at = |seconds| Timestamp::from_millis(1_000_000).plus(Duration::from_secs(seconds));
        let seldom = Seldom::default();
        let admitted: Vec<_> = (0..=21).filter(|second| seldom.admits(at(*second))).collect();
        assert_eq!(admitted, [0, 10, 20]);
    }
}
