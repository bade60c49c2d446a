//! Tenants and their API keys.

use std::time::Duration;

use otpost_domain::apikey::{self, ApiKey, Role};
use otpost_domain::audit::Action;
use otpost_domain::contact::DisplayName;
use otpost_domain::ids::{KeyId, TenantId};
use otpost_domain::secret::SecretText;
use otpost_domain::tenant::{Listed, Tenant};
use otpost_domain::time::{ClockOffset, Timestamp};
use zeroize::Zeroizing;

use crate::caller::Caller;
use crate::erasure;
use crate::once::Once;
use crate::ports::{
    Clock as _, Entropy as _, KeyStore as _, Page, PageRequest, PortError, PortResult, Ports, Sealer as _,
    TenantStore as _, Write,
};

/// Why a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateTenantError {
    /// The id is taken.
    #[error("there is a tenant of this id")]
    Exists,
    /// The id is that of a deleted tenant.
    #[error("a tenant of this id was deleted")]
    Deleted {
        /// From when on the id is free; not known before the last of that tenant is erased.
        free_at: Option<Timestamp>,
    },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A tenant to be made.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The name that its users see.
    pub name: DisplayName,
    /// Whether it is for tests; see [`Tenant::test`].
    pub test: bool,
    /// By what clock its codes are judged; for tests only.
    pub clock: ClockOffset,
}

impl From<DisplayName> for NewTenant {
    fn from(name: DisplayName) -> Self {
        Self { name, test: false, clock: ClockOffset::NONE }
    }
}

/// Makes a tenant with a data key of its own.
///
/// # Errors
/// When the id is taken, or a port fails.
pub async fn create_tenant(
    ports: &impl Ports,
    caller: &Caller,
    new: impl Into<NewTenant>,
    once: Once<'_, Tenant>,
) -> Result<Tenant, CreateTenantError> {
    let NewTenant { name, test, clock } = new.into();
    let (id, created_at) = (caller.tenant.clone(), ports.clock().now());
    let tenant = Tenant { id, name, test, clock, created_at, key_version: 1 };
    if ports.store().tenant(&tenant.id).await?.is_some() {
        return Err(CreateTenantError::Exists);
    }
    if let Some(tombstone) = erasure::tombstone(ports, &tenant.id).await? {
        return Err(CreateTenantError::Deleted { free_at: tombstone.free_at() });
    }
    let key = ports.sealer().new_tenant_key(&tenant.id).await?;
    let journal = once.record_clear(&tenant, caller.journal(ports, Action::TenantCreated))?;
    match ports.store().create_tenant(&tenant, &key, &journal).await? {
        Write::Done => Ok(tenant),
        Write::Stale => Err(CreateTenantError::Exists),
    }
}

/// Why a tenant was not changed.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// There is no such tenant.
    #[error("there is no tenant of this id")]
    NoSuchTenant,
    /// It was deleted, and its id is not free yet.
    #[error("the tenant was deleted")]
    Deleted,
    /// It has had as many data keys as there are versions.
    #[error("the tenant has had 255 data keys")]
    TooManyKeys,
    /// Others change the same tenant at the same time; nothing was changed.
    #[error("the tenant was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Gives the caller's tenant a new data key. What was sealed before stays readable, and is sealed anew when it is
/// next used.
///
/// # Errors
/// When there is no such tenant any more, or a port fails.
pub async fn rotate_data_key(
    ports: &impl Ports,
    caller: &Caller,
    once: Once<'_, Tenant>,
) -> Result<Tenant, TenantError> {
    let tenant = live_tenant(ports, caller).await?;
    let key_version = tenant.key_version.checked_add(1).ok_or(TenantError::TooManyKeys)?;
    let rotated = Tenant { key_version, ..tenant };
    let key = ports.sealer().new_tenant_key(&rotated.id).await?;
    let journal = once.record(ports, &rotated, caller.journal(ports, Action::DataKeyRotated)).await?;
    match ports.store().add_tenant_key(&rotated.id, key_version, &key, &journal).await? {
        Write::Done => {
            ports.sealer().forget(&rotated.id);
            Ok(rotated)
        }
        Write::Stale => Err(TenantError::Busy),
    }
}

pub(crate) async fn live_tenant(ports: &impl Ports, caller: &Caller) -> Result<Tenant, TenantError> {
    match tenant(ports, &caller.tenant).await? {
        Some(Listed::Tenant(tenant)) => Ok(tenant),
        Some(Listed::Deleted(_)) => Err(TenantError::Deleted),
        None => Err(TenantError::NoSuchTenant),
    }
}

/// A tenant, or what is left of it.
///
/// # Errors
/// When a port fails.
pub async fn tenant(ports: &impl Ports, id: &TenantId) -> PortResult<Option<Listed>> {
    match ports.store().tenant(id).await? {
        Some(tenant) => Ok(Some(Listed::Tenant(tenant))),
        None => Ok(erasure::tombstone(ports, id).await?.map(Listed::Deleted)),
    }
}

