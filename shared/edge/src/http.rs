//! Requests taken apart, answers put together.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::future::Future;

use lambda_http::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, COOKIE, ETAG, HeaderName, HeaderValue, IF_MATCH,
};
use lambda_http::{Body, Request, RequestExt as _, Response};
use otpost_domain::audit::Actor;
use otpost_domain::gateway::Owner;
use otpost_domain::ids::TenantId;
use otpost_service::caller::{Caller, Keeper};
use otpost_service::document::value_of;
use otpost_service::once::Reply;
use otpost_service::ports::{Fault, PlatformKey, PortError, PortResult, Ports};
use otpost_service::seen::Seen;
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize as _, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::auth::{Authenticated, KeyRing};
use crate::problem::{Problem, ProblemType};
use crate::route::{Access, Route, find};

/// The longest body that a route takes that does not say otherwise, in bytes.
pub const MAX_BODY: usize = 16 * 1024;

/// What a handler answers.
pub type Answer = Result<Response<Body>, Problem>;

/// A request that has found its route, made by somebody who may call it.
pub struct Call {
    /// The route.
    pub route: &'static Route,
    /// The request.
    pub request: Request,
    /// Lambda's id of this call.
    pub request_id: String,
    parameters: BTreeMap<&'static str, String>,
    authenticated: Option<Authenticated>,
}

/// Finds the route, checks the key, runs the handler, and turns every error into its problem document.
pub async fn respond<P, K, F>(
    ports: &P,
    keys: &KeyRing<K>,
    routes: &'static [Route],
    request: Request,
    handler: impl FnOnce(Call) -> F,
) -> Response<Body>
where
    P: Ports,
    K: PlatformKey,
    F: Future<Output = Answer>,
{
    let request_id =
        request.lambda_context_ref().map_or_else(|| "local".to_owned(), |context| context.request_id.clone());
    let Some((route, parameters)) = find(routes, request.method().as_str(), request.raw_http_path()) else {
        let problem = Problem::new(ProblemType::NotFound, "There is no such route.");
        return problem.response(&request_id);
    };
    let answer = async {
        let authenticated = match route.access {
            Access::Public => None,
            Access::Roles(roles) => Some(keys.authorize(ports, request.headers(), roles).await?),
        };
        let request_id = request_id.clone();
        // Boxed: the largest use case decides how large it is.
        Box::pin(handler(Call { route, request, request_id, parameters, authenticated })).await
    };
    let (response, problem) = match answer.await {
        Ok(response) => (response, None),
        Err(problem) => (problem.response(&request_id), Some(problem.kind.slug())),
    };
    tracing::info!(
        route = route.operation,
        http.status = response.status().as_u16(),
        problem = problem.unwrap_or_default(),
        "answered"
    );
    response
}

/// Without headers, body and path: they may hold keys, codes and links.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({}, {})", self.route.operation, self.request_id)
    }
}

impl Call {
    /// A parameter of the path, decoded; empty when the route has none of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// A parameter of the path that names a thing; what is not well-formed does not exist.
    ///
    /// # Errors
    /// Not found, with what `missing` says.
    pub fn named<'t, T: TryFrom<&'t str>>(&'t self, name: &str, missing: &str) -> Result<T, Problem> {
        T::try_from(self.parameter(name)).map_err(|_| Problem::new(ProblemType::NotFound, missing))
    }

