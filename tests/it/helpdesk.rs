//! What the helpdesk sends to whoever calls, through the deployed system; and the clock of a test tenant, in which a number is
//! a day old at once.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::{Answer, Browser};
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, pause, scanned, text};
use serde_json::{Value, json};

use crate::failover::Scene;
use crate::{alone, shared};

const PASSWORD: &str = "Correct-Horse-77";
/// A day and an hour.
const AHEAD: u64 = 90_000;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("helpdesk::a_caller_gets_a_new_password", a_caller_gets_a_new_password),
        shared("helpdesk::a_new_number_gets_none", a_new_number_gets_none),
        shared("helpdesk::an_operator_sends_so_much_in_an_hour", an_operator_sends_so_much_in_an_hour),
        shared("helpdesk::a_test_tenants_clock_runs_ahead", a_test_tenants_clock_runs_ahead),
        alone("helpdesk::the_helpdesk_costs_few_requests", the_helpdesk_costs_few_requests),
    ]
}

/// A tenant that texts by Twilio, and in it the helpdesk and jane, who calls.
struct Desk {
    scene: Scene,
    /// Of jane's telephone, which is this test's alone.
    number: String,
}

impl Desk {
    async fn of(tenant: Tenant, number: u8, settings: Value) -> Self {
        let (scene, number) = (Scene::of(tenant).await, format!("+44770090089{number}"));
        let mut all =
            json!({ "channels": ["sms"], "sms_routes": [{ "gateway": "twilio", "wait_seconds": 60 }] });
        all.as_object_mut().expect("settings").extend(settings.as_object().expect("settings").clone());
        let policy = json!({ "applies_to": { "everyone": true }, "settings": all });
        expect(&scene.put("/v1/policies/texts", &policy).await, 201);
        remember(&number);
        remember(PASSWORD);
        let new = json!({ "user": "jane", "phone": number });
        expect(&scene.tenant.post("/v1/users", &new).await, 201);
        Self { scene, number }
    }

    async fn asks(&self, path: &str, operator: &str, mut body: Value) -> Answer {
        body["operator"] = json!(operator);
        body["reason"] = json!("ticket 4711");
        let tenant = &self.scene.tenant;
        tenant.api.post(path, tenant.key("helpdesk"), &body).await.expect("an answer")
    }

    /// Sends jane a code: the path of what follows, and the code as her telephone shows it.
    async fn sent(&self) -> (String, String) {
        let sent = self.asks("/v1/helpdesk/codes", "m.miller", json!({ "user": "jane" })).await;
        expect(&sent, 202);
        assert_eq!((&sent.body["channel"], &sent.body["recipient"]), (&json!("sms"), &json!(self.masked())));
        let shown = self.shown(1).await;
        assert!(shown.contains("helpdesk"), "{shown}");
        let code = shown.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).expect("a code");
        remember(code);
        (format!("/v1/helpdesk/codes/{}", text(&sent.body, "id")), code.to_owned())
    }

    fn masked(&self) -> String {
        let end: Vec<_> = self.number.chars().rev().take(3).collect();
        format!("+44 7*** ***{}", end.into_iter().rev().collect::<String>())
    }

    /// The latest of so many texts on jane's telephone.
    async fn shown(&self, count: usize) -> String {
        for _ in 0..200 {
            let texts = self.scene.texts_to(&self.number);
            if texts.len() >= count {
                assert_eq!(texts.len(), count);
                return texts.last().expect("a text").body.clone();
            }
            pause(100).await;
        }
        panic!("no text arrived")
    }
}

async fn ahead() -> Tenant {
    Tenant::with(&json!({ "test": true, "clock_offset_seconds": AHEAD })).await
}

