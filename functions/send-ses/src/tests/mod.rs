mod wire;

use otpost_domain::gateway::Kind;
use otpost_domain::message::Sender;
use otpost_domain::outcome::Outcome;
use otpost_service::memory::ScriptedProvider;
use otpost_service::sample::{events, hand_to, sample_world};
use serde_json::{Value, json};

use crate::outcome::{TABLE, classified};

fn outcome(code: &str, message: &str, status: u16) -> Outcome {
    classified(code, message, status).0.outcome()
}

#[test]
fn every_code_of_the_table_is_found_by_its_own_row() {
    for (code, words, class, why) in TABLE {
        assert_eq!(
            classified(code, &format!("So {words} it is."), 400),
            (class, format!("Amazon SES {code}: {why}"))
        );
    }
}

#[test]
fn the_accounts_trouble_is_never_the_recipients() {
    let unverified =
        "Email address is not verified. The following identities failed the check in region EU-WEST-2";
    assert_eq!(outcome("MessageRejected", unverified, 400), Outcome::ConfigurationBad);
    for code in
        ["AccessDeniedException", "AccountSuspendedException", "SendingPausedException", "NotFoundException"]
    {
        assert_eq!(outcome(code, "", 400), Outcome::ConfigurationBad, "{code}");
    }
    assert_eq!(outcome("TooManyRequestsException", "Daily message quota exceeded.", 429), Outcome::QuotaGone);
}

#[test]
fn codes_that_are_not_known_follow_their_status() {
    let later = Outcome::Retry { after: None };
    for (status, expected) in [
        (429, later.clone()),
        (500, later.clone()),
        (503, later),
        (401, Outcome::ConfigurationBad),
        (403, Outcome::ConfigurationBad),
        (400, Outcome::ContentBad),
    ] {
        assert_eq!(outcome("Unheard", "j@example.org", status), expected);
        assert!(
            !classified("Unheard", "j@example.org", status).1.contains('@'),
            "no words of the provider's"
        );
    }
}

#[tokio::test]
async fn every_sample_event_is_answered_as_expected() {
    for (file, text) in events("send-ses", &["batch.json"]) {
        let ports = sample_world().await;
        hand_to(&ports, Sender::Ses).await;
        let provider = ScriptedProvider::of(Kind::Ses);
        let sent: Value = serde_json::from_str(&text).unwrap();
        for _ in 0..2 {
            let answer = otpost_edge::sender::handle(&ports, &provider, sent.clone()).await.unwrap();
            assert_eq!(answer, json!({ "batchItemFailures": [] }), "{file}");
        }
        assert_eq!(provider.take().len(), 1, "a second delivery asks nothing");
    }
}
