//! What Amazon SES would tell of mails. Local only: the emulator tells nothing, and as in AWS nobody but AWS itself may put
//! events with a source that begins with `aws.`.
//!
//! So [`tell`] does EventBridge's part: it looks at the rules of the default bus, and gives the event to the functions of
//! those that it fits. What is recorded here is the form of the events, as SES puts them.
//!
//! Mails to SES's own mailbox simulator have the events that they have there, without being asked for:
//!
//! | address | what is told |
//! |---|---|
//! | `success@simulator.amazonses.com` | sent, delivered |
//! | `bounce@simulator.amazonses.com` | sent, bounced for good |
//! | `ooto@simulator.amazonses.com` | sent, delivered |
//! | `complaint@simulator.amazonses.com` | sent, delivered, a complaint |
//! | `suppressionlist@simulator.amazonses.com` | sent, bounced for good, since the address is on the list |

use anyhow::{Context as _, Result, ensure};
use otpost_domain::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::aws::Aws;
use crate::emulator::{ACCOUNT, REGION};
use crate::host;

/// The tag by which a mail is known as Otpost's, and as which.
pub const TAG: &str = "otpost-message";

/// What SES tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It was sent.
    Sent,
    /// It is in the recipient's mailbox, or at their server.
    Delivered,
    /// There is no such mailbox.
    BouncedForGood,
    /// The mailbox is full.
    BouncedForNow,
    /// SES did not even try: the address is on the account's suppression list.
    Suppressed,
    /// The recipient says that it is spam.
    Complained,
    /// It had a virus.
    Rejected,
    /// Its template could not be filled.
    RenderingFailed,
    /// It is tried again.
    Delayed,
}

impl News {
    /// The event's `detail-type`, SES's own `eventType`, and the member that tells more.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Sent => ("Email Sent", "Send", "send"),
            Self::Delivered => ("Email Delivered", "Delivery", "delivery"),
            Self::BouncedForGood | Self::BouncedForNow | Self::Suppressed => {
                ("Email Bounced", "Bounce", "bounce")
            }
            Self::Complained => ("Email Complaint Received", "Complaint", "complaint"),
            Self::Rejected => ("Email Rejected", "Reject", "reject"),
            Self::RenderingFailed => ("Email Rendering Failed", "Rendering Failure", "failure"),
            Self::Delayed => ("Email Delivery Delayed", "DeliveryDelay", "deliveryDelay"),
        }
    }

    fn more(self, to: &[String], at: &str) -> Value {
        let each = |more: Value| -> Vec<Value> {
            let one = |address: &String| {
                let mut one = json!({ "emailAddress": address });
                if let (Some(one), Some(more)) = (one.as_object_mut(), more.as_object()) {
                    one.extend(more.clone());
                }
                one
            };
            to.iter().map(one).collect()
        };
        let bounce = |kind: &str, sub_type: &str, status: &str, said: &str| {
            json!({
                "feedbackId": "0102019aaaaaaaaa-11111111-2222-4333-8444-555566667777-000000",
                "bounceType": kind,
                "bounceSubType": sub_type,
                "bouncedRecipients": each(json!({ "action": "failed", "status": status, "diagnosticCode": said })),
                "timestamp": at,
                "reportingMTA": "dns; a1-2.smtp-out.amazonses.com",
            })
        };
        match self {
            Self::Sent => json!({}),
            Self::Delivered => json!({
                "timestamp": at,
                "processingTimeMillis": 546,
                "recipients": to,
                "smtpResponse": "250 2.6.0 Message received",
                "remoteMtaIp": "127.0.0.1",
                "reportingMTA": "a1-2.smtp-out.amazonses.com",
            }),
            Self::BouncedForGood => bounce("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
            Self::BouncedForNow => {
                bounce("Transient", "MailboxFull", "4.2.2", "smtp; 452 4.2.2 mailbox full")
            }
            Self::Suppressed => bounce(
                "Permanent",
                "OnAccountSuppressionList",
                "5.1.1",
                "Amazon SES did not send the message to this address because it is on the suppression list for your account.",
            ),
            Self::Complained => json!({
                "complainedRecipients": each(json!({})),
                "timestamp": at,
                "feedbackId": "0102019aaaaaaaaa-22222222-3333-4444-8555-666677778888-000000",
                "complaintSubType": null,
                "userAgent": "Amazon SES Mailbox Simulator",
                "complaintFeedbackType": "abuse",
                "arrivalDate": at,
            }),
            Self::Rejected => json!({ "reason": "Bad content" }),
            Self::RenderingFailed => {
                json!({ "errorMessage": "Attribute 'name' is not present in the rendering data.", "templateName": "x" })
            }
            Self::Delayed => json!({
                "delayType": "MailboxFull",
                "delayedRecipients": each(json!({ "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 mailbox full" })),
                "expirationTime": at,
                "reportingMTA": "a1-2.smtp-out.amazonses.com",
                "timestamp": at,
            }),
        }
    }
}

