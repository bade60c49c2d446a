//! Codes that are sent and asked, through the deployed system: by mail and by text, what they cost, and that nobody can be
//! told from somebody.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::failover::Scene;
use crate::{alone, shared};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("challenges::a_code_by_mail_lets_in_once", a_code_by_mail_lets_in_once),
        shared("challenges::a_code_is_sent_again_and_by_text", a_code_is_sent_again_and_by_text),
        shared("challenges::a_code_is_for_one_purpose", a_code_is_for_one_purpose),
        shared("challenges::many_at_once_are_let_in_once", many_at_once_are_let_in_once),
        shared("challenges::a_known_device_is_not_kept_out", a_known_device_is_not_kept_out),
        shared("challenges::a_bare_address_is_proven", a_bare_address_is_proven),
        shared("challenges::a_test_tenants_codes_are_read", a_test_tenants_codes_are_read),
        shared("challenges::an_operator_unlocks_a_user", an_operator_unlocks_a_user),
        shared("challenges::another_address_waits_for_its_code", another_address_waits_for_its_code),
        shared("challenges::who_is_switched_off_is_let_in_no_more", who_is_switched_off_is_let_in_no_more),
        alone("challenges::a_challenge_costs_few_requests", a_challenge_costs_few_requests),
        alone("challenges::nobody_looks_like_somebody", nobody_looks_like_somebody),
    ]
}

/// A tenant and an application's key.
struct Shop {
    tenant: Tenant,
    key: String,
}

impl Shop {
    async fn new() -> Self {
        let tenant = Tenant::new().await;
        let key = tenant.key("app").to_owned();
        Self { tenant, key }
    }

    /// Sets how soon and how often codes are sent again, for everyone.
    async fn with_settings(self, settings: &Value) -> Self {
        let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
        let admin = self.tenant.key("admin");
        let kept = self.tenant.api.send(Method::PUT, "/v1/policies/codes", admin, Some(&policy)).await;
        expect(&kept.expect("an answer"), 201);
        self
    }

    async fn with_user(&self, user: &str) {
        remember(&self.tenant.address(user));
        let new = json!({ "user": user, "display_name": "Jane Doe", "email": self.tenant.address(user) });
        expect(&self.tenant.post("/v1/users", &new).await, 201);
    }

    async fn asks(&self, path: &str, body: &Value) -> Answer {
        self.tenant.api.post(path, &self.key, body).await.expect("an answer")
    }

    async fn starts(&self, body: &Value) -> Answer {
        self.asks("/v1/challenges", body).await
    }

    /// Starts a challenge for signing in; its path.
    async fn started(&self, user: &str) -> String {
        let started = self.starts(&json!({ "user": user, "purpose": "sign_in" })).await;
        expect(&started, 202);
        path_of(&started)
    }

    async fn checks(&self, challenge: &str, code: &str) -> Answer {
        self.asks(&format!("{challenge}/check"), &json!({ "code": code, "purpose": "sign_in" })).await
    }

    /// The code in a user's latest of so many mails.
    async fn mailed(&self, user: &str, mails: usize) -> String {
        let mails = self.tenant.mails(user, mails).await;
        let code = code_in(&mails.last().expect("a mail").text);
        remember(&code);
        code
    }
}

fn path_of(started: &Answer) -> String {
    format!("/v1/challenges/{}", text(&started.body, "id"))
}

/// The line of a text that is a code and nothing else.
pub(crate) fn code_in(text: &str) -> String {
    let is_code = |line: &&str| line.len() >= 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    text.lines().map(str::trim).find(is_code).expect("a code on a line of its own").to_owned()
}

/// Another code.
pub(crate) fn wrong(code: &str, by: u32) -> String {
    format!("{:06}", (code.parse::<u32>().expect("digits") + by) % 1_000_000)
}

