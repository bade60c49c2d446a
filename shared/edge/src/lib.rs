//! The Lambda border: everything between an event and a use case.
//!
//! [`config`] reads a function's environment, [`telemetry`] starts its log, [`ambient`] is the only place that asks
//! the machine for time and randomness. [`route`] says who may call what, [`auth`] knows the callers, [`http`] takes a
//! request apart and puts an answer together, [`problem`] is the only place that knows status codes of errors.
//! [`batch`] works off SQS batches, [`sender`] those of the senders, [`directory`] reads what directories put into them. [`openapi`]
//! describes the API from the same routes and types.

pub mod ambient;
pub mod auth;
pub mod batch;
pub mod config;
pub mod directory;
pub mod http;
pub mod idempotency;
pub mod metrics;
pub mod openapi;
pub mod paging;
pub mod problem;
pub mod route;
pub mod sender;
pub mod serve;
pub mod signature;
pub mod telemetry;
