//! The log of messages, the suppression list, and what the person who waits is told.

use libtest_mimic::Trial;
use otpost_tests::tenant::{Tenant, expect, expect_problem, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("messages::a_tenants_messages_are_searched", a_tenants_messages_are_searched),
        shared("messages::a_message_tells_its_story", a_message_tells_its_story),
        shared("messages::a_bounced_address_is_suppressed_and_cleared", a_bounced_address_is_suppressed),
        shared("messages::who_waits_is_told", who_waits_is_told),
    ]
}

/// A message once it has this status.
async fn with_status(tenant: &Tenant, message: &str, status: &str) -> Value {
    let path = format!("/v1/messages/{message}");
    for _ in 0..200 {
        let shown = tenant.get(&path).await.body;
        if shown["status"] == status {
            return shown;
        }
        pause(100).await;
    }
    panic!("{message} is not {status} within 20 s: {}", tenant.get(&path).await.body);
}

async fn found(tenant: &Tenant, filter: &str) -> Vec<String> {
    let path = format!("/v1/messages?limit=1&{filter}");
    tenant.every("messages", &path).await.iter().map(|message| text(message, "message")).collect()
}

async fn a_tenants_messages_are_searched() {
    let tenant = Tenant::new().await;
    let mut made = Vec::new();
    for user in ["jane", "joe"] {
        let serial = tenant.provisioned(user).await;
        made.insert(0, tenant.pushed(&serial).await);
        tenant.mails(user, 1).await;
    }
    let template = json!({ "email": tenant.address("ops") });
    let test = tenant.post("/v1/templates/push_token.en/test", &template).await;
    expect(&test, 202);
    made.insert(0, text(&test.body, "message"));
    for message in &made {
        with_status(&tenant, message, "sent").await;
    }
    // An index follows its table in a moment.
    for _ in 0..50 {
        if found(&tenant, "channel=email").await.len() == made.len() {
            break;
        }
        pause(100).await;
    }
    for filter in ["channel=email", "status=sent", "gateway=deployment", "from=2020-01-01T00:00:00Z"] {
        assert_eq!(found(&tenant, filter).await, made, "{filter}: newest first, tests among them");
    }
    assert_eq!(found(&tenant, "user=joe").await, made[1..2]);
    let second = tenant.get(&format!("/v1/messages/{}", made[1])).await.body;
    let from = format!("from={}", text(&second, "created_at"));
    let since = found(&tenant, &from).await;
    assert!(since.starts_with(&made[..2]), "{since:?}");
    for filter in
        ["channel=sms", "status=failed", "gateway=mail", "to=2020-01-01T00:00:00Z", "user=joe&status=queued"]
    {
        assert_eq!(found(&tenant, filter).await, Vec::<String>::new(), "{filter}");
    }
}

async fn a_message_tells_its_story() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let message = tenant.pushed(&serial).await;
    tenant.mails("jane", 1).await;
    let shown = with_status(&tenant, &message, "sent").await;
    let hop = &shown["hops"][0];
    assert_eq!((&hop["channel"], &hop["because"]), (&json!("email"), &json!("first")), "{shown}");
    assert_eq!(hop.get("passed"), None, "{shown}");
    let story: Vec<String> =
        shown["story"].as_array().expect("a story").iter().map(|line| text(line, "text")).collect();
    assert!(story[0].starts_with("Written: push_token, by e-mail to j***@t***.org"), "{story:?}");
    let handed = story.iter().position(|line| line.starts_with("Handed to the deployment's own SES (ses)"));
    let accepted = story.iter().position(|line| line.starts_with("Accepted by the deployment's own SES as "));
    assert!(handed.is_some() && handed < accepted, "{story:?}");
    assert!(!shown["story"].to_string().contains(&tenant.address("jane")), "masked");
    let listed = tenant.every("messages", "/v1/messages?user=jane").await;
    assert_eq!(listed[0].get("story"), None, "not in lists");
}

