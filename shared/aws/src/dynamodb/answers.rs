//! Answers that are kept for repeated requests, and signatures' nonces.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use otpost_domain::ids::BearerHash;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    ANSWER_LIFE, AnswerStore, NonceStore, PortResult, Reserved, SLOT_LEASE, Slot, Write,
};

use super::rows::AnswerRow;
use super::transaction::item;
use super::{DynamoStore, keys, number, row, text, written};
use crate::fault::sorted;

impl AnswerStore for DynamoStore {
    async fn reserve(&self, slot: &Slot) -> PortResult<Reserved> {
        let before = |span: std::time::Duration| {
            number(slot.at.millis().saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
        };
        let sent = self
            .client
            .put_item()
            .table_name(self.flow()?)
            .set_item(Some(item(&AnswerRow::from(slot))?))
            .condition_expression(
                "attribute_not_exists(PK) OR #at <= :forgotten OR \
                 (#request = :request AND attribute_not_exists(sealed) AND attribute_not_exists(#clear) AND \
                  (#at <= :over OR holder = :holder))",
            )
            .expression_attribute_names("#at", "at")
            .expression_attribute_names("#request", "request")
            .expression_attribute_names("#clear", "clear")
            .expression_attribute_values(":forgotten", before(ANSWER_LIFE))
            .expression_attribute_values(":over", before(SLOT_LEASE))
            .expression_attribute_values(":request", text(slot.request.as_str()))
            .expression_attribute_values(":holder", text(slot.holder.clone()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Reserved::Held),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => {
                    let held: Option<AnswerRow> = refused.item.clone().map(row).transpose()?;
                    let gone = Reserved::Running { until: slot.at.plus(SLOT_LEASE) };
                    Ok(held.map_or(gone, |held| held.tells(&slot.request)))
                }
                _ => Err(sorted("PutItem", &error)),
            },
        }
    }

    async fn release(&self, slot: &Slot) -> PortResult<()> {
        let sent = self
            .client
            .delete_item()
            .table_name(self.flow()?)
            .key("PK", text(keys::answer(slot)))
            .key("SK", text(keys::ANSWER))
            .condition_expression(
                "holder = :holder AND attribute_not_exists(sealed) AND attribute_not_exists(#clear)",
            )
            .expression_attribute_names("#clear", "clear")
            .expression_attribute_values(":holder", text(slot.holder.clone()))
            .send()
            .await;
        // Stale: it is somebody else's, or filled.
        written("DeleteItem", sent).map(|_| ())
    }
}

impl NonceStore for DynamoStore {
    async fn take_nonce(
        &self,
        device: &BearerHash,
        nonce: &str,
        holder: &str,
        until: Timestamp,
    ) -> PortResult<Write> {
        let sent = self
            .client
            .put_item()
            .table_name(self.flow()?)
            .item("PK", text(keys::nonce(device, nonce)))
            .item("SK", text(keys::NONCE))
            .item("holder", text(holder))
            .item("ttl", number(until.seconds()))
            // Ours again: the answer was lost, and the SDK has sent it once more.
            .condition_expression("attribute_not_exists(PK) OR holder = :holder")
            .expression_attribute_values(":holder", text(holder))
            .send()
            .await;
        written("PutItem", sent)
    }
}
