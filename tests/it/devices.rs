//! Enrolment by an app on a device that signs its requests.

use libtest_mimic::Trial;
use otpost_local::authenticator::Authenticator;
use otpost_local::device::Device;
use otpost_local::host::unix_time;
use otpost_tests::tenant::{Tenant, expect, expect_problem, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("devices::an_app_enrols_and_tells_of_its_device", an_app_enrols_and_tells_of_its_device),
        shared("devices::a_signature_must_fit_and_be_new", a_signature_must_fit_and_be_new),
        shared("devices::an_app_needs_the_authorization_code", an_app_needs_the_authorization_code),
    ]
}

fn phone(permitted: bool) -> Value {
    json!({
        "os": "ios", "os_version": "26.1", "type": "phone", "app": "Example Authenticator", "app_version": "4.2",
        "push": { "capable": true, "permitted": permitted },
    })
}

fn activations(link: &str) -> String {
    format!("/v1/activations/{}", link.rsplit_once('/').expect("a path").1)
}

async fn an_app_enrols_and_tells_of_its_device() {
    let tenant = Tenant::new().await;
    let (serial, link) = tenant.invited("jane").await;
    let (api, path) = (&tenant.api, activations(&link));
    let (mine, theirs) = (Device::new(1).expect("a key"), Device::new(2).expect("a key"));
    let start = json!({ "device": phone(true) });
    let session = mine.send(api, Method::POST, &path, &start).await.expect("an answer");
    expect(&session, 201);
    let again = mine.send(api, Method::POST, &path, &start).await.expect("an answer");
    assert_eq!(again.body, session.body, "the same device has the same answer");
    let other = theirs.send(api, Method::POST, &path, &start).await.expect("an answer");
    expect(&other, 201);
    assert_ne!(other.body["secret"], session.body["secret"], "another device has a seed of its own");

    let app = Authenticator::scan(&text(&session.body, "otpauth_uri")).expect("an otpauth link");
    let give = |code: &str| json!({ "code": code });
    let wrong = mine.send(api, Method::POST, &path, &give("12345678")).await.expect("an answer");
    expect_problem(&wrong, 422, "invalid-code");
    let crossed = theirs.send(api, Method::POST, &path, &give(&app.code())).await.expect("an answer");
    expect_problem(&crossed, 422, "invalid-code");
    let active = mine.send(api, Method::POST, &path, &give(&app.code())).await.expect("an answer");
    expect(&active, 200);
    assert_eq!(
        (text(&active.body, "serial"), text(&active.body, "state")),
        (serial.clone(), "active".into())
    );
    let late = mine.send(api, Method::POST, &path, &start).await.expect("an answer");
    expect_problem(&late, 410, "dead-link");
    let repeated = mine.send(api, Method::POST, &path, &give(&app.code())).await.expect("an answer");
    expect(&repeated, 200);
    assert_eq!(text(&repeated.body, "serial"), serial, "whose answer was lost is told again");
    let thief = theirs.send(api, Method::POST, &path, &give(&app.code())).await.expect("an answer");
    expect_problem(&thief, 410, "dead-link");
    expect(&tenant.verify("jane", &app.next_code()).await, 200);

    let declined = json!({ "tenant": tenant.id, "device": phone(false) });
    let path = format!("/v1/tokens/{serial}/device");
    let stranger = theirs.send(api, Method::PATCH, &path, &declined).await.expect("an answer");
    expect_problem(&stranger, 401, "invalid-signature");
    expect(&mine.send(api, Method::PATCH, &path, &declined).await.expect("an answer"), 200);
    let shown = tenant.get(&format!("/v1/tokens/{serial}")).await;
    let device = &shown.body["device"];
    assert_eq!(
        (&device["enrolled"]["push_otp"], &device["now"]["push_otp"]),
        (&json!("enabled"), &json!("disabled"))
    );
    assert_eq!((&device["now"]["os"], &device["now"]["type"]), (&json!("ios"), &json!("phone")));

    // The page knows nothing of the app that scanned its picture.
    let browsers = tenant.enrolled("joe").await;
    let shown = tenant.get(&format!("/v1/tokens/{}", browsers.serial)).await;
    assert_eq!(shown.body["device"]["now"]["push_otp"], "not_applicable");
}

async fn a_signature_must_fit_and_be_new() {
    let tenant = Tenant::new().await;
    let (_, link) = tenant.invited("jane").await;
    let (api, path, device) = (&tenant.api, activations(&link), Device::new(1).expect("a key"));
    let start = json!({ "device": phone(true) });
    let unsigned = api.post(&path, "", &start).await.expect("an answer");
    expect_problem(&unsigned, 401, "invalid-signature");
    let signed = device.sign(&Method::POST, &path, &start, unix_time());
    let other = json!({ "device": phone(false) });
    expect_problem(
        &signed.send(api, Method::POST, &path, &other).await.expect("an answer"),
        401,
        "invalid-signature",
    );
    expect(&signed.send(api, Method::POST, &path, &start).await.expect("an answer"), 201);
    let replayed = signed.send(api, Method::POST, &path, &start).await.expect("an answer");
    expect_problem(&replayed, 401, "invalid-signature");
    assert!(text(&replayed.body, "detail").contains("nonce"), "{}", replayed.body);
    let old = device.sign(&Method::POST, &path, &start, unix_time() - 600);
    expect_problem(
        &old.send(api, Method::POST, &path, &start).await.expect("an answer"),
        401,
        "invalid-signature",
    );
    let nobodys = json!({ "device": { "os": "amiga", "type": "phone", "push": { "capable": true, "permitted": true } } });
    let refused = device.send(api, Method::POST, &path, &nobodys).await.expect("an answer");
    expect_problem(&refused, 400, "invalid-request");
    assert_eq!(refused.body["field"], "os");
}

async fn an_app_needs_the_authorization_code() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    let pushed = tenant.post(&format!("/v1/tokens/{serial}/push"), &json!({ "channel": "email" })).await;
    let path = activations(&tenant.link("jane", 1).await);
    let device = Device::new(1).expect("a key");
    let start = |code: Option<&str>| json!({ "device": phone(true), "authorization_code": code });
    let missing = device.send(&tenant.api, Method::POST, &path, &start(None)).await.expect("an answer");
    expect_problem(&missing, 403, "authorization-required");
    let right = text(&pushed.body, "authorization_code");
    expect(
        &device.send(&tenant.api, Method::POST, &path, &start(Some(&right))).await.expect("an answer"),
        201,
    );
    expect(&device.send(&tenant.api, Method::POST, &path, &start(None)).await.expect("an answer"), 201);
}
