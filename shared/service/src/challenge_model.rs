//! The rules of codes that are sent written down a second time, in plain numbers, and random histories that must come out
//! the same: one request after the other, requests that are repeated because their answer was lost, and requests at the
//! same time; of people with a known device, of strangers in between, and of nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use otpost_domain::challenge::{
    Addressee, Challenge, ChallengeId, Claims, Generation, Place, SentCode, SourceClass, Transaction, Why,
};
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::{BearerHash, MessageId, PolicyId, UserId};
use otpost_domain::message::Message;
use otpost_domain::policy::PolicyDocument;
use otpost_domain::template::CodePurpose;
use otpost_domain::time::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::challenges::{Answer, Asker, CheckError, Order, Shown, StartError, cancel, check, resend, start};
use crate::deliver::deliver;
use crate::document::value_of;
use crate::faults::{Fate, Faulty, Mishap, Plan};
use crate::memory::{MemoryPorts, Queued, ScriptedProvider, operator};
use crate::once::{Earlier, Once, Reply, release, reserve};
use crate::ports::{
    ANSWER_LIFE, ChallengeStore as _, Clock as _, MessageRef, MessageStore as _, PageRequest, Ports,
    RecordKind, SLOT_LEASE, Sealer as _, Slot, Write,
};
use crate::provider::Letter;
use crate::seen::Seen;
use crate::send::send;
use crate::users::{Profile, create_user};

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const LIFE: u64 = 60 * SECOND;
const COOL_DOWN: u64 = 20 * SECOND;
const RESENDS: u32 = 1;
const DIGITS: usize = 10;
const USERS: [&str; 3] = ["jane", "june", "nobody"];
const NOBODY: usize = 2;
const TEXTS: [&str; 2] = ["Pay 1 to Ann", "Pay 2 to Bob"];

/// Where codes and failures are counted together: whose, of transactions or not, by a known device or not.
type Spot = (usize, bool, bool);

/// A code by the rules alone. Codes are numbers in the order of their making.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    code: usize,
    about: Option<usize>,
    expires: u64,
    cool_until: u64,
    guesses: u32,
    failures: u32,
    guessed_at: u64,
    used: bool,
    resent: u32,
    last_request: Option<usize>,
    message_failed: bool,
}

/// All codes by the rules alone.
#[derive(Clone, Debug, Default)]
struct Oracle {
    attempts: u32,
    rows: BTreeMap<Spot, Row>,
    codes: usize,
    messages: usize,
}

/// What somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told<C> {
    /// Of this code, good until then, to be sent again from then on.
    Sent(C, u64, u64),
    Wait(u64, Why),
    Over,
    Accepted,
    Refused,
    Exhausted,
    GivenUp,
}

/// A request as the rules see it.
#[derive(Clone, Debug)]
enum Asks {
    Start { spot: Spot, about: Option<usize>, marked: bool },
    Resend { spot: Spot, code: usize, marked: bool },
    Check { spot: Spot, code: usize, right: bool, request: usize },
    Cancel { spot: Spot, code: usize },
}

impl Asks {
    const fn spot(&self) -> Spot {
        match self {
            Self::Start { spot, .. }
            | Self::Resend { spot, .. }
            | Self::Check { spot, .. }
            | Self::Cancel { spot, .. } => *spot,
        }
    }
}

/// What a request is known by.
fn digest(key: usize) -> BearerHash {
    BearerHash::of(&[&key.to_be_bytes()])
}

fn budget(spot: Spot) -> u32 {
    if spot.2 { 10 } else { 40 }
}

impl Row {
    fn is_live(&self, attempts: u32, now: u64) -> bool {
        now < self.expires && self.guesses < attempts && !self.used
    }

    /// Whether the message failed, for somebody who may know and for whom it makes a difference.
    fn failed(&self, marked: bool) -> bool {
        marked && self.message_failed
    }

    fn sends_again(&self, failed: bool, now: u64) -> Option<Told<usize>> {
        let most = if failed { 2 * RESENDS + 1 } else { RESENDS };
        (self.resent >= most).then(|| Told::Wait(self.expires - now, Why::SentEnough))
    }
}

impl Oracle {
    fn new_code(&mut self, spot: Spot, about: Option<usize>, now: u64) -> Told<usize> {
        let before = self.rows.get(&spot);
        let (failures, guessed_at) =
            before.filter(|row| !row.used).map_or((0, 0), |row| (row.failures, row.guessed_at));
        let code = self.codes;
        self.codes += 1;
        self.messages += 1;
        let row = Row {
            code,
            about,
            expires: now + LIFE,
            cool_until: now + COOL_DOWN,
            guesses: 0,
            failures,
            guessed_at,
            used: false,
            resent: 0,
            last_request: None,
            message_failed: false,
        };
        self.rows.insert(spot, row);
        Told::Sent(code, now + LIFE, now + COOL_DOWN)
    }

    fn again(&mut self, spot: Spot, now: u64) -> Told<usize> {
        self.messages += 1;
        let row = self.rows.get_mut(&spot).unwrap();
        row.resent += 1;
        row.cool_until = now + COOL_DOWN;
        row.message_failed = false;
        Told::Sent(row.code, row.expires, row.cool_until)
    }

