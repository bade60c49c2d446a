//! The browser that draws mails and walks through the sample sign-in: Debian's Chromium.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{host, tools};

const ADVICE: &str = "Chromium is missing: install it (Debian: apt install chromium), or name it in CHROMIUM";
/// Where it is looked for, unless `CHROMIUM` names it.
const USUAL: &str = "/usr/bin/chromium";

/// Makes sure of a browser: Debian's, where its packages may be installed.
pub(crate) fn check() -> Result<()> {
    if host::variable("CHROMIUM").is_some() || Path::new(USUAL).exists() {
        return Ok(());
    }
    if tools::answer("apt-get", &["--version"]).is_none() || !rustix::process::geteuid().is_root() {
        bail!(ADVICE);
    }
    println!("installing Chromium (apt, about a minute)");
    let installed = Command::new("apt-get")
        .args(["install", "-y", "-qq", "chromium"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status();
    if installed.is_ok_and(|status| status.success()) && Path::new(USUAL).exists() {
        Ok(())
    } else {
        bail!(ADVICE)
    }
}
