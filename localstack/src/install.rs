//! Fetches what the system runs on into the target folder: once, and again only when its lists change.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::chromium;
use crate::guard::{Launch, Output};
use crate::host;
use crate::layout::Layout;
use crate::mta;
use crate::progress::Progress;
use crate::stage;
use crate::stamp::{Inputs, Stamp};
use crate::tools;

/// Installs whatever is missing or out of date. Two runs at a time take turns.
///
/// # Errors
/// A registry cannot be reached, or a package cannot be installed.
pub async fn install(layout: &Layout, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    python(layout, progress).await?;
    npm(layout, progress, "infra", "CDK (npm, about 20 s)").await?;
    npm(layout, progress, "localstack/viewer", "the mail viewer (npm, about 5 s)").await
}

/// Installs the Python environment alone, with the packages of `requirements.txt`.
///
/// # Errors
/// As [`install`].
#[cfg(test)]
pub(crate) async fn install_python(layout: &Layout, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    python(layout, progress).await
}

/// Installs what only the conformance suite needs.
///
/// # Errors
/// As [`install`].
pub async fn install_for_tests(layout: &Layout, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    requirements(layout, progress, "requirements-test.txt", "the tests' counterparts (PyPI, about 10 s)")
        .await?;
    mta::install(layout, progress).await?;
    chromium::check()?;
    npm(
        layout,
        progress,
        "tests/conformance",
        "the tests' linters, calculators and driver of a browser (npm, about 20 s)",
    )
    .await?;
    npm(layout, progress, "docs/examples/sign-in", "the sample sign-in's compiler (npm, about 5 s)").await
}

/// Installs what draws mails.
///
/// # Errors
/// As [`install`].
pub(crate) async fn install_for_screenshots(layout: &Layout, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    npm(layout, progress, "localstack/screenshots", "what drives the browser (npm, about 3 s)").await
}

/// The folder in which npm installs for the source folder `source`.
#[must_use]
pub fn staged(layout: &Layout, source: &str) -> std::path::PathBuf {
    layout.local(Path::new(source).file_name().and_then(|name| name.to_str()).unwrap_or(source))
}

/// A lock that the operating system takes back when this process ends.
pub(crate) async fn take_turn(layout: &Layout, progress: Progress) -> Result<File> {
    std::fs::create_dir_all(layout.local(""))?;
    let path = layout.local("install.lock");
    let lock = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if lock.try_lock().is_err() {
        progress.line("another run installs or builds: waiting for it");
        // Asked again and again instead of blocking: the other run may be a task of this very thread.
        while lock.try_lock().is_err() {
            host::pause(Duration::from_millis(200)).await;
        }
    }
    Ok(lock)
}

async fn python(layout: &Layout, progress: Progress) -> Result<()> {
    let venv = layout.local("venv");
    let version = tools::answer("python3", &["--version"]).unwrap_or_default();
    let digest = Inputs::default().text("venv").text(&version).text(&venv.to_string_lossy()).digest();
    let stamp = Stamp::at(layout.local("stamps/venv"));
    if !stamp.is(&digest) || !layout.venv_program("python").exists() {
        stamp.clear()?;
        Stamp::at(layout.local("stamps/requirements.txt")).clear()?;
        Stamp::at(layout.local("stamps/requirements-test.txt")).clear()?;
        let launch = Launch::new("python3", Output::Log(layout.local("logs/venv.log")));
        let work = launch.args(["-m", "venv", "--clear"]).args([&venv]).run();
        progress.step("making a Python environment (about 5 s)", work).await?;
        stamp.write(&digest)?;
    }
    requirements(
        layout,
        progress,
        "requirements.txt",
        "the emulator, the SMTP gateway and the Lambda builder (PyPI, about 20 s)",
    )
    .await
}

async fn requirements(layout: &Layout, progress: Progress, list: &str, what: &str) -> Result<()> {
    let path = layout.root().join("localstack").join(list);
    let digest = Inputs::default().file(&path)?.digest();
    let stamp = Stamp::at(layout.local("stamps").join(list));
    if stamp.is(&digest) {
        return Ok(());
    }
    let launch = Launch::new(
        layout.venv_program("python"),
        Output::Log(layout.local("logs").join(format!("{list}.log"))),
    )
    .args(["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--no-input", "--requirement"])
    .args([&path]);
    progress.step(&format!("installing {what}"), launch.run()).await?;
    stamp.write(&digest)
}

async fn npm(layout: &Layout, progress: Progress, source: &str, what: &str) -> Result<()> {
    let folder = staged(layout, source);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    stage::mirror(&layout.root().join(source), &folder)?;
    let digest = Inputs::default()
        .text(&tools::answer("node", &["--version"]).unwrap_or_default())
        .file(&folder.join("package.json"))?
        .file(&folder.join("package-lock.json"))?
        .digest();
    let stamp = Stamp::at(layout.local("stamps").join(&name));
    if stamp.is(&digest) && folder.join("node_modules").exists() {
        return Ok(());
    }
    stamp.clear()?;
    let launch = Launch::new("npm", Output::Log(layout.local("logs").join(format!("npm-{name}.log"))))
        .args(["ci", "--no-audit", "--no-fund", "--no-update-notifier"])
        .current_dir(&folder);
    progress.step(&format!("installing {what}"), launch.run()).await?;
    stamp.write(&digest)
}
