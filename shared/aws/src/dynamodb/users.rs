//! Users, each with the auth row beside it.

use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::ids::{PolicyId, TenantId, UserId};
use otpost_domain::message::Channel;
use otpost_domain::tenant::User;
use otpost_domain::token::Token;
use otpost_service::ports::{
    Journal, MarkChange, Page, PageRequest, PortResult, TokenChange, UserChange, UserStore, Write,
};

use super::rows::{AuthItem, EnrolmentRow, MessageRow, PointerRow, TokenRow, UserRow};
use super::transaction::{Transaction, absent, replaces, unchanged};
use super::{DynamoStore, Item, USERS_BY_TENANT, cut, keys, number, one_more_than, string, text, written};
use crate::fault::{corrupt, sorted};

impl UserStore for DynamoStore {
    async fn save_user(&self, change: &UserChange<'_>) -> PortResult<Write> {
        if change.user.version == 1 { self.make_user(change).await } else { self.change_user(change).await }
    }

    async fn users(&self, tenant: &TenantId, start: &str, request: &PageRequest) -> PortResult<Page<User>> {
        let after = request.after.as_deref().map(UserId::try_from).transpose().map_err(corrupt)?;
        let after = after.map(|id| {
            let mut place = key(tenant, &id);
            place.insert("users_of".to_owned(), text(tenant.as_str()));
            place.insert("id".to_owned(), text(id.as_str()));
            place
        });
        // No key may be empty, not even one to begin with.
        let (condition, start) = if start.is_empty() {
            ("users_of = :tenant", None)
        } else {
            ("users_of = :tenant AND begins_with(id, :start)", Some(text(start)))
        };
        let query = self.client.query().table_name(self.core()?).index_name(USERS_BY_TENANT);
        let query = query.key_condition_expression(condition);
        let query = query.expression_attribute_values(":tenant", text(tenant.as_str()));
        let query =
            start.into_iter().fold(query, |query, start| query.expression_attribute_values(":start", start));
        let found = query.set_exclusive_start_key(after).limit(one_more_than(request.limit)).send().await;
        let found = found.map_err(|error| sorted("Query", &error))?;
        let more = found.last_evaluated_key.is_some();
        let mut found = found.items.unwrap_or_default();
        let next =
            cut(&mut found, request.limit, more).and_then(|last| string(last, "id")).map(str::to_owned);
        let ids = found.iter().filter_map(|item| string(item, "id")).map(UserId::try_from);
        let ids = ids.collect::<Result<Vec<_>, _>>().map_err(corrupt)?;
        let wanted = ids.iter().map(|id| key(tenant, id)).collect();
        let rows: Vec<UserRow> = self.rows(self.core()?, wanted).await?;
        Ok(Page { items: rows.into_iter().map(User::try_from).collect::<PortResult<_>>()?, next })
    }

    async fn confirm_address(
        &self,
        tenant: &TenantId,
        user: &UserId,
        channel: Channel,
        journal: &Journal,
    ) -> PortResult<Write> {
        let (at, ok) = match channel {
            Channel::Email => ("email_at", "email_ok"),
            Channel::Sms => ("phone_at", "phone_ok"),
        };
        let confirmed = Transaction::default().update(
            self.core()?,
            (keys::user(tenant, user), keys::USER),
            "SET #ok = :now, updated = :now, ver = ver + :one",
            "attribute_exists(#at) AND attribute_not_exists(#ok)",
            &[("#at", at), ("#ok", ok)],
            vec![(":now", number(journal.audit.at.millis())), (":one", number(1))],
        )?;
        Ok(confirmed.commit(self, journal).await?.into())
    }

