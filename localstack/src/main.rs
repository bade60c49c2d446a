//! `cargo local`: see the package's README.

use std::process::ExitCode;

fn main() -> ExitCode {
    otpost_local::cli::run()
}
