//! The device that holds a token: what it is, whether it can show push messages, and the key that it signs with.
//!
//! What it said when the token was enrolled is kept beside what it said last.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest, Sha256};

use crate::ids::BearerHash;
use crate::named::named;
use crate::plain::plain;
use crate::time::Timestamp;

/// A device's public key: Ed25519 (RFC 8032), 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceKey([u8; 32]);

/// What is wrong with a device's description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDevice {
    /// Not a public key.
    #[error("must be an Ed25519 public key: 32 bytes as base64url without padding")]
    Key,
    /// Not fit to be shown.
    #[error("must be 1 to 64 characters without control characters")]
    Text,
}

impl DeviceKey {
    /// The key's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the key's bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// SHA-256 of the key, base64url: names its enrolment session and the nonces of its signatures.
    #[must_use]
    pub fn thumbprint(&self) -> BearerHash {
        BearerHash::stored(&BASE64URL_NOPAD.encode(&Sha256::digest(self.0)))
    }
}

impl TryFrom<&str> for DeviceKey {
    type Error = InvalidDevice;

    fn try_from(text: &str) -> Result<Self, InvalidDevice> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| InvalidDevice::Key)?;
        <[u8; 32]>::try_from(bytes.as_slice()).map(Self).map_err(|_| InvalidDevice::Key)
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.thumbprint().as_str())
    }
}

/// A short text that a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceText(String);

impl DeviceText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for DeviceText {
    type Error = InvalidDevice;

    fn try_from(text: &str) -> Result<Self, InvalidDevice> {
        plain(text, 64).map(Self).ok_or(InvalidDevice::Text)
    }
}

named! {
    /// A device's operating system: the token's target.
    pub enum Os {
        /// Apple iOS and iPadOS.
        Ios = "ios",
        /// Android.
        Android = "android",
        /// Windows.
        Windows = "windows",
        /// macOS.
        Macos = "macos",
        /// Linux.
        Linux = "linux",
        /// Chrome OS.
        ChromeOs = "chromeos",
        /// Another, or not known: a browser's enrolment does not say.
        Other = "other",
    }
}

named! {
    /// What kind of thing a device is.
    pub enum DeviceKind {
        /// A phone.
        Phone = "phone",
        /// A tablet.
        Tablet = "tablet",
        /// A desktop or portable computer.
        Desktop = "desktop",
        /// Enrolled by the page, with any authenticator app.
        Browser = "browser",
        /// Anything else.
        Other = "other",
    }
}

named! {
    /// Whether a token's app shows push messages.
    pub enum PushOtp {
        /// It can, and its user allows it.
        Enabled = "enabled",
        /// It can, but its user has declined.
        Disabled = "disabled",
        /// It cannot; always so for the page's enrolments.
        NotApplicable = "not_applicable",
    }
}

impl PushOtp {
    /// From what an app says of itself.
    #[must_use]
    pub const fn of(capable: bool, permitted: bool) -> Self {
        match (capable, permitted) {
            (false, _) => Self::NotApplicable,
            (true, true) => Self::Enabled,
            (true, false) => Self::Disabled,
        }
    }
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDetails {
    /// Its operating system.
    pub os: Os,
    /// The system's version.
    pub os_version: Option<DeviceText>,
    /// What kind of thing it is.
    pub kind: DeviceKind,
    /// The app that holds the token.
    pub app: Option<DeviceText>,
    /// The app's version.
    pub app_version: Option<DeviceText>,
    /// Whether the app shows push messages.
    pub push: PushOtp,
}

/// A token's device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The key that its calls are signed with; a page's enrolment has none.
    pub key: Option<DeviceKey>,
    /// As it was when the token was enrolled.
    pub enrolled: DeviceDetails,
    /// As it said last.
    pub now: DeviceDetails,
    /// When it said so.
    pub told_at: Timestamp,
}

impl Device {
    /// An app on a device of its own.
    #[must_use]
    pub fn app(key: DeviceKey, details: DeviceDetails, at: Timestamp) -> Self {
        Self { key: Some(key), enrolled: details.clone(), now: details, told_at: at }
    }

    /// Some authenticator app that was enrolled by the page: nothing is known of it.
    #[must_use]
    pub fn browser(at: Timestamp) -> Self {
        let details = DeviceDetails {
            os: Os::Other,
            os_version: None,
            kind: DeviceKind::Browser,
            app: None,
            app_version: None,
            push: PushOtp::NotApplicable,
        };
        Self { key: None, enrolled: details.clone(), now: details, told_at: at }
    }

    /// The device says something new of itself.
    #[must_use]
    pub fn says(self, details: DeviceDetails, at: Timestamp) -> Self {
        Self { now: details, told_at: at, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_32_bytes_and_a_thumbprint() {
        let text = BASE64URL_NOPAD.encode(&[7; 32]);
        let key = DeviceKey::try_from(text.as_str()).unwrap();
        assert_eq!(key.bytes(), &[7; 32]);
        assert_eq!(key.thumbprint().as_str().len(), 43);
        for bad in ["", "AAAA", &format!("{text}="), &"ä".repeat(43)] {
            assert_eq!(DeviceKey::try_from(bad), Err(InvalidDevice::Key));
        }
    }

    #[test]
    fn push_follows_capability_and_permission() {
        assert_eq!(PushOtp::of(true, true), PushOtp::Enabled);
        assert_eq!(PushOtp::of(true, false), PushOtp::Disabled);
        assert_eq!([PushOtp::of(false, true), PushOtp::of(false, false)], [PushOtp::NotApplicable; 2]);
        assert!(Os::ALL.iter().all(|os| Os::parse(os.as_str()) == Some(*os)));
    }

    #[test]
    fn texts_are_short_and_plain() {
        assert_eq!(DeviceText::try_from(" 18.1 ").unwrap().as_str(), "18.1");
        for bad in ["", "  ", "a\nb", &"x".repeat(65)] {
            assert!(DeviceText::try_from(bad).is_err());
        }
    }

    #[test]
    fn what_it_said_at_enrolment_stays() {
        let at = Timestamp::from_seconds(1_800_000_000);
        let told = Device::browser(at);
        let mut changed = told.now.clone();
        changed.push = PushOtp::Disabled;
        let device = told.says(changed, at);
        assert_eq!((device.enrolled.push, device.now.push), (PushOtp::NotApplicable, PushOtp::Disabled));
    }
}
