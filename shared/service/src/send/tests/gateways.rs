//! Messages by gateways: whose settings and credentials the provider gets, and what it is not even asked.

use otpost_domain::audit::Actor;
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::gateway::{GatewayDocument, Kind, Owner, Settings};
use otpost_domain::ids::{GatewayId, TenantId, UserId};
use otpost_domain::message::{Channel, Ending, HopState, Sender};
use otpost_domain::otp::OtpParameters;
use otpost_domain::policy::PolicyDocument;
use serde_json::{Value, json};

use super::*;
use crate::caller::{Caller, Keeper};
use crate::document::value_of;
use crate::gateways::{GatewayTest, keep_gateway, patience, test_gateway};
use crate::memory::operator;
use crate::once::Once;
use crate::ports::GatewayStore as _;
use crate::provider::Letter;
use crate::push::{Order, push};
use crate::seen::Seen;
use crate::test_send::Address;
use crate::users::Profile;

pub(super) fn acme() -> Caller {
    operator("acme")
}

pub(super) async fn kept(ports: &MemoryPorts, owner: &Owner, id: &str, document: Value) {
    let keeper = Keeper { owner: owner.clone(), actor: Actor::System };
    let id = GatewayId::try_from(id).unwrap();
    let document = GatewayDocument::read(&value_of(&document), owner).unwrap();
    let there = ports.store().owned(owner).await.unwrap().find(&id).is_some();
    let seen = if there { Seen::Any } else { Seen::Unsaid };
    keep_gateway(ports, &keeper, &id, document, seen).await.unwrap();
}

pub(super) fn owner() -> Owner {
    Owner::Tenant(TenantId::try_from("acme").unwrap())
}

fn smtp() -> Value {
    json!({
        "name": "Mail", "kind": "smtp",
        "settings": {
            "host": "mail.example.org", "port": 587, "authentication": "plain",
            "from": { "name": "Acme sign-in", "address": "no-reply@acme.example" },
            "reply_to": "help@acme.example",
        },
        "credentials": { "user": "otpost", "password": "secret-password" },
    })
}

pub(super) fn twilio() -> Value {
    json!({
        "name": "Texts", "kind": "twilio", "countries": ["GB"],
        "settings": { "account_sid": format!("AC{}", "0".repeat(32)), "from": "+447700900000" },
        "credentials": { "auth_token": "0123456789abcdef0123456789abcdef" },
    })
}

fn texts_by_mail() -> Value {
    json!({
        "name": "Texts by mail", "kind": "email_to_sms",
        "settings": { "via": "mail", "address": "{number}@sms.example.net", "subject": "{pin}" },
        "credentials": { "pin": "pin12345" },
    })
}

/// Tenant `acme` with a policy of these settings for everyone, and jane's link on its way by `channel`, or as policy says.
pub(super) async fn on_its_way(
    ports: &MemoryPorts,
    settings: Value,
    channel: impl Into<Option<Channel>>,
) -> MessageRef {
    let caller = acme();
    let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
    let policy = PolicyDocument::read(&value_of(&policy)).unwrap();
    let id = "all".try_into().unwrap();
    crate::policies::keep_policy(ports, &caller, &id, policy, Seen::Unsaid).await.unwrap();
    let jane = UserId::try_from("jane").unwrap();
    let profile = Profile {
        email: EmailAddress::try_from("jane@example.org").ok(),
        phone: PhoneNumber::try_from("+447700900123").ok(),
        ..Profile::default()
    };
    crate::users::create_user(ports, &caller, jane.clone(), profile, Once::not_kept()).await.unwrap();
    let parameters = OtpParameters::default();
    let token =
        crate::provision::provision(ports, &caller, &jane, parameters, Once::not_kept()).await.unwrap();
    let order = Order { serial: token.serial, channel: channel.into(), authorization: None };
    let message = push(ports, &caller, &order, Once::not_kept()).await.unwrap().message;
    ports.queue().take();
    MessageRef::from(&message)
}

pub(super) async fn world() -> MemoryPorts {
    let ports = MemoryPorts::new();
    let platform = Caller { actor: Actor::Platform, ..acme() };
    let name = otpost_domain::contact::DisplayName::try_from("Acme").unwrap();
    crate::admin::create_tenant(&ports, &platform, name, Once::not_kept()).await.unwrap();
    ports
}

/// Delivers, and gives the sender and the hop that were handed over.
#[track_caller]
fn only_handed(ports: &MemoryPorts) -> (Sender, u16) {
    let queued = ports.queue().take();
    let [Queued::Hand(sender, _, hop, _)] = queued.as_slice() else { panic!("{queued:?}") };
    (*sender, *hop)
}

