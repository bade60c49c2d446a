//! One world: the real handlers over ports in memory, queues that do what queues do, and time that jumps to what is next.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use aws_lc_rs::hmac;
use data_encoding::BASE64;
use lambda_runtime::Diagnostic;
use otpost_domain::circuit::{Health, HealthKey};
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::{MessageId, Serial, TenantId, UserId};
use otpost_domain::message::{Channel, GatewayName, Message, Sender, Verdict, Via};
use otpost_domain::otp::OtpParameters;
use otpost_domain::policy::PolicyDocument;
use otpost_domain::tenant::GroupName;
use otpost_domain::time::Timestamp;
use otpost_edge::auth::{KeyRing, NoPlatformKey};
use otpost_receipts::seldom::Seldom;
use otpost_service::caller::Keeper;
use otpost_service::document::value_of;
use otpost_service::faults::{Faulty, FaultyProvider, Plan, Process};
use otpost_service::gateways::keep_gateway;
use otpost_service::memory::{MemoryPorts, Queued, operator};
use otpost_service::once::Once;
use otpost_service::policies::keep_policy;
use otpost_service::ports::{MessageRef, MessageStore as _, Ports};
use otpost_service::seen::Seen;
use otpost_service::templates::keep_template;
use otpost_service::users::{Profile, create_user};
use otpost_service::{lifecycle, provision, push};
use serde_json::{Value, json};

use super::chance::Chance;
use super::judge::Found;
use super::outside::{Acting, CallBack, Lot, Mood, Outside, Trust, seconds};

/// How long `deliver` and the senders may run, and how long a queue then waits before it brings an entry again.
const LONGEST_RUN: Duration = Duration::from_secs(35);
const UNSEEN: Duration = Duration::from_secs(210);
/// How often a queue brings an entry before it puts it aside.
const RECEIVES: u32 = 5;
/// How many entries make a batch.
const BATCH: usize = 5;
/// How often a provider tells what nobody took.
const TELLS: u32 = 5;

/// The gateways of the one tenant: id, kind, whether it tells.
const GATEWAYS: [(&str, Sender, bool); 7] = [
    ("twilio-a", Sender::Twilio, true),
    ("twilio-b", Sender::Twilio, true),
    ("twilio-mute", Sender::Twilio, false),
    ("notify", Sender::GovukNotify, true),
    ("notify-mute", Sender::GovukNotify, false),
    ("mail", Sender::Ses, true),
    ("smtp", Sender::Smtp, false),
];

/// The auth token of Twilio's accounts, and the token of GOV.UK Notify's call-backs.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const CALLBACK_TOKEN: &str = "0123456789abcdef";

/// What goes wrong of itself, each in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rough {
    pub(super) calls: u64,
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) late: u64,
}

/// A message that is to be pushed.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) at: Duration,
    /// Its user's, of [`Setting::groups`].
    pub(super) group: usize,
    /// When its token is revoked, after that.
    pub(super) revoked: Option<Duration>,
}

/// How one group's messages go: by which channels, on each by which gateways, and for how many minutes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) channels: &'static [Channel],
    pub(super) sms: &'static [(&'static str, u64)],
    pub(super) email: &'static [(&'static str, u64)],
    pub(super) minutes: u64,
}

/// What happens in a world.
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) rough: Rough,
    pub(super) groups: Vec<Group>,
    pub(super) orders: Vec<Order>,
    pub(super) moods: BTreeMap<&'static str, Vec<(Duration, Mood)>>,
}

/// A queue: that of a sender, or that of `deliver`.
type Queue = Option<Sender>;

/// An entry of a queue.
#[derive(Clone, Debug)]
struct Entry {
    message: MessageRef,
    hop: u16,
    received: u32,
}

enum Event {
    Push(usize),
    Revoke(usize),
    Arrive(Queue, Entry),
    Flush(Queue),
    Poll(usize),
    Kill(usize),
    Sweep,
    Tell(CallBack),
}

/// What a process works on.
enum Load {
    Batch(Queue, Vec<Entry>),
    Sweep,
    Receipt(CallBack),
}

