//! Whatever happens, in whatever order.

use proptest::prelude::*;

use super::*;

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(accepted()),
        1 => (0_u64..200).prop_map(|after| Outcome::Retry { after: Some(Duration::from_secs(after)) }),
        1 => Just(Outcome::Retry { after: None }),
        1 => Just(Outcome::RecipientBad),
        1 => Just(Outcome::ContentBad),
        1 => Just(Outcome::ConfigurationBad),
        1 => Just(Outcome::QuotaGone),
        1 => Just(Outcome::Unknown),
    ]
}

/// Up to four gateways, in every state, of both channels.
fn any_routes() -> impl Strategy<Value = Routes> {
    let circuit = prop::sample::select(Circuit::ALL.to_vec());
    let one = (any::<bool>(), any::<bool>(), 5_u64..300, circuit);
    (prop::collection::vec(one, 0..5), any::<bool>()).prop_map(|(ways, passed_over)| {
        let ids = ["one", "two", "three", "four", "five"];
        let usable = ways.into_iter().zip(ids).map(|((text, tells, wait, circuit), id)| Way {
            channel: if text { Channel::Sms } else { Channel::Email },
            wait: Duration::from_secs(wait),
            tells,
            circuit,
            ..way(id, if text { Sender::Twilio } else { Sender::Smtp })
        });
        let passed_over = if passed_over { vec!["six is off".to_owned()] } else { Vec::new() };
        Routes { usable: usable.collect(), passed_over, ..Routes::default() }
    })
}

/// One thing that happens, some seconds later.
#[derive(Clone, Debug)]
enum Event {
    Looked(Routes),
    Claimed,
    GivenBack,
    Concluded(Outcome, u8),
    Heard(u16, Verdict),
    Cancelled,
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = prop_oneof![
        8 => any_routes().prop_map(Event::Looked),
        8 => Just(Event::Claimed),
        1 => Just(Event::GivenBack),
        8 => (outcomes(), any::<u8>()).prop_map(|(outcome, chance)| Event::Concluded(outcome, chance)),
        2 => (1_u16..8, prop::sample::select(Verdict::ALL.to_vec()))
            .prop_map(|(back, verdict)| Event::Heard(back, verdict)),
        1 => Just(Event::Cancelled),
    ];
    prop::collection::vec((0_u64..200, event), 1..80)
}

/// What senders have seen of a message: the hops that they claimed and did not give back.
#[derive(Debug, Default)]
struct Seen {
    claims: Vec<u16>,
}

fn happens(before: &Message, event: &Event, seen: &mut Seen, now: Timestamp) -> Option<Message> {
    let message = before.clone();
    let number = before.last_hop().map_or(0, |hop| hop.number);
    let claimed = before.is_claimed(number);
    match event {
        Event::Looked(routes) => match message.next_step(routes, now) {
            Step::Rest => None,
            Step::Hand(message, ..) | Step::Close(message) | Step::Wait(message) => Some(message),
        },
        Event::Claimed => message.claimed(number, now).inspect(|_| seen.claims.push(number)),
        Event::GivenBack if claimed => {
            seen.claims.retain(|claim| *claim != number);
            Some(message.unclaimed(number, now))
        }
        Event::Concluded(outcome, chance) if claimed => {
            Some(message.concluded(number, (outcome, "why", Vec::new()), *chance, now).0)
        }
        Event::Heard(back, verdict) => {
            let news = News { verdict: *verdict, why: "told".to_owned(), at: now };
            message.heard(number.saturating_sub(*back).saturating_add(1), &news)
        }
        Event::Cancelled if before.is_open() && !claimed => Some(message.cancelled(Overtaken::UserOff)),
        Event::GivenBack | Event::Concluded(..) | Event::Cancelled => None,
    }
}

