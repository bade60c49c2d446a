//! Templates over the deployed API: kept, followed by the next mail, brought back, looked at and tried out.

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("templates::the_next_mail_has_the_new_texts", the_next_mail_has_the_new_texts),
        shared("templates::a_wrong_template_is_told_whole", a_wrong_template_is_told_whole),
        shared("templates::two_admins_who_save_at_once", two_admins_who_save_at_once),
        shared("templates::a_test_arrives_in_the_tenants_look", a_test_arrives_in_the_tenants_look),
        shared("templates::who_may_do_what", who_may_do_what),
        shared("templates::a_configuration_goes_to_another_tenant", a_configuration_goes_to_another_tenant),
    ]
}

async fn send(
    tenant: &Tenant,
    method: Method,
    path: &str,
    etag: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let bearer = format!("Bearer {}", tenant.key("admin"));
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(etag.map(|etag| ("if-match", etag)));
    tenant.api.send_with(method, path, &headers, body).await.expect("an answer")
}

fn mail(subject: &str) -> Value {
    json!({ "email": {
        "from": { "name": "Otpost Tests" },
        "subject": subject,
        "text": "Hello [[DISPLAYNAME]],\nyour link: [[LINK]]\nYour code: [[AUTHZCODE]]\n",
        "html": "<h1>[[LOGO]]</h1><p>Hello [[DISPLAYNAME]]</p>[[QRCODE]]<p>Your code: [[AUTHZCODE]]</p>",
    } })
}

/// Pushes until the mail has this subject, for a minute at most; the mail.
async fn mailed_with(tenant: &Tenant, serial: &str, subject: &str) -> otpost_local::Mail {
    for count in 1.. {
        tenant.pushed(serial).await;
        let before = tenant.mails("jane", count + 1).await;
        let last = before.last().expect("a mail").clone();
        if last.subject == subject {
            return last;
        }
        assert!(count < 7, "after a minute mails are still called {}", last.subject);
        pause(10_000).await;
    }
    unreachable!("a minute ends")
}

async fn the_next_mail_has_the_new_texts() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    // This function has read now that there is no template.
    tenant.pushed(&serial).await;
    let first = tenant.mails("jane", 1).await.remove(0);
    assert_eq!(first.subject, "Set up your security codes for Test & Söhne");
    let made =
        send(&tenant, Method::PUT, "/v1/templates/push_token.en", None, Some(&mail("New words"))).await;
    expect(&made, 201);
    assert_eq!(made.body["version"], 1);
    let mail = mailed_with(&tenant, &serial, "New words").await;
    assert!(mail.from.contains("Otpost Tests"), "{}", mail.from);
    assert!(
        mail.text.contains("Hello Jane <b>Doe</b>,") && !mail.text.contains("Your code"),
        "{}",
        mail.text
    );
    assert!(
        mail.html.contains("Jane &lt;b&gt;Doe&lt;/b&gt;") && !mail.html.contains("Your code"),
        "{}",
        mail.html
    );
    let picture = mail.inline_png().expect("the QR picture");
    let link = mail.link(tenant.world.api_base()).expect("a link");
    assert_eq!(otpost_local::qr::decode_png(&picture.content).expect("a QR code").text, link);
}

