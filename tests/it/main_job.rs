//! The main job: provision, push, mail with QR code, enrol, verify.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::Browser;
use otpost_local::{page, qr};
use otpost_tests::tenant::{Tenant, expect, expect_problem, scanned, text};
use serde_json::json;

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("main_job::from_provisioning_to_verification", from_provisioning_to_verification),
        shared("main_job::every_change_is_audited_with_it", every_change_is_audited_with_it),
        shared("main_job::every_kind_of_token", every_kind_of_token),
        shared("main_job::the_log_tells_the_way", the_log_tells_the_way),
        shared("main_job::a_second_delivery_sends_nothing", a_second_delivery_sends_nothing),
    ]
}

async fn from_provisioning_to_verification() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let token = tenant.get(&format!("/v1/tokens/{serial}")).await;
    assert_eq!(text(&token.body, "state"), "assigned");
    let pushed = tenant.post(&format!("/v1/tokens/{serial}/push"), &json!({ "channel": "email" })).await;
    expect(&pushed, 202);
    let authorization = text(&pushed.body, "authorization_code");
    let mails = tenant.mails("jane", 1).await;
    let [mail] = mails.as_slice() else { panic!("one mail") };

    let link = mail.link(tenant.world.api_base()).expect("a link").to_owned();
    assert!(mail.text.contains(&link) && mail.html.contains(&link));
    assert!(mail.from.contains("Test & Söhne"), "{}", mail.from);
    assert!(mail.html.contains("Jane &lt;b&gt;Doe&lt;/b&gt;"), "names are text, not markup: {}", mail.html);
    let code = link.rsplit_once('/').expect("a path").1;
    assert!(!mail.subject.contains(code));
    for part in [&mail.subject, &mail.text, &mail.html] {
        assert!(!part.contains("[["), "an unresolved wildcard: {part}");
        assert!(!part.contains("otpauth"), "the seed is never in the mail");
        assert!(!part.contains(&authorization), "the authorization code travels another way");
    }
    assert_eq!(mail.attachments.len(), 1);
    let picture = mail.inline_png().expect("an inline picture");
    let decoded = qr::decode_png(&picture.content).expect("a QR code");
    assert_eq!(decoded.text, link);

    let mut browser = Browser::at(&link);
    assert_eq!(browser.open().await.expect("the page"), 200);
    assert!(!browser.html().contains("otpauth"), "opening the link makes no seed");
    assert_eq!(browser.submit(&[]).await.expect("the page"), 403);
    assert!(page::has_id(browser.html(), "problem") && !browser.html().contains("otpauth"));
    let typed = authorization.to_lowercase().replace('-', " ");
    assert_eq!(browser.submit(&[("authorization_code", &typed)]).await.expect("the page"), 200);
    let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
    let pictures = page::pictures(browser.html());
    let [picture] = pictures.as_slice() else { panic!("one picture") };
    let png = picture.strip_prefix("data:image/png;base64,").expect("a PNG");
    let png = data_encoding::BASE64.decode(png.as_bytes()).expect("Base64");
    assert_eq!(qr::decode_png(&png).expect("a QR code").text, scanned(&browser));
    let code = app.code();
    assert_eq!(browser.submit(&[("code", &code)]).await.expect("the page"), 200);
    assert!(page::has_id(browser.html(), "activated"), "{}", browser.html());

    let token = tenant.get(&format!("/v1/tokens/{serial}")).await;
    assert_eq!(text(&token.body, "state"), "active");
    expect_problem(&tenant.verify("jane", &code).await, 422, "invalid-code");
    let next = app.next_code();
    let verified = tenant.verify("jane", &next).await;
    expect(&verified, 200);
    assert_eq!(verified.body, json!({ "result": "accepted", "user": "jane", "serial": serial }));
    expect_problem(&tenant.verify("jane", &next).await, 422, "invalid-code");
}

/// The entries lie in the same transactions as the changes, so each change has exactly one.
async fn every_change_is_audited_with_it() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    expect(&tenant.verify("jane", &enrolled.app.next_code()).await, 200);
    expect_problem(&tenant.verify("jane", "000000").await, 422, "invalid-code");
    let entries = tenant.audit().await;
    let core = tenant.world.output("CoreTable").expect("a table");
    let aws = tenant.world.aws();
    let actions: Vec<_> =
        entries.iter().map(|entry| entry["action"]["S"].as_str().expect("an action")).collect();
    let keys = ["key.created"; 5];
    let job = ["user.created", "token.provisioned", "token.pushed", "enrolment.started", "token.activated"];
    let expected: Vec<_> = ["tenant.created"].into_iter().chain(keys).chain(job).collect();
    assert_eq!(actions, expected);
    let last = entries.last().expect("an entry");
    assert_eq!((&last["actor"]["S"], &last["serial"]["S"]), (&json!("link"), &json!(enrolled.serial)));

    // A verification's entry is the row that decides it.
    let key = json!({ "PK": { "S": format!("T#{}#U#jane", tenant.id) }, "SK": { "S": "A" } });
    let get = json!({ "TableName": core, "Key": key });
    let row = aws.call("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an answer");
    assert_eq!(row["Item"]["ok_serial"]["S"], json!(enrolled.serial));
    assert!(row["Item"]["ok_at"]["N"].is_string() && row["Item"]["bad_at"]["N"].is_string());
    assert!(row.to_string().len() < 1024, "well under a kilobyte: {row}");
}

