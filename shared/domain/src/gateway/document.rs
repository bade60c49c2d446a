//! What an operator writes of a gateway.

use std::collections::BTreeSet;

use super::{Country, Credentials, Kind, Settings, Smtp};
use crate::contact::DisplayName;
use crate::document::{Faults, Member, Members, Place, Value, Whole, parsed, wrong_kind};
use crate::ids::{InvalidId, PLATFORM, TenantId};
use crate::message::Channel;

/// Gateways that the platform, or a tenant, may have: what a sender reads of them stays small.
pub const MOST_GATEWAYS: usize = 32;
/// Tenants that a gateway of the platform may name.
pub const MOST_TENANTS: usize = 250;

/// Whose a gateway is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// The platform's: it says what tenants may use it.
    Platform,
    /// A tenant's, for itself.
    Tenant(TenantId),
}

impl Owner {
    /// As stored: the tenant's id, or a word that is no tenant's.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Platform => PLATFORM,
            Self::Tenant(tenant) => tenant.as_str(),
        }
    }

    /// Reads what `as_str` gives.
    ///
    /// # Errors
    /// When it is neither.
    pub fn stored(text: &str) -> Result<Self, InvalidId> {
        if text == PLATFORM { Ok(Self::Platform) } else { TenantId::try_from(text).map(Self::Tenant) }
    }

    /// The tenant, if it is one.
    #[must_use]
    pub const fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Platform => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }
}

/// The tenants that may use a gateway of the platform. An empty list lets nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// All, those included that are made later.
    All,
    /// These.
    Named(BTreeSet<TenantId>),
}

impl Tenants {
    /// Whether `tenant` is among them.
    #[must_use]
    pub fn include(&self, tenant: &TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Named(named) => named.contains(tenant),
        }
    }
}

impl Member for Tenants {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, at, faults)?;
        let all: Option<bool> = members.optional("all", faults);
        let named = members.with("named", faults, |value, at, faults| set(value, at, faults, parsed));
        let one = members.value("all").is_some() != members.value("named").is_some();
        members.done(faults);
        if !one || all == Some(false) {
            faults.add(at, "must be {\"all\": true} or {\"named\": […]}");
            return None;
        }
        all.map(|_| Self::All).or(named.map(Self::Named))
    }

    fn write(&self) -> Value {
        match self {
            Self::All => Value::object([("all", Value::Flag(true))]),
            Self::Named(named) => {
                let ids = named.iter().map(|id| Value::text(id.as_str())).collect();
                Value::object([("named", Value::List(ids))])
            }
        }
    }
}

/// What a gateway is set to: all but its credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What its operators call it.
    pub name: DisplayName,
    /// Whether anything is sent by it.
    pub enabled: bool,
    /// To which countries it may send texts; none for all that policies allow.
    pub countries: Option<BTreeSet<Country>>,
    /// How many messages it is given in a second, about; none for as many as there are.
    pub rate_per_second: Option<Whole<1, 1000>>,
    /// What tenants may use it; only of a gateway of the platform.
    pub tenants: Option<Tenants>,
    /// The settings of its kind.
    pub settings: Settings,
}

impl Configuration {
    /// The configuration as it is written: a document without credentials.
    #[must_use]
    pub fn write(&self) -> Value {
        let mut members = vec![
            ("name", self.name.write()),
            ("kind", self.settings.kind().write()),
            ("enabled", self.enabled.write()),
            ("settings", self.settings.write()),
        ];
        let countries = self.countries.as_ref();
        let countries = countries.map(|set| Value::List(set.iter().map(Member::write).collect()));
        members.extend(countries.map(|value| ("countries", value)));
        members.extend(self.rate_per_second.map(|rate| ("rate_per_second", rate.write())));
        members.extend(self.tenants.as_ref().map(|tenants| ("tenants", tenants.write())));
        Value::object(members)
    }
}

