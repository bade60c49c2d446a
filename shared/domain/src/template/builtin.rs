//! The templates that every tenant has from the start: ten kinds, in English and German.
//!
//! Their texts lie beside this file in `builtin/`, one file per kind and language, `<kind>.<lang>.txt`. A
//! line `=== subject`, `=== text`, `=== html`, `=== sms` or `=== qr_alt` begins a section of it. The HTML is
//! written in plain tags; `design.rs` puts it into `layout.html` and says what each tag looks like.

mod design;

use std::sync::LazyLock;

use super::{EmailForm, SmsForm};

/// The kinds of templates, by their names in files and routes.
pub const KINDS: [&str; 10] = [
    "push_token",
    "email_otp",
    "mobile_code",
    "helpdesk_code",
    "new_password",
    "test_message",
    "enrolled",
    "link_used",
    "changed_device",
    "changed_address",
];

/// The languages that each kind is there in.
pub const LANGUAGES: [&str; 2] = ["en", "de"];

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

/// Composes the texts of a kind, one of [`KINDS`], in a language, one of [`LANGUAGES`].
#[must_use]
pub fn raw(kind: &str, lang: &str) -> Option<Raw> {
    let file = file(kind, lang)?;
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

/// One language of the built-in Push Token template.
#[derive(Debug)]
pub struct PushTokenTemplate {
    /// The language, as a BCP 47 tag.
    pub locale: &'static str,
    /// The e-mail form: text and HTML.
    pub email: EmailForm,
    /// The SMS form: one part of 160 characters for a link of 60 characters and usual names.
    pub sms: SmsForm,
    /// What stands for the QR picture where it is not shown.
    pub qr_alt: &'static str,
}

static ENGLISH: LazyLock<PushTokenTemplate> = LazyLock::new(|| checked_push_token("en"));
static GERMAN: LazyLock<PushTokenTemplate> = LazyLock::new(|| checked_push_token("de"));

/// The template for a locale such as `de-AT` or `de_AT`: the nearest language there is (`de-AT`, then `de`),
/// else English.
#[must_use]
pub fn push_token(locale: &str) -> &'static PushTokenTemplate {
    let mut tag = locale.trim().replace('_', "-").to_ascii_lowercase();
    loop {
        match tag.as_str() {
            "de" => return &GERMAN,
            "en" => return &ENGLISH,
            _ => {}
        }
        // BCP 47 look-up (RFC 4647 section 3.4): cut the last part and try again.
        let Some(cut) = tag.rfind('-') else {
            return &ENGLISH;
        };
        tag.truncate(cut);
    }
}

#[expect(clippy::expect_used, reason = "the texts are part of the program, and a test checks each of them")]
fn checked_push_token(locale: &'static str) -> PushTokenTemplate {
    let raw = raw("push_token", locale).expect("a built-in text");
    let html = unbranded(&raw.html);
    let email = EmailForm::parse(&raw.subject, &raw.text, Some(&html));
    let qr_alt = file("push_token", locale).and_then(|file| section(file, "qr_alt"));
    PushTokenTemplate {
        locale,
        email: email.expect("the built-in e-mail passes its own check"),
        sms: SmsForm::parse(&raw.sms).expect("the built-in SMS passes its own check"),
        qr_alt: qr_alt.expect("a text for the picture").trim_end(),
    }
}

/// The HTML of tenants without a logo and a colour of their own.
fn unbranded(html: &str) -> String {
    html.replace("[[LOGO]]", "[[TENANT]]").replace("[[COLOUR]]", "#1a56c4").replace("[[ONCOLOUR]]", "#ffffff")
}

#[cfg(test)]
mod tests {
    use super::super::{QrImage, Values};
    use super::*;

    const LINK: &str = "https://otp.example.org/e/0123456789abcdefghijklmnopqrstuvwx";

