//! What a document wants beside what is stored: what an import would do, and what stands against it.

use std::collections::BTreeSet;

use otpost_domain::document::{Faults, Place, Value};
use otpost_domain::gateway::{Gateway, GatewayDocument, MOST_GATEWAYS, Reach, Settings};
use otpost_domain::ids::{GatewayId, PolicyId};
use otpost_domain::policy::{MOST_POLICIES, Policy, PolicyDocument};
use otpost_domain::template::{
    BrandDocument, MOST_OF_TEXTS, MOST_TEMPLATES, TemplateDocument, TemplateHead, TemplateName,
};
use otpost_domain::time::Timestamp;

use super::changes::changes;
use super::stored::Stored;
use super::wanted::Wanted;
use super::{GATEWAYS, Imported, Item, Outcome, POLICIES, Part, Secrets, TEMPLATES};
use crate::caller::{Caller, Keeper};
use crate::gateways::foresee;
use crate::ports::{Clock as _, Owned, PortResult, Ports};
use crate::seen::Seen;
use crate::templates::{Surroundings, TemplateError};

/// A thing of the document, to be brought in unless it is there already.
pub(super) struct Step<I, D> {
    pub(super) id: I,
    pub(super) document: D,
    /// What the use case is told of what is stored.
    pub(super) seen: Seen,
    pub(super) item: Item,
}

/// A template of the document.
pub(super) struct Texts {
    pub(super) value: Value,
    /// Whether they take more room than what is stored.
    pub(super) grow: bool,
}

/// A document compared.
#[derive(Default)]
pub(super) struct Comparison {
    pub(super) gateways: Vec<Step<GatewayId, GatewayDocument>>,
    pub(super) policies: Vec<Step<PolicyId, PolicyDocument>>,
    pub(super) brand: Option<Step<(), BrandDocument>>,
    pub(super) templates: Vec<Step<TemplateName, Texts>>,
    /// What the tenant has and the document does not.
    pub(super) kept: Vec<Item>,
}

impl Comparison {
    /// Compares, and tells all that would be wrong once the document was brought in.
    pub(super) async fn of(
        ports: &impl Ports,
        caller: &Caller,
        keeper: &Keeper,
        wanted: Wanted,
        stored: &Stored,
        faults: &mut Faults,
    ) -> PortResult<Self> {
        let now = ports.clock().now();
        let kept = kept(&wanted, stored);
        let known = stored.policies.iter().map(|policy| policy.id.clone());
        let known: BTreeSet<_> = known.chain(wanted.named).collect();
        let (policies, then) = policies(wanted.policies, stored, now, faults);
        let (gateways, own) = gateways(keeper, wanted.gateways, stored, now, faults);
        let reach = Reach::new(caller.tenant.clone(), own.into(), stored.platforms.clone().into());
        let judge = Judge {
            surroundings: Surroundings::with(ports, caller, then, reach).await?,
            known,
            is_sound: wanted.is_sound,
        };
        let templates = templates(&judge, wanted.templates.into_values(), stored, faults);
        let brand = wanted.brand.map(|document| brand(document, stored));
        Ok(Self { gateways, policies, brand, templates, kept })
    }

    /// What it would come to.
    pub(super) fn told(self) -> Imported {
        let gateways = self.gateways.into_iter().map(|step| step.item);
        let policies = self.policies.into_iter().map(|step| step.item);
        let brand = self.brand.into_iter().map(|step| step.item);
        let templates = self.templates.into_iter().map(|step| step.item);
        Imported { items: gateways.chain(policies).chain(brand).chain(templates).chain(self.kept).collect() }
    }
}

/// One thing beside what is stored of it.
fn compared<I, D>(
    part: Part,
    id: I,
    document: D,
    stored: Option<(u64, &Value)>,
    written: &Value,
) -> Step<I, D> {
    let (seen, outcome, changes) = match stored {
        None => (Seen::Unsaid, Outcome::Created, Vec::new()),
        Some((version, stored)) => {
            let changes = changes(stored, written, &part.place());
            let outcome = if changes.is_empty() { Outcome::Unchanged } else { Outcome::Changed };
            (Seen::Version(version), outcome, changes)
        }
    };
    Step { id, document, seen, item: Item { part, outcome, changes, secrets: None } }
}

