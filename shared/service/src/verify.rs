//! Checks a code of a user: one read, one conditional write.

use std::time::Duration;

use otpost_domain::ids::{BearerCode, Serial, TenantId, UserId};
use otpost_domain::otp::Code;
use otpost_domain::secret::Seed;
use otpost_domain::verification::{AuthRow, Decision, OpenToken};

use crate::ports::{
    AuthWrite, Clock as _, Entropy as _, Fault, PortError, Ports, RecordKind, Sealer as _, Standing,
    VerificationStore as _,
};

/// A code to check.
#[derive(Debug)]
pub struct Attempt {
    /// Whose.
    pub user: UserId,
    /// The code.
    pub code: Code,
    /// The device id that an earlier success issued to whoever gives the code.
    pub source: Option<BearerCode>,
    /// Whether to issue a (new) device id if the code is right.
    pub remember: bool,
}

/// A right code.
#[derive(Clone, Debug)]
pub struct Verified {
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
    let Attempt { user, code, source, remember } = attempt;
    let Standing { mut auth, is_user, tokens } = ports.store().standing(tenant, &user).await?;
    let mut open = Vec::with_capacity(tokens.len());
    for token in &tokens {
        if let Some(sealed) = token.live_seed() {
            let kind = RecordKind::TokenSeed;
            let bytes = ports.sealer().open(tenant, kind, token.serial.as_str(), &sealed.0).await?;
            let seed =
                Seed::imported(bytes.to_vec()).map_err(|error| PortError::new(Fault::Corrupt, error))?;
            open.push(OpenToken { serial: token.serial.clone(), parameters: token.parameters, seed });
        }
    }
    let issued = remember.then(|| ports.entropy().bearer_code());
    for _ in 0..TRIES {
        let source = source.as_ref().map(BearerCode::hash);
        let remembered = issued.as_ref().map(BearerCode::hash);
        match auth.decide(&open, &code, source, remembered, ports.clock().now()) {
            Decision::Locked { retry_after } => return Err(VerifyError::Locked { retry_after }),
            Decision::Accept(acceptance) => match ports.store().accept(tenant, &user, &acceptance).await? {
                AuthWrite::Done => {
                    return Ok(Verified { serial: acceptance.serial, source: issued });
                }
                AuthWrite::Moved(newer) => auth = newer,
            },
            Decision::Refuse(refusal) => {
                match ports.store().refuse(tenant, &user, &refusal, is_user).await? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, enrolled, operator};
    use crate::users::{Change, change_user};

    const STEP: Duration = Duration::from_secs(30);

    fn attempt(user: &str, code: &str) -> Attempt {
        let user = UserId::try_from(user).unwrap();
        Attempt { user, code: Code::parse(code).unwrap(), source: None, remember: false }
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
        change_user(&ports, &operator("acme"), &jane, off).await.unwrap();
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
        let other = operator("other").tenant;
        assert!(matches!(verify(&ports, &other, attempt("jane", &code)).await, Err(VerifyError::Refused)));
    }
}
