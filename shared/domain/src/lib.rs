//! Otpost's rules as pure values: no async, no AWS, no HTTP, no clock, no randomness, no serialisation.
//!
//! Every function gets the time and the random bytes that it needs, and returns the new state; the use cases in
//! `otpost-service` load, call, and save with a condition.
//!
//! Where to begin: [`token`] is a token's life, [`enrolment`] how one gets to its user, [`otp`] how codes are made
//! and matched, [`verification`] what a code comes to, [`challenge`] what becomes of a code that was sent,
//! [`confirmation`] whether an address is known to reach its user, [`helpdesk`] what the helpdesk may send to whoever calls, [`policy`] what holds for whom, [`message`] how a message finds its
//! way, [`circuit`] which gateways it passes over, [`suppression`] which addresses are written to no more, [`gateway`] what
//! the providers are that carry it, [`simulator`] which recipients stand for an outcome, [`numbering`] which country a
//! telephone number belongs to, [`outcome`] what became of a request to a provider, [`redaction`] what may be kept of its
//! words, [`directory`] what a company's directory tells of its people. [`job`] is long work in steps. [`sealing`] and [`secret`] keep what must stay
//! secret; [`template`], [`qr`] and [`otpauth`] make what a person reads and scans.
//!
//! What holds everywhere:
//! - A type that holds a secret wipes it, has no `Display`, and its `Debug` shows nothing of it.
//! - An id, an address or a code that exists is well-formed: only parsing makes one.
//! - A transition consumes the old state. What a state does not allow is an error value, never a panic.

pub mod apikey;
pub mod audit;
pub mod authorization;
pub mod challenge;
pub mod circuit;
pub mod confirmation;
pub mod contact;
pub mod device;
pub mod directory;
pub mod document;
pub mod enrolment;
pub mod gateway;
pub mod helpdesk;
pub mod ids;
pub mod job;
pub mod message;
mod named;
pub mod numbering;
pub mod otp;
pub mod otpauth;
pub mod outcome;
mod plain;
pub mod policy;
pub mod provisioning;
pub mod qr;
pub mod redaction;
pub mod sealing;
pub mod secret;
pub mod simulator;
pub mod suppression;
pub mod template;
pub mod tenant;
pub mod time;
pub mod token;
pub mod verification;
