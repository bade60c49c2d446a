//! Rows as they lie in the tables, and the way between them and the domain's values.
//!
//! A row that does not read is an error of kind corrupt: nothing is guessed.

mod challenges;
mod directories;
mod gateways;
mod health;
mod jobs;
mod messages;
mod policies;
mod templates;
mod tombstone;

use std::collections::BTreeMap;

use otpost_domain::apikey::{ApiKey, Role, SecretHash};
use otpost_domain::audit::AuditEntry;
use otpost_domain::authorization::Authorization;
use otpost_domain::confirmation::Provenance;
use otpost_domain::contact::{DisplayName, EmailAddress, Locale, PhoneNumber};
use otpost_domain::device::{Device, DeviceDetails, DeviceKey, DeviceKind, DeviceText, Os, PushOtp};
use otpost_domain::directory::ExternalId;
use otpost_domain::enrolment::{Enrolment, EnrolmentSession, EnrolmentState, SessionDevice};
use otpost_domain::ids::{
    BearerHash, DirectoryId, GatewayId, KeyId, MessageId, PolicyId, Serial, TenantId, UserId,
};
use otpost_domain::otp::{Algorithm, Digits, Kind, OtpParameters, Period};
use otpost_domain::provisioning::Automatic;
use otpost_domain::template::TemplateName;
use otpost_domain::tenant::{GroupName, Keeper, Tenant, User};
use otpost_domain::time::{ClockOffset, Timestamp};
use otpost_domain::token::{SealedSeed, Token, TokenState};
use otpost_domain::verification::{Accepted, AuthRow, LiveToken, SealedSource};
use otpost_service::ports::{
    ANSWER_LIFE, AnswerContent, PortError, PortResult, Reserved, SLOT_LEASE, Slot, WrappedKey,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::keys;
use crate::fault::corrupt;
pub(super) use challenges::{ChallengeRow, kept_until};
pub(super) use directories::{DirectoryRow, MarkRow, MassChangesRow};
pub(super) use gateways::{GatewayRow, SecretRow};
pub(super) use health::{HealthRow, SuppressionRow};
pub(super) use jobs::JobRow;
pub(super) use messages::{CLAIMED, HANDED, MessageRow, NewsItem};
pub(super) use policies::PolicyRow;
pub(super) use templates::{BrandRow, TemplateHeadRow, TemplateVersionRow};
pub(super) use tombstone::{ListedRow, TombstoneRow};

/// How long a dead link can still say what became of it.
const DEAD_LINK_KEPT: std::time::Duration = std::time::Duration::from_hours(30 * 24);

fn bad<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> PortError {
    move |error| corrupt(format!("{what}: {error}"))
}

fn known<T>(what: &'static str, value: Option<T>) -> PortResult<T> {
    value.ok_or_else(|| corrupt(format!("{what}: not a value of ours")))
}

#[derive(Deserialize, Serialize)]
pub(super) struct TenantRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    test: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    clock: i32,
    created: u64,
    key_ver: u8,
    /// Wrapped data keys by version; in the tenant's own row only.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    data_keys: BTreeMap<String, ByteBuf>,
}

impl TenantRow {
    pub(super) fn meta(tenant: &Tenant, key: &WrappedKey) -> Self {
        let data_keys = BTreeMap::from([(tenant.key_version.to_string(), ByteBuf::from(key.0.clone()))]);
        Self { pk: keys::tenant(&tenant.id), sk: keys::META.to_owned(), data_keys, ..Self::listed(tenant) }
    }

    pub(super) fn listed(tenant: &Tenant) -> Self {
        Self {
            pk: keys::TENANTS.to_owned(),
            sk: tenant.id.to_string(),
            id: tenant.id.to_string(),
            name: tenant.name.as_str().to_owned(),
            test: tenant.test,
            clock: tenant.clock.seconds(),
            created: tenant.created_at.millis(),
            key_ver: tenant.key_version,
            data_keys: BTreeMap::new(),
        }
    }

