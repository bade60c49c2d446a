//! Tenants' data keys, wrapped by the deployment's KMS key.

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use otpost_domain::ids::TenantId;
use otpost_domain::sealing::DataKey;
use otpost_service::ports::{PortResult, WrappedKey};
use zeroize::Zeroizing;

use crate::fault::{corrupt, not_given, sorted};
use crate::sealer::KeyWrapper;

/// The encryption context's only entry: a wrapped key opens for its own tenant alone, and the key's policy sees whose
/// it is.
const CONTEXT: &str = "otpost:tenant";

/// Wraps data keys with KMS.
#[derive(Clone, Debug)]
pub struct KmsKeyWrapper {
    client: Client,
    key: Option<String>,
}

impl KmsKeyWrapper {
    /// With the KMS key `key` (id or ARN).
    #[must_use]
    pub fn new(config: &SdkConfig, key: Option<String>) -> Self {
        Self { client: Client::new(config), key }
    }

    fn key(&self) -> PortResult<&str> {
        self.key.as_deref().ok_or_else(|| not_given("data key"))
    }
}

impl KeyWrapper for KmsKeyWrapper {
    async fn generate(&self, tenant: &TenantId) -> PortResult<WrappedKey> {
        let made = self
            .client
            .generate_data_key()
            .key_id(self.key()?)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(CONTEXT, tenant.as_str())
            .send()
            .await
            .map_err(|error| sorted("GenerateDataKey", &error))?;
        let wrapped = made.ciphertext_blob.ok_or_else(|| corrupt("GenerateDataKey gave no key"))?;
        Ok(WrappedKey(wrapped.into_inner()))
    }

    async fn unwrap(&self, tenant: &TenantId, wrapped: &WrappedKey) -> PortResult<DataKey> {
        let opened = self
            .client
            .decrypt()
            .key_id(self.key()?)
            .ciphertext_blob(Blob::new(wrapped.0.clone()))
            .encryption_context(CONTEXT, tenant.as_str())
            .send()
            .await
            .map_err(|error| sorted("Decrypt", &error))?;
        let bytes = Zeroizing::new(opened.plaintext.map(Blob::into_inner).unwrap_or_default());
        let key: [u8; 32] =
            bytes.as_slice().try_into().map_err(|_| corrupt("a data key that is not 32 bytes long"))?;
        Ok(DataKey::new(key))
    }
}
