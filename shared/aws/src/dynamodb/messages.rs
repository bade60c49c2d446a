//! Messages.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use otpost_domain::circuit::{self, HEALTH_RETENTION, Health, HealthChange, HealthKey, SHORTEST_OPEN};
use otpost_domain::ids::{MessageId, TenantId, UserId};
use otpost_domain::message::{LEASE, Message, MessageStatus, News, Overtaken, Verdict};
use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_domain::tenant::User;
use otpost_domain::time::{Day, Timestamp};
use otpost_domain::token::Token;
use otpost_service::ports::{
    Circumstances, Due, Heard, Journal, MessageRef, MessageStore, Page, PageRequest, PortResult, Saved,
    SuppressionStore, Write,
};

use super::rows::{CLAIMED, HANDED, HealthRow, MessageRow, NewsItem, SuppressionRow, TokenRow, UserRow};
use super::transaction::{Committed, Transaction, absent, past_transactions, replaces};
use super::{
    DynamoStore, Item, MESSAGES_BY_TENANT, MESSAGES_BY_USER, OPEN_MESSAGES, keys, number, read, row, string,
    text, written,
};
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
        self.messages_in(MESSAGES_BY_USER, keys::user(tenant, user), tenant, request).await
    }

    async fn messages_on(
        &self,
        tenant: &TenantId,
        day: Day,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        self.messages_in(MESSAGES_BY_TENANT, keys::day(tenant, day), tenant, request).await
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
        let claim = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression(
                "SET hop.st = :claimed, hop.#until = :until, hop.#by = :by, due_at = :until, ver = ver + :one",
            )
            .condition_expression("attribute_exists(due_at) AND hop.#no = :hop AND (hop.st = :handed OR (hop.st = :claimed AND hop.#by = :by))")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#no", "no")
            .expression_attribute_names("#by", "by")
            .expression_attribute_values(":handed", text(HANDED))
            .expression_attribute_values(":claimed", text(CLAIMED))
            .expression_attribute_values(":hop", number(hop))
            .expression_attribute_values(":by", text(claimant))
            .expression_attribute_values(":until", number(now.plus(LEASE).millis()))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew);
        match past_transactions(|| claim.clone().send()).await {
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

    async fn withdraw(&self, message: &MessageRef, overtaken: Overtaken) -> PortResult<Write> {
        let end = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression(
                "SET st = :cancelled, #reason = :why, #over = :overtaken, ver = ver + :one REMOVE content, open_shard, due_at",
            )
            .condition_expression("attribute_exists(due_at) AND attribute_not_exists(hop)")
            .expression_attribute_names("#over", "over")
            .expression_attribute_names("#reason", "reason")
            .expression_attribute_values(":cancelled", text(MessageStatus::Cancelled.as_str()))
            .expression_attribute_values(":why", text(overtaken.told()))
            .expression_attribute_values(":overtaken", text(overtaken.as_str()))
            .expression_attribute_values(":one", number(1));
        written("UpdateItem", past_transactions(|| end.clone().send()).await)
    }

    async fn circumstances(&self, message: &Message) -> PortResult<Circumstances> {
        let mut wanted = vec![place(keys::tenant(&message.tenant), keys::META)];
        if let Some(user) = &message.user {
            let pk = keys::user(&message.tenant, user);
            wanted.push(place(pk.clone(), keys::USER));
            if let Some(serial) = &message.serial {
                wanted.push(place(pk.clone(), &keys::token(serial)));
                wanted.push(place(pk, &keys::revoked(serial)));
            }
        }
        if let Some(address) = &message.address {
            wanted.push(place(keys::tenant(&message.tenant), &keys::suppression(address)));
        }
        let mut found = Circumstances::default();
        for item in self.items_now(self.core()?, wanted).await? {
            let sort = string(&item, "SK").unwrap_or_default().to_owned();
            match sort.as_str() {
                keys::META => found.tenant = true,
                keys::USER => found.user = Some(User::try_from(row::<UserRow>(item)?)?),
                _ if sort.starts_with(keys::SUPPRESSION) => {
                    found.suppressed = Some(Suppression::try_from(row::<SuppressionRow>(item)?)?);
                }
                _ => found.token = Some(Token::try_from(row::<TokenRow>(item)?)?),
            }
        }
        Ok(found)
    }

    async fn save_message_and_health(
        &self,
        message: &Message,
        changes: &[HealthChange],
    ) -> PortResult<Saved> {
        let saving = Transaction::default().put(
            self.flow()?,
            &MessageRow::from(message),
            replaces(message.version),
        )?;
        Ok(match self.with_health(saving, changes)?.commit_without_journal(self).await? {
            Committed::Done => Saved::Done,
            Committed::Refused(parts) if parts.contains(&0) => Saved::Stale,
            Committed::Refused(_) => Saved::Outrun,
        })
    }

    async fn change_health(&self, changes: &[HealthChange]) -> PortResult<Write> {
        let changing = self.with_health(Transaction::default(), changes)?;
        Ok(changing.commit_without_journal(self).await?.into())
    }

    async fn health_of(&self, gateways: &[HealthKey]) -> PortResult<Vec<Option<Health>>> {
        let wanted = gateways.iter().map(|gateway| place(keys::health(gateway), keys::HEALTH)).collect();
        let found = self.items_now(self.flow()?, wanted).await?;
        let found = found.into_iter().map(row::<HealthRow>).collect::<PortResult<Vec<_>>>()?;
        let of = |gateway: &HealthKey| {
            let pk = keys::health(gateway);
            found.iter().find(|row| row.pk() == pk).map(Health::from)
        };
        Ok(gateways.iter().map(of).collect())
    }

    async fn hear(
        &self,
        message: &MessageRef,
        hop: u16,
        news: &News,
        suppression: Option<&Suppression>,
    ) -> PortResult<Heard> {
        let item = serde_dynamo::to_attribute_value(NewsItem::from(news)).map_err(corrupt)?;
        let mut values = HashMap::from([
            (":news".to_owned(), item),
            (":rank".to_owned(), number(news.verdict.rank())),
            (":hop".to_owned(), number(hop)),
            (":one".to_owned(), number(1)),
        ]);
        let mut names = HashMap::from([
            ("#hop".to_owned(), hop.to_string()),
            ("#no".to_owned(), "no".to_owned()),
            ("#rank".to_owned(), "rank".to_owned()),
        ]);
        let mut change = "SET news.#hop = :news, ver = ver + :one".to_owned();
        if news.verdict == Verdict::Delivered {
            values.insert(":delivered".to_owned(), text(MessageStatus::Delivered.as_str()));
            names.insert("#reason".to_owned(), "reason".to_owned());
            change.push_str(", st = :delivered REMOVE content, open_shard, due_at, #reason");
        }
        let condition = "hop.#no >= :hop AND (attribute_not_exists(news.#hop) OR news.#hop.#rank < :rank)";
        let sent = match suppression {
            None => self.heard_alone(message, (change, condition), names, values).await?,
            Some(suppression) => {
                self.heard_with(message, (change, condition), names, values, suppression).await?
            }
        };
        let Some((new, item)) = sent else { return Ok(Heard::Nothing) };
        let message = Message::try_from(row::<MessageRow>(item)?)?;
        if !message.has_had(hop) {
            return Ok(Heard::Nothing);
        }
        Ok(if new { Heard::New(Box::new(message)) } else { Heard::Known(Box::new(message)) })
    }

    async fn put_aside(&self, message: &MessageRef) -> PortResult<()> {
        let put_aside = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression("REMOVE open_shard")
            .condition_expression("attribute_exists(PK)");
        // Stale: it is gone.
        written("UpdateItem", past_transactions(|| put_aside.clone().send()).await).map(|_| ())
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

/// How a receipt changes a message's row, and under which condition.
type Change<'a> = (String, &'a str);

impl DynamoStore {
    /// A page of a tenant's messages as an index lists them.
    async fn messages_in(
        &self,
        index: (&str, &str),
        under: String,
        tenant: &TenantId,
        request: &PageRequest,
    ) -> PortResult<Page<Message>> {
        let after = request.after.as_deref().map(MessageId::try_from).transpose().map_err(corrupt)?;
        let place = |id: &MessageId| key(&MessageRef { tenant: tenant.clone(), id: id.clone() });
        let start = after.map(|id| (place(&id), id.to_string()));
        let (ids, next) = self.listed_in_flow(index, under, start, request.limit).await?;
        let ids = ids.iter().map(|id| MessageId::try_from(id.as_str())).collect::<Result<Vec<_>, _>>();
        let wanted = ids.map_err(corrupt)?.iter().map(place).collect();
        let rows: Vec<MessageRow> = self.rows(self.flow()?, wanted).await?;
        Ok(Page { items: rows.into_iter().map(Message::try_from).collect::<PortResult<_>>()?, next })
    }

    /// Takes a receipt in one request: whether it was new, and the row as it is then.
    async fn heard_alone(
        &self,
        message: &MessageRef,
        (change, condition): Change<'_>,
        names: HashMap<String, String>,
        values: Item,
    ) -> PortResult<Option<(bool, Item)>> {
        let hear = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(message)))
            .update_expression(change)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match past_transactions(|| hear.clone().send()).await {
            Ok(updated) => Ok(updated.attributes.map(|item| (true, item))),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    Ok(failed.item().cloned().map(|item| (false, item)))
                }
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
    }

    /// The same with an address for the suppression list. What the row is then is read: a transaction does not tell.
    async fn heard_with(
        &self,
        message: &MessageRef,
        (change, condition): Change<'_>,
        names: HashMap<String, String>,
        values: Item,
        suppression: &Suppression,
    ) -> PortResult<Option<(bool, Item)>> {
        let names: Vec<_> = names.iter().map(|(alias, name)| (alias.as_str(), name.as_str())).collect();
        let values: Vec<_> = values.iter().map(|(alias, value)| (alias.as_str(), value.clone())).collect();
        let at = (keys::message(message), keys::MESSAGE);
        let committed = Transaction::default()
            .update(self.flow()?, at, &change, condition, &names, values)?
            .put_always(self.core()?, &SuppressionRow::from(suppression))?
            .commit_without_journal(self)
            .await?;
        let found = self.items_now(self.flow()?, vec![key(message)]).await?;
        Ok(found.into_iter().next().map(|item| (committed == Committed::Done, item)))
    }

    fn with_health(&self, saving: Transaction, changes: &[HealthChange]) -> PortResult<Transaction> {
        let flow = self.flow()?;
        changes.iter().try_fold(saving, |saving, HealthChange { gateway, change }| {
            let at = (keys::health(gateway), keys::HEALTH);
            match change {
                circuit::Change::Tripped { at } => {
                    saving.put(flow, &HealthRow::tripped(gateway, *at), absent())
                }
                circuit::Change::Tried { at: now } => saving.update(
                    flow,
                    at,
                    "SET tripped = :now, turn = turn + :one, #ttl = :ttl",
                    "tripped <= :latest",
                    &[("#ttl", "ttl")],
                    vec![
                        (":now", number(now.millis())),
                        (":latest", number(now.millis().saturating_sub(shortest_open()))),
                        (":one", number(1)),
                        (":ttl", number(now.plus(HEALTH_RETENTION).seconds())),
                    ],
                ),
                circuit::Change::Recovered { tried_at } => saving.delete(
                    flow,
                    at,
                    Some(("tripped <= :tried", vec![(":tried", number(tried_at.millis()))])),
                ),
            }
        })
    }
}

