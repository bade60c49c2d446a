//! What the helpdesk sends to whoever calls: a code to be read back, and on it a new password.
//!
//! The helpdesk sees users anyway, so it is told at once what does not work, and why. Both are audited with who acts and why,
//! and what one person of the helpdesk sends in an hour is limited, and what all send who share a key.

use std::time::Duration;

use otpost_domain::audit::{Action, Reason};
use otpost_domain::challenge::{Addressee, ChallengeId, Claims, Contact, Guess, SentCode, Start};
use otpost_domain::helpdesk::{self, NewPassword, Operator, PASSWORD_LIFE, Refusal, SHARES_OF_A_KEY, WINDOW};
use otpost_domain::ids::{BearerHash, MessageId, UserId};
use otpost_domain::message::Channel;
use otpost_domain::policy::Settings;
use otpost_domain::template::{CodePurpose, TemplateKind};
use otpost_domain::time::Timestamp;

use super::start::Scene;
use super::{Asker, CheckError, Order, Shown, StartError, TRIES, any_claims};
use crate::caller::Caller;
use crate::content::Content;
use crate::link::{enqueue, has_route};
use crate::once::Once;
use crate::outgoing::{self, Draft};
use crate::ports::{
    ChallengeStore as _, CodeRead, Entropy as _, HelpdeskStore as _, Journal, PasswordText, PortError,
    PortResult, Ports, Share, ShareLeft, Write,
};

const HOUR: u64 = 3600;

/// Who of the helpdesk acts, and why.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The tenant and the key.
    pub caller: Caller,
    /// Who.
    pub operator: Operator,
    /// Why, such as the ticket's number.
    pub reason: Reason,
}

/// Why the helpdesk does not get on.
#[derive(Debug, thiserror::Error)]
pub enum HelpdeskError {
    /// There is no such user.
    #[error("there is no such user")]
    NoSuchUser,
    /// No code can go to the user.
    #[error("{0}")]
    OutOfReach(String),
    /// No password can.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no gateway for texts.
    #[error("no gateway is configured for texts")]
    NoGateway,
    /// The one who acts has sent all they may in this hour.
    #[error("this operator has sent all they may in an hour")]
    Enough {
        /// How long to wait.
        retry_after: Duration,
    },
    /// All together have who share the key.
    #[error("all that may go by this key in an hour has gone")]
    EnoughOfKey {
        /// How long to wait.
        retry_after: Duration,
    },
    /// As it is with any code.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A code was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadBack {
    /// Whose code it was: whoever calls can read what goes to them.
    pub user: UserId,
    /// Until when a new password may be sent on it.
    pub password_until: Timestamp,
}

/// A new password is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordSent {
    /// Whose it is.
    pub user: UserId,
    /// Its message.
    pub message: MessageId,
    /// To which number, masked as policy wants it.
    pub recipient: String,
    /// Until when it is tried. Then its content is gone.
    pub expires_at: Timestamp,
}

impl Desk {
    fn journal(&self, ports: &impl Ports, action: Action, user: &UserId) -> Journal {
        let mut journal = self.caller.journal(ports, action);
        journal.audit.user = Some(user.clone());
        journal.audit.operator = Some(self.operator.clone());
        journal.audit.reason = Some(self.reason.clone());
        journal
    }

    /// Counts what is about to be sent.
    async fn count(
        &self,
        ports: &impl Ports,
        everyone: &Settings,
        now: Timestamp,
    ) -> Result<(), HelpdeskError> {
        let (hour, most) = (now.seconds() / HOUR, everyone.helpdesk_hourly.get());
        let share = Share {
            tenant: &self.caller.tenant,
            key: &self.caller.actor.text(),
            operator: &self.operator,
            hour,
            most,
            most_of_key: most.saturating_mul(SHARES_OF_A_KEY),
        };
        let retry_after = now.until(Timestamp::from_seconds((hour + 1) * HOUR));
        match ports.store().count_share(&share).await? {
            ShareLeft::Counted => Ok(()),
            ShareLeft::Operators => Err(HelpdeskError::Enough { retry_after }),
            ShareLeft::Keys => Err(HelpdeskError::EnoughOfKey { retry_after }),
        }
    }
}

/// Sends a code to a user who calls, for them to read back; the one that is on its way already, where that is good still. It
/// goes to addresses only that are known to reach the user.
///
/// # Errors
/// When it cannot go to the user, too much has gone in this hour, it is too soon, or a port fails.
pub async fn send_code(
    ports: &impl Ports,
    desk: &Desk,
    user: &UserId,
    channel: Option<Channel>,
    once: Once<'_, Shown>,
) -> Result<Shown, HelpdeskError> {
    // The helpdesk may see where it goes.
    let asker = Asker { caller: desk.caller.clone(), after_first_factor: true };
    let order = order(user, channel);
    let mut counted = false;
    for _ in 0..TRIES {
        let mut scene = Scene::read(ports, &asker, &order).await?;
        if scene.user().is_none() {
            return Err(HelpdeskError::NoSuchUser);
        }
        if let Some(why) = scene.reach.nobody.take() {
            return Err(HelpdeskError::OutOfReach(why));
        }
        scene.journal = Some(desk.journal(ports, Action::HelpdeskCodeSent, user));
        let decided = scene.decided(ports).await?;
        let sends = match decided.start {
            Start::Wait { retry_after, why } => return Err(StartError::Wait { retry_after, why }.into()),
            Start::OnItsWay => false,
            Start::New | Start::Again => true,
        };
        if sends && !counted {
            desk.count(ports, &scene.everyone, scene.made_at).await?;
            counted = true;
        }
        if let Some(shown) = scene.carry_out(ports, decided, once).await? {
            return Ok(shown);
        }
    }
    Err(StartError::Busy.into())
}

