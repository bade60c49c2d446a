//! Otpost's use cases, one a file, and the [`ports`] through which they reach the world.
//!
//! A use case loads, lets `otpost-domain` decide, writes state, message and audit entry in one atomic step, and only
//! then puts ids on a queue. It knows no AWS, no HTTP, no clock and no randomness but its ports.
//!
//! The main job in order: [`admin`] makes a tenant and its keys, [`users`] a user, [`provision`] a token, [`push`]
//! its link; [`deliver`] and [`send`] get it to the user; [`enroll`] activates the token; [`verify`] checks codes.
//! [`erasure`] is the end of a tenant.

pub mod admin;
mod automatic;
pub mod caller;
#[cfg(test)]
mod challenge_model;
pub mod challenges;
mod content;
#[cfg(feature = "testing")]
pub mod contract;
pub mod deliver;
pub mod directories;
pub mod document;
pub mod enroll;
pub mod erasure;
#[cfg(feature = "testing")]
pub mod faults;
pub mod gateways;
pub mod jobs;
pub mod lifecycle;
mod link;
pub mod log;
pub mod mass_changes;
#[cfg(feature = "testing")]
pub mod memory;
pub mod metrics;
pub mod once;
mod outgoing;
pub mod policies;
pub mod ports;
pub mod provider;
pub mod provision;
pub mod push;
pub mod receipts;
pub mod redrive;
#[cfg(feature = "testing")]
pub mod sample;
pub mod seen;
pub mod send;
pub mod suppressions;
pub mod tallies;
pub mod templates;
pub mod test_send;
pub mod texts;
pub mod transfer;
pub mod users;
#[cfg(test)]
mod verification_model;
pub mod verify;
