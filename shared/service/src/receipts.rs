//! What providers tell of messages that they have taken: where they tell it, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::{Credentials, Gateway, Owner};
use otpost_domain::ids::{GatewayId, TenantId};
use otpost_domain::message::{Message, News, Sender, Verdict};
use otpost_domain::suppression::{Cause, Suppression};

use crate::deliver::health;
use crate::metrics::{self, Metric};
use crate::ports::{
    Clock as _, Configuration as _, CredentialReader as _, DeliveryQueue as _, Fault, Heard, MessageRef,
    MessageStore as _, PortResult, Ports, RecordKind, Sealer as _, SuppressionStore as _, Write,
};

/// What a provider tells of a hop, once it is certain who tells it.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The message.
    pub message: MessageRef,
    /// The number of the hop.
    pub hop: u16,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in words of ours and codes of the provider's: no address, no text. Empty where it arrived.
    pub why: String,
    /// An address that is not to be written to any more.
    pub suppress: Option<(EmailAddress, Cause)>,
}

/// What became of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It told something new.
    New,
    /// As much was known before.
    Known,
    /// It is of no message that there is.
    Nothing,
}

/// Takes what a provider tells: one request to the store. On bad news of an open message `deliver` is woken.
///
/// Receipts come twice, late and in any order; only what goes beyond what is known changes anything.
///
/// # Errors
/// When a port fails: the provider should tell it again.
pub async fn take(ports: &impl Ports, receipt: &Receipt) -> PortResult<Taken> {
    let Receipt { message, hop, verdict, why, suppress } = receipt;
    let at = ports.clock().now();
    let news = News { verdict: *verdict, why: why.clone(), at };
    let suppression = suppress.as_ref().map(|(address, cause)| Suppression {
        tenant: message.tenant.clone(),
        address: address.clone(),
        cause: *cause,
        why: why.clone(),
        message: message.id.clone(),
        at,
    });
    let heard = ports.store().hear(message, *hop, &news, suppression.as_ref()).await?;
    let (taken, known) = match &heard {
        Heard::New(message) => (Taken::New, message),
        Heard::Known(message) => {
            // A mail may arrive and bounce all the same, at whoever it was passed on to.
            if let Some(suppression) = &suppression {
                // Stale: the message has gone meanwhile.
                let _: Write = ports.store().suppress(suppression).await?;
            }
            (Taken::Known, message)
        }
        Heard::Nothing => {
            tracing::warn!(message.id = %message.id, hop, "a receipt of no message that there is");
            return Ok(Taken::Nothing);
        }
    };
    if taken == Taken::New {
        told(known, *hop, &news);
        if let Some(hop) = known.hops.iter().find(|known| known.number == *hop) {
            health::heard(ports, known, hop, &news).await?;
        }
    }
    // Known bad news too: the first time `deliver` may not have been woken.
    let last = known.last_hop().is_some_and(|last| last.number == *hop && last.is_refuted());
    if *verdict == Verdict::Undelivered && known.is_open() && last {
        ports.queue().deliver(message, Duration::ZERO).await?;
    }
    Ok(taken)
}

/// Takes note of somebody who called a message spam: the address is written to no more.
///
/// # Errors
/// When a port fails.
pub async fn complained(
    ports: &impl Ports,
    message: &MessageRef,
    address: EmailAddress,
    why: &str,
) -> PortResult<Taken> {
    let suppression = Suppression {
        tenant: message.tenant.clone(),
        address,
        cause: Cause::Complaint,
        why: why.to_owned(),
        message: message.id.clone(),
        at: ports.clock().now(),
    };
    if ports.store().suppress(&suppression).await? == Write::Stale {
        tracing::warn!(message.id = %message.id, "a complaint of no message that there is");
        return Ok(Taken::Nothing);
    }
    tracing::warn!(message.id = %message.id, "a recipient calls a message spam");
    Ok(Taken::New)
}

fn told(message: &Message, number: u16, news: &News) {
    let hop = message.hops.iter().find(|hop| hop.number == number);
    let gateway = hop.map_or("", |hop| hop.via.shown());
    let counted = match news.verdict {
        Verdict::Delivered => Some(Metric::Delivered),
        Verdict::Undelivered => Some(Metric::Undelivered),
        Verdict::Delayed => None,
    };
    if let (Some(counted), Some(hop)) = (counted, hop.filter(|_| !message.simulated)) {
        metrics::count(counted, &hop.via, message.country);
        metrics::time(Metric::TimeToReceipt, &hop.via, message.country, hop.ended_at().until(news.at));
    }
    let (verdict, why) = (news.verdict.as_str(), news.why.as_str());
    tracing::info!(message.id = %message.id, gateway, verdict, why, "receipt");
}

/// A gateway that receipts are of, and its credentials.
#[derive(Clone, Debug)]
pub struct Teller {
    /// The gateway, as it is now.
    pub gateway: Gateway,
    /// Its credentials, if it has any.
    pub credentials: Option<Arc<Credentials>>,
}