async fn a_caller_gets_a_new_password() {
    let desk = Desk::of(ahead().await, 1, json!({})).await;
    let (path, code) = desk.sent().await;
    let (check, password) = (format!("{path}/check"), format!("{path}/password"));
    let new = json!({ "password": PASSWORD });
    let early = desk.asks(&password, "m.miller", new.clone()).await;
    expect_problem(&early, 409, "not-allowed-now");
    assert_eq!(early.body["detail"], "No password was sent: the caller has not read this code back.");
    let wrong = json!({ "code": crate::challenges::wrong(&code, 1) });
    expect_problem(&desk.asks(&check, "m.miller", wrong).await, 422, "invalid-code");
    let accepted = desk.asks(&check, "m.miller", json!({ "code": code })).await;
    expect(&accepted, 200);
    assert_eq!(accepted.body["user"], "jane");

    let link = desk.asks(&password, "m.miller", json!({ "password": "https://evil.example" })).await;
    expect_problem(&link, 400, "invalid-request");
    assert_eq!(link.body["field"], "password");
    let sent = desk.asks(&password, "m.miller", new.clone()).await;
    expect(&sent, 202);
    assert_eq!(sent.body["recipient"], desk.masked());
    assert!(!sent.body.to_string().contains(PASSWORD), "{}", sent.body);
    assert!(desk.shown(2).await.contains(PASSWORD));
    let again = desk.asks(&password, "m.miller", new).await;
    expect_problem(&again, 409, "not-allowed-now");
    assert_eq!(again.body["detail"], "No password was sent: a password was sent on this code already.");

    // What is left of it: a message without content, and three entries.
    let tenant = &desk.scene.tenant;
    let message = format!("/v1/messages/{}", text(&sent.body, "message"));
    let mut told = tenant.get(&message).await;
    for _ in 0..100 {
        if told.body["status"] != "queued" && told.body["status"] != "sending" {
            break;
        }
        pause(100).await;
        told = tenant.get(&message).await;
    }
    assert!(
        ["sent", "delivered"].contains(&told.body["status"].as_str().expect("a status")),
        "{}",
        told.body
    );
    assert!(!told.body.to_string().contains(PASSWORD), "{}", told.body);
    let flow = tenant.world.output("FlowTable").expect("a table");
    let pk = format!("T#{}#M#{}", tenant.id, text(&sent.body, "message"));
    let get = json!({ "TableName": flow, "Key": { "PK": { "S": pk }, "SK": { "S": "M" } } });
    let row =
        tenant.world.aws().call("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an answer");
    assert_eq!(row["Item"]["purpose"]["S"], "new_password", "{row}");
    assert!(row["Item"].get("content").is_none(), "{row}");
    let audit = tenant.audit().await;
    let by_desk: Vec<_> = audit
        .iter()
        .filter(|entry| entry["action"]["S"].as_str().is_some_and(|action| action.starts_with("helpdesk.")))
        .collect();
    assert_eq!(by_desk.len(), 3, "{by_desk:?}");
    for entry in by_desk {
        assert_eq!(
            (&entry["operator"]["S"], &entry["reason"]["S"], &entry["user"]["S"]),
            (&json!("m.miller"), &json!("ticket 4711"), &json!("jane"))
        );
        assert!(!entry.to_string().contains(PASSWORD));
    }
}

async fn a_new_number_gets_none() {
    let desk = Desk::of(Tenant::new().await, 2, json!({})).await;
    let (path, code) = desk.sent().await;
    expect(&desk.asks(&format!("{path}/check"), "m.miller", json!({ "code": code })).await, 200);
    let told = desk.asks(&format!("{path}/password"), "m.miller", json!({ "password": PASSWORD })).await;
    expect_problem(&told, 409, "not-allowed-now");
    assert!(text(&told.body, "detail").contains("24 hours"), "{}", told.body);
    let nobody = desk.asks("/v1/helpdesk/codes", "m.miller", json!({ "user": "nobody" })).await;
    expect_problem(&nobody, 404, "not-found");
    // No other code is the helpdesk's, and the helpdesk's is no other.
    let tenant = &desk.scene.tenant;
    let order = json!({ "user": "jane", "purpose": "sign_in" });
    let started = tenant.api.post("/v1/challenges", tenant.key("app"), &order).await.expect("an answer");
    expect(&started, 202);
    let of_app = format!("/v1/helpdesk/codes/{}/check", text(&started.body, "id"));
    expect_problem(&desk.asks(&of_app, "m.miller", json!({ "code": "000000" })).await, 404, "not-found");
    let check = format!("/v1/challenges/{}/check", path.rsplit('/').next().expect("an id"));
    let typed = json!({ "code": code, "purpose": "sign_in" });
    let typed = tenant.api.post(&check, tenant.key("app"), &typed).await.expect("an answer");
    expect_problem(&typed, 404, "not-found");
}

async fn an_operator_sends_so_much_in_an_hour() {
    let desk =
        Desk::of(Tenant::new().await, 3, json!({ "helpdesk_hourly": 1, "challenge_cool_down_seconds": 200 }))
            .await;
    for user in ["joe", "jim"] {
        let new = json!({ "user": user, "phone": desk.number });
        expect(&desk.scene.tenant.post("/v1/users", &new).await, 201);
    }
    let by = async |operator: &str, user: &str| {
        desk.asks("/v1/helpdesk/codes", operator, json!({ "user": user })).await
    };
    expect(&by("m.miller", "jane").await, 202);
    expect(&by("m.miller", "jane").await, 202);
    // What is on its way costs nothing. The hour may end between two of them, and never between three.
    let (second, third) = (by("M.Miller", "joe").await, by("m.miller", "jim").await);
    let enough = if second.status.as_u16() == 429 { second } else { third };
    expect_problem(&enough, 429, "too-many-attempts");
    assert!(header(&enough, "retry-after").parse::<u64>().expect("seconds") <= 3600);
    expect(&by("a.other", "jane").await, 202);
    // Who was given a code that was on its way is on record too.
    let audit = desk.scene.tenant.audit().await;
    let of_jane = audit
        .iter()
        .filter(|entry| entry["action"]["S"] == "helpdesk.code_sent" && entry["user"]["S"] == "jane");
    let on_record: Vec<_> = of_jane.map(|entry| (&entry["operator"]["S"], &entry["detail"]["S"])).collect();
    let (sent, again) = (Value::Null, json!("on_its_way"));
    let (miller, other) = (json!("m.miller"), json!("a.other"));
    assert_eq!(on_record, [(&miller, &sent), (&miller, &again), (&other, &again)]);
}