    fn start(&mut self, spot: Spot, about: Option<usize>, marked: bool, now: u64) -> Told<usize> {
        let Some(row) = self.rows.get(&spot).filter(|row| !row.used) else {
            return self.new_code(spot, about, now);
        };
        if row.failures >= budget(spot) {
            return Told::Wait(HOUR, Why::Failures);
        }
        if row.failures >= 10 {
            let mut wait = 30 * SECOND;
            for _ in 10..row.failures {
                wait = (wait * 2).min(HOUR);
            }
            if now < row.guessed_at + wait {
                return Told::Wait(row.guessed_at + wait - now, Why::Failures);
            }
        }
        let live = row.is_live(self.attempts, now);
        let failed = live && row.failed(marked);
        let cooling = now < row.cool_until && !failed;
        match (live && row.about == about, cooling) {
            (false, true) => Told::Wait(row.cool_until - now, Why::CoolDown),
            (false, false) => self.new_code(spot, about, now),
            (true, true) => Told::Sent(row.code, row.expires, row.cool_until),
            (true, false) => row.sends_again(failed, now).unwrap_or_else(|| self.again(spot, now)),
        }
    }

    fn resend(&mut self, spot: Spot, code: usize, marked: bool, now: u64) -> Told<usize> {
        let attempts = self.attempts;
        let row = self.rows.get(&spot).filter(|row| row.code == code && row.is_live(attempts, now));
        let Some(row) = row else { return Told::Over };
        let failed = row.failed(marked);
        if now < row.cool_until && !failed {
            return Told::Wait(row.cool_until - now, Why::CoolDown);
        }
        row.sends_again(failed, now).unwrap_or_else(|| self.again(spot, now))
    }

    fn check(&mut self, spot: Spot, code: usize, right: bool, request: usize, now: u64) -> Told<usize> {
        let attempts = self.attempts;
        let row = self.rows.get_mut(&spot).filter(|row| row.code == code && now < row.expires);
        let Some(row) = row else { return Told::Refused };
        if row.last_request == Some(request) {
            return if row.used { Told::Accepted } else { Told::Refused };
        }
        if row.used {
            return Told::Refused;
        }
        if row.guesses >= attempts || row.failures >= budget(spot) {
            return Told::Exhausted;
        }
        row.guesses += 1;
        row.failures += 1;
        row.guessed_at = now;
        row.last_request = Some(request);
        // Nothing is right that stands for nobody.
        row.used = right && spot.0 != NOBODY;
        if row.used { Told::Accepted } else { Told::Refused }
    }

    fn asked(&mut self, asks: &Asks, now: u64) -> Told<usize> {
        match *asks {
            Asks::Start { spot, about, marked } => self.start(spot, about, marked, now),
            Asks::Resend { spot, code, marked } => self.resend(spot, code, marked, now),
            Asks::Check { spot, code, right, request } => self.check(spot, code, right, request, now),
            Asks::Cancel { spot, code } => {
                if let Some(row) = self.rows.get_mut(&spot).filter(|row| row.code == code && !row.used) {
                    row.expires = row.expires.min(now);
                }
                Told::GivenUp
            }
        }
    }

    /// What differs between this and what is stored at a spot.
    fn differs(&self, spot: Spot, stored: Option<&Challenge>) -> Option<String> {
        let row = self.rows.get(&spot);
        let (Some(row), Some(stored)) = (row, stored) else {
            return (row.is_some() != stored.is_some())
                .then(|| format!("by the rules {row:?}, but {stored:?}"));
        };
        let used = stored.last.as_ref() == Some(&stored.mac);
        let same = used == row.used
            && stored.guesses == row.guesses
            && stored.failures == row.failures
            && stored.last_request == row.last_request.map(digest)
            && stored.resent == row.resent
            && stored.expires_at.millis() == row.expires
            && stored.cool_until.millis() == row.cool_until;
        (!same).then(|| format!("by the rules {row:?}, but {stored:?}"))
    }
}

/// What is typed.
#[derive(Clone, Copy, Debug)]
enum What {
    Right,
    Wrong,
    /// The code of another challenge, counted from the newest.
    Of(usize),
    /// The right code for something else.
    Elsewhere,
}

/// A request to be planned: which challenge it is about is counted from the newest.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Start { user: usize, about: Option<usize>, known: bool, marked: bool },
    Resend { which: usize, marked: bool },
    Check { which: usize, what: What },
    Cancel { which: usize },
}

/// Until when time passes.
#[derive(Clone, Copy, Debug)]
enum Until {
    Expiry,
    CoolDown,
    Wait,
}

