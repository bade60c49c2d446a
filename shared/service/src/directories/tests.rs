use otpost_domain::contact::EmailAddress;
use otpost_domain::directory::{ExternalId, Said, Told};
use otpost_domain::document::Value;
use otpost_domain::ids::PolicyId;
use otpost_domain::message::MessageStatus;
use otpost_domain::policy::PolicyDocument;
use otpost_domain::token::TokenState;
use proptest::prelude::*;

use super::*;
use crate::deliver::deliver;
use crate::memory::{MemoryPorts, Queued, operator};
use crate::policies::keep_policy;
use crate::ports::{MessageRef, MessageStore as _, TokenStore as _};
use crate::seen::Seen;
use crate::{jobs, mass_changes};

fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| GroupName::try_from(*name).unwrap()).collect()
}

fn person(name: &str, active: bool, in_groups: &[&str]) -> Told {
    Told::Upserted(Person {
        user_name: UserId::try_from(name).unwrap(),
        active,
        display_name: Said::Absent,
        email: Said::Is(EmailAddress::try_from(format!("{name}@example.org").as_str()).unwrap()),
        phone: Said::Absent,
        locale: Said::Absent,
        groups: Some(groups(in_groups)),
    })
}

fn change(id: &str, version: u64, told: Told) -> Change {
    Change { external_id: ExternalId::try_from(id).unwrap(), version, told }
}

async fn world() -> (MemoryPorts, Directory) {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    let caller = operator("acme");
    let directory =
        register(&ports, &caller, "111122223333", "otpost.directory", SourceKind::Contract).await.unwrap();
    (ports, directory)
}

/// Members of Staff get a token and its link by themselves; `share` percent of users in an hour.
async fn provisioning(ports: &MemoryPorts, share: i64, always: i64) {
    let caller = operator("acme");
    let document = |coverage: (&'static str, Value), settings: Value| {
        PolicyDocument::read(&Value::object([
            ("applies_to", Value::object([coverage])),
            ("settings", settings),
        ]))
        .unwrap()
    };
    let staff = document(
        ("groups", Value::List(vec![Value::text("Staff")])),
        Value::object([
            ("provision_tokens", Value::Flag(true)),
            ("provision_clients", Value::Flag(true)),
            ("authorization_code", Value::text("none")),
        ]),
    );
    let limits = document(
        ("everyone", Value::Flag(true)),
        Value::object([
            ("hourly_share_percent", Value::Whole(share)),
            ("hourly_always", Value::Whole(always)),
        ]),
    );
    for (id, document) in [("staff", staff), ("limits", limits)] {
        keep_policy(ports, &caller, &PolicyId::try_from(id).unwrap(), document, Seen::Unsaid).await.unwrap();
    }
    ports.queue().take();
}

async fn tokens(ports: &MemoryPorts, name: &str) -> Vec<&'static str> {
    let tenant = operator("acme").tenant;
    let user = UserId::try_from(name).unwrap();
    let live = ports.store().tokens(&tenant, &user).await.unwrap();
    let page = PageRequest { limit: 100, after: None };
    let revoked = ports.store().revoked_tokens(&tenant, &user, &page).await.unwrap().items;
    live.iter().chain(&revoked).map(|token| token.state.as_str()).collect()
}

async fn user(ports: &MemoryPorts, name: &str) -> Option<User> {
    ports.store().user(&operator("acme").tenant, &UserId::try_from(name).unwrap()).await.unwrap()
}

