//! Messages on their way: the outbox, and the queues.

use std::future::Future;
use std::time::Duration;

use otpost_domain::circuit::{Health, HealthChange, HealthKey};
use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{Message, News, Overtaken, Sender, Verdict};
use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_domain::tenant::User;
use otpost_domain::time::{Day, Timestamp};
use otpost_domain::token::Token;

use super::{Journal, Page, PageRequest, PortResult, Write};

/// How long a function works by what it has read of gateways' health.
pub const HEALTH_LIFE: Duration = Duration::from_secs(3);

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

/// What decides whether a message is still wanted.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// Whether its tenant is there.
    pub tenant: bool,
    /// Its user.
    pub user: Option<User>,
    /// Its token, revoked or not.
    pub token: Option<Token>,
    /// Why its mail address is written to no more.
    pub suppressed: Option<Suppression>,
}

/// What became of a write of a message with what it shows of gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// All was written.
    Done,
    /// Nothing was: another version of the message is there.
    Stale,
    /// Nothing was: a gateway's health is not what it was thought to be.
    Outrun,
}

/// What became of what a provider told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was new: the message as it is now.
    New(Box<Message>),
    /// As much was known before: the message as it is.
    Known(Box<Message>),
    /// There is no such message, or it has no such hop.
    Nothing,
}

/// The outbox: messages that wait for their delivery, and the log of those that had it.
///
/// A message is written with the change that it tells of (see [`TokenStore::push`](super::TokenStore::push));
/// whatever becomes of the queues, [`MessageStore::due`] finds it until it is closed.
pub trait MessageStore: Send + Sync {
    /// One message.
    fn message(&self, message: &MessageRef) -> impl Future<Output = PortResult<Option<Message>>> + Send;
    /// A user's messages, newest first. The cursor is an id, which need not be that of a message that is there: those made
    /// before it follow.
    fn messages_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Message>>> + Send;
    /// A tenant's messages that were made on a day, newest first; users' and tests. The cursor is as that of
    /// [`Self::messages_of`].
    fn messages_on(
        &self,
        tenant: &TenantId,
        day: Day,
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
    /// What a message's fate depends on, all at one time, in one request.
    fn circumstances(&self, message: &Message) -> impl Future<Output = PortResult<Circumstances>> + Send;
    /// Replaces the version before `message.version`.
    fn save_message(&self, message: &Message) -> impl Future<Output = PortResult<Write>> + Send;
    /// Ends a message that no sender was handed yet, for this reason; stale when it is past that, or closed. One request,
    /// whatever it is.
    fn withdraw(
        &self,
        message: &MessageRef,
        overtaken: Overtaken,
    ) -> impl Future<Output = PortResult<Write>> + Send;
    /// Replaces the version before `message.version`, with changes of gateways' health as [`Health::changed`] says: all or
    /// nothing, in one request.
    fn save_message_and_health(
        &self,
        message: &Message,
        changes: &[HealthChange],
    ) -> impl Future<Output = PortResult<Saved>> + Send;
    /// Takes what a provider tells of hop `number` as [`Message::heard`] says, and puts an address on the suppression
    /// list with it: all or nothing, in one request.
    fn hear(
        &self,
        message: &MessageRef,
        number: u16,
        news: &News,
        suppression: Option<&Suppression>,
    ) -> impl Future<Output = PortResult<Heard>> + Send;
    /// Changes gateways' health as [`Health::changed`] says, all or nothing; stale when it is not what it was thought to be.
    fn change_health(&self, changes: &[HealthChange]) -> impl Future<Output = PortResult<Write>> + Send;
    /// The health of gateways, in this order, none for those that work; in one request.
    fn health_of(
        &self,
        gateways: &[HealthKey],
    ) -> impl Future<Output = PortResult<Vec<Option<Health>>>> + Send;
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

/// Mail addresses that are written to no more.
pub trait SuppressionStore: Send + Sync {
    /// Puts an address on its tenant's list; what stands there of it is replaced. Stale when the message is gone: its
    /// tenant may be erased, and nothing would take the address away again.
    fn suppress(&self, suppression: &Suppression) -> impl Future<Output = PortResult<Write>> + Send;
    /// A tenant's list, in the order of the keys.
    fn suppressions(
        &self,
        tenant: &TenantId,
        page: &PageRequest,
    ) -> impl Future<Output = PortResult<Page<Suppression>>> + Send;
    /// Takes an address off the list; stale when it is not on it.
    fn clear_suppression(
        &self,
        tenant: &TenantId,
        key: &AddressKey,
        journal: &Journal,
    ) -> impl Future<Output = PortResult<Write>> + Send;
}

/// A body that a queue has brought too often, or that does not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message that it names; none where it does not read.
    pub message: Option<MessageRef>,
    /// Among which dead letters it lies.
    pub source: usize,
    /// By what its queue knows it, for some time.
    pub handle: String,
}

/// What the queues of `deliver` and the senders have given up.
pub trait DeadLetters: Send + Sync {
    /// Some of the dead letters of a queue, 0 being the first; none of them when it has no more, `None` when there is no
    /// such queue. Nobody else is shown them for a while.
    fn letters(&self, source: usize) -> impl Future<Output = PortResult<Option<Vec<DeadLetter>>>> + Send;
    /// Takes letters of one queue away for good; an error when not all of them went.
    fn discard(&self, letters: &[DeadLetter]) -> impl Future<Output = PortResult<()>> + Send;
    /// Lets others see letters of one queue again.
    fn put_back(&self, letters: &[DeadLetter]) -> impl Future<Output = PortResult<()>> + Send;
}

/// The way to `deliver` and the senders. At least once, in no order; ids only.
pub trait DeliveryQueue: Send + Sync {
    /// Asks `deliver` to look after a message, after `delay` (at most 15 minutes).
    fn deliver(&self, message: &MessageRef, delay: Duration) -> impl Future<Output = PortResult<()>> + Send;
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
    /// Lets `receipts` hear what a simulated provider tells of a hop, after `delay` (at most 15 minutes).
    fn tell(
        &self,
        message: &MessageRef,
        hop: u16,
        verdict: Verdict,
        delay: Duration,
    ) -> impl Future<Output = PortResult<()>> + Send;
}