    /// The wrapped data keys by version, and which one is current.
    pub(super) fn keys(self) -> PortResult<TenantKeys> {
        let wrapped = self.data_keys.into_iter().map(|(version, key)| {
            Ok((version.parse().map_err(bad("key version"))?, WrappedKey(key.into_vec())))
        });
        Ok(TenantKeys { current: self.key_ver, wrapped: wrapped.collect::<PortResult<_>>()? })
    }
}

/// A tenant's data keys as they lie in storage.
#[derive(Clone, Debug)]
pub(crate) struct TenantKeys {
    /// The version under which new secrets are sealed.
    pub(crate) current: u8,
    /// All of them.
    pub(crate) wrapped: BTreeMap<u8, WrappedKey>,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = PortError;

    fn try_from(row: TenantRow) -> PortResult<Self> {
        Ok(Self {
            id: TenantId::try_from(row.id.as_str()).map_err(bad("tenant"))?,
            name: DisplayName::try_from(row.name.as_str()).map_err(bad("tenant name"))?,
            test: row.test,
            clock: ClockOffset::try_from(i64::from(row.clock)).map_err(bad("clock"))?,
            created_at: Timestamp::from_millis(row.created),
            key_version: row.key_ver,
        })
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct KeyRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    id: String,
    role: String,
    name: String,
    hash: ByteBuf,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    first_factor: bool,
    #[serde(default, skip_serializing_if = "is_none")]
    clock: i32,
}

impl From<&ApiKey> for KeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            pk: keys::tenant(&key.tenant()),
            sk: format!("{}{}", keys::KEY, key.id),
            id: key.id.to_string(),
            role: key.role.as_str().to_owned(),
            name: key.name.as_str().to_owned(),
            hash: ByteBuf::from(key.secret_hash.0.to_vec()),
            created: key.created_at.millis(),
            revoked: key.revoked_at.map(Timestamp::millis),
            expires: key.expires_at.map(Timestamp::millis),
            first_factor: key.after_first_factor,
            clock: key.clock.seconds(),
        }
    }
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = PortError;

    fn try_from(row: KeyRow) -> PortResult<Self> {
        let hash: [u8; 32] = row.hash.as_slice().try_into().map_err(bad("key hash"))?;
        Ok(Self {
            id: KeyId::try_from(row.id.as_str()).map_err(bad("key"))?,
            role: known("role", Role::of_tenant(&row.role))?,
            name: DisplayName::try_from(row.name.as_str()).map_err(bad("key name"))?,
            secret_hash: SecretHash(hash),
            created_at: Timestamp::from_millis(row.created),
            revoked_at: row.revoked.map(Timestamp::from_millis),
            expires_at: row.expires.map(Timestamp::from_millis),
            after_first_factor: row.first_factor,
            clock: ClockOffset::try_from(i64::from(row.clock)).map_err(bad("clock"))?,
        })
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct UserRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tenant: String,
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    /// When the mail address took the place of another, when a code confirmed it, and whether anybody was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_at: Option<u64>,
    /// When it was set, be it the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_set: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email_ok: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    email_told: bool,
    /// The same of the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_set: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone_ok: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    phone_told: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    active: bool,
    /// Policy has given them a token by itself: its serial, or nothing where they had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    departed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external: Option<String>,
    ver: u64,
    created: u64,
    updated: u64,
    /// The tenant, as the key of the index of users.
    users_of: String,
}

/// Of the true clock nothing is written.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_none(clock: &i32) -> bool {
    *clock == 0
}

fn since(set: Option<u64>, changed: Option<u64>, confirmed: Option<u64>, noticed: bool) -> Provenance {
    let at = |millis: Option<u64>| millis.map(Timestamp::from_millis);
    Provenance { set_at: at(set), changed_at: at(changed), confirmed_at: at(confirmed), noticed }
}

