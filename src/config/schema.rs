//! The JSON Schema of the configuration file, made from the table of keys.

use serde_json::{Map, Value, json};

use super::keys::{ALIAS, KEYS, Key, Kind, NOTIFY, ROUTE, Repeated};
use super::value::describe;

/// The schema (draft 2020-12), pretty-printed, with a line end.
pub fn schema() -> String {
    let mut properties = Map::new();
    for key in KEYS {
        match key.path.split_once('.') {
            None => {
                properties.insert(key.path.to_owned(), property(key));
            }
            Some((table, name)) => {
                let own = properties.entry(table).or_insert_with(
                    || json!({ "type": "object", "additionalProperties": false, "properties": {} }),
                );
                if let Some(inner) = own.get_mut("properties").and_then(Value::as_object_mut) {
                    inner.insert(name.to_owned(), property(key));
                }
            }
        }
    }
    for table in [&ROUTE, &NOTIFY, &ALIAS] {
        properties.insert(table.name.to_owned(), repeated(table));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "twiml-guard configuration",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    format!("{schema:#}\n")
}

fn repeated(table: &Repeated) -> Value {
    let properties: Map<String, Value> =
        table.keys.iter().map(|key| (key.path.to_owned(), property(key))).collect();
    let required = table.required;
    json!({ "type": "array", "items": { "type": "object", "additionalProperties": false, "required": required, "properties": properties } })
}

fn property(key: &Key) -> Value {
    let mut property = match key.kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Upstreams => {
            json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "string" } })
        }
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Words(words) => json!({ "type": "array", "items": { "enum": words } }),
        Kind::Size(..) => json!({ "type": ["string", "integer"] }),
        Kind::Twiml(_) => json!({ "oneOf": [
            { "type": "string" },
            { "type": "object", "additionalProperties": false, "required": ["file"], "properties": { "file": { "type": "string" } } },
        ] }),
        _ => json!({ "type": "string" }),
    };
    if let Some(object) = property.as_object_mut() {
        object.insert(
            "description".to_owned(),
            json!(format!("{}; {}", key.doc, describe(key.kind))),
        );
        if let Some(default) = key.default {
            let default = match key.kind {
                Kind::Flag => json!(default == "true"),
                Kind::Count(..) => json!(default.parse::<usize>().unwrap_or_default()),
                _ => json!(default),
            };
            object.insert("default".to_owned(), default);
        }
    }
    property
}
