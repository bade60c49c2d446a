//! Configurations written in YAML, to be read by people and compared line by line.

use std::fmt::Write as _;

use otpost_domain::document::Value;

/// The order in which members are written; others follow by name.
const ORDER: [&str; 23] = [
    "format",
    "brand",
    "policies",
    "gateways",
    "templates",
    "colour",
    "logo",
    "name",
    "description",
    "kind",
    "enabled",
    "applies_to",
    "precedence",
    "countries",
    "rate_per_second",
    "settings",
    "email",
    "sms",
    "from",
    "subject",
    "text",
    "html",
    "qr_alt",
];
/// Parts whose members are named by operators.
const BY_NAME: [&str; 3] = ["policies", "gateways", "templates"];
/// Spaces by which a part stands further in than what it belongs to.
const STEP: usize = 2;

/// Writes a document under a comment.
pub(super) fn write(value: &Value, comment: &str) -> String {
    let mut out = String::new();
    for line in comment.lines() {
        out.push_str("# ");
        out.push_str(line);
        out.push('\n');
    }
    match value {
        Value::Object(members) if !members.is_empty() => block(&mut out, value, 0, false),
        Value::List(items) if !items.is_empty() => block(&mut out, value, 0, false),
        other => {
            inline(&mut out, other);
            out.push('\n');
        }
    }
    out
}

/// Members or items, a line or more each.
fn block(out: &mut String, value: &Value, indent: usize, by_name: bool) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let rank = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
            members.sort_by_key(|(name, _)| (if by_name { 0 } else { rank(name) }, *name));
            for (name, value) in members {
                spaces(out, indent);
                scalar(out, name);
                out.push(':');
                let by_name = indent == 0 && BY_NAME.contains(&name.as_str());
                after(out, value, indent, by_name);
            }
        }
        Value::List(items) => {
            for item in items {
                item_of_list(out, item, indent);
            }
        }
        _ => (),
    }
}

fn item_of_list(out: &mut String, item: &Value, indent: usize) {
    spaces(out, indent);
    out.push('-');
    if is_block(item) {
        // Its first line stands beside the hyphen.
        let mut inner = String::new();
        block(&mut inner, item, indent + STEP, false);
        out.push(' ');
        out.push_str(inner.trim_start_matches(' '));
    } else {
        after(out, item, indent, false);
    }
}

