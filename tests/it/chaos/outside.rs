//! What is outside: providers in changing moods, what they truly do, and what they tell. All of it is on record.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use otpost_domain::gateway::{Kind, Settings};
use otpost_domain::ids::MessageId;
use otpost_domain::message::{Channel, HopState, LEASE, Sender, Verdict};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_domain::time::Timestamp;
use otpost_service::faults::{Fate, Mishap};
use otpost_service::memory::{ManualClock, MemoryPorts, ScriptedProvider};
use otpost_service::ports::{Clock as _, MessageRef, MessageStore as _, Ports as _};
use otpost_service::provider::{Order, Provider};

use super::chance::Chance;

/// How a provider is just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Takes all, and tells after two seconds that it arrived.
    Perfect,
    /// Mostly well, with all that happens now and then.
    Usual,
    /// Asks to be left alone.
    Busy,
    /// Answers 500 or what nobody understands.
    Broken,
    /// Does not answer in time.
    Vanished,
    /// Takes all, and neither delivers nor tells.
    Silent,
    /// Takes all, and tells only after so many seconds.
    Slow(u64),
    /// Refuses credentials or sender.
    Misconfigured,
    /// The account has nothing left.
    Spent,
}

/// Whether what is told is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It is the provider's.
    True,
    /// Somebody else tells it, who has neither key nor token.
    Forged,
    /// It is the provider's, and of a hop that never was.
    OfNothing,
}

/// What a provider tells of a hop.
#[derive(Clone, Debug)]
pub(super) struct CallBack {
    pub(super) message: MessageId,
    pub(super) hop: u16,
    /// By whose gateway, and whose provider, it went.
    pub(super) gateway: String,
    pub(super) sender: Sender,
    /// Where it is to be told, if that went with the message.
    pub(super) url: Option<String>,
    pub(super) verdict: Verdict,
    /// Whether the address is not to be written to any more.
    pub(super) suppresses: bool,
    pub(super) trust: Trust,
    /// How often it was told already.
    pub(super) tries: u32,
}

/// One request to a provider, and what is true of it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) message: MessageId,
    pub(super) hop: u16,
    pub(super) gateway: String,
    pub(super) channel: Channel,
    pub(super) at: Timestamp,
    /// Since when its sender had the hop.
    pub(super) claimed_at: Option<Timestamp>,
    /// Which process made it.
    pub(super) process: usize,
    pub(super) outcome: Outcome,
    /// Whether it arrives.
    pub(super) arrives: bool,
    /// Whether the sender certainly has written down what became of it.
    pub(super) told: bool,
}

pub(super) struct State {
    pub(super) chance: Chance,
    /// How often, in a thousand, something befalls a call.
    pub(super) mishaps: u64,
    pub(super) requests: Vec<Request>,
    /// What was heard of each hop, and when it was on record.
    pub(super) heard: BTreeMap<(MessageId, u16), Vec<(Timestamp, Verdict)>>,
    /// What is to be told, and when.
    pub(super) telling: Vec<(Timestamp, CallBack)>,
    /// When the process that works just now wants to go on.
    pub(super) wakes: Vec<Timestamp>,
    pub(super) struck: usize,
    /// The message whose story is written down.
    pub(super) watched: Option<MessageId>,
    pub(super) story: Vec<String>,
}

/// Everything that is not Otpost's.
pub(super) struct Outside {
    pub(super) ports: MemoryPorts,
    moods: BTreeMap<&'static str, Vec<(Timestamp, Mood)>>,
    state: Mutex<State>,
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}

