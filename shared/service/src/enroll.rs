//! Enrolment by whoever holds the link: look, start, and prove the app with its first code.

use std::time::Duration;

use otpost_domain::audit::{Action, Actor};
use otpost_domain::authorization::{AuthorizationCode, MAX_WRONG_AUTHORIZATIONS, NoAuthorizationCode};
use otpost_domain::device::DeviceKey;
use otpost_domain::enrolment::{CannotOpen, DeadLink, Enrolment, NoSession, SessionDevice};
use otpost_domain::ids::{BearerCode, BearerHash, Serial, TenantId};
use otpost_domain::otp::{Code, CodeFormat, OtpParameters, Tolerance, find_match};
use otpost_domain::otpauth::{self, Account, Issuer};
use otpost_domain::secret::{SecretText, Seed};
use otpost_domain::tenant::Tenant;
use otpost_domain::time::Timestamp;
use otpost_domain::token::{SealedSeed, Token, TokenState};

use crate::caller::Caller;
use crate::ports::{
    Activation, Clock as _, EnrolmentStore as _, Entropy as _, Fault, PortError, Ports, RecordKind,
    Sealer as _, TenantStore as _, TokenStore as _, UserStore as _, Write,
};

/// How often a step begins again that was overtaken.
const TRIES: usize = 3;

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
    /// The link needs its authorization code, and none was given.
    #[error("an authorization code is needed")]
    AuthorizationNeeded,
    /// What was typed is no authorization code; it was not counted.
    #[error(transparent)]
    AuthorizationFormat(#[from] NoAuthorizationCode),
    /// It is not the link's authorization code.
    #[error("the authorization code is not right")]
    WrongAuthorization {
        /// How many more may be wrong before the link dies.
        left: u8,
    },
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
    /// Whether it needs an authorization code.
    pub needs_authorization: bool,
}

/// An open session: what the app needs to be told.
#[derive(Debug)]
pub struct Started {
    /// The session's secret, for the browser's cookie. An app has its key instead.
    pub session: Option<BearerCode>,
    /// The tenant.
    pub tenant: TenantId,
    /// The token.
    pub serial: Serial,
    /// The tenant's name.
    pub tenant_name: String,
    /// How its codes are made.
    pub parameters: OtpParameters,
    /// Everything an authenticator app needs, as one URI.
    pub otpauth: SecretText,
    /// The seed in Base32, to type.
    pub secret: SecretText,
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
    let (_, tenant) = enrolling(ports, &enrolment).await?;
    enrolment.admits(ports.clock().now())?;
    Ok(Invitation {
        tenant_name: tenant.name.as_str().to_owned(),
        user: enrolment.user.to_string(),
        expires_at: enrolment.expires_at,
        needs_authorization: enrolment.authorization.is_some(),
    })
}

/// Opens a browser's session with a seed of its own, or finds the open one that `session` belongs to. A new one needs
/// the link's authorization code, if it has one.
///
/// # Errors
/// When the link is dead, the authorization code is missing or wrong, too many sessions are open, or a port fails.
pub async fn start(
    ports: &impl Ports,
    link: &str,
    session: Option<BearerCode>,
    authorization: Option<&str>,
) -> Result<Started, EnrollError> {
    for _ in 0..TRIES {
        let enrolment = load(ports, link).await?;
        let (token, tenant) = enrolling(ports, &enrolment).await?;
        if let Some(session) = &session {
            match enrolment.session(&session.hash(), ports.clock().now()) {
                Ok(open) => {
                    let seed = open_seed(ports, &enrolment, &session.hash()).await?;
                    return started(&tenant, &token, Some(session.clone()), &seed, open.expires_at);
                }
                Err(NoSession::Over) => {}
                // No fresh seed behind the back of somebody who has scanned this one.
                Err(spent) => return Err(spent.into()),
            }
        }
        let fresh = ports.entropy().bearer_code();
        if let Some((seed, expires_at)) =
            open_session(ports, enrolment, fresh.hash(), None, authorization).await?
        {
            return started(&tenant, &token, Some(fresh), &seed, expires_at);
        }
    }
    Err(EnrollError::Busy)
}

