//! Gets a message on its way: chooses the next route, hands it to that gateway's sender, ends what has no route left.
//! And the sweep, which finds what a lost queue entry or a crash has left behind.

use std::time::Duration;

use otpost_domain::ids::OPEN_SHARDS;
use otpost_domain::message::{
    Channel, HopState, Message, MessageStatus, Overtaken, Routes, Step, Suppressed, Way,
};
use otpost_domain::tenant::User;
use otpost_domain::time::Timestamp;
use otpost_domain::token::{Token, TokenState};

use crate::metrics::{self, Metric};
use crate::policies::{held, held_by_all};
use crate::ports::{
    Clock as _, Configuration as _, DeliveryQueue as _, Fault, MessageRef, MessageStore as _, PortError,
    PortResult, Ports,
};

pub(crate) mod health;

/// How long a hop may take from its record to its queue.
const HANDING: Duration = Duration::from_secs(5);
/// The longest that a queue holds back what wakes `deliver`.
const LONGEST_WAKE: Duration = Duration::from_mins(15);

/// How many messages of a shard the sweep reads at once.
pub const SWEEP_PAGE: usize = 100;
/// How many messages of a shard one sweep picks up; the rest waits for the next.
pub const SWEEP_LIMIT: usize = 1000;

/// What was done for a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Handed to a sender.
    Handed,
    /// It waits for a gateway, or for news of a hop.
    Held,
    /// Brought to its end.
    Closed,
    /// Nothing was to be done.
    Rested,
}

/// Looks after one message. Doing it twice does nothing twice.
///
/// # Errors
/// When a port fails: the queue brings the message again.
pub async fn deliver(ports: &impl Ports, reference: &MessageRef) -> Result<Delivered, PortError> {
    loop {
        let found = ports.store().message(reference).await;
        let Some(message) = (match found {
            Ok(found) => found,
            Err(error) => {
                // It goes to the dead letters once, and is not found by every later sweep.
                if error.kind == Fault::Corrupt {
                    ports.store().put_aside(reference).await?;
                }
                return Err(error);
            }
        }) else {
            tracing::warn!(message.id = %reference.id, "no such message");
            return Ok(Delivered::Rested);
        };
        let now = ports.clock().now();
        if message.rests(now) {
            health::rested(ports, &message, now);
            rest(ports, &message, now).await?;
            return Ok(Delivered::Rested);
        }
        let before = message.clone();
        let step = next(ports, message, now).await?;
        let (after, done) = match &step {
            Step::Rest => return Ok(Delivered::Rested),
            Step::Wait(message) => (message, Delivered::Held),
            Step::Close(message) => (message, Delivered::Closed),
            Step::Hand(message, ..) => (message, Delivered::Handed),
        };
        // Recorded first: should the queue fail, the message is found again when its route's time is over.
        if !health::recorded(ports, &before, after, now).await? {
            continue;
        }
        counted(&before, after);
        match &step {
            Step::Hand(message, hop, sender) => {
                let handed = ports.queue().hand(*sender, reference, *hop, Duration::ZERO).await;
                if message.last_hop().is_some_and(|hop| hop.limit.is_some()) {
                    wake(ports, message, now).await;
                }
                handed?;
            }
            Step::Wait(message) => wake(ports, message, now).await,
            Step::Close(_) | Step::Rest => told(after),
        }
        return Ok(done);
    }
}

/// Counts a message's going on to another gateway, those that it passed over, and its bad end.
fn counted(before: &Message, after: &Message) {
    if after.simulated {
        return;
    }
    let country = after.country;
    let gateway = after.last_hop().map(|hop| &hop.via);
    match after.status {
        MessageStatus::Failed if !after.is_open() => metrics::count(Metric::Failed, gateway, country),
        MessageStatus::Expired => metrics::count(Metric::Expired, gateway, country),
        _ => {}
    }
    let (Some(last), old) = (after.last_hop(), before.last_hop()) else { return };
    if old.is_some_and(|old| old.number == last.number) {
        return;
    }
    if let Some(left) = old.filter(|old| !old.via.is_same(&last.via)) {
        metrics::count(Metric::Failovers, &left.via, country);
    }
    for _ in &last.passed {
        metrics::count(Metric::PassedOver, None, country);
    }
}

/// What may be left to do for a message that rests: a hop that never came to its queue, a wake-up that had to come early.
async fn rest(ports: &impl Ports, message: &Message, now: Timestamp) -> PortResult<()> {
    let Some(hop) = message.last_hop().filter(|_| message.is_open()) else { return Ok(()) };
    if hop.state == HopState::Handed && hop.handed_at.plus(HANDING) <= now {
        // Twice does no harm: it is claimed once.
        let reference = MessageRef::from(message);
        ports.queue().hand(hop.via.sender, &reference, hop.number, Duration::ZERO).await?;
    }
    // A sender has it still, though its route's time is over; or that is longer than a queue holds anything back.
    let late = hop.limit.is_some_and(|limit| limit <= now);
    let long = hop.limit.is_some_and(|limit| hop.handed_at.plus(LONGEST_WAKE) < limit);
    if late || long {
        wake(ports, message, now).await;
    }
    Ok(())
}

