//! From an operator's order to the provider's request: how long each part of the way takes in the whole local system,
//! with the emulator's API, its queues and the functions that these wake.
//!
//! The parts are told apart by the first requests that each function makes on its wire.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::demo::{Api, Keys};
use crate::host::{Watch, pause};
use crate::tap::SEND_EMAIL;
use crate::world::World;

/// How many go before, so that all are warm.
const WARM: usize = 3;
/// How long one may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A part of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From the order until it is accepted.
    Api,
    /// From the message's going onto the queue until `deliver` reads it.
    ToDeliver,
    /// Until the hop is on the sender's queue.
    Deliver,
    /// Until the sender claims it.
    ToSender,
    /// Until the provider is asked.
    Sender,
}

impl Part {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Api, Self::ToDeliver, Self::Deliver, Self::ToSender, Self::Sender];

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "`push-token`: from the order until it is accepted",
            Self::ToDeliver => "queue `deliveries`: until `deliver` reads the message",
            Self::Deliver => "`deliver`: until the hop is on the sender's queue",
            Self::ToSender => "the sender's queue: until the hop is claimed",
            Self::Sender => "`send-ses`: until the provider is asked",
        }
    }

    /// Whether it is a queue's.
    #[must_use]
    pub fn is_queue(self) -> bool {
        matches!(self, Self::ToDeliver | Self::ToSender)
    }
}

/// The way of one message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journey {
    parts: [Duration; 5],
    /// From the accepted order until the provider was asked.
    pub whole: Duration,
}

impl Journey {
    /// How long a part took.
    #[must_use]
    pub fn of(&self, part: Part) -> Duration {
        Part::ALL
            .iter()
            .zip(self.parts)
            .find(|(one, _)| **one == part)
            .map_or(Duration::ZERO, |(_, took)| took)
    }

    /// One of these parts.
    #[must_use]
    pub fn new(parts: [Duration; 5], whole: Duration) -> Self {
        Self { parts, whole }
    }
}

/// Pushes a token by mail to `count` people, one after the other.
///
/// # Errors
/// Something does not work.
pub async fn travelled(world: &World, keys: &Keys, count: usize) -> Result<Vec<Journey>> {
    let api = Api::at(world.api_base());
    let mut journeys = Vec::with_capacity(count);
    for number in 0..WARM + count {
        let user = format!("journey-{number}");
        let email = format!("{user}@example.org");
        api.post("/v1/users", &keys.operator, &json!({ "user": user, "email": email })).await?.expect(201)?;
        let token = api.post(&format!("/v1/users/{user}/tokens"), &keys.operator, &json!({})).await?;
        let token = token.expect(201)?;
        let path = format!("/v1/tokens/{}/push", token.text("serial")?);
        let journey = one(world, &api, &path, &keys.operator).await?;
        if number >= WARM {
            journeys.push(journey);
        }
    }
    Ok(journeys)
}

async fn one(world: &World, api: &Api, path: &str, key: &str) -> Result<Journey> {
    let order = json!({ "channel": "email", "authorization": "none" });
    world.reset_wire_counts();
    let watch = Watch::start();
    api.post(path, key, &order).await?.expect(202)?;
    let answered = watch.elapsed();
    let accepted = Watch::start();
    // Until its outcome is written, so that the next one meets a function that is free.
    while world.wire_first("send-ses", "DynamoDB_20120810.PutItem").is_none() {
        if accepted.elapsed() > PATIENCE {
            bail!("no mail went out");
        }
        pause(Duration::from_millis(2)).await;
    }
    let first = |function: &str, operation: &str| {
        let first = world.wire_first(function, operation);
        first
            .with_context(|| format!("{function} has not asked for {operation}"))
            .map(|watch| watch.elapsed())
    };
    let queued = first("push-token", "AmazonSQS.SendMessage")?;
    let read = first("deliver", "DynamoDB_20120810.GetItem")?;
    let handed = first("deliver", "AmazonSQS.SendMessage")?;
    let claimed = first("send-ses", "DynamoDB_20120810.UpdateItem")?;
    let asked = first("send-ses", &format!("POST {SEND_EMAIL}"))?;
    let between = |earlier: Duration, later: Duration| earlier.saturating_sub(later);
    let parts = [
        answered,
        between(queued, read),
        between(read, handed),
        between(handed, claimed),
        between(claimed, asked),
    ];
    Ok(Journey::new(parts, accepted.elapsed().saturating_sub(asked)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_kept_in_their_order() {
        let parts = [1, 2, 3, 4, 5].map(Duration::from_millis);
        let journey = Journey::new(parts, Duration::from_millis(14));
        assert_eq!(Part::ALL.map(|part| journey.of(part)), parts);
        assert_eq!(Part::ALL.into_iter().filter(|part| part.is_queue()).count(), 2);
    }
}
