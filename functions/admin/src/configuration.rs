//! A tenant's configuration as one document.

mod read;
mod view;
mod write;

use lambda_http::Body;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use otpost_domain::document::Value;
use otpost_edge::http::{Answer, Call, json, response};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::Ports;
use otpost_service::transfer;

use crate::ROUTES;
use view::{ImportView, Written};

/// The longest document that is taken, in bytes: the largest configuration, in a form that people read.
const MOST_OF_DOCUMENT: usize = 4 * 1024 * 1024;
/// RFC 9512.
const YAML: &str = "application/yaml";
const JSON: &str = "application/json";
const COMMENT: &str = "\
The configuration of an Otpost tenant. Secrets are not in it: the credentials of gateways are given to each gateway.
POST it to /v1/configuration?dry_run=true to see what bringing it in would do, and without dry_run to do it.";

pub(crate) async fn export(ports: &impl Ports, call: &Call) -> Answer {
    let caller = call.caller()?;
    let document = transfer::export(ports, &caller).await?;
    let headers = vec![
        (CONTENT_TYPE, format!("{YAML}; charset=utf-8")),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"otpost-{}.yaml\"", caller.tenant)),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok(response(200, headers, Body::Text(write::write(&document, COMMENT))))
}

pub(crate) async fn import(ports: &impl Ports, call: &Call) -> Answer {
    call.only_queries(&["dry_run"])?;
    let dry_run = match call.query("dry_run").as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Problem::field("dry_run", "must be true or false")),
    };
    let (caller, document) = (call.caller()?, document(call)?);
    // Large, and rarely called: other operations do not carry its state with them.
    let imported = Box::pin(transfer::import(ports, &caller, &document, dry_run)).await?;
    json(200, &ImportView::of(imported, dry_run))
}

fn document(call: &Call) -> Result<Value, Problem> {
    if call.has_media_type(JSON) {
        if nodes(call.text_up_to(MOST_OF_DOCUMENT)?) > read::MOST_NODES {
            let detail = format!("The body has more than {} things in it.", read::MOST_NODES);
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        return call.document_up_to(MOST_OF_DOCUMENT);
    }
    let text = call.text_up_to(MOST_OF_DOCUMENT)?;
    if !call.has_media_type(YAML) {
        let detail = format!("Send the body as Content-Type: {YAML} or {JSON}.");
        return Err(Problem::new(ProblemType::UnsupportedMediaType, detail));
    }
    read::read(text).map_err(|fault| {
        Problem::new(ProblemType::InvalidRequest, format!("The body does not read as YAML: {fault}."))
    })
}

/// How many things a text in JSON has at most: each begins with a bracket, or follows one or a comma, outside of strings.
fn nodes(json: &str) -> usize {
    let (mut count, mut in_text, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

pub(crate) fn describe(document: &mut Document) {
    let exported = document.named(&ROUTES, "exportConfiguration");
    exported.answers_as::<Written>(200, YAML, "The configuration.").fails(&[]);
    let imported = document.named(&ROUTES, "importConfiguration").takes_as::<Written>(&[YAML, JSON]);
    imported
        .query("dry_run", false, "`true`: nothing is changed, and the answer tells what would be.")
        .answers::<ImportView>(200, "What has become of each thing, or would.")
        .fails(&[]);
}

#[cfg(test)]
mod tests;
