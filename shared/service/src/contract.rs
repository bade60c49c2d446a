//! What every store must keep, as functions to run against it: in memory and on DynamoDB alike.
//!
//! [`all`] runs each case on fresh ports.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "support of tests: a broken assumption must end the test"
)]

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::apikey::Role;
use otpost_domain::audit::{Action, Actor};
use otpost_domain::contact::DisplayName;
use otpost_domain::enrolment::{DeadLink, EnrolmentState};
use otpost_domain::ids::{BearerHash, MessageId, Serial, TenantId, UserId};
use otpost_domain::message::{Channel, HopState, LEASE, Message, MessageStatus, Outcome, PICK_UP, Step};
use otpost_domain::otp::{Code, OtpParameters};
use otpost_domain::token::{SealedSeed, Token, TokenState};
use otpost_domain::verification::{Branch, Guard, KNOWN_BUDGET, Refusal, STRANGER_BUDGET};

use crate::caller::Caller;
use crate::memory::{ManualClock, all_parameters, enrolled, link_of, operator, pushed, wrong_code};
use crate::ports::{
    AuthWrite, Clock as _, EnrolmentStore as _, Entropy as _, KeyStore as _, MessageRef, MessageStore as _,
    PageRequest, Ports, Provisioning, RecordKind, Sealer as _, TenantStore as _, TokenStore as _,
    UserStore as _, VerificationStore as _, Write,
};
use crate::verify::{Attempt, VerifyError, verify};
use crate::{admin, enroll, provision, push, users};

/// Ports whose clock the suite moves.
pub trait TestPorts: Ports<Clock = ManualClock> + 'static {}

impl<P: Ports<Clock = ManualClock> + 'static> TestPorts for P {}

/// Runs every case, each on ports of its own.
///
/// # Panics
/// When a case fails.
pub async fn all<P: TestPorts>(fresh: impl AsyncFn() -> P) {
    tenants_are_made_once_and_listed_in_pages(&fresh().await).await;
    keys_are_listed_and_revoked(&fresh().await).await;
    users_are_versioned(&fresh().await).await;
    a_deleted_user_leaves_nothing(&fresh().await).await;
    a_deletion_sees_every_token(&fresh().await).await;
    tokens_keep_their_parameters(&fresh().await).await;
    a_serial_is_unique_in_its_tenant(&fresh().await).await;
    the_limit_of_tokens_holds_in_parallel(fresh().await).await;
    a_stale_push_writes_nothing(&fresh().await).await;
    pushing_again_supersedes(&fresh().await).await;
    enrolments_are_versioned(&fresh().await).await;
    a_token_is_activated_once(fresh().await).await;
    a_code_is_accepted_once(fresh().await, 100).await;
    failures_are_counted_and_guarded(&fresh().await).await;
    a_parallel_burst_of_guesses_is_bounded(fresh().await, 200).await;
    decoys_make_room(&fresh().await).await;
    a_hop_is_claimed_once(fresh().await).await;
    messages_are_found_until_closed(&fresh().await).await;
    messages_are_listed_newest_first(&fresh().await).await;
    sealed_records_open_in_their_place_only(&fresh().await).await;
}

fn jane() -> UserId {
    UserId::try_from("jane").expect("a user's id")
}

fn name(text: &str) -> DisplayName {
    DisplayName::try_from(text).expect("a name")
}

fn first(limit: usize) -> PageRequest {
    PageRequest { limit, after: None }
}

async fn acme<P: Ports>(ports: &P) -> Caller {
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    admin::create_tenant(ports, &caller, name("Acme")).await.expect("a tenant");
    users::create_user(ports, &operator("acme"), jane(), users::Profile::default()).await.expect("a user");
    operator("acme")
}

