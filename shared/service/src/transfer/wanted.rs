//! What a document wants a tenant to have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use otpost_domain::document::{Faults, Members, Place, Value, wrong_kind};
use otpost_domain::gateway::{GatewayDocument, Owner};
use otpost_domain::ids::{GatewayId, PolicyId};
use otpost_domain::policy::PolicyDocument;
use otpost_domain::template::{BrandDocument, TemplateName};

use super::{BRAND, FORMAT, FORMAT_MEMBER, GATEWAYS, POLICIES, TEMPLATES};

/// Credentials in a gateway's document.
const CREDENTIALS: &str = "credentials";

/// A document as far as it can be read by itself.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) brand: Option<BrandDocument>,
    pub(super) policies: BTreeMap<PolicyId, PolicyDocument>,
    pub(super) gateways: BTreeMap<GatewayId, GatewayDocument>,
    /// Templates by name. What is wrong with their texts depends on policies and gateways.
    pub(super) templates: BTreeMap<String, (TemplateName, Value)>,
    /// Policies that the document has, with or without faults.
    pub(super) named: BTreeSet<PolicyId>,
    /// Whether all policies and gateways are without faults.
    pub(super) is_sound: bool,
}

impl Wanted {
    /// Reads a document; nothing of one in another format.
    pub(super) fn read(value: &Value, owner: &Owner, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, &Place::root(), faults)?;
        if !matches!(members.value(FORMAT_MEMBER), Some(Value::Text(format)) if format == FORMAT) {
            faults.add(&members.place(FORMAT_MEMBER), format!("must be {FORMAT}"));
            return None;
        }
        let mut wanted = Self::default();
        let before = faults.all().len();
        each(&mut members, POLICIES, faults, |id: PolicyId, value, at, faults| {
            wanted.named.insert(id.clone());
            let read = PolicyDocument::read(value);
            wanted.policies.extend(sound(read, at, faults).map(|document| (id, document)));
        });
        each(&mut members, GATEWAYS, faults, |id: GatewayId, value, at, faults| {
            let read = gateway(value, owner, at, faults);
            wanted.gateways.extend(read.map(|document| (id, document)));
        });
        wanted.is_sound = faults.all().len() == before;
        wanted.brand =
            members.with(BRAND, faults, |value, at, faults| sound(BrandDocument::read(value), at, faults));
        each(&mut members, TEMPLATES, faults, |name: TemplateName, value, at, faults| {
            // Languages are the same in any case of letters.
            let written = name.to_string();
            if wanted.templates.insert(written.clone(), (name, value.clone())).is_some() {
                faults.add(at, format!("is there twice: it is the same as {written}"));
            }
        });
        members.done(faults);
        Some(wanted)
    }
}

/// Reads a gateway's document, which has no credentials.
fn gateway(value: &Value, owner: &Owner, at: &Place, faults: &mut Faults) -> Option<GatewayDocument> {
    let Value::Object(members) = value else {
        return sound(GatewayDocument::read(value, owner), at, faults);
    };
    let mut members = members.clone();
    if members.remove(CREDENTIALS).is_some_and(|credentials| credentials != Value::Null) {
        let told = "must not be given: an import brings no credentials; give them to the gateway afterwards";
        faults.add(&at.member(CREDENTIALS), told);
    }
    sound(GatewayDocument::read(&Value::Object(members), owner), at, faults)
}

/// Reads the members of a part of the document, each by its name.
fn each<T, E: Display>(
    members: &mut Members<'_>,
    part: &'static str,
    faults: &mut Faults,
    mut read: impl FnMut(T, &Value, &Place, &mut Faults),
) where
    T: for<'t> TryFrom<&'t str, Error = E>,
{
    members.with(part, faults, |value, at, faults| {
        let Value::Object(items) = value else { return wrong_kind("an object", value, at, faults) };
        for (name, value) in items {
            let at = at.member(name);
            match T::try_from(name) {
                Ok(name) => read(name, value, &at, faults),
                Err(fault) => {
                    let fault = fault.to_string();
                    let must = fault.find("must ").and_then(|start| fault.get(start..)).unwrap_or(&fault);
                    faults.add(&at, format!("is named wrongly: the name {must}"));
                }
            }
        }
        Some(())
    });
}

/// A part that was read by itself, if nothing is wrong with it.
fn sound<T>(read: Result<T, Faults>, at: &Place, faults: &mut Faults) -> Option<T> {
    read.map_err(|part| faults.add_part(at, part)).ok()
}
