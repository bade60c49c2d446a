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

impl Seen {
    /// Whether it says another version than `version`.
    #[must_use]
    pub fn differs(self, version: u64) -> bool {
        matches!(self, Self::Version(seen) if seen != version)
    }
}
