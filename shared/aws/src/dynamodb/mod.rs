//! State in two DynamoDB tables.
//!
//! `core` keeps what must last, `flow` what passes (links, messages; with TTL). Keys:
//!
//! | table | PK | SK | row |
//! |---|---|---|---|
//! | core | `TENANTS` | tenant | the list of tenants; what is left of a deleted one, with a TTL once it is erased |
//! | core | `DIRECTORIES` | directory | a directory that tells of a tenant's users |
//! | core | `T#<t>` | `META` | a tenant and its wrapped data key |
//! | core | `T#<t>` | `KEY#<id>` | an API key |
//! | core | `T#<t>` | `POL#<id>` | a policy |
//! | core | `T#<t>` | `TPL#<name>` | the head of a template: what it takes to choose one |
//! | core | `T#<t>#TPL#<name>` | `V#<version>` | a version of a template, with its texts |
//! | core | `T#<t>` | `BRAND` | what the tenant's mails look like |
//! | core | `T#<t>` or `PLATFORM` | `GW` | how often the owner's gateways were changed |
//! | core | `T#<t>` or `PLATFORM` | `GW#<id>` | a gateway, and where its credentials lie |
//! | core | `T#<t>` or `PLATFORM` | `SEC#<gateway>/<random>` | a secret of a gateway that is there, or may be |
//! | core | `T#<t>#U#<u>` | `U` | a user; in index `users-by-tenant` |
//! | core | `T#<t>#U#<u>` | `A` | the user's auth row; a decoy's has `decoy` and a TTL |
//! | core | `T#<t>#U#<u>` | `A#T#<serial>` | a token |
//! | core | `T#<t>#U#<u>` | `R#T#<serial>` | a revoked token |
//! | core | `T#<t>` | `MASS` | how many users change by themselves |
//! | core | `T#<t>#X#<hash>` | `X` | what a directory has told of a person |
//! | core | `T#<t>#SER#<serial>` | `S` | whose token that is, and where its row stands |
//! | core | `T#<t>#SER#<serial>` | `A` | a decoy: the failures of a serial that is no token's; with TTL |
//! | core | `T#<t>#AUD#<day>`, `PLATFORM#AUD#<day>` | audit id | an audit entry |
//! | flow | `L#<link hash>` | `L` | an enrolment |
//! | flow | `T#<t>#U#<u>`, `T#<t>#CT#<hash>` | `C#<purpose>#<class>` | a challenge of a user, or of a bare address |
//! | flow | `T#<t>#I#<digest>` | `I` | the answer to a request, for its repetitions |
//! | flow | `N#<device>#<nonce>` | `N` | a signature's nonce |
//! | flow | `T#<t>#J#<id>` | `J` | a job; in index `messages-by-user` under its tenant, and in `open-messages` until it is done |
//! | flow | `T#<t>#M#<id>` | `M` | a message; in the indexes `messages-by-user` and `messages-by-tenant`, and in `open-messages` while it is open |
//!
//! The auth row and the tokens share a partition and the prefix `A`, so that one strongly consistent Query reads all
//! that decides a verification; accepting or refusing is one conditional `UpdateItem` of the auth row.
//!
//! The erasure of a tenant finds its rows by their partition key, `T#<t>` or what begins with `T#<t>#`, or by their
//! attribute `tenant`. A new kind of row must have one or the other, or be nobody's, such as a nonce.

mod answers;
mod auth;
mod challenges;
mod directories;
mod enrolments;
mod erasure;
mod gateways;
mod helpdesk;
mod jobs;
mod keys;
mod messages;
mod policies;
mod rows;
mod templates;
mod tenants;
mod tokens;
mod transaction;
mod users;

use std::collections::HashMap;
use std::fmt::Display;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use otpost_service::ports::{Fault, Page, PageRequest, PortError, PortResult, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::transaction::{Condition, item, past_transactions};
use crate::fault::{corrupt, not_given, sorted};
pub(crate) use rows::TenantKeys;

pub(crate) type Item = HashMap<String, AttributeValue>;

/// The index of a user's messages in time order, and its partition key.
const MESSAGES_BY_USER: (&str, &str) = ("messages-by-user", "user_key");
/// The index of a tenant's messages in time order, day by day, and its partition key.
const MESSAGES_BY_TENANT: (&str, &str) = ("messages-by-tenant", "day_key");
/// The sparse index of open messages in 16 shards, ordered by when they are due.
const OPEN_MESSAGES: &str = "open-messages";

/// The index of a tenant's users by id.
const USERS_BY_TENANT: &str = "users-by-tenant";
/// How often a batch is asked for what it has left out.
const ROUNDS: usize = 4;

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
        self.page_in(Order::Forward, pk, prefix, request).await
    }

    async fn page_in<R: DeserializeOwned>(
        &self,
        order: Order,
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
            .scan_index_forward(order == Order::Forward)
            .set_exclusive_start_key(start)
            .consistent_read(true)
            .limit(one_more_than(request.limit))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let mut items = found.items.unwrap_or_default();
        let next = cut(&mut items, request.limit, found.last_evaluated_key.is_some())
            .and_then(|last| last.get("SK").and_then(|sk| sk.as_s().ok()).cloned())
            .map(|sk| sk.strip_prefix(prefix).unwrap_or(&sk).to_owned());
        Ok(Page { items: items.into_iter().map(row).collect::<PortResult<_>>()?, next })
    }
}

