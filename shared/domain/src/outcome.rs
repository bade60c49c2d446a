//! What became of a request to a provider: one type for all senders.

use std::fmt;
use std::time::Duration;

/// What became of one request, and what is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took the message under this id. That is not yet delivery.
    Accepted {
        /// The provider's id of the message; ours where the provider gives none.
        provider_id: String,
    },
    /// The provider did not take it, and may later.
    Retry {
        /// How long the provider wants to be left alone, if it said so.
        after: Option<Duration>,
    },
    /// It will never take a message to this recipient.
    RecipientBad,
    /// It will never take this text.
    ContentBad,
    /// It takes nothing by this gateway until an operator has mended something: credentials, sender, account.
    ConfigurationBad,
    /// What the account may send is used up for a while.
    QuotaGone,
    /// The request left, and no answer came: it may have been taken.
    Unknown,
}

impl Outcome {
    /// As written in records and logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Retry { .. } => "retry",
            Self::RecipientBad => "recipient_bad",
            Self::ContentBad => "content_bad",
            Self::ConfigurationBad => "configuration_bad",
            Self::QuotaGone => "quota_gone",
            Self::Unknown => "unknown",
        }
    }
}

/// Lines that a provider said, or that were said to it, as they were. They may echo addresses, codes and whole texts: they
/// are neither logged nor kept before the redaction has been over them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Said(Vec<String>);

impl Said {
    /// One line.
    pub fn line(line: impl Into<String>) -> Self {
        Self(vec![line.into()])
    }

    /// Adds a line.
    pub fn add(&mut self, line: impl Into<String>) {
        self.0.push(line.into());
    }

    /// The lines as they were: for the redaction alone.
    #[must_use]
    pub fn raw(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({} lines)", self.0.len())
    }
}

/// What a sender tells of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What became of it.
    pub outcome: Outcome,
    /// Why, in words of ours, with the provider's code where there is one: `Twilio 21211: the number is not valid`. It
    /// is logged, so it holds nothing that the provider said in words of its own. Empty when it was accepted.
    pub why: String,
    /// What the provider said.
    pub said: Said,
}

impl Report {
    /// Of a request that was taken.
    pub fn accepted(provider_id: impl Into<String>, said: Said) -> Self {
        Self { outcome: Outcome::Accepted { provider_id: provider_id.into() }, why: String::new(), said }
    }

    /// Of any other end.
    pub fn of(outcome: Outcome, why: impl Into<String>, said: Said) -> Self {
        Self { outcome, why: why.into(), said }
    }
}
