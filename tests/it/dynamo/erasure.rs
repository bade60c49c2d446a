//! The erasure of tenants whose rows are many, or look like others'.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use otpost_domain::audit::Actor;
use otpost_domain::contact::DisplayName;
use otpost_domain::job::SECOND_ERASURE;
use otpost_domain::tenant::Tombstone;
use otpost_service::admin::create_tenant;
use otpost_service::caller::Caller;
use otpost_service::erasure::{delete_tenant, tombstone};
use otpost_service::faults::{Faulty, Mishap, Plan};
use otpost_service::jobs::{STEP, work};
use otpost_service::memory::operator;
use otpost_service::once::Once;
use otpost_service::ports::{Clock as _, ErasureStore as _, JobRef, Ports as _};

use super::{KeyPerTenant, Line, Ports, database, ports_on};

type Row = (&'static str, Vec<(&'static str, String)>);

/// Every row of both tables as text, its attributes in order.
pub(super) async fn rows(client: &Client) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["core", "flow"] {
        let mut start = None;
        loop {
            let page = client.scan().table_name(table).set_exclusive_start_key(start).send();
            let page = page.await.expect("a page");
            for item in page.items.unwrap_or_default() {
                rows.push(format!("{table} {}", told(&AttributeValue::M(item))));
            }
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
    }
    rows.sort();
    rows
}

/// A value as text, a map by its names.
fn told(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(members) => {
            let members: std::collections::BTreeMap<_, _> = members.iter().collect();
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name:?} {}", told(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        AttributeValue::L(items) => format!("[{}]", items.iter().map(told).collect::<Vec<_>>().join(", ")),
        other => format!("{other:?}"),
    }
}

async fn written(client: &Client, all: Vec<Row>) {
    for table in ["core", "flow"] {
        let puts = all.iter().filter(|(of, _)| *of == table).map(|(_, attributes)| {
            let put = attributes.iter().fold(PutRequest::builder(), |put, (name, value)| {
                put.item(*name, AttributeValue::S(value.clone()))
            });
            WriteRequest::builder().put_request(put.build().expect("a row")).build()
        });
        for batch in puts.collect::<Vec<_>>().chunks(25) {
            let sent = client.batch_write_item().request_items(table, batch.to_vec()).send().await;
            assert!(sent.expect("a write").unprocessed_items.is_none_or(|left| left.is_empty()));
        }
    }
}

/// A row of the form that most have.
fn row(table: &'static str, pk: String, sk: &str) -> Row {
    (table, vec![("PK", pk), ("SK", sk.to_owned())])
}

/// A row that says whose it is.
fn of(tenant: &str, mut row: Row) -> Row {
    row.1.push(("tenant", tenant.to_owned()));
    row
}

/// Rows of others that are near those of `acme`.
fn others() -> Vec<Row> {
    let mut all = Vec::new();
    for near in ["acme-2", "acme2", "acm", "xacme"] {
        all.push(row("core", format!("T#{near}"), "META"));
        // Ids of users know no `#`. If they did, nothing would be confused.
        for user in ["x#y", "T#acme#x", "acme", "T#acme"] {
            all.push(of(near, row("core", format!("T#{near}#U#{user}"), "U")));
            all.push(row("core", format!("T#{near}#U#{user}"), "A"));
        }
        all.push(of(near, row("flow", format!("L#{near}"), "L")));
        all.push(row("flow", format!("T#{near}#I#acme"), "I"));
        all.push(of(near, row("flow", format!("T#{near}#M#T#acme#"), "M")));
        all.push(row("core", "TENANTS".to_owned(), &format!("near-{near}")));
    }
    all.push(row("flow", "N#T#acme#n".to_owned(), "N"));
    all.push(of("acme", row("core", "PLATFORM#AUD#2026-11-22".to_owned(), "aud_1")));
    all.extend((0..1500).map(|n| of("acme-2", row("core", format!("T#acme-2#U#user-{n}"), "U"))));
    all.extend((0..1500).map(|n| of("acme-2", row("flow", format!("L#other-{n}"), "L"))));
    all
}

fn many(users: usize) -> Vec<Row> {
    let mut all = vec![
        row("core", "T#acme".to_owned(), "KEY#1"),
        row("core", "T#acme#U#x#y".to_owned(), "A"),
        // A kind that nobody has thought of yet.
        of("acme", row("flow", "Q#1".to_owned(), "Q")),
    ];
    for n in 0..users {
        all.push(of("acme", row("core", format!("T#acme#U#user-{n}"), "U")));
        all.push(row("core", format!("T#acme#U#user-{n}"), "A"));
        all.push(of("acme", row("flow", format!("L#link-{n}"), "L")));
        all.push(of("acme", row("flow", format!("T#acme#M#msg-{n}"), "M")));
    }
    all
}

