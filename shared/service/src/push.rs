//! Sends a token's enrolment link to its user. Pushing again makes a new link; the old one is superseded.

use otpost_domain::audit::Action;
use otpost_domain::authorization::{AuthorizationCode, AuthorizationMode};
use otpost_domain::ids::Serial;
use otpost_domain::message::{Channel, Message};
use otpost_domain::template::TemplateKind;
use otpost_domain::token::IllegalTransition;

use crate::caller::Caller;
use crate::link::{By, LinkError, Recipient, Sending, enqueue, has_route, sending, usual};
use crate::once::Once;
use crate::policies::held;
use crate::ports::{Fault, PortError, Ports, Push, TenantStore as _, TokenStore as _, UserStore as _, Write};

/// What to push, and how.
#[derive(Clone, Debug)]
pub struct Order {
    /// The token.
    pub serial: Serial,
    /// By which channel; by policy unless given.
    pub channel: Option<Channel>,
    /// How the authorization code gets to the user; by policy unless given.
    pub authorization: Option<AuthorizationMode>,
}

/// A message on its way.
#[derive(Debug)]
pub struct Pushed {
    /// The message.
    pub message: Message,
    /// The authorization code, for the caller to pass on another way than the link's.
    pub authorization: Option<AuthorizationCode>,
}

/// Why nothing was pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The tenant has no such token.
    #[error("there is no token of this serial")]
    NoSuchToken,
    /// The token is past its enrolment.
    #[error(transparent)]
    NotEnrollable(#[from] IllegalTransition),
    /// Its user is not active.
    #[error("the token's user is not active")]
    InactiveUser,
    /// The user has no address for the channel.
    #[error("the user has no address for {}", .0.as_str())]
    NoAddress(Channel),
    /// No gateway serves the channel.
    #[error("no gateway is configured for {}", .0.as_str())]
    NoGateway(Channel),
    /// Others push the same token at the same time; nothing was pushed.
    #[error("the token was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<LinkError> for PushError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NotEnrollable(fault) => Self::NotEnrollable(fault),
            LinkError::NoAddress(channel) => Self::NoAddress(channel),
            LinkError::Port(error) => Self::Port(error),
        }
    }
}

/// Pushes a token.
///
/// Once this returns, the message is on record and will be delivered or its failure told, whatever becomes of the
/// queue.
///
/// # Errors
/// When the token, its user or their address does not allow it, or a port fails.
pub async fn push(
    ports: &impl Ports,
    caller: &Caller,
    order: &Order,
    once: Once<'_, Pushed>,
) -> Result<Pushed, PushError> {
    let Order { serial, channel, authorization: mode } = order;
    for _ in 0..3 {
        let token = ports.store().token(&caller.tenant, serial).await?.ok_or(PushError::NoSuchToken)?;
        let user = ports.store().user(&caller.tenant, &token.user).await?.ok_or(PushError::NoSuchToken)?;
        let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
        if !user.active {
            return Err(PushError::InactiveUser);
        }

        let holds =
            held(ports, &caller.tenant, &user.id, &user.groups).await?.in_language(user.locale.as_ref());
        let mode = mode.unwrap_or(holds.settings.authorization_code);
        // Who names a channel gets that one and no other.
        let by = channel.map_or_else(|| usual(&holds.settings, &user), By::only);
        if !has_route(&holds.settings, by.channel, TemplateKind::PushToken) {
            return Err(PushError::NoGateway(by.channel));
        }
        let superseded = token.link().cloned();
        let to = Recipient { tenant: &tenant, user: &user, holds: &holds };
        let sending = sending(ports, token, &to, by, mode).await?;
        let mut journal = caller.journal(ports, Action::TokenPushed);
        sending.told(&mut journal.audit);
        let Sending { token, enrolment, message, authorization, .. } = sending;
        let pushed = Pushed { message, authorization };
        let journal = once.record(ports, &pushed, journal).await?;
        let push = Push {
            token: &token,
            enrolment: &enrolment,
            superseded: superseded.as_ref(),
            message: &pushed.message,
            journal: &journal,
        };
        if ports.store().push(&push).await? == Write::Done {
            enqueue(ports, &pushed.message).await;
            return Ok(pushed);
        }
    }
    Err(PushError::Busy)
}

