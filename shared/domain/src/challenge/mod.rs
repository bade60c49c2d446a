//! A challenge: one code that is sent to somebody and asked of them.
//!
//! What decides lies in one row for each addressee, purpose and class of source ([`Place`]); a new code takes the place of
//! the one before it there, and the count of wrong codes goes on (NIST SP 800-63B-4 section 3.1.3: a new code does not
//! reset it). Accepting or counting a guess is one conditional write of that row, [`Challenge::judge`] says under which
//! condition.
//!
//! A challenge's id is sealed [`Claims`]: where its row lies, and the secret from which its code follows. Neither the row
//! nor a queue has the code. So every message of one challenge carries the same code, and whoever reads the table cannot
//! guess it without the id.

mod claims;
mod code;
mod mask;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::time::Duration;

use crate::contact::{EmailAddress, PhoneNumber};
use crate::ids::{BearerHash, MessageId, TenantId, UserId};
use crate::message::Channel;
use crate::named::named;
use crate::policy::Settings;
use crate::template::{CodePurpose, TemplateKind};
use crate::time::Timestamp;

pub use claims::{ChallengeId, Claims, InvalidChallengeId, MOST_OF_ID};
pub use code::{CodeMac, InvalidTransaction, Secret, SentCode, SentCodeFormat, Transaction};
pub use mask::Mask;

/// Wrong codes in a row that cost no waiting.
pub const FREE_FAILURES: u32 = 10;
/// Wrong codes in a row that sources may give that an earlier success has made known, for each purpose.
pub const KNOWN_BUDGET: u32 = 10;
/// Wrong codes in a row that strangers may give, all together, for each purpose. With the known ones, signing in and
/// confirming transactions together stay at the 100 of NIST SP 800-63B-4 section 3.2.2.
pub const STRANGER_BUDGET: u32 = 40;
/// The wait told when only an operator's unlock helps.
pub const LOCKED_OUT: Duration = Duration::from_hours(1);
/// How long wrong codes are remembered after the last one, or after the last code that was sent.
pub const RETENTION: Duration = Duration::from_hours(30 * 24);
/// The first wait after the free failures; each later failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// A bare address: one that is no user's yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// By e-mail.
    Email(EmailAddress),
    /// By text.
    Phone(PhoneNumber),
}

impl Contact {
    /// The channel that reaches it.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }

    /// The address, to write to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        match self {
            Self::Email(email) => email.expose(),
            Self::Phone(phone) => phone.expose(),
        }
    }

    /// Masked for the log.
    #[must_use]
    pub fn masked(&self) -> String {
        match self {
            Self::Email(email) => email.masked(),
            Self::Phone(phone) => phone.masked(),
        }
    }
}

/// Of whom a code is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// A user, or somebody who might be one.
    User(UserId),
    /// Whoever reads what is sent to an address.
    Bare(Contact),
}

impl Addressee {
    /// What its rows are found under, within its tenant.
    #[must_use]
    pub fn key(&self, tenant: &TenantId) -> String {
        match self {
            Self::User(user) => format!("U#{user}"),
            Self::Bare(contact) => {
                let address = contact.expose().to_lowercase();
                let hash = BearerHash::of(&[b"challenge", tenant.as_str().as_bytes(), address.as_bytes()]);
                format!("CT#{}", hash.as_str())
            }
        }
    }
}

named! {
    /// Whose wrong codes are counted together.
    pub enum SourceClass {
        /// Devices that an earlier success has made known.
        Known = "known",
        /// Everybody else.
        Stranger = "stranger",
    }
}

impl SourceClass {
    /// Wrong codes in a row that it may give.
    #[must_use]
    pub const fn budget(self) -> u32 {
        match self {
            Self::Known => KNOWN_BUDGET,
            Self::Stranger => STRANGER_BUDGET,
        }
    }
}

impl CodePurpose {
    /// Whose texts carry such a code.
    #[must_use]
    pub const fn template(self) -> TemplateKind {
        match self {
            Self::SignIn | Self::Transaction => TemplateKind::EmailOtp,
            Self::Enrolment | Self::PasswordReset => TemplateKind::MobileCode,
            Self::Helpdesk => TemplateKind::HelpdeskCode,
        }
    }
}

/// Where a challenge's row lies: what shares one code and one count of wrong ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of whom the code is asked.
    pub addressee: Addressee,
    /// What it is for.
    pub purpose: CodePurpose,
    /// From whom it is asked.
    pub source: SourceClass,
}