impl DynamoStore {
    /// At most 100 rows of one table as they are now, in any order; in one request, unless DynamoDB leaves some out.
    async fn items_now(&self, table: &str, wanted: Vec<Item>) -> PortResult<Vec<Item>> {
        let mut items = Vec::new();
        let mut wanted = wanted;
        for _ in 0..ROUNDS {
            if wanted.is_empty() {
                return Ok(items);
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true);
            let keys = keys.build().map_err(corrupt)?;
            let sent = self.client.batch_get_item().request_items(table, keys).send().await;
            let got = sent.map_err(|error| sorted("BatchGetItem", &error))?;
            items.extend(got.responses.into_iter().flat_map(HashMap::into_values).flatten());
            let rest = got.unprocessed_keys.unwrap_or_default().remove(table);
            wanted = rest.map(|keys| keys.keys).unwrap_or_default();
        }
        Err(PortError::new(Fault::Throttled, "BatchGetItem leaves keys unprocessed"))
    }

    /// At most 100 rows of one table, in the order given; one that is gone is left out.
    async fn rows<R: DeserializeOwned>(&self, table: &str, wanted: Vec<Item>) -> PortResult<Vec<R>> {
        let order: Vec<String> =
            wanted.iter().filter_map(|key| string(key, "PK")).map(str::to_owned).collect();
        let mut rows: HashMap<String, R> = HashMap::new();
        let mut wanted = wanted;
        for _ in 0..ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).build().map_err(corrupt)?;
            let sent = self.client.batch_get_item().request_items(table, keys).send().await;
            let got = sent.map_err(|error| sorted("BatchGetItem", &error))?;
            for item in got.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                let pk = string(&item, "PK").unwrap_or_default().to_owned();
                rows.insert(pk, row(item)?);
            }
            let rest = got.unprocessed_keys.unwrap_or_default().remove(table);
            wanted = rest.map(|keys| keys.keys).unwrap_or_default();
        }
        if !wanted.is_empty() {
            return Err(PortError::new(Fault::Throttled, "BatchGetItem leaves keys unprocessed"));
        }
        Ok(order.iter().filter_map(|pk| rows.remove(pk)).collect())
    }

    /// A page of the ids that an index of table `flow` lists, the newest first, and the last of them when there are
    /// more. `start` is the place and the id of the one before.
    async fn listed_in_flow(
        &self,
        (index, attribute): (&str, &str),
        key: String,
        start: Option<(Item, String)>,
        limit: usize,
    ) -> PortResult<(Vec<String>, Option<String>)> {
        let start = start.map(|(mut place, id)| {
            place.insert(attribute.to_owned(), text(key.clone()));
            place.insert("id".to_owned(), text(id));
            place
        });
        let found = self
            .client
            .query()
            .table_name(self.flow()?)
            .index_name(index)
            .key_condition_expression("#of = :key")
            .expression_attribute_names("#of", attribute)
            .expression_attribute_values(":key", text(key))
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(one_more_than(limit))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let more = found.last_evaluated_key.is_some();
        let mut found = found.items.unwrap_or_default();
        let next = cut(&mut found, limit, more).and_then(|last| string(last, "id")).map(str::to_owned);
        Ok((found.iter().filter_map(|item| string(item, "id")).map(str::to_owned).collect(), next))
    }
}

impl DynamoStore {
    /// Writes one row under a condition.
    async fn put(&self, table: &str, row: &impl Serialize, condition: Condition<'_>) -> PortResult<Write> {
        let (expression, values) = condition;
        let put = self.client.put_item().table_name(table).set_item(Some(item(row)?));
        let put = put.condition_expression(expression);
        let put =
            values.into_iter().fold(put, |put, (name, value)| put.expression_attribute_values(name, value));
        written("PutItem", past_transactions(|| put.clone().send()).await)
    }
}

/// In which order of their sort keys rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Forward,
    Backward,
}

/// A page of rows as a page of values.
fn read<R, T: TryFrom<R, Error = PortError>>(page: Page<R>) -> PortResult<Page<T>> {
    let items = page.items.into_iter().map(T::try_from).collect::<PortResult<_>>()?;
    Ok(Page { items, next: page.next })
}

/// The code of a write whose condition did not hold.
const CONDITION_FAILED: &str = "ConditionalCheckFailedException";

/// What became of a conditional write.
fn written<T, E: ProvideErrorMetadata>(
    operation: &str,
    sent: Result<T, SdkError<E, HttpResponse>>,
) -> PortResult<Write> {
    match sent {
        Ok(_) => Ok(Write::Done),
        Err(error)
            if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(CONDITION_FAILED) =>
        {
            Ok(Write::Stale)
        }
        Err(error) => Err(sorted(operation, &error)),
    }
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Cuts a list that was asked for one item more than wanted; gives the last item when there is more behind it. There
/// may be `more` though fewer came: DynamoDB ends a page at 1 MB.
fn cut(items: &mut Vec<Item>, limit: usize, more: bool) -> Option<&Item> {
    let more = more || items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more)
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
