//! Partition and sort keys.

use otpost_domain::ids::{BearerHash, MessageId, Serial, TenantId, UserId};
use otpost_domain::time::Timestamp;
use otpost_service::ports::MessageRef;

pub(super) const TENANTS: &str = "TENANTS";
pub(super) const META: &str = "META";
pub(super) const KEY: &str = "KEY#";
pub(super) const USER: &str = "U";
pub(super) const AUTH: &str = "A";
const TOKEN: &str = "A#T#";
pub(super) const POINTER: &str = "S";
pub(super) const LINK: &str = "L";
pub(super) const MESSAGE: &str = "M";

pub(super) fn tenant(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

pub(super) fn user(tenant: &TenantId, user: &UserId) -> String {
    format!("T#{tenant}#U#{user}")
}

pub(super) fn token(serial: &Serial) -> String {
    format!("{TOKEN}{serial}")
}

pub(super) fn pointer(tenant: &TenantId, serial: &Serial) -> String {
    format!("T#{tenant}#SER#{serial}")
}

/// A day's entries share a partition.
pub(super) fn audit(tenant: &TenantId, at: Timestamp) -> String {
    let day: String = at.rfc3339().chars().take(10).collect();
    format!("T#{tenant}#AUD#{day}")
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

pub(super) fn shard(shard: u8) -> String {
    format!("S#{shard}")
}
