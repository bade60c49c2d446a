//! Policies: documents that say what holds for everyone in a tenant, for groups, or for single users.
//!
//! Of all the policies that cover a user and set something, the one of the highest precedence counts; among equals, the
//! one whose id sorts first. Each setting is decided by itself, so a policy for a group changes just what it names.

mod advice;
mod settings;
mod values;

use std::cmp::Reverse;
use std::collections::BTreeSet;

pub use advice::{Advice, advice};
pub use settings::{Described, Explained, Rules, Settings};
pub use values::{Channels, Chosen, MOST_ROUTES, QrContent, Route, Routes, Setting, TokenKind};
pub(crate) use values::{id_schema, one_of_words, words};

use crate::document::{Faults, Member, Members, Place, Value, Whole, parsed};
use crate::ids::{PolicyId, UserId};
use crate::plain::plain;
use crate::tenant::GroupName;
use crate::time::Timestamp;

/// Policies that a tenant may have: what a check of a code reads of them stays small.
pub const MOST_POLICIES: usize = 64;
/// Groups or users that one policy may name.
pub const MOST_NAMED: usize = 100;

/// Whom a policy covers. An empty list covers nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every user of the tenant.
    Everyone,
    /// The members of at least one of these groups.
    Groups(BTreeSet<GroupName>),
    /// These users.
    Users(BTreeSet<UserId>),
}

impl Coverage {
    /// The precedence of a policy that gives none: the narrower, the higher.
    #[must_use]
    pub const fn usual_precedence(&self) -> u32 {
        match self {
            Self::Everyone => 100,
            Self::Groups(_) => 200,
            Self::Users(_) => 300,
        }
    }

    /// Whether it covers a user who is in `groups`.
    #[must_use]
    pub fn covers(&self, user: &UserId, groups: &BTreeSet<GroupName>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Groups(named) => !named.is_disjoint(groups),
            Self::Users(named) => named.contains(user),
        }
    }

    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let mut members = Members::of(value, at, faults)?;
        let everyone: Option<bool> = members.optional("everyone", faults);
        let groups = members.with("groups", faults, set);
        let users = members.with("users", faults, set);
        let given = ["everyone", "groups", "users"].into_iter().filter(|name| members.value(name).is_some());
        let one = given.count() == 1;
        members.done(faults);
        if !one || everyone == Some(false) {
            faults.add(at, "must be {\"everyone\": true}, {\"groups\": […]} or {\"users\": […]}");
            return None;
        }
        everyone.map(|_| Self::Everyone).or(groups.map(Self::Groups)).or(users.map(Self::Users))
    }

    fn write(&self) -> Value {
        let texts = |names: Vec<&str>| Value::List(names.into_iter().map(Value::text).collect());
        match self {
            Self::Everyone => Value::object([("everyone", Value::Flag(true))]),
            Self::Groups(groups) => {
                Value::object([("groups", texts(groups.iter().map(GroupName::as_str).collect()))])
            }
            Self::Users(users) => {
                Value::object([("users", texts(users.iter().map(UserId::as_str).collect()))])
            }
        }
    }
}

/// Reads a list of names; each counts once.
fn set<T, E: std::fmt::Display>(value: &Value, at: &Place, faults: &mut Faults) -> Option<BTreeSet<T>>
where
    T: Ord + for<'t> TryFrom<&'t str, Error = E>,
{
    let Value::List(items) = value else { return crate::document::wrong_kind("a list", value, at, faults) };
    if items.len() > MOST_NAMED {
        faults.add(at, format!("must name at most {MOST_NAMED}"));
        return None;
    }
    let read: Vec<_> =
        items.iter().enumerate().map(|(index, item)| parsed(item, &at.item(index), faults)).collect();
    read.into_iter().collect()
}

/// What an operator writes: the policy without its id and history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// What it is for, at most 256 characters.
    pub description: Option<String>,
    /// Whom it covers.
    pub coverage: Coverage,
    /// Its rank among those that cover the same user; the higher counts.
    pub precedence: Whole<1, 1000>,
    /// What it sets.
    pub rules: Rules,
}

