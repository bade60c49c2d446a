//! What a call-back of Twilio's says: names and values.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// The most parameters that are read. Twilio sends about a dozen, and may send more without notice.
pub const MOST_PARAMETERS: usize = 128;

/// Why a body gives no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A name or a value is not in UTF-8.
    #[error("The form is not in UTF-8.")]
    NotUtf8,
    /// There are too many.
    #[error("The call-back has more than 128 parameters.")]
    TooMany,
    /// It is not the JSON of an object.
    #[error("The body is not a JSON object.")]
    NotAnObject,
    /// What must be said once is said not at all, or in two ways.
    #[error("The call-back does not say one MessageStatus.")]
    NoStatus,
}

/// The parameters of a call-back: of each name its values, in the order and without the repetitions in which they are
/// signed. They have numbers of people, so `Debug` only counts them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, BTreeSet<String>>);

impl Parameters {
    /// Reads a form (`application/x-www-form-urlencoded`).
    ///
    /// # Errors
    /// When it is not in UTF-8, or too long.
    pub fn of_form(body: &str) -> Result<Self, Malformed> {
        let mut all = Self::default();
        for (count, pair) in pairs(body).enumerate() {
            if count >= MOST_PARAMETERS {
                return Err(Malformed::TooMany);
            }
            let (name, value) = pair.ok_or(Malformed::NotUtf8)?;
            all.add(name, value);
        }
        Ok(all)
    }

    /// Reads an object of JSON. Its texts and numbers are parameters; nothing else in it is looked at.
    ///
    /// # Errors
    /// When it is none, or too long.
    pub fn of_json(body: &str) -> Result<Self, Malformed> {
        let members: Map<String, Value> = serde_json::from_str(body).map_err(|_| Malformed::NotAnObject)?;
        if members.len() > MOST_PARAMETERS {
            return Err(Malformed::TooMany);
        }
        let mut all = Self::default();
        for (name, value) in members {
            match value {
                Value::String(text) => all.add(name, text),
                Value::Number(number) => all.add(name, number.to_string()),
                _ => {}
            }
        }
        Ok(all)
    }

    fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_default().insert(value);
    }

    /// The value of a name that has exactly one.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        let values = self.0.get(name)?;
        values.first().filter(|_| values.len() == 1).map(String::as_str)
    }

    /// Each name with each of its values, both in the order of their characters.
    pub fn in_order(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter();
        all.flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())))
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parameters({} names)", self.0.len())
    }
}

/// The decoded pairs of a form or a query, those that are not in UTF-8 as `None`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    })
}

fn decoded(text: &str) -> Option<String> {
    let blanks = text.replace('+', " ");
    percent_decode_str(&blanks).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(body: &str) -> Vec<(String, String)> {
        let read = Parameters::of_form(body).unwrap();
        read.in_order().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn forms_are_read_in_the_order_of_signatures() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let read =
            form("To=%2B447700900123&b=2&Body=a+b%26&b=1&b=2&empty=&bare&&%C5%BE=%C5%81&a%3Db=c=d&x=100%");
        assert_eq!(
            read,
            [
                pair("Body", "a b&"),
                pair("To", "+447700900123"),
                pair("a=b", "c=d"),
                pair("b", "1"),
                pair("b", "2"),
                pair("bare", ""),
                pair("empty", ""),
                pair("x", "100%"),
                pair("ž", "Ł"),
            ]
        );
        assert_eq!(form(""), []);
    }

    #[test]
    fn what_is_said_in_two_ways_is_not_said() {
        let read = Parameters::of_form("a=1&a=1&b=1&b=2").unwrap();
        assert_eq!((read.one("a"), read.one("b"), read.one("c")), (Some("1"), None, None));
    }

    #[test]
    fn json_gives_texts_and_numbers() {
        let read =
            Parameters::of_json(r#"{"MessageStatus":"failed","ErrorCode":30003,"x":null,"y":{"z":1}}"#);
        let read = read.unwrap();
        let all: Vec<_> = read.in_order().collect();
        assert_eq!(all, [("ErrorCode", "30003"), ("MessageStatus", "failed")]);
        for bad in ["", "[]", "1", "{", "\"a\"", "null"] {
            assert_eq!(Parameters::of_json(bad), Err(Malformed::NotAnObject), "{bad}");
        }
    }

    #[test]
    fn there_is_a_limit() {
        let form = |count: usize| (0..count).map(|n| format!("n{n}=v")).collect::<Vec<_>>().join("&");
        assert!(Parameters::of_form(&form(MOST_PARAMETERS)).is_ok());
        assert_eq!(Parameters::of_form(&form(MOST_PARAMETERS + 1)), Err(Malformed::TooMany));
        assert_eq!(Parameters::of_form(&vec!["a=b"; MOST_PARAMETERS + 1].join("&")), Err(Malformed::TooMany));
        let json = |count: usize| {
            serde_json::Value::Object((0..count).map(|n| (format!("n{n}"), Value::Null)).collect())
                .to_string()
        };
        assert!(Parameters::of_json(&json(MOST_PARAMETERS)).is_ok());
        assert_eq!(Parameters::of_json(&json(MOST_PARAMETERS + 1)), Err(Malformed::TooMany));
    }

    #[test]
    fn other_encodings_are_refused() {
        assert_eq!(Parameters::of_form("a=%ff"), Err(Malformed::NotUtf8));
        assert_eq!(Parameters::of_form("%c3=a"), Err(Malformed::NotUtf8));
    }

    #[test]
    fn debug_shows_no_number() {
        assert_eq!(
            format!("{:?}", Parameters::of_form("To=%2B447700900123").unwrap()),
            "Parameters(1 names)"
        );
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(body in any::<String>()) {
            let _ = Parameters::of_form(&body);
            let _ = Parameters::of_json(&body);
        }

        #[test]
        fn near_forms_are_read_or_refused(body in "([a-z%+=&;]|%[0-9a-fA-F]{0,2}|\\PC){0,60}") {
            let _ = Parameters::of_form(&body);
        }
    }
}