#[derive(Clone, Debug)]
enum Op {
    Ask(Ask),
    /// What was asked last is asked again, with the same key.
    Repeat,
    /// The request meets a mishap at one of its calls, and is repeated.
    Crash(Ask, usize, Mishap),
    /// At the same time; the bits say who goes on when.
    Race(Ask, Ask, u64),
    /// Wrong codes until no more are taken.
    Guesses {
        user: usize,
        known: bool,
        codes: usize,
    },
    Pass(u64),
    /// To where something changes for a challenge, or a millisecond before it.
    Reach(usize, Until, bool),
    /// The last message of a challenge fails.
    Fails(usize),
    /// All that is queued is worked off, twice.
    Deliver,
    Unlock(usize),
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => Just(What::Right),
        6 => Just(What::Wrong),
        1 => (0..4_usize).prop_map(What::Of),
        1 => Just(What::Elsewhere),
    ]
}

fn which() -> impl Strategy<Value = usize> {
    prop_oneof![5 => Just(0_usize), 2 => 1..3_usize, 1 => 0..12_usize]
}

fn ask() -> impl Strategy<Value = Ask> {
    let about = prop_oneof![3 => Just(None), 2 => (0..TEXTS.len()).prop_map(Some)];
    let start = (prop_oneof![4 => Just(0_usize), 1 => 0..USERS.len()], about, any::<bool>(), any::<bool>());
    prop_oneof![
        6 => start.prop_map(|(user, about, known, marked)| Ask::Start { user, about, known, marked }),
        4 => (which(), any::<bool>()).prop_map(|(which, marked)| Ask::Resend { which, marked }),
        9 => (which(), what()).prop_map(|(which, what)| Ask::Check { which, what }),
        1 => which().prop_map(|which| Ask::Cancel { which }),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let until = prop_oneof![1 => Just(Until::Expiry), 4 => Just(Until::CoolDown), 1 => Just(Until::Wait)];
    prop_oneof![
        16 => ask().prop_map(Op::Ask),
        3 => Just(Op::Repeat),
        4 => (ask(), 1..14_usize, prop::sample::select(Mishap::ALL.to_vec()))
            .prop_map(|(ask, at, mishap)| Op::Crash(ask, at, mishap)),
        4 => (ask(), ask(), any::<u64>()).prop_map(|(one, other, turns)| Op::Race(one, other, turns)),
        1 => (0..USERS.len(), any::<bool>(), 1..12_usize)
            .prop_map(|(user, known, codes)| Op::Guesses { user, known, codes }),
        3 => prop_oneof![0..2 * COOL_DOWN, 0..2 * LIFE].prop_map(Op::Pass),
        8 => (which(), until, any::<bool>()).prop_map(|(which, until, there)| Op::Reach(which, until, there)),
        2 => which().prop_map(Op::Fails),
        2 => Just(Op::Deliver),
        1 => (0..USERS.len()).prop_map(Op::Unlock),
    ]
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

/// A mishap at one call; tells which calls were carried out.
#[derive(Debug)]
struct Struck {
    at: usize,
    mishap: Mishap,
    calls: AtomicUsize,
    carried: Arc<Mutex<Vec<&'static str>>>,
}

impl Fate for Struck {
    fn next(&self, _: &'static str) -> Option<Mishap> {
        (self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.at).then_some(self.mishap)
    }

    fn carried(&self, call: &'static str) {
        self.carried.lock().unwrap().push(call);
    }
}

/// Others have their turn before each call.
#[derive(Debug)]
struct Slow;

impl Fate for Slow {
    fn next(&self, _: &'static str) -> Option<Mishap> {
        None
    }

    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let mut waited = false;
        Some(Box::pin(poll_fn(move |_| {
            if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
        })))
    }
}

/// A request, ready to be made.
#[derive(Clone, Debug)]
struct Call {
    asks: Asks,
    /// The key under which its answer is kept.
    key: usize,
    id: Option<ChallengeId>,
    /// The device that asks.
    source: Option<String>,
    /// What is typed, for what.
    code: String,
    purpose: CodePurpose,
    about: Option<usize>,
}

/// An id that was issued.
#[derive(Clone, Debug)]
struct Issued {
    id: ChallengeId,
    spot: Spot,
    code: usize,
}

struct World {
    ports: MemoryPorts,
    oracle: Oracle,
    /// The ids of known devices, by user.
    sources: Vec<Option<String>>,
    ledger: Ledger,
    issued: Vec<Issued>,
    /// The request that was asked last, when, and what it came to.
    last: Option<(Call, u64, Told<Generation>)>,
    keys: usize,
    /// The code that each message carries.
    carries: BTreeMap<MessageId, String>,
    delivered: BTreeSet<MessageId>,
}

/// What is known of codes by the answers alone.
#[derive(Clone, Debug, Default)]
struct Ledger {
    /// What stands in rows for the codes, in the order of their making.
    made: Vec<Generation>,
    /// When they were made.
    at: Vec<u64>,
    /// What they confirm.
    about: Vec<Option<usize>>,
    /// The request by which each was accepted.
    accepted: BTreeMap<usize, usize>,
    /// The requests that were refused.
    refused: BTreeMap<usize, BTreeSet<usize>>,
    given_up: BTreeSet<usize>,
}

impl Ledger {
    /// Whether an answer is as the rules say it; then it is on record.
    fn takes(&mut self, call: &Call, told: &Told<Generation>, by_rules: &Told<usize>, now: u64) -> bool {
        match (told, by_rules) {
            (Told::Sent(of, expires, again), Told::Sent(code, until, from)) => {
                let same = if let Some(made) = self.made.get(*code) {
                    made == of
                } else {
                    let new = !self.made.contains(of) && self.made.len() == *code;
                    self.made.push(*of);
                    self.at.push(now);
                    self.about.push(call.about);
                    new
                };
                same && (expires, again) == (until, from)
            }
            (Told::Wait(wait, why), Told::Wait(by_rules, because)) => wait == by_rules && why == because,
            (Told::Over, Told::Over)
            | (Told::GivenUp, Told::GivenUp)
            | (Told::Accepted, Told::Accepted)
            | (Told::Refused, Told::Refused)
            | (Told::Exhausted, Told::Exhausted) => true,
            _ => false,
        }
    }

    /// What holds whatever the rules say.
    fn holds(
        &mut self,
        call: &Call,
        told: &Told<Generation>,
        attempts: u32,
        now: u64,
    ) -> Result<(), TestCaseError> {
        match (&call.asks, told) {
            (Asks::Check { spot, code, right, request }, Told::Accepted) => {
                let first = *self.accepted.entry(*code).or_insert(*request);
                prop_assert_eq!(first, *request, "a code was accepted twice");
                prop_assert!(*right && spot.0 != NOBODY, "what is not right was accepted");
                prop_assert!(now < self.at[*code] + LIFE, "a code was accepted after its time");
                prop_assert!(!self.given_up.contains(code), "a code was accepted that was given up");
                let refused = self.refused.get(code).map_or(0, BTreeSet::len);
                prop_assert!(
                    refused < usize::try_from(attempts).unwrap(),
                    "a code was accepted after its last guess"
                );
            }
            (Asks::Check { code, request, .. }, Told::Refused)
                if !self.accepted.contains_key(code) && now < self.at[*code] + LIFE =>
            {
                self.refused.entry(*code).or_default().insert(*request);
            }
            (Asks::Cancel { code, .. }, Told::GivenUp) if !self.accepted.contains_key(code) => {
                self.given_up.insert(*code);
            }
            _ => {}
        }
        Ok(())
    }
}

fn asker(marked: bool) -> Asker {
    Asker { caller: operator("acme"), after_first_factor: marked }
}

fn place(spot: Spot) -> Place {
    let (user, transaction, known) = spot;
    Place {
        addressee: Addressee::User(UserId::try_from(USERS[user]).unwrap()),
        purpose: if transaction { CodePurpose::Transaction } else { CodePurpose::SignIn },
        source: if known { SourceClass::Known } else { SourceClass::Stranger },
    }
}

fn text(about: Option<usize>) -> Option<Transaction> {
    about.map(|about| Transaction::try_from(TEXTS[about]).unwrap())
}

fn spots() -> impl Iterator<Item = Spot> {
    let of = |user| [false, true].into_iter().map(move |transaction| (user, transaction));
    (0..USERS.len())
        .flat_map(of)
        .flat_map(|(user, transaction)| [false, true].map(|known| (user, transaction, known)))
}

async fn opened(ports: &MemoryPorts, id: &ChallengeId) -> Claims {
    let tenant = operator("acme").tenant;
    let kind = RecordKind::ChallengeId;
    let bytes = ports.sealer().open(&tenant, kind, "challenge", id.sealed()).await.unwrap();
    Claims::decode(&bytes).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "as a slot wants it")]
