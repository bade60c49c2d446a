//! Runs the same CDK app that production uses, against the emulator.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::emulator::{ACCOUNT, REGION};
use crate::guard::{Launch, Output};
use crate::host;
use crate::install;
use crate::layout::Layout;
use crate::progress::Progress;

/// The stacks' outputs by name.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Outputs(BTreeMap<String, String>);

impl Outputs {
    /// Reads what CDK wrote: outputs by stack, then by name.
    ///
    /// # Errors
    /// It is no such JSON.
    pub fn parse(json: &str) -> Result<Self> {
        let stacks: BTreeMap<String, BTreeMap<String, String>> =
            serde_json::from_str(json).context("CDK's outputs are odd")?;
        Ok(Self(stacks.into_values().flatten().collect()))
    }

    /// The output called `name`.
    ///
    /// # Errors
    /// The stacks have none.
    pub fn get(&self, name: &str) -> Result<&str> {
        self.0.get(name).map(String::as_str).with_context(|| format!("the stacks have no output {name}"))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What one deployment needs to know.
#[derive(Clone, Debug)]
pub struct Deployment<'a> {
    /// Where everything lies.
    pub layout: &'a Layout,
    /// Logs, assembly and outputs go below it.
    pub folder: &'a Path,
    /// The emulator.
    pub emulator: &'a str,
    /// Base of the links in mails.
    pub public_url: &'a str,
    /// The stand-in for Twilio.
    pub twilio: &'a str,
    /// The stand-in for GOV.UK Notify.
    pub govuk_notify: &'a str,
    /// Whether the release builds are deployed.
    pub release: bool,
}

/// From of the mails of local runs.
const SENDER: &str = "Otpost <otp@example.org>";
/// As whom gateways of the kind `ses` may send.
const IDENTITIES: &str = "example.org,acme.example";
/// How senders greet servers of mail.
const EHLO_NAME: &str = "otpost.local.example";
/// To what networks beside public ones senders may connect: this machine, where the SMTP gateway is.
const NETWORKS: &str = "127.0.0.0/8";

impl Deployment<'_> {
    /// Bootstraps, synthesises and deploys; gives the stacks' outputs.
    ///
    /// # Errors
    /// One of the steps fails: the end of its log is part of the error.
    pub async fn run(&self, progress: Progress) -> Result<Outputs> {
        let prepare = async {
            tokio::try_join!(self.bootstrap(), self.synthesise())?;
            leave_out(&self.assembly())
        };
        progress.step("preparing the deployment: cdk bootstrap and synth (about 10 s)", prepare).await?;
        progress.step("deploying the CDK app (about 15 s)", self.deploy()).await?;
        let path = self.outputs();
        Outputs::parse(
            &std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?,
        )
    }

    async fn bootstrap(&self) -> Result<()> {
        let target = format!("aws://{ACCOUNT}/{REGION}");
        // Away from the app: bootstrapping must not synthesise it.
        self.cdk("bootstrap", ["bootstrap", &target]).current_dir(self.folder).run().await
    }

    async fn synthesise(&self) -> Result<()> {
        let context = self.context();
        let context =
            context.iter().flat_map(|(name, value)| ["--context".to_owned(), format!("{name}={value}")]);
        let launch =
            self.cdk("synth", ["synth", "--quiet"]).args(context).args(["--output"]).args([self.assembly()]);
        launch.current_dir(install::staged(self.layout, "infra")).run().await
    }

    async fn deploy(&self) -> Result<()> {
        self.cdk("deploy", ["deploy", "--all", "--require-approval", "never", "--progress", "events"])
            .args(["--app"])
            .args([self.assembly()])
            .args(["--outputs-file"])
            .args([self.outputs()])
            .current_dir(self.folder)
            .run()
            .await
    }

    fn context(&self) -> Vec<(&'static str, String)> {
        vec![
            ("stage", "local".to_owned()),
            ("account", ACCOUNT.to_owned()),
            ("region", REGION.to_owned()),
            ("architecture", architecture(std::env::consts::ARCH).to_owned()),
            ("retain", "false".to_owned()),
            ("publicUrl", self.public_url.to_owned()),
            ("packages", self.layout.packages(self.release).display().to_string()),
            ("sesSender", SENDER.to_owned()),
            ("sesIdentities", IDENTITIES.to_owned()),
            ("twilioUrl", self.twilio.to_owned()),
            ("govukNotifyUrl", self.govuk_notify.to_owned()),
            ("allowedNetworks", NETWORKS.to_owned()),
            ("ehloName", EHLO_NAME.to_owned()),
        ]
    }

    fn assembly(&self) -> PathBuf {
        self.folder.join("cdk.out")
    }

