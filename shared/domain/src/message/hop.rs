//! One request to one gateway's provider.

use super::{Channel, News, Verdict};
use crate::gateway::{Kind, Owner};
use crate::ids::GatewayId;
use crate::named::named;
use crate::outcome::Outcome;
use crate::time::Timestamp;

named! {
    /// A sender function: one for each kind of provider that is talked to.
    pub enum Sender {
        /// `send-ses`.
        Ses = "ses",
        /// `send-smtp`.
        Smtp = "smtp",
        /// `send-twilio`.
        Twilio = "twilio",
        /// `send-govuk-notify`.
        GovukNotify = "govuk_notify",
    }
}

impl Sender {
    /// The sender that talks to gateways of a kind; none for a kind whose mails another gateway carries.
    #[must_use]
    pub const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Ses => Some(Self::Ses),
            Kind::Smtp => Some(Self::Smtp),
            Kind::Twilio => Some(Self::Twilio),
            Kind::GovukNotify => Some(Self::GovukNotify),
            Kind::EmailToSms => None,
        }
    }
}

/// A gateway, named so that nobody else's is found by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayName {
    /// Whose it is.
    pub owner: Owner,
    /// Its id.
    pub id: GatewayId,
    /// Its version when it was chosen, and that of what carries its mails, together. A sender that knows an older one
    /// reads it again.
    pub version: u64,
}

/// By what a hop goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The gateway; none for the deployment's own Amazon SES.
    pub gateway: Option<GatewayName>,
    /// The function that talks to it, or to what carries its mails.
    pub sender: Sender,
}

impl Via {
    /// The deployment's own Amazon SES.
    pub const OWN: Self = Self { gateway: None, sender: Sender::Ses };

    /// The gateway's name for people: its id, or `deployment`.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.gateway.as_ref().map_or("deployment", |named| named.id.as_str())
    }

    /// Whether it is the same gateway, in whichever version.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let name = |via: &Self| via.gateway.as_ref().map(|named| (named.owner.clone(), named.id.clone()));
        name(self) == name(other)
    }
}

/// One request to one gateway's provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// 1 for the first.
    pub number: u16,
    /// By what it goes.
    pub via: Via,
    /// On which channel.
    pub channel: Channel,
    /// Why it was taken.
    pub because: Because,
    /// Gateways that would have come before it and were passed over because they do not work now.
    pub passed: Vec<String>,
    /// Until when news show that its gateway works again, where it tries one that did not.
    pub probe: Option<Timestamp>,
    /// When the next route is taken, if there is no good news by then; none where no other route is left.
    pub limit: Option<Timestamp>,
    /// On which channel the next route is, if there is one.
    pub then: Option<Channel>,
    /// Whether its provider tells what becomes of it.
    pub tells: bool,
    /// When its sender was asked, or is to be.
    pub handed_at: Timestamp,
    /// What became of it.
    pub state: HopState,
    /// What the provider said, redacted.
    pub said: Vec<String>,
    /// What the provider told of it later.
    pub news: Option<News>,
}

impl Hop {
    /// Whether its provider took it.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self.state, HopState::Accepted { .. })
    }

    /// Whether it is another try that no sender has taken yet: it may be yet to come.
    #[must_use]
    pub fn is_planned(&self) -> bool {
        self.because == Because::Again && self.state == HopState::Handed
    }

    /// Whether its provider told that it did not arrive.
    #[must_use]
    pub fn is_refuted(&self) -> bool {
        self.news.as_ref().is_some_and(|news| news.verdict == Verdict::Undelivered)
    }

    /// Why it ended without being taken.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.state {
            HopState::Ended { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// How it ended without being taken.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        match self.state {
            HopState::Ended { ending, .. } => Some(ending),
            _ => None,
        }
    }

    /// When it came to its end, or was handed to its sender.
    #[must_use]
    pub const fn ended_at(&self) -> Timestamp {
        match self.state {
            HopState::Accepted { at, .. } | HopState::Ended { at, .. } => at,
            HopState::Handed | HopState::Claimed { .. } => self.handed_at,
        }
    }
}

named! {
    /// Why a hop was taken.
    pub enum Because {
        /// It is the message's first.
        First = "first",
        /// The one before came to nothing that lasts: the same gateway is asked again.
        Again = "again",
        /// The one before was refused.
        Refused = "refused",
        /// The one before was not taken by its provider in its route's time.
        Busy = "busy",
        /// Nobody knows what became of the one before, and its route's time is over.
        Doubt = "doubt",
        /// The one before was taken, and there was no receipt in its route's time.
        NoNews = "no_news",
        /// The one before was taken, and a receipt tells that it did not arrive.
        BadNews = "bad_news",
        /// The one before was never taken by its sender.
        NotTaken = "not_taken",
        /// All have been tried, and what was in trouble is tried again.
        Held = "held",
    }
}

/// What became of a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopState {
    /// Waits for its sender.
    Handed,
    /// A sender has it, and may have made its request. Should nothing be heard until the lease ends, nobody knows.
    Claimed {
        /// End of the lease.
        until: Timestamp,
    },
    /// The provider took it.
    Accepted {
        /// The provider's id of it.
        provider_id: String,
        /// When.
        at: Timestamp,
    },
    /// It came to something else.
    Ended {
        /// To what.
        ending: Ending,
        /// Why, in words of ours.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

impl HopState {
    /// Whether a sender has it.
    #[must_use]
    pub const fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed { .. })
    }

    /// As written in answers and rows.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Handed => "handed",
            Self::Claimed { .. } => "claimed",
            Self::Accepted { .. } => "accepted",
            Self::Ended { ending, .. } => ending.as_str(),
        }
    }
}

named! {
    /// How a hop ended that no provider took: see [`Outcome`].
    pub enum Ending {
        /// The provider may take it later.
        Retry = "retry",
        /// It will never take it for this recipient.
        RecipientBad = "recipient_bad",
        /// It will never take this text.
        ContentBad = "content_bad",
        /// It takes nothing until an operator has mended something.
        ConfigurationBad = "configuration_bad",
        /// What may be sent is used up for a while.
        QuotaGone = "quota_gone",
        /// It may have taken it.
        Unknown = "unknown",
        /// It was never asked: the sender did not take the hop in its route's time.
        NotTaken = "not_taken",
    }
}

impl Ending {
    /// Of an outcome; none where the provider took it.
    #[must_use]
    pub const fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Accepted { .. } => None,
            Outcome::Retry { .. } => Some(Self::Retry),
            Outcome::RecipientBad => Some(Self::RecipientBad),
            Outcome::ContentBad => Some(Self::ContentBad),
            Outcome::ConfigurationBad => Some(Self::ConfigurationBad),
            Outcome::QuotaGone => Some(Self::QuotaGone),
            Outcome::Unknown => Some(Self::Unknown),
        }
    }

    /// Whether it is the gateway that is in trouble, not the message: the message is held for it.
    #[must_use]
    pub const fn is_of_gateway(self) -> bool {
        matches!(self, Self::ConfigurationBad | Self::QuotaGone)
    }
}
