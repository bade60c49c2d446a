//! What a provider tells of a message after it has taken it.

use super::{Hop, Message, MessageStatus};
use crate::named::named;
use crate::time::Timestamp;

named! {
    /// What became of a message that a provider took. A higher one in [`Verdict::rank`] replaces a lower one.
    pub enum Verdict {
        /// It has not arrived yet; the provider goes on trying.
        Delayed = "delayed",
        /// It did not arrive.
        Undelivered = "undelivered",
        /// It arrived.
        Delivered = "delivered",
    }
}

impl Verdict {
    /// Its place: receipts come twice, late and in any order, and only a higher one counts.
    #[must_use]
    pub const fn rank(self) -> u8 {
        match self {
            Self::Delayed => 25,
            Self::Undelivered => MessageStatus::Undelivered.rank(),
            Self::Delivered => MessageStatus::Delivered.rank(),
        }
    }
}

/// What a provider told of one hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in words of ours and codes of the provider's; empty where it arrived. No address, no text.
    pub why: String,
    /// When we heard of it.
    pub at: Timestamp,
}

impl Message {
    /// Whether there was a hop of this number, be it one that the record does not keep any more.
    #[must_use]
    pub fn has_had(&self, number: u16) -> bool {
        number > 0 && self.hops.last().is_some_and(|last| number <= last.number)
    }

    /// Takes what a provider tells of hop `number`; `None` when as much was known before, or there is no such hop. Of a
    /// hop that the record does not keep any more, only that the message has arrived is kept.
    ///
    /// What has arrived is closed. What has not arrived changes the hop alone: `deliver` decides what follows.
    #[must_use]
    pub fn heard(mut self, number: u16, news: &News) -> Option<Self> {
        if let Some(hop) = self.hops.iter_mut().find(|hop| hop.number == number) {
            if hop.news.as_ref().is_some_and(|known| known.verdict.rank() >= news.verdict.rank()) {
                return None;
            }
            hop.news = Some(news.clone());
        } else if !self.has_had(number) || self.status == MessageStatus::Delivered {
            return None;
        }
        if news.verdict == Verdict::Delivered {
            self.status = MessageStatus::Delivered;
            self.reason = None;
            self.content = None;
            self.due_at = None;
        }
        self.version += 1;
        Some(self.settled())
    }

    /// With the status that follows from what is known of its hops: what providers tell of a closed message is written
    /// beside its status.
    #[must_use]
    pub fn settled(mut self) -> Self {
        let settles = !self.is_open() && self.status.rank() <= MessageStatus::Undelivered.rank();
        if settles && !self.is_taken() {
            let refuted = self.hops.iter().rev().find(|hop| hop.is_refuted());
            if let Some(news) = refuted.and_then(|hop| hop.news.as_ref()) {
                self.reason = Some(self.as_far_as_known(news.why.clone()));
                self.status = MessageStatus::Undelivered;
            }
        }
        self
    }

    /// Whether a provider has taken it and told nothing bad of it since.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        let taken = |hop: &Hop| hop.is_accepted() || hop.news.is_some();
        self.hops.iter().any(|hop| taken(hop) && !hop.is_refuted())
    }
}
