mod circuits;
mod life;
mod receipts;
mod story;
mod waiting;

use super::*;
use crate::circuit::Circuit;
use crate::gateway::Owner;
use crate::ids::GatewayId;
use crate::outcome::Outcome;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn message(channel: Channel) -> Message {
    Message {
        id: MessageId::new(NOW, [1; 10]),
        tenant: TenantId::try_from("acme").unwrap(),
        user: UserId::try_from("jane").ok(),
        serial: None,
        purpose: TemplateKind::PushToken,
        test: false,
        simulated: false,
        channel,
        recipient: "j***@e***.org".to_owned(),
        country: None,
        fallback: None,
        address: None,
        suppressed: None,
        content: Some(SealedContent(vec![1])),
        created_at: NOW,
        expires_at: NOW.plus(Duration::from_hours(1)),
        status: MessageStatus::Queued,
        reason: None,
        overtaken: None,
        hops: Vec::new(),
        due_at: Some(NOW.plus(PICK_UP)),
        version: 1,
    }
}

fn by(id: &str, sender: Sender) -> Via {
    let owner = Owner::Tenant(TenantId::try_from("acme").unwrap());
    Via { gateway: Some(GatewayName { owner, id: GatewayId::try_from(id).unwrap(), version: 1 }), sender }
}

fn own() -> Routes {
    Routes { usable: vec![Way { tells: false, ..Way::OWN }], ..Routes::default() }
}

/// A way that tells nothing, and waits for [`ROUTE_TIME`].
fn way(id: &str, sender: Sender) -> Way {
    Way {
        via: by(id, sender),
        channel: Channel::Sms,
        wait: ROUTE_TIME,
        tells: false,
        circuit: Circuit::Closed,
    }
}

fn routes(usable: Vec<Way>) -> Routes {
    Routes { usable, ..Routes::default() }
}

fn one() -> Routes {
    routes(vec![way("one", Sender::Twilio)])
}

fn two() -> Routes {
    routes(vec![way("one", Sender::Twilio), way("two", Sender::GovukNotify)])
}

/// Two ways whose providers tell what becomes of a message.
fn telling() -> Routes {
    routes(two().usable.into_iter().map(|way| Way { tells: true, ..way }).collect())
}

