//! Whole stories, as operators read them.

use super::*;

/// The story with seconds since the message was made.
fn told(message: &Message) -> Vec<String> {
    let line = |line: Line| format!("{} {}", NOW.until(line.at).as_secs(), line.text);
    message.story().into_iter().map(line).collect()
}

#[track_caller]
fn reads(message: &Message, story: &str) {
    assert_eq!(told(message), story.lines().map(str::trim_start).collect::<Vec<_>>());
}

fn text() -> Message {
    Message { recipient: "+44***123".to_owned(), ..message(Channel::Sms) }
}

fn falls_back() -> Message {
    let mail = Fallback { channel: Channel::Email, recipient: "j***@e***.org".to_owned() };
    Message { fallback: Some(mail), ..text() }
}

fn ways() -> Routes {
    let minute = |id, sender| Way { wait: Duration::from_mins(1), tells: true, ..way(id, sender) };
    routes(vec![minute("acme-twilio", Sender::Twilio), minute("acme-notify", Sender::GovukNotify)])
}

fn with_mail() -> Routes {
    let mut routes = ways();
    routes.usable.truncate(1);
    routes.usable.push(Way { channel: Channel::Email, ..way("acme-mail", Sender::Smtp) });
    routes
}

/// The sender of the last hop claims it and tells why, some seconds after the message was made.
#[track_caller]
fn tells(message: Message, outcome: &Outcome, why: &str, at: u64) -> Message {
    let number = message.last_hop().unwrap().number;
    let claimed = message.claimed(number, after(at)).expect("claimed");
    claimed.concluded(number, (outcome, why, vec!["S: what was said".to_owned()]), 255, after(at)).0
}

fn accepted_as(id: &str) -> Outcome {
    Outcome::Accepted { provider_id: id.to_owned() }
}

fn heard(message: Message, hop: u16, verdict: Verdict, why: &str, at: u64) -> Message {
    message.heard(hop, &News { verdict, why: why.to_owned(), at: after(at) }).expect("news")
}

#[test]
fn the_first_gateway_is_silent_and_the_second_delivers() {
    let (message, _) = hand(text(), &ways(), after(1));
    let message = tells(message, &accepted_as("SM1"), "", 2);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         1 Handed to acme-twilio (twilio).
         2 Accepted by acme-twilio as SM1.
         2 Waits for a receipt until 2027-01-15T08:01:01Z.",
    );
    let (message, _) = hand(message, &ways(), after(61));
    let message = tells(message, &accepted_as("n-1"), "", 62);
    let message = heard(message, 2, Verdict::Delivered, "", 66);
    let message = heard(message, 1, Verdict::Undelivered, "Twilio 30003: the phone is unreachable", 90);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         1 Handed to acme-twilio (twilio).
         2 Accepted by acme-twilio as SM1.
         61 Handed to acme-notify (govuk_notify), because no receipt from acme-twilio came within 60 s.
         62 Accepted by acme-notify as n-1.
         66 Receipt from acme-notify: it arrived.
         90 Receipt from acme-twilio: it did not arrive: Twilio 30003: the phone is unreachable.
         90 Closed: delivered.",
    );
}

#[test]
fn a_busy_gateway_takes_it_at_the_third_try() {
    let (message, _) = hand(text(), &ways(), after(0));
    let busy = Outcome::Retry { after: None };
    let message = tells(message, &busy, "Twilio 20429: too many requests", 1);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio could not take it yet: Twilio 20429: too many requests.
         1 Another try by acme-twilio (twilio), planned for 2027-01-15T08:00:03Z.",
    );
    let message = tells(message, &busy, "Twilio 20429: too many requests", 3);
    let message = message.claimed(3, after(8)).unwrap();
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio could not take it yet: Twilio 20429: too many requests.
         3 Another try by acme-twilio (twilio).
         3 acme-twilio could not take it yet: Twilio 20429: too many requests.
         7 Another try by acme-twilio (twilio).
         8 Its sender has it, and has not told yet what became of it.",
    );
    let (message, _) = message.concluded(3, (&accepted_as("SM1"), "", Vec::new()), 0, after(9));
    let message = heard(message, 3, Verdict::Delayed, "queued", 12);
    let message = heard(message, 3, Verdict::Delivered, "", 20);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio could not take it yet: Twilio 20429: too many requests.
         3 Another try by acme-twilio (twilio).
         3 acme-twilio could not take it yet: Twilio 20429: too many requests.
         7 Another try by acme-twilio (twilio).
         9 Accepted by acme-twilio as SM1.
         20 Receipt from acme-twilio: it arrived.
         20 Closed: delivered.",
    );
}

