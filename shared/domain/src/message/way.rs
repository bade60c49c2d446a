//! How a message finds its way: what is next, and what a sender's report comes to.

use std::time::Duration;

use super::{
    Because, Channel, Ending, Hop, HopState, LEASE, MAX_TRIES, MOST_HOPS, Message, MessageStatus, Overtaken,
    ROUTE_TIME, Sender, Suppressed, Via,
};
use crate::circuit::{Circuit, PROBE_WAIT};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// What stands for the recipient of a message that is for nobody; a masked one never reads so.
const NOBODY: &str = "nobody";
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
/// How long a provider that took a message late has at least to tell what became of it; half of the route's time where
/// that is less.
const LATE_NEWS: Duration = Duration::from_secs(10);
/// How long a route waits that no policy names.
const USUAL_WAIT: Duration = Duration::from_mins(1);

/// A way that a message may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// By what.
    pub via: Via,
    /// On which channel.
    pub channel: Channel,
    /// After how long without good news the next one is taken.
    pub wait: Duration,
    /// Whether its provider tells what becomes of a message it has taken.
    pub tells: bool,
    /// Whether it works now.
    pub circuit: Circuit,
}

impl Way {
    /// The deployment's own Amazon SES.
    pub const OWN: Self = Self {
        via: Via::OWN,
        channel: Channel::Email,
        wait: USUAL_WAIT,
        tells: true,
        circuit: Circuit::Closed,
    };
}

/// The ways that a message may take now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes {
    /// Those that can be taken, in order.
    pub usable: Vec<Way>,
    /// Why others that are named for it cannot, as long as nobody mends that.
    pub passed_over: Vec<String>,
    /// Why others that are named for it never will take it.
    pub unfit: Vec<String>,
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
    Deliver {
        /// After how long.
        delay: Duration,
    },
}

impl Next {
    /// At once.
    pub const AT_ONCE: Self = Self::Deliver { delay: Duration::ZERO };
}

/// A way that was chosen, and why.
struct Choice<'r> {
    way: &'r Way,
    because: Because,
    /// Gateways before it that do not work now.
    passed: Vec<String>,
}

impl Message {
    /// Decides what is to be done with an open message: the next route, the same one again, waiting, or the end.
    ///
    /// The next route is taken when a provider will never take the message, when a receipt tells that it did not arrive,
    /// and when the route's time is over without good news: no receipt, a provider that is only busy, a sender that is not
    /// there. A gateway whose circuit is open is passed over, unless no other way is left. When no route is left and a
    /// gateway was in trouble, or could not be had, the message is held and that gateway tried again, for as long as the
    /// message lives: what works again later still arrives.
    #[must_use]
    pub fn next_step(mut self, routes: &Routes, now: Timestamp) -> Step {
        if !self.is_open() {
            return Step::Rest;
        }
        if self.is_to_be_forgotten() {
            return Step::Close(self.closed(MessageStatus::Sent, None).settled());
        }
        if self.rests(now) {
            return Step::Rest;
        }
        self = self.doubted(now);
        if now >= self.expires_at {
            return Step::Close(self.expired());
        }
        let Some(hop) = self.hops.last_mut() else {
            return self.by_next_route(routes, Because::First, now);
        };
        let late = hop.limit.is_some_and(|limit| now >= limit);
        match hop.state {
            HopState::Handed if late => {
                let reason = "its sender did not take it in time".to_owned();
                hop.state = HopState::Ended { ending: Ending::NotTaken, reason, at: now };
            }
            HopState::Handed => {
                hop.handed_at = now;
                let (number, sender) = (hop.number, hop.via.sender);
                return Step::Hand(self.handed(now), number, sender);
            }
            HopState::Claimed { .. } | HopState::Accepted { .. } | HopState::Ended { .. } => {}
        }
        let (sms, limit, refuted) = (hop.channel == Channel::Sms, hop.limit, hop.is_refuted());
        let state = hop.state.clone();
        match state {
            HopState::Accepted { .. } if refuted => self.by_next_route(routes, Because::BadNews, now),
            HopState::Accepted { .. } => self.by_next_route(routes, Because::NoNews, now),
            HopState::Ended { .. } if self.test => Step::Close(self.failed()),
            HopState::Ended { ending: Ending::Unknown, at, .. } if sms && !refuted => {
                // A text must not go twice by one hop's doubt: it waits as long as one that was accepted.
                let until = limit.unwrap_or_else(|| at.plus(ROUTE_TIME));
                if now < until {
                    return self.waits_until(until, None);
                }
                self.by_next_route(routes, Because::Doubt, now)
            }
            HopState::Ended { ending: Ending::Unknown, .. }
                if !late && !refuted && self.may_repeat(Ending::Unknown) =>
            {
                self.again(now)
            }
            HopState::Ended { ending, .. } => {
                let because = match ending {
                    Ending::Unknown if refuted => Because::BadNews,
                    Ending::Unknown => Because::Doubt,
                    Ending::Retry => Because::Busy,
                    Ending::NotTaken => Because::NotTaken,
                    _ => Because::Refused,
                };
                self.by_next_route(routes, because, now)
            }
            HopState::Handed | HopState::Claimed { .. } => Step::Rest,
        }
    }