/// A mail that was given to SES, as far as its events tell of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SesMail {
    /// SES's id of it.
    pub id: String,
    /// What it was tagged with.
    pub tags: Vec<(String, String)>,
    from: String,
    to: Vec<String>,
    configuration_set: Option<String>,
}

impl SesMail {
    /// Of a `SendEmail` and the answer to it.
    pub(crate) fn of(call: &Value, answer: &Value) -> Option<Self> {
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let tags = call.get("EmailTags").and_then(Value::as_array).into_iter().flatten();
        let to = call.pointer("/Destination/ToAddresses").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            id: text(answer, "MessageId")?,
            tags: tags.filter_map(|tag| Some((text(tag, "Name")?, text(tag, "Value")?))).collect(),
            from: text(call, "FromEmailAddress").unwrap_or_default(),
            to: to.filter_map(|to| to.as_str().map(str::to_owned)).collect(),
            configuration_set: text(call, "ConfigurationSetName"),
        })
    }

    /// Whether it is a hop of this message.
    pub(crate) fn is_of(&self, message: &str) -> bool {
        let of = |value: &str| value.split('.').any(|part| part == message);
        self.tags.iter().any(|(name, value)| name == TAG && of(value))
    }

    /// What SES's mailbox simulator does with it; nothing for mails to anybody else.
    pub(crate) fn simulated(&self) -> &'static [News] {
        let local = self.to.iter().find_map(|to| to.strip_suffix("@simulator.amazonses.com"));
        match local.and_then(|local| local.split('+').next()) {
            Some("success" | "ooto") => &[News::Sent, News::Delivered],
            Some("bounce") => &[News::Sent, News::BouncedForGood],
            Some("complaint") => &[News::Sent, News::Delivered, News::Complained],
            Some("suppressionlist") => &[News::Sent, News::Suppressed],
            _ => &[],
        }
    }

    /// The event by which EventBridge tells of it.
    #[must_use]
    pub fn event(&self, news: News) -> Value {
        let (detail_type, event_type, member) = news.names();
        let at = Timestamp::from_seconds(host::unix_time()).rfc3339();
        let set = self.configuration_set.as_deref();
        let own = set.map(|set| ("ses:configuration-set".to_owned(), set.to_owned()));
        let tags: Map<String, Value> = own
            .into_iter()
            .chain(self.tags.iter().cloned())
            .map(|(name, value)| (name, json!([value])))
            .collect();
        let mut detail = json!({
            "eventType": event_type,
            "mail": {
                "timestamp": at,
                "source": self.from,
                "sendingAccountId": ACCOUNT,
                "messageId": self.id,
                "destination": self.to,
                "headersTruncated": false,
                "headers": [{ "name": "Subject", "value": "a subject" }],
                "commonHeaders": { "from": [self.from], "to": self.to, "messageId": self.id, "subject": "a subject" },
                "tags": tags,
            },
        });
        if let Some(detail) = detail.as_object_mut() {
            detail.insert(member.to_owned(), news.more(&self.to, &at));
        }
        let resource = |set| format!("arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{set}");
        json!({
            "version": "0",
            "id": format!("{}-{member}", self.id),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": ACCOUNT,
            "time": at,
            "region": REGION,
            "resources": set.map(resource).into_iter().collect::<Vec<_>>(),
            "detail": detail,
        })
    }
}

/// Gives an event of SES's to the functions whose rules on the default bus it fits; gives their number.
///
/// # Errors
/// The emulator refuses, or a function fails.
pub async fn tell(aws: &Aws, event: &Value) -> Result<usize> {
    let call = async |operation: &str, body: Value| {
        aws.call("events", &format!("AWSEvents.{operation}"), &body).await
    };
    let rules = call("ListRules", json!({})).await?;
    let mut reached = 0;
    for rule in list(&rules, "Rules") {
        let Some(pattern) = rule.get("EventPattern").and_then(Value::as_str) else { continue };
        let fits =
            call("TestEventPattern", json!({ "Event": event.to_string(), "EventPattern": pattern })).await?;
        if fits.get("Result") != Some(&json!(true)) {
            continue;
        }
        let targets = call("ListTargetsByRule", json!({ "Rule": rule.get("Name") })).await?;
        for target in list(&targets, "Targets") {
            let arn = target.get("Arn").and_then(Value::as_str).context("a target has an ARN")?;
            let (_, function) =
                arn.split_once(":function:").with_context(|| format!("{arn} is no function"))?;
            let invoked = aws.invoke(function, event).await?;
            ensure!(invoked.error.is_none(), "{function} fails: {}", invoked.payload);
            reached += 1;
        }
    }
    Ok(reached)
}

