//! The fixed budgets, counted on the wire of the deployed system.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use otpost_local::providers::receipts::Fate;
use otpost_local::ses::News;
use otpost_tests::tenant::{Tenant, expect, expect_problem, pause};
use serde_json::{Value, json};

use crate::alone;
use crate::failover::Scene;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        alone("budgets::a_verification_is_two_requests", a_verification_is_two_requests),
        alone(
            "budgets::no_answer_costs_another_number_of_requests",
            no_answer_costs_another_number_of_requests,
        ),
        alone(
            "budgets::a_cold_verification_costs_the_same_for_everybody",
            a_cold_verification_costs_the_same_for_everybody,
        ),
        alone("budgets::telling_who_waits_is_one_request", telling_who_waits_is_one_request),
        alone("budgets::a_senders_hop_is_two_requests", a_senders_hop_is_two_requests),
        alone("budgets::handing_a_hop_on_is_three_requests", handing_a_hop_on_is_three_requests),
        alone("budgets::so_it_is_by_two_routes_and_after_silence", so_it_is_by_two_routes_and_after_silence),
        alone("budgets::a_wake_up_for_nothing_is_one_request", a_wake_up_for_nothing_is_one_request),
        alone("budgets::a_call_back_is_one_request", a_call_back_is_one_request),
        alone("budgets::a_call_back_that_says_nothing_is_none", a_call_back_that_says_nothing_is_none),
        alone("budgets::an_event_of_ses_is_one_request", an_event_of_ses_is_one_request),
        alone("budgets::a_code_is_accepted_once_of_twenty", a_code_is_accepted_once_of_twenty),
        alone("budgets::nothing_secret_is_logged", nothing_secret_is_logged),
    ]
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// One `Query`, one `UpdateItem`, nothing of KMS: for a right code, a wrong one and an unknown user.
async fn a_verification_is_two_requests() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let wrong = if enrolled.app.next_code() == "000000" { "000001" } else { "000000" };
    // Warm: the key and the tenant's data key are in the function's memory from here on.
    expect_problem(&tenant.verify("jane", wrong).await, 422, "invalid-code");
    let budget = counts(&[("DynamoDB_20120810.Query", 1), ("DynamoDB_20120810.UpdateItem", 1)]);
    for (user, code, status) in [
        ("jane", wrong, 422),
        ("nobody", wrong, 422),
        ("jane", &enrolled.app.next_code(), 200),
        ("joe", wrong, 422),
    ] {
        tenant.world.reset_wire_counts();
        expect(&tenant.verify(user, code).await, status);
        assert_eq!(tenant.world.wire_counts_of("verify"), budget, "{user}, {status}");
    }
}

/// By serial it is one more, for a token and for nobody's serial; a user without a token and a replay cost what a right
/// code costs.
async fn no_answer_costs_another_number_of_requests() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    expect(&tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
    let check =
        async |body: &Value| tenant.api.post("/v1/verify", tenant.key("app"), body).await.expect("an answer");
    let code = enrolled.app.next_code();
    expect(&check(&json!({ "user": "jane", "code": code })).await, 200);
    let two = counts(&[("DynamoDB_20120810.Query", 1), ("DynamoDB_20120810.UpdateItem", 1)]);
    let mut three = two.clone();
    three.insert("DynamoDB_20120810.GetItem".to_owned(), 1);
    for (body, budget) in [
        (json!({ "user": "jane", "code": code }), &two),
        (json!({ "user": "bare", "code": code }), &two),
        (
            json!({ "user": "jane", "code": "000000", "source": "never issued", "remember_source": true }),
            &two,
        ),
        (json!({ "serial": enrolled.serial, "code": code }), &three),
        (json!({ "serial": "OTP000000000000", "code": code }), &three),
    ] {
        tenant.world.reset_wire_counts();
        expect_problem(&check(&body).await, 422, "invalid-code");
        assert_eq!(&tenant.world.wire_counts_of("verify"), budget, "{body}");
    }
}

