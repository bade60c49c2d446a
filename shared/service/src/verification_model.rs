//! The rules of verification written down a second time, in plain numbers and lists, and random histories that must
//! come out the same: tries one after the other, tries that race, and tries whose write comes late.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use otpost_domain::authorization::AuthorizationMode;
use otpost_domain::ids::{BearerCode, BearerHash, Serial, TenantId, UserId};
use otpost_domain::message::Channel;
use otpost_domain::otp::{Algorithm, Code, Kind, OtpParameters, Period, Tolerance, hotp};
use otpost_domain::secret::Seed;
use otpost_domain::time::{ClockOffset, Timestamp};
use otpost_domain::verification::{
    Acceptance, AuthRow, Decision, Issue, LiveToken, OpenToken, Refusal, SealedSource, Shown, Try,
};
use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::lifecycle::{self, LifecycleError};
use crate::memory::{
    CountingEntropy, ManualClock, MemoryPorts, MemoryQueue, MemorySealer, MemoryStore, link_of, operator,
    pushed, session,
};
use crate::once::Once;
use crate::ports::{
    Clock as _, MessageRef, PortResult, Ports, RecordKind, Sealer, Subject, VerificationStore as _,
    WrappedKey,
};
use crate::users::{Change, change_user};
use crate::verify::{Attempt, Verified, VerifyError, Whose, verify};
use crate::{enroll, provision, push};

const KNOWN_BUDGET: u32 = 20;
const STRANGER_BUDGET: u32 = 80;
const BOTH_BUDGETS: u32 = 100;
const SOURCES: usize = 8;
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;

/// What is known of a user by the rules alone. Ids of sources are numbers in the order of their issue.
#[derive(Clone, Debug)]
struct Oracle {
    known_failures: u32,
    stranger_failures: u32,
    wait_until: u64,
    remembered: Vec<usize>,
    floors: Vec<u64>,
    suspended: Vec<bool>,
    active: bool,
}

/// A try as the rules see it.
#[derive(Clone, Debug)]
struct Guess {
    /// The token and step whose code it is; none for a code of nothing.
    of: Option<(usize, u64)>,
    source: Option<usize>,
    /// The number that a new id gets.
    issue: Option<usize>,
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepted(usize),
    Refused,
    /// Not looked at; the milliseconds to wait.
    Locked(u64),
}

impl Oracle {
    fn new(floors: Vec<u64>) -> Self {
        let suspended = vec![false; floors.len()];
        let (remembered, active) = (Vec::new(), true);
        Self { known_failures: 0, stranger_failures: 0, wait_until: 0, remembered, floors, suspended, active }
    }

    fn knows(&self, source: Option<usize>) -> bool {
        source.is_some_and(|source| self.remembered.contains(&source))
    }

    fn judge(&mut self, guess: &Guess) -> Answer {
        let known = self.knows(guess.source);
        if known && self.known_failures >= KNOWN_BUDGET {
            return Answer::Locked(HOUR);
        }
        if !known && self.stranger_failures >= STRANGER_BUDGET {
            return Answer::Locked(HOUR);
        }
        if !known && guess.at < self.wait_until {
            return Answer::Locked(self.wait_until - guess.at);
        }
        if let Some((token, step)) = guess.of
            && self.active
            && !self.suspended[token]
            && step > self.floors[token]
        {
            self.floors[token] = step;
            if known {
                self.known_failures = 0;
            } else {
                self.stranger_failures = 0;
            }
            if guess.issue.is_some() {
                // A new id takes the place of the one that the try came from.
                self.remembered.retain(|&id| Some(id) != guess.source);
            }
            self.remembered.extend(guess.issue);
            while self.remembered.len() > SOURCES {
                self.remembered.remove(0);
            }
            return Answer::Accepted(token);
        }
        if known {
            self.known_failures += 1;
        } else {
            self.stranger_failures += 1;
            if self.stranger_failures >= 10 {
                let mut wait = 30 * SECOND;
                for _ in 10..self.stranger_failures {
                    wait = (wait * 2).min(HOUR);
                }
                self.wait_until = guess.at + wait;
            }
        }
        Answer::Refused
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Unlock => {
                (self.known_failures, self.stranger_failures, self.wait_until) = (0, 0, 0);
            }
            Order::Suspend(token) => self.suspended[token] = true,
            Order::Resume(token) => self.suspended[token] = false,
            Order::Active(active) => self.active = active,
        }
    }

    /// What differs between this and `row`.
    fn differs(
        &self,
        row: &AuthRow,
        serials: &[Serial],
        issued: &[Option<BearerHash>],
        now: u64,
    ) -> Option<String> {
        let live = |serial| row.live.iter().find(|live| &live.serial == serial);
        let sources: Vec<_> = row.sources.iter().map(Some).collect();
        let remembered: Vec<_> = self.remembered.iter().map(|&id| issued[id].as_ref()).collect();
        let floors: Vec<_> =
            serials.iter().map(|serial| live(serial).and_then(|live| live.last_step)).collect();
        let suspended: Vec<_> =
            serials.iter().map(|serial| live(serial).map(|live| live.suspended)).collect();
        let same = row.known_failures == self.known_failures
            && row.stranger_failures == self.stranger_failures
            && row.strangers_wait_until.millis().max(now) == self.wait_until.max(now)
            && sources == remembered
            && floors == self.floors.iter().copied().map(Some).collect::<Vec<_>>()
            && suspended == self.suspended.iter().copied().map(Some).collect::<Vec<_>>()
            && row.active == self.active;
        (!same).then(|| format!("by the rules {self:?}, but {row:?}"))
    }
}

