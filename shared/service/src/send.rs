//! What every sender does around its provider's call: claim the hop, open the sealed content, find the gateway, render,
//! call, write down what the provider said.
//!
//! Two requests to the store, whatever happens: the claim and what became of it. Each hop is claimed once for ever, so
//! its provider is asked at most once.

mod account;
mod letter;
mod simulated;

use std::time::Duration;

use otpost_domain::message::{Channel, Ending, Message, Next, Sender};
use otpost_domain::outcome::{Outcome, Report};

use crate::deliver::health::{self, reported};
use crate::metrics::{self, Metric};
use crate::ports::{
    Clock as _, DeliveryQueue as _, Entropy as _, Fault, MessageRef, MessageStore as _, PortError, Ports,
    Saved, Write,
};
use crate::provider::{Order, Provider};
use crate::receipts;
use account::account;
use letter::{Written, letter};

/// How long one request to a provider may take in all. With [`PREPARATION`] before it and the outcome behind it that
/// stays inside the function's timeout, and inside the lease.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// How long where an operator waits for what becomes of it.
pub const TEST_DEADLINE: Duration = Duration::from_secs(6);

/// How long it may take from the claim until the provider is asked. A hop that takes longer is given back, because the
/// function, or the lease, could end before the provider's answer is on record.
pub const PREPARATION: Duration = Duration::from_secs(15);

/// What became of a hop that came off a sender's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The provider took it.
    Accepted,
    /// Another hop by the same gateway will try again.
    Postponed,
    /// Nobody knows whether the provider took it: that is waited for.
    InDoubt,
    /// This gateway will not take it; `deliver` has been told.
    Refused,
    /// It came too late.
    Expired,
    /// There was nothing to claim: done before, or another sender has it.
    Nothing,
}

/// Sends one hop of a message.
///
/// # Errors
/// When a port fails: the queue brings the hop again, or the sweep does after the lease.
pub async fn send(
    ports: &impl Ports,
    provider: &impl Provider,
    reference: &MessageRef,
    hop: u16,
) -> Result<Sent, PortError> {
    let now = ports.clock().now();
    let claimant = claimant(ports);
    let Some(message) = ports.store().claim(reference, hop, &claimant, now).await? else {
        return Ok(Sent::Nothing);
    };
    if now >= message.expires_at {
        let write = saved(ports, &message.clone().expired()).await?;
        if write == Write::Done && !message.simulated {
            metrics::count(Metric::Expired, message.last_hop().map(|hop| &hop.via), message.country);
        }
        // Stale: the sweep was faster; what it wrote stands.
        return Ok(if write == Write::Done { Sent::Expired } else { Sent::Nothing });
    }
    let (report, said) = match asked(ports, provider, &message, hop).await {
        Ok(told) => told,
        // A deployment that is wrong for a while must not cost messages.
        Err(error) => {
            let untried = message.unclaimed(hop, ports.clock().now());
            // Stale, or failing too: the lease ends by itself.
            let _ = ports.store().save_message(&untried).await;
            return Err(error);
        }
    };
    conclude(ports, message, hop, &report, said).await
}

/// A name for this claim, so that its repetition is known for the same.
fn claimant(ports: &impl Ports) -> String {
    data_encoding::HEXLOWER.encode(&ports.entropy().array::<8>())
}

/// What a sender finds out before it asks.
pub(crate) fn refused(outcome: Outcome, why: impl Into<String>) -> Report {
    Report::of(outcome, why, otpost_domain::outcome::Said::default())
}

