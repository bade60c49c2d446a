//! Every error that Notify is known to tell, in its own words, and what becomes of the message.

use serde_json::json;

use super::server::Reply;
use super::*;
use crate::outcome::{Class, Message, TABLE};

/// Status, type, what it says, and what becomes of it.
const TOLD: &[(u16, &str, &str, Outcome)] = &[
    (400, "ValidationError", "phone_number Not enough digits", Outcome::RecipientBad),
    (400, "ValidationError", "phone_number Too many digits", Outcome::RecipientBad),
    (400, "ValidationError", "phone_number Must not contain letters or symbols", Outcome::RecipientBad),
    (400, "ValidationError", "phone_number Not a UK mobile number", Outcome::RecipientBad),
    (400, "ValidationError", "phone_number Not a valid country prefix", Outcome::RecipientBad),
    (400, "ValidationError", "template_id is not a valid UUID", Outcome::ConfigurationBad),
    (400, "ValidationError", "template_id is a required property", Outcome::ConfigurationBad),
    (400, "ValidationError", "sms_sender_id is not a valid UUID", Outcome::ConfigurationBad),
    (400, "ValidationError", "personalisation 482913 is not of type object", Outcome::ConfigurationBad),
    (400, "ValidationError", "reference msg_482913 is too long", Outcome::ConfigurationBad),
    (
        400,
        "ValidationError",
        "Additional properties are not allowed (code was unexpected)",
        Outcome::ConfigurationBad,
    ),
    (400, "ValidationError", "email_address Not a valid email address", Outcome::ConfigurationBad),
    (400, "ValidationError", "phone_numbers is a required property", Outcome::ConfigurationBad),
    (400, "InvalidPhoneError", "Not a UK mobile number", Outcome::RecipientBad),
    (400, "BadRequestError", "Template not found", Outcome::ConfigurationBad),
    (400, "BadRequestError", "Template has been deleted", Outcome::ConfigurationBad),
    (
        400,
        "BadRequestError",
        "email template is not suitable for sms notification",
        Outcome::ConfigurationBad,
    ),
    (400, "BadRequestError", "Missing personalisation: name", Outcome::ConfigurationBad),
    (400, "BadRequestError", "Service is not allowed to send text messages", Outcome::ConfigurationBad),
    (400, "BadRequestError", "Cannot send to international mobile numbers", Outcome::ConfigurationBad),
    (
        400,
        "BadRequestError",
        "Can\u{2019}t send to this recipient using a team-only API key",
        Outcome::ConfigurationBad,
    ),
    (400, "BadRequestError", "Invalid JSON supplied in POST data", Outcome::ConfigurationBad),
    (400, "BadRequestError", "Missing personalisation: empty character, blank", Outcome::ConfigurationBad),
    (
        400,
        "BadRequestError",
        "Text messages cannot be longer than 918 characters. Your message is 919 characters long.",
        Outcome::ContentBad,
    ),
    (400, "BadRequestError", "Your message is empty.", Outcome::ContentBad),
    (400, "BadRequestError", "The message must not be Blank", Outcome::ContentBad),
    (400, "SomethingNew", "What nobody has heard of", Outcome::ConfigurationBad),
    (401, "AuthError", "Unauthorized: authentication token must be provided", Outcome::ConfigurationBad),
    (403, "AuthError", "Invalid token: API key not found", Outcome::ConfigurationBad),
    (403, "AuthError", "Invalid token: API key revoked", Outcome::ConfigurationBad),
    (403, "AuthError", "Invalid token: service not found", Outcome::ConfigurationBad),
    (
        403,
        "AuthError",
        "Error: Your system clock must be accurate to within 30 seconds",
        Outcome::ConfigurationBad,
    ),
    (403, "SomethingNew", "No", Outcome::ConfigurationBad),
    (404, "NoResultFound", "No result found", Outcome::ConfigurationBad),
    (408, "", "", LATER),
    (418, "", "", Outcome::ConfigurationBad),
    (429, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds", LATER),
    (429, "TooManyRequestsError", "Exceeded send limits (250000) for today", Outcome::QuotaGone),
    (429, "SomethingNew", "Later", LATER),
    (500, "Exception", "Internal server error", LATER),
    (503, "ServiceUnavailable", "Internal server error", LATER),
];

#[tokio::test]
async fn every_error_is_understood_as_documented() {
    for (status, error, message, outcome) in TOLD {
        let desk = Desk::new(Script::send([Reply::error(*status, error, message)])).await;
        let report = desk.send().await;
        assert_eq!(&report.outcome, outcome, "{status} {error} {message}");
        assert_eq!(desk.posts(), 1, "{status} {error}");
        assert!(report.why.starts_with(&format!("GOV.UK Notify {status}")), "{}", report.why);
        assert!(report.why.contains(error), "{}", report.why);
        let mut said = vec![format!("HTTP {status}")];
        said.extend((!error.is_empty()).then(|| format!("{error}: {message}")));
        assert_eq!(report.said.raw(), said);
    }
}

/// So a new row needs a line above.
#[test]
fn every_row_of_the_table_is_told_of_once() {
    let others = [(404, "", "The requested URL was not found on the server."), (302, "", ""), (199, "", "")];
    let told = TOLD.iter().map(|(status, error, message, _)| (*status, *error, *message)).chain(others);
    let told: Vec<String> = told
        .map(|(status, error, message)| {
            let body = json!({ "errors": [{ "error": error, "message": message }] });
            crate::outcome::verdict(status, &crate::wire::faults(body.to_string().as_bytes())).why
        })
        .collect();
    for row in TABLE {
        assert!(told.iter().any(|why| why.ends_with(row.means)), "nobody tells of {row:?}");
    }
    let rows: Vec<_> = TABLE.iter().map(|row| (row.status, row.error, row.message)).collect();
    for (index, row) in rows.iter().enumerate() {
        assert!(!rows[..index].contains(row), "{row:?} stands there twice");
    }
    assert!(TABLE.iter().all(|row| row.class != Class::Clock || row.message != Message::Any));
}

#[tokio::test]
async fn answers_in_other_forms_are_understood() {
    let route = r#"{"message":"The requested URL was not found on the server.","result":"error"}"#;
    let late = r#"{"error":"EventletTimeout","error_code":504,"message":"Timeout serving request"}"#;
    let page = "<html><body>502 Bad Gateway for +447700900123</body></html>";
    for (status, body, outcome, said) in [
        (404, route, Outcome::ConfigurationBad, "The requested URL was not found on the server."),
        (504, late, Outcome::Unknown, "EventletTimeout: Timeout serving request"),
        (502, page, Outcome::Unknown, ""),
        (500, "", Outcome::Unknown, ""),
        (400, "[]", Outcome::ConfigurationBad, ""),
        (400, r#"{"errors":"none","status_code":400}"#, Outcome::ConfigurationBad, ""),
        (403, page, Outcome::ConfigurationBad, ""),
        (429, r#"{"errors":[7,null,{}]}"#, LATER, ""),
    ] {
        let desk = Desk::new(Script::send([Reply::text(status, body)])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, outcome, "{status} {body}");
        let mut lines = vec![format!("HTTP {status}")];
        lines.extend((!said.is_empty()).then(|| said.to_owned()));
        assert_eq!(report.said.raw(), lines);
    }
}

#[tokio::test]
async fn of_several_errors_the_worst_for_us_decides() {
    let both = |first: (&str, &str), second: (&str, &str)| {
        let one = |(error, message): (&str, &str)| json!({ "error": error, "message": message });
        Reply::json(400, &json!({ "errors": [one(first), one(second)], "status_code": 400 }))
    };
    let number = ("ValidationError", "phone_number Not enough digits");
    let template = ("ValidationError", "template_id is not a valid UUID");
    let landline = ("InvalidPhoneError", "Not a UK mobile number");
    let empty = ("BadRequestError", "Your message is empty.");
    for (first, second, outcome, why) in [
        (number, template, Outcome::ConfigurationBad, "template_id"),
        (template, number, Outcome::ConfigurationBad, "template_id"),
        (number, landline, Outcome::RecipientBad, "phone_number"),
        (number, empty, Outcome::ContentBad, "BadRequestError"),
        (empty, template, Outcome::ConfigurationBad, "template_id"),
    ] {
        let desk = Desk::new(Script::send([both(first, second)])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, outcome);
        assert!(report.why.contains(why), "{}", report.why);
        assert_eq!(report.said.raw().len(), 3);
    }
    let ours = [Class::Retry, Class::Quota, Class::Clock, Class::Configuration];
    assert!([Class::Recipient, Class::Content].iter().chain(&ours).is_sorted());
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_handed_on_within_reason() {
    for (header, after) in
        [("7", Some(Duration::from_secs(7))), ("86400", Some(Duration::from_mins(10))), ("soon", None)]
    {
        let reply = Reply::error(429, "RateLimitError", "Exceeded rate limit").with("Retry-After", header);
        let desk = Desk::new(Script::send([reply])).await;
        assert_eq!(desk.send().await.outcome, Outcome::Retry { after });
    }
}

#[tokio::test]
async fn what_an_error_echoes_is_no_reason() {
    let echo = Reply::error(400, "482913", "+447700900123 got 482913");
    let desk = Desk::new(Script::send([echo])).await;
    assert_eq!(desk.send().await.why, "GOV.UK Notify 400: it does not take the request");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Reply::text(302, "").with("Location", "http://127.0.0.1:9/v2/notifications/sms");
    let desk = Desk::new(Script::send([elsewhere])).await;
    assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn a_huge_answer_is_read_to_a_limit() {
    let mut body = br#"{"errors":[{"error":"RateLimitError","message":""#.to_vec();
    body.resize(8 << 20, b'x');
    let desk = Desk::new(Script::send([Reply::Say(429, Vec::new(), body)])).await;
    let report = desk.send().await;
    assert_eq!((report.outcome, report.said.raw()), (LATER, &["HTTP 429".to_owned()][..]));

    let long = "y".repeat(50_000);
    let many: Vec<_> = (0..40).map(|_| json!({ "error": "RateLimitError", "message": "y" })).collect();
    for (errors, most) in [(json!([{ "error": "RateLimitError", "message": long }]), 2), (json!(many), 9)] {
        let reply = Reply::json(429, &json!({ "errors": errors }));
        let report = Desk::new(Script::send([reply])).await.send().await;
        assert_eq!(report.said.raw().len(), most);
        assert!(report.said.raw().iter().all(|line| line.len() < 500));
    }
}
