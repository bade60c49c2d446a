//! Documents in YAML 1.2 (core schema), as far as a configuration needs them.
//!
//! Anchors, aliases, tags, directives and keys that are there twice are refused: a document says what it seems to say,
//! and is no larger than it looks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag, options};
use otpost_domain::document::Value;

/// How deep a document may be; a configuration is less than half as deep.
const MOST_NESTED: usize = 24;
/// How many things it may have: 400 templates, 64 policies and 32 gateways with all their members are less than half.
pub(super) const MOST_NODES: usize = 50_000;

/// What was given is no YAML, or more than is taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotYaml {
    told: String,
    line: usize,
    column: usize,
}

impl NotYaml {
    fn at(mark: Marker, told: impl Into<String>) -> Self {
        Self { told: told.into(), line: mark.line(), column: mark.col() + 1 }
    }
}

impl fmt::Display for NotYaml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.told)
    }
}

impl From<ScanError> for NotYaml {
    fn from(error: ScanError) -> Self {
        Self::at(*error.marker(), error.info())
    }
}

/// Reads one document. Null where there is none.
pub(super) fn read(text: &str) -> Result<Value, NotYaml> {
    let limits = options! {
        disallow_directives: true,
        flow_nesting_limit: MOST_NESTED,
        block_nesting_limit: MOST_NESTED,
    };
    let mut tree = Tree::default();
    let (mut documents, mut nodes) = (0_usize, 0_usize);
    for event in Parser::new_from_str_with_options(text, limits) {
        let (event, span) = event?;
        let mark = span.start;
        nodes += 1;
        if nodes > MOST_NODES {
            return Err(NotYaml::at(mark, format!("there are more than {MOST_NODES} things in it")));
        }
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(NotYaml::at(mark, "there must be one document only"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                plain_node(anchor, tag.as_ref(), mark)?;
                tree.scalar(text, style, mark)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                plain_node(anchor, tag.as_ref(), mark)?;
                tree.begin(Open::List(Vec::new()), mark)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                plain_node(anchor, tag.as_ref(), mark)?;
                tree.begin(Open::Object(BTreeMap::new(), None), mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.end(),
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => (),
            _ => return Err(NotYaml::at(mark, "aliases are not taken here: write the value out")),
        }
    }
    Ok(tree.root.unwrap_or(Value::Null))
}

fn plain_node(anchor: usize, tag: Option<&Cow<'_, Tag>>, mark: Marker) -> Result<(), NotYaml> {
    if anchor != 0 {
        return Err(NotYaml::at(mark, "anchors are not taken here"));
    }
    tag.map_or(Ok(()), |_| Err(NotYaml::at(mark, "tags are not taken here")))
}

/// A list or mapping whose end has not come yet.
enum Open {
    List(Vec<Value>),
    /// The members so far, and the key whose value comes next.
    Object(BTreeMap<String, Value>, Option<String>),
}

/// A document in the making.
#[derive(Default)]
struct Tree {
    root: Option<Value>,
    open: Vec<Open>,
}

impl Tree {
    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, mark: Marker) -> Result<(), NotYaml> {
        if let Some(Open::Object(members, key @ None)) = self.open.last_mut() {
            if members.contains_key(text.as_ref()) {
                return Err(NotYaml::at(mark, "this key is there twice"));
            }
            *key = Some(text.into_owned());
            return Ok(());
        }
        let value = if style == ScalarStyle::Plain { plain(&text) } else { Value::text(text) };
        self.put(value);
        Ok(())
    }

    fn begin(&mut self, open: Open, mark: Marker) -> Result<(), NotYaml> {
        if matches!(self.open.last(), Some(Open::Object(_, None))) {
            return Err(NotYaml::at(mark, "a key must be text"));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) {
        match self.open.pop() {
            Some(Open::List(items)) => self.put(Value::List(items)),
            Some(Open::Object(members, _)) => self.put(Value::Object(members)),
            None => (),
        }
    }

    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Open::List(items)) => items.push(value),
            Some(Open::Object(members, key)) => members.extend(key.take().map(|key| (key, value))),
            None => self.root = Some(value),
        }
    }
}

/// A scalar without quotes (YAML 1.2.2, section 10.3.2).
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Flag(true),
        "false" | "False" | "FALSE" => return Value::Flag(false),
        _ => (),
    }
    let number = whole(text).map(|number| number.map_or(Value::OtherNumber, Value::Whole));
    number.or_else(|| fraction(text)).unwrap_or_else(|| Value::text(text))
}

