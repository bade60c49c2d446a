//! What every sender does around its provider's call: claim the hop, open the sealed content, render, call, write
//! down what the provider said.

use otpost_domain::contact::{DisplayName, EmailAddress};
use otpost_domain::message::{Gateway, Message, MessageStatus, Outcome};
use otpost_domain::secret::SecretText;

use crate::content::Content;
use crate::ports::{
    Clock as _, Configuration as _, DeliveryQueue as _, Fault, MessageRef, MessageStore as _, PortError,
    Ports, RecordKind, Sealer as _, Write,
};
use crate::texts::{self, InlinePng, RenderedEmail, Texts};

/// A rendered mail, to be sent by one provider.
#[derive(Clone, Debug)]
pub struct OutgoingEmail {
    /// The message that it carries; its provider tag and, where the provider keeps it, its Message-ID derive
    /// from it.
    pub message: MessageRef,
    /// The recipient's address.
    pub to: SecretText,
    /// The sender's name.
    pub from_name: String,
    /// The sender's address, where it is not the provider's own.
    pub from: Option<EmailAddress>,
    /// Subject line. Never holds a link or code: providers' events carry subjects.
    pub subject: String,
    /// Text part.
    pub text: SecretText,
    /// HTML part.
    pub html: Option<SecretText>,
    /// The pictures that the HTML part shows.
    pub pictures: Vec<InlinePng>,
}

/// A provider of e-mail. Failures are classified inside.
pub trait EmailProvider: Send + Sync {
    /// Makes one request, under one overall deadline shorter than the lease.
    fn send(&self, mail: &OutgoingEmail) -> impl Future<Output = Outcome> + Send;
}

/// What became of a hop that came off a sender's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The provider took it.
    Accepted,
    /// It will be tried again.
    Postponed,
    /// This gateway will not take it; `deliver` has been told.
    Refused,
    /// It came too late.
    Expired,
    /// There was nothing to claim: done before, or another sender has it.
    Nothing,
}

/// Sends one hop of a message by e-mail.
///
/// # Errors
/// When a port fails: the queue brings the hop again, or the sweep does after the lease.
pub async fn send_email(
    ports: &impl Ports,
    provider: &impl EmailProvider,
    gateway: Gateway,
    reference: &MessageRef,
    hop: u8,
) -> Result<Sent, PortError> {
    let now = ports.clock().now();
    let Some(message) = ports.store().claim(reference, hop, now).await? else {
        return Ok(Sent::Nothing);
    };
    if now >= message.expires_at {
        return conclude(ports, message.expired(), Sent::Expired).await;
    }
    let outcome = match render(ports, &message).await {
        Ok(mail) => provider.send(&mail).await,
        // A deployment that is wrong for a while must not cost messages: only what can never be opened is refused.
        Err(error) if !matches!(error.kind, Fault::Corrupt | Fault::Gone) => {
            let untried = message.unclaimed(hop, ports.clock().now());
            // Stale, or failing too: the lease ends by itself, and the try counts.
            let _ = ports.store().save_message(&untried).await;
            return Err(error);
        }
        Err(error) => {
            tracing::error!(message.id = %reference.id, error = error.chain(), "cannot be rendered");
            Outcome::Refused { reason: "its sealed content cannot be opened or rendered".to_owned() }
        }
    };
    let message = message.concluded(hop, outcome, ports.clock().now());
    if message.status == MessageStatus::Sent {
        return conclude(ports, message, Sent::Accepted).await;
    }
    let tries = message.hops.last().map_or(0, |hop| hop.tries);
    let postponed = message.awaits_sender();
    let sent = conclude(ports, message, if postponed { Sent::Postponed } else { Sent::Refused }).await?;
    match sent {
        Sent::Postponed => {
            let delay = Message::backoff(tries);
            ports.queue().hand(gateway, reference, hop, delay).await?;
        }
        Sent::Refused => ports.queue().deliver(reference).await?,
        Sent::Accepted | Sent::Expired | Sent::Nothing => {}
    }
    Ok(sent)
}

async fn conclude(ports: &impl Ports, message: Message, sent: Sent) -> Result<Sent, PortError> {
    let last = message.hops.last();
    tracing::info!(
        message.id = %message.id,
        message.status = message.status.as_str(),
        message.recipient = message.recipient,
        hop.tries = last.map(|hop| hop.tries),
        "hop concluded: {sent:?}"
    );
    match ports.store().save_message(&message).await? {
        Write::Done => Ok(sent),
        // Somebody took the hop over after our lease; what they write stands.
        Write::Stale => Ok(Sent::Nothing),
    }
}

