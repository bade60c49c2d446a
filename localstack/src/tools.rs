//! What must be on the machine before anything starts: one clear line for each thing that is not.

use std::process::Command;

use anyhow::{Result, bail};

/// Python that the emulator runs on.
const PYTHON: (u32, u32) = (3, 11);
/// Node that CDK and the mail viewer run on.
const NODE: u32 = 20;

/// Checks all tools at once, so that one run names everything that is missing.
///
/// # Errors
/// One line for each missing tool.
pub fn check() -> Result<()> {
    let system = cfg!(target_os = "linux").then_some(()).ok_or_else(|| {
        "this system is not Linux: the emulator runs the functions as processes of this machine (use WSL, a virtual machine or a container)"
            .to_owned()
    });
    let checks = [system, python(), node(), npm(), compiler()];
    let missing: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if missing.is_empty() { Ok(()) } else { bail!(missing.join("\n")) }
}

type Check = std::result::Result<(), String>;

fn python() -> Check {
    const PROBE: &str = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])";
    let needed = format!("Python {}.{} or newer with its venv module", PYTHON.0, PYTHON.1);
    let advice = "install python3 and python3-venv (Debian: apt install python3-venv)";
    let Some(version) = answer("python3", &["--version"]) else {
        return Err(format!("python3 is missing: {needed} is needed; {advice}"));
    };
    if dotted(&version).is_none_or(|found| found < PYTHON) {
        return Err(format!("python3 is too old ({version}): {needed} is needed; {advice}"));
    }
    match answer("python3", &["-c", PROBE]) {
        Some(_) => Ok(()),
        None => Err(format!("python3 cannot make environments: {needed} is needed; {advice}")),
    }
}

fn node() -> Check {
    let Some(version) = answer("node", &["--version"]) else {
        return Err(format!("node is missing: install Node.js {NODE} or newer"));
    };
    match dotted(&version) {
        Some((major, _)) if major >= NODE => Ok(()),
        _ => Err(format!("node is too old ({version}): install Node.js {NODE} or newer")),
    }
}

fn npm() -> Check {
    answer("npm", &["--version"])
        .map(drop)
        .ok_or_else(|| "npm is missing: install it with Node.js".to_owned())
}

fn compiler() -> Check {
    let found = answer("cc", &["--version"]);
    found
        .map(drop)
        .ok_or_else(|| "cc is missing: install a C compiler (Debian: apt install build-essential)".to_owned())
}

/// The first line that a tool prints, if it runs.
pub(crate) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned();
    output.status.success().then_some(text)
}

/// The compiler's name of this machine, such as `x86_64-unknown-linux-gnu`.
pub(crate) fn host() -> String {
    answer("rustc", &["--print", "host-tuple"]).unwrap_or_default()
}

/// The first two numbers of `Python 3.11.7` or `v20.1.0`.
fn dotted(version: &str) -> Option<(u32, u32)> {
    let start = version.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = version.get(start..)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(dotted("Python 3.11.7"), Some((3, 11)));
        assert_eq!(dotted("v20.20.2"), Some((20, 20)));
        assert_eq!(dotted("no version"), None);
        assert!(dotted("Python 3.9.2").unwrap() < PYTHON);
        assert!(dotted("Python 3.14.0").unwrap() >= PYTHON);
    }

    #[test]
    fn a_tool_that_is_not_there_gives_no_answer() {
        assert_eq!(answer("otpost-no-such-tool", &[]), None);
    }
}
