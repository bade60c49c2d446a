//! Texts as their recipients would see them.

use std::sync::{Arc, Mutex, PoisonError};

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
}
