//! Users, each with the auth row beside it.

use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::ids::{TenantId, UserId};
use otpost_domain::tenant::User;
use otpost_domain::token::Token;
use otpost_service::ports::{Journal, PortResult, UserStore, Write};

use super::rows::{AuthItem, UserRow};
use super::transaction::{Transaction, absent, replaces, unchanged};
use super::{DynamoStore, keys};

impl UserStore for DynamoStore {
    async fn create_user(&self, user: &User, journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let decoy_may_go =
            ("attribute_not_exists(PK) OR decoy = :true", vec![(":true", AttributeValue::Bool(true))]);
        let made = Transaction::default().put(core, &UserRow::from(user), absent())?.put(
            core,
            &AuthItem::of_new_user(user),
            decoy_may_go,
        )?;
        Ok(made.commit(self, journal).await?.into())
    }

    async fn user(&self, tenant: &TenantId, id: &UserId) -> PortResult<Option<User>> {
        let row: Option<UserRow> = self.get(self.core()?, keys::user(tenant, id), keys::USER).await?;
        row.map(User::try_from).transpose()
    }

    async fn update_user(&self, user: &User, journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let changed =
            Transaction::default().put(core, &UserRow::from(user), replaces(user.version))?.update(
                core,
                (keys::user(&user.tenant, &user.id), keys::AUTH),
                "SET active = :active",
                "attribute_exists(PK)",
                &[],
                vec![(":active", AttributeValue::Bool(user.active))],
            )?;
        Ok(changed.commit(self, journal).await?.into())
    }

    async fn delete_user(&self, user: &User, tokens: &[Token], journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let pk = keys::user(&user.tenant, &user.id);
        let mut gone = Transaction::default()
            .delete(core, (pk.clone(), keys::USER), Some(unchanged(user.version)))?
            .delete(core, (pk.clone(), keys::AUTH), None)?;
        for token in tokens {
            gone = gone
                .delete(core, (pk.clone(), &keys::token(&token.serial)), Some(unchanged(token.version)))?
                .delete(core, (keys::pointer(&token.tenant, &token.serial), keys::POINTER), None)?;
        }
        Ok(gone.commit(self, journal).await?.into())
    }
}
