//! Errors as problem documents (RFC 9457). The only place that joins an error to a status code.
//!
//! `type` is one of a closed set, each with a page in `docs/problems/`. `title` belongs to the type, `detail` is about
//! this occurrence and curated: no internals, no secret. A 5xx says only where to look in the log.

use std::time::Duration;

use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_http::{Body, Response};
use otpost_domain::challenge::Why;
use otpost_domain::document::{Fault as Flaw, Faults};
use otpost_domain::enrolment::DeadLink;
use otpost_domain::gateway::MOST_GATEWAYS;
use otpost_domain::helpdesk::Refusal;
use otpost_domain::message::Channel;
use otpost_domain::time::Timestamp;
use otpost_domain::token::IllegalTransition;
use otpost_service::admin::{CreateKeyError, CreateTenantError, RevokeKeyError, RotateKeyError, TenantError};
use otpost_service::challenges::helpdesk::HelpdeskError;
use otpost_service::challenges::{CheckError, InvalidOrder, ReadError, StartError};
use otpost_service::directories::DirectoryError;
use otpost_service::enroll::EnrollError;
use otpost_service::gateways::{GatewayError, GatewayTestError};
use otpost_service::lifecycle::LifecycleError;
use otpost_service::policies::{ExplainError, PolicyError};
use otpost_service::ports::{Fault, PortError};
use otpost_service::provision::{LookUpError, ProvisionError};
use otpost_service::push::PushError;
use otpost_service::suppressions::SuppressionError;
use otpost_service::templates::{TemplateError, TestError};
use otpost_service::transfer::ImportError;
use otpost_service::users::UserError;
use otpost_service::verify::{ResyncError, VerifyError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::telemetry::chain;

macro_rules! problem_types {
    ($($(#[$doc:meta])* $name:ident = $slug:literal, $status:literal, $title:literal;)*) => {
        /// The kinds of problems.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemType {
            $($(#[$doc])* $name,)*
        }

        impl ProblemType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in the URN and of its page in `docs/problems/`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// Its status code, 4xx or 5xx.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// What it is called, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

problem_types! {
    /// The request cannot be read, or a field of it is not allowed.
    InvalidRequest = "invalid-request", 400, "The request is not valid";
    /// No key, or none that is good.
    Unauthorized = "unauthorized", 401, "A valid API key is needed";
    /// The device's signature is missing or not good.
    InvalidSignature = "invalid-signature", 401, "The device's signature is not valid";
    /// The key's role may not do this.
    Forbidden = "forbidden", 403, "This key may not do that";
    /// The key's caller does not promise that people have shown a first factor.
    FirstFactorRequired = "first-factor-required", 403, "A first factor must have been shown";
    /// The link needs its authorization code.
    AuthorizationRequired = "authorization-required", 403, "An authorization code is needed";
    /// There is no such thing in the key's tenant.
    NotFound = "not-found", 404, "There is no such thing";
    /// What was to be made is there already.
    AlreadyExists = "already-exists", 409, "It exists already";
    /// The state of things does not allow it.
    NotAllowedNow = "not-allowed-now", 409, "This cannot be done now";
    /// An earlier try of the same request is still at it.
    RequestRunning = "request-running", 409, "The same request is still being worked on";
    /// Others change the same thing.
    Busy = "busy", 409, "Others change the same thing";
    /// The browser's or app's enrolment is over.
    EnrolmentSessionOver = "enrolment-session-over", 409, "The enrolment session is over";
    /// The link does not work any more.
    DeadLink = "dead-link", 410, "The link does not work any more";
    /// The thing is not in the version that the request names.
    PreconditionFailed = "precondition-failed", 412, "It has changed since you read it";
    /// The thing is there, and the request does not say which version of it is meant.
    PreconditionRequired = "precondition-required", 428, "Say which version you have read";
    /// The body is too long.
    TooLarge = "too-large", 413, "The request is too large";
    /// The body is not JSON, or what else the route takes.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body is not of a media type that is taken here";
    /// The Idempotency-Key belongs to another request.
    IdempotencyKeyReused = "idempotency-key-reused", 422, "The Idempotency-Key was used for another request";
    /// The code was not accepted.
    InvalidCode = "invalid-code", 422, "The code was not accepted";
    /// A code was sent a moment ago, or as often as may be.
    TooSoon = "too-soon", 429, "It is too soon for another code";
    /// Too many wrong codes or open sessions.
    TooManyAttempts = "too-many-attempts", 429, "Too many attempts";
    /// Otpost is at fault.
    Internal = "internal", 500, "Something went wrong";
    /// Something that Otpost needs is in trouble.
    Unavailable = "unavailable", 503, "Otpost cannot do this at the moment";
}

impl ProblemType {
    /// The `type` member.
    #[must_use]
    pub fn urn(self) -> String {
        format!("urn:otpost:problem:{}", self.slug())
    }
}

/// One occurrence of a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its kind.
    pub kind: ProblemType,
    /// About this occurrence, for whoever reads the answer.
    pub detail: String,
    /// The field of the request that it is about.
    pub field: Option<&'static str>,
    /// All that is wrong with a document, each fault at its place.
    pub errors: Vec<DocumentFault>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
pub struct DocumentFault {
    /// Where: a JSON Pointer (RFC 6901) into the body; empty for all of it.
    pub pointer: String,
    /// What must hold there.
    pub detail: String,
    /// The line, where it is in a text that was looked at closely; from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

/// A problem document (RFC 9457).
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// Kind of the problem: `urn:otpost:problem:` and one of the names in docs/problems.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this kind.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// About this occurrence.
    pub detail: String,
    /// This occurrence's id, to be found in the log.
    pub instance: String,
    /// The field of the request that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// All that is wrong with the document, each fault at its place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<DocumentFault>,
}

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemType, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, errors: Vec::new(), retry_after: None }
    }

    /// A field of the request that is not allowed.
    pub fn field(field: &'static str, fault: impl std::fmt::Display) -> Self {
        let fault = fault.to_string();
        // Either what must hold of the field, or a sentence of its own.
        let detail = if fault.starts_with("a ") || fault.starts_with("an ") {
            format!("{field}: {fault}")
        } else {
            format!("{field} {fault}")
        };
        Self { field: Some(field), ..Self::new(ProblemType::InvalidRequest, detail) }
    }

    /// The same, worth another try after `wait`.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    /// The answer; `request_id` is where to look in the log.
    #[must_use]
    pub fn response(&self, request_id: &str) -> Response<Body> {
        let document = ProblemDocument {
            kind: self.kind.urn(),
            title: self.kind.title().to_owned(),
            status: self.kind.status(),
            detail: self.detail.clone(),
            instance: format!("urn:otpost:request:{request_id}"),
            field: self.field.map(str::to_owned),
            errors: self.errors.clone(),
        };
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut headers: Vec<(HeaderName, String)> = vec![
            (CONTENT_TYPE, "application/problem+json".to_owned()),
            (CACHE_CONTROL, "no-store".to_owned()),
        ];
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.push((RETRY_AFTER, seconds.max(1).to_string()));
        }
        // RFC 9110 section 15.5.2: a 401 names its scheme.
        match self.kind {
            ProblemType::Unauthorized => {
                headers.push((WWW_AUTHENTICATE, "Bearer realm=\"otpost\"".to_owned()));
            }
            ProblemType::InvalidSignature => {
                headers.push((WWW_AUTHENTICATE, "Signature realm=\"otpost\"".to_owned()));
            }
            _ => {}
        }
        crate::http::response(self.kind.status(), headers, Body::Text(body))
    }
}

impl From<PortError> for Problem {
    fn from(error: PortError) -> Self {
        if error.kind == Fault::Gone {
            // Its keys are trusted for up to a minute more, see `auth`.
            return Self::new(
                ProblemType::Unauthorized,
                "This API key is not known, was revoked or has expired.",
            );
        }
        tracing::error!(error = chain(&error), fault = ?error.kind, "a port failed");
        match error.kind {
            Fault::Throttled | Fault::Unavailable => {
                Self::new(ProblemType::Unavailable, "Please try again in a moment.")
                    .after(Duration::from_secs(2))
            }
            Fault::Misconfigured | Fault::Corrupt | Fault::Gone => {
                Self::new(ProblemType::Internal, "The operators can find this in the log by its instance.")
            }
        }
    }
}

impl From<Faults> for Problem {
    fn from(faults: Faults) -> Self {
        let fault = |fault: &Flaw| DocumentFault {
            pointer: fault.pointer.clone(),
            detail: fault.told.clone(),
            line: fault.position.map(|(line, _)| line),
            column: fault.position.map(|(_, column)| column),
        };
        let errors: Vec<_> = faults.all().iter().map(fault).collect();
        let detail = match errors.as_slice() {
            [only] if only.pointer.is_empty() => format!("The document {}.", only.detail),
            [DocumentFault { pointer, detail, line: Some(line), column: Some(column) }] => {
                format!("{pointer}, line {line}, column {column}: {detail}.")
            }
            [only] => format!("{} {}.", only.pointer, only.detail),
            all => format!("{} things in the document are wrong; see errors.", all.len()),
        };
        Self { errors, ..Self::new(ProblemType::InvalidRequest, detail) }
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        match error {
            PolicyError::NoSuchPolicy => Self::new(ProblemType::NotFound, "There is no policy of this id."),
            PolicyError::Unseen => unseen("policy"),
            PolicyError::Changed => changed("policy"),
            PolicyError::TooMany => Self::new(
                ProblemType::NotAllowedNow,
                "The tenant has 64 policies already; no more are allowed.",
            ),
            PolicyError::Port(error) => error.into(),
        }
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::NoSuchDirectory => {
                Self::new(ProblemType::NotFound, "There is no directory of this id.")
            }
            DirectoryError::Exists => Self::new(
                ProblemType::AlreadyExists,
                "The events of this account and source are registered already.",
            ),
            DirectoryError::NoSuchTenant => {
                Self::new(ProblemType::NotFound, "There is no tenant of this id.")
            }
            DirectoryError::Port(error) => error.into(),
        }
    }
}

impl From<SuppressionError> for Problem {
    fn from(error: SuppressionError) -> Self {
        match error {
            SuppressionError::NoSuchAddress => {
                Self::new(ProblemType::NotFound, "There is no address of this key on the suppression list.")
            }
            SuppressionError::Port(error) => error.into(),
        }
    }
}

impl From<GatewayError> for Problem {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::NoSuchGateway => {
                Self::new(ProblemType::NotFound, "There is no gateway of this id.")
            }
            GatewayError::Unseen => unseen("gateway"),
            GatewayError::Changed => changed("gateway"),
            GatewayError::Taken => Self::new(
                ProblemType::AlreadyExists,
                "The platform has a gateway of this id that serves the tenant. Choose another id.",
            ),
            GatewayError::TooMany => {
                let detail = format!("There are {MOST_GATEWAYS} gateways already; no more are allowed.");
                Self::new(ProblemType::NotAllowedNow, detail)
            }
            GatewayError::Busy => busy(),
            GatewayError::Port(error) => error.into(),
        }
    }
}

