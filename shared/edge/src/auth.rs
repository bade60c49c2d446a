//! Who calls: API keys, kept for a minute at most.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lambda_http::http::HeaderMap;
use lambda_http::http::header::AUTHORIZATION;
use otpost_domain::apikey::{ApiKey, PresentedKey, Role, SecretHash};
use otpost_domain::ids::KeyId;
use otpost_domain::secret::SecretText;
use otpost_domain::time::Timestamp;
use otpost_service::ports::{Clock as _, KeyStore as _, PlatformKey, PortResult, Ports, TenantStore as _};

use crate::problem::{Problem, ProblemType};

/// How long a key is trusted without looking: also how long a revoked one may still work.
pub const TRUST: Duration = Duration::from_mins(1);
/// How many keys are kept.
const MAX_KEPT: usize = 512;

/// Somebody whose key is good and may call the route.
#[derive(Clone, Debug)]
pub enum Authenticated {
    /// The deployment's own key.
    Platform,
    /// A tenant's key.
    Tenant(ApiKey),
}

/// The keys seen lately.
#[derive(Debug)]
pub struct KeyRing<K> {
    platform: K,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: HashMap<KeyId, (ApiKey, Timestamp)>,
    platform: Option<(SecretHash, Timestamp)>,
}

/// For functions that do not take the platform key.
#[derive(Clone, Copy, Debug)]
pub struct NoPlatformKey;

impl PlatformKey for NoPlatformKey {
    async fn secret_hash(&self) -> PortResult<Option<SecretHash>> {
        Ok(None)
    }
}

impl<K: PlatformKey> KeyRing<K> {
    /// An empty ring; `platform` gives the deployment's own key.
    #[must_use]
    pub fn new(platform: K) -> Self {
        Self { platform, kept: Mutex::default() }
    }

    /// Checks the request's key against the roles that may call the route.
    ///
    /// # Errors
    /// Unauthorized when there is no key or none that is good, the same for unknown, wrong and revoked ones;
    /// forbidden when a good key's role is not among `roles`.
    pub async fn authorize(
        &self,
        ports: &impl Ports,
        headers: &HeaderMap,
        roles: &[Role],
    ) -> Result<Authenticated, Problem> {
        let text = bearer(headers)?;
        let presented = PresentedKey::parse(text.expose())
            .map_err(|fault| Problem::new(ProblemType::Unauthorized, format!("This is {fault}.")))?;
        match presented {
            PresentedKey::Platform(secret) => {
                if !roles.contains(&Role::Platform) {
                    return Err(Problem::new(
                        ProblemType::Forbidden,
                        "The platform key keeps tenants, keys, directories and the platform's gateways. This is for a tenant's key.",
                    ));
                }
                let hash = self.platform_hash(ports).await?;
                if hash.is_some_and(|hash| hash.matches(&secret)) {
                    Ok(Authenticated::Platform)
                } else {
                    Err(no_good())
                }
            }
            PresentedKey::Tenant(id, secret) => {
                let key = self.key(ports, &id).await?.ok_or_else(no_good)?;
                if !key.secret_hash.matches(&secret) || !key.is_good(ports.clock().now()) {
                    return Err(no_good());
                }
                if !roles.contains(&key.role) {
                    let able: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
                    let detail = format!(
                        "This key's role is {}; this route is for: {}.",
                        key.role.as_str(),
                        able.join(", ")
                    );
                    return Err(Problem::new(ProblemType::Forbidden, detail));
                }
                Ok(Authenticated::Tenant(key))
            }
        }
    }

    async fn key(&self, ports: &impl Ports, id: &KeyId) -> PortResult<Option<ApiKey>> {
        let now = ports.clock().now();
        let known = self.lock().keys.get(id).filter(|(_, until)| now < *until).map(|(key, _)| key.clone());
        if known.is_some() {
            return Ok(known);
        }
        let found = ports.store().key(id).await?;
        // A deleted tenant's keys open nothing; that is looked up as rarely as the key.
        let found = match found {
            Some(key) => ports.store().tenant(&key.tenant()).await?.map(|_| key),
            None => None,
        };
        let mut kept = self.lock();
        if kept.keys.len() >= MAX_KEPT {
            kept.keys.clear();
        }
        if let Some(key) = &found {
            kept.keys.insert(id.clone(), (key.clone(), now.plus(TRUST)));
        }
        Ok(found)
    }

