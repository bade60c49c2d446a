//! What the person is told who waits.

use super::*;
use crate::contact::Locale;

fn text() -> Message {
    let mail = Fallback { channel: Channel::Email, recipient: "j***@e***.org".to_owned() };
    Message { recipient: "+44***123".to_owned(), fallback: Some(mail), ..message(Channel::Sms) }
}

/// A text, then a mail half a minute later.
fn ways() -> Routes {
    let half = Duration::from_secs(30);
    let text = Way { wait: half, tells: true, ..way("one", Sender::Twilio) };
    routes(vec![text, Way { channel: Channel::Email, ..way("two", Sender::Smtp) }])
}

#[track_caller]
fn tells(message: &Message, at: u64, state: WaitingState, english: &str, german: &str) -> Waiting {
    let waiting = message.waiting(after(at));
    assert_eq!(waiting.state, state);
    assert_eq!(waiting.told(&Locale::default()), english);
    assert_eq!(waiting.told(&Locale::try_from("de-AT").unwrap()), german);
    waiting
}

#[test]
fn a_text_then_a_mail() {
    let new = tells(&text(), 0, WaitingState::OnItsWay, "On its way by text.", "Unterwegs per SMS.");
    assert_eq!((new.advice, new.next, new.recipient.as_str()), (WaitingAdvice::Wait, None, "+44***123"));
    let (message, _) = hand(text(), &ways(), after(1));
    tells(
        &message,
        2,
        WaitingState::OnItsWay,
        "On its way by text. Trying e-mail in 29 s.",
        "Unterwegs per SMS. Nächster Versuch per E-Mail in 29 s.",
    );
    let (message, _) = sent(message, &accepted(), after(3));
    let sent_text = tells(
        &message,
        21,
        WaitingState::Sent,
        "Sent by text 18 s ago. Trying e-mail in 10 s.",
        "Vor 18 s per SMS gesendet. Nächster Versuch per E-Mail in 10 s.",
    );
    assert_eq!((sent_text.advice, sent_text.since), (WaitingAdvice::Wait, Duration::from_secs(18)));
    let next = NextTry { channel: Some(Channel::Email), after: Duration::from_secs(10) };
    assert_eq!(sent_text.next, Some(next));
    let bad = News { verdict: Verdict::Undelivered, why: "x".to_owned(), at: after(22) };
    tells(
        &message.clone().heard(1, &bad).unwrap(),
        22,
        WaitingState::Delayed,
        "This takes longer than usual. We keep trying.",
        "Es dauert länger als sonst. Wir versuchen es weiter.",
    );
    let (message, _) = hand(message, &ways(), after(31));
    let mail = tells(
        &message,
        33,
        WaitingState::TryingNext,
        "Trying another way now, by e-mail.",
        "Wir versuchen es jetzt auf anderem Weg, per E-Mail.",
    );
    assert_eq!((mail.recipient.as_str(), mail.channel), ("j***@e***.org", Channel::Email));
    let (message, _) = sent(message, &accepted(), after(34));
    assert_eq!(message.waiting(after(40)).advice, WaitingAdvice::Wait);
    let look = tells(
        &message,
        64,
        WaitingState::Sent,
        "Sent by e-mail 30 s ago. Look in your inbox and your spam folder.",
        "Vor 30 s per E-Mail gesendet. Schauen Sie in Ihren Posteingang und Ihren Spam-Ordner.",
    );
    assert_eq!((look.advice, look.next), (WaitingAdvice::Look, None));
    tells(
        &message,
        34 + 300,
        WaitingState::Sent,
        "Sent by e-mail 5 min ago. Please ask for a new one.",
        "Vor 5 min per E-Mail gesendet. Bitte fordern Sie eine neue an.",
    );
    // The text arrives after all.
    let good = News { verdict: Verdict::Delivered, why: String::new(), at: after(70) };
    let arrived = tells(
        &message.heard(1, &good).unwrap(),
        75,
        WaitingState::Delivered,
        "Delivered by text 5 s ago. Look at the messages on your phone.",
        "Vor 5 s per SMS zugestellt. Schauen Sie in die Nachrichten auf Ihrem Telefon.",
    );
    assert_eq!(arrived.recipient, "+44***123");
}

#[test]
fn a_busy_gateway_is_tried_again_by_the_same_channel() {
    let (message, _) = hand(text(), &ways(), NOW);
    let (message, _) = sent(message, &Outcome::Retry { after: Some(Duration::from_secs(20)) }, NOW);
    let pause = tells(
        &message,
        5,
        WaitingState::Delayed,
        "This takes longer than usual. We keep trying. Trying again by text in 15 s.",
        "Es dauert länger als sonst. Wir versuchen es weiter. Nächster Versuch per SMS in 15 s.",
    );
    assert_eq!((pause.since, pause.advice), (Duration::from_secs(5), WaitingAdvice::Wait));
    let due = message.waiting(after(21));
    assert_eq!((due.state, due.since), (WaitingState::OnItsWay, Duration::from_secs(21)));
}

