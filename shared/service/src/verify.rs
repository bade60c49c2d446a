//! Checks a code of a user: one read, one conditional write. And finds a token again that has run away.

use otpost_domain::time::ClockOffset;
use std::time::Duration;

use otpost_domain::audit::{Action, Reason};
use otpost_domain::ids::{BearerCode, BearerHash, Serial, TenantId, UserId};
use otpost_domain::otp::{Code, Tolerance};
use otpost_domain::policy::{Settings, stamped};
use otpost_domain::secret::Seed;
use otpost_domain::token::{IllegalTransition, SealedSeed, Token, TokenState};
use otpost_domain::verification::{Accepted, AuthRow, Decision, Issue, OpenToken, SealedSource, Shown, Try};

use crate::caller::Caller;
use crate::once::Once;
use crate::ports::{
    AuthWrite, Clock as _, Configuration as _, Entropy as _, Fault, PortError, PortResult, Ports, RecordKind,
    Sealer as _, Standing, Subject, TokenStore as _, VerificationStore as _, Write,
};

/// A code to check.
#[derive(Debug)]
pub struct Attempt {
    /// Whose.
    pub whose: Whose,
    /// The code.
    pub code: Code,
    /// The device id that an earlier success issued to whoever gives the code.
    pub source: Option<BearerCode>,
    /// Whether to issue a (new) device id if the code is right.
    pub remember: bool,
    /// Digest of the request, if a repetition of it is to get the same answer.
    pub request: Option<BearerHash>,
    /// By what clock it is judged.
    pub clock: ClockOffset,
}

/// Whose code it is said to be.
#[derive(Clone, Debug)]
pub enum Whose {
    /// A user's: any of their tokens may have shown it.
    User(UserId),
    /// One token's. This costs one more request.
    Token(Serial),
}

/// A right code.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The user whose code it was.
    pub user: UserId,
    /// The token whose code it was.
    pub serial: Serial,
    /// The device id, if one was to be issued.
    pub source: Option<BearerCode>,
}

