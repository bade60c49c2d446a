//! Identifiers: newtypes that are right once they exist.
//!
//! Ids that Otpost makes are random or time-ordered and carry a prefix that tells their kind. Ids that its callers
//! choose (tenant, user) have a narrow alphabet, so that they can stand in keys, URLs and logs as they are.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, Encoding, Specification};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

use crate::secret::SecretText;
use crate::time::{Day, Timestamp};

/// Lower-case base 32 in the order-preserving alphabet (RFC 4648 section 7): ids sort by time as text.
#[expect(clippy::expect_used, reason = "a constant specification; the tests below build it")]
static BASE32_LOWER: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("0123456789abcdefghijklmnopqrstuv");
    specification.encoding().expect("32 distinct symbols")
});

/// Random bytes as lower-case letters and digits, without padding.
pub(crate) fn random_text(bytes: &[u8]) -> String {
    BASE32_LOWER.encode(bytes)
}

/// What is wrong with an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {fault}")]
pub struct InvalidId {
    /// Which identifier, e.g. `tenant`.
    pub what: &'static str,
    /// What it must look like.
    pub fault: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $fault:literal, |$text:ident| $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidId;

            fn try_from($text: &str) -> Result<Self, InvalidId> {
                let parsed: Option<String> = $parse;
                parsed.map(Self).ok_or(InvalidId { what: $what, fault: $fault })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

text_id!(
    /// A tenant: 3 to 40 lower-case letters, digits and inner hyphens, chosen by the platform's operator.
    TenantId,
    "tenant",
    "must be 3 to 40 lower-case letters, digits or hyphens, with no hyphen at either end, and not `platform`",
    |text| {
        let shape = (3..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        (shape && text != PLATFORM).then(|| text.to_owned())
    }
);

text_id!(
    /// A user of a tenant: the name under which the application knows them, compared without case.
    UserId,
    "user",
    "must be 1 to 128 letters, digits or . _ @ + - characters, and not only dots",
    |text| {
        // Dots alone are a way in a path.
        let shape = (1..=128).contains(&text.len())
            && text.bytes().any(|b| b != b'.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b));
        shape.then(|| text.to_ascii_lowercase())
    }
);

text_id!(
    /// A token's serial number: `OTP` and 12 letters or digits; unique in its tenant, printed, read out, typed.
    Serial,
    "serial",
    "must be 4 to 40 letters, digits or hyphens, as shown where the token was provisioned",
    |text| {
        let shape = (4..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        shape.then(|| text.to_ascii_uppercase())
    }
);

text_id!(
    /// A policy of a tenant, named by its operators.
    PolicyId,
    "policy",
    "must be 1 to 32 lower-case letters, digits or hyphens, with no hyphen at either end",
    |text| slug(text, 32)
);

text_id!(
    /// A gateway of a tenant or of the platform, named by its operators.
    GatewayId,
    "gateway",
    "must be 1 to 32 lower-case letters, digits or hyphens, with no hyphen at either end",
    |text| slug(text, 32)
);

text_id!(
    /// A message to a user: `msg_` and 26 characters that sort by time.
    MessageId,
    "message",
    "must be `msg_` and 26 lower-case letters or digits",
    |text| prefixed(text, "msg_")
);

text_id!(
    /// A directory that tells of a tenant's people: `dir_` and 26 characters that follow from where its events come from.
    DirectoryId,
    "directory",
    "must be `dir_` and 26 lower-case letters or digits",
    |text| prefixed(text, "dir_")
);

text_id!(
    /// A long job: `job_` and 26 characters that sort by time.
    JobId,
    "job",
    "must be `job_` and 26 lower-case letters or digits",
    |text| prefixed(text, "job_")
);

text_id!(
    /// An audit entry: `aud_` and 26 characters that sort by time.
    AuditId,
    "audit entry",
    "must be `aud_` and 26 lower-case letters or digits",
    |text| prefixed(text, "aud_")
);

text_id!(
    /// An API key's public part: its tenant's id, a hyphen, and 12 letters or digits.
    KeyId,
    "key",
    "must be a tenant, a hyphen and 12 lower-case letters or digits",
    |text| {
        let good = text.rsplit_once('-').is_some_and(|(tenant, own)| {
            TenantId::try_from(tenant).is_ok() && own.len() == 12 && own.bytes().all(is_base32_lower)
        });
        good.then(|| text.to_owned())
    }
);

/// The key id of the deployment's own key, and therefore no tenant's name.
pub const PLATFORM: &str = "platform";

impl Serial {
    /// A new serial from 8 random bytes (60 bits of them are used).
    #[must_use]
    pub fn new(random: [u8; 8]) -> Self {
        let text = random_text(&random);
        Self(format!("OTP{}", text.chars().take(12).collect::<String>().to_ascii_uppercase()))
    }
}

impl MessageId {
    /// A new id: 48 bits of time, 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("msg_{}", time_ordered(now, random)))
    }

    /// The place in the order of ids behind which those begin that were made before `at`, the newest first.
    #[must_use]
    pub fn first_at(at: Timestamp) -> Self {
        Self::new(at, [0; 10])
    }

    /// The place in the order of ids behind which those begin that were made on `day` or before, the newest first.
    #[must_use]
    pub fn last_of(day: Day) -> Self {
        Self::new(day.end(), [u8::MAX; 10])
    }

    /// When it was made.
    #[must_use]
    pub fn made_at(&self) -> Timestamp {
        // Ten characters carry fifty bits: the 48 of the time, and two random ones.
        let digits = self.0.bytes().skip("msg_".len()).take(10);
        let bits = digits.fold(0, |bits: u64, digit| bits << 5 | u64::from(digit_value(digit)));
        Timestamp::from_millis(bits >> 2)
    }

    /// The shard, 0 to 15, of the sparse index in which this message stands while it is open.
    #[must_use]
    pub fn shard(&self) -> u8 {
        // The last character carries three bits only; the one before it five random ones.
        digit_value(self.0.bytes().rev().nth(1).unwrap_or(b'0')) % OPEN_SHARDS
    }
}

/// The value of a digit of [`BASE32_LOWER`].
const fn digit_value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit.wrapping_sub(b'a').wrapping_add(10) }
}

/// How many shards the index of open messages has.
pub const OPEN_SHARDS: u8 = 16;

impl DirectoryId {
    /// The directory whose events AWS says are of this account and source.
    #[must_use]
    pub fn of(account: &str, source: &str) -> Self {
        let digest = Sha256::new().chain_update(account).chain_update("#").chain_update(source).finalize();
        let bytes: Vec<u8> = digest.into_iter().take(16).collect();
        Self(format!("dir_{}", random_text(&bytes)))
    }
}

impl JobId {
    /// A new id: 48 bits of time, 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("job_{}", time_ordered(now, random)))
    }
}

impl AuditId {
    /// A new id: 48 bits of time, 80 random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        Self(format!("aud_{}", time_ordered(now, random)))
    }
}

