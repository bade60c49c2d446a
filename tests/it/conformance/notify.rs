//! GOV.UK Notify: its own client reads our tokens, and our stand-in passes for Notify with it and with our sender.

use std::time::Duration;

use data_encoding::HEXLOWER;
use otpost_domain::contact::PhoneNumber;
use otpost_domain::gateway::{Credentials, GovukNotify, Kind, Part, Placeholder, Settings, Uuid};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_edge::ambient::SystemClock;
use otpost_local::host;
use otpost_local::phone::Phone;
use otpost_local::ports;
use otpost_local::providers::govuk_notify as stand_in;
use otpost_send_govuk_notify::{NotifyProvider, token};
use otpost_service::memory::CountingEntropy;
use otpost_service::ports::{Clock, Entropy, MessageRef};
use otpost_service::provider::{Letter, Order, OutgoingText, Provider};
use serde_json::{Value, json};

use super::python;

const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";

/// The machine's clock, and so many seconds.
#[derive(Debug)]
struct Off(i64);

impl Clock for Off {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(host::unix_time().checked_add_signed(self.0).expect("a time"))
    }

    async fn pause(&self, time: Duration) {
        host::pause(time).await;
    }
}

fn credentials(key: &str) -> Credentials {
    Credentials::from_parts(Kind::GovukNotify, [(Part::ApiKey, SecretText::new(key))]).expect("a key")
}

fn uuid(entropy: &CountingEntropy) -> String {
    let digits = HEXLOWER.encode(&entropy.array::<16>());
    let groups = [0..8, 8..12, 12..16, 16..20, 20..32].map(|group| digits[group].to_owned());
    groups.join("-")
}

pub(super) fn notifys_own_client_verifies_our_tokens() {
    let entropy = CountingEntropy::default();
    let now = host::unix_time();
    let signed = |key: &str, at: u64| {
        let Credentials::GovukNotify { api_key, .. } = credentials(key) else { panic!("a key of Notify") };
        let token = token::signed(&api_key, at).expect("a token");
        json!({ "key": key, "token": token.expose() })
    };
    let names = ["live", "a-name", "a name-with--hyphens-", "-", "Prüfung"];
    let mut orders: Vec<Value> = (0..400)
        .map(|number| {
            let (service, secret) = (uuid(&entropy), uuid(&entropy));
            signed(&format!("{}-{service}-{secret}", names[number % names.len()]), now)
        })
        .collect();
    orders.push(signed(stand_in::LIVE_KEY, now - 60));
    orders.push(signed(stand_in::LIVE_KEY, now + 90));
    let answers = python("conformance/verify_tokens.py", json!(orders).to_string().as_bytes());
    let answers = answers.as_array().expect("a list");
    assert_eq!(answers.len(), 402);
    for (answer, order) in answers.iter().zip(&orders).take(400) {
        assert_eq!(answer["judged"], "good", "{order}");
        assert_eq!(answer["issuer"], answer["service"]);
        assert_eq!(answer["claims"], json!(["iat", "iss"]));
        assert_eq!(answer["with_another"], "TokenDecodeError");
    }
    for answer in &answers[400..] {
        assert_eq!(answer["judged"], "TokenExpiredError", "the client is awake");
    }
}

fn started() -> (stand_in::GovukNotify, Phone) {
    let phone = Phone::default();
    let listener = ports::listen(None).expect("a port");
    (stand_in::GovukNotify::start(listener, phone.clone()).expect("a stand-in"), phone)
}

