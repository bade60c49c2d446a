//! What is said, and what becomes of a mail by each answer.

use tokio::task::JoinSet;

use super::server::{Hang, Hear, Server, Stall, all, hello, say, taking};
use super::*;

#[tokio::test]
async fn a_mail_is_handed_over_and_the_queues_id_kept() {
    let script = all([
        hello(&["SIZE 100000", "8BITMIME"]),
        taking(),
        vec![say("250 2.0.0 Ok: queued as 4bXk2w6nZyz1"), Hear("QUIT"), say("221 bye")],
    ]);
    let server = Server::start(script);
    let report = sent(server.port, json!({}), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::Accepted { provider_id: "4bXk2w6nZyz1".to_owned() });
    assert_eq!(report.why, "");

    let heard = server.heard().await;
    assert_eq!(heard[0], "EHLO otpost.example.org");
    let size: usize = heard[1].split_once(" SIZE=").unwrap().1.parse().unwrap();
    let mail = &heard[4..heard.len() - 2];
    assert_eq!(mail.iter().map(|line| line.len() + 2).sum::<usize>(), size + 2, "two dots were doubled");
    assert!(mail.contains(&"..".to_owned()) && mail.contains(&"..end".to_owned()), "{mail:?}");
    let id = format!("Message-ID: <{}@mail.example.org>", message().id);
    assert!(mail.contains(&id), "{mail:?}");

    let said = report.said.raw();
    let bytes = format!("C: [{} bytes]", size + 2);
    let expected = [
        "S: 220 mail.example.org ESMTP",
        "C: EHLO otpost.example.org",
        "S: 250-mail.example.org",
        "S: 250-SIZE 100000",
        "S: 250 8BITMIME",
        &format!("C: MAIL FROM:<otp@mail.example.org> SIZE={size}"),
        "S: 250 2.1.0 ok",
        "C: RCPT TO:<jane@example.org>",
        "S: 250 2.1.5 ok",
        "C: DATA",
        "S: 354 go on",
        &bytes,
        "C: .",
        "S: 250 2.0.0 Ok: queued as 4bXk2w6nZyz1",
    ];
    assert_eq!(said, expected);
}

#[tokio::test]
async fn without_a_queues_id_the_mails_own_is_kept_and_nobody_waits_for_the_leave() {
    let script = all([
        vec![say("220-mail.example.org"), say("220-takes mail"), say("220 and greets")],
        hello(&[])[1..].to_vec(),
        taking(),
        vec![say("250-taken"), say("250 ok"), Hang],
    ]);
    let server = Server::start(script);
    let report = sent(server.port, json!({ "ehlo_name": "mx.example.org" }), PATIENCE).await;
    let own = format!("<{}@mail.example.org>", message().id);
    assert_eq!(report.outcome, Outcome::Accepted { provider_id: own });
    assert!(report.said.raw().contains(&"C: EHLO mx.example.org".to_owned()));
    assert!(report.said.raw().contains(&"C: MAIL FROM:<otp@mail.example.org>".to_owned()), "no SIZE unasked");
    assert_eq!(server.heard().await[0], "EHLO mx.example.org");
}