/// Tells a code from those before and after it in the same row: 8 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(pub [u8; 8]);

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({:x})", u64::from_be_bytes(self.0))
    }
}

/// What it takes to write the same code again, sealed: see [`crate::sealing`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedOrder(pub Vec<u8>);

impl fmt::Debug for SealedOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedOrder({} bytes)", self.0.len())
    }
}

/// What policy allows, taken when a code is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long the code is good.
    pub life: Duration,
    /// Wrong codes that it takes.
    pub attempts: u32,
    /// How long until it is sent again.
    pub cool_down: Duration,
    /// How often it is sent again.
    pub resends: u32,
}

impl Limits {
    /// Of the settings for everyone: what a stranger can see must not depend on who the user is.
    #[must_use]
    pub fn of(everyone: &Settings) -> Self {
        Self {
            life: Duration::from_secs(everyone.challenge_life_seconds.get().into()),
            attempts: everyone.challenge_attempts.get(),
            cool_down: Duration::from_secs(everyone.challenge_cool_down_seconds.get().into()),
            resends: everyone.challenge_resends.get(),
        }
    }
}

/// A challenge's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Where it lies.
    pub place: Place,
    /// Which code it is about.
    pub generation: Generation,
    /// What only the right code makes. A decoy's, which stands for somebody who cannot be written to, is made by no code.
    pub mac: CodeMac,
    /// From when on the code is good no more.
    pub expires_at: Timestamp,
    /// Guesses so far, the right one too.
    pub guesses: u32,
    /// Guesses that the code takes.
    pub most_guesses: u32,
    /// Wrong codes in a row, over all codes. Counts the right one until the next code is made.
    pub failures: u32,
    /// When the last guess was made.
    pub guessed_at: Timestamp,
    /// What the last guess made.
    pub last: Option<CodeMac>,
    /// The request that brought the last guess, so that it is counted once.
    pub last_request: Option<BearerHash>,
    /// How often the code was sent again.
    pub resent: u32,
    /// Whether it may have gone by e-mail, by any of its messages.
    pub mailed: bool,
    /// Whether what it opens was had already: of a code for the helpdesk, the new password.
    pub spent: bool,
    /// How often it may be.
    pub most_resends: u32,
    /// Until when it is not sent again, unless the last message came to nothing.
    pub cool_until: Timestamp,
    /// The message that was written last.
    pub message: MessageId,
    /// What it takes to write another.
    pub order: SealedOrder,
}

/// A guess at a code.
#[derive(Clone, Debug)]
pub struct Guess {
    /// Which code is guessed.
    pub generation: Generation,
    /// What the guess makes.
    pub mac: CodeMac,
    /// The request that brings it; the same when a request is repeated.
    pub request: BearerHash,
    /// When.
    pub at: Timestamp,
}

/// What a guess comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// To be counted: accepted if it is right, and wrong otherwise.
    Counts,
    /// This very request was counted before, and its code was right.
    AcceptedBefore,
    /// This very request was counted before, and its code was wrong.
    WrongBefore,
    /// The code was used, has expired, or gave way to another.
    Over,
    /// The code has taken all the guesses that it takes.
    Exhausted,
}

/// What became of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "only Accepted lets anybody in"]
pub enum Guessed {
    /// The code was right: it is used now.
    Accepted {
        /// Whether it may have gone by e-mail.
        mailed: bool,
        /// When it was accepted: earlier than now where the request was repeated.
        at: Timestamp,
    },
    /// It was wrong.
    Wrong,
    /// The code was used, has expired, or gave way to another.
    Over,
    /// The code has taken all the guesses that it takes.
    Exhausted,
}

impl Judged {
    /// What became of a guess at `challenge` that was not counted; `None` for one that should have been counted.
    #[must_use]
    pub const fn uncounted(self, challenge: &Challenge) -> Option<Guessed> {
        match self {
            Self::Counts => None,
            Self::AcceptedBefore => Some(challenge.accepted()),
            Self::WrongBefore => Some(Guessed::Wrong),
            Self::Over => Some(Guessed::Over),
            Self::Exhausted => Some(Guessed::Exhausted),
        }
    }
}

