//! The look at the template.

use super::server::Reply;
use super::*;
use crate::template::{Shape, Templates};
use otpost_domain::time::Timestamp;
use serde_json::json;

fn good() -> Reply {
    Reply::template("sms", "((message))", &["message"])
}

#[tokio::test]
async fn a_template_that_does_not_suit_is_not_sent_by() {
    for (kind, body, keys, why) in [
        ("email", "((message))", &["message"][..], "not one for texts"),
        ("letter", "((message))", &["message"], "not one for texts"),
        ("sms", "Hello", &[], "no place ((message))"),
        ("sms", "((code))", &["code"], "no place ((message))"),
        ("sms", "((message)) ((name))", &["message", "name"], "other places"),
        ("sms", "((message??Hello))", &["message"], "as a condition only"),
    ] {
        let desk = Desk::new(Script::template([Reply::template(kind, body, keys), good()])).await;
        let report = desk.send().await;
        assert_eq!(report.outcome, Outcome::ConfigurationBad, "{body}");
        assert!(report.why.contains(why), "{}", report.why);
        assert_eq!(
            report.said.raw(),
            [format!("template: type {kind}, personalisation {}", keys.join(", "))]
        );
        assert_eq!(desk.server.asked(), [TEMPLATE_GET]);
        assert_eq!(desk.send().await.outcome, accepted(), "mended since");
    }
}

#[tokio::test]
async fn names_of_places_are_compared_as_notify_does() {
    for key in ["message", "Message", "MESS AGE", "me_ss-age"] {
        let script = Script::template([Reply::template("sms", &format!("Otpost: (({key}))"), &[key])]);
        assert_eq!(Desk::new(script).await.send().await.outcome, accepted(), "{key}");
    }
}

#[tokio::test]
async fn a_good_template_is_looked_at_every_five_minutes() {
    let desk = Desk::new(Script::default()).await;
    desk.send().await;
    desk.clock.advance(Duration::from_secs(299));
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, SEND_POST]);
    desk.clock.advance(Duration::from_secs(1));
    desk.send().await;
    assert_eq!(desk.server.asked()[3..], [TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn services_do_not_share_what_they_know_of_templates() {
    let mut desk = Desk::new(Script::default()).await;
    desk.send().await;
    desk.credentials = key("99999999-2222-4333-8444-555566667777", SECRET);
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn who_tests_a_gateway_gets_a_new_look() {
    let mut desk = Desk::new(Script::default()).await;
    desk.send().await;
    desk.test = true;
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn a_place_that_was_renamed_is_seen_at_once() {
    let code = Reply::template("sms", "((code))", &["code"]);
    let mut desk = Desk::new(Script::template([good(), code])).await;
    desk.send().await;
    desk.settings = settings(Placeholder::Code, None);
    assert_eq!(desk.send().await.outcome, accepted());
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn a_template_that_is_refused_in_use_is_looked_at_again() {
    let missing = Reply::error(400, "BadRequestError", "Missing personalisation: name");
    let desk = Desk::new(Script::send([Reply::taken(), missing])).await;
    desk.send().await;
    assert_eq!(desk.send().await.outcome, Outcome::ConfigurationBad);
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, SEND_POST, TEMPLATE_GET, SEND_POST]);

    let long = Reply::error(400, "BadRequestError", "Your message is 919 characters long.");
    let desk = Desk::new(Script::send([long])).await;
    assert_eq!(desk.send().await.outcome, Outcome::ContentBad);
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, TEMPLATE_GET, SEND_POST]);

    let number = Reply::error(400, "ValidationError", "phone_number Not enough digits");
    let desk = Desk::new(Script::send([number])).await;
    desk.send().await;
    desk.send().await;
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST, SEND_POST]);
}

#[tokio::test]
async fn the_templates_own_words_count() {
    let around = format!("{} ((message)) ((Message))", "x".repeat(900));
    let mut desk = Desk::new(Script::template([Reply::template("sms", &around, &["message"])])).await;
    desk.letter = letter("12345678");
    assert_eq!(desk.send().await.outcome, accepted(), "918 characters");
    desk.letter = letter("123456789");
    assert_eq!(desk.send().await.outcome, Outcome::ContentBad);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET, SEND_POST]);
}

