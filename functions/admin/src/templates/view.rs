//! Templates as they are written and shown.

use otpost_domain::message::{Channel, Message};
use otpost_domain::template::{
    BrandDocument, SenderReview, SmsSize, TemplateDocument, TemplateHead, TemplateName, TemplateVersion,
    Wildcard,
};
use otpost_service::document::json_of;
use otpost_service::templates::{Kept, Review};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The texts of a template: an e-mail form, an SMS form, or both. See docs/templates.md.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateDocument", deny_unknown_fields)]
pub(crate) struct Written {
    /// The e-mail form.
    email: Option<EmailWritten>,
    /// The SMS form.
    sms: Option<SmsWritten>,
}

/// The e-mail form of a template.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateEmail", deny_unknown_fields)]
struct EmailWritten {
    /// From whom, where that is not the gateway's own sender.
    from: Option<FromWritten>,
    /// The subject, at most 200 characters, without secrets.
    #[schemars(length(min = 1, max = 200))]
    subject: String,
    /// The plain text, at most 20,000 characters.
    #[schemars(length(min = 1, max = 20_000))]
    text: String,
    /// The HTML, at most 100,000 characters.
    #[schemars(length(min = 1, max = 100_000))]
    html: Option<String>,
    /// What readers get who do not see the QR picture; `QR code` unless given.
    qr_alt: Option<String>,
}

/// From whom mails come.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateFrom", deny_unknown_fields)]
struct FromWritten {
    /// The name; the tenant's unless given.
    name: Option<String>,
    /// The address: one that a gateway of the tenant may send from.
    address: Option<String>,
}

/// The SMS form of a template.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateSms", deny_unknown_fields)]
struct SmsWritten {
    /// The text, at most 1,000 characters and, with usual values, 4 parts.
    #[schemars(length(min = 1, max = 1_000))]
    text: String,
}

