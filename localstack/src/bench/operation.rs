//! What is measured.

/// An operation of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// An operator makes a user.
    CreateUser,
    /// An operator gives a user a token.
    Provision,
    /// An operator pushes the token by mail.
    Push,
    /// The message gets its next gateway.
    Deliver,
    /// The mail goes to SES.
    Send,
    /// An operator asks where the message is.
    ReadMessage,
    /// An app opens a session of the enrolment.
    Start,
    /// The first code activates the token.
    Activate,
    /// A right code.
    Right,
    /// The same code again.
    Replay,
    /// A wrong code.
    Wrong,
    /// A code of a user who does not exist.
    Unknown,
    /// A code of a user who has no token.
    NoToken,
}

impl Operation {
    /// Those of `verify`, which must not be told apart by their time.
    pub const VERIFY: [Self; 5] = [Self::Right, Self::Replay, Self::Wrong, Self::Unknown, Self::NoToken];

    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::CreateUser,
        Self::Provision,
        Self::Push,
        Self::Deliver,
        Self::Send,
        Self::ReadMessage,
        Self::Start,
        Self::Activate,
        Self::Right,
        Self::Replay,
        Self::Wrong,
        Self::Unknown,
        Self::NoToken,
    ];

    /// Its name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateUser => "create a user",
            Self::Provision => "provision a token",
            Self::Push => "push it by mail",
            Self::Deliver => "deliver, one hop",
            Self::Send => "send the mail",
            Self::ReadMessage => "read the message's state",
            Self::Start => "enrolment, start",
            Self::Activate => "enrolment, activate",
            Self::Right => "verify, right code",
            Self::Replay => "verify, code used before",
            Self::Wrong => "verify, wrong code",
            Self::Unknown => "verify, unknown user",
            Self::NoToken => "verify, user without token",
        }
    }

    /// The function that does it.
    #[must_use]
    pub fn function(self) -> &'static str {
        match self {
            Self::CreateUser | Self::Push => "push-token",
            Self::Provision | Self::Start | Self::Activate => "enroll",
            Self::Deliver => "deliver",
            Self::Send => "send-ses",
            Self::ReadMessage => "admin",
            Self::Right | Self::Replay | Self::Wrong | Self::Unknown | Self::NoToken => "verify",
        }
    }

    /// Whether it comes through the HTTP API; else from a queue.
    #[must_use]
    pub fn is_http(self) -> bool {
        !matches!(self, Self::Deliver | Self::Send)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::FUNCTIONS;

    #[test]
    fn every_operation_is_of_a_function() {
        for operation in Operation::ALL {
            assert!(FUNCTIONS.contains(&operation.function()), "{operation:?}");
        }
        let is_measured = |function: &str| Operation::ALL.iter().any(|one| one.function() == function);
        let others: Vec<_> = FUNCTIONS.iter().filter(|function| !is_measured(function)).collect();
        assert_eq!(
            others,
            [&"jobs", &"receipts", &"send-govuk-notify", &"send-smtp", &"send-twilio"],
            "nobody waits for the first two, and nothing of them is done for each check; the others do as send-ses does"
        );
    }
}