/// The messages that were queued since the last look.
fn queued(ports: &MemoryPorts) -> Vec<MessageRef> {
    let entries = ports.queue().take().into_iter();
    entries
        .filter_map(|entry| match entry {
            Queued::Deliver(message) => Some(message),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn who_joins_gets_a_token_and_who_leaves_loses_it() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    let tell = async |version: u64, told: Told| {
        follow(&ports, &directory, &change("1", version, told)).await.unwrap()
    };
    assert_eq!(tell(1, person("jane", true, &[])).await, Followed::Changed);
    assert!(tokens(&ports, "jane").await.is_empty(), "nobody covers her");
    tell(2, person("jane", true, &["Staff"])).await;
    assert_eq!(tokens(&ports, "jane").await, ["enrolling"]);
    assert_eq!(queued(&ports).len(), 1);
    let told = ports.actions();
    assert_eq!(told[told.len() - 3..], ["user.changed", "token.provisioned", "token.pushed"]);
    assert_eq!(tell(2, person("jane", true, &["Staff"])).await, Followed::Old);
    assert_eq!(tell(3, person("jane", true, &["Staff"])).await, Followed::Remembered, "nothing is new");
    assert_eq!(tokens(&ports, "jane").await, ["enrolling"]);
    tell(4, person("jane", true, &["Board"])).await;
    assert_eq!(tokens(&ports, "jane").await, ["revoked"]);
    tell(5, person("jane", true, &["Staff"])).await;
    assert_eq!(tokens(&ports, "jane").await, ["enrolling", "revoked"], "who comes back gets another");
    tell(6, Told::Disabled).await;
    assert_eq!(tokens(&ports, "jane").await, ["revoked", "revoked"]);
    assert!(!user(&ports, "jane").await.unwrap().active);
    tell(7, Told::Deleted).await;
    assert_eq!(user(&ports, "jane").await, None);
    assert_eq!(tell(6, person("jane", true, &["Staff"])).await, Followed::Remembered, "she is gone");
    assert_eq!(user(&ports, "jane").await, None);
    tell(8, person("jane", true, &["Staff"])).await;
    assert_eq!(tokens(&ports, "jane").await, ["enrolling"]);
}

#[tokio::test]
async fn a_disabled_users_queued_mail_is_not_sent() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    follow(&ports, &directory, &change("1", 1, person("jane", true, &["Staff"]))).await.unwrap();
    let message = queued(&ports).pop().unwrap();
    follow(&ports, &directory, &change("1", 2, Told::Disabled)).await.unwrap();
    deliver(&ports, &message).await.unwrap();
    let message = ports.store().message(&message).await.unwrap().unwrap();
    assert_eq!(message.status, MessageStatus::Cancelled);
    assert_eq!((message.reason.as_deref(), message.content), (Some("its user was switched off"), None));
}

#[tokio::test]
async fn a_token_that_an_operator_has_revoked_does_not_come_back() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    follow(&ports, &directory, &change("1", 1, person("jane", true, &["Staff"]))).await.unwrap();
    let jane = UserId::try_from("jane").unwrap();
    let caller = operator("acme");
    let serial = ports.store().tokens(&caller.tenant, &jane).await.unwrap()[0].serial.clone();
    let order = crate::lifecycle::Order { serial, reason: None, seen: None };
    crate::lifecycle::revoke(&ports, &caller, &order, Once::not_kept()).await.unwrap();
    follow(&ports, &directory, &change("1", 2, person("jane", true, &["Staff", "Board"]))).await.unwrap();
    assert_eq!(tokens(&ports, "jane").await, ["revoked"]);
}

#[tokio::test]
async fn an_address_that_comes_later_gets_the_link_then() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    let Told::Upserted(jane) = person("jane", true, &["Staff"]) else { unreachable!() };
    let silent = Told::Upserted(Person { email: Said::Absent, ..jane.clone() });
    follow(&ports, &directory, &change("1", 1, silent)).await.unwrap();
    assert_eq!(tokens(&ports, "jane").await, ["assigned"]);
    assert!(queued(&ports).is_empty());
    follow(&ports, &directory, &change("1", 2, Told::Upserted(jane))).await.unwrap();
    assert_eq!(tokens(&ports, "jane").await, ["enrolling"]);
    assert_eq!(queued(&ports).len(), 1);
}

#[tokio::test]
async fn a_name_is_not_taken_over() {
    let (ports, directory) = world().await;
    follow(&ports, &directory, &change("1", 1, person("jane", true, &[]))).await.unwrap();
    let taken = follow(&ports, &directory, &change("2", 1, person("jane", true, &[]))).await;
    assert!(matches!(taken, Err(FollowError::NameTaken)));
    follow(&ports, &directory, &change("1", 2, Told::Deleted)).await.unwrap();
    let freed = follow(&ports, &directory, &change("2", 1, person("jane", true, &[]))).await.unwrap();
    assert_eq!(freed, Followed::Changed, "the next try finds it free");
}

