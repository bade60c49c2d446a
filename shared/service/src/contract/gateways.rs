//! Gateways, and the record of their secrets.

use std::time::Duration;

use otpost_domain::audit::{Action, Actor, AuditEntry};
use otpost_domain::gateway::{Gateway, GatewayDocument, Owner};
use otpost_domain::ids::{GatewayId, TenantId};
use serde_json::{Value, json};

use super::TestPorts;
use crate::caller::Keeper;
use crate::document::value_of;
use crate::gateways::{GatewayError, delete_gateway, gateways, keep_gateway};
use crate::ports::{
    Clock as _, Configuration as _, GatewayChange, GatewaySecret, GatewayStore as _, Journal, PageRequest,
    Write,
};
use crate::seen::Seen;

fn keeper(tenant: Option<&str>) -> Keeper {
    let tenant = tenant.map(|tenant| TenantId::try_from(tenant).expect("a tenant's id"));
    Keeper { owner: tenant.map_or(Owner::Platform, Owner::Tenant), actor: Actor::System }
}

fn id(text: &str) -> GatewayId {
    GatewayId::try_from(text).expect("a gateway's id")
}

fn document(owner: &Owner, json: &Value) -> GatewayDocument {
    GatewayDocument::read(&value_of(json), owner).expect("a document")
}

/// A gateway whose every member has a value.
fn texts(via: &str) -> Value {
    json!({
        "name": "Texts \"by\" mail",
        "kind": "email_to_sms",
        "enabled": false,
        "countries": ["IE", "GB"],
        "rate_per_second": 7,
        "settings": {
            "via": via, "address": "{number}@sms.example.org", "number_form": "national", "calling_code": "44",
            "trunk_prefix": "0", "subject": "{pin}", "body": "Ünter:\n{text}", "max_characters": 200,
        },
        "credentials": { "pin": "1234" },
    })
}

fn gateway(ports: &impl TestPorts, owner: &Owner, name: &str, json: &Value) -> Gateway {
    let now = ports.clock().now();
    let (gateway, credentials) = Gateway::new(id(name), owner.clone(), document(owner, json), now);
    let reference = format!("{}/{name}/1", owner.as_str());
    credentials.iter().fold(gateway, |gateway, credentials| gateway.holding(&reference, credentials, now))
}

/// A change with an audit entry for each gateway that it is about.
async fn change(
    ports: &impl TestPorts,
    keeper: &Keeper,
    seen: u64,
    saved: &[&Gateway],
    deleted: Option<&Gateway>,
) -> Write {
    let told = |gateway: &Gateway| keeper.audit(ports, Action::GatewayChanged, &gateway.id);
    let mut entries: Vec<AuditEntry> = saved.iter().copied().chain(deleted).map(told).collect();
    let first = entries.remove(0);
    let journal = Journal { also: entries, ..Journal::from(first) };
    let change =
        GatewayChange { owner: &keeper.owner, seen, saved: saved.to_vec(), deleted, journal: &journal };
    ports.store().change_gateways(&change).await.expect("a write")
}

pub(super) async fn gateways_are_changed_one_at_a_time(ports: &impl TestPorts) {
    let (keeper, store) = (keeper(Some("acme")), ports.store());
    let read = async || store.owned(&keeper.owner).await.expect("read");
    assert_eq!((read().await.gateways, read().await.changes), (Vec::new(), 0));
    let first = gateway(ports, &keeper.owner, "texts", &texts("mail"));
    let second = gateway(ports, &keeper.owner, "more", &texts("mail"));
    assert_eq!(change(ports, &keeper, 0, &[&first], None).await, Write::Done);
    assert_eq!(change(ports, &keeper, 0, &[&second], None).await, Write::Stale, "another was made meanwhile");
    assert_eq!(change(ports, &keeper, 1, &[&first], None).await, Write::Stale, "it is there already");
    assert_eq!(read().await.find(&first.id), Some(&first));
    assert_eq!(change(ports, &keeper, 1, &[&second], None).await, Write::Done);
    ports.clock().advance(Duration::from_secs(1));
    let (first, second) =
        (first.without_credentials(ports.clock().now()), second.without_credentials(ports.clock().now()));
    assert_eq!(change(ports, &keeper, 2, &[&first, &second], None).await, Write::Done);
    let owned = read().await;
    assert_eq!((&owned.gateways, owned.changes), (&vec![second.clone(), first.clone()], 3), "by id");
    let third = gateway(ports, &keeper.owner, "third", &texts("mail"));
    assert_eq!(change(ports, &keeper, 2, &[&third], Some(&first)).await, Write::Stale);
    let older = Gateway { version: 1, ..first.clone() };
    assert_eq!(change(ports, &keeper, 3, &[&third], Some(&older)).await, Write::Stale);
    assert_eq!(read().await.gateways.len(), 2, "nothing of a stale change is written");
    assert_eq!(change(ports, &keeper, 3, &[&third], Some(&first)).await, Write::Done);
    assert_eq!(read().await.gateways, [second, third]);
}

