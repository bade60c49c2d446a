//! The templates that every tenant has from the start: ten kinds, in English and German.
//!
//! Their texts lie beside this file in `builtin/`, one file per kind and language, `<kind>.<lang>.txt`. A
//! line `=== subject`, `=== text`, `=== html`, `=== sms` or `=== qr_alt` begins a section of it. The HTML is
//! written in plain tags; `design.rs` puts it into `layout.html` and says what each tag looks like.

mod design;

use std::sync::OnceLock;

use super::{EmailForm, EmailTexts, From, Sample, SmsForm, TemplateDocument, TemplateKind};
use crate::time::Timestamp;

/// The language that is always there.
pub const ENGLISH: &str = "en";
/// The languages that each kind is there in.
pub const LANGUAGES: [&str; 2] = [ENGLISH, "de"];

/// The language of built-in texts that a language tag names, in any case of letters.
#[must_use]
pub fn locale(tag: &str) -> Option<&'static str> {
    LANGUAGES.into_iter().find(|locale| locale.eq_ignore_ascii_case(tag))
}

/// The built-in template of a kind, with both forms, in a language or what is left of its tag without region and script;
/// else in English.
#[must_use]
#[expect(clippy::indexing_slicing, reason = "both places were found in lists of these lengths")]
pub fn template(kind: TemplateKind, tag: &str) -> &'static TemplateDocument {
    // One cell for each, so that a sender composes only what it sends.
    static ALL: [[OnceLock<TemplateDocument>; LANGUAGES.len()]; TemplateKind::ALL.len()] =
        [const { [const { OnceLock::new() }; LANGUAGES.len()] }; TemplateKind::ALL.len()];
    let mut ranges =
        core::iter::successors(Some(tag), |range| range.rsplit_once('-').map(|(wider, _)| wider));
    let known = |range: &str| LANGUAGES.iter().position(|language| language.eq_ignore_ascii_case(range));
    let language = ranges.find_map(known).unwrap_or_default();
    let place = TemplateKind::ALL.iter().position(|other| *other == kind).unwrap_or_default();
    ALL[place][language].get_or_init(|| checked(kind, LANGUAGES[language]))
}

#[expect(clippy::expect_used, reason = "the texts are part of the program, and a test checks each of them")]
fn checked(kind: TemplateKind, language: &str) -> TemplateDocument {
    let Raw { subject, text, html, sms, qr_alt } = raw(kind, language).expect("a built-in text");
    let texts = EmailTexts { from: From::default(), subject, text, html: Some(html), qr_alt };
    let usual =
        Sample::new(kind, language, "Stadtwerke Neuenrade", "https://otp.example.org", Timestamp::default());
    TemplateDocument {
        email: Some(EmailForm::parse(kind, texts).expect("the built-in e-mail passes its own check")),
        sms: Some(
            SmsForm::parse(kind, &sms, &usual.values()).expect("the built-in SMS passes its own check"),
        ),
    }
}

/// The texts of one kind in one language, before they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The subject of the e-mail.
    pub subject: String,
    /// Its plain text.
    pub text: String,
    /// Its HTML, a whole page.
    pub html: String,
    /// The SMS.
    pub sms: String,
    /// What stands for the QR picture where it is not shown; of `push_token` only.
    pub qr_alt: Option<String>,
}

/// Composes the texts of a kind in a language, one of [`LANGUAGES`].
#[must_use]
pub fn raw(kind: TemplateKind, lang: &str) -> Option<Raw> {
    let file = file(kind.as_str(), lang)?;
    // Files end with a line break; a subject and an SMS must not.
    let line = |name| section(file, name).map(|text| text.trim_end().to_owned());
    Some(Raw {
        subject: line("subject")?,
        text: section(file, "text")?.to_owned(),
        html: design::page(lang, section(file, "html")?),
        sms: line("sms")?,
        qr_alt: line("qr_alt"),
    })
}

macro_rules! file {
    ($kind:literal, $lang:literal) => {
        include_str!(concat!("builtin/", $kind, ".", $lang, ".txt"))
    };
}

