//! YAML in and out: the only module that names the YAML library.
//!
//! What people write for this program ([`read`]) is read strictly, with every problem at its place; Kubernetes
//! manifests ([`manifests`]) are read as `kubectl` reads them; [`emit`] writes YAML that both read back unchanged.

use serde::Serialize;

use crate::diagnostic::codes;

mod decode;
mod failure;
mod node;
mod read;
mod spanned;
mod suggest;

pub use read::{Decoded, read};
pub use spanned::{Entries, Spanned};
pub use suggest::did_you_mean;

/// Problems of form: what can be said of a file without knowing what its values mean.
pub mod code {
    super::codes! { "yaml";
        SYNTAX "syntax" "the file must be YAML, one document"
        DUPLICATE_KEY "duplicate-key" "a key may stand only once in a mapping"
        UNKNOWN_KEY "unknown-key" "every key must be one that the format knows"
        MISSING_KEY "missing-key" "required keys must be there"
        WRONG_TYPE "wrong-type" "a value must have the type that its key asks for"
        BAD_VALUE "bad-value" "a value must be one of those that its key allows"
    }
}

/// A text that could not be read or a value that could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    message: String,
    line: Option<u64>,
}

impl YamlError {
    /// The line at which the text can't be read, for a text that must not be quoted.
    pub fn line(&self) -> Option<u64> {
        self.line
    }
}

/// Reads the objects of a Kubernetes manifest: several documents, empty ones left out, YAML 1.1 booleans and
/// octal numbers, as `kubectl apply` understands them.
pub fn manifests(text: &str) -> Result<Vec<serde_json::Value>, YamlError> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
    };
    let documents: Vec<serde_json::Value> =
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| YamlError {
            message: error.without_snippet().to_string(),
            line: error.location().map(|location| location.line()),
        })?;
    Ok(documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect())
}

/// Writes a value as one YAML document.
pub fn emit(value: &impl Serialize) -> Result<String, YamlError> {
    serde_saphyr::to_string(value).map_err(|error| YamlError {
        message: error.to_string(),
        line: None,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn manifests_are_read_as_kubectl_reads_them() {
        let objects = manifests("mode: 0644\ndebug: yes\n---\n---\nkind: B\nversion: \"1.30\"\n").unwrap();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0]["mode"], 420);
        assert_eq!(objects[0]["debug"], true);
        assert_eq!(objects[1]["version"], "1.30");
    }

    #[test]
    fn what_is_emitted_reads_back_unchanged() {
        let value =
            serde_json::json!({"yes": "no", "n": "0644", "empty": "", "lines": "a\n  b\n", "colon": "a: b"});
        assert_eq!(manifests(&emit(&value).unwrap()).unwrap(), [value]);
    }

    #[test]
    fn a_broken_manifest_says_where() {
        let error = manifests("a: 1\nb: [").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
