//! Policies: kept by operators, explained to them, and followed by what makes, sends and checks.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use otpost_domain::audit::{Action, Actor};
use otpost_domain::contact::Locale;
use otpost_domain::ids::{PolicyId, TenantId, UserId};
use otpost_domain::job::{Job, JobKind, Stepped};
use otpost_domain::policy::{MOST_POLICIES, Policy, PolicyDocument, Settings, covering, stamp, stamped};
use otpost_domain::template::Reader;
use otpost_domain::tenant::{GroupName, User};
use otpost_domain::time::Timestamp;

use crate::automatic::catch_up;
use crate::caller::Caller;
use crate::jobs;
use crate::ports::{
    Clock as _, Configuration as _, Page, PageRequest, PolicyStore as _, PortError, PortResult, Ports,
    UserStore as _, Write,
};
use crate::seen::{Seen, told_as};

/// How many users are restamped side by side.
const SIDE_BY_SIDE: usize = 50;

/// Why a policy was not found, kept or deleted.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The tenant has no such policy.
    #[error("there is no policy of this id")]
    NoSuchPolicy,
    /// There is such a policy, and the caller does not say which version of it is to be replaced.
    #[error("the policy exists; its version must be named to replace it")]
    Unseen,
    /// The policy is not in the version that the caller has seen.
    #[error("the policy has changed since it was read")]
    Changed,
    /// The tenant has [`MOST_POLICIES`].
    #[error("the tenant has {MOST_POLICIES} policies already")]
    TooMany,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

told_as!(PolicyError);

/// A policy that was kept, and the job that tells users' auth rows of it, where one is needed.
#[derive(Debug)]
pub struct Kept {
    /// The policy as it is now.
    pub policy: Policy,
    /// Whether it was not there before.
    pub made: bool,
    /// The job.
    pub job: Option<Job>,
}

/// Makes a policy when nothing is said of one, or replaces the one that was seen. It takes effect within a minute; where it
/// covers others than before, once the job is done.
///
/// # Errors
/// When there is one that the caller has not seen, it has changed, the tenant has enough of them, or a port fails.
pub async fn keep_policy(
    ports: &impl Ports,
    caller: &Caller,
    id: &PolicyId,
    document: PolicyDocument,
    seen: Seen,
) -> Result<Kept, PolicyError> {
    let kept = record_policy(ports, caller, id, document, seen).await?;
    let job = match kept.job {
        Some(job) => Some(jobs::begin(ports, job).await),
        None => None,
    };
    Ok(Kept { job, ..kept })
}

/// The same, with the job on record and not begun yet.
pub(crate) async fn record_policy(
    ports: &impl Ports,
    caller: &Caller,
    id: &PolicyId,
    document: PolicyDocument,
    seen: Seen,
) -> Result<Kept, PolicyError> {
    let now = ports.clock().now();
    let current = ports.store().policy(&caller.tenant, id).await?;
    seen.admits(current.as_ref().map(|current| current.version))?;
    let policy = match &current {
        Some(current) if current.document() == document => {
            return Ok(Kept { policy: current.clone(), made: false, job: None });
        }
        Some(current) => current.becomes(document, now),
        None => {
            if ports.store().all_policies(&caller.tenant).await?.len() >= MOST_POLICIES {
                return Err(PolicyError::TooMany);
            }
            Policy::new(id.clone(), document, now)
        }
    };
    let job =
        concerns_users(current.as_ref(), Some(&policy)).then(|| jobs::new(ports, caller, JobKind::Restamp));
    let action = if current.is_some() { Action::PolicyChanged } else { Action::PolicyCreated };
    let mut journal = caller.journal(ports, action);
    journal.audit.policy = Some(id.clone());
    let written = ports.store().save_policy(&caller.tenant, &policy, job.as_ref(), &journal).await?;
    ports.configuration().forget_policies(&caller.tenant);
    match written {
        Write::Done => Ok(Kept { policy, made: current.is_none(), job }),
        Write::Stale => Err(PolicyError::Changed),
    }
}

/// Deletes a policy, if it is still in the version that was seen, where one is said.
///
/// # Errors
/// When there is none, it has changed, or a port fails.
pub async fn delete_policy(
    ports: &impl Ports,
    caller: &Caller,
    id: &PolicyId,
    seen: Seen,
) -> Result<(), PolicyError> {
    let policy = policy(ports, caller, id).await?;
    if seen.differs(policy.version) {
        return Err(PolicyError::Changed);
    }
    let job = concerns_users(Some(&policy), None).then(|| jobs::new(ports, caller, JobKind::Restamp));
    let mut journal = caller.journal(ports, Action::PolicyDeleted);
    journal.audit.policy = Some(id.clone());
    match ports.store().delete_policy(&caller.tenant, &policy, job.as_ref(), &journal).await? {
        Write::Done => {
            ports.configuration().forget_policies(&caller.tenant);
            if let Some(job) = job {
                jobs::begin(ports, job).await;
            }
            Ok(())
        }
        Write::Stale => Err(PolicyError::Changed),
    }
}

/// Whether a change of a policy changes something in users' records: whom it covers, or what they get by themselves.
fn concerns_users(was: Option<&Policy>, is: Option<&Policy>) -> bool {
    let both = || was.into_iter().chain(is);
    let coverage = |policy: Option<&Policy>| policy.map(|policy| policy.coverage.clone());
    let gives = |policy: Option<&Policy>| {
        policy.map(|policy| (policy.rules.provision_tokens, policy.rules.provision_clients))
    };
    let asks = both().any(|policy| gives(Some(policy)) != Some((None, None)));
    let others = coverage(was) != coverage(is);
    let ranks = was.map(|policy| policy.precedence) != is.map(|policy| policy.precedence);
    (others && both().any(Policy::is_stamped)) || (asks && (others || ranks || gives(was) != gives(is)))
}

