//! Between JSON as it is on the wire and the trees that the domain reads.

use otpost_domain::document::Value;
use serde_json::{Map, Number};

/// A JSON tree as the domain reads it. Whole is what is whole, `8.0` as much as `8` (JSON Schema, core, 4.2.3).
#[must_use]
pub fn value_of(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Number(number) => whole(number).map_or(Value::OtherNumber, Value::Whole),
        serde_json::Value::String(text) => Value::text(text.as_str()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value_of).collect()),
        serde_json::Value::Object(members) => {
            Value::object(members.iter().map(|(name, value)| (name.as_str(), value_of(value))))
        }
    }
}

/// A tree of the domain as JSON. A number that the domain did not keep is null.
#[must_use]
pub fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Null | Value::OtherNumber => serde_json::Value::Null,
        Value::Flag(flag) => serde_json::Value::Bool(*flag),
        Value::Whole(number) => serde_json::Value::from(*number),
        Value::Text(text) => serde_json::Value::String(text.clone()),
        Value::List(items) => serde_json::Value::Array(items.iter().map(json_of).collect()),
        Value::Object(members) => {
            let members: Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), json_of(value))).collect();
            serde_json::Value::Object(members)
        }
    }
}

fn whole(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Any JSON, a few levels deep.
    pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
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

    #[test]
    fn whole_is_what_is_whole() {
        for (text, expected) in [
            ("8", Some(8)),
            ("8.0", Some(8)),
            ("1.7e12", Some(1_700_000_000_000)),
            ("-0.0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("0.5", None),
            ("1e300", None),
        ] {
            let value = value_of(&serde_json::from_str(text).unwrap());
            assert!(value == expected.map_or(Value::OtherNumber, Value::Whole), "{text}");
        }
        assert_eq!(json_of(&Value::OtherNumber), serde_json::Value::Null);
    }

    #[test]
    fn a_tree_keeps_its_form() {
        let json = json!({ "a/b": [1, true, null, { "": "text" }], "empty": {}, "none": [] });
        assert_eq!(json_of(&value_of(&json)), json);
    }

    proptest! {
        #[test]
        fn what_the_domain_keeps_comes_back(json in any_json()) {
            let kept = json_of(&value_of(&json));
            prop_assert_eq!(json_of(&value_of(&kept)), kept);
        }
    }
}
