//! Directories, what is remembered of people, and how many users change by themselves.

use aws_sdk_dynamodb::types::Select;
use otpost_domain::directory::{Directory, Mark, SyncRun};
use otpost_domain::ids::{DirectoryId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::provisioning::MassChange;
use otpost_domain::tenant::Keeper;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{
    Counted, DirectoryStore, Journal, MarkChange, MassChangeStore, MassChanges, Page, PageRequest,
    PortResult, Write,
};

use super::rows::{DirectoryRow, MarkRow, MassChangesRow};
use super::transaction::{Condition, Transaction, absent, replaces};
use super::{DynamoStore, USERS_BY_TENANT, keys, number, read, text, written};
use crate::fault::sorted;

impl Transaction {
    /// Remembers what a directory has told of a person.
    pub(super) fn remember(
        self,
        store: &DynamoStore,
        tenant: &TenantId,
        change: Option<&MarkChange>,
    ) -> PortResult<Self> {
        match change {
            Some(change) => self.put(store.core()?, &MarkRow::of(tenant, change), replaced(change)),
            None => Ok(self),
        }
    }
}

/// The mark of the version before is there, or none if this is the first. (One whose time is over may be gone.)
fn replaced(change: &MarkChange) -> Condition<'static> {
    match change.mark.version {
        1 => absent(),
        version => replaces(version),
    }
}

impl DirectoryStore for DynamoStore {
    async fn create_directory(&self, directory: &Directory, journal: &Journal) -> PortResult<Write> {
        let made = Transaction::default().put(self.core()?, &DirectoryRow::from(directory), absent())?;
        Ok(made.commit(self, journal).await?.into())
    }

    async fn directory(&self, id: &DirectoryId) -> PortResult<Option<Directory>> {
        let pk = keys::DIRECTORIES.to_owned();
        let row: Option<DirectoryRow> = self.get(self.core()?, pk, id.as_str()).await?;
        row.map(Directory::try_from).transpose()
    }

    async fn directories(&self, request: &PageRequest) -> PortResult<Page<Directory>> {
        read::<DirectoryRow, _>(self.page(keys::DIRECTORIES.to_owned(), "", request).await?)
    }

    async fn delete_directory(&self, directory: &Directory, journal: &Journal) -> PortResult<Write> {
        let key = (keys::DIRECTORIES.to_owned(), directory.id.as_str());
        let there = Some(("attribute_exists(PK)", Vec::new()));
        let deleted = Transaction::default().delete(self.core()?, key, there)?;
        Ok(deleted.commit(self, journal).await?.into())
    }

    async fn save_run(&self, id: &DirectoryId, run: &SyncRun) -> PortResult<Write> {
        let update = self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::DIRECTORIES))
            .key("SK", text(id.as_str()))
            .condition_expression(
                "attribute_exists(PK) AND (attribute_not_exists(run_ver) OR run_ver < :ver)",
            )
            .expression_attribute_values(":ver", number(run.version))
            .expression_attribute_values(":began", number(run.started_at.millis()));
        let update = match run.users {
            Some(users) => update
                .update_expression("SET run_ver = :ver, run_began = :began, run_users = :users")
                .expression_attribute_values(":users", number(users)),
            None => update.update_expression("SET run_ver = :ver, run_began = :began REMOVE run_users"),
        };
        written("UpdateItem", update.send().await)
    }

    async fn mark(&self, tenant: &TenantId, keeper: &Keeper) -> PortResult<Option<Mark>> {
        let row: Option<MarkRow> = self.get(self.core()?, keys::mark(tenant, keeper), keys::MARK).await?;
        row.map(Mark::try_from).transpose()
    }

    async fn save_mark(&self, tenant: &TenantId, change: &MarkChange) -> PortResult<Write> {
        self.put(self.core()?, &MarkRow::of(tenant, change), replaced(change)).await
    }
}

