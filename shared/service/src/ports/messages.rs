//! Messages on their way: the outbox, and the queues.

use std::future::Future;
use std::time::Duration;

use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{Message, Sender};
use otpost_domain::time::Timestamp;

use super::{Journal, Page, PageRequest, PortResult, Write};

/// The two ids of a message: all that ever lies in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRef {
    /// Its tenant.
    pub tenant: TenantId,
    /// Its id.
    pub id: MessageId,
}

impl From<&Message> for MessageRef {
    fn from(message: &Message) -> Self {
        Self { tenant: message.tenant.clone(), id: message.id.clone() }
    }
}

/// An open message whose time to be looked after has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The message.
    pub message: MessageRef,
    /// Since when it is due.
    pub at: Timestamp,
}

/// The outbox: messages that wait for their delivery, and the log of those that had it.
///
/// A message is written with the change that it tells of (see [`TokenStore::push`](super::TokenStore::push));
/// whatever becomes of the queues, [`MessageStore::due`] finds it until it is closed.
pub trait MessageStore: Send + Sync {
    /// One message.
    fn message(&self, message: &MessageRef) -> impl Future<Output = PortResult<Option<Message>>> + Send;
    /// A user's messages, newest first.
    fn messages_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Message>>> + Send;
    /// Writes a new message that no change of something else tells of.
    fn add_message(
        &self,
        message: &Message,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Claims hop `number` as [`Message::claimed`] says, in one request; `None` when it is not there to be claimed. The
    /// same claim by the same `claimant` may come twice, when the answer to the first was lost: it has the hop.
    fn claim(
        &self,
        message: &MessageRef,
        number: u16,
        claimant: &str,
        now: Timestamp,
    ) -> impl Future<Output = PortResult<Option<Message>>> + Send;
    /// Replaces the version before `message.version`.
    fn save_message(&self, message: &Message) -> impl Future<Output = PortResult<Write>> + Send;
    /// Open messages of a shard whose time to be looked after has come, at most `limit`, longest due first, behind
    /// `after`.
    fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
        after: Option<&Due>,
    ) -> impl Future<Output = PortResult<Vec<Due>>> + Send;
    /// Takes a message whose record cannot be read out of [`MessageStore::due`].
    fn put_aside(&self, message: &MessageRef) -> impl Future<Output = PortResult<()>> + Send;
}

/// The way to `deliver` and the senders. At least once, in no order; ids only.
pub trait DeliveryQueue: Send + Sync {
    /// Asks `deliver` to look after a message.
    fn deliver(&self, message: &MessageRef) -> impl Future<Output = PortResult<()>> + Send;
    /// The same for many, in as few requests as possible; an error when not all were taken.
    fn deliver_all(&self, messages: &[MessageRef]) -> impl Future<Output = PortResult<()>> + Send;
    /// Asks a sender to take a hop, after `delay` (at most 15 minutes).
    fn hand(
        &self,
        sender: Sender,
        message: &MessageRef,
        hop: u16,
        delay: Duration,
    ) -> impl Future<Output = PortResult<()>> + Send;
}