impl KeyId {
    /// A new key id of `tenant` from 8 random bytes.
    #[must_use]
    pub fn new(tenant: &TenantId, random: [u8; 8]) -> Self {
        let own: String = random_text(&random).chars().take(12).collect();
        Self(format!("{tenant}-{own}"))
    }

    /// The tenant whose key this is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        TenantId(self.0.rsplit_once('-').map_or_else(String::new, |(tenant, _)| tenant.to_owned()))
    }
}

/// A code of 256 random bits in a link, an enrolment session or a device id: a secret that is its own proof.
///
/// Only [`BearerHash`] of it is ever stored.
#[derive(Clone, Debug)]
pub struct BearerCode(SecretText);

impl BearerCode {
    /// From 32 random bytes; 43 characters of base64url.
    #[must_use]
    pub fn new(random: &[u8; 32]) -> Self {
        Self(SecretText::new(BASE64URL_NOPAD.encode(random)))
    }

    /// The code's text, to put into a link or a cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The hash under which it is stored.
    #[must_use]
    pub fn hash(&self) -> BearerHash {
        BearerHash(BASE64URL_NOPAD.encode(&Sha256::digest(self.0.expose().as_bytes())))
    }
}

impl TryFrom<&str> for BearerCode {
    type Error = InvalidId;