impl From<&User> for UserRow {
    fn from(user: &User) -> Self {
        Self {
            pk: keys::user(&user.tenant, &user.id),
            sk: keys::USER.to_owned(),
            tenant: user.tenant.to_string(),
            id: user.id.to_string(),
            display_name: user.display_name.as_ref().map(|name| name.as_str().to_owned()),
            email: user.email.as_ref().map(|email| email.expose().to_owned()),
            phone: user.phone.as_ref().map(|phone| phone.expose().to_owned()),
            email_set: user.email_since.set_at.map(Timestamp::millis),
            email_at: user.email_since.changed_at.map(Timestamp::millis),
            email_ok: user.email_since.confirmed_at.map(Timestamp::millis),
            email_told: user.email_since.noticed,
            phone_set: user.phone_since.set_at.map(Timestamp::millis),
            phone_at: user.phone_since.changed_at.map(Timestamp::millis),
            phone_ok: user.phone_since.confirmed_at.map(Timestamp::millis),
            phone_told: user.phone_since.noticed,
            locale: user.locale.as_ref().map(|locale| locale.as_str().to_owned()),
            groups: user.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            active: user.active,
            auto: user
                .automatic
                .as_ref()
                .map(|served| served.serial.as_ref().map_or(String::new(), Serial::to_string)),
            departed: user.departed_at.map(Timestamp::millis),
            directory: user.directory.as_ref().map(|keeper| keeper.directory.to_string()),
            external: user.directory.as_ref().map(|keeper| keeper.external_id.as_str().to_owned()),
            ver: user.version,
            created: user.created_at.millis(),
            updated: user.updated_at.millis(),
            users_of: user.tenant.to_string(),
        }
    }
}

impl TryFrom<UserRow> for User {
    type Error = PortError;

    fn try_from(row: UserRow) -> PortResult<Self> {
        let display_name = row.display_name.as_deref().map(DisplayName::try_from).transpose();
        let groups = row.groups.iter().map(|group| GroupName::try_from(group.as_str()));
        let automatic = row.auto.as_deref().map(|serial| match serial {
            "" => Ok(Automatic { serial: None }),
            serial => Serial::try_from(serial).map(|serial| Automatic { serial: Some(serial) }),
        });
        Ok(Self {
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            id: UserId::try_from(row.id.as_str()).map_err(bad("user"))?,
            display_name: display_name.map_err(bad("display name"))?,
            email: row.email.as_deref().map(EmailAddress::try_from).transpose().map_err(bad("e-mail"))?,
            phone: row.phone.as_deref().map(PhoneNumber::try_from).transpose().map_err(bad("phone"))?,
            email_since: since(row.email_set, row.email_at, row.email_ok, row.email_told),
            phone_since: since(row.phone_set, row.phone_at, row.phone_ok, row.phone_told),
            locale: row.locale.as_deref().map(Locale::try_from).transpose().map_err(bad("locale"))?,
            groups: groups.collect::<Result<_, _>>().map_err(bad("group"))?,
            active: row.active,
            automatic: automatic.transpose().map_err(bad("serial"))?,
            departed_at: row.departed.map(Timestamp::from_millis),
            directory: keeper(row.directory, row.external)?,
            version: row.ver,
            created_at: Timestamp::from_millis(row.created),
            updated_at: Timestamp::from_millis(row.updated),
        })
    }
}

fn keeper(directory: Option<String>, external: Option<String>) -> PortResult<Option<Keeper>> {
    let Some((directory, external)) = directory.zip(external) else { return Ok(None) };
    Ok(Some(Keeper {
        directory: DirectoryId::try_from(directory.as_str()).map_err(bad("directory"))?,
        external_id: ExternalId::try_from(external.as_str()).map_err(bad("external id"))?,
    }))
}

/// The row that decides verifications. Names are short: it is read and written on every check.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct AuthItem {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    live: BTreeMap<String, LiveItem>,
    #[serde(default)]
    fk: u32,
    #[serde(default)]
    fs: u32,
    /// Strangers wait until then, in milliseconds.
    #[serde(default)]
    lks: u64,
    #[serde(default)]
    src: Vec<String>,
    /// The last acceptance: its request, its token, what was issued with it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok_req: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok_serial: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ok_src: Option<ByteBuf>,
    #[serde(default)]
    ok_at: u64,
    /// The last try that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bad_id: Option<String>,
    /// The policies that cover the user, besides those that cover everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pol: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    decoy: bool,
}

