//! What GOV.UK Notify tells of texts: the receipts that it posts to the URL that an operator has set in Notify for a
//! gateway's service, with the bearer token that the gateway has too.
//!
//! The reference says which hop it is. Notify tells again, five times in all, only if it gets no answer, a 429 or a 5xx:
//! trouble of ours must be answered by 5xx, and all else is for good.

use lambda_http::http::HeaderMap;
use lambda_http::http::header::AUTHORIZATION;
use otpost_domain::apikey::SecretHash;
use otpost_domain::gateway::{Credentials, Owner};
use otpost_domain::ids::{GatewayId, TenantId};
use otpost_domain::secret::SecretText;
use otpost_edge::http::{Answer, Call, no_content};
use otpost_edge::openapi::Document;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::ports::{Clock as _, Fault, Ports};
use otpost_service::receipts::{Teller, is_told_by, reference};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::ROUTES;
use crate::hop::{HopRef, Told};
use crate::seldom::Seldom;

/// The length of a reference's proof.
const PROOF: usize = 22;

pub(crate) async fn take(ports: &impl Ports, again: &Seldom, call: &Call) -> Answer {
    let presented = bearer(call.request.headers()).ok_or_else(refused)?;
    let owner = Owner::stored(call.parameter("owner")).map_err(|_| refused())?;
    let gateway = GatewayId::try_from(call.parameter("gateway")).map_err(|_| refused())?;
    let call_back: CallBack = call.json()?;
    // A service may send texts of others too, and tells of these at the same URL.
    let (Some(hop), Some(told)) = (call_back.hop(), call_back.told()) else { return Ok(no_content()) };
    if !may_speak_of(&owner, &hop.tenant) {
        return Err(refused());
    }
    let is_it = |teller: &Teller| knows(teller, &presented);
    // The gateway may be younger than what was read lately. But anybody can ask, and must not make us read all the time.
    let again = || again.admits(ports.clock().now());
    match is_told_by(ports, &hop.tenant, (&owner, &gateway), is_it, again).await {
        Ok(true) => {}
        Ok(false) => return Err(refused()),
        Err(error) if error.kind == Fault::Gone => return Err(refused()),
        Err(error) => return Err(error.into()),
    }
    // The token is good for what went by its gateway, and for nothing else.
    let expected = reference(ports, &hop.message_ref(), hop.number, (&owner, &gateway)).await?;
    let given = SecretText::new(call_back.reference.unwrap_or_default());
    if !SecretHash::of(&SecretText::new(expected)).matches(&given) {
        return Err(refused());
    }
    hop.takes(ports, told, None).await?;
    Ok(no_content())
}

/// The bearer token of the one header that has it.
fn bearer(headers: &HeaderMap) -> Option<SecretText> {
    let mut given = headers.get_all(AUTHORIZATION).into_iter();
    let (one, None) = (given.next()?, given.next()) else { return None };
    let (scheme, token) = one.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretText::new(token.trim()))
}

/// Whether it is the token that the gateway has. Constant time.
fn knows(teller: &Teller, presented: &SecretText) -> bool {
    match teller.credentials.as_deref() {
        Some(Credentials::GovukNotify { callback_token: Some(token), .. }) => {
            SecretHash::of(token).matches(presented)
        }
        _ => false,
    }
}

/// The same whether the token is wrong, the gateway is not there, it has no token, or the text went by another.
fn refused() -> Problem {
    let detail = "Send the bearer token that the gateway has for receipts.";
    Problem::new(ProblemType::Unauthorized, detail)
}

/// A receipt. What else is in it, the recipient's number among it, is not read.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(rename = "NotifyReceipt")]
pub struct CallBack {
    /// What the request to send had as its reference; null for texts that others send by the same service.
    reference: Option<String>,
    /// What became of the text.
    status: String,
}

impl CallBack {
    /// The hop that it is about; none for a text that is none of Otpost's.
    #[must_use]
    pub fn hop(&self) -> Option<HopRef> {
        let (hop, proof) = self.reference.as_deref()?.rsplit_once('/')?;
        HopRef::parse(hop, '/').filter(|_| proof.len() == PROOF)
    }

