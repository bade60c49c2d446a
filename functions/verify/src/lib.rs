//! Checks codes of tokens, sends codes and checks these, tells who waits for a message how far it is, repairs tokens
//! whose right codes are refused, and sends what the helpdesk sends to whoever calls, over HTTP.

mod challenges;
mod check;
mod helpdesk;
mod repair;
mod status;
#[cfg(test)]
mod testing;

use lambda_http::{Body, Request, Response};
use otpost_domain::apikey::Role;
use otpost_edge::auth::KeyRing;
use otpost_edge::http::respond;
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_edge::route::{Access, Route};
use otpost_service::ports::{PlatformKey, Ports};

const REPAIRERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin]);

/// Not operators or admins: whoever can change a user's number is not to send a password there with the same key.
const HELPDESK: Access = Access::Roles(&[Role::Helpdesk]);

/// What this function answers, and to whom.
pub static ROUTES: [Route; 14] = [
    Route {
        method: "POST",
        path: "/v1/verify",
        operation: "verify",
        summary: "Checks a code; a right one is accepted once.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "POST",
        path: "/v1/challenges",
        operation: "startChallenge",
        summary: "Sends a code to somebody, to be asked of them.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "GET",
        path: "/v1/challenges/{challenge}",
        operation: "getChallenge",
        summary: "Tells how far a challenge is; to keys marked after_first_factor also where its message is.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "POST",
        path: "/v1/challenges/{challenge}/check",
        operation: "checkChallenge",
        summary: "Checks a code that was sent; a right one is accepted once.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "POST",
        path: "/v1/challenges/{challenge}/resend",
        operation: "resendChallenge",
        summary: "Sends the same code once more.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "POST",
        path: "/v1/challenges/{challenge}/cancel",
        operation: "cancelChallenge",
        summary: "Gives a challenge up: its code is accepted no more.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "GET",
        path: "/v1/challenges/{challenge}/code",
        operation: "readChallengeCode",
        summary: "Reads the code of a challenge; in tenants only that were created as test tenants.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "GET",
        path: "/v1/messages/{message}/status",
        operation: "getMessageStatus",
        summary: "Tells the person who waits for a message how far it is; for keys marked after_first_factor only.",
        access: Access::Roles(&[Role::App]),
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/resync",
        operation: "resyncToken",
        summary: "Finds a token again whose clock or counter has run away, by two codes that it showed one after the other.",
        access: REPAIRERS,
    },
    Route {
        method: "POST",
        path: "/v1/tokens/{serial}/unlock",
        operation: "unlockToken",
        summary: "Forgets the wrong codes that were given for the token's user.",
        access: REPAIRERS,
    },
    Route {
        method: "POST",
        path: "/v1/users/{user}/unlock",
        operation: "unlockUser",
        summary: "Forgets the wrong codes that were given for a user, who may have no token.",
        access: REPAIRERS,
    },
    Route {
        method: "POST",
        path: "/v1/helpdesk/codes",
        operation: "sendHelpdeskCode",
        summary: "Sends a code to a user who calls the helpdesk, for them to read back.",
        access: HELPDESK,
    },
    Route {
        method: "POST",
        path: "/v1/helpdesk/codes/{code}/check",
        operation: "checkHelpdeskCode",
        summary: "Checks the code that the caller reads back.",
        access: HELPDESK,
    },
    Route {
        method: "POST",
        path: "/v1/helpdesk/codes/{code}/password",
        operation: "sendHelpdeskPassword",
        summary: "Sends a new password by text to the user who has read a code back, within 10 minutes and once.",
        access: HELPDESK,
    },
];

