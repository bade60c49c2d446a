//! How far a challenge is, for whoever waits for its code.

use otpost_domain::challenge::{Challenge, ChallengeId, SentCode, Transaction};
use otpost_domain::message::Waiting;
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Timestamp;

use super::start::message_of;
use super::{Asker, Kept, StartError, any_claims, claims};
use crate::ports::{ChallengeStore as _, Clock as _, MessageStore as _, PortError, Ports, TenantStore as _};

/// What a challenge's code may still do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be accepted.
    Open,
    /// It was accepted.
    Accepted,
    /// It took all the guesses that it takes.
    Exhausted,
    /// It has expired, was given up, or gave way to another.
    Over,
}

impl Standing {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Exhausted => "exhausted",
            Self::Over => "over",
        }
    }

    fn of(challenge: &Challenge, now: Timestamp) -> Self {
        if challenge.is_used() {
            Self::Accepted
        } else if challenge.expires_at <= now {
            Self::Over
        } else if challenge.is_live(now) {
            Self::Open
        } else {
            Self::Exhausted
        }
    }
}

/// How far a challenge is.
#[derive(Clone, Debug)]
pub struct Telling {
    /// What its code may still do.
    pub standing: Standing,
    /// What the code is for.
    pub purpose: CodePurpose,
    /// From when on it is good no more.
    pub expires_at: Timestamp,
    /// From when on it may be sent again.
    pub resend_at: Timestamp,
    /// Where the code is, for keys that may know.
    pub waiting: Option<Waiting>,
}

/// Tells how far a challenge is; where its code is, too, for keys that are marked `after_first_factor`. Of nobody something
/// is told that might be so of anybody.
///
/// # Errors
/// When the id was never issued, or a port fails.
pub async fn tell(ports: &impl Ports, asker: &Asker, id: &ChallengeId) -> Result<Telling, StartError> {
    let tenant = &asker.caller.tenant;
    let claims = claims(ports, tenant, id).await?.ok_or(StartError::NoSuchChallenge)?;
    let found = ports.store().challenge(tenant, &claims.place).await?;
    let (truly, now) = (ports.clock().now(), asker.caller.now(ports));
    let ended = Telling {
        standing: Standing::Over,
        purpose: claims.place.purpose,
        expires_at: claims.expires_at,
        resend_at: claims.expires_at,
        waiting: None,
    };
    let Some(seen) = found.filter(|seen| seen.generation == claims.generation) else { return Ok(ended) };
    let told = Telling {
        standing: Standing::of(&seen, now),
        // One that was ended expired before there was anything.
        expires_at: if seen.expires_at == Timestamp::default() { now } else { seen.expires_at },
        resend_at: seen.cool_until,
        ..ended
    };
    if !asker.after_first_factor {
        return Ok(told);
    }
    let (kept, _) = Kept::open(ports, tenant, &seen.order.0).await?;
    let message = ports.store().message(&message_of(asker, &seen.message)).await?;
    let waiting = message.map(|message| {
        let waiting = if message.is_for_nobody() {
            Waiting::supposed(message.channel, message.created_at, truly)
        } else {
            message.waiting(truly)
        };
        Waiting { recipient: kept.shown(waiting.channel).to_owned(), ..waiting }
    });
    Ok(Telling { waiting, ..told })
}

/// Why a code is not read out.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The tenant was not made for tests.
    #[error("the tenant is not for tests")]
    NotForTests,
    /// The id was never issued to this tenant, or its code went to nobody.
    #[error("there is no challenge of this id, or its code went to nobody")]
    NoSuchChallenge,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Reads the code of a challenge out, in tenants that were made for tests, so that these need no mailbox.
///
/// # Errors
/// When the tenant is none for tests, there is no such challenge or code, or a port fails.
pub async fn read_code(ports: &impl Ports, asker: &Asker, id: &ChallengeId) -> Result<SentCode, ReadError> {
    let tenant = &asker.caller.tenant;
    let for_tests = ports.store().tenant(tenant).await?.is_some_and(|tenant| tenant.test);
    if !for_tests {
        return Err(ReadError::NotForTests);
    }
    let claims = any_claims(ports, tenant, id).await?.ok_or(ReadError::NoSuchChallenge)?;
    let found = ports.store().challenge(tenant, &claims.place).await?;
    let seen = found.filter(|seen| seen.generation == claims.generation).ok_or(ReadError::NoSuchChallenge)?;
    let (kept, claims) = Kept::open(ports, tenant, &seen.order.0).await?;
    if !kept.good {
        return Err(ReadError::NoSuchChallenge);
    }
    let transaction = kept.transaction.as_deref().and_then(|text| Transaction::try_from(text).ok());
    Ok(claims.secret.code(claims.digits, claims.place.purpose, transaction.as_ref()))
}