impl From<GatewayTestError> for Problem {
    fn from(error: GatewayTestError) -> Self {
        match error {
            GatewayTestError::NoSuchGateway => {
                Self::new(ProblemType::NotFound, "There is no gateway of this id.")
            }
            GatewayTestError::Lent => Self::new(
                ProblemType::NotAllowedNow,
                "The platform lends this gateway, and tests it itself. To send a message by it, test a template: \
                 POST /v1/templates/{template}/test with its id as gateway.",
            ),
            GatewayTestError::Tenant(detail) => Self::field("tenant", detail),
            GatewayTestError::OtherChannel(Channel::Email) => {
                Self::field("email", "must not be given: the gateway sends texts. Give phone.")
            }
            GatewayTestError::OtherChannel(Channel::Sms) => {
                Self::field("phone", "must not be given: the gateway sends mails. Give email.")
            }
            GatewayTestError::NotReady(detail) => Self::new(ProblemType::NotAllowedNow, detail),
            GatewayTestError::Port(error) => error.into(),
        }
    }
}

impl From<TemplateError> for Problem {
    fn from(error: TemplateError) -> Self {
        match error {
            TemplateError::NoSuchTemplate => {
                Self::new(ProblemType::NotFound, "The tenant has no template of this name.")
            }
            TemplateError::NoSuchVersion => Self::new(
                ProblemType::NotFound,
                "The template has no such version with texts, or it is too old to be kept.",
            ),
            TemplateError::NoSuchPolicy(policy) => Self::field(
                "template",
                format!("is for the policy {policy}, and there is none. Make the policy first."),
            ),
            TemplateError::Invalid(faults) => faults.into(),
            TemplateError::Unseen => unseen("template"),
            TemplateError::Changed => changed("template"),
            error @ (TemplateError::TooMany | TemplateError::TooManyNames | TemplateError::TooLarge) => {
                Self::new(ProblemType::NotAllowedNow, sentence(&error.to_string()))
            }
            TemplateError::Port(error) => error.into(),
        }
    }
}

