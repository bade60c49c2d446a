//! Enrolment by whoever holds the link: look, start, and prove the app with its first code.

use std::time::Duration;

use otpost_domain::audit::{Action, Actor};
use otpost_domain::enrolment::{CannotOpen, DeadLink, Enrolment, NoSession};
use otpost_domain::ids::{BearerCode, BearerHash, Serial};
use otpost_domain::otp::{Code, CodeFormat, OtpParameters, Tolerance, find_match};
use otpost_domain::otpauth::{self, Account, Issuer};
use otpost_domain::secret::{SecretText, Seed};
use otpost_domain::time::Timestamp;
use otpost_domain::token::{SealedSeed, Token};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::ports::{
    Activation, Clock as _, EnrolmentStore as _, Entropy as _, Fault, PortError, Ports, RecordKind,
    Sealer as _, TenantStore as _, TokenStore as _, Write,
};

/// Why an enrolment did not go on.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The link does not work (any more).
    #[error(transparent)]
    Dead(#[from] DeadLink),
    /// As many browsers as allowed have started.
    #[error("too many browsers have started this enrolment")]
    TooManySessions {
        /// How long until one of them is over.
        retry_after: Duration,
    },
    /// This browser's or app's session is over, or was never opened.
    #[error("this enrolment session is over")]
    SessionOver,
    /// The session gave too many wrong codes.
    #[error("too many wrong codes in this enrolment session")]
    TooManyWrongCodes,
    /// What was typed is no code.
    #[error(transparent)]
    Format(#[from] CodeFormat),
    /// The code is not the one that the app should show.
    #[error("the code is not right")]
    WrongCode,
    /// Others change the same enrolment at the same time; nothing was changed.
    #[error("the enrolment was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<CannotOpen> for EnrollError {
    fn from(fault: CannotOpen) -> Self {
        match fault {
            CannotOpen::Dead(dead) => Self::Dead(dead),
            CannotOpen::TooManySessions { retry_after } => Self::TooManySessions { retry_after },
        }
    }
}

impl From<NoSession> for EnrollError {
    fn from(fault: NoSession) -> Self {
        match fault {
            NoSession::Dead(dead) => Self::Dead(dead),
            NoSession::Over => Self::SessionOver,
            NoSession::TooManyWrongCodes => Self::TooManyWrongCodes,
        }
    }
}

/// A link that works.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The tenant that sent it.
    pub tenant_name: String,
    /// The user whom it is for.
    pub user: String,
    /// When it dies.
    pub expires_at: Timestamp,
}

/// An open session: what the app needs to be told.
#[derive(Debug)]
pub struct Started {
    /// The session's secret, for its cookie or the app to keep.
    pub session: BearerCode,
    /// The token.
    pub serial: Serial,
    /// The tenant's name.
    pub tenant_name: String,
    /// How its codes are made.
    pub parameters: OtpParameters,
    /// Everything an authenticator app needs, as one URI.
    pub otpauth: SecretText,
    /// The seed in Base32, to type.
    pub secret: Zeroizing<String>,
    /// When the session ends.
    pub expires_at: Timestamp,
}

/// A finished enrolment.
#[derive(Clone, Debug)]
pub struct Activated {
    /// The token, active.
    pub token: Token,
    /// The tenant's name.
    pub tenant_name: String,
}

/// Looks at a link. Changes nothing, however often.
///
/// # Errors
/// When the link is dead, or a port fails.
pub async fn look(ports: &impl Ports, link: &str) -> Result<Invitation, EnrollError> {
    let enrolment = load(ports, link).await?;
    enrolling(ports, &enrolment).await?;
    let tenant = ports.store().tenant(&enrolment.tenant).await?.ok_or(DeadLink::Unknown)?;
    Ok(Invitation {
        tenant_name: tenant.name.as_str().to_owned(),
        user: enrolment.user.to_string(),
        expires_at: enrolment.expires_at,
    })
}

