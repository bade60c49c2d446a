//! The end of a tenant.

use otpost_domain::time::ClockOffset;
use std::collections::BTreeSet;

use otpost_domain::apikey::Role;
use otpost_domain::audit::Actor;
use otpost_domain::authorization::AuthorizationMode;
use otpost_domain::contact::EmailAddress;
use otpost_domain::directory::{Change, ExternalId, SourceKind, Told};
use otpost_domain::document::Value;
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::{BearerHash, GatewayId, PolicyId, Serial, TenantId, UserId};
use otpost_domain::job::{Job, JobState, SECOND_ERASURE};
use otpost_domain::message::Channel;
use otpost_domain::otp::{Code, OtpParameters};
use otpost_domain::policy::PolicyDocument;
use otpost_domain::tenant::{GroupName, ID_RETENTION, Tenant, Tombstone};

use serde_json::json;

use super::{TestPorts, first, name};
use crate::caller::{Caller, Keeper};
use crate::document::value_of;
use crate::erasure::{delete_tenant, tombstone};
use crate::gateways::keep_gateway;
use crate::jobs::work;
use crate::memory::{App, link_of, operator, session};
use crate::once::{Once, Reply, reserve};
use crate::policies::keep_policy;
use crate::ports::{
    Clock as _, ErasureStore as _, JobRef, JobStore as _, MassChangeStore as _, MessageRef, NonceStore as _,
    PortResult, Slot, TenantStore as _, Write,
};
use crate::seen::Seen;
use crate::verify::{Attempt, Whose, verify};
use crate::{admin, directories, enroll, lifecycle, provision, push, users};

fn id(text: &str) -> UserId {
    UserId::try_from(text).expect("a user's id")
}

fn platform(tenant: &str) -> Caller {
    Caller { actor: Actor::Platform, ..operator(tenant) }
}

/// A slot of a tenant's.
fn slot(ports: &impl TestPorts, tenant: &TenantId, what: &str) -> Slot {
    let id = BearerHash::of(&[tenant.as_str().as_bytes(), what.as_bytes()]);
    let request = BearerHash::of(&[b"request"]);
    Slot { tenant: tenant.clone(), id, request, holder: what.to_owned(), at: ports.clock().now() }
}

/// Makes a tenant, and its answer is kept.
async fn made(ports: &impl TestPorts, tenant: &str) -> Caller {
    let caller = platform(tenant);
    let kept = slot(ports, &caller.tenant, "made");
    let _free = reserve(ports, &kept).await.expect("a slot");
    let told = |_: &Tenant| -> PortResult<Reply> { Ok(Reply { status: 201, etag: None, body: "{}".into() }) };
    admin::create_tenant(ports, &caller, name("Acme"), Once::kept(&kept, &told)).await.expect("a tenant");
    operator(tenant)
}

/// Makes a policy for a group, and with it a job.
async fn with_policy(ports: &impl TestPorts, caller: &Caller) {
    let groups = Value::object([("groups", Value::List(vec![Value::text("Staff")]))]);
    let settings = Value::object([("window_steps", Value::Whole(2))]);
    let document = Value::object([("applies_to", groups), ("settings", settings)]);
    let document = PolicyDocument::read(&document).expect("a document");
    let policy = PolicyId::try_from("staff").expect("a policy's id");
    keep_policy(ports, caller, &policy, document, Seen::Unsaid).await.expect("a policy");
}

/// Makes a user with a token.
async fn provisioned(ports: &impl TestPorts, caller: &Caller, user: &str) -> Serial {
    let email = EmailAddress::try_from("jane@example.org").ok();
    let groups = [GroupName::try_from("Staff").expect("a name")].into();
    let profile = users::Profile { email, groups, ..users::Profile::default() };
    users::create_user(ports, caller, id(user), profile, Once::not_kept()).await.expect("a user");
    let parameters = OtpParameters::default();
    provision::provision(ports, caller, &id(user), parameters, Once::not_kept())
        .await
        .expect("a token")
        .serial
}

/// Pushes a token; the code in its link.
async fn pushed(ports: &impl TestPorts, caller: &Caller, serial: &Serial) -> String {
    let authorization = Some(AuthorizationMode::None);
    let order = push::Order { serial: serial.clone(), channel: Some(Channel::Email), authorization };
    let pushed = push::push(ports, caller, &order, Once::not_kept()).await;
    link_of(ports, &MessageRef::from(&pushed.expect("a push").message)).await
}

/// Asks for a code, which nobody shows.
async fn guessed(ports: &impl TestPorts, caller: &Caller, whose: Whose) {
    let code = Code::parse("123456").expect("a code");
    let attempt =
        Attempt { whose, code, source: None, remember: false, request: None, clock: ClockOffset::NONE };
    verify(ports, &caller.tenant, attempt).await.expect_err("nobody's");
}