#[tokio::test]
async fn a_mistake_that_takes_everyones_tokens_waits_for_its_release() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    for number in 0..20 {
        let told = person(&format!("u{number}"), true, &["Staff"]);
        follow(&ports, &directory, &change(&number.to_string(), 1, told)).await.unwrap();
    }
    let limits =
        Value::object([("hourly_share_percent", Value::Whole(10)), ("hourly_always", Value::Whole(3))]);
    let document = Value::object([
        ("applies_to", Value::object([("everyone", Value::Flag(true))])),
        ("settings", limits),
    ]);
    let caller = operator("acme");
    let id = PolicyId::try_from("limits").unwrap();
    let document = PolicyDocument::read(&document).unwrap();
    keep_policy(&ports, &caller, &id, document, Seen::Any).await.unwrap();
    ports.clock().advance(Duration::from_hours(1));
    let gone: Vec<u64> = (0..20).collect();
    for number in &gone {
        let told = if number % 2 == 0 { Told::Deleted } else { Told::Disabled };
        follow(&ports, &directory, &change(&number.to_string(), 2, told)).await.unwrap();
    }
    let mut kept = 0;
    for number in &gone {
        let name = format!("u{number}");
        if let Some(user) = user(&ports, &name).await {
            assert!(!user.active, "nobody gets in, whatever waits");
            kept += usize::from(tokens(&ports, &name).await == ["enrolling"]);
        }
    }
    assert_eq!(kept, 17, "three of twenty went");
    let watched = mass_changes::watched(&ports, &caller).await.unwrap();
    assert_eq!((watched.limit, watched.counted.revocations), (Some(3), 3));
    assert_eq!(watched.counted.held_revocations, 17);
    let job = mass_changes::release(&ports, &caller, None).await.unwrap();
    assert_eq!(job.wait(ports.clock().now()), None, "a small tenant is done at once");
    for number in &gone {
        let name = format!("u{number}");
        match user(&ports, &name).await {
            Some(_) => assert_eq!(tokens(&ports, &name).await, ["revoked"]),
            None => assert_eq!(number % 2, 0),
        }
    }
    assert_eq!(mass_changes::watched(&ports, &caller).await.unwrap().counted.held_revocations, 0);
}

#[tokio::test]
async fn a_new_policy_serves_those_who_are_there_and_a_deleted_one_ends_it() {
    let (ports, directory) = world().await;
    for number in 0..5 {
        let told = person(&format!("u{number}"), true, &["Staff"]);
        follow(&ports, &directory, &change(&number.to_string(), 1, told)).await.unwrap();
    }
    provisioning(&ports, 100, 50).await;
    assert_eq!(tokens(&ports, "u3").await, ["enrolling"]);
    let id = PolicyId::try_from("staff").unwrap();
    crate::policies::delete_policy(&ports, &operator("acme"), &id, Seen::Unsaid).await.unwrap();
    assert_eq!(tokens(&ports, "u3").await, ["revoked"]);
}

/// The first telling of five thousand, and the same again every night: no second token, no second mail.
#[tokio::test]
async fn telling_of_everyone_again_makes_nothing_twice() {
    let (ports, directory) = world().await;
    provisioning(&ports, 100, 50).await;
    for version in 1..=2 {
        for number in 0..5000 {
            let told = person(&format!("user-{number}"), true, &["Staff"]);
            let followed =
                follow(&ports, &directory, &change(&number.to_string(), version, told)).await.unwrap();
            assert_eq!(followed, if version == 1 { Followed::Changed } else { Followed::Remembered });
        }
        assert_eq!(queued(&ports).len(), if version == 1 { 5000 } else { 0 });
    }
    let made = ports.actions().iter().filter(|action| **action == "token.provisioned").count();
    assert_eq!(made, 5000);
    let job = jobs::new(&ports, &operator("acme"), otpost_domain::job::JobKind::Restamp);
    let until = ports.clock().now().plus(Duration::from_secs(1));
    let walked = crate::policies::apply_to_users(&ports, &job, until).await.unwrap();
    assert_eq!((walked.seen, walked.changed), (5000, 0));
}

