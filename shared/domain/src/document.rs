//! Documents that operators write: read member by member, with all that is wrong told at once, each fault at its place
//! (JSON Pointer, RFC 6901). Faults never repeat the value that is wrong: it may be a secret. Those of
//! templates do, because texts that everybody is to get are none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

/// How many faults are told of one document.
const MOST_FAULTS: usize = 100;

/// A document, or a part of one, as a tree. `Debug` shows its shape only.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing: as if the member were left out.
    Null,
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// A number that is not whole, or too large for one.
    OtherNumber,
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// Members by name.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object of these members.
    pub fn object<'n>(members: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Flag(_) => "true or false",
            Self::Whole(_) | Self::OtherNumber => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.kind())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: a JSON Pointer (RFC 6901), empty for the whole document.
    pub pointer: String,
    /// What must hold there, such as `must be 1 to 60, not more`; begins with `must` or `is`. In a text that was checked
    /// for more than its length, what is wrong at a place of it.
    pub told: String,
    /// Line and column in a text, both from 1, columns in characters.
    pub position: Option<(usize, usize)>,
}

/// All that is wrong with a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Adds one; beyond the hundredth they are not kept.
    pub fn add(&mut self, at: &Place, told: impl Into<String>) {
        self.push(Fault { pointer: at.pointer(), told: told.into(), position: None });
    }

    /// Adds one at a line and column of a text.
    pub fn add_in_text(&mut self, at: &Place, position: (usize, usize), told: impl Into<String>) {
        self.push(Fault { pointer: at.pointer(), told: told.into(), position: Some(position) });
    }

    /// Adds all that is wrong with a part of the document that was read by itself.
    pub fn add_part(&mut self, at: &Place, part: Self) {
        for fault in part.0 {
            self.push(Fault { pointer: format!("{}{}", at.0, fault.pointer), ..fault });
        }
    }

    fn push(&mut self, fault: Fault) {
        if self.0.len() < MOST_FAULTS {
            self.0.push(fault);
        }
    }

    /// The same for a document that stands in another one under this name.
    #[must_use]
    pub fn beneath(self, name: &str) -> Self {
        let mut faults = Self::default();
        faults.add_part(&Place::root().member(name), self);
        faults
    }

    /// The faults, in the order of the document's description.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// `value`, when nothing is wrong.
    ///
    /// # Errors
    /// The faults, when something is, or when there is no value.
    pub fn or<T>(mut self, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            None if self.0.is_empty() => {
                self.add(&Place::root(), "is not complete");
                Err(self)
            }
            _ => Err(self),
        }
    }
}

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<_> = self.0.iter().map(|fault| format!("{} {}", fault.pointer, fault.told)).collect();
        f.write_str(&told.join("; "))
    }
}

impl std::error::Error for Faults {}

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The whole document.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// A member of the object here.
    #[must_use]
    pub fn member(&self, name: &str) -> Self {
        // An unknown member's name comes from outside and may be as long as the document.
        let name: String = name.chars().take(128).collect();
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    /// An item of the list here.
    #[must_use]
    pub fn item(&self, index: usize) -> Self {
        Self(format!("{}/{index}", self.0))
    }

    /// As a JSON Pointer (RFC 6901).
    #[must_use]
    pub fn pointer(&self) -> String {
        self.0.clone()
    }
}

/// What can be read from a document and written into one.
pub trait Member: Sized {
    /// Reads a value that is not null; tells what is wrong with it otherwise.
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self>;
    /// As it is written.
    fn write(&self) -> Value;
}

impl Member for bool {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Flag(flag) => Some(*flag),
            other => wrong_kind("true or false", other, at, faults),
        }
    }

    fn write(&self) -> Value {
        Value::Flag(*self)
    }
}

impl Member for String {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            other => wrong_kind("text", other, at, faults),
        }
    }

    fn write(&self) -> Value {
        Value::text(self.as_str())
    }
}

impl<T: Member> Member for Vec<T> {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let Value::List(items) = value else { return wrong_kind("a list", value, at, faults) };
        let read: Vec<_> =
            items.iter().enumerate().map(|(index, item)| T::read(item, &at.item(index), faults)).collect();
        read.into_iter().collect()
    }

    fn write(&self) -> Value {
        Value::List(self.iter().map(T::write).collect())
    }
}

