use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::contact::PhoneNumber;
use crate::document::{Fault, Whole};
use crate::ids::{GatewayId, TenantId};
use crate::policy::Route;
use crate::secret::SecretText;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LATER: Timestamp = Timestamp::from_seconds(1_800_000_060);
const GUIDE: &str = include_str!("../../../../docs/gateways.md");

/// JSON as the guide and these tests write it.
fn json(text: &str) -> Value {
    let (value, rest) = json_value(text);
    assert_eq!(rest.trim(), "");
    value
}

fn json_value(text: &str) -> (Value, &str) {
    let text = text.trim_start();
    let word = |word: &str, value| (value, text.strip_prefix(word).unwrap());
    match text.as_bytes()[0] {
        b'{' => {
            let (items, rest) = json_items(&text[1..], '}');
            let members = items.into_iter().map(|(name, value)| (name.unwrap(), value)).collect();
            (Value::Object(members), rest)
        }
        b'[' => {
            let (items, rest) = json_items(&text[1..], ']');
            (Value::List(items.into_iter().map(|(_, value)| value).collect()), rest)
        }
        b'"' => {
            let end = text[1..].find('"').unwrap() + 1;
            (Value::text(text[1..end].replace("\\n", "\n")), &text[end + 1..])
        }
        b'n' => word("null", Value::Null),
        b't' => word("true", Value::Flag(true)),
        b'f' => word("false", Value::Flag(false)),
        _ => {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            (Value::Whole(text[..end].parse().unwrap()), &text[end..])
        }
    }
}

fn json_items(text: &str, end: char) -> (Vec<(Option<String>, Value)>, &str) {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    while !rest.starts_with(end) {
        let (first, after) = json_value(rest);
        let (name, value, after) = match (first, after.trim_start().strip_prefix(':')) {
            (Value::Text(name), Some(after)) => {
                let (value, after) = json_value(after);
                (Some(name), value, after)
            }
            (value, _) => (None, value, after),
        };
        items.push((name, value));
        let after = after.trim_start();
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
    (items, &rest[1..])
}

/// The guide's example of a kind: what operators are shown is what is tested here.
fn example(kind: Kind) -> Value {
    let (_, section) = GUIDE.split_once(&format!("\n## {}\n", kind.as_str())).unwrap();
    let (_, example) = section.split_once("```json\n").unwrap();
    json(example.split_once("```").unwrap().0)
}

fn members(value: &mut Value) -> &mut BTreeMap<String, Value> {
    let Value::Object(members) = value else { panic!("an object") };
    members
}

/// `document` with these members of its settings set; null takes one away.
fn with_settings(mut document: Value, changes: &str) -> Value {
    let Value::Object(changes) = json(changes) else { panic!("an object") };
    members(members(&mut document).get_mut("settings").unwrap()).extend(changes);
    document
}

/// `document` with these members set; null takes one away.
fn with(mut document: Value, changes: &str) -> Value {
    let Value::Object(changes) = json(changes) else { panic!("an object") };
    members(&mut document).extend(changes);
    document
}

fn tenant(id: &str) -> TenantId {
    TenantId::try_from(id).unwrap()
}

fn owner(value: &Value) -> Owner {
    let Value::Object(members) = value else { return Owner::Platform };
    let lent = members.get("tenants").is_some_and(|tenants| *tenants != Value::Null);
    if lent { Owner::Platform } else { Owner::Tenant(tenant("acme")) }
}

fn read(value: &Value) -> GatewayDocument {
    GatewayDocument::read(value, &owner(value)).unwrap()
}

fn faults_of(value: &Value) -> Vec<Fault> {
    GatewayDocument::read(value, &owner(value)).unwrap_err().all().to_vec()
}

fn pointers(value: &Value) -> Vec<String> {
    faults_of(value).into_iter().map(|fault| fault.pointer).collect()
}

/// A gateway of this document, its credentials stored.
fn stored(value: &Value) -> Gateway {
    let id = GatewayId::try_from("main").unwrap();
    let (gateway, credentials) = Gateway::new(id, owner(value), read(value), NOW);
    match credentials {
        Some(credentials) => gateway.holding("secrets/main/1", &credentials, NOW),
        None => gateway,
    }
}

fn advised(gateway: &Gateway) -> Vec<&'static str> {
    gateway.advice().into_iter().map(|advice| advice.pointer).collect()
}

#[test]
fn the_guides_examples_are_read_written_and_read_again() {
    for kind in Kind::ALL.iter().copied() {
        let document = read(&example(kind));
        assert_eq!(document.configuration.settings.kind(), kind);
        assert_eq!(document.credentials.as_ref().map(Credentials::kind).is_some(), kind.takes_credentials());
        let written = document.write();
        let again = GatewayDocument::read(&written, &owner(&written)).unwrap();
        assert_eq!(again.configuration, document.configuration);
        assert!(again.credentials.is_none());
        let gateway = stored(&example(kind));
        assert!(gateway.is_ready());
        assert_eq!(gateway.advice(), [], "{}", kind.as_str());
        assert_eq!(gateway.document().write(), written);
    }
}

#[test]
fn the_guide_has_every_field() {
    for kind in Kind::ALL.iter().copied() {
        let mut rows: Vec<_> = kind
            .fields()
            .into_iter()
            .map(|Field { name, meaning, range, usual, .. }| {
                let usual = match usual {
                    Usual::Needed => "needed".to_owned(),
                    Usual::Nothing => "–".to_owned(),
                    Usual::Value(Value::Text(text)) => format!("`{text}`"),
                    Usual::Value(Value::Whole(number)) => format!("`{number}`"),
                    Usual::Value(other) => panic!("{other:?}"),
                };
                format!("| `{name}` | {meaning} | {range} | {usual} |")
            })
            .collect();
        for part in Part::of(kind).iter().copied() {
            rows.push(format!("| `{}` | {} | {} |", part.as_str(), part.meaning(), part.range()));
        }
        for row in &rows {
            assert!(
                GUIDE.contains(row),
                "docs/gateways.md lacks rows of {}:\n{}",
                kind.as_str(),
                rows.join("\n")
            );
        }
    }
}

#[test]
fn kinds_serve_their_channels() {
    let channels: Vec<_> = Kind::ALL.iter().map(|kind| (kind.channel(), kind.takes_credentials())).collect();
    let (email, sms) = (Channel::Email, Channel::Sms);
    assert_eq!(channels, [(email, false), (email, true), (sms, true), (sms, true), (sms, true)]);
}

