use otpost_service::provider::Provider as _;

use super::*;
use crate::TwilioProvider;
use crate::scripted::{Given, NUMBER, SID, Server, TEXT, answer};

fn classic(code: u32, status: u16) -> String {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    serde_json::json!({ "code": code, "message": "their words", "more_info": more, "status": status })
        .to_string()
}

fn problem(code: u32, status: u16) -> String {
    let kind = format!("https://www.twilio.com/docs/api/errors/{code}");
    serde_json::json!({ "type": kind, "title": "their title", "status": status, "code": code, "detail": "their words" })
        .to_string()
}

/// A provider, and the server that it asks.
struct Line {
    server: Server,
    provider: TwilioProvider,
}

impl Line {
    async fn open() -> Self {
        let server = Server::of(500, "").await;
        let provider = TwilioProvider::new(&server.base).unwrap();
        Self { server, provider }
    }

    /// What becomes of a request that is answered so.
    async fn answered(&self, status: u16, headers: &[&str], body: &str) -> Report {
        self.server.say(answer(status, headers, body));
        self.provider.send(&Given::new().order()).await
    }
}

/// The status with which a code of a class comes.
fn status_of(entry: &Entry) -> u16 {
    match entry.code {
        20003 => 401,
        20404 => 404,
        20429 | 63038 => 429,
        20500 => 500,
        20503 => 503,
        _ => 400,
    }
}

#[test]
fn the_table_is_in_order_and_told_in_our_words() {
    assert!(TABLE.windows(2).all(|pair| pair[0].code < pair[1].code));
    for entry in TABLE {
        assert_eq!(explain(entry.code), Some(entry));
        assert!(CODES.contains(&entry.code));
        assert!(!entry.told.is_empty() && !entry.told.ends_with('.') && entry.told.is_ascii(), "{entry:?}");
    }
    assert_eq!(CODES, 10_000..=99_999);
    for unknown in [0, 20004, 21612 + 1, 99_999, u32::MAX] {
        assert_eq!(explain(unknown), None);
    }
}

/// Each code in both forms, over the wire.
#[tokio::test]
async fn every_code_is_understood() {
    let line = Line::open().await;
    for entry in TABLE {
        let status = status_of(entry);
        for (body, lines) in [(classic(entry.code, status), 3), (problem(entry.code, status), 4)] {
            let report = line.answered(status, &[], &body).await;
            assert_eq!(report.outcome, entry.class.outcome(None), "{entry:?}");
            assert_eq!(report.why, format!("Twilio {}: {}", entry.code, entry.told));
            let said = report.said.raw();
            assert_eq!(said.len(), lines);
            assert_eq!(said[0], format!("HTTP {status}"));
            assert_eq!(said[1], format!("Twilio {}", entry.code));
            assert_eq!(said[lines - 1], "their words");
        }
    }
}

#[tokio::test]
async fn the_codes_on_which_most_depends() {
    let line = Line::open().await;
    for (code, outcome) in [
        (20003, Outcome::ConfigurationBad),
        (20429, Outcome::Retry { after: None }),
        (21211, Outcome::RecipientBad),
        (21608, Outcome::ConfigurationBad),
        (21610, Outcome::RecipientBad),
        (21611, Outcome::QuotaGone),
        (30001, Outcome::QuotaGone),
        (30003, Outcome::Retry { after: None }),
        (30007, Outcome::ContentBad),
        (30450, Outcome::RecipientBad),
        (30453, Outcome::RecipientBad),
        (63038, Outcome::QuotaGone),
    ] {
        let entry = explain(code).unwrap();
        assert_eq!(
            line.answered(status_of(entry), &[], &classic(code, 400)).await.outcome,
            outcome,
            "{code}"
        );
    }
}

/// Its signal is in the log: an alarm counts these words, whatever becomes of the message.
#[tokio::test]
async fn a_block_for_fraud_is_told_in_the_same_words() {
    let line = Line::open().await;
    for code in [30450, 30453] {
        assert_eq!(explain(code).unwrap().class, Class::Fraud);
        for status in [302, 400, 401, 403, 404, 429, 500, 503, 504] {
            let why = line.answered(status, &[], &classic(code, status)).await.why;
            assert!(why.starts_with(&format!("Twilio {code}: ")), "{why}");
            assert!(why.contains("blocked as fraud"), "{why}");
            assert_eq!(
                why.starts_with(&format!("Twilio {code}: blocked as fraud")),
                [400, 429].contains(&status)
            );
        }
    }
    let words = |entry: &&Entry| entry.told.contains("blocked as fraud");
    assert_eq!(TABLE.iter().filter(words).count(), 2, "nothing else is told so");
}

