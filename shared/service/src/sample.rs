//! A small world of fixed ids, for the sample events: what they name exists here and nowhere else.
//!
//! Ids and keys are made of repeated bytes. They open nothing in any deployment.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "support of tests: a broken assumption must end the test"
)]

mod challenges;
mod gateways;

pub use challenges::{CODE_IN_EVENTS, challenge_in_events, with_challenge};
pub use gateways::texted_by;

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::apikey::{self, ApiKey, Role, SecretHash};
use otpost_domain::audit::{Action, Actor};
use otpost_domain::authorization::{Authorization, AuthorizationCode};
use otpost_domain::contact::{DisplayName, EmailAddress};
use otpost_domain::device::Device;
use otpost_domain::directory::SourceKind;
use otpost_domain::document::Value;
use otpost_domain::enrolment::{Enrolment, LinkLife};
use otpost_domain::ids::{
    BearerCode, BearerHash, JobId, KeyId, MessageId, PolicyId, Serial, TenantId, UserId,
};
use otpost_domain::job::{Job, JobKind};
use otpost_domain::message::{Channel, Message, MessageStatus, PICK_UP, SealedContent, Sender};
use otpost_domain::otp::OtpParameters;
use otpost_domain::policy::{Policy, PolicyDocument};
use otpost_domain::secret::SecretText;
use otpost_domain::suppression::{Cause, Suppression};
use otpost_domain::template::{TemplateDocument, TemplateKind, TemplateName, TemplateVersion};
use otpost_domain::tenant::GroupName;
use otpost_domain::time::ClockOffset;
use otpost_domain::token::{SealedSeed, Token};

use crate::caller::Caller;
use crate::content::Content;
use crate::memory::MemoryPorts;
use crate::once::Once;
use crate::ports::{
    Activation, Clock as _, KeyStore as _, MessageStore as _, PlatformKey, PolicyStore as _, PortResult,
    Ports as _, Push, RecordKind, Sealer as _, SuppressionStore as _, TemplateStore as _, TokenStore as _,
    Write,
};
use crate::users::{Profile, create_user};

/// The seed of jane's token: at the sample world's time its code is [`right_code`].
pub const SEED: [u8; 20] = *b"12345678901234567890";

/// The platform key `otp_platform_` and 48 letters a.
#[derive(Clone, Copy, Debug)]
pub struct SamplePlatformKey;

impl PlatformKey for SamplePlatformKey {
    async fn secret_hash(&self) -> PortResult<Option<SecretHash>> {
        Ok(Some(SecretHash::of(&SecretText::new("a".repeat(48)))))
    }
}

fn tenant() -> TenantId {
    TenantId::try_from("acme").expect("a tenant's id")
}

/// An application's key whose caller asks only for people who have shown a first factor.
#[must_use]
pub fn marked_key() -> (ApiKey, SecretText) {
    let (key, text) = numbered_key(Role::App, 6);
    (ApiKey { after_first_factor: true, ..key }, text)
}

/// The key of a role: its id and text.
#[must_use]
pub fn key(role: Role) -> (ApiKey, SecretText) {
    let number = match role {
        Role::Platform => 0,
        Role::App => 1,
        Role::Helpdesk => 2,
        Role::Operator => 3,
        Role::Admin => 4,
        Role::Directory => 5,
    };
    numbered_key(role, number)
}

fn numbered_key(role: Role, number: u8) -> (ApiKey, SecretText) {
    let id = KeyId::new(&tenant(), [number; 8]);
    let (text, secret_hash) = apikey::mint(&id, &[number; 32]);
    let created_at = MemoryPorts::new().clock().now();
    let name = DisplayName::try_from(role.as_str()).expect("a name");
    (
        ApiKey {
            id,
            role,
            name,
            secret_hash,
            created_at,
            revoked_at: None,
            expires_at: None,
            after_first_factor: false,
            clock: ClockOffset::NONE,
        },
        text,
    )
}

/// The code in joe's enrolment link.
#[must_use]
pub fn link() -> BearerCode {
    BearerCode::new(&[7; 32])
}

/// The authorization code of joe's link: `2222-2222`.
#[must_use]
pub fn authorization() -> AuthorizationCode {
    AuthorizationCode::new(&[0; 5])
}

/// Jane's token, active, and joe's, enrolling.
#[must_use]
pub fn serials() -> [Serial; 2] {
    [Serial::new([1; 8]), Serial::new([2; 8])]
}

/// The code of jane's token at the sample world's time.
#[must_use]
pub fn right_code() -> String {
    let seed = otpost_domain::secret::Seed::new(SEED.to_vec()).expect("a seed");
    let parameters = OtpParameters::default();
    let period = parameters.kind.period().expect("time-based");
    let step = otpost_domain::otp::totp::step(MemoryPorts::new().clock().now().seconds(), period);
    otpost_domain::otp::totp::code(&seed, step, &parameters).expose().to_owned()
}