pub(super) async fn owners_stay_apart(ports: &impl TestPorts) {
    let (acme, other, platform) = (keeper(Some("acme")), keeper(Some("other")), keeper(None));
    let ses = |tenants: Value| json!({ "name": "Ours", "kind": "ses", "tenants": tenants, "settings": { "from": { "address": "a@example.org" } } });
    let own = gateway(ports, &acme.owner, "texts", &texts("mail"));
    let shared = gateway(ports, &platform.owner, "texts", &ses(json!({ "named": ["acme"] })));
    let all = gateway(ports, &platform.owner, "all", &ses(json!({ "all": true })));
    assert_eq!(change(ports, &acme, 0, &[&own], None).await, Write::Done);
    assert_eq!(change(ports, &platform, 0, &[&shared, &all], None).await, Write::Done);
    for keeper in [&acme, &other, &platform] {
        ports.configuration().forget_gateways(&keeper.owner);
    }
    for (keeper, expected) in [(&acme, Some(&own)), (&platform, Some(&shared)), (&other, None)] {
        assert_eq!(ports.store().owned(&keeper.owner).await.expect("read").find(&own.id), expected);
    }
    let tenant = |keeper: &Keeper| keeper.owner.tenant().expect("a tenant").clone();
    let reach = ports.configuration().gateways(&tenant(&acme)).await.expect("read");
    assert_eq!((reach.own(), reach.lent().count()), (&[own.clone()][..], 2));
    assert_eq!(reach.find(&own.id), Some(&own));
    let reach = ports.configuration().gateways(&tenant(&other)).await.expect("read");
    assert_eq!((reach.own().len(), reach.find(&own.id)), (0, None));
    assert_eq!(reach.lent().collect::<Vec<_>>(), [&all]);
}

pub(super) async fn secrets_are_on_record(ports: &impl TestPorts) {
    let (acme, store) = (keeper(Some("acme")), ports.store());
    let secret = |owner: &Owner, gateway: &str, random: &str| GatewaySecret {
        owner: owner.clone(),
        gateway: id(gateway),
        random: random.to_owned(),
        at: ports.clock().now(),
    };
    let [a, b, c, d] = [
        secret(&acme.owner, "mail", "1"),
        secret(&acme.owner, "mail", "2"),
        secret(&acme.owner, "mail-2", "1"),
        secret(&Owner::Platform, "mail", "1"),
    ];
    for secret in [&a, &b, &c, &d, &a] {
        store.note_secret(secret).await.expect("a write");
    }
    let noted = async |owner: &Owner| store.noted_secrets(owner).await.expect("read");
    assert_eq!(noted(&acme.owner).await.len(), 3);
    assert_eq!(noted(&Owner::Platform).await, [d]);
    store.forget_secret(&a).await.expect("a write");
    store.forget_secret(&a).await.expect("a write");
    let left = noted(&acme.owner).await;
    assert!(left.len() == 2 && left.contains(&b) && left.contains(&c), "{left:?}");
    assert!(store.owned(&acme.owner).await.expect("read").gateways.is_empty(), "they are no gateways");
    assert_eq!(c.reference(), "acme/mail-2/1");
}

/// The use cases over the store alone: nothing here has credentials.
pub(super) async fn gateways_are_kept_without_credentials(ports: &impl TestPorts) {
    let acme = keeper(Some("acme"));
    let keep = async |name: &str, host: &str, seen: Seen| {
        let from = json!({ "address": "a@example.org" });
        let settings = json!({ "host": host, "port": 587, "from": from });
        let json = json!({ "name": "Mail", "kind": "smtp", "settings": settings });
        keep_gateway(ports, &acme, &id(name), document(&acme.owner, &json), seen).await
    };
    let made = keep("mail", "one.example.org", Seen::Unsaid).await.expect("made");
    assert!(made.made && made.shown.ready);
    assert!(matches!(keep("mail", "two.example.org", Seen::Unsaid).await, Err(GatewayError::Unseen)));
    let (a, b) = tokio::join!(
        keep("mail", "two.example.org", Seen::Version(1)),
        keep("mail", "three.example.org", Seen::Version(1))
    );
    assert_eq!([a.is_ok(), b.is_ok()].iter().filter(|won| **won).count(), 1, "{a:?} {b:?}");
    assert!([a, b].into_iter().filter_map(Result::err).all(|lost| matches!(lost, GatewayError::Changed)));
    // Others of the same owner are no reason to be refused.
    let (a, b) = tokio::join!(
        keep("mail", "four.example.org", Seen::Version(2)),
        keep("post", "one.example.org", Seen::Unsaid)
    );
    assert!(a.is_ok() && b.is_ok(), "{a:?} {b:?}");
    let page = gateways(ports, &acme, &PageRequest { limit: 1, after: None }).await.expect("a page");
    assert_eq!(page.items.first().map(|shown| shown.gateway.id.clone()), Some(id("mail")));
    assert!(page.next.is_some());
    delete_gateway(ports, &acme, &id("mail"), Seen::Version(3)).await.expect("deleted");
    let missing = delete_gateway(ports, &acme, &id("mail"), Seen::Unsaid).await;
    assert!(matches!(missing, Err(GatewayError::NoSuchGateway)));
}