/// Which of its entries a process gives back; none when it died.
type Work = Pin<Box<dyn Future<Output = Option<Vec<usize>>>>>;

struct Running {
    number: usize,
    work: Work,
    load: Load,
    plan: Arc<Plan>,
}

/// What became of gateways' circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened,
    Tried,
    Closed,
}

/// What happened to the world besides.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) died: usize,
    pub(super) timed_out: usize,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) put_aside: usize,
    pub(super) told: usize,
}

pub(super) struct World {
    pub(super) outside: Arc<Outside>,
    pub(super) setting: Setting,
    chance: Chance,
    agenda: BinaryHeap<Reverse<(Timestamp, u64)>>,
    events: BTreeMap<u64, Event>,
    sequence: u64,
    waiting: Vec<(Queue, Vec<Entry>)>,
    running: BTreeMap<usize, Running>,
    processes: usize,
    /// What processes remember: two of each function.
    remembering: Vec<Arc<Process>>,
    start: Timestamp,
    /// The messages in the order in which they were pushed, with their tokens.
    pub(super) pushed: BTreeMap<usize, (MessageRef, Serial, Timestamp)>,
    pub(super) revoked: BTreeMap<MessageId, Timestamp>,
    users: BTreeMap<MessageId, usize>,
    /// What was seen to be wrong on the way.
    pub(super) wrong: Vec<Found>,
    health: Vec<Option<Health>>,
    pub(super) turns: Vec<(Timestamp, &'static str, Turn)>,
    pub(super) counts: Counts,
    pub(super) last_end: Timestamp,
}

fn acme() -> TenantId {
    TenantId::try_from("acme").expect("a tenant's id")
}

fn document(number: usize, sender: Sender, tells: bool) -> Value {
    let (account, uuid) = (format!("AC{number:032}"), format!("{number:08}-2222-4333-8444-555566667777"));
    let from = json!({ "address": "no-reply@example.org" });
    match sender {
        Sender::Twilio => {
            let by_key = json!({ "api_key_sid": format!("SK{number:032}"), "api_key_secret": SECRET });
            let login = if tells { json!({ "auth_token": SECRET }) } else { by_key };
            let settings = json!({ "account_sid": account, "from": "+447700900000" });
            json!({ "name": "T", "kind": "twilio", "countries": ["GB"], "settings": settings, "credentials": login })
        }
        Sender::GovukNotify => {
            let key = format!("key-{uuid}-{uuid}");
            let mut login = json!({ "api_key": key });
            if tells {
                login["callback_token"] = json!(CALLBACK_TOKEN);
            }
            json!({ "name": "N", "kind": "govuk_notify", "settings": { "template_id": uuid }, "credentials": login })
        }
        Sender::Ses => json!({ "name": "S", "kind": "ses", "settings": { "from": from } }),
        Sender::Smtp => {
            let login = json!({ "user": "otpost", "password": "secret-password" });
            let settings =
                json!({ "host": "mail.example.org", "port": 587, "authentication": "plain", "from": from });
            json!({ "name": "M", "kind": "smtp", "settings": settings, "credentials": login })
        }
    }
}

fn owner_of(gateway: &str) -> Owner {
    // Tenants have no Amazon SES of their own.
    if gateway == "mail" { Owner::Platform } else { Owner::Tenant(acme()) }
}

fn keys() -> Vec<HealthKey> {
    let key = |(id, sender, _): (&str, Sender, bool)| {
        let id_ = id.try_into().expect("an id");
        let named = GatewayName { owner: owner_of(id), id: id_, version: 1 };
        HealthKey::of(&acme(), &Via { gateway: Some(named), sender })
    };
    GATEWAYS.into_iter().map(key).collect()
}

/// How an answer to what a provider tells is understood by it.
const REFUSED: usize = 400;

/// What a provider tells enters Otpost, as that provider tells it: nothing comes back when it was taken, 0 when it is to be
/// told again, [`REFUSED`] when it is not.
async fn tell(ports: &impl Ports, told: &CallBack, user: Option<usize>) -> Vec<usize> {
    let request = match told.sender {
        Sender::Twilio => by_twilio(told),
        Sender::GovukNotify => by_notify(told),
        Sender::Ses | Sender::Smtp => {
            let taken = otpost_receipts::told(ports, by_ses(told, user)).await;
            return if taken.is_ok() { Vec::new() } else { vec![0] };
        }
    };
    let request = lambda_http::request::from_str(&request.to_string()).expect("an event");
    let answer =
        otpost_receipts::handle(ports, &KeyRing::new(NoPlatformKey), &Seldom::default(), request).await;
    match answer.status().as_u16() {
        0..300 => Vec::new(),
        500.. => vec![0],
        _ => vec![REFUSED],
    }
}

fn request(path: &str, header: (&str, &str), media: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": { "content-type": media, header.0: header.1 },
        "requestContext": {
            "accountId": "0", "apiId": "x", "domainName": "x", "domainPrefix": "x", "stage": "$default",
            "requestId": "r", "routeKey": "$default", "time": "15/Jan/2027:08:00:00 +0000", "timeEpoch": 0,
            "http": { "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x" },
        },
        "body": BASE64.encode(body.as_bytes()), "isBase64Encoded": true,
    })
}

