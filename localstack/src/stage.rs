//! Copies of source folders in the target folder, where npm may install beside them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::stamp::files_below;

/// What npm, CDK and compilers make: never copied, never removed.
const MADE: &[&str] = &["node_modules", "cdk.out", "dist"];

/// Makes `copy` hold the files of `source`, and no others but what was made there.
///
/// # Errors
/// A file cannot be read, written or removed.
pub fn mirror(source: &Path, copy: &Path) -> Result<()> {
    fs::create_dir_all(copy)?;
    let files = files_below(source, MADE)?;
    for gone in files_below(copy, MADE)?.iter().filter(|file| !files.contains(file)) {
        fs::remove_file(copy.join(gone))?;
    }
    for file in &files {
        let content =
            fs::read(source.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        let target = copy.join(file);
        if fs::read(&target).is_ok_and(|old| old == content) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, content).with_context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_follows_its_source_and_keeps_what_was_made() {
        let folder = std::env::temp_dir().join(format!("otpost-mirror-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let (source, copy) = (folder.join("source"), folder.join("copy"));
        fs::create_dir_all(source.join("lib")).unwrap();
        fs::create_dir_all(source.join("node_modules")).unwrap();
        fs::write(source.join("lib/a"), "1").unwrap();
        fs::write(source.join("node_modules/x"), "theirs").unwrap();
        mirror(&source, &copy).unwrap();
        assert_eq!(fs::read_to_string(copy.join("lib/a")).unwrap(), "1");
        assert!(!copy.join("node_modules").exists());

        fs::create_dir_all(copy.join("node_modules")).unwrap();
        fs::write(copy.join("node_modules/y"), "installed").unwrap();
        fs::remove_file(source.join("lib/a")).unwrap();
        fs::write(source.join("lib/b"), "2").unwrap();
        mirror(&source, &copy).unwrap();
        assert!(!copy.join("lib/a").exists());
        assert_eq!(fs::read_to_string(copy.join("lib/b")).unwrap(), "2");
        assert!(copy.join("node_modules/y").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
