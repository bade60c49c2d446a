//! Partition and sort keys.

use otpost_domain::audit::AuditEntry;
use otpost_domain::challenge::{Addressee, Place};
use otpost_domain::circuit::HealthKey;
use otpost_domain::gateway::Owner;
use otpost_domain::ids::{BearerHash, GatewayId, JobId, MessageId, PolicyId, Serial, TenantId, UserId};
use otpost_domain::suppression::AddressKey;
use otpost_domain::template::TemplateName;
use otpost_domain::tenant::Keeper;
use otpost_domain::time::Day;
use otpost_domain::token::{Token, TokenState};
use otpost_service::ports::{GatewaySecret, JobRef, MessageRef, Share, Slot, Subject};

pub(super) const TENANTS: &str = "TENANTS";
pub(super) const DIRECTORIES: &str = "DIRECTORIES";
/// Before the rows that are the platform's own.
pub(super) const PLATFORM_ROWS: &str = "PLATFORM#";
pub(super) const META: &str = "META";
pub(super) const KEY: &str = "KEY#";
pub(super) const POLICY: &str = "POL#";
/// How often an owner's gateways were changed; it stands before all of them.
pub(super) const GATEWAYS: &str = "GW";
pub(super) const GATEWAY: &str = "GW#";
pub(super) const SECRET: &str = "SEC#";
const PLATFORM: &str = "PLATFORM";
pub(super) const TEMPLATE: &str = "TPL#";
pub(super) const TEMPLATE_VERSION: &str = "V#";
pub(super) const BRAND: &str = "BRAND";
pub(super) const USER: &str = "U";
pub(super) const AUTH: &str = "A";
pub(super) const TOKEN: &str = "A#T#";
pub(super) const REVOKED: &str = "R#T#";
pub(super) const ANSWER: &str = "I";
pub(super) const NONCE: &str = "N";
pub(super) const POINTER: &str = "S";
pub(super) const LINK: &str = "L";
pub(super) const MESSAGE: &str = "M";
pub(super) const MASS_CHANGES: &str = "MASS";
pub(super) const MARK: &str = "X";
pub(super) const JOB: &str = "J";
pub(super) const CHALLENGE: &str = "C#";
pub(super) const SHARE: &str = "HD";
/// The shard of jobs in the index of open messages.
pub(super) const JOBS: &str = "J";

/// A gateway's health.
pub(super) const HEALTH: &str = "H";
pub(super) const SUPPRESSION: &str = "SUP#";

/// The partition of a gateway's health: under its tenant, so that it goes with it.
pub(super) fn health(gateway: &HealthKey) -> String {
    format!("T#{}#H#{}", gateway.tenant, gateway.name())
}

/// Beside the tenant's other lists.
pub(super) fn suppression(address: &AddressKey) -> String {
    format!("{SUPPRESSION}{}", address.as_str())
}

