//! A one-time code as a person types it or a token shows it.

use core::fmt::{self, Write as _};

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::Digits;

/// A code of 6 to 8 ASCII digits. It is wiped when dropped and compared in constant time only.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

/// Why a text is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeFormat {
    /// Nothing is left when the blanks are removed.
    #[error("the code is empty")]
    Empty,
    /// There is something else than the digits 0 to 9 and blanks.
    #[error("a code has the digits 0 to 9 only")]
    NotDigits,
    /// There are fewer than 6 or more than 8 digits.
    #[error("a code has 6 to 8 digits")]
    Length,
}

impl Code {
    const LENGTHS: core::ops::RangeInclusive<usize> = 6..=8;

    /// Reads a code. Apps show codes in groups, so blanks are ignored wherever they stand: spaces, tabs and
    /// no-break spaces; line breaks at either end too. Hyphens and digits of other scripts are refused.
    ///
    /// # Errors
    /// [`CodeFormat`] says what is wrong with the text, never what the text was.
    pub fn parse(text: &str) -> Result<Self, CodeFormat> {
        let mut digits = Zeroizing::new(String::with_capacity(*Self::LENGTHS.end()));
        let mut count = 0_usize;
        for character in text.trim().chars().filter(|&c| !is_blank(c)) {
            if !character.is_ascii_digit() {
                return Err(CodeFormat::NotDigits);
            }
            count += 1;
            if count <= *Self::LENGTHS.end() {
                digits.push(character);
            }
        }
        match count {
            0 => Err(CodeFormat::Empty),
            count if Self::LENGTHS.contains(&count) => Ok(Self(digits)),
            _ => Err(CodeFormat::Length),
        }
    }

    /// The code whose digits are the lowest ones of `number`, with leading zeros
    /// (the modulo of RFC 4226 section 5.3, step 3).
    #[must_use]
    pub fn from_number(number: u32, digits: Digits) -> Self {
        let width = usize::from(digits.count());
        Self::write(format_args!("{:0width$}", number % digits.codes()))
    }

    /// Compares in a time that does not depend on where the codes differ. Codes of different lengths differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> Choice {
        self.0.as_bytes().ct_eq(other.0.as_bytes())
    }

    /// The digits, for the message or page that shows them.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Takes digits that a generator made. The text grows in place, so that no copy is left behind.
    pub(super) fn write(digits: fmt::Arguments<'_>) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(*Self::LENGTHS.end()));
        // Writing to a string cannot fail.
        let _ = text.write_fmt(digits);
        Self(text)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(redacted)")
    }
}

/// Space, tab, and the spaces that do not break or are narrow, which copied codes may hold.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{a0}' | '\u{2007}' | '\u{2009}' | '\u{202f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blanks_are_ignored() {
        for text in ["123456", " 123 456 ", "123\u{a0}456", "\t12 34 56", "123456\r\n", "123\u{202f}456"] {
            assert_eq!(Code::parse(text).unwrap().expose(), "123456");
        }
        assert_eq!(Code::parse("0000 0000").unwrap().expose(), "00000000");
    }

    #[test]
    fn each_fault_has_its_own_name() {
        let cases = [
            ("", CodeFormat::Empty),
            (" \u{a0}\t", CodeFormat::Empty),
            ("123-456", CodeFormat::NotDigits),
            ("12345a", CodeFormat::NotDigits),
            ("+123456", CodeFormat::NotDigits),
            ("123\n456", CodeFormat::NotDigits),
            // Arabic-Indic and full-width digits are digits to Unicode, not to a token.
            ("\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", CodeFormat::NotDigits),
            ("\u{ff11}23456", CodeFormat::NotDigits),
            ("12345", CodeFormat::Length),
            ("123456789", CodeFormat::Length),
        ];
        for (text, fault) in cases {
            assert_eq!(Code::parse(text).unwrap_err(), fault, "{text:?}");
        }
    }

    #[test]
    fn numbers_get_leading_zeros_and_lose_high_digits() {
        assert_eq!(Code::from_number(42, Digits::Six).expose(), "000042");
        assert_eq!(Code::from_number(1_284_755_224, Digits::Six).expose(), "755224");
        assert_eq!(Code::from_number(u32::MAX, Digits::Eight).expose(), "94967295");
        assert_eq!(Code::from_number(0, Digits::Seven).expose(), "0000000");
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Code::from_number(123_456, Digits::Six)), "Code(redacted)");
    }

    proptest! {
        #[test]
        fn codes_match_exactly_when_their_digits_are_equal(a in "[0-9]{6,8}", b in "[0-9]{6,8}") {
            let (left, right) = (Code::parse(&a).unwrap(), Code::parse(&b).unwrap());
            prop_assert_eq!(bool::from(left.matches(&right)), a == b);
            prop_assert!(bool::from(left.matches(&left.clone())));
        }

        #[test]
        fn no_text_makes_the_parser_panic_or_yields_anything_but_digits(text in "\\PC*") {
            if let Ok(code) = Code::parse(&text) {
                prop_assert!((6..=8).contains(&code.expose().len()));
                prop_assert!(code.expose().bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
