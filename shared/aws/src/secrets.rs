//! What lies in Secrets Manager: the deployment's own key, which CloudFormation makes, and gateways' credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::create_secret::CreateSecretError;
use aws_sdk_secretsmanager::operation::delete_secret::DeleteSecretError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use otpost_domain::apikey::SecretHash;
use otpost_domain::gateway::{Credentials, Kind, Part};
use otpost_domain::secret::SecretText;
use otpost_service::ports::{
    CREDENTIALS_LIFE, Clock, CredentialReader, CredentialStore, Fault, PlatformKey, PortError, PortResult,
};
use zeroize::Zeroizing;

use crate::fault::{corrupt, not_given, sorted};
use crate::lately::Lately;

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

/// Of how many gateways the credentials stay in memory.
const MAX_CREDENTIALS: usize = 64;

/// Gateways' credentials: one secret for each time that they are given.
#[derive(Debug)]
pub struct SecretCredentials<C> {
    config: SdkConfig,
    prefix: Option<String>,
    key: Option<String>,
    clock: C,
    read: Lately<String, Arc<Credentials>>,
}

impl<C: Clock> SecretCredentials<C> {
    /// Secrets whose names begin with `prefix`, encrypted with the KMS key `key`.
    #[must_use]
    pub fn new(config: &SdkConfig, prefix: Option<String>, key: Option<String>, clock: C) -> Self {
        let read = Lately::new(MAX_CREDENTIALS, CREDENTIALS_LIFE);
        Self { config: config.clone(), prefix, key, clock, read }
    }

    /// Made when it is needed, which is seldom: functions that never keep gateways carry none of it.
    fn client(&self) -> Client {
        Client::new(&self.config)
    }

    fn name(&self, reference: &str) -> PortResult<String> {
        let prefix = self.prefix.as_ref().ok_or_else(|| not_given("prefix of credentials"))?;
        Ok(format!("{prefix}{reference}"))
    }
}

impl<C: Clock> CredentialStore for SecretCredentials<C> {
    async fn put_credentials(&self, reference: &str, credentials: &Credentials) -> PortResult<()> {
        let key = self.key.as_ref().ok_or_else(|| not_given("storage key"))?;
        let parts: BTreeMap<_, _> =
            credentials.parts().into_iter().map(|(part, text)| (part.as_str(), text.expose())).collect();
        let text = serde_json::to_string(&parts).map_err(corrupt)?;
        let sent = self
            .client()
            .create_secret()
            .name(self.name(reference)?)
            .description("Credentials of a gateway of Otpost, written by its function admin")
            .kms_key_id(key)
            .secret_string(text)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            // The name is random: only an earlier try of this request can have made it.
            Err(error)
                if error.as_service_error().is_some_and(CreateSecretError::is_resource_exists_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(sorted("CreateSecret", &error)),
        }
    }

    async fn remove_credentials(&self, reference: &str) -> PortResult<()> {
        let delete = self.client().delete_secret().secret_id(self.name(reference)?);
        // Without a time in which it could be restored: what was voided is gone.
        match delete.force_delete_without_recovery(true).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(DeleteSecretError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(sorted("DeleteSecret", &error)),
        }
    }
}

impl<C: Clock> CredentialReader for SecretCredentials<C> {
    async fn read_credentials(&self, kind: Kind, reference: &str) -> PortResult<Option<Arc<Credentials>>> {
        let whose = reference.to_owned();
        let read = async { self.read_secret(kind, reference).await?.ok_or_else(gone) };
        match self.read.or_read(&whose, self.clock.now(), read).await {
            Ok(credentials) => Ok(Some(credentials)),
            Err(error) if error.kind == Fault::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl<C: Clock> SecretCredentials<C> {
    async fn read_secret(&self, kind: Kind, reference: &str) -> PortResult<Option<Arc<Credentials>>> {
        let found = match self.client().get_secret_value().secret_id(self.name(reference)?).send().await {
            Ok(found) => found,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetSecretValueError::is_resource_not_found_exception) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(sorted("GetSecretValue", &error)),
        };
        let text = Zeroizing::new(found.secret_string.ok_or_else(|| corrupt("credentials without a text"))?);
        // Faults name places, never what stands there.
        let odd = || corrupt("credentials that are none");
        let parts: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| odd())?;
        let parts =
            parts.into_iter().filter_map(|(name, text)| Some((Part::parse(&name)?, SecretText::new(text))));
        Credentials::from_parts(kind, parts).map(|read| Some(Arc::new(read))).map_err(|_| odd())
    }
}

fn gone() -> PortError {
    PortError::new(Fault::Gone, "no such credentials")
}
