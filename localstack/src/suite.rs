//! `cargo local test`: everything that is tested, in one run.

use anyhow::{Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::guard::{Launch, Output};
use crate::layout::{self, Layout};
use crate::progress::Progress;
use crate::{install, tools};

/// What test runners counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
}

impl Tally {
    /// Adds what a closing line of cargo's or Node's test runner says.
    fn read(&mut self, line: &str) {
        let plain = without_colours(line);
        let words: Vec<&str> = plain.split_whitespace().collect();
        if let Some(counts) = plain.trim().strip_prefix("test result:") {
            self.passed += number_before(counts, "passed");
            self.failed += number_before(counts, "failed");
        } else if let ["#" | "ℹ", kind, count] = words.as_slice() {
            let count = count.parse().unwrap_or(0);
            match *kind {
                "pass" => self.passed += count,
                "fail" => self.failed += count,
                _ => {}
            }
        }
    }
}

/// Installs what tests need, runs them all and prints the sum. `arguments` go to `cargo test`, which tests
/// only the chosen packages if they name some.
///
/// # Errors
/// A test fails, or none could run.
pub async fn run(arguments: &[String]) -> Result<()> {
    tools::check()?;
    let layout = Layout::find()?;
    install::install(&layout, Progress::Shown).await?;
    install::install_for_tests(&layout, Progress::Shown).await?;
    let mut tally = Tally::default();
    let infra =
        Launch::new("npm", Output::Read).args(["test"]).current_dir(install::staged(&layout, "infra"));
    let infra = infra.env("OTPOST_REPO", layout.root());
    let mut arguments = cargo_arguments(arguments);
    // cargo-lambda always names the target. Naming it here too lets tests and functions share what is compiled.
    arguments.splice(1..1, ["--target".to_owned(), tools::host()]);
    let cargo = Launch::new(layout::cargo(), Output::Read).args(arguments).current_dir(layout.root());
    let mut broken = Vec::new();
    for (name, launch) in [("npm test in infra", infra), ("cargo test", cargo)] {
        println!("\n== {name}\n");
        if !stream(launch, &mut tally).await? {
            broken.push(name);
        }
    }
    println!("\n{} passed, {} failed", tally.passed, tally.failed);
    if !broken.is_empty() {
        bail!("failed: {}", broken.join(", "));
    }
    if tally.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

/// `cargo test`'s arguments: everything, unless packages are chosen.
fn cargo_arguments(given: &[String]) -> Vec<String> {
    let own = given.iter().take_while(|argument| *argument != "--");
    let chosen = own.clone().any(|argument| argument.starts_with("-p") || argument.starts_with("--package"));
    let fixed: &[&str] =
        if chosen { &["test"] } else { &["test", "--workspace", "--features", "otpost-tests/conformance"] };
    let told = own.clone().any(|argument| argument == "--no-fail-fast" || argument == "--no-run");
    let all: &[&str] = if told { &[] } else { &["--no-fail-fast"] };
    let fixed = fixed.iter().chain(all).map(|&argument| argument.to_owned());
    fixed.chain(given.iter().cloned()).collect()
}

/// Runs a command, shows its output and counts. Says whether it ended well.
async fn stream(launch: Launch, tally: &mut Tally) -> Result<bool> {
    let mut running = launch.start()?;
    if let Some(output) = running.take_output() {
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            tally.read(&line);
            println!("{line}");
        }
    }
    Ok(running.wait().await?.success())
}

/// The number before a word, as in `ok. 5 passed; 1 failed;`.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(';').find_map(|part| part.trim().strip_suffix(word));
    before.and_then(|part| part.split_whitespace().next_back()?.parse().ok()).unwrap_or(0)
}

/// A line without terminal colours.
fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // A colour ends with the first letter.
            let _ = characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_tested_unless_packages_are_chosen() {
        let line = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(|&argument| argument.to_owned()).collect();
            cargo_arguments(&given).join(" ")
        };
        assert_eq!(line(&[]), "test --workspace --features otpost-tests/conformance --no-fail-fast");
        assert_eq!(line(&["-p", "otpost-domain"]), "test --no-fail-fast -p otpost-domain");
        assert!(line(&["--", "-p"]).contains("--workspace"), "what is behind -- is not for cargo");
    }

    #[test]
    fn closing_lines_of_both_runners_are_summed() {
        let mut tally = Tally::default();
        let lines = [
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            "# pass 7",
            "\u{1b}[34mℹ fail 1\u{1b}[39m",
            "ℹ duration_ms 12",
            "test it::passed ... ok",
        ];
        for line in lines {
            tally.read(line);
        }
        assert_eq!(tally, Tally { passed: 15, failed: 3 });
    }
}
