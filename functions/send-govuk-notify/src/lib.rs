//! Sends messages by its provider.