/// Codes get split: what is not in the table follows the status.
#[tokio::test]
async fn codes_that_are_not_known_follow_the_rule() {
    let line = Line::open().await;
    for (status, outcome) in [
        (400, Outcome::ContentBad),
        (401, Outcome::ConfigurationBad),
        (402, Outcome::ConfigurationBad),
        (403, Outcome::ConfigurationBad),
        (404, Outcome::ConfigurationBad),
        (405, Outcome::ConfigurationBad),
        (408, Outcome::Retry { after: None }),
        (410, Outcome::ConfigurationBad),
        (413, Outcome::ContentBad),
        (415, Outcome::ConfigurationBad),
        (422, Outcome::ContentBad),
        (425, Outcome::Retry { after: None }),
        (429, Outcome::Retry { after: None }),
        (300, Outcome::ConfigurationBad),
        (305, Outcome::ConfigurationBad),
        (600, Outcome::Unknown),
    ] {
        let report = line.answered(status, &[], &classic(21999, status)).await;
        assert_eq!(report.outcome, outcome, "{status}");
        assert!(report.why.starts_with("Twilio 21999: "), "{}", report.why);
        assert!(report.why.ends_with(&format!("(HTTP {status})")), "{}", report.why);
        let report = line.answered(status, &[], "").await;
        assert_eq!(report.outcome, outcome, "{status} without a body");
        assert!(report.why.starts_with("Twilio: "), "{}", report.why);
        assert_eq!(report.said.raw(), [format!("HTTP {status}")]);
    }
}

/// There is no idempotency: only Twilio's own word that it failed is a reason to send a text again.
#[tokio::test]
async fn trouble_leaves_it_open_unless_twilio_itself_says_that_it_failed() {
    let line = Line::open().await;
    for status in [500, 503] {
        for code in [20500, 20503, 20429, 21211, 21999, 30003] {
            for body in [classic(code, status), problem(code, status)] {
                let report = line.answered(status, &["retry-after: 9"], &body).await;
                assert_eq!(report.outcome, Outcome::Retry { after: Some(Duration::from_secs(9)) }, "{body}");
                assert!(report.why.starts_with(&format!("Twilio {code}: ")), "{}", report.why);
            }
        }
        for body in ["", "<html>Service Unavailable</html>", "{}", "{\"code\":500}", "{\"message\":\"No\"}"] {
            let report = line.answered(status, &["retry-after: 9"], body).await;
            assert_eq!(report.outcome, Outcome::Unknown, "{body}");
            let why = format!("Twilio: in trouble, and may have taken the text (HTTP {status})");
            assert_eq!(report.why, why);
        }
    }
    for status in [501, 502, 504, 505, 520, 599] {
        for body in [classic(20500, status), classic(20503, status), classic(63038, status), String::new()] {
            let report = line.answered(status, &["retry-after: 9"], &body).await;
            assert_eq!(report.outcome, Outcome::Unknown, "{status} {body}");
            assert!(report.why.contains("may have taken the text"), "{}", report.why);
        }
    }
}

/// The status of an answer that lets nobody in decides, whatever code it has.
#[tokio::test]
async fn neither_a_number_nor_a_text_is_bad_because_the_account_is() {
    let line = Line::open().await;
    for entry in TABLE {
        for status in [403, 404] {
            let outcome = line.answered(status, &[], &classic(entry.code, status)).await.outcome;
            let expected = match entry.class {
                Class::Quota => Outcome::QuotaGone,
                Class::Soon => Outcome::Retry { after: None },
                _ => Outcome::ConfigurationBad,
            };
            assert_eq!(outcome, expected, "{entry:?} {status}");
        }
    }
    let report = line.answered(403, &[], &classic(21211, 403)).await;
    let code = "the code alone means: the number is not valid";
    assert_eq!(report.why, format!("Twilio 21211: refused the credentials (HTTP 403); {code}"));
}

/// A login that is refused, and a server in trouble, say nothing about a number.
#[tokio::test]
async fn no_recipient_is_bad_because_of_a_login_or_of_trouble() {
    let line = Line::open().await;
    for entry in TABLE {
        let refused = line.answered(401, &[], &classic(entry.code, 401)).await.outcome;
        assert_eq!(refused, Outcome::ConfigurationBad, "{entry:?}");
        for status in [302, 500, 503] {
            let outcome = line.answered(status, &[], &classic(entry.code, status)).await.outcome;
            assert!(!matches!(outcome, Outcome::RecipientBad | Outcome::ContentBad), "{entry:?} {status}");
        }
    }
}

