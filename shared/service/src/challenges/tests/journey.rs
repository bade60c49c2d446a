use otpost_domain::message::{MessageStatus, Sender};
use otpost_domain::outcome::Outcome;
use otpost_domain::template::TemplateName;

use super::*;
use crate::once::{Earlier, Reply, reserve};
use crate::users::{change_user, delete_user};

#[tokio::test]
async fn a_code_goes_by_mail_and_is_accepted_once() {
    let ports = janes(json!({})).await;
    let shown = started(&ports, &order()).await;
    assert_eq!((shown.purpose, shown.digits, shown.channel), (CodePurpose::SignIn, 6, Channel::Email));
    let now = ports.clock().now();
    assert_eq!((shown.expires_at, shown.resend_at), (now.plus(LIFE), now.plus(COOL_DOWN)));
    let sent = work(&ports).await;
    let [(to, text)] = sent.as_slice() else { panic!("{} messages", sent.len()) };
    let code = code_of(&ports, &shown.id, None).await;
    assert_eq!(to, MAIL);
    assert!(text.contains(&code) && text.contains("signing in") && !text.contains("[["), "{text}");
    assert!(is_refused(&checked(&ports, &shown.id, &wrong(&code)).await));
    assert_eq!(tell(&ports, &app(), &shown.id).await.unwrap().standing, Standing::Open);
    let accepted = checked(&ports, &shown.id, &typed(&code)).await.unwrap();
    assert_eq!(accepted.addressee, Addressee::User(named("jane")));
    assert!(!accepted.authenticates && accepted.source.is_none(), "a mail alone is no authentication");
    assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
    assert_eq!(tell(&ports, &app(), &shown.id).await.unwrap().standing, Standing::Accepted);
    assert!(is_over(&sent_again(&ports, &shown.id).await));
}

#[tokio::test]
async fn a_code_goes_by_text() {
    let ports = janes(texts()).await;
    let shown = started(&ports, &order()).await;
    assert_eq!(shown.channel, Channel::Sms);
    let sent = work(&ports).await;
    let code = code_of(&ports, &shown.id, None).await;
    let [(to, text)] = sent.as_slice() else { panic!("{} messages", sent.len()) };
    assert!(to == NUMBER && text.contains(&code), "{text}");
    assert!(checked(&ports, &shown.id, &typed(&code)).await.unwrap().authenticates);
}

/// Whoever reads the mailbox alone must not pass for whoever has the telephone.
#[tokio::test]
async fn a_code_that_was_mailed_too_is_no_authentication() {
    let ports = janes(texts()).await;
    let shown = started(&ports, &order()).await;
    assert_eq!(shown.channel, Channel::Sms);
    pass(&ports, COOL_DOWN);
    resend(&ports, &marked(), &shown.id, Some(Channel::Email), Once::not_kept()).await.unwrap();
    let code = code_of(&ports, &shown.id, None).await;
    assert!(!checked(&ports, &shown.id, &typed(&code)).await.unwrap().authenticates);
}

#[tokio::test]
async fn policy_may_let_mails_authenticate_and_lengthen_codes() {
    let settings = json!({
        "email_codes_authenticate": true, "challenge_digits": 8, "challenge_life_seconds": 60,
        "challenge_attempts": 1, "challenge_cool_down_seconds": 10, "challenge_resends": 0,
    });
    let ports = janes(settings).await;
    let shown = started(&ports, &order()).await;
    let code = code_of(&ports, &shown.id, None).await;
    let now = ports.clock().now();
    assert_eq!((shown.digits, code.len()), (8, 8));
    assert_eq!(shown.expires_at, now.plus(Duration::from_mins(1)));
    assert_eq!(shown.resend_at, now.plus(Duration::from_secs(10)));
    pass(&ports, Duration::from_secs(10));
    let wait = (Duration::from_secs(50), Why::SentEnough);
    assert_eq!(waits(sent_again(&ports, &shown.id).await), Some(wait));
    assert!(checked(&ports, &shown.id, &typed(&code)).await.unwrap().authenticates);
    let shown = started(&ports, &order()).await;
    assert!(is_refused(&checked(&ports, &shown.id, &typed("12345678")).await));
    let code = code_of(&ports, &shown.id, None).await;
    assert!(is_exhausted(&checked(&ports, &shown.id, &typed(&code)).await), "one guess a code");
}