#[test]
fn a_text_that_did_not_arrive_goes_by_mail() {
    let (message, _) = hand(falls_back(), &with_mail(), after(0));
    let message = tells(message, &accepted_as("SM1"), "", 1);
    let message = heard(message, 1, Verdict::Undelivered, "Twilio 30006: a landline", 5);
    let (message, _) = hand(message, &with_mail(), after(5));
    let message = tells(message, &accepted_as("m-1"), "", 6);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123; by e-mail to j***@e***.org if that does not reach them.
         0 Handed to acme-twilio (twilio).
         1 Accepted by acme-twilio as SM1.
         5 Receipt from acme-twilio: it did not arrive: Twilio 30006: a landline.
         5 Now by e-mail to j***@e***.org: handed to acme-mail (smtp), because acme-twilio says that it did not arrive.
         6 Accepted by acme-mail as m-1.
         6 Closed: sent.",
    );
}

#[test]
fn doubt_is_told_as_doubt() {
    let (message, _) = hand(text(), &ways(), after(0));
    let message = tells(message, &Outcome::Unknown, "no answer came in time", 10);
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         10 Nobody knows whether acme-twilio took it: no answer came in time.
         10 Waits for a receipt until 2027-01-15T08:01:00Z.",
    );
    let (message, _) = hand(message, &ways(), after(60));
    let message = tells(message, &Outcome::RecipientBad, "Notify 400: not a mobile number", 61);
    reads(
        &close(message, &ways(), after(61)),
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         10 Nobody knows whether acme-twilio took it: no answer came in time.
         60 Handed to acme-notify (govuk_notify), because nobody knows whether acme-twilio took it.
         61 acme-notify refused its recipient: Notify 400: not a mobile number.
         61 Closed: failed: Notify 400: not a mobile number; it may have arrived all the same.",
    );
    let (mail, _) = hand(message_by_mail(), &own(), after(0));
    let mail = tells(mail, &Outcome::Unknown, "no answer came in time", 10);
    let mail = tells(mail, &Outcome::Unknown, "no answer came in time", 14);
    reads(
        &close(mail, &own(), after(14)),
        "0 Written: push_token, by e-mail to j***@e***.org.
         0 Handed to the deployment's own SES (ses).
         10 Nobody knows whether the deployment's own SES took it: no answer came in time.
         12 Another try by the deployment's own SES (ses), because nobody knows whether it took it.
         14 Nobody knows whether the deployment's own SES took it: no answer came in time.
         14 Closed: failed: no answer came in time; it may have arrived all the same.",
    );
}

fn message_by_mail() -> Message {
    message(Channel::Email)
}

#[test]
fn a_gateway_in_trouble_holds_it_until_its_time_runs_out() {
    let one = |why: &str| {
        let mut routes = ways();
        routes.usable.truncate(1);
        Routes { passed_over: vec![why.to_owned()], ..routes }
    };
    let routes = one("The gateway acme-notify is passed over: it is not enabled.");
    let (message, _) = hand(text(), &routes, after(0));
    let message = tells(message, &Outcome::ConfigurationBad, "Twilio 20003: the credentials are wrong", 1);
    let message = wait(message, &routes, after(1));
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio takes nothing until an operator mends it: Twilio 20003: the credentials are wrong.
         1 Held until 2027-01-15T08:00:31Z: The gateway acme-notify is passed over: it is not enabled.",
    );
    let (message, _) = hand(message, &routes, after(31));
    let message = tells(message, &Outcome::QuotaGone, "Twilio 63038: the daily limit is reached", 32);
    reads(
        &close(message, &routes, after(3600)),
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio takes nothing until an operator mends it: Twilio 20003: the credentials are wrong.
         31 Handed to acme-twilio (twilio) again, because it may work by now.
         32 acme-twilio takes nothing for a while: what may be sent is used up: Twilio 63038: the daily limit is reached.
         3600 Closed: expired: its time ran out before a provider took it; at last: Twilio 63038: the daily limit is reached.",
    );
}

#[test]
fn what_was_passed_over_tried_and_never_asked_is_told() {
    let mut routes = ways();
    routes.usable.push(way("acme-other", Sender::Twilio));
    routes.usable[0].circuit = Circuit::Open;
    routes.usable[1].circuit = Circuit::HalfOpen;
    let (message, _) = hand(text(), &routes, after(0));
    let (message, _) = hand(message, &routes, after(15));
    let message = tells(message, &Outcome::ContentBad, "Twilio 30007: filtered", 16);
    let (message, _) = hand(message, &routes, after(16));
    reads(
        &message.cancelled(Overtaken::UserDeleted),
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-notify (govuk_notify); it did not work before, and this message tries whether it does again; passed over because they do not work now: acme-twilio.
         15 Taken back from acme-notify, which was never asked: its sender did not take it in time.
         15 Handed to acme-other (twilio), because the sender of acme-notify did not take it within 15 s; passed over because they do not work now: acme-twilio.
         16 acme-other refused its text: Twilio 30007: filtered.
         16 Handed to acme-twilio (twilio), because acme-other does not take it.
         16 Closed: cancelled: its user was deleted.",
    );
}

