//! Templates of the messages that carry an enrolment link (Push Token), in two forms: e-mail and SMS.
//!
//! A template is checked when it is made, so that filling cannot fail. Values are put in once and never
//! searched for wildcards again; in HTML they are escaped; their line breaks and control characters become
//! spaces. So no name that a user chose can add a wildcard, a tag, or a header to a message.

pub mod builtin;
mod filling;
#[cfg_attr(not(test), expect(dead_code, reason = "no template is checked by it yet"))]
mod html;
mod sms;
mod wildcards;

use core::fmt;

use crate::secret::SecretText;
use filling::Source;
pub use html::HtmlFault;
pub use sms::{Encoding, Forced, SmsSize, measure};
pub use wildcards::Wildcard;

/// Which text of a template a fault lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The subject of an e-mail.
    Subject,
    /// The plain text of an e-mail.
    Text,
    /// The HTML of an e-mail.
    Html,
    /// The text of an SMS.
    Sms,
}

impl Part {
    /// Most characters that a template's text may have here.
    #[must_use]
    pub fn most(self) -> usize {
        match self {
            Self::Subject => 200,
            Self::Text => 20_000,
            Self::Html => 100_000,
            Self::Sms => 1_000,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
            Self::Sms => "sms",
        })
    }
}

/// What is wrong in a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Double brackets around something that is no wildcard.
    #[error("{0} is no wildcard; write one of {known}", known = known())]
    Unknown(String),
    /// Double brackets that are not closed on the same line.
    #[error("[[ has no ]] on the same line")]
    Unclosed,
    /// `[[QRCODE]]` outside HTML, in a form that has an HTML part.
    #[error("[[QRCODE]] may stand in the HTML part only, because only HTML can show a picture")]
    QrOutsideHtml,
    /// `[[QRCODE]]` in a form without an HTML part.
    #[error("[[QRCODE]] needs an HTML part, because only HTML can show a picture; this form has none")]
    QrNeedsHtml,
    /// `[[QRCODE]]` between `<` and `>`.
    #[error("[[QRCODE]] becomes an <img> tag of its own, so it cannot stand inside another tag")]
    QrInsideTag,
    /// A wildcard that must not be shown in lists of mails and notifications.
    #[error("{text} is secret, so it cannot stand in a subject", text = .0.as_str())]
    SecretInSubject(Wildcard),
    /// No way to enrol is left.
    #[error("[[LINK]] is missing, so the reader could not enrol")]
    NoLink,
    /// HTML without link and picture.
    #[error("[[LINK]] or [[QRCODE]] is missing, so the reader could not enrol")]
    NoLinkNorQr,
    /// The link stands only where it goes away together with the authorization code.
    #[error(
        "the line or paragraph of [[AUTHZCODE]] is left out when no code is required, so [[LINK]] must stand elsewhere too"
    )]
    LinkLeavesWithCode,
    /// Nothing but blanks.
    #[error("this part must not be empty")]
    Empty,
    /// A subject has one line.
    #[error("a subject cannot have line breaks or control characters")]
    ControlInSubject,
    /// Longer than [`Part::most`].
    #[error("this part has more than {0} characters")]
    TooLong(usize),
}

fn known() -> String {
    Wildcard::ALL.map(Wildcard::as_str).join(", ")
}

/// One fault, with the place where it is. What concerns a whole part is reported at its beginning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part}, line {line}, column {column}: {what}")]
pub struct TemplateFault {
    /// The text it lies in.
    pub part: Part,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: FaultKind,
}

/// The e-mail form of a Push Token template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmailForm {
    subject: Source,
    text: Source,
    html: Option<Source>,
}

/// The SMS form of a Push Token template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmsForm {
    text: Source,
}

/// What the wildcards of one message stand for. Everything is in the reader's language already.
#[derive(Clone, Copy)]
pub struct Values<'a> {
    /// The enrolment link.
    pub link: &'a str,
    /// The authorization code, when this message is to carry one.
    pub authz_code: Option<&'a str>,
    /// The name that the user signs in with.
    pub username: &'a str,
    /// The name that the user is greeted with.
    pub display_name: &'a str,
    /// The name of the organisation.
    pub tenant: &'a str,
    /// When the link stops working, with its time zone.
    pub expires: &'a str,
}

impl fmt::Debug for Values<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values(redacted)")
    }
}

/// The picture that `[[QRCODE]]` shows, which lies in the same mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QrImage<'a> {
    /// The picture's Content-ID without angle brackets (RFC 2392).
    pub cid: &'a str,
    /// Width and height in CSS pixels.
    pub side: u16,
    /// What readers get who do not see the picture.
    pub alt: &'a str,
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
    /// Whether the HTML shows the picture, so that it must be attached.
    pub needs_qr: bool,
}