/// A whole number; `Err` where it is too large.
fn whole(text: &str) -> Option<Result<i64, ()>> {
    let of = |digits: &str, radix: u32| {
        let good = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
        good.then(|| i64::from_str_radix(digits, radix).map_err(|_| ()))
    };
    if let Some(digits) = text.strip_prefix("0x") {
        return of(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return of(digits, 8);
    }
    of(text.strip_prefix(['-', '+']).unwrap_or(text), 10).map(|_| text.parse().map_err(|_| ()))
}

/// Another number. Whole is what is whole, `8.0` as much as `8` (JSON Schema, core, 4.2.3).
fn fraction(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(Value::OtherNumber);
    }
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = unsigned
        .split_once(['e', 'E'])
        .map_or((unsigned, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let good = is_digits(before) && is_digits(after) && !(before.is_empty() && after.is_empty());
    let power = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    if !good || power.is_some_and(|power| power.is_empty() || !is_digits(power)) {
        return None;
    }
    let is_whole = exponent.is_none() && !before.is_empty() && after.bytes().all(|digit| digit == b'0');
    let whole = text.split('.').next().filter(|_| is_whole).and_then(|whole| whole.parse().ok());
    Some(whole.map_or(Value::OtherNumber, Value::Whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_service::document::value_of;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_document_is_read() {
        let text = "# comment\na: 1 # more\nb:\n  - x\n  - 'no'\n  - {c: [true, ~], \"d\\ne\": \"\\u00e9\"}\ne: |\n  one\n   two\n\nf: >-\n  folded\n  text\n1: 2\n";
        let expected = json!({
            "a": 1, "b": ["x", "no", { "c": [true, null], "d\ne": "é" }], "e": "one\n two\n", "f": "folded text",
            "1": 2,
        });
        assert!(read(text).unwrap() == value_of(&expected));
        assert!(read("\u{feff}a: b").unwrap() == value_of(&json!({ "a": "b" })));
        for nothing in ["", "# only this\n", "---\n", "null"] {
            assert!(read(nothing).unwrap() == Value::Null, "{nothing:?}");
        }
    }

    #[test]
    fn scalars_are_of_the_core_schema() {
        let texts = [
            "no",
            "yes",
            "on",
            "0b1",
            "1_000",
            "12:30",
            "2026-01-01",
            "0x",
            "0o8",
            "+",
            "-",
            ".",
            "1.2.3",
            "e5",
            "1e",
            "0x-1",
            "inf",
            ".INf",
            "nULL",
            "a: b",
            "é",
        ];
        for text in texts {
            assert!(plain(text) == Value::text(text), "{text}");
        }
        for (text, number) in [
            ("0", 0),
            ("-12", -12),
            ("+7", 7),
            ("010", 10),
            ("0x1F", 31),
            ("0o17", 15),
            ("8.0", 8),
            ("-3.", -3),
        ] {
            assert!(plain(text) == Value::Whole(number), "{text}");
        }
        for text in ["1.5", ".5", "1e3", "-1.5E-7", ".inf", "-.Inf", ".nan", "99999999999999999999"] {
            assert!(plain(text) == Value::OtherNumber, "{text}");
        }
    }

    #[test]
    fn what_is_more_than_a_tree_is_refused_where_it_stands() {
        let deep = "[".repeat(MOST_NESTED + 1);
        for (text, line, column, told) in [
            ("a: &x 1\nb: *x\n", 1, 7, "anchors"),
            ("a: &x [1]\n", 1, 7, "anchors"),
            ("a: !!str 1\n", 1, 10, "tags"),
            ("a: !x {}\n", 1, 7, "tags"),
            ("a: 1\nb: 2\na: 3\n", 3, 1, "twice"),
            ("a: {b: 1, \"b\": 2}\n", 1, 11, "twice"),
            ("? [a]\n: 1\n", 1, 3, "a key must be text"),
            ("a: 1\n---\nb: 2\n", 2, 1, "one document"),
            ("%YAML 1.2\n---\na: 1\n", 1, 1, "directive"),
            ("a: [1\nb: 2\n", 2, 2, ""),
            ("a:\n\t- 1\n", 2, 2, ""),
            (deep.as_str(), 1, 25, ""),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.told.contains(told) && !fault.told.is_empty(), "{text:?}: {fault}");
            assert_eq!((fault.line, fault.column), (line, column), "{text:?}: {fault}");
        }
    }

    /// References to references, each twice: a few lines that would be a gigabyte.
    #[test]
    fn a_document_is_no_larger_than_it_looks() {
        let doubled = |n: usize| format!("a{n}: &a{n} [*a{}, *a{}]", n - 1, n - 1);
        let bomb: Vec<_> = (1..30).map(doubled).collect();
        assert!(read(&format!("a0: &a0 x\n{}", bomb.join("\n"))).is_err());
        assert!(read("a: *b").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(?s).{0,60}", yaml in "[-?:,\\[\\]{}#&*!|>'\"%@`a1 \t\r\n~.]{0,40}") {
            let _any = (read(&text).is_ok(), read(&yaml).is_ok());
        }
    }
}