/// Answers a request.
pub async fn handle<P: Ports, K: PlatformKey>(
    ports: &P,
    keys: &KeyRing<K>,
    request: Request,
) -> Response<Body> {
    respond(ports, keys, &ROUTES, request, async |call| match call.route.operation {
        "verify" => check::check(ports, &call).await,
        "startChallenge" => challenges::start(ports, &call).await,
        "getChallenge" => challenges::tell(ports, &call).await,
        "checkChallenge" => challenges::check(ports, &call).await,
        "resendChallenge" => challenges::resend(ports, &call).await,
        "cancelChallenge" => challenges::cancel(ports, &call).await,
        "readChallengeCode" => challenges::read_code(ports, &call).await,
        "getMessageStatus" => status::get(ports, &call).await,
        "resyncToken" => repair::resync(ports, &call).await,
        "unlockToken" => repair::unlock(ports, &call).await,
        "unlockUser" => repair::unlock_user(ports, &call).await,
        "sendHelpdeskCode" => helpdesk::send_code(ports, &call).await,
        "checkHelpdeskCode" => helpdesk::check(ports, &call).await,
        "sendHelpdeskPassword" => helpdesk::send_password(ports, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    check::describe(document);
    challenges::describe(document);
    status::describe(document);
    repair::describe(document);
    helpdesk::describe(document);
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http::StatusCode;
    use otpost_edge::auth::NoPlatformKey;
    use otpost_service::sample::{events, sample_world, with_challenge};

    #[tokio::test]
    async fn every_sample_event_is_answered_as_expected() {
        let expected = [
            ("right-code.json", StatusCode::OK),
            ("wrong-code.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("unknown-user.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("right-code-by-serial.json", StatusCode::OK),
            ("malformed-code.json", StatusCode::BAD_REQUEST),
            ("resync-wrong-codes.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("message-status.json", StatusCode::OK),
            ("message-status-of-unknown.json", StatusCode::NOT_FOUND),
            ("message-status-badly.json", StatusCode::BAD_REQUEST),
            ("message-status-unmarked.json", StatusCode::FORBIDDEN),
            ("start-challenge.json", StatusCode::ACCEPTED),
            ("start-challenge-of-unknown.json", StatusCode::ACCEPTED),
            ("start-challenge-of-address.json", StatusCode::ACCEPTED),
            ("start-challenge-of-transaction.json", StatusCode::ACCEPTED),
            ("start-challenge-badly.json", StatusCode::BAD_REQUEST),
            ("get-challenge.json", StatusCode::OK),
            ("get-challenge-unmarked.json", StatusCode::OK),
            ("get-challenge-of-unknown.json", StatusCode::NOT_FOUND),
            ("check-challenge.json", StatusCode::OK),
            ("check-challenge-wrong-code.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("check-challenge-for-something-else.json", StatusCode::UNPROCESSABLE_ENTITY),
            ("check-challenge-malformed-code.json", StatusCode::BAD_REQUEST),
            ("resend-challenge.json", StatusCode::ACCEPTED),
            ("resend-challenge-too-soon.json", StatusCode::TOO_MANY_REQUESTS),
            ("cancel-challenge.json", StatusCode::NO_CONTENT),
            ("cancel-challenge-malformed.json", StatusCode::NOT_FOUND),
            ("unlock.json", StatusCode::NO_CONTENT),
            ("send-helpdesk-code.json", StatusCode::ACCEPTED),
            ("send-helpdesk-code-to-unknown.json", StatusCode::NOT_FOUND),
            ("send-helpdesk-code-as-application.json", StatusCode::FORBIDDEN),
            ("check-helpdesk-code-of-an-application.json", StatusCode::NOT_FOUND),
            ("send-helpdesk-password-unread.json", StatusCode::NOT_FOUND),
            ("send-helpdesk-password-badly.json", StatusCode::BAD_REQUEST),
        ];
        for (file, text) in events("verify", &expected.map(|(file, _)| file)) {
            let ports = sample_world().await;
            let text = with_challenge(&ports, &text).await;
            if file == "resend-challenge.json" {
                ports.clock().advance(std::time::Duration::from_secs(30));
            }
            let request = lambda_http::request::from_str(&text).unwrap();
            let response = handle(&ports, &KeyRing::new(NoPlatformKey), request).await;
            let status = expected.iter().find(|(name, _)| *name == file).unwrap().1;
            assert_eq!(response.status(), status, "{file}: {:?}", response.body());
        }
    }
}
