//! Third parties that turn mails into texts.

use super::fields::fields;
use super::pattern::{AddressPattern, BodyPattern, Filling, SubjectPattern, breaks_a_header};
use super::values::{CallingCode, TrunkPrefix};
use crate::contact::{EmailAddress, PhoneNumber};
use crate::document::{Faults, Members, Value, Whole};
use crate::ids::GatewayId;
use crate::named::named;
use crate::policy::words;
use crate::secret::SecretText;

/// Characters that a filled subject may have; a line of a mail has at most 998 (RFC 5322 section 2.1.1).
const MOST_OF_SUBJECT: usize = 255;

named! {
    /// How a number is written in an address.
    pub enum NumberForm {
        /// Calling code and number: 447700900123.
        Digits = "digits",
        /// The same after a plus: +447700900123.
        Plus = "plus",
        /// As it is dialled inside one country: 7700900123, or 07700900123 with its trunk prefix.
        National = "national",
    }
}

words!(NumberForm);

fields! {
    /// A third party that turns mails into texts. The mails go by another gateway, from that gateway's sender.
    pub struct EmailToSms {
        /// The gateway of the kind `ses` or `smtp` that carries the mails.
        via: GatewayId;
        /// The address that the third party reads the number from.
        address: AddressPattern;
        /// How the number is written: `digits` as 447700900123, `plus` as +447700900123, `national` without the calling code.
        number_form: NumberForm = NumberForm::Digits;
        /// With `national`: the calling code that is cut. Numbers of other countries are refused.
        calling_code: Option<CallingCode>;
        /// With `national`: what is put before the number in the calling code's place.
        trunk_prefix: Option<TrunkPrefix>;
        /// The subject; empty where it is left out. A text with line breaks does not fit into it.
        subject: Option<SubjectPattern>;
        /// The body, as plain text.
        body: BodyPattern = BodyPattern::text_alone();
        /// How many characters of a body the third party sends on. A longer body is refused, not cut.
        max_characters: Whole<20, 3060> = Whole::clamped(160);
    }
}

/// A text that is to go as a mail.
#[derive(Clone, Debug)]
pub struct Text<'a> {
    /// To whom.
    pub number: &'a PhoneNumber,
    /// What it says.
    pub text: &'a SecretText,
    /// The PIN of the gateway's credentials.
    pub pin: Option<&'a SecretText>,
}

/// Why a text cannot go as a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The number is too short or too long.
    #[error("the number does not have 8 to 15 digits")]
    Number,
    /// The number is of another country than the one inside which the third party dials.
    #[error("the number does not begin with the gateway's calling code")]
    Abroad,
    /// What comes out is no address.
    #[error("the number and the PIN do not make an e-mail address")]
    Address,
    /// What comes out is no subject.
    #[error("the subject would have line breaks or control characters, or more than 255 characters")]
    Subject,
    /// What comes out is no plain text.
    #[error("the text has control characters")]
    Body,
    /// The third party would cut it.
    #[error("the text with what the gateway puts around it has {found} characters, more than {most}")]
    TooLong {
        /// Characters that it has.
        found: usize,
        /// Characters that it may have.
        most: usize,
    },
    /// A pattern has a place for a PIN, and there is none.
    #[error("the gateway's PIN is not known")]
    NoPin,
}

impl EmailToSms {
    /// Where the mail goes. Whatever number comes, this is one well-formed address.
    ///
    /// # Errors
    /// [`Unfit`], when the number is not fit for it.
    pub fn address(&self, number: &PhoneNumber, pin: Option<&SecretText>) -> Result<EmailAddress, Unfit> {
        let pin = given(self.address.has_pin(), pin)?;
        let number = self.written(number)?;
        let filled = self.address.fill(Filling { number: &number, text: "", pin });
        EmailAddress::try_from(filled.as_str()).map_err(|_| Unfit::Address)
    }

    /// The mail's subject: one line.
    ///
    /// # Errors
    /// [`Unfit`], when the text is not fit for it.
    pub fn subject(&self, text: &Text<'_>) -> Result<SecretText, Unfit> {
        let Some(pattern) = &self.subject else { return Ok(SecretText::new("")) };
        let pin = given(pattern.has_pin(), text.pin)?;
        let number = self.written(text.number)?;
        let filled = pattern.fill(Filling { number: &number, text: text.text.expose().trim(), pin });
        let fits = filled.chars().count() <= MOST_OF_SUBJECT && !filled.chars().any(breaks_a_header);
        if fits { Ok(SecretText::new(filled.as_str())) } else { Err(Unfit::Subject) }
    }

    /// The mail's body. Lines end with LF.
    ///
    /// # Errors
    /// [`Unfit`], when the text is not fit for it.
    pub fn body(&self, text: &Text<'_>) -> Result<SecretText, Unfit> {
        let pin = given(self.body.has_pin(), text.pin)?;
        let number = self.written(text.number)?;
        let lines = zeroize::Zeroizing::new(text.text.expose().replace("\r\n", "\n"));
        let filled = self.body.fill(Filling { number: &number, text: &lines, pin });
        if filled.chars().any(|c| c.is_control() && c != '\n') {
            return Err(Unfit::Body);
        }
        let most = usize::try_from(self.max_characters.get()).unwrap_or(usize::MAX);
        match filled.chars().count() {
            found if found > most => Err(Unfit::TooLong { found, most }),
            _ => Ok(SecretText::new(filled.as_str())),
        }
    }

    /// Whether a pattern has a place for the PIN.
    #[must_use]
    pub fn has_pin(&self) -> bool {
        self.address.has_pin()
            || self.body.has_pin()
            || self.subject.as_ref().is_some_and(SubjectPattern::has_pin)
    }

    /// What decides who is given the PIN. A pattern alone could put it into a text that its author receives.
    pub(super) fn destination(&self) -> Vec<String> {
        let subject = self.subject.as_ref().map_or("", SubjectPattern::as_str);
        [self.via.as_str(), self.address.as_str(), subject, self.body.as_str()].map(str::to_owned).to_vec()
    }

    /// The number as the third party wants it.
    fn written(&self, number: &PhoneNumber) -> Result<String, Unfit> {
        let digits = number.expose().trim_start_matches('+');
        if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Unfit::Number);
        }
        match self.number_form {
            NumberForm::Digits => Ok(digits.to_owned()),
            NumberForm::Plus => Ok(format!("+{digits}")),
            NumberForm::National => {
                let calling_code = self.calling_code.as_ref().map_or("", CallingCode::as_str);
                let rest = digits.strip_prefix(calling_code).ok_or(Unfit::Abroad)?;
                let trunk = self.trunk_prefix.as_ref().map_or("", TrunkPrefix::as_str);
                Ok(format!("{trunk}{rest}"))
            }
        }
    }

    fn check(members: &mut Members<'_>, faults: &mut Faults) {
        let national = members.value("number_form") == Some(&Value::text(NumberForm::National.as_str()));
        if national && members.value("calling_code").is_none() {
            faults.add(&members.place("calling_code"), "must be given where number_form is national");
        }
        for name in ["calling_code", "trunk_prefix"] {
            if !national && members.value(name).is_some() {
                faults.add(&members.place(name), "must not be given unless number_form is national");
            }
        }
    }
}

fn given(needed: bool, pin: Option<&SecretText>) -> Result<&str, Unfit> {
    match pin {
        Some(pin) => Ok(pin.expose()),
        None if needed => Err(Unfit::NoPin),
        None => Ok(""),
    }
}
