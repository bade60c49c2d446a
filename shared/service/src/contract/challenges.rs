//! What holds of challenges.

use std::sync::Arc;

use otpost_domain::challenge::{
    Addressee, Challenge, ChallengeId, CodeMac, Generation, Guess, Guessed, Place, STRANGER_BUDGET,
    SealedOrder, SentCode, SourceClass,
};
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::BearerHash;
use otpost_domain::message::{Overtaken, Routes, Step, Way};
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Timestamp;

use super::*;
use crate::challenges::{Answer, Asker, CheckError, Order, Shown, check, start};
use crate::content::Content;
use crate::ports::{Again, ChallengeStore as _, NewCode};
use crate::users::{Profile, create_user};

/// Asks for a code for `user` to sign in.
async fn asked(ports: &impl TestPorts, user: &str) -> Shown {
    let asker = Asker { caller: operator("acme"), after_first_factor: false };
    let order = Order {
        addressee: Addressee::User(UserId::try_from(user).expect("an id")),
        purpose: CodePurpose::SignIn,
        channel: None,
        transaction: None,
        source: None,
    };
    start(ports, &asker, &order, Once::not_kept()).await.expect("a challenge")
}

async fn typed(ports: &impl TestPorts, id: &ChallengeId, code: &str) -> Result<(), CheckError> {
    let asker = Asker { caller: operator("acme"), after_first_factor: false };
    let code = SentCode::parse(code).expect("a code");
    let answer =
        Answer { code, purpose: CodePurpose::SignIn, transaction: None, remember: false, request: None };
    check(ports, &asker, id, &answer).await.map(|_| ())
}

async fn with_users(ports: &impl TestPorts, users: &[String]) {
    ports_with_tenant(ports).await;
    for user in users {
        let email = EmailAddress::try_from(format!("{user}@example.org").as_str()).expect("an address");
        let profile = Profile { email: Some(email), ..Profile::default() };
        let id = UserId::try_from(user.as_str()).expect("an id");
        create_user(ports, &operator("acme"), id, profile, Once::not_kept()).await.expect("a user");
    }
}

async fn ports_with_tenant(ports: &impl TestPorts) {
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    admin::create_tenant(ports, &caller, name("Acme"), Once::not_kept()).await.expect("a tenant");
}

/// The code in the message that a user was sent last.
async fn sent(ports: &impl TestPorts, user: &str) -> String {
    let (tenant, id) = (operator("acme").tenant, UserId::try_from(user).expect("an id"));
    let listed = ports.store().messages_of(&tenant, &id, &first(1)).await.expect("a list").items;
    let message = listed.into_iter().next().expect("a message");
    let sealed = message.content.expect("content").0;
    let kind = RecordKind::MessageContent;
    let opened = ports.sealer().open(&tenant, kind, message.id.as_str(), &sealed).await.expect("opened");
    Content::decode(&opened).expect("content").code.clone()
}

/// Another code of the same length.
fn other(code: &str, by: u64) -> String {
    let number: u64 = code.parse().expect("digits");
    format!("{:0>width$}", (number + by) % 10_u64.pow(6), width = code.len())
}

pub(super) async fn a_sent_code_is_accepted_once<P: TestPorts>(ports: P, racers: u64) {
    with_users(&ports, &["jane".to_owned()]).await;
    let id = asked(&ports, "jane").await.id;
    let code = sent(&ports, "jane").await;
    let wrong = typed(&ports, &id, &other(&code, 1)).await;
    assert!(matches!(wrong, Err(CheckError::Refused)), "{wrong:?}");
    let ports = Arc::new(ports);
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..racers {
        let (ports, id, code) = (Arc::clone(&ports), id.clone(), code.clone());
        racing.spawn(async move { typed(ports.as_ref(), &id, &code).await });
    }
    let answers = racing.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "one of {racers}");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(CheckError::Refused))), "{answers:?}");
}

