//! Amazon SES.

use super::fields::fields;
use super::values::{Mailbox, SesName};
use crate::contact::EmailAddress;
use crate::document::{Faults, Members};

fields! {
    /// Amazon SES in the deployment's own account and region. It takes no credentials: the sender function may use it.
    pub struct Ses {
        /// From whom mails come. Amazon SES must have verified the address or its domain.
        from: Mailbox;
        /// Where answers go, if not to the sender.
        reply_to: Option<EmailAddress>;
        /// The configuration set of Amazon SES under which mails are sent.
        configuration_set: Option<SesName>;
        /// The tenant of Amazon SES whose reputation mails count for: Amazon can pause it alone.
        tenant_name: Option<SesName>;
    }
}

impl Ses {
    fn check(_: &mut Members<'_>, _: &mut Faults) {}
}
