//! Gateways: accounts with providers, made by operators at run time, through which messages leave.
//!
//! A gateway belongs to a tenant, or to the platform, which says what tenants may use it. What an operator writes is a
//! document; the credentials in it are kept apart from the rest, are never shown, and are void as soon as the gateway
//! would give them to somebody else.

mod advice;
mod country;
mod credentials;
mod document;
mod email_to_sms;
mod fields;
mod govuk_notify;
mod part;
mod pattern;
mod reach;
mod ses;
mod smtp;
mod stored;
mod twilio;
mod values;

pub use advice::Advice;
pub use country::{Country, InvalidCountry};
pub use credentials::{Credentials, NotifyKey, TwilioLogin};
pub use document::{Configuration, GatewayDocument, MOST_GATEWAYS, MOST_TENANTS, Owner, Tenants};
pub use email_to_sms::{EmailToSms, NumberForm, Text, Unfit};
pub use fields::{Field, Usual};
pub use govuk_notify::{GovukNotify, Placeholder};
pub use part::Part;
pub use pattern::{AddressPattern, BodyPattern, SubjectPattern};
pub use reach::Reach;
pub use ses::Ses;
pub use smtp::{Authentication, Smtp, Tls};
pub use stored::{CredentialChange, CredentialState, Destination, Gateway};
pub use twilio::Twilio;
pub use values::{
    AccountSid, CallingCode, Certificates, DomainName, Host, Mailbox, MessagingServiceSid, SesName,
    TextSender, TrunkPrefix, Uuid,
};

use crate::document::{Faults, Place, Value};
use crate::message::Channel;
use crate::named::named;
use crate::policy::words;

named! {
    /// What a gateway talks to.
    pub enum Kind {
        /// Amazon SES in the deployment's own account.
        Ses = "ses",
        /// A server of mail, over SMTP (RFC 5321).
        Smtp = "smtp",
        /// Twilio's API for messages.
        Twilio = "twilio",
        /// GOV.UK Notify.
        GovukNotify = "govuk_notify",
        /// A third party that turns mails into texts.
        EmailToSms = "email_to_sms",
    }
}

words!(Kind);

impl Kind {
    /// The channel that it serves.
    #[must_use]
    pub const fn channel(self) -> Channel {
        match self {
            Self::Ses | Self::Smtp => Channel::Email,
            Self::Twilio | Self::GovukNotify | Self::EmailToSms => Channel::Sms,
        }
    }

    /// Whether a gateway of this kind may have credentials.
    #[must_use]
    pub const fn takes_credentials(self) -> bool {
        !Part::of(self).is_empty()
    }

    /// Its settings, in the order in which they are documented.
    #[must_use]
    pub fn fields(self) -> Vec<Field> {
        match self {
            Self::Ses => Ses::fields(),
            Self::Smtp => Smtp::fields(),
            Self::Twilio => Twilio::fields(),
            Self::GovukNotify => GovukNotify::fields(),
            Self::EmailToSms => EmailToSms::fields(),
        }
    }
}

/// The settings of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// Of Amazon SES.
    Ses(Ses),
    /// Of a server of mail.
    Smtp(Box<Smtp>),
    /// Of Twilio.
    Twilio(Twilio),
    /// Of GOV.UK Notify.
    GovukNotify(GovukNotify),
    /// Of a third party that turns mails into texts.
    EmailToSms(Box<EmailToSms>),
}

impl Settings {
    /// Of which kind they are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ses(_) => Kind::Ses,
            Self::Smtp(_) => Kind::Smtp,
            Self::Twilio(_) => Kind::Twilio,
            Self::GovukNotify(_) => Kind::GovukNotify,
            Self::EmailToSms(_) => Kind::EmailToSms,
        }
    }

    /// Whether nothing can be sent with them unless there are credentials.
    #[must_use]
    pub fn need_credentials(&self) -> bool {
        match self {
            Self::Ses(_) => false,
            Self::Smtp(smtp) => smtp.authentication != Authentication::None,
            Self::Twilio(_) | Self::GovukNotify(_) => true,
            Self::EmailToSms(texts) => texts.has_pin(),
        }
    }

    /// Reads settings of `kind`; none where something is wrong with them.
    pub fn read(kind: Kind, value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let before = faults.all().len();
        let read = match kind {
            Kind::Ses => Ses::read(value, at, faults).map(Self::Ses),
            Kind::Smtp => Smtp::read(value, at, faults).map(|smtp| Self::Smtp(Box::new(smtp))),
            Kind::Twilio => Twilio::read(value, at, faults).map(Self::Twilio),
            Kind::GovukNotify => GovukNotify::read(value, at, faults).map(Self::GovukNotify),
            Kind::EmailToSms => {
                EmailToSms::read(value, at, faults).map(|texts| Self::EmailToSms(Box::new(texts)))
            }
        };
        read.filter(|_| faults.all().len() == before)
    }

    /// The settings as they are written.
    #[must_use]
    pub fn write(&self) -> Value {
        match self {
            Self::Ses(settings) => settings.write(),
            Self::Smtp(settings) => settings.write(),
            Self::Twilio(settings) => settings.write(),
            Self::GovukNotify(settings) => settings.write(),
            Self::EmailToSms(settings) => settings.write(),
        }
    }

    /// What decides who is given the credentials: a change of it voids them.
    fn destination(&self) -> Vec<String> {
        match self {
            Self::Ses(_) | Self::GovukNotify(_) => Vec::new(),
            Self::Smtp(smtp) => smtp.destination(),
            Self::Twilio(twilio) => vec![twilio.account_sid.as_str().to_owned()],
            Self::EmailToSms(texts) => texts.destination(),
        }
    }
}

#[cfg(test)]
mod tests;