/// With everything in memory gone: the API key, its tenant, the tenant's data key and KMS, for whoever it is.
async fn a_cold_verification_costs_the_same_for_everybody() {
    let mut seen = Vec::new();
    for user in ["jane", "nobody", "bare"] {
        let tenant = Tenant::new().await;
        tenant.enrolled("jane").await;
        expect(&tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
        // This tenant is new to the function.
        tenant.world.reset_wire_counts();
        expect_problem(&tenant.verify(user, "000000").await, 422, "invalid-code");
        seen.push(tenant.world.wire_counts_of("verify"));
    }
    assert!(seen.iter().all(|counts| counts == &seen[0]), "{seen:?}");
    assert_eq!(seen[0].get("TrentService.Decrypt"), Some(&1));
}

/// One `GetItem`, for a message that is there and for one that is not; none for a key that may not ask.
async fn telling_who_waits_is_one_request() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let message = tenant.pushed(&serial).await;
    let key = tenant.marked_key().await;
    let path = |message: &str| format!("/v1/messages/{message}/status");
    let ask = async |key: &str, path: &str| tenant.api.get(path, key).await.expect("an answer");
    // Warm: both keys are in the function's memory from here on.
    expect(&ask(&key, &path(&message)).await, 200);
    expect_problem(&ask(tenant.key("app"), &path(&message)).await, 403, "first-factor-required");
    let one = counts(&[("DynamoDB_20120810.GetItem", 1)]);
    let nobodys = "msg_00000000000000000000000000";
    for (key, message, status, budget) in [
        (key.as_str(), message.as_str(), 200, &one),
        (key.as_str(), nobodys, 404, &one),
        (tenant.key("app"), message.as_str(), 403, &BTreeMap::new()),
        (tenant.key("app"), nobodys, 403, &BTreeMap::new()),
    ] {
        tenant.world.reset_wire_counts();
        expect(&ask(key, &path(message)).await, status);
        assert_eq!(&tenant.world.wire_counts_of("verify"), budget, "{message}, {status}");
    }
}

/// Claim and outcome, and one call to SES.
async fn a_senders_hop_is_two_requests() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    tenant.pushed(&serial).await;
    tenant.mails("jane", 1).await;
    pause(500).await;
    tenant.world.reset_wire_counts();
    let message = tenant.pushed(&serial).await;
    tenant.mails("jane", 2).await;
    let sent = format!("/v1/messages/{message}");
    while tenant.get(&sent).await.body["status"] != "sent" {
        pause(50).await;
    }
    let hop = counts(&[
        ("DynamoDB_20120810.UpdateItem", 1),
        ("DynamoDB_20120810.PutItem", 1),
        ("POST /v2/email/outbound-emails", 1),
    ]);
    assert_eq!(tenant.world.wire_counts_of("send-ses"), hop);
}

/// How often something is done until it meets a process that has everything in memory: there may be several.
const ROUNDS: u64 = 8;

/// Requests to DynamoDB alone.
fn to_the_database(counts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let is_one = |name: &str| name.strip_prefix("DynamoDB_20120810.").map(str::to_owned);
    counts.into_iter().filter_map(|(name, count)| Some((is_one(&name)?, count))).collect()
}

/// What `deliver` asked of the database, until that is a budget.
struct Kept {
    budget: BTreeMap<String, u64>,
    seen: Vec<BTreeMap<String, u64>>,
}

impl Kept {
    fn of(budget: &[(&str, u64)]) -> Self {
        Self { budget: counts(budget), seen: Vec::new() }
    }

    /// Counts what was asked since the last reset; whether that is the budget.
    fn is_kept(&mut self, tenant: &Tenant) -> bool {
        self.seen.push(to_the_database(tenant.world.wire_counts_of("deliver")));
        self.seen.last() == Some(&self.budget)
    }

    fn ends(&self) {
        assert!(self.seen.last() == Some(&self.budget), "never {:?}, but {:?}", self.budget, self.seen);
    }
}

/// The message, what its fate depends on, and the hop. Policies and gateways are in memory.
const HANDED: [(&str, u64); 3] = [("GetItem", 1), ("BatchGetItem", 1), ("PutItem", 1)];

async fn handing_a_hop_on_is_three_requests() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "twilio" }])).await;
    let mut kept = Kept::of(&HANDED);
    for serial in scene.texted(ROUNDS).await {
        scene.tenant.world.reset_wire_counts();
        scene.until(&scene.pushed(&serial).await, "delivered").await;
        if kept.is_kept(&scene.tenant) {
            break;
        }
    }
    kept.ends();
    // What becomes of it costs the sender no more than before there were receipts.
    let sender = to_the_database(scene.tenant.world.wire_counts_of("send-twilio"));
    assert_eq!(sender, counts(&[("UpdateItem", 1), ("PutItem", 1)]));
}

