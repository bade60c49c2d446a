//! Requests to Twilio, judged by Twilio's own OpenAPI description as Prism reads it.
//!
//! The description comes with a package of Twilio's for command lines. Nothing else of that package is wanted, so
//! `package.json` puts a small one in place of each that it would bring along.

use std::path::PathBuf;
use std::time::Duration;

use otpost_domain::outcome::Outcome;
use otpost_local::guard::{Guarded, Launch, Output};
use otpost_local::host::{Watch, pause};
use otpost_local::install::staged;
use otpost_local::layout::Layout;
use otpost_local::{ports, proxy};
use otpost_send_twilio::TwilioProvider;
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};

use crate::twilio::{ACCOUNT, CALLBACK, Given, SECRET, Scene, forms};

const MESSAGES: &str = "/2010-04-01/Accounts/{AccountSid}/Messages.json";
const PATIENCE: Duration = Duration::from_secs(30);

/// Prism takes our requests in all their forms, and is awake: it refuses others.
pub(super) async fn twilios_specification_takes_what_is_sent() {
    let prism = Prism::start("mock", &[]).await;
    let provider = TwilioProvider::new(&prism.url).expect("a base");
    let forms = forms();
    assert!(forms.len() >= 16);
    for given in forms {
        let report = given.send(&provider, PATIENCE).await;
        assert!(matches!(report.outcome, Outcome::Accepted { .. }), "{given:?}: {report:?}");
    }

    let good: &[(&str, &str)] = &[
        ("To", "+447700900123"),
        ("From", "+15005550006"),
        ("Body", "x"),
        ("ValidityPeriod", "300"),
        ("StatusCallback", CALLBACK),
    ];
    assert_eq!(prism.post(ACCOUNT).form(good).status().await, 201);
    for (name, value) in [
        ("To", None),
        ("MessagingServiceSid", Some("MG12")),
        ("ValidityPeriod", Some("abc")),
        ("RiskCheck", Some("maybe")),
        ("StatusCallback", Some("notaurl")),
    ] {
        let mut form: Vec<_> = good.iter().copied().filter(|(kept, _)| *kept != name).collect();
        form.extend(value.map(|value| (name, value)));
        assert_eq!(prism.post(ACCOUNT).form(&form).status().await, 422, "{name}");
    }
    assert_eq!(prism.post("AC12").form(good).status().await, 422);
    assert_eq!(prism.post(ACCOUNT).json(&json!({ "To": "+447700900123" })).status().await, 415);
    let messages = prism.messages(ACCOUNT);
    assert_eq!(proxy::client().post(&messages).form(good).status().await, 401);
    let without_json = messages.trim_end_matches(".json");
    assert_eq!(proxy::client().post(without_json).basic_auth("a", Some("b")).form(good).status().await, 404);
    prism.stop().await;
}

