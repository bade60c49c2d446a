//! A challenge of jane's in the sample world. Its id is sealed and its code drawn, and change with anything that is
//! drawn before them: events have texts that stand for both.

use data_encoding::BASE64URL_NOPAD;
use otpost_domain::apikey::Role;
use otpost_domain::audit::Actor;
use otpost_domain::challenge::Addressee;
use otpost_domain::ids::UserId;
use otpost_domain::template::CodePurpose;

use crate::caller::Caller;
use crate::challenges::{Asker, Order, start};
use crate::memory::{MemoryPorts, Queued, sent_code};
use crate::once::Once;
use crate::ports::Ports as _;

/// The code that stands in events for that of jane's challenge.
pub const CODE_IN_EVENTS: &str = "246 810";

/// The id that stands in events for that of jane's challenge.
#[must_use]
pub fn challenge_in_events() -> String {
    format!("chl_{}", BASE64URL_NOPAD.encode(&[3; 90]))
}

/// Starts a challenge of jane's for signing in, and puts its id and code into an event where others stand for them.
///
/// # Panics
/// When the sample world has no such user.
pub async fn with_challenge(ports: &MemoryPorts, event: &str) -> String {
    let (key, _) = super::key(Role::App);
    let caller = Caller::new(super::tenant(), Actor::Key(key.id));
    let order = Order {
        addressee: Addressee::User(UserId::try_from("jane").expect("an id")),
        purpose: CodePurpose::SignIn,
        channel: None,
        transaction: None,
        source: None,
    };
    let asker = Asker { caller, after_first_factor: false };
    ports.queue().take();
    let shown = start(ports, &asker, &order, Once::not_kept()).await.expect("a challenge");
    let delivered = |queued| match queued {
        Queued::Deliver(message) => Some(message),
        _ => None,
    };
    let message = ports.queue().take().into_iter().find_map(delivered).expect("a message");
    let code = sent_code(ports, &message).await.expect("a code");
    event.replace(&challenge_in_events(), &shown.id.expose()).replace(CODE_IN_EVENTS, &code)
}
