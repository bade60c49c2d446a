//! What providers tell of messages, through the deployed system: to whom it is believed, and where messages go when a
//! provider is silent or says that one did not arrive.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use otpost_local::demo::Answer;
use otpost_local::phone::Text;
use otpost_local::providers::govuk_notify::{CallBack, key_of};
use otpost_local::providers::receipts::{Fate, decide};
use otpost_local::providers::twilio::{Taken, signature};
use otpost_local::proxy::client;
use otpost_local::ses::News;
use otpost_tests::secrets::remember;
use otpost_tests::tenant::{Tenant, expect, pause, text};
use reqwest::Method;
use serde_json::{Value, json};

use crate::shared;

const TWILIO_TOKEN: &str = "not-a-token-of-any-account-but-ours";
const NOTIFY_TOKEN: &str = "not-a-token-of-any-service-but-ours";
const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        shared("failover::twilio_and_notify_tell_that_a_text_arrived", both_tell_that_a_text_arrived),
        shared("failover::a_silent_provider_is_left_after_its_time", a_silent_provider_is_left),
        shared("failover::bad_news_sends_a_text_the_next_way_at_once", bad_news_sends_a_text_on),
        shared("failover::receipts_twice_and_out_of_order_change_nothing", receipts_in_any_order),
        shared("failover::a_receipt_that_twilio_did_not_sign_is_nothing", unsigned_receipts_are_nothing),
        shared("failover::a_receipt_without_the_services_token_is_nothing", other_tokens_are_nothing),
        shared("failover::what_ses_tells_is_heard", what_ses_tells_is_heard),
        shared("failover::a_silent_gateway_is_passed_over", a_silent_gateway_is_passed_over),
    ]
}

