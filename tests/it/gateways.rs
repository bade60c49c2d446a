//! Gateways over the deployed API: kept without ever showing a credential, shared with whom the platform names.

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, expect_problem, header, pause};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("gateways::credentials_are_never_shown", credentials_are_never_shown),
        shared(
            "gateways::a_gateway_that_leads_elsewhere_has_no_credentials",
            a_gateway_that_leads_elsewhere_has_no_credentials,
        ),
        shared("gateways::two_admins_who_save_at_once", two_admins_who_save_at_once),
        shared("gateways::another_tenants_keys_find_nothing", another_tenants_keys_find_nothing),
        shared("gateways::the_platform_lends_to_whom_it_names", the_platform_lends_to_whom_it_names),
        shared("gateways::routes_that_lead_nowhere_are_explained", routes_that_lead_nowhere_are_explained),
        shared("gateways::a_deleted_tenant_leaves_no_credentials", a_deleted_tenant_leaves_no_credentials),
    ]
}

/// A password that no other test has.
fn password(tenant: &Tenant, what: &str) -> String {
    let password = format!("not-to-be-seen-{what}-of-{}", tenant.id);
    remember(&password);
    password
}

fn mail(host: &str, password: Option<&str>) -> Value {
    let from = json!({ "name": "Sign-in", "address": "no-reply@example.org" });
    let settings = json!({ "host": host, "port": 587, "authentication": "plain", "from": from });
    let credentials = password.map(|password| json!({ "user": "otpost", "password": password }));
    json!({ "name": "Our mail server", "kind": "smtp", "settings": settings, "credentials": credentials })
}

fn texts(pin: &str) -> Value {
    let settings = json!({ "via": "mail", "address": "{number}@sms.example.org", "subject": "{pin}" });
    json!({ "name": "Texts", "kind": "email_to_sms", "settings": settings, "credentials": { "pin": pin } })
}

async fn send(
    tenant: &Tenant,
    key: &str,
    method: Method,
    path: &str,
    etag: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(etag.map(|etag| ("if-match", etag)));
    tenant.api.send_with(method, path, &headers, body).await.expect("an answer")
}

async fn put(tenant: &Tenant, gateway: &str, etag: Option<&str>, body: &Value) -> Answer {
    let path = format!("/v1/gateways/{gateway}");
    send(tenant, tenant.key("admin"), Method::PUT, &path, etag, Some(body)).await
}

/// The credentials of an owner that lie in Secrets Manager: name of each, and its text.
async fn secrets(tenant: &Tenant, owner: &str) -> Vec<(String, Value)> {
    let aws = tenant.world.aws();
    let mut found = Vec::new();
    let mut next = Value::Null;
    loop {
        let mut asked = json!({ "MaxResults": 100 });
        if !next.is_null() {
            asked["NextToken"] = next;
        }
        let page = aws.call("secretsmanager", "secretsmanager.ListSecrets", &asked).await.expect("a list");
        for secret in page["SecretList"].as_array().expect("secrets") {
            let name = secret["Name"].as_str().expect("a name");
            let deleted = secret.get("DeletedDate").is_some_and(|date| !date.is_null());
            if name.contains(&format!("/gateways/{owner}/")) && !deleted {
                let asked = json!({ "SecretId": name });
                let value = aws
                    .call("secretsmanager", "secretsmanager.GetSecretValue", &asked)
                    .await
                    .expect("a secret");
                let text = value["SecretString"].as_str().expect("a text");
                found.push((name.to_owned(), serde_json::from_str(text).expect("JSON")));
            }
        }
        next = page["NextToken"].clone();
        if next.is_null() {
            return found;
        }
    }
}

