//! From a file to a [`Document`].

use std::path::Path;

use super::{Files, Inventory, ssh};
use crate::diagnostic::{Diagnostic, Source, Span, without_passwords};
use crate::yaml;

/// An inventory as far as it could be read, and everything that is wrong with its form.
#[derive(Debug)]
pub struct Document {
    /// The text, for showing problems.
    pub source: Source,
    /// What it says; none if nothing can be made of it.
    pub inventory: Option<Inventory>,
    /// Problems of form.
    pub problems: Vec<Diagnostic>,
    /// Whether parts were left out of `inventory` because of `problems`.
    pub incomplete: bool,
    /// The files that it names.
    pub files: Files,
}

/// The inventory can't be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is missing or unreadable, or no text.
    #[error("cannot read the inventory")]
    Io(#[from] std::io::Error),
}

/// Reads an inventory and the files that it names.
pub fn read(path: &Path) -> Result<Document, ReadError> {
    let text = fs_err::read_to_string(path)?;
    let source = Source {
        name: path.display().to_string(),
        text,
    };
    let directory = match path.parent() {
        Some(parent) => std::path::absolute(parent.join("."))?,
        None => std::env::current_dir()?,
    };
    Ok(parse(source, &directory))
}

/// Reads an inventory from its text, whose file names are relative to `directory`.
pub fn parse(mut source: Source, directory: &Path) -> Document {
    let decoded: yaml::Decoded<Inventory> = yaml::read(&source.text);
    let files = decoded
        .value
        .as_ref()
        .map_or_else(Files::default, |inventory| Files::read(inventory, directory));
    let secrets = decoded.value.iter().flat_map(ssh::plain_secrets);
    secrets.for_each(|span| mask(&mut source.text, span));
    source.text = without_passwords(&source.text);
    Document {
        source,
        inventory: decoded.value,
        problems: decoded.problems,
        incomplete: decoded.incomplete,
        files,
    }
}

/// Overwrites a secret in the text, which is shown in problems.
fn mask(text: &mut String, span: Span) {
    let Some(secret) = text.get(span.start..span.end) else {
        return;
    };
    let line = |line: &str| "*".repeat(line.len());
    let stars = secret.split('\n').map(line).collect::<Vec<_>>().join("\n");
    text.replace_range(span.start..span.end, &stars);
}
