//! The sample triggers of docs/examples/cognito, with the sample events in the order in which a user pool gives them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, pause};
use reqwest::Method;
use serde_json::{Value, json};

use crate::challenges::{code_in, wrong};
use crate::{plain, shared};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        plain("cognito::what_comes_next_is_defined", what_comes_next_is_defined),
        shared("cognito::a_password_and_a_code_let_in", a_password_and_a_code_let_in),
        shared("cognito::nobody_looks_like_somebody", nobody_looks_like_somebody),
    ]
}

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn event(name: &str) -> Value {
    let file = std::fs::read(repository("events/cognito").join(format!("{name}.json"))).expect("an event");
    serde_json::from_slice(&file).expect("JSON")
}

/// Runs a trigger as Lambda does; what it answers, or what it throws.
fn run(trigger: &str, event: &Value, environment: &[(&str, &str)]) -> Result<Value, String> {
    let mut child = Command::new("node")
        .arg(repository("docs/examples/cognito/run.mjs"))
        .arg(trigger)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node");
    child.stdin.take().expect("an input").write_all(event.to_string().as_bytes()).expect("reads");
    let ended = child.wait_with_output().expect("ends");
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&ended.stdout).expect("JSON"))
}

fn what_comes_next_is_defined() {
    let defined = |name: &str, first: &str| {
        let answer = run("define", &event(name), &[("PASSWORD_FIRST", first)]).expect("an answer");
        let flag = |flag: &str| answer[flag].as_bool().expect("true or false");
        match (answer["challengeName"].as_str(), flag("issueTokens"), flag("failAuthentication")) {
            (Some(next), false, false) => next.to_owned(),
            (None, true, false) => "tokens".to_owned(),
            (None, false, true) => "failed".to_owned(),
            _ => panic!("{name}: {answer}"),
        }
    };
    for (name, next) in [
        ("define-start", "PASSWORD_VERIFIER"),
        ("define-without-password", "failed"),
        ("define-password-right", "CUSTOM_CHALLENGE"),
        ("define-code-wrong", "CUSTOM_CHALLENGE"),
        ("define-code-right", "tokens"),
        ("define-too-many", "failed"),
        ("define-unknown", "failed"),
    ] {
        assert_eq!(defined(name, "true"), next, "{name}");
    }
    for (name, next) in [
        ("define-without-password", "CUSTOM_CHALLENGE"),
        ("define-unknown", "CUSTOM_CHALLENGE"),
        ("define-too-many", "failed"),
    ] {
        assert_eq!(defined(name, "false"), next, "{name}, without a password");
    }
    // Whatever a trigger said.
    let mut told = event("define-unknown");
    told["request"]["session"][0]["challengeResult"] = json!(true);
    let answer = run("define", &told, &[("PASSWORD_FIRST", "false")]).expect("an answer");
    assert_eq!(answer["issueTokens"], false, "nobody is let in");

    // The page lists the files, and each is used here.
    let page = std::fs::read_to_string(repository("events/README.md")).expect("events/README.md");
    let source = std::fs::read_to_string(repository("tests/it/cognito.rs")).expect("this file");
    for file in std::fs::read_dir(repository("events/cognito")).expect("a folder") {
        let file = file.expect("a file").file_name().into_string().expect("text");
        assert!(page.contains(&format!("| `{file}` |")), "events/README.md lacks {file}");
        assert!(source.contains(&format!("\"{}\"", file.trim_end_matches(".json"))), "{file} is not tried");
    }
}

/// A user pool with the three triggers, in the middle of somebody's sign-in.
struct Pool {
    environment: Vec<(&'static str, String)>,
    session: Vec<Value>,
    private: Value,
}

impl Pool {
    fn new(tenant: &Tenant, key: String, password_first: bool) -> Self {
        let environment = vec![
            ("OTPOST_URL", tenant.world.api_base().to_owned()),
            ("OTPOST_KEY", key),
            ("PASSWORD_FIRST", password_first.to_string()),
        ];
        let passed =
            |name: &str| json!({ "challengeName": name, "challengeResult": true, "challengeMetadata": null });
        let session =
            if password_first { vec![passed("SRP_A"), passed("PASSWORD_VERIFIER")] } else { Vec::new() };
        Self { environment, session, private: Value::Null }
    }

    fn run(&self, trigger: &str, event: &Value) -> Result<Value, String> {
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        run(trigger, event, &environment)
    }

    /// Define, then Create: what the client is shown.
    fn asks(&mut self, sample: &str) -> Value {
        let mut order = event(sample);
        order["request"]["session"] = json!(self.session);
        let mut define = order.clone();
        define["triggerSource"] = json!("DefineAuthChallenge_Authentication");
        assert_eq!(self.run("define", &define).expect("an answer")["challengeName"], "CUSTOM_CHALLENGE");
        let created = self.run("create", &order).expect("an answer");
        self.private = created["privateChallengeParameters"].clone();
        remember(self.private["id"].as_str().expect("an id"));
        let metadata = &created["challengeMetadata"];
        self.session.push(json!({ "challengeName": "CUSTOM_CHALLENGE", "challengeResult": false, "challengeMetadata": metadata }));
        let public = created["publicChallengeParameters"].clone();
        assert!(
            public.as_object().expect("an object").values().all(Value::is_string),
            "as Cognito wants it: {public}"
        );
        assert!(!public.to_string().contains(self.private["id"].as_str().expect("an id")), "{public}");
        public
    }

