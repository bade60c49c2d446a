//! Enrolments.

use otpost_domain::enrolment::Enrolment;
use otpost_domain::ids::BearerHash;
use otpost_service::ports::{EnrolmentStore, Journal, PortResult, Write};

use super::rows::EnrolmentRow;
use super::transaction::{Transaction, replaces};
use super::{DynamoStore, keys};

impl EnrolmentStore for DynamoStore {
    async fn enrolment(&self, link: &BearerHash) -> PortResult<Option<Enrolment>> {
        let row: Option<EnrolmentRow> = self.get(self.flow()?, keys::link(link), keys::LINK).await?;
        row.map(Enrolment::try_from).transpose()
    }

    async fn save_enrolment(&self, enrolment: &Enrolment, journal: &Journal) -> PortResult<Write> {
        let row = EnrolmentRow::from(enrolment);
        let saved = Transaction::default().put(self.flow()?, &row, replaces(enrolment.version))?;
        Ok(saved.commit(self, journal).await?.into())
    }
}
