//! Changes of many users at once, which wait for an operator.

use otpost_domain::audit::Reason;
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::openapi::Document;
use otpost_service::mass_changes;
use otpost_service::ports::Ports;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ROUTES;
use crate::jobs::JobView;

/// Why what waits may go on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Release {
    /// Why, for the audit log; 1 to 256 characters.
    reason: Option<String>,
}

/// How many users have got or lost a token by themselves in this hour, and how many wait.
#[derive(JsonSchema, Serialize)]
struct MassChangesView {
    /// Users at the beginning of the hour in which somebody last changed, counted up to 100,000.
    users: u64,
    /// How many may change in one hour, in each of the two ways; left out when there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    /// Users who got a token or a link in this hour.
    pushes: u64,
    /// Users who lost their tokens in this hour.
    revocations: u64,
    /// How often a token or a link was held back since the last release.
    held_pushes: u64,
    /// How often an end of tokens was held back since the last release.
    held_revocations: u64,
    /// When something was first held back since the last release (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    held_since: Option<String>,
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let watched = mass_changes::watched(ports, &call.caller()?).await?;
    let counted = watched.counted;
    json(
        200,
        &MassChangesView {
            users: counted.users,
            limit: watched.limit,
            pushes: counted.pushes,
            revocations: counted.revocations,
            held_pushes: counted.held_pushes,
            held_revocations: counted.held_revocations,
            held_since: counted.held_since.map(Timestamp::rfc3339),
        },
    )
}

pub(crate) async fn release(ports: &impl Ports, call: &Call) -> Answer {
    let order: Release = call.json()?;
    let reason: Option<Reason> = order.reason.as_deref().map(|reason| field("reason", reason)).transpose()?;
    let job = mass_changes::release(ports, &call.caller()?, reason).await?;
    json(202, &JobView::from(&job))
}

pub(crate) fn describe(document: &mut Document) {
    let got = document.named(&ROUTES, "getMassChanges");
    got.answers::<MassChangesView>(200, "What was counted.").fails(&[]);
    let released = document.named(&ROUTES, "releaseMassChange").takes::<Release>();
    released.answers::<JobView>(202, "The job that does what waits.").fails(&[]);
}
