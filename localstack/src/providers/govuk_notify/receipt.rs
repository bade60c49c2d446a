//! What Notify tells of a text that it took.

use std::time::Duration;

use otpost_domain::time::Timestamp;
use serde_json::{Value, json};

use super::CallBack;
use super::store::{Row, Store};
use crate::host;
use crate::phone::{Phone, Text};
use crate::providers::receipts::{Fate, Pace, Teller, is_local};

/// Notify waits no longer for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a receipt is sent again that was not taken.
const AGAIN: usize = 5;
/// What becomes of a text that arrives.
const DELIVERED: &str = "delivered";

/// What is to become of a text.
#[derive(Debug)]
pub(super) struct Plan {
    /// What who looks at once sees.
    pub(super) status: &'static str,
    /// What is told, one after the other.
    pub(super) tells: &'static [&'static str],
    /// Whether the text arrives at once.
    pub(super) arrives: bool,
    /// Whether it arrives, and is told of, late.
    pub(super) late: bool,
}

impl Plan {
    /// Of a text with this fate.
    pub(super) fn of(fate: Fate) -> Self {
        let (status, tells): (_, &[_]) = match fate {
            Fate::Delivered => (DELIVERED, &[DELIVERED]),
            Fate::Late => ("sending", &[DELIVERED]),
            Fate::Undelivered => ("permanent-failure", &["permanent-failure"]),
            Fate::Silent => ("sending", &[]),
            Fate::Twice => (DELIVERED, &[DELIVERED, DELIVERED]),
            Fate::OutOfOrder => (DELIVERED, &[DELIVERED, "temporary-failure"]),
        };
        Self { status, tells, arrives: fate.arrives(), late: fate == Fate::Late }
    }

    /// Of one that a test key has sent.
    pub(super) fn rehearsed(status: &'static str) -> Self {
        let tells: &[_] = match status {
            "permanent-failure" => &["permanent-failure"],
            "temporary-failure" => &["temporary-failure"],
            _ => &[DELIVERED],
        };
        Self { status, tells, arrives: false, late: false }
    }
}

/// What there is to tell of a text, and to whom.
pub(super) struct News {
    pub(super) row: Row,
    /// The text, if it is to arrive late.
    pub(super) late: Option<Text>,
    pub(super) call_back: Option<CallBack>,
    pub(super) store: Store,
    pub(super) phone: Phone,
}

impl News {
    /// Tells all of it, one after the other.
    pub(super) async fn follow(self, teller: Teller, pace: Pace, tells: &'static [&'static str]) {
        let Self { row, late, call_back, store, phone } = self;
        host::pause(pace.step).await;
        if let Some(text) = late {
            host::pause(pace.late).await;
            phone.receive(Text { at: host::unix_time(), ..text });
            store.change(&row.id, DELIVERED);
        }
        let Some(call_back) = call_back.filter(|call_back| is_local(&call_back.url)) else { return };
        for status in tells {
            deliver(&teller, pace, &call_back, &row, status).await;
            host::pause(pace.step).await;
        }
    }
}

/// Sends one receipt, and again for as long as Notify would.
async fn deliver(teller: &Teller, pace: Pace, call_back: &CallBack, row: &Row, status: &str) {
    let receipt = receipt(row, status, host::unix_time());
    for tries in 0..=AGAIN {
        if tries > 0 {
            host::pause(pace.again).await;
        }
        let request = teller.client.post(&call_back.url).bearer_auth(&call_back.token);
        match teller.tell(&row.id, status, request.json(&receipt).timeout(PATIENCE)).await {
            None | Some(429 | 500..) => {}
            Some(_) => return,
        }
    }
}

