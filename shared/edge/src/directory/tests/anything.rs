//! Whatever comes is read or refused, and what is meant is what is read.

use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::directory::{Change, ExternalId, MOST_VERSION, Person, Said, SourceKind, Told};
use otpost_domain::ids::UserId;
use otpost_domain::tenant::GroupName;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Any JSON, a few levels deep.
pub(super) fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An event of the contract that tells a change.
fn written(change: &Change) -> (&'static str, Value) {
    let id = change.external_id.as_str();
    let (detail_type, data) = match &change.told {
        Told::Upserted(person) => (CONTRACT_TYPES[0], written_person(id, person)),
        Told::Disabled => (CONTRACT_TYPES[1], json!({ "externalId": id })),
        Told::Deleted => (CONTRACT_TYPES[2], json!({ "externalId": id })),
        other => panic!("the contract has no word for {other:?}"),
    };
    (detail_type, json!({ "metadata": metadata(change.version), "data": data }))
}

fn written_person(id: &str, person: &Person) -> Value {
    fn is<T>(said: &Said<T>) -> Option<&T> {
        if let Said::Is(value) = said { Some(value) } else { None }
    }
    let groups: Vec<_> = person.groups.iter().flatten().map(GroupName::as_str).collect();
    json!({
        "externalId": id, "userName": person.user_name.as_str(), "active": person.active,
        "displayName": is(&person.display_name).map(DisplayName::as_str),
        "locale": is(&person.locale).map(Locale::as_str),
        "emails": is(&person.email).map(|email| json!([{ "value": email.expose() }])),
        "phones": is(&person.phone).map(|phone| json!([{ "value": "x" }, { "value": phone.expose() }])),
        "groups": groups,
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    fn of<T: for<'t> TryFrom<&'t str> + std::fmt::Debug>(pattern: &'static str) -> impl Strategy<Value = T> {
        proptest::string::string_regex(pattern)
            .unwrap()
            .prop_filter_map("of that form", |text| T::try_from(&text).ok())
    }
    fn said<T: std::fmt::Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
        prop::option::of(value)
    }
    let person = (
        of::<UserId>("[a-z0-9._@+-]{1,20}"),
        any::<bool>(),
        said(of::<DisplayName>("[^\\p{Cc}]{1,128}")),
        said(of::<EmailAddress>("[a-z]{1,9}@[a-z]{1,9}\\.org")),
        said(of::<PhoneNumber>("\\+[1-9][0-9]{6,14}")),
        said(of::<Locale>("[a-z]{2}(-[A-Z]{2})?")),
        prop::collection::btree_set(of::<GroupName>("[^\\p{Cc}]{1,20}"), 0..5),
    )
        .prop_map(|(user_name, active, display_name, email, phone, locale, groups)| Person {
            user_name,
            active,
            display_name: Said::fully(display_name),
            email: Said::fully(email),
            phone: Said::fully(phone),
            locale: Said::fully(locale),
            groups: Some(groups),
        });
    let told = prop_oneof![3 => person.prop_map(Told::Upserted), 1 => Just(Told::Disabled), 1 => Just(Told::Deleted)];
    (of::<ExternalId>("[^\\p{Cc}]{1,256}"), 1..=MOST_VERSION, told)
        .prop_map(|(external_id, version, told)| Change { external_id, version, told })
}

fn any_kind() -> impl Strategy<Value = SourceKind> {
    prop::sample::select(SourceKind::ALL.to_vec())
}

/// All places in a document.
fn places(document: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match document {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_tree_is_read_or_refused(json in any_json(), kind in any_kind(), which in 0..4_usize) {
        let _ = Envelope::of(&json).and_then(|envelope| read(&envelope, kind));
        let _ = reading(kind, CONTRACT_TYPES[which], &json);
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        prop_assert!(Envelope::parse(&text).is_err());
    }

    #[test]
    fn a_good_event_with_anything_in_it_is_read_or_refused(
        json in any_json(),
        kind in any_kind(),
        place in any::<prop::sample::Index>(),
    ) {
        let detail = match kind {
            SourceKind::Contract => upserted(),
            SourceKind::Okta => okta("group.user_membership.add", &json!([okta_user(), okta_group()])),
            SourceKind::Auth0 => auth0("user.updated", &auth0_user()),
        };
        let mut event = event(CONTRACT_TYPES[0], &detail);
        let mut found = Vec::new();
        places(&event, "", &mut found);
        let place = place.get(&found);
        *event.pointer_mut(place).unwrap() = json;
        let read = Envelope::of(&event).and_then(|envelope| read(&envelope, kind));
        // A fault is at that place, in it, or where it would have been needed.
        if let Err(refused) = read {
            prop_assert!(!refused.faults().all().is_empty());
            for pointer in pointers(&refused) {
                let near = pointer.starts_with(place.as_str()) || place.starts_with(pointer);
                prop_assert!(near, "{} for {}", pointer, place);
            }
        }
    }

    #[test]
    fn what_the_contract_tells_is_what_was_meant(change in any_change()) {
        let (detail_type, detail) = written(&change);
        prop_assert_eq!(reading(SourceKind::Contract, detail_type, &detail), Ok(Reading::Change(change)));
    }
}
