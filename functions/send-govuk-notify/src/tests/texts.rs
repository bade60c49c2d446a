//! What is sent, and what is not.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use otpost_domain::contact::EmailAddress;
use serde_json::{Value, json};
use sha2::Sha256;

use super::server::Reply;
use super::*;

#[tokio::test]
async fn a_text_is_sent_as_documented() {
    let desk = Desk::new(Script::default()).await;
    let report = desk.send().await;
    assert_eq!(report.outcome, accepted());
    assert_eq!((report.why.as_str(), report.said.raw()), ("", &["HTTP 201".to_owned()][..]));
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST]);

    let seen = desk.server.seen();
    let sent: Value = serde_json::from_slice(&seen[1].body).unwrap();
    assert_eq!(
        sent,
        json!({
            "phone_number": "+447700900123", "template_id": TEMPLATE,
            "personalisation": { "message": TEXT }, "reference": REFERENCE,
        })
    );
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
    assert!(seen[1].header("user-agent").unwrap().starts_with("otpost/"));
    assert!(seen[0].body.is_empty());
}

#[tokio::test]
async fn the_code_alone_and_a_sender_if_the_gateway_says_so() {
    let sender = "0a7b1c2d-1111-4222-8333-444455556666";
    let script = Script::template([Reply::template("sms", "Code: ((code)).", &["code"])]);
    let mut desk = Desk::new(script).await;
    desk.settings = settings(Placeholder::Code, Some(sender));
    assert_eq!(desk.send().await.outcome, accepted());
    let sent: Value = serde_json::from_slice(&desk.server.seen()[1].body).unwrap();
    assert_eq!(sent["personalisation"], json!({ "code": CODE }));
    assert_eq!(sent["sms_sender_id"], sender);
}

/// RFC 7515 section 3 and RFC 7519 section 4, as Notify wants them.
#[tokio::test]
async fn each_request_has_a_token_of_its_own() {
    let desk = Desk::new(Script::default()).await;
    desk.clock.runs(Duration::from_secs(1));
    desk.send().await;
    let mut times = Vec::new();
    for seen in desk.server.seen() {
        let token = seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let text = |part: &str| String::from_utf8(BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap();
        assert_eq!(text(header), r#"{"typ":"JWT","alg":"HS256"}"#);
        let claims: Value = serde_json::from_str(&text(claims)).unwrap();
        assert_eq!(claims.as_object().unwrap().len(), 2, "{claims}");
        assert_eq!(claims["iss"], SERVICE);
        times.push(claims["iat"].as_u64().unwrap());
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        mac.verify_slice(&BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap()).unwrap();
    }
    assert!(times[0] >= NOW && times[0] < times[1], "{times:?}");
}

#[tokio::test]
async fn what_cannot_be_sent_asks_nobody() {
    for (text, outcome) in [
        ("x".repeat(919), Outcome::ContentBad),
        ("é".repeat(919), Outcome::ContentBad),
        (String::new(), Outcome::ContentBad),
        (" \n\t".to_owned(), Outcome::ContentBad),
    ] {
        let mut desk = Desk::new(Script::default()).await;
        desk.letter = letter(&text);
        assert_eq!(desk.send().await.outcome, outcome);
        assert_eq!(desk.server.asked(), Vec::<String>::new());
    }
    let mut desk = Desk::new(Script::default()).await;
    desk.letter = letter(&"é".repeat(918));
    assert_eq!(desk.send().await.outcome, accepted());
}

#[tokio::test]
async fn a_template_with_a_place_for_codes_takes_no_message_without_one() {
    let mut desk = Desk::new(Script::default()).await;
    desk.settings = settings(Placeholder::Code, None);
    desk.letter = Letter::Text(OutgoingText {
        to: PhoneNumber::sample(),
        text: SecretText::new("Your token was revoked"),
        code: None,
    });
    assert_eq!(desk.send().await.outcome, Outcome::ContentBad);
    assert_eq!(desk.server.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn orders_for_somebody_else_are_not_carried_out() {
    let mut desk = Desk::new(Script::default()).await;
    let mut order = desk.order();
    order.credentials = None;
    assert_eq!(desk.provider.send(&order).await.outcome, Outcome::ConfigurationBad);
    assert_eq!(desk.provider.reconcile(&order).await, None);
    desk.letter = Letter::Email(otpost_service::provider::OutgoingEmail {
        to: EmailAddress::try_from("jane@example.org").unwrap(),
        from: EmailAddress::try_from("otp@example.org").unwrap(),
        from_name: None,
        reply_to: None,
        subject: SecretText::new("s"),
        text: SecretText::new("t"),
        html: None,
        pictures: Vec::new(),
    });
    assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
    assert_eq!(desk.server.asked(), Vec::<String>::new());
    assert_eq!((desk.provider.kind(), desk.provider.own()), (Kind::GovukNotify, None));
}

#[tokio::test]
async fn nothing_secret_shows_itself() {
    let desk = Desk::new(Script::send([Reply::error(400, "BadRequestError", TEXT)])).await;
    let report = desk.send().await;
    let shown = format!("{:?} {:?} {report:?}", desk.provider, desk.order());
    for secret in ["482913", "7700900123", SECRET, "Bearer"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_base_url_is_one_of_a_server() {
    for good in [crate::BASE, "http://127.0.0.1:4000"] {
        assert!(NotifyProvider::new(good, ManualClock::default()).is_ok(), "{good}");
    }
    for bad in ["http://api.example.org", "https://api.example.org/v2", "api.example.org", ""] {
        assert!(NotifyProvider::new(bad, ManualClock::default()).is_err(), "{bad}");
    }
}
