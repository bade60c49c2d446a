//! The function as a whole, in the samples' world.

use std::time::Duration;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use hmac::{Hmac, KeyInit as _, Mac as _};
use lambda_http::Request;
use lambda_http::http::StatusCode;
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{GatewayId, MessageId, TenantId};
use otpost_domain::message::{Message, MessageStatus, Sender, Verdict};
use otpost_domain::suppression::Cause;
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_service::faults::{Faulty, Mishap, Plan};
use otpost_service::memory::{MemoryPorts, Queued};
use otpost_service::ports::{
    GatewayStore as _, MessageRef, MessageStore as _, PageRequest, Ports as _, RecordKind, Sealer as _,
    SuppressionStore as _,
};
use otpost_service::receipts;
use otpost_service::sample::{events, hand, message, sample_world, suppression, texted_by};
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::seldom::Seldom;
use super::{handle, told};

const ACCOUNT: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TOKEN: &str = "sample-auth-token";
const CALLBACK_TOKEN: &str = "sample-callback-token";
const BASE: &str = "https://otp.example.org";

fn tenant() -> TenantId {
    TenantId::try_from("acme").unwrap()
}

async fn stored(ports: &MemoryPorts) -> Message {
    ports.store().message(&MessageRef { tenant: tenant(), id: message() }).await.unwrap().unwrap()
}

/// What has been told of the first hop, and how often its message was written.
async fn news(ports: &MemoryPorts) -> (Option<(Verdict, String)>, u64) {
    let stored = stored(ports).await;
    (stored.hops[0].news.clone().map(|news| (news.verdict, news.why)), stored.version)
}

/// Addresses on the list beside the sample world's own.
async fn barred(ports: &MemoryPorts) -> Vec<(String, Cause)> {
    let page = PageRequest { limit: 10, after: None };
    let all = ports.store().suppressions(&tenant(), &page).await.unwrap().items;
    let new = all.into_iter().filter(|found| found.address != suppression().address);
    new.map(|found| (found.address.expose().to_owned(), found.cause)).collect()
}

async fn twilios() -> MemoryPorts {
    let ports = sample_world().await;
    texted_by(&ports, Sender::Twilio).await;
    ports.queue().take();
    ports
}

async fn notifys() -> MemoryPorts {
    let ports = sample_world().await;
    texted_by(&ports, Sender::GovukNotify).await;
    ports.queue().take();
    ports
}

/// The path of the URL that the sender gives to Twilio.
async fn path(ports: &MemoryPorts, whose: &str) -> String {
    let record = format!("{}/1", message());
    let key =
        ports.sealer().seal(&tenant(), RecordKind::ReceiptKey, &record, whose.as_bytes()).await.unwrap();
    format!("/receipts/twilio/acme/{record}/{}", BASE64URL_NOPAD.encode(&key))
}