fn reply(shown: &Shown) -> crate::ports::PortResult<Reply> {
    let (expires, again) = (shown.expires_at.millis(), shown.resend_at.millis());
    Ok(Reply { status: 201, etag: None, body: format!("{} {expires} {again}", shown.id.expose()) })
}

/// A request's own id and what it was told; `None` where a port failed.
type Done = Option<(Option<ChallengeId>, Told<Generation>)>;

/// Makes a request as the API does: by the slot of its key, which is given back where nothing was changed.
async fn make(ports: &impl Ports, bare: &MemoryPorts, call: &Call, holder: &str) -> Done {
    let tenant = operator("acme").tenant;
    let slot = Slot {
        tenant,
        id: digest(call.key),
        request: BearerHash::of(&[b"request"]),
        holder: holder.to_owned(),
        at: ports.clock().now(),
    };
    if let Asks::Start { marked, .. } | Asks::Resend { marked, .. } = call.asks {
        return match reserve(ports, &slot).await.ok()? {
            Earlier::Answered(answer) => {
                let told: Vec<_> = answer.body.split(' ').collect();
                let [id, expires, again] = told.as_slice() else { panic!("{answer:?}") };
                let id = ChallengeId::try_from(*id).unwrap();
                Some(sent(bare, id, expires.parse().unwrap(), again.parse().unwrap()).await)
            }
            Earlier::Nothing => {
                let once = Once::kept(&slot, &reply);
                let answer = match (&call.asks, &call.id) {
                    (Asks::Resend { .. }, Some(id)) => resend(ports, &asker(marked), id, None, once).await,
                    _ => start(ports, &asker(marked), &call.order(), once).await,
                };
                let done = match answer {
                    Ok(Shown { id, expires_at, resend_at, .. }) => {
                        return Some(sent(bare, id, expires_at.millis(), resend_at.millis()).await);
                    }
                    Err(StartError::Wait { retry_after, why }) => {
                        Some((None, Told::Wait(u64::try_from(retry_after.as_millis()).unwrap(), why)))
                    }
                    Err(StartError::Over) => Some((None, Told::Over)),
                    Err(StartError::Port(_)) => None,
                    Err(other) => panic!("{other}"),
                };
                release(ports, &slot).await;
                done
            }
            other => panic!("{other:?}"),
        };
    }
    let id = call.id.as_ref().unwrap();
    if let Asks::Cancel { .. } = call.asks {
        return match cancel(ports, &asker(false), id).await {
            Ok(()) => Some((None, Told::GivenUp)),
            Err(StartError::Port(_)) => None,
            Err(other) => panic!("{other}"),
        };
    }
    let answer = Answer {
        code: SentCode::parse(&call.code).unwrap(),
        purpose: call.purpose,
        transaction: text(call.about),
        remember: false,
        request: Some(slot.id.clone()),
    };
    match check(ports, &asker(false), id, &answer).await {
        Ok(accepted) => {
            assert_eq!(accepted.addressee, place(call.asks.spot()).addressee);
            Some((None, Told::Accepted))
        }
        Err(CheckError::Refused) => Some((None, Told::Refused)),
        Err(CheckError::Exhausted) => Some((None, Told::Exhausted)),
        Err(CheckError::Port(_)) => None,
        Err(other) => panic!("{other}"),
    }
}

