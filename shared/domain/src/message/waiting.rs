//! What the person is told who waits for a message.

use std::time::Duration;

use super::story::span;
use super::{Because, Channel, Ending, Hop, HopState, Message, MessageStatus, Overtaken, Verdict};
use crate::contact::Locale;
use crate::named::named;
use crate::time::Timestamp;

/// How long one waits for what was sent before it is worth looking for it.
const SOON: Duration = Duration::from_secs(15);
/// How long until it is worth asking for another.
const LONG: Duration = Duration::from_mins(5);
/// How long one waits while no gateway works before it is worth asking the helpdesk.
const PATIENCE: Duration = Duration::from_mins(2);

named! {
    /// Where a message is, for the person who waits for it.
    pub enum WaitingState {
        /// It has not left yet, or nobody knows whether it has.
        OnItsWay = "on_its_way",
        /// It has left; whether it arrived is not known.
        Sent = "sent",
        /// It arrived.
        Delivered = "delivered",
        /// One way did not bring it in time: it takes another now.
        TryingNext = "trying_next",
        /// Nothing is under way just now; it will be as soon as there is a way.
        Delayed = "delayed",
        /// It did not arrive, as far as is known, and no way is left.
        NotDelivered = "not_delivered",
        /// Its time is over, or what it told of is.
        Ended = "ended",
    }
}

named! {
    /// What the person who waits may do.
    pub enum WaitingAdvice {
        /// Wait.
        Wait = "wait",
        /// Look for it: in the inbox and the spam folder, or on the telephone.
        Look = "look",
        /// Ask for another one.
        AskAgain = "ask_again",
        /// Ask the helpdesk.
        AskHelpdesk = "ask_helpdesk",
    }
}

/// The next try, if the one under way brings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTry {
    /// By which channel, where that is certain.
    pub channel: Option<Channel>,
    /// How long from now.
    pub after: Duration,
}

/// What a person is told who waits for a message. Nothing of it names a gateway, or is a provider's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Where it is.
    pub state: WaitingState,
    /// By which channel it was sent, or is being sent.
    pub channel: Channel,
    /// The recipient on that channel, masked.
    pub recipient: String,
    /// How long it has been there.
    pub since: Duration,
    /// The next try, if one is certain.
    pub next: Option<NextTry>,
    /// What to do.
    pub advice: WaitingAdvice,
}

impl Waiting {
    /// What is told of a message that is for nobody: what might be so of any that was sent at `made_at`.
    #[must_use]
    pub fn supposed(channel: Channel, made_at: Timestamp, now: Timestamp) -> Self {
        const LEAVES: Duration = Duration::from_secs(1);
        let since = made_at.until(now);
        let left = since >= LEAVES;
        let since = if left { since.saturating_sub(LEAVES) } else { since };
        let advice = match (left, since) {
            (false, _) => WaitingAdvice::Wait,
            (true, since) if since < SOON => WaitingAdvice::Wait,
            (true, since) if since >= LONG => WaitingAdvice::AskAgain,
            (true, _) => WaitingAdvice::Look,
        };
        let state = if left { WaitingState::Sent } else { WaitingState::OnItsWay };
        Self { state, channel, recipient: String::new(), since, next: None, advice }
    }
}

