//! The sample sign-in of docs/examples, in a browser as on a telephone.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use otpost_local::guard::{Guarded, Launch, Output};
use otpost_local::install::staged;
use otpost_local::layout::Layout;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, pause};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::challenges::{code_in, wrong};

const PASSWORD: &str = "correct horse battery staple";

/// Its types are those of the description, and it compiles with them.
pub(super) fn the_sample_sign_in_knows_the_api_as_it_is() {
    let layout = Layout::find().expect("the layout");
    let script = |arguments: &[&str]| {
        let ran = Command::new("node")
            .args(arguments)
            .current_dir(folder(&layout))
            .env("OTPOST_OPENAPI", layout.root().join("docs/openapi.json"))
            .output()
            .expect("node");
        let told =
            format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{told}");
    };
    script(&["types.mjs", "--check"]);
    script(&["node_modules/typescript/bin/tsc", "--noEmit"]);
}

pub(super) async fn somebody_signs_in_by_the_sample() {
    let tenant = Tenant::new().await;
    let policy =
        json!({ "applies_to": { "everyone": true }, "settings": { "challenge_cool_down_seconds": 10 } });
    let kept = tenant.api.send(Method::PUT, "/v1/policies/codes", tenant.key("admin"), Some(&policy)).await;
    expect(&kept.expect("an answer"), 201);
    remember(&tenant.address("ada"));
    let new = json!({ "user": "ada", "display_name": "Ada Doe", "email": tenant.address("ada") });
    expect(&tenant.post("/v1/users", &new).await, 201);
    let sample = Sample::start(&tenant).await;
    let mut browser = Browser::start(&tenant.id);

    let seen = browser.does(&json!({ "open": sample.url })).await;
    assert_eq!((&seen["title"], &seen["focus"]), (&json!("Sign in"), &json!("user")));
    let seen = browser.gives_password("nobody knows it").await;
    assert_eq!(
        (&seen["alert"], &seen["path"]),
        (&json!("The name or the password is wrong."), &json!("/password"))
    );
    assert_eq!((&seen["invalid"], &seen["focus"]), (&json!("user"), &json!("password")));
    let seen = browser.gives_password(PASSWORD).await;
    let masked = format!("a***@{}***.org", &tenant.id[..1]);
    assert_eq!((&seen["title"], &seen["focus"]), (&json!("Type your code"), &json!("code")));
    assert!(shown(&seen, "text").contains(&format!("sent a code to {masked}")), "{seen}");
    let source = shown(&seen, "source");
    assert!(source.contains("autocomplete=\"one-time-code\"") && !source.contains("chl_"), "{source}");

    // Too early to have it sent again: how many seconds to wait stands there before and after.
    assert!(shown(&seen, "text").contains("Send it again in "), "{seen}");
    let seen = browser.does(&json!({ "press": "Send it again" })).await;
    assert!(shown(&seen, "alert").starts_with("It is too soon. You can have it sent again in "), "{seen}");
    let code = code_of(&tenant, 1).await;
    // By itself, from one text to the next.
    browser.does(&json!({ "follow": "Where is my code?" })).await;
    let seen = browser.does(&json!({ "wait": "Sent by e-mail" })).await;
    assert!(
        shown(&seen, "source").contains("http-equiv=\"refresh\""),
        "it renews itself without script, too: {seen}"
    );
    browser.does(&json!({ "follow": "Type the code" })).await;

    let seen = browser.types(&wrong(&code, 1)).await;
    assert!(shown(&seen, "alert").starts_with("This code is wrong or too old."), "{seen}");
    assert_eq!((&seen["invalid"], &seen["focus"]), (&json!("code"), &json!("code")));
    let seen = browser.types(&format!("{} {}", &code[..3], &code[3..])).await;
    assert_eq!(seen["title"], "Welcome, ada");
    assert!(shown(&seen, "text").contains("does not count as a second factor"), "{seen}");
    let cookies = browser.does(&json!({ "cookies": true })).await;
    let cookies = cookies.as_array().expect("a list").clone();
    assert_eq!(cookies.len(), 2, "the session and the device");
    for cookie in &cookies {
        assert_eq!(
            (&cookie["httpOnly"], &cookie["sameSite"]),
            (&json!(true), &json!("Lax")),
            "{}",
            cookie["name"]
        );
        remember(cookie["value"].as_str().expect("text"));
    }

    // Again, from the same device, which has a code of its own and need not wait for that of before.
    let seen = browser.does(&json!({ "press": "Sign out" })).await;
    assert_eq!(seen["title"], "Sign in");
    browser.gives_password(PASSWORD).await;
    let second = code_of(&tenant, 2).await;
    pause(10_200).await;
    let seen = browser.does(&json!({ "press": "Send it again" })).await;
    assert!(shown(&seen, "text").contains(&format!("sent the code to {masked} again")), "{seen}");
    assert_eq!(code_of(&tenant, 3).await, second);
    let seen = browser.types(&second).await;
    assert_eq!(seen["title"], "Welcome, ada");

    // Too many wrong codes: from the beginning.
    browser.does(&json!({ "press": "Sign out" })).await;
    pause(10_200).await;
    browser.gives_password(PASSWORD).await;
    let third = code_of(&tenant, 4).await;
    for by in 1..=5 {
        let seen = browser.types(&wrong(&third, by)).await;
        assert!(shown(&seen, "alert").starts_with("This code is wrong"), "{seen}");
    }
    let seen = browser.types(&third).await;
    assert!(shown(&seen, "alert").starts_with("Too many wrong codes."), "{seen}");
    assert_eq!(seen["focus"], "password");
    let seen = browser.does(&json!({ "open": format!("{}/code", sample.url) })).await;
    assert_eq!(seen["path"], "/");

    browser.end().await;
    sample.end().await;
}

