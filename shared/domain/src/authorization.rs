//! The authorization code: what a thief of the link alone does not have.
//!
//! It travels another way than the link and is asked for before the enrolment shows a seed. 40 random bits, which is
//! what NIST SP 800-63B-4 section 4.1.2.2 asks of a code that is used together with an identifier; few tries; it dies
//! with its link.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::named::named;
use crate::secret::SecretText;

/// Wrong authorization codes after which a link opens no more sessions.
pub const MAX_WRONG_AUTHORIZATIONS: u8 = 5;

/// Digits and capitals without those that are taken for one another.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 8;

named! {
    /// How the authorization code gets to the user.
    #[derive(Default)]
    pub enum AuthorizationMode {
        /// By the user's other channel if there is one, else by the operator or app that pushed: the code stands in its
        /// answer.
        #[default]
        OtherChannelOrOperator = "other_channel_or_operator",
        /// In the message with the link. A reader of the mailbox has both.
        SameMessage = "same_message",
        /// There is none: the link alone enrols.
        None = "none",
    }
}

/// A code of eight characters, shown as two groups of four.
#[derive(Clone, Debug)]
pub struct AuthorizationCode(SecretText);

/// What was typed is no authorization code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an authorization code has eight letters and digits, such as K7TM-4QXA")]
pub struct NoAuthorizationCode;

impl AuthorizationCode {
    /// A new code from 5 random bytes.
    #[must_use]
    pub fn new(random: &[u8; 5]) -> Self {
        let number = random.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let mut text = Zeroizing::new(String::with_capacity(LENGTH));
        for place in (0..LENGTH).rev() {
            let index = usize::try_from(number >> (place * 5) & 31).unwrap_or_default();
            text.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'2')));
        }
        Self(SecretText::new(text.as_str()))
    }

    /// As people read it: `K7TM-4QXA`.
    #[must_use]
    pub fn for_people(&self) -> SecretText {
        let (first, second) = self.0.expose().split_at_checked(LENGTH / 2).unwrap_or_default();
        SecretText::new(format!("{first}-{second}"))
    }

    /// The hash under which it is kept, sealed.
    #[must_use]
    pub fn hash(&self) -> Zeroizing<[u8; 32]> {
        let hash = Sha256::new().chain_update(b"otpost authorization code ").chain_update(self.0.expose());
        Zeroizing::new(hash.finalize().into())
    }

    /// Whether `hash` is this code's, compared in constant time.
    #[must_use]
    pub fn matches(&self, hash: &[u8]) -> bool {
        self.hash().as_slice().ct_eq(hash).into()
    }
}

impl TryFrom<&str> for AuthorizationCode {
    type Error = NoAuthorizationCode;

    /// Reads what a person typed: case, blanks and hyphens do not count.
    fn try_from(text: &str) -> Result<Self, NoAuthorizationCode> {
        if text.len() > 64 {
            return Err(NoAuthorizationCode);
        }
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let code: Zeroizing<String> = Zeroizing::new(typed.map(|c| c.to_ascii_uppercase()).collect());
        let good = code.len() == LENGTH && code.bytes().all(|byte| ALPHABET.contains(&byte));
        if good { Ok(Self(SecretText::new(code.as_str()))) } else { Err(NoAuthorizationCode) }
    }
}

/// What an enrolment keeps of its authorization code.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The code's hash, sealed: see [`crate::sealing`].
    pub sealed_hash: Vec<u8>,
    /// Wrong codes so far.
    pub wrong_codes: u8,
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorization({} wrong codes)", self.wrong_codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_of_the_alphabet() {
        assert_eq!(AuthorizationCode::new(&[0; 5]).for_people().expose(), "2222-2222");
        assert_eq!(AuthorizationCode::new(&[255; 5]).for_people().expose(), "ZZZZ-ZZZZ");
        assert_eq!(AuthorizationCode::new(&[0, 0, 0, 0, 33]).for_people().expose(), "2222-2233");
    }

    #[test]
    fn typing_is_forgiven_and_nonsense_is_not() {
        let code = AuthorizationCode::try_from(" k7tm 4q-xa\n").unwrap();
        assert_eq!(code.for_people().expose(), "K7TM-4QXA");
        for bad in ["", "K7TM-4QX", "K7TM-4QXAA", "K7TM-4QX0", "K7TM-4QXÄ", &"2".repeat(65)] {
            assert_eq!(AuthorizationCode::try_from(bad).unwrap_err(), NoAuthorizationCode, "{bad}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let code = AuthorizationCode::new(&[1, 2, 3, 4, 5]);
        assert!(!format!("{code:?}").contains(code.0.expose()));
    }

    proptest! {
        #[test]
        fn a_code_is_read_back(random in any::<[u8; 5]>(), other in any::<[u8; 5]>()) {
            let code = AuthorizationCode::new(&random);
            let read = AuthorizationCode::try_from(code.for_people().expose()).unwrap();
            prop_assert!(read.matches(code.hash().as_slice()));
            prop_assert_eq!(AuthorizationCode::new(&other).matches(code.hash().as_slice()), other == random);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}") {
            let _ = AuthorizationCode::try_from(text.as_str());
        }
    }
}
