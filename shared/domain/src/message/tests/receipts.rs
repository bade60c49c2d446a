//! What providers tell later, and what becomes of a message when they tell nothing.

use super::*;

fn news(verdict: Verdict, at: Timestamp) -> News {
    let why = if verdict == Verdict::Delivered { "" } else { "carrier 30003" };
    News { verdict, why: why.to_owned(), at }
}

/// Accepted by the first of two ways that tell.
fn taken() -> Message {
    let (message, _) = hand(message(Channel::Sms), &telling(), NOW);
    let (message, next) = sent(message, &accepted(), after(2));
    assert_eq!(next, Next::Nothing, "`deliver` has asked to be woken at the limit");
    message
}

/// Accepted by both, one after the other.
fn taken_twice() -> Message {
    let (message, _) = hand(taken(), &telling(), NOW.plus(ROUTE_TIME));
    sent(message, &accepted(), after(122)).0
}

#[test]
fn no_receipt_in_a_routes_time_takes_the_next() {
    let message = taken();
    assert_eq!((message.status, message.due_at), (MessageStatus::Sent, Some(NOW.plus(ROUTE_TIME))));
    assert!(message.content.is_some(), "it may have to go another way");
    assert_eq!(message.clone().next_step(&telling(), after(119)), Step::Rest);
    let (message, hop) = hand(message, &telling(), after(120));
    let last = message.last_hop().unwrap();
    assert_eq!((hop, last.because, last.via.shown()), (2, Because::NoNews, "two"));
    assert_eq!(message.status, MessageStatus::Sent, "the first may arrive yet");

    let (both, next) = sent(message.clone(), &accepted(), after(121));
    assert_eq!((both.status, both.due_at, next), (MessageStatus::Sent, None, Next::Nothing));
    assert_eq!(both.reason, None);

    for outcome in [Outcome::RecipientBad, Outcome::ConfigurationBad, Outcome::Unknown] {
        let (refused, _) = sent(message.clone(), &outcome, after(121));
        let closed = close(refused, &telling(), after(121).plus(ROUTE_TIME));
        assert_eq!(closed.status, MessageStatus::Sent, "one provider took it: {outcome:?}");
        assert!(closed.reason.unwrap().starts_with("why"));
        assert_eq!(closed.content, None);
    }
}

#[test]
fn a_busy_gateway_behind_an_accepted_hop_does_not_hold_the_message() {
    let (mut message, _) = hand(taken(), &telling(), after(120));
    let mut now = after(120);
    for _ in 1..MAX_TRIES {
        let (next, Next::Again { delay, .. }) = sent(message, &Outcome::Retry { after: None }, now) else {
            panic!("again")
        };
        (message, now) = (next, now.plus(delay));
    }
    let (message, _) = sent(message, &Outcome::Retry { after: None }, now);
    assert_eq!(close(message, &telling(), now).status, MessageStatus::Sent);
}

#[test]
fn bad_news_take_the_next_way_at_once() {
    let message = taken().heard(1, &news(Verdict::Undelivered, after(9))).unwrap();
    assert_eq!(message.status, MessageStatus::Sent, "another route is left");
    assert!(!message.rests(after(9)));
    let (message, hop) = hand(message, &telling(), after(9));
    let last = message.last_hop().unwrap();
    assert_eq!((hop, last.because, last.handed_at), (2, Because::BadNews, after(9)));
    let (refused, _) = sent(message.clone(), &Outcome::RecipientBad, after(10));
    let closed = close(refused, &telling(), after(10));
    assert_eq!(closed.status, MessageStatus::Undelivered, "the first was taken, and nothing else is known");
    assert_eq!(closed.reason.as_deref(), Some("carrier 30003"));

    let (doubtful, _) = sent(message.clone(), &Outcome::Unknown, after(10));
    let closed = close(doubtful, &telling(), after(10).plus(ROUTE_TIME));
    assert_eq!(closed.status, MessageStatus::Undelivered);
    assert_eq!(closed.reason.as_deref(), Some("carrier 30003; it may have arrived all the same"));

    let (trouble, _) = sent(message, &Outcome::QuotaGone, after(10));
    let held = wait(trouble, &telling(), after(10));
    assert_eq!(held.due_at, Some(after(40)), "what works again may still bring it");
}

