//! Gateways, without their credentials.

pub(crate) mod document;
mod view;

use otpost_domain::gateway::GatewayDocument;
use otpost_domain::ids::GatewayId;
use otpost_edge::http::{Answer, Call, field, json, json_versioned, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::ProblemType;
use otpost_service::gateways;
use otpost_service::ports::Ports;

use crate::ROUTES;
use document::Written;
use view::{AnyGateway, Gateways, KeptGateway, ReviewView};

const MISSING: &str = "There is no gateway of this id.";

pub(crate) async fn put(ports: &impl Ports, call: &Call) -> Answer {
    let id: GatewayId = field("gateway", call.parameter("gateway"))?;
    let keeper = call.keeper()?;
    let document = GatewayDocument::read(&call.document()?, &keeper.owner)?;
    let kept = gateways::keep_gateway(ports, &keeper, &id, document, call.seen()?).await?;
    let status = if kept.made { 201 } else { 200 };
    json_versioned(status, kept.shown.gateway.version, &KeptGateway::from(&kept))
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    let keeper = call.keeper()?;
    let shown = gateways::gateway(ports, &keeper, &call.named("gateway", MISSING)?).await?;
    let view = AnyGateway::seen_by(&keeper, &shown);
    // A tenant cannot replace what the platform lends it: it gets no version.
    if shown.gateway.owner == keeper.owner {
        json_versioned(200, shown.gateway.version, &view)
    } else {
        json(200, &view)
    }
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let keeper = call.keeper()?;
    let page = gateways::gateways(ports, &keeper, &list.requested(call)?).await?;
    let gateways = page.items.iter().map(|shown| AnyGateway::seen_by(&keeper, shown)).collect();
    json(200, &Gateways { gateways, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn delete(ports: &impl Ports, call: &Call) -> Answer {
    let id: GatewayId = call.named("gateway", MISSING)?;
    gateways::delete_gateway(ports, &call.keeper()?, &id, call.seen()?).await?;
    Ok(no_content())
}

pub(crate) async fn validate(ports: &impl Ports, call: &Call) -> Answer {
    let id: GatewayId = field("gateway", call.parameter("gateway"))?;
    let keeper = call.keeper()?;
    let document = GatewayDocument::read(&call.document()?, &keeper.owner)?;
    json(200, &ReviewView::from(&gateways::review(ports, &keeper, &id, document).await?))
}

pub(crate) fn describe(document: &mut Document) {
    let kept = document.named(&ROUTES, "putGateway").takes::<Written>().conditional();
    kept.answers::<KeptGateway>(201, "The new gateway.")
        .answers::<KeptGateway>(200, "The gateway as it is now.")
        .fails(&[ProblemType::AlreadyExists, ProblemType::NotAllowedNow, ProblemType::PreconditionRequired]);
    let listed = document.named(&ROUTES, "listGateways").paged();
    listed.answers::<Gateways>(200, "A page of gateways.").fails(&[ProblemType::InvalidRequest]);
    let got = document.named(&ROUTES, "getGateway").answers::<AnyGateway>(200, "The gateway.");
    got.fails(&[ProblemType::NotFound]);
    let deleted = document.named(&ROUTES, "deleteGateway").conditional();
    deleted.answers_nothing(204, "The gateway is gone.").fails(&[ProblemType::NotFound, ProblemType::Busy]);
    let looked_over = document.named(&ROUTES, "validateGateway").takes::<Written>();
    looked_over
        .answers::<ReviewView>(200, "What saving it would do.")
        .fails(&[ProblemType::AlreadyExists, ProblemType::NotAllowedNow]);
}

#[cfg(test)]
mod tests;