    /// A parameter of the query, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        self.request.query_string_parameters_ref().and_then(|query| query.first(name)).map(str::to_owned)
    }

    /// Refuses parameters of the query that the route does not have: a slip of the pen in one must not be taken for
    /// leaving it out.
    ///
    /// # Errors
    /// When there is one that is not among `known`, or one is given twice.
    pub fn only_queries(&self, known: &[&'static str]) -> Result<(), Problem> {
        let given = self.request.query_string_parameters_ref();
        let unknown =
            given.into_iter().flat_map(|given| given.iter()).find(|(name, _)| !known.contains(name));
        if unknown.is_some() {
            let detail =
                format!("The query has a parameter that is not known here; there is {}.", known.join(", "));
            return Err(Problem::new(ProblemType::InvalidRequest, detail));
        }
        let often =
            |name: &&&'static str| given.and_then(|given| given.all(name)).is_some_and(|all| all.len() > 1);
        known.iter().find(often).map_or(Ok(()), |name| Err(Problem::field(name, "must be given once")))
    }

    /// Who calls, on a route that is not public.
    ///
    /// # Errors
    /// Unauthorized when nobody was authenticated.
    pub fn authenticated(&self) -> Result<&Authenticated, Problem> {
        self.authenticated
            .as_ref()
            .ok_or_else(|| Problem::new(ProblemType::Unauthorized, "This route needs a key."))
    }

    /// On whose behalf the use case runs: a tenant's key.
    ///
    /// # Errors
    /// Forbidden for the platform key, which has no tenant.
    pub fn caller(&self) -> Result<Caller, Problem> {
        match self.authenticated()? {
            Authenticated::Tenant(key) => {
                Ok(Caller { clock: key.clock, ..Caller::new(key.tenant(), Actor::Key(key.id.clone())) })
            }
            Authenticated::Platform => {
                Err(Problem::new(ProblemType::Forbidden, "The platform key has no tenant of its own."))
            }
        }
    }

    /// On whose behalf gateways are kept: a tenant's key for its tenant, the platform key for the platform.
    ///
    /// # Errors
    /// Unauthorized when nobody was authenticated.
    pub fn keeper(&self) -> Result<Keeper, Problem> {
        Ok(match self.authenticated()? {
            Authenticated::Tenant(key) => {
                Keeper { owner: Owner::Tenant(key.tenant()), actor: Actor::Key(key.id.clone()) }
            }
            Authenticated::Platform => Keeper { owner: Owner::Platform, actor: Actor::Platform },
        })
    }

    /// On whose behalf the use case runs: a tenant's key in its tenant, the platform key in the tenant that it names.
    ///
    /// # Errors
    /// When the platform key names no tenant, or a tenant's key another than its own.
    pub fn caller_in(&self, named: Option<&str>) -> Result<Caller, Problem> {
        match self.authenticated()? {
            Authenticated::Tenant(key) => {
                if named.is_some_and(|named| named != key.tenant().as_str()) {
                    let detail = "A tenant's key works in its own tenant only.";
                    return Err(Problem::new(ProblemType::Forbidden, detail));
                }
                self.caller()
            }
            Authenticated::Platform => {
                let named =
                    named.ok_or_else(|| Problem::field("tenant", "must be given with the platform key"))?;
                let tenant =
                    TenantId::try_from(named).map_err(|fault| Problem::field("tenant", fault.fault))?;
                Ok(Caller::new(tenant, Actor::Platform))
            }
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is too long, not declared as JSON, or does not read as `T`; the detail says where.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.json_up_to(MAX_BODY)
    }

    /// The body as JSON; what is said by default where there is none.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_if_any<T: Default + DeserializeOwned>(&self) -> Result<T, Problem> {
        if self.body()?.is_empty() { Ok(T::default()) } else { self.json() }
    }

    /// The body as JSON, on a route that takes longer ones.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub fn json_up_to<T: DeserializeOwned>(&self, most: usize) -> Result<T, Problem> {
        let body = self.body_up_to(most)?;
        if !self.has_media_type("application/json") {
            let detail = "Send the body as Content-Type: application/json.";
            return Err(Problem::new(ProblemType::UnsupportedMediaType, detail));
        }
        // A list of values in the order of our fields would be taken for an object.
        if body.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte == b'[') {
            return Err(Problem::new(
                ProblemType::InvalidRequest,
                "The body must be a JSON object, not a list.",
            ));
        }
        serde_json::from_slice(body).map_err(|error| {
            let fault = without_value(&error.to_string());
            Problem::new(ProblemType::InvalidRequest, format!("The body does not read: {fault}."))
        })
    }

    /// The body as text, on a route that takes long ones. It may be declared as anything, see [`Self::has_media_type`].
    ///
    /// # Errors
    /// When it is too long, or not in UTF-8.
    pub fn text_up_to(&self, most: usize) -> Result<&str, Problem> {
        std::str::from_utf8(self.body_up_to(most)?).map_err(|fault| {
            let detail =
                format!("The body must be in UTF-8; it is not from byte {} on.", fault.valid_up_to());
            Problem::new(ProblemType::InvalidRequest, detail)
        })
    }

    /// The body as a form's fields; the first of each name counts.
    ///
    /// # Errors
    /// When it is too long, or not a form.
    pub fn form(&self) -> Result<BTreeMap<String, String>, Problem> {
        let body = self.body()?;
        if !self.has_media_type("application/x-www-form-urlencoded") {
            return Err(Problem::new(ProblemType::UnsupportedMediaType, "Send the page's form."));
        }
        let mut fields = BTreeMap::new();
        for pair in std::str::from_utf8(body).unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.entry(form_decoded(name)).or_insert_with(|| form_decoded(value));
        }
        Ok(fields)
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let all = self.request.headers().get_all(COOKIE).into_iter();
        all.filter_map(|header| header.to_str().ok())
            .flat_map(|header| header.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// The values of the path's parameters.
    pub(crate) fn path_parameters(&self) -> Vec<&str> {
        self.parameters.values().map(String::as_str).collect()
    }

    /// The body as a document of an operator's.
    ///
    /// # Errors
    /// When it is too long, not declared as JSON, or none.
    pub fn document(&self) -> Result<otpost_domain::document::Value, Problem> {
        self.document_up_to(MAX_BODY)
    }

    /// The same on a route that takes longer ones.
    ///
    /// # Errors
    /// As [`Self::document`].
    pub fn document_up_to(&self, most: usize) -> Result<otpost_domain::document::Value, Problem> {
        Ok(value_of(&self.json_up_to::<Value>(most)?))
    }

    /// The version that `If-Match` names; `None` without one, or for any (`*`).
    ///
    /// # Errors
    /// When it is not an `ETag` that an answer has given.
    pub fn if_match(&self) -> Result<Option<u64>, Problem> {
        Ok(match self.seen()? {
            Seen::Unsaid | Seen::Any => None,
            Seen::Version(version) => Some(version),
        })
    }

    /// What `If-Match` says.
    ///
    /// # Errors
    /// When it is not an `ETag` that an answer has given.
    pub fn seen(&self) -> Result<Seen, Problem> {
        let Some(header) = self.request.headers().get(IF_MATCH) else { return Ok(Seen::Unsaid) };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Seen::Any);
        }
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let version = version.and_then(|version| version.parse().ok());
        version
            .map(Seen::Version)
            .ok_or_else(|| Problem::field("If-Match", "must be the ETag of an answer, or *"))
    }

    /// The body's bytes.
    ///
    /// # Errors
    /// When it is too long.
    pub(crate) fn body(&self) -> Result<&[u8], Problem> {
        self.body_up_to(MAX_BODY)
    }

    fn body_up_to(&self, most: usize) -> Result<&[u8], Problem> {
        let body: &[u8] = match self.request.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        };
        if body.len() > most {
            let detail = format!("The body has {} bytes; at most {most} are taken.", body.len());
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        Ok(body)
    }

    /// Whether the body is declared as being of a media type, parameters aside.
    #[must_use]
    pub fn has_media_type(&self, wanted: &str) -> bool {
        let given =
            self.request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        given.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(wanted))
    }
}

