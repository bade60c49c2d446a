//! What Otpost does, before the user's eyes, each step with what was seen: the main job from a new user to a verified
//! code, a directory whose people get and lose their tokens by themselves, messages by gateways of each
//! kind, and a provider that goes silent.

mod api;
mod browser;
mod directory;
mod failover;
mod senders;
mod steps;
mod transcript;

#[cfg(test)]
mod tests;

pub use api::{Answer, Api};
pub use browser::Browser;
pub use directory::run as run_directory;
pub use failover::run as run_failover;
pub use senders::run as run_senders;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::host::Watch;
use crate::progress;
use crate::world::Endpoints;
use steps::Steps;
use transcript::Transcript;

/// The tenant that the demonstration uses.
pub const TENANT: &str = "demo";

/// API keys of the demonstration's tenant.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// Provisions users and tokens.
    pub operator: String,
    /// Verifies codes.
    pub app: String,
    /// Writes policies, gateways and templates; empty in the state of a system that an older build has started.
    #[serde(default)]
    pub admin: String,
    /// The deployment's own, which makes tenants and their keys; empty as above.
    #[serde(default)]
    pub platform: String,
}

impl Keys {
    /// Makes keys of a tenant that is there, all called `name`.
    ///
    /// # Errors
    /// The API does not answer, or refuses one.
    pub async fn made(api: &Api, platform: String, tenant: &str, name: &str) -> Result<Self> {
        let make = async |role: &str| -> Result<String> {
            let body = json!({ "tenant": tenant, "role": role, "name": name });
            let answer = api.post("/v1/keys", &platform, &body).await?.expect(201)?;
            Ok(answer.text("secret")?.to_owned())
        };
        let (operator, app, admin) = (make("operator").await?, make("app").await?, make("admin").await?);
        Ok(Self { operator, app, admin, platform })
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

/// Runs the main job once and prints each step. Gives the keys it used: `keys`, or new ones.
///
/// # Errors
/// A step fails: it was printed with its reason.
pub async fn run(endpoints: &Endpoints, keys: Option<Keys>) -> Result<Keys> {
    println!("\nThe main job: a user gets a token by mail, and signs in with it\n");
    let watch = Watch::start();
    let steps = Steps::new(endpoints);
    let mut transcript = Transcript::default();
    let keys = match keys {
        Some(keys) => keys,
        None => steps.prepare(&mut transcript).await?,
    };
    let enrolled = steps.enrol(&mut transcript, &keys).await?;
    steps.verify(&mut transcript, &keys, &enrolled).await?;
    println!("\n  {} steps in {}\n", transcript.steps(), progress::seconds(watch.elapsed()));
    Ok(keys)
}
