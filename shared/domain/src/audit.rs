//! Audit entries. One lies in the same write as each change that it tells of.
//!
//! A verification's entry is the user's row itself: it holds when and with which token the last code was accepted,
//! and when the last one was refused, so that accepting a code stays one write.

use crate::helpdesk::Operator;
use crate::ids::{AuditId, DirectoryId, GatewayId, KeyId, MessageId, PolicyId, Serial, TenantId, UserId};
use crate::plain::plain;
use crate::suppression::AddressKey;
use crate::template::TemplateName;
use crate::time::Timestamp;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The deployment's own key.
    Platform,
    /// A tenant's key.
    Key(KeyId),
    /// Whoever holds the enrolment link.
    LinkHolder,
    /// The device that holds the token, by its signature.
    Device,
    /// A directory, by its events.
    Directory(DirectoryId),
    /// Otpost itself.
    System,
}

impl Actor {
    /// As stored and shown.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Platform => "platform".to_owned(),
            Self::Directory(id) => format!("directory:{id}"),
            Self::Key(id) => format!("key:{id}"),
            Self::LinkHolder => "link".to_owned(),
            Self::Device => "device".to_owned(),
            Self::System => "system".to_owned(),
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A tenant was made.
    TenantCreated,
    /// A key was made.
    KeyCreated,
    /// A key was replaced by a new one.
    KeyRotated,
    /// A key was revoked.
    KeyRevoked,
    /// A user was made.
    UserCreated,
    /// A user was changed.
    UserChanged,
    /// A code that went to a user's changed address came back.
    AddressConfirmed,
    /// A user was deleted, with their tokens.
    UserDeleted,
    /// A token was provisioned.
    TokenProvisioned,
    /// A token's link was sent.
    TokenPushed,
    /// Somebody pressed the link's button: a session with a seed of its own was opened.
    EnrolmentStarted,
    /// A session gave a wrong first code.
    EnrolmentCodeRefused,
    /// A link was used with a wrong authorization code.
    AuthorizationRefused,
    /// The first right code activated a token.
    TokenActivated,
    /// A token was stopped.
    TokenSuspended,
    /// A stopped token goes on.
    TokenResumed,
    /// A token was ended.
    TokenRevoked,
    /// Two codes found a token again whose clock or counter had run away.
    TokenResynced,
    /// Revoked tokens of a user who is being deleted were forgotten.
    TokensForgotten,
    /// A token's device said something new of itself.
    DeviceChanged,
    /// A user's failures were forgotten.
    UserUnlocked,
    /// The helpdesk has sent a code, for the caller to read back.
    HelpdeskCodeSent,
    /// A caller has read such a code back.
    HelpdeskCodeReadBack,
    /// The helpdesk has sent a new password.
    HelpdeskPasswordSent,
    /// A policy was made.
    PolicyCreated,
    /// A policy was changed.
    PolicyChanged,
    /// A policy was deleted.
    PolicyDeleted,
    /// Policy has given a user something, or taken it.
    PolicyApplied,
    /// A directory was registered.
    DirectoryCreated,
    /// A directory was taken out again.
    DirectoryDeleted,
    /// An operator has let waiting changes of many users go on.
    MassChangeReleased,
    /// A gateway was made.
    GatewayCreated,
    /// A gateway was changed, or its credentials were.
    GatewayChanged,
    /// A gateway was deleted, with its credentials.
    GatewayDeleted,
    /// A template was saved, or an earlier version of it again.
    TemplateSaved,
    /// A template was removed; its history stays.
    TemplateRemoved,
    /// A template was sent to an address as a test.
    TemplateTested,
    /// A message was sent by a gateway to test it.
    GatewayTested,
    /// An address was taken off the suppression list.
    SuppressionCleared,
    /// The look of a tenant's mails was changed.
    BrandChanged,
    /// A tenant got a new data key.
    DataKeyRotated,
    /// A tenant was deleted, its data keys with it.
    TenantDeleted,
    /// The last row of a deleted tenant is gone.
    TenantErased,
}

