//! Values that must not leak: they are wiped from memory when dropped, have no `Display`, cannot be
//! compared with `==`, and their `Debug` shows nothing of their content.

use core::fmt;

use zeroize::Zeroizing;

/// The shared secret of a token: the key of its HMAC (RFC 4226 section 4, requirement R6).
#[derive(Clone)]
pub struct Seed(Zeroizing<Vec<u8>>);

/// A seed is shorter or longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a seed has {least} to {most} bytes, not {found}")]
pub struct SeedLength {
    /// Bytes given.
    pub found: usize,
    /// Fewest bytes allowed.
    pub least: usize,
    /// Most bytes allowed.
    pub most: usize,
}

impl Seed {
    /// Bytes of a seed that Otpost makes itself (RFC 4226 section 4 recommends 160 bits).
    pub const USUAL_LENGTH: usize = 20;
    /// Fewest bytes of a new seed: 128 bits (RFC 4226 section 4).
    pub const LEAST: usize = 16;
    /// Fewest bytes of an imported seed: the 80 bits that older hardware and apps were given.
    pub const LEAST_IMPORTED: usize = 10;
    /// Most bytes of any seed: the output of SHA-512 (RFC 6238 section 3, requirement R6).
    pub const MOST: usize = 64;

    /// Takes the bytes of a new seed.
    ///
    /// # Errors
    /// [`SeedLength`] unless there are 16 to 64 bytes. The bytes are wiped in that case too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SeedLength> {
        Self::of_at_least(Self::LEAST, bytes)
    }

    /// Takes the bytes of a seed that was made elsewhere, where shorter ones are common.
    ///
    /// # Errors
    /// [`SeedLength`] unless there are 10 to 64 bytes. The bytes are wiped in that case too.
    pub fn imported(bytes: Vec<u8>) -> Result<Self, SeedLength> {
        Self::of_at_least(Self::LEAST_IMPORTED, bytes)
    }

    /// The raw bytes, for an HMAC or for sealing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The seed as authenticator apps take it: Base32 (RFC 4648 section 6) in upper case, without padding.
    #[must_use]
    pub fn to_base32(&self) -> Zeroizing<String> {
        Zeroizing::new(data_encoding::BASE32_NOPAD.encode(&self.0))
    }

    fn of_at_least(least: usize, bytes: Vec<u8>) -> Result<Self, SeedLength> {
        let bytes = Zeroizing::new(bytes);
        if (least..=Self::MOST).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(SeedLength { found: bytes.len(), least, most: Self::MOST })
        }
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

/// Text that grants something to whoever reads it: an enrolment link, the secret part of an API key,
/// a filled message, an address that was opened for sending.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends or shows it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_seeds_have_16_to_64_bytes() {
        for length in [16, 20, 32, 64] {
            assert_eq!(Seed::new(vec![7; length]).unwrap().expose(), vec![7; length]);
        }
        for length in [0, 10, 15, 65] {
            let error = Seed::new(vec![7; length]).unwrap_err();
            assert_eq!(error, SeedLength { found: length, least: 16, most: 64 });
        }
    }

    #[test]
    fn imported_seeds_may_have_80_bits() {
        assert!(Seed::imported(vec![1; 10]).is_ok());
        assert_eq!(Seed::imported(vec![1; 9]).unwrap_err().least, 10);
        assert_eq!(Seed::imported(vec![1; 65]).unwrap_err().most, 64);
    }

    #[test]
    fn base32_has_no_padding() {
        // RFC 4648 section 10, the vector that would end in padding, repeated to a legal length.
        let seed = Seed::imported(b"foobfoobfoob".to_vec()).unwrap();
        let text = seed.to_base32();
        assert!(!text.contains('='));
        assert_eq!(text.as_str(), "MZXW6YTGN5XWEZTPN5RA");
    }

    #[test]
    fn debug_shows_nothing() {
        let seed = Seed::new(b"12345678901234567890".to_vec()).unwrap();
        assert_eq!(format!("{seed:?}"), "Seed(redacted)");
        assert_eq!(format!("{:?}", SecretText::new("https://example.org/e/x")), "SecretText(redacted)");
    }
}