/// Asks the provider, unless there is a reason not to; what it said is redacted.
async fn asked(
    ports: &impl Ports,
    provider: &impl Provider,
    message: &Message,
    hop: u16,
) -> Result<(Report, Vec<String>), PortError> {
    let claimed_at = ports.clock().now();
    let account = match account(ports, provider, message).await {
        Ok(Ok(account)) => account,
        Ok(Err(report)) => return Ok((report, Vec::new())),
        Err(error) if error.kind == Fault::Corrupt => {
            tracing::error!(message.id = %message.id, error = error.chain(), "a gateway cannot be read");
            let why = "the gateway or its credentials cannot be read";
            return Ok((refused(Outcome::ConfigurationBad, why), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let Written { letter, recipient, redaction } = match letter(ports, message, &account).await {
        Ok(Ok(written)) => written,
        Ok(Err(report)) => return Ok((report, Vec::new())),
        // What can never be opened or rendered is refused.
        Err(error) if matches!(error.kind, Fault::Corrupt | Fault::Gone) => {
            tracing::error!(message.id = %message.id, error = error.chain(), "cannot be rendered");
            let why = "its sealed content cannot be opened or rendered";
            return Ok((refused(Outcome::ContentBad, why), Vec::new()));
        }
        Err(error) => return Err(error),
    };
    let receipts = receipts::told_by(ports, message, hop).await?;
    let redaction = receipts.iter().fold(redaction, |redaction, url| {
        let key = url.rsplit('/').next().unwrap_or_default();
        redaction.hide(url, "[link]").hide(key, "[key]")
    });
    let reference = MessageRef::from(message);
    let now = ports.clock().now();
    if now >= claimed_at.plus(PREPARATION) {
        return Err(PortError::new(Fault::Unavailable, "preparing a hop took too long to ask its provider"));
    }
    let left = message.expires_at.millis().saturating_sub(now.millis());
    if let Some(simulated) = simulated::report(ports, message, hop, &recipient).await? {
        let said = redaction.lines(&simulated.said);
        return Ok((simulated, said));
    }
    let report = provider
        .send(&Order {
            message: &reference,
            hop,
            settings: account.settings(),
            credentials: account.credentials(),
            letter: &letter,
            life: Duration::from_millis(left),
            receipts: receipts.as_deref(),
            deadline: if message.test { TEST_DEADLINE } else { DEADLINE },
            followed: message.last_hop().is_some_and(|hop| hop.channel == Channel::Email),
            test: message.test,
        })
        .await;
    let said = redaction.lines(&report.said);
    Ok((report, said))
}

/// Writes down what the provider said, and sees to what follows.
async fn conclude(
    ports: &impl Ports,
    message: Message,
    hop: u16,
    report: &Report,
    said: Vec<String>,
) -> Result<Sent, PortError> {
    let Report { outcome, why, .. } = report;
    let [chance] = ports.entropy().array();
    let sender = told(&message, report);
    let shown = reported(ports, &message, Ending::of(outcome));
    let mut message = message;
    loop {
        let now = ports.clock().now();
        let (concluded, next) = message.concluded(hop, (outcome, why, said.clone()), chance, now);
        let mut write = health::written(ports, &concluded, shown.as_slice()).await?;
        if write == Saved::Outrun {
            write = health::written(ports, &concluded, &[]).await?;
        }
        let reference = MessageRef::from(&concluded);
        if write != Saved::Done {
            // A receipt was faster than we, or the sweep after our lease: what we know of the hop is still to be told.
            match ports.store().message(&reference).await? {
                Some(newer) if newer.awaits_report(hop) => message = newer,
                _ => return Ok(Sent::Nothing),
            }
            continue;
        }
        match (next, sender) {
            (Next::Again { hop, delay }, Some(sender)) => {
                ports.queue().hand(sender, &reference, hop, delay).await?;
            }
            (Next::Deliver { delay }, _) => ports.queue().deliver(&reference, delay).await?,
            _ => {}
        }
        return Ok(match (outcome, next) {
            (Outcome::Accepted { .. }, _) => Sent::Accepted,
            (_, Next::Again { .. }) => Sent::Postponed,
            (Outcome::Unknown, Next::Nothing) if !concluded.test => Sent::InDoubt,
            _ => Sent::Refused,
        });
    }
}

/// Logs what became of a hop: codes and words of ours, nothing of the recipient, the text or the provider's answer. Gives
/// the hop's sender.
fn told(message: &Message, report: &Report) -> Option<Sender> {
    let via = message.last_hop().map(|hop| &hop.via)?;
    let gateway = via.gateway.as_ref().map_or("deployment", |named| named.id.as_str());
    let country = message.country;
    if !message.test && !message.simulated {
        let accepted = matches!(report.outcome, Outcome::Accepted { .. });
        metrics::count(if accepted { Metric::Accepted } else { Metric::Refused }, via, country);
        if accepted && message.last_hop().is_some_and(|hop| hop.tells) {
            metrics::count(Metric::Awaited, via, country);
        }
    }
    let outcome = report.outcome.as_str();
    let why = report.why.as_str();
    let id = &message.id;
    if Ending::of(&report.outcome).is_some_and(Ending::is_of_gateway) && !message.test {
        let owner = via.gateway.as_ref().map_or("deployment", |named| named.owner.as_str());
        tracing::error!(message.id = %id, gateway, owner, outcome, why, "a gateway is in trouble");
    } else {
        tracing::info!(message.id = %id, gateway, outcome, why, "hop concluded");
    }
    Some(via.sender)
}

/// Saves a message. Should the store say that another version is there, it may be this very one: the answer to an earlier
/// request of ours can have been lost on the way, and whoever asks again is told no.
pub(crate) async fn saved(ports: &impl Ports, message: &Message) -> Result<Write, PortError> {
    let write = ports.store().save_message(message).await?;
    if write == Write::Stale
        && ports.store().message(&MessageRef::from(message)).await?.as_ref() == Some(message)
    {
        return Ok(Write::Done);
    }
    Ok(write)
}

#[cfg(test)]
mod tests;
