//! Of which hop a receipt is, and what it tells.

use otpost_domain::contact::EmailAddress;
use otpost_domain::ids::{MessageId, TenantId};
use otpost_domain::message::Verdict;
use otpost_domain::suppression::Cause;
use otpost_service::ports::{Fault, MessageRef, PortResult, Ports};
use otpost_service::receipts::{Receipt, Taken, take};

/// A hop of a message, as the reference that its provider was given names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopRef {
    /// The message's tenant.
    pub tenant: TenantId,
    /// The message.
    pub message: MessageId,
    /// The hop's number, from 1.
    pub number: u16,
}

impl HopRef {
    /// Of its three parts; none when one of them was never given to a provider.
    #[must_use]
    pub fn of(tenant: &str, message: &str, number: &str) -> Option<Self> {
        // What `parse` alone would take besides: a sign, and zeros in front.
        let digits = number.bytes().all(|b| b.is_ascii_digit()) && !number.starts_with('0');
        let number = number.parse().ok().filter(|_| digits)?;
        Some(Self {
            tenant: TenantId::try_from(tenant).ok()?,
            message: MessageId::try_from(message).ok()?,
            number,
        })
    }

    /// Of one text with a sign between the parts that is in none of them.
    #[must_use]
    pub fn parse(text: &str, between: char) -> Option<Self> {
        let mut parts = text.split(between);
        let read = Self::of(parts.next()?, parts.next()?, parts.next()?)?;
        parts.next().is_none().then_some(read)
    }

    /// Its message.
    #[must_use]
    pub fn message_ref(&self) -> MessageRef {
        MessageRef { tenant: self.tenant.clone(), id: self.message.clone() }
    }

    /// Takes what is told of it. That its message or tenant is gone is no error: nobody has to tell it again.
    pub(crate) async fn takes(
        &self,
        ports: &impl Ports,
        told: Told,
        suppress: Option<(EmailAddress, Cause)>,
    ) -> PortResult<Taken> {
        let Told { verdict, why } = told;
        let receipt = Receipt { message: self.message_ref(), hop: self.number, verdict, why, suppress };
        match take(ports, &receipt).await {
            Err(error) if error.kind == Fault::Gone => Ok(Taken::Nothing),
            taken => taken,
        }
    }
}

/// What a provider tells of a hop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// What became of it.
    pub verdict: Verdict,
    /// Why, in words of ours and codes of the provider's; empty where it arrived.
    pub why: String,
}

impl Told {
    /// It arrived.
    #[must_use]
    pub const fn delivered() -> Self {
        Self { verdict: Verdict::Delivered, why: String::new() }
    }

    /// It did not arrive.
    pub fn undelivered(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Undelivered, why: why.into() }
    }

    /// It has not arrived yet.
    pub fn delayed(why: impl Into<String>) -> Self {
        Self { verdict: Verdict::Delayed, why: why.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MESSAGE: &str = "msg_06hhgn2g000g2081040g208104";

    #[test]
    fn a_reference_is_read_as_it_was_given() {
        let hop = HopRef::parse(&format!("acme/{MESSAGE}/12"), '/').unwrap();
        assert_eq!((hop.tenant.as_str(), hop.message.as_str(), hop.number), ("acme", MESSAGE, 12));
        assert_eq!(HopRef::parse(&format!("acme.{MESSAGE}.12"), '.'), Some(hop));
    }

    #[test]
    fn anything_else_is_no_reference() {
        let numbers = ["", "0", "01", "+1", "-1", "1 ", "65536", "１", "1/1"];
        let numbers = numbers.map(|number| format!("acme/{MESSAGE}/{number}"));
        let others =
            ["", "otp-0001", "acme", "acme/msg_0/1", "platform/msg_06hhgn2g000g2081040g208104/1", "///"];
        for text in numbers.iter().map(String::as_str).chain(others) {
            assert_eq!(HopRef::parse(text, '/'), None, "{text}");
        }
        assert_eq!(HopRef::parse(&format!("acme.{MESSAGE}.1"), '/'), None);
    }

    proptest! {
        #[test]
        fn only_its_own_spelling_names_a_hop(text in "[a-z/._0-9+]{0,60}|acme/msg_[0-9a-w]{26}/[0-9+]{0,6}") {
            if let Some(hop) = HopRef::parse(&text, '/') {
                prop_assert_eq!(format!("{}/{}/{}", hop.tenant, hop.message, hop.number), text);
            }
        }
    }
}