fn file(kind: &str, lang: &str) -> Option<&'static str> {
    Some(match (kind, lang) {
        ("push_token", "en") => file!("push_token", "en"),
        ("push_token", "de") => file!("push_token", "de"),
        ("email_otp", "en") => file!("email_otp", "en"),
        ("email_otp", "de") => file!("email_otp", "de"),
        ("mobile_code", "en") => file!("mobile_code", "en"),
        ("mobile_code", "de") => file!("mobile_code", "de"),
        ("helpdesk_code", "en") => file!("helpdesk_code", "en"),
        ("helpdesk_code", "de") => file!("helpdesk_code", "de"),
        ("new_password", "en") => file!("new_password", "en"),
        ("new_password", "de") => file!("new_password", "de"),
        ("test_message", "en") => file!("test_message", "en"),
        ("test_message", "de") => file!("test_message", "de"),
        ("enrolled", "en") => file!("enrolled", "en"),
        ("enrolled", "de") => file!("enrolled", "de"),
        ("link_used", "en") => file!("link_used", "en"),
        ("link_used", "de") => file!("link_used", "de"),
        ("changed_device", "en") => file!("changed_device", "en"),
        ("changed_device", "de") => file!("changed_device", "de"),
        ("changed_address", "en") => file!("changed_address", "en"),
        ("changed_address", "de") => file!("changed_address", "de"),
        _ => return None,
    })
}

