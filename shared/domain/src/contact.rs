//! Addresses to which messages go. Personal data: `Debug` shows the masked form.

use std::fmt;

use crate::plain::plain;

/// Why an address was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContact {
    /// Not a mailbox that Otpost can write to.
    #[error(
        "must be an e-mail address such as jane@example.org, at most 254 ASCII characters, without quotes"
    )]
    Email,
    /// Not a number in E.164 form.
    #[error("must be a telephone number in international form, such as +447700900123")]
    Phone,
    /// Not a BCP 47 language tag.
    #[error("must be a language tag such as en or de-AT")]
    Locale,
    /// Not fit to be shown as a name.
    #[error("must be 1 to 128 characters without control characters")]
    Name,
}

/// An e-mail address: ASCII, unquoted, with a dot in its domain, at most 254 characters (RFC 5321 section 4.5.3).
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// The address, to write to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part after the `@`, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// `j***@e***.org`: enough for its owner to know it.
    #[must_use]
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let (name, top) = domain.rsplit_once('.').unwrap_or((domain, ""));
        format!("{}***@{}***.{top}", first(local), first(name))
    }
}

impl TryFrom<&str> for EmailAddress {
    type Error = InvalidContact;

    fn try_from(text: &str) -> Result<Self, InvalidContact> {
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidContact::Email)?;
        let local_good = (1..=64).contains(&local.len())
            && local.split('.').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
            });
        let labels: Vec<&str> = domain.split('.').collect();
        let domain_good = labels.len() >= 2
            && labels.iter().all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        if local_good && domain_good && text.len() <= 254 {
            Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
        } else {
            Err(InvalidContact::Email)
        }
    }
}

/// A telephone number in E.164 form: `+`, a digit from 1, 6 to 14 more digits.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// The number, to write to it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// A number that is kept for stories and belongs to nobody (Ofcom's numbers for drama).
    #[must_use]
    pub fn sample() -> Self {
        Self("+447700900123".to_owned())
    }

    /// `+44***123`: enough for its owner to know it.
    #[must_use]
    pub fn masked(&self) -> String {
        let head: String = self.0.chars().take(3).collect();
        let tail: String = self.0.chars().skip(self.0.len().saturating_sub(3)).collect();
        format!("{head}***{tail}")
    }
}

impl TryFrom<&str> for PhoneNumber {
    type Error = InvalidContact;

    fn try_from(text: &str) -> Result<Self, InvalidContact> {
        let digits = text.strip_prefix('+').ok_or(InvalidContact::Phone)?;
        let good = (7..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidContact::Phone) }
    }
}

macro_rules! masked_debug {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.masked())
            }
        }
    };
}
masked_debug!(EmailAddress);
masked_debug!(PhoneNumber);

/// A language tag (BCP 47): letters, digits and hyphens, at most 35 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Locale(String);

impl Locale {
    /// The tag as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag with the case of letters that is usual: `de-AT`, `zh-Hant-TW` (RFC 5646 section 2.1.1).
    #[must_use]
    pub fn usual_case(&self) -> Self {
        let mut singleton = false;
        let parts = self.0.split('-').enumerate().map(|(index, part)| {
            singleton |= part.len() == 1;
            match (index, part.len()) {
                (1.., 2) if !singleton => part.to_ascii_uppercase(),
                (1.., 4) if !singleton => {
                    let (first, rest) = part.split_at_checked(1).unwrap_or((part, ""));
                    first.to_ascii_uppercase() + &rest.to_ascii_lowercase()
                }
                _ => part.to_ascii_lowercase(),
            }
        });
        Self(parts.collect::<Vec<_>>().join("-"))
    }

    /// The tag, then ever wider ones, down to the language alone (RFC 4647 section 3.4).
    #[must_use]
    pub fn ranges(&self) -> Vec<String> {
        let mut ranges = vec![self.0.clone()];
        let mut tag = self.0.as_str();
        while let Some((wider, _)) = tag.rsplit_once('-') {
            // A single letter only introduces what has been cut off.
            tag = match wider.rsplit_once('-') {
                Some((before, last)) if last.len() == 1 => before,
                _ => wider,
            };
            ranges.push(tag.to_owned());
        }
        ranges
    }
}

impl Default for Locale {
    fn default() -> Self {
        Self("en".to_owned())
    }
}

impl TryFrom<&str> for Locale {
    type Error = InvalidContact;

    fn try_from(text: &str) -> Result<Self, InvalidContact> {
        let mut parts = text.split('-');
        let language = parts.next().unwrap_or_default();
        let good = text.len() <= 35
            && (2..=8).contains(&language.len())
            && language.bytes().all(|b| b.is_ascii_alphabetic())
            && parts
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if good { Ok(Self(text.to_owned())) } else { Err(InvalidContact::Locale) }
    }
}

/// A name to show to people: 1 to 128 characters, none of them a control character, trimmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for DisplayName {
    type Error = InvalidContact;

    fn try_from(text: &str) -> Result<Self, InvalidContact> {
        plain(text, 128).map(Self).ok_or(InvalidContact::Name)
    }
}

fn first(text: &str) -> String {
    text.chars().take(1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["jane@example.org", "j.d+x@a-b.example.co.uk", "o'neil@example.org"] {
            assert!(EmailAddress::try_from(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "jane",
            "a@b",
            "\"a b\"@example.org",
            "jané@example.org",
            "a@exa mple.org",
            "a@-x.org",
            "a..b@x.org",
            "a@x.org\r\nBcc: b@x.org",
            "<a@x.org>",
            "@x.org",
        ] {
            assert!(EmailAddress::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn languages_have_a_usual_form_and_wider_ones() {
        let locale = Locale::try_from("ZH-hant-tw-x-Ab").unwrap();
        assert_eq!(locale.usual_case().as_str(), "zh-Hant-TW-x-ab");
        assert_eq!(locale.usual_case().ranges(), ["zh-Hant-TW-x-ab", "zh-Hant-TW", "zh-Hant", "zh"]);
        assert_eq!(Locale::default().ranges(), ["en"]);
    }

    #[test]
    fn numbers_are_checked() {
        assert!(PhoneNumber::try_from("+447700900123").is_ok());
        for bad in ["", "447700900123", "+0447700900", "+44 7700 900123", "+4477", "+٤٤٧٧٠٠٩٠٠١٢٣"]
        {
            assert!(PhoneNumber::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_the_mask_only() {
        let email = EmailAddress::try_from("jane@example.org").unwrap();
        assert_eq!(format!("{email:?}"), "EmailAddress(j***@e***.org)");
        let phone = PhoneNumber::try_from("+447700900123").unwrap();
        assert_eq!(format!("{phone:?}"), "PhoneNumber(+44***123)");
    }

    #[test]
    fn names_and_locales() {
        assert_eq!(DisplayName::try_from("  Jane Doe ").unwrap().as_str(), "Jane Doe");
        assert!(DisplayName::try_from("a\nb").is_err());
        assert!(DisplayName::try_from(" ").is_err());
        assert!(Locale::try_from("de-AT").is_ok());
        assert!(Locale::try_from("d").is_err());
        assert!(Locale::try_from("de_AT").is_err());
    }
}
