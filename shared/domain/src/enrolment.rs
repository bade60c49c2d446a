//! An enrolment: a link, and the browser sessions that were started from it.
//!
//! A mail scanner or the reader of one mailbox must not be able to finish or spoil it. Opening the link changes
//! nothing. Pressing its button mints a seed for that one browser; several may be open side by side. The first right
//! code activates the token with *that* session's seed and ends the link, and the other sessions' seeds die with it.

use std::time::Duration;

use crate::authorization::{Authorization, MAX_WRONG_AUTHORIZATIONS};
use crate::device::{Device, DeviceDetails, DeviceKey};
use crate::ids::{BearerHash, Serial, TenantId, UserId};
use crate::time::Timestamp;
use crate::token::SealedSeed;

/// How long a link lives unless a policy says otherwise. NIST SP 800-63A allows an e-mailed code 24 hours.
pub const LINK_LIFE: Duration = Duration::from_hours(24);
/// How long one browser has from pressing the button to the first code.
pub const SESSION_LIFE: Duration = Duration::from_mins(10);
/// How many browsers may have an enrolment open side by side.
pub const MAX_SESSIONS: usize = 5;
/// Wrong codes that one session may give.
pub const MAX_WRONG_CODES: u8 = 10;

/// How long a link lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLife {
    /// After it was sent.
    pub after_sending: Duration,
    /// At most, after its button was first pressed.
    pub after_visit: Duration,
}

impl Default for LinkLife {
    fn default() -> Self {
        Self { after_sending: LINK_LIFE, after_visit: LINK_LIFE }
    }
}

/// An enrolment link and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Hash of the code in the link.
    pub link: BearerHash,
    /// The tenant of the token.
    pub tenant: TenantId,
    /// The user of the token.
    pub user: UserId,
    /// The token to be enrolled.
    pub serial: Serial,
    /// When the link was made.
    pub created_at: Timestamp,
    /// When it dies.
    pub expires_at: Timestamp,
    /// How long it lives at most after its button was first pressed.
    pub life_after_visit: Duration,
    /// When its button was first pressed.
    pub visited_at: Option<Timestamp>,
    /// Whether it was used up.
    pub state: EnrolmentState,
    /// What must be shown before a session is opened; `None` when the link alone suffices.
    pub authorization: Option<Authorization>,
    /// Browsers and apps that have started.
    pub sessions: Vec<EnrolmentSession>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
}

/// Whether a link was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentState {
    /// It may still activate the token.
    Open,
    /// It has activated the token.
    Used {
        /// When.
        at: Timestamp,
    },
    /// A newer link has taken its place.
    Superseded {
        /// When.
        at: Timestamp,
    },
}

/// One browser's or app's attempt, with a seed of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentSession {
    /// Hash of the session's secret, which lies in a cookie; an app's session is named after its key.
    pub id: BearerHash,
    /// The seed that it shows to the user, sealed.
    pub seed: SealedSeed,
    /// When the session ends.
    pub expires_at: Timestamp,
    /// Wrong codes so far.
    pub wrong_codes: u8,
    /// The device of an app's session; a browser's has none.
    pub device: Option<SessionDevice>,
}

/// The device on which an app enrols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDevice {
    /// The key that the session's calls are signed with.
    pub key: DeviceKey,
    /// What the device says of itself.
    pub details: DeviceDetails,
}

impl EnrolmentSession {
    const fn is_spent(&self) -> bool {
        self.wrong_codes >= MAX_WRONG_CODES
    }

    /// What is recorded of its device once the token is active.
    #[must_use]
    pub fn device(&self, now: Timestamp) -> Device {
        match &self.device {
            Some(SessionDevice { key, details }) => Device::app(*key, details.clone(), now),
            None => Device::browser(now),
        }
    }
}

/// Why a link does not work (any more), for its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeadLink {
    /// No such link, or one forgotten long ago.
    #[error("this link is not known")]
    Unknown,
    /// Its time is over.
    #[error("this link has expired")]
    Expired,
    /// It has activated the token.
    #[error("this link has been used")]
    Used,
    /// A newer one was sent.
    #[error("a newer link has taken this one's place")]
    Superseded,
    /// Its token was revoked, or its user switched off.
    #[error("this link was withdrawn")]
    Withdrawn,
    /// Too many wrong authorization codes were given with it.
    #[error("too many wrong authorization codes were given with this link")]
    Spent,
}

/// Why a session could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// The link is dead.
    #[error(transparent)]
    Dead(#[from] DeadLink),
    /// As many browsers as allowed have it open.
    #[error("too many browsers have started this enrolment")]
    TooManySessions {
        /// When the oldest of them ends.
        retry_after: Duration,
    },
}

/// Why a session cannot give a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    /// The link is dead.
    #[error(transparent)]
    Dead(#[from] DeadLink),
    /// The session is over, or never was.
    #[error("this enrolment session is over")]
    Over,
    /// It gave too many wrong codes.
    #[error("too many wrong codes in this enrolment session")]
    TooManyWrongCodes,
}

