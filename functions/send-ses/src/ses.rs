//! Amazon SES: one raw mail a request, and what its answers mean.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, MessageTag, RawMessage};
use otpost_domain::message::Outcome;
use otpost_service::send::{EmailProvider, OutgoingEmail};

use crate::mime::{BadSender, Sender, compose};

/// The tag by which SES's events tell which message they are about.
const TAG: &str = "otpost-message";
/// One request to SES.
const ATTEMPT: Duration = Duration::from_secs(5);
/// All requests of one try.
const DEADLINE: Duration = Duration::from_secs(10);

/// Sends by SES.
#[derive(Clone, Debug)]
pub struct SesProvider {
    client: Client,
    sender: Sender,
    configuration_set: String,
}

impl SesProvider {
    /// From the mailbox `sender`, under a configuration set.
    ///
    /// # Errors
    /// When `sender` is no mailbox.
    pub fn new(config: &SdkConfig, sender: &str, configuration_set: String) -> Result<Self, BadSender> {
        // One overall deadline: with the claim before it and the outcome behind it, inside the function's timeout.
        let timeouts =
            TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).operation_timeout(DEADLINE).build();
        let config = aws_sdk_sesv2::config::Builder::from(config).timeout_config(timeouts).build();
        Ok(Self { client: Client::from_conf(config), sender: Sender::parse(sender)?, configuration_set })
    }
}

impl EmailProvider for SesProvider {
    async fn send(&self, mail: &OutgoingEmail) -> Outcome {
        let raw = match compose(&self.sender, mail) {
            Ok(bytes) => RawMessage::builder().data(Blob::new(bytes)).build(),
            Err(fault) => {
                return Outcome::Refused { reason: fault.to_owned() };
            }
        };
        let tag = MessageTag::builder().name(TAG).value(mail.message.id.as_str()).build();
        let (Ok(raw), Ok(tag)) = (raw, tag) else {
            return Outcome::Refused { reason: "the request cannot be built".to_owned() };
        };
        let sent = self
            .client
            .send_email()
            .destination(Destination::builder().to_addresses(mail.to.expose()).build())
            .content(EmailContent::builder().raw(raw).build())
            .configuration_set_name(&self.configuration_set)
            .email_tags(tag)
            .send()
            .await;
        match sent {
            Ok(sent) => Outcome::Accepted { provider_id: sent.message_id.unwrap_or_default() },
            Err(error) => outcome(&error),
        }
    }
}

/// What an error means. A mail may repeat, so whatever is in doubt is tried again.
fn outcome(error: &SdkError<SendEmailError, HttpResponse>) -> Outcome {
    match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            of_code(
                meta.code().unwrap_or_default(),
                meta.message().unwrap_or_default(),
                service.raw().status().as_u16(),
            )
        }
        SdkError::ConstructionFailure(_) => {
            Outcome::Refused { reason: "the request cannot be built".to_owned() }
        }
        _ => Outcome::Retry { reason: "SES did not answer".to_owned() },
    }
}

/// SES's codes, and what is done about each. A code that is not here is refused when the status blames us, and tried
/// again when it blames SES.
fn of_code(code: &str, message: &str, status: u16) -> Outcome {
    let retry = |why: &str| Outcome::Retry { reason: format!("SES: {why}") };
    let refused = |why: &str| Outcome::Refused { reason: format!("SES: {why}") };
    match code {
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" if message.contains("Daily") => {
            refused("the account's daily quota is used up")
        }
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" => {
            retry("the account's rate is exceeded")
        }
        "InternalServiceErrorException" | "ConcurrentModificationException" => retry("internal trouble"),
        "MessageRejected" if message.contains("not verified") => {
            refused("the sender's identity is not verified")
        }
        "MessageRejected" => refused("the message was rejected"),
        "MailFromDomainNotVerifiedException" => refused("the MAIL FROM domain is not verified"),
        "SendingPausedException" => refused("sending is paused"),
        "AccountSuspendedException" => refused("the account is suspended"),
        "NotFoundException" => refused("the configuration set does not exist"),
        "LimitExceededException" => refused("a limit of the account is exceeded"),
        "BadRequestException" | "InvalidParameterValue" => {
            refused("the recipient or the content is not allowed")
        }
        "AccessDeniedException" => refused("the function may not send from this identity"),
        _ if status >= 500 || status == 429 => retry(&format!("status {status}")),
        _ => refused(&format!("status {status}, {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        let retried = |code, message, status| matches!(of_code(code, message, status), Outcome::Retry { .. });
        assert!(retried("TooManyRequestsException", "Maximum sending rate exceeded.", 429));
        assert!(!retried("TooManyRequestsException", "Daily message quota exceeded.", 429));
        assert!(retried("InternalServiceErrorException", "", 500));
        assert!(retried("Unheard", "", 503));
        assert!(!retried("Unheard", "", 400));
        assert!(!retried("MessageRejected", "Email address is not verified.", 400));
        assert!(!retried("AccountSuspendedException", "", 400));
    }

    #[test]
    fn reasons_hold_nothing_of_the_providers_text() {
        let Outcome::Refused { reason } =
            of_code("MessageRejected", "Email address is not verified: j@x.org", 400)
        else {
            panic!("refused")
        };
        assert!(!reason.contains('@'), "{reason}");
    }
}
