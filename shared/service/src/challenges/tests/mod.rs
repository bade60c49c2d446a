//! Challenges over the ports in memory: what their users see of them, and what others do not.

mod calls;
mod helpdesk;
mod journey;
mod nobody;

use std::time::Duration;

use otpost_domain::challenge::{
    Addressee, Challenge, ChallengeId, Claims, SentCode, SourceClass, Transaction,
};
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::gateway::{GatewayDocument, Kind, Owner};
use otpost_domain::ids::{BearerHash, GatewayId, PolicyId, UserId};
use otpost_domain::message::{Channel, Message};
use otpost_domain::policy::PolicyDocument;
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Day;
use serde_json::{Value, json};

use super::*;
use crate::caller::Keeper;
use crate::content::Content;
use crate::deliver::deliver;
use crate::document::value_of;
use crate::memory::{MemoryPorts, Queued, ScriptedProvider, operator};
use crate::once::Once;
use crate::ports::{
    ChallengeStore as _, Clock as _, MessageRef, MessageStore as _, PageRequest, PolicyStore as _,
};
use crate::provider::Letter;
use crate::seen::Seen;
use crate::send::send;
use crate::users::{Change, Profile};

const LIFE: Duration = Duration::from_mins(5);
const COOL_DOWN: Duration = Duration::from_secs(30);
const MILLI: Duration = Duration::from_millis(1);
const MAIL: &str = "jane@example.org";
const NUMBER: &str = "+447700900123";

fn app() -> Asker {
    Asker { caller: operator("acme"), after_first_factor: false }
}

/// A key that is marked.
fn marked() -> Asker {
    Asker { after_first_factor: true, ..app() }
}

/// Tenant `acme` with a gateway for texts and these settings for everyone.
async fn world(settings: Value) -> MemoryPorts {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    with_gateway(&ports, "texts").await;
    policy(&ports, "all", json!({ "everyone": true }), settings).await;
    ports
}

/// A gateway for texts, whose provider tells what becomes of them.
async fn with_gateway(ports: &MemoryPorts, id: &str) {
    let owner = Owner::Tenant(app().caller.tenant);
    let document = json!({
        "name": "Texts", "kind": "twilio",
        "settings": { "account_sid": format!("AC{}", "0".repeat(32)), "from": "+447700900000" },
        "credentials": { "auth_token": "0123456789abcdef0123456789abcdef" },
    });
    let document = GatewayDocument::read(&value_of(&document), &owner).unwrap();
    let keeper = Keeper { owner, actor: app().caller.actor };
    let id = GatewayId::try_from(id).unwrap();
    crate::gateways::keep_gateway(ports, &keeper, &id, document, Seen::Unsaid).await.unwrap();
}

/// Settings with which texts have a way to go.
fn texts() -> Value {
    json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms", "email"] })
}

async fn policy(ports: &MemoryPorts, id: &str, covers: Value, settings: Value) {
    let document = json!({ "applies_to": covers, "settings": settings });
    let document = PolicyDocument::read(&value_of(&document)).unwrap();
    let (id, caller) = (PolicyId::try_from(id).unwrap(), app().caller);
    let there = ports.store().policy(&caller.tenant, &id).await.unwrap().is_some();
    let seen = if there { Seen::Any } else { Seen::Unsaid };
    crate::policies::keep_policy(ports, &caller, &id, document, seen).await.unwrap();
}

