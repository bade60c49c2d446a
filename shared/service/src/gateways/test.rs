//! A test of a gateway: a message by it, and what its provider says.

use std::time::Duration;

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::gateway::{Gateway, Owner, Reach};
use otpost_domain::ids::{GatewayId, TenantId};
use otpost_domain::message::{Channel, Message, Via};
use otpost_domain::template::{Reader, Sample, TemplateKind, TestCode, TestText};
use otpost_domain::time::Timestamp;

use crate::caller::{Caller, Keeper};
use crate::once::Once;
use crate::ports::{
    Clock as _, Configuration as _, GatewayStore as _, PortError, PortResult, Ports, TenantStore as _,
};
use crate::test_send::{Address, Test, awaited, post};
use crate::texts::chosen;

/// How long a test waits for what becomes of it: longer than its sender waits for the provider.
pub const TEST_PATIENCE: Duration = Duration::from_millis(7500);

/// What to send as a test, and to whom.
#[derive(Clone, Debug)]
pub struct GatewayTest {
    /// To whom.
    pub to: Address,
    /// What it says; the texts of the template `test_message` unless given.
    pub text: Option<TestText>,
    /// The code in it; a made-up one unless given.
    pub code: Option<TestCode>,
    /// For which tenant: only for a gateway of the platform, and needed there.
    pub tenant: Option<TenantId>,
}

/// Why no test was sent.
#[derive(Debug, thiserror::Error)]
pub enum GatewayTestError {
    /// The keeper has no such gateway.
    #[error("there is no gateway of this id")]
    NoSuchGateway,
    /// It is the platform's, which lends it to the tenant.
    #[error("the gateway is the platform's")]
    Lent,
    /// A gateway of the platform is tested for a tenant, and none that it serves is named; or a tenant's own is, and one
    /// is named.
    #[error("{0}")]
    Tenant(&'static str),
    /// The gateway serves the other channel.
    #[error("the gateway does not serve {}", .0.as_str())]
    OtherChannel(Channel),
    /// Nothing can be sent by it as it is.
    #[error("{0}")]
    NotReady(&'static str),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Sends a test by one of the keeper's gateways, enabled or not, and waits until `until` for what becomes of it.
///
/// # Errors
/// When there is no such gateway, nothing can be sent by it, or a port fails.
pub async fn test_gateway(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    order: &GatewayTest,
    until: Timestamp,
    once: Once<'_, Message>,
) -> Result<Message, GatewayTestError> {
    let owned = ports.store().owned(&keeper.owner).await?.gateways;
    let Some(gateway) = owned.iter().find(|gateway| gateway.id == *id) else {
        return Err(missing(ports, keeper, id).await?);
    };
    let tenant = for_whom(keeper, gateway, order)?;
    let via = way(keeper, gateway, &owned, &tenant, order.to.channel())?;
    let caller = Caller::new(tenant, keeper.actor.clone());
    let message = sent(ports, &caller, id, via, order, once).await?;
    Ok(awaited(ports, message, until).await)
}

/// Why the keeper has no gateway of this id.
async fn missing(ports: &impl Ports, keeper: &Keeper, id: &GatewayId) -> PortResult<GatewayTestError> {
    let Some(tenant) = keeper.owner.tenant() else { return Ok(GatewayTestError::NoSuchGateway) };
    let lent = ports.configuration().gateways(tenant).await?.find(id).is_some();
    Ok(if lent { GatewayTestError::Lent } else { GatewayTestError::NoSuchGateway })
}

/// Until when what becomes of a test is waited for, if it begins now.
pub fn patience(ports: &impl Ports) -> Timestamp {
    ports.clock().now().plus(TEST_PATIENCE)
}

/// In which tenant's name it is sent.
fn for_whom(keeper: &Keeper, gateway: &Gateway, order: &GatewayTest) -> Result<TenantId, GatewayTestError> {
    match (&keeper.owner, &order.tenant) {
        (Owner::Tenant(own), None) => Ok(own.clone()),
        (Owner::Tenant(_), Some(_)) => {
            Err(GatewayTestError::Tenant("must not be given: the gateway is the tenant's own"))
        }
        (Owner::Platform, None) => {
            Err(GatewayTestError::Tenant("must be given: one of the tenants that the gateway serves"))
        }
        (Owner::Platform, Some(tenant)) if gateway.serves(tenant) => Ok(tenant.clone()),
        (Owner::Platform, Some(_)) => {
            Err(GatewayTestError::Tenant("must be a tenant that the gateway serves"))
        }
    }
}

fn way(
    keeper: &Keeper,
    gateway: &Gateway,
    owned: &[Gateway],
    tenant: &TenantId,
    channel: Channel,
) -> Result<Via, GatewayTestError> {
    if gateway.kind().channel() != channel {
        return Err(GatewayTestError::OtherChannel(channel));
    }
    if gateway.lacks_credentials() {
        return Err(GatewayTestError::NotReady("The gateway's credentials are not given, or void."));
    }
    let carrier = gateway.carrier_among(owned);
    if carrier.is_some_and(Gateway::lacks_credentials) {
        let told = "The gateway that carries the mails lacks its credentials.";
        return Err(GatewayTestError::NotReady(told));
    }
    let reach = match keeper.owner {
        Owner::Platform => Reach::new(tenant.clone(), Vec::new().into(), owned.into()),
        Owner::Tenant(_) => Reach::new(tenant.clone(), owned.into(), Vec::new().into()),
    };
    let nothing = "There is no gateway of the same owner that carries the mails.";
    reach.via(gateway).ok_or(GatewayTestError::NotReady(nothing))
}

async fn sent(
    ports: &impl Ports,
    caller: &Caller,
    id: &GatewayId,
    via: Via,
    order: &GatewayTest,
    once: Once<'_, Message>,
) -> Result<Message, GatewayTestError> {
    let kind = TemplateKind::TestMessage;
    let reader = Reader { languages: &[], policies: &[], with_code: false };
    let texts = chosen(ports, &caller.tenant, kind, order.to.channel(), reader).await?;
    let sample = sample(ports, caller, kind, texts.locale()).await?;
    let test = Test {
        to: &order.to,
        via,
        kind,
        chosen: &texts,
        sample: &sample,
        own_text: order.text.as_ref().map(|text| text.as_str().to_owned()),
        code: order.code.as_ref().map(|code| code.as_str().to_owned()),
    };
    let audit =
        AuditEntry { gateway: Some(id.clone()), ..caller.journal(ports, Action::GatewayTested).audit };
    Ok(post(ports, caller, test, audit, once).await?)
}

async fn sample(
    ports: &impl Ports,
    caller: &Caller,
    kind: TemplateKind,
    locale: &str,
) -> Result<Sample, GatewayTestError> {
    let gone = GatewayTestError::Tenant("must be a tenant that is there");
    let tenant = ports.store().tenant(&caller.tenant).await?.ok_or(gone)?;
    let (url, now) = (ports.public_url()?, ports.clock().now());
    Ok(Sample::new(kind, locale, tenant.name.as_str(), url, now))
}
