//! The values that a host's playbooks and templates see: the cluster, the host, and what playbooks work out of them.

use serde_json::{Map, Value};

use crate::template::{TemplateError, Templates, Values};

/// Renders every leaf text of a value. An object that is only `{template: NAME}` becomes that template's text.
pub(super) fn fill(
    templates: &Templates,
    place: &str,
    value: &Value,
    values: &Values,
) -> Result<Value, TemplateError> {
    match value {
        Value::String(text) => templates.fill(place, text, values),
        Value::Array(items) => items
            .iter()
            .map(|item| fill(templates, place, item, values))
            .collect(),
        Value::Object(fields) => match template_name(fields) {
            Some(name) => Ok(Value::String(templates.render(name, values)?)),
            None => fill_fields(templates, place, fields, values),
        },
        other => Ok(other.clone()),
    }
}

fn template_name(fields: &Map<String, Value>) -> Option<&str> {
    fields.get("template").filter(|_| fields.len() == 1)?.as_str()
}

/// Keys are texts too: a package's name may come from the inventory.
fn fill_fields(
    templates: &Templates,
    place: &str,
    fields: &Map<String, Value>,
    values: &Values,
) -> Result<Value, TemplateError> {
    let mut filled = Map::new();
    for (key, field) in fields {
        let key = if key.contains("{{") {
            text(templates.fill(place, key, values)?)
        } else {
            key.clone()
        };
        filled.insert(key, fill(templates, place, field, values)?);
    }
    Ok(Value::Object(filled))
}

/// A value as text: a string without its quotes.
pub(super) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Whether an expression's value counts as yes, as in a template's `if`.
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}