fn named(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

async fn user(ports: &MemoryPorts, name: &str, email: Option<&str>, phone: Option<&str>) {
    let profile = Profile {
        email: email.map(|text| EmailAddress::try_from(text).unwrap()),
        phone: phone.map(|text| PhoneNumber::try_from(text).unwrap()),
        ..Profile::default()
    };
    crate::users::create_user(ports, &app().caller, named(name), profile, Once::not_kept()).await.unwrap();
}

/// A world with jane, who has a mail address and a telephone.
async fn janes(settings: Value) -> MemoryPorts {
    let ports = world(settings).await;
    user(&ports, "jane", Some(MAIL), Some(NUMBER)).await;
    ports
}

async fn change(ports: &MemoryPorts, change: Change) {
    crate::users::change_user(ports, &app().caller, &named("jane"), change, None).await.unwrap();
}

/// A code for jane to sign in by.
fn order() -> Order {
    Order {
        addressee: Addressee::User(named("jane")),
        purpose: CodePurpose::SignIn,
        channel: None,
        transaction: None,
        source: None,
    }
}

fn paying(text: &str) -> Order {
    let transaction = Transaction::try_from(text).ok();
    Order { purpose: CodePurpose::Transaction, transaction, ..order() }
}

fn by(channel: Channel) -> Order {
    Order { channel: Some(channel), ..order() }
}

async fn started(ports: &MemoryPorts, order: &Order) -> Shown {
    start(ports, &app(), order, Once::not_kept()).await.unwrap()
}

async fn sent_again(ports: &MemoryPorts, id: &ChallengeId) -> Result<Shown, StartError> {
    resend(ports, &app(), id, None, Once::not_kept()).await
}

/// How long to wait, and why; `None` for anything else.
fn waits<T: std::fmt::Debug>(answer: Result<T, StartError>) -> Option<(Duration, Why)> {
    match answer {
        Err(StartError::Wait { retry_after, why }) => Some((retry_after, why)),
        other => {
            assert!(other.is_ok(), "{other:?}");
            None
        }
    }
}

fn is_over<T>(answer: &Result<T, StartError>) -> bool {
    matches!(answer, Err(StartError::Over))
}

fn typed(code: &str) -> Answer {
    Answer {
        code: SentCode::parse(code).unwrap(),
        purpose: CodePurpose::SignIn,
        transaction: None,
        remember: false,
        request: None,
    }
}

fn wrong(right: &str) -> Answer {
    typed(if right == "000000" { "000001" } else { "000000" })
}

async fn checked(ports: &MemoryPorts, id: &ChallengeId, answer: &Answer) -> Result<Accepted, CheckError> {
    check(ports, &app(), id, answer).await
}

fn is_refused(answer: &Result<Accepted, CheckError>) -> bool {
    matches!(answer, Err(CheckError::Refused))
}

fn is_exhausted(answer: &Result<Accepted, CheckError>) -> bool {
    matches!(answer, Err(CheckError::Exhausted))
}

/// All messages so far, the first one first.
async fn messages(ports: &MemoryPorts) -> Vec<Message> {
    let day = Day::of(ports.clock().now());
    let page = PageRequest { limit: 500, after: None };
    let tenant = app().caller.tenant;
    let mut all = ports.store().messages_on(&tenant, day, &page).await.unwrap().items;
    all.reverse();
    all
}

async fn last_message(ports: &MemoryPorts) -> Message {
    let all = messages(ports).await;
    let newest = all.iter().map(|message| message.created_at).max();
    let mut newest: Vec<_> = all.into_iter().filter(|message| Some(message.created_at) == newest).collect();
    assert_eq!(newest.len(), 1, "one at a time");
    newest.remove(0)
}

async fn content(ports: &MemoryPorts, message: &Message) -> Content {
    let sealed = message.content.as_ref().unwrap();
    let kind = RecordKind::MessageContent;
    let opened = ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await.unwrap();
    Content::decode(&opened).unwrap()
}

/// The code in a message that has not left yet.
async fn code_in(ports: &MemoryPorts, message: &Message) -> String {
    content(ports, message).await.code.clone()
}

/// What an id says.
async fn said(ports: &MemoryPorts, id: &ChallengeId) -> Claims {
    claims(ports, &app().caller.tenant, id).await.unwrap().unwrap()
}

/// The code that follows from an id: of nobody's, too.
async fn code_of(ports: &MemoryPorts, id: &ChallengeId, transaction: Option<&str>) -> String {
    let claims = said(ports, id).await;
    let transaction = transaction.map(|text| Transaction::try_from(text).unwrap());
    let code = claims.secret.code(claims.digits, claims.place.purpose, transaction.as_ref());
    code.expose().to_owned()
}

async fn row(ports: &MemoryPorts, id: &ChallengeId) -> Challenge {
    let place = said(ports, id).await.place;
    ports.store().challenge(&app().caller.tenant, &place).await.unwrap().unwrap()
}

/// Delivers and sends all that is queued; the texts that went out, with their recipients.
async fn work(ports: &MemoryPorts) -> Vec<(String, String)> {
    let mut sent = Vec::new();
    let mut queued: std::collections::VecDeque<_> = ports.queue().take().into();
    while let Some(next) = queued.pop_front() {
        match next {
            Queued::Deliver(message) => drop(deliver(ports, &message).await.unwrap()),
            Queued::Hand(sender, message, hop, _) => {
                let kind = if sender.as_str() == "ses" { Kind::Ses } else { Kind::Twilio };
                let provider = ScriptedProvider::of(kind);
                send(ports, &provider, &message, hop).await.unwrap();
                sent.extend(provider.take().into_iter().map(|asked| match asked.letter {
                    Letter::Email(mail) => (mail.to.expose().to_owned(), mail.text.expose().to_owned()),
                    Letter::Text(text) => (text.to.expose().to_owned(), text.text.expose().to_owned()),
                }));
            }
            _ => {}
        }
        queued.extend(ports.queue().take());
    }
    sent
}

fn pass(ports: &MemoryPorts, time: Duration) {
    ports.clock().advance(time);
}

fn slot(ports: &MemoryPorts, key: &str, holder: &str) -> crate::ports::Slot {
    crate::ports::Slot {
        tenant: app().caller.tenant,
        id: BearerHash::of(&[key.as_bytes()]),
        request: BearerHash::of(&[b"request"]),
        holder: holder.to_owned(),
        at: ports.clock().now(),
    }
}
