//! Atomic writes, each with its audit entry.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem, Update};
use otpost_service::ports::{AnswerContent, Journal, KeptAnswer, PortError, PortResult, Write};
use serde::Serialize;

use super::rows::AuditRow;
use super::{DynamoStore, Item, keys, text};
use crate::fault::{corrupt, sorted};

/// How often a write is made that collides with a transaction on the same rows.
const CONFLICTS: u32 = 5;

/// Lets the other transaction finish: 10 ms after the first collision, doubling.
#[expect(
    clippy::disallowed_methods,
    reason = "milliseconds, inside the function's deadline; nothing else can wait here"
)]
pub(super) async fn pause_before(tries: u32) {
    tokio::time::sleep(std::time::Duration::from_millis(10 << tries.min(4))).await;
}

/// The code of a single write that has collided with a transaction on the same row. The SDK does not send it again.
const COLLIDED: &str = "TransactionConflictException";

/// Sends a single write, and again while a transaction is changing the same row: that is done in a moment.
pub(super) async fn past_transactions<T, E, F>(write: impl Fn() -> F) -> Result<T, SdkError<E, HttpResponse>>
where
    E: ProvideErrorMetadata,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    for tries in 1..CONFLICTS {
        match write().await {
            Err(error) if error.as_service_error().and_then(ProvideErrorMetadata::code) == Some(COLLIDED) => {
                pause_before(tries).await;
            }
            sent => return sent,
        }
    }
    write().await
}

/// A transaction in the making. Its parts are numbered in the order in which they are added.
#[derive(Debug, Default)]
pub(super) struct Transaction {
    items: Vec<TransactWriteItem>,
}

/// What became of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Committed {
    /// All of it was written.
    Done,
    /// Nothing was: the conditions of these parts did not hold.
    Refused(Vec<usize>),
}

impl From<Committed> for Write {
    fn from(committed: Committed) -> Self {
        match committed {
            Committed::Done => Self::Done,
            Committed::Refused(_) => Self::Stale,
        }
    }
}

/// A condition with its values, e.g. `("ver = :old", &[(":old", number(3))])`.
pub(super) type Condition<'a> = (&'a str, Vec<(&'a str, aws_sdk_dynamodb::types::AttributeValue)>);

/// The row must not be there.
pub(super) fn absent() -> Condition<'static> {
    ("attribute_not_exists(PK)", Vec::new())
}

/// The row must be there in the version before `version`.
pub(super) fn replaces(version: u64) -> Condition<'static> {
    ("ver = :old", vec![(":old", super::number(version.saturating_sub(1)))])
}

/// The row must be there in `version`.
pub(super) fn unchanged(version: u64) -> Condition<'static> {
    ("ver = :old", vec![(":old", super::number(version))])
}

impl Transaction {
    pub(super) fn put(self, table: &str, row: &impl Serialize, condition: Condition<'_>) -> PortResult<Self> {
        self.put_named(table, row, condition, &[])
    }

    /// The same under a condition that speaks of attributes by other names.
    pub(super) fn put_named(
        mut self,
        table: &str,
        row: &impl Serialize,
        (expression, values): Condition<'_>,
        names: &[(&str, &str)],
    ) -> PortResult<Self> {
        let put =
            Put::builder().table_name(table).set_item(Some(item(row)?)).condition_expression(expression);
        let put = names.iter().fold(put, |put, (alias, name)| put.expression_attribute_names(*alias, *name));
        let put =
            values.into_iter().fold(put, |put, (name, value)| put.expression_attribute_values(name, value));
        self.items.push(TransactWriteItem::builder().put(put.build().map_err(corrupt)?).build());
        Ok(self)
    }

    /// Puts a row, whatever is there.
    pub(super) fn put_always(mut self, table: &str, row: &impl Serialize) -> PortResult<Self> {
        let put = Put::builder().table_name(table).set_item(Some(item(row)?)).build().map_err(corrupt)?;
        self.items.push(TransactWriteItem::builder().put(put).build());
        Ok(self)
    }