async fn tenants_are_made_once_and_listed_in_pages(ports: &impl TestPorts) {
    for id in ["echo", "alfa", "delta", "bravo", "charlie"] {
        let caller = Caller { actor: Actor::Platform, ..operator(id) };
        let made = admin::create_tenant(ports, &caller, name(&format!("Tenant {id}"))).await.expect("made");
        assert_eq!(ports.store().tenant(&made.id).await.expect("read"), Some(made));
        let again = admin::create_tenant(ports, &caller, name("again")).await;
        assert!(matches!(again, Err(admin::CreateTenantError::Exists)));
    }
    let mut seen = Vec::new();
    let mut request = first(2);
    loop {
        let page = ports.store().tenants(&request).await.expect("a page");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|tenant| tenant.id.to_string()));
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(seen, ["alfa", "bravo", "charlie", "delta", "echo"]);
}

async fn keys_are_listed_and_revoked(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let mut made = Vec::new();
    for role in Role::OF_TENANTS {
        made.push(admin::create_key(ports, &caller, role, name(role.as_str())).await.expect("a key").key);
    }
    made.sort_by(|a, b| a.id.cmp(&b.id));
    let page = ports.store().keys(&caller.tenant, &first(3)).await.expect("a page");
    let rest = ports
        .store()
        .keys(&caller.tenant, &PageRequest { limit: 3, after: page.next })
        .await
        .expect("a page");
    assert!(rest.next.is_none());
    assert_eq!(page.items.into_iter().chain(rest.items).collect::<Vec<_>>(), made);
    let one = &made.first().expect("keys").id;
    let audit = caller.audit(ports, Action::KeyRevoked);
    let at = ports.clock().now();
    assert_eq!(ports.store().revoke_key(one, at, &audit).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().key(one).await.expect("read").expect("kept").revoked_at, Some(at));
    let audit = caller.audit(ports, Action::KeyRevoked);
    assert_eq!(ports.store().revoke_key(one, at, &audit).await.expect("a write"), Write::Stale);
}

async fn users_are_versioned(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let taken = users::create_user(ports, &caller, jane(), users::Profile::default()).await;
    assert!(matches!(taken, Err(users::UserError::Exists)));
    let user = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there");
    let mut change = user.clone();
    change.version += 1;
    change.active = false;
    let audit = caller.audit(ports, Action::UserChanged);
    assert_eq!(ports.store().update_user(&change, &audit).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().user(&caller.tenant, &jane()).await.expect("read"), Some(change.clone()));
    let audit = caller.audit(ports, Action::UserChanged);
    assert_eq!(ports.store().update_user(&change, &audit).await.expect("a write"), Write::Stale);
    let standing = ports.store().standing(&caller.tenant, &jane()).await.expect("read");
    assert!(standing.is_user && !standing.auth.active, "the auth row follows");
}

async fn a_deleted_user_leaves_nothing(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = operator("acme");
    provision::provision(ports, &caller, &jane(), OtpParameters::default()).await.expect("a second token");
    users::delete_user(ports, &caller, &jane()).await.expect("deleted");
    assert_eq!(ports.store().user(&caller.tenant, &jane()).await.expect("read"), None);
    assert_eq!(ports.store().token(&caller.tenant, &app.serial).await.expect("read"), None);
    assert!(ports.store().tokens(&caller.tenant, &jane()).await.expect("read").is_empty());
    let standing = ports.store().standing(&caller.tenant, &jane()).await.expect("read");
    assert!(!standing.is_user && standing.tokens.is_empty());
    users::create_user(ports, &caller, jane(), users::Profile::default())
        .await
        .expect("the id is free again");
}

async fn a_deletion_sees_every_token(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let seen = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there");
    provision::provision(ports, &caller, &jane(), OtpParameters::default()).await.expect("a token");
    let audit = caller.audit(ports, Action::UserDeleted);
    let blind = ports.store().delete_user(&seen, &[], &audit).await.expect("a write");
    assert_eq!(blind, Write::Stale, "a token was provisioned meanwhile");
    users::delete_user(ports, &caller, &jane()).await.expect("deleted");
    assert!(ports.store().tokens(&caller.tenant, &jane()).await.expect("read").is_empty());
}