impl SuppressionStore for DynamoStore {
    async fn suppress(&self, suppression: &Suppression) -> PortResult<Write> {
        let Suppression { tenant, message, .. } = suppression;
        let pk = keys::message(&MessageRef { tenant: tenant.clone(), id: message.clone() });
        // An update that changes nothing: a mere check would take a permission of its own.
        let there = ("SET st = st", "attribute_exists(PK)");
        let suppressed = Transaction::default()
            .update(self.flow()?, (pk, keys::MESSAGE), there.0, there.1, &[], Vec::new())?
            .put_always(self.core()?, &SuppressionRow::from(suppression))?;
        Ok(suppressed.commit_without_journal(self).await?.into())
    }

    async fn suppressions(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Suppression>> {
        read::<SuppressionRow, _>(self.page(keys::tenant(tenant), keys::SUPPRESSION, request).await?)
    }

    async fn clear_suppression(
        &self,
        tenant: &TenantId,
        address: &AddressKey,
        journal: &Journal,
    ) -> PortResult<Write> {
        let at = (keys::tenant(tenant), keys::suppression(address));
        let there = Some(("attribute_exists(PK)", Vec::new()));
        let cleared = Transaction::default().delete(self.core()?, (at.0, &at.1), there)?;
        Ok(cleared.commit(self, journal).await?.into())
    }
}

/// In milliseconds.
fn shortest_open() -> u64 {
    u64::try_from(SHORTEST_OPEN.as_millis()).unwrap_or(u64::MAX)
}

fn place(pk: String, sk: &str) -> Item {
    HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

fn key(message: &MessageRef) -> Item {
    place(keys::message(message), keys::MESSAGE)
}