#[tokio::test]
async fn a_mail_goes_by_the_gateway_that_policy_names() {
    let ports = world().await;
    kept(&ports, &owner(), "mail", smtp()).await;
    let routes = json!({ "email_routes": [{ "gateway": "mail" }] });
    let reference = on_its_way(&ports, routes, Channel::Email).await;
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(only_handed(&ports), (Sender::Smtp, 1));
    let provider = ScriptedProvider::of(Kind::Smtp);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Accepted);
    let asked = provider.take().remove(0);
    let Letter::Email(mail) = &asked.letter else { panic!("a mail") };
    assert_eq!(mail.from.expose(), "no-reply@acme.example");
    assert_eq!(mail.from_name.as_deref(), Some("Acme sign-in"));
    assert_eq!(mail.reply_to.as_ref().unwrap().expose(), "help@acme.example");
    assert!(asked.with_credentials && matches!(asked.settings, Settings::Smtp(_)));
    assert_eq!(asked.reference, format!("acme/{}/1", reference.id));
    assert_eq!(asked.receipts, None);
}

#[tokio::test]
async fn a_text_goes_by_twilio_with_a_url_for_its_receipt() {
    let ports = world().await;
    kept(&ports, &owner(), "texts", twilio()).await;
    let routes = json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"] });
    let reference = on_its_way(&ports, routes, Channel::Sms).await;
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(only_handed(&ports), (Sender::Twilio, 1));
    let provider = ScriptedProvider::of(Kind::Twilio);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Accepted);
    let asked = provider.take().remove(0);
    let Letter::Text(text) = &asked.letter else { panic!("a text") };
    assert_eq!(text.to.expose(), "+447700900123");
    assert!(text.text.expose().contains("/e/"), "the link");
    let url = asked.receipts.unwrap();
    let start = format!("https://otp.example.org/receipts/twilio/acme/{}/1/", reference.id);
    assert!(url.strip_prefix(&start).is_some_and(|key| key.len() > 40), "{url}");
}

#[tokio::test]
async fn a_text_by_mail_is_plain_and_goes_where_the_number_is_read_from() {
    let ports = world().await;
    kept(&ports, &owner(), "mail", smtp()).await;
    let mut document = texts_by_mail();
    document["settings"]["max_characters"] = json!(1000);
    kept(&ports, &owner(), "texts", document).await;
    let routes = json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"] });
    let reference = on_its_way(&ports, routes, Channel::Sms).await;
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(only_handed(&ports), (Sender::Smtp, 1), "by what carries its mails");
    let provider = ScriptedProvider::of(Kind::Smtp);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Accepted);
    let mail = provider.mail();
    assert_eq!(mail.to.expose(), "447700900123@sms.example.net");
    assert_eq!(mail.subject.expose(), "pin12345");
    assert!(mail.html.is_none() && mail.pictures.is_empty() && mail.text.expose().contains("/e/"));
}

#[tokio::test]
async fn a_text_that_the_third_party_would_cut_is_not_sent() {
    let ports = world().await;
    kept(&ports, &owner(), "mail", smtp()).await;
    let mut short = texts_by_mail();
    short["settings"]["max_characters"] = json!(40);
    kept(&ports, &owner(), "texts", short).await;
    let routes = json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"] });
    let reference = on_its_way(&ports, routes, Channel::Sms).await;
    deliver(&ports, &reference).await.unwrap();
    let provider = ScriptedProvider::of(Kind::Smtp);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Refused);
    assert!(provider.take().is_empty());
    let message = message(&ports, &reference).await;
    let HopState::Ended { ending, reason, .. } = &message.last_hop().unwrap().state else {
        panic!("{message:?}")
    };
    assert_eq!(*ending, Ending::ContentBad);
    assert!(reason.starts_with("no mail can be made of the text"), "{reason}");
}

#[tokio::test]
async fn a_gateway_texts_the_countries_that_it_names_and_no_others() {
    let ports = world().await;
    let mut german = twilio();
    german["countries"] = json!(["DE"]);
    kept(&ports, &owner(), "texts", german).await;
    let routes = json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"] });
    let reference = on_its_way(&ports, routes, Channel::Sms).await;
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Closed);
    let message = message(&ports, &reference).await;
    assert_eq!(message.status, MessageStatus::Failed);
    assert_eq!(message.reason.as_deref(), Some("the gateway texts may not send texts to GB"));
}

#[tokio::test]
async fn a_route_in_trouble_is_left_for_the_next_and_one_that_is_void_is_passed_over() {
    let ports = world().await;
    kept(&ports, &owner(), "first", twilio()).await;
    let mut void = twilio();
    void["credentials"] = Value::Null;
    kept(&ports, &owner(), "void", void).await;
    kept(&ports, &owner(), "third", twilio()).await;
    let names = ["first", "void", "third"].map(|id| json!({ "gateway": id }));
    let reference =
        on_its_way(&ports, json!({ "sms_routes": names, "channels": ["sms"] }), Channel::Sms).await;
    deliver(&ports, &reference).await.unwrap();
    let provider =
        ScriptedProvider::of(Kind::Twilio).that_says(Outcome::ConfigurationBad, "Twilio 20003: no");
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Refused);
    ports.queue().take();
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Handed);
    assert_eq!(only_handed(&ports), (Sender::Twilio, 2));
    let message = message(&ports, &reference).await;
    assert_eq!(message.last_hop().unwrap().via.gateway.as_ref().unwrap().id.as_str(), "third");
}

