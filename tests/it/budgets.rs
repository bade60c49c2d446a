//! The fixed budgets, counted on the wire of the deployed system.

use std::collections::BTreeMap;

use libtest_mimic::Trial;
use otpost_tests::tenant::{Tenant, expect, expect_problem};
use serde_json::{Value, json};

use crate::alone;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        alone("budgets::a_verification_is_two_requests", a_verification_is_two_requests),
        alone(
            "budgets::no_answer_costs_another_number_of_requests",
            no_answer_costs_another_number_of_requests,
        ),
        alone(
            "budgets::a_cold_verification_costs_the_same_for_everybody",
            a_cold_verification_costs_the_same_for_everybody,
        ),
        alone("budgets::a_senders_hop_is_two_requests", a_senders_hop_is_two_requests),
        alone("budgets::a_code_is_accepted_once_of_twenty", a_code_is_accepted_once_of_twenty),
        alone("budgets::nothing_secret_is_logged", nothing_secret_is_logged),
    ]
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// One `Query`, one `UpdateItem`, nothing of KMS: for a right code, a wrong one and an unknown user.
async fn a_verification_is_two_requests() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let wrong = if enrolled.app.next_code() == "000000" { "000001" } else { "000000" };
    // Warm: the key and the tenant's data key are in the function's memory from here on.
    expect_problem(&tenant.verify("jane", wrong).await, 422, "invalid-code");
    let budget = counts(&[("DynamoDB_20120810.Query", 1), ("DynamoDB_20120810.UpdateItem", 1)]);
    for (user, code, status) in [
        ("jane", wrong, 422),
        ("nobody", wrong, 422),
        ("jane", &enrolled.app.next_code(), 200),
        ("joe", wrong, 422),
    ] {
        tenant.world.reset_wire_counts();
        expect(&tenant.verify(user, code).await, status);
        assert_eq!(tenant.world.wire_counts_of("verify"), budget, "{user}, {status}");
    }
}

/// By serial it is one more, for a token and for nobody's serial; a user without a token and a replay cost what a right
/// code costs.
async fn no_answer_costs_another_number_of_requests() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    expect(&tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
    let check =
        async |body: &Value| tenant.api.post("/v1/verify", tenant.key("app"), body).await.expect("an answer");
    let code = enrolled.app.next_code();
    expect(&check(&json!({ "user": "jane", "code": code })).await, 200);
    let two = counts(&[("DynamoDB_20120810.Query", 1), ("DynamoDB_20120810.UpdateItem", 1)]);
    let mut three = two.clone();
    three.insert("DynamoDB_20120810.GetItem".to_owned(), 1);
    for (body, budget) in [
        (json!({ "user": "jane", "code": code }), &two),
        (json!({ "user": "bare", "code": code }), &two),
        (
            json!({ "user": "jane", "code": "000000", "source": "never issued", "remember_source": true }),
            &two,
        ),
        (json!({ "serial": enrolled.serial, "code": code }), &three),
        (json!({ "serial": "OTP000000000000", "code": code }), &three),
    ] {
        tenant.world.reset_wire_counts();
        expect_problem(&check(&body).await, 422, "invalid-code");
        assert_eq!(&tenant.world.wire_counts_of("verify"), budget, "{body}");
    }
}

/// With everything in memory gone: the API key, its tenant, the tenant's data key and KMS, for whoever it is.
async fn a_cold_verification_costs_the_same_for_everybody() {
    let mut seen = Vec::new();
    for user in ["jane", "nobody", "bare"] {
        let tenant = Tenant::new().await;
        tenant.enrolled("jane").await;
        expect(&tenant.post("/v1/users", &json!({ "user": "bare" })).await, 201);
        // This tenant is new to the function.
        tenant.world.reset_wire_counts();
        expect_problem(&tenant.verify(user, "000000").await, 422, "invalid-code");
        seen.push(tenant.world.wire_counts_of("verify"));
    }
    assert!(seen.iter().all(|counts| counts == &seen[0]), "{seen:?}");
    assert_eq!(seen[0].get("TrentService.Decrypt"), Some(&1));
}

/// Claim and outcome, and one call to SES.
async fn a_senders_hop_is_two_requests() {
    let tenant = Tenant::new().await;
    let serial = tenant.provisioned("jane").await;
    tenant.pushed(&serial).await;
    tenant.mails("jane", 1).await;
    otpost_tests::tenant::pause(500).await;
    tenant.world.reset_wire_counts();
    let message = tenant.pushed(&serial).await;
    tenant.mails("jane", 2).await;
    let sent = format!("/v1/messages/{message}");
    while tenant.get(&sent).await.body["status"] != "sent" {
        otpost_tests::tenant::pause(50).await;
    }
    let hop = counts(&[
        ("DynamoDB_20120810.UpdateItem", 1),
        ("DynamoDB_20120810.PutItem", 1),
        ("POST /v2/email/outbound-emails", 1),
    ]);
    assert_eq!(tenant.world.wire_counts_of("send-ses"), hop);
}

async fn a_code_is_accepted_once_of_twenty() {
    let tenant = std::sync::Arc::new(Tenant::new().await);
    let enrolled = tenant.enrolled("jane").await;
    let code = enrolled.app.next_code();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (tenant, code) = (std::sync::Arc::clone(&tenant), code.clone());
        racing.spawn(async move { tenant.verify("jane", &code).await.status.as_u16() });
    }
    let mut answers = racing.join_all().await;
    answers.sort_unstable();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409, 422, 429].contains(status)), "{answers:?}");
}

/// Whatever this tenant's secrets and addresses are, no function's log has them.
async fn nothing_secret_is_logged() {
    let tenant = Tenant::new().await;
    let enrolled = tenant.enrolled("jane").await;
    let code = enrolled.app.next_code();
    expect(&tenant.verify("jane", &code).await, 200);
    let link = tenant.link("jane", 1).await;
    let link = link.rsplit_once('/').expect("a path").1;
    let keys = tenant.keys.values().map(|key| key.split('_').nth(2).expect("a secret"));
    let address = tenant.address("jane");
    let secrets: Vec<&str> = keys.chain([link, address.as_str()]).collect();
    for function in otpost_local::build::FUNCTIONS {
        let lines = tenant.world.function_log(function).await.expect("a log");
        let worked = !["jobs", "send-govuk-notify", "send-smtp", "send-twilio"].contains(function);
        assert!(!worked || !lines.is_empty(), "{function} logs");
        for line in lines {
            for secret in &secrets {
                assert!(!line.text.contains(secret), "{function} logs {secret}: {}", line.text);
            }
            for code in [&enrolled.first_code, &code] {
                let words = line.text.split(|c: char| !c.is_ascii_alphanumeric());
                assert!(words.into_iter().all(|word| word != code), "{function} logs a code: {}", line.text);
            }
        }
    }
}
