//! What the helpdesk sends to whoever calls.

#[cfg(test)]
mod tests;

use otpost_domain::audit::Reason;
use otpost_domain::challenge::{ChallengeId, SentCode};
use otpost_domain::helpdesk::{NewPassword, Operator};
use otpost_domain::ids::UserId;
use otpost_edge::http::{Answer, Call, field, json, reply};
use otpost_edge::idempotency::{once, request_digest};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType, no_such_code};
use otpost_service::challenges::helpdesk::{self, Desk, PasswordSent, ReadBack};
use otpost_service::challenges::{CheckError, Shown};
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::challenges::{channel, seconds};

/// A code to be sent to a user who calls.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodeForCaller {
    /// The user who calls.
    user: String,
    /// By which channel the code goes, and no other: email or sms. By policy unless given.
    channel: Option<String>,
    /// Who of the helpdesk acts, as your own system knows them: 1 to 64 characters. For the audit log, and for the limit of
    /// an hour.
    operator: String,
    /// Why, such as the ticket's number, for the audit log: 1 to 256 characters.
    reason: String,
}

/// What the caller reads back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodeReadBack {
    /// The code, 6 to 10 digits; blanks are passed over.
    code: String,
    /// Who of the helpdesk acts: 1 to 64 characters.
    operator: String,
    /// Why, for the audit log: 1 to 256 characters.
    reason: String,
}

/// A new password for the user who has read a code back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordForCaller {
    /// The password as you have set it: 8 to 64 characters, and nothing in it that a telephone could take for a link. It lies
    /// sealed until a provider has taken the text, 10 minutes at most, and is never logged or shown.
    password: String,
    /// Who of the helpdesk acts: 1 to 64 characters.
    operator: String,
    /// Why, for the audit log: 1 to 256 characters.
    reason: String,
}

/// A code is on its way to the user who calls.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HelpdeskCode")]
struct CodeView {
    /// The code's id, at most 600 characters. Whoever has it and a helpdesk key may guess.
    id: String,
    /// How many digits the code has.
    digits: u8,
    /// By which channel it goes at first: email or sms.
    channel: &'static str,
    /// To whom, masked as policy wants it.
    recipient: String,
    /// From when on the code is good no more (RFC 3339).
    expires_at: String,
    /// The same in seconds from this answer.
    expires_in_seconds: u64,
    /// From when on it may be sent again (RFC 3339): by the same request.
    resend_at: String,
    /// The same in seconds from this answer.
    resend_in_seconds: u64,
}

/// The caller has read the code back: they read what goes to the user.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HelpdeskCodeAccepted")]
struct ReadBackView {
    /// `accepted`.
    result: &'static str,
    /// The user whose code it was.
    user: String,
    /// Until when one new password may be sent on it (RFC 3339).
    password_until: String,
}

/// A new password is on its way.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "HelpdeskPassword")]
struct PasswordView {
    /// The user whose it is.
    user: String,
    /// Its message. `GET /v1/messages/{message}` tells how far it is, and never what it holds.
    message: String,
    /// To which number it goes, masked as policy wants it.
    recipient: String,
    /// Until when it is tried (RFC 3339). Then its content is gone.
    expires_at: String,
}

fn desk(call: &Call, operator: &str, reason: &str) -> Result<Desk, Problem> {
    Ok(Desk {
        caller: call.caller()?,
        operator: field::<Operator, _>("operator", operator)?,
        reason: field::<Reason, _>("reason", reason)?,
    })
}

/// What was never issued and what is no id have one answer.
fn id(call: &Call) -> Result<ChallengeId, Problem> {
    ChallengeId::try_from(call.parameter("code")).map_err(|_| no_such_code())
}

pub(crate) async fn send_code(ports: &impl Ports, call: &Call) -> Answer {
    let given: CodeForCaller = call.json()?;
    let user = field::<UserId, _>("user", &given.user)?;
    let channel = channel(given.channel.as_deref())?;
    let desk = desk(call, &given.operator, &given.reason)?;
    let told = |shown: &Shown| {
        let now = desk.caller.now(ports);
        let view = CodeView {
            id: shown.id.expose(),
            digits: shown.digits,
            channel: shown.channel.as_str(),
            recipient: shown.recipient.clone(),
            expires_at: shown.expires_at.rfc3339(),
            expires_in_seconds: seconds(now, shown.expires_at),
            resend_at: shown.resend_at.rfc3339(),
            resend_in_seconds: seconds(now, shown.resend_at),
        };
        reply(202, None, &view)
    };
    once(ports, call, &desk.caller.tenant, &told, async |once| {
        helpdesk::send_code(ports, &desk, &user, channel, once).await
    })
    .await
}

fn told(error: CheckError) -> Problem {
    match error {
        CheckError::NoSuchChallenge => no_such_code(),
        CheckError::Exhausted => Problem::new(
            ProblemType::TooManyAttempts,
            "Too many wrong codes. This one was not looked at, and waiting does not help: have another code sent.",
        ),
        error => error.into(),
    }
}

pub(crate) async fn check(ports: &impl Ports, call: &Call) -> Answer {
    let id = id(call)?;
    let given: CodeReadBack = call.json()?;
    let code = SentCode::parse(&given.code).map_err(|fault| Problem::field("code", fault))?;
    let desk = desk(call, &given.operator, &given.reason)?;
    let ReadBack { user, password_until } =
        helpdesk::check(ports, &desk, &id, &code, request_digest(call)?).await.map_err(told)?;
    let password_until = password_until.rfc3339();
    json(200, &ReadBackView { result: "accepted", user: user.to_string(), password_until })
}

/// Without `Idempotency-Key`: the digest that it keeps of a request would be one of a password, and a code is good for one
/// password anyway.
pub(crate) async fn send_password(ports: &impl Ports, call: &Call) -> Answer {
    let id = id(call)?;
    let given: PasswordForCaller = call.json()?;
    let password = NewPassword::parse(&given.password).map_err(|fault| Problem::field("password", fault))?;
    let desk = desk(call, &given.operator, &given.reason)?;
    let PasswordSent { user, message, recipient, expires_at } =
        helpdesk::send_password(ports, &desk, &id, &password).await?;
    let (user, message, expires_at) = (user.to_string(), message.to_string(), expires_at.rfc3339());
    json(202, &PasswordView { user, message, recipient, expires_at })
}

pub(crate) fn describe(document: &mut Document) {
    let sent = document.named(&ROUTES, "sendHelpdeskCode").takes::<CodeForCaller>().idempotent();
    sent.answers::<CodeView>(202, "The code is on its way to the user.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::TooSoon,
        ProblemType::TooManyAttempts,
        ProblemType::Busy,
    ]);
    let checked = document.named(&ROUTES, "checkHelpdeskCode").takes::<CodeReadBack>().header(
        "Idempotency-Key",
        false,
        "1 to 128 visible ASCII characters, new for each code. The same request with the same key gets the same answer and \
         counts once, if no other code was tried since and the code has not expired.",
    );
    checked.answers::<ReadBackView>(200, "The code was right.").fails(&[
        ProblemType::NotFound,
        ProblemType::InvalidCode,
        ProblemType::TooManyAttempts,
    ]);
    let password = document.named(&ROUTES, "sendHelpdeskPassword").takes::<PasswordForCaller>();
    password.answers::<PasswordView>(202, "The password is on its way.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::TooManyAttempts,
        ProblemType::Busy,
    ]);
}
