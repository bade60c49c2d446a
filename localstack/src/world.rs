//! A whole deployed system on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::aws::{Aws, Invoked};
use crate::deploy::Deployment;
use crate::emulator::{self, Server};
pub use crate::endpoints::Endpoints;
use crate::host::Watch;
use crate::layout::Layout;
use crate::logs::{self, Line, plain};
use crate::mails::{self, Mail};
use crate::phone::{Phone, Text};
use crate::phone_view::PhoneView;
use crate::progress::Progress;
use crate::providers::govuk_notify::GovukNotify;
use crate::providers::twilio::Twilio;
use crate::proxy::Front;
use crate::ses::{self, News};
use crate::smtp::Smtp;
use crate::tap::Tap;
use crate::third_party::ThirdParty;
use crate::{build, install, ports, tools, viewer};

/// How a world starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its state and logs lie; absent: a folder of its own below `target/local/worlds`.
    pub folder: Option<PathBuf>,
    /// The wished port of the API; taken or absent: any free one.
    pub api_port: Option<u16>,
    /// The wished port of the mail viewer; taken or absent: any free one.
    pub viewer_port: Option<u16>,
    /// The wished port of the phone view; taken or absent: any free one.
    pub phone_port: Option<u16>,
    /// The wished port of the SMTP gateway; taken or absent: any free one.
    pub smtp_port: Option<u16>,
    /// Deploys release builds of the functions.
    pub release: bool,
    /// Whether progress is shown.
    pub progress: Progress,
}

impl Options {
    /// Free ports, a folder of its own, development builds.
    #[must_use]
    pub fn for_tests() -> Self {
        Self {
            folder: None,
            api_port: None,
            viewer_port: None,
            phone_port: None,
            smtp_port: None,
            release: false,
            progress: Progress::Shown,
        }
    }
}

/// A running system. Its child processes end with it, in whatever way it goes.
///
/// The proxies run on the tokio runtime that called [`World::start`], which must outlive the world.
#[derive(Debug)]
pub struct World {
    folder: PathBuf,
    endpoints: Endpoints,
    aws: Aws,
    tap: Tap,
    front: Front,
    emulator: Server,
    viewer: Server,
    smtp: Smtp,
    phone: Phone,
    twilio: Twilio,
    govuk_notify: GovukNotify,
    _phone_view: PhoneView,
}

impl World {
    /// Installs and builds what is missing, starts the servers and deploys the CDK app.
    ///
    /// # Errors
    /// A tool is missing, or one of the steps fails.
    pub async fn start(options: Options) -> Result<Self> {
        tools::check()?;
        let layout = Layout::find()?;
        install::install(&layout, options.progress).await?;
        build::build(&layout, options.release, options.progress).await?;
        let folder = make_folder(&layout, options.folder.clone())?;
        let front = Front::start(ports::listen(options.api_port)?)?;
        let phone = Phone::default();
        let third_party = ThirdParty::new(phone.clone());
        let tap = Tap::start(ports::listen(None)?, third_party.clone())?;
        let phone_view = PhoneView::start(ports::listen(options.phone_port)?, phone.clone())?;
        let twilio = Twilio::start(ports::listen(None)?, phone.clone(), Vec::new())?;
        let govuk_notify = GovukNotify::start(ports::listen(None)?, phone.clone())?;
        let mails = async {
            let viewer = viewer::start(&layout, &folder, options.viewer_port).await?;
            let smtp = Smtp::start(&layout, &folder, options.smtp_port, &viewer.url, third_party).await?;
            Ok((viewer, smtp))
        };
        let servers = async { tokio::try_join!(emulator::start(&layout, &folder, &tap.url), mails) };
        let (emulator, (viewer, smtp)) = options
            .progress
            .step("starting the emulator, the mail viewer and the SMTP gateway", servers)
            .await?;
        tap.open(&emulator.url, &viewer.url);
        let deployment = Deployment {
            layout: &layout,
            folder: &folder,
            emulator: &emulator.url,
            public_url: &front.url,
            twilio: &twilio.url,
            govuk_notify: &govuk_notify.url,
            release: options.release,
        };
        let outputs = deployment.run(options.progress).await?;
        front.open(&emulator.url, outputs.get("ApiId")?);
        let endpoints = Endpoints {
            api: front.url.clone(),
            viewer: viewer.url.clone(),
            emulator: emulator.url.clone(),
            tap: tap.url.clone(),
            phone: phone_view.url.clone(),
            twilio: twilio.url.clone(),
            govuk_notify: govuk_notify.url.clone(),
            smtp: smtp.address.clone(),
            smtp_authority: smtp.authority.clone(),
            smtp_password: smtp.password.clone(),
            outputs,
        };
        Ok(Self {
            folder,
            aws: Aws::at(&emulator.url),
            endpoints,
            tap,
            front,
            emulator,
            viewer,
            smtp,
            phone,
            twilio,
            govuk_notify,
            _phone_view: phone_view,
        })
    }

    /// Base URL of the API and of enrolment links, without a slash at its end.
    #[must_use]
    pub fn api_base(&self) -> &str {
        &self.front.url
    }

    /// The mail viewer's URL.
    #[must_use]
    pub fn viewer_url(&self) -> &str {
        &self.endpoints.viewer
    }

    /// The emulator's AWS endpoint. Calls made here are not counted.
    #[must_use]
    pub fn aws_endpoint(&self) -> &str {
        &self.endpoints.emulator
    }

    /// All addresses at once.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// An output of the stacks, such as `CoreTable`, `FlowTable` or `DeliveriesQueueUrl`.
    ///
    /// # Errors
    /// The stacks have no such output.
    pub fn output(&self, name: &str) -> Result<&str> {
        self.endpoints.outputs.get(name)
    }

