//! The helpdesk's shares and passwords.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use otpost_domain::challenge::{Guess, Place};
use otpost_domain::ids::{BearerHash, TenantId};
use otpost_service::ports::{
    ChallengeStore as _, CodeRead, Fault, HelpdeskStore, Journal, PasswordText, PortError, PortResult, Share,
    ShareLeft, Write,
};

use super::challenges::{COUNT, counts, guessed};
use super::rows::MessageRow;
use super::transaction::{Committed, Transaction, absent, past_transactions};
use super::{DynamoStore, keys, number, text};
use crate::fault::sorted;

/// Seconds for which an hour's count is kept after it has begun.
const COUNTED_FOR: u64 = 2 * 3600;

impl HelpdeskStore for DynamoStore {
    async fn count_share(&self, share: &Share<'_>) -> PortResult<ShareLeft> {
        // A name is not to be found in the table: it is somebody's.
        let name = share.operator.as_str().to_lowercase();
        let hash = BearerHash::of(&[b"helpdesk", share.tenant.as_str().as_bytes(), name.as_bytes()]);
        // Short: as many names as there are shares have room in a row.
        let own = format!("o_{}", hash.as_str().chars().take(12).collect::<String>());
        let place = HashMap::from([
            ("PK".to_owned(), text(keys::share(share))),
            ("SK".to_owned(), text(keys::SHARE)),
        ]);
        let count = self
            .client
            .update_item()
            .table_name(self.flow()?)
            .set_key(Some(place))
            .update_expression("SET #ttl = :ttl ADD sent :one, #own :one")
            .condition_expression(
                "(attribute_not_exists(#own) OR #own < :most) AND (attribute_not_exists(sent) OR sent < :all)",
            )
            .expression_attribute_names("#own", &own)
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ttl", number(share.hour * 3600 + COUNTED_FOR))
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":most", number(share.most))
            .expression_attribute_values(":all", number(share.most_of_key))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match past_transactions(|| count.clone().send()).await {
            Ok(_) => Ok(ShareLeft::Counted),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let spent = failed.item().and_then(|item| item.get(&own));
                    let spent = spent.and_then(|spent| spent.as_n().ok()?.parse::<u32>().ok());
                    let own = spent.is_some_and(|spent| spent >= share.most);
                    Ok(if own { ShareLeft::Operators } else { ShareLeft::Keys })
                }
                _ => Err(sorted("UpdateItem", &error)),
            },
        }
    }

    async fn read_back(
        &self,
        tenant: &TenantId,
        place: &Place,
        guess: &Guess,
        journal: &Journal,
    ) -> PortResult<CodeRead> {
        let (pk, sk) = (keys::addressee(tenant, &place.addressee), keys::challenge(place));
        let counted = Transaction::default().update(
            self.flow()?,
            (pk, &sk),
            COUNT,
            &format!("{} AND mac = :mac", counts()),
            &[("#exp", "exp")],
            guessed(place, guess),
        )?;
        if counted.commit(self, journal).await? == Committed::Done {
            return Ok(CodeRead::Accepted { at: guess.at });
        }
        let Some(there) = self.challenge(tenant, place).await? else { return Ok(CodeRead::Refused) };
        // It would count by what is read here, and did not: the count of wrong codes was forgotten meanwhile.
        let known = there.judge(guess).uncounted(&there);
        known.map(CodeRead::from).ok_or_else(|| PortError::new(Fault::Throttled, "a guess was overtaken"))
    }

    async fn send_password(&self, tenant: &TenantId, password: &PasswordText<'_>) -> PortResult<Write> {
        let PasswordText { place, generation, message, journal } = *password;
        let at = (keys::addressee(tenant, &place.addressee), keys::challenge(place));
        let generation = AttributeValue::B(Blob::new(generation.0));
        let sent = Transaction::default()
            .update(
                self.flow()?,
                (at.0, &at.1),
                "SET spent = :true",
                "generation = :generation AND guess = mac AND attribute_not_exists(spent)",
                &[],
                vec![(":generation", generation), (":true", AttributeValue::Bool(true))],
            )?
            .put(self.flow()?, &MessageRow::from(message), absent())?;
        Ok(sent.commit(self, journal).await?.into())
    }
}