pub(super) fn tenant(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

/// Before all of a tenant's other partitions, and nobody else's: its id has no `#`.
pub(super) fn under(tenant: &TenantId) -> String {
    format!("T#{tenant}#")
}

/// The partition of an owner's gateways.
pub(super) fn owner(owner: &Owner) -> String {
    owner.tenant().map_or_else(|| PLATFORM.to_owned(), tenant)
}

pub(super) fn gateway(id: &GatewayId) -> String {
    format!("{GATEWAY}{id}")
}

pub(super) fn secret(secret: &GatewaySecret) -> String {
    format!("{SECRET}{}/{}", secret.gateway, secret.random)
}

pub(super) fn policy(id: &PolicyId) -> String {
    format!("{POLICY}{id}")
}

pub(super) fn template(name: &TemplateName) -> String {
    format!("{TEMPLATE}{name}")
}

/// The partition of a template's versions, apart from the heads, which are read all at once.
pub(super) fn template_versions(tenant: &TenantId, name: &TemplateName) -> String {
    format!("T#{tenant}#TPL#{name}")
}

/// Sorts by version.
pub(super) fn template_version(version: u64) -> String {
    format!("{TEMPLATE_VERSION}{version:0>10}")
}

pub(super) fn user(tenant: &TenantId, user: &UserId) -> String {
    format!("T#{tenant}#U#{user}")
}

/// The partition of an addressee's challenges: a user's own, or one under a hash of a bare address.
pub(super) fn addressee(tenant: &TenantId, addressee: &Addressee) -> String {
    format!("T#{tenant}#{}", addressee.key(tenant))
}

/// The partition of what the helpdesk has sent with a key in an hour.
pub(super) fn share(share: &Share<'_>) -> String {
    format!("T#{}#HD#{}#{}", share.tenant, share.key, share.hour)
}

pub(super) fn challenge(place: &Place) -> String {
    format!("{CHALLENGE}{}#{}", place.purpose.as_str(), place.source.as_str())
}

pub(super) fn token(serial: &Serial) -> String {
    format!("{TOKEN}{serial}")
}

/// Revoked tokens stand where no verification reads them.
pub(super) fn revoked(serial: &Serial) -> String {
    format!("{REVOKED}{serial}")
}

/// The sort key of a token's row.
pub(super) fn place(held: &Token) -> String {
    match held.state {
        TokenState::Revoked { .. } => revoked(&held.serial),
        _ => token(&held.serial),
    }
}

/// The partition in which a verification's row lies. A serial that is no token's has the one where its pointer would
/// be.
pub(super) fn subject(tenant: &TenantId, subject: &Subject) -> String {
    match subject {
        Subject::User(id) => user(tenant, id),
        Subject::NoToken(serial) => pointer(tenant, serial),
    }
}

pub(super) fn answer(slot: &Slot) -> String {
    format!("T#{}#I#{}", slot.tenant, slot.id.as_str())
}

pub(super) fn nonce(device: &BearerHash, nonce: &str) -> String {
    format!("N#{}#{nonce}", device.as_str())
}

pub(super) fn pointer(tenant: &TenantId, serial: &Serial) -> String {
    format!("T#{tenant}#SER#{serial}")
}

/// A day's entries share a partition: the tenant's own, or the platform's if they have no tenant or outlive it.
pub(super) fn audit(entry: &AuditEntry) -> String {
    let day = Day::of(entry.at);
    match &entry.tenant {
        Some(tenant) if !entry.action.outlives_its_tenant() => format!("{}AUD#{day}", under(tenant)),
        _ => format!("{PLATFORM}#AUD#{day}"),
    }
}

pub(super) fn link(link: &BearerHash) -> String {
    format!("L#{}", link.as_str())
}

pub(super) fn message(message: &MessageRef) -> String {
    format!("T#{}#M#{}", message.tenant, message.id)
}

/// Reads [`message`] back.
pub(super) fn parse_message(pk: &str) -> Option<MessageRef> {
    let (tenant, id) = pk.strip_prefix("T#")?.split_once("#M#")?;
    Some(MessageRef { tenant: TenantId::try_from(tenant).ok()?, id: MessageId::try_from(id).ok()? })
}

/// What a directory calls a person may be long, and may be a name: its hash stands for it.
pub(super) fn mark(tenant: &TenantId, keeper: &Keeper) -> String {
    let hash =
        BearerHash::of(&[keeper.directory.as_str().as_bytes(), keeper.external_id.as_str().as_bytes()]);
    format!("T#{tenant}#X#{}", hash.as_str())
}

pub(super) fn job(job: &JobRef) -> String {
    format!("T#{}#J#{}", job.tenant, job.id)
}

/// Reads [`job`] back.
pub(super) fn parse_job(pk: &str) -> Option<JobRef> {
    let (tenant, id) = pk.strip_prefix("T#")?.split_once("#J#")?;
    Some(JobRef { tenant: TenantId::try_from(tenant).ok()?, id: JobId::try_from(id).ok()? })
}

/// Under what the jobs of a tenant stand in the index `messages-by-user`.
pub(super) fn jobs(tenant: &TenantId) -> String {
    format!("T#{tenant}#JOBS")
}

/// Under what the messages of a tenant that were made on a day stand in the index `messages-by-tenant`.
pub(super) fn day(tenant: &TenantId, day: Day) -> String {
    format!("T#{tenant}#D#{day}")
}

pub(super) fn shard(shard: u8) -> String {
    format!("S#{shard}")
}
