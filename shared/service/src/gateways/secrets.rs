//! Credentials on their way into their store and out of it.

use otpost_domain::gateway::{Credentials, Owner};
use otpost_domain::ids::{GatewayId, TenantId};

use crate::ports::{
    Clock as _, CredentialStore as _, Entropy as _, GatewaySecret, GatewayStore as _, PortResult, Ports,
    SLOT_LEASE,
};

/// Stores credentials under a reference of their own, which is put on record before.
pub(super) async fn store(
    ports: &impl Ports,
    owner: &Owner,
    gateway: &GatewayId,
    credentials: &Credentials,
) -> PortResult<String> {
    let random = format!("{:032x}", u128::from_be_bytes(ports.entropy().array()));
    let secret =
        GatewaySecret { owner: owner.clone(), gateway: gateway.clone(), random, at: ports.clock().now() };
    ports.store().note_secret(&secret).await?;
    let reference = secret.reference();
    ports.credentials().put_credentials(&reference, credentials).await?;
    Ok(reference)
}

/// Removes what is out of use: the secrets `gone`, and whatever earlier tries at the owner's gateways have left. What
/// fails here is done with the next change of any of them.
pub(crate) async fn tidy(ports: &impl Ports, owner: &Owner, gone: &[String]) {
    if let Err(error) = tidied(ports, owner, gone).await {
        tracing::warn!(owner = owner.as_str(), error = error.chain(), "a secret out of use is still there");
    }
}

async fn tidied(ports: &impl Ports, owner: &Owner, gone: &[String]) -> PortResult<()> {
    // The record before the gateways: whoever put a secret on it more than a lease ago has ended by now, and if a
    // gateway refers to that secret, it does already.
    let noted = ports.store().noted_secrets(owner).await?;
    if noted.is_empty() {
        return Ok(());
    }
    let now = ports.clock().now();
    let held = ports.store().owned(owner).await?.gateways;
    let held: Vec<_> = held.into_iter().filter_map(|gateway| gateway.credentials).collect();
    for secret in noted {
        let reference = secret.reference();
        let in_use = held.iter().any(|held| held.reference == reference);
        if !in_use && (gone.contains(&reference) || secret.at.plus(SLOT_LEASE) <= now) {
            remove(ports, &secret).await?;
        }
    }
    Ok(())
}

async fn remove(ports: &impl Ports, secret: &GatewaySecret) -> PortResult<()> {
    ports.credentials().remove_credentials(&secret.reference()).await?;
    ports.store().forget_secret(secret).await
}

/// Removes the credentials of all gateways that a tenant has or had, because it was deleted.
///
/// # Errors
/// When a port fails; those that are left are on record.
pub async fn remove_credentials(ports: &impl Ports, tenant: &TenantId) -> PortResult<()> {
    for secret in ports.store().noted_secrets(&Owner::Tenant(tenant.clone())).await? {
        remove(ports, &secret).await?;
    }
    Ok(())
}
