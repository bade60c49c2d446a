//! Directories that tell of users, for the platform's operator: whose events are whose.

use otpost_domain::audit::Actor;
use otpost_domain::directory::{Directory, SourceKind};
use otpost_domain::ids::DirectoryId;
use otpost_edge::http::{Answer, Call, json, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::directories;
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

const MISSING: &str = "There is no directory of this id.";

/// A directory to be registered.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDirectory {
    /// Whose people it tells of.
    tenant: String,
    /// The AWS account that puts its events: 12 digits.
    account: String,
    /// The `source` of its events: 1 to 256 characters.
    source: String,
    /// In whose words it tells: contract, okta or auth0.
    kind: String,
}

/// A directory.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Directory")]
struct DirectoryView {
    /// Its id, which follows from account and source.
    directory: String,
    /// Whose people it tells of.
    tenant: String,
    /// The AWS account that puts its events.
    account: String,
    /// The `source` of its events.
    source: String,
    /// contract, okta or auth0.
    kind: &'static str,
    /// When it was registered (RFC 3339).
    created_at: String,
    /// When the last run over all people began of which it has told (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_at: Option<String>,
    /// Of how many people that run told, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run_users: Option<u32>,
}

/// A page of directories.
#[derive(JsonSchema, Serialize)]
struct Directories {
    /// The directories, by id.
    directories: Vec<DirectoryView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Directory> for DirectoryView {
    fn from(directory: &Directory) -> Self {
        let run = directory.last_run.as_ref();
        Self {
            directory: directory.id.to_string(),
            tenant: directory.tenant.to_string(),
            account: directory.account.clone(),
            source: directory.source.clone(),
            kind: directory.kind.as_str(),
            created_at: directory.created_at.rfc3339(),
            last_run_at: run.map(|run| run.started_at.rfc3339()),
            last_run_users: run.and_then(|run| run.users),
        }
    }
}

pub(crate) async fn create(ports: &impl Ports, call: &Call) -> Answer {
    let new: NewDirectory = call.json()?;
    let caller = call.caller_in(Some(&new.tenant))?;
    if new.account.len() != 12 || !new.account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Problem::field("account", "must be the 12 digits of an AWS account"));
    }
    let good = (1..=256).contains(&new.source.chars().count()) && !new.source.chars().any(char::is_control);
    if !good {
        return Err(Problem::field("source", "must be 1 to 256 characters without control characters"));
    }
    let kind = SourceKind::parse(&new.kind)
        .ok_or_else(|| Problem::field("kind", "must be contract, okta or auth0"))?;
    let made = directories::register(ports, &caller, &new.account, &new.source, kind).await?;
    json(201, &DirectoryView::from(&made))
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let id: DirectoryId = call.named("directory", MISSING)?;
    json(200, &DirectoryView::from(&directories::directory(ports, &id).await?))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = directories::directories(ports, &list.requested(call)?).await?;
    let directories = page.items.iter().map(DirectoryView::from).collect();
    json(200, &Directories { directories, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    let id: DirectoryId = call.named("directory", MISSING)?;
    let directory = directories::directory(ports, &id).await?;
    directories::remove(ports, &directory, Actor::Platform).await?;
    Ok(no_content())
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "createDirectory").takes::<NewDirectory>();
    made.answers::<DirectoryView>(201, "The registered directory.")
        .fails(&[ProblemType::NotFound, ProblemType::AlreadyExists]);
    let listed = document.named(&ROUTES, "listDirectories").paged();
    listed.answers::<Directories>(200, "A page of directories.").fails(&[ProblemType::InvalidRequest]);
    let got = document.named(&ROUTES, "getDirectory").answers::<DirectoryView>(200, "The directory.");
    got.fails(&[ProblemType::NotFound]);
    let gone = document.named(&ROUTES, "deleteDirectory");
    gone.answers_nothing(204, "The directory is taken out.").fails(&[ProblemType::NotFound]);
}
