//! What every store must keep, as functions to run against it: in memory and on DynamoDB alike.
//!
//! [`all`] runs each case on fresh ports.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "support of tests: a broken assumption must end the test"
)]

mod challenges;
mod directories;
mod erasure;
mod gateways;
mod helpdesk;
mod log;
mod messages;
mod policies;
mod templates;

use std::sync::Arc;
use std::time::Duration;

use otpost_domain::apikey::Role;
use otpost_domain::audit::{Action, Actor};
use otpost_domain::authorization::AuthorizationMode;
use otpost_domain::contact::DisplayName;
use otpost_domain::enrolment::{DeadLink, EnrolmentState};
use otpost_domain::ids::{BearerHash, MessageId, Serial, TenantId, UserId};
use otpost_domain::message::{Channel, Message};
use otpost_domain::otp::{Code, Kind, OtpParameters};
use otpost_domain::tenant::Listed;
use otpost_domain::time::ClockOffset;
use otpost_domain::token::{SealedSeed, Token, TokenState};
use otpost_domain::verification::{Branch, Guard, KNOWN_BUDGET, Refusal, STRANGER_BUDGET};

use crate::caller::Caller;
use crate::erasure::delete_tenant;
use crate::memory::{
    ManualClock, all_parameters, enrolled, enrolled_as, link_of, operator, pushed, session, wrong_code,
};
use crate::once::{Earlier, Once, Reply, release, reserve};
use crate::ports::{
    ANSWER_LIFE, AuthWrite, Clock as _, EnrolmentStore as _, Entropy as _, ErasureStore as _, KeyStore as _,
    MessageRef, MessageStore as _, NonceStore as _, PageRequest, Ports, Provisioning, RecordKind, SLOT_LEASE,
    Sealer as _, Slot, Subject, TenantStore as _, TokenStore as _, UserChange, UserStore as _,
    VerificationStore as _, Write,
};
use crate::verify::{Attempt, ResyncError, VerifyError, Whose, resync, verify};
use crate::{admin, enroll, lifecycle, provision, push, users};

pub use challenges::few_codes_stand_many_guesses;
pub use erasure::nothing_is_left_of_a_deleted_tenant;

/// Ports whose clock the suite moves.
pub trait TestPorts: Ports<Clock = ManualClock> + 'static {}

impl<P: Ports<Clock = ManualClock> + 'static> TestPorts for P {}