#[tokio::test]
async fn a_code_falls_back_to_mail_and_stays_the_same() {
    let mut settings = texts();
    settings["channel_fallback"] = true.into();
    let ports = janes(settings).await;
    let shown = start(&ports, &marked(), &order(), Once::not_kept()).await.unwrap();
    assert_eq!((shown.channel, shown.recipient.as_str()), (Channel::Sms, "+44 7*** ***123"));
    let message = last_message(&ports).await;
    let reference = MessageRef::from(&message);
    assert_eq!(message.fallback.map(|fallback| fallback.channel), Some(Channel::Email));
    ports.queue().take();
    deliver(&ports, &reference).await.unwrap();
    assert!(matches!(ports.queue().take().as_slice(), [Queued::Hand(Sender::Twilio, ..), ..]));
    let twilio =
        ScriptedProvider::of(Kind::Twilio).that_says(Outcome::RecipientBad, "Twilio 21211: no number");
    send(&ports, &twilio, &reference, 1).await.unwrap();
    let sent = work(&ports).await;
    let code = code_of(&ports, &shown.id, None).await;
    let [(to, text)] = sent.as_slice() else { panic!("{} messages", sent.len()) };
    assert!(to == MAIL && text.contains(&code), "{text}");
    let told = tell(&ports, &marked(), &shown.id).await.unwrap().waiting.unwrap();
    assert_eq!((told.channel, told.recipient.as_str()), (Channel::Email, "j***@e***.org"));
    assert!(!checked(&ports, &shown.id, &typed(&code)).await.unwrap().authenticates, "it went by mail");
}

#[tokio::test]
async fn whoever_asks_again_gets_the_same_code() {
    let ports = janes(json!({})).await;
    let first = started(&ports, &order()).await;
    let code = code_in(&ports, &last_message(&ports).await).await;
    let joined = started(&ports, &order()).await;
    assert_ne!(joined.id, first.id, "another text each time");
    assert_eq!((joined.expires_at, joined.resend_at), (first.expires_at, first.resend_at));
    assert_eq!(messages(&ports).await.len(), 1, "it is on its way");
    pass(&ports, COOL_DOWN);
    let again = started(&ports, &order()).await;
    assert_eq!(again.expires_at, first.expires_at);
    assert_eq!(again.resend_at, ports.clock().now().plus(COOL_DOWN));
    assert_eq!(code_in(&ports, &last_message(&ports).await).await, code);
    pass(&ports, COOL_DOWN.saturating_sub(MILLI));
    assert_eq!(waits(sent_again(&ports, &first.id).await), Some((MILLI, Why::CoolDown)));
    pass(&ports, MILLI);
    for times in 2..=3 {
        assert!(sent_again(&ports, &joined.id).await.is_ok());
        assert_eq!(messages(&ports).await.len(), 1 + times);
        assert_eq!(code_in(&ports, &last_message(&ports).await).await, code);
        pass(&ports, COOL_DOWN);
    }
    let left = ports.clock().now().until(first.expires_at);
    assert_eq!(waits(sent_again(&ports, &first.id).await), Some((left, Why::SentEnough)));
    let start = start(&ports, &app(), &order(), Once::not_kept()).await;
    assert_eq!(waits(start), Some((left, Why::SentEnough)));
    assert!(checked(&ports, &first.id, &typed(&code)).await.is_ok(), "the first id is as good as the last");
    assert!(is_refused(&checked(&ports, &again.id, &typed(&code)).await), "one use for all of them");
}

#[tokio::test]
async fn a_code_expires_to_the_millisecond() {
    for late in [false, true] {
        let ports = janes(json!({})).await;
        let shown = started(&ports, &order()).await;
        let code = code_of(&ports, &shown.id, None).await;
        pass(&ports, if late { LIFE } else { LIFE.saturating_sub(MILLI) });
        assert_eq!(checked(&ports, &shown.id, &typed(&code)).await.is_err(), late);
        assert!(is_over(&sent_again(&ports, &shown.id).await));
        let standing = tell(&ports, &app(), &shown.id).await.unwrap().standing;
        assert_eq!(standing, if late { Standing::Over } else { Standing::Accepted });
        started(&ports, &order()).await;
        let next = code_in(&ports, &last_message(&ports).await).await;
        assert_ne!(next, code);
        assert!(is_refused(&checked(&ports, &shown.id, &typed(&next)).await), "the new code by the old id");
    }
}

