//! What is written to GOV.UK Notify, and what is read from it.

use otpost_domain::gateway::{GovukNotify, Placeholder, Uuid};
use otpost_domain::outcome::Said;
use otpost_service::provider::OutgoingText;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

/// How many errors of one answer are looked at.
const MOST_FAULTS: usize = 8;
/// How many characters of what an error says are handed on.
const MOST_SAID: usize = 400;

#[derive(Serialize)]
struct Text<'a> {
    phone_number: &'a str,
    template_id: &'a str,
    personalisation: Personalisation<'a>,
    reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_sender_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Personalisation<'a> {
    Message(&'a str),
    Code(&'a str),
}

/// The body of a request that sends `value` to `to`.
pub(crate) fn text(
    settings: &GovukNotify,
    to: &OutgoingText,
    value: &str,
    reference: &str,
) -> Option<Zeroizing<Vec<u8>>> {
    let text = Text {
        phone_number: to.to.expose(),
        template_id: settings.template_id.as_str(),
        personalisation: match settings.placeholder {
            Placeholder::Message => Personalisation::Message(value),
            Placeholder::Code => Personalisation::Code(value),
        },
        reference,
        sms_sender_id: settings.sms_sender_id.as_ref().map(Uuid::as_str),
    };
    serde_json::to_vec(&text).ok().map(Zeroizing::new)
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

/// The id of a text that was taken; none if the answer has none that is a UUID.
pub(crate) fn taken(body: &[u8]) -> Option<String> {
    serde_json::from_slice::<Taken>(body).ok().and_then(|taken| id(&taken.id))
}

#[derive(Deserialize)]
struct List {
    notifications: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    id: String,
    reference: Option<String>,
}

/// An answer does not tell whether Notify has a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unclear;

/// The id of the text with this reference in the list of notifications under it; none if the list is empty.
///
/// # Errors
/// When it is no such list, or has other texts, or one whose id is no UUID.
pub(crate) fn known(body: &[u8], reference: &str) -> Result<Option<String>, Unclear> {
    let list: List = serde_json::from_slice(body).map_err(|_| Unclear)?;
    if list.notifications.is_empty() {
        return Ok(None);
    }
    let mut own = list.notifications.iter().filter(|row| row.reference.as_deref() == Some(reference));
    own.find_map(|row| id(&row.id)).map(Some).ok_or(Unclear)
}

/// Ids are kept and logged, so nothing but a UUID is one.
fn id(text: &str) -> Option<String> {
    Uuid::try_from(text).ok().map(|id| id.as_str().to_owned())
}

/// An error of an answer. What it says may echo a number or a text, so it has no `Debug`.
pub(crate) struct Fault {
    error: String,
    message: Zeroizing<String>,
}

impl Fault {
    fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let fault = Self { error: text("error"), message: Zeroizing::new(text("message")) };
        (!fault.error.is_empty() || !fault.message.is_empty()).then_some(fault)
    }

    /// Its type; empty if it has none.
    pub(crate) fn error(&self) -> &str {
        &self.error
    }

    /// Its type, where it looks like one and not like something that was echoed.
    pub(crate) fn code(&self) -> Option<&str> {
        let good =
            (1..=40).contains(&self.error.len()) && self.error.bytes().all(|b| b.is_ascii_alphabetic());
        good.then_some(self.error.as_str())
    }

    /// What it says.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// The errors of an answer: the list `errors`, or the answer itself where it is told in another form.
pub(crate) fn faults(body: &[u8]) -> Vec<Fault> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    match body.get("errors").and_then(Value::as_array) {
        Some(errors) => errors.iter().filter_map(Fault::of).take(MOST_FAULTS).collect(),
        None => Fault::of(&body).into_iter().collect(),
    }
}

#[derive(Deserialize)]
struct Refused {
    status_code: u16,
    errors: Vec<Value>,
}

/// Whether an error of this status is told in the form of Notify's API, and so not by a proxy before it.
pub(crate) fn is_own(status: u16, body: &[u8]) -> bool {
    serde_json::from_slice::<Refused>(body).is_ok_and(|refused| {
        let mut faults = refused.errors.iter().filter_map(Fault::of);
        refused.status_code == status && faults.any(|fault| fault.code().is_some())
    })
}

/// What an answer said: its status, and a line for each error.
pub(crate) fn said(status: u16, faults: &[Fault]) -> Said {
    let mut said = Said::line(format!("HTTP {status}"));
    for fault in faults {
        let message: String = fault.message.chars().take(MOST_SAID).collect();
        let error: String = fault.error.chars().take(MOST_SAID).collect();
        said.add(if error.is_empty() { message } else { format!("{error}: {message}") });
    }
    said
}
