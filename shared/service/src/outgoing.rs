//! A message as it enters the outbox.

use otpost_domain::challenge::Contact;
use otpost_domain::gateway::Country;
use otpost_domain::ids::{MessageId, Serial, UserId};
use otpost_domain::message::{Fallback, Message, MessageStatus, PICK_UP, SealedContent};
use otpost_domain::numbering::countries_of;
use otpost_domain::simulator::is_kept;
use otpost_domain::suppression::AddressKey;
use otpost_domain::template::TemplateKind;
use otpost_domain::tenant::Tenant;
use otpost_domain::time::Timestamp;

use crate::content::{Content, Fallen};
use crate::policies::Holds;
use crate::ports::{Entropy as _, PortResult, Ports, RecordKind, Sealer as _};
use crate::texts::chosen;

/// What a message is about, and to whom it goes.
pub(crate) struct Draft<'a> {
    pub(crate) tenant: &'a Tenant,
    /// What holds for whoever gets it.
    pub(crate) holds: &'a Holds,
    /// The user; none for a bare address.
    pub(crate) user: Option<&'a UserId>,
    /// How the texts address whoever gets it.
    pub(crate) name: &'a str,
    /// The token that it tells of.
    pub(crate) serial: Option<&'a Serial>,
    pub(crate) purpose: TemplateKind,
    pub(crate) to: Contact,
    /// Where it goes once no route of the first channel is left.
    pub(crate) fallback: Option<Contact>,
    /// Whether it carries an authorization code.
    pub(crate) with_code: bool,
    pub(crate) made_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Makes the message; `fill` gives its wildcards their values.
pub(crate) async fn message(
    ports: &impl Ports,
    draft: Draft<'_>,
    fill: impl FnOnce(&mut Content) + Send,
) -> PortResult<Message> {
    let Draft { tenant, holds, purpose, to, fallback, made_at, expires_at, .. } = draft;
    let channel = to.channel();
    let reader = || holds.reader(draft.with_code);
    let texts = chosen(ports, &tenant.id, purpose, channel, reader()).await?;
    let mut falls_back = None;
    if let Some(to) = &fallback {
        let channel = to.channel();
        let texts = chosen(ports, &tenant.id, purpose, channel, reader()).await?;
        let fallen = Fallen::new(to.expose().to_owned(), &texts);
        falls_back = Some((Fallback { channel, recipient: to.masked() }, fallen));
    }
    let (falls_back, fallen) = falls_back.unzip();
    let both = || [Some(&to), fallback.as_ref()].into_iter().flatten();
    let address = both().find_map(|contact| match contact {
        Contact::Email(email) => Some(AddressKey::of(&tenant.id, email)),
        Contact::Phone(_) => None,
    });
    let id = MessageId::new(made_at, ports.entropy().array());
    let mut content = Content::with_texts(&texts);
    to.expose().clone_into(&mut content.to);
    content.fallen = fallen;
    content.username = draft.user.map_or_else(String::new, ToString::to_string);
    draft.name.clone_into(&mut content.display_name);
    tenant.name.as_str().clone_into(&mut content.tenant_name);
    content.expires = expires_at.for_people(texts.locale());
    fill(&mut content);
    let sealed =
        ports.sealer().seal(&tenant.id, RecordKind::MessageContent, id.as_str(), &content.encode()?).await?;
    Ok(Message {
        id,
        tenant: tenant.id.clone(),
        user: draft.user.cloned(),
        serial: draft.serial.cloned(),
        purpose,
        test: false,
        simulated: is_kept(to.expose()),
        channel,
        recipient: to.masked(),
        country: both().find_map(country_of),
        fallback: falls_back,
        address,
        suppressed: None,
        content: Some(SealedContent(sealed)),
        created_at: made_at,
        expires_at,
        status: MessageStatus::Queued,
        reason: None,
        overtaken: None,
        hops: Vec::new(),
        due_at: Some(made_at.plus(PICK_UP)),
        version: 1,
    })
}

/// A number that may be of several countries tells none.
fn country_of(contact: &Contact) -> Option<Country> {
    let Contact::Phone(number) = contact else { return None };
    match countries_of(number).as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
