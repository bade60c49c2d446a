//! Deletions of tenants.
//!
//! A tenant's rows are found by looking at every row of both tables: no list of kinds can be behind the code that way.
//! See `docs/adr/0021`.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use otpost_domain::ids::TenantId;
use otpost_domain::job::{Job, Stepped};
use otpost_domain::tenant::Tombstone;
use otpost_service::ports::{ErasureStore, Fault, JobRef, Journal, PortError, PortResult, Write};
use serde::{Deserialize, Serialize};

use super::rows::{JobRow, ListedRow, TombstoneRow};
use super::transaction::{Condition, Transaction, pause_before, replaces};
use super::{DynamoStore, Item, ROUNDS, keys, string, text};
use crate::fault::{corrupt, sorted};

/// How many rows one request looks at: so few that they can be deleted in about half a second, if all are the tenant's.
const LOOKED_AT: i32 = 500;
/// How many rows `BatchWriteItem` deletes at once.
const BATCH: usize = 25;

/// Whose a row is: by its key, or by what it says. The platform's own rows stay, whomever they speak of.
const IS_THEIRS: &str = "PK = :own OR begins_with(PK, :under) \
    OR (#tenant = :tenant AND NOT begins_with(PK, :platform))";

/// Where a round has come to.
#[derive(Deserialize, Serialize)]
struct Place {
    table: Table,
    /// Partition and sort key of the last row that was looked at; none before the first.
    behind: Option<(String, String)>,
}

/// The tables in the order in which they are gone through: what can still be sent or used first.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Table {
    Flow,
    Core,
}

impl Place {
    fn read(after: Option<&str>) -> PortResult<Self> {
        match after {
            None => Ok(Self { table: Table::Flow, behind: None }),
            Some(after) => serde_json::from_str(after).map_err(corrupt),
        }
    }

    /// The place behind `last`, or where the next table begins.
    fn next(self, last: Option<&Item>) -> PortResult<Option<String>> {
        let behind =
            last.and_then(|last| Some((string(last, "PK")?.to_owned(), string(last, "SK")?.to_owned())));
        let next = match (behind, self.table) {
            (Some(behind), table) => Self { table, behind: Some(behind) },
            (None, Table::Flow) => Self { table: Table::Core, behind: None },
            (None, Table::Core) => return Ok(None),
        };
        serde_json::to_string(&next).map(Some).map_err(corrupt)
    }

    fn start(&self) -> Option<Item> {
        self.behind.as_ref().map(|(pk, sk)| key(pk.clone(), sk.clone()))
    }
}

fn key(pk: String, sk: String) -> Item {
    Item::from([("PK".to_owned(), text(pk)), ("SK".to_owned(), text(sk))])
}

/// The tombstone that this job has written.
fn own_tombstone(job: &Job) -> Condition<'static> {
    ("job = :job", vec![(":job", text(job.id.as_str()))])
}

impl DynamoStore {
    /// Deletes rows by their keys, those that are gone too.
    async fn delete_rows(&self, table: &str, found: Vec<Item>) -> PortResult<()> {
        for batch in found.chunks(BATCH) {
            let mut wanted = batch.iter().cloned().map(deletion).collect::<PortResult<Vec<_>>>()?;
            for round in 1.. {
                let sent = self.client.batch_write_item().request_items(table, wanted).send().await;
                let sent = sent.map_err(|error| sorted("BatchWriteItem", &error))?;
                wanted = sent.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
                if wanted.is_empty() {
                    break;
                }
                if round == ROUNDS {
                    return Err(PortError::new(Fault::Throttled, "BatchWriteItem leaves rows unprocessed"));
                }
                pause_before(u32::try_from(round).unwrap_or(u32::MAX)).await;
            }
        }
        Ok(())
    }

    /// Tells of a job's step in the tombstone.
    fn told(&self, job: &Job, step: Transaction) -> PortResult<Transaction> {
        step.put(self.core()?, &TombstoneRow::from(&Tombstone::from(job)), own_tombstone(job))
    }
}

