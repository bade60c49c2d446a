//! What Amazon SES tells of mails: its events, as EventBridge brings them.
//!
//! They come at best effort, perhaps twice, in any order. Only AWS can put events with the source `aws.ses`, and the mail's
//! tag says which hop it is; the mails of others in the account have none. An event holds addresses, the subject, and what
//! the recipient's server said in its own words: nothing of that is kept, but an address that bounced or complained.

use otpost_domain::contact::EmailAddress;
use otpost_domain::suppression::Cause;
use otpost_service::ports::{Fault, PortResult, Ports};
use otpost_service::receipts::{Taken, complained};
use serde_json::Value;

use crate::hop::{HopRef, Told};

/// Takes what an event tells, and says whether that was anything new.
pub(crate) async fn take(ports: &impl Ports, event: &Value) -> PortResult<bool> {
    match read(event) {
        Reading::Receipt { hop, told, suppress } => Ok(hop.takes(ports, told, suppress).await? == Taken::New),
        Reading::Complaint { hop, address, why } => {
            match complained(ports, &hop.message_ref(), address, &why).await {
                Ok(taken) => Ok(taken == Taken::New),
                Err(error) if error.kind == Fault::Gone => Ok(false),
                Err(error) => Err(error),
            }
        }
        Reading::Nothing(reason) => {
            tracing::info!(reason, "an event is passed over");
            Ok(false)
        }
    }
}

/// The tag of a mail that says which hop it is: tenant, message and number, with dots between them.
pub const TAG: &str = "otpost-message";

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// What became of a hop.
    Receipt {
        /// The hop.
        hop: HopRef,
        /// What became of it.
        told: Told,
        /// The address that is to be written to no more, and why.
        suppress: Option<(EmailAddress, Cause)>,
    },
    /// The recipient of a hop calls it spam. What became of it, another event tells.
    Complaint {
        /// The hop.
        hop: HopRef,
        /// The recipient.
        address: EmailAddress,
        /// What was said of it, in words of ours.
        why: String,
    },
    /// Nothing that Otpost wants to know, and why.
    Nothing(&'static str),
}

/// Whether an event comes from Amazon SES by EventBridge.
#[must_use]
pub fn is_event(event: &Value) -> bool {
    text(event, "/source") == Some("aws.ses") && event.get("detail-type").is_some()
}

/// Reads an event.
#[must_use]
pub fn read(event: &Value) -> Reading {
    let Some(kind) = text(event, "/detail-type").and_then(Kind::parse) else {
        return Reading::Nothing("an event that tells nothing of what became of a mail");
    };
    let tag = event.pointer("/detail/mail/tags").and_then(|tags| tags.get(TAG)?.get(0)?.as_str());
    let Some(hop) = tag.and_then(|tag| HopRef::parse(tag, '.')) else {
        return Reading::Nothing("a mail that Otpost has not tagged");
    };
    let told = match kind {
        Kind::Delivered => Told::delivered(),
        Kind::Delayed => {
            let why = text(event, "/detail/deliveryDelay/delayType").and_then(delay);
            Told::delayed(words("not delivered yet", event, "/detail/deliveryDelay/delayedRecipients", why))
        }
        Kind::Bounced => return bounced(hop, event),
        Kind::Complained => return complaint(hop, event),
        Kind::Rejected => Told::undelivered("Amazon SES: it took the mail for malware"),
        Kind::RenderingFailed => Told::undelivered("Amazon SES: the mail could not be rendered"),
    };
    Reading::Receipt { hop, told, suppress: None }
}

enum Kind {
    Delivered,
    Bounced,
    Complained,
    Rejected,
    RenderingFailed,
    Delayed,
}

impl Kind {
    fn parse(detail_type: &str) -> Option<Self> {
        Some(match detail_type {
            "Email Delivered" => Self::Delivered,
            "Email Bounced" => Self::Bounced,
            "Email Complaint Received" => Self::Complained,
            "Email Rejected" => Self::Rejected,
            "Email Rendering Failed" => Self::RenderingFailed,
            "Email Delivery Delayed" => Self::Delayed,
            // Sent says no more than that the mail was taken; opens, clicks, calls of the API and the rest say nothing.
            _ => return None,
        })
    }
}

