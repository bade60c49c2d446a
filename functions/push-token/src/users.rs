//! Users.

#![expect(clippy::option_option, reason = "the three cases of a change: stays, goes, becomes")]

use std::collections::BTreeSet;

use otpost_domain::contact::{DisplayName, EmailAddress, InvalidContact, Locale, PhoneNumber};
use otpost_domain::ids::UserId;
use otpost_domain::tenant::{GroupName, MOST_GROUPS, User};
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, json, json_versioned, no_content, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::{Clock as _, Ports};
use otpost_service::users::{self, Change, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::ROUTES;

const MISSING: &str = "There is no user of this id.";

/// A user to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The name under which the application knows them: 1 to 128 letters, digits or `. _ @ + -`; case does not count.
    user: String,
    /// How mails address them, 1 to 128 characters.
    display_name: Option<String>,
    /// Where mails go.
    email: Option<String>,
    /// Where texts go: E.164, such as +447700900123.
    phone: Option<String>,
    /// The language of their messages (BCP 47); by policy unless given.
    locale: Option<String>,
    /// The groups that they are in, which policies may cover: at most 200, of 1 to 128 characters.
    #[serde(default)]
    groups: Vec<String>,
}

/// A page of users.
#[derive(JsonSchema, Serialize)]
struct Users {
    /// The users, by id. One who was made or deleted a moment ago may be missed, or still listed.
    users: Vec<UserView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A change: what is left out stays, null takes a value away.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserChange {
    /// How mails address them.
    #[serde(default, deserialize_with = "given")]
    display_name: Option<Option<String>>,
    /// Where mails go.
    #[serde(default, deserialize_with = "given")]
    email: Option<Option<String>>,
    /// Where texts go: E.164.
    #[serde(default, deserialize_with = "given")]
    phone: Option<Option<String>>,
    /// The language of their messages (BCP 47).
    #[serde(default, deserialize_with = "given")]
    locale: Option<Option<String>>,
    /// The groups that they are in, all of them.
    groups: Option<Vec<String>>,
    /// An inactive user's codes are refused.
    active: Option<bool>,
}

/// A user.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "User")]
struct UserView {
    /// The name under which the application knows them.
    user: String,
    /// How mails address them.
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    /// Where mails go.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// Where texts go.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// Whether the mail address is known to reach them. One that took the place of another is not until a code that went
    /// there has come back, or for 72 hours; codes that let somebody in do not go there.
    #[serde(skip_serializing_if = "Option::is_none")]
    email_confirmed: Option<bool>,
    /// The same of the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_confirmed: Option<bool>,
    /// The language of their messages, if it is not by policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    /// The groups that they are in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    /// Whether their codes are accepted.
    active: bool,
    /// When they were made (RFC 3339).
    created_at: String,
    /// When they were last changed (RFC 3339).
    updated_at: String,
}

impl UserView {
    fn of(user: &User, now: Timestamp) -> Self {
        Self {
            email_confirmed: user.email.as_ref().map(|_| user.email_since.is_confirmed(now)),
            phone_confirmed: user.phone.as_ref().map(|_| user.phone_since.is_confirmed(now)),
            user: user.id.to_string(),
            display_name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
            email: user.email.as_ref().map(|email| email.expose().to_owned()),
            phone: user.phone.as_ref().map(|phone| phone.expose().to_owned()),
            locale: user.locale.as_ref().map(|locale| locale.as_str().to_owned()),
            groups: user.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            active: user.active,
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
        }
    }
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn optional<T>(name: &'static str, value: Option<&String>) -> Result<Option<T>, Problem>
where
    T: for<'t> TryFrom<&'t str, Error = InvalidContact>,
{
    value.map(|text| field(name, text)).transpose()
}

fn changed<T>(name: &'static str, value: Option<&Option<String>>) -> Result<Option<Option<T>>, Problem>
where
    T: for<'t> TryFrom<&'t str, Error = InvalidContact>,
{
    value.map(|value| optional(name, value.as_ref())).transpose()
}

/// Each group counts once.
fn groups(names: &[String]) -> Result<BTreeSet<GroupName>, Problem> {
    if names.len() > MOST_GROUPS {
        return Err(Problem::field("groups", format!("must be at most {MOST_GROUPS}")));
    }
    names.iter().map(|name| field("groups", name)).collect()
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewUser = call.json()?;
    let id: UserId = field("user", &new.user)?;
    let profile = Profile {
        display_name: optional::<DisplayName>("display_name", new.display_name.as_ref())?,
        email: optional::<EmailAddress>("email", new.email.as_ref())?,
        phone: optional::<PhoneNumber>("phone", new.phone.as_ref())?,
        locale: optional::<Locale>("locale", new.locale.as_ref())?,
        groups: groups(&new.groups)?,
    };
    let caller = call.caller()?;
    let now = ports.clock().now();
    let told = |user: &User| reply(201, Some(user.version), &UserView::of(user, now));
    once(ports, call, &caller.tenant, &told, async |once| {
        users::create_user(ports, &caller, id.clone(), profile.clone(), once).await
    })
    .await
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let start = call.query("starts_with").unwrap_or_default().to_ascii_lowercase();
    let good =
        start.len() <= 128 && start.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b));
    if !good {
        return Err(Problem::field("starts_with", "must be the beginning of a user's id"));
    }
    let list = Listing::of(call, &start)?;
    let page = users::users(ports, &call.caller()?, &start, &list.requested(call)?).await?;
    let now = ports.clock().now();
    let users = page.items.iter().map(|user| UserView::of(user, now)).collect();
    json(200, &Users { users, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let user = users::user(ports, &call.caller()?, &call.named("user", MISSING)?).await?;
    json_versioned(200, user.version, &UserView::of(&user, ports.clock().now()))
}

pub(crate) async fn change(ports: &impl Ports, call: &Call) -> Answer {
    let id: UserId = call.named("user", MISSING)?;
    let wanted: UserChange = call.json()?;
    let change = Change {
        display_name: changed::<DisplayName>("display_name", wanted.display_name.as_ref())?,
        email: changed::<EmailAddress>("email", wanted.email.as_ref())?,
        phone: changed::<PhoneNumber>("phone", wanted.phone.as_ref())?,
        locale: changed::<Locale>("locale", wanted.locale.as_ref())?,
        groups: wanted.groups.as_deref().map(groups).transpose()?,
        active: wanted.active,
    };
    let user = users::change_user(ports, &call.caller()?, &id, change, call.if_match()?).await?;
    json_versioned(200, user.version, &UserView::of(&user, ports.clock().now()))
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    users::delete_user(ports, &call.caller()?, &call.named("user", MISSING)?, call.if_match()?).await?;
    Ok(no_content())
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createUser").takes::<NewUser>().idempotent();
    made.answers::<UserView>(201, "The new user.").fails(&[ProblemType::AlreadyExists]);
    let listed = document
        .named(&ROUTES, "listUsers")
        .query("starts_with", false, "The beginning of the ids that are wanted.")
        .paged();
    listed.answers::<Users>(200, "A page of users.").fails(&[ProblemType::InvalidRequest]);
    document.named(&ROUTES, "getUser").answers::<UserView>(200, "The user.").fails(&[ProblemType::NotFound]);
    let changed = document.named(&ROUTES, "changeUser").takes::<UserChange>().conditional();
    changed
        .answers::<UserView>(200, "The user as it is now.")
        .fails(&[ProblemType::NotFound, ProblemType::Busy]);
    let deleted =
        document.named(&ROUTES, "deleteUser").conditional().answers_nothing(204, "The user is gone.");
    deleted.fails(&[ProblemType::NotFound, ProblemType::Busy]);
}
