//! Whether an address is known to reach its user.
//!
//! The addresses with which a user begins are as good as the user. One that takes the place of another, or that comes
//! later, is not until a code that went there has come back, or until the old address was told and [`SILENCE`] has passed: so
//! whoever talks a helpdesk or a directory into another number does not get the codes, and its owner hears of it (NIST SP
//! 800-63B-4 sections 3.1.3.3 and 4.6; OWASP ASVS 5.0, 6.3.7 and 6.6.1).

use std::time::Duration;

use crate::challenge::Contact;
use crate::message::Channel;
use crate::tenant::User;
use crate::time::Timestamp;

/// After so long without a word of the old address's owner, the new one counts.
pub const SILENCE: Duration = Duration::from_hours(72);

/// How an address came to its user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// When it was set, be it the first; none for those from before this was noted.
    pub set_at: Option<Timestamp>,
    /// When it took the place of another, or came to one; none for the addresses of the beginning.
    pub changed_at: Option<Timestamp>,
    /// When a code that went there came back.
    pub confirmed_at: Option<Timestamp>,
    /// Whether somebody was told who had an address before.
    pub noticed: bool,
}

impl Provenance {
    /// Whether the address is known to reach its user.
    #[must_use]
    pub fn is_confirmed(&self, now: Timestamp) -> bool {
        let Some(changed) = self.changed_at else { return true };
        self.confirmed_at.is_some() || (self.noticed && changed.plus(SILENCE) <= now)
    }
}

impl User {
    /// Where they are reached on a channel.
    #[must_use]
    pub fn contact(&self, channel: Channel) -> Option<Contact> {
        match channel {
            Channel::Email => self.email.clone().map(Contact::Email),
            Channel::Sms => self.phone.clone().map(Contact::Phone),
        }
    }

    /// How their address on a channel came to them.
    #[must_use]
    pub const fn provenance(&self, channel: Channel) -> &Provenance {
        match channel {
            Channel::Email => &self.email_since,
            Channel::Sms => &self.phone_since,
        }
    }

    /// The same with those addresses alone that are known to reach them.
    #[must_use]
    pub fn with_confirmed(&self, now: Timestamp) -> Self {
        let mut user = self.clone();
        user.email = user.email.filter(|_| self.email_since.is_confirmed(now));
        user.phone = user.phone.filter(|_| self.phone_since.is_confirmed(now));
        user
    }