/// What an operator writes: the gateway without its id and history.
#[derive(Clone, Debug)]
pub struct GatewayDocument {
    /// What it is set to.
    pub configuration: Configuration,
    /// Its credentials. Left out, a gateway keeps those that it has, unless they are void.
    pub credentials: Option<Credentials>,
}

impl GatewayDocument {
    /// Reads a document of a gateway of `owner`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(value: &Value, owner: &Owner) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Self::read_members(value, owner, &mut faults);
        faults.or(read)
    }

    fn read_members(value: &Value, owner: &Owner, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, &Place::root(), faults)?;
        let name = members.needed("name", faults);
        let kind = members.needed("kind", faults);
        if kind == Some(Kind::Ses) && *owner != Owner::Platform {
            // Whoever may send by the account may send as any of its verified senders, other tenants' among them.
            let at = members.place("kind");
            faults
                .add(&at, "must not be ses for a gateway of a tenant: Amazon SES is the platform's account");
        }
        let enabled = members.optional("enabled", faults).unwrap_or(true);
        let countries = members.with("countries", faults, countries);
        if members.value("countries").is_some() && kind.is_some_and(|kind| kind.channel() == Channel::Email) {
            faults.add(&members.place("countries"), "must not be given: it is for gateways for texts");
        }
        let rate_per_second = members.optional("rate_per_second", faults);
        let tenants = tenants(&mut members, owner, faults);
        if members.value("settings").is_none() {
            faults.add(&members.place("settings"), "must be given: the settings of its kind");
        }
        let settings =
            members.with("settings", faults, |value, at, faults| Settings::read(kind?, value, at, faults));
        let credentials = credentials(&mut members, kind, settings.as_ref(), faults);
        members.done(faults);
        let configuration =
            Configuration { name: name?, enabled, countries, rate_per_second, tenants, settings: settings? };
        Some(Self { configuration, credentials })
    }

    /// The document as it is written, without the credentials.
    #[must_use]
    pub fn write(&self) -> Value {
        self.configuration.write()
    }
}

fn tenants(members: &mut Members<'_>, owner: &Owner, faults: &mut Faults) -> Option<Tenants> {
    let at = members.place("tenants");
    let given = members.value("tenants").is_some();
    match owner {
        Owner::Platform if !given => faults.add(&at, "must be given: what tenants may use the gateway"),
        Owner::Platform => return members.optional("tenants", faults),
        Owner::Tenant(_) if given => {
            faults.add(&at, "must not be given: a gateway of a tenant is for that tenant alone");
        }
        Owner::Tenant(_) => (),
    }
    None
}

fn credentials(
    members: &mut Members<'_>,
    kind: Option<Kind>,
    settings: Option<&Settings>,
    faults: &mut Faults,
) -> Option<Credentials> {
    let open = kind == Some(Kind::Smtp) && members.value("settings").is_some_and(Smtp::is_open);
    members.with("credentials", faults, |value, at, faults| {
        if open {
            faults.add(at, "must not be given where authentication is none");
        }
        let read = Credentials::read(kind?, value, at, faults);
        if let (Some(credentials), Some(settings)) = (&read, settings) {
            credentials.fit(settings, at, faults);
        }
        read
    })
}

fn countries(value: &Value, at: &Place, faults: &mut Faults) -> Option<BTreeSet<Country>> {
    let countries = set(value, at, faults, Country::read)?;
    if countries.is_empty() {
        faults.add(at, "must name at least one country, or be left out");
    }
    Some(countries)
}

/// Reads a list whose items count once each.
fn set<T: Ord>(
    value: &Value,
    at: &Place,
    faults: &mut Faults,
    read: impl Fn(&Value, &Place, &mut Faults) -> Option<T>,
) -> Option<BTreeSet<T>> {
    let Value::List(items) = value else { return wrong_kind("a list", value, at, faults) };
    if items.len() > MOST_TENANTS {
        faults.add(at, format!("must name at most {MOST_TENANTS}"));
        return None;
    }
    let read: Vec<_> =
        items.iter().enumerate().map(|(index, item)| read(item, &at.item(index), faults)).collect();
    read.into_iter().collect()
}
