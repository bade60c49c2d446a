//! The steps of the main job.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::StatusCode;
use serde_json::json;

use super::transcript::Transcript;
use super::{Api, Browser, Keys, TENANT};
use crate::host::{self, Watch};
use crate::mails::{self, Mail};
use crate::world::Endpoints;
use crate::{Authenticator, mask, page, progress, qr};

/// How long a mail may take.
const MAIL_TIME: Duration = Duration::from_mins(1);

/// The steps, and where they go.
#[derive(Debug)]
pub(super) struct Steps<'a> {
    endpoints: &'a Endpoints,
    api: Api,
}

/// A user with an active token.
#[derive(Debug)]
pub(super) struct Enrolled {
    user: String,
    serial: String,
    app: Authenticator,
    /// When the code that activated the token was made.
    used_at: u64,
}

/// A message on its way, and the authorization code that goes another way.
struct Pushed {
    message: String,
    authorization: String,
}

/// A user who was just added.
struct User {
    name: String,
    address: String,
}

impl<'a> Steps<'a> {
    pub(super) fn new(endpoints: &'a Endpoints) -> Self {
        Self { endpoints, api: Api::at(&endpoints.api) }
    }

    /// Makes the tenant and its keys.
    pub(super) async fn prepare(&self, transcript: &mut Transcript) -> Result<Keys> {
        let platform = self.endpoints.platform_key().await.context("cannot read the platform key")?;
        transcript.step("tenant", self.tenant(&platform)).await?;
        transcript.step("API keys", self.keys(&platform)).await
    }

