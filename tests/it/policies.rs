//! Policies over the deployed API: kept, explained, and followed within a minute.

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("policies::two_admins_who_save_at_once", two_admins_who_save_at_once),
        shared("policies::a_wrong_document_is_told_whole", a_wrong_document_is_told_whole),
        shared("policies::what_holds_is_explained_and_previewed", what_holds_is_explained_and_previewed),
        shared("policies::a_change_takes_effect_within_a_minute", a_change_takes_effect_within_a_minute),
        shared("policies::users_are_restamped_by_a_job", users_are_restamped_by_a_job),
    ]
}

fn steps(coverage: &Value, steps: u8) -> Value {
    json!({ "applies_to": coverage, "settings": { "window_steps": steps } })
}

async fn put(tenant: &Tenant, policy: &str, etag: Option<&str>, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", tenant.key("admin"));
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(etag.map(|etag| ("if-match", etag)));
    let path = format!("/v1/policies/{policy}");
    tenant.api.send_with(Method::PUT, &path, &headers, Some(body)).await.expect("an answer")
}

async fn two_admins_who_save_at_once() {
    let tenant = Tenant::new().await;
    let everyone = json!({ "everyone": true });
    let made = put(&tenant, "windows", None, &steps(&everyone, 1)).await;
    expect(&made, 201);
    assert!(made.body.get("job").is_none(), "what covers everyone is in nobody's record: {}", made.body);
    let first = header(&made, "etag").to_owned();
    expect_problem(&put(&tenant, "windows", None, &steps(&everyone, 2)).await, 428, "precondition-required");
    let (two, three) = (steps(&everyone, 2), steps(&everyone, 3));
    let (a, b) = tokio::join!(
        put(&tenant, "windows", Some(&first), &two),
        put(&tenant, "windows", Some(&first), &three)
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", a.body, b.body);
    let won = if a.status == 200 { 2 } else { 3 };
    let read = tenant.get("/v1/policies/windows").await;
    assert_eq!(read.body["settings"]["window_steps"], won);
    let listed = tenant.get("/v1/policies").await;
    assert_eq!(listed.body["policies"][0]["policy"], "windows");
    let bearer = format!("Bearer {}", tenant.key("admin"));
    let delete = async |etag: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", etag)];
        tenant.api.send_with(Method::DELETE, "/v1/policies/windows", &headers, None).await.expect("an answer")
    };
    expect_problem(&delete(&first).await, 412, "precondition-failed");
    expect(&delete(header(&read, "etag")).await, 204);
    expect_problem(&tenant.get("/v1/policies/windows").await, 404, "not-found");
    let other = Tenant::new().await;
    put(&other, "windows", None, &steps(&everyone, 1)).await;
    expect_problem(&tenant.get("/v1/policies/windows").await, 404, "not-found");
}

async fn a_wrong_document_is_told_whole() {
    let tenant = Tenant::new().await;
    let wrong = json!({
        "applies_to": { "group": "Board" },
        "precedence": 0,
        "settings": { "channels": ["pigeon"], "window_steps": 6, "locale": "x", "sms_routes": [{ "gateway": "A B" }] },
    });
    let answer = put(&tenant, "board", None, &wrong).await;
    expect_problem(&answer, 400, "invalid-request");
    let errors = answer.body["errors"].as_array().expect("errors");
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().expect("a pointer")).collect();
    assert_eq!(
        pointers,
        [
            "/applies_to/group",
            "/applies_to",
            "/precedence",
            "/settings/channels/0",
            "/settings/window_steps",
            "/settings/sms_routes/0/gateway",
            "/settings/locale",
        ]
    );
    for body in [json!({}), json!({ "applies_to": [], "settings": 7 })] {
        expect_problem(&put(&tenant, "board", None, &body).await, 400, "invalid-request");
    }
    let bad_id = put(&tenant, "Board%20", None, &steps(&json!({ "everyone": true }), 1)).await;
    expect_problem(&bad_id, 400, "invalid-request");
    assert_eq!(bad_id.body["field"], "policy");
}