/// An SMS ready to be sent.
#[derive(Debug, Clone)]
pub struct FilledSms {
    /// The text, without blanks at its end.
    pub text: SecretText,
}

impl EmailForm {
    /// Checks the texts of a form. The plain text must hold `[[LINK]]`; the HTML, if there is any, must hold
    /// `[[LINK]]` or `[[QRCODE]]`.
    ///
    /// # Errors
    /// All faults at once, in the order subject, text, HTML and then of their places.
    pub fn parse(subject: &str, text: &str, html: Option<&str>) -> Result<Self, Vec<TemplateFault>> {
        let has_html = html.is_some();
        let mut faults = Vec::new();
        let mut source =
            |part, text| Source::parse(part, text, has_html).map_err(|found| faults.extend(found));
        let subject = source(Part::Subject, subject);
        let text = source(Part::Text, text);
        let html = html.map(|html| source(Part::Html, html)).transpose();
        match (subject, text, html) {
            (Ok(subject), Ok(text), Ok(html)) => Ok(Self { subject, text, html }),
            _ => Err(faults),
        }
    }

    /// The subject as it was written.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.subject.as_str()
    }

    /// The plain text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The HTML as it was written.
    #[must_use]
    pub fn html(&self) -> Option<&str> {
        self.html.as_ref().map(Source::as_str)
    }

    /// Whether the form shows the QR picture.
    #[must_use]
    pub fn needs_qr(&self) -> bool {
        self.html.as_ref().is_some_and(|html| html.holds(Wildcard::QrCode))
    }

    /// Whether any of its texts can carry an authorization code.
    #[must_use]
    pub fn shows_authz_code(&self) -> bool {
        self.text.holds(Wildcard::AuthzCode)
            || self.html.as_ref().is_some_and(|html| html.holds(Wildcard::AuthzCode))
    }

    /// Puts the values in.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>, qr: &QrImage<'_>) -> FilledEmail {
        FilledEmail {
            subject: self.subject.fill_text(values).trim().to_owned(),
            text: SecretText::new(self.text.fill_text(values).as_str()),
            html: self.html.as_ref().map(|html| SecretText::new(html.fill_html(values, qr).as_str())),
            needs_qr: self.needs_qr(),
        }
    }
}

impl SmsForm {
    /// Checks the text of a form, which must hold `[[LINK]]`.
    ///
    /// # Errors
    /// All faults at once, in the order of their places.
    pub fn parse(text: &str) -> Result<Self, Vec<TemplateFault>> {
        Source::parse(Part::Sms, text, false).map(|text| Self { text })
    }

    /// The text as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.as_str()
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const QR: QrImage<'_> = QrImage { cid: "qr@otpost", side: 200, alt: "QR code" };

