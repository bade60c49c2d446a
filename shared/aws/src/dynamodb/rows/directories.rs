//! Directories, what is remembered of people, and how many change by themselves, as they lie in the table.

use std::collections::BTreeMap;

use otpost_domain::directory::{Directory, Mark, SourceKind, SyncRun};
use otpost_domain::ids::{DirectoryId, TenantId, UserId};
use otpost_domain::tenant::GroupName;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{MarkChange, MassChanges, PortError, PortResult};
use serde::{Deserialize, Serialize};

use super::{bad, known};
use crate::dynamodb::keys;

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct DirectoryRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tenant: String,
    account: String,
    source: String,
    kind: String,
    created: u64,
    /// The last run over all people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_ver: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_began: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_users: Option<u32>,
}

impl From<&Directory> for DirectoryRow {
    fn from(directory: &Directory) -> Self {
        let run = directory.last_run.as_ref();
        Self {
            pk: keys::DIRECTORIES.to_owned(),
            sk: directory.id.to_string(),
            tenant: directory.tenant.to_string(),
            account: directory.account.clone(),
            source: directory.source.clone(),
            kind: directory.kind.as_str().to_owned(),
            created: directory.created_at.millis(),
            run_ver: run.map(|run| run.version),
            run_began: run.map(|run| run.started_at.millis()),
            run_users: run.and_then(|run| run.users),
        }
    }
}

impl TryFrom<DirectoryRow> for Directory {
    type Error = PortError;

    fn try_from(row: DirectoryRow) -> PortResult<Self> {
        let run = row.run_ver.zip(row.run_began).map(|(version, began)| SyncRun {
            version,
            started_at: Timestamp::from_millis(began),
            users: row.run_users,
        });
        Ok(Self {
            id: DirectoryId::try_from(row.sk.as_str()).map_err(bad("directory"))?,
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            account: row.account,
            source: row.source,
            kind: known("kind of source", SourceKind::parse(&row.kind))?,
            created_at: Timestamp::from_millis(row.created),
            last_run: run,
        })
    }
}

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct MarkRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tenant: String,
    told: u64,
    gone: u64,
    active_since: u64,
    active: bool,
    /// Since which version somebody is in a group, or is not (negative).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<String, i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    ver: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
}

impl MarkRow {
    pub(in crate::dynamodb) fn of(tenant: &TenantId, change: &MarkChange) -> Self {
        let MarkChange { keeper, mark, until } = change;
        let group = |(name, (version, is_in)): (&GroupName, &(u64, bool))| {
            let version = i64::try_from(*version).unwrap_or(i64::MAX);
            (name.as_str().to_owned(), if *is_in { version } else { -version })
        };
        Self {
            pk: keys::mark(tenant, keeper),
            sk: keys::MARK.to_owned(),
            tenant: tenant.to_string(),
            told: mark.told,
            gone: mark.gone,
            active_since: mark.active_since,
            active: mark.active,
            groups: mark.groups.iter().map(group).collect(),
            user: mark.user.as_ref().map(UserId::to_string),
            ver: mark.version,
            ttl: until.map(Timestamp::seconds),
        }
    }
}

impl TryFrom<MarkRow> for Mark {
    type Error = PortError;

    fn try_from(row: MarkRow) -> PortResult<Self> {
        let groups = row.groups.into_iter().map(|(name, version)| {
            let name = GroupName::try_from(name.as_str()).map_err(bad("group"))?;
            Ok((name, (version.unsigned_abs(), version > 0)))
        });
        Ok(Self {
            told: row.told,
            gone: row.gone,
            active_since: row.active_since,
            active: row.active,
            groups: groups.collect::<PortResult<_>>()?,
            user: row.user.as_deref().map(UserId::try_from).transpose().map_err(bad("user"))?,
            version: row.ver,
        })
    }
}

#[derive(Default, Deserialize)]
pub(in crate::dynamodb) struct MassChangesRow {
    #[serde(default)]
    hour: u64,
    #[serde(default)]
    users: u64,
    #[serde(default)]
    pushes: u64,
    #[serde(default)]
    revocations: u64,
    #[serde(default)]
    held_pushes: u64,
    #[serde(default)]
    held_revocations: u64,
    #[serde(default)]
    held_since: Option<u64>,
}

impl From<MassChangesRow> for MassChanges {
    fn from(row: MassChangesRow) -> Self {
        Self {
            hour: row.hour,
            users: row.users,
            pushes: row.pushes,
            revocations: row.revocations,
            held_pushes: row.held_pushes,
            held_revocations: row.held_revocations,
            held_since: row.held_since.map(Timestamp::from_millis),
        }
    }
}
