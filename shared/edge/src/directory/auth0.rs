//! Auth0's event streams on EventBridge: `user.created`, `user.updated`, `user.deleted`.
//!
//! Certain, from Auth0's reference: an event is a `CloudEvent` with `type`, `time`, `a0tenant`, and the whole user in
//! `data.object`: `user_id`, `updated_at`, and perhaps `username`, `email`, `email_verified`, `phone_number`,
//! `phone_verified`, `name`, `blocked`; a deleted one has `deleted_at`. An event sent to try a stream out has
//! `a0purpose: test`. Events come at least once and in any order; `updated_at` orders them.
//!
//! Not certain: which `detail-type` EventBridge gives them, so it is not looked at; and whether `type` stands alone or
//! after `com.auth0.`, as Auth0's own pages have both, so both are read. Groups and languages are no part of it.
//!
//! Auth0's older log streams have a `log_id` and no profile: of no concern.

use otpost_domain::contact::{DisplayName, EmailAddress, PhoneNumber};
use otpost_domain::directory::{Change, ExternalId, Person, Said, Told};
use otpost_domain::document::{Faults, Members, Place, Value, parsed};
use otpost_domain::ids::UserId;

use super::{Reading, detail, needed, needed_parsed, text, time_version};

pub(super) fn read(event: &Value, faults: &mut Faults) -> Option<Reading> {
    let mut members = Members::of(event, &detail(), faults)?;
    if members.value("type").is_none() && members.value("log_id").is_some() {
        return Some(Reading::Nothing { reason: "an event of a log stream, which has no profile" });
    }
    let event_type = needed(&mut members, "type", faults, text::<1, 128>)?;
    let deleted = match event_type.strip_prefix("com.auth0.").unwrap_or(&event_type) {
        "user.created" | "user.updated" => false,
        "user.deleted" => true,
        _ => return Some(Reading::Nothing { reason: "an event that tells nothing of who is there" }),
    };
    if members.value("a0purpose").is_some_and(|purpose| *purpose == Value::text("test")) {
        return Some(Reading::Nothing { reason: "an event sent to try the stream out" });
    }
    let change = needed(&mut members, "data", faults, |data, at, faults| {
        let mut members = Members::of(data, at, faults)?;
        needed(&mut members, "object", faults, |user, at, faults| change(deleted, user, at, faults))
    });
    change.map(Reading::Change)
}

fn change(deleted: bool, user: &Value, at: &Place, faults: &mut Faults) -> Option<Change> {
    let mut members = Members::of(user, at, faults)?;
    let external_id: Option<ExternalId> = needed_parsed(&mut members, "user_id", faults);
    let version =
        needed(&mut members, if deleted { "deleted_at" } else { "updated_at" }, faults, time_version);
    let blocked: Option<bool> = if deleted { None } else { members.optional("blocked", faults) };
    // Whoever must not get in is kept out, whatever else is wrong with their profile.
    let told = match (deleted, blocked) {
        (true, _) => Some(Told::Deleted),
        (false, Some(true)) => Some(Told::Disabled),
        _ => person(&mut members, faults).map(Told::Upserted),
    };
    Some(Change { external_id: external_id?, version: version?, told: told? })
}

fn person(members: &mut Members<'_>, faults: &mut Faults) -> Option<Person> {
    let email: Option<EmailAddress> = members.with("email", faults, parsed);
    let email_verified: Option<bool> = members.optional("email_verified", faults);
    let phone: Option<PhoneNumber> = members.with("phone_number", faults, parsed);
    let phone_verified: Option<bool> = members.optional("phone_verified", faults);
    let display_name: Option<DisplayName> = members.with("name", faults, parsed);
    // An address that nobody has shown to be theirs gets no links to tokens.
    let email = email.filter(|_| email_verified != Some(false));
    let phone = phone.filter(|_| phone_verified != Some(false));
    Some(Person {
        user_name: user_name(members, faults)?,
        active: true,
        display_name: Said::fully(display_name),
        email: Said::fully(email),
        phone: Said::fully(phone),
        locale: Said::Unsaid,
        groups: None,
    })
}

/// The user name; of those who sign in by their address, the address.
fn user_name(members: &mut Members<'_>, faults: &mut Faults) -> Option<UserId> {
    let name = if members.value("username").is_some() { "username" } else { "email" };
    needed_parsed(members, name, faults)
}
