//! The values that settings take.

use crate::authorization::AuthorizationMode;
use crate::challenge::Mask;
use crate::contact::Locale;
use crate::document::{Faults, Member, Members, Place, Value, Whole, one_of, parsed, word};
use crate::ids::GatewayId;
use crate::message::Channel;
use crate::named::named;
use crate::otp::Algorithm;

/// Routes that a message may take at most.
pub const MOST_ROUTES: usize = 5;

/// A value that a policy may set.
pub trait Setting: Member + Clone + PartialEq {
    /// What it may be, for people.
    fn range() -> String;
    /// The same as a JSON Schema (draft 2020-12): text unless said otherwise.
    #[must_use]
    fn schema() -> Value {
        of_type("string")
    }
}

fn of_type(name: &str) -> Value {
    Value::object([("type", Value::text(name))])
}

pub(crate) fn one_of_words(words: &[&str]) -> Value {
    Value::object([("enum", Value::List(words.iter().copied().map(Value::text).collect()))])
}

pub(crate) fn id_schema() -> Value {
    Value::object([
        ("type", Value::text("string")),
        ("pattern", Value::text("^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")),
    ])
}

impl Setting for bool {
    fn range() -> String {
        "true or false".to_owned()
    }

    fn schema() -> Value {
        of_type("boolean")
    }
}

impl<const LEAST: u32, const MOST: u32> Setting for Whole<LEAST, MOST> {
    fn range() -> String {
        format!("{LEAST} to {MOST}")
    }

    fn schema() -> Value {
        Value::object([
            ("type", Value::text("integer")),
            ("minimum", Value::Whole(LEAST.into())),
            ("maximum", Value::Whole(MOST.into())),
        ])
    }
}

named! {
    /// What moves a token on to its next code.
    pub enum TokenKind {
        /// Time (RFC 6238).
        Totp = "totp",
        /// A counter (RFC 4226).
        Hotp = "hotp",
    }
}

named! {
    /// What the QR code in a Push Token mail holds.
    pub enum QrContent {
        /// The enrolment link: the seed is made when it is used.
        Link = "link",
        /// The seed itself, as an `otpauth` link: whoever reads the mail has it for ever.
        Seed = "seed",
    }
}

/// Enumerations of `named!` as values of documents.
macro_rules! words {
    ($($name:ty),*) => { $(
        impl $crate::document::Member for $name {
            fn read(
                value: &$crate::document::Value,
                at: &$crate::document::Place,
                faults: &mut $crate::document::Faults,
            ) -> Option<Self> {
                $crate::document::word(Self::ALL, Self::as_str, value, at, faults)
            }

            fn write(&self) -> $crate::document::Value {
                $crate::document::Value::text(self.as_str())
            }
        }

        impl $crate::policy::Setting for $name {
            fn range() -> String {
                let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                $crate::document::one_of(&words)
            }

            fn schema() -> $crate::document::Value {
                let words: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                $crate::policy::one_of_words(&words)
            }
        }
    )* };
}
words!(TokenKind, QrContent, AuthorizationMode, Channel, Mask);
pub(crate) use words;

const ALGORITHMS: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