/// A tenant with a gateway of each provider, both of which tell what becomes of texts.
pub(crate) struct Scene {
    pub(crate) tenant: Tenant,
    /// Number of the tenant, by which its account, service and telephone numbers are its own.
    of: u64,
    /// How many users were made for counting.
    users: AtomicU64,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::of(Tenant::new().await).await
    }

    /// The same with a tenant that is there.
    pub(crate) async fn of(tenant: Tenant) -> Self {
        let of = tenant.id.rsplit('-').next().and_then(|of| of.parse().ok()).expect("a number");
        let scene = Self { tenant, of, users: AtomicU64::default() };
        remember(TWILIO_TOKEN);
        remember(NOTIFY_TOKEN);
        let twilio = json!({
            "name": "Twilio", "kind": "twilio",
            "settings": { "account_sid": scene.account(), "from": "+15005550006" },
            "credentials": { "auth_token": TWILIO_TOKEN },
        });
        let notify = json!({
            "name": "Notify", "kind": "govuk_notify", "settings": { "template_id": TEMPLATE },
            "credentials": { "api_key": key_of(&scene.service()), "callback_token": NOTIFY_TOKEN },
        });
        for (id, document) in [("twilio", twilio), ("notify", notify)] {
            expect(&scene.put(&format!("/v1/gateways/{id}"), &document).await, 201);
        }
        scene.notify_bears(NOTIFY_TOKEN);
        scene
    }

    pub(crate) fn account(&self) -> String {
        format!("AC{:032x}", self.of + 0xfa11)
    }

    fn service(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.of + 0xfa11)
    }

    /// What an operator sets in Notify.
    fn notify_bears(&self, token: &str) {
        let world = &self.tenant.world;
        let url = format!("{}/receipts/notify/{}/notify", world.api_base(), self.tenant.id);
        world.govuk_notify().call_back(&self.service(), CallBack { url, token: token.to_owned() });
    }

    pub(crate) async fn put(&self, path: &str, document: &Value) -> Answer {
        let admin = self.tenant.key("admin");
        self.tenant.api.send(Method::PUT, path, admin, Some(document)).await.expect("an answer")
    }

    pub(crate) async fn routes(&self, routes: Value) {
        let settings = json!({ "channels": ["sms"], "sms_routes": routes });
        let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
        expect(&self.put("/v1/policies/texts", &policy).await, 201);
    }

    /// Twilio first, Notify behind it.
    async fn two_routes(&self) {
        let routes =
            json!([{ "gateway": "twilio", "wait_seconds": 5 }, { "gateway": "notify", "wait_seconds": 20 }]);
        self.routes(routes).await;
    }

    pub(crate) async fn twilio_is(&self, fate: Fate) {
        let url = &self.tenant.world.twilio().url;
        decide(url, Some(fate), Some(&self.account())).await.expect("decided");
    }

    async fn notify_is(&self, fate: Fate) {
        let url = &self.tenant.world.govuk_notify().url;
        decide(url, Some(fate), Some(&self.service())).await.expect("decided");
    }

    /// Pushes a token of a new user with this number by text; the message's id.
    pub(crate) async fn pushed_to(&self, number: &str) -> String {
        let user = format!("jane-{}", number.get(8..).expect("a number's end"));
        expect(&self.tenant.post("/v1/users", &json!({ "user": user, "phone": number })).await, 201);
        let token = self.tenant.post(&format!("/v1/users/{user}/tokens"), &json!({})).await;
        expect(&token, 201);
        let order = json!({ "channel": "sms", "authorization": "none" });
        let path = format!("/v1/tokens/{}/push", text(&token.body, "serial"));
        let pushed = self.tenant.post(&path, &order).await;
        expect(&pushed, 202);
        text(&pushed.body, "message")
    }

    /// Serials of the tokens of this many new users, with a number each.
    pub(crate) async fn texted(&self, count: u64) -> Vec<String> {
        let mut serials = Vec::new();
        for _ in 0..count {
            let last = self.users.fetch_add(1, Ordering::Relaxed);
            // From the other end than the numbers below, which are told apart by who has them.
            let number = format!("+4477009{:05}", 99_999 - (self.of * 20 + last) % 50_000);
            remember(&number);
            let user = json!({ "user": format!("user-{last}"), "phone": number });
            expect(&self.tenant.post("/v1/users", &user).await, 201);
            let token = self.tenant.post(&format!("/v1/users/user-{last}/tokens"), &json!({})).await;
            expect(&token, 201);
            serials.push(text(&token.body, "serial"));
        }
        serials
    }

    /// Pushes a token by text; the message's id.
    pub(crate) async fn pushed(&self, serial: &str) -> String {
        let order = json!({ "channel": "sms", "authorization": "none" });
        let pushed = self.tenant.post(&format!("/v1/tokens/{serial}/push"), &order).await;
        expect(&pushed, 202);
        text(&pushed.body, "message")
    }

    /// What Twilio took, the last time, of a message.
    pub(crate) async fn taken_of(&self, message: &str) -> Taken {
        let id = text(&self.message(message).await["hops"][0], "provider_id");
        let taken = self.tenant.world.twilio().taken().into_iter().find(|taken| taken.sid == id);
        taken.expect("Twilio took it")
    }

    /// Calls back as Twilio does; how that is answered.
    pub(crate) async fn calls_back(&self, taken: &Taken, status: &str) -> u16 {
        let url = taken.status_callback.as_deref().expect("a URL");
        let form = [
            ("MessageSid", taken.sid.as_str()),
            ("AccountSid", taken.account.as_str()),
            ("MessageStatus", status),
        ];
        let signed = client().post(url).form(&form);
        let signed = signed.header("x-twilio-signature", signature(TWILIO_TOKEN, url, &form));
        signed.send().await.expect("an answer").status().as_u16()
    }

    /// The same by somebody who has no token.
    pub(crate) async fn calls_back_unsigned(&self, url: &str, status: &str) -> u16 {
        let form = [("MessageStatus", status)];
        let signed = client().post(url).form(&form);
        let signed = signed.header("x-twilio-signature", signature("not-the-token-at-all", url, &form));
        signed.send().await.expect("an answer").status().as_u16()
    }

    /// A number of this tenant's own, out of those for stories.
    pub(crate) fn number(&self, last: u64) -> String {
        let number = format!("+4477009{:05}", (self.of * 10 + last) % 100_000);
        remember(&number);
        number
    }

    pub(crate) async fn message(&self, message: &str) -> Value {
        let shown = self.tenant.get(&format!("/v1/messages/{message}")).await;
        expect(&shown, 200);
        shown.body
    }

    /// The message, once it has this status.
    pub(crate) async fn until(&self, message: &str, status: &str) -> Value {
        let mut shown = Value::Null;
        for _ in 0..400 {
            shown = self.message(message).await;
            if shown["status"] == status {
                return shown;
            }
            pause(100).await;
        }
        panic!("not {status}: {shown}");
    }

    pub(crate) fn texts_to(&self, number: &str) -> Vec<Text> {
        self.tenant.world.texts().into_iter().filter(|text| text.to == number).collect()
    }

    /// What Twilio took for a number, the last time.
    fn taken(&self, number: &str) -> Taken {
        let taken = self.tenant.world.twilio().taken().into_iter().rev().find(|taken| taken.to == number);
        taken.expect("Twilio took it")
    }

    /// How Otpost answered the receipts of a text, oldest first: one of Twilio's or of Notify's.
    fn answers(&self, provider_id: &str) -> Vec<(String, Option<u16>)> {
        let world = &self.tenant.world;
        let told = world.twilio().told().into_iter().chain(world.govuk_notify().told());
        told.filter(|told| told.id == provider_id).map(|told| (told.status, told.answered)).collect()
    }
}

