//! The demonstration against a scripted API: it must pass on a sound one and notice an unsound one. The telephone and
//! the documents are the real ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::TenantId;
use otpost_service::document::value_of;

use super::*;
use crate::deploy::Outputs;
use crate::phone::{Phone, Text};
use crate::phone_view::PhoneView;
use crate::{ports, proxy};

/// What is wrong with the scripted system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    NoMail,
    NoText,
    OtherText,
    Refused,
    AnyPasswordWill,
    PasswordRepeated,
    NothingSaid,
}

struct Script {
    flaw: Flaw,
    phone: Phone,
    mails: Vec<Value>,
    /// The gateways of the platform that are there already.
    there: Vec<String>,
}

impl Script {
    fn answer(&mut self, method: &str, path: &str, headers: (&str, bool), body: &Value) -> Response {
        let made = |body: Value| (StatusCode::CREATED, body.to_string()).into_response();
        match (method, path) {
            ("POST", "/") => json!({ "SecretString": "S3CRET" }).to_string().into_response(),
            ("POST", "/v1/tenants") => made(json!({})),
            ("POST", "/v1/keys") => made(json!({ "secret": "otp_senders_admin" })),
            ("GET", "/store") => json!({ "emails": self.mails }).to_string().into_response(),
            ("GET", "/v1/messages/msg_1") => {
                let hop = json!({ "number": 1, "state": "accepted", "said": ["taken late"] });
                json!({ "message": "msg_1", "hops": [hop] }).to_string().into_response()
            }
            ("POST", "/v1/gateways/twilio/test") => json!({
                "message": "msg_2", "outcome": "recipient_bad", "reason": "Twilio 21211: the number is not valid",
                "said": ["HTTP 400", "21211"], "milliseconds": 4,
            })
            .to_string()
            .into_response(),
            ("PUT", path) => self.put(path.trim_start_matches("/v1/gateways/"), headers, body.clone()),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn put(&mut self, id: &str, (key, any): (&str, bool), mut body: Value) -> Response {
        let platform = key == "Bearer otp_platform_S3CRET";
        if platform && !any && self.there.contains(&id.to_owned()) {
            let problem = json!({ "type": "urn:otpost:problem:precondition-required", "title": "x" });
            return (StatusCode::PRECONDITION_REQUIRED, problem.to_string()).into_response();
        }
        let test = body.as_object_mut().unwrap().remove("test").unwrap();
        let tenant = TenantId::try_from("senders-1").unwrap();
        let owner = if platform { Owner::Platform } else { Owner::Tenant(tenant) };
        GatewayDocument::read(&value_of(&body), &owner).unwrap();
        assert_eq!(test.get("tenant").is_some(), platform);
        let told = self.test(id, &body, &test);
        let status = if any { StatusCode::OK } else { StatusCode::CREATED };
        (status, json!({ "gateway": id, "test": told }).to_string()).into_response()
    }

    fn test(&mut self, id: &str, document: &Value, test: &Value) -> Value {
        let says = test["text"].as_str().unwrap().to_owned();
        if id == "wrong-password" && self.flaw != Flaw::AnyPasswordWill {
            let password = document["credentials"]["password"].as_str().unwrap();
            let said = match self.flaw {
                Flaw::PasswordRepeated => vec![format!("535 {password} is wrong")],
                Flaw::NothingSaid => Vec::new(),
                _ => vec!["535 5.7.8 no".to_owned()],
            };
            return json!({ "message": "msg_3", "outcome": "configuration_bad", "reason": "SMTP 535", "said": said });
        }
        if let Some(to) = test["email"].as_str().filter(|_| self.flaw != Flaw::NoMail) {
            self.mails.push(json!({
                "messageId": "ses-1", "from": "otp@acme.example", "destination": { "to": [to] },
                "subject": "A test", "body": { "text": says }, "attachments": [],
            }));
        }
        if let Some(to) = test["phone"].as_str().filter(|_| self.flaw != Flaw::NoText) {
            let by = match document["kind"].as_str().unwrap() {
                "twilio" => "twilio",
                "govuk_notify" => "govuk_notify",
                _ => "email_to_sms",
            };
            let body =
                if self.flaw == Flaw::OtherText { "other".to_owned() } else { format!("Otpost: {says}") };
            self.phone.receive(Text { to: to.to_owned(), from: "A".to_owned(), body, by, at: 5 });
        }
        match id {
            "twilio" if self.flaw == Flaw::Refused => {
                json!({ "outcome": "quota_gone", "reason": "the day's limit", "said": ["HTTP 429"] })
            }
            "govuk-notify" => json!({ "message": "msg_1", "outcome": "pending", "said": [] }),
            _ => json!({ "message": "msg_0", "outcome": "accepted", "said": ["250 ok"], "milliseconds": 7 }),
        }
    }
}

/// Runs the demonstration once, or as often as asked, on a scripted system.
async fn played(flaw: Flaw, times: usize) -> Result<()> {
    let listener = ports::listen(None).unwrap();
    let base = ports::url(listener.local_addr().unwrap().port());
    let phone = Phone::default();
    let there = vec!["texts-by-ses".to_owned()];
    let script = Script { flaw, phone: phone.clone(), mails: Vec::new(), there };
    let script = Arc::new(Mutex::new(script));
    let _serving = proxy::serve(listener, move |request: Request| {
        let script = Arc::clone(&script);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let key =
                parts.headers.get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default();
            let any = parts.headers.get("if-match").is_some_and(|seen| seen == "*");
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            script.lock().unwrap().answer(method, path, (key, any), &body)
        }
    })
    .unwrap();
    let view = PhoneView::start(ports::listen(None).unwrap(), phone).unwrap();
    let endpoints = Endpoints {
        api: base.clone(),
        viewer: base.clone(),
        emulator: base,
        phone: view.url.clone(),
        smtp: "127.0.0.1:8407".to_owned(),
        smtp_authority: authority(),
        smtp_password: serde_json::from_str("\"pass-word\"").unwrap(),
        outputs: Outputs::parse(r#"{"State":{"PlatformKeySecret":"platform"}}"#).unwrap(),
        ..Endpoints::default()
    };
    let mut outcome = Ok(());
    for _ in 0..times {
        outcome = run_with(&endpoints, Duration::from_millis(300)).await;
    }
    std::fs::remove_dir_all(endpoints.smtp_authority.parent().unwrap()).unwrap();
    outcome
}

/// A certificate like that of a world.
fn authority() -> PathBuf {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("otpost-senders-{}-{number}", std::process::id()));
    crate::certificates::Certificates::make(&folder).unwrap();
    folder.join("authority.pem")
}

async fn failure(flaw: Flaw) -> String {
    format!("{:#}", played(flaw, 1).await.unwrap_err())
}

#[tokio::test]
async fn a_sound_system_passes_with_documents_that_the_api_takes() {
    played(Flaw::None, 1).await.unwrap();
    played(Flaw::None, 2).await.unwrap();
}

#[tokio::test]
async fn a_message_that_does_not_arrive_is_noticed() {
    let error = failure(Flaw::NoMail).await;
    assert!(error.contains("“ses”") && error.contains("no mail is in the viewer after"), "{error}");
    let error = failure(Flaw::NoText).await;
    assert!(error.contains("“twilio”") && error.contains("no text is on the phone after"), "{error}");
    assert!(failure(Flaw::OtherText).await.contains("the text says something else"));
}

#[tokio::test]
async fn a_refusal_is_told_with_what_was_said() {
    let error = failure(Flaw::Refused).await;
    assert!(error.contains("quota_gone: the day's limit") && error.contains("said: HTTP 429"), "{error}");
}

#[tokio::test]
async fn a_test_that_does_not_tell_the_truth_is_noticed() {
    let error = failure(Flaw::AnyPasswordWill).await;
    assert!(error.contains("not configuration_bad, but accepted"), "{error}");
    let error = failure(Flaw::PasswordRepeated).await;
    assert!(error.contains("repeats what it must not") && !error.contains(WRONG_PASSWORD), "{error}");
    assert!(failure(Flaw::NothingSaid).await.contains("what the provider said is missing"));
}

#[tokio::test]
async fn a_system_of_an_older_build_is_told_so() {
    let error = run(&Endpoints::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("start it again"), "{error:#}");
}
