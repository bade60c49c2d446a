//! What is different between two documents.

use std::collections::BTreeSet;

use otpost_domain::document::{Place, Value};

/// The longest text that is told as it is; of others the lines are counted.
const SHORT: usize = 120;
/// Pairs of lines that are compared at most for one text: an HTML part may have a hundred thousand lines.
const MOST_PAIRS: usize = 250_000;

/// A member that is different.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where: a JSON Pointer (RFC 6901) into the configuration.
    pub pointer: String,
    /// How.
    pub difference: Difference,
}

/// How a member is different.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// What it is now and what it is to be; nothing where it is not there.
    Value {
        /// What it is now.
        now: Option<Value>,
        /// What it is to be.
        then: Option<Value>,
    },
    /// It is a text of several lines, or a long one.
    Lines {
        /// How many lines go.
        removed: usize,
        /// How many lines come.
        added: usize,
        /// The first line that is different, from 1.
        first: usize,
    },
}

/// All members in which `then` is different from `now`, both at `at`.
pub(super) fn changes(now: &Value, then: &Value, at: &Place) -> Vec<Change> {
    let mut changes = Vec::new();
    add(Some(now), Some(then), at, &mut changes);
    changes
}

fn add(now: Option<&Value>, then: Option<&Value>, at: &Place, changes: &mut Vec<Change>) {
    if now == then {
        return;
    }
    let members = |value: Option<&Value>| match value {
        Some(Value::Object(members)) => Some(members.clone()),
        Some(_) => None,
        None => Some(std::collections::BTreeMap::new()),
    };
    if let (Some(was), Some(is)) = (members(now), members(then)) {
        let names: BTreeSet<_> = was.keys().chain(is.keys()).collect();
        // Without members there is nothing else to tell it by.
        if !names.is_empty() {
            for name in names {
                add(was.get(name), is.get(name), &at.member(name), changes);
            }
            return;
        }
    }
    changes.push(Change { pointer: at.pointer(), difference: difference(now, then) });
}

fn difference(now: Option<&Value>, then: Option<&Value>) -> Difference {
    let text = |value: Option<&'_ Value>| match value {
        None => Some(None),
        Some(Value::Text(text)) => Some(Some(text.clone())),
        Some(_) => None,
    };
    let (Some(was), Some(is)) = (text(now), text(then)) else {
        return Difference::Value { now: now.cloned(), then: then.cloned() };
    };
    let long =
        |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() > SHORT || text.contains('\n'));
    if long(&was) || long(&is) {
        lines(was.as_deref(), is.as_deref())
    } else {
        Difference::Value { now: now.cloned(), then: then.cloned() }
    }
}

fn lines(was: Option<&str>, is: Option<&str>) -> Difference {
    // Not `lines()`: a line break at the end may be the difference.
    let split = |text: Option<&str>| -> Vec<String> {
        text.map(|text| text.split('\n').map(str::to_owned).collect()).unwrap_or_default()
    };
    let (was, is) = (split(was), split(is));
    let before = was.iter().zip(&is).take_while(|(a, b)| a == b).count();
    let (was, is) = (was.get(before..).unwrap_or_default(), is.get(before..).unwrap_or_default());
    let after = was.iter().rev().zip(is.iter().rev()).take_while(|(a, b)| a == b).count();
    let was = was.get(..was.len() - after).unwrap_or_default();
    let is = is.get(..is.len() - after).unwrap_or_default();
    let same = common(was, is);
    Difference::Lines { removed: was.len() - same, added: is.len() - same, first: before + 1 }
}

/// How many lines are the same in the same order: the longest common subsequence. None where there are too many lines.
fn common(was: &[String], is: &[String]) -> usize {
    if was.len().saturating_mul(is.len()) > MOST_PAIRS {
        return 0;
    }
    let mut row = vec![0_usize; is.len()];
    for line in was {
        // What stood in the row above, to the left and above.
        let (mut left, mut diagonal) = (0, 0);
        for (cell, other) in row.iter_mut().zip(is) {
            let above = *cell;
            *cell = if line == other { diagonal + 1 } else { left.max(above) };
            (left, diagonal) = (*cell, above);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::value_of;
    use serde_json::json;

    fn told(now: &serde_json::Value, then: &serde_json::Value) -> Vec<Change> {
        changes(&value_of(now), &value_of(then), &Place::root().member("x"))
    }

    fn lines(pointer: &str, removed: usize, added: usize, first: usize) -> Change {
        Change { pointer: pointer.to_owned(), difference: Difference::Lines { removed, added, first } }
    }

    #[test]
    fn members_are_told_one_by_one() {
        let now = json!({ "a": 1, "b": { "c": "x", "d": [1] }, "e": true });
        assert_eq!(told(&now, &now), []);
        let then = json!({ "a": 2, "b": { "c": "x", "d": [1, 2], "f": { "g": "new" } } });
        let value = |pointer: &str, now: serde_json::Value, then: serde_json::Value| {
            let given = |json: serde_json::Value| (!json.is_null()).then(|| value_of(&json));
            Change {
                pointer: pointer.to_owned(),
                difference: Difference::Value { now: given(now), then: given(then) },
            }
        };
        let none = serde_json::Value::Null;
        let expected = [
            value("/x/a", json!(1), json!(2)),
            value("/x/b/d", json!([1]), json!([1, 2])),
            value("/x/b/f/g", none.clone(), json!("new")),
            value("/x/e", json!(true), none),
        ];
        assert_eq!(told(&now, &then), expected);
        assert_eq!(told(&json!({}), &json!({ "s": {} })).len(), 1);
    }

    #[test]
    fn of_long_texts_the_lines_are_counted() {
        let one = |now: &str, then: &str| told(&json!(now), &json!(then));
        assert_eq!(one("a\nb\nc", "a\nB\nc"), [lines("/x", 1, 1, 2)]);
        assert_eq!(one("a\nb\nc", "a\nb\nc\n"), [lines("/x", 0, 1, 4)]);
        assert_eq!(one("a\nb\nc\nd", "a\nx\nc\ny\nd"), [lines("/x", 1, 2, 2)]);
        assert_eq!(one("b\na", "a\na"), [lines("/x", 1, 1, 1)]);
        assert_eq!(one("a\n", "a\r\n"), [lines("/x", 1, 1, 1)]);
        assert_eq!(one(&"a".repeat(121), "b"), [lines("/x", 1, 1, 1)]);
        assert_eq!(told(&json!({}), &json!({ "t": "a\nb" })), [lines("/x/t", 0, 2, 1)]);
        let (many, more) = ("a\n".repeat(100_000), "b\n".repeat(100_000));
        assert_eq!(one(&many, &more), [lines("/x", 100_000, 100_000, 1)]);
    }
}