impl PolicyDocument {
    /// Reads a document.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(value: &Value) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let read = Self::read_members(value, &mut faults);
        faults.or(read)
    }

    fn read_members(value: &Value, faults: &mut Faults) -> Option<Self> {
        let root = Place::root();
        let mut members = Members::of(value, &root, faults)?;
        let description = members.with("description", faults, |value, at, faults| {
            let text = String::read(value, at, faults)?;
            let plain = plain(&text, 256);
            if plain.is_none() {
                faults.add(at, "must be 1 to 256 characters without control characters");
            }
            plain
        });
        if members.value("applies_to").is_none() {
            faults.add(&members.place("applies_to"), "must be given: whom the policy covers");
        }
        let coverage = members.with("applies_to", faults, Coverage::read);
        let precedence = members.optional("precedence", faults);
        if members.value("settings").is_none() {
            faults.add(&members.place("settings"), "must be given: what the policy sets");
        }
        let rules = members.with("settings", faults, |value, at, faults| {
            Members::of(value, at, faults).map(|members| Rules::read(members, faults))
        });
        members.done(faults);
        let coverage = coverage?;
        let precedence = precedence.unwrap_or(Whole::clamped(coverage.usual_precedence()));
        Some(Self { description, coverage, precedence, rules: rules? })
    }

    /// The document as it is written.
    #[must_use]
    pub fn write(&self) -> Value {
        let mut members = vec![
            ("applies_to", self.coverage.write()),
            ("precedence", self.precedence.write()),
            ("settings", self.rules.write()),
        ];
        members.extend(self.description.as_ref().map(|text| ("description", Value::text(text.as_str()))));
        Value::object(members)
    }
}

/// A policy of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its id, unique in its tenant.
    pub id: PolicyId,
    /// What it is for.
    pub description: Option<String>,
    /// Whom it covers.
    pub coverage: Coverage,
    /// Its rank; the higher counts.
    pub precedence: Whole<1, 1000>,
    /// What it sets.
    pub rules: Rules,
    /// Counts changes; a write names the version that it replaces.
    pub version: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Policy {
    /// A new policy.
    #[must_use]
    pub fn new(id: PolicyId, document: PolicyDocument, now: Timestamp) -> Self {
        let PolicyDocument { description, coverage, precedence, rules } = document;
        Self { id, description, coverage, precedence, rules, version: 1, created_at: now, updated_at: now }
    }

    /// The same policy with another document.
    #[must_use]
    pub fn becomes(&self, document: PolicyDocument, now: Timestamp) -> Self {
        let Self { version, created_at, .. } = *self;
        Self { version: version + 1, created_at, ..Self::new(self.id.clone(), document, now) }
    }

    /// What an operator writes of it.
    #[must_use]
    pub fn document(&self) -> PolicyDocument {
        PolicyDocument {
            description: self.description.clone(),
            coverage: self.coverage.clone(),
            precedence: self.precedence,
            rules: self.rules.clone(),
        }
    }

    /// Whether a user's auth row names it: what covers everyone goes without saying.
    #[must_use]
    pub const fn is_stamped(&self) -> bool {
        !matches!(self.coverage, Coverage::Everyone)
    }
}

/// The policies that cover a user, the one that counts first.
#[must_use]
pub fn covering<'p>(policies: &'p [Policy], user: &UserId, groups: &BTreeSet<GroupName>) -> Vec<&'p Policy> {
    ranked(policies.iter().filter(|policy| policy.coverage.covers(user, groups)))
}

/// The policies that a user's stamp names, and those that cover everyone; the one that counts first. A stamp may name
/// one that is gone.
#[must_use]
pub fn stamped<'p>(policies: &'p [Policy], stamp: &[PolicyId]) -> Vec<&'p Policy> {
    ranked(policies.iter().filter(|policy| !policy.is_stamped() || stamp.contains(&policy.id)))
}

/// What a user's auth row is to name, in order.
#[must_use]
pub fn stamp(policies: &[Policy], user: &UserId, groups: &BTreeSet<GroupName>) -> Vec<PolicyId> {
    let named = policies.iter().filter(|policy| policy.is_stamped() && policy.coverage.covers(user, groups));
    let ids: BTreeSet<_> = named.map(|policy| policy.id.clone()).collect();
    ids.into_iter().collect()
}

fn ranked<'p>(policies: impl Iterator<Item = &'p Policy>) -> Vec<&'p Policy> {
    let mut ranked: Vec<_> = policies.collect();
    ranked.sort_by_key(|policy| (Reverse(policy.precedence.get()), &policy.id));
    ranked
}

#[cfg(test)]
mod tests;
