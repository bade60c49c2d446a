//! Events in the form of Amazon SES, with what must not get through in every place of theirs.

use otpost_domain::contact::EmailAddress;
use otpost_domain::message::Verdict;
use otpost_domain::suppression::Cause;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Reading, TAG, is_enhanced, is_event, read};
use crate::hop::Told;

const MESSAGE: &str = "msg_06hhgn2g000g2081040g208104";
const ADDRESS: &str = "jane@example.org";
const DIAGNOSTIC: &str = "smtp; 550 5.1.1 <jane@example.org>: your code is 482913";

fn event(detail_type: &str, member: &str, value: Value) -> Value {
    let mut event = json!({
        "version": "0", "id": "12a18625-3cc3-0c2c-7f0b-b4a2a8a6b2b1", "detail-type": detail_type, "source": "aws.ses",
        "account": "111122223333", "time": "2027-01-15T08:00:00Z", "region": "eu-west-2", "resources": [],
        "detail": {
            "eventType": "x",
            "mail": {
                "timestamp": "2027-01-15T08:00:00.000Z", "source": "otp@example.org", "messageId": "0102018", "destination": [ADDRESS],
                "headersTruncated": false, "headers": [{ "name": "Subject", "value": "482913" }], "commonHeaders": { "subject": "482913" },
                "tags": { "ses:configuration-set": ["otpost"], TAG: [format!("acme.{MESSAGE}.2")] },
            },
        },
    });
    event["detail"][member] = value;
    event
}

fn receipt(event: &Value) -> (Told, Option<Cause>) {
    match read(event) {
        Reading::Receipt { hop, told, suppress } => {
            assert_eq!((hop.tenant.as_str(), hop.message.as_str(), hop.number), ("acme", MESSAGE, 2));
            for secret in ["482913", "jane", "example", "smtp;"] {
                assert!(!told.why.contains(secret), "{}", told.why);
            }
            let (address, cause) = suppress.unzip();
            assert!(address.is_none_or(|address| address.expose() == ADDRESS));
            (told, cause)
        }
        other => panic!("{other:?}"),
    }
}

fn bounce(kind: &str, sub_type: &str, status: &str) -> Value {
    event(
        "Email Bounced",
        "bounce",
        json!({
            "bounceType": kind, "bounceSubType": sub_type, "timestamp": "2027-01-15T08:00:01.000Z", "feedbackId": "x",
            "bouncedRecipients": [{ "emailAddress": ADDRESS, "action": "failed", "status": status, "diagnosticCode": DIAGNOSTIC }],
        }),
    )
}

fn complaint(sub_type: &Value, feedback: &Value) -> Value {
    let recipients = json!([{ "emailAddress": ADDRESS }]);
    event(
        "Email Complaint Received",
        "complaint",
        json!({ "complainedRecipients": recipients, "complaintSubType": sub_type, "complaintFeedbackType": feedback }),
    )
}

#[test]
fn a_delivered_mail_has_arrived() {
    let delivery = json!({ "recipients": [ADDRESS], "smtpResponse": "250 ok 482913", "reportingMTA": "x" });
    assert_eq!(receipt(&event("Email Delivered", "delivery", delivery)), (Told::delivered(), None));
}

#[test]
fn a_hard_bounce_bars_the_address() {
    for (sub_type, words) in [
        ("General", ""),
        ("NoEmail", ""),
        ("482913", ""),
        ("Suppressed", ": the address is on the suppression list of Amazon SES"),
        ("OnAccountSuppressionList", ": the address is on the account's suppression list"),
        ("UnsubscribedRecipient", ": the recipient has unsubscribed"),
    ] {
        let expected = Told::undelivered(format!("Amazon SES: hard bounce 5.1.1{words}"));
        assert_eq!(receipt(&bounce("Permanent", sub_type, "5.1.1")), (expected, Some(Cause::HardBounce)));
    }
}