impl Member for Algorithm {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        word(&ALGORITHMS, Self::as_str, value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

impl Setting for Algorithm {
    fn range() -> String {
        one_of(&ALGORITHMS.map(Self::as_str))
    }

    fn schema() -> Value {
        one_of_words(&ALGORITHMS.map(Self::as_str))
    }
}

impl Member for Locale {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

impl Setting for Locale {
    fn range() -> String {
        "a language tag (BCP 47)".to_owned()
    }

    fn schema() -> Value {
        Value::object([("type", Value::text("string")), ("maxLength", Value::Whole(35))])
    }
}

/// Channels in the order in which they are tried; at least one, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels(Vec<Channel>);

impl Channels {
    /// E-mail alone.
    #[must_use]
    pub fn email() -> Self {
        Self(vec![Channel::Email])
    }

    /// The channels in order.
    #[must_use]
    pub fn all(&self) -> &[Channel] {
        &self.0
    }
}

impl Member for Channels {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let channels = Vec::<Channel>::read(value, at, faults)?;
        let twice =
            channels.iter().enumerate().any(|(i, channel)| channels.iter().take(i).any(|c| c == channel));
        if channels.is_empty() || twice {
            faults.add(at, "must name at least one channel, and each only once");
            return None;
        }
        Some(Self(channels))
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}

impl Setting for Channels {
    fn range() -> String {
        format!("a list of {}, in order", Channel::range())
    }

    fn schema() -> Value {
        Value::object([
            ("type", Value::text("array")),
            ("items", Channel::schema()),
            ("minItems", Value::Whole(1)),
            ("uniqueItems", Value::Flag(true)),
        ])
    }
}

/// A gateway on the way of a message, and how long it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The gateway.
    pub gateway: GatewayId,
    /// After how many seconds without good news the next route is tried.
    pub wait_seconds: Whole<5, 3600>,
}

impl Route {
    /// How long is waited where nothing is said.
    pub(crate) const USUAL_WAIT: Whole<5, 3600> = Whole::clamped(60);
}

impl Member for Route {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, at, faults)?;
        let gateway = members.needed("gateway", faults);
        let wait_seconds = members.optional("wait_seconds", faults).unwrap_or(Self::USUAL_WAIT);
        members.done(faults);
        Some(Self { gateway: gateway?, wait_seconds })
    }

    fn write(&self) -> Value {
        Value::object([("gateway", self.gateway.write()), ("wait_seconds", self.wait_seconds.write())])
    }
}

/// Routes in the order in which they are tried; none for the gateways that the deployment has of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// The routes in order.
    #[must_use]
    pub fn all(&self) -> &[Route] {
        &self.0
    }
}

impl Member for Routes {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        if matches!(value, Value::List(items) if items.len() > MOST_ROUTES) {
            faults.add(at, format!("must have at most {MOST_ROUTES} routes"));
            return None;
        }
        let routes = Vec::<Route>::read(value, at, faults)?;
        for (index, route) in routes.iter().enumerate() {
            if routes.iter().take(index).any(|earlier| earlier.gateway == route.gateway) {
                faults.add(&at.item(index).member("gateway"), "must not be the gateway of an earlier route");
                return None;
            }
        }
        Some(Self(routes))
    }

    fn write(&self) -> Value {
        self.0.write()
    }
}

impl Setting for Routes {
    fn range() -> String {
        let wait = Whole::<5, 3600>::range();
        format!("a list of at most {MOST_ROUTES} of `{{\"gateway\": id, \"wait_seconds\": {wait}}}`")
    }

    fn schema() -> Value {
        let members = Value::object([("gateway", id_schema()), ("wait_seconds", Whole::<5, 3600>::schema())]);
        let route = Value::object([
            ("type", Value::text("object")),
            ("properties", members),
            ("required", Value::List(vec![Value::text("gateway")])),
            ("additionalProperties", Value::Flag(false)),
        ]);
        let most = i64::try_from(MOST_ROUTES).unwrap_or_default();
        Value::object([("type", Value::text("array")), ("items", route), ("maxItems", Value::Whole(most))])
    }
}

impl Member for GatewayId {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        parsed(value, at, faults)
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

/// A gateway, or whichever the routes begin with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen(pub Option<GatewayId>);

impl Member for Chosen {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        GatewayId::read(value, at, faults).map(|id| Self(Some(id)))
    }

    fn write(&self) -> Value {
        self.0.as_ref().map_or(Value::Null, Member::write)
    }
}

impl Setting for Chosen {
    fn range() -> String {
        "a gateway's id".to_owned()
    }

    fn schema() -> Value {
        id_schema()
    }
}
