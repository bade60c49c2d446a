//! Policies, users' stamps and jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use otpost_domain::audit::Action;
use otpost_domain::document::Value;
use otpost_domain::ids::{JobId, PolicyId, UserId};
use otpost_domain::job::{JOB_PICK_UP, Job, JobKind, JobState, Stepped};
use otpost_domain::policy::{Policy, PolicyDocument};
use otpost_domain::tenant::GroupName;

use super::{TestPorts, acme, first, jane, subject};
use crate::once::Once;
use crate::ports::{
    Clock as _, Configuration as _, JobRef, JobStore as _, PageRequest, PolicyStore as _, UserStore as _,
    VerificationStore as _, Write,
};
use crate::users::{Change, Profile, change_user, create_user};

fn id(text: &str) -> PolicyId {
    PolicyId::try_from(text).expect("a policy's id")
}

fn policy(name: &str, ports: &impl TestPorts) -> Policy {
    let groups = Value::object([("groups", Value::List(vec![Value::text("Staff"), Value::text("Büro")]))]);
    let settings = Value::object([
        ("window_steps", Value::Whole(2)),
        ("channels", Value::List(vec![Value::text("sms"), Value::text("email")])),
    ]);
    let document = Value::object([
        ("description", Value::text("For \"all\" of them")),
        ("applies_to", groups),
        ("settings", settings),
    ]);
    Policy::new(id(name), PolicyDocument::read(&document).expect("a document"), ports.clock().now())
}

