//! A message's record as a story for operators.

use std::time::Duration;

use super::{Because, Channel, Ending, Hop, HopState, LEASE, Message, MessageStatus, Verdict};
use crate::time::Timestamp;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// What, as a sentence: words of ours, codes, masked recipients, gateways' ids.
    pub text: String,
}

impl Line {
    fn new(at: Timestamp, text: impl Into<String>) -> Self {
        Self { at, text: text.into() }
    }
}

impl Message {
    /// What happened to it, in the order of time. What its record does not keep is not told: when it was closed is given as
    /// the time of the last thing that is known.
    #[must_use]
    pub fn story(&self) -> Vec<Line> {
        let mut lines = vec![Line::new(self.created_at, self.making())];
        let made = self.hops.last().map_or(0, |hop| usize::from(hop.number));
        let lost = made.saturating_sub(self.hops.len());
        if lost > 0 {
            lines.push(Line::new(
                self.created_at,
                format!("{lost} of its {made} tries are no longer on record."),
            ));
        }
        for (place, hop) in self.hops.iter().enumerate() {
            let before = self.hops.get(..place).unwrap_or_default();
            // One that is yet to come is told at the time that it was planned.
            let planned = before.last().filter(|_| hop.is_planned());
            let at = planned.map_or(hop.handed_at, Hop::ended_at);
            lines.push(Line::new(at, self.handing(hop, before)));
            lines.extend(outcome(hop, before));
            lines.extend(hop.news.as_ref().map(|news| {
                let told = match news.verdict {
                    Verdict::Delivered => "it arrived",
                    Verdict::Undelivered => "it did not arrive",
                    Verdict::Delayed => "it has not arrived yet",
                };
                Line::new(news.at, format!("Receipt from {}: {}.", name(hop), with_why(told, &news.why)))
            }));
        }
        lines.extend(self.suppressed.as_ref().map(|suppressed| {
            let recipient = self.recipient_on(Channel::Email);
            let told =
                format!("Not by e-mail to {recipient}: {}", suppressed.to_string().trim_end_matches('.'));
            Line::new(suppressed.since.max(self.created_at), told + ".")
        }));
        lines.sort_by_key(|line| line.at);
        lines.extend(self.at_last());
        lines
    }

    fn making(&self) -> String {
        let test = if self.test { ", as a test" } else { "" };
        let (purpose, first) = (self.purpose.as_str(), self.channels().next().unwrap_or(self.channel));
        let other = self.channels().nth(1).map(|other| {
            format!("; by {} to {} if that does not reach them", by(other), self.recipient_on(other))
        });
        let (recipient, other) = (self.recipient_on(first), other.unwrap_or_default());
        format!("Written: {purpose}, by {} to {recipient}{test}{other}.", by(first))
    }

    /// Its channels in order, without that of an address on the suppression list by which nothing has gone.
    fn channels(&self) -> impl Iterator<Item = Channel> {
        let shut = |channel| self.suppressed.is_some() && channel == Channel::Email;
        let all = [Some(self.channel), self.fallback.as_ref().map(|other| other.channel)];
        let went_by = |channel| self.hops.iter().any(|hop| hop.channel == channel);
        all.into_iter().flatten().filter(move |channel| !shut(*channel) || went_by(*channel))
    }

    /// That a hop was taken, and why.
    fn handing(&self, hop: &Hop, before: &[Hop]) -> String {
        let (gateway, sender) = (name(hop), hop.via.sender.as_str());
        let first = self.channels().next().unwrap_or(self.channel);
        let fell_back = hop.channel != before.last().map_or(first, |last| last.channel);
        let recipient = self.recipient_on(hop.channel);
        let mut told = if fell_back {
            format!("Now by {} to {recipient}: handed to {gateway} ({sender})", by(hop.channel))
        } else if hop.because == Because::Again {
            let planned = hop.is_planned().then(|| format!(", planned for {}", hop.handed_at));
            format!("Another try by {gateway} ({sender}){}", planned.unwrap_or_default())
        } else {
            format!("Handed to {gateway} ({sender})")
        };
        told += &because(hop, before);
        if hop.probe.is_some() && hop.because != Because::Again {
            told += "; it did not work before, and this message tries whether it does again";
        }
        if !hop.passed.is_empty() {
            told += "; passed over because they do not work now: ";
            told += &hop.passed.join(", ");
        }
        told + "."
    }

    /// What it waits for, or how it ended. The last line.
    fn at_last(&self) -> Option<Line> {
        let last = self.last_known_at();
        let Some(due) = self.due_at else {
            let at = if self.status == MessageStatus::Expired { last.max(self.expires_at) } else { last };
            let end = with_why(self.status.as_str(), self.reason.as_deref().unwrap_or_default());
            return Some(Line::new(at, format!("Closed: {end}.")));
        };
        if let Some(held) = self.reason.as_deref() {
            let held = held.strip_prefix("held: ").unwrap_or(held);
            return Some(Line::new(last, format!("{}.", with_why(&format!("Held until {due}"), held))));
        }
        let hop = self.last_hop()?;
        let waits = hop.is_accepted() || hop.ending() == Some(Ending::Unknown);
        (waits && !hop.is_refuted()).then(|| Line::new(last, format!("Waits for a receipt until {due}.")))
    }