/// Runs every case, each on ports of its own. Each is boxed, because all of them together are more than a stack holds.
///
/// # Panics
/// When a case fails.
pub async fn all<P: TestPorts>(fresh: impl AsyncFn() -> P) {
    Box::pin(tenants_are_made_once_and_listed_in_pages(&fresh().await)).await;
    Box::pin(keys_are_listed_and_revoked(&fresh().await)).await;
    Box::pin(a_key_is_replaced_once(&fresh().await)).await;
    Box::pin(users_are_versioned(&fresh().await)).await;
    Box::pin(a_deleted_user_leaves_nothing(&fresh().await)).await;
    Box::pin(a_deletion_sees_every_token(&fresh().await)).await;
    Box::pin(tokens_keep_their_parameters(&fresh().await)).await;
    Box::pin(a_serial_is_unique_in_its_tenant(&fresh().await)).await;
    Box::pin(the_limit_of_tokens_holds_in_parallel(fresh().await)).await;
    Box::pin(a_stale_push_writes_nothing(&fresh().await)).await;
    Box::pin(pushing_again_supersedes(&fresh().await)).await;
    Box::pin(enrolments_are_versioned(&fresh().await)).await;
    Box::pin(a_token_is_activated_once(fresh().await)).await;
    Box::pin(a_code_is_accepted_once(fresh().await, 100)).await;
    Box::pin(failures_are_counted_and_guarded(&fresh().await)).await;
    Box::pin(a_parallel_burst_of_guesses_is_bounded(fresh().await, 1000)).await;
    Box::pin(decoys_make_room(&fresh().await)).await;
    Box::pin(messages::a_hop_is_claimed_once(fresh().await)).await;
    Box::pin(messages::messages_are_found_until_closed(&fresh().await)).await;
    Box::pin(messages::receipts_move_forward_only(&fresh().await)).await;
    Box::pin(messages::a_hop_that_was_cut_is_heard_of(&fresh().await)).await;
    Box::pin(messages::circumstances_are_told_at_once(&fresh().await)).await;
    Box::pin(messages::a_gateways_health_changes_as_the_domain_says(&fresh().await)).await;
    Box::pin(messages::a_message_put_aside_is_not_swept(&fresh().await)).await;
    Box::pin(two_devices_remembered_at_once_are_both_known(fresh().await)).await;
    Box::pin(messages::messages_are_listed_newest_first(&fresh().await)).await;
    Box::pin(log::messages_are_listed_day_by_day(&fresh().await)).await;
    Box::pin(log::addresses_are_suppressed_and_cleared(&fresh().await)).await;
    Box::pin(sealed_records_open_in_their_place_only(&fresh().await)).await;
    Box::pin(keys_are_rotated_and_old_records_still_open(&fresh().await)).await;
    Box::pin(a_deleted_tenants_records_do_not_open(&fresh().await)).await;
    Box::pin(a_suspended_token_keeps_its_floor(&fresh().await)).await;
    Box::pin(a_revoked_token_makes_room(&fresh().await)).await;
    Box::pin(an_unlock_forgets_failures(&fresh().await)).await;
    Box::pin(a_resync_moves_the_floor_up_only(&fresh().await)).await;
    Box::pin(a_repeated_verification_has_the_same_answer(&fresh().await)).await;
    Box::pin(a_serial_without_a_token_locks_like_a_user(&fresh().await)).await;
    Box::pin(an_answer_is_kept_with_its_change(&fresh().await)).await;
    Box::pin(a_slot_has_one_holder(fresh().await)).await;
    Box::pin(a_nonce_is_taken_once(&fresh().await)).await;
    Box::pin(policies::policies_are_versioned_and_listed(&fresh().await)).await;
    Box::pin(policies::large_policies_are_all_read(&fresh().await)).await;
    Box::pin(policies::a_job_is_written_with_its_change(&fresh().await)).await;
    Box::pin(policies::users_are_listed_and_stamped(&fresh().await)).await;
    Box::pin(directories::directories_are_registered_once(&fresh().await)).await;
    Box::pin(directories::marks_are_versioned(&fresh().await)).await;
    Box::pin(directories::what_follows_is_written_with_the_user(&fresh().await)).await;
    Box::pin(directories::an_active_token_ends_with_its_users_change(&fresh().await)).await;
    Box::pin(directories::users_who_change_are_counted(fresh().await)).await;
    Box::pin(erasure::an_erasure_is_told_of_in_the_tombstone(&fresh().await)).await;
    Box::pin(erasure::an_id_is_given_again_once_it_is_free(&fresh().await)).await;
    Box::pin(gateways::gateways_are_changed_one_at_a_time(&fresh().await)).await;
    Box::pin(gateways::owners_stay_apart(&fresh().await)).await;
    Box::pin(gateways::secrets_are_on_record(&fresh().await)).await;
    Box::pin(templates::templates_keep_their_versions(&fresh().await)).await;
    Box::pin(templates::templates_are_listed_without_their_texts(&fresh().await)).await;
    Box::pin(templates::old_versions_are_forgotten(&fresh().await)).await;
    Box::pin(templates::a_look_is_versioned(&fresh().await)).await;
    Box::pin(gateways::gateways_are_kept_without_credentials(&fresh().await)).await;
    Box::pin(challenges::a_sent_code_is_accepted_once(fresh().await, 20)).await;
    Box::pin(challenges::few_codes_stand_many_guesses(fresh().await, 1000)).await;
    Box::pin(challenges::guesses_count_as_the_domain_says(&fresh().await)).await;
    Box::pin(challenges::a_code_gives_way_to_the_next(&fresh().await)).await;
    Box::pin(challenges::all_is_asked_at_once(&fresh().await)).await;
    Box::pin(helpdesk::a_code_is_read_back_once(Arc::new(fresh().await))).await;
    Box::pin(helpdesk::a_code_lets_one_password_go(Arc::new(fresh().await))).await;
    Box::pin(helpdesk::shares_are_counted(Arc::new(fresh().await))).await;
    Box::pin(challenges::only_what_was_handed_to_nobody_is_withdrawn(&fresh().await)).await;
}

fn subject() -> Subject {
    Subject::User(jane())
}

fn attempt(code: Code) -> Attempt {
    Attempt {
        whose: Whose::User(jane()),
        code,
        source: None,
        remember: false,
        request: None,
        clock: ClockOffset::NONE,
    }
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

async fn push_again(ports: &impl Ports, serial: &Serial) -> Message {
    let authorization = AuthorizationMode::None;
    let order = push::Order {
        serial: serial.clone(),
        channel: Some(Channel::Email),
        authorization: Some(authorization),
    };
    let pushed = push::push(ports, &operator("acme"), &order, Once::not_kept()).await;
    pushed.expect("a push").message
}

async fn acme<P: Ports>(ports: &P) -> Caller {
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    admin::create_tenant(ports, &caller, name("Acme"), Once::not_kept()).await.expect("a tenant");
    users::create_user(ports, &operator("acme"), jane(), users::Profile::default(), Once::not_kept())
        .await
        .expect("a user");
    operator("acme")
}

async fn tenants_are_made_once_and_listed_in_pages(ports: &impl TestPorts) {
    for id in ["echo", "alfa", "delta", "bravo", "charlie"] {
        let caller = Caller { actor: Actor::Platform, ..operator(id) };
        let made = admin::create_tenant(ports, &caller, name(&format!("Tenant {id}")), Once::not_kept())
            .await
            .expect("made");
        assert_eq!(ports.store().tenant(&made.id).await.expect("read"), Some(made));
        let again = admin::create_tenant(ports, &caller, name("again"), Once::not_kept()).await;
        assert!(matches!(again, Err(admin::CreateTenantError::Exists)));
    }
    let mut seen = Vec::new();
    let mut request = first(2);
    loop {
        let page = ports.store().tenants(&request).await.expect("a page");
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|listed| listed.id().to_string()));
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    assert_eq!(seen, ["alfa", "bravo", "charlie", "delta", "echo"]);
}

