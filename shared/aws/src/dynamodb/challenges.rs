//! Challenges: one request reads all that decides about a start, one conditional write decides about a guess.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
};
use otpost_domain::challenge::{Addressee, Challenge, Generation, Guess, Guessed, Place, SourceClass};
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::template::CodePurpose;
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::verification::AuthRow;
use otpost_service::ports::{Again, Asked, ChallengeStore, Fault, NewCode, PortError, PortResult, Write};

use super::rows::{AuthItem, ChallengeRow, MessageRow, TenantRow, UserRow, kept_until};
use super::transaction::{Transaction, absent, past_transactions};
use super::{DynamoStore, Item, ROUNDS, keys, number, row, string, text, written};
use crate::fault::{corrupt, sorted};

/// The code was not used, neither now nor before.
const UNUSED: &str = "(attribute_not_exists(guess) OR guess <> mac)";

/// Counts a guess.
pub(super) const COUNT: &str =
    "SET guess = :mac, req = :req, guessed_at = :now, att = att + :one, fc = fc + :one";

/// Under which condition a guess counts: as [`Challenge::judge`] says.
pub(super) fn counts() -> String {
    format!(
        "generation = :generation AND #exp > :now AND att < most AND fc < :budget AND {UNUSED} AND \
         (attribute_not_exists(req) OR req <> :req)"
    )
}

/// The values of both.
pub(super) fn guessed(place: &Place, guess: &Guess) -> Vec<(&'static str, AttributeValue)> {
    vec![
        (":generation", bytes(&guess.generation.0)),
        (":mac", bytes(&guess.mac.0)),
        (":req", text(guess.request.as_str())),
        (":now", number(guess.at.millis())),
        (":one", number(1)),
        (":budget", number(place.source.budget())),
    ]
}