/// How many tries of each kind were looked at since their budget was last made whole, by the answers given.
#[derive(Debug, Default)]
struct Tally {
    known: u32,
    strangers: u32,
}

impl Tally {
    fn take(&mut self, known: bool, answer: Answer) -> Result<(), TestCaseError> {
        let (looked_at, budget) =
            if known { (&mut self.known, KNOWN_BUDGET) } else { (&mut self.strangers, STRANGER_BUDGET) };
        if matches!(answer, Answer::Locked(_)) {
            return Ok(());
        }
        *looked_at += 1;
        prop_assert!(*looked_at <= budget, "a try beyond the budget was looked at, known: {known}");
        if matches!(answer, Answer::Accepted(_)) {
            *looked_at = 0;
        }
        Ok(())
    }
}

/// What holds of every row, and of every row and its successor.
fn check_bounds(before: &AuthRow, after: &AuthRow) -> Result<(), TestCaseError> {
    prop_assert!(after.known_failures <= KNOWN_BUDGET);
    prop_assert!(after.stranger_failures <= STRANGER_BUDGET);
    prop_assert!(after.known_failures + after.stranger_failures <= BOTH_BUDGETS);
    prop_assert!(after.sources.len() <= SOURCES);
    for old in &before.live {
        let new = after.live.iter().find(|new| new.serial == old.serial);
        prop_assert!(new.is_some_and(|new| new.last_step >= old.last_step), "a floor went down");
    }
    Ok(())
}

/// What is shown.
#[derive(Clone, Debug)]
enum What {
    /// A token's next code, or one that is further ahead, as far as its window goes.
    Next(usize, u64),
    /// The same of a token that is suspended, if one is.
    Suspended(u64),
    /// The code at a token's floor, or below it.
    Past(usize, u64),
    /// The last code that was accepted.
    Replay,
    Wrong,
}

/// Where it comes from.
#[derive(Clone, Debug)]
enum From {
    Nowhere,
    /// An id that was never issued.
    MadeUp(u8),
    /// An id that was issued, counted from the newest.
    Issued(usize),
}

#[derive(Clone, Debug)]
struct Plan {
    what: What,
    from: From,
    remember: bool,
}

/// What an operator does.
#[derive(Clone, Copy, Debug)]
enum Order {
    Unlock,
    Suspend(usize),
    Resume(usize),
    Active(bool),
}

#[derive(Clone, Debug)]
enum Op {
    Try(Plan),
    /// Wrong codes, each as soon as it may be.
    Guesses(From, usize),
    /// Tries at the same time; the bits say who goes on when.
    Race(Vec<Plan>, u64),
    /// A try while the operator is at work.
    Overtaken(Plan, Order, u64),
    Operator(Order),
    Pass(u64),
    /// To the end of the strangers' wait, or a millisecond before it.
    WaitOut(bool),
}

fn from() -> impl Strategy<Value = From> {
    prop_oneof![
        2 => Just(From::Nowhere),
        1 => any::<u8>().prop_map(From::MadeUp),
        4 => (0..12_usize).prop_map(From::Issued),
    ]
}

fn plan(tokens: usize) -> impl Strategy<Value = Plan> {
    let what = prop_oneof![
        8 => (0..tokens, 0..10_u64).prop_map(|(token, ahead)| What::Next(token, ahead)),
        1 => (0..10_u64).prop_map(What::Suspended),
        1 => (0..tokens, 0..3_u64).prop_map(|(token, back)| What::Past(token, back)),
        1 => Just(What::Replay),
        6 => Just(What::Wrong),
    ];
    (what, from(), any::<bool>()).prop_map(|(what, from, remember)| Plan { what, from, remember })
}

fn order(tokens: usize) -> impl Strategy<Value = Order> {
    prop_oneof![
        2 => Just(Order::Unlock),
        2 => (0..tokens).prop_map(Order::Suspend),
        5 => (0..tokens).prop_map(Order::Resume),
        1 => Just(Order::Active(false)),
        4 => Just(Order::Active(true)),
    ]
}

