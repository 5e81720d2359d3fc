//! `ci-bootstrap schema`: what editors need to complete and check inventories.

use super::screen;
use super::{CommandFailure, Exit};
use crate::inventory;

/// Print the JSON Schema of the inventory.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ci-bootstrap schema > inventory.schema.json

An editor with the YAML language server uses it when the inventory's first line is
  # yaml-language-server: $schema=inventory.schema.json")]
pub(super) struct Args {}

pub(super) fn run(_args: &Args) -> Result<Exit, CommandFailure> {
    let schema = serde_json::to_string_pretty(&inventory::schema())?;
    writeln!(screen::stdout(), "{schema}")?;
    Ok(Exit::Done)
}
