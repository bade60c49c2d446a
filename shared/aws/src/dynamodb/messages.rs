//! Messages.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::ReturnValue;
use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{LEASE, Message, MessageStatus};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{Due, Journal, MessageRef, MessageStore, Page, PageRequest, PortResult, Write};

use super::rows::{CLAIMED, HANDED, MessageRow};
use super::transaction::{Transaction, absent, replaces};
use super::{DynamoStore, Item, MESSAGES_BY_USER, OPEN_MESSAGES, keys, number, row, string, text, written};
use crate::fault::{corrupt, sorted};

impl MessageStore for DynamoStore {
    async fn message(&self, message: &MessageRef) -> PortResult<Option<Message>> {
        let row: Option<MessageRow> = self.get(self.flow()?, keys::message(message), keys::MESSAGE).await?;
        row.map(Message::try_from).transpose()
    }

    async fn messages_of(
        &self,
        tenant: &TenantId,
        user: &UserId,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        let after = request.after.as_deref().map(MessageId::try_from).transpose().map_err(corrupt)?;
        let place = |id: &MessageId| key(&MessageRef { tenant: tenant.clone(), id: id.clone() });
        let start = after.map(|id| (place(&id), id.to_string()));
        let (ids, next) =
            self.listed_in_flow(MESSAGES_BY_USER, keys::user(tenant, user), start, request.limit).await?;
        let ids = ids.iter().map(|id| MessageId::try_from(id.as_str())).collect::<Result<Vec<_>, _>>();
        let wanted = ids.map_err(corrupt)?.iter().map(place).collect();
        let rows: Vec<MessageRow> = self.rows(self.flow()?, wanted).await?;
        Ok(Page { items: rows.into_iter().map(Message::try_from).collect::<PortResult<_>>()?, next })
    }

    async fn add_message(&self, message: &Message, journal: &Journal) -> PortResult<Write> {
        let added = Transaction::default().put(self.flow()?, &MessageRow::from(message), absent())?;
        Ok(added.commit(self, journal).await?.into())
    }

    async fn claim(
        &self,
        message: &MessageRef,
        hop: u16,
        claimant: &str,
        now: Timestamp,
    ) -> PortResult<Option<Message>> {
        let claimed = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression(
                "SET hop.st = :claimed, hop.#until = :until, hop.#by = :by, due_at = :until, ver = ver + :one",
            )
            .condition_expression("st = :sending AND hop.#no = :hop AND (hop.st = :handed OR (hop.st = :claimed AND hop.#by = :by))")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#no", "no")
            .expression_attribute_names("#by", "by")
            .expression_attribute_values(":sending", text(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":handed", text(HANDED))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":hop", number(hop))
            .expression_attribute_values(":by", text(claimant))
            .expression_attribute_values(":until", number(now.plus(LEASE).millis()))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match claimed {
            Ok(claimed) => {
                let row: Option<MessageRow> = claimed.attributes.map(row).transpose()?;
                row.map(Message::try_from).transpose()
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
    }

    async fn save_message(&self, message: &Message) -> PortResult<Write> {
        self.put(self.flow()?, &MessageRow::from(message), replaces(message.version)).await
    }

    async fn put_aside(&self, message: &MessageRef) -> PortResult<()> {
        let sent = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression("REMOVE open_shard")
            .condition_expression("attribute_exists(PK)")
            .send()
            .await;
        // Stale: it is gone.
        written("UpdateItem", sent).map(|_| ())
    }

    async fn due(
        &self,
        shard: u8,
        now: Timestamp,
        limit: usize,
        after: Option<&Due>,
    ) -> PortResult<Vec<Due>> {
        let start = after.map(|due| {
            let mut start = key(&due.message);
            start.insert("open_shard".to_owned(), text(keys::shard(shard)));
            start.insert("due_at".to_owned(), number(due.at.millis()));
            start
        });
        let found = self
            .client
            .query()
            .table_name(self.flow()?)
            .index_name(OPEN_MESSAGES)
            .key_condition_expression("open_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", text(keys::shard(shard)))
            .expression_attribute_values(":now", number(now.millis()))
            .set_exclusive_start_key(start)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let found = found.items.unwrap_or_default();
        let due = |item: &Item| {
            let at = item.get("due_at")?.as_n().ok()?.parse().ok()?;
            Some(Due { message: keys::parse_message(string(item, "PK")?)?, at: Timestamp::from_millis(at) })
        };
        Ok(found.iter().filter_map(due).collect())
    }
}

fn key(message: &MessageRef) -> Item {
    HashMap::from([("PK".to_owned(), text(keys::message(message))), ("SK".to_owned(), text(keys::MESSAGE))])
}