fn any_told() -> impl Strategy<Value = Told> {
    prop_oneof![
        4 => (any::<bool>(), prop::sample::subsequence(vec!["Staff", "Board"], 0..=2))
            .prop_map(|(active, groups)| person("NAME", active, &groups)),
        1 => Just(Told::Disabled),
        1 => Just(Told::Deleted),
        2 => (any::<bool>(), prop::sample::select(vec!["Vpn", "Wiki"])).prop_map(|(joins, name)| {
            let group = GroupName::try_from(name).unwrap();
            if joins { Told::JoinedGroup(group) } else { Told::LeftGroup(group) }
        }),
    ]
}

/// A person's tellings in their order; snapshots say nothing of groups, so that memberships are not taken back by them.
fn of_person(number: usize, tellings: Vec<Told>) -> Vec<Change> {
    let told = |told: Told| match told {
        Told::Upserted(told) => Told::Upserted(Person {
            user_name: UserId::try_from(format!("p{number}").as_str()).unwrap(),
            groups: None,
            ..told
        }),
        other => other,
    };
    let numbered = tellings.into_iter().enumerate();
    numbered.map(|(at, one)| change(&number.to_string(), at as u64 + 1, told(one))).collect()
}

/// What is left of a run: who is there, active, in which groups, with how many live tokens.
async fn state(ports: &MemoryPorts, people: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for number in 0..people {
        let name = format!("p{number}");
        let Some(user) = user(ports, &name).await else {
            lines.push(format!("{name} is not there"));
            continue;
        };
        let live = ports.store().tokens(&user.tenant, &user.id).await.unwrap();
        let live = live.iter().filter(|token| !matches!(token.state, TokenState::Revoked { .. })).count();
        let groups: Vec<_> = user.groups.iter().map(GroupName::as_str).collect();
        lines.push(format!("{name} active {} in {groups:?} with {live}", user.active));
    }
    lines
}

/// Tells all of it; what cannot be followed yet comes again, as a queue brings it.
async fn tell_all(ports: &MemoryPorts, directory: &Directory, tellings: Vec<Change>) {
    for one in tellings {
        let followed = follow(ports, directory, &one).await;
        assert!(followed.is_ok(), "{followed:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Events that come twice, in any order, and again a day later leave what they leave in their order.
    #[test]
    fn any_order_ends_like_the_right_one(
        tellings in prop::collection::vec(prop::collection::vec(any_told(), 1..7), 1..4),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let people = tellings.len();
            let in_order: Vec<_> =
                tellings.into_iter().enumerate().flat_map(|(number, told)| of_person(number, told)).collect();
            // Twice each, shuffled.
            let mut shuffled: Vec<_> = in_order.iter().chain(&in_order).cloned().collect();
            let mut random = seed | 1;
            for at in (1..shuffled.len()).rev() {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(at, (random >> 33) as usize % (at + 1));
            }
            let vpn = Value::object([("groups", Value::List(vec![Value::text("Vpn")]))]);
            let mut ends = Vec::new();
            for run in [in_order.clone(), shuffled] {
                let (ports, directory) = world().await;
                let document = PolicyDocument::read(&Value::object([
                    ("applies_to", vpn.clone()),
                    ("settings", Value::object([
                        ("provision_tokens", Value::Flag(true)),
                        ("provision_clients", Value::Flag(true)),
                    ])),
                ])).unwrap();
                let id = PolicyId::try_from("vpn").unwrap();
                keep_policy(&ports, &operator("acme"), &id, document, Seen::Unsaid).await.unwrap();
                tell_all(&ports, &directory, run).await;
                let once = state(&ports, people).await;
                ports.clock().advance(Duration::from_hours(24));
                let sent = ports.actions().iter().filter(|action| **action == "token.pushed").count();
                tell_all(&ports, &directory, in_order.clone()).await;
                prop_assert_eq!(&state(&ports, people).await, &once, "a replay changes nothing");
                let again = ports.actions().iter().filter(|action| **action == "token.pushed").count();
                prop_assert_eq!(again, sent);
                ends.push(once);
            }
            prop_assert_eq!(&ends[0], &ends[1]);
            Ok(())
        })?;
    }
}
