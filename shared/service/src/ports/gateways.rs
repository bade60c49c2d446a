//! Gateways, and where their credentials lie.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use otpost_domain::gateway::{Credentials, Gateway, Kind, Owner};
use otpost_domain::ids::GatewayId;
use otpost_domain::time::Timestamp;

use super::{Journal, PortResult, Write};

/// All gateways of an owner, read together.
#[derive(Clone, Debug, Default)]
pub struct Owned {
    /// The gateways, by id.
    pub gateways: Vec<Gateway>,
    /// How often they have been changed, any of them.
    pub changes: u64,
}

impl Owned {
    /// The one of this id.
    #[must_use]
    pub fn find(&self, id: &GatewayId) -> Option<&Gateway> {
        self.gateways.iter().find(|gateway| gateway.id == *id)
    }
}

/// A change of an owner's gateways. It is decided by all of them, because one may carry another's mails, and their number
/// has a limit: so it is refused when any of them has changed since they were read.
#[derive(Debug)]
pub struct GatewayChange<'a> {
    /// Whose they are.
    pub owner: &'a Owner,
    /// What [`Owned::changes`] said when they were read.
    pub seen: u64,
    /// Those that are made or changed.
    pub saved: Vec<&'a Gateway>,
    /// The one that is deleted.
    pub deleted: Option<&'a Gateway>,
    /// What is written with it; [`Journal::also`] tells what happens to other gateways by it.
    pub journal: &'a Journal,
}

/// Where the credentials of a gateway lie, or are about to lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewaySecret {
    /// Whose gateway it is.
    pub owner: Owner,
    /// The gateway.
    pub gateway: GatewayId,
    /// What tells it from earlier ones of the same gateway.
    pub random: String,
    /// Since when it is on record.
    pub at: Timestamp,
}

impl GatewaySecret {
    /// Under which name the credentials lie: `<tenant or platform>/<gateway>/<random>`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}/{}", self.owner.as_str(), self.gateway, self.random)
    }
}

/// Gateways, and a record of every secret that was made for one. A secret is on record before it is made, until it is
/// removed: what no gateway refers to is found by this record, because Secrets Manager lists all secrets or none.
pub trait GatewayStore: Send + Sync {
    /// All gateways of an owner.
    fn owned(&self, owner: &Owner) -> impl Future<Output = PortResult<Owned>> + Send;
    /// Writes a change of an owner's gateways; stale when one of them has changed since they were read.
    fn change_gateways(&self, change: &GatewayChange<'_>) -> impl Future<Output = PortResult<Write>> + Send;
    /// Puts a secret on record.
    fn note_secret(&self, secret: &GatewaySecret) -> impl Future<Output = PortResult<()>> + Send;
    /// The secrets on record of all gateways that an owner has or had.
    fn noted_secrets(&self, owner: &Owner) -> impl Future<Output = PortResult<Vec<GatewaySecret>>> + Send;
    /// Takes a secret off the record.
    fn forget_secret(&self, secret: &GatewaySecret) -> impl Future<Output = PortResult<()>> + Send;
}

/// How long a sender works by credentials that it has read.
pub const CREDENTIALS_LIFE: Duration = Duration::from_mins(5);

/// Credentials as senders read them, and nobody else.
pub trait CredentialReader: Send + Sync {
    /// The credentials of a gateway of `kind` that lie under a reference, as they were read within [`CREDENTIALS_LIFE`];
    /// none where there are none any more.
    fn read_credentials(
        &self,
        kind: Kind,
        reference: &str,
    ) -> impl Future<Output = PortResult<Option<Arc<Credentials>>>> + Send;
}

/// Where credentials lie. Who keeps gateways writes and removes them, and cannot read them.
pub trait CredentialStore: Send + Sync {
    /// Stores credentials under a reference that was never used before. The same again changes nothing.
    fn put_credentials(
        &self,
        reference: &str,
        credentials: &Credentials,
    ) -> impl Future<Output = PortResult<()>> + Send;
    /// Removes credentials for good. Nothing happens where there are none.
    fn remove_credentials(&self, reference: &str) -> impl Future<Output = PortResult<()>> + Send;
}
