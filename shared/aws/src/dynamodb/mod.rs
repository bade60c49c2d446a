//! State in two DynamoDB tables.
//!
//! `core` keeps what must last, `flow` what passes (links, messages; with TTL). Keys:
//!
//! | table | PK | SK | row |
//! |---|---|---|---|
//! | core | `TENANTS` | tenant | the list of tenants |
//! | core | `T#<t>` | `META` | a tenant and its wrapped data key |
//! | core | `T#<t>` | `KEY#<id>` | an API key |
//! | core | `T#<t>#U#<u>` | `U` | a user |
//! | core | `T#<t>#U#<u>` | `A` | the user's auth row; a decoy's has `decoy` and a TTL |
//! | core | `T#<t>#U#<u>` | `A#T#<serial>` | a token |
//! | core | `T#<t>#U#<u>` | `R#T#<serial>` | a revoked token |
//! | core | `T#<t>#SER#<serial>` | `S` | whose token that is, and where its row stands |
//! | core | `T#<t>#SER#<serial>` | `A` | a decoy: the failures of a serial that is no token's; with TTL |
//! | core | `T#<t>#AUD#<day>` | audit id | an audit entry |
//! | flow | `L#<link hash>` | `L` | an enrolment |
//! | flow | `T#<t>#I#<digest>` | `I` | the answer to a request, for its repetitions |
//! | flow | `N#<device>#<nonce>` | `N` | a signature's nonce |
//! | flow | `T#<t>#M#<id>` | `M` | a message; in index `messages-by-user`, and in `open-messages` while it is open |
//!
//! The auth row and the tokens share a partition and the prefix `A`, so that one strongly consistent Query reads all
//! that decides a verification; accepting or refusing is one conditional `UpdateItem` of the auth row.

mod answers;
mod auth;
mod enrolments;
mod keys;
mod messages;
mod rows;
mod tenants;
mod tokens;
mod transaction;
mod users;

use std::collections::HashMap;
use std::fmt::Display;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use otpost_service::ports::{Page, PageRequest, PortResult};
use serde::de::DeserializeOwned;

use crate::fault::{corrupt, not_given, sorted};
pub(crate) use rows::TenantKeys;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The index of a user's messages in time order.
const MESSAGES_BY_USER: &str = "messages-by-user";
/// The sparse index of open messages in 16 shards, ordered by when they are due.
const OPEN_MESSAGES: &str = "open-messages";

/// The stores on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoStore {
    client: Client,
    core: Option<String>,
    flow: Option<String>,
}

impl DynamoStore {
    pub(crate) fn new(config: &SdkConfig, core: Option<String>, flow: Option<String>) -> Self {
        Self { client: Client::new(config), core, flow }
    }

    fn core(&self) -> PortResult<&str> {
        self.core.as_deref().ok_or_else(|| not_given("core table"))
    }

    fn flow(&self) -> PortResult<&str> {
        self.flow.as_deref().ok_or_else(|| not_given("flow table"))
    }

    /// One row, strongly consistent.
    async fn get<R: DeserializeOwned>(&self, table: &str, pk: String, sk: &str) -> PortResult<Option<R>> {
        let found = self
            .client
            .get_item()
            .table_name(table)
            .key("PK", text(pk))
            .key("SK", text(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| sorted("GetItem", &error))?;
        found.item.map(row).transpose()
    }

    /// A page of the rows of one partition whose sort key begins with `prefix`, in that key's order. The cursor is
    /// the sort key without the prefix.
    async fn page<R: DeserializeOwned>(
        &self,
        pk: String,
        prefix: &str,
        request: &PageRequest,
    ) -> PortResult<Page<R>> {
        let start = request.after.as_ref().map(|after| {
            HashMap::from([
                ("PK".to_owned(), text(pk.clone())),
                ("SK".to_owned(), text(format!("{prefix}{after}"))),
            ])
        });
        let mut values = HashMap::from([(":pk".to_owned(), text(pk))]);
        let condition = if prefix.is_empty() {
            "PK = :pk"
        } else {
            values.insert(":prefix".to_owned(), text(prefix));
            "PK = :pk AND begins_with(SK, :prefix)"
        };
        let found = self
            .client
            .query()
            .table_name(self.core()?)
            .key_condition_expression(condition)
            .set_expression_attribute_values(Some(values))
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .limit(one_more_than(request.limit))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let mut items = found.items.unwrap_or_default();
        let next = cut(&mut items, request.limit)
            .and_then(|last| last.get("SK").and_then(|sk| sk.as_s().ok()).cloned())
            .map(|sk| sk.strip_prefix(prefix).unwrap_or(&sk).to_owned());
        Ok(Page { items: items.into_iter().map(row).collect::<PortResult<_>>()?, next })
    }
}

/// Cuts a list that was asked for one item more than wanted; gives the last item when there is more behind it.
fn cut(items: &mut Vec<Item>, limit: usize) -> Option<&Item> {
    if items.len() > limit {
        items.truncate(limit);
        items.last()
    } else {
        None
    }
}

fn one_more_than(limit: usize) -> i32 {
    i32::try_from(limit.saturating_add(1)).unwrap_or(i32::MAX)
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Display + Copy) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn row<R: DeserializeOwned>(item: Item) -> PortResult<R> {
    serde_dynamo::from_item(item).map_err(|error| corrupt(format!("a row does not read: {error}")))
}
