//! Checking a code of a user: which token, which step, and two budgets of failures.
//!
//! All that decides a verification lies in one small row per user, [`AuthRow`]. Accepting a code *is* the conditional
//! write of that row; the decision made here carries the condition with it, and the store refuses the write when the
//! row has moved on meanwhile.
//!
//! Two budgets, so that guessing is bounded and yet nobody can lock out the owner:
//! a *known* source (an unguessable device id that an earlier success issued) has 20 consecutive failures of its own;
//! all *strangers* together have 80, with growing waits after the tenth. Together they stay at the 100 that NIST
//! SP 800-63B-4 section 3.2.2 allows.

use std::fmt;
use std::time::Duration;

use crate::ids::{BearerHash, PolicyId, Serial};
use crate::otp::window::{Match, Tolerance, burn, find_match, resync};
use crate::otp::{Code, OtpParameters};
use crate::secret::Seed;
use crate::time::Timestamp;

/// Consecutive failures that known sources may make.
pub const KNOWN_BUDGET: u32 = 20;
/// Consecutive failures that strangers may make.
pub const STRANGER_BUDGET: u32 = 80;
/// Failures of strangers that cost no waiting.
pub const FREE_FAILURES: u32 = 10;
/// How many known sources a user may have; the oldest makes room.
pub const MAX_SOURCES: usize = 8;
/// The wait told when only an operator's unlock helps.
pub const LOCKED_OUT: Duration = Duration::from_hours(1);
/// How long a repeated request gets the answer of the first. Short: a caller that gives every request the same key
/// would otherwise let a code be used again for long.
pub const ANSWER_LIFE: Duration = Duration::from_mins(5);

/// What decides a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthRow {
    /// An inactive user's codes are refused like wrong ones. False in a decoy, which stands for an unknown user.
    pub active: bool,
    /// The live tokens' replay floors.
    pub live: Vec<LiveToken>,
    /// Consecutive failures of known sources.
    pub known_failures: u32,
    /// Consecutive failures of strangers.
    pub stranger_failures: u32,
    /// Strangers wait until then.
    pub strangers_wait_until: Timestamp,
    /// Hashes of the known sources' ids, oldest first.
    pub sources: Vec<BearerHash>,
    /// The last code that was accepted, so that the same request made again gets the same answer.
    pub last_accepted: Option<Accepted>,
    /// The last failure that was counted, so that one try is never counted twice.
    pub last_refused: Option<BearerHash>,
    /// The policies that cover the user besides those that cover everyone; see [`crate::policy::stamped`].
    pub policies: Vec<PolicyId>,
}

/// The last code that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The request that brought it.
    pub request: BearerHash,
    /// The token whose code it was.
    pub serial: Serial,
    /// The device id that was issued, sealed, if one was.
    pub issued: Option<SealedSource>,
    /// When.
    pub at: Timestamp,
}

/// A device id as it lies in storage for [`ANSWER_LIFE`]: sealed, see [`crate::sealing`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSource(pub Vec<u8>);

impl fmt::Debug for SealedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSource({} bytes)", self.0.len())
    }
}

/// A live token's replay floor and drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveToken {
    /// Which token.
    pub serial: Serial,
    /// The last accepted TOTP step or HOTP counter. No code at or below it is accepted again (RFC 6238 section 5.2).
    pub last_step: Option<u64>,
    /// How many steps the device's clock has been seen to be ahead (behind: negative).
    pub drift: i32,
    /// Stopped by an operator: the floor stays, but no code is accepted.
    pub suspended: bool,
}

impl LiveToken {
    /// A token whose first code, at `step`, has just been accepted.
    #[must_use]
    pub const fn activated(serial: Serial, step: u64, drift: i32) -> Self {
        Self { serial, last_step: Some(step), drift, suspended: false }
    }
}

/// A live token's seed, opened for one verification.
#[derive(Debug)]
pub struct OpenToken {
    /// Which token.
    pub serial: Serial,
    /// How its codes are made.
    pub parameters: OtpParameters,
    /// Its seed.
    pub seed: Seed,
}

impl OpenToken {
    fn shows(&self, attempt: &Try<'_>, live: &LiveToken) -> Option<Match> {
        let (seed, parameters, seconds) = (&self.seed, &self.parameters, attempt.at.seconds());
        match attempt.shown {
            Shown::Code(code) => {
                find_match(seed, parameters, code, seconds, live.last_step, live.drift, attempt.tolerance)
            }
            Shown::Pair(codes) => resync(seed, parameters, codes, seconds, live.last_step),
        }
    }
}