/// Opens a session with a seed of its own, or finds the open one that `session` belongs to.
///
/// # Errors
/// When the link is dead, too many sessions are open, or a port fails.
pub async fn start(
    ports: &impl Ports,
    link: &str,
    session: Option<BearerCode>,
) -> Result<Started, EnrollError> {
    for _ in 0..3 {
        let enrolment = load(ports, link).await?;
        let token = enrolling(ports, &enrolment).await?;
        let now = ports.clock().now();
        if let Some(session) = &session {
            match enrolment.session(&session.hash(), now) {
                Ok(open) => {
                    let seed = open_seed(ports, &enrolment, &session.hash()).await?;
                    return started(ports, &token, session.clone(), &seed, open.expires_at).await;
                }
                Err(NoSession::Over) => {}
                // No fresh seed behind the back of somebody who has scanned this one.
                Err(spent) => return Err(spent.into()),
            }
        }

        let fresh = ports.entropy().bearer_code();
        let seed = new_seed(ports)?;
        let kind = RecordKind::SessionSeed;
        let sealed =
            ports.sealer().seal(&enrolment.tenant, kind, fresh.hash().as_str(), seed.expose()).await?;
        let enrolment = enrolment.opened(fresh.hash(), SealedSeed(sealed), now)?;
        let expires_at = enrolment.session(&fresh.hash(), now)?.expires_at;
        if save(ports, &enrolment, Action::EnrolmentStarted).await? == Write::Done {
            return started(ports, &token, fresh, &seed, expires_at).await;
        }
    }
    Err(EnrollError::Busy)
}

/// Activates the token with the session's seed, if `code` is the one that the app should show now.
///
/// # Errors
/// When the link or the session is over, the code is wrong, or a port fails.
pub async fn activate(
    ports: &impl Ports,
    link: &str,
    session: &BearerCode,
    code: &str,
) -> Result<Activated, EnrollError> {
    for _ in 0..3 {
        let enrolment = load(ports, link).await?;
        let id = session.hash();
        let now = ports.clock().now();
        enrolment.session(&id, now)?;
        let code = Code::parse(code)?;
        let token = enrolling(ports, &enrolment).await?;
        let seed = open_seed(ports, &enrolment, &id).await?;
        let found = find_match(&seed, &token.parameters, &code, now.seconds(), None, 0, Tolerance::default());
        let Some(found) = found else {
            if save(ports, &enrolment.wrong_code(&id), Action::EnrolmentCodeRefused).await? == Write::Done {
                return Err(EnrollError::WrongCode);
            }
            continue;
        };

        let kind = RecordKind::TokenSeed;
        let sealed = ports.sealer().seal(&token.tenant, kind, token.serial.as_str(), seed.expose()).await?;
        let token =
            token.activated(&enrolment.link, SealedSeed(sealed), now).map_err(|_| DeadLink::Superseded)?;
        let enrolment = enrolment.used(now)?;
        let mut audit = by_link_holder(&enrolment).audit(ports, Action::TokenActivated);
        audit.user = Some(token.user.clone());
        audit.serial = Some(token.serial.clone());
        let activation = Activation {
            token: &token,
            enrolment: &enrolment,
            step: found.step,
            drift: found.drift_after,
            audit: &audit,
        };
        if ports.store().activate(&activation).await? == Write::Done {
            let tenant = ports.store().tenant(&token.tenant).await?;
            let tenant_name = tenant.map_or_else(|| token.tenant.to_string(), |t| t.name.as_str().to_owned());
            return Ok(Activated { token, tenant_name });
        }
    }
    Err(EnrollError::Busy)
}

async fn load(ports: &impl Ports, link: &str) -> Result<Enrolment, EnrollError> {
    let code = BearerCode::try_from(link).map_err(|_| DeadLink::Unknown)?;
    Ok(ports.store().enrolment(&code.hash()).await?.ok_or(DeadLink::Unknown)?)
}

