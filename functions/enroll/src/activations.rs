//! Enrolment by an app.

use otpost_domain::ids::BearerCode;
use otpost_edge::http::{Answer, Call, json};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::enroll::{EnrollError, Started, activate as give_code, start};
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::tokens::TokenView;

/// Empty to start a session; session and code to activate the token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ActivationStep {
    /// The session that the first call answered.
    session: Option<String>,
    /// The first code, computed from that session's secret.
    code: Option<String>,
}

/// An open session: take over the secret, then come back with its first code.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "EnrolmentSession")]
struct OpenSession {
    /// The session's secret; keep it until the token is active.
    session: String,
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
            session: started.session.expose().to_owned(),
            serial: started.serial.to_string(),
            issuer: started.tenant_name.clone(),
            otpauth_uri: started.otpauth.expose().to_owned(),
            secret: started.secret.to_string(),
            expires_at: started.expires_at.rfc3339(),
        }
    }
}

pub(crate) async fn activate(ports: &impl Ports, call: &Call) -> Answer {
    let step: ActivationStep = call.json()?;
    let link = call.parameter("code");
    let session = step
        .session
        .as_deref()
        .map(|session| BearerCode::try_from(session).map_err(|_| Problem::from(EnrollError::SessionOver)));
    match (session.transpose()?, step.code) {
        (session, None) => json(201, &OpenSession::from(&start(ports, link, session).await?)),
        (Some(session), Some(code)) => {
            json(200, &TokenView::from(&give_code(ports, link, &session, &code).await?.token))
        }
        (None, Some(_)) => Err(Problem::field("session", "must be given with the code")),
    }
}

pub(crate) fn describe(document: &mut Document) {
    let [.., activate] = &ROUTES;
    let step = document.operation(activate).takes::<ActivationStep>();
    let answers = step
        .answers::<OpenSession>(201, "A session is open: take over its secret.")
        .answers::<TokenView>(200, "The code was right: the token is active.");
    answers.fails(&[
        ProblemType::NotFound,
        ProblemType::DeadLink,
        ProblemType::EnrolmentSessionOver,
        ProblemType::InvalidCode,
        ProblemType::TooManyAttempts,
        ProblemType::Busy,
    ]);
}
