//! Codes that are sent, and what proves them.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::plain::{breaks_line, plain, turns};
use crate::template::CodePurpose;

/// What a person is to confirm by a code, as the message shows it: 1 to 140 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction(String);

/// A text cannot be shown as what is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 140 characters on one line, without marks that turn the direction of text")]
pub struct InvalidTransaction;

impl Transaction {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Transaction {
    type Error = InvalidTransaction;

    fn try_from(text: &str) -> Result<Self, InvalidTransaction> {
        let text = plain(text, 140).ok_or(InvalidTransaction)?;
        if text.chars().any(|c| breaks_line(c) || turns(c)) {
            Err(InvalidTransaction)
        } else {
            Ok(Self(text))
        }
    }
}

/// A code that is sent: 6 to 10 digits. It is wiped when dropped, and never compared itself.
#[derive(Clone)]
pub struct SentCode(Zeroizing<String>);

/// Why a text is no code that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a code that was sent has 6 to 10 digits and nothing else but blanks")]
pub struct SentCodeFormat;

impl SentCode {
    /// Reads a code. Blanks are passed over: people type codes in groups.
    ///
    /// # Errors
    /// When it is none; the error does not say what the text was.
    pub fn parse(text: &str) -> Result<Self, SentCodeFormat> {
        let mut digits = Zeroizing::new(String::with_capacity(10));
        for character in text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\u{a0}' | '\u{202f}')) {
            if !character.is_ascii_digit() || digits.len() == 10 {
                return Err(SentCodeFormat);
            }
            digits.push(character);
        }
        if digits.len() < 6 { Err(SentCodeFormat) } else { Ok(Self(digits)) }
    }

    /// The digits, for the message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SentCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentCode(redacted)")
    }
}

/// What a code makes together with a challenge's secret, its purpose and its transaction. Compared in constant time.
#[derive(Clone)]
pub struct CodeMac(pub [u8; 32]);

impl CodeMac {
    /// Whether they are the same.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl PartialEq for CodeMac {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for CodeMac {}

impl fmt::Debug for CodeMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeMac(redacted)")
    }
}

/// The secret of one challenge: 32 random bytes, of which its row knows nothing. Wiped when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// Takes the random bytes.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self(Zeroizing::new(random))
    }

    /// The bytes, to be sealed.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The code: the HMAC's first 64 bits modulo a power of ten. Of 10 digits, none is likelier than another by more than
    /// one part in 10^9.
    #[must_use]
    pub fn code(&self, digits: u8, purpose: CodePurpose, transaction: Option<&Transaction>) -> SentCode {
        let mac = self.hmac(b"code", purpose, transaction, b"");
        let (first, _) = mac.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let digits = digits.clamp(6, 10);
        let number = u64::from_be_bytes(*first) % 10_u64.pow(digits.into());
        SentCode(Zeroizing::new(format!("{number:0>width$}", width = usize::from(digits))))
    }

    /// What proves a code for this purpose and this transaction, and for nothing else.
    #[must_use]
    pub fn mac(&self, purpose: CodePurpose, transaction: Option<&Transaction>, code: &SentCode) -> CodeMac {
        CodeMac(*self.hmac(b"mac", purpose, transaction, code.expose().as_bytes()))
    }

    /// HMAC-SHA-256 (RFC 2104) over texts, each with its length before it.
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn hmac(
        &self,
        what: &[u8],
        purpose: CodePurpose,
        transaction: Option<&Transaction>,
        rest: &[u8],
    ) -> Zeroizing<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("any length does");
        let transaction = transaction.map_or("", Transaction::as_str);
        for part in [b"otpost challenge/1", what, purpose.as_str().as_bytes(), transaction.as_bytes(), rest] {
            // A usize never has more than 64 bits here, so nothing is lost.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}
