//! A server of mail as a provider.

use std::time::Duration;

use otpost_domain::gateway::{Authentication, Credentials, DomainName, Kind, Settings, Smtp, Tls};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_domain::secret::SecretText;
use otpost_outbound::guard::{self, Networks};
use otpost_outbound::mime;
use otpost_service::provider::{Letter, Order, OutgoingEmail, Provider};
use zeroize::Zeroizing;

use crate::dialogue::Dialogue;
use crate::outcome::meaning;
use crate::queue_id;
use crate::session::{Errand, Fault, converse};
use crate::tls::Trust;
use crate::wire::Broken;

/// The longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Sends mails over SMTP.
#[derive(Clone, Debug)]
pub struct SmtpProvider {
    name: DomainName,
    allowed: Networks,
    trust: Trust,
}

/// TLS does not work here.
#[derive(Debug, thiserror::Error)]
#[error("no TLS client can be made")]
pub struct NoTls(#[source] rustls::Error);

impl SmtpProvider {
    /// Greets servers by `name` where a gateway has none of its own, and connects to public addresses and to `allowed`
    /// networks.
    ///
    /// # Errors
    /// When TLS does not work.
    pub fn new(name: DomainName, allowed: Networks) -> Result<Self, NoTls> {
        Ok(Self { name, allowed, trust: Trust::new().map_err(NoTls)? })
    }

    /// Hands the mail over and gives the id under which the server keeps it, if it said one.
    async fn hand_over(
        &self,
        errand: &Errand<'_>,
        time: Duration,
        talk: &mut Dialogue,
    ) -> Result<Option<String>, Fault> {
        let (host, port) = (errand.smtp.host.as_str(), errand.smtp.port());
        let connected = guard::connect(host, port, &self.allowed, CONNECT.min(time / 2)).await;
        let stream = connected.map_err(Fault::Host)?;
        let reply = converse(stream, &self.trust, errand, talk).await?;
        Ok(queue_id::of(&reply))
    }
}

impl Provider for SmtpProvider {
    async fn send(&self, order: &Order<'_>) -> Report {
        let (smtp, login, mail) = match understood(order) {
            Ok(understood) => understood,
            Err(why) => return Report::of(Outcome::ConfigurationBad, why, Said::default()),
        };
        let content = match mime::compose(&order.message.id, mail) {
            Ok(content) => Zeroizing::new(content),
            Err(why) => return Report::of(Outcome::ContentBad, why, Said::default()),
        };
        let name = smtp.ehlo_name.as_ref().unwrap_or(&self.name).as_str();
        let errand = Errand { smtp, login, name, from: &mail.from, to: &mail.to, mail: &content };
        let mut talk = Dialogue::new();
        let handed = self.hand_over(&errand, order.deadline, &mut talk);
        let end = tokio::time::timeout(order.deadline, handed).await;
        match end.unwrap_or(Err(Fault::Broken(Broken::Late))) {
            Ok(id) => {
                let id = id.unwrap_or_else(|| mime::message_id(&order.message.id, &mail.from));
                Report::accepted(id, talk.into_said())
            }
            Err(fault) => {
                let (outcome, why) = meaning(talk.stage, &fault);
                Report::of(outcome, why, talk.into_said())
            }
        }
    }

    fn kind(&self) -> Kind {
        Kind::Smtp
    }
}

type Login<'a> = Option<(&'a SecretText, &'a SecretText)>;

/// The settings, the login that they ask for, and the mail; or why they are none of this provider's.
fn understood<'a>(order: &Order<'a>) -> Result<(&'a Smtp, Login<'a>, &'a OutgoingEmail), &'static str> {
    let Settings::Smtp(smtp) = order.settings else {
        return Err("the gateway's settings are not those of a server of mail");
    };
    let Letter::Email(mail) = order.letter else {
        return Err("the gateway sends mails, and the message is none");
    };
    let login = match (smtp.authentication, order.credentials) {
        (Authentication::None, _) => None,
        (_, Some(Credentials::Smtp { user, password })) => Some((user, password)),
        (_, _) => return Err("the gateway has no user and password"),
    };
    if login.is_some() && smtp.tls == Tls::None {
        return Err("the password would be sent in the clear");
    }
    Ok((smtp, login, mail))
}
