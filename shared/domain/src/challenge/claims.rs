//! What a challenge's id says, to Otpost alone.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::{Addressee, Contact, Generation, Place, Secret, SourceClass};
use crate::contact::{EmailAddress, PhoneNumber};
use crate::ids::UserId;
use crate::message::Channel;
use crate::template::CodePurpose;
use crate::time::Timestamp;

/// The longest id: the longest address, sealed, in base64url.
pub const MOST_OF_ID: usize = 600;
const PREFIX: &str = "chl_";
const FORMAT: u8 = 1;

/// What a challenge's id says once it is opened.
#[derive(Clone, Debug)]
pub struct Claims {
    /// Where its row lies.
    pub place: Place,
    /// Which code of that row it is about.
    pub generation: Generation,
    /// From what the code follows.
    pub secret: Secret,
    /// How many digits the code has.
    pub digits: u8,
    /// From when on it is good no more.
    pub expires_at: Timestamp,
    /// Whether policy lets codes that go by e-mail count as authentication.
    pub authenticates: bool,
    /// The channel on which the code alone went to an address that is not confirmed yet: the code confirms it.
    pub confirms: Option<Channel>,
}

impl Claims {
    /// As it is sealed.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (kind, addressee) = match &self.place.addressee {
            Addressee::User(user) => (b'u', user.as_str()),
            Addressee::Bare(Contact::Email(email)) => (b'e', email.expose()),
            Addressee::Bare(Contact::Phone(phone)) => (b'p', phone.expose()),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 + addressee.len()));
        bytes.extend([
            FORMAT,
            index(CodePurpose::ALL, self.place.purpose),
            index(SourceClass::ALL, self.place.source),
            self.digits,
            u8::from(self.authenticates)
                | self.confirms.map_or(0, |channel| index(Channel::ALL, channel) + 1) << 1,
        ]);
        bytes.extend(self.expires_at.millis().to_be_bytes());
        bytes.extend(self.generation.0);
        bytes.extend(self.secret.expose());
        bytes.push(kind);
        bytes.extend(addressee.as_bytes());
        bytes
    }

    /// Reads what [`Claims::encode`] wrote; nothing else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let ([format, purpose, source, digits, flags], rest) = bytes.split_first_chunk()?;
        let (expires_at, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let (secret, rest) = rest.split_first_chunk()?;
        let (kind, addressee) = rest.split_first()?;
        let addressee = std::str::from_utf8(addressee).ok()?;
        let addressee = match kind {
            b'u' => Addressee::User(UserId::try_from(addressee).ok()?),
            b'e' => Addressee::Bare(Contact::Email(EmailAddress::try_from(addressee).ok()?)),
            b'p' => Addressee::Bare(Contact::Phone(PhoneNumber::try_from(addressee).ok()?)),
            _ => return None,
        };
        let confirms = match flags >> 1 {
            0 => None,
            channel => Some(*Channel::ALL.get(usize::from(channel - 1))?),
        };
        if *format != FORMAT || !(6..=10).contains(digits) {
            return None;
        }
        let claims = Self {
            place: Place {
                addressee,
                purpose: *CodePurpose::ALL.get(usize::from(*purpose))?,
                source: *SourceClass::ALL.get(usize::from(*source))?,
            },
            generation: Generation(*generation),
            secret: Secret::new(*secret),
            digits: *digits,
            expires_at: Timestamp::from_millis(u64::from_be_bytes(*expires_at)),
            authenticates: flags & 1 == 1,
            confirms,
        };
        // Names and addresses read in several spellings, of which one is written.
        (claims.encode().as_slice() == bytes).then_some(claims)
    }
}

fn index<T: Copy + PartialEq>(all: &[T], one: T) -> u8 {
    all.iter().position(|other| *other == one).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

/// A challenge's id: `chl_` and sealed [`Claims`] in base64url. Whoever has it may guess, so it is for the device on which
/// the code is typed, or for the application in between.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeId(Vec<u8>);

/// A text is no challenge's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be chl_ and the base64url characters that came with it")]
pub struct InvalidChallengeId;

impl ChallengeId {
    /// Of sealed claims.
    #[must_use]
    pub const fn new(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// The sealed claims.
    #[must_use]
    pub fn sealed(&self) -> &[u8] {
        &self.0
    }

    /// As text.
    #[must_use]
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", BASE64URL_NOPAD.encode(&self.0))
    }
}

impl TryFrom<&str> for ChallengeId {
    type Error = InvalidChallengeId;

    fn try_from(text: &str) -> Result<Self, InvalidChallengeId> {
        let encoded =
            text.strip_prefix(PREFIX).filter(|_| text.len() <= MOST_OF_ID).ok_or(InvalidChallengeId)?;
        BASE64URL_NOPAD.decode(encoded.as_bytes()).map(Self).map_err(|_| InvalidChallengeId)
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChallengeId({} bytes)", self.0.len())
    }
}
