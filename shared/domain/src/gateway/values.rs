//! The values that gateways' settings take.

use std::net::IpAddr;

use data_encoding::BASE64;

use crate::contact::{DisplayName, EmailAddress, PhoneNumber};
use crate::document::{Faults, Member, Members, Place, Value, parsed};
use crate::ids::GatewayId;
use crate::policy::{Setting, id_schema};

/// A text of a form: what it must be is said once, for faults and for the documentation.
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $range:literal, $parse:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $name {
            type Error = &'static str;

            fn try_from(text: &str) -> Result<Self, &'static str> {
                let parse: fn(&str) -> Option<String> = $parse;
                parse(text).map(Self).ok_or(concat!("must be ", $range))
            }
        }

        impl Member for $name {
            fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
                parsed(value, at, faults)
            }

            fn write(&self) -> Value {
                Value::text(self.as_str())
            }
        }

        impl Setting for $name {
            fn range() -> String {
                $range.to_owned()
            }
        }
    };
}

text_value!(
    /// A name of the DNS, in lower case: 1 to 253 letters, digits, hyphens and dots (RFC 1123 section 2.1).
    DomainName,
    "a name of the DNS, such as mail.example.org, in ASCII",
    domain_name
);

text_value!(
    /// Where a server is: a name of the DNS, or an IPv4 or IPv6 address without brackets.
    Host,
    "a name of the DNS or an IP address without brackets, with no scheme, user or port",
    |text| match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_string()),
        Err(_) => domain_name(text),
    }
);

text_value!(
    /// A name that Amazon SES knows: a configuration set or a tenant.
    SesName,
    "1 to 64 letters, digits, hyphens or underscores",
    |text| {
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        good.then(|| text.to_owned())
    }
);

text_value!(
    /// A UUID in lower case, with its hyphens (RFC 9562 section 4).
    Uuid,
    "a UUID such as 5135a8c1-3a5e-4d0f-9f2c-0a6c1b7e9d11",
    |text| is_uuid(text).then(|| text.to_ascii_lowercase())
);

text_value!(
    /// An account with Twilio.
    AccountSid,
    "AC and 32 hexadecimal digits",
    |text| sid(text, "AC")
);

text_value!(
    /// A messaging service of Twilio: a pool of senders of which it chooses one.
    MessagingServiceSid,
    "MG and 32 hexadecimal digits",
    |text| sid(text, "MG")
);

text_value!(
    /// From whom a text comes: a number, a short code or a name.
    TextSender,
    "a number such as +447700900123, a short code of 3 to 8 digits, or a name of at most 11 letters, digits, blanks \
     and + - _ & with at least one letter",
    |text| {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let short_code = digits && (3..=8).contains(&text.len());
        let good = short_code || PhoneNumber::try_from(text).is_ok() || is_sender_name(text);
        good.then(|| text.to_owned())
    }
);

impl TextSender {
    /// Whether it is a name, which nobody can answer.
    #[must_use]
    pub fn is_name(&self) -> bool {
        is_sender_name(&self.0)
    }
}

text_value!(
    /// The calling code of a country, without `+` (ITU-T E.164 section 6.2.1).
    CallingCode,
    "1 to 3 digits, the first not 0",
    |text| {
        let good =
            (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        good.then(|| text.to_owned())
    }
);

text_value!(
    /// What is dialled before a number inside its country.
    TrunkPrefix,
    "1 to 3 digits",
    |text| {
        let good = (1..=3).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        good.then(|| text.to_owned())
    }
);

text_value!(
    /// Certificates in PEM (RFC 7468 section 5): at most four in 8,192 characters, and nothing between them.
    Certificates,
    "1 to 4 certificates in PEM, at most 8192 characters, with nothing before, between or after them",
    certificates
);

/// A sender of mails: an address, and the name that is shown beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name.
    pub name: Option<DisplayName>,
    /// The address.
    pub address: EmailAddress,
}

impl Member for Mailbox {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, at, faults)?;
        let name = members.optional("name", faults);
        let address = members.needed("address", faults);
        members.done(faults);
        Some(Self { name, address: address? })
    }

    fn write(&self) -> Value {
        let mut members = vec![("address", self.address.write())];
        members.extend(self.name.as_ref().map(|name| ("name", name.write())));
        Value::object(members)
    }
}

impl Setting for Mailbox {
    fn range() -> String {
        "`{\"name\": text, \"address\": e-mail address}`, the name optional".to_owned()
    }

    fn schema() -> Value {
        let text = || Value::object([("type", Value::text("string"))]);
        Value::object([
            ("type", Value::text("object")),
            ("properties", Value::object([("name", text()), ("address", text())])),
            ("required", Value::List(vec![Value::text("address")])),
            ("additionalProperties", Value::Flag(false)),
        ])
    }
}

impl Member for EmailAddress {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.expose())
    }
}

impl Setting for EmailAddress {
    fn range() -> String {
        "an e-mail address".to_owned()
    }
}

impl Member for DisplayName {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

impl Setting for GatewayId {
    fn range() -> String {
        "a gateway's id".to_owned()
    }

    fn schema() -> Value {
        id_schema()
    }
}

fn domain_name(text: &str) -> Option<String> {
    let labels: Vec<_> = text.split('.').collect();
    let good = text.len() <= 253
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    // Resolvers read 127.1 and 0x7f000001 as addresses, and an address must be seen to be one.
    let number = labels.last().is_some_and(|last| {
        let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
        last.bytes().all(|b| b.is_ascii_digit())
            || hexadecimal.is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()))
    });
    (good && !number).then(|| text.to_ascii_lowercase())
}

/// 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between them.
pub(super) fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// An identifier of Twilio: two letters for what it is of, and 32 hexadecimal digits.
pub(super) fn sid(text: &str, prefix: &str) -> Option<String> {
    let digits = text.strip_prefix(prefix)?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

fn is_sender_name(text: &str) -> bool {
    (1..=11).contains(&text.len())
        && text.trim() == text
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b" +-_&".contains(&b))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
}

fn certificates(text: &str) -> Option<String> {
    if text.len() > 8_192 {
        return None;
    }
    let text = text.replace("\r\n", "\n");
    let mut count = 0;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (body, after) =
            rest.strip_prefix("-----BEGIN CERTIFICATE-----\n")?.split_once("\n-----END CERTIFICATE-----")?;
        let der = BASE64.decode(body.replace('\n', "").as_bytes()).ok()?;
        // A certificate is a SEQUENCE (RFC 5280 section 4.1); whoever connects reads the rest of it.
        if der.first() != Some(&0x30) {
            return None;
        }
        count += 1;
        rest = after.trim_start();
    }
    (1..=4).contains(&count).then(|| format!("{}\n", text.trim()))
}
