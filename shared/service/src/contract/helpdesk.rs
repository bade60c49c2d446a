//! What holds of the helpdesk's shares and passwords.

use otpost_domain::challenge::ChallengeId;
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::helpdesk::{NewPassword, Operator, Refusal, UNCHANGED};
use otpost_domain::ids::PolicyId;
use otpost_domain::policy::PolicyDocument;

use super::*;
use crate::challenges::helpdesk::{Desk, HelpdeskError, check, send_code, send_password};
use crate::challenges::{CheckError, Shown};
use crate::memory::sent_code;
use crate::ports::{HelpdeskStore as _, Share, ShareLeft};
use crate::seen::Seen;
use crate::users::{Profile, create_user};

fn desk() -> Desk {
    let operator = Operator::try_from("m.miller").expect("a name");
    let reason = otpost_domain::audit::Reason::try_from("ticket 4711").expect("a reason");
    Desk { caller: self::operator("acme"), operator, reason }
}

/// Jane, whose number is a day old, in a tenant that texts.
async fn janes<P: TestPorts>(ports: &P) {
    let caller = Caller { actor: Actor::Platform, ..operator("acme") };
    admin::create_tenant(ports, &caller, name("Acme"), Once::not_kept()).await.expect("a tenant");
    let routes = serde_json::json!({
        "applies_to": { "everyone": true },
        "settings": { "sms_routes": [{ "gateway": "texts" }] },
    });
    let document = PolicyDocument::read(&crate::document::value_of(&routes)).expect("a document");
    let id = PolicyId::try_from("all").expect("an id");
    crate::policies::keep_policy(ports, &operator("acme"), &id, document, Seen::Unsaid).await.expect("kept");
    let email = EmailAddress::try_from("jane@example.org").ok();
    let profile = Profile { email, phone: PhoneNumber::try_from("+447700900123").ok(), ..Profile::default() };
    create_user(ports, &operator("acme"), jane(), profile, Once::not_kept()).await.expect("a user");
    ports.clock().advance(UNCHANGED);
}

async fn asked<P: TestPorts>(ports: &P) -> (Shown, String) {
    let shown = send_code(ports, &desk(), &jane(), None, Once::not_kept()).await.expect("a code");
    let tenant = operator("acme").tenant;
    let listed = ports.store().messages_of(&tenant, &jane(), &first(1)).await.expect("a list").items;
    let message = listed.first().expect("a message");
    let code = sent_code(ports, &MessageRef::from(message)).await.expect("a code");
    (shown, code)
}

async fn read_back<P: TestPorts>(ports: &P) -> ChallengeId {
    let (shown, code) = asked(ports).await;
    let code = otpost_domain::challenge::SentCode::parse(&code).expect("a code");
    check(ports, &desk(), &shown.id, &code, None).await.expect("right");
    shown.id
}

fn password() -> NewPassword {
    NewPassword::parse("Correct-Horse-7").expect("a password")
}

/// Of many at once one is accepted, and the repetition of that one's request is told the same.
pub(super) async fn a_code_is_read_back_once<P: TestPorts>(ports: Arc<P>) {
    janes(&*ports).await;
    let (shown, code) = asked(&*ports).await;
    let code = otpost_domain::challenge::SentCode::parse(&code).expect("a code");
    let request = |number: u8| Some(BearerHash::of(&[&[number]]));
    let mut all = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (ports, id, code) = (Arc::clone(&ports), shown.id.clone(), code.clone());
        all.spawn(async move { (number, check(&*ports, &desk(), &id, &code, request(number)).await) });
    }
    let mut accepted = Vec::new();
    while let Some(told) = all.join_next().await {
        match told.expect("no panic") {
            (number, Ok(told)) => accepted.push((number, told)),
            (_, Err(CheckError::Refused)) => {}
            (number, Err(other)) => panic!("{number}: {other:?}"),
        }
    }
    let [(number, told)] = accepted.as_slice() else { panic!("one: {accepted:?}") };
    ports.clock().advance(Duration::from_mins(1));
    let again = check(&*ports, &desk(), &shown.id, &code, request(*number)).await;
    assert_eq!(again.expect("the same request"), *told);
    let other = check(&*ports, &desk(), &shown.id, &code, request(99)).await;
    assert!(matches!(other, Err(CheckError::Refused)), "{other:?}");
}

/// Of many at once one sends, on one code.
pub(super) async fn a_code_lets_one_password_go<P: TestPorts>(ports: Arc<P>) {
    janes(&*ports).await;
    let id = read_back(&*ports).await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (ports, id) = (Arc::clone(&ports), id.clone());
        all.spawn(async move { send_password(&*ports, &desk(), &id, &password()).await });
    }
    let mut sent = Vec::new();
    while let Some(told) = all.join_next().await {
        match told.expect("no panic") {
            Ok(told) => sent.push(told.message),
            Err(HelpdeskError::Refused(Refusal::Spent)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(sent.len(), 1);
    let tenant = operator("acme").tenant;
    let listed = ports.store().messages_of(&tenant, &jane(), &first(9)).await.expect("a list").items;
    assert_eq!(listed.len(), 2, "the code and one password");
    // The next code is good for another.
    ports.clock().advance(Duration::from_mins(1));
    let next = read_back(&*ports).await;
    send_password(&*ports, &desk(), &next, &password()).await.expect("another code, another password");
    let old = send_password(&*ports, &desk(), &id, &password()).await;
    assert!(matches!(old, Err(HelpdeskError::Refused(Refusal::NotReadBack))), "{old:?}");
}

/// However many at once.
pub(super) async fn shares_are_counted<P: TestPorts>(ports: Arc<P>) {
    let tenant = operator("acme").tenant;
    let named = |name: &str| Operator::try_from(name).expect("a name");
    let (a, b) = (named("a"), named("b"));
    let count = async |ports: &P, key: &str, operator: &Operator, hour: u64| {
        let share = Share { tenant: &tenant, key, operator, hour, most: 3, most_of_key: 7 };
        ports.store().count_share(&share).await.expect("a write")
    };
    let mut all = tokio::task::JoinSet::new();
    for name in ["a", "b", "c"].repeat(5) {
        let (ports, name, tenant) = (Arc::clone(&ports), named(name), tenant.clone());
        all.spawn(async move {
            let (key, hour) = ("key:one", 500_000);
            let share = Share { tenant: &tenant, key, operator: &name, hour, most: 3, most_of_key: 7 };
            ports.store().count_share(&share).await.expect("a write")
        });
    }
    let mut counted = Vec::new();
    while let Some(told) = all.join_next().await {
        counted.push(told.expect("no panic"));
    }
    assert_eq!(counted.iter().filter(|told| **told == ShareLeft::Counted).count(), 7, "{counted:?}");
    let ports = &*ports;
    assert_eq!(count(ports, "key:one", &a, 500_001).await, ShareLeft::Counted, "another hour");
    assert_eq!(count(ports, "key:two", &a, 500_000).await, ShareLeft::Counted, "another key");
    for _ in 0..2 {
        assert_eq!(count(ports, "key:two", &a, 500_000).await, ShareLeft::Counted);
    }
    assert_eq!(count(ports, "key:two", &a, 500_000).await, ShareLeft::Operators);
    assert_eq!(count(ports, "key:two", &named("A"), 500_000).await, ShareLeft::Operators);
    assert_eq!(count(ports, "key:two", &b, 500_000).await, ShareLeft::Counted);
}