    /// Verify: whether the answer was right.
    fn answers(&mut self, sample: &str, answer: &str) -> bool {
        let mut order = event(sample);
        order["request"]["privateChallengeParameters"] = self.private.clone();
        order["request"]["challengeAnswer"] = json!(answer);
        let verified = self.run("verify", &order).expect("an answer");
        let right = verified["answerCorrect"].as_bool().expect("true or false");
        self.session.last_mut().expect("a step")["challengeResult"] = json!(right);
        right
    }

    fn gives_tokens(&self) -> bool {
        let mut order = event("define-code-right");
        order["request"]["session"] = json!(self.session);
        self.run("define", &order).expect("an answer")["issueTokens"] == true
    }
}

/// A tenant where `ada` is known and whose codes are sent again soon.
async fn tenant() -> Tenant {
    let tenant = Tenant::new().await;
    let policy =
        json!({ "applies_to": { "everyone": true }, "settings": { "challenge_cool_down_seconds": 10 } });
    let kept = tenant.api.send(Method::PUT, "/v1/policies/codes", tenant.key("admin"), Some(&policy)).await;
    expect(&kept.expect("an answer"), 201);
    remember(&tenant.address("ada"));
    let new = json!({ "user": "ada", "display_name": "Ada Doe", "email": tenant.address("ada") });
    expect(&tenant.post("/v1/users", &new).await, 201);
    tenant
}

async fn a_password_and_a_code_let_in() {
    let tenant = tenant().await;
    let mut pool = Pool::new(&tenant, tenant.marked_key().await, true);
    let shown = pool.asks("create");
    assert_eq!((&shown["channel"], &shown["digits"]), (&json!("email"), &json!("6")));
    assert_eq!(shown["recipient"], format!("a***@{}***.org", &tenant.id[..1]));
    let code = code_in(&tenant.mails("ada", 1).await[0].text);
    remember(&code);
    assert!(!pool.answers("verify", &wrong(&code, 1)));
    let shown = pool.asks("create-again");
    assert_eq!(shown["standing"], "open");
    assert!(shown["text"].is_string() && shown["advice"].is_string(), "where it is: {shown}");
    // Too soon: nothing is sent, and how long to wait is told.
    assert!(!pool.answers("verify-resend", "resend"));
    let shown = pool.asks("create-again");
    let wait: u64 = shown["resend_in_seconds"].as_str().expect("text").parse().expect("seconds");
    assert!(wait <= 10, "{shown}");
    pause(wait * 1000 + 200).await;
    assert!(!pool.answers("verify-resend", "resend"));
    pool.asks("create-again");
    assert_eq!(code_in(&tenant.mails("ada", 2).await[1].text), code);
    assert!(!pool.gives_tokens());
    assert!(pool.answers("verify", &code));
    // Cognito calls again where it has not heard the answer.
    assert!(pool.answers("verify", &code), "the same turn has the same answer");
    assert!(pool.gives_tokens());
    // Another turn, and the same code.
    let mut again = Pool::new(&tenant, tenant.marked_key().await, true);
    again.private = json!({ "id": pool.private["id"], "turn": "another" });
    again.session.push(json!({ "challengeName": "CUSTOM_CHALLENGE" }));
    assert!(!again.answers("verify", &code));
}

/// Without a password: a code by mail alone lets nobody in unless policy says so, and a name that nobody has is asked, told
/// and refused as a user is.
async fn nobody_looks_like_somebody() {
    let tenant = tenant().await;
    let key = tenant.key("app").to_owned();
    let members = |shown: &Value| -> BTreeSet<String> {
        shown.as_object().expect("an object").keys().cloned().collect()
    };
    let mut seen = Vec::new();
    for (sample, checked) in [("create", "verify"), ("create-unknown", "verify-unknown")] {
        let mut pool = Pool::new(&tenant, key.clone(), false);
        let first = pool.asks(sample);
        assert!(first.get("recipient").is_none(), "{first}");
        let right = pool.answers(checked, "000000");
        let second = pool.asks(sample);
        assert_eq!((&first["digits"], &second["standing"]), (&json!("6"), &json!("open")));
        seen.push((members(&first), right, members(&second)));
        if sample == "create" {
            let code = code_in(&tenant.mails("ada", 1).await[0].text);
            remember(&code);
            assert!(!pool.answers("verify", &code), "accepted, and no authentication by itself");
        }
    }
    assert_eq!(seen[0], seen[1]);
    // A name that Otpost does not take is nobody's either.
    let mut odd = event("create-unknown");
    odd["userName"] = json!("Nobody at all / é");
    let pool = Pool::new(&tenant, key, false);
    odd["request"]["session"] = json!([]);
    let created = pool.run("create", &odd).expect("an answer");
    assert_eq!(members(&created["publicChallengeParameters"]), seen[0].0);
}
