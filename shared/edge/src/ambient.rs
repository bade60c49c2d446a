//! The machine's clock and randomness. Nothing else in Otpost asks for either.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use otpost_domain::time::Timestamp;
use otpost_service::ports::{Clock, Entropy};

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the Clock port; only tests of gateways wait, for an operator"
    )]
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the Entropy port")]
    #[expect(clippy::expect_used, reason = "without entropy no secret can be made: nothing may go on")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}
