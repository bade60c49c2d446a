//! Tenants, API keys, policies, gateways, directories, jobs, and the log of messages, over HTTP.

mod configuration;
mod directories;
mod gateways;
mod jobs;
mod keys;
mod mass_changes;
mod messages;
mod policies;
mod suppressions;
mod templates;
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
const ADMIN: Access = Access::Roles(&[Role::Admin]);
const GATEWAY_KEEPERS: Access = Access::Roles(&[Role::Platform, Role::Admin]);
const GATEWAY_READERS: Access = Access::Roles(&[Role::Platform, Role::Operator, Role::Admin]);
const CONFIGURATION_READERS: Access = Access::Roles(&[Role::Operator, Role::Admin]);
const LOG_READERS: Access = Access::Roles(&[Role::Helpdesk, Role::Operator, Role::Admin]);

/// What this function answers, and to whom.
pub static ROUTES: [Route; 46] = [
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
        summary: "Shows a tenant, or how far the erasure of a deleted one is.",
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
        summary: "Deletes a tenant and its data keys, so that nothing that was sealed for it opens again, and has its rows erased.",
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
        method: "PUT",
        path: "/v1/policies/{policy}",
        operation: "putPolicy",
        summary: "Makes a policy, or replaces the version of it that If-Match names.",
        access: ADMIN,
    },
    Route {
        method: "GET",
        path: "/v1/policies",
        operation: "listPolicies",
        summary: "Lists the policies by id.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/policies/{policy}",
        operation: "getPolicy",
        summary: "Shows a policy.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "DELETE",
        path: "/v1/policies/{policy}",
        operation: "deletePolicy",
        summary: "Deletes a policy.",
        access: ADMIN,
    },
    Route {
        method: "POST",
        path: "/v1/policies/{policy}/preview",
        operation: "previewPolicy",
        summary: "Shows what a policy would change for a user, and changes nothing.",
        access: ADMIN,
    },
    Route {
        method: "PUT",
        path: "/v1/gateways/{gateway}",
        operation: "putGateway",
        summary: "Makes a gateway, or replaces the version of it that If-Match names.",
        access: GATEWAY_KEEPERS,
    },
    Route {
        method: "GET",
        path: "/v1/gateways",
        operation: "listGateways",
        summary: "Lists the gateways without their credentials.",
        access: GATEWAY_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/gateways/{gateway}",
        operation: "getGateway",
        summary: "Shows a gateway without its credentials.",
        access: GATEWAY_READERS,
    },
    Route {
        method: "DELETE",
        path: "/v1/gateways/{gateway}",
        operation: "deleteGateway",
        summary: "Deletes a gateway and its credentials.",
        access: GATEWAY_KEEPERS,
    },
    Route {
        method: "POST",
        path: "/v1/gateways/{gateway}/validate",
        operation: "validateGateway",
        summary: "Looks over a gateway's document; changes and sends nothing.",
        access: GATEWAY_KEEPERS,
    },
    Route {
        method: "POST",
        path: "/v1/gateways/{gateway}/test",
        operation: "testGateway",
        summary: "Sends a message by a gateway and tells what its provider says.",
        access: GATEWAY_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/templates",
        operation: "listTemplates",
        summary: "Lists the tenant's own templates by name.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/templates/{template}",
        operation: "getTemplate",
        summary: "Shows a template: the tenant's own, or the built-in one.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "PUT",
        path: "/v1/templates/{template}",
        operation: "putTemplate",
        summary: "Checks a template's texts, and makes it or adds a version to the one that If-Match names.",
        access: ADMIN,
    },
    Route {
        method: "DELETE",
        path: "/v1/templates/{template}",
        operation: "removeTemplate",
        summary: "Takes a template out of use; its history stays.",
        access: ADMIN,
    },
    Route {
        method: "GET",
        path: "/v1/templates/{template}/versions",
        operation: "listTemplateVersions",
        summary: "Lists a template's versions, the latest first.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/templates/{template}/versions/{version}",
        operation: "getTemplateVersion",
        summary: "Shows a version of a template.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "POST",
        path: "/v1/templates/{template}/rollback",
        operation: "rollBackTemplate",
        summary: "Makes an earlier version the latest again.",
        access: ADMIN,
    },
    Route {
        method: "POST",
        path: "/v1/templates/{template}/preview",
        operation: "previewTemplate",
        summary: "Checks a template and shows what would be sent, with made-up values; changes and sends nothing.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "POST",
        path: "/v1/templates/{template}/test",
        operation: "testTemplate",
        summary: "Sends a template's message with made-up values to an address.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/brand",
        operation: "getBrand",
        summary: "Shows how the tenant's mails look.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "PUT",
        path: "/v1/brand",
        operation: "putBrand",
        summary: "Says how the tenant's mails look: colour and logo.",
        access: ADMIN,
    },
    Route {
        method: "GET",
        path: "/v1/configuration",
        operation: "exportConfiguration",
        summary: "Writes the tenant's policies, gateways, templates and look as one document, without secrets.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "POST",
        path: "/v1/configuration",
        operation: "importConfiguration",
        summary: "Brings such a document into the tenant, or tells what that would do; deletes nothing.",
        access: ADMIN,
    },
    Route {
        method: "GET",
        path: "/v1/users/{user}/explain",
        operation: "explainUser",
        summary: "Shows what holds for a user, and which policy says so.",
        access: LOG_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/jobs",
        operation: "listJobs",
        summary: "Lists long work, newest first.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/jobs/{job}",
        operation: "getJob",
        summary: "Shows how far a job is.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/mass-changes",
        operation: "getMassChanges",
        summary: "Shows how many users have changed by themselves in this hour, and how many wait.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "POST",
        path: "/v1/mass-changes/release",
        operation: "releaseMassChange",
        summary: "Lets the changes of users that wait go on now, however many.",
        access: CONFIGURATION_READERS,
    },
    Route {
        method: "POST",
        path: "/v1/directories",
        operation: "createDirectory",
        summary: "Registers whose people the events of an account and source tell of.",
        access: PLATFORM,
    },
    Route {
        method: "GET",
        path: "/v1/directories",
        operation: "listDirectories",
        summary: "Lists the directories by id.",
        access: PLATFORM,
    },
    Route {
        method: "GET",
        path: "/v1/directories/{directory}",
        operation: "getDirectory",
        summary: "Shows a directory.",
        access: PLATFORM,
    },
    Route {
        method: "DELETE",
        path: "/v1/directories/{directory}",
        operation: "deleteDirectory",
        summary: "Takes a directory out: its events change nothing any more.",
        access: PLATFORM,
    },
    Route {
        method: "GET",
        path: "/v1/messages",
        operation: "listMessages",
        summary: "Lists messages, newest first: all of the tenant, or those that are wanted.",
        access: LOG_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/messages/{message}",
        operation: "getMessage",
        summary: "Shows a message and its way so far.",
        access: LOG_READERS,
    },
    Route {
        method: "GET",
        path: "/v1/suppressions",
        operation: "listSuppressions",
        summary: "Lists the mail addresses that are written to no more.",
        access: LOG_READERS,
    },
    Route {
        method: "DELETE",
        path: "/v1/suppressions/{suppression}",
        operation: "clearSuppression",
        summary: "Takes a mail address off that list.",
        access: CONFIGURATION_READERS,
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
        "putPolicy" => policies::put(ports, &call).await,
        "listPolicies" => policies::list(ports, &call).await,
        "getPolicy" => policies::get(ports, &call).await,
        "deletePolicy" => policies::delete(ports, &call).await,
        "previewPolicy" => policies::preview(ports, &call).await,
        "putGateway" => gateways::put(ports, &call).await,
        "listGateways" => gateways::list(ports, &call).await,
        "getGateway" => gateways::get(ports, &call).await,
        "deleteGateway" => gateways::delete(ports, &call).await,
        "validateGateway" => gateways::validate(ports, &call).await,
        "testGateway" => gateways::test(ports, &call).await,
        "listTemplates" => templates::list(ports, &call).await,
        "getTemplate" => templates::get(ports, &call).await,
        "putTemplate" => templates::put(ports, &call).await,
        "removeTemplate" => templates::remove(ports, &call).await,
        "listTemplateVersions" => templates::versions(ports, &call).await,
        "getTemplateVersion" => templates::version(ports, &call).await,
        "rollBackTemplate" => templates::roll_back(ports, &call).await,
        "previewTemplate" => templates::preview(ports, &call).await,
        "testTemplate" => templates::test(ports, &call).await,
        "getBrand" => templates::get_brand(ports, &call).await,
        "putBrand" => templates::put_brand(ports, &call).await,
        "exportConfiguration" => configuration::export(ports, &call).await,
        "importConfiguration" => configuration::import(ports, &call).await,
        "explainUser" => policies::explain(ports, &call).await,
        "listJobs" => jobs::list(ports, &call).await,
        "getJob" => jobs::get(ports, &call).await,
        "getMassChanges" => mass_changes::get(ports, &call).await,
        "releaseMassChange" => mass_changes::release(ports, &call).await,
        "createDirectory" => directories::create(ports, &call).await,
        "listDirectories" => directories::list(ports, &call).await,
        "getDirectory" => directories::get(ports, &call).await,
        "deleteDirectory" => directories::delete(ports, &call).await,
        "listMessages" => messages::list(ports, &call).await,
        "getMessage" => messages::get(ports, &call).await,
        "listSuppressions" => suppressions::list(ports, &call).await,
        "clearSuppression" => suppressions::clear(ports, &call).await,
        _ => Err(Problem::new(ProblemType::NotFound, "There is no such route.")),
    })
    .await
}