/// A tenant with at least one row of every kind. Its users are called as its neighbour's rows might be.
async fn inhabited(ports: &impl TestPorts, tenant: &str, neighbour: &str) -> Caller {
    let caller = made(ports, tenant).await;
    let new = admin::NewKey::lasting(Role::App, name("shop"));
    let kept = slot(ports, &caller.tenant, "key");
    let _free = reserve(ports, &kept).await.expect("a slot");
    let told = |_: &admin::CreatedKey| -> PortResult<Reply> {
        Ok(Reply { status: 201, etag: None, body: "{}".into() })
    };
    admin::create_key(ports, &caller, &new, Once::kept(&kept, &told)).await.expect("a key");
    let _running = reserve(ports, &slot(ports, &caller.tenant, "running")).await.expect("a slot");
    // A token that is enrolled, one whose link is on its way, one that was revoked.
    let active = provisioned(ports, &caller, "jane").await;
    let link = pushed(ports, &caller, &active).await;
    let started = enroll::start(ports, &link, None, None).await.expect("a session");
    let code = App::scans(&started).code(ports.clock().now());
    enroll::activate(ports, &link, &session(&started), &code).await.expect("an activation");
    let waiting = provisioned(ports, &caller, neighbour).await;
    let link = pushed(ports, &caller, &waiting).await;
    enroll::start(ports, &link, None, None).await.expect("a session");
    let revoked = provisioned(ports, &caller, &format!("t-{neighbour}")).await;
    let order = lifecycle::Order { serial: revoked, reason: None, seen: None };
    lifecycle::revoke(ports, &caller, &order, Once::not_kept()).await.expect("revoked");
    with_policy(ports, &caller).await;
    with_directory(ports, &caller).await;
    with_gateway(ports, &caller).await;
    guessed(ports, &caller, Whose::User(id(&format!("u-{neighbour}")))).await;
    guessed(ports, &caller, Whose::Token(Serial::new([9; 8]))).await;
    guessed(ports, &caller, Whose::User(id("jane"))).await;
    caller
}

/// A gateway. It has no credentials: not all ports reach a store of these.
async fn with_gateway(ports: &impl TestPorts, caller: &Caller) {
    let keeper = Keeper { owner: Owner::Tenant(caller.tenant.clone()), actor: caller.actor.clone() };
    let mail = json!({
        "name": "Mail",
        "kind": "smtp",
        "settings": {
            "host": "mail.example.org", "port": 587, "authentication": "none",
            "from": { "address": "otp@example.org" },
        },
    });
    let document = GatewayDocument::read(&value_of(&mail), &keeper.owner).expect("a document");
    let gateway = GatewayId::try_from("mail").expect("a gateway's id");
    keep_gateway(ports, &keeper, &gateway, document, Seen::Unsaid).await.expect("a gateway");
}

/// A directory, somebody of whom it has told, and a count of those who change by themselves.
async fn with_directory(ports: &impl TestPorts, caller: &Caller) {
    let source = format!("otpost.directory.{}", caller.tenant);
    let kind = SourceKind::Contract;
    let directory =
        directories::register(ports, caller, "111122223333", &source, kind).await.expect("a directory");
    let external_id = ExternalId::try_from("4711").expect("an id");
    let joined = Told::JoinedGroup(GroupName::try_from("Staff").expect("a name"));
    let change = Change { external_id, version: 1, told: joined };
    directories::follow(ports, &directory, &change).await.expect("followed");
    ports.store().begin_hour(&caller.tenant, 1, 1).await.expect("begun");
}

/// Does the next step of an erasure. That no queue takes the one after it is no matter here.
async fn step(ports: &impl TestPorts, tenant: &TenantId) -> Tombstone {
    let before = tombstone(ports, tenant).await.expect("read").expect("deleted");
    let job = JobRef { tenant: tenant.clone(), id: before.job };
    let _not_queued = work(ports, &job).await;
    tombstone(ports, tenant).await.expect("read").expect("deleted")
}

