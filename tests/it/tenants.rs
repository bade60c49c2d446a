//! Tenants' data keys: rotated, and gone with their tenant.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::demo::Browser;
use otpost_local::device::Device;
use otpost_tests::tenant::{Tenant, expect, expect_problem, text};
use reqwest::Method;
use serde_json::json;

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("tenants::a_rotated_key_changes_nothing_for_users", a_rotated_key_changes_nothing_for_users),
        shared("tenants::a_deleted_tenant_is_gone", a_deleted_tenant_is_gone),
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
