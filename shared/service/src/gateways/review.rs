//! What a document would come to, before it is saved.

use otpost_domain::gateway::{Gateway, GatewayDocument, Owner};
use otpost_domain::ids::{GatewayId, PolicyId};
use otpost_domain::message::Channel;
use otpost_domain::policy::{Policy, Routes};
use otpost_domain::time::Timestamp;

use super::change::{after, voided};
use super::{Effect, GatewayError, Shown, is_the_same, next, room};
use crate::caller::Keeper;
use crate::ports::{Clock as _, GatewayStore as _, Owned, PolicyStore as _, Ports};

/// What saving a document would do.
#[derive(Debug)]
pub struct Review {
    /// The gateway as it would be.
    pub shown: Shown,
    /// Whether it would be made.
    pub made: bool,
    /// What would become of its credentials.
    pub effect: Effect,
    /// Gateways whose PIN would be removed.
    pub voided: Vec<GatewayId>,
    /// Where the tenant's policies name it.
    pub named: Vec<Naming>,
}

/// Where a policy names a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The policy.
    pub policy: PolicyId,
    /// Its setting.
    pub setting: &'static str,
    /// Whether the gateway serves the setting's channel.
    pub fits: bool,
}

/// Looks over a document: nothing is changed and nothing is sent.
///
/// # Errors
/// When a gateway of this id cannot be made, or a port fails.
pub async fn review(
    ports: &impl Ports,
    keeper: &Keeper,
    id: &GatewayId,
    document: GatewayDocument,
) -> Result<Review, GatewayError> {
    let now = ports.clock().now();
    let owned = ports.store().owned(&keeper.owner).await?;
    let current = owned.find(id);
    if current.is_none() {
        room(ports, keeper, id, &owned).await?;
    }
    let named = match &keeper.owner {
        Owner::Tenant(tenant) => {
            let channel = document.configuration.settings.kind().channel();
            let policies = ports.store().all_policies(tenant).await?;
            policies.iter().flat_map(|policy| naming(policy, id, channel)).collect()
        }
        // The platform does not see the policies of tenants.
        Owner::Platform => Vec::new(),
    };
    let made = current.is_none();
    let Foreseen { next, effect, voided } = foresee(keeper, &owned, id, document, now);
    let shown = Shown::of(next.clone(), &after(owned.gateways, &next, &voided));
    Ok(Review { shown, made, effect, voided: voided.into_iter().map(|other| other.id).collect(), named })
}

/// What saving a document would come to.
pub(crate) struct Foreseen {
    /// The gateway as it would be. What credentials it would be given are not stored.
    pub(crate) next: Gateway,
    /// What would become of its credentials.
    pub(crate) effect: Effect,
    /// Gateways that would lose their PIN, as they would be.
    pub(crate) voided: Vec<Gateway>,
}

impl Foreseen {
    /// All gateways of the owner as they would be.
    pub(crate) fn after(&self, before: Vec<Gateway>) -> Vec<Gateway> {
        after(before, &self.next, &self.voided)
    }
}

/// What saving a document would come to, where the owner has the gateways `owned`.
pub(crate) fn foresee(
    keeper: &Keeper,
    owned: &Owned,
    id: &GatewayId,
    document: GatewayDocument,
    now: Timestamp,
) -> Foreseen {
    let current = owned.find(id);
    if let Some(current) = current.filter(|current| is_the_same(current, &document)) {
        return Foreseen { next: current.clone(), effect: Effect::Kept, voided: Vec::new() };
    }
    let (next, credentials, effect) = next(keeper, id, current, document, now);
    let next = credentials.iter().fold(next, |next, credentials| next.holding("", credentials, now));
    let voided = voided(owned, id, Some(&next), now);
    Foreseen { next, effect, voided }
}

/// Where a policy names a gateway that serves `channel`.
fn naming(policy: &Policy, id: &GatewayId, channel: Channel) -> Vec<Naming> {
    let rules = &policy.rules;
    let chosen = rules.mobile_code_gateway.iter().flat_map(|chosen| &chosen.0);
    let mails = rules.email_routes.iter().flat_map(Routes::all).map(|route| &route.gateway);
    let texts = rules.sms_routes.iter().flat_map(Routes::all).map(|route| &route.gateway);
    let all = chosen.map(|id| ("mobile_code_gateway", id, Channel::Sms));
    let all = all.chain(mails.map(|id| ("email_routes", id, Channel::Email)));
    let all = all.chain(texts.map(|id| ("sms_routes", id, Channel::Sms)));
    all.filter(|(_, named, _)| *named == id)
        .map(|(setting, _, of)| Naming { policy: policy.id.clone(), setting, fits: of == channel })
        .collect()
}