fn span() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..90 * SECOND, 2 => 0..HOUR, 1 => 0..5 * HOUR]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => plan(TOKENS).prop_map(Op::Try),
        1 => (from(), 1..30_usize).prop_map(|(from, times)| Op::Guesses(from, times)),
        5 => (prop::collection::vec(plan(TOKENS), 2..=4), any::<u64>())
            .prop_map(|(plans, turns)| Op::Race(plans, turns)),
        2 => (plan(TOKENS), order(TOKENS), any::<u64>())
            .prop_map(|(plan, order, turns)| Op::Overtaken(plan, order, turns)),
        2 => order(TOKENS).prop_map(Op::Operator),
        5 => span().prop_map(Op::Pass),
        2 => any::<bool>().prop_map(Op::WaitOut),
    ]
}

/// The ports in memory, but sealing and opening take a while: others may come between a read and its decision.
#[derive(Debug, Default)]
struct SlowPorts(MemoryPorts);

impl Ports for SlowPorts {
    type Store = MemoryStore;
    type Configuration = MemoryStore;
    type Queue = MemoryQueue;
    type Credentials = MemoryStore;
    type Sealer = Self;
    type Clock = ManualClock;
    type Entropy = CountingEntropy;

    fn store(&self) -> &MemoryStore {
        self.0.store()
    }
    fn configuration(&self) -> &MemoryStore {
        self.0.configuration()
    }
    fn queue(&self) -> &MemoryQueue {
        self.0.queue()
    }
    fn credentials(&self) -> &MemoryStore {
        self.0.credentials()
    }
    fn sealer(&self) -> &Self {
        self
    }
    fn clock(&self) -> &ManualClock {
        self.0.clock()
    }
    fn entropy(&self) -> &CountingEntropy {
        self.0.entropy()
    }
    fn tallies(&self) -> &crate::tallies::Tallies {
        self.0.tallies()
    }
    fn public_url(&self) -> PortResult<&str> {
        self.0.public_url()
    }
}

impl SlowPorts {
    /// The sealer, after others had their turn.
    async fn slow(&self) -> &MemorySealer {
        let mut waited = false;
        poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
        self.0.sealer()
    }
}

impl Sealer for SlowPorts {
    async fn new_tenant_key(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        self.slow().await.new_tenant_key(tenant).await
    }

    fn forget(&self, tenant: &TenantId) {
        self.0.sealer().forget(tenant);
    }

    async fn is_current(&self, tenant: &TenantId, sealed: &[u8]) -> PortResult<bool> {
        self.slow().await.is_current(tenant, sealed).await
    }

    async fn burn(&self, tenant: &TenantId) -> PortResult<()> {
        self.slow().await.burn(tenant).await
    }

    async fn derive(&self, tenant: &TenantId, kind: RecordKind, record: &str) -> PortResult<[u8; 32]> {
        self.slow().await.derive(tenant, kind, record).await
    }

    async fn seal(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        secret: &[u8],
    ) -> PortResult<Vec<u8>> {
        self.slow().await.seal(tenant, kind, record, secret).await
    }

    async fn open(
        &self,
        tenant: &TenantId,
        kind: RecordKind,
        record: &str,
        sealed: &[u8],
    ) -> PortResult<Zeroizing<Vec<u8>>> {
        self.slow().await.open(tenant, kind, record, sealed).await
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return value;
        }
    }
}

type Running<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs all to their ends; the bits of `turns`, two at a time, say whose turn it is.
fn run_all<T>(mut running: Vec<Running<'_, T>>, mut turns: u64) -> Vec<T> {
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    loop {
        let left: Vec<usize> = (0..done.len()).filter(|&one| done[one].is_none()).collect();
        if left.is_empty() {
            return done.into_iter().flatten().collect();
        }
        let turn = left[usize::try_from(turns & 3).unwrap() % left.len()];
        turns = turns.rotate_right(2);
        if let Poll::Ready(value) = running[turn].as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            done[turn] = Some(value);
        }
    }
}

/// All orders of `count` things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for shorter in orders(last) {
        for place in 0..count {
            let mut longer = shorter.clone();
            longer.insert(place, last);
            all.push(longer);
        }
    }
    all
}

const TOKENS: usize = 3;
/// The counter-based token; the others go by time.
const COUNTER: usize = 1;

struct Device {
    serial: Serial,
    parameters: OtpParameters,
    seed: Seed,
}

impl Device {
    fn step(&self, now: u64) -> u64 {
        self.parameters.kind.period().map_or(0, |period| now / SECOND / period.seconds())
    }

    fn code(&self, step: u64) -> String {
        hotp::code(&self.seed, step, self.parameters.algorithm, self.parameters.digits).expose().to_owned()
    }
}

