//! Gateways, and the record of their secrets.

use aws_sdk_dynamodb::types::AttributeValue;
use otpost_domain::gateway::{Gateway, Owner};
use otpost_service::ports::{GatewayChange, GatewaySecret, GatewayStore, Owned, PortResult, Write};

use super::rows::{GatewayRow, SecretRow};
use super::transaction::{Transaction, absent, item, replaces, unchanged};
use super::{DynamoStore, Item, keys, number, row, string, text};
use crate::fault::{corrupt, sorted};

/// What counts the changes of an owner's gateways.
const CHANGES: &str = "changes";

impl DynamoStore {
    /// All rows of an owner whose sort key begins with `prefix`; so few that one answer holds them.
    async fn few(&self, owner: &Owner, prefix: &str) -> PortResult<Vec<Item>> {
        let found = self
            .client
            .query()
            .table_name(self.core()?)
            .key_condition_expression("PK = :pk AND begins_with(SK, :prefix)")
            .expression_attribute_values(":pk", text(keys::owner(owner)))
            .expression_attribute_values(":prefix", text(prefix))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        if found.last_evaluated_key.is_some() {
            return Err(corrupt("an owner has more gateways or secrets than one answer holds"));
        }
        Ok(found.items.unwrap_or_default())
    }
}

impl GatewayStore for DynamoStore {
    /// The count comes before the gateways, so these are at least as new as it says.
    async fn owned(&self, owner: &Owner) -> PortResult<Owned> {
        let mut all = Owned::default();
        for item in self.few(owner, keys::GATEWAYS).await? {
            if string(&item, "SK") == Some(keys::GATEWAYS) {
                let changes = item.get(CHANGES).and_then(|changes| changes.as_n().ok()).map(|n| n.parse());
                all.changes = changes.and_then(Result::ok).ok_or_else(|| corrupt("a count does not read"))?;
            } else {
                all.gateways.push(Gateway::try_from(row::<GatewayRow>(item)?)?);
            }
        }
        Ok(all)
    }

    async fn change_gateways(&self, change: &GatewayChange<'_>) -> PortResult<Write> {
        let core = self.core()?;
        let mut all = Transaction::default().count(core, change)?;
        for gateway in &change.saved {
            let condition = if gateway.version == 1 { absent() } else { replaces(gateway.version) };
            all = all.put(core, &GatewayRow::from(*gateway), condition)?;
        }
        if let Some(gateway) = change.deleted {
            let sk = keys::gateway(&gateway.id);
            all = all.delete(core, (keys::owner(change.owner), &sk), Some(unchanged(gateway.version)))?;
        }
        Ok(all.commit(self, change.journal).await?.into())
    }

    async fn note_secret(&self, secret: &GatewaySecret) -> PortResult<()> {
        let put = self.client.put_item().table_name(self.core()?);
        let put = put.set_item(Some(item(&SecretRow::from(secret))?));
        put.send().await.map(drop).map_err(|error| sorted("PutItem", &error))
    }

    async fn noted_secrets(&self, owner: &Owner) -> PortResult<Vec<GatewaySecret>> {
        let items = self.few(owner, keys::SECRET).await?;
        items.into_iter().map(|item| row::<SecretRow>(item)?.try_into()).collect()
    }

    async fn forget_secret(&self, secret: &GatewaySecret) -> PortResult<()> {
        let delete = self.client.delete_item().table_name(self.core()?);
        let delete = delete.key("PK", text(keys::owner(&secret.owner))).key("SK", text(keys::secret(secret)));
        delete.send().await.map(drop).map_err(|error| sorted("DeleteItem", &error))
    }
}

impl Transaction {
    /// Counts a change of an owner's gateways, if none came between.
    fn count(self, core: &str, change: &GatewayChange<'_>) -> PortResult<Self> {
        let key = (keys::owner(change.owner), keys::GATEWAYS);
        let next: (&str, AttributeValue) = (":next", number(change.seen.saturating_add(1)));
        let names = [("#changes", CHANGES)];
        let set = "SET #changes = :next";
        match change.seen {
            0 => self.update(core, key, set, "attribute_not_exists(PK)", &names, vec![next]),
            seen => {
                self.update(core, key, set, "#changes = :seen", &names, vec![next, (":seen", number(seen))])
            }
        }
    }
}