impl From<TestError> for Problem {
    fn from(error: TestError) -> Self {
        match error {
            TestError::Template(error) => error.into(),
            TestError::NoForm(_) => Self::new(ProblemType::NotAllowedNow, sentence(&error.to_string())),
            TestError::Gateway(detail) => Self::new(ProblemType::NotAllowedNow, detail),
            TestError::Port(error) => error.into(),
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Invalid(faults) => faults.into(),
            ImportError::Port(error) => error.into(),
        }
    }
}

/// What an error says, as a sentence.
#[must_use]
pub fn sentence(told: &str) -> String {
    let mut characters = told.chars();
    let first = characters.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(characters).chain(['.']).collect()
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::NoSuchUser => no_such_user(),
            ExplainError::Port(error) => error.into(),
        }
    }
}

impl From<CreateTenantError> for Problem {
    fn from(error: CreateTenantError) -> Self {
        match error {
            CreateTenantError::Exists => {
                Self::new(ProblemType::AlreadyExists, "There is a tenant of this id.")
            }
            CreateTenantError::Deleted { free_at } => Self::new(ProblemType::AlreadyExists, taken(free_at)),
            CreateTenantError::Port(error) => error.into(),
        }
    }
}

fn taken(free_at: Option<Timestamp>) -> String {
    match free_at {
        Some(free) => {
            format!("A tenant of this id was deleted. The id is free from {} on.", free.rfc3339())
        }
        None => {
            "A tenant of this id was deleted and is being erased. The id is free 30 days after that is done."
                .to_owned()
        }
    }
}

