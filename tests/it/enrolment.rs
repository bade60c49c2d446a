//! The enrolment page: what scanners, thieves and people in a hurry cannot spoil.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::Browser;
use otpost_local::device::Device;
use otpost_local::page;
use otpost_tests::tenant::{Tenant, expect, expect_problem, scanned, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{alone, shared};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        alone("enrolment::a_hundred_looks_change_nothing", a_hundred_looks_change_nothing),
        shared("enrolment::the_page_gives_nothing_away", the_page_gives_nothing_away),
        shared("enrolment::the_second_browser_is_too_late", the_second_browser_is_too_late),
        shared("enrolment::dead_links_say_why", dead_links_say_why),
        shared("enrolment::few_authorization_codes_may_be_wrong", few_authorization_codes_may_be_wrong),
        shared(
            "enrolment::a_weaker_authorization_is_the_operators_choice",
            a_weaker_authorization_is_the_operators_choice,
        ),
        shared("enrolment::a_sixth_browser_has_to_wait", a_sixth_browser_has_to_wait),
        shared("enrolment::wrong_codes_are_told_kindly_and_bounded", wrong_codes_are_told_kindly_and_bounded),
    ]
}

/// What an app says to start.
fn app() -> Value {
    json!({ "device": { "os": "ios", "type": "phone", "push": { "capable": true, "permitted": true } } })
}

/// The row of a link, as it lies in the table.
async fn row(tenant: &Tenant, link: &str) -> Value {
    use sha2_of as hash;
    let key = json!({ "PK": { "S": format!("L#{}", hash(link)) }, "SK": { "S": "L" } });
    let get = json!({ "TableName": tenant.world.output("FlowTable").expect("a table"), "Key": key });
    let found =
        tenant.world.aws().call("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an answer");
    assert!(found.get("Item").is_some(), "the link has a row");
    found
}

/// The key under which a link's code is stored.
fn sha2_of(link: &str) -> String {
    let code = link.rsplit_once('/').expect("a path").1;
    otpost_domain::ids::BearerCode::try_from(code).expect("a code").hash().as_str().to_owned()
}

async fn a_hundred_looks_change_nothing() {
    let tenant = Tenant::new().await;
    let (serial, link) = tenant.invited("jane").await;
    let before = row(&tenant, &link).await;
    tenant.world.reset_wire_counts();
    let client = reqwest::Client::new();
    for _ in 0..50 {
        for method in [Method::GET, Method::HEAD] {
            let answer = client.request(method.clone(), &link).send().await.expect("an answer");
            assert_eq!(answer.status(), 200);
            assert!(answer.headers().get("set-cookie").is_none());
            let body = answer.text().await.expect("a body");
            assert_eq!(body.is_empty(), method == Method::HEAD);
        }
    }
    let asked = tenant.world.wire_counts_of("enroll");
    let names: Vec<_> = asked.keys().map(String::as_str).collect();
    assert_eq!(names, ["DynamoDB_20120810.GetItem"], "a look only reads");
    assert_eq!(row(&tenant, &link).await, before);
    let token = tenant.get(&format!("/v1/tokens/{serial}")).await;
    assert_eq!(token.body["state"], "enrolling");
}

async fn the_page_gives_nothing_away() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let client = reqwest::Client::new();
    let start = client.post(&link).form(&[("action", "start")]).send().await.expect("an answer");
    for answer in [client.get(&link).send().await.expect("an answer"), start] {
        let header =
            |name: &str| answer.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or("").to_owned();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
        let cookie = header("set-cookie");
        if !cookie.is_empty() {
            assert!(cookie.starts_with("__Host-otpost-"), "{cookie}");
            for attribute in ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict", "; Max-Age="] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
        }
        let html = answer.text().await.expect("a page");
        assert!(
            !html.contains("<script") && !html.contains("http://") && !html.contains("https://"),
            "{html}"
        );
    }
}

