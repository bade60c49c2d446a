//! Documents in JSON (RFC 8259).

use otpost_domain::document::Value;

/// A document read from JSON. Whole is what is whole, `8.0` as much as `8` (JSON Schema, core, 4.2.3).
#[must_use]
pub fn value_of(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(flag) => Value::Flag(*flag),
        serde_json::Value::Number(number) => whole(number).map_or(Value::OtherNumber, Value::Whole),
        serde_json::Value::String(text) => Value::text(text.as_str()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(value_of).collect()),
        serde_json::Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), value_of(value))).collect())
        }
    }
}

/// A document as JSON. A number that is not whole, which nothing writes, becomes null.
#[must_use]
pub fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Null | Value::OtherNumber => serde_json::Value::Null,
        Value::Flag(flag) => (*flag).into(),
        Value::Whole(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json_of).collect(),
        Value::Object(members) => serde_json::Value::Object(
            members.iter().map(|(name, value)| (name.clone(), json_of(value))).collect(),
        ),
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_and_written() {
        let json = serde_json::json!({ "a": [1, true, null, "x"], "b": { "c": -5 } });
        assert_eq!(json_of(&value_of(&json)), json);
        assert_eq!(value_of(&serde_json::json!([1.5, u64::MAX])), Value::List(vec![Value::OtherNumber; 2]));
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
}
