//! Okta's System Log, streamed to EventBridge.
//!
//! Certain, from Okta's reference: `detail` is one log event with `eventType`, `published`, `outcome.result` and
//! `target`, a list of what was acted on, each with `id`, `type`, and perhaps `alternateId` and `displayName`. Of a
//! `User`, in every published example, these are the login and the full name; of a `UserGroup` `displayName` is its name
//! and `alternateId` is `unknown`. Events come at least once and in any order; `published` orders them.
//!
//! Not certain: whether other members ever hold more of a profile. Nothing here relies on it. So an event of the log
//! says that somebody is there or not, their login, full name and memberships, and nothing of addresses or languages.
//! The login is taken as e-mail address where it has that form and none is known. A changed profile cannot be followed.

use otpost_domain::contact::{DisplayName, EmailAddress};
use otpost_domain::directory::{Change, ExternalId, Person, Said, Told};
use otpost_domain::document::{Faults, Members, Place, Value, parsed};
use otpost_domain::tenant::GroupName;

use super::{Reading, detail, needed, needed_parsed, text, time_version};

/// What an event of the log does to its person.
#[derive(Clone, Copy)]
enum Act {
    Appear,
    Disable,
    Delete,
    Join,
    Leave,
}

/// What a type of event does, or why it is of no concern. A deletion is told when it begins and when it has ended. That
/// a person is reactivated means that they are asked anew to finish their activation.
fn act(event_type: &str) -> Result<Act, &'static str> {
    match event_type {
        "user.lifecycle.create"
        | "user.lifecycle.activate"
        | "user.lifecycle.reactivate"
        | "user.lifecycle.unsuspend" => Ok(Act::Appear),
        "user.lifecycle.deactivate" | "user.lifecycle.suspend" | "user.lifecycle.delete.initiated" => {
            Ok(Act::Disable)
        }
        "user.lifecycle.delete.completed" => Ok(Act::Delete),
        "group.user_membership.add" => Ok(Act::Join),
        "group.user_membership.remove" => Ok(Act::Leave),
        "user.account.update_profile" => Err("a changed profile, of which the log does not say what it is"),
        _ => Err("an event of the log that tells nothing of who is there"),
    }
}

pub(super) fn read(event: &Value, faults: &mut Faults) -> Option<Reading> {
    let mut members = Members::of(event, &detail(), faults)?;
    let event_type = needed(&mut members, "eventType", faults, text::<1, 255>)?;
    let act = match act(&event_type) {
        Ok(act) => act,
        Err(reason) => return Some(Reading::Nothing { reason }),
    };
    if members.with("outcome", faults, failed) == Some(true) {
        return Some(Reading::Nothing { reason: "it was tried without success" });
    }
    let version = needed(&mut members, "published", faults, time_version);
    let told = needed(&mut members, "target", faults, |value, at, faults| told(act, value, at, faults));
    let (external_id, told) = told?;
    Some(Reading::Change(Change { external_id, version: version?, told }))
}

/// Whether an outcome is given that is no success.
fn failed(value: &Value, at: &Place, faults: &mut Faults) -> Option<bool> {
    let result: String = Members::of(value, at, faults)?.needed("result", faults)?;
    Some(result != "SUCCESS")
}

fn told(act: Act, targets: &Value, at: &Place, faults: &mut Faults) -> Option<(ExternalId, Told)> {
    let user = only("User", targets, at, faults);
    let told = match act {
        Act::Disable => Some(Told::Disabled),
        Act::Delete => Some(Told::Deleted),
        Act::Appear => user.as_ref().and_then(|(user, at)| person(user, at, faults)).map(Told::Upserted),
        Act::Join => group(targets, at, faults).map(Told::JoinedGroup),
        Act::Leave => group(targets, at, faults).map(Told::LeftGroup),
    };
    let (user, at) = user?;
    let id = needed_parsed(&mut Members::of(user, &at, faults)?, "id", faults);
    Some((id?, told?))
}

/// The one target of this type.
fn only<'v>(kind: &str, targets: &'v Value, at: &Place, faults: &mut Faults) -> Option<(&'v Value, Place)> {
    let items = match targets {
        Value::List(items) => items.as_slice(),
        _ => &[],
    };
    let is = |item: &Value| match item {
        Value::Object(members) => members.get("type").is_some_and(|given| *given == Value::text(kind)),
        _ => false,
    };
    let mut found = items.iter().enumerate().filter(|(_, item)| is(item));
    if let (Some((index, item)), None) = (found.next(), found.next()) {
        return Some((item, at.item(index)));
    }
    faults.add(at, format!("must be a list with exactly one {kind}"));
    None
}

fn person(user: &Value, at: &Place, faults: &mut Faults) -> Option<Person> {
    let mut members = Members::of(user, at, faults)?;
    let login: Option<String> = members.needed("alternateId", faults);
    let user_name = needed_parsed(&mut members, "alternateId", faults);
    let display_name: Option<DisplayName> = members.with("displayName", faults, parsed);
    let email = login.and_then(|login| EmailAddress::try_from(login.as_str()).ok());
    Some(Person {
        user_name: user_name?,
        active: true,
        display_name: display_name.map_or(Said::Unsaid, Said::Is),
        email: email.map_or(Said::Unsaid, Said::Perhaps),
        phone: Said::Unsaid,
        locale: Said::Unsaid,
        groups: None,
    })
}

fn group(targets: &Value, at: &Place, faults: &mut Faults) -> Option<GroupName> {
    let (group, at) = only("UserGroup", targets, at, faults)?;
    needed_parsed(&mut Members::of(group, &at, faults)?, "displayName", faults)
}
