//! Content stamps: what was made from unchanged inputs is not made again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// A running hash over named inputs.
#[derive(Clone, Debug, Default)]
pub struct Inputs(Sha256);

impl Inputs {
    /// Adds a piece of text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.add(text.as_bytes());
        self
    }

    /// Adds a file's content.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        self.add(&fs::read(path).with_context(|| format!("cannot read {}", path.display()))?);
        Ok(self)
    }

    /// Adds every file below `folder`, names and content, leaving out entries whose name is in `skip`.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn tree(mut self, folder: &Path, skip: &[&str]) -> Result<Self> {
        for relative in files_below(folder, skip)? {
            self.add(relative.to_string_lossy().as_bytes());
            self = self.file(&folder.join(&relative))?;
        }
        Ok(self)
    }

    /// The stamp's text.
    #[must_use]
    pub fn digest(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }

    /// Length first, so that no two lists of inputs look alike.
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }
}

/// Every file below `folder`, relative to it and sorted, leaving out entries whose name is in `skip`.
///
/// # Errors
/// A folder cannot be read.
pub fn files_below(folder: &Path, skip: &[&str]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(relative) = open.pop() {
        let here = folder.join(&relative);
        for entry in fs::read_dir(&here).with_context(|| format!("cannot read {}", here.display()))? {
            let entry = entry?;
            if skip.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let path = relative.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A file that remembers from which inputs something was made.
#[derive(Clone, Debug)]
pub struct Stamp(PathBuf);

impl Stamp {
    /// The stamp kept at `path`.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether the inputs are still those of the last [`Stamp::write`].
    #[must_use]
    pub fn is(&self, digest: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|kept| kept == digest)
    }

    /// Forgets, before the work starts: work that was cut short is done again.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn clear(&self) -> Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }

    /// Remembers, after the work is done.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, digest: &str) -> Result<()> {
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.0, digest).with_context(|| format!("cannot write {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("otpost-stamp-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("sub/node_modules")).unwrap();
        folder
    }

    #[test]
    fn a_stamp_holds_until_an_input_changes() {
        let folder = scratch("holds");
        let source = folder.join("sub/source");
        fs::write(&source, "one").unwrap();
        let digest =
            || Inputs::default().text("v1").tree(&folder.join("sub"), &["node_modules"]).unwrap().digest();
        let stamp = Stamp::at(folder.join("deep/stamp"));

        assert!(!stamp.is(&digest()), "nothing was made yet");
        stamp.write(&digest()).unwrap();
        assert!(stamp.is(&digest()));

        fs::write(folder.join("sub/node_modules/left-out"), "x").unwrap();
        assert!(stamp.is(&digest()), "what is left out does not count");

        fs::write(&source, "two").unwrap();
        assert!(!stamp.is(&digest()));

        fs::write(&source, "one").unwrap();
        assert!(stamp.is(&digest()), "content counts, not time");
        stamp.clear().unwrap();
        stamp.clear().unwrap();
        assert!(!stamp.is(&digest()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn boundaries_between_inputs_count() {
        let joined = Inputs::default().text("ab").text("c").digest();
        assert_ne!(joined, Inputs::default().text("a").text("bc").digest());
    }
}