async fn tokens_keep_their_parameters(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    for parameters in all_parameters() {
        let made = provision::provision(ports, &caller, &jane(), parameters).await.expect("a token");
        assert_eq!(ports.store().token(&caller.tenant, &made.serial).await.expect("read"), Some(made));
    }
    let listed = ports.store().tokens(&caller.tenant, &jane()).await.expect("a list");
    assert_eq!(listed.len(), all_parameters().len());
    assert!(listed.is_sorted_by(|a, b| a.serial < b.serial));
}

async fn a_serial_is_unique_in_its_tenant(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let parameters = OtpParameters::default();
    let token = provision::provision(ports, &caller, &jane(), parameters).await.expect("a token");
    let seen = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there").version;
    let audit = caller.audit(ports, Action::TokenProvisioned);
    let duplicate = ports.store().provision(&token, seen, &audit).await.expect("a write");
    assert_eq!(duplicate, Provisioning::SerialTaken);
    let fresh = Token { serial: Serial::new([9; 8]), ..token.clone() };
    let audit = caller.audit(ports, Action::TokenProvisioned);
    let stale = ports.store().provision(&fresh, seen - 1, &audit).await.expect("a write");
    assert_eq!(stale, Provisioning::Stale, "somebody else was first");
    let nobody = UserId::try_from("nobody").expect("a user's id");
    let orphan = Token { user: nobody, ..fresh };
    let audit = caller.audit(ports, Action::TokenProvisioned);
    assert_eq!(ports.store().provision(&orphan, 1, &audit).await.expect("a write"), Provisioning::Stale);
    assert_eq!(
        ports.store().token(&caller.tenant, &orphan.serial).await.expect("read"),
        None,
        "nothing was written"
    );
    let other = TenantId::try_from("other").expect("a tenant's id");
    assert_eq!(ports.store().token(&other, &token.serial).await.expect("read"), None);
}

/// However many provision at once, nobody gets more tokens than the limit.
async fn the_limit_of_tokens_holds_in_parallel<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let caller = acme(ports.as_ref()).await;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (ports, caller) = (Arc::clone(&ports), caller.clone());
        racing.spawn(async move {
            provision::provision(ports.as_ref(), &caller, &jane(), OtpParameters::default()).await
        });
    }
    let made = racing.join_all().await.into_iter().flatten().count();
    let listed = ports.store().tokens(&caller.tenant, &jane()).await.expect("a list");
    assert_eq!(listed.len(), made);
    assert!((1..=provision::MAX_TOKENS).contains(&made), "{made} tokens");
    users::delete_user(ports.as_ref(), &caller, &jane()).await.expect("deleted with all of them");
}

async fn a_stale_push_writes_nothing(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let caller = operator("acme");
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.clone().expect("a serial");
    let stale = ports.store().token(&caller.tenant, &serial).await.expect("read").expect("there");
    let old_link = stale.link().cloned().expect("a link");
    let enrolment = ports.store().enrolment(&old_link).await.expect("read").expect("there");
    let audit = caller.audit(ports, Action::TokenPushed);
    let other = Message { id: MessageId::new(message.created_at, [7; 10]), version: 1, ..message };
    let other_link = otpost_domain::enrolment::Enrolment { link: BearerHash::stored("other"), ..enrolment };
    let overtaken = crate::ports::Push {
        token: &stale,
        enrolment: &other_link,
        superseded: Some(&old_link),
        message: &other,
        audit: &audit,
    };
    assert_eq!(ports.store().push(&overtaken).await.expect("a write"), Write::Stale);
    assert_eq!(ports.store().message(&MessageRef::from(&other)).await.expect("read"), None);
    assert_eq!(ports.store().enrolment(&other_link.link).await.expect("read"), None);
    let untouched = ports.store().enrolment(&old_link).await.expect("read").expect("there");
    assert_eq!(untouched.state, EnrolmentState::Open);
}

