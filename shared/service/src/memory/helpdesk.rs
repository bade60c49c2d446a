//! The helpdesk in memory.

use std::collections::BTreeMap;

use otpost_domain::challenge::{Guess, Place};
use otpost_domain::ids::TenantId;

use super::{MemoryStore, challenges};
use crate::ports::{CodeRead, HelpdeskStore, Journal, PasswordText, PortResult, Share, ShareLeft, Write};

/// What was sent by a tenant's key in an hour, by whom.
pub(super) type Shares = BTreeMap<(TenantId, String, u64), BTreeMap<String, u32>>;

impl HelpdeskStore for MemoryStore {
    async fn count_share(&self, share: &Share<'_>) -> PortResult<ShareLeft> {
        let mut state = self.lock();
        let key = (share.tenant.clone(), share.key.to_owned(), share.hour);
        let sent = state.shares.entry(key).or_default();
        let all: u32 = sent.values().sum();
        let one = sent.entry(share.operator.as_str().to_lowercase()).or_default();
        if *one >= share.most {
            return Ok(ShareLeft::Operators);
        }
        if all >= share.most_of_key {
            return Ok(ShareLeft::Keys);
        }
        *one += 1;
        Ok(ShareLeft::Counted)
    }

    async fn read_back(
        &self,
        tenant: &TenantId,
        place: &Place,
        guess: &Guess,
        journal: &Journal,
    ) -> PortResult<CodeRead> {
        let mut state = self.lock();
        let key = challenges::key(tenant, place);
        let Some(stored) = state.challenges.get(&key) else { return Ok(CodeRead::Refused) };
        if let Some(known) = stored.judge(guess).uncounted(stored) {
            return Ok(known.into());
        }
        let guessed = stored.clone().guessed(guess);
        debug_assert!(guessed.is_used(), "only right guesses come here");
        state.challenges.insert(key, guessed);
        state.write(journal);
        Ok(CodeRead::Accepted { at: guess.at })
    }

    async fn send_password(&self, tenant: &TenantId, text: &PasswordText<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        let challenge = state.challenges.get_mut(&challenges::key(tenant, text.place));
        let right = challenge
            .filter(|stored| stored.generation == text.generation && stored.is_used() && !stored.spent);
        let Some(right) = right else { return Ok(Write::Stale) };
        right.spent = true;
        state.messages.insert((tenant.clone(), text.message.id.clone()), text.message.clone());
        state.write(text.journal);
        Ok(Write::Done)
    }
}
