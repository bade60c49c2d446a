//! Codes that are sent to somebody and asked of them.

mod wire;

#[cfg(test)]
mod tests;

use lambda_http::{Body, Response};
use otpost_domain::challenge::{ChallengeId, SentCode, Transaction};
use otpost_domain::contact::Locale;
use otpost_domain::message::Channel;
use otpost_domain::template::CodePurpose;
use otpost_edge::auth::Authenticated;
use otpost_edge::http::{Answer, Call, field, json, no_content, reply};
use otpost_edge::idempotency::{once, request_digest};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType, no_such_challenge};
use otpost_service::challenges::{self, Answer as Typed, Asker, InvalidOrder, Order, Shown};
use otpost_service::ports::Ports;

pub(crate) use self::wire::seconds;
use self::wire::{AcceptedView, ChallengeView, CodeToSend, CodeView, Resend, StandingView, TypedCode};
use crate::ROUTES;

fn asker(call: &Call) -> Result<Asker, Problem> {
    let marked = matches!(call.authenticated()?, Authenticated::Tenant(key) if key.after_first_factor);
    Ok(Asker { caller: call.caller()?, after_first_factor: marked })
}

/// What was never issued and what is no id have one answer.
fn id(call: &Call) -> Result<ChallengeId, Problem> {
    ChallengeId::try_from(call.parameter("challenge")).map_err(|_| no_such_challenge())
}

fn purpose(text: &str) -> Result<CodePurpose, Problem> {
    CodePurpose::parse(text)
        .filter(|purpose| *purpose != CodePurpose::Helpdesk)
        .ok_or_else(|| Problem::field("purpose", "must be sign_in, enrolment, password_reset or transaction"))
}

pub(crate) fn channel(text: Option<&str>) -> Result<Option<Channel>, Problem> {
    let read = |text| Channel::parse(text).ok_or_else(|| Problem::field("channel", "must be email or sms"));
    text.map(read).transpose()
}

fn transaction(text: Option<&str>) -> Result<Option<Transaction>, Problem> {
    text.map(|text| field("transaction", text)).transpose()
}

pub(crate) async fn start(ports: &impl Ports, call: &Call) -> Answer {
    let given: CodeToSend = call.json()?;
    let order = Order {
        addressee: given.addressee()?,
        purpose: purpose(&given.purpose)?,
        channel: channel(given.channel.as_deref())?,
        transaction: transaction(given.transaction.as_deref())?,
        source: given.source,
    };
    let order = order.checked()?;
    let asker = asker(call)?;
    let told = |shown: &Shown| reply(202, None, &ChallengeView::new(shown, asker.caller.now(ports)));
    once(ports, call, &asker.caller.tenant, &told, async |once| {
        challenges::start(ports, &asker, &order, once).await
    })
    .await
}

pub(crate) async fn resend(ports: &impl Ports, call: &Call) -> Answer {
    let id = id(call)?;
    let given: Resend = call.json_if_any()?;
    let channel = channel(given.channel.as_deref())?;
    let asker = asker(call)?;
    let told = |shown: &Shown| reply(202, None, &ChallengeView::new(shown, asker.caller.now(ports)));
    once(ports, call, &asker.caller.tenant, &told, async |once| {
        challenges::resend(ports, &asker, &id, channel, once).await
    })
    .await
}

pub(crate) async fn tell(ports: &impl Ports, call: &Call) -> Answer {
    let id = id(call)?;
    let locale = call.query("locale").map(|tag| field::<Locale, _>("locale", &tag)).transpose()?;
    let asker = asker(call)?;
    let telling = challenges::tell(ports, &asker, &id).await?;
    json(200, &StandingView::new(telling, &locale.unwrap_or_default(), asker.caller.now(ports)))
}

pub(crate) async fn check(ports: &impl Ports, call: &Call) -> Answer {
    let id = id(call)?;
    let given: TypedCode = call.json()?;
    let code = SentCode::parse(&given.code).map_err(|fault| Problem::field("code", fault))?;
    let (purpose, transaction) = (purpose(&given.purpose)?, transaction(given.transaction.as_deref())?);
    // Such a code would be wrong whatever its digits: it must not cost the person a guess.
    match (purpose, &transaction) {
        (CodePurpose::Transaction, None) => return Err(InvalidOrder::NoTransaction.into()),
        (CodePurpose::Transaction, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(InvalidOrder::OutOfPlace.into()),
    }
    let request = request_digest(call)?;
    let typed = Typed { code, purpose, transaction, remember: given.remember_source, request };
    let accepted = challenges::check(ports, &asker(call)?, &id, &typed).await?;
    json(200, &AcceptedView::from(accepted))
}

pub(crate) async fn cancel(ports: &impl Ports, call: &Call) -> Result<Response<Body>, Problem> {
    challenges::cancel(ports, &asker(call)?, &id(call)?).await?;
    Ok(no_content())
}

pub(crate) async fn read_code(ports: &impl Ports, call: &Call) -> Answer {
    let code = challenges::read_code(ports, &asker(call)?, &id(call)?).await?;
    json(200, &CodeView { code: code.expose().to_owned() })
}

pub(crate) fn describe(document: &mut Document) {
    let started = document.named(&ROUTES, "startChallenge").takes::<CodeToSend>().idempotent();
    started
        .answers::<ChallengeView>(202, "A code is on its way, if there is anybody to send it to.")
        .fails(&[ProblemType::TooSoon, ProblemType::TooManyAttempts, ProblemType::Busy]);
    let told = document.named(&ROUTES, "getChallenge").query(
        "locale",
        false,
        "The language of the message's text (BCP 47): German for de and its kin, English for every other and without it.",
    );
    told.answers::<StandingView>(200, "How far the challenge is.")
        .fails(&[ProblemType::InvalidRequest, ProblemType::NotFound]);
    let checked = document.named(&ROUTES, "checkChallenge").takes::<TypedCode>().header(
        "Idempotency-Key",
        false,
        "1 to 128 visible ASCII characters, new for each code. The same request with the same key gets the same answer and \
         counts once, if no other code was tried since and the challenge has not expired.",
    );
    checked.answers::<AcceptedView>(200, "The code was right.").fails(&[
        ProblemType::NotFound,
        ProblemType::InvalidCode,
        ProblemType::TooManyAttempts,
    ]);
    let again = document.named(&ROUTES, "resendChallenge").may_take::<Resend>().idempotent();
    again.answers::<ChallengeView>(202, "The code is on its way once more.").fails(&[
        ProblemType::NotFound,
        ProblemType::NotAllowedNow,
        ProblemType::TooSoon,
        ProblemType::Busy,
    ]);
    let read = document.named(&ROUTES, "readChallengeCode");
    read.answers::<CodeView>(200, "The code that was sent.").fails(&[ProblemType::NotFound]);
    let given_up = document.named(&ROUTES, "cancelChallenge");
    given_up.answers_nothing(204, "The code is accepted no more.").fails(&[ProblemType::NotFound]);
}
