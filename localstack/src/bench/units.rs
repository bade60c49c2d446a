//! DynamoDB's request units, computed from the sizes of items by the rules that AWS publishes.
//!
//! The emulator's own count is a constant per request. The rules are those of the DynamoDB developer guide, chapters
//! "Item sizes and formats" and "Read and write operations": a write costs a unit per KB begun of the larger of the item
//! before and after, two in a transaction; a strongly consistent read one per 4 KB begun, an eventual one half of that;
//! an index costs a write per entry that is made or removed.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde_json::{Map, Value};

/// An item in DynamoDB's JSON.
pub type Item = Map<String, Value>;

/// Request units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Units {
    /// Of reading.
    pub read: f64,
    /// Of writing, indexes included.
    pub write: f64,
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.write += other.write;
    }
}

/// A global secondary index that holds keys only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index(Vec<String>);

/// The indexes of each table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables(BTreeMap<String, Vec<Index>>);

impl Tables {
    /// Adds a table from what `DescribeTable` answers.
    pub fn learn(&mut self, name: &str, description: &Value) {
        let own = keys(description.pointer("/Table/KeySchema"));
        let indexes = list(description.pointer("/Table/GlobalSecondaryIndexes"));
        let index = |index: &Value| {
            let mut attributes = keys(index.get("KeySchema"));
            attributes.extend(own.iter().cloned());
            Index(attributes)
        };
        self.0.insert(name.to_owned(), indexes.iter().map(index).collect());
    }

    /// What writing one item costs.
    #[must_use]
    pub fn write(&self, table: &str, before: Option<&Item>, after: Option<&Item>, transaction: bool) -> f64 {
        let own = whole(size_of(before).max(size_of(after)), 1024) * if transaction { 2.0 } else { 1.0 };
        let indexes = self.0.get(table).map(Vec::as_slice).unwrap_or_default();
        own + indexes.iter().map(|index| index.write(before, after)).sum::<f64>()
    }
}

impl Index {
    /// The item's entry, if all its key attributes are there.
    fn entry(&self, item: Option<&Item>) -> Option<Item> {
        let item = item?;
        self.0.iter().map(|name| item.get(name).map(|value| (name.clone(), value.clone()))).collect()
    }

    fn write(&self, before: Option<&Item>, after: Option<&Item>) -> f64 {
        let (before, after) = (self.entry(before), self.entry(after));
        if before == after {
            return 0.0;
        }
        [before, after].iter().flatten().map(|entry| whole(size(entry), 1024)).sum()
    }
}

/// What reading costs of which so many bytes were looked at. A missing item costs as much as a small one.
#[must_use]
pub fn read(bytes: usize, consistent: bool) -> f64 {
    whole(bytes, 4096) * if consistent { 1.0 } else { 0.5 }
}

/// The size of an item: names and values.
#[must_use]
pub fn size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + value_size(value)).sum()
}

fn size_of(item: Option<&Item>) -> usize {
    item.map(size).unwrap_or_default()
}

fn value_size(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else {
        return 0;
    };
    let text = value.as_str().unwrap_or_default();
    let members =
        |size: fn(&str) -> usize| list(Some(value)).iter().filter_map(Value::as_str).map(size).sum();
    match kind.as_str() {
        "S" => text.len(),
        "N" => number_size(text),
        "B" => binary_size(text),
        "SS" => members(str::len),
        "NS" => members(number_size),
        "BS" => members(binary_size),
        "L" => 3 + list(Some(value)).iter().map(|member| 1 + value_size(member)).sum::<usize>(),
        "M" => {
            let members = value.as_object().into_iter().flatten();
            3 + members.map(|(name, member)| 1 + name.len() + value_size(member)).sum::<usize>()
        }
        // BOOL and NULL.
        _ => 1,
    }
}

/// About a byte for two digits that count, and one more.
fn number_size(text: &str) -> usize {
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let counting = digits.trim_start_matches('0').trim_end_matches('0').len();
    counting.div_ceil(2) + 1 + usize::from(mantissa.starts_with('-'))
}

