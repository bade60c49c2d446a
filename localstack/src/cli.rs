//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::{bench, packages, suite, templates, up};

/// Otpost on this machine: emulator, mail viewer, the deployed system and its demonstration.
#[derive(Debug, Parser)]
#[command(name = "cargo local", bin_name = "cargo local", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the system, run the demonstration and stay (the default).
    Up {
        /// End after the demonstration; fail if one of its steps failed.
        #[arg(long)]
        once: bool,
        /// Deploy release builds of the functions, as production does.
        #[arg(long)]
        release: bool,
    },
    /// Run a demonstration on the running system: the main job again, or another one.
    Demo {
        /// Which one.
        #[arg(value_enum, default_value_t)]
        which: Demonstration,
    },
    /// End the running system.
    Down,
    /// Say whether a system runs, and where.
    Status,
    /// Print what the functions logged.
    Logs {
        /// One function's lines only, such as `verify`.
        function: Option<String>,
    },
    /// Build release packages of the functions; fail if one is too large for production.
    Packages,
    /// Draw every built-in mail as a browser shows it: light and dark, wide and on a phone.
    Templates {
        /// Where the pictures go; `target/local/pictures` unless given.
        folder: Option<std::path::PathBuf>,
        /// The tenant's colour, such as #0b6e4f.
        #[arg(long)]
        colour: Option<String>,
        /// The tenant's logo, a PNG file.
        #[arg(long)]
        logo: Option<std::path::PathBuf>,
    },
    /// Measure starts, calls and costs of release builds; write them to `docs/performance.md`.
    Bench {
        /// Few repetitions, to see that it works; writes nothing.
        #[arg(long)]
        quick: bool,
    },
    /// Install what tests need and run them all.
    Test {
        /// Arguments for `cargo test`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

/// The demonstrations.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Demonstration {
    /// From a new user to a verified code.
    #[default]
    Main,
    /// Thirty people arrive by their directory's events, one leaves, one comes back.
    Directory,
    /// A message by a gateway of each kind, shown where it arrives; then what the test button tells of trouble.
    Senders,
    /// A provider of texts goes silent: how messages arrive all the same, and pass it over until it works again.
    Failover,
}

/// Runs what the command line asks for.
#[must_use]
pub fn run() -> ExitCode {
    let command = Arguments::parse().command.unwrap_or(Command::Up { once: false, release: false });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&error.into()),
    };
    match runtime.block_on(carry_out(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

async fn carry_out(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up { once: true, release } => Box::pin(up::once(release)).await,
        Command::Up { once: false, release } => Box::pin(up::up(release)).await,
        Command::Demo { which: Demonstration::Main } => up::demo_again().await,
        Command::Demo { which: Demonstration::Directory } => up::demo_directory().await,
        Command::Demo { which: Demonstration::Senders } => up::demo_senders().await,
        Command::Demo { which: Demonstration::Failover } => up::demo_failover().await,
        Command::Down => up::down().await,
        Command::Status => up::status(),
        Command::Logs { function } => up::logs(function.as_deref()).await,
        Command::Packages => packages::run().await,
        Command::Templates { folder, colour, logo } => {
            templates::run(folder, colour.as_deref(), logo.as_deref()).await
        }
        Command::Bench { quick } => Box::pin(bench::run(quick)).await,
        Command::Test { arguments } => suite::run(&arguments).await,
    }
}

fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn test_arguments_are_passed_on() {
        let parsed =
            Arguments::try_parse_from(["x", "test", "-p", "otpost-domain", "--", "--nocapture"]).unwrap();
        let Some(Command::Test { arguments }) = parsed.command else { panic!("test") };
        assert_eq!(arguments, ["-p", "otpost-domain", "--", "--nocapture"]);
    }
}
