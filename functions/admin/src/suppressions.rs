//! Mail addresses that are written to no more.

use otpost_domain::suppression::{AddressKey, Suppression};
use otpost_edge::http::{Answer, Call, json, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::suppressions;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ROUTES;

/// An address that is written to no more.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Suppression")]
struct SuppressionView {
    /// Its key, to clear it by.
    suppression: String,
    /// The address.
    address: String,
    /// `hard_bounce` or `complaint`.
    cause: &'static str,
    /// What the provider told, in words of Otpost's and codes of the provider's.
    why: String,
    /// The message by which it was found out.
    message: String,
    /// When (RFC 3339).
    at: String,
}

/// A page of addresses.
#[derive(JsonSchema, Serialize)]
struct Suppressions {
    /// The addresses, by key.
    suppressions: Vec<SuppressionView>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl From<&Suppression> for SuppressionView {
    fn from(suppression: &Suppression) -> Self {
        Self {
            suppression: suppression.key().as_str().to_owned(),
            address: suppression.address.expose().to_owned(),
            cause: suppression.cause.as_str(),
            why: suppression.why.clone(),
            message: suppression.message.to_string(),
            at: suppression.at.rfc3339(),
        }
    }
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = suppressions::suppressions(ports, &call.caller()?, &list.requested(call)?).await?;
    let suppressions = page.items.iter().map(SuppressionView::from).collect();
    json(200, &Suppressions { suppressions, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn clear(ports: &impl Ports, call: &Call) -> Answer {
    let key = AddressKey::parse(call.parameter("suppression"));
    let key = key.ok_or_else(|| {
        Problem::new(ProblemType::NotFound, "There is no address of this key on the suppression list.")
    })?;
    suppressions::clear(ports, &call.caller()?, &key).await?;
    Ok(no_content())
}

pub(crate) fn describe(document: &mut Document) {
    let listed = document.named(&ROUTES, "listSuppressions").paged();
    listed.answers::<Suppressions>(200, "A page of addresses.").fails(&[ProblemType::InvalidRequest]);
    let cleared = document.named(&ROUTES, "clearSuppression");
    cleared.answers_nothing(204, "Mails go to the address again.").fails(&[ProblemType::NotFound]);
}
