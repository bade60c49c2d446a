//! One request to one gateway's provider.

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
    /// When its sender was asked, or is to be.
    pub handed_at: Timestamp,
    /// What became of it.
    pub state: HopState,
    /// What the provider said, redacted.
    pub said: Vec<String>,
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
