//! Provisions, suspends and revokes tokens, and lets their users enrol: by the page `/e/{code}` or by an app on a device
//! that signs its calls.

mod activations;
mod devices;
mod page;
mod tokens;

use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_edge::http::respond;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_service::ports::{PlatformKey, Ports};

const PROVISIONERS: Access = Access::Roles(&[Role::Operator, Role::Admin]);
const READERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin]);

/// What this function answers, and to whom.
pub static ROUTES: [Route; 11] = [
    Route {
        method: "POST",
        path: "/v1/users/{user}/tokens",
        operation: "provisionToken",
        summary: "Gives a user a token, to be pushed next.",
        access: PROVISIONERS,
    },
    Route {
        method: "GET",
        path: "/v1/users/{user}/tokens",
        operation: "listTokens",
        summary: "Lists a user's tokens, at most ten; or, in pages, those that were revoked.",
        access: READERS,
    },
    Route {
        method: "GET",
        path: "/v1/tokens/{serial}",
        operation: "getToken",
        summary: "Shows a token.",
        access: READERS,
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/suspend",
        operation: "suspendToken",
        summary: "Stops an active token: its codes are refused until it is resumed.",
        access: PROVISIONERS,
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/resume",
        operation: "resumeToken",
        summary: "Lets a suspended token go on, above the replay floor that it had.",
        access: PROVISIONERS,
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/revoke",
        operation: "revokeToken",
        summary: "Ends a token for good; a link on its way is dead.",
        access: PROVISIONERS,
    },
    Route {
        method: "PATCH",
        path: "/v1/tokens/{serial}/device",
        operation: "describeDevice",
        summary: "The device that holds the token says what it is now. Signed by its key.",
        access: Access::Public,
    },
    Route {
        method: "GET",
        path: "/e/{code}",
        operation: "showInvitation",
        summary: "Shows what the link is for. Changes nothing, however often it is opened.",
        access: Access::Public,
    },
    Route {
        method: "HEAD",
        path: "/e/{code}",
        operation: "probeInvitation",
        summary: "The same without a body.",
        access: Access::Public,
    },
    Route {
        method: "POST",
        path: "/e/{code}",
        operation: "useInvitation",
        summary: "The page's buttons: start this browser's enrolment, or give its first code.",
        access: Access::Public,
    },
    Route {
        method: "POST",
        path: "/v1/activations/{code}",
        operation: "activate",
        summary: "The same for apps, signed by the device's key: without a code it starts a session, with one it activates the token.",
        access: Access::Public,
    },
];

/// Answers a request.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| match call.route.operation {
        "provisionToken" => tokens::provision(ports, &call).await,
        "listTokens" => tokens::list(ports, &call).await,
        "getToken" => tokens::get(ports, &call).await,
        "suspendToken" | "resumeToken" | "revokeToken" => tokens::change(ports, &call).await,
        "describeDevice" => devices::describe_device(ports, &call).await,
        "showInvitation" | "probeInvitation" => page::show(ports, &call).await,
        "useInvitation" => page::press(ports, &call).await,
        "activate" => activations::activate(ports, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    tokens::describe(document);
    page::describe(document);
    activations::describe(document);
    devices::describe(document);
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
            ("provision.json", StatusCode::CREATED),
            ("list-tokens.json", StatusCode::OK),
            ("get-token.json", StatusCode::OK),
            ("suspend.json", StatusCode::OK),
            ("revoke.json", StatusCode::OK),
            ("resume-active-token.json", StatusCode::CONFLICT),
            ("page-get.json", StatusCode::OK),
            ("page-head.json", StatusCode::OK),
            ("page-start.json", StatusCode::OK),
            ("page-unknown-link.json", StatusCode::NOT_FOUND),
            ("page-start-without-authorization.json", StatusCode::FORBIDDEN),
            ("app-start.json", StatusCode::CREATED),
            ("app-session-over.json", StatusCode::CONFLICT),
            ("app-unsigned.json", StatusCode::UNAUTHORIZED),
            ("device.json", StatusCode::UNAUTHORIZED),
        ];
        for (file, text) in events("enroll", &expected.map(|(file, _)| file)) {
            let ports = sample_world().await;
            let request = lambda_http::request::from_str(&text).unwrap();
            let response = handle(&ports, &KeyRing::new(NoPlatformKey), request).await;
            let status = expected.iter().find(|(name, _)| *name == file).unwrap().1;
            assert_eq!(response.status(), status, "{file}: {:?}", response.body());
        }
    }
}
