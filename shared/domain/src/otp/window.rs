//! Finding a code among those that a token may show now: the window of TOTP (RFC 6238 section 5.2), the
//! look-ahead of HOTP (RFC 4226 section 7.4), drift and resynchronisation (RFC 6238 section 6).
//!
//! The *floor* is the step (or counter) of the last code that was accepted. Nothing at or below it is ever
//! accepted again (RFC 6238 section 5.2), whatever the window, the drift or a resynchronisation say.

use core::hint::black_box;

use subtle::{Choice, ConditionallySelectable, ConstantTimeGreater};

use super::{Code, Generator, Kind, OtpParameters, OutOfRange, totp};
use crate::secret::Seed;

/// How far the stored drift moves by itself, in steps.
pub const DRIFT_LIMIT: i32 = 20;
/// How far from the clock a resynchronisation looks for a time-based token, in steps either side. It is
/// also the greatest drift that can be stored.
pub const RESYNC_STEPS: u16 = 120;
/// How far ahead a resynchronisation looks for a counter-based token.
pub const RESYNC_COUNTERS: u16 = 1_000;

/// How many time steps either side of the expected one are tried: 0 to 5, usually 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    ahead_behind: u8,
}

impl Window {
    /// The widest window: 5 steps either side, for hardware with a poor clock.
    pub const WIDEST: Self = Self { ahead_behind: 5 };

    /// Takes the number of steps either side.
    ///
    /// # Errors
    /// [`OutOfRange`] above 5.
    pub fn new(steps: u8) -> Result<Self, OutOfRange> {
        OutOfRange::check("the window in steps", steps.into(), 0, Self::WIDEST.ahead_behind.into())?;
        Ok(Self { ahead_behind: steps })
    }

    /// Steps either side, 0 to 5.
    #[must_use]
    pub fn steps(self) -> u8 {
        self.ahead_behind
    }
}

impl Default for Window {
    /// One step, which RFC 6238 section 5.2 recommends as the most for network delay.
    fn default() -> Self {
        Self { ahead_behind: 1 }
    }
}

/// How many counters beyond the floor are tried: 1 to 100, usually 10 (s of RFC 4226 section 7.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookAhead(u8);

impl LookAhead {
    /// The longest look-ahead: 100 counters.
    pub const LONGEST: Self = Self(100);

    /// Takes the number of counters.
    ///
    /// # Errors
    /// [`OutOfRange`] unless it lies within 1 to 100.
    pub fn new(counters: u8) -> Result<Self, OutOfRange> {
        OutOfRange::check("the look-ahead in counters", counters.into(), 1, Self::LONGEST.0.into())?;
        Ok(Self(counters))
    }

    /// Counters beyond the floor, 1 to 100.
    #[must_use]
    pub fn counters(self) -> u8 {
        self.0
    }
}

impl Default for LookAhead {
    fn default() -> Self {
        Self(10)
    }
}

/// How much a policy forgives; the kind of the token picks the half that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tolerance {
    /// For time-based tokens.
    pub window: Window,
    /// For counter-based tokens.
    pub look_ahead: LookAhead,
}

/// Where a code was found. Accepting it means storing both numbers, on condition that the stored floor is
/// still below [`Match::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// The time step or counter of the code: the new floor.
    pub step: u64,
    /// The drift to store: how many steps the token is ahead of our clock (negative: behind). 0 for HOTP.
    pub drift_after: i32,
}

/// Looks for `code` among those that the token may show at `now_unix` (Unix seconds).
///
/// A time-based token is expected `drift` steps from the clock and searched there first, then one step
/// ahead, one behind, and so on through the window. A counter-based token is searched from the counter
/// after `floor` (from 0 without one) through the look-ahead. Every candidate is computed and compared in
/// constant time even after one fits, so the time taken tells nothing about the code.
#[must_use]
pub fn find_match(
    seed: &Seed,
    params: &OtpParameters,
    code: &Code,
    now_unix: u64,
    floor: Option<u64>,
    drift: i32,
    tolerance: Tolerance,
) -> Option<Match> {
    let generator = Generator::new(seed, *params);
    match params.kind {
        Kind::Totp(period) => {
            let drift = held(drift);
            let now = totp::step(now_unix, period);
            let step = search(&generator, code, around(now, drift, tolerance.window), floor)?;
            Some(Match { step, drift_after: drifted(drift, offset(step, now)) })
        }
        Kind::Hotp => {
            let counters = beyond(floor, tolerance.look_ahead.counters().into());
            let step = search(&generator, code, counters, floor)?;
            Some(Match { step, drift_after: 0 })
        }
    }
}

