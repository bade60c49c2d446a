//! API keys: `otp_<keyid>_<secret>_<checksum>`.

use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::contact::DisplayName;
use crate::ids::{KeyId, PLATFORM, TenantId, random_text};
use crate::secret::SecretText;
use crate::time::{ClockOffset, Timestamp};

/// What a key may do. A route names the roles that may call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The deployment's own key: makes tenants and their first keys.
    Platform,
    /// An application: checks codes.
    App,
    /// The helpdesk.
    Helpdesk,
    /// Provisions, pushes, looks up, revokes.
    Operator,
    /// Everything in its tenant, keys included.
    Admin,
    /// A directory that keeps users up to date.
    Directory,
}

impl Role {
    /// The roles that a tenant's keys can have.
    pub const OF_TENANTS: [Self; 5] =
        [Self::App, Self::Helpdesk, Self::Operator, Self::Admin, Self::Directory];

    /// As written in requests and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::App => "app",
            Self::Helpdesk => "helpdesk",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Directory => "directory",
        }
    }

    /// Reads a tenant's role; `platform` is not one.
    #[must_use]
    pub fn of_tenant(text: &str) -> Option<Self> {
        Self::OF_TENANTS.into_iter().find(|role| role.as_str() == text)
    }
}

/// A stored key. The secret is known only by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its public part, which names the tenant.
    pub id: KeyId,
    /// What it may do.
    pub role: Role,
    /// What it is for, in its maker's words.
    pub name: DisplayName,
    /// Hash of its secret.
    pub secret_hash: SecretHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it ends by itself, if it does.
    pub expires_at: Option<Timestamp>,
    /// Whether its caller asks only for people who have shown a first factor already. Only such keys are told what helps
    /// a person who waits for a code.
    pub after_first_factor: bool,
    /// Its tenant's clock; see [`crate::tenant::Tenant::clock`]. It never changes, so that no look at the tenant is needed.
    pub clock: ClockOffset,
}

/// How long a key may live on at most that was replaced.
pub const LONGEST_OVERLAP: Duration = Duration::from_hours(7 * 24);
/// How long a key lives at most that ends by itself.
pub const LONGEST_LIFE: Duration = Duration::from_hours(10 * 366 * 24);

impl ApiKey {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }

    /// The key that has been replaced by another and ends after `overlap`, or earlier if it does so anyway.
    #[must_use]
    pub fn replaced(self, now: Timestamp, overlap: Duration) -> Self {
        let end = now.plus(overlap);
        Self { expires_at: Some(self.expires_at.map_or(end, |sooner| sooner.min(end))), ..self }
    }

    /// The tenant whose key this is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.id.tenant()
    }
}

/// SHA-256 of a key's 256-bit random secret; compared in constant time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// Hash of a presented secret.
    #[must_use]
    pub fn of(secret: &SecretText) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }

    /// Whether `secret` is the one that was hashed. Constant time.
    #[must_use]
    pub fn matches(&self, secret: &SecretText) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

/// A key as a caller presents it.
#[derive(Debug)]
pub enum PresentedKey {
    /// `otp_platform_<secret>`: the deployment's own.
    Platform(SecretText),
    /// `otp_<keyid>_<secret>_<checksum>`: a tenant's.
    Tenant(KeyId, SecretText),
}

/// The text is no API key: a part is missing, misspelt or cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key: it must read otp_<key id>_<secret>_<checksum>, complete and unchanged")]
pub struct MalformedKey;

impl PresentedKey {
    /// Reads a presented key. The checksum finds typing faults without a look-up.
    ///
    /// # Errors
    /// [`MalformedKey`] when a part is missing or the checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let rest = text.strip_prefix("otp_").filter(|rest| rest.len() <= 160).ok_or(MalformedKey)?;
        let (id, rest) = rest.split_once('_').ok_or(MalformedKey)?;
        if id == PLATFORM {
            let good = rest.len() >= 32 && rest.bytes().all(|b| b.is_ascii_alphanumeric());
            return good.then(|| Self::Platform(SecretText::new(rest.to_owned()))).ok_or(MalformedKey);
        }
        let id = KeyId::try_from(id).map_err(|_| MalformedKey)?;
        let (secret, given) = rest.split_once('_').ok_or(MalformedKey)?;
        if secret.len() != 52 || given != checksum(&id, secret) {
            return Err(MalformedKey);
        }
        Ok(Self::Tenant(id, SecretText::new(secret.to_owned())))
    }
}

/// Makes a key's text and the hash to keep, from 32 random bytes.
#[must_use]
pub fn mint(id: &KeyId, random: &[u8; 32]) -> (SecretText, SecretHash) {
    let secret = SecretText::new(random_text(random));
    let text = SecretText::new(format!("otp_{id}_{}_{}", secret.expose(), checksum(id, secret.expose())));
    (text, SecretHash::of(&secret))
}

fn checksum(id: &KeyId, secret: &str) -> String {
    let digest = Sha256::new().chain_update(id.as_str()).chain_update("_").chain_update(secret).finalize();
    random_text(&digest).chars().take(6).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minted() -> (KeyId, SecretText, SecretHash) {
        let id = KeyId::new(&TenantId::try_from("acme-uk").unwrap(), [3; 8]);
        let (text, hash) = mint(&id, &[5; 32]);
        (id, text, hash)
    }

    #[test]
    fn a_minted_key_is_read_back() {
        let (id, text, hash) = minted();
        let PresentedKey::Tenant(read, secret) = PresentedKey::parse(text.expose()).unwrap() else {
            panic!("a tenant's key")
        };
        assert_eq!(read, id);
        assert!(hash.matches(&secret));
        assert!(!hash.matches(&SecretText::new("other".to_owned())));
    }

    #[test]
    fn any_changed_character_is_found() {
        let (_, text, _) = minted();
        let text = text.expose();
        for at in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(PresentedKey::parse(&changed).is_err(), "{changed}");
        }
        assert!(PresentedKey::parse(&text[..text.len() - 1]).is_err());
        assert!(PresentedKey::parse("").is_err());
        assert!(PresentedKey::parse(&format!("otp_{}", "é".repeat(40))).is_err());
    }

    #[test]
    fn the_platform_key_has_no_checksum() {
        let text = format!("otp_platform_{}", "a1".repeat(24));
        assert!(matches!(PresentedKey::parse(&text), Ok(PresentedKey::Platform(_))));
        assert!(PresentedKey::parse("otp_platform_short").is_err());
    }

    #[test]
    fn roles_are_read_and_platform_is_not_a_tenants() {
        for role in Role::OF_TENANTS {
            assert_eq!(Role::of_tenant(role.as_str()), Some(role));
        }
        assert_eq!(Role::of_tenant("platform"), None);
    }
}