    /// Reads 43 characters of base64url; anything else was never issued.
    fn try_from(text: &str) -> Result<Self, InvalidId> {
        match BASE64URL_NOPAD.decode(text.as_bytes()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(SecretText::new(text.to_owned()))),
            _ => Err(InvalidId { what: "code", fault: "must be 43 base64url characters" }),
        }
    }
}

/// SHA-256 of a [`BearerCode`] or of a request, base64url: a look-up key that is worthless to a reader of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BearerHash(String);

impl BearerHash {
    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash of several texts, each with its length before it, so that no two lists read alike.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            // A usize never has more than 64 bits here, so nothing is lost.
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(BASE64URL_NOPAD.encode(&hash.finalize()))
    }

    /// Reads a stored hash.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

fn is_base32_lower(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'v').contains(&byte)
}

/// A name that people choose for a thing of theirs: it stands in paths, keys and logs.
fn slug(text: &str, most: usize) -> Option<String> {
    let good = (1..=most).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    good.then(|| text.to_owned())
}

fn prefixed(text: &str, prefix: &str) -> Option<String> {
    let rest = text.strip_prefix(prefix)?;
    (rest.len() == 26 && rest.bytes().all(is_base32_lower)).then(|| text.to_owned())
}

fn time_ordered(now: Timestamp, random: [u8; 10]) -> String {
    let [_, _, time @ ..] = now.millis().to_be_bytes();
    let bytes: Vec<u8> = time.into_iter().chain(random).collect();
    random_text(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time() {
        let early = MessageId::new(Timestamp::from_seconds(1_800_000_000), [255; 10]);
        let late = MessageId::new(Timestamp::from_millis(1_800_000_000_001), [0; 10]);
        assert!(early < late);
        assert_eq!(MessageId::try_from(late.as_str()), Ok(late.clone()));
        assert_eq!(
            (early.made_at().millis(), late.made_at().millis()),
            (1_800_000_000_000, 1_800_000_000_001)
        );
        assert!(early < MessageId::first_at(late.made_at()) && MessageId::first_at(early.made_at()) < early);
        assert!(late < MessageId::last_of(Day::of(late.made_at())));
    }

    #[test]
    fn tenants_are_narrow() {
        assert!(TenantId::try_from("acme-uk").is_ok());
        for bad in ["", "ab", "Acme", "-acme", "acme-", "a b c", "platform", "akmé", &"a".repeat(41)] {
            assert!(TenantId::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn users_are_compared_without_case() {
        assert_eq!(UserId::try_from("Jane.Doe@Example.org"), UserId::try_from("jane.doe@example.org"));
        for bad in ["", ".", "..", "jane doe", "jane/doe", "jane#x", "jané", &"a".repeat(129)] {
            assert!(UserId::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_knows_its_tenant() {
        let tenant = TenantId::try_from("acme-uk").unwrap();
        let key = KeyId::new(&tenant, [7; 8]);
        assert_eq!(KeyId::try_from(key.as_str()).unwrap().tenant(), tenant);
        assert!(KeyId::try_from("acme").is_err());
        assert!(KeyId::try_from(PLATFORM).is_err());
    }

    #[test]
    fn bearer_codes_show_only_their_hash() {
        let code = BearerCode::new(&[9; 32]);
        assert_eq!(code.expose().len(), 43);
        assert!(!format!("{code:?}").contains(code.expose()));
        let again = BearerCode::try_from(code.expose()).unwrap();
        assert_eq!(again.hash(), code.hash());
        assert!(BearerCode::try_from("short").is_err());
        assert!(BearerCode::try_from(&"ü".repeat(22)[..]).is_err());
    }

    #[test]
    fn shards_cover_the_index() {
        let shards: std::collections::BTreeSet<u8> =
            (0..=255).map(|n| MessageId::new(Timestamp::default(), [n; 10]).shard()).collect();
        assert_eq!(shards.into_iter().collect::<Vec<_>>(), (0..OPEN_SHARDS).collect::<Vec<_>>());
    }
}