async fn a_code_by_mail_lets_in_once() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    let started = shop.starts(&json!({ "user": "jane", "purpose": "sign_in" })).await;
    expect(&started, 202);
    assert_eq!((&started.body["purpose"], &started.body["digits"]), (&json!("sign_in"), &json!(6)));
    let challenge = path_of(&started);
    let code = shop.mailed("jane", 1).await;
    let mails = shop.tenant.mails("jane", 1).await;
    assert!(mails[0].subject.contains("sign"), "{}", mails[0].subject);
    expect_problem(&shop.checks(&challenge, &wrong(&code, 1)).await, 422, "invalid-code");
    let accepted = shop.checks(&challenge, &code).await;
    expect(&accepted, 200);
    assert_eq!(
        (&accepted.body["result"], &accepted.body["user"], &accepted.body["authenticates"]),
        (&json!("accepted"), &json!("jane"), &json!(false)),
        "a code by mail is no second factor unless policy says so"
    );
    expect_problem(&shop.checks(&challenge, &code).await, 422, "invalid-code");
    let told = shop.tenant.api.get(&challenge, &shop.key).await.expect("an answer");
    expect(&told, 200);
    assert_eq!(told.body["standing"], "accepted", "{}", told.body);
    // Another tenant never issued it.
    let other = Shop::new().await;
    let foreign = other.checks(&challenge, &code).await;
    expect_problem(&foreign, 404, "not-found");
}

async fn a_code_is_sent_again_and_by_text() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "twilio", "wait_seconds": 60 }])).await;
    let shop = Shop { key: scene.tenant.marked_key().await, tenant: scene.tenant };
    let shop = shop
        .with_settings(&json!({ "challenge_cool_down_seconds": 10, "mobile_code_gateway": "notify" }))
        .await;
    let number = "+447700900881";
    remember(number);
    remember(&shop.tenant.address("jane"));
    let new = json!({ "user": "jane", "email": shop.tenant.address("jane"), "phone": number });
    expect(&shop.tenant.post("/v1/users", &new).await, 201);
    let order = json!({ "user": "jane", "purpose": "password_reset", "channel": "email" });
    let started = shop.starts(&order).await;
    expect(&started, 202);
    assert_eq!(started.body["recipient"], format!("j***@{}***.org", &shop.tenant.id[..1]));
    let challenge = path_of(&started);
    let code = shop.mailed("jane", 1).await;
    let early = shop.asks(&format!("{challenge}/resend"), &json!({})).await;
    expect_problem(&early, 429, "too-soon");
    let wait: u64 = header(&early, "retry-after").parse().expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    pause(wait * 1000 + 200).await;
    let again = shop.asks(&format!("{challenge}/resend"), &json!({ "channel": "sms" })).await;
    expect(&again, 202);
    assert_eq!(
        (&again.body["channel"], &again.body["recipient"]),
        (&json!("sms"), &json!("+44 7*** ***881"))
    );
    let told = shop.tenant.api.get(&path_of(&again), &shop.key).await.expect("an answer");
    assert_eq!(told.body["message"]["channel"], "sms", "{}", told.body);
    // By the gateway that is chosen for mobile codes, not the first of the routes.
    let mut by = Value::Null;
    for _ in 0..100 {
        let listed = shop.tenant.every("messages", "/v1/messages?user=jane&channel=sms").await;
        if let Some(hop) = listed.first().and_then(|message| message["hops"].get(0)) {
            by = hop["gateway"]["id"].clone();
            if by.is_null() {
                by = hop["gateway"].clone();
            }
            break;
        }
        pause(100).await;
    }
    assert_eq!(by, "notify");
    // The same code, which either id takes.
    let body = json!({ "code": code, "purpose": "password_reset" });
    let accepted = shop.asks(&format!("{}/check", path_of(&again)), &body).await;
    expect(&accepted, 200);
    expect_problem(&shop.asks(&format!("{challenge}/check"), &body).await, 422, "invalid-code");
    expect_problem(&shop.asks(&format!("{challenge}/resend"), &json!({})).await, 409, "not-allowed-now");
}