    fn values() -> Values<'static> {
        Values {
            link: "https://otp.example.org/e/abc",
            authz_code: Some("K7P2"),
            username: "jane",
            display_name: "Jane Doe",
            tenant: "Demo Ltd",
            expires: "1 May 2027, 12:00 UTC",
        }
    }

    fn faults(subject: &str, text: &str, html: Option<&str>) -> Vec<(Part, usize, usize, FaultKind)> {
        let faults = EmailForm::parse(subject, text, html).unwrap_err();
        faults.into_iter().map(|fault| (fault.part, fault.line, fault.column, fault.what)).collect()
    }

    #[test]
    fn all_faults_are_told_at_once_with_their_places() {
        assert_eq!(
            faults(
                "Hi [[NAME]] [[LINK]]",
                "one\ntwo [[LINK\n [[Link]]",
                Some("<p [[QRCODE]]>[[QRCODE]] [[X]]</p>")
            ),
            [
                (Part::Subject, 1, 4, FaultKind::Unknown("[[NAME]]".to_owned())),
                (Part::Subject, 1, 13, FaultKind::SecretInSubject(Wildcard::Link)),
                (Part::Text, 2, 5, FaultKind::Unclosed),
                (Part::Text, 3, 2, FaultKind::Unknown("[[Link]]".to_owned())),
                (Part::Text, 1, 1, FaultKind::NoLink),
                (Part::Html, 1, 4, FaultKind::QrInsideTag),
                (Part::Html, 1, 26, FaultKind::Unknown("[[X]]".to_owned())),
            ]
        );
    }

    #[test]
    fn faults_read_as_sentences() {
        let fault = EmailForm::parse("Hi", "[[LINK]] [[FOO]]", None).unwrap_err().remove(0);
        assert_eq!(
            fault.to_string(),
            "text, line 1, column 10: [[FOO]] is no wildcard; write one of [[LINK]], [[QRCODE]], [[AUTHZCODE]], \
             [[USERNAME]], [[DISPLAYNAME]], [[TENANT]], [[EXPIRES]]"
        );
        let fault = SmsForm::parse("[[LINK]] [[QRCODE]]").unwrap_err().remove(0);
        assert_eq!(
            fault.to_string(),
            "sms, line 1, column 10: [[QRCODE]] needs an HTML part, because only HTML can show a picture; \
             this form has none"
        );
    }

    #[test]
    fn the_picture_is_for_html_only() {
        assert_eq!(faults("s", "[[LINK]][[QRCODE]]", None), [(Part::Text, 1, 9, FaultKind::QrNeedsHtml)]);
        assert_eq!(
            faults("s", "[[LINK]][[QRCODE]]", Some("[[QRCODE]]")),
            [(Part::Text, 1, 9, FaultKind::QrOutsideHtml)]
        );
        assert_eq!(faults("[[QRCODE]]", "[[LINK]]", None), [(Part::Subject, 1, 1, FaultKind::QrNeedsHtml)]);
        assert!(EmailForm::parse("s", "[[LINK]]", Some("<p>[[QRCODE]]</p>")).unwrap().needs_qr());
        assert!(!EmailForm::parse("s", "[[LINK]]", Some("<p>[[LINK]]</p>")).unwrap().needs_qr());
    }

    #[test]
    fn a_reader_must_be_able_to_enrol() {
        assert_eq!(
            faults("s", "Hello", Some("<p>Hello</p>")),
            [(Part::Text, 1, 1, FaultKind::NoLink), (Part::Html, 1, 1, FaultKind::NoLinkNorQr),]
        );
        assert_eq!(
            faults("s", "Go: [[LINK]] [[AUTHZCODE]]", None),
            [(Part::Text, 1, 1, FaultKind::LinkLeavesWithCode)]
        );
        assert_eq!(
            faults("s", "[[LINK]]", Some("<p>[[QRCODE]] [[AUTHZCODE]]</p>")),
            [(Part::Html, 1, 1, FaultKind::LinkLeavesWithCode)]
        );
    }

    #[test]
    fn parts_have_limits() {
        assert_eq!(
            faults(" ", " \n", None),
            [(Part::Subject, 1, 1, FaultKind::Empty), (Part::Text, 1, 1, FaultKind::Empty),]
        );
        assert_eq!(
            faults("a\r\nBcc: b", "[[LINK]]", None),
            [(Part::Subject, 1, 1, FaultKind::ControlInSubject)]
        );
        let long = "ä".repeat(201);
        assert_eq!(faults(&long, "[[LINK]]", None), [(Part::Subject, 1, 1, FaultKind::TooLong(200))]);
        assert!(EmailForm::parse(&"ä".repeat(200), "[[LINK]]", None).is_ok());
    }

    #[test]
    fn values_are_put_in_and_escaped_in_html_only() {
        let form = EmailForm::parse(
            "[[TENANT]] for [[DISPLAYNAME]]",
            "[[DISPLAYNAME]] ([[USERNAME]]): [[LINK]] until [[EXPIRES]]",
            Some("<a href=\"[[LINK]]\">[[DISPLAYNAME]]</a>[[QRCODE]]"),
        )
        .unwrap();
        let values = Values { link: "https://x/?a=1&b=2", display_name: "<b>\"Jo\" & 'Al'</b>", ..values() };
        let filled = form.fill(&values, &QR);
        assert_eq!(filled.subject, "Demo Ltd for <b>\"Jo\" & 'Al'</b>");
        assert_eq!(
            filled.text.expose(),
            "<b>\"Jo\" & 'Al'</b> (jane): https://x/?a=1&b=2 until 1 May 2027, 12:00 UTC"
        );
        assert_eq!(
            filled.html.unwrap().expose(),
            "<a href=\"https://x/?a=1&amp;b=2\">&lt;b&gt;&quot;Jo&quot; &amp; &#39;Al&#39;&lt;/b&gt;</a>\
             <img src=\"cid:qr@otpost\" width=\"200\" height=\"200\" alt=\"QR code\" \
             style=\"display:block;border:0;width:200px;height:200px\">"
        );
        assert!(filled.needs_qr);
    }

    #[test]
    fn the_line_of_the_code_goes_when_none_is_required() {
        let text = "Go to [[LINK]]\r\nYour code: [[AUTHZCODE]]\r\nBye";
        let html =
            "<p>Go to [[LINK]]</p>\n<p class=\"code\">Your code:\n<b>[[AUTHZCODE]]</b></p>\n<p>Bye</p>";
        let form = EmailForm::parse("s", text, Some(html)).unwrap();
        assert!(form.shows_authz_code());
        let with = form.fill(&values(), &QR);
        assert_eq!(with.text.expose(), "Go to https://otp.example.org/e/abc\r\nYour code: K7P2\r\nBye");
        assert!(with.html.unwrap().expose().contains("<b>K7P2</b>"));
        let without = form.fill(&Values { authz_code: None, ..values() }, &QR);
        assert_eq!(without.text.expose(), "Go to https://otp.example.org/e/abc\r\nBye");
        assert_eq!(without.html.unwrap().expose(), "<p>Go to https://otp.example.org/e/abc</p>\n<p>Bye</p>");
    }

    #[test]
    fn an_sms_loses_its_last_line_cleanly() {
        let form = SmsForm::parse("[[LINK]]\nCode: [[AUTHZCODE]]").unwrap();
        assert_eq!(form.fill(&values()).text.expose(), "https://otp.example.org/e/abc\nCode: K7P2");
        let without = Values { authz_code: None, ..values() };
        assert_eq!(form.fill(&without).text.expose(), "https://otp.example.org/e/abc");
    }

    #[test]
    fn debug_shows_no_value() {
        let filled = SmsForm::parse("[[LINK]]").unwrap().fill(&values());
        assert!(!format!("{filled:?} {:?}", values()).contains("otp.example.org"));
    }

    /// Texts that try: wildcards, tags, quotes, line breaks of all kinds, direction marks.
    fn hostile() -> impl Strategy<Value = String> {
        let bits = prop_oneof![
            Just("[[LINK]]"),
            Just("[[AUTHZCODE]]"),
            Just("[[QRCODE]]"),
            Just("[["),
            Just("]]"),
            Just("LINK"),
            Just("<script>"),
            Just("<p>"),
            Just("</p>"),
            Just("\">"),
            Just("'"),
            Just("&lt;"),
            Just("\r\n"),
            Just("\n"),
            Just("\u{2028}"),
            Just("\u{85}"),
            Just("\0"),
            Just("\u{202e}"),
            Just("Bcc: x"),
            Just("é"),
        ];
        proptest::collection::vec(bits, 0..8).prop_map(|bits| bits.concat())
    }

    proptest! {
        #[test]
        fn no_value_adds_a_tag_a_line_or_a_wildcard(
            display_name in hostile(),
            username in hostile(),
            tenant in hostile(),
            code in proptest::option::of(hostile()),
        ) {
            let template = builtin::push_token("en");
            let plain = Values { authz_code: code.as_ref().map(|_| "X"), ..values() };
            let attack = Values {
                display_name: &display_name,
                username: &username,
                tenant: &tenant,
                authz_code: code.as_deref(),
                ..values()
            };
            let (good, bad) = (template.email.fill(&plain, &QR), template.email.fill(&attack, &QR));

            prop_assert!(!bad.subject.chars().any(char::is_control));
            let lines = |text: &str| text.split(|c: char| c.is_control() || c == '\u{2028}').count();
            prop_assert_eq!(lines(good.text.expose()), lines(bad.text.expose()));
            let (good, bad) = (good.html.unwrap(), bad.html.unwrap());
            for mark in ['<', '>', '"', '\''] {
                let count = |html: &SecretText| html.expose().matches(mark).count();
                prop_assert_eq!(count(&good), count(&bad), "{}", mark);
            }
            prop_assert_eq!(lines(good.expose()), lines(bad.expose()));

            // A wildcard in a value stays as it is: the link appears as often as the template says.
            let links = |text: &str| text.matches(values().link).count();
            prop_assert_eq!(links(good.expose()), links(bad.expose()));
            let sms = template.sms.fill(&attack);
            prop_assert_eq!(links(sms.text.expose()), 1);
            let turned = sms.text.expose().contains('\u{202e}');
            prop_assert!(!turned);
        }

        #[test]
        fn any_text_is_refused_or_filled_completely(text in "([a-z<>/p \n\\[\\]]|\\[\\[(LINK|AUTHZCODE|TENANT|NO)\\]\\]|<p>|</p>){0,30}") {
            if let Ok(form) = EmailForm::parse("s", &text, Some(&text)) {
                for authz_code in [None, Some("K7P2")] {
                    let filled = form.fill(&Values { authz_code, ..values() }, &QR);
                    for text in [filled.text.expose(), filled.html.unwrap().expose()] {
                        prop_assert!(text.contains(values().link));
                        for wildcard in Wildcard::ALL {
                            prop_assert!(!text.contains(wildcard.as_str()));
                        }
                        // Which only a value could have brought in.
                        prop_assert!(authz_code.is_some() || !text.contains("K7P2"));
                    }
                }
            }
        }
    }
}
