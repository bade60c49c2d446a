//! Challenges: codes that are sent to somebody and asked of them.
//!
//! Whoever asks for a code of a name learns nothing of whether there is such a user, whether they can be written to, or
//! whether they are switched off: the same requests are made, a row is written and a message recorded in each case; that of
//! nobody is closed from the beginning, with the reason for operators. Only keys that are marked `after_first_factor` are
//! told where a code went; they too are told something of nobody.

mod check;
mod device;
pub mod helpdesk;
mod reach;
mod start;
mod tell;
#[cfg(test)]
mod tests;

use std::time::Duration;

use otpost_domain::challenge::{
    Addressee, ChallengeId, Claims, Contact, Generation, Place, Transaction, Why,
};
use otpost_domain::ids::TenantId;
use otpost_domain::message::Channel;
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::caller::Caller;
use crate::ports::{Fault, PortError, PortResult, Ports, RecordKind, Sealer as _};

pub use check::{Accepted, Answer, CheckError, cancel, check};
pub use start::{resend, start};
pub use tell::{ReadError, Standing, Telling, read_code, tell};

/// What a challenge's id and order are sealed as.
const RECORD: &str = "challenge";
/// How often a use case begins again when it was overtaken.
const TRIES: usize = 4;

/// Who asks for a code, or about one.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The tenant and the key.
    pub caller: Caller,
    /// Whether the key is one of those whose callers ask only for people who have shown a first factor.
    pub after_first_factor: bool,
}

/// A code that is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// Of whom.
    pub addressee: Addressee,
    /// For what.
    pub purpose: CodePurpose,
    /// On which channel; by policy unless given.
    pub channel: Option<Channel>,
    /// What is to be confirmed.
    pub transaction: Option<Transaction>,
    /// The device id that an earlier success issued.
    pub source: Option<String>,
}

/// Why an order is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrder {
    /// A transaction's code without the transaction.
    #[error(
        "must be given for the purpose transaction: the message shows it and the code is good for nothing else"
    )]
    NoTransaction,
    /// A transaction with a code for something else.
    #[error("is for the purpose transaction only")]
    OutOfPlace,
    /// A bare address for something that needs a user.
    #[error("must be enrolment for an address that is no user's yet")]
    BareIsForEnrolment,
    /// A code that only the helpdesk asks for.
    #[error("must be sign_in, enrolment, password_reset or transaction")]
    Helpdesks,
    /// Another channel than that of the bare address.
    #[error("must be that of the address, or left out")]
    OtherChannel,
}

impl Order {
    /// Whether this can be asked for at all.
    ///
    /// # Errors
    /// Says what does not fit to what.
    pub fn checked(self) -> Result<Self, InvalidOrder> {
        match (self.purpose, &self.transaction) {
            (CodePurpose::Transaction, None) => return Err(InvalidOrder::NoTransaction),
            (CodePurpose::Transaction, Some(_)) | (_, None) => {}
            (_, Some(_)) => return Err(InvalidOrder::OutOfPlace),
        }
        if self.purpose == CodePurpose::Helpdesk {
            return Err(InvalidOrder::Helpdesks);
        }
        if let Addressee::Bare(contact) = &self.addressee {
            if self.purpose != CodePurpose::Enrolment {
                return Err(InvalidOrder::BareIsForEnrolment);
            }
            if self.channel.is_some_and(|channel| channel != contact.channel()) {
                return Err(InvalidOrder::OtherChannel);
            }
        }
        Ok(self)
    }
}

/// A challenge, as whoever asked for it may know it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id.
    pub id: ChallengeId,
    /// What the code is for.
    pub purpose: CodePurpose,
    /// How many digits the code has.
    pub digits: u8,
    /// From when on it is good no more.
    pub expires_at: Timestamp,
    /// From when on it may be sent again.
    pub resend_at: Timestamp,
    /// By which channel the code goes first.
    pub channel: Channel,
    /// To whom on that channel, masked as policy wants it. Of keys that are not marked, and of nobody, made up.
    pub recipient: String,
}