/// What is shown as proof of a token.
#[derive(Clone, Copy, Debug)]
pub enum Shown<'a> {
    /// The code that it shows now.
    Code(&'a Code),
    /// Two codes that it showed one after the other, to find a token again whose clock or counter has run away.
    Pair([&'a Code; 2]),
}

/// One try.
#[derive(Debug)]
pub struct Try<'a> {
    /// What is shown.
    pub shown: Shown<'a>,
    /// How much is forgiven.
    pub tolerance: Tolerance,
    /// Hash of the device id that an earlier success issued, if one is given.
    pub source: Option<BearerHash>,
    /// A new device id, to be issued if the code is right.
    pub issue: Option<Issue>,
    /// The request that brings it; the same when a request is repeated.
    pub request: BearerHash,
    /// This try alone: other when a request is repeated, so that each time a code is looked at counts.
    pub id: BearerHash,
    /// When.
    pub at: Timestamp,
}

/// A new device id. It takes the place of the one that the try came from, if that was known: a device that is remembered
/// anew each time pushes no other one out.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its hash, which becomes a known source.
    pub hash: BearerHash,
    /// Itself, sealed, for a repetition of the request.
    pub sealed: SealedSource,
}

/// Whose budget a try is charged to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Branch {
    /// A source that an earlier success issued.
    Known(BearerHash),
    /// Anybody else; the id, if one was given, was never issued or has been pushed out.
    Stranger(Option<BearerHash>),
}

/// What a code came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Right: to be written as given.
    Accept(Acceptance),
    /// Wrong, replayed, or of nobody: to be written as given.
    Refuse(Refusal),
    /// Not looked at.
    Locked {
        /// How long to wait.
        retry_after: Duration,
    },
}

/// The one conditional write that accepts a code.
///
/// Condition: the token is live and its floor below `step`, and the branch's budget is not spent. Effect: the floor
/// and drift move, the branch's failures go to zero, and `remember` becomes a known source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The token whose code it was.
    pub serial: Serial,
    /// The step or counter that is now burnt.
    pub step: u64,
    /// The drift from now on.
    pub drift: i32,
    /// The budget that is reset.
    pub branch: Branch,
    /// How the known sources change, when they do.
    pub sources: Option<SourceChange>,
    /// The request that brought the code.
    pub request: BearerHash,
    /// The device id that is issued with it, sealed, if one is.
    pub issued: Option<SealedSource>,
    /// When.
    pub at: Timestamp,
}

/// A change of the known sources. Refused when they are not those that were seen, so that two devices remembered at the
/// same time do not push each other out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceChange {
    /// As they were seen.
    pub from: Vec<BearerHash>,
    /// As they will be.
    pub to: Vec<BearerHash>,
}

/// The one conditional write that counts a wrong code, however many tokens the user has.
///
/// Condition: the branch's failures are still as `guard` says, and its wait is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The budget that is charged.
    pub branch: Branch,
    /// What must hold of the branch's failures.
    pub guard: Guard,
    /// How long strangers wait after this failure.
    pub wait_until: Option<Timestamp>,
    /// The try that it counts.
    pub id: BearerHash,
    /// When.
    pub at: Timestamp,
}

/// The condition on a failure counter.
///
/// Where no wait follows, parallel failures may all count, up to the bound. Where one follows, the counter must be
/// what was read, so that the wait is right for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Fewer than this many.
    Below(u32),
    /// Exactly this many.
    Exactly(u32),
}

impl AuthRow {
    /// The row of a user without tokens.
    #[must_use]
    pub fn of_new_user(active: bool) -> Self {
        Self { active, ..Self::default() }
    }

    /// Whose budget a try from `source` is charged to.
    #[must_use]
    pub fn branch(&self, source: Option<BearerHash>) -> Branch {
        match source {
            Some(source) if self.sources.contains(&source) => Branch::Known(source),
            other => Branch::Stranger(other),
        }
    }

    /// How long `branch` has to wait before a try is looked at; `None` when it need not.
    #[must_use]
    pub fn wait(&self, branch: &Branch, now: Timestamp) -> Option<Duration> {
        match branch {
            Branch::Known(_) => (self.known_failures >= KNOWN_BUDGET).then_some(LOCKED_OUT),
            Branch::Stranger(_) if self.stranger_failures >= STRANGER_BUDGET => Some(LOCKED_OUT),
            Branch::Stranger(_) => {
                (now < self.strangers_wait_until).then(|| now.until(self.strangers_wait_until))
            }
        }
    }

