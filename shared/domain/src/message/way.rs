//! How a message finds its way: what is next, and what a sender's report comes to.

use std::time::Duration;

use super::{
    Channel, Ending, Hop, HopState, LEASE, MAX_TRIES, MOST_HOPS, Message, MessageStatus, ROUTE_TIME, Sender,
    Via,
};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// How long a message is held at least before a gateway in trouble is tried again.
const SHORTEST_HOLD: Duration = Duration::from_secs(30);
/// How long at most.
const LONGEST_HOLD: Duration = Duration::from_mins(15);
/// How long until the first try again.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
/// How long until a later one, at most.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
/// The longest that a provider may ask to be left alone: queues hold nothing back for longer.
const LONGEST_DELAY: Duration = Duration::from_mins(15);
/// How many hops in a row of a mail, by one gateway, may end in doubt before the next way is taken, less one.
const MOST_DOUBTS: usize = 1;
/// How many of the lines that a provider said are kept, the last ones, where nobody waits for them.
const KEPT_LINES: usize = 8;

/// The ways that a message may take now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Those that can be taken, in order.
    pub usable: Vec<Via>,
    /// Why others that are named for it cannot.
    pub passed_over: Vec<String>,
}

/// What `deliver` has to do for a message now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: closed, or somebody is at it.
    Rest,
    /// Record the message as given, then put this hop on its sender's queue.
    Hand(Message, u16, Sender),
    /// Record the message as given: it waits for a gateway, or for news of a hop.
    Wait(Message),
    /// Record the message as given: it has come to its end.
    Close(Message),
}

/// What follows from a sender's report, once it is on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Nothing,
    /// This hop is to be put on the same sender's queue.
    Again {
        /// The hop.
        hop: u16,
        /// After how long.
        delay: Duration,
    },
    /// `deliver` is to look after it.
    Deliver,
}

impl Message {
    /// Decides what is to be done with an open message: the next route, the same one again, waiting, or the end.
    ///
    /// A route is left for the next one when its provider will never take the message, or could not be had
    /// [`MAX_TRIES`] times in a row. When no route is left and a gateway was in trouble, or could not be had, the message is
    /// held and that gateway tried again, for as long as the message lives: what works again later still arrives.
    #[must_use]
    pub fn next_step(mut self, routes: &Routes, now: Timestamp) -> Step {
        if self.status.is_closed() {
            return Step::Rest;
        }
        if now >= self.expires_at {
            return Step::Close(self.expired());
        }
        let sms = self.channel == Channel::Sms;
        let again = !sms && self.may_repeat(Ending::Unknown);
        let Some(hop) = self.hops.last_mut() else {
            return self.by_next_route(routes, now);
        };
        if let HopState::Claimed { until } = hop.state
            && now >= until
        {
            let reason = "its sender never told what became of it".to_owned();
            hop.state = HopState::Ended { ending: Ending::Unknown, reason, at: now };
        }
        match hop.state {
            HopState::Claimed { .. } | HopState::Accepted { .. } => Step::Rest,
            HopState::Handed if now < hop.handed_at.plus(ROUTE_TIME) => Step::Rest,
            HopState::Handed => {
                hop.handed_at = now;
                let (number, sender) = (hop.number, hop.via.sender);
                Step::Hand(self.handed(now), number, sender)
            }
            HopState::Ended { .. } if self.test => Step::Close(self.failed()),
            // A text must not go twice by one hop's doubt: it waits as long as one that was accepted.
            HopState::Ended { ending: Ending::Unknown, at, .. } if sms && now < at.plus(ROUTE_TIME) => {
                self.waits_until(at.plus(ROUTE_TIME), None)
            }
            HopState::Ended { ending: Ending::Unknown, .. } if again => self.again(now),
            HopState::Ended { .. } => self.by_next_route(routes, now),
        }
    }

    /// Whether nothing is to be done for it now: it is closed, or a sender is asked or at it.
    #[must_use]
    pub fn rests(&self, now: Timestamp) -> bool {
        let in_flight = |hop: &Hop| match hop.state {
            HopState::Handed => now < hop.handed_at.plus(ROUTE_TIME),
            HopState::Claimed { until } => now < until,
            HopState::Accepted { .. } => true,
            HopState::Ended { .. } => false,
        };
        self.status.is_closed() || (now < self.expires_at && self.last_hop().is_some_and(in_flight))
    }