/// What holds of a message at any time.
fn holds(message: &Message, now: Timestamp) -> Result<(), TestCaseError> {
    let closed = [
        MessageStatus::Sent,
        MessageStatus::Expired,
        MessageStatus::Failed,
        MessageStatus::Cancelled,
        MessageStatus::Undelivered,
        MessageStatus::Delivered,
    ];
    prop_assert_eq!(message.is_open(), message.content.is_some(), "what is sealed goes with the end");
    prop_assert!(message.hops.len() <= MOST_HOPS);
    prop_assert!(message.hops.is_sorted_by(|one, other| one.number < other.number));
    prop_assert_eq!(message.clone().settled(), message.clone(), "nothing is left to settle");
    if message.is_open() {
        prop_assert!([0, 10, 20].contains(&message.status.rank()), "{:?}", message.status);
        let longest = message.expires_at.max(now).plus(LEASE);
        prop_assert!(message.due_at.is_some_and(|due| due <= longest), "it is found again");
    } else {
        prop_assert!(closed.contains(&message.status));
        let arrived = message
            .hops
            .iter()
            .any(|hop| hop.news.as_ref().is_some_and(|news| news.verdict == Verdict::Delivered));
        prop_assert!(!arrived || message.status == MessageStatus::Delivered);
        if message.hops.iter().any(|hop| hop.is_accepted() && !hop.is_refuted()) {
            let good = [MessageStatus::Sent, MessageStatus::Delivered].contains(&message.status);
            prop_assert!(good, "a provider took it: {:?}", message);
        }
        if message.status == MessageStatus::Undelivered {
            prop_assert!(message.hops.iter().any(Hop::is_refuted));
        }
        if message.status == MessageStatus::Sent {
            prop_assert!(message.is_taken());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The status's rank never falls, the version never stands still, an open message is always due at some time, no hop
    /// is claimed twice, and once it has arrived nothing is handed or claimed.
    #[test]
    fn the_status_moves_forward_only(sms in any::<bool>(), events in events()) {
        let mut message = message(if sms { Channel::Sms } else { Channel::Email });
        let (mut now, mut seen) = (NOW, Seen::default());
        for (later, event) in events {
            now = now.plus(Duration::from_secs(later));
            let before = message.clone();
            let Some(next) = happens(&before, &event, &mut seen, now) else { continue };
            prop_assert!(next.status.rank() >= before.status.rank(), "{:?}, {:?}", before, event);
            prop_assert_eq!(next.version, before.version + 1);
            prop_assert!(before.is_open() || !next.is_open(), "what is closed stays closed");
            if !before.is_open() {
                prop_assert_eq!(next.hops.len(), before.hops.len(), "nothing is handed any more");
            }
            holds(&next, now)?;
            message = next;
        }
        let mut once = seen.claims.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), seen.claims.len(), "{:?}", seen);
    }

    /// Whatever senders tell or fail to tell, a message whose time goes on comes to one end, soon after its time is over.
    #[test]
    fn every_message_comes_to_an_end(
        sms in any::<bool>(),
        routes in any_routes(),
        reports in prop::collection::vec((0_u8..4, outcomes(), prop::option::of(0_usize..3)), 1..40),
    ) {
        let mut message = message(if sms { Channel::Sms } else { Channel::Email });
        let (mut now, mut ends, mut reports, mut steps) = (NOW, 0, reports.into_iter().cycle(), 0);
        while message.is_open() {
            steps += 1;
            prop_assert!(steps < 2_000, "{:?}", message);
            let due = message.due_at.unwrap();
            match message.clone().next_step(&routes, now) {
                Step::Rest => {
                    prop_assert!(due > now, "nothing is to be done, and nothing is waited for: {:?}", message);
                    now = due;
                }
                Step::Wait(next) => message = next,
                Step::Close(next) => {
                    ends += 1;
                    message = next;
                }
                Step::Hand(next, number, _) => {
                    prop_assert!(now < message.expires_at);
                    message = next;
                    let (kind, outcome, heard) = reports.next().unwrap();
                    // Nobody comes for it, its sender is lost, or it tells.
                    if kind == 0 {
                        continue;
                    }
                    message = message.claimed(number, now).unwrap();
                    if kind > 1 {
                        message = message.concluded(number, (&outcome, "why", Vec::new()), kind, now).0;
                        let again = |message: &Message| {
                            let hop = message.last_hop().unwrap();
                            (hop.state == HopState::Handed).then_some((hop.number, hop.handed_at))
                        };
                        while let Some((number, at)) = again(&message) {
                            now = now.max(at);
                            message = message.claimed(number, now).unwrap();
                            let (_, outcome, _) = reports.next().unwrap();
                            message = message.concluded(number, (&outcome, "why", Vec::new()), 9, now).0;
                        }
                    }
                    if let Some(verdict) = heard.and_then(|heard| Verdict::ALL.get(heard)) {
                        let news = News { verdict: *verdict, why: "told".to_owned(), at: now };
                        message = message.clone().heard(number, &news).unwrap_or(message);
                    }
                }
            }
            holds(&message, now)?;
        }
        prop_assert!(ends <= 1);
        prop_assert!(now <= message.expires_at.plus(LEASE), "{:?}", message);
    }

    /// A text goes by each gateway's sender once for each hop, and by none that may have taken it already.
    #[test]
    fn a_text_in_doubt_goes_by_no_gateway_twice(routes in any_routes(), events in events()) {
        let texts = Routes {
            usable: routes.usable.into_iter().map(|way| Way { channel: Channel::Sms, ..way }).collect(),
            ..routes
        };
        let mut message = message(Channel::Sms);
        let (mut now, mut seen, mut asked) = (NOW, Seen::default(), Vec::new());
        for (later, event) in events {
            now = now.plus(Duration::from_secs(later));
            let event = if let Event::Looked(_) = event { Event::Looked(texts.clone()) } else { event };
            let Some(next) = happens(&message, &event, &mut seen, now) else { continue };
            message = next;
            if let (Event::Claimed, Some(hop)) = (&event, message.last_hop()) {
                prop_assert!(!asked.contains(&hop.via.shown().to_owned()), "{:?} of {:?}", hop, asked);
            }
            for hop in &message.hops {
                let doubtful = hop.is_accepted() || hop.ending() == Some(Ending::Unknown);
                if doubtful && !asked.contains(&hop.via.shown().to_owned()) {
                    asked.push(hop.via.shown().to_owned());
                }
            }
        }
    }
}

