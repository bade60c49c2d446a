//! Enrolment by an app. Every call is signed by the device's key, which from the first call on is the session's name.

use otpost_domain::enrolment::SessionDevice;
use otpost_edge::http::{Answer, Call, json, optional_object};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::signature::signer;
use otpost_service::enroll::{Started, activate_app, start_app};
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::devices::DeviceDescription;
use crate::tokens::TokenView;

/// With the device it starts a session; with a code it activates the token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivationStep {
    /// The device, to start.
    #[serde(default, deserialize_with = "optional_object")]
    device: Option<DeviceDescription>,
    /// The authorization code, to start, where the link needs one.
    authorization_code: Option<String>,
    /// The first code, computed from the session's secret.
    code: Option<String>,
}

/// An open session: take over the secret, then come back with its first code. The same device gets the same answer until
/// the token is active.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "EnrolmentSession")]
struct OpenSession {
    /// The token's tenant.
    tenant: String,
    /// The token.
    serial: String,
    /// Who issues the codes.
    issuer: String,
    /// Everything an authenticator app needs, as one URI.
    otpauth_uri: String,
    /// The secret in Base32.
    secret: String,
    /// When the session ends (RFC 3339).
    expires_at: String,
}

impl From<&Started> for OpenSession {
    fn from(started: &Started) -> Self {
        Self {
            tenant: started.tenant.to_string(),
            serial: started.serial.to_string(),
            issuer: started.tenant_name.clone(),
            otpauth_uri: started.otpauth.expose().to_owned(),
            secret: started.secret.expose().to_owned(),
            expires_at: started.expires_at.rfc3339(),
        }
    }
}

pub(crate) async fn activate(ports: &impl Ports, call: &Call) -> Answer {
    let key = signer(ports, call).await?;
    let step: ActivationStep = call.json()?;
    let link = call.parameter("code");
    match (step.device, step.code) {
        (Some(device), None) => {
            let device = SessionDevice { key, details: device.details()? };
            let started = start_app(ports, link, &device, step.authorization_code.as_deref()).await?;
            json(201, &OpenSession::from(&started))
        }
        (None, Some(code)) => {
            json(200, &TokenView::from(&activate_app(ports, link, &key, &code).await?.token))
        }
        (Some(_), Some(_)) => {
            Err(Problem::field("code", "must not be given together with the device: start first"))
        }
        (None, None) => Err(Problem::field("device", "must be given to start, or the code to activate")),
    }
}

pub(crate) fn describe(document: &mut Document) {
    let step = document.named(&ROUTES, "activate").signed().takes::<ActivationStep>();
    let answers = step
        .answers::<OpenSession>(201, "A session is open: take over its secret.")
        .answers::<TokenView>(200, "The code was right: the token is active.");
    answers.fails(&[
        ProblemType::AuthorizationRequired,
        ProblemType::NotFound,
        ProblemType::DeadLink,
        ProblemType::EnrolmentSessionOver,
        ProblemType::InvalidCode,
        ProblemType::TooManyAttempts,
        ProblemType::Busy,
    ]);
}
