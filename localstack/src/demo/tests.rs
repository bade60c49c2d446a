//! The demonstration against a scripted system: it must pass on a sound one and notice an unsound one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::*;
use crate::authenticator::Authenticator;
use crate::deploy::Outputs;
use crate::{host, ports, proxy, qr};

const URI: &str = "otpauth://totp/Demo:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&amp;issuer=Demo";
const SEED: &str = "otpauth://totp/Demo:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo";

/// What is wrong with the scripted system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    QrSaysSomethingElse,
    SeedOnOpening,
    NoAuthorization,
    NoCookie,
    StaysInactive,
    ReplayAccepted,
}

struct Script {
    base: String,
    flaw: Flaw,
    users: Vec<String>,
    used: Vec<String>,
    active: bool,
}

impl Script {
    fn answer(&mut self, method: &str, path: &str, cookie: &str, body: &str) -> Response {
        let json: Value = serde_json::from_str(body).unwrap_or_default();
        match (method, path) {
            ("POST", "/") => written(&json!({ "SecretString": "S3CRET" })).into_response(),
            ("POST", "/v1/tenants") => made(&json!({ "tenant": "demo" })),
            ("POST", "/v1/keys") => {
                made(&json!({ "secret": format!("otp_demo-{}_x_y", json["role"].as_str().unwrap()) }))
            }
            ("POST", "/v1/users") => self.add(&json),
            ("GET", "/store") => written(&self.store()).into_response(),
            ("POST", path) if path.ends_with("/tokens") => {
                made(&json!({ "serial": "OTP1", "state": "assigned" }))
            }
            ("POST", "/v1/tokens/OTP1/push") => (
                StatusCode::ACCEPTED,
                written(
                    &json!({ "message": "msg_1", "status": "queued", "authorization_code": "AAAA-AAAA" }),
                ),
            )
                .into_response(),
            ("GET", "/v1/tokens/OTP1") => written(
                &json!({ "serial": "OTP1", "state": if self.active { "active" } else { "assigned" } }),
            )
            .into_response(),
            ("POST", "/v1/verify") => self.verify(json["code"].as_str().unwrap()),
            (_, "/e/c0de") => self.page(cookie, body),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn add(&mut self, user: &Value) -> Response {
        let name = user["user"].as_str().unwrap().to_owned();
        if self.users.contains(&name) {
            return StatusCode::CONFLICT.into_response();
        }
        self.users.push(name);
        made(&json!({}))
    }

    fn store(&self) -> Value {
        let link = format!("{}/e/c0de", self.base);
        let said =
            if self.flaw == Flaw::QrSaysSomethingElse { "https://elsewhere.example/e/c0de" } else { &link };
        let png = BASE64.encode(&qr::tests::picture(said, 4));
        let mail = |user: &String| {
            json!({ "messageId": user, "from": "o@example.org", "destination": { "to": [format!("{user}@example.org")] },
                "subject": "Your token", "body": { "text": format!("Open {link} now"), "html": format!("<a href=\"{link}\">x</a>") },
                "attachments": [{ "content": png, "contentType": "image/png", "contentId": "<qr>" }] })
        };
        json!({ "templates": {}, "emails": self.users.iter().map(mail).collect::<Vec<_>>() })
    }

    fn page(&mut self, cookie: &str, body: &str) -> Response {
        let fields: BTreeMap<&str, &str> = body.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let seed = format!("<a id=\"otpauth\" href=\"{URI}\">Open the app</a>");
        let form =
            |action: &str| format!("<form method=post><input type=hidden name=action value={action}></form>");
        match fields.get("action") {
            None if self.flaw == Flaw::SeedOnOpening => {
                Html(format!("{seed}{}", form("start"))).into_response()
            }
            None => Html(form("start")).into_response(),
            Some(&"start")
                if !fields.contains_key("authorization_code") && self.flaw != Flaw::NoAuthorization =>
            {
                (StatusCode::FORBIDDEN, Html(form("start"))).into_response()
            }
            Some(&"start") => {
                let cookie = (self.flaw != Flaw::NoCookie)
                    .then_some([("set-cookie", "__session=1; Path=/e/c0de; HttpOnly")]);
                (cookie, Html(format!("{seed}{}", form("activate")))).into_response()
            }
            Some(_) => {
                let code = fields.get("code").copied().unwrap_or_default();
                let right = current_codes().contains(&code.to_owned()) && cookie == "__session=1";
                self.active = right && self.flaw != Flaw::StaysInactive;
                self.used.push(code.to_owned());
                Html(if right { "<p id=\"activated\">Done</p>" } else { "<p id=\"problem\">No</p>" })
                    .into_response()
            }
        }
    }

    fn verify(&mut self, code: &str) -> Response {
        let fresh = !self.used.iter().any(|used| used == code) || self.flaw == Flaw::ReplayAccepted;
        if fresh && self.active && current_codes().iter().any(|known| known == code) {
            self.used.push(code.to_owned());
            return written(&json!({ "result": "accepted", "serial": "OTP1" })).into_response();
        }
        let problem =
            json!({ "type": "urn:otpost:problem:invalid-code", "title": "Not valid", "status": 422 });
        (StatusCode::UNPROCESSABLE_ENTITY, written(&problem)).into_response()
    }
}

fn written(body: &Value) -> String {
    body.to_string()
}

fn made(body: &Value) -> Response {
    (StatusCode::CREATED, written(body)).into_response()
}

/// The codes inside a window of one step each way.
fn current_codes() -> Vec<String> {
    let (app, now) = (Authenticator::scan(SEED).unwrap(), host::unix_time());
    [now - 30, now, now + 30].into_iter().map(|at| app.code_at(at)).collect()
}

/// Starts a scripted system.
fn scripted(flaw: Flaw) -> (Endpoints, proxy::Serving) {
    let listener = ports::listen(None).unwrap();
    let base = ports::url(listener.local_addr().unwrap().port());
    let script = Script { base: base.clone(), flaw, users: Vec::new(), used: Vec::new(), active: false };
    let script = Arc::new(Mutex::new(script));
    let serving = proxy::serve(listener, move |request: Request| {
        let script = Arc::clone(&script);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let cookie =
                parts.headers.get("cookie").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            script.lock().unwrap().answer(parts.method.as_str(), parts.uri.path(), cookie, &body)
        }
    });
    let outputs = Outputs::parse(r#"{"State":{"PlatformKeySecret":"platform"}}"#).unwrap();
    let endpoints = Endpoints {
        api: base.clone(),
        viewer: base.clone(),
        emulator: base.clone(),
        tap: base,
        outputs,
        ..Endpoints::default()
    };
    (endpoints, serving.unwrap())
}

async fn failure(flaw: Flaw) -> String {
    let (endpoints, _serving) = scripted(flaw);
    format!("{:#}", run(&endpoints, None).await.unwrap_err())
}

#[tokio::test]
async fn a_sound_system_passes_and_a_used_step_does_not_pass_again() {
    let (endpoints, _serving) = scripted(Flaw::None);
    let keys = run(&endpoints, None).await.unwrap();
    assert_eq!(keys.operator, "otp_demo-operator_x_y");
    assert_eq!(format!("{keys:?}"), "Keys(…)");
    // The scripted system has one token, whose next code is used up now: only its enrolment can pass again.
    let error = run(&endpoints, Some(keys)).await.unwrap_err().to_string();
    assert!(error.contains("verifies the next one"), "{error}");
}

#[tokio::test]
async fn a_qr_code_that_leads_elsewhere_is_noticed() {
    let error = failure(Flaw::QrSaysSomethingElse).await;
    assert!(error.contains("its QR code is read") && error.contains("elsewhere.example"), "{error}");
}

#[tokio::test]
async fn a_seed_that_opening_gives_away_is_noticed() {
    assert!(failure(Flaw::SeedOnOpening).await.contains("opening alone gives the seed away"));
}

#[tokio::test]
async fn a_page_that_needs_no_authorization_is_noticed() {
    assert!(failure(Flaw::NoAuthorization).await.contains("without the authorization code"));
}

#[tokio::test]
async fn a_page_without_a_session_is_noticed() {
    assert!(failure(Flaw::NoCookie).await.contains("sets no cookie"));
}

#[tokio::test]
async fn a_token_that_stays_inactive_is_noticed() {
    assert!(failure(Flaw::StaysInactive).await.contains("the token is assigned"));
}

#[tokio::test]
async fn a_replayed_code_that_passes_is_noticed() {
    assert!(failure(Flaw::ReplayAccepted).await.contains("the same code again"));
}
