//! Every setting that a policy may have: its name, its values, its default, and what it means. This is the one place;
//! requests, answers, explanations and `docs/policies.md` follow from it.

use std::time::Duration;

use super::Policy;
use super::values::{Channels, Chosen, QrContent, Route, Routes, Setting, TokenKind};
use crate::authorization::AuthorizationMode;
use crate::challenge::Mask;
use crate::contact::Locale;
use crate::document::{Faults, Member as _, Members, Value, Whole};
use crate::enrolment::LinkLife;
use crate::otp::{Algorithm, Digits, Kind, LookAhead, OtpParameters, Period, Tolerance, Window};
use crate::template::TemplateKind;

/// A setting as it is documented.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name in documents.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What it may be.
    pub range: String,
    /// The same as a JSON Schema.
    pub schema: Value,
    /// What holds where no policy sets it.
    pub default: Value,
}

/// What holds for a user, and which policy says so.
#[derive(Clone, Debug)]
pub struct Explained<'p> {
    /// The setting.
    pub name: &'static str,
    /// What holds.
    pub value: Value,
    /// The policy that says so; none for the default.
    pub policy: Option<&'p Policy>,
    /// Policies that would say otherwise, or the same, and are outranked; the next in rank first.
    pub outranked: Vec<(&'p Policy, Value)>,
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr;)*) => {
        /// What holds for a user: every setting has a value.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: $type,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// What one policy sets; the rest is left to others.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Rules {
            $($(#[doc = $doc])+ pub $name: Option<$type>,)*
        }

        impl Rules {
            /// Reads the members of `settings`.
            pub(super) fn read(mut members: Members<'_>, faults: &mut Faults) -> Self {
                let rules = Self { $($name: members.optional(stringify!($name), faults),)* };
                members.done(faults);
                rules
            }

            /// The settings that it sets, as they are written.
            #[must_use]
            pub fn write(&self) -> Value {
                let mut members = Vec::new();
                $(members.extend(self.$name.as_ref().map(|value| (stringify!($name), value.write())));)*
                Value::object(members)
            }
        }

        impl Settings {
            /// All settings, in the order in which they are documented.
            #[must_use]
            pub fn catalogue() -> Vec<Described> {
                let default = Self::default();
                vec![$(Described {
                    name: stringify!($name),
                    meaning: concat!($($doc),+).trim_ascii(),
                    range: <$type>::range(),
                    schema: <$type>::schema(),
                    default: default.$name.write(),
                },)*]
            }

            /// What holds under these policies, of which the first to set something is the one that counts.
            #[must_use]
            pub fn under(ranked: &[&Policy]) -> Self {
                let default = Self::default();
                Self { $($name: ranked.iter().find_map(|policy| policy.rules.$name.clone()).unwrap_or(default.$name),)* }
            }

            /// The same, telling for each setting which policy says so.
            #[must_use]
            pub fn explained<'p>(ranked: &[&'p Policy]) -> Vec<Explained<'p>> {
                let default = Self::default();
                vec![$({
                    let mut said = ranked.iter().filter_map(|policy| {
                        policy.rules.$name.as_ref().map(|value| (*policy, value.write()))
                    });
                    let (policy, value) = match said.next() {
                        Some((policy, value)) => (Some(policy), value),
                        None => (None, default.$name.write()),
                    };
                    Explained { name: stringify!($name), value, policy, outranked: said.collect() }
                },)*]
            }
        }
    };
}

settings! {
    /// Whether a user who is covered gets a token by themselves, and loses it when they leave.
    provision_tokens: bool = false;
    /// Whether a token that was made so is pushed to the user by itself.
    provision_clients: bool = false;
    /// The channels by which users are written to, in the order in which they are tried.
    channels: Channels = Channels::email();
    /// Whether a message that did not arrive by one of `channels` goes by the next of them, and says so. It does where the
    /// user has an address for that channel, and nobody named the channel: a push or a challenge with a `channel` goes by
    /// that one alone.
    channel_fallback: bool = false;
    /// Whether new tokens count time or codes.
    token_kind: TokenKind = TokenKind::Totp;
    /// The hash of new tokens. Several apps know SHA1 only.
    token_algorithm: Algorithm = Algorithm::Sha1;
    /// The length of new tokens' codes. Several apps show 6 digits only.
    token_digits: Whole<6, 8> = Whole::clamped(6);
    /// How long a code of a new time-based token lasts, in seconds. Several apps know 30 only.
    token_period_seconds: Whole<15, 120> = Whole::clamped(30);
    /// How many codes before and after the expected one of a time-based token are accepted.
    window_steps: Whole<0, 5> = Whole::clamped(1);
    /// How many codes of a counter-based token may have been skipped, plus one.
    look_ahead: Whole<1, 100> = Whole::clamped(10);
    /// How the authorization code, without which a link enrols nothing, gets to the user.
    authorization_code: AuthorizationMode = AuthorizationMode::OtherChannelOrOperator;
    /// How long an enrolment link lives after it was sent, in minutes.
    link_life_minutes: Whole<10, 10080> = Whole::clamped(1440);
    /// How long an enrolment link lives at most after its button was first pressed, in minutes.
    link_life_after_visit_minutes: Whole<10, 10080> = Whole::clamped(1440);
    /// What the QR code in a Push Token mail holds.
    qr_content: QrContent = QrContent::Link;
    /// The length of codes sent by e-mail or text. Like all that begins with `challenge_` it counts in policies for everyone
    /// only: whoever asks for a code of a name must not learn by it who that is.
    challenge_digits: Whole<6, 10> = Whole::clamped(6);
    /// How long a sent code is good, in seconds. Counts in policies for everyone only.
    challenge_life_seconds: Whole<60, 600> = Whole::clamped(300);
    /// How many guesses a sent code takes, the right one among them. Counts in policies for everyone only.
    challenge_attempts: Whole<1, 10> = Whole::clamped(5);
    /// How long a user waits before a code is sent again, in seconds. Counts in policies for everyone only.
    challenge_cool_down_seconds: Whole<10, 600> = Whole::clamped(30);
    /// How often a code is sent again. Counts in policies for everyone only.
    challenge_resends: Whole<0, 10> = Whole::clamped(3);
    /// How many codes and new passwords one person of the helpdesk may order in an hour; all who share a key, ten times as
    /// many. Counts in policies for everyone only.
    helpdesk_hourly: Whole<1, 1000> = Whole::clamped(20);
    /// How the recipient of a code is shown to whoever waits for it: usual is +44 7*** ***123 and j***@e***.com, end is
    /// ***123 and ***@e***.com, hidden is ***.
    recipient_mask: Mask = Mask::Usual;
    /// The gateway for mobile codes, where it is not to be the first of `sms_routes`.
    mobile_code_gateway: Chosen = Chosen::default();
    /// The gateways for e-mail in order, each with the seconds after which the next is tried. None: the deployment's own.
    email_routes: Routes = Routes::default();
    /// The gateways for texts in order, each with the seconds after which the next is tried.
    sms_routes: Routes = Routes::default();
    /// The language of messages to users who have none of their own. Where there are no texts in a language, that of the
    /// next policy is tried, and English at last.
    locale: Locale = Locale::default();
    /// The share of all users, in percent, who may get or lose a token by themselves in one hour; more wait for an
    /// operator's release. 100 is no limit. Counts in policies for everyone only.
    hourly_share_percent: Whole<1, 100> = Whole::clamped(10);
    /// How many users may get or lose a token by themselves in one hour, however few there are. Counts in policies for
    /// everyone only.
    hourly_always: Whole<1, 10000> = Whole::clamped(50);
    /// Whether a code sent by e-mail counts as authentication. NIST SP 800-63B-4 section 3.1.3.1 says that it does not.
    email_codes_authenticate: bool = false;
}

