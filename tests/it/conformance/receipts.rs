//! Twilio's call-backs: its own library and our check say the same of every signature.

use otpost_domain::secret::SecretText;
use otpost_receipts::twilio::parameters::Parameters;
use otpost_receipts::twilio::signature::{Content, is_signed};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::python;

/// How many call-backs are signed; each is judged as it is, and changed in every way.
const CALL_BACKS: usize = 400;

/// A call-back before it is signed.
#[derive(Clone, Debug)]
struct Given {
    key: String,
    /// The URL as Otpost has it.
    configured: String,
    /// The URL as Twilio signs it: with its port, or without.
    signed: String,
    content: Sent,
}

/// What it sends.
#[derive(Clone, Debug)]
enum Sent {
    Form(Vec<(String, String)>),
    Json(String),
}

/// A call-back as it comes in.
#[derive(Clone, Debug)]
struct Received {
    key: String,
    url: String,
    json: bool,
    body: String,
    signature: String,
}

fn given() -> impl Strategy<Value = Given> {
    let host = "[a-z]{1,8}(\\.[a-z]{2,5}){1,2}";
    let way = "(/[A-Za-z0-9_.~%-]{1,10}){1,5}/?";
    let query = "(\\?[a-z]{1,4}=[A-Za-z0-9%+_-]{0,8}(&[a-z]{1,4}=[A-Za-z0-9]{0,4}){0,2})?";
    let port = prop_oneof![Just(443_u32), Just(80), 1_u32..65_536];
    let url =
        (any::<bool>(), host, way, query, port, 0..4_u8).prop_map(|(secure, host, way, query, port, how)| {
            let scheme = if secure { "https" } else { "http" };
            let usual = if secure { 443 } else { 80 };
            let plain = format!("{scheme}://{host}{way}{query}");
            let with = |port: u32| format!("{scheme}://{host}:{port}{way}{query}");
            match how {
                0 => (plain.clone(), plain),
                1 => (plain, with(usual)),
                2 => (with(port), with(port)),
                _ => (with(port), plain),
            }
        });
    let name = prop_oneof!["[A-Za-z]{1,12}", "[a-c]", "\\PC{1,4}"];
    let value = prop_oneof!["[ -~]{0,20}", "[a-c]?", "\\PC{0,8}", "\\+[1-9][0-9]{6,14}"];
    let form = prop::collection::vec((name, value), 0..12).prop_map(Sent::Form);
    let members = prop::collection::btree_map("[A-Za-z]{1,12}", "\\PC{0,8}", 0..6);
    let json = members.prop_map(|members| Sent::Json(json!(members).to_string()));
    let key = prop_oneof!["[0-9a-f]{32}", "[!-~]{16,128}"];
    (key, url, prop_oneof![3 => form, 1 => json]).prop_map(|(key, (configured, signed), content)| Given {
        key,
        configured,
        signed,
        content,
    })
}

/// What Twilio's library would send of them.
fn signed(all: &[Given]) -> Vec<Received> {
    let orders = all.iter().map(|given| match &given.content {
        Sent::Form(pairs) => json!({ "key": given.key, "url": given.signed, "pairs": pairs }),
        Sent::Json(body) => json!({ "key": given.key, "url": given.signed, "json": body }),
    });
    let orders = json!(orders.collect::<Vec<_>>()).to_string();
    let answers = python("conformance/validate_call_backs.py", orders.as_bytes());
    let text = |answer: &Value, name: &str| answer[name].as_str().expect("text").to_owned();
    let answers = answers.as_array().expect("a list").clone();
    assert_eq!(answers.len(), all.len());
    all.iter()
        .zip(&answers)
        .map(|(given, answer)| Received {
            key: given.key.clone(),
            url: format!("{}{}", given.configured, text(answer, "added")),
            json: matches!(given.content, Sent::Json(_)),
            body: text(answer, "body"),
            signature: text(answer, "signature"),
        })
        .collect()
}

