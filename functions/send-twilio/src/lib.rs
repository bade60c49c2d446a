//! `send-twilio`: sends texts by accounts with Twilio.
//!
//! [`TwilioProvider`] makes one request for one text; [`outcome`] says what its answers mean.

pub mod outcome;
mod provider;
#[cfg(test)]
mod scripted;

pub use provider::{BASE, TwilioProvider};

#[cfg(test)]
mod samples;