#[derive(Deserialize, Serialize)]
pub(super) struct LiveItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<u64>,
    d: i32,
    /// Suspended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    off: bool,
}

impl AuthItem {
    pub(super) fn of_new_user(user: &User, stamp: &[PolicyId]) -> Self {
        let (pk, sk) = (keys::user(&user.tenant, &user.id), keys::AUTH.to_owned());
        let pol = stamp.iter().map(PolicyId::to_string).collect();
        Self { pk, sk, active: user.active, pol, ..Self::default() }
    }

    pub(super) const fn is_decoy(&self) -> bool {
        self.decoy
    }
}

impl TryFrom<AuthItem> for AuthRow {
    type Error = PortError;

    fn try_from(row: AuthItem) -> PortResult<Self> {
        let live = row.live.into_iter().map(|(serial, live)| {
            let serial = Serial::try_from(serial.as_str()).map_err(bad("serial"))?;
            Ok(LiveToken { serial, last_step: live.s, drift: live.d, suspended: live.off })
        });
        let policies = row.pol.iter().map(|id| PolicyId::try_from(id.as_str()));
        let last_accepted = match (row.ok_req, row.ok_serial) {
            (Some(request), Some(serial)) => Some(Accepted {
                request: BearerHash::stored(&request),
                serial: Serial::try_from(serial.as_str()).map_err(bad("serial"))?,
                issued: row.ok_src.map(|sealed| SealedSource(sealed.into_vec())),
                at: Timestamp::from_millis(row.ok_at),
            }),
            _ => None,
        };
        Ok(Self {
            active: row.active,
            live: live.collect::<PortResult<_>>()?,
            known_failures: row.fk,
            stranger_failures: row.fs,
            strangers_wait_until: Timestamp::from_millis(row.lks),
            sources: row.src.iter().map(|source| BearerHash::stored(source)).collect(),
            last_accepted,
            last_refused: row.bad_id.as_deref().map(BearerHash::stored),
            policies: policies.collect::<Result<_, _>>().map_err(bad("policy"))?,
        })
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct TokenRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    tenant: String,
    user: String,
    serial: String,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<u64>,
    alg: String,
    digits: u8,
    st: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<ByteBuf>,
    /// When the state began.
    since: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DeviceItem>,
    ver: u64,
    created: u64,
}

#[derive(Deserialize, Serialize)]
struct DeviceItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<ByteBuf>,
    enrolled: DetailsItem,
    now: DetailsItem,
    told: u64,
}

#[derive(Deserialize, Serialize)]
struct DetailsItem {
    os: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    os_version: Option<String>,
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_version: Option<String>,
    push: String,
}

impl From<&DeviceDetails> for DetailsItem {
    fn from(details: &DeviceDetails) -> Self {
        let text = |text: &Option<DeviceText>| text.as_ref().map(|text| text.as_str().to_owned());
        Self {
            os: details.os.as_str().to_owned(),
            os_version: text(&details.os_version),
            kind: details.kind.as_str().to_owned(),
            app: text(&details.app),
            app_version: text(&details.app_version),
            push: details.push.as_str().to_owned(),
        }
    }
}

impl TryFrom<DetailsItem> for DeviceDetails {
    type Error = PortError;

    fn try_from(item: DetailsItem) -> PortResult<Self> {
        let text = |text: Option<String>| {
            text.as_deref().map(DeviceText::try_from).transpose().map_err(bad("device text"))
        };
        Ok(Self {
            os: known("operating system", Os::parse(&item.os))?,
            os_version: text(item.os_version)?,
            kind: known("device kind", DeviceKind::parse(&item.kind))?,
            app: text(item.app)?,
            app_version: text(item.app_version)?,
            push: known("push state", PushOtp::parse(&item.push))?,
        })
    }
}

