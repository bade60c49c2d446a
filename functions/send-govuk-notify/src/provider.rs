//! The sender itself: a look at the template, one request, and a look for the text if nobody knows what became of it.

use std::time::Duration;

use otpost_domain::gateway::{Credentials, GovukNotify, Kind, NotifyKey, Placeholder, Settings};
use otpost_domain::outcome::{Outcome, Report, Said};
use otpost_outbound::http::{Answer, BadBase, Http, NoAnswer};
use otpost_service::ports::Clock;
use otpost_service::provider::{Letter, Order, OutgoingText, Provider};

use crate::conversation::{Conversation, Question};
use crate::outcome::{given_up, verdict};
use crate::template::{MOST, Shape, Templates};
use crate::wire::{self, Unclear};

/// Where GOV.UK Notify answers.
pub const BASE: &str = "https://api.notifications.service.gov.uk";

const SEND: &str = "/v2/notifications/sms";
/// What is kept back of an order's time to look for a text of which nobody knows whether it was taken; half of the time
/// where that is less.
const TO_LOOK: Duration = Duration::from_secs(2);
/// With less time than this, or a quarter of all, nothing is sent: it would only be a text that nobody knows of.
const TO_SEND: Duration = Duration::from_secs(1);
/// The longest wait that Notify is granted.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// Sends by GOV.UK Notify. It remembers for five minutes which templates are good; nothing is asked when it is made.
#[derive(Debug)]
pub struct NotifyProvider<C> {
    http: Http,
    clock: C,
    templates: Templates,
}

impl<C: Clock> NotifyProvider<C> {
    /// Asks `base`, usually [`BASE`]; `clock` gives the time that tokens bear.
    ///
    /// # Errors
    /// When `base` is no URL of a server, or TLS does not work here.
    pub fn new(base: &str, clock: C) -> Result<Self, BadBase> {
        let http = Http::new("the base URL of GOV.UK Notify", base)?;
        Ok(Self { http, clock, templates: Templates::default() })
    }

    /// Looks for the text of an earlier order for the same message: accepted, with its id, if Notify has one under our
    /// reference. None says nothing at all: it may still be on its way there, or Notify did not answer.
    pub async fn reconcile(&self, order: &Order<'_>) -> Option<Report> {
        let call = Call::of(order).ok()?;
        let mut talk = Conversation::begin(&self.http, &self.clock, call.key, order.deadline);
        let found = look(&mut talk, &call.reference).await.ok().flatten();
        found.map(|id| Report::accepted(id, Said::line("HTTP 200")))
    }

    /// Whether the text goes into the template. `anew` is for who has just changed it.
    async fn check(&self, talk: &mut Conversation<'_, C>, call: &Call<'_>, anew: bool) -> Result<(), Report> {
        let (service, id) = (call.key.service_id(), call.settings.template_id.as_str());
        let placeholder = call.settings.placeholder;
        let now = self.clock.now();
        // One that does not suit may have been mended since.
        let suits = |shape: &Shape| !anew && shape.check(placeholder).is_ok();
        let kept = self.templates.get(service, id, now).filter(suits);
        let shape = if let Some(shape) = kept {
            shape
        } else {
            self.templates.forget(service, id);
            let shape = fetch(talk, id).await?;
            shape.check(placeholder).map_err(|why| configuration(&why, shape.told()))?;
            self.templates.keep(service, id, shape.clone(), now);
            shape
        };
        if shape.holds(placeholder, call.value) { Ok(()) } else { Err(content("the text is too long")) }
    }

    /// What became of a text, by the answer to it.
    async fn settle(
        &self,
        talk: &mut Conversation<'_, C>,
        call: &Call<'_>,
        answer: Result<Answer, NoAnswer>,
    ) -> Report {
        let (said, doubtful) = match answer {
            Err(NoAnswer::NotSent(why)) => return retry(why),
            Err(NoAnswer::Lost(why)) => (Said::default(), unknown(why)),
            Ok(answer) if (200..300).contains(&answer.status) => {
                let said = Said::line(format!("HTTP {}", answer.status));
                match wire::taken(&answer.body).filter(|_| answer.status == 201) {
                    Some(id) => return Report::accepted(id, said),
                    None => (said.clone(), with(unknown("an answer that names no text"), said)),
                }
            }
            Ok(answer) => {
                let report = refusal(&answer);
                // A text that was short enough for the template as it was, and is not now, tells that it has changed.
                let by_template = matches!(report.outcome, Outcome::ConfigurationBad | Outcome::ContentBad);
                if answer.status == 400 && by_template {
                    self.templates.forget(call.key.service_id(), call.settings.template_id.as_str());
                }
                // What failed over there may have failed after the text was taken.
                if answer.status < 500 {
                    return report;
                }
                let report = if given_up(answer.status, &answer.body) {
                    report
                } else {
                    open(report, "it may have taken the text")
                };
                (report.said.clone(), report)
            }
        };
        match look(talk, &call.reference).await {
            Ok(Some(id)) => Report::accepted(id, said),
            Ok(None) => doubtful,
            Err(Unclear) => open(doubtful, "the text could not be looked for"),
        }
    }
}

