//! The wildcards of templates, written `[[LINK]]`, and the scanner that finds them.

use core::ops::Range;

/// A place that is filled when a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wildcard {
    /// `[[LINK]]`: the enrolment link.
    Link,
    /// `[[QRCODE]]`: the QR picture; in HTML only.
    QrCode,
    /// `[[AUTHZCODE]]`: the authorization code. Its line goes away when none is required.
    AuthzCode,
    /// `[[USERNAME]]`: the name that the user signs in with.
    Username,
    /// `[[DISPLAYNAME]]`: the name that the user is greeted with.
    DisplayName,
    /// `[[TENANT]]`: the name of the organisation that sends the message.
    Tenant,
    /// `[[EXPIRES]]`: when the link stops working, in the reader's language.
    Expires,
}

impl Wildcard {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 7] = [
        Self::Link,
        Self::QrCode,
        Self::AuthzCode,
        Self::Username,
        Self::DisplayName,
        Self::Tenant,
        Self::Expires,
    ];

    /// The wildcard as it is written in a template, brackets included.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "[[LINK]]",
            Self::QrCode => "[[QRCODE]]",
            Self::AuthzCode => "[[AUTHZCODE]]",
            Self::Username => "[[USERNAME]]",
            Self::DisplayName => "[[DISPLAYNAME]]",
            Self::Tenant => "[[TENANT]]",
            Self::Expires => "[[EXPIRES]]",
        }
    }

    fn written(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wildcard| wildcard.as_str() == text)
    }
}

/// A stretch of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stays as it is.
    Literal(String),
    /// A place to fill.
    Wildcard(Wildcard),
}

/// What the scanner found, with the bytes it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Literal(&'a str),
    Wildcard(Wildcard, Range<usize>),
    /// Brackets around something that is no wildcard.
    Unknown(&'a str, Range<usize>),
    /// Two opening brackets without closing ones on the same line.
    Unclosed(Range<usize>),
}

/// Splits `text` into literal parts and wildcards, in order and without a gap.
pub(super) fn scan(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, opened)) = rest.split_once("[[") {
        // Of three brackets or more the last two open.
        let extra = opened.len() - opened.trim_start_matches('[').len();
        let literal = part(rest, 0..before.len() + extra);
        if !literal.is_empty() {
            found.push(Found::Literal(literal));
        }
        let start = text.len() - rest.len() + literal.len();
        let from_here = part(text, start..text.len());
        let line = from_here.split(['\r', '\n']).next().unwrap_or_default();
        let length = line.find("]]").map_or("[[".len(), |inner| inner + "]]".len());
        let range = start..start + length;
        let written = part(text, range.clone());
        found.push(match Wildcard::written(written) {
            Some(wildcard) => Found::Wildcard(wildcard, range),
            None if written.ends_with("]]") => Found::Unknown(written, range),
            None => Found::Unclosed(range),
        });
        rest = part(text, start + length..text.len());
    }
    if !rest.is_empty() {
        found.push(Found::Literal(rest));
    }
    found
}

/// Line and column of a byte, both counted from 1, columns in characters.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = part(text, 0..byte);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// A part whose ends are known to lie between characters.
fn part(text: &str, range: Range<usize>) -> &str {
    text.get(range).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_split_without_a_gap() {
        assert_eq!(
            scan("Hi [[DISPLAYNAME]]: [[LINK]]"),
            [
                Found::Literal("Hi "),
                Found::Wildcard(Wildcard::DisplayName, 3..18),
                Found::Literal(": "),
                Found::Wildcard(Wildcard::Link, 20..28),
            ]
        );
        assert_eq!(scan(""), []);
        assert_eq!(scan("a [b] ]] c[0]"), [Found::Literal("a [b] ]] c[0]")]);
    }

    #[test]
    fn more_brackets_stay_as_text() {
        assert_eq!(
            scan("[[[LINK]]]"),
            [Found::Literal("["), Found::Wildcard(Wildcard::Link, 1..9), Found::Literal("]")]
        );
    }

    #[test]
    fn what_is_no_wildcard_is_reported() {
        assert_eq!(scan("[[link]]"), [Found::Unknown("[[link]]", 0..8)]);
        assert_eq!(scan("[[ LINK ]]"), [Found::Unknown("[[ LINK ]]", 0..10)]);
        assert_eq!(scan("[[]]"), [Found::Unknown("[[]]", 0..4)]);
        assert_eq!(scan("[[LINK"), [Found::Unclosed(0..2), Found::Literal("LINK")]);
        assert_eq!(
            scan("ä[[LI\nNK]]"),
            [Found::Literal("ä"), Found::Unclosed(2..4), Found::Literal("LI\nNK]]")]
        );
    }

    #[test]
    fn positions_count_characters_from_one() {
        let text = "Grüße\n  [[X]]";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, text.find("[[").unwrap()), (2, 3));
        assert_eq!(position("äöü[[X]]", 6), (1, 4));
    }

    #[test]
    fn every_wildcard_is_found_by_its_name() {
        for wildcard in Wildcard::ALL {
            assert_eq!(scan(wildcard.as_str()), [Found::Wildcard(wildcard, 0..wildcard.as_str().len())]);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "([a-zß\\[\\]\n]|\\[\\[LINK\\]\\]|\\[\\[){0,40}") {
            let mut end = 0;
            for found in scan(&text) {
                let stretch = match found {
                    Found::Literal(literal) => literal,
                    Found::Wildcard(_, range) | Found::Unknown(_, range) | Found::Unclosed(range) => &text[range],
                };
                prop_assert_eq!(&text[end..end + stretch.len()], stretch);
                end += stretch.len();
            }
            prop_assert_eq!(end, text.len());
        }
    }
}
