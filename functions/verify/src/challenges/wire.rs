//! Challenges as they are asked for and told.

use otpost_domain::challenge::{Addressee, Contact};
use otpost_domain::contact::{EmailAddress, Locale, PhoneNumber};
use otpost_domain::ids::UserId;
use otpost_domain::time::Timestamp;
use otpost_edge::http::{field, optional_object};
use otpost_edge::problem::Problem;
use otpost_service::challenges::{Accepted, Shown, Telling};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::status::StatusView;

/// A code to be sent to somebody.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeToSend {
    /// Of which user the code is asked. Whether there is such a user is not told.
    user: Option<String>,
    /// Instead of the user, an address that is no user's yet; for the purpose `enrolment` only.
    #[serde(default, deserialize_with = "optional_object")]
    address: Option<BareAddress>,
    /// What the code is to be good for: `sign_in`, `enrolment`, `password_reset` or `transaction`. It is good for nothing
    /// else.
    pub(super) purpose: String,
    /// By which channel the code goes, and no other: email or sms. By policy unless given.
    pub(super) channel: Option<String>,
    /// What the code confirms, as the message shows it: 1 to 140 characters on one line. It must be given for the purpose
    /// `transaction`, and for no other.
    pub(super) transaction: Option<String>,
    /// The device id that an earlier success issued to the device on which the code will be typed. A device with one has a
    /// code and a budget of wrong codes of its own, so that strangers cannot keep its user out. What was never issued is
    /// a stranger's.
    pub(super) source: Option<String>,
}

/// An address: an e-mail address or a telephone number.
#[derive(Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BareAddress {
    /// An e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// A telephone number in international form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

impl CodeToSend {
    /// Of whom the code is asked.
    pub(super) fn addressee(&self) -> Result<Addressee, Problem> {
        match (&self.user, &self.address) {
            (Some(user), None) => Ok(Addressee::User(field::<UserId, _>("user", user)?)),
            (None, Some(address)) => Ok(Addressee::Bare(address.contact()?)),
            (Some(_), Some(_)) => Err(Problem::field("address", "must not be given together with the user")),
            (None, None) => Err(Problem::field("user", "must be given, or else the address")),
        }
    }
}

impl BareAddress {
    fn contact(&self) -> Result<Contact, Problem> {
        match (&self.email, &self.phone) {
            (Some(email), None) => Ok(Contact::Email(field::<EmailAddress, _>("email", email)?)),
            (None, Some(phone)) => Ok(Contact::Phone(field::<PhoneNumber, _>("phone", phone)?)),
            _ => Err(Problem::field("address", "must have either email or phone")),
        }
    }
}

impl From<Contact> for BareAddress {
    fn from(contact: Contact) -> Self {
        match contact {
            Contact::Email(email) => Self { email: Some(email.expose().to_owned()), phone: None },
            Contact::Phone(phone) => Self { email: None, phone: Some(phone.expose().to_owned()) },
        }
    }
}

/// How the code is sent once more.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resend {
    /// By which channel this time, and no other: email or sms. By policy unless given.
    pub(super) channel: Option<String>,
}

/// A code that was typed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedCode {
    /// The code, 6 to 10 digits; blanks are passed over.
    pub(super) code: String,
    /// What you let it be good for. A code that was sent for something else is wrong: say what your page does, not what
    /// the browser says.
    pub(super) purpose: String,
    /// What the code is to confirm, as it was when the challenge was started, to the letter; for the purpose `transaction`.
    pub(super) transaction: Option<String>,
    /// Whether to issue a (new) device id if the code is right. Keep it on the user's device, e.g. in a cookie.
    #[serde(default)]
    pub(super) remember_source: bool,
}