#[tokio::test]
async fn a_transactions_code_is_good_for_that_one_alone() {
    let ports = janes(json!({})).await;
    let (rent, loan) = ("Pay 900 € to Ms Hill", "Pay 900 € to Mr Hall");
    let first = started(&ports, &paying(rent)).await;
    let sent = work(&ports).await;
    assert!(sent[0].1.contains(rent), "{}", sent[0].1);
    let early = start(&ports, &app(), &paying(loan), Once::not_kept()).await;
    assert_eq!(waits(early), Some((COOL_DOWN, Why::CoolDown)), "no code tells two transactions");
    let code = code_of(&ports, &first.id, Some(rent)).await;
    let with = |transaction: Option<&str>, purpose| Answer {
        transaction: transaction.map(|text| Transaction::try_from(text).unwrap()),
        purpose,
        ..typed(&code)
    };
    assert!(is_refused(&checked(&ports, &first.id, &with(Some(loan), CodePurpose::Transaction)).await));
    assert!(is_refused(&checked(&ports, &first.id, &with(None, CodePurpose::Transaction)).await));
    assert!(is_refused(&checked(&ports, &first.id, &with(Some(rent), CodePurpose::SignIn)).await));
    pass(&ports, COOL_DOWN);
    let second = started(&ports, &paying(loan)).await;
    assert!(work(&ports).await[0].1.contains(loan));
    assert!(is_refused(&checked(&ports, &first.id, &with(Some(rent), CodePurpose::Transaction)).await));
    assert_eq!(row(&ports, &second.id).await.failures, 3, "what was guessed of the first still counts");
    let answer = Answer {
        transaction: Transaction::try_from(loan).ok(),
        purpose: CodePurpose::Transaction,
        ..typed(&code_of(&ports, &second.id, Some(loan)).await)
    };
    assert!(checked(&ports, &second.id, &answer).await.is_ok());
}

#[tokio::test]
async fn a_code_resent_for_a_transaction_tells_it_again() {
    let ports = janes(json!({})).await;
    let text = "Pay 1 € to Jo";
    let shown = started(&ports, &paying(text)).await;
    let code = code_in(&ports, &last_message(&ports).await).await;
    pass(&ports, COOL_DOWN);
    sent_again(&ports, &shown.id).await.unwrap();
    let again = last_message(&ports).await;
    assert_eq!(code_in(&ports, &again).await, code);
    assert!(content(&ports, &again).await.purpose.contains(text));
}

#[tokio::test]
async fn purposes_are_worthless_for_each_other() {
    let ports = janes(json!({})).await;
    let mut made = Vec::new();
    for purpose in [CodePurpose::SignIn, CodePurpose::Enrolment, CodePurpose::PasswordReset] {
        let shown = started(&ports, &Order { purpose, ..order() }).await;
        made.push((purpose, shown.id));
    }
    for (purpose, id) in &made {
        let code = code_of(&ports, id, None).await;
        for other in made.iter().filter(|(other, _)| other != purpose) {
            let elsewhere = Answer { purpose: other.0, ..typed(&code) };
            assert!(is_refused(&checked(&ports, id, &elsewhere).await), "asked for another purpose");
            assert!(is_refused(&checked(&ports, &other.1, &elsewhere).await), "of another challenge");
        }
    }
    for (purpose, id) in &made {
        assert_eq!(row(&ports, id).await.failures, 4, "each counts in the row of the id");
        let right = Answer { purpose: *purpose, ..typed(&code_of(&ports, id, None).await) };
        assert!(checked(&ports, id, &right).await.is_ok());
    }
}

#[tokio::test]
async fn wrong_codes_outlive_a_new_code_and_end_with_a_used_one() {
    let ports = janes(json!({})).await;
    for round in 1..=2 {
        let shown = started(&ports, &order()).await;
        let code = code_of(&ports, &shown.id, None).await;
        for _ in 0..5 {
            assert!(is_refused(&checked(&ports, &shown.id, &wrong(&code)).await));
        }
        assert!(is_exhausted(&checked(&ports, &shown.id, &typed(&code)).await));
        assert_eq!(tell(&ports, &app(), &shown.id).await.unwrap().standing, Standing::Exhausted);
        assert_eq!(row(&ports, &shown.id).await.failures, 5 * round);
        pass(&ports, COOL_DOWN);
    }
    // Ten were free; the eleventh costs more than the tenth.
    let shown = started(&ports, &order()).await;
    let code = code_of(&ports, &shown.id, None).await;
    checked(&ports, &shown.id, &wrong(&code)).await.unwrap_err();
    let wait = start(&ports, &app(), &order(), Once::not_kept()).await;
    assert_eq!(waits(wait), Some((Duration::from_mins(1), Why::Failures)));
    assert!(checked(&ports, &shown.id, &typed(&code)).await.is_ok(), "the code that there is stays good");
    let next = started(&ports, &order()).await;
    assert_eq!(row(&ports, &next.id).await.failures, 0);
    assert!(waits(sent_again(&ports, &next.id).await).is_some(), "the cool-down is the new code's");
}

