//! A provider of texts goes silent: messages reach their people by the next one, and soon pass the silent one over.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::Api;
use super::senders::NEXT;
use super::transcript::Transcript;
use crate::host::{self, Watch};
use crate::providers::govuk_notify::{self, CallBack};
use crate::providers::receipts::{Fate, decide};
use crate::world::Endpoints;
use crate::{phone_view, progress};

#[cfg(test)]
mod tests;

/// The gateway that goes silent.
const FIRST: &str = "twilio";
/// The one behind it.
const SECOND: &str = "govuk-notify";
/// A template of GOV.UK Notify that is the message alone.
const TEMPLATE: &str = "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11";
/// What GOV.UK Notify is to bear when it calls back.
const TOKEN: &str = "not-a-token-of-any-service";
/// How many messages may go by the silent gateway until it is passed over. Three open its circuit, if they meet the same
/// process.
const MOST: usize = 8;
/// How many messages show that it is passed over.
const SHOWN: usize = 3;
/// How long until the circuit lets a message try the gateway again, with time to spare.
const HEALS: Duration = Duration::from_mins(1);

/// Runs it in a tenant of its own and prints each step.
///
/// # Errors
/// A step fails: it was printed with its reason.
pub async fn run(endpoints: &Endpoints) -> Result<()> {
    run_with(endpoints, Duration::from_secs(30), Duration::from_secs(2)).await
}

async fn run_with(endpoints: &Endpoints, patience: Duration, between: Duration) -> Result<()> {
    println!("\nA provider of texts goes silent, and texts arrive all the same\n");
    let watch = Watch::start();
    let mut transcript = Transcript::default();
    let mut scene = transcript.step("a tenant", Scene::of_new_tenant(endpoints, patience)).await?;
    transcript.step("two gateways for texts", scene.gateways()).await?;
    transcript.step("a policy names both", scene.policy()).await?;
    transcript.step("Twilio goes silent", scene.first_is(Fate::Silent)).await?;
    let pushed = transcript.step("a token is pushed by text", scene.push()).await?;
    transcript.step("Twilio takes it", scene.taken(&pushed)).await?;
    transcript.step("and tells nothing", scene.left(&pushed)).await?;
    transcript.step("GOV.UK Notify brings it", scene.brought(&pushed)).await?;
    let message = transcript.step("its receipt comes", scene.delivered(&pushed)).await?;
    transcript.step("the message's own story", async { story(&message) }).await?;
    let mut silent = 1;
    while !transcript.step("another message", scene.another(silent)).await? {
        silent += 1;
        ensure!(silent < MOST, "{silent} messages were lost by Twilio, and it is not passed over");
    }
    for _ in 1..SHOWN {
        let passed = transcript.step("another message", scene.another(silent)).await?;
        ensure!(passed, "Twilio is tried again so soon");
    }
    transcript.step("Twilio speaks again", scene.first_is(Fate::Delivered)).await?;
    transcript.step("a message tries it", scene.healed(between)).await?;
    println!("\n  {} steps in {}", transcript.steps(), progress::seconds(watch.elapsed()));
    println!("  texts: {}\n", endpoints.phone);
    Ok(())
}

/// A tenant whose texts may go two ways.
struct Scene<'a> {
    endpoints: &'a Endpoints,
    api: Api,
    tenant: String,
    admin: String,
    operator: String,
    /// What is in all names of this run, and in none of another.
    mark: u64,
    users: u32,
    patience: Duration,
}

/// A message on its way.
struct Pushed {
    message: String,
    number: String,
    watch: Watch,
}

impl Pushed {
    fn since(&self) -> String {
        progress::seconds(self.watch.elapsed())
    }
}

impl<'a> Scene<'a> {
    async fn of_new_tenant(endpoints: &'a Endpoints, patience: Duration) -> Result<(Self, String)> {
        // A system of an older build has no phone.
        phone_view::fetch(&endpoints.phone, 0).await?;
        let mark = host::unix_time();
        let tenant = format!("failover-{mark}");
        let api = Api::at(&endpoints.api);
        let platform = endpoints.platform_key().await?;
        let order = json!({ "tenant": tenant, "name": "Acme Ltd" });
        api.post("/v1/tenants", &platform, &order).await?.expect(201)?;
        let key = async |role: &str| -> Result<String> {
            let order = json!({ "tenant": tenant, "role": role, "name": "demonstration" });
            Ok(api.post("/v1/keys", &platform, &order).await?.expect(201)?.text("secret")?.to_owned())
        };
        let (admin, operator) = (key("admin").await?, key("operator").await?);
        let seen = tenant.clone();
        Ok((Self { endpoints, api, tenant, admin, operator, mark, users: 0, patience }, seen))
    }