/// Gateways of a message's hops, in order.
pub(crate) fn ways(message: &Value) -> Vec<&str> {
    let hops = message["hops"].as_array().expect("hops");
    hops.iter().map(|hop| hop["gateway"].as_str().expect("a gateway")).collect()
}

fn is_good(answered: Option<u16>) -> bool {
    answered.is_some_and(|status| (200..300).contains(&status))
}

async fn both_tell_that_a_text_arrived() {
    let scene = Scene::new().await;
    for (place, gateway) in ["twilio", "notify"].into_iter().enumerate() {
        let number = scene.number(place as u64);
        if place == 0 {
            scene.routes(json!([{ "gateway": gateway }])).await;
        } else {
            let again = json!({ "applies_to": { "everyone": true }, "settings":
                { "channels": ["sms"], "sms_routes": [{ "gateway": gateway }] } });
            let bearer = format!("Bearer {}", scene.tenant.key("admin"));
            let headers = [("authorization", bearer.as_str()), ("if-match", "*")];
            let changed =
                scene.tenant.api.send_with(Method::PUT, "/v1/policies/texts", &headers, Some(&again)).await;
            expect(&changed.expect("an answer"), 200);
            // Policies are kept in memory for a while.
            pause(1_000).await;
        }
        let id = scene.pushed_to(&number).await;
        let message = scene.until(&id, "delivered").await;
        let by = text(
            &message["hops"].as_array().and_then(|hops| hops.last()).expect("a hop").clone(),
            "provider_id",
        );
        let answers = scene.answers(&by);
        assert!(!answers.is_empty() && answers.iter().all(|(_, answered)| is_good(*answered)), "{answers:?}");
        assert_eq!(scene.texts_to(&number).len(), 1);
        assert!(message["story"].as_array().is_some_and(|story| story.len() > 2), "{message}");
        assert!(!message.to_string().contains(&number[1..]), "{message}");
    }
}

async fn a_silent_provider_is_left() {
    let scene = Scene::new().await;
    scene.two_routes().await;
    scene.twilio_is(Fate::Silent).await;
    let number = scene.number(0);
    #[expect(clippy::disallowed_methods, reason = "a test takes the time")]
    let since = Instant::now();
    let message = scene.until(&scene.pushed_to(&number).await, "delivered").await;
    let took = since.elapsed();
    assert!((Duration::from_secs(5)..Duration::from_secs(25)).contains(&took), "{took:?}");
    assert_eq!(ways(&message), ["twilio", "notify"], "{message}");
    let texts = scene.texts_to(&number);
    assert!(texts.len() == 1 && texts[0].by == "govuk_notify", "{texts:?}");
    assert_eq!(scene.taken(&number).account, scene.account());
}

async fn bad_news_sends_a_text_on() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "twilio", "wait_seconds": 3600 }, { "gateway": "notify" }])).await;
    scene.twilio_is(Fate::Undelivered).await;
    let message = scene.until(&scene.pushed_to(&scene.number(0)).await, "delivered").await;
    assert_eq!(ways(&message), ["twilio", "notify"], "{message}");
    // Where nobody can bring it, the last word is that.
    scene.notify_is(Fate::Undelivered).await;
    let message = scene.until(&scene.pushed_to(&scene.number(1)).await, "undelivered").await;
    assert_eq!(ways(&message), ["twilio", "notify"], "{message}");
    assert_eq!(scene.texts_to(&scene.number(1)), []);
}

async fn receipts_in_any_order() {
    let scene = Scene::new().await;
    scene.two_routes().await;
    for (last, fate) in [(0, Fate::Twice), (1, Fate::OutOfOrder)] {
        scene.twilio_is(fate).await;
        let number = scene.number(last);
        let id = scene.pushed_to(&number).await;
        scene.until(&id, "delivered").await;
        let count = if fate == Fate::Twice { 4 } else { 2 };
        let answers = loop {
            let answers = scene.answers(&scene.taken(&number).sid);
            if answers.len() == count {
                break answers;
            }
            pause(100).await;
        };
        assert!(answers.iter().all(|(_, answered)| is_good(*answered)), "{answers:?}");
        let message = scene.message(&id).await;
        assert_eq!((&message["status"], ways(&message)), (&json!("delivered"), vec!["twilio"]), "{message}");
        assert_eq!(scene.texts_to(&number).len(), 1);
    }
}