/// Looks a policy up.
///
/// # Errors
/// When there is none, or a port fails.
pub async fn policy(ports: &impl Ports, caller: &Caller, id: &PolicyId) -> Result<Policy, PolicyError> {
    ports.store().policy(&caller.tenant, id).await?.ok_or(PolicyError::NoSuchPolicy)
}

/// Lists the policies of the caller's tenant, by id.
///
/// # Errors
/// When a port fails.
pub async fn policies(ports: &impl Ports, caller: &Caller, page: &PageRequest) -> PortResult<Page<Policy>> {
    ports.store().policies(&caller.tenant, page).await
}

/// What holds for a user of a tenant, and what their auth row is to name.
pub(crate) struct Holds {
    /// Every setting.
    pub(crate) settings: Settings,
    /// The policies that cover them, but for those that cover everyone.
    pub(crate) stamp: Vec<PolicyId>,
    /// All the policies that cover them, the one that counts first.
    policies: Vec<PolicyId>,
    /// The languages that these want messages to be in, in that order.
    languages: Vec<Locale>,
}

impl Holds {
    /// The same for a user who has a language of their own.
    pub(crate) fn in_language(mut self, own: Option<&Locale>) -> Self {
        self.languages.splice(0..0, own.cloned());
        self
    }

    /// For whom a template is looked for, whose message carries an authorization code or does not.
    pub(crate) fn reader(&self, with_code: bool) -> Reader<'_> {
        Reader { languages: &self.languages, policies: &self.policies, with_code }
    }
}

/// What holds for somebody of this id in these groups, by the configuration as it was read within a minute.
pub(crate) async fn held(
    ports: &impl Ports,
    tenant: &TenantId,
    user: &UserId,
    groups: &BTreeSet<GroupName>,
) -> PortResult<Holds> {
    let policies = ports.configuration().policies(tenant).await?;
    let covering = covering(&policies, user, groups);
    Ok(Holds {
        settings: Settings::under(&covering),
        stamp: stamp(&policies, user, groups),
        policies: covering.iter().map(|policy| policy.id.clone()).collect(),
        languages: covering.iter().filter_map(|policy| policy.rules.locale.clone()).collect(),
    })
}

/// What holds for somebody who is no user yet: what policies for everyone say.
pub(crate) async fn held_by_all(ports: &impl Ports, tenant: &TenantId) -> PortResult<Holds> {
    let policies = ports.configuration().policies(tenant).await?;
    let covering = stamped(&policies, &[]);
    Ok(Holds {
        settings: Settings::under(&covering),
        stamp: Vec::new(),
        policies: covering.iter().map(|policy| policy.id.clone()).collect(),
        languages: covering.iter().filter_map(|policy| policy.rules.locale.clone()).collect(),
    })
}

/// What holds for all users of a tenant together, such as their share who may change in an hour.
pub(crate) async fn of_everyone(ports: &impl Ports, tenant: &TenantId) -> PortResult<Settings> {
    Ok(Settings::under(&stamped(&ports.configuration().policies(tenant).await?, &[])))
}

/// Why nothing can be explained of a user.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The tenant has no such user.
    #[error("there is no user of this id")]
    NoSuchUser,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A user with all the policies of their tenant, from which what holds for them is explained.
#[derive(Debug)]
pub struct Explanation {
    /// The user.
    pub user: User,
    /// The tenant's policies as they are stored now.
    pub policies: Vec<Policy>,
}

/// Reads what it takes to explain what holds for a user.
///
/// # Errors
/// When there is no such user, or a port fails.
pub async fn explain(ports: &impl Ports, caller: &Caller, id: &UserId) -> Result<Explanation, ExplainError> {
    let user = ports.store().user(&caller.tenant, id).await?.ok_or(ExplainError::NoSuchUser)?;
    Ok(Explanation { user, policies: ports.store().all_policies(&caller.tenant).await? })
}

/// Makes users' auth rows name the policies that cover them, and does what these ask for, page by page until the time
/// is over.
pub(crate) async fn apply_to_users(ports: &impl Ports, job: &Job, until: Timestamp) -> PortResult<Stepped> {
    let mut done = Stepped { next: job.after.clone(), ..Stepped::default() };
    loop {
        let page = PageRequest { limit: SIDE_BY_SIDE, after: done.next.take() };
        // What was read before the change that has called for this is of no use.
        ports.configuration().forget_policies(&job.tenant);
        ports.configuration().forget_templates(&job.tenant);
        let page = ports.store().users(&job.tenant, "", &page).await?;
        let applied = page.items.into_iter().map(|user| apply_to_user(ports, job, user));
        for changed in join_all(applied.collect::<Vec<_>>()).await {
            done.seen += 1;
            done.changed += u64::from(changed?);
        }
        done.next = page.next;
        if done.next.is_none() || ports.clock().now() >= until {
            return Ok(done);
        }
    }
}

async fn apply_to_user(ports: &impl Ports, job: &Job, user: User) -> PortResult<bool> {
    let stamp = held(ports, &job.tenant, &user.id, &user.groups).await?.stamp;
    let stamped = ports.store().restamp(&job.tenant, &user.id, &stamp).await? == Write::Done;
    let caller = Caller::new(job.tenant.clone(), Actor::System);
    let released = job.kind == JobKind::Release;
    Ok(Box::pin(catch_up(ports, &caller, user, released)).await? || stamped)
}

#[cfg(test)]
mod tests;