/// A code for the caller. The helpdesk has no devices of the user's.
fn order(user: &UserId, channel: Option<Channel>) -> Order {
    let addressee = Addressee::User(user.clone());
    Order { addressee, purpose: CodePurpose::Helpdesk, channel, transaction: None, source: None }
}

/// What an id of the helpdesk's says, and whose it is.
async fn claims(
    ports: &impl Ports,
    caller: &Caller,
    id: &ChallengeId,
) -> PortResult<Option<(Claims, UserId)>> {
    let said = any_claims(ports, &caller.tenant, id).await?;
    Ok(said.filter(|claims| claims.place.purpose == CodePurpose::Helpdesk).and_then(|claims| {
        match &claims.place.addressee {
            Addressee::User(user) => Some(user.clone()).map(|user| (claims, user)),
            Addressee::Bare(_) => None,
        }
    }))
}

/// Checks what the caller reads back: one conditional write, and that it was right is in the audit log with it. `request` is
/// the digest of the request, where it may be repeated.
///
/// # Errors
/// When the code is not accepted, or a port fails.
pub async fn check(
    ports: &impl Ports,
    desk: &Desk,
    id: &ChallengeId,
    code: &SentCode,
    request: Option<BearerHash>,
) -> Result<ReadBack, CheckError> {
    let (claims, user) = claims(ports, &desk.caller, id).await?.ok_or(CheckError::NoSuchChallenge)?;
    let random: [u8; 16] = ports.entropy().array();
    let guess = Guess {
        generation: claims.generation,
        mac: claims.secret.mac(CodePurpose::Helpdesk, None, code),
        request: request.unwrap_or_else(|| BearerHash::of(&[&random])),
        at: desk.caller.now(ports),
    };
    let tenant = &desk.caller.tenant;
    let right = claims.secret.code(claims.digits, CodePurpose::Helpdesk, None);
    let guessed = if claims.secret.mac(CodePurpose::Helpdesk, None, &right).is(&guess.mac) {
        let journal = desk.journal(ports, Action::HelpdeskCodeReadBack, &user);
        ports.store().read_back(tenant, &claims.place, &guess, &journal).await?
    } else {
        ports.store().guess(tenant, &claims.place, &guess).await?.into()
    };
    match guessed {
        CodeRead::Accepted { at } => Ok(ReadBack { user, password_until: at.plus(WINDOW) }),
        CodeRead::Refused => Err(CheckError::Refused),
        CodeRead::Exhausted => Err(CheckError::Exhausted),
    }
}

/// Sends a new password by text to the user who has read a code back, once for each code.
///
/// It lies sealed in its message until a provider has taken it, or [`PASSWORD_LIFE`] has passed. Its answer is not kept for
/// repeated requests: whoever has lost it is told that the password was sent.
///
/// # Errors
/// When it may not go to the user, too much has gone in this hour, or a port fails.
pub async fn send_password(
    ports: &impl Ports,
    desk: &Desk,
    id: &ChallengeId,
    password: &NewPassword,
) -> Result<PasswordSent, HelpdeskError> {
    let (claims, user) = claims(ports, &desk.caller, id).await?.ok_or(StartError::NoSuchChallenge)?;
    let asker = Asker { caller: desk.caller.clone(), after_first_factor: true };
    let order = order(&user, None);
    let scene = Scene::read(ports, &asker, &order).await?;
    let (now, settings) = (scene.now, &scene.holds.settings);
    let seen = scene.facts.at(claims.place.source);
    let number = helpdesk::password_goes_to(seen, claims.generation, scene.user(), now)?;
    if !has_route(settings, Channel::Sms, TemplateKind::NewPassword) {
        return Err(HelpdeskError::NoGateway);
    }
    desk.count(ports, &scene.everyone, scene.made_at).await?;
    let to = Contact::Phone(number);
    let recipient = settings.recipient_mask.contact(&to);
    let expires_at = scene.made_at.plus(PASSWORD_LIFE);
    let draft = Draft {
        tenant: &scene.tenant,
        holds: &scene.holds,
        user: Some(&user),
        name: scene.user().map_or(user.as_str(), |user| user.name()),
        serial: None,
        purpose: TemplateKind::NewPassword,
        to,
        fallback: None,
        with_code: false,
        made_at: scene.made_at,
        expires_at,
    };
    let filled = |content: &mut Content| password.expose().clone_into(&mut content.password);
    let message = outgoing::message(ports, draft, filled).await?;
    let mut journal = desk.journal(ports, Action::HelpdeskPasswordSent, &user);
    journal.audit.message = Some(message.id.clone());
    let text = PasswordText {
        place: &claims.place,
        generation: claims.generation,
        message: &message,
        journal: &journal,
    };
    if ports.store().send_password(&desk.caller.tenant, &text).await? == Write::Stale {
        // A moment ago the code was good, and not spent.
        let there = ports.store().challenge(&desk.caller.tenant, &claims.place).await?;
        helpdesk::password_goes_to(there.as_ref(), claims.generation, scene.user(), now)?;
        return Err(StartError::Busy.into());
    }
    enqueue(ports, &message).await;
    Ok(PasswordSent { user, message: message.id, recipient, expires_at })
}
