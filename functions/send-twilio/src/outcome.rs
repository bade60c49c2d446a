//! What Twilio's answers mean: the table of its error codes, and the rule for those that it has not.
//!
//! Twilio splits its codes over time and advises against depending on them. So the rule alone is enough to send by; the
//! table makes it finer, and explains codes to operators, those of receipts included.
//!
//! Trouble (5xx) may come after a text was queued, and a text cannot be looked for. So only Twilio's own word that it
//! failed is a reason to send it again: a 500 or 503 whose body has a code of Twilio's. Any other 5xx may be the word of
//! a proxy that has waited for long enough, 502 and 504 always, and leaves open what became of the text.

use std::time::Duration;

use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_outbound::http::Answer;
use serde::Deserialize;
use serde_json::Value;

#[cfg(test)]
mod tests;

/// The longest that a request to be left alone is heeded.
const LONGEST_WAIT: Duration = Duration::from_mins(10);
/// What is a code of Twilio's; any other number in its place is not repeated, because it could be anything, such as the
/// six digits of a text.
const CODES: std::ops::RangeInclusive<u32> = 10_000..=99_999;

/// What kind of failure a code tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The recipient can have no text from this account.
    Recipient,
    /// Twilio takes this destination for part of a fraud (SMS pumping) and blocks it for minutes or hours: longer than a
    /// code lives. Worth an alarm when there are many.
    Fraud,
    /// The text, or something else that belongs to this message alone.
    Content,
    /// The account, its credentials or its senders: an operator must mend it.
    Configuration,
    /// A limit or queue of the account or sender that is full for hours.
    Quota,
    /// Not now, but soon.
    Soon,
    /// It did not arrive; it may at another time or another way.
    Later,
}

impl Class {
    /// What a sender does about it; `after` is how long Twilio wants to be left alone.
    ///
    /// A block for fraud counts against the recipient for this message: another channel is tried, the gateway stays in
    /// use for everybody else, and so a fraud against one prefix takes no gateway away.
    #[must_use]
    pub const fn outcome(self, after: Option<Duration>) -> Outcome {
        match self {
            Self::Recipient | Self::Fraud => Outcome::RecipientBad,
            Self::Content => Outcome::ContentBad,
            Self::Configuration => Outcome::ConfigurationBad,
            Self::Quota => Outcome::QuotaGone,
            Self::Soon | Self::Later => Outcome::Retry { after },
        }
    }

    /// Whether an answer of this status can mean it. Nobody's number, and no text, is bad because a login is, or because
    /// the account may not use the API or is not there, or because Twilio is in trouble; a redirection is none of
    /// Twilio's answers; and no code says for certain that a 5xx other than 500 and 503 is Twilio's.
    const fn may_come_with(self, status: u16) -> bool {
        match status {
            401 => matches!(self, Self::Configuration),
            403 | 404 => matches!(self, Self::Configuration | Self::Quota | Self::Soon),
            300..=399 | 501 | 502 | 504..=599 => false,
            500 | 503 => matches!(self, Self::Quota | Self::Soon | Self::Later),
            _ => true,
        }
    }
}

/// A code and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The code, as in an error's `code` and a receipt's `ErrorCode`.
    pub code: u32,
    /// Of what kind it is.
    pub class: Class,
    /// What it means, in words of ours: part of a sentence, without a full stop.
    pub told: &'static str,
}

/// All codes that are known, in their order.
pub const TABLE: &[Entry] = &[
    entry(20003, Class::Configuration, "the credentials are not accepted"),
    entry(20404, Class::Configuration, "the account is not known to these credentials"),
    entry(20429, Class::Soon, "too many requests at a time"),
    entry(20500, Class::Soon, "Twilio has internal trouble"),
    entry(20503, Class::Soon, "Twilio is not available"),
    entry(21211, Class::Recipient, "the number is not valid"),
    entry(21212, Class::Configuration, "the sender is not valid"),
    entry(21265, Class::Recipient, "the number is a short code, which gets no texts"),
    entry(21266, Class::Recipient, "the number is the sender's own"),
    entry(21267, Class::Configuration, "a trial account may not send under a name"),
    entry(21268, Class::Recipient, "the number is of a premium or information service"),
    entry(21408, Class::Recipient, "the account is not open for texts to the number's country"),
    entry(21602, Class::Content, "the text is empty"),
    entry(21603, Class::Configuration, "the sender is missing"),
    entry(21606, Class::Configuration, "the sender is not the account's, or not fit for the country"),
    entry(21608, Class::Configuration, "a trial account may send to verified numbers only"),
    entry(21609, Class::Configuration, "the address for receipts is not valid"),
    entry(21610, Class::Recipient, "the recipient has told this sender to stop"),
    entry(21611, Class::Quota, "the sender's queue is full"),
    entry(21612, Class::Recipient, "there is no way from this sender to this number"),
    entry(21614, Class::Recipient, "the number cannot get texts"),
    entry(21617, Class::Content, "the text is too long"),
    entry(21635, Class::Recipient, "the number is a landline"),
    entry(21658, Class::Content, "the text is too long"),
    entry(21659, Class::Configuration, "the sender is no number of Twilio's"),
    entry(21660, Class::Configuration, "the sender belongs to another account"),
    entry(21661, Class::Configuration, "the sender cannot send texts"),
    entry(21701, Class::Configuration, "the messaging service does not exist"),
    entry(21703, Class::Configuration, "the messaging service has no sender"),
    entry(30001, Class::Quota, "the queue is full"),
    entry(30002, Class::Configuration, "the account is suspended"),
    entry(30003, Class::Later, "the handset is switched off or out of reach"),
    entry(30004, Class::Recipient, "the number is blocked for texts"),
    entry(30005, Class::Recipient, "the number is not known or not in service"),
    entry(30006, Class::Recipient, "the number is a landline, or its carrier is out of reach"),
    entry(30007, Class::Content, "Twilio or the carrier took the text for spam"),
    entry(30008, Class::Later, "it was not delivered, and the carrier does not say why"),
    entry(30022, Class::Later, "the rate that the carriers allow for this sender is exceeded"),
    entry(30034, Class::Configuration, "the sender is not registered with the carriers of the United States"),
    entry(30036, Class::Later, "it was still in the queue when its time was over"),
    entry(30450, Class::Fraud, "blocked as fraud, with the whole destination, for some minutes"),
    entry(30453, Class::Fraud, "blocked as fraud, with the whole destination, for some hours"),
    entry(30454, Class::Quota, "a trial account's limit of messages is reached"),
    entry(63038, Class::Quota, "the account's limit of messages a day is reached"),
];