/// The document as JSON.
pub(super) fn written(document: &TemplateDocument) -> Map<String, Value> {
    match json_of(&document.write()) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// A template with its texts.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Template")]
pub(super) struct TemplateView {
    /// Its name: kind, language and, where it is for a policy's people, the policy.
    template: String,
    /// The kind of message.
    kind: &'static str,
    /// The language (BCP 47).
    locale: String,
    /// The policy whose people it is for; the whole tenant without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// `tenant` for the tenant's own, `built_in` for what every tenant has from the start.
    origin: &'static str,
    /// Which version these are, from 1; none of a built-in template.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Its texts; none when this version is its removal.
    #[serde(flatten)]
    #[schemars(with = "Option<Written>")]
    document: Map<String, Value>,
    /// The wildcards that have a value in it.
    offers: Vec<&'static str>,
    /// The wildcard that each of its texts must hold; in HTML `[[QRCODE]]` does for `[[LINK]]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    demands: Option<&'static str>,
    /// Who saved this version, as audited.
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_by: Option<String>,
    /// When (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_at: Option<String>,
    /// The earlier version that it repeats, if it came by a rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<u64>,
}

impl TemplateView {
    fn named(name: &TemplateName, document: Option<&TemplateDocument>) -> Self {
        let offers = name.kind.offers().iter().chain(Wildcard::LOOK);
        Self {
            template: name.to_string(),
            kind: name.kind.as_str(),
            locale: name.locale.as_str().to_owned(),
            policy: name.policy.as_ref().map(ToString::to_string),
            origin: "built_in",
            version: None,
            document: document.map(written).unwrap_or_default(),
            offers: offers.map(|wildcard| wildcard.as_str()).collect(),
            demands: name.kind.demands().map(Wildcard::as_str),
            saved_by: None,
            saved_at: None,
            repeats: None,
        }
    }

    pub(super) fn built_in(name: &TemplateName, document: &TemplateDocument) -> Self {
        Self::named(name, Some(document))
    }

    pub(super) fn of(version: &TemplateVersion) -> Self {
        Self {
            origin: "tenant",
            version: Some(version.version),
            saved_by: Some(version.saved_by.clone()),
            saved_at: Some(version.saved_at.rfc3339()),
            repeats: version.repeats,
            ..Self::named(&version.name, version.document.as_ref())
        }
    }
}

/// A template that was kept, with what is worth knowing of it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "KeptTemplate")]
pub(super) struct KeptTemplate {
    #[serde(flatten)]
    template: TemplateView,
    #[serde(flatten)]
    review: ReviewView,
}

impl From<&Kept> for KeptTemplate {
    fn from(kept: &Kept) -> Self {
        Self { template: TemplateView::of(&kept.version), review: ReviewView::from(&kept.review) }
    }
}

/// What is worth knowing of a template before messages are made of it.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateReview")]
pub(super) struct ReviewView {
    /// How large the text message is with usual values.
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_size: Option<SizeView>,
    /// What each gateway for texts within the tenant's reach can do with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    senders: Vec<SenderView>,
}

/// How large a text message is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "SmsSize")]
struct SizeView {
    /// `gsm_7`, or `ucs_2` where a character is not in the GSM alphabet.
    encoding: &'static str,
    /// Characters.
    characters: usize,
    /// Septets in `gsm_7`, units of 16 bits in `ucs_2`.
    units: usize,
    /// The parts that it is sent, and paid, as.
    parts: usize,
    /// The first character that forces `ucs_2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    forced_by: Option<ForcedView>,
}

/// A character that the GSM alphabet lacks.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ForcedBy")]
struct ForcedView {
    /// The character.
    character: char,
    /// Its code point, such as `U+201E`.
    code_point: String,
    /// Its line in the text with usual values, from 1.
    line: usize,
    /// Its column, from 1.
    column: usize,
}

/// What a gateway can do with a template.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateSender")]
struct SenderView {
    /// The gateway.
    gateway: String,
    /// The wildcards whose values it carries.
    offers: Vec<&'static str>,
    /// Why it cannot send the text as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<String>,
    /// What is worth knowing besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl From<&Review> for ReviewView {
    fn from(review: &Review) -> Self {
        Self {
            sms_size: review.sms.as_ref().map(SizeView::from),
            senders: review.senders.iter().map(SenderView::from).collect(),
        }
    }
}

impl From<&SmsSize> for SizeView {
    fn from(size: &SmsSize) -> Self {
        Self {
            encoding: size.encoding.as_str(),
            characters: size.characters,
            units: size.units,
            parts: size.parts,
            forced_by: size.forced_by.as_ref().map(|forced| ForcedView {
                character: forced.character,
                code_point: format!("U+{:04X}", u32::from(forced.character)),
                line: forced.line,
                column: forced.column,
            }),
        }
    }
}

impl From<&SenderReview> for SenderView {
    fn from(review: &SenderReview) -> Self {
        Self {
            gateway: review.gateway.to_string(),
            offers: review.offers.iter().map(|wildcard| wildcard.as_str()).collect(),
            trouble: review.trouble.clone(),
            note: review.note,
        }
    }
}

/// What is known of a template without its texts.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateHead")]
pub(super) struct HeadView {
    /// Its name.
    template: String,
    /// The kind of message.
    kind: &'static str,
    /// The language.
    locale: String,
    /// The policy whose people it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    /// Its latest version.
    version: u64,
    /// The forms that it has: email, sms.
    forms: Vec<&'static str>,
    /// Bytes of its texts.
    bytes: u64,
    /// When its first version was saved (RFC 3339).
    created_at: String,
    /// When its latest version was saved (RFC 3339).
    updated_at: String,
}

impl From<&TemplateHead> for HeadView {
    fn from(head: &TemplateHead) -> Self {
        let forms = Channel::ALL.iter().filter(|channel| head.serves(**channel));
        Self {
            template: head.name.to_string(),
            kind: head.name.kind.as_str(),
            locale: head.name.locale.as_str().to_owned(),
            policy: head.name.policy.as_ref().map(ToString::to_string),
            version: head.version,
            forms: forms.map(|channel| channel.as_str()).collect(),
            bytes: head.bytes,
            created_at: head.created_at.rfc3339(),
            updated_at: head.updated_at.rfc3339(),
        }
    }
}

/// A page of templates.
#[derive(JsonSchema, Serialize)]
pub(super) struct Templates {
    /// The tenant's own templates, by name.
    pub(super) templates: Vec<HeadView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A version of a template, without its texts.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateVersion")]
pub(super) struct VersionView {
    /// Which.
    version: u64,
    /// Whether this version took the template out of use.
    removal: bool,
    /// The earlier version that it repeats, if it came by a rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeats: Option<u64>,
    /// Bytes of its texts.
    bytes: u64,
    /// Who saved it, as audited.
    saved_by: String,
    /// When (RFC 3339).
    saved_at: String,
}

impl From<&TemplateVersion> for VersionView {
    fn from(version: &TemplateVersion) -> Self {
        Self {
            version: version.version,
            removal: version.document.is_none(),
            repeats: version.repeats,
            bytes: version.document.as_ref().map_or(0, TemplateDocument::bytes),
            saved_by: version.saved_by.clone(),
            saved_at: version.saved_at.rfc3339(),
        }
    }
}

/// A page of versions.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateVersions")]
pub(super) struct Versions {
    /// The versions, the latest first.
    pub(super) versions: Vec<VersionView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// Which version is to be the latest again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollBack {
    /// The version; one with texts.
    pub(super) version: u64,
}

/// Where a test goes: to an e-mail address or to a telephone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TemplateTest")]
pub(super) struct TestWanted {
    /// The address.
    pub(super) email: Option<String>,
    /// The number, in international form.
    pub(super) phone: Option<String>,
    /// From which gateway's address it comes; from the deployment's own unless given. Amazon SES of the deployment carries it
    /// in either case.
    pub(super) gateway: Option<String>,
}

/// A test on its way.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "TemplateTested")]
pub(super) struct TestView {
    /// The message's id, to follow it with `GET /v1/messages/{message}`.
    message: String,
    /// `queued`.
    status: &'static str,
    /// The recipient, masked.
    recipient: String,
    /// When it is no longer worth sending (RFC 3339).
    expires_at: String,
}

impl From<&Message> for TestView {
    fn from(message: &Message) -> Self {
        Self {
            message: message.id.to_string(),
            status: message.status.as_str(),
            recipient: message.recipient.clone(),
            expires_at: message.expires_at.rfc3339(),
        }
    }
}

/// How mails look.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "BrandDocument", deny_unknown_fields)]
pub(crate) struct BrandWritten {
    /// The colour of bands and buttons, such as `#1a56c4`, which it is unless given.
    #[schemars(pattern(r"^#[0-9a-fA-F]{6}$"))]
    colour: Option<String>,
    /// The logo at the top: a PNG file in Base64, at most 32 KB and 1,200 pixels wide and high. It is shown in half its
    /// size, at most 48 pixels high. Without one, the tenant's name stands there.
    logo: Option<String>,
}

/// How the tenant's mails look.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Brand")]
pub(super) struct BrandView {
    /// The colour of bands and buttons.
    colour: String,
    /// Black or white, whichever can be read on it.
    on_colour: String,
    /// The logo: a PNG file in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    logo: Option<Value>,
}

impl From<&BrandDocument> for BrandView {
    fn from(brand: &BrandDocument) -> Self {
        let written = json_of(&brand.write());
        Self {
            colour: brand.colour.to_string(),
            on_colour: brand.colour.on().to_string(),
            logo: written.get("logo").cloned(),
        }
    }
}