fn receipt(row: &Row, status: &str, now: u64) -> Value {
    let at = |seconds| Timestamp::from_seconds(seconds).rfc3339().replace('Z', ".000000Z");
    json!({
        "id": row.id,
        "reference": row.reference,
        "to": row.number,
        "status": status,
        "created_at": at(row.at),
        "completed_at": at(now),
        "sent_at": at(row.at),
        "notification_type": "sms",
        "template_id": row.template,
        "template_version": 1,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::super::tests::{claims_of, token};
    use super::super::{GovukNotify, LIVE_KEY, SERVICE, TEST_KEY, key_of, register};
    use super::*;
    use crate::ports;
    use crate::providers::receipts::tests::{Ear, QUICK};
    use crate::providers::receipts::{Told, decide};
    use crate::proxy::client;

    const TOKEN: &str = "a-token-that-we-chose";
    const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";
    const OTHER: &str = "11111111-2222-4333-8444-555566667777";

    struct Scene {
        notify: GovukNotify,
        phone: Phone,
        ear: Ear,
    }

    impl Scene {
        async fn answering(statuses: &[u16]) -> Self {
            let (phone, ear) = (Phone::default(), Ear::answering(statuses));
            let notify = GovukNotify::paced(ports::listen(None).unwrap(), phone.clone(), QUICK).unwrap();
            let call_back = CallBack { url: ear.url.clone(), token: TOKEN.to_owned() };
            notify.call_back(SERVICE, call_back.clone());
            register(&notify.url, OTHER, &CallBack { token: "another".to_owned(), ..call_back })
                .await
                .unwrap();
            Self { notify, phone, ear }
        }

        /// Sends a text; gives its id.
        async fn send(&self, key: &str, service: &str, to: &str) -> String {
            let body = json!({
                "phone_number": to, "template_id": TEMPLATE, "reference": "acme/msg_1/2",
                "personalisation": { "message": "Your code is 314159" },
            });
            let request = client().post(format!("{}/v2/notifications/sms", self.notify.url)).json(&body);
            let request = request.header("authorization", token(key, &claims_of(service)));
            let sent: Value = request.send().await.unwrap().json().await.unwrap();
            sent["id"].as_str().unwrap().to_owned()
        }
    }

    fn told((headers, body): &(HeaderMap, String)) -> (String, Value) {
        (headers["authorization"].to_str().unwrap().to_owned(), serde_json::from_str(body).unwrap())
    }

    fn statuses(heard: &[(HeaderMap, String)]) -> Vec<String> {
        heard.iter().map(|one| told(one).1["status"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_receipt_has_notifys_form_and_the_services_token() {
        let scene = Scene::answering(&[204]).await;
        let id = scene.send(LIVE_KEY, SERVICE, "07700 900123").await;
        let (authorization, body) = told(&scene.ear.heard(1).await[0]);
        assert_eq!(authorization, format!("Bearer {TOKEN}"));
        let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "completed_at",
                "created_at",
                "id",
                "notification_type",
                "reference",
                "sent_at",
                "status",
                "template_id",
                "template_version",
                "to"
            ]
        );
        assert_eq!((&body["id"], &body["reference"]), (&json!(id), &json!("acme/msg_1/2")));
        assert_eq!((&body["to"], &body["status"]), (&json!("07700 900123"), &json!(DELIVERED)));
        assert!(body["created_at"].as_str().unwrap().ends_with(".000000Z"));
        assert_eq!(scene.ear.in_the_end().await, 1);
        let expected = Told { id, status: DELIVERED.to_owned(), answered: Some(204) };
        assert_eq!(scene.notify.told(), [expected]);
        assert_eq!(scene.phone.texts().len(), 1);
    }

    #[tokio::test]
    async fn another_service_has_its_own_key_and_token() {
        let scene = Scene::answering(&[204]).await;
        scene.send(&key_of(OTHER), OTHER, "07700900123").await;
        assert_eq!(told(&scene.ear.heard(1).await[0]).0, "Bearer another");
    }

    #[tokio::test]
    async fn what_is_not_taken_is_told_again_five_times() {
        for (answers, expected) in [(&[503, 429, 204][..], 3), (&[500], 6), (&[404], 1), (&[403], 1)] {
            let scene = Scene::answering(answers).await;
            scene.send(LIVE_KEY, SERVICE, "07700900123").await;
            scene.ear.heard(expected).await;
            assert_eq!(scene.ear.in_the_end().await, expected, "{answers:?}");
        }
        let scene = Scene::answering(&[204]).await;
        let nobody = format!("{}/x", ports::url(ports::pick(None).unwrap()));
        scene.notify.call_back(SERVICE, CallBack { url: nobody, token: TOKEN.to_owned() });
        scene.send(LIVE_KEY, SERVICE, "07700900123").await;
        host::pause(QUICK.again * 15).await;
        let answers: Vec<_> = scene.notify.told().iter().map(|told| told.answered).collect();
        assert_eq!(answers, [None; 6]);
    }

    #[tokio::test]
    async fn fates_are_told() {
        for (fate, expected, arrives) in [
            (Fate::Undelivered, &["permanent-failure"][..], false),
            (Fate::Silent, &[], false),
            (Fate::Twice, &[DELIVERED, DELIVERED], true),
            (Fate::OutOfOrder, &[DELIVERED, "temporary-failure"], true),
        ] {
            let scene = Scene::answering(&[204]).await;
            decide(&scene.notify.url, Some(fate), Some(SERVICE)).await.unwrap();
            scene.send(LIVE_KEY, SERVICE, "07700900123").await;
            let heard = scene.ear.heard(expected.len()).await;
            assert_eq!(
                (statuses(&heard), scene.ear.in_the_end().await),
                (expected.iter().map(|status| (*status).to_owned()).collect(), expected.len())
            );
            assert_eq!(scene.phone.texts().len(), usize::from(arrives), "{fate:?}");
        }
    }

    #[tokio::test]
    async fn what_is_late_is_on_its_way_until_then() {
        let scene = Scene::answering(&[204]).await;
        decide(&scene.notify.url, Some(Fate::Late), None).await.unwrap();
        let watch = host::Watch::start();
        let id = scene.send(LIVE_KEY, SERVICE, "07700900123").await;
        let status = async || -> Value {
            let request = client().get(format!("{}/v2/notifications/{id}", scene.notify.url));
            let request = request.header("authorization", token(LIVE_KEY, &claims_of(SERVICE)));
            request.send().await.unwrap().json::<Value>().await.unwrap()["status"].clone()
        };
        assert_eq!((status().await, scene.phone.texts().len()), (json!("sending"), 0));
        scene.ear.heard(1).await;
        assert!(watch.elapsed() >= QUICK.late);
        assert_eq!((status().await, scene.phone.texts().len()), (json!(DELIVERED), 1));
    }

    #[tokio::test]
    async fn test_keys_are_told_of_too_and_smoke_is_not() {
        let scene = Scene::answering(&[204]).await;
        scene.send(TEST_KEY, SERVICE, "07700900002").await;
        scene.ear.heard(1).await;
        scene.send(TEST_KEY, SERVICE, "07700900003").await;
        assert_eq!(statuses(&scene.ear.heard(2).await), ["permanent-failure", "temporary-failure"]);
        scene.send(LIVE_KEY, SERVICE, "07700900000").await;
        assert_eq!(scene.ear.in_the_end().await, 2);
        assert_eq!(scene.phone.texts(), []);
    }

    #[tokio::test]
    async fn only_services_are_made_known() {
        let scene = Scene::answering(&[204]).await;
        for (path, body) in [
            ("/local/services/jane", json!({ "url": "http://127.0.0.1/", "token": "t" })),
            ("/local/services/11111111-2222-4333-8444-555566667777", json!({ "url": "http://127.0.0.1/" })),
            ("/local/other", json!({})),
        ] {
            let asked = client().put(format!("{}{path}", scene.notify.url)).json(&body).send().await.unwrap();
            assert!(asked.status().is_client_error(), "{path}");
        }
    }
}
