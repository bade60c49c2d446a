//! The deployment's own key, which CloudFormation makes and keeps in Secrets Manager.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use otpost_domain::apikey::SecretHash;
use otpost_domain::secret::SecretText;
use otpost_service::ports::{PlatformKey, PortResult};

use crate::fault::{corrupt, sorted};

/// Reads the platform key's secret.
#[derive(Clone, Debug)]
pub struct PlatformSecret {
    client: Client,
    id: String,
}

impl PlatformSecret {
    /// The secret `id`, a name or an ARN.
    #[must_use]
    pub fn new(config: &SdkConfig, id: String) -> Self {
        Self { client: Client::new(config), id }
    }
}

impl PlatformKey for PlatformSecret {
    async fn secret_hash(&self) -> PortResult<Option<SecretHash>> {
        let secret = self
            .client
            .get_secret_value()
            .secret_id(&self.id)
            .send()
            .await
            .map_err(|error| sorted("GetSecretValue", &error))?;
        let text = secret.secret_string.ok_or_else(|| corrupt("the platform key's secret has no text"))?;
        Ok(Some(SecretHash::of(&SecretText::new(text))))
    }
}