fn platform() -> Caller {
    Caller { actor: Actor::Platform, ..operator("acme") }
}

async fn deleted(ports: &Ports) -> JobRef {
    let name = DisplayName::try_from("Acme").expect("a name");
    create_tenant(ports, &platform(), name, Once::not_kept()).await.expect("a tenant");
    delete_tenant(ports, &platform()).await.expect("deleted");
    JobRef { tenant: platform().tenant, id: left(ports).await.job }
}

async fn left(ports: &Ports) -> Tombstone {
    tombstone(ports, &platform().tenant).await.expect("read").expect("deleted")
}

/// Several thousand rows among others', in steps, every other of which is killed at one of its calls.
pub(super) async fn a_large_tenant_is_erased_in_steps() {
    let line = Line::default();
    let config = database(line.clone()).await;
    let (client, ports) = (Client::new(&config), ports_on(&config, KeyPerTenant::default()));
    written(&client, others()).await;
    let before: BTreeSet<_> = rows(&client).await.into_iter().collect();
    let job = deleted(&ports).await;
    written(&client, many(1000)).await;
    // A request takes a while, so that a step has an end.
    *line.clock.lock().expect("not poisoned") = Some((ports.clock().clone(), Duration::from_millis(100)));
    let (mut steps, mut killed) = (0, 0);
    while left(&ports).await.erased_at.is_none() {
        let mishap = Mishap::ALL[2 + killed % 2];
        // The job, pages, the write, the queue, which this test has none of.
        let plan = Plan::new(2 + killed % 3, mishap);
        let faulty = Faulty::new(&ports, &plan);
        if Box::pin(plan.until_death(work(&faulty, &job))).await.is_none() {
            killed += 1;
        }
        let began = ports.clock().now();
        let _no_queue = work(&ports, &job).await;
        let took = began.until(ports.clock().now());
        assert!(took < STEP + Duration::from_secs(4), "a step ends in its time: {took:?}");
        steps += 1;
        assert!(steps < 100, "it comes to an end");
        ports.clock().advance(SECOND_ERASURE / 6);
    }
    assert!(steps >= 5 && killed >= 3, "{steps} {killed}");
    let told = left(&ports).await;
    assert!(told.rows_seen > 3000 && (500..=4004).contains(&told.rows_deleted), "{told:?}");
    let after: BTreeSet<_> = rows(&client).await.into_iter().collect();
    assert_eq!(before.difference(&after).count(), 0, "every row of the others is as it was");
    let left: Vec<_> = after.difference(&before).collect();
    assert_eq!(left.len(), 3, "{left:#?}");
    for place in ["\"TENANTS\"", "tenant.deleted", "tenant.erased"] {
        assert_eq!(left.iter().filter(|row| row.contains(place)).count(), 1, "{place}: {left:#?}");
    }
    assert_eq!(left.iter().filter(|row| row.contains("\"PLATFORM#AUD#")).count(), 2);
    assert!(left.iter().any(|row| row.contains("\"ttl\"") && !row.contains("Acme")), "{left:#?}");
}

/// What a batch leaves undone is asked for again, and a page that stays undone is no page.
pub(super) async fn rows_that_were_not_processed_are_sent_again() {
    let line = Line::default();
    let config = database(line.clone()).await;
    let (client, ports) = (Client::new(&config), ports_on(&config, KeyPerTenant::default()));
    let job = deleted(&ports).await;
    written(&client, many(10)).await;
    let before = rows(&client).await.len();
    line.unprocessed.store(3, Ordering::SeqCst);
    let page = ports.store().erase(&job, None).await.expect("a page");
    assert_eq!((page.changed, before - rows(&client).await.len()), (21, 21), "all that is in table flow");
    line.unprocessed.store(usize::MAX, Ordering::SeqCst);
    let failed = ports.store().erase(&job, page.next.as_deref()).await;
    assert!(failed.expect_err("nothing is deleted").kind.is_retryable());
    line.unprocessed.store(0, Ordering::SeqCst);
    let page = ports.store().erase(&job, page.next.as_deref()).await.expect("a page");
    assert_eq!((page.changed, page.next), (23, None), "and all that is in table core, with an audit entry");
}
