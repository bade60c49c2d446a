//! The sample events, and what each kind of source tells.

mod anything;
mod schemas;

use std::collections::BTreeSet;

use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::directory::{Change, Person, Said, SourceKind, Told};
use otpost_domain::tenant::GroupName;
use serde_json::{Value, json};

use super::*;

const EVENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/directory");
const CONTRACT_TYPES: [&str; 4] = [
    "directory.user.upserted.v1",
    "directory.user.disabled.v1",
    "directory.user.deleted.v1",
    "directory.sync.completed.v1",
];

fn event(detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": detail_type, "source": "otpost.directory",
        "account": "111122223333", "time": "2027-01-15T08:00:00Z", "region": "eu-west-2", "resources": [],
        "detail": detail,
    })
}

fn reading(kind: SourceKind, detail_type: &str, detail: &Value) -> Result<Reading, Refused> {
    read(&Envelope::of(&event(detail_type, detail))?, kind)
}

fn told(kind: SourceKind, detail_type: &str, detail: &Value) -> Change {
    match reading(kind, detail_type, detail) {
        Ok(Reading::Change(change)) => change,
        other => panic!("{other:?}"),
    }
}

fn person(change: Change) -> Person {
    match change.told {
        Told::Upserted(person) => person,
        other => panic!("{other:?}"),
    }
}

fn pointers(refused: &Refused) -> Vec<&str> {
    refused.faults().all().iter().map(|fault| fault.pointer.as_str()).collect()
}

fn metadata(version: u64) -> Value {
    json!({ "eventId": "event-0001", "tenantId": "acme", "occurredAt": "2027-01-15T08:00:00Z",
            "source": "ldap", "version": version })
}

fn upserted() -> Value {
    json!({
        "metadata": metadata(7),
        "data": {
            "externalId": "5b1c", "userName": "maya.lind", "active": true, "displayName": "Maya Lind",
            "givenName": "Maya", "familyName": "Lind", "locale": "de-AT",
            "emails": [{ "value": "maya@example.org", "type": "work", "primary": true }, { "value": "m@example.org" }],
            "phones": [{ "value": "+447700900123", "type": "mobile", "primary": false }],
            "groups": ["VPN users", "Finance"],
        },
    })
}

fn group(name: &str) -> GroupName {
    GroupName::try_from(name).unwrap()
}

// --- The sample events ---

/// The bodies of a sample, each as EventBridge's event.
fn sample(file: &str) -> Vec<Result<Envelope, Refused>> {
    let text = std::fs::read_to_string(format!("{EVENTS}/{file}")).unwrap();
    let batch: Value = serde_json::from_str(&text).unwrap();
    crate::batch::Batch::parse(batch.clone()).expect("an SQS batch");
    let records = batch["Records"].as_array().unwrap();
    records.iter().map(|record| Envelope::parse(record["body"].as_str().unwrap())).collect()
}

fn outcome(envelope: Result<Envelope, Refused>, kind: SourceKind) -> String {
    match envelope.and_then(|envelope| read(&envelope, kind)) {
        Ok(Reading::Change(Change { version, told, .. })) => {
            let told = match told {
                Told::Upserted(person) => format!("upserted {}", person.user_name),
                Told::Disabled => "disabled".to_owned(),
                Told::Deleted => "deleted".to_owned(),
                Told::JoinedGroup(group) => format!("joined {}", group.as_str()),
                Told::LeftGroup(group) => format!("left {}", group.as_str()),
            };
            format!("{told} in version {version}")
        }
        Ok(Reading::SyncCompleted(run)) => format!("synced {:?}", run.users),
        Ok(Reading::Nothing { reason }) => format!("nothing: {reason}"),
        Err(refused) => pointers(&refused).join(" "),
    }
}

