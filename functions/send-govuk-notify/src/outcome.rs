//! What GOV.UK Notify's answers mean, in one table.
//!
//! Status and type of an error decide. Its message is looked at three times only: a `ValidationError` begins with the
//! name of the member that it is about; of the reasons for a 403 the clock is the one that we can do something about;
//! and a `BadRequestError` about the length of a text, or about an empty one, is the message's own.
//!
//! Length is checked before anything is sent, and so is the template; but Notify counts in its own way, and a template
//! may have changed since. What remains of `BadRequestError` is between the gateway's settings and the service: the
//! template, the sender, a team's key, trial mode, texts abroad.
//!
//! Trouble over there (5xx) at the request for a text may come after the text was taken. So the sender looks for it, and
//! tries again only where Notify itself says that it failed, and then has no such text; the rest stays open, because a
//! second text must not go out by our doubt. Notify itself speaks in its own form: JSON with `status_code` and `errors`.
//! What comes in another form, and any 502 or 504, may be a proxy's word while Notify is still at work.

use std::time::Duration;

use otpost_domain::outcome::Outcome;

use crate::wire::{self, Fault};

/// What is to be done about an answer. Of several errors in one answer the one decides whose class is the last here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The number takes no texts.
    Recipient,
    /// It takes no such text.
    Content,
    /// Notify may take it later.
    Retry,
    /// What the service may send today is used up.
    Quota,
    /// The clocks differ: a token of the right time may do.
    Clock,
    /// An operator has to mend something.
    Configuration,
}

impl Class {
    /// As senders tell it; `after` is how long Notify wants to be left alone.
    #[must_use]
    pub const fn outcome(self, after: Option<Duration>) -> Outcome {
        match self {
            Self::Recipient => Outcome::RecipientBad,
            Self::Content => Outcome::ContentBad,
            Self::Retry => Outcome::Retry { after },
            Self::Quota => Outcome::QuotaGone,
            Self::Clock | Self::Configuration => Outcome::ConfigurationBad,
        }
    }
}

/// What the message of an error has to say for a row to be about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Anything.
    Any,
    /// This is its first word.
    Begins(&'static str),
    /// This word is in it, in any case.
    Names(&'static str),
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// First and last status that it is about.
    pub status: (u16, u16),
    /// Type of the error; none for an answer that names no type, or one that no other row has.
    pub error: Option<&'static str>,
    /// What its message has to say.
    pub message: Message,
    /// What is to be done.
    pub class: Class,
    /// What it means, in words of ours.
    pub means: &'static str,
}

/// Of an error with a type.
const fn error(status: u16, error: &'static str, message: Message, class: Class, means: &'static str) -> Row {
    Row { status: (status, status), error: Some(error), message, class, means }
}

/// Of answers that no row before it is about.
const fn other(status: (u16, u16), class: Class, means: &'static str) -> Row {
    Row { status, error: None, message: Message::Any, class, means }
}

/// All that is known of Notify's answers other than 2xx. The first row that fits counts; the last fits everything.
pub const TABLE: &[Row] = {
    use Class::{Clock, Configuration, Content, Quota, Recipient, Retry};
    use Message::{Any, Begins, Names};
    &[
        error(400, "ValidationError", Begins("phone_number"), Recipient, "the number is not one of a mobile"),
        error(400, "ValidationError", Begins("template_id"), Configuration, "the template's id is not taken"),
        error(400, "ValidationError", Begins("sms_sender_id"), Configuration, "the sender's id is not taken"),
        error(400, "ValidationError", Begins("personalisation"), Configuration, "the values are not taken"),
        error(400, "ValidationError", Begins("reference"), Configuration, "the reference is not taken"),
        error(400, "ValidationError", Begins("Additional"), Configuration, "a member is not known there"),
        // A member that is new to us, or one of mails: this sender writes texts.
        error(400, "ValidationError", Any, Configuration, "the request is not of the form that it wants"),
        // Not in its documentation.
        error(400, "InvalidPhoneError", Any, Recipient, "the number is one of a landline, or takes no texts"),
        // It goes on with names of the template's places, which may be any words.
        error(
            400,
            "BadRequestError",
            Names("missing"),
            Configuration,
            "the template has a place that nobody fills",
        ),
        error(400, "BadRequestError", Names("character"), Content, "the text is too long"),
        error(400, "BadRequestError", Names("empty"), Content, "nothing is left of the text"),
        error(400, "BadRequestError", Names("blank"), Content, "the text is blank"),
        error(
            400,
            "BadRequestError",
            Any,
            Configuration,
            "the template, its sender or the service forbids it",
        ),
        // Documented as 403 alone.
        error(401, "AuthError", Any, Configuration, "it does not see who asks"),
        error(403, "AuthError", Names("clock"), Clock, "the clocks differ by more than 30 seconds"),
        error(403, "AuthError", Any, Configuration, "the API key is not taken, or its service is archived"),
        error(404, "NoResultFound", Any, Configuration, "it has nothing of that id"),
        error(429, "RateLimitError", Any, Retry, "more requests in a minute than the service may make"),
        error(429, "TooManyRequestsError", Any, Quota, "the service's texts of today are used up"),
        other((400, 400), Configuration, "it does not take the request"),
        other((401, 403), Configuration, "it does not let the request in"),
        // An unknown route is told in a form of its own.
        other((404, 405), Configuration, "there is no such route: is the base URL that of Notify?"),
        other((408, 408), Retry, "it waited too long for the request"),
        other((429, 429), Retry, "too many requests"),
        // At the request for a text only as far as `given_up` says.
        other((500, 599), Retry, "it has trouble of its own"),
        other((300, 399), Configuration, "it sends us elsewhere, where we do not follow"),
        other((0, u16::MAX), Configuration, "an answer that nobody expects"),
    ]
};

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is to be done.
    pub class: Class,
    /// Why, in words of ours, with Notify's status and type.
    pub why: String,
}

