//! Stand-ins for providers of texts: they check requests as the real ones do, and let texts arrive on a
//! [phone](crate::phone).

pub mod govuk_notify;
pub mod twilio;
