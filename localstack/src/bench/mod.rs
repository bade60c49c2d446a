//! `cargo local bench`: how fast the functions start and answer, what they use, and what that costs.
//!
//! Measured are the release packages, as processes under a Runtime API of our own ([`runtime`]). Their state is that of
//! a deployed system: the emulator's tables, keys and environment variables, made by the CDK app. Between function and
//! emulator is a [`wire`] that times every request, so that a function's own time can be told from the emulator's, which
//! is slower and less steady than AWS.
//!
//! [`journey`] follows messages through the deployed system, with its queues. Of the rest, [`operation`] says what is measured, [`scene`] does it, [`ledger`] keeps it; [`units`] and [`prices`] say what it
//! would cost, [`report`] tells it. Nothing fails because it is slow.

pub mod events;
pub mod journey;
pub mod ledger;
pub mod machine;
pub mod operation;
pub mod prices;
pub mod report;
pub mod runtime;
pub mod scene;
pub mod statistics;
pub mod units;
pub mod usage;
pub mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::build::{self, FUNCTIONS, HELLO};
use crate::demo::{Api, Keys};
use crate::layout::Layout;
use crate::progress::Progress;
use crate::world::{Options, World};
use crate::{install, ports, tools};
use ledger::{Call, Found};
use machine::Machine;
use prices::Prices;
use report::Report;
use runtime::{Environment, Running};
use scene::Scene;
use statistics::{Sample, milliseconds};
use wire::Wire;

/// The tenant in which it all happens.
const TENANT: &str = "bench";

/// How often things are done.
#[derive(Clone, Copy, Debug)]
struct Repetitions {
    /// Starts of each function.
    starts: usize,
    /// People who meet a new process at every step.
    first: usize,
    /// People who meet warm ones.
    timed: usize,
    /// People for whom units are counted.
    counted: usize,
    /// Messages that are followed through the whole system.
    journeys: usize,
}

const FULL: Repetitions = Repetitions { starts: 40, first: 5, timed: 200, counted: 5, journeys: 60 };
const QUICK: Repetitions = Repetitions { starts: 5, first: 1, timed: 5, counted: 2, journeys: 3 };

/// Measures, prints, and rewrites the results in `docs/performance.md` (not if `quick`).
///
/// # Errors
/// Something does not work. Slowness is no error.
pub async fn run(quick: bool) -> Result<()> {
    tools::check()?;
    let layout = Layout::find()?;
    let prices = Prices::read(&layout.root().join("localstack/prices.json"))?;
    install::install(&layout, Progress::Shown).await?;
    build::build(&layout, true, Progress::Shown).await?;
    build::build_hello(&layout, Progress::Shown).await?;
    let world = World::start(Options { release: true, ..Options::for_tests() }).await?;
    let report = measure(&layout, &world, prices, if quick { QUICK } else { FULL }).await;
    Progress::Shown.step("ending", world.shutdown()).await?;
    let block = report?.markdown();
    println!("\n{block}");
    if quick {
        return Ok(());
    }
    let path = layout.root().join("docs/performance.md");
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let page = report::renewed(&page, &block)
        .with_context(|| format!("{} has no marks around its results", path.display()))?;
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

async fn measure(layout: &Layout, world: &World, prices: Prices, repetitions: Repetitions) -> Result<Report> {
    let logs = layout.local("bench");
    std::fs::create_dir_all(&logs)?;
    let machine = Machine::here();
    let mut deployed = BTreeMap::new();
    for name in FUNCTIONS {
        deployed.insert(*name, world.environment(name).await?);
    }
    let binaries: BTreeMap<&'static str, PathBuf> =
        FUNCTIONS.iter().chain(&[HELLO]).map(|name| (*name, layout.binary(name, true))).collect();
    let starts = starts(&binaries, &deployed, &logs, repetitions.starts);
    let starts = Progress::Shown.step("measuring starts", starts).await?;
    let hello = hello(&binaries, &logs, repetitions.timed).await?;
    let keys = keys(world).await?;
    let journeys = journey::travelled(world, &keys, repetitions.journeys);
    let journeys = Progress::Shown.step("following messages", journeys).await?;
    let found = async {
        let tables = [world.output("CoreTable")?, world.output("FlowTable")?];
        let wire = Wire::start(ports::listen(None)?, world.aws_endpoint(), &tables).await?;
        let scene = Scene::new(wire, keys, binaries.clone(), &deployed, &logs);
        scene.play(repetitions.first, repetitions.timed, repetitions.counted).await
    };
    let found: Found = Progress::Shown.step("measuring calls (a minute or two)", found).await?;
    let packages = FUNCTIONS.iter().chain(&[HELLO]).map(|name| {
        let zip = layout.packages(true).join(name).join("bootstrap.zip");
        let size = std::fs::metadata(&zip).with_context(|| format!("no {}", zip.display()))?.len();
        Ok((*name, size))
    });
    let packages = packages.collect::<Result<_>>()?;
    Ok(Report { machine, packages, starts, hello, journeys, found, prices })
}

/// Warm calls of hello: what Lambda's runtime and our harness take of every call.
async fn hello(binaries: &BTreeMap<&'static str, PathBuf>, logs: &Path, count: usize) -> Result<Vec<Call>> {
    let binary = binaries.get(HELLO).context("no hello")?;
    let mut running = Running::start(HELLO, binary, &Environment::new(), &logs.join("hello.log")).await?;
    let event = events::http("GET", "/", None, &serde_json::Value::Null);
    let mut calls = Vec::with_capacity(count);
    for number in 0..count + 3 {
        let called = running.call(&event).await?;
        if number >= 3 {
            calls.push(Call::new(&called, Vec::new()));
        }
    }
    running.stop().await?;
    Ok(calls)
}

/// Milliseconds from process start to the first request for an event. The functions take turns, so that whatever else
/// the machine does meets all alike.
async fn starts(
    binaries: &BTreeMap<&'static str, PathBuf>,
    deployed: &BTreeMap<&'static str, Environment>,
    logs: &Path,
    count: usize,
) -> Result<BTreeMap<&'static str, Sample>> {
    let nothing = Environment::new();
    let mut measured: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    // The first round fills the file cache and is not looked at.
    for round in 0..=count {
        for (name, binary) in binaries {
            let environment = deployed.get(name).unwrap_or(&nothing);
            let log = logs.join(format!("{name}.log"));
            let running = Running::start(name, binary, environment, &log).await?;
            if round > 0 {
                measured.entry(name).or_default().push(milliseconds(running.init));
            }
            running.stop().await?;
        }
    }
    Ok(measured.into_iter().map(|(name, values)| (name, values.into_iter().collect())).collect())
}

/// Makes the tenant and its keys.
async fn keys(world: &World) -> Result<Keys> {
    let (api, platform) = (Api::at(world.api_base()), world.platform_key().await?);
    api.post("/v1/tenants", &platform, &json!({ "tenant": TENANT, "name": "Bench Ltd" }))
        .await?
        .expect(201)?;
    Keys::made(&api, platform, TENANT, "bench").await
}