/// A call-back on its way.
#[derive(Clone)]
struct Sent {
    path: String,
    query: String,
    media: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Sent {
    fn form(path: &str, status: &str) -> Self {
        let body = format!(
            "ErrorCode=30003&SmsSid=SM1&SmsStatus={status}&MessageStatus={status}&To=%2B447700900123&MessageSid=SM1&AccountSid={ACCOUNT}\
             &From=%2B15005550006&ApiVersion=2010-04-01"
        );
        let plain = Self {
            path: path.to_owned(),
            query: String::new(),
            media: "application/x-www-form-urlencoded; charset=UTF-8",
            headers: Vec::new(),
            body,
        };
        plain.signed_with(TOKEN)
    }

    fn json(path: &str, body: &Value) -> Self {
        let body = body.to_string();
        let query = format!("bodySHA256={}", HEXLOWER.encode(&Sha256::digest(body.as_bytes())));
        let plain =
            Self { path: path.to_owned(), query, media: "application/json", headers: Vec::new(), body };
        plain.signed_with(TOKEN)
    }

    fn notify(owner: &str, gateway: &str, token: &str, reference: &Value, status: &str) -> Self {
        let body = json!({ "id": "x", "reference": reference, "to": "07700900123", "status": status });
        Self {
            path: format!("/receipts/notify/{owner}/{gateway}"),
            query: String::new(),
            media: "application/json",
            headers: vec![("authorization", format!("Bearer {token}"))],
            body: body.to_string(),
        }
    }

    /// With Twilio's signature by `key`, in the place of any other.
    fn signed_with(mut self, key: &str) -> Self {
        let mut text = format!("{BASE}{}", self.path);
        if !self.query.is_empty() {
            text = format!("{text}?{}", self.query);
        }
        if self.media != "application/json" {
            let decoded = self.body.replace("%2B", "+");
            let mut pairs: Vec<_> = decoded.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
            pairs.sort_unstable();
            text.extend(pairs.into_iter().flat_map(|(name, value)| [name, value]));
        }
        let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        self.headers = vec![("x-twilio-signature", BASE64.encode(&mac.finalize().into_bytes()))];
        self
    }

    /// As API Gateway hands it on (payload 2.0), which encodes forms.
    fn request(&self) -> Request {
        let mut headers = json!({ "host": "elsewhere.example.net", "content-type": self.media });
        for (name, value) in &self.headers {
            headers[*name] = json!(value);
        }
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": self.path, "rawQueryString": self.query, "headers": headers,
            "requestContext": {
                "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
                "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
                "http": { "method": "POST", "path": self.path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
            },
            "body": BASE64.encode(self.body.as_bytes()), "isBase64Encoded": true,
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    async fn to(&self, ports: &MemoryPorts) -> u16 {
        handle(ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), self.request())
            .await
            .status()
            .as_u16()
    }
}

#[tokio::test]
async fn a_text_that_arrived_is_closed() {
    let ports = twilios().await;
    let path = path(&ports, "acme/twilio").await;
    assert_eq!(Sent::form(&path, "delivered").to(&ports).await, 204);
    assert_eq!(news(&ports).await.0, Some((Verdict::Delivered, String::new())));
    let closed = stored(&ports).await;
    assert_eq!((closed.status, closed.content.is_none()), (MessageStatus::Delivered, true));
    // It comes again, and later than worse news: nothing is written any more.
    let (_, version) = news(&ports).await;
    for status in ["delivered", "undelivered"] {
        assert_eq!(Sent::form(&path, status).to(&ports).await, 204);
    }
    assert_eq!(news(&ports).await.1, version);
    assert_eq!(ports.queue().take(), []);
}

#[tokio::test]
async fn a_text_that_did_not_arrive_wakes_deliver() {
    let ports = twilios().await;
    let path = path(&ports, "acme/twilio").await;
    assert_eq!(Sent::form(&path, "undelivered").to(&ports).await, 204);
    let why = "Twilio 30003: the handset is switched off or out of reach".to_owned();
    assert_eq!(news(&ports).await.0, Some((Verdict::Undelivered, why)));
    assert!(matches!(ports.queue().take().as_slice(), [Queued::Deliver(_)]));
}

#[tokio::test]
async fn a_text_on_its_way_costs_no_write() {
    let ports = twilios().await;
    let path = path(&ports, "acme/twilio").await;
    let before = news(&ports).await;
    for status in ["accepted", "queued", "sending", "sent", "else"] {
        assert_eq!(Sent::form(&path, status).to(&ports).await, 204, "{status}");
    }
    assert_eq!(news(&ports).await, before);
    assert_eq!(ports.queue().take(), []);
}

#[tokio::test]
async fn json_is_taken_too() {
    let ports = twilios().await;
    let path = path(&ports, "acme/twilio").await;
    let sent = Sent::json(&path, &json!({ "MessageStatus": "failed", "ErrorCode": 30_005 }));
    let other = Sent { body: sent.body.replace("failed", "delivered"), ..sent.clone() };
    assert_eq!(other.to(&ports).await, 403);
    let without = Sent { query: String::new(), ..sent.clone() }.signed_with(TOKEN);
    assert_eq!(without.to(&ports).await, 403);
    assert_eq!(news(&ports).await.0, None);
    assert_eq!(sent.to(&ports).await, 204);
    let why = "Twilio 30005: the number is not known or not in service".to_owned();
    assert_eq!(news(&ports).await.0, Some((Verdict::Undelivered, why)));
}

#[tokio::test]
async fn whoever_is_not_twilio_changes_nothing() {
    let ports = twilios().await;
    let before = news(&ports).await;
    let path = path(&ports, "acme/twilio").await;
    let good = Sent::form(&path, "delivered");
    let signature = good.headers[0].1.clone();
    let with = |value: &str| Sent { headers: vec![("x-twilio-signature", value.to_owned())], ..good.clone() };
    for (sent, what) in [
        (Sent { headers: Vec::new(), ..good.clone() }, "no signature"),
        (good.clone().signed_with("another-auth-token"), "another key"),
        (with(""), "an empty signature"),
        (with(&format!("{signature},{signature}")), "two signatures"),
        (with("AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "a forged signature"),
        (Sent { body: good.body.replace("delivered", "failed"), ..good.clone() }, "another status"),
        (Sent { body: format!("{}&Extra=1", good.body), ..good.clone() }, "one more parameter"),
        (Sent { query: "a=b".to_owned(), ..good.clone() }, "a query"),
        (
            Sent { body: good.body.replace(ACCOUNT, "ACb"), ..good.clone() }.signed_with(TOKEN),
            "another account",
        ),
        (Sent::form(&path.replace("/1/", "/2/"), "delivered"), "another hop"),
        (Sent::form(&path.replace("/1/", "/01/"), "delivered"), "a hop that is misspelt"),
        (Sent::form(&path.replace("acme", "globex"), "delivered"), "another tenant"),
        (Sent::form(&path.replace("acme", "ACME"), "delivered"), "no tenant"),
        (Sent::form(&path[..path.len() - 1], "delivered"), "a key that was cut"),
        (Sent::form(&format!("{path}AAAA"), "delivered"), "a key that is longer"),
    ] {
        assert_eq!(sent.to(&ports).await, 403, "{what}");
    }
    assert_eq!(news(&ports).await, before);
    assert_eq!(ports.queue().take(), []);
    assert_eq!(good.to(&ports).await, 204, "the same without a change is good");
}

#[tokio::test]
async fn only_the_gateway_of_the_key_may_speak() {
    let ports = twilios().await;
    for whose in
        ["acme/notify", "acme/mail", "acme/gone", "platform/twilio", "globex/twilio", "acme", "/", ""]
    {
        let path = path(&ports, whose).await;
        assert_eq!(Sent::form(&path, "delivered").to(&ports).await, 403, "{whose}");
    }
    assert_eq!(news(&ports).await.0, None);
}

#[tokio::test]
async fn two_headers_with_a_signature_are_none() {
    let ports = twilios().await;
    let good = Sent::form(&path(&ports, "acme/twilio").await, "delivered");
    let mut request = good.request();
    let again = request.headers()["x-twilio-signature"].clone();
    request.headers_mut().append("x-twilio-signature", again);
    let answer = handle(&ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), request).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_does_not_read_is_refused_before_anything_is_looked_up() {
    let ports = twilios().await;
    let good = Sent::form("/receipts/twilio/acme/x/1/x", "delivered");
    let many: Vec<_> = (0..200).map(|number| format!("n{number}=v")).collect();
    for (body, status) in [
        (String::new(), 400),
        ("ErrorCode=30003".to_owned(), 400),
        ("MessageStatus=%ff".to_owned(), 400),
        ("MessageStatus=sent&MessageStatus=delivered".to_owned(), 400),
        (many.join("&"), 400),
        ("a".repeat(17_000), 413),
    ] {
        assert_eq!(Sent { body: body.clone(), ..good.clone() }.to(&ports).await, status, "{body}");
    }
    assert_eq!(Sent { media: "text/plain", ..good.clone() }.to(&ports).await, 415);
    assert_eq!(Sent { media: "application/json", ..good }.to(&ports).await, 400);
}

/// The reference of a hop that went by the gateway `notify`.
async fn reference_of(ports: &MemoryPorts, message: &str, hop: u16) -> Value {
    let message = MessageRef { tenant: tenant(), id: MessageId::try_from(message).unwrap() };
    let (owner, gateway) = (Owner::Tenant(tenant()), GatewayId::try_from("notify").unwrap());
    json!(receipts::reference(ports, &message, hop, (&owner, &gateway)).await.unwrap())
}

async fn reference(ports: &MemoryPorts) -> Value {
    reference_of(ports, message().as_str(), 1).await
}

#[tokio::test]
async fn notify_tells_what_became_of_a_text() {
    for (status, verdict) in [
        ("delivered", Verdict::Delivered),
        ("permanent-failure", Verdict::Undelivered),
        ("temporary-failure", Verdict::Undelivered),
        ("technical-failure", Verdict::Undelivered),
    ] {
        let ports = notifys().await;
        let sent = Sent::notify("acme", "notify", CALLBACK_TOKEN, &reference(&ports).await, status);
        for _ in 0..2 {
            assert_eq!(sent.to(&ports).await, 204, "{status}");
        }
        let told = news(&ports).await.0.unwrap();
        assert_eq!((told.0, told.1.contains(status)), (verdict, verdict != Verdict::Delivered));
    }
}

#[tokio::test]
async fn whoever_is_not_notify_changes_nothing() {
    let ports = notifys().await;
    let before = news(&ports).await;
    let reference = reference(&ports).await;
    let of = |owner, gateway, token| Sent::notify(owner, gateway, token, &reference, "delivered");
    let good = of("acme", "notify", CALLBACK_TOKEN);
    let with = |headers: Vec<(&'static str, String)>| Sent { headers, ..good.clone() };
    let mut answers = Vec::new();
    for (sent, what) in [
        (of("acme", "notify", "sample-callback-tokem"), "another token"),
        (of("acme", "notify", ""), "an empty token"),
        (of("acme", "gone", CALLBACK_TOKEN), "no such gateway"),
        (of("acme", "twilio", CALLBACK_TOKEN), "a gateway of another kind"),
        (of("acme", "mail", CALLBACK_TOKEN), "a gateway without such a token"),
        (of("platform", "notify", CALLBACK_TOKEN), "the platform's of this name"),
        (of("globex", "notify", CALLBACK_TOKEN), "another tenant's"),
        (of("Acme", "no tify", CALLBACK_TOKEN), "no gateway at all"),
        (with(Vec::new()), "no header"),
        (with(vec![("authorization", CALLBACK_TOKEN.to_owned())]), "no scheme"),
        (with(vec![("authorization", format!("Basic {CALLBACK_TOKEN}"))]), "another scheme"),
        (with(vec![("authorization", format!("Bearer {CALLBACK_TOKEN}, Bearer x"))]), "two tokens"),
    ] {
        let answer = handle(&ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), sent.request()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
        answers.push(format!("{:?}", answer.body()));
    }
    // What went by another gateway, or as another hop, is none of its business.
    let (id, hop) = (message(), 1);
    let said = MessageRef { tenant: tenant(), id: id.clone() };
    let other = GatewayId::try_from("twilio").unwrap();
    let by_other = receipts::reference(&ports, &said, hop, (&Owner::Tenant(tenant()), &other)).await.unwrap();
    let made_up = format!("acme/{id}/1/{}", "A".repeat(22));
    for reference in [by_other, made_up] {
        let sent = Sent::notify("acme", "notify", CALLBACK_TOKEN, &json!(reference), "delivered");
        let answer = handle(&ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), sent.request()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{reference}");
        answers.push(format!("{:?}", answer.body()));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "no answer tells which gateways there are");
    assert_eq!(news(&ports).await, before);
    assert_eq!(good.to(&ports).await, 204, "the same without a change is good");
}

#[tokio::test]
async fn receipts_of_nothing_of_ours_are_passed_over() {
    let ports = notifys().await;
    let before = news(&ports).await;
    let gone = reference_of(&ports, "msg_00000000000000000000000000", 1).await;
    let no_hop = reference_of(&ports, message().as_str(), 9).await;
    let unproven = json!(format!("acme/{}/1", message()));
    for reference in [json!(null), json!("otp-0001"), gone, no_hop, unproven] {
        let sent = Sent::notify("acme", "notify", CALLBACK_TOKEN, &reference, "delivered");
        assert_eq!(sent.to(&ports).await, 204, "{reference}");
    }
    let sending = Sent::notify("acme", "notify", CALLBACK_TOKEN, &reference(&ports).await, "sending");
    assert_eq!(sending.to(&ports).await, 204);
    assert_eq!(news(&ports).await, before);
    for body in ["", "{}", "[]", "not json", "{\"status\":1}"] {
        assert_eq!(Sent { body: body.to_owned(), ..sending.clone() }.to(&ports).await, 400, "{body}");
    }
}

/// What was read of gateways stays in memory for a minute; who is new or changed since then is known all the same.
#[tokio::test]
async fn a_gateway_made_a_moment_ago_is_known() {
    let ports = sample_world().await;
    let acme = Owner::Tenant(tenant());
    let before = ports.store().owned(&acme).await.unwrap();
    texted_by(&ports, Sender::Twilio).await;
    ports.store().gateways_were_read(&acme, before.clone());
    assert_eq!(Sent::form(&path(&ports, "acme/twilio").await, "delivered").to(&ports).await, 204);
    assert_eq!(news(&ports).await.0, Some((Verdict::Delivered, String::new())));

    // Strangers use up the time for looking again; then it comes.
    let ports = notifys().await;
    ports.store().gateways_were_read(&acme, before.clone());
    let (keys, again) = (KeyRing::new(NoPlatformKey), Seldom::default());
    let ask = async |token| {
        let sent = Sent::notify("acme", "notify", token, &reference(&ports).await, "delivered");
        handle(&ports, &keys, &again, sent.request()).await.status().as_u16()
    };
    assert_eq!(ask("a-stranger's").await, 401);
    ports.store().gateways_were_read(&acme, before);
    assert_eq!(ask(CALLBACK_TOKEN).await, 401);
    assert_eq!(news(&ports).await.0, None);
    ports.clock().advance(Duration::from_secs(10));
    assert_eq!(ask(CALLBACK_TOKEN).await, 204);
    assert_eq!(ask(CALLBACK_TOKEN).await, 204, "now it is known");
    assert_eq!(ask("a-stranger's").await, 401);
}

#[tokio::test]
async fn a_complaint_of_a_message_that_is_gone_bars_nobody() {
    let ports = sample_world().await;
    let mut event = event("ses-complaint.json");
    event["detail"]["mail"]["tags"]["otpost-message"] = json!(["acme.msg_00000000000000000000000000.1"]);
    let before = barred(&ports).await;
    assert_eq!(told(&ports, event).await.unwrap(), json!({ "new": false }));
    assert_eq!(barred(&ports).await, before);
}

fn event(file: &str) -> Value {
    let path = format!("{}/../../events/receipts/{file}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_hard_bounce_is_told_and_bars_the_address() {
    let ports = sample_world().await;
    hand(&ports).await;
    assert_eq!(told(&ports, event("ses-hard-bounce.json")).await.unwrap(), json!({ "new": true }));
    let why = "Amazon SES: hard bounce 5.1.1".to_owned();
    assert_eq!(news(&ports).await.0, Some((Verdict::Undelivered, why)));
    assert_eq!(barred(&ports).await, [("joe@example.org".to_owned(), Cause::HardBounce)]);
    assert_eq!(told(&ports, event("ses-hard-bounce.json")).await.unwrap(), json!({ "new": false }));
}

#[tokio::test]
async fn an_event_that_had_become_a_dead_letter_is_taken_from_the_queue() {
    let ports = sample_world().await;
    hand(&ports).await;
    let body = |id: &str, file: &str| json!({ "messageId": id, "body": event(file).to_string() });
    let records =
        [body("a", "ses-hard-bounce.json"), body("b", "ses-untagged.json"), body("c", "simulated.json")];
    let answer = told(&ports, json!({ "Records": records })).await.unwrap();
    let again = json!({ "batchItemFailures": [{ "itemIdentifier": "c" }] });
    assert_eq!(answer, again, "a batch is nothing that a body can be");
    assert_eq!(news(&ports).await.0.map(|(verdict, _)| verdict), Some(Verdict::Undelivered));
    assert_eq!(barred(&ports).await.len(), 1);
}

/// Whoever is answered by a 4xx does not tell it again, so trouble of ours is a 5xx; and what is told again is taken.
#[tokio::test]
async fn trouble_of_ours_is_told_as_such_and_nothing_is_lost() {
    for mishap in [Mishap::FailsBefore, Mishap::FailsAfter] {
        for at in 1.. {
            let (twilio, notify) = (twilios().await, notifys().await);
            let by_twilio = Sent::form(&path(&twilio, "acme/twilio").await, "undelivered");
            let proven = reference(&notify).await;
            let by_notify = Sent::notify("acme", "notify", CALLBACK_TOKEN, &proven, "temporary-failure");
            let mut fired = false;
            for (ports, sent) in [(&twilio, by_twilio), (&notify, by_notify)] {
                let plan = Plan::new(at, mishap);
                let keys = KeyRing::new(NoPlatformKey);
                let answer =
                    handle(&Faulty::new(ports, &plan), &keys, &Seldom::default(), sent.request()).await;
                let wanted = if plan.fired() { 500..600 } else { 204..205 };
                assert!(wanted.contains(&answer.status().as_u16()), "{mishap:?} {at}: {}", answer.status());
                fired |= plan.fired();
                assert_eq!(sent.to(ports).await, 204, "told again");
                assert_eq!(news(ports).await.0.unwrap().0, Verdict::Undelivered);
                assert!(!ports.queue().take().is_empty(), "{mishap:?} {at}: deliver is woken");
            }
            if !fired {
                assert!(at > 3, "{at} calls");
                break;
            }
        }
    }
}

/// The same of events and of the queue: they come again.
#[tokio::test]
async fn what_could_not_be_taken_comes_again() {
    for mishap in [Mishap::FailsBefore, Mishap::FailsAfter] {
        for file in ["ses-hard-bounce.json", "ses-complaint.json", "simulated.json"] {
            let ports = sample_world().await;
            hand(&ports).await;
            let plan = Plan::new(1, mishap);
            let answer = told(&Faulty::new(&ports, &plan), event(file)).await;
            assert!(plan.fired());
            match answer {
                Ok(answer) => {
                    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(1), "{file}");
                }
                Err(error) => assert_eq!(error.error_type, "NotTakenYet", "{file}"),
            }
            told(&ports, event(file)).await.unwrap();
            let bad = news(&ports).await.0.is_some_and(|(verdict, _)| verdict == Verdict::Undelivered);
            assert_eq!(bad, file != "ses-complaint.json", "{file}");
            assert_eq!(barred(&ports).await.len(), usize::from(file.starts_with("ses")), "{file}");
        }
    }
}

#[tokio::test]
async fn a_complaint_bars_the_address_and_changes_no_message() {
    let ports = sample_world().await;
    hand(&ports).await;
    let before = news(&ports).await;
    assert_eq!(told(&ports, event("ses-complaint.json")).await.unwrap(), json!({ "new": true }));
    assert_eq!(news(&ports).await, before);
    assert_eq!(barred(&ports).await, [("joe@example.org".to_owned(), Cause::Complaint)]);
}

#[tokio::test]
async fn every_sample_request_is_answered_as_expected() {
    let requests = [
        ("twilio-delivered.json", 204, Some(Verdict::Delivered)),
        ("twilio-undelivered.json", 204, Some(Verdict::Undelivered)),
        ("twilio-sent.json", 204, None),
        ("twilio-forged.json", 403, None),
        ("notify-delivered.json", 204, Some(Verdict::Delivered)),
        ("notify-permanent-failure.json", 204, Some(Verdict::Undelivered)),
        ("notify-wrong-token.json", 401, None),
    ];
    let others = [
        ("ses-delivered.json", json!({ "new": true }), Some(Verdict::Delivered)),
        ("ses-hard-bounce.json", json!({ "new": true }), Some(Verdict::Undelivered)),
        ("ses-soft-bounce.json", json!({ "new": true }), Some(Verdict::Undelivered)),
        ("ses-complaint.json", json!({ "new": true }), None),
        ("ses-rejected.json", json!({ "new": true }), Some(Verdict::Undelivered)),
        ("ses-rendering-failed.json", json!({ "new": true }), Some(Verdict::Undelivered)),
        ("ses-delayed.json", json!({ "new": true }), Some(Verdict::Delayed)),
        ("ses-sent.json", json!({ "new": false }), None),
        ("ses-untagged.json", json!({ "new": false }), None),
        ("simulated.json", json!({ "batchItemFailures": [] }), Some(Verdict::Undelivered)),
        (
            "simulated-with-bad-bodies.json",
            json!({ "batchItemFailures": [
                { "itemIdentifier": "2e1424d4-f796-459a-8184-9c92662be6da" },
                { "itemIdentifier": "6a204bd8-9a42-4f1c-8a9e-1f7a1c6d2b11" },
            ] }),
            Some(Verdict::Delivered),
        ),
    ];
    let all: Vec<_> =
        requests.iter().map(|(file, ..)| *file).chain(others.iter().map(|(file, ..)| *file)).collect();
    for (file, text) in events("receipts", &all) {
        let ports = sample_world().await;
        let verdict = if let Some((_, status, verdict)) = requests.iter().find(|(name, ..)| *name == file) {
            texted_by(&ports, if file.starts_with("twilio") { Sender::Twilio } else { Sender::GovukNotify })
                .await;
            let request = lambda_http::request::from_str(&text).unwrap();
            let answer = handle(&ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), request).await;
            assert_eq!(answer.status().as_u16(), *status, "{file}: {:?}", answer.body());
            verdict
        } else {
            hand(&ports).await;
            let answer = told(&ports, serde_json::from_str(&text).unwrap()).await.unwrap();
            let (_, expected, verdict) = others.iter().find(|(name, ..)| *name == file).unwrap();
            assert_eq!(&answer, expected, "{file}");
            verdict
        };
        assert_eq!(news(&ports).await.0.map(|(told, _)| told), *verdict, "{file}");
    }
}

#[tokio::test]
async fn an_unknown_event_is_an_error() {
    let ports = sample_world().await;
    for event in [
        json!({ "detail-type": "else" }),
        json!({ "source": "aws.ec2", "detail-type": "Email Delivered" }),
        json!([]),
    ] {
        assert_eq!(told(&ports, event).await.unwrap_err().error_type, "UnknownEvent");
    }
}

#[tokio::test]
async fn each_route_is_described() {
    let mut document = otpost_edge::openapi::Document::default();
    super::describe(&mut document);
    assert_eq!(document.described().len(), super::ROUTES.len());
}
