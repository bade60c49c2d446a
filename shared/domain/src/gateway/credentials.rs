//! What proves to a provider that it is Otpost who asks. Written once, never shown.

use super::values::is_uuid;
use super::{Kind, Part, Settings};
use crate::document::{Faults, Members, Place, Value, wrong_kind};
use crate::secret::SecretText;

/// Characters of a UUID as text.
const UUID: usize = 36;
/// Characters of a PIN that stands in an address: more would not fit beside the number.
const MOST_OF_PIN_IN_ADDRESS: usize = 32;

/// How a request to Twilio says who asks.
#[derive(Clone, Debug)]
pub enum TwilioLogin {
    /// With the account's auth token.
    AuthToken(SecretText),
    /// With an API key.
    ApiKey {
        /// The key's SID: the user of HTTP Basic authentication.
        sid: SecretText,
        /// The key's secret: its password.
        secret: SecretText,
        /// The account's auth token, for receipts alone.
        auth_token: Option<SecretText>,
    },
}

impl TwilioLogin {
    /// The key of the signatures of receipts; without it none can be checked.
    #[must_use]
    pub const fn signing_key(&self) -> Option<&SecretText> {
        match self {
            Self::AuthToken(token) => Some(token),
            Self::ApiKey { auth_token, .. } => auth_token.as_ref(),
        }
    }
}

/// An API key of GOV.UK Notify, of the right form.
#[derive(Clone, Debug)]
pub struct NotifyKey(SecretText);

impl NotifyKey {
    /// The id of the service: who asks.
    #[must_use]
    pub fn service_id(&self) -> &str {
        Self::cut(self.0.expose()).map_or("", |(service, _)| service)
    }

    /// The secret, whose text is the key of signatures as it stands.
    #[must_use]
    pub fn secret(&self) -> &str {
        Self::cut(self.0.expose()).map_or("", |(_, secret)| secret)
    }

    /// Service id and secret, cut from the end: the name in front may have hyphens of its own.
    pub(super) fn cut(text: &str) -> Option<(&str, &str)> {
        let (rest, secret) = text.split_at_checked(text.len().checked_sub(UUID)?)?;
        let rest = rest.strip_suffix('-')?;
        let (name, service) = rest.split_at_checked(rest.len().checked_sub(UUID)?)?;
        let named = name.strip_suffix('-').is_some_and(|name| !name.is_empty());
        (named && is_uuid(secret) && is_uuid(service)).then_some((service, secret))
    }
}

/// The credentials of a gateway.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Of a user of a server of mail.
    Smtp {
        /// The user.
        user: SecretText,
        /// The password.
        password: SecretText,
    },
    /// Of an account with Twilio.
    Twilio(TwilioLogin),
    /// Of a service of GOV.UK Notify.
    GovukNotify {
        /// The API key.
        api_key: NotifyKey,
        /// What receipts must bear.
        callback_token: Option<SecretText>,
    },
    /// Of a third party that turns mails into texts.
    EmailToSms {
        /// What stands in the places for it.
        pin: SecretText,
    },
}

