//! Tokens: provisioning and looking up.

use otpost_domain::audit::Reason;
use otpost_domain::ids::{Serial, UserId};
use otpost_domain::otp::{Algorithm, Digits, Period};
use otpost_domain::policy::TokenKind;
use otpost_domain::token::{Token, TokenState};
use otpost_edge::http::{Answer, Call, field, json, json_versioned, reply};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::lifecycle::{self, Order};
use otpost_service::once::Reply;
use otpost_service::ports::{PortResult, Ports};
use otpost_service::provision::{self, Wanted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::devices::DeviceView;

const NO_USER: &str = "There is no user of this id.";
const NO_TOKEN: &str = "There is no token of this serial.";

/// A token to be provisioned. What is left out is by policy; without one, what every authenticator app computes
/// correctly.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// totp or hotp.
    kind: Option<String>,
    /// SHA1, SHA256 or SHA512. Some apps take everything for SHA1; the first code tells.
    algorithm: Option<String>,
    /// 6, 7 or 8.
    digits: Option<u8>,
    /// Seconds that a time-based code lives, 15 to 120; only of a totp token.
    period: Option<u64>,
}

/// A token.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Token")]
pub(crate) struct TokenView {
    /// Its serial number.
    serial: String,
    /// Its user.
    user: String,
    /// assigned, enrolling, active, suspended or revoked.
    state: String,
    /// totp or hotp.
    kind: String,
    /// SHA1, SHA256 or SHA512.
    algorithm: String,
    /// 6, 7 or 8.
    digits: u8,
    /// Seconds that a time-based code lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
    /// When it was provisioned (RFC 3339).
    created_at: String,
    /// When its link was last sent (RFC 3339), while it is enrolling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pushed_at: Option<String>,
    /// When its first code proved it (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    activated_at: Option<String>,
    /// When it was suspended or revoked (RFC 3339), while it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<String>,
    /// The device that holds it, once it is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceView>,
}

/// A user's tokens.
#[derive(JsonSchema, Serialize)]
struct Tokens {
    /// By serial.
    tokens: Vec<TokenView>,
    /// The cursor of the next page of revoked tokens, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Why something is done with a token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Why, for the audit log; 1 to 256 characters.
    reason: Option<String>,
}

impl From<&Token> for TokenView {
    fn from(token: &Token) -> Self {
        let (pushed_at, activated_at) = match &token.state {
            TokenState::Enrolling { since, .. } => (Some(since.rfc3339()), None),
            TokenState::Active { since: at, .. } | TokenState::Suspended { activated_at: at, .. } => {
                (None, Some(at.rfc3339()))
            }
            TokenState::Assigned | TokenState::Revoked { .. } => (None, None),
        };
        let stopped_at = match &token.state {
            TokenState::Suspended { since: at, .. } | TokenState::Revoked { at } => Some(at.rfc3339()),
            _ => None,
        };
        Self {
            serial: token.serial.to_string(),
            user: token.user.to_string(),
            state: token.state.as_str().to_owned(),
            kind: token.parameters.kind.as_str().to_owned(),
            algorithm: token.parameters.algorithm.as_str().to_owned(),
            digits: token.parameters.digits.count(),
            period: token.parameters.kind.period().map(Period::seconds),
            created_at: token.created_at.rfc3339(),
            pushed_at,
            activated_at,
            stopped_at,
            device: token.device.as_ref().map(DeviceView::from),
        }
    }
}

impl NewToken {
    fn wanted(&self) -> Result<Wanted, Problem> {
        let kind = match self.kind.as_deref() {
            None => None,
            Some(kind) => {
                Some(TokenKind::parse(kind).ok_or_else(|| Problem::field("kind", "must be totp or hotp"))?)
            }
        };
        let period = self.period.map(Period::new).transpose();
        let period = period.map_err(|_| Problem::field("period", "must be 15 to 120 seconds"))?;
        // Only a time-based token has a period.
        let kind = match (kind, period) {
            (Some(TokenKind::Hotp), Some(_)) => {
                return Err(Problem::field("period", "belongs to totp; a hotp token has none"));
            }
            (None, Some(_)) => Some(TokenKind::Totp),
            (kind, _) => kind,
        };
        let algorithm = self.algorithm.as_deref().map(Algorithm::try_from).transpose();
        let algorithm =
            algorithm.map_err(|_| Problem::field("algorithm", "must be SHA1, SHA256 or SHA512"))?;
        let digits = self.digits.map(Digits::try_from).transpose();
        let digits = digits.map_err(|_| Problem::field("digits", "must be 6, 7 or 8"))?;
        Ok(Wanted { kind, period, algorithm, digits })
    }
}

