//! Sends texts by GOV.UK Notify.
//!
//! [`NotifyProvider`] makes one request a text, after it has looked at the template that the text goes by. What the
//! answers mean stands in the table of [`outcome`]; [`token`] says who asks.

mod conversation;
pub mod outcome;
mod provider;
mod template;
pub mod token;
mod wire;

pub use otpost_outbound::http::BadBase;
pub use provider::{BASE, NotifyProvider};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod samples;
