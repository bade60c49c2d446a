//! Gateways that do not work: what deliveries show of them, and how messages pass them over.

use otpost_domain::circuit::{Change, HealthChange, HealthKey, TRIPS};
use otpost_domain::message::{Ending, Hop, Message, News, Routes, Verdict};
use otpost_domain::time::Timestamp;

use crate::metrics::{self, Metric};
use crate::ports::{
    Clock as _, Configuration as _, MessageRef, MessageStore as _, PortResult, Ports, Saved, Write,
};
use crate::send::saved;

/// Fills in which of the ways work now. Where there is one way, that does not matter.
pub(super) async fn look(
    ports: &impl Ports,
    message: &Message,
    routes: &mut Routes,
    now: Timestamp,
) -> PortResult<()> {
    let fresh = routes.usable.iter().filter(|way| !message.hops.iter().any(|hop| hop.via.is_same(&way.via)));
    if fresh.count() < 2 || message.simulated {
        return Ok(());
    }
    let keys: Vec<HealthKey> =
        routes.usable.iter().map(|way| HealthKey::of(&message.tenant, &way.via)).collect();
    let healths = ports.configuration().health(&keys).await?;
    for (way, health) in routes.usable.iter_mut().zip(healths) {
        if let Some(health) = health {
            way.circuit = health.circuit(now);
        }
    }
    Ok(())
}

/// Records what `deliver` has decided, with what it shows of gateways; whether it was. If not, all is to be looked at
/// anew.
pub(super) async fn recorded(
    ports: &impl Ports,
    before: &Message,
    after: &Message,
    now: Timestamp,
) -> PortResult<bool> {
    let is_new = |hop: &&Hop| before.last_hop().is_none_or(|last| last.number < hop.number);
    let tries = after.last_hop().filter(is_new).filter(|hop| hop.probe.is_some());
    let tries = tries.map(|hop| HealthChange {
        gateway: HealthKey::of(&after.tenant, &hop.via),
        change: Change::Tried { at: hop.handed_at },
    });
    let silent = silent(before, now);
    let opens = silent.and_then(|hop| bad(ports, after, hop, 1, now));
    let all: Vec<HealthChange> = opens.iter().chain(&tries).cloned().collect();
    let mut saved = written(ports, after, &all).await?;
    if saved == Saved::Outrun && opens.is_some() {
        // The silent gateway is known not to work, maybe.
        saved = written(ports, after, tries.as_slice()).await?;
    }
    if saved == Saved::Done
        && let Some(hop) = silent
    {
        metrics::count(Metric::Silent, &hop.via, after.country);
    }
    // Outrun still: another message tries that gateway already.
    Ok(saved == Saved::Done)
}

/// A hop of which no news came in its route's time, though its provider took it and tells.
fn silent(message: &Message, now: Timestamp) -> Option<&Hop> {
    let late = |hop: &&Hop| hop.limit.is_some_and(|limit| limit <= now);
    let nothing = |hop: &&Hop| hop.news.as_ref().is_none_or(|news| news.verdict == Verdict::Delayed);
    let hop = message.last_hop().filter(|_| !message.simulated);
    hop.filter(|hop| hop.is_accepted() && hop.tells).filter(late).filter(nothing)
}

/// Takes note of a message that had its news in time.
pub(super) fn rested(ports: &impl Ports, message: &Message, now: Timestamp) {
    let Some(hop) = message.last_hop().filter(|hop| hop.tells && !message.simulated) else { return };
    if hop.news.as_ref().zip(hop.limit).is_some_and(|(news, limit)| news.at <= limit) {
        ports.tallies().good(&HealthKey::of(&message.tenant, &hop.via), now);
    }
}

/// Takes note of news of a hop that tries a gateway: it works again, whatever became of the message.
pub(crate) async fn heard(ports: &impl Ports, message: &Message, hop: &Hop, news: &News) -> PortResult<()> {
    let in_time = hop.probe.is_some_and(|until| news.at <= until);
    if !in_time || news.verdict == Verdict::Delayed || message.simulated {
        return Ok(());
    }
    let gateway = HealthKey::of(&message.tenant, &hop.via);
    let changes = [HealthChange { gateway, change: Change::Recovered { tried_at: hop.handed_at } }];
    if ports.store().change_health(&changes).await? == Write::Done {
        told(&changes);
    }
    Ok(())
}

/// What a sender's report shows of the gateway of a message's last hop.
pub(crate) fn reported(
    ports: &impl Ports,
    message: &Message,
    ending: Option<Ending>,
) -> Option<HealthChange> {
    let hop = message.last_hop().filter(|_| !message.test && !message.simulated)?;
    let now = ports.clock().now();
    match ending {
        None => {
            let gateway = HealthKey::of(&message.tenant, &hop.via);
            ports.tallies().good(&gateway, now);
            // Of a provider that tells more, only that is proof.
            let works = hop.probe.is_some() && !hop.tells;
            works.then_some(HealthChange { gateway, change: Change::Recovered { tried_at: hop.handed_at } })
        }
        Some(Ending::ConfigurationBad | Ending::QuotaGone) => bad(ports, message, hop, TRIPS, now),
        Some(Ending::Retry | Ending::Unknown) => bad(ports, message, hop, 1, now),
        Some(Ending::RecipientBad | Ending::ContentBad | Ending::NotTaken) => None,
    }
}

/// Counts a hop that came to nothing. One that tries a gateway counts as having done so in vain from the beginning.
fn bad(
    ports: &impl Ports,
    message: &Message,
    hop: &Hop,
    weight: u32,
    now: Timestamp,
) -> Option<HealthChange> {
    if hop.probe.is_some() {
        return None;
    }
    let gateway = HealthKey::of(&message.tenant, &hop.via);
    let trips = ports.tallies().bad(&gateway, weight, hop.handed_at, now);
    trips.then_some(HealthChange { gateway, change: Change::Tripped { at: now } })
}

/// Saves a message and what it shows of gateways. Should the store say that another version is there, it may be this very
/// one: see [`saved`].
pub(crate) async fn written(
    ports: &impl Ports,
    message: &Message,
    changes: &[HealthChange],
) -> PortResult<Saved> {
    if changes.is_empty() {
        let write = saved(ports, message).await?;
        return Ok(if write == Write::Done { Saved::Done } else { Saved::Stale });
    }
    let keys: Vec<HealthKey> = changes.iter().map(|change| change.gateway.clone()).collect();
    let mut write = ports.store().save_message_and_health(message, changes).await?;
    ports.configuration().forget_health(&keys);
    if write == Saved::Stale
        && ports.store().message(&MessageRef::from(message)).await?.as_ref() == Some(message)
    {
        write = Saved::Done;
    }
    if write == Saved::Done {
        told(changes);
    }
    Ok(write)
}

fn told(changes: &[HealthChange]) {
    for HealthChange { gateway: key, change } in changes {
        let (tenant, gateway) = (key.tenant.as_str(), key.name());
        match change {
            Change::Tripped { .. } => {
                metrics::count(Metric::CircuitOpened, key, None);
                tracing::warn!(gateway, tenant, "a gateway does not work: passed over");
            }
            Change::Tried { .. } => tracing::info!(gateway, tenant, "one message tries the gateway"),
            Change::Recovered { .. } => {
                metrics::count(Metric::CircuitClosed, key, None);
                tracing::info!(gateway, tenant, "the gateway works again");
            }
        }
    }
}