/// A call-back to the URL that went with the text, with a signature over all of it.
fn by_twilio(told: &CallBack) -> Value {
    let url = told.url.as_deref().expect("Twilio is told where to tell");
    let path = url.strip_prefix("https://otp.example.org").expect("a URL of ours");
    let pairs = match told.verdict {
        Verdict::Delivered => vec![("MessageSid", "SM1"), ("MessageStatus", "delivered")],
        Verdict::Undelivered => {
            vec![("ErrorCode", "30003"), ("MessageSid", "SM1"), ("MessageStatus", "undelivered")]
        }
        Verdict::Delayed => vec![("MessageSid", "SM1"), ("MessageStatus", "sent")],
    };
    let signed: String = pairs.iter().flat_map(|(name, value)| [*name, *value]).collect();
    let secret = if told.trust == Trust::Forged { "another" } else { SECRET };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
    let signature = BASE64.encode(hmac::sign(&key, format!("{url}{signed}").as_bytes()).as_ref());
    let form: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let media = "application/x-www-form-urlencoded";
    request(path, ("x-twilio-signature", &signature), media, &form.join("&"))
}

/// A call-back to the URL that an operator has set in GOV.UK Notify, with the token that was set there too.
fn by_notify(told: &CallBack) -> Value {
    let status = match told.verdict {
        Verdict::Delivered => "delivered",
        Verdict::Undelivered => "permanent-failure",
        Verdict::Delayed => "sending",
    };
    let reference = told.url.as_deref().expect("Notify is given a reference");
    let (_, proof) = reference.rsplit_once('/').expect("a proof");
    let reference = format!("acme/{}/{}/{proof}", told.message, told.hop);
    let body = json!({ "id": "1", "reference": reference, "status": status });
    let token = if told.trust == Trust::Forged { "fedcba9876543210" } else { CALLBACK_TOKEN };
    let path = format!("/receipts/notify/acme/{}", told.gateway);
    request(&path, ("authorization", &format!("Bearer {token}")), "application/json", &body.to_string())
}

/// An event of Amazon SES, as EventBridge brings it.
fn by_ses(told: &CallBack, user: Option<usize>) -> Value {
    let kind = match told.verdict {
        Verdict::Delivered => "Email Delivered",
        Verdict::Undelivered => "Email Bounced",
        Verdict::Delayed => "Email Delivery Delayed",
    };
    let recipient = json!([{ "emailAddress": format!("user{}@example.org", user.unwrap_or_default()) }]);
    let lasting = if told.suppresses { "Permanent" } else { "Transient" };
    let bounce = json!({ "bounceType": lasting, "bounceSubType": "General", "bouncedRecipients": recipient });
    let delay = json!({ "delayType": "MailboxFull", "delayedRecipients": recipient });
    let tag = format!("acme.{}.{}", told.message, told.hop);
    let mut detail = json!({ "mail": { "tags": { "otpost-message": [tag] } } });
    match told.verdict {
        Verdict::Delivered => {}
        Verdict::Undelivered => detail["bounce"] = bounce,
        Verdict::Delayed => detail["deliveryDelay"] = delay,
    }
    json!({ "source": "aws.ses", "detail-type": kind, "detail": detail })
}