impl Enrolment {
    /// A new link for a token.
    #[must_use]
    pub fn new(
        link: BearerHash,
        tenant: TenantId,
        user: UserId,
        serial: Serial,
        now: Timestamp,
        life: LinkLife,
        authorization: Option<Authorization>,
    ) -> Self {
        Self {
            link,
            tenant,
            user,
            serial,
            created_at: now,
            expires_at: now.plus(life.after_sending),
            life_after_visit: life.after_visit,
            visited_at: None,
            state: EnrolmentState::Open,
            authorization,
            sessions: Vec::new(),
            version: 1,
        }
    }

    /// Whether the link still works.
    ///
    /// # Errors
    /// What became of it, when it does not.
    pub fn alive(&self, now: Timestamp) -> Result<(), DeadLink> {
        match self.state {
            EnrolmentState::Used { .. } => Err(DeadLink::Used),
            EnrolmentState::Superseded { .. } => Err(DeadLink::Superseded),
            EnrolmentState::Open if now >= self.expires_at => Err(DeadLink::Expired),
            EnrolmentState::Open => Ok(()),
        }
    }

    /// Opens a session with a fresh seed; sessions that are over make room.
    ///
    /// # Errors
    /// When the link is dead, or [`MAX_SESSIONS`] are open.
    pub fn opened(
        mut self,
        id: BearerHash,
        seed: SealedSeed,
        device: Option<SessionDevice>,
        now: Timestamp,
    ) -> Result<Self, CannotOpen> {
        self.admits(now)?;
        self.make_room(&id, now)?;
        if self.visited_at.is_none() {
            self.visited_at = Some(now);
            self.expires_at = self.expires_at.min(now.plus(self.life_after_visit));
        }
        let expires_at = now.plus(SESSION_LIFE).min(self.expires_at);
        self.sessions.push(EnrolmentSession { id, seed, expires_at, wrong_codes: 0, device });
        Ok(self.changed())
    }

    /// Whether session `id` is an app's that was open before and may go on.
    #[must_use]
    pub fn has_lapsed(&self, id: &BearerHash) -> bool {
        self.sessions
            .iter()
            .any(|session| &session.id == id && session.device.is_some() && !session.is_spent())
    }

    /// Opens an app's session again, with the same seed and the wrong codes that it has given.
    ///
    /// # Errors
    /// When the link is dead, or [`MAX_SESSIONS`] are open.
    pub fn reopened(mut self, id: &BearerHash, now: Timestamp) -> Result<Self, CannotOpen> {
        self.alive(now)?;
        self.make_room(id, now)?;
        let expires_at = now.plus(SESSION_LIFE).min(self.expires_at);
        for session in self.sessions.iter_mut().filter(|session| &session.id == id) {
            session.expires_at = expires_at;
        }
        Ok(self.changed())
    }

    /// Browsers' sessions that are over go; of apps' the last few stay, so that the same device finds its seed again.
    fn make_room(&mut self, id: &BearerHash, now: Timestamp) -> Result<(), CannotOpen> {
        // One that has given too many wrong codes is over too.
        let open = |session: &EnrolmentSession| now < session.expires_at && !session.is_spent();
        self.sessions.retain(|session| {
            let held = now < session.expires_at || (session.device.is_some() && !session.is_spent());
            held && (&session.id != id || !session.is_spent())
        });
        let ends = self.sessions.iter().filter(|session| open(session)).map(|session| session.expires_at);
        if ends.clone().count() >= MAX_SESSIONS {
            let first = ends.min().unwrap_or(now);
            return Err(CannotOpen::TooManySessions { retry_after: now.until(first) });
        }
        let lapsed = self.sessions.iter().filter(|session| !open(session)).count();
        let mut surplus = lapsed.saturating_sub(MAX_SESSIONS);
        self.sessions.retain(|session| {
            let goes = surplus > 0 && !open(session) && &session.id != id;
            surplus -= usize::from(goes);
            !goes
        });
        Ok(())
    }

    /// The session that may give a code now.
    ///
    /// # Errors
    /// When the link is dead or the session over.
    pub fn session(&self, id: &BearerHash, now: Timestamp) -> Result<&EnrolmentSession, NoSession> {
        self.alive(now)?;
        let session = self.sessions.iter().find(|session| &session.id == id && now < session.expires_at);
        match session {
            None => Err(NoSession::Over),
            Some(session) if session.is_spent() => Err(NoSession::TooManyWrongCodes),
            Some(session) => Ok(session),
        }
    }

    /// Counts a wrong code of one session.
    #[must_use]
    pub fn wrong_code(mut self, id: &BearerHash) -> Self {
        if let Some(session) = self.sessions.iter_mut().find(|session| &session.id == id) {
            session.wrong_codes = session.wrong_codes.saturating_add(1);
        }
        self.changed()
    }

    /// Whether new sessions may be opened. Too many wrong authorization codes end that; who has a session goes on, so
    /// that a thief of the link cannot end what its owner has begun.
    ///
    /// # Errors
    /// What became of the link.
    pub fn admits(&self, now: Timestamp) -> Result<(), DeadLink> {
        self.alive(now)?;
        let wrong = self.authorization.as_ref().map_or(0, |authorization| authorization.wrong_codes);
        if wrong >= MAX_WRONG_AUTHORIZATIONS { Err(DeadLink::Spent) } else { Ok(()) }
    }

