//! Stand-ins for providers of texts: they check requests as the real ones do, and let texts arrive on a
//! [phone](crate::phone). What becomes of a text they tell as the real ones do: see [`receipts`].

pub mod govuk_notify;
pub mod receipts;
pub mod twilio;