/// What a handler of batches gives back.
fn given_back(answer: Result<Value, Diagnostic>, entries: usize) -> Vec<usize> {
    let Ok(answer) = answer else { return (0..entries).collect() };
    let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
    let number = |failure: &Value| failure["itemIdentifier"].as_str().and_then(|number| number.parse().ok());
    failures.iter().filter_map(number).collect()
}

impl World {
    /// Tenant, gateways and policies are there, and nothing is on its way.
    pub(super) async fn new(setting: Setting) -> Self {
        let ports = MemoryPorts::new();
        ports.with_tenant("acme").await;
        for (number, (id, sender, tells)) in GATEWAYS.into_iter().enumerate() {
            let owner = owner_of(id);
            let keeper = Keeper { owner: owner.clone(), actor: operator("acme").actor };
            let mut written = document(number, sender, tells);
            if owner.tenant().is_none() {
                written["tenants"] = json!({ "named": ["acme"] });
            }
            let document = GatewayDocument::read(&value_of(&written), &owner).expect("a gateway");
            let id = id.try_into().expect("an id");
            keep_gateway(&ports, &keeper, &id, document, Seen::Unsaid).await.expect("kept");
        }
        for (number, group) in setting.groups.iter().enumerate() {
            let channels: Vec<&str> = group.channels.iter().map(|channel| channel.as_str()).collect();
            let mut settings = json!({
                "link_life_minutes": group.minutes, "authorization_code": "none", "channels": channels,
                "channel_fallback": true,
            });
            for (named, routes) in [("sms_routes", group.sms), ("email_routes", group.email)] {
                let route =
                    |(gateway, wait): &(&str, u64)| json!({ "gateway": gateway, "wait_seconds": wait });
                if !routes.is_empty() {
                    settings[named] = routes.iter().map(route).collect();
                }
            }
            let policy = json!({ "applies_to": { "groups": [format!("g{number}")] }, "settings": settings });
            let policy = PolicyDocument::read(&value_of(&policy)).expect("a policy");
            let id = format!("p{number}").as_str().try_into().expect("an id");
            keep_policy(&ports, &operator("acme"), &id, policy, Seen::Unsaid).await.expect("kept");
        }
        // The built-in mail has a QR code, and making thousands of them takes longer than all the rest.
        let form = json!({ "subject": "Your token", "text": "[[LINK]]", "html": "<p>[[LINK]]</p>" });
        let texts = json!({ "email": form, "sms": { "text": "[[LINK]]" } });
        let name = "push_token.en".try_into().expect("a name");
        let caller = operator("acme");
        keep_template(&ports, &caller, &name, &value_of(&texts), Seen::Unsaid).await.expect("kept");
        ports.queue().take();
        let mut chance = Chance::of(setting.seed);
        let outsides = Chance::of(chance.next());
        let start = Timestamp::from_seconds(1_800_000_000);
        let moods = setting.moods.iter().map(|(gateway, moods)| {
            (*gateway, moods.iter().map(|(from, mood)| (start.plus(*from), *mood)).collect())
        });
        let outside = Outside::new(ports, outsides, setting.rough.calls, moods.collect());
        let mut world = Self {
            outside,
            chance,
            agenda: BinaryHeap::new(),
            events: BTreeMap::new(),
            sequence: 0,
            waiting: Vec::new(),
            running: BTreeMap::new(),
            processes: 0,
            remembering: (0..16).map(|_| Arc::new(Process::default())).collect(),
            start,
            pushed: BTreeMap::new(),
            revoked: BTreeMap::new(),
            users: BTreeMap::new(),
            wrong: Vec::new(),
            health: vec![None; GATEWAYS.len()],
            turns: Vec::new(),
            counts: Counts::default(),
            last_end: start,
            setting,
        };
        for (number, order) in world.setting.orders.clone().into_iter().enumerate() {
            world.at(start.plus(order.at), Event::Push(number));
            if let Some(after) = order.revoked {
                world.at(start.plus(order.at).plus(after), Event::Revoke(number));
            }
        }
        world.at(start, Event::Sweep);
        world
    }

