//! The helpdesk on the telephone: a code that the caller reads back, and after it a new password by text.
//!
//! Who calls and can read what goes to the user's confirmed address is believed for [`WINDOW`], once, and only a number that
//! has been the same for [`UNCHANGED`] gets the password (NIST SP 800-63B-4 section 3.1.3.3 on numbers that have changed
//! hands; OWASP ASVS 5.0, 6.4.3 and 6.6.1). Who can change numbers has another role than who sends passwords.

use std::fmt;
use std::time::Duration;

use crate::challenge::{Challenge, Generation};
use crate::confirmation::Provenance;
use crate::contact::PhoneNumber;
use crate::message::Channel;
use crate::plain::{breaks_line, plain, turns};
use crate::secret::SecretText;
use crate::tenant::User;
use crate::time::Timestamp;

/// How long a code that was read back lets a password go.
pub const WINDOW: Duration = Duration::from_mins(10);
/// How long a number must have been the same before a password goes there.
pub const UNCHANGED: Duration = Duration::from_hours(24);
/// How long a password's text is tried. Then it is given up, and its content is gone.
pub const PASSWORD_LIFE: Duration = Duration::from_mins(10);
/// How many times what one person of the helpdesk may send all who share a key may.
pub const SHARES_OF_A_KEY: u32 = 10;
/// Characters of a password at least (NIST SP 800-63B-4 section 3.1.1.2).
pub const SHORTEST_PASSWORD: usize = 8;
/// Characters of a password at most: it has to stand in a text, and somebody has to type it.
pub const LONGEST_PASSWORD: usize = 64;

/// Who of the helpdesk acts, as its own system knows them: 1 to 64 characters on one line. Personal data, kept in the audit
/// log alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator(String);

/// A text names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 characters on one line, without marks that turn the direction of text")]
pub struct InvalidOperator;

impl Operator {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Operator {
    type Error = InvalidOperator;

    fn try_from(text: &str) -> Result<Self, InvalidOperator> {
        let text = plain(text, 64).ok_or(InvalidOperator)?;
        if text.chars().any(|c| breaks_line(c) || turns(c)) { Err(InvalidOperator) } else { Ok(Self(text)) }
    }
}

/// A password that the helpdesk has set, for its text. Wiped when dropped; nothing shows it but that text.
#[derive(Clone)]
pub struct NewPassword(SecretText);

/// Why a password is not sent. Nothing says what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPassword {
    /// Too short or too long.
    #[error("must be {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")]
    Length,
    /// Something in it cannot be read off a telephone, or typed.
    #[error("must have letters, digits and the signs of a keyboard only, and blanks only between them")]
    Characters,
    /// It looks like a link, on which a telephone lets its owner tap.
    #[error("must not look like a link or a host's name: a message with a password has none")]
    Link,
}

impl NewPassword {
    /// Takes a password.
    ///
    /// # Errors
    /// When it cannot be sent, see [`InvalidPassword`].
    pub fn parse(text: &str) -> Result<Self, InvalidPassword> {
        if !(SHORTEST_PASSWORD..=LONGEST_PASSWORD).contains(&text.chars().count()) {
            return Err(InvalidPassword::Length);
        }
        if text.trim() != text || !text.chars().all(is_typed) {
            return Err(InvalidPassword::Characters);
        }
        if looks_like_a_link(text) {
            return Err(InvalidPassword::Link);
        }
        Ok(Self(SecretText::new(text.to_owned())))
    }

    /// The password, for its message.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(redacted)")
    }
}

/// Whether it is seen on a telephone and can be typed: no mark that turns text, joins it or is not seen at all.
fn is_typed(character: char) -> bool {
    character == ' '
        || character.is_ascii_punctuation()
        || character.is_alphanumeric()
        || "£€§°¢¥¤¡¿µ¬¦±×÷«»".contains(character)
}

/// Whether telephones may make a link of a part of `text`: a scheme (RFC 3986 section 3.1), or a dot between a letter or digit
/// and two letters, with which a top-level domain could begin (RFC 1123 section 2.1), or four numbers with dots between them.
fn looks_like_a_link(text: &str) -> bool {
    let lower = text.to_lowercase();
    let chars: Vec<char> = text.chars().collect();
    let host = |around: &[char]| match around {
        [before, '.', rest @ ..] => before.is_alphanumeric() && rest.iter().all(|c| c.is_alphabetic()),
        _ => false,
    };
    ["://", "http:", "https:", "mailto:", "tel:", "sms:"].iter().any(|scheme| lower.contains(scheme))
        || chars.windows(4).any(host)
        || chars.split(|c| !(c.is_ascii_digit() || *c == '.')).any(is_address)
}