/// RFC 9110 section 10.2.3.
#[tokio::test]
async fn a_wish_to_be_left_alone_is_heeded_for_ten_minutes_at_most() {
    let line = Line::open().await;
    for (header, after) in [
        ("retry-after: 7", Some(7)),
        ("retry-after: 0", Some(0)),
        ("retry-after: 600", Some(600)),
        ("retry-after: 86400", Some(600)),
        ("retry-after: 18446744073709551615", Some(600)),
        ("retry-after: Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("retry-after: -1", None),
        ("retry-after: soon", None),
        ("x-nothing: 1", None),
    ] {
        let after = after.map(Duration::from_secs);
        for status in [429, 503] {
            let report = line.answered(status, &[header], &classic(20429, status)).await;
            assert_eq!(report.outcome, Outcome::Retry { after }, "{header}");
        }
    }
    let quota = line.answered(429, &["retry-after: 7"], &classic(63038, 429)).await;
    assert_eq!(quota.outcome, Outcome::QuotaGone);
}

#[tokio::test]
async fn what_is_no_error_of_twilios_is_judged_by_its_status() {
    let line = Line::open().await;
    let page = "<html><body><h1>502 Bad Gateway</h1></body></html>";
    let deep = "[".repeat(10_000);
    for body in
        [page, "null", "[]", "\"21211\"", "{", "{}", "{\"code\":null,\"message\":7}", "\u{feff}{}", &deep]
    {
        let report = line.answered(500, &["content-type: text/html"], body).await;
        assert_eq!(report.outcome, Outcome::Unknown, "{body}");
        assert_eq!(report.said.raw(), ["HTTP 500"], "{body}");
        assert_eq!(line.answered(400, &[], body).await.outcome, Outcome::ContentBad, "{body}");
    }
}

/// Numbers and texts in the place of a code are not repeated: `why` is logged.
#[tokio::test]
async fn only_codes_are_repeated() {
    let line = Line::open().await;
    for code in [
        "447700900123",
        "314159",
        "\"314159\"",
        "100000",
        "9999",
        "\"314159 is the code\"",
        "7",
        "-21211",
        "21211.5",
        "1e9",
        "[21211]",
        "true",
    ] {
        let report =
            line.answered(400, &[], &format!("{{\"code\":{code},\"message\":\"{TEXT} to {NUMBER}\"}}")).await;
        assert_eq!(report.why, "Twilio: refused the message (HTTP 400)");
        assert_eq!(report.said.raw(), ["HTTP 400".to_owned(), format!("{TEXT} to {NUMBER}")]);
        let shown = format!("{report:?}");
        assert!(!shown.contains("314159") && !shown.contains(NUMBER), "{shown}");
    }
    let as_text = line.answered(400, &[], "{\"code\":\"21211\"}").await;
    assert_eq!(as_text.outcome, Outcome::RecipientBad);
}

#[tokio::test]
async fn what_was_taken_has_an_id_and_is_not_repeated() {
    let line = Line::open().await;
    let echo = |sid: &str| {
        format!("{{\"sid\":{sid},\"body\":\"{TEXT}\",\"to\":\"{NUMBER}\",\"status\":\"queued\"}}")
    };
    for sid in [SID, "MM0123456789abcdefABCDEF0123456789"] {
        for status in [200, 201, 202] {
            let report = line.answered(status, &[], &echo(&format!("\"{sid}\""))).await;
            assert_eq!(report.outcome, Outcome::Accepted { provider_id: sid.to_owned() });
            assert_eq!((report.why.as_str(), report.said.raw()), ("", &[format!("HTTP {status}")][..]));
        }
    }
    let short = &SID[..33];
    let odd = [
        echo("null"),
        echo("7"),
        echo("\"\""),
        echo(&format!("\"{short}\"")),
        echo(&format!("\"{SID}d\"")),
        echo("\"SMé23456789abcdef0123456789abcde\""),
        echo(&format!("\"XX{}\"", &SID[2..])),
        echo(&format!("\"{SID}\",\"sid\":\"{SID}\"")),
        echo(&format!("\"{SID}\"")).replace('}', ""),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        "<html>Welcome to our Wi-Fi</html>".to_owned(),
    ];
    for body in odd {
        let report = line.answered(201, &[], &body).await;
        assert_eq!(report.outcome, Outcome::Unknown, "{body}");
        assert_eq!(report.said.raw(), ["HTTP 201"], "{body}");
        assert!(!report.why.contains("314159"));
    }
}
