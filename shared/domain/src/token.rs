//! A token's life.
//!
//! ```text
//! assigned --push--> enrolling --first code--> active <--> suspended
//!     |                |  ^ push again            |             |
//!     +----------------+--+------- revoke --------+-------------+--> revoked
//! ```
//! A transition consumes the token and gives the next one back, or says why it cannot.

use std::fmt;

use crate::device::Device;
use crate::ids::{BearerHash, Serial, TenantId, UserId};
use crate::otp::OtpParameters;
use crate::time::Timestamp;

/// A seed as it lies in storage: sealed, see [`crate::sealing`].
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSeed(pub Vec<u8>);

impl fmt::Debug for SealedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSeed({} bytes)", self.0.len())
    }
}

/// An OTP token of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The tenant it belongs to.
    pub tenant: TenantId,
    /// Its user.
    pub user: UserId,
    /// Its serial number, unique in the tenant.
    pub serial: Serial,
    /// How its codes are made.
    pub parameters: OtpParameters,
    /// Where in its life it is.
    pub state: TokenState,
    /// The device that holds it, once its first code has proved it.
    pub device: Option<Device>,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
    /// When it was provisioned.
    pub created_at: Timestamp,
}

/// Where in its life a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// Provisioned for a user who has not been told yet.
    Assigned,
    /// A link to enrol is on its way or in the user's hands.
    Enrolling {
        /// The link that is good now; an older one is superseded.
        link: BearerHash,
        /// When the link was made.
        since: Timestamp,
    },
    /// Its codes are accepted.
    Active {
        /// The seed that the user's app holds too.
        seed: SealedSeed,
        /// When its first code proved it.
        since: Timestamp,
    },
    /// An operator has stopped it; its codes are refused until it is resumed.
    Suspended {
        /// The seed, kept for the resumption.
        seed: SealedSeed,
        /// When its first code proved it.
        activated_at: Timestamp,
        /// When it was stopped.
        since: Timestamp,
    },
    /// Over. Its seed is gone.
    Revoked {
        /// When it was revoked.
        at: Timestamp,
    },
}

impl TokenState {
    /// The state's name in answers and rows.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Enrolling { .. } => "enrolling",
            Self::Active { .. } => "active",
            Self::Suspended { .. } => "suspended",
            Self::Revoked { .. } => "revoked",
        }
    }
}

/// The token's state does not allow what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token that is {state} cannot be {action}")]
pub struct IllegalTransition {
    /// The state's name.
    pub state: &'static str,
    /// What was asked, as a participle.
    pub action: &'static str,
}

impl Token {
    /// A new token for `user`, not yet pushed.
    #[must_use]
    pub fn assigned(
        tenant: TenantId,
        user: UserId,
        serial: Serial,
        parameters: OtpParameters,
        now: Timestamp,
    ) -> Self {
        Self {
            tenant,
            user,
            serial,
            parameters,
            state: TokenState::Assigned,
            device: None,
            version: 1,
            created_at: now,
        }
    }

    /// Sends a link out (again). The link that was good until now is [`Token::link`] before this call.
    ///
    /// # Errors
    /// When the token is past its enrolment.
    pub fn pushed(self, link: BearerHash, now: Timestamp) -> Result<Self, IllegalTransition> {
        match self.state {
            TokenState::Assigned | TokenState::Enrolling { .. } => {
                Ok(self.becomes(TokenState::Enrolling { link, since: now }))
            }
            _ => Err(self.refuses("pushed")),
        }
    }

    /// The first code was right: the session's seed becomes the token's.
    ///
    /// # Errors
    /// When no enrolment is open, or `link` is not the one that is good now.
    pub fn activated(
        self,
        link: &BearerHash,
        seed: SealedSeed,
        device: Device,
        now: Timestamp,
    ) -> Result<Self, IllegalTransition> {
        match &self.state {
            TokenState::Enrolling { link: current, .. } if current == link => {
                let active = self.becomes(TokenState::Active { seed, since: now });
                Ok(Self { device: Some(device), ..active })
            }
            _ => Err(self.refuses("activated")),
        }
    }

    /// Stops an active token.
    ///
    /// # Errors
    /// When it is not active.
    pub fn suspended(mut self, now: Timestamp) -> Result<Self, IllegalTransition> {
        match std::mem::replace(&mut self.state, TokenState::Assigned) {
            TokenState::Active { seed, since: activated_at } => {
                Ok(self.becomes(TokenState::Suspended { seed, activated_at, since: now }))
            }
            other => Err(Self { state: other, ..self }.refuses("suspended")),
        }
    }

