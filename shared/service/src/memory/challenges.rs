//! Challenges in memory.

use otpost_domain::challenge::{
    Addressee, Challenge, Generation, Guess, Guessed, Judged, Place, SourceClass,
};
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Timestamp;

use super::{MemoryStore, State};
use crate::ports::{Again, Asked, ChallengeStore, KeptAnswer, NewCode, PortResult, Write};

/// A tenant, an addressee's key, a purpose and a class of sources.
pub(super) type Key = (TenantId, String, &'static str, &'static str);

pub(super) fn key(tenant: &TenantId, place: &Place) -> Key {
    (tenant.clone(), place.addressee.key(tenant), place.purpose.as_str(), place.source.as_str())
}

impl State {
    fn keeps(&self, answer: Option<&KeptAnswer>) -> bool {
        answer.is_none_or(|answer| {
            let key = (answer.slot.tenant.clone(), answer.slot.id.clone());
            let held = self.answers.get(&key);
            held.is_some_and(|(slot, kept)| slot.holder == answer.slot.holder && kept.is_none())
        })
    }

    fn keep(&mut self, answer: Option<&KeptAnswer>) {
        if let Some(answer) = answer {
            let key = (answer.slot.tenant.clone(), answer.slot.id.clone());
            self.answers.insert(key, (answer.slot.clone(), Some(answer.content.clone())));
        }
    }

    fn of_user(&mut self, tenant: &TenantId, user: &UserId) -> impl Iterator<Item = &mut Challenge> {
        let whose = (tenant.clone(), Addressee::User(user.clone()).key(tenant));
        self.challenges
            .iter_mut()
            .filter(move |((tenant, addressee, ..), _)| (tenant, addressee) == (&whose.0, &whose.1))
            .map(|(_, challenge)| challenge)
    }
}

impl ChallengeStore for MemoryStore {
    async fn asked(
        &self,
        tenant: &TenantId,
        addressee: &Addressee,
        purpose: CodePurpose,
    ) -> PortResult<Asked> {
        let state = self.lock();
        let of = |source| {
            let place = Place { addressee: addressee.clone(), purpose, source };
            state.challenges.get(&key(tenant, &place)).cloned()
        };
        let user = match addressee {
            Addressee::User(user) => Some((tenant.clone(), user.clone())),
            Addressee::Bare(_) => None,
        };
        Ok(Asked {
            tenant: state.tenants.get(tenant).cloned(),
            user: user.as_ref().and_then(|key| state.users.get(key)).cloned(),
            sources: user
                .and_then(|key| state.auth.get(&key))
                .map_or_else(Vec::new, |auth| auth.sources.clone()),
            known: of(SourceClass::Known),
            strangers: of(SourceClass::Stranger),
        })
    }

    async fn challenge(&self, tenant: &TenantId, place: &Place) -> PortResult<Option<Challenge>> {
        Ok(self.lock().challenges.get(&key(tenant, place)).cloned())
    }

    async fn new_code(&self, tenant: &TenantId, code: &NewCode<'_>) -> PortResult<Write> {
        let NewCode { challenge, replaces, message, journal, answer } = *code;
        let mut state = self.lock();
        let key = key(tenant, &challenge.place);
        let stored = state.challenges.get(&key);
        let as_seen = match (stored, replaces) {
            (None, None) => true,
            (Some(stored), Some(seen)) => {
                stored.generation == seen.generation
                    && stored.resent == seen.resent
                    && stored.is_used() == seen.is_used()
            }
            _ => false,
        };
        if !as_seen || !state.keeps(answer) {
            return Ok(Write::Stale);
        }
        let (failures, guessed_at) = stored
            .filter(|stored| !stored.is_used())
            .map_or((0, challenge.guessed_at), |stored| (stored.failures, stored.guessed_at));
        state.challenges.insert(key, Challenge { failures, guessed_at, ..challenge.clone() });
        state.messages.insert((tenant.clone(), message.id.clone()), message.clone());
        if let Some(journal) = journal {
            state.write(journal);
        }
        state.keep(answer);
        Ok(Write::Done)
    }

    async fn send_code_again(&self, tenant: &TenantId, again: &Again<'_>) -> PortResult<Write> {
        let Again { seen, after, message, journal, answer, at } = *again;
        let mut state = self.lock();
        let key = key(tenant, &seen.place);
        let live = state.challenges.get(&key).filter(|stored| {
            stored.generation == seen.generation && stored.resent == seen.resent && stored.is_live(at)
        });
        let Some(live) = live.cloned().filter(|_| state.keeps(answer)) else { return Ok(Write::Stale) };
        let sent = Challenge {
            resent: after.resent,
            mailed: after.mailed,
            message: after.message.clone(),
            cool_until: after.cool_until,
            ..live
        };
        state.challenges.insert(key, sent);
        if let Some(message) = message {
            state.messages.insert((tenant.clone(), message.id.clone()), message.clone());
        }
        if let Some(journal) = journal {
            state.write(journal);
        }
        state.keep(answer);
        Ok(Write::Done)
    }

    async fn guess(&self, tenant: &TenantId, place: &Place, guess: &Guess) -> PortResult<Guessed> {
        let mut state = self.lock();
        let Some(stored) = state.challenges.get_mut(&key(tenant, place)) else { return Ok(Guessed::Over) };
        if let Some(known) = stored.judge(guess).uncounted(stored) {
            return Ok(known);
        }
        debug_assert_eq!(stored.judge(guess), Judged::Counts);
        *stored = stored.clone().guessed(guess);
        Ok(if stored.is_used() { stored.accepted() } else { Guessed::Wrong })
    }

    async fn end_challenge(
        &self,
        tenant: &TenantId,
        place: &Place,
        generation: Generation,
        at: Timestamp,
    ) -> PortResult<Write> {
        match self.lock().challenges.get_mut(&key(tenant, place)) {
            Some(stored) if stored.generation == generation => {
                if !stored.is_used() {
                    stored.expires_at = stored.expires_at.min(at);
                }
                Ok(Write::Done)
            }
            _ => Ok(Write::Stale),
        }
    }

    async fn end_challenges(&self, tenant: &TenantId, user: &UserId) -> PortResult<()> {
        for challenge in self.lock().of_user(tenant, user) {
            challenge.expires_at = Timestamp::default();
        }
        Ok(())
    }

    async fn forget_wrong_codes(&self, tenant: &TenantId, user: &UserId) -> PortResult<()> {
        for challenge in self.lock().of_user(tenant, user) {
            challenge.failures = 0;
        }
        Ok(())
    }
}