/// Does the work of a [`find_match`] that finds nothing and throws it away, so that the answer for a user
/// who does not exist takes as long as that for a wrong code.
pub fn burn(params: &OtpParameters, now_unix: u64, tolerance: Tolerance) {
    let Ok(seed) = Seed::new(vec![0x5a; Seed::USUAL_LENGTH]) else {
        return;
    };
    let code = Code::from_number(0, params.digits);
    // Black boxes keep the compiler from seeing that nobody wants the answer.
    black_box(find_match(&seed, black_box(params), black_box(&code), now_unix, None, 0, tolerance));
}

/// Finds a token again that ran out of its window, from two codes that it showed one after the other
/// (RFC 4226 section 7.4, RFC 6238 section 6).
///
/// A time-based token is looked for within 120 steps of the clock; the drift becomes the offset found.
/// A counter-based token is looked for within 1,000 counters beyond the floor. Both codes must lie above
/// the floor; the earliest fitting pair counts, and [`Match::step`] is that of its second code.
#[must_use]
pub fn resync(
    seed: &Seed,
    params: &OtpParameters,
    codes: [&Code; 2],
    now_unix: u64,
    floor: Option<u64>,
) -> Option<Match> {
    let generator = Generator::new(seed, *params);
    match params.kind {
        Kind::Totp(period) => {
            let now = totp::step(now_unix, period);
            let reach = u64::from(RESYNC_STEPS);
            let steps = now.saturating_sub(reach)..=now.saturating_add(reach);
            let step = search_pair(&generator, codes, steps, floor)?;
            Some(Match { step, drift_after: held(offset(step, now)) })
        }
        Kind::Hotp => {
            let step = search_pair(&generator, codes, beyond(floor, RESYNC_COUNTERS.into()), floor)?;
            Some(Match { step, drift_after: 0 })
        }
    }
}

/// The first candidate above the floor that shows `code`.
fn search(
    generator: &Generator,
    code: &Code,
    candidates: impl Iterator<Item = u64>,
    floor: Option<u64>,
) -> Option<u64> {
    let mut found = Choice::from(0);
    let mut step = 0_u64;
    for candidate in candidates {
        let hit = generator.code(candidate).matches(code) & above(candidate, floor) & !found;
        step.conditional_assign(&candidate, hit);
        found |= hit;
    }
    bool::from(found).then_some(step)
}

/// The second step of the first two neighbours above the floor that show both codes in order.
fn search_pair(
    generator: &Generator,
    [first, second]: [&Code; 2],
    candidates: impl Iterator<Item = u64>,
    floor: Option<u64>,
) -> Option<u64> {
    let mut found = Choice::from(0);
    let mut step = 0_u64;
    let mut before = Choice::from(0);
    for candidate in candidates {
        let shown = generator.code(candidate);
        let above = above(candidate, floor);
        let hit = shown.matches(second) & above & before & !found;
        step.conditional_assign(&candidate, hit);
        found |= hit;
        before = shown.matches(first) & above;
    }
    bool::from(found).then_some(step)
}

fn above(candidate: u64, floor: Option<u64>) -> Choice {
    floor.map_or(Choice::from(1), |floor| candidate.ct_gt(&floor))
}

/// The steps of the window, nearest first: 0, +1, -1, +2, … from `now + drift`. Steps before 1970 or
/// beyond 64 bits do not exist and are left out.
fn around(now: u64, drift: i32, window: Window) -> impl Iterator<Item = u64> {
    let outwards = (1..=i64::from(window.steps())).flat_map(|distance| [distance, -distance]);
    core::iter::once(0)
        .chain(outwards)
        .filter_map(move |distance| now.checked_add_signed(i64::from(drift) + distance))
}