async fn the_second_browser_is_too_late() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let (mut mine, mut theirs) = (Browser::at(&link), Browser::at(&link));
    let mut apps = Vec::new();
    for browser in [&mut mine, &mut theirs] {
        browser.open().await.expect("the page");
        browser.submit(&[]).await.expect("the page");
        apps.push(Authenticator::scan(&scanned(browser)).expect("an otpauth link"));
    }
    let [my_app, their_app] = apps.as_slice() else { panic!("two apps") };
    assert_ne!(
        my_app.code_at(1_800_000_000),
        their_app.code_at(1_800_000_000),
        "each browser has its own seed"
    );
    assert_eq!(theirs.submit(&[("code", &my_app.code())]).await.expect("the page"), 422);
    assert_eq!(mine.submit(&[("code", &my_app.code())]).await.expect("the page"), 200);
    let again = mine.submit(&[("action", "activate"), ("code", &my_app.code())]).await.expect("the page");
    assert_eq!(again, 410, "after a reload of the last page");
    assert!(mine.html().contains("has been used"), "{}", mine.html());
    assert_eq!(theirs.submit(&[("code", &their_app.code())]).await.expect("the page"), 410);
    assert!(page::has_id(theirs.html(), "problem"));
    assert!(theirs.html().contains("has been used"), "{}", theirs.html());
    expect_problem(&tenant.verify("jane", &their_app.next_code()).await, 422, "invalid-code");
    assert_eq!(tenant.verify("jane", &my_app.next_code()).await.status, 200);
}

async fn dead_links_say_why() {
    let tenant = Tenant::new().await;
    let (serial, superseded) = tenant.invited("jane").await;
    tenant.pushed(&serial).await;
    let expired = tenant.link("jane", 2).await;
    assert_ne!(superseded, expired);
    let expire = json!({
        "TableName": tenant.world.output("FlowTable").expect("a table"),
        "Key": { "PK": { "S": format!("L#{}", sha2_of(&expired)) }, "SK": { "S": "L" } },
        "UpdateExpression": "SET #exp = :then",
        "ExpressionAttributeNames": { "#exp": "exp" },
        "ExpressionAttributeValues": { ":then": { "N": "1" } },
    });
    tenant.world.aws().call("dynamodb", "DynamoDB_20120810.UpdateItem", &expire).await.expect("an answer");
    let base = tenant.world.api_base();
    let unknown = format!("{base}/e/{}", "A".repeat(43));
    let malformed = format!("{base}/e/abc");
    let told = [
        (&superseded, 410, "There is a newer link"),
        (&expired, 410, "This link has expired"),
        (&unknown, 404, "This link is not known"),
        (&malformed, 404, "This link is not known"),
    ];
    for (link, status, words) in told {
        let mut browser = Browser::at(link);
        assert_eq!(browser.open().await.expect("the page").as_u16(), status, "{words}");
        assert!(browser.html().contains(words), "{words}: {}", browser.html());
        let path = link.replace(base, "").replace("/e/", "/v1/activations/");
        let answer = Device::new(1)
            .expect("a key")
            .send(&tenant.api, Method::POST, &path, &app())
            .await
            .expect("an answer");
        expect_problem(&answer, status, if status == 410 { "dead-link" } else { "not-found" });
    }
}

async fn few_authorization_codes_may_be_wrong() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let pushed = tenant.post(&format!("/v1/tokens/{serial}/push"), &json!({ "channel": "email" })).await;
    let right = text(&pushed.body, "authorization_code");
    let link = tenant.link("jane", 1).await;
    let wrong = if right == "2222-2222" { "2222-2223" } else { "2222-2222" };
    let (mut owner, mut thief) = (Browser::at(&link), Browser::at(&link));
    owner.open().await.expect("the page");
    assert_eq!(owner.submit(&[("authorization_code", &right)]).await.expect("the page"), 200);
    thief.open().await.expect("the page");
    assert_eq!(thief.submit(&[("authorization_code", "what?")]).await.expect("the page"), 400);
    for left in (1..5).rev() {
        assert_eq!(thief.submit(&[("authorization_code", wrong)]).await.expect("the page"), 422);
        let told = if left == 1 { "One more try".to_owned() } else { format!("{left} more tries") };
        assert!(thief.html().contains(&told), "{told}: {}", thief.html());
    }
    assert_eq!(thief.submit(&[("authorization_code", wrong)]).await.expect("the page"), 410);
    assert!(thief.html().contains("Too many wrong authorization codes"), "{}", thief.html());
    let app = Authenticator::scan(&scanned(&owner)).expect("an otpauth link");
    assert_eq!(owner.submit(&[("code", &app.code())]).await.expect("the page"), 200, "who had begun goes on");
}

