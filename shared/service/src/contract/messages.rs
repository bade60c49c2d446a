//! What holds of messages.

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::circuit::{Change, Health, HealthChange, HealthKey};
use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{GatewayId, MessageId, TenantId, UserId};
use otpost_domain::message::{
    GatewayName, Hop, HopState, LEASE, Message, MessageStatus, News, Next, PICK_UP, Routes, Sender, Step,
    Verdict, Via, Way,
};
use otpost_domain::outcome::Outcome;
use otpost_domain::suppression::{Cause, Suppression};
use otpost_domain::token::TokenState;

use super::*;
use crate::ports::{Heard, Saved};

/// By the deployment's own gateway for mails.
fn by_own() -> Routes {
    Routes { usable: vec![Way { tells: false, ..Way::OWN }], ..Routes::default() }
}

pub(super) async fn a_hop_is_claimed_once<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let reference = pushed(ports.as_ref()).await;
    let now = ports.clock().now();
    let early = ports.store().claim(&reference, 1, "early", now).await.expect("a write");
    assert_eq!(early, None, "it was not handed yet");
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let Step::Hand(message, hop, _) = message.next_step(&by_own(), now) else { panic!("a route") };
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Stale);
    let mut racing = tokio::task::JoinSet::new();
    for racer in 0..20 {
        let (ports, reference) = (Arc::clone(&ports), reference.clone());
        let name = format!("racer {racer}");
        racing.spawn(async move {
            let claimed = ports.store().claim(&reference, hop, &name, now).await.expect("a write");
            claimed.map(|message| (name, message))
        });
    }
    let claims: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1, "one sender has it");
    let (name, claimed) = claims.into_iter().next().expect("one");
    assert_eq!(Some(&claimed), message.clone().claimed(hop, now).as_ref(), "as the domain says");
    for later in [LEASE, LEASE * 99] {
        let again = ports.store().claim(&reference, hop, "another", now.plus(later)).await.expect("a write");
        assert_eq!(again, None, "nobody knows what the lost sender has done");
    }
    // The answer to a claim may be lost on the way: who asks again still has it.
    let repeated = ports.store().claim(&reference, hop, &name, now).await.expect("a write").expect("its own");
    let claimed = Message { version: repeated.version, ..claimed };
    assert_eq!(repeated, claimed);
    let said = || vec!["S: 250 so be it".to_owned()];
    let retry = Outcome::Retry { after: Some(Duration::from_secs(7)) };
    let (postponed, next) = claimed.concluded(hop, (&retry, "busy", said()), 0, now);
    assert_eq!(next, Next::Again { hop: 2, delay: Duration::from_secs(7) });
    assert_eq!(ports.store().save_message(&postponed).await.expect("a write"), Write::Done);
    assert_eq!(
        ports.store().claim(&reference, hop, &name, now).await.expect("a write"),
        None,
        "that one is over"
    );
    let claimed =
        ports.store().claim(&reference, 2, "second", now).await.expect("a write").expect("the next is there");
    assert_eq!(Some(&claimed), postponed.claimed(2, now).as_ref());
    let accepted = Outcome::Accepted { provider_id: "p".to_owned() };
    let (done, _) = claimed.concluded(2, (&accepted, "", said()), 0, now);
    assert_eq!(ports.store().save_message(&done).await.expect("a write"), Write::Done);
    assert_eq!(
        ports.store().claim(&reference, 2, "second", now.plus(LEASE * 9)).await.expect("a write"),
        None
    );
    let kept = ports.store().message(&reference).await.expect("read").expect("there");
    assert_eq!(kept, done);
    assert!(matches!(kept.hops.last().expect("a hop").state, HopState::Accepted { .. }));
}

