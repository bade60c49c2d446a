//! `send-smtp`.

fn main() {}
