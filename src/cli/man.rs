//! `ci-bootstrap man`: the manual pages, one for the program and one for each command.

use std::path::PathBuf;

use clap::CommandFactory;

use super::{CommandFailure, Exit, OrExit, screen};

/// Write the manual pages to a folder, one for each command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  ci-bootstrap man ~/.local/share/man/man1 && man ci-bootstrap-apply

The .deb and .rpm packages bring them along.")]
pub(super) struct Args {
    /// The folder; it is created if it does not exist.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, CommandFailure> {
    fs_err::create_dir_all(&args.directory).or_exit(Exit::Usage)?;
    // The command `help` would get a page with nothing on it.
    let command = super::Cli::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &args.directory).or_exit(Exit::Usage)?;
    writeln!(
        screen::stdout(),
        "manual pages written to {}",
        args.directory.display()
    )?;
    Ok(Exit::Done)
}
