//! A message to a user, followed from the outbox to its end.
//!
//! Its record is written in the same transaction as the change that it tells of, and is worked off by `deliver` and
//! the senders. Each *hop* is one gateway's try. The status moves forward only: whatever comes late, twice or out of
//! order changes nothing.

use std::fmt;
use std::time::Duration;

use crate::ids::{MessageId, Serial, TenantId, UserId};
use crate::named::named;
use crate::template::TemplateKind;
use crate::time::Timestamp;

/// A sender's lease on a hop; longer than its one overall deadline.
pub const LEASE: Duration = Duration::from_secs(45);
/// How long a hop may stay without news before the sweep looks after it.
pub const ROUTE_TIME: Duration = Duration::from_mins(2);
/// How long a new record may stay unrouted before the sweep looks after it.
pub const PICK_UP: Duration = Duration::from_mins(1);
/// How often a sender may claim one hop: after a failure that may pass, or when a sender was lost.
pub const MAX_TRIES: u8 = 8;
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
    /// A configured provider account through which a hop goes.
    pub enum Gateway {
        /// The deployment's own Amazon SES.
        Ses = "ses",
    }
}

impl Gateway {
    /// The gateways that a message on `channel` may take, in order.
    #[must_use]
    pub const fn routes(channel: Channel) -> &'static [Self] {
        match channel {
            Channel::Email => &[Self::Ses],
            Channel::Sms => &[],
        }
    }
}

named! {
    /// Where a message is. Moves up in [`MessageStatus::rank`], never down.
    pub enum MessageStatus {
        /// In the outbox.
        Queued = "queued",
        /// Handed to a gateway's sender.
        Sending = "sending",
        /// A provider has accepted it.
        Sent = "sent",
        /// Its time ran out before any provider took it.
        Expired = "expired",
        /// No route took it.
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

    /// Whether nothing is left to do for it, whatever receipts may still tell.
    #[must_use]
    pub const fn is_closed(self) -> bool {
        self.rank() >= Self::Sent.rank()
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
    /// How it travels.
    pub channel: Channel,
    /// The recipient, masked for the log.
    pub recipient: String,
    /// Recipient, link and names, sealed. Gone once the message is closed.
    pub content: Option<SealedContent>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is no longer worth sending.
    pub expires_at: Timestamp,
    /// Where it is.
    pub status: MessageStatus,
    /// Why it ended badly, for operators; no secret, no address.
    pub reason: Option<String>,
    /// Its tries by gateway, in order.
    pub hops: Vec<Hop>,
    /// When the sweep should look after it; none once it is closed.
    pub due_at: Option<Timestamp>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
}

/// One gateway's try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// 1 for the first.
    pub number: u8,
    /// The gateway.
    pub gateway: Gateway,
    /// When `deliver` chose it.
    pub handed_at: Timestamp,
    /// How many times a sender has claimed it.
    pub tries: u8,
    /// What became of it.
    pub state: HopState,
}

/// What became of a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopState {
    /// Waits for its sender.
    Handed,
    /// A sender holds it until the lease ends.
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
    /// The provider, or our own check before it, refused it.
    Refused {
        /// Why, redacted.
        reason: String,
        /// When.
        at: Timestamp,
    },
}

/// What `deliver` has to do for a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: closed, or somebody is at it.
    Rest,
    /// Record the message as given, then put this hop on its gateway's queue.
    Hand(Message, u8, Gateway),
    /// Record the message as given: it has come to its end.
    Close(Message),
}

/// What a sender says of its try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it under this id.
    Accepted {
        /// The provider's id.
        provider_id: String,
    },
    /// It may work later.
    Retry {
        /// Why, redacted.
        reason: String,
    },
    /// This gateway will not take it.
    Refused {
        /// Why, redacted.
        reason: String,
    },
}

impl Hop {
    /// A hop whose last try has come to nothing, whatever became of its sender, is not tried again.
    fn give_up(&mut self, now: Timestamp) {
        let lost = match &self.state {
            HopState::Handed => true,
            HopState::Claimed { until } => now >= *until,
            HopState::Accepted { .. } | HopState::Refused { .. } => false,
        };
        if lost && self.tries >= MAX_TRIES {
            let reason =
                format!("given up after {} tries: its sender never told what became of them", self.tries);
            self.state = HopState::Refused { reason, at: now };
        }
    }
}