async fn a_weaker_authorization_is_the_operators_choice() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let path = format!("/v1/tokens/{serial}/push");
    let order = json!({ "channel": "email", "authorization": "same_message" });
    let helpdesk = tenant.api.post(&path, tenant.key("helpdesk"), &order).await.expect("an answer");
    expect_problem(&helpdesk, 403, "forbidden");
    let pushed = tenant.post(&path, &order).await;
    expect(&pushed, 202);
    assert_eq!(pushed.body.get("authorization_code"), None, "it is in the message");
    let mails = tenant.mails("jane", 1).await;
    let mail = mails.last().expect("a mail");
    let words = mail.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let code = words.into_iter().find(|word| word.len() == 9 && word.as_bytes()[4] == b'-');
    let mut browser = Browser::at(&tenant.link("jane", 1).await);
    browser.open().await.expect("the page");
    let typed = [("authorization_code", code.unwrap_or_else(|| panic!("no code in {}", mail.text)))];
    assert_eq!(browser.submit(&typed).await.expect("the page"), 200);
    let unknown = tenant.post(&path, &json!({ "channel": "email", "authorization": "maybe" })).await;
    expect_problem(&unknown, 400, "invalid-request");
}

async fn a_sixth_browser_has_to_wait() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let mut first = Browser::at(&link);
    first.open().await.expect("the page");
    first.submit(&[]).await.expect("the page");
    let app = Authenticator::scan(&scanned(&first)).expect("an otpauth link");
    for number in 2..=6 {
        let mut browser = Browser::at(&link);
        browser.open().await.expect("the page");
        let status = browser.submit(&[]).await.expect("the page").as_u16();
        assert_eq!(status, if number == 6 { 429 } else { 200 }, "browser {number}");
    }
    first.submit(&[]).await.expect("the page");
    let same = Authenticator::scan(&scanned(&first)).expect("an otpauth link");
    assert_eq!(same.code_at(7), app.code_at(7), "the first browser goes on with its own seed");
    assert_eq!(first.submit(&[("code", &app.code())]).await.expect("the page"), 200);
}

async fn wrong_codes_are_told_kindly_and_bounded() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let mut browser = Browser::at(&link);
    browser.open().await.expect("the page");
    browser.submit(&[]).await.expect("the page");
    let app = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
    assert_eq!(browser.submit(&[("code", "12 34")]).await.expect("the page"), 400);
    assert!(browser.html().contains("not a code"), "{}", browser.html());
    let wrong = if app.code() == "000000" { "000001" } else { "000000" };
    for _ in 0..9 {
        assert_eq!(browser.submit(&[("code", wrong)]).await.expect("the page"), 422);
        assert!(page::has_id(browser.html(), "problem") && page::has_id(browser.html(), "otpauth"));
    }
    assert_eq!(browser.submit(&[("code", wrong)]).await.expect("the page"), 409);
    assert!(browser.html().contains("Too many wrong codes"), "{}", browser.html());
    assert_eq!(browser.submit(&[]).await.expect("the page"), 200, "start again");
    let fresh = Authenticator::scan(&scanned(&browser)).expect("an otpauth link");
    assert_ne!(fresh.code_at(7), app.code_at(7), "a seed of its own");
    assert_eq!(browser.submit(&[("code", &fresh.code())]).await.expect("the page"), 200);
    assert!(page::has_id(browser.html(), "activated"));
}