impl From<&Device> for DeviceItem {
    fn from(device: &Device) -> Self {
        Self {
            key: device.key.map(|key| ByteBuf::from(key.bytes().to_vec())),
            enrolled: DetailsItem::from(&device.enrolled),
            now: DetailsItem::from(&device.now),
            told: device.told_at.millis(),
        }
    }
}

fn device_key(key: &ByteBuf) -> PortResult<DeviceKey> {
    <[u8; 32]>::try_from(key.as_slice()).map(DeviceKey::new).map_err(bad("device key"))
}

impl TryFrom<DeviceItem> for Device {
    type Error = PortError;

    fn try_from(item: DeviceItem) -> PortResult<Self> {
        Ok(Self {
            key: item.key.as_ref().map(device_key).transpose()?,
            enrolled: item.enrolled.try_into()?,
            now: item.now.try_into()?,
            told_at: Timestamp::from_millis(item.told),
        })
    }
}

impl From<&Token> for TokenRow {
    fn from(token: &Token) -> Self {
        let mut row = Self {
            pk: keys::user(&token.tenant, &token.user),
            sk: keys::place(token),
            tenant: token.tenant.to_string(),
            user: token.user.to_string(),
            serial: token.serial.to_string(),
            kind: token.parameters.kind.as_str().to_owned(),
            period: token.parameters.kind.period().map(Period::seconds),
            alg: token.parameters.algorithm.as_str().to_owned(),
            digits: token.parameters.digits.count(),
            st: token.state.as_str().to_owned(),
            link: None,
            seed: None,
            since: token.created_at.millis(),
            activated: None,
            device: token.device.as_ref().map(DeviceItem::from),
            ver: token.version,
            created: token.created_at.millis(),
        };
        match &token.state {
            TokenState::Assigned => {}
            TokenState::Enrolling { link, since } => {
                row.link = Some(link.as_str().to_owned());
                row.since = since.millis();
            }
            TokenState::Active { seed, since } => {
                row.seed = Some(ByteBuf::from(seed.0.clone()));
                row.since = since.millis();
            }
            TokenState::Suspended { seed, activated_at, since } => {
                row.seed = Some(ByteBuf::from(seed.0.clone()));
                row.activated = Some(activated_at.millis());
                row.since = since.millis();
            }
            TokenState::Revoked { at } => row.since = at.millis(),
        }
        row
    }
}

impl TryFrom<TokenRow> for Token {
    type Error = PortError;

    fn try_from(row: TokenRow) -> PortResult<Self> {
        let since = Timestamp::from_millis(row.since);
        let seed = row.seed.map(|seed| SealedSeed(seed.into_vec()));
        let state = match row.st.as_str() {
            "assigned" => TokenState::Assigned,
            "enrolling" => {
                TokenState::Enrolling { link: BearerHash::stored(&known("link", row.link)?), since }
            }
            "active" => TokenState::Active { seed: known("seed", seed)?, since },
            "suspended" => TokenState::Suspended {
                seed: known("seed", seed)?,
                activated_at: Timestamp::from_millis(known("activation", row.activated)?),
                since,
            },
            "revoked" => TokenState::Revoked { at: since },
            _ => return Err(corrupt("token state: not a value of ours")),
        };
        let kind = match row.kind.as_str() {
            "hotp" => Kind::Hotp,
            "totp" => Kind::Totp(Period::new(known("period", row.period)?).map_err(bad("period"))?),
            _ => return Err(corrupt("token kind: not a value of ours")),
        };
        let parameters = OtpParameters {
            kind,
            algorithm: Algorithm::try_from(row.alg.as_str()).map_err(bad("algorithm"))?,
            digits: Digits::try_from(row.digits).map_err(bad("digits"))?,
        };
        Ok(Self {
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            user: UserId::try_from(row.user.as_str()).map_err(bad("user"))?,
            serial: Serial::try_from(row.serial.as_str()).map_err(bad("serial"))?,
            parameters,
            state,
            device: row.device.map(Device::try_from).transpose()?,
            version: row.ver,
            created_at: Timestamp::from_millis(row.created),
        })
    }
}

