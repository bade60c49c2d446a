//! Templates, and what becomes of values in them.

use otpost_domain::template::{Encoding, measure};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use super::{TEMPLATE_CODE, TEMPLATE_DELETED, TEMPLATE_EMAIL, TEMPLATE_MISSING};

/// What stands between the service's name and the text.
pub(super) const PREFIX_SEPARATOR: &str = ": ";
/// The most characters of a text without the service's name.
const MOST: usize = 918;

/// Characters that become others, none, or several.
const DOWN: &[(&str, &str)] = &[
    ("‘’‚", "'"),
    ("“”„", "\""),
    ("‑–—−", "-"),
    ("…", "..."),
    ("\t\u{a0}\u{202f}", " "),
    ("\u{180e}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}", ""),
    ("ÀÁÂÃĀĂĄ", "A"),
    ("áâãāăą", "a"),
    ("ĆČ", "C"),
    ("çćč", "c"),
    ("ĎĐ", "D"),
    ("ďđ", "d"),
    ("ÈÊËĒĖĘĚ", "E"),
    ("êëēėęě", "e"),
    ("Ğ", "G"),
    ("ğ", "g"),
    ("ÌÍÎÏĪİ", "I"),
    ("íîïī", "i"),
    ("Ł", "L"),
    ("ł", "l"),
    ("ŃŇ", "N"),
    ("ńň", "n"),
    ("ÒÓÔÕŌŐ", "O"),
    ("óôõōő", "o"),
    ("Ř", "R"),
    ("ř", "r"),
    ("ŚŞŠ", "S"),
    ("śşš", "s"),
    ("ŢŤ", "T"),
    ("ţť", "t"),
    ("ÙÚÛŪŮŰ", "U"),
    ("úûūůű", "u"),
    ("ÝŸ", "Y"),
    ("ýÿ", "y"),
    ("ŹŻŽ", "Z"),
    ("źżž", "z"),
];
/// Welsh has letters that the GSM alphabet has not, and keeps them.
const WELSH: &str = "ÂâÊêÎîÔôÛûŴŵŶŷ";

/// A template.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) id: String,
    kind: &'static str,
    body: &'static str,
    deleted: bool,
}

impl Template {
    /// The template of this id.
    pub(super) fn of(id: &str) -> Option<Self> {
        let (kind, body) = match id {
            TEMPLATE_MISSING => return None,
            TEMPLATE_EMAIL => ("email", "((message))"),
            TEMPLATE_CODE => ("sms", "Your code is ((code)). Do not give it to anybody."),
            _ => ("sms", "((message))"),
        };
        Some(Self { id: id.to_owned(), kind, body, deleted: id == TEMPLATE_DELETED })
    }

    /// As it is told to who asks for it.
    pub(super) fn told(&self) -> Value {
        let places: Map<String, Value> = pieces(self.body)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Place(name) => Some((name.to_owned(), json!({ "required": true }))),
                Piece::Words(_) => None,
            })
            .collect();
        json!({
            "id": self.id,
            "name": "Otpost",
            "type": self.kind,
            "version": 1,
            "created_at": "2026-01-01T00:00:00.000000Z",
            "updated_at": null,
            "created_by": "operator@example.org",
            "body": self.body,
            "subject": (self.kind == "email").then_some("Otpost"),
            "letter_contact_block": null,
            "personalisation": places,
        })
    }

    /// The text with these values in its places.
    pub(super) fn fill(&self, values: &Map<String, Value>) -> Result<String, Refusal> {
        if self.kind != "sms" {
            let message = format!("{} template is not suitable for sms notification", self.kind);
            return Err(Refusal::bad_request(&message));
        }
        if self.deleted {
            return Err(Refusal::bad_request("Template has been deleted"));
        }
        let (mut text, mut missing) = (String::new(), Vec::new());
        for piece in pieces(self.body) {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Place(name) => match value(values, name) {
                    Some(value) => text.push_str(value.trim()),
                    None => missing.push(name),
                },
            }
        }
        if !missing.is_empty() {
            return Err(Refusal::bad_request(&format!("Missing personalisation: {}", missing.join(", "))));
        }
        let text = text.chars().fold(String::new(), down);
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            return Err(Refusal::bad_request("Your message is empty."));
        }
        if length > MOST {
            let message = format!(
                "Text messages cannot be longer than {MOST} characters. Your message is {length} characters"
            );
            return Err(Refusal::bad_request(&message));
        }
        Ok(text.to_owned())
    }
}

enum Piece<'a> {
    Words(&'a str),
    Place(&'a str),
}

/// The words of a template and its places. Templates are ours: every bracket that opens is closed.
fn pieces(body: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for part in body.split("((") {
        match part.split_once("))") {
            Some((name, words)) => pieces.extend([Piece::Place(name), Piece::Words(words)]),
            None => pieces.push(Piece::Words(part)),
        }
    }
    pieces
}

/// Names are compared without case, blanks, underscores and hyphens; null is no value.
fn value(values: &Map<String, Value>, name: &str) -> Option<String> {
    let folded = |name: &str| -> String {
        name.chars().filter(|c| !" _-".contains(*c)).flat_map(char::to_lowercase).collect()
    };
    let found = values.iter().find(|(own, _)| folded(own) == folded(name))?.1;
    match found {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => Some(list.iter().map(plain).collect::<Vec<_>>().join(", ")),
        other => Some(other.to_string()),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Adds a character as it leaves: one of the GSM alphabet, or a letter of Welsh.
fn down(mut text: String, character: char) -> String {
    let gsm = measure(character.encode_utf8(&mut [0; 4])).encoding == Encoding::Gsm7;
    let known = DOWN.iter().find(|(these, _)| these.contains(character));
    if gsm || WELSH.contains(character) {
        text.push(character);
    } else {
        text.push_str(known.map_or("?", |(_, other)| *other));
    }
    text
}