    /// With its last hop in doubt, if the lease of the sender that had it is over and nothing was told of it.
    #[must_use]
    pub fn doubted(mut self, now: Timestamp) -> Self {
        let over = |hop: &&mut Hop| matches!(hop.state, HopState::Claimed { until } if until <= now);
        if let Some(hop) = self.hops.last_mut().filter(over) {
            let reason = "its sender never told what became of it".to_owned();
            hop.state = HopState::Ended { ending: Ending::Unknown, reason, at: now };
        }
        self
    }

    /// Whether nothing is to be done for it now: it is closed, a sender is asked or at it, or news are waited for. A sender
    /// that is at it tells the truth even when the message's time is over meanwhile.
    #[must_use]
    pub fn rests(&self, now: Timestamp) -> bool {
        let alive = now < self.expires_at;
        let in_flight = |hop: &Hop| match hop.state {
            HopState::Handed => alive && now < hop.limit.unwrap_or_else(|| hop.handed_at.plus(ROUTE_TIME)),
            HopState::Claimed { until } => now < until,
            HopState::Accepted { .. } => {
                alive && !hop.is_refuted() && self.due_at.is_some_and(|due| now < due)
            }
            HopState::Ended { .. } => false,
        };
        !self.is_open() || self.last_hop().is_some_and(in_flight)
    }

