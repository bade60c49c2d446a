//! `send-twilio`.

fn main() {}
