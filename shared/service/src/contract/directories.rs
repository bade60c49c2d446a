//! Directories, what is remembered of people, what follows from a user's change, and the count of those who change.

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::audit::{Action, Actor};
use otpost_domain::contact::EmailAddress;
use otpost_domain::directory::{Change, Effect, ExternalId, Mark, Person, Said, SourceKind, SyncRun, Told};
use otpost_domain::document::Value;
use otpost_domain::ids::{DirectoryId, JobId, PolicyId, UserId};
use otpost_domain::job::{Job, JobKind};
use otpost_domain::policy::PolicyDocument;
use otpost_domain::provisioning::MassChange;
use otpost_domain::tenant::{GroupName, Keeper};

use super::{TestPorts, acme, first, subject};
use crate::caller::Caller;
use crate::directories::{DirectoryError, Followed, follow, register, remove};
use crate::memory::enrolled;
use crate::policies::keep_policy;
use crate::ports::{
    Clock as _, Configuration as _, Counted, DirectoryStore as _, JobRef, JobStore as _, MarkChange,
    MassChangeStore as _, PageRequest, TokenStore as _, UserStore as _, VerificationStore as _, Write,
};
use crate::seen::Seen;
use crate::users::{Change as UserChange, change_user};

const ACCOUNT: &str = "111122223333";

pub(super) async fn directories_are_registered_once(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let made =
        register(ports, &caller, ACCOUNT, "otpost.directory", SourceKind::Contract).await.expect("made");
    let again = register(ports, &caller, ACCOUNT, "otpost.directory", SourceKind::Okta).await;
    assert!(matches!(again, Err(DirectoryError::Exists)));
    let okta =
        register(ports, &caller, ACCOUNT, "aws.partner/okta.com/x", SourceKind::Okta).await.expect("made");
    assert_eq!(
        ports.store().directory(&DirectoryId::of(ACCOUNT, "otpost.directory")).await.expect("read"),
        Some(made.clone())
    );
    assert_eq!(
        ports.store().directory(&DirectoryId::of("999988887777", "otpost.directory")).await.expect("read"),
        None
    );
    let page = ports.store().directories(&first(1)).await.expect("a page");
    let rest = PageRequest { limit: 1, after: page.next };
    let rest = ports.store().directories(&rest).await.expect("a page");
    let mut listed: Vec<_> = page.items.into_iter().chain(rest.items).map(|one| one.id).collect();
    let mut wanted = vec![made.id.clone(), okta.id.clone()];
    wanted.sort();
    listed.sort();
    assert_eq!((listed, rest.next), (wanted, None));
    let run = |version, users| SyncRun { version, started_at: ports.clock().now(), users };
    let save = async |one: SyncRun| ports.store().save_run(&made.id, &one).await.expect("a write");
    assert_eq!(save(run(2, Some(30))).await, Write::Done);
    assert_eq!(save(run(1, None)).await, Write::Stale);
    assert_eq!(
        ports.store().directory(&made.id).await.expect("read").expect("there").last_run,
        Some(run(2, Some(30)))
    );
    assert_eq!(save(run(3, None)).await, Write::Done);
    assert_eq!(
        ports.store().directory(&made.id).await.expect("read").expect("there").last_run,
        Some(run(3, None))
    );
    remove(ports, &okta, Actor::Platform).await.expect("taken out");
    assert!(matches!(remove(ports, &okta, Actor::Platform).await, Err(DirectoryError::NoSuchDirectory)));
    let nobody = ports.store().save_run(&okta.id, &run(9, None)).await.expect("a write");
    assert_eq!(nobody, Write::Stale);
}

fn keeper(id: &str) -> Keeper {
    let external_id = ExternalId::try_from(id).expect("an id");
    Keeper { directory: DirectoryId::of(ACCOUNT, "otpost.directory"), external_id }
}

fn change(version: u64, told: Told) -> Change {
    Change { external_id: ExternalId::try_from("CN=Jane, O=Äcme").expect("an id"), version, told }
}

