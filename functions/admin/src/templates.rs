//! Templates: the texts of messages, and how mails look.

mod preview;
#[cfg(test)]
mod tests;
pub(crate) mod view;

use lambda_http::Body;
use lambda_http::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::ids::GatewayId;
use otpost_domain::message::Message;
use otpost_domain::template::{BrandDocument, TemplateName};
use otpost_edge::http::{Answer, Call, field, json, json_versioned, no_content, reply, response};
use otpost_edge::idempotency::once;
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::document::value_of;
use otpost_service::ports::{Configuration as _, Ports};
use otpost_service::seen::Seen;
use otpost_service::templates::{self, Found, TemplateError, TestOrder};
use otpost_service::test_send::Address;
use serde_json::Value;

use crate::ROUTES;
use preview::{Form, Preview, PreviewOrder, Scheme};
use view::{
    BrandView, BrandWritten, KeptTemplate, RollBack, TemplateView, Templates, TestView, TestWanted,
    VersionView, Versions, Written,
};

const MISSING: &str = "There is no template of this name.";
const NO_VERSION: &str = "There is no such version.";
/// The longest body with a template's texts, in bytes.
const MOST_OF_TEMPLATE: usize = 512 * 1024;
/// The longest body with a logo, in bytes.
const MOST_OF_BRAND: usize = 64 * 1024;
/// What a page with a preview may do: show itself, and nothing else.
const PREVIEW_POLICY: &str = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'";

fn named(call: &Call) -> Result<TemplateName, Problem> {
    field("template", call.parameter("template"))
}

