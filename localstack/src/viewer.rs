//! The mail viewer as a child process: it answers SES's `SendEmail` and shows what was sent.

use std::path::Path;

use anyhow::Result;

use crate::emulator::Server;
use crate::guard::{Launch, Output};
use crate::host;
use crate::install;
use crate::layout::Layout;

/// Starts the viewer, on `wish` if that port is free. Its log lies below `folder`.
///
/// # Errors
/// It does not start.
pub async fn start(layout: &Layout, folder: &Path, wish: Option<u16>) -> Result<Server> {
    let installed = install::staged(layout, "localstack/viewer");
    let program = installed.join("node_modules/aws-ses-v2-local/dist/cli.js");
    Server::start(wish, "/health-check", |port| {
        Launch::new("node", Output::Log(folder.join("logs/viewer.log")))
            .env_clear()
            .env("PATH", host::variable("PATH").unwrap_or_default())
            .env("HOME", folder)
            .args([&program])
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .current_dir(folder)
    })
    .await
}