/// However many guess at once at a few codes, each code takes no more guesses than it takes, is accepted at most once, and
/// not after its end. Some of the guesses are right.
///
/// # Panics
/// When it is otherwise.
pub async fn few_codes_stand_many_guesses<P: TestPorts>(ports: P, guesses: u64) {
    const CODES: u64 = 4;
    let users: Vec<String> = (0..CODES).map(|number| format!("user-{number}")).collect();
    with_users(&ports, &users).await;
    let mut codes = Vec::new();
    for user in &users {
        let id = asked(&ports, user).await.id;
        codes.push((id, sent(&ports, user).await));
    }
    let ports = Arc::new(ports);
    let tenant = operator("acme").tenant;
    let mut racing = tokio::task::JoinSet::new();
    for guess in 0..guesses {
        let which = usize::try_from(guess % CODES).expect("small");
        let (id, code) = codes.get(which).expect("a code").clone();
        let ports = Arc::clone(&ports);
        // Of the first two codes every third guess is right, the last two are never guessed.
        let right = which < 2 && (guess / CODES) % 3 == 2;
        let text = if right { code } else { other(&code, 1 + guess) };
        racing.spawn(async move { (which, typed(ports.as_ref(), &id, &text).await) });
        while racing.len() >= 200 {
            racing.join_next().await;
        }
    }
    while racing.join_next().await.is_some() {}
    for (which, user) in users.iter().enumerate() {
        let place = Place {
            addressee: Addressee::User(UserId::try_from(user.as_str()).expect("an id")),
            purpose: CodePurpose::SignIn,
            source: SourceClass::Stranger,
        };
        let row = ports.store().challenge(&tenant, &place).await.expect("read").expect("there");
        assert!(row.guesses <= row.most_guesses, "{user}: {row:?}");
        assert_eq!(row.guesses, row.failures, "each guess was counted once: {row:?}");
        let over = row.is_used() || row.guesses == row.most_guesses;
        assert!(over && (which < 2 || !row.is_used()), "{user}: {row:?}");
        let (id, code) = codes.get(which).expect("a code");
        let after = typed(ports.as_ref(), id, code).await;
        assert!(after.is_err(), "{user}: accepted after its end");
    }
}

pub(super) async fn guesses_count_as_the_domain_says<P: TestPorts>(ports: &P) {
    let row = Row::new(ports).await;
    let other = CodeMac([9; 32]);
    let at = |seconds: u64| row.now.plus(Duration::from_secs(seconds));
    let request = |number: u8| BearerHash::of(&[&[number]]);
    let guess = |mac: &CodeMac, number: u8, at| Guess {
        generation: row.challenge.generation,
        mac: mac.clone(),
        request: request(number),
        at,
    };
    let mut expected = row.challenge.clone();
    let right = row.challenge.mac.clone();
    for (guess, told) in [
        (Guess { generation: Generation([7; 8]), ..guess(&right, 1, at(0)) }, Guessed::Over),
        (guess(&right, 2, at(600)), Guessed::Over),
        (guess(&other, 3, at(1)), Guessed::Wrong),
        (guess(&other, 3, at(2)), Guessed::Wrong),
        (guess(&other, 4, at(3)), Guessed::Wrong),
        (guess(&right, 5, at(4)), Guessed::Accepted { mailed: false, at: at(4) }),
        (guess(&right, 5, at(5)), Guessed::Accepted { mailed: false, at: at(4) }),
        (guess(&right, 6, at(6)), Guessed::Over),
        (guess(&other, 7, at(7)), Guessed::Over),
        (guess(&right, 5, at(600)), Guessed::Over),
    ] {
        if expected.judge(&guess).uncounted(&expected).is_none() {
            expected = expected.guessed(&guess);
        }
        let store = ports.store();
        assert_eq!(
            store.guess(&row.tenant, &expected.place, &guess).await.expect("a write"),
            told,
            "{guess:?}"
        );
        assert_eq!(row.read(ports).await, expected, "{guess:?}");
    }
    assert_eq!((expected.guesses, expected.failures), (3, 3));
    let nowhere = Place { purpose: CodePurpose::PasswordReset, ..expected.place };
    let nothing =
        ports.store().guess(&row.tenant, &nowhere, &guess(&right, 1, at(0))).await.expect("a write");
    assert_eq!(nothing, Guessed::Over);
}

