//! The device that holds a token, as it describes itself.

use otpost_domain::device::{Device, DeviceDetails, DeviceKind, DeviceText, Os, PushOtp};
use otpost_domain::ids::{Serial, TenantId};
use otpost_edge::http::{Answer, Call, field, json_versioned, object};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::signature::signer;
use otpost_service::lifecycle::device_says;
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::tokens::TokenView;

/// What a device says of itself.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeviceDescription {
    /// ios, android, windows, macos, linux, chromeos or other.
    os: String,
    /// The system's version, 1 to 64 characters.
    os_version: Option<String>,
    /// phone, tablet, desktop or other.
    #[serde(rename = "type")]
    kind: String,
    /// The app's name, 1 to 64 characters.
    app: Option<String>,
    /// The app's version, 1 to 64 characters.
    app_version: Option<String>,
    /// Whether the app can show push messages, and may.
    #[serde(deserialize_with = "object")]
    push: PushDescription,
}

/// Whether an app can show push messages, and may.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PushDescription {
    /// Whether it can.
    capable: bool,
    /// Whether its user allows it.
    permitted: bool,
}

impl DeviceDescription {
    pub(crate) fn details(&self) -> Result<DeviceDetails, Problem> {
        let text =
            |name, text: Option<&String>| text.map(|text| field::<DeviceText, _>(name, text)).transpose();
        let os = Os::parse(&self.os).ok_or_else(|| {
            Problem::field("os", "must be ios, android, windows, macos, linux, chromeos or other")
        })?;
        let kind = DeviceKind::parse(&self.kind).filter(|kind| *kind != DeviceKind::Browser);
        let kind = kind.ok_or_else(|| Problem::field("type", "must be phone, tablet, desktop or other"))?;
        Ok(DeviceDetails {
            os,
            os_version: text("os_version", self.os_version.as_ref())?,
            kind,
            app: text("app", self.app.as_ref())?,
            app_version: text("app_version", self.app_version.as_ref())?,
            push: PushOtp::of(self.push.capable, self.push.permitted),
        })
    }
}

/// What the device that holds a token says of itself now.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeviceUpdate {
    /// The token's tenant, as the enrolment answered.
    tenant: String,
    /// The device.
    #[serde(deserialize_with = "object")]
    device: DeviceDescription,
}

/// The device that holds a token.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Device")]
pub(crate) struct DeviceView {
    /// As it was when the token was enrolled.
    enrolled: DetailsView,
    /// As it said last.
    now: DetailsView,
    /// When it said so (RFC 3339).
    told_at: String,
}

/// What a device said of itself.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "DeviceDetails")]
struct DetailsView {
    /// The operating system: ios, android, windows, macos, linux, chromeos or other.
    os: String,
    /// The system's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    /// phone, tablet, desktop, browser (enrolled by the page, with any app) or other.
    #[serde(rename = "type")]
    kind: String,
    /// The app's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    /// The app's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_version: Option<String>,
    /// enabled, disabled (its user has declined) or `not_applicable` (it cannot).
    push_otp: String,
}

impl From<&DeviceDetails> for DetailsView {
    fn from(details: &DeviceDetails) -> Self {
        let text = |text: &Option<DeviceText>| text.as_ref().map(|text| text.as_str().to_owned());
        Self {
            os: details.os.as_str().to_owned(),
            os_version: text(&details.os_version),
            kind: details.kind.as_str().to_owned(),
            app: text(&details.app),
            app_version: text(&details.app_version),
            push_otp: details.push.as_str().to_owned(),
        }
    }
}

impl From<&Device> for DeviceView {
    fn from(device: &Device) -> Self {
        Self {
            enrolled: DetailsView::from(&device.enrolled),
            now: DetailsView::from(&device.now),
            told_at: device.told_at.rfc3339(),
        }
    }
}

pub(crate) async fn describe_device(ports: &impl Ports, call: &Call) -> Answer {
    let key = signer(ports, call).await?;
    let update: DeviceUpdate = call.json()?;
    let tenant: TenantId = field("tenant", &update.tenant)?;
    let serial: Serial = call.named("serial", "There is no token of this serial.")?;
    let token = device_says(ports, &tenant, &serial, &key, update.device.details()?).await?;
    json_versioned(200, token.version, &TokenView::from(&token))
}

pub(crate) fn describe(document: &mut Document) {
    let told = document.named(&ROUTES, "describeDevice").signed().takes::<DeviceUpdate>();
    let answers = told.answers::<TokenView>(200, "The token as it is now.");
    answers.fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow, ProblemType::Busy]);
}
