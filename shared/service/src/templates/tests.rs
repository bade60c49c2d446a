//! Templates as operators keep them, and the messages that come of them.

use std::collections::BTreeSet;

use otpost_domain::audit::Actor;
use otpost_domain::contact::{EmailAddress, Locale};
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::{GatewayId, PolicyId, UserId};
use otpost_domain::message::Channel;
use otpost_domain::otp::OtpParameters;
use otpost_domain::policy::PolicyDocument;
use serde_json::json;

use super::*;
use crate::caller::Keeper;
use crate::deliver::deliver;
use crate::document::value_of;
use crate::gateways::keep_gateway;
use crate::memory::{MemoryPorts, ScriptedProvider, operator};
use crate::once::Once;
use crate::policies::keep_policy;
use crate::ports::{MessageRef, MessageStore as _};
use crate::provider::OutgoingEmail;
use crate::push::{Order, push};
use crate::send::send;
use crate::test_send::Address;
use crate::users::{Change, Profile, change_user, create_user};

fn named(text: &str) -> TemplateName {
    TemplateName::try_from(text).unwrap()
}

fn sms(text: &str) -> Value {
    value_of(&json!({ "sms": { "text": text } }))
}

fn mail(subject: &str) -> Value {
    value_of(
        &json!({ "email": { "subject": subject, "text": "[[LINK]]", "html": "<p>[[LOGO]] [[QRCODE]]</p>" } }),
    )
}

async fn acme() -> (MemoryPorts, Caller) {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    (ports, operator("acme"))
}

async fn policy(ports: &MemoryPorts, caller: &Caller, id: &str, document: serde_json::Value) {
    let document = PolicyDocument::read(&value_of(&document)).unwrap();
    keep_policy(ports, caller, &PolicyId::try_from(id).unwrap(), document, Seen::Unsaid).await.unwrap();
}

async fn gateway(ports: &MemoryPorts, owner: Owner, id: &str, mut document: serde_json::Value) {
    document["name"] = id.into();
    let document = GatewayDocument::read(&value_of(&document), &owner).unwrap();
    let keeper = Keeper { owner, actor: Actor::Platform };
    keep_gateway(ports, &keeper, &GatewayId::try_from(id).unwrap(), document, Seen::Unsaid).await.unwrap();
}

fn own(caller: &Caller) -> Owner {
    Owner::Tenant(caller.tenant.clone())
}

/// Amazon SES as the platform lends it to all.
async fn lent(ports: &MemoryPorts, id: &str, from: &str) {
    let settings = json!({ "from": { "address": from } });
    gateway(
        ports,
        Owner::Platform,
        id,
        json!({ "kind": "ses", "tenants": { "all": true }, "settings": settings }),
    )
    .await;
}

async fn keep(
    ports: &MemoryPorts,
    caller: &Caller,
    name: &str,
    document: &Value,
) -> Result<Kept, TemplateError> {
    keep_template(ports, caller, &named(name), document, Seen::Unsaid).await
}

/// Pointer, line and column, and what is told.
type Told = (String, Option<(usize, usize)>, String);

fn faults(kept: Result<Kept, TemplateError>) -> Vec<Told> {
    let Err(TemplateError::Invalid(faults)) = kept else { panic!("{kept:?}") };
    let told =
        |fault: &otpost_domain::document::Fault| (fault.pointer.clone(), fault.position, fault.told.clone());
    faults.all().iter().map(told).collect()
}

/// Delivers a message and gives the mail that left.
async fn sent(ports: &MemoryPorts, reference: &MessageRef) -> OutgoingEmail {
    let provider = ScriptedProvider::ses();
    deliver(ports, reference).await.unwrap();
    send(ports, &provider, reference, 1).await.unwrap();
    provider.mail()
}

async fn jane(ports: &MemoryPorts, caller: &Caller, locale: Option<&str>, groups: &[&str]) -> UserId {
    let jane = UserId::try_from("jane").unwrap();
    let profile = Profile {
        email: EmailAddress::try_from("jane@example.org").ok(),
        locale: locale.map(|text| Locale::try_from(text).unwrap()),
        groups: groups.iter().map(|text| (*text).try_into().unwrap()).collect(),
        ..Profile::default()
    };
    create_user(ports, caller, jane.clone(), profile, Once::not_kept()).await.unwrap();
    jane
}

