//! Made-up values, for previews and for telling how long a text message will be.

use super::{CodePurpose, TemplateKind, Values};
use crate::time::Timestamp;

/// A link that leads nowhere: its code is made of one letter and was never given out. As long as real ones.
const DEAD_CODE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Made-up values of a message.
#[derive(Clone, Debug)]
pub struct Sample {
    link: String,
    expires: String,
    time: String,
    purpose: &'static str,
    tenant: String,
    display_name: String,
    username: String,
    authorization: bool,
}

impl Sample {
    /// Values for a message of `kind`, in the language `locale`, of a tenant of this name, whose links begin with
    /// `public_url`.
    #[must_use]
    pub fn new(kind: TemplateKind, locale: &str, tenant: &str, public_url: &str, now: Timestamp) -> Self {
        let purpose = match kind {
            TemplateKind::MobileCode => CodePurpose::PasswordReset,
            _ => CodePurpose::SignIn,
        };
        Self {
            link: format!("{public_url}/e/{DEAD_CODE}"),
            expires: now.plus(core::time::Duration::from_hours(24)).for_people(locale),
            time: now.for_people(locale),
            purpose: purpose.words(locale),
            tenant: tenant.to_owned(),
            display_name: "Jane Doe".to_owned(),
            username: "jane.doe".to_owned(),
            authorization: true,
        }
    }

    /// The same for somebody else.
    #[must_use]
    pub fn named(self, display_name: &str, username: &str) -> Self {
        Self { display_name: display_name.to_owned(), username: username.to_owned(), ..self }
    }

    /// The same for a message that carries no authorization code.
    #[must_use]
    pub fn without_authorization(self) -> Self {
        Self { authorization: false, ..self }
    }

    /// The link, which leads nowhere.
    #[must_use]
    pub fn link(&self) -> &str {
        &self.link
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> Values<'_> {
        Values {
            link: &self.link,
            authz_code: self.authorization.then_some("K7TM-4QXA"),
            code: "123456",
            password: "Correct-Horse-7",
            expires: &self.expires,
            purpose: self.purpose,
            time: &self.time,
            username: &self.username,
            display_name: &self.display_name,
            tenant: &self.tenant,
        }
    }
}