#[test]
fn a_soft_bounce_bars_nobody() {
    for kind in ["Transient", "Undetermined", "", "permanent"] {
        for (sub_type, words) in [
            ("General", ""),
            ("Undetermined", ""),
            ("Suppressed", ""),
            ("MailboxFull", ": the mailbox is full"),
            ("MessageTooLarge", ": the mail is too large"),
            ("ContentRejected", ": the server refuses the content"),
            ("AttachmentRejected", ": the server refuses an attachment"),
            ("CustomTimeoutExceeded", ": its time was over"),
        ] {
            let expected = Told::undelivered(format!("Amazon SES: soft bounce 4.2.2{words}"));
            assert_eq!(receipt(&bounce(kind, sub_type, "4.2.2")), (expected, None), "{kind} {sub_type}");
        }
    }
}

#[test]
fn of_a_status_only_the_enhanced_code_is_repeated() {
    for status in ["5.1.1", "4.4.7", "2.0.0", "5.7.999"] {
        assert!(is_enhanced(status), "{status}");
    }
    for status in [
        "",
        "5.1",
        "5.1.1.1",
        "3.1.1",
        "5..1",
        "5.1.1000",
        "5.1.x",
        "550 5.1.1",
        "5.1.1 482913",
        "５.1.1",
        "jane",
    ] {
        assert!(!is_enhanced(status), "{status}");
        assert_eq!(receipt(&bounce("Permanent", "General", status)).0.why, "Amazon SES: hard bounce");
    }
}

#[test]
fn an_address_that_cannot_be_read_is_not_barred() {
    let mut event = bounce("Permanent", "General", "5.1.1");
    event["detail"]["mail"]["destination"] = json!(["Jane"]);
    assert_eq!(receipt(&event).1, Some(Cause::HardBounce), "the bounce names it");
    event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = json!("nobody");
    assert_eq!(receipt(&event).1, None);
    event["detail"]["bounce"] = json!(null);
    assert_eq!(receipt(&event), (Told::undelivered("Amazon SES: soft bounce"), None));
}

#[test]
fn who_is_barred_is_who_was_written_to() {
    let mut event = bounce("Permanent", "General", "5.1.1");
    event["detail"]["bounce"]["bouncedRecipients"][0]["emailAddress"] = json!("forwarded@example.net");
    assert_eq!(receipt(&event).1, Some(Cause::HardBounce));
}

#[test]
fn a_complaint_bars_the_address_and_says_nothing_of_the_way() {
    for (feedback, words) in [
        (json!(null), ""),
        (json!("abuse"), ": abuse"),
        (json!("fraud"), ": fraud"),
        (json!("virus"), ": virus"),
        (json!("other"), ""),
        (json!("482913"), ""),
    ] {
        let Reading::Complaint { hop, address, why } = read(&complaint(&json!(null), &feedback)) else {
            panic!("{feedback} is a complaint");
        };
        assert_eq!(
            (hop.number, address.expose(), why),
            (2, ADDRESS, format!("Amazon SES: complaint{words}"))
        );
    }
    for feedback in ["not-spam", "auth-failure"] {
        assert!(
            matches!(read(&complaint(&json!(null), &json!(feedback))), Reading::Nothing(_)),
            "{feedback}"
        );
    }
    let mut nobody = complaint(&json!(null), &json!("abuse"));
    nobody["detail"]["mail"]["destination"] = json!([]);
    nobody["detail"]["complaint"]["complainedRecipients"] = json!([]);
    assert_eq!(read(&nobody), Reading::Nothing("a complaint that names nobody"));
}

#[test]
fn a_mail_that_was_not_sent_for_an_earlier_complaint_did_not_arrive() {
    let (told, cause) = receipt(&complaint(&json!("OnAccountSuppressionList"), &json!(null)));
    assert_eq!((told.verdict, cause), (Verdict::Undelivered, Some(Cause::Complaint)));
}