async fn every_kind_of_token() {
    let tenant = Tenant::new().await;
    let email = tenant.address("jane");
    expect(&tenant.post("/v1/users", &json!({ "user": "jane", "email": email })).await, 201);
    let kinds = [
        json!({ "kind": "hotp" }),
        json!({ "algorithm": "SHA256", "digits": 8, "period": 60 }),
        json!({ "algorithm": "SHA512", "digits": 7, "period": 15 }),
    ];
    for (sent, kind) in kinds.iter().enumerate() {
        let token = tenant.post("/v1/users/jane/tokens", kind).await;
        expect(&token, 201);
        assert!(kind.as_object().expect("members").iter().all(|(name, value)| &token.body[name] == value));
        tenant.pushed(&text(&token.body, "serial")).await;
        let mut browser = Browser::at(&tenant.link("jane", sent + 1).await);
        browser.open().await.expect("the page");
        browser.submit(&[]).await.expect("the page");
        let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
        let counted = token.body["kind"] == "hotp";
        let first = if counted { app.code_of(0) } else { app.code() };
        assert_eq!(browser.submit(&[("code", &first)]).await.expect("the page"), 200);
        let next = if counted { app.code_of(1) } else { app.next_code() };
        expect(&tenant.verify("jane", &next).await, 200);
    }
}

async fn the_log_tells_the_way() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let mut made = Vec::new();
    for sent in 1..=3 {
        made.insert(0, tenant.pushed(&serial).await);
        tenant.mails("jane", sent).await;
    }
    let mut story = tenant.get(&format!("/v1/messages/{}", made[0])).await;
    for _ in 0..50 {
        if story.body["status"] == "sent" {
            break;
        }
        otpost_tests::tenant::pause(100).await;
        story = tenant.get(&format!("/v1/messages/{}", made[0])).await;
    }
    assert_eq!(story.body["status"], "sent", "{}", story.body);
    assert_eq!(story.body["recipient"], "j***@t***.org");
    assert_eq!(story.body["hops"].as_array().map(Vec::len), Some(1), "one request");
    assert_eq!(story.body["hops"][0]["sender"], "ses");
    assert_eq!(story.body["hops"][0]["gateway"], serde_json::Value::Null, "the deployment's own");
    assert_eq!(story.body["hops"][0]["state"], "accepted");
    assert!(story.body["hops"][0]["said"].to_string().contains("HTTP 200"), "{}", story.body);
    assert!(!story.body["hops"][0]["provider_id"].as_str().expect("an id").is_empty());

    let mut seen = Vec::new();
    let mut path = "/v1/messages?user=jane&limit=2".to_owned();
    loop {
        let page = tenant.get(&path).await;
        expect(&page, 200);
        seen.extend(
            page.body["messages"].as_array().expect("a list").iter().map(|message| text(message, "message")),
        );
        let Some(next) = page.body.get("next").and_then(|next| next.as_str()) else {
            break;
        };
        path = format!("/v1/messages?user=jane&limit=2&cursor={next}");
    }
    assert_eq!(seen, made, "newest first, page by page");
}

async fn a_second_delivery_sends_nothing() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let message = tenant.pushed(&serial).await;
    tenant.mails("jane", 1).await;
    let body = |more: &str| format!("{{\"tenant\":\"{}\",\"message\":\"{message}\"{more}}}", tenant.id);
    let batch = |body: String| json!({ "Records": [{ "messageId": "again", "body": body }] });
    for _ in 0..5 {
        for (function, event) in [("deliver", batch(body(""))), ("send-ses", batch(body(",\"hop\":1")))] {
            let answer = tenant.world.invoke(function, &event).await.expect("the function");
            assert_eq!(answer.payload, json!({ "batchItemFailures": [] }), "{function}: {:?}", answer.error);
        }
    }
    otpost_tests::tenant::pause(500).await;
    assert_eq!(tenant.mails("jane", 1).await.len(), 1);
}
