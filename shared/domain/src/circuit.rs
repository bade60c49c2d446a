//! Whether a gateway can be had: messages pass one over that has come to nothing for a while, and one of them now and then
//! tries whether it works again.
//!
//! What goes wrong is counted by whoever sees it, in memory ([`Tally`]); only what follows from it is kept, in one row
//! for each gateway of each tenant that uses it ([`Health`]), which is absent for a gateway that works.

use std::collections::VecDeque;
use std::time::Duration;

use crate::gateway::Owner;
use crate::ids::TenantId;
use crate::message::Via;
use crate::named::named;
use crate::time::Timestamp;

/// How far back a tally looks under load.
pub const OBSERVED: Duration = Duration::from_mins(1);
/// How far back it looks where hardly anything is sent.
pub const REMEMBERED: Duration = Duration::from_mins(15);
/// How many of the last messages a tally looks at. Under load that is less than a minute's: what begins to come to nothing
/// is not outweighed by what went well just before.
pub const MOST_OBSERVED: usize = 40;
/// How much of what went wrong opens the circuit, unless more went well.
pub const TRIPS: u32 = 3;
/// How long a circuit is open at first. It doubles with each try in vain.
pub const SHORTEST_OPEN: Duration = Duration::from_secs(30);
/// How long at most.
pub const LONGEST_OPEN: Duration = Duration::from_mins(8);
/// How long a message that tries a gateway waits for news at most before it goes on. Its news count for the whole of its
/// route's time.
pub const PROBE_WAIT: Duration = Duration::from_secs(15);
/// How long the row of a gateway stays that nobody tries any more.
pub const HEALTH_RETENTION: Duration = Duration::from_hours(24);

named! {
    /// What a gateway's health means for the next message.
    pub enum Circuit {
        /// It works.
        Closed = "closed",
        /// It may work again: one message tries it.
        HalfOpen = "half_open",
        /// It does not work.
        Open = "open",
    }
}

/// A gateway as its health is kept: for one tenant, so that no tenant's waiting times decide for another, and in one
/// version, since a changed one deserves a new start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HealthKey {
    /// The tenant whose messages take it.
    pub tenant: TenantId,
    name: String,
}

impl HealthKey {
    /// Of what messages of `tenant` take.
    #[must_use]
    pub fn of(tenant: &TenantId, via: &Via) -> Self {
        let name = match &via.gateway {
            None => "deployment".to_owned(),
            Some(named) => {
                let lent = if named.owner.tenant().is_none() { Owner::Platform.as_str() } else { "own" };
                format!("{lent}/{}/{}", named.id, named.version)
            }
        };
        Self { tenant: tenant.clone(), name }
    }

    /// Its name: `deployment`, or whether it is lent by the `platform` or the tenant's `own`, its id and its version.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The health of a gateway that was found not to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// When it was found so, or last tried.
    pub tripped_at: Timestamp,
    /// How often it was tried since it last worked.
    pub turn: u32,
}

impl Health {
    /// What it means at `now`.
    #[must_use]
    pub fn circuit(&self, now: Timestamp) -> Circuit {
        if now < self.opens_until() { Circuit::Open } else { Circuit::HalfOpen }
    }

    /// Until when nobody tries it.
    #[must_use]
    pub fn opens_until(&self) -> Timestamp {
        let doubled = 2_u32.saturating_pow(self.turn.min(8));
        self.tripped_at.plus(SHORTEST_OPEN.saturating_mul(doubled).min(LONGEST_OPEN))
    }

    /// What a change makes of it, `None` for a gateway that works; or nothing when the change does not fit what is kept.
    #[must_use]
    pub fn changed(kept: Option<Self>, change: &Change) -> Option<Option<Self>> {
        match (kept, change) {
            (None, Change::Tripped { at }) => Some(Some(Self { tripped_at: *at, turn: 0 })),
            (Some(kept), Change::Tried { at }) if kept.tripped_at.plus(SHORTEST_OPEN) <= *at => {
                Some(Some(Self { tripped_at: *at, turn: kept.turn.saturating_add(1) }))
            }
            (Some(kept), Change::Recovered { tried_at }) if kept.tripped_at <= *tried_at => Some(None),
            _ => None,
        }
    }
}

/// What changes a gateway's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was found not to work. Only of one that was thought to.
    Tripped {
        /// When.
        at: Timestamp,
    },
    /// A message tries it: in vain, until it shows otherwise. Only when none has for a while.
    Tried {
        /// When.
        at: Timestamp,
    },
    /// It works again, as a message showed that tried it; unless a later one tries it already.
    Recovered {
        /// When that message was handed to it.
        tried_at: Timestamp,
    },
}

/// A change of a gateway's health, to be written with the message that shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthChange {
    /// The gateway.
    pub gateway: HealthKey,
    /// What changes.
    pub change: Change,
}

/// What one process has seen of a gateway.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// When, and how much well and badly.
    seen: VecDeque<(Timestamp, u32, u32)>,
    /// When it last opened the circuit: what was handed over before says nothing new.
    tripped_at: Option<Timestamp>,
}

impl Tally {
    /// Counts what went well by a gateway.
    pub fn good(&mut self, now: Timestamp) {
        self.count(1, 0, now);
    }

