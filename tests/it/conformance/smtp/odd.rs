//! Servers that hang, break off, answer late, or refuse everybody.

use std::sync::Arc;

use otpost_local::guard::{Guarded, Launch, Output};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::task::JoinSet;

use super::{Duration, LATER, Layout, Made, Outcome, PATIENCE, Report, Value, json, mail, sent};

/// For servers that never answer.
const SHORT: Duration = Duration::from_secs(4);

/// A running server, and its port.
async fn odd(how: &str, made: &Made) -> (Guarded, u16) {
    let layout = Layout::find().expect("the layout");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/odd_smtp.py");
    let identity = &made.all.good;
    let launch = Launch::new(layout.venv_program("python"), Output::Read).args([script, how]);
    let mut server = launch.args([&identity.certificate, &identity.key]).start().expect("a server");
    let output = server.take_output().expect("its output");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).await.expect("a line");
    (server, line.trim().parse().expect("a port"))
}

async fn became(how: &str, made: &Made, other: Value, deadline: Duration) -> Report {
    let (server, port) = odd(how, made).await;
    let mut settings = json!({ "port": port, "ca_certificate": made.all.authority });
    settings.as_object_mut().expect("settings").extend(other.as_object().expect("settings").clone());
    let report = sent(1, settings, mail("jane@example.org", "x"), deadline).await;
    server.stop().await.expect("it ends");
    report
}

pub(super) async fn servers_end_in_time() {
    let made = Arc::new(Made::new("hangs"));
    let mut ends = JoinSet::new();
    for (how, outcome, why) in [
        ("hangs_at_the_greeting", LATER, "in time at the greeting"),
        ("hangs_at_ehlo", LATER, "in time at EHLO"),
        ("hangs_at_rcpt", LATER, "in time at RCPT"),
        ("hangs_after_data", Outcome::Unknown, "in time at the end of the mail"),
    ] {
        let made = Arc::clone(&made);
        ends.spawn(async move {
            let watch = otpost_local::host::Watch::start();
            let report = became(how, &made, json!({}), SHORT).await;
            assert_eq!(report.outcome, outcome, "{how}: {}", report.why);
            assert!(report.why.contains(why), "{how}: {}", report.why);
            assert!(watch.elapsed() < PATIENCE, "{how} took {:?}", watch.elapsed());
        });
    }
    ends.join_all().await;
}

pub(super) async fn servers_are_understood() {
    let made = Made::new("odd");
    for (how, other, outcome, why) in [
        ("drops_after_data", json!({}), "unknown", "broke off at the end of the mail"),
        ("says_451_late", json!({}), "retry", "SMTP 451 4.3.0 at the end of the mail"),
        ("says_550_late", json!({}), "content_bad", "SMTP 550 5.7.1 at the end of the mail"),
        ("takes_late", json!({}), "accepted", ""),
        ("refuses", json!({ "authentication": "plain" }), "configuration_bad", "SMTP 535 5.7.8 at AUTH"),
        ("refuses", json!({ "authentication": "login" }), "configuration_bad", "SMTP 535 5.7.8 at AUTH"),
        ("takes", json!({ "tls": "none" }), "accepted", ""),
    ] {
        let report = became(how, &made, other, PATIENCE).await;
        assert_eq!(report.outcome.as_str(), outcome, "{how}: {} {:?}", report.why, report.said.raw());
        assert!(report.why.contains(why), "{how}: {}", report.why);
    }
}