#[test]
fn undelivered_news_and_nothing_else_come_to_undelivered() {
    let (message, _) = hand(message(Channel::Sms), &telling(), NOW);
    let alone = routes(vec![telling().usable.remove(0)]);
    let (message, _) = sent(message, &accepted(), after(2));
    let message = message.heard(1, &news(Verdict::Undelivered, after(9))).unwrap();
    let closed = close(message, &alone, after(9));
    assert_eq!(
        (closed.status, closed.reason.as_deref()),
        (MessageStatus::Undelivered, Some("carrier 30003"))
    );
}

#[test]
fn a_hop_without_another_route_is_waited_for_by_nobody() {
    for tells in [false, true] {
        let alone = routes(vec![Way { tells, ..way("one", Sender::Twilio) }]);
        let (message, _) = hand(message(Channel::Sms), &alone, NOW);
        assert_eq!(message.last_hop().unwrap().limit, None);
        let (message, next) = sent(message, &accepted(), after(2));
        assert_eq!((message.status, message.due_at, next), (MessageStatus::Sent, None, Next::Nothing));
        assert_eq!((message.content, message.reason), (None, None));
    }
}

#[test]
fn a_provider_that_tells_nothing_is_not_waited_for() {
    let (message, _) = hand(message(Channel::Sms), &two(), NOW);
    let (message, next) = sent(message, &accepted(), after(2));
    assert_eq!((message.status, message.due_at, next), (MessageStatus::Sent, None, Next::Nothing));
}

#[test]
fn what_is_taken_late_has_ten_seconds_to_be_heard_of() {
    let (fresh, hop) = hand(message(Channel::Sms), &telling(), NOW);
    let late = |fresh: Message, at: u64| {
        let claimed = fresh.claimed(hop, after(110)).unwrap();
        claimed.concluded(hop, (&accepted(), "", Vec::new()), 0, after(at))
    };
    for (at, until, next) in [
        (110, 120, Next::Nothing),
        (111, 121, Next::Deliver { delay: Duration::from_secs(10) }),
        (140, 150, Next::Deliver { delay: Duration::from_secs(10) }),
    ] {
        let (message, follows) = late(fresh.clone(), at);
        assert_eq!((message.due_at, follows), (Some(after(until)), next));
        assert_eq!(message.clone().next_step(&telling(), after(until - 1)), Step::Rest);
        assert_eq!(hand(message, &telling(), after(until)).0.last_hop().unwrap().because, Because::NoNews);
    }
    let short = Message { expires_at: after(145), ..fresh };
    assert_eq!(late(short, 140).0.due_at, Some(after(145)), "not beyond its end");
}

#[test]
fn a_short_route_stays_short() {
    let mut quick = telling();
    quick.usable.iter_mut().for_each(|way| way.wait = Duration::from_secs(6));
    for (at, until) in [(1, 6), (3, 6), (4, 7), (9, 12)] {
        let (fresh, hop) = hand(message(Channel::Sms), &quick, NOW);
        let claimed = fresh.claimed(hop, NOW).unwrap();
        let (message, _) = claimed.concluded(hop, (&accepted(), "", Vec::new()), 0, after(at));
        assert_eq!(message.due_at, Some(after(until)), "taken after {at} s");
    }
}

#[test]
fn receipts_come_in_any_order_and_twice() {
    let told = [Verdict::Delayed, Verdict::Undelivered, Verdict::Delivered];
    for first in told {
        for second in told {
            let once = taken().heard(1, &news(first, after(9))).unwrap();
            let twice = once.clone().heard(1, &news(second, after(10)));
            assert_eq!(twice.is_some(), second.rank() > first.rank(), "{first:?}, then {second:?}");
            let message = twice.unwrap_or(once);
            let highest = if second.rank() > first.rank() { second } else { first };
            assert_eq!(message.hops[0].news.as_ref().map(|news| news.verdict), Some(highest));
            assert_eq!(message.status == MessageStatus::Delivered, highest == Verdict::Delivered);
        }
    }
    assert_eq!(taken().heard(2, &news(Verdict::Delivered, after(9))), None, "there is no such hop");
}

