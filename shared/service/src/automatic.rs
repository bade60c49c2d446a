//! A user's change with what policy makes of it: a token and its link for whom it covers now, the end of tokens for whom
//! it covers no more. All of it is one write, so there is no moment in which half of it is done.
//!
//! How many users change by themselves in an hour is bounded: a directory that loses a group by mistake does not take
//! everyone's tokens. What is beyond it waits for an operator's release; that somebody must not get in any more never
//! waits.

use std::time::Duration;

use otpost_domain::audit::{Action, AuditEntry};
use otpost_domain::ids::Serial;
use otpost_domain::message::{Channel, Message};
use otpost_domain::provisioning::{Automatic, MassChange, Wish, hourly_limit, wish};
use otpost_domain::template::TemplateKind;
use otpost_domain::tenant::User;
use otpost_domain::token::Token;

use crate::caller::Caller;
use crate::content::Content;
use crate::link::{By, LinkError, Recipient, Sending, enqueue, has_route, reachable, sending};
use crate::once::Once;
use crate::outgoing;
use crate::policies::{Holds, held, of_everyone};
use crate::ports::{
    ChallengeStore as _, Clock as _, Counted, Entropy as _, Fault, MarkChange, MassChangeStore as _,
    PortError, PortResult, Ports, TenantStore as _, TokenChange, TokenStore as _, UserChange, UserStore as _,
    Write,
};
use crate::push::no_tenant;
use crate::users::{UserError, delete_marked};

/// How long a notice of a changed address is worth sending.
const NOTICE_LIFE: Duration = Duration::from_hours(24);
/// Up to how many users are counted for their share.
const MOST_COUNTED: u64 = 100_000;
/// What is audited of a change that nobody has asked for.
const BY_POLICY: &str = "by policy";

/// Does for a user what policy asks and was not done yet; whether anything was.
///
/// # Errors
/// When a port fails.
pub(crate) async fn catch_up(
    ports: &impl Ports,
    caller: &Caller,
    user: User,
    released: bool,
) -> PortResult<bool> {
    let mut gate = if released { Gate::released() } else { Gate::default() };
    let mut user = user;
    for _ in 0..3 {
        if user.departed_at.is_some() && gate.passes(ports, caller, MassChange::Revocations).await? {
            return match delete_marked(ports, caller, &user.id, Some(user.version), None).await {
                Ok(()) => Ok(true),
                Err(UserError::Port(error)) => Err(error),
                // Somebody has changed them meanwhile: whoever it was has asked what is to be done.
                Err(_) => Ok(false),
            };
        }
        if wants(ports, &user).await? == Wish::Nothing {
            return Ok(false);
        }
        let now = ports.clock().now();
        let next = User { version: user.version + 1, updated_at: now, ..user.clone() };
        let draft = Draft { user: next, was: None, action: Action::PolicyApplied, mark: None };
        if let Some(settled) = settle(ports, caller, draft, &mut gate, Once::not_kept()).await? {
            return Ok(settled.automatic != user.automatic);
        }
        let Some(newer) = ports.store().user(&caller.tenant, &user.id).await? else { return Ok(false) };
        user = newer;
    }
    Ok(false)
}

/// A user's new state on its way.
pub(crate) struct Draft {
    /// The user: of version 1 to be made, else of the version after the one that was read.
    pub(crate) user: User,
    /// As they were, where their addresses may be others now.
    pub(crate) was: Option<User>,
    /// What is done.
    pub(crate) action: Action,
    /// What is remembered with it.
    pub(crate) mark: Option<MarkChange>,
}

/// Whether a change by policy may go on. It is asked once, however often a write begins again.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    released: bool,
    asked: Option<(MassChange, bool)>,
}

impl Gate {
    /// A gate that is open, because an operator has said so.
    pub(crate) const fn released() -> Self {
        Self { released: true, asked: None }
    }

    /// Whether one more user may change in this way in this hour.
    pub(crate) async fn passes(
        &mut self,
        ports: &impl Ports,
        caller: &Caller,
        kind: MassChange,
    ) -> PortResult<bool> {
        if self.released {
            return Ok(true);
        }
        if let Some((asked, passes)) = self.asked
            && asked == kind
        {
            return Ok(passes);
        }
        let passes = counted(ports, caller, kind).await?;
        self.asked = Some((kind, passes));
        Ok(passes)
    }
}