impl MassChangeStore for DynamoStore {
    async fn mass_changes(&self, tenant: &TenantId) -> PortResult<MassChanges> {
        let row: Option<MassChangesRow> =
            self.get(self.core()?, keys::tenant(tenant), keys::MASS_CHANGES).await?;
        Ok(row.unwrap_or_default().into())
    }

    async fn count_users(&self, tenant: &TenantId, most: u64) -> PortResult<u64> {
        let mut counted = 0;
        let mut start = None;
        loop {
            let found = self
                .client
                .query()
                .table_name(self.core()?)
                .index_name(USERS_BY_TENANT)
                .key_condition_expression("users_of = :tenant")
                .expression_attribute_values(":tenant", text(tenant.as_str()))
                .select(Select::Count)
                .set_exclusive_start_key(start.take())
                .send()
                .await
                .map_err(|error| sorted("Query", &error))?;
            counted += u64::try_from(found.count()).unwrap_or_default();
            start = found.last_evaluated_key;
            if start.is_none() || counted >= most {
                return Ok(counted.min(most));
            }
        }
    }

    async fn begin_hour(&self, tenant: &TenantId, hour: u64, users: u64) -> PortResult<()> {
        let begun = self
            .client
            .update_item()
            .table_name(self.core()?)
            .key("PK", text(keys::tenant(tenant)))
            .key("SK", text(keys::MASS_CHANGES))
            .update_expression("SET #hour = :hour, #users = :users, pushes = :none, revocations = :none")
            .condition_expression("attribute_not_exists(#hour) OR #hour < :hour")
            .expression_attribute_names("#hour", "hour")
            .expression_attribute_names("#users", "users")
            .expression_attribute_values(":hour", number(hour))
            .expression_attribute_values(":users", number(users))
            .expression_attribute_values(":none", number(0))
            .send()
            .await;
        // Stale: somebody else has begun it.
        written("UpdateItem", begun).map(|_| ())
    }

    async fn count(
        &self,
        tenant: &TenantId,
        kind: MassChange,
        limit: u64,
        at: Timestamp,
    ) -> PortResult<Counted> {
        let (done, held) = match kind {
            MassChange::Pushes => ("pushes", "held_pushes"),
            MassChange::Revocations => ("revocations", "held_revocations"),
        };
        let update = |expression: &str, condition: &str| {
            let update = self.client.update_item().key("PK", text(keys::tenant(tenant)));
            update
                .key("SK", text(keys::MASS_CHANGES))
                .update_expression(expression)
                .condition_expression(condition)
                .expression_attribute_names("#hour", "hour")
                .expression_attribute_values(":hour", number(at.hours()))
                .expression_attribute_values(":one", number(1))
        };
        let counted = update(&format!("ADD {done} :one"), &format!("#hour = :hour AND {done} < :limit"))
            .expression_attribute_values(":limit", number(limit))
            .table_name(self.core()?)
            .send()
            .await;
        if written("UpdateItem", counted)? == Write::Done {
            return Ok(Counted::Passes);
        }
        let counted = update(
            &format!("SET held_since = if_not_exists(held_since, :now) ADD {held} :one"),
            &format!("#hour = :hour AND {done} >= :limit"),
        )
        .expression_attribute_values(":limit", number(limit))
        .expression_attribute_values(":now", number(at.millis()))
        .table_name(self.core()?)
        .send()
        .await;
        Ok(match written("UpdateItem", counted)? {
            Write::Done => Counted::Held,
            Write::Stale => Counted::NewHour,
        })
    }

    async fn let_go(&self, tenant: &TenantId, job: &Job, journal: &Journal) -> PortResult<Write> {
        let released = Transaction::default().update(
            self.core()?,
            (keys::tenant(tenant), keys::MASS_CHANGES),
            "REMOVE held_pushes, held_revocations, held_since",
            "attribute_not_exists(PK) OR attribute_exists(PK)",
            &[],
            Vec::new(),
        )?;
        Ok(released.begin(self, Some(job))?.commit(self, journal).await?.into())
    }
}