/// The message with joe's link.
#[must_use]
pub fn message() -> MessageId {
    MessageId::new(MemoryPorts::new().clock().now(), [1; 10])
}

/// An address that is written to no more.
#[must_use]
pub fn suppression() -> Suppression {
    Suppression {
        tenant: tenant(),
        address: EmailAddress::try_from("gone@example.org").expect("an address"),
        cause: Cause::HardBounce,
        why: "550 5.1.1: no such mailbox".to_owned(),
        message: message(),
        at: MemoryPorts::new().clock().now(),
    }
}

/// The job that the sample policy called for.
#[must_use]
pub fn job() -> JobId {
    JobId::new(MemoryPorts::new().clock().now(), [1; 10])
}

/// Policy `staff` for the group Staff, with the job that it called for.
async fn staff(ports: &MemoryPorts, caller: &Caller) {
    let now = ports.clock().now();
    let groups = Value::object([("groups", Value::List(vec![Value::text("Staff")]))]);
    let settings = Value::object([("window_steps", Value::Whole(2))]);
    let document = PolicyDocument::read(&Value::object([("applies_to", groups), ("settings", settings)]));
    let id = PolicyId::try_from("staff").expect("a policy's id");
    let policy = Policy::new(id, document.expect("a document"), now);
    let job = Job::new(job(), tenant(), JobKind::Restamp, now);
    let journal = caller.journal(ports, Action::PolicyCreated);
    done(ports.store().save_policy(&tenant(), &policy, Some(&job), &journal).await);
}

/// Two versions of the template `mobile_code.en`.
async fn with_template(ports: &MemoryPorts, caller: &Caller) {
    let name = TemplateName::try_from("mobile_code.en").expect("a template's name");
    for (number, text) in [(1, "Your code: %code%"), (2, "Your code, which you need once: %code%")] {
        let document = Value::object([("sms", Value::object([("text", Value::text(text))]))]);
        let version = TemplateVersion {
            name: name.clone(),
            version: number,
            document: TemplateDocument::checked_before(&document).ok(),
            repeats: None,
            saved_by: caller.actor.text(),
            saved_at: ports.clock().now(),
            created_at: ports.clock().now(),
        };
        let journal = caller.journal(ports, Action::TemplateSaved);
        done(ports.store().save_template(&caller.tenant, &version, &journal).await);
    }
}

/// Tenant `acme` with a key of each role and a second one of `app` that is marked `after_first_factor`, the policy `staff`, the template `mobile_code.en`, the gateways `mail` and
/// `texts`, and a directory; gateway `ses` of the platform; `jane` with an active token; `joe` with a token whose link is
/// on its way and has been handed to SES's sender; one address that is written to no more.
///
/// # Panics
/// When a step fails: the world would not be what it says.
pub async fn sample_world() -> MemoryPorts {
    let ports = MemoryPorts::new();
    ports.with_tenant("acme").await;
    let caller = Caller::new(tenant(), Actor::System);
    for (key, _) in Role::OF_TENANTS.map(key).into_iter().chain([marked_key()]) {
        let journal = caller.journal(&ports, Action::KeyCreated);
        done(ports.store().create_key(&key, &journal).await);
    }
    staff(&ports, &caller).await;
    with_template(&ports, &caller).await;
    crate::directories::register(&ports, &caller, "111122223333", "otpost.directory", SourceKind::Contract)
        .await
        .expect("a directory");
    gateways::gateways(&ports).await;
    let [janes, joes] = serials();
    for user in ["jane", "joe"] {
        let email = EmailAddress::try_from(format!("{user}@example.org").as_str()).ok();
        let groups = [GroupName::try_from("Staff").expect("a name")].into();
        let profile = Profile { email, groups, ..Profile::default() };
        create_user(&ports, &caller, UserId::try_from(user).expect("an id"), profile, Once::not_kept())
            .await
            .expect("a user");
    }
    let jane = enrolling(&ports, &caller, "jane", janes, BearerHash::stored("jane's"), [9; 10]).await;
    activated(&ports, &caller, jane).await;
    enrolling(&ports, &caller, "joe", joes, link().hash(), [1; 10]).await;
    done(ports.store().suppress(&suppression()).await);
    ports
}