/// A call-back in other forms: some of them mean the same, most do not.
fn changed(good: &Received, other: &Received) -> Vec<Received> {
    let body = |body: String| Received { body, ..good.clone() };
    let url = |url: String| Received { url, ..good.clone() };
    let signature = |signature: String| Received { signature, ..good.clone() };
    let mut turned: Vec<_> = good.body.split('&').collect();
    turned.reverse();
    let turned_case = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect()
    };
    let first = good.body.split('&').next().unwrap_or_default();
    let mut all = vec![
        good.clone(),
        Received { key: other.key.clone(), ..good.clone() },
        url(other.url.clone()),
        url(format!("{}x", good.url)),
        url(good.url.replacen("http", "https", 1).replace("httpss", "http")),
        url(good.url.replacen("bodySHA256=", "bodySHA256=0", 1)),
        url(good.url.replacen("bodySHA256=", "other=", 1) + "a"),
        body(other.body.clone()),
        body(format!("{}&added=1", good.body)),
        body(format!("{}&added=", good.body)),
        body(format!("{}&{first}", good.body)),
        body(format!("&{}&&", good.body)),
        body(turned.join("&")),
        body(turned_case(&good.body)),
        body(good.body.replacen('=', "", 1)),
        body(good.body.replacen('=', "%3D", 1)),
        body(good.body.replace('+', "%20")),
        body(good.body.replace("%2B", "+")),
        body(String::new()),
        signature(other.signature.clone()),
        signature(String::new()),
        signature(format!("{} ", good.signature)),
        signature(turned_case(&good.signature)),
        signature(good.signature.trim_end_matches('=').to_owned()),
    ];
    // A sign between a name and a value that moves changes nothing of what is signed.
    if let Some((name, value)) =
        first.split_once('=').filter(|(_, value)| value.starts_with(|c: char| c.is_ascii_lowercase()))
    {
        let (moved, value) = value.split_at(1);
        all.push(body(good.body.replacen(first, &format!("{name}{moved}={value}"), 1)));
    }
    if !good.json {
        return all;
    }
    // Without a digest the library takes no JSON at all.
    all.retain(|one| one.url.contains("bodySHA256="));
    all
}

fn ours(received: &Received) -> bool {
    let key = SecretText::new(received.key.as_str());
    let check = |content: Content<'_>| is_signed(&key, &received.url, content, &received.signature);
    if received.json {
        return check(Content::Json(&received.body));
    }
    Parameters::of_form(&received.body).is_ok_and(|parameters| check(Content::Form(&parameters)))
}

pub(super) fn twilios_own_validator_judges_signatures_as_we_do() {
    let mut runner = TestRunner::deterministic();
    let strategy = given();
    let given: Vec<_> =
        (0..CALL_BACKS).map(|_| strategy.new_tree(&mut runner).expect("a call-back").current()).collect();
    let good = signed(&given);
    for received in &good {
        assert!(ours(received), "signed by Twilio's library: {received:?}");
    }
    let others = good.iter().cycle().skip(1);
    let all: Vec<_> = good.iter().zip(others).flat_map(|(one, other)| changed(one, other)).collect();
    let orders = all.iter().map(|received| {
        let Received { key, url, body, signature, .. } = received;
        let content = if received.json { "json" } else { "form" };
        json!({ "key": key, "url": url, content: body, "signature": signature })
    });
    let orders = json!(orders.collect::<Vec<_>>()).to_string();
    let theirs = python("conformance/validate_call_backs.py", orders.as_bytes());
    let theirs = theirs.as_array().expect("a list");
    assert_eq!(theirs.len(), all.len());
    for (received, theirs) in all.iter().zip(theirs) {
        assert_eq!(json!(ours(received)), *theirs, "{received:?}");
    }
    let valid = theirs.iter().filter(|judged| **judged == json!(true)).count();
    assert!(
        valid >= 2 * CALL_BACKS && theirs.len() - valid >= 10 * CALL_BACKS,
        "{valid} of {} are valid",
        theirs.len()
    );
}
