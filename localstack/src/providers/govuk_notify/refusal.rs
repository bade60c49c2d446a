//! How Notify says no.

use axum::response::Response;
use serde_json::{Value, json};

/// An answer that refuses a request.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    body: Value,
}

impl Refusal {
    fn of(status: u16, error: &str, messages: &[String]) -> Self {
        let errors: Vec<Value> =
            messages.iter().map(|message| json!({ "error": error, "message": message })).collect();
        Self { status, body: json!({ "status_code": status, "errors": errors }) }
    }

    /// Nobody is let in; 401 or 403.
    pub(super) fn auth(status: u16, message: &str) -> Self {
        Self::of(status, "AuthError", &[message.to_owned()])
    }

    /// The form of a request is wrong in these ways.
    pub(super) fn invalid(messages: &[String]) -> Self {
        Self::of(400, "ValidationError", messages)
    }

    /// The service, its template or its settings do not allow it.
    pub(super) fn bad_request(message: &str) -> Self {
        Self::of(400, "BadRequestError", &[message.to_owned()])
    }

    /// The number takes no texts.
    pub(super) fn landline() -> Self {
        Self::of(400, "InvalidPhoneError", &["Not a UK mobile number".to_owned()])
    }

    /// There is nothing of that id.
    pub(super) fn no_result() -> Self {
        Self::of(404, "NoResultFound", &["No result found".to_owned()])
    }

    /// There is no such route, which Notify tells in a form of its own.
    pub(super) fn no_route() -> Self {
        let message = "The requested URL was not found on the server.";
        Self { status: 404, body: json!({ "message": message, "result": "error" }) }
    }

    pub(super) fn into_response(self) -> Response {
        super::json(self.status, &self.body)
    }
}
