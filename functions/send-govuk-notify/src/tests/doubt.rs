//! Texts of which nobody knows at first what became of them.

use super::server::Reply;
use super::*;

fn cut() -> Reply {
    Reply::Cut(Vec::new())
}

fn found() -> Reply {
    Reply::found(&[(NOTIFY_ID, Some(REFERENCE))])
}

/// Answers to a look that do not tell whether the text is there.
fn unclear() -> Vec<Reply> {
    vec![
        // The filter had no effect.
        Reply::found(&[(NOTIFY_ID, None), (NOTIFY_ID, Some("msg_06h03olgfrvrsonu93d19h37h1"))]),
        Reply::found(&[("+447700900123", Some(REFERENCE))]),
        Reply::found(&[("471246c7", Some(REFERENCE))]),
        Reply::error(500, "Exception", "Internal server error"),
        Reply::error(429, "RateLimitError", "Exceeded rate limit"),
        Reply::error(403, "AuthError", "Invalid token: API key revoked"),
        Reply::text(200, "<html>"),
        Reply::text(200, "{}"),
        Reply::text(200, r#"{"notifications":[],"li"#),
        Reply::text(204, ""),
        cut(),
    ]
}

#[tokio::test]
async fn a_text_without_an_answer_is_looked_for() {
    for reply in [cut(), Reply::Cut(b"HTTP/1.1 20".to_vec())] {
        let desk = Desk::new(Script::send([reply]).look(found())).await;
        assert_eq!(desk.send().await.outcome, accepted());
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, LOOK_GET]);
        let path = &desk.server.seen()[2].path;
        assert_eq!(path, &format!("/v2/notifications?template_type=sms&reference={REFERENCE}"));
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_looked_for() {
    let mut desk = Desk::new(Script::send([Reply::Silence]).look(found())).await;
    desk.deadline = Duration::from_secs(3);
    assert_eq!(desk.send().await.outcome, accepted());
    assert_eq!(desk.posts(), 1);
}

#[tokio::test]
async fn a_text_that_is_not_found_may_still_be_on_its_way() {
    let desk = Desk::new(Script::send([cut()]).look(Reply::found(&[]))).await;
    let report = desk.send().await;
    assert_eq!(report.outcome, Outcome::Unknown);
    assert_eq!(report.why, "GOV.UK Notify: the connection broke off");
    for look in unclear() {
        let desk = Desk::new(Script::send([cut()]).look(look)).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, Outcome::Unknown);
        assert_eq!(report.why, "GOV.UK Notify: the connection broke off; the text could not be looked for");
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, LOOK_GET]);
    }
}

