//! Directories: registered by the platform's operator, and followed in what they tell of people.
//!
//! Events come twice, late and in any order. What was told before is remembered beside the user, in the same write, so
//! the state in the end is that of the events in their order.

use std::collections::BTreeSet;
use std::time::Duration;

use otpost_domain::audit::{Action, Actor};
use otpost_domain::confirmation::Provenance;
use otpost_domain::directory::{Change, Directory, Effect, Mark, Person, SourceKind, SyncRun};
use otpost_domain::ids::{DirectoryId, UserId};
use otpost_domain::provisioning::{MassChange, Wish};
use otpost_domain::tenant::{GroupName, Keeper, MOST_GROUPS, User};

use crate::automatic::{Draft, Gate, settle, wants};
use crate::caller::Caller;
use crate::once::Once;
use crate::ports::{
    Clock as _, DirectoryStore as _, MarkChange, Page, PageRequest, PortError, PortResult, Ports,
    TenantStore as _, UserStore as _, Write,
};
use crate::users::{UserError, delete_marked};

/// How long it is remembered that somebody is gone: an older event about them does not bring them back meanwhile.
pub const GONE_REMEMBERED: Duration = Duration::from_hours(400 * 24);
/// How often a change begins again that was overtaken.
const TRIES: usize = 5;

/// Why a directory was not registered or taken out.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// There is no such directory.
    #[error("there is no directory of this id")]
    NoSuchDirectory,
    /// There is one of this account and source.
    #[error("the account and source are registered already")]
    Exists,
    /// The tenant does not exist.
    #[error("there is no tenant of this id")]
    NoSuchTenant,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Registers a directory of the caller's tenant.
///
/// # Errors
/// When account and source are registered, the tenant does not exist, or a port fails.
pub async fn register(
    ports: &impl Ports,
    caller: &Caller,
    account: &str,
    source: &str,
    kind: SourceKind,
) -> Result<Directory, DirectoryError> {
    let tenant = ports.store().tenant(&caller.tenant).await?;
    if tenant.is_none() {
        return Err(DirectoryError::NoSuchTenant);
    }
    let directory = Directory {
        id: DirectoryId::of(account, source),
        tenant: caller.tenant.clone(),
        account: account.to_owned(),
        source: source.to_owned(),
        kind,
        created_at: ports.clock().now(),
        last_run: None,
    };
    let journal = caller.journal(ports, Action::DirectoryCreated);
    match ports.store().create_directory(&directory, &journal).await? {
        Write::Done => Ok(directory),
        Write::Stale => Err(DirectoryError::Exists),
    }
}

/// Looks a directory up.
///
/// # Errors
/// When there is none, or a port fails.
pub async fn directory(ports: &impl Ports, id: &DirectoryId) -> Result<Directory, DirectoryError> {
    ports.store().directory(id).await?.ok_or(DirectoryError::NoSuchDirectory)
}

/// Lists the directories of the deployment, by id.
///
/// # Errors
/// When a port fails.
pub async fn directories(ports: &impl Ports, page: &PageRequest) -> PortResult<Page<Directory>> {
    ports.store().directories(page).await
}

/// Takes a directory out: its events change nothing any more. The users whom it has told of stay.
///
/// # Errors
/// When there is none, or a port fails.
pub async fn remove(ports: &impl Ports, directory: &Directory, actor: Actor) -> Result<(), DirectoryError> {
    let caller = Caller::new(directory.tenant.clone(), actor);
    let journal = caller.journal(ports, Action::DirectoryDeleted);
    match ports.store().delete_directory(directory, &journal).await? {
        Write::Done => Ok(()),
        Write::Stale => Err(DirectoryError::NoSuchDirectory),
    }
}

/// Writes down that a directory has told of all its people.
///
/// # Errors
/// When a port fails.
pub async fn completed(ports: &impl Ports, directory: &Directory, run: &SyncRun) -> PortResult<()> {
    // Stale: a later run was told before.
    let _ = ports.store().save_run(&directory.id, run).await?;
    Ok(())
}

/// What became of something that a directory has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A user was made, changed or deleted.
    Changed,
    /// It is remembered, and changes nobody.
    Remembered,
    /// It is old: something newer holds already.
    Old,
}

/// Why something that a directory has told was not followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The user of this name belongs to somebody else of the directory, or of another one. They may be renamed or
    /// deleted by an event that is on its way.
    #[error("the user's name belongs to another person")]
    NameTaken,
    /// They are in as many groups as are kept.
    #[error("a user may be in {MOST_GROUPS} groups")]
    TooManyGroups,
    /// Others change the same person at the same time; nothing was changed.
    #[error("the person was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Does what a directory tells of one person, with what policy asks for then.
///
/// # Errors
/// When it cannot be followed (yet), or a port fails: then nothing was changed.
pub async fn follow(
    ports: &impl Ports,
    directory: &Directory,
    change: &Change,
) -> Result<Followed, FollowError> {
    let caller = Caller::new(directory.tenant.clone(), Actor::Directory(directory.id.clone()));
    let keeper = Keeper { directory: directory.id.clone(), external_id: change.external_id.clone() };
    let mut gate = Gate::default();
    for _ in 0..TRIES {
        let mark = ports.store().mark(&caller.tenant, &keeper).await?.unwrap_or_default();
        let Some((mark, effect)) = mark.after(change) else { return Ok(Followed::Old) };
        if mark.memberships().len() > MOST_GROUPS {
            return Err(FollowError::TooManyGroups);
        }
        let mut telling = Telling { ports, caller: &caller, keeper: &keeper, gate: &mut gate };
        if let Some(followed) = Box::pin(telling.follow(mark, effect)).await? {
            return Ok(followed);
        }
    }
    Err(FollowError::Busy)
}

