//! Whether the record of each message tells what truly happened.

use std::collections::BTreeMap;

use otpost_domain::ids::MessageId;
use otpost_domain::message::{Because, Channel, Ending, Hop, HopState, Message, MessageStatus, Verdict};
use otpost_domain::outcome::Outcome;
use otpost_domain::time::Timestamp;
use otpost_service::ports::MessageRef;

use super::outside::{Request, State};
use super::world::World;

/// A fault of one message.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) message: MessageRef,
    pub(super) what: String,
}

/// What is true of one message.
struct Truth<'t> {
    message: &'t Message,
    requests: Vec<&'t Request>,
    heard: BTreeMap<u16, &'t [(Timestamp, Verdict)]>,
    revoked: bool,
}

pub(super) async fn judged(world: &World) -> Vec<Found> {
    let mut found = world.wrong.clone();
    let mut messages = Vec::new();
    for (reference, ..) in world.pushed.values() {
        messages.push((reference.clone(), world.message(reference).await));
    }
    let state = world.outside.lock();
    let mut requests: BTreeMap<&MessageId, Vec<&Request>> = BTreeMap::new();
    for asked in &state.requests {
        requests.entry(&asked.message).or_default().push(asked);
    }
    for (reference, message) in &messages {
        let heard = state.heard.iter().filter(|((id, _), _)| *id == message.id);
        let truth = Truth {
            message,
            requests: requests.remove(&message.id).unwrap_or_default(),
            heard: heard.map(|((_, hop), heard)| (*hop, heard.as_slice())).collect(),
            revoked: world.revoked.contains_key(&message.id),
        };
        let mut faults = truth.of_end();
        faults.extend(truth.of_requests());
        faults.extend(truth.of_hops());
        faults.extend(truth.of_way());
        found.extend(faults.into_iter().map(|what| Found { message: reference.clone(), what }));
    }
    found
}

/// How many requests were made after a receipt had said delivered, by senders that had their hop before.
pub(super) fn in_hand_at_delivery(state: &State) -> usize {
    let delivered = |message: &MessageId| {
        let of = state.heard.iter().filter(|((id, _), _)| id == message);
        of.flat_map(|(_, heard)| heard)
            .filter(|(_, verdict)| *verdict == Verdict::Delivered)
            .map(|(at, _)| *at)
            .min()
    };
    state.requests.iter().filter(|asked| delivered(&asked.message).is_some_and(|at| at < asked.at)).count()
}

fn fault(holds: bool, what: impl Into<String>) -> Option<String> {
    (!holds).then(|| what.into())
}

