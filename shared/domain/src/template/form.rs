//! The two forms of a template: e-mail and SMS.

use core::fmt;

use super::filling::Source;
use super::{Colour, FaultKind, Part, TemplateFault, TemplateKind, Wildcard, position_of, sms};
use crate::contact::{DisplayName, EmailAddress};
use crate::secret::SecretText;

/// Parts that one text message may take with usual values: each costs as much as a message.
pub const MOST_PARTS: usize = 4;

/// From whom a template's mails come, where that is not the gateway's own sender.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct From {
    /// The name; the tenant's where none is given.
    pub name: Option<DisplayName>,
    /// The address; the gateway's where none is given, and where the gateway may not use this one.
    pub address: Option<EmailAddress>,
}

/// The texts of an e-mail as an operator writes them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EmailTexts {
    /// From whom.
    pub from: From,
    /// The subject.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The HTML, if there is to be any.
    pub html: Option<String>,
    /// What readers get who do not see the QR picture.
    pub qr_alt: Option<String>,
}

/// The e-mail form of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailForm {
    from: From,
    subject: Source,
    text: Source,
    html: Option<Source>,
    qr_alt: Option<String>,
}

/// The SMS form of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsForm {
    text: Source,
}

/// What the wildcards of one message stand for. Everything is in the reader's language already.
#[derive(Clone, Copy, Default)]
pub struct Values<'a> {
    /// The enrolment link.
    pub link: &'a str,
    /// The authorization code, when this message is to carry one.
    pub authz_code: Option<&'a str>,
    /// The one-time code.
    pub code: &'a str,
    /// The new password.
    pub password: &'a str,
    /// When the link or code stops working, with its time zone.
    pub expires: &'a str,
    /// What the code is for.
    pub purpose: &'a str,
    /// When it happened, with its time zone.
    pub time: &'a str,
    /// The name that the user signs in with.
    pub username: &'a str,
    /// The name that the user is greeted with.
    pub display_name: &'a str,
    /// The name of the organisation.
    pub tenant: &'a str,
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values(redacted)")
    }
}

/// A picture that lies in the same mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    /// The picture's Content-ID without angle brackets (RFC 2392).
    pub cid: &'a str,
    /// Width in CSS pixels.
    pub width: u16,
    /// Height in CSS pixels.
    pub height: u16,
    /// What readers get who do not see the picture.
    pub alt: &'a str,
}

/// How a message looks in HTML.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// What `[[QRCODE]]` shows.
    pub qr: Image<'a>,
    /// What `[[LOGO]]` shows; the tenant's name without it.
    pub logo: Option<Image<'a>>,
    /// What `[[COLOUR]]` says.
    pub colour: Colour,
}

/// An e-mail ready to be sent.
#[derive(Debug, Clone)]
pub struct FilledEmail {
    /// The subject: one line without control characters. Header encoding is the sender's part.
    pub subject: String,
    /// The plain text, with `\n` line ends.
    pub text: SecretText,
    /// The HTML, if the form has any.
    pub html: Option<SecretText>,
}

/// An SMS ready to be sent.
#[derive(Debug, Clone)]
pub struct FilledSms {
    /// The text, without blanks at its end.
    pub text: SecretText,
}

impl EmailForm {
    /// Checks the texts of a form. The plain text and the HTML must each hold what the kind demands.
    ///
    /// # Errors
    /// All faults at once, in the order sender, subject, text, HTML and then of their places.
    pub fn parse(kind: TemplateKind, texts: EmailTexts) -> Result<Self, Vec<TemplateFault>> {
        let has_html = texts.html.is_some();
        let mut faults = Vec::new();
        let mut source = |part, text: &str| {
            Source::parse(kind, part, text, has_html).map_err(|found| faults.extend(found))
        };
        let name = texts.from.name.as_ref().map(|name| source(Part::From, name.as_str())).transpose();
        let subject = source(Part::Subject, &texts.subject);
        let text = source(Part::Text, &texts.text);
        let html = texts.html.as_deref().map(|html| source(Part::Html, html)).transpose();
        let EmailTexts { from, qr_alt, .. } = texts;
        match (name, subject, text, html) {
            (Ok(_), Ok(subject), Ok(text), Ok(html)) => Ok(Self { from, subject, text, html, qr_alt }),
            _ => Err(faults),
        }
    }

