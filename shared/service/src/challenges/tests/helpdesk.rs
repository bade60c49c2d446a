//! What the helpdesk sends, and to whom it does not.

use otpost_domain::audit::{AuditEntry, Reason};
use otpost_domain::helpdesk::{NewPassword, Operator, Refusal, UNCHANGED, WINDOW};
use otpost_domain::message::MessageStatus;
use otpost_domain::template::TemplateKind;

use super::super::helpdesk::{Desk, HelpdeskError, PasswordSent, ReadBack, check, send_code, send_password};
use super::*;
use crate::faults::{Faulty, Mishap, Plan};

const PASSWORD: &str = "Correct-Horse-7";

fn desk_of(operator: &str) -> Desk {
    Desk {
        caller: app().caller,
        operator: Operator::try_from(operator).unwrap(),
        reason: Reason::try_from("ticket 4711").unwrap(),
    }
}

fn desk() -> Desk {
    desk_of("m.miller")
}

fn password() -> NewPassword {
    NewPassword::parse(PASSWORD).unwrap()
}

async fn asked(ports: &MemoryPorts) -> Result<Shown, HelpdeskError> {
    send_code(ports, &desk(), &named("jane"), None, Once::not_kept()).await
}

/// A code that jane has read back.
async fn read_back(ports: &MemoryPorts) -> ChallengeId {
    let shown = asked(ports).await.unwrap();
    let code = SentCode::parse(&code_in(ports, &last_message(ports).await).await).unwrap();
    work(ports).await;
    check(ports, &desk(), &shown.id, &code, None).await.unwrap();
    shown.id
}

async fn given(ports: &MemoryPorts, id: &ChallengeId) -> Result<PasswordSent, HelpdeskError> {
    send_password(ports, &desk(), id, &password()).await
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, HelpdeskError>) -> Refusal {
    match answer {
        Err(HelpdeskError::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Jane, whose number is a day old.
async fn old_janes() -> MemoryPorts {
    let ports = janes(texts()).await;
    pass(&ports, UNCHANGED);
    ports
}

#[tokio::test]
async fn a_caller_reads_a_code_back_and_gets_a_password() {
    let ports = old_janes().await;
    let shown = asked(&ports).await.unwrap();
    assert_eq!((shown.channel, shown.recipient.as_str()), (Channel::Sms, "+44 7*** ***123"));
    let code = code_in(&ports, &last_message(&ports).await).await;
    let sent = work(&ports).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].0 == NUMBER && sent[0].1.contains(&code) && sent[0].1.contains("helpdesk"), "{sent:?}");

    let wrong = SentCode::parse(if code == "000000" { "000001" } else { "000000" }).unwrap();
    assert!(matches!(check(&ports, &desk(), &shown.id, &wrong, None).await, Err(CheckError::Refused)));
    assert_eq!(refusal(given(&ports, &shown.id).await), Refusal::NotReadBack);
    let right = SentCode::parse(&code).unwrap();
    let accepted = check(&ports, &desk(), &shown.id, &right, None).await.unwrap();
    let now = ports.clock().now();
    assert_eq!(accepted, ReadBack { user: named("jane"), password_until: now.plus(WINDOW) });
    assert!(
        matches!(check(&ports, &desk(), &shown.id, &right, None).await, Err(CheckError::Refused)),
        "once"
    );

    let told = given(&ports, &shown.id).await.unwrap();
    assert_eq!((told.user.as_str(), told.recipient.as_str()), ("jane", "+44 7*** ***123"));
    let sent = work(&ports).await;
    assert_eq!(sent.len(), 1);
    assert!(sent[0].0 == NUMBER && sent[0].1.contains(PASSWORD), "{sent:?}");
    assert_eq!(refusal(given(&ports, &shown.id).await), Refusal::Spent);

    let audited: Vec<AuditEntry> = ports.audited();
    let of_desk: Vec<_> =
        audited.iter().filter(|entry| entry.action.as_str().starts_with("helpdesk.")).collect();
    let actions: Vec<_> = of_desk.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["helpdesk.code_sent", "helpdesk.code_read_back", "helpdesk.password_sent"]);
    for entry in of_desk {
        assert_eq!(entry.operator.as_ref().map(Operator::as_str), Some("m.miller"));
        assert_eq!(entry.reason.as_ref().map(Reason::as_str), Some("ticket 4711"));
        assert_eq!(entry.user, Some(named("jane")));
        assert_eq!(entry.message.is_some(), entry.action.as_str() != "helpdesk.code_read_back");
    }
}