/// Reads a member of a body that is an object; a list in its place is refused. For `serde(deserialize_with)`.
///
/// # Errors
/// When it is none, or does not read as `T`.
pub fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let members: Map<String, Value> = Map::deserialize(deserializer)?;
    T::deserialize(Value::Object(members))
        .map_err(|error| D::Error::custom(without_value(&error.to_string())))
}

/// The same for a member that may be left out.
///
/// # Errors
/// As [`object`].
pub fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let members: Option<Map<String, Value>> = Option::deserialize(deserializer)?;
    members
        .map(|members| T::deserialize(Value::Object(members)))
        .transpose()
        .map_err(|error| D::Error::custom(without_value(&error.to_string())))
}

/// Reads a field of the request, naming it when it is not allowed.
///
/// # Errors
/// What `T` says of the value.
pub fn field<'t, T, F: Display>(name: &'static str, value: &'t str) -> Result<T, Problem>
where
    T: TryFrom<&'t str, Error = F>,
{
    T::try_from(value).map_err(|fault| {
        let text = fault.to_string();
        let text = text.strip_prefix(name).map_or(text.as_str(), str::trim_start);
        Problem::field(name, text)
    })
}

/// What is told in JSON, as it is sent and, for repeated requests, kept; about something versioned with its version.
///
/// # Errors
/// When the body cannot be written.
pub fn reply(status: u16, version: Option<u64>, body: &impl Serialize) -> PortResult<Reply> {
    let body = serde_json::to_string(body).map_err(|error| PortError::new(Fault::Corrupt, error))?;
    Ok(Reply { status, etag: version.map(|version| format!("\"{version}\"")), body })
}

/// A reply as an answer.
#[must_use]
pub fn answered(reply: &Reply) -> Response<Body> {
    let mut headers =
        vec![(CONTENT_TYPE, "application/json".to_owned()), (CACHE_CONTROL, "no-store".to_owned())];
    headers.extend(reply.etag.iter().map(|etag| (ETAG, etag.clone())));
    response(reply.status, headers, Body::Text(reply.body.clone()))
}

/// An answer in JSON.
///
/// # Errors
/// Internal when the body cannot be written.
pub fn json(status: u16, body: &impl Serialize) -> Answer {
    Ok(answered(&reply(status, None, body)?))
}

/// An answer in JSON about something versioned.
///
/// # Errors
/// Internal when the body cannot be written.
pub fn json_versioned(status: u16, version: u64, body: &impl Serialize) -> Answer {
    Ok(answered(&reply(status, Some(version), body)?))
}

/// An answer without a body.
#[must_use]
pub fn no_content() -> Response<Body> {
    response(204, vec![(CACHE_CONTROL, "no-store".to_owned())], Body::Empty)
}

/// An answer; a header whose value cannot be written is left out.
#[must_use]
pub fn response(status: u16, headers: Vec<(HeaderName, String)>, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = lambda_http::http::StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// What is wrong with a body, without the value that is wrong: it may be a code.
fn without_value(fault: &str) -> String {
    let told = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    let Some(kind) = told.into_iter().find(|kind| fault.starts_with(kind)) else {
        return fault.to_owned();
    };
    // The last one: a value may hold the same words.
    match fault.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{kind}, expected {expected}"),
        None => kind.to_owned(),
    }
}

fn form_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_the_body_does_not_repeat_the_value() {
        let fault = |body: &str| {
            let error = serde_json::from_str::<BTreeMap<String, String>>(body).unwrap_err();
            without_value(&error.to_string())
        };
        assert_eq!(fault(r#"{"code":123456}"#), "invalid type, expected a string at line 1 column 14");
        let nested = fault(r#"["a, expected b"]"#);
        assert_eq!(nested, "invalid type, expected a map at line 1 column 0");
        assert!(fault("{").starts_with("EOF while parsing an object"));
    }
}
