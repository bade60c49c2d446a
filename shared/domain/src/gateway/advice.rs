//! What is weak, or without effect, in a gateway.

use super::{
    Authentication, EmailToSms, Gateway, GovukNotify, Part, Placeholder, Ses, Settings, Smtp, Tenants,
    TextSender, Tls, Twilio,
};

/// Characters of a text with a code that a body should have room for.
const ROOM_FOR_A_CODE: usize = 70;

/// A warning about one member of a gateway's document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// Where: a JSON Pointer (RFC 6901).
    pub pointer: &'static str,
    /// What is wrong there, as a sentence.
    pub told: &'static str,
}

impl Gateway {
    /// Warns of what is weak, cannot work, or has no effect.
    #[must_use]
    pub fn advice(&self) -> Vec<Advice> {
        let mut all = Vec::new();
        let mut warn = |wrong: bool, pointer, told| {
            if wrong {
                all.push(Advice { pointer, told });
            }
        };
        warn(
            self.lacks_credentials(),
            "/credentials",
            "The gateway is passed over until its credentials are given.",
        );
        let none = matches!(&self.configuration.tenants, Some(Tenants::Named(named)) if named.is_empty());
        warn(none, "/tenants", "No tenant may use the gateway.");
        match &self.configuration.settings {
            Settings::Ses(ses) => ses.advice(self.configuration.tenants.as_ref(), warn),
            Settings::Smtp(smtp) => smtp.advice(warn),
            Settings::Twilio(twilio) => {
                let north_america = ["US", "CA"].into_iter().any(|code| self.names_country(code));
                twilio.advice(north_america, self.has_part(Part::AuthToken), warn);
            }
            Settings::GovukNotify(notify) => notify.advice(self.has_part(Part::CallbackToken), warn),
            Settings::EmailToSms(texts) => texts.advice(warn),
        }
        all
    }

    /// Whether the credentials have this part; nothing while there are none.
    fn has_part(&self, part: Part) -> Option<bool> {
        self.usable_credentials().map(|held| held.parts.contains(&part))
    }

    fn names_country(&self, code: &str) -> bool {
        let countries = self.configuration.countries.iter().flatten();
        countries.into_iter().any(|country| country.as_str() == code)
    }
}

impl Ses {
    fn advice(&self, tenants: Option<&Tenants>, mut warn: impl FnMut(bool, &'static str, &'static str)) {
        let one = matches!(tenants, Some(Tenants::Named(named)) if named.len() <= 1);
        warn(
            self.tenant_name.is_some() && !one,
            "/settings/tenant_name",
            "Several tenants share one tenant of Amazon SES: when Amazon pauses it, it pauses them all.",
        );
    }
}

impl Smtp {
    fn advice(&self, mut warn: impl FnMut(bool, &'static str, &'static str)) {
        warn(
            self.port() == 25,
            "/settings/port",
            "AWS keeps Lambda functions from port 25 unless it has agreed otherwise: use 465 or 587.",
        );
        warn(
            self.tls == Tls::Implicit && self.port() == 587,
            "/settings/tls",
            "Servers usually begin in the clear on port 587: use starttls, or port 465.",
        );
        warn(
            self.tls == Tls::Starttls && self.port() == 465,
            "/settings/tls",
            "Servers usually expect TLS from the first byte on port 465: use implicit, or port 587.",
        );
        warn(
            self.tls == Tls::None,
            "/settings/tls",
            "Whoever is on the way can read the mails, and use the codes and links in them.",
        );
        warn(
            self.tls == Tls::None && self.ca_certificate.is_some(),
            "/settings/ca_certificate",
            "This has no effect without TLS.",
        );
        warn(
            self.authentication == Authentication::Login,
            "/settings/authentication",
            "LOGIN was never standardised; use plain where the server knows it.",
        );
    }
}

impl Twilio {
    fn advice(
        &self,
        north_america: bool,
        auth_token: Option<bool>,
        mut warn: impl FnMut(bool, &'static str, &'static str),
    ) {
        warn(
            auth_token == Some(false),
            "/credentials/auth_token",
            "Receipts of Twilio are signed with the auth token, and refused without it: no text is ever told to be \
             delivered.",
        );
        warn(
            north_america && self.from.as_ref().is_some_and(TextSender::is_name),
            "/settings/from",
            "Networks of the United States and Canada take no texts from a name: use a number or a short code.",
        );
    }
}

impl GovukNotify {
    fn advice(&self, callback_token: Option<bool>, mut warn: impl FnMut(bool, &'static str, &'static str)) {
        warn(
            self.placeholder == Placeholder::Code,
            "/settings/placeholder",
            "The text is the one that is kept in GOV.UK Notify: Otpost's templates have no effect on it.",
        );
        warn(
            callback_token == Some(false),
            "/credentials/callback_token",
            "Receipts of GOV.UK Notify are refused without it: no text is ever told to be delivered.",
        );
    }
}

impl EmailToSms {
    fn advice(&self, mut warn: impl FnMut(bool, &'static str, &'static str)) {
        let around = self.body.as_str().chars().count().saturating_sub("{text}".len());
        let most = usize::try_from(self.max_characters.get()).unwrap_or(usize::MAX);
        warn(
            most.saturating_sub(around) < ROOM_FOR_A_CODE,
            "/settings/max_characters",
            "Fewer than 70 characters are left for a text: many do not fit and are refused.",
        );
    }
}