impl<C: Clock> Provider for NotifyProvider<C> {
    async fn send(&self, order: &Order<'_>) -> Report {
        let call = match Call::of(order) {
            Ok(call) => call,
            Err(report) => return report,
        };
        let Some(body) = wire::text(call.settings, call.text, call.value, &call.reference) else {
            return content("the text cannot be written as JSON");
        };
        let to_look = TO_LOOK.min(order.deadline / 2);
        let most = order.deadline.saturating_sub(to_look);
        let mut talk = Conversation::begin(&self.http, &self.clock, call.key, most);
        if let Err(report) = self.check(&mut talk, &call, order.test).await {
            return report;
        }
        if talk.left() < TO_SEND.min(order.deadline / 4) {
            return retry("no time was left to send");
        }
        let answer = talk.ask(&Question::post(SEND, body)).await;
        talk.extend(to_look);
        self.settle(&mut talk, &call, answer).await
    }

    fn kind(&self) -> Kind {
        Kind::GovukNotify
    }
}

/// What an order says to this sender.
struct Call<'a> {
    settings: &'a GovukNotify,
    key: &'a NotifyKey,
    text: &'a OutgoingText,
    /// What goes into the template's place.
    value: &'a str,
    reference: String,
}

impl<'a> Call<'a> {
    fn of(order: &Order<'a>) -> Result<Self, Report> {
        let (Settings::GovukNotify(settings), Some(Credentials::GovukNotify { api_key, .. })) =
            (order.settings, order.credentials)
        else {
            return Err(configuration("the gateway has no API key, or is of another kind", Said::default()));
        };
        let Letter::Text(text) = order.letter else {
            return Err(configuration("it sends texts, and this is a mail", Said::default()));
        };
        let value = match settings.placeholder {
            Placeholder::Message => Some(&text.text),
            Placeholder::Code => text.code.as_ref(),
        };
        let value =
            value.ok_or_else(|| content("the template wants a code, and the message has none"))?.expose();
        // Notify takes blanks around a value away.
        if value.trim().is_empty() {
            return Err(content("the text is empty"));
        }
        if value.chars().count() > MOST {
            return Err(content("the text is too long"));
        }
        Ok(Self {
            settings,
            key: api_key,
            text,
            value,
            reference: order.receipts.map_or_else(|| order.reference(), str::to_owned),
        })
    }
}

async fn fetch<C: Clock>(talk: &mut Conversation<'_, C>, id: &str) -> Result<Shape, Report> {
    let answer = match talk.ask(&Question::get(format!("/v2/template/{id}"))).await {
        Ok(answer) => answer,
        // It asks for nothing to be done, so it may be asked again.
        Err(NoAnswer::NotSent(why) | NoAnswer::Lost(why)) => return Err(retry(why)),
    };
    if answer.status != 200 {
        let mut report = refusal(&answer);
        report.why = format!("the template cannot be looked at: {}", report.why);
        // Neither recipient nor text takes part in it.
        if matches!(report.outcome, Outcome::RecipientBad | Outcome::ContentBad) {
            report.outcome = Outcome::ConfigurationBad;
        }
        return Err(report);
    }
    Shape::read(&answer.body).map_err(|error| {
        let said = Said::line("HTTP 200");
        if error.is_eof() {
            with(retry("the template broke off"), said)
        } else {
            configuration("the answer is no template: is the base URL that of Notify?", said)
        }
    })
}

/// The id of the text under this reference; none if Notify has no such text at this moment.
///
/// # Errors
/// When nobody knows, because the look failed.
async fn look<C: Clock>(talk: &mut Conversation<'_, C>, reference: &str) -> Result<Option<String>, Unclear> {
    // Ids and slashes need no escape in a query (RFC 3986 section 3.4).
    let path = format!("/v2/notifications?template_type=sms&reference={reference}");
    let answer = talk.ask(&Question::get(path)).await.map_err(|_| Unclear)?;
    if answer.status == 200 { wire::known(&answer.body, reference) } else { Err(Unclear) }
}

/// Of an answer other than 2xx.
fn refusal(answer: &Answer) -> Report {
    let faults = wire::faults(&answer.body);
    let verdict = verdict(answer.status, &faults);
    let after = answer.retry_after.map(|after| after.min(LONGEST_WAIT));
    Report::of(verdict.class.outcome(after), verdict.why, wire::said(answer.status, &faults))
}

fn with(mut report: Report, said: Said) -> Report {
    report.said = said;
    report
}

/// The same, with nobody knowing what became of the text; `why` says for what reason.
fn open(report: Report, why: &str) -> Report {
    Report { outcome: Outcome::Unknown, why: format!("{}; {why}", report.why), ..report }
}

fn own(outcome: Outcome, why: &str) -> Report {
    Report::of(outcome, format!("GOV.UK Notify: {why}"), Said::default())
}

fn retry(why: &str) -> Report {
    own(Outcome::Retry { after: None }, why)
}

fn unknown(why: &str) -> Report {
    own(Outcome::Unknown, why)
}

fn content(why: &str) -> Report {
    own(Outcome::ContentBad, why)
}

fn configuration(why: &str, said: Said) -> Report {
    with(own(Outcome::ConfigurationBad, why), said)
}