    /// A form that was checked when it was saved, whatever the rules are now.
    #[must_use]
    pub fn checked_before(texts: EmailTexts) -> Self {
        let EmailTexts { from, subject, text, html, qr_alt } = texts;
        let source = Source::checked_before;
        Self {
            from,
            subject: source(Part::Subject, &subject),
            text: source(Part::Text, &text),
            html: html.as_deref().map(|html| source(Part::Html, html)),
            qr_alt,
        }
    }

    /// The texts as they were written.
    #[must_use]
    pub fn texts(&self) -> EmailTexts {
        EmailTexts {
            from: self.from.clone(),
            subject: self.subject.as_str().to_owned(),
            text: self.text.as_str().to_owned(),
            html: self.html.as_ref().map(|html| html.as_str().to_owned()),
            qr_alt: self.qr_alt.clone(),
        }
    }

    /// From whom its mails come.
    #[must_use]
    pub const fn from(&self) -> &From {
        &self.from
    }

    /// What readers get who do not see the QR picture.
    #[must_use]
    pub fn qr_alt(&self) -> &str {
        self.qr_alt.as_deref().unwrap_or("QR code")
    }

    /// Whether its HTML shows this picture.
    #[must_use]
    pub fn shows(&self, picture: Wildcard) -> bool {
        self.html.as_ref().is_some_and(|html| html.holds(picture))
    }

    /// Whether each of its texts shows an authorization code, whichever the reader reads.
    #[must_use]
    pub fn shows_authz_code(&self) -> bool {
        let html = self.html.as_ref().is_none_or(|html| html.shows(Part::Html, Wildcard::AuthzCode, true));
        html && self.text.holds(Wildcard::AuthzCode)
    }

    /// Puts the values in.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>, look: &Look<'_>) -> FilledEmail {
        FilledEmail {
            subject: self.subject.fill_text(values).trim().to_owned(),
            text: SecretText::new(self.text.fill_text(values).as_str()),
            html: self.html.as_ref().map(|html| SecretText::new(html.fill_html(values, look).as_str())),
        }
    }
}

impl SmsForm {
    /// Checks the text of a form, which must hold what the kind demands and, filled with `usual` values, take at most
    /// [`MOST_PARTS`] parts.
    ///
    /// # Errors
    /// All faults at once, in the order of their places.
    pub fn parse(kind: TemplateKind, text: &str, usual: &Values<'_>) -> Result<Self, Vec<TemplateFault>> {
        let form = Self { text: Source::parse(kind, Part::Sms, text, false)? };
        let size = sms::measure(form.fill(usual).text.expose());
        if size.parts <= MOST_PARTS {
            return Ok(form);
        }
        let forced_by = size.forced_by.map(|forced| forced.character);
        let (line, column) = forced_by.and_then(|character| position_of(text, character)).unwrap_or((1, 1));
        let what = FaultKind::TooManyParts { parts: size.parts, most: MOST_PARTS, forced_by };
        Err(vec![TemplateFault { part: Part::Sms, line, column, what }])
    }

    /// A form that was checked when it was saved, whatever the rules are now.
    #[must_use]
    pub fn checked_before(text: &str) -> Self {
        Self { text: Source::checked_before(Part::Sms, text) }
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The wildcards in it.
    pub fn wildcards(&self) -> impl Iterator<Item = Wildcard> {
        self.text.wildcards()
    }

    /// Line and column of a wildcard's first place, both from 1.
    #[must_use]
    pub fn position(&self, wildcard: Wildcard) -> (usize, usize) {
        self.text.position(wildcard)
    }

    /// Whether the text can carry an authorization code.
    #[must_use]
    pub fn shows_authz_code(&self) -> bool {
        self.text.holds(Wildcard::AuthzCode)
    }

    /// Puts the values in.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> FilledSms {
        FilledSms { text: SecretText::new(self.text.fill_text(values).trim_end()) }
    }
}