/// What an answer other than 2xx means. Of several errors the worst for us decides, in the order of [`Class`]:
/// configuration (the clock among it) before quota, before a later try, before the text, before the recipient; of equals
/// the first. So no number is held to be bad beside a fault that may be ours.
pub(crate) fn verdict(status: u16, faults: &[Fault]) -> Verdict {
    let judged = faults.iter().map(|fault| judge(status, Some(fault)));
    let worst = judged.reduce(|worst, next| if next.class > worst.class { next } else { worst });
    worst.unwrap_or_else(|| judge(status, None))
}

/// Whether trouble (5xx) is Notify's own word that it failed. Otherwise it may still be at work, or done.
pub(crate) fn given_up(status: u16, body: &[u8]) -> bool {
    !matches!(status, 502 | 504) && wire::is_own(status, body)
}

fn judge(status: u16, fault: Option<&Fault>) -> Verdict {
    let Some(row) = TABLE.iter().find(|row| row.fits(status, fault)) else {
        return Verdict { class: Class::Configuration, why: format!("GOV.UK Notify {status}") };
    };
    let error = fault.and_then(Fault::code).map_or_else(String::new, |code| format!(" {code}"));
    let member = match row.message {
        Message::Begins(word) => format!(" {word}"),
        Message::Any | Message::Names(_) => String::new(),
    };
    Verdict { class: row.class, why: format!("GOV.UK Notify {status}{error}{member}: {}", row.means) }
}

impl Row {
    fn fits(&self, status: u16, fault: Option<&Fault>) -> bool {
        let (first, last) = self.status;
        let message = fault.map_or("", Fault::message);
        let said = match self.message {
            Message::Any => true,
            Message::Begins(word) => first_word(message) == word,
            Message::Names(word) => message.to_ascii_lowercase().contains(word),
        };
        let typed = self.error.is_none_or(|error| fault.is_some_and(|fault| fault.error() == error));
        (first..=last).contains(&status) && typed && said
    }
}

fn first_word(message: &str) -> &str {
    message.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}