#[test]
fn what_is_undone_while_a_hop_is_in_doubt_says_so() {
    let (handed, hop) = hand(message(Channel::Sms), &two(), NOW);
    let claimed = handed.claimed(hop, NOW).unwrap();
    assert_eq!(claimed.clone().doubted(NOW.plus(LEASE / 2)), claimed, "its sender has it");
    let cancelled = claimed.doubted(NOW.plus(LEASE)).cancelled(Overtaken::TokenRevoked);
    assert_eq!(cancelled.status, MessageStatus::Cancelled);
    assert_eq!(cancelled.reason.as_deref(), Some("its token was revoked; it may have arrived all the same"));
    assert_eq!(cancelled.last_hop().unwrap().ending(), Some(Ending::Unknown));
}

#[test]
fn a_sender_that_comes_too_late_has_asked_nobody() {
    let (handed, hop) = hand(message(Channel::Sms), &two(), NOW);
    let end = handed.expires_at;
    let expired = handed.claimed(hop, end).unwrap().expired();
    assert_eq!(expired.status, MessageStatus::Expired);
    assert_eq!(expired.reason.as_deref(), Some("its time ran out before a provider took it"));
    let hop = expired.last_hop().unwrap();
    assert_eq!((hop.ending(), hop.ended_at()), (Some(Ending::NotTaken), end));
}