    fn by_next_route(self, routes: &Routes, now: Timestamp) -> Step {
        let fresh = routes.usable.iter().find(|via| !self.hops.iter().any(|hop| hop.via.is_same(via)));
        if let Some(via) = fresh {
            return self.hop_by(via.clone(), now);
        }
        // Nobody knows whether a text has arrived: it is not sent again an hour later.
        if self.in_doubt() && self.channel == Channel::Sms {
            return Step::Close(self.failed());
        }
        let in_trouble = routes.usable.iter().filter_map(|via| self.trouble_of(via).map(|at| (at, via)));
        let longest_ago = in_trouble.min_by_key(|(at, _)| *at).map(|(_, via)| via.clone());
        let why = routes.passed_over.first().cloned();
        if longest_ago.is_none() && why.is_none() {
            return Step::Close(self.failed());
        }
        let since = self.last_hop().map_or(self.created_at, Hop::ended_at);
        let until = since.plus(self.hold(since));
        match longest_ago {
            Some(via) if now >= until => self.hop_by(via, now),
            Some(_) => self.waits_until(until, why),
            None => {
                let next = now.plus(self.hold(now));
                self.waits_until(until.max(next), why)
            }
        }
    }

    /// When a way was last found in trouble, or busy for too long, if that was the last that was heard of it.
    fn trouble_of(&self, via: &Via) -> Option<Timestamp> {
        let last = self.hops.iter().rev().find(|hop| hop.via.is_same(via))?;
        match last.state {
            HopState::Ended { ending, at, .. } if ending.is_of_gateway() || ending == Ending::Retry => {
                Some(at)
            }
            _ => None,
        }
    }

    /// How long a message is held that is as old as it is at `at`: a quarter of its age, within bounds.
    fn hold(&self, at: Timestamp) -> Duration {
        let age = at.millis().saturating_sub(self.created_at.millis());
        Duration::from_millis(age / 4).clamp(SHORTEST_HOLD, LONGEST_HOLD)
    }

    fn hop_by(mut self, via: Via, now: Timestamp) -> Step {
        let sender = via.sender;
        let number = self.add_hop(via, now);
        Step::Hand(self.handed(now), number, sender)
    }

    fn again(self, now: Timestamp) -> Step {
        match self.hops.last().map(|hop| hop.via.clone()) {
            Some(via) => self.hop_by(via, now),
            None => Step::Rest,
        }
    }

    fn add_hop(&mut self, via: Via, handed_at: Timestamp) -> u16 {
        let number = self.hops.last().map_or(1, |hop| hop.number.saturating_add(1));
        if self.hops.len() >= MOST_HOPS {
            // The last hop of each gateway stays: it says that this way was taken, and how it ended.
            let older = |place: usize, hop: &Hop| {
                self.hops.iter().skip(place + 1).any(|later| later.via.is_same(&hop.via))
            };
            let place = self.hops.iter().enumerate().position(|(place, hop)| older(place, hop));
            self.hops.remove(place.unwrap_or_default());
        }
        self.hops.push(Hop { number, via, handed_at, state: HopState::Handed, said: Vec::new() });
        number
    }

    /// Whether a provider may have taken it that never said so.
    fn in_doubt(&self) -> bool {
        self.hops.iter().any(|hop| hop.ending() == Some(Ending::Unknown))
    }

    /// How many hops in a row went by the gateway of the last one since it was last in trouble.
    fn tries_in_row(&self) -> usize {
        self.in_row().count()
    }

    fn in_row(&self) -> impl Iterator<Item = &Hop> {
        let last = self.hops.last();
        let same = move |hop: &&Hop| {
            last.is_some_and(|last| hop.via.is_same(&last.via))
                && !hop.ending().is_some_and(Ending::is_of_gateway)
        };
        self.hops.iter().rev().take_while(same)
    }

    /// Whether another hop may go by the gateway of the last one, which has come to `ending`. After doubt once: a mail may
    /// arrive twice, but not eight times.
    fn may_repeat(&self, ending: Ending) -> bool {
        let doubts = self.in_row().filter(|hop| hop.ending() == Some(Ending::Unknown)).count();
        self.tries_in_row() < MAX_TRIES && (ending != Ending::Unknown || doubts <= MOST_DOUBTS)
    }

    /// A sender takes hop `number`; `None` when it is not there to be taken. Nobody takes it again.
    #[must_use]
    pub fn claimed(mut self, number: u16, now: Timestamp) -> Option<Self> {
        if self.status != MessageStatus::Sending {
            return None;
        }
        let hop = self.hops.last_mut().filter(|hop| hop.number == number)?;
        if hop.state != HopState::Handed {
            return None;
        }
        hop.state = HopState::Claimed { until: now.plus(LEASE) };
        self.due_at = Some(now.plus(LEASE));
        Some(self.changed())
    }

    /// Gives hop `number` back untried: its sender could not even ask the provider. The sweep, or the queue, brings it
    /// again.
    #[must_use]
    pub fn unclaimed(mut self, number: u16, now: Timestamp) -> Self {
        if let Some(hop) = self.hops.last_mut().filter(|hop| hop.number == number) {
            hop.state = HopState::Handed;
            hop.handed_at = now;
        }
        self.due_at = Some(now.plus(ROUTE_TIME));
        self.changed()
    }