/// What a call came to.
enum Outcome {
    Tried(Result<Verified, VerifyError>),
    Ordered(Result<(), String>),
}

/// A try, ready to be made.
struct Ready {
    code: Code,
    source: Option<BearerCode>,
    guess: Guess,
}

enum Call {
    Try(Ready),
    Order(Order),
}

struct World {
    ports: SlowPorts,
    devices: Vec<Device>,
    serials: Vec<Serial>,
    codes: HashMap<(usize, u64), String>,
    oracle: Oracle,
    tally: Tally,
    /// The ids by their numbers; none where a try that was to get one failed.
    issued: Vec<Option<BearerCode>>,
    last: Option<(usize, u64)>,
}

fn jane() -> UserId {
    UserId::try_from("jane").unwrap()
}

async fn enrols(ports: &SlowPorts, message: &MessageRef) -> Device {
    let link = link_of(ports, message).await;
    let started = enroll::start(ports, &link, None, None).await.unwrap();
    let seed = Seed::new(BASE32_NOPAD.decode(started.secret.expose().as_bytes()).unwrap()).unwrap();
    let device = Device { serial: started.serial.clone(), parameters: started.parameters, seed };
    let code = device.code(device.step(ports.clock().now().millis()));
    enroll::activate(ports, &link, &session(&started), &code).await.unwrap();
    device
}

impl World {
    fn new() -> Self {
        run(async {
            let ports = SlowPorts::default();
            let mut devices = vec![enrols(&ports, &pushed(&ports).await).await];
            let slow = OtpParameters {
                kind: Kind::Totp(Period::new(60).unwrap()),
                algorithm: Algorithm::Sha256,
                ..OtpParameters::default()
            };
            for parameters in [OtpParameters { kind: Kind::Hotp, ..OtpParameters::default() }, slow] {
                let caller = operator("acme");
                let once = Once::not_kept();
                let token = provision::provision(&ports, &caller, &jane(), parameters, once).await.unwrap();
                let authorization = AuthorizationMode::None;
                let order = push::Order {
                    serial: token.serial,
                    channel: Some(Channel::Email),
                    authorization: Some(authorization),
                };
                let pushed = push::push(&ports, &caller, &order, Once::not_kept()).await.unwrap();
                devices.push(enrols(&ports, &MessageRef::from(&pushed.message)).await);
            }
            let now = ports.clock().now().millis();
            let floors = devices.iter().map(|device| device.step(now)).collect();
            let serials = devices.iter().map(|device| device.serial.clone()).collect();
            Self {
                ports,
                devices,
                serials,
                codes: HashMap::new(),
                oracle: Oracle::new(floors),
                tally: Tally::default(),
                issued: Vec::new(),
                last: None,
            }
        })
    }

    fn now(&self) -> u64 {
        self.ports.clock().now().millis()
    }

    fn pass(&self, millis: u64) {
        self.ports.clock().advance(Duration::from_millis(millis));
    }

    fn row(&self) -> AuthRow {
        let subject = Subject::User(jane());
        run(self.ports.store().standing(&operator("acme").tenant, &subject)).unwrap().auth
    }

    fn code(&mut self, token: usize, step: u64) -> String {
        let device = &self.devices[token];
        self.codes.entry((token, step)).or_insert_with(|| device.code(step)).clone()
    }

    /// All of which `code` is a code, above the floors and wherever a token might be looked for, and beyond.
    fn fits(&mut self, code: &str) -> Vec<(usize, u64)> {
        let mut fits = Vec::new();
        for token in 0..TOKENS {
            let floor = self.oracle.floors[token];
            let now = self.devices[token].step(self.now());
            let steps = if token == COUNTER { floor + 1..floor + 60 } else { now - 3..now + 5 };
            for step in steps.filter(|&step| step > floor) {
                if self.code(token, step) == code {
                    fits.push((token, step));
                }
            }
        }
        fits
    }

    fn next(&self, token: usize, ahead: u64) -> (usize, u64) {
        let now = self.devices[token].step(self.now());
        // With codes of this step or the next one only, the drift is 0 or 1, and both are within the window.
        (token, if token == COUNTER { self.oracle.floors[token] + 1 + ahead } else { now + ahead % 2 })
    }