#[tokio::test]
async fn a_failed_message_gives_the_cool_down_back_to_those_who_may_know() {
    let ports = janes(json!({})).await;
    let shown = started(&ports, &order()).await;
    let fails = async || {
        let message = last_message(&ports).await;
        let failed = message.refused("the provider would not".to_owned());
        assert_eq!(failed.status, MessageStatus::Failed);
        let _done = ports.store().save_message(&failed).await.unwrap();
    };
    fails().await;
    assert_eq!(waits(sent_again(&ports, &shown.id).await), Some((COOL_DOWN, Why::CoolDown)));
    started(&ports, &order()).await;
    assert_eq!(messages(&ports).await.len(), 1, "nothing more for others");
    let mut most = 0;
    loop {
        pass(&ports, MILLI);
        let again = resend(&ports, &marked(), &shown.id, None, Once::not_kept()).await;
        if let Some((_, why)) = waits(again) {
            assert_eq!(why, Why::SentEnough);
            break;
        }
        most += 1;
        fails().await;
    }
    assert_eq!(most, 7, "twice as often and once, but not for ever");
}

#[tokio::test]
async fn a_known_device_is_counted_apart() {
    let ports = janes(json!({})).await;
    let first = started(&ports, &order()).await;
    let answer = Answer { remember: true, ..typed(&code_of(&ports, &first.id, None).await) };
    let source = checked(&ports, &first.id, &answer).await.unwrap().source.unwrap();
    let mine = || Order { source: Some(source.clone()), ..order() };
    let theirs = Order { source: Some(format!("{}A", &source[..source.len() - 1])), ..order() };
    let own = started(&ports, &mine()).await;
    assert_eq!(said(&ports, &own.id).await.place.source, SourceClass::Known);
    let code = code_of(&ports, &own.id, None).await;
    let before = row(&ports, &own.id).await;
    // A stranger asks and guesses until nothing goes any more.
    let mut guesses = 0;
    loop {
        let shown = match start(&ports, &app(), &theirs, Once::not_kept()).await {
            Ok(shown) => shown,
            Err(StartError::Wait { retry_after, why: Why::Failures }) if guesses == 40 => {
                assert_eq!(retry_after, Duration::from_hours(1));
                break;
            }
            Err(StartError::Wait { retry_after, .. }) => {
                pass(&ports, retry_after);
                continue;
            }
            Err(other) => panic!("{other}"),
        };
        assert_eq!(said(&ports, &shown.id).await.place.source, SourceClass::Stranger);
        let theirs = code_of(&ports, &shown.id, None).await;
        assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await), "the owner's code by their id");
        guesses += 1;
        while is_refused(&checked(&ports, &shown.id, &wrong(&theirs)).await) {
            guesses += 1;
        }
        pass(&ports, COOL_DOWN);
    }
    assert_eq!(row(&ports, &own.id).await, before, "nothing has changed for the owner");
    let next = started(&ports, &mine()).await;
    let code = code_of(&ports, &next.id, None).await;
    assert!(checked(&ports, &next.id, &typed(&code)).await.is_ok());
}

#[tokio::test]
async fn a_device_is_known_for_a_while_and_to_its_owner_alone() {
    let ports = janes(json!({})).await;
    user(&ports, "june", Some("june@example.org"), None).await;
    let first = started(&ports, &order()).await;
    let answer = Answer { remember: true, ..typed(&code_of(&ports, &first.id, None).await) };
    let source = checked(&ports, &first.id, &answer).await.unwrap().source.unwrap();
    let class = async |addressee: &str, source: &str| {
        let addressee = Addressee::User(named(addressee));
        let order = Order { addressee, source: Some(source.to_owned()), ..order() };
        said(&ports, &started(&ports, &order).await.id).await.place.source
    };
    let long = format!("dev_{}", "A".repeat(4000));
    for made_up in ["", "dev_", "dev_AAAA", "x", &long, &"A".repeat(43)] {
        assert_eq!(class("jane", made_up).await, SourceClass::Stranger, "{made_up}");
    }
    assert_eq!(class("june", &source).await, SourceClass::Stranger);
    let known_for = device::KNOWN_FOR;
    pass(&ports, known_for.saturating_sub(MILLI));
    assert_eq!(class("jane", &source).await, SourceClass::Known);
    pass(&ports, MILLI);
    assert_eq!(class("jane", &source).await, SourceClass::Stranger);
}

