//! The sample events. Their message goes by no gateway, and only Amazon SES has an account of the deployment's own: nothing is
//! asked here.

use otpost_domain::gateway::Kind;
use otpost_domain::message::Sender;
use otpost_service::memory::ScriptedProvider;
use otpost_service::sample::{events, hand_to, sample_world};
use serde_json::{Value, json};

#[tokio::test]
async fn every_sample_event_is_answered_as_expected() {
    for (file, text) in events("send-smtp", &["batch.json"]) {
        let ports = sample_world().await;
        hand_to(&ports, Sender::Smtp).await;
        let provider = ScriptedProvider::of(Kind::Smtp);
        let sent: Value = serde_json::from_str(&text).unwrap();
        for _ in 0..2 {
            let answer = otpost_edge::sender::handle(&ports, &provider, sent.clone()).await.unwrap();
            assert_eq!(answer, json!({ "batchItemFailures": [] }), "{file}");
        }
        assert_eq!(provider.take().len(), 0, "a second delivery asks nothing");
    }
}