async fn counted(ports: &impl Ports, caller: &Caller, kind: MassChange) -> PortResult<bool> {
    let (store, tenant) = (ports.store(), &caller.tenant);
    let settings = of_everyone(ports, tenant).await?;
    let now = ports.clock().now();
    let hour = now.hours();
    for _ in 0..3 {
        let seen = store.mass_changes(tenant).await?;
        if seen.hour < hour {
            let users = store.count_users(tenant, MOST_COUNTED).await?;
            store.begin_hour(tenant, hour, users).await?;
            continue;
        }
        match store.count(tenant, kind, hourly_limit(&settings, seen.users), now).await? {
            Counted::Passes => return Ok(true),
            Counted::Held => {
                tracing::error!(tenant = %tenant, kind = ?kind, "a change of many users waits for its release");
                return Ok(false);
            }
            Counted::NewHour => {}
        }
    }
    Err(PortError::new(Fault::Unavailable, "the hour does not begin"))
}

/// What policy asks for a user as they are.
///
/// # Errors
/// When a port fails.
pub(crate) async fn wants(ports: &impl Ports, user: &User) -> PortResult<Wish> {
    let settings = held(ports, &user.tenant, &user.id, &user.groups).await?.settings;
    // Most users are as they should be: then their tokens need not be read.
    let covered = user.active && settings.provision_tokens;
    let served = user.automatic.as_ref();
    if served.is_some() == covered && (served.is_none() || !settings.provision_clients) {
        return Ok(Wish::Nothing);
    }
    let tokens = ports.store().tokens(&user.tenant, &user.id).await?;
    Ok(wish(user, &settings, &tokens, reachable(&settings, user, TemplateKind::PushToken)))
}

/// Writes a user's change, and what policy asks for then. Nothing is written, and nothing returned, when somebody was
/// faster.
///
/// # Errors
/// When a port fails.
pub(crate) async fn settle(
    ports: &impl Ports,
    caller: &Caller,
    draft: Draft,
    gate: &mut Gate,
    once: Once<'_, User>,
) -> PortResult<Option<User>> {
    let Draft { mut user, was, action, mark } = draft;
    let holds = held(ports, &caller.tenant, &user.id, &user.groups).await?.in_language(user.locale.as_ref());
    let tokens = match user.version {
        1 => Vec::new(),
        _ => ports.store().tokens(&caller.tenant, &user.id).await?,
    };
    let mut wanted =
        wish(&user, &holds.settings, &tokens, reachable(&holds.settings, &user, TemplateKind::PushToken));
    if let Some(kind) = wanted.counted()
        && !gate.passes(ports, caller, kind).await?
    {
        wanted = Wish::Nothing;
    }
    let (moved, notices) = match &was {
        Some(was) => Box::pin(moved(ports, caller, &mut user, was, &holds)).await?,
        None => (false, Vec::new()),
    };
    // Boxed: rarely asked for, and large.
    let done = Box::pin(granted(ports, caller, &mut user, &holds, &tokens, &wanted)).await?;
    let mut journal = caller.journal(ports, action);
    journal.audit.user = Some(user.id.clone());
    journal.also.clone_from(&done.told);
    let journal = once.record(ports, &user, journal).await?;
    let change = UserChange {
        user: &user,
        stamp: &holds.stamp,
        token: done.token.as_ref(),
        revoked: &done.revoked,
        notices: &notices,
        mark: mark.as_ref(),
        journal: &journal,
    };
    if ports.store().save_user(&change).await? == Write::Stale {
        return Ok(None);
    }
    if moved || !user.active {
        ports.store().end_challenges(&user.tenant, &user.id).await?;
    }
    for message in done.message().into_iter().chain(&notices) {
        enqueue(ports, message).await;
    }
    Ok(Some(user))
}