pub(super) async fn messages_are_found_until_closed(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let shard = reference.id.shard();
    let now = ports.clock().now();
    assert!(ports.store().due(shard, now, 10, None).await.expect("a list").is_empty());
    let due = ports.store().due(shard, now.plus(PICK_UP), 10, None).await.expect("a list");
    assert_eq!(due.iter().map(|due| &due.message).collect::<Vec<_>>(), [&reference]);
    let rest = ports.store().due(shard, now.plus(PICK_UP), 10, due.last()).await.expect("a list");
    assert!(rest.is_empty(), "behind the last there is nothing");
    assert!(
        ports.store().due((shard + 1) % 16, now.plus(PICK_UP), 10, None).await.expect("a list").is_empty()
    );
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let Step::Close(closed) = message.clone().next_step(&by_own(), message.expires_at) else {
        panic!("closes")
    };
    assert_eq!(ports.store().save_message(&closed).await.expect("a write"), Write::Done);
    let kept = ports.store().message(&reference).await.expect("read").expect("there");
    assert_eq!((kept.status, kept.content), (MessageStatus::Expired, None));
    assert!(ports.store().due(shard, message.expires_at, 10, None).await.expect("a list").is_empty());
}

pub(super) async fn a_message_put_aside_is_not_swept(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let later = ports.clock().now().plus(PICK_UP);
    ports.store().put_aside(&reference).await.expect("a write");
    assert!(ports.store().due(reference.id.shard(), later, 10, None).await.expect("a list").is_empty());
    let nobody = MessageRef { id: MessageId::new(later, [9; 10]), ..reference };
    ports.store().put_aside(&nobody).await.expect("nothing to do");
}

pub(super) async fn messages_are_listed_newest_first(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.clone().expect("a serial");
    let mut made = vec![reference.id];
    for _ in 0..4 {
        ports.clock().advance(Duration::from_secs(1));
        made.push(push_again(ports, &serial).await.id);
    }
    made.reverse();
    let mut seen = Vec::new();
    let mut request = first(2);
    loop {
        let page = ports.store().messages_of(&message.tenant, &jane(), &request).await.expect("a page");
        seen.extend(page.items.into_iter().map(|message| message.id));
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(seen, made);
    let nobody = UserId::try_from("nobody").expect("a user's id");
    let none = ports.store().messages_of(&message.tenant, &nobody, &first(2)).await.expect("a page");
    assert!(none.items.is_empty() && none.next.is_none());
}

/// By two ways whose providers tell what becomes of a message.
fn telling() -> Routes {
    let second = Via { sender: Sender::Smtp, gateway: Some(gateway("second")) };
    let ways = [Way { wait: Duration::from_secs(20), ..Way::OWN }, Way { via: second, ..Way::OWN }];
    Routes { usable: ways.to_vec(), ..Routes::default() }
}

fn gateway(id: &str) -> GatewayName {
    let owner = Owner::Tenant(TenantId::try_from("acme").expect("a tenant's id"));
    GatewayName { owner, id: GatewayId::try_from(id).expect("a gateway's id"), version: 1 }
}

/// A message whose first hop a provider has taken, with a second way left.
async fn taken(ports: &impl TestPorts, reference: &MessageRef) -> Message {
    let now = ports.clock().now();
    let message = ports.store().message(reference).await.expect("read").expect("there");
    let Step::Hand(message, hop, _) = message.next_step(&telling(), now) else { panic!("a route") };
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Done);
    let claimed =
        ports.store().claim(reference, hop, "sender", now).await.expect("a write").expect("claimed");
    let accepted = Outcome::Accepted { provider_id: "p".to_owned() };
    let (message, _) = claimed.concluded(hop, (&accepted, "", Vec::new()), 0, now);
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Done);
    assert!(message.is_open() && message.status == MessageStatus::Sent);
    message
}

