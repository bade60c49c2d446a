//! Where providers tell what becomes of a message.

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::message::{Message, Sender};

use crate::ports::{PortResult, Ports, RecordKind, Sealer as _};

/// The URL at which the provider of hop `number` is to tell of it; none for senders whose providers take no URL with a
/// message.
///
/// It names tenant, message and hop, and ends with a key that only the tenant's data key makes: who does not have the
/// URL cannot make one, and what the key holds says by whose gateway the hop went.
///
/// # Errors
/// When the function was not given what links begin with, or a port fails.
pub(crate) async fn url(ports: &impl Ports, message: &Message, number: u16) -> PortResult<Option<String>> {
    let Some(hop) = message.last_hop().filter(|hop| hop.via.sender == Sender::Twilio) else {
        return Ok(None);
    };
    let Some(gateway) = &hop.via.gateway else { return Ok(None) };
    let whose = format!("{}/{}", gateway.owner.as_str(), gateway.id);
    let record = format!("{}/{number}", message.id);
    let key = ports.sealer().seal(&message.tenant, RecordKind::ReceiptKey, &record, whose.as_bytes()).await?;
    let (base, tenant) = (ports.public_url()?, &message.tenant);
    let key = BASE64URL_NOPAD.encode(&key);
    Ok(Some(format!("{base}/receipts/twilio/{tenant}/{record}/{key}")))
}
