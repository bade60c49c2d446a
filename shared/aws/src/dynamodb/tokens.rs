//! Tokens, their pushes and their activations.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::audit::AuditEntry;
use otpost_domain::ids::{Serial, TenantId, UserId};
use otpost_domain::token::Token;
use otpost_service::ports::{
    Activation, PortResult, Provisioning, Push, TokenStore, VerificationStore as _, Write,
};

use super::rows::{EnrolmentRow, MessageRow, PointerRow, TokenRow};
use super::transaction::{Committed, Transaction, absent, replaces};
use super::{DynamoStore, keys, number, text};

impl DynamoStore {
    fn pushing(&self, push: &Push<'_>) -> PortResult<Transaction> {
        Transaction::default()
            .put(self.core()?, &TokenRow::from(push.token), replaces(push.token.version))?
            .put(self.flow()?, &EnrolmentRow::from(push.enrolment), absent())?
            .put(self.flow()?, &MessageRow::from(push.message), absent())
    }
}

impl TokenStore for DynamoStore {
    async fn provision(&self, token: &Token, seen: u64, audit: &AuditEntry) -> PortResult<Provisioning> {
        let core = self.core()?;
        let made = Transaction::default()
            .update(
                core,
                (keys::user(&token.tenant, &token.user), keys::USER),
                "SET ver = ver + :one",
                "ver = :seen",
                &[],
                vec![(":one", number(1)), (":seen", number(seen))],
            )?
            .put(core, &TokenRow::from(token), absent())?
            .put(core, &PointerRow::to(token), absent())?;
        Ok(match made.commit(self, audit).await? {
            Committed::Done => Provisioning::Done,
            Committed::Refused(parts) if parts.contains(&0) => Provisioning::Stale,
            Committed::Refused(_) => Provisioning::SerialTaken,
        })
    }

    async fn token(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<Token>> {
        let core = self.core()?;
        let pointer: Option<PointerRow> =
            self.get(core, keys::pointer(tenant, serial), keys::POINTER).await?;
        let Some(pointer) = pointer else { return Ok(None) };
        let pk = keys::user(tenant, &pointer.user()?);
        let row: Option<TokenRow> = self.get(core, pk, &keys::token(serial)).await?;
        row.map(Token::try_from).transpose()
    }

    async fn tokens(&self, tenant: &TenantId, user: &UserId) -> PortResult<Vec<Token>> {
        Ok(self.standing(tenant, user).await?.tokens)
    }

    async fn push(&self, push: &Push<'_>) -> PortResult<Write> {
        let mut pushing = self.pushing(push)?;
        if let Some(old) = push.superseded {
            pushing = pushing.update(
                self.flow()?,
                (keys::link(old), keys::LINK),
                "SET st = :superseded, ended = :now, #sessions = :none, ver = ver + :one",
                "attribute_exists(PK)",
                &[("#sessions", "sessions")],
                vec![
                    (":superseded", text("superseded")),
                    (":now", number(push.enrolment.created_at.millis())),
                    (":none", AttributeValue::L(Vec::new())),
                    (":one", number(1)),
                ],
            )?;
        }
        match pushing.commit(self, push.audit).await? {
            // Only the older link's row is gone, which its time to live has taken: there is nothing to supersede.
            Committed::Refused(parts) if parts == [3] && push.superseded.is_some() => {
                Ok(self.pushing(push)?.commit(self, push.audit).await?.into())
            }
            committed => Ok(committed.into()),
        }
    }

    async fn activate(&self, activation: &Activation<'_>) -> PortResult<Write> {
        let Activation { token, enrolment, step, drift, audit } = *activation;
        let floor = HashMap::from([("s".to_owned(), number(step)), ("d".to_owned(), number(drift))]);
        let activated = Transaction::default()
            .put(self.core()?, &TokenRow::from(token), replaces(token.version))?
            .put(self.flow()?, &EnrolmentRow::from(enrolment), replaces(enrolment.version))?
            .update(
                self.core()?,
                (keys::user(&token.tenant, &token.user), keys::AUTH),
                "SET live.#serial = :floor",
                "attribute_exists(PK) AND attribute_not_exists(decoy)",
                &[("#serial", token.serial.as_str())],
                vec![(":floor", AttributeValue::M(floor))],
            )?;
        Ok(activated.commit(self, audit).await?.into())
    }
}