fn bytes(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

fn key(tenant: &TenantId, place: &Place) -> Item {
    HashMap::from([
        ("PK".to_owned(), text(keys::addressee(tenant, &place.addressee))),
        ("SK".to_owned(), text(keys::challenge(place))),
    ])
}

fn place_of(pk: String, sk: &str) -> Item {
    HashMap::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

impl ChallengeStore for DynamoStore {
    async fn asked(
        &self,
        tenant: &TenantId,
        addressee: &Addressee,
        purpose: CodePurpose,
    ) -> PortResult<Asked> {
        let mut core = vec![place_of(keys::tenant(tenant), keys::META)];
        if let Addressee::User(user) = addressee {
            let pk = keys::user(tenant, user);
            core.extend([keys::USER, keys::AUTH].map(|sk| place_of(pk.clone(), sk)));
        }
        let places = [SourceClass::Known, SourceClass::Stranger].map(|source| Place {
            addressee: addressee.clone(),
            purpose,
            source,
        });
        let flow = places.iter().map(|place| key(tenant, place)).collect();
        let found = self.items_of_both(core, flow).await?;
        let mut asked = Asked::default();
        for item in found {
            let sort = string(&item, "SK").unwrap_or_default().to_owned();
            match sort.as_str() {
                keys::META => asked.tenant = Some(Tenant::try_from(row::<TenantRow>(item)?)?),
                keys::USER => asked.user = Some(User::try_from(row::<UserRow>(item)?)?),
                keys::AUTH => asked.sources = AuthRow::try_from(row::<AuthItem>(item)?)?.sources,
                _ => {
                    let Some(place) = places.iter().find(|place| keys::challenge(place) == sort) else {
                        continue;
                    };
                    let challenge = Some(row::<ChallengeRow>(item)?.at(place)?);
                    match place.source {
                        SourceClass::Known => asked.known = challenge,
                        SourceClass::Stranger => asked.strangers = challenge,
                    }
                }
            }
        }
        Ok(asked)
    }

    async fn challenge(&self, tenant: &TenantId, place: &Place) -> PortResult<Option<Challenge>> {
        let pk = keys::addressee(tenant, &place.addressee);
        let found: Option<ChallengeRow> = self.get(self.flow()?, pk, &keys::challenge(place)).await?;
        found.map(|row| row.at(place)).transpose()
    }

    async fn new_code(&self, tenant: &TenantId, code: &NewCode<'_>) -> PortResult<Write> {
        let NewCode { challenge, replaces, message, journal, answer } = *code;
        let (condition, forgets) = match replaces {
            None => ("attribute_not_exists(PK)".to_owned(), true),
            Some(seen) if seen.is_used() => {
                ("generation = :seen AND resent = :resent AND guess = mac".to_owned(), true)
            }
            // Guesses that are made meanwhile go on counting.
            Some(_) => (format!("generation = :seen AND resent = :resent AND {UNUSED}"), false),
        };
        let forgets = if forgets { ", fc = :zero, guessed_at = :zero" } else { "" };
        let expression = format!(
            "SET generation = :generation, mac = :mac, #exp = :exp, att = :zero, most = :most, resent = :zero, \
             most_resent = :most_resent, cool = :cool, msg = :msg, mailed = :mailed, sealed = :sealed, #ttl = :ttl{forgets} \
             REMOVE guess, req, spent"
        );
        let mut values = vec![
            (":generation", bytes(&challenge.generation.0)),
            (":mac", bytes(&challenge.mac.0)),
            (":exp", number(challenge.expires_at.millis())),
            (":zero", number(0)),
            (":most", number(challenge.most_guesses)),
            (":most_resent", number(challenge.most_resends)),
            (":cool", number(challenge.cool_until.millis())),
            (":msg", text(challenge.message.as_str())),
            (":mailed", AttributeValue::Bool(challenge.mailed)),
            (":sealed", bytes(&challenge.order.0)),
            // A test tenant's clock may be far behind. Guesses come before the code expires, so they need no later end.
            (":ttl", number(kept_until(challenge.expires_at.max(message.created_at)))),
        ];
        values.extend(
            replaces
                .iter()
                .flat_map(|seen| [(":seen", bytes(&seen.generation.0)), (":resent", number(seen.resent))]),
        );
        let at = (keys::addressee(tenant, &challenge.place.addressee), keys::challenge(&challenge.place));
        let written = Transaction::default()
            .update(
                self.flow()?,
                (at.0, &at.1),
                &expression,
                &condition,
                &[("#exp", "exp"), ("#ttl", "ttl")],
                values,
            )?
            .put(self.flow()?, &MessageRow::from(message), absent())?
            .audited(self, journal)?;
        Ok(written.commit_with_answer(self, answer).await?.into())
    }

    async fn send_code_again(&self, tenant: &TenantId, again: &Again<'_>) -> PortResult<Write> {
        let Again { seen, after, message, journal, answer, at } = *again;
        if message.is_none() && journal.is_none() && answer.is_none() {
            return Ok(Write::Done);
        }
        let place = (keys::addressee(tenant, &seen.place.addressee), keys::challenge(&seen.place));
        let mut sending = Transaction::default().update(
            self.flow()?,
            (place.0, &place.1),
            "SET resent = :resent, msg = :msg, mailed = :mailed, cool = :cool",
            &format!(
                "generation = :generation AND resent = :seen AND #exp > :now AND att < most AND {UNUSED}"
            ),
            &[("#exp", "exp")],
            vec![
                (":resent", number(after.resent)),
                (":msg", text(after.message.as_str())),
                (":mailed", AttributeValue::Bool(after.mailed)),
                (":cool", number(after.cool_until.millis())),
                (":generation", bytes(&seen.generation.0)),
                (":seen", number(seen.resent)),
                (":now", number(at.millis())),
            ],
        )?;
        if let Some(message) = message {
            sending = sending.put(self.flow()?, &MessageRow::from(message), absent())?;
        }
        Ok(sending.audited(self, journal)?.commit_with_answer(self, answer).await?.into())
    }

    async fn guess(&self, tenant: &TenantId, place: &Place, guess: &Guess) -> PortResult<Guessed> {
        let counted = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(tenant, place)))
            .update_expression(COUNT)
            .condition_expression(counts())
            .expression_attribute_names("#exp", "exp");
        let counted = guessed(place, guess)
            .into_iter()
            .fold(counted, |counted, (name, value)| counted.expression_attribute_values(name, value))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let read = |item: Item| row::<ChallengeRow>(item)?.at(place);
        match past_transactions(|| counted.clone().send()).await {
            Ok(counted) => {
                let item = counted.attributes.ok_or_else(|| corrupt("a guess was counted on no row"))?;
                let counted = read(item)?;
                Ok(if counted.is_used() { counted.accepted() } else { Guessed::Wrong })
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let Some(item) = failed.item().cloned() else { return Ok(Guessed::Over) };
                    // It would count by what is read here, and did not: the row is not what the rules say.
                    let there = read(item)?;
                    let known = there.judge(guess).uncounted(&there);
                    known.ok_or_else(|| corrupt("a guess does not count"))
                }
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
    }

    async fn end_challenge(
        &self,
        tenant: &TenantId,
        place: &Place,
        generation: Generation,
        at: Timestamp,
    ) -> PortResult<Write> {
        let end = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(key(tenant, place)))
            .update_expression("SET #exp = :now")
            .condition_expression(format!("generation = :generation AND #exp > :now AND {UNUSED}"))
            .expression_attribute_names("#exp", "exp")
            .expression_attribute_values(":generation", bytes(&generation.0))
            .expression_attribute_values(":now", number(at.millis()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match past_transactions(|| end.clone().send()).await {
            Ok(_) => Ok(Write::Done),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let there = failed
                        .item()
                        .cloned()
                        .map(|item| row::<ChallengeRow>(item)?.at(place))
                        .transpose()?;
                    // Over already, or used.
                    let over = there.is_some_and(|there| there.generation == generation);
                    Ok(if over { Write::Done } else { Write::Stale })
                }
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
    }

    async fn end_challenges(&self, tenant: &TenantId, user: &UserId) -> PortResult<()> {
        let never = vec![(":never", number(0))];
        self.for_each_challenge(
            tenant,
            user,
            ("SET #exp = :never", "#exp > :never", &[("#exp", "exp")], never),
        )
        .await
    }

    async fn forget_wrong_codes(&self, tenant: &TenantId, user: &UserId) -> PortResult<()> {
        let zero = vec![(":zero", number(0))];
        self.for_each_challenge(tenant, user, ("SET fc = :zero", "fc > :zero", &[], zero)).await
    }
}

/// An expression, its condition, its names and its values.
type Change<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Vec<(&'a str, AttributeValue)>);

impl DynamoStore {
    /// Changes all of a user's challenges, at most two for each purpose, one after the other.
    async fn for_each_challenge(
        &self,
        tenant: &TenantId,
        user: &UserId,
        (expression, condition, names, values): Change<'_>,
    ) -> PortResult<()> {
        let found = self
            .client
            .query()
            .table_name(self.flow()?)
            .key_condition_expression("PK = :pk AND begins_with(SK, :sk)")
            .expression_attribute_values(":pk", text(keys::user(tenant, user)))
            .expression_attribute_values(":sk", text(keys::CHALLENGE))
            .projection_expression("PK, SK")
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        for item in found.items.unwrap_or_default() {
            let change = self
                .client
                .update_item()
                .table_name(self.flow()?)
                .set_key(Some(item))
                .update_expression(expression)
                .condition_expression(condition);
            let change = names
                .iter()
                .fold(change, |change, (alias, name)| change.expression_attribute_names(*alias, *name));
            let change = values.iter().fold(change, |change, (name, value)| {
                change.expression_attribute_values(*name, value.clone())
            });
            // Stale: there is nothing to change.
            let _: Write = written("UpdateItem", past_transactions(|| change.clone().send()).await)?;
        }
        Ok(())
    }

    /// Rows of both tables as they are now, in any order; in one request, unless DynamoDB leaves some out.
    async fn items_of_both(&self, core: Vec<Item>, flow: Vec<Item>) -> PortResult<Vec<Item>> {
        let keys = |wanted: Vec<Item>| {
            KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build().map_err(corrupt)
        };
        let mut wanted =
            HashMap::from([(self.core()?.to_owned(), keys(core)?), (self.flow()?.to_owned(), keys(flow)?)]);
        let mut items = Vec::new();
        for _ in 0..ROUNDS {
            if wanted.is_empty() {
                return Ok(items);
            }
            let sent = self.client.batch_get_item().set_request_items(Some(wanted)).send().await;
            let got = sent.map_err(|error| sorted("BatchGetItem", &error))?;
            items.extend(got.responses.into_iter().flat_map(HashMap::into_values).flatten());
            wanted = got.unprocessed_keys.unwrap_or_default();
        }
        Err(PortError::new(Fault::Throttled, "BatchGetItem leaves keys unprocessed"))
    }
}
