use std::time::Duration;

use otpost_domain::audit::Action;
use otpost_domain::message::{Channel, Overtaken};

use super::*;
use crate::memory::{MemoryPorts, operator, pushed};
use crate::ports::{MessageRef, Write};

const DAY: Duration = Duration::from_hours(24);

/// A message as another one is, made now.
async fn add(ports: &MemoryPorts, like: &Message, change: impl FnOnce(Message) -> Message) -> MessageId {
    ports.clock().advance(Duration::from_secs(1));
    let now = ports.clock().now();
    let made = Message { id: MessageId::new(now, [1; 10]), created_at: now, version: 1, ..like.clone() };
    let made = change(made);
    let journal = operator("acme").journal(ports, Action::TokenPushed);
    assert_eq!(ports.store().add_message(&made, &journal).await.unwrap(), Write::Done);
    made.id
}

async fn first(ports: &MemoryPorts) -> Message {
    let reference: MessageRef = pushed(ports).await;
    ports.store().message(&reference).await.unwrap().unwrap()
}

/// All pages, and how many there were.
async fn all(ports: &MemoryPorts, wanted: &Wanted, limit: usize) -> (Vec<MessageId>, usize) {
    let tenant = operator("acme").tenant;
    let (mut ids, mut pages) = (Vec::new(), 0);
    let mut request = PageRequest { limit, after: None };
    loop {
        let page = messages(ports, &tenant, wanted, &request).await.unwrap();
        assert!(page.items.len() <= limit);
        pages += 1;
        ids.extend(page.items.into_iter().map(|message| message.id));
        let Some(next) = page.next else { return (ids, pages) };
        request.after = Some(next);
    }
}

#[tokio::test]
async fn a_tenants_messages_are_found_over_days_that_are_empty() {
    let ports = MemoryPorts::new();
    let like = first(&ports).await;
    let mut made = vec![like.id.clone()];
    for days in [0, 1, 40] {
        ports.clock().advance(DAY * days);
        made.insert(0, add(&ports, &like, |message| message).await);
    }
    let (found, pages) = all(&ports, &Wanted::default(), 2).await;
    assert_eq!(found, made);
    assert!(pages <= 5, "{pages}: 90 days in pages of 30");
    let request = PageRequest { limit: 9, after: None };
    let one = messages(&ports, &like.tenant, &Wanted::default(), &request).await.unwrap();
    assert_eq!(
        (one.items.len(), one.next.is_some()),
        (1, true),
        "what lies behind many days is another page's"
    );
    ports.clock().advance(DAY * 60);
    assert_eq!(all(&ports, &Wanted::default(), 9).await.0, made[..1], "older ones are gone, or about to be");
}

#[tokio::test]
async fn times_bound_what_is_found() {
    let ports = MemoryPorts::new();
    let like = first(&ports).await;
    let mut made = vec![(like.id.clone(), like.created_at)];
    for _ in 0..4 {
        ports.clock().advance(DAY);
        let id = add(&ports, &like, |message| message).await;
        made.insert(0, (id, ports.clock().now()));
    }
    let ids =
        |range: std::ops::Range<usize>| made[range].iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
    let later = ports.clock().now().plus(DAY * 999);
    for user in [None, like.user.clone()] {
        let within = |from: Option<Timestamp>, to: Option<Timestamp>| Wanted {
            from,
            to,
            user: user.clone(),
            ..Wanted::default()
        };
        let (second, fourth) = (made[3].1, made[1].1);
        assert_eq!(
            all(&ports, &within(Some(second), Some(fourth)), 1).await.0,
            ids(2..4),
            "from on, before to"
        );
        assert_eq!(all(&ports, &within(Some(fourth), None), 9).await, (ids(0..2), 1));
        assert_eq!(all(&ports, &within(None, Some(second)), 9).await.0, ids(4..5));
        assert_eq!(all(&ports, &within(Some(later), None), 9).await, (Vec::new(), 1));
        assert_eq!(all(&ports, &within(Some(fourth), Some(later)), 9).await, (ids(0..2), 1));
    }
}

#[tokio::test]
async fn what_is_not_wanted_is_left_out() {
    let ports = MemoryPorts::new();
    let like = first(&ports).await;
    crate::deliver::deliver(&ports, &MessageRef::from(&like)).await.unwrap();
    let text = add(&ports, &like, |message| Message { channel: Channel::Sms, ..message }).await;
    let trial = add(&ports, &like, |message| Message { user: None, test: true, ..message }).await;
    let done =
        add(&ports, &like, |message| Message { version: 0, ..message.cancelled(Overtaken::NewerLink) }).await;
    let any = Wanted::default;
    let expected = |ids: &[&MessageId]| ids.iter().map(|id| (*id).clone()).collect::<Vec<_>>();
    for (wanted, ids) in [
        (any(), expected(&[&done, &trial, &text, &like.id])),
        (Wanted { user: like.user.clone(), ..any() }, expected(&[&done, &text, &like.id])),
        (Wanted { status: Some(MessageStatus::Cancelled), ..any() }, expected(&[&done])),
        (
            Wanted { status: Some(MessageStatus::Queued), user: like.user.clone(), ..any() },
            expected(&[&text]),
        ),
        (Wanted { channel: Some(Channel::Sms), ..any() }, expected(&[&text])),
        (Wanted { gateway: Some("deployment".to_owned()), ..any() }, expected(&[&like.id])),
        (Wanted { gateway: Some("texts".to_owned()), ..any() }, Vec::new()),
    ] {
        assert_eq!(all(&ports, &wanted, 1).await.0, ids, "{wanted:?}");
        assert_eq!(all(&ports, &wanted, 9).await.0, ids, "{wanted:?}");
    }
}

#[tokio::test]
async fn one_call_looks_at_so_many() {
    let ports = MemoryPorts::new();
    let like = first(&ports).await;
    for _ in 0..MOST_LOOKED_AT + 9 {
        add(&ports, &like, |message| message).await;
    }
    let wanted =
        Wanted { status: Some(MessageStatus::Failed), from: Some(like.created_at), ..Wanted::default() };
    for wanted in [Wanted { user: like.user.clone(), ..wanted.clone() }, wanted] {
        assert_eq!(all(&ports, &wanted, 25).await, (Vec::new(), 2), "none in the first, and on");
    }
}
