//! What providers tell of messages that they have taken: by calls over HTTP, by Amazon SES's events, and, of simulated
//! recipients, from a queue.
//!
//! Each module reads what one of them sends and makes sure who sends it; [`otpost_service::receipts`] does the rest.

pub mod hop;
pub mod notify;
pub mod seldom;
pub mod ses;
pub mod simulated;
pub mod twilio;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Body, Request, Response};
use otpost_edge::auth::KeyRing;
use otpost_edge::batch::{self, Processed};
use otpost_edge::http::respond;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_edge::telemetry::chain;
use otpost_service::ports::{PlatformKey, Ports};
use otpost_service::receipts::Taken;
use serde_json::{Value, json};

use seldom::Seldom;
use simulated::Simulated;

/// What this function answers: providers, who have no key of ours.
pub static ROUTES: [Route; 2] = [
    Route {
        method: "POST",
        path: "/receipts/twilio/{tenant}/{message}/{hop}/{key}",
        operation: "takeTwilioReceipt",
        summary: "Twilio tells what becomes of a text. Signed with the auth token of the gateway's account.",
        access: Access::Public,
    },
    Route {
        method: "POST",
        path: "/receipts/notify/{owner}/{gateway}",
        operation: "takeNotifyReceipt",
        summary: "GOV.UK Notify tells what became of a text. With the bearer token that the gateway has for it.",
        access: Access::Public,
    },
];

/// Answers a request. Gateways are read anew for strangers as seldom as `again` says.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    again: &Seldom,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| match call.route.operation {
        "takeTwilioReceipt" => twilio::take(ports, &call).await,
        "takeNotifyReceipt" => notify::take(ports, again, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Handles an event of Amazon SES, or a batch of what simulated recipients tell. An event of SES may be a body of the batch
/// too: one that had become a dead letter and is sent again.
///
/// # Errors
/// When the event is neither, or what it tells could not be taken: then it should come again.
pub async fn told(ports: &impl Ports, event: Value) -> Result<Value, Diagnostic> {
    if ses::is_event(&event) {
        return match ses::take(ports, &event).await {
            Ok(new) => Ok(json!({ "new": new })),
            Err(error) => {
                tracing::error!(error = chain(&error), "an event was not taken yet");
                Err(Diagnostic { error_type: "NotTakenYet".to_owned(), error_message: chain(&error) })
            }
        };
    }
    batch::answer(event, async |body: Value| one(ports, body).await).await
}

/// Takes what one body tells. It names no message before it is read.
async fn one(ports: &impl Ports, body: Value) -> Processed {
    let taken = if ses::is_event(&body) {
        ses::take(ports, &body).await
    } else {
        let Some((hop, told)) = serde_json::from_value::<Simulated>(body).ok().and_then(|told| told.read())
        else {
            tracing::error!("a body without a hop and a verdict");
            return Processed::Again;
        };
        hop.takes(ports, told, None).await.map(|taken| taken == Taken::New)
    };
    match taken {
        Ok(_) => Processed::Done,
        Err(error) => {
            tracing::error!(error = chain(&error), "a receipt was not taken yet");
            Processed::Again
        }
    }
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    twilio::describe(document);
    notify::describe(document);
}

#[cfg(test)]
mod tests;