async fn a_wrong_template_is_told_whole() {
    let tenant = Tenant::new().await;
    let wrong = json!({
        "email": {
            "from": { "name": "A\r\nBcc: b@example.org", "address": "ceo@example.net" },
            "subject": "Your code: %code%",
            "text": "Type this:\n[[QRCODE]]",
            "html": "<p onclick=\"x()\">[[CODE]]</p>\n<img src=\"https://example.org/x.png\"><script>x</script>",
        },
        "sms": { "text": "Type this" },
    });
    let answer = send(&tenant, Method::PUT, "/v1/templates/email_otp.en", None, Some(&wrong)).await;
    expect_problem(&answer, 400, "invalid-request");
    let mended = json!({ "email": {
        "from": { "address": "ceo@example.net" }, "subject": "Your code", "text": "Type this:\n[[CODE]]",
    } });
    let told = |answer: &Answer| -> Vec<String> {
        let errors = answer.body["errors"].as_array().expect("errors").iter();
        let place = |error: &Value| format!("{} {} {}", error["pointer"], error["line"], error["column"]);
        errors.map(|error| place(error).replace('"', "")).collect()
    };
    assert_eq!(told(&answer)[0], "/email/from/name null null", "{}", answer.body);
    let mut without = wrong.clone();
    without["email"]["from"] = json!(null);
    let answer = send(&tenant, Method::PUT, "/v1/templates/email_otp.en", None, Some(&without)).await;
    assert_eq!(
        told(&answer),
        [
            "/email/subject 1 12",
            "/email/text 1 1",
            "/email/text 2 1",
            "/email/html 1 4",
            "/email/html 2 6",
            "/email/html 2 38",
            "/sms/text 1 1",
        ],
        "{}",
        answer.body
    );
    let answer = send(&tenant, Method::PUT, "/v1/templates/email_otp.en", None, Some(&mended)).await;
    assert_eq!(told(&answer), ["/email/from/address null null"], "{}", answer.body);
    expect_problem(&tenant.get("/v1/templates/email_otp.fr").await, 404, "not-found");
    let listed = tenant.get("/v1/templates").await;
    assert_eq!(listed.body, json!({ "templates": [] }), "nothing of it was kept");
}