    /// The account with Twilio: one of this run's own, so that nobody else's goes silent.
    fn account(&self) -> String {
        format!("AC{:032x}", self.mark)
    }

    async fn gateways(&self) -> Result<((), String)> {
        let twilio = json!({
            "name": "Texts by Twilio",
            "kind": "twilio",
            "settings": { "account_sid": self.account(), "from": "+15005550006" },
            "credentials": { "auth_token": "not-a-token-of-any-account" },
        });
        let service = format!("00000000-0000-4000-8000-{:012x}", self.mark);
        let notify = json!({
            "name": "Texts by GOV.UK Notify",
            "kind": "govuk_notify",
            "settings": { "template_id": TEMPLATE },
            "credentials": { "api_key": govuk_notify::key_of(&service), "callback_token": TOKEN },
        });
        for (id, document) in [(FIRST, twilio), (SECOND, notify)] {
            self.put(&format!("/v1/gateways/{id}"), &document).await?;
        }
        // What an operator sets in Notify, on the page of the service's call-backs.
        let url = format!("{}/receipts/notify/{}/{SECOND}", self.endpoints.api, self.tenant);
        let call_back = CallBack { url, token: TOKEN.to_owned() };
        govuk_notify::register(&self.endpoints.govuk_notify, &service, &call_back).await?;
        Ok(((), format!("{FIRST} and {SECOND}; both providers tell what becomes of a text")))
    }

    async fn policy(&self) -> Result<((), String)> {
        let routes =
            json!([{ "gateway": FIRST, "wait_seconds": 5 }, { "gateway": SECOND, "wait_seconds": 20 }]);
        let settings = json!({ "channels": ["sms"], "sms_routes": routes });
        let policy = json!({ "applies_to": { "everyone": true }, "settings": settings });
        self.put("/v1/policies/texts", &policy).await?;
        Ok(((), format!("{FIRST} first; {SECOND} when there is no receipt within 5 seconds")))
    }

    async fn put(&self, path: &str, document: &Value) -> Result<()> {
        self.api.send(Method::PUT, path, &self.admin, Some(document)).await?.expect(201)?;
        Ok(())
    }

    async fn first_is(&self, fate: Fate) -> Result<((), String)> {
        decide(&self.endpoints.twilio, Some(fate), Some(&self.account())).await?;
        let seen = match fate {
            Fate::Silent => "it takes every text, brings none, and tells nothing",
            _ => "it brings texts, and tells of them",
        };
        Ok(((), seen.to_owned()))
    }

    /// Another user with a number of their own, and a push of their token.
    async fn push(&mut self) -> Result<(Pushed, String)> {
        self.users += 1;
        let user = format!("jane-{}", self.users);
        // Numbers that are nobody's, set aside for stories.
        let number = format!("+447700900{}", 200 + self.users);
        let body = json!({ "user": user, "display_name": "Jane Doe", "phone": number });
        self.api.post("/v1/users", &self.operator, &body).await?.expect(201)?;
        let token = self
            .api
            .post(&format!("/v1/users/{user}/tokens"), &self.operator, &json!({}))
            .await?
            .expect(201)?;
        let path = format!("/v1/tokens/{}/push", token.text("serial")?);
        let watch = Watch::start();
        let order = json!({ "channel": "sms" });
        let message =
            self.api.post(&path, &self.operator, &order).await?.expect(202)?.text("message")?.to_owned();
        let seen = format!("{message} to {number}");
        Ok((Pushed { message, number, watch }, seen))
    }

    async fn message(&self, pushed: &Pushed) -> Result<Value> {
        let path = format!("/v1/messages/{}", pushed.message);
        Ok(self.api.get(&path, &self.operator).await?.expect(200)?.body)
    }

    async fn taken(&self, pushed: &Pushed) -> Result<((), String)> {
        let hop =
            self.until("Twilio did not take it", async || Ok(hop(&self.message(pushed).await?, 0))).await?;
        ensure!(hop.gateway == FIRST, "it went by {}", hop.gateway);
        ensure!(hop.state == "accepted", "it is {}", hop.state);
        Ok(((), format!("after {}", pushed.since())))
    }

