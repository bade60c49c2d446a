//! What a running `up` leaves for `demo`, `status` and `down`.
//!
//! The process holds a lock for as long as it lives. The operating system takes the lock back in every case,
//! so a state file whose lock is free is a left-over, whatever it says.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::demo::Keys;
use crate::layout::Layout;
use crate::world::Endpoints;

/// The state file's content.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct State {
    /// The process that holds the system.
    pub pid: u32,
    /// Where it answers; absent while it still starts.
    pub endpoints: Option<Endpoints>,
    /// The demonstration's API keys; absent until it made them.
    pub keys: Option<Keys>,
}

/// The state file and its lock.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
    lock: PathBuf,
}

impl StateFile {
    /// The state file of this checkout.
    #[must_use]
    pub fn of(layout: &Layout) -> Self {
        Self { path: layout.local("state.json"), lock: layout.local("up.lock") }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Takes the lock, unless a system runs already.
    ///
    /// # Errors
    /// The lock file cannot be written.
    pub fn claim(&self) -> Result<Option<File>> {
        if let Some(folder) = self.lock.parent() {
            fs::create_dir_all(folder)?;
        }
        let lock =
            File::create(&self.lock).with_context(|| format!("cannot write {}", self.lock.display()))?;
        Ok(lock.try_lock().is_ok().then_some(lock))
    }

    /// The state of the running system, if one runs. Left-overs are removed.
    ///
    /// # Errors
    /// The files cannot be used.
    pub fn running(&self) -> Result<Option<State>> {
        if let Some(_lock) = self.claim()? {
            self.remove()?;
            return Ok(None);
        }
        let text =
            fs::read_to_string(&self.path).with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(Some(serde_json::from_str(&text).context("the state file is odd")?))
    }

    /// Writes the state for its owner's eyes only: it holds keys.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, state: &State) -> Result<()> {
        let fresh = self.path.with_extension("new");
        let _ = fs::remove_file(&fresh);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(serde_json::to_string_pretty(state)?.as_bytes())?;
        fs::rename(&fresh, &self.path).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Removes the state.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_state_without_its_lock_is_a_left_over() {
        let folder = std::env::temp_dir().join(format!("otpost-state-{}", std::process::id()));
        let file = StateFile { path: folder.join("state.json"), lock: folder.join("up.lock") };
        let state = State { pid: 7, endpoints: None, keys: None };

        let lock = file.claim().unwrap().unwrap();
        file.write(&state).unwrap();
        assert!(file.claim().unwrap().is_none(), "one system at a time");
        assert_eq!(file.running().unwrap(), Some(state));
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);

        drop(lock);
        assert_eq!(file.running().unwrap(), None);
        assert!(!file.path.exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
