//! The demonstration's lines on the screen.

use std::future::Future;

use anyhow::Result;

/// Prints a line for each step and counts them.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    steps: usize,
}

impl Transcript {
    /// Runs a step: `what` is done, and the step tells what was seen.
    pub(super) async fn step<T>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T> {
        match work.await {
            Ok((outcome, seen)) => {
                self.steps += 1;
                println!("{}", line('✓', what, &seen));
                Ok(outcome)
            }
            Err(error) => {
                println!("{}", line('✗', what, &format!("{error:#}")));
                Err(error.context(format!("the demonstration failed at “{what}”")))
            }
        }
    }

    /// How many steps were done.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }
}

fn line(mark: char, what: &str, seen: &str) -> String {
    format!("  {mark} {what:<27} {}", seen.replace('\n', "\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_in_columns() {
        assert_eq!(line('✓', "user", "jane"), "  ✓ user                        jane");
    }
}
