//! Templates: kept by operators version by version, shown, looked over, and sent as a test.

mod test_message;

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::document::{Faults, Place, Value};
use otpost_domain::gateway::Reach;
use otpost_domain::ids::{GatewayId, PolicyId};
use otpost_domain::policy::{Policy, Settings, stamped};
use otpost_domain::template::{
    Brand, BrandDocument, MOST_NAMES, MOST_OF_TEXTS, MOST_TEMPLATES, Sample, SenderReview, SmsSize,
    TemplateDocument, TemplateHead, TemplateKind, TemplateName, TemplateVersion, builtin, measure,
    review_senders, sender_faults,
};
use otpost_domain::tenant::Tenant;
use otpost_domain::time::Timestamp;

use crate::caller::Caller;
use crate::ports::{
    Clock as _, Configuration as _, Journal, Page, PageRequest, PolicyStore as _, PortError, PortResult,
    Ports, TemplateStore as _, TenantStore as _, Write,
};
use crate::push::no_tenant;
use crate::seen::{Seen, told_as};

pub use test_message::{TestError, TestOrder, send_test};

/// Why a template was not found, kept, removed or brought back.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The tenant has no such template of its own.
    #[error("there is no template of this name")]
    NoSuchTemplate,
    /// The template has no such version, or it is too old to be kept.
    #[error("the template has no such version")]
    NoSuchVersion,
    /// The template is for a policy that is not there.
    #[error("there is no policy {0}")]
    NoSuchPolicy(PolicyId),
    /// Something is wrong with the document.
    #[error(transparent)]
    Invalid(#[from] Faults),
    /// There is such a template, and the caller does not say which version of it is to be replaced.
    #[error("the template exists; its version must be named to replace it")]
    Unseen,
    /// The template is not in the version that the caller has seen.
    #[error("the template has changed since it was read")]
    Changed,
    /// The tenant has [`MOST_TEMPLATES`].
    #[error("the tenant has {MOST_TEMPLATES} templates already")]
    TooMany,
    /// The tenant's templates have had [`MOST_NAMES`].
    #[error(
        "the tenant's templates have had {MOST_NAMES} names already, whose history is kept; use one of them again"
    )]
    TooManyNames,
    /// The texts of all templates would be more than [`MOST_OF_TEXTS`].
    #[error("the texts of all templates would be more than {} MB together", MOST_OF_TEXTS >> 20)]
    TooLarge,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

told_as!(TemplateError);

/// A template that was kept.
#[derive(Debug)]
pub struct Kept {
    /// Its latest version.
    pub version: TemplateVersion,
    /// Whether it was not there before.
    pub made: bool,
    /// What is worth knowing of it.
    pub review: Review,
}

/// What is worth knowing of a template before messages are made of it.
#[derive(Debug, Default)]
pub struct Review {
    /// How large its text message is with usual values.
    pub sms: Option<SmsSize>,
    /// What each gateway for texts can do with it.
    pub senders: Vec<SenderReview>,
}

/// A template as it holds: the tenant's own, or the one that every tenant has.
#[derive(Debug)]
pub enum Found {
    /// The tenant's own, in its latest version.
    Own(Box<TemplateVersion>),
    /// A built-in one.
    BuiltIn(TemplateName, &'static TemplateDocument),
}

/// What the documents of all of a tenant's templates are checked against.
pub(crate) struct Surroundings {
    tenant: Tenant,
    url: String,
    now: Timestamp,
    policies: Vec<Policy>,
    reach: Reach,
}

impl Surroundings {
    /// As they are stored.
    async fn stored(ports: &impl Ports, caller: &Caller) -> PortResult<Self> {
        let policies = ports.store().all_policies(&caller.tenant).await?;
        let reach = ports.configuration().gateways(&caller.tenant).await?;
        Self::with(ports, caller, policies, reach).await
    }

    /// As they would be with these policies and gateways.
    pub(crate) async fn with(
        ports: &impl Ports,
        caller: &Caller,
        policies: Vec<Policy>,
        reach: Reach,
    ) -> PortResult<Self> {
        let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
        Ok(Self { tenant, url: ports.public_url()?.to_owned(), now: ports.clock().now(), policies, reach })
    }

    fn sample(&self, name: &TemplateName) -> Sample {
        let Self { tenant, url, now, .. } = self;
        Sample::new(name.kind, name.locale.as_str(), tenant.name.as_str(), url, *now)
    }

