//! The parts that credentials have.

use super::values::sid;
use super::{Kind, NotifyKey};
use crate::named::named;

named! {
    /// A part of credentials.
    pub enum Part {
        /// The user of a server of mail.
        User = "user",
        /// The user's password.
        Password = "password",
        /// The auth token of an account with Twilio.
        AuthToken = "auth_token",
        /// The SID of an API key of Twilio.
        ApiKeySid = "api_key_sid",
        /// The secret of that key.
        ApiKeySecret = "api_key_secret",
        /// The API key of a service of GOV.UK Notify.
        ApiKey = "api_key",
        /// The bearer token with which GOV.UK Notify tells of deliveries.
        CallbackToken = "callback_token",
        /// What a third party wants to see in a mail before it makes a text of it.
        Pin = "pin",
    }
}

impl Part {
    /// The parts that a kind may have.
    #[must_use]
    pub const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Ses => &[],
            Kind::Smtp => &[Self::User, Self::Password],
            Kind::Twilio => &[Self::AuthToken, Self::ApiKeySid, Self::ApiKeySecret],
            Kind::GovukNotify => &[Self::ApiKey, Self::CallbackToken],
            Kind::EmailToSms => &[Self::Pin],
        }
    }

    /// What it is for.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::User => "The user. With every authentication but `none`.",
            Self::Password => "The user's password. With every authentication but `none`.",
            Self::AuthToken => {
                "The account's auth token. This or an API key; beside an API key it only checks receipts, which are \
                 signed with it."
            }
            Self::ApiKeySid => {
                "The SID of an API key, which can be revoked by itself. With `api_key_secret`."
            }
            Self::ApiKeySecret => "The secret of the API key. With `api_key_sid`.",
            Self::ApiKey => "The API key, whole, as GOV.UK Notify showed it.",
            Self::CallbackToken => {
                "The bearer token that was given to GOV.UK Notify for its receipts. Without it receipts are refused."
            }
            Self::Pin => {
                "What the third party wants to see, where a pattern has `{pin}`: a PIN, a token or a password."
            }
        }
    }

    /// What it may be.
    #[must_use]
    pub const fn range(self) -> &'static str {
        match self {
            Self::User => "1 to 320 characters without control characters",
            Self::Password => "1 to 1024 characters without control characters",
            Self::AuthToken | Self::ApiKeySecret => "16 to 128 printable ASCII characters without blanks",
            Self::ApiKeySid => "SK and 32 hexadecimal digits",
            Self::ApiKey => {
                "the key's name, the service's id and a secret, with hyphens between them; both are UUIDs"
            }
            Self::CallbackToken => "16 to 256 printable ASCII characters without blanks",
            Self::Pin => {
                "1 to 128 printable ASCII characters without blanks; in an address 1 to 32 letters, digits or inner dots"
            }
        }
    }

    /// Whether `text` is in that range.
    pub(super) fn takes(self, text: &str) -> bool {
        let long = |least: usize, most: usize| (least..=most).contains(&text.chars().count());
        let plain = !text.chars().any(char::is_control);
        let graphic = text.bytes().all(|b| b.is_ascii_graphic());
        match self {
            // SASL PLAIN parts user and password by NUL (RFC 4616 section 2).
            Self::User => plain && long(1, 320),
            Self::Password => plain && long(1, 1024),
            Self::AuthToken | Self::ApiKeySecret => graphic && long(16, 128),
            Self::ApiKeySid => sid(text, "SK").is_some(),
            Self::ApiKey => plain && long(1, 256) && NotifyKey::cut(text).is_some(),
            Self::CallbackToken => graphic && long(16, 256),
            Self::Pin => graphic && long(1, 128),
        }
    }
}
