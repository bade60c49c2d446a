//! Gateways: kept by operators, shown to them without their credentials, and looked over before they are saved.

mod change;
mod review;
mod secrets;
mod shown;
mod test;

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::gateway::{CredentialChange, Credentials, Gateway, GatewayDocument, MOST_GATEWAYS, Owner};
use otpost_domain::ids::GatewayId;
use otpost_domain::time::Timestamp;

use crate::caller::Keeper;
use crate::ports::{Clock as _, GatewayStore as _, Owned, PortError, PortResult, Ports, Write};
use crate::seen::{Seen, told_as};
use change::{Step, after, former, gone, voided, write};
use secrets::store;

pub(crate) use review::foresee;
pub use review::{Naming, Review, review};
pub use secrets::remove_credentials;
pub(crate) use secrets::tidy;
pub use shown::{Shown, gateway, gateways};
pub use test::{GatewayTest, GatewayTestError, TEST_PATIENCE, patience, test_gateway};

/// How often a change is decided anew because another gateway of the same owner was changed meanwhile.
const TRIES: usize = 5;

/// Why a gateway was not found, kept or deleted.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The owner has no such gateway.
    #[error("there is no gateway of this id")]
    NoSuchGateway,
    /// There is such a gateway, and the caller does not say which version of it is to be replaced.
    #[error("the gateway exists; its version must be named to replace it")]
    Unseen,
    /// The gateway is not in the version that the caller has seen.
    #[error("the gateway has changed since it was read")]
    Changed,
    /// The platform has a gateway of this id that serves the tenant.
    #[error("the platform has a gateway of this id that serves the tenant")]
    Taken,
    /// The owner has [`MOST_GATEWAYS`].
    #[error("there are {MOST_GATEWAYS} gateways already")]
    TooMany,
    /// Others change the same owner's gateways.
    #[error("others change the gateways at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

told_as!(GatewayError);

/// What a change means for a gateway's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They stay as they are, or there are none as before.
    Kept,
    /// There were none, and now there are.
    Given,
    /// Others take their place.
    Replaced,
    /// They are removed, because they would go to somebody else.
    Voided,
}

impl Effect {
    /// As shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Given => "given",
            Self::Replaced => "replaced",
            Self::Voided => "voided",
        }
    }

    /// As audited; nothing where they are kept.
    const fn audited(self) -> Option<&'static str> {
        match self {
            Self::Kept => None,
            Self::Given => Some("credentials given"),
            Self::Replaced => Some("credentials replaced"),
            Self::Voided => Some("credentials voided"),
        }
    }
}

/// A gateway that was kept.
#[derive(Debug)]
pub struct Kept {
    /// The gateway as it is now.
    pub shown: Shown,
    /// Whether it was not there before.
    pub made: bool,
    /// What became of its credentials.
    pub effect: Effect,
    /// Gateways whose PIN was removed, because their mails go by this one and it leads elsewhere now.
    pub voided: Vec<GatewayId>,
}

/// Makes a gateway when nothing is said of one, or replaces the one that was seen. It takes effect within a minute.
///
/// Credentials are stored first, then the gateway with the reference to them, then former ones are removed: whatever
/// fails or dies in between, what a gateway refers to is there. A secret that nobody refers to may be left; it is on
/// record, and removed with the next change of any of the owner's gateways, tried or done.
///
/// # Errors
/// When there is one that the caller has not seen, it has changed, its id is taken, there are enough of them, others are
/// faster again and again, or a port fails.
pub async fn keep_gateway(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    document: GatewayDocument,
    seen: Seen,
) -> Result<Kept, GatewayError> {
    let mut new = None;
    let tried = try_to_keep(ports, keeper, id, document, seen, &mut new).await;
    let gone = match &tried {
        Ok((_, gone)) => gone.clone(),
        // Nobody knows whether it was written: the new secret may be in use.
        Err(GatewayError::Port(_)) => return tried.map(|(kept, _)| kept),
        Err(_) => new.into_iter().collect(),
    };
    tidy(ports, &keeper.owner, &gone).await;
    tried.map(|(kept, _)| kept)
}