    /// Makes a plan ready; `None` when its code would by chance be that of another token or step too.
    fn ready(&mut self, plan: &Plan) -> Option<Ready> {
        let of = match plan.what {
            What::Next(token, ahead) => Some(self.next(token, ahead)),
            What::Suspended(ahead) => {
                let token = self.oracle.suspended.iter().position(|&suspended| suspended);
                token.map(|token| self.next(token, ahead))
            }
            What::Past(token, back) => Some((token, self.oracle.floors[token].saturating_sub(back))),
            What::Replay => self.last,
            What::Wrong => None,
        };
        let of_nothing = || (0..1_000_000).map(|number| format!("{number:06}"));
        let code = match of {
            Some((token, step)) => self.code(token, step),
            None => of_nothing().find(|code| self.fits(code).is_empty())?,
        };
        let of = of.filter(|&(token, step)| step > self.oracle.floors[token]);
        if self.fits(&code) != Vec::from_iter(of) {
            return None;
        }
        let (source, number) = match plan.from {
            From::Nowhere => (None, None),
            From::MadeUp(byte) => (Some(BearerCode::new(&[byte; 32])), None),
            From::Issued(back) => {
                let ids = self.issued.iter().enumerate();
                let mut ids = ids.filter_map(|(number, id)| Some((number, id.clone()?))).rev();
                ids.nth(back).map_or((None, None), |(number, id)| (Some(id), Some(number)))
            }
        };
        let issue = plan.remember.then(|| {
            self.issued.push(None);
            self.issued.len() - 1
        });
        let guess = Guess { of, source: number, issue, at: self.now() };
        Some(Ready { code: Code::parse(&code).unwrap(), source, guess })
    }

    async fn called(&self, call: &Call) -> Outcome {
        let caller = operator("acme");
        let asked =
            |token: usize| lifecycle::Order { serial: self.serials[token].clone(), reason: None, seen: None };
        let told = |done: Result<_, LifecycleError>| done.map(|_| ()).map_err(|error| error.to_string());
        Outcome::Ordered(match call {
            Call::Try(Ready { code, source, guess }) => {
                let (whose, remember) = (Whose::User(jane()), guess.issue.is_some());
                let attempt = Attempt {
                    whose,
                    code: code.clone(),
                    source: source.clone(),
                    remember,
                    request: None,
                    clock: ClockOffset::NONE,
                };
                return Outcome::Tried(verify(&self.ports, &caller.tenant, attempt).await);
            }
            Call::Order(Order::Unlock) => {
                let done = lifecycle::unlock(&self.ports, &caller, &self.serials[0], None).await;
                done.map_err(|error| error.to_string())
            }
            Call::Order(Order::Suspend(token)) => {
                told(lifecycle::suspend(&self.ports, &caller, &asked(*token), Once::not_kept()).await)
            }
            Call::Order(Order::Resume(token)) => {
                told(lifecycle::resume(&self.ports, &caller, &asked(*token), Once::not_kept()).await)
            }
            Call::Order(Order::Active(active)) => {
                let change = Change { active: Some(*active), ..Change::default() };
                let done = change_user(&self.ports, &caller, &jane(), change, None).await;
                done.map(|_| ()).map_err(|error| error.to_string())
            }
        })
    }

