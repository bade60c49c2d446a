//! Templates as they are kept: a short head by which one is chosen, and every version of its texts.

use super::{TemplateDocument, TemplateName};
use crate::message::Channel;
use crate::time::Timestamp;

/// Templates that a tenant may have, removed ones with a history included.
pub const MOST_TEMPLATES: usize = 400;
/// Bytes that the texts of all of a tenant's templates may have together, the latest versions counted.
pub const MOST_OF_TEXTS: u64 = 3 * 1024 * 1024;
/// Versions of one template that are kept: the latest.
pub const MOST_VERSIONS: u64 = 50;

/// What is known of a template without reading its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateHead {
    /// What it is called.
    pub name: TemplateName,
    /// Its latest version, from 1.
    pub version: u64,
    /// Whether it has an e-mail form.
    pub email: bool,
    /// Whether it has an SMS form.
    pub sms: bool,
    /// Bytes of its texts.
    pub bytes: u64,
    /// When its first version was saved.
    pub created_at: Timestamp,
    /// When its latest version was saved.
    pub updated_at: Timestamp,
}

impl TemplateHead {
    /// Whether nothing is left of it but its history.
    #[must_use]
    pub const fn is_removed(&self) -> bool {
        !self.email && !self.sms
    }

    /// Whether it has a form for `channel`.
    #[must_use]
    pub const fn serves(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
        }
    }
}

/// One version of a template, never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateVersion {
    /// What it is called.
    pub name: TemplateName,
    /// Which version, from 1.
    pub version: u64,
    /// Its texts; none when this version is its removal.
    pub document: Option<TemplateDocument>,
    /// The earlier version that it repeats, if it came by a rollback.
    pub repeats: Option<u64>,
    /// Who saved it, as audited.
    pub saved_by: String,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// When the first version was saved.
    pub created_at: Timestamp,
}

impl TemplateVersion {
    /// What is known of the template when this is its latest version.
    #[must_use]
    pub fn head(&self) -> TemplateHead {
        let document = self.document.as_ref();
        TemplateHead {
            name: self.name.clone(),
            version: self.version,
            email: document.is_some_and(|document| document.email.is_some()),
            sms: document.is_some_and(|document| document.sms.is_some()),
            bytes: document.map_or(0, TemplateDocument::bytes),
            created_at: self.created_at,
            updated_at: self.saved_at,
        }
    }
}
