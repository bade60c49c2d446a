//! What operators do with tokens that are there: suspend, resume, revoke, unlock. And what their devices say.

use otpost_domain::audit::{Action, Actor, Reason};
use otpost_domain::device::{DeviceDetails, DeviceKey};
use otpost_domain::ids::{Serial, TenantId, UserId};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{IllegalTransition, Token};

use crate::caller::Caller;
use crate::once::Once;
use crate::ports::{
    ChallengeStore as _, Clock as _, PortError, Ports, TenantStore as _, TokenStore as _,
    VerificationStore as _, Write,
};
use crate::users::UserError;

/// How often a change begins again that was overtaken.
const TRIES: usize = 3;

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct Order {
    /// The token.
    pub serial: Serial,
    /// Why, for the audit log.
    pub reason: Option<Reason>,
    /// The version that the caller has seen, if it must be that one.
    pub seen: Option<u64>,
}

/// Why a token was not changed.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The tenant has no such token.
    #[error("there is no token of this serial")]
    NoSuchToken,
    /// Its state does not allow it.
    #[error(transparent)]
    NotAllowed(#[from] IllegalTransition),
    /// The token is not in the version that the caller has seen.
    #[error("the token has changed since it was read")]
    Changed,
    /// The device is not the one that holds the token.
    #[error("this device does not hold the token")]
    OtherDevice,
    /// Others change the same token at the same time; nothing was changed.
    #[error("the token was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Stops an active token: its codes are refused until it is resumed. Its replay floor stays.
///
/// # Errors
/// When there is no such token, it is not active or has changed, or a port fails.
pub async fn suspend(
    ports: &impl Ports,
    caller: &Caller,
    order: &Order,
    once: Once<'_, Token>,
) -> Result<Token, LifecycleError> {
    change(ports, caller, order, Action::TokenSuspended, Token::suspended, once).await
}

/// Lets a suspended token go on, above the replay floor that it had.
///
/// # Errors
/// When there is no such token, it is not suspended or has changed, or a port fails.
pub async fn resume(
    ports: &impl Ports,
    caller: &Caller,
    order: &Order,
    once: Once<'_, Token>,
) -> Result<Token, LifecycleError> {
    change(ports, caller, order, Action::TokenResumed, |token, _| token.resumed(), once).await
}

/// Ends a token for good and drops its seed. A link on its way is dead.
///
/// # Errors
/// When there is no such token, it was revoked before or has changed, or a port fails.
pub async fn revoke(
    ports: &impl Ports,
    caller: &Caller,
    order: &Order,
    once: Once<'_, Token>,
) -> Result<Token, LifecycleError> {
    change(ports, caller, order, Action::TokenRevoked, Token::revoked, once).await
}

async fn change(
    ports: &impl Ports,
    caller: &Caller,
    order: &Order,
    action: Action,
    transition: fn(Token, Timestamp) -> Result<Token, IllegalTransition>,
    once: Once<'_, Token>,
) -> Result<Token, LifecycleError> {
    for _ in 0..TRIES {
        let token = found(ports, &caller.tenant, &order.serial).await?;
        if order.seen.is_some_and(|seen| seen != token.version) {
            return Err(LifecycleError::Changed);
        }
        let token = transition(token, ports.clock().now())?;
        let mut journal = caller.journal(ports, action);
        journal.audit.user = Some(token.user.clone());
        journal.audit.serial = Some(token.serial.clone());
        journal.audit.reason.clone_from(&order.reason);
        let journal = once.record(ports, &token, journal).await?;
        if ports.store().change_token(&token, &journal).await? == Write::Done {
            return Ok(token);
        }
    }
    Err(LifecycleError::Busy)
}

/// Forgets all failures of the token's user, with codes of tokens and with codes that were sent: strangers and known devices
/// may try again at once.
///
/// # Errors
/// When there is no such token, or a port fails.
pub async fn unlock(
    ports: &impl Ports,
    caller: &Caller,
    serial: &Serial,
    reason: Option<Reason>,
) -> Result<(), LifecycleError> {
    let owner = ports.store().owner(&caller.tenant, serial).await?;
    let user = owner.ok_or(LifecycleError::NoSuchToken)?;
    let mut journal = caller.journal(ports, Action::UserUnlocked);
    journal.audit.user = Some(user.clone());
    journal.audit.serial = Some(serial.clone());
    journal.audit.reason = reason;
    match ports.store().unlock(&caller.tenant, &user, &journal).await? {
        Write::Done => Ok(ports.store().forget_wrong_codes(&caller.tenant, &user).await?),
        Write::Stale => Err(LifecycleError::NoSuchToken),
    }
}

/// The same by the user's id, for one who has no token.
///
/// # Errors
/// When there is no such user, or a port fails.
pub async fn unlock_user(
    ports: &impl Ports,
    caller: &Caller,
    user: &UserId,
    reason: Option<Reason>,
) -> Result<(), UserError> {
    let mut journal = caller.journal(ports, Action::UserUnlocked);
    journal.audit.user = Some(user.clone());
    journal.audit.reason = reason;
    match ports.store().unlock(&caller.tenant, user, &journal).await? {
        Write::Done => Ok(ports.store().forget_wrong_codes(&caller.tenant, user).await?),
        Write::Stale => Err(UserError::NoSuchUser),
    }
}

/// The device that holds a token says what it is now. `key` has signed the call.
///
/// # Errors
/// When there is no such token, another device holds it, or a port fails.
pub async fn device_says(
    ports: &impl Ports,
    tenant: &TenantId,
    serial: &Serial,
    key: &DeviceKey,
    details: DeviceDetails,
) -> Result<Token, LifecycleError> {
    let caller = Caller::new(tenant.clone(), Actor::Device);
    // A deleted tenant has no tokens any more, whatever still lies in the table.
    if ports.store().tenant(tenant).await?.is_none() {
        return Err(LifecycleError::OtherDevice);
    }
    for _ in 0..TRIES {
        // Whoever signs learns nothing of tokens that are not theirs.
        let token = found(ports, tenant, serial).await.map_err(|error| match error {
            LifecycleError::NoSuchToken => LifecycleError::OtherDevice,
            other => other,
        })?;
        let device = token.device.clone().filter(|device| device.key.as_ref() == Some(key));
        let device = device.ok_or(LifecycleError::OtherDevice)?;
        let token = token.device_says(device.says(details.clone(), ports.clock().now()))?;
        let mut journal = caller.journal(ports, Action::DeviceChanged);
        journal.audit.user = Some(token.user.clone());
        journal.audit.serial = Some(token.serial.clone());
        if ports.store().change_token(&token, &journal).await? == Write::Done {
            return Ok(token);
        }
    }
    Err(LifecycleError::Busy)
}

async fn found(ports: &impl Ports, tenant: &TenantId, serial: &Serial) -> Result<Token, LifecycleError> {
    ports.store().token(tenant, serial).await?.ok_or(LifecycleError::NoSuchToken)
}
