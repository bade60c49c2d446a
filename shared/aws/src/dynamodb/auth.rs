//! The auth row: one strongly consistent read, one conditional write.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use otpost_domain::ids::{BearerHash, Serial, TenantId, UserId};
use otpost_domain::time::Timestamp;
use otpost_domain::token::Token;
use otpost_domain::verification::{
    Acceptance, AuthRow, Branch, Guard, KNOWN_BUDGET, Refusal, STRANGER_BUDGET,
};
use otpost_service::ports::{AuthWrite, Journal, PortResult, Standing, Subject, VerificationStore, Write};

use super::rows::{AuthItem, TokenRow};
use super::transaction::{Transaction, past_transactions};
use super::{DynamoStore, keys, number, row, text};
use crate::fault::sorted;

/// How long the failures of somebody who does not exist are remembered; each failure begins it anew.
const DECOY_LIFE: Duration = Duration::from_hours(30 * 24);

/// An update of the auth row in the making: usable alone, and as part of a transaction.
struct Change {
    expression: String,
    condition: String,
    names: Vec<(&'static str, String)>,
    values: Vec<(&'static str, AttributeValue)>,
}

/// Accepts a code: the floor moves up, the budget is reset, and what is needed to answer the same request again is
/// kept.
fn acceptance(acceptance: &Acceptance) -> Change {
    let Acceptance { serial, step, drift, branch, sources, request, issued, at } = acceptance;
    let (budget, reset) = match branch {
        Branch::Known(_) => ("fk < :budget AND contains(src, :source)", "fk = :zero"),
        Branch::Stranger(_) => ("fs < :budget AND lks <= :now", "fs = :zero"),
    };
    let not_known = stranger_condition(branch);
    let mut values = vec![
        (":step", number(step)),
        (":drift", number(drift)),
        (":zero", number(0)),
        (":now", number(at.millis())),
        (":serial", text(serial.as_str())),
        (":request", text(request.as_str())),
        (":true", AttributeValue::Bool(true)),
        (":budget", number(budget_of(branch))),
    ];
    let list = |sources: &[BearerHash]| AttributeValue::L(sources.iter().map(|s| text(s.as_str())).collect());
    values.extend(branch.source().map(|source| (":source", text(source.as_str()))));
    let remember = sources.as_ref().map_or("", |_| ", src = :sources");
    values.extend(
        sources.iter().flat_map(|change| [(":sources", list(&change.to)), (":seen", list(&change.from))]),
    );
    let as_seen = sources.as_ref().map_or("", |_| " AND src = :seen");
    let issue = issued.as_ref().map_or(" REMOVE ok_src", |_| ", ok_src = :issued");
    values.extend(issued.as_ref().map(|issued| (":issued", AttributeValue::B(Blob::new(issued.0.clone())))));
    Change {
        expression: format!(
            "SET live.#serial.s = :step, live.#serial.d = :drift, {reset}, ok_at = :now, ok_serial = :serial, \
             ok_req = :request{remember}{issue}"
        ),
        condition: format!(
            "active = :true AND attribute_exists(live.#serial) AND attribute_not_exists(live.#serial.off) AND \
             (attribute_not_exists(live.#serial.s) OR live.#serial.s < :step) AND {budget}{not_known}{as_seen}"
        ),
        names: vec![("#serial", serial.to_string())],
        values,
    }
}

impl VerificationStore for DynamoStore {
    async fn owner(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<UserId>> {
        self.pointer(tenant, serial).await?.map(|pointer| pointer.user()).transpose()
    }

    async fn standing(&self, tenant: &TenantId, subject: &Subject) -> PortResult<Standing> {
        let found = self
            .client
            .query()
            .table_name(self.core()?)
            .key_condition_expression("PK = :pk AND begins_with(SK, :a)")
            .expression_attribute_values(":pk", text(keys::subject(tenant, subject)))
            .expression_attribute_values(":a", text(keys::AUTH))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let mut standing = Standing::default();
        for item in found.items.unwrap_or_default() {
            if item.get("SK").and_then(|sk| sk.as_s().ok()).is_some_and(|sk| sk == keys::AUTH) {
                let auth: AuthItem = row(item)?;
                standing.is_user = !auth.is_decoy();
                standing.auth = auth.try_into()?;
            } else {
                standing.tokens.push(Token::try_from(row::<TokenRow>(item)?)?);
            }
        }
        Ok(standing)
    }

    async fn accept(&self, tenant: &TenantId, user: &UserId, accepted: &Acceptance) -> PortResult<AuthWrite> {
        let Change { expression, condition, names, values } = acceptance(accepted);
        let update = self
            .auth_row(tenant, &Subject::User(user.clone()))?
            .update_expression(expression)
            .condition_expression(condition);
        let update = names
            .into_iter()
            .fold(update, |update, (alias, name)| update.expression_attribute_names(alias, name));
        let update = values
            .into_iter()
            .fold(update, |update, (name, value)| update.expression_attribute_values(name, value));
        // A write whose answer was lost and which the SDK has sent again is found to be ours by the use case, which
        // looks for its request in the row that it gets.
        write(update, |_| false).await
    }

    async fn resync(
        &self,
        tenant: &TenantId,
        user: &UserId,
        accepted: &Acceptance,
        journal: &Journal,
    ) -> PortResult<Write> {
        let Change { expression, condition, names, values } = acceptance(accepted);
        let names: Vec<_> = names.iter().map(|(alias, name)| (*alias, name.as_str())).collect();
        let key = (keys::user(tenant, user), keys::AUTH);
        let moved =
            Transaction::default().update(self.core()?, key, &expression, &condition, &names, values)?;
        Ok(moved.commit(self, journal).await?.into())
    }

    async fn unlock(&self, tenant: &TenantId, user: &UserId, journal: &Journal) -> PortResult<Write> {
        let unlocked = Transaction::default().update(
            self.core()?,
            (keys::user(tenant, user), keys::AUTH),
            "SET fk = :zero, fs = :zero, lks = :zero",
            "attribute_exists(PK) AND attribute_not_exists(decoy)",
            &[],
            vec![(":zero", number(0))],
        )?;
        Ok(unlocked.commit(self, journal).await?.into())
    }

    async fn refuse(
        &self,
        tenant: &TenantId,
        subject: &Subject,
        refusal: &Refusal,
        is_user: bool,
    ) -> PortResult<AuthWrite> {
        let Refusal { branch, guard, wait_until, id, at } = refusal;
        let counter = match branch {
            Branch::Known(_) => "fk",
            Branch::Stranger(_) => "fs",
        };
        let (compare, bound) = match *guard {
            Guard::Below(bound) => ("<", bound),
            Guard::Exactly(count) => ("=", count),
        };
        // A row that waits, or whose budget is spent, is left alone whatever the guard says.
        let budget = format!(
            "{counter} {compare} :bound AND {counter} < :budget AND \
             (attribute_not_exists(bad_id) OR bad_id <> :id)"
        );
        let budget = match branch {
            Branch::Known(_) => format!("{budget} AND contains(src, :source)"),
            Branch::Stranger(_) => format!("{budget} AND lks <= :now{}", stranger_condition(branch)),
        };
        let update = self
            .auth_row(tenant, subject)?
            .expression_attribute_values(":id", text(id.as_str()))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":bound", number(bound))
            .expression_attribute_values(":budget", number(budget_of(branch)))
            .expression_attribute_values(":now", number(at.millis()));
        let update = match wait_until {
            Some(until) => update.expression_attribute_values(":until", number(until.millis())),
            None => update,
        };
        let update = if is_user {
            let wait = if wait_until.is_some() { ", lks = :until" } else { "" };
            update
                .update_expression(format!(
                    "SET {counter} = {counter} + :one, bad_at = :now, bad_id = :id{wait}"
                ))
                .condition_expression(format!(
                    "attribute_exists(PK) AND attribute_not_exists(decoy) AND {budget}"
                ))
        } else {
            decoy(update, *at, wait_until.is_some(), &budget)
        };
        write(with_source(update, branch), |row| row.last_refused.as_ref() == Some(id)).await
    }
}

impl DynamoStore {
    fn auth_row(&self, tenant: &TenantId, subject: &Subject) -> PortResult<UpdateItemFluentBuilder> {
        Ok(self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::subject(tenant, subject)))
            .key("SK", text(keys::AUTH))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld))
    }
}