async fn enrolling(
    ports: &MemoryPorts,
    caller: &Caller,
    user: &str,
    serial: Serial,
    link_hash: BearerHash,
    random: [u8; 10],
) -> (Token, Enrolment) {
    let now = ports.clock().now();
    let user = UserId::try_from(user).expect("an id");
    let token = Token::assigned(tenant(), user.clone(), serial.clone(), OtpParameters::default(), now);
    let journal = caller.journal(ports, Action::TokenProvisioned);
    let provisioned = ports.store().provision(&token, 1, &journal).await.expect("a store");
    assert_eq!(provisioned, crate::ports::Provisioning::Done);
    let token = token.pushed(link_hash.clone(), now).expect("can be pushed");
    let hash = authorization().hash();
    let kind = RecordKind::AuthorizationCode;
    let sealed = ports.sealer().seal(&tenant(), kind, link_hash.as_str(), hash.as_slice()).await;
    let authorization = Some(Authorization { sealed_hash: sealed.expect("seals"), wrong_codes: 0 });
    let (to, of) = (user.clone(), serial.clone());
    let enrolment = Enrolment::new(link_hash, tenant(), to, of, now, LinkLife::default(), authorization);
    let message = Message {
        id: MessageId::new(now, random),
        tenant: tenant(),
        user: Some(user.clone()),
        serial: Some(serial),
        purpose: TemplateKind::PushToken,
        test: false,
        simulated: false,
        channel: Channel::Email,
        recipient: "j***@e***.org".to_owned(),
        country: None,
        fallback: None,
        address: None,
        suppressed: None,
        content: None,
        created_at: now,
        expires_at: enrolment.expires_at,
        status: MessageStatus::Queued,
        reason: None,
        overtaken: None,
        hops: Vec::new(),
        due_at: Some(now.plus(PICK_UP)),
        version: 1,
    };
    let mut content = Content::default();
    content.to = format!("{user}@example.org");
    content.link = format!("https://otp.example.org/e/{}", link().expose());
    content.username = user.to_string();
    content.display_name = user.to_string();
    "Acme".clone_into(&mut content.tenant_name);
    "en".clone_into(&mut content.locale);
    content.expires = enrolment.expires_at.for_people("en");
    let bytes = content.encode().expect("encodes");
    let kind = RecordKind::MessageContent;
    let sealed = ports.sealer().seal(&tenant(), kind, message.id.as_str(), &bytes).await.expect("seals");
    let message = Message { content: Some(SealedContent(sealed)), ..message };
    let journal = caller.journal(ports, Action::TokenPushed);
    let push =
        Push { token: &token, enrolment: &enrolment, superseded: None, message: &message, journal: &journal };
    done(ports.store().push(&push).await);
    (token, enrolment)
}

async fn activated(ports: &MemoryPorts, caller: &Caller, (token, enrolment): (Token, Enrolment)) {
    let now = ports.clock().now();
    let kind = RecordKind::TokenSeed;
    let sealed = ports.sealer().seal(&tenant(), kind, token.serial.as_str(), &SEED).await.expect("seals");
    let token = token
        .activated(&enrolment.link, SealedSeed(sealed), Device::browser(now), now)
        .expect("can be activated");
    let enrolment = enrolment.used(now).expect("open");
    let journal = caller.journal(ports, Action::TokenActivated);
    let activation =
        Activation { token: &token, enrolment: &enrolment, step: 1, drift: 0, journal: &journal };
    done(ports.store().activate(&activation).await);
}

/// Joe's message as if it had been chosen to go by `sender`, so that a sender's sample event finds its hop.
///
/// # Panics
/// When the sample world has no such message.
pub async fn hand_to(ports: &MemoryPorts, sender: Sender) {
    hand(ports).await;
    let reference = crate::ports::MessageRef { tenant: tenant(), id: message() };
    let mut handed = ports.store().message(&reference).await.expect("a store").expect("a message");
    handed.hops.last_mut().expect("a hop").via.sender = sender;
    handed.version += 1;
    done(ports.store().save_message(&handed).await);
}

/// Hands joe's message to its sender, as `deliver` does.
///
/// # Panics
/// When the sample world has no such message.
pub async fn hand(ports: &MemoryPorts) {
    let reference = crate::ports::MessageRef { tenant: tenant(), id: message() };
    assert!(ports.store().message(&reference).await.expect("a store").is_some());
    crate::deliver::deliver(ports, &reference).await.expect("delivers");
}

fn done(write: PortResult<Write>) {
    assert_eq!(write.expect("a store"), Write::Done);
}

/// The sample events of a function, `events/<function>/*.json`: name and text of each, all of `expected` and no more.
///
/// # Panics
/// When a file is missing, or one is there that nobody expects.
#[must_use]
pub fn events(function: &str, expected: &[&str]) -> Vec<(String, String)> {
    let folder = format!("{}/../../events/{function}", env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder of events")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"))
        .collect();
    found.sort();
    let mut wanted: Vec<_> = expected.iter().map(|name| (*name).to_owned()).collect();
    wanted.sort();
    assert_eq!(
        found, wanted,
        "every sample event of {function} is expected, and every expected one is there"
    );
    let text = |name: String| {
        let text = std::fs::read_to_string(format!("{folder}/{name}")).expect("readable");
        (name, text)
    };
    found.into_iter().map(text).collect()
}

/// The link's code as the events write it.
#[must_use]
pub fn link_text() -> String {
    BASE64URL_NOPAD.encode(&[7; 32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_code_is_written_as_a_link_is() {
        assert_eq!(link().expose(), link_text());
    }
}
