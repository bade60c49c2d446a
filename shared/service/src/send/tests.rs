use super::*;
use crate::deliver::{Delivered, deliver};
use crate::faults::{Faulty, Mishap, Plan};
use crate::memory::{MemoryPorts, Queued, ScriptedProvider, pushed};
use otpost_domain::enrolment::LINK_LIFE;
use otpost_domain::message::{LEASE, MAX_TRIES, MessageStatus, ROUTE_TIME};
use otpost_domain::outcome::Said;

mod gateways;
mod routes;

async fn handed(ports: &MemoryPorts) -> MessageRef {
    let reference = pushed(ports).await;
    assert_eq!(deliver(ports, &reference).await.unwrap(), Delivered::Handed);
    ports.queue().take();
    reference
}

async fn message(ports: &MemoryPorts, reference: &MessageRef) -> Message {
    ports.store().message(reference).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_hop_is_sent_once_and_its_content_wiped() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    let provider = ScriptedProvider::ses();
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Accepted);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Nothing);
    let mail = provider.mail();
    assert_eq!((mail.to.expose(), mail.from.expose()), ("jane@example.org", "otp@example.org"));
    assert_eq!(mail.from_name.as_deref(), Some("Acme"), "the deployment has no name of its own");
    let text = mail.text.expose();
    assert!(text.contains("https://otp.example.org/e/") && !text.contains("[["), "{text}");
    assert!(!mail.subject.expose().contains("/e/"));
    let message = message(&ports, &reference).await;
    assert_eq!((message.status, message.content), (MessageStatus::Sent, None));
}

#[tokio::test]
async fn a_busy_provider_is_asked_again_later_and_at_last_held() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    let provider = ScriptedProvider::ses().that_says(Outcome::Retry { after: None }, "busy");
    let tries = u16::try_from(MAX_TRIES).unwrap();
    for hop in 1..tries {
        assert_eq!(send(&ports, &provider, &reference, hop).await.unwrap(), Sent::Postponed);
        let queued = ports.queue().take();
        let [Queued::Hand(Sender::Ses, of, next, wait)] = queued.as_slice() else { panic!("{queued:?}") };
        assert_eq!((of, *next), (&reference, hop + 1));
        assert!(*wait > Duration::ZERO && *wait <= Duration::from_mins(1));
    }
    assert_eq!(send(&ports, &provider, &reference, tries).await.unwrap(), Sent::Refused);
    assert_eq!(ports.queue().take(), [Queued::Deliver(reference.clone())]);
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Held);
    assert_eq!(provider.take().len(), MAX_TRIES, "one request a hop");
}

#[tokio::test]
async fn a_crashed_senders_hop_is_never_taken_again_but_the_mail_goes() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    assert!(ports.store().claim(&reference, 1, "lost", ports.clock().now()).await.unwrap().is_some());
    let provider = ScriptedProvider::ses();
    ports.clock().advance(LEASE);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Nothing);
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(send(&ports, &provider, &reference, 2).await.unwrap(), Sent::Accepted);
}

#[tokio::test]
async fn a_key_service_in_trouble_costs_no_try() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    let provider = ScriptedProvider::ses();
    for _ in 0..3 * MAX_TRIES {
        // Claim, then open: the second call fails.
        let plan = Plan::new(2, Mishap::FailsBefore);
        assert!(send(&Faulty::new(&ports, &plan), &provider, &reference, 1).await.is_err());
    }
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Accepted);
}

#[tokio::test]
async fn a_late_hop_is_dropped_with_the_reason() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    ports.clock().advance(LINK_LIFE);
    let provider = ScriptedProvider::ses();
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Expired);
    assert!(provider.take().is_empty());
}

#[tokio::test]
async fn an_account_in_trouble_holds_the_message_until_it_is_mended() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    let provider = ScriptedProvider::ses().that_says(Outcome::ConfigurationBad, "Amazon SES: not verified");
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Refused);
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Held);
    let held = message(&ports, &reference).await;
    assert_eq!(held.reason.as_deref(), Some("held: Amazon SES: not verified"));
    assert!(held.content.is_some() && held.is_open());
    provider.now_says(Report::accepted("x", Said::default()));
    ports.clock().advance(ROUTE_TIME);
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(send(&ports, &provider, &reference, 2).await.unwrap(), Sent::Accepted);
}

#[tokio::test]
async fn what_the_provider_echoes_is_redacted_before_it_is_kept() {
    let ports = MemoryPorts::new();
    let reference = handed(&ports).await;
    let provider = ScriptedProvider::ses();
    let mut said = Said::line("S: 550 5.1.1 <jane@example.org>: no such user");
    said.add("S: see https://links.example.net/e/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA?x=1");
    provider.now_says(Report::of(Outcome::RecipientBad, "550 5.1.1: no such mailbox", said));
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Refused);
    let message = message(&ports, &reference).await;
    let said = message.last_hop().unwrap().said.join("\n");
    assert!(said.contains("550 5.1.1") && said.contains("j***@e***.org"), "{said}");
    assert!(!said.contains("jane@") && !said.contains("AAAAA"), "{said}");
}
