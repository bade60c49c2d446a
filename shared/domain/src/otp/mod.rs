//! One-time passwords: what a token computes, and how a code is found among the values it may show now.
//!
//! HOTP is RFC 4226, TOTP is RFC 6238. Nothing here reads a clock: callers pass Unix seconds.

pub mod code;
pub mod hotp;
pub mod totp;
pub mod window;

pub use code::{Code, CodeFormat};
pub use window::{LookAhead, Match, Tolerance, Window, burn, find_match, resync};

use crate::secret::Seed;

/// A number lies outside the range allowed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {least} to {most}, not {found}")]
pub struct OutOfRange {
    /// What the number is, for example "a period in seconds".
    pub what: &'static str,
    /// The number given.
    pub found: u64,
    /// The smallest number allowed.
    pub least: u64,
    /// The largest number allowed.
    pub most: u64,
}

impl OutOfRange {
    fn check(what: &'static str, found: u64, least: u64, most: u64) -> Result<(), Self> {
        if (least..=most).contains(&found) { Ok(()) } else { Err(Self { what, found, least, most }) }
    }
}

/// The hash below the HMAC (RFC 6238 section 1.2). Several apps treat anything but SHA-1 as SHA-1, so that
/// is the default; SHA-1's collisions do not weaken an HMAC (RFC 4226 appendix B.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// HMAC-SHA-1, which every app knows.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// The name is none of `SHA1`, `SHA256`, `SHA512`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an algorithm is SHA1, SHA256 or SHA512")]
pub struct UnknownAlgorithm;

impl Algorithm {
    /// The name as `otpauth` links and our API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl TryFrom<&str> for Algorithm {
    type Error = UnknownAlgorithm;

    fn try_from(name: &str) -> Result<Self, UnknownAlgorithm> {
        match name {
            "SHA1" => Ok(Self::Sha1),
            "SHA256" => Ok(Self::Sha256),
            "SHA512" => Ok(Self::Sha512),
            _ => Err(UnknownAlgorithm),
        }
    }
}

/// How long a code is: 6 digits at least (RFC 4226 section 5.3), 8 at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Digits {
    /// 6 digits: one million codes.
    #[default]
    Six,
    /// 7 digits.
    Seven,
    /// 8 digits.
    Eight,
}

impl Digits {
    /// The number of digits: 6, 7 or 8.
    #[must_use]
    pub fn count(self) -> u8 {
        match self {
            Self::Six => 6,
            Self::Seven => 7,
            Self::Eight => 8,
        }
    }

    /// How many different codes there are: ten to the power of the count.
    #[must_use]
    pub fn codes(self) -> u32 {
        10_u32.pow(u32::from(self.count()))
    }
}

impl TryFrom<u8> for Digits {
    type Error = OutOfRange;

    fn try_from(count: u8) -> Result<Self, OutOfRange> {
        match count {
            6 => Ok(Self::Six),
            7 => Ok(Self::Seven),
            8 => Ok(Self::Eight),
            other => Err(OutOfRange { what: "the number of digits", found: other.into(), least: 6, most: 8 }),
        }
    }
}

/// How long a time-based code lasts, in seconds: the time step X of RFC 6238 section 4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u8);

impl Period {
    /// The shortest period: 15 seconds.
    pub const SHORTEST: Self = Self(15);
    /// The longest period: 120 seconds.
    pub const LONGEST: Self = Self(120);

    /// Takes a period in seconds.
    ///
    /// # Errors
    /// [`OutOfRange`] unless it lies within 15 to 120.
    pub fn new(seconds: u64) -> Result<Self, OutOfRange> {
        let (least, most) = (Self::SHORTEST.seconds(), Self::LONGEST.seconds());
        let wrong = OutOfRange { what: "a period in seconds", found: seconds, least, most };
        OutOfRange::check(wrong.what, seconds, least, most)?;
        u8::try_from(seconds).map(Self).map_err(|_| wrong)
    }

    /// The period in seconds, 15 to 120.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 as u64
    }
}

impl Default for Period {
    /// 30 seconds (RFC 6238 section 5.2).
    fn default() -> Self {
        Self(30)
    }
}

/// What moves a token on to its next code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Time, in steps of the period (RFC 6238).
    Totp(Period),
    /// A counter that rises with every code (RFC 4226).
    Hotp,
}

impl Kind {
    /// The name as `otpauth` links and our API write it: `totp` or `hotp`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Hotp => "hotp",
        }
    }

    /// The period of a time-based token.
    #[must_use]
    pub fn period(self) -> Option<Period> {
        match self {
            Self::Totp(period) => Some(period),
            Self::Hotp => None,
        }
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self::Totp(Period::default())
    }
}

/// Everything but the seed that decides which codes a token shows.
/// The default (TOTP, 30 seconds, SHA-1, 6 digits) is what every app computes correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OtpParameters {
    /// Time-based or counter-based.
    pub kind: Kind,
    /// The hash below the HMAC.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
}

/// A seed made ready to compute many codes of one token.
enum Generator {
    Totp(totp::Keyed),
    Hotp(Box<hotp::Keyed>),
}

impl Generator {
    fn new(seed: &Seed, params: OtpParameters) -> Self {
        match params.kind {
            Kind::Totp(_) => Self::Totp(totp::Keyed::new(seed, params)),
            Kind::Hotp => Self::Hotp(Box::new(hotp::Keyed::new(seed, params.algorithm, params.digits))),
        }
    }

    /// The code of a time step or of a counter.
    fn code(&self, step: u64) -> Code {
        match self {
            Self::Totp(keyed) => keyed.code(step),
            Self::Hotp(keyed) => keyed.code(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_algorithms_go_both_ways() {
        for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            assert_eq!(Algorithm::try_from(algorithm.as_str()), Ok(algorithm));
        }
        for wrong in ["", "sha1", "SHA-1", "MD5"] {
            assert_eq!(Algorithm::try_from(wrong), Err(UnknownAlgorithm));
        }
    }

    #[test]
    fn digits_are_six_to_eight() {
        for count in 6..=8 {
            assert_eq!(Digits::try_from(count).unwrap().count(), count);
        }
        for wrong in [0, 5, 9, 255] {
            assert_eq!(Digits::try_from(wrong).unwrap_err().found, u64::from(wrong));
        }
        assert_eq!(Digits::Eight.codes(), 100_000_000);
    }

    #[test]
    fn periods_are_15_to_120_seconds() {
        for seconds in [15, 30, 60, 120] {
            assert_eq!(Period::new(seconds).unwrap().seconds(), seconds);
        }
        for wrong in [0, 14, 121, 256, u64::MAX] {
            assert_eq!(Period::new(wrong).unwrap_err().found, wrong);
        }
        assert_eq!(Period::default().seconds(), 30);
    }

    #[test]
    fn the_default_is_what_every_app_knows() {
        let usual = OtpParameters::default();
        assert_eq!(usual.kind.as_str(), "totp");
        assert_eq!(usual.kind.period(), Some(Period::default()));
        assert_eq!((usual.algorithm.as_str(), usual.digits.count()), ("SHA1", 6));
        assert_eq!((Kind::Hotp.as_str(), Kind::Hotp.period()), ("hotp", None));
    }
}
