//! Recipients that stand for an outcome. A message to one goes the way of every other, up to the provider, which is not
//! asked: what it would say, and tell later, is made here.

use std::time::Duration;

use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::message::{Message, Verdict};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_domain::simulator::{Forced, LATE, is_kept_address, is_kept_number};

use crate::ports::{DeliveryQueue as _, MessageRef, PortResult, Ports};

/// How long a simulated provider takes until it tells what became of a message.
const SOON: Duration = Duration::from_secs(1);

/// What a simulated provider says, for a recipient that no provider may have a message for; `None` for all others.
///
/// Receipts come only where the gateway's provider would tell.
pub(super) async fn report(
    ports: &impl Ports,
    message: &Message,
    hop: u16,
    recipient: &str,
) -> PortResult<Option<Report>> {
    let said = || Said::line("No provider was asked: the recipient stands for an outcome.");
    let forced = match kept(recipient) {
        Kept::No => return Ok(None),
        Kept::For(forced) => forced,
        Kept::ForNothing => {
            let why = "the recipient is kept back for simulated outcomes, and stands for none";
            return Ok(Some(Report::of(Outcome::RecipientBad, why, said())));
        }
    };
    let tells = match forced {
        Forced::Delivered => Some((Verdict::Delivered, SOON)),
        Forced::Late => Some((Verdict::Delivered, LATE)),
        Forced::Bounced => Some((Verdict::Undelivered, SOON)),
        Forced::Refused | Forced::Down | Forced::Ambiguous | Forced::Silent => None,
    };
    if let Some((verdict, delay)) = tells.filter(|_| message.last_hop().is_some_and(|hop| hop.tells)) {
        ports.queue().tell(&MessageRef::from(message), hop, verdict, delay).await?;
    }
    Ok(Some(match forced {
        Forced::Delivered | Forced::Late | Forced::Bounced | Forced::Silent => {
            Report::accepted(format!("simulated-{hop}"), said())
        }
        Forced::Refused => Report::of(Outcome::RecipientBad, "simulated: the recipient is refused", said()),
        Forced::Down => {
            Report::of(Outcome::Retry { after: None }, "simulated: the provider cannot be had", said())
        }
        Forced::Ambiguous => Report::of(Outcome::Unknown, "simulated: the answer was lost", said()),
    }))
}

/// Whether a recipient is kept back.
enum Kept {
    /// It is a real one.
    No,
    /// It stands for an outcome.
    For(Forced),
    /// It stands for none.
    ForNothing,
}

fn kept(recipient: &str) -> Kept {
    let (is_kept, forced) = match (PhoneNumber::try_from(recipient), EmailAddress::try_from(recipient)) {
        (Ok(number), _) => (is_kept_number(&number), Forced::of_number(&number)),
        (_, Ok(address)) => (is_kept_address(&address), Forced::of_email(&address)),
        _ => return Kept::No,
    };
    match forced {
        _ if !is_kept => Kept::No,
        Some(forced) => Kept::For(forced),
        None => Kept::ForNothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, Queued, pushed};
    use crate::ports::MessageStore as _;
    use otpost_domain::circuit::Circuit;
    use otpost_domain::message::{Routes, Step, Way};

    #[tokio::test]
    async fn each_outcome_is_made_without_a_provider_and_real_recipients_are_left_alone() {
        let ports = MemoryPorts::new();
        let reference = pushed(&ports).await;
        ports.queue().take();
        let message = ports.store().message(&reference).await.unwrap().unwrap();
        let routes =
            Routes { usable: vec![Way { circuit: Circuit::Closed, ..Way::OWN }], ..Routes::default() };
        let Step::Hand(message, hop, _) = message.clone().next_step(&routes, message.created_at) else {
            panic!("a route")
        };
        let tells = |verdict, delay| vec![Queued::Tell(reference.clone(), hop, verdict, delay)];
        for (forced, outcome, told) in [
            (Forced::Delivered, "accepted", tells(Verdict::Delivered, SOON)),
            (Forced::Late, "accepted", tells(Verdict::Delivered, LATE)),
            (Forced::Bounced, "accepted", tells(Verdict::Undelivered, SOON)),
            (Forced::Refused, "recipient_bad", Vec::new()),
            (Forced::Down, "retry", Vec::new()),
            (Forced::Ambiguous, "unknown", Vec::new()),
            (Forced::Silent, "accepted", Vec::new()),
        ] {
            let name = forced.as_str();
            for recipient in [
                format!("{name}+more@simulator.otpost.invalid"),
                format!("+9990000000{}", forced.last_digits()),
            ] {
                let made = report(&ports, &message, hop, &recipient).await.unwrap().expect("no provider");
                assert_eq!(
                    (made.outcome.as_str(), ports.queue().take()),
                    (outcome, told.clone()),
                    "{recipient}"
                );
            }
        }
        for nobody in ["else@simulator.otpost.invalid", "+999000000099"] {
            let made = report(&ports, &message, hop, nobody).await.unwrap().expect("no provider");
            assert_eq!(made.outcome.as_str(), "recipient_bad");
        }
        for real in ["jane@example.org", "delivered@otpost.invalid", "+447700900123", "+998900000001"] {
            assert!(report(&ports, &message, hop, real).await.unwrap().is_none(), "{real}");
        }
        assert_eq!(ports.queue().take(), []);
    }
}