async fn sent(
    ports: &MemoryPorts,
    id: ChallengeId,
    expires: u64,
    again: u64,
) -> (Option<ChallengeId>, Told<Generation>) {
    let generation = opened(ports, &id).await.generation;
    (Some(id), Told::Sent(generation, expires, again))
}

impl Call {
    fn order(&self) -> Order {
        let Place { addressee, purpose, .. } = place(self.asks.spot());
        let (transaction, source) = (text(self.about), self.source.clone());
        Order { addressee, purpose, channel: None, transaction, source }
    }

    /// The call of the store that makes the change.
    fn writes(&self) -> &'static [&'static str] {
        match self.asks {
            Asks::Start { .. } | Asks::Resend { .. } => &["new_code", "send_code_again"],
            Asks::Check { .. } => &["guess"],
            Asks::Cancel { .. } => &["end_challenge"],
        }
    }
}

type Rows = BTreeMap<Spot, Option<Challenge>>;

impl World {
    fn new(attempts: u32) -> Self {
        let ports = MemoryPorts::new();
        let sources = run(Self::begin(&ports, attempts));
        ports.queue().take();
        Self {
            ports,
            oracle: Oracle { attempts, ..Oracle::default() },
            sources,
            ledger: Ledger::default(),
            issued: Vec::new(),
            last: None,
            keys: 0,
            carries: BTreeMap::new(),
            delivered: BTreeSet::new(),
        }
    }

    /// The tenant, its people, and a device that is known to each of them by an enrolment.
    async fn begin(ports: &MemoryPorts, attempts: u32) -> Vec<Option<String>> {
        let caller = operator("acme");
        ports.with_tenant("acme").await;
        let settings = json!({
            "challenge_digits": DIGITS, "challenge_life_seconds": LIFE / SECOND, "challenge_attempts": attempts,
            "challenge_cool_down_seconds": COOL_DOWN / SECOND, "challenge_resends": RESENDS,
        });
        let document = json!({ "applies_to": { "everyone": true }, "settings": settings });
        let document = PolicyDocument::read(&value_of(&document)).unwrap();
        let id = PolicyId::try_from("all").unwrap();
        crate::policies::keep_policy(ports, &caller, &id, document, Seen::Unsaid).await.unwrap();
        let mut sources = Vec::new();
        for name in &USERS[..NOBODY] {
            let email = EmailAddress::try_from(format!("{name}@example.org").as_str()).ok();
            let profile = Profile { email, ..Profile::default() };
            let user = UserId::try_from(*name).unwrap();
            create_user(ports, &caller, user.clone(), profile, Once::not_kept()).await.unwrap();
            let purpose = CodePurpose::Enrolment;
            let addressee = Addressee::User(user);
            let order = Order { addressee, purpose, channel: None, transaction: None, source: None };
            let shown = start(ports, &asker(false), &order, Once::not_kept()).await.unwrap();
            let claims = opened(ports, &shown.id).await;
            let code = claims.secret.code(claims.digits, purpose, None);
            let answer = Answer { code, purpose, transaction: None, remember: true, request: None };
            sources.push(check(ports, &asker(false), &shown.id, &answer).await.unwrap().source);
        }
        sources.push(None);
        sources
    }

    fn now(&self) -> u64 {
        self.ports.clock().now().millis()
    }

