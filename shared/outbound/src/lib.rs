//! What senders share: [`mime`] writes mails, [`http`] asks a provider over HTTPS. What only one provider knows lies in
//! its sender's own package.

pub mod http;
pub mod mime;