impl Outside {
    pub(super) fn new(
        ports: MemoryPorts,
        chance: Chance,
        mishaps: u64,
        moods: BTreeMap<&'static str, Vec<(Timestamp, Mood)>>,
    ) -> Arc<Self> {
        let state = State {
            chance,
            mishaps,
            requests: Vec::new(),
            heard: BTreeMap::new(),
            telling: Vec::new(),
            wakes: Vec::new(),
            struck: 0,
            watched: None,
            story: Vec::new(),
        };
        Arc::new(Self { ports, moods, state: Mutex::new(state) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.ports.clock().now()
    }

    /// Writes something into the story of a message, if that is wanted.
    pub(super) fn tell(&self, message: &MessageId, what: impl FnOnce() -> String) {
        let mut state = self.lock();
        if state.watched.as_ref() == Some(message) {
            let line = format!("{} {}", seconds(self.now()), what());
            state.story.push(line);
        }
    }

    fn mood(&self, gateway: &str) -> Mood {
        let now = self.now();
        let moods = self.moods.get(gateway).into_iter().flatten();
        moods.take_while(|(from, _)| *from <= now).last().map_or(Mood::Usual, |(_, mood)| *mood)
    }

    /// Lets simulated time pass.
    pub(super) fn nap(self: &Arc<Self>, time: Duration) -> Nap {
        let clock = self.ports.clock().clone();
        Nap { until: clock.now().plus(time), clock, outside: Arc::clone(self), asked: false }
    }

    /// A request reaches a provider: what it answers, and after how long.
    async fn asked(&self, order: &Order<'_>, process: usize) -> (Report, Duration) {
        let stored = self.ports.store().message(order.message).await.expect("a store").expect("a message");
        let hop = stored.hops.iter().find(|hop| hop.number == order.hop).expect("a hop");
        let gateway = hop.via.shown().to_owned();
        let claimed_at = match hop.state {
            HopState::Claimed { until } => Some(Timestamp::from_millis(
                until.millis() - u64::try_from(LEASE.as_millis()).expect("short"),
            )),
            _ => None,
        };
        let mood = self.mood(&gateway);
        // Twilio is told with each message where to tell, the others know.
        let told_where = hop.via.sender != Sender::Twilio || order.receipts.is_some();
        let tells = hop.tells && told_where;
        let now = self.now();
        let mut state = self.lock();
        let answer = answer(&mut state.chance, mood);
        let sms = hop.channel == Channel::Sms;
        let news = if answer.taken { news(&mut state.chance, mood, sms) } else { Vec::new() };
        let arrives = news.iter().any(|(_, verdict, _)| *verdict == Verdict::Delivered)
            || (answer.taken && news.is_empty() && mood != Mood::Silent);
        let told = news.into_iter().filter(|_| tells);
        let call_back = |verdict, suppresses, trust| CallBack {
            message: order.message.id.clone(),
            hop: if trust == Trust::OfNothing { 900 } else { order.hop },
            gateway: gateway.clone(),
            sender: hop.via.sender,
            url: order.receipts.map(str::to_owned),
            verdict,
            suppresses,
            trust,
            tries: 0,
        };
        let told = told.map(|(after, verdict, suppresses)| {
            (now.plus(Duration::from_millis(after)), call_back(verdict, suppresses, Trust::True))
        });
        let told: Vec<_> = told.collect();
        state.telling.extend(told);
        if tells && state.mishaps > 0 && state.chance.hits(100) {
            let verdict = state.chance.pick(&[Verdict::Delivered, Verdict::Undelivered]);
            // Nobody but AWS can put its events, and the URL of a text names its hop.
            let trust = match hop.via.sender {
                Sender::GovukNotify => state.chance.pick(&[Trust::Forged, Trust::OfNothing]),
                Sender::Twilio => Trust::Forged,
                Sender::Ses | Sender::Smtp => Trust::OfNothing,
            };
            let after = Duration::from_millis(state.chance.below(120_000));
            state.telling.push((now.plus(after), call_back(verdict, false, trust)));
        }
        let (outcome, taken) = (answer.outcome.clone(), answer.taken);
        let message = order.message.id.clone();
        let said = format!("{gateway} is asked for hop {}: {outcome:?}, taken {taken}", order.hop);
        state.requests.push(Request {
            message,
            hop: order.hop,
            gateway,
            channel: hop.channel,
            at: now,
            claimed_at,
            process,
            outcome,
            arrives,
            told: false,
        });
        drop(state);
        self.tell(&order.message.id, || said);
        let latency = Duration::from_millis(answer.after).min(order.deadline);
        (Report::of(answer.outcome, "as the script says", Said::default()), latency)
    }
}

pub(super) fn seconds(at: Timestamp) -> String {
    let past = at.millis() - 1_800_000_000_000;
    format!("{}.{:03}", past / 1000, past % 1000)
}

struct Answer {
    outcome: Outcome,
    taken: bool,
    after: u64,
}

fn answer(chance: &mut Chance, mood: Mood) -> Answer {
    let accepted = || Outcome::Accepted { provider_id: "id".to_owned() };
    let answered = chance.between(30, 900);
    let number = chance.below(1000);
    let named = chance.between(1, 150);
    let taken_in_doubt = chance.hits(500);
    let retry = |named: Option<u64>| Outcome::Retry { after: named.map(Duration::from_secs) };
    let (outcome, taken, after) = match mood {
        Mood::Perfect => (accepted(), true, 200),
        Mood::Usual => match number {
            0..20 => (Outcome::RecipientBad, false, answered),
            20..30 => (Outcome::ContentBad, false, answered),
            30..45 => (retry(None), false, answered),
            45..50 => (retry(Some(named)), false, answered),
            50..70 => (Outcome::Unknown, taken_in_doubt, 10_000),
            70..75 => (Outcome::ConfigurationBad, false, answered),
            75..100 => (accepted(), true, 9000),
            _ => (accepted(), true, answered),
        },
        Mood::Busy if number < 400 => (retry(Some(named)), false, answered),
        Mood::Busy => (retry(None), false, answered),
        Mood::Broken if number < 600 => (retry(None), false, answered),
        Mood::Broken if number < 950 => (Outcome::Unknown, taken_in_doubt, answered),
        Mood::Broken | Mood::Silent | Mood::Slow(_) => (accepted(), true, answered),
        Mood::Vanished => (Outcome::Unknown, taken_in_doubt, 10_000),
        Mood::Misconfigured => (Outcome::ConfigurationBad, false, answered),
        Mood::Spent => (Outcome::QuotaGone, false, answered),
    };
    Answer { outcome, taken, after }
}

/// What becomes of what a provider took: after how long it tells which verdict, and whether the address is bad.
fn news(chance: &mut Chance, mood: Mood, sms: bool) -> Vec<(u64, Verdict, bool)> {
    let (delivered, undelivered) = (Verdict::Delivered, Verdict::Undelivered);
    let after = match mood {
        Mood::Perfect => return vec![(2000, delivered, false)],
        Mood::Silent => return Vec::new(),
        Mood::Slow(seconds) => return vec![(seconds * 1000, delivered, false)],
        _ => match chance.below(1000) {
            0..100 => chance.between(1, 40),
            100..850 => chance.between(200, 12_000),
            850..950 => chance.between(20_000, 200_000),
            950..980 => chance.between(200_000, 3_600_000),
            _ => chance.between(3_600_000, 10_800_000),
        },
    };
    let later = after + chance.between(0, 400_000);
    let bad_address = !sms && chance.hits(300);
    let mut news = match chance.below(1000) {
        0..40 => Vec::new(),
        40..120 => vec![(after, undelivered, bad_address)],
        120..140 => vec![(after, undelivered, false), (later, delivered, false)],
        140..170 => vec![(after, Verdict::Delayed, false), (later, delivered, false)],
        170..185 => vec![(after, Verdict::Delayed, false), (later, undelivered, bad_address)],
        185..195 => vec![(after, Verdict::Delayed, false)],
        // It contradicts itself.
        195..230 => vec![(after, delivered, false), (later, undelivered, false)],
        _ => vec![(after, delivered, false)],
    };
    if chance.hits(150)
        && let Some(twice) = news.first().copied()
    {
        news.push((twice.0 + chance.between(0, 60_000), twice.1, twice.2));
    }
    news
}

/// Simulated time that passes.
pub(super) struct Nap {
    until: Timestamp,
    clock: ManualClock,
    outside: Arc<Outside>,
    asked: bool,
}

impl Future for Nap {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.clock.now() >= self.until {
            return Poll::Ready(());
        }
        if !self.asked {
            self.asked = true;
            self.outside.lock().wakes.push(self.until);
        }
        Poll::Pending
    }
}

/// A provider of one kind, as one process talks to it.
#[derive(Debug)]
pub(super) struct Acting {
    outside: Arc<Outside>,
    own: ScriptedProvider,
    process: usize,
}

impl Acting {
    pub(super) fn new(outside: &Arc<Outside>, sender: Sender, process: usize) -> Self {
        let kind = match sender {
            Sender::Ses => Kind::Ses,
            Sender::Smtp => Kind::Smtp,
            Sender::Twilio => Kind::Twilio,
            Sender::GovukNotify => Kind::GovukNotify,
        };
        Self { outside: Arc::clone(outside), own: ScriptedProvider::of(kind), process }
    }
}

impl Provider for Acting {
    async fn send(&self, order: &Order<'_>) -> Report {
        let (report, after) = self.outside.asked(order, self.process).await;
        self.outside.nap(after).await;
        report
    }