async fn pushed(ports: &MemoryPorts, caller: &Caller, user: &UserId) -> OutgoingEmail {
    let token = crate::provision::provision(ports, caller, user, OtpParameters::default(), Once::not_kept())
        .await
        .unwrap();
    let order = Order { serial: token.serial, channel: Some(Channel::Email), authorization: None };
    let pushed = push(ports, caller, &order, Once::not_kept()).await.unwrap();
    sent(ports, &MessageRef::from(&pushed.message)).await
}

#[tokio::test]
async fn a_template_is_made_changed_removed_and_brought_back() {
    let (ports, caller) = acme().await;
    let name = named("mobile_code.en");
    let (one, two) = (sms("One: %code%"), sms("Two: %code%"));
    let made = keep(&ports, &caller, "mobile_code.en", &one).await.unwrap();
    assert!(made.made && made.version.version == 1);
    assert_eq!(made.review.sms.unwrap().parts, 1);
    let again = keep(&ports, &caller, "mobile_code.en", &two).await;
    assert!(matches!(again, Err(TemplateError::Unseen)));
    let seen = Seen::Version(1);
    let changed = keep_template(&ports, &caller, &name, &two, seen).await.unwrap();
    assert!(!changed.made && changed.version.version == 2);
    let overtaken = keep_template(&ports, &caller, &name, &one, seen).await;
    assert!(matches!(overtaken, Err(TemplateError::Changed)));
    let same = keep_template(&ports, &caller, &name, &two, Seen::Any).await.unwrap();
    assert_eq!(same.version.version, 2, "nothing changes, nothing is written");

    remove_template(&ports, &caller, &name, Seen::Version(2)).await.unwrap();
    assert!(matches!(
        remove_template(&ports, &caller, &name, Seen::Any).await,
        Err(TemplateError::NoSuchTemplate)
    ));
    let Found::BuiltIn(..) = template(&ports, &caller, &name).await.unwrap() else {
        panic!("the built-in one")
    };
    assert!(
        templates(&ports, &caller, &PageRequest { limit: 9, after: None }).await.unwrap().items.is_empty()
    );
    let empty = restore_template(&ports, &caller, &name, 3, Seen::Any).await;
    assert!(matches!(empty, Err(TemplateError::NoSuchVersion)), "version 3 is the removal");
    let back = restore_template(&ports, &caller, &name, 1, Seen::Version(3)).await.unwrap();
    assert_eq!((back.version.version, back.version.repeats, back.made), (4, Some(1), true));
    let Found::Own(latest) = template(&ports, &caller, &name).await.unwrap() else {
        panic!("the tenant's own")
    };
    assert_eq!(latest.document.unwrap().write(), one);
    let history = versions(&ports, &caller, &name, &PageRequest { limit: 9, after: None }).await.unwrap();
    let numbers: Vec<_> = history.items.iter().map(|version| version.version).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    let actions = ports.actions();
    assert_eq!(
        actions[actions.len() - 4..],
        ["template.saved", "template.saved", "template.removed", "template.saved"]
    );
}

#[tokio::test]
async fn a_made_template_takes_the_place_of_a_removed_one() {
    let (ports, caller) = acme().await;
    let one = sms("One: %code%");
    keep(&ports, &caller, "mobile_code.en", &one).await.unwrap();
    remove_template(&ports, &caller, &named("mobile_code.en"), Seen::Any).await.unwrap();
    let made = keep(&ports, &caller, "mobile_code.en", &one).await.unwrap();
    assert_eq!((made.made, made.version.version), (true, 3));
    let there = keep_template(&ports, &caller, &named("mobile_code.fr"), &one, Seen::Any).await;
    assert!(matches!(there, Err(TemplateError::Changed)), "nothing is there to be replaced");
}

#[tokio::test]
async fn a_template_for_a_policy_needs_the_policy() {
    let (ports, caller) = acme().await;
    let missing = keep(&ports, &caller, "mobile_code.en.staff", &sms("%code%")).await;
    assert!(matches!(missing, Err(TemplateError::NoSuchPolicy(_))));
    policy(&ports, &caller, "staff", json!({ "applies_to": { "groups": ["Staff"] }, "settings": {} })).await;
    assert!(keep(&ports, &caller, "mobile_code.en.staff", &sms("%code%")).await.unwrap().made);
}