/// Why a code was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Wrong, used before, too old, or of a user who does not exist, has no token or is not active: all the same.
    #[error("the code is not right")]
    Refused,
    /// Too many wrong codes; this one was not looked at.
    #[error("too many wrong codes")]
    Locked {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The user's row moves too fast; the code was neither accepted nor counted.
    #[error("others check codes of the same user at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How often a decision is made anew when the row has moved on. The store hands the newer row over with its refusal,
/// so this costs a write each, and only when tries for one user collide.
const TRIES: usize = 4;

/// Checks a code. A right one is burnt by the same write that accepts it.
///
/// # Errors
/// When the code is not accepted, or a port fails.
pub async fn verify(
    ports: &impl Ports,
    tenant: &TenantId,
    attempt: Attempt,
) -> Result<Verified, VerifyError> {
    let Attempt { whose, code, source, remember, request, clock } = attempt;
    let (subject, only) = match whose {
        Whose::User(user) => (Subject::User(user), None),
        Whose::Token(serial) => match ports.store().owner(tenant, &serial).await? {
            Some(user) => (Subject::User(user), Some(serial)),
            None => (Subject::NoToken(serial), None),
        },
    };
    let Standing { mut auth, is_user, mut tokens } = ports.store().standing(tenant, &subject).await?;
    tokens.retain(|token| only.as_ref().is_none_or(|only| only == &token.serial));
    let id = random_hash(ports);
    let request = request.unwrap_or_else(|| id.clone());
    if let (Subject::User(user), Some(accepted)) =
        (&subject, auth.answered(&request, ports.clock().now().by(clock)))
    {
        return Ok(told_before(ports, tenant, user, accepted).await?);
    }
    let policies = ports.configuration().policies(tenant).await?;
    let tolerance = Settings::under(&stamped(&policies, &auth.policies)).tolerance();
    let open = opened(ports, tenant, &tokens).await?;
    let issued = if remember { Some(issue(ports, tenant, &request).await?) } else { None };
    for _ in 0..TRIES {
        let attempt = Try {
            shown: Shown::Code(&code),
            tolerance,
            source: source.as_ref().map(BearerCode::hash),
            issue: issued.as_ref().map(|(_, issue)| issue.clone()),
            request: request.clone(),
            id: id.clone(),
            at: ports.clock().now().by(clock),
        };
        match (auth.decide(&open, &attempt), &subject) {
            (Decision::Locked { retry_after }, _) => return Err(VerifyError::Locked { retry_after }),
            (Decision::Accept(acceptance), Subject::User(user)) => {
                match ports.store().accept(tenant, user, &acceptance).await? {
                    AuthWrite::Done => {
                        reseal(ports, &tokens, &acceptance.serial).await;
                        let source = issued.map(|(code, _)| code);
                        return Ok(Verified { user: user.clone(), serial: acceptance.serial, source });
                    }
                    AuthWrite::Moved(newer) => {
                        // The same request, made twice at the same time: the other one was first.
                        if let Some(accepted) = newer.answered(&request, acceptance.at) {
                            return Ok(told_before(ports, tenant, user, accepted).await?);
                        }
                        auth = newer;
                    }
                }
            }
            (Decision::Accept(_), Subject::NoToken(_)) => return Err(VerifyError::Refused),
            (Decision::Refuse(refusal), subject) => {
                match ports.store().refuse(tenant, subject, &refusal, is_user).await? {
                    AuthWrite::Done => return Err(VerifyError::Refused),
                    AuthWrite::Moved(newer) => auth = overtaken(newer, is_user),
                }
            }
        }
    }
    Err(VerifyError::Busy)
}

/// A user who was made while an unknown one's code was checked is judged at the next try; here they stay unknown.
fn overtaken(newer: AuthRow, is_user: bool) -> AuthRow {
    AuthRow { active: newer.active && is_user, ..newer }
}

fn random_hash(ports: &impl Ports) -> BearerHash {
    let random: [u8; 16] = ports.entropy().array();
    BearerHash::of(&[&random])
}

/// Opens the seeds of tokens whose codes are accepted; where there is none, as much work is done for nothing.
async fn opened(ports: &impl Ports, tenant: &TenantId, tokens: &[Token]) -> PortResult<Vec<OpenToken>> {
    let mut open = Vec::with_capacity(tokens.len());
    for token in tokens {
        if let Some(sealed) = token.live_seed() {
            open.push(opened_token(ports, tenant, token, sealed).await?);
        }
    }
    if open.is_empty() {
        ports.sealer().burn(tenant).await?;
    }
    Ok(open)
}

async fn opened_token(
    ports: &impl Ports,
    tenant: &TenantId,
    token: &Token,
    sealed: &SealedSeed,
) -> PortResult<OpenToken> {
    let bytes = ports.sealer().open(tenant, RecordKind::TokenSeed, token.serial.as_str(), &sealed.0).await?;
    let seed = Seed::imported(bytes.to_vec()).map_err(|error| PortError::new(Fault::Corrupt, error))?;
    Ok(OpenToken { serial: token.serial.clone(), parameters: token.parameters, seed })
}

async fn issue(
    ports: &impl Ports,
    tenant: &TenantId,
    request: &BearerHash,
) -> PortResult<(BearerCode, Issue)> {
    let code = ports.entropy().bearer_code();
    let kind = RecordKind::IssuedSource;
    let sealed = ports.sealer().seal(tenant, kind, request.as_str(), code.expose().as_bytes()).await?;
    let issue = Issue { hash: code.hash(), sealed: SealedSource(sealed) };
    Ok((code, issue))
}

/// The answer that the same request had before.
async fn told_before(
    ports: &impl Ports,
    tenant: &TenantId,
    user: &UserId,
    accepted: &Accepted,
) -> PortResult<Verified> {
    let source = match &accepted.issued {
        None => None,
        Some(sealed) => {
            let kind = RecordKind::IssuedSource;
            let opened = ports.sealer().open(tenant, kind, accepted.request.as_str(), &sealed.0).await?;
            let text = std::str::from_utf8(&opened).unwrap_or_default();
            let code = BearerCode::try_from(text).map_err(|error| PortError::new(Fault::Corrupt, error))?;
            Some(code)
        }
    };
    Ok(Verified { user: user.clone(), serial: accepted.serial.clone(), source })
}

/// Seals the token's seed under the tenant's current key, if it is not yet. The code is accepted already: should this
/// fail, the next success tries again.
async fn reseal(ports: &impl Ports, tokens: &[Token], serial: &Serial) {
    let Some(token) = tokens.iter().find(|token| &token.serial == serial) else { return };
    let Some(old) = token.live_seed() else { return };
    if let Err(error) = resealed(ports, token, old).await {
        tracing::warn!(token.serial = %serial, error = error.chain(), "not sealed anew yet");
    }
}

async fn resealed(ports: &impl Ports, token: &Token, old: &SealedSeed) -> PortResult<()> {
    let sealer = ports.sealer();
    if sealer.is_current(&token.tenant, &old.0).await? {
        return Ok(());
    }
    let (kind, record) = (RecordKind::TokenSeed, token.serial.as_str());
    let seed = sealer.open(&token.tenant, kind, record, &old.0).await?;
    let new = SealedSeed(sealer.seal(&token.tenant, kind, record, &seed).await?);
    // Stale: somebody else has sealed it anew, or the token is gone.
    let _ = ports.store().reseal(token, old, &new).await?;
    Ok(())
}

/// Why a token was not found again.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// The tenant has no such token.
    #[error("there is no token of this serial")]
    NoSuchToken,
    /// The token is not active.
    #[error(transparent)]
    NotActive(#[from] IllegalTransition),
    /// The codes are not two that the token showed one after the other, not so long ago and not used before.
    #[error("the codes do not follow one another")]
    Refused,
    /// Too many wrong codes; these were not looked at.
    #[error("too many wrong codes")]
    Locked {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The user's row moves too fast; nothing was changed.
    #[error("others check codes of the same user at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Finds a token again by two codes that it showed one after the other (RFC 4226 section 7.4, RFC 6238 section 6).
///
/// Never goes below the replay floor. A wrong pair counts like a stranger's wrong code.
///
/// # Errors
/// When the codes do not fit, or a port fails.
pub async fn resync(
    ports: &impl Ports,
    caller: &Caller,
    serial: &Serial,
    codes: [&Code; 2],
    reason: Option<Reason>,
    once: Once<'_, Token>,
) -> Result<Token, ResyncError> {
    let tenant = &caller.tenant;
    let Some(user) = ports.store().owner(tenant, serial).await? else {
        return Err(ResyncError::NoSuchToken);
    };
    let subject = Subject::User(user.clone());
    let Standing { mut auth, is_user, tokens } = ports.store().standing(tenant, &subject).await?;
    let Some(token) = tokens.into_iter().find(|token| &token.serial == serial) else {
        return match ports.store().token(tenant, serial).await? {
            Some(token) => Err(not_active(&token).into()),
            None => Err(ResyncError::NoSuchToken),
        };
    };
    let TokenState::Active { seed, .. } = &token.state else { return Err(not_active(&token).into()) };
    let open = [opened_token(ports, tenant, &token, seed).await?];
    let id = random_hash(ports);
    for _ in 0..TRIES {
        let at = caller.now(ports);
        let (request, id) = (id.clone(), id.clone());
        let (shown, tolerance) = (Shown::Pair(codes), Tolerance::default());
        let attempt = Try { shown, tolerance, source: None, issue: None, request, id, at };
        match auth.decide(&open, &attempt) {
            Decision::Locked { retry_after } => return Err(ResyncError::Locked { retry_after }),
            Decision::Accept(acceptance) => {
                let mut journal = caller.journal(ports, Action::TokenResynced);
                journal.audit.user = Some(user.clone());
                journal.audit.serial = Some(serial.clone());
                journal.audit.reason.clone_from(&reason);
                let journal = once.record(ports, &token, journal).await?;
                if ports.store().resync(tenant, &user, &acceptance, &journal).await? == Write::Done {
                    return Ok(token);
                }
                auth = ports.store().standing(tenant, &subject).await?.auth;
            }
            Decision::Refuse(refusal) => {
                match ports.store().refuse(tenant, &subject, &refusal, is_user).await? {
                    AuthWrite::Done => return Err(ResyncError::Refused),
                    AuthWrite::Moved(newer) => auth = overtaken(newer, is_user),
                }
            }
        }
    }
    Err(ResyncError::Busy)
}

fn not_active(token: &Token) -> IllegalTransition {
    IllegalTransition { state: token.state.as_str(), action: "resynchronised" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, enrolled, operator};
    use crate::users::{Change, change_user};

    const STEP: Duration = Duration::from_secs(30);

    fn attempt(user: &str, code: &str) -> Attempt {
        let whose = Whose::User(UserId::try_from(user).unwrap());
        Attempt {
            whose,
            code: Code::parse(code).unwrap(),
            source: None,
            remember: false,
            request: None,
            clock: ClockOffset::NONE,
        }
    }

    fn tenant() -> TenantId {
        operator("acme").tenant
    }

    #[tokio::test]
    async fn a_code_is_accepted_once() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        ports.clock().advance(STEP);
        let code = app.code(ports.clock().now());
        let verified = verify(&ports, &tenant(), attempt("jane", &code)).await.unwrap();
        assert_eq!((verified.serial, verified.source.is_none()), (app.serial.clone(), true));
        let again = verify(&ports, &tenant(), attempt("jane", &code)).await;
        assert!(matches!(again, Err(VerifyError::Refused)));
    }

    #[tokio::test]
    async fn the_activation_code_is_burnt() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        let code = app.code(ports.clock().now());
        assert!(matches!(verify(&ports, &tenant(), attempt("jane", &code)).await, Err(VerifyError::Refused)));
    }

    #[tokio::test]
    async fn unknown_users_lock_like_real_ones() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        ports.clock().advance(STEP);
        let right = app.code(ports.clock().now());
        let wrong = if right == "000000" { "000001" } else { "000000" };
        let mut told = Vec::new();
        for user in ["jane", "nobody"] {
            let mut answers = Vec::new();
            for _ in 0..12 {
                answers.push(verify(&ports, &tenant(), attempt(user, wrong)).await.unwrap_err().to_string());
            }
            told.push(answers);
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0][9], "the code is not right");
        assert_eq!(told[0][10], "too many wrong codes");
        let locked = verify(&ports, &tenant(), attempt("jane", &right)).await;
        assert!(matches!(locked, Err(VerifyError::Locked { .. })), "not looked at: {locked:?}");
        ports.clock().advance(STEP);
        let later = app.code(ports.clock().now());
        verify(&ports, &tenant(), attempt("jane", &later)).await.unwrap();
    }

    #[tokio::test]
    async fn a_remembered_device_is_not_locked_out_by_strangers() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        ports.clock().advance(STEP);
        let code = app.code(ports.clock().now());
        let first = Attempt { remember: true, ..attempt("jane", &code) };
        let source = verify(&ports, &tenant(), first).await.unwrap().source.unwrap();
        for _ in 0..10 {
            let _ = verify(&ports, &tenant(), attempt("jane", "000000")).await.unwrap_err();
        }
        ports.clock().advance(Duration::from_secs(1));
        let next = app.code(ports.clock().now().plus(STEP));
        let stranger = verify(&ports, &tenant(), attempt("jane", &next)).await;
        assert!(matches!(stranger, Err(VerifyError::Locked { .. })));
        let known = Attempt { source: Some(source), ..attempt("jane", &next) };
        verify(&ports, &tenant(), known).await.unwrap();
    }

    #[tokio::test]
    async fn an_inactive_user_is_refused_like_a_wrong_code() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        let jane = UserId::try_from("jane").unwrap();
        let off = Change { active: Some(false), ..Change::default() };
        change_user(&ports, &operator("acme"), &jane, off, None).await.unwrap();
        ports.clock().advance(STEP);
        let code = app.code(ports.clock().now());
        assert!(matches!(verify(&ports, &tenant(), attempt("jane", &code)).await, Err(VerifyError::Refused)));
    }

    #[tokio::test]
    async fn another_tenants_user_is_unknown() {
        let ports = MemoryPorts::new();
        let app = enrolled(&ports).await;
        ports.clock().advance(STEP);
        let code = app.code(ports.clock().now());
        ports.with_tenant("other").await;
        let other = operator("other").tenant;
        assert!(matches!(verify(&ports, &other, attempt("jane", &code)).await, Err(VerifyError::Refused)));
    }
}
