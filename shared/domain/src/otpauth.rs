//! The `otpauth` link that authenticator apps read from a QR code. There is no RFC for it; what is written
//! here is what the common apps agree on.

use core::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::otp::{Kind, OtpParameters};
use crate::secret::{SecretText, Seed};

/// Everything but the unreserved characters (RFC 3986 section 2.3), so a space is `%20` and never `+`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Room for the longest link, so that the text is written in one place and leaves no copy of the seed behind.
const ROOM: usize = 3_328;

/// Why a text cannot stand in an app's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LabelFault {
    /// Nothing but blanks.
    #[error("the name is empty")]
    Empty,
    /// More characters than allowed.
    #[error("the name has more than {0} characters")]
    TooLong(usize),
    /// A colon, which divides issuer and account.
    #[error("the name has a colon")]
    Colon,
    /// A line break or another control character.
    #[error("the name has a control character")]
    Control,
}

/// Who issues the codes, as the app shows it: usually the tenant's name. 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer(String);

/// Whose codes they are, as the app shows it: usually the user's name. 1 to 128 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Account(String);

macro_rules! label {
    ($name:ident, $most:literal) => {
        impl $name {
            /// Most characters.
            pub const MOST: usize = $most;

            /// Makes the best of a name that was chosen for another purpose: colons, control characters and
            /// blanks at the ends go, and it is cut to the allowed length.
            ///
            /// # Errors
            /// [`LabelFault::Empty`] if nothing is left.
            pub fn tidied(name: &str) -> Result<Self, LabelFault> {
                let kept = |c: &char| *c != ':' && !c.is_control();
                let cleaned: String = name.chars().filter(kept).collect();
                let cut: String = cleaned.trim().chars().take(Self::MOST).collect();
                Self::try_from(cut.trim_end())
            }

            /// The name as it was given.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = LabelFault;

            fn try_from(name: &str) -> Result<Self, LabelFault> {
                check(name, Self::MOST).map(|()| Self(name.to_owned()))
            }
        }
    };
}

label!(Issuer, 64);
label!(Account, 128);

fn check(name: &str, most: usize) -> Result<(), LabelFault> {
    if name.trim().is_empty() {
        Err(LabelFault::Empty)
    } else if name.chars().count() > most {
        Err(LabelFault::TooLong(most))
    } else if name.contains(':') {
        Err(LabelFault::Colon)
    } else if name.chars().any(char::is_control) {
        Err(LabelFault::Control)
    } else {
        Ok(())
    }
}

