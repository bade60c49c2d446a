//! The Push Token templates that every tenant has from the start, in English and German.
//!
//! The texts lie beside this file in `push_token/`, one file per language and part, so that they can be
//! read and opened in a browser as they are.

use std::sync::LazyLock;

use super::{EmailForm, SmsForm};

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

static ENGLISH: LazyLock<PushTokenTemplate> = LazyLock::new(|| {
    Texts {
        locale: "en",
        subject: include_str!("push_token/en.subject.txt"),
        text: include_str!("push_token/en.txt"),
        html: include_str!("push_token/en.html"),
        sms: include_str!("push_token/en.sms.txt"),
        qr_alt: "QR code that holds your personal set-up link",
    }
    .checked()
});

static GERMAN: LazyLock<PushTokenTemplate> = LazyLock::new(|| {
    Texts {
        locale: "de",
        subject: include_str!("push_token/de.subject.txt"),
        text: include_str!("push_token/de.txt"),
        html: include_str!("push_token/de.html"),
        sms: include_str!("push_token/de.sms.txt"),
        qr_alt: "QR-Code mit Ihrem persönlichen Link zur Einrichtung",
    }
    .checked()
});

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

/// The texts of one language before they are checked.
struct Texts {
    locale: &'static str,
    subject: &'static str,
    text: &'static str,
    html: &'static str,
    sms: &'static str,
    qr_alt: &'static str,
}

impl Texts {
    #[expect(
        clippy::expect_used,
        reason = "the texts are part of the program, and a test checks each of them"
    )]
    fn checked(self) -> PushTokenTemplate {
        // Files end with a line break; a subject and an SMS must not.
        let email = EmailForm::parse(self.subject.trim_end(), self.text, Some(self.html));
        PushTokenTemplate {
            locale: self.locale,
            email: email.expect("the built-in e-mail passes its own check"),
            sms: SmsForm::parse(self.sms.trim_end()).expect("the built-in SMS passes its own check"),
            qr_alt: self.qr_alt,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{QrImage, Values, Wildcard};
    use super::*;

    const LINK: &str = "https://otp.example.org/e/0123456789abcdefghijklmnopqrstuvwx";

    fn values(template: &PushTokenTemplate) -> Values<'static> {
        let expires = if template.locale == "de" {
            "22. September 2026, 05:00 UTC"
        } else {
            "22 September 2026, 05:00 UTC"
        };
        Values {
            link: LINK,
            authz_code: Some("K7P2-M4QX"),
            username: "jane",
            display_name: "Jane Doe",
            tenant: "Acme Energy Ltd",
            expires,
        }
    }

    fn all() -> [&'static PushTokenTemplate; 2] {
        [push_token("en"), push_token("de")]
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
    fn every_text_is_filled_completely() {
        for template in all() {
            let qr = QrImage { cid: "qr@otpost", side: 232, alt: template.qr_alt };
            for authz_code in [None, Some("K7P2-M4QX")] {
                let values = Values { authz_code, ..values(template) };
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

    #[test]
    fn each_email_form_uses_every_wildcard() {
        for template in all() {
            let html = template.email.html().unwrap();
            for wildcard in Wildcard::ALL {
                assert!(html.contains(wildcard.as_str()), "{} {wildcard:?}", template.locale);
                let in_text = template.email.text().contains(wildcard.as_str());
                assert_eq!(in_text, wildcard != Wildcard::QrCode, "{} {wildcard:?}", template.locale);
            }
        }
    }

    #[test]
    fn an_sms_is_one_part() {
        assert_eq!(LINK.len(), 60);
        for template in all() {
            let values = Values { authz_code: None, ..values(template) };
            let sms = template.sms.fill(&values);
            let length = septets(sms.text.expose()).unwrap();
            assert!(length <= 160, "{} has {length}: {}", template.locale, sms.text.expose());
        }
    }

    #[test]
    fn the_html_loads_and_runs_nothing() {
        for template in all() {
            let html = template.email.html().unwrap().to_ascii_lowercase();
            for banned in
                ["<script", "http:", "https:", "url(", "@import", "<link", "<form", "<iframe", " on"]
            {
                // " on" begins an event attribute, but words of the text too: look inside tags only.
                let tags = html.split('<').filter_map(|tag| tag.split('>').next());
                assert!(tags.map(|tag| format!("<{tag}")).all(|tag| !tag.contains(banned)), "{banned}");
            }
            assert!(html.contains(&format!("<html lang=\"{}\"", template.locale)));
            assert!(html.contains("<meta name=\"color-scheme\" content=\"light dark\">"));
            // Lines stay within what SMTP carries (RFC 5322 section 2.1.1).
            assert!(html.lines().all(|line| line.len() <= 998));
        }
    }

    #[test]
    fn text_lines_are_short_enough_to_read() {
        for template in all() {
            assert!(template.email.text().lines().all(|line| line.chars().count() <= 78));
        }
    }
}
