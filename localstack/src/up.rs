//! `up`, `demo`, `status` and `down`: one running system and those who ask for it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::aws::Aws;
use crate::build::FUNCTIONS;
use crate::demo::{self, Keys};
use crate::host::{self, Watch};
use crate::layout::Layout;
use crate::logs;
use crate::mask;
use crate::progress::{self, Progress};
use crate::smtp;
use crate::state::{State, StateFile};
use crate::world::{Endpoints, Options, World};

/// The ports that `up` takes when they are free, so that links stay the same.
const API_PORT: u16 = 8400;
const VIEWER_PORT: u16 = 8405;
const PHONE_PORT: u16 = 8406;
const SMTP_PORT: u16 = 8407;

/// Starts the system, runs the demonstration and stays until it is told to end.
///
/// # Errors
/// The system does not start, or breaks.
pub async fn up(release: bool) -> Result<()> {
    let layout = Layout::find()?;
    let file = StateFile::of(&layout);
    let Some(_lock) = file.claim()? else {
        println!("Otpost runs already.");
        return status();
    };
    let mut state = State { pid: std::process::id(), endpoints: None, keys: None };
    file.write(&state)?;
    let watch = Watch::start();
    let mut world = World::start(options(release, Some(layout.local("run")))).await?;
    state.endpoints = Some(world.endpoints().clone());
    file.write(&state)?;
    match demo::run(world.endpoints(), None).await {
        Ok(keys) => state.keys = Some(keys),
        Err(error) => {
            println!("\n{error:#}\nThe functions' last log lines:");
            print_logs(world.endpoints(), FUNCTIONS, 20).await;
            println!("The system stays up: `cargo local demo` tries again.\n");
        }
    }
    file.write(&state)?;
    print_urls(world.endpoints(), state.keys.as_ref());
    println!("Up after {}. Ctrl-C or `cargo local down` ends it.", progress::seconds(watch.elapsed()));
    let outcome = until_told(&mut world).await;
    Progress::Shown.step("ending", world.shutdown()).await?;
    file.remove()?;
    outcome
}

/// Starts a system of its own, runs the demonstration and ends it.
///
/// # Errors
/// The system does not start, or a step of the demonstration fails.
pub async fn once(release: bool) -> Result<()> {
    let watch = Watch::start();
    let world = World::start(options(release, None)).await?;
    let outcome = demo::run(world.endpoints(), None).await;
    if outcome.is_err() {
        println!("\nThe functions' last log lines:");
        print_logs(world.endpoints(), FUNCTIONS, 60).await;
    }
    Progress::Shown.step("ending", world.shutdown()).await?;
    outcome?;
    println!("The demonstration passed; all in all {}.", progress::seconds(watch.elapsed()));
    Ok(())
}

/// Runs the demonstration on the running system.
///
/// # Errors
/// No system runs, or a step fails.
pub async fn demo_again() -> Result<()> {
    let file = StateFile::of(&Layout::find()?);
    let (endpoints, mut state) = running_system(&file)?;
    let keys = demo::run(&endpoints, state.keys.clone()).await?;
    if state.keys.is_none() {
        state.keys = Some(keys);
        file.write(&state)?;
    }
    Ok(())
}

/// Shows on the running system how a directory's people get and lose their tokens.
///
/// # Errors
/// No system runs, or a step fails.
pub async fn demo_directory() -> Result<()> {
    let (endpoints, _) = running_system(&StateFile::of(&Layout::find()?))?;
    demo::run_directory(&endpoints).await
}

/// Shows on the running system how messages leave by gateways of each kind, and what is told when they cannot.
///
/// # Errors
/// No system runs, or a step fails.
pub async fn demo_senders() -> Result<()> {
    let (endpoints, _) = running_system(&StateFile::of(&Layout::find()?))?;
    demo::run_senders(&endpoints).await
}

/// Shows on the running system how messages arrive when a provider goes silent.
///
/// # Errors
/// No system runs, or a step fails.
pub async fn demo_failover() -> Result<()> {
    let (endpoints, _) = running_system(&StateFile::of(&Layout::find()?))?;
    demo::run_failover(&endpoints).await
}

