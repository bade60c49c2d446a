//! Messages, in memory.

use otpost_domain::circuit::{Health, HealthChange, HealthKey};
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::message::{HopState, Message, News, Overtaken};
use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_domain::time::{Day, Timestamp};

use super::{MemoryStore, State, page};
use crate::ports::{
    Circumstances, Due, Heard, Journal, MessageRef, MessageStore, Page, PageRequest, PortResult, Saved,
    SuppressionStore, Write,
};

impl State {
    /// Some of a tenant's messages, behind the place that a page begins at, whether a message stands there or not.
    fn newest_first(
        &self,
        tenant: &TenantId,
        request: &PageRequest,
        wanted: impl Fn(&Message) -> bool,
    ) -> Page<Message> {
        let behind =
            |message: &&Message| request.after.as_deref().is_none_or(|after| message.id.as_str() < after);
        let own = self.messages.values().rev().filter(|message| &message.tenant == tenant && wanted(message));
        let found = own.filter(behind).map(|message| (message.id.to_string(), message.clone())).collect();
        page(found, &PageRequest { after: None, ..*request })
    }

    /// Changes all of it, or nothing when one of the changes does not fit.
    fn changes_health(&mut self, changes: &[HealthChange]) -> bool {
        let mut health = self.health.clone();
        for HealthChange { gateway, change } in changes {
            match Health::changed(health.get(gateway).copied(), change) {
                None => return false,
                Some(None) => drop(health.remove(gateway)),
                Some(Some(new)) => drop(health.insert(gateway.clone(), new)),
            }
        }
        self.health = health;
        true
    }
}

impl SuppressionStore for MemoryStore {
    async fn suppress(&self, suppression: &Suppression) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.messages.contains_key(&(suppression.tenant.clone(), suppression.message.clone())) {
            return Ok(Write::Stale);
        }
        let key = (suppression.tenant.clone(), suppression.key());
        state.suppressions.insert(key, suppression.clone());
        Ok(Write::Done)
    }

    async fn suppressions(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Suppression>> {
        let state = self.lock();
        let own = state.suppressions.iter().filter(|((of, _), _)| of == tenant);
        Ok(page(own.map(|((_, key), listed)| (key.as_str().to_owned(), listed.clone())).collect(), request))
    }

    async fn clear_suppression(
        &self,
        tenant: &TenantId,
        key: &AddressKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(journal) || state.suppressions.remove(&(tenant.clone(), key.clone())).is_none() {
            return Ok(Write::Stale);
        }
        state.write(journal);
        Ok(Write::Done)
    }
}

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
        Ok(self.lock().newest_first(tenant, request, |message| message.user.as_ref() == Some(user)))
    }

    async fn messages_on(
        &self,
        tenant: &TenantId,
        day: Day,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        Ok(self.lock().newest_first(tenant, request, |message| Day::of(message.created_at) == day))
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

    async fn circumstances(&self, message: &Message) -> PortResult<Circumstances> {
        let state = self.lock();
        let tenant = &message.tenant;
        let user = message.user.as_ref().and_then(|user| state.users.get(&(tenant.clone(), user.clone())));
        let token =
            message.serial.as_ref().and_then(|serial| state.tokens.get(&(tenant.clone(), serial.clone())));
        let suppressed = message.address.as_ref();
        let suppressed = suppressed.and_then(|key| state.suppressions.get(&(tenant.clone(), key.clone())));
        Ok(Circumstances {
            tenant: state.tenants.contains_key(tenant),
            user: user.cloned(),
            token: token.cloned(),
            suppressed: suppressed.cloned(),
        })
    }

    async fn save_message_and_health(
        &self,
        message: &Message,
        changes: &[HealthChange],
    ) -> PortResult<Saved> {
        let mut state = self.lock();
        let key = (message.tenant.clone(), message.id.clone());
        if state.messages.get(&key).is_none_or(|stored| stored.version + 1 != message.version) {
            return Ok(Saved::Stale);
        }
        if !state.changes_health(changes) {
            return Ok(Saved::Outrun);
        }
        state.messages.insert(key, message.clone());
        Ok(Saved::Done)
    }

    async fn withdraw(&self, message: &MessageRef, overtaken: Overtaken) -> PortResult<Write> {
        let mut state = self.lock();
        let stored = state.messages.get_mut(&(message.tenant.clone(), message.id.clone()));
        let Some(stored) = stored.filter(|stored| stored.is_open() && stored.hops.is_empty()) else {
            return Ok(Write::Stale);
        };
        *stored = stored.clone().withdrawn(overtaken);
        Ok(Write::Done)
    }

    async fn hear(
        &self,
        message: &MessageRef,
        number: u16,
        news: &News,
        suppression: Option<&Suppression>,
    ) -> PortResult<Heard> {
        let mut state = self.lock();
        let key = (message.tenant.clone(), message.id.clone());
        let Some(stored) = state.messages.get(&key).cloned() else { return Ok(Heard::Nothing) };
        if !stored.has_had(number) {
            return Ok(Heard::Nothing);
        }
        let Some(heard) = stored.clone().heard(number, news) else {
            return Ok(Heard::Known(Box::new(stored)));
        };
        state.messages.insert(key, heard.clone());
        if let Some(suppression) = suppression {
            state.suppressions.insert((message.tenant.clone(), suppression.key()), suppression.clone());
        }
        Ok(Heard::New(Box::new(heard)))
    }

    async fn change_health(&self, changes: &[HealthChange]) -> PortResult<Write> {
        let fits = self.lock().changes_health(changes);
        Ok(if fits { Write::Done } else { Write::Stale })
    }

    async fn health_of(&self, gateways: &[HealthKey]) -> PortResult<Vec<Option<Health>>> {
        let state = self.lock();
        Ok(gateways.iter().map(|gateway| state.health.get(gateway).copied()).collect())
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
