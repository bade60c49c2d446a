//! A point in time, given to the domain by its callers.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// Milliseconds since 1970-01-01T00:00:00Z. The domain never asks a clock: its callers pass the time in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

/// By how many seconds a test tenant's clock runs ahead, or behind where it is negative: 366 days at most. Codes are judged by
/// it, and by nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockOffset(i32);

/// A number of seconds is no offset of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be -{MOST} to {MOST} seconds, which are 366 days", MOST = ClockOffset::MOST)]
pub struct InvalidClockOffset;

impl ClockOffset {
    /// The true time.
    pub const NONE: Self = Self(0);
    /// Seconds at most, either way.
    pub const MOST: i32 = 366 * 24 * 3600;

    /// The seconds.
    #[must_use]
    pub const fn seconds(self) -> i32 {
        self.0
    }
}

impl TryFrom<i64> for ClockOffset {
    type Error = InvalidClockOffset;

    fn try_from(seconds: i64) -> Result<Self, InvalidClockOffset> {
        let within = (-i64::from(Self::MOST)..=i64::from(Self::MOST)).contains(&seconds);
        i32::try_from(seconds).ok().filter(|_| within).map(Self).ok_or(InvalidClockOffset)
    }
}

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the unit of TOTP steps and of DynamoDB's TTL.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// Whole hours since the epoch, rounded down.
    #[must_use]
    pub const fn hours(self) -> u64 {
        self.seconds() / 3600
    }

    /// This time by a clock that runs ahead or behind.
    #[must_use]
    pub const fn by(self, clock: ClockOffset) -> Self {
        Self(self.0.saturating_add_signed(clock.0 as i64 * 1000))
    }

    /// This time and `span` later; saturates at the end of the range.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The span from `self` until `later`, zero when `later` has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }

    /// As RFC 3339 in UTC with milliseconds dropped, e.g. `2026-11-22T05:00:00Z`: the form on every wire.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.civil().format(&Rfc3339).unwrap_or_else(|_| self.seconds().to_string())
    }

    /// Reads RFC 3339, with any offset; a fraction of a millisecond is dropped. `None` before 1970 and for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// For people, in UTC: `22 November 2026, 05:00 UTC`, or in German for a tag such as `de` or `de-AT`; English for
    /// every other language.
    #[must_use]
    pub fn for_people(self, locale: &str) -> String {
        let at = self.civil();
        let language = locale.split('-').next().unwrap_or_default();
        let (day, month) = if language.eq_ignore_ascii_case("de") {
            let month = GERMAN_MONTHS.get(usize::from(u8::from(at.month())).saturating_sub(1));
            (format!("{}.", at.day()), month.copied().unwrap_or_default().to_owned())
        } else {
            (at.day().to_string(), at.month().to_string())
        };
        format!("{day} {month} {}, {:02}:{:02} UTC", at.year(), at.hour(), at.minute())
    }

    fn civil(self) -> OffsetDateTime {
        i64::try_from(self.seconds())
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(u64);

impl Day {
    const MILLIS: u64 = 24 * 3600 * 1000;

    /// On which `at` lies.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.0 / Self::MILLIS)
    }

    /// The day before; the first one has none.
    #[must_use]
    pub fn before(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }

    /// Its first millisecond.
    #[must_use]
    pub const fn begin(self) -> Timestamp {
        Timestamp(self.0.saturating_mul(Self::MILLIS))
    }

    /// Its last millisecond.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        Timestamp(self.begin().0.saturating_add(Self::MILLIS - 1))
    }
}

/// As `2026-11-22`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.begin().rfc3339().get(..10).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_runs_ahead_or_behind_by_a_year_at_most() {
        let time = Timestamp::from_millis(1_800_000_000_123);
        let by = |seconds: i64| ClockOffset::try_from(seconds).map(|clock| time.by(clock).millis());
        assert_eq!(by(0), Ok(1_800_000_000_123));
        assert_eq!(by(90_000), Ok(1_800_090_000_123));
        assert_eq!(by(-90_000), Ok(1_799_910_000_123));
        let most = i64::from(ClockOffset::MOST);
        assert!(by(most).is_ok() && by(-most).is_ok());
        for seconds in [most + 1, -most - 1, i64::MAX, i64::MIN] {
            assert_eq!(by(seconds), Err(InvalidClockOffset), "{seconds}");
        }
        assert_eq!(Timestamp::default().by(ClockOffset::try_from(-1).unwrap()), Timestamp::default());
        let told = InvalidClockOffset.to_string();
        assert_eq!(told, "must be -31622400 to 31622400 seconds, which are 366 days");
    }

    #[test]
    fn forms_for_the_wire_and_for_people() {
        let at = Timestamp::from_millis(1_795_323_600_999);
        assert_eq!(at.rfc3339(), "2026-11-22T05:00:00Z");
        assert_eq!(at.for_people("en"), "22 November 2026, 05:00 UTC");
        assert_eq!(at.for_people("de-AT"), "22. November 2026, 05:00 UTC");
        assert_eq!(at.for_people("fr"), at.for_people("en"));
        assert_eq!(Timestamp::default().for_people("de"), "1. Januar 1970, 00:00 UTC");
        assert_eq!(at.seconds(), 1_795_323_600);
    }

    #[test]
    fn arithmetic_saturates() {
        let late = Timestamp::from_millis(u64::MAX).plus(Duration::from_secs(9));
        assert_eq!(late.millis(), u64::MAX);
        assert_eq!(late.until(Timestamp::from_seconds(1)), Duration::ZERO);
    }

    #[test]
    fn days_begin_at_midnight_in_utc() {
        let day = Day::of(Timestamp::from_millis(1_795_323_600_999));
        assert_eq!(
            (day.to_string().as_str(), day.begin().rfc3339().as_str()),
            ("2026-11-22", "2026-11-22T00:00:00Z")
        );
        assert_eq!((Day::of(day.begin()), Day::of(day.end())), (day, day));
        let before = day.before().unwrap();
        assert_eq!(
            (before.end().millis() + 1, before.to_string().as_str()),
            (day.begin().millis(), "2026-11-21")
        );
        assert_eq!(Day::of(Timestamp::default()).before(), None);
    }

    #[test]
    fn rfc_3339_is_read_back() {
        let at = Timestamp::from_seconds(1_800_000_000);
        assert_eq!(Timestamp::parse_rfc3339(&at.rfc3339()), Some(at));
        assert_eq!(
            Timestamp::parse_rfc3339("2027-01-15T09:00:00.25+01:00"),
            Some(Timestamp::from_millis(1_800_000_000_250))
        );
        for bad in ["", "2027-01-15", "2027-13-15T08:00:00Z", "1969-12-31T23:59:59Z", "yesterday"] {
            assert_eq!(Timestamp::parse_rfc3339(bad), None, "{bad}");
        }
    }
}
