//! What holds of the log of messages, and of the suppression list.

use std::time::Duration;

use otpost_domain::audit::Action;
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::MessageId;
use otpost_domain::message::{Message, Overtaken, Suppressed};
use otpost_domain::suppression::{Cause, Suppression};
use otpost_domain::time::{Day, Timestamp};

use super::*;
use crate::ports::SuppressionStore as _;

pub(super) async fn messages_are_listed_day_by_day(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let (tenant, serial) = (&message.tenant, message.serial.clone().expect("a serial"));
    let first_day = Day::of(message.created_at);
    let oldest = vec![reference.id.clone()];
    ports.clock().advance(Duration::from_secs(1));
    let middle = push_again(ports, &serial).await.id;
    ports.clock().advance(Duration::from_secs(1));
    let newest = push_again(ports, &serial).await.id;
    let two = vec![newest.clone(), middle.clone()];
    ports.clock().advance(Duration::from_hours(24));
    // A test is no user's, and is listed all the same.
    let now = ports.clock().now();
    let test = Message {
        id: MessageId::new(now, [3; 10]),
        user: None,
        serial: None,
        test: true,
        created_at: now,
        version: 1,
        ..message.clone()
    };
    let journal = operator("acme").journal(ports, Action::GatewayTested);
    assert_eq!(ports.store().add_message(&test, &journal).await.expect("a write"), Write::Done);
    let listed = async |day: Day, request: PageRequest| {
        let page = ports.store().messages_on(tenant, day, &request).await.expect("a page");
        (page.items.into_iter().map(|message| message.id).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(listed(Day::of(now), first(9)).await, (vec![test.id.clone()], None));
    assert_eq!(listed(first_day, first(2)).await, (two.clone(), Some(middle.to_string())));
    let behind = |place: MessageId| PageRequest { limit: 2, after: Some(place.to_string()) };
    assert_eq!(listed(first_day, behind(middle.clone())).await, (oldest.clone(), None));
    // Places at which no message stands.
    let second = MessageId::first_at(middle.made_at());
    assert_eq!(listed(first_day, behind(second.clone())).await, (oldest.clone(), None));
    assert_eq!(listed(first_day, behind(MessageId::last_of(first_day))).await.0, two);
    let of_user = ports.store().messages_of(tenant, &jane(), &behind(second)).await.expect("a page");
    assert_eq!(of_user.items.into_iter().map(|message| message.id).collect::<Vec<_>>(), oldest);
    let before = first_day.before().expect("a day");
    assert_eq!(listed(before, first(2)).await, (Vec::new(), None));
    let other = operator("other").tenant;
    let theirs = ports.store().messages_on(&other, first_day, &first(2)).await.expect("a page");
    assert!(theirs.items.is_empty() && theirs.next.is_none());
    // A change of a message leaves it where it is.
    let closed = ports
        .store()
        .message(&reference)
        .await
        .expect("read")
        .expect("there")
        .cancelled(Overtaken::NewerLink);
    let suppressed = Some(Suppressed { since: now, why: "550 5.1.1".to_owned() });
    let closed = Message { suppressed, ..closed };
    assert_eq!(ports.store().save_message(&closed).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().message(&reference).await.expect("read"), Some(closed));
    assert_eq!(listed(first_day, first(9)).await.0, [two, oldest].concat());
}

fn suppression(message: &MessageRef, address: &str, at: Timestamp) -> Suppression {
    Suppression {
        tenant: message.tenant.clone(),
        address: EmailAddress::try_from(address).expect("an address"),
        cause: Cause::HardBounce,
        why: "550 5.1.1: no such mailbox".to_owned(),
        message: message.id.clone(),
        at,
    }
}

pub(super) async fn addresses_are_suppressed_and_cleared(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let now = ports.clock().now();
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let theirs = Message { tenant: operator("other").tenant, version: 1, ..message.clone() };
    let journal = operator("other").journal(ports, Action::GatewayTested);
    assert_eq!(ports.store().add_message(&theirs, &journal).await.expect("a write"), Write::Done);
    let suppress = async |listed: &Suppression| ports.store().suppress(listed).await.expect("a write");
    let [a, b, c] = ["a@example.org", "b@example.org", "c@example.org"]
        .map(|address| suppression(&reference, address, now));
    for each in [&a, &b, &c] {
        assert_eq!(suppress(each).await, Write::Done);
    }
    assert_eq!(suppress(&suppression(&MessageRef::from(&theirs), "a@example.org", now)).await, Write::Done);
    // Of a message that is gone, as those of a tenant that was erased are.
    let gone = MessageRef { id: MessageId::new(now, [9; 10]), ..reference.clone() };
    let erased = MessageRef { tenant: operator("erased").tenant, ..reference.clone() };
    for nobodys in [gone, erased] {
        assert_eq!(suppress(&suppression(&nobodys, "d@example.org", now)).await, Write::Stale);
        let listed = ports.store().suppressions(&operator("erased").tenant, &first(9)).await.expect("a page");
        assert_eq!(listed.items, []);
    }
    // Told of again, by its owner this time: the latest counts.
    let complaint = Suppression { cause: Cause::Complaint, why: "abuse".to_owned(), ..a };
    assert_eq!(suppress(&complaint).await, Write::Done);
    let unchanged = ports.store().message(&reference).await.expect("read");
    assert_eq!(unchanged, Some(message));
    let mut listed = vec![complaint, b, c];
    listed.sort_by_key(Suppression::key);
    let tenant = &operator("acme").tenant;
    let all = async || {
        let mut all = Vec::new();
        let mut request = first(2);
        loop {
            let page = ports.store().suppressions(tenant, &request).await.expect("a page");
            assert!(page.items.len() <= 2);
            all.extend(page.items);
            let Some(next) = page.next else { return all };
            request.after = Some(next);
        }
    };
    assert_eq!(all().await, listed);
    let journal = || operator("acme").journal(ports, Action::SuppressionCleared);
    let key = listed.remove(1).key();
    let clear = async || ports.store().clear_suppression(tenant, &key, &journal()).await.expect("a write");
    assert_eq!(clear().await, Write::Done);
    assert_eq!(clear().await, Write::Stale, "it is not on the list");
    assert_eq!(all().await, listed);
    let theirs = ports.store().suppressions(&operator("other").tenant, &first(9)).await.expect("a page");
    assert_eq!(theirs.items.len(), 1, "the same address of another tenant stays");
}