/// What is to be done for somebody who asks for a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A new code is made.
    New,
    /// The code that there is is sent again.
    Again,
    /// The code that there is was sent a moment ago, and is on its way.
    OnItsWay,
    /// Not now.
    Wait {
        /// How long to wait.
        retry_after: Duration,
        /// Why.
        why: Why,
    },
}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A code was sent a moment ago.
    CoolDown,
    /// The code was sent as often as policy allows.
    SentEnough,
    /// Too many wrong codes.
    Failures,
}

impl Challenge {
    /// Whether the code was used.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.is(&self.mac))
    }

    /// Whether the code can still be accepted.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.guesses < self.most_guesses && !self.is_used()
    }

    /// What is told of it once the code was right.
    pub const fn accepted(&self) -> Guessed {
        Guessed::Accepted { mailed: self.mailed, at: self.guessed_at }
    }

    /// Wrong codes in a row: none after a right one.
    #[must_use]
    pub fn failures_in_a_row(&self) -> u32 {
        if self.is_used() { 0 } else { self.failures }
    }

    /// How long until another code is made after wrong ones; `None` when at once.
    fn wait(&self, now: Timestamp) -> Option<Duration> {
        let failures = self.failures_in_a_row();
        if failures >= self.place.source.budget() {
            return Some(LOCKED_OUT);
        }
        let doubled = failures.checked_sub(FREE_FAILURES)?;
        let wait =
            FIRST_WAIT.saturating_mul(1_u32.checked_shl(doubled).unwrap_or(u32::MAX)).min(LONGEST_WAIT);
        let until = self.guessed_at.plus(wait);
        (now < until).then(|| now.until(until))
    }

    /// What a guess comes to. The store writes one that counts under the condition that this still says so.
    #[must_use]
    pub fn judge(&self, guess: &Guess) -> Judged {
        if self.generation != guess.generation || self.expires_at <= guess.at {
            Judged::Over
        } else if self.last_request.as_ref() == Some(&guess.request) {
            if self.is_used() { Judged::AcceptedBefore } else { Judged::WrongBefore }
        } else if self.is_used() {
            Judged::Over
        } else if self.guesses >= self.most_guesses || self.failures >= self.place.source.budget() {
            Judged::Exhausted
        } else {
            Judged::Counts
        }
    }

    /// As it is after a guess that counts.
    #[must_use]
    pub fn guessed(mut self, guess: &Guess) -> Self {
        self.guesses += 1;
        self.failures += 1;
        self.guessed_at = guess.at;
        self.last = Some(guess.mac.clone());
        self.last_request = Some(guess.request.clone());
        self
    }

    /// What is to be done when a code is asked for anew. `same` says whether what there is would tell the same, to the same
    /// addresses; `failed` whether the last message came to nothing, which gives the cool-down back.
    #[must_use]
    pub fn start(&self, same: bool, failed: bool, now: Timestamp) -> Start {
        if let Some(retry_after) = self.wait(now) {
            return Start::Wait { retry_after, why: Why::Failures };
        }
        if self.is_used() {
            return Start::New;
        }
        let cooling = now < self.cool_until && !failed;
        if !self.is_live(now) || !same {
            return if cooling {
                Start::Wait { retry_after: now.until(self.cool_until), why: Why::CoolDown }
            } else {
                Start::New
            };
        }
        if cooling {
            return Start::OnItsWay;
        }
        self.again(failed, now)
    }

    /// What is to be done when the code of `generation` is asked for once more; `None` when it is over.
    #[must_use]
    pub fn resend(&self, generation: Generation, failed: bool, now: Timestamp) -> Option<Start> {
        if self.generation != generation || !self.is_live(now) {
            return None;
        }
        Some(if now < self.cool_until && !failed {
            Start::Wait { retry_after: now.until(self.cool_until), why: Why::CoolDown }
        } else {
            self.again(failed, now)
        })
    }

    /// A message that came to nothing does not count, as long as that does not go on for ever.
    fn again(&self, failed: bool, now: Timestamp) -> Start {
        let most =
            if failed { self.most_resends.saturating_mul(2).saturating_add(1) } else { self.most_resends };
        if self.resent < most {
            Start::Again
        } else {
            Start::Wait { retry_after: now.until(self.expires_at), why: Why::SentEnough }
        }
    }

    /// As it is once the code was sent again by `message`.
    #[must_use]
    pub fn sent_again(mut self, message: MessageId, mailed: bool, cool_until: Timestamp) -> Self {
        self.resent += 1;
        self.mailed |= mailed;
        self.message = message;
        self.cool_until = cool_until;
        self
    }
}
