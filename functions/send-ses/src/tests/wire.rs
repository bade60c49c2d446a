//! Orders over the wire, to a server that answers as Amazon SES does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use otpost_domain::contact::EmailAddress;
use otpost_domain::document::{Faults, Place};
use otpost_domain::gateway::{Kind, Settings};
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::outcome::{Outcome, Report};
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_service::document::value_of;
use otpost_service::ports::MessageRef;
use otpost_service::provider::{Letter, Order, OutgoingEmail, Provider as _};
use serde_json::{Value, json};

use crate::SesProvider;

/// What the server says to `SendEmail`, and whether it knows the recipient for suppressed.
#[derive(Clone)]
enum Says {
    Accepted {
        suppressed: bool,
    },
    Error(u16, &'static str, &'static str),
    Nothing,
    /// It accepts after a while.
    Slowly,
}

#[derive(Clone)]
struct Ses {
    says: Says,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

async fn answer(State(ses): State<Ses>, request: Request) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    ses.asked.lock().unwrap().push((asked.clone(), serde_json::from_slice(&body).unwrap_or_default()));
    let json = |status: u16, body: Value| {
        let status = StatusCode::from_u16(status).unwrap();
        (status, [("content-type", "application/json")], body.to_string())
    };
    match (&ses.says, asked.starts_with("GET ")) {
        (Says::Accepted { suppressed: true }, true) => json(
            200,
            json!({ "SuppressedDestination": {
                "EmailAddress": "jane@example.org", "Reason": "BOUNCE", "LastUpdateTime": 1_800_000_000,
            }}),
        )
        .into_response(),
        (_, true) => {
            (StatusCode::NOT_FOUND, [("x-amzn-errortype", "NotFoundException")], "{}").into_response()
        }
        (Says::Accepted { .. }, false) => json(200, json!({ "MessageId": "0100-abc" })).into_response(),
        (Says::Error(status, code, message), false) => {
            let answer = json(*status, json!({ "message": message }));
            ([("x-amzn-errortype", *code)], answer).into_response()
        }
        (Says::Nothing, false) => std::future::pending().await,
        (Says::Slowly, false) => {
            // Longer than the other clients of a function wait for one answer.
            tokio::time::timeout(Duration::from_millis(1800), std::future::pending::<()>())
                .await
                .unwrap_err();
            json(200, json!({ "MessageId": "0100-abc" })).into_response()
        }
    }
}

struct Asked {
    report: Report,
    requests: Vec<(String, Value)>,
}

fn settings(more: &Value) -> Settings {
    let mut written = json!({ "from": { "address": "otp@acme.example" } });
    written.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Settings::read(Kind::Ses, &value_of(&written), &Place::root(), &mut Faults::default()).unwrap()
}

async fn sent(says: Says, settings: &Settings, test: bool, deadline: Duration) -> Asked {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let ses = Ses { says, asked: Arc::default() };
    let app = Router::new().fallback(answer).with_state(ses.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let report = asked(&provider(&endpoint), settings, test, deadline).await;
    server.abort();
    Asked { report, requests: std::mem::take(&mut *ses.asked.lock().unwrap()) }
}

/// With the timeouts that a function gives all its clients.
fn provider(endpoint: &str) -> SesProvider {
    let keys = aws_credential_types::Credentials::for_tests();
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(1500))
        .operation_timeout(Duration::from_secs(4))
        .build();
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-2"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys))
        .timeout_config(timeouts)
        .endpoint_url(endpoint)
        .build();
    SesProvider::new(&config, "Otpost <otp@example.org>", "otpost").unwrap()
}

async fn asked(provider: &SesProvider, settings: &Settings, test: bool, deadline: Duration) -> Report {
    let message = MessageRef {
        tenant: TenantId::try_from("acme").unwrap(),
        id: MessageId::new(Timestamp::from_seconds(1_800_000_000), [7; 10]),
    };
    let letter = Letter::Email(OutgoingEmail {
        to: EmailAddress::try_from("jane@example.org").unwrap(),
        from: EmailAddress::try_from("otp@acme.example").unwrap(),
        from_name: Some("Acme".to_owned()),
        reply_to: None,
        subject: SecretText::new("Subject"),
        text: SecretText::new("Your code is 482913"),
        html: None,
        pictures: Vec::new(),
    });
    let order = Order {
        message: &message,
        hop: 3,
        settings,
        credentials: None,
        letter: &letter,
        life: Duration::from_mins(5),
        receipts: None,
        deadline,
        followed: true,
        test,
    };
    provider.send(&order).await
}

const TIME: Duration = Duration::from_secs(6);

