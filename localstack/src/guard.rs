//! Child processes that never outlive us.
//!
//! Each child runs in a process group of its own, beside a small shell that holds the reading end of a pipe.
//! The writing end is ours. When it closes, because we let go of it or because we are gone in whatever way,
//! the shell asks the child to end, and after a few seconds ends the whole group. No signal handler of ours
//! takes part, so a crash, a panic and SIGKILL clean up too.

use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// `$@` is the guarded command. Descriptor 3 is the pipe.
const SCRIPT: &str = r#"
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
(
  cat <&3 >/dev/null
  kill -TERM "$child" 2>/dev/null
  left=50
  while [ "$left" -gt 0 ] && kill -0 "$child" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
  kill -KILL 0
) &
exec 3<&- 2>/dev/null
wait "$child"
status=$?
trap '' TERM
kill -TERM 0
exit "$status"
"#;

/// How long a child may take to end.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where a child's output goes.
#[derive(Clone, Debug)]
pub enum Output {
    /// To a file, for the last lines of a failure.
    Log(PathBuf),
    /// To our own streams.
    Inherit,
    /// Standard output to us, standard error to our own.
    Read,
}

/// A command to be guarded.
#[derive(Clone, Debug)]
pub struct Launch {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    removed: Vec<String>,
    empty_environment: bool,
    folder: Option<PathBuf>,
    output: Output,
}

impl Launch {
    /// A program and where its output goes.
    pub fn new(program: impl AsRef<OsStr>, output: Output) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            removed: Vec::new(),
            empty_environment: false,
            folder: None,
            output,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Takes an environment variable away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.removed.push(name.to_owned());
        self
    }

    /// Starts from an empty environment.
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.empty_environment = true;
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn current_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Starts the command.
    ///
    /// # Errors
    /// The log cannot be opened, or no process can be started.
    pub fn start(self) -> Result<Guarded> {
        let name =
            Path::new(&self.program).file_name().unwrap_or(&self.program).to_string_lossy().into_owned();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SCRIPT).arg("otpost-local").arg(&self.program).args(&self.arguments);
        if self.empty_environment {
            command.env_clear();
        }
        for removed in &self.removed {
            command.env_remove(removed);
        }
        command.envs(self.variables).process_group(0).stdin(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut log = None;
        match self.output {
            Output::Log(path) => {
                let file = open_log(&path)?;
                command.stdout(file.try_clone()?).stderr(file);
                log = Some(path);
            }
            Output::Inherit => {}
            Output::Read => {
                command.stdout(Stdio::piped());
            }
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let line = child.stdin.take();
        Ok(Guarded { child, line, name, log })
    }

    /// Starts the command and waits for it.
    ///
    /// # Errors
    /// It cannot be started, or ends with a failure: then the last lines of its log are part of the error.
    pub async fn run(self) -> Result<()> {
        let mut guarded = self.start()?;
        let status = guarded.wait().await?;
        if status.success() { Ok(()) } else { bail!(guarded.complaint(status)) }
    }
}

/// A running child.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    /// Closing it ends the child.
    line: Option<ChildStdin>,
    name: String,
    log: Option<PathBuf>,
}

impl Guarded {
    /// Waits for the child's own end.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        // tokio's own `wait` would close the line first.
        let line = self.line.take();
        let status = self.child.wait().await;
        drop(line);
        status.with_context(|| format!("cannot wait for {}", self.name))
    }

    /// What the child writes, if it was started with [`Output::Read`]. Once only.
    pub fn take_output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Why the child ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| self.complaint(status))
    }

    /// Asks the child to end and waits until it is gone; ends its whole group if it does not go.
    ///
    /// # Errors
    /// It is still there after that.
    pub async fn stop(mut self) -> Result<()> {
        // The guarding shell needs five seconds at most. It is gone only if somebody ended it.
        drop(self.line.take());
        if tokio::time::timeout(PATIENCE, self.child.wait()).await.is_ok() {
            return Ok(());
        }
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        group.map_or(Ok(()), |group| kill_process_group(group, Signal::KILL))?;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.map_err(|_| anyhow::anyhow!("{} does not end", self.name))??;
        Ok(())
    }

    fn complaint(&self, status: ExitStatus) -> String {
        let tail = self.log.as_deref().map(tail).unwrap_or_default();
        format!("{} ended with {status}{tail}", self.name)
    }
}

fn open_log(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let opened = OpenOptions::new().create(true).write(true).truncate(true).open(path);
    opened.with_context(|| format!("cannot write {}", path.display()))
}

/// The last lines of a log, for an error message.
fn tail(log: &Path) -> String {
    const LINES: usize = 20;
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    format!("; the end of {}:\n    {}", log.display(), last.join("\n    "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    fn alive(pid_file: &Path) -> bool {
        let pid = std::fs::read_to_string(pid_file).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    }

    async fn eventually(mut holds: impl FnMut() -> bool) -> bool {
        for _ in 0..100 {
            if holds() {
                return true;
            }
            host::pause(Duration::from_millis(50)).await;
        }
        false
    }

    #[tokio::test]
    async fn a_failure_shows_the_end_of_the_log() {
        let log = std::env::temp_dir().join(format!("otpost-guard-{}.log", std::process::id()));
        let launch = Launch::new("sh", Output::Log(log.clone())).args(["-c", "echo the reason; exit 3"]);
        let error = launch.run().await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("the reason"), "{error}");
        std::fs::remove_file(log).unwrap();
    }

    #[tokio::test]
    async fn letting_go_ends_the_child_and_its_children() {
        let pid_file = std::env::temp_dir().join(format!("otpost-guard-{}.pid", std::process::id()));
        let script = r#"sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; while :; do sleep 1; done' "$0"; true"#;
        let launch = Launch::new("sh", Output::Inherit).args(["-c", script]).args([&pid_file]);
        let guarded = launch.start().unwrap();
        assert!(eventually(|| pid_file.exists()).await, "the grandchild runs");
        assert!(alive(&pid_file));

        drop(guarded);

        assert!(eventually(|| !alive(&pid_file)).await, "the grandchild is gone");
        std::fs::remove_file(pid_file).unwrap();
    }

    #[tokio::test]
    async fn stopping_waits_for_an_orderly_end() {
        let ready = std::env::temp_dir().join(format!("otpost-guard-{}.ready", std::process::id()));
        let script = r#"trap 'echo bye > "$0"; exit 0' TERM; echo up > "$0"; while :; do sleep 0.05; done"#;
        let launch = Launch::new("sh", Output::Inherit).args(["-c", script]).args([&ready]);
        let guarded = launch.start().unwrap();
        assert!(eventually(|| ready.exists()).await);
        guarded.stop().await.unwrap();
        assert_eq!(std::fs::read_to_string(&ready).unwrap(), "bye\n");
        std::fs::remove_file(ready).unwrap();
    }
}
