//! Gateways, without their credentials.

pub(crate) mod document;
mod test;
mod view;

pub(crate) use test::test;

use otpost_domain::gateway::GatewayDocument;
use otpost_domain::ids::GatewayId;
use otpost_edge::http::{Answer, Call, field, json, json_versioned, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::caller::Keeper;
use otpost_service::document::value_of;
use otpost_service::gateways::{self, GatewayTest};
use otpost_service::ports::Ports;
use serde_json::Value;

use crate::ROUTES;
use document::Written;
use test::{TestView, TestWanted};
use view::{AnyGateway, Gateways, KeptGateway, ReviewView};

const MISSING: &str = "There is no gateway of this id.";

pub(crate) async fn put(ports: &impl Ports, call: &Call) -> Answer {
    let id: GatewayId = field("gateway", call.parameter("gateway"))?;
    let keeper = call.keeper()?;
    let until = gateways::patience(ports);
    let (document, wanted) = written(call, &keeper)?;
    let kept = gateways::keep_gateway(ports, &keeper, &id, document, call.seen()?).await?;
    let status = if kept.made { 201 } else { 200 };
    let mut view = KeptGateway::from(&kept);
    if let Some(wanted) = wanted {
        view.test = Some(test::test_saved(ports, &keeper, &id, &wanted, until).await);
    }
    json_versioned(status, kept.shown.gateway.version, &view)
}

/// What an operator writes: a gateway, and the test that is to follow its change.
fn written(call: &Call, keeper: &Keeper) -> Result<(GatewayDocument, Option<GatewayTest>), Problem> {
    let mut written: Value = call.json()?;
    let wanted = written.as_object_mut().and_then(|members| members.remove("test"));
    let wanted = wanted.filter(|wanted| !wanted.is_null()).map(|wanted| asked(wanted)?.read()).transpose()?;
    Ok((GatewayDocument::read(&value_of(&written), &keeper.owner)?, wanted))
}

/// The test that is to follow a change.
fn asked(value: Value) -> Result<TestWanted, Problem> {
    serde_json::from_value(value).map_err(|_| {
        Problem::field("test", "must be an object with email or phone, and if wanted text, code and tenant")
    })
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
    let (document, _) = written(call, &keeper)?;
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
    let tested = document.named(&ROUTES, "testGateway").takes::<TestWanted>().idempotent();
    tested.answers::<TestView>(200, "What became of it.").fails(&[
        ProblemType::InvalidRequest,
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
    ]);
    let looked_over = document.named(&ROUTES, "validateGateway").takes::<Written>();
    looked_over
        .answers::<ReviewView>(200, "What saving it would do.")
        .fails(&[ProblemType::AlreadyExists, ProblemType::NotAllowedNow]);
}

#[cfg(test)]
mod tests;
