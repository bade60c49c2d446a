//! The contract's JSON Schemas say what its reader does.

use std::cell::Cell;

use jsonschema::Validator;
use otpost_domain::directory::SourceKind;
use otpost_service::document::json_of;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::{CONTRACT_TYPES, EVENTS, metadata, reading, sample, upserted};

fn validator(detail_type: &str) -> Validator {
    let text = std::fs::read_to_string(format!("{EVENTS}/schemas/{detail_type}.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "{detail_type}");
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn every_sample_of_the_contract_is_as_its_schema_says() {
    for (file, valid) in [
        ("upserted.json", true),
        ("disabled.json", true),
        ("deleted.json", true),
        ("sync-completed.json", true),
        ("foreign-account.json", true),
    ] {
        for envelope in sample(file).into_iter().flatten() {
            let detail = json_of(&envelope.detail);
            assert_eq!(validator(&envelope.detail_type).is_valid(&detail), valid, "{file}");
        }
    }
    let malformed = sample("malformed.json").remove(1).unwrap();
    let validator = validator("directory.user.upserted.v1");
    assert!(validator.iter_errors(&json_of(&malformed.detail)).count() >= 8);
}

#[test]
fn the_documentations_example_is_as_the_schema_says() {
    let text = std::fs::read_to_string(format!("{EVENTS}/../../docs/directory.md")).unwrap();
    let example = text.split("```json").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    assert!(validator(CONTRACT_TYPES[0]).is_valid(&example));
    assert!(reading(SourceKind::Contract, CONTRACT_TYPES[0], &example).is_ok());
}

/// A member and what to put there; `None` takes it away.
type Edit = (&'static str, Option<Value>);

fn edit(document: &mut Value, (pointer, value): &Edit) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (document.pointer_mut(parent), value) {
        (Some(Value::Object(members)), Some(value)) => {
            members.insert(name.to_owned(), value.clone());
        }
        (Some(Value::Object(members)), None) => {
            members.remove(name);
        }
        (Some(Value::Array(items)), Some(value)) => {
            if let Some(item) = name.parse().ok().and_then(|index: usize| items.get_mut(index)) {
                *item = value.clone();
            }
        }
        _ => {}
    }
}

fn texts(given: &[&str]) -> impl Strategy<Value = Value> + use<> {
    prop::sample::select(given.iter().map(|text| json!(text)).collect::<Vec<_>>())
}

/// What is of a wrong kind nearly everywhere.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(7)),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        texts(&["", "x", "True", "é", "a\u{0}b", "line\nline", "  ", " padded "]),
    ]
}

fn long(character: &str, lengths: &'static [usize]) -> impl Strategy<Value = Value> + use<> {
    let values: Vec<_> = lengths.iter().map(|length| json!(character.repeat(*length))).collect();
    prop::sample::select(values)
}

fn matching(pattern: &'static str) -> impl Strategy<Value = Value> {
    proptest::string::string_regex(pattern).unwrap().prop_map(Value::from)
}

fn address() -> impl Strategy<Value = Value> {
    prop_oneof![
        matching("[a-z.'@\"-]{0,9}@[a-z.-]{0,9}\\.[a-z]{1,3}"),
        texts(&["a@b", "j.d+x@a-b.example.co.uk", "jané@example.org", "a@x.org\n", "A@EXAMPLE.ORG", "a@1.2"]),
        long("a", &[63, 64, 65]).prop_map(|local| json!(format!("{}@example.org", local.as_str().unwrap()))),
        long("a", &[63, 64]).prop_map(|label| json!(format!("a@{}.org", label.as_str().unwrap()))),
        long("a.", &[120, 123, 124, 125])
            .prop_map(|labels| json!(format!("a@{}org", labels.as_str().unwrap()))),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    let digits =
        long("1", &[6, 7, 15, 16]).prop_map(|digits| json!(format!("+{}", digits.as_str().unwrap())));
    prop_oneof![
        matching("\\+?[0-9]{5,16}"),
        digits,
        texts(&["+44 7700 900123", "+0447700900", "+٤٤٧٧٠٠٩٠٠١٢٣"])
    ]
}

fn moment() -> impl Strategy<Value = Value> {
    texts(&[
        "2027-01-15T08:00:00.123456789+01:00",
        "2027-01-15",
        "2027-01-15T08:00:00",
        "2027-13-15T08:00:00Z",
        "2027-02-29T08:00:00Z",
        "1970-01-01T00:00:00Z",
        "yesterday",
    ])
}

fn entry(value: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    let value = prop_oneof![4 => value, 1 => odd()];
    let member =
        prop_oneof![3 => Just(None), 1 => texts(&["home", "work"]).prop_map(Some), 1 => odd().prop_map(Some)];
    let entry = (value, member.clone(), member).prop_map(|(value, purpose, primary)| {
        let mut entry = json!({ "value": value });
        for (name, value) in [("type", purpose), ("primary", primary)] {
            if let Some(value) = value {
                entry[name] = value;
            }
        }
        entry
    });
    prop_oneof![8 => entry, 1 => odd()]
}

fn at(pointer: &'static str, value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Edit> {
    value.prop_map(move |value| (pointer, Some(value))).boxed()
}

/// Something that is done to a good document.
fn any_edit() -> impl Strategy<Value = Edit> {
    let places = [
        "/metadata",
        "/metadata/eventId",
        "/metadata/tenantId",
        "/metadata/occurredAt",
        "/metadata/source",
        "/metadata/version",
        "/metadata/correlationId",
        "/data",
        "/data/externalId",
        "/data/userName",
        "/data/active",
        "/data/displayName",
        "/data/givenName",
        "/data/familyName",
        "/data/locale",
        "/data/emails",
        "/data/emails/0",
        "/data/emails/0/value",
        "/data/phones",
        "/data/groups",
        "/data/groups/0",
        "/data/title",
    ];
    let name = || prop_oneof![long("é", &[1, 127, 128, 129]), matching("[a-zé \u{1}\u{9f}]{0,4}")];
    let list = |item: BoxedStrategy<Value>, most| prop::collection::vec(item, 0..most).prop_map(Value::from);
    let own = vec![
        at("/metadata/eventId", long("e", &[7, 8, 64, 65])),
        at("/metadata/tenantId", texts(&["platform", "platforms", "-acme", "acme-", "Acme", "a1", "a-1"])),
        at("/metadata/tenantId", long("a", &[2, 3, 40, 41])),
        at("/metadata/occurredAt", moment()),
        at("/metadata/source", texts(&["okta", "identity-center", "Okta", "ldap "])),
        at("/metadata/version", prop::sample::select(versions())),
        at("/metadata/correlationId", long("c", &[0, 1, 64, 65])),
        at("/data/externalId", long("é", &[1, 256, 257])),
        at("/data/userName", long("u", &[1, 128, 129])),
        at("/data/userName", texts(&[".", "..", ".a", "A.B_c@x+y-z", "a/b", "a b", "jané", "dom\\jane"])),
        at("/data/displayName", name()),
        at("/data/givenName", name()),
        at("/data/familyName", name()),
        at(
            "/data/locale",
            texts(&["en", "d", "de_AT", "de-AT", "zh-Hant-TW", "de-", "abcdefghi", "de-123456789"]),
        ),
        at(
            "/data/locale",
            (1..5_usize).prop_map(|last| json!(format!("{}{}", "ab-".repeat(11), "c".repeat(last)))),
        ),
        at("/data/emails", address().prop_map(|address| json!([{ "value": address }]))),
        at("/data/phones", number().prop_map(|number| json!([{ "value": number }]))),
        at(
            "/data/emails",
            (4..7_usize).prop_map(|many| json!(vec![json!({ "value": "m@example.org" }); many])),
        ),
        at("/data/emails", list(entry(address()).boxed(), 7)),
        at("/data/phones", list(entry(number()).boxed(), 7)),
        at(
            "/data/groups",
            prop::sample::select(vec![199_usize, 200, 201]).prop_map(|many| json!(vec!["g"; many])),
        ),
        at("/data/groups/0", name()),
    ];
    prop_oneof![
        6 => prop::strategy::Union::new(own),
        1 => (prop::sample::select(places.to_vec()), odd()).prop_map(|(at, value)| (at, Some(value))),
        1 => prop::sample::select(places.to_vec()).prop_map(|at| (at, None)),
    ]
}

fn versions() -> Vec<Value> {
    let texts = [
        "0",
        "1",
        "1.0",
        "1.5",
        "-1",
        "1.7e12",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551615",
    ];
    texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
}

/// Why schema and reader may differ over a document: the reader passes over blanks at the ends of names and ids, where
/// the schema counts them.
fn excused(document: &Value) -> bool {
    match document {
        Value::String(text) => text.trim() != text,
        Value::Array(items) => items.iter().any(excused),
        Value::Object(members) => members.values().any(excused),
        _ => false,
    }
}

#[test]
fn schema_and_reader_agree_on_thousands_of_documents() {
    let validator = validator("directory.user.upserted.v1");
    let (taken, refused, excuses) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config { cases: 2_500, failure_persistence: None, ..Config::default() });
    let edits = prop::collection::vec(any_edit(), 0..4);
    let run = runner.run(&edits, |edits| {
        let mut document = upserted();
        for one in &edits {
            edit(&mut document, one);
        }
        let valid = validator.is_valid(&document);
        let read = reading(SourceKind::Contract, CONTRACT_TYPES[0], &document);
        if excused(&document) {
            excuses.set(excuses.get() + 1);
            // Even then, the reader is never the stricter one.
            prop_assert!(read.is_ok() || !valid, "{document}");
            return Ok(());
        }
        let told: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        prop_assert_eq!(read.is_ok(), valid, "{} {:?} {:?}", document, told, read);
        let count = if valid { &taken } else { &refused };
        count.set(count.get() + 1);
        Ok(())
    });
    run.unwrap();
    let counts = (taken.get(), refused.get(), excuses.get());
    assert!(counts.0 > 500 && counts.1 > 500 && counts.0 + counts.1 >= 2_000, "{counts:?}");
}

/// Of times a schema can say little: it takes those before 1970, and not a blank for the T, which RFC 3339 allows.
#[test]
fn schema_and_reader_differ_over_odd_times() {
    let validator = validator("directory.user.upserted.v1");
    for (time, valid, read) in [
        ("1969-12-31T23:59:59Z", true, false),
        ("2027-01-15 08:00:00Z", false, true),
        ("2016-12-31T23:59:60Z", true, true),
        ("2027-01-15t08:00:00z", true, true),
    ] {
        let mut document = upserted();
        edit(&mut document, &("/metadata/occurredAt", Some(json!(time))));
        assert_eq!(validator.is_valid(&document), valid, "{time}");
        assert_eq!(reading(SourceKind::Contract, CONTRACT_TYPES[0], &document).is_ok(), read, "{time}");
    }
}

#[test]
fn the_smaller_events_agree_too() {
    let users = |users: Value| json!({ "startedAt": "2027-01-15T02:00:00+01:00", "users": users });
    for (detail_type, data, good) in [
        (CONTRACT_TYPES[1], json!({ "externalId": "5b1c", "active": "?" }), true),
        (CONTRACT_TYPES[1], json!({ "externalId": "" }), false),
        (CONTRACT_TYPES[2], json!({ "externalId": "5b1c" }), true),
        (CONTRACT_TYPES[2], json!({}), false),
        (CONTRACT_TYPES[2], json!([]), false),
        (CONTRACT_TYPES[3], users(json!(0)), true),
        (CONTRACT_TYPES[3], users(Value::Null), true),
        (CONTRACT_TYPES[3], users(json!(u32::MAX)), true),
        (CONTRACT_TYPES[3], users(json!(u64::from(u32::MAX) + 1)), false),
        (CONTRACT_TYPES[3], users(json!(-1)), false),
        (CONTRACT_TYPES[3], json!({ "users": 1 }), false),
    ] {
        let detail = json!({ "metadata": metadata(1), "data": data });
        assert_eq!(validator(detail_type).is_valid(&detail), good, "{detail_type} {detail}");
        assert_eq!(
            reading(SourceKind::Contract, detail_type, &detail).is_ok(),
            good,
            "{detail_type} {detail}"
        );
    }
}
