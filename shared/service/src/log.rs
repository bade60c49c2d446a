//! The log of messages: a user's or a tenant's, looked through from the newest back.

use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{Channel, Message, MessageStatus, RETENTION};
use otpost_domain::time::{Day, Timestamp};

use crate::ports::{Clock as _, Fault, MessageStore as _, Page, PageRequest, PortError, PortResult, Ports};

/// How many messages one call looks at, at most, give or take the last read.
pub const MOST_LOOKED_AT: usize = 500;
/// How many days one call goes back, at most.
pub const MOST_DAYS: usize = 30;
/// How many messages are read at once while not all of them are wanted.
const READ_AT_ONCE: usize = 100;

/// Which messages are wanted: those to which all of it applies.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// For this user.
    pub user: Option<UserId>,
    /// That are there now.
    pub status: Option<MessageStatus>,
    /// With a hop by the gateway of this name.
    pub gateway: Option<String>,
    /// By this channel, at first or by one of its hops.
    pub channel: Option<Channel>,
    /// Made then or later.
    pub from: Option<Timestamp>,
    /// Made before.
    pub to: Option<Timestamp>,
}

impl Wanted {
    /// Whether messages are read that may not be wanted.
    const fn is_choosy(&self) -> bool {
        self.status.is_some() || self.gateway.is_some() || self.channel.is_some()
    }

    fn has(&self, message: &Message) -> bool {
        let by = |gateway: &String| message.hops.iter().any(|hop| hop.via.shown() == gateway);
        let on = |channel: Channel| {
            message.channel == channel || message.hops.iter().any(|hop| hop.channel == channel)
        };
        self.status.is_none_or(|status| message.status == status)
            && self.gateway.as_ref().is_none_or(by)
            && self.channel.is_none_or(on)
            && self.to.is_none_or(|to| message.created_at < to)
    }
}

/// A tenant's messages that are wanted, newest first, of the last [`RETENTION`].
///
/// There is no index of what is wanted but of users and days: the rest is left out after it was read. So one call looks
/// at a bounded number of messages and days, and gives a cursor when it stops there, even if none was wanted so far.
///
/// # Errors
/// When a port fails.
pub async fn messages(
    ports: &impl Ports,
    tenant: &TenantId,
    wanted: &Wanted,
    page: &PageRequest,
) -> PortResult<Page<Message>> {
    let now = ports.clock().now();
    let earliest = Timestamp::from_millis(now.millis().saturating_sub(millis(RETENTION)));
    let oldest = wanted.from.map_or(earliest, |from| from.max(earliest));
    // Those of a function whose clock is ahead are not to be missed.
    let newest = Day::of(now).end();
    let asked = page.after.as_deref().map(MessageId::try_from).transpose();
    let asked = asked.map_err(|error| PortError::new(Fault::Corrupt, error))?;
    let mut place = asked
        .or_else(|| wanted.to.map(MessageId::first_at))
        .filter(|place| place.made_at() <= newest)
        .unwrap_or_else(|| MessageId::last_of(Day::of(newest)));
    let (mut found, mut looked_at, mut days) = (Vec::new(), 0, 0);
    loop {
        let day = Day::of(place.made_at());
        let left = page.limit.saturating_sub(found.len());
        let limit = if wanted.is_choosy() { READ_AT_ONCE } else { left };
        let request = PageRequest { limit, after: Some(place.to_string()) };
        let read = match &wanted.user {
            Some(user) => ports.store().messages_of(tenant, user, &request).await?,
            None => ports.store().messages_on(tenant, day, &request).await?,
        };
        looked_at += read.items.len();
        let earlier = day.before().filter(|day| wanted.user.is_none() && day.end() >= oldest);
        let mut items = read.items.into_iter().peekable();
        while let Some(message) = items.next() {
            if message.created_at < oldest {
                return Ok(Page { items: found, next: None });
            }
            if !wanted.has(&message) {
                continue;
            }
            let id = message.id.to_string();
            found.push(message);
            if found.len() == page.limit {
                let more = items.peek().is_some() || read.next.is_some() || earlier.is_some();
                return Ok(Page { items: found, next: more.then_some(id) });
            }
        }
        place = match (read.next, earlier) {
            (Some(last), _) => {
                MessageId::try_from(last.as_str()).map_err(|error| PortError::new(Fault::Corrupt, error))?
            }
            (None, Some(day)) => {
                days += 1;
                MessageId::last_of(day)
            }
            (None, None) => return Ok(Page { items: found, next: None }),
        };
        if looked_at >= MOST_LOOKED_AT || days >= MOST_DAYS {
            return Ok(Page { items: found, next: Some(place.to_string()) });
        }
    }
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