    fn setting(&self, name: &TemplateName) -> Result<Setting, TemplateError> {
        let chosen = match &name.policy {
            None => stamped(&self.policies, &[]),
            Some(id) if self.policies.iter().any(|policy| policy.id == *id) => {
                stamped(&self.policies, std::slice::from_ref(id))
            }
            Some(id) => return Err(TemplateError::NoSuchPolicy(id.clone())),
        };
        let (sample, reach) = (self.sample(name), self.reach.clone());
        Ok(Setting { sample, reach, in_use: in_use(name.kind, &chosen) })
    }

    /// Reads a document, with all that is wrong with it.
    ///
    /// # Errors
    /// That, or that its policy is not there.
    pub(crate) fn read(
        &self,
        name: &TemplateName,
        value: &Value,
    ) -> Result<(TemplateDocument, Review), TemplateError> {
        Ok(self.setting(name)?.read(name, value)?)
    }

    /// Reads a document, with all that is wrong with it whatever gateways there are.
    ///
    /// # Errors
    /// That.
    pub(crate) fn read_texts(&self, name: &TemplateName, value: &Value) -> Result<TemplateDocument, Faults> {
        TemplateDocument::read(name.kind, value, &self.sample(name).values())
    }
}

/// What documents of one template are checked against.
struct Setting {
    sample: Sample,
    reach: Reach,
    /// The gateways that texts of this template will take, if any are chosen.
    in_use: Vec<GatewayId>,
}

impl Setting {
    /// Reads a document, with all that is wrong with it for the gateways too.
    fn read(&self, name: &TemplateName, value: &Value) -> Result<(TemplateDocument, Review), Faults> {
        let document = TemplateDocument::read(name.kind, value, &self.sample.values())?;
        let review = self.review(name.kind, &document);
        let mut faults = Faults::default();
        let at = |members: &[&str]| members.iter().fold(Place::root(), |at, member| at.member(member));
        if let Some(told) = document.email.as_ref().and_then(|form| form.sender_trouble(&self.reach)) {
            faults.add(&at(&["email", "from", "address"]), told);
        }
        if let Some(form) = &document.sms {
            let in_use = self
                .in_use
                .iter()
                .filter_map(|id| review.senders.iter().find(|review| review.gateway == *id));
            for (position, told) in sender_faults(form, &in_use.collect::<Vec<_>>()) {
                faults.add_in_text(&at(&["sms", "text"]), position, told);
            }
        }
        faults.or(Some((document, review)))
    }