#[tokio::test]
async fn a_bare_address_is_proven_for_enrolment() {
    let ports = world(texts()).await;
    let bare = |addressee| Order { addressee, purpose: CodePurpose::Enrolment, ..order() };
    let mail = Addressee::Bare(Contact::Email(EmailAddress::try_from("new@example.org").unwrap()));
    let phone = Addressee::Bare(Contact::Phone(PhoneNumber::try_from("+447700900456").unwrap()));
    for (addressee, to, authenticates) in [(mail, "new@example.org", false), (phone, "+447700900456", true)] {
        let shown = started(&ports, &bare(addressee.clone()).checked().unwrap()).await;
        let sent = work(&ports).await;
        let reason = last_message(&ports).await.reason;
        assert_eq!(sent.first().map(|(to, _)| to.as_str()), Some(to), "{reason:?}");
        let code = code_of(&ports, &shown.id, None).await;
        assert!(sent[0].1.contains(&code));
        let message = last_message(&ports).await;
        assert_eq!(message.user, None);
        let answer = Answer { purpose: CodePurpose::Enrolment, remember: true, ..typed(&code) };
        let accepted = checked(&ports, &shown.id, &answer).await.unwrap();
        assert_eq!((accepted.addressee, accepted.authenticates), (addressee.clone(), authenticates));
        let known = Order { source: accepted.source, ..bare(addressee) };
        let shown = started(&ports, &known).await;
        assert_eq!(said(&ports, &shown.id).await.place.source, SourceClass::Known);
        work(&ports).await;
        pass(&ports, MILLI);
    }
}

#[test]
fn orders_say_what_does_not_fit() {
    let text = Transaction::try_from("Pay").ok();
    let mail = Addressee::Bare(Contact::Email(EmailAddress::try_from(MAIL).unwrap()));
    let bare = Order { addressee: mail, purpose: CodePurpose::Enrolment, ..order() };
    let table = [
        (order(), None),
        (paying("Pay"), None),
        (bare.clone(), None),
        (Order { channel: Some(Channel::Email), ..bare.clone() }, None),
        (Order { channel: Some(Channel::Sms), ..bare.clone() }, Some(InvalidOrder::OtherChannel)),
        (Order { purpose: CodePurpose::SignIn, ..bare.clone() }, Some(InvalidOrder::BareIsForEnrolment)),
        (Order { transaction: text.clone(), ..bare }, Some(InvalidOrder::OutOfPlace)),
        (Order { transaction: text, ..order() }, Some(InvalidOrder::OutOfPlace)),
        (Order { transaction: None, ..paying("Pay") }, Some(InvalidOrder::NoTransaction)),
    ];
    for (order, fault) in table {
        assert_eq!(order.clone().checked().err(), fault, "{order:?}");
    }
}

#[tokio::test]
async fn a_challenge_that_is_given_up_is_not_sent_and_not_accepted() {
    let ports = janes(json!({})).await;
    let shown = started(&ports, &order()).await;
    let code = code_of(&ports, &shown.id, None).await;
    for _ in 0..2 {
        cancel(&ports, &app(), &shown.id).await.unwrap();
    }
    let message = last_message(&ports).await;
    assert_eq!((message.status, &message.content), (MessageStatus::Cancelled, &None));
    assert!(work(&ports).await.is_empty());
    assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
    assert!(is_over(&sent_again(&ports, &shown.id).await));
    assert_eq!(tell(&ports, &app(), &shown.id).await.unwrap().standing, Standing::Over);
    let soon = start(&ports, &app(), &order(), Once::not_kept()).await;
    assert_eq!(waits(soon), Some((COOL_DOWN, Why::CoolDown)), "nobody is flooded by giving up");
    pass(&ports, COOL_DOWN);
    let next = started(&ports, &order()).await;
    cancel(&ports, &app(), &shown.id).await.unwrap();
    let code = code_of(&ports, &next.id, None).await;
    assert!(checked(&ports, &next.id, &typed(&code)).await.is_ok(), "another code was not given up");
}