/// Why no code is sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not now.
    #[error("not now")]
    Wait {
        /// How long to wait.
        retry_after: Duration,
        /// Why.
        why: Why,
    },
    /// The code is over: it was used, has expired, took too many guesses, or gave way to another.
    #[error("the challenge is over")]
    Over,
    /// The id was never issued to this tenant.
    #[error("there is no challenge of this id")]
    NoSuchChallenge,
    /// Others ask for the same at the same time; nothing was sent.
    #[error("others ask for the same code at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What it takes to write a challenge's message again, as it lies sealed in its row.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
struct Kept {
    claims: Vec<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<String>,
    /// Digest of the addresses that the code went to. Others do not get the same code.
    reach: String,
    /// The recipients, masked as policy wanted it then: by e-mail and by text.
    shown: [String; 2],
    /// Whether anybody can be written to. Otherwise there is no code that is right.
    good: bool,
}

impl Kept {
    fn shown(&self, channel: Channel) -> &str {
        let [email, sms] = &self.shown;
        match channel {
            Channel::Email => email,
            Channel::Sms => sms,
        }
    }

    async fn seal(&self, ports: &impl Ports, tenant: &TenantId) -> PortResult<Vec<u8>> {
        let bytes = serde_json::to_vec(self).map_err(|error| PortError::new(Fault::Corrupt, error))?;
        let bytes = zeroize::Zeroizing::new(bytes);
        ports.sealer().seal(tenant, RecordKind::ChallengeOrder, RECORD, &bytes).await
    }

    async fn open(ports: &impl Ports, tenant: &TenantId, sealed: &[u8]) -> PortResult<(Self, Claims)> {
        let bytes = ports.sealer().open(tenant, RecordKind::ChallengeOrder, RECORD, sealed).await?;
        let kept: Self = serde_json::from_slice(&bytes).map_err(|error| {
            PortError::new(Fault::Corrupt, format!("a challenge's order, {:?}", error.classify()))
        })?;
        let claims = Claims::decode(&kept.claims)
            .ok_or_else(|| PortError::new(Fault::Corrupt, "a challenge's claims do not read"))?;
        Ok((kept, claims))
    }
}

/// An id of these claims: another text each time, with the same meaning.
async fn sealed_id(ports: &impl Ports, tenant: &TenantId, claims: &Claims) -> PortResult<ChallengeId> {
    let sealed = ports.sealer().seal(tenant, RecordKind::ChallengeId, RECORD, &claims.encode()).await?;
    Ok(ChallengeId::new(sealed))
}

/// What an application's id says; `None` where this tenant never issued it to one.
async fn claims(ports: &impl Ports, tenant: &TenantId, id: &ChallengeId) -> PortResult<Option<Claims>> {
    let said = any_claims(ports, tenant, id).await?;
    Ok(said.filter(|claims| claims.place.purpose != CodePurpose::Helpdesk))
}

/// What an id says; `None` where this tenant never issued it.
async fn any_claims(ports: &impl Ports, tenant: &TenantId, id: &ChallengeId) -> PortResult<Option<Claims>> {
    match ports.sealer().open(tenant, RecordKind::ChallengeId, RECORD, id.sealed()).await {
        Ok(bytes) => Ok(Claims::decode(&bytes)),
        Err(error) if error.kind == Fault::Corrupt => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is shown of an addressee in rows' and logs' stead: never a bare address.
fn name_of(place: &Place) -> &str {
    match &place.addressee {
        Addressee::User(user) => user.as_str(),
        Addressee::Bare(Contact::Email(_)) => "an e-mail address",
        Addressee::Bare(Contact::Phone(_)) => "a telephone number",
    }
}

fn generation(ports: &impl Ports) -> Generation {
    use crate::ports::Entropy as _;
    Generation(ports.entropy().array())
}
