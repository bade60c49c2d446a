//! A template's message as its reader would get it, with made-up values.

use otpost_domain::contact::DisplayName;
use otpost_domain::ids::UserId;
use otpost_domain::template::{BrandDocument, Sample, TemplateDocument};
use otpost_edge::http::{field, optional_object};
use otpost_edge::problem::Problem;
use otpost_service::ports::PortResult;
use otpost_service::templates::Review;
use otpost_service::texts::render;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::view::{ReviewView, Written};

/// The media query by which mails are dark, as it is written in the design and by most others.
const DARK_QUERY: &str = "prefers-color-scheme: dark";

/// What to show.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TemplatePreviewOrder")]
pub(super) struct PreviewOrder {
    /// The template as it would be; as it is unless given.
    #[serde(default, deserialize_with = "optional_object")]
    #[schemars(with = "Option<Written>")]
    pub(super) document: Option<Map<String, Value>>,
    /// `json`, unless `html` for the rendered mail as a page or `text` for what is plain.
    #[serde(rename = "as")]
    form: Option<String>,
    /// For a page: `light`, unless `dark`.
    scheme: Option<String>,
    /// The name that the user is greeted with.
    display_name: Option<String>,
    /// The name that the user signs in with.
    username: Option<String>,
    /// Whether the message carries an authorization code; it does unless this is false.
    authorization_code: Option<bool>,
}

/// How a preview is answered.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// As JSON.
    Json,
    /// The mail as a page.
    Html,
    /// What is plain.
    Text,
}

/// What the reader's device prefers.
#[derive(Clone, Copy)]
pub(super) enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl PreviewOrder {
    pub(super) fn form(&self) -> Result<Form, Problem> {
        match self.form.as_deref() {
            None | Some("json") => Ok(Form::Json),
            Some("html") => Ok(Form::Html),
            Some("text") => Ok(Form::Text),
            Some(_) => Err(Problem::field("as", "must be json, html or text")),
        }
    }

    pub(super) fn scheme(&self) -> Result<Option<Scheme>, Problem> {
        match self.scheme.as_deref() {
            None => Ok(None),
            Some("light") => Ok(Some(Scheme::Light)),
            Some("dark") => Ok(Some(Scheme::Dark)),
            Some(_) => Err(Problem::field("scheme", "must be light or dark")),
        }
    }

    /// The sample for the person that the order names.
    pub(super) fn person(&self, sample: Sample) -> Result<Sample, Problem> {
        let values = sample.values();
        let display_name = match self.display_name.as_deref() {
            Some(name) => field::<DisplayName, _>("display_name", name)?.as_str().to_owned(),
            None => values.display_name.to_owned(),
        };
        let username = match self.username.as_deref() {
            Some(name) => field::<UserId, _>("username", name)?.as_str().to_owned(),
            None => values.username.to_owned(),
        };
        let sample = sample.named(&display_name, &username);
        Ok(if self.authorization_code == Some(false) { sample.without_authorization() } else { sample })
    }
}

/// What would be sent.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplatePreview")]
pub(super) struct Preview {
    /// The e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<EmailPreview>,
    /// The text message.
    #[serde(skip_serializing_if = "Option::is_none")]
    sms: Option<SmsPreview>,
    #[serde(flatten)]
    review: ReviewView,
}

/// An e-mail as it would be sent.
#[derive(JsonSchema, Serialize)]
struct EmailPreview {
    /// The sender's name.
    from_name: String,
    /// The sender's address, where it is not the gateway's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    from_address: Option<Value>,
    /// The subject.
    subject: String,
    /// The plain text.
    text: String,
    /// The HTML. Pictures stand in it as data, so that it can be looked at as it is; in the mail they are attached.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// A text message as it would be sent.
#[derive(JsonSchema, Serialize)]
struct SmsPreview {
    /// The text.
    text: String,
}

impl Preview {
    pub(super) fn of(
        document: &TemplateDocument,
        review: &Review,
        sample: &Sample,
        look: &BrandDocument,
    ) -> PortResult<Self> {
        let values = sample.values();
        let email = match &document.email {
            None => None,
            Some(form) => {
                let rendered = render(form, &values, look)?;
                let name = form.from().name.as_ref().map_or(values.tenant, |name| name.as_str());
                let html = rendered.page();
                let filled = rendered.filled;
                Some(EmailPreview {
                    from_name: name.to_owned(),
                    from_address: form.from().address.as_ref().map(|address| address.expose().into()),
                    subject: filled.subject,
                    text: filled.text.expose().to_owned(),
                    html,
                })
            }
        };
        let sms = document.sms.as_ref();
        let sms = sms.map(|form| SmsPreview { text: form.fill(&values).text.expose().to_owned() });
        Ok(Self { email, sms, review: ReviewView::from(review) })
    }

    /// The mail as a page, as a device that prefers this scheme shows it.
    pub(super) fn page(&self, scheme: Scheme) -> Option<String> {
        let html = self.email.as_ref()?.html.as_deref()?;
        let (query, scheme) = match scheme {
            Scheme::Light => ("max-width: 0", "light"),
            Scheme::Dark => ("min-width: 0", "dark"),
        };
        let html = html.replace(DARK_QUERY, query).replace(&DARK_QUERY.replace(": ", ":"), query);
        let html = html.replace("content=\"light dark\"", &format!("content=\"{scheme}\""));
        Some(html.replace("color-scheme: light dark", &format!("color-scheme: {scheme}")))
    }

    /// The subject and the plain text, and the text message.
    pub(super) fn plain(&self) -> Option<String> {
        let email = self
            .email
            .as_ref()
            .map(|email| format!("From: {}\nSubject: {}\n\n{}", email.from_name, email.subject, email.text));
        let sms = self.sms.as_ref().map(|sms| format!("SMS:\n{}\n", sms.text));
        let parts: Vec<_> = email.into_iter().chain(sms).collect();
        (!parts.is_empty()).then(|| parts.join("\n---\n\n"))
    }
}