impl Message {
    /// What the person is told at `now` who waits for it.
    #[must_use]
    pub fn waiting(&self, now: Timestamp) -> Waiting {
        let state = self.waiting_state(now);
        let hop = self.telling_hop(state);
        let channel = hop.map_or(self.channel, |hop| hop.channel);
        let began = match (state, hop) {
            (WaitingState::Sent | WaitingState::TryingNext, Some(hop)) => hop.ended_at(),
            (WaitingState::Delivered, Some(hop)) => hop.news.as_ref().map_or(hop.ended_at(), |news| news.at),
            (WaitingState::Ended, _) if self.status == MessageStatus::Expired => self.expires_at,
            (WaitingState::Delayed | WaitingState::NotDelivered | WaitingState::Ended, _) => {
                self.last_known_at()
            }
            _ => self.created_at,
        };
        let (since, next) = (began.until(now), self.next_try(now));
        let advice = match state {
            WaitingState::OnItsWay | WaitingState::TryingNext => WaitingAdvice::Wait,
            WaitingState::Sent if next.is_some() || since < SOON => WaitingAdvice::Wait,
            WaitingState::Sent if since >= LONG => WaitingAdvice::AskAgain,
            WaitingState::Sent | WaitingState::Delivered => WaitingAdvice::Look,
            WaitingState::Delayed if next.is_some() => WaitingAdvice::Wait,
            WaitingState::Delayed if self.created_at.until(now) < PATIENCE => WaitingAdvice::Wait,
            WaitingState::Delayed | WaitingState::NotDelivered => WaitingAdvice::AskHelpdesk,
            WaitingState::Ended => match self.overtaken {
                // The newer one is on its way, or there.
                Some(Overtaken::NewerLink) => WaitingAdvice::Look,
                Some(Overtaken::GivenUp) => WaitingAdvice::AskAgain,
                None if self.status == MessageStatus::Expired => WaitingAdvice::AskAgain,
                _ => WaitingAdvice::AskHelpdesk,
            },
        };
        Waiting { state, channel, recipient: self.recipient_on(channel).to_owned(), since, next, advice }
    }

    fn waiting_state(&self, now: Timestamp) -> WaitingState {
        match self.status {
            MessageStatus::Delivered => return WaitingState::Delivered,
            // It may have left, and is good for nothing all the same.
            _ if self.overtaken.is_some() => return WaitingState::Ended,
            MessageStatus::Undelivered | MessageStatus::Failed => return WaitingState::NotDelivered,
            MessageStatus::Expired | MessageStatus::Cancelled => return WaitingState::Ended,
            MessageStatus::Sent if !self.is_open() => return WaitingState::Sent,
            MessageStatus::Queued | MessageStatus::Sending | MessageStatus::Sent => {}
        }
        let Some(hop) = self.last_hop() else {
            return if self.reason.is_some() { WaitingState::Delayed } else { WaitingState::OnItsWay };
        };
        match &hop.state {
            _ if hop.is_refuted() => WaitingState::Delayed,
            HopState::Accepted { .. } => WaitingState::Sent,
            HopState::Ended { ending: Ending::Unknown, .. } if hop.channel == Channel::Sms => {
                WaitingState::OnItsWay
            }
            HopState::Ended { .. } => WaitingState::Delayed,
            HopState::Handed if hop.handed_at > now => WaitingState::Delayed,
            HopState::Handed | HopState::Claimed { .. } => {
                let row = self.hops.iter().rev().take_while(|other| other.via.is_same(&hop.via));
                let first =
                    row.last().is_none_or(|first| matches!(first.because, Because::First | Because::Again));
                if first { WaitingState::OnItsWay } else { WaitingState::TryingNext }
            }
        }
    }

    /// The hop that says so.
    fn telling_hop(&self, state: WaitingState) -> Option<&Hop> {
        let delivered = |hop: &&Hop| hop.news.as_ref().is_some_and(|news| news.verdict == Verdict::Delivered);
        let mut hops = self.hops.iter().rev();
        let found = match state {
            WaitingState::Delivered => hops.find(delivered),
            WaitingState::Sent => hops.find(|hop| hop.is_accepted() && !hop.is_refuted()),
            _ => None,
        };
        found.or_else(|| self.last_hop())
    }

    /// The next try that is certain to be made unless there is good news before.
    fn next_try(&self, now: Timestamp) -> Option<NextTry> {
        let due = self.due_at?;
        let hop = self.last_hop().filter(|hop| !hop.is_refuted())?;
        let (channel, at) = match &hop.state {
            HopState::Handed if hop.handed_at > now => (Some(hop.channel), hop.handed_at),
            HopState::Accepted { .. } => (hop.then, due),
            HopState::Handed | HopState::Claimed { .. } | HopState::Ended { ending: Ending::Unknown, .. } => {
                (hop.then, hop.limit?)
            }
            HopState::Ended { .. } => return None,
        };
        (at < self.expires_at).then(|| NextTry { channel, after: now.until(at) })
    }
}