impl Message {
    /// Decides what is to be done with an open message: the next route, the same hop again when its sender was
    /// lost, or the end.
    #[must_use]
    pub fn next_step(mut self, now: Timestamp) -> Step {
        if self.status.is_closed() {
            return Step::Rest;
        }
        if now >= self.expires_at {
            return Step::Close(
                self.closed(MessageStatus::Expired, Some("its time ran out before a provider took it")),
            );
        }
        let routes = Gateway::routes(self.channel);
        let taken = self.hops.len();
        if let Some(hop) = self.hops.last_mut() {
            hop.give_up(now);
            match &hop.state {
                HopState::Handed if now < hop.handed_at.plus(ROUTE_TIME) => return Step::Rest,
                HopState::Claimed { until } if now < *until => return Step::Rest,
                HopState::Accepted { .. } => return Step::Rest,
                HopState::Handed | HopState::Claimed { .. } => {
                    hop.state = HopState::Handed;
                    hop.handed_at = now;
                    let (number, gateway) = (hop.number, hop.gateway);
                    return Step::Hand(self.handed(now), number, gateway);
                }
                HopState::Refused { .. } => {}
            }
        }
        if let Some(&gateway) = routes.get(taken) {
            let number = u8::try_from(taken + 1).unwrap_or(u8::MAX);
            self.hops.push(Hop { number, gateway, handed_at: now, tries: 0, state: HopState::Handed });
            return Step::Hand(self.handed(now), number, gateway);
        }
        let reason = match self.hops.last().map(|hop| &hop.state) {
            Some(HopState::Refused { reason, .. }) => reason.clone(),
            _ => format!("no gateway is configured for {}", self.channel.as_str()),
        };
        Step::Close(self.closed(MessageStatus::Failed, Some(&reason)))
    }

    /// A sender takes hop `number` under a lease; `None` when it is not there to be taken.
    ///
    /// A lease that ran out may be taken again, [`MAX_TRIES`] times in all: an e-mail may repeat.
    #[must_use]
    pub fn claimed(mut self, number: u8, now: Timestamp) -> Option<Self> {
        if self.status.is_closed() {
            return None;
        }
        let hop = self.hops.last_mut().filter(|hop| hop.number == number && hop.tries < MAX_TRIES)?;
        match &hop.state {
            HopState::Handed => {}
            HopState::Claimed { until } if now >= *until => {}
            _ => return None,
        }
        hop.state = HopState::Claimed { until: now.plus(LEASE) };
        hop.tries = hop.tries.saturating_add(1);
        self.due_at = Some(now.plus(LEASE + ROUTE_TIME));
        Some(self.changed())
    }

    /// Gives hop `number` back untried: its sender could not even ask the provider. That is no try; the sweep, or the
    /// queue, brings the hop again.
    #[must_use]
    pub fn unclaimed(mut self, number: u8, now: Timestamp) -> Self {
        if let Some(hop) = self.hops.last_mut().filter(|hop| hop.number == number) {
            hop.state = HopState::Handed;
            hop.tries = hop.tries.saturating_sub(1);
        }
        self.due_at = Some(now.plus(ROUTE_TIME));
        self.changed()
    }

    /// Writes down what the sender of hop `number` found. A try too many becomes a refusal.
    #[must_use]
    pub fn concluded(mut self, number: u8, outcome: Outcome, now: Timestamp) -> Self {
        let mut due_at = now;
        if let Some(hop) = self.hops.last_mut().filter(|hop| hop.number == number) {
            hop.state = match outcome {
                Outcome::Accepted { provider_id } => HopState::Accepted { provider_id, at: now },
                Outcome::Retry { .. } if hop.tries < MAX_TRIES => {
                    due_at = now.plus(ROUTE_TIME);
                    HopState::Handed
                }
                Outcome::Retry { reason } => HopState::Refused {
                    reason: format!("given up after {} tries: {reason}", hop.tries),
                    at: now,
                },
                Outcome::Refused { reason } => HopState::Refused { reason, at: now },
            };
            if matches!(hop.state, HopState::Accepted { .. }) {
                return self.closed(MessageStatus::Sent, None);
            }
        }
        self.due_at = Some(due_at);
        self.changed()
    }

    /// Whether its last hop waits for a sender (again).
    #[must_use]
    pub fn awaits_sender(&self) -> bool {
        self.hops.last().is_some_and(|hop| hop.state == HopState::Handed)
    }

    /// Ends an open message as expired, e.g. when a sender finds it so.
    #[must_use]
    pub fn expired(self) -> Self {
        self.closed(MessageStatus::Expired, Some("its time ran out before a provider took it"))
    }

    /// Ends an open message, because what it tells of does not hold any more.
    #[must_use]
    pub fn cancelled(self, reason: &str) -> Self {
        self.closed(MessageStatus::Cancelled, Some(reason))
    }

    /// How long to wait before the next try of a hop that was tried `tries` times: 2 s, doubling, at most 60 s.
    #[must_use]
    pub fn backoff(tries: u8) -> Duration {
        Duration::from_secs((1_u64 << tries.min(6)).min(60))
    }

    fn handed(mut self, now: Timestamp) -> Self {
        self.status = MessageStatus::Sending;
        self.due_at = Some(now.plus(ROUTE_TIME));
        self.changed()
    }

    /// Only ever called on an open message, so that the status moves forward.
    fn closed(mut self, status: MessageStatus, reason: Option<&str>) -> Self {
        self.status = status;
        self.reason = reason.map(str::to_owned);
        self.content = None;
        self.due_at = None;
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.version += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn message(channel: Channel) -> Message {
        Message {
            id: MessageId::new(NOW, [1; 10]),
            tenant: TenantId::try_from("acme").unwrap(),
            user: UserId::try_from("jane").ok(),
            serial: None,
            purpose: TemplateKind::PushToken,
            channel,
            recipient: "j***@e***.org".to_owned(),
            content: Some(SealedContent(vec![1])),
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_hours(1)),
            status: MessageStatus::Queued,
            reason: None,
            hops: Vec::new(),
            due_at: Some(NOW.plus(PICK_UP)),
            version: 1,
        }
    }

