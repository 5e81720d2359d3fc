//! What templates and expressions see.

use std::collections::BTreeMap;

use minijinja::value::Serde;
use serde::Serialize;

/// Values by name.
///
/// Each is made ready for templates once, when it comes in, and shared from then on: a plan evaluates hundreds of texts for each
/// host, and what they see tells of all hosts.
#[derive(Debug, Clone, Default)]
pub struct Values(BTreeMap<String, minijinja::Value>);

impl Values {
    /// These values with one more, or another in its place.
    #[must_use]
    pub fn with(&self, name: &str, value: &impl Serialize) -> Self {
        let mut values = self.0.clone();
        values.insert(name.to_owned(), minijinja::Value::from(Serde(value)));
        Self(values)
    }

    /// As a template's context.
    pub(super) fn context(&self) -> minijinja::Value {
        minijinja::Value::from(self.0.clone())
    }
}