    fn ports(&self) -> &MemoryPorts {
        &self.outside.ports
    }

    fn now(&self) -> Timestamp {
        self.outside.now()
    }

    fn at(&mut self, at: Timestamp, event: Event) {
        self.sequence += 1;
        self.events.insert(self.sequence, event);
        self.agenda.push(Reverse((at, self.sequence)));
    }

    fn after(&mut self, millis: u64, event: Event) {
        let at = self.now().plus(Duration::from_millis(millis));
        self.at(at, event);
    }

    /// Until nothing is left to happen.
    pub(super) async fn run(&mut self) {
        while let Some(Reverse((at, sequence))) = self.agenda.pop() {
            let past = at.millis().saturating_sub(self.now().millis());
            self.ports().clock().advance(Duration::from_millis(past));
            if let Some(event) = self.events.remove(&sequence) {
                self.happens(event).await;
            }
            self.drain();
            self.watch_circuits().await;
        }
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::Push(number) => self.push(number).await,
            Event::Revoke(number) => self.revoke(number).await,
            Event::Arrive(queue, entry) => {
                let full = {
                    let waiting = self.waiting_for(queue);
                    waiting.push(entry);
                    waiting.len() >= BATCH
                };
                if full || self.chance.hits(700) {
                    self.batch(queue);
                } else {
                    let soon = self.chance.between(100, 2000);
                    self.after(soon, Event::Flush(queue));
                }
            }
            Event::Flush(queue) => self.batch(queue),
            Event::Poll(process) => self.poll(process),
            Event::Kill(process) => {
                if let Some(running) = self.running.remove(&process) {
                    self.counts.timed_out += 1;
                    self.ended(running, None);
                }
            }
            Event::Sweep => self.sweep().await,
            Event::Tell(told) => self.receipt(told),
        }
    }

    fn waiting_for(&mut self, queue: Queue) -> &mut Vec<Entry> {
        let place = self.waiting.iter().position(|(named, _)| *named == queue).unwrap_or_else(|| {
            self.waiting.push((queue, Vec::new()));
            self.waiting.len() - 1
        });
        &mut self.waiting[place].1
    }

    /// What was put on queues, told and waited for is to happen in time.
    fn drain(&mut self) {
        for queued in self.ports().queue().take() {
            let entry = |message: MessageRef, hop| Entry { message, hop, received: 0 };
            match queued {
                Queued::Deliver(message) => self.queue(None, &entry(message, 0), Duration::ZERO),
                Queued::Wake(message, delay) => self.queue(None, &entry(message, 0), delay),
                Queued::Hand(sender, message, hop, delay) => {
                    self.queue(Some(sender), &entry(message, hop), delay);
                }
                Queued::Tell(..) | Queued::Work(..) => {}
            }
        }
        let telling = std::mem::take(&mut self.outside.lock().telling);
        for (at, told) in telling {
            self.at(at, Event::Tell(told));
        }
    }

    fn queue(&mut self, queue: Queue, entry: &Entry, delay: Duration) {
        let rough = self.setting.rough;
        if self.chance.hits(rough.lost) {
            self.counts.lost += 1;
            self.outside.tell(&entry.message.id, || format!("  a queue loses {queue:?} {}", entry.hop));
            return;
        }
        let twice = self.chance.hits(rough.doubled);
        self.counts.doubled += usize::from(twice);
        for _ in 0..=u8::from(twice) {
            let late = if self.chance.hits(rough.late) { self.chance.between(1000, 120_000) } else { 0 };
            let usual = self.chance.between(5, 150);
            let at = self.now().plus(delay).plus(Duration::from_millis(usual + late));
            self.at(at, Event::Arrive(queue, entry.clone()));
        }
    }

    async fn push(&mut self, number: usize) {
        let order = self.setting.orders[number].clone();
        let caller = operator("acme");
        let user = UserId::try_from(format!("user{number}").as_str()).expect("an id");
        let profile = Profile {
            email: EmailAddress::try_from(format!("user{number}@example.org").as_str()).ok(),
            phone: PhoneNumber::try_from("+447700900123").ok(),
            groups: [GroupName::try_from(format!("g{}", order.group).as_str()).expect("a name")].into(),
            ..Profile::default()
        };
        let ports = &self.outside.ports;
        create_user(ports, &caller, user.clone(), profile, Once::not_kept()).await.expect("a user");
        let parameters = OtpParameters::default();
        let token = provision::provision(ports, &caller, &user, parameters, Once::not_kept()).await;
        let serial = token.expect("a token").serial;
        let by = push::Order { serial: serial.clone(), channel: None, authorization: None };
        let message = push::push(ports, &caller, &by, Once::not_kept()).await.expect("pushed").message;
        self.last_end = self.last_end.max(message.expires_at);
        let now = self.now();
        self.outside.tell(&message.id, || format!("pushed in group {}", order.group));
        self.users.insert(message.id.clone(), number);
        self.pushed.insert(number, (MessageRef::from(&message), serial, now));
    }

    async fn revoke(&mut self, number: usize) {
        let Some((message, serial, _)) = self.pushed.get(&number).cloned() else { return };
        let order = lifecycle::Order { serial, reason: None, seen: None };
        lifecycle::revoke(self.ports(), &operator("acme"), &order, Once::not_kept()).await.expect("revoked");
        self.outside.tell(&message.id, || "its token is revoked".to_owned());
        self.revoked.insert(message.id, self.now());
    }

    /// Open messages, as the store has them.
    async fn open(&self) -> usize {
        let mut open = 0;
        for (message, ..) in self.pushed.values() {
            open += usize::from(self.message(message).await.is_open());
        }
        open
    }

    pub(super) async fn message(&self, message: &MessageRef) -> Message {
        self.ports().store().message(message).await.expect("a store").expect("a message")
    }

    async fn sweep(&mut self) {
        let all_pushed = self.pushed.len() == self.setting.orders.len();
        let over = self.now() >= self.last_end.plus(Duration::from_hours(2));
        if all_pushed && (over || self.open().await == 0) {
            return;
        }
        self.after(60_000, Event::Sweep);
        let event = json!({ "otpost": "sweep" });
        let (plan, memory) = (self.plan(Vec::new(), None), self.memory(None));
        let (outside, under) = (Arc::clone(&self.outside), Arc::clone(&plan));
        let work = async move {
            let ports = Faulty::new(&outside.ports, &under).within(&memory);
            under.until_death(otpost_deliver::handle(&ports, event)).await.map(|_| Vec::new())
        };
        self.begin(Box::pin(work), Load::Sweep, plan);
    }

    fn plan(&self, of: Vec<MessageRef>, hears: Option<CallBack>) -> Arc<Plan> {
        Plan::under(Lot { outside: Arc::clone(&self.outside), hears, of })
    }

    /// One of two processes of a function.
    fn memory(&mut self, queue: Queue) -> Arc<Process> {
        let function = match queue {
            None => 0,
            Some(Sender::Ses) => 2,
            Some(Sender::Smtp) => 4,
            Some(Sender::Twilio) => 6,
            Some(Sender::GovukNotify) => 8,
        };
        let which = usize::from(self.setting.rough.calls > 0 && self.chance.hits(500));
        Arc::clone(&self.remembering[function + which])
    }

    /// A process takes what waits in a queue.
    fn batch(&mut self, queue: Queue) {
        let entries = std::mem::take(self.waiting_for(queue));
        if entries.is_empty() {
            return;
        }
        let record = |(number, entry): (usize, &Entry)| {
            let mut body = json!({ "tenant": "acme", "message": entry.message.id.as_str() });
            if queue.is_some() {
                body["hop"] = json!(entry.hop);
            }
            json!({ "messageId": number.to_string(), "body": body.to_string() })
        };
        let records: Vec<Value> = entries.iter().enumerate().map(record).collect();
        let (event, many) = (json!({ "Records": records }), entries.len());
        for entry in &entries {
            let process = self.processes;
            self.outside.tell(&entry.message.id, || format!("process {process} has {queue:?} {}", entry.hop));
        }
        let plan = self.plan(entries.iter().map(|entry| entry.message.clone()).collect(), None);
        let memory = self.memory(queue);
        let (outside, under) = (Arc::clone(&self.outside), Arc::clone(&plan));
        let work: Work = match queue {
            None => Box::pin(async move {
                let ports = Faulty::new(&outside.ports, &under).within(&memory);
                let answer = under.until_death(otpost_deliver::handle(&ports, event)).await;
                answer.map(|answer| given_back(answer, many))
            }),
            Some(sender) => {
                let provider = Acting::new(&outside, sender, self.processes);
                Box::pin(async move {
                    let ports = Faulty::new(&outside.ports, &under).within(&memory);
                    let provider = FaultyProvider::new(&provider, &under);
                    let handled = otpost_edge::sender::handle(&ports, &provider, event);
                    under.until_death(handled).await.map(|answer| given_back(answer, many))
                })
            }
        };
        self.begin(work, Load::Batch(queue, entries), plan);
    }

    fn receipt(&mut self, told: CallBack) {
        self.counts.told += 1;
        let message = MessageRef { tenant: acme(), id: told.message.clone() };
        let plan = self.plan(vec![message], Some(told.clone()));
        let (outside, under, of) = (Arc::clone(&self.outside), Arc::clone(&plan), told.clone());
        self.outside.tell(&told.message, || {
            let (hop, verdict, trust) = (told.hop, told.verdict, told.trust);
            format!("a provider tells of hop {hop}: {verdict:?}, {trust:?}")
        });
        let user = self.users.get(&told.message).copied();
        let work = async move {
            let ports = Faulty::new(&outside.ports, &under);
            under.until_death(tell(&ports, &of, user)).await
        };
        self.begin(Box::pin(work), Load::Receipt(told), plan);
    }

    fn begin(&mut self, work: Work, load: Load, plan: Arc<Plan>) {
        let number = self.processes;
        self.processes += 1;
        self.running.insert(number, Running { number, work, load, plan });
        let longest = u64::try_from(LONGEST_RUN.as_millis()).expect("short");
        self.poll(number);
        if self.running.contains_key(&number) {
            self.after(longest, Event::Kill(number));
        }
    }

    fn poll(&mut self, process: usize) {
        let Some(mut running) = self.running.remove(&process) else { return };
        let mut context = Context::from_waker(Waker::noop());
        match running.work.as_mut().poll(&mut context) {
            Poll::Ready(back) => {
                self.counts.died += usize::from(back.is_none());
                self.ended(running, back.as_deref());
            }
            Poll::Pending => {
                self.running.insert(process, running);
            }
        }
        let wakes = std::mem::take(&mut self.outside.lock().wakes);
        if self.running.contains_key(&process) {
            for at in wakes {
                self.at(at, Event::Poll(process));
            }
        }
    }

    /// A process has come to its end: what it gives back, or all if it died, comes again.
    fn ended(&mut self, running: Running, back: Option<&[usize]>) {
        let Running { number, load, plan, .. } = running;
        match load {
            Load::Sweep => {}
            Load::Receipt(told) => {
                let refused = back.is_some_and(|back| back.contains(&REFUSED));
                let taken = back.is_some_and(<[usize]>::is_empty);
                let wrong = match told.trust {
                    Trust::True if refused => Some("a provider is not believed"),
                    // Notify's reference proves its hop.
                    Trust::OfNothing if refused && told.sender != Sender::GovukNotify => {
                        Some("a provider is not believed")
                    }
                    Trust::Forged if taken => Some("what was forged is believed"),
                    _ => None,
                };
                if let Some((what, reference)) = wrong.zip(self.users.get(&told.message)) {
                    let (message, ..) = self.pushed[reference].clone();
                    self.wrong.push(Found { message, what: what.to_owned() });
                }
                let again = !taken && !refused;
                // Not every provider tells twice.
                if again && told.tries < TELLS && self.chance.hits(700) {
                    let after = self.chance.between(1000, 300_000);
                    let tries = told.tries + 1;
                    self.after(after, Event::Tell(CallBack { tries, ..told }));
                }
            }
            Load::Batch(queue, entries) => {
                let undisturbed = back.is_some() && !plan.fired();
                for (place, entry) in entries.into_iter().enumerate() {
                    if back.is_some_and(|back| !back.contains(&place)) {
                        if undisturbed {
                            self.written_down(number, &entry);
                        }
                        continue;
                    }
                    let received = entry.received + 1;
                    if received >= RECEIVES {
                        self.counts.put_aside += 1;
                        continue;
                    }
                    let unseen = u64::try_from(UNSEEN.as_millis()).expect("short");
                    self.after(unseen, Event::Arrive(queue, Entry { received, ..entry }));
                }
            }
        }
    }

    /// Nothing went wrong: what the process was told by a provider is on record.
    fn written_down(&self, process: usize, entry: &Entry) {
        let mut state = self.outside.lock();
        let asked = state.requests.iter_mut().rev().find(|asked| {
            asked.process == process && asked.message == entry.message.id && asked.hop == entry.hop
        });
        if let Some(asked) = asked {
            asked.told = true;
        }
    }

    async fn watch_circuits(&mut self) {
        let health = self.ports().store().health_of(&keys()).await.expect("a store");
        if health == self.health {
            return;
        }
        let now = self.now();
        for ((before, after), (gateway, ..)) in self.health.iter().zip(&health).zip(GATEWAYS) {
            let turn = match (before, after) {
                (None, Some(_)) => Turn::Opened,
                (Some(_), None) => Turn::Closed,
                (Some(before), Some(after)) if after.turn > before.turn => Turn::Tried,
                _ => continue,
            };
            self.turns.push((now, gateway, turn));
        }
        self.health = health;
    }

    /// When it is, counted from the world's beginning.
    pub(super) fn since_start(&self, at: Timestamp) -> Duration {
        Duration::from_millis(at.millis().saturating_sub(self.start.millis()))
    }

    /// A message's whole story: what is on record of it, what truly happened, and what was done for it.
    pub(super) async fn story(&self, reference: &MessageRef) -> String {
        let message = self.message(reference).await;
        let (status, reason, due) = (message.status, &message.reason, message.due_at.map(seconds));
        let (made, ends) = (seconds(message.created_at), seconds(message.expires_at));
        let mut lines = vec![format!("{}: {status:?} {reason:?}", message.id)];
        lines.push(format!("  made {made}, expires {ends}, due {due:?}"));
        for hop in &message.hops {
            let news =
                hop.news.as_ref().map(|news| format!("{} at {}", news.verdict.as_str(), seconds(news.at)));
            let (number, gateway, because) = (hop.number, hop.via.shown(), hop.because.as_str());
            let (handed, limit) = (seconds(hop.handed_at), hop.limit.map(seconds));
            let (state, ended) = (hop.state.as_str(), seconds(hop.ended_at()));
            let (probe, tells) = (hop.probe.is_some(), hop.tells);
            lines.push(format!(
                "  hop {number} {gateway} because {because}, handed {handed}, limit {limit:?}, probe {probe}, tells {tells}: \
                 {state} {ended}, news {news:?}"
            ));
        }
        let state = self.outside.lock();
        for asked in state.requests.iter().filter(|asked| asked.message == message.id) {
            lines.push(format!("  truth: {asked:?}"));
        }
        for ((_, hop), heard) in state.heard.iter().filter(|((of, _), _)| *of == message.id) {
            let heard: Vec<_> =
                heard.iter().map(|(at, verdict)| format!("{verdict:?} {}", seconds(*at))).collect();
            lines.push(format!("  heard of hop {hop}: {heard:?}"));
        }
        lines.extend(state.story.iter().map(|line| format!("  {line}")));
        lines.join("\n")
    }
}