pub(crate) fn no_tenant() -> PortError {
    PortError::new(Fault::Gone, "a key's tenant has no row")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, Queued, operator};
    use crate::ports::{Clock as _, EnrolmentStore as _, MessageRef, MessageStore as _};
    use crate::provision::provision;
    use crate::users::{Change, Profile, change_user, create_user};
    use otpost_domain::contact::EmailAddress;
    use otpost_domain::enrolment::DeadLink;
    use otpost_domain::ids::{BearerHash, UserId};
    use otpost_domain::message::PICK_UP;
    use otpost_domain::otp::OtpParameters;

    fn by(serial: &Serial, channel: Channel) -> Order {
        Order { serial: serial.clone(), channel: Some(channel), authorization: Some(AuthorizationMode::None) }
    }

    async fn assigned(ports: &MemoryPorts, email: Option<&str>) -> Serial {
        ports.with_tenant("acme").await;
        let jane = UserId::try_from("jane").unwrap();
        let email = email.map(|text| EmailAddress::try_from(text).unwrap());
        let profile = Profile { email, ..Profile::default() };
        create_user(ports, &operator("acme"), jane.clone(), profile, Once::not_kept()).await.unwrap();
        provision(ports, &operator("acme"), &jane, OtpParameters::default(), Once::not_kept())
            .await
            .unwrap()
            .serial
    }

    async fn link_of(ports: &MemoryPorts, serial: &Serial) -> BearerHash {
        let tenant = operator("acme").tenant;
        ports.store().token(&tenant, serial).await.unwrap().unwrap().link().unwrap().clone()
    }

    #[tokio::test]
    async fn a_push_records_the_message_and_queues_its_ids() {
        let ports = MemoryPorts::new();
        let serial = assigned(&ports, Some("jane@example.org")).await;
        let message = push(&ports, &operator("acme"), &by(&serial, Channel::Email), Once::not_kept())
            .await
            .unwrap()
            .message;
        let reference = MessageRef::from(&message);
        assert_eq!(ports.store().message(&reference).await.unwrap().unwrap(), message);
        assert_eq!(ports.queue().take(), [Queued::Deliver(reference)]);
        assert_eq!(message.recipient, "j***@e***.org");
        assert_eq!(ports.actions().last(), Some(&"token.pushed"));
    }

    #[tokio::test]
    async fn pushing_again_supersedes_the_older_link() {
        let ports = MemoryPorts::new();
        let serial = assigned(&ports, Some("jane@example.org")).await;
        push(&ports, &operator("acme"), &by(&serial, Channel::Email), Once::not_kept()).await.unwrap();
        let first = link_of(&ports, &serial).await;
        push(&ports, &operator("acme"), &by(&serial, Channel::Email), Once::not_kept()).await.unwrap();
        let second = link_of(&ports, &serial).await;
        let now = ports.clock().now();
        let old = ports.store().enrolment(&first).await.unwrap().unwrap();
        assert_eq!(old.alive(now), Err(DeadLink::Superseded));
        assert_eq!(ports.store().enrolment(&second).await.unwrap().unwrap().alive(now), Ok(()));
    }

    #[tokio::test]
    async fn a_failed_queue_loses_nothing() {
        let ports = MemoryPorts::new();
        let serial = assigned(&ports, Some("jane@example.org")).await;
        ports.queue().fail(true);
        let message = push(&ports, &operator("acme"), &by(&serial, Channel::Email), Once::not_kept())
            .await
            .unwrap()
            .message;
        let later = ports.clock().now().plus(PICK_UP);
        let found = ports.store().due(message.id.shard(), later, 10, None).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, MessageRef::from(&message));
    }

    #[tokio::test]
    async fn each_obstacle_is_told() {
        let ports = MemoryPorts::new();
        let caller = operator("acme");
        let serial = assigned(&ports, None).await;
        let no_address = push(&ports, &caller, &by(&serial, Channel::Email), Once::not_kept()).await;
        assert!(matches!(no_address, Err(PushError::NoAddress(Channel::Email))));
        let no_gateway = push(&ports, &caller, &by(&serial, Channel::Sms), Once::not_kept()).await;
        assert!(matches!(no_gateway, Err(PushError::NoGateway(Channel::Sms))));
        let unknown =
            push(&ports, &caller, &by(&Serial::new([9; 8]), Channel::Email), Once::not_kept()).await;
        assert!(matches!(unknown, Err(PushError::NoSuchToken)));
        let jane = UserId::try_from("jane").unwrap();
        let off = Change { active: Some(false), ..Change::default() };
        change_user(&ports, &caller, &jane, off, None).await.unwrap();
        let inactive = push(&ports, &caller, &by(&serial, Channel::Email), Once::not_kept()).await;
        assert!(matches!(inactive, Err(PushError::InactiveUser)));
        assert!(ports.queue().take().is_empty());
    }
}