/// Writes the link. The issuer stands both before the account and as a parameter, because apps read one or
/// the other; algorithm, digits and period are written even where they are the default. `counter` is the
/// next counter of a HOTP token and plays no part for TOTP.
#[must_use]
pub fn uri(
    seed: &Seed,
    params: &OtpParameters,
    counter: u64,
    issuer: &Issuer,
    account: &Account,
) -> SecretText {
    let issuer = utf8_percent_encode(issuer.as_str(), ENCODED);
    let account = utf8_percent_encode(account.as_str(), ENCODED);
    let (kind, algorithm, digits) = (params.kind.as_str(), params.algorithm.as_str(), params.digits.count());
    let secret = seed.to_base32();
    let mut link = Zeroizing::new(String::with_capacity(ROOM));
    // Writing to a string cannot fail.
    let _ = write!(link, "otpauth://{kind}/{issuer}:{account}?secret={}", secret.as_str());
    let _ = write!(link, "&issuer={issuer}&algorithm={algorithm}&digits={digits}");
    let _ = match params.kind {
        Kind::Totp(period) => write!(link, "&period={}", period.seconds()),
        Kind::Hotp => write!(link, "&counter={counter}"),
    };
    SecretText::new(link.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::otp::{Algorithm, Digits, Period, totp};

    fn seed() -> Seed {
        Seed::new(b"12345678901234567890".to_vec()).unwrap()
    }

    fn issuer(name: &str) -> Issuer {
        Issuer::try_from(name).unwrap()
    }

    fn account(name: &str) -> Account {
        Account::try_from(name).unwrap()
    }

    #[test]
    fn a_usual_link() {
        let link =
            uri(&seed(), &OtpParameters::default(), 0, &issuer("Demo Ltd"), &account("jane@example.org"));
        assert_eq!(
            link.expose(),
            "otpauth://totp/Demo%20Ltd:jane%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Demo%20Ltd&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_counter_link_has_no_period() {
        let params = OtpParameters { kind: Kind::Hotp, algorithm: Algorithm::Sha256, digits: Digits::Eight };
        let link = uri(&seed(), &params, 7, &issuer("Demo"), &account("jane"));
        assert_eq!(
            link.expose(),
            "otpauth://hotp/Demo:jane?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Demo&algorithm=SHA256&digits=8&counter=7"
        );
    }

    #[test]
    fn labels_are_checked() {
        let cases = [
            ("", LabelFault::Empty),
            ("  ", LabelFault::Empty),
            ("a:b", LabelFault::Colon),
            ("a\nb", LabelFault::Control),
            ("a\u{7f}b", LabelFault::Control),
        ];
        for (name, fault) in cases {
            assert_eq!(Issuer::try_from(name).unwrap_err(), fault);
            assert_eq!(Account::try_from(name).unwrap_err(), fault);
        }
        assert!(Issuer::try_from("ä".repeat(64).as_str()).is_ok());
        assert_eq!(Issuer::try_from("ä".repeat(65).as_str()).unwrap_err(), LabelFault::TooLong(64));
        assert!(Account::try_from("ä".repeat(128).as_str()).is_ok());
        assert_eq!(Account::try_from("ä".repeat(129).as_str()).unwrap_err(), LabelFault::TooLong(128));
    }

    #[test]
    fn tidying_makes_a_legal_label() {
        assert_eq!(Issuer::tidied(" Demo: Ltd\r\n").unwrap().as_str(), "Demo Ltd");
        assert_eq!(Account::tidied(&"x ".repeat(200)).unwrap().as_str().len(), 127);
        assert_eq!(Issuer::tidied(" :\n").unwrap_err(), LabelFault::Empty);
    }

    #[test]
    fn the_longest_link_stays_in_its_place() {
        let seed = Seed::new(vec![0xff; Seed::MOST]).unwrap();
        let params = OtpParameters { kind: Kind::Hotp, algorithm: Algorithm::Sha512, digits: Digits::Eight };
        let issuer = issuer(&"\u{1f511}".repeat(Issuer::MOST));
        let account = account(&"\u{1f511}".repeat(Account::MOST));
        // Each of these characters becomes twelve: labels cannot be longer.
        assert!(uri(&seed, &params, u64::MAX, &issuer, &account).expose().len() <= ROOM);
    }

    proptest! {
        #[test]
        fn an_independent_parser_reads_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 16..=64),
            algorithm in prop_oneof![Just(Algorithm::Sha1), Just(Algorithm::Sha256), Just(Algorithm::Sha512)],
            digits in prop_oneof![Just(Digits::Six), Just(Digits::Seven), Just(Digits::Eight)],
            period in 15_u64..=120,
            issuer_name in "[^:\\pC]{1,64}",
            account_name in "[^:\\pC]{1,128}",
            time in 0_u64..100_000_000_000,
        ) {
            prop_assume!(!issuer_name.trim().is_empty() && !account_name.trim().is_empty());
            let seed = Seed::new(bytes).unwrap();
            let period = Period::new(period).unwrap();
            let params = OtpParameters { kind: Kind::Totp(period), algorithm, digits };
            let link = uri(&seed, &params, 0, &issuer(&issuer_name), &account(&account_name));

            prop_assert!(link.expose().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+'));
            let read = totp_rs::Totp::from_url(link.expose()).unwrap();
            prop_assert_eq!(read.issuer(), Some(issuer_name.as_str()));
            prop_assert_eq!(read.account_name(), account_name);
            prop_assert_eq!(read.algorithm().to_string(), algorithm.as_str());
            prop_assert_eq!((read.digits(), read.step()), (digits.count(), period.seconds()));
            let ours = totp::code(&seed, totp::step(time, period), &params);
            prop_assert_eq!(read.generate(time).to_string(), ours.expose());
        }

        #[test]
        fn tidied_labels_are_always_legal(name in "\\PC*|(?s).*") {
            if let Ok(issuer) = Issuer::tidied(&name) {
                prop_assert_eq!(Issuer::try_from(issuer.as_str()), Ok(issuer));
            }
            if let Ok(account) = Account::tidied(&name) {
                prop_assert_eq!(Account::try_from(account.as_str()), Ok(account));
            }
        }
    }
}