    fn pass(&self, millis: u64) {
        self.ports.clock().advance(Duration::from_millis(millis));
    }

    fn which(&self, which: usize) -> Option<Issued> {
        self.issued.iter().rev().nth(which).cloned()
    }

    /// The code of a challenge.
    fn right(&self, issued: &Issued) -> String {
        let claims = run(opened(&self.ports, &issued.id));
        let about = text(self.ledger.about[issued.code]);
        claims.secret.code(claims.digits, claims.place.purpose, about.as_ref()).expose().to_owned()
    }

    fn rows(&self) -> Rows {
        let tenant = operator("acme").tenant;
        let row = |spot| run(self.ports.store().challenge(&tenant, &place(spot))).unwrap();
        spots().map(|spot| (spot, row(spot))).collect()
    }

    fn ready(&mut self, ask: Ask) -> Option<Call> {
        let key = self.keys;
        let base = |asks: Asks, purpose| Call {
            asks,
            key,
            id: None,
            source: None,
            code: String::new(),
            purpose,
            about: None,
        };
        let call = match ask {
            Ask::Start { user, about, known, marked } => {
                let source = self.sources[user].clone().filter(|_| known);
                let spot = (user, about.is_some(), source.is_some());
                let asks = Asks::Start { spot, about, marked };
                Call { source, about, ..base(asks, place(spot).purpose) }
            }
            Ask::Resend { which, marked } => {
                let Issued { id, spot, code } = self.which(which)?;
                let about = self.ledger.about[code];
                let asks = Asks::Resend { spot, code, marked };
                Call { id: Some(id), about, ..base(asks, place(spot).purpose) }
            }
            Ask::Cancel { which } => {
                let Issued { id, spot, code } = self.which(which)?;
                Call { id: Some(id), ..base(Asks::Cancel { spot, code }, place(spot).purpose) }
            }
            Ask::Check { which, what } => {
                let issued = self.which(which)?;
                let Issued { id, spot, code } = issued.clone();
                let own = self.right(&issued);
                let (mut about, mut purpose) = (self.ledger.about[code], place(spot).purpose);
                let mut typed = own.clone();
                match what {
                    What::Right => {}
                    What::Wrong => {
                        let last = if own.ends_with('0') { "1" } else { "0" };
                        typed.replace_range(DIGITS - 1.., last);
                    }
                    What::Of(other) => typed = self.right(&self.which(other)?),
                    What::Elsewhere => match about {
                        Some(one) => about = Some(1 - one),
                        None => purpose = CodePurpose::PasswordReset,
                    },
                }
                let right = typed == own && !matches!(what, What::Elsewhere);
                let asks = Asks::Check { spot, code, right, request: key };
                Call { id: Some(id), code: typed, about, ..base(asks, purpose) }
            }
        };
        self.keys += 1;
        Some(call)
    }

    /// Puts on record what a request was told, and what it has issued.
    fn settle(
        &mut self,
        call: &Call,
        id: Option<ChallengeId>,
        told: Told<Generation>,
    ) -> Result<(), TestCaseError> {
        let now = self.now();
        self.ledger.holds(call, &told, self.oracle.attempts, now)?;
        if let (Told::Sent(of, ..), Some(id)) = (&told, id) {
            let code = self.ledger.made.iter().position(|made| made == of).unwrap();
            let issued = Issued { id, spot: call.asks.spot(), code };
            if let Some(row) = self.rows().remove(&issued.spot).flatten().filter(|row| row.generation == *of)
            {
                let right = self.right(&issued);
                let carried = self.carries.entry(row.message).or_insert_with(|| right.clone());
                prop_assert_eq!(&*carried, &right);
            }
            self.issued.push(issued);
        }
        self.last = Some((call.clone(), now, told));
        Ok(())
    }

    /// What is stored is what the rules say, only these spots have changed, and wrong codes are forgotten after a right one,
    /// or where they are forgiven.
    fn check_rows(&self, before: &Rows, spots: &[Spot], forgiven: bool) -> Result<(), TestCaseError> {
        let after = self.rows();
        for (spot, row) in &after {
            let differs = self.oracle.differs(*spot, row.as_ref());
            prop_assert!(differs.is_none(), "{:?}: {}", spot, differs.unwrap_or_default());
            let old = &before[spot];
            prop_assert!(spots.contains(spot) || old == row, "{:?} was changed by others", spot);
            if let (Some(old), Some(new)) = (old, row) {
                let used = old.last.as_ref() == Some(&old.mac);
                prop_assert!(forgiven || used || new.failures >= old.failures, "wrong codes were forgotten");
                prop_assert!(new.guesses <= self.oracle.attempts && new.failures <= budget(*spot));
            }
        }
        Ok(())
    }

    fn asked(&mut self, call: &Call) -> Result<Told<Generation>, TestCaseError> {
        let (before, now) = (self.rows(), self.now());
        let (id, told) = run(make(&self.ports, &self.ports, call, "first")).unwrap();
        let by_rules = self.oracle.asked(&call.asks, now);
        prop_assert!(
            self.ledger.takes(call, &told, &by_rules, now),
            "{:?}: {:?}, but by the rules {:?}",
            call,
            told,
            by_rules
        );
        self.check_rows(&before, &[call.asks.spot()], false)?;
        self.settle(call, id, told.clone())?;
        Ok(told)
    }

