//! The name of a secret.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret comes from. The inventory never holds the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, relative to the inventory; one newline at its end is not part of the secret.
    File(PathBuf),
    /// What a command prints; one newline at its end is not part of the secret. The first word is the program.
    Command(Vec<String>),
    /// What the user types when asked with this text.
    Prompt(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            // The arguments may tell more than they should.
            Self::Command(words) => write!(f, "command {}", words.first().map_or("", String::as_str)),
            Self::Prompt(text) => write!(f, "prompt \"{text}\""),
        }
    }
}
