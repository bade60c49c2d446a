//! The user's authenticator app: it learns an `otpauth` URI and shows codes (RFC 4226, RFC 6238).

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use crate::host;

/// An app that holds one seed.
#[derive(Debug)]
pub struct Authenticator {
    totp: totp_rs::Totp,
    period: u64,
    summary: String,
    /// The last period whose code was shown.
    shown: AtomicU64,
}

impl Authenticator {
    /// Scans an `otpauth://totp/…` or `otpauth://hotp/…` URI.
    ///
    /// # Errors
    /// The URI is not one that apps understand.
    pub fn scan(uri: &str) -> Result<Self> {
        // A counter-based code is the time-based one of that step.
        let timed = uri.replacen("otpauth://hotp/", "otpauth://totp/", 1);
        let timed = timed.replace("&counter=0", "");
        let totp = totp_rs::Totp::from_url(&timed)
            .map_err(|error| anyhow::anyhow!("no app understands the URI: {error}"))?;
        let digits = totp.generate(0).to_string().len();
        let period = totp.next_step(0);
        let summary = format!("{digits} digits, a new code every {period} s");
        Ok(Self { totp, period, summary, shown: AtomicU64::new(0) })
    }

    /// What the app says about the seed.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The code at `unix` seconds.
    #[must_use]
    pub fn code_at(&self, unix: u64) -> String {
        self.totp.generate(unix).to_string()
    }

    /// The code that a counter-based token shows at `counter`.
    #[must_use]
    pub fn code_of(&self, counter: u64) -> String {
        self.code_at(counter * self.period)
    }

    /// The code that will be on the display in `seconds`.
    #[must_use]
    pub fn code_in(&self, seconds: u64) -> String {
        self.code_at(host::unix_time() + seconds)
    }

    /// The code on the display now.
    #[must_use]
    pub fn code(&self) -> String {
        let now = host::unix_time();
        self.shown.fetch_max(now / self.period, Ordering::Relaxed);
        self.code_at(now)
    }

    /// The code that comes after the one that was shown a moment ago, or else after the one on the display. Were it always the
    /// latter, and the next period began while the first was looked at, it would be two ahead of what is expected then.
    #[must_use]
    pub fn next_code(&self) -> String {
        let now = host::unix_time() / self.period;
        let shown = self.shown.load(Ordering::Relaxed);
        let next = if shown + 1 == now { now } else { now + 1 };
        self.shown.fetch_max(next, Ordering::Relaxed);
        self.code_of(next)
    }

    /// Seconds for which one code stands.
    #[must_use]
    pub fn period(&self) -> u64 {
        self.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1: the seed `12345678901234567890` at 59 s and 1111111109 s.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let uri = "otpauth://totp/Demo%20Ltd:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo%20Ltd&digits=8";
        let app = Authenticator::scan(uri).unwrap();
        assert_eq!(app.code_at(59), "94287082");
        assert_eq!(app.code_at(1_111_111_109), "07081804");
        assert_eq!(app.period(), 30);
        assert_eq!(app.summary(), "8 digits, a new code every 30 s");
    }

    /// RFC 4226 appendix D.
    #[test]
    fn counters_have_codes_too() {
        let uri = "otpauth://hotp/Demo:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Demo&counter=0";
        let app = Authenticator::scan(uri).unwrap();
        assert_eq!([app.code_of(0), app.code_of(9)], ["755224", "520489"]);
    }

    #[test]
    fn other_uris_are_refused() {
        assert!(Authenticator::scan("https://example.org").is_err());
        assert!(Authenticator::scan("otpauth://totp/x").is_err());
    }
}
