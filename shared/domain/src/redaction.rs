//! What may be kept, and shown to operators, of what a provider said.
//!
//! A provider may echo whatever it was sent: the recipient, the code, the whole text, what proves who asks. [`Redaction`]
//! knows what was secret of one request and hides it in each form in which a protocol carries it, then whatever else looks
//! like a secret or a person's. What is left are lines of words, status codes, ids and hosts.
//!
//! ```
//! use otpost_domain::contact::PhoneNumber;
//! use otpost_domain::outcome::Said;
//! use otpost_domain::redaction::Redaction;
//!
//! let to = PhoneNumber::try_from("+447700900123").unwrap();
//! let redaction = Redaction::new().recipient(&to).hide("314159", "[code]");
//! let said = Said::line("Error 21610: 07700 900123 takes no \"Your code is 314159\", see jane@example.org");
//! assert_eq!(
//!     redaction.lines(&said),
//!     ["Error 21610: +44***123 takes no \"Your code is [code]\", see j***@e***.org"]
//! );
//! ```

mod base64;
mod credentials;
mod general;
mod links;
mod marks;
mod numbers;
mod search;
mod view;

use std::borrow::Cow;
use std::fmt;

use self::marks::Mark;
use self::search::Secret;
use self::view::View;
use crate::contact::{EmailAddress, PhoneNumber};
use crate::gateway::{Credentials, Part};
use crate::outcome::Said;
use crate::secret::SecretText;

/// Most lines that are kept of one request.
pub const MOST_LINES: usize = 40;
/// Most characters of a line.
pub const MOST_OF_LINE: usize = 240;
/// What stands for a line that cannot be shown otherwise.
const HIDDEN: &str = "[hidden]";

/// Whom a message was for.
#[derive(Clone, Copy, Debug)]
pub enum Recipient<'a> {
    /// Whoever reads a mailbox.
    Email(&'a EmailAddress),
    /// Whoever has a telephone.
    Phone(&'a PhoneNumber),
}

impl<'a> From<&'a EmailAddress> for Recipient<'a> {
    fn from(address: &'a EmailAddress) -> Self {
        Self::Email(address)
    }
}

impl<'a> From<&'a PhoneNumber> for Recipient<'a> {
    fn from(number: &'a PhoneNumber) -> Self {
        Self::Phone(number)
    }
}

/// What is secret of one request.
///
/// A value that was named is in none of the lines, whatever its letters' case: not as it is, not in base64 by itself or
/// with other things around it, not percent-encoded, not as JSON escapes it. Values of fewer than four characters count
/// as whole words only. Blanks count as one however many there are, and control characters as blanks.
#[derive(Default)]
pub struct Redaction {
    secrets: Vec<Secret>,
}

impl Redaction {
    /// Nothing is secret yet. Even so, addresses, numbers, links' queries and credentials are hidden.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The words of a message, shown as `[text]`; so is a part of 20 characters or more.
    #[must_use]
    pub fn text(mut self, text: &SecretText) -> Self {
        self.secrets.extend(Secret::text(text.expose(), "[text]"));
        self
    }

    /// Any other value, and what stands in its place. One of digits alone is also found with blanks, hyphens, dots or
    /// brackets between them.
    #[must_use]
    pub fn hide(self, value: &str, shown_as: &'static str) -> Self {
        self.value(value, shown_as)
    }

    /// Whom the message was for, shown masked. A number is also found without its plus, with 00 in its place, in its
    /// national form, and with blanks, hyphens, dots or brackets between its digits: its last seven digits will do.
    #[must_use]
    pub fn recipient<'a>(mut self, to: impl Into<Recipient<'a>>) -> Self {
        match to.into() {
            Recipient::Email(address) => self.value(address.expose(), &address.masked()),
            Recipient::Phone(number) => {
                self.secrets.push(Secret::phone(number));
                self
            }
        }
    }

    /// What proves to the provider who asks: each part by itself, and as it stands in a request, shown as `[password]`
    /// and the like.
    #[must_use]
    pub fn credentials(mut self, credentials: &Credentials) -> Self {
        match credentials {
            // Both may be so short that they count as words only; together, as SASL PLAIN has them (RFC 4616 section 2),
            // they do not.
            Credentials::Smtp { user, password } => {
                let both = SecretText::new(format!("{}\0{}", user.expose(), password.expose()));
                self = self.value(both.expose(), &shown(Part::Password));
            }
            Credentials::GovukNotify { api_key, .. } => {
                self = self.value(api_key.secret(), &shown(Part::ApiKey));
            }
            Credentials::Twilio(_) | Credentials::EmailToSms { .. } => (),
        }
        let parts = credentials.parts().into_iter();
        parts.fold(self, |all, (part, text)| all.value(text.expose(), &shown(part)))
    }

    /// What may be kept of what the provider said: at most 40 lines of at most 240 characters, without control characters
    /// and without those that turn the direction of writing. Of more lines the middle is left out, and one line tells how
    /// many these were.
    #[must_use]
    pub fn lines(&self, said: &Said) -> Vec<String> {
        let raw = said.raw();
        if raw.len() <= MOST_LINES {
            return raw.iter().map(|line| self.line(line)).collect();
        }
        let (head, tail) = (MOST_LINES / 2, MOST_LINES - MOST_LINES / 2 - 1);
        let left_out = format!("[{} more lines]", raw.len() - head - tail);
        let first = raw.iter().take(head).map(|line| self.line(line));
        let last = raw.iter().skip(raw.len() - tail).map(|line| self.line(line));
        first.chain([self.checked(left_out)]).chain(last).collect()
    }

    fn value(mut self, value: &str, shown: &str) -> Self {
        self.secrets.extend(Secret::value(value, shown));
        self
    }

    fn line(&self, raw: &str) -> String {
        let source = View::of(raw);
        let readings = source.readings();
        let mut found: Vec<_> = readings.iter().flat_map(|view| self.found(view)).collect();
        let secret = marks::merged(found.clone());
        for view in readings.iter().filter(|view| !view.plus_is_blank) {
            let rest = view.without(&secret);
            found.extend(
                general::found(&rest).into_iter().filter_map(|(range, shown)| view.mark(range, shown, false)),
            );
        }
        let line = marks::written(&source.chars, &marks::merged(found));
        self.checked(cut(line.trim()))
    }

    /// Where the secrets are in one reading of a line.
    fn found<'s>(&'s self, view: &View) -> Vec<Mark<'s>> {
        let (folded, runs) = (view.folded(), base64::runs(&view.chars));
        let mut found = Vec::new();
        for secret in &self.secrets {
            let encoded = runs.iter().filter(|run| run.hold(secret)).map(|run| run.range.clone());
            let hits = secret.hits(&folded).into_iter().chain(encoded);
            found.extend(hits.filter_map(|range| view.mark(range, Cow::Borrowed(secret.shown()), true)));
        }
        found
    }

    /// `line`, unless it still holds a secret: by what stands in the place of another, for instance.
    fn checked(&self, line: String) -> String {
        let holds = |line: &str| View::of(line).readings().iter().any(|view| !self.found(view).is_empty());
        if !holds(&line) {
            line
        } else if holds(HIDDEN) {
            String::new()
        } else {
            HIDDEN.to_owned()
        }
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redaction({} values)", self.secrets.len())
    }
}

fn shown(part: Part) -> String {
    format!("[{}]", part.as_str())
}

fn cut(line: &str) -> String {
    if line.chars().count() <= MOST_OF_LINE {
        line.to_owned()
    } else {
        line.chars().take(MOST_OF_LINE - 1).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