#[tokio::test]
async fn a_senders_address_must_be_a_gateways() {
    let (ports, caller) = acme().await;
    let from = |address: &str| {
        value_of(&json!({ "email": { "from": { "address": address }, "subject": "s", "text": "[[LINK]]" } }))
    };
    let told = faults(keep(&ports, &caller, "push_token.en", &from("it@mail.example.org")).await);
    assert_eq!(told[0].0, "/email/from/address");
    lent(&ports, "ses", "otp@mail.example.org").await;
    let told = faults(keep(&ports, &caller, "push_token.en", &from("it@mail.example.org")).await);
    assert_eq!(told.len(), 1, "what is lent speaks for the platform");
    assert!(keep(&ports, &caller, "push_token.en", &from("otp@mail.example.org")).await.is_ok());
    let smtp = json!({
        "kind": "smtp",
        "settings": { "host": "mail.acme.example", "port": 587, "from": { "address": "otp@acme.example" } },
    });
    gateway(&ports, own(&caller), "own", smtp).await;
    assert!(keep(&ports, &caller, "push_token.de", &from("it@acme.example")).await.is_ok(), "its domain");
    assert!(keep(&ports, &caller, "push_token.fr", &from("it@example.org")).await.is_err());
}

#[tokio::test]
async fn the_wildcards_on_offer_are_those_of_the_sender_in_use() {
    let (ports, caller) = acme().await;
    let notify = |placeholder: &str| {
        json!({
            "kind": "govuk_notify",
            "settings": { "template_id": "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11", "placeholder": placeholder },
        })
    };
    gateway(&ports, own(&caller), "whole", notify("message")).await;
    gateway(&ports, own(&caller), "code", notify("code")).await;
    let via = json!({
        "kind": "smtp",
        "settings": { "host": "mail.acme.example", "port": 587, "from": { "address": "otp@acme.example" } },
    });
    gateway(&ports, own(&caller), "mailer", via).await;
    let texts = json!({
        "kind": "email_to_sms",
        "settings": { "via": "mailer", "address": "{number}@sms.example.com", "max_characters": 40 },
    });
    gateway(&ports, own(&caller), "by-mail", texts).await;
    let rich = sms("[[DISPLAYNAME]], type [[CODE]]");
    let kept = keep(&ports, &caller, "mobile_code.en", &rich).await.unwrap();
    let offers: Vec<_> = kept.review.senders.iter().map(|r| (r.gateway.as_str(), r.offers.len())).collect();
    assert_eq!(
        offers,
        [("by-mail", 6), ("code", 1), ("whole", 6)],
        "nothing is refused while none is chosen"
    );

    let routes = |gateway: &str| {
        let route = json!([{ "gateway": gateway }]);
        json!({ "applies_to": { "groups": [gateway] }, "settings": { "sms_routes": route } })
    };
    for gateway in ["code", "whole", "by-mail"] {
        policy(&ports, &caller, gateway, routes(gateway)).await;
    }
    assert!(keep(&ports, &caller, "mobile_code.en.whole", &rich).await.is_ok());
    let told = faults(keep(&ports, &caller, "mobile_code.en.code", &rich).await);
    let refused = "[[DISPLAYNAME]] is not on offer for the sender in use (code), which carries [[CODE]]";
    assert_eq!(told, [("/sms/text".to_owned(), Some((1, 1)), refused.to_owned())]);
    assert!(keep(&ports, &caller, "mobile_code.en.code", &sms("Type %code%")).await.is_ok());
    let told = faults(keep(&ports, &caller, "push_token.en.code", &sms("[[LINK]]")).await);
    assert!(told[0].2.ends_with("which carries nothing"), "{told:?}");
    let long = sms("This text has more characters than the third party takes: %code%");
    let told = faults(keep(&ports, &caller, "mobile_code.en.by-mail", &long).await);
    assert!(told[0].2.contains("more than 40"), "{told:?}");
}

