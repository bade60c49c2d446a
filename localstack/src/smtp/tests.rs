//! The server as Python's own client of SMTP sees it.

use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use data_encoding::BASE64;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use super::*;
use crate::phone::Phone;
use crate::progress::Progress;
use crate::{install, proxy};

/// Sends one mail, and prints what the server said as JSON: code and words, by the name of what was said to it.
const CLIENT: &str = r#"
import json, smtplib, ssl, sys

order = json.loads(sys.argv[1])
said = {}
host, port = order["address"].split(":")
with smtplib.SMTP(host, int(port), timeout=20) as client:
    client.ehlo("client.example.org")
    said["before"] = sorted(client.esmtp_features)
    if order["tls"]:
        client.starttls(context=ssl.create_default_context(cafile=order["authority"]))
        client.ehlo("client.example.org")
    said["features"] = {name: value.strip() for name, value in client.esmtp_features.items()}
    if order["password"]:
        client.user, client.password = order["user"], order["password"]
        mechanism = order["mechanism"]
        try:
            said["auth"] = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        except smtplib.SMTPException as refusal:
            said["auth"] = [refusal.smtp_code, refusal.smtp_error]
    said["mail"] = client.mail("otp@acme.example")
    if said["mail"][0] == 250:
        said["rcpt"] = client.rcpt(order["to"])
        if said["rcpt"][0] == 250:
            said["data"] = client.data(order["mime"])
text = lambda value: value.decode() if isinstance(value, bytes) else value
print(json.dumps({name: list(map(text, it)) if isinstance(it, (tuple, list)) else it for name, it in said.items()}))
"#;

struct Scene {
    folder: PathBuf,
    layout: Layout,
    smtp: Smtp,
    phone: Phone,
    mails: Arc<Mutex<Vec<Vec<u8>>>>,
    _viewer: Serving,
}

impl Scene {
    async fn open(name: &str) -> Self {
        let layout = Layout::find().unwrap();
        install::install_python(&layout, Progress::Silent).await.unwrap();
        let folder = std::env::temp_dir().join(format!("otpost-smtp-{name}-{}", std::process::id()));
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        let listener = ports::listen(None).unwrap();
        let viewer = ports::url(listener.local_addr().unwrap().port());
        // As the viewer does: without a login there is nothing.
        let serving = proxy::serve(listener, move |request: Request| {
            let kept = Arc::clone(&kept);
            async move {
                let login = request.headers().get("authorization").map(|value| value.as_bytes().to_vec());
                let path = request.uri().path().to_owned();
                let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
                let call: Value = serde_json::from_slice(&body).unwrap();
                let Some(raw) = call.pointer("/Content/Raw/Data").and_then(Value::as_str) else {
                    return StatusCode::BAD_REQUEST.into_response();
                };
                if !login.is_some_and(|login| login.starts_with(b"AWS"))
                    || path != "/v2/email/outbound-emails"
                {
                    return StatusCode::FORBIDDEN.into_response();
                }
                kept.lock().unwrap().push(BASE64.decode(raw.as_bytes()).unwrap());
                json!({ "MessageId": "ses-7" }).to_string().into_response()
            }
        });
        let phone = Phone::default();
        let third_party = ThirdParty::new(phone.clone());
        let smtp = Smtp::start(&layout, &folder, None, &viewer, third_party).await.unwrap();
        Self { folder, layout, smtp, phone, mails, _viewer: serving.unwrap() }
    }