    async fn platform_hash(&self, ports: &impl Ports) -> PortResult<Option<SecretHash>> {
        let now = ports.clock().now();
        let known =
            self.lock().platform.as_ref().filter(|(_, until)| now < *until).map(|(hash, _)| hash.clone());
        if known.is_some() {
            return Ok(known);
        }
        let found = self.platform.secret_hash().await?;
        self.lock().platform = found.clone().map(|hash| (hash, now.plus(TRUST)));
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(headers: &HeaderMap) -> Result<SecretText, Problem> {
    let header = headers.get(AUTHORIZATION).ok_or_else(|| {
        Problem::new(ProblemType::Unauthorized, "Send an API key as Authorization: Bearer otp_…")
    })?;
    let text = header.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(SecretText::new(key.trim())),
        _ => Err(Problem::new(ProblemType::Unauthorized, "The Authorization header must read: Bearer otp_…")),
    }
}

fn no_good() -> Problem {
    Problem::new(ProblemType::Unauthorized, "This API key is not known, was revoked or has expired.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use otpost_domain::contact::DisplayName;
    use otpost_service::admin::{NewKey, create_key, revoke_key};
    use otpost_service::memory::{MemoryPorts, operator};
    use otpost_service::once::Once;

    struct Platform;

    impl PlatformKey for Platform {
        async fn secret_hash(&self) -> PortResult<Option<SecretHash>> {
            Ok(Some(SecretHash::of(&SecretText::new("a".repeat(48)))))
        }
    }

    fn with(key: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
        headers
    }

    fn fault(result: Result<Authenticated, Problem>) -> (ProblemType, String) {
        let problem = result.unwrap_err();
        (problem.kind, problem.detail)
    }

    #[tokio::test]
    async fn keys_are_checked_against_roles_and_trusted_for_a_minute() {
        let ports = MemoryPorts::new();
        ports.with_tenant("acme").await;
        let caller = operator("acme");
        let name = DisplayName::try_from("k").unwrap();
        let made =
            create_key(&ports, &caller, &NewKey::lasting(Role::App, name), Once::not_kept()).await.unwrap();
        let ring = KeyRing::new(Platform);
        let headers = with(made.text.expose());
        assert!(ring.authorize(&ports, &headers, &[Role::App]).await.is_ok());
        let (kind, detail) = fault(ring.authorize(&ports, &headers, &[Role::Admin, Role::Operator]).await);
        assert_eq!(kind, ProblemType::Forbidden);
        assert_eq!(detail, "This key's role is app; this route is for: admin, operator.");

        revoke_key(&ports, &caller, &caller.tenant, &made.key.id).await.unwrap();
        assert!(ring.authorize(&ports, &headers, &[Role::App]).await.is_ok(), "still trusted");
        ports.clock().advance(TRUST);
        assert_eq!(fault(ring.authorize(&ports, &headers, &[Role::App]).await).0, ProblemType::Unauthorized);
    }

    #[tokio::test]
    async fn bad_keys_are_told_apart_only_by_form() {
        let ports = MemoryPorts::new();
        let ring = KeyRing::new(Platform);
        let missing = fault(ring.authorize(&ports, &HeaderMap::new(), &[Role::App]).await);
        assert!(missing.1.contains("Authorization: Bearer"), "{}", missing.1);
        let malformed = fault(ring.authorize(&ports, &with("otp_x"), &[Role::App]).await);
        assert!(malformed.1.starts_with("This is not an API key"), "{}", malformed.1);
        let unknown_id = KeyId::new(&operator("acme").tenant, [9; 8]);
        let (unknown, _) = otpost_domain::apikey::mint(&unknown_id, &[9; 32]);
        let unknown = fault(ring.authorize(&ports, &with(unknown.expose()), &[Role::App]).await);
        assert_eq!(unknown.1, "This API key is not known, was revoked or has expired.");
    }

    #[tokio::test]
    async fn the_platform_key_works_where_it_may() {
        let ports = MemoryPorts::new();
        let ring = KeyRing::new(Platform);
        let good = with(&format!("otp_platform_{}", "a".repeat(48)));
        assert!(matches!(
            ring.authorize(&ports, &good, &[Role::Platform]).await,
            Ok(Authenticated::Platform)
        ));
        assert_eq!(fault(ring.authorize(&ports, &good, &[Role::App]).await).0, ProblemType::Forbidden);
        let wrong = with(&format!("otp_platform_{}", "b".repeat(48)));
        assert_eq!(
            fault(ring.authorize(&ports, &wrong, &[Role::Platform]).await).0,
            ProblemType::Unauthorized
        );
    }
}
