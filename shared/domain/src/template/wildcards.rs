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
    /// `[[CODE]]`, or `%code%`: the one-time code.
    Code,
    /// `[[PASSWORD]]`: the new password.
    Password,
    /// `[[EXPIRES]]`: when the link or code stops working, in the reader's language.
    Expires,
    /// `[[PURPOSE]]`: what the code is for, in the reader's language.
    Purpose,
    /// `[[TIME]]`: when that happened of which the message tells, in the reader's language.
    Time,
    /// `[[USERNAME]]`: the name that the user signs in with.
    Username,
    /// `[[DISPLAYNAME]]`: the name that the user is greeted with.
    DisplayName,
    /// `[[TENANT]]`: the name of the organisation that sends the message.
    Tenant,
    /// `[[LOGO]]`: the organisation's logo, or its name where it has none; in HTML only.
    Logo,
    /// `[[COLOUR]]`: the organisation's colour, such as `#1a56c4`; in HTML only.
    Colour,
    /// `[[ONCOLOUR]]`: black or white, whichever can be read on that colour; in HTML only.
    OnColour,
}

/// How the modelled products write [`Wildcard::Code`].
const PERCENT_CODE: &str = "%code%";

impl Wildcard {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 14] = [
        Self::Link,
        Self::QrCode,
        Self::AuthzCode,
        Self::Code,
        Self::Password,
        Self::Expires,
        Self::Purpose,
        Self::Time,
        Self::Username,
        Self::DisplayName,
        Self::Tenant,
        Self::Logo,
        Self::Colour,
        Self::OnColour,
    ];

    /// Those that every kind of template offers in its HTML: how the organisation looks.
    pub const LOOK: &[Self] = &[Self::Logo, Self::Colour, Self::OnColour];

    /// The wildcard as it is written in a template, brackets included.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "[[LINK]]",
            Self::QrCode => "[[QRCODE]]",
            Self::AuthzCode => "[[AUTHZCODE]]",
            Self::Code => "[[CODE]]",
            Self::Password => "[[PASSWORD]]",
            Self::Expires => "[[EXPIRES]]",
            Self::Purpose => "[[PURPOSE]]",
            Self::Time => "[[TIME]]",
            Self::Username => "[[USERNAME]]",
            Self::DisplayName => "[[DISPLAYNAME]]",
            Self::Tenant => "[[TENANT]]",
            Self::Logo => "[[LOGO]]",
            Self::Colour => "[[COLOUR]]",
            Self::OnColour => "[[ONCOLOUR]]",
        }
    }

    /// What it stands for, as it is documented.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Link => "the enrolment link",
            Self::QrCode => "the QR picture of the enrolment link; in HTML only",
            Self::AuthzCode => {
                "the authorization code; its line, or in HTML its paragraph, is left out when none is required"
            }
            Self::Code => "the one-time code; may be written `%code%` too",
            Self::Password => "the new password",
            Self::Expires => "when the link or code stops working",
            Self::Purpose => "what the code is for",
            Self::Time => "when it happened",
            Self::Username => "the name that the user signs in with",
            Self::DisplayName => "the name that the user is greeted with",
            Self::Tenant => "the name of the organisation",
            Self::Logo => "the organisation's logo, or its name where it has none; in HTML only",
            Self::Colour => "the organisation's colour, such as `#1a56c4`; in HTML only",
            Self::OnColour => "black or white, whichever can be read on that colour; in HTML only",
        }
    }

    /// Whether it must not be shown in lists of mails, notifications and providers' events, which have the subject.
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Link | Self::QrCode | Self::AuthzCode | Self::Code | Self::Password)
    }

    /// Whether it becomes a tag of its own.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        matches!(self, Self::QrCode | Self::Logo)
    }

    /// Whether it is a colour.
    #[must_use]
    pub const fn is_colour(self) -> bool {
        matches!(self, Self::Colour | Self::OnColour)
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

/// Splits `text` into literal parts and wildcards, in order and without a gap. Reads each character a few times at most,
/// whatever the text.
pub(super) fn scan(text: &str) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    let (mut literal, mut at) = (0, 0);
    // Up to here no bracket closes.
    let mut open_until = 0;
    while let Some((start, opened)) = next_opening(text, at) {
        let length = match opened {
            Opened::Percent => PERCENT_CODE.len(),
            Opened::Brackets if start < open_until => "[[".len(),
            Opened::Brackets => match closing(part(text, start..text.len())) {
                Ok(length) => length,
                Err(line) => {
                    open_until = start + line;
                    "[[".len()
                }
            },
        };
        let range = start..start + length;
        if literal < start {
            found.push(Found::Literal(part(text, literal..start)));
        }
        (literal, at) = (range.end, range.end);
        let written = part(text, range.clone());
        found.push(match opened {
            Opened::Percent => Found::Wildcard(Wildcard::Code, range),
            Opened::Brackets => match Wildcard::written(written) {
                Some(wildcard) => Found::Wildcard(wildcard, range),
                None if written.ends_with("]]") => Found::Unknown(written, range),
                None => Found::Unclosed(range),
            },
        });
    }
    if literal < text.len() {
        found.push(Found::Literal(part(text, literal..text.len())));
    }
    found
}

/// The length of what begins with brackets up to those that close it on the same line; otherwise that of the line.
fn closing(text: &str) -> Result<usize, usize> {
    let mut before = None;
    for (byte, character) in text.char_indices() {
        match character {
            '\r' | '\n' => return Err(byte),
            ']' if before == Some(']') => return Ok(byte + 1),
            _ => before = Some(character),
        }
    }
    Err(text.len())
}

enum Opened {
    Brackets,
    Percent,
}

/// Where the next wildcard may begin.
fn next_opening(text: &str, from: usize) -> Option<(usize, Opened)> {
    part(text, from..text.len()).match_indices(['[', '%']).find_map(|(offset, _)| {
        let start = from + offset;
        let rest = text.get(start..)?;
        // Of three brackets or more the last two open.
        if rest.starts_with("[[") && !rest.starts_with("[[[") {
            return Some((start, Opened::Brackets));
        }
        let percent =
            rest.get(..PERCENT_CODE.len()).is_some_and(|head| head.eq_ignore_ascii_case(PERCENT_CODE));
        percent.then_some((start, Opened::Percent))
    })
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
    fn long_lines_are_read_once() {
        for text in ["[[x".repeat(100_000), "[[A]]".repeat(100_000), "[".repeat(100_000) + "]]"] {
            assert!(scan(&text).len() < 200_002);
        }
        assert_eq!(scan("[[]"), [Found::Unclosed(0..2), Found::Literal("]")]);
        assert_eq!(scan("[[a] ]]"), [Found::Unknown("[[a] ]]", 0..7)]);
    }

    #[test]
    fn more_brackets_stay_as_text() {
        assert_eq!(
            scan("[[[LINK]]]"),
            [Found::Literal("["), Found::Wildcard(Wildcard::Link, 1..9), Found::Literal("]")]
        );
    }

    #[test]
    fn a_code_may_be_written_in_percent_signs() {
        assert_eq!(
            scan("100% of %Code%!"),
            [Found::Literal("100% of "), Found::Wildcard(Wildcard::Code, 8..14), Found::Literal("!")]
        );
        assert_eq!(scan("%cod%"), [Found::Literal("%cod%")]);
        assert_eq!(scan("%code"), [Found::Literal("%code")]);
        assert_eq!(scan("%%code%%").len(), 3);
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
        fn nothing_is_lost(text in "([a-zß%\\[\\]\n]|\\[\\[LINK\\]\\]|\\[\\[|%code%){0,40}") {
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