/// Notes which addresses are others than before, and writes to the old ones' owners; whether any is.
async fn moved(
    ports: &impl Ports,
    caller: &Caller,
    user: &mut User,
    was: &User,
    holds: &Holds,
) -> PortResult<(bool, Vec<Message>)> {
    let kind = TemplateKind::ChangedAddress;
    let now = ports.clock().now();
    let owners = user.moved(was, now, |channel| has_route(&holds.settings, channel, kind));
    let moved = was.email != user.email || was.phone != user.phone;
    let mut notices = Vec::new();
    if owners.is_empty() {
        return Ok((moved, notices));
    }
    let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
    for to in owners {
        let draft = outgoing::Draft {
            tenant: &tenant,
            holds,
            user: Some(&user.id),
            name: user.name(),
            serial: None,
            purpose: kind,
            to,
            fallback: None,
            with_code: false,
            made_at: now,
            expires_at: now.plus(NOTICE_LIFE),
        };
        let told = |content: &mut Content| content.time = now.for_people(&content.locale);
        notices.push(outgoing::message(ports, draft, told).await?);
    }
    Ok((moved, notices))
}

/// What is written because of a wish.
#[derive(Default)]
struct Done {
    token: Option<TokenChange>,
    revoked: Vec<Token>,
    told: Vec<AuditEntry>,
}

impl Done {
    fn message(&self) -> Option<&Message> {
        self.token.as_ref()?.sent.as_ref().map(|(_, message)| message)
    }
}

/// Makes of a wish what is to be written, and remembers with the user that it was granted.
async fn granted(
    ports: &impl Ports,
    caller: &Caller,
    user: &mut User,
    holds: &Holds,
    tokens: &[Token],
    wish: &Wish,
) -> PortResult<Done> {
    let id = user.id.clone();
    let entry = |action, serial: &Serial| AuditEntry {
        user: Some(id.clone()),
        serial: Some(serial.clone()),
        detail: Some(BY_POLICY),
        ..caller.journal(ports, action).audit
    };
    let now = ports.clock().now();
    Ok(match wish {
        Wish::Nothing => Done::default(),
        Wish::Adopt => {
            user.automatic = Some(Automatic { serial: None });
            Done::default()
        }
        Wish::Give(channel) => {
            let serial = Serial::new(ports.entropy().array());
            let token =
                Token::assigned(user.tenant.clone(), id.clone(), serial.clone(), holds.settings.token(), now);
            let mut told = vec![entry(Action::TokenProvisioned, &serial)];
            user.automatic = Some(Automatic { serial: Some(serial) });
            let change = match channel {
                Some(channel) => {
                    let (mut sent, entry) = sent(ports, caller, user, holds, token, *channel).await?;
                    told.push(entry);
                    // Nobody has seen the token between its making and its push.
                    sent.token.version = 1;
                    TokenChange { is_new: true, ..sent }
                }
                None => TokenChange { token, is_new: true, sent: None },
            };
            Done { token: Some(change), told, revoked: Vec::new() }
        }
        Wish::Push(serial, channel) => match tokens.iter().find(|token| &token.serial == serial) {
            Some(token) => {
                let (sent, entry) = sent(ports, caller, user, holds, token.clone(), *channel).await?;
                Done { token: Some(sent), told: vec![entry], revoked: Vec::new() }
            }
            None => Done::default(),
        },
        Wish::Take(serials) => {
            let ended = tokens.iter().filter(|token| serials.contains(&token.serial)).cloned();
            let revoked: Vec<_> = ended.filter_map(|token| token.revoked(now).ok()).collect();
            let told = revoked.iter().map(|token| entry(Action::TokenRevoked, &token.serial)).collect();
            user.automatic = None;
            Done { revoked, told, token: None }
        }
    })
}

/// A token of the user's with a new link on its way, and what is audited of it.
async fn sent(
    ports: &impl Ports,
    caller: &Caller,
    user: &User,
    holds: &Holds,
    token: Token,
    channel: Channel,
) -> PortResult<(TokenChange, AuditEntry)> {
    let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
    let to = Recipient { tenant: &tenant, user, holds };
    let by = By::policy(&holds.settings, user, channel, TemplateKind::PushToken);
    let made = sending(ports, token, &to, by, holds.settings.authorization_code).await;
    let sending = made.map_err(|error| match error {
        LinkError::Port(error) => error,
        LinkError::NotEnrollable(_) | LinkError::NoAddress(_) => {
            PortError::new(Fault::Corrupt, "a token that cannot be pushed was to be")
        }
    })?;
    let mut entry = caller.journal(ports, Action::TokenPushed).audit;
    sending.told(&mut entry);
    entry.detail = entry.detail.or(Some(BY_POLICY));
    let Sending { token, enrolment, message, .. } = sending;
    Ok((TokenChange { token, is_new: false, sent: Some((enrolment, message)) }, entry))
}
