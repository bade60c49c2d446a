//! A configuration as it is written, and what an import has done.

use std::collections::BTreeMap;

use otpost_domain::document::Faults;
use otpost_edge::problem::{DocumentFault, Problem, sentence};
use otpost_service::document::json_of;
use otpost_service::transfer::{Change, Difference, Failure, Imported, Item, Outcome};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::gateways::document::Configured;
use crate::policies::document::Written as PolicyWritten;
use crate::templates::view::{BrandWritten, Written as TemplateWritten};

/// A tenant's configuration. Secrets are not in it. See docs/templates.md.
#[derive(JsonSchema)]
#[schemars(rename = "Configuration", deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the service reads and writes")]
pub(super) struct Written {
    /// Always `otpost-configuration/1`.
    format: String,
    /// How mails look.
    brand: Option<BrandWritten>,
    /// The policies, by id.
    #[schemars(with = "Option<BTreeMap<String, PolicyWritten>>")]
    policies: Value,
    /// The tenant's own gateways, by id, without their credentials.
    #[schemars(with = "Option<BTreeMap<String, Configured>>")]
    gateways: Value,
    /// The tenant's own templates, by name.
    #[schemars(with = "Option<BTreeMap<String, TemplateWritten>>")]
    templates: Value,
}

/// What an import has done, or would do.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ConfigurationImport")]
pub(super) struct ImportView {
    /// Whether nothing was changed, and this tells what would be.
    dry_run: bool,
    /// Whether nothing has failed. Otherwise the same import again does the rest.
    complete: bool,
    /// How many things have which outcome.
    counts: BTreeMap<&'static str, usize>,
    /// Everything in the document in the order in which it is brought in, then what only the tenant has.
    items: Vec<ItemView>,
}

/// One thing that is configured.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ConfigurationItem")]
struct ItemView {
    /// Where it stands in the document: a JSON Pointer (RFC 6901).
    pointer: String,
    /// `created`, `changed`, `unchanged`, `kept` where the document does not have it, or `failed`.
    outcome: &'static str,
    /// What is different in it from what was stored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changes: Vec<ChangeView>,
    /// Of a gateway: whether its credentials are `kept`, or `voided` because they would go to somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials: Option<&'static str>,
    /// Of a gateway: whether nothing can be sent by it until it is given credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_credentials: Option<bool>,
    /// Of a gateway: those of the kind `email_to_sms` whose PIN is void too, because their mails go by this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    voided_pins: Vec<String>,
    /// Why it failed. It is as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What does not fit, where that is why it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<DocumentFault>,
}

/// A member that is different.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ConfigurationChange")]
struct ChangeView {
    /// Where: a JSON Pointer (RFC 6901) into the configuration.
    pointer: String,
    /// What was stored; left out where there was nothing, and for a long text.
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Value>,
    /// What the document says; left out where it says nothing, and for a long text.
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<Value>,
    /// How a long text is different.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<LinesView>,
}

/// How the lines of a text are different.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ConfigurationLines")]
struct LinesView {
    /// How many go.
    removed: usize,
    /// How many come.
    added: usize,
    /// The first that is different, from 1.
    first: usize,
}

impl ImportView {
    pub(super) fn of(imported: Imported, dry_run: bool) -> Self {
        let items: Vec<_> = imported.items.into_iter().map(ItemView::from).collect();
        let mut counts: BTreeMap<_, _> = OUTCOMES.into_iter().map(|outcome| (outcome, 0)).collect();
        for item in &items {
            *counts.entry(item.outcome).or_default() += 1;
        }
        Self { dry_run, complete: counts.get(FAILED) == Some(&0), counts, items }
    }
}

const FAILED: &str = "failed";
const OUTCOMES: [&str; 5] = ["created", "changed", "unchanged", "kept", FAILED];

impl From<Item> for ItemView {
    fn from(item: Item) -> Self {
        let Item { part, outcome, changes, secrets } = item;
        let place = part.place();
        let mut view = Self {
            pointer: place.pointer(),
            outcome: word(&outcome),
            changes: changes.iter().map(ChangeView::from).collect(),
            credentials: secrets.as_ref().map(|secrets| secrets.effect.as_str()),
            needs_credentials: secrets.as_ref().map(|secrets| secrets.needed),
            voided_pins: secrets
                .iter()
                .flat_map(|secrets| &secrets.voided)
                .map(ToString::to_string)
                .collect(),
            reason: None,
            errors: Vec::new(),
        };
        if let Outcome::Failed(failure) = outcome {
            view.reason = Some(sentence(&failure.to_string()));
            if let Failure::Invalid(part) = failure {
                let mut faults = Faults::default();
                faults.add_part(&place, part);
                view.errors = Problem::from(faults).errors;
            }
        }
        view
    }
}

const fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Changed => "changed",
        Outcome::Unchanged => "unchanged",
        Outcome::Kept => "kept",
        Outcome::Failed(_) => FAILED,
    }
}

impl From<&Change> for ChangeView {
    fn from(change: &Change) -> Self {
        let pointer = change.pointer.clone();
        match &change.difference {
            Difference::Value { now, then } => {
                let json = |value: &Option<_>| value.as_ref().map(json_of);
                Self { pointer, now: json(now), then: json(then), lines: None }
            }
            Difference::Lines { removed, added, first } => {
                let lines = LinesView { removed: *removed, added: *added, first: *first };
                Self { pointer, now: None, then: None, lines: Some(lines) }
            }
        }
    }
}