pub(super) async fn receipts_move_forward_only(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = taken(ports, &reference).await;
    let serial = message.serial.clone().expect("a serial");
    let news = |verdict, seconds| News {
        verdict,
        why: if verdict == Verdict::Delivered { String::new() } else { "a reason".to_owned() },
        at: ports.clock().now().plus(Duration::from_secs(seconds)),
    };
    let hear = async |hop, news: &News, suppression: Option<&Suppression>| {
        ports.store().hear(&reference, hop, news, suppression).await.expect("a write")
    };
    let other = MessageRef { id: MessageId::new(message.created_at, [9; 10]), ..reference.clone() };
    let nothing = ports.store().hear(&other, 1, &news(Verdict::Delivered, 0), None).await.expect("a write");
    assert_eq!(nothing, Heard::Nothing, "no such message");
    assert_eq!(hear(2, &news(Verdict::Delivered, 0), None).await, Heard::Nothing, "no such hop yet");

    let mut expected = message;
    for (place, verdict) in [Verdict::Delayed, Verdict::Undelivered].into_iter().enumerate() {
        let told = news(verdict, place as u64);
        expected = expected.heard(1, &told).expect("news");
        assert_eq!(hear(1, &told, None).await, Heard::New(Box::new(expected.clone())), "{verdict:?}");
        let again = hear(1, &news(verdict, 9), None).await;
        assert_eq!(again, Heard::Known(Box::new(expected.clone())), "twice");
    }
    assert_eq!(hear(1, &news(Verdict::Delayed, 9), None).await, Heard::Known(Box::new(expected.clone())));
    assert!(expected.is_open() && expected.content.is_some(), "deliver decides what follows");

    // `deliver` goes on, and what was heard stays.
    let now = ports.clock().now().plus(Duration::from_secs(2));
    let Step::Hand(next, 2, _) = expected.next_step(&telling(), now) else { panic!("the next route") };
    assert_eq!(ports.store().save_message(&next).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().message(&reference).await.expect("read"), Some(next.clone()));

    // The first one has arrived after all: it is closed, whoever is at the second.
    let delivered = news(Verdict::Delivered, 30);
    let closed = next.clone().heard(1, &delivered).expect("news");
    assert_eq!(hear(1, &delivered, None).await, Heard::New(Box::new(closed.clone())));
    assert_eq!((closed.status, closed.due_at, &closed.content), (MessageStatus::Delivered, None, &None));
    assert_eq!(ports.store().save_message(&next).await.expect("a write"), Write::Stale);
    let late = ports.store().claim(&reference, 2, "late", now).await.expect("a write");
    assert_eq!(late, None, "nothing is sent after that");
    let due = ports.store().due(reference.id.shard(), now.plus(LEASE * 99), 10, None).await.expect("a list");
    assert!(due.is_empty());

    // Bad news of a closed message show in its status, and an address may go onto the list with them.
    let reference = MessageRef::from(&push_again(ports, &serial).await);
    let message = taken(ports, &reference).await;
    let address = EmailAddress::try_from("Jane@example.org").expect("an address");
    let told = News { verdict: Verdict::Undelivered, why: "bounced".to_owned(), at: now };
    let suppression = Suppression {
        tenant: reference.tenant.clone(),
        address,
        cause: Cause::HardBounce,
        why: "bounced".to_owned(),
        message: reference.id.clone(),
        at: now,
    };
    let heard = ports.store().hear(&reference, 1, &told, Some(&suppression)).await.expect("a write");
    let expected = message.heard(1, &told).expect("news");
    assert_eq!(heard, Heard::New(Box::new(expected.clone())));
    let again = ports.store().hear(&reference, 1, &told, Some(&suppression)).await.expect("a write");
    assert_eq!(again, Heard::Known(Box::new(expected.clone())));
    let asks = Message { address: Some(suppression.key()), ..expected };
    let circumstances = ports.store().circumstances(&asks).await.expect("read");
    assert_eq!(circumstances.suppressed, Some(suppression));
}

/// That a message has arrived is news, though its record has no room for the hop any more.
pub(super) async fn a_hop_that_was_cut_is_heard_of(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = taken(ports, &reference).await;
    let now = ports.clock().now();
    let last = message.hops.last().cloned().expect("a hop");
    let kept = [2, 20].map(|number| Hop { number, ..last.clone() });
    let long = Message { hops: kept.to_vec(), version: message.version + 1, ..message };
    assert_eq!(ports.store().save_message(&long).await.expect("a write"), Write::Done);
    let hear = async |hop, verdict| {
        let news = News { verdict, why: String::new(), at: now };
        (
            ports.store().hear(&reference, hop, &news, None).await.expect("a write"),
            long.clone().heard(hop, &news),
        )
    };
    let (heard, expected) = hear(1, Verdict::Undelivered).await;
    let bad = expected.expect("news");
    assert_eq!(heard, Heard::New(Box::new(bad.clone())));
    assert!(bad.is_open() && bad.hops == long.hops, "nothing follows from it");
    let (heard, expected) = hear(19, Verdict::Delivered).await;
    let closed = Message { version: bad.version + 1, ..expected.expect("news") };
    assert_eq!((closed.status, closed.due_at), (MessageStatus::Delivered, None));
    assert_eq!(heard, Heard::New(Box::new(closed.clone())));
    let (again, _) = hear(19, Verdict::Delivered).await;
    assert_eq!(again, Heard::Known(Box::new(closed)));
    assert_eq!(hear(21, Verdict::Delivered).await.0, Heard::Nothing, "there was none");
}

