//! Gateways as they are kept.

use super::{Configuration, Country, Credentials, GatewayDocument, Kind, Owner, Part, Settings};
use crate::contact::{EmailAddress, PhoneNumber};
use crate::ids::{BearerHash, GatewayId, TenantId};
use crate::message::Channel;
use crate::numbering::countries_of;
use crate::time::Timestamp;

/// To whom a gateway gives its credentials, as a hash of all that decides it.
///
/// Credentials are written once and never shown, but whoever may edit a gateway could have them sent: to a server of
/// their own, to a port where nothing checks who answers, in the clear, or under a certificate that they signed. So
/// each change of one of these voids the credentials, and whoever makes it must know them to give them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination(BearerHash);

impl Destination {
    fn of(settings: &Settings) -> Self {
        let texts: Vec<_> =
            [settings.kind().as_str().to_owned()].into_iter().chain(settings.destination()).collect();
        let parts: Vec<_> = texts.iter().map(String::as_bytes).collect();
        Self(BearerHash::of(&parts))
    }

    /// As stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Reads a stored one.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(BearerHash::stored(text))
    }
}

/// What is known of credentials that are kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialState {
    /// Under which name they are kept. It grants nothing.
    pub reference: String,
    /// When they were set.
    pub set_at: Timestamp,
    /// Which parts there are.
    pub parts: Vec<Part>,
    /// For whom they were given. They are for nobody else, whatever else the row says.
    pub destination: Destination,
}

/// What a change of a gateway means for its credentials.
#[derive(Clone, Debug)]
pub enum CredentialChange {
    /// They stay as they are, or there are none as before.
    Kept,
    /// These are to be stored; [`Gateway::holding`] then tells the gateway of them. Former ones are to be removed.
    Replaced(Credentials),
    /// They would go to somebody else: they are to be removed.
    Voided,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Its id, unique among its owner's.
    pub id: GatewayId,
    /// Whose it is.
    pub owner: Owner,
    /// What it is set to.
    pub configuration: Configuration,
    /// Its credentials, if it has any.
    pub credentials: Option<CredentialState>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Gateway {
    /// A new gateway, and the credentials to be stored for it.
    #[must_use]
    pub fn new(
        id: GatewayId,
        owner: Owner,
        document: GatewayDocument,
        now: Timestamp,
    ) -> (Self, Option<Credentials>) {
        let GatewayDocument { configuration, credentials } = document;
        let gateway = Self {
            id,
            owner,
            configuration,
            credentials: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        (gateway, credentials)
    }

    /// The same gateway with another document, and what that means for its credentials.
    #[must_use]
    pub fn becomes(&self, document: GatewayDocument, now: Timestamp) -> (Self, CredentialChange) {
        let (next, given) = Self::new(self.id.clone(), self.owner.clone(), document, now);
        let next = Self { version: self.version + 1, created_at: self.created_at, ..next };
        match (given, &self.credentials) {
            (Some(credentials), _) => (next, CredentialChange::Replaced(credentials)),
            (None, Some(held)) if held.destination != next.destination() => (next, CredentialChange::Voided),
            (None, held) => (Self { credentials: held.clone(), ..next }, CredentialChange::Kept),
        }
    }

    /// The gateway with credentials that were stored under `reference` for it as it now is.
    #[must_use]
    pub fn holding(self, reference: impl Into<String>, credentials: &Credentials, now: Timestamp) -> Self {
        let state = CredentialState {
            reference: reference.into(),
            set_at: now,
            parts: credentials.parts().into_iter().map(|(part, _)| part).collect(),
            destination: self.destination(),
        };
        Self { credentials: Some(state), ..self }
    }

    /// The gateway without credentials: for one whose mails another gateway carries, when that one's destination has
    /// changed, because the PIN goes where the mails go.
    #[must_use]
    pub fn without_credentials(&self, now: Timestamp) -> Self {
        Self { credentials: None, version: self.version + 1, updated_at: now, ..self.clone() }
    }

    /// What an operator writes of it. The credentials are left out, which keeps them.
    #[must_use]
    pub fn document(&self) -> GatewayDocument {
        GatewayDocument { configuration: self.configuration.clone(), credentials: None }
    }

    /// What it talks to.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.configuration.settings.kind()
    }

    /// To whom it gives its credentials.
    #[must_use]
    pub fn destination(&self) -> Destination {
        Destination::of(&self.configuration.settings)
    }

    /// Its credentials, unless they were given for another destination.
    #[must_use]
    pub fn usable_credentials(&self) -> Option<&CredentialState> {
        self.credentials.as_ref().filter(|held| held.destination == self.destination())
    }

    /// Whether it can send: it is enabled, and has the credentials that it needs.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.configuration.enabled && !self.lacks_credentials()
    }

