//! The sender `send-twilio` and the stand-in for Twilio: they share no code, and understand each other.

use std::time::Duration;

use libtest_mimic::Trial;
use otpost_domain::contact::PhoneNumber;
use otpost_domain::gateway::{
    AccountSid, Credentials, MessagingServiceSid, Settings, TextSender, Twilio, TwilioLogin,
};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_local::phone::Phone;
use otpost_local::ports;
use otpost_local::providers::twilio::Twilio as StandIn;
use otpost_send_twilio::TwilioProvider;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingText, Provider as _};
use otpost_tests::world::RUNTIME;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::{plain, shared};

pub(crate) const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SERVICE: &str = "MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const KEY: &str = "SKcccccccccccccccccccccccccccccccc";
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const CALLBACK: &str = "https://otp.example.org/receipts/twilio/acme?key=a%2Bb";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("twilio::the_stand_in_takes_whatever_is_sent", the_stand_in_takes_whatever_is_sent),
        shared("twilio::every_trouble_is_understood", every_trouble_is_understood),
        plain("twilio::a_code_means_the_same_in_a_receipt", a_code_means_the_same_in_a_receipt),
    ]
}

/// One text to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// From a number or name, or by a service.
    pub(crate) from: Option<String>,
    /// With an API key, or with the account's auth token.
    pub(crate) key: bool,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) life: Duration,
    pub(crate) receipts: Option<&'static str>,
}

impl Given {
    pub(crate) fn to(number: &str) -> Self {
        Self {
            from: Some("+15005550006".to_owned()),
            key: false,
            to: number.to_owned(),
            text: "Your code is 314159".to_owned(),
            life: Duration::from_mins(5),
            receipts: None,
        }
    }

    pub(crate) async fn send(&self, provider: &TwilioProvider, deadline: Duration) -> Report {
        let from = self.from.as_deref().map(|from| TextSender::try_from(from).expect("a sender"));
        let service = MessagingServiceSid::try_from(SERVICE).expect("a SID");
        let settings = Settings::Twilio(Twilio {
            account_sid: AccountSid::try_from(ACCOUNT).expect("a SID"),
            messaging_service_sid: from.is_none().then_some(service),
            from,
        });
        let secret = SecretText::new(SECRET);
        let login = if self.key {
            TwilioLogin::ApiKey { sid: SecretText::new(KEY), secret, auth_token: None }
        } else {
            TwilioLogin::AuthToken(secret)
        };
        let to = PhoneNumber::try_from(self.to.as_str()).expect("a number");
        let letter = Letter::Text(OutgoingText { to, text: SecretText::new(self.text.as_str()), code: None });
        let message = MessageRef {
            tenant: TenantId::try_from("acme").expect("a tenant"),
            id: MessageId::new(Timestamp::from_seconds(1_800_000_000), [7; 10]),
        };
        let order = Order {
            message: &message,
            hop: 1,
            settings: &settings,
            credentials: Some(&Credentials::Twilio(login)),
            letter: &letter,
            life: self.life,
            receipts: self.receipts,
            deadline,
            followed: true,
            test: false,
        };
        provider.send(&order).await
    }
}

/// All forms that a request can have.
#[cfg(feature = "conformance")]
pub(crate) fn forms() -> Vec<Given> {
    let mut forms = Vec::new();
    for from in [Some("+15005550006"), Some("12345"), Some("Acme & Co"), None] {
        for key in [false, true] {
            for receipts in [None, Some(CALLBACK)] {
                let from = from.map(str::to_owned);
                forms.push(Given { from, key, receipts, ..Given::to("+447700900123") });
            }
        }
    }
    let long =
        Given { text: "ü€😀+&=%".repeat(220), life: Duration::from_hours(48), ..forms[0].clone() };
    let late = Given { life: Duration::ZERO, ..forms[0].clone() };
    forms.extend([long, late]);
    forms
}

pub(crate) struct Scene {
    pub(crate) phone: Phone,
    pub(crate) twilio: StandIn,
}

impl Scene {
    /// On the test's runtime.
    pub(crate) fn open() -> Self {
        let (phone, listener) = (Phone::default(), ports::listen(None).expect("a port"));
        let twilio = StandIn::start(listener, phone.clone(), Vec::new()).expect("starts");
        Self { phone, twilio }
    }
}

fn any_given() -> impl Strategy<Value = Given> {
    let from = prop_oneof![
        "\\+[1-9][0-9]{6,14}".prop_map(Some),
        "[0-9]{3,8}".prop_map(Some),
        "[A-Za-z0-9+_&-][A-Za-z0-9 +_&-]{0,8}[A-Za-z]".prop_map(Some),
        Just(None),
    ];
    let text = prop_oneof![
        8 => any::<String>(),
        1 => prop::collection::vec(any::<char>(), 1_590..1_610).prop_map(String::from_iter),
        1 => "\\PC{0,200}",
        1 => "[ \\t\\r\\n]{0,3}",
    ];
    let life = prop_oneof![0..40_000_000_u64, any::<u64>()].prop_map(Duration::from_millis);
    let receipts = prop::option::of(Just(CALLBACK));
    let given = (from, any::<bool>(), "\\+[1-9][0-9]{6,14}", text, life, receipts);
    given.prop_map(|(from, key, to, text, life, receipts)| Given { from, key, to, text, life, receipts })
}