const fn entry(code: u32, class: Class, told: &'static str) -> Entry {
    Entry { code, class, told }
}

/// What is known of a code.
#[must_use]
pub fn explain(code: u32) -> Option<&'static Entry> {
    TABLE.binary_search_by_key(&code, |entry| entry.code).ok().and_then(|index| TABLE.get(index))
}

/// What became of a request that was answered.
pub(crate) fn report(answer: &Answer) -> Report {
    let http = format!("HTTP {}", answer.status);
    if (200..=299).contains(&answer.status) {
        // The body echoes the text: nothing of it is told.
        let said = Said::line(http);
        return match sid(&answer.body) {
            Some(id) => Report::accepted(id, said),
            None => {
                Report::of(Outcome::Unknown, "Twilio took something, and does not say under which id", said)
            }
        };
    }
    let failure = Failure::read(&answer.body);
    let mut said = Said::line(&http);
    failure.code.iter().for_each(|code| said.add(format!("Twilio {code}")));
    failure.words.into_iter().for_each(|words| said.add(words));
    let after = answer.retry_after.map(|after| after.min(LONGEST_WAIT));
    let known = failure.code.and_then(explain);
    if let Some(entry) = known.filter(|entry| entry.class.may_come_with(answer.status)) {
        return Report::of(
            entry.class.outcome(after),
            format!("Twilio {}: {}", entry.code, entry.told),
            said,
        );
    }
    let (outcome, told) = by_status(answer.status, failure.code.is_some(), after);
    let who = failure.code.map_or_else(|| "Twilio".to_owned(), |code| format!("Twilio {code}"));
    let besides = known.map_or_else(String::new, |entry| format!("; the code alone means: {}", entry.told));
    Report::of(outcome, format!("{who}: {told} ({http}){besides}"), said)
}

/// The rule for answers whose code says nothing; `coded` is whether there is one of Twilio's at all.
///
/// A 400 of an unknown code is for good, and blames the message alone: not the recipient, whose number may be well, and
/// not the gateway, which would then be lost to everybody. Other refusals, redirections among them, mean that something
/// else than Twilio's API answers, or that the account may not use it.
const fn by_status(status: u16, coded: bool, after: Option<Duration>) -> (Outcome, &'static str) {
    match status {
        408 | 425 | 429 => (Outcome::Retry { after }, "asked to try later"),
        500 | 503 if coded => (Outcome::Retry { after }, "in trouble"),
        500..=599 => (Outcome::Unknown, "in trouble, and may have taken the text"),
        400 | 409 | 413 | 414 | 422 => (Outcome::ContentBad, "refused the message"),
        401 | 403 => (Outcome::ConfigurationBad, "refused the credentials"),
        404 => (Outcome::ConfigurationBad, "does not know the account"),
        300..=399 => (Outcome::ConfigurationBad, "sent us elsewhere"),
        402..=499 => (Outcome::ConfigurationBad, "refused the request"),
        _ => (Outcome::Unknown, "answered in no known way"),
    }
}

/// The id of a message that was taken: `SM` or `MM` and 32 hexadecimal digits.
fn sid(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Created {
        sid: String,
    }

    let Created { sid } = serde_json::from_slice(body).ok()?;
    let digits = sid.strip_prefix("SM").or_else(|| sid.strip_prefix("MM"))?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(sid)
}

/// An error in either of the forms that Twilio gives it: its own, or that of RFC 9457 section 3.
#[derive(Default)]
struct Failure {
    code: Option<u32>,
    words: Vec<String>,
}

impl Failure {
    /// Reads what can be read; a proxy's page of HTML gives nothing.
    fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(members)) = serde_json::from_slice(body) else { return Self::default() };
        let code = match members.get("code") {
            Some(Value::Number(number)) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let words = ["message", "title", "detail"].into_iter();
        let words = words.filter_map(|name| members.get(name)?.as_str().map(str::to_owned));
        Self { code: code.filter(|code| CODES.contains(code)), words: words.collect() }
    }
}
