//! The sample world's gateways.

use otpost_domain::audit::Actor;
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::GatewayId;
use otpost_domain::message::{Channel, GatewayName, HopState, Sender};
use serde_json::{Value, json};

use crate::caller::Keeper;
use crate::document::value_of;
use crate::gateways::keep_gateway;
use crate::memory::MemoryPorts;
use crate::ports::{Clock as _, MessageRef, MessageStore as _, Ports as _};
use crate::seen::Seen;

/// `mail` and `texts` of `acme`, whose texts go by its mails, and `ses` of the platform, which `acme` may use.
pub(super) async fn gateways(ports: &MemoryPorts) {
    let from = json!({ "address": "no-reply@example.org" });
    let mail = json!({
        "name": "Mail",
        "kind": "smtp",
        "settings": { "host": "mail.example.org", "port": 587, "authentication": "plain", "from": from },
        "credentials": { "user": "otpost", "password": "sample-password" },
    });
    let texts = json!({
        "name": "Texts by mail",
        "kind": "email_to_sms",
        "settings": { "via": "mail", "address": "{number}@sms.example.org", "subject": "{pin}" },
        "credentials": { "pin": "sample-pin" },
    });
    let ses = json!({
        "name": "Mail of the platform",
        "kind": "ses",
        "tenants": { "named": ["acme"] },
        "settings": { "from": from },
    });
    let acme = Owner::Tenant(super::tenant());
    for (owner, id, document) in
        [(&acme, "mail", mail), (&acme, "texts", texts), (&Owner::Platform, "ses", ses)]
    {
        kept(ports, owner, id, &document).await;
    }
}

async fn kept(ports: &MemoryPorts, owner: &Owner, id: &str, document: &Value) {
    let keeper = Keeper { owner: owner.clone(), actor: Actor::System };
    let id = GatewayId::try_from(id).expect("a gateway's id");
    let document = GatewayDocument::read(&value_of(document), owner).expect("a document");
    keep_gateway(ports, &keeper, &id, document, Seen::Unsaid).await.expect("a gateway");
}

/// Gateways `twilio` and `notify` of `acme`, with what their receipts prove themselves by; and joe's message as if its first
/// hop had gone by one of them and had been taken.
///
/// # Panics
/// When the sample world has no such message.
pub async fn texted_by(ports: &MemoryPorts, sender: Sender) {
    let acme = Owner::Tenant(super::tenant());
    let twilio = json!({
        "name": "Twilio",
        "kind": "twilio",
        "settings": { "account_sid": "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "from": "+15005550006" },
        "credentials": { "auth_token": "sample-auth-token" },
    });
    let service = "b61e3e9e-a1c4-4b1e-8d3a-5f0d8f1f6c2a";
    let notify = json!({
        "name": "GOV.UK Notify",
        "kind": "govuk_notify",
        "settings": { "template_id": "5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11" },
        "credentials": { "api_key": format!("sample-{service}-{service}"), "callback_token": "sample-callback-token" },
    });
    for (id, document) in [("twilio", twilio), ("notify", notify)] {
        kept(ports, &acme, id, &document).await;
    }
    super::hand_to(ports, sender).await;
    let reference = MessageRef { tenant: super::tenant(), id: super::message() };
    let mut taken = ports.store().message(&reference).await.expect("a store").expect("a message");
    let id = if sender == Sender::Twilio { "twilio" } else { "notify" };
    let hop = taken.hops.last_mut().expect("a hop");
    let id = GatewayId::try_from(id).expect("a gateway's id");
    hop.via.gateway = Some(GatewayName { owner: acme, id, version: 1 });
    hop.channel = Channel::Sms;
    hop.tells = true;
    hop.state = HopState::Accepted { provider_id: "sample".to_owned(), at: ports.clock().now() };
    taken.version += 1;
    super::done(ports.store().save_message(&taken).await);
}