    /// What the server says to an order: the one here, with other members in places.
    async fn told(&self, changes: Value) -> Value {
        let to = changes.get("to").and_then(Value::as_str).unwrap_or("jane@example.org");
        let mut order = json!({
            "address": self.smtp.address, "authority": self.smtp.authority, "tls": true, "mechanism": "PLAIN",
            "user": USER, "password": self.smtp.password.expose(), "to": to,
            "mime": format!("From: otp@acme.example\r\nTo: {to}\r\nSubject: x\r\n\r\nYour code is 314159\r\n"),
        });
        for (name, value) in changes.as_object().unwrap() {
            order[name] = value.clone();
        }
        let launch = Launch::new(self.layout.venv_program("python"), Output::Read);
        let mut client = launch.args(["-c", CLIENT, &order.to_string()]).start().unwrap();
        let mut said = String::new();
        client.take_output().unwrap().read_to_string(&mut said).await.unwrap();
        assert!(client.wait().await.unwrap().success());
        serde_json::from_str(&said).unwrap()
    }

    async fn close(self) {
        self.smtp.stop().await.unwrap();
        std::fs::remove_dir_all(self.folder).unwrap();
    }
}

#[tokio::test]
async fn a_mail_goes_on_as_it_is_and_a_mail_to_a_number_becomes_a_text() {
    let scene = Scene::open("mail").await;
    let said = scene.told(json!({})).await;
    assert_eq!(said["before"], json!(["8bitmime", "help", "size", "starttls"]));
    assert_eq!(said["features"]["auth"], "LOGIN PLAIN");
    assert_eq!((&said["auth"][0], &said["rcpt"][0]), (&json!(235), &json!(250)));
    assert_eq!(said["data"], json!([250, "2.0.0 Ok: queued as ses-7"]));
    let said = scene.told(json!({ "mechanism": "LOGIN", "to": "447700900123@sms.example.net" })).await;
    assert_eq!((&said["auth"][0], &said["data"][0]), (&json!(235), &json!(250)));

    let mails = scene.mails.lock().unwrap().clone();
    let first = "From: otp@acme.example\r\nTo: jane@example.org\r\nSubject: x\r\n\r\nYour code is 314159\r\n";
    assert_eq!((String::from_utf8_lossy(&mails[0]).as_ref(), mails.len()), (first, 2));
    let texts = scene.phone.texts();
    assert_eq!((texts.len(), texts[0].to.as_str()), (1, "+447700900123"));
    assert_eq!((texts[0].body.as_str(), texts[0].by), ("Your code is 314159", "email_to_sms"));
    scene.close().await;
}

#[tokio::test]
async fn nobody_sends_without_tls_and_the_password() {
    let scene = Scene::open("login").await;
    let said = scene.told(json!({ "tls": false, "password": "" })).await;
    assert_eq!(said["mail"][0], 530);
    assert!(said["features"].get("auth").is_none());
    let said = scene.told(json!({ "password": "" })).await;
    assert_eq!(said["mail"][0], 530);
    for (user, mechanism) in [(USER, "PLAIN"), (USER, "LOGIN"), ("somebody", "PLAIN")] {
        let password =
            if user == USER { "correct-horse".to_owned() } else { scene.smtp.password.expose().to_owned() };
        let said = scene.told(json!({ "user": user, "password": password, "mechanism": mechanism })).await;
        assert_eq!((&said["auth"][0], &said["mail"][0]), (&json!(535), &json!(530)), "{user} {mechanism}");
    }
    assert!(scene.mails.lock().unwrap().is_empty());
    assert_eq!(format!("{:?}", scene.smtp.password), "Password(…)");
    scene.close().await;
}

#[tokio::test]
async fn some_recipients_mean_trouble() {
    let scene = Scene::open("trouble").await;
    for (local, stage, code) in [
        ("bounce550", "rcpt", 550),
        ("Full552", "rcpt", 552),
        ("busy451", "rcpt", 451),
        ("spam554", "data", 554),
    ] {
        let to = format!("{local}@example.org");
        let said = scene.told(json!({ "to": to })).await;
        assert_eq!(said[stage][0], code, "{local}");
        let repeats = said[stage][1].as_str().unwrap().contains(&to);
        assert_eq!(repeats, stage == "rcpt", "refusals repeat the address, as many servers' do");
    }
    assert!(scene.mails.lock().unwrap().is_empty());
    scene.close().await;
}
