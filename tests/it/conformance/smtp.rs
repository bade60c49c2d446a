//! Mails by `send-smtp` to Exim, and to a server of Python's that misbehaves.

mod exim;
mod odd;

use std::path::PathBuf;
use std::time::Duration;

use libtest_mimic::Trial;
use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::{DomainName, GatewayDocument, Owner};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_local::certificates::Certificates;
use otpost_local::layout::Layout;
use otpost_local::mta::{Mta, PASSWORD, USER};
use otpost_outbound::guard::Networks;
use otpost_send_smtp::SmtpProvider;
use otpost_service::document::value_of;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingEmail, Provider as _};
use serde_json::{Value, json};

use crate::shared;

/// Long enough for any answer.
const PATIENCE: Duration = Duration::from_secs(30);
const LATER: Outcome = Outcome::Retry { after: None };

pub(super) fn trials() -> Vec<Trial> {
    vec![
        shared("conformance::exim_takes_mails_as_they_are", exim::takes_mails_as_they_are),
        shared("conformance::exim_refuses_for_reasons", exim::refuses_for_reasons),
        shared("conformance::exim_wants_the_right_password", exim::wants_the_right_password),
        shared("conformance::exim_must_prove_who_it_is", exim::must_prove_who_it_is),
        shared("conformance::exim_is_greeted_on_the_wrong_port", exim::is_greeted_on_the_wrong_port),
        shared("conformance::odd_servers_of_mail_end_in_time", odd::servers_end_in_time),
        shared("conformance::odd_servers_of_mail_are_understood", odd::servers_are_understood),
    ]
}

/// Certificates in a folder that goes with them.
struct Made {
    all: Certificates,
    folder: PathBuf,
}

impl Made {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("otpost-it-{name}-{}", std::process::id()));
        Self { all: Certificates::make(&folder).expect("certificates"), folder }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn exim(identity: &otpost_local::certificates::Identity) -> Mta {
    Mta::start(&Layout::find().expect("the layout"), identity).await.expect("Exim")
}

fn message(number: u8) -> MessageRef {
    let id = MessageId::new(Timestamp::from_seconds(1_800_000_000), [number; 10]);
    MessageRef { tenant: TenantId::try_from("acme").expect("a tenant"), id }
}

fn mail(to: &str, text: &str) -> OutgoingEmail {
    let address = |text: &str| EmailAddress::try_from(text).expect("an address");
    OutgoingEmail {
        to: address(to),
        from: address("otp@mail.example.org"),
        from_name: Some("Acme – Zürich".to_owned()),
        reply_to: None,
        subject: SecretText::new("Ihr Zugang für Zürich"),
        text: SecretText::new(text),
        html: None,
        pictures: Vec::new(),
    }
}

/// Sends `mail` as message `number` by a gateway with these settings beside the usual ones.
async fn sent(number: u8, other: Value, mail: OutgoingEmail, deadline: Duration) -> Report {
    sent_with(PASSWORD, number, other, mail, deadline).await
}

async fn sent_with(
    password: &str,
    number: u8,
    other: Value,
    mail: OutgoingEmail,
    deadline: Duration,
) -> Report {
    let mut settings = json!({ "host": "127.0.0.1", "from": { "address": "otp@mail.example.org" } });
    let other = other.as_object().expect("settings").clone();
    settings.as_object_mut().expect("settings").extend(other);
    let mut document = json!({ "name": "Mail", "kind": "smtp", "settings": settings });
    if settings.get("authentication").is_some() {
        document["credentials"] = json!({ "user": USER, "password": password });
    }
    let owner = Owner::Tenant(TenantId::try_from("acme").expect("a tenant"));
    let gateway = GatewayDocument::read(&value_of(&document), &owner).expect("a gateway");
    let name = DomainName::try_from("otpost.example.org").expect("a name");
    let provider =
        SmtpProvider::new(name, Networks::parse("127.0.0.0/8").expect("networks")).expect("a provider");
    let letter = Letter::Email(mail);
    let order = Order {
        message: &message(number),
        hop: 1,
        settings: &gateway.configuration.settings,
        credentials: gateway.credentials.as_ref(),
        letter: &letter,
        life: PATIENCE,
        receipts: None,
        deadline,
        followed: true,
        test: false,
    };
    let report = provider.send(&order).await;
    assert!(!report.said.raw().iter().any(|line| line.contains(password)), "the password is told");
    assert!(!report.why.contains("@example.org"), "{}", report.why);
    report
}