async fn render(ports: &impl Ports, message: &Message) -> Result<OutgoingEmail, PortError> {
    let sealed = message
        .content
        .as_ref()
        .ok_or_else(|| PortError::new(Fault::Corrupt, "a message without content"))?;
    let kind = RecordKind::MessageContent;
    let bytes = ports.sealer().open(&message.tenant, kind, message.id.as_str(), &sealed.0).await?;
    let content = Content::decode(&bytes)?;
    let texts = Texts::of(ports, &message.tenant, message.purpose, &content).await?;
    let no_form = || PortError::new(Fault::Corrupt, "the template has no e-mail form");
    let form = texts.email().ok_or_else(no_form)?;
    let look = ports.configuration().look(&message.tenant).await?;
    let RenderedEmail { filled, pictures } = texts::render(form, &content.values(), &look)?;
    let name = form.from().name.as_ref().map_or(content.tenant_name.as_str(), DisplayName::as_str);
    Ok(OutgoingEmail {
        message: MessageRef::from(message),
        to: SecretText::new(content.to.clone()),
        from_name: name.to_owned(),
        from: content.from.as_deref().and_then(|address| EmailAddress::try_from(address).ok()),
        subject: filled.subject,
        text: filled.text,
        html: filled.html,
        pictures,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{Delivered, deliver};
    use crate::memory::{MemoryPorts, Queued, pushed};
    use otpost_domain::enrolment::LINK_LIFE;
    use otpost_domain::message::{LEASE, MAX_TRIES};
    use std::sync::Mutex;
    use std::time::Duration;

    struct Provider {
        says: Outcome,
        mails: Mutex<Vec<OutgoingEmail>>,
    }

    impl Provider {
        fn that_says(says: Outcome) -> Self {
            Self { says, mails: Mutex::default() }
        }

        fn accepts() -> Self {
            Self::that_says(Outcome::Accepted { provider_id: "ses-1".to_owned() })
        }
    }

    impl EmailProvider for Provider {
        async fn send(&self, mail: &OutgoingEmail) -> Outcome {
            self.mails.lock().unwrap().push(mail.clone());
            self.says.clone()
        }
    }

    async fn handed(ports: &MemoryPorts) -> MessageRef {
        let reference = pushed(ports).await;
        assert_eq!(deliver(ports, &reference).await.unwrap(), Delivered::Handed);
        ports.queue().take();
        reference
    }

    #[tokio::test]
    async fn a_hop_is_sent_once_and_its_content_wiped() {
        let ports = MemoryPorts::new();
        let reference = handed(&ports).await;
        let provider = Provider::accepts();
        let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(sent, Sent::Accepted);
        let again = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(again, Sent::Nothing);
        let mails = std::mem::take(&mut *provider.mails.lock().unwrap());
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].to.expose(), "jane@example.org");
        let text = mails[0].text.expose();
        assert!(text.contains("https://otp.example.org/e/") && !text.contains("[["), "{text}");
        assert!(!mails[0].subject.contains("/e/"));
        let message = ports.store().message(&reference).await.unwrap().unwrap();
        assert_eq!((message.status, message.content), (MessageStatus::Sent, None));
    }

    #[tokio::test]
    async fn a_busy_provider_is_asked_again_later_and_at_last_given_up() {
        let ports = MemoryPorts::new();
        let reference = handed(&ports).await;
        let provider = Provider::that_says(Outcome::Retry { reason: "busy".to_owned() });
        for tries in 1..MAX_TRIES {
            let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
            assert_eq!(sent, Sent::Postponed);
            let wait = Message::backoff(tries);
            assert!(wait > Duration::ZERO);
            assert_eq!(ports.queue().take(), [Queued::Hand(Gateway::Ses, reference.clone(), 1, wait)]);
        }
        let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(sent, Sent::Refused);
        assert_eq!(ports.queue().take(), [Queued::Deliver(reference.clone())]);
        assert_eq!(deliver(&ports, &reference).await.unwrap(), Delivered::Closed);
    }

    #[tokio::test]
    async fn a_crashed_senders_hop_is_taken_after_the_lease() {
        let ports = MemoryPorts::new();
        let reference = handed(&ports).await;
        let claimed = ports.store().claim(&reference, 1, ports.clock().now()).await.unwrap();
        assert!(claimed.is_some());
        let provider = Provider::accepts();
        let early = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(early, Sent::Nothing);
        ports.clock().advance(LEASE);
        let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(sent, Sent::Accepted);
    }

    #[tokio::test]
    async fn a_key_service_in_trouble_costs_no_try() {
        use crate::faults::{Faulty, Mishap, Plan};
        let ports = MemoryPorts::new();
        let reference = handed(&ports).await;
        let provider = Provider::accepts();
        for _ in 0..3 * MAX_TRIES {
            // Claim, then open: the second call fails.
            let plan = Plan::new(2, Mishap::FailsBefore);
            let failing = Faulty::new(&ports, &plan);
            assert!(send_email(&failing, &provider, Gateway::Ses, &reference, 1).await.is_err());
        }
        let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(sent, Sent::Accepted);
    }

    #[tokio::test]
    async fn a_late_hop_is_dropped_with_the_reason() {
        let ports = MemoryPorts::new();
        let reference = handed(&ports).await;
        ports.clock().advance(LINK_LIFE);
        let provider = Provider::accepts();
        let sent = send_email(&ports, &provider, Gateway::Ses, &reference, 1).await.unwrap();
        assert_eq!(sent, Sent::Expired);
        assert!(provider.mails.lock().unwrap().is_empty());
    }
}
