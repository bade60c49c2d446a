//! `cargo local packages`: release packages of all functions, held to what production allows.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::build::{FUNCTIONS, build};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::{install, tools};

/// The largest package of a function for whose start nobody's sign-in waits, zipped. `admin` has all the SDK's clients.
const LARGEST: u64 = 6 << 20;
/// The largest of one on the way of a sign-in.
const LARGEST_AWAITED: u64 = 4 << 20;
/// The functions on the way of a sign-in.
const AWAITED: [&str; 1] = ["verify"];
/// The C library of Lambda's provided.al2023: a binary that asks for a newer one does not start there.
const C_LIBRARY: (u32, u32) = (2, 34);

/// Builds the packages and prints the size of each, and which C library it needs.
///
/// # Errors
/// They do not build, one is too large, or one needs a newer C library than Lambda has.
pub async fn run() -> Result<()> {
    tools::check()?;
    let layout = Layout::find()?;
    install::install(&layout, Progress::Shown).await?;
    build(&layout, true, Progress::Shown).await?;
    let mut faults = Vec::new();
    println!("\n{:<17} {:>10}  needs", "package", "zipped");
    for function in FUNCTIONS {
        let zip = layout.packages(true).join(function).join("bootstrap.zip");
        let size = std::fs::metadata(&zip).with_context(|| format!("no {}", zip.display()))?.len();
        let binary = layout.binary(function, true);
        let needs = newest_c_library(&binary)?;
        println!("{function:<17} {:>7.2} MB  glibc {}.{}", megabytes(size), needs.0, needs.1);
        let largest = if AWAITED.contains(function) { LARGEST_AWAITED } else { LARGEST };
        if size > largest {
            faults.push(format!("{function} is larger than {:.0} MB", megabytes(largest)));
        }
        if needs > C_LIBRARY {
            faults.push(format!("{function} needs a newer C library than Lambda has"));
        }
    }
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("; ")) }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The newest `GLIBC_x.y` that a binary names.
fn newest_c_library(binary: &Path) -> Result<(u32, u32)> {
    let bytes = std::fs::read(binary).with_context(|| format!("no {}", binary.display()))?;
    Ok(versions(&bytes).max().unwrap_or_default())
}

fn versions(bytes: &[u8]) -> impl Iterator<Item = (u32, u32)> + '_ {
    const NAME: &[u8] = b"GLIBC_";
    let found = bytes.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    found.filter_map(|(at, _)| {
        let rest = bytes.get(at + NAME.len()..)?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.')?;
        let (major, minor) = std::str::from_utf8(rest.get(..end)?).ok()?.split_once('.')?;
        let minor = minor.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_found() {
        let bytes = b"\0GLIBC_2.2.5\0x\0GLIBC_2.34\0GLIBC_PRIVATE\0GLIBC_2.9\0";
        assert_eq!(versions(bytes).max(), Some((2, 34)));
        assert_eq!(versions(b"nothing").max(), None);
    }
}