    /// Decides what a try comes to.
    ///
    /// Tokens that are not live in this row are passed over. The work is the same whether a code is right or wrong;
    /// a user without tokens costs as much as one with a token.
    #[must_use]
    pub fn decide(&self, tokens: &[OpenToken], attempt: &Try<'_>) -> Decision {
        let now = attempt.at;
        let branch = self.branch(attempt.source.clone());
        if let Some(retry_after) = self.wait(&branch, now) {
            return Decision::Locked { retry_after };
        }
        let mut found: Option<(&Serial, Match)> = None;
        let mut looked = false;
        for token in tokens {
            let live = self.live.iter().find(|live| live.serial == token.serial && !live.suspended);
            let Some(live) = live else { continue };
            looked = true;
            if let (Some(hit), None) = (token.shows(attempt, live), &found) {
                found = Some((&token.serial, hit));
            }
        }
        if !looked {
            burn(&OtpParameters::default(), now.seconds(), attempt.tolerance);
        }
        let request = attempt.request.clone();
        match found {
            Some((serial, hit)) if self.active => {
                let issue = attempt.issue.as_ref();
                Decision::Accept(Acceptance {
                    serial: serial.clone(),
                    step: hit.step,
                    drift: hit.drift_after,
                    sources: issue.map(|issue| SourceChange {
                        from: self.sources.clone(),
                        to: self.sources_with(&branch, issue.hash.clone()),
                    }),
                    issued: issue.map(|issue| issue.sealed.clone()),
                    branch,
                    request,
                    at: now,
                })
            }
            _ => Decision::Refuse(self.refusal(branch, attempt.id.clone(), now)),
        }
    }

    /// The acceptance that `request` had before, while it is remembered and its user and token may still sign in.
    #[must_use]
    pub fn answered(&self, request: &BearerHash, now: Timestamp) -> Option<&Accepted> {
        let last = self.last_accepted.as_ref()?;
        let stands =
            self.active && self.live.iter().any(|live| live.serial == last.serial && !live.suspended);
        (stands && &last.request == request && now < last.at.plus(ANSWER_LIFE)).then_some(last)
    }

    /// The row after an operator's unlock: no failures, no wait.
    #[must_use]
    pub fn unlocked(self) -> Self {
        Self { known_failures: 0, stranger_failures: 0, strangers_wait_until: Timestamp::default(), ..self }
    }

    /// Whether the accepting write goes through on this row: what the store's condition says.
    #[must_use]
    pub fn accepts(&self, acceptance: &Acceptance) -> bool {
        self.active
            && self.branch(acceptance.branch.source().cloned()) == acceptance.branch
            && self.wait(&acceptance.branch, acceptance.at).is_none()
            && acceptance.sources.as_ref().is_none_or(|change| change.from == self.sources)
            && self.live.iter().any(|live| {
                live.serial == acceptance.serial
                    && !live.suspended
                    && live.last_step.is_none_or(|last| last < acceptance.step)
            })
    }

    /// The row after an accepting write.
    #[must_use]
    pub fn accepted(mut self, acceptance: &Acceptance) -> Self {
        for live in self.live.iter_mut().filter(|live| live.serial == acceptance.serial) {
            live.last_step = Some(acceptance.step);
            live.drift = acceptance.drift;
        }
        match acceptance.branch {
            Branch::Known(_) => self.known_failures = 0,
            Branch::Stranger(_) => self.stranger_failures = 0,
        }
        if let Some(sources) = &acceptance.sources {
            self.sources.clone_from(&sources.to);
        }
        self.last_accepted = Some(Accepted {
            request: acceptance.request.clone(),
            serial: acceptance.serial.clone(),
            issued: acceptance.issued.clone(),
            at: acceptance.at,
        });
        self
    }

    /// Whether the refusing write goes through on this row: what the store's condition says.
    #[must_use]
    pub fn refuses(&self, refusal: &Refusal) -> bool {
        let failures = match refusal.branch {
            Branch::Known(_) => self.known_failures,
            Branch::Stranger(_) => self.stranger_failures,
        };
        let guarded = match refusal.guard {
            Guard::Below(bound) => failures < bound,
            Guard::Exactly(count) => failures == count,
        };
        guarded
            && self.branch(refusal.branch.source().cloned()) == refusal.branch
            && self.wait(&refusal.branch, refusal.at).is_none()
    }

