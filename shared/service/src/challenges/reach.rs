//! To whom a code goes, and what stands for those to whom none can go.

use otpost_domain::challenge::{Addressee, Contact, Mask};
use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::{BearerHash, TenantId};
use otpost_domain::message::Channel;
use otpost_domain::policy::Settings;
use otpost_domain::template::CodePurpose;
use otpost_domain::tenant::User;
use otpost_domain::time::Timestamp;

use super::Order;
use crate::link::{By, has_route, reachable};
use crate::ports::{PortResult, Ports, RecordKind, Sealer as _};

/// Where a code goes.
pub(super) struct Reach {
    pub(super) to: Contact,
    pub(super) fallback: Option<Contact>,
    /// All by which the addressee can be written to, though this time it goes to some of them only. Where there are none, no
    /// code is good.
    pub(super) ways: Vec<Contact>,
    /// Why it goes nowhere after all, for operators; then the addresses are nobody's.
    pub(super) nobody: Option<String>,
}

impl Reach {
    /// Of an order, whose user was found or was not.
    pub(super) fn of(order: &Order, user: Option<&User>, settings: &Settings, now: Timestamp) -> Self {
        match &order.addressee {
            Addressee::Bare(contact) => {
                let channel = contact.channel();
                let open = has_route(settings, channel, order.purpose.template());
                let ways = Vec::from_iter(open.then(|| contact.clone()));
                let nobody = ways.is_empty().then(|| no_gateway(channel));
                Self { to: contact.clone(), fallback: None, ways, nobody }
            }
            Addressee::User(_) => Self::of_user(order, user, settings, now),
        }
    }

    fn of_user(order: &Order, user: Option<&User>, settings: &Settings, now: Timestamp) -> Self {
        let (asked, kind) = (order.channel, order.purpose.template());
        let first = || settings.channels.all().first().copied().unwrap_or(Channel::Email);
        let Some(user) = user else {
            return Self::nobody(asked.unwrap_or_else(first), "there is no such user");
        };
        // A code that lets somebody in goes to no address that may be somebody else's.
        let usable = match order.purpose {
            CodePurpose::Enrolment => user.clone(),
            _ => user.with_confirmed(now),
        };
        let channel = asked.or_else(|| reachable(settings, &usable, kind)).unwrap_or_else(first);
        if !user.active {
            return Self::nobody(channel, "the user is switched off");
        }
        let ways = Channel::ALL.iter().filter(|channel| has_route(settings, **channel, kind));
        let ways: Vec<_> = ways.filter_map(|channel| usable.contact(*channel)).collect();
        let Some(to) = usable.contact(channel) else {
            let why = if user.contact(channel).is_some() { "no confirmed address" } else { "no address" };
            let why = format!("the user has {why} for {}", channel.as_str());
            return Self { ways, ..Self::nobody(channel, why) };
        };
        if !has_route(settings, channel, kind) {
            return Self { ways, ..Self::nobody(channel, no_gateway(channel)) };
        }
        // Who names a channel gets that one and no other.
        let by = asked.map_or_else(|| By::policy(settings, &usable, channel, kind), By::only);
        let fallback = by.fallback.and_then(|channel| usable.contact(channel));
        Self { to, fallback, ways, nobody: None }
    }

    fn nobody(channel: Channel, why: impl Into<String>) -> Self {
        Self { to: nobodys(channel), fallback: None, ways: Vec::new(), nobody: Some(why.into()) }
    }

    /// Whether it goes by this channel and by no other.
    pub(super) fn is_only(&self, channel: Channel) -> bool {
        self.channel() == channel && self.fallback.is_none()
    }

    pub(super) const fn channel(&self) -> Channel {
        self.to.channel()
    }

    /// Digest of where it goes. A code that went to other addresses is not sent here.
    pub(super) fn digest(user: Option<&User>, addressee: &Addressee) -> String {
        let of_user = |user: &User| {
            [
                user.email.as_ref().map_or("", EmailAddress::expose).to_owned(),
                user.phone.as_ref().map_or("", |phone| phone.expose()).to_owned(),
            ]
        };
        let [email, phone] = match (user, addressee) {
            (Some(user), _) => of_user(user),
            (None, Addressee::Bare(contact)) => [contact.expose().to_owned(), String::new()],
            (None, Addressee::User(_)) => <[String; 2]>::default(),
        };
        BearerHash::of(&[email.as_bytes(), phone.as_bytes()]).as_str().to_owned()
    }

    /// The recipients as they may be shown, by e-mail and by text. What there is not is made up, the same each time.
    pub(super) async fn shown(
        &self,
        ports: &impl Ports,
        tenant: &TenantId,
        addressee: &Addressee,
        settings: &Settings,
        language: &str,
    ) -> PortResult<[String; 2]> {
        let mut shown = made_up(ports, tenant, addressee, settings.recipient_mask, language).await?;
        for contact in &self.ways {
            let [email, sms] = &mut shown;
            let place = match contact.channel() {
                Channel::Email => email,
                Channel::Sms => sms,
            };
            *place = settings.recipient_mask.contact(contact);
        }
        Ok(shown)
    }
}

fn no_gateway(channel: Channel) -> String {
    format!("no gateway is configured for {}", channel.as_str())
}

/// Recipients that are nobody's, the same for the same name each time.
pub(super) async fn made_up(
    ports: &impl Ports,
    tenant: &TenantId,
    addressee: &Addressee,
    mask: Mask,
    language: &str,
) -> PortResult<[String; 2]> {
    let bytes = ports.sealer().derive(tenant, RecordKind::Decoy, &addressee.key(tenant)).await?;
    Ok([Channel::Email, Channel::Sms].map(|channel| mask.decoy(channel, &bytes, language)))
}

/// An address that nothing is ever sent to.
#[expect(clippy::expect_used, reason = "a constant; the tests make it")]
pub(super) fn nobodys(channel: Channel) -> Contact {
    match channel {
        Channel::Email => {
            Contact::Email(EmailAddress::try_from("nobody@otpost.invalid").expect("an address"))
        }
        Channel::Sms => {
            Contact::Phone(otpost_domain::contact::PhoneNumber::try_from("+99900000000").expect("a number"))
        }
    }
}