async fn pushing_again_supersedes(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let link = link_of(ports, &reference).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.expect("a serial");
    enroll::start(ports, &link, None).await.expect("a session");
    push::push(ports, &operator("acme"), &serial, Channel::Email, "https://x.example").await.expect("a push");
    let dead = enroll::look(ports, &link).await;
    assert!(matches!(dead, Err(enroll::EnrollError::Dead(DeadLink::Superseded))), "{dead:?}");
}

async fn enrolments_are_versioned(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let tenant = message.tenant.clone();
    let token =
        ports.store().token(&tenant, &message.serial.expect("a serial")).await.expect("read").expect("there");
    let enrolment =
        ports.store().enrolment(token.link().expect("a link")).await.expect("read").expect("there");
    let seed = SealedSeed(vec![1, 2, 3]);
    let opened = enrolment.opened(BearerHash::stored("s1"), seed, ports.clock().now()).expect("opened");
    let audit = operator("acme").audit(ports, Action::EnrolmentStarted);
    assert_eq!(ports.store().save_enrolment(&opened, &audit).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().enrolment(&opened.link).await.expect("read"), Some(opened.clone()));
    let audit = operator("acme").audit(ports, Action::EnrolmentStarted);
    assert_eq!(ports.store().save_enrolment(&opened, &audit).await.expect("a write"), Write::Stale);
}

async fn a_token_is_activated_once<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let reference = pushed(ports.as_ref()).await;
    let link = link_of(ports.as_ref(), &reference).await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(enroll::start(ports.as_ref(), &link, None).await.expect("a session"));
    }
    let mut racing = tokio::task::JoinSet::new();
    for started in sessions {
        let code = crate::memory::App::scans(&started).code(ports.clock().now());
        let (ports, link) = (Arc::clone(&ports), link.clone());
        racing.spawn(async move { enroll::activate(ports.as_ref(), &link, &started.session, &code).await });
    }
    let won = racing.join_all().await.into_iter().flatten().count();
    assert_eq!(won, 1, "two browsers cannot share a token");
    let standing = ports.store().standing(&operator("acme").tenant, &jane()).await.expect("read");
    assert_eq!(standing.auth.live.len(), 1);
    assert!(matches!(standing.tokens.first().expect("a token").state, TokenState::Active { .. }));
}

async fn a_code_is_accepted_once<P: TestPorts>(ports: P, parallel: usize) {
    let ports = Arc::new(ports);
    let app = enrolled(ports.as_ref()).await;
    ports.clock().advance(Duration::from_secs(30));
    let code = app.code(ports.clock().now());
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..parallel {
        let (ports, code) = (Arc::clone(&ports), Code::parse(&code).expect("a code"));
        racing.spawn(async move {
            let attempt = Attempt { user: jane(), code, source: None, remember: false };
            verify(ports.as_ref(), &operator("acme").tenant, attempt).await
        });
    }
    let answers = racing.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "RFC 6238 section 5.2");
    let told = |answer: &Result<_, VerifyError>| match answer {
        Err(error) => matches!(error, VerifyError::Refused | VerifyError::Locked { .. } | VerifyError::Busy),
        Ok(_) => true,
    };
    assert!(answers.iter().all(told), "no port failed: {answers:?}");
}

