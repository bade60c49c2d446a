//! Templates as they are kept: a short head by which one is chosen, and every version of its texts.

use super::{EmailForm, SmsForm, TemplateDocument, TemplateName};
use crate::message::Channel;
use crate::time::Timestamp;

/// Templates that a tenant may have.
pub const MOST_TEMPLATES: usize = 400;
/// Names that templates of a tenant may ever have had: removed ones keep their history.
pub const MOST_NAMES: usize = 2_000;
/// Bytes that the texts of all of a tenant's templates may have together, the latest versions counted.
pub const MOST_OF_TEXTS: u64 = 2 * 1024 * 1024;
/// Versions of one template that are kept: the latest.
pub const MOST_VERSIONS: u64 = 50;

/// What is known of a form of a template without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// There is none.
    Missing,
    /// There is one, and it has no place for an authorization code.
    WithoutCode,
    /// There is one with a place for an authorization code.
    WithCode,
}

impl Shape {
    fn of<T>(form: Option<&T>, shows_code: impl Fn(&T) -> bool) -> Self {
        match form.map(shows_code) {
            None => Self::Missing,
            Some(false) => Self::WithoutCode,
            Some(true) => Self::WithCode,
        }
    }
}

/// What is known of a template without reading its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateHead {
    /// What it is called.
    pub name: TemplateName,
    /// Its latest version, from 1.
    pub version: u64,
    /// Its e-mail form.
    pub email: Shape,
    /// Its SMS form.
    pub sms: Shape,
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
    pub fn is_removed(&self) -> bool {
        self.email == Shape::Missing && self.sms == Shape::Missing
    }

    /// Its form for `channel`.
    #[must_use]
    pub const fn shape(&self, channel: Channel) -> Shape {
        match channel {
            Channel::Email => self.email,
            Channel::Sms => self.sms,
        }
    }

    /// Whether it has a form for `channel`.
    #[must_use]
    pub fn serves(&self, channel: Channel) -> bool {
        self.shape(channel) != Shape::Missing
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
        let email = document.and_then(|document| document.email.as_ref());
        let sms = document.and_then(|document| document.sms.as_ref());
        TemplateHead {
            name: self.name.clone(),
            version: self.version,
            email: Shape::of(email, EmailForm::shows_authz_code),
            sms: Shape::of(sms, SmsForm::shows_authz_code),
            bytes: document.map_or(0, TemplateDocument::bytes),
            created_at: self.created_at,
            updated_at: self.saved_at,
        }
    }
}