impl From<CreateKeyError> for Problem {
    fn from(error: CreateKeyError) -> Self {
        match error {
            CreateKeyError::NoSuchTenant => {
                Self::new(ProblemType::NotFound, "There is no tenant of this id.")
            }
            CreateKeyError::Busy => busy(),
            CreateKeyError::Port(error) => error.into(),
        }
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::NoSuchTenant => Self::new(ProblemType::NotFound, "There is no tenant of this id."),
            TenantError::Deleted => Self::new(ProblemType::NotAllowedNow, "The tenant was deleted."),
            TenantError::TooManyKeys => Self::new(
                ProblemType::NotAllowedNow,
                "The tenant has had 255 data keys; it cannot be given another.",
            ),
            TenantError::Busy => busy(),
            TenantError::Port(error) => error.into(),
        }
    }
}

impl From<LifecycleError> for Problem {
    fn from(error: LifecycleError) -> Self {
        match error {
            LifecycleError::NoSuchToken => no_such_token(),
            LifecycleError::NotAllowed(fault) => not_allowed(fault),
            LifecycleError::Changed => changed("token"),
            LifecycleError::OtherDevice => Self::new(
                ProblemType::InvalidSignature,
                "The key that signed this request is not that of the device that holds the token.",
            ),
            LifecycleError::Busy => busy(),
            LifecycleError::Port(error) => error.into(),
        }
    }
}