/// Asks to be woken when a message is due, or as late as a queue can. The sweep finds it too, only later.
async fn wake(ports: &impl Ports, message: &Message, now: Timestamp) {
    let Some(due) = message.due_at else { return };
    let delay = Duration::from_millis(due.millis().saturating_sub(now.millis()));
    if let Err(error) = ports.queue().deliver(&MessageRef::from(message), delay.min(LONGEST_WAKE)).await {
        tracing::warn!(message.id = %message.id, error = error.chain(), "not woken; the sweep will find it");
    }
}

/// What is next for a message; its cancellation where nobody wants it any more.
async fn next(ports: &impl Ports, message: Message, now: Timestamp) -> PortResult<Step> {
    let mut message = message.doubted(now);
    let circumstances = ports.store().circumstances(&message).await?;
    let user = match standing(&message, circumstances.tenant, circumstances.user, circumstances.token) {
        Standing::Wanted(user) => user,
        Standing::Overtaken(why) if now < message.expires_at => {
            return Ok(Step::Close(message.cancelled(why)));
        }
        Standing::Overtaken(_) => None,
    };
    let mut routes = routes(ports, &message, user.as_deref()).await?;
    if let Some(suppressed) = circumstances.suppressed.filter(|_| !message.test) {
        routes.usable.retain(|way| way.channel != Channel::Email);
        let suppressed = Suppressed { since: suppressed.at, why: suppressed.why };
        if message.channel == Channel::Email && message.fallback.is_none() {
            return Ok(Step::Close(message.refused(suppressed.to_string())));
        }
        message.suppressed = Some(suppressed);
    }
    health::look(ports, &message, &mut routes, now).await?;
    Ok(message.next_step(&routes, now))
}

/// The ways that policy names for a message, on its first channel and then on the one that it falls back to; for a mail
/// the deployment's own, where it names none.
async fn routes(ports: &impl Ports, message: &Message, user: Option<&User>) -> PortResult<Routes> {
    let settings = match user {
        // A test has taken its only way from the beginning.
        _ if message.test => return Ok(Routes::default()),
        Some(user) => held(ports, &message.tenant, &user.id, &user.groups).await?.settings,
        None if message.user.is_none() => held_by_all(ports, &message.tenant).await?.settings,
        // Of a user who is gone, in a message whose time is over.
        None => return Ok(Routes::default()),
    };
    let mut all = Routes::default();
    let channels = [Some(message.channel), message.fallback.as_ref().map(|fallback| fallback.channel)];
    for channel in channels.into_iter().flatten() {
        let named = match channel {
            Channel::Email => settings.email_routes.all().to_vec(),
            Channel::Sms => settings.texts_by(message.purpose),
        };
        if named.is_empty() && channel == Channel::Email {
            all.usable.push(Way::OWN);
            continue;
        }
        let reach = ports.configuration().gateways(&message.tenant).await?;
        let country = message.country.filter(|_| channel == Channel::Sms);
        let Routes { usable, passed_over, unfit } = reach.routes(&named, channel, country);
        all.usable.extend(usable);
        all.passed_over.extend(passed_over);
        all.unfit.extend(unfit);
    }
    Ok(all)
}

/// How things stand with what a message tells of.
enum Standing {
    /// It is wanted, by its user if it has one.
    Wanted(Option<Box<User>>),
    /// What it tells of was undone, or done again, since it was written.
    Overtaken(Overtaken),
}

fn standing(message: &Message, tenant: bool, user: Option<User>, token: Option<Token>) -> Standing {
    if !tenant {
        return Standing::Overtaken(Overtaken::TenantDeleted);
    }
    if message.user.is_none() {
        return Standing::Wanted(None);
    }
    let user = match user {
        None => return Standing::Overtaken(Overtaken::UserDeleted),
        Some(user) if !user.active => return Standing::Overtaken(Overtaken::UserOff),
        Some(user) => Box::new(user),
    };
    // Somebody else may read what comes to the old one.
    let ways =
        std::iter::once(message.channel).chain(message.fallback.as_ref().map(|fallback| fallback.channel));
    if message.purpose.is_for_the_address()
        && ways.into_iter().any(|way| user.has_had(way) > message.created_at)
    {
        return Standing::Overtaken(Overtaken::OtherAddress);
    }
    if message.serial.is_none() {
        return Standing::Wanted(Some(user));
    }
    Standing::Overtaken(match token.map(|token| token.state) {
        None => Overtaken::TokenDeleted,
        Some(TokenState::Revoked { .. }) => Overtaken::TokenRevoked,
        Some(TokenState::Enrolling { since, .. }) if since == message.created_at => {
            return Standing::Wanted(Some(user));
        }
        Some(TokenState::Enrolling { .. }) => Overtaken::NewerLink,
        Some(_) => Overtaken::Enrolled,
    })
}

