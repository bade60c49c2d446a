//! Mail addresses that are written to no more: those that bounced for good, and those whose owners complained.

use crate::contact::EmailAddress;
use crate::ids::{BearerHash, MessageId, TenantId};
use crate::named::named;
use crate::time::Timestamp;

/// By what an address is looked up within a tenant: a hash of both, so that a message can name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressKey(String);

impl AddressKey {
    /// Of an address of `tenant`'s. Case does not matter.
    #[must_use]
    pub fn of(tenant: &TenantId, address: &EmailAddress) -> Self {
        let lower = address.expose().to_lowercase();
        let hash = BearerHash::of(&[b"suppression", tenant.as_str().as_bytes(), lower.as_bytes()]);
        Self(hash.as_str().to_owned())
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads one: 43 characters of base64url.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (text.len() == 43 && text.bytes().all(fits)).then(|| Self(text.to_owned()))
    }
}

named! {
    /// Why an address is written to no more.
    pub enum Cause {
        /// Its server said for good that it does not take mail for it.
        HardBounce = "hard_bounce",
        /// Its owner called a message spam.
        Complaint = "complaint",
    }
}

/// An address that is written to no more, until an operator clears it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Whose list it is on.
    pub tenant: TenantId,
    /// The address.
    pub address: EmailAddress,
    /// Why.
    pub cause: Cause,
    /// What the provider told, in codes and words of ours.
    pub why: String,
    /// The message by which it was found out.
    pub message: MessageId,
    /// When.
    pub at: Timestamp,
}

impl Suppression {
    /// By what it is looked up.
    #[must_use]
    pub fn key(&self) -> AddressKey {
        AddressKey::of(&self.tenant, &self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_tenant_and_of_any_case() {
        let tenant = |name: &str| TenantId::try_from(name).unwrap();
        let key =
            |name: &str, text: &str| AddressKey::of(&tenant(name), &EmailAddress::try_from(text).unwrap());
        assert_eq!(key("acme", "Jane@Example.org"), key("acme", "jane@example.org"));
        assert_ne!(key("acme", "jane@example.org"), key("other", "jane@example.org"));
        let read = key("acme", "jane@example.org");
        assert_eq!(AddressKey::parse(read.as_str()), Some(read));
        assert_eq!(AddressKey::parse("short"), None);
        assert_eq!(AddressKey::parse(&"/".repeat(43)), None);
    }
}