/// Prints what functions of the running system logged: all of them, or one.
///
/// # Errors
/// No system runs.
pub async fn logs(function: Option<&str>) -> Result<()> {
    if let Some(unknown) = function.filter(|function| !FUNCTIONS.contains(function)) {
        bail!("there is no function {unknown}; there are {}", FUNCTIONS.join(", "));
    }
    let (endpoints, _) = running_system(&StateFile::of(&Layout::find()?))?;
    let one = function.map(|function| [function]);
    print_logs(&endpoints, one.as_ref().map_or(FUNCTIONS, |one| one.as_slice()), usize::MAX).await;
    Ok(())
}

/// Says whether a system runs, and where.
///
/// # Errors
/// The state cannot be read.
pub fn status() -> Result<()> {
    match StateFile::of(&Layout::find()?).running()? {
        None => println!("Otpost does not run. Start it with `cargo local`."),
        Some(State { pid, endpoints: None, .. }) => println!("Otpost still starts (process {pid})."),
        Some(State { endpoints: Some(endpoints), keys, .. }) => print_urls(&endpoints, keys.as_ref()),
    }
    Ok(())
}

/// Ends the running system and waits until it is gone.
///
/// # Errors
/// It does not end.
pub async fn down() -> Result<()> {
    let file = StateFile::of(&Layout::find()?);
    let Some(state) = file.running()? else {
        println!("Otpost does not run.");
        return Ok(());
    };
    // The lock is held, so the process that wrote the state is alive: the number is not someone else's.
    let pid = i32::try_from(state.pid).ok().and_then(Pid::from_raw).context("the state file is odd")?;
    kill_process(pid, Signal::TERM).context("cannot reach the running system")?;
    let watch = Watch::start();
    while file.claim()?.is_none() {
        if watch.elapsed() > Duration::from_secs(30) {
            bail!("process {} does not end", state.pid);
        }
        host::pause(Duration::from_millis(100)).await;
    }
    file.remove()?;
    println!("Otpost has ended.");
    Ok(())
}

fn options(release: bool, folder: Option<std::path::PathBuf>) -> Options {
    Options {
        folder,
        api_port: Some(API_PORT),
        viewer_port: Some(VIEWER_PORT),
        phone_port: Some(PHONE_PORT),
        smtp_port: Some(SMTP_PORT),
        release,
        progress: Progress::Shown,
    }
}

/// Waits for a signal, or for a server that ends by itself.
async fn until_told(world: &mut World) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            _ = hang_up.recv() => return Ok(()),
            () = host::pause(Duration::from_secs(1)) => {
                if let Some(complaint) = world.broken() {
                    bail!(complaint);
                }
            }
        }
    }
}

fn running_system(file: &StateFile) -> Result<(Endpoints, State)> {
    let state = file.running()?.context("Otpost does not run: start it with `cargo local`")?;
    let endpoints = state.endpoints.clone().context("Otpost still starts: try again in a moment")?;
    Ok((endpoints, state))
}

/// Prints the last lines that functions logged.
async fn print_logs(endpoints: &Endpoints, functions: &[&str], last: usize) {
    match logs::read(&Aws::at(&endpoints.emulator), functions).await {
        Ok(lines) => {
            for line in lines.iter().skip(lines.len().saturating_sub(last)) {
                println!("  {:<18}{}", line.function, line.text);
            }
        }
        Err(error) => println!("  {error:#}"),
    }
}

fn print_urls(endpoints: &Endpoints, keys: Option<&Keys>) {
    println!("  API and links    {}", endpoints.api);
    println!("  mail viewer      {}", endpoints.viewer);
    println!("  phone view       {}", endpoints.phone);
    println!("  SMTP gateway     {}, STARTTLS, user {}", endpoints.smtp, smtp::USER);
    println!("  AWS endpoint     {}", endpoints.emulator);
    let Some(keys) = keys else { return };
    println!("  operator's key   {}", keys.operator);
    println!("  app's key        {}", mask::key(&keys.app));
    println!("  admin's key      {}", mask::key(&keys.admin));
    println!("  platform key     {}", mask::key(&keys.platform));
    if let Ok(layout) = Layout::find() {
        println!("  all of them      {}, under keys", StateFile::of(&layout).path().display());
    }
    println!(
        "\nTry:\n  curl -s {}/v1/users/jane -H 'authorization: Bearer {}'\n  cargo local demo senders\n  cargo local demo failover\n",
        endpoints.api, keys.operator
    );
}
