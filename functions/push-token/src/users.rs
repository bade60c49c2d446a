//! Users.

#![expect(clippy::option_option, reason = "the three cases of a change: stays, goes, becomes")]

use otpost_domain::contact::{DisplayName, EmailAddress, InvalidContact, Locale, PhoneNumber};
use otpost_domain::ids::UserId;
use otpost_domain::tenant::User;
use otpost_edge::http::{Answer, Call, field, json_versioned, no_content, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
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
    /// The language of their messages (BCP 47); `en` unless given.
    locale: Option<String>,
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
    locale: Option<String>,
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
    /// The language of their messages.
    locale: String,
    /// Whether their codes are accepted.
    active: bool,
    /// When they were made (RFC 3339).
    created_at: String,
    /// When they were last changed (RFC 3339).
    updated_at: String,
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self {
            user: user.id.to_string(),
            display_name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
            email: user.email.as_ref().map(|email| email.expose().to_owned()),
            phone: user.phone.as_ref().map(|phone| phone.expose().to_owned()),
            locale: user.locale.as_str().to_owned(),
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

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewUser = call.json()?;
    let id: UserId = field("user", &new.user)?;
    let profile = Profile {
        display_name: optional::<DisplayName>("display_name", new.display_name.as_ref())?,
        email: optional::<EmailAddress>("email", new.email.as_ref())?,
        phone: optional::<PhoneNumber>("phone", new.phone.as_ref())?,
        locale: optional::<Locale>("locale", new.locale.as_ref())?.unwrap_or_default(),
    };
    let caller = call.caller()?;
    let told = |user: &User| reply(201, Some(user.version), &UserView::from(user));
    once(ports, call, &caller.tenant, &told, async |once| {
        users::create_user(ports, &caller, id.clone(), profile.clone(), once).await
    })
    .await
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let user = users::user(ports, &call.caller()?, &call.named("user", MISSING)?).await?;
    json_versioned(200, user.version, &UserView::from(&user))
}

pub(crate) async fn change(ports: &impl Ports, call: &Call) -> Answer {
    let id: UserId = call.named("user", MISSING)?;
    let wanted: UserChange = call.json()?;
    let change = Change {
        display_name: changed::<DisplayName>("display_name", wanted.display_name.as_ref())?,
        email: changed::<EmailAddress>("email", wanted.email.as_ref())?,
        phone: changed::<PhoneNumber>("phone", wanted.phone.as_ref())?,
        locale: optional::<Locale>("locale", wanted.locale.as_ref())?,
        active: wanted.active,
    };
    let user = users::change_user(ports, &call.caller()?, &id, change, call.if_match()?).await?;
    json_versioned(200, user.version, &UserView::from(&user))
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    users::delete_user(ports, &call.caller()?, &call.named("user", MISSING)?, call.if_match()?).await?;
    Ok(no_content())
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createUser").takes::<NewUser>().idempotent();
    made.answers::<UserView>(201, "The new user.").fails(&[ProblemType::AlreadyExists]);
    document.named(&ROUTES, "getUser").answers::<UserView>(200, "The user.").fails(&[ProblemType::NotFound]);
    let changed = document.named(&ROUTES, "changeUser").takes::<UserChange>().conditional();
    changed
        .answers::<UserView>(200, "The user as it is now.")
        .fails(&[ProblemType::NotFound, ProblemType::Busy]);
    let deleted =
        document.named(&ROUTES, "deleteUser").conditional().answers_nothing(204, "The user is gone.");
    deleted.fails(&[ProblemType::NotFound, ProblemType::Busy]);
}