impl From<ResyncError> for Problem {
    fn from(error: ResyncError) -> Self {
        match error {
            ResyncError::NoSuchToken => no_such_token(),
            ResyncError::NotActive(fault) => not_allowed(fault),
            ResyncError::Refused => Self::new(
                ProblemType::InvalidCode,
                "The token has not shown these two codes one after the other, or they are too old or were used before.",
            ),
            ResyncError::Locked { retry_after } => {
                Self::new(ProblemType::TooManyAttempts, "Too many wrong codes. These were not looked at.")
                    .after(retry_after)
            }
            ResyncError::Busy => busy(),
            ResyncError::Port(error) => error.into(),
        }
    }
}

fn not_allowed(fault: IllegalTransition) -> Problem {
    let detail = format!("The token is {}; it cannot be {}.", fault.state, fault.action);
    Problem::new(ProblemType::NotAllowedNow, detail)
}

fn unseen(what: &str) -> Problem {
    let detail =
        format!("There is a {what} of this id. Read it, and send its ETag as If-Match to replace it.");
    Problem::new(ProblemType::PreconditionRequired, detail)
}

fn changed(what: &str) -> Problem {
    let detail = format!("The {what} is not in the version that If-Match names. Read it again.");
    Problem::new(ProblemType::PreconditionFailed, detail)
}

impl From<RotateKeyError> for Problem {
    fn from(error: RotateKeyError) -> Self {
        match error {
            RotateKeyError::NoSuchKey => Self::new(ProblemType::NotFound, "There is no key of this id."),
            RotateKeyError::Over => {
                Self::new(ProblemType::NotAllowedNow, "The key was revoked or has expired. Make a new one.")
            }
            RotateKeyError::Busy => busy(),
            RotateKeyError::Port(error) => error.into(),
        }
    }
}

impl From<RevokeKeyError> for Problem {
    fn from(error: RevokeKeyError) -> Self {
        match error {
            RevokeKeyError::NoSuchKey => Self::new(ProblemType::NotFound, "There is no key of this id."),
            RevokeKeyError::Port(error) => error.into(),
        }
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::Exists => Self::new(ProblemType::AlreadyExists, "There is a user of this id."),
            UserError::NoSuchUser => no_such_user(),
            UserError::Changed => changed("user"),
            UserError::Busy => busy(),
            UserError::Port(error) => error.into(),
        }
    }
}

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::NoSuchUser => no_such_user(),
            ProvisionError::TooManyTokens => {
                Self::new(ProblemType::NotAllowedNow, "The user has 10 tokens already; no more are allowed.")
            }
            ProvisionError::Busy => busy(),
            ProvisionError::Port(error) => error.into(),
        }
    }
}

impl From<LookUpError> for Problem {
    fn from(error: LookUpError) -> Self {
        match error {
            LookUpError::NoSuchUser => no_such_user(),
            LookUpError::NoSuchToken => no_such_token(),
            LookUpError::Port(error) => error.into(),
        }
    }
}

impl From<PushError> for Problem {
    fn from(error: PushError) -> Self {
        match error {
            PushError::NoSuchToken => no_such_token(),
            PushError::NotEnrollable(fault) => Self::new(
                ProblemType::NotAllowedNow,
                format!(
                    "The token is {}: only one that is assigned or enrolling can be pushed.",
                    fault.state
                ),
            ),
            PushError::InactiveUser => {
                Self::new(ProblemType::NotAllowedNow, "The token's user is not active.")
            }
            PushError::NoAddress(channel) => Self::new(
                ProblemType::NotAllowedNow,
                format!("The token's user has no address for the channel {}.", channel.as_str()),
            ),
            PushError::NoGateway(channel) => Self::new(
                ProblemType::NotAllowedNow,
                format!("No gateway is configured for the channel {}.", channel.as_str()),
            ),
            PushError::Busy => busy(),
            PushError::Port(error) => error.into(),
        }
    }
}