    /// The platform key.
    ///
    /// # Errors
    /// Its secret is not there.
    pub async fn platform_key(&self) -> Result<String> {
        self.endpoints.platform_key().await
    }

    /// A client for direct AWS calls to the emulator.
    #[must_use]
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Every mail that was sent so far, oldest first.
    ///
    /// # Errors
    /// The viewer does not answer.
    pub async fn mails(&self) -> Result<Vec<Mail>> {
        mails::fetch(&self.endpoints.viewer).await
    }

    /// Every text that arrived so far, whoever brought it, oldest first.
    #[must_use]
    pub fn texts(&self) -> Vec<Text> {
        self.phone.texts()
    }

    /// The stand-in for Twilio, which tells more of what it took than the texts do.
    #[must_use]
    pub fn twilio(&self) -> &Twilio {
        &self.twilio
    }

    /// The stand-in for GOV.UK Notify, which is told where its services call back.
    #[must_use]
    pub fn govuk_notify(&self) -> &GovukNotify {
        &self.govuk_notify
    }

    /// The MIME of every mail as the functions gave it to SES, oldest first.
    #[must_use]
    pub fn raw_mails(&self) -> Vec<Vec<u8>> {
        self.tap.raw_mails()
    }

    /// Amazon SES tells of the latest mail of a message; gives how many functions heard of it. See [`crate::ses`].
    ///
    /// # Errors
    /// There is no such mail, or a function fails.
    pub async fn ses_tells(&self, message: &str, news: News) -> Result<usize> {
        let mail = self.tap.mail_of(message).with_context(|| format!("SES has no mail of {message}"))?;
        ses::tell(&self.aws, &mail.event(news)).await
    }

    /// How often functions asked for which AWS operation since the start or the last reset.
    #[must_use]
    pub fn wire_counts(&self) -> BTreeMap<String, u64> {
        self.tap.counts().read()
    }

    /// The same for the function whose binary is `function` alone.
    #[must_use]
    pub fn wire_counts_of(&self, function: &str) -> BTreeMap<String, u64> {
        self.tap.counts().read_of(function)
    }

    /// The time since a function first asked for an operation after the start or the last reset; nothing if it has not.
    #[must_use]
    pub fn wire_first(&self, function: &str, operation: &str) -> Option<Watch> {
        self.tap.counts().first(function, operation)
    }

    /// Counts from nothing again; gives the counts until now.
    pub fn reset_wire_counts(&self) -> BTreeMap<String, u64> {
        self.tap.counts().reset()
    }

    /// Calls the function whose binary is `function`, such as `deliver`, through Lambda's own API.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Invoked> {
        let names = self.aws.functions().await?;
        let name = function_named(&names, function)?;
        self.aws.invoke(name, payload).await
    }

    /// The environment variables that the deployment gave the function whose binary is `function`.
    ///
    /// # Errors
    /// There is no such function.
    pub async fn environment(&self, function: &str) -> Result<BTreeMap<String, String>> {
        let names = self.aws.functions().await?;
        self.aws.environment(function_named(&names, function)?).await
    }

    /// Why a server of this world ended by itself, if one did.
    pub fn broken(&mut self) -> Option<String> {
        self.emulator.ended().or_else(|| self.viewer.ended()).or_else(|| self.smtp.ended())
    }

    /// What the function whose binary is `function` logged, oldest first.
    ///
    /// # Errors
    /// The emulator refuses.
    pub async fn function_log(&self, function: &str) -> Result<Vec<Line>> {
        logs::read(&self.aws, &[function]).await
    }

    /// Ends everything in order and removes the world's folder.
    ///
    /// # Errors
    /// A server does not end, or the folder cannot be removed.
    pub async fn shutdown(self) -> Result<()> {
        let Self { folder, emulator, viewer, smtp, .. } = self;
        tokio::try_join!(emulator.stop(), viewer.stop(), smtp.stop())?;
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }
}

/// CloudFormation's name of a function: stack, logical id and a suffix. The logical id has the binary's name,
/// letters and digits only, and is cut where it is long.
fn function_named<'a>(names: &'a [String], function: &str) -> Result<&'a str> {
    let wanted = format!("functions{}f", plain(function));
    let mut matching = names.iter().filter(|name| plain(name).contains(&wanted));
    match (matching.next(), matching.next()) {
        (Some(name), None) => Ok(name),
        (None, _) => bail!("no function {function} among {}", names.join(", ")),
        (Some(_), Some(_)) => bail!("{function} names more than one function"),
    }
}

/// The world's empty folder. Folders of worlds whose process is gone are removed on the way.
fn make_folder(layout: &Layout, given: Option<PathBuf>) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let worlds = layout.local("worlds");
    sweep(&worlds);
    let folder = given.unwrap_or_else(|| {
        worlds.join(format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
    });
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Removes what earlier runs left behind, as far as it can be removed.
fn sweep(worlds: &Path) {
    let Ok(entries) = std::fs::read_dir(worlds) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let running = name.split('-').next().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !running {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_binary() {
        let names = [
            "Otpost-local-Service-FunctionsPushTokenFunction1A2B-XYZ",
            "Otpost-local-Service-FunctionsDeliverFunctionFF-Q",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(function_named(&names, "push-token").unwrap(), names[0]);
        assert_eq!(function_named(&names, "deliver").unwrap(), names[1]);
        assert!(function_named(&names, "verify").unwrap_err().to_string().contains("no function verify"));
    }
}
