//! Messages by several routes: what a receipt, its absence, and a gateway that does not work come to.

use otpost_domain::circuit::{HealthKey, PROBE_WAIT, SHORTEST_OPEN};
use otpost_domain::gateway::Kind;
use otpost_domain::ids::{GatewayId, TenantId};
use otpost_domain::message::{Because, Channel, Hop, Verdict};
use otpost_domain::suppression::Cause;
use serde_json::{Value, json};

use super::gateways::*;
use super::*;
use crate::once::Once;
use crate::ports::Configuration as _;
use crate::provider::Letter;
use crate::push::{Order, push};
use crate::receipts::{Receipt, Taken, take};

const FIRST_WAIT: Duration = Duration::from_secs(20);

/// Jane's link by text: by `twilio`, and after 20 s by `notify`, which both tell what becomes of it.
async fn two_routes(more: Value) -> (MemoryPorts, MessageRef) {
    let ports = world().await;
    kept(&ports, &owner(), "twilio", twilio()).await;
    kept(&ports, &owner(), "notify", notify()).await;
    let routes = json!([{ "gateway": "twilio", "wait_seconds": 20 }, { "gateway": "notify" }]);
    let mut settings = json!({ "sms_routes": routes, "channels": ["sms", "email"] });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let reference = on_its_way(&ports, settings, None).await;
    (ports, reference)
}

fn notify() -> Value {
    let uuid = "00000000-0000-4000-8000-000000000000";
    json!({
        "name": "Notify", "kind": "govuk_notify", "settings": { "template_id": uuid },
        "credentials": { "api_key": format!("key-{uuid}-{uuid}"), "callback_token": "a-callback-token-of-ours" },
    })
}

/// What was handed to which sender, and after how long `deliver` is woken.
fn handed_and_woken(ports: &MemoryPorts) -> (Sender, u16, Option<Duration>) {
    let queued = ports.queue().take();
    match queued.as_slice() {
        [Queued::Hand(sender, _, hop, _)] => (*sender, *hop, None),
        [Queued::Hand(sender, _, hop, _), Queued::Wake(_, delay)] => (*sender, *hop, Some(*delay)),
        _ => panic!("{queued:?}"),
    }
}

fn receipt(message: &MessageRef, hop: u16, verdict: Verdict) -> Receipt {
    let why = if verdict == Verdict::Delivered { "" } else { "Twilio 30003: handset off" };
    Receipt { message: message.clone(), hop, verdict, why: why.to_owned(), suppress: None }
}

fn hops(message: &Message) -> Vec<(&str, Because)> {
    message.hops.iter().map(|hop: &Hop| (hop.via.shown(), hop.because)).collect()
}

fn takes(kind: Kind) -> ScriptedProvider {
    ScriptedProvider::of(kind)
}

/// The first hop handed, and taken by its provider.
async fn taken_by_first(ports: &MemoryPorts, reference: &MessageRef) -> ScriptedProvider {
    assert_eq!(deliver(ports, reference).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(ports), (Sender::Twilio, 1, Some(FIRST_WAIT)));
    let provider = takes(Kind::Twilio);
    assert_eq!(send(ports, &provider, reference, 1).await.unwrap(), Sent::Accepted);
    assert_eq!(ports.queue().take(), [], "deliver is woken already");
    provider
}

#[tokio::test]
async fn silence_costs_the_routes_time_and_the_next_one_sends_the_same_link() {
    let (ports, reference) = two_routes(json!({})).await;
    let first = taken_by_first(&ports, &reference).await;
    let waiting = message(&ports, &reference).await;
    assert!(waiting.is_open() && waiting.content.is_some() && waiting.status == MessageStatus::Sent);
    ports.clock().advance(FIRST_WAIT.saturating_sub(Duration::from_millis(1)));
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Rested);
    ports.clock().advance(Duration::from_millis(1));
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports), (Sender::GovukNotify, 2, None), "there is no third");
    let second = takes(Kind::GovukNotify);
    assert_eq!(send(&ports, &second, &reference, 2).await.unwrap(), Sent::Accepted);
    let text = |provider: &ScriptedProvider| match provider.take().remove(0).letter {
        Letter::Text(text) => text.text.expose().to_owned(),
        Letter::Email(_) => panic!("a mail"),
    };
    assert_eq!(text(&first), text(&second), "one link across all routes");
    let sent = message(&ports, &reference).await;
    assert_eq!(hops(&sent), [("twilio", Because::First), ("notify", Because::NoNews)]);
    assert!(!sent.is_open() && sent.status == MessageStatus::Sent && sent.content.is_none());
    // The first one was only slow.
    assert_eq!(take(&ports, &receipt(&reference, 1, Verdict::Delivered)).await.unwrap(), Taken::New);
    assert_eq!(message(&ports, &reference).await.status, MessageStatus::Delivered);
}

