//! Challenges as rows.

use otpost_domain::challenge::{Challenge, CodeMac, Generation, Place, RETENTION, SealedOrder};
use otpost_domain::ids::{BearerHash, MessageId};
use otpost_domain::time::Timestamp;
use otpost_service::ports::PortResult;
use serde::Deserialize;
use serde_bytes::ByteBuf;

use super::bad;
use crate::fault::corrupt;

/// As it is read. It is written attribute by attribute: guesses go on while a code is sent again.
#[derive(Deserialize)]
pub(in crate::dynamodb) struct ChallengeRow {
    generation: ByteBuf,
    mac: ByteBuf,
    exp: u64,
    /// Guesses at this code.
    att: u32,
    /// How many it takes.
    most: u32,
    /// Guesses in a row over all codes.
    fc: u32,
    guessed_at: u64,
    /// What the last guess made: the code's own where that was right.
    #[serde(default)]
    guess: Option<ByteBuf>,
    #[serde(default)]
    req: Option<String>,
    resent: u32,
    /// Whether the code may have gone by e-mail.
    mailed: bool,
    /// Whether a code for the helpdesk has had its password.
    #[serde(default)]
    spent: bool,
    most_resent: u32,
    cool: u64,
    msg: String,
    sealed: ByteBuf,
}

/// Until when a row is kept that was written at `at`.
pub(in crate::dynamodb) fn kept_until(at: Timestamp) -> u64 {
    at.plus(RETENTION).seconds()
}

impl ChallengeRow {
    /// The challenge that lies at `place`.
    pub(in crate::dynamodb) fn at(self, place: &Place) -> PortResult<Challenge> {
        let mac = |bytes: ByteBuf| {
            let bytes = <[u8; 32]>::try_from(bytes.as_slice());
            bytes.map(CodeMac).map_err(|_| corrupt("a code's mac has another length"))
        };
        let generation = <[u8; 8]>::try_from(self.generation.as_slice());
        Ok(Challenge {
            place: place.clone(),
            generation: generation
                .map(Generation)
                .map_err(|_| corrupt("a challenge's generation has another length"))?,
            mac: mac(self.mac)?,
            expires_at: Timestamp::from_millis(self.exp),
            guesses: self.att,
            most_guesses: self.most,
            failures: self.fc,
            guessed_at: Timestamp::from_millis(self.guessed_at),
            last: self.guess.map(mac).transpose()?,
            last_request: self.req.as_deref().map(BearerHash::stored),
            resent: self.resent,
            mailed: self.mailed,
            spent: self.spent,
            most_resends: self.most_resent,
            cool_until: Timestamp::from_millis(self.cool),
            message: MessageId::try_from(self.msg.as_str()).map_err(bad("message"))?,
            order: SealedOrder(self.sealed.into_vec()),
        })
    }
}
