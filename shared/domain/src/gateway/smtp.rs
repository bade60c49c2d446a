//! Servers that take mail over SMTP.

use super::fields::fields;
use super::values::{Certificates, DomainName, Host, Mailbox};
use crate::contact::EmailAddress;
use crate::document::{Faults, Members, Value, Whole};
use crate::named::named;
use crate::policy::words;

named! {
    /// How the connection to a server of mail is kept private.
    pub enum Tls {
        /// It begins in the clear and is refused unless the server turns to TLS (RFC 3207); usual on port 587.
        Starttls = "starttls",
        /// TLS from the first byte (RFC 8314 section 3.3); usual on port 465.
        Implicit = "implicit",
        /// Not at all.
        None = "none",
    }
}

named! {
    /// How Otpost proves to a server of mail who it is.
    pub enum Authentication {
        /// Not at all.
        None = "none",
        /// SASL PLAIN (RFC 4616).
        Plain = "plain",
        /// LOGIN, for servers that do not know PLAIN.
        Login = "login",
    }
}

words!(Tls, Authentication);

fields! {
    /// A server that takes mail over SMTP.
    pub struct Smtp {
        /// The server.
        host: Host;
        /// Its port: usually 587 with `starttls` and 465 with `implicit`.
        port: Whole<1, 65535>;
        /// How the connection is kept private: by STARTTLS, which the server must then offer, or by TLS from the first byte. `none` only without authentication.
        tls: Tls = Tls::Starttls;
        /// How Otpost proves who it is. All but `none` take `user` and `password`.
        authentication: Authentication = Authentication::None;
        /// From whom mails come.
        from: Mailbox;
        /// Where answers go, if not to the sender.
        reply_to: Option<EmailAddress>;
        /// The name by which Otpost greets the server, if not the one that its sender has of itself.
        ehlo_name: Option<DomainName>;
        /// Who may have signed the server's certificate, beside the authorities that are known everywhere.
        ca_certificate: Option<Certificates>;
    }
}

impl Smtp {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        u16::try_from(self.port.get()).unwrap_or(u16::MAX)
    }

    /// What decides who is given the password.
    pub(super) fn destination(&self) -> Vec<String> {
        let ca = self.ca_certificate.as_ref().map_or("", Certificates::as_str);
        let texts = [self.host.as_str(), self.tls.as_str(), self.authentication.as_str(), ca];
        texts.into_iter().map(str::to_owned).chain([self.port.get().to_string()]).collect()
    }

    /// Whether these settings, as written, have no authentication.
    pub(super) fn is_open(settings: &Value) -> bool {
        let Value::Object(members) = settings else { return false };
        let none = Value::text(Authentication::None.as_str());
        members.get("authentication").is_none_or(|word| *word == Value::Null || *word == none)
    }

    fn check(members: &mut Members<'_>, faults: &mut Faults) {
        let open = members.value("tls") == Some(&Value::text(Tls::None.as_str()));
        let authentication = members.value("authentication");
        if open && authentication.is_some_and(|word| *word != Value::text(Authentication::None.as_str())) {
            faults.add(
                &members.place("tls"),
                "must be starttls or implicit where there is authentication: the password would be sent in the clear",
            );
        }
    }
}
