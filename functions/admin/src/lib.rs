//! Tenants, API keys, and the log of messages, over HTTP.

mod keys;
mod messages;
mod tenants;

use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_edge::http::respond;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_service::ports::{PlatformKey, Ports};

const PLATFORM: Access = Access::Roles(&[Role::Platform]);
const KEY_MAKERS: Access = Access::Roles(&[Role::Platform, Role::Admin]);
const LOG_READERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin]);

/// What this function answers, and to whom.
pub static ROUTES: [Route; 11] = [
    Route {
        method: "POST",
        path: "/v1/tenants",
        operation: "createTenant",
        summary: "Makes a tenant with a data key of its own.",
        access: PLATFORM,
    },
    Route {
        method: "GET",
        path: "/v1/tenants",
        operation: "listTenants",
        summary: "Lists the tenants by id.",
        access: PLATFORM,
    },
    Route {
        method: "GET",
        path: "/v1/tenants/{tenant}",
        operation: "getTenant",
        summary: "Shows a tenant.",
        access: PLATFORM,
    },
    Route {
        method: "POST",
        path: "/v1/tenants/{tenant}/rotate",
        operation: "rotateDataKey",
        summary: "Gives a tenant a new data key; what was sealed before stays readable.",
        access: PLATFORM,
    },
    Route {
        method: "DELETE",
        path: "/v1/tenants/{tenant}",
        operation: "deleteTenant",
        summary: "Deletes a tenant and its data keys: nothing that was sealed for it opens again.",
        access: PLATFORM,
    },
    Route {
        method: "POST",
        path: "/v1/keys",
        operation: "createKey",
        summary: "Makes an API key; its secret is shown this once.",
        access: KEY_MAKERS,
    },
    Route {
        method: "GET",
        path: "/v1/keys",
        operation: "listKeys",
        summary: "Lists a tenant's keys without their secrets.",
        access: KEY_MAKERS,
    },
    Route {
        method: "POST",
        path: "/v1/keys/{key}/rotate",
        operation: "rotateKey",
        summary: "Makes a key in the place of another, which still works for a while.",
        access: KEY_MAKERS,
    },
    Route {
        method: "DELETE",
        path: "/v1/keys/{key}",
        operation: "revokeKey",
        summary: "Revokes a key; it may live in caches for another minute.",
        access: KEY_MAKERS,
    },
    Route {
        method: "GET",
        path: "/v1/messages",
        operation: "listMessages",
        summary: "Lists a user's messages, newest first.",
        access: LOG_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/messages/{message}",
        operation: "getMessage",
        summary: "Shows a message and its way so far.",
        access: LOG_READERS,
    },
];

/// Answers a request.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| match call.route.operation {
        "createTenant" => tenants::create(ports, &call).await,
        "listTenants" => tenants::list(ports, &call).await,
        "getTenant" => tenants::get(ports, &call).await,
        "rotateDataKey" => tenants::rotate(ports, &call).await,
        "deleteTenant" => tenants::delete(ports, &call).await,
        "createKey" => keys::create(ports, &call).await,
        "rotateKey" => keys::rotate(ports, &call).await,
        "listKeys" => keys::list(ports, &call).await,
        "revokeKey" => keys::revoke(ports, &call).await,
        "listMessages" => messages::list(ports, &call).await,
        "getMessage" => messages::get(ports, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    tenants::describe(document);
    keys::describe(document);
    messages::describe(document);
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::StatusCode;
    use otpost_service::sample::{SamplePlatformKey, events, sample_world};

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        let expected = [
            ("create-tenant.json", StatusCode::CREATED),
            ("list-tenants.json", StatusCode::OK),
            ("get-tenant.json", StatusCode::OK),
            ("rotate-data-key.json", StatusCode::OK),
            ("create-key.json", StatusCode::CREATED),
            ("list-keys.json", StatusCode::OK),
            ("rotate-key.json", StatusCode::CREATED),
            ("revoke-key.json", StatusCode::OK),
            ("list-messages.json", StatusCode::OK),
            ("get-message.json", StatusCode::OK),
            ("wrong-role.json", StatusCode::FORBIDDEN),
        ];
        for (file, text) in events("admin", &expected.map(|(file, _)| file)) {
            let (ports, keys) = (sample_world().await, KeyRing::new(SamplePlatformKey));
            let request = lambda_http::request::from_str(&text).unwrap();
            let response = handle(&ports, &keys, request).await;
            let status = expected.iter().find(|(name, _)| *name == file).unwrap().1;
            assert_eq!(response.status(), status, "{file}: {:?}", response.body());
        }
    }
}