/// The script up to each stage, its refusal, and what follows from it.
#[tokio::test]
async fn a_refusal_means_what_its_stage_says() {
    let until = |count: usize, answer: &str| {
        let steps = all([hello(&[]), taking()]);
        all([steps[..count].to_vec(), vec![say(answer), Hear("QUIT"), say("221 bye")]])
    };
    let greeting = |answer: &str| vec![say(answer), Hear("QUIT")];
    for (script, outcome, why) in [
        (greeting("421 4.3.2 closing"), LATER, "SMTP 421 4.3.2 at the greeting"),
        (greeting("554 no"), Outcome::ConfigurationBad, "SMTP 554 at the greeting"),
        (until(2, "502 5.5.1 what"), Outcome::ConfigurationBad, "SMTP 502 5.5.1 at EHLO"),
        (until(4, "530 5.7.0 Authentication required"), Outcome::ConfigurationBad, "SMTP 530 5.7.0 at MAIL"),
        (
            until(4, "550 5.7.1 <otp@mail.example.org> no"),
            Outcome::ConfigurationBad,
            "SMTP 550 5.7.1 at MAIL",
        ),
        (until(6, "550-5.1.1 <jane@example.org>\r\n550 5.1.1 unknown"), Outcome::RecipientBad, "at RCPT"),
        (until(6, "450 4.2.0 greylisted"), LATER, "SMTP 450 4.2.0 at RCPT"),
        (until(6, "554 5.7.1 Relay access denied"), Outcome::ConfigurationBad, "SMTP 554 5.7.1 at RCPT"),
        (until(8, "451 x"), LATER, "SMTP 451 at DATA"),
        (until(10, "554 5.7.1 spam"), Outcome::ContentBad, "SMTP 554 5.7.1 at the end of the mail"),
        (until(10, "452 4.3.1 full"), LATER, "SMTP 452 4.3.1 at the end of the mail"),
    ] {
        let server = Server::start(script);
        let report = sent(server.port, json!({}), PATIENCE).await;
        assert_eq!(report.outcome, outcome, "{why}");
        assert!(report.why.contains(why), "{}", report.why);
        let last = report.said.raw().last().unwrap().clone();
        assert!(last.starts_with("S: "), "what the server said is told: {last}");
        assert_eq!(server.heard().await.last().unwrap(), "QUIT", "it is left in order");
    }
}

#[tokio::test]
async fn a_mail_larger_than_the_server_takes_is_not_begun() {
    let server = Server::start(all([hello(&["SIZE 200"]), vec![Hear("QUIT")]]));
    let report = sent(server.port, json!({}), PATIENCE).await;
    assert_eq!(report.outcome, Outcome::ContentBad);
    assert!(report.why.contains("larger than the server takes"));
    assert_eq!(server.heard().await.len(), 2);
    for unlimited in ["SIZE", "SIZE 0"] {
        let server = Server::start(all([hello(&[unlimited]), taking(), vec![say("250 ok")]]));
        let report = sent(server.port, json!({}), PATIENCE).await;
        assert_eq!(report.outcome.as_str(), "accepted", "{unlimited}");
    }
}

#[tokio::test]
async fn before_the_final_dot_a_loss_is_tried_again_and_after_it_is_unknown() {
    let mut ends = JoinSet::new();
    for count in 0..=all([hello(&[]), taking()]).len() {
        let steps = all([hello(&[]), taking()])[..count].to_vec();
        let whole = count == all([hello(&[]), taking()]).len();
        ends.spawn(async move {
            let cut = Server::start(steps.clone());
            let report = sent(cut.port, json!({}), PATIENCE).await;
            // Cut after DATA was answered, a small mail leaves as a whole before anybody notices.
            let unknown = whole || (count == 9 && report.outcome == Outcome::Unknown);
            let expected = if unknown { Outcome::Unknown } else { LATER };
            assert_eq!(report.outcome, expected, "cut after {count} steps: {}", report.why);
            assert!(report.why.contains("broke off"), "{}", report.why);

            let silent = Server::start(all([steps, vec![Hang]]));
            let report = sent(silent.port, json!({}), SHORT).await;
            let expected = if count >= 9 { Outcome::Unknown } else { LATER };
            assert_eq!(report.outcome, expected, "silent after {count} steps: {}", report.why);
            assert!(report.why.contains("did not answer in time"), "{}", report.why);
        });
    }
    ends.join_all().await;
}

#[tokio::test]
async fn a_mail_that_does_not_get_through_is_tried_again() {
    // More than the buffers of a connection hold: the final dot cannot leave.
    let large = letter(&"0123456789 ".repeat(600_000));
    let steps = all([hello(&[]), taking()])[..9].to_vec();
    for script in [all([steps.clone(), vec![Stall]]), steps] {
        let server = Server::start(script);
        let report = sent_as(&gateway(server.port, &json!({})), &large, Duration::from_secs(4)).await;
        assert_eq!(report.outcome, LATER, "{}", report.why);
        assert!(report.why.contains("the mail's content"), "{}", report.why);
    }
}

#[tokio::test]
async fn nobody_there_is_tried_again() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let report = sent(port, json!({}), PATIENCE).await;
    assert_eq!(report.outcome, LATER);
    assert!(report.why.contains("refuses the connection"), "{}", report.why);
    assert!(report.said.raw().is_empty());
}