pub(super) async fn a_code_gives_way_to_the_next<P: TestPorts>(ports: &P) {
    let row = Row::new(ports).await;
    let (tenant, now) = (&row.tenant, row.now);
    let wrong = |number: u8, generation| Guess {
        generation,
        mac: CodeMac([9; 32]),
        request: BearerHash::of(&[&[number]]),
        at: now,
    };
    let first = row.challenge.clone();
    let next = Challenge { generation: Generation([2; 8]), mac: CodeMac([2; 32]), ..first.clone() };
    let write = async |challenge: &Challenge, replaces: Option<&Challenge>| {
        let message = row.message(ports).await;
        let new = NewCode { challenge, replaces, message: &message, journal: None, answer: None };
        let written = ports.store().new_code(tenant, &new).await.expect("a write");
        let there = ports.store().message(&MessageRef::from(&message)).await.expect("read").is_some();
        assert_eq!(there, written == Write::Done, "all or nothing");
        written
    };
    assert_eq!(write(&next, None).await, Write::Stale, "there is one");
    assert_eq!(write(&next, Some(&next)).await, Write::Stale, "that was not the one");
    for number in 0..3 {
        let guessed = ports.store().guess(tenant, &first.place, &wrong(number, first.generation)).await;
        assert_eq!(guessed.expect("a write"), Guessed::Wrong);
    }
    assert_eq!(
        write(&next, Some(&first)).await,
        Write::Done,
        "guesses that were made meanwhile do not matter"
    );
    let read = row.read(ports).await;
    assert_eq!(
        (read.generation, read.guesses, read.failures),
        (next.generation, 0, 3),
        "wrong codes go on counting"
    );
    assert_eq!((read.last, read.last_request), (None, None));
    let right = Guess { mac: next.mac.clone(), ..wrong(9, next.generation) };
    assert_eq!(
        ports.store().guess(tenant, &next.place, &right).await.expect("a write"),
        Guessed::Accepted { mailed: false, at: right.at }
    );
    let third = Challenge { generation: Generation([3; 8]), ..next.clone() };
    assert_eq!(write(&third, Some(&next)).await, Write::Stale, "it was used since");
    assert_eq!(write(&third, Some(&row.read(ports).await)).await, Write::Done);
    assert_eq!(row.read(ports).await.failures, 0, "after a right code wrong ones begin anew");

    // Sent again: only while it is live, and by one.
    let seen = row.read(ports).await;
    let message = row.message(ports).await;
    let after = seen.clone().sent_again(message.id.clone(), true, now.plus(Duration::from_secs(30)));
    let again =
        Again { seen: &seen, after: &after, message: Some(&message), journal: None, answer: None, at: now };
    let late = Again { at: seen.expires_at, ..again };
    assert_eq!(ports.store().send_code_again(tenant, &late).await.expect("a write"), Write::Stale);
    assert_eq!(
        ports.store().guess(tenant, &seen.place, &wrong(1, seen.generation)).await.expect("a write"),
        Guessed::Wrong
    );
    assert_eq!(ports.store().send_code_again(tenant, &again).await.expect("a write"), Write::Done);
    let read = row.read(ports).await;
    assert!(read.mailed);
    assert_eq!((read.resent, &read.message, read.guesses), (1, &message.id, 1), "the guess was not lost");
    let next = Challenge { generation: Generation([4; 8]), ..seen.clone() };
    assert_eq!(write(&next, Some(&seen)).await, Write::Stale, "it was sent again since");
    let message = row.message(ports).await;
    let again = Again { message: Some(&message), ..again };
    assert_eq!(ports.store().send_code_again(tenant, &again).await.expect("a write"), Write::Stale);

    // Forgotten, and ended.
    let user = jane();
    ports.store().forget_wrong_codes(tenant, &user).await.expect("a write");
    assert_eq!((row.read(ports).await.failures, row.read(ports).await.guesses), (0, 1));
    let end = async |generation| {
        ports.store().end_challenge(tenant, &seen.place, generation, now).await.expect("a write")
    };
    assert_eq!(end(first.generation).await, Write::Stale);
    assert_eq!(end(seen.generation).await, Write::Done);
    assert_eq!(row.read(ports).await.expires_at, now);
    ports.store().end_challenges(tenant, &user).await.expect("a write");
    assert_eq!(row.read(ports).await.expires_at, Timestamp::default(), "by any clock");
}

pub(super) async fn all_is_asked_at_once<P: TestPorts>(ports: &P) {
    let app = enrolled(ports).await;
    let tenant = operator("acme").tenant;
    let ask =
        async |addressee| ports.store().asked(&tenant, &addressee, CodePurpose::SignIn).await.expect("read");
    ports.clock().advance(Duration::from_secs(30));
    let code = Code::parse(&app.code(ports.clock().now())).expect("a code");
    verify(ports, &tenant, Attempt { remember: true, ..attempt(code) }).await.expect("right");
    let known = ask(Addressee::User(jane())).await;
    assert_eq!(known.tenant.map(|tenant| tenant.id), Some(tenant.clone()));
    assert_eq!((known.user.map(|user| user.id), known.sources.len()), (Some(jane()), 1));
    assert!(known.known.is_none() && known.strangers.is_none());
    let nobody = ask(Addressee::User(UserId::try_from("nobody").expect("an id"))).await;
    assert!(nobody.tenant.is_some() && nobody.user.is_none() && nobody.sources.is_empty());
    let id = asked(ports, "jane").await.id;
    asked(ports, "nobody").await;
    for user in ["jane", "nobody"] {
        let asked = ask(Addressee::User(UserId::try_from(user).expect("an id"))).await;
        assert!(asked.known.is_none() && asked.strangers.is_some(), "{user}");
    }
    // The budget of strangers is theirs, whatever the code is.
    let code = sent(ports, "jane").await;
    for number in 1..=9 {
        let _ = typed(ports, &id, &other(&code, number)).await;
    }
    let strangers = ask(Addressee::User(jane())).await.strangers.expect("there");
    assert!(strangers.guesses == 5 && strangers.failures < STRANGER_BUDGET, "{strangers:?}");
}

