//! Gateways and their credentials, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use otpost_domain::gateway::{Credentials, Gateway, Kind, Owner, Part};
use otpost_domain::ids::GatewayId;
use otpost_domain::secret::SecretText;

use super::{MemoryPorts, MemoryStore, State};
use crate::ports::{
    CredentialReader, CredentialStore, Fault, GatewayChange, GatewaySecret, GatewayStore, Owned, PortError,
    PortResult, Write,
};

impl GatewayStore for MemoryStore {
    async fn owned(&self, owner: &Owner) -> PortResult<Owned> {
        Ok(self.lock().gateways.get(owner).cloned().unwrap_or_default())
    }

    async fn change_gateways(&self, change: &GatewayChange<'_>) -> PortResult<Write> {
        let mut state = self.lock();
        if !state.admits(change.journal) {
            return Ok(Write::Stale);
        }
        let owned = state.gateways.entry(change.owner.clone()).or_default();
        let stored = |id: &GatewayId| owned.find(id).map_or(0, |stored| stored.version);
        let follows = change.saved.iter().all(|gateway| stored(&gateway.id) + 1 == gateway.version)
            && change.deleted.is_none_or(|gateway| stored(&gateway.id) == gateway.version);
        if owned.changes != change.seen || !follows {
            return Ok(Write::Stale);
        }
        let gone = |id: &GatewayId| {
            change.saved.iter().any(|saved| saved.id == *id)
                || change.deleted.is_some_and(|gone| gone.id == *id)
        };
        owned.gateways.retain(|gateway| !gone(&gateway.id));
        owned.gateways.extend(change.saved.iter().copied().cloned());
        owned.gateways.sort_by(|a, b| a.id.cmp(&b.id));
        owned.changes += 1;
        state.write(change.journal);
        Ok(Write::Done)
    }

    async fn note_secret(&self, secret: &GatewaySecret) -> PortResult<()> {
        self.lock().noted.insert(secret.reference(), secret.clone());
        Ok(())
    }

    async fn noted_secrets(&self, owner: &Owner) -> PortResult<Vec<GatewaySecret>> {
        let state = self.lock();
        Ok(state.noted.values().filter(|secret| secret.owner == *owner).cloned().collect())
    }

    async fn forget_secret(&self, secret: &GatewaySecret) -> PortResult<()> {
        self.lock().noted.remove(&secret.reference());
        Ok(())
    }
}

impl CredentialStore for MemoryStore {
    async fn put_credentials(&self, reference: &str, credentials: &Credentials) -> PortResult<()> {
        let parts = credentials.parts().into_iter();
        let parts = parts.map(|(part, text)| (part.as_str(), text.expose().to_owned())).collect();
        self.lock().secrets.insert(reference.to_owned(), parts);
        Ok(())
    }

    async fn remove_credentials(&self, reference: &str) -> PortResult<()> {
        self.lock().secrets.remove(reference);
        Ok(())
    }
}

impl CredentialReader for MemoryStore {
    async fn read_credentials(&self, kind: Kind, reference: &str) -> PortResult<Option<Arc<Credentials>>> {
        let Some(parts) = self.lock().secrets.get(reference).cloned() else { return Ok(None) };
        let parts =
            parts.into_iter().filter_map(|(name, text)| Some((Part::parse(name)?, SecretText::new(text))));
        let faulty = |_| PortError::new(Fault::Corrupt, "stored credentials that are none");
        Credentials::from_parts(kind, parts).map(Arc::new).map(Some).map_err(faulty)
    }
}

impl State {
    /// The gateways, and for each what became of its secrets.
    pub(super) fn gateway_lines(&self) -> Vec<String> {
        let all = || self.gateways.values().flat_map(|owned| &owned.gateways);
        let gateway = |gateway: &Gateway| {
            let held = gateway.credentials.as_ref().map(|held| self.secrets.contains_key(&held.reference));
            let credentials = held.map_or("none", |there| if there { "held" } else { "LOST" });
            let (owner, id, version) = (gateway.owner.as_str(), &gateway.id, gateway.version);
            format!("gateway {owner}/{id} version {version} credentials {credentials}")
        };
        let in_use = |reference: &str| {
            all().filter_map(|gateway| gateway.credentials.as_ref()).any(|held| held.reference == reference)
        };
        let of = |reference: &str| reference.rsplit_once('/').map_or("", |(of, _)| of).to_owned();
        let mut lines: Vec<_> = all().map(gateway).collect();
        lines.extend(self.secrets.keys().map(|name| format!("secret {} in use {}", of(name), in_use(name))));
        lines.extend(self.noted.keys().map(|name| format!("noted {} in use {}", of(name), in_use(name))));
        lines
    }
}

impl MemoryPorts {
    /// The credentials that lie in storage: name, and parts.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, BTreeMap<&'static str, String>> {
        self.store.lock().secrets.clone()
    }

    /// What was told of changes: actions with their gateways and details, in order.
    #[must_use]
    pub fn told_of_gateways(&self) -> Vec<String> {
        let state = self.store.lock();
        let entries = state.audit.iter().filter_map(|entry| Some((entry, entry.gateway.as_ref()?)));
        entries
            .map(|(entry, id)| {
                let whose = entry.tenant.as_ref().map_or("platform", |tenant| tenant.as_str());
                format!("{} {whose}/{id} {}", entry.action.as_str(), entry.detail.unwrap_or("-"))
            })
            .collect()
    }
}