async fn failures_are_counted_and_guarded(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let tenant = operator("acme").tenant;
    let standing = ports.store().standing(&tenant, &jane()).await.expect("read");
    assert_eq!(standing.auth.live.first().expect("a token").serial, app.serial);
    let at = ports.clock().now();
    let wait_until = Some(at.plus(Duration::from_secs(30)));
    let stranger = Branch::Stranger(Some(BearerHash::stored("never issued")));
    let refusal = Refusal { branch: stranger.clone(), guard: Guard::Exactly(0), wait_until, at };
    let first = ports.store().refuse(&tenant, &jane(), &refusal, true).await.expect("a write");
    assert!(matches!(first, AuthWrite::Done));
    let AuthWrite::Moved(row) =
        ports.store().refuse(&tenant, &jane(), &refusal, true).await.expect("a write")
    else {
        panic!("the counter has moved on")
    };
    assert_eq!((row.stranger_failures, row.known_failures), (1, 0));
    assert_eq!(Some(row.strangers_wait_until), wait_until);
    assert_eq!(row.live, standing.auth.live, "a failure moves no replay floor");
    let waiting = Refusal { guard: Guard::Below(STRANGER_BUDGET), wait_until: None, ..refusal.clone() };
    let early = ports.store().refuse(&tenant, &jane(), &waiting, true).await.expect("a write");
    assert!(matches!(early, AuthWrite::Moved(_)), "strangers wait");
    let later = Refusal { at: at.plus(Duration::from_secs(30)), ..waiting };
    let counted = ports.store().refuse(&tenant, &jane(), &later, true).await.expect("a write");
    assert!(matches!(counted, AuthWrite::Done));
    let known = Branch::Known(BearerHash::stored("never issued"));
    let unknown = Refusal { branch: known, guard: Guard::Below(KNOWN_BUDGET), wait_until: None, at };
    let moved = ports.store().refuse(&tenant, &jane(), &unknown, true).await.expect("a write");
    assert!(matches!(moved, AuthWrite::Moved(_)), "a source that was never issued is not known");
}

async fn a_parallel_burst_of_guesses_is_bounded<P: TestPorts>(ports: P, parallel: usize) {
    let ports = Arc::new(ports);
    let app = enrolled(ports.as_ref()).await;
    ports.clock().advance(Duration::from_mins(5));
    let right = app.code(ports.clock().now());
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..parallel {
        let (ports, code) = (Arc::clone(&ports), wrong_code(&right));
        racing.spawn(async move {
            let attempt = Attempt { user: jane(), code, source: None, remember: false };
            verify(ports.as_ref(), &operator("acme").tenant, attempt).await
        });
    }
    let answers = racing.join_all().await;
    let looked_at = answers.iter().filter(|answer| matches!(answer, Err(VerifyError::Refused))).count();
    assert!(looked_at <= 10, "{looked_at} guesses of a burst were answered");
    let standing = ports.store().standing(&operator("acme").tenant, &jane()).await.expect("read");
    assert_eq!(usize::try_from(standing.auth.stranger_failures).expect("small"), looked_at);
}

async fn decoys_make_room(ports: &impl TestPorts) {
    let caller = operator("acme");
    let platform = Caller { actor: Actor::Platform, ..caller.clone() };
    admin::create_tenant(ports, &platform, name("Acme")).await.expect("a tenant");
    let code = || Code::parse("123456").expect("a code");
    let attempt = || Attempt { user: jane(), code: code(), source: None, remember: false };
    for _ in 0..10 {
        let refused = verify(ports, &caller.tenant, attempt()).await;
        assert!(matches!(refused, Err(VerifyError::Refused)), "{refused:?}");
    }
    let locked = verify(ports, &caller.tenant, attempt()).await;
    assert!(
        matches!(locked, Err(VerifyError::Locked { .. })),
        "an unknown user locks like a real one: {locked:?}"
    );
    assert_eq!(ports.store().user(&caller.tenant, &jane()).await.expect("read"), None);
    users::create_user(ports, &caller, jane(), users::Profile::default()).await.expect("a decoy is no user");
    let refused = verify(ports, &caller.tenant, attempt()).await;
    assert!(matches!(refused, Err(VerifyError::Refused)), "a new user begins with a clean row: {refused:?}");
}