/// What stands after a key's colon or an item's hyphen.
fn after(out: &mut String, value: &Value, indent: usize, by_name: bool) {
    match value {
        value if is_block(value) => {
            out.push('\n');
            block(out, value, indent + STEP, by_name);
        }
        Value::Text(text) if is_literal(text) => literal(out, text, indent + STEP),
        other => {
            out.push(' ');
            inline(out, other);
            out.push('\n');
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(members) => !members.is_empty(),
        Value::List(items) => !items.is_empty(),
        _ => false,
    }
}

fn inline(out: &mut String, value: &Value) {
    match value {
        Value::Null | Value::OtherNumber => out.push_str("null"),
        Value::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Whole(number) => {
            let _infallible = write!(out, "{number}");
        }
        Value::Text(text) => scalar(out, text),
        Value::List(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// Whether a text of several lines can be written as it is (YAML 1.2.2, section 8.1.2).
fn is_literal(text: &str) -> bool {
    let good = |c: char| c == '\n' || c == '\t' || is_printable(c);
    text.contains('\n') && text.contains(|c| c != '\n' && c != ' ' && c != '\t') && text.chars().all(good)
}

/// A text of several lines as a block.
fn literal(out: &mut String, text: &str, indent: usize) {
    out.push_str(" |");
    if text.starts_with([' ', '\t', '\n']) {
        // How far the block stands in could not be seen from its first line.
        let _infallible = write!(out, "{STEP}");
    }
    let (lines, end) = match text.strip_suffix('\n') {
        None => (text, "-"),
        Some(lines) if lines.ends_with('\n') => (lines, "+"),
        Some(lines) => (lines, ""),
    };
    out.push_str(end);
    out.push('\n');
    for line in lines.split('\n') {
        if !line.is_empty() {
            spaces(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

/// A text on one line: without quotes where nobody could take it for something else.
fn scalar(out: &mut String, text: &str) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        let _infallible = match c {
            '"' => out.write_str("\\\""),
            '\\' => out.write_str("\\\\"),
            '\n' => out.write_str("\\n"),
            '\r' => out.write_str("\\r"),
            '\t' => out.write_str("\\t"),
            c if is_printable(c) => out.write_char(c),
            c if u32::from(c) <= 0xFFFF => write!(out, "\\u{:04X}", u32::from(c)),
            c => write!(out, "\\U{:08X}", u32::from(c)),
        };
    }
    out.push('"');
}

/// Whether a text needs no quotes, by a narrower rule than YAML's: other programs follow older rules.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["null", "true", "false", "yes", "no", "on", "off", "y"];
    let inner = |c: char| c.is_ascii_alphanumeric() || "_./@+=-".contains(c);
    let mut rest = text.chars().peekable();
    if !rest.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '/') {
        return false;
    }
    while let Some(c) = rest.next() {
        let good = match c {
            ' ' | ':' => rest.peek().is_some_and(|next| inner(*next)),
            c => inner(c),
        };
        if !good {
            return false;
        }
    }
    let lower = text.to_ascii_lowercase();
    lower != "n" && !WORDS.contains(&lower.as_str())
}

/// What is written as it is: neither control characters nor what some take for the end of a line or for nothing.
const fn is_printable(c: char) -> bool {
    matches!(
        c,
        ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}'
            | '\u{10000}'..
    )
}

fn spaces(out: &mut String, number: usize) {
    out.extend(std::iter::repeat_n(' ', number));
}

#[cfg(test)]
mod tests {
    use super::super::read::read;
    use super::*;
    use otpost_service::document::value_of;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_configuration_is_pleasant_to_read() {
        let value = value_of(&json!({
            "templates": { "push_token.de": { "email": {
                "text": "Hallo,\n\n  [[LINK]]\n", "subject": "Ihr Link: gleich", "from": { "name": "Acme" },
            } } },
            "policies": {
                "text": { "settings": {}, "applies_to": { "groups": ["Staff", "no"] } },
                "brand": { "settings": {
                    "email_routes": [{ "gateway": "mail", "countries": ["GB"] }, { "gateway": "ses" }],
                    "window_steps": 2,
                } },
            },
            "format": "otpost-configuration/1",
            "brand": { "logo": "iVBORw0K+/=", "colour": "#1a56c4" },
            "gateways": {},
        }));
        let expected = "\
# Two
# lines
format: otpost-configuration/1
brand:
  colour: \"#1a56c4\"
  logo: iVBORw0K+/=
policies:
  brand:
    settings:
      email_routes:
        - countries:
            - GB
          gateway: mail
        - gateway: ses
      window_steps: 2
  text:
    applies_to:
      groups:
        - Staff
        - \"no\"
    settings: {}
gateways: {}
templates:
  push_token.de:
    email:
      from:
        name: Acme
      subject: \"Ihr Link: gleich\"
      text: |
        Hallo,

          [[LINK]]
";
        assert_eq!(write(&value, "Two\nlines"), expected);
        assert!(read(expected).unwrap() == value);
    }

    #[test]
    fn difficult_texts_come_back() {
        let texts = [
            "",
            " ",
            "\n",
            "\n\n",
            " \n ",
            "\t\n",
            "a\n",
            "a\n\n",
            "a\n\n\n",
            "\na",
            "\n\na\n",
            "  a\nb",
            "\ta\n",
            "a\n ",
            "a\n  \nb\n",
            "a \n b\t\n",
            "---\na",
            "a\n---\n...\n",
            "# a\n#b\n",
            "a #b",
            "a: b",
            "a:",
            ":",
            "- a\n- b",
            "-",
            "|\n",
            "a\r\nb",
            "\r",
            "a\u{85}b\n",
            "a\u{2028}b\n",
            "\u{feff}a\nb",
            "é\n日本\n🙂\n",
            "\u{0}\n",
            "\u{7f}",
            "\u{fffe}\n",
            "null",
            "~",
            "True",
            "1",
            "0x1",
            "1.0",
            ".5",
            "n",
            "Y",
            "2026-01-01",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "\\",
            "{}",
            "[a]",
            "a, b",
            "<<",
            "=",
            "https://example.org/a?b=c",
            "a  b",
            "a ",
            "key: |\n  x",
        ];
        for text in texts {
            let alone = Value::text(text);
            assert!(read(&write(&alone, "")).unwrap() == alone, "{text:?}\n{}", write(&alone, ""));
            let within = Value::object([
                ("before", alone.clone()),
                (
                    "list",
                    Value::List(vec![
                        alone.clone(),
                        Value::List(vec![alone.clone()]),
                        Value::object([(text, alone)]),
                    ]),
                ),
            ]);
            let written = write(&within, "x");
            assert!(read(&written).is_ok_and(|read| read == within), "{text:?}\n{written}");
        }
    }

    fn any_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "(?s).{0,20}",
            "[ab \t\n]{0,20}",
            "[-?:,\\[\\]{}#&*!|>'\"%@`a1 \t\r\n~.\u{85}\u{2028}\u{feff}🙂]{0,20}",
            Just("---".to_owned()),
        ]
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Flag),
            any::<i64>().prop_map(Value::Whole),
            any_text().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(any_text(), inner, 0..4).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn what_is_written_is_read_as_it_was(value in any_value()) {
            let written = write(&value, "comment");
            let read = read(&written);
            prop_assert!(read.is_ok_and(|read| read == value), "{}", written);
        }
    }
}