impl Action {
    /// As stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantCreated => "tenant.created",
            Self::KeyCreated => "key.created",
            Self::KeyRotated => "key.rotated",
            Self::KeyRevoked => "key.revoked",
            Self::UserCreated => "user.created",
            Self::UserChanged => "user.changed",
            Self::AddressConfirmed => "user.address_confirmed",
            Self::UserDeleted => "user.deleted",
            Self::TokenProvisioned => "token.provisioned",
            Self::TokenPushed => "token.pushed",
            Self::EnrolmentStarted => "enrolment.started",
            Self::EnrolmentCodeRefused => "enrolment.code_refused",
            Self::AuthorizationRefused => "enrolment.authorization_refused",
            Self::TokenActivated => "token.activated",
            Self::TokenSuspended => "token.suspended",
            Self::TokenResumed => "token.resumed",
            Self::TokenRevoked => "token.revoked",
            Self::TokenResynced => "token.resynced",
            Self::TokensForgotten => "tokens.forgotten",
            Self::DeviceChanged => "token.device_changed",
            Self::UserUnlocked => "user.unlocked",
            Self::HelpdeskCodeSent => "helpdesk.code_sent",
            Self::HelpdeskCodeReadBack => "helpdesk.code_read_back",
            Self::HelpdeskPasswordSent => "helpdesk.password_sent",
            Self::PolicyCreated => "policy.created",
            Self::PolicyChanged => "policy.changed",
            Self::PolicyDeleted => "policy.deleted",
            Self::PolicyApplied => "user.policy_applied",
            Self::DirectoryCreated => "directory.created",
            Self::DirectoryDeleted => "directory.deleted",
            Self::MassChangeReleased => "mass_change.released",
            Self::GatewayCreated => "gateway.created",
            Self::GatewayChanged => "gateway.changed",
            Self::GatewayDeleted => "gateway.deleted",
            Self::TemplateSaved => "template.saved",
            Self::TemplateRemoved => "template.removed",
            Self::TemplateTested => "template.tested",
            Self::GatewayTested => "gateway.tested",
            Self::SuppressionCleared => "suppression.cleared",
            Self::BrandChanged => "brand.changed",
            Self::DataKeyRotated => "tenant.data_key_rotated",
            Self::TenantDeleted => "tenant.deleted",
            Self::TenantErased => "tenant.erased",
        }
    }

    /// Whether its entry outlives the tenant: the platform keeps it, and not the tenant's own log, which goes with it.
    #[must_use]
    pub const fn outlives_its_tenant(self) -> bool {
        matches!(self, Self::TenantDeleted | Self::TenantErased)
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id, which sorts by time.
    pub id: AuditId,
    /// The tenant in which it happened; none for what is the platform's own.
    pub tenant: Option<TenantId>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// The user whom it concerns.
    pub user: Option<UserId>,
    /// The token that it concerns.
    pub serial: Option<Serial>,
    /// The key that it concerns.
    pub key: Option<KeyId>,
    /// The message that it concerns.
    pub message: Option<MessageId>,
    /// The policy that it concerns.
    pub policy: Option<PolicyId>,
    /// The gateway that it concerns.
    pub gateway: Option<GatewayId>,
    /// The template that it concerns.
    pub template: Option<TemplateName>,
    /// The address that it concerns, by its key in the suppression list.
    pub address: Option<AddressKey>,
    /// Who of the helpdesk, as whoever holds the key says.
    pub operator: Option<Operator>,
    /// Why, in the operator's words.
    pub reason: Option<Reason>,
    /// A choice worth knowing, e.g. that no authorization code was asked for.
    pub detail: Option<&'static str>,
}

/// Why an operator does something: 1 to 256 characters on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason(String);

/// What was given as a reason cannot stand in the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 256 characters without control characters")]
pub struct InvalidReason;

impl Reason {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Reason {
    type Error = InvalidReason;

    fn try_from(text: &str) -> Result<Self, InvalidReason> {
        plain(text, 256).map(Self).ok_or(InvalidReason)
    }
}
