//! Templates of GOV.UK Notify: whether texts of ours go into one, and which ones have been looked at lately.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use otpost_domain::gateway::Placeholder;
use otpost_domain::outcome::Said;
use otpost_domain::time::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The most characters of a text, without the service's name in front.
pub(crate) const MOST: usize = 918;
/// How long a template is held to be as it was.
const KEPT: Duration = Duration::from_mins(5);
/// How many are remembered.
const MOST_KEPT: usize = 64;
/// How much of a template's members is told to an operator.
const MOST_SAID: usize = 400;

#[derive(Deserialize)]
struct Wire {
    r#type: String,
    #[serde(default)]
    personalisation: Option<Map<String, Value>>,
    #[serde(default)]
    body: Option<String>,
}

/// What matters of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    kind: String,
    /// What it has places for, as it is written there.
    keys: Vec<String>,
    /// Its text, if it was told.
    text: Option<Around>,
}

/// The text around the places of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Around {
    characters: usize,
    /// What each place names; one with a condition, `((name??text))`, shows no value.
    shown: Vec<String>,
}

impl Shape {
    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(body: &[u8]) -> Result<Self, serde_json::Error> {
        let wire: Wire = serde_json::from_slice(body)?;
        Ok(Self {
            kind: wire.r#type,
            keys: wire.personalisation.unwrap_or_default().into_iter().map(|(key, _)| key).collect(),
            text: wire.body.as_deref().map(Around::of),
        })
    }

    /// Whether a value for `placeholder`, and nothing else, makes a text of it.
    ///
    /// # Errors
    /// Why not, in words of ours.
    pub(crate) fn check(&self, placeholder: Placeholder) -> Result<(), String> {
        let wanted = placeholder.as_str();
        let keys: BTreeSet<String> = self.keys.iter().map(|key| folded(key)).collect();
        let only_asked = self.text.as_ref().is_some_and(|text| text.places(wanted) == 0);
        if self.kind != "sms" {
            Err("the template is not one for texts".to_owned())
        } else if !keys.contains(wanted) {
            Err(format!("the template has no place (({wanted}))"))
        } else if keys.len() > 1 {
            Err(format!("the template has other places than (({wanted})), which nobody fills"))
        } else if only_asked {
            Err(format!("the template has (({wanted})) as a condition only, and would not show it"))
        } else {
            Ok(())
        }
    }

    /// Whether the text is short enough with `value` in its places.
    pub(crate) fn holds(&self, placeholder: Placeholder, value: &str) -> bool {
        self.text.as_ref().is_none_or(|text| {
            let filled = text.places(placeholder.as_str()).saturating_mul(value.chars().count());
            text.characters.saturating_add(filled) <= MOST
        })
    }

    /// What it has places for, to be told to an operator.
    pub(crate) fn told(&self) -> Said {
        let line = format!("template: type {}, personalisation {}", self.kind, self.keys.join(", "));
        Said::line(line.chars().take(MOST_SAID).collect::<String>())
    }
}

impl Around {
    /// Places are two brackets around anything without a bracket.
    fn of(body: &str) -> Self {
        let mut around = Self { characters: 0, shown: Vec::new() };
        let mut rest = body;
        while let Some((before, after)) = rest.split_once("((") {
            // Of several brackets in a row the last two open it.
            let extra = after.len() - after.trim_start_matches('(').len();
            let inner = after.get(extra..).unwrap_or_default();
            let end = inner.find(['(', ')']).filter(|end| *end > 0);
            let name = end.and_then(|end| inner.get(end..)?.starts_with("))").then(|| inner.get(..end))?);
            around.characters += before.chars().count() + extra;
            rest = if let Some(name) = name {
                if !name.contains("??") {
                    around.shown.push(folded(name));
                }
                inner.get(name.len() + 2..).unwrap_or_default()
            } else {
                around.characters += 2;
                inner
            };
        }
        around.characters += rest.chars().count();
        around
    }

    fn places(&self, wanted: &str) -> usize {
        self.shown.iter().filter(|name| *name == wanted).count()
    }
}

/// As Notify compares the names of places: without case, blanks, underscores and hyphens.
fn folded(key: &str) -> String {
    let kept = key.chars().filter(|c| !c.is_whitespace() && *c != '_' && *c != '-');
    kept.flat_map(char::to_lowercase).collect()
}

/// Templates that were looked at in the last five minutes, by service and id.
#[derive(Debug, Default)]
pub(crate) struct Templates(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    service: String,
    id: String,
    shape: Shape,
    at: Timestamp,
}

impl Templates {
    pub(crate) fn get(&self, service: &str, id: &str, now: Timestamp) -> Option<Shape> {
        let kept = self.lock();
        let found = kept.iter().find(|kept| kept.is(service, id) && kept.at.until(now) < KEPT)?;
        Some(found.shape.clone())
    }

    pub(crate) fn keep(&self, service: &str, id: &str, shape: Shape, now: Timestamp) {
        let mut kept = self.lock();
        kept.retain(|kept| !kept.is(service, id));
        // They stand in the order in which they came.
        let over = (kept.len() + 1).saturating_sub(MOST_KEPT);
        kept.drain(..over);
        kept.push(Kept { service: service.to_owned(), id: id.to_owned(), shape, at: now });
    }

    pub(crate) fn forget(&self, service: &str, id: &str) {
        self.lock().retain(|kept| !kept.is(service, id));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn is(&self, service: &str, id: &str) -> bool {
        self.service == service && self.id == id
    }
}