    /// Notes which addresses are others than those of `was`; gives the old ones whose owners are to be told, of those that
    /// `reaches` can reach.
    pub fn moved(&mut self, was: &Self, now: Timestamp, reaches: impl Fn(Channel) -> bool) -> Vec<Contact> {
        let mut told = Vec::new();
        for channel in [Channel::Email, Channel::Sms] {
            let (old, new) = (was.contact(channel), self.contact(channel));
            let since = if old == new {
                *was.provenance(channel)
            } else {
                // The old one, or any other that they had.
                let had =
                    [channel, Channel::Email, Channel::Sms].into_iter().filter_map(|had| was.contact(had));
                let mut had =
                    had.filter(|contact| reaches(contact.channel())).collect::<Vec<_>>().into_iter();
                let owner = had.next();
                // Who had one that was taken away does not begin again.
                let first = [Channel::Email, Channel::Sms]
                    .iter()
                    .all(|had| was.contact(*had).is_none() && was.provenance(*had).changed_at.is_none());
                let noticed = owner.is_some();
                told.extend(owner.filter(|owner| !told.contains(owner)).into_iter().collect::<Vec<_>>());
                let changed_at = (!first).then_some(now);
                let set_at = new.is_some().then_some(now);
                Provenance { set_at, changed_at, confirmed_at: None, noticed: noticed && new.is_some() }
            };
            match channel {
                Channel::Email => self.email_since = since,
                Channel::Sms => self.phone_since = since,
            }
        }
        told
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::contact::{EmailAddress, PhoneNumber};
    use crate::ids::{TenantId, UserId};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    pub(crate) fn user(email: Option<&str>, phone: Option<&str>) -> User {
        User {
            tenant: TenantId::try_from("acme").unwrap(),
            id: UserId::try_from("jane").unwrap(),
            display_name: None,
            email: email.map(|text| EmailAddress::try_from(text).unwrap()),
            phone: phone.map(|text| PhoneNumber::try_from(text).unwrap()),
            email_since: Provenance::default(),
            phone_since: Provenance::default(),
            locale: None,
            groups: BTreeSet::new(),
            active: true,
            automatic: None,
            departed_at: None,
            directory: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn told(was: &User, mut is: User, reaches: impl Fn(Channel) -> bool) -> (Vec<String>, User) {
        let told = is.moved(was, NOW, reaches);
        (told.iter().map(|contact| contact.expose().to_owned()).collect(), is)
    }

    const NUMBER: &str = "+447700900123";
    const OTHER: &str = "+447700900124";

    #[test]
    fn the_addresses_of_the_beginning_count() {
        let nothing = user(None, None);
        let (told, is) = told(&nothing, user(Some("jane@example.org"), Some(NUMBER)), |_| true);
        assert_eq!(told, Vec::<String>::new());
        assert!(is.email_since.is_confirmed(NOW) && is.phone_since.is_confirmed(NOW));
    }

    #[test]
    fn another_number_waits_for_its_code_or_three_days() {
        let was = user(Some("jane@example.org"), Some(NUMBER));
        let (owners, is) = told(&was, user(Some("jane@example.org"), Some(OTHER)), |_| true);
        assert_eq!(owners, [NUMBER]);
        assert!(is.email_since.is_confirmed(NOW) && !is.phone_since.is_confirmed(NOW));
        let almost = NOW.plus(Duration::from_secs(72 * 3600 - 1));
        assert!(!is.phone_since.is_confirmed(almost) && is.phone_since.is_confirmed(NOW.plus(SILENCE)));
        let confirmed = Provenance { confirmed_at: Some(NOW), ..is.phone_since };
        assert!(confirmed.is_confirmed(NOW));
        // What is as it was stays as unconfirmed as it was.
        let (owners, same) = told(&is, User { display_name: None, ..is.clone() }, |_| true);
        assert_eq!((owners, same.phone_since), (Vec::new(), is.phone_since));
    }

    #[test]
    fn nobody_told_nobody_silent() {
        let was = user(None, Some(NUMBER));
        let (owners, is) = told(&was, user(None, Some(OTHER)), |_| false);
        assert_eq!(owners, Vec::<String>::new());
        assert!(!is.phone_since.is_confirmed(NOW.plus(SILENCE * 99)), "only a code confirms it");
    }

    #[test]
    fn who_is_told_of_what_comes_or_goes() {
        let mail = user(Some("jane@example.org"), None);
        let (owners, is) = told(&mail, user(Some("jane@example.org"), Some(NUMBER)), |_| true);
        assert_eq!(owners, ["jane@example.org"], "by the address that there was");
        assert!(!is.phone_since.is_confirmed(NOW));
        let both = user(Some("jane@example.org"), Some(NUMBER));
        let (owners, is) = told(&both, user(None, None), |_| true);
        assert_eq!(owners, ["jane@example.org", NUMBER]);
        let gone = Provenance { changed_at: Some(NOW), ..Provenance::default() };
        assert_eq!((is.email_since, is.phone_since), (gone, gone), "it is remembered that there were some");
        let (owners, anew) = self::told(&is, user(None, Some(OTHER)), |_| true);
        assert_eq!(owners, Vec::<String>::new());
        assert!(!anew.phone_since.is_confirmed(NOW.plus(SILENCE * 99)), "nobody was told of the new one");
        let (owners, _) =
            told(&both, user(Some("j@example.org"), Some(OTHER)), |channel| channel == Channel::Email);
        assert_eq!(owners, ["jane@example.org"], "once");
    }
}