pub(crate) async fn put(ports: &impl Ports, call: &Call) -> Answer {
    let (name, document) = (named(call)?, call.document_up_to(MOST_OF_TEMPLATE)?);
    let kept = templates::keep_template(ports, &call.caller()?, &name, &document, call.seen()?).await?;
    let status = if kept.made { 201 } else { 200 };
    json_versioned(status, kept.version.version, &KeptTemplate::from(&kept))
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    match templates::template(ports, &call.caller()?, &call.named("template", MISSING)?).await? {
        Found::Own(version) => json_versioned(200, version.version, &TemplateView::of(&version)),
        // Nobody can replace it: it gets no version.
        Found::BuiltIn(name, document) => json(200, &TemplateView::built_in(&name, document)),
    }
}

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let list = Listing::of(call, "")?;
    let page = templates::templates(ports, &call.caller()?, &list.requested(call)?).await?;
    let templates = page.items.iter().map(view::HeadView::from).collect();
    json(200, &Templates { templates, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn remove(ports: &impl Ports, call: &Call) -> Answer {
    let name = call.named("template", MISSING)?;
    templates::remove_template(ports, &call.caller()?, &name, call.seen()?).await?;
    Ok(no_content())
}

pub(crate) async fn versions(ports: &impl Ports, call: &Call) -> Answer {
    let name: TemplateName = call.named("template", MISSING)?;
    let list = Listing::of(call, &name.to_string())?;
    let page = templates::versions(ports, &call.caller()?, &name, &list.requested(call)?).await?;
    let versions = page.items.iter().map(VersionView::from).collect();
    json(200, &Versions { versions, next: list.cursor(page.next.as_ref()) })
}

pub(crate) async fn version(ports: &impl Ports, call: &Call) -> Answer {
    let name = call.named("template", MISSING)?;
    let missing = || Problem::new(ProblemType::NotFound, NO_VERSION);
    let number = call.parameter("version").parse().map_err(|_| missing())?;
    let version = templates::version(ports, &call.caller()?, &name, number).await?;
    json(200, &TemplateView::of(&version))
}

pub(crate) async fn roll_back(ports: &impl Ports, call: &Call) -> Answer {
    let (name, wanted) = (call.named("template", MISSING)?, call.json::<RollBack>()?);
    let seen = call.seen()?;
    let kept = templates::restore_template(ports, &call.caller()?, &name, wanted.version, seen).await?;
    json_versioned(200, kept.version.version, &KeptTemplate::from(&kept))
}

pub(crate) async fn preview(ports: &impl Ports, call: &Call) -> Answer {
    let (name, order) = (named(call)?, call.json_up_to::<PreviewOrder>(MOST_OF_TEMPLATE)?);
    let (form, scheme) = (order.form()?, order.scheme()?);
    let caller = call.caller()?;
    let draft = order.document.clone().map(|draft| value_of(&Value::Object(draft)));
    let seen =
        templates::preview(ports, &caller, &name, draft.as_ref()).await.map_err(|error| match error {
            TemplateError::Invalid(faults) => TemplateError::Invalid(faults.beneath("document")),
            other => other,
        })?;
    let sample = order.person(seen.sample)?;
    let look = ports.configuration().look(&caller.tenant).await?;
    let preview = Preview::of(&seen.document, &seen.review, &sample, &look)?;
    match form {
        Form::Json => json(200, &preview),
        Form::Html => {
            let page = preview
                .page(scheme.unwrap_or(Scheme::Light))
                .ok_or_else(|| no_form("e-mail form with HTML"))?;
            Ok(shown("text/html; charset=utf-8", page))
        }
        Form::Text => {
            let text = preview.plain().ok_or_else(|| no_form("text"))?;
            Ok(shown("text/plain; charset=utf-8", text))
        }
    }
}

fn no_form(what: &str) -> Problem {
    Problem::new(ProblemType::NotAllowedNow, format!("The template has no {what}."))
}

fn shown(media: &str, body: String) -> lambda_http::Response<Body> {
    let headers = vec![
        (CONTENT_TYPE, media.to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (HeaderName::from_static("content-security-policy"), PREVIEW_POLICY.to_owned()),
        (HeaderName::from_static("x-content-type-options"), "nosniff".to_owned()),
    ];
    response(200, headers, Body::Text(body))
}

pub(crate) async fn test(ports: &impl Ports, call: &Call) -> Answer {
    let wanted: TestWanted = call.json()?;
    let to = match (&wanted.email, &wanted.phone) {
        (Some(email), None) => Address::Email(field::<EmailAddress, _>("email", email)?),
        (None, Some(phone)) => Address::Sms(field::<PhoneNumber, _>("phone", phone)?),
        _ => return Err(Problem::new(ProblemType::InvalidRequest, "Give email or phone, and not both.")),
    };
    let gateway: Option<GatewayId> = wanted.gateway.as_deref().map(|id| field("gateway", id)).transpose()?;
    let order = TestOrder { name: call.named("template", MISSING)?, to, gateway };
    let caller = call.caller()?;
    let told = |message: &Message| reply(202, None, &TestView::from(message));
    once(ports, call, &caller.tenant, &told, async |once| {
        templates::send_test(ports, &caller, &order, once).await
    })
    .await
}

pub(crate) async fn get_brand(ports: &impl Ports, call: &Call) -> Answer {
    match templates::brand(ports, &call.caller()?).await? {
        Some(brand) => json_versioned(200, brand.version, &BrandView::from(&brand.document)),
        None => json(200, &BrandView::from(&BrandDocument::default())),
    }
}

pub(crate) async fn put_brand(ports: &impl Ports, call: &Call) -> Answer {
    let document = BrandDocument::read(&call.document_up_to(MOST_OF_BRAND)?)?;
    let made = call.seen()? == Seen::Unsaid;
    let brand = templates::keep_brand(ports, &call.caller()?, document, call.seen()?).await;
    let brand = brand.map_err(|error| match error {
        TemplateError::Unseen => Problem::new(
            ProblemType::PreconditionRequired,
            "The look was set before. Read it, and send its ETag as If-Match to replace it.",
        ),
        TemplateError::Changed => Problem::new(
            ProblemType::PreconditionFailed,
            "The look is not in the version that If-Match names. Read it again.",
        ),
        other => other.into(),
    })?;
    json_versioned(if made { 201 } else { 200 }, brand.version, &BrandView::from(&brand.document))
}

pub(crate) fn describe(document: &mut Document) {
    let kept = document.named(&ROUTES, "putTemplate").takes::<Written>().conditional();
    kept.answers::<KeptTemplate>(201, "The new template.")
        .answers::<KeptTemplate>(200, "The template as it is now.")
        .fails(&[ProblemType::NotAllowedNow, ProblemType::PreconditionRequired]);
    let listed = document.named(&ROUTES, "listTemplates").paged();
    listed.answers::<Templates>(200, "A page of templates.").fails(&[ProblemType::InvalidRequest]);
    let got = document.named(&ROUTES, "getTemplate");
    got.answers::<TemplateView>(200, "The template.").fails(&[ProblemType::NotFound]);
    let removed = document.named(&ROUTES, "removeTemplate").conditional();
    removed.answers_nothing(204, "The template is out of use.").fails(&[ProblemType::NotFound]);
    let versions = document.named(&ROUTES, "listTemplateVersions").paged();
    versions
        .answers::<Versions>(200, "A page of versions, the latest first.")
        .fails(&[ProblemType::NotFound, ProblemType::InvalidRequest]);
    let version = document.named(&ROUTES, "getTemplateVersion");
    version.answers::<TemplateView>(200, "The version.").fails(&[ProblemType::NotFound]);
    let back = document.named(&ROUTES, "rollBackTemplate").takes::<RollBack>().conditional();
    back.answers::<KeptTemplate>(200, "The template as it is now.")
        .fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow]);
    let shown = document.named(&ROUTES, "previewTemplate").takes::<PreviewOrder>();
    shown
        .answers::<Preview>(200, "What would be sent; as a page or as plain text where `as` says so.")
        .fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow]);
    let tested = document.named(&ROUTES, "testTemplate").takes::<TestWanted>().idempotent();
    tested
        .answers::<TestView>(202, "The message is on record and will be delivered.")
        .fails(&[ProblemType::NotFound, ProblemType::NotAllowedNow]);
    document.named(&ROUTES, "getBrand").answers::<BrandView>(200, "The look.").fails(&[]);
    let brand = document.named(&ROUTES, "putBrand").takes::<BrandWritten>().conditional();
    brand
        .answers::<BrandView>(201, "The look, set for the first time.")
        .answers::<BrandView>(200, "The look as it is now.")
        .fails(&[ProblemType::PreconditionRequired]);
}