    async fn tenant(&self, platform: &str) -> Result<((), String)> {
        let body = json!({ "tenant": TENANT, "name": "Demo Ltd" });
        let answer = self.api.post("/v1/tenants", platform, &body).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(((), format!("{TENANT} was there")));
        }
        answer.expect(201)?;
        Ok(((), format!("{TENANT}, Demo Ltd")))
    }

    async fn keys(&self, platform: &str) -> Result<(Keys, String)> {
        let keys = Keys::made(&self.api, platform.to_owned(), TENANT, "demonstration").await?;
        let [operator, app, admin] = [&keys.operator, &keys.app, &keys.admin].map(|key| mask::key(key));
        let seen = format!("operator {operator}, app {app}, admin {admin}");
        Ok((keys, seen))
    }

    /// From a new user to an active token.
    pub(super) async fn enrol(&self, transcript: &mut Transcript, keys: &Keys) -> Result<Enrolled> {
        let user = transcript.step("operator adds a user", self.user(keys)).await?;
        let serial = transcript.step("provisions a token", self.provision(keys, &user)).await?;
        let pushed = transcript.step("pushes it by e-mail", self.push(keys, &serial)).await?;
        let mail = transcript.step("the mail arrives", self.mail(keys, &user, &pushed.message)).await?;
        let link = transcript.step("its QR code is read", async { self.link(&mail) }).await?;
        let mut browser = Browser::at(&link);
        transcript.step("user opens the link", open(&mut browser)).await?;
        let app = start(&mut browser, &pushed.authorization);
        let app = transcript.step("types the operator's code", app).await?;
        let used_at = host::unix_time();
        let code = app.code_at(used_at);
        transcript.step("types the app's first code", activate(&mut browser, &code)).await?;
        transcript.step("the token", self.active(keys, &serial)).await?;
        Ok(Enrolled { user: user.name, serial, app, used_at })
    }

    async fn user(&self, keys: &Keys) -> Result<(User, String)> {
        for name in ["jane".to_owned(), format!("jane-{}", host::unix_time())] {
            let address = format!("{name}@example.org");
            let body = json!({ "user": name, "display_name": "Jane Doe", "email": address, "locale": "en" });
            let answer = self.api.post("/v1/users", &keys.operator, &body).await?;
            if answer.status == StatusCode::CONFLICT {
                continue;
            }
            answer.expect(201)?;
            let seen = format!("{name}, Jane Doe <{address}>");
            return Ok((User { name, address }, seen));
        }
        bail!("every name is taken")
    }

    async fn provision(&self, keys: &Keys, user: &User) -> Result<(String, String)> {
        let path = format!("/v1/users/{}/tokens", user.name);
        let answer = self.api.post(&path, &keys.operator, &json!({})).await?.expect(201)?;
        let serial = answer.text("serial")?.to_owned();
        let seen = format!("{serial}, {}", answer.text("state")?);
        Ok((serial, seen))
    }

    async fn push(&self, keys: &Keys, serial: &str) -> Result<(Pushed, String)> {
        let path = format!("/v1/tokens/{serial}/push");
        let answer =
            self.api.post(&path, &keys.operator, &json!({ "channel": "email" })).await?.expect(202)?;
        let (message, authorization) = (answer.text("message")?, answer.text("authorization_code")?);
        let seen = format!("{message}, {}; tells the user {authorization}", answer.text("status")?);
        Ok((Pushed { message: message.to_owned(), authorization: authorization.to_owned() }, seen))
    }

    async fn mail(&self, keys: &Keys, user: &User, message: &str) -> Result<(Mail, String)> {
        let watch = Watch::start();
        loop {
            let mails = mails::fetch(&self.endpoints.viewer).await?;
            if let Some(mail) = mails.into_iter().find(|mail| mail.is_to(&user.address)) {
                let seen = format!("“{}” after {}", mail.subject, progress::seconds(watch.elapsed()));
                return Ok((mail, seen));
            }
            if watch.elapsed() > MAIL_TIME {
                let answer = self.api.get(&format!("/v1/messages/{message}"), &keys.operator).await?;
                bail!("no mail within a minute; the message: {}", answer.body);
            }
            host::pause(Duration::from_millis(200)).await;
        }
    }

    /// The link in the mail, which its QR code must say too.
    fn link(&self, mail: &Mail) -> Result<(String, String)> {
        let link = mail.link(&format!("{}/e/", self.endpoints.api)).context("the mail's text has no link")?;
        let png = mail.inline_png().context("the mail has no inline PNG")?;
        let code = qr::decode_png(&png.content)?;
        ensure!(code.text == link, "the QR code says {}, the text {link}", code.text);
        ensure!(mail.html.contains(link), "the HTML part has no link");
        let size = format!("{}×{} pixels, {} bytes", code.width, code.height, png.content.len());
        Ok((link.to_owned(), format!("{}, as the text ({size})", mask::link(link))))
    }

    async fn active(&self, keys: &Keys, serial: &str) -> Result<((), String)> {
        let answer = self.api.get(&format!("/v1/tokens/{serial}"), &keys.operator).await?.expect(200)?;
        let state = answer.text("state")?;
        ensure!(state == "active", "the token is {state}");
        Ok(((), format!("{serial} is active")))
    }

    /// A second code is accepted, once.
    pub(super) async fn verify(
        &self,
        transcript: &mut Transcript,
        keys: &Keys,
        enrolled: &Enrolled,
    ) -> Result<()> {
        // The step after the one that activated: inside the window, so nobody has to wait for it.
        let code = enrolled.app.code_at(enrolled.used_at + enrolled.app.period());
        let accepted = transcript.step("an app verifies the next one", self.accepted(keys, enrolled, &code));
        accepted.await?;
        transcript.step("the same code again", self.refused(keys, enrolled, &code)).await
    }

    async fn accepted(&self, keys: &Keys, enrolled: &Enrolled, code: &str) -> Result<((), String)> {
        let body = json!({ "user": enrolled.user, "code": code });
        let answer = self.api.post("/v1/verify", &keys.app, &body).await?.expect(200)?;
        let (result, serial) = (answer.text("result")?, answer.text("serial")?);
        ensure!(result == "accepted" && serial == enrolled.serial, "{result} for {serial}");
        Ok(((), format!("{}: {result} for {}", mask::code(code), enrolled.user)))
    }

    async fn refused(&self, keys: &Keys, enrolled: &Enrolled, code: &str) -> Result<((), String)> {
        let body = json!({ "user": enrolled.user, "code": code });
        let answer = self.api.post("/v1/verify", &keys.app, &body).await?.expect(422)?;
        ensure!(answer.problem_kind() == Some("invalid-code"), "{}", answer.problem());
        Ok(((), format!("refused: {}", answer.problem())))
    }
}

async fn open(browser: &mut Browser) -> Result<((), String)> {
    let status = browser.open().await?;
    ensure!(status == StatusCode::OK, "the page answers {status}");
    ensure!(page::forms(browser.html()) == 1, "the page has {} forms", page::forms(browser.html()));
    ensure!(page::link(browser.html(), "otpauth").is_none(), "opening alone gives the seed away");
    Ok(((), "a page that asks for the authorization code; opening alone changes nothing".to_owned()))
}

async fn start(browser: &mut Browser, authorization: &str) -> Result<(Authenticator, String)> {
    let status = browser.submit(&[]).await?;
    ensure!(status == StatusCode::FORBIDDEN, "without the authorization code the page answers {status}");
    let status = browser.submit(&[("authorization_code", authorization)]).await?;
    ensure!(status == StatusCode::OK, "the page answers {status}");
    ensure!(browser.cookie_names().next().is_some(), "the page sets no cookie");
    let uri = page::link(browser.html(), "otpauth").context("the page has no otpauth link")?;
    let app = Authenticator::scan(&uri)?;
    let seen = format!("the app takes the seed: {}", app.summary());
    Ok((app, seen))
}

async fn activate(browser: &mut Browser, code: &str) -> Result<((), String)> {
    let status = browser.submit(&[("code", code)]).await?;
    ensure!(status == StatusCode::OK, "the page answers {status}");
    ensure!(page::has_id(browser.html(), "activated"), "the page does not say that the token is active");
    Ok(((), format!("{}: activated", mask::code(code))))
}
