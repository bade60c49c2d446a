//! Tokens: provisioning and looking up.

use otpost_domain::ids::{Serial, UserId};
use otpost_domain::otp::{Algorithm, Digits, Kind, OtpParameters, Period};
use otpost_domain::token::{Token, TokenState};
use otpost_edge::http::{Answer, Call, json};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::provision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;

const NO_USER: &str = "There is no user of this id.";

/// A token to be provisioned. All of it has a default: what every authenticator app computes correctly.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// totp (the default) or hotp.
    kind: Option<String>,
    /// SHA1 (the default), SHA256 or SHA512. Some apps take everything for SHA1; the first code tells.
    algorithm: Option<String>,
    /// 6 (the default), 7 or 8.
    digits: Option<u8>,
    /// Seconds that a time-based code lives, 15 to 120; 30 unless given.
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
}

/// A user's tokens.
#[derive(JsonSchema, Serialize)]
struct Tokens {
    /// All of them, by serial; at most ten.
    tokens: Vec<TokenView>,
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
        }
    }
}

impl NewToken {
    fn parameters(&self) -> Result<OtpParameters, Problem> {
        let kind = match (self.kind.as_deref().unwrap_or("totp"), self.period) {
            ("totp", None) => Kind::default(),
            ("totp", Some(seconds)) => Kind::Totp(
                Period::new(seconds).map_err(|_| Problem::field("period", "must be 15 to 120 seconds"))?,
            ),
            ("hotp", None) => Kind::Hotp,
            ("hotp", Some(_)) => {
                return Err(Problem::field("period", "belongs to totp; a hotp token has none"));
            }
            _ => return Err(Problem::field("kind", "must be totp or hotp")),
        };
        let algorithm = match &self.algorithm {
            None => Algorithm::default(),
            Some(name) => Algorithm::try_from(name.as_str())
                .map_err(|_| Problem::field("algorithm", "must be SHA1, SHA256 or SHA512"))?,
        };
        let digits = match self.digits {
            None => Digits::default(),
            Some(count) => {
                Digits::try_from(count).map_err(|_| Problem::field("digits", "must be 6, 7 or 8"))?
            }
        };
        Ok(OtpParameters { kind, algorithm, digits })
    }
}

pub(crate) async fn provision(ports: &impl Ports, call: &Call) -> Answer {
    let user: UserId = call.named("user", NO_USER)?;
    let parameters = call.json::<NewToken>()?.parameters()?;
    let token = provision::provision(ports, &call.caller()?, &user, parameters).await?;
    json(201, &TokenView::from(&token))
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let user: UserId = call.named("user", NO_USER)?;
    let tokens = provision::tokens(ports, &call.caller()?, &user).await?;
    json(200, &Tokens { tokens: tokens.iter().map(TokenView::from).collect() })
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let serial: Serial = call.named("serial", "There is no token of this serial.")?;
    let token = provision::token(ports, &call.caller()?, &serial).await?;
    json(200, &TokenView::from(&token))
}

pub(crate) fn describe(document: &mut Document) {
    let [provision, list, get, ..] = &ROUTES;
    let made = document.operation(provision).takes::<NewToken>();
    made.answers::<TokenView>(201, "The new token.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::Busy,
    ]);
    document.operation(list).answers::<Tokens>(200, "The tokens.").fails(&[ProblemType::NotFound]);
    document.operation(get).answers::<TokenView>(200, "The token.").fails(&[ProblemType::NotFound]);
}