/// Whose token a serial is.
#[derive(Deserialize, Serialize)]
pub(super) struct PointerRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    user: String,
    /// The sort key of the token's row.
    at: String,
}

impl PointerRow {
    pub(super) fn to(token: &Token) -> Self {
        let (pk, sk) = (keys::pointer(&token.tenant, &token.serial), keys::POINTER.to_owned());
        Self { pk, sk, user: token.user.to_string(), at: keys::place(token) }
    }

    pub(super) fn place(&self) -> &str {
        &self.at
    }

    pub(super) fn user(&self) -> PortResult<UserId> {
        UserId::try_from(self.user.as_str()).map_err(bad("user"))
    }
}

#[derive(Deserialize, Serialize)]
pub(super) struct EnrolmentRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    link: String,
    tenant: String,
    user: String,
    serial: String,
    st: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    /// The authorization code's hash, sealed, and how many wrong ones were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authz: Option<ByteBuf>,
    #[serde(default)]
    authz_wrong: u8,
    sessions: Vec<SessionItem>,
    created: u64,
    exp: u64,
    /// Seconds that the link lives at most after its button was first pressed, and when that was.
    visit_life: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visited: Option<u64>,
    ttl: u64,
    ver: u64,
}

#[derive(Deserialize, Serialize)]
struct SessionItem {
    id: String,
    seed: ByteBuf,
    exp: u64,
    wrong: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device_key: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<DetailsItem>,
}

impl From<&Enrolment> for EnrolmentRow {
    fn from(enrolment: &Enrolment) -> Self {
        let (st, ended) = match enrolment.state {
            EnrolmentState::Open => ("open", None),
            EnrolmentState::Used { at } => ("used", Some(at.millis())),
            EnrolmentState::Superseded { at } => ("superseded", Some(at.millis())),
        };
        let session = |session: &EnrolmentSession| SessionItem {
            id: session.id.as_str().to_owned(),
            seed: ByteBuf::from(session.seed.0.clone()),
            exp: session.expires_at.millis(),
            wrong: session.wrong_codes,
            device_key: session.device.as_ref().map(|device| ByteBuf::from(device.key.bytes().to_vec())),
            device: session.device.as_ref().map(|device| DetailsItem::from(&device.details)),
        };
        Self {
            pk: keys::link(&enrolment.link),
            sk: keys::LINK.to_owned(),
            link: enrolment.link.as_str().to_owned(),
            tenant: enrolment.tenant.to_string(),
            user: enrolment.user.to_string(),
            serial: enrolment.serial.to_string(),
            st: st.to_owned(),
            ended,
            authz: enrolment.authorization.as_ref().map(|kept| ByteBuf::from(kept.sealed_hash.clone())),
            authz_wrong: enrolment.authorization.as_ref().map_or(0, |kept| kept.wrong_codes),
            sessions: enrolment.sessions.iter().map(session).collect(),
            created: enrolment.created_at.millis(),
            exp: enrolment.expires_at.millis(),
            visit_life: enrolment.life_after_visit.as_secs(),
            visited: enrolment.visited_at.map(Timestamp::millis),
            ttl: enrolment.expires_at.plus(DEAD_LINK_KEPT).seconds(),
            ver: enrolment.version,
        }
    }
}

impl TryFrom<EnrolmentRow> for Enrolment {
    type Error = PortError;