    fn review(&self, kind: TemplateKind, document: &TemplateDocument) -> Review {
        let Some(form) = &document.sms else { return Review::default() };
        Review {
            sms: Some(measure(form.fill(&self.sample.values()).text.expose())),
            senders: review_senders(kind, form, &self.sample, &self.reach),
        }
    }
}

/// The gateways for texts that these policies choose.
fn in_use(kind: TemplateKind, policies: &[&Policy]) -> Vec<GatewayId> {
    let settings = Settings::under(policies);
    let for_codes = settings.mobile_code_gateway.0.filter(|_| kind == TemplateKind::MobileCode);
    let routes = settings.sms_routes.all().iter().map(|route| route.gateway.clone());
    for_codes.into_iter().chain(routes).collect()
}

/// Made-up values for a template's texts.
async fn sample(ports: &impl Ports, caller: &Caller, name: &TemplateName) -> PortResult<Sample> {
    let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
    let (url, now) = (ports.public_url()?, ports.clock().now());
    Ok(Sample::new(name.kind, name.locale.as_str(), tenant.name.as_str(), url, now))
}

/// Looks over a document as saving it would; nothing is changed.
///
/// # Errors
/// All that is wrong with it, or when a port fails.
async fn check_template(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    document: &Value,
) -> Result<(TemplateDocument, Review), TemplateError> {
    Surroundings::stored(ports, caller).await?.read(name, document)
}

/// A template to be looked at, with made-up values for its texts.
#[derive(Debug)]
pub struct Preview {
    /// Its texts.
    pub document: TemplateDocument,
    /// What is worth knowing of them.
    pub review: Review,
    /// The values.
    pub sample: Sample,
}

/// A draft of a template, checked as saving it would; or the template as it is, which is not checked anew.
///
/// # Errors
/// All that is wrong with the draft, when there is no template, or a port fails.
pub async fn preview(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    draft: Option<&Value>,
) -> Result<Preview, TemplateError> {
    if let Some(draft) = draft {
        let surroundings = Surroundings::stored(ports, caller).await?;
        let (document, review) = surroundings.read(name, draft)?;
        return Ok(Preview { document, review, sample: surroundings.sample(name) });
    }
    let found = template(ports, caller, name).await?;
    let document = found.document().cloned().ok_or(TemplateError::NoSuchTemplate)?;
    let reach = ports.configuration().gateways(&caller.tenant).await?;
    let setting = Setting { sample: sample(ports, caller, name).await?, reach, in_use: Vec::new() };
    let review = setting.review(name.kind, &document);
    Ok(Preview { document, review, sample: setting.sample })
}

/// Makes a template when nothing is said of one, or adds a version to the one that was seen. The next message that is
/// made within a minute has its texts.
///
/// # Errors
/// All that is wrong with the document; when there is one that the caller has not seen, it has changed, there are enough
/// of them, or a port fails.
pub async fn keep_template(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    document: &Value,
    seen: Seen,
) -> Result<Kept, TemplateError> {
    let (document, review) = check_template(ports, caller, name, document).await?;
    let head = admitted(ports, caller, name, seen).await?;
    let made = head.as_ref().is_none_or(TemplateHead::is_removed);
    if let Some(head) = head.as_ref().filter(|_| !made)
        && let Some(latest) = ports.store().template_version(&caller.tenant, name, head.version).await?
        && latest.document.as_ref() == Some(&document)
    {
        return Ok(Kept { version: latest, made, review });
    }
    room(ports, caller, head.as_ref(), &document).await?;
    let version = next(ports, caller, name, head.as_ref(), Some(document), None);
    save(ports, caller, &version, Action::TemplateSaved).await?;
    Ok(Kept { version, made, review })
}

/// Takes a template out of use, if it is still in the version that was seen, where one is said. Its history stays, and
/// any version of it can be brought back.
///
/// # Errors
/// When there is none, it has changed, or a port fails.
pub async fn remove_template(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    seen: Seen,
) -> Result<(), TemplateError> {
    let head = own(ports, caller, name).await?;
    if seen.differs(head.version) {
        return Err(TemplateError::Changed);
    }
    let version = next(ports, caller, name, Some(&head), None, None);
    save(ports, caller, &version, Action::TemplateRemoved).await
}

/// Makes an earlier version the latest again, if the template is still in the version that was seen, where one is said.
/// It is checked anew: what it relied on may be gone.
///
/// # Errors
/// When there is no such version, it was a removal, the template has changed, what it says is not allowed any more, or a
/// port fails.
pub async fn restore_template(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    number: u64,
    seen: Seen,
) -> Result<Kept, TemplateError> {
    let head =
        ports.store().template_head(&caller.tenant, name).await?.ok_or(TemplateError::NoSuchTemplate)?;
    if seen.differs(head.version) {
        return Err(TemplateError::Changed);
    }
    let earlier = version(ports, caller, name, number).await?;
    let document = earlier.document.ok_or(TemplateError::NoSuchVersion)?.write();
    let (document, review) = check_template(ports, caller, name, &document).await?;
    room(ports, caller, Some(&head), &document).await?;
    let version = next(ports, caller, name, Some(&head), Some(document), Some(number));
    save(ports, caller, &version, Action::TemplateSaved).await?;
    Ok(Kept { version, made: head.is_removed(), review })
}

/// The template that the tenant has of this name, in its latest version, or else the built-in one.
///
/// # Errors
/// When there is neither, or a port fails.
pub async fn template(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
) -> Result<Found, TemplateError> {
    let head = ports.store().template_head(&caller.tenant, name).await?;
    if let Some(head) = head.filter(|head| !head.is_removed()) {
        return Ok(Found::Own(Box::new(version(ports, caller, name, head.version).await?)));
    }
    let built_in = name.policy.is_none().then(|| builtin::locale(name.locale.as_str())).flatten();
    let locale = built_in.ok_or(TemplateError::NoSuchTemplate)?;
    Ok(Found::BuiltIn(name.clone(), builtin::template(name.kind, locale)))
}

/// One version of a template of the tenant's own.
///
/// # Errors
/// When there is none, or a port fails.
pub async fn version(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    number: u64,
) -> Result<TemplateVersion, TemplateError> {
    ports.store().template_version(&caller.tenant, name, number).await?.ok_or(TemplateError::NoSuchVersion)
}

/// Lists the tenant's own templates by name; removed ones are left out, so a page may be short.
///
/// # Errors
/// When a port fails.
pub async fn templates(
    ports: &impl Ports,
    caller: &Caller,
    page: &PageRequest,
) -> PortResult<Page<TemplateHead>> {
    let mut page = ports.store().template_heads(&caller.tenant, page).await?;
    page.items.retain(|head| !head.is_removed());
    Ok(page)
}

/// Lists a template's versions, the latest first.
///
/// # Errors
/// When there is no such template, or a port fails.
pub async fn versions(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    page: &PageRequest,
) -> Result<Page<TemplateVersion>, TemplateError> {
    let page = ports.store().template_versions(&caller.tenant, name, page).await?;
    if page.items.is_empty() { Err(TemplateError::NoSuchTemplate) } else { Ok(page) }
}

/// What the tenant's mails look like, in which version; none when nobody has said it.
///
/// # Errors
/// When a port fails.
pub async fn brand(ports: &impl Ports, caller: &Caller) -> PortResult<Option<Brand>> {
    ports.store().brand(&caller.tenant).await
}

/// Says what the tenant's mails look like. It takes effect within a minute.
///
/// # Errors
/// When it was said before and the caller has not seen it, it has changed, or a port fails.
pub async fn keep_brand(
    ports: &impl Ports,
    caller: &Caller,
    document: BrandDocument,
    seen: Seen,
) -> Result<Brand, TemplateError> {
    let current = ports.store().brand(&caller.tenant).await?;
    seen.admits(current.as_ref().map(|current| current.version))?;
    let version = match current {
        Some(current) if current.document == document => return Ok(current),
        Some(current) => current.version + 1,
        None => 1,
    };
    let brand = Brand { document, version, updated_at: ports.clock().now() };
    let journal = caller.journal(ports, Action::BrandChanged);
    let written = ports.store().save_brand(&caller.tenant, &brand, &journal).await?;
    ports.configuration().forget_templates(&caller.tenant);
    match written {
        Write::Done => Ok(brand),
        Write::Stale => Err(TemplateError::Changed),
    }
}

/// What is known of the template, if the caller may make or replace it.
async fn admitted(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    seen: Seen,
) -> Result<Option<TemplateHead>, TemplateError> {
    let head = ports.store().template_head(&caller.tenant, name).await?;
    let current = head.as_ref().filter(|head| !head.is_removed());
    seen.admits(current.map(|current| current.version))?;
    Ok(head)
}

async fn own(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
) -> Result<TemplateHead, TemplateError> {
    let head = ports.store().template_head(&caller.tenant, name).await?;
    head.filter(|head| !head.is_removed()).ok_or(TemplateError::NoSuchTemplate)
}

/// Whether there is room for another template, or for these texts of one.
async fn room(
    ports: &impl Ports,
    caller: &Caller,
    head: Option<&TemplateHead>,
    document: &TemplateDocument,
) -> Result<(), TemplateError> {
    let heads = ports.store().all_template_heads(&caller.tenant).await?;
    let live = heads.iter().filter(|head| !head.is_removed()).count();
    if head.is_none_or(TemplateHead::is_removed) && live >= MOST_TEMPLATES {
        return Err(TemplateError::TooMany);
    }
    if head.is_none() && heads.len() >= MOST_NAMES {
        return Err(TemplateError::TooManyNames);
    }
    let others = heads.iter().filter(|other| Some(&other.name) != head.map(|head| &head.name));
    let bytes = others.map(|head| head.bytes).sum::<u64>() + document.bytes();
    if bytes > MOST_OF_TEXTS { Err(TemplateError::TooLarge) } else { Ok(()) }
}

fn next(
    ports: &impl Ports,
    caller: &Caller,
    name: &TemplateName,
    head: Option<&TemplateHead>,
    document: Option<TemplateDocument>,
    repeats: Option<u64>,
) -> TemplateVersion {
    let now = ports.clock().now();
    TemplateVersion {
        name: name.clone(),
        version: head.map_or(0, |head| head.version) + 1,
        document,
        repeats,
        saved_by: caller.actor.text(),
        saved_at: now,
        created_at: head.map_or(now, |head| head.created_at),
    }
}

async fn save(
    ports: &impl Ports,
    caller: &Caller,
    version: &TemplateVersion,
    action: Action,
) -> Result<(), TemplateError> {
    let audit = AuditEntry {
        template: Some(version.name.clone()),
        detail: version.repeats.map(|_| "an earlier version brought back"),
        ..caller.journal(ports, action).audit
    };
    let written = ports.store().save_template(&caller.tenant, version, &Journal::from(audit)).await?;
    ports.configuration().forget_templates(&caller.tenant);
    match written {
        Write::Done => Ok(()),
        Write::Stale => Err(TemplateError::Changed),
    }
}

#[cfg(test)]
mod tests;
