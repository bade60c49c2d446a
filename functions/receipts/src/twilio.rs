//! What Twilio tells of texts: its call-backs to the URL that went with each text (`StatusCallback`).
//!
//! Any number of them comes for a text, in any order; most say only how far it is. Who calls is known by two things: the
//! key at the end of the URL, which says by whose gateway the hop went, and the signature, made with the auth token of
//! that gateway's account.

pub mod codes;
pub mod parameters;
pub mod signature;

use otpost_domain::gateway::{Credentials, Settings};
use otpost_edge::http::{Answer, Call, MAX_BODY, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::{Fault, Ports};
use otpost_service::receipts::{Teller, by_key, is_told_by};

use crate::ROUTES;
use crate::hop::{HopRef, Told};
use parameters::{Malformed, Parameters};
use signature::{Content, is_signed};

pub(crate) async fn take(ports: &impl Ports, call: &Call) -> Answer {
    let body = call.text_up_to(MAX_BODY)?;
    let json = call.has_media_type("application/json");
    if !json && !call.has_media_type("application/x-www-form-urlencoded") {
        let detail = "Send a form or JSON, as Twilio does.";
        return Err(Problem::new(ProblemType::UnsupportedMediaType, detail));
    }
    let parameters = if json { Parameters::of_json(body) } else { Parameters::of_form(body) };
    let parameters = parameters.map_err(malformed)?;
    // Of what changes nothing, nobody has to prove that they may say it: most call-backs cost no look-up at all.
    let Some(told) = told(&parameters).map_err(malformed)? else { return Ok(no_content()) };

    let [tenant, message, hop, key] = ["tenant", "message", "hop", "key"].map(|name| call.parameter(name));
    let hop = HopRef::of(tenant, message, hop).ok_or_else(unasked)?;
    let (owner, gateway) = by_key(ports, &hop.message_ref(), hop.number, key).await?.ok_or_else(unasked)?;
    // From configuration and not from the request's Host, which whoever asks may choose.
    let mut url = format!("{}/receipts/twilio/{tenant}/{message}/{}/{key}", ports.public_url()?, hop.number);
    if let Some(query) = call.request.uri().query() {
        url.push('?');
        url.push_str(query);
    }
    let content = if json { Content::Json(body) } else { Content::Form(&parameters) };
    let is_it = |teller: &Teller| of_account(teller, &parameters) && has_signed(teller, call, &url, content);
    // The gateway may be younger than what was read lately. Who has a URL of ours may make us look again every time.
    match is_told_by(ports, &hop.tenant, (&owner, &gateway), is_it, || true).await {
        Ok(true) => {}
        Ok(false) => return Err(unasked()),
        Err(error) if error.kind == Fault::Gone => return Err(unasked()),
        Err(error) => return Err(error.into()),
    }
    hop.takes(ports, told, None).await?;
    Ok(no_content())
}

/// Whether the one signature of the request is that of the gateway's account.
fn has_signed(teller: &Teller, call: &Call, url: &str, content: Content<'_>) -> bool {
    let Some(Credentials::Twilio(login)) = teller.credentials.as_deref() else { return false };
    let mut given = call.request.headers().get_all("x-twilio-signature").into_iter();
    match (login.signing_key(), given.next(), given.next()) {
        (Some(key), Some(one), None) => one.to_str().is_ok_and(|one| is_signed(key, url, content, one)),
        _ => false,
    }
}

/// Whether the call-back is of the gateway's account, if it names any.
fn of_account(teller: &Teller, parameters: &Parameters) -> bool {
    let Settings::Twilio(settings) = &teller.gateway.configuration.settings else { return false };
    let named = parameters.one("AccountSid");
    named.is_none_or(|named| named.eq_ignore_ascii_case(settings.account_sid.as_str()))
}

fn malformed(fault: Malformed) -> Problem {
    Problem::new(ProblemType::InvalidRequest, fault.to_string())
}

/// The same for URLs that were never made, gateways that are gone, and signatures that do not fit.
fn unasked() -> Problem {
    Problem::new(
        ProblemType::Forbidden,
        "This is no call-back that Otpost has asked Twilio for, signed by its account.",
    )
}

/// What a call-back tells of its text; nothing while it is on its way.
///
/// # Errors
/// When it does not say one status.
pub fn told(parameters: &Parameters) -> Result<Option<Told>, Malformed> {
    let status = parameters.one("MessageStatus").or_else(|| parameters.one("SmsStatus"));
    let reason = |words| Told::undelivered(codes::reason(parameters.one("ErrorCode"), words));
    Ok(match status.ok_or(Malformed::NoStatus)? {
        // What was read has arrived.
        "delivered" | "read" => Some(Told::delivered()),
        "undelivered" => Some(reason("it did not arrive")),
        "failed" => Some(reason("it could not be sent")),
        "canceled" => Some(reason("it was taken back before it was sent")),
        // accepted, scheduled, queued, sending, sent, partially_delivered, and what there may be one day.
        _ => None,
    })
}

pub(crate) fn describe(document: &mut Document) {
    let fields = [
        ("MessageStatus", "what became of the text; all but the last ones are passed over"),
        ("ErrorCode", "why it did not arrive"),
        ("AccountSid", "whose text it was; any other parameters are signed too, and not looked at"),
    ];
    let taken = document.named(&ROUTES, "takeTwilioReceipt").takes_form(&fields);
    let taken = taken.header("X-Twilio-Signature", true, "Twilio's signature of the URL and all parameters.");
    taken.answers_nothing(204, "It is taken note of, or tells nothing.").fails(&[ProblemType::Forbidden]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::message::Verdict;

    fn of(form: &str) -> Result<Option<Told>, Malformed> {
        told(&Parameters::of_form(form).unwrap())
    }

    #[test]
    fn every_status_has_its_meaning() {
        for status in ["delivered", "read"] {
            assert_eq!(of(&format!("MessageStatus={status}")), Ok(Some(Told::delivered())), "{status}");
        }
        for (status, words) in [
            ("undelivered", "it did not arrive"),
            ("failed", "it could not be sent"),
            ("canceled", "it was taken back before it was sent"),
        ] {
            let plain = of(&format!("MessageStatus={status}")).unwrap().unwrap();
            assert_eq!((plain.verdict, plain.why), (Verdict::Undelivered, format!("Twilio: {words}")));
            let coded = of(&format!("MessageStatus={status}&ErrorCode=30003")).unwrap().unwrap();
            assert_eq!(coded, Told::undelivered("Twilio 30003: the handset is switched off or out of reach"));
            let unknown = of(&format!("MessageStatus={status}&ErrorCode=30999")).unwrap().unwrap();
            assert_eq!(unknown, Told::undelivered(format!("Twilio 30999: {words}")));
        }
        for status in [
            "accepted",
            "scheduled",
            "queued",
            "sending",
            "sent",
            "receiving",
            "received",
            "partially_delivered",
            "",
            "DELIVERED",
            "delivered ",
            "else",
        ] {
            assert_eq!(of(&format!("MessageStatus={status}&ErrorCode=30003")), Ok(None), "{status}");
        }
    }

    #[test]
    fn the_older_name_of_the_status_is_read_too() {
        assert_eq!(of("SmsStatus=delivered"), Ok(Some(Told::delivered())));
        assert_eq!(of("SmsStatus=sent&MessageStatus=delivered"), Ok(Some(Told::delivered())));
    }

    #[test]
    fn a_call_back_without_one_status_is_malformed() {
        for form in
            ["", "ErrorCode=30003", "messagestatus=delivered", "MessageStatus=delivered&MessageStatus=failed"]
        {
            assert_eq!(of(form), Err(Malformed::NoStatus), "{form}");
        }
    }

    #[test]
    fn no_number_and_no_text_comes_into_a_reason() {
        let told =
            of("MessageStatus=failed&To=%2B447700900123&Body=482913&ErrorCode=482913&ErrorMessage=482913");
        assert_eq!(told.unwrap().unwrap().why, "Twilio: it could not be sent");
    }
}