pub(super) async fn circumstances_are_told_at_once(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.clone().expect("a serial");
    let told = ports.store().circumstances(&message).await.expect("read");
    assert!(told.tenant && told.suppressed.is_none());
    assert_eq!(told.user.as_ref().map(|user| &user.id), message.user.as_ref());
    let token = ports.store().token(&reference.tenant, &serial).await.expect("read");
    assert_eq!(told.token, token);
    let order = crate::lifecycle::Order { serial, reason: None, seen: None };
    let caller = crate::memory::operator("acme");
    crate::lifecycle::revoke(ports, &caller, &order, crate::once::Once::not_kept()).await.expect("revoked");
    let told = ports.store().circumstances(&message).await.expect("read");
    assert!(matches!(told.token.map(|token| token.state), Some(TokenState::Revoked { .. })));
    let nobodys = Message { user: None, serial: None, ..message };
    let told = ports.store().circumstances(&nobodys).await.expect("read");
    assert!(told.tenant && told.user.is_none() && told.token.is_none());
}

pub(super) async fn a_gateways_health_changes_as_the_domain_says(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = taken(ports, &reference).await;
    let key = HealthKey::of(&reference.tenant, &Via { gateway: Some(gateway("first")), sender: Sender::Ses });
    let of_platform = HealthKey::of(&reference.tenant, &Via::OWN);
    let now = ports.clock().now();
    let after = |seconds| now.plus(Duration::from_secs(seconds));
    let changes = [
        Change::Recovered { tried_at: now },
        Change::Tried { at: now },
        Change::Tripped { at: now },
        Change::Tripped { at: after(1) },
        Change::Tried { at: after(29) },
        Change::Tried { at: after(30) },
        Change::Tried { at: after(31) },
        Change::Recovered { tried_at: after(29) },
        Change::Tried { at: after(90) },
        Change::Recovered { tried_at: after(30) },
        Change::Recovered { tried_at: after(90) },
        Change::Tripped { at: after(200) },
    ];
    let mut kept = None;
    for change in changes {
        let one = HealthChange { gateway: key.clone(), change };
        let expected = Health::changed(kept, &change);
        let write = ports.store().change_health(&[one]).await.expect("a write");
        assert_eq!(write, if expected.is_some() { Write::Done } else { Write::Stale }, "{change:?}");
        kept = expected.unwrap_or(kept);
        let keys = [of_platform.clone(), key.clone()];
        let health = ports.store().health_of(&keys).await.expect("read");
        assert_eq!(health, [None, kept], "{change:?}");
    }

    // With a message: all or nothing.
    let trips = |gateway: &HealthKey| {
        [HealthChange { gateway: gateway.clone(), change: Change::Tripped { at: after(300) } }]
    };
    let saved = async |message: &Message, changes: &[HealthChange]| {
        ports.store().save_message_and_health(message, changes).await.expect("a write")
    };
    let next = Message { version: message.version + 1, ..message.clone() };
    assert_eq!(saved(&next, &trips(&key)).await, Saved::Outrun, "it is known not to work");
    assert_eq!(saved(&message, &trips(&of_platform)).await, Saved::Stale);
    assert_eq!(ports.store().health_of(std::slice::from_ref(&of_platform)).await.expect("read"), [None]);
    assert_eq!(saved(&next, &trips(&of_platform)).await, Saved::Done);
    let kept = ports.store().message(&reference).await.expect("read").expect("there");
    assert_eq!(kept.version, next.version);
    let health = ports.store().health_of(&[of_platform]).await.expect("read");
    assert!(matches!(health.as_slice(), [Some(Health { turn: 0, .. })]), "{health:?}");
}
