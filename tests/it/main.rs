//! Otpost as a whole: its structure, its stores on an embedded DynamoDB, and the deployed system.
//!
//! One binary, so that all tests share one deployed world. It is started by the first test that needs it and ended
//! after the last.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support of tests: a broken assumption must end the test"
)]

mod api;
mod budgets;
mod challenges;
mod chaos;
mod cognito;
mod crash;
mod devices;
mod directory;
mod dynamo;
mod enrolment;
mod events;
mod failover;
mod forced;
mod fuzz;
mod gateways;
mod helpdesk;
mod idempotency;
mod lifecycle;
mod main_job;
mod messages;
mod policies;
mod problems;
mod senders;
mod structure;
mod templates;
mod tenants;
mod twilio;

#[cfg(feature = "conformance")]
mod conformance;

use std::future::Future;

use libtest_mimic::{Arguments, Trial};
use otpost_tests::secrets::told_by_logs;
use otpost_tests::world::{RUNTIME, TURN, end, started};

/// A test that may run beside others.
fn shared<F: Future<Output = ()> + Send + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        RUNTIME.block_on(async {
            let _turn = TURN.read().await;
            test().await;
        });
        Ok(())
    })
}

/// A test that has the world alone, because it counts.
fn alone<F: Future<Output = ()> + Send + 'static>(name: &str, test: fn() -> F) -> Trial {
    Trial::test(name, move || {
        RUNTIME.block_on(async {
            let _turn = TURN.write().await;
            test().await;
        });
        Ok(())
    })
}

/// A test without a world.
fn plain(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

fn main() {
    let mut trials = Vec::new();
    trials.extend(structure::trials());
    trials.extend(dynamo::trials());
    trials.extend(main_job::trials());
    trials.extend(enrolment::trials());
    trials.extend(api::trials());
    trials.extend(challenges::trials());
    trials.extend(helpdesk::trials());
    trials.extend(chaos::trials());
    trials.extend(cognito::trials());
    trials.extend(crash::trials());
    trials.extend(devices::trials());
    trials.extend(idempotency::trials());
    trials.extend(policies::trials());
    trials.extend(templates::trials());
    trials.extend(directory::trials());
    trials.extend(gateways::trials());
    trials.extend(lifecycle::trials());
    trials.extend(tenants::trials());
    trials.extend(twilio::trials());
    trials.extend(senders::trials());
    trials.extend(failover::trials());
    trials.extend(forced::trials());
    trials.extend(problems::trials());
    trials.extend(events::trials());
    trials.extend(fuzz::trials());
    trials.extend(messages::trials());
    trials.extend(budgets::trials());
    #[cfg(feature = "conformance")]
    trials.extend(conformance::trials());
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    let leaks = RUNTIME.block_on(async {
        let leaks = logs_tell_nothing().await;
        end().await;
        leaks
    });
    if leaks && !conclusion.has_failed() {
        std::process::exit(101);
    }
    conclusion.exit();
}

/// Once all tests are done: whether the logs that they have made hold anything that no log may hold.
async fn logs_tell_nothing() -> bool {
    let Some(world) = started().await else { return false };
    let (lines, found) = told_by_logs(&world).await;
    println!("{lines} lines of the functions' logs looked at; {} of them tell a secret", found.len());
    for line in &found {
        println!("  {line}");
    }
    !found.is_empty()
}
