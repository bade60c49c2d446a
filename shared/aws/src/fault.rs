//! Errors of the AWS SDK, sorted by what can be done about them.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use otpost_service::ports::{Fault, PortError};

/// Sorts an SDK error. Keeps the operation, the service's code and its message; never the request or the response,
/// which may hold what the caller must not log.
pub(crate) fn sorted<E: ProvideErrorMetadata>(
    operation: &str,
    error: &SdkError<E, HttpResponse>,
) -> PortError {
    let kind = match error {
        SdkError::ServiceError(service) => of_code(service.err().code().unwrap_or_default(), service.raw()),
        SdkError::ConstructionFailure(_) => Fault::Misconfigured,
        _ => Fault::Unavailable,
    };
    let what = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            format!("{}: {}", meta.code().unwrap_or("no code"), meta.message().unwrap_or("no message"))
        }
        SdkError::ConstructionFailure(_) => "the request could not be built".to_owned(),
        SdkError::TimeoutError(_) => "timed out".to_owned(),
        SdkError::DispatchFailure(_) => "the service could not be reached".to_owned(),
        _ => "the answer could not be read".to_owned(),
    };
    PortError::new(kind, format!("{operation}: {what}"))
}

fn of_code(code: &str, raw: &HttpResponse) -> Fault {
    match code {
        "ProvisionedThroughputExceededException"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "LimitExceededException"
        | "TransactionConflictException"
        | "TransactionInProgressException"
        | "TransactionCanceledException" => Fault::Throttled,
        // Without a code it comes from something in between.
        "" => Fault::Unavailable,
        _ if raw.status().is_server_error() => Fault::Unavailable,
        _ => Fault::Misconfigured,
    }
}

/// The function was not given the name of something that it uses.
pub(crate) fn not_given(what: &'static str) -> PortError {
    PortError::new(Fault::Misconfigured, format!("this function was not given its {what}"))
}

/// A stored row does not read.
pub(crate) fn corrupt(what: impl std::fmt::Display) -> PortError {
    PortError::new(Fault::Corrupt, what.to_string())
}