#[tokio::test]
async fn a_password_is_gone_once_it_was_sent() {
    // Of two routes the second would be taken where the first one's receipt says that nothing arrived.
    let routes = json!([{ "gateway": "texts" }, { "gateway": "more" }]);
    let ports = janes(json!({ "channels": ["sms"], "sms_routes": routes })).await;
    with_gateway(&ports, "more").await;
    pass(&ports, UNCHANGED);
    let id = read_back(&ports).await;
    let codes = last_message(&ports).await;
    assert!(codes.status == MessageStatus::Sent && codes.due_at.is_some(), "a code waits for it: {codes:?}");
    pass(&ports, MILLI);
    let told = given(&ports, &id).await.unwrap();
    let reference = MessageRef { tenant: app().caller.tenant, id: told.message };
    let before = ports.store().message(&reference).await.unwrap().unwrap();
    assert_eq!((before.purpose, before.channel), (TemplateKind::NewPassword, Channel::Sms));
    assert_eq!(content(&ports, &before).await.password, PASSWORD);
    assert!(!ports.shape().contains(PASSWORD) && !format!("{before:?}").contains(PASSWORD));
    work(&ports).await;
    let after = ports.store().message(&reference).await.unwrap().unwrap();
    // Though a receipt may still come, and there might be another route.
    assert_eq!((after.status, after.content.is_none(), after.due_at), (MessageStatus::Sent, true, None));
}

#[tokio::test]
async fn a_password_that_is_not_sent_in_time_is_gone() {
    let ports = old_janes().await;
    let id = read_back(&ports).await;
    let told = given(&ports, &id).await.unwrap();
    assert_eq!(told.expires_at, ports.clock().now().plus(Duration::from_mins(10)));
    pass(&ports, Duration::from_mins(10));
    assert_eq!(work(&ports).await, []);
    let reference = MessageRef { tenant: app().caller.tenant, id: told.message };
    let after = ports.store().message(&reference).await.unwrap().unwrap();
    assert!(after.status == MessageStatus::Expired && after.content.is_none(), "{after:?}");
}

#[tokio::test]
async fn a_password_waits_for_the_number_and_not_for_long() {
    let ports = janes(texts()).await;
    let id = read_back(&ports).await;
    let from = ports.clock().now().plus(UNCHANGED);
    assert_eq!(refusal(given(&ports, &id).await), Refusal::TooNew { from });
    pass(&ports, UNCHANGED);
    assert_eq!(refusal(given(&ports, &id).await), Refusal::TooLate);
    let id = read_back(&ports).await;
    pass(&ports, WINDOW.saturating_sub(MILLI));
    given(&ports, &id).await.unwrap();
    // One that changed does not get a code, and no password after it is confirmed for another way.
    pass(&ports, COOL_DOWN);
    let id = read_back(&ports).await;
    let other = PhoneNumber::try_from("+447700900999").unwrap();
    change(&ports, Change { phone: Some(Some(other)), ..Change::default() }).await;
    assert_eq!(refusal(given(&ports, &id).await), Refusal::NotConfirmed);
    let off = Change { active: Some(false), ..Change::default() };
    change(&ports, off).await;
    assert_eq!(refusal(given(&ports, &id).await), Refusal::Gone);
}

