//! `Idempotency-Key`: the same request, made again, gets the answer of the first and changes nothing.
//!
//! The key is optional, quoted or not. Answers are kept for 24 hours, sealed, with the change that they tell of. An
//! answer that is no success is not kept: nothing was changed, and the next try is looked at anew.

use data_encoding::BASE64URL_NOPAD;
use lambda_http::http::header::{HeaderName, HeaderValue, IF_MATCH};
use otpost_domain::ids::{BearerHash, TenantId};
use otpost_service::once::{Earlier, Once, Reply, release, reserve};
use otpost_service::ports::{Clock as _, Entropy as _, PortResult, Ports, Slot};

use crate::auth::Authenticated;
use crate::http::{Answer, Call, answered};
use crate::problem::{Problem, ProblemType};

/// The header.
const HEADER: &str = "idempotency-key";
/// Tells that an answer is an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const LONGEST: usize = 128;

/// Works a request off at most once for each `Idempotency-Key`; without one, as often as it comes.
///
/// # Errors
/// What `work` says; or that an earlier try is still at it; or that the key was used for another request.
pub async fn once<P, T, E>(
    ports: &P,
    call: &Call,
    tenant: &TenantId,
    told: &(dyn Fn(&T) -> PortResult<Reply> + Send + Sync),
    work: impl AsyncFnOnce(Once<'_, T>) -> Result<T, E>,
) -> Answer
where
    P: Ports,
    Problem: From<E>,
{
    let Some(slot) = slot(ports, call, tenant)? else {
        let result = work(Once::not_kept()).await?;
        return Ok(answered(&told(&result)?));
    };
    match reserve(ports, &slot).await? {
        Earlier::Nothing => {}
        Earlier::Answered(reply) => {
            let mut again = answered(&reply);
            again.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            return Ok(again);
        }
        Earlier::Running { until } => {
            let wait = ports.clock().now().until(until);
            let detail = "An earlier request with this Idempotency-Key has not been answered yet.";
            return Err(Problem::new(ProblemType::RequestRunning, detail).after(wait));
        }
        Earlier::OtherRequest => {
            let detail = "This Idempotency-Key was used for another request. Use a new key for each request.";
            return Err(Problem::new(ProblemType::IdempotencyKeyReused, detail));
        }
    }
    match work(Once::kept(&slot, told)).await {
        Ok(result) => Ok(answered(&told(&result)?)),
        Err(fault) => {
            let problem = Problem::from(fault);
            // After a 5xx it is not known what was written: the lease shall end by itself.
            if problem.kind.status() < 500 {
                release(ports, &slot).await;
            }
            Err(problem)
        }
    }
}

/// Digest of a request and its `Idempotency-Key`, if it has one.
///
/// # Errors
/// When the key is not allowed.
pub fn request_digest(call: &Call) -> Result<Option<BearerHash>, Problem> {
    let Some(key) = key(call)? else { return Ok(None) };
    let request = fingerprint(call)?;
    Ok(Some(BearerHash::of(&[caller(call)?.as_bytes(), key.as_bytes(), request.as_str().as_bytes()])))
}

fn slot(ports: &impl Ports, call: &Call, tenant: &TenantId) -> Result<Option<Slot>, Problem> {
    let Some(key) = key(call)? else { return Ok(None) };
    let holder: [u8; 12] = ports.entropy().array();
    Ok(Some(Slot {
        tenant: tenant.clone(),
        id: BearerHash::of(&[caller(call)?.as_bytes(), key.as_bytes()]),
        request: fingerprint(call)?,
        holder: BASE64URL_NOPAD.encode(&holder),
        at: ports.clock().now(),
    }))
}

/// Two callers that choose the same key do not meet.
fn caller(call: &Call) -> Result<String, Problem> {
    Ok(match call.authenticated()? {
        Authenticated::Platform => "platform".to_owned(),
        Authenticated::Tenant(key) => key.id.to_string(),
    })
}

fn fingerprint(call: &Call) -> Result<BearerHash, Problem> {
    let names = call.path_parameters();
    let if_match = call.request.headers().get(IF_MATCH).map_or(&b""[..], |value| value.as_bytes());
    let mut parts = vec![call.route.operation.as_bytes(), call.body()?, if_match];
    parts.extend(names.iter().map(|name| name.as_bytes()));
    Ok(BearerHash::of(&parts))
}

fn key(call: &Call) -> Result<Option<String>, Problem> {
    let Some(header) = call.request.headers().get(HEADER) else { return Ok(None) };
    let text = header.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let good = (1..=LONGEST).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    if good {
        Ok(Some(key.to_owned()))
    } else {
        let detail = format!("must be 1 to {LONGEST} visible ASCII characters, quoted or not");
        Err(Problem::field("Idempotency-Key", detail))
    }
}