    /// Counts what came to nothing, which weighs so much and was handed over at `handed_at`; whether the circuit is to be
    /// opened. It is when [`TRIPS`] of the last minute did, and no fewer than went well; or, where nothing went well within
    /// a minute, when the last [`TRIPS`] of a quarter of an hour did.
    pub fn trips(&mut self, weight: u32, handed_at: Timestamp, now: Timestamp) -> bool {
        if self.tripped_at.is_some_and(|at| handed_at <= at) {
            return false;
        }
        self.count(0, weight, now);
        let lately = |(at, ..): &&(Timestamp, u32, u32)| now < at.plus(OBSERVED);
        let sum = |(well, badly), (_, good, bad): &(Timestamp, u32, u32)| (well + good, badly + bad);
        let (well, badly) = self.seen.iter().filter(lately).fold((0, 0), sum);
        let in_a_row = self.seen.iter().rev().take_while(|(_, good, _)| *good == 0);
        let in_a_row: u32 = in_a_row.map(|(_, _, bad)| *bad).sum();
        let trips = (badly >= TRIPS && badly >= well) || (well == 0 && in_a_row >= TRIPS);
        if trips {
            self.seen.clear();
            self.tripped_at = Some(now);
        }
        trips
    }

    fn count(&mut self, good: u32, bad: u32, now: Timestamp) {
        while self.seen.front().is_some_and(|(at, ..)| at.plus(REMEMBERED) <= now) {
            self.seen.pop_front();
        }
        if self.seen.len() >= MOST_OBSERVED {
            self.seen.pop_front();
        }
        self.seen.push_back((now, good, bad));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    /// One that was handed over just now, and came to nothing.
    fn bad(tally: &mut Tally, seconds: u64) -> bool {
        tally.trips(1, after(seconds), after(seconds))
    }

    #[test]
    fn three_that_come_to_nothing_open_the_circuit_once() {
        let mut tally = Tally::default();
        assert!(!bad(&mut tally, 0) && !bad(&mut tally, 10));
        assert!(bad(&mut tally, 20));
        for handed_before in 5..=20 {
            assert!(!tally.trips(1, after(handed_before), after(60)), "that is known already");
        }
        assert!(!bad(&mut tally, 61) && !bad(&mut tally, 62) && bad(&mut tally, 63));
    }

    #[test]
    fn what_goes_well_outweighs_as_much_that_does_not() {
        let mut tally = Tally::default();
        for second in 0..600 {
            (0..9).for_each(|_| tally.good(after(second)));
            assert!(!bad(&mut tally, second), "one in ten");
        }
        let mut mixed = Tally::default();
        (0..3).for_each(|_| mixed.good(NOW));
        assert!(!bad(&mut mixed, 0) && !bad(&mut mixed, 0));
        assert!(bad(&mut mixed, 0), "as much badly as well");
        let mut loaded = Tally::default();
        (0..400).for_each(|_| loaded.good(NOW));
        let opened = (0..40).position(|_| bad(&mut loaded, 1));
        assert_eq!(opened, Some(MOST_OBSERVED / 2 - 1), "under load the last forty count");
    }

    #[test]
    fn where_hardly_anything_is_sent_three_in_a_row_are_enough() {
        let mut slowly = Tally::default();
        assert!(!bad(&mut slowly, 0) && !bad(&mut slowly, 200));
        assert!(bad(&mut slowly, 400));
        let mut now_and_then = Tally::default();
        for turn in 0..50 {
            now_and_then.good(after(turn * 400));
            assert!(!bad(&mut now_and_then, turn * 400 + 100) && !bad(&mut now_and_then, turn * 400 + 200));
        }
        let mut forgotten = Tally::default();
        assert!((0..50).all(|turn| !bad(&mut forgotten, turn * 460)), "two in a quarter of an hour");
    }

    #[test]
    fn an_open_circuit_is_tried_ever_more_seldom_until_a_try_succeeds() {
        let tripped = Health::changed(None, &Change::Tripped { at: NOW }).unwrap().unwrap();
        assert_eq!(Health::changed(Some(tripped), &Change::Tripped { at: after(9) }), None);
        assert_eq!((tripped.circuit(NOW), tripped.circuit(after(29))), (Circuit::Open, Circuit::Open));
        assert_eq!(tripped.circuit(after(30)), Circuit::HalfOpen);
        let tried = Health::changed(Some(tripped), &Change::Tried { at: after(30) }).unwrap().unwrap();
        assert_eq!((tried.circuit(after(89)), tried.circuit(after(90))), (Circuit::Open, Circuit::HalfOpen));
        assert_eq!(Health::changed(Some(tried), &Change::Tried { at: after(31) }), None, "another does");
        let again = Health::changed(Some(tried), &Change::Tried { at: after(90) }).unwrap().unwrap();
        assert_eq!(again.turn, 2);
        let often = Health { turn: 99, ..again };
        assert_eq!(often.opens_until(), after(90).plus(LONGEST_OPEN));
        let recovered = |seconds| Change::Recovered { tried_at: after(seconds) };
        assert_eq!(Health::changed(Some(again), &recovered(90)), Some(None));
        assert_eq!(Health::changed(Some(again), &recovered(30)), None, "a later one tries it");
        assert_eq!(Health::changed(None, &recovered(105)), None);
        assert_eq!(Health::changed(None, &Change::Tried { at: NOW }), None);
    }
}