/// The gateway by which a hop went, as the key at the end of its URL says; `None` where the key is none of ours.
///
/// # Errors
/// When a port fails.
pub async fn by_key(
    ports: &impl Ports,
    message: &MessageRef,
    hop: u16,
    key: &str,
) -> PortResult<Option<(Owner, GatewayId)>> {
    let Ok(sealed) = BASE64URL_NOPAD.decode(key.as_bytes()) else { return Ok(None) };
    let record = format!("{}/{hop}", message.id);
    let whose = match ports.sealer().open(&message.tenant, RecordKind::ReceiptKey, &record, &sealed).await {
        Ok(whose) => whose,
        // No such tenant, or not sealed by it for this hop.
        Err(error) if matches!(error.kind, Fault::Corrupt | Fault::Gone) => return Ok(None),
        Err(error) => return Err(error),
    };
    let named = std::str::from_utf8(&whose).ok().and_then(|text| text.split_once('/'));
    Ok(named.and_then(|(owner, id)| Some((Owner::stored(owner).ok()?, GatewayId::try_from(id).ok()?))))
}

/// Whether a gateway of `owner`'s by which messages of `tenant` may go is who speaks, as `is_it` knows by the gateway. What
/// was read of gateways lately may lack it, or what it has since a change: if not, and if `again` admits it, they are read
/// anew.
///
/// # Errors
/// When a port fails.
pub async fn is_told_by(
    ports: &impl Ports,
    tenant: &TenantId,
    (owner, id): (&Owner, &GatewayId),
    is_it: impl Fn(&Teller) -> bool,
    again: impl FnOnce() -> bool,
) -> PortResult<bool> {
    if teller(ports, tenant, owner, id).await?.is_some_and(|teller| is_it(&teller)) {
        return Ok(true);
    }
    if !again() {
        return Ok(false);
    }
    ports.configuration().forget_gateways(owner);
    Ok(teller(ports, tenant, owner, id).await?.is_some_and(|teller| is_it(&teller)))
}

async fn teller(
    ports: &impl Ports,
    tenant: &TenantId,
    owner: &Owner,
    id: &GatewayId,
) -> PortResult<Option<Teller>> {
    let reach = ports.configuration().gateways(tenant).await?;
    let Some(gateway) = reach.of_owner(owner, id) else { return Ok(None) };
    let credentials = match gateway.usable_credentials() {
        None => None,
        Some(state) => ports.credentials().read_credentials(gateway.kind(), &state.reference).await?,
    };
    Ok(Some(Teller { gateway: gateway.clone(), credentials }))
}

/// What goes with hop `number` so that its provider can tell of it: for Twilio the URL, for GOV.UK Notify the reference;
/// none for others, and for gateways that do not tell.
///
/// The URL names tenant, message and hop, and ends with a key that only the tenant's data key makes: who does not have the
/// URL cannot make one, and what the key holds says by whose gateway the hop went.
///
/// # Errors
/// When the function was not given what links begin with, or a port fails.
pub(crate) async fn told_by(
    ports: &impl Ports,
    message: &Message,
    number: u16,
) -> PortResult<Option<String>> {
    let Some(hop) = message.last_hop().filter(|hop| hop.tells) else { return Ok(None) };
    let Some(gateway) = &hop.via.gateway else { return Ok(None) };
    let whose = format!("{}/{}", gateway.owner.as_str(), gateway.id);
    let record = format!("{}/{number}", message.id);
    match hop.via.sender {
        Sender::Twilio => {
            let sealer = ports.sealer();
            let key = sealer.seal(&message.tenant, RecordKind::ReceiptKey, &record, whose.as_bytes()).await?;
            let (base, tenant) = (ports.public_url()?, &message.tenant);
            let key = BASE64URL_NOPAD.encode(&key);
            Ok(Some(format!("{base}/receipts/twilio/{tenant}/{record}/{key}")))
        }
        Sender::GovukNotify => {
            let whose = (&gateway.owner, &gateway.id);
            reference(ports, &MessageRef::from(message), number, whose).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// The reference of a hop that goes by a gateway which tells: `tenant/message/hop/proof`. The proof follows from these and the
/// gateway under the tenant's key, so that whoever may speak for one gateway speaks of nothing that went by another.
///
/// # Errors
/// When a port fails.
pub async fn reference(
    ports: &impl Ports,
    message: &MessageRef,
    hop: u16,
    (owner, gateway): (&Owner, &GatewayId),
) -> PortResult<String> {
    let record = format!("{}/{hop}/{}/{gateway}", message.id, owner.as_str());
    let bytes = ports.sealer().derive(&message.tenant, RecordKind::ReceiptKey, &record).await?;
    let (proof, _) = bytes.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    Ok(format!("{}/{}/{hop}/{}", message.tenant, message.id, BASE64URL_NOPAD.encode(proof)))
}
