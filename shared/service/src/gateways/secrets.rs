//! Credentials on their way into their store and out of it.

use otpost_domain::gateway::{Credentials, Owner};
use otpost_domain::ids::{GatewayId, TenantId};

use super::change::Gone;
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

/// Removes what is out of use: the secrets `gone`, and whatever earlier tries at these gateways have left. What fails here
/// is done with the next change.
pub(super) async fn tidy(ports: &impl Ports, owner: &Owner, id: &GatewayId, gone: &[Gone]) {
    let mut gateways: Vec<_> = gone.iter().map(|(gateway, _)| gateway).chain([id]).collect();
    gateways.sort();
    gateways.dedup();
    for gateway in gateways {
        if let Err(error) = tidied(ports, owner, gateway, gone).await {
            tracing::warn!(gateway = %gateway, error = error.chain(), "a secret out of use is still there");
        }
    }
}

async fn tidied(ports: &impl Ports, owner: &Owner, id: &GatewayId, gone: &[Gone]) -> PortResult<()> {
    // The record before the gateway: whoever put a secret on it more than a lease ago has ended by now, and if a
    // gateway refers to that secret, it does already.
    let noted = ports.store().noted_secrets(owner, Some(id)).await?;
    let now = ports.clock().now();
    let gateway = if noted.is_empty() { None } else { ports.store().gateway(owner, id).await? };
    let in_use = gateway.and_then(|gateway| gateway.credentials).map(|held| held.reference);
    for secret in noted {
        let reference = secret.reference();
        let known = gone.iter().any(|(_, gone)| *gone == reference);
        if in_use.as_ref() != Some(&reference) && (known || secret.at.plus(SLOT_LEASE) <= now) {
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
    for secret in ports.store().noted_secrets(&Owner::Tenant(tenant.clone()), None).await? {
        remove(ports, &secret).await?;
    }
    Ok(())
}