#[test]
fn every_sample_comes_to_what_its_list_says() {
    let expected: [(&str, SourceKind, &[&str]); 10] = [
        (
            "auth0-updated.json",
            SourceKind::Auth0,
            &["upserted maya.lind@example.org in version 1800000000123"],
        ),
        ("deleted.json", SourceKind::Contract, &["deleted in version 1800000002000"]),
        ("disabled.json", SourceKind::Contract, &["disabled in version 1800000001000"]),
        ("foreign-account.json", SourceKind::Contract, &["deleted in version 1800000009000"]),
        (
            "malformed.json",
            SourceKind::Contract,
            &[
                "",
                "/detail/metadata/eventId /detail/metadata/tenantId /detail/metadata/occurredAt \
                 /detail/metadata/source /detail/metadata/version /detail/data/externalId /detail/data/userName \
                 /detail/data/active /detail/data/emails/0/value /detail/data/emails/1/value /detail/data/groups/1",
                "/detail-type",
            ],
        ),
        ("okta-create.json", SourceKind::Okta, &["upserted maya.lind@example.org in version 1800000000123"]),
        (
            "okta-membership.json",
            SourceKind::Okta,
            &["joined VPN users in version 1800000000456", "left VPN users in version 1800003600000"],
        ),
        (
            "okta-sign-in.json",
            SourceKind::Okta,
            &["nothing: an event of the log that tells nothing of who is there"],
        ),
        ("sync-completed.json", SourceKind::Contract, &["synced Some(1204)"]),
        ("upserted.json", SourceKind::Contract, &["upserted maya.lind@example.org in version 1800000000000"]),
    ];
    let mut found: Vec<_> = std::fs::read_dir(EVENTS)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "schemas")
        .collect();
    found.sort();
    assert_eq!(
        found,
        expected.map(|(file, ..)| file),
        "every sample is listed, and every listed one is there"
    );
    for (file, kind, outcomes) in expected {
        let read: Vec<_> = sample(file).into_iter().map(|envelope| outcome(envelope, kind)).collect();
        assert_eq!(read, outcomes, "{file}");
    }
}

#[test]
fn a_sample_is_read_in_full() {
    let envelope = sample("upserted.json").remove(0).unwrap();
    assert_eq!((envelope.account.as_str(), envelope.claimed_tenant()), ("111122223333", Some("acme")));
    let Ok(Reading::Change(change)) = read(&envelope, SourceKind::Contract) else { panic!("a change") };
    assert_eq!(change.external_id.as_str(), "5b1c2f0e-3a77-4d2e-9a55-0c6c1a1d7e42");
    let person = person(change);
    assert!(person.email == Said::Is(EmailAddress::try_from("maya.lind@example.org").unwrap()));
    // The first one is no number in international form.
    assert!(person.phone == Said::Is(PhoneNumber::try_from("+447700900123").unwrap()));
    assert!(person.locale == Said::Is(Locale::try_from("de-AT").unwrap()));
    assert_eq!(person.groups, Some(BTreeSet::from([group("VPN users"), group("Finance")])));
}

#[test]
fn a_foreign_accounts_event_names_the_same_tenant() {
    let foreign = sample("foreign-account.json").remove(0).unwrap();
    let own = sample("upserted.json").remove(0).unwrap();
    assert_eq!(foreign.claimed_tenant(), own.claimed_tenant());
    assert_eq!(foreign.source, own.source);
    assert_ne!(foreign.account, own.account);
}

// --- The contract ---

#[test]
fn the_contract_is_a_full_picture() {
    let data = json!({ "externalId": "5b1c", "userName": "maya", "active": false, "phones": [], "groups": null,
                       "givenName": "Maya", "familyName": "Lind" });
    let change =
        told(SourceKind::Contract, CONTRACT_TYPES[0], &json!({ "metadata": metadata(3), "data": data }));
    assert_eq!(change.version, 3);
    let person = person(change);
    assert!(!person.active);
    assert!(person.email == Said::Absent && person.phone == Said::Absent && person.locale == Said::Absent);
    assert!(person.display_name == Said::Is(DisplayName::try_from("Maya Lind").unwrap()));
    assert_eq!(person.groups, Some(BTreeSet::new()));
}