    fn try_from(row: EnrolmentRow) -> PortResult<Self> {
        let ended = row.ended.map(Timestamp::from_millis);
        let state = match row.st.as_str() {
            "open" => EnrolmentState::Open,
            "used" => EnrolmentState::Used { at: known("end", ended)? },
            "superseded" => EnrolmentState::Superseded { at: known("end", ended)? },
            _ => return Err(corrupt("enrolment state: not a value of ours")),
        };
        let session = |item: SessionItem| -> PortResult<EnrolmentSession> {
            let device = match (item.device_key, item.device) {
                (Some(key), Some(details)) => {
                    Some(SessionDevice { key: device_key(&key)?, details: details.try_into()? })
                }
                _ => None,
            };
            Ok(EnrolmentSession {
                id: BearerHash::stored(&item.id),
                seed: SealedSeed(item.seed.into_vec()),
                expires_at: Timestamp::from_millis(item.exp),
                wrong_codes: item.wrong,
                device,
            })
        };
        let wrong_codes = row.authz_wrong;
        let authorization =
            row.authz.map(|sealed| Authorization { sealed_hash: sealed.into_vec(), wrong_codes });
        Ok(Self {
            link: BearerHash::stored(&row.link),
            tenant: TenantId::try_from(row.tenant.as_str()).map_err(bad("tenant"))?,
            user: UserId::try_from(row.user.as_str()).map_err(bad("user"))?,
            serial: Serial::try_from(row.serial.as_str()).map_err(bad("serial"))?,
            created_at: Timestamp::from_millis(row.created),
            expires_at: Timestamp::from_millis(row.exp),
            life_after_visit: std::time::Duration::from_secs(row.visit_life),
            visited_at: row.visited.map(Timestamp::from_millis),
            state,
            authorization,
            sessions: row.sessions.into_iter().map(session).collect::<PortResult<_>>()?,
            version: row.ver,
        })
    }
}

/// An audit entry; written, never changed.
#[derive(Serialize)]
pub(super) struct AuditRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    at: u64,
    actor: String,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
}

impl From<&AuditEntry> for AuditRow {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            pk: keys::audit(entry),
            sk: entry.id.to_string(),
            tenant: entry.tenant.as_ref().map(TenantId::to_string),
            at: entry.at.millis(),
            actor: entry.actor.text(),
            action: entry.action.as_str(),
            user: entry.user.as_ref().map(UserId::to_string),
            serial: entry.serial.as_ref().map(Serial::to_string),
            key: entry.key.as_ref().map(KeyId::to_string),
            message: entry.message.as_ref().map(MessageId::to_string),
            policy: entry.policy.as_ref().map(PolicyId::to_string),
            gateway: entry.gateway.as_ref().map(GatewayId::to_string),
            template: entry.template.as_ref().map(TemplateName::to_string),
            address: entry.address.as_ref().map(|address| address.as_str().to_owned()),
            operator: entry.operator.as_ref().map(|operator| operator.as_str().to_owned()),
            reason: entry.reason.as_ref().map(|reason| reason.as_str().to_owned()),
            detail: entry.detail,
        }
    }
}

/// A slot for an answer.
#[derive(Deserialize, Serialize)]
pub(super) struct AnswerRow {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(rename = "SK")]
    sk: String,
    request: String,
    holder: String,
    at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<ByteBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clear: Option<ByteBuf>,
    ttl: u64,
}

impl From<&Slot> for AnswerRow {
    fn from(slot: &Slot) -> Self {
        Self {
            pk: keys::answer(slot),
            sk: keys::ANSWER.to_owned(),
            request: slot.request.as_str().to_owned(),
            holder: slot.holder.clone(),
            at: slot.at.millis(),
            sealed: None,
            clear: None,
            ttl: slot.at.plus(ANSWER_LIFE).seconds(),
        }
    }
}

impl AnswerRow {
    /// What the slot tells a request that did not get it.
    pub(super) fn tells(self, request: &BearerHash) -> Reserved {
        if self.request != request.as_str() {
            return Reserved::OtherRequest;
        }
        match (self.sealed, self.clear) {
            (Some(sealed), _) => Reserved::Answered(AnswerContent::Sealed(sealed.into_vec())),
            (None, Some(clear)) => Reserved::Answered(AnswerContent::Clear(clear.into_vec())),
            (None, None) => Reserved::Running { until: Timestamp::from_millis(self.at).plus(SLOT_LEASE) },
        }
    }
}
