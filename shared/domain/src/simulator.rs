//! Recipients that stand for an outcome: whoever writes to one sees what becomes of a message, and no provider does.
//!
//! They are the same in every tenant, and can be nobody's:
//! - mail addresses of [`DOMAIN`]. Names under `invalid` are never registered and never found (RFC 2606 section 2, RFC 6761
//!   section 6.4).
//! - telephone numbers that begin with [`CALLING_CODE`], which the ITU keeps back (ITU-T E.164, list of assigned country
//!   codes).
//!
//! What stands for an outcome is one of [`Forced`]. All other addresses and numbers of these two are kept back too
//! ([`is_kept_address`], [`is_kept_number`]): a message to one is refused for its recipient, and never given to a provider.

use std::time::Duration;

use crate::contact::{EmailAddress, PhoneNumber};
use crate::named::named;

/// The domain of the mail addresses.
pub const DOMAIN: &str = "simulator.otpost.invalid";
/// The calling code of the telephone numbers.
pub const CALLING_CODE: &str = "+999";
/// What stands between the calling code and the two digits that name an outcome: numbers of twelve digits in all.
const SUBSCRIBERS: &str = "0000000";
/// How long after it was taken a message arrives whose receipt is to be [`Forced::Late`].
pub const LATE: Duration = Duration::from_secs(90);

named! {
    /// What becomes of a message to such a recipient, by whichever gateway.
    pub enum Forced {
        /// It is taken, and a receipt tells at once that it arrived.
        Delivered = "delivered",
        /// It is taken, and the receipt that tells of its arrival comes [`LATE`].
        Late = "late",
        /// It is taken, and a receipt tells at once that it did not arrive.
        Bounced = "bounced",
        /// It is refused, because of its recipient.
        Refused = "refused",
        /// The provider cannot be had; it never can.
        Down = "down",
        /// Nobody knows whether it was taken.
        Ambiguous = "ambiguous",
        /// It is taken, and no receipt ever comes.
        Silent = "silent",
    }
}

impl Forced {
    /// What becomes of a message to an address, such as `bounced@simulator.otpost.invalid`. A label may stand behind the
    /// name, so that one outcome has as many addresses as are wanted: `bounced+jane@…`. Case does not matter.
    #[must_use]
    pub fn of_email(address: &EmailAddress) -> Option<Self> {
        let (local, domain) = address.expose().rsplit_once('@')?;
        let name = local.split('+').next().filter(|_| domain == DOMAIN)?;
        Self::ALL.iter().copied().find(|forced| forced.as_str().eq_ignore_ascii_case(name))
    }

    /// What becomes of a text to a number, from `+999000000001` to `+999000000007`.
    #[must_use]
    pub fn of_number(number: &PhoneNumber) -> Option<Self> {
        let last = number.expose().strip_prefix(CALLING_CODE)?.strip_prefix(SUBSCRIBERS)?;
        Self::ALL.iter().copied().find(|forced| forced.last_digits() == last)
    }

    /// The last two digits of its number.
    #[must_use]
    pub const fn last_digits(self) -> &'static str {
        match self {
            Self::Delivered => "01",
            Self::Late => "02",
            Self::Bounced => "03",
            Self::Refused => "04",
            Self::Down => "05",
            Self::Ambiguous => "06",
            Self::Silent => "07",
        }
    }
}

/// Whether an address is kept back, though it may name no outcome: no provider ever gets a message to it.
#[must_use]
pub fn is_kept_address(address: &EmailAddress) -> bool {
    address.domain() == DOMAIN
}

/// Whether a number is kept back, though it may name no outcome: no provider ever gets a text to it.
#[must_use]
pub fn is_kept_number(number: &PhoneNumber) -> bool {
    number.expose().starts_with(CALLING_CODE)
}

