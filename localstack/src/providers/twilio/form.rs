//! What a request may ask for.

use percent_encoding::percent_decode_str;

use super::answer::Fault;

/// A text as it was asked for.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) to: String,
    pub(super) from: Option<String>,
    pub(super) service: Option<String>,
    pub(super) body: String,
    pub(super) validity: u32,
    pub(super) status_callback: Option<String>,
}

impl Message {
    /// Reads a form and checks it as Twilio does.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let bad = |code, message| Fault::new(400, code, message);
        let form = pairs(bytes).ok_or(Fault { status: 400, message: "Not a form", ..Fault::default() })?;
        let field = |name: &str| {
            let found = form.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let to = field("To").ok_or(bad(21604, "A 'To' phone number is required."))?;
        if !is_number(&to) {
            return Err(bad(21211, "Invalid 'To' Phone Number"));
        }
        let (from, service) = (field("From"), field("MessagingServiceSid"));
        match from.as_deref() {
            None if service.is_none() => return Err(bad(21603, "A 'From' phone number is required.")),
            Some("+15005550001") => return Err(bad(21212, "Invalid 'From' number")),
            Some("+15005550007") => {
                return Err(bad(21606, "The 'From' number is not valid for your account"));
            }
            Some("+15005550008") => return Err(bad(21611, "The 'From' number has exceeded its queue")),
            Some(from) if from == to => return Err(bad(21266, "'To' and 'From' must not be the same")),
            Some(from) if !is_sender(from) => return Err(bad(21212, "Invalid 'From' number")),
            _ => (),
        }
        if service.as_deref().is_some_and(|service| sid(service, "MG").is_none()) {
            return Err(bad(21701, "The Messaging Service does not exist"));
        }
        let body = field("Body").filter(|body| !body.trim().is_empty());
        let body = body.ok_or(bad(21602, "Message body is required."))?;
        if body.chars().count() > 1600 {
            return Err(bad(21617, "The message body exceeds the 1600 character limit"));
        }
        let validity = match field("ValidityPeriod") {
            Some(text) => {
                text.parse().map_err(|_| bad(90014, "Validity period should be a positive integer"))?
            }
            None => 36_000,
        };
        if !(1..=36_000).contains(&validity) {
            return Err(bad(90007, "Invalid validity period value"));
        }
        let status_callback = field("StatusCallback");
        if status_callback.as_deref().is_some_and(|url| !is_callback(url)) {
            return Err(bad(21609, "The 'StatusCallback' URL is not a valid URL"));
        }
        Ok(Self { to, from, service, body, validity, status_callback })
    }
}

/// The pairs of a form (WHATWG URL section 5.1), if it is one of UTF-8.
fn pairs(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let text = |part: &str| {
        let part = part.replace('+', " ");
        percent_decode_str(&part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let form = str::from_utf8(bytes).ok()?.split('&').filter(|pair| !pair.is_empty());
    form.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((text(name)?, text(value)?))
    })
    .collect()
}

/// E.164: `+`, a digit from 1, and up to 14 more.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0')
}

/// A number, a short code, or a name of at most 11 characters with a letter in it.
fn is_sender(text: &str) -> bool {
    let short_code = (3..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let name = (1..=11).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" +-_&".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic());
    is_number(text) || short_code || name
}

/// A whole http or https URL of at most 4,000 characters without underscores in its host.
fn is_callback(text: &str) -> bool {
    let url = reqwest::Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    text.len() <= 4_000 && !host.is_empty() && !host.contains('_')
}

/// `text`, if it is an identifier of Twilio's: two letters for what it is of, and 32 hexadecimal digits.
pub(super) fn sid<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let digits = text.strip_prefix(prefix)?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(text)
}
