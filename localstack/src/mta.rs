//! A real server of mail, Exim, on this machine: without rights, without the machine's own mail, and gone with us.
//!
//! Debian's package is unpacked and not installed: installing it would start a daemon. Exim wants a user of its own
//! name, so another package, a library, tells it of one.
//!
//! What it does with a recipient of `example.org` stands in the local part: `closing`, `later`, `unknown`, `full`,
//! `grey` (later the first time, taken the second); anybody else's mail is taken, unless its text has the word
//! [`REFUSED_WORD`]. Other domains are not relayed to. Senders of `members.example.org` must authenticate.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{getgid, getuid};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use crate::certificates::Identity;
use crate::guard::{Guarded, Launch, Output};
use crate::host;
use crate::layout::Layout;
use crate::ports;

mod install;

pub(crate) use install::install;

/// The user that may authenticate.
pub const USER: &str = "otpost";
/// Its password.
pub const PASSWORD: &str = "correct-horse-battery-staple";
/// Mails with this word are refused when they were read.
pub const REFUSED_WORD: &str = "unwelcome";
/// The most bytes of a mail.
pub const MOST: usize = 102_400;

/// A user without rights: for when we are root, whom Exim does not serve.
const NOBODY: u32 = 65_534;
/// How long a start and a delivery may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a start is tried when another program takes its ports.
const TRIES: usize = 3;

/// Where the programs lie.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Exim.
    exim: PathBuf,
    /// A library that answers what users there are; none where Exim was installed and knows its own.
    wrapper: Option<PathBuf>,
    /// Libraries that this machine lacks.
    libraries: Option<PathBuf>,
}

/// A running server.
#[derive(Debug)]
pub struct Mta {
    /// The port on which TLS begins by STARTTLS.
    pub starttls: u16,
    /// The port on which TLS begins at once.
    pub implicit: u16,
    folder: Folder,
    child: Guarded,
}

/// A folder that goes with us.
#[derive(Debug)]
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it lies among other things that nobody needs.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Mta {
    /// Starts a server that proves by `identity` who it is.
    ///
    /// # Errors
    /// It was not installed by `cargo local test`, or does not start.
    pub async fn start(layout: &Layout, identity: &Identity) -> Result<Self> {
        let programs = Programs::find(layout)?;
        let mut fault = None;
        for _ in 0..TRIES {
            match Self::try_start(&programs, identity).await {
                Ok(started) => return Ok(started),
                Err(error) => fault = Some(error),
            }
        }
        Err(fault.unwrap_or_else(|| anyhow::anyhow!("no try")).context("Exim does not start"))
    }

    async fn try_start(programs: &Programs, identity: &Identity) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not in the target folder: nobody, as whom it may run, need not have a way there.
        let path = std::env::temp_dir().join(format!("otpost-mta-{}-{number}", std::process::id()));
        let folder = Folder(path.clone());
        let (starttls, implicit) = (ports::pick(None)?, ports::pick(None)?);
        let root = getuid().is_root();
        let owner = if root { (NOBODY, NOBODY) } else { (getuid().as_raw(), getgid().as_raw()) };
        lay_out(&path, programs, identity)?;
        std::fs::write(path.join("exim.conf"), configuration(&path, (starttls, implicit), owner))?;
        let (user, group) = owner;
        std::fs::write(path.join("passwd"), format!("Debian-exim:x:{user}:{group}::/:/bin/false\n"))?;
        std::fs::write(path.join("group"), format!("Debian-exim:x:{group}:\n"))?;
        if root {
            give_away(&path)?;
        }
        let child = command(&path, programs, root).start()?;
        let mut mta = Self { starttls, implicit, folder, child };
        mta.await_greeting().await?;
        Ok(mta)
    }

    async fn await_greeting(&mut self) -> Result<()> {
        let watch = host::Watch::start();
        while watch.elapsed() < PATIENCE {
            if let Some(complaint) = self.child.ended() {
                bail!(complaint);
            }
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.starttls)).await {
                let mut line = String::new();
                let read = BufReader::new(stream);
                if tokio::time::timeout(PATIENCE, { read }.read_line(&mut line)).await.is_ok()
                    && line.starts_with("220 ")
                {
                    return Ok(());
                }
            }
            host::pause(Duration::from_millis(50)).await;
        }
        bail!("it does not greet")
    }

    /// All mails that were delivered so far, as they lie in the mailbox, in no order.
    ///
    /// # Errors
    /// The mailbox cannot be read.
    pub fn mails(&self) -> Result<Vec<Vec<u8>>> {
        let mailbox = self.folder.0.join("maildir/new");
        if !mailbox.exists() {
            return Ok(Vec::new());
        }
        let files = std::fs::read_dir(mailbox)?;
        files.map(|file| std::fs::read(file?.path()).context("cannot read a mail")).collect()
    }

    /// The delivered mail in which `text` stands, as soon as it is there.
    ///
    /// # Errors
    /// It does not come.
    pub async fn delivered(&self, text: &str) -> Result<Vec<u8>> {
        let watch = host::Watch::start();
        while watch.elapsed() < PATIENCE {
            let has = |mail: &Vec<u8>| mail.windows(text.len()).any(|part| part == text.as_bytes());
            if let Some(mail) = self.mails()?.into_iter().find(has) {
                return Ok(mail);
            }
            host::pause(Duration::from_millis(50)).await;
        }
        bail!("no mail with {text:?} is delivered")
    }

    /// Ends it, and removes all that it kept.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(self) -> Result<()> {
        self.child.stop().await?;
        // Those of its processes that have a connection each end a moment later, and write that into the folder.
        let watch = host::Watch::start();
        while is_run_by_somebody(&self.folder.0) {
            if watch.elapsed() > PATIENCE {
                bail!("something still runs in {}", self.folder.0.display());
            }
            host::pause(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// Whether a process was started from a program in `folder`.
fn is_run_by_somebody(folder: &Path) -> bool {
    let program = folder.join("exim").into_os_string().into_encoded_bytes();
    std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|process| {
        std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line.starts_with(&program))
    })
}