    pub(super) fn update(
        mut self,
        table: &str,
        (pk, sk): (String, &str),
        expression: &str,
        condition: &str,
        names: &[(&str, &str)],
        values: Vec<(&str, aws_sdk_dynamodb::types::AttributeValue)>,
    ) -> PortResult<Self> {
        let update = Update::builder()
            .table_name(table)
            .key("PK", text(pk))
            .key("SK", text(sk))
            .update_expression(expression)
            .condition_expression(condition);
        let update = names
            .iter()
            .fold(update, |update, (alias, name)| update.expression_attribute_names(*alias, *name));
        let update = values
            .into_iter()
            .fold(update, |update, (name, value)| update.expression_attribute_values(name, value));
        self.items.push(TransactWriteItem::builder().update(update.build().map_err(corrupt)?).build());
        Ok(self)
    }

    pub(super) fn delete(
        mut self,
        table: &str,
        (pk, sk): (String, &str),
        condition: Option<Condition<'_>>,
    ) -> PortResult<Self> {
        let mut delete = Delete::builder().table_name(table).key("PK", text(pk)).key("SK", text(sk));
        if let Some((expression, values)) = condition {
            delete = delete.condition_expression(expression);
            for (name, value) in values {
                delete = delete.expression_attribute_values(name, value);
            }
        }
        self.items.push(TransactWriteItem::builder().delete(delete.build().map_err(corrupt)?).build());
        Ok(self)
    }

    /// Puts an answer into its slot, if that is still its holder's.
    fn keep(self, store: &DynamoStore, answer: &KeptAnswer) -> PortResult<Self> {
        let (name, content) = match &answer.content {
            AnswerContent::Sealed(bytes) => ("sealed", bytes),
            AnswerContent::Clear(bytes) => ("clear", bytes),
        };
        self.update(
            store.flow()?,
            (keys::answer(&answer.slot), keys::ANSWER),
            "SET #content = :content",
            "holder = :holder AND attribute_not_exists(sealed) AND attribute_not_exists(#clear)",
            &[("#content", name), ("#clear", "clear")],
            vec![
                (":content", AttributeValue::B(Blob::new(content.clone()))),
                (":holder", text(answer.slot.holder.clone())),
            ],
        )
    }

    /// Adds the entries of a journal, if there is one.
    pub(super) fn audited(mut self, store: &DynamoStore, journal: Option<&Journal>) -> PortResult<Self> {
        for entry in
            journal.into_iter().flat_map(|journal| std::iter::once(&journal.audit).chain(&journal.also))
        {
            self = self.put(store.core()?, &AuditRow::from(entry), absent())?;
        }
        Ok(self)
    }

    /// Adds the audit entry and the answer to be kept, and writes all or nothing.
    pub(super) async fn commit(self, store: &DynamoStore, journal: &Journal) -> PortResult<Committed> {
        let mut all = self.audited(store, Some(journal))?;
        if let Some(answer) = &journal.answer {
            all = all.keep(store, answer)?;
        }
        all.commit_without_journal(store).await
    }

    /// Adds the answer to be kept, where there is one, and writes all or nothing of what is not audited.
    pub(super) async fn commit_with_answer(
        self,
        store: &DynamoStore,
        answer: Option<&KeptAnswer>,
    ) -> PortResult<Committed> {
        match answer {
            Some(answer) => self.keep(store, answer)?.commit_without_journal(store).await,
            None => self.commit_without_journal(store).await,
        }
    }

    /// Writes all or nothing of what changes nothing that is audited.
    pub(super) async fn commit_without_journal(self, store: &DynamoStore) -> PortResult<Committed> {
        let Self { items } = self;
        let mut last = None;
        for tries in 1..=CONFLICTS {
            let sent =
                store.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
            let Err(error) = sent else {
                return Ok(Committed::Done);
            };
            let collided;
            let refused = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    let code = |wanted| move |reason: &CancellationReason| reason.code() == Some(wanted);
                    collided = cancelled.cancellation_reasons().iter().any(code("TransactionConflict"));
                    let reasons = cancelled.cancellation_reasons().iter().enumerate();
                    let refused =
                        reasons.filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
                    refused.map(|(part, _)| part).collect::<Vec<_>>()
                }
                _ => return Err(sorted("TransactWriteItems", &error)),
            };
            if !refused.is_empty() {
                return Ok(Committed::Refused(refused));
            }
            last = Some(sorted("TransactWriteItems", &error));
            if !collided {
                break;
            }
            pause_before(tries).await;
        }
        Err(last.unwrap_or_else(|| corrupt("no transaction was tried")))
    }
}

pub(super) fn item(row: &impl Serialize) -> Result<Item, PortError> {
    serde_dynamo::to_item(row).map_err(|error| corrupt(format!("a row cannot be written: {error}")))
}