#[tokio::test]
async fn credentials_that_are_gone_are_the_gateways_trouble() {
    let ports = world().await;
    kept(&ports, &owner(), "texts", twilio()).await;
    let routes = json!({ "sms_routes": [{ "gateway": "texts" }], "channels": ["sms"] });
    let reference = on_its_way(&ports, routes, Channel::Sms).await;
    deliver(&ports, &reference).await.unwrap();
    for name in ports.secrets().keys() {
        use crate::ports::CredentialStore as _;
        ports.credentials().remove_credentials(name).await.unwrap();
    }
    let provider = ScriptedProvider::of(Kind::Twilio);
    assert_eq!(send(&ports, &provider, &reference, 1).await.unwrap(), Sent::Refused);
    assert!(provider.take().is_empty());
    assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Held);
}

#[tokio::test]
async fn a_test_says_what_the_provider_said() {
    let ports = world().await;
    let mut off = twilio();
    off["enabled"] = json!(false);
    kept(&ports, &owner(), "texts", off).await;
    let keeper = Keeper { owner: owner(), actor: Actor::System };
    let (id, order) = (GatewayId::try_from("texts").unwrap(), test("+447700900123", Some("Hello")));
    let provider = ScriptedProvider::of(Kind::Twilio);
    let said = Said::line("HTTP 401: Authenticate +447700900123");
    provider.now_says(Report::of(Outcome::ConfigurationBad, "Twilio 20003: the login is wrong", said));
    let until = patience(&ports);
    let testing = test_gateway(&ports, &keeper, &id, &order, until, Once::not_kept());
    let working = async {
        loop {
            if let Some(Queued::Hand(Sender::Twilio, reference, hop, _)) = ports.queue().take().pop() {
                break send(&ports, &provider, &reference, hop).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    };
    let (tested, worked) = tokio::join!(testing, working);
    let message = tested.unwrap();
    assert_eq!(worked, Sent::Refused);
    assert_eq!(message.status, MessageStatus::Failed);
    assert_eq!(message.reason.as_deref(), Some("Twilio 20003: the login is wrong"));
    let said = &message.last_hop().unwrap().said;
    assert!(said[0].contains("HTTP 401") && !said[0].contains("900123"), "{said:?}");
    let Letter::Text(text) = provider.take().remove(0).letter else { panic!("a text") };
    assert_eq!(text.text.expose(), "Hello");
    assert!(ports.queue().take().is_empty(), "a test has one hop");
}

#[tokio::test]
async fn a_test_that_nobody_works_off_is_answered_in_time() {
    let ports = world().await;
    kept(&ports, &owner(), "texts", twilio()).await;
    let keeper = Keeper { owner: owner(), actor: Actor::System };
    let (id, order) = (GatewayId::try_from("texts").unwrap(), test("+447700900123", None));
    let (before, until) = (ports.clock().now(), patience(&ports));
    let message = test_gateway(&ports, &keeper, &id, &order, until, Once::not_kept()).await.unwrap();
    assert_eq!(message.status, MessageStatus::Sending);
    let took = ports.clock().now().millis() - before.millis();
    assert!(took <= 8_500, "{took} ms");
}

#[tokio::test]
async fn a_changed_gateway_is_tested_as_it_is_now() {
    let ports = world().await;
    kept(&ports, &owner(), "texts", twilio()).await;
    let mut changed = twilio();
    changed["settings"]["from"] = json!("+447700900999");
    kept(&ports, &owner(), "texts", changed).await;
    assert_eq!(ports.store().owned(&owner()).await.unwrap().gateways[0].version, 2);
    let keeper = Keeper { owner: owner(), actor: Actor::System };
    let (id, order) = (GatewayId::try_from("texts").unwrap(), test("+447700900123", None));
    let until = ports.clock().now();
    let message = test_gateway(&ports, &keeper, &id, &order, until, Once::not_kept()).await.unwrap();
    let provider = ScriptedProvider::of(Kind::Twilio);
    send(&ports, &provider, &MessageRef::from(&message), 1).await.unwrap();
    let Settings::Twilio(settings) = provider.take().remove(0).settings else { panic!("twilio") };
    assert_eq!(settings.from.unwrap().as_str(), "+447700900999");
}

fn test(number: &str, text: Option<&str>) -> GatewayTest {
    GatewayTest {
        to: Address::Sms(PhoneNumber::try_from(number).unwrap()),
        text: text.map(|text| text.try_into().unwrap()),
        code: None,
        tenant: None,
    }
}
