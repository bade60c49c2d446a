//! Jobs. They share the indexes of messages: the one that lists, and the one that the sweep reads.

use otpost_domain::ids::{JobId, TenantId};
use otpost_domain::job::Job;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{JobRef, JobStore, Page, PageRequest, PortResult, Write};

use super::rows::JobRow;
use super::transaction::{Transaction, absent, replaces};
use super::{DynamoStore, Item, MESSAGES_BY_USER, OPEN_MESSAGES, keys, number, string, text};
use crate::fault::{corrupt, sorted};

impl Transaction {
    /// Records a job with the change that calls for it.
    pub(super) fn begin(self, store: &DynamoStore, job: Option<&Job>) -> PortResult<Self> {
        match job {
            Some(job) => self.put(store.flow()?, &JobRow::from(job), absent()),
            None => Ok(self),
        }
    }
}

impl JobStore for DynamoStore {
    async fn job(&self, job: &JobRef) -> PortResult<Option<Job>> {
        let row: Option<JobRow> = self.get(self.flow()?, keys::job(job), keys::JOB).await?;
        row.map(Job::try_from).transpose()
    }

    async fn jobs(&self, tenant: &TenantId, request: &PageRequest) -> PortResult<Page<Job>> {
        let after = request.after.as_deref().map(JobId::try_from).transpose().map_err(corrupt)?;
        let place = |id: &JobId| key(&JobRef { tenant: tenant.clone(), id: id.clone() });
        let start = after.map(|id| (place(&id), id.to_string()));
        let (ids, next) =
            self.listed_in_flow(MESSAGES_BY_USER, keys::jobs(tenant), start, request.limit).await?;
        let ids = ids
            .iter()
            .map(|id| JobId::try_from(id.as_str()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(corrupt)?;
        let rows: Vec<JobRow> = self.rows(self.flow()?, ids.iter().map(place).collect()).await?;
        Ok(Page { items: rows.into_iter().map(Job::try_from).collect::<PortResult<_>>()?, next })
    }

    async fn save_job(&self, job: &Job) -> PortResult<Write> {
        self.put(self.flow()?, &JobRow::from(job), replaces(job.version)).await
    }

    async fn jobs_due(&self, now: Timestamp, limit: usize) -> PortResult<Vec<JobRef>> {
        let found = self
            .client
            .query()
            .table_name(self.flow()?)
            .index_name(OPEN_MESSAGES)
            .key_condition_expression("open_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", text(keys::JOBS))
            .expression_attribute_values(":now", number(now.millis()))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .send()
            .await
            .map_err(|error| sorted("Query", &error))?;
        let found = found.items.unwrap_or_default();
        Ok(found.iter().filter_map(|item| keys::parse_job(string(item, "PK")?)).collect())
    }
}

fn key(job: &JobRef) -> Item {
    Item::from([("PK".to_owned(), text(keys::job(job))), ("SK".to_owned(), text(keys::JOB))])
}
