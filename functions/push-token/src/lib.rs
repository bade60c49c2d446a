//! Users, and the links that get tokens to them, over HTTP; and what directories tell of users, from a queue.

mod directory;
mod push;
mod users;

use lambda_http::lambda_runtime::Diagnostic;
use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_edge::batch;
use otpost_edge::http::respond;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_service::ports::{PlatformKey, Ports};
use serde_json::Value;

const WRITERS: Access = Access::Roles(&[Role::Operator, Role::Admin, Role::Directory]);
const READERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin, Role::Directory]);
const PUSHERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin]);

/// What this function answers, and to whom.
pub static ROUTES: [Route; 6] = [
    Route {
        method: "POST",
        path: "/v1/users",
        operation: "createUser",
        summary: "Makes an active user.",
        access: WRITERS,
    },
    Route {
        method: "GET",
        path: "/v1/users",
        operation: "listUsers",
        summary: "Lists users by id.",
        access: READERS,
    },
    Route {
        method: "GET",
        path: "/v1/users/{user}",
        operation: "getUser",
        summary: "Shows a user.",
        access: READERS,
    },
    Route {
        method: "PATCH",
        path: "/v1/users/{user}",
        operation: "changeUser",
        summary: "Changes what is given; null takes a value away.",
        access: WRITERS,
    },
    Route {
        method: "DELETE",
        path: "/v1/users/{user}",
        operation: "deleteUser",
        summary: "Deletes a user with all their tokens.",
        access: WRITERS,
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/push",
        operation: "pushToken",
        summary: "Sends the token's user a new enrolment link; an older link is superseded.",
        access: PUSHERS,
    },
];

/// Answers a request.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| match call.route.operation {
        "createUser" => users::create(ports, &call).await,
        "listUsers" => users::list(ports, &call).await,
        "getUser" => users::get(ports, &call).await,
        "changeUser" => users::change(ports, &call).await,
        "deleteUser" => users::delete(ports, &call).await,
        "pushToken" => push::push(ports, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Handles a batch of directories' events.
///
/// # Errors
/// When the event is no batch.
pub async fn told(ports: &impl Ports, event: Value) -> Result<Value, Diagnostic> {
    batch::answer(event, async |event: Value| directory::told(ports, &event).await).await
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    users::describe(document);
    push::describe(document);
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
            ("create-user.json", StatusCode::CREATED),
            ("list-users.json", StatusCode::OK),
            ("get-user.json", StatusCode::OK),
            ("change-user.json", StatusCode::OK),
            ("delete-user.json", StatusCode::NO_CONTENT),
            ("push.json", StatusCode::ACCEPTED),
            ("push-active-token.json", StatusCode::CONFLICT),
        ];
        for (file, text) in events("push-token", &expected.map(|(file, _)| file)) {
            let ports = sample_world().await;
            let request = lambda_http::request::from_str(&text).unwrap();
            let keys = KeyRing::new(NoPlatformKey);
            let response = handle(&ports, &keys, request).await;
            let status = expected.iter().find(|(name, _)| *name == file).unwrap().1;
            assert_eq!(response.status(), status, "{file}: {:?}", response.body());
        }
    }

    /// The samples of what directories tell. Those that nobody can follow come again, and end among the dead letters.
    #[tokio::test]
    async fn every_event_of_a_directory_is_followed_or_comes_again() {
        let followed = ["upserted.json", "disabled.json", "deleted.json", "sync-completed.json"];
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/directory");
        let mut seen = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let event = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let answer = told(&sample_world().await, event).await.unwrap();
            let again = answer["batchItemFailures"].as_array().unwrap().len();
            // Okta's and Auth0's sources are not registered in that world.
            assert_eq!(again == 0, followed.contains(&name.as_str()), "{name}: {answer}");
            seen += 1;
        }
        assert!(seen >= 10, "{seen} events");
        let unknown = told(&sample_world().await, serde_json::json!({ "x": 1 })).await.unwrap_err();
        assert_eq!(unknown.error_type, "UnknownEvent");
    }
}
