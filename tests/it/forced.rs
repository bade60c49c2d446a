//! Recipients that stand for an outcome, through the deployed system: two hundred messages to them, while queues bring
//! entries twice and in any order and strangers tell what never happened. Each ends as its recipient says, and no
//! provider hears of any.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use otpost_domain::simulator::Forced;
use otpost_local::proxy::client;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{expect, pause, text};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::failover::{Scene, ways};
use crate::shared;

/// How many messages go by each channel.
const EACH: usize = 100;
/// How many users each outcome has on each channel. No user may have more than ten tokens.
const USERS: usize = 2;
/// How many requests are made at the same time.
const AT_ONCE: usize = 6;
/// How long until a queue brings tries again before their time: a gateway that is down would be tried for minutes.
const HURRY: Duration = Duration::from_mins(1);
/// How long everything may take, from the first push.
const LONGEST: Duration = Duration::from_secs(280);
/// A domain of nobody's.
const DOMAIN: &str = "simulator.otpost.invalid";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared(
            "forced::two_hundred_messages_end_as_their_recipients_say",
            two_hundred_messages_end_as_their_recipients_say,
        ),
        shared("forced::a_reserved_recipient_without_an_outcome_is_refused", without_an_outcome_is_refused),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Email,
    Sms,
}

impl By {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

/// A message that was pushed.
#[derive(Clone, Debug)]
struct Pushed {
    by: By,
    forced: Forced,
    serial: String,
    message: String,
    /// Whether its queue entries come twice, and strangers tell of it.
    troubled: bool,
}

/// What is to become of a message.
struct Expected {
    status: &'static str,
    /// Part of the reason; none where there is to be no reason.
    reason: Option<&'static str>,
    /// Its hops: gateway, why it was taken, what it came to, what a receipt told.
    hops: Vec<[&'static str; 4]>,
    /// What its story says, among other things.
    story: &'static str,
}

const MAY_HAVE: &str = "it may have arrived all the same";
const REVOKED: &str = "its token was revoked";
const NOT_ARRIVED: &str = "did not arrive";

/// What becomes of a mail by the deployment's own Amazon SES, the only route, and of a text by Twilio, then Notify.
fn expected(by: By, forced: Forced) -> Expected {
    let (status, reason, story, hops) = match (by, forced) {
        // One route, and its receipt.
        (By::Email, Forced::Delivered | Forced::Late) => {
            ("delivered", None, ": it arrived.", vec![["", "first", "accepted", "delivered"]])
        }
        (By::Email, Forced::Bounced) => {
            ("undelivered", None, NOT_ARRIVED, vec![["", "first", "accepted", "undelivered"]])
        }
        (By::Email, Forced::Refused) => (
            "failed",
            Some("simulated: the recipient is refused"),
            "refused its recipient",
            vec![["", "first", "recipient_bad", ""]],
        ),
        // A mail in doubt goes once more, and no oftener.
        (By::Email, Forced::Ambiguous) => (
            "failed",
            Some(MAY_HAVE),
            "because nobody knows whether it took it",
            vec![["", "first", "unknown", ""], ["", "again", "unknown", ""]],
        ),
        // What a provider has taken is sent, as long as nobody says otherwise.
        (By::Email, Forced::Silent) => {
            ("sent", None, "Accepted by the deployment's own SES", vec![["", "first", "accepted", ""]])
        }
        // Eight tries in a row; then it is held, until its token is revoked.
        (By::Email, Forced::Down) => {
            let mut hops = vec![["", "again", "retry", ""]; 8];
            hops[0][1] = "first";
            ("cancelled", Some(REVOKED), "could not take it yet", hops)
        }
        // The receipt comes before the route's time is over.
        (By::Sms, Forced::Delivered) => (
            "delivered",
            None,
            "Receipt from twilio: it arrived.",
            vec![["twilio", "first", "accepted", "delivered"]],
        ),
        // The receipt does not: the next route takes it too, and both tell later.
        (By::Sms, Forced::Late) => (
            "delivered",
            None,
            "because no receipt from twilio came within",
            vec![
                ["twilio", "first", "accepted", "delivered"],
                ["notify", "no_news", "accepted", "delivered"],
            ],
        ),
        // By the second route the same becomes of it.
        (By::Sms, Forced::Bounced) => (
            "undelivered",
            None,
            NOT_ARRIVED,
            vec![
                ["twilio", "first", "accepted", "undelivered"],
                ["notify", "bad_news", "accepted", "undelivered"],
            ],
        ),
        (By::Sms, Forced::Refused) => (
            "failed",
            Some("simulated: the recipient is refused"),
            "because twilio does not take it",
            vec![["twilio", "first", "recipient_bad", ""], ["notify", "refused", "recipient_bad", ""]],
        ),
        // A text in doubt waits its route's time, and is never given to the same gateway again.
        (By::Sms, Forced::Ambiguous) => (
            "failed",
            Some(MAY_HAVE),
            "because nobody knows whether twilio took it",
            vec![["twilio", "first", "unknown", ""], ["notify", "doubt", "unknown", ""]],
        ),
        (By::Sms, Forced::Silent) => (
            "sent",
            None,
            "because no receipt from twilio came within",
            vec![["twilio", "first", "accepted", ""], ["notify", "no_news", "accepted", ""]],
        ),
        // Twilio for five seconds, as often as the delays allow; then eight tries by Notify, which has no limit.
        (By::Sms, Forced::Down) => {
            let mut hops = vec![["notify", "again", "retry", ""]; 9];
            hops[0] = ["twilio", "first", "retry", ""];
            hops[1][1] = "busy";
            ("cancelled", Some(REVOKED), "because twilio could not take it in its time", hops)
        }
    };
    Expected { status, reason, hops, story }
}

fn recipient(by: By, forced: Forced, label: usize) -> String {
    match by {
        By::Email => format!("{}+{label}@{DOMAIN}", forced.as_str()),
        By::Sms => format!("+9990000000{}", forced.last_digits()),
    }
}

/// Members of a message's hops as texts; empty where there is none.
fn hops(message: &Value) -> Vec<[&str; 4]> {
    let hops = message["hops"].as_array().expect("hops");
    hops.iter()
        .map(|hop| {
            ["/gateway", "/because", "/state", "/news/verdict"]
                .map(|member| hop.pointer(member).and_then(Value::as_str).unwrap_or_default())
        })
        .collect()
}

/// Makes what is given for each of `items`, some at the same time; what came of them, in any order.
async fn at_once<T, R, F>(items: Vec<T>, make: impl Fn(T) -> F + Clone + Send + Sync + 'static) -> Vec<R>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send,
{
    let left = Arc::new(Mutex::new(VecDeque::from(items)));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (left, make) = (Arc::clone(&left), make.clone());
        workers.spawn(async move {
            let mut results = Vec::new();
            loop {
                let next = left.lock().expect("no worker panics with it").pop_front();
                let Some(item) = next else { return results };
                results.push(make(item).await);
            }
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// Gives a function a batch of its queue, as the queue itself would.
async fn brings(scene: &Scene, function: &str, bodies: &[Value]) {
    for bodies in bodies.chunks(10) {
        let records = bodies.iter().enumerate().map(|(place, body)| {
            json!({
                "messageId": format!("again-{place}"), "receiptHandle": "again", "body": body.to_string(),
                "attributes": { "ApproximateReceiveCount": "2" }, "messageAttributes": {}, "md5OfBody": "",
                "eventSource": "aws:sqs", "awsRegion": "eu-west-2",
                "eventSourceARN": format!("arn:aws:sqs:eu-west-2:000000000000:{function}"),
            })
        });
        let batch = json!({ "Records": records.collect::<Vec<_>>() });
        let answer = scene.tenant.world.invoke(function, &batch).await.expect("the function");
        assert_eq!((answer.error, answer.payload), (None, json!({ "batchItemFailures": [] })), "{function}");
    }
}

fn due(scene: &Scene, message: &str) -> Value {
    json!({ "tenant": scene.tenant.id, "message": message })
}

fn handed(scene: &Scene, message: &str, hop: u64) -> Value {
    json!({ "tenant": scene.tenant.id, "message": message, "hop": hop })
}

/// Queue entries twice and in the wrong order. A hop is only ever on the queue of its own sender.
async fn brings_again(scene: &Scene, pushed: &Pushed) {
    let hop = |hop| handed(scene, &pushed.message, hop);
    let due = due(scene, &pushed.message);
    match (pushed.by, pushed.forced) {
        (By::Email, _) => brings(scene, "send-ses", &[hop(2), hop(1), hop(1)]).await,
        // Its second hop may be of either.
        (By::Sms, Forced::Down) => brings(scene, "send-twilio", &[hop(1), hop(1)]).await,
        (By::Sms, _) => {
            brings(scene, "send-govuk-notify", &[hop(2), hop(2)]).await;
            brings(scene, "send-twilio", &[hop(1), hop(1)]).await;
        }
    }
    brings(scene, "deliver", &[due.clone(), due]).await;
}

/// Strangers tell that it arrived, or did not.
async fn forged(scene: &Scene, pushed: &Pushed) {
    let (world, tenant, message) = (&scene.tenant.world, &scene.tenant.id, &pushed.message);
    let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for (hop, status, notify) in [(1, "delivered", "delivered"), (2, "undelivered", "permanent-failure")] {
        let url = format!("{}/receipts/twilio/{tenant}/{message}/{hop}/{key}", world.api_base());
        let form =
            [("MessageSid", "SM1"), ("AccountSid", scene.account().as_str()), ("MessageStatus", status)]
                .map(|(name, value)| (name, value.to_owned()));
        let answer = client().post(url).form(&form).send().await.expect("an answer").status().as_u16();
        assert_eq!(answer, 403, "not signed");
        let url = format!("{}/receipts/notify/{tenant}/notify", world.api_base());
        let body = json!({ "id": "1", "reference": format!("{tenant}/{message}/{hop}/AAAAAAAAAAAAAAAAAAAAAA"), "status": notify });
        let told = client().post(url).bearer_auth("a-token-that-somebody-made-up-himself").json(&body);
        let answer = told.send().await.expect("an answer").status().as_u16();
        assert_eq!(answer, 401, "another token");
    }
}

/// A tenant whose texts go by Twilio, then by Notify.
async fn two_routes() -> Arc<Scene> {
    let scene = Scene::new().await;
    let settings = json!({
        "link_life_minutes": 10, "channels": ["email", "sms"],
        "sms_routes": [{ "gateway": "twilio", "wait_seconds": 5 }, { "gateway": "notify", "wait_seconds": 5 }],
    });
    let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
    expect(&scene.put("/v1/policies/texts", &policy).await, 201);
    Arc::new(scene)
}

/// A user with so many tokens; their serials.
async fn user(scene: &Scene, by: By, name: &str, recipient: &str, tokens: usize) -> Vec<String> {
    remember(recipient);
    let member = if by == By::Email { "email" } else { "phone" };
    expect(&scene.tenant.post("/v1/users", &json!({ "user": name, member: recipient })).await, 201);
    let mut serials = Vec::new();
    for _ in 0..tokens {
        let token = scene.tenant.post(&format!("/v1/users/{name}/tokens"), &json!({})).await;
        expect(&token, 201);
        serials.push(text(&token.body, "serial"));
    }
    serials
}

/// Pushes a token; the message's id.
async fn push(scene: &Scene, by: By, serial: &str) -> String {
    let order = json!({ "channel": by.as_str(), "authorization": "none" });
    let pushed = scene.tenant.post(&format!("/v1/tokens/{serial}/push"), &order).await;
    expect(&pushed, 202);
    text(&pushed.body, "message")
}

/// Pushes all tokens of all users, those first whose messages take longest.
async fn push_all(scene: &Arc<Scene>) -> Vec<Pushed> {
    let slow = [Forced::Ambiguous, Forced::Down, Forced::Late];
    let mut outcomes = slow.to_vec();
    outcomes.extend(Forced::ALL.iter().filter(|forced| !slow.contains(forced)));
    let mut users = Vec::new();
    for by in [By::Sms, By::Email] {
        let count = Forced::ALL.len() * USERS;
        for place in 0..count {
            let forced = outcomes[place / USERS];
            users.push((place, by, forced, EACH / count + usize::from(place < EACH % count)));
        }
    }
    users.sort_by_key(|(place, ..)| *place);
    let of = Arc::clone(scene);
    let made = at_once(users, move |(place, by, forced, tokens)| {
        let scene = Arc::clone(&of);
        async move {
            let name = format!("{}-{}-{place}", forced.as_str(), by.as_str());
            let serials = user(&scene, by, &name, &recipient(by, forced, place), tokens).await;
            (place, by, forced, serials)
        }
    });
    let mut made = made.await;
    made.sort_by_key(|(place, by, ..)| (*place, *by));
    let tokens = made
        .into_iter()
        .flat_map(|(_, by, forced, serials)| serials.into_iter().map(move |serial| (by, forced, serial)));
    let tokens: Vec<_> = tokens.enumerate().collect();
    assert_eq!(tokens.len(), 2 * EACH);
    let of = Arc::clone(scene);
    let pushed = at_once(tokens, move |(place, (by, forced, serial))| {
        let scene = Arc::clone(&of);
        async move {
            let message = push(&scene, by, &serial).await;
            let pushed = Pushed { by, forced, serial, message, troubled: place % 3 == 0 };
            if pushed.troubled {
                brings_again(&scene, &pushed).await;
                forged(&scene, &pushed).await;
            }
            pushed
        }
    });
    pushed.await
}

/// Whether nothing more is to come for a message, as it is listed.
fn is_done(pushed: &Pushed, shown: &Value) -> bool {
    let expected = expected(pushed.by, pushed.forced);
    let hops = shown["hops"].as_array().expect("hops");
    let tells = expected.hops.iter().any(|[.., told]| !told.is_empty());
    let told = hops.iter().all(|hop| hop["state"] != "accepted" || hop.get("news").is_some());
    let waits = hops.last().is_some_and(|last| last.get("next_route_at").is_some());
    // A text that is sent may go on to another route.
    shown["status"] == expected.status && (!tells || told) && (expected.status != "sent" || !waits)
}

/// Waits until all have come to their end. Tokens of messages that are held are revoked.
async fn until_done(scene: &Scene, all: &[Pushed], since: Instant) {
    let mut revoked = Vec::new();
    loop {
        let listed = scene.tenant.every("messages", "/v1/messages?limit=100").await;
        let listed: BTreeMap<String, Value> =
            listed.into_iter().map(|shown| (text(&shown, "message"), shown)).collect();
        let left: Vec<(&Pushed, &Value)> = all
            .iter()
            .map(|pushed| (pushed, listed.get(&pushed.message).unwrap_or(&Value::Null)))
            .filter(|(pushed, shown)| shown.is_null() || !is_done(pushed, shown))
            .collect();
        if left.is_empty() {
            return;
        }
        let waited = since.elapsed();
        assert!(waited < LONGEST, "{} have not come to their end: {:?}", left.len(), left.first());
        let mut woken = Vec::new();
        let mut hurried: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (pushed, shown) in left.into_iter().filter(|(_, shown)| !shown.is_null()) {
            let held = shown["reason"].as_str().is_some_and(|reason| reason.starts_with("held: "));
            let last = shown["hops"].as_array().and_then(|hops| hops.last());
            match (pushed.forced, last) {
                (Forced::Down, Some(_)) if held => {
                    assert_eq!(shown["status"], "sending", "{shown}");
                    if !revoked.contains(&pushed.serial) {
                        let path = format!("/v1/tokens/{}/revoke", pushed.serial);
                        expect(&scene.tenant.post(&path, &json!({})).await, 200);
                        revoked.push(pushed.serial.clone());
                    }
                    woken.push(due(scene, &pushed.message));
                }
                (Forced::Down, Some(last)) if waited > HURRY && last["state"] == "handed" => {
                    let function = match last["sender"].as_str() {
                        Some("ses") => "send-ses",
                        Some("twilio") => "send-twilio",
                        _ => "send-govuk-notify",
                    };
                    let number = last["number"].as_u64().expect("a number");
                    hurried.entry(function).or_default().push(handed(scene, &pushed.message, number));
                }
                // What the sweep does, every minute.
                (Forced::Ambiguous, _) if waited > HURRY * 2 => woken.push(due(scene, &pushed.message)),
                _ => {}
            }
        }
        brings(scene, "deliver", &woken).await;
        for (function, bodies) in hurried {
            brings(scene, function, &bodies).await;
        }
        pause(1_000).await;
    }
}

/// Whether the machine was too slow for a route of five seconds: a sender did not take its hop, or a receipt that was
/// there did not come in time.
fn was_slow(message: &Value) -> bool {
    let hops = message["hops"].as_array().expect("hops");
    let late = |hop: &Value| {
        let (limit, told) = (hop["next_route_at"].as_str(), hop.pointer("/news/at").and_then(Value::as_str));
        limit.zip(told).is_some_and(|(limit, told)| limit <= told)
    };
    let not_taken = hops.iter().any(|hop| hop["state"] == "not_taken");
    not_taken || (hops.len() > 1 && hops[1]["because"] == "no_news" && late(&hops[0]))
}

/// Holds a message to what is to become of it; whether it was by the way that it goes on a machine that is fast enough.
fn check(pushed: &Pushed, message: &Value) -> bool {
    let Pushed { by, forced, .. } = *pushed;
    let what = format!("{} by {}: {message:#}", forced.as_str(), by.as_str());
    let expected = expected(by, forced);
    assert_eq!(message["status"], expected.status, "{what}");
    let reason = message.get("reason").and_then(Value::as_str);
    match expected.reason {
        Some(part) => assert!(reason.is_some_and(|reason| reason.contains(part)), "{what}"),
        None if expected.status == "undelivered" => assert!(reason.is_some(), "{what}"),
        None => assert_eq!(reason, None, "{what}"),
    }
    let shown = message["hops"].as_array().expect("hops");
    for (place, hop) in shown.iter().enumerate() {
        assert_eq!(hop["number"], place + 1, "each hop once: {what}");
        assert!(hop.get("passed").is_none() && hop.get("probe").is_none(), "no circuit is open: {what}");
    }
    let story: Vec<String> =
        message["story"].as_array().expect("a story").iter().map(|line| text(line, "text")).collect();
    let channel = if by == By::Email { "e-mail" } else { "text" };
    assert!(story[0].starts_with(&format!("Written: push_token, by {channel} to ")), "{what}");
    let handings =
        story.iter().filter(|line| line.starts_with("Handed to ") || line.starts_with("Another try"));
    assert_eq!(handings.count(), shown.len(), "{what}");
    let closed = format!("Closed: {}", expected.status);
    assert!(story.last().is_some_and(|last| last.starts_with(&closed)), "{what}");
    assert!(!message.to_string().contains("+999") && !message.to_string().contains(DOMAIN), "masked: {what}");

    if forced != Forced::Late && was_slow(message) {
        return false;
    }
    let mut hops = hops(message);
    if (by, forced) == (By::Sms, Forced::Down) {
        let again = ["twilio", "again", "retry", ""];
        let tries = hops.iter().filter(|hop| **hop == again).count();
        assert!(tries < 8, "{what}");
        assert!(hops[1..=tries].iter().all(|hop| *hop == again), "{what}");
        hops.drain(1..=tries);
    }
    assert_eq!(hops, expected.hops, "{what}");
    assert!(story.iter().any(|line| line.contains(expected.story)), "{what}");
    let receipts = story.iter().filter(|line| line.starts_with("Receipt from ")).count();
    assert_eq!(receipts, expected.hops.iter().filter(|[.., told]| !told.is_empty()).count(), "{what}");
    true
}

/// That no provider ever got anything for a recipient that is kept back.
async fn nobody_got_anything(scene: &Scene) {
    let world = &scene.tenant.world;
    assert!(world.texts().iter().all(|text| !text.to.contains("999000000")), "no text");
    assert!(world.twilio().taken().iter().all(|taken| !taken.to.contains("999000000")), "nothing of Twilio");
    let mails = world.mails().await.expect("the viewer");
    assert!(mails.iter().all(|mail| !mail.to.iter().any(|to| to.contains(DOMAIN))), "no mail");
    let raw = world.raw_mails();
    let names = |mail: &Vec<u8>| mail.windows(DOMAIN.len()).any(|part| part == DOMAIN.as_bytes());
    assert!(!raw.iter().any(names), "nothing of Amazon SES");
}

async fn two_hundred_messages_end_as_their_recipients_say() {
    let scene = two_routes().await;
    #[expect(clippy::disallowed_methods, reason = "a test takes the time")]
    let since = Instant::now();
    let all = push_all(&scene).await;
    println!("pushed after {:?}", since.elapsed());
    until_done(&scene, &all, since).await;
    println!("done after {:?}", since.elapsed());
    let of = Arc::clone(&scene);
    let ended = at_once(all, move |pushed| {
        let scene = Arc::clone(&of);
        async move {
            let message = scene.message(&pushed.message).await;
            (pushed, message)
        }
    });
    let ended = ended.await;
    let slow = ended.iter().filter(|(pushed, message)| !check(pushed, message)).count();
    assert!(slow < EACH / 2, "{slow} texts went on because this machine is slow");

    // What comes after the end changes nothing either.
    let troubled: Vec<_> = ended.into_iter().filter(|(pushed, _)| pushed.troubled).collect();
    assert!(troubled.len() >= 2 * EACH / 3, "every third");
    let of = Arc::clone(&scene);
    let checked = at_once(troubled, move |(pushed, message)| {
        let scene = Arc::clone(&of);
        async move {
            brings_again(&scene, &pushed).await;
            forged(&scene, &pushed).await;
            assert_eq!(scene.message(&pushed.message).await, message, "changed after its end");
        }
    });
    checked.await;

    nobody_got_anything(&scene).await;
    // The gateways work as before: whoever has a telephone gets a text by the first.
    let number = scene.number(7);
    let message = scene.until(&scene.pushed_to(&number).await, "delivered").await;
    assert_eq!(ways(&message)[0], "twilio", "{message}");
    let first = &message["hops"][0];
    assert!(first.get("passed").is_none() && first.get("probe").is_none(), "{message}");
    let texts = scene.texts_to(&number);
    assert_eq!(texts[0].by, "twilio");
    let taken = scene.tenant.world.twilio().taken();
    assert_eq!(taken.iter().filter(|taken| taken.account == scene.account()).count(), 1);
    println!("{slow} texts found the machine slow; all after {:?}", since.elapsed());
}

async fn without_an_outcome_is_refused() {
    let scene = two_routes().await;
    let why = "the recipient is kept back for simulated outcomes, and stands for none";
    for (by, name, recipient, ways) in [
        (By::Email, "mail", format!("nobody@{DOMAIN}"), vec![["", "first", "recipient_bad", ""]]),
        (
            By::Sms,
            "text",
            "+999000000099".to_owned(),
            vec![["twilio", "first", "recipient_bad", ""], ["notify", "refused", "recipient_bad", ""]],
        ),
    ] {
        let serials = user(&scene, by, name, &recipient, 1).await;
        let message = scene.until(&push(&scene, by, &serials[0]).await, "failed").await;
        assert_eq!(message["reason"], why, "{message}");
        assert_eq!(hops(&message), ways, "{message}");
        assert!(!message.to_string().contains(&recipient), "{message}");
    }
    nobody_got_anything(&scene).await;
}
