//! Answers that are kept with the change that they tell of, so that a repeated request gets the same answer and
//! changes nothing (`Idempotency-Key`).
//!
//! A request reserves its slot, and the use case puts the answer into the same atomic write as the change. So there is
//! no moment in which the change is there and the answer is not, whatever crashes; and who has lost the slot to a
//! later try changes nothing any more.

use otpost_domain::ids::TenantId;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{
    AnswerContent, AnswerStore as _, Fault, Journal, KeptAnswer, PortError, PortResult, Ports, RecordKind,
    Reserved, Sealer as _, Slot,
};

/// What a use case's caller is told.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize, Zeroize, ZeroizeOnDrop)]
pub struct Reply {
    /// The status of the answer.
    pub status: u16,
    /// Its version, where it shows something versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Its body.
    pub body: String,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reply({}, {} bytes)", self.status, self.body.len())
    }
}

/// How the result of a use case is told, and the slot in which that is to be kept, if it is.
pub struct Once<'a, T> {
    slot: Option<&'a Slot>,
    reply: &'a (dyn Fn(&T) -> PortResult<Reply> + Send + Sync),
}

impl<T> std::fmt::Debug for Once<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Once").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl<T> Clone for Once<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Once<'_, T> {}

impl<'a, T> Once<'a, T> {
    /// Keeps what `reply` makes of the result in `slot`.
    #[must_use]
    pub fn kept(slot: &'a Slot, reply: &'a (dyn Fn(&T) -> PortResult<Reply> + Send + Sync)) -> Self {
        Self { slot: Some(slot), reply }
    }

    /// Keeps nothing: a repeated request is a new one.
    #[must_use]
    pub fn not_kept() -> Self {
        Self { slot: None, reply: &|_| Err(PortError::new(Fault::Corrupt, "an answer that nobody keeps")) }
    }

    /// Adds the answer to the journal of the change that made `result`.
    pub(crate) async fn record(
        &self,
        ports: &impl Ports,
        result: &T,
        mut journal: Journal,
    ) -> PortResult<Journal> {
        journal.answer = self.answer(ports, result).await?;
        Ok(journal)
    }

    /// The answer that is to be kept, if one is.
    pub(crate) async fn answer(&self, ports: &impl Ports, result: &T) -> PortResult<Option<KeptAnswer>> {
        let Some(slot) = self.slot else { return Ok(None) };
        let encoded = encode(&(self.reply)(result)?)?;
        let sealed =
            ports.sealer().seal(&slot.tenant, RecordKind::Answer, slot.id.as_str(), &encoded).await?;
        Ok(Some(KeptAnswer { slot: slot.clone(), content: AnswerContent::Sealed(sealed) }))
    }

    /// The same in clear, for an answer without secrets about a tenant that has no key yet.
    pub(crate) fn record_clear(&self, result: &T, mut journal: Journal) -> PortResult<Journal> {
        let Some(slot) = self.slot else { return Ok(journal) };
        let content = AnswerContent::Clear(encode(&(self.reply)(result)?)?.to_vec());
        journal.answer = Some(KeptAnswer { slot: slot.clone(), content });
        Ok(journal)
    }
}

/// What a slot held.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "only who holds the slot may go on"]
pub enum Earlier {
    /// Nothing: the slot is taken, the request may go on.
    Nothing,
    /// An earlier try is still at it.
    Running {
        /// Until when at most.
        until: otpost_domain::time::Timestamp,
    },
    /// What the earlier try answered.
    Answered(Reply),
    /// The key was used for another request.
    OtherRequest,
}

/// Takes a request's slot, or finds what became of an earlier try.
///
/// # Errors
/// When a port fails.
pub async fn reserve(ports: &impl Ports, slot: &Slot) -> PortResult<Earlier> {
    Ok(match ports.store().reserve(slot).await? {
        Reserved::Held => Earlier::Nothing,
        Reserved::Running { until } => Earlier::Running { until },
        Reserved::OtherRequest => Earlier::OtherRequest,
        Reserved::Answered(content) => Earlier::Answered(open(ports, &slot.tenant, slot, content).await?),
    })
}

/// Gives the slot back after a request that changed nothing. Should that fail, the lease ends by itself.
pub async fn release(ports: &impl Ports, slot: &Slot) {
    if let Err(error) = ports.store().release(slot).await {
        tracing::warn!(error = error.chain(), "a slot for an answer was not given back");
    }
}

async fn open(
    ports: &impl Ports,
    tenant: &TenantId,
    slot: &Slot,
    content: AnswerContent,
) -> PortResult<Reply> {
    let bytes = match content {
        AnswerContent::Sealed(sealed) => {
            ports.sealer().open(tenant, RecordKind::Answer, slot.id.as_str(), &sealed).await?
        }
        AnswerContent::Clear(clear) => Zeroizing::new(clear),
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| PortError::new(Fault::Corrupt, format!("a kept answer, {:?}", error.classify())))
}

fn encode(reply: &Reply) -> PortResult<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(reply).map(Zeroizing::new).map_err(|error| PortError::new(Fault::Corrupt, error))
}
