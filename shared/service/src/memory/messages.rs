//! Messages, in memory.

use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::message::{HopState, Message};
use otpost_domain::time::Timestamp;

use super::{MemoryStore, page};
use crate::ports::{Due, Journal, MessageRef, MessageStore, Page, PageRequest, PortResult, Write};

impl MessageStore for MemoryStore {
    async fn message(&self, message: &MessageRef) -> PortResult<Option<Message>> {
        Ok(self.lock().messages.get(&(message.tenant.clone(), message.id.clone())).cloned())
    }

    async fn messages_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        let state = self.lock();
        let own =
            state.messages.values().rev().filter(|m| &m.tenant == tenant && m.user.as_ref() == Some(user));
        Ok(page(own.map(|message| (message.id.to_string(), message.clone())).collect(), request))
    }

    async fn claim(
        &self,
        message: &MessageRef,
        number: u16,
        claimant: &str,
        now: Timestamp,
    ) -> PortResult<Option<Message>> {
        let mut state = self.lock();
        let key = (message.tenant.clone(), message.id.clone());
        let Some(stored) = state.messages.get_mut(&key) else { return Ok(None) };
        let claimed = stored.clone().claimed(number, now);
        if let Some(claimed) = &claimed {
            stored.clone_from(claimed);
        }
        let by = (key, number, claimant.to_owned());
        if claimed.is_some() {
            state.claims.insert(by);
        } else if state.claims.contains(&by) {
            return Ok(state
                .messages
                .get(&by.0)
                .filter(|stored| {
                    stored.last_hop().is_some_and(|hop| {
                        hop.number == number && matches!(hop.state, HopState::Claimed { .. })
                    })
                })
                .cloned());
        }
        Ok(claimed)
    }

    async fn add_message(&self, message: &Message, journal: &Journal) -> PortResult<Write> {
        let mut state = self.lock();
        let key = (message.tenant.clone(), message.id.clone());
        if !state.admits(journal) || state.messages.contains_key(&key) {
            return Ok(Write::Stale);
        }
        state.messages.insert(key, message.clone());
        state.write(journal);
        Ok(Write::Done)
    }

    async fn save_message(&self, message: &Message) -> PortResult<Write> {
        let mut state = self.lock();
        match state.messages.get_mut(&(message.tenant.clone(), message.id.clone())) {
            Some(stored) if stored.version + 1 == message.version => *stored = message.clone(),
            _ => return Ok(Write::Stale),
        }
        Ok(Write::Done)
    }

    async fn put_aside(&self, message: &MessageRef) -> PortResult<()> {
        if let Some(message) = self.lock().messages.get_mut(&(message.tenant.clone(), message.id.clone())) {
            message.due_at = None;
        }
        Ok(())
    }

    async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
        after: Option<&Due>,
    ) -> PortResult<Vec<Due>> {
        let state = self.lock();
        let of_shard = state.messages.values().filter(|message| message.id.shard() == shard);
        let due = of_shard.filter_map(|message| Some(Due { message: message.into(), at: message.due_at? }));
        let mut due: Vec<Due> = due.filter(|due| due.at <= now).collect();
        let key = |due: &Due| (due.at, due.message.id.clone());
        due.sort_by_key(key);
        due.retain(|due| after.is_none_or(|after| key(due) > key(after)));
        due.truncate(limit);
        Ok(due)
    }
}