async fn a_code_is_for_one_purpose() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    let pay = |text: &str| json!({ "user": "jane", "purpose": "transaction", "transaction": text });
    let started = shop.starts(&pay("Pay 100 EUR to Bob")).await;
    expect(&started, 202);
    let challenge = path_of(&started);
    let code = shop.mailed("jane", 1).await;
    let mails = shop.tenant.mails("jane", 1).await;
    assert!(mails[0].text.contains("Pay 100 EUR to Bob"), "{}", mails[0].text);
    for body in [
        json!({ "code": code, "purpose": "sign_in" }),
        json!({ "code": code, "purpose": "transaction", "transaction": "Pay 900 EUR to Bob" }),
    ] {
        let refused = shop.asks(&format!("{challenge}/check"), &body).await;
        expect_problem(&refused, 422, "invalid-code");
    }
    expect_problem(&shop.starts(&pay("Pay 100 EUR to Eve")).await, 429, "too-soon");
    let right = json!({ "code": code, "purpose": "transaction", "transaction": "Pay 100 EUR to Bob" });
    expect(&shop.asks(&format!("{challenge}/check"), &right).await, 200);
}

async fn many_at_once_are_let_in_once() {
    let shop = std::sync::Arc::new(Shop::new().await);
    shop.with_user("jane").await;
    let challenge = shop.started("jane").await;
    let code = shop.mailed("jane", 1).await;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (shop, challenge, code) = (std::sync::Arc::clone(&shop), challenge.clone(), code.clone());
        racing.spawn(async move { shop.checks(&challenge, &code).await.status.as_u16() });
    }
    let answers = racing.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 422, 429].contains(status)), "{answers:?}");
}

/// What strangers type does not count for a device that a success has made known, and their codes are not its code.
async fn a_known_device_is_not_kept_out() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    let challenge = shop.started("jane").await;
    let code = shop.mailed("jane", 1).await;
    let body = json!({ "code": code, "purpose": "sign_in", "remember_source": true });
    let accepted = shop.asks(&format!("{challenge}/check"), &body).await;
    expect(&accepted, 200);
    let source = text(&accepted.body, "source");
    remember(&source);
    // A stranger asks and guesses until nothing more is taken.
    let strangers = shop.started("jane").await;
    shop.mailed("jane", 2).await;
    let mut answers = Vec::new();
    for guess in 0..6 {
        answers.push(shop.checks(&strangers, &format!("{guess:06}")).await.status.as_u16());
    }
    assert_eq!(answers, [422, 422, 422, 422, 422, 429]);
    expect_problem(&shop.starts(&json!({ "user": "jane", "purpose": "sign_in" })).await, 429, "too-soon");
    let known = shop.starts(&json!({ "user": "jane", "purpose": "sign_in", "source": source })).await;
    expect(&known, 202);
    let code = shop.mailed("jane", 3).await;
    expect(&shop.checks(&path_of(&known), &code).await, 200);
}

async fn a_bare_address_is_proven() {
    let shop = Shop::new().await;
    let address = shop.tenant.address("newcomer");
    remember(&address);
    let order = json!({ "address": { "email": address }, "purpose": "enrolment" });
    let started = shop.starts(&order).await;
    expect(&started, 202);
    let code = shop.mailed("newcomer", 1).await;
    let body = json!({ "code": code, "purpose": "enrolment" });
    let accepted = shop.asks(&format!("{}/check", path_of(&started)), &body).await;
    expect(&accepted, 200);
    assert_eq!(accepted.body["address"]["email"], address, "{}", accepted.body);
    let order = json!({ "address": { "email": address }, "purpose": "sign_in" });
    expect_problem(&shop.starts(&order).await, 400, "invalid-request");
}

