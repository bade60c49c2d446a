//! The schema of what operators write, made of the catalogue of kinds.

use std::borrow::Cow;

use otpost_domain::gateway::{Field, Kind, Part, Usual};
use otpost_service::document::json_of;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json as value};

/// A gateway as its operator writes it.
pub(super) struct Written;

impl JsonSchema for Written {
    fn schema_name() -> Cow<'static, str> {
        "GatewayDocument".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| of_kind(*kind)).collect();
        let schema = value!({
            "description": "A gateway: what it talks to, its settings, and its credentials, which are written and never shown.",
            "oneOf": kinds,
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}

/// A gateway as it is shown: the same without credentials.
pub(crate) struct Configured;

impl JsonSchema for Configured {
    fn schema_name() -> Cow<'static, str> {
        "GatewayConfiguration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let schema = value!({
            "type": "object",
            "properties": {
                "name": { "type": "string", "description": "What its operators call it." },
                "kind": { "enum": kinds, "description": "What it talks to." },
                "enabled": { "type": "boolean", "description": "Whether anything is sent by it." },
                "countries": countries(),
                "rate_per_second": rate(),
                "tenants": tenants(),
                "settings": { "type": "object", "description": "What its kind needs; see GatewayDocument." },
            },
            "required": ["name", "kind", "enabled", "settings"],
        });
        Schema::try_from(schema).unwrap_or_default()
    }
}

fn of_kind(kind: Kind) -> Value {
    let mut properties = Map::from_iter([
        (
            "name".to_owned(),
            value!({ "type": "string", "maxLength": 128, "description": "What its operators call it." }),
        ),
        ("kind".to_owned(), value!({ "const": kind.as_str() })),
        (
            "enabled".to_owned(),
            value!({ "type": "boolean", "default": true, "description": "Whether anything is sent by it." }),
        ),
        ("rate_per_second".to_owned(), rate()),
        ("tenants".to_owned(), tenants()),
        ("settings".to_owned(), settings(kind)),
    ]);
    properties.insert(
        "test".to_owned(),
        value!({
            "$ref": "#/components/schemas/GatewayTest",
            "description": "A test to be sent as soon as the gateway is saved. It is no part of the gateway.",
        }),
    );
    if kind.channel().as_str() == "sms" {
        properties.insert("countries".to_owned(), countries());
    }
    if kind.takes_credentials() {
        properties.insert("credentials".to_owned(), credentials(kind));
    }
    value!({
        "type": "object",
        "properties": properties,
        "required": ["name", "kind", "settings"],
        "additionalProperties": false,
    })
}

fn settings(kind: Kind) -> Value {
    let fields = kind.fields();
    let needed: Vec<_> =
        fields.iter().filter(|field| field.usual == Usual::Needed).map(|field| field.name).collect();
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.to_owned(), setting(field))).collect();
    value!({ "type": "object", "properties": properties, "required": needed, "additionalProperties": false })
}

fn setting(field: &Field) -> Value {
    let mut schema = json_of(&field.schema);
    if let Value::Object(members) = &mut schema {
        let meaning = format!("{} Allowed: {}.", field.meaning, field.range);
        members.insert("description".to_owned(), meaning.into());
        if let Usual::Value(usual) = &field.usual {
            members.insert("default".to_owned(), json_of(usual));
        }
    }
    schema
}

fn credentials(kind: Kind) -> Value {
    let part = |part: &Part| {
        let meaning = format!("{} Allowed: {}.", part.meaning(), part.range());
        (part.as_str().to_owned(), value!({ "type": "string", "writeOnly": true, "description": meaning }))
    };
    let parts: Map<_, _> = Part::of(kind).iter().map(part).collect();
    value!({
        "type": "object", "properties": parts, "additionalProperties": false, "writeOnly": true,
        "description": "Left out, a gateway keeps those that it has, unless they are void.",
    })
}

fn countries() -> Value {
    value!({
        "type": "array", "items": { "type": "string", "pattern": "^[A-Z]{2}$" }, "minItems": 1,
        "description": "To which countries it may send texts (ISO 3166-1 alpha-2); left out, all that policies allow.",
    })
}

fn rate() -> Value {
    value!({
        "type": "integer", "minimum": 1, "maximum": 1000,
        "description": "How many messages it is given in a second, about; left out, as many as there are.",
    })
}

fn tenants() -> Value {
    value!({
        "description": "What tenants may use it. Only of a gateway of the platform, and needed there.",
        "oneOf": [
            { "type": "object", "properties": { "all": { "const": true } }, "required": ["all"], "additionalProperties": false },
            {
                "type": "object",
                "properties": { "named": { "type": "array", "items": { "type": "string" }, "maxItems": 250 } },
                "required": ["named"],
                "additionalProperties": false,
            },
        ],
    })
}
