//! Sends mails over SMTP (RFC 5321) by the servers that gateways name.
//!
//! The conversation is spoken here and not by a library, because what became of a mail depends on where it ended: on
//! the command that was refused, and on whether the final dot had left. [`SmtpProvider`] does one conversation for one
//! mail: `wire` carries lines under limits, `session` says what is said, `tls` looks at the server's certificate,
//! `words` reads what a refusal says beside its codes, and `outcome` is the table of what each end means.

mod dialogue;
mod outcome;
mod provider;
mod queue_id;
mod reply;
mod session;
mod tls;
mod wire;
mod words;

pub use provider::{NoTls, SmtpProvider};

#[cfg(test)]
mod tests;

#[cfg(test)]
mod samples;