impl Waiting {
    /// The same in words: short sentences in German for a tag such as `de` or `de-AT`, in English for every other.
    #[must_use]
    pub fn told(&self, locale: &Locale) -> String {
        let language = locale.as_str().split('-').next().unwrap_or_default();
        let sentences =
            if language.eq_ignore_ascii_case("de") { self.in_german() } else { self.in_english() };
        sentences.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    fn in_english(&self) -> [Option<String>; 3] {
        let by = |channel| match channel {
            Channel::Email => "by e-mail",
            Channel::Sms => "by text",
        };
        let (channel, ago) = (by(self.channel), span(self.since));
        let state = match self.state {
            WaitingState::OnItsWay => format!("On its way {channel}."),
            WaitingState::Sent => format!("Sent {channel} {ago} ago."),
            WaitingState::Delivered => format!("Delivered {channel} {ago} ago."),
            WaitingState::TryingNext => format!("Trying another way now, {channel}."),
            WaitingState::Delayed => "This takes longer than usual. We keep trying.".to_owned(),
            WaitingState::NotDelivered => "It did not arrive, as far as we know.".to_owned(),
            WaitingState::Ended => "This message is no longer good.".to_owned(),
        };
        let next = self.next.map(|next| match next.channel {
            Some(Channel::Email) if self.channel != Channel::Email => {
                format!("Trying e-mail in {}.", span(next.after))
            }
            Some(channel) => format!("Trying again {} in {}.", by(channel), span(next.after)),
            None => format!("Trying another way in {}.", span(next.after)),
        });
        let advice = match (self.advice, self.channel) {
            (WaitingAdvice::Wait, _) => None,
            (WaitingAdvice::Look, Channel::Email) => Some("Look in your inbox and your spam folder."),
            (WaitingAdvice::Look, Channel::Sms) => Some("Look at the messages on your phone."),
            (WaitingAdvice::AskAgain, _) => Some("Please ask for a new one."),
            (WaitingAdvice::AskHelpdesk, _) => Some("Please ask your helpdesk."),
        };
        [Some(state), next, advice.map(str::to_owned)]
    }

    fn in_german(&self) -> [Option<String>; 3] {
        let by = |channel| match channel {
            Channel::Email => "per E-Mail",
            Channel::Sms => "per SMS",
        };
        let (channel, ago) = (by(self.channel), span(self.since));
        let state = match self.state {
            WaitingState::OnItsWay => format!("Unterwegs {channel}."),
            WaitingState::Sent => format!("Vor {ago} {channel} gesendet."),
            WaitingState::Delivered => format!("Vor {ago} {channel} zugestellt."),
            WaitingState::TryingNext => format!("Wir versuchen es jetzt auf anderem Weg, {channel}."),
            WaitingState::Delayed => "Es dauert länger als sonst. Wir versuchen es weiter.".to_owned(),
            WaitingState::NotDelivered => "Soweit wir wissen, kam die Nachricht nicht an.".to_owned(),
            WaitingState::Ended => "Diese Nachricht gilt nicht mehr.".to_owned(),
        };
        let next = self.next.map(|next| match next.channel {
            Some(channel) => format!("Nächster Versuch {} in {}.", by(channel), span(next.after)),
            None => format!("Nächster Versuch auf anderem Weg in {}.", span(next.after)),
        });
        let advice = match (self.advice, self.channel) {
            (WaitingAdvice::Wait, _) => None,
            (WaitingAdvice::Look, Channel::Email) => {
                Some("Schauen Sie in Ihren Posteingang und Ihren Spam-Ordner.")
            }
            (WaitingAdvice::Look, Channel::Sms) => Some("Schauen Sie in die Nachrichten auf Ihrem Telefon."),
            (WaitingAdvice::AskAgain, _) => Some("Bitte fordern Sie eine neue an."),
            (WaitingAdvice::AskHelpdesk, _) => Some("Bitte wenden Sie sich an Ihren Helpdesk."),
        };
        [Some(state), next, advice.map(str::to_owned)]
    }
}
