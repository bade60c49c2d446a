//! The sender against servers that say what they are told to.

mod clocks;
mod doubt;
mod errors;
mod server;
mod templates;
mod texts;

use std::time::Duration;

use otpost_domain::contact::PhoneNumber;
use otpost_domain::gateway::{Credentials, GovukNotify, Kind, Part, Placeholder, Settings, Uuid};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_service::memory::ManualClock;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingText, Provider as _};

use crate::NotifyProvider;
use server::{Script, Server};

const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";
const NOTIFY_ID: &str = "471246c7-6a1b-4f6e-8a43-0d9b0f3f4a55";
const SERVICE: &str = "11111111-2222-4333-8444-555566667777";
const SECRET: &str = "88888888-9999-4aaa-8bbb-ccccddddeeee";
const REFERENCE: &str = "acme/msg_06h03olgfrvrsonu93d19h37h0/1";
const TEXT: &str = "Your code is 482913";
const CODE: &str = "482913";
/// What the clock of these tests says.
const NOW: u64 = 1_800_000_000;

/// An order and who carries it out.
struct Desk {
    server: Server,
    clock: ManualClock,
    provider: NotifyProvider<ManualClock>,
    settings: Settings,
    credentials: Credentials,
    letter: Letter,
    message: MessageRef,
    deadline: Duration,
    test: bool,
}

impl Desk {
    async fn new(script: Script) -> Self {
        let (server, clock) = (Server::start(script).await, ManualClock::default());
        Self {
            provider: NotifyProvider::new(&server.url, clock.clone()).unwrap(),
            server,
            clock,
            settings: settings(Placeholder::Message, None),
            credentials: key(SERVICE, SECRET),
            letter: letter(TEXT),
            message: MessageRef {
                tenant: TenantId::try_from("acme").unwrap(),
                id: MessageId::try_from("msg_06h03olgfrvrsonu93d19h37h0").unwrap(),
            },
            deadline: Duration::from_secs(20),
            test: false,
        }
    }

    fn order(&self) -> Order<'_> {
        Order {
            message: &self.message,
            hop: 1,
            settings: &self.settings,
            credentials: Some(&self.credentials),
            letter: &self.letter,
            life: Duration::from_mins(10),
            receipts: None,
            deadline: self.deadline,
            followed: false,
            test: self.test,
        }
    }

    async fn send(&self) -> Report {
        let report = self.provider.send(&self.order()).await;
        for secret in ["482913", "7700900123", SECRET] {
            assert!(!report.why.contains(secret), "{}", report.why);
        }
        report
    }

    fn posts(&self) -> usize {
        self.server.seen().iter().filter(|seen| seen.method == "POST").count()
    }
}

fn settings(placeholder: Placeholder, sender: Option<&str>) -> Settings {
    Settings::GovukNotify(GovukNotify {
        template_id: Uuid::try_from(TEMPLATE).unwrap(),
        sms_sender_id: sender.map(|id| Uuid::try_from(id).unwrap()),
        placeholder,
    })
}

fn key(service: &str, secret: &str) -> Credentials {
    let key = SecretText::new(format!("a-name-with-hyphens-{service}-{secret}"));
    Credentials::from_parts(Kind::GovukNotify, [(Part::ApiKey, key)]).unwrap()
}

fn letter(text: &str) -> Letter {
    Letter::Text(OutgoingText {
        to: PhoneNumber::sample(),
        text: SecretText::new(text),
        code: Some(SecretText::new(CODE)),
    })
}

fn accepted() -> Outcome {
    Outcome::Accepted { provider_id: NOTIFY_ID.to_owned() }
}

const LATER: Outcome = Outcome::Retry { after: None };
const TEMPLATE_GET: &str = "GET /v2/template/…";
const SEND_POST: &str = "POST /v2/notifications/sms";
const LOOK_GET: &str = "GET /v2/notifications";