/// Whether an address or a number, whichever it is, is kept back.
#[must_use]
pub fn is_kept(recipient: &str) -> bool {
    match PhoneNumber::try_from(recipient) {
        Ok(number) => is_kept_number(&number),
        Err(_) => EmailAddress::try_from(recipient).is_ok_and(|address| is_kept_address(&address)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::numbering::countries_of;

    fn email(text: &str) -> EmailAddress {
        EmailAddress::try_from(text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::try_from(text).unwrap_or_else(|_| panic!("{text}"))
    }

    #[test]
    fn every_outcome_has_an_address_and_a_number() {
        for forced in Forced::ALL {
            let (name, last) = (forced.as_str(), forced.last_digits());
            for text in [
                format!("{name}@simulator.otpost.invalid"),
                format!("{name}+jane.doe@simulator.otpost.invalid"),
                format!("{name}+a+b@simulator.otpost.invalid"),
                format!("{}@Simulator.Otpost.INVALID", name.to_uppercase()),
            ] {
                let address = email(&text);
                assert_eq!(
                    (Forced::of_email(&address), is_kept_address(&address)),
                    (Some(*forced), true),
                    "{text}"
                );
            }
            let number = number(&format!("+9990000000{last}"));
            assert_eq!((Forced::of_number(&number), is_kept_number(&number)), (Some(*forced), true));
            assert_eq!(number.expose().len(), "+".len() + 12);
        }
        assert_eq!(Forced::of_number(&number("+999000000001")), Some(Forced::Delivered));
        assert_eq!(Forced::of_number(&number("+999000000007")), Some(Forced::Silent));
    }

    #[test]
    fn what_names_no_outcome_is_kept_back_all_the_same() {
        for text in ["jane", "delivered.jane", "deliver", "delivered-jane", "x+delivered", "de.livered"] {
            let address = email(&format!("{text}@simulator.otpost.invalid"));
            assert_eq!((Forced::of_email(&address), is_kept_address(&address)), (None, true), "{text}");
        }
        for text in
            ["+999000000000", "+999000000008", "+99900000001", "+9990000000001", "+9991234", "+999000000101"]
        {
            let number = number(text);
            assert_eq!((Forced::of_number(&number), is_kept_number(&number)), (None, true), "{text}");
        }
    }

    #[test]
    fn neighbours_are_not_kept_back() {
        for text in [
            "delivered@otpost.invalid",
            "delivered@x.simulator.otpost.invalid",
            "delivered@xsimulator.otpost.invalid",
            "delivered@simulator.otpost.invalid.example.org",
            "delivered@simulator.otpost.example",
            "simulator.otpost.invalid@example.org",
        ] {
            let address = email(text);
            assert_eq!((Forced::of_email(&address), is_kept_address(&address)), (None, false), "{text}");
        }
        for text in ["+998000000001", "+99000000001", "+499990000001", "+447700900999"] {
            let number = number(text);
            assert_eq!((Forced::of_number(&number), is_kept_number(&number)), (None, false), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn nobodys_address_is_kept_back(
            local in "(delivered|bounced|silent|[a-z]{1,9})([.+][a-z0-9]{1,9}){0,2}",
            domain in "((simulator|otpost|invalid|[a-z]{1,6})[.]){1,4}(invalid|example|org|[a-z]{2,6})",
        ) {
            let address = email(&format!("{local}@{domain}"));
            prop_assert_eq!(is_kept_address(&address), domain == DOMAIN);
            prop_assert!(is_kept_address(&address) || Forced::of_email(&address).is_none());
        }

        /// Telephones of every country can be written to.
        #[test]
        fn no_countrys_number_is_kept_back(digits in "([1-9][0-9]{6,14}|9[0-9]{6,14}|99[0-9]{5,13}|999[0-9]{4,12})") {
            let number = number(&format!("+{digits}"));
            let somebodys = !countries_of(&number).is_empty();
            prop_assert!(!somebodys || !is_kept_number(&number), "{}", digits);
            prop_assert!(is_kept_number(&number) || Forced::of_number(&number).is_none());
            prop_assert_eq!(is_kept_number(&number), digits.starts_with("999"));
        }
    }
}