/// Whether gateways work is read once in three seconds; a message that has no choice left does not ask.
async fn so_it_is_by_two_routes_and_after_silence() {
    let scene = Scene::new().await;
    scene
        .routes(
            json!([{ "gateway": "twilio", "wait_seconds": 5 }, { "gateway": "notify", "wait_seconds": 3600 }]),
        )
        .await;
    let mut kept = Kept::of(&HANDED);
    for serial in scene.texted(2 * ROUNDS).await {
        scene.tenant.world.reset_wire_counts();
        scene.until(&scene.pushed(&serial).await, "delivered").await;
        if kept.is_kept(&scene.tenant) {
            break;
        }
    }
    kept.ends();
    // What wakes it for these is over before anything else is counted.
    pause(7_000).await;
    scene.twilio_is(Fate::Silent).await;
    let mut kept = Kept::of(&HANDED);
    // A third would open the circuit.
    for serial in scene.texted(2).await {
        let message = scene.pushed(&serial).await;
        scene.until(&message, "sent").await;
        scene.tenant.world.reset_wire_counts();
        let shown = scene.until(&message, "delivered").await;
        assert_eq!(shown["hops"][1]["because"], "no_news", "{shown}");
        if kept.is_kept(&scene.tenant) {
            break;
        }
    }
    kept.ends();
}

/// Of a message that is closed, and of one that waits for a receipt.
async fn a_wake_up_for_nothing_is_one_request() {
    let scene = Scene::new().await;
    scene
        .routes(json!([{ "gateway": "twilio", "wait_seconds": 600 }, { "gateway": "notify", "wait_seconds": 600 }]))
        .await;
    let serials = scene.texted(2).await;
    let closed = scene.pushed(&serials[0]).await;
    scene.until(&closed, "delivered").await;
    scene.twilio_is(Fate::Silent).await;
    let open = scene.pushed(&serials[1]).await;
    scene.until(&open, "sent").await;
    for message in [closed, open] {
        let body = json!({ "tenant": scene.tenant.id, "message": message }).to_string();
        let event = json!({ "Records": [{ "messageId": "1", "body": body, "eventSource": "aws:sqs" }] });
        scene.tenant.world.reset_wire_counts();
        let answered = scene.tenant.world.invoke("deliver", &event).await.expect("an answer");
        assert_eq!(answered.payload["batchItemFailures"], json!([]), "{answered:?}");
        assert_eq!(scene.tenant.world.wire_counts_of("deliver"), counts(&[("DynamoDB_20120810.GetItem", 1)]));
    }
}

/// New, again, and of bad news; the one of bad news wakes `deliver` besides.
async fn a_call_back_is_one_request() {
    let scene = Scene::new().await;
    scene
        .routes(json!([{ "gateway": "twilio", "wait_seconds": 3600 }, { "gateway": "notify", "wait_seconds": 3600 }]))
        .await;
    scene.twilio_is(Fate::Silent).await;
    let serials = scene.texted(3).await;
    let mut taken = Vec::new();
    for serial in &serials {
        let message = scene.pushed(serial).await;
        scene.until(&message, "sent").await;
        taken.push(scene.taken_of(&message).await);
    }
    // Warm: the tenant's data key, its gateways and their credentials are in the function's memory from here on.
    assert_eq!(scene.calls_back(&taken[0], "delivered").await, 204);
    let one = counts(&[("DynamoDB_20120810.UpdateItem", 1)]);
    let mut waking = one.clone();
    waking.insert("AmazonSQS.SendMessage".to_owned(), 1);
    for (of, status, budget) in [
        (0, "delivered", &one),
        (1, "delivered", &one),
        (1, "delivered", &one),
        (1, "undelivered", &one),
        (2, "undelivered", &waking),
    ] {
        scene.tenant.world.reset_wire_counts();
        assert_eq!(scene.calls_back(&taken[of], status).await, 204);
        assert_eq!(&scene.tenant.world.wire_counts_of("receipts"), budget, "{of}, {status}");
    }
}