async fn a_hop_is_claimed_once<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let reference = pushed(ports.as_ref()).await;
    let now = ports.clock().now();
    let early = ports.store().claim(&reference, 1, now).await.expect("a write");
    assert_eq!(early, None, "it was not handed yet");
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let Step::Hand(message, hop, _) = message.next_step(now) else { panic!("a route") };
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().save_message(&message).await.expect("a write"), Write::Stale);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (ports, reference) = (Arc::clone(&ports), reference.clone());
        racing.spawn(async move { ports.store().claim(&reference, hop, now).await.expect("a write") });
    }
    let claims: Vec<Message> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(claims.len(), 1, "one sender has it");
    let claimed = claims.into_iter().next().expect("one");
    assert_eq!(Some(&claimed), message.clone().claimed(hop, now).as_ref(), "as the domain says");
    let again = ports
        .store()
        .claim(&reference, hop, now.plus(LEASE))
        .await
        .expect("a write")
        .expect("after the lease");
    assert_eq!(again.hops.last().expect("a hop").tries, 2);
    assert_eq!(ports.store().claim(&reference, 2, now.plus(LEASE)).await.expect("a write"), None);
    let done = again.concluded(hop, Outcome::Accepted { provider_id: "p".to_owned() }, now);
    assert_eq!(ports.store().save_message(&done).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().claim(&reference, hop, now.plus(LEASE * 9)).await.expect("a write"), None);
    let kept = ports.store().message(&reference).await.expect("read").expect("there");
    assert_eq!(kept, done);
    assert!(matches!(kept.hops.last().expect("a hop").state, HopState::Accepted { .. }));
}

async fn messages_are_found_until_closed(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let shard = reference.id.shard();
    let now = ports.clock().now();
    assert!(ports.store().due(shard, now, 10).await.expect("a list").is_empty());
    let due = ports.store().due(shard, now.plus(PICK_UP), 10).await.expect("a list");
    assert_eq!(due, std::slice::from_ref(&reference));
    assert!(ports.store().due((shard + 1) % 16, now.plus(PICK_UP), 10).await.expect("a list").is_empty());
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let Step::Close(closed) = message.clone().next_step(message.expires_at) else { panic!("closes") };
    assert_eq!(ports.store().save_message(&closed).await.expect("a write"), Write::Done);
    let kept = ports.store().message(&reference).await.expect("read").expect("there");
    assert_eq!((kept.status, kept.content), (MessageStatus::Expired, None));
    assert!(ports.store().due(shard, message.expires_at, 10).await.expect("a list").is_empty());
}

async fn messages_are_listed_newest_first(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.clone().expect("a serial");
    let mut made = vec![reference.id];
    for _ in 0..4 {
        ports.clock().advance(Duration::from_secs(1));
        let next = push::push(ports, &operator("acme"), &serial, Channel::Email, "https://x.example").await;
        made.push(next.expect("a push").id);
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

async fn sealed_records_open_in_their_place_only(ports: &impl TestPorts) {
    acme(ports).await;
    let other = Caller { actor: Actor::Platform, ..operator("other") };
    admin::create_tenant(ports, &other, name("Other")).await.expect("a tenant");
    let tenant = operator("acme").tenant;
    let secret: [u8; 20] = ports.entropy().array();
    let port = ports.sealer();
    let sealed = port.seal(&tenant, RecordKind::TokenSeed, "OTP1", &secret).await.expect("sealed");
    let opened = port.open(&tenant, RecordKind::TokenSeed, "OTP1", &sealed).await.expect("opens");
    assert_eq!(opened.as_slice(), secret);
    assert!(!sealed.windows(8).any(|part| secret.starts_with(part)));
    assert!(port.open(&tenant, RecordKind::TokenSeed, "OTP2", &sealed).await.is_err(), "another record");
    assert!(port.open(&tenant, RecordKind::SessionSeed, "OTP1", &sealed).await.is_err(), "another kind");
    assert!(
        port.open(&other.tenant, RecordKind::TokenSeed, "OTP1", &sealed).await.is_err(),
        "another tenant"
    );
    let mut changed = sealed;
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    assert!(port.open(&tenant, RecordKind::TokenSeed, "OTP1", &changed).await.is_err(), "a changed bit");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPorts;

    #[tokio::test]
    async fn the_ports_in_memory_keep_the_contract() {
        all(async || MemoryPorts::new()).await;
    }
}