async fn credentials_are_never_shown() {
    let tenant = Tenant::new().await;
    let (first, second) = (password(&tenant, "first"), password(&tenant, "second"));
    let unseen = |answer: &Answer| {
        let told = answer.body.to_string();
        assert!(!told.contains("not-to-be-seen"), "{told}");
    };
    let host = "mail.example.org";
    let made = put(&tenant, "mail", None, &mail(host, Some(&first))).await;
    expect(&made, 201);
    let etag = header(&made, "etag").to_owned();
    assert_eq!((&made.body["credentials_were"], &made.body["ready"]), (&json!("given"), &json!(true)));
    assert_eq!(made.body["credentials"]["parts"], json!(["user", "password"]));
    let stored = secrets(&tenant, &tenant.id).await;
    assert_eq!(stored.len(), 1, "{:?}", stored.iter().map(|(name, _)| name).collect::<Vec<_>>());
    assert!(stored[0].0.starts_with("otpost/") && stored[0].0.contains("/mail/"), "{}", stored[0].0);
    assert_eq!(stored[0].1, json!({ "user": "otpost", "password": first }));

    let replaced = put(&tenant, "mail", Some(&etag), &mail(host, Some(&second))).await;
    expect(&replaced, 200);
    assert_eq!(replaced.body["credentials_were"], "replaced");
    let stored = secrets(&tenant, &tenant.id).await;
    assert_eq!((stored.len(), &stored[0].1["password"]), (1, &json!(second)), "the former is gone");
    let wrong = put(&tenant, "other", None, &mail("not a host", Some(&first))).await;
    expect_problem(&wrong, 400, "invalid-request");
    let mut wrong_part = mail(host, Some(&first));
    wrong_part["credentials"]["token"] = json!(second);
    let wrong_part = put(&tenant, "other", None, &wrong_part).await;
    expect_problem(&wrong_part, 400, "invalid-request");
    let listed = tenant.get("/v1/gateways").await;
    let shown = tenant.get("/v1/gateways/mail").await;
    let path = "/v1/gateways/mail/validate";
    let looked_over =
        send(&tenant, tenant.key("admin"), Method::POST, path, None, Some(&mail(host, Some(&first)))).await;
    expect(&looked_over, 200);
    assert_eq!(looked_over.body["credentials"], "replaced");
    for answer in [&made, &replaced, &wrong, &wrong_part, &listed, &shown, &looked_over] {
        unseen(answer);
    }
    assert_eq!(secrets(&tenant, &tenant.id).await.len(), 1, "looking stores nothing");
    expect(&send(&tenant, tenant.key("admin"), Method::DELETE, "/v1/gateways/mail", None, None).await, 204);
    assert!(secrets(&tenant, &tenant.id).await.is_empty());
    expect_problem(&tenant.get("/v1/gateways/mail").await, 404, "not-found");
}

async fn a_gateway_that_leads_elsewhere_has_no_credentials() {
    let tenant = Tenant::new().await;
    let (secret, pin) = (password(&tenant, "moved"), password(&tenant, "pin"));
    expect(&put(&tenant, "mail", None, &mail("mail.example.org", Some(&secret))).await, 201);
    expect(&put(&tenant, "texts", None, &texts(&pin)).await, 201);
    assert_eq!(secrets(&tenant, &tenant.id).await.len(), 2);
    let thiefs = mail("mail.example.net", None);
    let path = "/v1/gateways/mail/validate";
    let told = send(&tenant, tenant.key("admin"), Method::POST, path, None, Some(&thiefs)).await;
    assert_eq!((&told.body["credentials"], &told.body["voided_pins"]), (&json!("voided"), &json!(["texts"])));
    let moved = put(&tenant, "mail", Some("*"), &thiefs).await;
    expect(&moved, 200);
    assert_eq!(
        (&moved.body["credentials_were"], &moved.body["voided_pins"]),
        (&json!("voided"), &json!(["texts"]))
    );
    assert!(secrets(&tenant, &tenant.id).await.is_empty());
    let texts = tenant.get("/v1/gateways/texts").await;
    assert_eq!((&texts.body["credentials"]["set"], &texts.body["ready"]), (&json!(false), &json!(false)));
}

async fn two_admins_who_save_at_once() {
    let tenant = Tenant::new().await;
    let passwords = ["zero", "one", "two"].map(|what| password(&tenant, what));
    let bodies = passwords.each_ref().map(|password| mail("mail.example.org", Some(password)));
    let made = put(&tenant, "mail", None, &bodies[0]).await;
    expect(&made, 201);
    expect_problem(&put(&tenant, "mail", None, &bodies[1]).await, 428, "precondition-required");
    let etag = header(&made, "etag").to_owned();
    let (a, b) = tokio::join!(
        put(&tenant, "mail", Some(&etag), &bodies[1]),
        put(&tenant, "mail", Some(&etag), &bodies[2])
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412], "{} {}", a.body, b.body);
    let won = if a.status == 200 { &passwords[1] } else { &passwords[2] };
    let stored = secrets(&tenant, &tenant.id).await;
    assert_eq!((stored.len(), &stored[0].1["password"]), (1, &json!(won)), "the winner's, and no other");
    let delete = async |etag: &str| {
        send(&tenant, tenant.key("admin"), Method::DELETE, "/v1/gateways/mail", Some(etag), None).await
    };
    expect_problem(&delete(&etag).await, 412, "precondition-failed");
    expect(&delete(header(&tenant.get("/v1/gateways/mail").await, "etag")).await, 204);
}