/// Describes the routes.
pub fn describe(document: &mut Document) {
    tenants::describe(document);
    keys::describe(document);
    policies::describe(document);
    gateways::describe(document);
    templates::describe(document);
    configuration::describe(document);
    jobs::describe(document);
    mass_changes::describe(document);
    directories::describe(document);
    messages::describe(document);
    suppressions::describe(document);
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
            ("delete-tenant.json", StatusCode::NO_CONTENT),
            ("create-key.json", StatusCode::CREATED),
            ("list-keys.json", StatusCode::OK),
            ("rotate-key.json", StatusCode::CREATED),
            ("revoke-key.json", StatusCode::OK),
            ("put-policy.json", StatusCode::CREATED),
            ("put-policy-unseen.json", StatusCode::PRECONDITION_REQUIRED),
            ("put-policy-overtaken.json", StatusCode::PRECONDITION_FAILED),
            ("put-wrong-policy.json", StatusCode::BAD_REQUEST),
            ("list-policies.json", StatusCode::OK),
            ("get-policy.json", StatusCode::OK),
            ("delete-policy.json", StatusCode::NO_CONTENT),
            ("preview-policy.json", StatusCode::OK),
            ("put-gateway.json", StatusCode::CREATED),
            ("put-gateway-unseen.json", StatusCode::PRECONDITION_REQUIRED),
            ("put-gateway-moved.json", StatusCode::OK),
            ("put-wrong-gateway.json", StatusCode::BAD_REQUEST),
            ("put-platform-gateway.json", StatusCode::CREATED),
            ("list-gateways.json", StatusCode::OK),
            ("get-gateway.json", StatusCode::OK),
            ("get-lent-gateway.json", StatusCode::OK),
            ("delete-gateway.json", StatusCode::NO_CONTENT),
            ("validate-gateway.json", StatusCode::OK),
            ("test-gateway.json", StatusCode::OK),
            ("put-gateway-and-test.json", StatusCode::CREATED),
            ("put-template.json", StatusCode::CREATED),
            ("put-template-unseen.json", StatusCode::PRECONDITION_REQUIRED),
            ("put-wrong-template.json", StatusCode::BAD_REQUEST),
            ("list-templates.json", StatusCode::OK),
            ("get-template.json", StatusCode::OK),
            ("get-built-in-template.json", StatusCode::OK),
            ("remove-template.json", StatusCode::NO_CONTENT),
            ("list-template-versions.json", StatusCode::OK),
            ("get-template-version.json", StatusCode::OK),
            ("roll-back-template.json", StatusCode::OK),
            ("preview-template.json", StatusCode::OK),
            ("test-template.json", StatusCode::ACCEPTED),
            ("get-brand.json", StatusCode::OK),
            ("put-brand.json", StatusCode::CREATED),
            ("export-configuration.json", StatusCode::OK),
            ("import-configuration.json", StatusCode::OK),
            ("import-configuration-dry.json", StatusCode::OK),
            ("import-configuration-json.json", StatusCode::OK),
            ("import-wrong-configuration.json", StatusCode::BAD_REQUEST),
            ("import-not-yaml.json", StatusCode::BAD_REQUEST),
            ("explain-user.json", StatusCode::OK),
            ("list-jobs.json", StatusCode::OK),
            ("get-job.json", StatusCode::OK),
            ("get-mass-changes.json", StatusCode::OK),
            ("release-mass-change.json", StatusCode::ACCEPTED),
            ("create-directory.json", StatusCode::CREATED),
            ("list-directories.json", StatusCode::OK),
            ("get-directory.json", StatusCode::OK),
            ("delete-directory.json", StatusCode::NO_CONTENT),
            ("list-messages.json", StatusCode::OK),
            ("list-messages-of-tenant.json", StatusCode::OK),
            ("list-messages-badly.json", StatusCode::BAD_REQUEST),
            ("get-message.json", StatusCode::OK),
            ("list-suppressions.json", StatusCode::OK),
            ("clear-suppression.json", StatusCode::NO_CONTENT),
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