pub(super) async fn policies_are_versioned_and_listed(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    let journal = || caller.journal(ports, Action::PolicyCreated);
    let made = policy("staff", ports);
    assert_eq!(store.save_policy(tenant, &made, None, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.save_policy(tenant, &made, None, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.policy(tenant, &made.id).await.expect("read"), Some(made.clone()));
    ports.clock().advance(Duration::from_secs(1));
    let changed = made.becomes(made.document(), ports.clock().now());
    assert_eq!(store.save_policy(tenant, &changed, None, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.save_policy(tenant, &changed, None, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.policy(tenant, &made.id).await.expect("read"), Some(changed.clone()));
    for name in ["beta", "alfa"] {
        let made = policy(name, ports);
        assert_eq!(store.save_policy(tenant, &made, None, &journal()).await.expect("a write"), Write::Done);
    }
    let page = store.policies(tenant, &first(2)).await.expect("a page");
    let rest = PageRequest { limit: 2, after: page.next };
    let rest = store.policies(tenant, &rest).await.expect("a page");
    let listed: Vec<_> =
        page.items.into_iter().chain(rest.items).map(|policy| policy.id.to_string()).collect();
    assert_eq!((listed, rest.next), (vec!["alfa".to_owned(), "beta".to_owned(), "staff".to_owned()], None));
    assert_eq!(store.delete_policy(tenant, &made, None, &journal()).await.expect("a write"), Write::Stale);
    assert_eq!(store.delete_policy(tenant, &changed, None, &journal()).await.expect("a write"), Write::Done);
    assert_eq!(store.policy(tenant, &made.id).await.expect("read"), None);
    let other = otpost_domain::ids::TenantId::try_from("other").expect("a tenant's id");
    assert!(store.policies(&other, &first(9)).await.expect("a page").items.is_empty());
    ports.configuration().forget_policies(tenant);
    assert_eq!(ports.configuration().policies(tenant).await.expect("read").len(), 2);
}

/// More than the megabyte at which a read of DynamoDB ends.
pub(super) async fn large_policies_are_all_read(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let names = || (0..100).map(|number| Value::text(format!("{number:0>3}{}", "ö".repeat(125))));
    for number in 0..45 {
        let document = Value::object([
            ("applies_to", Value::object([("groups", Value::List(names().collect()))])),
            ("settings", Value::object([("window_steps", Value::Whole(2))])),
        ]);
        let document = PolicyDocument::read(&document).expect("a document");
        let made = Policy::new(id(&format!("p{number:0>2}")), document, ports.clock().now());
        let journal = caller.journal(ports, Action::PolicyCreated);
        let saved = ports.store().save_policy(&caller.tenant, &made, None, &journal).await;
        assert_eq!(saved.expect("a write"), Write::Done);
    }
    let all = ports.store().all_policies(&caller.tenant).await.expect("read");
    let ids: Vec<_> = all.iter().map(|policy| policy.id.to_string()).collect();
    assert_eq!(ids, (0..45).map(|number| format!("p{number:0>2}")).collect::<Vec<_>>());
}

pub(super) async fn a_job_is_written_with_its_change(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    let now = ports.clock().now();
    let job = |number: u8| Job::new(JobId::new(now, [number; 10]), tenant.clone(), JobKind::Restamp, now);
    let journal = || caller.journal(ports, Action::PolicyCreated);
    let made = policy("staff", ports);
    let written = store.save_policy(tenant, &made, Some(&job(1)), &journal()).await.expect("a write");
    assert_eq!(written, Write::Done);
    let stale = store.save_policy(tenant, &made, Some(&job(2)), &journal()).await.expect("a write");
    assert_eq!(stale, Write::Stale);
    assert_eq!(store.job(&JobRef::from(&job(2))).await.expect("read"), None);
    assert_eq!(store.job(&JobRef::from(&job(1))).await.expect("read"), Some(job(1)));
    let gone = store.delete_policy(tenant, &made, Some(&job(3)), &journal()).await.expect("a write");
    assert_eq!(gone, Write::Done);
    let page = store.jobs(tenant, &first(1)).await.expect("a page");
    assert_eq!(page.items, [job(3)], "the newest first");
    let rest = PageRequest { limit: 1, after: page.next };
    assert_eq!(store.jobs(tenant, &rest).await.expect("a page").items, [job(1)]);

    assert!(store.jobs_due(now, 9).await.expect("a list").is_empty());
    let due = store.jobs_due(now.plus(JOB_PICK_UP), 9).await.expect("a list");
    assert_eq!(due.len(), 2);
    let step = Stepped { seen: 7, changed: 3, next: Some("joe".to_owned()) };
    let stepped = job(1).stepped(step, now.plus(Duration::from_secs(1)));
    assert_eq!(store.save_job(&stepped).await.expect("a write"), Write::Done);
    assert_eq!(store.save_job(&stepped).await.expect("a write"), Write::Stale, "another was faster");
    assert_eq!(store.job(&JobRef::from(&stepped)).await.expect("read"), Some(stepped.clone()));
    let done = stepped.stepped(Stepped::default(), now).stepped(Stepped::default(), now);
    assert_eq!(done.state, JobState::Done);
    let last = Job { version: 3, ..done };
    assert_eq!(store.save_job(&last).await.expect("a write"), Write::Done);
    let due = store.jobs_due(now.plus(JOB_PICK_UP), 9).await.expect("a list");
    assert_eq!(due, [JobRef::from(&job(3))]);
}

pub(super) async fn users_are_listed_and_stamped(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    let groups: BTreeSet<_> =
        ["Staff", "Büro 1"].into_iter().map(|name| GroupName::try_from(name).expect("a name")).collect();
    for name in ["jack", "joe", "anna"] {
        let user = UserId::try_from(name).expect("an id");
        let profile = Profile { groups: groups.clone(), ..Profile::default() };
        create_user(ports, &caller, user, profile, Once::not_kept()).await.expect("a user");
    }
    let all = store.users(tenant, "", &first(9)).await.expect("a page");
    let names = |users: &[otpost_domain::tenant::User]| {
        users.iter().map(|user| user.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&all.items), ["anna", "jack", "jane", "joe"]);
    assert_eq!(all.items.first().map(|user| &user.groups), Some(&groups));
    let page = store.users(tenant, "ja", &first(1)).await.expect("a page");
    let rest = PageRequest { limit: 1, after: page.next };
    let rest = store.users(tenant, "ja", &rest).await.expect("a page");
    assert_eq!(
        (names(&page.items), names(&rest.items), rest.next),
        (vec!["jack".into()], vec!["jane".into()], None)
    );

    let stamped = async || store.standing(tenant, &subject()).await.expect("read").auth.policies;
    let restamp = async |stamp: &[PolicyId]| store.restamp(tenant, &jane(), stamp).await.expect("a write");
    assert_eq!(restamp(&[]).await, Write::Stale, "nothing is what it says already");
    assert_eq!(restamp(&[id("a"), id("b")]).await, Write::Done);
    assert_eq!(stamped().await, [id("a"), id("b")]);
    assert_eq!(restamp(&[id("a"), id("b")]).await, Write::Stale);
    assert_eq!(restamp(&[id("b")]).await, Write::Done);
    assert_eq!(restamp(&[]).await, Write::Done);
    assert!(stamped().await.is_empty());
    let nobody = UserId::try_from("nobody").expect("an id");
    assert_eq!(store.restamp(tenant, &nobody, &[id("a")]).await.expect("a write"), Write::Stale);
    let none = crate::ports::Subject::User(nobody);
    assert!(!store.standing(tenant, &none).await.expect("read").is_user, "nobody is made by it");

    let made = policy("staff", ports);
    let journal = caller.journal(ports, Action::PolicyCreated);
    let written = store.save_policy(tenant, &made, None, &journal).await.expect("a write");
    assert_eq!(written, Write::Done);
    ports.configuration().forget_policies(tenant);
    let joins = Change { groups: Some(groups), ..Change::default() };
    change_user(ports, &caller, &jane(), joins, None).await.expect("changed");
    assert_eq!(stamped().await, [id("staff")], "a change of groups writes the stamp too");
    let leaves = Change { groups: Some(BTreeSet::new()), ..Change::default() };
    change_user(ports, &caller, &jane(), leaves, None).await.expect("changed");
    assert!(stamped().await.is_empty());
}
