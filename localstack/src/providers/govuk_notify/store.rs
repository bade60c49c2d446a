//! The texts that were taken, while the stand-in runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use otpost_domain::time::Timestamp;
use serde_json::{Value, json};

/// A text that was taken.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) service: String,
    pub(super) reference: Option<String>,
    /// As it was given.
    pub(super) number: String,
    pub(super) template: String,
    pub(super) body: String,
    pub(super) status: &'static str,
    /// In seconds of the Unix epoch.
    pub(super) at: u64,
}

impl Row {
    /// As it is told to who asks for it.
    pub(super) fn told(&self, host: &str) -> Value {
        let at = Timestamp::from_seconds(self.at).rfc3339();
        json!({
            "id": self.id,
            "reference": self.reference,
            "type": "sms",
            "status": self.status,
            "phone_number": self.number,
            "email_address": null,
            "template": self.template(host),
            "body": self.body,
            "subject": null,
            "created_at": at,
            "created_by_name": null,
            "sent_at": at,
            "completed_at": at,
            "scheduled_for": null,
        })
    }

    pub(super) fn template(&self, host: &str) -> Value {
        let uri = format!("{host}/services/{}/templates/{}", self.service, self.template);
        json!({ "id": self.template, "version": 1, "uri": uri })
    }
}

/// Every clone is the same.
#[derive(Clone, Default)]
pub(super) struct Store(Arc<Mutex<Vec<Row>>>);

impl Store {
    pub(super) fn keep(&self, row: Row) {
        self.lock().push(row);
    }

    /// Another status of a text.
    pub(super) fn change(&self, id: &str, status: &'static str) {
        self.lock().iter_mut().filter(|row| row.id == id).for_each(|row| row.status = status);
    }

    pub(super) fn find(&self, wanted: impl Fn(&Row) -> bool) -> Option<Row> {
        self.lock().iter().find(|row| wanted(row)).cloned()
    }

    /// The newest first.
    pub(super) fn all(&self, wanted: impl Fn(&Row) -> bool) -> Vec<Row> {
        self.lock().iter().rev().filter(|row| wanted(row)).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A random UUID (RFC 9562 section 5.4).
pub(super) fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    // Ids of a stand-in need not be secret; without randomness they are the same, and the tests say so.
    let _ = rand::fill(&mut bytes);
    let mut digits: Vec<char> = HEXLOWER.encode(&bytes).chars().collect();
    for (place, digit) in [(12, '4'), (16, '8')] {
        if let Some(own) = digits.get_mut(place) {
            *own = digit;
        }
    }
    for place in [20, 16, 12, 8] {
        digits.insert(place, '-');
    }
    digits.into_iter().collect()
}