fn shown<'a>(seen: &'a Value, what: &str) -> &'a str {
    seen[what].as_str().expect("text")
}

async fn code_of(tenant: &Tenant, mails: usize) -> String {
    let mails = tenant.mails("ada", mails).await;
    let code = code_in(&mails.last().expect("a mail").text);
    remember(&code);
    code
}

fn folder(layout: &Layout) -> PathBuf {
    staged(layout, "docs/examples/sign-in")
}

/// The running sample.
struct Sample {
    url: String,
    process: Guarded,
}

impl Sample {
    async fn start(tenant: &Tenant) -> Self {
        let layout = Layout::find().expect("the layout");
        let compiler = ["node_modules/typescript/bin/tsc"];
        let build = Launch::new("node", Output::Inherit).args(compiler).current_dir(folder(&layout));
        build.run().await.expect("compiles: `cargo local test` installs what it takes");
        let mut process = Launch::new("node", Output::Read)
            .args(["dist/server.js"])
            .current_dir(folder(&layout))
            .env("OTPOST_URL", tenant.world.api_base())
            .env("OTPOST_KEY", tenant.marked_key().await)
            .env("PORT", "0")
            .start()
            .expect("node");
        let mut lines = BufReader::new(process.take_output().expect("an output")).lines();
        let line = lines.next_line().await.expect("text").expect("a line");
        let url = line.strip_prefix("listening on ").expect("an address").to_owned();
        Self { url, process }
    }

    async fn end(self) {
        self.process.stop().await.expect("ends");
        let gone = otpost_local::proxy::client().get(&self.url).send().await;
        assert!(gone.is_err(), "nothing listens any more");
    }
}

/// A browser with one page open.
struct Browser {
    mark: String,
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    fn start(mark: &str) -> Self {
        let layout = Layout::find().expect("the layout");
        let mark = format!("{mark}-{}", std::process::id());
        // It ends, and Chromium with it, when its input does: with this process at the latest.
        let mut process = tokio::process::Command::new("node")
            .arg(staged(&layout, "tests/conformance").join("browse.mjs"))
            .env("MARK", &mark)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node");
        let orders = process.stdin.take().expect("an input");
        let answers = BufReader::new(process.stdout.take().expect("an output")).lines();
        Self { mark, process, orders, answers }
    }

    /// Does one thing; what is on the screen then.
    async fn does(&mut self, what: &Value) -> Value {
        self.orders.write_all(format!("{what}\n").as_bytes()).await.expect("reads");
        let answer = self.answers.next_line().await.expect("text").unwrap_or_else(|| panic!("{what} fails"));
        let seen: Value = serde_json::from_str(&answer).expect("JSON");
        if seen.is_object() {
            assert_eq!(seen["complaints"], json!([]), "the browser finds no fault");
            assert_eq!(seen["wide"], false, "all of it fits on a telephone: {}", seen["path"]);
        }
        seen
    }

    async fn gives_password(&mut self, password: &str) -> Value {
        self.does(&json!({ "fill": ["Name", "ada"] })).await;
        self.does(&json!({ "fill": ["Password", password] })).await;
        self.does(&json!({ "press": "Continue" })).await
    }

    async fn types(&mut self, code: &str) -> Value {
        self.does(&json!({ "fill": ["Code of 6 digits", code] })).await;
        self.does(&json!({ "press": "Sign in" })).await
    }

    async fn end(mut self) {
        assert!(!processes_with(&self.mark).is_empty(), "the browser runs");
        drop(self.orders);
        assert!(self.process.wait().await.expect("ends").success());
        for _ in 0..50 {
            if processes_with(&self.mark).is_empty() {
                return;
            }
            pause(100).await;
        }
        panic!("the browser is still there: {:?}", processes_with(&self.mark));
    }
}

/// The processes that have `mark` among their arguments.
fn processes_with(mark: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let named = all.filter(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark)
    });
    named.map(|process| process.path()).collect()
}
