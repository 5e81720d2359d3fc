//! Secrets: where they come from, how they are fetched, and how they are kept out of everything that is shown.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// Where a secret comes from. The inventory never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; one newline at its end is not part of the secret.
    File(PathBuf),
    /// What a command prints; one newline at its end is not part of the secret. The first word is the program.
    Command(Vec<String>),
    /// What the user types when asked with this text.
    Prompt(String),
}