/// Whether a word of digits and dots has the form of an address (RFC 791).
fn is_address(word: &[char]) -> bool {
    let parts: Vec<_> = word.split(|c| *c == '.').collect();
    parts.windows(4).any(|four| four.iter().all(|part| (1..=3).contains(&part.len())))
}

/// Why no password is sent to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The code of this id was not read back, or gave way to another.
    #[error("the caller has not read this code back")]
    NotReadBack,
    /// It was, but too long ago.
    #[error("the caller has read the code back more than ten minutes ago")]
    TooLate,
    /// A password was sent on this code already.
    #[error("a password was sent on this code already")]
    Spent,
    /// The user is not there any more, or is switched off.
    #[error("the user is switched off or deleted")]
    Gone,
    /// The user has no telephone number.
    #[error("the user has no telephone number")]
    NoNumber,
    /// It is not known to reach the user.
    #[error("the user's telephone number is not confirmed")]
    NotConfirmed,
    /// Something was changed since the code was read back that ended all codes of the user.
    #[error("the user was switched off, or an address of theirs was changed, since the code was read back")]
    Ended,
    /// It came a short while ago.
    #[error("the user's telephone number has not been the same for 24 hours")]
    TooNew {
        /// From when on a password may go there.
        from: Timestamp,
    },
}

/// To which number a password may go on the code of `generation`, in whose row `seen` stands.
///
/// # Errors
/// Why it may not.
pub fn password_goes_to(
    seen: Option<&Challenge>,
    generation: Generation,
    user: Option<&User>,
    now: Timestamp,
) -> Result<PhoneNumber, Refusal> {
    let seen = seen.filter(|seen| seen.generation == generation && seen.is_used());
    let seen = seen.ok_or(Refusal::NotReadBack)?;
    if seen.spent {
        return Err(Refusal::Spent);
    }
    if seen.guessed_at.plus(WINDOW) <= now {
        return Err(Refusal::TooLate);
    }
    let user = user.filter(|user| user.active).ok_or(Refusal::Gone)?;
    let number = user.phone.clone().ok_or(Refusal::NoNumber)?;
    if !user.provenance(Channel::Sms).is_confirmed(now) {
        return Err(Refusal::NotConfirmed);
    }
    let from = user.has_had(Channel::Sms).plus(UNCHANGED);
    if now < from {
        return Err(Refusal::TooNew { from });
    }
    // One that was accepted had not expired then.
    if seen.expires_at < seen.guessed_at { Err(Refusal::Ended) } else { Ok(number) }
}