impl Truth<'_> {
    fn hop(&self, number: u16) -> Option<&Hop> {
        self.message.hops.iter().find(|hop| hop.number == number)
    }

    /// The last word of a hop's provider.
    fn verdict(&self, hop: u16) -> Option<Verdict> {
        let heard = self.heard.get(&hop)?;
        heard.iter().map(|(_, verdict)| *verdict).max_by_key(|verdict| verdict.rank())
    }

    fn delivered_at(&self) -> Option<Timestamp> {
        let all = self.heard.values().flat_map(|heard| heard.iter());
        all.filter(|(_, verdict)| *verdict == Verdict::Delivered).map(|(at, _)| *at).min()
    }

    /// It is closed, in the state that is true.
    fn of_end(&self) -> Vec<String> {
        let status = self.message.status;
        let mut faults = Vec::new();
        faults.extend(fault(!self.message.is_open(), "it is lost: it is not closed"));
        faults.extend(fault(self.message.content.is_none(), "its content is kept"));
        let accepted = |number: u16| self.hop(number).is_some_and(Hop::is_accepted);
        let numbers = self.message.hops.iter().map(|hop| hop.number).chain(self.heard.keys().copied());
        let told = |number: u16| accepted(number) || self.verdict(number).is_some();
        let taken: Vec<u16> = numbers.filter(|number| told(*number)).collect();
        let refuted = |number: &u16| self.verdict(*number) == Some(Verdict::Undelivered);
        let only_delayed =
            |number: &u16| !accepted(*number) && self.verdict(*number) == Some(Verdict::Delayed);
        let badly =
            [MessageStatus::Failed, MessageStatus::Expired, MessageStatus::Cancelled].contains(&status);
        let right = if self.delivered_at().is_some() {
            status == MessageStatus::Delivered
        } else if taken.iter().any(|number| !refuted(number)) {
            // What is only told to be on its way when all is over changes nothing any more.
            let late = taken.iter().all(|number| only_delayed(number) || refuted(number));
            let known = badly || (status == MessageStatus::Undelivered && taken.iter().any(refuted));
            status == MessageStatus::Sent || (late && known)
        } else if taken.is_empty() {
            badly
        } else {
            status == MessageStatus::Undelivered
        };
        faults.extend(fault(right, format!("it ends as {} though that is not true", status.as_str())));
        let cancelled = status == MessageStatus::Cancelled;
        faults.extend(fault(!cancelled || self.revoked, "it is cancelled, and nobody did that"));
        let reason = self.message.reason.is_some();
        faults.extend(fault(reason || !badly, "it ends badly without a reason"));
        faults
    }

    /// Nothing was asked twice, nothing after doubt, nothing after delivery.
    fn of_requests(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (place, asked) in self.requests.iter().enumerate() {
            let earlier = self.requests.iter().take(place);
            let twice = earlier.clone().any(|earlier| earlier.hop == asked.hop);
            faults.extend(fault(!twice, "a hop was asked for twice"));
            let doubted = |earlier: &&&Request| {
                let recorded = self.hop(earlier.hop).map(|hop| hop.state.clone());
                match recorded {
                    Some(HopState::Ended { ending: Ending::Unknown, .. } | HopState::Accepted { .. }) => true,
                    Some(_) => false,
                    // A record keeps the last hop by each gateway: what it has dropped was asked again for good reason,
                    // unless its sender told of doubt.
                    None => {
                        earlier.told && matches!(earlier.outcome, Outcome::Unknown | Outcome::Accepted { .. })
                    }
                }
            };
            let again =
                earlier.filter(|earlier| earlier.gateway == asked.gateway).any(|earlier| doubted(&earlier));
            let text = asked.channel == Channel::Sms;
            faults.extend(fault(!text || !again, "a text was asked for by one gateway again after doubt"));
            faults.extend(match asked.claimed_at {
                None => Some("a provider was asked by a sender that does not have the hop".to_owned()),
                Some(claimed) => fault(
                    self.delivered_at().is_none_or(|at| claimed <= at),
                    "a hop was begun after delivery",
                ),
            });
            let late = asked.claimed_at.is_some_and(|claimed| claimed >= self.message.expires_at);
            faults.extend(fault(!late, "a provider was asked for an expired message"));
        }
        faults
    }

    /// What is on record of each hop is true.
    fn of_hops(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for hop in &self.message.hops {
            let asked = self.requests.iter().find(|asked| asked.hop == hop.number);
            let right = match (&hop.state, asked) {
                (HopState::Accepted { .. }, Some(asked)) => matches!(asked.outcome, Outcome::Accepted { .. }),
                (HopState::Ended { ending: Ending::Unknown, .. }, _) => true,
                (HopState::Ended { ending: Ending::NotTaken, .. } | HopState::Handed, asked) => {
                    asked.is_none()
                }
                (HopState::Ended { ending, .. }, Some(asked)) => Ending::of(&asked.outcome) == Some(*ending),
                // The sender found out by itself that nothing is to be asked.
                (HopState::Ended { .. }, None) => true,
                (HopState::Accepted { .. }, None) => false,
                // A receipt was faster than a sender that died.
                (HopState::Claimed { .. }, _) => self.delivered_at().is_some(),
            };
            faults.extend(fault(right, format!("hop {} is not as its provider said", hop.state.as_str())));
            if let Some(asked) = asked.filter(|asked| asked.told) {
                let as_told = hop.is_accepted() || hop.ending() == Ending::of(&asked.outcome);
                faults.extend(fault(as_told, "what a provider said was not written down"));
            }
            // One that is tried again was decided on before its time.
            let in_vain = self.delivered_at().is_some_and(|at| at < hop.handed_at);
            faults
                .extend(fault(hop.because == Because::Again || !in_vain, "a route was taken after delivery"));
            let known = hop.news.as_ref().map(|news| news.verdict);
            faults.extend(fault(
                known == self.verdict(hop.number),
                "a hop's news are not those that were heard",
            ));
        }
        faults
    }

    /// Whether no earlier text may have arrived, as far as was known when a hop was handed over.
    fn is_clear(&self, hop: &Hop) -> bool {
        let refuted = |earlier: &Hop| {
            let heard = self.heard.get(&earlier.number).copied().unwrap_or_default();
            heard.iter().any(|(at, verdict)| *verdict == Verdict::Undelivered && *at <= hop.handed_at)
        };
        let texts = self.message.hops.iter().filter(|earlier| earlier.number < hop.number);
        let mut texts = texts.filter(|earlier| earlier.channel == Channel::Sms);
        let may_arrive = |earlier: &Hop| earlier.is_accepted() || earlier.ending() == Some(Ending::Unknown);
        texts.all(|earlier| !may_arrive(earlier) || refuted(earlier))
    }

    /// Each hop was taken for its reason, and not before its time.
    fn of_way(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (before, hop) in self.message.hops.iter().zip(self.message.hops.iter().skip(1)) {
            if before.number + 1 != hop.number {
                continue;
            }
            let over = before.limit.is_none_or(|limit| limit <= hop.handed_at);
            let (same, ending) = (before.via.is_same(&hop.via), before.ending());
            let refuted = self.heard.get(&before.number).is_some_and(|heard| {
                heard.iter().any(|(at, verdict)| *verdict == Verdict::Undelivered && *at <= hop.handed_at)
            });
            let text = before.channel == Channel::Sms;
            let right = match hop.because {
                Because::First => false,
                Because::Again => {
                    same && (ending == Some(Ending::Retry) || (!text && ending == Some(Ending::Unknown)))
                }
                Because::Refused => {
                    let refusals = [
                        Ending::RecipientBad,
                        Ending::ContentBad,
                        Ending::ConfigurationBad,
                        Ending::QuotaGone,
                    ];
                    !same && ending.is_some_and(|ending| refusals.contains(&ending))
                }
                Because::Busy => !same && ending == Some(Ending::Retry),
                Because::Doubt => !same && ending == Some(Ending::Unknown) && (over || !text),
                // A receipt may change the hop's state from doubt to taken.
                Because::NoNews => !same && over && before.is_accepted(),
                Because::BadNews => !same && refuted,
                Because::NotTaken => !same && over && ending == Some(Ending::NotTaken),
                Because::Held => self.is_clear(hop),
            };
            let (why, state) = (hop.because.as_str(), before.state.as_str());
            faults.extend(fault(right, format!("a route was taken because {why} after {state}")));
        }
        faults
    }
}