#[tokio::test]
async fn nothing_changes_of_a_challenge_that_was_accepted_before_it_was_given_up() {
    let ports = janes(json!({})).await;
    let shown = started(&ports, &order()).await;
    let request = Some(BearerHash::of(&[b"request"]));
    let right = Answer { request, ..typed(&code_of(&ports, &shown.id, None).await) };
    checked(&ports, &shown.id, &right).await.unwrap();
    let before = row(&ports, &shown.id).await;
    cancel(&ports, &app(), &shown.id).await.unwrap();
    assert_eq!(row(&ports, &shown.id).await, before);
    assert!(checked(&ports, &shown.id, &right).await.is_ok(), "the same request, whose answer was lost");
}

#[tokio::test]
async fn a_user_who_is_switched_off_or_deleted_is_let_in_by_no_code() {
    for deleted in [false, true] {
        let ports = janes(json!({})).await;
        let shown = started(&ports, &order()).await;
        let code = code_of(&ports, &shown.id, None).await;
        work(&ports).await;
        pass(&ports, COOL_DOWN);
        if deleted {
            delete_user(&ports, &app().caller, &named("jane"), None).await.unwrap();
        } else {
            change(&ports, Change { active: Some(false), ..Change::default() }).await;
        }
        assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
        assert!(is_over(&sent_again(&ports, &shown.id).await));
        let decoy = started(&ports, &order()).await;
        let message = last_message(&ports).await;
        let why = if deleted { "there is no such user" } else { "the user is switched off" };
        assert_eq!(message.reason.as_deref(), Some(why));
        let code = code_of(&ports, &decoy.id, None).await;
        assert!(is_refused(&checked(&ports, &decoy.id, &typed(&code)).await));
        // Who is there again needs another code.
        pass(&ports, COOL_DOWN);
        if deleted {
            user(&ports, "jane", Some(MAIL), Some(NUMBER)).await;
        } else {
            change(&ports, Change { active: Some(true), ..Change::default() }).await;
        }
        assert!(sent_again(&ports, &decoy.id).await.is_ok(), "it looks the same");
        assert!(work(&ports).await.is_empty(), "a code that is good for nothing goes to nobody");
        pass(&ports, COOL_DOWN);
        let real = started(&ports, &order()).await;
        let sent = work(&ports).await;
        let code = code_of(&ports, &real.id, None).await;
        assert!(sent[0].1.contains(&code) && checked(&ports, &real.id, &typed(&code)).await.is_ok());
    }
}

#[tokio::test]
async fn a_code_does_not_follow_to_another_address() {
    let ports = janes(json!({})).await;
    let shown = start(&ports, &marked(), &order(), Once::not_kept()).await.unwrap();
    work(&ports).await;
    pass(&ports, COOL_DOWN);
    let email = EmailAddress::try_from("thief@example.net").ok();
    change_user(
        &ports,
        &app().caller,
        &named("jane"),
        Change { email: Some(email), ..Change::default() },
        None,
    )
    .await
    .unwrap();
    ports.queue().take();
    assert!(is_over(&sent_again(&ports, &shown.id).await), "its code was for the old address");
    let old = code_of(&ports, &shown.id, None).await;
    assert!(is_refused(&checked(&ports, &shown.id, &typed(&old)).await));

    // A code that lets in does not go to an address that nobody has confirmed.
    pass(&ports, Duration::from_secs(1));
    let next = started(&ports, &order()).await;
    assert!(work(&ports).await.is_empty());
    let message = last_message(&ports).await;
    assert!(message.is_for_nobody() && message.content.is_none());
    assert_eq!(message.reason.as_deref(), Some("the user has no confirmed address for email"));
    let made = code_of(&ports, &next.id, None).await;
    assert!(is_refused(&checked(&ports, &next.id, &typed(&made)).await));

    // One that confirms it does, and lets the next one go.
    let proves = Order { purpose: CodePurpose::Enrolment, ..order() };
    let shown = started(&ports, &proves).await;
    let sent = work(&ports).await;
    let code = code_of(&ports, &shown.id, None).await;
    assert!(sent[0].0 == "thief@example.net" && sent[0].1.contains(&code));
    let typed = |code: &str| Answer { purpose: CodePurpose::Enrolment, ..typed(code) };
    assert!(checked(&ports, &shown.id, &typed(&code)).await.is_ok());
    assert_eq!(ports.actions().last(), Some(&"user.address_confirmed"));
    pass(&ports, COOL_DOWN);
    started(&ports, &order()).await;
    assert_eq!(work(&ports).await.len(), 1);
}

