//! A tenant of a test's own in the deployed world, and what tests do in it over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use otpost_local::World;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::{Answer, Api, Browser};
use otpost_local::mails::Mail;
use reqwest::Method;
use serde_json::{Value, json};

use crate::secrets::remember;
use crate::world::world;

static NEXT: AtomicUsize = AtomicUsize::new(1);

/// The roles that a tenant's keys can have.
pub const ROLES: [&str; 5] = ["app", "helpdesk", "operator", "admin", "directory"];

/// A tenant with a key of each role.
#[derive(Debug)]
pub struct Tenant {
    /// The world that it lives in.
    pub world: Arc<World>,
    /// Its id, of this test alone.
    pub id: String,
    /// The API.
    pub api: Api,
    /// A key of each role.
    pub keys: BTreeMap<&'static str, String>,
}

/// A user with an active token.
#[derive(Debug)]
pub struct Enrolled {
    /// The user.
    pub user: String,
    /// The token.
    pub serial: String,
    /// The app that holds its seed.
    pub app: Authenticator,
    /// The first code, which is burnt.
    pub first_code: String,
}

impl Tenant {
    /// Makes a tenant.
    pub async fn new() -> Self {
        Self::with(&json!({})).await
    }

    /// Makes a tenant of which more is said, such as that it is for tests.
    ///
    /// # Panics
    /// When that is no object, or the tenant is not made.
    pub async fn with(more: &Value) -> Self {
        let world = world().await;
        let id = format!("tenant-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let api = Api::at(world.api_base());
        let platform = world.platform_key().await.expect("the platform key");
        let mut new = json!({ "tenant": id, "name": "Test & Söhne" });
        let more = more.as_object().expect("an object").clone();
        new.as_object_mut().expect("an object").extend(more);
        let made = api.post("/v1/tenants", &platform, &new).await;
        expect(&made.expect("an answer"), 201);
        let mut keys = BTreeMap::new();
        for role in ROLES {
            let order = json!({ "tenant": id, "role": role, "name": role });
            let made = api.post("/v1/keys", &platform, &order).await.expect("an answer");
            expect(&made, 201);
            let secret = text(&made.body, "secret");
            secret.split('_').skip(2).take(1).for_each(remember);
            keys.insert(role, secret);
        }
        Self { world, id, api, keys }
    }

    /// The key of a role.
    #[must_use]
    pub fn key(&self, role: &str) -> &str {
        self.keys.get(role).map_or("", String::as_str)
    }

    /// A key of an application whose caller asks only for people who have shown a first factor.
    pub async fn marked_key(&self) -> String {
        let order = json!({ "role": "app", "name": "after a password", "after_first_factor": true });
        let made = self.api.post("/v1/keys", self.key("admin"), &order).await.expect("an answer");
        expect(&made, 201);
        let secret = text(&made.body, "secret");
        secret.split('_').skip(2).take(1).for_each(remember);
        secret
    }

    /// All items of a list, whose path has a query, page by page, as an operator.
    pub async fn every(&self, items: &str, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = path.to_owned();
        loop {
            let page = self.get(&next).await;
            expect(&page, 200);
            all.extend(page.body.get(items).and_then(Value::as_array).expect("a list").iter().cloned());
            let Some(cursor) = page.body.get("next").and_then(Value::as_str) else { return all };
            next = format!("{path}&cursor={cursor}");
        }
    }

    /// Posts as an operator.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.api.post(path, self.key("operator"), body).await.expect("an answer")
    }