    fn hand(message: Message, now: Timestamp) -> (Message, u8) {
        match message.next_step(now) {
            Step::Hand(message, number, Gateway::Ses) => (message, number),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_straight_way() {
        let (message, hop) = hand(message(Channel::Email), NOW);
        assert_eq!(message.status, MessageStatus::Sending);
        assert_eq!(message.clone().next_step(NOW), Step::Rest, "its sender has it");
        let message = message.claimed(hop, NOW).unwrap();
        assert_eq!(message.clone().claimed(hop, NOW), None, "a second delivery does nothing");
        let message = message.concluded(hop, Outcome::Accepted { provider_id: "x".to_owned() }, NOW);
        assert_eq!((message.status, message.due_at), (MessageStatus::Sent, None));
        assert_eq!(message.content, None, "the sealed content goes when the message is closed");
        assert_eq!(message.clone().next_step(NOW), Step::Rest);
        assert_eq!(message.claimed(hop, NOW.plus(LEASE)), None);
    }

    #[test]
    fn a_lost_sender_is_replaced_after_its_lease() {
        let (message, hop) = hand(message(Channel::Email), NOW);
        let message = message.claimed(hop, NOW).unwrap();
        assert_eq!(message.clone().next_step(NOW), Step::Rest);
        let later = NOW.plus(LEASE);
        let (message, again) = hand(message, later);
        assert_eq!(again, hop);
        assert!(message.claimed(hop, later).is_some());
    }

    #[test]
    fn a_refusal_ends_a_message_without_another_route() {
        let (message, hop) = hand(message(Channel::Email), NOW);
        let message = message.claimed(hop, NOW).unwrap();
        let message = message.concluded(hop, Outcome::Refused { reason: "no such mailbox".to_owned() }, NOW);
        assert_eq!(message.due_at, Some(NOW));
        let Step::Close(message) = message.next_step(NOW) else { panic!("closes") };
        assert_eq!(
            (message.status, message.reason.as_deref()),
            (MessageStatus::Failed, Some("no such mailbox"))
        );
    }

    #[test]
    fn retries_end() {
        let (mut message, hop) = hand(message(Channel::Email), NOW);
        for _ in 0..MAX_TRIES {
            message = message.claimed(hop, NOW).unwrap();
            message = message.concluded(hop, Outcome::Retry { reason: "busy".to_owned() }, NOW);
        }
        let Step::Close(message) = message.next_step(NOW) else { panic!("closes") };
        assert_eq!(message.reason.as_deref(), Some("given up after 8 tries: busy"));
    }

    #[test]
    fn time_runs_out() {
        let Step::Close(message) = message(Channel::Email).next_step(NOW.plus(Duration::from_hours(1)))
        else {
            panic!("closes")
        };
        assert_eq!(message.status, MessageStatus::Expired);
    }

    #[test]
    fn a_channel_without_a_gateway_fails_with_the_reason() {
        let Step::Close(message) = message(Channel::Sms).next_step(NOW) else { panic!("closes") };
        assert_eq!(message.reason.as_deref(), Some("no gateway is configured for sms"));
    }

    #[test]
    fn backoff_grows_and_stays_bounded() {
        let waits: Vec<u64> = (1..=9).map(|tries| Message::backoff(tries).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60, 60]);
    }

    proptest! {
        /// Whatever happens in whatever order, the status's rank never falls and the version never stands still.
        #[test]
        fn the_status_moves_forward_only(events in prop::collection::vec((0_u8..6, 0_u64..400), 1..40)) {
            let mut message = message(Channel::Email);
            let mut now = NOW;
            for (event, wait) in events {
                now = now.plus(Duration::from_secs(wait));
                let before = message.clone();
                let next = match event {
                    0 => match before.clone().next_step(now) {
                        Step::Rest => None,
                        Step::Hand(message, ..) | Step::Close(message) => Some(message),
                    },
                    1 => before.clone().claimed(1, now),
                    _ if before.status != MessageStatus::Sending => None,
                    2 => Some(before.clone().concluded(1, Outcome::Accepted { provider_id: String::new() }, now)),
                    3 => Some(before.clone().concluded(1, Outcome::Retry { reason: String::new() }, now)),
                    4 => Some(before.clone().concluded(1, Outcome::Refused { reason: String::new() }, now)),
                    _ => Some(before.clone().expired()),
                };
                if let Some(next) = next {
                    prop_assert!(next.status.rank() >= before.status.rank());
                    prop_assert_eq!(next.version, before.version + 1);
                    prop_assert_eq!(next.status.is_closed(), next.due_at.is_none());
                    message = next;
                }
            }
        }
    }
}
