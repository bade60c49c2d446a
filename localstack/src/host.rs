//! The machine's own state: environment, clocks and waiting. The only place of this package that reads them.
#![expect(
    clippy::disallowed_methods,
    reason = "a tool that starts processes waits for them, and the demonstration's authenticator app needs the time"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An environment variable, if it is set, not empty and readable.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Seconds since 1970.
#[must_use]
pub fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A running stop-watch.
#[derive(Clone, Copy, Debug)]
pub struct Watch(Instant);

impl Watch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Waits without blocking the thread.
pub async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
