//! Thirty people arrive by their directory's events, get their mails, one leaves, one comes back.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Api;
use super::transcript::Transcript;
use crate::directory::{ACCOUNT, Directory, Telling};
use crate::host::{self, Watch};
use crate::world::Endpoints;
use crate::{mails, progress};

/// How many people arrive.
const PEOPLE: usize = 30;
/// How long a step may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs it in a tenant of its own and prints each step.
///
/// # Errors
/// A step fails: it was printed with its reason.
pub async fn run(endpoints: &Endpoints) -> Result<()> {
    println!("\nA directory tells of {PEOPLE} people: their tokens come and go by themselves\n");
    let watch = Watch::start();
    let mut transcript = Transcript::default();
    let people = transcript.step("a tenant with a directory", People::of_new_tenant(endpoints)).await?;
    transcript.step("its policy", people.policy()).await?;
    transcript.step("30 people are told of", people.arrive()).await?;
    transcript.step("their mails arrive", people.all_have_mails()).await?;
    transcript.step("the same night after night", people.again()).await?;
    transcript.step("why one has a token", people.explained()).await?;
    transcript.step("one leaves the group", people.leaves()).await?;
    transcript.step("one leaves and comes back", people.comes_back()).await?;
    transcript.step("one is switched off", people.switched_off()).await?;
    println!("\n  {} steps in {}\n", transcript.steps(), progress::seconds(watch.elapsed()));
    Ok(())
}

/// A tenant and its people.
struct People<'a> {
    endpoints: &'a Endpoints,
    api: Api,
    directory: Directory,
    tenant: String,
    admin: String,
}

fn name(number: usize) -> String {
    format!("person-{number:02}")
}

impl<'a> People<'a> {
    async fn of_new_tenant(endpoints: &'a Endpoints) -> Result<(Self, String)> {
        let tenant = format!("demo-{}", host::unix_time());
        let api = Api::at(&endpoints.api);
        let platform = endpoints.platform_key().await?;
        api.post("/v1/tenants", &platform, &json!({ "tenant": tenant, "name": "Demo AG" }))
            .await?
            .expect(201)?;
        let order = json!({ "tenant": tenant, "role": "admin", "name": "demonstration" });
        let made = api.post("/v1/keys", &platform, &order).await?.expect(201)?;
        let admin = made.text("secret")?.to_owned();
        let bus = endpoints.outputs.get("DirectoryBusName")?;
        let directory = Directory::new(&endpoints.emulator, bus, &tenant);
        let source =
            json!({ "tenant": tenant, "account": ACCOUNT, "source": directory.source, "kind": "contract" });
        api.post("/v1/directories", &platform, &source).await?.expect(201)?;
        let seen = format!("{tenant}; events of {} from account {ACCOUNT} are its", directory.source);
        Ok((Self { endpoints, api, directory, tenant, admin }, seen))
    }

    async fn policy(&self) -> Result<((), String)> {
        let policy = json!({
            "description": "Staff get a token by themselves",
            "applies_to": { "groups": ["Staff"] },
            "settings": { "provision_tokens": true, "provision_clients": true, "authorization_code": "none" },
        });
        self.api.send(Method::PUT, "/v1/policies/staff", &self.admin, Some(&policy)).await?.expect(201)?;
        Ok(((), "whoever is in Staff gets a token and its mail".to_owned()))
    }

    fn tell(&self, number: usize, version: u64, groups: &[&str]) -> Telling {
        Telling::person(&self.tenant, &name(number), version, true, groups)
    }

    async fn arrive(&self) -> Result<((), String)> {
        let told: Vec<_> = (0..PEOPLE).map(|number| self.tell(number, 1, &["Staff"])).collect();
        self.directory.tell(&told).await?;
        Ok(((), format!("{PEOPLE} events on the bus {}", self.endpoints.outputs.get("DirectoryBusName")?)))
    }

    /// How many mails each of them has.
    async fn mails(&self) -> Result<Vec<usize>> {
        let all = mails::fetch(&self.endpoints.viewer).await?;
        let of = |number| {
            let address = format!("{}@{}.example.org", name(number), self.tenant);
            all.iter().filter(|mail| mail.is_to(&address)).count()
        };
        Ok((0..PEOPLE).map(of).collect())
    }

