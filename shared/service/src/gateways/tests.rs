use std::time::Duration;

use otpost_domain::apikey::Role;
use otpost_domain::audit::Actor;
use otpost_domain::document::Value;
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::{PolicyId, TenantId};
use otpost_domain::policy::PolicyDocument;
use serde_json::json;

use super::*;
use crate::document::value_of;
use crate::faults::{Faulty, Mishap, Plan};
use crate::memory::{MemoryPorts, Queued, operator};
use crate::policies::keep_policy;
use crate::ports::{PageRequest, SLOT_LEASE};

fn id(text: &str) -> GatewayId {
    GatewayId::try_from(text).unwrap()
}

fn platform() -> Keeper {
    Keeper { owner: Owner::Platform, actor: Actor::Platform }
}

fn of(tenant: &str) -> Keeper {
    let tenant = TenantId::try_from(tenant).unwrap();
    Keeper { owner: Owner::Tenant(tenant), actor: Actor::Key(crate::sample::key(Role::Admin).0.id) }
}

fn document(keeper: &Keeper, json: &serde_json::Value) -> GatewayDocument {
    GatewayDocument::read(&value_of(json), &keeper.owner).unwrap()
}

fn mail(host: &str, password: Option<&str>) -> serde_json::Value {
    let settings = json!({ "host": host, "port": 587, "authentication": "plain", "from": { "address": "a@acme.example" } });
    let credentials = password.map(|password| json!({ "user": "otpost", "password": password }));
    json!({ "name": "Mail", "kind": "smtp", "settings": settings, "credentials": credentials })
}

fn texts(pin: Option<&str>) -> serde_json::Value {
    let settings = json!({ "via": "mail", "address": "{number}@sms.example.org", "subject": "{pin}" });
    let credentials = pin.map(|pin| json!({ "pin": pin }));
    json!({ "name": "Texts", "kind": "email_to_sms", "settings": settings, "credentials": credentials })
}

fn ses(tenants: &serde_json::Value) -> serde_json::Value {
    json!({ "name": "Ours", "kind": "ses", "tenants": tenants, "settings": { "from": { "address": "a@example.org" } } })
}

async fn keep(
    ports: &impl Ports,
    keeper: &Keeper,
    name: &str,
    json: &serde_json::Value,
    seen: Seen,
) -> Result<Kept, GatewayError> {
    keep_gateway(ports, keeper, &id(name), document(keeper, json), seen).await
}

/// Values of the parts that lie in storage, and of nothing else.
fn stored(ports: &MemoryPorts) -> Vec<String> {
    ports.secrets().into_values().flat_map(std::collections::BTreeMap::into_values).collect()
}

async fn listed(ports: &MemoryPorts, keeper: &Keeper) -> Vec<String> {
    let page = gateways(ports, keeper, &PageRequest { limit: 100, after: None }).await.unwrap();
    page.items.iter().map(|shown| format!("{}/{}", shown.gateway.owner.as_str(), shown.gateway.id)).collect()
}