async fn a_test_tenants_clock_runs_ahead() {
    let tenant = ahead().await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let shown = tenant.api.get(&format!("/v1/tenants/{}", tenant.id), &platform).await.expect("an answer");
    assert_eq!((&shown.body["test"], &shown.body["clock_offset_seconds"]), (&json!(true), &json!(AHEAD)));
    for (extra, field) in [
        (json!({ "clock_offset_seconds": 60 }), "for test tenants only"),
        (json!({ "test": true, "clock_offset_seconds": 366 * 86_400 + 1 }), "366 days"),
    ] {
        let mut new = json!({ "tenant": "never-made", "name": "x" });
        new.as_object_mut().expect("members").extend(extra.as_object().expect("members").clone());
        let told = tenant.api.post("/v1/tenants", &platform, &new).await.expect("an answer");
        expect_problem(&told, 400, "invalid-request");
        assert_eq!(told.body["field"], "clock_offset_seconds");
        assert!(text(&told.body, "detail").contains(field), "{}", told.body);
    }

    // A device whose clock runs ahead by as much enrols and signs in; the true time's codes are wrong.
    let (serial, link) = tenant.invited("jane").await;
    let mut browser = Browser::at(&link);
    browser.open().await.expect("the page");
    browser.submit(&[]).await.expect("the page");
    let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
    assert_eq!(browser.submit(&[("code", &app.code())]).await.expect("the page"), 422);
    assert_eq!(browser.submit(&[("code", &app.code_in(AHEAD))]).await.expect("the page"), 200);
    expect_problem(&tenant.verify("jane", &app.code_in(30)).await, 422, "invalid-code");
    let verified = tenant.verify("jane", &app.code_in(AHEAD + 30)).await;
    expect(&verified, 200);
    assert_eq!(verified.body["serial"], json!(serial));

    // A challenge is told and judged by the same clock; its message leaves by the true one.
    let key = tenant.key("app");
    let order = json!({ "user": "jane", "purpose": "sign_in" });
    let started = tenant.api.post("/v1/challenges", key, &order).await.expect("an answer");
    expect(&started, 202);
    assert_eq!(started.body["expires_in_seconds"], 300);
    let code = crate::challenges::code_in(&tenant.mails("jane", 2).await[1].text);
    remember(&code);
    let path = format!("/v1/challenges/{}", text(&started.body, "id"));
    let standing = tenant.api.get(&path, key).await.expect("an answer");
    assert_eq!(standing.body["standing"], "open", "{}", standing.body);
    let body = json!({ "code": code, "purpose": "sign_in" });
    expect(&tenant.api.post(&format!("{path}/check"), key, &body).await.expect("an answer"), 200);
}

async fn the_helpdesk_costs_few_requests() {
    let desk = Desk::of(ahead().await, 4, json!({ "challenge_cool_down_seconds": 10 })).await;
    // Warm: keys, policies and heads of templates are in memory from here on.
    let (path, code) = desk.sent().await;
    expect(&desk.asks(&format!("{path}/check"), "m.miller", json!({ "code": code })).await, 200);
    let password = format!("{path}/password");
    expect(&desk.asks(&password, "m.miller", json!({ "password": PASSWORD })).await, 202);
    desk.shown(2).await;
    let world = &desk.scene.tenant.world;
    let counted = |what: &str, expected: &[(&str, u64)]| {
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        assert_eq!(world.wire_counts_of("verify"), expected, "{what}");
        world.reset_wire_counts();
    };
    let read = ("DynamoDB_20120810.BatchGetItem", 1);
    let written = ("DynamoDB_20120810.TransactWriteItems", 1);
    let updated = ("DynamoDB_20120810.UpdateItem", 1);
    let queued = ("AmazonSQS.SendMessage", 1);
    world.reset_wire_counts();
    let sent = desk.asks("/v1/helpdesk/codes", "m.miller", json!({ "user": "jane" })).await;
    expect(&sent, 202);
    counted("a code", &[read, updated, written, queued]);
    let shown = desk.shown(3).await;
    let code = shown.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).expect("a code");
    remember(code);
    let path = format!("/v1/helpdesk/codes/{}", text(&sent.body, "id"));
    world.reset_wire_counts();
    let wrong = json!({ "code": crate::challenges::wrong(code, 1) });
    expect_problem(&desk.asks(&format!("{path}/check"), "m.miller", wrong).await, 422, "invalid-code");
    counted("a wrong code", &[updated]);
    expect(&desk.asks(&format!("{path}/check"), "m.miller", json!({ "code": code })).await, 200);
    counted("the right one", &[written]);
    expect(&desk.asks(&format!("{path}/password"), "m.miller", json!({ "password": PASSWORD })).await, 202);
    counted("a password", &[read, updated, written, queued]);
}