/// Opens an app's session with a seed of its own. The same device gets the same answer until the token is active;
/// another device gets a session of its own.
///
/// # Errors
/// When the link is dead, the authorization code is missing or wrong, too many sessions are open, or a port fails.
pub async fn start_app(
    ports: &impl Ports,
    link: &str,
    device: &SessionDevice,
    authorization: Option<&str>,
) -> Result<Started, EnrollError> {
    // The session of an app is named after its device's key.
    let id = device.key.thumbprint();
    for _ in 0..TRIES {
        let enrolment = load(ports, link).await?;
        let (token, tenant) = enrolling(ports, &enrolment).await?;
        let now = ports.clock().now();
        match enrolment.session(&id, now) {
            Ok(open) => {
                let seed = open_seed(ports, &enrolment, &id).await?;
                return started(&tenant, &token, None, &seed, open.expires_at);
            }
            Err(NoSession::Over) => {}
            Err(spent) => return Err(spent.into()),
        }
        if enrolment.has_lapsed(&id) {
            let again = enrolment.reopened(&id, now)?;
            let (seed, expires_at) =
                (open_seed(ports, &again, &id).await?, again.session(&id, now)?.expires_at);
            if save(ports, &again, Action::EnrolmentStarted).await? == Write::Done {
                return started(&tenant, &token, None, &seed, expires_at);
            }
            continue;
        }
        let device = Some(device.clone());
        if let Some((seed, expires_at)) =
            open_session(ports, enrolment, id.clone(), device, authorization).await?
        {
            return started(&tenant, &token, None, &seed, expires_at);
        }
    }
    Err(EnrollError::Busy)
}

/// Opens session `id` with a new seed; `None` when the enrolment has changed meanwhile.
async fn open_session(
    ports: &impl Ports,
    enrolment: Enrolment,
    id: BearerHash,
    device: Option<SessionDevice>,
    authorization: Option<&str>,
) -> Result<Option<(Seed, Timestamp)>, EnrollError> {
    let now = ports.clock().now();
    if !authorized(ports, &enrolment, authorization).await? {
        let counted = enrolment.wrong_authorization();
        return match save(ports, &counted, Action::AuthorizationRefused).await? {
            Write::Done => {
                counted.admits(now)?;
                let wrong = counted.authorization.map_or(0, |authorization| authorization.wrong_codes);
                Err(EnrollError::WrongAuthorization { left: MAX_WRONG_AUTHORIZATIONS.saturating_sub(wrong) })
            }
            Write::Stale => Ok(None),
        };
    }
    let seed = new_seed(ports)?;
    let kind = RecordKind::SessionSeed;
    let sealed = ports.sealer().seal(&enrolment.tenant, kind, id.as_str(), seed.expose()).await?;
    let enrolment = enrolment.opened(id.clone(), SealedSeed(sealed), device, now)?;
    let expires_at = enrolment.session(&id, now)?.expires_at;
    let saved = save(ports, &enrolment, Action::EnrolmentStarted).await?;
    Ok((saved == Write::Done).then_some((seed, expires_at)))
}

/// Whether what was given suffices to open a session.
async fn authorized(
    ports: &impl Ports,
    enrolment: &Enrolment,
    given: Option<&str>,
) -> Result<bool, EnrollError> {
    enrolment.admits(ports.clock().now())?;
    let Some(wanted) = &enrolment.authorization else { return Ok(true) };
    let given = given.filter(|given| !given.trim().is_empty()).ok_or(EnrollError::AuthorizationNeeded)?;
    let given = AuthorizationCode::try_from(given)?;
    let (kind, record) = (RecordKind::AuthorizationCode, enrolment.link.as_str());
    let hash = ports.sealer().open(&enrolment.tenant, kind, record, &wanted.sealed_hash).await?;
    Ok(given.matches(&hash))
}