/// Every text and number gets through as it is; what the stand-in would refuse is not even asked.
fn the_stand_in_takes_whatever_is_sent() {
    let _guard = RUNTIME.enter();
    let scene = Scene::open();
    let provider = TwilioProvider::new(&scene.twilio.url).expect("a base");
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(300) });
    let ran = runner.run(&any_given(), |given| {
        let report = RUNTIME.block_on(given.send(&provider, Duration::from_secs(20)));
        let (texts, taken) = (scene.phone.texts(), scene.twilio.taken());
        if given.text.trim().is_empty() || given.text.chars().count() > 1_600 {
            prop_assert_eq!(report.outcome, Outcome::ContentBad);
            prop_assert_eq!(texts.len(), taken.len());
            return Ok(());
        }
        let (text, taken) = (texts.last().expect("a text"), taken.last().expect("a request"));
        prop_assert_eq!(report.outcome, Outcome::Accepted { provider_id: taken.sid.clone() });
        prop_assert_eq!(&text.to, &given.to);
        prop_assert_eq!(&text.body, &given.text);
        prop_assert_eq!(&text.from, given.from.as_deref().unwrap_or(SERVICE));
        prop_assert_eq!(u64::from(taken.validity), given.life.as_secs().clamp(1, 36_000));
        prop_assert_eq!(taken.status_callback.as_deref(), given.receipts);
        Ok(())
    });
    ran.expect("they agree");
    let arrived = scene.phone.texts().len();
    assert!(arrived > 150, "{arrived} texts of 300 arrived");
}

/// Each number of the stand-in that means trouble, as the sender reports it.
async fn every_trouble_is_understood() {
    let scene = Scene::open();
    let provider = TwilioProvider::new(&scene.twilio.url).expect("a base");
    let soon = |seconds: Option<u64>| Outcome::Retry { after: seconds.map(Duration::from_secs) };
    for (to, outcome, why) in [
        ("+15005550001", Outcome::RecipientBad, "Twilio 21211: the number is not valid"),
        ("+15005550002", Outcome::RecipientBad, "Twilio 21612: "),
        ("+15005550003", Outcome::RecipientBad, "Twilio 21408: "),
        ("+15005550004", Outcome::RecipientBad, "Twilio 21610: "),
        ("+15005550009", Outcome::RecipientBad, "Twilio 21614: "),
        ("+15005550401", Outcome::ConfigurationBad, "Twilio 20003: "),
        ("+15005550429", soon(Some(2)), "Twilio 20429: "),
        ("+15005550450", Outcome::RecipientBad, "Twilio 30450: blocked as fraud"),
        ("+15005550500", Outcome::Unknown, "Twilio: in trouble, and may have taken the text (HTTP 500)"),
        ("+15005550503", soon(None), "Twilio 20503: "),
        ("+15005553038", Outcome::QuotaGone, "Twilio 63038: "),
        ("+15005559457", Outcome::RecipientBad, "Twilio 21614: "),
    ] {
        let report = Given::to(to).send(&provider, Duration::from_secs(20)).await;
        assert_eq!(report.outcome, outcome, "{to}");
        assert!(report.why.starts_with(why), "{to}: {}", report.why);
    }
    for (from, outcome) in [
        ("+15005550001", Outcome::ConfigurationBad),
        ("+15005550007", Outcome::ConfigurationBad),
        ("+15005550008", Outcome::QuotaGone),
    ] {
        let given = Given { from: Some(from.to_owned()), ..Given::to("+447700900123") };
        let report = given.send(&provider, Duration::from_secs(20)).await;
        assert_eq!(report.outcome, outcome, "from {from}: {}", report.why);
    }
    let own = Given::to("+15005550006").send(&provider, Duration::from_secs(20)).await;
    assert_eq!(
        (own.outcome, own.why.as_str()),
        (Outcome::RecipientBad, "Twilio 21266: the number is the sender's own")
    );
    assert!(scene.phone.texts().is_empty());

    let open = Given::to("+15005550408").send(&provider, Duration::from_millis(500)).await;
    assert_eq!(open.outcome, Outcome::Unknown);
    assert_eq!(scene.phone.texts().len(), 1, "it arrived all the same");
}

/// An operator reads the same of a code, whether the sender met it or a receipt brought it.
fn a_code_means_the_same_in_a_receipt() {
    let told_by_receipts = otpost_receipts::twilio::codes::TABLE;
    assert!(told_by_receipts.len() >= 20);
    for (code, told) in told_by_receipts {
        let known = otpost_send_twilio::outcome::explain(*code).map(|entry| entry.told);
        assert_eq!(known, Some(*told), "{code}");
    }
    // Whatever happens to a text after it was taken has a code from 30000 on.
    for entry in otpost_send_twilio::outcome::TABLE.iter().filter(|entry| entry.code >= 30_000) {
        assert_eq!(otpost_receipts::twilio::codes::explain(entry.code), Some(entry.told), "{}", entry.code);
    }
}