async fn keys_are_listed_and_revoked(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let mut made = Vec::new();
    for role in Role::OF_TENANTS {
        made.push(
            admin::create_key(
                ports,
                &caller,
                &admin::NewKey::lasting(role, name(role.as_str())),
                Once::not_kept(),
            )
            .await
            .expect("a key")
            .key,
        );
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
    let journal = caller.journal(ports, Action::KeyRevoked);
    let at = ports.clock().now();
    assert_eq!(ports.store().revoke_key(one, at, &journal).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().key(one).await.expect("read").expect("kept").revoked_at, Some(at));
    let journal = caller.journal(ports, Action::KeyRevoked);
    assert_eq!(ports.store().revoke_key(one, at, &journal).await.expect("a write"), Write::Stale);
}

async fn a_key_is_replaced_once(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let new = admin::NewKey::lasting(Role::App, name("shop"));
    let old = admin::create_key(ports, &caller, &new, Once::not_kept()).await.expect("a key").key;
    let hour = Duration::from_hours(1);
    let made =
        admin::rotate_key(ports, &caller, &old.id, hour, Once::not_kept()).await.expect("replaced").key;
    let kept = ports.store().key(&old.id).await.expect("read").expect("kept");
    assert_eq!(kept.expires_at, Some(ports.clock().now().plus(hour)));
    assert_eq!(ports.store().key(&made.id).await.expect("read"), Some(made.clone()));
    let journal = caller.journal(ports, Action::KeyRotated);
    let other =
        otpost_domain::apikey::ApiKey { id: otpost_domain::ids::KeyId::new(&caller.tenant, [9; 8]), ..made };
    let stale = ports.store().replace_key(&other, &kept, &old, &journal).await.expect("a write");
    assert_eq!(stale, Write::Stale, "it was replaced meanwhile");
    assert_eq!(ports.store().key(&other.id).await.expect("read"), None);
    let done = ports.store().replace_key(&other, &kept, &kept, &journal).await.expect("a write");
    assert_eq!(done, Write::Done);
    admin::revoke_key(ports, &caller, &caller.tenant, &old.id).await.expect("revoked");
    let over = admin::rotate_key(ports, &caller, &old.id, hour, Once::not_kept()).await;
    assert!(matches!(over, Err(admin::RotateKeyError::Over)));
}

async fn users_are_versioned(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let taken = users::create_user(ports, &caller, jane(), users::Profile::default(), Once::not_kept()).await;
    assert!(matches!(taken, Err(users::UserError::Exists)));
    let user = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there");
    let mut change = user.clone();
    change.version += 1;
    change.active = false;
    let journal = caller.journal(ports, Action::UserChanged);
    let change = UserChange {
        user: &change,
        stamp: &[],
        token: None,
        revoked: &[],
        notices: &[],
        mark: None,
        journal: &journal,
    };
    assert_eq!(ports.store().save_user(&change).await.expect("a write"), Write::Done);
    let change = change.user.clone();
    assert_eq!(ports.store().user(&caller.tenant, &jane()).await.expect("read"), Some(change.clone()));
    let journal = caller.journal(ports, Action::UserChanged);
    let again = UserChange {
        user: &change,
        stamp: &[],
        token: None,
        revoked: &[],
        notices: &[],
        mark: None,
        journal: &journal,
    };
    assert_eq!(ports.store().save_user(&again).await.expect("a write"), Write::Stale);
    let standing = ports.store().standing(&caller.tenant, &subject()).await.expect("read");
    assert!(standing.is_user && !standing.auth.active, "the auth row follows");
}

async fn a_deleted_user_leaves_nothing(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = operator("acme");
    provision::provision(ports, &caller, &jane(), OtpParameters::default(), Once::not_kept())
        .await
        .expect("a second token");
    users::delete_user(ports, &caller, &jane(), None).await.expect("deleted");
    assert_eq!(ports.store().user(&caller.tenant, &jane()).await.expect("read"), None);
    assert_eq!(ports.store().token(&caller.tenant, &app.serial).await.expect("read"), None);
    assert!(ports.store().tokens(&caller.tenant, &jane()).await.expect("read").is_empty());
    let standing = ports.store().standing(&caller.tenant, &subject()).await.expect("read");
    assert!(!standing.is_user && standing.tokens.is_empty());
    users::create_user(ports, &caller, jane(), users::Profile::default(), Once::not_kept())
        .await
        .expect("the id is free again");
}

async fn a_deletion_sees_every_token(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let seen = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there");
    provision::provision(ports, &caller, &jane(), OtpParameters::default(), Once::not_kept())
        .await
        .expect("a token");
    let journal = caller.journal(ports, Action::UserDeleted);
    let blind = ports.store().delete_user(&seen, &[], None, &journal).await.expect("a write");
    assert_eq!(blind, Write::Stale, "a token was provisioned meanwhile");
    users::delete_user(ports, &caller, &jane(), None).await.expect("deleted");
    assert!(ports.store().tokens(&caller.tenant, &jane()).await.expect("read").is_empty());
}

async fn tokens_keep_their_parameters(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    for parameters in all_parameters() {
        let made = provision::provision(ports, &caller, &jane(), parameters, Once::not_kept())
            .await
            .expect("a token");
        assert_eq!(ports.store().token(&caller.tenant, &made.serial).await.expect("read"), Some(made));
    }
    let listed = ports.store().tokens(&caller.tenant, &jane()).await.expect("a list");
    assert_eq!(listed.len(), all_parameters().len());
    assert!(listed.is_sorted_by(|a, b| a.serial < b.serial));
}

async fn a_serial_is_unique_in_its_tenant(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let parameters = OtpParameters::default();
    let token =
        provision::provision(ports, &caller, &jane(), parameters, Once::not_kept()).await.expect("a token");
    let seen = ports.store().user(&caller.tenant, &jane()).await.expect("read").expect("there").version;
    let journal = caller.journal(ports, Action::TokenProvisioned);
    let duplicate = ports.store().provision(&token, seen, &journal).await.expect("a write");
    assert_eq!(duplicate, Provisioning::SerialTaken);
    let fresh = Token { serial: Serial::new([9; 8]), ..token.clone() };
    let journal = caller.journal(ports, Action::TokenProvisioned);
    let stale = ports.store().provision(&fresh, seen - 1, &journal).await.expect("a write");
    assert_eq!(stale, Provisioning::Stale, "somebody else was first");
    let nobody = UserId::try_from("nobody").expect("a user's id");
    let orphan = Token { user: nobody, ..fresh };
    let journal = caller.journal(ports, Action::TokenProvisioned);
    assert_eq!(ports.store().provision(&orphan, 1, &journal).await.expect("a write"), Provisioning::Stale);
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
            provision::provision(ports.as_ref(), &caller, &jane(), OtpParameters::default(), Once::not_kept())
                .await
        });
    }
    let made = racing.join_all().await.into_iter().flatten().count();
    let listed = ports.store().tokens(&caller.tenant, &jane()).await.expect("a list");
    assert_eq!(listed.len(), made);
    assert!((1..=provision::MAX_TOKENS).contains(&made), "{made} tokens");
    users::delete_user(ports.as_ref(), &caller, &jane(), None).await.expect("deleted with all of them");
}