    /// What it tells; nothing for a status that is not the last one.
    #[must_use]
    pub fn told(&self) -> Option<Told> {
        let why = match self.status.as_str() {
            "delivered" => return Some(Told::delivered()),
            "permanent-failure" => "the number does not exist, or its network refuses the text",
            "temporary-failure" => {
                "the handset was off, full or out of reach for as long as the network tried"
            }
            "technical-failure" => {
                "it was not sent, because of trouble between GOV.UK Notify and its providers"
            }
            _ => return None,
        };
        Some(Told::undelivered(format!("GOV.UK Notify {}: {why}", self.status)))
    }
}

/// Whether gateways of `owner` may carry messages of `tenant` at all.
#[must_use]
pub fn may_speak_of(owner: &Owner, tenant: &TenantId) -> bool {
    owner.tenant().is_none_or(|own| own == tenant)
}

pub(crate) fn describe(document: &mut Document) {
    let taken = document.named(&ROUTES, "takeNotifyReceipt").takes::<CallBack>();
    let taken =
        taken.header("Authorization", true, "Bearer and the token that the gateway has for receipts.");
    taken.answers_nothing(204, "It is taken note of, or tells nothing.").fails(&[ProblemType::Unauthorized]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::message::Verdict;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const REFERENCE: &str = "acme/msg_06hhgn2g000g2081040g208104/3/AAAAAAAAAAAAAAAAAAAAAA";

    fn call_back(status: &str, reference: &Value) -> CallBack {
        serde_json::from_value(json!({
            "id": "471246c7-0f4f-4f63-a1a8-6ba1b0c5f7d1", "reference": reference, "to": "07700900123", "status": status,
            "created_at": "2027-01-15T08:00:00.187854Z", "completed_at": "2027-01-15T08:00:03.187854Z",
            "sent_at": "2027-01-15T08:00:01.187854Z", "notification_type": "sms",
            "template_id": "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11", "template_version": 1,
        }))
        .unwrap()
    }

    #[test]
    fn every_status_has_its_meaning() {
        let told = |status: &str| call_back(status, &json!(REFERENCE)).told();
        assert_eq!(told("delivered"), Some(Told::delivered()));
        for status in ["permanent-failure", "temporary-failure", "technical-failure"] {
            let told = told(status).unwrap();
            assert_eq!(told.verdict, Verdict::Undelivered);
            assert!(told.why.starts_with(&format!("GOV.UK Notify {status}: ")), "{}", told.why);
        }
        for status in ["created", "sending", "pending", "sent", "", "Delivered", "482913"] {
            assert_eq!(told(status), None, "{status}");
        }
    }

    #[test]
    fn the_reference_says_which_hop() {
        let hop = call_back("delivered", &json!(REFERENCE)).hop().unwrap();
        assert_eq!((hop.tenant.as_str(), hop.number), ("acme", 3));
        for reference in
            [json!(null), json!(""), json!("otp-0001"), json!("acme/msg_x/1"), json!(&REFERENCE[..37])]
        {
            assert_eq!(call_back("delivered", &reference).hop(), None, "{reference}");
        }
    }

    #[test]
    fn a_tenants_gateway_speaks_of_its_own_messages_alone() {
        let tenant = |id: &str| TenantId::try_from(id).unwrap();
        let own = Owner::Tenant(tenant("acme"));
        assert!(may_speak_of(&own, &tenant("acme")) && !may_speak_of(&own, &tenant("globex")));
        assert!(may_speak_of(&Owner::Platform, &tenant("acme")));
    }

    #[test]
    fn what_is_no_receipt_does_not_read() {
        for body in
            ["", "{}", "[]", r#"{"status":1}"#, r#"{"reference":"x"}"#, r#"{"status":"a","status":"b"}"#]
        {
            assert!(serde_json::from_str::<CallBack>(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(status in any::<String>(), reference in any::<String>(), body in any::<String>()) {
            let read = call_back(&status, &json!(reference));
            prop_assert!(read.told().is_none_or(|told| told.why.len() < 200));
            let _ = read.hop();
            let _ = serde_json::from_str::<CallBack>(&body);
        }
    }
}