/// A code that was asked for. It looks the same for users who do not exist or cannot be written to.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Challenge")]
pub(super) struct ChallengeView {
    /// The challenge's id, at most 600 characters. Whoever has it may guess: keep it in the session of whoever is to type
    /// the code, and out of logs and links.
    id: String,
    /// What the code is for.
    purpose: &'static str,
    /// How many digits the code has.
    digits: u8,
    /// From when on the code is good no more (RFC 3339).
    expires_at: String,
    /// The same in seconds from this answer; from the first one where it is repeated.
    expires_in_seconds: u64,
    /// From when on the code may be sent again (RFC 3339).
    resend_at: String,
    /// The same in seconds from this answer.
    resend_in_seconds: u64,
    /// By which channel the code goes at first: email or sms. To keys that are not marked `after_first_factor` this is made
    /// up, the same for users who exist and for names that nobody has, and is not to be shown to anybody.
    channel: &'static str,
    /// To whom it goes on that channel, masked. To keys that are not marked `after_first_factor` this is made up, the same
    /// for users who exist and for names that nobody has, and is not to be shown to anybody.
    recipient: String,
}

impl ChallengeView {
    pub(super) fn new(shown: &Shown, now: Timestamp) -> Self {
        Self {
            id: shown.id.expose(),
            purpose: shown.purpose.as_str(),
            digits: shown.digits,
            expires_at: shown.expires_at.rfc3339(),
            expires_in_seconds: seconds(now, shown.expires_at),
            resend_at: shown.resend_at.rfc3339(),
            resend_in_seconds: seconds(now, shown.resend_at),
            channel: shown.channel.as_str(),
            recipient: shown.recipient.clone(),
        }
    }
}

/// Whole seconds until then, rounded up: who waits as long is not too early.
pub(crate) fn seconds(now: Timestamp, then: Timestamp) -> u64 {
    let wait = now.until(then);
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// How far a challenge is.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ChallengeStanding")]
pub(super) struct StandingView {
    /// What its code may still do: `open` (it can be accepted), `accepted`, `exhausted` (it takes no more codes) or `over`
    /// (it has expired, was given up, or gave way to another).
    standing: &'static str,
    /// What the code is for.
    purpose: &'static str,
    /// From when on the code is good no more (RFC 3339).
    expires_at: String,
    /// The same in seconds from this answer; 0 when it has passed.
    expires_in_seconds: u64,
    /// From when on the code may be sent again (RFC 3339).
    resend_at: String,
    /// The same in seconds from this answer; 0 when it has passed.
    resend_in_seconds: u64,
    /// Where the last message with the code is. Told to keys that are marked `after_first_factor` only, and left out when
    /// the challenge gave way to another.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<StatusView>,
}

impl StandingView {
    pub(super) fn new(told: Telling, locale: &Locale, now: Timestamp) -> Self {
        Self {
            standing: told.standing.as_str(),
            purpose: told.purpose.as_str(),
            expires_at: told.expires_at.rfc3339(),
            expires_in_seconds: seconds(now, told.expires_at),
            resend_at: told.resend_at.rfc3339(),
            resend_in_seconds: seconds(now, told.resend_at),
            message: told.waiting.map(|waiting| StatusView::new(waiting, locale)),
        }
    }
}

/// The code of a challenge, in a tenant that was created as a test tenant.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ChallengeCode")]
pub(super) struct CodeView {
    /// The code, as its message shows it.
    pub(super) code: String,
}

/// The code was accepted; it will not be again.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ChallengeAccepted")]
pub(super) struct AcceptedView {
    /// `accepted`.
    result: &'static str,
    /// The user whose code it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Instead of the user, the address that whoever typed the code can read.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<BareAddress>,
    /// Whether policy lets the code count as authentication. By e-mail it does not, unless `email_codes_authenticate` says
    /// so (NIST SP 800-63B-4 section 3.1.3.1); then it shows no more than that somebody reads the address.
    authenticates: bool,
    /// The device id, if one was to be issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

impl From<Accepted> for AcceptedView {
    fn from(accepted: Accepted) -> Self {
        let (user, address) = match accepted.addressee {
            Addressee::User(user) => (Some(user.to_string()), None),
            Addressee::Bare(contact) => (None, Some(contact.into())),
        };
        Self {
            result: "accepted",
            user,
            address,
            authenticates: accepted.authenticates,
            source: accepted.source,
        }
    }
}