impl From<DeadLink> for Problem {
    fn from(dead: DeadLink) -> Self {
        match dead {
            DeadLink::Unknown => Self::new(ProblemType::NotFound, "There is no such link."),
            DeadLink::Expired => {
                Self::new(ProblemType::DeadLink, "The link has expired. Ask for a new one to be sent.")
            }
            DeadLink::Used => {
                Self::new(ProblemType::DeadLink, "The link has been used: its token is active already.")
            }
            DeadLink::Withdrawn => Self::new(
                ProblemType::DeadLink,
                "The link was withdrawn: its token was revoked, or its user switched off.",
            ),
            DeadLink::Spent => Self::new(
                ProblemType::DeadLink,
                "Too many wrong authorization codes were given with this link. Ask for a new one to be sent.",
            ),
            DeadLink::Superseded => {
                Self::new(ProblemType::DeadLink, "A newer link was sent. Use the one in the latest message.")
            }
        }
    }
}

impl From<EnrollError> for Problem {
    fn from(error: EnrollError) -> Self {
        match error {
            EnrollError::Dead(dead) => dead.into(),
            EnrollError::TooManySessions { retry_after } => Self::new(
                ProblemType::TooManyAttempts,
                "Too many browsers or apps have started this enrolment. Wait until one of them is over.",
            )
            .after(retry_after),
            EnrollError::SessionOver => Self::new(
                ProblemType::EnrolmentSessionOver,
                "This enrolment session is over or was never opened. Start again from the link.",
            ),
            EnrollError::TooManyWrongCodes => Self::new(
                ProblemType::EnrolmentSessionOver,
                "This enrolment session had too many wrong codes. Start again from the link.",
            ),
            EnrollError::AuthorizationNeeded => Self::new(
                ProblemType::AuthorizationRequired,
                "This link needs the authorization code that its recipient was given another way.",
            ),
            EnrollError::AuthorizationFormat(fault) => Self::field("authorization_code", fault),
            EnrollError::WrongAuthorization { left } => Self::new(
                ProblemType::InvalidCode,
                match left {
                    1 => "The authorization code is not right. One more may be wrong.".to_owned(),
                    _ => format!("The authorization code is not right. {left} more may be wrong."),
                },
            ),
            EnrollError::Format(fault) => Self::field("code", fault),
            EnrollError::WrongCode => Self::new(
                ProblemType::InvalidCode,
                "The code is not the one that the app should show now. Check the device's time, and that the secret \
                 was taken over completely.",
            ),
            EnrollError::Busy => busy(),
            EnrollError::Port(error) => error.into(),
        }
    }
}

impl From<VerifyError> for Problem {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Refused => {
                Self::new(ProblemType::InvalidCode, "The code is wrong, was used before, or is too old.")
            }
            VerifyError::Locked { retry_after } => {
                Self::new(ProblemType::TooManyAttempts, "Too many wrong codes. This one was not looked at.")
                    .after(retry_after)
            }
            VerifyError::Busy => busy(),
            VerifyError::Port(error) => error.into(),
        }
    }
}

impl From<InvalidOrder> for Problem {
    fn from(fault: InvalidOrder) -> Self {
        let field = match fault {
            InvalidOrder::NoTransaction | InvalidOrder::OutOfPlace => "transaction",
            InvalidOrder::BareIsForEnrolment | InvalidOrder::Helpdesks => "purpose",
            InvalidOrder::OtherChannel => "channel",
        };
        Self::field(field, fault)
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Wait { retry_after, why } => {
                let (kind, detail) = match why {
                    Why::CoolDown => (
                        ProblemType::TooSoon,
                        "A code was sent a moment ago. Wait before another is asked for.",
                    ),
                    Why::SentEnough => (
                        ProblemType::TooSoon,
                        "The code was sent as often as policy allows. It can still be typed; another one can be had \
                         when it has expired.",
                    ),
                    Why::Failures => {
                        (ProblemType::TooManyAttempts, "Too many wrong codes were given. No code was sent.")
                    }
                };
                Self::new(kind, detail).after(retry_after)
            }
            StartError::Over => Self::new(
                ProblemType::NotAllowedNow,
                "The challenge is over: its code was accepted, has expired, took all the wrong codes that it takes, \
                 or gave way to another. Start a new challenge.",
            ),
            StartError::NoSuchChallenge => no_such_challenge(),
            StartError::Busy => busy(),
            StartError::Port(error) => error.into(),
        }
    }
}