#[tokio::test]
async fn a_mail_goes_raw_under_what_the_gateway_names() {
    let settings = settings(&json!({ "configuration_set": "codes", "tenant_name": "acme-ses" }));
    let Asked { report, requests } = sent(Says::Accepted { suppressed: false }, &settings, false, TIME).await;
    assert_eq!(report.outcome, Outcome::Accepted { provider_id: "0100-abc".to_owned() });
    let [(asked, body)] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(asked, "POST /v2/email/outbound-emails");
    assert_eq!(body["ConfigurationSetName"], "codes");
    assert_eq!(body["TenantName"], "acme-ses");
    assert_eq!(body["FromEmailAddress"], "otp@acme.example");
    assert_eq!(body["Destination"], json!({ "ToAddresses": ["jane@example.org"] }));
    let tag = &body["EmailTags"][0];
    assert_eq!(tag["Name"], "otpost-message");
    let value = tag["Value"].as_str().unwrap();
    assert!(value.starts_with("acme.msg_") && value.ends_with(".3"), "{value}");
    assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.@-".contains(&b)), "{value}");
    assert!(body["Content"]["Raw"]["Data"].is_string() && body["Content"]["Simple"].is_null());
    assert_eq!(report.said.raw(), ["HTTP 200, message id 0100-abc"]);
}

#[tokio::test]
async fn the_deployments_own_account_is_read_as_a_gateway_is() {
    let keys = SdkConfig::builder().behavior_version(BehaviorVersion::v2026_01_12()).build();
    let provider = SesProvider::new(&keys, "Otpost <otp@example.org>", "otpost").unwrap();
    let Some(Settings::Ses(own)) = provider.own() else { panic!("none") };
    assert_eq!(own.from.address.expose(), "otp@example.org");
    assert_eq!(own.configuration_set.as_ref().unwrap().as_str(), "otpost");
    assert!(SesProvider::new(&keys, "otp@example.org", "otpost").is_ok());
    for (sender, set) in [("Otpost", "otpost"), ("otp@example.org", "no such set"), ("a@b", "otpost")] {
        assert!(SesProvider::new(&keys, sender, set).is_err(), "{sender} {set}");
    }
}

#[tokio::test]
async fn trouble_is_told_after_one_request() {
    let retry = Outcome::Retry { after: None };
    for (status, code, message, outcome) in [
        (429, "TooManyRequestsException", "Maximum sending rate exceeded.", retry.clone()),
        (429, "TooManyRequestsException", "Daily message quota exceeded.", Outcome::QuotaGone),
        (500, "InternalServiceErrorException", "", retry),
        (
            400,
            "MessageRejected",
            "Email address is not verified: otp@acme.example",
            Outcome::ConfigurationBad,
        ),
        (400, "SendingPausedException", "", Outcome::ConfigurationBad),
        (403, "AccessDeniedException", "User is not authorized", Outcome::ConfigurationBad),
        (404, "NotFoundException", "Configuration set <codes> does not exist", Outcome::ConfigurationBad),
        (400, "BadRequestException", "Missing final '@domain'", Outcome::RecipientBad),
        (400, "BadRequestException", "Nested group", Outcome::ContentBad),
    ] {
        let Asked { report, requests } =
            sent(Says::Error(status, code, message), &settings(&json!({})), false, TIME).await;
        assert_eq!((report.outcome, requests.len()), (outcome, 1), "{code} {message}");
        assert!(report.why.starts_with("Amazon SES") && !report.why.contains('@'), "{}", report.why);
        assert_eq!(report.said.raw().last().map(String::as_str), Some(message));
    }
}

#[tokio::test]
async fn without_an_answer_nobody_knows_and_nobody_asks_again() {
    let short = Duration::from_millis(1500);
    let Asked { report, requests } = sent(Says::Nothing, &settings(&json!({})), false, short).await;
    assert_eq!((report.outcome, requests.len()), (Outcome::Unknown, 1));
}

#[tokio::test]
async fn an_answer_is_waited_for_until_the_deadline() {
    let Asked { report, requests } = sent(Says::Slowly, &settings(&json!({})), false, TIME).await;
    assert!(matches!(report.outcome, Outcome::Accepted { .. }), "{report:?}");
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_doubt_and_one_that_never_was_leaves_none() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut begun = [0; 64];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut begun).await.unwrap();
        drop(stream);
        drop(listener);
    });
    let report = asked(&provider(&endpoint), &settings(&json!({})), false, TIME).await;
    assert_eq!(report.outcome, Outcome::Unknown, "the request had left");
    server.await.unwrap();
    let report = asked(&provider(&endpoint), &settings(&json!({})), false, TIME).await;
    assert_eq!(report.outcome, Outcome::Retry { after: None }, "nobody listens: {report:?}");
    let report = asked(&provider("http://no-such-host.invalid"), &settings(&json!({})), false, TIME).await;
    assert_eq!(report.outcome, Outcome::Retry { after: None }, "{report:?}");
}

#[tokio::test]
async fn a_test_tells_that_the_recipient_is_suppressed() {
    for (suppressed, test, lines) in [(true, true, 2), (true, false, 1), (false, true, 1)] {
        let Asked { report, requests } =
            sent(Says::Accepted { suppressed }, &settings(&json!({})), test, TIME).await;
        assert!(matches!(report.outcome, Outcome::Accepted { .. }));
        assert_eq!(report.said.raw().len(), lines, "{:?}", report.said.raw());
        assert_eq!(requests.len(), if test { 2 } else { 1 }, "only tests ask twice");
    }
}