impl Settings {
    /// How new tokens make their codes.
    #[must_use]
    pub fn token(&self) -> OtpParameters {
        let period = Period::new(self.token_period_seconds.get().into()).unwrap_or_default();
        let kind = match self.token_kind {
            TokenKind::Totp => Kind::Totp(period),
            TokenKind::Hotp => Kind::Hotp,
        };
        let digits =
            u8::try_from(self.token_digits.get()).ok().and_then(|count| Digits::try_from(count).ok());
        OtpParameters { kind, algorithm: self.token_algorithm, digits: digits.unwrap_or_default() }
    }

    /// The gateways for texts of a kind, in order: for mobile codes the one that is chosen for these comes first.
    #[must_use]
    pub fn texts_by(&self, kind: TemplateKind) -> Vec<Route> {
        let chosen = self.mobile_code_gateway.0.as_ref().filter(|_| kind == TemplateKind::MobileCode);
        let usual = self.sms_routes.all();
        let Some(chosen) = chosen else { return usual.to_vec() };
        let wait = usual.iter().find(|route| route.gateway == *chosen).or(usual.first());
        let wait_seconds = wait.map_or(Route::USUAL_WAIT, |route| route.wait_seconds);
        let first = Route { gateway: chosen.clone(), wait_seconds };
        let rest = usual.iter().filter(|route| route.gateway != *chosen).cloned();
        std::iter::once(first).chain(rest).collect()
    }

    /// How long new links live.
    #[must_use]
    pub fn link_life(&self) -> LinkLife {
        let minutes = |number: u32| Duration::from_mins(number.into());
        LinkLife {
            after_sending: minutes(self.link_life_minutes.get()),
            after_visit: minutes(self.link_life_after_visit_minutes.get()),
        }
    }

    /// How much is forgiven when a code is checked.
    #[must_use]
    pub fn tolerance(&self) -> Tolerance {
        let byte = |number: u32| u8::try_from(number).ok();
        Tolerance {
            window: byte(self.window_steps.get())
                .and_then(|steps| Window::new(steps).ok())
                .unwrap_or_default(),
            look_ahead: byte(self.look_ahead.get())
                .and_then(|counters| LookAhead::new(counters).ok())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Place;

    #[test]
    fn every_setting_is_documented_and_takes_its_default_back() {
        for described in Settings::catalogue() {
            assert!(described.meaning.ends_with('.'), "{}", described.name);
            assert!(!described.range.is_empty(), "{}", described.name);
            let document = Value::object([(described.name, described.default.clone())]);
            let mut faults = Faults::default();
            let members = Members::of(&document, &Place::root(), &mut faults).unwrap();
            let rules = Rules::read(members, &mut faults);
            assert_eq!(faults.all(), [], "{}", described.name);
            if described.default != Value::Null {
                assert_eq!(rules.write(), document, "{}", described.name);
            }
        }
    }

    #[test]
    fn tokens_and_tolerance_follow() {
        let settings = Settings {
            token_kind: TokenKind::Hotp,
            token_digits: Whole::clamped(8),
            window_steps: Whole::clamped(0),
            look_ahead: Whole::clamped(100),
            ..Settings::default()
        };
        assert_eq!((settings.token().kind, settings.token().digits), (Kind::Hotp, Digits::Eight));
        let Tolerance { window, look_ahead } = settings.tolerance();
        assert_eq!((window.steps(), look_ahead.counters()), (0, 100));
        assert_eq!(Settings::default().link_life(), LinkLife::default());
        assert_eq!(Settings::default().token(), OtpParameters::default());
        assert_eq!(Settings::default().tolerance(), Tolerance::default());
    }
}