async fn try_to_keep(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    document: GatewayDocument,
    seen: Seen,
    new: &mut Option<String>,
) -> Result<(Kept, Vec<String>), GatewayError> {
    for _ in 0..TRIES {
        let now = ports.clock().now();
        let owned = ports.store().owned(&keeper.owner).await?;
        let current = owned.find(id);
        admitted(ports, keeper, id, &owned, seen).await?;
        let unchanged = current.filter(|current| is_the_same(current, &document));
        if let Some(current) = unchanged {
            let shown = Shown::of(current.clone(), &owned.gateways);
            return Ok((Kept { shown, made: false, effect: Effect::Kept, voided: Vec::new() }, Vec::new()));
        }
        let (next, credentials, effect) = next(keeper, id, current, document.clone(), now);
        let next = match credentials {
            Some(credentials) => with_secret(ports, next, &credentials, new).await?,
            None => next,
        };
        let voided = voided(&owned, id, Some(&next), now);
        let action = if current.is_some() { Action::GatewayChanged } else { Action::GatewayCreated };
        let told = AuditEntry { detail: effect.audited(), ..keeper.audit(ports, action, id) };
        if write(ports, keeper, &owned, Step { saved: Some(&next), deleted: None, voided: &voided, told })
            .await?
            == Write::Done
        {
            let mut gone = gone(&owned, &voided);
            gone.extend(former(current).filter(|_| effect != Effect::Kept));
            let made = current.is_none();
            let shown = Shown::of(next.clone(), &after(owned.gateways, &next, &voided));
            let voided = voided.into_iter().map(|gateway| gateway.id).collect();
            return Ok((Kept { shown, made, effect, voided }, gone));
        }
    }
    Err(GatewayError::Busy)
}

/// The gateway with the secret `new`, which is stored unless an earlier try of the same request has done so.
async fn with_secret(
    ports: &impl Ports,
    next: Gateway,
    credentials: &Credentials,
    new: &mut Option<String>,
) -> PortResult<Gateway> {
    let reference = match new.take() {
        Some(reference) => reference,
        None => store(ports, &next.owner, &next.id, credentials).await?,
    };
    Ok(next.holding(new.insert(reference).clone(), credentials, ports.clock().now()))
}

/// Whether the caller may make or replace the gateway.
async fn admitted(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    owned: &Owned,
    seen: Seen,
) -> Result<(), GatewayError> {
    let current = owned.find(id);
    seen.admits(current.map(|current| current.version))?;
    match current {
        Some(_) => Ok(()),
        None => room(ports, keeper, id, owned).await,
    }
}

/// Whether there is room for another gateway of this id.
async fn room(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    owned: &Owned,
) -> Result<(), GatewayError> {
    if owned.gateways.len() >= MOST_GATEWAYS {
        return Err(GatewayError::TooMany);
    }
    if let Some(tenant) = keeper.owner.tenant() {
        let platforms = ports.store().owned(&Owner::Platform).await?;
        if platforms.find(id).is_some_and(|platforms| platforms.serves(tenant)) {
            return Err(GatewayError::Taken);
        }
    }
    Ok(())
}

fn is_the_same(current: &Gateway, document: &GatewayDocument) -> bool {
    document.credentials.is_none() && current.configuration == document.configuration
}

/// The gateway as it is to be, still without the credentials that are to be stored for it.
fn next(
    keeper: &Keeper,
    id: &GatewayId,
    current: Option<&Gateway>,
    document: GatewayDocument,
    now: Timestamp,
) -> (Gateway, Option<Credentials>, Effect) {
    let Some(current) = current else {
        let (gateway, credentials) = Gateway::new(id.clone(), keeper.owner.clone(), document, now);
        let effect = if credentials.is_some() { Effect::Given } else { Effect::Kept };
        return (gateway, credentials, effect);
    };
    match current.becomes(document, now) {
        (next, CredentialChange::Kept) => (next, None, Effect::Kept),
        (next, CredentialChange::Voided) => (next, None, Effect::Voided),
        (next, CredentialChange::Replaced(credentials)) => {
            let effect = if current.credentials.is_some() { Effect::Replaced } else { Effect::Given };
            (next, Some(credentials), effect)
        }
    }
}

/// Deletes a gateway with its credentials, if it is still in the version that was seen, where one is said.
///
/// # Errors
/// When there is none, it has changed, others are faster again and again, or a port fails.
pub async fn delete_gateway(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    seen: Seen,
) -> Result<(), GatewayError> {
    for _ in 0..TRIES {
        let owned = ports.store().owned(&keeper.owner).await?;
        let Some(current) = owned.find(id) else {
            // An earlier try may have died between the gateway and its secret.
            tidy(ports, &keeper.owner, &[]).await;
            return Err(GatewayError::NoSuchGateway);
        };
        if seen.differs(current.version) {
            return Err(GatewayError::Changed);
        }
        let voided = voided(&owned, id, None, ports.clock().now());
        let told = keeper.audit(ports, Action::GatewayDeleted, id);
        let step = Step { saved: None, deleted: Some(current), voided: &voided, told };
        if write(ports, keeper, &owned, step).await? == Write::Done {
            let mut gone = gone(&owned, &voided);
            gone.extend(former(Some(current)));
            tidy(ports, &keeper.owner, &gone).await;
            return Ok(());
        }
    }
    Err(GatewayError::Busy)
}

#[cfg(test)]
mod tests;