/// Nothing is looked up for a status that changes nothing, whoever says so. A signature is checked with what is in
/// memory. Only of a tenant that there is not, each call asks once whether there is one.
async fn a_call_back_that_says_nothing_is_none() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "twilio" }])).await;
    scene.twilio_is(Fate::Silent).await;
    let serials = scene.texted(1).await;
    let message = scene.pushed(&serials[0]).await;
    scene.until(&message, "sent").await;
    let taken = scene.taken_of(&message).await;
    assert_eq!(scene.calls_back(&taken, "delivered").await, 204);
    let url = taken.status_callback.clone().expect("a URL");
    let (start, _) = url.rsplit_once('/').expect("a key");
    let none = BTreeMap::new();
    let asked = counts(&[("DynamoDB_20120810.GetItem", 1)]);
    // Whoever has the URL is believed to have the gateway's token, maybe a newer one than was read.
    let looked = counts(&[("DynamoDB_20120810.Query", 1)]);
    for (what, url, status, expected, budget) in [
        ("on its way", url.clone(), "sent", 204, &none),
        ("on its way, not signed", format!("{url}x"), "queued", 204, &none),
        ("not signed", url.clone(), "undelivered", 403, &looked),
        ("a key that was never made", format!("{start}/{}", "A".repeat(80)), "delivered", 403, &none),
        ("of nobody", url.replace(&format!("/{}/", scene.tenant.id), "/nobody/"), "delivered", 403, &asked),
    ] {
        scene.tenant.world.reset_wire_counts();
        assert_eq!(scene.calls_back_unsigned(&url, status).await, expected, "{what}");
        assert_eq!(&scene.tenant.world.wire_counts_of("receipts"), budget, "{what}");
    }
}

/// New, again, and late. One that puts the address on the suppression list is a transaction, which does not tell what the
/// message is then: it is read. Told again, the address is written once more. There is one such event for an address.
async fn an_event_of_ses_is_one_request() {
    let tenant = Tenant::new().await;
    let mut messages = Vec::new();
    for user in ["arrives", "bounces"] {
        let message = tenant.pushed(&tenant.provisioned(user).await).await;
        tenant.mails(user, 1).await;
        while tenant.get(&format!("/v1/messages/{message}")).await.body["status"] != "sent" {
            pause(50).await;
        }
        messages.push(message);
    }
    let one = [("UpdateItem", 1)];
    for (of, news, budget) in [
        (0, News::Sent, &[][..]),
        (0, News::Delayed, &one[..]),
        (0, News::Delivered, &one[..]),
        (0, News::Delivered, &one[..]),
        (0, News::Delayed, &one[..]),
        (1, News::BouncedForGood, &[("TransactWriteItems", 1), ("BatchGetItem", 1)][..]),
        (1, News::BouncedForGood, &[("TransactWriteItems", 2), ("BatchGetItem", 1)][..]),
    ] {
        tenant.world.reset_wire_counts();
        assert_eq!(tenant.world.ses_tells(&messages[of], news).await.expect("heard"), 1);
        let asked = to_the_database(tenant.world.wire_counts_of("receipts"));
        assert_eq!(asked, counts(budget), "{news:?}");
    }
}

async fn a_code_is_accepted_once_of_twenty() {
    let tenant = std::sync::Arc::new(Tenant::new().await);
    let enrolled = tenant.enrolled("jane").await;
    let code = enrolled.app.next_code();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (tenant, code) = (std::sync::Arc::clone(&tenant), code.clone());
        racing.spawn(async move { tenant.verify("jane", &code).await.status.as_u16() });
    }
    let mut answers = racing.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409, 422, 429].contains(status)), "{answers:?}");
}

/// Whatever this tenant's secrets and addresses are, no function's log has them.
async fn nothing_secret_is_logged() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let code = enrolled.app.next_code();
    expect(&tenant.verify("jane", &code).await, 200);
    let link = tenant.link("jane", 1).await;
    let link = link.rsplit_once('/').expect("a path").1;
    let keys = tenant.keys.values().map(|key| key.split('_').nth(2).expect("a secret"));
    let address = tenant.address("jane");
    let secrets: Vec<&str> = keys.chain([link, address.as_str()]).collect();
    for function in otpost_local::build::FUNCTIONS {
        let lines = tenant.world.function_log(function).await.expect("a log");
        let worked =
            !["jobs", "receipts", "send-govuk-notify", "send-smtp", "send-twilio"].contains(function);
        assert!(!worked || !lines.is_empty(), "{function} logs");
        for line in lines {
            for secret in &secrets {
                assert!(!line.text.contains(secret), "{function} logs {secret}: {}", line.text);
            }
            for code in [&enrolled.first_code, &code] {
                let words = line.text.split(|c: char| !c.is_ascii_alphanumeric());
                assert!(words.into_iter().all(|word| word != code), "{function} logs a code: {}", line.text);
            }
        }
    }
}