    /// Lets a suspended token go on.
    ///
    /// # Errors
    /// When it is not suspended.
    pub fn resumed(mut self) -> Result<Self, IllegalTransition> {
        match std::mem::replace(&mut self.state, TokenState::Assigned) {
            TokenState::Suspended { seed, activated_at, .. } => {
                Ok(self.becomes(TokenState::Active { seed, since: activated_at }))
            }
            other => Err(Self { state: other, ..self }.refuses("resumed")),
        }
    }

    /// Ends the token and drops its seed.
    ///
    /// # Errors
    /// When it was revoked before.
    pub fn revoked(self, now: Timestamp) -> Result<Self, IllegalTransition> {
        match self.state {
            TokenState::Revoked { .. } => Err(self.refuses("revoked")),
            _ => Ok(self.becomes(TokenState::Revoked { at: now })),
        }
    }

    /// The device says something new of itself.
    ///
    /// # Errors
    /// When no device holds the token now.
    pub fn device_says(self, device: Device) -> Result<Self, IllegalTransition> {
        match self.state {
            TokenState::Active { .. } | TokenState::Suspended { .. } => {
                Ok(Self { device: Some(device), version: self.version + 1, ..self })
            }
            _ => Err(self.refuses("described")),
        }
    }

    /// The hash of the enrolment link that is good now.
    #[must_use]
    pub const fn link(&self) -> Option<&BearerHash> {
        match &self.state {
            TokenState::Enrolling { link, .. } => Some(link),
            _ => None,
        }
    }

    /// The sealed seed of a token whose codes are accepted.
    #[must_use]
    pub const fn live_seed(&self) -> Option<&SealedSeed> {
        match &self.state {
            TokenState::Active { seed, .. } => Some(seed),
            _ => None,
        }
    }

    fn becomes(self, state: TokenState) -> Self {
        Self { state, version: self.version + 1, ..self }
    }

    const fn refuses(&self, action: &'static str) -> IllegalTransition {
        IllegalTransition { state: self.state.as_str(), action }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn token() -> Token {
        Token::assigned(
            TenantId::try_from("acme").unwrap(),
            UserId::try_from("jane").unwrap(),
            Serial::new([1; 8]),
            OtpParameters::default(),
            NOW,
        )
    }

    fn link(name: &str) -> BearerHash {
        BearerHash::stored(name)
    }

    fn seed() -> SealedSeed {
        SealedSeed(vec![1, 2, 3])
    }

    fn active() -> Token {
        token()
            .pushed(link("a"), NOW)
            .unwrap()
            .activated(&link("a"), seed(), Device::browser(NOW), NOW)
            .unwrap()
    }

    #[test]
    fn the_whole_life() {
        let token = active();
        assert_eq!(token.live_seed(), Some(&seed()));
        assert_eq!(token.version, 3);
        let token = token.suspended(NOW).unwrap();
        assert_eq!(token.live_seed(), None);
        let token = token.resumed().unwrap();
        assert_eq!(token.live_seed(), Some(&seed()));
        let token = token.revoked(NOW).unwrap();
        assert_eq!(token.state, TokenState::Revoked { at: NOW });
    }

    #[test]
    fn pushing_again_supersedes_the_link() {
        let token = token().pushed(link("a"), NOW).unwrap().pushed(link("b"), NOW).unwrap();
        assert_eq!(token.link(), Some(&link("b")));
        assert!(token.clone().activated(&link("a"), seed(), Device::browser(NOW), NOW).is_err());
        assert!(token.activated(&link("b"), seed(), Device::browser(NOW), NOW).is_ok());
    }

    #[test]
    fn every_other_transition_is_refused() {
        let refused = [
            token().activated(&link("a"), seed(), Device::browser(NOW), NOW).unwrap_err(),
            token().suspended(NOW).unwrap_err(),
            token().resumed().unwrap_err(),
            active().pushed(link("b"), NOW).unwrap_err(),
            active().activated(&link("a"), seed(), Device::browser(NOW), NOW).unwrap_err(),
            active().resumed().unwrap_err(),
            active().suspended(NOW).unwrap().pushed(link("b"), NOW).unwrap_err(),
            active().suspended(NOW).unwrap().suspended(NOW).unwrap_err(),
            active().revoked(NOW).unwrap().revoked(NOW).unwrap_err(),
            active().revoked(NOW).unwrap().pushed(link("b"), NOW).unwrap_err(),
            active().revoked(NOW).unwrap().resumed().unwrap_err(),
        ];
        assert_eq!(refused[3].to_string(), "a token that is active cannot be pushed");
        assert!(refused.iter().all(|fault| !fault.state.is_empty()));
    }
}
