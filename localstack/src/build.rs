//! Builds the functions' zips with cargo-lambda.

use anyhow::{Result, bail};

use crate::guard::{Launch, Output};
use crate::host::Watch;
use crate::install::take_turn;
use crate::layout::{self, Layout};
use crate::progress::{self, Progress};
use crate::stamp::{Inputs, Stamp};
use crate::tools;

/// The functions' binaries, as CDK asks for them. Their packages have `otpost-` in front.
pub const FUNCTIONS: &[&str] = &[
    "admin",
    "deliver",
    "enroll",
    "jobs",
    "push-token",
    "receipts",
    "send-govuk-notify",
    "send-ses",
    "send-smtp",
    "send-twilio",
    "verify",
];

/// The function that does nothing, which the others' starts are compared with. It is not deployed.
pub const HELLO: &str = "hello";

/// Makes `<packages>/<function>/bootstrap.zip` for every function, unless nothing has changed since.
///
/// With [`Progress::Shown`] cargo's own lines are shown too.
///
/// # Errors
/// The functions do not build.
pub async fn build(layout: &Layout, release: bool, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    let folder = layout.packages(release);
    let digest = inputs(layout, release)?;
    let stamp = Stamp::at(layout.local(if release { "stamps/lambda-release" } else { "stamps/lambda" }));
    let zip = |function: &&str| folder.join(function).join("bootstrap.zip");
    if stamp.is(&digest) && FUNCTIONS.iter().all(|function| zip(function).exists()) {
        return Ok(());
    }
    stamp.clear()?;
    let profile = if release { "release" } else { "development" };
    progress.line(format_args!(
        "building the functions ({profile} profile; the first time takes some minutes) …"
    ));
    let watch = Watch::start();
    launch(layout, release, progress, FUNCTIONS).run().await?;
    if let Some(missing) = FUNCTIONS.iter().map(zip).find(|zip| !zip.exists()) {
        bail!("cargo lambda build made no {}", missing.display());
    }
    progress.line(format_args!("functions built in {}", progress::seconds(watch.elapsed())));
    stamp.write(&digest)
}

/// Makes the zip of [`HELLO`] in the release profile, unless nothing has changed since.
///
/// # Errors
/// It does not build.
pub async fn build_hello(layout: &Layout, progress: Progress) -> Result<()> {
    let _turn = take_turn(layout, progress).await?;
    let digest = common_inputs(layout, true)?.tree(&layout.root().join("localstack/hello"), &[])?.digest();
    let stamp = Stamp::at(layout.local("stamps/hello"));
    if stamp.is(&digest) && layout.binary(HELLO, true).exists() {
        return Ok(());
    }
    stamp.clear()?;
    progress.line("building hello, which the functions are compared with …");
    launch(layout, true, progress, &[HELLO]).run().await?;
    stamp.write(&digest)
}

fn launch(layout: &Layout, release: bool, progress: Progress, functions: &[&str]) -> Launch {
    let output = match progress {
        Progress::Shown => Output::Inherit,
        Progress::Silent => Output::Log(layout.local("logs/build.log")),
    };
    let packages =
        functions.iter().flat_map(|function| ["--package".to_owned(), format!("otpost-{function}")]);
    let profile = if release { &["--release"][..] } else { &[] };
    let launch = Launch::new(layout.venv_program("cargo-lambda"), output)
        .args(["lambda", "build", "--compiler", "cargo", "--output-format", "zip", "--skip-target-check"])
        .args(profile)
        .args(["--lambda-dir"])
        .args([layout.packages(release)])
        .args(packages)
        // As a variable: cargo-lambda hands `--target-dir` on to `cargo metadata`, which knows no such option.
        .env("CARGO_TARGET_DIR", layout.target())
        .current_dir(layout.root());
    // Cargo sets these for what it runs; a nested cargo must not take them for its own.
    ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME"].into_iter().fold(launch, Launch::without)
}

/// All that a function is made of.
fn inputs(layout: &Layout, release: bool) -> Result<String> {
    let root = layout.root();
    let inputs = common_inputs(layout, release)?
        .tree(&root.join("shared"), &["tests"])?
        .tree(&root.join("functions"), &["tests"])?;
    Ok(inputs.digest())
}

/// What every binary is made with.
fn common_inputs(layout: &Layout, release: bool) -> Result<Inputs> {
    let root = layout.root();
    let compiler = tools::answer(&layout::cargo(), &["--version"]).unwrap_or_default();
    Inputs::default()
        .text(&compiler)
        .text(if release { "release" } else { "dev" })
        .file(&root.join("Cargo.toml"))?
        .file(&root.join("Cargo.lock"))?
        .file(&root.join(".cargo/config.toml"))?
        .file(&root.join("localstack/requirements.txt"))
}