    /// The row after a refusing write.
    #[must_use]
    pub fn refused(mut self, refusal: &Refusal) -> Self {
        match refusal.branch {
            Branch::Known(_) => self.known_failures += 1,
            Branch::Stranger(_) => self.stranger_failures += 1,
        }
        if let Some(until) = refusal.wait_until {
            self.strangers_wait_until = until;
        }
        self.last_refused = Some(refusal.id.clone());
        self
    }

    fn refusal(&self, branch: Branch, id: BearerHash, now: Timestamp) -> Refusal {
        let (guard, wait_until) = match branch {
            Branch::Known(_) => (Guard::Below(KNOWN_BUDGET), None),
            Branch::Stranger(_) => {
                let after = self.stranger_failures + 1;
                match wait_after(after) {
                    Some(wait) => (Guard::Exactly(self.stranger_failures), Some(now.plus(wait))),
                    None => (Guard::Below(FREE_FAILURES - 1), None),
                }
            }
        };
        Refusal { branch, guard, wait_until, id, at: now }
    }

    fn sources_with(&self, branch: &Branch, new: BearerHash) -> Vec<BearerHash> {
        let replaced = branch.source();
        let mut sources: Vec<BearerHash> =
            self.sources.iter().filter(|known| Some(*known) != replaced).cloned().collect();
        sources.push(new);
        let surplus = sources.len().saturating_sub(MAX_SOURCES);
        sources.split_off(surplus)
    }
}

impl Branch {
    /// The source id's hash, if one was given.
    #[must_use]
    pub const fn source(&self) -> Option<&BearerHash> {
        match self {
            Self::Known(source) => Some(source),
            Self::Stranger(source) => source.as_ref(),
        }
    }
}