fn list<'a>(answer: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    answer.get(name).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::extract::Request;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;

    use super::*;
    use crate::{ports, proxy};

    fn mail(to: &str) -> SesMail {
        let call = json!({
            "FromEmailAddress": "Otpost <otp@example.org>",
            "Destination": { "ToAddresses": [to] },
            "ConfigurationSetName": "otpost-local",
            "EmailTags": [{ "Name": TAG, "Value": "acme.msg_1.2" }],
        });
        SesMail::of(&call, &json!({ "MessageId": "ses-1" })).unwrap()
    }

    #[test]
    fn events_have_the_form_of_eventbridge_and_of_ses() {
        let event = mail("jane@example.org").event(News::BouncedForGood);
        assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.ses"), &json!("Email Bounced")));
        assert_eq!(
            event["resources"][0],
            "arn:aws:ses:eu-west-2:000000000000:configuration-set/otpost-local"
        );
        let detail = &event["detail"];
        assert_eq!(detail["eventType"], "Bounce");
        let tags = json!({ "ses:configuration-set": ["otpost-local"], (TAG): ["acme.msg_1.2"] });
        assert_eq!(detail["mail"]["tags"], tags);
        assert_eq!(detail["mail"]["destination"], json!(["jane@example.org"]));
        assert_eq!(detail["bounce"]["bounceType"], "Permanent");
        assert_eq!(detail["bounce"]["bouncedRecipients"][0]["emailAddress"], "jane@example.org");
        assert_eq!(detail["bounce"]["bouncedRecipients"][0]["status"], "5.1.1");
        for (news, member) in [
            (News::Sent, "send"),
            (News::Delivered, "delivery"),
            (News::BouncedForNow, "bounce"),
            (News::Suppressed, "bounce"),
            (News::Complained, "complaint"),
            (News::Rejected, "reject"),
            (News::RenderingFailed, "failure"),
            (News::Delayed, "deliveryDelay"),
        ] {
            assert!(mail("jane@example.org").event(news)["detail"][member].is_object(), "{news:?}");
        }
    }

    #[test]
    fn mails_are_found_by_their_message() {
        let mail = mail("jane@example.org");
        assert!(mail.is_of("msg_1") && !mail.is_of("msg_") && !mail.is_of("msg_2"));
        assert_eq!(SesMail::of(&json!({}), &json!({})), None, "it was not taken");
    }

    #[test]
    fn the_mailbox_simulator_is_simulated() {
        let told = |to: &str| mail(to).simulated();
        assert_eq!(told("bounce+jane@simulator.amazonses.com"), [News::Sent, News::BouncedForGood]);
        assert_eq!(told("complaint@simulator.amazonses.com").last(), Some(&News::Complained));
        assert_eq!(told("bounce@example.org"), []);
    }

    #[tokio::test]
    async fn an_event_reaches_the_functions_whose_rules_it_fits() {
        let invoked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let (seen, listener) = (Arc::clone(&invoked), ports::listen(None).unwrap());
        let url = ports::url(listener.local_addr().unwrap().port());
        let _serving = proxy::serve(listener, move |request: Request| {
            let seen = Arc::clone(&seen);
            async move {
                let (parts, body) = request.into_parts();
                let body: Value =
                    serde_json::from_slice(&axum::body::to_bytes(body, 1 << 20).await.unwrap()).unwrap();
                let target =
                    parts.headers.get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
                let answer = match target.as_deref() {
                    Some("AWSEvents.ListRules") => json!({ "Rules": [
                        { "Name": "other", "EventPattern": "{\"source\":[\"x\"]}" },
                        { "Name": "scheduled" },
                        { "Name": "ses", "EventPattern": "{\"source\":[\"aws.ses\"]}" },
                    ]}),
                    Some("AWSEvents.TestEventPattern") => {
                        let pattern: Value =
                            serde_json::from_str(body["EventPattern"].as_str().unwrap()).unwrap();
                        let event: Value = serde_json::from_str(body["Event"].as_str().unwrap()).unwrap();
                        json!({ "Result": pattern["source"][0] == event["source"] })
                    }
                    Some("AWSEvents.ListTargetsByRule") if body["Rule"] == "ses" => {
                        json!({ "Targets": [{ "Arn": "arn:aws:lambda:eu-west-2:0:function:receipts-1" }] })
                    }
                    None => {
                        seen.lock().unwrap().push((parts.uri.path().to_owned(), body));
                        json!(null)
                    }
                    _ => return StatusCode::BAD_REQUEST.into_response(),
                };
                answer.to_string().into_response()
            }
        })
        .unwrap();
        let event = mail("jane@example.org").event(News::Delivered);
        assert_eq!(tell(&Aws::at(&url), &event).await.unwrap(), 1);
        let path = "/2015-03-31/functions/receipts-1/invocations".to_owned();
        assert_eq!(*invoked.lock().unwrap(), [(path, event)]);
    }
}