    /// Counts a wrong authorization code.
    #[must_use]
    pub fn wrong_authorization(mut self) -> Self {
        if let Some(authorization) = &mut self.authorization {
            authorization.wrong_codes = authorization.wrong_codes.saturating_add(1);
        }
        self.changed()
    }

    /// The first right code came: the link is used, and every session's seed is gone from it.
    ///
    /// # Errors
    /// When the link is dead.
    pub fn used(mut self, now: Timestamp) -> Result<Self, DeadLink> {
        self.alive(now)?;
        self.sessions.clear();
        self.state = EnrolmentState::Used { at: now };
        Ok(self.changed())
    }

    fn changed(mut self) -> Self {
        self.version += 1;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn enrolment() -> Enrolment {
        Enrolment::new(
            BearerHash::stored("link"),
            TenantId::try_from("acme").unwrap(),
            UserId::try_from("jane").unwrap(),
            Serial::new([1; 8]),
            NOW,
            LinkLife::default(),
            Some(Authorization { sealed_hash: vec![1], wrong_codes: 0 }),
        )
    }

    fn id(n: usize) -> BearerHash {
        BearerHash::stored(&format!("s{n}"))
    }

    fn open(enrolment: Enrolment, n: usize, now: Timestamp) -> Result<Enrolment, CannotOpen> {
        enrolment.opened(id(n), SealedSeed(vec![0]), None, now)
    }

    #[test]
    fn five_browsers_and_no_more_until_one_is_over() {
        let full = (0..MAX_SESSIONS).fold(enrolment(), |enrolment, n| open(enrolment, n, NOW).unwrap());
        let refused = open(full.clone(), 9, NOW).unwrap_err();
        assert_eq!(refused, CannotOpen::TooManySessions { retry_after: SESSION_LIFE });
        let later = NOW.plus(SESSION_LIFE);
        let again = open(full, 9, later).unwrap();
        assert_eq!(again.sessions.len(), 1);
        assert_eq!(again.session(&id(0), later), Err(NoSession::Over));
        assert!(again.session(&id(9), later).is_ok());
    }

    #[test]
    fn a_used_link_kills_the_other_sessions() {
        let enrolment = open(open(enrolment(), 1, NOW).unwrap(), 2, NOW).unwrap();
        let used = enrolment.used(NOW).unwrap();
        assert!(used.sessions.is_empty());
        assert_eq!(used.session(&id(2), NOW), Err(NoSession::Dead(DeadLink::Used)));
        assert_eq!(used.clone().used(NOW), Err(DeadLink::Used));
        assert_eq!(open(used, 3, NOW), Err(CannotOpen::Dead(DeadLink::Used)));
    }

    #[test]
    fn a_link_expires_and_its_sessions_with_it() {
        let late = NOW.plus(LINK_LIFE.saturating_sub(Duration::from_mins(1)));
        let enrolment = open(enrolment(), 1, late).unwrap();
        assert_eq!(enrolment.sessions[0].expires_at, enrolment.expires_at);
        assert_eq!(enrolment.alive(NOW.plus(LINK_LIFE)), Err(DeadLink::Expired));
    }

    #[test]
    fn wrong_authorizations_shut_the_link_but_not_its_sessions() {
        let mut enrolment = open(enrolment(), 1, NOW).unwrap();
        for _ in 1..MAX_WRONG_AUTHORIZATIONS {
            enrolment = enrolment.wrong_authorization();
            assert_eq!(enrolment.admits(NOW), Ok(()));
        }
        let spent = enrolment.wrong_authorization();
        assert_eq!(spent.admits(NOW), Err(DeadLink::Spent));
        assert!(spent.session(&id(1), NOW).is_ok());
        assert_eq!(open(spent, 2, NOW), Err(CannotOpen::Dead(DeadLink::Spent)));
    }

    #[test]
    fn a_session_that_gave_too_many_wrong_codes_makes_room() {
        let full = (0..MAX_SESSIONS).fold(enrolment(), |enrolment, n| open(enrolment, n, NOW).unwrap());
        let spent = (0..MAX_WRONG_CODES).fold(full, |enrolment, _| enrolment.wrong_code(&id(0)));
        let again = open(spent, 9, NOW).unwrap();
        assert_eq!(again.session(&id(0), NOW), Err(NoSession::TooManyWrongCodes));
        assert!(again.session(&id(9), NOW).is_ok());
    }

    #[test]
    fn wrong_codes_are_counted_by_session() {
        let enrolment = open(open(enrolment(), 1, NOW).unwrap(), 2, NOW).unwrap();
        let enrolment = (0..MAX_WRONG_CODES).fold(enrolment, |enrolment, _| enrolment.wrong_code(&id(1)));
        assert_eq!(enrolment.session(&id(1), NOW), Err(NoSession::TooManyWrongCodes));
        assert!(enrolment.session(&id(2), NOW).is_ok());
        assert_eq!(enrolment.version, 13);
    }
}