/// What Amazon SES says of a mail that bounced for good.
fn bounce(tenant: &Tenant, message: &str) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/receipts/ses-hard-bounce.json");
    let mut event: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("an event")).expect("JSON");
    let address = json!(tenant.address("jane"));
    event["detail"]["mail"]["tags"]["otpost-message"][0] = json!(format!("{}.{message}.1", tenant.id));
    event["detail"]["mail"]["destination"][0] = address.clone();
    event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = address;
    event
}

async fn a_bounced_address_is_suppressed() {
    let (tenant, other) = (Tenant::new().await, Tenant::new().await);
    let serial = tenant.provisioned("jane").await;
    let message = tenant.pushed(&serial).await;
    tenant.mails("jane", 1).await;
    with_status(&tenant, &message, "sent").await;
    let told = tenant.world.invoke("receipts", &bounce(&tenant, &message)).await.expect("the function");
    assert_eq!(told.error, None, "{}", told.payload);
    let shown = with_status(&tenant, &message, "undelivered").await;
    assert_eq!(shown["hops"][0]["news"]["verdict"], "undelivered", "{shown}");

    let list = "/v1/suppressions?limit=9";
    let listed = tenant.every("suppressions", list).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["address"], &listed[0]["cause"], &listed[0]["message"]),
        (&json!(tenant.address("jane")), &json!("hard_bounce"), &json!(message))
    );
    assert_eq!(other.every("suppressions", list).await, Vec::<Value>::new());
    let refused = tenant.pushed(&serial).await;
    let refused = with_status(&tenant, &refused, "failed").await;
    assert!(text(&refused, "reason").contains("suppression list"), "{refused}");
    assert_eq!(refused["hops"], json!([]), "no provider was asked");

    let path = format!("/v1/suppressions/{}", text(&listed[0], "suppression"));
    let clear = async |tenant: &Tenant, role: &str| {
        tenant.api.send(Method::DELETE, &path, tenant.key(role), None).await.expect("an answer")
    };
    expect_problem(&clear(&other, "operator").await, 404, "not-found");
    expect_problem(&clear(&tenant, "helpdesk").await, 403, "forbidden");
    expect(&clear(&tenant, "operator").await, 204);
    expect_problem(&clear(&tenant, "operator").await, 404, "not-found");
    tenant.pushed(&serial).await;
    tenant.mails("jane", 2).await;
}

async fn who_waits_is_told() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let message = tenant.pushed(&serial).await;
    let key = tenant.marked_key().await;
    let ask = async |query: &str| {
        let path = format!("/v1/messages/{message}/status{query}");
        tenant.api.get(&path, &key).await.expect("an answer")
    };
    tenant.mails("jane", 1).await;
    with_status(&tenant, &message, "sent").await;
    let told = ask("").await;
    expect(&told, 200);
    assert_eq!(
        (&told.body["status"], &told.body["channel"]),
        (&json!("sent"), &json!("email")),
        "{}",
        told.body
    );
    assert_eq!(told.body["recipient"], "j***@t***.org");
    assert!(text(&told.body, "text").starts_with("Sent by e-mail "), "{}", told.body);
    let said = told.body.to_string();
    assert!(!said.contains("ses") && !said.contains("deployment"), "no gateway is named: {said}");
    let german = ask("?locale=de-AT").await;
    assert!(text(&german.body, "text").contains("per E-Mail"), "{}", german.body);
    let odd = ask("?locale=german%20please").await;
    expect_problem(&odd, 400, "invalid-request");
    assert_eq!(odd.body["field"], "locale");
    // A key that promises nothing is told the same of whatever it asks for.
    let mut answers = Vec::new();
    for id in [message.as_str(), "msg_00000000000000000000000000", "nonsense"] {
        let path = format!("/v1/messages/{id}/status");
        let mut answer = tenant.api.get(&path, tenant.key("app")).await.expect("an answer");
        expect_problem(&answer, 403, "first-factor-required");
        answer.body.as_object_mut().expect("an object").remove("instance");
        answers.push(answer.body);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}