#[test]
fn a_pause_on_another_way_is_one_too() {
    let (message, _) = hand(text(), &ways(), NOW);
    let (message, _) = sent(message, &Outcome::RecipientBad, after(1));
    let (message, _) = hand(message, &ways(), after(1));
    let (message, _) = sent(message, &Outcome::Retry { after: Some(Duration::from_secs(50)) }, after(100));
    let pause = tells(
        &message,
        130,
        WaitingState::Delayed,
        "This takes longer than usual. We keep trying. Trying again by e-mail in 20 s.",
        "Es dauert länger als sonst. Wir versuchen es weiter. Nächster Versuch per E-Mail in 20 s.",
    );
    assert_eq!((pause.since, pause.advice), (Duration::from_secs(30), WaitingAdvice::Wait));
    assert_eq!(message.waiting(after(151)).state, WaitingState::TryingNext);
}

#[test]
fn without_a_fallback_the_next_try_goes_by_the_same_channel() {
    let (message, _) = hand(message(Channel::Sms), &telling(), NOW);
    let (message, _) = sent(message, &accepted(), NOW);
    let next = NextTry { channel: Some(Channel::Sms), after: Duration::from_secs(20) };
    assert_eq!(message.waiting(after(100)).next, Some(next));
    let short = Message { expires_at: after(110), ..message };
    assert_eq!(short.waiting(after(100)).next, None, "its time is over before");
}

#[test]
fn doubt_is_no_promise() {
    let (message, _) = hand(text(), &ways(), NOW);
    let (message, _) = sent(message, &Outcome::Unknown, after(10));
    tells(
        &message,
        20,
        WaitingState::OnItsWay,
        "On its way by text. Trying e-mail in 10 s.",
        "Unterwegs per SMS. Nächster Versuch per E-Mail in 10 s.",
    );
}

#[test]
fn what_no_gateway_takes_is_delayed_and_then_a_case_for_the_helpdesk() {
    let off = Routes { usable: Vec::new(), passed_over: vec!["one is off".to_owned()], ..Routes::default() };
    let held = wait(text(), &off, NOW);
    let english = "This takes longer than usual. We keep trying.";
    let german = "Es dauert länger als sonst. Wir versuchen es weiter.";
    assert_eq!(tells(&held, 9, WaitingState::Delayed, english, german).advice, WaitingAdvice::Wait);
    let later = held.waiting(after(120));
    assert_eq!((later.advice, later.next), (WaitingAdvice::AskHelpdesk, None));
    let (message, _) = hand(text(), &routes(vec![way("one", Sender::Twilio)]), NOW);
    let (message, _) = sent(message, &Outcome::ConfigurationBad, NOW);
    tells(&message, 0, WaitingState::Delayed, english, german);
}

#[test]
fn ends_are_told() {
    let failed = close(text(), &Routes::default(), NOW);
    let waiting = tells(
        &failed,
        1,
        WaitingState::NotDelivered,
        "It did not arrive, as far as we know. Please ask your helpdesk.",
        "Soweit wir wissen, kam die Nachricht nicht an. Bitte wenden Sie sich an Ihren Helpdesk.",
    );
    assert_eq!((waiting.next, waiting.since), (None, Duration::from_secs(1)));
    let expired = close(text(), &ways(), after(3600));
    let waiting = tells(
        &expired,
        3700,
        WaitingState::Ended,
        "This message is no longer good. Please ask for a new one.",
        "Diese Nachricht gilt nicht mehr. Bitte fordern Sie eine neue an.",
    );
    assert_eq!(waiting.since, Duration::from_secs(100));
    for (why, advice) in [
        (Overtaken::NewerLink, WaitingAdvice::Look),
        (Overtaken::GivenUp, WaitingAdvice::AskAgain),
        (Overtaken::UserOff, WaitingAdvice::AskHelpdesk),
    ] {
        let cancelled = text().cancelled(why).waiting(after(2));
        assert_eq!((cancelled.state, cancelled.advice), (WaitingState::Ended, advice));
    }
}

#[test]
fn what_was_overtaken_once_it_had_left_is_no_longer_good() {
    let (message, _) = hand(text(), &ways(), NOW);
    let (message, _) = sent(message, &accepted(), after(1));
    let overtaken = message.clone().cancelled(Overtaken::TokenRevoked);
    assert_eq!(overtaken.status, MessageStatus::Sent);
    let waiting = tells(
        &overtaken,
        9,
        WaitingState::Ended,
        "This message is no longer good. Please ask your helpdesk.",
        "Diese Nachricht gilt nicht mehr. Bitte wenden Sie sich an Ihren Helpdesk.",
    );
    assert_eq!((waiting.since, waiting.next), (Duration::from_secs(8), None));
    let bad = News { verdict: Verdict::Undelivered, why: "x".to_owned(), at: after(10) };
    let late = overtaken.heard(1, &bad).unwrap();
    assert_eq!(
        (late.status, late.waiting(after(11)).state),
        (MessageStatus::Undelivered, WaitingState::Ended)
    );

    // The second gateway is in trouble: the first has it.
    let (message, _) = hand(message, &ways(), after(31));
    let (message, _) = sent(message, &Outcome::ConfigurationBad, after(32));
    let closed = close(message, &ways(), after(32));
    assert!(closed.status == MessageStatus::Sent && closed.reason.is_some());
    assert_eq!(closed.waiting(after(33)).state, WaitingState::Sent);
}