#[tokio::test]
async fn bad_news_wake_deliver_and_good_news_end_it() {
    let (ports, reference) = two_routes(json!({})).await;
    taken_by_first(&ports, &reference).await;
    let bad = receipt(&reference, 1, Verdict::Undelivered);
    for taken in [Taken::New, Taken::Known] {
        assert_eq!(take(&ports, &bad).await.unwrap(), taken);
        assert_eq!(ports.queue().take(), [Queued::Deliver(reference.clone())], "the first may be lost");
    }
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports), (Sender::GovukNotify, 2, None));
    let good = receipt(&reference, 1, Verdict::Delivered);
    assert_eq!(take(&ports, &good).await.unwrap(), Taken::New, "it arrived after all");
    assert_eq!(send(&ports, &takes(Kind::GovukNotify), &reference, 2).await.unwrap(), Sent::Nothing);
    assert_eq!(take(&ports, &bad).await.unwrap(), Taken::Known);
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Rested);
    let message = message(&ports, &reference).await;
    assert_eq!((message.status, message.reason, message.content), (MessageStatus::Delivered, None, None));
    let lost = MessageRef { tenant: TenantId::try_from("other").unwrap(), ..reference };
    assert_eq!(take(&ports, &receipt(&lost, 1, Verdict::Delivered)).await.unwrap(), Taken::Nothing);
}

#[tokio::test]
async fn bad_news_of_the_last_route_are_its_end() {
    let (ports, reference) = two_routes(json!({})).await;
    taken_by_first(&ports, &reference).await;
    take(&ports, &receipt(&reference, 1, Verdict::Undelivered)).await.unwrap();
    deliver(&ports, &reference).await.unwrap();
    send(&ports, &takes(Kind::GovukNotify), &reference, 2).await.unwrap();
    assert_eq!(message(&ports, &reference).await.status, MessageStatus::Sent);
    ports.queue().take();
    assert_eq!(take(&ports, &receipt(&reference, 2, Verdict::Undelivered)).await.unwrap(), Taken::New);
    assert_eq!(ports.queue().take(), [], "nothing is left to do");
    let message = message(&ports, &reference).await;
    assert_eq!(message.status, MessageStatus::Undelivered);
    assert_eq!(message.reason.as_deref(), Some("Twilio 30003: handset off"));
}

/// Pushes the token of a message again, and gives the newer message.
async fn pushed_again(ports: &MemoryPorts, reference: &MessageRef) -> MessageRef {
    let serial = message(ports, reference).await.serial.unwrap();
    let order = Order { serial, channel: Some(Channel::Sms), authorization: None };
    let message = push(ports, &acme(), &order, Once::not_kept()).await.unwrap().message;
    ports.queue().take();
    MessageRef::from(&message)
}

#[tokio::test]
async fn a_silent_gateway_is_passed_over_tried_by_one_and_had_again() {
    let (ports, mut reference) = two_routes(json!({})).await;
    let mut slow = 0;
    // Three messages pay their route's time, one after the other.
    while ports.store().health_of(&[first(&ports).await]).await.unwrap() == [None] {
        taken_by_first(&ports, &reference).await;
        ports.clock().advance(FIRST_WAIT);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
        slow += 1;
        reference = pushed_again(&ports, &reference).await;
    }
    assert_eq!(slow, 3);
    // The next one pays nothing.
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports), (Sender::GovukNotify, 1, Some(Duration::from_mins(1))));
    let hop = message(&ports, &reference).await.hops.remove(0);
    assert_eq!((hop.because, hop.passed), (Because::First, vec!["twilio".to_owned()]));
    // After a while one message tries, and only one.
    ports.clock().advance(SHORTEST_OPEN);
    let probe = pushed_again(&ports, &reference).await;
    assert_eq!(deliver(&ports, &probe).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports), (Sender::Twilio, 1, Some(PROBE_WAIT)));
    let other = pushed_again(&ports, &probe).await;
    assert_eq!(deliver(&ports, &other).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports).0, Sender::GovukNotify, "another tries it");
    // It works: once its news are in, all go by it again.
    send(&ports, &takes(Kind::Twilio), &probe, 1).await.unwrap();
    take(&ports, &receipt(&probe, 1, Verdict::Delivered)).await.unwrap();
    ports.clock().advance(PROBE_WAIT);
    assert_eq!(deliver(&ports, &probe).await.unwrap(), Delivered::Rested);
    assert_eq!(ports.store().health_of(&[first(&ports).await]).await.unwrap(), [None]);
    let last = pushed_again(&ports, &other).await;
    assert_eq!(deliver(&ports, &last).await.unwrap(), Delivered::Handed);
    assert_eq!(handed_and_woken(&ports).0, Sender::Twilio);
}

async fn first(ports: &MemoryPorts) -> HealthKey {
    let reach = ports.configuration().gateways(&acme().tenant).await.unwrap();
    let via = reach.via(reach.find(&GatewayId::try_from("twilio").unwrap()).unwrap()).unwrap();
    HealthKey::of(&acme().tenant, &via)
}