    /// What each kind offers besides names and looks, demanded ones first, and how many are demanded.
    const OFFERED: [(&str, &[&str], usize); 10] = [
        ("push_token", &["[[LINK]]", "[[EXPIRES]]", "[[QRCODE]]", "[[AUTHZCODE]]"], 2),
        ("email_otp", &["[[CODE]]", "[[EXPIRES]]", "[[PURPOSE]]"], 3),
        ("mobile_code", &["[[CODE]]", "[[EXPIRES]]", "[[PURPOSE]]"], 3),
        ("helpdesk_code", &["[[CODE]]", "[[EXPIRES]]"], 2),
        ("new_password", &["[[PASSWORD]]"], 1),
        ("test_message", &["[[TIME]]", "[[CODE]]"], 1),
        ("enrolled", &["[[TIME]]"], 1),
        ("link_used", &["[[TIME]]"], 1),
        ("changed_device", &["[[TIME]]"], 1),
        ("changed_address", &["[[TIME]]"], 1),
    ];
    const NAMES: [&str; 3] = ["[[USERNAME]]", "[[DISPLAYNAME]]", "[[TENANT]]"];
    const LOOKS: [&str; 3] = ["[[LOGO]]", "[[COLOUR]]", "[[ONCOLOUR]]"];
    const SECRETS: [&str; 5] = ["[[LINK]]", "[[QRCODE]]", "[[AUTHZCODE]]", "[[CODE]]", "[[PASSWORD]]"];

