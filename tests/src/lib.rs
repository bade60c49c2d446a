//! What the suite in `it/` stands on: one deployed world for all tests, tenants to work in, the API's description.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "support of tests: a broken assumption must end the test"
)]

pub mod fuzzing;
pub mod openapi;
pub mod policies;
pub mod secrets;
pub mod tenant;
pub mod world;