impl Credentials {
    /// Of which kind of gateway they are.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Smtp { .. } => Kind::Smtp,
            Self::Twilio(_) => Kind::Twilio,
            Self::GovukNotify { .. } => Kind::GovukNotify,
            Self::EmailToSms { .. } => Kind::EmailToSms,
        }
    }

    /// Their parts by name, to be stored.
    #[must_use]
    pub fn parts(&self) -> Vec<(Part, &SecretText)> {
        let all = match self {
            Self::Smtp { user, password } => vec![(Part::User, Some(user)), (Part::Password, Some(password))],
            Self::Twilio(TwilioLogin::AuthToken(token)) => vec![(Part::AuthToken, Some(token))],
            Self::Twilio(TwilioLogin::ApiKey { sid, secret, auth_token }) => vec![
                (Part::AuthToken, auth_token.as_ref()),
                (Part::ApiKeySid, Some(sid)),
                (Part::ApiKeySecret, Some(secret)),
            ],
            Self::GovukNotify { api_key, callback_token } => {
                vec![(Part::ApiKey, Some(&api_key.0)), (Part::CallbackToken, callback_token.as_ref())]
            }
            Self::EmailToSms { pin } => vec![(Part::Pin, Some(pin))],
        };
        all.into_iter().filter_map(|(part, text)| text.map(|text| (part, text))).collect()
    }

    /// Reads what [`Credentials::parts`] gave.
    ///
    /// # Errors
    /// What is wrong with them for a gateway of this kind.
    pub fn from_parts(
        kind: Kind,
        parts: impl IntoIterator<Item = (Part, SecretText)>,
    ) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let root = Place::root();
        let mut taken = Taken::default();
        for (part, text) in parts {
            let place = root.member(part.as_str());
            if Part::of(kind).contains(&part) {
                taken.add(part, text, &place, &mut faults);
            } else {
                faults.add(&place, "is not known here");
            }
        }
        let read = taken.assemble(kind, &root, &mut faults);
        faults.or(read)
    }

    /// Reads what an operator writes.
    pub(super) fn read(kind: Kind, value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, at, faults)?;
        let mut taken = Taken::default();
        for part in Part::of(kind).iter().copied() {
            let place = members.place(part.as_str());
            match members.value(part.as_str()) {
                Some(Value::Text(text)) => taken.add(part, SecretText::new(text.as_str()), &place, faults),
                Some(other) => {
                    taken.seen.push(part);
                    wrong_kind::<()>("text", other, &place, faults);
                }
                None => (),
            }
        }
        members.done(faults);
        taken.assemble(kind, at, faults)
    }

    /// Whether these settings can do with them; tells of it otherwise.
    pub(super) fn fit(&self, settings: &Settings, at: &Place, faults: &mut Faults) {
        let (Settings::EmailToSms(settings), Self::EmailToSms { pin }) = (settings, self) else { return };
        let place = at.member(Part::Pin.as_str());
        if !settings.has_pin() {
            faults.add(&place, "must not be given: no pattern has a place for it");
        }
        let pin = pin.expose();
        let in_mailbox = pin.len() <= MOST_OF_PIN_IN_ADDRESS
            && settings.address.fits(pin)
            && pin
                .split('.')
                .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric()));
        if settings.address.has_pin() && !in_mailbox {
            faults.add(
                &place,
                "must be 1 to 32 letters, digits or inner dots, because it stands in the address",
            );
        }
    }
}

/// Parts on their way to credentials.
#[derive(Default)]
struct Taken {
    good: Vec<(Part, SecretText)>,
    /// Those that were given, good or not: nobody is told that one is missing that is only wrong.
    seen: Vec<Part>,
}

impl Taken {
    fn add(&mut self, part: Part, text: SecretText, at: &Place, faults: &mut Faults) {
        self.seen.push(part);
        if part.takes(text.expose()) {
            self.good.push((part, text));
        } else {
            faults.add(at, format!("must be {}", part.range()));
        }
    }

    fn take(&mut self, part: Part) -> Option<SecretText> {
        let index = self.good.iter().position(|(name, _)| *name == part)?;
        Some(self.good.swap_remove(index).1)
    }

    fn needed(&mut self, part: Part, at: &Place, faults: &mut Faults) -> Option<SecretText> {
        if !self.seen.contains(&part) {
            faults.add(&at.member(part.as_str()), "must be given");
        }
        self.take(part)
    }

    fn assemble(mut self, kind: Kind, at: &Place, faults: &mut Faults) -> Option<Credentials> {
        match kind {
            Kind::Ses => {
                faults.add(
                    at,
                    "must not be given: the sender function may use Amazon SES by the rights of its role",
                );
                None
            }
            Kind::Smtp => {
                let user = self.needed(Part::User, at, faults);
                let password = self.needed(Part::Password, at, faults);
                Some(Credentials::Smtp { user: user?, password: password? })
            }
            Kind::Twilio => self.twilio(at, faults).map(Credentials::Twilio),
            Kind::GovukNotify => {
                let api_key = self.needed(Part::ApiKey, at, faults);
                let callback_token = self.take(Part::CallbackToken);
                Some(Credentials::GovukNotify { api_key: NotifyKey(api_key?), callback_token })
            }
            Kind::EmailToSms => self.needed(Part::Pin, at, faults).map(|pin| Credentials::EmailToSms { pin }),
        }
    }

    fn twilio(&mut self, at: &Place, faults: &mut Faults) -> Option<TwilioLogin> {
        if !self.seen.contains(&Part::ApiKeySid) && !self.seen.contains(&Part::ApiKeySecret) {
            if !self.seen.contains(&Part::AuthToken) {
                faults.add(at, "must have auth_token, or api_key_sid and api_key_secret");
            }
            return self.take(Part::AuthToken).map(TwilioLogin::AuthToken);
        }
        let sid = self.needed(Part::ApiKeySid, at, faults);
        let secret = self.needed(Part::ApiKeySecret, at, faults);
        Some(TwilioLogin::ApiKey { sid: sid?, secret: secret?, auth_token: self.take(Part::AuthToken) })
    }
}