    fn by_next_route(self, routes: &Routes, because: Because, now: Timestamp) -> Step {
        let fresh = |way: &&Way| !self.hops.iter().any(|hop| hop.via.is_same(&way.via));
        let fresh: Vec<&Way> = routes.usable.iter().filter(fresh).collect();
        let works = fresh.iter().position(|way| way.circuit != Circuit::Open);
        // Where none works, the circuits say nothing: the order of policy holds.
        if let Some(way) = fresh.get(works.unwrap_or_default()) {
            let before = fresh.iter().take(works.unwrap_or_default());
            let passed = before.map(|way| way.via.shown().to_owned()).collect();
            let mut others = fresh.iter().filter(|other| !other.via.is_same(&way.via));
            let then = others.clone().find(|other| other.circuit != Circuit::Open).or_else(|| others.next());
            let then = then.map(|other| other.channel);
            return self.hop_by(&Choice { way, because, passed }, then, now);
        }
        // Nobody knows whether a text has arrived: it is not sent again an hour later.
        if self.is_taken() || self.doubts().any(|hop| hop.channel == Channel::Sms) {
            return Step::Close(self.failed());
        }
        let in_trouble = routes.usable.iter().filter_map(|way| self.trouble_of(&way.via).map(|at| (at, way)));
        let longest_ago = in_trouble.min_by_key(|(at, _)| *at).map(|(_, way)| way);
        let why = routes.passed_over.first().cloned();
        if longest_ago.is_none() && why.is_none() {
            let unfit = routes.unfit.first().filter(|_| self.hops.is_empty()).cloned();
            return Step::Close(match unfit {
                Some(why) => self.refused(why),
                None => self.failed(),
            });
        }
        let since = self.last_hop().map_or(self.created_at, Hop::ended_at);
        let until = since.plus(self.hold(since));
        match longest_ago {
            Some(way) if now >= until => {
                self.hop_by(&Choice { way, because: Because::Held, passed: Vec::new() }, None, now)
            }
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
            HopState::Ended { ending, at, .. }
                if ending.is_of_gateway() || matches!(ending, Ending::Retry | Ending::NotTaken) =>
            {
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

    /// A hop by the chosen way. It has a limited time where another route comes `then`.
    fn hop_by(mut self, choice: &Choice<'_>, then: Option<Channel>, now: Timestamp) -> Step {
        let Choice { way, because, passed } = choice;
        let probe = way.circuit == Circuit::HalfOpen;
        let wait = if probe { way.wait.min(PROBE_WAIT) } else { way.wait };
        let number = self.add_hop(Hop {
            number: 0,
            via: way.via.clone(),
            channel: way.channel,
            because: *because,
            passed: passed.clone(),
            probe: probe.then(|| now.plus(way.wait)),
            limit: then.map(|_| now.plus(wait)),
            then,
            tells: way.tells,
            handed_at: now,
            state: HopState::Handed,
            said: Vec::new(),
            news: None,
        });
        Step::Hand(self.handed(now), number, way.via.sender)
    }

    /// The same gateway again, within the same route's time.
    fn again(mut self, now: Timestamp) -> Step {
        let Some(number) = self.add_again(now) else { return Step::Rest };
        let sender = self.last_hop().map_or(Sender::Ses, |hop| hop.via.sender);
        Step::Hand(self.handed(now), number, sender)
    }

    fn add_again(&mut self, handed_at: Timestamp) -> Option<u16> {
        let last = self.hops.last()?.clone();
        let (state, said) = (HopState::Handed, Vec::new());
        let again =
            Hop { because: Because::Again, passed: Vec::new(), handed_at, state, said, news: None, ..last };
        Some(self.add_hop(again))
    }

    /// Adds a hop with the next number, which it returns.
    fn add_hop(&mut self, hop: Hop) -> u16 {
        let number = self.hops.last().map_or(1, |hop| hop.number.saturating_add(1));
        if self.hops.len() >= MOST_HOPS {
            // The last hop of each gateway stays: it says that this way was taken, and how it ended.
            let older = |place: usize, hop: &Hop| {
                self.hops.iter().skip(place + 1).any(|later| later.via.is_same(&hop.via))
            };
            let place = self.hops.iter().enumerate().position(|(place, hop)| older(place, hop));
            self.hops.remove(place.unwrap_or_default());
        }
        self.hops.push(Hop { number, ..hop });
        number
    }

    /// Hops that a provider may have taken that never said so.
    fn doubts(&self) -> impl Iterator<Item = &Hop> {
        self.hops.iter().filter(|hop| hop.ending() == Some(Ending::Unknown) && !hop.is_refuted())
    }

    /// Why it ended badly, and whether it may have arrived all the same.
    pub(super) fn as_far_as_known(&self, why: String) -> String {
        if self.doubts().next().is_some() { format!("{why}; it may have arrived all the same") } else { why }
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
    /// arrive twice, but not eight times. One that only tries a gateway does so once, and goes on.
    fn may_repeat(&self, ending: Ending) -> bool {
        if self.last_hop().is_some_and(|hop| hop.probe.is_some() && hop.limit.is_some()) {
            return false;
        }
        let doubts = self.in_row().filter(|hop| hop.ending() == Some(Ending::Unknown)).count();
        self.tries_in_row() < MAX_TRIES && (ending != Ending::Unknown || doubts <= MOST_DOUBTS)
    }

    /// A sender takes hop `number`; `None` when it is not there to be taken. Nobody takes it again.
    #[must_use]
    pub fn claimed(mut self, number: u16, now: Timestamp) -> Option<Self> {
        if !self.is_open() {
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

    /// Whether nothing is known of hop `number` but that a sender took it: the lease may be over, the report may still come.
    #[must_use]
    pub fn awaits_report(&self, number: u16) -> bool {
        self.hops.iter().any(|hop| {
            let unknown = hop.state.is_claimed() || hop.ending() == Some(Ending::Unknown);
            hop.number == number && unknown
        })
    }

    /// Whether hop `number` is the one that a sender has now.
    #[must_use]
    pub fn is_claimed(&self, number: u16) -> bool {
        self.last_hop()
            .is_some_and(|hop| hop.number == number && matches!(hop.state, HopState::Claimed { .. }))
    }

    /// Gives hop `number` back untried: its sender could not even ask the provider. The sweep, or the queue, brings it
    /// again.
    #[must_use]
    pub fn unclaimed(mut self, number: u16, now: Timestamp) -> Self {
        let open = self.is_open();
        if let Some(hop) = self.hops.last_mut().filter(|hop| open && hop.number == number) {
            hop.state = HopState::Handed;
            hop.handed_at = now;
            let until = hop.limit.unwrap_or_else(|| now.plus(ROUTE_TIME));
            self.due_at = Some(self.within_life(until).max(now));
        }
        self.changed()
    }

    /// Writes down what the sender of hop `number` tells: the outcome, why in words of ours, and what the provider said,
    /// redacted. `chance` is any number: it spreads tries that would otherwise come all at once.
    ///
    /// A message that a receipt has closed meanwhile stays as it is, and its hop says all the same what became of it.
    #[must_use]
    pub fn concluded(
        mut self,
        number: u16,
        (outcome, why, said): (&Outcome, &str, Vec<String>),
        chance: u8,
        now: Timestamp,
    ) -> (Self, Next) {
        // One that a sender tells of too late for anything to follow is written down all the same.
        let current = self.is_open() && self.last_hop().is_some_and(|hop| hop.number == number);
        let test = self.test;
        let Some(hop) = self.hops.iter_mut().find(|hop| hop.number == number) else {
            return (self.changed(), Next::Nothing);
        };
        hop.said = said;
        if !test {
            hop.said.drain(..hop.said.len().saturating_sub(KEPT_LINES));
        }
        let Some(ending) = Ending::of(outcome) else {
            if let Outcome::Accepted { provider_id } = outcome {
                hop.state = HopState::Accepted { provider_id: provider_id.clone(), at: now };
            }
            if self.is_open() && self.is_to_be_forgotten() {
                return (self.closed(MessageStatus::Sent, None).settled(), Next::Nothing);
            }
            return if current { self.accepted(now) } else { (self.settled().changed(), Next::Nothing) };
        };
        hop.state = HopState::Ended { ending, reason: why.to_owned(), at: now };
        if !current {
            return (self.settled().changed(), Next::Nothing);
        }
        if test {
            return (self.failed(), Next::Nothing);
        }
        let in_doubt = hop.channel == Channel::Sms && !hop.is_refuted();
        let until = hop.limit.unwrap_or_else(|| now.plus(ROUTE_TIME));
        match ending {
            // `deliver` has asked to be woken at the limit.
            Ending::Unknown if in_doubt && now < until => {
                self.due_at = Some(self.within_life(until).max(now));
                (self.changed(), Next::Nothing)
            }
            Ending::Unknown if in_doubt || hop.is_refuted() => {
                self.due_at = Some(now);
                (self.changed(), Next::AT_ONCE)
            }
            Ending::Retry | Ending::Unknown => self.postponed(outcome, chance, now),
            _ => {
                self.due_at = Some(now);
                (self.changed(), Next::AT_ONCE)
            }
        }
    }

    /// Whether a provider has it whose content is forgotten then, whatever becomes of it there.
    fn is_to_be_forgotten(&self) -> bool {
        let taken = |hop: &Hop| matches!(hop.state, HopState::Accepted { .. }) || hop.news.is_some();
        self.purpose.is_gone_once_sent() && self.hops.iter().any(taken)
    }

    /// The provider of the last hop has taken it. Where it tells more, and another route is left, that is waited for.
    fn accepted(mut self, now: Timestamp) -> (Self, Next) {
        if self.last_hop().is_some_and(Hop::is_refuted) {
            // The receipt was faster than the sender.
            self.raised(MessageStatus::Sent);
            self.due_at = Some(now);
            return (self.changed(), Next::AT_ONCE);
        }
        let limit = self.last_hop().filter(|hop| hop.tells).and_then(|hop| hop.limit);
        let Some(limit) = limit else {
            return (self.closed(MessageStatus::Sent, None), Next::Nothing);
        };
        // A route of few seconds is not to become one of ten.
        let since = self.in_row().last().map_or(now, |first| first.handed_at);
        let half = Duration::from_millis(limit.millis().saturating_sub(since.millis())) / 2;
        let until = self.within_life(limit.max(now.plus(LATE_NEWS.min(half))));
        self.raised(MessageStatus::Sent);
        self.reason = None;
        self.due_at = Some(until);
        // `deliver` has asked to be woken at the limit.
        let next = if until > limit {
            Next::Deliver { delay: Duration::from_millis(until.millis().saturating_sub(now.millis())) }
        } else {
            Next::Nothing
        };
        (self.changed(), next)
    }

    /// Another hop by the same gateway after a while, if there is a while left.
    fn postponed(mut self, outcome: &Outcome, chance: u8, now: Timestamp) -> (Self, Next) {
        let delay = match outcome {
            Outcome::Retry { after: Some(after) } => (*after).clamp(FIRST_BACKOFF, LONGEST_DELAY),
            _ => Self::backoff(self.tries_in_row(), chance),
        };
        let at = now.plus(delay);
        let ending = Ending::of(outcome).unwrap_or(Ending::Retry);
        let limit = self.last_hop().and_then(|hop| hop.limit);
        let in_time = limit.is_none_or(|limit| at < limit) && at < self.expires_at;
        if let Some(hop) = (in_time && self.may_repeat(ending)).then(|| self.add_again(at)).flatten() {
            self.due_at = Some(self.within_life(limit.unwrap_or_else(|| at.plus(ROUTE_TIME))));
            return (self.changed(), Next::Again { hop, delay });
        }
        self.due_at = Some(now);
        (self.changed(), Next::AT_ONCE)
    }

    /// How long to wait after `tries` tries in a row: 2 s, doubling, at most 60 s; between half of that and all of it.
    #[must_use]
    pub fn backoff(tries: usize, chance: u8) -> Duration {
        let doubled = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX).min(5);
        let most = (FIRST_BACKOFF * 2_u32.pow(doubled)).min(LONGEST_BACKOFF);
        most / 2 + most * u32::from(chance) / 2 / u32::from(u8::MAX)
    }

    /// Ends an open message as expired, e.g. when a sender finds it so: then nobody was asked for the hop that it has.
    #[must_use]
    pub fn expired(mut self) -> Self {
        let over = if self.is_taken() {
            "its time ran out before a receipt came"
        } else {
            "its time ran out before a provider took it"
        };
        let last = self.last_hop().and_then(Hop::reason);
        let told = last.map_or_else(|| over.to_owned(), |why| format!("{over}; at last: {why}"));
        let told = self.as_far_as_known(told);
        let at = self.expires_at;
        if let Some(hop) = self.hops.last_mut().filter(|hop| hop.state.is_claimed()) {
            let reason = "the message's time ran out before its sender asked".to_owned();
            hop.state = HopState::Ended { ending: Ending::NotTaken, reason, at };
        }
        self.ended(MessageStatus::Expired, told)
    }

    /// Ends an open message, because what it tells of does not hold any more.
    #[must_use]
    pub fn cancelled(self, overtaken: Overtaken) -> Self {
        let told = self.as_far_as_known(overtaken.told().to_owned());
        Self { overtaken: Some(overtaken), ..self }.ended(MessageStatus::Cancelled, told)
    }

    /// One that is for nobody: it is closed before anything is sent, and says why.
    #[must_use]
    pub fn never_sent(self, why: &str) -> Self {
        Self {
            status: MessageStatus::Cancelled,
            reason: Some(why.to_owned()),
            content: None,
            due_at: None,
            recipient: NOBODY.to_owned(),
            fallback: None,
            country: None,
            simulated: false,
            address: None,
            suppressed: None,
            ..self
        }
    }

    /// Whether it was for nobody from the beginning.
    #[must_use]
    pub fn is_for_nobody(&self) -> bool {
        self.recipient == NOBODY
    }

    /// As it is once nobody wants it any more, before it was handed to any sender.
    #[must_use]
    pub fn withdrawn(self, overtaken: Overtaken) -> Self {
        Self {
            status: MessageStatus::Cancelled,
            reason: Some(overtaken.told().to_owned()),
            overtaken: Some(overtaken),
            content: None,
            due_at: None,
            version: self.version + 1,
            ..self
        }
    }

    /// Ends an open message that nothing can be sent for, for a reason that no hop tells.
    #[must_use]
    pub fn refused(self, reason: String) -> Self {
        let told = self.as_far_as_known(reason);
        self.ended(MessageStatus::Failed, told)
    }

    fn failed(self) -> Self {
        let suppressed = self.suppressed.as_ref();
        let suppressed = suppressed.filter(|_| self.hops.is_empty() && self.channel == Channel::Email);
        let reason = match self.last_hop().and_then(Hop::reason) {
            Some(why) => self.as_far_as_known(why.to_owned()),
            None if self.hops.is_empty() => suppressed.map_or_else(
                || format!("no gateway is configured for {}", self.channel.as_str()),
                Suppressed::to_string,
            ),
            None => "no receipt came in time, and no route is left".to_owned(),
        };
        self.ended(MessageStatus::Failed, reason)
    }

    /// Ends an open message as `status`, unless a provider has taken it or told that it did not arrive: that is the truth
    /// then.
    fn ended(self, status: MessageStatus, reason: String) -> Self {
        let status = if self.is_taken() { MessageStatus::Sent } else { status };
        self.closed(status, Some(reason)).settled()
    }

    fn waits_until(mut self, until: Timestamp, why: Option<String>) -> Step {
        let until = self.within_life(until);
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
        self.raised(MessageStatus::Sending);
        self.reason = None;
        let limit = self.last_hop().and_then(|hop| hop.limit);
        self.due_at = Some(self.within_life(limit.unwrap_or_else(|| now.plus(ROUTE_TIME))));
        self.changed()
    }

    /// A time to look after it that is not beyond its end: what it holds is not kept for longer than it is worth sending.
    fn within_life(&self, until: Timestamp) -> Timestamp {
        until.min(self.expires_at)
    }

    /// The status moves forward only.
    fn raised(&mut self, status: MessageStatus) {
        if status.rank() > self.status.rank() {
            self.status = status;
        }
    }

    /// Only ever called on an open message.
    fn closed(mut self, status: MessageStatus, reason: Option<String>) -> Self {
        self.raised(status);
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