async fn unsigned_receipts_are_nothing() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "twilio" }])).await;
    scene.twilio_is(Fate::Silent).await;
    let number = scene.number(0);
    let id = scene.pushed_to(&number).await;
    scene.until(&id, "sent").await;
    let taken = scene.taken(&number);
    let url = taken.status_callback.clone().expect("a URL");
    let form = |sid: &str, status: &str| {
        [("MessageSid", sid), ("AccountSid", &taken.account), ("MessageStatus", status)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let post = async |url: &str, form: &[(&str, String)], signed: Option<String>| -> u16 {
        let request = client().post(url).form(form);
        let request = match signed {
            Some(signature) => request.header("x-twilio-signature", signature),
            None => request,
        };
        request.send().await.expect("an answer").status().as_u16()
    };
    let sign = |token: &str, url: &str, form: &[(&str, String)]| {
        let pairs: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        signature(token, url, &pairs)
    };
    let delivered = form(&taken.sid, "delivered");
    for (what, signed) in [
        ("not signed", None),
        ("signed with another token", Some(sign("another-token-of-an-account", &url, &delivered))),
        ("signed for another URL", Some(sign(TWILIO_TOKEN, &format!("{url}x"), &delivered))),
        ("signed for another text", Some(sign(TWILIO_TOKEN, &url, &form(&taken.sid, "undelivered")))),
    ] {
        let status = post(&url, &delivered, signed).await;
        assert!((400..500).contains(&status), "{what}: {status}");
    }
    // A URL that nobody was given, as for another message.
    let (start, _) = url.rsplit_once('/').expect("a key");
    let made_up = format!("{start}/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let status = post(&made_up, &delivered, Some(sign(TWILIO_TOKEN, &made_up, &delivered))).await;
    assert!((400..500).contains(&status), "another key: {status}");
    assert_eq!(scene.message(&id).await["status"], "sent");

    let status = post(&url, &delivered, Some(sign(TWILIO_TOKEN, &url, &delivered))).await;
    assert!(is_good(Some(status)), "{status}");
    scene.until(&id, "delivered").await;
}

async fn other_tokens_are_nothing() {
    let scene = Scene::new().await;
    scene.routes(json!([{ "gateway": "notify" }])).await;
    scene.notify_bears("another-token-than-the-gateways");
    let id = scene.pushed_to(&scene.number(0)).await;
    let message = scene.until(&id, "sent").await;
    let provider_id = text(&message["hops"][0], "provider_id");
    let answers = loop {
        let answers = scene.answers(&provider_id);
        if !answers.is_empty() {
            break answers;
        }
        pause(100).await;
    };
    assert!(answers[0].1.is_some_and(|status| (400..500).contains(&status)), "{answers:?}");
    assert_eq!(scene.message(&id).await["status"], "sent");
}

async fn what_ses_tells_is_heard() {
    let tenant = Tenant::new().await;
    let scene = Scene { tenant, of: 0, users: AtomicU64::default() };
    let tells = async |message: &str, news| {
        let heard = scene.tenant.world.ses_tells(message, news).await.expect("heard");
        assert_eq!(heard, 1, "{news:?} reaches one function");
    };
    let push = async |user: &str| {
        let message = scene.tenant.pushed(&scene.tenant.provisioned(user).await).await;
        scene.tenant.mails(user, 1).await;
        scene.until(&message, "sent").await;
        message
    };
    let arrived = push("arrives").await;
    tells(&arrived, News::Sent).await;
    tells(&arrived, News::Delayed).await;
    assert_eq!(scene.message(&arrived).await["status"], "sent");
    tells(&arrived, News::Delivered).await;
    scene.until(&arrived, "delivered").await;
    // What comes late changes nothing.
    tells(&arrived, News::Delayed).await;
    assert_eq!(scene.message(&arrived).await["status"], "delivered");

    let bounced = push("bounces").await;
    tells(&bounced, News::BouncedForNow).await;
    scene.until(&bounced, "undelivered").await;
    let gone = push("is-gone").await;
    tells(&gone, News::BouncedForGood).await;
    let message = scene.until(&gone, "undelivered").await;
    assert!(!message.to_string().contains(&scene.tenant.address("is-gone")), "no address is told: {message}");

    // The mailbox simulator tells by itself.
    let user = json!({ "user": "simulated", "email": format!("bounce+{}@simulator.amazonses.com", scene.tenant.id) });
    expect(&scene.tenant.post("/v1/users", &user).await, 201);
    let token = scene.tenant.post("/v1/users/simulated/tokens", &json!({})).await;
    expect(&token, 201);
    let message = scene.tenant.pushed(&text(&token.body, "serial")).await;
    scene.until(&message, "undelivered").await;
}

async fn a_silent_gateway_is_passed_over() {
    let scene = Scene::new().await;
    scene.two_routes().await;
    scene.twilio_is(Fate::Silent).await;
    let mut lost = 0;
    let passed = loop {
        let message = scene.until(&scene.pushed_to(&scene.number(lost)).await, "delivered").await;
        if ways(&message) == ["notify"] {
            break message;
        }
        lost += 1;
        assert!(lost < 9, "Twilio loses one text after the other");
    };
    assert!(lost >= 3, "passed over after {lost}");
    assert_eq!(passed["hops"][0]["passed"], json!(["twilio"]), "{passed}");
}
