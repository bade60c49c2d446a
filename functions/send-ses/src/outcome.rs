//! What the answers of Amazon SES mean: one table.

use std::time::Duration;

use otpost_domain::outcome::Outcome;

/// An error of Amazon SES as it is classified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Not now.
    Retry,
    /// The recipient's address.
    Recipient,
    /// The mail.
    Content,
    /// The account, its identities, or what the gateway names.
    Configuration,
    /// The day's quota.
    Quota,
}

impl Class {
    pub(crate) const fn outcome(self) -> Outcome {
        const NOT_SAID: Option<Duration> = None;
        match self {
            Self::Retry => Outcome::Retry { after: NOT_SAID },
            Self::Recipient => Outcome::RecipientBad,
            Self::Content => Outcome::ContentBad,
            Self::Configuration => Outcome::ConfigurationBad,
            Self::Quota => Outcome::QuotaGone,
        }
    }
}

/// A row of the table: code, a part of the message that must stand in it, class, and why in words of ours.
type Row = (&'static str, &'static str, Class, &'static str);

/// Codes of Amazon SES in the order in which they are looked for: where a code has several rows, the ones with words
/// come first.
pub(crate) const TABLE: [Row; 37] = [
    ("TooManyRequestsException", "daily", Class::Quota, "the account's daily quota is used up"),
    ("TooManyRequestsException", "", Class::Retry, "the account's rate is exceeded"),
    ("ThrottlingException", "daily", Class::Quota, "the account's daily quota is used up"),
    ("ThrottlingException", "", Class::Retry, "the account's rate is exceeded"),
    ("Throttling", "daily", Class::Quota, "the account's daily quota is used up"),
    ("Throttling", "", Class::Retry, "the account's rate is exceeded"),
    ("InternalServiceErrorException", "", Class::Retry, "internal trouble"),
    ("InternalFailure", "", Class::Retry, "internal trouble"),
    ("ServiceUnavailable", "", Class::Retry, "not available"),
    ("ConcurrentModificationException", "", Class::Retry, "it is being changed"),
    // In the sandbox recipients must be verified too: that is the account's state, not the recipient's fault.
    (
        "MessageRejected",
        "not verified",
        Class::Configuration,
        "the sender's identity, or in the sandbox the recipient's, is not verified",
    ),
    ("MessageRejected", "sending paused", Class::Configuration, "sending is paused"),
    ("MessageRejected", "", Class::Content, "the message was rejected"),
    ("MailFromDomainNotVerifiedException", "", Class::Configuration, "the MAIL FROM domain is not verified"),
    (
        "SendingPausedException",
        "",
        Class::Configuration,
        "sending is paused for the account, the configuration set or the tenant",
    ),
    ("AccountSuspendedException", "", Class::Configuration, "the account is suspended"),
    ("NotFoundException", "", Class::Configuration, "the configuration set or the tenant does not exist"),
    ("LimitExceededException", "", Class::Configuration, "a limit of the account is exceeded"),
    (
        "AccessDeniedException",
        "",
        Class::Configuration,
        "the function may not send from this identity, or not under this configuration set: see sesIdentities",
    ),
    ("InvalidClientTokenId", "", Class::Configuration, "the function's credentials are not valid"),
    ("UnrecognizedClientException", "", Class::Configuration, "the function's credentials are not valid"),
    ("BadRequestException", "not verified", Class::Configuration, "an identity is not verified"),
    (
        "BadRequestException",
        "associat",
        Class::Configuration,
        "the tenant may not use the identity or the configuration set",
    ),
    ("BadRequestException", "configuration set", Class::Configuration, "the configuration set is not right"),
    ("BadRequestException", "missing domain", Class::Recipient, "the recipient's address is not allowed"),
    ("BadRequestException", "missing final", Class::Recipient, "the recipient's address is not allowed"),
    ("BadRequestException", "domain contains", Class::Recipient, "the recipient's address is not allowed"),
    ("BadRequestException", "domain starts", Class::Recipient, "the recipient's address is not allowed"),
    ("BadRequestException", "", Class::Content, "the mail is not allowed"),
    ("InvalidParameterValue", "not verified", Class::Configuration, "an identity is not verified"),
    (
        "InvalidParameterValue",
        "associat",
        Class::Configuration,
        "the tenant may not use the identity or the configuration set",
    ),
    (
        "InvalidParameterValue",
        "configuration set",
        Class::Configuration,
        "the configuration set is not right",
    ),
    ("InvalidParameterValue", "missing domain", Class::Recipient, "the recipient's address is not allowed"),
    ("InvalidParameterValue", "missing final", Class::Recipient, "the recipient's address is not allowed"),
    ("InvalidParameterValue", "domain contains", Class::Recipient, "the recipient's address is not allowed"),
    ("InvalidParameterValue", "domain starts", Class::Recipient, "the recipient's address is not allowed"),
    ("InvalidParameterValue", "", Class::Content, "the mail is not allowed"),
];

/// What an error means. One that the table has not: 429 and 5xx are tried again, 401, 403 and 404 are the configuration's,
/// any other is the mail's.
pub(crate) fn classified(code: &str, message: &str, status: u16) -> (Class, String) {
    let message = message.to_lowercase();
    let row = TABLE.iter().find(|(known, words, ..)| *known == code && message.contains(words));
    if let Some((code, _, class, why)) = row {
        return (*class, format!("Amazon SES {code}: {why}"));
    }
    let class = match status {
        429 | 500.. => Class::Retry,
        401 | 403 | 404 => Class::Configuration,
        _ => Class::Content,
    };
    (class, format!("Amazon SES: status {status} with a code that is not known"))
}
