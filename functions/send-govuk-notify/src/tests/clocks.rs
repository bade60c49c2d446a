//! When the clocks differ.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use super::server::{Reply, Seen};
use super::*;

const REFUSED: &str = "Error: Your system clock must be accurate to within 30 seconds";
/// 2027-01-15T08:02:00Z: two minutes after the clock of these tests.
const AHEAD: &str = "Fri, 15 Jan 2027 08:02:00 GMT";
const BEHIND: &str = "Fri, 15 Jan 2027 07:00:00 GMT";

fn refused() -> Reply {
    Reply::error(403, "AuthError", REFUSED)
}

fn dated(date: &str) -> Reply {
    Reply::text(404, "{}").with("Date", date)
}

fn issued(seen: &Seen) -> u64 {
    let token = seen.header("authorization").unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap();
    claims["iat"].as_u64().unwrap()
}

#[tokio::test]
async fn a_refused_clock_is_set_right_once() {
    for (date, time) in [(AHEAD, NOW + 120), (BEHIND, NOW - 3_600)] {
        let desk = Desk::new(Script::send([refused()]).root(dated(date))).await;
        assert_eq!(desk.send().await.outcome, accepted());
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, "GET /", SEND_POST]);
        let seen = desk.server.seen();
        assert_eq!((issued(&seen[1]), issued(&seen[3])), (NOW, time));
        assert_eq!(seen[2].header("authorization"), None);
        assert_eq!(seen[1].body, seen[3].body);
    }
}

#[tokio::test]
async fn the_right_time_holds_for_the_rest_of_the_order() {
    let desk = Desk::new(Script::template([refused()]).root(dated(AHEAD))).await;
    assert_eq!(desk.send().await.outcome, accepted());
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, "GET /", TEMPLATE_GET, SEND_POST]);
    assert_eq!(issued(&desk.server.seen()[3]), NOW + 120);
}

#[tokio::test]
async fn a_clock_that_is_refused_twice_is_an_operators_matter() {
    let desk = Desk::new(Script::send([refused(), refused()]).root(dated(AHEAD))).await;
    let report = desk.send().await;
    assert_eq!(report.outcome, Outcome::ConfigurationBad);
    assert!(report.why.ends_with("the clocks differ by more than 30 seconds"), "{}", report.why);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, "GET /", SEND_POST]);
    let first = Script { send: [refused()].into(), ..Script::template([refused()]) };
    let desk = Desk::new(first.root(dated(AHEAD)).root(dated(AHEAD))).await;
    assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, "GET /", TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn a_refusal_that_the_clock_does_not_explain_is_not_tried_again() {
    for root in [
        dated("Fri, 15 Jan 2027 08:00:20 GMT"),
        dated("Fri, 15 Jan 2027 07:59:40 GMT"),
        dated("yesterday"),
        Reply::text(404, "{}"),
        Reply::Cut(Vec::new()),
    ] {
        let desk = Desk::new(Script::send([refused()]).root(root)).await;
        assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, "GET /"]);
    }
    let desk =
        Desk::new(Script::send([Reply::error(403, "AuthError", "Invalid token: API key not found")])).await;
    assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST]);
}
