//! What senders share: [`mime`] writes mails, [`http`] asks a provider over HTTPS, [`guard`] connects to hosts that
//! operators name, [`trust`] knows whom such connections trust. What only one provider knows lies in its sender's own package.

pub mod guard;
pub mod http;
pub mod mime;
pub mod trust;