    fn all() -> impl Iterator<Item = (&'static str, &'static str, Raw)> {
        let pairs = KINDS.into_iter().flat_map(|kind| LANGUAGES.map(|lang| (kind, lang)));
        pairs.map(|(kind, lang)| (kind, lang, raw(kind, lang).expect(kind)))
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

    fn wildcards(text: &str) -> impl Iterator<Item = String> {
        let parts = text.split("[[").skip(1).filter_map(|part| part.split_once("]]"));
        parts.map(|(name, _)| format!("[[{name}]]"))
    }

    fn tags(html: &str) -> impl Iterator<Item = &str> {
        html.split('<').skip(1).filter_map(|tag| tag.split('>').next())
    }

    /// Septets of a text in the GSM 7-bit alphabet (3GPP TS 23.038 section 6.2.1), if it fits.
    fn septets(text: &str) -> Option<usize> {
        const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
        const EXTENDED: &str = "^{}\\[~]|€\u{c}";
        text.chars()
            .map(|c| match (BASIC.contains(c), EXTENDED.contains(c)) {
                (true, _) => Some(1),
                (_, true) => Some(2),
                _ => None,
            })
            .sum()
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
        assert_eq!(KINDS, OFFERED.map(|(kind, ..)| kind));
        for (kind, lang, raw) in all() {
            for text in [&raw.subject, &raw.text, &raw.html, &raw.sms] {
                assert!(!text.trim().is_empty(), "{kind} {lang}");
                assert!(!text.contains("===") && !text.contains("{{"), "{kind} {lang}: {text}");
            }
            assert_eq!(raw.qr_alt.is_some(), kind == "push_token", "{kind} {lang}");
        }
        assert_eq!(raw("push_token", "fr"), None);
        assert_eq!(raw("unknown", "en"), None);
    }

    #[test]
    fn each_text_uses_what_its_kind_offers() {
        for (kind, lang, raw) in all() {
            let (_, offered, demanded) = OFFERED.into_iter().find(|(name, ..)| *name == kind).unwrap();
            let demanded = &offered[..demanded];
            for wildcard in demanded {
                // What a password is for, and until when, its text says without a wildcard.
                for text in [&raw.text, &raw.html, &raw.sms] {
                    assert!(text.contains(wildcard), "{kind} {lang}: {wildcard} in {text}");
                }
            }
            for text in [&raw.subject, &raw.text, &raw.sms] {
                let allowed = |found: &str| {
                    found != "[[QRCODE]]" && (offered.contains(&found) || NAMES.contains(&found))
                };
                assert!(wildcards(text).all(|found| allowed(&found)), "{kind} {lang}: {text}");
            }
            for wildcard in offered.iter().chain(&LOOKS[..1]).chain(&NAMES[1..]) {
                assert!(raw.html.contains(wildcard), "{kind} {lang}: {wildcard}");
            }
            let known = |found: &str| [offered, &NAMES, &LOOKS].concat().contains(&found);
            assert!(wildcards(&raw.html).all(|found| known(&found)), "{kind} {lang}");
        }
    }

    #[test]
    fn nothing_secret_is_seen_before_a_message_is_opened() {
        for (kind, lang, raw) in all() {
            let preheader = raw.html.split_once("mso-hide:all").unwrap().1.split_once("</div>").unwrap().0;
            for secret in SECRETS {
                assert!(!raw.subject.contains(secret), "{kind} {lang}");
                assert!(!preheader.contains(secret), "{kind} {lang}");
            }
            assert!(preheader.matches("&#8199;").count() >= 100, "a list would go on with the text");
        }
    }

    #[test]
    fn a_code_in_a_text_has_its_own_line() {
        for (kind, lang, raw) in all() {
            let alone = |wildcard: &str| raw.text.lines().any(|line| line == wildcard);
            match kind {
                "email_otp" | "mobile_code" | "helpdesk_code" => assert!(alone("[[CODE]]"), "{kind} {lang}"),
                "new_password" => assert!(alone("[[PASSWORD]]"), "{kind} {lang}"),
                _ => {}
            }
            if kind == "mobile_code" {
                assert!(raw.sms.ends_with(" [[CODE]]"), "{lang}");
            }
            if kind == "new_password" {
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
            let length = septets(&sms).unwrap_or_else(|| panic!("{kind} {lang} leaves the alphabet: {sms}"));
            assert!(length <= 160, "{kind} {lang} has {length}: {sms}");
        }
    }

    #[test]
    fn text_lines_are_short_enough_to_read() {
        for (kind, lang, raw) in all() {
            for line in raw.text.lines().chain(filled(&raw.text, lang).lines()) {
                assert!(line.chars().count() <= 78, "{kind} {lang}: {line}");
                assert_eq!(line, line.trim_end(), "{kind} {lang}");
            }
            assert!(raw.text.ends_with("\n\n[[TENANT]]\n") && !raw.text.contains("\n\n\n"), "{kind} {lang}");
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
                assert!(frame || tag.contains("style=\""), "{kind} {lang}: <{tag}>");
            }
            for tag in tags(body).filter(|tag| tag.starts_with("table ")) {
                assert!(tag.contains("role=\"presentation\""), "{kind} {lang}: <{tag}>");
            }
            for name in ["table", "tr", "td", "p", "ol", "li", "a", "strong", "div"] {
                let opened = tags(body).filter(|tag| tag.split(' ').next() == Some(name)).count();
                let closed = tags(body).filter(|tag| *tag == format!("/{name}")).count();
                assert_eq!(opened, closed, "{kind} {lang}: {name}");
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
                    "{kind} {lang}: {banned}"
                );
            }
            assert!(html.contains(&format!("<html lang=\"{lang}\"")));
            assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
            let title = html.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
            assert!(!title.is_empty() && !title.contains("[["), "{kind} {lang}");
            assert!(html.contains(&format!(">{title}</h1>")), "{kind} {lang}");
            // Lines stay within what SMTP carries (RFC 5322 section 2.1.1).
            assert!(raw.html.lines().all(|line| line.len() <= 998));
            let size = filled(&raw.html, lang).len();
            assert!(size < 12 * 1024, "{kind} {lang} has {size} bytes");
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
    fn locales_fall_back_to_their_language_then_to_english() {
        for german in ["de", "DE", "de-AT", "de_CH", "de-Latn-DE-1996", " de "] {
            assert_eq!(push_token(german).locale, "de", "{german}");
        }
        for english in ["en", "en-GB", "fr", "", "-", "den", "nl-de"] {
            assert_eq!(push_token(english).locale, "en", "{english}");
        }
    }

    #[test]
    fn a_push_token_message_is_filled_completely() {
        for template in ["en", "de"].map(push_token) {
            let qr = QrImage { cid: "qr@otpost", side: 232, alt: template.qr_alt };
            for authz_code in [None, Some("K7P2-M4QX")] {
                let values = Values {
                    link: LINK,
                    authz_code,
                    username: "jane",
                    display_name: "Jane Doe",
                    tenant: "Acme Energy Ltd",
                    expires: "22 September 2026, 05:00 UTC",
                };
                let email = template.email.fill(&values, &qr);
                let sms = template.sms.fill(&values);
                let html = email.html.unwrap();
                let texts = [email.text.expose(), html.expose(), sms.text.expose()];
                for text in texts {
                    assert!(text.contains(LINK));
                    assert!(text.contains("Acme Energy Ltd"));
                    assert!(text.contains(values.expires));
                    assert_eq!(text.contains("K7P2-M4QX"), authz_code.is_some());
                    assert!(!text.contains("[["));
                    // A paragraph that went away leaves no gap.
                    assert!(!text.contains("\n\n\n"));
                }
                assert!(email.subject.contains("Acme Energy Ltd"));
                assert!(email.needs_qr);
                assert!(html.expose().contains("src=\"cid:qr@otpost\""));
                assert!(html.expose().contains(template.qr_alt));
            }
        }
    }
}
