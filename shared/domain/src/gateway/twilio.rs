//! Twilio.

use super::fields::fields;
use super::values::{AccountSid, MessagingServiceSid, TextSender};
use crate::document::{Faults, Members};

fields! {
    /// Texts by an account with Twilio.
    pub struct Twilio {
        /// The account.
        account_sid: AccountSid;
        /// From whom texts come. This or `messaging_service_sid`, not both.
        from: Option<TextSender>;
        /// The messaging service that chooses from whom texts come.
        messaging_service_sid: Option<MessagingServiceSid>;
    }
}

impl Twilio {
    fn check(members: &mut Members<'_>, faults: &mut Faults) {
        let from = members.value("from").is_some();
        let service = members.value("messaging_service_sid").is_some();
        if from && service {
            faults.add(&members.place("messaging_service_sid"), "must not be given beside from");
        } else if !from && !service {
            faults.add(&members.place("from"), "must be given, or messaging_service_sid in its place");
        }
    }
}