fn bounced(hop: HopRef, event: &Value) -> Reading {
    let for_good = text(event, "/detail/bounce/bounceType") == Some("Permanent");
    let what = if for_good { "hard bounce" } else { "soft bounce" };
    let why = text(event, "/detail/bounce/bounceSubType").and_then(|sub_type| bounce(for_good, sub_type));
    let told = Told::undelivered(words(what, event, "/detail/bounce/bouncedRecipients", why));
    let address = if for_good { recipient(event, "/detail/bounce/bouncedRecipients") } else { None };
    Reading::Receipt { hop, told, suppress: address.map(|address| (address, Cause::HardBounce)) }
}

fn complaint(hop: HopRef, event: &Value) -> Reading {
    let address = recipient(event, "/detail/complaint/complainedRecipients");
    // Such a mail was never sent: SES has its recipient on its own list since an earlier complaint.
    if text(event, "/detail/complaint/complaintSubType") == Some("OnAccountSuppressionList") {
        let told =
            Told::undelivered("Amazon SES: the address is on the account's suppression list for a complaint");
        return Reading::Receipt { hop, told, suppress: address.map(|address| (address, Cause::Complaint)) };
    }
    // RFC 5965 section 7.3, RFC 6430 and RFC 6591: not every report of feedback is a complaint.
    let why = match text(event, "/detail/complaint/complaintFeedbackType") {
        Some("not-spam") => return Reading::Nothing("a report that a mail is no spam"),
        Some("auth-failure") => {
            return Reading::Nothing("a report of a server's, on a mail's authentication");
        }
        Some("abuse") => "Amazon SES: complaint: abuse",
        Some("fraud") => "Amazon SES: complaint: fraud",
        Some("virus") => "Amazon SES: complaint: virus",
        _ => "Amazon SES: complaint",
    };
    match address {
        Some(address) => Reading::Complaint { hop, address, why: why.to_owned() },
        None => Reading::Nothing("a complaint that names nobody"),
    }
}

/// Of whom an event is. A mail has one recipient; a bounce may name the one to whom that one's mail is forwarded.
fn recipient(event: &Value, list: &str) -> Option<EmailAddress> {
    let destinations = event.pointer("/detail/mail/destination").and_then(Value::as_array);
    let only = destinations.filter(|all| all.len() == 1).and_then(|all| all.first()?.as_str());
    let named = event.pointer(list).and_then(|all| all.get(0)?.get("emailAddress")?.as_str());
    let read = |text: &str| EmailAddress::try_from(text).ok();
    only.and_then(read).or_else(|| named.and_then(read))
}

/// What happened, the enhanced status code of the first recipient, if there is one, and why.
fn words(what: &str, event: &Value, list: &str, why: Option<&str>) -> String {
    let status = event.pointer(list).and_then(|all| all.get(0)?.get("status")?.as_str());
    let status = status.filter(|text| is_enhanced(text)).map_or_else(String::new, |code| format!(" {code}"));
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    format!("Amazon SES: {what}{status}{why}")
}

/// Whether it is an enhanced status code (RFC 3463 section 2).
fn is_enhanced(text: &str) -> bool {
    let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    match text.split('.').collect::<Vec<_>>().as_slice() {
        [class, subject, detail] => matches!(*class, "2" | "4" | "5") && number(subject) && number(detail),
        _ => false,
    }
}

/// What a `bounceSubType` means; nothing for those that say no more than the bounce itself.
fn bounce(for_good: bool, sub_type: &str) -> Option<&'static str> {
    Some(match (for_good, sub_type) {
        (true, "Suppressed") => "the address is on the suppression list of Amazon SES",
        (true, "OnAccountSuppressionList") => "the address is on the account's suppression list",
        (true, "UnsubscribedRecipient") => "the recipient has unsubscribed",
        (false, "MailboxFull") => "the mailbox is full",
        (false, "MessageTooLarge") => "the mail is too large",
        (false, "ContentRejected") => "the server refuses the content",
        (false, "AttachmentRejected") => "the server refuses an attachment",
        (false, "CustomTimeoutExceeded") => "its time was over",
        _ => return None,
    })
}

/// What a `delayType` means.
fn delay(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "InternalFailure" => "Amazon SES has internal trouble",
        "MailboxFull" => "the mailbox is full",
        "SpamDetected" => "the recipient's server sees too much mail that it takes for spam",
        "RecipientServerError" => "the recipient's server has trouble",
        "IPFailure" => "the recipient's server refuses the address that sends",
        "TransientCommunicationFailure" => "the connection to the recipient's server broke",
        "BYOIPHostNameLookupUnavailable" => "the name of the address that sends could not be looked up",
        "SendingDeferral" => "Amazon SES waits before it sends",
        _ => return None,
    })
}

fn text<'e>(event: &'e Value, pointer: &str) -> Option<&'e str> {
    event.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests;