/// Lists the tenants, and what is left of deleted ones, by id.
///
/// # Errors
/// When a port fails.
pub async fn tenants(ports: &impl Ports, page: &PageRequest) -> PortResult<Page<Listed>> {
    let Page { mut items, next } = ports.store().tenants(page).await?;
    let now = ports.clock().now();
    items.retain(|listed| !matches!(listed, Listed::Deleted(tombstone) if tombstone.is_over(now)));
    Ok(Page { items, next })
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateKeyError {
    /// The tenant does not exist.
    #[error("there is no tenant of this id")]
    NoSuchTenant,
    /// The same request is made elsewhere at the same time; nothing was made.
    #[error("the same request is made elsewhere at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A new key with its text, which is shown this once.
#[derive(Debug)]
pub struct CreatedKey {
    /// The key as stored.
    pub key: ApiKey,
    /// `otp_<keyid>_<secret>_<checksum>`.
    pub text: SecretText,
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it may do.
    pub role: Role,
    /// What it is for.
    pub name: DisplayName,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Whether its caller asks only for people who have shown a first factor.
    pub after_first_factor: bool,
}

impl NewKey {
    /// A key that lives until it is revoked.
    #[must_use]
    pub const fn lasting(role: Role, name: DisplayName) -> Self {
        Self { role, name, expires_at: None, after_first_factor: false }
    }

    fn made(&self, ports: &impl Ports, tenant: &TenantId, clock: ClockOffset) -> CreatedKey {
        let id = KeyId::new(tenant, ports.entropy().array());
        let random: Zeroizing<[u8; 32]> = Zeroizing::new(ports.entropy().array());
        let (text, secret_hash) = apikey::mint(&id, &random);
        let key = ApiKey {
            id,
            role: self.role,
            name: self.name.clone(),
            secret_hash,
            created_at: ports.clock().now(),
            revoked_at: None,
            expires_at: self.expires_at,
            after_first_factor: self.after_first_factor,
            clock,
        };
        CreatedKey { key, text }
    }
}

/// Makes a key of the caller's tenant.
///
/// # Errors
/// When the tenant does not exist, or a port fails.
pub async fn create_key(
    ports: &impl Ports,
    caller: &Caller,
    new: &NewKey,
    once: Once<'_, CreatedKey>,
) -> Result<CreatedKey, CreateKeyError> {
    let tenant = ports.store().tenant(&caller.tenant).await?.ok_or(CreateKeyError::NoSuchTenant)?;
    for _ in 0..3 {
        let made = new.made(ports, &tenant.id, tenant.clock);
        let mut journal = caller.journal(ports, Action::KeyCreated);
        journal.audit.key = Some(made.key.id.clone());
        let journal = once.record(ports, &made, journal).await?;
        if ports.store().create_key(&made.key, &journal).await? == Write::Done {
            return Ok(made);
        }
    }
    Err(CreateKeyError::Busy)
}

/// Why a key was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum RotateKeyError {
    /// The tenant has no such key.
    #[error("there is no key of this id")]
    NoSuchKey,
    /// It was revoked or has expired.
    #[error("the key opens nothing any more")]
    Over,
    /// Others change the same key at the same time; nothing was changed.
    #[error("the key was changed by others at the same time")]
    Busy,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Makes a key like `id` of the caller's tenant, which then ends after `overlap`, at most [`apikey::LONGEST_OVERLAP`].
///
/// # Errors
/// When the tenant has no such key, it is over, or a port fails.
pub async fn rotate_key(
    ports: &impl Ports,
    caller: &Caller,
    id: &KeyId,
    overlap: Duration,
    once: Once<'_, CreatedKey>,
) -> Result<CreatedKey, RotateKeyError> {
    if id.tenant() != caller.tenant {
        return Err(RotateKeyError::NoSuchKey);
    }
    for _ in 0..3 {
        let seen = ports.store().key(id).await?.ok_or(RotateKeyError::NoSuchKey)?;
        let now = ports.clock().now();
        if !seen.is_good(now) {
            return Err(RotateKeyError::Over);
        }
        let ApiKey { role, name, expires_at, after_first_factor, .. } = seen.clone();
        let made =
            NewKey { role, name, expires_at, after_first_factor }.made(ports, &caller.tenant, seen.clock);
        let old = seen.clone().replaced(now, overlap.min(apikey::LONGEST_OVERLAP));
        let mut journal = caller.journal(ports, Action::KeyRotated);
        journal.audit.key = Some(id.clone());
        let journal = once.record(ports, &made, journal).await?;
        if ports.store().replace_key(&made.key, &old, &seen, &journal).await? == Write::Done {
            return Ok(made);
        }
    }
    Err(RotateKeyError::Busy)
}

/// Why a key was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeKeyError {
    /// The tenant has no such key.
    #[error("there is no key of this id")]
    NoSuchKey,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Revokes a key of `tenant`; revoking it again changes nothing. It may live in caches for another minute.
///
/// # Errors
/// When the tenant has no such key, or a port fails.
pub async fn revoke_key(
    ports: &impl Ports,
    caller: &Caller,
    tenant: &TenantId,
    id: &KeyId,
) -> Result<ApiKey, RevokeKeyError> {
    if &id.tenant() != tenant {
        return Err(RevokeKeyError::NoSuchKey);
    }
    let Some(key) = ports.store().key(id).await? else {
        return Err(RevokeKeyError::NoSuchKey);
    };
    if key.revoked_at.is_some() {
        return Ok(key);
    }
    let at = ports.clock().now();
    let mut journal = caller.journal(ports, Action::KeyRevoked);
    journal.audit.key = Some(id.clone());
    let _overtaken_by_another_revocation = ports.store().revoke_key(id, at, &journal).await?;
    Ok(ApiKey { revoked_at: Some(at), ..key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryPorts, operator};
    use otpost_domain::audit::Actor;

    fn platform(tenant: &str) -> Caller {
        Caller::new(TenantId::try_from(tenant).unwrap(), Actor::Platform)
    }

    fn first() -> NewKey {
        NewKey::lasting(Role::Admin, name("first"))
    }

    fn name(text: &str) -> DisplayName {
        DisplayName::try_from(text).unwrap()
    }

    #[tokio::test]
    async fn a_tenant_is_made_once() {
        let ports = MemoryPorts::new();
        let made = create_tenant(&ports, &platform("acme"), name("Acme"), Once::not_kept()).await.unwrap();
        assert_eq!(ports.store().tenant(&made.id).await.unwrap(), Some(made));
        let again = create_tenant(&ports, &platform("acme"), name("Other"), Once::not_kept()).await;
        assert!(matches!(again, Err(CreateTenantError::Exists)));
        assert_eq!(ports.actions(), ["tenant.created"]);
    }

    #[tokio::test]
    async fn a_key_needs_its_tenant_and_is_revoked_once() {
        let ports = MemoryPorts::new();
        let nobody = create_key(&ports, &platform("acme"), &first(), Once::not_kept()).await;
        assert!(matches!(nobody, Err(CreateKeyError::NoSuchTenant)));
        create_tenant(&ports, &platform("acme"), name("Acme"), Once::not_kept()).await.unwrap();
        let made = create_key(&ports, &platform("acme"), &first(), Once::not_kept()).await.unwrap();
        let caller = operator("acme");
        let elsewhere = TenantId::try_from("other").unwrap();
        let refused = revoke_key(&ports, &caller, &elsewhere, &made.key.id).await;
        assert!(matches!(refused, Err(RevokeKeyError::NoSuchKey)), "another tenant's key is not there");
        for _ in 0..2 {
            let revoked = revoke_key(&ports, &caller, &caller.tenant, &made.key.id).await.unwrap();
            assert!(revoked.revoked_at.is_some());
        }
        assert_eq!(ports.actions(), ["tenant.created", "key.created", "key.revoked"]);
    }

    /// Keys carry their tenant's clock, so that no verification has to look at the tenant.
    #[tokio::test]
    async fn keys_have_their_tenants_clock() {
        let ports = MemoryPorts::new();
        let clock = ClockOffset::try_from(-90_000).unwrap();
        let new = NewTenant { name: name("Tests"), test: true, clock };
        let tenant = create_tenant(&ports, &platform("acme"), new, Once::not_kept()).await.unwrap();
        assert_eq!(ports.store().tenant(&tenant.id).await.unwrap().map(|read| read.clock), Some(clock));
        let made = create_key(&ports, &platform("acme"), &first(), Once::not_kept()).await.unwrap().key;
        let hour = Duration::from_hours(1);
        let next = rotate_key(&ports, &operator("acme"), &made.id, hour, Once::not_kept()).await.unwrap().key;
        for key in [made, next] {
            assert_eq!(ports.store().key(&key.id).await.unwrap().map(|read| read.clock), Some(clock));
        }
    }

    #[tokio::test]
    async fn a_rotated_key_ends_after_its_overlap() {
        let ports = MemoryPorts::new();
        create_tenant(&ports, &platform("acme"), name("Acme"), Once::not_kept()).await.unwrap();
        let caller = operator("acme");
        let end = Some(ports.clock().now().plus(Duration::from_hours(1000)));
        let new = NewKey { expires_at: end, after_first_factor: true, ..first() };
        let old = create_key(&ports, &caller, &new, Once::not_kept()).await.unwrap().key;
        let hour = Duration::from_hours(1);
        let made = rotate_key(&ports, &caller, &old.id, hour, Once::not_kept()).await.unwrap().key;
        assert_ne!(made.id, old.id);
        assert_eq!((made.role, made.expires_at, made.after_first_factor), (old.role, end, true));
        let kept = ports.store().key(&old.id).await.unwrap().unwrap();
        assert!(kept.is_good(ports.clock().now()));
        ports.clock().advance(hour);
        assert!(!kept.is_good(ports.clock().now()));
        let over = rotate_key(&ports, &caller, &old.id, hour, Once::not_kept()).await;
        assert!(matches!(over, Err(RotateKeyError::Over)));
        let elsewhere = rotate_key(&ports, &operator("other"), &made.id, hour, Once::not_kept()).await;
        assert!(matches!(elsewhere, Err(RotateKeyError::NoSuchKey)));
    }
}
