//! What an operator writes of a template.

use super::form::{EmailForm, EmailTexts, From, SmsForm};
use super::{TemplateFault, TemplateKind, Values};
use crate::document::{Faults, Member as _, Members, Place, Value};
use crate::plain::plain;

/// The texts of a template: an e-mail form, an SMS form, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateDocument {
    /// The e-mail form.
    pub email: Option<EmailForm>,
    /// The SMS form.
    pub sms: Option<SmsForm>,
}

impl TemplateDocument {
    /// Reads and checks a document for a template of `kind`. Lines may end with LF or CRLF. `usual` values tell how long
    /// a text message will be.
    ///
    /// # Errors
    /// All that is wrong with it, with lines and columns where it is in a text.
    pub fn read(kind: TemplateKind, value: &Value, usual: &Values<'_>) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Self::read_members(value, &mut faults);
        let read = read.map(|(email, sms)| Self {
            email: email.and_then(|texts| told(EmailForm::parse(kind, texts), &mut faults)),
            sms: sms.and_then(|text| told(SmsForm::parse(kind, &text, usual), &mut faults)),
        });
        faults.or(read)
    }

    /// A document that was checked when it was saved, whatever the rules are now.
    ///
    /// # Errors
    /// When it has not even the shape of one.
    pub fn checked_before(value: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Self::read_members(value, &mut faults).map(|(email, sms)| Self {
            email: email.map(EmailForm::checked_before),
            sms: sms.map(|text| SmsForm::checked_before(&text)),
        });
        faults.or(read)
    }

    fn read_members(value: &Value, faults: &mut Faults) -> Option<(Option<EmailTexts>, Option<String>)> {
        let root = Place::root();
        let mut members = Members::of(value, &root, faults)?;
        let given = ["email", "sms"].map(|form| members.value(form).is_some());
        if given == [false, false] {
            faults.add(&root, "must have an email form, an sms form, or both");
        }
        let email = members.with("email", faults, email);
        let sms = members.with("sms", faults, |value, at, faults| {
            let mut members = Members::of(value, at, faults)?;
            let text = text(&mut members, "text", "the text of the message", faults);
            members.done(faults);
            text
        });
        members.done(faults);
        Some((email, sms))
    }

    /// The document as it is written.
    #[must_use]
    pub fn write(&self) -> Value {
        let email = self.email.as_ref().map(|form| ("email", written(form.texts())));
        let sms = self.sms.as_ref().map(|form| ("sms", Value::object([("text", Value::text(form.text()))])));
        Value::object(email.into_iter().chain(sms))
    }

    /// Bytes of its texts.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let email = self.email.as_ref().map(EmailForm::texts).map_or(0, |texts| {
            texts.subject.len() + texts.text.len() + texts.html.map_or(0, |html| html.len())
        });
        let sms = self.sms.as_ref().map_or(0, |form| form.text().len());
        u64::try_from(email + sms).unwrap_or(u64::MAX)
    }
}

fn email(value: &Value, at: &Place, faults: &mut Faults) -> Option<EmailTexts> {
    let mut members = Members::of(value, at, faults)?;
    let from = members.with("from", faults, |value, at, faults| {
        let mut members = Members::of(value, at, faults)?;
        let from =
            From { name: members.optional("name", faults), address: members.optional("address", faults) };
        members.done(faults);
        Some(from)
    });
    let subject = text(&mut members, "subject", "the subject", faults);
    let plain_text = text(&mut members, "text", "the plain text, which is read where HTML is not", faults);
    let html: Option<String> = members.optional("html", faults);
    let qr_alt = members.with("qr_alt", faults, |value, at, faults| {
        let text = String::read(value, at, faults)?;
        let plain = plain(&text, 128).filter(|plain| !plain.contains("[["));
        if plain.is_none() {
            faults.add(at, "must be 1 to 128 characters without control characters and wildcards");
        }
        plain
    });
    members.done(faults);
    let html = html.map(|html| html.replace("\r\n", "\n"));
    Some(EmailTexts { from: from.unwrap_or_default(), subject: subject?, text: plain_text?, html, qr_alt })
}

fn text(members: &mut Members<'_>, name: &'static str, what: &str, faults: &mut Faults) -> Option<String> {
    if members.value(name).is_none() {
        faults.add(&members.place(name), format!("must be given: {what}"));
    }
    let text: Option<String> = members.optional(name, faults);
    // A form's editor may send other line ends than were given to it.
    text.map(|text| text.replace("\r\n", "\n"))
}

fn told<T>(parsed: Result<T, Vec<TemplateFault>>, faults: &mut Faults) -> Option<T> {
    match parsed {
        Ok(form) => Some(form),
        Err(found) => {
            for TemplateFault { part, line, column, what } in found {
                let place = part.members().iter().fold(Place::root(), |at, member| at.member(member));
                faults.add_in_text(&place, (line, column), what.to_string());
            }
            None
        }
    }
}

fn written(texts: EmailTexts) -> Value {
    let EmailTexts { from: From { name, address }, subject, text, html, qr_alt } = texts;
    let mut members = vec![("subject", Value::text(subject)), ("text", Value::text(text))];
    members.extend(html.map(|html| ("html", Value::text(html))));
    members.extend(qr_alt.map(|alt| ("qr_alt", Value::text(alt))));
    let name = name.map(|name| ("name", name.write()));
    let from: Vec<_> = name.into_iter().chain(address.map(|address| ("address", address.write()))).collect();
    if !from.is_empty() {
        members.push(("from", Value::object(from)));
    }
    Value::object(members)
}