async fn another_tenants_keys_find_nothing() {
    let (mine, other) = (Tenant::new().await, Tenant::new().await);
    let platform = mine.world.platform_key().await.expect("the platform key");
    expect(&put(&mine, "mail", None, &mail("mail.example.org", Some(&password(&mine, "mine")))).await, 201);
    for key in [other.key("admin"), other.key("operator"), platform.as_str()] {
        let read = send(&other, key, Method::GET, "/v1/gateways/mail", None, None).await;
        expect_problem(&read, 404, "not-found");
        let listed = send(&other, key, Method::GET, "/v1/gateways?limit=100", None, None).await;
        expect(&listed, 200);
        assert!(!listed.body.to_string().contains("mail.example.org"), "{}", listed.body);
    }
    for key in [other.key("admin"), platform.as_str()] {
        let deleted = send(&other, key, Method::DELETE, "/v1/gateways/mail", None, None).await;
        expect_problem(&deleted, 404, "not-found");
        let changed =
            send(&other, key, Method::PUT, "/v1/gateways/mail", Some("*"), Some(&json!({ "name": 1 }))).await;
        expect_problem(&changed, 400, "invalid-request");
    }
    let changed = put(&other, "mail", Some("*"), &mail("mail.example.org", None)).await;
    expect_problem(&changed, 412, "precondition-failed");
    expect(&mine.get("/v1/gateways/mail").await, 200);
    let read_only = send(&mine, mine.key("operator"), Method::DELETE, "/v1/gateways/mail", None, None).await;
    expect_problem(&read_only, 403, "forbidden");
}

async fn the_platform_lends_to_whom_it_names() {
    let (named, other) = (Tenant::new().await, Tenant::new().await);
    let platform = named.world.platform_key().await.expect("the platform key");
    let id = format!("ses-{}", named.id);
    let path = format!("/v1/gateways/{id}");
    let settings = json!({ "from": { "address": "otp@example.org" }, "configuration_set": "unseen" });
    let document =
        json!({ "name": "Ours", "kind": "ses", "tenants": { "named": [named.id] }, "settings": settings });
    expect(&send(&named, &platform, Method::PUT, &path, None, Some(&document)).await, 201);
    let shown = send(&named, &platform, Method::GET, &path, None, None).await;
    assert_eq!(shown.body["tenants"], document["tenants"]);
    let lent = named.get(&path).await;
    expect(&lent, 200);
    let told = json!({
        "gateway": id, "owner": "platform", "name": "Ours", "kind": "ses", "enabled": true, "hidden": false,
    });
    assert_eq!(lent.body, told);
    assert_eq!(named.get("/v1/gateways").await.body["gateways"], json!([told]));
    expect_problem(&other.get(&path).await, 404, "not-found");
    assert_eq!(other.get("/v1/gateways").await.body["gateways"], json!([]));
    let taken = put(&named, &id, None, &mail("mail.example.org", None)).await;
    expect_problem(&taken, 409, "already-exists");
    expect(&put(&other, &id, None, &mail("mail.example.org", None)).await, 201);
    let own = put(&named, "ses", None, &document).await;
    expect_problem(&own, 400, "invalid-request");
    expect(&send(&named, &platform, Method::DELETE, &path, None, None).await, 204);
    expect_problem(&named.get(&path).await, 404, "not-found");
}

async fn routes_that_lead_nowhere_are_explained() {
    let tenant = Tenant::new().await;
    expect(&tenant.post("/v1/users", &json!({ "user": "jane" })).await, 201);
    expect(&put(&tenant, "mail", None, &mail("mail.example.org", None)).await, 201);
    let routes = json!([{ "gateway": "mail" }, { "gateway": "nowhere" }]);
    let policy = json!({ "applies_to": { "everyone": true }, "settings": { "email_routes": routes } });
    let path = "/v1/policies/routes";
    expect(&send(&tenant, tenant.key("admin"), Method::PUT, path, None, Some(&policy)).await, 201);
    let explained = tenant.get("/v1/users/jane/explain").await;
    expect(&explained, 200);
    let warnings = explained.body["warnings"].as_array().expect("warnings");
    let told: Vec<_> = warnings.iter().filter(|warning| warning["setting"] == "email_routes").collect();
    // It lacks its credentials, and the other is not there.
    assert_eq!(told.len(), 2, "{told:?}");
    let path = "/v1/gateways/mail/validate";
    let looked_over =
        send(&tenant, tenant.key("admin"), Method::POST, path, None, Some(&mail("mail.example.net", None)))
            .await;
    assert_eq!(
        looked_over.body["policies"],
        json!([{ "policy": "routes", "setting": "email_routes", "fits": true }])
    );
}

async fn a_deleted_tenant_leaves_no_credentials() {
    let tenant = Tenant::new().await;
    let platform = tenant.world.platform_key().await.expect("the platform key");
    let secret = password(&tenant, "left");
    expect(&put(&tenant, "mail", None, &mail("mail.example.org", Some(&secret))).await, 201);
    assert_eq!(secrets(&tenant, &tenant.id).await.len(), 1);
    let path = format!("/v1/tenants/{}", tenant.id);
    expect(&send(&tenant, &platform, Method::DELETE, &path, None, None).await, 204);
    for _ in 0..300 {
        if secrets(&tenant, &tenant.id).await.is_empty() {
            return;
        }
        pause(100).await;
    }
    panic!("they are still there: {}", secrets(&tenant, &tenant.id).await.len());
}