/// Codes can be read in tenants that were created for it, and in no others.
async fn a_test_tenants_codes_are_read() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    let challenge = shop.started("jane").await;
    let read = async |key: &str, challenge: &str| {
        shop.tenant.api.get(&format!("{challenge}/code"), key).await.expect("an answer")
    };
    expect_problem(&read(&shop.key, &challenge).await, 403, "forbidden");
    let platform = shop.tenant.world.platform_key().await.expect("the platform key");
    let id = format!("{}-test", shop.tenant.id);
    let new = json!({ "tenant": id, "name": "Tests", "test": true });
    let made = shop.tenant.api.post("/v1/tenants", &platform, &new).await.expect("an answer");
    expect(&made, 201);
    assert_eq!(made.body["test"], true, "{}", made.body);
    let mut keys = Vec::new();
    for role in ["app", "operator"] {
        let order = json!({ "tenant": id, "role": role, "name": role });
        let key = shop.tenant.api.post("/v1/keys", &platform, &order).await.expect("an answer");
        expect(&key, 201);
        let secret = text(&key.body, "secret");
        secret.split('_').skip(2).take(1).for_each(remember);
        keys.push(secret);
    }
    let post = async |key: &str, path: &str, body: Value| {
        shop.tenant.api.post(path, key, &body).await.expect("an answer")
    };
    let user = json!({ "user": "jane", "email": format!("jane@{id}.example.org") });
    expect(&post(&keys[1], "/v1/users", user).await, 201);
    let order = json!({ "user": "jane", "purpose": "transaction", "transaction": "Order 7" });
    let started = post(&keys[0], "/v1/challenges", order).await;
    expect(&started, 202);
    let code = read(&keys[0], &path_of(&started)).await;
    expect(&code, 200);
    let body =
        json!({ "code": text(&code.body, "code"), "purpose": "transaction", "transaction": "Order 7" });
    expect(&post(&keys[0], &format!("{}/check", path_of(&started)), body).await, 200);
    let nobody = post(&keys[0], "/v1/challenges", json!({ "user": "nobody", "purpose": "sign_in" })).await;
    expect_problem(&read(&keys[0], &path_of(&nobody)).await, 404, "not-found");
}

/// Ten wrong codes begin the waiting; who forgets them ends it.
async fn an_operator_unlocks_a_user() {
    let shop = Shop::new()
        .await
        .with_settings(&json!({ "challenge_attempts": 10, "challenge_cool_down_seconds": 10 }))
        .await;
    shop.with_user("jane").await;
    let challenge = shop.started("jane").await;
    let code = shop.mailed("jane", 1).await;
    for guess in 1..=10 {
        expect_problem(&shop.checks(&challenge, &wrong(&code, guess)).await, 422, "invalid-code");
    }
    expect_problem(&shop.checks(&challenge, &code).await, 429, "too-many-attempts");
    let order = json!({ "user": "jane", "purpose": "sign_in" });
    let waits = shop.starts(&order).await;
    expect_problem(&waits, 429, "too-many-attempts");
    assert!(header(&waits, "retry-after").parse::<u64>().expect("seconds") > 10);
    let helpdesk = shop.tenant.key("helpdesk");
    let unlock = async |user: &str| {
        let path = format!("/v1/users/{user}/unlock");
        shop.tenant.api.post(&path, helpdesk, &json!({ "reason": "called in" })).await.expect("an answer")
    };
    expect_problem(&unlock("nobody").await, 404, "not-found");
    assert_eq!(unlock("jane").await.status, 204);
    pause(10_200).await;
    expect(&shop.starts(&order).await, 202);
}

/// A changed address gets no code that lets in; its old owner is told; a code for enrolment confirms it.
async fn another_address_waits_for_its_code() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    remember(&shop.tenant.address("thief"));
    let change = json!({ "email": shop.tenant.address("thief") });
    let changed = shop.tenant.send_with(Method::PATCH, "/v1/users/jane", &[], Some(&change)).await;
    expect(&changed, 200);
    assert_eq!(changed.body["email_confirmed"], false, "{}", changed.body);
    let told = shop.tenant.mails("jane", 1).await;
    assert!(!told[0].text.contains(&shop.tenant.address("thief")), "the new address is not told");
    let challenge = shop.started("jane").await;
    let proof = shop.starts(&json!({ "user": "jane", "purpose": "enrolment" })).await;
    expect(&proof, 202);
    let code = shop.mailed("thief", 1).await;
    expect_problem(&shop.checks(&challenge, &code).await, 422, "invalid-code");
    let body = json!({ "code": code, "purpose": "enrolment" });
    expect(&shop.asks(&format!("{}/check", path_of(&proof)), &body).await, 200);
    assert_eq!(shop.tenant.get("/v1/users/jane").await.body["email_confirmed"], true);
    assert_eq!(shop.tenant.mails("thief", 1).await.len(), 1, "no code for signing in");
}

