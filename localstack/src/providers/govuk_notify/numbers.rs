//! Numbers, as far as Notify looks at them: those of the United Kingdom by their form, others by their length.

use super::refusal::Refusal;

/// With a live key nothing arrives there, and nothing is kept.
const SMOKE: &[&str] = &["447700900000", "447700900111", "447700900222"];
/// What test keys make of these numbers; all others get their text.
const REHEARSED: &[(&str, &str)] =
    &[("447700900002", "permanent-failure"), ("447700900003", "temporary-failure")];
/// Digits of a number of the United Kingdom behind its country code.
const NATIONAL: usize = 10;

/// A number that takes texts: its digits, country code first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Number(String);

/// What the schema has against a number; none for what looks like one. A landline does.
pub(super) fn fault(text: &str) -> Option<&'static str> {
    let shape = Shape::read(text);
    match shape {
        Shape::Letters => Some("Must not contain letters or symbols"),
        Shape::National(digits) => length(digits.len(), NATIONAL, NATIONAL).or_else(|| {
            let first = digits.bytes().next();
            (!matches!(first, Some(b'1' | b'2' | b'3' | b'7'))).then_some("Not a UK mobile number")
        }),
        Shape::International(digits) if digits.starts_with('0') => Some("Not a valid country prefix"),
        Shape::International(digits) => length(digits.len(), 7, 15),
    }
}

const fn length(found: usize, least: usize, most: usize) -> Option<&'static str> {
    if found < least {
        Some("Not enough digits")
    } else if found > most {
        Some("Too many digits")
    } else {
        None
    }
}

enum Shape {
    Letters,
    /// Of the United Kingdom, without prefix.
    National(String),
    /// Of elsewhere, from its country code.
    International(String),
}

impl Shape {
    fn read(text: &str) -> Self {
        let plain: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '(' | ')' | '-')).collect();
        let (abroad, digits) = match plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")) {
            Some(digits) => (true, digits),
            None => (false, plain.as_str()),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Letters;
        }
        let national = digits.strip_prefix("44").filter(|rest| abroad || rest.len() >= NATIONAL);
        match national {
            Some(rest) => Self::National(rest.strip_prefix('0').unwrap_or(rest).to_owned()),
            None if abroad => Self::International(digits.to_owned()),
            None => Self::National(digits.strip_prefix('0').unwrap_or(digits).to_owned()),
        }
    }
}

impl Number {
    /// A number to which nobody had anything to say so far.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        match Shape::read(text) {
            Shape::National(digits) if digits.starts_with('7') => Ok(Self(format!("44{digits}"))),
            Shape::International(digits) => Ok(Self(digits)),
            Shape::National(_) | Shape::Letters => Err(Refusal::landline()),
        }
    }

    /// As E.164 writes it.
    pub(super) fn international(&self) -> String {
        format!("+{}", self.0)
    }

    pub(super) fn is_smoke(&self) -> bool {
        SMOKE.contains(&self.0.as_str())
    }

    /// The end of a text that a test key sends there.
    pub(super) fn rehearsed(&self) -> &'static str {
        REHEARSED.iter().find(|(number, _)| *number == self.0).map_or("delivered", |(_, status)| status)
    }
}
