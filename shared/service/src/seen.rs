//! What a caller has seen of the thing that they change (`If-Match`).

/// Which version of a thing is to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The caller says nothing of it.
    Unsaid,
    /// Whatever is there; something must be.
    Any,
    /// This one.
    Version(u64),
}

/// Why a thing is not made or replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clash {
    /// It is there, and the caller does not say which version of it is to be replaced.
    Unseen,
    /// It is not in the version that the caller has seen, or not there any more.
    Changed,
}

/// Tells of a clash in a use case's own words.
macro_rules! told_as {
    ($error:ident) => {
        impl From<$crate::seen::Clash> for $error {
            fn from(clash: $crate::seen::Clash) -> Self {
                match clash {
                    $crate::seen::Clash::Unseen => Self::Unseen,
                    $crate::seen::Clash::Changed => Self::Changed,
                }
            }
        }
    };
}

pub(crate) use told_as;

impl Seen {
    /// Whether the caller may make what is not there, or replace what is there in version `current`.
    ///
    /// # Errors
    /// When they have not seen it, or not as it is.
    pub fn admits(self, current: Option<u64>) -> Result<(), Clash> {
        match (current, self) {
            (None, Self::Unsaid) => Ok(()),
            (Some(_), Self::Unsaid) => Err(Clash::Unseen),
            (Some(version), seen) if !seen.differs(version) => Ok(()),
            _ => Err(Clash::Changed),
        }
    }

    /// Whether it says another version than `version`.
    #[must_use]
    pub fn differs(self, version: u64) -> bool {
        matches!(self, Self::Version(seen) if seen != version)
    }
}