#[tokio::test]
async fn credentials_are_kept_replaced_and_voided() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let made =
        keep(&ports, &acme, "mail", &mail("mail.acme.example", Some("first")), Seen::Unsaid).await.unwrap();
    assert_eq!((made.made, made.effect, made.shown.ready), (true, Effect::Given, true));
    assert_eq!(stored(&ports), ["first", "otpost"]);

    let mut renamed = mail("mail.acme.example", None);
    renamed["name"] = json!("Post");
    let kept = keep(&ports, &acme, "mail", &renamed, Seen::Version(1)).await.unwrap();
    assert_eq!((kept.effect, kept.shown.gateway.version), (Effect::Kept, 2));
    assert!(kept.shown.gateway.usable_credentials().is_some());
    let same = keep(&ports, &acme, "mail", &renamed, Seen::Version(2)).await.unwrap();
    assert_eq!(same.shown.gateway.version, 2, "nothing has changed");
    assert_eq!(stored(&ports), ["first", "otpost"]);

    let rotated = mail("mail.acme.example", Some("second"));
    let replaced = keep(&ports, &acme, "mail", &rotated, Seen::Version(2)).await.unwrap();
    assert_eq!(replaced.effect, Effect::Replaced);
    assert_eq!(stored(&ports), ["second", "otpost"], "the former are gone");
    let moved_with = mail("mail.elsewhere.example", Some("third"));
    let replaced = keep(&ports, &acme, "mail", &moved_with, Seen::Any).await.unwrap();
    assert!(replaced.shown.ready, "whoever knows them may move them");

    let voided = keep(&ports, &acme, "mail", &mail("mail.thief.example", None), Seen::Any).await.unwrap();
    assert_eq!((voided.effect, voided.shown.ready), (Effect::Voided, false));
    assert!(stored(&ports).is_empty());
    let back = keep(&ports, &acme, "mail", &mail("mail.elsewhere.example", None), Seen::Any).await.unwrap();
    assert_eq!((back.effect, back.shown.ready), (Effect::Kept, false), "what is gone does not come back");
    let given = keep(&ports, &acme, "mail", &moved_with, Seen::Any).await.unwrap();
    assert_eq!(given.effect, Effect::Given);
    delete_gateway(&ports, &acme, &id("mail"), Seen::Unsaid).await.unwrap();
    assert!(stored(&ports).is_empty() && !ports.shape().contains("noted"));
    let told = [
        "gateway.created acme/mail credentials given",
        "gateway.changed acme/mail -",
        "gateway.changed acme/mail credentials replaced",
        "gateway.changed acme/mail credentials replaced",
        "gateway.changed acme/mail credentials voided",
        "gateway.changed acme/mail -",
        "gateway.changed acme/mail credentials given",
        "gateway.deleted acme/mail -",
    ];
    assert_eq!(ports.told_of_gateways(), told);
}

#[tokio::test]
async fn of_two_who_save_at_once_one_wins() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let first = mail("mail.acme.example", Some("first"));
    keep(&ports, &acme, "mail", &first, Seen::Unsaid).await.unwrap();
    let (second, third) =
        (mail("mail.acme.example", Some("second")), mail("mail.acme.example", Some("third")));
    let unseen = keep(&ports, &acme, "mail", &second, Seen::Unsaid).await;
    assert!(matches!(unseen, Err(GatewayError::Unseen)));
    keep(&ports, &acme, "mail", &second, Seen::Version(1)).await.unwrap();
    let lost = keep(&ports, &acme, "mail", &third, Seen::Version(1)).await;
    assert!(matches!(lost, Err(GatewayError::Changed)));
    assert_eq!(stored(&ports), ["second", "otpost"]);
    assert!(matches!(
        delete_gateway(&ports, &acme, &id("mail"), Seen::Version(1)).await,
        Err(GatewayError::Changed)
    ));
    delete_gateway(&ports, &acme, &id("mail"), Seen::Version(2)).await.unwrap();
    assert!(matches!(
        delete_gateway(&ports, &acme, &id("mail"), Seen::Unsaid).await,
        Err(GatewayError::NoSuchGateway)
    ));
    let gone = keep(&ports, &acme, "mail", &second, Seen::Any).await;
    assert!(matches!(gone, Err(GatewayError::Changed)));
}

