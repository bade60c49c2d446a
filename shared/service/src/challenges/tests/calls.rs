//! What each use case asks of the store: the same of somebody and nobody.

use super::*;
use crate::faults::{Faulty, Mishap, Plan};

/// Calls of the store; what is remembered for a while, keys and queues are others'.
fn of_store(plan: &Plan) -> Vec<&'static str> {
    const OTHERS: &[&str] =
        &["configuration", "templates", "template", "look", "gateways", "seal", "open", "derive", "deliver"];
    plan.names().into_iter().filter(|name| !OTHERS.contains(name)).collect()
}

fn counting() -> std::sync::Arc<Plan> {
    Plan::new(usize::MAX, Mishap::FailsBefore)
}

#[tokio::test]
async fn each_use_case_takes_so_many_requests_of_somebody_and_nobody() {
    for name in ["jane", "nobody"] {
        for asker in [app(), marked()] {
            let ports = janes(json!({})).await;
            let order = Order { addressee: Addressee::User(named(name)), ..order() };
            let plan = counting();
            let shown = start(&Faulty::new(&ports, &plan), &asker, &order, Once::not_kept()).await.unwrap();
            assert_eq!(of_store(&plan), ["asked", "new_code"]);
            let plan = counting();
            start(&Faulty::new(&ports, &plan), &asker, &order, Once::not_kept()).await.unwrap();
            let joins: &[_] = if asker.after_first_factor {
                &["asked", "message", "send_code_again"]
            } else {
                &["asked", "send_code_again"]
            };
            assert_eq!(of_store(&plan), joins, "one that is on its way");
            let plan = counting();
            let early = resend(&Faulty::new(&ports, &plan), &asker, &shown.id, None, Once::not_kept()).await;
            assert!(early.is_err());
            let looks: &[_] = if asker.after_first_factor { &["asked", "message"] } else { &["asked"] };
            assert_eq!(of_store(&plan), looks);
            pass(&ports, COOL_DOWN);
            let plan = counting();
            resend(&Faulty::new(&ports, &plan), &asker, &shown.id, None, Once::not_kept()).await.unwrap();
            assert_eq!(of_store(&plan), ["asked", "send_code_again"]);
            for (code, remember) in [("000000", false), ("000001", true)] {
                let plan = counting();
                let answer = Answer { remember, ..typed(code) };
                check(&Faulty::new(&ports, &plan), &asker, &shown.id, &answer).await.unwrap_err();
                assert_eq!(of_store(&plan), ["guess"]);
            }
            let plan = counting();
            let right = typed(&code_of(&ports, &shown.id, None).await);
            let answer = check(&Faulty::new(&ports, &plan), &asker, &shown.id, &right).await;
            assert_eq!(answer.is_ok(), name == "jane");
            assert_eq!(of_store(&plan), ["guess"]);
        }
    }
}

/// The calls of all ports in order, too: how long an answer takes tells nothing.
#[tokio::test]
async fn nothing_is_asked_for_somebody_that_is_not_asked_for_nobody() {
    for asker in [app(), marked()] {
        let mut all = Vec::new();
        for name in ["jane", "nobody", "off", "bare"] {
            let ports = janes(texts()).await;
            user(&ports, "off", Some("off@example.org"), Some("+447700900124")).await;
            let off = Change { active: Some(false), ..Change::default() };
            crate::users::change_user(&ports, &asker.caller, &named("off"), off, None).await.unwrap();
            user(&ports, "bare", None, None).await;
            let order = Order { addressee: Addressee::User(named(name)), ..order() };
            let plan = counting();
            let faulty = Faulty::new(&ports, &plan);
            let shown = start(&faulty, &asker, &order, Once::not_kept()).await.unwrap();
            start(&faulty, &asker, &order, Once::not_kept()).await.unwrap();
            pass(&ports, COOL_DOWN);
            resend(&faulty, &asker, &shown.id, None, Once::not_kept()).await.unwrap();
            check(&faulty, &asker, &shown.id, &typed("000000")).await.unwrap_err();
            tell(&faulty, &asker, &shown.id).await.unwrap();
            // Its message has not left yet, where there is one.
            cancel(&faulty, &asker, &shown.id).await.unwrap();
            cancel(&faulty, &asker, &shown.id).await.unwrap();
            all.push(plan.names());
        }
        for other in &all {
            assert_eq!(other, &all[0]);
        }
    }
}
