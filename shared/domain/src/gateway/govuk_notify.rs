//! GOV.UK Notify.

use super::fields::fields;
use super::values::Uuid;
use crate::document::{Faults, Members};
use crate::named::named;
use crate::policy::words;

named! {
    /// What Otpost puts into a template of GOV.UK Notify.
    pub enum Placeholder {
        /// The whole text, where the template has `((message))`.
        Message = "message",
        /// The code alone, where the template has `((code))`; the text around it is kept in GOV.UK Notify.
        Code = "code",
    }
}

words!(Placeholder);

fields! {
    /// Texts by a service of GOV.UK Notify, for the public sector of the United Kingdom.
    pub struct GovukNotify {
        /// The template in GOV.UK Notify, of the kind text message.
        template_id: Uuid;
        /// The sender of texts in GOV.UK Notify, if not its service's usual one.
        sms_sender_id: Option<Uuid>;
        /// What the template has a place for: the whole text as `((message))`, or as `((code))` the code alone.
        placeholder: Placeholder = Placeholder::Message;
    }
}

impl GovukNotify {
    fn check(_: &mut Members<'_>, _: &mut Faults) {}
}