/// Whoever decides by what another has changed meanwhile decides anew: no PIN goes where its giver did not see.
#[tokio::test]
async fn a_change_beside_it_is_seen() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    keep(&ports, &acme, "mail", &mail("mail.acme.example", Some("secret")), Seen::Unsaid).await.unwrap();
    keep(&ports, &acme, "texts", &texts(Some("1234")), Seen::Unsaid).await.unwrap();
    let before = ports.store().owned(&acme.owner).await.unwrap();
    keep(&ports, &acme, "texts", &texts(Some("9876")), Seen::Any).await.unwrap();
    let (next, _, _) = next(
        &acme,
        &id("mail"),
        before.find(&id("mail")),
        document(&acme, &mail("mail.thief.example", None)),
        ports.clock().now(),
    );
    let voided = change::voided(&before, &id("mail"), Some(&next), ports.clock().now());
    let told = acme.audit(&ports, Action::GatewayChanged, &id("mail"));
    let step = Step { saved: Some(&next), deleted: None, voided: &voided, told };
    assert_eq!(write(&ports, &acme, &before, step).await.unwrap(), Write::Stale);
    let moved = keep(&ports, &acme, "mail", &mail("mail.thief.example", None), Seen::Any).await.unwrap();
    assert_eq!(moved.voided, [id("texts")]);
    assert!(stored(&ports).is_empty());
}

#[tokio::test]
async fn a_pin_is_void_when_the_mails_go_elsewhere() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let carrier = mail("mail.acme.example", Some("secret"));
    let moved = mail("mail.thief.example", None);
    let pins = || stored(&ports).iter().filter(|text| *text == "1234").count();
    keep(&ports, &acme, "mail", &carrier, Seen::Unsaid).await.unwrap();
    let made = keep(&ports, &acme, "texts", &texts(Some("1234")), Seen::Unsaid).await.unwrap();
    assert!(made.shown.ready);
    let mut renamed = carrier.clone();
    renamed["name"] = json!("Post");
    let kept = keep(&ports, &acme, "mail", &renamed, Seen::Any).await.unwrap();
    assert_eq!((kept.voided.len(), pins()), (0, 1), "credentials of the same server");
    let reviewed = review(&ports, &acme, &id("mail"), document(&acme, &moved)).await.unwrap();
    assert_eq!((reviewed.effect, reviewed.voided), (Effect::Voided, vec![id("texts")]));
    assert_eq!(pins(), 1, "nothing is changed by looking");

    let kept = keep(&ports, &acme, "mail", &moved, Seen::Any).await.unwrap();
    assert_eq!((kept.voided, pins()), (vec![id("texts")], 0));
    let shown = gateway(&ports, &acme, &id("texts")).await.unwrap();
    assert_eq!((shown.gateway.version, shown.ready), (2, false));
    let told = ports.told_of_gateways();
    assert_eq!(
        told[told.len() - 2..],
        ["gateway.changed acme/mail credentials voided", "gateway.changed acme/texts credentials voided",]
    );

    keep(&ports, &acme, "texts", &texts(Some("1234")), Seen::Any).await.unwrap();
    delete_gateway(&ports, &acme, &id("mail"), Seen::Unsaid).await.unwrap();
    assert_eq!(pins(), 0, "deleted is elsewhere too");
    keep(&ports, &acme, "texts", &texts(Some("1234")), Seen::Any).await.unwrap();
    let shown = gateway(&ports, &acme, &id("texts")).await.unwrap();
    assert!(!shown.ready && shown.advice.iter().any(|advice| advice.pointer == "/settings/via"));
    let made = keep(&ports, &acme, "mail", &carrier, Seen::Unsaid).await.unwrap();
    assert_eq!((made.voided, pins()), (vec![id("texts")], 0), "and so is made");
}

#[tokio::test]
async fn mails_of_texts_never_go_by_another_owners_gateway() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    keep(&ports, &platform(), "mail", &ses(&json!({ "all": true })), Seen::Unsaid).await.unwrap();
    let made = keep(&ports, &acme, "texts", &texts(Some("1234")), Seen::Unsaid).await.unwrap();
    assert!(!made.shown.ready);
    let told: Vec<_> = made.shown.advice.iter().map(|advice| advice.pointer).collect();
    assert_eq!(told, ["/settings/via"]);
    keep(&ports, &of("other"), "mail2", &mail("mail.other.example", Some("x")), Seen::Unsaid).await.unwrap();
    let mut by_others = texts(Some("1234"));
    by_others["settings"]["via"] = json!("mail2");
    let made = keep(&ports, &acme, "more", &by_others, Seen::Unsaid).await.unwrap();
    assert!(!made.shown.ready);
}