#[test]
fn a_message_that_has_arrived_is_closed() {
    let arrived = taken().heard(1, &news(Verdict::Delivered, after(9))).unwrap();
    assert_eq!((arrived.status, arrived.due_at), (MessageStatus::Delivered, None));
    assert_eq!((&arrived.content, &arrived.reason), (&None, &None));
    assert_eq!(arrived.clone().next_step(&telling(), after(120)), Step::Rest);

    // The next way was taken already, and its sender comes for it.
    let (message, hop) = hand(taken(), &telling(), after(120));
    let arrived = message.clone().heard(1, &news(Verdict::Delivered, after(121))).unwrap();
    assert_eq!(arrived.claimed(hop, after(122)), None, "nothing goes out any more");

    // Its sender was faster: what became of the hop is written down, and changes nothing.
    let arrived =
        message.claimed(hop, after(121)).unwrap().heard(1, &news(Verdict::Delivered, after(121))).unwrap();
    for outcome in [accepted(), Outcome::RecipientBad, Outcome::Retry { after: None }, Outcome::Unknown] {
        let said = (&outcome, "why", Vec::new());
        let (kept, next) = arrived.clone().concluded(hop, said, 0, after(123));
        assert_eq!((kept.status, kept.due_at, next), (MessageStatus::Delivered, None, Next::Nothing));
        assert_eq!((kept.reason.as_deref(), kept.hops.len()), (None, 2));
        assert_eq!(kept.last_hop().unwrap().state.as_str(), outcome.as_str());
        assert_eq!(kept.version, arrived.version + 1);
    }
}

#[test]
fn late_receipts_settle_a_closed_message() {
    let closed = taken_twice();
    assert_eq!((closed.status, closed.is_open()), (MessageStatus::Sent, false));
    let one = closed.clone().heard(1, &news(Verdict::Undelivered, after(200))).unwrap();
    assert_eq!(one.status, MessageStatus::Sent, "the other may have arrived");
    let both = one.heard(2, &news(Verdict::Undelivered, after(201))).unwrap();
    assert_eq!((both.status, both.reason.as_deref()), (MessageStatus::Undelivered, Some("carrier 30003")));
    assert_eq!(both.clone().settled(), both);
    let arrived = both.heard(1, &news(Verdict::Delivered, after(202))).unwrap();
    assert_eq!((arrived.status, arrived.reason.as_deref()), (MessageStatus::Delivered, None));
    let after_all = arrived.clone().heard(2, &news(Verdict::Delivered, after(203))).unwrap();
    assert_eq!(after_all.status, MessageStatus::Delivered);
    assert_eq!(arrived.clone().settled(), arrived);

    let delayed = closed.heard(1, &news(Verdict::Undelivered, after(200))).unwrap();
    let delayed = delayed.heard(2, &news(Verdict::Delayed, after(201))).unwrap();
    assert_eq!(delayed.status, MessageStatus::Sent, "its provider goes on trying");
}

#[test]
fn receipts_of_what_ended_badly_tell_the_truth() {
    let (message, _) = hand(message(Channel::Sms), &two(), NOW);
    let (message, _) = sent(message, &Outcome::Unknown, after(2));
    let (message, _) = hand(message, &two(), after(120));
    let (message, _) = sent(message, &Outcome::RecipientBad, after(121));
    let failed = close(message, &two(), after(121));
    assert_eq!(failed.reason.as_deref(), Some("why; it may have arrived all the same"));
    let refuted = failed.clone().heard(1, &news(Verdict::Undelivered, after(200))).unwrap();
    assert_eq!(
        (refuted.status, refuted.reason.as_deref()),
        (MessageStatus::Undelivered, Some("carrier 30003"))
    );
    let arrived = failed.heard(1, &news(Verdict::Delivered, after(200))).unwrap();
    assert_eq!((arrived.status, arrived.reason), (MessageStatus::Delivered, None));
}

