//! Otpost's own contract, as `events/directory/schemas` has it and `docs/directory.md` explains it.
//!
//! Each event is a full picture: what is left out, or null, is not there, and a person without `groups` is in none.

use std::collections::BTreeSet;

use otpost_domain::contact::{DisplayName, Locale};
use otpost_domain::directory::{
    Change, ExternalId, Listed, MOST_ADDRESSES, MOST_VERSION, Person, Said, SyncRun, Told, main_address,
};
use otpost_domain::document::{Faults, Member as _, Members, Place, Value, Whole, parsed, word, wrong_kind};
use otpost_domain::ids::TenantId;
use otpost_domain::tenant::{GroupName, MOST_GROUPS};

use super::{Envelope, Reading, detail, needed, needed_parsed, text, time};

/// The types of the contract's events.
#[derive(Clone, Copy)]
enum Event {
    Upserted,
    Disabled,
    Deleted,
    SyncCompleted,
}

impl Event {
    const ALL: [Self; 4] = [Self::Upserted, Self::Disabled, Self::Deleted, Self::SyncCompleted];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Upserted => "directory.user.upserted.v1",
            Self::Disabled => "directory.user.disabled.v1",
            Self::Deleted => "directory.user.deleted.v1",
            Self::SyncCompleted => "directory.sync.completed.v1",
        }
    }
}

/// Where a directory's people come from in the end.
const ORIGINS: [&str; 7] = ["okta", "entra", "auth0", "cognito", "ldap", "identity-center", "other"];

pub(super) fn read(envelope: &Envelope, faults: &mut Faults) -> Option<Reading> {
    let given = Value::text(envelope.detail_type.as_str());
    let event = word(&Event::ALL, Event::as_str, &given, &Place::root().member("detail-type"), faults);
    let mut members = Members::of(&envelope.detail, &detail(), faults)?;
    let version = needed(&mut members, "metadata", faults, metadata);
    let told = needed(&mut members, "data", faults, |value, at, faults| match event? {
        Event::Upserted => person(value, at, faults),
        Event::Disabled => gone(value, at, faults).map(|id| Data::Of(id, Told::Disabled)),
        Event::Deleted => gone(value, at, faults).map(|id| Data::Of(id, Told::Deleted)),
        Event::SyncCompleted => run(value, at, faults),
    });
    let version = version?;
    Some(match told? {
        Data::Of(external_id, told) => Reading::Change(Change { external_id, version, told }),
        Data::Run(run) => Reading::SyncCompleted(SyncRun { version, ..run }),
    })
}

/// What an event's `data` has.
enum Data {
    Of(ExternalId, Told),
    /// Its version is in the metadata.
    Run(SyncRun),
}