async fn who_is_switched_off_is_let_in_no_more() {
    let shop = Shop::new().await;
    shop.with_user("jane").await;
    let challenge = shop.started("jane").await;
    let code = shop.mailed("jane", 1).await;
    let off =
        shop.tenant.send_with(Method::PATCH, "/v1/users/jane", &[], Some(&json!({ "active": false }))).await;
    expect(&off, 200);
    expect_problem(&shop.checks(&challenge, &code).await, 422, "invalid-code");
    // One that is given up.
    shop.with_user("joe").await;
    let challenge = shop.started("joe").await;
    let code = shop.mailed("joe", 1).await;
    let given_up = shop.asks(&format!("{challenge}/cancel"), &json!({})).await;
    assert_eq!(given_up.status, 204, "{}", given_up.body);
    expect_problem(&shop.checks(&challenge, &code).await, 422, "invalid-code");
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// Two to start, with a key of idempotency three, one to check, two to send again: for somebody and for nobody.
async fn a_challenge_costs_few_requests() {
    let shop = Shop::new().await.with_settings(&json!({ "challenge_cool_down_seconds": 10 })).await;
    shop.with_user("jane").await;
    shop.with_user("warm").await;
    // Warm: keys, policies and heads of templates are in memory from here on.
    shop.started("warm").await;
    let counted = |what: &str, expected: &[(&str, u64)]| {
        assert_eq!(shop.tenant.world.wire_counts_of("verify"), counts(expected), "{what}");
        shop.tenant.world.reset_wire_counts();
    };
    let read = ("DynamoDB_20120810.BatchGetItem", 1);
    let written = ("DynamoDB_20120810.TransactWriteItems", 1);
    let queued = ("AmazonSQS.SendMessage", 1);
    let mut challenges = Vec::new();
    for user in ["jane", "nobody"] {
        shop.tenant.world.reset_wire_counts();
        challenges.push((user, shop.started(user).await));
        counted(&format!("{user} starts"), &[read, written, queued]);
    }
    for (user, challenge) in &challenges {
        shop.tenant.world.reset_wire_counts();
        expect_problem(&shop.checks(challenge, "000000").await, 422, "invalid-code");
        counted(&format!("{user} types"), &[("DynamoDB_20120810.UpdateItem", 1)]);
    }
    pause(10_200).await;
    for (user, challenge) in &challenges {
        shop.tenant.world.reset_wire_counts();
        expect(&shop.asks(&format!("{challenge}/resend"), &json!({})).await, 202);
        counted(&format!("{user} asks again"), &[read, written, queued]);
    }
    let code = shop.mailed("jane", 2).await;
    shop.tenant.world.reset_wire_counts();
    expect(&shop.checks(&challenges[0].1, &code).await, 200);
    counted("jane types the right one", &[("DynamoDB_20120810.UpdateItem", 1)]);
    let order = json!({ "user": "jane", "purpose": "enrolment" });
    let keyed = async || {
        let api = &shop.tenant.api;
        let bearer = format!("Bearer {}", shop.key);
        let headers = [("Idempotency-Key", "start-1"), ("Authorization", bearer.as_str())];
        api.send_with(Method::POST, "/v1/challenges", &headers, Some(&order)).await.expect("an answer")
    };
    let first = keyed().await;
    expect(&first, 202);
    counted("with a key", &[("DynamoDB_20120810.PutItem", 1), read, written, queued]);
    let second = keyed().await;
    assert_eq!((second.status, &second.body), (first.status, &first.body));
}

/// What somebody sees who asks for codes of names: the shape of each answer, and what it cost.
type Seen = Vec<(u16, BTreeSet<String>, Vec<String>, Value, BTreeMap<String, u64>)>;

/// Members of a body, with those of its objects.
fn members(body: &Value) -> Vec<String> {
    let Some(object) = body.as_object() else { return vec![body.to_string()] };
    let inner = object.iter().flat_map(|(name, value)| {
        let inner = if value.is_object() { members(value) } else { Vec::new() };
        std::iter::once(name.clone()).chain(inner.into_iter().map(move |inner| format!("{name}.{inner}")))
    });
    inner.collect()
}

/// Content, status, headers, number of requests, lock behaviour: of a user, of nobody, of one without an address, of one who
/// is switched off.
async fn nobody_looks_like_somebody() {
    let shop = Shop::new().await.with_settings(&json!({ "challenge_cool_down_seconds": 10 })).await;
    let marked = shop.tenant.marked_key().await;
    shop.with_user("somebody").await;
    expect(&shop.tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
    shop.with_user("off").await;
    let off =
        shop.tenant.send_with(Method::PATCH, "/v1/users/off", &[], Some(&json!({ "active": false }))).await;
    expect(&off, 200);
    shop.with_user("warm").await;
    for key in [shop.key.clone(), marked] {
        let shop = Shop {
            tenant: Tenant {
                world: shop.tenant.world.clone(),
                id: shop.tenant.id.clone(),
                api: shop.tenant.api.clone(),
                keys: shop.tenant.keys.clone(),
            },
            key,
        };
        let purpose = if shop.key == shop.tenant.key("app") { "sign_in" } else { "password_reset" };
        shop.starts(&json!({ "user": "warm", "purpose": purpose })).await;
        let mut first: Option<Seen> = None;
        for user in ["somebody", "nobody", "bare", "off"] {
            let mut seen = Seen::new();
            let mut notes = |answer: &Answer| {
                let body = &answer.body;
                let told = ["title", "detail", "standing", "purpose", "digits", "type"];
                let told: BTreeMap<_, _> =
                    told.iter().filter_map(|name| Some((*name, body.get(*name)?))).collect();
                let headers = answer.headers.keys().map(ToString::to_string).collect();
                let told = json!(told);
                let asked = shop.tenant.world.wire_counts_of("verify");
                shop.tenant.world.reset_wire_counts();
                seen.push((answer.status.as_u16(), headers, members(body), told, asked));
            };
            shop.tenant.world.reset_wire_counts();
            let order = json!({ "user": user, "purpose": purpose });
            let started = shop.starts(&order).await;
            notes(&started);
            let challenge = path_of(&started);
            let recipient = text(&started.body, "recipient");
            assert!(recipient.contains("***@") && recipient.len() < 24, "{user}: {recipient}");
            // In the same state of its message, as far as that can be told.
            pause(1_500).await;
            notes(&shop.tenant.api.get(&challenge, &shop.key).await.expect("an answer"));
            notes(&shop.asks(&format!("{challenge}/resend"), &json!({})).await);
            notes(&shop.starts(&order).await);
            for guess in 0..7 {
                let body = json!({ "code": format!("{guess:06}"), "purpose": purpose });
                notes(&shop.asks(&format!("{challenge}/check"), &body).await);
            }
            notes(&shop.starts(&order).await);
            notes(&shop.asks(&format!("{challenge}/resend"), &json!({})).await);
            notes(&shop.tenant.api.get(&challenge, &shop.key).await.expect("an answer"));
            notes(&shop.asks(&format!("{challenge}/cancel"), &json!({})).await);
            match &first {
                None => first = Some(seen),
                Some(first) => {
                    for (place, (of_user, of_somebody)) in seen.iter().zip(first).enumerate() {
                        assert_eq!(of_user, of_somebody, "{user}, answer {place}");
                    }
                }
            }
        }
    }
}
