//! The documents of the gateways, each for what stands in for its provider here.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::providers::govuk_notify::LIVE_KEY;
use crate::smtp::USER;
use crate::third_party::DOMAIN;
use crate::world::Endpoints;

/// To whom texts of each gateway go: numbers that are nobody's, set aside for stories.
pub(super) const NUMBERS: [&str; 4] = ["+447700900101", "+447700900102", "+447700900103", "+447700900104"];
/// A template of GOV.UK Notify that is the message alone.
const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";

/// What the documents are made of.
pub(super) struct Documents<'a> {
    tenant: &'a str,
    smtp: (&'a str, u16),
    password: &'a str,
    authority: String,
}

impl<'a> Documents<'a> {
    pub(super) fn of(endpoints: &'a Endpoints, tenant: &'a str) -> Result<Self> {
        let (host, port) = endpoints.smtp.split_once(':').context("the system has no SMTP gateway")?;
        let path = &endpoints.smtp_authority;
        let authority = std::fs::read_to_string(path);
        Ok(Self {
            tenant,
            smtp: (host, port.parse().context("the SMTP gateway has an odd port")?),
            password: endpoints.smtp_password.expose(),
            authority: authority.with_context(|| format!("cannot read {}", path.display()))?,
        })
    }

    /// The platform's, for the tenant alone.
    pub(super) fn ses(&self) -> Value {
        json!({
            "name": "Mail of Acme by Amazon SES",
            "kind": "ses",
            "tenants": { "named": [self.tenant] },
            "settings": { "from": mailbox() },
        })
    }

    pub(super) fn mail(&self) -> Value {
        json!({
            "name": "Acme's own server of mail",
            "kind": "smtp",
            "settings": {
                "host": self.smtp.0,
                "port": self.smtp.1,
                "tls": "starttls",
                "authentication": "plain",
                "from": mailbox(),
                "ca_certificate": self.authority,
            },
            "credentials": { "user": USER, "password": self.password },
        })
    }

    /// The same server under another password. Nothing but a test goes by it.
    pub(super) fn mail_with_password(&self, password: &str) -> Value {
        let credentials = json!({ "user": USER, "password": password });
        with(self.mail(), [("enabled", json!(false)), ("credentials", credentials)])
    }

    /// The platform's, for the tenant alone.
    pub(super) fn texts_by_ses(&self) -> Value {
        json!({
            "name": "Texts by mail and Amazon SES",
            "kind": "email_to_sms",
            "tenants": { "named": [self.tenant] },
            "settings": texts_via("ses"),
        })
    }
}

pub(super) fn twilio() -> Value {
    json!({
        "name": "Texts by Twilio",
        "kind": "twilio",
        "settings": { "account_sid": "AC00112233445566778899aabbccddeeff", "from": "+15005550006" },
        "credentials": { "auth_token": "not-a-token-of-any-account" },
    })
}

pub(super) fn govuk_notify() -> Value {
    json!({
        "name": "Texts by GOV.UK Notify",
        "kind": "govuk_notify",
        "settings": { "template_id": TEMPLATE },
        "credentials": { "api_key": LIVE_KEY },
    })
}

pub(super) fn texts_by_mail() -> Value {
    json!({ "name": "Texts by Acme's own mail", "kind": "email_to_sms", "settings": texts_via("mail") })
}

/// A document with further members, or with others in their place.
pub(super) fn with<const N: usize>(mut document: Value, members: [(&str, Value); N]) -> Value {
    if let Some(all) = document.as_object_mut() {
        all.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
    document
}

fn mailbox() -> Value {
    json!({ "name": "Acme sign-in", "address": "otp@acme.example" })
}

fn texts_via(gateway: &str) -> Value {
    json!({ "via": gateway, "address": format!("{{number}}@{DOMAIN}") })
}