    async fn all_have_mails(&self) -> Result<((), String)> {
        let watch = Watch::start();
        loop {
            let have = self.mails().await?.into_iter().filter(|mails| *mails == 1).count();
            if have == PEOPLE {
                return Ok(((), format!("{PEOPLE} after {}", progress::seconds(watch.elapsed()))));
            }
            ensure!(watch.elapsed() < PATIENCE, "only {have} of {PEOPLE} have their mail");
            host::pause(Duration::from_millis(500)).await;
        }
    }

    /// A directory tells of everyone again and again. What comes behind it in the queue shows that it was looked at.
    async fn again(&self) -> Result<((), String)> {
        let told: Vec<_> = (0..PEOPLE).map(|number| self.tell(number, 2, &["Staff"])).collect();
        self.directory.tell(&told).await?;
        let last = self.tell(PEOPLE, 1, &[]);
        self.directory.tell(&[last]).await?;
        self.until("the last of them is there", || async {
            let user = self.user(PEOPLE).await?;
            Ok(user.status == StatusCode::OK)
        })
        .await?;
        host::pause(Duration::from_secs(3)).await;
        let mails: usize = self.mails().await?.into_iter().sum();
        ensure!(mails == PEOPLE, "{mails} mails");
        Ok(((), format!("told of all again: still {mails} tokens and {mails} mails")))
    }

    async fn explained(&self) -> Result<((), String)> {
        let path = format!("/v1/users/{}/explain", name(0));
        let answer = self.api.get(&path, &self.admin).await?.expect(200)?;
        let settings = answer.body.get("settings").and_then(Value::as_array).context("no settings")?;
        let found = settings.iter().find(|one| one.get("setting") == Some(&json!("provision_tokens")));
        let found = found.context("no such setting")?;
        let policy = found.get("policy").and_then(Value::as_str).unwrap_or("none");
        ensure!(policy == "staff", "{found}");
        Ok(((), format!("provision_tokens is {} by policy {policy}", found["value"])))
    }

    async fn leaves(&self) -> Result<((), String)> {
        self.directory.tell(&[self.tell(0, 3, &[])]).await?;
        self.until("their token is revoked", || async { Ok(self.live(0).await? == 0) }).await?;
        Ok(((), format!("{}: the token is revoked, the link is dead", name(0))))
    }

    async fn comes_back(&self) -> Result<((), String)> {
        self.directory.tell(&[self.tell(1, 3, &[])]).await?;
        self.until("their token is revoked", || async { Ok(self.live(1).await? == 0) }).await?;
        self.directory.tell(&[self.tell(1, 4, &["Staff"])]).await?;
        self.until("the second mail arrives", || async {
            Ok(self.mails().await?.get(1).copied() == Some(2))
        })
        .await?;
        ensure!(self.live(1).await? == 1, "not one token");
        Ok(((), format!("{}: a new token, a new mail", name(1))))
    }

    async fn switched_off(&self) -> Result<((), String)> {
        self.directory.tell(&[Telling::disabled(&name(2), 3)]).await?;
        self.until("they are switched off", || async {
            let user = self.user(2).await?.expect(200)?;
            Ok(user.body.get("active") == Some(&json!(false)) && self.live(2).await? == 0)
        })
        .await?;
        Ok(((), format!("{}: no code is accepted, the token is revoked", name(2))))
    }

    async fn user(&self, number: usize) -> Result<super::Answer> {
        self.api.get(&format!("/v1/users/{}", name(number)), &self.admin).await
    }

    async fn live(&self, number: usize) -> Result<usize> {
        let path = format!("/v1/users/{}/tokens", name(number));
        let answer = self.api.get(&path, &self.admin).await?.expect(200)?;
        Ok(answer.body.get("tokens").and_then(Value::as_array).map_or(0, Vec::len))
    }

    async fn until<F: Future<Output = Result<bool>>>(&self, what: &str, so: impl Fn() -> F) -> Result<()> {
        let watch = Watch::start();
        while !so().await? {
            if watch.elapsed() > PATIENCE {
                bail!("two minutes have passed, and not yet: {what}");
            }
            host::pause(Duration::from_millis(500)).await;
        }
        Ok(())
    }
}
