//! Gateways as they are shown. What is secret of one is not even here: a gateway holds a reference to it.

use otpost_domain::gateway::{Advice, Country, Gateway};
use otpost_service::caller::Keeper;
use otpost_service::document::json_of;
use otpost_service::gateways::{Kept, Naming, Review, Shown};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::document::Configured;
use super::test::TestView;

/// A gateway.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Gateway")]
pub(super) struct GatewayView {
    /// Its id.
    gateway: String,
    /// Whose it is: `tenant` or `platform`.
    owner: &'static str,
    /// What it is set to.
    #[serde(flatten)]
    #[schemars(with = "Configured")]
    configuration: Value,
    /// What may be known of its credentials.
    credentials: CredentialsView,
    /// Whether it is enabled, has the credentials that it needs, and what carries its mails is ready too.
    ready: bool,
    /// What is weak, cannot work, or has no effect.
    warnings: Vec<WarningView>,
    /// When it was made (RFC 3339).
    created_at: String,
    /// When it was last changed (RFC 3339).
    updated_at: String,
}

/// What may be known of credentials.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GatewayCredentials")]
struct CredentialsView {
    /// Whether there are any.
    set: bool,
    /// Which parts there are.
    parts: Vec<&'static str>,
    /// When they were given (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    set_at: Option<String>,
}

/// A warning about one member of a gateway's document.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GatewayWarning")]
struct WarningView {
    /// Where: a JSON Pointer (RFC 6901) into the document.
    pointer: &'static str,
    /// What is wrong there.
    detail: &'static str,
}

/// A gateway of the platform that a tenant may use: all that the tenant may know of it.
#[derive(JsonSchema, Serialize)]
pub(super) struct LentGateway {
    /// Its id.
    gateway: String,
    /// Always `platform`.
    owner: &'static str,
    /// What its operators call it.
    name: String,
    /// What it talks to.
    kind: &'static str,
    /// Whether anything is sent by it.
    enabled: bool,
    /// To which countries it may send texts; left out, all that policies allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    countries: Option<Vec<&'static str>>,
    /// Whether it is out of reach, because the tenant has a gateway of the same id, which counts.
    hidden: bool,
}

/// A gateway of one's own, or one that the platform lends.
#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
pub(super) enum AnyGateway {
    /// One's own.
    Own(GatewayView),
    /// The platform's.
    Lent(LentGateway),
}

/// A page of gateways.
#[derive(JsonSchema, Serialize)]
pub(super) struct Gateways {
    /// One's own by id, then, for a tenant, those of the platform that it may use.
    pub(super) gateways: Vec<AnyGateway>,
    /// The cursor of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next: Option<String>,
}

/// A gateway that was kept.
#[derive(JsonSchema, Serialize)]
pub(super) struct KeptGateway {
    #[serde(flatten)]
    gateway: GatewayView,
    /// What became of its credentials.
    #[serde(flatten)]
    effect: EffectView,
    /// What became of the test that the request asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) test: Option<TestView>,
}

/// What a change means for credentials.
#[derive(JsonSchema, Serialize)]
struct EffectView {
    /// `kept`, `given`, `replaced` or `voided`.
    credentials_were: &'static str,
    /// Gateways of the kind `email_to_sms` whose PIN is void too, because their mails go by this one.
    voided_pins: Vec<String>,
}

/// What saving a document would do.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GatewayReview")]
pub(super) struct ReviewView {
    /// The gateway.
    gateway: String,
    /// Whether it would be made.
    new: bool,
    /// What would become of its credentials: `kept`, `given`, `replaced` or `voided`.
    credentials: &'static str,
    /// Gateways of the kind `email_to_sms` whose PIN would be void too, because their mails go by this one.
    voided_pins: Vec<String>,
    /// Whether it could send then.
    ready: bool,
    /// What would be weak, could not work, or would have no effect.
    warnings: Vec<WarningView>,
    /// Where the tenant's policies name it.
    policies: Vec<NamingView>,
}

/// Where a policy names a gateway.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "GatewayNaming")]
struct NamingView {
    /// The policy.
    policy: String,
    /// Its setting.
    setting: &'static str,
    /// Whether the gateway serves that setting's channel; otherwise it is passed over there.
    fits: bool,
}

impl From<&Shown> for GatewayView {
    fn from(shown: &Shown) -> Self {
        let gateway = &shown.gateway;
        Self {
            gateway: gateway.id.to_string(),
            owner: if gateway.owner.tenant().is_some() { "tenant" } else { "platform" },
            configuration: json_of(&gateway.configuration.write()),
            credentials: CredentialsView::from(gateway),
            ready: shown.ready,
            warnings: shown.advice.iter().map(WarningView::from).collect(),
            created_at: gateway.created_at.rfc3339(),
            updated_at: gateway.updated_at.rfc3339(),
        }
    }
}

impl From<&Gateway> for CredentialsView {
    fn from(gateway: &Gateway) -> Self {
        let held = gateway.usable_credentials();
        Self {
            set: held.is_some(),
            parts: held.iter().flat_map(|held| &held.parts).map(|part| part.as_str()).collect(),
            set_at: held.map(|held| held.set_at.rfc3339()),
        }
    }
}

impl From<&Advice> for WarningView {
    fn from(advice: &Advice) -> Self {
        Self { pointer: advice.pointer, detail: advice.told }
    }
}

impl From<&Shown> for LentGateway {
    fn from(shown: &Shown) -> Self {
        let Gateway { id, configuration, .. } = &shown.gateway;
        Self {
            gateway: id.to_string(),
            owner: "platform",
            name: configuration.name.as_str().to_owned(),
            kind: configuration.settings.kind().as_str(),
            enabled: configuration.enabled,
            countries: configuration
                .countries
                .as_ref()
                .map(|countries| countries.iter().copied().map(Country::as_str).collect()),
            hidden: shown.hidden,
        }
    }
}

impl AnyGateway {
    /// What a keeper may know of a gateway.
    pub(super) fn seen_by(keeper: &Keeper, shown: &Shown) -> Self {
        if shown.gateway.owner == keeper.owner {
            Self::Own(GatewayView::from(shown))
        } else {
            Self::Lent(LentGateway::from(shown))
        }
    }
}

impl From<&Kept> for KeptGateway {
    fn from(kept: &Kept) -> Self {
        let voided_pins = kept.voided.iter().map(ToString::to_string).collect();
        let effect = EffectView { credentials_were: kept.effect.as_str(), voided_pins };
        Self { gateway: GatewayView::from(&kept.shown), effect, test: None }
    }
}

impl From<&Review> for ReviewView {
    fn from(review: &Review) -> Self {
        Self {
            gateway: review.shown.gateway.id.to_string(),
            new: review.made,
            credentials: review.effect.as_str(),
            voided_pins: review.voided.iter().map(ToString::to_string).collect(),
            ready: review.shown.ready,
            warnings: review.shown.advice.iter().map(WarningView::from).collect(),
            policies: review.named.iter().map(NamingView::from).collect(),
        }
    }
}

impl From<&Naming> for NamingView {
    fn from(naming: &Naming) -> Self {
        Self { policy: naming.policy.to_string(), setting: naming.setting, fits: naming.fits }
    }
}