#[tokio::test]
async fn a_gateway_of_the_platform_is_seen_by_those_whom_it_serves() {
    let ports = MemoryPorts::new();
    let (acme, other) = (of("acme"), of("other"));
    keep(&ports, &platform(), "named", &ses(&json!({ "named": ["acme"] })), Seen::Unsaid).await.unwrap();
    keep(&ports, &platform(), "all", &ses(&json!({ "all": true })), Seen::Unsaid).await.unwrap();
    keep(&ports, &acme, "zmail", &mail("mail.acme.example", Some("secret")), Seen::Unsaid).await.unwrap();
    assert_eq!(listed(&ports, &acme).await, ["acme/zmail", "platform/all", "platform/named"]);
    assert_eq!(listed(&ports, &other).await, ["platform/all"]);
    assert_eq!(listed(&ports, &platform()).await, ["platform/all", "platform/named"]);
    for (keeper, name, found) in [
        (&acme, "named", true),
        (&other, "named", false),
        (&other, "zmail", false),
        (&platform(), "zmail", false),
    ] {
        assert_eq!(gateway(&ports, keeper, &id(name)).await.is_ok(), found, "{name}");
        if keeper.owner != acme.owner {
            let deleted = delete_gateway(&ports, keeper, &id("zmail"), Seen::Unsaid).await;
            assert!(matches!(deleted, Err(GatewayError::NoSuchGateway)));
        }
    }
    let lent = delete_gateway(&ports, &acme, &id("named"), Seen::Unsaid).await;
    assert!(matches!(lent, Err(GatewayError::NoSuchGateway)), "it is not theirs");
    let lent = keep(&ports, &acme, "named", &mail("mail.acme.example", None), Seen::Any).await;
    assert!(matches!(lent, Err(GatewayError::Changed)));
    let mut pages = Vec::new();
    let mut request = PageRequest { limit: 2, after: None };
    loop {
        let page = gateways(&ports, &acme, &request).await.unwrap();
        pages.push(page.items.len());
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(pages, [2, 1]);
}

#[tokio::test]
async fn a_tenant_takes_no_id_of_a_gateway_that_serves_it() {
    let ports = MemoryPorts::new();
    let (acme, other) = (of("acme"), of("other"));
    let own = mail("mail.acme.example", Some("secret"));
    keep(&ports, &platform(), "main", &ses(&json!({ "named": ["acme"] })), Seen::Unsaid).await.unwrap();
    assert!(matches!(keep(&ports, &acme, "main", &own, Seen::Unsaid).await, Err(GatewayError::Taken)));
    let looked_over = review(&ports, &acme, &id("main"), document(&acme, &own)).await;
    assert!(matches!(looked_over, Err(GatewayError::Taken)));
    assert!(stored(&ports).is_empty());
    keep(&ports, &other, "main", &own, Seen::Unsaid).await.unwrap();
    // The platform does not see what tenants have; the tenant's own goes on to count.
    keep(&ports, &platform(), "main", &ses(&json!({ "all": true })), Seen::Any).await.unwrap();
    let shown = gateway(&ports, &other, &id("main")).await.unwrap();
    assert_eq!(shown.gateway.owner, other.owner);
    let all = gateways(&ports, &other, &PageRequest { limit: 9, after: None }).await.unwrap().items;
    assert_eq!(all.iter().map(|shown| shown.hidden).collect::<Vec<_>>(), [false, true]);
    keep(&ports, &other, "main", &mail("mail.other.example", Some("x")), Seen::Any).await.unwrap();
}

#[tokio::test]
async fn an_owner_has_so_many_gateways() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let one = mail("mail.acme.example", None);
    for number in 0..MOST_GATEWAYS {
        keep(&ports, &acme, &format!("g-{number}"), &one, Seen::Unsaid).await.unwrap();
    }
    let more = mail("mail.acme.example", Some("secret"));
    let refused = keep(&ports, &acme, "more", &more, Seen::Unsaid).await;
    assert!(matches!(refused, Err(GatewayError::TooMany)));
    assert!(stored(&ports).is_empty());
    keep(&ports, &of("other"), "more", &more, Seen::Unsaid).await.unwrap();
}

