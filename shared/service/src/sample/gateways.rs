//! The sample world's gateways.

use otpost_domain::audit::Actor;
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::GatewayId;
use serde_json::{Value, json};

use crate::caller::Keeper;
use crate::document::value_of;
use crate::gateways::keep_gateway;
use crate::memory::MemoryPorts;
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