#[tokio::test]
async fn success_without_an_id_is_looked_for() {
    for reply in [
        Reply::text(201, ""),
        Reply::text(201, "<html>"),
        Reply::text(201, r#"{"id":7}"#),
        Reply::text(201, r#"{"id":"to +447700900123"}"#),
        Reply::text(201, r#"{"id":"482913"}"#),
        Reply::text(201, r#"{"id":"471246c7-6a1b-4f6e-8a43-0d9b0f3f4a5g"}"#),
        Reply::text(201, r#"{"id":"471246c76a1b4f6e8a430d9b0f3f4a55"}"#),
        Reply::text(201, r#"{"content":{"body":"482913"}}"#),
        Reply::text(200, &format!(r#"{{"id":"{NOTIFY_ID}"}}"#)),
        Reply::text(204, ""),
        Reply::Cut(b"HTTP/1.1 201 Created\r\nContent-Length: 400\r\n\r\n{\"id\":\"471246c7".to_vec()),
    ] {
        let desk = Desk::new(Script::send([reply.clone()]).look(found())).await;
        assert_eq!(desk.send().await.outcome, accepted());
        let desk = Desk::new(Script::send([reply])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, Outcome::Unknown);
        assert_eq!(report.said.raw().len(), 1, "the status alone");
        assert_eq!(desk.posts(), 1);
    }
}

#[tokio::test]
async fn trouble_over_there_is_tried_again_unless_the_text_is_there() {
    for (status, error) in [(500, "Exception"), (503, "ServiceUnavailable")] {
        let trouble = || Reply::error(status, error, "Internal server error");
        let desk = Desk::new(Script::send([trouble()]).look(found())).await;
        assert_eq!(desk.send().await.outcome, accepted());
        let desk = Desk::new(Script::send([trouble()])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, LATER);
        assert_eq!(report.why, format!("GOV.UK Notify {status} {error}: it has trouble of its own"));
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, LOOK_GET]);
    }
}

/// Then it may be there, and a second text must not go.
#[tokio::test]
async fn trouble_over_there_stays_open_when_the_look_fails() {
    for look in unclear() {
        let trouble = Reply::error(500, "Exception", "Internal server error");
        let desk = Desk::new(Script::send([trouble]).look(look)).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, Outcome::Unknown);
        assert_eq!(
            report.why,
            "GOV.UK Notify 500 Exception: it has trouble of its own; the text could not be looked for"
        );
        assert_eq!(report.said.raw(), ["HTTP 500", "Exception: Internal server error"]);
    }
}

/// A 504 comes after half a minute of work, and a proxy gives up before Notify does: the text may be there soon.
#[tokio::test]
async fn trouble_that_is_not_notifys_own_word_stays_open() {
    for trouble in [
        Reply::text(504, r#"{"error":"EventletTimeout","error_code":504,"message":"Timeout"}"#),
        Reply::error(504, "GatewayTimeout", "Timeout"),
        Reply::error(502, "BadGateway", "No"),
        Reply::text(502, "<html>Bad Gateway</html>"),
        Reply::text(500, ""),
        Reply::text(503, "<html>Service Unavailable</html>"),
        Reply::text(503, r#"{"message":"Service Unavailable"}"#),
        Reply::text(500, r#"{"result":"error","message":"Internal server error"}"#),
        Reply::text(500, r#"{"errors":[{"error":"Exception","message":"No"}]}"#),
        Reply::text(500, r#"{"status_code":502,"errors":[{"error":"Exception","message":"No"}]}"#),
        Reply::text(500, r#"{"status_code":500,"errors":[]}"#),
        Reply::text(500, r#"{"status_code":500,"errors":[{"message":"No"}]}"#),
        Reply::text(503, r#"{"status_code":503,"errors":[{"error":"Excep"#),
    ] {
        let desk = Desk::new(Script::send([trouble.clone()]).look(found())).await;
        assert_eq!(desk.send().await.outcome, accepted());
        let desk = Desk::new(Script::send([trouble])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, Outcome::Unknown, "{:?}", report.said.raw());
        assert!(report.why.ends_with("trouble of its own; it may have taken the text"), "{}", report.why);
        assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, LOOK_GET]);
    }
}

#[tokio::test]
async fn what_never_left_is_tried_again() {
    let mut desk = Desk::new(Script::default()).await;
    desk.send().await;
    // The listener is gone at the end of the line: nobody is there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    desk.provider = NotifyProvider::new(&format!("http://{gone}"), desk.clock.clone()).unwrap();
    let report = desk.send().await;
    assert_eq!((report.outcome, report.why.as_str()), (LATER, "GOV.UK Notify: no connection"));
}

#[tokio::test]
async fn all_of_it_ends_by_the_deadline() {
    for script in [
        Script::template([Reply::Silence]),
        Script::send([Reply::Silence]).look(Reply::Silence),
        Script::send([Reply::error(500, "Exception", "Internal server error")]).look(Reply::Silence),
        Script::send([Reply::error(403, "AuthError", "Your system clock must be accurate")])
            .root(Reply::Silence),
    ] {
        let mut desk = Desk::new(script).await;
        desk.deadline = Duration::from_millis(600);
        // Much more than the deadline, and much less than a wait for a silent server.
        let report = tokio::time::timeout(Duration::from_secs(10), desk.send()).await.unwrap();
        assert!(!matches!(report.outcome, Outcome::Accepted { .. }), "{report:?}");
        assert!(desk.posts() <= 1);
    }
}

#[tokio::test]
async fn an_earlier_text_can_be_looked_for() {
    let desk = Desk::new(Script::default().look(found()).look(Reply::found(&[])).look(cut())).await;
    let report = desk.provider.reconcile(&desk.order()).await.unwrap();
    assert_eq!(report.outcome, accepted());
    assert_eq!(desk.provider.reconcile(&desk.order()).await, None);
    assert_eq!(desk.provider.reconcile(&desk.order()).await, None);
    assert_eq!(desk.server.asked(), [LOOK_GET; 3]);
}
