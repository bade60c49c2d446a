//! A message by a gateway of each kind, until it is seen where it arrives; then what a test tells when one cannot.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::transcript::Transcript;
use super::{Answer, Api};
use crate::host::{self, Watch};
use crate::world::Endpoints;
use crate::{mails, phone_view, progress};

mod documents;
#[cfg(test)]
mod tests;
mod told;

use documents::{Documents, with};
use told::Told;

/// How long a message may take to arrive.
const PATIENCE: Duration = Duration::from_secs(20);
/// A number that Twilio's test credentials refuse, and so does its stand-in.
const BAD_NUMBER: &str = "+15005550001";
/// The password of nobody.
const WRONG_PASSWORD: &str = "not-the-password";

/// Runs it in a tenant of its own and prints each step.
///
/// # Errors
/// A step fails: it was printed with its reason.
pub async fn run(endpoints: &Endpoints) -> Result<()> {
    run_with(endpoints, PATIENCE).await
}

async fn run_with(endpoints: &Endpoints, patience: Duration) -> Result<()> {
    println!("\nMessages leave by gateways of each kind, each saved and tested in one call\n");
    let watch = Watch::start();
    let mut transcript = Transcript::default();
    let scene = transcript.step("a tenant", Scene::of_new_tenant(endpoints, patience)).await?;
    let documents = Documents::of(endpoints, &scene.tenant)?;
    let (admin, platform) = (scene.admin.as_str(), scene.platform.as_str());
    transcript.step("ses", scene.mail_by(platform, "ses", documents.ses())).await?;
    transcript.step("mail", scene.mail_by(admin, "mail", documents.mail())).await?;
    let [first, second, third, fourth] = documents::NUMBERS;
    let text = scene.text_by(admin, "twilio", (first, "twilio"), documents::twilio());
    transcript.step("twilio", text).await?;
    let text = scene.text_by(admin, "govuk-notify", (second, "govuk_notify"), documents::govuk_notify());
    transcript.step("govuk-notify", text).await?;
    let text = scene.text_by(admin, "texts-by-mail", (third, "email_to_sms"), documents::texts_by_mail());
    transcript.step("texts-by-mail", text).await?;
    let text = scene.text_by(platform, "texts-by-ses", (fourth, "email_to_sms"), documents.texts_by_ses());
    transcript.step("texts-by-ses", text).await?;
    let wrong = scene.wrong_password(documents.mail_with_password(WRONG_PASSWORD));
    transcript.step("a wrong password", wrong).await?;
    transcript.step("a bad number", scene.bad_number()).await?;
    println!("\n  {} steps in {}", transcript.steps(), progress::seconds(watch.elapsed()));
    println!("  mails: {}\n  texts: {}\n", endpoints.viewer, endpoints.phone);
    Ok(())
}

/// A tenant, and who configures its gateways.
struct Scene<'a> {
    endpoints: &'a Endpoints,
    api: Api,
    tenant: String,
    admin: String,
    platform: String,
    /// What is in every message of this run, and in none of another.
    mark: u64,
    patience: Duration,
}

impl<'a> Scene<'a> {
    async fn of_new_tenant(endpoints: &'a Endpoints, patience: Duration) -> Result<(Self, String)> {
        // A system of an older build has no phone.
        phone_view::fetch(&endpoints.phone, 0).await?;
        let mark = host::unix_time();
        let tenant = format!("senders-{mark}");
        let api = Api::at(&endpoints.api);
        let platform = endpoints.platform_key().await?;
        let order = json!({ "tenant": tenant, "name": "Acme Ltd" });
        api.post("/v1/tenants", &platform, &order).await?.expect(201)?;
        let order = json!({ "tenant": tenant, "role": "admin", "name": "demonstration" });
        let made = api.post("/v1/keys", &platform, &order).await?.expect(201)?;
        let admin = made.text("secret")?.to_owned();
        let seen = format!("{tenant}; its gateways are its own, but for those that the platform lends it");
        Ok((Self { endpoints, api, tenant, admin, platform, mark, patience }, seen))
    }

