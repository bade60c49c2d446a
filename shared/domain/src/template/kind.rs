//! The kinds of messages that templates are for.

use super::Wildcard;
use crate::named::named;

named! {
    /// What a message is for, and so which template makes its texts.
    pub enum TemplateKind {
        /// The enrolment link of a token.
        PushToken = "push_token",
        /// A code for signing in.
        EmailOtp = "email_otp",
        /// A code that proves a telephone, before an enrolment or a password's reset.
        MobileCode = "mobile_code",
        /// A code that the caller reads back to the helpdesk.
        HelpdeskCode = "helpdesk_code",
        /// A new password after the helpdesk has reset it.
        NewPassword = "new_password",
        /// A test of a gateway.
        TestMessage = "test_message",
        /// Notice that an app was set up.
        Enrolled = "enrolled",
        /// Notice that an enrolment link was used.
        LinkUsed = "link_used",
        /// Notice that a token is on another device.
        ChangedDevice = "changed_device",
        /// Notice, to the old one, that an address or number was changed.
        ChangedAddress = "changed_address",
    }
}

const PUSH: &[Wildcard] = &[
    Wildcard::Link,
    Wildcard::QrCode,
    Wildcard::AuthzCode,
    Wildcard::Expires,
    Wildcard::Username,
    Wildcard::DisplayName,
    Wildcard::Tenant,
];
const PURPOSED: &[Wildcard] = &[
    Wildcard::Code,
    Wildcard::Expires,
    Wildcard::Purpose,
    Wildcard::Username,
    Wildcard::DisplayName,
    Wildcard::Tenant,
];
const READ_BACK: &[Wildcard] =
    &[Wildcard::Code, Wildcard::Expires, Wildcard::Username, Wildcard::DisplayName, Wildcard::Tenant];
const PASSWORD: &[Wildcard] =
    &[Wildcard::Password, Wildcard::Username, Wildcard::DisplayName, Wildcard::Tenant];
const TEST: &[Wildcard] =
    &[Wildcard::Code, Wildcard::Time, Wildcard::Username, Wildcard::DisplayName, Wildcard::Tenant];
const NOTICE: &[Wildcard] = &[Wildcard::Time, Wildcard::Username, Wildcard::DisplayName, Wildcard::Tenant];

impl TemplateKind {
    /// What it is for, as it is documented.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PushToken => "the enrolment link of a token",
            Self::EmailOtp => "a code for signing in, by e-mail or by text",
            Self::MobileCode => "a code that proves a telephone, before an enrolment or a password's reset",
            Self::HelpdeskCode => "a code that the caller reads back to the helpdesk",
            Self::NewPassword => "a new password, after the helpdesk has reset it",
            Self::TestMessage => "a test of a gateway",
            Self::Enrolled => "a notice that an app was set up",
            Self::LinkUsed => "a notice that an enrolment link was used",
            Self::ChangedDevice => "a notice that a token is on another device",
            Self::ChangedAddress => "a notice, to the old one, that an address or number was changed",
        }
    }

    /// Whether the content is forgotten as soon as a provider has taken the message, so that no other route is tried where
    /// it does not arrive.
    #[must_use]
    pub const fn is_gone_once_sent(self) -> bool {
        matches!(self, Self::NewPassword)
    }

    /// Whether it is for whoever has the address, and so for nobody once the user has another: codes and passwords.
    #[must_use]
    pub const fn is_for_the_address(self) -> bool {
        matches!(self, Self::EmailOtp | Self::MobileCode | Self::HelpdeskCode | Self::NewPassword)
    }

    /// The wildcards that have a value in its texts. The look, [`Wildcard::LOOK`], is on offer everywhere.
    #[must_use]
    pub const fn offers(self) -> &'static [Wildcard] {
        match self {
            Self::PushToken => PUSH,
            Self::EmailOtp | Self::MobileCode => PURPOSED,
            Self::HelpdeskCode => READ_BACK,
            Self::NewPassword => PASSWORD,
            Self::TestMessage => TEST,
            Self::Enrolled | Self::LinkUsed | Self::ChangedDevice | Self::ChangedAddress => NOTICE,
        }
    }

    /// The wildcard without which its texts would be of no use. In HTML [`Wildcard::QrCode`] does for the link.
    #[must_use]
    pub const fn demands(self) -> Option<Wildcard> {
        match self {
            Self::PushToken => Some(Wildcard::Link),
            Self::EmailOtp | Self::MobileCode | Self::HelpdeskCode => Some(Wildcard::Code),
            Self::NewPassword => Some(Wildcard::Password),
            Self::TestMessage
            | Self::Enrolled
            | Self::LinkUsed
            | Self::ChangedDevice
            | Self::ChangedAddress => None,
        }
    }
}
