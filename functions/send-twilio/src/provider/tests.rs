use std::time::Duration;

use data_encoding::BASE64;
use otpost_domain::contact::EmailAddress;
use otpost_domain::gateway::{Mailbox, Ses};
use otpost_domain::secret::SecretText;

use super::*;
use crate::scripted::{
    ACCOUNT, FROM, Given, KEY, NUMBER, SERVICE, SID, Server, TEXT, TOKEN, Then, answer, by_service, text,
    twilio,
};

fn created() -> String {
    answer(201, &[], &format!("{{\"sid\":\"{SID}\"}}"))
}

async fn taking() -> Server {
    Server::answering(created(), Then::Closes).await
}

/// The one request that was made of an order: its head's lines and its body.
async fn asked(given: &Given) -> (Vec<String>, String) {
    let server = taking().await;
    let report = given.send(&server).await;
    assert_eq!(report.outcome, Outcome::Accepted { provider_id: SID.to_owned() });
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    (head.lines().map(str::to_owned).collect(), body.to_owned())
}

fn basic(user: &str, password: &str) -> String {
    format!("authorization: Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
}

#[tokio::test]
async fn a_request_has_this_form() {
    let (head, body) = asked(&Given::new()).await;
    assert_eq!(head[0], format!("POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"));
    assert!(head.contains(&basic(ACCOUNT, TOKEN)), "RFC 7617 section 2: {head:?}");
    assert!(head.contains(&"content-type: application/x-www-form-urlencoded".to_owned()), "{head:?}");
    let form = "To=%2B447700900123&From=%2B15005550006&Body=Your+code+is+314159&ValidityPeriod=300";
    assert_eq!(body, form);
}

#[tokio::test]
async fn a_key_a_service_and_receipts_change_the_request() {
    let login = TwilioLogin::ApiKey {
        sid: SecretText::new(KEY),
        secret: SecretText::new("secret:with-colon-and-more"),
        auth_token: Some(SecretText::new(TOKEN)),
    };
    let mut given = Given::new();
    given.credentials = Some(Credentials::Twilio(login));
    given.settings = by_service();
    given.receipts = Some("https://otp.example.org/r/twilio?g=a+b&t=%2F".to_owned());
    let (head, body) = asked(&given).await;
    assert!(head[0].contains(ACCOUNT), "the account stays in the path: {}", head[0]);
    assert!(head.contains(&basic(KEY, "secret:with-colon-and-more")), "{head:?}");
    assert!(!body.contains("From="), "{body}");
    let callback = "https%3A%2F%2Fotp.example.org%2Fr%2Ftwilio%3Fg%3Da%2Bb%26t%3D%252F";
    let form =
        "To=%2B447700900123&MessagingServiceSid=MGbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb&Body=Your+code+is+314159";
    assert_eq!(body, format!("{form}&ValidityPeriod=300&StatusCallback={callback}"));
    assert!(form.contains(SERVICE));
}

#[tokio::test]
async fn texts_arrive_as_they_are() {
    let written = "+1 & a=b; 100% €\r\n„ü“ 😀 \u{0}";
    let mut given = Given::new();
    given.letter = text(NUMBER, written);
    let (_, body) = asked(&given).await;
    let form = "%2B1+%26+a%3Db%3B+100%25+%E2%82%AC%0D%0A%E2%80%9E%C3%BC%E2%80%9C+%F0%9F%98%80+%00";
    assert!(body.contains(&format!("&Body={form}&")), "{body}");
}

#[tokio::test]
async fn a_text_is_not_kept_for_longer_than_it_lives() {
    for (life, validity) in
        [(0, 1), (999, 1), (1_000, 1), (5_999, 5), (36_000_000, 36_000), (86_400_000, 36_000)]
    {
        let mut given = Given::new();
        given.life = Duration::from_millis(life);
        let (_, body) = asked(&given).await;
        assert!(body.ends_with(&format!("&ValidityPeriod={validity}")), "{life}: {body}");
    }
}

/// Twilio's guard against SMS pumping is left as the account has it.
#[tokio::test]
async fn the_risk_check_is_never_touched() {
    assert!(!asked(&Given::new()).await.1.contains("RiskCheck"));
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_asked() {
    let given = |change: fn(&mut Given)| {
        let mut given = Given::new();
        change(&mut given);
        given
    };
    for (given, outcome) in [
        (given(|given| given.letter = text(NUMBER, "")), Outcome::ContentBad),
        (given(|given| given.letter = text(NUMBER, " \r\n\t")), Outcome::ContentBad),
        (given(|given| given.letter = text(NUMBER, &"ü".repeat(1601))), Outcome::ContentBad),
        (given(|given| given.credentials = None), Outcome::ConfigurationBad),
        (
            given(|given| given.settings = Settings::Twilio(Twilio { from: None, ..twilio() })),
            Outcome::ConfigurationBad,
        ),
        (
            given(|given| given.credentials = Some(Credentials::EmailToSms { pin: SecretText::new("1") })),
            Outcome::ConfigurationBad,
        ),
        (given(|given| given.settings = ses()), Outcome::ConfigurationBad),
    ] {
        let server = taking().await;
        let report = given.send(&server).await;
        assert_eq!(report.outcome, outcome, "{}", report.why);
        assert!(!report.why.is_empty() && server.requests().is_empty());
    }
    let mut longest = Given::new();
    longest.letter = text(NUMBER, &"ü".repeat(1600));
    asked(&longest).await;
}

fn ses() -> Settings {
    let address = EmailAddress::try_from("otp@example.org").unwrap();
    let from = Mailbox { name: None, address };
    Settings::Ses(Ses { from, reply_to: None, configuration_set: None, tenant_name: None })
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let base = {
        let server = taking().await;
        server.base.clone()
    };
    // The port is free again, as soon as the server's task has ended.
    tokio::task::yield_now().await;
    let report = TwilioProvider::new(&base).unwrap().send(&Given::new().order()).await;
    assert_eq!(report.outcome, Outcome::Retry { after: None });
    assert_eq!(report.why, "Twilio: no connection");
    assert!(report.said.raw().is_empty());
}

/// There is no idempotency: a text that may have been taken must not be sent again.
#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    let created = created();
    let head = &created[..created.find("\r\n\r\n").unwrap()];
    for (answer, then) in [("", Then::Waits), ("", Then::Closes), (head, Then::Waits), (head, Then::Closes)] {
        let server = Server::answering(answer, then).await;
        let mut given = Given::new();
        given.deadline = Duration::from_millis(400);
        let limit = Duration::from_secs(10);
        let report = tokio::time::timeout(limit, given.send(&server)).await.expect("ends by its deadline");
        assert_eq!(report.outcome, Outcome::Unknown);
        assert!(
            ["Twilio: no answer in time", "Twilio: the connection broke off"].contains(&report.why.as_str())
        );
        assert_eq!(server.requests().len(), 1, "asked once");
    }
}

/// The status has come, so it is known what became of the request; only the id or the code may be missing.
#[tokio::test]
async fn an_answer_that_is_cut_counts_as_far_as_it_came() {
    let refused = answer(429, &["retry-after: 9"], "{\"code\":20429,\"message\":\"Too many\"}");
    let bad = answer(400, &[], "{\"code\":21211,\"message\":\"Invalid\"}");
    for (whole, outcome) in [
        (created(), Outcome::Unknown),
        (refused, Outcome::Retry { after: Some(Duration::from_secs(9)) }),
        (bad, Outcome::ContentBad),
    ] {
        for then in [Then::Closes, Then::Waits] {
            let server = Server::answering(&whole.as_bytes()[..whole.len() - 3], then).await;
            let mut given = Given::new();
            given.deadline = Duration::from_millis(400);
            assert_eq!(given.send(&server).await.outcome, outcome, "{whole}");
        }
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_to_its_end() {
    for (status, outcome) in [(201, Outcome::Unknown), (400, Outcome::ContentBad), (500, Outcome::Unknown)] {
        let head = format!("HTTP/1.1 {status} Said\r\n\r\n");
        let server = Server::answering(head, Then::GoesOn).await;
        let given = Given::new();
        let limit = Duration::from_secs(10);
        let report =
            tokio::time::timeout(limit, given.send(&server)).await.expect("long before its deadline");
        assert_eq!(report.outcome, outcome);
    }
}

#[tokio::test]
async fn redirections_are_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = taking().await;
        let location = format!("location: {}/elsewhere", other.base);
        let server = Server::answering(answer(status, &[&location], ""), Then::Closes).await;
        let report = Given::new().send(&server).await;
        assert_eq!(report.outcome, Outcome::ConfigurationBad);
        assert_eq!(report.why, format!("Twilio: sent us elsewhere (HTTP {status})"));
        assert_eq!((server.requests().len(), other.requests().len()), (1, 0));
    }
}

#[test]
fn the_base_must_be_private() {
    assert!(TwilioProvider::new(BASE).is_ok());
    for bad in
        ["http://api.twilio.com", "https://api.twilio.com/v1", "https://u:p@api.twilio.com", "api.twilio.com"]
    {
        let told = TwilioProvider::new(bad).unwrap_err().to_string();
        assert!(told.starts_with("the URL of Twilio's API must be"), "{told}");
    }
}

#[tokio::test]
async fn nothing_that_is_shown_tells_a_secret() {
    let mut given = Given::new();
    given.credentials = Some(Credentials::Twilio(TwilioLogin::ApiKey {
        sid: SecretText::new(KEY),
        secret: SecretText::new(TOKEN),
        auth_token: None,
    }));
    let echo = format!("{{\"code\":21211,\"message\":\"{NUMBER} {TEXT} {TOKEN} {KEY}\"}}");
    let server = Server::of(400, &echo).await;
    let provider = TwilioProvider::new(&server.base).unwrap();
    let report = provider.send(&given.order()).await;
    let answer = otpost_outbound::http::Answer {
        status: 400,
        retry_after: None,
        body: zeroize::Zeroizing::new(echo.into_bytes()),
    };
    let shown = format!(
        "{provider:?} {:?} {:?} {:?} {:?} {report:?} {answer:?} {:#?} {}",
        given.order(),
        given.letter,
        given.credentials,
        given.settings,
        given.order(),
        report.why,
    );
    for secret in [NUMBER, &NUMBER[1..], "314159", TOKEN, KEY] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains(FROM), "the gateway's own sender is no secret");
    assert!(report.said.raw().iter().any(|line| line.contains("314159")), "kept for the redaction");
}