impl User {
    /// Since when they have the address that they have on a channel; since they are there, where they have none.
    #[must_use]
    pub fn has_had(&self, channel: Channel) -> Timestamp {
        let Provenance { set_at, changed_at, .. } = *self.provenance(channel);
        set_at.or(changed_at).unwrap_or(self.created_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::tests::fresh;
    use crate::challenge::{CodeMac, Guess, Secret, SentCode, SourceClass};
    use crate::confirmation;
    use crate::ids::BearerHash;
    use crate::template::CodePurpose;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const IT: Generation = Generation([7; 8]);

    fn minutes(count: u64) -> Duration {
        Duration::from_mins(count)
    }

    fn user() -> User {
        let created_at = Timestamp::from_seconds(1_700_000_000);
        User { created_at, ..confirmation::tests::user(None, Some("+447700900123")) }
    }

    /// A code that is good for five minutes.
    fn sent() -> Challenge {
        let expires_at = NOW.plus(minutes(5));
        Challenge { generation: IT, mac: mac("123456"), expires_at, ..fresh(SourceClass::Stranger) }
    }

    fn mac(code: &str) -> CodeMac {
        Secret::new([1; 32]).mac(CodePurpose::Helpdesk, None, &SentCode::parse(code).unwrap())
    }

    fn guessed(code: &str) -> Challenge {
        let request = BearerHash::of(&[b"one"]);
        sent().guessed(&Guess { generation: IT, mac: mac(code), request, at: NOW })
    }

    #[test]
    fn a_password_goes_once_within_ten_minutes_of_the_code() {
        let goes = |seen: &Challenge, after| {
            password_goes_to(Some(seen), IT, Some(&user()), NOW.plus(after)).map(|to| to.expose().to_owned())
        };
        let number = || Ok("+447700900123".to_owned());
        assert_eq!(goes(&sent(), Duration::ZERO), Err(Refusal::NotReadBack));
        assert_eq!(goes(&guessed("123457"), Duration::ZERO), Err(Refusal::NotReadBack));
        let right = guessed("123456");
        assert_eq!(goes(&right, Duration::ZERO), number());
        assert_eq!(goes(&right, minutes(10).saturating_sub(Duration::from_millis(1))), number());
        assert_eq!(goes(&right, minutes(10)), Err(Refusal::TooLate));
        assert_eq!(goes(&Challenge { spent: true, ..right.clone() }, minutes(1)), Err(Refusal::Spent));
        let other = Challenge { generation: Generation([8; 8]), ..right };
        assert_eq!(goes(&other, minutes(1)), Err(Refusal::NotReadBack));
        let ended = Challenge { expires_at: Timestamp::default(), ..guessed("123456") };
        assert_eq!(goes(&ended, minutes(1)), Err(Refusal::Ended));
        assert_eq!(password_goes_to(None, IT, Some(&user()), NOW), Err(Refusal::NotReadBack));
    }

    #[test]
    fn a_password_goes_to_a_number_that_is_a_day_old_and_confirmed() {
        let right = guessed("123456");
        let goes = |user: Option<User>| password_goes_to(Some(&right), IT, user.as_ref(), NOW).map(|_| ());
        let since = |phone_since| Some(User { phone_since, ..user() });
        let day = Duration::from_hours(24).as_millis();
        let ago = |millis: u128| Timestamp::from_millis(NOW.millis() - u64::try_from(millis).unwrap());
        assert_eq!(goes(None), Err(Refusal::Gone));
        assert_eq!(goes(Some(User { active: false, ..user() })), Err(Refusal::Gone));
        assert_eq!(goes(Some(User { phone: None, ..user() })), Err(Refusal::NoNumber));
        let changed = |at, confirmed_at| Provenance {
            set_at: Some(at),
            changed_at: Some(at),
            confirmed_at,
            noticed: true,
        };
        assert_eq!(goes(since(changed(ago(day * 2), None))), Err(Refusal::NotConfirmed));
        assert_eq!(goes(since(changed(ago(day * 3), None))), Ok(()));
        let young = ago(day - 1);
        let from = NOW.plus(Duration::from_millis(1));
        assert_eq!(goes(since(changed(young, Some(NOW)))), Err(Refusal::TooNew { from }));
        assert_eq!(goes(since(changed(ago(day), Some(NOW)))), Ok(()));
        // The first number that a user gets is believed, and is new all the same.
        let first = Provenance { set_at: Some(young), ..Provenance::default() };
        assert_eq!(goes(since(first)), Err(Refusal::TooNew { from }));
        assert_eq!(goes(Some(User { created_at: young, ..user() })), Err(Refusal::TooNew { from }));
    }

    #[test]
    fn passwords_that_can_be_sent() {
        for good in [
            "Correct-Horse-7",
            "12345678",
            "a b c d e",
            "Tr0ub4dor&3!",
            "1.20.3000.4",
            "v1.2.3-4.5",
            "Grüße!2026",
            "what?/who//1",
            "ab.1cd2ef",
            &"x".repeat(64),
        ] {
            assert_eq!(NewPassword::parse(good).unwrap().expose(), good);
        }
        for (bad, why) in [
            ("short77", InvalidPassword::Length),
            (&"x".repeat(65), InvalidPassword::Length),
            ("        ", InvalidPassword::Characters),
            (" leading8", InvalidPassword::Characters),
            ("two\nlines8", InvalidPassword::Characters),
            ("tab\tinside", InvalidPassword::Characters),
            ("turned\u{202e}8888", InvalidPassword::Characters),
            ("a\u{2028}88888888", InvalidPassword::Characters),
            ("https://x", InvalidPassword::Link),
            ("HTTP://evil", InvalidPassword::Link),
            ("www.evil.example", InvalidPassword::Link),
            ("evil.example/x", InvalidPassword::Link),
            ("go to bit.ly now", InvalidPassword::Link),
            ("a@evil.de:80", InvalidPassword::Link),
            ("mailto:x1234", InvalidPassword::Link),
            ("TEL:0123456", InvalidPassword::Link),
            ("почта.рф1", InvalidPassword::Link),
            ("203.0.113.9/x", InvalidPassword::Link),
            ("evil。com/xx", InvalidPassword::Characters),
            ("zero\u{200b}width", InvalidPassword::Characters),
            ("soft\u{ad}hyphen", InvalidPassword::Characters),
            ("lost\u{fffd}byte", InvalidPassword::Characters),
            ("variant!\u{fe0f}", InvalidPassword::Characters),
            ("https:evil12", InvalidPassword::Link),
        ] {
            assert_eq!(NewPassword::parse(bad).err(), Some(why), "{bad}");
        }
        let shown = format!("{:?}", NewPassword::parse("Correct-Horse-7").unwrap());
        assert_eq!(shown, "NewPassword(redacted)");
    }

    #[test]
    fn who_acts_has_a_name() {
        assert_eq!(Operator::try_from(" m.miller ").unwrap().as_str(), "m.miller");
        for bad in ["", "  ", "two\nlines", "turned\u{202e}", &"x".repeat(65)] {
            assert!(Operator::try_from(bad).is_err(), "{bad}");
        }
    }
}
