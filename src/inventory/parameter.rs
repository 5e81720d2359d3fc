//! Kernel parameters of the site.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The value of a kernel parameter: a number or a text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParameterValue(pub String);

impl schemars::JsonSchema for ParameterValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParameterValue".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"] })
    }
}