async fn a_stale_push_writes_nothing(ports: &impl TestPorts) {
    let reference = pushed(ports).await;
    let caller = operator("acme");
    let message = ports.store().message(&reference).await.expect("read").expect("there");
    let serial = message.serial.clone().expect("a serial");
    let stale = ports.store().token(&caller.tenant, &serial).await.expect("read").expect("there");
    let old_link = stale.link().cloned().expect("a link");
    let enrolment = ports.store().enrolment(&old_link).await.expect("read").expect("there");
    let journal = caller.journal(ports, Action::TokenPushed);
    let other = Message { id: MessageId::new(message.created_at, [7; 10]), version: 1, ..message };
    let other_link = otpost_domain::enrolment::Enrolment { link: BearerHash::stored("other"), ..enrolment };
    let overtaken = crate::ports::Push {
        token: &stale,
        enrolment: &other_link,
        superseded: Some(&old_link),
        message: &other,
        journal: &journal,
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
    enroll::start(ports, &link, None, None).await.expect("a session");
    push_again(ports, &serial).await;
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
    let opened = enrolment.opened(BearerHash::stored("s1"), seed, None, ports.clock().now()).expect("opened");
    let journal = operator("acme").journal(ports, Action::EnrolmentStarted);
    assert_eq!(ports.store().save_enrolment(&opened, &journal).await.expect("a write"), Write::Done);
    assert_eq!(ports.store().enrolment(&opened.link).await.expect("read"), Some(opened.clone()));
    let journal = operator("acme").journal(ports, Action::EnrolmentStarted);
    assert_eq!(ports.store().save_enrolment(&opened, &journal).await.expect("a write"), Write::Stale);
}

async fn a_token_is_activated_once<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let reference = pushed(ports.as_ref()).await;
    let link = link_of(ports.as_ref(), &reference).await;
    let mut sessions = Vec::new();
    for _ in 0..5 {
        sessions.push(enroll::start(ports.as_ref(), &link, None, None).await.expect("a session"));
    }
    let mut racing = tokio::task::JoinSet::new();
    for started in sessions {
        let code = crate::memory::App::scans(&started).code(ports.clock().now());
        let (ports, link) = (Arc::clone(&ports), link.clone());
        racing.spawn(async move { enroll::activate(ports.as_ref(), &link, &session(&started), &code).await });
    }
    let won = racing.join_all().await.into_iter().flatten().count();
    assert_eq!(won, 1, "two browsers cannot share a token");
    let standing = ports.store().standing(&operator("acme").tenant, &subject()).await.expect("read");
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
            let attempt = attempt(code);
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
    let id = |n: u8| BearerHash::of(&[&[n]]);
    let standing = ports.store().standing(&tenant, &subject()).await.expect("read");
    assert_eq!(standing.auth.live.first().expect("a token").serial, app.serial);
    let at = ports.clock().now();
    let wait_until = Some(at.plus(Duration::from_secs(30)));
    let stranger = Branch::Stranger(Some(BearerHash::stored("never issued")));
    let refusal = Refusal { branch: stranger.clone(), guard: Guard::Exactly(0), wait_until, id: id(1), at };
    let first = ports.store().refuse(&tenant, &subject(), &refusal, true).await.expect("a write");
    assert!(matches!(first, AuthWrite::Done));
    let again = ports.store().refuse(&tenant, &subject(), &refusal, true).await.expect("a write");
    assert!(matches!(again, AuthWrite::Done), "a write whose answer was lost is not counted twice");
    let refusal = Refusal { id: id(2), ..refusal };
    let AuthWrite::Moved(row) =
        ports.store().refuse(&tenant, &subject(), &refusal, true).await.expect("a write")
    else {
        panic!("the counter has moved on")
    };
    assert_eq!((row.stranger_failures, row.known_failures), (1, 0));
    assert_eq!(Some(row.strangers_wait_until), wait_until);
    assert_eq!(row.live, standing.auth.live, "a failure moves no replay floor");
    let waiting = Refusal { guard: Guard::Below(STRANGER_BUDGET), wait_until: None, ..refusal.clone() };
    let early = ports.store().refuse(&tenant, &subject(), &waiting, true).await.expect("a write");
    assert!(matches!(early, AuthWrite::Moved(_)), "strangers wait");
    let later = Refusal { at: at.plus(Duration::from_secs(30)), ..waiting };
    let counted = ports.store().refuse(&tenant, &subject(), &later, true).await.expect("a write");
    assert!(matches!(counted, AuthWrite::Done));
    let known = Branch::Known(BearerHash::stored("never issued"));
    let unknown =
        Refusal { branch: known, guard: Guard::Below(KNOWN_BUDGET), wait_until: None, id: id(3), at };
    let moved = ports.store().refuse(&tenant, &subject(), &unknown, true).await.expect("a write");
    assert!(matches!(moved, AuthWrite::Moved(_)), "a source that was never issued is not known");
}