    /// The same key and the same request: what was answered is answered again.
    fn repeated(&mut self) -> Result<(), TestCaseError> {
        let Some((call, at, told)) = self.last.clone() else { return Ok(()) };
        if matches!(call.asks, Asks::Check { .. } | Asks::Cancel { .. }) {
            return self.asked(&call).map(drop);
        }
        let kept = matches!(told, Told::Sent(..))
            && Timestamp::from_millis(at).plus(ANSWER_LIFE).millis() > self.now();
        if kept {
            let before = self.rows();
            let (_, again) = run(make(&self.ports, &self.ports, &call, "second")).unwrap();
            prop_assert_eq!(again, told);
            self.check_rows(&before, &[], false)?;
        }
        Ok(())
    }

    fn crashed(&mut self, call: &Call, at: usize, mishap: Mishap) -> Result<(), TestCaseError> {
        let (before, now) = (self.rows(), self.now());
        let carried = Arc::new(Mutex::new(Vec::new()));
        let fate = Struck { at, mishap, calls: AtomicUsize::new(0), carried: Arc::clone(&carried) };
        let plan = Plan::under(fate);
        let faulty = Faulty::new(&self.ports, &plan);
        let done = run(plan.until_death(make(&faulty, &self.ports, call, "first"))).flatten();
        let written = carried.lock().unwrap().iter().any(|name| call.writes().contains(name));
        let mut by_rules = (written || done.is_some()).then(|| self.oracle.asked(&call.asks, now));
        let (id, told, at) = if let Some((id, told)) = done {
            (id, told, now)
        } else {
            self.pass(u64::try_from(SLOT_LEASE.as_millis()).unwrap());
            let at = self.now();
            let (id, told) = run(make(&self.ports, &self.ports, call, "second")).unwrap();
            // An answer that was kept is given again; whatever else was done is judged again.
            if !matches!(by_rules, Some(Told::Sent(..))) {
                by_rules = Some(self.oracle.asked(&call.asks, at));
            }
            (id, told, if written { now } else { at })
        };
        let by_rules = by_rules.unwrap();
        prop_assert!(
            self.ledger.takes(call, &told, &by_rules, at),
            "{:?} with {:?}: {:?}, but by the rules {:?}",
            call,
            mishap,
            told,
            by_rules
        );
        self.check_rows(&before, &[call.asks.spot()], false)?;
        self.settle(call, id, told)
    }

