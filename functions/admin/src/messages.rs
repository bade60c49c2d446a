//! The log of messages: where each is, and why one did not arrive.

mod view;

#[cfg(test)]
mod tests;

use otpost_domain::ids::{GatewayId, MessageId};
use otpost_domain::message::{Channel, MessageStatus, Via};
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, json};
use otpost_edge::openapi::Document;
use otpost_edge::paging::Listing;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::log::{self, Wanted};
use otpost_service::ports::{MessageRef, MessageStore as _, Ports};

use crate::ROUTES;
use view::{MessageView, Messages};

/// What the list may be asked for, and what that means.
const FILTERS: [(&str, &str); 6] = [
    ("user", "Those for this user."),
    (
        "status",
        "Those that are so now: queued, sending, sent, delivered, undelivered, failed, expired or cancelled.",
    ),
    ("gateway", "Those with a hop by this gateway; deployment for the deployment's own Amazon SES."),
    ("channel", "Those that went by email or sms, at first or after that."),
    ("from", "Those made then or later (RFC 3339); of the last 90 days in any case."),
    ("to", "Those made before (RFC 3339)."),
];

pub(crate) async fn list(ports: &impl Ports, call: &Call) -> Answer {
    let known: Vec<&str> = FILTERS.iter().map(|(name, _)| *name).chain(["limit", "cursor"]).collect();
    call.only_queries(&known)?;
    let wanted = wanted(call)?;
    let given = FILTERS.map(|(name, _)| call.query(name).unwrap_or_default());
    let list = Listing::of(call, &given.join("\n"))?;
    let request = list.requested(call)?;
    if request.after.as_deref().is_some_and(|after| MessageId::try_from(after).is_err()) {
        return Err(Problem::field("cursor", "must be the next of the page before, unchanged"));
    }
    let page = log::messages(ports, &call.caller()?.tenant, &wanted, &request).await?;
    let messages = page.items.iter().map(MessageView::in_list).collect();
    json(200, &Messages { messages, next: list.cursor(page.next.as_ref()) })
}

fn wanted(call: &Call) -> Result<Wanted, Problem> {
    let time = |name: &'static str| {
        let told = "must be an RFC 3339 time, such as 2027-01-15T08:00:00Z, with a + in it written as %2B";
        let read = |text: String| Timestamp::parse_rfc3339(&text).ok_or_else(|| Problem::field(name, told));
        call.query(name).map(read).transpose()
    };
    let status = one_of(call, "status", MessageStatus::ALL, MessageStatus::as_str)?;
    let channel = one_of(call, "channel", Channel::ALL, Channel::as_str)?;
    let gateway = call.query("gateway");
    if let Some(named) = gateway.as_deref().filter(|named| *named != Via::OWN.shown()) {
        field::<GatewayId, _>("gateway", named)?;
    }
    let (from, to) = (time("from")?, time("to")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        return Err(Problem::field("to", "must be later than from"));
    }
    let user = call.query("user").map(|user| field("user", &user)).transpose()?;
    Ok(Wanted { user, status, gateway, channel, from, to })
}

/// A parameter of the query that is one of some words.
fn one_of<T: Copy>(
    call: &Call,
    name: &'static str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(given) = call.query(name) else { return Ok(None) };
    let found = all.iter().copied().find(|one| word(*one) == given);
    let words = || all.iter().map(|one| word(*one)).collect::<Vec<_>>().join(", ");
    found.map(Some).ok_or_else(|| Problem::field(name, format!("must be one of: {}", words())))
}

pub(crate) async fn get(ports: &impl Ports, call: &Call) -> Answer {
    const MISSING: &str = "There is no message of this id.";
    let reference = MessageRef { tenant: call.caller()?.tenant, id: call.named("message", MISSING)? };
    let found = ports.store().message(&reference).await?;
    let message = found.ok_or_else(|| Problem::new(ProblemType::NotFound, MISSING))?;
    json(200, &MessageView::alone(&message))
}

pub(crate) fn describe(document: &mut Document) {
    let listed = document.named(&ROUTES, "listMessages");
    let listed = FILTERS.iter().fold(listed, |listed, (name, what)| listed.query(name, false, what)).paged();
    listed
        .answers::<Messages>(
            200,
            "A page of messages. Where there is next there may be more, however few are on this page.",
        )
        .fails(&[ProblemType::InvalidRequest]);
    document
        .named(&ROUTES, "getMessage")
        .answers::<MessageView>(200, "The message.")
        .fails(&[ProblemType::NotFound]);
}