async fn what_holds_is_explained_and_previewed() {
    let tenant = Tenant::new().await;
    let user = json!({ "user": "jane", "groups": ["Board", "Staff"] });
    expect(&tenant.post("/v1/users", &user).await, 201);
    put(&tenant, "everyone", None, &steps(&json!({ "everyone": true }), 0)).await;
    put(&tenant, "staff", None, &steps(&json!({ "groups": ["Staff"] }), 2)).await;
    let explained = tenant.get("/v1/users/jane/explain").await;
    expect(&explained, 200);
    let setting = |body: &Value, name: &str| {
        let all = body["settings"].as_array().expect("settings");
        all.iter().find(|setting| setting["setting"] == name).cloned().expect("the setting")
    };
    let window = setting(&explained.body, "window_steps");
    assert_eq!((&window["value"], &window["policy"]), (&json!(2), &json!("staff")));
    assert_eq!(window["outranked"][0]["policy"], "everyone");
    assert!(setting(&explained.body, "token_kind").get("policy").is_none());
    let draft = json!({
        "applies_to": { "groups": ["Board"] },
        "precedence": 900,
        "settings": { "window_steps": 5, "qr_content": "seed" },
    });
    let preview = json!({ "user": "jane", "document": draft });
    let previewed = tenant
        .api
        .post("/v1/policies/board/preview", tenant.key("admin"), &preview)
        .await
        .expect("an answer");
    expect(&previewed, 200);
    assert_eq!(previewed.body["covered"], true);
    let changes = previewed.body["changes"].as_array().expect("changes");
    let names: Vec<_> = changes.iter().map(|change| text(change, "setting")).collect();
    assert_eq!(names, ["window_steps", "qr_content"]);
    assert_eq!((&changes[0]["now"], &changes[0]["then"]), (&json!(2), &json!(5)));
    let warned: Vec<_> = previewed.body["warnings"].as_array().expect("warnings").iter().collect();
    assert_eq!(warned.len(), 2, "{warned:?}");
    expect_problem(&tenant.get("/v1/policies/board").await, 404, "not-found");
    expect_problem(&tenant.get("/v1/users/nobody/explain").await, 404, "not-found");
}

/// Each function follows within a minute of what it has read itself.
async fn a_change_takes_effect_within_a_minute() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let wide = json!({
        "applies_to": { "users": ["jane"] },
        "settings": { "window_steps": 5, "token_digits": 8 },
    });
    // This function has read now that there is no policy.
    expect_problem(&tenant.verify("jane", &enrolled.app.code_in(120)).await, 422, "invalid-code");
    expect(&put(&tenant, "wide", None, &wide).await, 201);
    let mut accepted = false;
    for _ in 0..5 {
        let answer = tenant.verify("jane", &enrolled.app.code_in(120)).await;
        accepted = answer.status == 200;
        if accepted {
            break;
        }
        expect_problem(&answer, 422, "invalid-code");
        pause(15_000).await;
    }
    assert!(accepted, "after a minute it does not count yet");
    let mut digits = json!(null);
    for _ in 0..5 {
        let token = tenant.post("/v1/users/jane/tokens", &json!({})).await;
        expect(&token, 201);
        digits = token.body["digits"].clone();
        if digits == 8 {
            return;
        }
        pause(15_000).await;
    }
    panic!("after a minute new tokens have {digits} digits");
}

async fn users_are_restamped_by_a_job() {
    let tenant = Tenant::new().await;
    for number in 0..60 {
        let user = json!({ "user": format!("user-{number:02}"), "groups": ["Staff"] });
        expect(&tenant.post("/v1/users", &user).await, 201);
    }
    let made = put(&tenant, "staff", None, &steps(&json!({ "groups": ["Staff"] }), 2)).await;
    expect(&made, 201);
    let job = &made.body["job"];
    assert_eq!((&job["seen"], &job["changed"]), (&json!(60), &json!(60)), "{job}");
    assert_eq!((&job["state"], &job["round"]), (&json!("running"), &json!(2)));
    let shown = tenant.get(&format!("/v1/jobs/{}", text(job, "job"))).await;
    expect(&shown, 200);
    assert_eq!(tenant.get("/v1/jobs").await.body["jobs"][0]["job"], job["job"]);
    let mut seen = Vec::new();
    let mut path = "/v1/users?limit=40&starts_with=user-".to_owned();
    loop {
        let page = tenant.get(&path).await;
        expect(&page, 200);
        seen.extend(page.body["users"].as_array().expect("users").iter().map(|user| text(user, "user")));
        let Some(next) = page.body["next"].as_str() else { break };
        path = format!("/v1/users?limit=40&starts_with=user-&cursor={next}");
    }
    assert_eq!(seen.len(), 60);
    assert!(seen.is_sorted());
    expect_problem(&tenant.get("/v1/users?starts_with=%25").await, 400, "invalid-request");
}