    /// When the last thing happened that is on record.
    pub(super) fn last_known_at(&self) -> Timestamp {
        let asked = self.hops.iter().filter(|hop| hop.state != HopState::Handed);
        let known = asked.flat_map(|hop| [Some(hop.ended_at()), hop.news.as_ref().map(|news| news.at)]);
        known.flatten().max().unwrap_or(self.created_at)
    }

    /// The recipient on a channel, masked.
    pub(super) fn recipient_on(&self, channel: Channel) -> &str {
        let other =
            self.fallback.as_ref().filter(|other| channel != self.channel && other.channel == channel);
        other.map_or(&self.recipient, |other| &other.recipient)
    }
}

/// What its sender told of a hop.
fn outcome(hop: &Hop, before: &[Hop]) -> Option<Line> {
    let gateway = name(hop);
    match &hop.state {
        HopState::Handed => None,
        HopState::Claimed { until } => {
            let lease = u64::try_from(LEASE.as_millis()).unwrap_or_default();
            let since = Timestamp::from_millis(until.millis().saturating_sub(lease));
            let text = "Its sender has it, and has not told yet what became of it.";
            Some(Line::new(since.max(hop.handed_at), text))
        }
        HopState::Accepted { provider_id, at } => {
            Some(Line::new(*at, format!("Accepted by {gateway} as {provider_id}.")))
        }
        HopState::Ended { ending, reason, at } => {
            let told = match ending {
                Ending::Retry => format!("{gateway} could not take it yet"),
                Ending::RecipientBad => format!("{gateway} refused its recipient"),
                Ending::ContentBad => format!("{gateway} refused its text"),
                Ending::ConfigurationBad => format!("{gateway} takes nothing until an operator mends it"),
                Ending::QuotaGone => {
                    format!("{gateway} takes nothing for a while: what may be sent is used up")
                }
                Ending::Unknown => format!("Nobody knows whether {gateway} took it"),
                Ending::NotTaken if asked(hop, before) => {
                    format!("Taken back from {gateway}, which was not asked again")
                }
                Ending::NotTaken => format!("Taken back from {gateway}, which was never asked"),
            };
            Some(Line::new(*at, format!("{}.", with_why(&told, reason))))
        }
    }
}

/// Whether the gateway of a hop may have been asked before, by a hop that is on record or was.
fn asked(hop: &Hop, before: &[Hop]) -> bool {
    let lost = usize::from(hop.number) > before.len().saturating_add(1);
    let was = |one: &Hop| one.state != HopState::Handed && one.ending() != Some(Ending::NotTaken);
    lost || before.iter().any(|one| one.via.is_same(&hop.via) && was(one))
}

/// When the time of the last one's route began: with its first hop, if no hop since then is lost.
fn began(hops: &[Hop]) -> Option<Timestamp> {
    let (last, before) = hops.split_last()?;
    if last.because != Because::Again {
        return Some(last.handed_at);
    }
    began(before).filter(|_| before.last().is_some_and(|one| one.number.saturating_add(1) == last.number))
}

/// Why a hop was taken, to be put behind the gateway's name.
fn because(hop: &Hop, before: &[Hop]) -> String {
    let last = before.last().filter(|last| last.number.saturating_add(1) == hop.number);
    let gateway = last.map_or("the one before", name);
    let waited = last.and_then(|_| began(before)).map(|began| began.until(hop.handed_at));
    let within = waited.map_or_else(|| "in time".to_owned(), |waited| format!("within {}", span(waited)));
    match hop.because {
        Because::First => String::new(),
        Because::Again => {
            let doubt = last.is_some_and(|last| last.ending() == Some(Ending::Unknown));
            if doubt { ", because nobody knows whether it took it" } else { "" }.to_owned()
        }
        Because::Refused => format!(", because {gateway} does not take it"),
        Because::Busy => format!(", because {gateway} could not take it in its time"),
        Because::Doubt => format!(", because nobody knows whether {gateway} took it"),
        Because::NoNews => format!(", because no receipt from {gateway} came {within}"),
        Because::BadNews => format!(", because {gateway} says that it did not arrive"),
        Because::NotTaken => format!(", because the sender of {gateway} did not take it {within}"),
        Because::Held => " again, because it may work by now".to_owned(),
    }
}

/// The gateway's name within a sentence.
fn name(hop: &Hop) -> &str {
    if hop.via.gateway.is_some() { hop.via.shown() } else { "the deployment's own SES" }
}

fn with_why(told: &str, why: &str) -> String {
    if why.is_empty() { told.to_owned() } else { format!("{told}: {}", why.trim_end_matches('.')) }
}

const fn by(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "e-mail",
        Channel::Sms => "text",
    }
}

/// A time that passed, rounded down: `90 s`, `5 min`, `3 h`.
pub(super) fn span(waited: Duration) -> String {
    match waited.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
