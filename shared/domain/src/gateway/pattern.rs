//! Patterns with places that are filled for each message. What fills one place is never looked at for another.

use zeroize::Zeroizing;

use crate::contact::EmailAddress;
use crate::document::{Faults, Member, Place, Value, parsed};
use crate::plain::breaks_line;
use crate::policy::Setting;

/// What fills the places of a pattern.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) number: &'a str,
    pub(super) text: &'a str,
    pub(super) pin: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(String),
    Number,
    Text,
    Pin,
}

impl Piece {
    /// A text between places, if there is any.
    fn fixed(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::Fixed(text.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    written: String,
    pieces: Vec<Piece>,
}

impl Pattern {
    /// Reads a pattern: braces stand around places only.
    fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}')?;
            pieces.extend(Piece::fixed(before));
            pieces.push(match name {
                "number" => Piece::Number,
                "text" => Piece::Text,
                "pin" => Piece::Pin,
                _ => return None,
            });
            rest = after;
        }
        pieces.extend(Piece::fixed(rest));
        let stray = pieces.iter().any(|piece| matches!(piece, Piece::Fixed(text) if text.contains('}')));
        (!stray).then(|| Self { written: text.to_owned(), pieces })
    }

    fn count(&self, wanted: &Piece) -> usize {
        self.pieces.iter().filter(|piece| *piece == wanted).count()
    }

    fn fill(&self, with: Filling<'_>) -> Zeroizing<String> {
        let parts = || {
            self.pieces.iter().map(|piece| match piece {
                Piece::Fixed(text) => text.as_str(),
                Piece::Number => with.number,
                Piece::Text => with.text,
                Piece::Pin => with.pin,
            })
        };
        // Of its full size from the start: a text that grows leaves copies behind that nobody wipes.
        let mut filled = Zeroizing::new(String::with_capacity(parts().map(str::len).sum()));
        parts().for_each(|part| filled.push_str(part));
        filled
    }
}

macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident, $range:literal, |$text:ident, $pattern:ident| $good:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(Pattern);

        impl $name {
            /// The pattern as written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.written
            }

            /// Whether it has a place for the PIN.
            #[must_use]
            pub fn has_pin(&self) -> bool {
                self.0.count(&Piece::Pin) > 0
            }

            pub(super) fn fill(&self, with: Filling<'_>) -> Zeroizing<String> {
                self.0.fill(with)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = &'static str;

            fn try_from($text: &str) -> Result<Self, &'static str> {
                let parsed = Pattern::parse($text).filter(|$pattern| $good);
                parsed.map(Self).ok_or(concat!("must be ", $range))
            }
        }

        impl Member for $name {
            fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
                parsed(value, at, faults)
            }

            fn write(&self) -> Value {
                Value::text(self.as_str())
            }
        }

        impl Setting for $name {
            fn range() -> String {
                $range.to_owned()
            }
        }
    };
}

pattern!(
    /// The address of a text: a mailbox whose name holds the number.
    AddressPattern,
    "an e-mail address with one `{number}`, and at most one `{pin}`, before its @, such as `{number}@sms.example.org`",
    |text, pattern| {
        let mailbox = text.split_once('@').map_or("", |(mailbox, _)| mailbox);
        let in_mailbox = Pattern::parse(mailbox).is_some_and(|mailbox| {
            mailbox.count(&Piece::Number) == 1 && mailbox.count(&Piece::Pin) == pattern.count(&Piece::Pin)
        });
        in_mailbox
            && pattern.count(&Piece::Number) == 1
            && pattern.count(&Piece::Pin) <= 1
            && pattern.count(&Piece::Text) == 0
            && fits(pattern, "0")
    }
);

pattern!(
    /// The subject of a text's mail.
    SubjectPattern,
    "1 to 200 characters without control characters; in braces only `{number}`, `{text}` and `{pin}`",
    |text, _pattern| (1..=200).contains(&text.chars().count()) && !text.chars().any(breaks_a_header)
);

pattern!(
    /// The body of a text's mail.
    BodyPattern,
    "at most 1000 characters with one `{text}`, and in braces besides only `{number}` and `{pin}`",
    |text, pattern| {
        text.chars().count() <= 1000
            && !text.chars().any(|c| c.is_control() && c != '\n')
            && pattern.count(&Piece::Text) == 1
    }
);

impl AddressPattern {
    /// Whether the longest number makes an address with this PIN.
    pub(super) fn fits(&self, pin: &str) -> bool {
        fits(&self.0, pin)
    }
}

fn fits(pattern: &Pattern, pin: &str) -> bool {
    let longest = Filling { number: "123456789012345678", text: "", pin };
    EmailAddress::try_from(pattern.fill(longest).as_str()).is_ok()
}

impl BodyPattern {
    /// The text and nothing else.
    pub(super) fn text_alone() -> Self {
        Self(Pattern { written: "{text}".to_owned(), pieces: vec![Piece::Text] })
    }
}

/// Control characters, CR and LF among them, and what Unicode has for new lines besides.
pub(super) fn breaks_a_header(c: char) -> bool {
    c.is_control() || breaks_line(c)
}