pub(super) async fn marks_are_versioned(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let (store, tenant) = (ports.store(), &caller.tenant);
    let group = GroupName::try_from("Büro 1").expect("a name");
    let (mark, _) = Mark::new().after(&change(3, Told::JoinedGroup(group.clone()))).expect("new");
    let who = keeper("CN=Jane, O=Äcme");
    assert_eq!(store.mark(tenant, &who).await.expect("read"), None);
    let made = MarkChange { keeper: who.clone(), mark: mark.clone(), until: Some(ports.clock().now()) };
    assert_eq!(store.save_mark(tenant, &made).await.expect("a write"), Write::Done);
    assert_eq!(store.save_mark(tenant, &made).await.expect("a write"), Write::Stale);
    assert_eq!(store.mark(tenant, &who).await.expect("read"), Some(mark.clone()));
    let (mark, effect) = mark.after(&change(4, Told::LeftGroup(group))).expect("newer");
    assert!(matches!(effect, Effect::Member(_, false)));
    let (mark, _) = Mark { version: 1, ..mark }.after(&change(5, Told::Disabled)).expect("newer");
    let user = UserId::try_from("jane").ok();
    let next = MarkChange { mark: Mark { user, ..mark }, until: None, ..made };
    assert_eq!(store.save_mark(tenant, &next).await.expect("a write"), Write::Done);
    assert_eq!(store.mark(tenant, &who).await.expect("read"), Some(next.mark));
    assert_eq!(store.mark(tenant, &keeper("cn=jane, o=äcme")).await.expect("read"), None, "case counts");
}

fn jane(groups: &[&str], active: bool) -> Told {
    Told::Upserted(Person {
        user_name: UserId::try_from("jane").expect("an id"),
        active,
        display_name: Said::Absent,
        email: Said::Is(EmailAddress::try_from("jane@example.org").expect("an address")),
        phone: Said::Absent,
        locale: Said::Absent,
        groups: Some(groups.iter().map(|name| GroupName::try_from(*name).expect("a name")).collect()),
    })
}

async fn provisioning(ports: &impl TestPorts, caller: &Caller) {
    let document = Value::object([
        ("applies_to", Value::object([("groups", Value::List(vec![Value::text("Staff")]))])),
        (
            "settings",
            Value::object([
                ("provision_tokens", Value::Flag(true)),
                ("provision_clients", Value::Flag(true)),
            ]),
        ),
    ]);
    let id = PolicyId::try_from("staff").expect("an id");
    let document = PolicyDocument::read(&document).expect("a document");
    keep_policy(ports, caller, &id, document, Seen::Unsaid).await.expect("kept");
    ports.configuration().forget_policies(&caller.tenant);
}

pub(super) async fn what_follows_is_written_with_the_user(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    provisioning(ports, &caller).await;
    let directory =
        register(ports, &caller, ACCOUNT, "otpost.directory", SourceKind::Contract).await.expect("made");
    let tell =
        async |version, told| follow(ports, &directory, &change(version, told)).await.expect("followed");
    let id = UserId::try_from("jane").expect("an id");
    let live = async || ports.store().tokens(&caller.tenant, &id).await.expect("a list");
    // She was made by hand; the directory takes her over.
    assert_eq!(tell(1, jane(&["Staff"], true)).await, Followed::Changed);
    let [token] = live().await.try_into().expect("one token");
    assert_eq!(token.state.as_str(), "enrolling");
    let user = ports.store().user(&caller.tenant, &id).await.expect("read").expect("there");
    assert_eq!(user.automatic.as_ref().and_then(|served| served.serial.as_ref()), Some(&token.serial));
    assert_eq!(user.directory, Some(keeper("CN=Jane, O=Äcme")));
    let found = ports.store().token(&caller.tenant, &token.serial).await.expect("read");
    assert_eq!(found, Some(token.clone()), "its pointer is there");
    let again = tell(2, jane(&["Staff"], true)).await;
    assert_eq!((again, live().await.len()), (Followed::Remembered, 1));
    tell(3, jane(&[], true)).await;
    assert!(live().await.is_empty());
    let revoked = ports.store().token(&caller.tenant, &token.serial).await.expect("read").expect("kept");
    assert_eq!(revoked.state.as_str(), "revoked");
    tell(4, jane(&["Staff"], true)).await;
    tell(5, Told::Deleted).await;
    assert_eq!(ports.store().user(&caller.tenant, &id).await.expect("read"), None);
    assert_eq!(tell(5, jane(&["Staff"], true)).await, Followed::Remembered, "it is not newer");
    assert_eq!(tell(6, jane(&["Staff"], false)).await, Followed::Changed);
    assert!(live().await.is_empty(), "she must not get in");
}

