//! What directories put on the event bus, read into changes of people.
//!
//! An event comes as the body of a queue entry. [`Envelope`] is what EventBridge says of it, [`read()`] what is in it, in
//! the words of the source that it comes from: Otpost's own contract, Okta's log stream, Auth0's event stream. Members
//! that nobody asks for are passed over; of those that are ours, everything that is wrong is told at once, each fault at
//! its place. Faults and `Debug` repeat no value: it may be a name or an address.
//!
//! Which tenant an event is for follows from its account and source alone, which AWS vouches for. The tenant that an
//! event names is for comparison: [`Envelope::claimed_tenant`].

mod auth0;
mod contract;
mod okta;
#[cfg(test)]
mod tests;

use std::fmt;

use otpost_domain::directory::{Change, MOST_VERSION, SourceKind, SyncRun};
use otpost_domain::document::{Faults, Member, Members, Place, Value, parsed};
use otpost_domain::time::Timestamp;
use otpost_service::document::value_of;

/// The largest event that is read, in bytes as compact JSON: what EventBridge bills as one.
pub const MOST_BYTES: usize = 64 * 1024;

/// An event as EventBridge hands it on.
#[derive(Clone)]
pub struct Envelope {
    /// EventBridge's id of it; one that was forwarded has another.
    pub id: String,
    /// Who put it there. Those that begin with `aws.` only AWS and its partners can use.
    pub source: String,
    /// The account of whoever put it there, which nobody can choose.
    pub account: String,
    /// Its type, in the words of its source.
    pub detail_type: String,
    /// When it was put there.
    pub time: Timestamp,
    /// The region in which it was put there.
    pub region: String,
    detail: Value,
}

/// What an event comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Something is told of a person.
    Change(Change),
    /// A run over all people has ended.
    SyncCompleted(SyncRun),
    /// The event is of no concern.
    Nothing {
        /// Why.
        reason: &'static str,
    },
}

/// The event does not read; all that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(Faults);

impl Refused {
    /// What is wrong, with JSON Pointers into the event.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.0
    }

    fn whole(told: impl Into<String>) -> Self {
        let mut faults = Faults::default();
        faults.add(&Place::root(), told);
        Self(faults)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the event is refused: {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl Envelope {
    /// Reads the body of a queue entry.
    ///
    /// # Errors
    /// When it is no JSON, is too large, or lacks what EventBridge always gives.
    pub fn parse(body: &str) -> Result<Self, Refused> {
        let event = serde_json::from_str(body).map_err(|_| Refused::whole("is not JSON"))?;
        Self::of(&event)
    }

    /// Reads a body that was parsed already.
    ///
    /// # Errors
    /// When it is too large, or lacks what EventBridge always gives.
    pub fn of(event: &serde_json::Value) -> Result<Self, Refused> {
        if event.to_string().len() > MOST_BYTES {
            return Err(Refused::whole(format!("is larger than {MOST_BYTES} bytes")));
        }
        let mut faults = Faults::default();
        let read = Self::read(&value_of(event), &mut faults);
        faults.or(read).map_err(Refused)
    }

    fn read(event: &Value, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(event, &Place::root(), faults)?;
        let id = needed(&mut members, "id", faults, text::<1, 128>);
        let source = needed(&mut members, "source", faults, text::<1, 256>);
        let account = needed(&mut members, "account", faults, account);
        let detail_type = needed(&mut members, "detail-type", faults, text::<1, 128>);
        let time = needed(&mut members, "time", faults, time);
        let region = needed(&mut members, "region", faults, text::<1, 64>);
        let detail = needed(&mut members, "detail", faults, |value, at, faults| {
            Members::of(value, at, faults).map(|_| value.clone())
        });
        Some(Self {
            id: id?,
            source: source?,
            account: account?,
            detail_type: detail_type?,
            time: time?,
            region: region?,
            detail: detail?,
        })
    }

    /// The tenant that an event of the contract names, as it stands. Whoever can put events can write any name there:
    /// it may contradict the tenant that the source is registered for, and never chooses one.
    #[must_use]
    pub fn claimed_tenant(&self) -> Option<&str> {
        let Value::Object(detail) = &self.detail else { return None };
        let Some(Value::Object(metadata)) = detail.get("metadata") else { return None };
        match metadata.get("tenantId") {
            Some(Value::Text(tenant)) => Some(tenant),
            _ => None,
        }
    }
}

/// Without what the event tells.
impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("account", &self.account)
            .field("detail_type", &self.detail_type)
            .finish_non_exhaustive()
    }
}

/// Reads what an event tells, in the words of `kind`.
///
/// # Errors
/// All that is wrong with it.
pub fn read(envelope: &Envelope, kind: SourceKind) -> Result<Reading, Refused> {
    let mut faults = Faults::default();
    let reading = match kind {
        SourceKind::Contract => contract::read(envelope, &mut faults),
        SourceKind::Okta => okta::read(&envelope.detail, &mut faults),
        SourceKind::Auth0 => auth0::read(&envelope.detail, &mut faults),
    };
    faults.or(reading).map_err(Refused)
}

/// The place of what the source has written.
fn detail() -> Place {
    Place::root().member("detail")
}

/// A member that must be there, read by `read`.
fn needed<T>(
    members: &mut Members<'_>,
    name: &'static str,
    faults: &mut Faults,
    read: impl FnOnce(&Value, &Place, &mut Faults) -> Option<T>,
) -> Option<T> {
    if members.value(name).is_none() {
        faults.add(&members.place(name), "must be given");
        return None;
    }
    members.with(name, faults, read)
}

/// Text of `LEAST` to `MOST` characters, none of them a control character.
fn text<const LEAST: usize, const MOST: usize>(
    value: &Value,
    at: &Place,
    faults: &mut Faults,
) -> Option<String> {
    let text = String::read(value, at, faults)?;
    if !(LEAST..=MOST).contains(&text.chars().count()) || text.chars().any(char::is_control) {
        faults.add(at, format!("must be {LEAST} to {MOST} characters without control characters"));
        return None;
    }
    Some(text)
}

fn account(value: &Value, at: &Place, faults: &mut Faults) -> Option<String> {
    let text = String::read(value, at, faults)?;
    if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        faults.add(at, "must be an account's 12 digits");
        return None;
    }
    Some(text)
}

fn time(value: &Value, at: &Place, faults: &mut Faults) -> Option<Timestamp> {
    let time = Timestamp::parse_rfc3339(&String::read(value, at, faults)?);
    if time.is_none() {
        faults.add(at, "must be a time since 1970 with its offset, such as 2027-01-15T08:00:00Z (RFC 3339)");
    }
    time
}

/// A time as a version: milliseconds since 1970.
fn time_version(value: &Value, at: &Place, faults: &mut Faults) -> Option<u64> {
    let millis = time(value, at, faults)?.millis();
    if millis == 0 {
        faults.add(at, "must be later than the beginning of 1970");
        return None;
    }
    Some(millis.min(MOST_VERSION))
}

/// Reads text as `T`; it must be there.
fn needed_parsed<T, E: fmt::Display>(
    members: &mut Members<'_>,
    name: &'static str,
    faults: &mut Faults,
) -> Option<T>
where
    T: for<'t> TryFrom<&'t str, Error = E>,
{
    needed(members, name, faults, parsed)
}