/// Prism stands between the sender and the stand-in, and lets only answers through that Twilio could give.
pub(super) async fn the_stand_in_answers_as_twilios_specification_says() {
    let scene = Scene::open();
    let prism = Prism::start("proxy", &[&scene.twilio.url]).await;
    let provider = TwilioProvider::new(&prism.url).expect("a base");
    let forms = forms();
    for given in &forms {
        let report = given.send(&provider, PATIENCE).await;
        let taken = scene.twilio.taken();
        let id = taken.last().expect("a text").sid.clone();
        assert_eq!(report.outcome, Outcome::Accepted { provider_id: id }, "{given:?}: {report:?}");
    }
    let bodies: Vec<_> = scene.phone.texts().into_iter().map(|text| text.body).collect();
    assert_eq!(bodies, forms.iter().map(|given| given.text.clone()).collect::<Vec<_>>());
    prism.stop().await;

    // It is awake: an answer that Twilio could not give does not get through.
    let listener = ports::listen(None).expect("a port");
    let odd = ports::url(listener.local_addr().expect("an address").port());
    let _odd = proxy::serve(listener, |_| async {
        let kind = [("content-type", "application/json")];
        let body = json!({ "sid": "SMaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "status": "dreaming" });
        axum::response::IntoResponse::into_response((axum::http::StatusCode::CREATED, kind, body.to_string()))
    });
    let prism = Prism::start("proxy", &[&odd]).await;
    let provider = TwilioProvider::new(&prism.url).expect("a base");
    let report = Given::to("+447700900123").send(&provider, PATIENCE).await;
    assert_eq!(
        report.outcome,
        Outcome::Unknown,
        "Prism answers 500 in its place, without a code of Twilio's"
    );
    prism.stop().await;
}

/// A running Prism.
struct Prism {
    url: String,
    process: Guarded,
    description: PathBuf,
}

impl Prism {
    /// Starts it and waits until it answers.
    async fn start(mode: &str, upstream: &[&str]) -> Self {
        let layout = Layout::find().expect("the layout");
        let installed = staged(&layout, "tests/conformance").join("node_modules");
        let port = ports::pick(None).expect("a port");
        let description =
            std::env::temp_dir().join(format!("otpost-twilio-{}-{port}.json", std::process::id()));
        let whole = installed.join("@twilio/cli-core/src/services/twilio-api/twilio_api_v2010.json");
        let whole = std::fs::read(whole).expect("Twilio's description: `cargo local test` installs it");
        let whole: Value = serde_json::from_slice(&whole).expect("JSON");
        std::fs::write(&description, only_messages(&whole).to_string())
            .expect("a folder for temporary files");
        let log = description.with_extension("log");
        let process = Launch::new("node", Output::Log(log))
            .args([installed.join("@stoplight/prism-cli/dist/index.js")])
            .args([mode, "--host", "127.0.0.1", "--errors", "--port", &port.to_string()])
            .args([&description])
            .args(upstream)
            .start();
        let mut prism = Self { url: ports::url(port), process: process.expect("node"), description };
        let watch = Watch::start();
        while proxy::client().get(&prism.url).send().await.is_err() {
            assert_eq!(prism.process.ended(), None);
            assert!(watch.elapsed() < Duration::from_mins(1), "Prism does not answer");
            pause(Duration::from_millis(100)).await;
        }
        prism
    }

    fn messages(&self, account: &str) -> String {
        format!("{}{}", self.url, MESSAGES.replace("{AccountSid}", account))
    }

    fn post(&self, account: &str) -> RequestBuilder {
        proxy::client().post(self.messages(account)).basic_auth(ACCOUNT, Some(SECRET))
    }

    async fn stop(self) {
        self.process.stop().await.expect("ends");
        for file in [self.description.with_extension("log"), self.description] {
            std::fs::remove_file(file).expect("was there");
        }
    }
}

trait Status {
    async fn status(self) -> u16;
}

impl Status for RequestBuilder {
    async fn status(self) -> u16 {
        self.send().await.expect("an answer").status().as_u16()
    }
}

/// The part of a description that is about messages, which Prism reads in seconds and not in minutes.
fn only_messages(whole: &Value) -> Value {
    let path = json!({ "post": whole["paths"][MESSAGES]["post"] });
    assert!(path["post"].is_object(), "the description has messages");
    let mut schemas = Map::new();
    add_schemas(&path, &whole["components"]["schemas"], &mut schemas);
    json!({
        "openapi": whole["openapi"],
        "info": whole["info"],
        "security": whole["security"],
        "paths": { MESSAGES: path },
        "components": { "securitySchemes": whole["components"]["securitySchemes"], "schemas": schemas },
    })
}

/// Adds what `part` refers to, and what that refers to.
fn add_schemas(part: &Value, all: &Value, kept: &mut Map<String, Value>) {
    let name = part["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
    if let Some(name) = name.filter(|name| !kept.contains_key(*name)) {
        kept.insert(name.to_owned(), all[name].clone());
        add_schemas(&all[name], all, kept);
    }
    match part {
        Value::Array(items) => items.iter().for_each(|item| add_schemas(item, all, kept)),
        Value::Object(members) => members.values().for_each(|member| add_schemas(member, all, kept)),
        _ => (),
    }
}
