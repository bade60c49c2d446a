//! Checks codes, over HTTP.

use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_domain::ids::{BearerCode, UserId};
use otpost_domain::otp::Code;
use otpost_edge::auth::KeyRing;
use otpost_edge::http::{Answer, Call, field, json, respond};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_service::ports::{PlatformKey, Ports};
use otpost_service::verify::{Attempt, verify};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What this function answers, and to whom.
pub static ROUTES: [Route; 1] = [Route {
    method: "POST",
    path: "/v1/verify",
    operation: "verify",
    summary: "Checks a user's code; a right one is accepted once.",
    access: Access::Roles(&[Role::App]),
}];

/// A code to check.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodeToCheck {
    /// Whose code it is.
    user: String,
    /// The code, 6 to 8 digits; blanks are passed over.
    code: String,
    /// The device id that an earlier success issued to the device on which the code was typed. Tries with one have a
    /// budget of their own, so that strangers cannot lock its user out.
    source: Option<String>,
    /// Whether to issue a (new) device id if the code is right. Keep it on the user's device, e.g. in a cookie.
    #[serde(default)]
    remember_source: bool,
}

/// The code was accepted; it will not be again.
#[derive(JsonSchema, Serialize)]
struct Accepted {
    /// `accepted`.
    result: &'static str,
    /// The user.
    user: String,
    /// The token whose code it was.
    serial: String,
    /// The device id, if one was to be issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// Answers a request.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| check(ports, &call).await).await
}

async fn check(ports: &impl Ports, call: &Call) -> Answer {
    let given: CodeToCheck = call.json()?;
    let user: UserId = field("user", &given.user)?;
    let code = Code::parse(&given.code).map_err(|fault| Problem::field("code", fault))?;
    // A source that was never issued is a stranger's, whatever it looks like.
    let source = given.source.as_deref().and_then(|source| BearerCode::try_from(source).ok());
    let attempt = Attempt { user: user.clone(), code, source, remember: given.remember_source };
    let verified = verify(ports, &call.caller()?.tenant, attempt).await?;
    let accepted = Accepted {
        result: "accepted",
        user: user.to_string(),
        serial: verified.serial.to_string(),
        source: verified.source.map(|source| source.expose().to_owned()),
    };
    json(200, &accepted)
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    let [check] = &ROUTES;
    let checked = document.operation(check).takes::<CodeToCheck>();
    let accepted = checked.answers::<Accepted>(200, "The code was right.");
    accepted.fails(&[ProblemType::InvalidCode, ProblemType::TooManyAttempts, ProblemType::Busy]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::StatusCode;
    use otpost_edge::auth::NoPlatformKey;
    use otpost_service::sample::{events, sample_world};

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        let expected = [
            ("right-code.json", StatusCode::OK),
            ("wrong-code.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("unknown-user.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("malformed-code.json", StatusCode::BAD_REQUEST),
        ];
        for (file, text) in events("verify", &expected.map(|(file, _)| file)) {
            let ports = sample_world().await;
            let request = lambda_http::request::from_str(&text).unwrap();
            let response = handle(&ports, &KeyRing::new(NoPlatformKey), request).await;
            let status = expected.iter().find(|(name, _)| *name == file).unwrap().1;
            assert_eq!(response.status(), status, "{file}: {:?}", response.body());
        }
    }
}
