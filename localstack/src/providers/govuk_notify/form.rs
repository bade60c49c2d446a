//! The form of a request of a text: what Notify's schema of it says.

use serde_json::{Map, Value};

use super::numbers;
use super::refusal::Refusal;

const MEMBERS: &[&str] =
    &["phone_number", "template_id", "personalisation", "reference", "sms_sender_id", "scheduled_for"];
const NEEDED: &[&str] = &["phone_number", "template_id"];
const LONGEST_REFERENCE: usize = 1_000;

/// A request of the right form.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) phone_number: String,
    pub(super) template_id: String,
    pub(super) personalisation: Map<String, Value>,
    pub(super) reference: Option<String>,
    pub(super) sms_sender_id: Option<String>,
}

impl Form {
    /// Reads a body, and tells of all that is wrong with it at once.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let invalid = || Refusal::bad_request("Invalid JSON supplied in POST data");
        let value: Value = serde_json::from_slice(body).map_err(|_| invalid())?;
        let Value::Object(mut members) = value else {
            return Err(Refusal::invalid(&[format!("{value} is not of type object")]));
        };
        let wrong = faults(&members);
        if !wrong.is_empty() {
            return Err(Refusal::invalid(&wrong));
        }
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let (phone_number, template_id) = (text("phone_number"), text("template_id"));
        let (reference, sms_sender_id) = (text("reference"), text("sms_sender_id"));
        let personalisation = match members.remove("personalisation") {
            Some(Value::Object(values)) => values,
            _ => Map::new(),
        };
        Ok(Self {
            phone_number: phone_number.unwrap_or_default(),
            template_id: template_id.unwrap_or_default().to_ascii_lowercase(),
            personalisation,
            reference,
            sms_sender_id,
        })
    }
}

fn faults(members: &Map<String, Value>) -> Vec<String> {
    let mut faults: Vec<String> = NEEDED
        .iter()
        .filter(|name| !members.contains_key(**name))
        .map(|name| format!("{name} is a required property"))
        .collect();
    let odd: Vec<_> = members.keys().filter(|name| !MEMBERS.contains(&name.as_str())).cloned().collect();
    if !odd.is_empty() {
        let were = if odd.len() == 1 { "was" } else { "were" };
        faults.push(format!("Additional properties are not allowed ({} {were} unexpected)", odd.join(", ")));
    }
    faults.extend(members.iter().filter_map(|(name, value)| fault(name, value)));
    faults
}

/// What is wrong with a member, beginning with its name.
fn fault(name: &str, value: &Value) -> Option<String> {
    let told = match (name, value) {
        ("phone_number", Value::String(number)) => numbers::fault(number)?.to_owned(),
        ("template_id" | "sms_sender_id", Value::String(id)) if is_uuid(id) => return None,
        ("template_id" | "sms_sender_id", _) => "is not a valid UUID".to_owned(),
        ("personalisation", Value::Object(_)) | ("scheduled_for", Value::Null) => return None,
        ("personalisation", other) => format!("{other} is not of type object"),
        ("reference", Value::String(text)) if text.chars().count() <= LONGEST_REFERENCE => return None,
        ("reference", Value::String(_)) => "is too long".to_owned(),
        ("phone_number" | "reference", other) => format!("{other} is not of type string"),
        ("scheduled_for", _) => "is not kept for later by this stand-in".to_owned(),
        _ => return None,
    };
    Some(format!("{name} {told}"))
}

/// 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between them (RFC 9562 section 4).
pub(super) fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}
