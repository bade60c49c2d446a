//! How the settings of a kind of gateway are declared: each once, with its name, its values and its meaning.

use crate::document::{Faults, Members, Value};
use crate::policy::Setting;

/// A field as it is documented.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name in documents.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What it may be.
    pub range: String,
    /// The same as a JSON Schema.
    pub schema: Value,
    /// What holds where it is left out.
    pub usual: Usual,
}

/// What holds where a field is left out.
#[derive(Clone, Debug, PartialEq)]
pub enum Usual {
    /// It must be given.
    Needed,
    /// Nothing.
    Nothing,
    /// This value.
    Value(Value),
}

/// The type of a field: a value that must be given, or an `Option` of one.
pub(super) trait FieldType: Sized {
    const WHERE_LEFT_OUT: Usual;
    fn take(members: &mut Members<'_>, name: &'static str, faults: &mut Faults) -> Option<Self>;
    fn put(&self) -> Option<Value>;
    fn range() -> String;
    fn schema() -> Value;
}

impl<T: Setting> FieldType for T {
    const WHERE_LEFT_OUT: Usual = Usual::Needed;

    fn take(members: &mut Members<'_>, name: &'static str, faults: &mut Faults) -> Option<Self> {
        members.needed(name, faults)
    }

    fn put(&self) -> Option<Value> {
        Some(self.write())
    }

    fn range() -> String {
        <T as Setting>::range()
    }

    fn schema() -> Value {
        <T as Setting>::schema()
    }
}

impl<T: Setting> FieldType for Option<T> {
    const WHERE_LEFT_OUT: Usual = Usual::Nothing;

    fn take(members: &mut Members<'_>, name: &'static str, faults: &mut Faults) -> Option<Self> {
        Some(members.optional(name, faults))
    }

    fn put(&self) -> Option<Value> {
        self.as_ref().map(T::write)
    }

    fn range() -> String {
        <T as Setting>::range()
    }

    fn schema() -> Value {
        <T as Setting>::schema()
    }
}

/// The settings of a kind. One without `Option` and without a default must be given. The type has a function
/// `check(&mut Members, &mut Faults)` for what must hold between fields: it sees them as written, so that its faults
/// are told together with those of single fields.
macro_rules! fields {
    (
        $(#[doc = $about:literal])+
        pub struct $kind:ident { $($(#[doc = $doc:literal])+ $name:ident: $type:ty $(= $default:expr)?;)* }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $kind {
            $($(#[doc = $doc])+ pub $name: $type,)*
        }

        impl $kind {
            /// Its fields, in the order in which they are documented.
            #[must_use]
            pub fn fields() -> Vec<$crate::gateway::Field> {
                use $crate::gateway::fields::FieldType;
                vec![$($crate::gateway::Field {
                    name: stringify!($name),
                    meaning: concat!($($doc),+).trim_ascii(),
                    range: <$type as FieldType>::range(),
                    schema: <$type as FieldType>::schema(),
                    usual: $crate::gateway::fields::fields!(@usual $type $(, $default)?),
                },)*]
            }

            pub(super) fn read(
                value: &$crate::document::Value,
                at: &$crate::document::Place,
                faults: &mut $crate::document::Faults,
            ) -> Option<Self> {
                let mut members = $crate::document::Members::of(value, at, faults)?;
                $(let $name = $crate::gateway::fields::fields!(
                    @take members, faults, $name, $type $(, $default)?
                );)*
                Self::check(&mut members, faults);
                members.done(faults);
                Some(Self { $($name: $name?,)* })
            }

            pub(super) fn write(&self) -> $crate::document::Value {
                use $crate::gateway::fields::FieldType;
                let mut members = Vec::new();
                $(members.extend(self.$name.put().map(|value| (stringify!($name), value)));)*
                $crate::document::Value::object(members)
            }
        }
    };
    (@take $members:ident, $faults:ident, $name:ident, $type:ty) => {
        <$type as $crate::gateway::fields::FieldType>::take(&mut $members, stringify!($name), $faults)
    };
    (@take $members:ident, $faults:ident, $name:ident, $type:ty, $default:expr) => {
        Some($members.optional::<$type>(stringify!($name), $faults).unwrap_or($default))
    };
    (@usual $type:ty) => {
        <$type as $crate::gateway::fields::FieldType>::WHERE_LEFT_OUT
    };
    (@usual $type:ty, $default:expr) => {
        $crate::gateway::Usual::Value(<$type as $crate::document::Member>::write(&$default))
    };
}
pub(super) use fields;
