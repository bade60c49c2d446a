//! How much of a recipient is shown to whoever waits for a code.

use super::Contact;
use crate::contact::{EmailAddress, PhoneNumber};
use crate::message::Channel;
use crate::named::named;
use crate::numbering::calling_code;

/// Digits behind the calling code from which on the first of them is shown.
const LONG: usize = 7;

named! {
    /// How a recipient is shown to whoever waits for a code.
    pub enum Mask {
        /// `+44 7*** ***123`, `j***@e***.com`.
        Usual = "usual",
        /// `***123`, `***@e***.com`.
        End = "end",
        /// Nothing of it: `***`.
        Hidden = "hidden",
    }
}

impl Mask {
    /// A number in this form.
    #[must_use]
    pub fn number(self, number: &PhoneNumber) -> String {
        let digits = number.expose().trim_start_matches('+');
        let (code, rest) = digits.split_at_checked(calling_code(number)).unwrap_or(("", digits));
        let end = digits.get(digits.len().saturating_sub(3)..).unwrap_or_default();
        match self {
            // Of a short number that would be nearly all.
            Self::Usual if rest.len() < LONG => format!("+{code} *** ***{end}"),
            Self::Usual => format!("+{code} {}*** ***{end}", first(rest)),
            Self::End => format!("***{end}"),
            Self::Hidden => "***".to_owned(),
        }
    }

    /// A mail address in this form.
    #[must_use]
    pub fn email(self, email: &EmailAddress) -> String {
        match self {
            Self::Usual => email.masked(),
            Self::End => {
                let masked = email.masked();
                masked.split_once('@').map_or_else(|| "***".to_owned(), |(_, domain)| format!("***@{domain}"))
            }
            Self::Hidden => "***".to_owned(),
        }
    }

    /// An address in this form.
    #[must_use]
    pub fn contact(self, contact: &Contact) -> String {
        match contact {
            Contact::Email(email) => self.email(email),
            Contact::Phone(phone) => self.number(phone),
        }
    }

    /// What looks like a recipient in this form and is nobody's: made of bytes that are the same for the same name each
    /// time. Numbers look like those of the language's country.
    #[must_use]
    pub fn decoy(self, channel: Channel, bytes: &[u8; 32], language: &str) -> String {
        let [one, two, three, rest @ ..] = bytes;
        match channel {
            Channel::Email => {
                let (name, host) = (letter(*one), letter(*two));
                let top = [".com", ".com", ".com", ".org", ".net", ".co"].get(usize::from(*three) % 6);
                let decoy = format!("{name}nobody@{host}nowhere{}", top.unwrap_or(&".com"));
                EmailAddress::try_from(decoy.as_str())
                    .map_or_else(|_| "***".to_owned(), |email| self.email(&email))
            }
            Channel::Sms => {
                let start = mobile_start(language);
                let digits = rest.iter().chain([one, two, three]).take(9);
                let digits: String = digits.map(|byte| char::from(b'0' + byte % 10)).collect();
                let decoy = format!("{start}{digits}");
                PhoneNumber::try_from(decoy.as_str())
                    .map_or_else(|_| "***".to_owned(), |phone| self.number(&phone))
            }
        }
    }
}

fn first(text: &str) -> &str {
    text.get(..1).unwrap_or_default()
}

/// First letters of names, the frequent ones more often.
fn letter(byte: u8) -> char {
    const LETTERS: &[u8] = b"aaabbccddeeffgghhiijjjkkllmmmmnnooppqrrrsssstttuvwxyz";
    LETTERS.get(usize::from(byte) % LETTERS.len()).copied().map_or('a', char::from)
}

/// What mobile numbers begin with where a language is spoken.
fn mobile_start(language: &str) -> &'static str {
    let language = language.to_ascii_lowercase();
    match language.as_str() {
        "en-us" | "en-ca" => "+12",
        "de-at" => "+436",
        "de-ch" | "fr-ch" | "it-ch" => "+417",
        "nl-be" | "fr-be" => "+324",
        "en-au" => "+614",
        "en-ie" => "+3538",
        _ => match language.split('-').next().unwrap_or_default() {
            "de" => "+491",
            "fr" => "+336",
            "it" => "+393",
            "es" => "+346",
            "nl" => "+316",
            "pl" => "+485",
            "pt" => "+3519",
            "sv" => "+467",
            "da" => "+452",
            _ => "+447",
        },
    }
}
