//! Sends mails by Amazon SES.

mod outcome;
mod ses;

pub use ses::{BadSender, SesProvider};

#[cfg(test)]
mod tests;