    /// Sends as an operator, with headers of its own.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.key("operator"));
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        self.api.send_with(method, path, &all, body).await.expect("an answer")
    }

    /// Gets as an operator.
    pub async fn get(&self, path: &str) -> Answer {
        self.api.get(path, self.key("operator")).await.expect("an answer")
    }

    /// Makes a user and gives them a token; its serial.
    pub async fn provisioned(&self, user: &str) -> String {
        let new = json!({ "user": user, "display_name": "Jane <b>Doe</b>", "email": self.address(user) });
        expect(&self.post("/v1/users", &new).await, 201);
        let token = self.post(&format!("/v1/users/{user}/tokens"), &json!({})).await;
        expect(&token, 201);
        text(&token.body, "serial")
    }

    /// Pushes a token by e-mail, so that its link alone enrols; the message's id.
    pub async fn pushed(&self, serial: &str) -> String {
        let order = json!({ "channel": "email", "authorization": "none" });
        let pushed = self.post(&format!("/v1/tokens/{serial}/push"), &order).await;
        expect(&pushed, 202);
        text(&pushed.body, "message")
    }

    /// An address of this tenant's.
    #[must_use]
    pub fn address(&self, user: &str) -> String {
        format!("{user}@{}.example.org", self.id)
    }

    /// Waits until `count` mails have come to a user.
    pub async fn mails(&self, user: &str, count: usize) -> Vec<Mail> {
        for _ in 0..300 {
            let mails = self.world.mails().await.expect("the viewer");
            let own: Vec<_> = mails.into_iter().filter(|mail| mail.is_to(&self.address(user))).collect();
            if own.len() >= count {
                return own;
            }
            pause(100).await;
        }
        panic!("no {count} mails to {user} within 30 s")
    }

    /// The link in a user's latest mail.
    pub async fn link(&self, user: &str, mails: usize) -> String {
        let mails = self.mails(user, mails).await;
        let mail = mails.last().expect("a mail");
        let link = mail.link(self.world.api_base()).expect("a link").to_owned();
        link.rsplit('/').take(1).for_each(remember);
        link
    }

    /// A user with a token whose link was mailed: serial and link.
    pub async fn invited(&self, user: &str) -> (String, String) {
        let serial = self.provisioned(user).await;
        self.pushed(&serial).await;
        (serial, self.link(user, 1).await)
    }

    /// A user with an active token.
    pub async fn enrolled(&self, user: &str) -> Enrolled {
        let (serial, link) = self.invited(user).await;
        let mut browser = Browser::at(&link);
        assert_eq!(browser.open().await.expect("the page"), 200);
        assert_eq!(browser.submit(&[]).await.expect("the page"), 200);
        let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
        let first_code = app.code();
        remember(&self.address(user));
        assert_eq!(
            browser.submit(&[("code", &first_code)]).await.expect("the page"),
            200,
            "{}",
            browser.html()
        );
        Enrolled { user: user.to_owned(), serial, app, first_code }
    }

    /// The tenant's audit entries, in order, as they lie in the table.
    pub async fn audit(&self) -> Vec<Value> {
        let core = self.world.output("CoreTable").expect("a table");
        let scan = json!({
            "TableName": core,
            "FilterExpression": "begins_with(PK, :day)",
            "ExpressionAttributeValues": { ":day": { "S": format!("T#{}#AUD#", self.id) } },
        });
        let aws = self.world.aws();
        let found = aws.call("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("an answer");
        let mut entries = found.get("Items").and_then(Value::as_array).expect("a list").clone();
        let id = |entry: &Value| entry.pointer("/SK/S").and_then(Value::as_str).map(str::to_owned);
        entries.sort_by_key(|entry| id(entry).expect("an id"));
        entries
    }

    /// Checks a code as the application.
    pub async fn verify(&self, user: &str, code: &str) -> Answer {
        // A guess such as 000000 is nobody's secret.
        if !code.starts_with("00000") && code.bytes().all(|byte| byte.is_ascii_digit()) {
            remember(code);
        }
        let body = json!({ "user": user, "code": code });
        self.api.post("/v1/verify", self.key("app"), &body).await.expect("an answer")
    }
}

/// The otpauth link that a page shows.
///
/// # Panics
/// When it shows none.
#[must_use]
pub fn scanned(browser: &Browser) -> String {
    otpost_local::page::link(browser.html(), "otpauth").expect("an otpauth link")
}

/// A header of an answer; empty when there is none.
#[must_use]
pub fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Holds an answer to its status.
///
/// # Panics
/// When it has another.
pub fn expect(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
}

/// Holds an answer to its status and problem type.
///
/// # Panics
/// When it has another.
pub fn expect_problem(answer: &Answer, status: u16, slug: &str) {
    expect(answer, status);
    assert_eq!(text(&answer.body, "type"), format!("urn:otpost:problem:{slug}"));
    assert_eq!(answer.body.get("status"), Some(&json!(status)));
    assert!(text(&answer.body, "instance").starts_with("urn:otpost:request:"), "{}", answer.body);
}

/// A member of an answer that is text.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn text(body: &Value, name: &str) -> String {
    let found = body.get(name).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("{name} in {body}")).to_owned()
}

/// Lets the system work.
#[expect(clippy::disallowed_methods, reason = "polls a system that works by queues")]
pub async fn pause(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