async fn two_admins_who_save_at_once() {
    let tenant = Tenant::new().await;
    let path = "/v1/templates/push_token.en";
    let made = send(&tenant, Method::PUT, path, None, Some(&mail("One"))).await;
    let first = header(&made, "etag").to_owned();
    let (two, three) = (mail("Two"), mail("Three"));
    let (a, b) = tokio::join!(
        send(&tenant, Method::PUT, path, Some(&first), Some(&two)),
        send(&tenant, Method::PUT, path, Some(&first), Some(&three))
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", a.body, b.body);
    let history = tenant.get(&format!("{path}/versions")).await;
    let numbers: Vec<_> =
        history.body["versions"].as_array().expect("versions").iter().map(|v| v["version"].clone()).collect();
    assert_eq!(numbers, [2, 1]);
    let back = json!({ "version": 1 });
    let rollback = format!("{path}/rollback");
    expect_problem(
        &send(&tenant, Method::POST, &rollback, Some(&first), Some(&back)).await,
        412,
        "precondition-failed",
    );
    let done = send(&tenant, Method::POST, &rollback, Some("\"2\""), Some(&back)).await;
    expect(&done, 200);
    assert_eq!((&done.body["version"], &done.body["repeats"]), (&json!(3), &json!(1)));
    assert_eq!(tenant.get(path).await.body["email"]["subject"], "One");
    expect(&send(&tenant, Method::DELETE, path, Some("\"3\""), None).await, 204);
    let built_in = tenant.get(path).await;
    assert_eq!(built_in.body["origin"], "built_in");
    let actions: Vec<_> = tenant.audit().await.iter().map(|entry| entry["action"]["S"].clone()).collect();
    assert_eq!(
        actions[actions.len() - 4..],
        ["template.saved", "template.saved", "template.saved", "template.removed"]
    );
    let other = Tenant::new().await;
    expect_problem(&other.get(&format!("{path}/versions")).await, 404, "not-found");
}

async fn a_test_arrives_in_the_tenants_look() {
    let tenant = Tenant::new().await;
    let png = otpost_domain::qr::png("logo", 4).expect("a picture");
    let logo = data_encoding::BASE64.encode(&png);
    let look = json!({ "colour": "#0b6e4f", "logo": logo });
    expect(&send(&tenant, Method::PUT, "/v1/brand", None, Some(&look)).await, 201);
    let order = json!({ "email": tenant.address("ops") });
    let sent = send(&tenant, Method::POST, "/v1/templates/enrolled.de/test", None, Some(&order)).await;
    expect(&sent, 202);
    let mail = tenant.mails("ops", 1).await.remove(0);
    assert!(mail.html.contains("#0b6e4f"), "{}", mail.html);
    let shown = mail.attachments.iter().find(|part| part.content_id.as_deref() == Some("logo@otpost"));
    assert_eq!(shown.expect("the logo").content, png);
    let path = format!("/v1/messages/{}", text(&sent.body, "message"));
    let mut message = tenant.get(&path).await;
    for _ in 0..50 {
        if message.body["status"] == "sent" {
            break;
        }
        pause(100).await;
        message = tenant.get(&path).await;
    }
    assert_eq!(message.body["status"], "sent", "{}", message.body);
    assert_eq!((&message.body["purpose"], message.body.get("user")), (&json!("enrolled"), None));
    let none = json!({ "email": tenant.address("ops"), "gateway": "none" });
    let refused = send(&tenant, Method::POST, "/v1/templates/enrolled.de/test", None, Some(&none)).await;
    expect_problem(&refused, 409, "not-allowed-now");
    let page = json!({ "as": "html", "scheme": "dark" });
    let bearer = format!("Bearer {}", tenant.key("operator"));
    let shown = reqwest::Client::new()
        .post(format!("{}/v1/templates/enrolled.de/preview", tenant.world.api_base()))
        .header("authorization", bearer)
        .json(&page)
        .send()
        .await
        .expect("an answer");
    assert_eq!(shown.headers()["content-type"], "text/html; charset=utf-8");
    assert!(shown.headers()["content-security-policy"].to_str().expect("text").starts_with("sandbox"));
    let html = shown.text().await.expect("a page");
    assert!(html.contains("#0b6e4f") && html.contains("data:image/png;base64,"), "{html}");
}

/// Sends a document in YAML, or takes one out; status and body.
async fn configuration(tenant: &Tenant, query: &str, document: Option<String>) -> (u16, String) {
    let url = format!("{}/v1/configuration{query}", tenant.world.api_base());
    let client = reqwest::Client::new();
    let request = match document {
        Some(document) => client.post(url).header("content-type", "application/yaml").body(document),
        None => client.get(url),
    };
    let answer = request.bearer_auth(tenant.key("admin")).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

async fn a_configuration_goes_to_another_tenant() {
    let (from, to) = (Tenant::new().await, Tenant::new().await);
    let policy = json!({ "applies_to": { "groups": ["Staff"] }, "settings": { "window_steps": 2 } });
    expect(&send(&from, Method::PUT, "/v1/policies/staff", None, Some(&policy)).await, 201);
    expect(
        &send(&from, Method::PUT, "/v1/templates/push_token.en.staff", None, Some(&mail("Staff"))).await,
        201,
    );
    expect(&send(&from, Method::PUT, "/v1/brand", None, Some(&json!({ "colour": "#0b6e4f" }))).await, 201);
    let (status, document) = configuration(&from, "", None).await;
    assert_eq!(status, 200, "{document}");
    assert!(document.contains("push_token.en.staff") && document.contains("subject: Staff"), "{document}");
    let (status, report) = configuration(&to, "?dry_run=true", Some(document.clone())).await;
    assert_eq!(status, 200, "{report}");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["dry_run"], &report["counts"]["created"]), (&json!(true), &json!(3)), "{report}");
    expect_problem(&to.get("/v1/policies/staff").await, 404, "not-found");
    let (status, done) = configuration(&to, "", Some(document.clone())).await;
    let done: Value = serde_json::from_str(&done).expect("JSON");
    assert_eq!((status, &done["complete"]), (200, &json!(true)), "{done}");
    assert_eq!(configuration(&to, "", None).await, (200, document.clone()), "it comes out as it went in");
    let (status, told) = configuration(&to, "", Some(document.replace("[[LINK]]", "[[LINC]]"))).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(status, 400, "{told}");
    let error = &told["errors"][0];
    assert_eq!(error["pointer"], "/templates/push_token.en.staff/email/text", "{told}");
    assert!(error["line"].is_u64() && error["column"].is_u64(), "{told}");
}

async fn who_may_do_what() {
    let tenant = Tenant::new().await;
    for role in ["app", "helpdesk", "directory", "operator"] {
        let bearer = format!("Bearer {}", tenant.key(role));
        let headers = [("authorization", bearer.as_str())];
        let call = async |method: Method, path: &str| {
            let body = Some(mail("x")).filter(|_| method == Method::PUT);
            tenant.api.send_with(method, path, &headers, body.as_ref()).await.expect("an answer")
        };
        let put = call(Method::PUT, "/v1/templates/push_token.en").await;
        expect_problem(&put, 403, "forbidden");
        let listed = call(Method::GET, "/v1/templates").await;
        expect(&listed, if role == "operator" { 200 } else { 403 });
    }
}
