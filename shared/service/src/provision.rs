//! Gives a user a token. It has no seed yet: the seed is made when the user enrols.

use otpost_domain::audit::Action;
use otpost_domain::ids::{Serial, UserId};
use otpost_domain::otp::{Algorithm, Digits, Kind, OtpParameters, Period};
use otpost_domain::policy::TokenKind;
use otpost_domain::token::Token;

use crate::caller::Caller;
use crate::once::Once;
use crate::policies::held;
use crate::ports::{
    Clock as _, Entropy as _, Page, PageRequest, PortError, Ports, Provisioning, TokenStore as _,
    UserStore as _,
};

/// How many tokens a user may have that are not revoked.
pub const MAX_TOKENS: usize = 10;
/// How often a provisioning begins again that was overtaken.
const TRIES: usize = 5;

/// Why no token was provisioned.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The tenant has no such user.
    #[error("there is no user of this id")]
    NoSuchUser,
    /// The user has [`MAX_TOKENS`].
    #[error("the user has {MAX_TOKENS} tokens already")]
    TooManyTokens,
    /// Others change the same user at the same time; nothing was made.
    #[error("the user was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How a new token is to make its codes; what is left open is by policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Time-based or counter-based.
    pub kind: Option<TokenKind>,
    /// The period of a time-based one.
    pub period: Option<Period>,
    /// The hash below the HMAC.
    pub algorithm: Option<Algorithm>,
    /// The length of a code.
    pub digits: Option<Digits>,
}

impl From<OtpParameters> for Wanted {
    fn from(parameters: OtpParameters) -> Self {
        let OtpParameters { kind, algorithm, digits } = parameters;
        let (of_kind, period) = match kind {
            Kind::Totp(period) => (TokenKind::Totp, Some(period)),
            Kind::Hotp => (TokenKind::Hotp, None),
        };
        Self { kind: Some(of_kind), period, algorithm: Some(algorithm), digits: Some(digits) }
    }
}

impl Wanted {
    fn over(self, usual: OtpParameters) -> OtpParameters {
        let period = self.period.or(usual.kind.period()).unwrap_or_default();
        let kind = match (self.kind, usual.kind) {
            (Some(TokenKind::Hotp), _) | (None, Kind::Hotp) => Kind::Hotp,
            (Some(TokenKind::Totp), _) | (None, Kind::Totp(_)) => Kind::Totp(period),
        };
        let algorithm = self.algorithm.unwrap_or(usual.algorithm);
        OtpParameters { kind, algorithm, digits: self.digits.unwrap_or(usual.digits) }
    }
}

/// Provisions a token for a user of the caller's tenant.
///
/// # Errors
/// When there is no such user, they have enough tokens, or a port fails.
pub async fn provision(
    ports: &impl Ports,
    caller: &Caller,
    user: &UserId,
    wanted: impl Into<Wanted>,
    once: Once<'_, Token>,
) -> Result<Token, ProvisionError> {
    let wanted = wanted.into();
    for _ in 0..TRIES {
        // The user first: the tokens seen are at least as new as the version that the write names.
        let seen = ports.store().user(&caller.tenant, user).await?.ok_or(ProvisionError::NoSuchUser)?;
        if ports.store().tokens(&caller.tenant, user).await?.len() >= MAX_TOKENS {
            return Err(ProvisionError::TooManyTokens);
        }
        let usual = held(ports, &caller.tenant, user, &seen.groups).await?.settings.token();
        let serial = Serial::new(ports.entropy().array());
        let now = ports.clock().now();
        let token = Token::assigned(caller.tenant.clone(), user.clone(), serial, wanted.over(usual), now);
        let mut journal = caller.journal(ports, Action::TokenProvisioned);
        journal.audit.user = Some(user.clone());
        journal.audit.serial = Some(token.serial.clone());
        let journal = once.record(ports, &token, journal).await?;
        match ports.store().provision(&token, seen.version, &journal).await? {
            Provisioning::Done => return Ok(token),
            Provisioning::Stale | Provisioning::SerialTaken => {}
        }
    }
    Err(ProvisionError::Busy)
}

/// Why a token or a user's tokens were not found.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The tenant has no such user.
    #[error("there is no user of this id")]
    NoSuchUser,
    /// The tenant has no such token.
    #[error("there is no token of this serial")]
    NoSuchToken,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Looks a token up by its serial.
///
/// # Errors
/// When the caller's tenant has no such token, or a port fails.
pub async fn token(ports: &impl Ports, caller: &Caller, serial: &Serial) -> Result<Token, LookUpError> {
    ports.store().token(&caller.tenant, serial).await?.ok_or(LookUpError::NoSuchToken)
}

/// Lists a user's tokens that are not revoked, at most [`MAX_TOKENS`].
///
/// # Errors
/// When the caller's tenant has no such user, or a port fails.
pub async fn tokens(ports: &impl Ports, caller: &Caller, user: &UserId) -> Result<Vec<Token>, LookUpError> {
    let tokens = ports.store().tokens(&caller.tenant, user).await?;
    if tokens.is_empty() && ports.store().user(&caller.tenant, user).await?.is_none() {
        return Err(LookUpError::NoSuchUser);
    }
    Ok(tokens)
}

/// Lists a user's revoked tokens in pages.
///
/// # Errors
/// When the caller's tenant has no such user, or a port fails.
pub async fn revoked_tokens(
    ports: &impl Ports,
    caller: &Caller,
    user: &UserId,
    page: &PageRequest,
) -> Result<Page<Token>, LookUpError> {
    let tokens = ports.store().revoked_tokens(&caller.tenant, user, page).await?;
    if tokens.items.is_empty() && ports.store().user(&caller.tenant, user).await?.is_none() {
        return Err(LookUpError::NoSuchUser);
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, operator};
    use crate::users::{Profile, create_user};

    #[tokio::test]
    async fn a_user_gets_tokens_up_to_the_limit() {
        let ports = MemoryPorts::new();
        let caller = operator("acme");
        let jane = UserId::try_from("jane").unwrap();
        let nobody = provision(&ports, &caller, &jane, OtpParameters::default(), Once::not_kept()).await;
        assert!(matches!(nobody, Err(ProvisionError::NoSuchUser)));
        assert!(matches!(tokens(&ports, &caller, &jane).await, Err(LookUpError::NoSuchUser)));

        create_user(&ports, &caller, jane.clone(), Profile::default(), Once::not_kept()).await.unwrap();
        for _ in 0..MAX_TOKENS {
            provision(&ports, &caller, &jane, OtpParameters::default(), Once::not_kept()).await.unwrap();
        }
        let enough = provision(&ports, &caller, &jane, OtpParameters::default(), Once::not_kept()).await;
        assert!(matches!(enough, Err(ProvisionError::TooManyTokens)));
        let listed = tokens(&ports, &caller, &jane).await.unwrap();
        assert_eq!(listed.len(), MAX_TOKENS);
        assert_eq!(token(&ports, &caller, &listed[3].serial).await.unwrap(), listed[3]);
        let elsewhere = token(&ports, &operator("other"), &listed[3].serial).await;
        assert!(matches!(elsewhere, Err(LookUpError::NoSuchToken)));
    }
}
