//! Tokens, their pushes and their activations.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::ids::{Serial, TenantId, UserId};
use otpost_domain::token::{SealedSeed, Token, TokenState};
use otpost_service::ports::{
    Activation, Journal, Page, PageRequest, PortResult, Provisioning, Push, Subject, TokenStore,
    VerificationStore as _, Write,
};

use super::rows::{EnrolmentRow, MessageRow, PointerRow, TokenRow};
use super::transaction::{Committed, Transaction, absent, replaces};
use super::{DynamoStore, keys, number, text, written};

impl DynamoStore {
    pub(super) async fn pointer(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<PointerRow>> {
        self.get(self.core()?, keys::pointer(tenant, serial), keys::POINTER).await
    }

    fn pushing(&self, push: &Push<'_>) -> PortResult<Transaction> {
        Transaction::default()
            .put(self.core()?, &TokenRow::from(push.token), replaces(push.token.version))?
            .put(self.flow()?, &EnrolmentRow::from(push.enrolment), absent())?
            .put(self.flow()?, &MessageRow::from(push.message), absent())
    }
}

impl TokenStore for DynamoStore {
    async fn provision(&self, token: &Token, seen: u64, journal: &Journal) -> PortResult<Provisioning> {
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
        Ok(match made.commit(self, journal).await? {
            Committed::Done => Provisioning::Done,
            Committed::Refused(parts) if parts.contains(&0) => Provisioning::Stale,
            Committed::Refused(_) => Provisioning::SerialTaken,
        })
    }

    async fn token(&self, tenant: &TenantId, serial: &Serial) -> PortResult<Option<Token>> {
        let core = self.core()?;
        // Twice, should the token be revoked between the two reads: its row has moved then.
        for _ in 0..2 {
            let Some(pointer) = self.pointer(tenant, serial).await? else { return Ok(None) };
            let pk = keys::user(tenant, &pointer.user()?);
            let row: Option<TokenRow> = self.get(core, pk, pointer.place()).await?;
            if let Some(row) = row {
                return Token::try_from(row).map(Some);
            }
        }
        Ok(None)
    }

    async fn tokens(&self, tenant: &TenantId, user: &UserId) -> PortResult<Vec<Token>> {
        Ok(self.standing(tenant, &Subject::User(user.clone())).await?.tokens)
    }

    async fn revoked_tokens(
        &self,
        tenant: &TenantId,
        user: &UserId,
        request: &PageRequest,
    ) -> PortResult<Page<Token>> {
        let page: Page<TokenRow> = self.page(keys::user(tenant, user), keys::REVOKED, request).await?;
        let items = page.items.into_iter().map(Token::try_from).collect::<PortResult<_>>()?;
        Ok(Page { items, next: page.next })
    }

    async fn forget_revoked(&self, tokens: &[Token], journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let mut gone = Transaction::default();
        for token in tokens {
            let pk = keys::user(&token.tenant, &token.user);
            let there = Some(("attribute_exists(PK)", Vec::new()));
            gone = gone.delete(core, (pk, &keys::revoked(&token.serial)), there)?.delete(
                core,
                (keys::pointer(&token.tenant, &token.serial), keys::POINTER),
                None,
            )?;
        }
        Ok(gone.commit(self, journal).await?.into())
    }

    async fn change_token(&self, token: &Token, journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let pk = || keys::user(&token.tenant, &token.user);
        let row = TokenRow::from(token);
        let serial = token.serial.as_str();
        let changed = match &token.state {
            TokenState::Revoked { .. } => Transaction::default()
                .delete(core, (pk(), &keys::token(&token.serial)), Some(replaces(token.version)))?
                .put(core, &row, absent())?
                .put(core, &PointerRow::to(token), ("attribute_exists(PK)", Vec::new()))?
                .update(
                    core,
                    (pk(), keys::AUTH),
                    "REMOVE live.#serial",
                    "attribute_exists(PK)",
                    &[("#serial", serial)],
                    Vec::new(),
                )?,
            state => {
                let (follow, values) = match state {
                    TokenState::Suspended { .. } => {
                        ("SET live.#serial.off = :true", vec![(":true", AttributeValue::Bool(true))])
                    }
                    _ => ("REMOVE live.#serial.off", Vec::new()),
                };
                let live = "attribute_exists(live.#serial)";
                Transaction::default().put(core, &row, replaces(token.version))?.update(
                    core,
                    (pk(), keys::AUTH),
                    follow,
                    live,
                    &[("#serial", serial)],
                    values,
                )?
            }
        };
        Ok(changed.commit(self, journal).await?.into())
    }

    async fn reseal(&self, token: &Token, old: &SealedSeed, new: &SealedSeed) -> PortResult<Write> {
        let bytes = |seed: &SealedSeed| AttributeValue::B(Blob::new(seed.0.clone()));
        let sent = self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::user(&token.tenant, &token.user)))
            .key("SK", text(keys::token(&token.serial)))
            .update_expression("SET seed = :new")
            .condition_expression("seed = :old")
            .expression_attribute_values(":new", bytes(new))
            .expression_attribute_values(":old", bytes(old))
            .send()
            .await;
        written("UpdateItem", sent)
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
        match pushing.commit(self, push.journal).await? {
            // Only the older link's row is gone, which its time to live has taken: there is nothing to supersede.
            Committed::Refused(parts) if parts == [3] && push.superseded.is_some() => {
                Ok(self.pushing(push)?.commit(self, push.journal).await?.into())
            }
            committed => Ok(committed.into()),
        }
    }

    async fn activate(&self, activation: &Activation<'_>) -> PortResult<Write> {
        let Activation { token, enrolment, step, drift, journal } = *activation;
        let floor = HashMap::from([("s".to_owned(), number(step)), ("d".to_owned(), number(drift))]);
        let activated = Transaction::default()
            .put(self.core()?, &TokenRow::from(token), replaces(token.version))?
            .put(self.flow()?, &EnrolmentRow::from(enrolment), replaces(enrolment.version))?
            .update(
                self.core()?,
                (keys::user(&token.tenant, &token.user), keys::AUTH),
                "SET live.#serial = :floor",
                "attribute_exists(PK) AND attribute_not_exists(decoy) AND active = :true",
                &[("#serial", token.serial.as_str())],
                vec![(":floor", AttributeValue::M(floor)), (":true", AttributeValue::Bool(true))],
            )?;
        Ok(activated.commit(self, journal).await?.into())
    }
}
