//! One text, one request to Twilio's API.

use std::borrow::Cow;

use otpost_domain::gateway::{Credentials, Kind, Settings, Twilio, TwilioLogin};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_outbound::http::{BadBase, Http, Method, NoAnswer};
use otpost_service::provider::{Letter, Order, OutgoingText, Provider};

use crate::outcome;

#[cfg(test)]
mod tests;

/// Where Twilio's API is, unless a deployment says otherwise.
pub const BASE: &str = "https://api.twilio.com";

/// The most characters of a text.
const MOST_CHARACTERS: usize = 1_600;
/// The longest that Twilio keeps a text in its queue, in seconds; the shortest is one second.
const LONGEST_VALIDITY: u64 = 36_000;

/// Sends texts by Twilio's `Messages` resource.
///
/// A request that timed out cannot be told apart from one that was taken, because the resource has no idempotency: then
/// the outcome is [`Outcome::Unknown`]. `RiskCheck` is never sent, so Twilio's guard against SMS pumping stays as the
/// account has it.
#[derive(Clone, Debug)]
pub struct TwilioProvider {
    http: Http,
}

impl TwilioProvider {
    /// Asks the API at `base_url`, which is [`BASE`] in production.
    ///
    /// # Errors
    /// When `base_url` may not be asked, or TLS does not work.
    pub fn new(base_url: &str) -> Result<Self, BadBase> {
        Ok(Self { http: Http::new("the URL of Twilio's API", base_url)? })
    }
}

impl Provider for TwilioProvider {
    async fn send(&self, order: &Order<'_>) -> Report {
        let request = match Request::of(order) {
            Ok(request) => request,
            Err(report) => return report,
        };
        let asked = self
            .http
            .request(Method::POST, &request.path)
            .basic_auth(request.user, Some(request.password))
            .form(&request.form);
        match self.http.ask(asked, order.deadline).await {
            Ok(answer) => outcome::report(&answer),
            Err(NoAnswer::NotSent(why)) => {
                Report::of(Outcome::Retry { after: None }, format!("Twilio: {why}"), Said::default())
            }
            Err(NoAnswer::Lost(why)) => {
                Report::of(Outcome::Unknown, format!("Twilio: {why}"), Said::default())
            }
        }
    }

    fn kind(&self) -> Kind {
        Kind::Twilio
    }
}

/// A request before it is written. It has the text in it, so it cannot be shown.
struct Request<'a> {
    path: String,
    user: &'a str,
    password: &'a str,
    form: Vec<(&'static str, Cow<'a, str>)>,
}

impl<'a> Request<'a> {
    /// Of an order; or why it is not worth asking.
    fn of(order: &Order<'a>) -> Result<Self, Report> {
        let refused = |outcome, why: &str| Err(Report::of(outcome, why, Said::default()));
        let Settings::Twilio(settings) = order.settings else {
            return refused(Outcome::ConfigurationBad, "the gateway is none of Twilio's");
        };
        let Some(Credentials::Twilio(login)) = order.credentials else {
            return refused(Outcome::ConfigurationBad, "the gateway has no credentials of Twilio's");
        };
        let Letter::Text(letter) = order.letter else {
            return refused(Outcome::ContentBad, "the message is no text");
        };
        let Some(sender) = sender(settings) else {
            return refused(Outcome::ConfigurationBad, "the gateway has no sender");
        };
        let text = letter.text.expose();
        if text.trim().is_empty() {
            return refused(Outcome::ContentBad, "the text is empty");
        }
        if text.chars().count() > MOST_CHARACTERS {
            return refused(Outcome::ContentBad, "the text has more than 1600 characters");
        }
        let account = settings.account_sid.as_str();
        let (user, password) = match login {
            TwilioLogin::AuthToken(token) => (account, token.expose()),
            TwilioLogin::ApiKey { sid, secret, .. } => (sid.expose(), secret.expose()),
        };
        Ok(Self {
            path: format!("/2010-04-01/Accounts/{account}/Messages.json"),
            user,
            password,
            form: form(order, letter, sender),
        })
    }
}

fn sender(settings: &Twilio) -> Option<(&'static str, &str)> {
    let from = settings.from.as_ref().map(|from| ("From", from.as_str()));
    let service = || settings.messaging_service_sid.as_ref().map(|sid| ("MessagingServiceSid", sid.as_str()));
    from.or_else(service)
}

fn form<'a>(
    order: &Order<'a>,
    letter: &'a OutgoingText,
    (name, sender): (&'static str, &'a str),
) -> Vec<(&'static str, Cow<'a, str>)> {
    let validity = order.life.as_secs().clamp(1, LONGEST_VALIDITY);
    let mut form = vec![
        ("To", letter.to.expose().into()),
        (name, sender.into()),
        ("Body", letter.text.expose().into()),
        // A text that waits in a queue for longer than its code lives would only confuse.
        ("ValidityPeriod", validity.to_string().into()),
    ];
    form.extend(order.receipts.map(|url| ("StatusCallback", url.into())));
    form
}
