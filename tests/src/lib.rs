//! What the suite in `it/` stands on: one deployed world for all tests, tenants to work in, the API's description.

pub mod openapi;
pub mod tenant;
pub mod world;