pub(super) async fn notifys_own_client_sends_by_the_stand_in() {
    let (notify, phone) = started();
    let text = |number: &str, values: Value, reference: &str| json!({ "number": number, "values": values, "reference": reference });
    let order = json!({
        "base": notify.url, "key": stand_in::LIVE_KEY, "template": stand_in::TEMPLATE_CODE,
        "texts": [
            text("07700 900 123", json!({ "code": "482913" }), "one"),
            text("+4915112345678", json!({ "Code": 482_914 }), "two & three"),
            text("+442079460000", json!({ "code": "482913" }), "four"),
            text("07700900123", json!({ "message": "482913" }), "five"),
            text("0770090012x", json!({ "code": "482913" }), "six"),
        ],
    });
    // Python waits for answers that this process gives.
    let input = order.to_string();
    let told = tokio::task::spawn_blocking(move || python("conformance/send_texts.py", input.as_bytes()));
    let told = told.await.expect("an answer");

    assert_eq!(told["template"]["personalisation"], json!({ "code": { "required": true } }));
    for (number, reference) in [(0, "one"), (1, "two & three")] {
        let sent = &told["texts"][number];
        assert_eq!(
            (&sent["row"]["reference"], &sent["row"]["id"]),
            (&json!(reference), &sent["answer"]["id"])
        );
        assert_eq!(sent["listed"], json!([sent["row"]]));
    }
    for (number, error) in [(2, "InvalidPhoneError"), (3, "BadRequestError"), (4, "ValidationError")] {
        let refused = &told["texts"][number];
        assert_eq!((&refused["status"], &refused["errors"][0]["error"]), (&json!(400), &json!(error)));
    }
    let arrived: Vec<_> = phone.texts().into_iter().map(|text| (text.to, text.body)).collect();
    let body = |code: &str| format!("Otpost: Your code is {code}. Do not give it to anybody.");
    let expected = [("+447700900123", body("482913")), ("+4915112345678", body("482914"))];
    assert_eq!(arrived, expected.map(|(to, body)| (to.to_owned(), body)));
}

/// What our sender is asked to do.
struct Task<'a> {
    key: &'a str,
    template: &'a str,
    placeholder: Placeholder,
    sender: Option<&'a str>,
    to: &'a str,
    text: &'a str,
    /// The number of the message.
    number: usize,
}

impl Default for Task<'_> {
    fn default() -> Self {
        Self {
            key: stand_in::LIVE_KEY,
            template: TEMPLATE,
            placeholder: Placeholder::Message,
            sender: None,
            to: "+447700900123",
            text: "Your code is 482913",
            number: 0,
        }
    }
}

impl Task<'_> {
    /// Its report, and what is found of it afterwards.
    async fn done(&self, provider: &NotifyProvider<impl Clock>) -> (Report, Option<Report>) {
        let uuid = |text: &str| Uuid::try_from(text).expect("a UUID");
        let id = format!("msg_{:026}", self.number);
        let message = MessageRef {
            tenant: TenantId::try_from("acme").expect("an id"),
            id: MessageId::try_from(id.as_str()).expect("an id"),
        };
        let settings = Settings::GovukNotify(GovukNotify {
            template_id: uuid(self.template),
            sms_sender_id: self.sender.map(uuid),
            placeholder: self.placeholder,
        });
        let letter = Letter::Text(OutgoingText {
            to: PhoneNumber::try_from(self.to).expect("a number"),
            text: SecretText::new(self.text),
            code: Some(SecretText::new("482913")),
        });
        let order = Order {
            message: &message,
            hop: 1,
            settings: &settings,
            credentials: Some(&credentials(self.key)),
            letter: &letter,
            life: Duration::from_mins(5),
            receipts: None,
            deadline: Duration::from_secs(20),
            followed: true,
            test: false,
        };
        (provider.send(&order).await, provider.reconcile(&order).await)
    }
}

fn id(report: &Report) -> &str {
    match &report.outcome {
        Outcome::Accepted { provider_id } => provider_id,
        other => panic!("{other:?}: {}", report.why),
    }
}

/// Whatever our sender sends is of the form that the stand-in wants, arrives, and is found by its reference.
pub(super) async fn our_sender_sends_by_the_stand_in() {
    let (notify, phone) = started();
    let provider = NotifyProvider::new(&notify.url, SystemClock).expect("a provider");
    let entropy = CountingEntropy::default();
    let letters: Vec<char> = "abc XYZ 0189 @£$ äöüß é \n {}[]~€ \"\\' (()) ?? /".chars().collect();
    for number in 0..150 {
        let [length, rest @ ..] = entropy.array::<64>();
        let text: String = rest
            .iter()
            .take(usize::from(length % 63))
            .map(|byte| letters[usize::from(*byte) % letters.len()])
            .collect();
        let text = format!("{text}.");
        let to = format!("+4477009{:05}", 10_000 + number);
        let (report, found) = Task { text: &text, to: &to, number, ..Task::default() }.done(&provider).await;
        assert_eq!(found.as_ref().map(id), Some(id(&report)));
        let arrived = phone.texts().pop().expect("a text");
        assert_eq!((arrived.to, arrived.body), (to, format!("Otpost: {}", text.trim())));
    }
    for text in ["漢字 😀", "“quoted” – and…", &"x".repeat(918), "\u{200b}a\u{0}b"] {
        let (report, _) = Task { text, number: 900, ..Task::default() }.done(&provider).await;
        assert!(!id(&report).is_empty());
    }
    let code = Task {
        template: stand_in::TEMPLATE_CODE,
        placeholder: Placeholder::Code,
        sender: Some(TEMPLATE),
        number: 901,
        ..Task::default()
    };
    id(&code.done(&provider).await.0);
    let arrived = phone.texts().pop().expect("a text");
    assert_eq!(arrived.body, "Otpost: Your code is 482913. Do not give it to anybody.");
}