pub(crate) async fn provision(ports: &impl Ports, call: &Call) -> Answer {
    let user: UserId = call.named("user", NO_USER)?;
    let wanted = call.json::<NewToken>()?.wanted()?;
    let caller = call.caller()?;
    once(ports, call, &caller.tenant, &|token| told(201, token), async |once| {
        provision::provision(ports, &caller, &user, wanted, once).await
    })
    .await
}

fn told(status: u16, token: &Token) -> PortResult<Reply> {
    reply(status, Some(token.version), &TokenView::from(token))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let user: UserId = call.named("user", NO_USER)?;
    let caller = call.caller()?;
    let (tokens, next) = match call.query("revoked").as_deref() {
        None | Some("false") => {
            let unused = ["limit", "cursor"].into_iter().find(|name| call.query(name).is_some());
            if let Some(name) = unused {
                return Err(Problem::field(
                    name,
                    "is for revoked=true; there are ten tokens at most without it",
                ));
            }
            (provision::tokens(ports, &caller, &user).await?, None)
        }
        Some("true") => {
            let list = Listing::of(call, user.as_str())?;
            let request = list.requested(call)?;
            if request.after.as_deref().is_some_and(|after| Serial::try_from(after).is_err()) {
                return Err(Problem::field("cursor", "must be the next of the page before"));
            }
            let page = provision::revoked_tokens(ports, &caller, &user, &request).await?;
            (page.items, list.cursor(page.next.as_ref()))
        }
        Some(_) => return Err(Problem::field("revoked", "must be true or false")),
    };
    json(200, &Tokens { tokens: tokens.iter().map(TokenView::from).collect(), next })
}

pub(crate) async fn change(ports: &impl Ports, call: &Call) -> Answer {
    let serial: Serial = call.named("serial", NO_TOKEN)?;
    let change: Change = call.json()?;
    let reason = change.reason.as_deref().map(|text| field::<Reason, _>("reason", text)).transpose()?;
    let order = Order { serial, reason, seen: call.if_match()? };
    let caller = call.caller()?;
    once(ports, call, &caller.tenant, &|token| told(200, token), async |once| match call.route.operation {
        "suspendToken" => lifecycle::suspend(ports, &caller, &order, once).await,
        "resumeToken" => lifecycle::resume(ports, &caller, &order, once).await,
        _ => lifecycle::revoke(ports, &caller, &order, once).await,
    })
    .await
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let serial: Serial = call.named("serial", NO_TOKEN)?;
    let token = provision::token(ports, &call.caller()?, &serial).await?;
    json_versioned(200, token.version, &TokenView::from(&token))
}

pub(crate) fn describe(document: &mut Document) {
    let made = document.named(&ROUTES, "provisionToken").takes::<NewToken>().idempotent();
    made.answers::<TokenView>(201, "The new token.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::Busy,
    ]);
    document
        .named(&ROUTES, "listTokens")
        .query("revoked", false, "true: the revoked tokens, in pages, instead of the others.")
        .paged()
        .answers::<Tokens>(200, "The tokens.")
        .fails(&[ProblemType::InvalidRequest, ProblemType::NotFound]);
    document
        .named(&ROUTES, "getToken")
        .answers::<TokenView>(200, "The token.")
        .fails(&[ProblemType::NotFound]);
    for operation in ["suspendToken", "resumeToken", "revokeToken"] {
        let changed = document.named(&ROUTES, operation).takes::<Change>().idempotent().conditional();
        let answers = changed.answers::<TokenView>(200, "The token as it is now.");
        answers.fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow, ProblemType::Busy]);
    }
}