/// The policies, and all that there would be then.
fn policies(
    wanted: impl IntoIterator<Item = (PolicyId, PolicyDocument)>,
    stored: &Stored,
    now: Timestamp,
    faults: &mut Faults,
) -> (Vec<Step<PolicyId, PolicyDocument>>, Vec<Policy>) {
    let (mut steps, mut then) = (Vec::new(), stored.policies.clone());
    for (id, document) in wanted {
        let next = Policy::new(id.clone(), document.clone(), now);
        let current = stored.policies.iter().find(|policy| policy.id == id);
        let before = current.map(|policy| (policy.version, policy.document().write()));
        let before = before.as_ref().map(|(version, document)| (*version, document));
        let written = document.write();
        steps.push(compared(Part::Policy(id.clone()), id, document, before, &written));
        then.retain(|policy| policy.id != next.id);
        then.push(next);
    }
    at_most(MOST_POLICIES, then.len(), POLICIES, faults);
    (steps, then)
}

/// The gateways, one after the other as they will be kept, and all that the tenant would have then.
fn gateways(
    keeper: &Keeper,
    wanted: impl IntoIterator<Item = (GatewayId, GatewayDocument)>,
    stored: &Stored,
    now: Timestamp,
    faults: &mut Faults,
) -> (Vec<Step<GatewayId, GatewayDocument>>, Vec<Gateway>) {
    let mut owned = stored.owned.clone();
    let mut steps = Vec::new();
    for (id, document) in carriers_first(wanted) {
        let part = Part::Gateway(id.clone());
        let current = owned.find(&id);
        let before = current.map(|gateway| (gateway.version, gateway.configuration.write()));
        if before.is_none() && stored.platforms.iter().any(|lent| lent.id == id && serves(keeper, lent)) {
            let told = "must have another id: the platform has a gateway of this id that serves the tenant";
            faults.add(&part.place(), told);
        }
        let before = before.as_ref().map(|(version, document)| (*version, document));
        let foreseen = foresee(keeper, &owned, &id, document.clone(), now);
        let voided = foreseen.voided.iter().map(|gateway| gateway.id.clone()).collect();
        let secrets = Secrets { effect: foreseen.effect, needed: false, voided };
        let written = document.write();
        let mut step = compared(part, id, document, before, &written);
        step.item.secrets = Some(secrets);
        steps.push(step);
        // One that loses its PIN by this has another version when its own turn comes.
        owned = Owned { gateways: foreseen.after(owned.gateways), ..owned };
    }
    for step in &mut steps {
        let lacks = owned.find(&step.id).is_some_and(Gateway::lacks_credentials);
        step.item.secrets = step.item.secrets.take().map(|secrets| Secrets { needed: lacks, ..secrets });
    }
    at_most(MOST_GATEWAYS, owned.gateways.len(), GATEWAYS, faults);
    (steps, owned.gateways)
}

/// A gateway that carries others' mails before them: its change may void their PINs.
fn carriers_first(
    wanted: impl IntoIterator<Item = (GatewayId, GatewayDocument)>,
) -> impl Iterator<Item = (GatewayId, GatewayDocument)> {
    let (carried, others): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .partition(|(_, document)| matches!(document.configuration.settings, Settings::EmailToSms(_)));
    others.into_iter().chain(carried)
}

fn serves(keeper: &Keeper, lent: &Gateway) -> bool {
    keeper.owner.tenant().is_some_and(|tenant| lent.serves(tenant))
}

fn brand(document: BrandDocument, stored: &Stored) -> Step<(), BrandDocument> {
    let before = stored.brand.as_ref().map(|brand| (brand.version, brand.document.write()));
    let before = before.as_ref().map(|(version, document)| (*version, document));
    let written = document.write();
    compared(Part::Brand, (), document, before, &written)
}

