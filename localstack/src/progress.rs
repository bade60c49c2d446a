//! Progress lines: what is going on, and how long it took.

use std::fmt::Display;
use std::future::Future;
use std::io::Write as _;
use std::time::Duration;

use anyhow::Result;

use crate::host::Watch;

/// Where progress goes: standard error, or nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// Lines on standard error.
    Shown,
    /// Silence, for test runs that only want the outcome.
    Silent,
}

impl Progress {
    /// Runs `work` under a line that says `what` first and the time taken afterwards.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn step<T>(self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.write(format_args!("{what} … "));
        let watch = Watch::start();
        let outcome = work.await;
        match &outcome {
            Ok(_) => self.write(format_args!(" done in {}\n", seconds(watch.elapsed()))),
            Err(_) => self.write(format_args!(" failed after {}\n", seconds(watch.elapsed()))),
        }
        outcome
    }

    /// One line on its own.
    pub fn line(self, text: impl Display) {
        self.write(format_args!("{text}\n"));
    }

    fn write(self, text: std::fmt::Arguments<'_>) {
        if self == Self::Shown {
            let mut stream = std::io::stderr().lock();
            // Nobody is left to tell when standard error is closed.
            let _ = stream.write_fmt(text).and_then(|()| stream.flush());
        }
    }
}

/// A duration for people: `0.8 s`, `14 s`, `2 min 05 s`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else if whole >= 10 {
        format!("{whole} s")
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(840)), "0.8 s");
        assert_eq!(seconds(Duration::from_millis(14_900)), "14 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 05 s");
    }
}