/// Activates the token with the seed of session `id`, if `code` is the one that the app should show now.
///
/// # Errors
/// When the link or the session is over, the code is wrong, or a port fails.
pub async fn activate(
    ports: &impl Ports,
    link: &str,
    id: &BearerHash,
    code: &str,
) -> Result<Activated, EnrollError> {
    for _ in 0..TRIES {
        let enrolment = load(ports, link).await?;
        let now = ports.clock().now();
        let device = enrolment.session(id, now)?.device(now);
        let code = Code::parse(code)?;
        let (token, tenant) = enrolling(ports, &enrolment).await?;
        let seed = open_seed(ports, &enrolment, id).await?;
        let shown_at = now.by(tenant.clock).seconds();
        let found = find_match(&seed, &token.parameters, &code, shown_at, None, 0, Tolerance::default());
        let Some(found) = found else {
            if save(ports, &enrolment.wrong_code(id), Action::EnrolmentCodeRefused).await? == Write::Done {
                return Err(EnrollError::WrongCode);
            }
            continue;
        };

        let kind = RecordKind::TokenSeed;
        let sealed = ports.sealer().seal(&token.tenant, kind, token.serial.as_str(), seed.expose()).await?;
        let token = token
            .activated(&enrolment.link, SealedSeed(sealed), device, now)
            .map_err(|_| DeadLink::Superseded)?;
        let enrolment = enrolment.used(now)?;
        let mut journal = by_link_holder(&enrolment).journal(ports, Action::TokenActivated);
        journal.audit.user = Some(token.user.clone());
        journal.audit.serial = Some(token.serial.clone());
        let activation = Activation {
            token: &token,
            enrolment: &enrolment,
            step: found.step,
            drift: found.drift_after,
            journal: &journal,
        };
        if ports.store().activate(&activation).await? == Write::Done {
            return Ok(Activated { token, tenant_name: tenant.name.as_str().to_owned() });
        }
    }
    Err(EnrollError::Busy)
}

/// The same for an app on the device of `key`. Whose answer was lost asks again: the device that holds the token is told
/// that it is active.
///
/// # Errors
/// When the link or the session is over, the code is wrong, or a port fails.
pub async fn activate_app(
    ports: &impl Ports,
    link: &str,
    key: &DeviceKey,
    code: &str,
) -> Result<Activated, EnrollError> {
    let activated = activate(ports, link, &key.thumbprint(), code).await;
    let Err(EnrollError::Dead(DeadLink::Used)) = &activated else { return activated };
    let enrolment = load(ports, link).await?;
    let tenant = ports.store().tenant(&enrolment.tenant).await?;
    let token = ports.store().token(&enrolment.tenant, &enrolment.serial).await?;
    let holds = |token: &Token| token.device.as_ref().is_some_and(|device| device.key.as_ref() == Some(key));
    match (tenant, token) {
        (Some(tenant), Some(token)) if token.live_seed().is_some() && holds(&token) => {
            Ok(Activated { token, tenant_name: tenant.name.as_str().to_owned() })
        }
        _ => activated,
    }
}

async fn load(ports: &impl Ports, link: &str) -> Result<Enrolment, EnrollError> {
    let code = BearerCode::try_from(link).map_err(|_| DeadLink::Unknown)?;
    Ok(ports.store().enrolment(&code.hash()).await?.ok_or(DeadLink::Unknown)?)
}

/// The enrolment's token and tenant; if one was deleted, or another link enrols the token, this link is a dead one.
async fn enrolling(ports: &impl Ports, enrolment: &Enrolment) -> Result<(Token, Tenant), EnrollError> {
    enrolment.alive(ports.clock().now())?;
    let tenant = ports.store().tenant(&enrolment.tenant).await?.ok_or(DeadLink::Unknown)?;
    let token = ports.store().token(&enrolment.tenant, &enrolment.serial).await?.ok_or(DeadLink::Unknown)?;
    // A user who was switched off since gets no token that would work once they are switched on again.
    let user = ports.store().user(&enrolment.tenant, &enrolment.user).await?.ok_or(DeadLink::Unknown)?;
    if !user.active {
        return Err(DeadLink::Withdrawn.into());
    }
    match &token.state {
        TokenState::Enrolling { link, .. } if link == &enrolment.link => Ok((token, tenant)),
        TokenState::Revoked { .. } => Err(DeadLink::Withdrawn.into()),
        _ => Err(DeadLink::Superseded.into()),
    }
}

async fn save(ports: &impl Ports, enrolment: &Enrolment, action: Action) -> Result<Write, PortError> {
    let mut journal = by_link_holder(enrolment).journal(ports, action);
    journal.audit.user = Some(enrolment.user.clone());
    journal.audit.serial = Some(enrolment.serial.clone());
    ports.store().save_enrolment(enrolment, &journal).await
}