#[track_caller]
fn hand(message: Message, routes: &Routes, now: Timestamp) -> (Message, u16) {
    match message.next_step(routes, now) {
        Step::Hand(message, number, _) => (message, number),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn close(message: Message, routes: &Routes, now: Timestamp) -> Message {
    match message.next_step(routes, now) {
        Step::Close(message) => message,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn wait(message: Message, routes: &Routes, now: Timestamp) -> Message {
    match message.next_step(routes, now) {
        Step::Wait(message) => message,
        other => panic!("{other:?}"),
    }
}

/// A sender claims the last hop and concludes it.
#[track_caller]
fn sent(message: Message, outcome: &Outcome, now: Timestamp) -> (Message, Next) {
    let number = message.last_hop().unwrap().number;
    let claimed = message.claimed(number, now).expect("claimed");
    claimed.concluded(number, (outcome, "why", vec!["S: so".to_owned()]), 255, now)
}

fn after(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn accepted() -> Outcome {
    Outcome::Accepted { provider_id: "x".to_owned() }
}

#[test]
fn the_straight_way() {
    let (message, hop) = hand(message(Channel::Email), &own(), NOW);
    assert_eq!(message.status, MessageStatus::Sending);
    assert_eq!(message.clone().next_step(&own(), NOW), Step::Rest, "its sender has it");
    let (message, next) = sent(message, &accepted(), NOW);
    assert_eq!(next, Next::Nothing);
    assert_eq!((message.status, message.due_at), (MessageStatus::Sent, None));
    assert_eq!(message.content, None, "the sealed content goes when the message is closed");
    assert_eq!(message.last_hop().unwrap().said, ["S: so"]);
    assert_eq!(message.clone().next_step(&own(), NOW), Step::Rest);
    assert_eq!(message.claimed(hop, NOW.plus(LEASE)), None);
}

#[test]
fn a_hop_is_claimed_once_for_ever() {
    for channel in [Channel::Email, Channel::Sms] {
        let (message, hop) = hand(message(channel), &two(), NOW);
        let message = message.claimed(hop, NOW).unwrap();
        for later in [0, 44, 45, 4000] {
            assert_eq!(message.clone().claimed(hop, NOW.plus(Duration::from_secs(later))), None);
        }
        let given_back = message.unclaimed(hop, NOW);
        assert!(given_back.claimed(hop, NOW).is_some(), "its sender could not even ask");
    }
}

#[test]
fn a_lost_sender_costs_a_mail_a_hop() {
    let (message, hop) = hand(message(Channel::Email), &own(), NOW);
    let message = message.claimed(hop, NOW).unwrap();
    assert_eq!(message.clone().next_step(&own(), NOW.plus(LEASE / 2)), Step::Rest);
    let (message, again) = hand(message, &own(), NOW.plus(LEASE));
    assert_eq!((hop, again), (1, 2));
    let Some(HopState::Ended { ending: Ending::Unknown, .. }) =
        message.hops.first().map(|hop| hop.state.clone())
    else {
        panic!("{message:?}")
    };
}

#[test]
fn a_text_in_doubt_waits_its_route_time_and_takes_the_next_way() {
    let (lost, hop) = hand(message(Channel::Sms), &two(), NOW);
    let lost = wait(lost.claimed(hop, NOW).unwrap(), &two(), NOW.plus(LEASE));
    let (unanswered, hop) = hand(message(Channel::Sms), &two(), NOW);
    let (unanswered, next) = sent(unanswered, &Outcome::Unknown, NOW.plus(LEASE / 2));
    assert_eq!((hop, next), (1, Next::Nothing), "`deliver` has asked to be woken at the limit");
    for message in [lost, unanswered] {
        assert_eq!(message.due_at, Some(NOW.plus(ROUTE_TIME)), "not a moment longer than any other");
        let (message, hop) = hand(message, &two(), NOW.plus(ROUTE_TIME));
        assert_eq!((hop, message.last_hop().unwrap().via.sender), (2, Sender::GovukNotify));
        assert_eq!(message.last_hop().unwrap().because, Because::Doubt);
        let (message, _) = sent(message, &Outcome::RecipientBad, NOW.plus(ROUTE_TIME));
        let message = close(message, &two(), NOW.plus(ROUTE_TIME));
        assert_eq!(message.status, MessageStatus::Failed, "no gateway was in trouble");
        assert_eq!(message.reason.as_deref(), Some("why; it may have arrived all the same"));
    }
}

#[test]
fn a_text_in_doubt_without_another_way_is_heard_of_for_a_while() {
    let (message, _) = hand(message(Channel::Sms), &one(), NOW);
    let (message, next) = sent(message, &Outcome::Unknown, NOW.plus(LEASE / 2));
    let until = NOW.plus(LEASE / 2 + ROUTE_TIME);
    assert_eq!((next, message.due_at), (Next::Nothing, Some(until)));
    let closed = close(message, &one(), until);
    assert_eq!(closed.status, MessageStatus::Failed);
}

#[test]
fn doubt_that_is_told_of_after_the_limit_is_not_waited_with() {
    let (message, hop) = hand(message(Channel::Sms), &two(), NOW);
    let message = message.claimed(hop, after(119)).unwrap();
    let late = after(129);
    assert_eq!(message.clone().next_step(&two(), late), Step::Rest, "its sender is at it");
    let (message, next) = message.concluded(hop, (&Outcome::Unknown, "why", Vec::new()), 0, late);
    assert_eq!((next, message.due_at), (Next::AT_ONCE, Some(late)), "nobody else would wake `deliver`");
    assert_eq!(hand(message, &two(), late).0.last_hop().unwrap().because, Because::Doubt);
}

#[test]
fn what_a_provider_will_never_take_goes_the_next_way_at_once() {
    for outcome in [Outcome::RecipientBad, Outcome::ContentBad, Outcome::ConfigurationBad, Outcome::QuotaGone]
    {
        let (message, _) = hand(message(Channel::Sms), &two(), NOW);
        let (message, next) = sent(message, &outcome, NOW);
        assert_eq!((next, message.due_at), (Next::AT_ONCE, Some(NOW)));
        let (message, hop) = hand(message, &two(), NOW);
        assert_eq!((hop, message.last_hop().unwrap().via.sender), (2, Sender::GovukNotify));
    }
}

#[test]
fn a_refusal_ends_a_message_without_another_route() {
    for outcome in [Outcome::RecipientBad, Outcome::ContentBad] {
        let (message, _) = hand(message(Channel::Email), &own(), NOW);
        let (message, _) = sent(message, &outcome, NOW);
        let message = close(message, &own(), NOW);
        assert_eq!((message.status, message.reason.as_deref()), (MessageStatus::Failed, Some("why")));
    }
}

#[test]
fn a_gateway_in_trouble_does_not_burn_the_message() {
    for outcome in [Outcome::ConfigurationBad, Outcome::QuotaGone] {
        let (message, _) = hand(message(Channel::Email), &own(), NOW);
        let (message, _) = sent(message, &outcome, NOW);
        let held = wait(message, &own(), NOW);
        assert_eq!(held.due_at, Some(NOW.plus(Duration::from_secs(30))));
        assert_eq!((held.status, held.reason.as_deref()), (MessageStatus::Sending, Some("held: why")));
        assert!(held.content.is_some());
        assert_eq!(
            held.clone().next_step(&own(), NOW.plus(Duration::from_secs(29))),
            Step::Rest,
            "told already"
        );
        let (mended, hop) = hand(held, &own(), NOW.plus(Duration::from_secs(30)));
        assert_eq!((hop, mended.reason.as_deref()), (2, None));
        let (message, _) = sent(mended, &accepted(), NOW.plus(Duration::from_secs(31)));
        assert_eq!(message.status, MessageStatus::Sent);
    }
}

#[test]
fn a_message_is_held_until_its_end_and_keeps_a_bounded_record() {
    let mut message = message(Channel::Email);
    message.expires_at = NOW.plus(Duration::from_hours(72));
    let (mut now, mut hops) = (NOW, 0);
    let closed = loop {
        match message.clone().next_step(&own(), now) {
            Step::Hand(next, ..) => {
                (message, _) = sent(next, &Outcome::ConfigurationBad, now);
                hops += 1;
            }
            Step::Wait(next) => message = next,
            Step::Rest => now = message.due_at.unwrap(),
            Step::Close(closed) => break closed,
        }
        assert!(message.hops.len() <= MOST_HOPS);
    };
    assert_eq!(closed.status, MessageStatus::Expired);
    assert!(closed.reason.unwrap().ends_with("at last: why"));
    assert!((200..400).contains(&hops), "{hops}");
    assert_eq!(closed.hops.last().unwrap().number, hops);
}

#[test]
fn a_route_that_is_passed_over_holds_the_message_too() {
    let routes = Routes {
        usable: Vec::new(),
        passed_over: vec!["The gateway one is passed over.".to_owned()],
        ..Routes::default()
    };
    let held = wait(message(Channel::Sms), &routes, NOW);
    assert_eq!(held.reason.as_deref(), Some("held: The gateway one is passed over."));
    assert_eq!(held.status, MessageStatus::Queued);
    let later = held.due_at.unwrap();
    let (message, _) = hand(held, &two(), later);
    assert_eq!(message.reason, None);
}

#[test]
fn what_may_work_later_is_tried_again_eight_times() {
    let (mut message, _) = hand(message(Channel::Sms), &one(), NOW);
    let mut now = NOW;
    for tries in 1..MAX_TRIES {
        let (next, follows) = sent(message, &Outcome::Retry { after: None }, now);
        let Next::Again { hop, delay } = follows else { panic!("{follows:?}") };
        assert_eq!((usize::from(hop), delay), (tries + 1, Message::backoff(tries, 255)));
        now = now.plus(delay);
        assert_eq!(next.clone().next_step(&one(), now), Step::Rest, "the queue brings it");
        message = next;
    }
    let (message, follows) = sent(message, &Outcome::Retry { after: None }, now);
    assert_eq!(follows, Next::AT_ONCE);
    let held = wait(message, &one(), now);
    assert_eq!(held.reason.as_deref(), Some("held: why"));
}

#[test]
fn a_busy_gateway_is_tried_again_within_its_routes_time_only() {
    let (mut message, _) = hand(message(Channel::Sms), &two(), NOW);
    let (mut now, limit) = (NOW, NOW.plus(ROUTE_TIME));
    let mut waits = Vec::new();
    let message = loop {
        let (next, follows) = sent(message, &Outcome::Retry { after: None }, now);
        message = next;
        match follows {
            Next::Again { delay, .. } => {
                waits.push(delay.as_secs());
                now = now.plus(delay);
            }
            Next::AT_ONCE => break message,
            other => panic!("{other:?}"),
        }
        let last = message.last_hop().unwrap();
        assert_eq!((last.because, last.limit, message.due_at), (Because::Again, Some(limit), Some(limit)));
    };
    assert_eq!(waits, [2, 4, 8, 16, 32], "one more minute would be beyond the limit");
    let (message, hop) = hand(message, &two(), now);
    let last = message.last_hop().unwrap();
    assert_eq!((hop, last.via.sender, last.because), (7, Sender::GovukNotify, Because::Busy));
    assert_eq!(last.limit, None, "no other route is left");
}

#[test]
fn a_gateway_that_cannot_be_had_holds_the_message_once_no_way_is_left() {
    let (mut message, _) = hand(message(Channel::Email), &own(), NOW);
    let mut now = NOW;
    for _ in 1..MAX_TRIES {
        let (next, Next::Again { delay, .. }) = sent(message, &Outcome::Retry { after: None }, now) else {
            panic!("again")
        };
        (message, now) = (next, now.plus(delay));
    }
    for _ in 0..3 {
        let (busy, next) = sent(message, &Outcome::Retry { after: None }, now);
        assert_eq!(next, Next::AT_ONCE, "one try each time");
        let held = wait(busy, &own(), now);
        assert_eq!(held.reason.as_deref(), Some("held: why"));
        now = held.due_at.unwrap();
        (message, _) = hand(held, &own(), now);
    }
    let (message, _) = sent(message, &accepted(), now);
    assert_eq!(message.status, MessageStatus::Sent, "the server has come back");
}

#[test]
fn a_provider_that_names_a_time_gets_it_unless_the_message_ends_before() {
    let (message, _) = hand(message(Channel::Sms), &one(), NOW);
    let minutes = |minutes| Outcome::Retry { after: Some(Duration::from_mins(minutes)) };
    let (again, next) = sent(message.clone(), &minutes(10), NOW);
    assert_eq!(next, Next::Again { hop: 2, delay: Duration::from_mins(10) });
    assert_eq!(again.last_hop().unwrap().handed_at, NOW.plus(Duration::from_mins(10)));
    let (_, next) = sent(message.clone(), &minutes(61), NOW);
    assert_eq!(next, Next::Again { hop: 2, delay: Duration::from_mins(15) }, "no queue holds it for longer");
    let short = Message { expires_at: NOW.plus(Duration::from_mins(9)), ..message };
    let (_, next) = sent(short, &minutes(10), NOW);
    assert_eq!(next, Next::AT_ONCE);
}

#[test]
fn a_provider_that_names_a_time_beyond_its_routes_is_left_for_the_next() {
    let (message, _) = hand(message(Channel::Sms), &two(), NOW);
    let after = |after| Outcome::Retry { after: Some(after) };
    let (_, next) = sent(message.clone(), &after(ROUTE_TIME / 2), NOW);
    assert_eq!(next, Next::Again { hop: 2, delay: ROUTE_TIME / 2 });
    let (message, next) = sent(message, &after(ROUTE_TIME), NOW);
    assert_eq!(next, Next::AT_ONCE);
    assert_eq!(hand(message, &two(), NOW).0.last_hop().unwrap().because, Because::Busy);
}

#[test]
fn a_test_has_one_hop() {
    for outcome in
        [Outcome::Retry { after: None }, Outcome::ConfigurationBad, Outcome::Unknown, Outcome::RecipientBad]
    {
        let test = Message { test: true, ..message(Channel::Email) };
        let (test, _) = hand(test, &two(), NOW);
        let (test, next) = sent(test, &outcome, NOW);
        assert_eq!((test.status, next), (MessageStatus::Failed, Next::Nothing));
    }
    let (lost, hop) = hand(Message { test: true, ..message(Channel::Sms) }, &two(), NOW);
    let lost = close(lost.claimed(hop, NOW).unwrap(), &two(), NOW.plus(LEASE));
    assert_eq!(lost.status, MessageStatus::Failed);
}

#[test]
fn a_queue_that_loses_a_hop_costs_its_route_time() {
    let (message, hop) = hand(message(Channel::Sms), &one(), NOW);
    let (message, again) = hand(message, &one(), NOW.plus(ROUTE_TIME));
    assert_eq!(hop, again, "nothing was asked: the hop is the same");
    assert!(message.claimed(again, NOW.plus(ROUTE_TIME)).is_some());
}

#[test]
fn a_hop_that_no_sender_takes_in_time_is_void() {
    let (message, hop) = hand(message(Channel::Sms), &two(), NOW);
    let limit = NOW.plus(ROUTE_TIME);
    assert_eq!(message.clone().next_step(&two(), NOW.plus(ROUTE_TIME / 2)), Step::Rest);
    let (message, next) = hand(message, &two(), limit);
    assert_eq!((hop, next, message.last_hop().unwrap().because), (1, 2, Because::NotTaken));
    assert_eq!(message.hops.first().unwrap().ending(), Some(Ending::NotTaken));
    assert_eq!(message.clone().claimed(hop, limit), None, "its sender comes too late");
    let (message, _) = sent(message, &Outcome::RecipientBad, limit);
    let held = wait(message, &two(), limit);
    let (message, third) = hand(held.clone(), &two(), held.due_at.unwrap());
    assert_eq!((third, message.last_hop().unwrap().because), (3, Because::Held));
    assert_eq!(message.last_hop().unwrap().via.sender, Sender::Twilio, "it was never asked: it is tried");
    assert_eq!(message.claimed(hop, limit), None);
}

#[test]
fn time_runs_out() {
    let closed = close(message(Channel::Email), &own(), NOW.plus(Duration::from_hours(1)));
    assert_eq!(closed.status, MessageStatus::Expired);
    assert_eq!(closed.reason.as_deref(), Some("its time ran out before a provider took it"));
}

#[test]
fn a_channel_without_a_gateway_fails_with_the_reason() {
    let closed = close(message(Channel::Sms), &Routes::default(), NOW);
    assert_eq!(closed.reason.as_deref(), Some("no gateway is configured for sms"));
}

#[test]
fn trouble_that_was_mended_counts_as_no_try() {
    let (mut message, _) = hand(message(Channel::Email), &own(), NOW);
    let mut now = NOW;
    for _ in 0..MAX_TRIES {
        let (refused, _) = sent(message, &Outcome::ConfigurationBad, now);
        let held = wait(refused, &own(), now);
        now = held.due_at.unwrap();
        (message, _) = hand(held, &own(), now);
    }
    let (message, next) = sent(message, &Outcome::Retry { after: None }, now);
    let Next::Again { delay, .. } = next else { panic!("{next:?}") };
    assert_eq!((delay, message.status), (Message::backoff(1, 255), MessageStatus::Sending));
}

#[test]
fn a_way_that_was_taken_is_known_for_as_long_as_the_message_lives() {
    let ids = [("one", Sender::Twilio), ("two", Sender::GovukNotify), ("three", Sender::Smtp)];
    let routes = routes(ids.map(|(id, sender)| way(id, sender)).to_vec());
    let (first, _) = hand(message(Channel::Sms), &routes, NOW);
    let (mut message, _) = sent(first, &Outcome::Unknown, NOW);
    let mut now = NOW.plus(ROUTE_TIME);
    let mut asked = vec!["one".to_owned()];
    let closed = loop {
        match message.clone().next_step(&routes, now) {
            Step::Hand(next, ..) | Step::Wait(next) => message = next,
            Step::Close(closed) => break closed,
            Step::Rest => {}
        }
        while let Some(HopState::Handed) = message.last_hop().map(|hop| hop.state.clone()) {
            asked.push(message.last_hop().unwrap().via.gateway.as_ref().unwrap().id.to_string());
            (message, _) = sent(message, &Outcome::Retry { after: None }, now);
            now = now.plus(Duration::from_mins(1));
        }
    };
    let times = |id: &str| asked.iter().filter(|asked| *asked == id).count();
    assert_eq!(times("one"), 1, "{asked:?}");
    assert_eq!(times("two"), 3, "within its route's time");
    assert_eq!(times("three"), MAX_TRIES, "no other route is left");
    assert_eq!(closed.status, MessageStatus::Failed);
    assert!(closed.reason.unwrap().ends_with("it may have arrived all the same"));
}

#[test]
fn a_mail_in_doubt_goes_once_more_and_no_oftener() {
    let (first, _) = hand(message(Channel::Email), &own(), NOW);
    let (second, next) = sent(first, &Outcome::Unknown, NOW);
    assert!(matches!(next, Next::Again { .. }), "{next:?}");
    let (third, next) = sent(second, &Outcome::Unknown, NOW);
    assert_eq!(next, Next::AT_ONCE);
    assert_eq!(close(third, &own(), NOW).status, MessageStatus::Failed);
}

#[test]
fn a_text_in_doubt_is_not_sent_when_another_way_opens_later() {
    let (message, _) = hand(message(Channel::Sms), &two(), NOW);
    let (message, _) = sent(message, &Outcome::Unknown, NOW);
    let closed_way = Routes {
        usable: vec![way("one", Sender::Twilio)],
        passed_over: vec!["two is off".to_owned()],
        ..Routes::default()
    };
    let closed = close(message, &closed_way, NOW.plus(ROUTE_TIME));
    assert_eq!(closed.status, MessageStatus::Failed);
}

#[test]
fn what_a_provider_said_is_kept_in_measure() {
    let long = || (0..40).map(|line| format!("line {line}")).collect::<Vec<_>>();
    for (test, kept) in [(false, 8), (true, 40)] {
        let (message, hop) = hand(Message { test, ..message(Channel::Email) }, &own(), NOW);
        let message = message.claimed(hop, NOW).unwrap();
        let (message, _) = message.concluded(hop, (&Outcome::RecipientBad, "why", long()), 0, NOW);
        let said = &message.last_hop().unwrap().said;
        assert_eq!((said.len(), said.last().map(String::as_str)), (kept, Some("line 39")));
    }
}

#[test]
fn backoff_grows_and_stays_bounded() {
    let waits: Vec<u64> = (1..=9).map(|tries| Message::backoff(tries, 255).as_secs()).collect();
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60, 60]);
    assert_eq!(Message::backoff(4, 0), Duration::from_secs(8));
}

#[test]
fn gateways_of_one_id_and_two_owners_are_two() {
    let lent = |via: Via| Via {
        gateway: via.gateway.map(|named| GatewayName { owner: Owner::Platform, ..named }),
        ..via
    };
    let one = by("one", Sender::Twilio);
    assert!(!one.is_same(&lent(one.clone())) && !one.is_same(&Via::OWN) && Via::OWN.is_same(&Via::OWN));
    let mut newer = one.clone();
    newer.gateway.as_mut().unwrap().version = 9;
    assert!(one.is_same(&newer));
}
