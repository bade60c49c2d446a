//! Messages as rows.

use std::collections::BTreeMap;

use otpost_domain::gateway::{Country, Owner};
use otpost_domain::ids::{GatewayId, MessageId, Serial, TenantId, UserId};
use otpost_domain::message::{
    Because, Channel, Ending, Fallback, GatewayName, Hop, HopState, Message, MessageStatus, News, Overtaken,
    RETENTION, SealedContent, Sender, Suppressed, Verdict, Via,
};
use otpost_domain::suppression::AddressKey;
use otpost_domain::template::TemplateKind;
use otpost_domain::time::{Day, Timestamp};
use otpost_service::ports::{MessageRef, PortError, PortResult};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{bad, keys, known};

/// A hop that waits for its sender.
pub(in crate::dynamodb) const HANDED: &str = "handed";
/// A hop that a sender has.
pub(in crate::dynamodb) const CLAIMED: &str = "claimed";
/// A hop that a provider took.
const ACCEPTED: &str = "accepted";

#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct MessageRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    /// Puts it into the list of its user's messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_key: Option<String>,
    /// Puts it into the list of its tenant's messages; those from before there was one lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day_key: Option<String>,
    id: String,
    tenant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    purpose: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    simulated: bool,
    channel: String,
    recipient: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallback: Option<FallbackItem>,
    /// The key of its mail address in the suppression list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// That this address was found there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    suppressed: Option<SuppressedItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<ByteBuf>,
    st: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What overtook it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<String>,
    /// The hops before the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    hops: Vec<HopItem>,
    /// The last hop, by itself: a claim changes it without reading the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hop: Option<HopItem>,
    /// What providers told of hops, by their numbers: a receipt changes it without reading the row, so it is always there.
    #[serde(default)]
    news: BTreeMap<String, NewsItem>,
    /// Present while the message is open: puts it into the sweep's index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_shard: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<u64>,
    created: u64,
    exp: u64,
    ttl: u64,
    ver: u64,
}

#[derive(Deserialize, Serialize)]
struct FallbackItem {
    channel: String,
    recipient: String,
}

#[derive(Deserialize, Serialize)]
struct SuppressedItem {
    since: u64,
    why: String,
}

/// What a provider told of a hop.
#[derive(Deserialize, Serialize)]
pub(in crate::dynamodb) struct NewsItem {
    verdict: String,
    /// The verdict's place: only a higher one replaces it.
    rank: u8,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    why: String,
    at: u64,
}

impl From<&News> for NewsItem {
    fn from(news: &News) -> Self {
        Self {
            verdict: news.verdict.as_str().to_owned(),
            rank: news.verdict.rank(),
            why: news.why.clone(),
            at: news.at.millis(),
        }
    }
}

impl TryFrom<NewsItem> for News {
    type Error = PortError;

    fn try_from(item: NewsItem) -> PortResult<Self> {
        let verdict = known("verdict", Verdict::parse(&item.verdict))?;
        Ok(Self { verdict, why: item.why, at: Timestamp::from_millis(item.at) })
    }
}

#[derive(Deserialize, Serialize)]
struct HopItem {
    no: u16,
    channel: String,
    because: String,
    /// Gateways that were passed over for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passed: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    probe: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    then: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    tells: bool,
    /// The gateway's id; none for the deployment's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    /// Whose the gateway is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Its version when it was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<u64>,
    sender: String,
    handed: u64,
    st: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    said: Vec<String>,
}

impl From<&Message> for MessageRow {
    fn from(message: &Message) -> Self {
        let due_at = message.due_at.map(Timestamp::millis);
        let (last, before) = match message.hops.split_last() {
            Some((last, before)) => (Some(last), before),
            None => (None, &[][..]),
        };
        Self {
            pk: keys::message(&MessageRef::from(message)),
            sk: keys::MESSAGE.to_owned(),
            user_key: message.user.as_ref().map(|user| keys::user(&message.tenant, user)),
            day_key: Some(keys::day(&message.tenant, Day::of(message.created_at))),
            id: message.id.to_string(),
            tenant: message.tenant.to_string(),
            user: message.user.as_ref().map(UserId::to_string),
            serial: message.serial.as_ref().map(Serial::to_string),
            purpose: message.purpose.as_str().to_owned(),
            test: message.test,
            simulated: message.simulated,
            channel: message.channel.as_str().to_owned(),
            recipient: message.recipient.clone(),
            country: message.country.map(|country| country.as_str().to_owned()),
            fallback: message.fallback.as_ref().map(|fallback| FallbackItem {
                channel: fallback.channel.as_str().to_owned(),
                recipient: fallback.recipient.clone(),
            }),
            address: message.address.as_ref().map(|address| address.as_str().to_owned()),
            suppressed: message.suppressed.as_ref().map(|suppressed| SuppressedItem {
                since: suppressed.since.millis(),
                why: suppressed.why.clone(),
            }),
            content: message.content.as_ref().map(|content| ByteBuf::from(content.0.clone())),
            st: message.status.as_str().to_owned(),
            reason: message.reason.clone(),
            over: message.overtaken.map(|overtaken| overtaken.as_str().to_owned()),
            hops: before.iter().map(HopItem::from).collect(),
            hop: last.map(HopItem::from),
            news: message
                .hops
                .iter()
                .filter_map(|hop| Some((hop.number.to_string(), NewsItem::from(hop.news.as_ref()?))))
                .collect(),
            open_shard: due_at.map(|_| keys::shard(message.id.shard())),
            due_at,
            created: message.created_at.millis(),
            exp: message.expires_at.millis(),
            ttl: message.created_at.plus(RETENTION).seconds(),
            ver: message.version,
        }
    }
}

