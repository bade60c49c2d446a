//! What the senders that a tenant has can do with a template's texts.

use super::{EmailForm, Sample, SmsForm, TemplateKind, Wildcard};
use crate::contact::{EmailAddress, PhoneNumber};
use crate::gateway::{EmailToSms, Gateway, Placeholder, Reach, Settings, Text};
use crate::ids::GatewayId;
use crate::message::Channel;
use crate::secret::SecretText;

/// What one gateway can do with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderReview {
    /// The gateway.
    pub gateway: GatewayId,
    /// The wildcards whose values it carries.
    pub offers: Vec<Wildcard>,
    /// Why it cannot send such a message as it is written; nothing when it can.
    pub trouble: Option<String>,
    /// What is worth knowing besides.
    pub note: Option<&'static str>,
}

/// Looks at an SMS form with the eyes of every gateway for texts that is within reach. A message filled with `sample`
/// stands for what will be sent.
#[must_use]
pub fn review_senders(
    kind: TemplateKind,
    form: &SmsForm,
    sample: &Sample,
    reach: &Reach,
) -> Vec<SenderReview> {
    let gateways = reach.own().iter().chain(reach.lent().filter(|lent| !reach.hides(lent)));
    let texting = gateways.filter(|gateway| gateway.kind().channel() == Channel::Sms);
    texting.map(|gateway| review(kind, form, sample, gateway)).collect()
}

fn review(kind: TemplateKind, form: &SmsForm, sample: &Sample, gateway: &Gateway) -> SenderReview {
    let all: Vec<_> = kind.offers().iter().copied().filter(|wildcard| !wildcard.is_picture()).collect();
    let filled = form.fill(&sample.values()).text;
    let (offers, trouble, note) = match &gateway.configuration.settings {
        Settings::GovukNotify(notify) if notify.placeholder == Placeholder::Code => {
            let offers = all.into_iter().filter(|wildcard| *wildcard == Wildcard::Code).collect();
            (
                offers,
                None,
                Some(
                    "The text is kept in GOV.UK Notify, where ((code)) alone is filled in: this one has no effect.",
                ),
            )
        }
        Settings::EmailToSms(texts) => {
            (all, as_a_mail(texts, &filled), Some("It goes as a mail in plain text."))
        }
        Settings::GovukNotify(_) | Settings::Twilio(_) | Settings::Ses(_) | Settings::Smtp(_) => {
            (all, None, None)
        }
    };
    SenderReview { gateway: gateway.id.clone(), offers, trouble, note }
}

fn as_a_mail(texts: &EmailToSms, filled: &SecretText) -> Option<String> {
    let (number, pin) = (PhoneNumber::sample(), SecretText::new("0000"));
    let text = Text { number: &number, text: filled, pin: Some(&pin) };
    let unfit = texts.subject(&text).err().or_else(|| texts.body(&text).err())?;
    Some(format!("with usual values no mail can be made of it: {unfit}"))
}

/// What is wrong with an SMS form for the gateways that its messages will take: wildcards that none of them carries, or
/// that none of them can send it. Nothing is wrong where no gateway is chosen yet.
#[must_use]
pub fn sender_faults(form: &SmsForm, in_use: &[&SenderReview]) -> Vec<((usize, usize), String)> {
    let Some(first) = in_use.first() else { return Vec::new() };
    let names = in_use.iter().map(|review| review.gateway.as_str()).collect::<Vec<_>>().join(", ");
    let lost =
        form.wildcards().filter(|wildcard| !in_use.iter().any(|review| review.offers.contains(wildcard)));
    let mut faults: Vec<_> = lost
        .map(|wildcard| {
            let offered: Vec<_> = first.offers.iter().map(|wildcard| wildcard.as_str()).collect();
            let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
            let told = format!(
                "{} is not on offer for the sender in use ({names}), which carries {offered}",
                wildcard.as_str()
            );
            (form.position(wildcard), told)
        })
        .collect();
    if let Some(trouble) = in_use.iter().map(|review| review.trouble.as_ref()).collect::<Option<Vec<_>>>() {
        let told = trouble
            .first()
            .map(|trouble| format!("cannot be sent by the sender in use ({names}): {trouble}"));
        faults.extend(told.map(|told| ((1, 1), told)));
    }
    faults
}

/// Whether a gateway may send mails of one of its tenants from an address: its own sender, or another of that domain where
/// the gateway is the tenant's. What the platform lends speaks for the platform.
#[must_use]
pub fn may_send_from(gateway: &Gateway, address: &EmailAddress) -> bool {
    gateway.sender_address().is_some_and(|own| {
        own == address || (gateway.owner.tenant().is_some() && own.domain() == address.domain())
    })
}

impl EmailForm {
    /// What is wrong with the sender's address that the form gives: that no gateway within reach may send from it.
    #[must_use]
    pub fn sender_trouble(&self, reach: &Reach) -> Option<&'static str> {
        let address = self.from().address.as_ref()?;
        let mut gateways = reach.own().iter().chain(reach.lent());
        let fit = gateways.any(|gateway| may_send_from(gateway, address));
        let told = "is not an address that any gateway of the tenant may send from: give the sender of one of them, or \
                    another address of the same domain where the gateway is the tenant's own";
        (!fit).then_some(told)
    }
}