pub(super) async fn our_sender_understands_what_the_stand_in_refuses() {
    let (notify, phone) = started();
    let provider = NotifyProvider::new(&notify.url, SystemClock).expect("a provider");
    let stranger = "live-99999999-9999-4999-8999-999999999999-0d9c8b7a-6f5e-4d3c-8b2a-1f0e9d8c7b6a";
    let forged = format!("{}ffffffffffff", &stand_in::LIVE_KEY[..stand_in::LIVE_KEY.len() - 12]);
    let usual = Task::default;
    let configuration = Outcome::ConfigurationBad;
    for (task, outcome, why) in [
        (Task { to: "+442079460000", ..usual() }, Outcome::RecipientBad, "400 InvalidPhoneError"),
        (Task { to: "+448000000000", ..usual() }, Outcome::RecipientBad, "400 ValidationError phone_number"),
        (Task { text: "\u{200b}", ..usual() }, Outcome::ContentBad, "400 BadRequestError"),
        (
            Task { sender: Some(stand_in::SENDER_MISSING), ..usual() },
            configuration.clone(),
            "400 BadRequestError",
        ),
        (
            Task { template: stand_in::TEMPLATE_DELETED, ..usual() },
            configuration.clone(),
            "400 BadRequestError",
        ),
        (
            Task { template: stand_in::TEMPLATE_MISSING, ..usual() },
            configuration.clone(),
            "404 NoResultFound",
        ),
        (Task { template: stand_in::TEMPLATE_EMAIL, ..usual() }, configuration.clone(), "not one for texts"),
        (
            Task { template: stand_in::TEMPLATE_CODE, ..usual() },
            configuration.clone(),
            "no place ((message))",
        ),
        (Task { placeholder: Placeholder::Code, ..usual() }, configuration.clone(), "no place ((code))"),
        (Task { key: stand_in::TEAM_KEY, ..usual() }, configuration.clone(), "400 BadRequestError"),
        (Task { key: stand_in::REVOKED_KEY, ..usual() }, configuration.clone(), "403 AuthError"),
        (Task { key: stranger, ..usual() }, configuration.clone(), "403 AuthError"),
        (Task { key: &forged, ..usual() }, configuration, "403 AuthError"),
    ] {
        let (report, found) = task.done(&provider).await;
        assert_eq!((&report.outcome, found), (&outcome, None), "{}", report.why);
        assert!(report.why.contains(why), "{}", report.why);
    }
    assert_eq!(phone.texts(), []);

    // Taken and gone: numbers for smoke tests are not even kept. A test key's texts are kept, and arrive nowhere.
    let smoke = Task { to: "+447700900000", number: 1, ..usual() }.done(&provider).await;
    assert_eq!((id(&smoke.0).len(), smoke.1), (36, None));
    let test =
        Task { key: stand_in::TEST_KEY, to: "+447700900002", number: 2, ..usual() }.done(&provider).await;
    assert_eq!(test.1.as_ref().map(id), Some(id(&test.0)));
    assert_eq!(phone.texts(), []);

    // A clock that is far off is set right by the date of an answer.
    for seconds in [-120, 25, 3_600] {
        let provider = NotifyProvider::new(&notify.url, Off(seconds)).expect("a provider");
        let (report, found) = Task { number: 3, ..usual() }.done(&provider).await;
        assert_eq!(found.is_some(), !id(&report).is_empty());
    }
    assert_eq!(phone.texts().len(), 3);
    let gone = NotifyProvider::new(&ports::url(ports::pick(None).expect("a port")), SystemClock)
        .expect("a provider");
    assert_eq!(usual().done(&gone).await.0.outcome, Outcome::Retry { after: None });
}