/// Who has the mailbox alone does not confirm a number by having its code sent there.
#[tokio::test]
async fn a_code_that_confirms_a_number_goes_nowhere_else() {
    let ports = janes(texts()).await;
    let phone = PhoneNumber::try_from("+447700900199").ok();
    let change = Change { phone: Some(phone), ..Change::default() };
    change_user(&ports, &app().caller, &named("jane"), change, None).await.unwrap();
    work(&ports).await;
    let proves = Order { purpose: CodePurpose::Enrolment, ..by(Channel::Sms) };
    let shown = start(&ports, &marked(), &proves, Once::not_kept()).await.unwrap();
    assert_eq!(work(&ports).await[0].0, "+447700900199");
    pass(&ports, COOL_DOWN);
    resend(&ports, &marked(), &shown.id, Some(Channel::Email), Once::not_kept()).await.unwrap();
    assert!(work(&ports).await.is_empty());
    pass(&ports, COOL_DOWN);
    // Asked for by mail, it is another code, which confirms nothing.
    let by_mail = Order { purpose: CodePurpose::Enrolment, ..by(Channel::Email) };
    let other = start(&ports, &marked(), &by_mail, Once::not_kept()).await.unwrap();
    let sent = work(&ports).await;
    let code = code_of(&ports, &other.id, None).await;
    assert!(sent[0].0 == MAIL && sent[0].1.contains(&code) && code != code_of(&ports, &shown.id, None).await);
    let answer = Answer { purpose: CodePurpose::Enrolment, ..typed(&code) };
    assert!(checked(&ports, &other.id, &answer).await.is_ok());
    assert_ne!(ports.actions().last(), Some(&"user.address_confirmed"));
}

/// Whoever had the address before was told, and has said nothing for three days.
#[tokio::test]
async fn an_address_counts_after_silence() {
    let ports = janes(json!({})).await;
    let email = EmailAddress::try_from("jane@example.net").ok();
    let change = Change { email: Some(email), ..Change::default() };
    change_user(&ports, &app().caller, &named("jane"), change, None).await.unwrap();
    let told = work(&ports).await;
    assert!(told.len() == 1 && told[0].0 == MAIL, "the old address is told");
    started(&ports, &order()).await;
    assert!(work(&ports).await.is_empty());
    pass(&ports, otpost_domain::confirmation::SILENCE);
    started(&ports, &order()).await;
    assert_eq!(work(&ports).await[0].0, "jane@example.net");
}

#[tokio::test]
async fn a_code_that_could_not_go_one_way_is_good_by_another() {
    let ports = world(texts()).await;
    user(&ports, "jane", Some(MAIL), None).await;
    let shown = start(&ports, &marked(), &by(Channel::Sms), Once::not_kept()).await.unwrap();
    assert!(work(&ports).await.is_empty());
    let message = last_message(&ports).await;
    assert_eq!(message.reason.as_deref(), Some("the user has no address for sms"));
    pass(&ports, COOL_DOWN);
    let again = resend(&ports, &marked(), &shown.id, Some(Channel::Email), Once::not_kept()).await.unwrap();
    assert_eq!((again.channel, again.recipient.as_str()), (Channel::Email, "j***@e***.org"));
    let sent = work(&ports).await;
    let code = code_of(&ports, &shown.id, None).await;
    assert!(sent[0].0 == MAIL && sent[0].1.contains(&code));
    let told = tell(&ports, &marked(), &shown.id).await.unwrap().waiting.unwrap();
    assert_eq!((told.state.as_str(), told.recipient.as_str()), ("sent", "j***@e***.org"));
    assert!(checked(&ports, &shown.id, &typed(&code)).await.is_ok());
}