/// The `count` counters after the floor, or from 0.
fn beyond(floor: Option<u64>, count: u64) -> impl Iterator<Item = u64> {
    let first = floor.map_or(Some(0), |floor| floor.checked_add(1));
    first.into_iter().flat_map(move |first| (0..count).filter_map(move |ahead| first.checked_add(ahead)))
}

/// How many steps `step` is ahead of `now`. Both lie within a few hundred steps of each other.
fn offset(step: u64, now: u64) -> i32 {
    step.checked_signed_diff(now).and_then(|steps| i32::try_from(steps).ok()).unwrap_or(0)
}

fn held(drift: i32) -> i32 {
    let most = i32::from(RESYNC_STEPS);
    drift.clamp(-most, most)
}

/// The drift after a code was found `offset` steps ahead of the clock: the mean of both, a half rounded
/// towards the offset, moved by one step at most (so one odd code cannot carry the window away). It does
/// not leave ±20 by itself; a drift that a resynchronisation put beyond may stay or come back.
fn drifted(drift: i32, offset: i32) -> i32 {
    let sum = drift + offset;
    let mean = if offset > drift { (sum + 1).div_euclid(2) } else { sum.div_euclid(2) };
    let limit = DRIFT_LIMIT.max(drift.abs());
    mean.clamp(drift - 1, drift + 1).clamp(-limit, limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Algorithm, Digits, hotp};
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn seed() -> Seed {
        Seed::new(b"12345678901234567890".to_vec()).unwrap()
    }

    fn hotp_params() -> OtpParameters {
        OtpParameters { kind: Kind::Hotp, ..OtpParameters::default() }
    }

    fn shown(params: OtpParameters, step: u64) -> Code {
        hotp::code(&seed(), step, params.algorithm, params.digits)
    }

    fn tolerance(window: u8, look_ahead: u8) -> Tolerance {
        Tolerance { window: Window::new(window).unwrap(), look_ahead: LookAhead::new(look_ahead).unwrap() }
    }

    #[test]
    fn windows_and_look_aheads_have_bounds() {
        assert!((0..=5).all(|steps| Window::new(steps).unwrap().steps() == steps));
        assert_eq!(Window::new(6).unwrap_err().most, 5);
        assert!((1..=100).all(|counters| LookAhead::new(counters).unwrap().counters() == counters));
        assert_eq!(LookAhead::new(0).unwrap_err().least, 1);
        assert_eq!(LookAhead::new(101).unwrap_err().most, 100);
        assert_eq!((Window::default().steps(), LookAhead::default().counters()), (1, 10));
    }

    #[test]
    fn the_nearest_step_comes_first() {
        let steps: Vec<u64> = around(100, 3, Window::new(2).unwrap()).collect();
        assert_eq!(steps, [103, 104, 102, 105, 101]);
        assert_eq!(around(0, 0, Window::new(2).unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(
            around(u64::MAX, 0, Window::new(1).unwrap()).collect::<Vec<_>>(),
            [u64::MAX, u64::MAX - 1]
        );
    }

    #[test]
    fn counters_start_after_the_floor() {
        assert_eq!(beyond(None, 3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(beyond(Some(0), 3).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(beyond(Some(u64::MAX - 1), 3).collect::<Vec<_>>(), [u64::MAX]);
        assert_eq!(beyond(Some(u64::MAX), 3).count(), 0);
    }

    #[test]
    fn a_burn_computes_as_many_codes_as_a_search() {
        // A burn is a search without floor and drift: their number of candidates must not depend on these.
        for steps in 0..=5 {
            let window = Window::new(steps).unwrap();
            let counts = [-20, 0, 7].map(|drift| around(NOW / 30, drift, window).count());
            assert_eq!(counts, [usize::from(steps) * 2 + 1; 3]);
        }
        let counts = [None, Some(0), Some(1_000_000)].map(|floor| beyond(floor, 10).count());
        assert_eq!(counts, [10; 3]);
    }

    #[test]
    fn a_code_is_accepted_once() {
        // RFC 6238 section 5.2: the second use of a code within its step is refused.
        let params = OtpParameters::default();
        let now = NOW / 30;
        let code = shown(params, now);
        let first = find_match(&seed(), &params, &code, NOW, None, 0, Tolerance::default()).unwrap();
        assert_eq!(first, Match { step: now, drift_after: 0 });
        assert_eq!(find_match(&seed(), &params, &code, NOW, Some(first.step), 0, Tolerance::default()), None);
    }

    #[test]
    fn a_code_of_another_length_never_fits() {
        let params = OtpParameters::default();
        let longer = hotp::code(&seed(), NOW / 30, Algorithm::Sha1, Digits::Eight);
        assert_eq!(find_match(&seed(), &params, &longer, NOW, None, 0, tolerance(5, 1)), None);
    }

    #[test]
    fn drift_follows_a_slow_token_and_comes_back() {
        assert_eq!(drifted(0, 0), 0);
        assert_eq!(drifted(0, 1), 1);
        assert_eq!(drifted(1, 0), 0);
        assert_eq!(drifted(0, -1), -1);
        assert_eq!(drifted(-1, 0), 0);
        assert_eq!(drifted(0, 5), 1);
        assert_eq!(drifted(20, 25), 20);
        assert_eq!(drifted(-20, -25), -20);
        assert_eq!(drifted(60, 60), 60);
        assert_eq!(drifted(60, 62), 60);
        assert_eq!(drifted(60, 58), 59);
    }

    #[test]
    fn a_token_that_loses_time_for_years_stays_usable() {
        let params = OtpParameters::default();
        let (mut floor, mut drift) = (None, 0);
        for month in 0_u32..20 {
            let now = NOW + u64::from(month) * 2_592_000;
            // One step slower every month: twenty steps in the end.
            let lag = i64::from(month) + 1;
            let code = shown(params, (now / 30).checked_add_signed(-lag).unwrap());
            let found = find_match(&seed(), &params, &code, now, floor, drift, Tolerance::default()).unwrap();
            (floor, drift) = (Some(found.step), found.drift_after);
        }
        assert_eq!(drift, -20);
    }

    #[test]
    fn resync_finds_a_token_whose_clock_is_an_hour_off() {
        let params = OtpParameters::default();
        let now = NOW / 30;
        let far = now - 119;
        let pair = [&shown(params, far), &shown(params, far + 1)];
        let found = resync(&seed(), &params, pair, NOW, None).unwrap();
        assert_eq!(found, Match { step: far + 1, drift_after: -118 });
        // The next code is then found where the token is.
        let later = shown(params, far + 3);
        let next = find_match(
            &seed(),
            &params,
            &later,
            NOW + 60,
            Some(found.step),
            found.drift_after,
            Tolerance::default(),
        );
        assert_eq!(next, Some(Match { step: far + 3, drift_after: -118 }));

        let beyond = [&shown(params, now - 121), &shown(params, now - 120)];
        assert_eq!(resync(&seed(), &params, beyond, NOW, None), None);
        let swapped = [pair[1], pair[0]];
        assert_eq!(resync(&seed(), &params, swapped, NOW, None), None);
        let twice = [pair[0], pair[0]];
        assert_eq!(resync(&seed(), &params, twice, NOW, None), None);
        // Both codes must lie above the floor.
        assert_eq!(resync(&seed(), &params, pair, NOW, Some(far)), None);
        assert_eq!(resync(&seed(), &params, pair, NOW, Some(far - 1)), Some(found));
    }

    #[test]
    fn resync_of_a_counter_reaches_a_thousand_ahead() {
        let params = hotp_params();
        let pair = |first: u64| [shown(params, first), shown(params, first + 1)];
        let found =
            |[a, b]: &[Code; 2], floor| resync(&seed(), &params, [a, b], 0, floor).map(|found| found.step);
        assert_eq!(found(&pair(998), None), Some(999));
        assert_eq!(found(&pair(999), None), None);
        assert_eq!(found(&pair(1_009), Some(10)), Some(1_010));
        assert_eq!(found(&pair(1_010), Some(10)), None);
        assert_eq!(found(&pair(10), Some(10)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn totp_takes_exactly_the_window_above_the_floor(
            window in 0_u8..=5,
            drift in -20_i32..=20,
            distance in -30_i64..=30,
            floor_distance in proptest::option::of(-30_i64..=30),
            now in 1_000_u64..4_000_000_000_000,
        ) {
            let params = OtpParameters { digits: Digits::Eight, ..OtpParameters::default() };
            let at = |distance: i64| (now / 30).checked_add_signed(distance).unwrap();
            let floor = floor_distance.map(at);
            let code = shown(params, at(distance));
            let found = find_match(&seed(), &params, &code, now, floor, drift, tolerance(window, 10));

            let within = (distance - i64::from(drift)).abs() <= i64::from(window);
            let fresh = floor.is_none_or(|floor| at(distance) > floor);
            // Eight digits: two of the 61 steps in question showing the same code is possible in theory only.
            prop_assert_eq!(found.map(|found| found.step), (within && fresh).then(|| at(distance)));
            if let Some(found) = found {
                prop_assert!(found.drift_after.abs() <= DRIFT_LIMIT);
                prop_assert!((found.drift_after - drift).abs() <= 1);
            }
        }

        #[test]
        fn hotp_takes_exactly_the_look_ahead(
            look_ahead in 1_u8..=100,
            floor in proptest::option::of(0_u64..1_000_000),
            counter in 0_u64..150,
        ) {
            let params = OtpParameters { digits: Digits::Eight, ..hotp_params() };
            let first = floor.map_or(0, |floor| floor + 1);
            // From 20 below the first candidate, where there are counters.
            let counter = (first + counter).saturating_sub(20);
            let code = shown(params, counter);
            let found = find_match(&seed(), &params, &code, 0, floor, 7, tolerance(1, look_ahead));
            let within = (first..first + u64::from(look_ahead)).contains(&counter);
            prop_assert_eq!(found, within.then_some(Match { step: counter, drift_after: 0 }));
        }

        #[test]
        fn nothing_at_or_below_the_floor_is_ever_accepted(
            code in "[0-9]{6}",
            floor in 0_u64..100,
            now in 0_u64..3_000,
            drift in any::<i32>(),
        ) {
            let code = Code::parse(&code).unwrap();
            for params in [OtpParameters::default(), hotp_params()] {
                // The token's own codes near the floor, and any code at all.
                let near = (floor.saturating_sub(5)..floor + 5).map(|step| shown(params, step));
                for code in near.chain([code.clone()]) {
                    let found = find_match(&seed(), &params, &code, now, Some(floor), drift, tolerance(5, 100));
                    prop_assert!(found.is_none_or(|found| found.step > floor));
                }
                let pair = [&shown(params, floor), &shown(params, floor + 1)];
                let found = resync(&seed(), &params, pair, now, Some(floor));
                prop_assert!(found.is_none_or(|found| found.step > floor + 1));
            }
        }

        #[test]
        fn a_wrong_code_is_refused(code in "[0-9]{8}", now in 0_u64..4_000_000_000) {
            let params = OtpParameters { digits: Digits::Eight, ..OtpParameters::default() };
            let live: Vec<String> =
                around(now / 30, 0, Window::WIDEST).map(|step| shown(params, step).expose().to_owned()).collect();
            let found =
                find_match(&seed(), &params, &Code::parse(&code).unwrap(), now, None, 0, tolerance(5, 10));
            prop_assert_eq!(found.is_some(), live.contains(&code));
        }

        #[test]
        fn drift_never_runs_away(offsets in proptest::collection::vec(-150_i32..=150, 0..100)) {
            let mut drift = 0;
            for offset in offsets {
                let next = drifted(drift, offset);
                prop_assert!(next.abs() <= DRIFT_LIMIT);
                prop_assert!((next - drift).abs() <= 1);
                drift = next;
            }
        }

        #[test]
        fn any_drift_and_time_are_survived(now in any::<u64>(), drift in any::<i32>(), floor in any::<Option<u64>>()) {
            let code = Code::from_number(1, Digits::Six);
            for params in [OtpParameters::default(), hotp_params()] {
                if let Some(found) = find_match(&seed(), &params, &code, now, floor, drift, Tolerance::default()) {
                    prop_assert!(found.drift_after.abs() <= i32::from(RESYNC_STEPS));
                }
                burn(&params, now, Tolerance::default());
            }
        }
    }
}