    /// What the test of a gateway says.
    fn text(&self, id: &str) -> String {
        format!("Hello by {id}, {}", self.mark)
    }

    /// Saves a gateway and tests it in one call. One of an earlier run is replaced: the platform's have fixed names.
    async fn save_and_test(&self, key: &str, id: &str, document: Value, to: Value) -> Result<Told> {
        let mut test = with(to, [("text", json!(self.text(id)))]);
        if key == self.platform {
            test = with(test, [("tenant", json!(self.tenant))]);
        }
        let document = with(document, [("test", test)]);
        let path = format!("/v1/gateways/{id}");
        let mut answer = self.api.send(Method::PUT, &path, key, Some(&document)).await?;
        if answer.problem_kind() == Some("precondition-required") {
            let headers = [("authorization", format!("Bearer {key}")), ("if-match", "*".to_owned())];
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            answer = self.api.send_with(Method::PUT, &path, &headers, Some(&document)).await?.expect(200)?;
        } else {
            answer = answer.expect(201)?;
        }
        self.told(answer.body.get("test").context("the answer has no test")?).await
    }

    /// What became of a test: its sender may need longer than the call waits.
    async fn told(&self, test: &Value) -> Result<Told> {
        let told = Told::of_test(test)?;
        let Some(message) = told.pending.clone() else { return Ok(told) };
        let read = async || -> Result<Option<Told>> {
            let path = format!("/v1/messages/{message}");
            let answer: Answer = self.api.get(&path, &self.admin).await?.expect(200)?;
            Told::of_message(&answer.body)
        };
        self.until(&format!("nothing became of {message}"), read).await
    }

    /// A mail, until it is in the viewer.
    async fn mail_by(&self, key: &str, id: &str, document: Value) -> Result<((), String)> {
        let to = format!("{id}-{}@example.org", self.mark);
        let told = self.save_and_test(key, id, document, json!({ "email": to })).await?.accepted()?;
        let find = async || -> Result<Option<mails::Mail>> {
            Ok(mails::fetch(&self.endpoints.viewer).await?.into_iter().find(|mail| mail.is_to(&to)))
        };
        let mail = self.until("no mail is in the viewer", find).await?;
        ensure!(mail.text.contains(&self.text(id)), "the mail says something else");
        Ok(((), format!("{told}\nin the viewer: “{}” from {}", mail.subject, mail.from).replace('\n', NEXT)))
    }

    /// A text to a number, until the stand-in has brought it there.
    async fn text_by(
        &self,
        key: &str,
        id: &str,
        (to, by): (&str, &str),
        document: Value,
    ) -> Result<((), String)> {
        let before = phone_view::fetch(&self.endpoints.phone, 0).await?.len();
        let told = self.save_and_test(key, id, document, json!({ "phone": to })).await?.accepted()?;
        let find = async || -> Result<Option<phone_view::Shown>> {
            let texts = phone_view::fetch(&self.endpoints.phone, before).await?;
            Ok(texts.into_iter().find(|text| text.to == to && text.by == by))
        };
        let text = self.until("no text is on the phone", find).await?;
        ensure!(text.body.contains(&self.text(id)), "the text says something else");
        Ok(((), format!("{told}\n{to} shows: “{}” from {}", text.body, text.from).replace('\n', NEXT)))
    }

    async fn wrong_password(&self, document: Value) -> Result<((), String)> {
        let to = json!({ "email": format!("nobody-{}@example.org", self.mark) });
        let told = self.save_and_test(&self.admin, "wrong-password", document, to).await?;
        told.ended("configuration_bad", WRONG_PASSWORD)
    }

    async fn bad_number(&self) -> Result<((), String)> {
        let order = json!({ "phone": BAD_NUMBER });
        let answer = self.api.post("/v1/gateways/twilio/test", &self.admin, &order).await?.expect(200)?;
        self.told(&answer.body).await?.ended("recipient_bad", BAD_NUMBER)
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
            host::pause(Duration::from_millis(200)).await;
        }
    }
}

/// Where the next line of a step begins: below the first.
pub(super) const NEXT: &str = "\n                              ";