fn deletion(key: Item) -> PortResult<WriteRequest> {
    let delete = DeleteRequest::builder().set_key(Some(key)).build().map_err(corrupt)?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}

impl ErasureStore for DynamoStore {
    async fn delete_tenant(&self, job: &Job, journal: &Journal) -> PortResult<Write> {
        let core = self.core()?;
        let there = ("attribute_exists(PK)", Vec::new());
        let lives = ("attribute_exists(PK) AND attribute_not_exists(deleted)", Vec::new());
        let deleted = Transaction::default()
            .delete(core, (keys::tenant(&job.tenant), keys::META), Some(there))?
            .put(core, &TombstoneRow::from(&Tombstone::from(job)), lives)?
            .begin(self, Some(job))?;
        Ok(deleted.commit(self, journal).await?.into())
    }

    async fn tombstone(&self, id: &TenantId) -> PortResult<Option<Tombstone>> {
        let row: Option<ListedRow> = self.get(self.core()?, keys::TENANTS.to_owned(), id.as_str()).await?;
        match row {
            Some(ListedRow::Deleted(row)) => Tombstone::try_from(row).map(Some),
            Some(ListedRow::Tenant(_)) | None => Ok(None),
        }
    }

    async fn erase(&self, job: &JobRef, after: Option<&str>) -> PortResult<Stepped> {
        let place = Place::read(after)?;
        let table = match place.table {
            Table::Flow => self.flow()?,
            Table::Core => self.core()?,
        };
        // Not consistent, which would cost twice as much: what it misses is found by the second round.
        let found = self
            .client
            .scan()
            .table_name(table)
            .filter_expression(IS_THEIRS)
            .projection_expression("PK, SK")
            .expression_attribute_names("#tenant", "tenant")
            .expression_attribute_values(":own", text(keys::tenant(&job.tenant)))
            .expression_attribute_values(":under", text(keys::under(&job.tenant)))
            .expression_attribute_values(":tenant", text(job.tenant.as_str()))
            .expression_attribute_values(":platform", text(keys::PLATFORM_ROWS))
            .set_exclusive_start_key(place.start())
            .limit(LOOKED_AT)
            .send()
            .await
            .map_err(|error| sorted("Scan", &error))?;
        let mut rows = found.items.unwrap_or_default();
        let own = keys::job(job);
        rows.retain(|row| string(row, "PK") != Some(own.as_str()));
        let changed = rows.len() as u64;
        self.delete_rows(table, rows).await?;
        let next = place.next(found.last_evaluated_key.as_ref())?;
        Ok(Stepped { seen: u64::try_from(found.scanned_count).unwrap_or_default(), changed, next })
    }

    async fn save_erasure(&self, job: &Job) -> PortResult<Write> {
        let saved = Transaction::default().put(self.flow()?, &JobRow::from(job), replaces(job.version))?;
        Ok(self.told(job, saved)?.commit_without_journal(self).await?.into())
    }

    async fn end_erasure(&self, job: &Job, journal: &Journal) -> PortResult<Write> {
        let place = (keys::job(&JobRef::from(job)), keys::JOB);
        let ended = Transaction::default().delete(self.flow()?, place, Some(replaces(job.version)))?;
        Ok(self.told(job, ended)?.commit(self, journal).await?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_goes_through_both_tables() {
        let last = key("T#acme#U#\"a\"".to_owned(), "A".to_owned());
        let place = |text: &Option<String>| Place::read(text.as_deref()).unwrap();
        let mut after = None;
        assert!(place(&after).table == Table::Flow && place(&after).start().is_none());
        after = place(&after).next(Some(&last)).unwrap();
        assert!(place(&after).table == Table::Flow && place(&after).start() == Some(last.clone()));
        after = place(&after).next(None).unwrap();
        assert!(place(&after).table == Table::Core && place(&after).start().is_none());
        after = place(&after).next(Some(&last)).unwrap();
        assert!(place(&after).table == Table::Core && place(&after).start() == Some(last));
        assert_eq!(place(&after).next(None).unwrap(), None);
        assert!(Place::read(Some("elsewhere")).is_err());
    }
}
