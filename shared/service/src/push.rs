//! Sends a token's enrolment link to its user. Pushing again makes a new link; the old one is superseded.

use otpost_domain::audit::Action;
use otpost_domain::enrolment::{Enrolment, LINK_LIFE};
use otpost_domain::ids::{MessageId, Serial};
use otpost_domain::message::{Channel, Gateway, Message, MessageStatus, PICK_UP, Purpose, SealedContent};
use otpost_domain::tenant::{Tenant, User};
use otpost_domain::time::Timestamp;
use otpost_domain::token::IllegalTransition;

use crate::caller::Caller;
use crate::content::PushContent;
use crate::ports::{
    Clock as _, DeliveryQueue as _, Entropy as _, Fault, MessageRef, PortError, Ports, Push, RecordKind,
    Sealer as _, TenantStore as _, TokenStore as _, UserStore as _, Write,
};

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

/// Pushes a token by `channel`; links begin with `public_url`, which has no slash at its end.
///
/// Once this returns, the message is on record and will be delivered or its failure told, whatever becomes of the
/// queue.
///
/// # Errors
/// When the token, its user or their address does not allow it, or a port fails.
pub async fn push(
    ports: &impl Ports,
    caller: &Caller,
    serial: &Serial,
    channel: Channel,
    public_url: &str,
) -> Result<Message, PushError> {
    if Gateway::routes(channel).is_empty() {
        return Err(PushError::NoGateway(channel));
    }
    for _ in 0..3 {
        let token = ports.store().token(&caller.tenant, serial).await?.ok_or(PushError::NoSuchToken)?;
        let user = ports.store().user(&caller.tenant, &token.user).await?.ok_or(PushError::NoSuchToken)?;
        let tenant = ports.store().tenant(&caller.tenant).await?.ok_or_else(no_tenant)?;
        if !user.active {
            return Err(PushError::InactiveUser);
        }

        let now = ports.clock().now();
        let code = ports.entropy().bearer_code();
        let superseded = token.link().cloned();
        let token = token.pushed(code.hash(), now)?;
        let enrolment = Enrolment::new(
            code.hash(),
            token.tenant.clone(),
            token.user.clone(),
            token.serial.clone(),
            now,
            LINK_LIFE,
        );
        let link = format!("{public_url}/e/{}", code.expose());
        let message =
            outgoing(ports, &tenant, &user, serial, channel, link, now, enrolment.expires_at).await?;

        let mut audit = caller.audit(ports, Action::TokenPushed);
        audit.user = Some(user.id);
        audit.serial = Some(token.serial.clone());
        audit.message = Some(message.id.clone());
        let push = Push {
            token: &token,
            enrolment: &enrolment,
            superseded: superseded.as_ref(),
            message: &message,
            audit: &audit,
        };
        if ports.store().push(&push).await? == Write::Done {
            enqueue(ports, &message).await;
            return Ok(message);
        }
    }
    Err(PushError::Busy)
}

