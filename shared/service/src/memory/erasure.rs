//! Deletions of tenants in memory.

use std::collections::BTreeMap;

use otpost_domain::ids::TenantId;
use otpost_domain::job::{Job, Stepped};
use otpost_domain::tenant::Tombstone;

use super::{MemoryPorts, MemoryStore, State};
use crate::ports::{ErasureStore, Fault, JobRef, Journal, PortError, PortResult, Write};

/// Deletes the rows of one kind that are a tenant's; how many rows of it there were, and how many are left.
type Sweep = fn(&mut State, &JobRef) -> (usize, usize);

/// One for each kind of row that a tenant has.
const SWEEPS: [Sweep; 20] = [
    |state, job| swept(&mut state.messages, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.enrolments, |_, link| link.tenant == job.tenant),
    |state, job| swept(&mut state.answers, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.jobs, |(tenant, id), _| tenant == &job.tenant && id != &job.id),
    |state, job| swept(&mut state.keys, |id, _| id.tenant() == job.tenant),
    |state, job| swept(&mut state.policies, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.templates, |(tenant, _, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.brands, |tenant, _| tenant == &job.tenant),
    |state, job| swept(&mut state.gateways, |owner, _| owner.tenant() == Some(&job.tenant)),
    |state, job| swept(&mut state.noted, |_, secret| secret.owner.tenant() == Some(&job.tenant)),
    |state, job| swept(&mut state.directories, |_, directory| directory.tenant == job.tenant),
    |state, job| swept(&mut state.marks, |(tenant, _, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.mass_changes, |tenant, _| tenant == &job.tenant),
    |state, job| swept(&mut state.users, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.auth, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.decoys, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.tokens, |(tenant, _), _| tenant == &job.tenant),
    |state, job| swept(&mut state.health, |gateway, _| gateway.tenant == job.tenant),
    |state, job| swept(&mut state.suppressions, |(tenant, _), _| tenant == &job.tenant),
    |state, job| {
        let before = state.audit.len();
        state
            .audit
            .retain(|entry| entry.tenant.as_ref() != Some(&job.tenant) || entry.action.outlives_its_tenant());
        (before, state.audit.len())
    },
];

fn swept<K: Ord, V>(rows: &mut BTreeMap<K, V>, is_theirs: impl Fn(&K, &V) -> bool) -> (usize, usize) {
    let before = rows.len();
    rows.retain(|key, row| !is_theirs(key, row));
    (before, rows.len())
}

impl MemoryPorts {
    /// Every row as text, in order.
    #[must_use]
    pub fn rows(&self) -> Vec<String> {
        let state = self.store.lock();
        let mut rows = Vec::new();
        rows.extend(state.tenants.values().map(|row| format!("{row:?}")));
        rows.extend(state.tombstones.values().map(|row| format!("{row:?}")));
        rows.extend(state.data_keys.iter().map(|row| format!("data keys {row:?}")));
        rows.extend(state.keys.values().map(|row| format!("{row:?}")));
        rows.extend(state.policies.iter().map(|row| format!("{row:?}")));
        rows.extend(state.templates.iter().map(|row| format!("{row:?}")));
        rows.extend(state.brands.iter().map(|row| format!("brand {row:?}")));
        rows.extend(state.gateways.iter().map(|row| format!("gateways {row:?}")));
        rows.extend(state.noted.values().map(|row| format!("{row:?}")));
        rows.extend(state.directories.values().map(|row| format!("{row:?}")));
        rows.extend(state.marks.iter().map(|row| format!("mark {row:?}")));
        rows.extend(state.mass_changes.iter().map(|row| format!("mass changes {row:?}")));
        rows.extend(state.users.values().map(|row| format!("{row:?}")));
        rows.extend(state.auth.iter().map(|row| format!("auth row {row:?}")));
        rows.extend(state.decoys.iter().map(|row| format!("decoy {row:?}")));
        rows.extend(state.tokens.values().map(|row| format!("{row:?}")));
        rows.extend(state.enrolments.values().map(|row| format!("{row:?}")));
        rows.extend(state.messages.values().map(|row| format!("{row:?}")));
        rows.extend(state.health.iter().map(|row| format!("health {row:?}")));
        rows.extend(state.suppressions.values().map(|row| format!("{row:?}")));
        rows.extend(state.answers.values().map(|row| format!("{row:?}")));
        rows.extend(state.jobs.values().map(|row| format!("{row:?}")));
        rows.extend(state.nonces.iter().map(|row| format!("nonce {row:?}")));
        rows.extend(state.audit.iter().map(|row| format!("{row:?}")));
        rows.sort();
        rows
    }
}

impl ErasureStore for MemoryStore {
    async fn delete_tenant(&self, job: &Job, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || state.tenants.remove(&job.tenant).is_none() {
            return Ok(Write::Stale);
        }
        state.data_keys.remove(&job.tenant);
        state.tombstones.insert(job.tenant.clone(), Tombstone::from(job));
        state.begin(Some(job));
        state.write(journal);
        Ok(Write::Done)
    }

    async fn tombstone(&self, id: &TenantId) -> PortResult<Option<Tombstone>> {
        Ok(self.lock().tombstones.get(id).cloned())
    }

    /// One kind of rows at a time; the place is the number of the next.
    async fn erase(&self, job: &JobRef, after: Option<&str>) -> PortResult<Stepped> {
        let place: usize = after.map_or(Ok(0), str::parse).map_err(|e| PortError::new(Fault::Corrupt, e))?;
        let Some(sweep) = SWEEPS.get(place) else { return Ok(Stepped::default()) };
        let (before, left) = sweep(&mut self.lock(), job);
        Ok(Stepped {
            seen: before as u64,
            changed: (before - left) as u64,
            next: (place + 1 < SWEEPS.len()).then(|| (place + 1).to_string()),
        })
    }

    async fn save_erasure(&self, job: &Job) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.follows(job) {
            return Ok(Write::Stale);
        }
        state.tombstones.insert(job.tenant.clone(), Tombstone::from(job));
        state.begin(Some(job));
        Ok(Write::Done)
    }

    async fn end_erasure(&self, job: &Job, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.follows(job) {
            return Ok(Write::Stale);
        }
        state.tombstones.insert(job.tenant.clone(), Tombstone::from(job));
        state.jobs.remove(&(job.tenant.clone(), job.id.clone()));
        state.write(journal);
        Ok(Write::Done)
    }
}

impl State {
    /// Whether `job` is the next version of what is stored.
    fn follows(&self, job: &Job) -> bool {
        let stored = self.jobs.get(&(job.tenant.clone(), job.id.clone()));
        stored.is_some_and(|stored| stored.version + 1 == job.version)
    }
}