/// A token whose codes are accepted ends with its user's change, in the auth row too.
pub(super) async fn an_active_token_ends_with_its_users_change(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = Caller { actor: Actor::System, ..crate::memory::operator("acme") };
    provisioning(ports, &caller).await;
    let id = UserId::try_from("jane").expect("an id");
    let staff = [GroupName::try_from("Staff").expect("a name")].into();
    let joins = UserChange { groups: Some(staff), ..UserChange::default() };
    let user = change_user(ports, &caller, &id, joins, None).await.expect("changed");
    assert_eq!(user.automatic.map(|served| served.serial), Some(None), "hers counts");
    let off = UserChange { active: Some(false), ..UserChange::default() };
    change_user(ports, &caller, &id, off, None).await.expect("changed");
    let standing = ports.store().standing(&caller.tenant, &subject()).await.expect("read");
    assert!(standing.auth.live.is_empty() && standing.tokens.is_empty() && !standing.auth.active);
    let ended = ports.store().token(&caller.tenant, &app.serial).await.expect("read").expect("kept");
    assert_eq!(ended.state.as_str(), "revoked");
}

pub(super) async fn users_who_change_are_counted<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let caller = acme(ports.as_ref()).await;
    let tenant = caller.tenant.clone();
    let now = ports.clock().now();
    let hour = now.hours();
    let kind = MassChange::Pushes;
    let count = async |kind, limit, at| ports.store().count(&tenant, kind, limit, at).await.expect("counted");
    assert_eq!(count(kind, 9, now).await, Counted::NewHour);
    assert_eq!(ports.store().count_users(&tenant, 100).await.expect("counted"), 1);
    ports.store().begin_hour(&tenant, hour, 7).await.expect("begun");
    ports.store().begin_hour(&tenant, hour, 8).await.expect("begun before");
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (ports, tenant) = (Arc::clone(&ports), tenant.clone());
        racing.spawn(async move { ports.store().count(&tenant, kind, 9, now).await.expect("counted") });
    }
    let passed = racing.join_all().await.into_iter().filter(|counted| *counted == Counted::Passes).count();
    assert_eq!(passed, 9);
    assert_eq!(count(MassChange::Revocations, 9, now).await, Counted::Passes);
    let seen = ports.store().mass_changes(&tenant).await.expect("read");
    assert_eq!((seen.users, seen.pushes, seen.held_pushes, seen.revocations), (7, 9, 21, 1));
    assert_eq!(seen.held_since, Some(now));
    assert_eq!(count(kind, 9, now.plus(Duration::from_hours(1))).await, Counted::NewHour);
    let job = Job::new(JobId::new(now, [1; 10]), tenant.clone(), JobKind::Release, now);
    let journal = caller.journal(ports.as_ref(), Action::MassChangeReleased);
    assert_eq!(ports.store().let_go(&tenant, &job, &journal).await.expect("a write"), Write::Done);
    let seen = ports.store().mass_changes(&tenant).await.expect("read");
    assert_eq!((seen.pushes, seen.held_pushes, seen.held_since), (9, 0, None));
    assert_eq!(ports.store().job(&JobRef::from(&job)).await.expect("read"), Some(job));
}
