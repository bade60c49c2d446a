//! What a code is for, in words.

use crate::named::named;

named! {
    /// What a one-time code is for: it is worthless for anything else.
    pub enum CodePurpose {
        /// Signing in.
        SignIn = "sign_in",
        /// Enrolling.
        Enrolment = "enrolment",
        /// Choosing a new password.
        PasswordReset = "password_reset",
        /// Confirming a transaction.
        Transaction = "transaction",
        /// Showing the helpdesk who is calling. Only the helpdesk asks for such codes, and for no others.
        Helpdesk = "helpdesk",
    }
}

fn is_german(locale: &str) -> bool {
    locale.split('-').next().is_some_and(|language| language.eq_ignore_ascii_case("de"))
}

impl CodePurpose {
    /// What `[[PURPOSE]]` says in a language: a noun with its article where the language needs one. English where it
    /// is not known.
    #[must_use]
    pub fn words(self, locale: &str) -> &'static str {
        match (self, is_german(locale)) {
            (Self::SignIn, false) => "signing in",
            (Self::SignIn, true) => "die Anmeldung",
            (Self::Enrolment, false) => "enrolment",
            (Self::Enrolment, true) => "die Registrierung",
            (Self::PasswordReset, false) => "resetting your password",
            (Self::PasswordReset, true) => "das Zurücksetzen Ihres Passworts",
            (Self::Transaction, false) => "confirming a transaction",
            (Self::Transaction, true) => "die Bestätigung eines Auftrags",
            (Self::Helpdesk, false) => "the helpdesk",
            (Self::Helpdesk, true) => "den Helpdesk",
        }
    }
}