#[test]
fn a_receipt_may_be_faster_than_the_sender() {
    for (routes, hops) in [(telling(), 2), (routes(vec![telling().usable.remove(0)]), 1)] {
        let (message, hop) = hand(message(Channel::Sms), &routes, NOW);
        let message = message.claimed(hop, after(1)).unwrap();
        let message = message.heard(hop, &news(Verdict::Undelivered, after(2))).unwrap();
        let (message, next) = message.concluded(hop, (&accepted(), "", Vec::new()), 0, after(3));
        assert_eq!((next, message.due_at), (Next::AT_ONCE, Some(after(3))));
        match message.next_step(&routes, after(3)) {
            Step::Hand(message, ..) => {
                assert_eq!(message.last_hop().unwrap().because, Because::BadNews);
                assert_eq!(message.hops.len(), hops);
            }
            Step::Close(message) => {
                assert_eq!((message.status, message.hops.len()), (MessageStatus::Undelivered, hops));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn doubt_that_a_receipt_refutes_takes_the_next_way() {
    for channel in [Channel::Sms, Channel::Email] {
        let ways = routes(telling().usable.into_iter().map(|way| Way { channel, ..way }).collect());
        let (message, hop) = hand(message(channel), &ways, NOW);
        let message = message.claimed(hop, after(1)).unwrap();
        let heard = message.clone().heard(hop, &news(Verdict::Undelivered, after(2))).unwrap();
        let (heard, follows) = heard.concluded(hop, (&Outcome::Unknown, "why", Vec::new()), 0, after(3));
        assert_eq!(follows, Next::AT_ONCE);
        // Its sender was lost.
        let lost = message.heard(hop, &news(Verdict::Undelivered, after(2))).unwrap();
        for (message, at) in [(heard, after(3)), (lost, after(1).plus(LEASE))] {
            let (message, _) = hand(message, &ways, at);
            let next = message.last_hop().unwrap();
            assert_eq!((next.via.shown(), next.because), ("two", Because::BadNews), "{channel:?}");
        }
    }
}

#[test]
fn a_late_report_is_written_down() {
    let ways =
        routes(telling().usable.into_iter().map(|way| Way { channel: Channel::Email, ..way }).collect());
    let (message, hop) = hand(message(Channel::Email), &ways, NOW);
    let lost = message.claimed(hop, NOW).unwrap();
    let (message, again) = hand(lost, &ways, NOW.plus(LEASE));
    assert_eq!(message.last_hop().unwrap().because, Because::Again);
    let (message, next) = message.concluded(hop, (&accepted(), "", Vec::new()), 0, after(50));
    assert_eq!((next, message.hops[0].is_accepted()), (Next::Nothing, true));
    let (message, _) = sent(message, &Outcome::RecipientBad, after(51));
    let (message, _) = hand(message, &ways, after(51));
    assert_eq!((again, message.last_hop().unwrap().number), (2, 3));
    let (message, _) = sent(message, &Outcome::RecipientBad, after(52));
    assert_eq!(close(message, &ways, after(52)).status, MessageStatus::Sent, "the first was taken after all");
}

#[test]
fn the_end_of_its_time_tells_the_truth() {
    let ends = |message: Message| close(message, &telling(), NOW.plus(Duration::from_hours(1)));
    let expires = |at: u64| Message { expires_at: after(at), ..message(Channel::Sms) };
    let end = |message: Message, at: u64| {
        let closed = close(message, &telling(), after(at));
        (closed.status, closed.reason.unwrap())
    };
    let (short, hop) = hand(expires(30), &telling(), NOW);
    assert_eq!(short.due_at, Some(after(30)), "it is not kept for longer than it is worth sending");
    let not_asked = "its time ran out before a provider took it".to_owned();
    assert_eq!(end(short.clone(), 30), (MessageStatus::Expired, not_asked));

    let claimed = short.claimed(hop, after(29)).unwrap();
    assert_eq!(claimed.clone().next_step(&telling(), after(40)), Step::Rest, "its sender is at it");
    let (status, why) = end(claimed.clone(), 29 + 45);
    assert_eq!(status, MessageStatus::Expired);
    assert!(
        why.ends_with("its sender never told what became of it; it may have arrived all the same"),
        "{why}"
    );

    let (late, next) = claimed.concluded(hop, (&accepted(), "", Vec::new()), 0, after(31));
    assert_eq!((late.due_at, next), (Some(after(30)), Next::Nothing));
    assert_eq!(end(late, 31), (MessageStatus::Sent, "its time ran out before a receipt came".to_owned()));

    let bad = taken().heard(1, &news(Verdict::Undelivered, after(9))).unwrap();
    let ended = ends(bad.clone());
    assert_eq!((ended.status, ended.reason.as_deref()), (MessageStatus::Undelivered, Some("carrier 30003")));
    assert_eq!(taken().cancelled(Overtaken::UserDeleted).status, MessageStatus::Sent);
    assert_eq!(bad.cancelled(Overtaken::UserDeleted).status, MessageStatus::Undelivered);
    assert_eq!(message(Channel::Sms).refused("no".to_owned()).status, MessageStatus::Failed);
}

#[test]
fn a_hop_of_a_closed_message_is_not_given_back() {
    let (message, hop) = hand(message(Channel::Sms), &telling(), NOW);
    let claimed = message.claimed(hop, NOW).unwrap();
    let arrived = claimed.clone().heard(hop, &news(Verdict::Delivered, after(1))).unwrap();
    assert!(!arrived.unclaimed(hop, after(2)).is_open());
    let given_back = claimed.unclaimed(hop, after(2));
    assert_eq!(given_back.due_at, Some(NOW.plus(ROUTE_TIME)), "its route's time goes on");
}

#[test]
fn a_text_in_doubt_holds_no_message_that_began_as_a_mail() {
    let mail = Way { channel: Channel::Email, ..way("mail", Sender::Smtp) };
    let ways = routes(vec![mail, way("text", Sender::Twilio)]);
    let (message, _) = hand(message(Channel::Email), &ways, NOW);
    let (message, _) = sent(message, &Outcome::QuotaGone, NOW);
    let (message, _) = hand(message, &ways, NOW);
    let (message, _) = sent(message, &Outcome::Unknown, NOW);
    let closed = close(message, &ways, NOW.plus(ROUTE_TIME));
    assert_eq!(closed.status, MessageStatus::Failed, "nobody gets a message an hour after it may have come");
}

/// A password, by the first of two ways that tell.
fn password() -> (Message, u16) {
    let fresh = Message { purpose: TemplateKind::NewPassword, ..message(Channel::Sms) };
    hand(fresh, &telling(), NOW)
}

#[test]
fn a_password_is_forgotten_as_soon_as_a_provider_has_it() {
    let is_gone = |message: &Message| message.content.is_none() && message.due_at.is_none();
    let (fresh, hop) = password();
    let claimed = fresh.clone().claimed(hop, NOW).unwrap();
    let conclude = |message: Message, at| message.concluded(hop, (&accepted(), "", Vec::new()), 0, after(at));
    let (taken, next) = conclude(claimed.clone(), 2);
    assert!(is_gone(&taken) && next == Next::Nothing && taken.status == MessageStatus::Sent, "{taken:?}");
    let later = taken.heard(hop, &news(Verdict::Undelivered, after(9))).unwrap();
    assert_eq!(
        (later.status, later.next_step(&telling(), after(9))),
        (MessageStatus::Undelivered, Step::Rest)
    );

    // The receipt is faster than the sender.
    let early = claimed.clone().heard(hop, &news(Verdict::Undelivered, after(1))).unwrap();
    let closed = close(early.clone(), &telling(), after(1));
    assert!(is_gone(&closed) && closed.status == MessageStatus::Undelivered, "{closed:?}");
    let (told, next) = conclude(early, 2);
    assert!(is_gone(&told) && next == Next::Nothing && told.status == MessageStatus::Undelivered, "{told:?}");

    // A sender that was given up tells that its provider has it, while the next one is at it.
    let doubted = claimed.doubted(after(600));
    let (next, second) = hand(doubted, &telling(), after(600));
    assert_eq!(second, 2, "nobody knows that the first has it");
    let (told, follows) = conclude(next, 601);
    assert!(is_gone(&told) && follows == Next::Nothing, "{told:?}");
    assert!(told.claimed(second, after(601)).is_none(), "and the next sends nothing");
}