impl From<CheckError> for Problem {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Refused => Self::new(
                ProblemType::InvalidCode,
                "The code is wrong, is for something else, was used before, or is no longer good.",
            ),
            CheckError::Exhausted => Self::new(
                ProblemType::TooManyAttempts,
                "Too many wrong codes. This one was not looked at, and waiting does not help: start a new challenge.",
            ),
            CheckError::NoSuchChallenge => no_such_challenge(),
            CheckError::Port(error) => error.into(),
        }
    }
}

impl From<HelpdeskError> for Problem {
    fn from(error: HelpdeskError) -> Self {
        let not_now = |detail: String| Self::new(ProblemType::NotAllowedNow, detail);
        match error {
            HelpdeskError::NoSuchUser => no_such_user(),
            HelpdeskError::OutOfReach(why) => not_now(format!("No code can go to the user: {why}.")),
            HelpdeskError::Refused(Refusal::TooNew { from }) => not_now(format!(
                "No password was sent: the user's telephone number has not been the same for 24 hours. It may go there from \
                 {} on.",
                from.rfc3339()
            )),
            HelpdeskError::Refused(why) => not_now(format!("No password was sent: {why}.")),
            HelpdeskError::NoGateway => {
                not_now("No password was sent: no gateway is configured for texts.".to_owned())
            }
            HelpdeskError::Enough { retry_after } => Self::new(
                ProblemType::TooManyAttempts,
                "This operator has sent as many codes and passwords in this hour as policy allows (helpdesk_hourly).",
            )
            .after(retry_after),
            HelpdeskError::EnoughOfKey { retry_after } => Self::new(
                ProblemType::TooManyAttempts,
                "With this key ten times as many codes and passwords have gone in this hour as policy allows one operator \
                 (helpdesk_hourly).",
            )
            .after(retry_after),
            HelpdeskError::Start(StartError::NoSuchChallenge) => no_such_code(),
            HelpdeskError::Start(error) => error.into(),
            HelpdeskError::Port(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NotForTests => Self::new(
                ProblemType::Forbidden,
                "Codes can be read in tenants only that were created as test tenants.",
            ),
            ReadError::NoSuchChallenge => Self::new(
                ProblemType::NotFound,
                "There is no challenge of this id, or its code went to nobody.",
            ),
            ReadError::Port(error) => error.into(),
        }
    }
}

/// The answer to an id that was never issued, and to a text that is no id.
#[must_use]
pub fn no_such_challenge() -> Problem {
    Problem::new(ProblemType::NotFound, "There is no challenge of this id.")
}

/// The answer to an id that no code of the helpdesk has.
#[must_use]
pub fn no_such_code() -> Problem {
    Problem::new(ProblemType::NotFound, "There is no code of the helpdesk of this id.")
}

fn no_such_user() -> Problem {
    Problem::new(ProblemType::NotFound, "There is no user of this id.")
}

fn no_such_token() -> Problem {
    Problem::new(ProblemType::NotFound, "There is no token of this serial.")
}

fn busy() -> Problem {
    Problem::new(ProblemType::Busy, "Nothing was changed. Please try again.").after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_type_has_its_page_and_every_page_its_type() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/problems");
        let mut pages: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(pages.remove("README.md"));
        let slugs: BTreeSet<String> =
            ProblemType::ALL.iter().map(|kind| format!("{}.md", kind.slug())).collect();
        assert_eq!(pages, slugs);
        for kind in ProblemType::ALL {
            let page = std::fs::read_to_string(format!("{folder}/{}.md", kind.slug())).unwrap();
            assert!(page.contains(kind.title()), "{} names its title", kind.slug());
            assert!(page.contains(&kind.status().to_string()), "{} names its status", kind.slug());
        }
    }

    #[test]
    fn statuses_are_errors() {
        assert!(ProblemType::ALL.iter().all(|kind| (400..600).contains(&kind.status())));
    }

    #[test]
    fn waits_are_rounded_up_and_never_zero() {
        let wait = |millis| {
            let problem = busy().after(Duration::from_millis(millis));
            problem.response("r").headers()["retry-after"].to_str().unwrap().to_owned()
        };
        assert_eq!([wait(0), wait(1), wait(1000), wait(1001)], ["1", "1", "1", "2"]);
    }
}
