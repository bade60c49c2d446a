//! What an operator may put into a test.

use crate::plain::turns;

/// A text in the place of a template's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestText(String);

/// A code in a test. It opens nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestCode(String);

/// Why a text or a code for a test was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTest {
    /// Not a text.
    #[error("must be 1 to 1000 characters, not only blanks, without control characters but line breaks")]
    Text,
    /// Not a code.
    #[error("must be 4 to 10 digits")]
    Code,
}

impl TestText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for TestText {
    type Error = InvalidTest;

    fn try_from(text: &str) -> Result<Self, InvalidTest> {
        let text = text.replace("\r\n", "\n");
        let fits = (1..=1000).contains(&text.chars().count()) && !text.trim().is_empty();
        let plain = !text.chars().any(|c| (c.is_control() && c != '\n') || turns(c));
        if fits && plain { Ok(Self(text)) } else { Err(InvalidTest::Text) }
    }
}

impl TestCode {
    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for TestCode {
    type Error = InvalidTest;

    fn try_from(code: &str) -> Result<Self, InvalidTest> {
        let good = (4..=10).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
        if good { Ok(Self(code.to_owned())) } else { Err(InvalidTest::Code) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_codes_have_bounds() {
        assert_eq!(TestText::try_from("Hello\r\nyou").unwrap().as_str(), "Hello\nyou");
        for wrong in ["", "  \n", "a\u{0}b", "a\u{1b}b", "a\u{202e}b", &"a".repeat(1001)] {
            assert_eq!(TestText::try_from(wrong), Err(InvalidTest::Text));
        }
        assert_eq!(TestCode::try_from("123456").unwrap().as_str(), "123456");
        for wrong in ["", "123", "12345678901", "12a456", "１２３４５６"] {
            assert_eq!(TestCode::try_from(wrong), Err(InvalidTest::Code));
        }
    }
}