    async fn left(&self, pushed: &Pushed) -> Result<((), String)> {
        let second = async || Ok(hop(&self.message(pushed).await?, 1));
        let hop = self.until("no other gateway was asked", second).await?;
        ensure!(hop.gateway == SECOND, "it went by {}", hop.gateway);
        Ok(((), format!("{SECOND} has it after {}", pushed.since())))
    }

    async fn brought(&self, pushed: &Pushed) -> Result<((), String)> {
        let text = self.text(pushed).await?;
        ensure!(text.by == "govuk_notify", "{} brought it", text.by);
        Ok(((), format!("after {}{NEXT}{} shows: “{}”", pushed.since(), text.to, first_words(&text.body))))
    }

    /// The text, once it is on the phone.
    async fn text(&self, pushed: &Pushed) -> Result<phone_view::Shown> {
        let find = async || -> Result<Option<phone_view::Shown>> {
            let texts = phone_view::fetch(&self.endpoints.phone, 0).await?;
            Ok(texts.into_iter().rev().find(|text| text.to == pushed.number))
        };
        self.until("no text is on the phone", find).await
    }

    async fn delivered(&self, pushed: &Pushed) -> Result<(Value, String)> {
        let message = self.until_delivered(pushed).await?;
        Ok((message, format!("after {}: delivered", pushed.since())))
    }

    async fn until_delivered(&self, pushed: &Pushed) -> Result<Value> {
        let delivered = async || {
            let message = self.message(pushed).await?;
            Ok((message.get("status") == Some(&json!("delivered"))).then_some(message))
        };
        self.until("the message is not delivered", delivered).await
    }

    /// One more message; whether it passed the silent gateway over.
    async fn another(&mut self, silent: usize) -> Result<(bool, String)> {
        let (pushed, _) = self.push().await?;
        let text = self.text(&pushed).await?;
        let arrived = pushed.since();
        ensure!(text.by == "govuk_notify", "{} brought it", text.by);
        let first = hop(&self.until_delivered(&pushed).await?, 0).context("it has a hop")?;
        let passed = first.gateway == SECOND;
        let how = if passed {
            format!("{FIRST} is passed over, after {silent} that it lost")
        } else {
            format!("{FIRST} was silent, for the {} time", ordinal(silent + 1))
        };
        Ok((passed, format!("on the phone after {arrived}: {how}")))
    }

    /// Messages go out until one finds that the gateway works again.
    async fn healed(&mut self, between: Duration) -> Result<((), String)> {
        let (watch, mut sent) = (Watch::start(), 0);
        loop {
            sent += 1;
            let (pushed, _) = self.push().await?;
            let text = self.text(&pushed).await?;
            if text.by == FIRST {
                let (waited, took) = (progress::seconds(watch.elapsed()), pushed.since());
                self.until_delivered(&pushed).await?;
                let seen =
                    format!("the {} of them, {waited} later; by {FIRST} it takes {took}", ordinal(sent));
                return Ok(((), seen));
            }
            ensure!(watch.elapsed() < HEALS, "{FIRST} is passed over for too long");
            host::pause(between).await;
        }
    }

    /// What is there at last.
    async fn until<T>(&self, missing: &str, look: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
        let watch = Watch::start();
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            if watch.elapsed() > self.patience {
                bail!("{missing} after {}", progress::seconds(watch.elapsed()));
            }
            host::pause(Duration::from_millis(100)).await;
        }
    }
}

/// What a message shows of a hop.
struct Hop {
    gateway: String,
    state: String,
}

/// The hop at a place, once its sender has it no more.
fn hop(message: &Value, place: usize) -> Option<Hop> {
    let hop = message.get("hops")?.get(place)?;
    let text = |name: &str| hop.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let state = text("state");
    (!["handed", "claimed"].contains(&state.as_str())).then(|| Hop { gateway: text("gateway"), state })
}

/// What the message tells of its way, line by line.
fn story(message: &Value) -> Result<((), String)> {
    let lines = message.get("story").and_then(Value::as_array).context("the message tells no story")?;
    let line = |line: &Value| {
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        Some(format!("{}  {}", text("at")?, text("text")?))
    };
    let lines: Option<Vec<String>> = lines.iter().map(line).collect();
    let lines = lines.filter(|lines| lines.len() > 2).context("the message's story is odd")?;
    Ok(((), lines.join(NEXT)))
}

/// As much of a text as a line takes.
fn first_words(text: &str) -> String {
    let mut words: String = text.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
    words.push_str(" …");
    words
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}