#[tokio::test]
async fn texts_of_a_tenant_have_a_limit() {
    let (ports, caller) = acme().await;
    let text = format!("[[LINK]]{}", "x".repeat(19_000));
    let html = format!("<p>[[LINK]]{}</p>", "x".repeat(90_000));
    let large = value_of(&json!({ "email": { "subject": "s", "text": text, "html": html } }));
    let mut kept = 0;
    let refused = loop {
        match keep(&ports, &caller, &format!("push_token.xx-{kept:0>3}"), &large).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, TemplateError::TooLarge), "{refused}");
    assert_eq!(kept, usize::try_from(MOST_OF_TEXTS).unwrap() / 109_017);
    let name = named("push_token.xx-000");
    assert!(
        keep_template(&ports, &caller, &name, &mail("small"), Seen::Any).await.is_ok(),
        "less is no more"
    );
}

#[tokio::test]
async fn the_next_mail_has_the_new_texts_and_the_one_under_way_the_old() {
    let (ports, caller) = acme().await;
    let user = jane(&ports, &caller, None, &[]).await;
    let built_in = pushed(&ports, &caller, &user).await;
    assert!(built_in.subject.expose().starts_with("Set up your security codes"));
    keep(&ports, &caller, "push_token.en", &mail("First")).await.unwrap();
    let token =
        crate::provision::provision(&ports, &caller, &user, OtpParameters::default(), Once::not_kept())
            .await
            .unwrap();
    let order = Order { serial: token.serial, channel: Some(Channel::Email), authorization: None };
    let under_way = push(&ports, &caller, &order, Once::not_kept()).await.unwrap().message;
    keep_template(&ports, &caller, &named("push_token.en"), &mail("Second"), Seen::Any).await.unwrap();
    assert_eq!(pushed(&ports, &caller, &user).await.subject.expose(), "Second");
    assert_eq!(sent(&ports, &MessageRef::from(&under_way)).await.subject.expose(), "First");
}

#[tokio::test]
async fn the_readers_language_comes_first_then_the_policies_then_the_tenants() {
    let (ports, caller) = acme().await;
    let staff = json!({ "applies_to": { "groups": ["Staff"] }, "settings": { "locale": "it" } });
    policy(&ports, &caller, "staff", staff).await;
    let everyone = json!({ "applies_to": { "everyone": true }, "settings": { "locale": "fr-CA" } });
    policy(&ports, &caller, "all", everyone).await;
    let user = jane(&ports, &caller, Some("pt"), &["Staff"]).await;
    let subject = async || pushed(&ports, &caller, &user).await.subject.expose().to_owned();
    assert!(subject().await.starts_with("Set up"), "English is always there");
    for (name, title) in [("push_token.en", "en"), ("push_token.fr", "fr"), ("push_token.it", "it")] {
        keep(&ports, &caller, name, &mail(title)).await.unwrap();
        assert_eq!(subject().await, title);
    }
    keep(&ports, &caller, "push_token.pt", &mail("pt")).await.unwrap();
    keep(&ports, &caller, "push_token.pt.staff", &mail("pt of staff")).await.unwrap();
    assert_eq!(subject().await, "pt of staff");
    let left = Change { groups: Some(BTreeSet::default()), ..Change::default() };
    change_user(&ports, &caller, &user, left, None).await.unwrap();
    assert_eq!(subject().await, "pt");
}

#[tokio::test]
async fn a_mail_has_the_look_of_its_tenant() {
    let (ports, caller) = acme().await;
    let user = jane(&ports, &caller, None, &[]).await;
    let plain = pushed(&ports, &caller, &user).await;
    assert_eq!(plain.pictures.len(), 1);
    let png = otpost_domain::qr::png("logo", 4).unwrap();
    let logo = otpost_domain::template::Logo::new(png.clone()).unwrap();
    let document = BrandDocument { colour: "#0b6e4f".try_into().unwrap(), logo: Some(logo) };
    assert_eq!(keep_brand(&ports, &caller, document.clone(), Seen::Unsaid).await.unwrap().version, 1);
    assert!(matches!(keep_brand(&ports, &caller, document, Seen::Unsaid).await, Err(TemplateError::Unseen)));
    let branded = pushed(&ports, &caller, &user).await;
    let html = branded.html.unwrap();
    assert!(html.expose().contains("background-color:#0b6e4f") && html.expose().contains("cid:logo@otpost"));
    assert_eq!(branded.pictures.len(), 2);
    assert_eq!(branded.pictures[1].png, png);
}

