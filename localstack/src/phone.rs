//! Texts as their recipients would see them.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// A text that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The number that it was for, in international form.
    pub to: String,
    /// From whom it says it comes.
    pub from: String,
    /// What it says.
    pub body: String,
    /// Which stand-in brought it: `twilio`, `govuk_notify` or `email_to_sms`.
    pub by: &'static str,
    /// When it arrived, in seconds of the Unix epoch.
    pub at: u64,
}

/// All telephones of a world. Every clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Phone(Arc<Mutex<Vec<Text>>>);

impl Phone {
    /// A text arrives.
    pub fn receive(&self, text: Text) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// All texts so far, oldest first.
    #[must_use]
    pub fn texts(&self) -> Vec<Text> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// At most `limit` texts behind the one of number `after`, oldest first. The first text has the number 1.
    #[must_use]
    pub fn page(&self, after: usize, limit: usize) -> Page {
        let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown: Vec<Shown> =
            texts.iter().enumerate().skip(after).take(limit).map(|(at, text)| Shown::new(at, text)).collect();
        let last = after.saturating_add(shown.len());
        Page { count: texts.len(), next: (last < texts.len()).then_some(last), texts: shown }
    }
}

/// A page of the texts that arrived, as JSON tells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Page {
    /// How many there are so far.
    pub count: usize,
    /// The texts of this page, oldest first.
    pub texts: Vec<Shown>,
    /// What the next page comes after; none behind the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
}

/// A [`Text`] as JSON tells it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its number: 1 is the first that arrived.
    pub number: usize,
    /// The number that it was for.
    pub to: String,
    /// From whom it says it comes.
    pub from: String,
    /// What it says.
    pub body: String,
    /// Which stand-in brought it.
    pub by: String,
    /// When it arrived, in seconds of the Unix epoch.
    pub at: u64,
}

impl Shown {
    fn new(index: usize, text: &Text) -> Self {
        let Text { to, from, body, by, at } = text.clone();
        Self { number: index + 1, to, from, body, by: by.to_owned(), at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other() {
        let phone = Phone::default();
        assert_eq!(phone.page(0, 2), Page { count: 0, texts: Vec::new(), next: None });
        for body in ["one", "two", "three"] {
            let (to, from) = ("+447700900123".to_owned(), "Acme".to_owned());
            phone.receive(Text { to, from, body: body.to_owned(), by: "twilio", at: 5 });
        }
        let bodies = |page: &Page| -> Vec<(usize, String)> {
            page.texts.iter().map(|text| (text.number, text.body.clone())).collect()
        };
        let first = phone.page(0, 2);
        assert_eq!(bodies(&first), [(1, "one".to_owned()), (2, "two".to_owned())]);
        let last = phone.page(first.next.unwrap(), 2);
        assert_eq!((bodies(&last), last.next), (vec![(3, "three".to_owned())], None));
        assert_eq!(phone.page(9, 2), Page { count: 3, texts: Vec::new(), next: None });
        assert!(!serde_json::to_string(&last).unwrap().contains("next"));
    }
}
