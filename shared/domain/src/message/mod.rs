//! A message to a user, followed from the outbox to its end.
//!
//! Its record is written in the same transaction as the change that it tells of, and is worked off by `deliver` and
//! the senders. Each *hop* is one request to one gateway's provider, made at most once: whatever is tried again is a new
//! hop. The status moves forward only: whatever comes late, twice or out of order changes nothing.

mod hop;
mod news;
mod story;
mod waiting;
mod way;

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::gateway::Country;
use crate::ids::{MessageId, Serial, TenantId, UserId};
use crate::named::named;
use crate::suppression::AddressKey;
use crate::template::TemplateKind;
use crate::time::Timestamp;

pub use hop::{Because, Ending, GatewayName, Hop, HopState, Sender, Via};
pub use news::{News, Verdict};
pub use story::Line;
pub use waiting::{NextTry, Waiting, WaitingAdvice, WaitingState};
pub use way::{Next, Routes, Step, Way};

/// A sender's lease on a hop; longer than its one overall deadline.
pub const LEASE: Duration = Duration::from_secs(45);
/// How long a text in doubt may still be heard of where no other route is left, and how long a hop may stay without its
/// sender before the sweep hands it again.
pub const ROUTE_TIME: Duration = Duration::from_mins(2);
/// How long a new record may stay unrouted before the sweep looks after it.
pub const PICK_UP: Duration = Duration::from_mins(1);
/// How many hops in a row go by one gateway, when each comes to nothing that lasts.
pub const MAX_TRIES: usize = 8;
/// How many hops a record keeps: the last ones.
pub const MOST_HOPS: usize = 16;
/// How long a message stays in the log, from its making.
pub const RETENTION: Duration = Duration::from_hours(90 * 24);

named! {
    /// By which medium a message travels.
    pub enum Channel {
        /// E-mail.
        Email = "email",
        /// Text message.
        Sms = "sms",
    }
}

named! {
    /// Where a message is. Moves up in [`MessageStatus::rank`], never down.
    pub enum MessageStatus {
        /// In the outbox.
        Queued = "queued",
        /// Handed to a gateway's sender.
        Sending = "sending",
        /// A provider has accepted it. It may be on its way still, by another route too.
        Sent = "sent",
        /// Its time ran out before any provider took it.
        Expired = "expired",
        /// No route took it, as far as is known.
        Failed = "failed",
        /// What it told of was undone before it left.
        Cancelled = "cancelled",
        /// A provider says that it did not arrive.
        Undelivered = "undelivered",
        /// A provider says that it arrived.
        Delivered = "delivered",
    }
}

impl MessageStatus {
    /// Its place on the way; only a higher rank replaces a lower one.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sending => 10,
            Self::Sent => 20,
            Self::Expired | Self::Failed | Self::Cancelled => 25,
            Self::Undelivered => 30,
            Self::Delivered => 40,
        }
    }
}

named! {
    /// What overtook a message: what it tells of was undone, or done again, since it was written.
    pub enum Overtaken {
        /// Its tenant is gone.
        TenantDeleted = "tenant_deleted",
        /// Its user is gone.
        UserDeleted = "user_deleted",
        /// Its user may do nothing.
        UserOff = "user_off",
        /// Its token is gone.
        TokenDeleted = "token_deleted",
        /// Its token is good for nothing.
        TokenRevoked = "token_revoked",
        /// Another message holds the link that counts.
        NewerLink = "newer_link",
        /// There is nothing left to enrol.
        Enrolled = "enrolled",
        /// The challenge whose code it holds is over.
        GivenUp = "given_up",
        /// Its user has another address or number than the one to which it was to go.
        OtherAddress = "other_address",
    }
}

impl Overtaken {
    /// In words, for operators.
    #[must_use]
    pub const fn told(self) -> &'static str {
        match self {
            Self::TenantDeleted => "its tenant was deleted",
            Self::UserDeleted => "its user was deleted",
            Self::UserOff => "its user was switched off",
            Self::TokenDeleted => "its token was deleted",
            Self::TokenRevoked => "its token was revoked",
            Self::NewerLink => "a newer link was sent",
            Self::Enrolled => "its token is enrolled",
            Self::GivenUp => "the challenge was given up",
            Self::OtherAddress => "its user's address or number was changed",
        }
    }
}

/// What a message needs to be rendered, sealed: see [`crate::sealing`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedContent(pub Vec<u8>);

impl fmt::Debug for SealedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedContent({} bytes)", self.0.len())
    }
}

/// Another channel for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// The channel.
    pub channel: Channel,
    /// The recipient on it, masked for the log.
    pub recipient: String,
}

/// That nothing is sent to a message's mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Since when the address is on the suppression list.
    pub since: Timestamp,
    /// Why: codes and words of ours.
    pub why: String,
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address is on the suppression list since {}: {}", self.since.rfc3339(), self.why)
    }
}

/// A message and its way so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id, the only thing of it that ever lies in a queue (with its tenant's).
    pub id: MessageId,
    /// The tenant that sends it.
    pub tenant: TenantId,
    /// The user whom it is for; none for a test, which goes to an address that an operator has given.
    pub user: Option<UserId>,
    /// The token that it tells of.
    pub serial: Option<Serial>,
    /// What it is for.
    pub purpose: TemplateKind,
    /// Whether it is a test of a gateway or a template: it has one hop, which is there from the beginning.
    pub test: bool,
    /// Whether its recipient stands for an outcome (see [`crate::simulator`]): it says nothing of gateways.
    pub simulated: bool,
    /// How it travels, at first.
    pub channel: Channel,
    /// The recipient, masked for the log.
    pub recipient: String,
    /// The country of the recipient's number, where it goes by text and the number tells.
    pub country: Option<Country>,
    /// How it travels once no route of its first channel is left, if it may.
    pub fallback: Option<Fallback>,
    /// By what the mail address among its recipients is looked up in the suppression list.
    pub address: Option<AddressKey>,
    /// That this address was found on that list when a way was looked for.
    pub suppressed: Option<Suppressed>,
    /// Recipient, link and names, sealed. Gone once the message is closed.
    pub content: Option<SealedContent>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
    /// Where it is.
    pub status: MessageStatus,
    /// Why it ended badly, or why it is held, for operators; no secret, no address.
    pub reason: Option<String>,
    /// What overtook it, whether it had left by then or not.
    pub overtaken: Option<Overtaken>,
    /// Its last hops, in order.
    pub hops: Vec<Hop>,
    /// When `deliver` is to look after it, and the sweep finds it; none once it is closed.
    pub due_at: Option<Timestamp>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
}

impl Message {
    /// Whether something may be left to do for it. Receipts are taken of closed ones too.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.due_at.is_some()
    }

    /// Its hop that counts, the last one.
    #[must_use]
    pub fn last_hop(&self) -> Option<&Hop> {
        self.hops.last()
    }
}