/// A challenge of jane's, written without the use cases.
struct Row {
    tenant: TenantId,
    challenge: Challenge,
    now: Timestamp,
}

impl Row {
    async fn new<P: TestPorts>(ports: &P) -> Self {
        with_users(ports, &["jane".to_owned()]).await;
        let now = ports.clock().now();
        let tenant = operator("acme").tenant;
        let challenge = Challenge {
            place: Place {
                addressee: Addressee::User(jane()),
                purpose: CodePurpose::SignIn,
                source: SourceClass::Stranger,
            },
            generation: Generation([1; 8]),
            mac: CodeMac([1; 32]),
            expires_at: now.plus(Duration::from_mins(5)),
            guesses: 0,
            most_guesses: 5,
            failures: 0,
            guessed_at: Timestamp::default(),
            last: None,
            last_request: None,
            resent: 0,
            mailed: false,
            spent: false,
            most_resends: 3,
            cool_until: now,
            message: MessageId::new(now, ports.entropy().array()),
            order: SealedOrder(vec![1, 2, 3]),
        };
        let row = Self { tenant, challenge, now };
        let message = row.message(ports).await;
        let row = Self { challenge: Challenge { message: message.id.clone(), ..row.challenge }, ..row };
        let new = NewCode {
            challenge: &row.challenge,
            replaces: None,
            message: &message,
            journal: None,
            answer: None,
        };
        assert_eq!(ports.store().new_code(&row.tenant, &new).await.expect("a write"), Write::Done);
        assert_eq!(row.read(ports).await, row.challenge);
        row
    }

    async fn read(&self, ports: &impl TestPorts) -> Challenge {
        let found = ports.store().challenge(&self.tenant, &self.challenge.place).await;
        found.expect("read").expect("there")
    }

    /// Another message, that is nobody's.
    async fn message(&self, ports: &impl TestPorts) -> Message {
        let asked = asked(ports, "somebody-else").await;
        assert!(!asked.recipient.is_empty());
        let user = UserId::try_from("somebody-else").expect("an id");
        let listed = ports.store().messages_of(&self.tenant, &user, &first(1)).await.expect("a list");
        let message = listed.items.into_iter().next().expect("a message");
        Message { id: MessageId::new(self.now, ports.entropy().array()), ..message }
    }
}

pub(super) async fn only_what_was_handed_to_nobody_is_withdrawn<P: TestPorts>(ports: &P) {
    with_users(ports, &["jane".to_owned()]).await;
    asked(ports, "jane").await;
    asked(ports, "nobody").await;
    let tenant = operator("acme").tenant;
    let latest = async |user: &str| {
        let id = UserId::try_from(user).expect("an id");
        let listed = ports.store().messages_of(&tenant, &id, &first(1)).await.expect("a list").items;
        listed.into_iter().next().expect("a message")
    };
    let withdraw = async |message: &Message| {
        let reference = MessageRef::from(message);
        ports.store().withdraw(&reference, Overtaken::GivenUp).await.expect("a write")
    };
    assert_eq!(withdraw(&latest("nobody").await).await, Write::Stale, "it was closed from the beginning");
    let message = latest("jane").await;
    assert_eq!(withdraw(&message).await, Write::Done);
    assert_eq!(latest("jane").await, message.clone().withdrawn(Overtaken::GivenUp), "as the domain says");
    assert_eq!(withdraw(&message).await, Write::Stale);
    let handed = pushed_to(ports).await;
    assert_eq!(withdraw(&handed).await, Write::Stale, "a sender was handed it");
}

/// A message that a sender was handed.
async fn pushed_to(ports: &impl TestPorts) -> Message {
    let asker = Asker { caller: operator("acme"), after_first_factor: false };
    let order = Order {
        addressee: Addressee::User(jane()),
        purpose: CodePurpose::Enrolment,
        channel: None,
        transaction: None,
        source: None,
    };
    start(ports, &asker, &order, Once::not_kept()).await.expect("a challenge");
    let listed = ports.store().messages_of(&asker.caller.tenant, &jane(), &first(9)).await.expect("a list");
    let open = listed.items.into_iter().find(Message::is_open).expect("an open one");
    let routes = Routes { usable: vec![Way { tells: false, ..Way::OWN }], ..Routes::default() };
    let Step::Hand(handed, ..) = open.next_step(&routes, ports.clock().now()) else { panic!("a route") };
    assert_eq!(ports.store().save_message(&handed).await.expect("a write"), Write::Done);
    handed
}
