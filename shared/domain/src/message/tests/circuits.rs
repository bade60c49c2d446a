//! Gateways that do not work are passed over, as long as another way is left.

use super::*;
use crate::circuit::PROBE_WAIT;

fn with(circuits: &[(&str, Circuit)]) -> Routes {
    let way =
        |(id, circuit): &(&str, Circuit)| Way { tells: true, circuit: *circuit, ..way(id, Sender::Twilio) };
    routes(circuits.iter().map(way).collect())
}

fn last(message: &Message) -> (&str, &[String], bool) {
    let hop = message.last_hop().unwrap();
    (hop.via.shown(), &hop.passed, hop.probe.is_some())
}

#[test]
fn an_open_circuit_is_passed_over_and_told() {
    let ways = with(&[("one", Circuit::Open), ("two", Circuit::Open), ("three", Circuit::Closed)]);
    let (message, _) = hand(message(Channel::Sms), &ways, NOW);
    assert_eq!(last(&message), ("three", ["one".to_owned(), "two".to_owned()].as_slice(), false));
    assert_eq!(message.last_hop().unwrap().limit, Some(NOW.plus(ROUTE_TIME)), "the others are still left");
    let (message, _) = sent(message, &Outcome::RecipientBad, NOW);
    let (message, _) = hand(message, &ways, NOW);
    assert_eq!(last(&message), ("one", [].as_slice(), false), "no other way is left");
}

#[test]
fn where_no_gateway_works_the_order_of_policy_holds() {
    let ways = with(&[("one", Circuit::Open), ("two", Circuit::Open)]);
    let (message, _) = hand(message(Channel::Sms), &ways, NOW);
    assert_eq!(last(&message), ("one", [].as_slice(), false));
    let (message, _) = sent(message, &Outcome::ConfigurationBad, NOW);
    let (message, _) = hand(message, &ways, NOW);
    assert_eq!(last(&message), ("two", [].as_slice(), false));
    assert_eq!(message.last_hop().unwrap().limit, None);
}

#[test]
fn a_half_open_one_is_tried_for_a_short_while() {
    let ways = with(&[("one", Circuit::HalfOpen), ("two", Circuit::Closed)]);
    let (tried, _) = hand(message(Channel::Sms), &ways, NOW);
    assert_eq!(last(&tried), ("one", [].as_slice(), true));
    assert_eq!(tried.last_hop().unwrap().limit, Some(NOW.plus(PROBE_WAIT)));
    let (tried, _) = sent(tried, &accepted(), after(1));
    let (tried, _) = hand(tried, &ways, NOW.plus(PROBE_WAIT));
    assert_eq!(
        (last(&tried), tried.last_hop().unwrap().because),
        (("two", [].as_slice(), false), Because::NoNews)
    );

    let hasty = Way { wait: Duration::from_secs(5), ..ways.usable[0].clone() };
    let hasty = routes(vec![hasty, ways.usable[1].clone()]);
    let (tried, _) = hand(message(Channel::Sms), &hasty, NOW);
    assert_eq!(tried.last_hop().unwrap().limit, Some(after(5)), "never longer than its route waits");

    let (alone, _) = hand(message(Channel::Sms), &with(&[("one", Circuit::HalfOpen)]), NOW);
    assert_eq!((last(&alone), alone.last_hop().unwrap().limit), (("one", [].as_slice(), true), None));
}

#[test]
fn a_held_message_tries_what_has_been_in_trouble_for_the_longest_whatever_its_circuit() {
    let ways = with(&[("one", Circuit::Open), ("two", Circuit::Open)]);
    let (message, _) = hand(message(Channel::Sms), &ways, NOW);
    let (message, _) = sent(message, &Outcome::QuotaGone, NOW);
    let (message, _) = hand(message, &ways, after(1));
    let (message, _) = sent(message, &Outcome::QuotaGone, after(1));
    let held = wait(message, &ways, after(1));
    let (message, _) = hand(held.clone(), &ways, held.due_at.unwrap());
    assert_eq!((last(&message).0, message.last_hop().unwrap().because), ("one", Because::Held));
}

#[test]
fn what_tries_a_gateway_tries_it_once_and_goes_on() {
    let ways = with(&[("one", Circuit::HalfOpen), ("two", Circuit::Closed)]);
    for (channel, outcome) in
        [(Channel::Sms, Outcome::Retry { after: None }), (Channel::Email, Outcome::Unknown)]
    {
        let ways = routes(ways.usable.iter().map(|way| Way { channel, ..way.clone() }).collect());
        let (tried, _) = hand(message(channel), &ways, NOW);
        let (tried, next) = sent(tried, &outcome, after(1));
        assert_eq!(next, Next::AT_ONCE, "one request says that it does not work yet");
        let (tried, _) = hand(tried, &ways, after(1));
        assert_eq!(last(&tried), ("two", [].as_slice(), false));
    }
}