fn binary_size(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}

/// How many blocks are begun; at least one.
#[expect(clippy::cast_precision_loss, reason = "an item has 400 KB at most")]
fn whole(bytes: usize, block: usize) -> f64 {
    bytes.div_ceil(block).max(1) as f64
}

fn keys(schema: Option<&Value>) -> Vec<String> {
    let name = |key: &Value| key.get("AttributeName").and_then(Value::as_str).map(str::to_owned);
    list(schema).iter().filter_map(name).collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(value: &Value) -> Item {
        value.as_object().unwrap().clone()
    }

    fn same(left: f64, right: f64) {
        assert_eq!(left.to_bits(), right.to_bits(), "{left} and {right}");
    }

    fn flow() -> Tables {
        let key = |name: &str| json!({ "AttributeName": name });
        let mut tables = Tables::default();
        tables.learn(
            "flow",
            &json!({ "Table": {
                "KeySchema": [key("PK"), key("SK")],
                "GlobalSecondaryIndexes": [{ "KeySchema": [key("shard"), key("due")] }],
            } }),
        );
        tables
    }

    #[test]
    fn sizes_are_those_of_the_developer_guide() {
        assert_eq!(size(&item(&json!({ "PK": { "S": "abc" } }))), 5);
        assert_eq!(size(&item(&json!({ "n": { "N": "1800000000" } }))), 1 + 2);
        assert_eq!(size(&item(&json!({ "n": { "N": "-12345" } }))), 1 + 5);
        assert_eq!(size(&item(&json!({ "b": { "B": "AQID" } }))), 1 + 3);
        assert_eq!(size(&item(&json!({ "b": { "B": "AQ==" } }))), 1 + 1);
        assert_eq!(size(&item(&json!({ "f": { "BOOL": true } }))), 2);
        assert_eq!(size(&item(&json!({ "l": { "L": [{ "S": "ab" }, { "NULL": true }] } }))), 1 + 3 + 3 + 2);
        assert_eq!(size(&item(&json!({ "m": { "M": { "k": { "S": "ab" } } } }))), 1 + 3 + 1 + 3);
        assert_eq!(size(&item(&json!({ "s": { "SS": ["ab", "c"] } }))), 1 + 3);
    }

    #[test]
    fn reads_are_blocks_of_four_kilobytes() {
        same(read(0, true), 1.0);
        same(read(0, false), 0.5);
        same(read(4096, true), 1.0);
        same(read(4097, true), 2.0);
        same(read(4097, false), 1.0);
    }

    #[test]
    fn writes_are_blocks_of_the_larger_item_twice_in_a_transaction() {
        let small = item(&json!({ "PK": { "S": "a" } }));
        let large = item(&json!({ "PK": { "S": "a".repeat(1023) } }));
        let tables = flow();
        same(tables.write("core", None, Some(&small), false), 1.0);
        same(tables.write("core", Some(&large), Some(&small), false), 2.0);
        same(tables.write("core", Some(&large), None, true), 4.0);
        same(tables.write("core", None, None, false), 1.0);
    }

    #[test]
    fn an_index_costs_what_changes_in_it() {
        let row = |due: Option<&str>| {
            let mut row = item(&json!({ "PK": { "S": "a" }, "SK": { "S": "b" }, "shard": { "S": "0" } }));
            due.map(|due| row.insert("due".to_owned(), json!({ "N": due })));
            row
        };
        let (absent, one, two) = (row(None), row(Some("1")), row(Some("2")));
        let tables = flow();
        same(tables.write("flow", None, Some(&one), true), 3.0);
        same(tables.write("flow", Some(&one), Some(&one), false), 1.0);
        same(tables.write("flow", Some(&one), Some(&two), false), 3.0);
        same(tables.write("flow", Some(&two), Some(&absent), false), 2.0);
        same(tables.write("flow", Some(&absent), Some(&absent), false), 1.0);
    }
}