#[test]
fn faults_repeat_no_value() {
    for envelope in sample("malformed.json").into_iter().skip(1).flatten() {
        let refused = read(&envelope, SourceKind::Contract).unwrap_err();
        let told = format!("{refused} {refused:?} {envelope:?}").to_lowercase();
        for value in ["maya", "yesterday", "vpn", "\"short\"", "\"true\""] {
            assert!(!told.contains(value), "{value}: {told}");
        }
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let mut large = upserted();
    large["data"]["note"] = json!("x".repeat(MOST_BYTES));
    let refused = reading(SourceKind::Contract, CONTRACT_TYPES[0], &large).unwrap_err();
    assert_eq!(refused.to_string(), "the event is refused:  is larger than 65536 bytes");
    large["data"]["note"] = json!("x".repeat(MOST_BYTES - 1_200));
    assert!(reading(SourceKind::Contract, CONTRACT_TYPES[0], &large).is_ok());
}

#[test]
fn an_envelope_has_what_eventbridge_gives() {
    let good = event("x", &json!({}));
    for (name, value) in [
        ("id", json!(1)),
        ("source", json!("")),
        ("account", json!("12345678901")),
        ("account", json!("12345678901x")),
        ("detail-type", Value::Null),
        ("time", json!("today")),
        ("region", json!("a\nb")),
        ("detail", json!("{}")),
    ] {
        let mut event = good.clone();
        event[name] = value;
        assert_eq!(pointers(&Envelope::of(&event).unwrap_err()), [format!("/{name}")]);
    }
    assert_eq!(pointers(&Envelope::of(&json!([])).unwrap_err()), [""]);
}

// --- Okta ---

fn okta(event_type: &str, targets: &Value) -> Value {
    json!({ "eventType": event_type, "published": "2027-01-15T08:00:00.123Z", "outcome": { "result": "SUCCESS" },
            "target": targets })
}

fn okta_user() -> Value {
    json!({ "id": "00u1", "type": "User", "alternateId": "Maya.Lind@example.org", "displayName": "Maya Lind" })
}

fn okta_group() -> Value {
    json!({ "id": "00g1", "type": "UserGroup", "alternateId": "unknown", "displayName": "VPN users" })
}

#[test]
fn oktas_events_say_who_is_there() {
    for appear in ["create", "activate", "reactivate", "unsuspend"] {
        let event = okta(&format!("user.lifecycle.{appear}"), &json!([okta_user()]));
        let change = told(SourceKind::Okta, "SystemLog", &event);
        assert_eq!((change.external_id.as_str(), change.version), ("00u1", 1_800_000_000_123));
        let person = person(change);
        assert_eq!((person.user_name.as_str(), person.active), ("maya.lind@example.org", true));
        assert!(person.email == Said::Perhaps(EmailAddress::try_from("Maya.Lind@example.org").unwrap()));
        assert!(person.phone == Said::Unsaid && person.locale == Said::Unsaid && person.groups.is_none());
    }
    // Whoever must not get in is kept out, whatever their login is like.
    let odd = json!([{ "id": "00u1", "type": "User", "alternateId": "maya lind" }, { "type": "AppUser" }]);
    for (event_type, expected) in [
        ("user.lifecycle.deactivate", Told::Disabled),
        ("user.lifecycle.suspend", Told::Disabled),
        ("user.lifecycle.delete.initiated", Told::Disabled),
        ("user.lifecycle.delete.completed", Told::Deleted),
    ] {
        assert_eq!(told(SourceKind::Okta, "SystemLog", &okta(event_type, &odd)).told, expected);
    }
    let both = json!([okta_group(), okta_user()]);
    let joined = told(SourceKind::Okta, "SystemLog", &okta("group.user_membership.add", &both));
    assert_eq!(joined.told, Told::JoinedGroup(group("VPN users")));
    let left = told(SourceKind::Okta, "SystemLog", &okta("group.user_membership.remove", &both));
    assert_eq!(left.told, Told::LeftGroup(group("VPN users")));
}

#[test]
fn a_login_that_is_no_address_is_none() {
    let user = json!([{ "id": "00u1", "type": "User", "alternateId": "mlind" }]);
    let person = person(told(SourceKind::Okta, "SystemLog", &okta("user.lifecycle.create", &user)));
    assert_eq!(person.user_name.as_str(), "mlind");
    assert!(person.email == Said::Unsaid && person.display_name == Said::Unsaid);
}

#[test]
fn much_of_oktas_log_is_of_no_concern() {
    let nothing = |event: &Value| match reading(SourceKind::Okta, "SystemLog", event) {
        Ok(Reading::Nothing { reason }) => reason,
        other => panic!("{other:?}"),
    };
    assert!(nothing(&okta("user.session.start", &Value::Null)).contains("nothing of who is there"));
    assert!(nothing(&okta("user.account.update_profile", &json!([okta_user()]))).contains("changed profile"));
    let mut failed = okta("user.lifecycle.deactivate", &json!([okta_user()]));
    failed["outcome"] = json!({ "result": "FAILURE", "reason": "x" });
    assert!(nothing(&failed).contains("without success"));
}

#[test]
fn oktas_faults_are_told_at_their_places() {
    for (event_type, targets, expected) in [
        ("user.lifecycle.create", json!([okta_user(), okta_user()]), vec!["/detail/target"]),
        ("user.lifecycle.create", json!([okta_group()]), vec!["/detail/target"]),
        (
            "user.lifecycle.create",
            json!([{ "type": "User" }]),
            vec!["/detail/target/0/alternateId", "/detail/target/0/alternateId", "/detail/target/0/id"],
        ),
        (
            "user.lifecycle.create",
            json!([{ "type": "User", "id": "1", "alternateId": "maya lind" }]),
            vec!["/detail/target/0/alternateId"],
        ),
        ("group.user_membership.add", json!([okta_user()]), vec!["/detail/target"]),
        (
            "group.user_membership.add",
            json!([okta_user(), { "type": "UserGroup", "displayName": "" }]),
            vec!["/detail/target/1/displayName"],
        ),
    ] {
        let refused = reading(SourceKind::Okta, "SystemLog", &okta(event_type, &targets)).unwrap_err();
        assert_eq!(pointers(&refused), expected, "{event_type} {targets}");
    }
    let refused = reading(SourceKind::Okta, "SystemLog", &json!({})).unwrap_err();
    assert_eq!(pointers(&refused), ["/detail/eventType"]);
}

// --- Auth0 ---

fn auth0(event_type: &str, object: &Value) -> Value {
    json!({ "id": "evt_1", "source": "urn:auth0:acme", "specversion": "1.0", "type": event_type,
            "time": "2027-01-15T08:00:00Z", "a0tenant": "acme", "data": { "object": object } })
}

fn auth0_user() -> Value {
    json!({ "user_id": "auth0|1", "username": "maya", "email": "maya@example.org", "name": "Maya Lind",
            "phone_number": "+447700900123", "updated_at": "2027-01-15T08:00:00.123Z",
            "deleted_at": "2027-01-15T09:00:00.000Z" })
}

#[test]
fn auth0s_events_have_the_whole_user() {
    for event_type in ["user.created", "user.updated", "com.auth0.user.updated"] {
        let change = told(SourceKind::Auth0, "any", &auth0(event_type, &auth0_user()));
        assert_eq!((change.external_id.as_str(), change.version), ("auth0|1", 1_800_000_000_123));
        let person = person(change);
        assert_eq!(person.user_name.as_str(), "maya");
        assert!(person.email == Said::Is(EmailAddress::try_from("maya@example.org").unwrap()));
        assert!(person.phone == Said::Is(PhoneNumber::try_from("+447700900123").unwrap()));
        assert!(person.locale == Said::Unsaid && person.groups.is_none());
    }
    let deleted = told(SourceKind::Auth0, "any", &auth0("user.deleted", &auth0_user()));
    assert_eq!((deleted.version, deleted.told), (1_800_003_600_000, Told::Deleted));
}

#[test]
fn a_blocked_user_is_kept_out_whatever_their_profile() {
    let mut user = auth0_user();
    user["blocked"] = json!(true);
    user["email"] = json!("maya@");
    assert_eq!(told(SourceKind::Auth0, "any", &auth0("user.updated", &user)).told, Told::Disabled);
    user["blocked"] = json!(false);
    let refused = reading(SourceKind::Auth0, "any", &auth0("user.updated", &user)).unwrap_err();
    assert_eq!(pointers(&refused), ["/detail/data/object/email"]);
}

#[test]
fn an_address_that_is_not_verified_is_not_taken() {
    let mut user = auth0_user();
    for name in ["email_verified", "phone_verified"] {
        user[name] = json!(false);
    }
    user["username"] = Value::Null;
    let person = person(told(SourceKind::Auth0, "any", &auth0("user.updated", &user)));
    assert_eq!(person.user_name.as_str(), "maya@example.org");
    assert!(person.email == Said::Absent && person.phone == Said::Absent);
}

#[test]
fn some_of_auth0s_events_are_of_no_concern() {
    let mut trial = auth0("user.deleted", &auth0_user());
    trial["a0purpose"] = json!("test");
    let log = json!({ "log_id": "1", "data": { "type": "sdu", "user_id": "auth0|1" } });
    for event in [trial, log, auth0("organization.created", &json!({}))] {
        let read = reading(SourceKind::Auth0, "any", &event);
        assert!(matches!(read, Ok(Reading::Nothing { .. })), "{read:?}");
    }
    let refused = reading(SourceKind::Auth0, "any", &auth0("user.created", &json!({}))).unwrap_err();
    let expected = ["user_id", "updated_at", "email"].map(|name| format!("/detail/data/object/{name}"));
    assert_eq!(pointers(&refused), expected);
}