/// One telling on its way. Every step answers nothing when somebody was faster.
struct Telling<'a, P> {
    ports: &'a P,
    caller: &'a Caller,
    keeper: &'a Keeper,
    gate: &'a mut Gate,
}

impl<P: Ports> Telling<'_, P> {
    async fn follow(&mut self, mut mark: Mark, effect: Effect) -> Result<Option<Followed>, FollowError> {
        let user = match &mark.user {
            Some(id) => self.ports.store().user(&self.caller.tenant, id).await?,
            None => None,
        };
        // Another one may have that id by now, if ours was deleted by hand.
        let user = user.filter(|user| user.directory.as_ref().is_none_or(|keeper| keeper == self.keeper));
        match (effect, user) {
            (Effect::Becomes(person), user) => self.becomes(mark, person, user).await,
            (Effect::SwitchedOff, Some(user)) => {
                let off = User { active: false, ..user.clone() };
                self.changed(mark, &user, off).await
            }
            (Effect::Departs, Some(user)) => {
                mark.user = None;
                self.departs(mark, user).await
            }
            (Effect::Member(group, is_in), Some(user)) => {
                let mut moved = user.clone();
                if is_in {
                    moved.groups.insert(group)
                } else {
                    moved.groups.remove(&group)
                };
                self.changed(mark, &user, moved).await
            }
            (Effect::Departs, None) => {
                mark.user = None;
                self.remembered(mark).await
            }
            (Effect::Nothing | Effect::SwitchedOff | Effect::Member(..), _) => self.remembered(mark).await,
        }
    }

    async fn becomes(
        &mut self,
        mut mark: Mark,
        person: Person,
        known: Option<User>,
    ) -> Result<Option<Followed>, FollowError> {
        // Who is known keeps the name that they came by: their tokens and the application's records hang on it.
        let known = match known {
            Some(known) => Some(known),
            None => self.ports.store().user(&self.caller.tenant, &person.user_name).await?,
        };
        if known.as_ref().and_then(|user| user.directory.as_ref()).is_some_and(|keeper| keeper != self.keeper)
        {
            return Err(FollowError::NameTaken);
        }
        let groups = person.groups.clone();
        let Some(user) = known else {
            mark.user = Some(person.user_name.clone());
            let groups = groups.unwrap_or_else(|| mark.memberships());
            let user = self.made(person, groups);
            return self.settled(Action::UserCreated, user, None, mark).await;
        };
        mark.user = Some(user.id.clone());
        let is = User {
            display_name: person.display_name.over(user.display_name.clone()),
            email: person.email.over(user.email.clone()),
            phone: person.phone.over(user.phone.clone()),
            locale: person.locale.over(user.locale.clone()),
            groups: groups.unwrap_or_else(|| user.groups.clone()),
            active: person.active,
            departed_at: None,
            directory: Some(self.keeper.clone()),
            ..user.clone()
        };
        self.changed(mark, &user, is).await
    }

    fn made(&self, person: Person, groups: BTreeSet<GroupName>) -> User {
        let now = self.ports.clock().now();
        let id: UserId = person.user_name;
        User {
            tenant: self.caller.tenant.clone(),
            id,
            display_name: person.display_name.over(None),
            email: person.email.over(None),
            phone: person.phone.over(None),
            email_since: Provenance::default(),
            phone_since: Provenance::default(),
            locale: person.locale.over(None),
            groups,
            active: person.active,
            automatic: None,
            departed_at: None,
            directory: Some(self.keeper.clone()),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    /// Who is as they were, and for whom nothing is to be done, is not written again: a directory tells of everyone
    /// every night.
    async fn changed(&mut self, mark: Mark, was: &User, is: User) -> Result<Option<Followed>, FollowError> {
        if *was == is && wants(self.ports, &is).await? == Wish::Nothing {
            return self.remembered(mark).await;
        }
        let user = User { version: was.version + 1, updated_at: self.ports.clock().now(), ..is };
        self.settled(Action::UserChanged, user, Some(was.clone()), mark).await
    }

    async fn settled(
        &mut self,
        action: Action,
        user: User,
        was: Option<User>,
        mark: Mark,
    ) -> Result<Option<Followed>, FollowError> {
        let draft = Draft { user, was, action, mark: Some(self.change(mark)) };
        let settled = settle(self.ports, self.caller, draft, self.gate, Once::not_kept()).await?;
        Ok(settled.map(|_| Followed::Changed))
    }

    async fn departs(&mut self, mark: Mark, user: User) -> Result<Option<Followed>, FollowError> {
        if !self.gate.passes(self.ports, self.caller, MassChange::Revocations).await? {
            let now = self.ports.clock().now();
            let user = User {
                active: false,
                departed_at: user.departed_at.or(Some(now)),
                version: user.version + 1,
                updated_at: now,
                ..user
            };
            return self.settled(Action::UserChanged, user, None, mark).await;
        }
        let change = self.change(mark);
        let seen = Some(user.version);
        match delete_marked(self.ports, self.caller, &user.id, seen, Some(&change)).await {
            Ok(()) => Ok(Some(Followed::Changed)),
            Err(UserError::Port(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    async fn remembered(&mut self, mark: Mark) -> Result<Option<Followed>, FollowError> {
        let written = self.ports.store().save_mark(&self.caller.tenant, &self.change(mark)).await?;
        Ok((written == Write::Done).then_some(Followed::Remembered))
    }

    fn change(&self, mark: Mark) -> MarkChange {
        let gone = mark.user.is_none();
        let until = gone.then(|| self.ports.clock().now().plus(GONE_REMEMBERED));
        MarkChange { keeper: self.keeper.clone(), mark, until }
    }
}

#[cfg(test)]
mod tests;
