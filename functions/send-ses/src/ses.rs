//! Amazon SES: one raw mail a request.

use std::io::ErrorKind;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::builders::SendEmailInputBuilder;
use aws_sdk_sesv2::operation::send_email::{SendEmailError, SendEmailInput};
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, MessageTag, RawMessage};
use otpost_domain::document::{Faults, Place, Value};
use otpost_domain::gateway::{Kind, Ses, Settings};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_outbound::mime::compose;
use otpost_service::provider::{Letter, Order, OutgoingEmail, Provider};

use crate::outcome::classified;

/// The tag by which SES's events tell which hop they are about: tenant, message and hop, with dots between.
const TAG: &str = "otpost-message";
/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// What is kept of an order's deadline for a second question.
const RESERVE: Duration = Duration::from_secs(1);

/// Sends by SES.
#[derive(Clone, Debug)]
pub struct SesProvider {
    client: Client,
    own: Settings,
}

/// The configured sender is no mailbox, or the configuration set no name of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sender must be a mailbox such as Otpost <otp@example.org>, and the configuration set a name of SES"
)]
pub struct BadSender;

impl SesProvider {
    /// The deployment's own mails come from the mailbox `sender`, under a configuration set.
    ///
    /// # Errors
    /// When one of the two is wrong.
    pub fn new(config: &SdkConfig, sender: &str, configuration_set: &str) -> Result<Self, BadSender> {
        // One request for each hop: what is tried again is a new hop. The deadline is the order's, so those that other
        // clients of the function have must not end a request that SES may have taken.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .disable_read_timeout()
            .disable_operation_attempt_timeout()
            .disable_operation_timeout()
            .build();
        let config = aws_sdk_sesv2::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Ok(Self { client: Client::from_conf(config), own: own(sender, configuration_set).ok_or(BadSender)? })
    }

    /// Whether SES drops mails to the recipient, as far as it says so: it takes them all the same.
    async fn is_suppressed(&self, mail: &OutgoingEmail) -> bool {
        let asked = self.client.get_suppressed_destination().email_address(mail.to.expose()).send();
        matches!(tokio::time::timeout(RESERVE, asked).await, Ok(Ok(found)) if found.suppressed_destination.is_some())
    }
}

/// The settings of the deployment's own account, read like those of a gateway.
fn own(sender: &str, configuration_set: &str) -> Option<Settings> {
    let address = sender.rsplit_once('<').map_or(sender, |(_, rest)| rest.trim_end().trim_end_matches('>'));
    let from = Value::object([("address", Value::text(address.trim()))]);
    let written = Value::object([("from", from), ("configuration_set", Value::text(configuration_set))]);
    let mut faults = Faults::default();
    let read = Settings::read(Kind::Ses, &written, &Place::root(), &mut faults)?;
    faults.all().is_empty().then_some(read)
}

impl Provider for SesProvider {
    async fn send(&self, order: &Order<'_>) -> Report {
        let (Settings::Ses(settings), Letter::Email(mail)) = (order.settings, order.letter) else {
            return Report::of(Outcome::ConfigurationBad, "this is not for Amazon SES", Said::default());
        };
        let Some(input) = request(order, settings, mail) else {
            return Report::of(Outcome::ContentBad, "the mail cannot be built", Said::default());
        };
        let deadline = order.deadline.saturating_sub(RESERVE);
        match tokio::time::timeout(deadline, input.send_with(&self.client)).await {
            Ok(Ok(taken)) => {
                let id = taken.message_id.unwrap_or_default();
                let mut said = Said::line(format!("HTTP 200, message id {id}"));
                if order.test && self.is_suppressed(mail).await {
                    said.add("The recipient is on the account's suppression list: Amazon SES takes the mail and drops it.");
                }
                Report::accepted(id, said)
            }
            Ok(Err(error)) => report(&error),
            Err(_) => Report::of(Outcome::Unknown, "Amazon SES did not answer in time", Said::default()),
        }
    }

    fn own(&self) -> Option<&Settings> {
        Some(&self.own)
    }

    fn kind(&self) -> Kind {
        Kind::Ses
    }
}

fn request(order: &Order<'_>, settings: &Ses, mail: &OutgoingEmail) -> Option<SendEmailInputBuilder> {
    let raw = RawMessage::builder().data(Blob::new(compose(&order.message.id, mail).ok()?)).build().ok()?;
    let reference = order.reference().replace('/', ".");
    let tag = order.followed.then(|| MessageTag::builder().name(TAG).value(reference).build());
    let name =
        |name: &Option<otpost_domain::gateway::SesName>| name.as_ref().map(|name| name.as_str().to_owned());
    let built = SendEmailInput::builder()
        .from_email_address(mail.from.expose())
        .destination(Destination::builder().to_addresses(mail.to.expose()).build())
        .content(EmailContent::builder().raw(raw).build())
        .set_configuration_set_name(name(&settings.configuration_set))
        .set_tenant_name(name(&settings.tenant_name))
        .set_email_tags(tag.transpose().ok()?.map(|tag| vec![tag]));
    Some(built)
}

/// What an error means. Without an answer nobody knows whether SES took the mail.
fn report(error: &SdkError<SendEmailError, HttpResponse>) -> Report {
    let none = Said::default();
    match error {
        SdkError::ServiceError(service) => {
            let (meta, status) = (service.err().meta(), service.raw().status().as_u16());
            let (code, message) = (meta.code().unwrap_or_default(), meta.message().unwrap_or_default());
            let (class, why) = classified(code, message, status);
            let mut said = Said::line(format!("HTTP {status}, {code}"));
            said.add(message);
            Report::of(class.outcome(), why, said)
        }
        SdkError::ConstructionFailure(_) => {
            Report::of(Outcome::ContentBad, "the request cannot be built", none)
        }
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            Report::of(Outcome::ConfigurationBad, "the request cannot be sent", none)
        }
        SdkError::DispatchFailure(_) if never_left(error) => {
            Report::of(Outcome::Retry { after: None }, "Amazon SES cannot be reached", none)
        }
        _ => Report::of(Outcome::Unknown, "Amazon SES did not answer", none),
    }
}

/// Whether no connection came about, so that nothing can have left. What breaks off later may have arrived.
fn never_left(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let refused = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| matches!(io.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable));
        // The connector's own error before there is a connection; neither it nor that of names can be named here.
        if refused
            || error.to_string().starts_with("tcp connect error")
            || error.to_string().contains("dns error")
        {
            return true;
        }
        cause = error.source();
    }
    false
}