#[tokio::test]
async fn an_account_that_is_refused_is_passed_over_at_once() {
    let (ports, reference) = two_routes(json!({})).await;
    deliver(&ports, &reference).await.unwrap();
    let refused = takes(Kind::Twilio).that_says(Outcome::ConfigurationBad, "Twilio 20003: no");
    assert_eq!(send(&ports, &refused, &reference, 1).await.unwrap(), Sent::Refused);
    let next = pushed_again(&ports, &reference).await;
    deliver(&ports, &next).await.unwrap();
    assert_eq!(handed_and_woken(&ports).0, Sender::GovukNotify);
    // Whoever mends it need not wait.
    kept(&ports, &owner(), "twilio", twilio()).await;
    let mended = pushed_again(&ports, &next).await;
    deliver(&ports, &mended).await.unwrap();
    assert_eq!(handed_and_woken(&ports).0, Sender::Twilio);
}

#[tokio::test]
async fn a_text_that_does_not_arrive_goes_by_mail_and_says_so() {
    let (ports, reference) = two_routes(json!({ "channel_fallback": true })).await;
    let made = message(&ports, &reference).await;
    let fallback = made.fallback.unwrap();
    assert_eq!((fallback.channel, fallback.recipient.as_str()), (Channel::Email, "j***@e***.org"));
    taken_by_first(&ports, &reference).await;
    take(&ports, &receipt(&reference, 1, Verdict::Undelivered)).await.unwrap();
    ports.queue().take();
    deliver(&ports, &reference).await.unwrap();
    let (_, hop, woken) = handed_and_woken(&ports);
    assert_eq!((hop, woken), (2, Some(Duration::from_mins(1))), "the mail is left");
    let refuses = takes(Kind::GovukNotify).that_says(Outcome::RecipientBad, "no such number");
    send(&ports, &refuses, &reference, 2).await.unwrap();
    ports.queue().take();
    deliver(&ports, &reference).await.unwrap();
    assert_eq!(handed_and_woken(&ports), (Sender::Ses, 3, None));
    let provider = ScriptedProvider::ses();
    assert_eq!(send(&ports, &provider, &reference, 3).await.unwrap(), Sent::Accepted);
    let mail = provider.mail();
    assert_eq!(mail.to.expose(), "jane@example.org");
    let words = "You get this by e-mail because our text message may not have reached you";
    assert!(mail.text.expose().contains(words) && mail.text.expose().contains("/e/"));
    let html = mail.html.unwrap();
    let (head, body) = html.expose().split_once("<body").unwrap();
    assert!(body.contains(words) && !head.contains(words));
    assert!(message(&ports, &reference).await.hops.iter().any(|hop| hop.channel == Channel::Email));
}

#[tokio::test]
async fn an_address_that_bounced_is_written_to_no_more() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    send(&ports, &ScriptedProvider::ses(), &reference, 1).await.unwrap();
    let address = "jane@example.org".try_into().unwrap();
    let bounced = Receipt {
        why: "bounced for good: 5.1.1".to_owned(),
        suppress: Some((address, Cause::HardBounce)),
        ..receipt(&reference, 1, Verdict::Undelivered)
    };
    assert_eq!(take(&ports, &bounced).await.unwrap(), Taken::New);
    let undelivered = message(&ports, &reference).await;
    assert_eq!(undelivered.status, MessageStatus::Undelivered);
    let order = Order { serial: undelivered.serial.unwrap(), channel: None, authorization: None };
    let next = push(&ports, &acme(), &order, Once::not_kept()).await.unwrap().message;
    let next = MessageRef::from(&next);
    assert_eq!(deliver(&ports, &next).await.unwrap(), Delivered::Closed);
    let refused = message(&ports, &next).await;
    assert_eq!((refused.status, refused.hops.len()), (MessageStatus::Failed, 0));
    let reason = refused.reason.unwrap();
    assert!(reason.starts_with("the address is on the suppression list since") && reason.ends_with("5.1.1"));
}

#[tokio::test]
async fn a_suppressed_address_is_no_way_out_and_the_story_says_so() {
    let (ports, reference) = two_routes(json!({ "channel_fallback": true })).await;
    let address = "jane@example.org".try_into().unwrap();
    let bounced = Receipt {
        why: "550 5.1.1".to_owned(),
        suppress: Some((address, Cause::HardBounce)),
        ..receipt(&reference, 1, Verdict::Undelivered)
    };
    deliver(&ports, &reference).await.unwrap();
    let before = message(&ports, &reference).await;
    assert!(before.story()[0].text.ends_with("; by e-mail to j***@e***.org if that does not reach them."));
    send(&ports, &takes(Kind::Twilio), &reference, 1).await.unwrap();
    take(&ports, &bounced).await.unwrap();
    deliver(&ports, &reference).await.unwrap();
    let after = message(&ports, &reference).await;
    let story: Vec<String> = after.story().into_iter().map(|line| line.text).collect();
    assert!(
        story[0].starts_with("Written: push_token, by text to") && !story[0].contains("e-mail"),
        "{story:?}"
    );
    let says = |line: &String| {
        line.starts_with("Not by e-mail to j***@e***.org: the address is on the suppression list since")
    };
    assert!(story.iter().any(says), "{story:?}");
}
