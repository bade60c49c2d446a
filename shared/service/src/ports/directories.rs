//! Directories that tell of users, and how many users change by themselves.

use std::future::Future;

use otpost_domain::directory::{Directory, Mark, SyncRun};
use otpost_domain::ids::{DirectoryId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::provisioning::MassChange;
use otpost_domain::tenant::Keeper;
use otpost_domain::time::Timestamp;

use super::{Journal, MarkChange, Page, PageRequest, PortResult, Write};

/// Directories, and what is remembered of the people they tell of.
pub trait DirectoryStore: Send + Sync {
    /// Registers a directory; stale when there is one of its account and source.
    fn create_directory(
        &self,
        directory: &Directory,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// One directory.
    fn directory(&self, id: &DirectoryId) -> impl Future<Output = PortResult<Option<Directory>>> + Send;
    /// All directories of the deployment, by id.
    fn directories(&self, page: &PageRequest) -> impl Future<Output = PortResult<Page<Directory>>> + Send;
    /// Takes a directory out; stale when there is none.
    fn delete_directory(
        &self,
        directory: &Directory,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Writes down a run over all people; stale when there is no such directory, or it has told of a later one.
    fn save_run(&self, id: &DirectoryId, run: &SyncRun) -> impl Future<Output = PortResult<Write>> + Send;
    /// What is remembered of a person.
    fn mark(
        &self,
        tenant: &TenantId,
        keeper: &Keeper,
    ) -> impl Future<Output = PortResult<Option<Mark>>> + Send;
    /// Remembers something of a person that changes nobody; stale when it has changed.
    fn save_mark(
        &self,
        tenant: &TenantId,
        mark: &MarkChange,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// How many users have got or lost a token by themselves, and how many wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MassChanges {
    /// The hour that is counted, in hours since 1970.
    pub hour: u64,
    /// Users at the beginning of that hour, counted up to 100,000.
    pub users: u64,
    /// Got a token or a link in that hour.
    pub pushes: u64,
    /// Lost their tokens in that hour.
    pub revocations: u64,
    /// How often a push was held back since the last release.
    pub held_pushes: u64,
    /// How often a revocation was held back since the last release.
    pub held_revocations: u64,
    /// When something was first held back since the last release.
    pub held_since: Option<Timestamp>,
}

/// Whether one more user may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "who is held back must not change"]
pub enum Counted {
    /// They may; it is counted.
    Passes,
    /// The hour has had its users: this is counted as held back.
    Held,
    /// Another hour has begun, whose users are not counted yet.
    NewHour,
}

/// Counts users who change by themselves, tenant by tenant.
pub trait MassChangeStore: Send + Sync {
    /// What was counted.
    fn mass_changes(&self, tenant: &TenantId) -> impl Future<Output = PortResult<MassChanges>> + Send;
    /// How many users a tenant has, counted up to `most`.
    fn count_users(&self, tenant: &TenantId, most: u64) -> impl Future<Output = PortResult<u64>> + Send;
    /// Begins an hour with so many users, unless it has begun.
    fn begin_hour(
        &self,
        tenant: &TenantId,
        hour: u64,
        users: u64,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// Counts one more user, if the hour `at` lies in has had fewer than `limit`.
    fn count(
        &self,
        tenant: &TenantId,
        kind: MassChange,
        limit: u64,
        at: Timestamp,
    ) -> impl Future<Output = PortResult<Counted>> + Send;
    /// Forgets what was held back, and records the job that does it now.
    fn let_go(
        &self,
        tenant: &TenantId,
        job: &Job,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}