#[tokio::test]
async fn a_senders_name_is_the_templates_or_the_tenants() {
    let (ports, caller) = acme().await;
    let user = jane(&ports, &caller, None, &[]).await;
    assert_eq!(pushed(&ports, &caller, &user).await.from_name.as_deref(), Some("Acme"));
    let named = json!({ "email": { "from": { "name": "IT Desk" }, "subject": "s", "text": "[[LINK]]" } });
    keep(&ports, &caller, "push_token.en", &value_of(&named)).await.unwrap();
    let mail = pushed(&ports, &caller, &user).await;
    assert_eq!((mail.from_name.as_deref(), mail.from.expose()), (Some("IT Desk"), "otp@example.org"));
}

#[tokio::test]
async fn a_test_arrives_with_a_dead_link_and_is_no_users() {
    let (ports, caller) = acme().await;
    let to = Address::Email(EmailAddress::try_from("ops@example.net").unwrap());
    let order = TestOrder { name: named("push_token.de"), to, gateway: None };
    let message = send_test(&ports, &caller, &order, Once::not_kept()).await.unwrap();
    assert_eq!((message.user.as_ref(), message.recipient.as_str()), (None, "o***@e***.net"));
    let reference = MessageRef::from(&message);
    let mail = sent(&ports, &reference).await;
    assert_eq!(mail.to.expose(), "ops@example.net");
    assert!(mail.subject.expose().contains("Sicherheitscodes"));
    let text = mail.text.expose();
    assert!(text.contains("/e/AAAAAAAAAA") && text.contains("Jane Doe"), "{text}");
    let stored = ports.store().message(&reference).await.unwrap().unwrap();
    assert_eq!((stored.status.as_str(), stored.content), ("sent", None));
    assert_eq!(ports.actions().last(), Some(&"template.tested"));
}

#[tokio::test]
async fn a_test_comes_from_the_address_of_the_gateway_that_was_chosen() {
    let (ports, caller) = acme().await;
    let to = || Address::Email(EmailAddress::try_from("ops@example.net").unwrap());
    let order = |gateway: &str| TestOrder {
        name: named("email_otp.en"),
        to: to(),
        gateway: GatewayId::try_from(gateway).ok(),
    };
    let told = send_test(&ports, &caller, &order("none"), Once::not_kept()).await.unwrap_err().to_string();
    assert!(told.starts_with("There is no gateway none"), "{told}");
    lent(&ports, "ses-2", "otp@mail.example.org").await;
    let message = send_test(&ports, &caller, &order("ses-2"), Once::not_kept()).await.unwrap();
    let mail = sent(&ports, &MessageRef::from(&message)).await;
    assert_eq!(mail.from.expose(), "otp@mail.example.org");
    let sms = TestOrder {
        to: Address::Sms("+447700900123".try_into().unwrap()),
        ..TestOrder { gateway: None, ..order("x") }
    };
    let told = send_test(&ports, &caller, &sms, Once::not_kept()).await.unwrap_err().to_string();
    assert_eq!(told, "A text needs a gateway: name one.");
    keep(&ports, &caller, "email_otp.en", &super::tests::sms("%code%")).await.unwrap();
    let told = send_test(&ports, &caller, &order("ses-2"), Once::not_kept()).await.unwrap_err().to_string();
    assert_eq!(told, "the template has no form for email");
}

#[tokio::test]
async fn a_message_whose_template_is_long_gone_is_sent_in_the_built_in_words() {
    let (ports, caller) = acme().await;
    let user = jane(&ports, &caller, None, &[]).await;
    keep(&ports, &caller, "push_token.de", &mail("Erste")).await.unwrap();
    change_user(
        &ports,
        &caller,
        &user,
        Change { locale: Some(Some(Locale::try_from("de").unwrap())), ..Change::default() },
        None,
    )
    .await
    .unwrap();
    let token =
        crate::provision::provision(&ports, &caller, &user, OtpParameters::default(), Once::not_kept())
            .await
            .unwrap();
    let order = Order { serial: token.serial, channel: Some(Channel::Email), authorization: None };
    let under_way = push(&ports, &caller, &order, Once::not_kept()).await.unwrap().message;
    for number in 0..otpost_domain::template::MOST_VERSIONS {
        let document = mail(&format!("Nummer {number}"));
        keep_template(&ports, &caller, &named("push_token.de"), &document, Seen::Any).await.unwrap();
    }
    let mail = sent(&ports, &MessageRef::from(&under_way)).await;
    assert!(mail.subject.expose().contains("Sicherheitscodes"));
}
