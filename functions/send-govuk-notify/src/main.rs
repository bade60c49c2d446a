//! `send-govuk-notify`.

fn main() {}