#[tokio::test]
async fn a_look_that_fails_sends_nothing() {
    let down = Reply::Cut(Vec::new());
    let broken = Reply::text(200, r#"{"type":"sms","perso"#);
    for (reply, outcome) in [
        (Reply::error(404, "NoResultFound", "No result found"), Outcome::ConfigurationBad),
        (Reply::error(400, "ValidationError", "id is not a valid UUID"), Outcome::ConfigurationBad),
        (Reply::error(400, "ValidationError", "phone_number is odd"), Outcome::ConfigurationBad),
        (Reply::error(400, "BadRequestError", "Your message is empty."), Outcome::ConfigurationBad),
        (Reply::error(401, "AuthError", "Unauthorized"), Outcome::ConfigurationBad),
        (Reply::error(403, "AuthError", "Invalid token: API key not found"), Outcome::ConfigurationBad),
        (Reply::error(429, "RateLimitError", "Exceeded rate limit"), LATER),
        (Reply::error(500, "Exception", "Internal server error"), LATER),
        (Reply::text(503, "<html>"), LATER),
        (down, LATER),
        (broken, LATER),
        (Reply::text(200, "<html>Welcome</html>"), Outcome::ConfigurationBad),
        (Reply::text(200, "{}"), Outcome::ConfigurationBad),
    ] {
        let desk = Desk::new(Script::template([reply])).await;
        assert_eq!(desk.send().await.outcome, outcome);
        assert_eq!(desk.server.asked(), [TEMPLATE_GET]);
    }
}

#[tokio::test]
async fn a_look_that_takes_all_the_time_sends_nothing() {
    let mut desk = Desk::new(Script::template([Reply::Silence])).await;
    desk.deadline = Duration::from_millis(400);
    assert_eq!(desk.send().await.outcome, LATER);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET]);
}

/// With an eighth of the time left for it nothing is sent: nobody would hear what became of it.
#[tokio::test]
async fn a_look_that_takes_most_of_the_time_sends_nothing() {
    let late = Reply::Late(Duration::from_millis(1_500), Box::new(good()));
    let mut desk = Desk::new(Script::template([late])).await;
    desk.deadline = Duration::from_secs(4);
    assert_eq!(desk.send().await.outcome, LATER);
    assert_eq!(desk.server.asked(), [TEMPLATE_GET]);
}

#[test]
fn what_is_remembered_is_bounded_and_the_oldest_goes() {
    let templates = Templates::default();
    let shape =
        Shape::read(json!({ "type": "sms", "personalisation": null }).to_string().as_bytes()).unwrap();
    let now = Timestamp::from_seconds(NOW);
    for number in 0..70 {
        templates.keep(SERVICE, &number.to_string(), shape.clone(), now);
    }
    templates.keep(SERVICE, "69", shape, now);
    let there: Vec<_> = (0..70).filter(|id| templates.get(SERVICE, &id.to_string(), now).is_some()).collect();
    assert_eq!(there, (6..70).collect::<Vec<_>>());
}

#[test]
fn texts_around_places_are_measured() {
    let read = |body: &str| {
        let wire = json!({ "type": "sms", "personalisation": { "message": {} }, "body": body });
        Shape::read(wire.to_string().as_bytes()).unwrap()
    };
    // Body, and how long a value may be at most.
    for (body, most) in [
        ("((message))", 918),
        ("é((message))", 917),
        ("(((message)))", 916),
        ("((message)) ((message))", 458),
        ("((a (b)) ((message))", 909),
        ("((message)) ((", 915),
        ("(()) ((message))", 913),
    ] {
        let shape = read(body);
        assert!(shape.holds(Placeholder::Message, &"x".repeat(most)), "{body}");
        assert!(!shape.holds(Placeholder::Message, &"x".repeat(most + 1)), "{body}");
    }
}