/// Puts every open message whose time has come back on the queue; returns how many. What fails in one shard does not
/// keep it from the others.
///
/// # Errors
/// The last failure of a port, once all shards were looked at; the next sweep goes on.
pub async fn sweep(ports: &impl Ports) -> Result<usize, PortError> {
    let mut found = 0;
    let mut failed = None;
    // Each sweep begins at another shard, so that a long backlog of one starves no other.
    let minute = ports.clock().now().seconds() / 60;
    let first = u8::try_from(minute % u64::from(OPEN_SHARDS)).unwrap_or_default();
    for shard in (first..OPEN_SHARDS).chain(0..first) {
        match sweep_shard(ports, shard).await {
            Ok(swept) => found += swept,
            Err(error) => {
                tracing::error!(shard, error = error.chain(), "a shard was not swept to its end");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(found), Err)
}

async fn sweep_shard(ports: &impl Ports, shard: u8) -> Result<usize, PortError> {
    let now = ports.clock().now();
    let mut found = 0;
    let mut last = None;
    while found < SWEEP_LIMIT {
        let due = ports.store().due(shard, now, SWEEP_PAGE, last.as_ref()).await?;
        let messages: Vec<MessageRef> = due.iter().map(|due| due.message.clone()).collect();
        ports.queue().deliver_all(&messages).await?;
        found += messages.len();
        last = due.into_iter().next_back();
        if messages.len() < SWEEP_PAGE {
            break;
        }
    }
    Ok(found)
}

fn told(message: &Message) {
    tracing::info!(
        message.id = %message.id,
        message.status = message.status.as_str(),
        message.reason = message.reason.as_deref().unwrap_or_default(),
        "message looked after"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, Queued, pushed};
    use otpost_domain::enrolment::LINK_LIFE;
    use otpost_domain::message::{MessageStatus, PICK_UP, ROUTE_TIME, Sender};

    #[tokio::test]
    async fn a_message_is_handed_once() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.queue().take();
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Rested);
        assert_eq!(ports.queue().take(), [Queued::Hand(Sender::Ses, reference, 1, Duration::ZERO)]);
    }

    #[tokio::test]
    async fn the_sweep_finds_what_no_queue_brought() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.queue().take();
        assert_eq!(sweep(&ports).await.unwrap(), 0, "its time has not come");
        ports.clock().advance(PICK_UP);
        assert_eq!(sweep(&ports).await.unwrap(), 1);
        assert_eq!(ports.queue().take(), [Queued::Deliver(reference.clone())]);

        ports.queue().fail(true);
        assert!(deliver(&ports, &reference).await.is_err(), "recorded, but not handed");
        ports.queue().fail(false);
        ports.clock().advance(ROUTE_TIME);
        assert_eq!(sweep(&ports).await.unwrap(), 1);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    }

    #[tokio::test]
    async fn what_was_undone_is_not_sent() {
        use crate::memory::operator;
        use crate::once::Once;
        use otpost_domain::ids::UserId;
        let jane = UserId::try_from("jane").unwrap();
        for (undo, reason) in [
            ("off", "its user was switched off"),
            ("delete", "its user was deleted"),
            ("revoke", "its token was revoked"),
            ("again", "a newer link was sent"),
        ] {
            let ports = MemoryPorts::new();
            let reference = pushed(&ports).await;
            ports.clock().advance(Duration::from_secs(1));
            let caller = operator("acme");
            let message = ports.store().message(&reference).await.unwrap().unwrap();
            let serial = message.serial.unwrap();
            match undo {
                "off" => {
                    let off = crate::users::Change { active: Some(false), ..Default::default() };
                    crate::users::change_user(&ports, &caller, &jane, off, None).await.unwrap();
                }
                "delete" => crate::users::delete_user(&ports, &caller, &jane, None).await.unwrap(),
                "revoke" => {
                    let order = crate::lifecycle::Order { serial, reason: None, seen: None };
                    crate::lifecycle::revoke(&ports, &caller, &order, Once::not_kept()).await.unwrap();
                }
                _ => {
                    let authorization = otpost_domain::authorization::AuthorizationMode::None;
                    let channel = otpost_domain::message::Channel::Email;
                    let order = crate::push::Order {
                        serial,
                        channel: Some(channel),
                        authorization: Some(authorization),
                    };
                    crate::push::push(&ports, &caller, &order, Once::not_kept()).await.unwrap();
                }
            }
            assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Closed, "{undo}");
            let message = ports.store().message(&reference).await.unwrap().unwrap();
            assert_eq!((message.status, message.reason.as_deref()), (MessageStatus::Cancelled, Some(reason)));
            assert!(message.content.is_none() && message.hops.is_empty());
        }
    }

    #[tokio::test]
    async fn an_old_message_expires() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.clock().advance(LINK_LIFE);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Closed);
        let message = ports.store().message(&reference).await.unwrap().unwrap();
        assert_eq!((message.status, message.content), (MessageStatus::Expired, None));
        assert_eq!(sweep(&ports).await.unwrap(), 0);
    }
}
