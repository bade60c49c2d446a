//! Conversations with servers that follow a script.

mod limits;
mod security;
mod server;
mod talk;

use std::time::Duration;

use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::{DomainName, GatewayDocument, Owner};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_outbound::guard::Networks;
use otpost_service::document::value_of;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingEmail, Provider as _};
use serde_json::{Value, json};

use crate::SmtpProvider;

/// Long enough for any answer of a server that answers.
const PATIENCE: Duration = Duration::from_secs(20);
/// For those that do not.
const SHORT: Duration = Duration::from_secs(2);
const LATER: Outcome = Outcome::Retry { after: None };

fn provider() -> SmtpProvider {
    let name = DomainName::try_from("otpost.example.org").unwrap();
    SmtpProvider::new(name, Networks::parse("127.0.0.0/8,::1/128").unwrap()).unwrap()
}

/// A gateway to `port`; `other` are more of its settings.
fn gateway(port: u16, other: &Value) -> GatewayDocument {
    let mut settings = json!({
        "host": "127.0.0.1", "port": port, "tls": "none", "from": { "address": "otp@mail.example.org" },
    });
    settings.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    let mut document = json!({ "name": "Mail", "kind": "smtp", "settings": settings });
    if settings.get("authentication").is_some() {
        document["credentials"] = json!({ "user": "otpost", "password": "s3cret-Pässword" });
    }
    let owner = Owner::Tenant(TenantId::try_from("acme").unwrap());
    GatewayDocument::read(&value_of(&document), &owner).unwrap()
}

fn message() -> MessageRef {
    let id = MessageId::new(Timestamp::from_seconds(1_800_000_000), [1; 10]);
    MessageRef { tenant: TenantId::try_from("acme").unwrap(), id }
}

fn letter(text: &str) -> Letter {
    Letter::Email(OutgoingEmail {
        to: EmailAddress::try_from("jane@example.org").unwrap(),
        from: EmailAddress::try_from("otp@mail.example.org").unwrap(),
        from_name: None,
        reply_to: None,
        subject: SecretText::new("Your token"),
        text: SecretText::new(text),
        html: None,
        pictures: Vec::new(),
    })
}

/// Sends a small mail to `port`.
async fn sent(port: u16, other: Value, deadline: Duration) -> Report {
    sent_as(&gateway(port, &other), &letter("the code is 123456\n.\n.end\n"), deadline).await
}

async fn sent_as(gateway: &GatewayDocument, letter: &Letter, deadline: Duration) -> Report {
    let order = Order {
        message: &message(),
        hop: 1,
        settings: &gateway.configuration.settings,
        credentials: gateway.credentials.as_ref(),
        letter,
        life: Duration::from_mins(10),
        receipts: None,
        deadline,
        followed: true,
        test: false,
    };
    let report = provider().send(&order).await;
    let told = report.said.raw().join("\n");
    for secret in ["s3cret", "czNjcmV0", "AG90cG9zd", "123456"] {
        assert!(!told.contains(secret) && !report.why.contains(secret), "{told}");
    }
    for address in ["jane@example.org", "otp@mail"] {
        assert!(!report.why.contains(address), "{}", report.why);
    }
    report
}