    async fn restamp(&self, tenant: &TenantId, user: &UserId, stamp: &[PolicyId]) -> PortResult<Write> {
        const A_USERS: &str = "attribute_exists(PK) AND attribute_not_exists(decoy)";
        let update = self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::user(tenant, user)))
            .key("SK", text(keys::AUTH));
        let update = if stamp.is_empty() {
            update
                .update_expression("REMOVE pol")
                .condition_expression(format!("{A_USERS} AND attribute_exists(pol)"))
        } else {
            update
                .update_expression("SET pol = :pol")
                .condition_expression(format!("{A_USERS} AND (attribute_not_exists(pol) OR pol <> :pol)"))
                .expression_attribute_values(":pol", list(stamp))
        };
        written("UpdateItem", update.send().await)
    }

    async fn user(&self, tenant: &TenantId, id: &UserId) -> PortResult<Option<User>> {
        let row: Option<UserRow> = self.get(self.core()?, keys::user(tenant, id), keys::USER).await?;
        row.map(User::try_from).transpose()
    }

    async fn delete_user(
        &self,
        user: &User,
        tokens: &[Token],
        mark: Option<&MarkChange>,
        journal: &Journal,
    ) -> PortResult<Write> {
        let core = self.core()?;
        let pk = keys::user(&user.tenant, &user.id);
        let mut gone = Transaction::default()
            .delete(core, (pk.clone(), keys::USER), Some(unchanged(user.version)))?
            .delete(core, (pk.clone(), keys::AUTH), None)?
            .remember(self, &user.tenant, mark)?;
        for token in tokens {
            gone = gone
                .delete(core, (pk.clone(), &keys::token(&token.serial)), Some(unchanged(token.version)))?
                .delete(core, (keys::pointer(&token.tenant, &token.serial), keys::POINTER), None)?;
        }
        Ok(gone.commit(self, journal).await?.into())
    }
}

impl DynamoStore {
    async fn make_user(&self, change: &UserChange<'_>) -> PortResult<Write> {
        let core = self.core()?;
        let decoy_may_go =
            ("attribute_not_exists(PK) OR decoy = :true", vec![(":true", AttributeValue::Bool(true))]);
        let made = Transaction::default().put(core, &UserRow::from(change.user), absent())?.put(
            core,
            &AuthItem::of_new_user(change.user, change.stamp),
            decoy_may_go,
        )?;
        Ok(self.following(made, change)?.commit(self, change.journal).await?.into())
    }

    async fn change_user(&self, change: &UserChange<'_>) -> PortResult<Write> {
        let core = self.core()?;
        let user = change.user;
        let mut values = vec![(":active", AttributeValue::Bool(user.active))];
        let mut set = "SET active = :active".to_owned();
        let ended: Vec<_> = (0..change.revoked.len()).map(|number| format!("#r{number}")).collect();
        let mut removed: Vec<_> = ended.iter().map(|alias| format!("live.{alias}")).collect();
        if change.stamp.is_empty() {
            removed.push("pol".to_owned());
        } else {
            values.push((":pol", list(change.stamp)));
            set.push_str(", pol = :pol");
        }
        if !removed.is_empty() {
            set = format!("{set} REMOVE {}", removed.join(", "));
        }
        let serials = change.revoked.iter().map(|token| token.serial.as_str());
        let names: Vec<_> = ended.iter().map(String::as_str).zip(serials).collect();
        let key = (keys::user(&user.tenant, &user.id), keys::AUTH);
        let changed = Transaction::default()
            .put(core, &UserRow::from(user), replaces(user.version))?
            .update(core, key, &set, "attribute_exists(PK)", &names, values)?;
        Ok(self.following(changed, change)?.commit(self, change.journal).await?.into())
    }

    /// Adds what follows from a user's change.
    fn following(&self, all: Transaction, change: &UserChange<'_>) -> PortResult<Transaction> {
        let core = self.core()?;
        let mut all = all.remember(self, &change.user.tenant, change.mark)?;
        if let Some(TokenChange { token, is_new, sent }) = change.token {
            let seen = if *is_new { absent() } else { replaces(token.version) };
            all = all.put(core, &TokenRow::from(token), seen)?;
            if *is_new {
                all = all.put(core, &PointerRow::to(token), absent())?;
            }
            if let Some((enrolment, message)) = sent {
                let flow = self.flow()?;
                all = all.put(flow, &EnrolmentRow::from(enrolment), absent())?;
                all = all.put(flow, &MessageRow::from(message), absent())?;
            }
        }
        for notice in change.notices {
            all = all.put(self.flow()?, &MessageRow::from(notice), absent())?;
        }
        for token in change.revoked {
            let place = (keys::user(&token.tenant, &token.user), keys::token(&token.serial));
            all = all
                .delete(core, (place.0, &place.1), Some(replaces(token.version)))?
                .put(core, &TokenRow::from(token), absent())?
                .put(core, &PointerRow::to(token), ("attribute_exists(PK)", Vec::new()))?;
        }
        Ok(all)
    }
}

fn list(stamp: &[PolicyId]) -> AttributeValue {
    AttributeValue::L(stamp.iter().map(|id| text(id.as_str())).collect())
}

fn key(tenant: &TenantId, user: &UserId) -> Item {
    Item::from([("PK".to_owned(), text(keys::user(tenant, user))), ("SK".to_owned(), text(keys::USER))])
}