/// A whole number from `LEAST` to `MOST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Whole<LEAST, MOST> {
    /// `number`, at least `LEAST` and at most `MOST`.
    #[must_use]
    pub const fn clamped(number: u32) -> Self {
        if number < LEAST {
            Self(LEAST)
        } else if number > MOST {
            Self(MOST)
        } else {
            Self(number)
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const LEAST: u32, const MOST: u32> Member for Whole<LEAST, MOST> {
    fn read(value: &Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        let read = match value {
            Value::Whole(number) => {
                u32::try_from(*number).ok().filter(|number| (LEAST..=MOST).contains(number)).map(Self)
            }
            _ => None,
        };
        if read.is_none() {
            faults.add(at, format!("must be a whole number from {LEAST} to {MOST}"));
        }
        read
    }

    fn write(&self) -> Value {
        Value::Whole(self.0.into())
    }
}

/// Tells that a value is of another kind than wanted.
pub fn wrong_kind<T>(wanted: &str, found: &Value, at: &Place, faults: &mut Faults) -> Option<T> {
    faults.add(at, format!("must be {wanted}, not {}", found.kind()));
    None
}

/// Reads text as `T`; what `T` says of a wrong one is told.
pub fn parsed<T, E: Display>(value: &Value, at: &Place, faults: &mut Faults) -> Option<T>
where
    T: for<'t> TryFrom<&'t str, Error = E>,
{
    let text = String::read(value, at, faults)?;
    match T::try_from(&text) {
        Ok(parsed) => Some(parsed),
        Err(fault) => {
            // Faults of identifiers begin with what they are of.
            let fault = fault.to_string();
            let told = fault.find("must ").and_then(|start| fault.get(start..)).unwrap_or(&fault);
            faults.add(at, told);
            None
        }
    }
}

/// Reads one of the words that `all` have.
pub fn word<T: Copy>(
    all: &[T],
    written: impl Fn(T) -> &'static str,
    value: &Value,
    at: &Place,
    faults: &mut Faults,
) -> Option<T> {
    let found = match value {
        Value::Text(text) => all.iter().copied().find(|word| written(*word) == text),
        _ => None,
    };
    if found.is_none() {
        let words: Vec<_> = all.iter().map(|word| written(*word)).collect();
        faults.add(at, format!("must be {}", one_of(&words)));
    }
    found
}

/// `a, b or c`.
#[must_use]
pub fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The members of an object, taken one by one; [`Members::done`] tells of those that nobody has asked for.
#[derive(Debug)]
pub struct Members<'v> {
    given: &'v BTreeMap<String, Value>,
    at: Place,
    known: BTreeSet<&'static str>,
}

impl<'v> Members<'v> {
    /// The members of `value`, if it is an object.
    pub fn of(value: &'v Value, at: &Place, faults: &mut Faults) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { given: members, at: at.clone(), known: BTreeSet::new() }),
            other => wrong_kind("an object", other, at, faults),
        }
    }

    /// A member as it stands; `None` when it is left out or null.
    pub fn value(&mut self, name: &'static str) -> Option<&'v Value> {
        self.known.insert(name);
        self.given.get(name).filter(|value| **value != Value::Null)
    }

    /// Where a member stands.
    #[must_use]
    pub fn place(&self, name: &str) -> Place {
        self.at.member(name)
    }

    /// A member that may be left out; `None`, too, when it is wrong, which is told.
    pub fn optional<T: Member>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        let value = self.value(name)?;
        T::read(value, &self.at.member(name), faults)
    }

    /// A member that must be there.
    pub fn needed<T: Member>(&mut self, name: &'static str, faults: &mut Faults) -> Option<T> {
        if self.value(name).is_none() {
            faults.add(&self.at.member(name), "must be given");
            return None;
        }
        self.optional(name, faults)
    }

    /// A member that may be left out, read by `read`.
    pub fn with<T>(
        &mut self,
        name: &'static str,
        faults: &mut Faults,
        read: impl FnOnce(&Value, &Place, &mut Faults) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        read(value, &self.at.member(name), faults)
    }

    /// Tells of members that are not known here.
    pub fn done(self, faults: &mut Faults) {
        for name in self.given.keys().filter(|name| !self.known.contains(name.as_str())) {
            faults.add(&self.at.member(name), "is not known here");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told_at_their_places() {
        let value = Value::object([
            ("number", Value::Whole(9)),
            ("list", Value::List(vec![Value::Flag(true), Value::text("secret"), Value::OtherNumber])),
            ("a/b~c", Value::Null),
        ]);
        let mut faults = Faults::default();
        let mut members = Members::of(&value, &Place::root(), &mut faults).unwrap();
        assert_eq!(members.optional::<Whole<1, 8>>("number", &mut faults), None);
        assert_eq!(members.optional::<Vec<bool>>("list", &mut faults), None);
        assert_eq!(members.needed::<String>("name", &mut faults), None);
        members.done(&mut faults);
        let told: Vec<_> = faults.all().iter().map(|f| (f.pointer.as_str(), f.told.as_str())).collect();
        assert_eq!(
            told,
            [
                ("/number", "must be a whole number from 1 to 8"),
                ("/list/1", "must be true or false, not text"),
                ("/list/2", "must be true or false, not a number"),
                ("/name", "must be given"),
                ("/a~1b~0c", "is not known here"),
            ]
        );
        assert!(!format!("{value:?}").contains("secret"));
    }

    #[test]
    fn faults_of_a_part_are_told_where_the_part_stands() {
        let mut part = Faults::default();
        part.add(&Place::root(), "must be an object");
        part.add_in_text(&Place::root().member("a"), (2, 3), "is wrong");
        let mut faults = Faults::default();
        faults.add_part(&Place::root().member("of/it"), part);
        let told: Vec<_> = faults.all().iter().map(|f| (f.pointer.as_str(), f.position)).collect();
        assert_eq!(told, [("/of~1it", None), ("/of~1it/a", Some((2, 3)))]);
    }

    #[test]
    fn null_is_as_if_left_out() {
        let value = Value::object([("a", Value::Null)]);
        let mut faults = Faults::default();
        let mut members = Members::of(&value, &Place::root(), &mut faults).unwrap();
        assert_eq!(members.optional::<bool>("a", &mut faults), None);
        members.done(&mut faults);
        assert!(faults.all().is_empty());
        assert_eq!(faults.or(Some(1)), Ok(1));
        assert_eq!(Faults::default().or(None::<u8>).unwrap_err().all()[0].told, "is not complete");
    }

    #[test]
    fn a_flood_of_faults_is_cut() {
        let value = Value::List(vec![Value::Null; 10_000]);
        let mut faults = Faults::default();
        assert_eq!(Vec::<bool>::read(&value, &Place::root(), &mut faults), None);
        assert_eq!(faults.all().len(), MOST_FAULTS);
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
    }
}
