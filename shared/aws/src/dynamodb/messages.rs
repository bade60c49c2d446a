//! Messages.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{KeysAndAttributes, ReturnValue};
use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{LEASE, MAX_TRIES, Message, MessageStatus, ROUTE_TIME};
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    Due, Fault, MessageRef, MessageStore, Page, PageRequest, PortError, PortResult, Write,
};

use super::rows::MessageRow;
use super::transaction::item;
use super::{
    DynamoStore, Item, MESSAGES_BY_USER, OPEN_MESSAGES, cut, keys, number, one_more_than, row, text,
};
use crate::fault::{corrupt, sorted};

/// How often a batch is asked for what it has left out.
const ROUNDS: usize = 4;

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
        let user_key = keys::user(tenant, user);
        let start = match request.after.as_deref().map(MessageId::try_from).transpose().map_err(corrupt)? {
            Some(id) => {
                let mut start = key(&MessageRef { tenant: tenant.clone(), id: id.clone() });
                start.insert("user_key".to_owned(), text(user_key.clone()));
                start.insert("id".to_owned(), text(id.as_str()));
                Some(start)
            }
            None => None,
        };
        let found = self
            .client
            .query()
            .table_name(self.flow()?)
            .index_name(MESSAGES_BY_USER)
            .key_condition_expression("user_key = :user")
            .expression_attribute_values(":user", text(user_key))
            .scan_index_forward(false)
            .set_exclusive_start_key(start)
            .limit(one_more_than(request.limit))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let mut found = found.items.unwrap_or_default();
        let next = cut(&mut found, request.limit).and_then(|last| string(last, "id")).map(str::to_owned);
        let ids = found.iter().filter_map(|item| string(item, "id"));
        let ids = ids.map(MessageId::try_from).collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
        let references: Vec<MessageRef> =
            ids.into_iter().map(|id| MessageRef { tenant: tenant.clone(), id }).collect();
        Ok(Page { items: self.messages(&references).await?, next })
    }

    async fn claim(&self, message: &MessageRef, number_: u8, now: Timestamp) -> PortResult<Option<Message>> {
        let Some(index) = number_.checked_sub(1) else {
            return Ok(None);
        };
        let hop = format!("hops[{index}]");
        let claimed = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression(format!(
                "SET {hop}.st = :claimed, {hop}.#until = :until, {hop}.tries = {hop}.tries + :one, \
                 due_at = :due, ver = ver + :one"
            ))
            .condition_expression(format!(
                "st = :sending AND size(hops) = :hops AND {hop}.tries < :most AND \
                 ({hop}.st = :handed OR ({hop}.st = :claimed AND {hop}.#until <= :now))"
            ))
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":sending", text(MessageStatus::Sending.as_str()))
            .expression_attribute_values(":handed", text("handed"))
            .expression_attribute_values(":claimed", text("claimed"))
            .expression_attribute_values(":hops", number(number_))
            .expression_attribute_values(":most", number(MAX_TRIES))
            .expression_attribute_values(":now", number(now.millis()))
            .expression_attribute_values(":until", number(now.plus(LEASE).millis()))
            .expression_attribute_values(":due", number(now.plus(LEASE + ROUTE_TIME).millis()))
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
        let saved = self
            .client
            .put_item()
            .table_name(self.flow()?)
            .set_item(Some(item(&MessageRow::from(message))?))
            .condition_expression("ver = :old")
            .expression_attribute_values(":old", number(message.version.saturating_sub(1)))
            .send()
            .await;
        match saved {
            Ok(_) => Ok(Write::Done),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Write::Stale),
                _ => Err(sorted("PutItem", &error)),
            },
        }
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
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
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

impl DynamoStore {
    /// At most 100 messages, in the order given; one that is gone meanwhile is left out.
    async fn messages(&self, references: &[MessageRef]) -> PortResult<Vec<Message>> {
        let mut rows: HashMap<String, MessageRow> = HashMap::new();
        let mut wanted: Vec<Item> = references.iter().map(key).collect();
        for _ in 0..ROUNDS {
            if wanted.is_empty() {
                break;
            }
            let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).build().map_err(corrupt)?;
            let table = self.flow()?;
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
        references.iter().filter_map(|id| rows.remove(&keys::message(id))).map(Message::try_from).collect()
    }
}

fn key(message: &MessageRef) -> Item {
    HashMap::from([("PK".to_owned(), text(keys::message(message))), ("SK".to_owned(), text(keys::MESSAGE))])
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}