/// The wait after the strangers' `failures`th failure: none up to the ninth, then 30 s, doubling, at most an hour.
fn wait_after(failures: u32) -> Option<Duration> {
    let growth = failures.checked_sub(FREE_FAILURES)?;
    Some(Duration::from_secs((30_u64 << growth.min(7)).min(3600)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otp::totp;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn seed(n: u8) -> Seed {
        Seed::new(vec![n; 20]).unwrap()
    }

    fn tokens() -> Vec<OpenToken> {
        [1, 2]
            .map(|n| OpenToken {
                serial: Serial::new([n; 8]),
                parameters: OtpParameters::default(),
                seed: seed(n),
            })
            .into()
    }

    fn row() -> AuthRow {
        let live = tokens()
            .into_iter()
            .map(|t| LiveToken { serial: t.serial, last_step: None, drift: 0, suspended: false })
            .collect();
        AuthRow { live, ..AuthRow::of_new_user(true) }
    }

    fn code(n: u8, at: Timestamp) -> Code {
        let parameters = OtpParameters::default();
        totp::code(&seed(n), totp::step(at.seconds(), parameters.kind.period().unwrap()), &parameters)
    }

    fn wrong() -> Code {
        Code::parse("000000").unwrap()
    }

    fn source(n: u8) -> BearerHash {
        BearerHash::stored(&format!("source {n}"))
    }

    fn attempt(code: &Code, from: Option<BearerHash>, at: Timestamp) -> Try<'_> {
        let (request, id) = (BearerHash::stored("request"), BearerHash::stored("try"));
        let (shown, tolerance) = (Shown::Code(code), Tolerance::default());
        Try { shown, tolerance, source: from, issue: None, request, id, at }
    }

    fn fail(row: AuthRow, from: Option<BearerHash>, now: Timestamp) -> Result<AuthRow, Duration> {
        match row.decide(&tokens(), &attempt(&wrong(), from, now)) {
            Decision::Refuse(refusal) => {
                assert!(row.refuses(&refusal));
                Ok(row.refused(&refusal))
            }
            Decision::Locked { retry_after } => Err(retry_after),
            Decision::Accept(_) => panic!("000000 is wrong"),
        }
    }

    #[test]
    fn either_token_is_accepted_once() {
        for n in [1, 2] {
            let row = row();
            let Decision::Accept(acceptance) = row.decide(&tokens(), &attempt(&code(n, NOW), None, NOW))
            else {
                panic!("right")
            };
            assert_eq!(acceptance.serial, Serial::new([n; 8]));
            assert!(row.accepts(&acceptance));
            let row = row.accepted(&acceptance);
            assert!(!row.accepts(&acceptance), "the write cannot be repeated");
            let again = row.decide(&tokens(), &attempt(&code(n, NOW), None, NOW));
            assert!(matches!(again, Decision::Refuse(_)), "RFC 6238 section 5.2: {again:?}");
        }
    }

    #[test]
    fn an_inactive_user_and_a_token_that_is_not_live_are_refused() {
        let inactive = AuthRow { active: false, ..row() };
        assert!(matches!(
            inactive.decide(&tokens(), &attempt(&code(1, NOW), None, NOW)),
            Decision::Refuse(_)
        ));
        let none = AuthRow::of_new_user(true);
        assert!(matches!(none.decide(&tokens(), &attempt(&code(1, NOW), None, NOW)), Decision::Refuse(_)));
    }

    #[test]
    fn strangers_wait_after_the_tenth_failure() {
        let mut row = row();
        for _ in 0..10 {
            row = fail(row, None, NOW).unwrap();
        }
        assert_eq!(fail(row.clone(), None, NOW), Err(Duration::from_secs(30)));
        let later = NOW.plus(Duration::from_secs(30));
        row = fail(row, None, later).unwrap();
        assert_eq!(fail(row, None, later), Err(Duration::from_mins(1)));
    }

    #[test]
    fn strangers_cannot_lock_out_a_known_source() {
        let mut row = AuthRow { sources: vec![source(1)], ..row() };
        let mut now = NOW;
        while row.stranger_failures < STRANGER_BUDGET {
            now = now.plus(Duration::from_hours(1));
            row = fail(row, Some(source(9)), now).unwrap();
        }
        now = now.plus(Duration::from_hours(240));
        assert_eq!(fail(row.clone(), None, now), Err(LOCKED_OUT));
        let Decision::Accept(acceptance) =
            row.decide(&tokens(), &attempt(&code(1, now), Some(source(1)), now))
        else {
            panic!("the owner's device is let in")
        };
        let row = row.accepted(&acceptance);
        assert_eq!((row.known_failures, row.stranger_failures), (0, STRANGER_BUDGET));
    }

    #[test]
    fn a_known_source_has_a_budget_too() {
        let mut row = AuthRow { sources: vec![source(1)], ..row() };
        for _ in 0..KNOWN_BUDGET {
            row = fail(row, Some(source(1)), NOW).unwrap();
        }
        assert_eq!(fail(row, Some(source(1)), NOW), Err(LOCKED_OUT));
    }

    #[test]
    fn eight_sources_are_remembered() {
        let mut row = row();
        for n in 0..12 {
            let now = NOW.plus(Duration::from_secs(u64::from(n) * 30));
            let code = code(1, now);
            let issue = Some(Issue { hash: source(n), sealed: SealedSource(vec![n]) });
            let Decision::Accept(acceptance) =
                row.decide(&tokens(), &Try { issue, ..attempt(&code, None, now) })
            else {
                panic!("right")
            };
            row = row.accepted(&acceptance);
        }
        assert_eq!(row.sources, (4..12).map(source).collect::<Vec<_>>());
    }

    #[test]
    fn a_parallel_burst_is_stopped_at_the_tenth() {
        let start = row();
        let burst: Vec<Refusal> = (0..1000)
            .map(|_| match start.decide(&tokens(), &attempt(&wrong(), None, NOW)) {
                Decision::Refuse(refusal) => refusal,
                other => panic!("{other:?}"),
            })
            .collect();
        let mut row = start;
        for refusal in &burst {
            if row.refuses(refusal) {
                row = row.refused(refusal);
            }
        }
        assert_eq!(row.stranger_failures, FREE_FAILURES - 1, "the tenth must be decided anew, with its wait");
    }

    proptest! {
        /// However tries are spread over time and sources, no budget is overdrawn.
        #[test]
        fn budgets_hold(tries in prop::collection::vec((any::<bool>(), 0_u64..4000), 1..200)) {
            let mut row = AuthRow { sources: vec![source(1)], ..row() };
            let mut now = NOW;
            for (known, wait) in tries {
                now = now.plus(Duration::from_secs(wait));
                if let Ok(next) = fail(row.clone(), known.then(|| source(1)), now) {
                    row = next;
                }
                prop_assert!(row.known_failures <= KNOWN_BUDGET);
                prop_assert!(row.stranger_failures <= STRANGER_BUDGET);
            }
        }
    }
}
