//! Whose texts a message gets, and what comes out of them.

use std::sync::Arc;

use data_encoding::BASE64;
use otpost_domain::ids::TenantId;
use otpost_domain::message::Channel;
use otpost_domain::qr;
use otpost_domain::template::{
    BrandDocument, Chosen, EmailForm, FilledEmail, Image, Look, Reader, SmsForm, TemplateDocument,
    TemplateKind, TemplateName, TemplateVersion, Values, Wildcard, builtin, choose,
};

use crate::content::Content;
use crate::ports::{Configuration as _, Fault, PortError, PortResult, Ports};

/// The content id of the QR picture in a mail.
const QR_CONTENT_ID: &str = "qr@otpost";
/// The content id of the logo in a mail.
const LOGO_CONTENT_ID: &str = "logo@otpost";
/// Pixels per QR module in the file: twice what is shown, for sharp screens.
const QR_SCALE: u8 = 8;
/// The side of the picture as shown, in CSS pixels: a phone reads it from a screen at arm's length.
const QR_SIDE: u16 = 232;

/// A picture that the HTML part refers to as `cid:<content_id>`.
#[derive(Clone)]
pub struct InlinePng {
    /// Its content id.
    pub content_id: &'static str,
    /// PNG bytes.
    pub png: Vec<u8>,
}

impl std::fmt::Debug for InlinePng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InlinePng({} bytes)", self.png.len())
    }
}

/// An e-mail's texts with the pictures that they show.
#[derive(Debug)]
pub struct RenderedEmail {
    /// The texts.
    pub filled: FilledEmail,
    /// The pictures.
    pub pictures: Vec<InlinePng>,
}

impl RenderedEmail {
    /// The HTML with its pictures in it as data, to be looked at without the mail.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        let html = self.filled.html.as_ref()?.expose().to_owned();
        Some(self.pictures.iter().fold(html, |html, picture| {
            let data = format!("data:image/png;base64,{}", BASE64.encode(&picture.png));
            html.replace(&format!("cid:{}", picture.content_id), &data)
        }))
    }
}

/// Puts values and pictures into an e-mail form.
///
/// # Errors
/// When the link does not fit into a QR code.
pub fn render(form: &EmailForm, values: &Values<'_>, brand: &BrandDocument) -> PortResult<RenderedEmail> {
    let qr = Image { cid: QR_CONTENT_ID, width: QR_SIDE, height: QR_SIDE, alt: form.qr_alt() };
    let logo = brand.logo.as_ref().map(|logo| {
        let (width, height) = logo.shown();
        Image { cid: LOGO_CONTENT_ID, width, height, alt: values.tenant }
    });
    let filled = form.fill(values, &Look { qr, logo, colour: brand.colour });
    let mut pictures = Vec::new();
    if form.shows(Wildcard::QrCode) {
        let png = qr::png(values.link, QR_SCALE).map_err(|error| PortError::new(Fault::Corrupt, error))?;
        pictures.push(InlinePng { content_id: QR_CONTENT_ID, png });
    }
    if let Some(logo) = brand.logo.as_ref().filter(|_| form.shows(Wildcard::Logo)) {
        pictures.push(InlinePng { content_id: LOGO_CONTENT_ID, png: logo.png().to_vec() });
    }
    Ok(RenderedEmail { filled, pictures })
}

/// Whose texts a message of `kind` gets.
pub(crate) async fn chosen(
    ports: &impl Ports,
    tenant: &TenantId,
    kind: TemplateKind,
    channel: Channel,
    reader: Reader<'_>,
) -> PortResult<Chosen> {
    let heads = ports.configuration().templates(tenant).await?;
    Ok(choose(&heads, kind, channel, reader))
}

/// The texts that a message was given when it was made.
pub(crate) enum Texts {
    /// The tenant's own.
    Own(Arc<TemplateVersion>),
    /// Those of every tenant.
    BuiltIn(&'static TemplateDocument),
}

impl Texts {
    /// Of a version that is there and is no removal.
    fn own(version: Arc<TemplateVersion>) -> Option<Self> {
        version.document.is_some().then_some(Self::Own(version))
    }

    /// Reads the texts; where the tenant's own are gone, which takes many changes while a message is under way, the
    /// built-in ones do.
    pub(crate) async fn of(
        ports: &impl Ports,
        tenant: &TenantId,
        kind: TemplateKind,
        content: &Content,
    ) -> PortResult<Self> {
        let own = match content.own_template() {
            Some((name, version)) => Self::version(ports, tenant, &name, version).await?,
            None => None,
        };
        Ok(own.unwrap_or_else(|| Self::BuiltIn(builtin::template(kind, &content.locale))))
    }

    async fn version(
        ports: &impl Ports,
        tenant: &TenantId,
        name: &TemplateName,
        version: u64,
    ) -> PortResult<Option<Self>> {
        let found = ports.configuration().template(tenant, name, version).await?.and_then(Self::own);
        if found.is_none() {
            tracing::warn!(template = %name, version, "this version of a template is gone");
        }
        Ok(found)
    }

    /// Their SMS form.
    pub(crate) fn sms(&self) -> Option<&SmsForm> {
        match self {
            Self::Own(version) => version.document.as_ref()?.sms.as_ref(),
            Self::BuiltIn(document) => document.sms.as_ref(),
        }
    }

    /// Their e-mail form.
    pub(crate) fn email(&self) -> Option<&EmailForm> {
        match self {
            Self::Own(version) => version.document.as_ref()?.email.as_ref(),
            Self::BuiltIn(document) => document.email.as_ref(),
        }
    }
}