#[test]
fn what_was_never_sent_did_not_arrive() {
    for (detail_type, member, value) in [
        ("Email Rejected", "reject", json!({ "reason": "Bad content 482913" })),
        ("Email Rendering Failed", "failure", json!({ "errorMessage": "482913", "templateName": "x" })),
    ] {
        let (told, cause) = receipt(&event(detail_type, member, value));
        assert_eq!((told.verdict, cause), (Verdict::Undelivered, None), "{detail_type}");
    }
}

#[test]
fn a_delay_is_no_end() {
    for (kind, words) in [
        ("General", ""),
        ("Undetermined", ""),
        ("482913", ""),
        ("InternalFailure", ": Amazon SES has internal trouble"),
        ("MailboxFull", ": the mailbox is full"),
        ("SpamDetected", ": the recipient's server sees too much mail that it takes for spam"),
        ("RecipientServerError", ": the recipient's server has trouble"),
        ("IPFailure", ": the recipient's server refuses the address that sends"),
        ("TransientCommunicationFailure", ": the connection to the recipient's server broke"),
        ("BYOIPHostNameLookupUnavailable", ": the name of the address that sends could not be looked up"),
        ("SendingDeferral", ": Amazon SES waits before it sends"),
    ] {
        let recipients =
            json!([{ "emailAddress": ADDRESS, "status": "4.4.1", "diagnosticCode": DIAGNOSTIC }]);
        let delay = json!({ "delayType": kind, "delayedRecipients": recipients });
        let expected = Told::delayed(format!("Amazon SES: not delivered yet 4.4.1{words}"));
        assert_eq!(receipt(&event("Email Delivery Delayed", "deliveryDelay", delay)), (expected, None));
    }
}

#[test]
fn everything_else_tells_nothing() {
    for detail_type in [
        "Email Sent",
        "Email Opened",
        "Email Clicked",
        "Email Subscribed",
        "Sending Status Disabled",
        "AWS API Call via CloudTrail",
        "email delivered",
        "",
    ] {
        assert!(matches!(read(&event(detail_type, "x", json!({}))), Reading::Nothing(_)), "{detail_type}");
    }
}

#[test]
fn mails_of_others_tell_nothing() {
    for tags in [
        json!(null),
        json!({}),
        json!({ TAG: [] }),
        json!({ TAG: [1] }),
        json!({ TAG: format!("acme.{MESSAGE}.2") }),
        json!({ TAG: ["acme"] }),
        json!({ TAG: [format!("acme/{MESSAGE}/2")] }),
        json!({ TAG: [format!("acme.{MESSAGE}.2.1")] }),
        json!({ "else": [format!("acme.{MESSAGE}.2")] }),
    ] {
        let mut event = bounce("Permanent", "General", "5.1.1");
        event["detail"]["mail"]["tags"] = tags.clone();
        assert_eq!(read(&event), Reading::Nothing("a mail that Otpost has not tagged"), "{tags}");
    }
}

#[test]
fn only_amazon_ses_speaks_for_itself() {
    let good = event("Email Delivered", "delivery", json!({}));
    assert!(is_event(&good));
    for other in [
        json!({}),
        json!([]),
        json!({ "source": "aws.ses" }),
        json!({ "source": "otpost", "detail-type": "Email Delivered" }),
    ] {
        assert!(!is_event(&other), "{other}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                "mail|tags|bounce|complaint|destination|status|[a-z]{1,4}",
                inner,
                0..4
            )
            .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_event_is_read(
        kind in "Email (Delivered|Bounced|Complaint Received|Rejected|Rendering Failed|Delivery Delayed|Sent)",
        member in "bounce|complaint|deliveryDelay|mail", value in any_json(), whole in any_json(),
    ) {
        let _ = read(&whole);
        let read = read(&event(&kind, &member, value));
        if let Reading::Receipt { told, suppress, .. } = read {
            prop_assert!(told.why.len() < 160 && !told.why.contains('@'));
            prop_assert!(suppress.is_none_or(|(address, _)| EmailAddress::try_from(address.expose()).is_ok()));
        }
    }
}