    fn own(&self) -> Option<&Settings> {
        self.own.own()
    }

    fn kind(&self) -> Kind {
        self.own.kind()
    }
}

/// What befalls the calls of one process.
#[derive(Debug)]
pub(super) struct Lot {
    pub(super) outside: Arc<Outside>,
    /// What it hears, if it hears anything.
    pub(super) hears: Option<CallBack>,
    /// The messages that it works on.
    pub(super) of: Vec<MessageRef>,
}

impl Fate for Lot {
    fn next(&self, call: &'static str) -> Option<Mishap> {
        let mishap = {
            let mut state = self.outside.lock();
            let often = state.mishaps;
            let struck = often > 0 && state.chance.hits(often);
            let mishap = struck.then(|| state.chance.pick(&Mishap::ALL));
            state.struck += usize::from(struck);
            mishap
        };
        if let Some(mishap) = mishap {
            for message in &self.of {
                self.outside.tell(&message.id, || format!("  {mishap:?} {call}"));
            }
        }
        mishap
    }

    fn carried(&self, call: &'static str) {
        let Some(heard) =
            self.hears.as_ref().filter(|heard| call == "hear" && heard.trust != Trust::OfNothing)
        else {
            return;
        };
        let now = self.outside.now();
        let hop = (heard.message.clone(), heard.hop);
        self.outside.lock().heard.entry(hop).or_default().push((now, heard.verdict));
    }

    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let time = {
            let mut state = self.outside.lock();
            if state.mishaps == 0 {
                return None;
            }
            match state.chance.below(1000) {
                0..300 => state.chance.between(1, 40),
                300..310 => state.chance.between(200, 6000),
                310..313 => state.chance.between(6000, 45_000),
                _ => return None,
            }
        };
        Some(Box::pin(self.outside.nap(Duration::from_millis(time))))
    }
}