/// Of two neighbours with rows of every kind, one is deleted: every row of it goes, and what is written meanwhile by
/// functions that still trust its keys, and no row of the other. `rows` lists every row as text.
///
/// # Panics
/// When it is not so.
pub async fn nothing_is_left_of_a_deleted_tenant<P: TestPorts>(
    fresh: impl AsyncFn() -> P,
    rows: impl AsyncFn(&P) -> Vec<String>,
) {
    for (tenant, neighbour) in [("acme", "acme-2"), ("acme-2", "acme"), ("acm", "acme")] {
        let ports = fresh().await;
        let listed = async || rows(&ports).await.into_iter().collect::<BTreeSet<_>>();
        inhabited(&ports, neighbour, tenant).await;
        // A nonce is its device's, and passes in minutes.
        let (device, until) = (BearerHash::of(&[tenant.as_bytes()]), ports.clock().now());
        let taken = ports.store().take_nonce(&device, "n", "h", until).await.expect("a write");
        assert_eq!(taken, Write::Done);
        let others = listed().await;
        let caller = inhabited(&ports, tenant, neighbour).await;
        let with = listed().await;
        assert!(with.is_superset(&others) && with.len() > others.len() + 25, "{}", with.len());

        delete_tenant(&ports, &platform(tenant)).await.expect("deleted");
        let after = step(&ports, &caller.tenant).await;
        assert_eq!((after.round, after.erased_at), (2, None));
        assert!(after.rows_deleted > 25 && after.rows_seen > after.rows_deleted, "{after:?}");
        let left = listed().await;
        assert_eq!(left.difference(&others).count(), 3, "the tombstone, the audit entry and the job");

        // A function that has seen the tenant's key goes on for a moment.
        let late = users::Profile::default();
        users::create_user(&ports, &caller, id("late"), late, Once::not_kept()).await.expect("a user");
        assert_eq!(step(&ports, &caller.tenant).await, after, "it is not yet time");
        ports.clock().advance(SECOND_ERASURE);
        let over = step(&ports, &caller.tenant).await;
        assert_eq!(over.erased_at, Some(ports.clock().now()));
        assert_eq!(over.rows_deleted, after.rows_deleted + 3, "the user, the auth row, the audit entry");

        let left = listed().await;
        assert_eq!(others.difference(&left).count(), 0, "every row of the others is as it was");
        let left: Vec<_> = left.difference(&others).collect();
        assert_eq!(left.len(), 3, "the tombstone and two audit entries: {left:#?}");
        for row in left {
            assert!(!row.contains("Acme") && !row.contains("jane"), "{row}");
        }
    }
}

pub(super) async fn an_erasure_is_told_of_in_the_tombstone(ports: &impl TestPorts) {
    let caller = made(ports, "acme").await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    assert_eq!(store.tombstone(tenant).await.expect("read"), None);
    delete_tenant(ports, &platform("acme")).await.expect("deleted");
    let left = store.tombstone(tenant).await.expect("read").expect("deleted");
    let reference = JobRef { tenant: tenant.clone(), id: left.job.clone() };
    let job = store.job(&reference).await.expect("read").expect("on record");
    assert_eq!(Tombstone::from(&job), left);

    let now = ports.clock().now();
    let next = |job: &Job, changed| {
        let step = otpost_domain::job::Stepped { seen: 7, changed, next: None };
        job.clone().stepped(step, now)
    };
    let second = next(&job, 3);
    assert_eq!(store.save_erasure(&second).await.expect("a write"), Write::Done);
    assert_eq!(store.save_erasure(&second).await.expect("a write"), Write::Stale, "another was faster");
    assert_eq!(store.job(&reference).await.expect("read"), Some(second.clone()));
    assert_eq!(store.tombstone(tenant).await.expect("read"), Some(Tombstone::from(&second)));
    let mut place = None;
    loop {
        let page = store.erase(&reference, place.as_deref()).await.expect("a page");
        place = page.next;
        if place.is_none() {
            break;
        }
    }
    assert!(store.job(&reference).await.expect("read").is_some(), "it does not erase itself");

    let journal = || platform("acme").journal(ports, otpost_domain::audit::Action::TenantErased);
    let over = next(&second, 1);
    assert_eq!(over.state, JobState::Done);
    assert_eq!(store.end_erasure(&next(&over, 1), &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.end_erasure(&over, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.end_erasure(&over, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.save_erasure(&over).await.expect("a write"), Write::Stale, "nothing comes back");
    assert_eq!(store.job(&reference).await.expect("read"), None);
    assert_eq!(store.tombstone(tenant).await.expect("read"), Some(Tombstone::from(&over)));
}

pub(super) async fn an_id_is_given_again_once_it_is_free(ports: &impl TestPorts) {
    let tenant = made(ports, "acme").await.tenant;
    let again = async || admin::create_tenant(ports, &platform("acme"), name("Acme"), Once::not_kept()).await;
    delete_tenant(ports, &platform("acme")).await.expect("deleted");
    assert!(matches!(again().await, Err(admin::CreateTenantError::Deleted { free_at: None })));
    step(ports, &tenant).await;
    ports.clock().advance(SECOND_ERASURE);
    let free = step(ports, &tenant).await.free_at();
    assert_eq!(free, Some(ports.clock().now().plus(ID_RETENTION)));
    let early = again().await;
    assert!(matches!(early, Err(admin::CreateTenantError::Deleted { free_at }) if free_at == free));
    ports.clock().advance(ID_RETENTION);
    assert!(admin::tenants(ports, &first(9)).await.expect("a page").items.is_empty());
    assert_eq!(admin::tenant(ports, &tenant).await.expect("read"), None);
    assert!(matches!(delete_tenant(ports, &platform("acme")).await, Err(admin::TenantError::NoSuchTenant)));
    let made = again().await.expect("its id is free");
    assert_eq!(ports.store().tenant(&tenant).await.expect("read"), Some(made));
    assert_eq!(tombstone(ports, &tenant).await.expect("read"), None);
    delete_tenant(ports, &platform("acme")).await.expect("a tenant like any other");
}
