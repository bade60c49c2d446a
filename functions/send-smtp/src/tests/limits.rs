//! Servers that say too much, or nothing that SMTP knows.

use super::server::{Repeat, Server, Step, all, hello, offered, say, taking};
use super::*;

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let lines = |text: &str| Repeat(text.repeat(64).into_bytes());
    for script in [
        // A line that never ends, one of 4 MB, and an answer of lines without end.
        vec![Repeat(vec![b'2'; 64 << 10])],
        vec![Step::Say(format!("220 {}\r\n", "x".repeat(4 << 20)))],
        vec![lines("220-more\r\n")],
        vec![say("220 hello"), offered(&[])[0].clone(), lines("250-MORE\r\n")],
    ] {
        let server = Server::start(script);
        let report = sent(server.port, json!({}), PATIENCE).await;
        assert_eq!(report.outcome, LATER);
        assert!(report.why.contains("did not end"), "{}", report.why);
        let kept: usize = report.said.raw().iter().map(String::len).sum();
        assert!(kept < 64 << 10, "{kept} bytes are kept");
    }
    let script = all([hello(&[]), taking(), vec![Repeat(vec![b'2'; 64 << 10])]]);
    let server = Server::start(script);
    let report = sent(server.port, json!({}), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::Unknown, "it may have been taken");
}

#[tokio::test]
async fn long_lines_are_read_and_shortened_where_they_are_kept() {
    let long = format!("250 {}", "x".repeat(4_000));
    let server = Server::start(all([hello(&[]), taking(), vec![say(&long)]]));
    let report = sent(server.port, json!({}), PATIENCE).await;
    assert_eq!(report.outcome.as_str(), "accepted");
    assert_eq!(report.said.raw().last().unwrap().len(), 1_003);
}

#[tokio::test]
async fn what_is_no_answer_is_none() {
    for greeting in [
        "SSH-2.0-OpenSSH_9.2",
        "HTTP/1.1 400 Bad Request",
        "",
        "2",
        "+OK",
        "150 x",
        "600 x",
        "220-a\r\n250 b",
        "354 go on",
        "\u{fffd}\u{0}\u{1}",
    ] {
        let server = Server::start(vec![say(greeting), super::server::Hang]);
        let report = sent(server.port, json!({}), PATIENCE).await;
        assert_eq!(report.outcome, LATER, "{greeting:?}");
        assert!(report.why.contains("what is no answer at the greeting"), "{}", report.why);
    }
    // Positive, and yet not what DATA and a mail's end are answered with.
    let until_data = all([hello(&[]), taking()])[..8].to_vec();
    for (script, outcome) in [
        (all([until_data, vec![say("250 ok"), super::server::Hang]]), LATER),
        (all([hello(&[]), taking(), vec![say("354 more")]]), Outcome::Unknown),
    ] {
        let server = Server::start(script);
        assert_eq!(sent(server.port, json!({}), PATIENCE).await.outcome, outcome);
    }
}
