use std::time::Duration;

use otpost_domain::document::Value;
use otpost_domain::job::{JobState, SECOND_ROUND};

use super::*;
use crate::memory::{MemoryPorts, Queued, enrolled, operator};
use crate::once::Once;
use crate::ports::{JobRef, VerificationStore as _};
use crate::users::{Change, Profile, change_user, create_user};
use crate::verify::{Attempt, VerifyError, Whose, verify};

fn id(text: &str) -> PolicyId {
    PolicyId::try_from(text).unwrap()
}

fn user(text: &str) -> UserId {
    UserId::try_from(text).unwrap()
}

fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| GroupName::try_from(*name).unwrap()).collect()
}

fn document(coverage: (&'static str, Value), steps: i64) -> PolicyDocument {
    PolicyDocument::read(&Value::object([
        ("applies_to", Value::object([coverage])),
        ("settings", Value::object([("window_steps", Value::Whole(steps))])),
    ]))
    .unwrap()
}

fn everyone(steps: i64) -> PolicyDocument {
    document(("everyone", Value::Flag(true)), steps)
}

fn staff(steps: i64) -> PolicyDocument {
    document(("groups", Value::List(vec![Value::text("Staff")])), steps)
}

async fn stamp_of(ports: &MemoryPorts, name: &str) -> Vec<String> {
    let subject = crate::ports::Subject::User(user(name));
    let standing = ports.store().standing(&operator("acme").tenant, &subject).await.unwrap();
    standing.auth.policies.iter().map(PolicyId::to_string).collect()
}

async fn with_users(ports: &MemoryPorts, count: usize) {
    ports.with_tenant("acme").await;
    for number in 0..count {
        let profile = Profile { groups: groups(&["Staff"]), ..Profile::default() };
        let name = user(&format!("user-{number:04}"));
        create_user(ports, &operator("acme"), name, profile, Once::not_kept()).await.unwrap();
    }
    ports.queue().take();
}

#[tokio::test]
async fn of_two_who_save_at_once_one_wins() {
    let ports = MemoryPorts::new();
    let caller = operator("acme");
    let made = keep_policy(&ports, &caller, &id("window"), everyone(1), Seen::Unsaid).await.unwrap();
    assert_eq!((made.policy.version, made.job), (1, None));
    let unseen = keep_policy(&ports, &caller, &id("window"), everyone(2), Seen::Unsaid).await;
    assert!(matches!(unseen, Err(PolicyError::Unseen)));
    let won = keep_policy(&ports, &caller, &id("window"), everyone(2), Seen::Version(1)).await.unwrap();
    assert_eq!(won.policy.version, 2);
    let lost = keep_policy(&ports, &caller, &id("window"), everyone(3), Seen::Version(1)).await;
    assert!(matches!(lost, Err(PolicyError::Changed)));
    let same = keep_policy(&ports, &caller, &id("window"), everyone(2), Seen::Version(2)).await.unwrap();
    assert_eq!(same.policy.version, 2, "nothing has changed");
    assert!(matches!(
        delete_policy(&ports, &caller, &id("window"), Seen::Version(1)).await,
        Err(PolicyError::Changed)
    ));
    delete_policy(&ports, &caller, &id("window"), Seen::Version(2)).await.unwrap();
    let gone = keep_policy(&ports, &caller, &id("window"), everyone(2), Seen::Version(2)).await;
    assert!(matches!(gone, Err(PolicyError::Changed)));
    assert_eq!(ports.actions(), ["policy.created", "policy.changed", "policy.deleted"]);
}

#[tokio::test]
async fn a_tenant_has_so_many_policies() {
    let ports = MemoryPorts::new();
    let caller = operator("acme");
    for number in 0..MOST_POLICIES {
        keep_policy(&ports, &caller, &id(&format!("p-{number}")), everyone(1), Seen::Unsaid).await.unwrap();
    }
    let more = keep_policy(&ports, &caller, &id("more"), everyone(1), Seen::Unsaid).await;
    assert!(matches!(more, Err(PolicyError::TooMany)));
    let elsewhere = keep_policy(&ports, &operator("other"), &id("more"), everyone(1), Seen::Unsaid).await;
    assert!(elsewhere.is_ok());
}

#[tokio::test]
async fn a_change_of_group_or_coverage_restamps() {
    let ports = MemoryPorts::new();
    with_users(&ports, 3).await;
    let caller = operator("acme");
    let job = keep_policy(&ports, &caller, &id("staff"), staff(2), Seen::Unsaid).await.unwrap().job.unwrap();
    assert_eq!((job.seen, job.changed, job.round), (3, 3, 2), "small tenants are done at once");
    assert_eq!(stamp_of(&ports, "user-0000").await, ["staff"]);
    let leave = Change { groups: Some(BTreeSet::new()), ..Change::default() };
    change_user(&ports, &caller, &user("user-0000"), leave, None).await.unwrap();
    assert!(stamp_of(&ports, "user-0000").await.is_empty());
    let profile = Profile { groups: groups(&["Staff", "Board"]), ..Profile::default() };
    create_user(&ports, &caller, user("new"), profile, Once::not_kept()).await.unwrap();
    assert_eq!(stamp_of(&ports, "new").await, ["staff"]);
    let same_coverage = keep_policy(&ports, &caller, &id("staff"), staff(3), Seen::Version(1)).await.unwrap();
    assert_eq!(same_coverage.job, None, "what it sets is read with the policy");
    delete_policy(&ports, &caller, &id("staff"), Seen::Unsaid).await.unwrap();
    assert!(stamp_of(&ports, "new").await.is_empty());
}

#[tokio::test]
async fn a_second_round_finds_who_came_meanwhile() {
    let ports = MemoryPorts::new();
    with_users(&ports, 2).await;
    let caller = operator("acme");
    let job = keep_policy(&ports, &caller, &id("staff"), staff(2), Seen::Unsaid).await.unwrap().job.unwrap();
    let reference = JobRef::from(&job);
    assert_eq!(ports.queue().take(), [Queued::Work(reference.clone(), SECOND_ROUND)]);
    // Somebody was made by what a function had read before the policy came.
    let forgotten = ports.store().restamp(&caller.tenant, &user("user-0001"), &[]).await.unwrap();
    assert_eq!(forgotten, Write::Done);
    jobs::work(&ports, &reference).await.unwrap();
    assert!(stamp_of(&ports, "user-0001").await.is_empty(), "it is not yet time");
    ports.queue().take();
    ports.clock().advance(SECOND_ROUND);
    jobs::work(&ports, &reference).await.unwrap();
    assert_eq!(stamp_of(&ports, "user-0001").await, ["staff"]);
    let done = jobs::job(&ports, &caller, &reference.id).await.unwrap().unwrap();
    assert_eq!((done.state, done.due_at), (JobState::Done, None));
    assert_eq!((done.seen, done.changed), (4, 3));
    assert!(ports.queue().take().is_empty());
    jobs::work(&ports, &reference).await.unwrap();
}

#[tokio::test]
async fn a_lost_job_is_found_by_the_sweep() {
    let ports = MemoryPorts::new();
    with_users(&ports, 1).await;
    ports.queue().fail(true);
    let caller = operator("acme");
    let job = keep_policy(&ports, &caller, &id("staff"), staff(2), Seen::Unsaid).await.unwrap().job.unwrap();
    ports.queue().fail(false);
    assert_eq!(jobs::sweep(&ports).await.unwrap(), 0);
    ports.clock().advance(Duration::from_mins(4));
    assert_eq!(jobs::sweep(&ports).await.unwrap(), 1);
    assert_eq!(ports.queue().take(), [Queued::Work(JobRef::from(&job), Duration::ZERO)]);
}

#[tokio::test]
async fn a_check_forgives_what_policy_says() {
    let ports = MemoryPorts::new();
    let app = enrolled(&ports).await;
    let caller = operator("acme");
    ports.clock().advance(Duration::from_mins(10));
    let old = app.code(ports.clock().now());
    ports.clock().advance(Duration::from_secs(90));
    let attempt = |code: &str| Attempt {
        whose: Whose::User(user("jane")),
        code: otpost_domain::otp::Code::parse(code).unwrap(),
        source: None,
        remember: false,
        request: None,
        clock: otpost_domain::time::ClockOffset::NONE,
    };
    let refused = verify(&ports, &caller.tenant, attempt(&old)).await;
    assert!(matches!(refused, Err(VerifyError::Refused)), "three steps are too many");
    let jane = document(("users", Value::List(vec![Value::text("jane")])), 3);
    keep_policy(&ports, &caller, &id("hardware"), jane, Seen::Unsaid).await.unwrap();
    keep_policy(&ports, &caller, &id("all"), everyone(0), Seen::Unsaid).await.unwrap();
    verify(&ports, &caller.tenant, attempt(&old)).await.unwrap();
    delete_policy(&ports, &caller, &id("hardware"), Seen::Unsaid).await.unwrap();
    ports.clock().advance(Duration::from_mins(10));
    let old = app.code(ports.clock().now());
    ports.clock().advance(Duration::from_secs(90));
    let refused = verify(&ports, &caller.tenant, attempt(&old)).await;
    assert!(matches!(refused, Err(VerifyError::Refused)), "now the one for everyone counts");
}

#[tokio::test]
async fn new_tokens_and_links_are_as_policy_says() {
    let ports = MemoryPorts::new();
    with_users(&ports, 0).await;
    let caller = operator("acme");
    let document = PolicyDocument::read(&Value::object([
        ("applies_to", Value::object([("everyone", Value::Flag(true))])),
        (
            "settings",
            Value::object([
                ("token_digits", Value::Whole(8)),
                ("token_kind", Value::text("hotp")),
                ("link_life_minutes", Value::Whole(60)),
                ("authorization_code", Value::text("none")),
            ]),
        ),
    ]));
    keep_policy(&ports, &caller, &id("tokens"), document.unwrap(), Seen::Unsaid).await.unwrap();
    let email = otpost_domain::contact::EmailAddress::try_from("jane@example.org").ok();
    let profile = Profile { email, ..Profile::default() };
    create_user(&ports, &caller, user("jane"), profile, Once::not_kept()).await.unwrap();
    let wanted = crate::provision::Wanted::default();
    let token =
        crate::provision::provision(&ports, &caller, &user("jane"), wanted, Once::not_kept()).await.unwrap();
    assert_eq!((token.parameters.kind.as_str(), token.parameters.digits.count()), ("hotp", 8));
    let order = crate::push::Order { serial: token.serial, channel: None, authorization: None };
    let pushed = crate::push::push(&ports, &caller, &order, Once::not_kept()).await.unwrap();
    assert!(pushed.authorization.is_none());
    assert_eq!(pushed.message.expires_at, ports.clock().now().plus(Duration::from_hours(1)));
}
