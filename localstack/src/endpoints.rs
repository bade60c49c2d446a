//! The addresses of a world.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::aws::Aws;
use crate::deploy::Outputs;
use crate::smtp::Password;

/// Where a world answers. Kept in the state file, so that other runs of the tool can use the world. What the state of an
/// older build has not is empty.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// Base URL of the API and of enrolment links, without a slash at its end.
    pub api: String,
    /// The mail viewer.
    pub viewer: String,
    /// The emulator's AWS APIs.
    pub emulator: String,
    /// The wire tap: where functions send their AWS calls.
    pub tap: String,
    /// The page that shows which texts arrived.
    #[serde(default)]
    pub phone: String,
    /// The stand-in for Twilio.
    #[serde(default)]
    pub twilio: String,
    /// The stand-in for GOV.UK Notify.
    #[serde(default)]
    pub govuk_notify: String,
    /// Host and port of the SMTP gateway, where TLS begins by STARTTLS. Its user is [`crate::smtp::USER`].
    #[serde(default)]
    pub smtp: String,
    /// The file with the certificate, in PEM, of the authority that signed the SMTP gateway's.
    #[serde(default)]
    pub smtp_authority: PathBuf,
    /// The password of the SMTP gateway's user.
    #[serde(default)]
    pub smtp_password: Password,
    /// The stacks' outputs.
    pub outputs: Outputs,
}

impl Endpoints {
    /// The platform key, read from Secrets Manager.
    ///
    /// # Errors
    /// The secret is not there.
    pub async fn platform_key(&self) -> Result<String> {
        let secret = Aws::at(&self.emulator).secret(self.outputs.get("PlatformKeySecret")?).await?;
        Ok(format!("otp_platform_{secret}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_an_older_build_can_be_read() {
        let older = r#"{"api":"http://127.0.0.1:8400","viewer":"v","emulator":"e","tap":"t","outputs":{"ApiId":"a"}}"#;
        let read: Endpoints = serde_json::from_str(older).unwrap();
        assert_eq!((read.api.as_str(), read.phone.as_str()), ("http://127.0.0.1:8400", ""));
        let password = serde_json::from_str("\"pass-word\"").unwrap();
        let told = Endpoints { smtp_password: password, ..read };
        assert!(!format!("{told:?}").contains("pass-word"));
        let again: Endpoints = serde_json::from_str(&serde_json::to_string(&told).unwrap()).unwrap();
        assert_eq!(again, told);
    }
}
