//! The JSON Schema of the inventory.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

use super::Inventory;

/// The JSON Schema (2020-12) by which editors complete and check an inventory.
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().with_transform(AsWritten);
    settings.into_generator().into_root_schema_for::<Inventory>()
}

/// Describes what a person writes, and leaves out what only Rust needs to know.
#[derive(Debug, Clone)]
struct AsWritten;

impl Transform for AsWritten {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        without_null(schema);
        // `uint16` and the like are no formats of JSON Schema; `minimum` and `maximum` say the same.
        schema.remove("format");
        schema.remove("writeOnly");
        // The defaults of a section stand at its keys.
        if schema
            .get("default")
            .is_some_and(|default| default.is_null() || default.is_object())
        {
            schema.remove("default");
        }
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = text
                .replace("\n\n", "\0")
                .replace('\n', " ")
                .replace('\0', "\n\n");
        }
    }
}

/// A key that may be left out is described as what it is when it is written: `null` is no value worth offering.
fn without_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = &types[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(variants)) = schema.get_mut("anyOf") {
        variants.retain(|variant| variant["type"] != "null");
        if let [Value::Object(only)] = &variants[..] {
            let only = only.clone();
            schema.remove("anyOf");
            for (key, value) in only {
                schema.insert(key, value);
            }
        }
    }
}
