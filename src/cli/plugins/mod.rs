//! Jenkins' plugins as an update site has them.

mod lock;

use clap::Subcommand;

use super::{CommandFailure, Exit};

/// Lock the versions of Jenkins' plugins.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ci-bootstrap plugins lock inventory.yaml > plugins.lock.yaml")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Lock(lock::Args),
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    match &args.command {
        Command::Lock(args) => lock::run(args),
    }
}
