//! What the helpdesk does when right codes are refused.

use otpost_domain::audit::Reason;
use otpost_domain::ids::{Serial, UserId};
use otpost_domain::otp::Code;
use otpost_domain::token::Token;
use otpost_edge::http::{Answer, Call, field, no_content, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::{lifecycle, verify};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

const MISSING: &str = "There is no token of this serial.";

/// Two codes that the token showed one after the other.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Resync {
    /// The two codes, in the order in which they were shown.
    codes: Vec<String>,
    /// Why, for the audit log; 1 to 256 characters.
    reason: Option<String>,
}

/// The token was found again.
#[derive(JsonSchema, Serialize)]
struct Resynced {
    /// `resynchronised`.
    result: &'static str,
    /// The token. The two codes are used up; its next one will be accepted.
    serial: String,
}

/// Why failures are forgotten.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Unlock {
    /// Why, for the audit log; 1 to 256 characters.
    reason: Option<String>,
}

fn reason(given: Option<&String>) -> Result<Option<Reason>, Problem> {
    given.map(|text| field("reason", text)).transpose()
}

pub(crate) async fn resync(ports: &impl Ports, call: &Call) -> Answer {
    let serial: Serial = call.named("serial", MISSING)?;
    let order: Resync = call.json()?;
    let [first, second] = order.codes.as_slice() else {
        return Err(Problem::field(
            "codes",
            "must be two codes, in the order in which the token showed them",
        ));
    };
    let code = |text: &str| Code::parse(text).map_err(|fault| Problem::field("codes", fault));
    let (first, second) = (code(first)?, code(second)?);
    let reason = reason(order.reason.as_ref())?;
    let caller = call.caller()?;
    let told = |token: &Token| {
        reply(200, None, &Resynced { result: "resynchronised", serial: token.serial.to_string() })
    };
    once(ports, call, &caller.tenant, &told, async |once| {
        verify::resync(ports, &caller, &serial, [&first, &second], reason.clone(), once).await
    })
    .await
}

pub(crate) async fn unlock(ports: &impl Ports, call: &Call) -> Answer {
    let serial: Serial = call.named("serial", MISSING)?;
    let order: Unlock = call.json()?;
    lifecycle::unlock(ports, &call.caller()?, &serial, reason(order.reason.as_ref())?).await?;
    Ok(no_content())
}

pub(crate) async fn unlock_user(ports: &impl Ports, call: &Call) -> Answer {
    let user: UserId = call.named("user", "There is no user of this id.")?;
    let order: Unlock = call.json()?;
    lifecycle::unlock_user(ports, &call.caller()?, &user, reason(order.reason.as_ref())?).await?;
    Ok(no_content())
}

pub(crate) fn describe(document: &mut Document) {
    let resynced = document.named(&ROUTES, "resyncToken").takes::<Resync>().idempotent();
    resynced.answers::<Resynced>(200, "The token was found again.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::InvalidCode,
        ProblemType::TooManyAttempts,
        ProblemType::Busy,
    ]);
    let forgotten = document.named(&ROUTES, "unlockUser").takes::<Unlock>();
    forgotten.answers_nothing(204, "The failures are forgotten.").fails(&[ProblemType::NotFound]);
    let unlocked = document.named(&ROUTES, "unlockToken").takes::<Unlock>();
    unlocked.answers_nothing(204, "The failures are forgotten.").fails(&[ProblemType::NotFound]);
}
