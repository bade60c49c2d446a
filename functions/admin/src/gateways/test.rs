//! Tests of gateways: what an operator asks for, and what the provider said.

use std::time::Duration;

use otpost_domain::contact::{EmailAddress, PhoneNumber};
use otpost_domain::ids::{GatewayId, TenantId};
use otpost_domain::message::{HopState, Message};
use otpost_domain::template::{TestCode, TestText};
use otpost_domain::time::Timestamp;
use otpost_edge::http::{Answer, Call, field, reply};
use otpost_edge::idempotency::once;
use otpost_edge::problem::{Problem, ProblemType};
use otpost_service::caller::Keeper;
use otpost_service::gateways::{GatewayTest, patience, test_gateway};
use otpost_service::once::Once;
use otpost_service::ports::{Clock as _, Ports};
use otpost_service::test_send::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How long a test needs at least: its sender may have to start first.
const LEAST_TIME: Duration = Duration::from_secs(3);

/// A message to be sent as a test. To one address: `email` or `phone`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GatewayTest")]
pub(super) struct TestWanted {
    /// To a mailbox, by a gateway for mails.
    email: Option<String>,
    /// To a telephone in international form, such as +447700900123, by a gateway for texts.
    phone: Option<String>,
    /// What it says, 1 to 1000 characters; the tenant's template `test_message` unless given.
    text: Option<String>,
    /// The code in it, 4 to 10 digits; made up unless given. It opens nothing.
    code: Option<String>,
    /// For which tenant it is sent. With the platform key: one that the gateway serves.
    tenant: Option<String>,
}

/// What became of a test.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GatewayTestOutcome")]
pub(super) struct TestView {
    /// Its id in the log of messages; none where it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// `accepted`, `retry`, `recipient_bad`, `content_bad`, `configuration_bad`, `quota_gone` or `unknown`, as the sender
    /// found it; `pending` where it has told nothing yet, `not_sent` where nothing could be sent.
    outcome: &'static str,
    /// What that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The provider's id of the message, where it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    /// What the provider said, line by line, without secrets, codes and addresses.
    said: Vec<String>,
    /// How long it took, in milliseconds, from the order to the provider's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
}

impl TestWanted {
    pub(super) fn read(&self) -> Result<GatewayTest, Problem> {
        let to = match (&self.email, &self.phone) {
            (Some(email), None) => Address::Email(field::<EmailAddress, _>("email", email)?),
            (None, Some(phone)) => Address::Sms(field::<PhoneNumber, _>("phone", phone)?),
            _ => return Err(Problem::new(ProblemType::InvalidRequest, "Give email or phone, and not both.")),
        };
        Ok(GatewayTest {
            to,
            text: self.text.as_deref().map(|text| field::<TestText, _>("text", text)).transpose()?,
            code: self.code.as_deref().map(|code| field::<TestCode, _>("code", code)).transpose()?,
            tenant: self
                .tenant
                .as_deref()
                .map(|tenant| field::<TenantId, _>("tenant", tenant))
                .transpose()?,
        })
    }
}

impl From<&Message> for TestView {
    fn from(message: &Message) -> Self {
        let hop = message.last_hop();
        let took = |at: Timestamp| at.millis().saturating_sub(message.created_at.millis());
        let (outcome, reason, provider_id, at) = match hop.map(|hop| &hop.state) {
            Some(HopState::Accepted { provider_id, at }) => {
                ("accepted", None, Some(provider_id.clone()), Some(*at))
            }
            Some(HopState::Ended { ending, reason, at }) => {
                (ending.as_str(), Some(reason.clone()), None, Some(*at))
            }
            Some(HopState::Handed | HopState::Claimed { .. }) | None => {
                let told = format!(
                    "Its sender had told nothing when this was written. Look at the message {}.",
                    message.id
                );
                ("pending", Some(told), None, None)
            }
        };
        Self {
            message: Some(message.id.to_string()),
            outcome,
            reason,
            provider_id,
            said: hop.map(|hop| hop.said.clone()).unwrap_or_default(),
            milliseconds: at.map(took),
        }
    }
}

impl TestView {
    fn not_sent(reason: String) -> Self {
        let said = Vec::new();
        Self {
            message: None,
            outcome: "not_sent",
            reason: Some(reason),
            provider_id: None,
            said,
            milliseconds: None,
        }
    }
}

pub(crate) async fn test(ports: &impl Ports, call: &Call) -> Answer {
    let order = call.json::<TestWanted>()?.read()?;
    let (keeper, until) = (call.keeper()?, patience(ports));
    let id: GatewayId = call.named("gateway", super::MISSING)?;
    let tenant = match (&order.tenant, keeper.owner.tenant()) {
        (_, Some(own)) => own.clone(),
        (Some(named), None) => named.clone(),
        (None, None) => return Err(Problem::field("tenant", "must be given with the platform key")),
    };
    let told = |message: &Message| reply(200, None, &TestView::from(message));
    once(ports, call, &tenant, &told, async |once| {
        test_gateway(ports, &keeper, &id, &order, until, once).await
    })
    .await
}

/// Tests a gateway that has just been saved: what keeps the test from being sent does not undo that.
pub(super) async fn test_saved(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    order: &GatewayTest,
    until: Timestamp,
) -> TestView {
    if ports.clock().now().plus(LEAST_TIME) > until {
        let told = "Saving took so long that there was no time left for the test. Test it now.";
        return TestView::not_sent(told.to_owned());
    }
    match test_gateway(ports, keeper, id, order, until, Once::not_kept()).await {
        Ok(message) => TestView::from(&message),
        Err(error) => TestView::not_sent(Problem::from(error).detail),
    }
}