    fn outputs(&self) -> PathBuf {
        self.folder.join("outputs.json")
    }

    fn cdk<'a>(&self, log: &str, arguments: impl IntoIterator<Item = &'a str>) -> Launch {
        let program = install::staged(self.layout, "infra").join("node_modules/.bin/cdk");
        let log = self.folder.join(format!("logs/cdk-{log}.log"));
        let no_proxy = match host::variable("NO_PROXY").or_else(|| host::variable("no_proxy")) {
            Some(given) => format!("{given},127.0.0.1,localhost"),
            None => "127.0.0.1,localhost".to_owned(),
        };
        // Nothing of the user's own AWS settings may take part: every call goes to the emulator.
        let launch =
            FOREIGN.iter().fold(Launch::new(program, Output::Log(log)), |launch, name| launch.without(name));
        launch
            .args(arguments)
            .env("AWS_ENDPOINT_URL", self.emulator)
            .env("AWS_ENDPOINT_URL_S3", self.emulator)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", REGION)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("CDK_VALIDATION", "false")
            .env("CDK_DISABLE_CLI_TELEMETRY", "true")
            .env("NO_PROXY", &no_proxy)
            .env("no_proxy", &no_proxy)
            .env("NO_COLOR", "1")
    }
}

/// Takes out of the synthesised templates what the emulator refuses and nobody looks at here: alarms that calculate.
fn leave_out(assembly: &Path) -> Result<()> {
    for entry in std::fs::read_dir(assembly).with_context(|| format!("cannot read {}", assembly.display()))? {
        let path = entry?.path();
        if !path.to_string_lossy().ends_with(".template.json") {
            continue;
        }
        let mut template: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) else { continue };
        let before = resources.len();
        resources.retain(|_, resource| {
            let is_alarm = resource.get("Type").and_then(Value::as_str) == Some("AWS::CloudWatch::Alarm");
            !(is_alarm && resource.pointer("/Properties/Metrics").is_some())
        });
        if resources.len() < before {
            std::fs::write(&path, template.to_string())?;
        }
    }
    Ok(())
}

const FOREIGN: &[&str] =
    &["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "FORCE_COLOR"];

/// CDK's name of this machine's architecture.
fn architecture(machine: &str) -> &str {
    if machine == "aarch64" { "arm64" } else { "x86_64" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_of_all_stacks_are_read_by_name() {
        let outputs =
            Outputs::parse(r#"{"A":{"CoreTable":"core-1"},"B":{"ApiId":"abc","ApiUrl":"u"}}"#).unwrap();
        assert_eq!(outputs.get("ApiId").unwrap(), "abc");
        assert_eq!(outputs.get("CoreTable").unwrap(), "core-1");
        assert!(outputs.get("Other").unwrap_err().to_string().contains("Other"));
        assert_eq!(outputs.iter().count(), 3);
    }

    #[test]
    fn senders_are_told_of_what_stands_in_for_their_providers() {
        let layout = Layout::find().unwrap();
        let deployment = Deployment {
            layout: &layout,
            folder: Path::new("."),
            emulator: "http://127.0.0.1:1",
            public_url: "http://127.0.0.1:2",
            twilio: "http://127.0.0.1:3",
            govuk_notify: "http://127.0.0.1:4",
            release: false,
        };
        let context: BTreeMap<_, _> = deployment.context().into_iter().collect();
        assert_eq!(context["publicUrl"], "http://127.0.0.1:2");
        assert_eq!(context["twilioUrl"], "http://127.0.0.1:3");
        assert_eq!(context["govukNotifyUrl"], "http://127.0.0.1:4");
        assert_eq!(context["allowedNetworks"], "127.0.0.0/8");
    }

    #[test]
    fn alarms_that_calculate_are_left_out_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("otpost-assembly-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let template = serde_json::json!({ "Outputs": {}, "Resources": {
            "Share": { "Type": "AWS::CloudWatch::Alarm", "Properties": { "Metrics": [] } },
            "Errors": { "Type": "AWS::CloudWatch::Alarm", "Properties": { "MetricName": "Errors" } },
            "Other": { "Type": "AWS::SES::ConfigurationSet", "Properties": { "Metrics": [] } },
        }});
        let path = folder.join("Service.template.json");
        std::fs::write(&path, template.to_string()).unwrap();
        std::fs::write(folder.join("manifest.json"), "no template").unwrap();
        leave_out(&folder).unwrap();
        let left: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let names: Vec<_> = left["Resources"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["Errors", "Other"]);
    }

    #[test]
    fn architectures_have_aws_names() {
        assert_eq!(architecture("aarch64"), "arm64");
        assert_eq!(architecture("x86_64"), "x86_64");
    }
}
