//! The log. Lambda's logging configuration sets format and level.
//!
//! Each line can be read alone. It holds ids and masked recipients; never a code, a seed, a link, a key's secret, an
//! address or a body. docs/logging.md has good and bad examples.

use std::error::Error;

/// Starts the log; once, at the begin of `main`.
pub fn init() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// An error and its sources on one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