async fn a_parallel_burst_of_guesses_is_bounded<P: TestPorts>(ports: P, parallel: usize) {
    let ports = Arc::new(ports);
    let app = enrolled(ports.as_ref()).await;
    ports.clock().advance(Duration::from_mins(5));
    let right = app.code(ports.clock().now());
    let mut racing = tokio::task::JoinSet::new();
    for number in 0..parallel {
        // The right one is among them.
        let right = Code::parse(&right).expect("a code");
        let code = if number == parallel / 2 { right } else { wrong_code(right.expose()) };
        let ports = Arc::clone(&ports);
        racing.spawn(async move {
            let attempt = attempt(code);
            verify(ports.as_ref(), &operator("acme").tenant, attempt).await
        });
    }
    let answers = racing.join_all().await;
    let looked_at = answers.iter().filter(|answer| matches!(answer, Err(VerifyError::Refused))).count();
    let accepted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!(accepted <= 1);
    if accepted == 1 {
        // Its success began the budget anew, so that as many more may have been looked at.
        assert!(looked_at <= 20, "{looked_at} guesses of a burst were answered");
        return;
    }
    assert!(looked_at <= 10, "{looked_at} guesses of a burst were answered");
    let standing = ports.store().standing(&operator("acme").tenant, &subject()).await.expect("read");
    assert_eq!(usize::try_from(standing.auth.stranger_failures).expect("small"), looked_at);
}

async fn decoys_make_room(ports: &impl TestPorts) {
    let caller = operator("acme");
    let platform = Caller { actor: Actor::Platform, ..caller.clone() };
    admin::create_tenant(ports, &platform, name("Acme"), Once::not_kept()).await.expect("a tenant");
    let code = || Code::parse("123456").expect("a code");
    let attempt = || attempt(code());
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
    users::create_user(ports, &caller, jane(), users::Profile::default(), Once::not_kept())
        .await
        .expect("a decoy is no user");
    let refused = verify(ports, &caller.tenant, attempt()).await;
    assert!(matches!(refused, Err(VerifyError::Refused)), "a new user begins with a clean row: {refused:?}");
}

async fn two_devices_remembered_at_once_are_both_known<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    let app = enrolled(ports.as_ref()).await;
    ports.clock().advance(Duration::from_mins(5));
    let mut racing = tokio::task::JoinSet::new();
    for ahead in [Duration::ZERO, Duration::from_secs(30)] {
        let code = Code::parse(&app.code(ports.clock().now().plus(ahead))).expect("a code");
        let ports = Arc::clone(&ports);
        racing.spawn(async move {
            let attempt = Attempt { remember: true, ..attempt(code) };
            verify(ports.as_ref(), &operator("acme").tenant, attempt).await
        });
    }
    let issued: Vec<_> = racing.join_all().await.into_iter().flatten().filter_map(|v| v.source).collect();
    let standing = ports.store().standing(&operator("acme").tenant, &subject()).await.expect("read");
    assert!(!issued.is_empty(), "the later code at least is right");
    assert!(issued.iter().all(|source| standing.auth.sources.contains(&source.hash())));
}