/// The enrolment's token; one that was deleted, or that another link enrols, makes this link a dead one.
async fn enrolling(ports: &impl Ports, enrolment: &Enrolment) -> Result<Token, EnrollError> {
    enrolment.alive(ports.clock().now())?;
    let token = ports.store().token(&enrolment.tenant, &enrolment.serial).await?.ok_or(DeadLink::Unknown)?;
    if token.link() == Some(&enrolment.link) { Ok(token) } else { Err(DeadLink::Superseded.into()) }
}

async fn save(ports: &impl Ports, enrolment: &Enrolment, action: Action) -> Result<Write, PortError> {
    let mut audit = by_link_holder(enrolment).audit(ports, action);
    audit.user = Some(enrolment.user.clone());
    audit.serial = Some(enrolment.serial.clone());
    ports.store().save_enrolment(enrolment, &audit).await
}

fn by_link_holder(enrolment: &Enrolment) -> Caller {
    Caller { tenant: enrolment.tenant.clone(), actor: Actor::LinkHolder }
}

fn new_seed(ports: &impl Ports) -> Result<Seed, PortError> {
    let bytes: [u8; Seed::USUAL_LENGTH] = ports.entropy().array();
    Seed::new(bytes.to_vec()).map_err(|error| PortError::new(Fault::Corrupt, error))
}

async fn open_seed(ports: &impl Ports, enrolment: &Enrolment, id: &BearerHash) -> Result<Seed, EnrollError> {
    let session = enrolment.session(id, ports.clock().now())?;
    let kind = RecordKind::SessionSeed;
    let bytes = ports.sealer().open(&enrolment.tenant, kind, id.as_str(), &session.seed.0).await?;
    Ok(Seed::new(bytes.to_vec()).map_err(|error| PortError::new(Fault::Corrupt, error))?)
}

