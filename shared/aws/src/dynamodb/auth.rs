//! The auth row: one strongly consistent read, one conditional write.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::time::Timestamp;
use otpost_domain::token::Token;
use otpost_domain::verification::{
    Acceptance, AuthRow, Branch, Guard, KNOWN_BUDGET, Refusal, STRANGER_BUDGET,
};
use otpost_service::ports::{AuthWrite, PortResult, Standing, VerificationStore};

use super::rows::{AuthItem, TokenRow};
use super::{DynamoStore, keys, number, row, text};
use crate::fault::sorted;

/// How long the failures of somebody who does not exist are remembered; each failure begins it anew.
const DECOY_LIFE: Duration = Duration::from_hours(30 * 24);

impl VerificationStore for DynamoStore {
    async fn standing(&self, tenant: &TenantId, user: &UserId) -> PortResult<Standing> {
        let found = self
            .client
            .query()
            .table_name(self.core()?)
            .key_condition_expression("PK = :pk AND begins_with(SK, :a)")
            .expression_attribute_values(":pk", text(keys::user(tenant, user)))
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

    async fn accept(
        &self,
        tenant: &TenantId,
        user: &UserId,
        acceptance: &Acceptance,
    ) -> PortResult<AuthWrite> {
        let Acceptance { serial, step, drift, branch, sources, at } = acceptance;
        let (budget, reset) = match branch {
            Branch::Known(_) => ("fk < :budget AND contains(src, :source)", "fk = :zero"),
            Branch::Stranger(_) => ("fs < :budget AND lks <= :now", "fs = :zero"),
        };
        let not_known = stranger_condition(branch);
        let remember = if sources.is_some() { ", src = :sources" } else { "" };
        let update = self
            .auth_row(tenant, user)?
            .update_expression(format!(
                "SET live.#serial.s = :step, live.#serial.d = :drift, {reset}, ok_at = :now, ok_serial = :serial{remember}"
            ))
            .condition_expression(format!(
                "active = :true AND attribute_exists(live.#serial) AND \
                 (attribute_not_exists(live.#serial.s) OR live.#serial.s < :step) AND {budget}{not_known}"
            ))
            .expression_attribute_names("#serial", serial.as_str())
            .expression_attribute_values(":step", number(step))
            .expression_attribute_values(":drift", number(drift))
            .expression_attribute_values(":zero", number(0))
            .expression_attribute_values(":now", number(at.millis()))
            .expression_attribute_values(":serial", text(serial.as_str()))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":budget", number(budget_of(branch)));
        let update = match sources {
            Some(sources) => {
                let list = sources.iter().map(|source| text(source.as_str())).collect();
                update.expression_attribute_values(":sources", AttributeValue::L(list))
            }
            None => update,
        };
        write(with_source(update, branch)).await
    }

    async fn refuse(
        &self,
        tenant: &TenantId,
        user: &UserId,
        refusal: &Refusal,
        is_user: bool,
    ) -> PortResult<AuthWrite> {
        let Refusal { branch, guard, wait_until, at } = refusal;
        let counter = match branch {
            Branch::Known(_) => "fk",
            Branch::Stranger(_) => "fs",
        };
        let (compare, bound) = match *guard {
            Guard::Below(bound) => ("<", bound),
            Guard::Exactly(count) => ("=", count),
        };
        // A row that waits, or whose budget is spent, is left alone whatever the guard says.
        let budget = format!("{counter} {compare} :bound AND {counter} < :budget");
        let budget = match branch {
            Branch::Known(_) => format!("{budget} AND contains(src, :source)"),
            Branch::Stranger(_) => format!("{budget} AND lks <= :now{}", stranger_condition(branch)),
        };
        let update = self
            .auth_row(tenant, user)?
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
                .update_expression(format!("SET {counter} = {counter} + :one, bad_at = :now{wait}"))
                .condition_expression(format!(
                    "attribute_exists(PK) AND attribute_not_exists(decoy) AND {budget}"
                ))
        } else {
            decoy(update, *at, wait_until.is_some(), &budget)
        };
        write(with_source(update, branch)).await
    }
}

impl DynamoStore {
    fn auth_row(&self, tenant: &TenantId, user: &UserId) -> PortResult<UpdateItemFluentBuilder> {
        Ok(self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::user(tenant, user)))
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
            "SET fs = if_not_exists(fs, :zero) + :one, bad_at = :now, decoy = :true, #ttl = :ttl, {wait}"
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

async fn write(update: UpdateItemFluentBuilder) -> PortResult<AuthWrite> {
    match update.send().await {
        Ok(_) => Ok(AuthWrite::Done),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                let newer = refused.item.clone().map(row::<AuthItem>).transpose()?;
                Ok(AuthWrite::Moved(newer.map(AuthRow::try_from).transpose()?.unwrap_or_default()))
            }
            _ => Err(sorted("UpdateItem", &error)),
        },
    }
}
