//! The schema of what operators write, made of the catalogue of settings.

use std::borrow::Cow;

use otpost_domain::policy::Settings;
use otpost_service::document::json_of;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json as value};

/// A policy as its operator writes it.
pub(crate) struct Written;

impl JsonSchema for Written {
    fn schema_name() -> Cow<'static, str> {
        "PolicyDocument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let settings: Map<String, Value> = Settings::catalogue()
            .into_iter()
            .map(|setting| {
                let mut schema = json_of(&setting.schema);
                if let Value::Object(members) = &mut schema {
                    members.insert("description".to_owned(), setting.meaning.into());
                    members.insert("default".to_owned(), json_of(&setting.default));
                }
                (setting.name.to_owned(), schema)
            })
            .collect();
        let names = |what: &str| value!({ "type": "array", "items": { "type": "string" }, "maxItems": 100, "description": what });
        let one = |name: &str, of: Value| value!({ "type": "object", "properties": { name: of }, "required": [name], "additionalProperties": false });
        let covers = [
            one("everyone", value!({ "const": true })),
            one("groups", names("The members of at least one of these groups. An empty list covers nobody.")),
            one("users", names("These users. An empty list covers nobody.")),
        ];
        let schema = value!({
            "type": "object",
            "description": "A policy: whom it covers, its rank, and what it sets.",
            "properties": {
                "description": { "type": "string", "maxLength": 256, "description": "What it is for." },
                "applies_to": { "oneOf": covers, "description": "Whom it covers." },
                "precedence": {
                    "type": "integer", "minimum": 1, "maximum": 1000,
                    "description": "Of the policies that cover a user and set something, the one of the highest precedence counts. Unless given: 100 for everyone, 200 for groups, 300 for users.",
                },
                "settings": { "type": "object", "properties": settings, "additionalProperties": false },
            },
            "required": ["applies_to", "settings"],
            "additionalProperties": false,
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}