/// Counts on a row that stands for a user who does not exist. A decoy only ever meets strangers.
fn decoy(
    update: UpdateItemFluentBuilder,
    at: Timestamp,
    waits: bool,
    budget: &str,
) -> UpdateItemFluentBuilder {
    let wait = if waits { "lks = :until" } else { "lks = if_not_exists(lks, :zero)" };
    update
        .update_expression(format!(
            "SET fs = if_not_exists(fs, :zero) + :one, bad_at = :now, bad_id = :id, decoy = :true, #ttl = :ttl, {wait}"
        ))
        .condition_expression(format!("attribute_not_exists(PK) OR (decoy = :true AND {budget})"))
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":zero", number(0))
        .expression_attribute_values(":true", AttributeValue::Bool(true))
        .expression_attribute_values(":ttl", number(at.plus(DECOY_LIFE).seconds()))
}

const fn budget_of(branch: &Branch) -> u32 {
    match branch {
        Branch::Known(_) => KNOWN_BUDGET,
        Branch::Stranger(_) => STRANGER_BUDGET,
    }
}

/// A given source that is not known must still not be known.
const fn stranger_condition(branch: &Branch) -> &'static str {
    match branch {
        Branch::Stranger(Some(_)) => " AND NOT contains(src, :source)",
        Branch::Stranger(None) | Branch::Known(_) => "",
    }
}

fn with_source(update: UpdateItemFluentBuilder, branch: &Branch) -> UpdateItemFluentBuilder {
    match branch.source() {
        Some(source) => update.expression_attribute_values(":source", text(source.as_str())),
        None => update,
    }
}

/// Sends the one write. Where the row refuses it because `ours` finds it written already (its answer was lost, and the
/// SDK has sent it again), it is done.
async fn write(update: UpdateItemFluentBuilder, ours: impl Fn(&AuthRow) -> bool) -> PortResult<AuthWrite> {
    let sent = past_transactions(|| update.clone().send()).await;
    let Err(error) = sent else { return Ok(AuthWrite::Done) };
    match error.as_service_error() {
        Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
            let newer = refused.item.clone().map(row::<AuthItem>).transpose()?;
            let newer = newer.map(AuthRow::try_from).transpose()?.unwrap_or_default();
            Ok(if ours(&newer) { AuthWrite::Done } else { AuthWrite::Moved(newer) })
        }
        _ => Err(sorted("UpdateItem", &error)),
    }
}