    /// Two at the same time: it comes out as if one had come after the other.
    fn race(&mut self, one: &Call, other: &Call, turns: u64) -> Result<(), TestCaseError> {
        let (before, now) = (self.rows(), self.now());
        let plan = Plan::under(Slow);
        let faulty = Faulty::new(&self.ports, &plan);
        let calls = [one, other];
        let done = {
            let mut running = calls.map(|call| Some(Box::pin(make(&faulty, &self.ports, call, "first"))));
            let mut done = [None, None];
            let mut turns = turns;
            while done.iter().any(Option::is_none) {
                let turn = usize::try_from(turns & 1).unwrap();
                turns = turns.rotate_right(1);
                let turn = if done[turn].is_some() { 1 - turn } else { turn };
                let future = running[turn].as_mut().unwrap();
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                    done[turn] = Some(value.unwrap());
                }
            }
            done.map(Option::unwrap)
        };
        for order in [[0, 1], [1, 0]] {
            let (mut oracle, mut ledger) = (self.oracle.clone(), self.ledger.clone());
            let fits = order.into_iter().all(|at| {
                let by_rules = oracle.asked(&calls[at].asks, now);
                ledger.takes(calls[at], &done[at].1, &by_rules, now)
            });
            let rows = self.rows();
            if fits && rows.iter().all(|(spot, row)| oracle.differs(*spot, row.as_ref()).is_none()) {
                (self.oracle, self.ledger) = (oracle, ledger);
                let forgiven = done.iter().any(|(_, told)| *told == Told::Accepted);
                self.check_rows(&before, &calls.map(|call| call.asks.spot()), forgiven)?;
                for at in order {
                    let (id, told) = done[at].clone();
                    self.settle(calls[at], id, told)?;
                }
                return Ok(());
            }
        }
        let told = done.map(|(_, told)| told);
        prop_assert!(false, "{:?} came out as {:?}, which no order explains", calls, told);
        Ok(())
    }

    fn guesses(&mut self, user: usize, known: bool, codes: usize) -> Result<(), TestCaseError> {
        for _ in 0..codes {
            let Some(call) = self.ready(Ask::Start { user, about: None, known, marked: false }) else {
                break;
            };
            match self.asked(&call)? {
                Told::Wait(wait, _) => self.pass(wait),
                _ => {
                    for _ in 0..=self.oracle.attempts {
                        let Some(call) = self.ready(Ask::Check { which: 0, what: What::Wrong }) else {
                            break;
                        };
                        self.asked(&call)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn reach(&self, which: usize, until: Until, there: bool) {
        let Some(issued) = self.which(which) else { return };
        let Some(row) = self.oracle.rows.get(&issued.spot) else { return };
        let at = match until {
            Until::Expiry => row.expires,
            Until::CoolDown => row.cool_until,
            Until::Wait => {
                let doubled = row.failures.saturating_sub(10).min(7);
                row.guessed_at + ((30 * SECOND) << doubled).min(HOUR)
            }
        };
        self.pass(at.saturating_sub(self.now()).saturating_sub(u64::from(!there)));
    }

    fn message(&self, id: &MessageId) -> Message {
        let reference = MessageRef { tenant: operator("acme").tenant, id: id.clone() };
        run(self.ports.store().message(&reference)).unwrap().unwrap()
    }

    fn fails(&mut self, which: usize) {
        let Some(issued) = self.which(which) else { return };
        let Some(row) = self.rows().remove(&issued.spot).flatten() else { return };
        let message = self.message(&row.message);
        if message.is_open() && message.hops.is_empty() {
            let failed = message.refused("no route took it".to_owned());
            assert_eq!(run(self.ports.store().save_message(&failed)).unwrap(), Write::Done);
            self.oracle.rows.get_mut(&issued.spot).unwrap().message_failed = true;
        }
    }

    /// Whatever comes twice is done once: each message leaves once, with its challenge's code.
    fn deliver(&mut self) -> Result<(), TestCaseError> {
        let provider = ScriptedProvider::ses();
        let mut queued = self.ports.queue().take();
        while let Some(next) = queued.pop() {
            for _ in 0..2 {
                match &next {
                    Queued::Deliver(message) => drop(run(deliver(&self.ports, message)).unwrap()),
                    Queued::Hand(_, message, hop, _) => {
                        run(send(&self.ports, &provider, message, *hop)).unwrap();
                    }
                    _ => {}
                }
            }
            queued.extend(self.ports.queue().take());
            for asked in provider.take() {
                let id =
                    asked.reference.split('/').nth(1).and_then(|id| MessageId::try_from(id).ok()).unwrap();
                let Letter::Email(mail) = &asked.letter else { panic!("a text") };
                prop_assert!(!mail.to.expose().starts_with(USERS[NOBODY]));
                if let Some(code) = self.carries.get(&id) {
                    prop_assert!(mail.text.expose().contains(code), "another code was sent");
                }
                prop_assert!(self.delivered.insert(id), "a message has left twice");
            }
        }
        Ok(())
    }

    fn unlock(&mut self, user: usize) -> Result<(), TestCaseError> {
        let before = self.rows();
        let id = UserId::try_from(USERS[user]).unwrap();
        run(self.ports.store().forget_wrong_codes(&operator("acme").tenant, &id)).unwrap();
        for (_, row) in self.oracle.rows.iter_mut().filter(|(spot, _)| spot.0 == user) {
            row.failures = 0;
        }
        let own: Vec<_> = spots().filter(|spot| spot.0 == user).collect();
        self.check_rows(&before, &own, true)
    }

    fn does(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Ask(ask) => {
                if let Some(call) = self.ready(*ask) {
                    self.asked(&call)?;
                }
            }
            Op::Repeat => self.repeated()?,
            Op::Crash(ask, at, mishap) => {
                if let Some(call) = self.ready(*ask) {
                    self.crashed(&call, *at, *mishap)?;
                }
            }
            Op::Race(one, other, turns) => {
                if let (Some(one), Some(other)) = (self.ready(*one), self.ready(*other)) {
                    self.race(&one, &other, *turns)?;
                }
            }
            Op::Guesses { user, known, codes } => self.guesses(*user, *known, *codes)?,
            Op::Pass(millis) => self.pass(*millis),
            Op::Reach(which, until, there) => self.reach(*which, *until, *there),
            Op::Fails(which) => self.fails(*which),
            Op::Deliver => self.deliver()?,
            Op::Unlock(user) => self.unlock(*user)?,
        }
        Ok(())
    }

    /// As many messages are on record as were to be sent; one more for each known device.
    fn count_messages(&self) -> Result<(), TestCaseError> {
        let tenant = operator("acme").tenant;
        let page = PageRequest { limit: 10_000, after: None };
        let count = |name: &str| {
            let user = UserId::try_from(name).unwrap();
            run(self.ports.store().messages_of(&tenant, &user, &page)).unwrap().items.len()
        };
        prop_assert_eq!(USERS.into_iter().map(count).sum::<usize>(), self.oracle.messages + NOBODY);
        Ok(())
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(128))]

    /// Whatever is asked, in whatever order, at the same time, and again: all answers and rows are as the rules say.
    #[test]
    fn answers_are_as_the_rules_say(attempts in 1..=5_u32, ops in prop::collection::vec(op(), 1..100)) {
        let mut world = World::new(attempts);
        for op in &ops {
            world.does(op)?;
        }
        world.deliver()?;
        world.count_messages()?;
    }
}
