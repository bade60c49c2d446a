//! What holds of messages.

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::ids::{MessageId, UserId};
use otpost_domain::message::{HopState, LEASE, Message, MessageStatus, Next, PICK_UP, Routes, Step, Via};
use otpost_domain::outcome::Outcome;

use super::*;

/// By the deployment's own gateway for mails.
fn by_own() -> Routes {
    Routes { usable: vec![Via::OWN], passed_over: Vec::new() }
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
