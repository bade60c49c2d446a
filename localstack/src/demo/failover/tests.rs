//! The demonstration against a scripted API: it must pass on a sound one and notice an unsound one. The stand-ins and the
//! phone are the real ones.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::*;
use crate::deploy::Outputs;
use crate::phone::{Phone, Text};
use crate::phone_view::PhoneView;
use crate::providers::govuk_notify::GovukNotify;
use crate::providers::twilio::Twilio;
use crate::{ports, proxy};

/// What is wrong with the scripted system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    NeverLeft,
    NeverTold,
    NeverPassed,
    NoStory,
}

struct Script {
    flaw: Flaw,
    phone: Phone,
    users: Vec<String>,
    /// How many messages find that the first gateway does not work yet before one finds that it does.
    tried: usize,
}

impl Script {
    fn answer(&mut self, method: &str, path: &str, body: &Value) -> Response {
        let made = |status: StatusCode, body: Value| (status, body.to_string()).into_response();
        match (method, path) {
            ("POST", "/") => json!({ "SecretString": "S3CRET" }).to_string().into_response(),
            ("POST", "/v1/tenants") | ("PUT", _) => made(StatusCode::CREATED, json!({})),
            ("POST", "/v1/keys") => made(StatusCode::CREATED, json!({ "secret": "otp_failover" })),
            ("POST", "/v1/users") => {
                self.users.push(body["phone"].as_str().unwrap().to_owned());
                made(StatusCode::CREATED, json!({}))
            }
            ("POST", path) if path.ends_with("/tokens") => {
                made(StatusCode::CREATED, json!({ "serial": "OTP1" }))
            }
            ("POST", "/v1/tokens/OTP1/push") => {
                let number = self.users.len();
                let works = number > 6 + self.tried && self.flaw != Flaw::NeverPassed;
                let by = if works { FIRST } else { "govuk_notify" };
                let to = self.users[number - 1].clone();
                let body = "Otpost: open your link".to_owned();
                self.phone.receive(Text { to, from: "A".to_owned(), body, by, at: 5 });
                made(StatusCode::ACCEPTED, json!({ "message": format!("msg_{number}") }))
            }
            ("GET", path) => {
                let number: usize = path.trim_start_matches("/v1/messages/msg_").parse().unwrap();
                self.message(number).to_string().into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    /// The silent gateway loses three, is passed over by three and two more, and works again.
    fn gateway(&self, number: usize, place: usize) -> &'static str {
        let by_first = number <= 3 || number > 6 + self.tried || self.flaw == Flaw::NeverPassed;
        if place == 0 && by_first { FIRST } else { SECOND }
    }

    fn message(&self, number: usize) -> Value {
        let hop = |place| json!({ "gateway": self.gateway(number, place), "state": "accepted" });
        let hops =
            if number > 3 || self.flaw == Flaw::NeverLeft { vec![hop(0)] } else { vec![hop(0), hop(1)] };
        let line = |text| json!({ "at": "2026-11-22T06:12:43Z", "text": text });
        let story = vec![line("taken"), line("silent"), line("delivered")];
        let mut message = json!({ "hops": hops, "status": "delivered", "story": story });
        match self.flaw {
            Flaw::NeverTold => message["status"] = json!("sent"),
            Flaw::NoStory => message["story"] = json!([]),
            _ => {}
        }
        message
    }
}

async fn played(flaw: Flaw) -> Result<()> {
    let listener = ports::listen(None).unwrap();
    let base = ports::url(listener.local_addr().unwrap().port());
    let phone = Phone::default();
    let script = Arc::new(Mutex::new(Script { flaw, phone: phone.clone(), users: Vec::new(), tried: 2 }));
    let _serving = proxy::serve(listener, move |request: Request| {
        let script = Arc::clone(&script);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            script.lock().unwrap().answer(parts.method.as_str(), parts.uri.path(), &body)
        }
    })
    .unwrap();
    let twilio = Twilio::start(ports::listen(None).unwrap(), phone.clone(), Vec::new()).unwrap();
    let notify = GovukNotify::start(ports::listen(None).unwrap(), phone.clone()).unwrap();
    let view = PhoneView::start(ports::listen(None).unwrap(), phone).unwrap();
    let endpoints = Endpoints {
        api: base.clone(),
        emulator: base,
        phone: view.url.clone(),
        twilio: twilio.url.clone(),
        govuk_notify: notify.url.clone(),
        outputs: Outputs::parse(r#"{"State":{"PlatformKeySecret":"platform"}}"#).unwrap(),
        ..Endpoints::default()
    };
    run_with(&endpoints, Duration::from_millis(300), Duration::ZERO).await
}

#[tokio::test]
async fn a_sound_system_passes() {
    played(Flaw::None).await.unwrap();
}

#[tokio::test]
async fn a_message_that_does_not_go_on_is_noticed() {
    for (flaw, words) in [
        (Flaw::NeverLeft, "no other gateway was asked after"),
        (Flaw::NeverTold, "the message is not delivered after"),
        (Flaw::NeverPassed, "it is not passed over"),
        (Flaw::NoStory, "the message's story is odd"),
    ] {
        let error = format!("{:#}", played(flaw).await.unwrap_err());
        assert!(error.contains(words), "{flaw:?}: {error}");
    }
}

#[tokio::test]
async fn a_system_of_an_older_build_is_told_so() {
    let error = run(&Endpoints::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("start it again"), "{error:#}");
}

#[test]
fn ordinals_are_words_at_first() {
    assert_eq!([1, 2, 3, 4].map(ordinal), ["first", "second", "third", "4th"]);
}