#[tokio::test]
async fn a_review_tells_what_policies_name() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let routes = |names: &[&str]| {
        Value::List(names.iter().map(|name| Value::object([("gateway", Value::text(*name))])).collect())
    };
    let policy = PolicyDocument::read(&Value::object([
        ("applies_to", Value::object([("everyone", Value::Flag(true))])),
        (
            "settings",
            Value::object([
                ("email_routes", routes(&["mail", "other"])),
                ("sms_routes", routes(&["mail"])),
                ("mobile_code_gateway", Value::text("other")),
            ]),
        ),
    ]));
    let named = PolicyId::try_from("all").unwrap();
    keep_policy(&ports, &operator("acme"), &named, policy.unwrap(), Seen::Unsaid).await.unwrap();
    let reviewed =
        review(&ports, &acme, &id("mail"), document(&acme, &mail("x.example", Some("p")))).await.unwrap();
    assert_eq!((reviewed.made, reviewed.effect, reviewed.shown.ready), (true, Effect::Given, true));
    let naming = |setting, fits| Naming { policy: named.clone(), setting, fits };
    assert_eq!(reviewed.named, [naming("email_routes", true), naming("sms_routes", false)]);
    let lent = document(&platform(), &ses(&json!({ "all": true })));
    let platforms = review(&ports, &platform(), &id("mail"), lent).await.unwrap();
    assert!(platforms.named.is_empty());
    assert!(listed(&ports, &acme).await.is_empty() && ports.secrets().is_empty());
}

/// What dies between a secret and its gateway is removed with the next change, and not before its writer is over.
#[tokio::test]
async fn a_secret_that_nothing_refers_to_is_removed() {
    let (ports, acme) = (MemoryPorts::new(), of("acme"));
    let plan = Plan::new(5, Mishap::FailsBefore);
    let failed =
        keep(&Faulty::new(&ports, &plan), &acme, "mail", &mail("x.example", Some("lost")), Seen::Unsaid)
            .await;
    assert!(matches!(failed, Err(GatewayError::Port(_))), "{:?}", plan.names());
    assert_eq!(stored(&ports), ["lost", "otpost"], "{:?}", plan.names());
    keep(&ports, &acme, "mail", &mail("x.example", Some("good")), Seen::Unsaid).await.unwrap();
    assert_eq!(stored(&ports).len(), 4, "its writer may still be at it");
    ports.clock().advance(SLOT_LEASE);
    keep(&ports, &acme, "mail", &mail("x.example", None), Seen::Any).await.unwrap();
    assert_eq!(stored(&ports), ["good", "otpost"]);
    ports.clock().advance(Duration::from_hours(1));
    let missing = delete_gateway(&ports, &acme, &id("other"), Seen::Unsaid).await;
    assert!(matches!(missing, Err(GatewayError::NoSuchGateway)));
    assert_eq!(stored(&ports), ["good", "otpost"], "what is in use stays, however old");
}

#[tokio::test]
async fn a_deleted_tenant_leaves_no_credentials() {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    for keeper in [of("acme"), of("other")] {
        keep(&ports, &keeper, "mail", &mail("x.example", Some("secret")), Seen::Unsaid).await.unwrap();
    }
    crate::erasure::delete_tenant(&ports, &operator("acme")).await.unwrap();
    for queued in ports.queue().take() {
        let Queued::Work(job, _) = queued else { panic!("{queued:?}") };
        crate::jobs::work(&ports, &job).await.unwrap();
    }
    assert!(ports.secrets().keys().all(|name| name.starts_with("other/")));
    assert_eq!(ports.secrets().len(), 1);
}
