//! push-token