#[tokio::test]
async fn a_first_number_is_new_too() {
    let ports = world(texts()).await;
    user(&ports, "jane", None, None).await;
    pass(&ports, UNCHANGED * 9);
    let number = PhoneNumber::try_from(NUMBER).unwrap();
    change(&ports, Change { phone: Some(Some(number)), ..Change::default() }).await;
    let from = ports.clock().now().plus(UNCHANGED);
    pass(&ports, MILLI);
    let id = read_back(&ports).await;
    assert_eq!(refusal(given(&ports, &id).await), Refusal::TooNew { from });
}

#[tokio::test]
async fn the_helpdesk_is_told_why_no_code_goes() {
    let ports = janes(texts()).await;
    let to = async |name: &str, channel| {
        let told = send_code(&ports, &desk(), &named(name), channel, Once::not_kept()).await;
        told.map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(to("nobody", None).await, Err("there is no such user".to_owned()));
    user(&ports, "bare", None, None).await;
    assert_eq!(to("bare", None).await, Err("the user has no address for sms".to_owned()));
    user(&ports, "mail", Some("mail@example.org"), None).await;
    assert_eq!(to("mail", Some(Channel::Sms)).await, Err("the user has no address for sms".to_owned()));
    assert_eq!(to("mail", None).await, Ok(()));
    let other = PhoneNumber::try_from("+447700900999").unwrap();
    change(&ports, Change { phone: Some(Some(other)), ..Change::default() }).await;
    let told = to("jane", Some(Channel::Sms)).await;
    assert_eq!(told, Err("the user has no confirmed address for sms".to_owned()));
    change(&ports, Change { active: Some(false), ..Change::default() }).await;
    assert_eq!(to("jane", None).await, Err("the user is switched off".to_owned()));
    let unsent: Vec<_> =
        ports.actions().into_iter().filter(|action| *action == "helpdesk.code_sent").collect();
    assert_eq!(unsent.len(), 1, "of what was not sent nothing is audited");
}

#[tokio::test]
async fn one_operator_sends_so_much_in_an_hour_and_a_key_ten_times_that() {
    let limited =
        json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"], "helpdesk_hourly": 2 });
    let ports = janes(limited).await;
    // To the beginning of an hour.
    let into = ports.clock().now().seconds() % 3600;
    pass(&ports, UNCHANGED + Duration::from_secs(3600 - into));
    let id = read_back(&ports).await;
    given(&ports, &id).await.unwrap();
    pass(&ports, COOL_DOWN);
    let enough = |answer: Result<Shown, HelpdeskError>| match answer {
        Err(HelpdeskError::Enough { retry_after }) => ("operator", retry_after),
        Err(HelpdeskError::EnoughOfKey { retry_after }) => ("key", retry_after),
        other => panic!("{other:?}"),
    };
    let wait = Duration::from_hours(1).saturating_sub(COOL_DOWN);
    assert_eq!(enough(asked(&ports).await), ("operator", wait));
    let by =
        async |name: &str| send_code(&ports, &desk_of(name), &named("jane"), None, Once::not_kept()).await;
    assert_eq!(enough(by("M.Miller").await), ("operator", wait), "however it is spelt");
    // All others, two at a time on each code: so much is sent again, and so often a new one.
    let mut left = wait;
    for number in 0..18 {
        by(&format!("operator {number}")).await.unwrap();
        pass(&ports, COOL_DOWN);
        left = left.saturating_sub(COOL_DOWN);
        if number % 4 == 3 {
            // Until the code is over, and another is made.
            pass(&ports, LIFE);
            left = left.saturating_sub(LIFE);
        }
    }
    assert_eq!(enough(by("yet another").await), ("key", left));
    pass(&ports, left);
    asked(&ports).await.unwrap();
}

#[tokio::test]
async fn codes_of_the_helpdesk_and_of_applications_are_two_things() {
    let ports = old_janes().await;
    let of_desk = asked(&ports).await.unwrap();
    let code = code_in(&ports, &last_message(&ports).await).await;
    let answer = checked(&ports, &of_desk.id, &typed(&code)).await;
    assert!(matches!(answer, Err(CheckError::NoSuchChallenge)), "{answer:?}");
    let nothing = |told: bool| assert!(told);
    nothing(matches!(sent_again(&ports, &of_desk.id).await, Err(StartError::NoSuchChallenge)));
    nothing(matches!(cancel(&ports, &app(), &of_desk.id).await, Err(StartError::NoSuchChallenge)));
    nothing(matches!(tell(&ports, &app(), &of_desk.id).await, Err(StartError::NoSuchChallenge)));
    pass(&ports, MILLI);
    let of_app = started(&ports, &order()).await;
    let code = SentCode::parse(&code_in(&ports, &last_message(&ports).await).await).unwrap();
    nothing(matches!(
        check(&ports, &desk(), &of_app.id, &code, None).await,
        Err(CheckError::NoSuchChallenge)
    ));
    checked(&ports, &of_app.id, &typed(code.expose())).await.unwrap();
    let told = given(&ports, &of_app.id).await;
    nothing(matches!(told, Err(HelpdeskError::Start(StartError::NoSuchChallenge))));
    let ordered = Order { purpose: CodePurpose::Helpdesk, ..order() }.checked();
    assert_eq!(ordered.err(), Some(InvalidOrder::Helpdesks));
}

#[tokio::test]
async fn what_the_helpdesk_does_takes_few_requests() {
    let ports = old_janes().await;
    let counted = || Plan::new(usize::MAX, Mishap::FailsBefore);
    let of_store = |plan: &Plan| {
        let of = ["asked", "count_share", "new_code", "guess", "read_back", "send_password"];
        plan.names().into_iter().filter(|name| of.contains(name)).collect::<Vec<_>>()
    };
    let plan = counted();
    let faulty = Faulty::new(&ports, &plan);
    let shown = send_code(&faulty, &desk(), &named("jane"), None, Once::not_kept()).await.unwrap();
    assert_eq!(of_store(&plan), ["asked", "count_share", "new_code"]);
    let code = SentCode::parse(&code_in(&ports, &last_message(&ports).await).await).unwrap();
    let plan = counted();
    check(&Faulty::new(&ports, &plan), &desk(), &shown.id, &code, None).await.unwrap();
    assert_eq!(of_store(&plan), ["read_back"]);
    let plan = counted();
    send_password(&Faulty::new(&ports, &plan), &desk(), &shown.id, &password()).await.unwrap();
    assert_eq!(of_store(&plan), ["asked", "count_share", "send_password"]);
}

/// Whatever fails, one password goes at most, and what went is audited.
#[tokio::test]
async fn a_crash_sends_no_second_password() {
    for mishap in [Mishap::FailsBefore, Mishap::FailsAfter] {
        for at in 1.. {
            let ports = old_janes().await;
            let id = read_back(&ports).await;
            let plan = Plan::new(at, mishap);
            let first = send_password(&Faulty::new(&ports, &plan), &desk(), &id, &password()).await;
            if !plan.fired() {
                first.unwrap();
                break;
            }
            let second = given(&ports, &id).await;
            let audited = ports.actions().into_iter().filter(|action| *action == "helpdesk.password_sent");
            assert_eq!(audited.count(), 1, "{mishap:?} at {at}: {first:?}, {second:?}");
            pass(&ports, Duration::from_secs(90));
            crate::deliver::sweep(&ports).await.unwrap();
            let sent: Vec<_> =
                work(&ports).await.into_iter().filter(|(_, text)| text.contains(PASSWORD)).collect();
            assert_eq!(sent.len(), 1, "{mishap:?} at {at}");
        }
    }
}

/// A repeated request is told the same, and until when it was from the beginning.
#[tokio::test]
async fn a_repeated_check_does_not_make_the_ten_minutes_longer() {
    let ports = old_janes().await;
    let shown = asked(&ports).await.unwrap();
    let code = SentCode::parse(&code_in(&ports, &last_message(&ports).await).await).unwrap();
    let request = Some(BearerHash::of(&[b"one"]));
    let first = check(&ports, &desk(), &shown.id, &code, request.clone()).await.unwrap();
    pass(&ports, Duration::from_mins(1));
    assert_eq!(check(&ports, &desk(), &shown.id, &code, request).await.unwrap(), first);
}

/// Whoever asks for what is on its way is on record, and has sent nothing.
#[tokio::test]
async fn what_is_on_its_way_is_audited_and_costs_no_share() {
    let limited =
        json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms", "email"], "helpdesk_hourly": 1 });
    let ports = janes(limited).await;
    let first = asked(&ports).await.unwrap();
    for _ in 0..3 {
        let again = send_code(&ports, &desk(), &named("jane"), None, Once::not_kept()).await.unwrap();
        assert_eq!((again.channel, again.expires_at), (Channel::Sms, first.expires_at));
    }
    assert_eq!(messages(&ports).await.len(), 1);
    let entries: Vec<_> = ports.audited();
    let details: Vec<_> = entries
        .iter()
        .filter(|entry| entry.action.as_str() == "helpdesk.code_sent")
        .map(|entry| (entry.detail, entry.message.clone()))
        .collect();
    let message = Some(last_message(&ports).await.id);
    let on_its_way = || (Some("on_its_way"), message.clone());
    assert_eq!(details, [(None, message.clone()), on_its_way(), on_its_way(), on_its_way()]);
    // It went by text; a mail has to wait, and says so.
    let by = Some(Channel::Email);
    let other = send_code(&ports, &desk(), &named("jane"), by, Once::not_kept()).await;
    assert!(
        matches!(other, Err(HelpdeskError::Start(StartError::Wait { why: Why::CoolDown, .. }))),
        "{other:?}"
    );
}

#[tokio::test]
async fn a_waiting_password_does_not_go_to_a_number_that_was_changed() {
    let ports = old_janes().await;
    let id = read_back(&ports).await;
    pass(&ports, MILLI);
    let told = given(&ports, &id).await.unwrap();
    pass(&ports, MILLI);
    let other = PhoneNumber::try_from("+447700900999").unwrap();
    let queued = ports.queue().take();
    change(&ports, Change { phone: Some(Some(other)), ..Change::default() }).await;
    ports.queue().take();
    for next in queued {
        if let Queued::Deliver(message) = next {
            let _ = deliver(&ports, &message).await.unwrap();
        }
    }
    assert_eq!(work(&ports).await, []);
    let reference = MessageRef { tenant: app().caller.tenant, id: told.message };
    let after = ports.store().message(&reference).await.unwrap().unwrap();
    assert_eq!((after.status, after.content.is_none()), (MessageStatus::Cancelled, true));
    assert_eq!(after.reason.as_deref(), Some("its user's address or number was changed"));
}

/// Whoever takes an address away first, and gives another then, has changed it.
#[tokio::test]
async fn an_address_that_was_taken_away_and_given_anew_is_not_confirmed() {
    let ports = old_janes().await;
    let none = Change { email: Some(None), phone: Some(None), ..Change::default() };
    change(&ports, none).await;
    let other = PhoneNumber::try_from("+447700900999").unwrap();
    change(&ports, Change { phone: Some(Some(other)), ..Change::default() }).await;
    pass(&ports, UNCHANGED * 30);
    let told = asked(&ports).await;
    let why = "the user has no confirmed address for sms";
    assert!(matches!(&told, Err(HelpdeskError::OutOfReach(told)) if told == why), "{told:?}");
}