impl From<&Hop> for HopItem {
    fn from(hop: &Hop) -> Self {
        let named = hop.via.gateway.as_ref();
        let mut item = Self {
            no: hop.number,
            channel: hop.channel.as_str().to_owned(),
            because: hop.because.as_str().to_owned(),
            passed: hop.passed.clone(),
            probe: hop.probe.map(Timestamp::millis),
            limit: hop.limit.map(Timestamp::millis),
            then: hop.then.map(|channel| channel.as_str().to_owned()),
            tells: hop.tells,
            gateway: named.map(|named| named.id.to_string()),
            owner: named.map(|named| named.owner.as_str().to_owned()),
            seen: named.map(|named| named.version),
            sender: hop.via.sender.as_str().to_owned(),
            handed: hop.handed_at.millis(),
            st: hop.state.as_str().to_owned(),
            until: None,
            provider_id: None,
            reason: None,
            at: None,
            said: hop.said.clone(),
        };
        match &hop.state {
            HopState::Handed => {}
            HopState::Claimed { until } => item.until = Some(until.millis()),
            HopState::Accepted { provider_id, at } => {
                item.provider_id = Some(provider_id.clone());
                item.at = Some(at.millis());
            }
            HopState::Ended { reason, at, .. } => {
                item.reason = Some(reason.clone());
                item.at = Some(at.millis());
            }
        }
        item
    }
}

impl TryFrom<HopItem> for Hop {
    type Error = PortError;

    fn try_from(item: HopItem) -> PortResult<Self> {
        let at = item.at.map(Timestamp::from_millis);
        let state = match item.st.as_str() {
            HANDED => HopState::Handed,
            CLAIMED => HopState::Claimed { until: Timestamp::from_millis(known("lease", item.until)?) },
            ACCEPTED => HopState::Accepted {
                provider_id: known("provider id", item.provider_id)?,
                at: known("time", at)?,
            },
            other => HopState::Ended {
                ending: known("hop state", Ending::parse(other))?,
                reason: known("reason", item.reason)?,
                at: known("time", at)?,
            },
        };
        let gateway = match item.gateway {
            None => None,
            Some(id) => Some(GatewayName {
                owner: Owner::stored(&known("owner", item.owner)?).map_err(bad("owner"))?,
                id: GatewayId::try_from(id.as_str()).map_err(bad("gateway"))?,
                version: known("version", item.seen)?,
            }),
        };
        Ok(Self {
            number: item.no,
            via: Via { gateway, sender: known("sender", Sender::parse(&item.sender))? },
            channel: known("channel", Channel::parse(&item.channel))?,
            because: known("reason of a hop", Because::parse(&item.because))?,
            passed: item.passed,
            probe: item.probe.map(Timestamp::from_millis),
            limit: item.limit.map(Timestamp::from_millis),
            then: item.then.map(|channel| known("channel", Channel::parse(&channel))).transpose()?,
            tells: item.tells,
            handed_at: Timestamp::from_millis(item.handed),
            state,
            said: item.said,
            news: None,
        })
    }
}

impl TryFrom<MessageRow> for Message {
    type Error = PortError;

    fn try_from(row: MessageRow) -> PortResult<Self> {
        let mut news = row.news;
        let hops = row.hops.into_iter().chain(row.hop).map(|item| {
            let told = news.remove(&item.no.to_string()).map(News::try_from).transpose()?;
            Ok(Hop { news: told, ..Hop::try_from(item)? })
        });
        let hops = hops.collect::<PortResult<_>>()?;
        let fallback = row.fallback.map(|item| {
            let channel = known("channel", Channel::parse(&item.channel))?;
            Ok(Fallback { channel, recipient: item.recipient })
        });
        let suppressed = row
            .suppressed
            .map(|item| Suppressed { since: Timestamp::from_millis(item.since), why: item.why });
        let overtaken = row.over.map(|over| known("what overtook it", Overtaken::parse(&over)));
        let address = row.address.map(|key| known("address", AddressKey::parse(&key)));
        let message = Self {
            id: MessageId::try_from(row.id.as_str()).map_err(bad("message"))?,
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            user: row.user.as_deref().map(UserId::try_from).transpose().map_err(bad("user"))?,
            serial: row.serial.as_deref().map(Serial::try_from).transpose().map_err(bad("serial"))?,
            purpose: known("purpose", TemplateKind::parse(&row.purpose))?,
            test: row.test,
            simulated: row.simulated,
            channel: known("channel", Channel::parse(&row.channel))?,
            recipient: row.recipient,
            country: row.country.as_deref().map(Country::try_from).transpose().map_err(bad("country"))?,
            fallback: fallback.transpose()?,
            address: address.transpose()?,
            suppressed,
            content: row.content.map(|content| SealedContent(content.into_vec())),
            created_at: Timestamp::from_millis(row.created),
            expires_at: Timestamp::from_millis(row.exp),
            status: known("status", MessageStatus::parse(&row.st))?,
            reason: row.reason,
            overtaken: overtaken.transpose()?,
            hops,
            due_at: row.due_at.map(Timestamp::from_millis),
            version: row.ver,
        };
        Ok(message.settled())
    }
}
