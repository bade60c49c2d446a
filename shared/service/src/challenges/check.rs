//! Checking a code, and giving a challenge up.

use otpost_domain::audit::Action;
use otpost_domain::challenge::{Addressee, ChallengeId, Guess, Guessed, SentCode, Transaction};
use otpost_domain::ids::{BearerHash, UserId};
use otpost_domain::message::{Channel, Overtaken};
use otpost_domain::template::CodePurpose;

use super::start::message_of;
use super::{Asker, StartError, claims, device};
use crate::ports::{
    ChallengeStore as _, Entropy as _, MessageStore as _, PortError, Ports, UserStore as _, Write,
};

/// A code that was typed.
#[derive(Debug)]
pub struct Answer {
    /// The code.
    pub code: SentCode,
    /// What it is to be good for. A code for something else is wrong.
    pub purpose: CodePurpose,
    /// What it is to confirm. A code for something else is wrong.
    pub transaction: Option<Transaction>,
    /// Whether to make the device known.
    pub remember: bool,
    /// Digest of the request, where it may be repeated: its repetition gets the same answer and counts once.
    pub request: Option<BearerHash>,
}

/// A code was right.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Whose code it was: the user, or the bare address that is proven now.
    pub addressee: Addressee,
    /// Whether policy lets it count as authentication (NIST SP 800-63B-4 section 3.1.3.1: not by e-mail).
    pub authenticates: bool,
    /// The id of the device, if it was to be made known.
    pub source: Option<String>,
}

/// Why a code was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is wrong, for something else, used, expired, or gave way to another.
    #[error("the code is not right")]
    Refused,
    /// The challenge takes no more codes; another must be asked for.
    #[error("too many wrong codes")]
    Exhausted,
    /// The id was never issued to this tenant.
    #[error("there is no challenge of this id")]
    NoSuchChallenge,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Checks a code: one conditional write, whether it is right or wrong, of somebody or nobody.
///
/// # Errors
/// When the code is not accepted, or a port fails.
pub async fn check(
    ports: &impl Ports,
    asker: &Asker,
    id: &ChallengeId,
    answer: &Answer,
) -> Result<Accepted, CheckError> {
    let tenant = &asker.caller.tenant;
    let claims = claims(ports, tenant, id).await?.ok_or(CheckError::NoSuchChallenge)?;
    // Sealed before it is known whether it is needed: a right code takes no longer than a wrong one.
    let source = if answer.remember {
        Some(device::issue(ports, tenant, &claims.place.addressee).await?)
    } else {
        None
    };
    let random: [u8; 16] = ports.entropy().array();
    let guess = Guess {
        generation: claims.generation,
        mac: claims.secret.mac(answer.purpose, answer.transaction.as_ref(), &answer.code),
        request: answer.request.clone().unwrap_or_else(|| BearerHash::of(&[&random])),
        at: asker.caller.now(ports),
    };
    match ports.store().guess(tenant, &claims.place, &guess).await? {
        Guessed::Accepted { mailed, .. } => {
            let (addressee, authenticates) = (claims.place.addressee, claims.authenticates || !mailed);
            if let (Addressee::User(user), Some(channel)) = (&addressee, claims.confirms) {
                confirmed(ports, asker, user, channel).await?;
            }
            Ok(Accepted { addressee, authenticates, source })
        }
        Guessed::Wrong | Guessed::Over => Err(CheckError::Refused),
        Guessed::Exhausted => Err(CheckError::Exhausted),
    }
}

/// Notes that an address is known to reach its user. Asked again after a failure, by the same request, it is done again.
async fn confirmed(
    ports: &impl Ports,
    asker: &Asker,
    user: &UserId,
    channel: Channel,
) -> Result<(), PortError> {
    let mut journal = asker.caller.journal(ports, Action::AddressConfirmed);
    journal.audit.user = Some(user.clone());
    journal.audit.detail = Some(channel.as_str());
    // Stale: it is confirmed already, or was changed once more; then its codes are over.
    let _: Write = ports.store().confirm_address(&asker.caller.tenant, user, channel, &journal).await?;
    Ok(())
}

/// Gives a challenge up: its code is accepted no more, and is not sent where it has not left yet. Of one that is over,
/// nothing is changed.
///
/// # Errors
/// When the id was never issued, or a port fails.
pub async fn cancel(ports: &impl Ports, asker: &Asker, id: &ChallengeId) -> Result<(), StartError> {
    let tenant = &asker.caller.tenant;
    let claims = claims(ports, tenant, id).await?.ok_or(StartError::NoSuchChallenge)?;
    let now = asker.caller.now(ports);
    let Some(seen) = ports.store().challenge(tenant, &claims.place).await? else { return Ok(()) };
    if seen.generation != claims.generation || seen.is_used() {
        return Ok(());
    }
    // Stale: another code has come, which nobody has given up.
    if ports.store().end_challenge(tenant, &claims.place, claims.generation, now).await? == Write::Stale {
        return Ok(());
    }
    // Stale: it is on its way, and its code is good for nothing. Or it was for nobody, which must not cost less.
    let message = message_of(asker, &seen.message);
    let _: Write = ports.store().withdraw(&message, Overtaken::GivenUp).await?;
    Ok(())
}