async fn sealed_records_open_in_their_place_only(ports: &impl TestPorts) {
    acme(ports).await;
    let other = Caller { actor: Actor::Platform, ..operator("other") };
    admin::create_tenant(ports, &other, name("Other"), Once::not_kept()).await.expect("a tenant");
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

async fn keys_are_rotated_and_old_records_still_open(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    let tenant = &caller.tenant;
    let sealer = ports.sealer();
    let old = sealer.seal(tenant, RecordKind::TokenSeed, "OTP1", b"before").await.expect("sealed");
    let rotated = admin::rotate_data_key(ports, &caller, Once::not_kept()).await.expect("rotated");
    assert_eq!(rotated.key_version, 2);
    assert_eq!(ports.store().tenant(tenant).await.expect("read"), Some(rotated));
    let listed = ports.store().tenants(&first(5)).await.expect("a page").items;
    assert!(matches!(listed.as_slice(), [Listed::Tenant(listed)] if listed.key_version == 2));
    let opened = sealer.open(tenant, RecordKind::TokenSeed, "OTP1", &old).await.expect("opens still");
    assert_eq!(opened.as_slice(), b"before");
    assert!(!sealer.is_current(tenant, &old).await.expect("a version"));
    let new = sealer.seal(tenant, RecordKind::TokenSeed, "OTP1", b"after").await.expect("sealed");
    assert!(sealer.is_current(tenant, &new).await.expect("a version"));
    assert!(
        ports
            .store()
            .add_tenant_key(
                tenant,
                2,
                &crate::ports::WrappedKey(vec![1; 32]),
                &caller.journal(ports, Action::DataKeyRotated)
            )
            .await
            .expect("a write")
            == Write::Stale,
        "a version is given once"
    );

    // The next success seals the seed anew, and the one after that finds it so.
    for _ in 0..2 {
        ports.clock().advance(Duration::from_secs(30));
        let code = Code::parse(&app.code(ports.clock().now())).expect("a code");
        verify(ports, tenant, attempt(code)).await.expect("right");
        let token = ports.store().token(tenant, &app.serial).await.expect("read").expect("there");
        let seed = token.live_seed().expect("active");
        assert!(sealer.is_current(tenant, &seed.0).await.expect("a version"));
    }
}

async fn a_deleted_tenants_records_do_not_open(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    let tenant = &caller.tenant;
    delete_tenant(ports, &caller).await.expect("deleted");
    let token = ports.store().token(tenant, &app.serial).await.expect("read").expect("its row is there");
    let seed = token.live_seed().expect("active");
    let opened = ports.sealer().open(tenant, RecordKind::TokenSeed, app.serial.as_str(), &seed.0).await;
    assert!(opened.is_err(), "its key is gone");
    assert!(ports.sealer().seal(tenant, RecordKind::TokenSeed, "OTP1", b"x").await.is_err());
    assert_eq!(ports.store().tenant(tenant).await.expect("read"), None);
    let kept = ports.store().tombstone(tenant).await.expect("read").expect("its id stays taken");
    assert_eq!((kept.deleted_at, kept.erased_at), (ports.clock().now(), None));
    let listed = ports.store().tenants(&first(5)).await.expect("a page").items;
    assert_eq!(listed, [Listed::Deleted(kept)]);
    let again = admin::create_tenant(ports, &caller, name("Acme"), Once::not_kept()).await;
    assert!(matches!(again, Err(admin::CreateTenantError::Deleted { free_at: None })));
    let twice = delete_tenant(ports, &caller).await;
    assert!(matches!(twice, Err(admin::TenantError::Deleted)));
    let key =
        admin::create_key(ports, &caller, &admin::NewKey::lasting(Role::App, name("late")), Once::not_kept())
            .await;
    assert!(matches!(key, Err(admin::CreateKeyError::NoSuchTenant)));
    let rotated = admin::rotate_data_key(ports, &caller, Once::not_kept()).await;
    assert!(matches!(rotated, Err(admin::TenantError::Deleted)), "no key comes back");
}

fn order(serial: &Serial) -> lifecycle::Order {
    lifecycle::Order { serial: serial.clone(), reason: None, seen: None }
}

async fn a_suspended_token_keeps_its_floor(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = operator("acme");
    ports.clock().advance(Duration::from_secs(30));
    let used = app.code(ports.clock().now());
    let code = |text: &str| Code::parse(text).expect("a code");
    verify(ports, &caller.tenant, attempt(code(&used))).await.expect("right");
    lifecycle::suspend(ports, &caller, &order(&app.serial), Once::not_kept()).await.expect("suspended");
    ports.clock().advance(Duration::from_secs(30));
    let next = app.code(ports.clock().now());
    let stopped = verify(ports, &caller.tenant, attempt(code(&next))).await;
    assert!(matches!(stopped, Err(VerifyError::Refused)), "{stopped:?}");
    let stale = lifecycle::Order { seen: Some(1), ..order(&app.serial) };
    let overtaken = lifecycle::resume(ports, &caller, &stale, Once::not_kept()).await;
    assert!(matches!(overtaken, Err(lifecycle::LifecycleError::Changed)));
    lifecycle::resume(ports, &caller, &order(&app.serial), Once::not_kept()).await.expect("resumed");
    let replay = verify(ports, &caller.tenant, attempt(code(&used))).await;
    assert!(matches!(replay, Err(VerifyError::Refused)), "the floor was kept: {replay:?}");
    verify(ports, &caller.tenant, attempt(code(&next))).await.expect("right, and not used yet");
}

async fn a_revoked_token_makes_room(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = operator("acme");
    let parameters = OtpParameters::default();
    let mut serials = vec![app.serial.clone()];
    while let Ok(token) = provision::provision(ports, &caller, &jane(), parameters, Once::not_kept()).await {
        serials.push(token.serial);
    }
    assert_eq!(serials.len(), provision::MAX_TOKENS);
    for serial in &serials {
        let revoked = lifecycle::revoke(ports, &caller, &order(serial), Once::not_kept()).await;
        let revoked = revoked.expect("revoked");
        assert_eq!(ports.store().token(&caller.tenant, serial).await.expect("read"), Some(revoked));
    }
    let again = lifecycle::revoke(ports, &caller, &order(&app.serial), Once::not_kept()).await;
    assert!(matches!(again, Err(lifecycle::LifecycleError::NotAllowed(_))), "{again:?}");
    assert!(ports.store().tokens(&caller.tenant, &jane()).await.expect("a list").is_empty());
    let standing = ports.store().standing(&caller.tenant, &subject()).await.expect("read");
    assert!(standing.auth.live.is_empty() && standing.tokens.is_empty());
    let mut seen = Vec::new();
    let mut request = first(4);
    loop {
        let page = ports.store().revoked_tokens(&caller.tenant, &jane(), &request).await.expect("a page");
        seen.extend(page.items.into_iter().map(|token| token.serial));
        let Some(next) = page.next else { break };
        request.after = Some(next);
    }
    serials.sort();
    assert_eq!(seen, serials);
    provision::provision(ports, &caller, &jane(), parameters, Once::not_kept()).await.expect("there is room");
    users::delete_user(ports, &caller, &jane(), None).await.expect("deleted");
    assert_eq!(ports.store().token(&caller.tenant, &app.serial).await.expect("read"), None);
    assert_eq!(ports.store().owner(&caller.tenant, &app.serial).await.expect("read"), None);
}

async fn an_unlock_forgets_failures(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let caller = operator("acme");
    ports.clock().advance(Duration::from_secs(30));
    let right = app.code(ports.clock().now());
    for _ in 0..10 {
        let refused = verify(ports, &caller.tenant, attempt(wrong_code(&right))).await;
        assert!(matches!(refused, Err(VerifyError::Refused)), "{refused:?}");
    }
    let right = Code::parse(&right).expect("a code");
    let locked = verify(ports, &caller.tenant, attempt(right.clone())).await;
    assert!(matches!(locked, Err(VerifyError::Locked { .. })), "{locked:?}");
    lifecycle::unlock(ports, &caller, &app.serial, None).await.expect("unlocked");
    verify(ports, &caller.tenant, attempt(right)).await.expect("looked at, and right");
    let nobody = lifecycle::unlock(ports, &caller, &Serial::new([9; 8]), None).await;
    assert!(matches!(nobody, Err(lifecycle::LifecycleError::NoSuchToken)));
}

async fn a_resync_moves_the_floor_up_only(ports: &impl TestPorts) {
    let parameters = OtpParameters { kind: Kind::Hotp, ..OtpParameters::default() };
    let app = enrolled_as(ports, parameters).await;
    let caller = operator("acme");
    let at = ports.clock().now();
    let code = || Code::parse(&app.code(at)).expect("a code");
    let burnt = [code(), code()];
    app.skip(7);
    verify(ports, &caller.tenant, attempt(code())).await.expect("within the look-ahead");
    let pair = [&burnt[0], &burnt[1]];
    let below = resync(ports, &caller, &app.serial, pair, None, Once::not_kept()).await;
    assert!(matches!(below, Err(ResyncError::Refused)), "below the floor: {below:?}");
    app.skip(500);
    let far = verify(ports, &caller.tenant, attempt(code())).await;
    assert!(matches!(far, Err(VerifyError::Refused)), "beyond the look-ahead: {far:?}");
    let shown = [code(), code()];
    let pair = [&shown[0], &shown[1]];
    resync(ports, &caller, &app.serial, pair, None, Once::not_kept()).await.expect("found again");
    let again = resync(ports, &caller, &app.serial, pair, None, Once::not_kept()).await;
    assert!(matches!(again, Err(ResyncError::Refused)), "used up: {again:?}");
    verify(ports, &caller.tenant, attempt(code())).await.expect("the next code");
    lifecycle::suspend(ports, &caller, &order(&app.serial), Once::not_kept()).await.expect("suspended");
    let stopped = resync(ports, &caller, &app.serial, [&code(), &code()], None, Once::not_kept()).await;
    assert!(matches!(stopped, Err(ResyncError::NotActive(_))), "{stopped:?}");
}

async fn a_repeated_verification_has_the_same_answer(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let tenant = operator("acme").tenant;
    ports.clock().advance(Duration::from_secs(30));
    let code = Code::parse(&app.code(ports.clock().now())).expect("a code");
    let request = |n: u8| Some(BearerHash::of(&[&[n]]));
    let again = |n| Attempt { remember: true, request: request(n), ..attempt(code.clone()) };
    let first = verify(ports, &tenant, again(1)).await.expect("right");
    let issued = first.source.expect("issued");
    let second = verify(ports, &tenant, again(1)).await.expect("the same request");
    assert_eq!((second.serial, second.source.expect("issued").hash()), (first.serial, issued.hash()));
    let standing = ports.store().standing(&tenant, &subject()).await.expect("read");
    assert_eq!(standing.auth.sources, [issued.hash()], "one device is known");
    let other = verify(ports, &tenant, again(2)).await;
    assert!(matches!(other, Err(VerifyError::Refused)), "another request replays: {other:?}");
    ports.clock().advance(otpost_domain::verification::ANSWER_LIFE);
    let late = verify(ports, &tenant, again(1)).await;
    assert!(matches!(late, Err(VerifyError::Refused)), "forgotten: {late:?}");
}

async fn a_serial_without_a_token_locks_like_a_user(ports: &impl TestPorts) {
    let app = enrolled(ports).await;
    let tenant = operator("acme").tenant;
    ports.clock().advance(Duration::from_secs(30));
    let right = app.code(ports.clock().now());
    let by = |serial: Serial, code: Code| Attempt { whose: Whose::Token(serial), ..attempt(code) };
    let mut told = Vec::new();
    for serial in [Serial::new([9; 8]), app.serial.clone()] {
        let mut answers = Vec::new();
        for _ in 0..12 {
            let answer = verify(ports, &tenant, by(serial.clone(), wrong_code(&right))).await;
            answers.push(answer.expect_err("wrong").to_string());
        }
        told.push(answers);
    }
    assert_eq!(told.first(), told.last());
    ports.clock().advance(Duration::from_secs(30));
    let right = Code::parse(&app.code(ports.clock().now())).expect("a code");
    let verified = verify(ports, &tenant, by(app.serial.clone(), right)).await.expect("right");
    assert_eq!((verified.user, verified.serial), (jane(), app.serial));
}

fn slot(ports: &impl TestPorts, request: &[u8], holder: &str) -> Slot {
    let at = ports.clock().now();
    Slot {
        tenant: operator("acme").tenant,
        id: BearerHash::of(&[b"key"]),
        request: BearerHash::of(&[request]),
        holder: holder.to_owned(),
        at,
    }
}

async fn an_answer_is_kept_with_its_change(ports: &impl TestPorts) {
    let caller = acme(ports).await;
    let joe = UserId::try_from("joe").expect("a user's id");
    let held = slot(ports, b"make joe", "one");
    assert_eq!(reserve(ports, &held).await.expect("a write"), Earlier::Nothing);
    let told = |user: &otpost_domain::tenant::User| {
        Ok(Reply { status: 201, etag: Some("1".to_owned()), body: format!("made {}", user.id) })
    };
    let lost = Slot { holder: "somebody else".to_owned(), ..held.clone() };
    let profile = users::Profile::default;
    let overtaken =
        users::create_user(ports, &caller, joe.clone(), profile(), Once::kept(&lost, &told)).await;
    assert!(overtaken.is_err(), "who lost the slot changes nothing");
    assert_eq!(ports.store().user(&caller.tenant, &joe).await.expect("read"), None);
    let made = users::create_user(ports, &caller, joe, profile(), Once::kept(&held, &told)).await;
    made.expect("made");
    let again = slot(ports, b"make joe", "two");
    let wanted = Reply { status: 201, etag: Some("1".to_owned()), body: "made joe".to_owned() };
    assert_eq!(reserve(ports, &again).await.expect("read"), Earlier::Answered(wanted));
    let other = slot(ports, b"make joan", "three");
    assert_eq!(reserve(ports, &other).await.expect("read"), Earlier::OtherRequest);
    release(ports, &held).await;
    assert!(matches!(reserve(ports, &again).await.expect("read"), Earlier::Answered(_)), "an answer stays");
    ports.clock().advance(ANSWER_LIFE);
    let late = slot(ports, b"make joan", "four");
    assert_eq!(reserve(ports, &late).await.expect("a write"), Earlier::Nothing, "forgotten after its time");
}

async fn a_slot_has_one_holder<P: TestPorts>(ports: P) {
    let ports = Arc::new(ports);
    acme(ports.as_ref()).await;
    let mut racing = tokio::task::JoinSet::new();
    for n in 0..20 {
        let ports = Arc::clone(&ports);
        racing.spawn(async move {
            let slot = slot(ports.as_ref(), b"request", &n.to_string());
            let found = reserve(ports.as_ref(), &slot).await.expect("a write");
            (slot, found)
        });
    }
    let all = racing.join_all().await;
    let until = ports.clock().now().plus(SLOT_LEASE);
    assert_eq!(all.iter().filter(|(_, found)| *found == Earlier::Nothing).count(), 1);
    assert_eq!(all.iter().filter(|(_, found)| *found == Earlier::Running { until }).count(), 19);
    let (holder, _) = all.iter().find(|(_, found)| *found == Earlier::Nothing).expect("a holder");
    let (loser, _) = all.iter().find(|(_, found)| *found != Earlier::Nothing).expect("a loser");
    release(ports.as_ref(), loser).await;
    let next = slot(ports.as_ref(), b"request", "next");
    assert!(matches!(reserve(ports.as_ref(), &next).await.expect("read"), Earlier::Running { .. }));
    ports.clock().advance(SLOT_LEASE);
    let next = slot(ports.as_ref(), b"request", "next");
    assert_eq!(reserve(ports.as_ref(), &next).await.expect("a write"), Earlier::Nothing, "its lease is over");
    release(ports.as_ref(), holder).await;
    let third = slot(ports.as_ref(), b"request", "third");
    assert!(matches!(reserve(ports.as_ref(), &third).await.expect("read"), Earlier::Running { .. }));
    release(ports.as_ref(), &next).await;
    assert_eq!(reserve(ports.as_ref(), &third).await.expect("a write"), Earlier::Nothing);
}

async fn a_nonce_is_taken_once(ports: &impl TestPorts) {
    let until = ports.clock().now().plus(Duration::from_mins(10));
    let [one, two] = [1_u8, 2].map(|n| BearerHash::of(&[&[n]]));
    for (device, nonce, holder, wanted) in [
        (&one, "a", "h1", Write::Done),
        (&one, "a", "h2", Write::Stale),
        (&one, "a", "h1", Write::Done),
        (&one, "b", "h3", Write::Done),
        (&two, "a", "h4", Write::Done),
    ] {
        assert_eq!(ports.store().take_nonce(device, nonce, holder, until).await.expect("a write"), wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryPorts;

    #[tokio::test]
    async fn the_ports_in_memory_keep_the_contract() {
        all(async || MemoryPorts::new()).await;
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_deleted_tenant_in_memory() {
        nothing_is_left_of_a_deleted_tenant(async || MemoryPorts::new(), async |ports| ports.rows()).await;
    }
}
