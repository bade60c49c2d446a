//! Directories, what is remembered of people, and how many change by themselves, in memory.

use otpost_domain::directory::{Directory, Mark, SyncRun};
use otpost_domain::ids::{DirectoryId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::provisioning::MassChange;
use otpost_domain::tenant::Keeper;
use otpost_domain::time::Timestamp;

use super::{MemoryStore, State, page};
use crate::ports::{
    Counted, DirectoryStore, Journal, MarkChange, MassChangeStore, MassChanges, Page, PageRequest,
    PortResult, UserChange, Write,
};

fn key(tenant: &TenantId, keeper: &Keeper) -> (TenantId, DirectoryId, String) {
    (tenant.clone(), keeper.directory.clone(), keeper.external_id.as_str().to_owned())
}

impl State {
    /// Whether what follows from a user's change may be written.
    pub(super) fn allows(&self, change: &UserChange<'_>) -> bool {
        let version = |token: &otpost_domain::token::Token| {
            let key = (token.tenant.clone(), token.serial.clone());
            self.tokens.get(&key).map(|stored| stored.version)
        };
        let token = change.token.is_none_or(|change| {
            let wanted = (!change.is_new).then(|| change.token.version - 1);
            version(&change.token) == wanted
        });
        let revoked = change.revoked.iter().all(|token| version(token) == Some(token.version - 1));
        token && revoked && change.mark.is_none_or(|mark| self.replaces(&change.user.tenant, mark))
    }

    /// Writes what follows from a user's change.
    pub(super) fn follow(&mut self, change: &UserChange<'_>) {
        let tokens = change.token.iter().map(|change| &change.token).chain(change.revoked);
        for token in tokens {
            self.tokens.insert((token.tenant.clone(), token.serial.clone()), token.clone());
        }
        if let Some((enrolment, message)) = change.token.and_then(|change| change.sent.as_ref()) {
            self.enrolments.insert(enrolment.link.clone(), enrolment.clone());
            self.messages.insert((message.tenant.clone(), message.id.clone()), message.clone());
        }
        self.remember(&change.user.tenant, change.mark);
    }

    /// Whether a mark replaces the version before it.
    pub(super) fn replaces(&self, tenant: &TenantId, change: &MarkChange) -> bool {
        let stored = self.marks.get(&key(tenant, &change.keeper)).map_or(0, |mark| mark.version);
        stored + 1 == change.mark.version
    }

    pub(super) fn remember(&mut self, tenant: &TenantId, change: Option<&MarkChange>) {
        if let Some(change) = change {
            self.marks.insert(key(tenant, &change.keeper), change.mark.clone());
        }
    }
}

impl DirectoryStore for MemoryStore {
    async fn create_directory(&self, directory: &Directory, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || state.directories.contains_key(&directory.id) {
            return Ok(Write::Stale);
        }
        state.directories.insert(directory.id.clone(), directory.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn directory(&self, id: &DirectoryId) -> PortResult<Option<Directory>> {
        Ok(self.lock().directories.get(id).cloned())
    }

    async fn directories(&self, request: &PageRequest) -> PortResult<Page<Directory>> {
        let state = self.lock();
        let all = state.directories.iter().map(|(id, directory)| (id.to_string(), directory.clone()));
        Ok(page(all.collect(), request))
    }

    async fn delete_directory(&self, directory: &Directory, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || state.directories.remove(&directory.id).is_none() {
            return Ok(Write::Stale);
        }
        state.write(journal);
        Ok(Write::Done)
    }

    async fn save_run(&self, id: &DirectoryId, run: &SyncRun) -> PortResult<Write> {
        match self.lock().directories.get_mut(id) {
            Some(directory) if directory.last_run.as_ref().is_none_or(|last| last.version < run.version) => {
                directory.last_run = Some(run.clone());
                Ok(Write::Done)
            }
            _ => Ok(Write::Stale),
        }
    }

    async fn mark(&self, tenant: &TenantId, keeper: &Keeper) -> PortResult<Option<Mark>> {
        Ok(self.lock().marks.get(&key(tenant, keeper)).cloned())
    }

    async fn save_mark(&self, tenant: &TenantId, change: &MarkChange) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.replaces(tenant, change) {
            return Ok(Write::Stale);
        }
        state.remember(tenant, Some(change));
        Ok(Write::Done)
    }
}

impl MassChangeStore for MemoryStore {
    async fn mass_changes(&self, tenant: &TenantId) -> PortResult<MassChanges> {
        Ok(self.lock().mass_changes.get(tenant).cloned().unwrap_or_default())
    }

    async fn count_users(&self, tenant: &TenantId, most: u64) -> PortResult<u64> {
        let users = self.lock().users.values().filter(|user| &user.tenant == tenant).count();
        Ok(u64::try_from(users).unwrap_or(u64::MAX).min(most))
    }

    async fn begin_hour(&self, tenant: &TenantId, hour: u64, users: u64) -> PortResult<()> {
        let mut state = self.lock();
        let counted = state.mass_changes.entry(tenant.clone()).or_default();
        if counted.hour < hour {
            *counted = MassChanges { hour, users, pushes: 0, revocations: 0, ..counted.clone() };
        }
        Ok(())
    }

    async fn count(
        &self,
        tenant: &TenantId,
        kind: MassChange,
        limit: u64,
        at: Timestamp,
    ) -> PortResult<Counted> {
        let mut state = self.lock();
        let counted = state.mass_changes.entry(tenant.clone()).or_default();
        if counted.hour != at.hours() {
            return Ok(Counted::NewHour);
        }
        let (done, held) = match kind {
            MassChange::Pushes => (&mut counted.pushes, &mut counted.held_pushes),
            MassChange::Revocations => (&mut counted.revocations, &mut counted.held_revocations),
        };
        if *done < limit {
            *done += 1;
            return Ok(Counted::Passes);
        }
        *held += 1;
        counted.held_since.get_or_insert(at);
        Ok(Counted::Held)
    }

    async fn let_go(&self, tenant: &TenantId, job: &Job, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) {
            return Ok(Write::Stale);
        }
        let counted = state.mass_changes.entry(tenant.clone()).or_default();
        *counted = MassChanges { held_pushes: 0, held_revocations: 0, held_since: None, ..counted.clone() };
        state.begin(Some(job));
        state.write(journal);
        Ok(Write::Done)
    }
}