#[test]
fn a_planned_try_that_nobody_takes_is_not_told_as_one_that_was_made() {
    let (message, _) = hand(text(), &ways(), after(0));
    let message = tells(message, &Outcome::Retry { after: None }, "Twilio 20429: too many requests", 1);
    reads(
        &message.clone().cancelled(Overtaken::UserOff),
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio could not take it yet: Twilio 20429: too many requests.
         1 Another try by acme-twilio (twilio), planned for 2027-01-15T08:00:03Z.
         1 Closed: cancelled: its user was switched off.",
    );
    let (message, _) = hand(message, &ways(), after(60));
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Handed to acme-twilio (twilio).
         1 acme-twilio could not take it yet: Twilio 20429: too many requests.
         3 Another try by acme-twilio (twilio).
         60 Taken back from acme-twilio, which was not asked again: its sender did not take it in time.
         60 Handed to acme-notify (govuk_notify), because the sender of acme-twilio did not take it within 60 s.",
    );
}

fn bounced(at: u64) -> Suppressed {
    Suppressed { since: after(at), why: "SES Permanent/General: 5.1.1.".to_owned() }
}

#[test]
fn an_address_that_is_not_written_to_is_no_promise() {
    let message = Message { suppressed: Some(bounced(0)), ..falls_back() };
    let (message, _) = hand(message, &ways(), after(1));
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Not by e-mail to j***@e***.org: the address is on the suppression list since 2027-01-15T08:00:00Z: SES Permanent/General: 5.1.1.
         1 Handed to acme-twilio (twilio).",
    );
    let text = Fallback { channel: Channel::Sms, recipient: "+44***123".to_owned() };
    let mail = Message { fallback: Some(text), ..message_by_mail() };
    let (message, _) = hand(Message { suppressed: Some(bounced(0)), ..mail.clone() }, &ways(), after(1));
    reads(
        &message,
        "0 Written: push_token, by text to +44***123.
         0 Not by e-mail to j***@e***.org: the address is on the suppression list since 2027-01-15T08:00:00Z: SES Permanent/General: 5.1.1.
         1 Handed to acme-twilio (twilio).",
    );
    let closed =
        close(Message { suppressed: Some(bounced(0)), ..mail.clone() }, &Routes::default(), after(1));
    let why =
        "the address is on the suppression list since 2027-01-15T08:00:00Z: SES Permanent/General: 5.1.1.";
    assert_eq!(closed.reason.as_deref(), Some(why));

    let mut routes = ways();
    routes.usable.insert(0, Way::OWN);
    let (message, _) = hand(mail, &routes, after(0));
    let message = tells(message, &accepted_as("m-1"), "", 1);
    let message = heard(message, 1, Verdict::Undelivered, "SES Permanent/General: 5.1.1", 3);
    let (message, _) = hand(Message { suppressed: Some(bounced(3)), ..message }, &ways(), after(4));
    reads(
        &message,
        "0 Written: push_token, by e-mail to j***@e***.org; by text to +44***123 if that does not reach them.
         0 Handed to the deployment's own SES (ses).
         1 Accepted by the deployment's own SES as m-1.
         3 Receipt from the deployment's own SES: it did not arrive: SES Permanent/General: 5.1.1.
         3 Not by e-mail to j***@e***.org: the address is on the suppression list since 2027-01-15T08:00:03Z: SES Permanent/General: 5.1.1.
         4 Now by text to +44***123: handed to acme-twilio (twilio), because the deployment's own SES says that it did not arrive.",
    );
}

#[test]
fn where_the_beginning_of_a_row_is_lost_no_time_is_told() {
    let busy = Outcome::Retry { after: None };
    let (message, _) = hand(text(), &ways(), after(0));
    let message = tells(message, &busy, "busy", 1);
    let mut message = tells(message, &busy, "busy", 3);
    let last = |message: &Message| {
        let (message, _) = hand(message.clone(), &ways(), after(60));
        told(&message).pop().unwrap()
    };
    assert!(last(&message).ends_with("did not take it within 60 s."), "{}", last(&message));
    message.hops.remove(0);
    assert!(last(&message).ends_with("did not take it in time."), "{}", last(&message));
    message.hops.remove(0);
    assert!(last(&message).ends_with("did not take it in time."), "{}", last(&message));
    let (message, _) = hand(message, &ways(), after(60));
    assert!(told(&message).concat().contains("which was not asked again"), "{:?}", told(&message));
}

#[test]
fn a_long_record_says_what_it_has_lost() {
    let mut message = Message { test: true, ..text() };
    message.hops = vec![Hop { number: 40, ..hand(text(), &ways(), after(5)).0.hops.remove(0) }];
    reads(
        &message,
        "0 Written: push_token, by text to +44***123, as a test.
         0 39 of its 40 tries are no longer on record.
         5 Handed to acme-twilio (twilio).",
    );
    reads(&text(), "0 Written: push_token, by text to +44***123.");
    reads(
        &close(text(), &Routes::default(), after(1)),
        "0 Written: push_token, by text to +44***123.
         0 Closed: failed: no gateway is configured for sms.",
    );
}

#[test]
fn nothing_that_a_provider_said_is_told() {
    let (message, _) = hand(text(), &ways(), after(0));
    let message = tells(message, &Outcome::RecipientBad, "why", 1);
    assert!(message.hops[0].said == ["S: what was said"] && !told(&message).concat().contains("said"));
}
