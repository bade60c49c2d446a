//! Where things lie: the workspace, cargo's target folder, and our folder `local` in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::host;

/// The folders of this checkout.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
    target: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

impl Layout {
    /// Asks cargo, so that every way of moving the target folder is honoured.
    ///
    /// # Errors
    /// Cargo cannot be run, or does not know this workspace.
    pub fn find() -> Result<Self> {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let output = Command::new(cargo())
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
            .arg(&manifest)
            .output()
            .context("cargo is missing: install Rust from https://rustup.rs")?;
        if !output.status.success() {
            bail!("cargo does not know this workspace: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo's metadata is odd")?;
        Ok(Self { root: metadata.workspace_root, target: metadata.target_directory })
    }

    /// The workspace.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// A path in the folder that holds all we install, build and run.
    #[must_use]
    pub fn local(&self, below: &str) -> PathBuf {
        self.target.join("local").join(below)
    }

    /// A program of the Python environment.
    #[must_use]
    pub fn venv_program(&self, name: &str) -> PathBuf {
        self.local("venv/bin").join(name)
    }

    /// The binary from which a function's zip was made.
    #[must_use]
    pub fn binary(&self, function: &str, release: bool) -> PathBuf {
        let profile = if release { "release" } else { "debug" };
        self.target.join(crate::tools::host()).join(profile).join(function)
    }

    /// The folder of the functions' zips, per profile.
    #[must_use]
    pub fn packages(&self, release: bool) -> PathBuf {
        self.local(if release { "lambda-release" } else { "lambda" })
    }
}

/// The cargo that runs us, or the one on the path.
#[must_use]
pub fn cargo() -> String {
    host::variable("CARGO").unwrap_or_else(|| "cargo".to_owned())
}
