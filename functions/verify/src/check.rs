//! Checking a code.

use otpost_domain::ids::{BearerCode, Serial, UserId};
use otpost_domain::otp::Code;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::idempotency::request_digest;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::verify::{Attempt, Whose, verify};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

/// A code to check: a user's, or one token's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodeToCheck {
    /// Whose code it is; any of their tokens may have shown it.
    user: Option<String>,
    /// Instead of the user, the token that has shown it.
    serial: Option<String>,
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

pub(crate) async fn check(ports: &impl Ports, call: &Call) -> Answer {
    let given: CodeToCheck = call.json()?;
    let whose = match (&given.user, &given.serial) {
        (Some(user), None) => Whose::User(field::<UserId, _>("user", user)?),
        (None, Some(serial)) => Whose::Token(field::<Serial, _>("serial", serial)?),
        (Some(_), Some(_)) => {
            return Err(Problem::field("serial", "must not be given together with the user"));
        }
        (None, None) => return Err(Problem::field("user", "must be given, or else the serial")),
    };
    let code = Code::parse(&given.code).map_err(|fault| Problem::field("code", fault))?;
    // A source that was never issued is a stranger's, whatever it looks like.
    let source = given.source.as_deref().and_then(|source| BearerCode::try_from(source).ok());
    let request = request_digest(call)?;
    let caller = call.caller()?;
    let attempt =
        Attempt { whose, code, source, remember: given.remember_source, request, clock: caller.clock };
    let verified = verify(ports, &caller.tenant, attempt).await?;
    let accepted = Accepted {
        result: "accepted",
        user: verified.user.to_string(),
        serial: verified.serial.to_string(),
        source: verified.source.map(|source| source.expose().to_owned()),
    };
    json(200, &accepted)
}

pub(crate) fn describe(document: &mut Document) {
    let checked = document.named(&ROUTES, "verify").takes::<CodeToCheck>().header(
        "Idempotency-Key",
        false,
        "1 to 128 visible ASCII characters, new for each code. For five minutes the same request with the same key gets \
         the same answer, if its code was the last that was accepted.",
    );
    let accepted = checked.answers::<Accepted>(200, "The code was right.");
    accepted.fails(&[ProblemType::InvalidCode, ProblemType::TooManyAttempts, ProblemType::Busy]);
}