/// Everything that it needs, in one folder.
fn lay_out(folder: &Path, programs: &Programs, identity: &Identity) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let made = std::fs::create_dir(folder).and_then(|()| {
        ["spool", "log", "maildir"].iter().try_for_each(|name| std::fs::create_dir(folder.join(name)))
    });
    made.with_context(|| format!("cannot write {}", folder.display()))?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    copy(&programs.exim, &folder.join("exim"), 0o755)?;
    copy(&identity.certificate, &folder.join("certificate.pem"), 0o600)?;
    copy(&identity.key, &folder.join("key.pem"), 0o600)?;
    if let Some(wrapper) = &programs.wrapper {
        copy(wrapper, &folder.join("wrapper.so"), 0o644)?;
    }
    if let Some(libraries) = &programs.libraries {
        std::fs::create_dir(folder.join("libraries"))?;
        for file in std::fs::read_dir(libraries)? {
            let file = file?;
            copy(&file.path(), &folder.join("libraries").join(file.file_name()), 0o644)?;
        }
    }
    Ok(())
}

/// A copy has no rights of another user, as an installed Exim has.
fn copy(from: &Path, to: &Path, rights: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let bytes = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    std::fs::write(to, bytes)?;
    Ok(std::fs::set_permissions(to, std::fs::Permissions::from_mode(rights))?)
}

fn give_away(path: &Path) -> Result<()> {
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    if path.is_dir() {
        for file in std::fs::read_dir(path)? {
            give_away(&file?.path())?;
        }
    }
    Ok(())
}

fn command(folder: &Path, programs: &Programs, root: bool) -> Launch {
    let exim = folder.join("exim");
    let log = Output::Log(folder.join("output"));
    let mut launch = if root {
        let nobody = NOBODY.to_string();
        Launch::new("setpriv", log)
            .args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"])
            .args([&exim])
    } else {
        Launch::new(&exim, log)
    };
    launch = launch.args(["-C"]).args([folder.join("exim.conf")]).args(["-bdf"]).current_dir("/");
    if programs.wrapper.is_some() {
        launch = launch
            .env("LD_PRELOAD", folder.join("wrapper.so"))
            .env("NSS_WRAPPER_PASSWD", folder.join("passwd"))
            .env("NSS_WRAPPER_GROUP", folder.join("group"));
    }
    if programs.libraries.is_some() {
        launch = launch.env("LD_LIBRARY_PATH", folder.join("libraries"));
    }
    launch
}

fn configuration(folder: &Path, (starttls, implicit): (u16, u16), (user, group): (u32, u32)) -> String {
    include_str!("mta/exim.conf")
        .replace("@FOLDER@", &folder.to_string_lossy())
        .replace("@STARTTLS@", &starttls.to_string())
        .replace("@IMPLICIT@", &implicit.to_string())
        .replace("@UID@", &user.to_string())
        .replace("@GID@", &group.to_string())
        .replace("@USER@", USER)
        .replace("@PASSWORD@", PASSWORD)
        .replace("@REFUSED@", REFUSED_WORD)
        .replace("@MOST@", &MOST.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_has_no_place_left_open() {
        let written = configuration(Path::new("/tmp/x"), (1, 2), (3, 4));
        assert!(
            written.contains("daemon_smtp_ports = 1 : 2") && written.contains("local_interfaces = 127.0.0.1")
        );
        let open = written.lines().find(|line| line.split('@').count() > 2);
        assert_eq!(open, None);
    }
}