/// By what templates are judged.
struct Judge {
    surroundings: Surroundings,
    /// Policies that there are or would be.
    known: BTreeSet<PolicyId>,
    /// Whether it is known what gateways there would be.
    is_sound: bool,
}

impl Judge {
    /// Reads a template's document, with all that is wrong with it.
    fn read(
        &self,
        name: &TemplateName,
        value: &Value,
        at: &Place,
        faults: &mut Faults,
    ) -> Option<TemplateDocument> {
        let missing = name.policy.as_ref().filter(|policy| !self.known.contains(policy));
        if let Some(policy) = missing {
            let told = format!("is for the policy {policy}, which is neither in the document nor there");
            faults.add(at, told);
        }
        let read = if missing.is_some() || !self.is_sound {
            self.surroundings.read_texts(name, value)
        } else {
            match self.surroundings.read(name, value) {
                Ok((document, _)) => Ok(document),
                Err(TemplateError::Invalid(faults)) => Err(faults),
                Err(_) => self.surroundings.read_texts(name, value),
            }
        };
        read.map_err(|part| faults.add_part(at, part)).ok()
    }
}

fn templates(
    judge: &Judge,
    wanted: impl Iterator<Item = (TemplateName, Value)>,
    stored: &Stored,
    faults: &mut Faults,
) -> Vec<Step<TemplateName, Texts>> {
    let mut steps = Vec::new();
    let (mut made, mut bytes) = (0, stored.heads.iter().map(|head| head.bytes).sum::<u64>());
    for (name, value) in wanted {
        let part = Part::Template(name.clone());
        let texts = stored.texts.get(&name.to_string());
        let head = stored.heads.iter().find(|head| head.name == name);
        let before = head.zip(texts).map(|(head, texts)| (head.version, texts));
        // What is there stays, whatever it was saved under.
        let same = TemplateDocument::checked_before(&value).ok();
        let same = same.filter(|document| Some(&document.write()) == texts);
        let document = same.or_else(|| judge.read(&name, &value, &part.place(), faults));
        let Some(document) = document else { continue };
        let was = head.map_or(0, |head| head.bytes);
        made += usize::from(head.is_none_or(TemplateHead::is_removed));
        bytes = bytes - was + document.bytes();
        let texts = Texts { value, grow: document.bytes() > was };
        steps.push(compared(part, name, texts, before, &document.write()));
    }
    let live = stored.heads.iter().filter(|head| !head.is_removed()).count();
    at_most(MOST_TEMPLATES, live + made, TEMPLATES, faults);
    if bytes > MOST_OF_TEXTS {
        let told = format!(
            "must not be so large: the texts of all the tenant's templates would have {bytes} bytes, and at most \
             {MOST_OF_TEXTS} are allowed"
        );
        faults.add(&Place::root().member(TEMPLATES), told);
    }
    steps
}

/// What the tenant has and the document does not.
fn kept(wanted: &Wanted, stored: &Stored) -> Vec<Item> {
    let gateways = stored.owned.gateways.iter().map(|gateway| &gateway.id);
    let gateways = gateways.filter(|id| !wanted.gateways.contains_key(*id)).cloned().map(Part::Gateway);
    let policies = stored.policies.iter().map(|policy| &policy.id);
    let policies = policies.filter(|id| !wanted.policies.contains_key(*id)).cloned().map(Part::Policy);
    let brand = stored.brand.as_ref().filter(|_| wanted.brand.is_none()).map(|_| Part::Brand);
    let templates = stored.heads.iter().filter(|head| !head.is_removed()).map(|head| &head.name);
    let templates = templates.filter(|name| !wanted.templates.contains_key(&name.to_string())).cloned();
    let parts = gateways.chain(policies).chain(brand).chain(templates.map(Part::Template));
    parts.map(|part| Item { part, outcome: Outcome::Kept, changes: Vec::new(), secrets: None }).collect()
}

fn at_most(most: usize, then: usize, part: &str, faults: &mut Faults) {
    if then > most {
        let told =
            format!("must not be so many: the tenant would have {then}, and at most {most} are allowed");
        faults.add(&Place::root().member(part), told);
    }
}