fn by_link_holder(enrolment: &Enrolment) -> Caller {
    Caller::new(enrolment.tenant.clone(), Actor::LinkHolder)
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

fn started(
    tenant: &Tenant,
    token: &Token,
    session: Option<BearerCode>,
    seed: &Seed,
    expires_at: Timestamp,
) -> Result<Started, EnrollError> {
    let label = |fault| PortError::new(Fault::Corrupt, fault);
    let issuer = Issuer::tidied(tenant.name.as_str())
        .or_else(|_| Issuer::tidied(tenant.id.as_str()))
        .map_err(label)?;
    let account = Account::tidied(token.user.as_str()).map_err(label)?;
    Ok(Started {
        session,
        tenant: token.tenant.clone(),
        serial: token.serial.clone(),
        tenant_name: tenant.name.as_str().to_owned(),
        parameters: token.parameters,
        otpauth: otpauth::uri(seed, &token.parameters, 0, &issuer, &account),
        secret: SecretText::new(seed.to_base32().as_str()),
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{App, MemoryPorts, link_of, operator, pushed, pushed_as, session};
    use crate::ports::{MessageStore as _, Subject, VerificationStore as _};
    use otpost_domain::authorization::AuthorizationMode;
    use otpost_domain::device::{Device, DeviceDetails, Os, PushOtp};
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
        let started = start(&ports, &link, None, None).await.unwrap();
        assert!(started.otpauth.expose().starts_with("otpauth://totp/Acme:jane?"));
        let code = app_code(&ports, &started);
        let activated = activate(&ports, &link, &session(&started), &code).await.unwrap();
        assert!(matches!(activated.token.state, TokenState::Active { .. }));
        let standing = ports
            .store()
            .standing(&activated.token.tenant, &Subject::User(activated.token.user))
            .await
            .unwrap();
        assert!(standing.auth.live[0].last_step.is_some(), "the first code cannot be replayed");
        let again = activate(&ports, &link, &session(&started), &code).await;
        assert!(matches!(again, Err(EnrollError::Dead(DeadLink::Used))));
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Used))));
        assert_eq!(ports.actions().last(), Some(&"token.activated"));
    }

    #[tokio::test]
    async fn another_browsers_session_dies_with_the_first_activation() {
        let (ports, link) = invited().await;
        let mine = start(&ports, &link, None, None).await.unwrap();
        let theirs = start(&ports, &link, None, None).await.unwrap();
        assert_ne!(mine.secret.expose(), theirs.secret.expose());
        let crossed = activate(&ports, &link, &session(&mine), &app_code(&ports, &theirs)).await;
        assert!(matches!(crossed, Err(EnrollError::WrongCode)), "a seed belongs to its session");
        activate(&ports, &link, &session(&mine), &app_code(&ports, &mine)).await.unwrap();
        let late = activate(&ports, &link, &session(&theirs), &app_code(&ports, &theirs)).await;
        assert!(matches!(late, Err(EnrollError::Dead(DeadLink::Used))));
    }

    #[tokio::test]
    async fn the_same_browser_sees_the_same_seed() {
        let (ports, link) = invited().await;
        let first = start(&ports, &link, None, None).await.unwrap();
        let again = start(&ports, &link, first.session.clone(), None).await.unwrap();
        assert_eq!(first.secret.expose(), again.secret.expose());
        ports.clock().advance(SESSION_LIFE);
        let later = start(&ports, &link, first.session.clone(), None).await.unwrap();
        assert_ne!(first.secret.expose(), later.secret.expose(), "its session was over");
    }

    #[tokio::test]
    async fn scanners_that_press_buttons_burn_nothing() {
        let (ports, link) = invited().await;
        for _ in 0..MAX_SESSIONS {
            start(&ports, &link, None, None).await.unwrap();
        }
        let full = start(&ports, &link, None, None).await;
        assert!(matches!(full, Err(EnrollError::TooManySessions { .. })));
        ports.clock().advance(SESSION_LIFE);
        let started = start(&ports, &link, None, None).await.unwrap();
        activate(&ports, &link, &session(&started), &app_code(&ports, &started)).await.unwrap();
    }

    #[tokio::test]
    async fn guesses_are_bounded_and_bad_input_is_told() {
        let (ports, link) = invited().await;
        let started = start(&ports, &link, None, None).await.unwrap();
        let typo = activate(&ports, &link, &session(&started), "12345x").await;
        assert!(matches!(typo, Err(EnrollError::Format(CodeFormat::NotDigits))));
        let right = app_code(&ports, &started);
        let wrong = if right == "000000" { "000001" } else { "000000" };
        for _ in 0..MAX_WRONG_CODES {
            let refused = activate(&ports, &link, &session(&started), wrong).await;
            assert!(matches!(refused, Err(EnrollError::WrongCode)));
        }
        let spent = activate(&ports, &link, &session(&started), &right).await;
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
        assert!(matches!(start(&ports, &link, None, None).await, Err(EnrollError::Dead(DeadLink::Expired))));
    }

    #[tokio::test]
    async fn a_deleted_users_link_is_dead() {
        let (ports, link) = invited().await;
        let jane = otpost_domain::ids::UserId::try_from("jane").unwrap();
        crate::users::delete_user(&ports, &operator("acme"), &jane, None).await.unwrap();
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Unknown))));
        assert!(matches!(start(&ports, &link, None, None).await, Err(EnrollError::Dead(DeadLink::Unknown))));
    }

    #[tokio::test]
    async fn a_session_needs_the_authorization_code_and_few_may_be_wrong() {
        let ports = MemoryPorts::new();
        let mode = AuthorizationMode::OtherChannelOrOperator;
        let (reference, code) = pushed_as(&ports, OtpParameters::default(), mode).await;
        let link = link_of(&ports, &reference).await;
        let right = code.unwrap().for_people();
        assert!(look(&ports, &link).await.unwrap().needs_authorization);
        for nothing in [None, Some(""), Some("  ")] {
            let missing = start(&ports, &link, None, nothing).await;
            assert!(matches!(missing, Err(EnrollError::AuthorizationNeeded)), "{missing:?}");
        }
        let typo = start(&ports, &link, None, Some("K7TM")).await;
        assert!(matches!(typo, Err(EnrollError::AuthorizationFormat(_))), "{typo:?}");
        let wrong = if right.expose() == "2222-2222" { "2222-2223" } else { "2222-2222" };
        for left in (1..MAX_WRONG_AUTHORIZATIONS).rev() {
            let refused = start(&ports, &link, None, Some(wrong)).await;
            assert!(
                matches!(refused, Err(EnrollError::WrongAuthorization { left: l }) if l == left),
                "{refused:?}"
            );
        }
        let first = start(&ports, &link, None, Some(&right.expose().to_lowercase())).await.unwrap();
        let same = start(&ports, &link, first.session.clone(), None).await.unwrap();
        assert_eq!(first.secret.expose(), same.secret.expose(), "an open session needs no code");
        let last = start(&ports, &link, None, Some(wrong)).await;
        assert!(matches!(last, Err(EnrollError::Dead(DeadLink::Spent))), "{last:?}");
        let refused = start(&ports, &link, None, Some(right.expose())).await;
        assert!(matches!(refused, Err(EnrollError::Dead(DeadLink::Spent))), "too late: {refused:?}");
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Spent))));
        let begun = activate(&ports, &link, &session(&first), &app_code(&ports, &first)).await;
        assert!(begun.is_ok(), "who had begun goes on: {begun:?}");
        assert!(ports.actions().contains(&"enrolment.authorization_refused"));
    }

    fn device(n: u8) -> SessionDevice {
        let push = PushOtp::Enabled;
        let details = DeviceDetails { push, os: Os::Ios, ..Device::browser(Timestamp::default()).now };
        SessionDevice { key: DeviceKey::new([n; 32]), details }
    }

    #[tokio::test]
    async fn the_same_device_has_the_same_seed_until_the_token_is_active() {
        let (ports, link) = invited().await;
        let mine = start_app(&ports, &link, &device(1), None).await.unwrap();
        let theirs = start_app(&ports, &link, &device(2), None).await.unwrap();
        assert_ne!(mine.secret.expose(), theirs.secret.expose());
        for _ in 0..3 {
            let again = start_app(&ports, &link, &device(1), None).await.unwrap();
            assert_eq!(mine.secret.expose(), again.secret.expose());
            ports.clock().advance(SESSION_LIFE);
        }
        let id = device(1).key.thumbprint();
        let late = activate(&ports, &link, &id, &app_code(&ports, &mine)).await;
        assert!(matches!(late, Err(EnrollError::SessionOver)), "{late:?}");
        start_app(&ports, &link, &device(1), None).await.unwrap();
        let done = activate(&ports, &link, &id, &app_code(&ports, &mine)).await.unwrap();
        let held = done.token.device.unwrap();
        assert_eq!(
            (held.key, held.enrolled.push, held.now.os),
            (Some(device(1).key), PushOtp::Enabled, Os::Ios)
        );
        let again = activate_app(&ports, &link, &device(1).key, "000000").await.unwrap();
        assert_eq!(again.token.serial, mine.serial, "its answer was lost");
        let other = activate_app(&ports, &link, &device(2).key, "000000").await;
        assert!(matches!(other, Err(EnrollError::Dead(DeadLink::Used))), "{other:?}");
        let after = start_app(&ports, &link, &device(1), None).await;
        assert!(matches!(after, Err(EnrollError::Dead(DeadLink::Used))), "{after:?}");
    }

    #[tokio::test]
    async fn many_devices_leave_room() {
        let (ports, link) = invited().await;
        for n in 0..40 {
            start_app(&ports, &link, &device(n), None).await.unwrap();
            if n % 5 == 4 {
                let full = start_app(&ports, &link, &device(99), None).await;
                assert!(matches!(full, Err(EnrollError::TooManySessions { .. })), "{full:?}");
                ports.clock().advance(SESSION_LIFE);
            }
        }
        let kept = load(&ports, &link).await.unwrap().sessions.len();
        assert!(kept <= 2 * MAX_SESSIONS, "{kept}");
    }

    #[tokio::test]
    async fn an_app_that_gave_too_many_wrong_codes_starts_anew_after_a_while() {
        let (ports, link) = invited().await;
        let first = start_app(&ports, &link, &device(1), None).await.unwrap();
        let id = device(1).key.thumbprint();
        let wrong = crate::memory::wrong_code(&app_code(&ports, &first));
        for _ in 0..MAX_WRONG_CODES {
            let refused = activate(&ports, &link, &id, wrong.expose()).await;
            assert!(matches!(refused, Err(EnrollError::WrongCode)), "{refused:?}");
        }
        let spent = start_app(&ports, &link, &device(1), None).await;
        assert!(matches!(spent, Err(EnrollError::TooManyWrongCodes)), "{spent:?}");
        ports.clock().advance(SESSION_LIFE);
        let anew = start_app(&ports, &link, &device(1), None).await.unwrap();
        assert_ne!(anew.secret.expose(), first.secret.expose());
        activate(&ports, &link, &id, &app_code(&ports, &anew)).await.unwrap();
    }

    #[tokio::test]
    async fn who_was_switched_off_or_whose_tenant_is_gone_enrols_nothing() {
        let (ports, link) = invited().await;
        let started = start(&ports, &link, None, None).await.unwrap();
        let jane = otpost_domain::ids::UserId::try_from("jane").unwrap();
        let off = crate::users::Change { active: Some(false), ..Default::default() };
        crate::users::change_user(&ports, &operator("acme"), &jane, off, None).await.unwrap();
        let refused = activate(&ports, &link, &session(&started), &app_code(&ports, &started)).await;
        assert!(matches!(refused, Err(EnrollError::Dead(DeadLink::Withdrawn))), "{refused:?}");
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Withdrawn))));
        assert!(start(&ports, &link, None, None).await.is_err());
        crate::erasure::delete_tenant(&ports, &operator("acme")).await.unwrap();
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Unknown))));
    }

    #[tokio::test]
    async fn a_revoked_tokens_link_is_withdrawn() {
        let (ports, link) = invited().await;
        let (token, _) = enrolling(&ports, &load(&ports, &link).await.unwrap()).await.unwrap();
        let order = crate::lifecycle::Order { serial: token.serial, reason: None, seen: None };
        crate::lifecycle::revoke(&ports, &operator("acme"), &order, crate::once::Once::not_kept())
            .await
            .unwrap();
        assert!(matches!(look(&ports, &link).await, Err(EnrollError::Dead(DeadLink::Withdrawn))));
    }
}
