//! What a message needs to be rendered, as it lies sealed in its record. This form is ours alone; no wire has it.

use otpost_domain::template::{Chosen, TemplateName, Values};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{Fault, PortError, PortResult};

/// The content of a message: to whom, whose texts, and what their wildcards stand for. What a kind of message has no
/// value for is empty.
#[derive(Default, Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Content {
    pub(crate) to: String,
    /// The tenant's own template and its version; a built-in one without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<(String, u64)>,
    /// The language of the texts.
    pub(crate) locale: String,
    /// To whom and with whose texts it goes on the channel that it falls back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fallen: Option<Fallen>,
    /// What an operator has written for a test, in the place of the texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) own_text: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) link: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authz_code: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) password: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) expires: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) purpose: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) time: String,
    pub(crate) username: String,
    pub(crate) display_name: String,
    pub(crate) tenant_name: String,
}

/// The part of a message's content that another channel needs in its own way.
#[derive(Deserialize, Serialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Fallen {
    to: String,
    template: Option<(String, u64)>,
    locale: String,
}

impl Fallen {
    pub(crate) fn new(to: String, chosen: &Chosen) -> Self {
        let texts = Content::with_texts(chosen);
        Self { to, template: texts.template.clone(), locale: texts.locale.clone() }
    }
}

impl Content {
    /// As it goes on the channel that it falls back to; as it is where there is none.
    pub(crate) fn fallen_back(mut self) -> Self {
        if let Some(fallen) = self.fallen.take() {
            self.to.clone_from(&fallen.to);
            self.template.clone_from(&fallen.template);
            self.locale.clone_from(&fallen.locale);
        }
        self
    }

    pub(crate) fn encode(&self) -> PortResult<Zeroizing<Vec<u8>>> {
        serde_json::to_vec(self).map(Zeroizing::new).map_err(|error| PortError::new(Fault::Corrupt, error))
    }

    /// The fault names no content: what could not be read may hold a secret.
    pub(crate) fn decode(bytes: &[u8]) -> PortResult<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            PortError::new(Fault::Corrupt, format!("message content, {:?}", error.classify()))
        })
    }

    /// Empty, with the texts that were chosen.
    pub(crate) fn with_texts(chosen: &Chosen) -> Self {
        let template = match chosen {
            Chosen::Own { name, version } => Some((name.to_string(), *version)),
            Chosen::BuiltIn { .. } => None,
        };
        let mut content = Self::default();
        content.template = template;
        chosen.locale().clone_into(&mut content.locale);
        content
    }

    /// The tenant's own template that it names.
    pub(crate) fn own_template(&self) -> Option<(TemplateName, u64)> {
        let (name, version) = self.template.as_ref()?;
        Some((TemplateName::try_from(name.as_str()).ok()?, *version))
    }

    /// What the wildcards stand for.
    pub(crate) fn values(&self) -> Values<'_> {
        Values {
            link: &self.link,
            authz_code: self.authz_code.as_deref(),
            code: &self.code,
            password: &self.password,
            expires: &self.expires,
            purpose: &self.purpose,
            time: &self.time,
            username: &self.username,
            display_name: &self.display_name,
            tenant: &self.tenant_name,
        }
    }
}