/// Reads the metadata, of which the version is kept.
fn metadata(value: &Value, at: &Place, faults: &mut Faults) -> Option<u64> {
    let mut members = Members::of(value, at, faults)?;
    needed(&mut members, "eventId", faults, text::<8, 64>);
    needed_parsed::<TenantId, _>(&mut members, "tenantId", faults);
    needed(&mut members, "occurredAt", faults, time);
    needed(&mut members, "source", faults, |value, at, faults| {
        word(&ORIGINS, |origin| origin, value, at, faults)
    });
    members.with("correlationId", faults, text::<0, 64>);
    needed(&mut members, "version", faults, |value, at, faults| {
        let version = match value {
            Value::Whole(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        let version = version.filter(|version| (1..=MOST_VERSION).contains(version));
        if version.is_none() {
            faults.add(at, format!("must be a whole number from 1 to {MOST_VERSION}"));
        }
        version
    })
}

fn gone(value: &Value, at: &Place, faults: &mut Faults) -> Option<ExternalId> {
    let mut members = Members::of(value, at, faults)?;
    needed_parsed(&mut members, "externalId", faults)
}

fn run(value: &Value, at: &Place, faults: &mut Faults) -> Option<Data> {
    let mut members = Members::of(value, at, faults)?;
    let started_at = needed(&mut members, "startedAt", faults, time);
    let users = members.optional::<Whole<0, { u32::MAX }>>("users", faults).map(Whole::get);
    Some(Data::Run(SyncRun { version: 0, started_at: started_at?, users }))
}

fn person(value: &Value, at: &Place, faults: &mut Faults) -> Option<Data> {
    let mut members = Members::of(value, at, faults)?;
    let external_id = needed_parsed(&mut members, "externalId", faults);
    let user_name = needed_parsed(&mut members, "userName", faults);
    let active = members.needed("active", faults);
    let display_name = display_name(&mut members, faults);
    let locale: Option<Locale> = members.with("locale", faults, parsed);
    let email = members.with("emails", faults, |value, at, faults| addresses(value, "work", at, faults));
    let phone = members.with("phones", faults, |value, at, faults| addresses(value, "mobile", at, faults));
    let groups = members.with("groups", faults, groups);
    let person = Person {
        user_name: user_name?,
        active: active?,
        display_name: Said::fully(display_name),
        email: email.unwrap_or(Said::Absent),
        phone: phone.unwrap_or(Said::Absent),
        locale: Said::fully(locale),
        groups: Some(groups.unwrap_or_default()),
    };
    Some(Data::Of(external_id?, Told::Upserted(person)))
}

/// The display name; else the given and the family name, or one of them.
fn display_name(members: &mut Members<'_>, faults: &mut Faults) -> Option<DisplayName> {
    let display: Option<DisplayName> = members.with("displayName", faults, parsed);
    let given: Option<DisplayName> = members.with("givenName", faults, parsed);
    let family: Option<DisplayName> = members.with("familyName", faults, parsed);
    let both = given.as_ref().zip(family.as_ref()).and_then(|(given, family)| {
        DisplayName::try_from(format!("{} {}", given.as_str(), family.as_str()).as_str()).ok()
    });
    display.or(both).or(given).or(family)
}

/// The one address of a list that counts.
fn addresses<T, E>(value: &Value, purpose: &str, at: &Place, faults: &mut Faults) -> Option<Said<T>>
where
    T: for<'t> TryFrom<&'t str, Error = E>,
    E: std::fmt::Display,
{
    let items = list(value, MOST_ADDRESSES, at, faults)?;
    let given: Vec<_> =
        items.iter().enumerate().map(|(i, item)| address(item, &at.item(i), faults)).collect();
    let given: Vec<Address> = given.into_iter().collect::<Option<_>>()?;
    let listed: Vec<_> = given
        .iter()
        .map(|(value, purpose, primary)| Listed { value, purpose: purpose.as_deref(), primary: *primary })
        .collect();
    match main_address(&listed, purpose) {
        Ok(found) => Some(Said::fully(found)),
        Err(wrong) => {
            for (index, fault) in wrong {
                faults.add(&at.item(index).member("value"), fault.to_string());
            }
            None
        }
    }
}

/// An address as it stands, what it is for, whether it is the primary one.
type Address = (String, Option<String>, bool);

fn address(value: &Value, at: &Place, faults: &mut Faults) -> Option<Address> {
    let mut members = Members::of(value, at, faults)?;
    let address = members.needed("value", faults);
    let purpose = members.value("type").map(|value| String::read(value, &at.member("type"), faults));
    let primary = members.value("primary").map(|value| bool::read(value, &at.member("primary"), faults));
    let purpose = purpose.map_or(Some(None), |read| read.map(Some))?;
    Some((address?, purpose, primary.unwrap_or(Some(false))?))
}

fn groups(value: &Value, at: &Place, faults: &mut Faults) -> Option<BTreeSet<GroupName>> {
    let items = list(value, MOST_GROUPS, at, faults)?;
    let read: Vec<_> = items.iter().enumerate().map(|(i, item)| parsed(item, &at.item(i), faults)).collect();
    read.into_iter().collect()
}

fn list<'v>(value: &'v Value, most: usize, at: &Place, faults: &mut Faults) -> Option<&'v [Value]> {
    let Value::List(items) = value else { return wrong_kind("a list", value, at, faults) };
    if items.len() > most {
        faults.add(at, format!("must be at most {most}"));
        return None;
    }
    Some(items)
}