/// What stands in a file between the line that begins a section and the next such line.
fn section<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    let mut sections = file.split("=== ").filter_map(|section| section.split_once('\n'));
    sections.find(|(begun, _)| *begun == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::super::{Colour, Encoding, Image, Look, Values, Wildcard, measure};
    use super::*;

    const LINK: &str = "https://otp.example.org/e/0123456789abcdefghijklmnopqrstuvwx";

    fn all() -> impl Iterator<Item = (TemplateKind, &'static str, Raw)> {
        let pairs = TemplateKind::ALL.iter().flat_map(|kind| LANGUAGES.map(|lang| (*kind, lang)));
        pairs.map(|(kind, lang)| (kind, lang, raw(kind, lang).expect("a text")))
    }

    /// Puts in the longest values that the texts are made for.
    fn filled(text: &str, lang: &str) -> String {
        let (time, purpose) = match lang {
            "de" => ("22. September 2026, 05:00 UTC", "das Zurücksetzen Ihres Passworts"),
            _ => ("22 September 2026, 05:00 UTC", "resetting your password"),
        };
        let lines = text.lines().filter(|line| !line.contains("[[AUTHZCODE]]"));
        let values = [
            ("[[LINK]]", LINK),
            ("[[CODE]]", "483920"),
            ("[[PASSWORD]]", "vK7-qm42-Hta9"),
            ("[[EXPIRES]]", time),
            ("[[TIME]]", time),
            ("[[PURPOSE]]", purpose),
            ("[[USERNAME]]", "j.blankenburg-meyer1"),
            ("[[DISPLAYNAME]]", "Johanna Blankenburgs"),
            ("[[TENANT]]", "Stadtwerke Neuenrade"),
        ];
        let text = lines.collect::<Vec<_>>().join("\n");
        values.iter().fold(text, |text, (wildcard, value)| text.replace(wildcard, value))
    }

    fn tags(html: &str) -> impl Iterator<Item = &str> {
        html.split('<').skip(1).filter_map(|tag| tag.split('>').next())
    }

    /// The contrast of two colours `#rrggbb` (WCAG 2.2, "contrast ratio").
    fn contrast(one: &str, other: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        (one / other).max(other / one)
    }

    #[test]
    fn every_kind_is_there_in_every_language() {
        for (kind, lang, raw) in all() {
            for text in [&raw.subject, &raw.text, &raw.html, &raw.sms] {
                assert!(!text.trim().is_empty(), "{kind:?} {lang}");
                assert!(!text.contains("===") && !text.contains("{{"), "{kind:?} {lang}: {text}");
            }
            assert_eq!(raw.qr_alt.is_some(), kind == TemplateKind::PushToken, "{kind:?} {lang}");
            let document = template(kind, lang);
            let (Some(email), Some(sms)) = (&document.email, &document.sms) else {
                panic!("{kind:?} {lang}")
            };
            assert_eq!(email.texts().html.as_deref(), Some(raw.html.as_str()));
            assert_eq!(sms.text(), raw.sms);
        }
        assert_eq!(raw(TemplateKind::PushToken, "fr"), None);
        assert_eq!((locale("DE"), locale("fr")), (Some("de"), None));
        assert_eq!(template(TemplateKind::Enrolled, "fr"), template(TemplateKind::Enrolled, "en"));
        assert_eq!(template(TemplateKind::Enrolled, "de-AT-1996"), template(TemplateKind::Enrolled, "de"));
    }

    #[test]
    fn each_text_uses_what_its_kind_offers() {
        for (kind, lang, raw) in all() {
            for wildcard in kind.offers().iter().map(|wildcard| wildcard.as_str()) {
                let picture = wildcard == "[[QRCODE]]";
                // Who is greeted by name need not be told what they sign in with.
                assert!(
                    raw.html.contains(wildcard) || wildcard == "[[USERNAME]]",
                    "{kind:?} {lang}: {wildcard}"
                );
                assert!(!picture || !raw.text.contains(wildcard), "{kind:?} {lang}");
            }
            for wildcard in Wildcard::LOOK {
                assert!(
                    raw.html.contains(wildcard.as_str()) || *wildcard == Wildcard::OnColour,
                    "{kind:?} {lang}"
                );
            }
            // A code's text says what it is for and until when, whoever reads it aloud.
            for wildcard in
                [Wildcard::Expires, Wildcard::Purpose].iter().filter(|w| kind.offers().contains(w))
            {
                for text in [&raw.text, &raw.sms] {
                    assert!(text.contains(wildcard.as_str()), "{kind:?} {lang}: {wildcard:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_secret_is_seen_before_a_message_is_opened() {
        for (kind, lang, raw) in all() {
            let preheader = raw.html.split_once("mso-hide:all").unwrap().1.split_once("</div>").unwrap().0;
            for secret in Wildcard::ALL.into_iter().filter(|wildcard| wildcard.is_secret()) {
                assert!(!preheader.contains(secret.as_str()), "{kind:?} {lang}");
            }
            assert!(preheader.matches("&#8199;").count() >= 100, "a list would go on with the text");
        }
    }

    #[test]
    fn a_code_in_a_text_has_its_own_line() {
        for (kind, lang, raw) in all() {
            let alone = |wildcard: &str| raw.text.lines().any(|line| line == wildcard);
            match kind.demands() {
                Some(Wildcard::Code) => assert!(alone("[[CODE]]"), "{kind:?} {lang}"),
                Some(Wildcard::Password) => assert!(alone("[[PASSWORD]]"), "{kind:?} {lang}"),
                _ => {}
            }
            if kind == TemplateKind::MobileCode {
                assert!(raw.sms.ends_with(" [[CODE]]"), "{lang}");
            }
            if kind == TemplateKind::NewPassword {
                assert!(
                    raw.sms.ends_with("\n[[PASSWORD]]"),
                    "a stop behind it could be taken for a part of it"
                );
            }
        }
    }

    #[test]
    fn an_sms_is_one_part() {
        assert_eq!(LINK.len(), 60);
        for (kind, lang, raw) in all() {
            let sms = filled(&raw.sms, lang);
            let size = measure(&sms);
            assert_eq!((size.encoding, size.parts), (Encoding::Gsm7, 1), "{kind:?} {lang}: {size:?}: {sms}");
        }
    }

    #[test]
    fn text_lines_are_short_enough_to_read() {
        for (kind, lang, raw) in all() {
            for line in raw.text.lines().chain(filled(&raw.text, lang).lines()) {
                assert!(line.chars().count() <= 78, "{kind:?} {lang}: {line}");
                assert_eq!(line, line.trim_end(), "{kind:?} {lang}");
            }
            assert!(
                raw.text.ends_with("\n\n[[TENANT]]\n") && !raw.text.contains("\n\n\n"),
                "{kind:?} {lang}"
            );
        }
    }

    #[test]
    fn every_tag_has_its_look() {
        for (kind, lang, raw) in all() {
            let body = raw.html.split_once("</style>\n</head>").unwrap().1;
            let plain = |tag: &str| ["br", "strong", "tr"].contains(&tag) || tag.starts_with(['/', '!']);
            for tag in tags(body).filter(|tag| !plain(tag)) {
                // A table around others needs none, and so does the cell that only Word sees.
                let frame = tag == "td" || tag.starts_with("table role=\"presentation\"");
                assert!(frame || tag.contains("style=\""), "{kind:?} {lang}: <{tag}>");
            }
            for tag in tags(body).filter(|tag| tag.starts_with("table ")) {
                assert!(tag.contains("role=\"presentation\""), "{kind:?} {lang}: <{tag}>");
            }
            for name in ["table", "tr", "td", "p", "ol", "li", "a", "strong", "div"] {
                let opened = tags(body).filter(|tag| tag.split(' ').next() == Some(name)).count();
                let closed = tags(body).filter(|tag| *tag == format!("/{name}")).count();
                assert_eq!(opened, closed, "{kind:?} {lang}: {name}");
            }
        }
    }

    #[test]
    fn the_html_loads_and_runs_nothing() {
        for (kind, lang, raw) in all() {
            let html = raw.html.to_ascii_lowercase();
            for banned in
                ["<script", "http:", "https:", "url(", "@import", "<link", "<form", "<iframe", "<img", " on"]
            {
                // " on" begins an event attribute, but words of the text too: look inside tags only.
                assert!(
                    tags(&html).all(|tag| !format!("<{tag}").contains(banned)),
                    "{kind:?} {lang}: {banned}"
                );
            }
            assert!(html.contains(&format!("<html lang=\"{lang}\"")));
            assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
            let title = html.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
            assert!(!title.is_empty() && !title.contains("[["), "{kind:?} {lang}");
            assert!(html.contains(&format!(">{title}</h1>")), "{kind:?} {lang}");
            // Lines stay within what SMTP carries (RFC 5322 section 2.1.1).
            assert!(raw.html.lines().all(|line| line.len() <= 998));
            let size = filled(&raw.html, lang).len();
            assert!(size < 12 * 1024, "{kind:?} {lang} has {size} bytes");
        }
    }

    /// WCAG 2.2, 1.4.3: 4.5 to 1 for text.
    #[test]
    fn colours_can_be_told_apart() {
        let html = all().map(|(.., raw)| raw.html).collect::<String>();
        let pairs = [
            ("#171b21", "#ffffff"),
            ("#56606e", "#ffffff"),
            ("#1a56c4", "#ffffff"),
            ("#171b21", "#eef2f8"),
            ("#171b21", "#fdf1f0"),
            ("#eef1f5", "#1f242c"),
            ("#aab3c0", "#1f242c"),
            ("#8ab8ff", "#1f242c"),
            ("#eef1f5", "#2a313c"),
            ("#eef1f5", "#3a2624"),
        ];
        let mut used: Vec<_> =
            html.match_indices(" color:").filter_map(|(at, _)| html.get(at + 8..at + 15)).collect();
        used.extend(html.match_indices(";color:").filter_map(|(at, _)| html.get(at + 7..at + 14)));
        for colour in used.into_iter().filter(|colour| colour.starts_with('#') && *colour != "#f2f4f7") {
            assert!(pairs.iter().any(|(text, _)| *text == colour), "{colour} has no ground");
        }
        for (text, ground) in pairs {
            assert!(html.contains(text) && html.contains(ground), "{text} on {ground} is not used");
            let contrast = contrast(text, ground);
            assert!(contrast >= 4.5, "{text} on {ground} has {contrast}");
        }
    }

    #[test]
    fn a_push_token_message_is_filled_completely() {
        for lang in LANGUAGES {
            let document = template(TemplateKind::PushToken, lang);
            let (email, sms) = (document.email.as_ref().unwrap(), document.sms.as_ref().unwrap());
            let qr = Image { cid: "qr@otpost", width: 232, height: 232, alt: email.qr_alt() };
            let look = Look { qr, logo: None, colour: Colour::default() };
            for authz_code in [None, Some("K7P2-M4QX")] {
                let values = Values {
                    link: LINK,
                    authz_code,
                    username: "jane",
                    display_name: "Jane Doe",
                    tenant: "Acme Energy Ltd",
                    expires: "22 September 2026, 05:00 UTC",
                    ..Values::default()
                };
                let filled = email.fill(&values, &look);
                let sms = sms.fill(&values);
                let html = filled.html.unwrap();
                let texts = [filled.text.expose(), html.expose(), sms.text.expose()];
                for text in texts {
                    assert!(text.contains(LINK));
                    assert!(text.contains("Acme Energy Ltd"));
                    assert!(text.contains(values.expires));
                    assert_eq!(text.contains("K7P2-M4QX"), authz_code.is_some());
                    assert!(!text.contains("[["));
                    // A paragraph that went away leaves no gap.
                    assert!(!text.contains("\n\n\n"));
                }
                assert!(filled.subject.contains("Acme Energy Ltd"));
                assert!(html.expose().contains("src=\"cid:qr@otpost\""));
                assert!(html.expose().contains(email.qr_alt()));
                assert!(html.expose().contains("background-color:#1a56c4"));
            }
        }
    }
}
