//! Tenants' data keys: rotated, and gone with their tenant.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::Browser;
use otpost_local::device::Device;
use otpost_tests::tenant::{Tenant, expect, expect_problem, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("tenants::a_rotated_key_changes_nothing_for_users", a_rotated_key_changes_nothing_for_users),
        shared("tenants::a_deleted_tenant_is_gone", a_deleted_tenant_is_gone),
        shared("tenants::every_row_of_a_deleted_tenant_goes", every_row_of_a_deleted_tenant_goes),
    ]
}

async fn a_rotated_key_changes_nothing_for_users() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let path = format!("/v1/tenants/{}/rotate", tenant.id);
    let rotated = tenant.api.post(&path, &platform, &json!({})).await.expect("an answer");
    expect(&rotated, 200);
    assert_eq!(rotated.body["data_key_version"], 2);
    expect(&tenant.verify("jane", &enrolled.app.next_code()).await, 200);
    let joe = tenant.enrolled("joe").await;
    expect(&tenant.verify("joe", &joe.app.next_code()).await, 200);
    let nobody =
        tenant.api.post("/v1/tenants/nobody/rotate", &platform, &json!({})).await.expect("an answer");
    expect_problem(&nobody, 404, "not-found");
}

async fn a_deleted_tenant_is_gone() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let (serial, joes) = tenant.invited("joe").await;
    let device = Device::new(7).expect("a key");
    let phone = json!({ "os": "ios", "type": "phone", "push": { "capable": true, "permitted": true } });
    let activations = format!("/v1/activations/{}", joes.rsplit_once('/').expect("a path").1);
    let start = json!({ "device": phone });
    let session = device.send(&tenant.api, Method::POST, &activations, &start).await.expect("an answer");
    let app = Authenticator::scan(&text(&session.body, "otpauth_uri")).expect("an otpauth link");
    let first = json!({ "code": app.code() });
    expect(&device.send(&tenant.api, Method::POST, &activations, &first).await.expect("an answer"), 200);
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let path = format!("/v1/tenants/{}", tenant.id);
    let gone = tenant.api.send(Method::DELETE, &path, &platform, None).await.expect("an answer");
    expect(&gone, 204);
    let again = tenant.api.send(Method::DELETE, &path, &platform, None).await.expect("an answer");
    expect_problem(&again, 409, "not-allowed-now");
    let kept = tenant.api.get(&path, &platform).await.expect("an answer");
    assert!(kept.body["deleted_at"].is_string(), "{}", kept.body);
    let mut browser = Browser::at(&link);
    assert_eq!(browser.open().await.expect("the page"), 404);
    let told = json!({ "tenant": tenant.id, "device": phone });
    let devices = format!("/v1/tokens/{serial}/device");
    let late = device.send(&tenant.api, Method::PATCH, &devices, &told).await.expect("an answer");
    expect_problem(&late, 401, "invalid-signature");
    // A key that no function has seen yet opens nothing.
    let body = json!({ "user": "jane", "code": "123456" });
    let refused = tenant.api.post("/v1/verify", tenant.key("app"), &body).await.expect("an answer");
    expect_problem(&refused, 401, "unauthorized");
    let core = tenant.world.output("CoreTable").expect("a table");
    let key = json!({ "PK": { "S": format!("T#{}", tenant.id) }, "SK": { "S": "META" } });
    let get = json!({ "TableName": core, "Key": key });
    let row =
        tenant.world.aws().call("dynamodb", "DynamoDB_20120810.GetItem", &get).await.expect("an answer");
    assert_eq!(row["Item"].get("data_keys"), None, "its keys are gone: {row}");
}

/// Every row of both tables in which a tenant's id stands as a word, be it in an address.
async fn rows_of(tenant: &Tenant) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["CoreTable", "FlowTable"] {
        let mut scan = json!({ "TableName": tenant.world.output(table).expect("a table") });
        loop {
            let aws = tenant.world.aws();
            let page = aws.call("dynamodb", "DynamoDB_20120810.Scan", &scan).await.expect("an answer");
            let found = page["Items"].as_array().expect("a list").iter().map(Value::to_string);
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
            rows.extend(found.filter(|row| row.split(|c| !is_word(c)).any(|word| word == tenant.id)));
            let Some(last) = page.get("LastEvaluatedKey").filter(|last| !last.is_null()) else { break };
            scan["ExclusiveStartKey"] = last.clone();
        }
    }
    rows.sort();
    rows
}

/// Users, tokens, a push, a policy, decoys, kept answers: after the first round none of them is left, and the second is
/// scheduled. That the second finds what came late is shown on a clock that can be moved.
async fn every_row_of_a_deleted_tenant_goes() {
    let (tenant, neighbour) = (Tenant::new().await, Tenant::new().await);
    let enrolled = tenant.enrolled("jane").await;
    expect(&tenant.verify("jane", &enrolled.app.next_code()).await, 200);
    expect_problem(&tenant.verify("nobody", "123456").await, 422, "invalid-code");
    tenant.invited("joe").await;
    let steps = json!({ "applies_to": { "users": ["jane"] }, "settings": { "window_steps": 2 } });
    let bearer = format!("Bearer {}", tenant.key("admin"));
    let headers = [("authorization", bearer.as_str())];
    let put = tenant.api.send_with(Method::PUT, "/v1/policies/windows", &headers, Some(&steps));
    expect(&put.await.expect("an answer"), 201);
    let once = [("idempotency-key", "the-same")];
    let made = json!({ "user": "joan" });
    expect(&tenant.send_with(Method::POST, "/v1/users", &once, Some(&made)).await, 201);
    neighbour.provisioned("jane").await;
    let (own, others) = (rows_of(&tenant).await, rows_of(&neighbour).await);
    assert!(own.len() > 25, "{}", own.len());

    let platform = tenant.world.platform_key().await.expect("the platform key");
    let path = format!("/v1/tenants/{}", tenant.id);
    expect(&tenant.api.send(Method::DELETE, &path, &platform, None).await.expect("an answer"), 204);
    let mut left = Vec::new();
    for _ in 0..300 {
        left = rows_of(&tenant).await;
        if left.len() == 3 {
            break;
        }
        pause(100).await;
    }
    assert_eq!(left.len(), 3, "the tombstone, an audit entry and the job: {left:#?}");
    for kind in ["\"TENANTS\"", "\"PLATFORM#AUD#", "\"erase_tenant\""] {
        assert_eq!(left.iter().filter(|row| row.contains(kind)).count(), 1, "{kind}: {left:#?}");
    }
    for row in left {
        assert!(!row.contains("Söhne") && !row.contains("jane"), "{row}");
    }
    assert_eq!(rows_of(&neighbour).await, others);

    let shown = tenant.api.get(&path, &platform).await.expect("an answer");
    expect(&shown, 200);
    let erasure = &shown.body["erasure"];
    assert_eq!((&erasure["state"], &erasure["round"]), (&json!("running"), &json!(2)), "{erasure}");
    assert!(erasure["rows_deleted"].as_u64() > Some(25), "{erasure}");
    assert!(shown.body.get("name").is_none(), "{}", shown.body);
    let same = json!({ "tenant": tenant.id, "name": "Again" });
    let taken = tenant.api.post("/v1/tenants", &platform, &same).await.expect("an answer");
    expect_problem(&taken, 409, "already-exists");
    assert!(text(&taken.body, "detail").contains("free 30 days after"), "{}", taken.body);
}