    /// Whether it needs credentials and has none.
    #[must_use]
    pub fn lacks_credentials(&self) -> bool {
        self.configuration.settings.need_credentials() && self.usable_credentials().is_none()
    }

    /// Whether `tenant` may use it.
    #[must_use]
    pub fn serves(&self, tenant: &TenantId) -> bool {
        match &self.owner {
            Owner::Platform => {
                self.configuration.tenants.as_ref().is_some_and(|tenants| tenants.include(tenant))
            }
            Owner::Tenant(owner) => owner == tenant,
        }
    }

    /// Whether it may send a text to `country`. Policies may forbid what this allows.
    #[must_use]
    pub fn may_send_to(&self, country: Country) -> bool {
        self.kind().channel() == Channel::Sms
            && self.configuration.countries.as_ref().is_none_or(|countries| countries.contains(&country))
    }

    /// Whether it may send a text to `number`. Where it names countries, the number must be of one of them; one that may be
    /// of several needs all of these named, and one of no known country is refused. Policies may forbid what this allows.
    #[must_use]
    pub fn may_text(&self, number: &PhoneNumber) -> bool {
        let named = || {
            let countries = countries_of(number);
            !countries.is_empty() && countries.into_iter().all(|country| self.may_send_to(country))
        };
        self.kind().channel() == Channel::Sms && (self.configuration.countries.is_none() || named())
    }

    /// The address that its mails come from, if it sends mails of its own.
    #[must_use]
    pub fn sender_address(&self) -> Option<&EmailAddress> {
        match &self.configuration.settings {
            Settings::Ses(ses) => Some(&ses.from.address),
            Settings::Smtp(smtp) => Some(&smtp.from.address),
            Settings::Twilio(_) | Settings::GovukNotify(_) | Settings::EmailToSms(_) => None,
        }
    }

    /// The gateway that carries its mails, if it turns mails into texts.
    #[must_use]
    pub fn carrier(&self) -> Option<&GatewayId> {
        match &self.configuration.settings {
            Settings::EmailToSms(texts) => Some(&texts.via),
            _ => None,
        }
    }

    /// Whether it may carry the mails of `texts`: it sends mail, and has the same owner. What carries a PIN is never
    /// looked for among another owner's gateways: nobody else decides where it goes.
    #[must_use]
    pub fn may_carry(&self, texts: &Self) -> bool {
        self.owner == texts.owner && self.kind().channel() == Channel::Email
    }

    /// The gateway that carries its mails, found among those of its owner.
    #[must_use]
    pub fn carrier_among<'g>(&self, owned: &'g [Self]) -> Option<&'g Self> {
        let via = self.carrier()?;
        owned.iter().find(|gateway| gateway.id == *via && gateway.may_carry(self))
    }

    /// Whether it can send, and what carries its mails can too. `owned` are the gateways of its owner.
    #[must_use]
    pub fn is_ready_among(&self, owned: &[Self]) -> bool {
        let carried = self.carrier().is_none() || self.carrier_among(owned).is_some_and(Self::is_ready);
        self.is_ready() && carried
    }
}