#[test]
fn every_fault_is_told_at_once() {
    let value = json(
        r#"{
            "name": "", "kind": "smtp", "enabled": 1, "countries": ["GB", "UK"], "rate_per_second": 0,
            "tenants": {"named": ["acme", "A"], "all": true},
            "settings": {
                "host": "smtp://mail.example.org", "port": 0, "tls": "none", "authentication": "plain",
                "from": {"name": "a\nb", "address": "a@b"}, "reply_to": 1, "helo": "x"
            },
            "credentials": {"user": "", "passwort": "x"}, "colour": "red"
        }"#,
    );
    assert_eq!(
        pointers(&value),
        [
            "/name",
            "/enabled",
            "/countries/1",
            "/countries",
            "/rate_per_second",
            "/tenants/named/1",
            "/tenants",
            "/settings/host",
            "/settings/port",
            "/settings/from/name",
            "/settings/from/address",
            "/settings/reply_to",
            "/settings/tls",
            "/settings/helo",
            "/credentials/user",
            "/credentials/passwort",
            "/credentials/password",
            "/colour",
        ]
    );
    let nothing = GatewayDocument::read(&json("{}"), &Owner::Platform).unwrap_err();
    let missing: Vec<_> = nothing.all().iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(missing, ["/name", "/kind", "/tenants", "/settings"]);
    assert_eq!(pointers(&Value::text("x")), [""]);
}

