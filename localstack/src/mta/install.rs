//! Fetches Exim into the target folder, without any right on this machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::Programs;
use crate::guard::{Launch, Output};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::stamp::{Inputs, Stamp};
use crate::tools;

/// Debian's packages: the server, and what stands in for the list of users.
const PACKAGES: [&str; 2] = ["exim4-daemon-light", "libnss-wrapper"];
/// What to do where there is no Debian and no Exim.
const ADVICE: &str = "Exim is missing: install exim4-daemon-light, or exim 4.96 or newer as exim4 or exim";
/// Where Exim lies when it was installed; such folders need not be on the path of somebody without rights.
const INSTALLED: [&str; 4] = ["/usr/sbin/exim4", "/usr/sbin/exim", "/usr/bin/exim", "/usr/local/sbin/exim"];

impl Programs {
    /// Those that were unpacked, else those that were installed.
    pub(super) fn find(layout: &Layout) -> Result<Self> {
        let root = root(layout);
        let exim = root.join("usr/sbin/exim4");
        if let (true, Some(wrapper)) = (exim.exists(), found(&root, "libnss_wrapper.so")) {
            let libraries = Some(libraries(layout)).filter(|folder| folder.exists());
            return Ok(Self { exim, wrapper: Some(wrapper), libraries });
        }
        let exim = INSTALLED.iter().map(PathBuf::from).find(|path| path.exists()).context(ADVICE)?;
        Ok(Self { exim, wrapper: None, libraries: None })
    }
}

/// Unpacks Debian's packages, unless that was done before or there is an Exim and no Debian.
pub(crate) async fn install(layout: &Layout, progress: Progress) -> Result<()> {
    let stamp = Stamp::at(layout.local("stamps/mta"));
    let digest = Inputs::default().text(&PACKAGES.join(" ")).text(&tools::host()).digest();
    if stamp.is(&digest) && Programs::find(layout).is_ok() {
        return Ok(());
    }
    stamp.clear()?;
    let debian = ["apt-get", "dpkg-deb"].iter().all(|tool| tools::answer(tool, &["--version"]).is_some());
    if debian {
        let work = unpack(layout);
        let done = progress.step("unpacking a server of mail for the tests (Debian, about 10 s)", work).await;
        if done.is_ok() {
            return stamp.write(&digest);
        }
        let _ = std::fs::remove_dir_all(root(layout));
        if Programs::find(layout).is_err() {
            return done.context(ADVICE);
        }
    }
    Programs::find(layout).map(drop)
}

fn root(layout: &Layout) -> PathBuf {
    layout.local("mta/root")
}

fn libraries(layout: &Layout) -> PathBuf {
    layout.local("mta/libraries")
}

async fn unpack(layout: &Layout) -> Result<()> {
    let folder = layout.local("mta");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let root = root(layout);
    std::fs::create_dir_all(&root)?;
    fetch(layout, &PACKAGES, "packages", &root).await?;
    let exim = root.join("usr/sbin/exim4");
    // It comes with the right to become root, and needs none.
    std::fs::set_permissions(&exim, std::fs::Permissions::from_mode(0o755))
        .context("Exim is not in its package")?;
    if !linked(&exim, None)?.contains("not found") {
        return Ok(());
    }
    let names = dependencies()?;
    let more = folder.join("more");
    std::fs::create_dir_all(&more)?;
    fetch(layout, &names, "dependencies", &more).await?;
    let all = folder.join("all");
    std::fs::create_dir_all(&all)?;
    collect(&more, &all)?;
    keep_needed(&linked(&exim, Some(&all))?, &all, &libraries(layout))
}

/// Downloads packages and unpacks them into `root`. The lists of packages are the machine's own if it has any that
/// will do, else fresh ones beside ours.
async fn fetch<T: AsRef<str>>(layout: &Layout, packages: &[T], name: &str, root: &Path) -> Result<()> {
    const SCRIPT: &str = r#"
folder=$1 root=$2
shift 2
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
cd "$folder"
own="-o Dir::State::lists=$folder/lists -o Dir::Cache=$folder/cache -o Debug::NoLocking=1 -o APT::Sandbox::User="
apt-get -o APT::Sandbox::User= download "$@" || { apt-get $own update && apt-get $own download "$@"; } || exit 1
for package in *.deb; do dpkg-deb -x "$package" "$root" || exit 1; done
"#;
    let log = Output::Log(layout.local("logs").join(format!("mta-{name}.log")));
    let launch = Launch::new("sh", log).args(["-c", SCRIPT, "sh"]);
    let launch = launch.args([layout.local("mta").join(name).as_path(), root]);
    launch.args(packages.iter().map(AsRef::as_ref)).run().await
}

/// What the loader says of the libraries of `exim`, with those in `folder`.
fn linked(exim: &Path, folder: Option<&Path>) -> Result<String> {
    let mut command = std::process::Command::new("ldd");
    command.arg(exim);
    if let Some(folder) = folder {
        command.env("LD_LIBRARY_PATH", folder);
    }
    let told = command.output().context("ldd is missing")?;
    Ok(String::from_utf8_lossy(&told.stdout).into_owned())
}

/// Copies the libraries in `all` that the loader has taken, as it `told`, to `kept`.
fn keep_needed(told: &str, all: &Path, kept: &Path) -> Result<()> {
    if let Some(line) = told.lines().find(|line| line.contains("not found")) {
        bail!("Exim lacks a library: {}", line.trim());
    }
    std::fs::create_dir_all(kept)?;
    let taken = told.split_whitespace().map(Path::new).filter(|path| path.starts_with(all));
    for library in taken {
        std::fs::copy(library, kept.join(library.file_name().unwrap_or_default()))?;
    }
    Ok(())
}

/// The libraries on which Exim depends, and those on which these do, except the C library.
fn dependencies() -> Result<Vec<String>> {
    const KINDS: [&str; 6] = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"];
    let mut command = std::process::Command::new("apt-cache");
    command.args(["depends", "--recurse"]).args(KINDS.map(|kind| format!("--no-{kind}")));
    let told = command.arg(PACKAGES[0]).output().context("apt-cache is missing")?;
    let told = String::from_utf8_lossy(&told.stdout);
    let libraries = told.lines().filter(|line| line.starts_with("lib") && !line.starts_with("libc6"));
    let names: Vec<_> = libraries.map(str::to_owned).collect();
    if names.is_empty() {
        bail!("apt-cache does not know on what Exim depends");
    }
    Ok(names)
}

/// Puts all libraries below `from` into one folder.
fn collect(from: &Path, to: &Path) -> Result<()> {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            collect(&path, to)?;
        } else if name.contains(".so") && path.exists() {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}

fn found(folder: &Path, name: &str) -> Option<PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { found(&path, name) } else { path.ends_with(name).then_some(path) }
    })
}