/// The record is the outbox: when the queue fails, the sweep finds the message, so the caller has his success.
async fn enqueue(ports: &impl Ports, message: &Message) {
    if let Err(error) = ports.queue().deliver(&MessageRef::from(message)).await {
        tracing::warn!(message.id = %message.id, error = error.chain(), "not queued; the sweep will find it");
    }
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the one message that is made here")]
async fn outgoing(
    ports: &impl Ports,
    tenant: &Tenant,
    user: &User,
    serial: &Serial,
    channel: Channel,
    link: String,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Message, PushError> {
    let (to, recipient) = match channel {
        Channel::Email => user.email.as_ref().map(|email| (email.expose().to_owned(), email.masked())),
        Channel::Sms => user.phone.as_ref().map(|phone| (phone.expose().to_owned(), phone.masked())),
    }
    .ok_or(PushError::NoAddress(channel))?;
    let id = MessageId::new(now, ports.entropy().array());
    let content = PushContent {
        to,
        link,
        username: user.id.to_string(),
        display_name: user.name().to_owned(),
        tenant_name: tenant.name.as_str().to_owned(),
        locale: user.locale.as_str().to_owned(),
        expires: expires_at.for_people(user.locale.as_str()),
        authz_code: None,
    };
    let sealed =
        ports.sealer().seal(&tenant.id, RecordKind::MessageContent, id.as_str(), &content.encode()?).await?;
    Ok(Message {
        id,
        tenant: tenant.id.clone(),
        user: user.id.clone(),
        serial: Some(serial.clone()),
        purpose: Purpose::PushToken,
        channel,
        recipient,
        content: Some(SealedContent(sealed)),
        created_at: now,
        expires_at,
        status: MessageStatus::Queued,
        reason: None,
        hops: Vec::new(),
        due_at: Some(now.plus(PICK_UP)),
        version: 1,
    })
}

fn no_tenant() -> PortError {
    PortError::new(Fault::Corrupt, "a key's tenant has no row")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, Queued, operator};
    use crate::ports::{EnrolmentStore as _, MessageStore as _};
    use crate::provision::provision;
    use crate::users::{Change, Profile, change_user, create_user};
    use otpost_domain::contact::EmailAddress;
    use otpost_domain::enrolment::DeadLink;
    use otpost_domain::ids::{BearerHash, UserId};
    use otpost_domain::otp::OtpParameters;

    const URL: &str = "https://otp.example.org";

    async fn assigned(ports: &MemoryPorts, email: Option<&str>) -> Serial {
        ports.with_tenant("acme").await;
        let jane = UserId::try_from("jane").unwrap();
        let email = email.map(|text| EmailAddress::try_from(text).unwrap());
        let profile = Profile { email, ..Profile::default() };
        create_user(ports, &operator("acme"), jane.clone(), profile).await.unwrap();
        provision(ports, &operator("acme"), &jane, OtpParameters::default()).await.unwrap().serial
    }

    async fn link_of(ports: &MemoryPorts, serial: &Serial) -> BearerHash {
        let tenant = operator("acme").tenant;
        ports.store().token(&tenant, serial).await.unwrap().unwrap().link().unwrap().clone()
    }

    #[tokio::test]
    async fn a_push_records_the_message_and_queues_its_ids() {
        let ports = MemoryPorts::new();
        let serial = assigned(&ports, Some("jane@example.org")).await;
        let message = push(&ports, &operator("acme"), &serial, Channel::Email, URL).await.unwrap();
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
        push(&ports, &operator("acme"), &serial, Channel::Email, URL).await.unwrap();
        let first = link_of(&ports, &serial).await;
        push(&ports, &operator("acme"), &serial, Channel::Email, URL).await.unwrap();
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
        let message = push(&ports, &operator("acme"), &serial, Channel::Email, URL).await.unwrap();
        let later = ports.clock().now().plus(PICK_UP);
        let found = ports.store().due(message.id.shard(), later, 10).await.unwrap();
        assert_eq!(found, [MessageRef::from(&message)]);
    }

    #[tokio::test]
    async fn each_obstacle_is_told() {
        let ports = MemoryPorts::new();
        let caller = operator("acme");
        let serial = assigned(&ports, None).await;
        let no_address = push(&ports, &caller, &serial, Channel::Email, URL).await;
        assert!(matches!(no_address, Err(PushError::NoAddress(Channel::Email))));
        let no_gateway = push(&ports, &caller, &serial, Channel::Sms, URL).await;
        assert!(matches!(no_gateway, Err(PushError::NoGateway(Channel::Sms))));
        let unknown = push(&ports, &caller, &Serial::new([9; 8]), Channel::Email, URL).await;
        assert!(matches!(unknown, Err(PushError::NoSuchToken)));
        let jane = UserId::try_from("jane").unwrap();
        let off = Change { active: Some(false), ..Change::default() };
        change_user(&ports, &caller, &jane, off).await.unwrap();
        let inactive = push(&ports, &caller, &serial, Channel::Email, URL).await;
        assert!(matches!(inactive, Err(PushError::InactiveUser)));
        assert!(ports.queue().take().is_empty());
    }
}