/// Documents that differ from the guide's in one thing, and where that is told.
#[test]
fn what_is_wrong_is_told_where_it_is() {
    let cases = [
        (Kind::Ses, r#"{"from": {"name": "Acme"}}"#, "/settings/from/address"),
        (Kind::Ses, r#"{"configuration_set": "a b"}"#, "/settings/configuration_set"),
        (Kind::Ses, r#"{"region": "eu-west-1"}"#, "/settings/region"),
        (Kind::Smtp, r#"{"host": "user@mail.example.org"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"host": "mail.example.org:25"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"host": "127.1"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"host": "0x7f000001"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"host": "[::1]"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"host": "mäil.example.org"}"#, "/settings/host"),
        (Kind::Smtp, r#"{"port": 65536}"#, "/settings/port"),
        (Kind::Smtp, r#"{"tls": "opportunistic"}"#, "/settings/tls"),
        (Kind::Smtp, r#"{"tls": "none"}"#, "/settings/tls"),
        (Kind::Smtp, r#"{"authentication": "none"}"#, "/credentials"),
        (Kind::Smtp, r#"{"authentication": null}"#, "/credentials"),
        (Kind::Smtp, r#"{"ehlo_name": "a b"}"#, "/settings/ehlo_name"),
        (Kind::Smtp, r#"{"ca_certificate": "MAMCAQE="}"#, "/settings/ca_certificate"),
        (Kind::Twilio, r#"{"account_sid": "AC123"}"#, "/settings/account_sid"),
        (Kind::Twilio, r#"{"from": "Acme GmbH & Co KG"}"#, "/settings/from"),
        (Kind::Twilio, r#"{"from": null}"#, "/settings/from"),
        (
            Kind::Twilio,
            r#"{"messaging_service_sid": "MG00112233445566778899aabbccddeeff"}"#,
            "/settings/messaging_service_sid",
        ),
        (Kind::GovukNotify, r#"{"template_id": "5135a8c1"}"#, "/settings/template_id"),
        (Kind::GovukNotify, r#"{"placeholder": "text"}"#, "/settings/placeholder"),
        (Kind::EmailToSms, r#"{"via": "Mail"}"#, "/settings/via"),
        (Kind::EmailToSms, r#"{"address": "sms@example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "{number}{number}@example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "sms@{number}.example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "{number}@sms"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "{number}@sms.example.org, a@example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "{phone}@sms.example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"address": "{number@sms.example.org"}"#, "/settings/address"),
        (Kind::EmailToSms, r#"{"number_form": "national"}"#, "/settings/calling_code"),
        (Kind::EmailToSms, r#"{"calling_code": "44"}"#, "/settings/calling_code"),
        (Kind::EmailToSms, r#"{"trunk_prefix": "0"}"#, "/settings/trunk_prefix"),
        (Kind::EmailToSms, r#"{"subject": "a\nBcc: b@example.org"}"#, "/settings/subject"),
        (Kind::EmailToSms, r#"{"subject": "}"}"#, "/settings/subject"),
        (Kind::EmailToSms, r#"{"subject": null}"#, "/credentials/pin"),
        (Kind::EmailToSms, r#"{"body": "no text"}"#, "/settings/body"),
        (Kind::EmailToSms, r#"{"max_characters": 10}"#, "/settings/max_characters"),
        (Kind::EmailToSms, r#"{"address": "{number}.{pin}@sms.example.org"}"#, "/credentials/pin"),
    ];
    for (kind, changes, pointer) in cases {
        assert_eq!(pointers(&with_settings(example(kind), changes)), [pointer], "{changes}");
    }
}

#[test]
fn credentials_are_checked() {
    let (sid, secret) = ("SK00112233445566778899aabbccddeeff", "0123456789abcdef");
    let (a, b) = ("11111111-2222-4333-8444-555566667777", "88888888-9999-4AAA-8bbb-ccccddddeeee");
    let cases = [
        (Kind::Ses, "{}".to_owned(), vec!["/credentials"]),
        (Kind::Smtp, "{}".to_owned(), vec!["/credentials/user", "/credentials/password"]),
        (Kind::Smtp, r#"{"user": "otpost"}"#.to_owned(), vec!["/credentials/password"]),
        (Kind::Smtp, r#"{"user": "otpost", "password": "a\nb"}"#.to_owned(), vec!["/credentials/password"]),
        (Kind::Smtp, r#""otpost:secret""#.to_owned(), vec!["/credentials"]),
        (Kind::Twilio, "{}".to_owned(), vec!["/credentials"]),
        (Kind::Twilio, r#"{"auth_token": "short"}"#.to_owned(), vec!["/credentials/auth_token"]),
        (Kind::Twilio, format!(r#"{{"auth_token": "{secret}"}}"#), vec![]),
        (Kind::Twilio, format!(r#"{{"api_key_sid": "{sid}"}}"#), vec!["/credentials/api_key_secret"]),
        (Kind::Twilio, format!(r#"{{"api_key_secret": "{secret}"}}"#), vec!["/credentials/api_key_sid"]),
        (Kind::Twilio, format!(r#"{{"api_key_sid": "{sid}", "api_key_secret": "{secret}"}}"#), vec![]),
        (
            Kind::Twilio,
            r#"{"api_key_sid": 1}"#.to_owned(),
            vec!["/credentials/api_key_sid", "/credentials/api_key_secret"],
        ),
        (
            Kind::GovukNotify,
            r#"{"callback_token": "0123456789abcdef"}"#.to_owned(),
            vec!["/credentials/api_key"],
        ),
        (Kind::GovukNotify, format!(r#"{{"api_key": "{a}-{b}"}}"#), vec!["/credentials/api_key"]),
        (Kind::GovukNotify, format!(r#"{{"api_key": "-{a}-{b}"}}"#), vec!["/credentials/api_key"]),
        (Kind::GovukNotify, format!(r#"{{"api_key": "name-{a}{b}"}}"#), vec!["/credentials/api_key"]),
        (Kind::GovukNotify, format!(r#"{{"api_key": "name-{a}-{b}0"}}"#), vec!["/credentials/api_key"]),
        (
            Kind::GovukNotify,
            format!(r#"{{"api_key": "a-b-c-{a}-{b}", "callback_token": "short"}}"#),
            vec!["/credentials/callback_token"],
        ),
        (Kind::GovukNotify, format!(r#"{{"api_key": "a-b-c-{a}-{b}"}}"#), vec![]),
        (Kind::EmailToSms, r#"{"pin": "a b"}"#.to_owned(), vec!["/credentials/pin"]),
    ];
    for (kind, credentials, wrong) in cases {
        let value = with(example(kind), &format!(r#"{{"credentials": {credentials}}}"#));
        let found = GatewayDocument::read(&value, &owner(&value)).map_or_else(
            |faults| faults.all().iter().map(|fault| fault.pointer.clone()).collect(),
            |_| Vec::new(),
        );
        assert_eq!(found, wrong, "{credentials}");
    }
}

#[test]
fn a_pin_leaves_room_for_the_number() {
    let told = |mailbox: &str, pin: &str| {
        let changes = format!(r#"{{"address": "{mailbox}{{number}}{{pin}}@sms.example.org"}}"#);
        let value = with_settings(example(Kind::EmailToSms), &changes);
        let value = with(value, &format!(r#"{{"credentials": {{"pin": "{pin}"}}}}"#));
        GatewayDocument::read(&value, &owner(&value)).is_ok()
    };
    // A mailbox has 64 characters, of which a number with its trunk prefix may take 18.
    assert!(told("", &"1".repeat(32)) && told(&"a".repeat(14), &"1".repeat(32)));
    assert!(!told("", &"1".repeat(33)) && !told(&"a".repeat(15), &"1".repeat(32)) && !told("", "1-2"));
}

#[test]
fn a_notify_key_is_cut_from_its_end() {
    let document = read(&example(Kind::GovukNotify));
    let Some(Credentials::GovukNotify { api_key, callback_token }) = document.credentials else { panic!() };
    assert_eq!(api_key.service_id(), "11111111-2222-4333-8444-555566667777");
    assert_eq!(api_key.secret(), "88888888-9999-4aaa-8bbb-ccccddddeeee");
    assert!(callback_token.is_some());
    // Bytes that are no characters' edges.
    let odd = "é".repeat(60);
    let parts = [(Part::ApiKey, SecretText::new(odd))];
    assert_eq!(Credentials::from_parts(Kind::GovukNotify, parts).unwrap_err().all()[0].pointer, "/api_key");
}

#[test]
fn credentials_come_back_from_their_parts() {
    for kind in Kind::ALL.iter().copied().filter(|kind| kind.takes_credentials()) {
        let credentials = read(&example(kind)).credentials.unwrap();
        let shown = |credentials: &Credentials| -> Vec<_> {
            credentials.parts().into_iter().map(|(part, text)| (part, text.expose().to_owned())).collect()
        };
        let parts: Vec<_> =
            credentials.parts().into_iter().map(|(part, text)| (part, text.clone())).collect();
        let again = Credentials::from_parts(kind, parts).unwrap();
        assert_eq!(shown(&again), shown(&credentials));
        assert_eq!(again.kind(), kind);
        // Parts of another kind are told, and Amazon SES has none at all.
        let strange = [(Part::User, SecretText::new("u")), (Part::Pin, SecretText::new("p"))];
        assert!(Credentials::from_parts(kind, strange).is_err());
    }
    assert!(Credentials::from_parts(Kind::Ses, []).is_err());
}

#[test]
fn receipts_of_twilio_need_the_auth_token() {
    let login = |credentials: &str| {
        let value = with(example(Kind::Twilio), &format!(r#"{{"credentials": {credentials}}}"#));
        let Some(Credentials::Twilio(login)) = read(&value).credentials else { panic!() };
        (login.signing_key().map(|key| key.expose().to_owned()), advised(&stored(&value)))
    };
    let key = r#""api_key_sid": "SK00112233445566778899aabbccddeeff", "api_key_secret": "0123456789abcdef""#;
    assert_eq!(login(&format!("{{{key}}}")), (None, vec!["/credentials/auth_token"]));
    let token = Some("fedcba9876543210".to_owned());
    assert_eq!(login(&format!(r#"{{{key}, "auth_token": "fedcba9876543210"}}"#)), (token.clone(), vec![]));
    assert_eq!(login(r#"{"auth_token": "fedcba9876543210"}"#), (token, vec![]));
}

#[test]
fn certificates_are_read_and_keys_are_not() {
    let one = r"-----BEGIN CERTIFICATE-----\nMAMC\nAQE=\n-----END CERTIFICATE-----";
    let key = r"-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----";
    let read_pem = |pem: &str| {
        let value = with_settings(example(Kind::Smtp), &format!(r#"{{"ca_certificate": "{pem}"}}"#));
        GatewayDocument::read(&value, &owner(&value)).ok().map(|document| {
            let Settings::Smtp(smtp) = document.configuration.settings else { panic!() };
            smtp.ca_certificate.unwrap().as_str().to_owned()
        })
    };
    let normal = format!("{}\n", one.replace("\\n", "\n"));
    assert_eq!(read_pem(one), Some(normal.clone()));
    assert_eq!(read_pem(&format!(r"\n{one}\n\n")), Some(normal));
    assert!(read_pem(&format!(r"{one}\n{one}")).is_some());
    for bad in [
        "",
        key,
        &format!(r"{one}\n{key}"),
        &format!(r"{key}\n{one}"),
        &one.replace("MAMC", "!!!!"),
        &one.replace("MAMC", "BAMC"),
        &one.replace("END", "ENDE"),
        &format!("{one}{}", r"\n".repeat(9_000)),
        &[one; 5].join(r"\n"),
    ] {
        assert_eq!(read_pem(bad), None, "{bad}");
    }
}

#[test]
fn hosts_are_names_or_addresses() {
    for (given, kept) in [
        ("Mail.Example.ORG", "mail.example.org"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
    ] {
        assert_eq!(Host::try_from(given).unwrap().as_str(), kept);
    }
    for bad in
        ["", ".", "a.", "-a.org", "a_b.org", "a..b", "1.2.3", "1.2.3.256", "fe80::1%eth0", "a\r\nb", "a/b"]
    {
        assert!(Host::try_from(bad).is_err(), "{bad}");
    }
    for good in ["+447700900123", "60777", "Acme", "Acme & Co"] {
        assert_eq!(TextSender::try_from(good).unwrap().is_name(), good.starts_with('A'));
    }
    for bad in ["", "12", "123456789", " Acme", "Acme!", "+0447700900123"] {
        assert!(TextSender::try_from(bad).is_err(), "{bad}");
    }
}

#[test]
fn whose_a_gateway_is_decides_who_uses_it() {
    let ses = example(Kind::Ses);
    let own = with(ses.clone(), r#"{"tenants": null}"#);
    assert_eq!(pointers(&own), ["/kind"]);
    let twilio = example(Kind::Twilio);
    let platform = GatewayDocument::read(&twilio, &Owner::Platform).unwrap_err();
    assert_eq!(platform.all()[0].pointer, "/tenants");
    let lent = with(twilio.clone(), r#"{"tenants": {"all": true}}"#);
    let refused = GatewayDocument::read(&lent, &Owner::Tenant(tenant("acme"))).unwrap_err();
    assert_eq!(refused.all()[0].pointer, "/tenants");
    for bad in [r#"{"all": false}"#, "{}", r#"{"all": true, "named": []}"#] {
        assert_eq!(pointers(&with(ses.clone(), &format!(r#"{{"tenants": {bad}}}"#))), ["/tenants"], "{bad}");
    }
    let serves = |value: &Value| {
        let gateway = stored(value);
        [gateway.serves(&tenant("acme")), gateway.serves(&tenant("other"))]
    };
    assert_eq!(serves(&ses), [true, false]);
    assert_eq!(serves(&twilio), [true, false]);
    assert_eq!(serves(&lent), [true, true]);
    let nobody = with(ses, r#"{"tenants": {"named": []}}"#);
    assert_eq!(serves(&nobody), [false, false]);
    assert_eq!(advised(&stored(&nobody)), ["/tenants"]);
}

#[test]
fn countries_are_for_texts() {
    let country = |code: &str| Country::try_from(code).unwrap();
    let gateway = stored(&with(example(Kind::Twilio), r#"{"countries": ["IE", "GB", "IE"]}"#));
    assert!(gateway.may_send_to(country("GB")) && !gateway.may_send_to(country("FR")));
    assert_eq!(gateway.configuration.countries.as_ref().unwrap().len(), 2);
    assert!(stored(&with(example(Kind::Twilio), r#"{"countries": null}"#)).may_send_to(country("FR")));
    assert!(!stored(&example(Kind::Smtp)).may_send_to(country("GB")));
    assert_eq!(pointers(&with(example(Kind::Smtp), r#"{"countries": ["GB"]}"#)), ["/countries"]);
    assert_eq!(pointers(&with(example(Kind::Twilio), r#"{"countries": []}"#)), ["/countries"]);
}

#[test]
fn texts_go_to_numbers_of_named_countries() {
    let may = |countries: &str, to: &str| {
        stored(&with(example(Kind::Twilio), &format!(r#"{{"countries": {countries}}}"#)))
            .may_text(&number(to))
    };
    let (jersey, saint_martin, satellite) = ("+447797712345", "+590690001234", "+881612345678");
    assert!(may(r#"["GB", "IE"]"#, "+447700900123") && may(r#"["GB", "IE"]"#, "+353850123456"));
    assert!(!may(r#"["GB", "IE"]"#, jersey) && may(r#"["JE"]"#, jersey));
    assert!(!may(r#"["MF"]"#, saint_martin) && may(r#"["BL", "FR", "GP", "MF"]"#, saint_martin));
    assert!(!may(r#"["GB", "US"]"#, satellite));
    for to in [jersey, saint_martin, satellite] {
        assert!(may("null", to));
        assert!(!stored(&example(Kind::Smtp)).may_text(&number(to)));
    }
}

#[test]
fn what_is_usual_is_the_same_as_if_it_were_written() {
    use crate::document::{Faults, Member as _, Place, Value};
    let read = BodyPattern::read(&Value::text("{text}"), &Place::root(), &mut Faults::default());
    assert_eq!(read, Some(BodyPattern::text_alone()));
}

#[test]
fn mails_of_texts_go_by_gateways_that_one_may_use() {
    let texts = stored(&example(Kind::EmailToSms));
    assert_eq!(texts.carrier().map(GatewayId::as_str), Some("mail"));
    let lent = |tenants: &str| stored(&with(example(Kind::Ses), &format!(r#"{{"tenants": {tenants}}}"#)));
    assert!(stored(&example(Kind::Smtp)).may_carry(&texts));
    assert!(!lent(r#"{"all": true}"#).may_carry(&texts), "the platform's carries nothing of a tenant's");
    let others = Gateway { owner: Owner::Tenant(tenant("other")), ..stored(&example(Kind::Smtp)) };
    assert!(!others.may_carry(&texts));
    assert!(!stored(&example(Kind::Twilio)).may_carry(&texts));
    assert!(!texts.may_carry(&texts));
    let platforms = stored(&with(example(Kind::EmailToSms), r#"{"tenants": {"all": true}}"#));
    assert!(lent(r#"{"named": []}"#).may_carry(&platforms));
    assert!(!stored(&example(Kind::Smtp)).may_carry(&platforms));
}

/// For each field of each kind: a change of it, and whether that change voids the credentials.
const CHANGES: &[(Kind, &str, &str, bool)] = &[
    (Kind::Ses, "from", r#"{"from": {"address": "other@acme.example"}}"#, false),
    (Kind::Ses, "reply_to", r#"{"reply_to": null}"#, false),
    (Kind::Ses, "configuration_set", r#"{"configuration_set": null}"#, false),
    (Kind::Ses, "tenant_name", r#"{"tenant_name": null}"#, false),
    (Kind::Smtp, "host", r#"{"host": "mail.attacker.example"}"#, true),
    (Kind::Smtp, "port", r#"{"port": 2525}"#, true),
    (Kind::Smtp, "tls", r#"{"tls": "implicit"}"#, true),
    (Kind::Smtp, "authentication", r#"{"authentication": "login"}"#, true),
    (Kind::Smtp, "authentication", r#"{"authentication": "none"}"#, true),
    (Kind::Smtp, "from", r#"{"from": {"address": "other@acme.example"}}"#, false),
    (Kind::Smtp, "reply_to", r#"{"reply_to": null}"#, false),
    (Kind::Smtp, "ehlo_name", r#"{"ehlo_name": null}"#, false),
    (
        Kind::Smtp,
        "ca_certificate",
        r#"{"ca_certificate": "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----"}"#,
        true,
    ),
    (Kind::Twilio, "account_sid", r#"{"account_sid": "ACffeeddccbbaa99887766554433221100"}"#, true),
    (Kind::Twilio, "from", r#"{"from": "Acme"}"#, false),
    (
        Kind::Twilio,
        "messaging_service_sid",
        r#"{"from": null, "messaging_service_sid": "MG00112233445566778899aabbccddeeff"}"#,
        false,
    ),
    (Kind::GovukNotify, "template_id", r#"{"template_id": "00000000-0000-4000-8000-000000000000"}"#, false),
    (Kind::GovukNotify, "sms_sender_id", r#"{"sms_sender_id": null}"#, false),
    (Kind::GovukNotify, "placeholder", r#"{"placeholder": "code"}"#, false),
    (Kind::EmailToSms, "via", r#"{"via": "other"}"#, true),
    (Kind::EmailToSms, "address", r#"{"address": "{number}@sms.attacker.example"}"#, true),
    (Kind::EmailToSms, "number_form", r#"{"number_form": "digits"}"#, false),
    (Kind::EmailToSms, "calling_code", r#"{"number_form": "national", "calling_code": "44"}"#, false),
    (
        Kind::EmailToSms,
        "trunk_prefix",
        r#"{"number_form": "national", "calling_code": "44", "trunk_prefix": "0"}"#,
        false,
    ),
    (Kind::EmailToSms, "subject", r#"{"subject": "token {pin}"}"#, true),
    (Kind::EmailToSms, "body", r#"{"body": "{pin}\n{text}"}"#, true),
    (Kind::EmailToSms, "max_characters", r#"{"max_characters": 459}"#, false),
];

#[test]
fn a_change_of_whom_the_credentials_go_to_voids_them() {
    for (kind, name, changes, voids) in CHANGES.iter().copied() {
        let gateway = stored(&example(kind));
        let document = with(with_settings(example(kind), changes), r#"{"credentials": null}"#);
        let (next, change) = gateway.becomes(read(&document), LATER);
        assert_eq!(next.destination() != gateway.destination(), voids, "{name}");
        match change {
            CredentialChange::Voided => assert!(voids && next.credentials.is_none(), "{name}"),
            CredentialChange::Kept => {
                assert!(!voids, "{name}");
                assert_eq!(next.credentials, gateway.credentials, "{name}");
                assert_eq!(next.usable_credentials().is_some(), kind.takes_credentials(), "{name}");
            }
            CredentialChange::Replaced(_) => panic!("{name}"),
        }
        assert_eq!(next.lacks_credentials(), voids && !changes.contains(r#""none""#), "{name}");
    }
    let covered: BTreeSet<_> = CHANGES.iter().map(|(kind, name, ..)| (kind.as_str(), *name)).collect();
    let all: BTreeSet<_> = Kind::ALL
        .iter()
        .flat_map(|kind| kind.fields().into_iter().map(|field| (kind.as_str(), field.name)))
        .collect();
    assert_eq!(covered, all);
}

#[test]
fn other_changes_keep_the_credentials_and_another_kind_voids_them() {
    let gateway = stored(&example(Kind::Twilio));
    for changes in
        [r#""name": "Other""#, r#""enabled": false"#, r#""countries": ["FR"]"#, r#""rate_per_second": 5"#]
    {
        let document = with(example(Kind::Twilio), &format!(r#"{{"credentials": null, {changes}}}"#));
        let (next, change) = gateway.becomes(read(&document), LATER);
        assert!(matches!(change, CredentialChange::Kept), "{changes}");
        assert_eq!(next.credentials, gateway.credentials);
        assert_eq!((next.version, next.created_at, next.updated_at), (2, NOW, LATER));
    }
    let notify = with(example(Kind::GovukNotify), r#"{"credentials": null}"#);
    let (next, change) = gateway.becomes(read(&notify), LATER);
    assert!(matches!(change, CredentialChange::Voided));
    assert!(!next.is_ready());
    assert_eq!(advised(&next), ["/credentials"]);
}

#[test]
fn credentials_that_are_given_replace_those_that_are_held() {
    let gateway = stored(&example(Kind::Smtp));
    let document = with_settings(example(Kind::Smtp), r#"{"host": "mail.other.example"}"#);
    let (next, change) = gateway.becomes(read(&document), LATER);
    let CredentialChange::Replaced(credentials) = change else { panic!() };
    assert!(next.lacks_credentials());
    let next = next.holding("secrets/main/2", &credentials, LATER);
    let held = next.usable_credentials().unwrap();
    assert_eq!((held.reference.as_str(), held.set_at), ("secrets/main/2", LATER));
    assert_eq!(held.parts, [Part::User, Part::Password]);
    assert_eq!(Destination::stored(held.destination.as_str()), next.destination());
    // Whatever a row says, credentials for one destination are not used for another.
    let mixed = Gateway { configuration: next.configuration.clone(), ..gateway };
    assert!(mixed.credentials.is_some() && mixed.usable_credentials().is_none() && !mixed.is_ready());
    let without = next.without_credentials(LATER);
    assert_eq!((without.credentials, without.version), (None, 3));
}

#[test]
fn what_is_weak_is_told() {
    let told = |kind, changes: &str, credentials: &str| {
        let value = with_settings(example(kind), changes);
        advised(&stored(&with(value, &format!(r#"{{"credentials": {credentials}}}"#))))
    };
    let mail = r#"{"user": "u", "password": "p"}"#;
    assert_eq!(told(Kind::Smtp, r#"{"port": 25}"#, mail), ["/settings/port"]);
    assert_eq!(told(Kind::Smtp, r#"{"tls": "implicit"}"#, mail), ["/settings/tls"]);
    assert_eq!(told(Kind::Smtp, r#"{"port": 465}"#, mail), ["/settings/tls"]);
    assert_eq!(told(Kind::Smtp, r#"{"authentication": "login"}"#, mail), ["/settings/authentication"]);
    assert_eq!(told(Kind::Smtp, "{}", "null"), ["/credentials"]);
    let open = r#"{"port": 25, "tls": "none", "authentication": "none",
        "ca_certificate": "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----"}"#;
    assert_eq!(
        told(Kind::Smtp, open, "null"),
        ["/settings/port", "/settings/tls", "/settings/ca_certificate"]
    );
    assert_eq!(told(Kind::Twilio, "{}", "null"), ["/credentials"]);
    let texts = r#"{"address": "{number}@sms.example.org", "subject": null, "max_characters": 70, "body": "{text}$$"}"#;
    assert_eq!(told(Kind::EmailToSms, texts, "null"), ["/settings/max_characters"]);
    let key = "otpost-11111111-2222-4333-8444-555566667777-88888888-9999-4aaa-8bbb-ccccddddeeee";
    assert_eq!(
        told(Kind::GovukNotify, r#"{"placeholder": "code"}"#, &format!(r#"{{"api_key": "{key}"}}"#)),
        ["/settings/placeholder", "/credentials/callback_token"]
    );
    let named = with(with_settings(example(Kind::Twilio), r#"{"from": "Acme"}"#), r#"{"countries": ["CA"]}"#);
    assert_eq!(advised(&stored(&named)), ["/settings/from"]);
    let shared = with(example(Kind::Ses), r#"{"tenants": {"all": true}}"#);
    assert_eq!(advised(&stored(&shared)), ["/settings/tenant_name"]);
    for kind in Kind::ALL.iter().copied() {
        for advice in stored(&with(example(kind), r#"{"credentials": null}"#)).advice() {
            assert!(advice.told.ends_with('.'));
            assert!(GUIDE.contains(&format!("| `{}` |", advice.pointer)), "{}", advice.pointer);
        }
    }
}

fn texts(changes: &str) -> EmailToSms {
    let value = with(with_settings(example(Kind::EmailToSms), changes), r#"{"credentials": null}"#);
    let Settings::EmailToSms(settings) = read(&value).configuration.settings else { panic!() };
    *settings
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::try_from(text).unwrap()
}

#[test]
fn a_text_becomes_a_mail() {
    let pin = SecretText::new("1234");
    let text = SecretText::new(" Your code is {pin} {number}:\r\n123456 ");
    let number = number("+447700900123");
    let filled = |changes: &str| {
        let gateway = texts(changes);
        let text = Text { number: &number, text: &text, pin: Some(&pin) };
        (
            gateway.address(&number, Some(&pin)).unwrap().expose().to_owned(),
            gateway.subject(&text).map(|subject| subject.expose().to_owned()),
            gateway.body(&text).unwrap().expose().to_owned(),
        )
    };
    let (address, subject, body) = filled("{}");
    assert_eq!(address, "+447700900123@sms.example.org");
    assert_eq!(subject, Ok("1234".to_owned()));
    assert_eq!(body, " Your code is {pin} {number}:\n123456 ", "what fills a place is not filled again");
    let (address, subject, body) = filled(
        r#"{"address": "{number}.{pin}@sms.example.org", "number_form": "national", "calling_code": "44",
            "trunk_prefix": "0", "subject": "{text}", "body": "Pass:{pin}\n{text}$$"}"#,
    );
    assert_eq!(address, "07700900123.1234@sms.example.org");
    assert_eq!(subject, Err(Unfit::Subject), "a text of two lines");
    assert_eq!(body, "Pass:1234\n Your code is {pin} {number}:\n123456 $$");
}

#[test]
fn what_does_not_fit_is_refused() {
    let uk = number("+447700900123");
    let national = texts(r#"{"number_form": "national", "calling_code": "1"}"#);
    assert_eq!(national.address(&uk, None), Err(Unfit::Abroad));
    assert_eq!(texts("{}").address(&number("+2901234"), None), Err(Unfit::Number));
    let with_pin = texts(r#"{"address": "{number}.{pin}@sms.example.org"}"#);
    assert_eq!(with_pin.address(&uk, None), Err(Unfit::NoPin));
    assert_eq!(with_pin.address(&uk, Some(&SecretText::new("a@b"))), Err(Unfit::Address));
    let body = |text: &str| {
        texts("{}").body(&Text { number: &uk, text: &SecretText::new(text), pin: None }).map(|_| ())
    };
    assert_eq!(body(&"é".repeat(160)), Ok(()));
    assert_eq!(body(&"é".repeat(161)), Err(Unfit::TooLong { found: 161, most: 160 }));
    assert_eq!(body("a\u{0}b"), Err(Unfit::Body));
    assert_eq!(body("a\rb"), Err(Unfit::Body));
}

/// A gateway of this id and owner, of the guide's example of a kind.
fn of(owner: &Owner, id: &str, value: &Value) -> Gateway {
    let id = GatewayId::try_from(id).unwrap();
    let (gateway, credentials) =
        Gateway::new(id, owner.clone(), GatewayDocument::read(value, owner).unwrap(), NOW);
    credentials.iter().fold(gateway, |gateway, credentials| gateway.holding("x", credentials, NOW))
}

#[test]
fn an_id_names_the_tenants_own_gateway_first_and_never_anothers() {
    let acme = Owner::Tenant(tenant("acme"));
    let lent = |kind, tenants: &str| with(example(kind), &format!(r#"{{"tenants": {tenants}}}"#));
    let own = [of(&acme, "mail", &example(Kind::Smtp)), of(&acme, "texts", &example(Kind::EmailToSms))];
    let platforms = [
        of(&Owner::Platform, "all", &lent(Kind::Ses, r#"{"all": true}"#)),
        of(&Owner::Platform, "mail", &lent(Kind::Ses, r#"{"named": ["acme"]}"#)),
        of(&Owner::Platform, "others", &lent(Kind::Ses, r#"{"named": ["other"]}"#)),
    ];
    let reach = Reach::new(tenant("acme"), own.into(), platforms.into());
    let found = |id: &str| reach.find(&GatewayId::try_from(id).unwrap()).map(|found| found.owner.as_str());
    assert_eq!(["mail", "all", "others"].map(found), [Some("acme"), Some("platform"), None]);
    let hidden: Vec<_> = reach.lent().filter(|lent| reach.hides(lent)).map(|lent| lent.id.as_str()).collect();
    assert_eq!(hidden, ["mail"]);
    assert_eq!(reach.lent().count(), 2);
}

#[test]
fn a_message_goes_by_what_talks_to_the_provider() {
    use crate::message::{Sender, Way};
    let acme = Owner::Tenant(tenant("acme"));
    let own = [
        of(&acme, "mail", &example(Kind::Smtp)),
        of(&acme, "off", &with(example(Kind::Twilio), r#"{"enabled": false}"#)),
        of(&acme, "texts", &example(Kind::EmailToSms)),
        of(&acme, "twilio", &example(Kind::Twilio)),
    ];
    let reach =
        Reach::new(tenant("acme"), own.into(), [of(&Owner::Platform, "ses", &example(Kind::Ses))].into());
    let ids = ["texts", "off", "none", "ses", "twilio"].map(|id| GatewayId::try_from(id).unwrap());
    let by = |id: &GatewayId| Route { gateway: id.clone(), wait_seconds: Whole::clamped(20) };
    let named = ids.clone().map(|id| by(&id));
    let routes = reach.routes(&named, Channel::Sms, None);
    let told = |way: &Way| {
        let name = way.via.gateway.as_ref().unwrap();
        assert_eq!(way.wait.as_secs(), 20);
        (name.owner.as_str().to_owned(), name.id.to_string(), way.via.sender)
    };
    let usable: Vec<_> = routes.usable.iter().map(told).collect();
    let acme_has = |id: &str, sender| ("acme".to_owned(), id.to_owned(), sender);
    assert_eq!(usable, [acme_has("texts", Sender::Smtp), acme_has("twilio", Sender::Twilio)]);
    assert_eq!(routes.passed_over.len(), 3, "{:?}", routes.passed_over);
    let mails = reach.routes(&named[3..4], Channel::Email, None);
    assert_eq!(told(&mails.usable[0]), ("platform".to_owned(), "ses".to_owned(), Sender::Ses));

    let id = &ids[3];
    assert!(reach.of_owner(&Owner::Platform, id).is_some() && reach.of_owner(&acme, id).is_none());
    assert!(reach.of_owner(&Owner::Tenant(tenant("other")), &ids[0]).is_none());
}

#[test]
fn routes_that_lead_nowhere_are_told() {
    let acme = Owner::Tenant(tenant("acme"));
    let texts = of(&acme, "texts", &example(Kind::EmailToSms));
    let mail = of(&acme, "mail", &example(Kind::Smtp));
    let off = of(&acme, "off", &with(example(Kind::Twilio), r#"{"enabled": false, "credentials": null}"#));
    let ses = of(&Owner::Platform, "ses", &example(Kind::Ses));
    let troubles = |own: &[Gateway], id: &str, channel| {
        let reach = Reach::new(tenant("acme"), own.into(), [ses.clone()].into());
        reach.troubles(&GatewayId::try_from(id).unwrap(), channel).len()
    };
    let (only, all) = (std::slice::from_ref(&texts), [texts.clone(), mail.clone(), off]);
    assert_eq!(troubles(&all, "ses", Channel::Email), 0);
    assert_eq!(troubles(&all, "ses", Channel::Sms), 1, "of the other channel");
    assert_eq!(troubles(&all, "none", Channel::Email), 1);
    assert_eq!(troubles(&all, "mail", Channel::Email), 0);
    assert_eq!(troubles(&all, "off", Channel::Sms), 2, "not enabled, without credentials");
    assert_eq!(troubles(&all, "texts", Channel::Sms), 0);
    assert_eq!(troubles(only, "texts", Channel::Sms), 1, "nothing carries its mails");
    assert!(texts.is_ready_among(&all) && !texts.is_ready_among(only));
    assert!(texts.carrier_trouble(only).unwrap().starts_with("There is no gateway"));
    let bare = Gateway { credentials: None, ..mail.clone() };
    let disabled = of(&acme, "mail", &with(example(Kind::Smtp), r#"{"enabled": false}"#));
    for carrier in [bare, disabled] {
        assert!(texts.carrier_trouble(&[carrier]).is_some());
    }
    assert_eq!(texts.carrier_trouble(&[mail]), None);
    assert_eq!(ses.carrier_trouble(&[]), None);
    let id = |text: &str| GatewayId::try_from(text).unwrap();
    let settings = crate::policy::Settings {
        mobile_code_gateway: crate::policy::Chosen(Some(id("ses"))),
        ..crate::policy::Settings::default()
    };
    let reach = Reach::new(tenant("acme"), [].into(), [ses.clone()].into());
    let told: Vec<_> = reach.advice(&settings).into_iter().map(|advice| advice.setting).collect();
    assert_eq!(told, ["mobile_code_gateway"]);
}

/// Any tree, most of them no gateway at all.
fn any_value() -> impl Strategy<Value = Value> {
    let mut known = vec!["name", "kind", "enabled", "countries", "rate_per_second", "tenants", "settings"];
    known.extend(["credentials", "all", "named", "address"]);
    known.extend(Kind::ALL.iter().flat_map(|kind| kind.fields()).map(|field| field.name));
    known.extend(Part::ALL.iter().map(|part| part.as_str()));
    let names = prop_oneof![prop::sample::select(known).prop_map(str::to_owned), "\\PC{0,8}"];
    let mut words: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    words.extend(["none", "plain", "starttls", "national", "acme", "GB", "{number}@a.example", "{text}"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Whole),
        (0_i64..1100).prop_map(Value::Whole),
        Just(Value::OtherNumber),
        ".{0,12}".prop_map(Value::Text),
        "[{}@a-z0-9.-]{0,40}".prop_map(Value::Text),
        prop::sample::select(words).prop_map(Value::text),
    ];
    leaf.prop_recursive(4, 48, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::btree_map(names.clone(), inner, 0..8).prop_map(Value::Object),
        ]
    })
}

/// One of the guide's examples with some member somewhere replaced.
fn any_near_example() -> impl Strategy<Value = Value> {
    let within = prop::sample::select(vec!["", "settings", "credentials"]);
    let changes = prop::collection::vec((within, any::<prop::sample::Index>(), any_value()), 0..3);
    (prop::sample::select(Kind::ALL), changes).prop_map(|(kind, changes)| {
        let mut value = example(kind);
        for (within, index, new) in changes {
            let target =
                if within.is_empty() { Some(&mut value) } else { members(&mut value).get_mut(within) };
            if let Some(Value::Object(members)) = target.filter(|target| **target != Value::object([])) {
                let name = members.keys().nth(index.index(members.len())).unwrap().clone();
                members.insert(name, new);
            }
        }
        value
    })
}

fn read_or_told(value: &Value, owner: &Owner) -> Result<(), TestCaseError> {
    match GatewayDocument::read(value, owner) {
        Ok(document) => {
            let again = GatewayDocument::read(&document.write(), owner).unwrap();
            prop_assert_eq!(again.configuration, document.configuration);
        }
        Err(faults) => {
            prop_assert!(!faults.all().is_empty());
            for fault in faults.all() {
                prop_assert!(fault.pointer.is_empty() || fault.pointer.starts_with('/'));
                prop_assert!(
                    fault.told.starts_with("must ") || fault.told.starts_with("is "),
                    "{}",
                    fault.told
                );
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No tree makes reading panic; what is read is written and read again; what is wrong has a place.
    #[test]
    fn any_tree_is_read_or_told(value in any_value(), near in any_near_example()) {
        for value in [&value, &near] {
            read_or_told(value, &Owner::Platform)?;
            read_or_told(value, &Owner::Tenant(tenant("acme")))?;
        }
    }

    /// Credentials are in nothing that is shown: not in `Debug`, not in what is written, not in faults.
    #[test]
    fn credentials_are_never_shown(
        kind in prop::sample::select(vec![Kind::Smtp, Kind::Twilio, Kind::GovukNotify, Kind::EmailToSms]),
        secret in "SECRET[A-Za-z0-9]{14,26}",
    ) {
        let mut value = example(kind);
        let uuid = "11111111-2222-4333-8444-555566667777";
        for (name, part) in members(members(&mut value).get_mut("credentials").unwrap()) {
            *part = Value::text(match name.as_str() {
                "api_key_sid" => "SK00112233445566778899aabbccddeeff".to_owned(),
                "api_key" => format!("{secret}-{uuid}-{uuid}"),
                _ => secret.clone(),
            });
        }
        let document = read(&value);
        let gateway = stored(&value);
        let credentials = document.credentials.clone().unwrap();
        let whole = format!("{document:?} {gateway:?} {credentials:?} {:?}", gateway.becomes(read(&value), NOW));
        let whole = format!("{whole} {:?}", Shown(&document.write()));
        prop_assert!(!whole.contains("SECRET") && !whole.contains(uuid));
        // Each of them wrong.
        for part in members(members(&mut value).get_mut("credentials").unwrap()).values_mut() {
            *part = Value::text(format!("{secret}\n{}", secret.repeat(60)));
        }
        let told = GatewayDocument::read(&value, &owner(&value)).unwrap_err();
        let told = format!("{told} {told:?}");
        prop_assert!(!told.contains("SECRET"));
    }

    /// No number, text or PIN adds a line to the head of a mail, or a recipient.
    #[test]
    fn a_mail_has_one_recipient_and_one_line_of_subject(
        digits in "[1-9][0-9]{6,14}",
        text in any_text(),
        pin in prop_oneof!["[!-~]{1,128}", any_text()],
        address in prop::sample::select(vec![
            "{number}@sms.example.org", "+{number}@sms.example.org", "{number}.{pin}@sms.example.org",
            "{pin}{number}@sms.example.org", "to-{number}+{pin}@sms.example.org",
        ]),
        subject in prop::sample::select(vec!["{text}", "{pin}", "{number}: {text} {pin}", "fixed"]),
        form in prop::sample::select(vec![
            r#""number_form": "digits""#, r#""number_form": "plus""#,
            r#""number_form": "national", "calling_code": "1", "trunk_prefix": "001""#,
        ]),
    ) {
        let gateway = texts(&format!(r#"{{"address": "{address}", "subject": "{subject}", {form}}}"#));
        let number = number(&format!("+{digits}"));
        let (text, pin) = (SecretText::new(text), SecretText::new(pin));
        if let Ok(address) = gateway.address(&number, Some(&pin)) {
            let address = address.expose();
            prop_assert_eq!(address.matches('@').count(), 1);
            prop_assert!(address.ends_with("@sms.example.org"));
            prop_assert!(address.bytes().all(|b| b.is_ascii_graphic() && !b"<>(),;:\"\\[]".contains(&b)));
        }
        let text = Text { number: &number, text: &text, pin: Some(&pin) };
        if let Ok(subject) = gateway.subject(&text) {
            prop_assert!(!subject.expose().chars().any(breaks_a_line));
        }
        if let Ok(body) = gateway.body(&text) {
            prop_assert!(!body.expose().chars().any(|c| c.is_control() && c != '\n'));
            prop_assert!(body.expose().chars().count() <= 160);
        }
    }
}

/// Text with a liking for what ends lines and parts addresses.
fn any_text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "\u{0}",
            "\u{b}",
            "\u{85}",
            "\u{2028}",
            "\u{2029}",
            "Bcc: b@example.org",
            ",",
            ";",
            "<b@example.org>",
            "@",
            "\"",
            "{pin}",
            "{text}",
            "{number}",
            " ",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat())
}

fn breaks_a_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{0}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// A tree with its content, which `Debug` of a `Value` hides.
struct Shown<'a>(&'a Value);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::List(items) => f.debug_list().entries(items.iter().map(Shown)).finish(),
            Value::Object(members) => {
                f.debug_map().entries(members.iter().map(|(name, value)| (name, Shown(value)))).finish()
            }
            other => write!(f, "{other:?}"),
        }
    }
}