    /// Writes down what the sender of hop `number` tells: the outcome, why in words of ours, and what the provider said,
    /// redacted. `chance` is any number: it spreads tries that would otherwise come all at once.
    #[must_use]
    pub fn concluded(
        mut self,
        number: u16,
        (outcome, why, said): (&Outcome, &str, Vec<String>),
        chance: u8,
        now: Timestamp,
    ) -> (Self, Next) {
        let Some(hop) = self.hops.last_mut().filter(|hop| hop.number == number) else {
            return (self.changed(), Next::Nothing);
        };
        hop.said = said;
        if !self.test {
            hop.said.drain(..hop.said.len().saturating_sub(KEPT_LINES));
        }
        let via = hop.via.clone();
        let Some(ending) = Ending::of(outcome) else {
            if let Outcome::Accepted { provider_id } = outcome {
                hop.state = HopState::Accepted { provider_id: provider_id.clone(), at: now };
            }
            return (self.closed(MessageStatus::Sent, None), Next::Nothing);
        };
        hop.state = HopState::Ended { ending, reason: why.to_owned(), at: now };
        if self.test {
            return (self.failed(), Next::Nothing);
        }
        let sms = self.channel == Channel::Sms;
        match ending {
            Ending::Unknown if sms => {
                self.due_at = Some(now.plus(ROUTE_TIME));
                (self.changed(), Next::Nothing)
            }
            Ending::Retry | Ending::Unknown => self.postponed(outcome, via, chance, now),
            _ => {
                self.due_at = Some(now);
                (self.changed(), Next::Deliver)
            }
        }
    }

    /// Another hop by the same gateway after a while, if there is a while left.
    fn postponed(mut self, outcome: &Outcome, via: Via, chance: u8, now: Timestamp) -> (Self, Next) {
        let delay = match outcome {
            Outcome::Retry { after: Some(after) } => (*after).clamp(FIRST_BACKOFF, LONGEST_DELAY),
            _ => Self::backoff(self.tries_in_row(), chance),
        };
        let at = now.plus(delay);
        let ending = Ending::of(outcome).unwrap_or(Ending::Retry);
        if !self.may_repeat(ending) || at >= self.expires_at {
            self.due_at = Some(now);
            return (self.changed(), Next::Deliver);
        }
        let hop = self.add_hop(via, at);
        self.due_at = Some(at.plus(ROUTE_TIME));
        (self.changed(), Next::Again { hop, delay })
    }

    /// How long to wait after `tries` tries in a row: 2 s, doubling, at most 60 s; between half of that and all of it.
    #[must_use]
    pub fn backoff(tries: usize, chance: u8) -> Duration {
        let doubled = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
        let most = (FIRST_BACKOFF * 2_u32.pow(doubled)).min(LONGEST_BACKOFF);
        most / 2 + most * u32::from(chance) / 2 / u32::from(u8::MAX)
    }

    /// Ends an open message as expired, e.g. when a sender finds it so.
    #[must_use]
    pub fn expired(self) -> Self {
        let last = self.last_hop().and_then(Hop::reason);
        let told = last.map_or_else(
            || "its time ran out before a provider took it".to_owned(),
            |why| format!("its time ran out before a provider took it; at last: {why}"),
        );
        self.closed(MessageStatus::Expired, Some(told))
    }

    /// Ends an open message, because what it tells of does not hold any more.
    #[must_use]
    pub fn cancelled(self, reason: &str) -> Self {
        self.closed(MessageStatus::Cancelled, Some(reason.to_owned()))
    }

    fn failed(self) -> Self {
        let reason = match self.last_hop().and_then(Hop::reason) {
            Some(why) if self.in_doubt() => format!("{why}; it may have arrived all the same"),
            Some(why) => why.to_owned(),
            None => format!("no gateway is configured for {}", self.channel.as_str()),
        };
        self.closed(MessageStatus::Failed, Some(reason))
    }

    fn waits_until(mut self, until: Timestamp, why: Option<String>) -> Step {
        let held = why.or_else(|| self.last_hop().and_then(Hop::reason).map(str::to_owned));
        let held = held.map(|why| format!("held: {why}"));
        if self.due_at == Some(until) && self.reason == held {
            return Step::Rest;
        }
        self.reason = held;
        self.due_at = Some(until);
        Step::Wait(self.changed())
    }

    fn handed(mut self, now: Timestamp) -> Self {
        self.status = MessageStatus::Sending;
        self.reason = None;
        self.due_at = Some(now.plus(ROUTE_TIME));
        self.changed()
    }

    /// Only ever called on an open message, so that the status moves forward.
    fn closed(mut self, status: MessageStatus, reason: Option<String>) -> Self {
        self.status = status;
        self.reason = reason;
        self.content = None;
        self.due_at = None;
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.version += 1;
        self
    }
}

impl Hop {
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
    fn ended_at(&self) -> Timestamp {
        match self.state {
            HopState::Accepted { at, .. } | HopState::Ended { at, .. } => at,
            HopState::Handed | HopState::Claimed { .. } => self.handed_at,
        }
    }
}
