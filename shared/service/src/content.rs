//! What a message needs to be rendered, as it lies sealed in its record. This form is ours alone; no wire has it.

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{Fault, PortError, PortResult};

/// The content of a Push Token message.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct PushContent {
    pub(crate) to: String,
    pub(crate) link: String,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) tenant_name: String,
    pub(crate) locale: String,
    pub(crate) expires: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authz_code: Option<String>,
}

impl PushContent {
    pub(crate) fn encode(&self) -> PortResult<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|error| PortError::new(Fault::Corrupt, error))
    }

    /// The fault names no content: what could not be read may hold a secret.
    pub(crate) fn decode(bytes: &[u8]) -> PortResult<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            PortError::new(Fault::Corrupt, format!("message content, {:?}", error.classify()))
        })
    }
}