    /// Makes the calls at the same time, and finds the order one after the other that they stand for.
    fn make(&mut self, calls: &[Call], turns: u64) -> Result<(), TestCaseError> {
        let before = self.row();
        let running = calls.iter().map(|call| Box::pin(self.called(call)) as Running<'_, _>).collect();
        let outcomes = run_all(running, turns);
        let mut answers = Vec::new();
        for (call, outcome) in calls.iter().zip(outcomes) {
            answers.push(self.heard(call, outcome)?);
        }
        let row = self.row();
        check_bounds(&before, &row)?;
        let issued: Vec<_> = self.issued.iter().map(|id| id.as_ref().map(BearerCode::hash)).collect();
        let mut differences = Vec::new();
        for order in orders(calls.len()) {
            let mut oracle = self.oracle.clone();
            let mut expected = vec![None; calls.len()];
            let mut known = Vec::new();
            for &index in &order {
                match &calls[index] {
                    Call::Try(ready) => {
                        known.push(oracle.knows(ready.guess.source));
                        expected[index] = Some(oracle.judge(&ready.guess));
                    }
                    Call::Order(order) => {
                        known.push(false);
                        oracle.obey(*order);
                    }
                }
            }
            let difference = if expected == answers {
                oracle.differs(&row, &self.serials, &issued, self.now())
            } else {
                Some(format!("by the rules {expected:?}, but {answers:?}"))
            };
            let Some(difference) = difference else {
                self.oracle = oracle;
                return self.count(calls, &answers, &order, &known);
            };
            differences.push(format!("{order:?}: {difference}"));
        }
        Err(TestCaseError::fail(differences.join("\n")))
    }

    /// The answer to a try; `None` of an order.
    fn heard(&mut self, call: &Call, outcome: Outcome) -> Result<Option<Answer>, TestCaseError> {
        Ok(match (call, outcome) {
            (Call::Try(ready), Outcome::Tried(Ok(verified))) => {
                let token = self.serials.iter().position(|serial| serial == &verified.serial);
                prop_assert_eq!(verified.source.is_some(), ready.guess.issue.is_some());
                if let Some(number) = ready.guess.issue {
                    self.issued[number] = verified.source;
                }
                token.map(Answer::Accepted)
            }
            (_, Outcome::Tried(Err(VerifyError::Refused))) => Some(Answer::Refused),
            (_, Outcome::Tried(Err(VerifyError::Locked { retry_after }))) => {
                Some(Answer::Locked(u64::try_from(retry_after.as_millis()).unwrap()))
            }
            (_, Outcome::Tried(other)) => return Err(TestCaseError::fail(format!("{other:?}"))),
            (Call::Order(order), Outcome::Ordered(done)) => {
                let possible = match *order {
                    Order::Suspend(token) => !self.oracle.suspended[token],
                    Order::Resume(token) => self.oracle.suspended[token],
                    Order::Unlock | Order::Active(_) => true,
                };
                prop_assert_eq!(done.is_ok(), possible, "{:?}", done);
                None
            }
            (Call::Try(_), Outcome::Ordered(_)) => return Err(TestCaseError::fail("a try is no order")),
        })
    }

    fn count(
        &mut self,
        calls: &[Call],
        answers: &[Option<Answer>],
        order: &[usize],
        known: &[bool],
    ) -> Result<(), TestCaseError> {
        for (&index, &known) in order.iter().zip(known) {
            match &calls[index] {
                Call::Try(ready) => {
                    let Some(answer) = answers[index] else { continue };
                    self.tally.take(known, answer)?;
                    if matches!(answer, Answer::Accepted(_)) {
                        self.last = ready.guess.of;
                    }
                }
                Call::Order(Order::Unlock) => self.tally = Tally::default(),
                Call::Order(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the newest known source would be let in with the counter-based token's next code.
    fn lets_in(&mut self, source: usize) -> bool {
        let step = self.oracle.floors[COUNTER] + 1;
        let code = Code::parse(&self.code(COUNTER, step)).unwrap();
        let Device { serial, parameters, seed } = &self.devices[COUNTER];
        let seed = Seed::new(seed.expose().to_vec()).unwrap();
        let open = [OpenToken { serial: serial.clone(), parameters: *parameters, seed }];
        let (request, id) = (BearerHash::stored("request"), BearerHash::stored("try"));
        let at = self.ports.clock().now();
        let source = self.issued[source].as_ref().map(BearerCode::hash);
        let (shown, tolerance) = (Shown::Code(&code), Tolerance::default());
        let attempt = Try { shown, tolerance, source, issue: None, request, id, at };
        matches!(self.row().decide(&open, &attempt), Decision::Accept(_))
    }

    /// One try. A stranger's changes nothing for a known source.
    fn tried(&mut self, plan: &Plan) -> Result<(), TestCaseError> {
        let Some(ready) = self.ready(plan) else { return Ok(()) };
        let known = self.oracle.remembered.last().copied();
        let bystander = known.filter(|_| !self.oracle.knows(ready.guess.source));
        let before = bystander.map(|source| self.lets_in(source));
        self.make(&[Call::Try(ready)], 0)?;
        let after = bystander.map(|source| self.lets_in(source));
        prop_assert_eq!(before, after, "a stranger has changed whether a known source is let in");
        if let Some(after) = after {
            let oracle = &self.oracle;
            let expected =
                oracle.active && !oracle.suspended[COUNTER] && oracle.known_failures < KNOWN_BUDGET;
            prop_assert_eq!(after, expected);
        }
        Ok(())
    }

    fn wait_out(&self) {
        self.pass(self.oracle.wait_until.saturating_sub(self.now()));
    }

    fn does(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Try(plan) => self.tried(plan)?,
            Op::Guesses(from, times) => {
                for _ in 0..*times {
                    self.wait_out();
                    self.tried(&Plan { what: What::Wrong, from: from.clone(), remember: false })?;
                }
            }
            Op::Race(plans, turns) => {
                let calls: Vec<_> = plans.iter().filter_map(|plan| self.ready(plan)).map(Call::Try).collect();
                self.make(&calls, *turns)?;
            }
            Op::Overtaken(plan, order, turns) => {
                let Some(ready) = self.ready(plan) else { return Ok(()) };
                self.make(&[Call::Try(ready), Call::Order(*order)], *turns)?;
            }
            Op::Operator(order) => self.make(&[Call::Order(*order)], 0)?,
            Op::Pass(millis) => self.pass(*millis),
            Op::WaitOut(all) => {
                let left = self.oracle.wait_until.saturating_sub(self.now());
                self.pass(if *all { left } else { left.saturating_sub(1) });
            }
        }
        Ok(())
    }
}

/// A step of a history in which writes come late.
#[derive(Clone, Debug)]
enum Late {
    /// A try is decided.
    Decide(Plan),
    /// One of the tries under way is written, or decided anew.
    Write(usize),
    Operator(Order),
    Pass(u64),
}

fn late() -> impl Strategy<Value = Late> {
    prop_oneof![
        8 => plan(LATE_TOKENS).prop_map(Late::Decide),
        8 => (0..8_usize).prop_map(Late::Write),
        1 => order(LATE_TOKENS).prop_map(Late::Operator),
        2 => span().prop_map(Late::Pass),
    ]
}

/// A try under way.
struct UnderWay {
    code: Code,
    guess: Guess,
    write: Write,
    /// The row that it was decided on.
    row: AuthRow,
}

enum Write {
    Accept(Acceptance),
    Refuse(Refusal),
}

const LATE_TOKENS: usize = 2;

/// Two counter-based tokens and their row, without a store: whatever the time, a right code stays right.
struct Bare {
    open: Vec<OpenToken>,
    serials: Vec<Serial>,
    codes: Vec<Vec<String>>,
    row: AuthRow,
    oracle: Oracle,
    issued: Vec<Option<BearerHash>>,
    last: Option<(usize, u64)>,
    now: u64,
    under_way: Vec<UnderWay>,
    tally: Tally,
    tries: usize,
}

impl Bare {
    fn new(known_failures: u32, stranger_failures: u32, sources: usize) -> Self {
        let parameters = OtpParameters { kind: Kind::Hotp, ..OtpParameters::default() };
        let serials: Vec<_> = [1, 2].map(|n| Serial::new([n; 8])).into();
        let open = serials.iter().zip([1, 2]).map(|(serial, n)| {
            let seed = Seed::new(vec![n; 20]).unwrap();
            OpenToken { serial: serial.clone(), parameters, seed }
        });
        let open: Vec<_> = open.collect();
        let live = serials.iter().map(|serial| LiveToken::activated(serial.clone(), 0, 0)).collect();
        Self {
            open,
            codes: vec![Vec::new(); LATE_TOKENS],
            serials,
            row: AuthRow {
                live,
                known_failures,
                stranger_failures,
                sources: (0..sources).map(Self::id).collect(),
                ..AuthRow::of_new_user(true)
            },
            oracle: Oracle {
                known_failures,
                stranger_failures,
                remembered: (0..sources).collect(),
                ..Oracle::new(vec![0; LATE_TOKENS])
            },
            issued: (0..sources).map(|number| Some(Self::id(number))).collect(),
            last: None,
            now: 1_800_000_000 * SECOND,
            under_way: Vec::new(),
            tally: Tally { known: known_failures, strangers: stranger_failures },
            tries: 0,
        }
    }

    fn code(&mut self, token: usize, step: u64) -> String {
        let step = usize::try_from(step).unwrap();
        let OpenToken { parameters, seed, .. } = &self.open[token];
        let codes = &mut self.codes[token];
        while codes.len() <= step {
            let counter = u64::try_from(codes.len()).unwrap();
            let code = hotp::code(seed, counter, parameters.algorithm, parameters.digits);
            codes.push(code.expose().to_owned());
        }
        codes[step].clone()
    }

    /// All of which `code` is a code, from the beginning to far beyond what may still be reached while it is under way.
    fn fits(&mut self, code: &str) -> Vec<(usize, u64)> {
        let mut fits = Vec::new();
        for token in 0..LATE_TOKENS {
            for step in 0..self.oracle.floors[token] + 300 {
                if self.code(token, step) == code {
                    fits.push((token, step));
                }
            }
        }
        fits
    }

    fn ready(&mut self, plan: &Plan) -> Option<(Code, Guess)> {
        let of = match plan.what {
            What::Next(token, ahead) => Some((token, self.oracle.floors[token] + 1 + ahead)),
            What::Past(token, back) => Some((token, self.oracle.floors[token].saturating_sub(back))),
            What::Replay => self.last,
            What::Suspended(_) | What::Wrong => None,
        };
        let code = match of {
            Some((token, step)) => self.code(token, step),
            None => {
                (0..1_000_000).map(|number| format!("{number:06}")).find(|code| self.fits(code).is_empty())?
            }
        };
        if self.fits(&code) != Vec::from_iter(of) {
            return None;
        }
        let source = match plan.from {
            From::Issued(back) => {
                (0..self.issued.len()).rev().filter(|&number| self.issued[number].is_some()).nth(back)
            }
            From::Nowhere | From::MadeUp(_) => None,
        };
        let issue = plan.remember.then(|| {
            self.issued.push(None);
            self.issued.len() - 1
        });
        Some((Code::parse(&code).unwrap(), Guess { of, source, issue, at: self.now }))
    }

    fn id(number: usize) -> BearerHash {
        BearerHash::stored(&format!("id {number}"))
    }

    /// Decides a try; it is under way then, unless it is not looked at.
    fn decide(&mut self, code: Code, mut guess: Guess) -> Result<(), TestCaseError> {
        guess.at = self.now;
        self.tries += 1;
        let each = BearerHash::stored(&format!("try {}", self.tries));
        let issue =
            guess.issue.map(|number| Issue { hash: Self::id(number), sealed: SealedSource(Vec::new()) });
        let attempt = Try {
            shown: Shown::Code(&code),
            tolerance: Tolerance::default(),
            source: guess.source.map(Self::id),
            issue,
            request: each.clone(),
            id: each,
            at: Timestamp::from_millis(self.now),
        };
        let expected = self.oracle.clone().judge(&guess);
        let write = match self.row.decide(&self.open, &attempt) {
            Decision::Locked { retry_after } => {
                let wait = u64::try_from(retry_after.as_millis()).unwrap();
                prop_assert_eq!(Answer::Locked(wait), expected);
                return Ok(());
            }
            Decision::Accept(acceptance) => Write::Accept(acceptance),
            Decision::Refuse(refusal) => Write::Refuse(refusal),
        };
        prop_assert_eq!(self.answer(&write), Some(expected));
        self.under_way.push(UnderWay { code, guess, write, row: self.row.clone() });
        Ok(())
    }

    fn answer(&self, write: &Write) -> Option<Answer> {
        match write {
            Write::Accept(acceptance) => {
                self.serials.iter().position(|serial| serial == &acceptance.serial).map(Answer::Accepted)
            }
            Write::Refuse(_) => Some(Answer::Refused),
        }
    }

    /// Writes a try as it was decided, if the row still allows it: then the rules say the same of the row as it is.
    fn write(&mut self, which: usize) -> Result<(), TestCaseError> {
        if self.under_way.is_empty() {
            return Ok(());
        }
        let UnderWay { code, guess, write, row } = self.under_way.remove(which % self.under_way.len());
        let after = match &write {
            Write::Accept(acceptance) => {
                self.row.accepts(acceptance).then(|| self.row.clone().accepted(acceptance))
            }
            Write::Refuse(refusal) => self.row.refuses(refusal).then(|| self.row.clone().refused(refusal)),
        };
        let Some(after) = after else {
            prop_assert!(row != self.row, "nothing has changed, and yet it is not written");
            return self.decide(code, guess);
        };
        let known = self.oracle.knows(guess.source);
        // What was wrong when it was decided is counted as such, even if its token was resumed meanwhile.
        let of = guess.of.filter(|_| matches!(write, Write::Accept(_)));
        let expected = self.oracle.judge(&Guess { of, ..guess.clone() });
        prop_assert_eq!(self.answer(&write), Some(expected), "written late, known: {}", known);
        self.tally.take(known, expected)?;
        if matches!(expected, Answer::Accepted(_)) {
            self.last = guess.of;
            if let Some(number) = guess.issue {
                self.issued[number] = Some(Self::id(number));
            }
        }
        check_bounds(&self.row, &after)?;
        self.row = after;
        self.check()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let difference = self.oracle.differs(&self.row, &self.serials, &self.issued, self.now);
        prop_assert!(difference.is_none(), "{}", difference.unwrap_or_default());
        Ok(())
    }

    fn does(&mut self, late: &Late) -> Result<(), TestCaseError> {
        match late {
            Late::Decide(plan) => match self.ready(plan) {
                Some((code, guess)) => self.decide(code, guess),
                None => Ok(()),
            },
            Late::Write(which) => self.write(*which),
            Late::Operator(order) => {
                match *order {
                    Order::Unlock => {
                        self.row = self.row.clone().unlocked();
                        self.tally = Tally::default();
                    }
                    Order::Suspend(token) => self.row.live[token].suspended = true,
                    Order::Resume(token) => self.row.live[token].suspended = false,
                    Order::Active(active) => self.row.active = active,
                }
                self.oracle.obey(*order);
                self.check()
            }
            Late::Pass(millis) => {
                self.now += millis;
                Ok(())
            }
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(64))]

    /// Whatever is tried, one after the other or at the same time: all answers and rows are as the rules say.
    #[test]
    fn answers_are_as_the_rules_say(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in &ops {
            world.does(op)?;
        }
    }

    /// However late a decision is written: it is written only where the rules still say the same.
    #[test]
    fn late_writes_are_as_the_rules_say(
        known_failures in prop_oneof![Just(0), 0..=KNOWN_BUDGET, 17..=KNOWN_BUDGET],
        stranger_failures in prop_oneof![Just(0), 7..=11_u32, 76..=STRANGER_BUDGET],
        sources in 0..=SOURCES,
        steps in prop::collection::vec(late(), 1..250),
    ) {
        let mut bare = Bare::new(known_failures, stranger_failures, sources);
        for step in &steps {
            bare.does(step)?;
        }
    }
}
