//! Security warnings of an update site.

use regex::Regex;
use serde::Deserialize;

/// A weakness of some versions of a plugin, or of Jenkins itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SecurityWarning {
    /// Number of the advisory, such as `SECURITY-3333`.
    pub id: String,
    /// What it is about, in a sentence.
    #[serde(default)]
    pub message: String,
    /// Address of the advisory.
    #[serde(default)]
    pub url: String,
    /// `plugin` or `core`.
    #[serde(rename = "type", default)]
    kind: String,
    /// The plugin.
    #[serde(default)]
    name: String,
    #[serde(default)]
    versions: Vec<Versions>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Versions {
    /// A regular expression for the whole of a version.
    pattern: Option<String>,
}

impl SecurityWarning {
    /// Without versions it holds for all of them. A pattern that can't be read (Java knows more than we do) holds, too: better a
    /// warning too many.
    pub(super) fn concerns(&self, name: &str, version: &str) -> bool {
        let matches = |versions: &Versions| {
            let pattern = versions.pattern.as_deref().unwrap_or(".*");
            Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| !regex.is_match(version))
        };
        self.kind == "plugin"
            && self.name == name
            && (self.versions.is_empty() || !self.versions.iter().all(matches))
    }
}