async fn started(
    ports: &impl Ports,
    token: &Token,
    session: BearerCode,
    seed: &Seed,
    expires_at: Timestamp,
) -> Result<Started, EnrollError> {
    let tenant = ports.store().tenant(&token.tenant).await?.ok_or(DeadLink::Unknown)?;
    let label = |fault| PortError::new(Fault::Corrupt, fault);
    let issuer = Issuer::tidied(tenant.name.as_str())
        .or_else(|_| Issuer::tidied(tenant.id.as_str()))
        .map_err(label)?;
    let account = Account::tidied(token.user.as_str()).map_err(label)?;
    Ok(Started {
        session,
        serial: token.serial.clone(),
        tenant_name: tenant.name.as_str().to_owned(),
        parameters: token.parameters,
        otpauth: otpauth::uri(seed, &token.parameters, 0, &issuer, &account),
        secret: seed.to_base32(),
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{App, MemoryPorts, link_of, operator, pushed};
    use crate::ports::{MessageStore as _, VerificationStore as _};
    use otpost_domain::enrolment::{LINK_LIFE, MAX_SESSIONS, MAX_WRONG_CODES, SESSION_LIFE};
    use otpost_domain::token::TokenState;

    fn app_code(ports: &MemoryPorts, started: &Started) -> String {
        App::scans(started).code(ports.clock().now())
    }

    async fn invited() -> (MemoryPorts, String) {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        assert!(ports.store().message(&reference).await.unwrap().is_some());
        let link = link_of(&ports, &reference).await;
        (ports, link)
    }

    #[tokio::test]
    async fn looking_changes_nothing() {
        let (ports, link) = invited().await;
        let before = load(&ports, &link).await.unwrap();
        for _ in 0..100 {
            assert_eq!(look(&ports, &link).await.unwrap().user, "jane");
        }
        assert_eq!(load(&ports, &link).await.unwrap(), before);
    }

    #[tokio::test]
    async fn the_first_code_activates_and_the_link_is_used() {
        let (ports, link) = invited().await;
        let started = start(&ports, &link, None).await.unwrap();
        assert!(started.otpauth.expose().starts_with("otpauth://totp/Acme:jane?"));
        let code = app_code(&ports, &started);
        let activated = activate(&ports, &link, &started.session, &code).await.unwrap();
        assert!(matches!(activated.token.state, TokenState::Active { .. }));
        let standing = ports.store().standing(&activated.token.tenant, &activated.token.user).await.unwrap();
        assert!(standing.auth.live[0].last_step.is_some(), "the first code cannot be replayed");
        let again = activate(&ports, &link, &started.session, &code).await;
        assert!(matches!(again, Err(EnrollError::Dead(DeadLink::Used))));
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Used))));
        assert_eq!(ports.actions().last(), Some(&"token.activated"));
    }

    #[tokio::test]
    async fn another_browsers_session_dies_with_the_first_activation() {
        let (ports, link) = invited().await;
        let mine = start(&ports, &link, None).await.unwrap();
        let theirs = start(&ports, &link, None).await.unwrap();
        assert_ne!(*mine.secret, *theirs.secret);
        let crossed = activate(&ports, &link, &mine.session, &app_code(&ports, &theirs)).await;
        assert!(matches!(crossed, Err(EnrollError::WrongCode)), "a seed belongs to its session");
        activate(&ports, &link, &mine.session, &app_code(&ports, &mine)).await.unwrap();
        let late = activate(&ports, &link, &theirs.session, &app_code(&ports, &theirs)).await;
        assert!(matches!(late, Err(EnrollError::Dead(DeadLink::Used))));
    }

    #[tokio::test]
    async fn the_same_browser_sees_the_same_seed() {
        let (ports, link) = invited().await;
        let first = start(&ports, &link, None).await.unwrap();
        let again = start(&ports, &link, Some(first.session.clone())).await.unwrap();
        assert_eq!(*first.secret, *again.secret);
        ports.clock().advance(SESSION_LIFE);
        let later = start(&ports, &link, Some(first.session.clone())).await.unwrap();
        assert_ne!(*first.secret, *later.secret, "its session was over");
    }

    #[tokio::test]
    async fn scanners_that_press_buttons_burn_nothing() {
        let (ports, link) = invited().await;
        for _ in 0..MAX_SESSIONS {
            start(&ports, &link, None).await.unwrap();
        }
        let full = start(&ports, &link, None).await;
        assert!(matches!(full, Err(EnrollError::TooManySessions { .. })));
        ports.clock().advance(SESSION_LIFE);
        let started = start(&ports, &link, None).await.unwrap();
        activate(&ports, &link, &started.session, &app_code(&ports, &started)).await.unwrap();
    }

    #[tokio::test]
    async fn guesses_are_bounded_and_bad_input_is_told() {
        let (ports, link) = invited().await;
        let started = start(&ports, &link, None).await.unwrap();
        let typo = activate(&ports, &link, &started.session, "12345x").await;
        assert!(matches!(typo, Err(EnrollError::Format(CodeFormat::NotDigits))));
        let right = app_code(&ports, &started);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        for _ in 0..MAX_WRONG_CODES {
            let refused = activate(&ports, &link, &started.session, wrong).await;
            assert!(matches!(refused, Err(EnrollError::WrongCode)));
        }
        let spent = activate(&ports, &link, &started.session, &right).await;
        assert!(matches!(spent, Err(EnrollError::TooManyWrongCodes)));
    }

    #[tokio::test]
    async fn dead_links_say_why() {
        let (ports, link) = invited().await;
        for unknown in ["", "short", &"A".repeat(43)] {
            assert!(matches!(look(&ports, unknown).await, Err(EnrollError::Dead(DeadLink::Unknown))));
        }
        ports.clock().advance(LINK_LIFE);
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Expired))));
        assert!(matches!(start(&ports, &link, None).await, Err(EnrollError::Dead(DeadLink::Expired))));
    }

    #[tokio::test]
    async fn a_deleted_users_link_is_dead() {
        let (ports, link) = invited().await;
        let jane = otpost_domain::ids::UserId::try_from("jane").unwrap();
        crate::users::delete_user(&ports, &operator("acme"), &jane).await.unwrap();
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Unknown))));
        assert!(matches!(start(&ports, &link, None).await, Err(EnrollError::Dead(DeadLink::Unknown))));
    }
}