#[tokio::test]
async fn a_repeated_order_gets_the_same_answer_and_sends_once() {
    let ports = janes(json!({})).await;
    let reply = |shown: &Shown| {
        let body = shown.id.expose();
        Ok(Reply { status: 201, etag: None, body })
    };
    let mut first = None;
    for cooled in [false, true] {
        let keys = if cooled { ["c", "d"] } else { ["a", "b"] };
        for (key, messages_then) in keys.into_iter().zip(if cooled { [2, 2] } else { [1, 1] }) {
            let held = slot(&ports, key, "first try");
            assert_eq!(reserve(&ports, &held).await.unwrap(), Earlier::Nothing);
            let shown = start(&ports, &app(), &order(), Once::kept(&held, &reply)).await.unwrap();
            let repeated = reserve(&ports, &slot(&ports, key, "second try")).await.unwrap();
            let Earlier::Answered(answer) = repeated else { panic!("{repeated:?}") };
            assert_eq!(answer.body, shown.id.expose());
            assert_eq!(messages(&ports).await.len(), messages_then);
            first.get_or_insert(shown);
        }
        pass(&ports, COOL_DOWN);
    }
    let held = slot(&ports, "e", "first try");
    assert_eq!(reserve(&ports, &held).await.unwrap(), Earlier::Nothing);
    let id = first.unwrap().id;
    let shown = resend(&ports, &app(), &id, None, Once::kept(&held, &reply)).await.unwrap();
    let Earlier::Answered(answer) = reserve(&ports, &slot(&ports, "e", "second try")).await.unwrap() else {
        panic!("kept")
    };
    assert_eq!(answer.body, shown.id.expose());
    // Who has lost the slot changes nothing.
    pass(&ports, COOL_DOWN);
    let lost = slot(&ports, "f", "lost");
    let before = messages(&ports).await.len();
    let busy = start(&ports, &app(), &order(), Once::kept(&lost, &reply)).await;
    assert!(matches!(busy, Err(StartError::Busy)));
    assert_eq!(messages(&ports).await.len(), before);
}

#[tokio::test]
async fn a_repeated_check_gets_the_same_answer_and_counts_once() {
    let ports = janes(json!({})).await;
    let shown = started(&ports, &order()).await;
    let code = code_of(&ports, &shown.id, None).await;
    let request = |text: &str| Some(BearerHash::of(&[text.as_bytes()]));
    for _ in 0..3 {
        let wrong = Answer { request: request("wrong"), ..wrong(&code) };
        assert!(is_refused(&checked(&ports, &shown.id, &wrong).await));
    }
    assert_eq!(row(&ports, &shown.id).await.failures, 1);
    for _ in 0..3 {
        let right = Answer { request: request("right"), ..typed(&code) };
        assert!(checked(&ports, &shown.id, &right).await.is_ok());
    }
    assert!(is_refused(&checked(&ports, &shown.id, &typed(&code)).await));
    let other = Answer { request: request("other"), ..typed(&code) };
    assert!(is_refused(&checked(&ports, &shown.id, &other).await));
}

#[tokio::test]
async fn ids_are_their_tenants_and_nobody_elses() {
    let ports = janes(json!({})).await;
    ports.with_tenant("other").await;
    let shown = started(&ports, &order()).await;
    let code = code_of(&ports, &shown.id, None).await;
    let other = Asker { caller: operator("other"), after_first_factor: true };
    let mut changed = shown.id.sealed().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let made_up = [(&app(), ChallengeId::new(changed)), (&app(), ChallengeId::new(Vec::new()))];
    for (asker, id) in made_up.into_iter().chain([(&other, shown.id.clone())]) {
        let no = |error: StartError| assert!(matches!(error, StartError::NoSuchChallenge), "{error}");
        no(resend(&ports, asker, &id, None, Once::not_kept()).await.unwrap_err());
        no(tell(&ports, asker, &id).await.unwrap_err());
        no(cancel(&ports, asker, &id).await.unwrap_err());
        let refused = check(&ports, asker, &id, &typed(&code)).await;
        assert!(matches!(refused, Err(CheckError::NoSuchChallenge)));
    }
    assert!(checked(&ports, &shown.id, &typed(&code)).await.is_ok());
}

#[tokio::test]
async fn own_texts_are_used_for_each_kind_of_code() {
    let ports = janes(texts()).await;
    let keep = async |name: &str, text: &str| {
        let name = TemplateName::try_from(name).unwrap();
        let document = value_of(&json!({ "sms": { "text": text } }));
        crate::templates::keep_template(&ports, &app().caller, &name, &document, Seen::Unsaid).await.unwrap();
    };
    keep("mobile_code.en", "Acme proves you by %code%.").await;
    keep("email_otp.en", "Acme lets you in by [[CODE]] for [[PURPOSE]].").await;
    let reset = Order { purpose: CodePurpose::PasswordReset, ..order() };
    let shown = started(&ports, &reset).await;
    let code = code_of(&ports, &shown.id, None).await;
    assert_eq!(work(&ports).await[0].1, format!("Acme proves you by {code}."));
    let shown = started(&ports, &paying("Pay %code% [[CODE]]")).await;
    let code = code_of(&ports, &shown.id, Some("Pay %code% [[CODE]]")).await;
    let text = format!("Acme lets you in by {code} for confirming a transaction (Pay %code% [[CODE]]).");
    assert_eq!(work(&ports).await[0].1, text);
}
