//! What policy does for users by itself: a token for whom it covers, its link on the way, and the end of it when they
//! leave.
//!
//! It acts when coverage begins and when it ends, and remembers that it has: a user who is told of a hundred times gets
//! one token, and one whose token an operator has revoked gets none until they leave and come back.

use crate::ids::Serial;
use crate::message::Channel;
use crate::policy::Settings;
use crate::tenant::User;
use crate::token::{Token, TokenState};

/// That a user is covered and has been served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automatic {
    /// The token that was made for them; none where they had one already.
    pub serial: Option<Serial>,
}

/// What policy asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: all is as it should be.
    Nothing,
    /// They have a token already: only to be remembered.
    Adopt,
    /// A token, and its link by this channel, if any.
    Give(Option<Channel>),
    /// The link of a token that was made when there was no way to send it.
    Push(Serial, Channel),
    /// The end of these tokens; none when they are gone already.
    Take(Vec<Serial>),
}

/// What is counted against the limit of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MassChange {
    /// Users who get a token, or its link.
    Pushes,
    /// Users whose tokens end, or who are deleted.
    Revocations,
}

impl Wish {
    /// What it is counted as.
    #[must_use]
    pub const fn counted(&self) -> Option<MassChange> {
        match self {
            Self::Give(_) | Self::Push(..) => Some(MassChange::Pushes),
            Self::Take(serials) if !serials.is_empty() => Some(MassChange::Revocations),
            Self::Nothing | Self::Adopt | Self::Take(_) => None,
        }
    }
}

/// What policy asks for a user who has these tokens; `channel` is how they can be reached.
#[must_use]
pub fn wish(user: &User, settings: &Settings, tokens: &[Token], channel: Option<Channel>) -> Wish {
    let covered = user.active && user.departed_at.is_none() && settings.provision_tokens;
    let channel = channel.filter(|_| settings.provision_clients);
    match (covered, &user.automatic) {
        (true, None) if tokens.is_empty() => Wish::Give(channel),
        (true, None) => Wish::Adopt,
        (true, Some(served)) => match (unsent(served, tokens), channel) {
            (Some(serial), Some(channel)) => Wish::Push(serial.clone(), channel),
            _ => Wish::Nothing,
        },
        (false, None) => Wish::Nothing,
        (false, Some(served)) => {
            // Who leaves a group keeps what they had otherwise; who is switched off keeps nothing.
            let ends = |token: &&Token| !user.active || served.serial.as_ref() == Some(&token.serial);
            Wish::Take(tokens.iter().filter(ends).map(|token| token.serial.clone()).collect())
        }
    }
}

fn unsent<'s>(served: &'s Automatic, tokens: &[Token]) -> Option<&'s Serial> {
    let serial = served.serial.as_ref()?;
    let assigned = |token: &Token| &token.serial == serial && token.state == TokenState::Assigned;
    tokens.iter().any(assigned).then_some(serial)
}

/// How many users may get or lose a token in an hour without an operator's release: a share of all users, and a number
/// that is always allowed.
#[must_use]
pub fn hourly_limit(settings: &Settings, users: u64) -> u64 {
    let share = u64::from(settings.hourly_share_percent.get());
    // A hundred percent is no limit, however many have come since they were counted.
    if share == 100 {
        return u64::MAX;
    }
    (users * share / 100).max(settings.hourly_always.get().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BearerHash, TenantId, UserId};
    use crate::otp::OtpParameters;
    use crate::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn user(active: bool, automatic: Option<Automatic>) -> User {
        User {
            tenant: TenantId::try_from("acme").unwrap(),
            id: UserId::try_from("jane").unwrap(),
            display_name: None,
            email: None,
            phone: None,
            email_since: crate::confirmation::Provenance::default(),
            phone_since: crate::confirmation::Provenance::default(),
            locale: None,
            groups: std::collections::BTreeSet::new(),
            active,
            automatic,
            departed_at: None,
            directory: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn token(number: u8) -> Token {
        let jane = user(true, None);
        Token::assigned(jane.tenant, jane.id, Serial::new([number; 8]), OtpParameters::default(), NOW)
    }

    fn served(number: u8) -> Automatic {
        Automatic { serial: Some(token(number).serial) }
    }

    fn covering() -> Settings {
        Settings { provision_tokens: true, provision_clients: true, ..Settings::default() }
    }

    #[test]
    fn coverage_gives_once_and_its_end_takes() {
        let mail = Some(Channel::Email);
        assert_eq!(wish(&user(true, None), &covering(), &[], mail), Wish::Give(mail));
        let quiet = Settings { provision_clients: false, ..covering() };
        assert_eq!(wish(&user(true, None), &quiet, &[], mail), Wish::Give(None));
        assert_eq!(wish(&user(true, None), &covering(), &[token(1)], mail), Wish::Adopt);
        assert_eq!(wish(&user(true, None), &Settings::default(), &[], mail), Wish::Nothing);
        assert_eq!(wish(&user(false, None), &covering(), &[], mail), Wish::Nothing);
        let serial = token(1).serial;
        assert_eq!(
            wish(&user(true, Some(served(1))), &covering(), &[], mail),
            Wish::Nothing,
            "it was revoked"
        );
        let unsent = wish(&user(true, Some(served(1))), &covering(), &[token(1)], mail);
        assert_eq!(unsent, Wish::Push(serial.clone(), Channel::Email));
        assert_eq!(wish(&user(true, Some(served(1))), &covering(), &[token(1)], None), Wish::Nothing);
        let sent = token(1).pushed(BearerHash::stored("l"), NOW).unwrap();
        assert_eq!(wish(&user(true, Some(served(1))), &covering(), &[sent], mail), Wish::Nothing);
        let both = [token(1), token(2)];
        let left = wish(&user(true, Some(served(1))), &Settings::default(), &both, mail);
        assert_eq!(left, Wish::Take(vec![serial.clone()]));
        let off = wish(&user(false, Some(served(1))), &covering(), &both, mail);
        assert_eq!(off, Wish::Take(vec![serial, token(2).serial]));
        let adopted = Some(Automatic { serial: None });
        assert_eq!(wish(&user(true, adopted), &Settings::default(), &both, mail), Wish::Take(Vec::new()));
        let gone = User { departed_at: Some(NOW), ..user(true, Some(served(1))) };
        assert_eq!(wish(&gone, &covering(), &[token(1)], mail).counted(), Some(MassChange::Revocations));
    }

    #[test]
    fn an_hour_has_its_limit() {
        let settings = Settings::default();
        assert_eq!(hourly_limit(&settings, 0), 50);
        assert_eq!(hourly_limit(&settings, 400), 50);
        assert_eq!(hourly_limit(&settings, 5000), 500);
        let all = Settings { hourly_share_percent: crate::document::Whole::clamped(100), ..settings };
        assert_eq!(hourly_limit(&all, 3), u64::MAX);
    }
}
