//! A tenant's configuration as one document: taken out of it, and brought into the same or another tenant.
//!
//! The document has the look of mails, the policies, the tenant's own gateways and its templates, each as its operator
//! writes it. It has no secrets, and nothing that only says how things stand, such as versions and times.
//!
//! An import makes and changes, and never deletes. It is no single step: whatever ends it half way, the same import
//! again does the rest.

mod changes;
mod comparison;
mod stored;
mod wanted;
mod work;

use otpost_domain::document::{Faults, Place, Value};
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{GatewayId, PolicyId};
use otpost_domain::template::TemplateName;

use crate::caller::{Caller, Keeper};
use crate::gateways::Effect;
use crate::ports::{PortError, PortResult, Ports};
use comparison::Comparison;
use stored::Stored;
use wanted::Wanted;

pub use changes::{Change, Difference};

/// What the member `format` says of documents that this version writes and reads.
pub const FORMAT: &str = "otpost-configuration/1";

const FORMAT_MEMBER: &str = "format";
const BRAND: &str = "brand";
const POLICIES: &str = "policies";
const GATEWAYS: &str = "gateways";
const TEMPLATES: &str = "templates";

/// How many templates are read or kept side by side.
const SIDE_BY_SIDE: usize = 8;

/// Why nothing was imported, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Something is wrong with the document. Nothing was changed.
    #[error(transparent)]
    Invalid(#[from] Faults),
    /// A port failed. What was changed until then stays; the same import again does the rest.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What an import has done, or would do.
#[derive(Debug)]
pub struct Imported {
    /// Everything in the document in the order in which it is brought in, then what only the tenant has.
    pub items: Vec<Item>,
}

/// One thing that is configured, and what has become of it.
#[derive(Debug)]
pub struct Item {
    /// The thing.
    pub part: Part,
    /// What an import does with it.
    pub outcome: Outcome,
    /// What is different in it from what is stored; nothing for what is made.
    pub changes: Vec<Change>,
    /// What an import means for its credentials, where it is a gateway of the document.
    pub secrets: Option<Secrets>,
}

/// A thing that is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A gateway of the tenant's own.
    Gateway(GatewayId),
    /// A policy.
    Policy(PolicyId),
    /// The look of mails.
    Brand,
    /// A template of the tenant's own.
    Template(TemplateName),
}

impl Part {
    /// Where it stands in the document.
    #[must_use]
    pub fn place(&self) -> Place {
        let within = |part: &str, name: &str| Place::root().member(part).member(name);
        match self {
            Self::Gateway(id) => within(GATEWAYS, id.as_str()),
            Self::Policy(id) => within(POLICIES, id.as_str()),
            Self::Brand => Place::root().member(BRAND),
            Self::Template(name) => within(TEMPLATES, &name.to_string()),
        }
    }
}

/// What an import does with a thing.
#[derive(Debug)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was there and is another now.
    Changed,
    /// It was there as the document says.
    Unchanged,
    /// The document does not have it: it stays as it is.
    Kept,
    /// It is as it was before.
    Failed(Failure),
}

/// Why one thing was not brought in while the rest was.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not as it was when it was compared.
    #[error("somebody else has changed it since it was compared")]
    Overtaken,
    /// Others change the tenant's gateways.
    #[error("others change the gateways at the same time")]
    Busy,
    /// The platform lends the tenant a gateway of this id.
    #[error("the platform has a gateway of this id that serves the tenant")]
    Taken,
    /// Others have made so many meanwhile.
    #[error("others have made such things since, and there are as many now as there may be")]
    TooMany,
    /// The time was over before its turn.
    #[error("there was no time left for it; bring the same document in again")]
    Late,
    /// Others have made templates so large meanwhile.
    #[error("others have saved templates since, and the texts of all would be too large together")]
    TooLarge,
    /// Its policy is not there: it failed, or was deleted.
    #[error("there is no policy {0}, which it is for")]
    NoSuchPolicy(PolicyId),
    /// What it relies on is not there.
    #[error("it does not fit what else there is")]
    Invalid(#[source] Faults),
}

/// What an import means for a gateway's credentials, which are never in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// Kept, or voided because they would go to somebody else.
    pub effect: Effect,
    /// Whether nothing can be sent by the gateway until credentials are given.
    pub needed: bool,
    /// Gateways that lose their PIN, because their mails go by this one and it leads elsewhere.
    pub voided: Vec<GatewayId>,
}

/// The configuration of the caller's tenant.
///
/// # Errors
/// When a port fails.
pub async fn export(ports: &impl Ports, caller: &Caller) -> PortResult<Value> {
    let stored = Stored::read(ports, caller, |_| true).await?;
    let mut members = vec![(FORMAT_MEMBER, Value::text(FORMAT))];
    members.extend(stored.brand.as_ref().map(|brand| (BRAND, brand.document.write())));
    let policies = stored.policies.iter().map(|policy| (policy.id.as_str(), policy.document().write()));
    let gateways = stored.owned.gateways.iter();
    let gateways = gateways.map(|gateway| (gateway.id.as_str(), gateway.configuration.write()));
    // One that is for a policy which is gone serves nobody, and no other tenant would take it.
    let serves = |name: &str| {
        let policy = TemplateName::try_from(name).ok().and_then(|name| name.policy);
        policy.is_none_or(|id| stored.policies.iter().any(|policy| policy.id == id))
    };
    let templates = stored.texts.iter().filter(|(name, _)| serves(name));
    let templates = templates.map(|(name, texts)| (name.as_str(), texts.clone()));
    members.extend([
        (POLICIES, Value::object(policies)),
        (GATEWAYS, Value::object(gateways)),
        (TEMPLATES, Value::object(templates)),
    ]);
    Ok(Value::object(members))
}

/// Brings a document into the caller's tenant, or with `dry_run` tells what that would do.
///
/// # Errors
/// All that is wrong with the document, before anything is changed; or when a port fails.
pub async fn import(
    ports: &impl Ports,
    caller: &Caller,
    document: &Value,
    dry_run: bool,
) -> Result<Imported, ImportError> {
    let owner = Owner::Tenant(caller.tenant.clone());
    let keeper = Keeper { owner, actor: caller.actor.clone() };
    let mut faults = Faults::default();
    let wanted = Wanted::read(document, &keeper.owner, &mut faults);
    let Some(wanted) = wanted else { return Err(ImportError::Invalid(faults)) };
    let stored = Stored::read(ports, caller, |name| wanted.templates.contains_key(name)).await?;
    let compared = Comparison::of(ports, caller, &keeper, wanted, &stored, &mut faults).await?;
    let compared = faults.or(Some(compared))?;
    if dry_run {
        return Ok(compared.told());
    }
    Ok(work::bring_in(ports, caller, &keeper, compared).await?)
}

#[cfg(test)]
mod tests;
